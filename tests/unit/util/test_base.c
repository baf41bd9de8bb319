/* Unit tests of the small base modules: buf, hash, heap, slab, bucket, units, crypto, crc32c, rc, log_safe. */
#include "config.h"

#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "util/bucket.h"
#include "util/buf.h"
#include "util/crc32c.h"
#include "util/crypto.h"
#include "util/hash.h"
#include "util/heap.h"
#include "util/log.h"
#include "util/slab.h"
#include "util/units.h"

static void
test_buf_grows_and_keeps_its_limit(void **state)
{
	struct buf buf;
	char *text;

	(void)state;
	buf_init(&buf, 600);
	for (int i = 0; i < 100; i++)
		buf_addf(&buf, "%05d", i);
	assert_int_equal(buf_len(&buf), 500);
	buf_consume(&buf, 495);
	assert_span(buf_span(&buf), "00099");
	for (int i = 0; i < 119; i++)
		buf_add(&buf, "12345", 5);
	assert_false(buf.failed);
	buf_add_char(&buf, 'x');
	assert_true(buf.failed);
	buf_clear(&buf);
	buf_add_span(&buf, SPAN_LIT("end"));
	text = buf_steal(&buf);
	assert_string_equal(text, "end");
	free(text);
	buf_free(&buf);
}

static void
test_map_survives_many_keys(void **state)
{
	enum {
		COUNT = 5000
	};
	static char keys[COUNT][16];
	struct map map = MAP_EMPTY;
	size_t seen = 0;

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		(void)snprintf(keys[i], sizeof keys[i], "key-%d", i);
		assert_rc(map_put(&map, span_of(keys[i]), keys[i]), RC_OK);
	}
	assert_int_equal(map.len, COUNT);
	assert_true(map.cap <= 16384); /* memory: never less than a quarter is used */
	for (int i = 0; i < COUNT; i += 2)
		assert_ptr_equal(map_del(&map, span_of(keys[i])), keys[i]);
	for (int i = 0; i < COUNT; i++)
		assert_ptr_equal(map_get(&map, span_of(keys[i])), i % 2 == 0 ? NULL : keys[i]);
	for (int round = 0; round < 20; round++) /* deleted slots are used again or cleaned away */
		for (int i = 0; i < COUNT; i += 2) {
			assert_rc(map_put(&map, span_of(keys[i]), keys[i]), RC_OK);
			assert_non_null(map_del(&map, span_of(keys[i])));
		}
	assert_true(map.cap <= 32768);
	MAP_FOREACH (slot, &map)
		seen++;
	assert_int_equal(seen, COUNT / 2);
	map_free(&map);
}

static void
test_heap_orders_and_rekeys(void **state)
{
	enum {
		COUNT = 1000
	};
	static struct heap_node nodes[COUNT];
	struct heap heap = HEAP_EMPTY;
	int64_t last = INT64_MIN;
	unsigned random = 1;

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		random = random * 1103515245 + 12345;
		assert_rc(heap_set(&heap, &nodes[i], (int64_t)(random >> 8)), RC_OK);
	}
	for (int i = 0; i < COUNT; i += 3)
		heap_del(&heap, &nodes[i]);
	for (int i = 1; i < COUNT; i += 3)
		assert_rc(heap_set(&heap, &nodes[i], -nodes[i].key), RC_OK);
	while (heap_first(&heap) != NULL) {
		struct heap_node *first = heap_first(&heap);

		assert_true(first->key >= last);
		last = first->key;
		heap_del(&heap, first);
		assert_false(heap_has(first));
	}
	heap_free(&heap);
}

static void
test_bucket_rate_burst_and_debt(void **state)
{
	struct bucket b;
	int64_t now = 1000000;

	(void)state;
	bucket_init(&b, 1, 3, now);
	for (int i = 0; i < 3; i++)
		assert_true(bucket_take(&b, 1, now));
	assert_false(bucket_take(&b, 1, now));
	assert_in_range(bucket_wait_us(&b, 1, now), 999999, 1000002);
	assert_true(bucket_take(&b, 1, now + 1000001));
	now += 10000000;
	assert_true(bucket_take(&b, 50, now)); /* full: may go into debt */
	assert_false(bucket_take(&b, 1, now + 47000000));
	assert_true(bucket_take(&b, 1, now + 48100000));
}

/* Who can wait takes at once, in debt, and is told how long: one behind the other, each at its turn. */
static void
test_bucket_take_later(void **state)
{
	enum {
		SECOND = 1000000
	};
	struct bucket b;
	int64_t now = 5 * SECOND;

	(void)state;
	bucket_init(&b, 2, 4, now);
	for (int i = 0; i < 4; i++)
		assert_int_equal(bucket_take_later(&b, 1, now, SECOND), 0);
	assert_in_range(bucket_take_later(&b, 1, now, SECOND), SECOND / 2, SECOND / 2 + 1);
	assert_in_range(bucket_take_later(&b, 1, now, 2 * SECOND), SECOND, SECOND + 1);
	/* The third of those that wait would be due in a second and a half. Refused, it takes nothing. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(bucket_take_later(&b, 1, now, 3 * SECOND / 2 - 1), -1);
	assert_in_range(
	    bucket_take_later(&b, 1, now, 2 * SECOND), 3 * SECOND / 2, 3 * SECOND / 2 + 1);
	/* Nobody who does not wait gets past them. */
	assert_false(bucket_take(&b, 1, now + 3 * SECOND / 2));
	assert_true(bucket_take(&b, 1, now + 2 * SECOND + 1));
	/* What is given back is there for the next. */
	now += 2 * SECOND + 1;
	assert_in_range(bucket_wait_us(&b, 2, now), SECOND - 1, SECOND + 1);
	bucket_refund(&b, 1);
	assert_in_range(bucket_wait_us(&b, 2, now), SECOND / 2 - 1, SECOND / 2 + 1);
}

static void
test_bucket_take_later_much(void **state)
{
	enum {
		SECOND = 1000000
	};
	struct bucket b;
	int64_t now = SECOND;

	(void)state;
	/* More than all of the burst waits for a full bucket, and leaves the debt to those behind it. */
	bucket_init(&b, 1, 2, now);
	assert_int_equal(bucket_take_later(&b, 10, now, 0), 0);
	assert_int_equal(bucket_take_later(&b, 1, now, 9 * SECOND - 1), -1);
	assert_in_range(bucket_take_later(&b, 1, now, 10 * SECOND), 9 * SECOND, 9 * SECOND + 1);
	assert_in_range(bucket_take_later(&b, 5, now, 20 * SECOND), 11 * SECOND, 11 * SECOND + 1);
	/* No limit: never a wait, never a debt. */
	bucket_init(&b, 0, 3, now);
	for (int i = 0; i < 10; i++)
		assert_int_equal(bucket_take_later(&b, 1000, now, 0), 0);
	bucket_set(&b, 1, 1, now);
	assert_int_equal(bucket_wait_us(&b, 1, now), 0);
	/* A rate so low that no number of microseconds says how long. */
	bucket_init(&b, 1e-300, 1, now);
	assert_true(bucket_take(&b, 1, now));
	assert_true(bucket_wait_us(&b, 1, now) > INT64_C(1000) * 365 * 86400 * SECOND);
	assert_int_equal(bucket_take_later(&b, 1, now, INT64_C(86400) * SECOND), -1);
}

static void
test_units_round_trip(void **state)
{
	static const char *const good_durations[] = { "0", "14h", "1h30m", "250ms", "1d12h", "5s" };
	static const char *const bad_durations[] = { "", "14", "h", "1m1h", "1h1h", "1 h", "-1s",
		"9999999999999999999d", "1w" };
	static const char *const good_sizes[] = { "0", "512", "64K", "40M", "3T" };
	static const char *const bad_sizes[] = { "", "K", "40MB", "-1", "1.5M", "9999999999T" };
	char text[UNITS_TEXT_MAX];
	int64_t v;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good_durations); i++) {
		assert_rc(units_parse_duration(span_of(good_durations[i]), &v), RC_OK);
		units_format_duration(v, text);
		assert_string_equal(text, good_durations[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad_durations); i++)
		assert_rc(units_parse_duration(span_of(bad_durations[i]), &v), RC_BAD);
	for (size_t i = 0; i < ARRAY_LEN(good_sizes); i++) {
		assert_rc(units_parse_size(span_of(good_sizes[i]), &v), RC_OK);
		units_format_size(v, text);
		assert_string_equal(text, good_sizes[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad_sizes); i++)
		assert_rc(units_parse_size(span_of(bad_sizes[i]), &v), RC_BAD);
}

static void
test_base64_is_strict(void **state)
{
	static const char *const bad[] = { "A", "AA", "AAA", "AA=A",
		"AB==", "AAB=", "A===", "AAAA AAA" };
	unsigned char bytes[64];
	char text[CRYPTO_BASE64_LEN(64)];
	size_t len;

	(void)state;
	for (size_t n = 0; n <= sizeof bytes; n++) {
		unsigned char back[64];

		for (size_t i = 0; i < n; i++)
			bytes[i] = (unsigned char)(i * 37 + n);
		len = crypto_base64(span_make((char *)bytes, n), text);
		assert_int_equal(len, strlen(text));
		assert_rc(crypto_base64_decode(span_of(text), back, sizeof back, &len), RC_OK);
		assert_int_equal(len, n);
		assert_memory_equal(back, bytes, n);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_rc(crypto_base64_decode(span_of(bad[i]), bytes, sizeof bytes, &len), RC_BAD);
	assert_rc(crypto_base64_decode(SPAN_LIT("AAAA"), bytes, 2, &len), RC_BAD);
}

static void
test_hashes_match_published_vectors(void **state)
{
	unsigned char out[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];

	(void)state;
	assert_rc(crypto_sha256(SPAN_LIT("abc"), out), RC_OK);
	crypto_hex(out, sizeof out, hex);
	assert_string_equal(
	    hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_rc(
	    crypto_hmac_sha256(SPAN_LIT("Jefe"), SPAN_LIT("what do ya want for nothing?"), out),
	    RC_OK);
	crypto_hex(out, sizeof out, hex);
	assert_string_equal(
	    hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	assert_int_equal(
	    crc32c(0, "123456789", 9), 0xe3069283); /* RFC 3720 appendix B.4 check value */
	assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
}

static void
test_log_safe_hides_control_bytes(void **state)
{
	char out[16];

	(void)state;
	assert_string_equal(log_safe(SPAN_LIT("a\r\nb"), out, sizeof out), "a\\x0d\\x0ab");
	assert_string_equal(
	    log_safe(SPAN_LIT("0123456789abcdefgh"), out, sizeof out), "0123456789ab...");
}

/* Objects are zeroed, apart from each other, and leave nothing behind. */
static void
test_slab_gives_and_takes(void **state)
{
	enum {
		COUNT = 20000,
		SIZE = 136
	};
	struct slab slab;
	unsigned char **at = calloc(COUNT, sizeof *at);

	(void)state;
	slab_init(&slab, SIZE);
	srandom(3);
	for (size_t n = 0; n < 10 * COUNT; n++) {
		size_t i = (size_t)random() % COUNT;
		unsigned char mark = (unsigned char)(1 + i % 255);

		if (at[i] == NULL) {
			at[i] = slab_get(&slab);
			assert_non_null(at[i]);
			assert_int_equal((uintptr_t)at[i] % 8, 0);
			for (size_t k = 0; k < SIZE; k++)
				assert_int_equal(at[i][k], 0);
			memset(at[i], mark, SIZE);
			continue;
		}
		for (size_t k = 0; k < SIZE; k++)
			assert_int_equal(at[i][k], mark);
		slab_put(&slab, at[i]);
		at[i] = NULL;
	}
	for (size_t i = 0; i < COUNT; i++)
		if (at[i] != NULL)
			slab_put(&slab, at[i]);
	assert_int_equal(slab.objects, 0);
	assert_true(slab.blocks <= 1);
	slab_free(&slab);
	assert_int_equal(slab.blocks, 0);
	free(at);
}

static size_t
from_hex(const char *hex, unsigned char *out)
{
	size_t len = strlen(hex) / 2;

	for (size_t i = 0; i < len; i++) {
		char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

		out[i] = (unsigned char)strtoul(pair, NULL, 16);
	}
	return len;
}

/* Test case 16 of McGrew and Viega, "The Galois/Counter Mode of Operation". */
static void
test_crypto_seal(void **state)
{
	unsigned char key[CRYPTO_KEY_LEN], nonce[CRYPTO_NONCE_LEN], place[32], text[64], want[128],
	    sealed[128], opened[64];
	size_t place_len = from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2", place);
	size_t len = from_hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
			      "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	    text);
	struct span where = span_make((const char *)place, place_len);

	(void)state;
	(void)from_hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", key);
	(void)from_hex("cafebabefacedbaddecaf888", nonce);
	assert_int_equal(from_hex("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
				  "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
				  "76fc6ece0f4e1768cddf8853bb2d551b",
			     want),
	    len + CRYPTO_TAG_LEN);
	assert_rc(
	    crypto_seal(key, nonce, where, span_make((const char *)text, len), sealed), RC_OK);
	assert_memory_equal(sealed, want, len + CRYPTO_TAG_LEN);
	assert_rc(crypto_unseal(key, nonce, where,
		      span_make((const char *)sealed, len + CRYPTO_TAG_LEN), opened),
	    RC_OK);
	assert_memory_equal(opened, text, len);
	sealed[len / 2] ^= 4;
	assert_rc(crypto_unseal(key, nonce, where,
		      span_make((const char *)sealed, len + CRYPTO_TAG_LEN), opened),
	    RC_BAD);
	assert_int_equal(opened[0], 0); /* nothing of what is not proven comes out */
	assert_rc(
	    crypto_unseal(key, nonce, where, span_make((const char *)sealed, 15), opened), RC_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crypto_seal),
		cmocka_unit_test(test_buf_grows_and_keeps_its_limit),
		cmocka_unit_test(test_map_survives_many_keys),
		cmocka_unit_test(test_heap_orders_and_rekeys),
		cmocka_unit_test(test_slab_gives_and_takes),
		cmocka_unit_test(test_bucket_rate_burst_and_debt),
		cmocka_unit_test(test_bucket_take_later),
		cmocka_unit_test(test_bucket_take_later_much),
		cmocka_unit_test(test_units_round_trip),
		cmocka_unit_test(test_base64_is_strict),
		cmocka_unit_test(test_hashes_match_published_vectors),
		cmocka_unit_test(test_log_safe_hides_control_bytes),
	};

	return cmocka_run_group_tests_name("util", tests, NULL, NULL);
}
