/* Unit tests of dns/unbound.c against a real server: nsd on a free loopback port with a zone of its own. */
#include "config.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/test.h"
#include "config/config.h"
#include "dns/mx.h"
#include "dns/packet.h"
#include "dns/resolver.h"
#include "util/clock.h"
#include "util/fsutil.h"

static char dir[] = "/tmp/test_unbound.XXXXXX";
static unsigned port;
static pid_t nsd_pid;

static const char zone[] = "$ORIGIN example.org.\n$TTL 600\n"
			   "@ SOA ns hostmaster 1 3600 600 86400 77\n"
			   "@ NS ns\nns A 127.0.0.1\n"
			   "@ MX 20 mx2\n@ MX 10 mx1\n"
			   "mx1 A 192.0.2.1\nmx1 AAAA 2001:db8::1\nmx2 A 192.0.2.2\n"
			   "text TXT \"hello\" \"world\"\n"
			   "c1 CNAME c2\nc2 CNAME c3\nc3 A 192.0.2.33\nc3 MX 5 mx1\n"
			   "loop1 CNAME loop2\nloop2 CNAME loop1\n"
			   "short 1 A 192.0.2.4\nlong 2147483647 A 192.0.2.5\n"
			   "null MX 0 .\n"
			   "odd MX 10 bad\\032name\nodd MX 20 mx2\n";

/* --- the server ---------------------------------------------------------------------------------- */

/* A UDP socket on a free port; it answers nothing. */
static int
silent_socket(unsigned *bound_port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof in;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*bound_port = ntohs(in.sin_port);
	return fd;
}

static bool
server_answers(void)
{
	static const char query[] = "\0\1\0\0\0\1\0\0\0\0\0\0\7example\3org\0\0\6\0\1";
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	char answer[512];
	bool good;

	good = connect(fd, (struct sockaddr *)&in, sizeof in) == 0 &&
	       send(fd, query, sizeof query - 1, 0) > 0 && poll(&poll_fd, 1, 50) == 1 &&
	       recv(fd, answer, sizeof answer, 0) > 12 && (answer[3] & 0x0f) == 0;
	(void)close(fd);
	return good;
}

static void
write_file(const char *name, const char *text)
{
	struct why why = WHY_EMPTY;

	assert_rc(fsutil_publish(dir, name, span_of(text), 0600, &why), RC_OK);
}

/* The zone, and one name whose answer does not fit a datagram. */
static void
write_zone(void)
{
	struct buf text = BUF_EMPTY;

	buf_addf(&text, "%s", zone);
	for (int i = 0; i < 90; i++)
		buf_addf(
		    &text, "big MX %d a-rather-long-host-name-for-a-mail-exchanger-%d\n", i, i);
	write_file("zone", buf_cstr(&text));
	buf_free(&text);
}

static void
write_config(void)
{
	char text[2048];

	(void)snprintf(text, sizeof text,
	    "server:\n ip-address: 127.0.0.1@%u\n do-ip6: no\n username: \"\"\n server-count: 1\n"
	    " zonesdir: \"%s\"\n pidfile: \"%s/pid\"\n zonelistfile: \"%s/zones\"\n"
	    " xfrdfile: \"%s/xfrd\"\n xfrdir: \"%s\"\n logfile: \"%s/log\"\n database: \"\"\n"
	    " rrl-ratelimit: 0\n"
	    "remote-control:\n control-enable: no\n"
	    "zone:\n name: example.org\n zonefile: zone\n",
	    port, dir, dir, dir, dir, dir, dir);
	write_file("nsd.conf", text);
	write_zone();
}

static bool
server_start(void)
{
	char config[64];

	(void)snprintf(config, sizeof config, "%s/nsd.conf", dir);
	nsd_pid = fork();
	if (nsd_pid == 0) {
		int null_fd = open("/dev/null", O_RDWR);

		/* nothing of it outlives the test or holds the test's output open */
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		for (int fd = 0; fd < 3; fd++)
			(void)dup2(null_fd, fd);
		(void)execlp("nsd", "nsd", "-d", "-c", config, (char *)NULL);
		(void)execl("/usr/sbin/nsd", "nsd", "-d", "-c", config, (char *)NULL);
		_exit(127);
	}
	for (int64_t end = clock_mono_ms() + 10000; clock_mono_ms() < end;) {
		if (server_answers())
			return true;
		if (waitpid(nsd_pid, NULL, WNOHANG) == nsd_pid) {
			nsd_pid = 0;
			return false;
		}
		(void)poll(NULL, 0, 5); /* a refused datagram comes back at once */
	}
	return false;
}

static void
server_stop(void)
{
	if (nsd_pid > 0) {
		(void)kill(nsd_pid, SIGTERM);
		(void)waitpid(nsd_pid, NULL, 0);
	}
	nsd_pid = 0;
}

/* --- lookups ------------------------------------------------------------------------------------- */

struct client {
	struct loop *loop;
	struct resolver *resolver;
	struct config config;
	char server[32];
	char *servers[1];
};

static void
client_open(struct client *client, unsigned server_port, int64_t timeout_ms)
{
	struct why why = WHY_EMPTY;
	static char no_anchor[] = "";

	memset(client, 0, sizeof *client);
	(void)snprintf(client->server, sizeof client->server, "127.0.0.1@%u", server_port);
	client->servers[0] = client->server;
	client->config.dns.servers = client->servers;
	client->config.dns.server_count = 1;
	client->config.dns.timeout_ms = timeout_ms;
	client->config.dns.trust_anchor = no_anchor;
	client->loop = loop_new("test", &why);
	assert_non_null(client->loop);
	client->resolver = resolver_unbound_new(client->loop, &client->config, &why);
	if (client->resolver == NULL)
		fail_msg("%s", why.text);
}

static void
client_close(struct client *client)
{
	resolver_free(client->resolver);
	loop_free(client->loop);
}

struct got {
	struct loop *loop;
	size_t calls, wanted;
	enum dns_status status;
	size_t count;
	int64_t ttl_s;
	char first[600];
	size_t first_len;
	char why[100];
};

static void
on_answer(void *arg, const struct dns_answer *answer)
{
	struct got *got = arg;

	got->status = answer->status;
	got->count = answer->count;
	got->ttl_s = answer->ttl_s;
	got->why[0] = '\0';
	if (answer->status == DNS_FAILED)
		assert_true(span_copy(span_of(answer->why), got->why, sizeof got->why));
	if (answer->count > 0) {
		got->first_len = answer->records[0].len;
		memcpy(got->first, answer->records[0].p,
		    got->first_len < sizeof got->first ? got->first_len : sizeof got->first);
	}
	if (++got->calls == got->wanted)
		loop_stop(got->loop);
}

/* A loop that was stopped stays so: each question gets a client of its own. */
static struct got
ask_port(unsigned server_port, const char *name, enum dns_type type, int64_t timeout_ms)
{
	struct client client;
	struct got got = { .wanted = 1 };

	client_open(&client, server_port, timeout_ms);
	got.loop = client.loop;
	assert_non_null(resolver_lookup(client.resolver, name, type, on_answer, &got));
	assert_int_equal(got.calls, 0);
	loop_run(client.loop);
	assert_int_equal(got.calls, 1);
	client_close(&client);
	return got;
}

static struct got
ask(const char *name, enum dns_type type)
{
	return ask_port(port, name, type, 5000);
}

static void
test_types(void **state)
{
	struct got got = ask("mx1.example.org", DNS_A);

	(void)state;
	assert_int_equal(got.status, DNS_OK);
	assert_int_equal(got.count, 1);
	assert_int_equal(got.ttl_s, 600);
	assert_memory_equal(got.first, "\xc0\0\2\1", 4);
	got = ask("mx1.example.org", DNS_AAAA);
	assert_int_equal(got.status, DNS_OK);
	assert_int_equal(got.first_len, 16);
	got = ask("text.example.org", DNS_TXT);
	assert_int_equal(got.status, DNS_OK);
	assert_memory_equal(got.first, "\5hello\5world", 12);
	got = ask("example.org", DNS_MX);
	assert_int_equal(got.status, DNS_OK);
	assert_int_equal(got.count, 2);
}

static void
test_negative_answers(void **state)
{
	struct got got = ask("gone.example.org", DNS_A);

	(void)state;
	assert_int_equal(got.status, DNS_NXDOMAIN);
	assert_int_equal(got.ttl_s, 77);
	got = ask("mx2.example.org", DNS_AAAA);
	assert_int_equal(got.status, DNS_NODATA);
	assert_int_equal(got.ttl_s, 77);
}

static void
test_cnames(void **state)
{
	struct got got = ask("c1.example.org", DNS_A);

	(void)state;
	assert_int_equal(got.status, DNS_OK);
	assert_memory_equal(got.first, "\xc0\0\2\x21", 4);
	got = ask("c1.example.org", DNS_MX);
	assert_int_equal(got.status, DNS_OK);
	got = ask("loop1.example.org", DNS_A);
	assert_int_equal(got.count, 0); /* an error or nothing, and it ends */
}

static void
test_ttls_are_capped(void **state)
{
	(void)state;
	assert_int_equal(ask("short.example.org", DNS_A).ttl_s, 5);
	assert_int_equal(ask("long.example.org", DNS_A).ttl_s, 86400);
}

static void
test_big_answer_comes_by_tcp(void **state)
{
	struct got got = ask("big.example.org", DNS_MX);

	(void)state;
	assert_int_equal(got.status, DNS_OK);
	assert_int_equal(got.count, 90);
}

static void
test_refused_is_a_failure(void **state)
{
	struct got got = ask("not-served.example.com", DNS_A);

	(void)state;
	assert_int_equal(got.status, DNS_FAILED);
	assert_string_not_equal(got.why, "");
}

static void
test_bad_names(void **state)
{
	char name[400];

	(void)state;
	memset(name, 'a', sizeof name);
	name[sizeof name - 1] = '\0';
	assert_int_equal(ask(name, DNS_A).status, DNS_FAILED);
	assert_int_equal(ask("a..b", DNS_A).status, DNS_FAILED);
}

static void
test_silence_ends_in_time(void **state)
{
	unsigned silent_port;
	int fd = silent_socket(&silent_port);
	int64_t start_ms = clock_mono_ms();
	struct got got = ask_port(silent_port, "mx1.example.org", DNS_A, 300);

	(void)state;
	assert_int_equal(got.status, DNS_FAILED);
	assert_string_equal(got.why, "timeout");
	assert_in_range(clock_mono_ms() - start_ms, 295, 3000);
	(void)close(fd);
	/* now nobody is there, and the system says so */
	start_ms = clock_mono_ms();
	got = ask_port(silent_port, "mx1.example.org", DNS_A, 300);
	assert_int_equal(got.status, DNS_FAILED);
	assert_true(clock_mono_ms() - start_ms < 3000);
}

static void
test_many_at_once_and_cancel(void **state)
{
	enum {
		MANY = 2000
	};
	static struct dns_query *handles[MANY];
	unsigned silent_port;
	int fd = silent_socket(&silent_port);
	struct client client;
	struct got got = { .wanted = MANY / 2 };

	(void)state;
	client_open(&client, silent_port, 400);
	got.loop = client.loop;
	for (int i = 0; i < MANY; i++) {
		char name[64];

		(void)snprintf(name, sizeof name, "n%d.example.org", i);
		handles[i] = resolver_lookup(client.resolver, name, DNS_A, on_answer, &got);
		assert_non_null(handles[i]);
	}
	for (int i = 0; i < MANY; i += 2)
		resolver_cancel(client.resolver, handles[i]);
	loop_run(client.loop);
	assert_int_equal(got.calls, MANY / 2);
	client_close(&client); /* the library still holds hundreds */
	(void)close(fd);
}

static void
test_many_are_answered(void **state)
{
	struct client client;
	struct got got = { .wanted = 1500 };

	(void)state;
	client_open(&client, port, 20000);
	got.loop = client.loop;
	for (size_t i = 0; i < got.wanted; i++) {
		char name[64];

		(void)snprintf(name, sizeof name, "n%zu.example.org", i);
		assert_non_null(resolver_lookup(client.resolver, name, DNS_A, on_answer, &got));
	}
	loop_run(client.loop);
	assert_int_equal(got.calls, 1500);
	assert_int_equal(got.status, DNS_NXDOMAIN);
	client_close(&client);
}

struct freeing {
	struct client *client;
	size_t calls;
};

static void
on_answer_free_resolver(void *arg, const struct dns_answer *answer)
{
	struct freeing *freeing = arg;

	(void)answer;
	freeing->calls++;
	resolver_free(freeing->client->resolver);
	freeing->client->resolver = NULL;
	loop_stop(freeing->client->loop);
}

static void
test_freed_inside_a_callback(void **state)
{
	unsigned silent_port;
	int fd = silent_socket(&silent_port);
	const unsigned ports[] = { port, silent_port };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
		struct client client;
		struct freeing freeing = { &client, 0 };

		client_open(&client, ports[i], 300);
		for (int n = 0; n < 5; n++)
			(void)resolver_lookup(client.resolver, "mx1.example.org", DNS_A,
			    on_answer_free_resolver, &freeing);
		loop_run(client.loop);
		client_close(&client);
		assert_int_equal(freeing.calls, 1);
	}
	(void)close(fd);
}

/* --- with mx.c on top ---------------------------------------------------------------------------- */

struct mx_got {
	struct loop *loop;
	struct mx_result *result;
};

static void
on_hosts(void *arg, struct mx_result *result)
{
	struct mx_got *got = arg;

	got->result = result;
	loop_stop(got->loop);
}

static struct mx_result *
ask_mx(const char *domain)
{
	const struct mx_options options = { .port = 25, .ipv4 = true, .ipv6 = true };
	struct client client;
	struct mx_got got = { NULL, NULL };

	client_open(&client, port, 5000);
	got.loop = client.loop;
	assert_non_null(
	    mx_lookup(client.resolver, client.loop, domain, false, &options, on_hosts, &got));
	loop_run(client.loop);
	client_close(&client);
	assert_non_null(got.result);
	return got.result;
}

static void
check_mx(const char *domain, enum mx_status status, size_t count, const char *first)
{
	struct mx_result *result = ask_mx(domain);

	assert_int_equal(result->status, status);
	assert_int_equal(result->count, count);
	if (count > 0)
		assert_string_equal(result->hosts[0].name, first);
	mx_result_unref(result);
}

static void
test_mx(void **state)
{
	(void)state;
	check_mx("example.org", MX_OK, 2, "mx1.example.org");
	check_mx("c1.example.org", MX_OK, 1, "mx1.example.org");
	check_mx("mx2.example.org", MX_OK, 1, "mx2.example.org");
	check_mx("null.example.org", MX_NULL, 0, NULL);
	check_mx("gone.example.org", MX_NO_DOMAIN, 0, NULL);
	check_mx("text.example.org", MX_NO_HOST, 0, NULL);
	check_mx("odd.example.org", MX_OK, 1, "mx2.example.org");
	check_mx("big.example.org", MX_NO_HOST, 0, NULL);
	check_mx("not-served.example.com", MX_FAILED, 0, NULL);
}

/* --- the server goes and comes ------------------------------------------------------------------- */

struct again {
	struct client client;
	size_t failures, answers;
	int64_t until_ms;
	struct timer timer;
	size_t round;
};

/* Several failures, so that the library has given the server up; then the server is there again. */
static void
on_again(void *arg, const struct dns_answer *answer)
{
	struct again *again = arg;

	if (answer->status != DNS_FAILED)
		again->answers++;
	else if (++again->failures == 5)
		assert_true(server_start());
	if (again->answers > 0 || clock_mono_ms() > again->until_ms)
		loop_stop(again->client.loop);
	else
		timer_set(&again->timer, 50);
}

/* Names never asked before, so that no cache answers. */
static void
again_ask(void *arg)
{
	struct again *again = arg;
	char name[64];

	(void)snprintf(name, sizeof name, "r%zu.example.org", again->round++);
	assert_non_null(resolver_lookup(again->client.resolver, name, DNS_A, on_again, again));
}

static void
test_server_gone_and_back(void **state)
{
	struct again again = { .until_ms = clock_mono_ms() + 60000 };

	(void)state;
	client_open(&again.client, port, 300);
	server_stop();
	timer_init(&again.timer, again.client.loop, again_ask, &again);
	again_ask(&again);
	loop_run(again.client.loop);
	assert_true(again.failures >= 5);
	assert_int_equal(again.answers, 1);
	client_close(&again.client);
}

static size_t
count_fds(void)
{
	DIR *fds = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(fds);
	while (readdir(fds) != NULL)
		count++;
	(void)closedir(fds);
	return count;
}

static void
test_no_descriptor_is_left(void **state)
{
	size_t before;

	(void)state;
	(void)ask("example.org", DNS_MX); /* what libraries keep for good is open now */
	before = count_fds();
	for (int i = 0; i < 20; i++)
		(void)ask("example.org", DNS_MX);
	assert_int_equal(count_fds(), before);
}

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	for (int i = 0; i < 5; i++) { /* somebody may take the port between our look and nsd's */
		(void)close(silent_socket(&port));
		write_config();
		if (server_start())
			return 0;
		server_stop();
	}
	print_error("nsd does not start; its files are in %s\n", dir);
	return -1;
}

static int
tear_down(void **state)
{
	static const char *const names[] = { "nsd.conf", "zone", "pid", "zones", "xfrd", "log" };

	(void)state;
	server_stop();
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[64];

		(void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(dir);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_negative_answers),
		cmocka_unit_test(test_cnames),
		cmocka_unit_test(test_ttls_are_capped),
		cmocka_unit_test(test_big_answer_comes_by_tcp),
		cmocka_unit_test(test_refused_is_a_failure),
		cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_silence_ends_in_time),
		cmocka_unit_test(test_many_at_once_and_cancel),
		cmocka_unit_test(test_many_are_answered),
		cmocka_unit_test(test_freed_inside_a_callback),
		cmocka_unit_test(test_mx),
		cmocka_unit_test(test_server_gone_and_back),
		cmocka_unit_test(test_no_descriptor_is_left),
	};

	if (access("/usr/sbin/nsd", X_OK) != 0)
		return 77; /* skipped */
	(void)alarm(120);
	return cmocka_run_group_tests_name("dns/unbound", tests, set_up, tear_down);
}
