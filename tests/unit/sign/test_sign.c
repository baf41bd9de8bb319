/* Unit tests of sign/: keys, the key cache, threads, refusals. What verifiers say is tested by verify.sh. */
#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "unit/test.h"
#include "sign/internal.h"
#include "sign/sign.h"

static char *
to_pem(EVP_PKEY *pkey)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *copy;
	long len;

	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
	len = BIO_get_mem_data(bio, &data);
	copy = span_dup(span_make(data, (size_t)len));
	BIO_free(bio);
	EVP_PKEY_free(pkey);
	return copy;
}

static char *good_pem;

static struct sign_key *
good_key(void)
{
	struct sign_key *key;

	assert_rc(sign_key_parse(span_of(good_pem), "example.com", "sel", &key, NULL), RC_OK);
	return key;
}

struct pieces {
	const char *const *next;
};

static enum rc
next_piece(void *arg, struct span *piece, struct why *why)
{
	struct pieces *pieces = arg;

	(void)why;
	*piece = *pieces->next != NULL ? span_of(*pieces->next++) : SPAN_EMPTY;
	return RC_OK;
}

static enum rc
sign_text(struct sign_key *key, const char *header, const char *const body_pieces[],
    struct buf *out, struct why *why)
{
	struct span span = span_of(header);
	struct pieces pieces = { body_pieces };
	struct sign_body body = { next_piece, &pieces };

	return sign_message(key, &span, 1, &body, 1700000000, true, out, why);
}

static const char *const hello[] = { "hello\r\n", NULL };

static void
test_cached_key_is_used(void **state)
{
	struct sign_key *key = good_key();
	unsigned long before = key_cache_hits();
	struct buf out = BUF_EMPTY;

	(void)state;
	assert_rc(sign_text(key, "From: a@example.com\r\n", hello, &out, NULL), RC_OK);
	assert_int_equal(key_cache_hits(), before + 1);
	assert_true(span_starts(buf_span(&out), SPAN_LIT("DKIM-Signature: v=1; a=rsa-sha256;")));
	assert_true(span_iends(buf_span(&out), SPAN_LIT("\r\n")));
	buf_free(&out);
	sign_key_unref(key);
}

/* Others in the process read their own keys through the same symbol. */
static void
test_reader_still_reads(void **state)
{
	BIO *bio = BIO_new_mem_buf(good_pem, -1);
	EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	(void)state;
	assert_non_null(pkey);
	assert_int_equal(EVP_PKEY_get_bits(pkey), 1024);
	EVP_PKEY_free(pkey);
	BIO_free(bio);
}

/* Same message, same time, same key: the same bytes, however the message is cut. */
static void
test_pieces_make_no_difference(void **state)
{
	static const char *const whole[] = { "a\r\n\r\nb\r\n\r\n\r\n", NULL };
	static const char *const odd[] = { "a\r", "\n", "\r", "\nb", "\r\n\r", "\n\r\n", NULL };
	const struct span header[] = { SPAN_LIT("From: a@example.com\r\nTo: b\r\n"),
		SPAN_LIT("Subject: c\r\n d\r\n") };
	struct sign_key *key = good_key();
	struct buf one = BUF_EMPTY, two = BUF_EMPTY;
	struct pieces pieces = { odd };
	struct sign_body body = { next_piece, &pieces };

	(void)state;
	assert_rc(sign_text(key, "From: a@example.com\r\nTo: b\r\nSubject: c\r\n d\r\n", whole,
		      &one, NULL),
	    RC_OK);
	assert_rc(sign_message(key, header, 2, &body, 1700000000, true, &two, NULL), RC_OK);
	assert_int_equal(buf_len(&one), buf_len(&two));
	assert_memory_equal(buf_span(&one).p, buf_span(&two).p, buf_len(&one));
	buf_free(&one);
	buf_free(&two);
	sign_key_unref(key);
}

static void
test_refusals_leave_no_signature(void **state)
{
	static const char *const headers[] = { "", "To: a\r\n", "From: a\vb\r\n", "From: a\fb\r\n",
		"From: a\r\n\r\n", "From: a", "From: a\n", "From: a\rb\r\n",
		"From: a\r\n\r\n b\r\n", "From\r\n" };
	static const char *const bodies[][3] = { { "a", NULL }, { "a\r", NULL }, { "a\n", NULL },
		{ "a\nb\r\n", NULL }, { "a\r", "b\r\n", NULL }, { "\ra\r\n", NULL } };
	struct sign_key *key = good_key();
	struct buf out = BUF_EMPTY;
	struct why why = WHY_EMPTY;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		assert_rc(sign_text(key, headers[i], hello, &out, &why), RC_BAD);
		assert_int_equal(buf_len(&out), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		assert_rc(sign_text(key, "From: a\r\n", bodies[i], &out, &why), RC_BAD);
		assert_int_equal(buf_len(&out), 0);
	}
	buf_free(&out);
	sign_key_unref(key);
}

static enum rc
broken_piece(void *arg, struct span *piece, struct why *why)
{
	(void)arg;
	(void)piece;
	return why_set(why, RC_LATER, 0, "disk");
}

static void
test_reader_errors_come_through(void **state)
{
	struct span header = SPAN_LIT("From: a@example.com\r\n");
	struct sign_body body = { broken_piece, NULL };
	struct sign_key *key = good_key();
	struct buf out = BUF_EMPTY;
	struct why why = WHY_EMPTY;

	(void)state;
	assert_rc(sign_message(key, &header, 1, &body, 1, true, &out, &why), RC_LATER);
	assert_string_equal(why.text, "disk");
	assert_int_equal(buf_len(&out), 0);
	sign_key_unref(key);
}

static void
check_key(const char *pem, const char *domain, const char *selector, enum rc want)
{
	struct sign_key *key = NULL;
	struct why why = WHY_EMPTY;

	assert_rc(sign_key_parse(span_of(pem), domain, selector, &key, &why), want);
	assert_true((key != NULL) == (want == RC_OK));
	assert_true((why.text[0] != '\0') == (want != RC_OK));
	sign_key_unref(key);
}

static void
test_keys_are_checked(void **state)
{
	static const char *const bad_names[] = { "", ".", "a..b", "a.", "-a", "a-", "a b", "a;b",
		"a\nb", "a=b", "\xc3\xbc" };
	char *ec = to_pem(EVP_EC_gen("P-256")), *small = to_pem(EVP_RSA_gen(512));
	char label[65];

	(void)state;
	check_key(good_pem, "example.com", "sel", RC_OK);
	check_key(good_pem, "EXAMPLE.com", "a.b-c_d", RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(bad_names); i++) {
		check_key(good_pem, bad_names[i], "sel", RC_BAD);
		check_key(good_pem, "example.com", bad_names[i], RC_BAD);
	}
	memset(label, 'a', 64);
	label[64] = '\0';
	check_key(good_pem, "example.com", label, RC_BAD);
	check_key(good_pem, "example.com", label + 1, RC_OK);
	check_key("", "example.com", "sel", RC_BAD);
	check_key("-----BEGIN PRIVATE KEY-----\n", "example.com", "sel", RC_BAD);
	check_key(ec, "example.com", "sel", RC_BAD);
	check_key(small, "example.com", "sel", RC_BAD);
	free(ec);
	free(small);
}

static void
test_locked_key_is_refused_without_asking(void **state)
{
	EVP_PKEY *pkey = EVP_RSA_gen(1024);
	BIO *bio = BIO_new(BIO_s_mem());
	char *data;
	long len;
	char *text;

	(void)state;
	assert_int_equal(
	    PEM_write_bio_PKCS8PrivateKey(bio, pkey, EVP_aes_128_cbc(), "pass", 4, NULL, NULL), 1);
	len = BIO_get_mem_data(bio, &data);
	text = span_dup(span_make(data, (size_t)len));
	check_key(text, "example.com", "sel", RC_BAD);
	free(text);
	BIO_free(bio);
	EVP_PKEY_free(pkey);
}

static void
test_key_files(void **state)
{
	char path[] = "/tmp/test_sign.XXXXXX";
	int fd = mkstemp(path);
	struct sign_key *key = NULL;
	struct why why = WHY_EMPTY;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, good_pem, strlen(good_pem)), (ssize_t)strlen(good_pem));
	assert_int_equal(fchmod(fd, 0600), 0);
	assert_rc(sign_key_load(path, "example.com", "sel", &key, &why), RC_OK);
	assert_string_equal(sign_key_domain(key), "example.com");
	assert_string_equal(sign_key_selector(key), "sel");
	assert_int_equal(sign_key_bits(key), 1024);
	sign_key_unref(sign_key_ref(key));
	sign_key_unref(key);
	assert_int_equal(fchmod(fd, 0644), 0);
	assert_rc(sign_key_load(path, "example.com", "sel", &key, &why), RC_DENY);
	assert_null(key);
	(void)close(fd);
	(void)unlink(path);
	assert_rc(sign_key_load(path, "example.com", "sel", &key, &why), RC_LATER);
}

static void
test_record(void **state)
{
	struct sign_key *key = good_key();
	struct buf out = BUF_EMPTY;

	(void)state;
	assert_rc(sign_key_record(key, &out), RC_OK);
	assert_true(span_starts(buf_span(&out), SPAN_LIT("v=DKIM1; k=rsa; p=MI")));
	buf_free(&out);
	sign_key_unref(key);
}

static size_t
count_selected(const char *header, bool skip_feedback_id, uint32_t *cut)
{
	struct span span = span_of(header);
	struct sign_selection selection;
	size_t count;

	assert_rc(select_fields(&span, 1, skip_feedback_id, &selection, NULL), RC_OK);
	count = selection.count;
	*cut = selection.cut;
	select_free(&selection);
	return count;
}

static void
test_selection(void **state)
{
	const char *text =
	    "X: 1\r\nfrom: a\r\n b\r\nTO : c\r\nDKIM-Signature: \r\nFeedback-ID: d\r\nFromX: e\r\n";
	struct buf many = BUF_EMPTY;
	uint32_t cut;

	(void)state;
	assert_int_equal(count_selected(text, true, &cut), 2);
	assert_int_equal(cut, 0);
	assert_int_equal(count_selected(text, false, &cut), 3);
	buf_addf(&many, "From: a\r\n");
	for (int i = 0; i < 70; i++)
		buf_addf(&many, "To: a\r\n");
	assert_int_equal(count_selected(buf_cstr(&many), false, &cut), 61);
	assert_int_equal(cut, 2);
	buf_free(&many);
}

enum {
	THREADS = 4,
	ROUNDS = 50
};

static void *
sign_many(void *arg)
{
	struct sign_key *const *keys = arg;

	for (int i = 0; i < ROUNDS; i++) {
		struct buf out = BUF_EMPTY;
		enum rc rc;

		/* every other one with a different list of oversigned names */
		rc = sign_text(keys[i % 2], i % 3 != 0 ? "From: a\r\nTo: b\r\n" : "From: a\r\n",
		    hello, &out, NULL);
		if (rc != RC_OK)
			return NULL;
		buf_free(&out);
	}
	return arg;
}

static void
test_threads(void **state)
{
	struct sign_key *keys[2] = { good_key(), good_key() };
	pthread_t threads[THREADS];

	(void)state;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, sign_many, keys), 0);
	for (size_t i = 0; i < THREADS; i++) {
		void *result;

		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_non_null(result);
	}
	sign_key_unref(keys[0]);
	sign_key_unref(keys[1]);
}

static int
set_up(void **state)
{
	struct why why = WHY_EMPTY;

	(void)state;
	good_pem = to_pem(EVP_RSA_gen(1024));
	if (sign_init(&why) == RC_OK)
		return 0;
	print_error("%s\n", why.text);
	return -1;
}

static int
tear_down(void **state)
{
	(void)state;
	sign_done();
	sign_done();
	free(good_pem);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cached_key_is_used),
		cmocka_unit_test(test_reader_still_reads),
		cmocka_unit_test(test_pieces_make_no_difference),
		cmocka_unit_test(test_refusals_leave_no_signature),
		cmocka_unit_test(test_reader_errors_come_through),
		cmocka_unit_test(test_keys_are_checked),
		cmocka_unit_test(test_locked_key_is_refused_without_asking),
		cmocka_unit_test(test_key_files),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_selection),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests_name("sign", tests, set_up, tear_down);
}
