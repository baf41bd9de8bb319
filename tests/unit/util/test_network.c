/* Unit tests of util/network.c. */
#include "config.h"

#include "util/network.h"
#include "util/endpoint.h"
#include "util/rc.h"
#include "unit/test.h"

#include <stdio.h>

static bool
has(const char *text, const char *host)
{
	struct network network;
	struct sockaddr_storage address;
	socklen_t len;
	char endpoint[80];

	assert_true(network_parse(span_of(text), &network));
	(void)snprintf(endpoint, sizeof endpoint, host[0] == '/' ? "%s" : "%s:1", host);
	assert_true(endpoint_parse(span_of(endpoint), &address, &len));
	return network_has(&network, (const struct sockaddr *)&address);
}

static void
test_members(void **state)
{
	(void)state;
	assert_true(has("192.0.2.1", "192.0.2.1"));
	assert_false(has("192.0.2.1", "192.0.2.0"));
	assert_true(has("192.0.2.0/24", "192.0.2.255"));
	assert_false(has("192.0.2.0/24", "192.0.3.0"));
	assert_true(has("10.1.2.3/9", "10.127.255.255"));
	assert_false(has("10.1.2.3/9", "10.128.0.0"));
	assert_true(has("0.0.0.0/0", "255.255.255.255"));
	assert_false(has("0.0.0.0/0", "[::1]"));
	assert_true(has("2001:db8::/33", "[2001:db8:7fff::]"));
	assert_false(has("2001:db8::/33", "[2001:db8:8000::]"));
	assert_true(has("::1/128", "[::1]"));
	assert_true(has("::/0", "192.0.2.1")); /* all there is */
	assert_true(has("192.0.2.0/31", "[::ffff:192.0.2.1]"));
	assert_true(has("::ffff:192.0.2.0/127", "192.0.2.1"));
	assert_false(has("::/0", "/run/x")); /* no IP address */
}

static void
test_texts(void **state)
{
	static const char *const wrong[] = { "", "/", "/8", "192.0.2.1/", "192.0.2.1/33",
		"192.0.2.1/-1", "192.0.2/24", "::/129", "::/x", "::1/64/64", "host", " ::1",
		"::1 " };
	struct network network;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_false(network_parse(span_of(wrong[i]), &network));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
