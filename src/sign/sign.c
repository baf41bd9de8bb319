/* sign/sign.c - DKIM signatures. The home of libopendkim.
 * In:   a key, the final bytes of a message.   Out: one DKIM-Signature field.
 * Always true: the library is fed only the fields that are to be signed, well-formed and in message order, so
 * that its lists of names (regular expressions behind a lock, a stack overflow) stay unset; a failure leaves
 * nothing behind and never a signature.
 *
 * Thread rules of libopendkim: a message handle belongs to one thread. A library handle may be shared, but time
 * and oversigned names are options of that handle, so each thread has its own, closed when the thread ends. */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/types.h>

#include <openssl/err.h>
#include <opendkim/dkim.h>

#include "sign/internal.h"
#include "sign/self_test.h"
#include "util/log.h"

/* Looks like a key in PEM to the library, whose reader then gives the cached one: no copy of the secret. */
static const char placeholder[] = "-----BEGIN PRIVATE KEY-----\n";

struct signer {
	DKIM_LIB *lib;
	bool names_set;
	uint32_t cut; /* what the oversigned names were set for */
};

static pthread_key_t signer_key;
static bool signer_key_made;
static atomic_bool cache_works;

static void
signer_free(void *arg)
{
	struct signer *signer = arg;

	if (signer == NULL)
		return;
	if (signer->lib != NULL)
		dkim_close(signer->lib);
	free(signer);
}

static struct signer *
signer_of_thread(void)
{
	struct signer *signer = pthread_getspecific(signer_key);

	if (signer != NULL)
		return signer;
	signer = calloc(1, sizeof *signer);
	if (signer == NULL)
		return NULL;
	signer->lib = dkim_init(NULL, NULL);
	if (signer->lib == NULL || pthread_setspecific(signer_key, signer) != 0) {
		signer_free(signer);
		return NULL;
	}
	return signer;
}

static bool
signer_set_up(struct signer *signer, uint32_t cut, int64_t now_s)
{
	uint64_t now = (uint64_t)now_s;
	const char *names[SELECT_NAMES_MAX];

	if (dkim_options(signer->lib, DKIM_OP_SETOPT, DKIM_OPTS_FIXEDTIME, &now, sizeof now) !=
	    DKIM_STAT_OK)
		return false;
	if (signer->names_set && signer->cut == cut)
		return true;
	select_oversigned(cut, names);
	signer->cut = cut;
	signer->names_set = dkim_options(signer->lib, DKIM_OP_SETOPT, DKIM_OPTS_OVERSIGNHDRS, names,
				sizeof(char **)) == DKIM_STAT_OK;
	return signer->names_set;
}

static enum rc
library_failed(DKIM *dkim, const char *what, DKIM_STAT status, struct why *why)
{
	const char *text = dkim != NULL ? dkim_geterror(dkim) : NULL;

	return why_set(why, RC_LATER, 0, "DKIM: %s: %s", what,
	    text != NULL ? text : dkim_getresultstr(status));
}

/* The library wants a NUL behind the field and no CR LF at its end. */
static enum rc
feed_header(DKIM *dkim, const struct sign_selection *selection, struct why *why)
{
	struct buf field = BUF_EMPTY;
	DKIM_STAT status = DKIM_STAT_OK;

	for (size_t i = 0; i < selection->count && status == DKIM_STAT_OK; i++) {
		struct span text = selection->fields[i].text;

		buf_clear(&field);
		buf_add_span(&field, text);
		buf_add_char(&field, '\0');
		status = field.failed ? DKIM_STAT_NORESOURCE
				      : dkim_header(dkim, (u_char *)field.mem, text.len);
	}
	buf_free(&field);
	if (status == DKIM_STAT_OK)
		status = dkim_eoh(dkim);
	return status == DKIM_STAT_OK ? RC_OK : library_failed(dkim, "header", status, why);
}

/* A lone CR or LF, or a missing end of line at the end: the library hashes something else than verifiers do,
 * and says nothing. `last` is the byte before the piece. */
static bool
line_ends_are_right(struct span piece, char last)
{
	size_t at = 0;

	if (last == '\r' && piece.p[0] != '\n')
		return false;
	if (last == '\r')
		at = 1;
	while (at < piece.len) {
		struct span rest = span_skip(piece, at);
		size_t cr = span_find(rest, '\r');

		if (span_find(span_first(rest, cr), '\n') < cr)
			return false;
		if (cr + 1 < rest.len && rest.p[cr + 1] != '\n')
			return false;
		at += cr + 2;
	}
	return true;
}

static enum rc
feed_body(DKIM *dkim, const struct sign_body *body, struct why *why)
{
	char last = '\n';

	for (;;) {
		struct span piece = SPAN_EMPTY;
		enum rc rc = body->next(body->arg, &piece, why);
		DKIM_STAT status;

		if (rc != RC_OK)
			return rc;
		if (piece.len == 0)
			break;
		if (!line_ends_are_right(piece, last))
			return why_set(why, RC_BAD, 554, "Bare CR or LF in message body");
		last = piece.p[piece.len - 1];
		status = dkim_body(dkim, (u_char *)(uintptr_t)piece.p, piece.len);
		if (status != DKIM_STAT_OK)
			return library_failed(dkim, "body", status, why);
	}
	if (last != '\n')
		return why_set(why, RC_BAD, 554, "Message body does not end in CR LF");
	return RC_OK;
}

/* The library folds with LF or CR LF, by version: CR LF in any case. */
static void
add_folded(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '\r')
			continue;
		if (text.p[i] == '\n')
			buf_add_char(out, '\r');
		buf_add_char(out, text.p[i]);
	}
}

static enum rc
take_signature(DKIM *dkim, struct sign_key *key, struct buf *out, struct why *why)
{
	u_char *text = NULL;
	size_t len = 0;
	DKIM_STAT status;

	key_cache_use(atomic_load(&cache_works) ? key_pkey(key) : NULL);
	status = dkim_eom(dkim, NULL);
	key_cache_use(NULL);
	if (status != DKIM_STAT_OK)
		return library_failed(dkim, "signature", status, why);
	status = dkim_getsighdr_d(dkim, strlen(DKIM_SIGNHEADER ": "), &text, &len);
	if (status != DKIM_STAT_OK || len == 0)
		return library_failed(dkim, "signature field", status, why);
	buf_addf(out, DKIM_SIGNHEADER ": ");
	add_folded(out, span_make((const char *)text, len));
	buf_addf(out, "\r\n");
	return out->failed ? why_set(why, RC_LATER, 0, "DKIM: out of memory") : RC_OK;
}

static enum rc
sign_selection(struct signer *signer, struct sign_key *key, const struct sign_selection *selection,
    const struct sign_body *body, struct buf *out, struct why *why)
{
	const char *text = atomic_load(&cache_works) ? placeholder : key_pem(key);
	DKIM_STAT status;
	enum rc rc;
	DKIM *dkim;

	dkim = dkim_sign(signer->lib, (const u_char *)"-", NULL, (dkim_sigkey_t)(uintptr_t)text,
	    (const u_char *)sign_key_selector(key), (const u_char *)sign_key_domain(key),
	    DKIM_CANON_RELAXED, DKIM_CANON_SIMPLE, DKIM_SIGN_RSASHA256, -1, &status);
	if (dkim == NULL)
		return library_failed(NULL, "start", status, why);
	rc = feed_header(dkim, selection, why);
	if (rc == RC_OK)
		rc = feed_body(dkim, body, why);
	if (rc == RC_OK)
		rc = take_signature(dkim, key, out, why);
	(void)dkim_free(dkim);
	return rc;
}

enum rc
sign_message(struct sign_key *key, const struct span *header, size_t header_count,
    const struct sign_body *body, int64_t now_s, bool skip_feedback_id, struct buf *out,
    struct why *why)
{
	struct signer *signer = signer_of_thread();
	struct sign_selection selection;
	enum rc rc;

	if (signer == NULL)
		return why_set(why, RC_LATER, 0, "DKIM: the library cannot be started");
	rc = select_fields(header, header_count, skip_feedback_id, &selection, why);
	if (rc != RC_OK)
		return rc;
	if (signer_set_up(signer, selection.cut, now_s))
		rc = sign_selection(signer, key, &selection, body, out, why);
	else
		rc = why_set(why, RC_LATER, 0, "DKIM: the library refuses its options");
	select_free(&selection);
	ERR_clear_error(); /* TLS work on this thread would take what is left there for its own */
	return rc;
}

/* Signs with the cache on (the only time that is tried before it is known to work). */
static enum rc
check_cache(struct why *why)
{
	unsigned long before = key_cache_hits();
	bool works;

	atomic_store(&cache_works, true);
	works = self_test(NULL) == RC_OK && key_cache_hits() == before + 1;
	atomic_store(&cache_works, works);
	if (works)
		return RC_OK;
	log_line(LOG_LEVEL_WARNING, "sign",
	    "event=key_cache_off reason=\"libopendkim does not call our PEM reader\" "
	    "effect=\"signing is slow\"");
	return self_test(why);
}

enum rc
sign_init(struct why *why)
{
	enum rc rc;

	if (pthread_key_create(&signer_key, signer_free) != 0)
		return why_set(why, RC_LATER, 0, "DKIM: no thread-local storage");
	signer_key_made = true;
	rc = check_cache(why);
	if (rc != RC_OK)
		sign_done();
	return rc;
}

void
sign_done(void)
{
	if (!signer_key_made)
		return;
	signer_free(pthread_getspecific(signer_key));
	(void)pthread_key_delete(signer_key);
	signer_key_made = false;
}
