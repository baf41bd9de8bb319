/* Unit tests of dns/mx.c and dns/cache.c on a manual loop with a resolver that answers from a table. */
#include "config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "unit/test.h"
#include "dns/mx.h"
#include "util/clock.h"
#include "util/list.h"

/* --- a resolver made of text: "10 mx.example 20 b.example", "192.0.2.1 192.0.2.2" ---------------- */

struct row {
	const char *name;
	enum dns_type type;
	enum dns_status status;
	const char *records;
	bool secure;
	int64_t ttl_s;
};

struct fake {
	struct resolver resolver;
	struct loop *loop;
	const struct row *rows;
	size_t asked, under_way, most_under_way;
	size_t refuse_from; /* lookups from this one on cannot be started */
};

struct dns_query {
	struct loop_msg msg;
	struct fake *fake;
	char name[256];
	enum dns_type type;
	void (*on_answer)(void *arg, const struct dns_answer *answer);
	void *arg;
};

static size_t
put_name(char *out, struct span name)
{
	struct span label;
	size_t len = 0;

	while (name.len > 0 && span_next(&name, '.', &label)) {
		out[len++] = (char)label.len;
		memcpy(out + len, label.p, label.len);
		len += label.len;
	}
	out[len++] = '\0';
	return len;
}

static size_t
make_rdata(enum dns_type type, struct span *words, char *out)
{
	struct span word;
	uint64_t preference = 0;
	char text[64];

	if (type == DNS_MX) {
		assert_true(span_next(words, ' ', &word));
		assert_true(span_uint(word, 65535, &preference));
		out[0] = (char)(preference >> 8);
		out[1] = (char)preference;
		assert_true(span_next(words, ' ', &word));
		return 2 + put_name(out + 2, span_eq(word, SPAN_LIT(".")) ? SPAN_EMPTY : word);
	}
	assert_true(span_next(words, ' ', &word));
	assert_true(span_copy(word, text, sizeof text));
	assert_int_equal(inet_pton(type == DNS_A ? AF_INET : AF_INET6, text, out), 1);
	return type == DNS_A ? 4 : 16;
}

static void
give(struct dns_query *query, const struct row *row)
{
	static char memory[110][300];
	static struct span records[110];
	struct dns_answer answer = { .status = DNS_NXDOMAIN, .why = "", .ttl_s = 60 };

	if (row != NULL) {
		struct span words = span_of(row->records != NULL ? row->records : "");

		answer.status = row->status;
		answer.why = "SERVFAIL";
		answer.secure = row->secure;
		answer.ttl_s = row->ttl_s != 0 ? row->ttl_s : 60;
		while (row->records != NULL && words.p != NULL && answer.count < 110) {
			char *out = memory[answer.count];

			records[answer.count++] =
			    span_make(out, make_rdata(row->type, &words, out));
		}
		answer.records = records;
	}
	query->on_answer(query->arg, &answer);
}

static void
run_query(struct loop_msg *msg)
{
	struct dns_query *query = container_of(msg, struct dns_query, msg);
	const struct row *row = query->fake->rows;

	if (query->on_answer != NULL) {
		query->fake->under_way--;
		while (row->name != NULL &&
		       (row->type != query->type || strcmp(row->name, query->name) != 0))
			row++;
		give(query, row->name != NULL ? row : NULL);
	}
	free(query);
}

static struct dns_query *
fake_lookup(struct resolver *resolver, const char *name, enum dns_type type,
    void (*on_answer)(void *arg, const struct dns_answer *answer), void *arg)
{
	struct fake *fake = container_of(resolver, struct fake, resolver);
	struct dns_query *query;

	if (++fake->asked >= fake->refuse_from)
		return NULL;
	query = calloc(1, sizeof *query);
	query->fake = fake;
	(void)span_copy(span_of(name), query->name, sizeof query->name);
	query->type = type;
	query->on_answer = on_answer;
	query->arg = arg;
	query->msg.run = run_query;
	loop_post(fake->loop, &query->msg);
	if (++fake->under_way > fake->most_under_way)
		fake->most_under_way = fake->under_way;
	return query;
}

static void
fake_cancel(struct resolver *resolver, struct dns_query *query)
{
	struct fake *fake = container_of(resolver, struct fake, resolver);

	assert_non_null(query->on_answer);
	query->on_answer = NULL;
	fake->under_way--;
}

static void
fake_free(struct resolver *resolver)
{
	(void)resolver;
}

static const struct resolver_ops fake_ops = { fake_lookup, fake_cancel, fake_free };

static void
fake_init(struct fake *fake, const struct row *rows)
{
	*fake = (struct fake){ .resolver = { &fake_ops },
		.loop = loop_new_manual("test"),
		.rows = rows,
		.refuse_from = SIZE_MAX };
}

/* --- asking -------------------------------------------------------------------------------------- */

static const struct mx_options plain = {
	.port = 25, .self_name = "relay.example", .ipv4 = true, .ipv6 = true
};

struct got {
	struct mx_result *result;
	size_t calls;
};

static void
on_hosts(void *arg, struct mx_result *result)
{
	struct got *got = arg;

	mx_result_unref(got->result);
	got->result = result;
	got->calls++;
}

static struct mx_result *
ask(const struct row *rows, const char *domain, bool host_only, const struct mx_options *options)
{
	struct got got = { NULL, 0 };
	struct fake fake;

	fake_init(&fake, rows);
	assert_non_null(
	    mx_lookup(&fake.resolver, fake.loop, domain, host_only, options, on_hosts, &got));
	assert_int_equal(got.calls, 0); /* never from inside the call */
	while (loop_step(fake.loop) > 0)
		continue;
	assert_int_equal(got.calls, 1);
	assert_int_equal(fake.under_way, 0);
	assert_true(fake.most_under_way <= 2 * MX_HOSTS_MAX);
	loop_free(fake.loop);
	return got.result;
}

/* "name:address,address name:address", IPv6 in brackets-less form. */
static void
check_hosts(const struct mx_result *result, const char *want)
{
	char text[4096] = "";
	size_t len = 0;

	for (size_t i = 0; i < result->count; i++) {
		const struct mx_host *host = &result->hosts[i];

		len += (size_t)snprintf(
		    text + len, sizeof text - len, "%s%s", i > 0 ? " " : "", host->name);
		for (size_t j = 0; j < host->address_count; j++) {
			char address[64];
			const struct sockaddr *sa =
			    (const struct sockaddr *)&host->addresses[j].addr;
			const void *bytes =
			    sa->sa_family == AF_INET
				? (const void *)&((const struct sockaddr_in *)sa)->sin_addr
				: (const void *)&((const struct sockaddr_in6 *)sa)->sin6_addr;

			(void)inet_ntop(sa->sa_family, bytes, address, sizeof address);
			len += (size_t)snprintf(
			    text + len, sizeof text - len, "%c%s", j > 0 ? ',' : '=', address);
		}
	}
	assert_string_equal(text, want);
}

static void
check_with(const struct row *rows, const char *domain, bool host_only,
    const struct mx_options *options, enum mx_status status, const char *hosts)
{
	struct mx_result *result = ask(rows, domain, host_only, options);

	assert_int_equal(result->status, status);
	check_hosts(result, hosts);
	assert_true(status == MX_OK || result->why[0] != '\0');
	assert_true(result->expires_ms > clock_mono_ms());
	mx_result_unref(result);
}

static void
check(const struct row *rows, const char *domain, enum mx_status status, const char *hosts)
{
	check_with(rows, domain, false, &plain, status, hosts);
}

#define A(name, list) \
	{ \
		name, DNS_A, DNS_OK, list, false, 0 \
	}
#define AAAA(name, list) \
	{ \
		name, DNS_AAAA, DNS_OK, list, false, 0 \
	}
#define MX(name, list) \
	{ \
		name, DNS_MX, DNS_OK, list, false, 0 \
	}
#define NODATA(name, type) \
	{ \
		name, type, DNS_NODATA, NULL, false, 0 \
	}
#define SERVFAIL(name, type) \
	{ \
		name, type, DNS_FAILED, NULL, false, 0 \
	}
#define END \
	{ \
		NULL, DNS_A, DNS_OK, NULL, false, 0 \
	}
#define EVERY_FAMILY_NODATA(n) NODATA(n, DNS_A), NODATA(n, DNS_AAAA)

static const struct row world[] = {
	MX("a.example", "20 m2.example 10 m1.example 30 m3.example"),
	A("m1.example", "192.0.2.1"),
	A("m2.example", "192.0.2.2 192.0.2.22"),
	AAAA("m2.example", "2001:db8::2 2001:db8::22 2001:db8::222"),
	A("m3.example", "192.0.2.3"),
	NODATA("implicit.example", DNS_MX),
	A("implicit.example", "192.0.2.9"),
	NODATA("bare.example", DNS_MX),
	EVERY_FAMILY_NODATA("bare.example"),
	MX("null.example", "0 ."),
	MX("nullish.example", "0 . 10 m1.example"),
	MX("onlynullish.example", "0 . 10 ."),
	SERVFAIL("broken.example", DNS_MX),
	MX("halfbroken.example", "10 bad.example 20 m1.example"),
	SERVFAIL("bad.example", DNS_A),
	SERVFAIL("bad.example", DNS_AAAA),
	MX("allbroken.example", "10 bad.example 20 gone.example"),
	MX("gonehosts.example", "10 gone.example 20 gone2.example"),
	MX("nodatahosts.example", "10 gone.example 20 bare.example"),
	MX("address.example", "10 192.0.2.1 20 m1.example"),
	MX("onlyaddress.example", "10 192.0.2.1"),
	MX("private.example", "10 inside.example"),
	A("inside.example",
	    "10.1.2.3 127.0.0.1 169.254.169.254 0.0.0.0 224.0.0.1 192.168.0.1 172.31.0.1 "
	    "255.255.255.255"),
	AAAA("inside.example",
	    "::1 :: fe80::1 fd00::1 ff02::1 ::ffff:127.0.0.1 ::127.0.0.1 ::ffff:10.0.0.1"),
	MX("mixed.example", "10 mixedhost.example"),
	A("mixedhost.example", "10.1.2.3 192.0.2.5 172.32.0.1"),
	MX("self.example", "10 m1.example 20 m2.example 20 RELAY.example 30 m3.example"),
	MX("onlyself.example", "10 relay.example 20 m1.example"),
	MX("twice.example", "10 m1.example 20 m1.example 30 m3.example"),
	END,
};

static void
test_order_and_addresses(void **state)
{
	(void)state;
	check(world, "a.example", MX_OK,
	    "m1.example=192.0.2.1 "
	    "m2.example=2001:db8::2,192.0.2.2,2001:db8::22,192.0.2.22,2001:db8::222 "
	    "m3.example=192.0.2.3");
	check(world, "A.Example", MX_OK,
	    "m1.example=192.0.2.1 "
	    "m2.example=2001:db8::2,192.0.2.2,2001:db8::22,192.0.2.22,2001:db8::222 "
	    "m3.example=192.0.2.3");
	check(world, "twice.example", MX_OK, "m1.example=192.0.2.1 m3.example=192.0.2.3");
}

static void
test_implicit_mx(void **state)
{
	(void)state;
	check(world, "implicit.example", MX_OK, "implicit.example=192.0.2.9");
	check(world, "bare.example", MX_NO_HOST, "");
}

static void
test_null_mx(void **state)
{
	(void)state;
	check(world, "null.example", MX_NULL, "");
	check(world, "nullish.example", MX_OK, "m1.example=192.0.2.1");
	check(world, "onlynullish.example", MX_NO_HOST, "");
}

static void
test_failures(void **state)
{
	(void)state;
	check(world, "nowhere.example", MX_NO_DOMAIN, "");
	check(world, "broken.example", MX_FAILED, "");
	check(world, "halfbroken.example", MX_OK, "m1.example=192.0.2.1");
	check(world, "allbroken.example", MX_FAILED, "");
	check(world, "gonehosts.example", MX_NO_HOST, "");
	check(world, "nodatahosts.example", MX_FAILED, "");
}

static void
test_targets_that_are_no_host_names(void **state)
{
	(void)state;
	check(world, "address.example", MX_OK, "m1.example=192.0.2.1");
	check(world, "onlyaddress.example", MX_NO_HOST, "");
}

static void
test_names_that_are_no_domains(void **state)
{
	static const char *const names[] = { "", ".", "a..b", ".a", "a.", "a b", "a\nb",
		"192.0.2.1", "a;b", "\xff", "[192.0.2]", "[", "[]", "[IPv6:x]" };
	char longname[400];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		check(world, names[i], MX_NO_DOMAIN, "");
	memset(longname, 'a', sizeof longname);
	for (size_t i = 50; i < sizeof longname; i += 50)
		longname[i] = '.';
	longname[sizeof longname - 1] = '\0';
	check(world, longname, MX_NO_DOMAIN, "");
	longname[254] = '\0';
	check(world, longname, MX_NO_DOMAIN, "");
}

static void
test_private_addresses(void **state)
{
	struct mx_options allowed = plain;

	(void)state;
	allowed.allow_private = true;
	check(world, "private.example", MX_NO_HOST, "");
	check(world, "mixed.example", MX_OK, "mixedhost.example=192.0.2.5,172.32.0.1");
	check_with(world, "private.example", false, &allowed, MX_OK,
	    "inside.example=::1,10.1.2.3,::,127.0.0.1,fe80::1,169.254.169.254,fd00::1,0.0.0.0");
}

static void
test_ourselves(void **state)
{
	(void)state;
	check(world, "self.example", MX_OK, "m1.example=192.0.2.1");
	check(world, "onlyself.example", MX_LOOP, "");
}

static void
test_literals_and_smarthosts(void **state)
{
	struct mx_options allowed = plain;

	(void)state;
	allowed.allow_private = true;
	check(world, "[192.0.2.7]", MX_OK, "[192.0.2.7]=192.0.2.7");
	check(world, "[IPv6:2001:db8::7]", MX_OK, "[ipv6:2001:db8::7]=2001:db8::7");
	check(world, "[127.0.0.1]", MX_NO_HOST, "");
	check_with(world, "[127.0.0.1]", false, &allowed, MX_OK, "[127.0.0.1]=127.0.0.1");
	check_with(world, "192.0.2.7", true, &plain, MX_OK, "192.0.2.7=192.0.2.7");
	check_with(world, "::1", true, &allowed, MX_OK, "::1=::1");
	check_with(world, "m1.example", true, &plain, MX_OK, "m1.example=192.0.2.1");
	check_with(world, "gone.example", true, &plain, MX_NO_DOMAIN, "");
	check_with(world, "bare.example", true, &plain, MX_NO_HOST, "");
	check_with(world, "bad.example", true, &plain, MX_FAILED, "");
}

static void
test_families_and_port(void **state)
{
	struct mx_options four = plain, six = plain;
	struct mx_result *result;

	(void)state;
	four.ipv6 = false;
	four.port = 2525;
	six.ipv4 = false;
	check_with(world, "m2.example", true, &four, MX_OK, "m2.example=192.0.2.2,192.0.2.22");
	check_with(world, "m2.example", true, &six, MX_OK,
	    "m2.example=2001:db8::2,2001:db8::22,2001:db8::222");
	result = ask(world, "m1.example", true, &four);
	assert_int_equal(
	    ntohs(((const struct sockaddr_in *)&result->hosts[0].addresses[0].addr)->sin_port),
	    2525);
	mx_result_unref(result);
}

static void
test_equals_come_in_any_order(void **state)
{
	static const struct row rows[] = {
		MX("e.example", "10 m1.example 10 m2.example"),
		A("m1.example", "192.0.2.1"),
		A("m2.example", "192.0.2.2"),
		END,
	};
	size_t first = 0;

	(void)state;
	for (int i = 0; i < 200; i++) {
		struct mx_result *result = ask(rows, "e.example", false, &plain);

		first += strcmp(result->hosts[0].name, "m1.example") == 0;
		mx_result_unref(result);
	}
	assert_in_range(first, 50, 150); /* off by chance once in 10^12 */
}

static void
test_many_records_are_bounded(void **state)
{
	char list[4000] = "", addresses[1000] = "";
	struct row rows[] = { MX("many.example", list), A("m1.example", addresses), END };
	struct mx_result *result;
	size_t len = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		len += (size_t)snprintf(
		    list + len, sizeof list - len, "%s%d h%d.example", i > 0 ? " " : "", i, i);
	len = 0;
	for (int i = 0; i < 30; i++)
		len += (size_t)snprintf(
		    addresses + len, sizeof addresses - len, "%s192.0.2.%d", i > 0 ? " " : "", i);
	result = ask(rows, "many.example", false, &plain);
	assert_int_equal(result->status, MX_NO_HOST);
	mx_result_unref(result);
	result = ask(rows, "m1.example", true, &plain);
	assert_int_equal(result->hosts[0].address_count, MX_ADDRESSES_MAX);
	mx_result_unref(result);
}

static void
test_secure_needs_every_step(void **state)
{
	static const struct row rows[] = {
		{ "s.example", DNS_MX, DNS_OK, "10 s1.example 20 s2.example", true, 7200 },
		{ "s1.example", DNS_A, DNS_OK, "192.0.2.1", true, 7200 },
		{ "s2.example", DNS_A, DNS_OK, "192.0.2.2", false, 10 },
		END,
	};
	struct mx_result *result = ask(rows, "s.example", false, &plain);

	(void)state;
	assert_true(result->hosts[0].secure);
	assert_false(result->hosts[1].secure);
	assert_in_range(result->expires_ms - clock_mono_ms(), 1, 10000); /* the smallest TTL */
	mx_result_unref(result);
}

/* At each moment of a lookup: no callback, nothing left behind. */
static void
test_cancel_at_each_moment(void **state)
{
	(void)state;
	for (int steps = 0; steps < 5; steps++) {
		struct got got = { NULL, 0 };
		struct mx_query *query;
		struct fake fake;

		fake_init(&fake, world);
		query = mx_lookup(
		    &fake.resolver, fake.loop, "a.example", false, &plain, on_hosts, &got);
		for (int i = 0; i < steps; i++)
			(void)loop_step(fake.loop);
		if (got.calls == 0)
			mx_cancel(query);
		else
			assert_true(steps >= 3);
		loop_free(fake.loop);
		assert_int_equal(got.calls, steps >= 3);
		assert_int_equal(fake.under_way, 0);
		mx_result_unref(got.result);
	}
}

static void
test_lookups_that_cannot_start(void **state)
{
	(void)state;
	for (size_t from = 1; from < 8; from++) {
		struct got got = { NULL, 0 };
		struct fake fake;

		fake_init(&fake, world);
		fake.refuse_from = from;
		assert_non_null(mx_lookup(
		    &fake.resolver, fake.loop, "a.example", false, &plain, on_hosts, &got));
		loop_free(fake.loop);
		assert_int_equal(got.calls, 1);
		assert_true(got.result->status == (from <= 3 ? MX_FAILED : MX_OK));
		mx_result_unref(got.result);
	}
}

/* --- the cache ----------------------------------------------------------------------------------- */

static int64_t now_us = 1000000;

static int64_t
test_now_us(void)
{
	return now_us;
}

static void
run_all(struct fake *fake)
{
	while (loop_step(fake->loop) > 0)
		continue;
}

static void
test_cache_asks_once(void **state)
{
	struct got one = { NULL, 0 }, two = { NULL, 0 };
	struct mx_cache *cache;
	struct fake fake;

	(void)state;
	fake_init(&fake, world);
	cache = mx_cache_new(&fake.resolver, fake.loop, &plain, 10);
	assert_non_null(
	    mx_cache_lookup(cache, "implicit.example", false, 25, false, on_hosts, &one));
	assert_non_null(
	    mx_cache_lookup(cache, "IMPLICIT.example", false, 25, false, on_hosts, &two));
	run_all(&fake);
	assert_int_equal(fake.asked, 3);
	assert_int_equal(one.calls, 1);
	assert_int_equal(two.calls, 1);
	assert_ptr_equal(one.result, two.result);
	assert_non_null(
	    mx_cache_lookup(cache, "implicit.example", false, 25, false, on_hosts, &one));
	assert_int_equal(one.calls, 1); /* later, though it is known */
	run_all(&fake);
	assert_int_equal(one.calls, 2);
	assert_int_equal(fake.asked, 3);
	/* another port is another answer */
	(void)mx_cache_lookup(cache, "implicit.example", false, 26, false, on_hosts, &one);
	run_all(&fake);
	assert_int_equal(fake.asked, 6);
	/* and so it is when the TTL is over */
	now_us += 61 * INT64_C(1000000);
	(void)mx_cache_lookup(cache, "implicit.example", false, 25, false, on_hosts, &one);
	run_all(&fake);
	assert_int_equal(fake.asked, 9);
	assert_int_equal(one.calls, 4);
	mx_result_unref(one.result);
	mx_result_unref(two.result);
	mx_cache_free(cache);
	loop_free(fake.loop);
}

static void
test_cache_remembers_failures_shortly(void **state)
{
	struct got got = { NULL, 0 };
	struct mx_cache *cache;
	struct fake fake;

	(void)state;
	fake_init(&fake, world);
	cache = mx_cache_new(&fake.resolver, fake.loop, &plain, 10);
	for (int i = 0; i < 3; i++) {
		(void)mx_cache_lookup(cache, "broken.example", false, 25, false, on_hosts, &got);
		run_all(&fake);
	}
	assert_int_equal(fake.asked, 1);
	now_us += 31 * INT64_C(1000000);
	(void)mx_cache_lookup(cache, "broken.example", false, 25, false, on_hosts, &got);
	run_all(&fake);
	assert_int_equal(fake.asked, 2);
	assert_int_equal(got.calls, 4);
	mx_result_unref(got.result);
	mx_cache_free(cache);
	loop_free(fake.loop);
}

static void
test_cache_is_bounded(void **state)
{
	struct got got = { NULL, 0 };
	struct mx_cache *cache;
	struct fake fake;
	size_t asked;

	(void)state;
	fake_init(&fake, world);
	cache = mx_cache_new(&fake.resolver, fake.loop, &plain, 3);
	for (int i = 0; i < 50; i++) {
		char name[32];

		(void)snprintf(name, sizeof name, "n%d.example", i);
		(void)mx_cache_lookup(cache, name, false, 25, false, on_hosts, &got);
		if (i % 7 == 0)
			run_all(&fake);
	}
	run_all(&fake);
	assert_int_equal(got.calls, 50);
	asked = fake.asked;
	(void)mx_cache_lookup(cache, "n49.example", false, 25, false, on_hosts, &got);
	(void)mx_cache_lookup(cache, "n0.example", false, 25, false, on_hosts, &got);
	run_all(&fake);
	assert_int_equal(fake.asked, asked + 1);
	mx_result_unref(got.result);
	mx_cache_free(cache);
	loop_free(fake.loop);
}

static void
test_cache_cancel_and_free_at_each_moment(void **state)
{
	(void)state;
	for (int steps = 0; steps < 5; steps++)
		for (int cancel = 0; cancel < 2; cancel++) {
			struct got one = { NULL, 0 }, two = { NULL, 0 };
			struct mx_cache *cache;
			struct mx_wait *wait;
			struct fake fake;

			fake_init(&fake, world);
			cache = mx_cache_new(&fake.resolver, fake.loop, &plain, 3);
			wait = mx_cache_lookup(
			    cache, "implicit.example", false, 25, false, on_hosts, &one);
			(void)mx_cache_lookup(
			    cache, "implicit.example", false, 25, false, on_hosts, &two);
			for (int i = 0; i < steps; i++)
				(void)loop_step(fake.loop);
			if (cancel && one.calls == 0) {
				mx_cache_cancel(cache, wait);
				run_all(&fake);
				assert_int_equal(one.calls, 0);
				assert_int_equal(two.calls, 1);
			}
			mx_cache_free(cache);
			loop_free(fake.loop);
			assert_int_equal(fake.under_way, 0);
			mx_result_unref(one.result);
			mx_result_unref(two.result);
		}
}

int
main(void)
{
	static const struct clock_source source = { test_now_us, test_now_us };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_addresses),
		cmocka_unit_test(test_implicit_mx),
		cmocka_unit_test(test_null_mx),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_targets_that_are_no_host_names),
		cmocka_unit_test(test_names_that_are_no_domains),
		cmocka_unit_test(test_private_addresses),
		cmocka_unit_test(test_ourselves),
		cmocka_unit_test(test_literals_and_smarthosts),
		cmocka_unit_test(test_families_and_port),
		cmocka_unit_test(test_equals_come_in_any_order),
		cmocka_unit_test(test_many_records_are_bounded),
		cmocka_unit_test(test_secure_needs_every_step),
		cmocka_unit_test(test_cancel_at_each_moment),
		cmocka_unit_test(test_lookups_that_cannot_start),
		cmocka_unit_test(test_cache_asks_once),
		cmocka_unit_test(test_cache_remembers_failures_shortly),
		cmocka_unit_test(test_cache_is_bounded),
		cmocka_unit_test(test_cache_cancel_and_free_at_each_moment),
	};

	clock_use(&source);
	return cmocka_run_group_tests_name("dns/mx", tests, NULL, NULL);
}
