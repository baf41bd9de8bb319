/* Unit tests of wire/proxy.c: headers whole, cut, and wrong. */
#include "config.h"

#include "wire/proxy.h"
#include "unit/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

/* "192.0.2.1 1000", or "-" when the header names nobody. */
static void
describe(const struct sockaddr_storage *client, char *out, size_t size)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)client;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)client;
	char text[INET6_ADDRSTRLEN];

	if (client->ss_family == AF_INET)
		(void)snprintf(out, size, "%s %d",
		    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text), ntohs(v4->sin_port));
	else if (client->ss_family == AF_INET6)
		(void)snprintf(out, size, "%s %d",
		    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text), ntohs(v6->sin6_port));
	else
		(void)snprintf(out, size, "-");
}

/* The header whole and with something behind it, and every part of it. */
static void
check_good(struct span header, const char *want)
{
	struct sockaddr_storage client;
	char longer[400], got[80];
	size_t used;

	assert_true(header.len + 4 < sizeof longer);
	memcpy(longer, header.p, header.len);
	memcpy(longer + header.len, "EHLO", 4);
	for (size_t len = 0; len < header.len; len++) {
		assert_int_equal(proxy_parse(span_make(longer, len), &client, &used), RC_MORE);
		assert_int_equal(used, 0);
	}
	for (size_t more = 0; more <= 4; more += 4) {
		struct span in = span_make(longer, header.len + more);

		assert_int_equal(proxy_parse(in, &client, &used), RC_OK);
		assert_int_equal(used, header.len);
		describe(&client, got, sizeof got);
		assert_string_equal(got, want);
	}
}

static void
test_version_1(void **state)
{
	(void)state;
	check_good(SPAN_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 56324 25\r\n"), "192.0.2.1 56324");
	check_good(SPAN_LIT("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n"), "2001:db8::1 1");
	check_good(SPAN_LIT("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
			    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535");
	check_good(SPAN_LIT("PROXY UNKNOWN\r\n"), "-");
	check_good(SPAN_LIT("PROXY UNKNOWN ffff:f...f:ffff ffff::ffff 65535 65535\r\n"), "-");
}

static void
test_version_2(void **state)
{
	(void)state;
	check_good(SPAN_LIT(SIGNATURE "\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\x03\xe8\0\x19"),
	    "192.0.2.1 1000");
	/* Fields behind the addresses (here: 3 bytes of "no operation") are read over. */
	check_good(
	    SPAN_LIT(SIGNATURE "\x21\x11\0\x12\xc0\0\2\1\xc0\0\2\2\x03\xe8\0\x19\x04\0\3abc"),
	    "192.0.2.1 1000");
	check_good(SPAN_LIT(SIGNATURE "\x21\x21\0\x24\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
				      "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x03\xe8\0\x19"),
	    "2001:db8::1 1000");
	check_good(SPAN_LIT(SIGNATURE "\x20\0\0\0"), "-");
	check_good(SPAN_LIT(SIGNATURE "\x20\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\x03\xe8\0\x19"), "-");
	check_good(SPAN_LIT(SIGNATURE "\x21\0\0\0"), "-");
}

static void
test_wrong(void **state)
{
	static const struct span rows[] = {
		{ "EHLO x\r\n", 8 }, { "\x16\3\1", 3 }, /* TLS without a header in front */
		{ "proxy TCP4", 10 }, { "PROXY TCP5 1.2.3.4 1.2.3.4 1 1\r\n", 32 },
		{ "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", 30 },
		{ "PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n", 34 },
		{ "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", 36 },
		{ "PROXY TCP4 1.2.3.4  1.2.3.4 1 1\r\n", 33 }, { "PROXY TCP4 ::1 ::1 1 1\r\n", 24 },
		{ "PROXY TCP6 1.2.3.4 1.2.3.4 1 1\r\n", 32 },
		{ "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\rX", 32 }, { "PROXY \r\n", 8 },
		{ SIGNATURE "\x11\x11\0\0", 16 },	 /* version 1 in the binary form */
		{ SIGNATURE "\x22\x11\0\0", 16 },	 /* a command that does not exist */
		{ SIGNATURE "\x21\x11\0\x0b", 16 + 11 }, /* too short for its family */
		{ SIGNATURE "\x21\x21\0\x23", 16 + 35 },
		{ SIGNATURE "\x21\x12\0\x00", 16 },   /* datagrams */
		{ SIGNATURE "\x21\x11\xff\xff", 16 }, /* longer than anybody needs */
	};
	struct sockaddr_storage client;
	char bytes[100];
	size_t used;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		/* Of the binary ones only the fixed part is written down; nothing but zeros follows. */
		memset(bytes, 0, sizeof bytes);
		memcpy(bytes, rows[i].p, rows[i].p[0] == '\r' ? 16 : rows[i].len);
		assert_int_equal(
		    proxy_parse(span_make(bytes, rows[i].len), &client, &used), RC_BAD);
		assert_int_equal(client.ss_family, AF_UNSPEC);
	}
}

static void
test_endless_line(void **state)
{
	struct sockaddr_storage client;
	char line[107];
	size_t used;

	(void)state;
	memset(line, 'x', sizeof line);
	memcpy(line, "PROXY UNKNOWN ", 14);
	assert_int_equal(proxy_parse(span_make(line, 106), &client, &used), RC_MORE);
	assert_int_equal(proxy_parse(span_make(line, 107), &client, &used), RC_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version_1),
		cmocka_unit_test(test_version_2),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_endless_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
