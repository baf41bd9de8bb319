/* http/messages.c - a message handed in over the control socket: the same way in as SMTP's, without a login, since
 * whoever may write here could read the credentials, too.
 *
 * The body of the request is the message in CR LF lines; what SMTP's decoder notes about content is noted here. */
#include "config.h"

#include "http/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "mail/address.h"
#include "mail/header.h"
#include "util/fsutil.h"
#include "util/log.h"
#include "wire/command.h"

#define LISTENER "control"

struct intake { /* one submission under way */
	struct worker_job job;
	struct call *call;
	struct spool *spool;
	struct submit *submit;
	struct submission *submission;
	size_t keep; /* bytes of a large body that stay in memory, too */
	enum rc rc;
	struct why why;
};

/* ------------------------------------------------------------------ the content --------------- */

static void
note_fault(struct submission *s, enum dot_fault fault, size_t at)
{
	if (s->fault != DOT_FAULT_NONE)
		return;
	s->fault = fault;
	s->fault_at = at;
}

static void
examine(struct submission *s)
{
	struct span in = buf_span(&s->body);
	size_t line = 0;

	s->size = in.len;
	for (size_t i = 0; i < in.len; i++) {
		char c = in.p[i];

		if (c == '\r' && i + 1 < in.len && in.p[i + 1] == '\n') {
			i++;
			line = 0;
			continue;
		}
		if (c == '\r')
			note_fault(s, DOT_FAULT_BARE_CR, i);
		else if (c == '\n')
			note_fault(s, DOT_FAULT_BARE_LF, i);
		else if (c == '\0')
			note_fault(s, DOT_FAULT_NUL, i);
		else if (((unsigned char)c & 0x80) != 0)
			s->has_8bit = true;
		if (++line > s->longest_line)
			s->longest_line = line;
	}
}

/* The whole body, ended with CR LF as DATA would have it. */
static bool
take_body(struct evhttp_request *req, struct submission *s)
{
	struct evbuffer *input = evhttp_request_get_input_buffer(req);
	size_t len = evbuffer_get_length(input), room;
	char *to = buf_reserve(&s->body, len + 2, &room);

	if (to == NULL || room < len + 2 || evbuffer_remove(input, to, len) != (int)len)
		return false;
	buf_commit(&s->body, len);
	if (len < 2 || memcmp(to + len - 2, "\r\n", 2) != 0)
		buf_addf(&s->body, "\r\n");
	return !s->body.failed;
}

/* ------------------------------------------------------------------ the envelope -------------- */

struct first_mailbox {
	char *address;
	bool seen;
};

static void
take_first(void *arg, const struct mailbox *box)
{
	struct first_mailbox *first = arg;
	struct buf address = BUF_EMPTY;

	if (first->seen)
		return;
	first->seen = true;
	buf_addf(&address, "%.*s@%.*s", SPAN_ARG(box->local), SPAN_ARG(box->domain));
	first->address = buf_steal(&address);
}

/* The address of From, for callers that name no sender. NULL: there is none to be had. */
static char *
sender_of(const struct submission *s)
{
	struct first_mailbox first = { NULL, false };
	const struct header_field *from = NULL;
	struct header header = { 0 };
	struct why ignored = WHY_EMPTY;

	if (header_scan(buf_span(&s->body), &header, &ignored) == RC_OK)
		from = header_find(&header, SPAN_LIT("From"));
	if (from != NULL)
		(void)!address_list_parse(from->value, take_first, &first, &ignored);
	header_free(&header);
	return first.address;
}

/* By the parser of MAIL, so that both doors take the same addresses. */
static bool
set_sender(struct call *call, struct submission *s, const struct account *account)
{
	const char *from = call_query(call, "from");
	struct mail_command mail;
	struct why why = WHY_EMPTY;
	char line[1024];
	size_t len;

	if (from == NULL) {
		s->sender = sender_of(s);
		if (s->sender == NULL)
			call_error(call, 400, "BadRequest",
			    "Without from= the message needs a From field with an address.");
		return s->sender != NULL;
	}
	len = (size_t)snprintf(line, sizeof line, "FROM:<%s>", from);
	if (len >= sizeof line || command_parse_mail(span_make(line, len), &mail, &why) != RC_OK ||
	    !span_eq(mail.from.whole, span_of(from)) ||
	    (from[0] == '\0' && account_settings(account)->profile == PROFILE_SES)) {
		call_error(call, 400, "BadRequest", "from= is no address: %.200s", from);
		return false;
	}
	s->sender = span_dup(mail.from.whole);
	if (s->sender == NULL)
		call_no_memory(call);
	return s->sender != NULL;
}

static bool
add_recipient(struct call *call, struct submission *s, const char *to)
{
	struct rcpt_command rcpt;
	struct why why = WHY_EMPTY;
	char line[1024];
	size_t len = (size_t)snprintf(line, sizeof line, "TO:<%s>", to);

	if (len >= sizeof line || command_parse_rcpt(span_make(line, len), &rcpt, &why) != RC_OK ||
	    !span_eq(rcpt.to.whole, span_of(to))) {
		call_error(call, 400, "BadRequest", "to= is no address: %.200s", to);
		return false;
	}
	if (submission_add_recipient(s, rcpt.to.whole, SPAN_EMPTY, 0) != RC_OK) {
		call_no_memory(call);
		return false;
	}
	return true;
}

static bool
add_recipients(struct call *call, struct submission *s)
{
	struct evkeyval *pair;

	for (pair = call->query.tqh_first; pair != NULL; pair = pair->next.tqe_next)
		if (span_eq(span_of(pair->key), SPAN_LIT("to")) &&
		    !add_recipient(call, s, pair->value))
			return false;
	if (s->recipient_count == 0)
		call_error(call, 400, "BadRequest", "At least one to= is needed.");
	return s->recipient_count > 0;
}

/* ------------------------------------------------------------------ the verdict --------------- */

static int
status_of(const struct submission *s)
{
	if (s->why.code == 552)
		return 413;
	if (s->why.code < 500)
		return 503;
	return s->rc == RC_DENY ? 403 : 400;
}

static void
intake_free(struct intake *intake)
{
	submission_free(intake->submission);
	free(intake);
}

static void
on_submitted(struct submission *s)
{
	struct intake *intake = s->owner;
	struct call *call = intake->call;
	char id[MESSAGE_ID_LEN + 1];

	if (call_release(call)) {
		if (s->rc == RC_OK) {
			message_id_format(&s->id, id);
			call_json(call, 200, json_pack("{s:s}", "message_id", id));
		} else {
			call_json(call, status_of(s),
			    error_json("MessageRejected", s->why.text,
				json_pack("{s:i}", "smtp_code", s->why.code)));
		}
	}
	intake_free(intake);
}

/* ------------------------------------------------------------------ large ones ---------------- */

static void
write_file(struct worker_job *job)
{
	struct intake *intake = container_of(job, struct intake, job);
	struct submission *s = intake->submission;
	struct span body = buf_span(&s->body);

	s->file_fd = spool_large_create(intake->spool, s->file_name, &intake->why);
	intake->rc = s->file_fd < 0 ? RC_LATER
				    : fsutil_write_all(s->file_fd, body.p, body.len, &intake->why);
}

static void
on_file_written(struct worker_job *job)
{
	struct intake *intake = container_of(job, struct intake, job);
	struct submission *s = intake->submission;
	struct call *call = intake->call;
	bool gone = call->control == NULL;

	if (intake->rc == RC_OK && !gone) {
		struct buf head = BUF_EMPTY;

		buf_add_span(&head, span_first(buf_span(&s->body), intake->keep));
		buf_free(&s->body);
		s->body = head;
		if (!head.failed) {
			submit_start(intake->submit, s);
			return;
		}
	}
	if (intake->rc != RC_OK)
		log_line(LOG_LEVEL_ERROR, "control", "large message: %s", intake->why.text);
	if (!gone && s->file_name[0] != '\0')
		spool_large_discard(intake->spool, s->file_name);
	if (call_release(call))
		call_error(call, 503, "ServiceUnavailable", "Insufficient system storage");
	intake_free(intake);
}

/* ------------------------------------------------------------------ in ------------------------ */

/* How much stays in memory of a body that goes to a file: the header has to be whole, or its rest would leave as text. */
static size_t
bytes_to_keep(struct span body, size_t limit)
{
	const char *empty = memmem(body.p, body.len, "\r\n\r\n", 4);
	size_t header = empty != NULL ? (size_t)(empty - body.p) + 4 : body.len;

	return header > limit ? header : limit;
}

/* With the call held: everything after this is an answer in a callback. */
static void
hand_over(struct call *call, struct submission *s, const struct config *config)
{
	const struct control_context *context = call_context(call);
	struct intake *intake = calloc(1, sizeof *intake);

	if (intake == NULL) {
		submission_free(s);
		call_no_memory(call);
		return;
	}
	intake->call = call;
	intake->spool = context->spool;
	intake->submit = context->submit;
	intake->submission = s;
	intake->keep = bytes_to_keep(buf_span(&s->body), (size_t)config->spool.memory_body_bytes);
	s->owner = intake;
	s->done = on_submitted;
	s->too_long = s->size > (uint64_t)config->smtp.max_message_bytes;
	call_hold(call);
	if (s->size <= intake->keep || s->too_long) {
		submit_start(context->submit, s);
		return;
	}
	intake->job.home = context->core;
	intake->job.work = write_file;
	intake->job.done = on_file_written;
	if (worker_submit(context->workers, &intake->job) == RC_OK)
		return;
	call->held--;
	intake_free(intake);
	call_error(call, 503, "ServiceUnavailable", "The daemon is busy.");
}

static bool
fill(struct call *call, struct submission *s, const struct account *account, struct config *config)
{
	char client[64];

	(void)snprintf(client, sizeof client, "local[uid=%ld]", (long)call->peer.uid);
	s->home = call_context(call)->core;
	s->config = config_ref(config);
	s->account = span_dup(span_of(account_name(account)));
	s->credential = span_dup(SPAN_LIT("local"));
	s->listener = span_dup(SPAN_LIT(LISTENER));
	s->client = span_dup(span_of(client));
	if (s->account == NULL || s->credential == NULL || s->listener == NULL ||
	    s->client == NULL || !take_body(call->req, s)) {
		call_no_memory(call);
		return false;
	}
	examine(s);
	return set_sender(call, s, account) && add_recipients(call, s);
}

void
on_submit(struct call *call)
{
	const char *name = call_query(call, "account");
	struct account *account;
	struct control_daemon daemon;
	struct submission *s;

	call_daemon(call, &daemon);
	if (name == NULL) {
		call_error(call, 400, "BadRequest", "account= is missing.");
		return;
	}
	account = account_find(call_context(call)->accounts, name);
	if (account == NULL) {
		call_error(call, 400, "BadRequest", "There is no account \"%.100s\".", name);
		return;
	}
	s = submission_new();
	if (s == NULL)
		call_no_memory(call);
	else if (!fill(call, s, account, daemon.config))
		submission_free(s);
	else
		hand_over(call, s, daemon.config);
}
