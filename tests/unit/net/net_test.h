/* unit/net/net_test.h - what tests over loopback share: a port to listen on, both ends of TLS, and an end for a test that
 * hangs. */
#ifndef UNIT_NET_TEST_H
#define UNIT_NET_TEST_H

#include "unit/config/config_test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/loop.h"
#include "net/tls.h"

/* ------------------------------------------------------------------ an end for a test --------- */

enum {
	GIVE_UP_MS = 30000 /* a test that hangs ends, and fails */
};

struct give_up {
	struct loop *loop;
	struct timer timer;
	bool came;
};

static inline void
on_give_up(void *arg)
{
	struct give_up *g = arg;

	g->came = true;
	loop_stop(g->loop);
}

static inline void
give_up_begin(struct give_up *g, struct loop *loop)
{
	*g = (struct give_up){ .loop = loop };
	timer_init(&g->timer, loop, on_give_up, g);
	timer_set(&g->timer, GIVE_UP_MS);
}

/* Runs the loop until somebody stops it. */
static inline void
give_up_run(struct give_up *g)
{
	loop_run(g->loop);
	assert_false(g->came);
}

/* ------------------------------------------------------------------ a port -------------------- */

/* `flags` as for socket(2). Ports of our own, so that others on the machine are left alone. */
static inline int
listen_somewhere(struct sockaddr_in *addr, int flags)
{
	socklen_t len = sizeof *addr;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	*addr = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	for (unsigned port = 22100 + (unsigned)getpid() % 500; port < 23000; port++) {
		addr->sin_port = htons((uint16_t)port);
		if (bind(fd, (struct sockaddr *)addr, len) == 0)
			break;
	}
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)addr, &len), 0);
	return fd;
}

/* ------------------------------------------------------------------ TLS ----------------------- */

static struct tls_server *server_tls;
static struct tls_client *client_tls;
static char tls_directory[] = "/tmp/postrider-test-XXXXXX";

/* For all tests of a program. Returns the configuration, which has `settings` as well; the caller's. */
static inline struct config *
tls_set_up(const char *hostname, const char *settings)
{
	struct why why = WHY_EMPTY;
	struct config *config;
	char text[400];

	(void)signal(SIGPIPE, SIG_IGN); /* as the daemon does: OpenSSL writes as it likes */
	assert_non_null(mkdtemp(tls_directory));
	assert_rc(tls_make_self_signed(tls_directory, hostname, &why), RC_OK);
	(void)snprintf(text, sizeof text, "hostname = \"%s\"; state_directory = \"%s\"; %s",
	    hostname, tls_directory, settings);
	config = must_parse(text);
	assert_rc(tls_server_load(config, &server_tls, &why), RC_OK);
	assert_rc(tls_client_load(config, &client_tls, &why), RC_OK);
	return config;
}

static inline int
tls_tear_down(void)
{
	char path[100];

	tls_server_unref(server_tls);
	tls_client_unref(client_tls);
	(void)snprintf(path, sizeof path, "%s/self-signed.pem", tls_directory);
	return unlink(path) == 0 && rmdir(tls_directory) == 0 ? 0 : -1;
}

#endif
