/* http/peer.h - who is at the other end of the control socket, and what that lets them do. */
#ifndef HTTP_PEER_H
#define HTTP_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
	PEER_GROUPS_MAX = 256
};

struct peer {
	bool known; /* the kernel told; false: may do nothing */
	uid_t uid;
	pid_t pid;
	gid_t groups[PEER_GROUPS_MAX]; /* the primary group first */
	size_t group_count;
};

/* As the peer was when it connected. A process in more groups than fit is known by the first ones. */
void peer_get(int fd, struct peer *out);

/* Calls that change something: root, the daemon's user, members of the socket's group. */
bool peer_is_privileged(const struct peer *peer, uid_t daemon_uid, gid_t socket_gid);

#endif
