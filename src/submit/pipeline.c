/* submit/pipeline.c - takes a submission through its stages and back to its door.
 *
 *	home loop: check_content, content_check_names (a worker, when the content is in a file)
 *	-> core: pace, policy_apply, compose, content_ask (clamd, milters)
 *	-> worker: convert, signature -> core: queue_submit
 *	-> (spool commit) -> core: event -> home loop: done()
 *
 * Always true: done() is called exactly once, on home; on failure what was counted is given back and nothing is
 * kept. */
#include "config.h"

#include "submit/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "event/event.h"
#include "util/clock.h"
#include "util/log.h"

/* ------------------------------------------------------------------ the object ---------------- */

struct submission *
submission_new(void)
{
	struct submission *s = calloc(1, sizeof *s);

	if (s != NULL) {
		s->file_fd = -1;
		s->mechanism = "";
	}
	return s;
}

enum rc
submission_add_recipient(
    struct submission *s, struct span address, struct span orcpt, unsigned notify)
{
	struct submission_recipient *list, *r;

	list = realloc(s->recipients, (s->recipient_count + 1) * sizeof *list);
	if (list == NULL)
		return RC_LATER;
	s->recipients = list;
	r = &list[s->recipient_count++];
	*r = (struct submission_recipient){ span_dup(address),
		orcpt.len > 0 ? span_dup(orcpt) : NULL, notify };
	return r->address != NULL ? RC_OK : RC_LATER;
}

void
submission_free(struct submission *s)
{
	if (s == NULL)
		return;
	free(s->account);
	free(s->credential);
	free(s->listener);
	free(s->client);
	free(s->sender);
	free(s->envid);
	for (size_t i = 0; i < s->recipient_count; i++) {
		free(s->recipients[i].address);
		free(s->recipients[i].orcpt);
	}
	free(s->recipients);
	buf_free(&s->body);
	if (s->file_fd >= 0)
		(void)close(s->file_fd);
	header_free(&s->header);
	ses_headers_free(&s->ses);
	message_unref(s->message);
	sign_key_unref(s->key);
	free(s->signer);
	free(s->original_message_id);
	config_unref(s->config);
	free(s);
}

/* ------------------------------------------------------------------ back to the door ---------- */

static void
run_done(struct loop_msg *msg)
{
	struct submission *s = container_of(msg, struct submission, msg);

	s->done(s);
}

static void
finish(struct submission *s, enum rc rc)
{
	struct submit *submit = s->submit;

	s->rc = rc;
	if (rc == RC_OK) {
		account_keep(s->charge);
	} else {
		if (s->charge != NULL)
			account_refund(s->charge);
		if (s->file_name[0] != '\0')
			spool_large_discard(submit->options.spool, s->file_name);
	}
	submit->pending--;
	s->msg.run = run_done;
	loop_post(s->home, &s->msg);
}

static void
log_refusal(const struct submission *s)
{
	char reply[WHY_TEXT_MAX + 16];
	struct event_reject event = { .listener = s->listener,
		.client = s->client,
		.account = s->account,
		.sender = s->sender,
		.reply = reply };

	(void)snprintf(reply, sizeof reply, "%d %s", s->why.code, s->why.text);
	event_reject(&event);
}

/* A cause without a reply of its own is our trouble, not the client's. */
static void
refuse(struct submission *s, enum rc rc)
{
	if (s->why.code == 0)
		(void)why_set(&s->why, rc, 451, "Temporary service failure");
	log_refusal(s);
	finish(s, rc);
}

/* ------------------------------------------------------------------ store --------------------- */

static void
tell_send(const struct submission *s, uint64_t sequence)
{
	struct event_tag tags[SES_TAGS_MAX];
	const struct message *m = s->message;
	struct event_send event = { .sequence = sequence,
		.id = &s->id,
		.listener = s->listener,
		.client = s->client,
		.account = s->account,
		.credential = s->credential,
		.sender = s->sender,
		.mechanism = s->mechanism,
		.configuration_set = m->configuration_set,
		.original_message_id = s->original_message_id != NULL ? s->original_message_id : "",
		.tags = tags,
		.size = m->size,
		.recipients = s->recipient_count };

	for (; event.tag_count < m->tag_count && event.tag_count < SES_TAGS_MAX; event.tag_count++)
		tags[event.tag_count] = (struct event_tag){ m->tags[event.tag_count].name,
			m->tags[event.tag_count].value };
	event_send(&event);
}

static void
on_stored(void *arg, enum rc rc, uint64_t sequence, const struct why *why)
{
	struct submission *s = arg;

	if (rc != RC_OK) {
		/* The client need not know our disk; the log has the cause. */
		(void)why;
		(void)why_set(&s->why, rc, 451, "Temporary service failure");
		refuse(s, rc);
		return;
	}
	tell_send(s, sequence);
	finish(s, RC_OK);
}

static void
store(struct submission *s)
{
	enum rc rc = queue_submit(s->submit->options.queue, s->message, on_stored, s, &s->why);

	if (rc != RC_OK)
		refuse(s, rc);
}

/* ------------------------------------------------------------------ the last work ------------- */

static enum rc
sign(struct submission *s)
{
	struct message *m = s->message;
	struct body_reader reader;
	struct sign_body body = { body_next, &reader };
	struct buf signature = BUF_EMPTY;
	struct span header = span_first(m->pieces[1], m->pieces[1].len - 2);
	enum rc rc = body_begin(&reader, m);

	if (rc == RC_OK)
		rc = sign_message(
		    s->key, &header, 1, &body, clock_wall_ms() / 1000, true, &signature, &s->why);
	if (rc == RC_OK)
		rc = compose_add_signature(m, &signature);
	buf_free(&signature);
	body_end(&reader);
	return rc;
}

/* In this order: what changes a byte comes before the signature. */
static void
last_work(struct worker_job *job)
{
	struct submission *s = container_of(job, struct submission, job);

	s->signing = false;
	s->rc = RC_OK;
	if (convert_is_wanted(s))
		s->rc = convert(s, &s->why);
	if (s->rc == RC_OK && body_is_too_long(s))
		s->rc = body_spill(s, &s->why);
	if (s->rc != RC_OK || s->key == NULL)
		return;
	s->signing = true;
	s->rc = sign(s);
}

static void
last_work_done(struct worker_job *job)
{
	struct submission *s = container_of(job, struct submission, job);
	char id[MESSAGE_ID_LEN + 1];

	message_id_format(&s->id, id);
	if (s->rc != RC_OK) { /* nothing leaves unsigned */
		if (s->signing)
			log_line(LOG_LEVEL_ERROR, "sign", "identity=%s: %s", s->message->identity,
			    s->why.text);
		else
			log_line(
			    LOG_LEVEL_ERROR, "cleanup", "message-id=<%s>: %s", id, s->why.text);
		(void)why_set(&s->why, RC_LATER, 451, "Temporary service failure");
		refuse(s, s->rc);
		return;
	}
	if (s->not_converted != NULL)
		log_line(LOG_LEVEL_INFO, "cleanup", "message-id=<%s>: 8-bit text is kept: %s", id,
		    s->not_converted);
	store(s);
}

static void
finish_message(struct submit *submit, struct submission *s)
{
	if (s->key == NULL && !convert_is_wanted(s) && !body_is_too_long(s)) {
		store(s);
		return;
	}
	s->job.home = submit->options.core;
	s->job.work = last_work;
	s->job.done = last_work_done;
	if (worker_submit(submit->options.workers, &s->job) != RC_OK) {
		(void)why_set(&s->why, RC_LATER, 454, "Temporary service failure");
		refuse(s, RC_LATER);
	}
}

/* ------------------------------------------------------------------ stages -------------------- */

/* The key of the most specific identity above From that has one. */
static void
choose_key(struct submit *submit, struct submission *s, const struct header *header)
{
	const struct header_field *from = header_find(header, SPAN_LIT("From"));
	const struct identity *signer = NULL;
	struct sign_key *key;

	if (from != NULL)
		signer = policy_signer(submit, s->signer, from->value);
	key = signer != NULL ? keyring_find(submit->keys, signer->name) : NULL;
	s->key = key != NULL ? sign_key_ref(key) : NULL;
}

static void
keep_original_id(struct submission *s)
{
	const struct header_field *field = header_find(&s->header, SPAN_LIT("Message-ID"));

	if (field != NULL)
		s->original_message_id = span_dup(span_first(span_trim_lines(field->value), 300));
}

/* The client hears 250 and the message counts, as in SES. Nothing of it has to be on disk for that: 250 promises that the
 * message is not lost on its way to somebody, and this one is on its way to nobody; a crash from here on leaves the same as
 * none. The log has the event, as it has all others. */
static void
drop(struct submission *s)
{
	struct event_bad_content event = { .id = &s->id,
		.listener = s->listener,
		.client = s->client,
		.account = s->account,
		.sender = s->sender,
		.found = s->found,
		.recipients = s->recipient_count };

	event_bad_content(&event);
	if (s->file_name[0] != '\0')
		spool_large_discard(s->submit->options.spool, s->file_name);
	finish(s, RC_OK);
}

/* A milter has changed the header, perhaps From. */
static enum rc
choose_key_again(struct submission *s)
{
	struct header header;

	if (header_scan(s->message->pieces[1], &header, NULL) != RC_OK)
		return why_set(&s->why, RC_LATER, 451, "Temporary service failure");
	sign_key_unref(s->key);
	choose_key(s->submit, s, &header);
	header_free(&header);
	return RC_OK;
}

static void
on_content(struct submission *s, enum rc rc)
{
	if (rc == RC_OK && s->header_changed && !s->dropped)
		rc = choose_key_again(s);
	if (rc != RC_OK)
		refuse(s, rc);
	else if (s->dropped)
		drop(s);
	else
		finish_message(s->submit, s);
}

static void
on_turn(struct submission *s, enum rc rc)
{
	struct submit *submit = s->submit;
	const struct config_set *set = NULL;
	const struct identity *identity = NULL;

	if (rc == RC_OK)
		rc = policy_apply(submit, s, &set, &identity, &s->why);
	if (rc == RC_OK) {
		s->signer = span_dup(span_of(identity != NULL ? identity->account : s->account));
		rc = s->signer != NULL ? RC_OK : RC_LATER;
	}
	if (rc == RC_OK) {
		choose_key(submit, s, &s->header);
		keep_original_id(s);
		rc = compose(submit, s, set, identity, &s->message, &s->why);
	}
	if (rc != RC_OK)
		refuse(s, rc);
	else
		content_ask(s, on_content);
}

static void
on_core(struct loop_msg *msg)
{
	struct submission *s = container_of(msg, struct submission, msg);

	s->submit->pending++;
	if (s->rc != RC_OK)
		refuse(s, s->rc);
	else
		pace(s, on_turn);
}

static void
names_work(struct worker_job *job)
{
	struct submission *s = container_of(job, struct submission, job);
	bool again;

	s->rc = content_check_names(s, true, &again, &s->why);
}

static void
names_done(struct worker_job *job)
{
	on_core(&container_of(job, struct submission, job)->msg);
}

void
submit_start(struct submit *submit, struct submission *s)
{
	bool in_file = false;

	s->submit = submit;
	s->rc = check_content(s, s->config, &s->why);
	if (s->rc == RC_OK)
		s->rc = content_check_names(s, false, &in_file, &s->why);
	if (in_file) {
		s->job.home = submit->options.core;
		s->job.work = names_work;
		s->job.done = names_done;
		if (worker_submit(submit->options.workers, &s->job) == RC_OK)
			return; /* it is the worker's now */
		s->rc = RC_LATER;
	}
	s->msg.run = on_core;
	loop_post(submit->options.core, &s->msg);
}

/* ------------------------------------------------------------------ life ---------------------- */

enum rc
submit_new(const struct submit_options *options, struct submit **out, struct why *why)
{
	*out = calloc(1, sizeof **out);
	if (*out == NULL)
		return why_set(why, RC_LATER, 0, "out of memory");
	(*out)->options = *options;
	list_init(&(*out)->paced);
	(*out)->filters = filters_new(options->core, options->workers);
	if ((*out)->filters == NULL) {
		free(*out);
		*out = NULL;
		return why_set(why, RC_LATER, 0, "out of memory");
	}
	return RC_OK;
}

void
submit_configure(struct submit *submit, struct config *config, struct keyring *keys)
{
	struct config *old_config = submit->config;
	struct keyring *old_keys = submit->keys;

	submit->config = config_ref(config);
	submit->keys = keyring_ref(keys);
	config_unref(old_config);
	keyring_unref(old_keys);
}

size_t
submit_pending(const struct submit *submit)
{
	return submit->pending;
}

void
submit_stop(struct submit *submit)
{
	if (submit == NULL)
		return;
	submit->stopping = true;
	pace_stop(submit);
}

void
submit_cut(struct submit *submit)
{
	if (submit == NULL)
		return;
	submit->cut = true;
	filters_cut(submit->filters);
}

void
submit_free(struct submit *submit)
{
	if (submit == NULL)
		return;
	filters_free(submit->filters);
	compose_forget(submit);
	config_unref(submit->config);
	keyring_unref(submit->keys);
	free(submit);
}
