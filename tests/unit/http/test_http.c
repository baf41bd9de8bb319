/* Unit tests of http/ without a daemon: which row a request finds, who may do what, and what errors look like. */
#include "config.h"

#include "unit/test.h"

#include <stdlib.h>

#include "http/internal.h"

/* ------------------------------------------------------------------ routes -------------------- */

static const struct route *
find(const char *method, const char *path, char *part, size_t size, char *allow, size_t allow_size)
{
	struct buf list = BUF_EMPTY;
	struct span got;
	const struct route *route =
	    route_find(control_routes, span_of(method), span_of(path), &got, &list);

	assert_true(span_copy(got, part, size));
	assert_true(span_copy(buf_span(&list), allow, allow_size));
	buf_free(&list);
	return route;
}

static void
test_routes(void **state)
{
	static const struct {
		const char *method, *path, *pattern, *part, *allow;
	} cases[] = {
		{ "GET", "/v1/ping", "/v1/ping", "", "" },
		{ "GET", "/v1/queue", "/v1/queue", "", "" },
		{ "GET", "/v1/queue/ABC", "/v1/queue/*", "ABC", "" },
		{ "DELETE", "/v1/queue/ABC", "/v1/queue/*", "ABC", "" },
		{ "POST", "/v1/queue/ABC/retry", "/v1/queue/*/retry", "ABC", "" },
		{ "POST", "/v1/queue/retry", "/v1/queue/retry", "", "" },
		{ "GET", "/v1/queue/a%2Fb", "/v1/queue/*", "a%2Fb", "" },
		{ "POST", "/v1/ping", NULL, "", "GET" },
		{ "PUT", "/v1/queue/ABC", NULL, "", "GET, DELETE" },
		{ "get", "/v1/ping", NULL, "", "GET" },
		{ "GET", "", NULL, "", "" },
		{ "GET", "/", NULL, "", "" },
		{ "GET", "/v1", NULL, "", "" },
		{ "GET", "/v1/ping/", NULL, "", "" },
		{ "GET", "//v1/ping", NULL, "", "" },
		{ "GET", "/v1/queue/", NULL, "", "" },
		{ "POST", "/v1/queue//retry", NULL, "", "" },
		{ "GET", "/v1/queue/a/b", NULL, "", "" },
		{ "GET", "/v1/pin", NULL, "", "" },
		{ "GET", "/v1/pingx", NULL, "", "" },
	};
	char part[64], allow[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct route *route =
		    find(cases[i].method, cases[i].path, part, sizeof part, allow, sizeof allow);

		if (cases[i].pattern == NULL)
			assert_null(route);
		else
			assert_string_equal(route->pattern, cases[i].pattern);
		assert_string_equal(part, cases[i].part);
		assert_string_equal(allow, cases[i].allow);
	}
}

static void
test_parameters(void **state)
{
	static const struct route route = { "GET", "/", false, "destination limit", NULL };
	static const struct route bare = { "GET", "/", false, "", NULL };

	(void)state;
	assert_true(route_takes(&route, SPAN_LIT("destination")));
	assert_true(route_takes(&route, SPAN_LIT("limit")));
	assert_false(route_takes(&route, SPAN_LIT("stie")));
	assert_false(route_takes(&route, SPAN_LIT("sit")));
	assert_false(route_takes(&route, SPAN_LIT("")));
	assert_false(route_takes(&bare, SPAN_LIT("")));
}

/* Whatever is no GET changes something, and content and recipients are not for everybody. */
static void
test_privileges_of_the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < control_routes.count; i++) {
		const struct route *row = &control_routes.rows[i];
		bool content = strcmp(row->pattern, "/v1/queue/*/message") == 0 ||
			       strcmp(row->pattern, "/v1/suppressions") == 0;

		assert_int_equal(row->privileged, content || strcmp(row->method, "GET") != 0);
		assert_non_null(row->run);
	}
}

/* ------------------------------------------------------------------ peers --------------------- */

static void
test_peers(void **state)
{
	struct peer root = { true, 0, 1, { 0 }, 1 };
	struct peer daemon = { true, 100, 1, { 101 }, 1 };
	struct peer member = { true, 1000, 1, { 1000, 20, 101 }, 3 };
	struct peer other = { true, 1000, 1, { 1000, 20 }, 2 };
	struct peer unknown = { false, 0, 1, { 101 }, 1 };
	struct peer beyond = { true, 1000, 1, { 1000, 101 }, 1 };

	(void)state;
	assert_true(peer_is_privileged(&root, 100, 101));
	assert_true(peer_is_privileged(&daemon, 100, 7));
	assert_true(peer_is_privileged(&member, 100, 101));
	assert_false(peer_is_privileged(&other, 100, 101));
	assert_false(peer_is_privileged(&unknown, 100, 101));
	assert_false(peer_is_privileged(&beyond, 100, 101));
}

/* ------------------------------------------------------------------ JSON ---------------------- */

static void
assert_json(json_t *document, const char *want)
{
	char *text = json_dumps(document, JSON_COMPACT);

	assert_string_equal(text, want);
	free(text);
	json_decref(document);
}

static void
test_errors(void **state)
{
	(void)state;
	assert_json(error_json("NotFound", "no \"such\" thing", NULL),
	    "{\"error\":{\"code\":\"NotFound\",\"message\":\"no \\\"such\\\" thing\"}}");
	assert_json(error_json("MessageRejected", "no", json_pack("{s:i}", "smtp_code", 554)),
	    "{\"error\":{\"code\":\"MessageRejected\",\"message\":\"no\",\"smtp_code\":554}}");
}

static void
test_text(void **state)
{
	json_t *text = json_text(SPAN_LIT("a\xff"));

	(void)state;
	assert_string_equal(json_string_value(text), "a\\xff");
	json_decref(text);
	assert_json(json_lines(SPAN_LIT("one\n\ntwo\n")), "[\"one\",\"two\"]");
	assert_json(json_lines(SPAN_EMPTY), "[]");
}

static void
test_lines_of_json(void **state)
{
	struct evbuffer *out = evbuffer_new();

	(void)state;
	assert_true(json_add_line(out, json_pack("{s:i}", "a", 1)));
	assert_true(json_add_line(out, json_pack("{s:i}", "a", 2)));
	assert_false(json_add_line(out, NULL));
	assert_int_equal(evbuffer_get_length(out), 16);
	assert_memory_equal(evbuffer_pullup(out, -1), "{\"a\":1}\n{\"a\":2}\n", 16);
	evbuffer_free(out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_privileges_of_the_table),
		cmocka_unit_test(test_peers),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_lines_of_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
