/* Unit tests of util/endpoint.c. */
#include "config.h"

#include "util/endpoint.h"
#include "util/rc.h"
#include "unit/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>

/* The address as "family text port", or "" when there is none. */
static void
check(const char *text, const char *want)
{
	struct sockaddr_storage address;
	const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)&address;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&address;
	char host[INET6_ADDRSTRLEN] = "", got[200] = "";
	socklen_t len;

	if (endpoint_parse(span_of(text), &address, &len)) {
		if (address.ss_family == AF_UNIX)
			(void)snprintf(got, sizeof got, "unix %s", un->sun_path);
		else if (address.ss_family == AF_INET)
			(void)snprintf(got, sizeof got, "4 %s %d",
			    inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host),
			    ntohs(v4->sin_port));
		else
			(void)snprintf(got, sizeof got, "6 %s %d",
			    inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host),
			    ntohs(v6->sin6_port));
		assert_true(len > 0);
	}
	assert_string_equal(got, want);
}

static void
test_endpoints(void **state)
{
	static const char *const rows[][2] = {
		{ "/run/x", "unix /run/x" },
		{ "unix:/run/x", "unix /run/x" },
		{ "127.0.0.1:3310", "4 127.0.0.1 3310" },
		{ "inet:127.0.0.1:3310", "4 127.0.0.1 3310" },
		{ "[::1]:25", "6 ::1 25" },
		{ "inet:[2001:db8::1]:65535", "6 2001:db8::1 65535" },
		{ "", "" },
		{ "/", "" },
		{ "unix:x", "" },
		{ "127.0.0.1", "" },
		{ "127.0.0.1:0", "" },
		{ "127.0.0.1:65536", "" },
		{ "::1:25", "" },
		{ "[127.0.0.1]:25", "" },
		{ "[]:25", "" },
		{ "localhost:25", "" },
		{ "inet:25@127.0.0.1", "" },
		{ "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaa"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		    "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(rows[i][0], rows[i][1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_endpoints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
