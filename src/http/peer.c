/* http/peer.c - asks the kernel (SO_PEERCRED, SO_PEERGROUPS); no name service, so nothing here can block. */
#include "config.h"

#include "http/peer.h"

#include <sys/socket.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59 /* Linux 4.13 */
#endif

void
peer_get(int fd, struct peer *out)
{
	struct ucred cred;
	socklen_t len = sizeof cred;
	/* Room for the primary group in front. */
	socklen_t groups_len = sizeof out->groups - sizeof out->groups[0];

	*out = (struct peer){ .known = false };
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0 || len != sizeof cred)
		return;
	out->known = true;
	out->uid = cred.uid;
	out->pid = cred.pid;
	out->groups[0] = cred.gid;
	out->group_count = 1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, &out->groups[1], &groups_len) == 0)
		out->group_count += groups_len / sizeof out->groups[0];
}

bool
peer_is_privileged(const struct peer *peer, uid_t daemon_uid, gid_t socket_gid)
{
	if (!peer->known)
		return false;
	if (peer->uid == 0 || peer->uid == daemon_uid)
		return true;
	for (size_t i = 0; i < peer->group_count; i++)
		if (peer->groups[i] == socket_gid)
			return true;
	return false;
}
