/* cli/spool.c - spool check, ls, export, stats: a spool directory without a daemon, or beside one. Reads only. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/format.h"
#include "queue/state.h"
#include "spool/inspect.h"
#include "util/fsutil.h"

enum {
	CHECK_CLEAN = 0,
	CHECK_LEFTOVERS = 1,
	CHECK_DAMAGED = 2,
	QUEUE_ID_MAX = 17
};

/* The same as in the log and in "queue ls". */
static void
queue_id(const struct inspect_message *m, char out[QUEUE_ID_MAX])
{
	(void)snprintf(out, QUEUE_ID_MAX, "%010" PRIX64, m->entry.sequence);
}

/* EX_OK with *out, or printed. */
static int
open_spool(const struct args *args, bool everything, struct inspection **out)
{
	const char *named = args_get(args, "directory");
	struct why why = WHY_EMPTY;
	int status = EX_OK;
	char *directory =
	    named != NULL ? span_dup(span_of(named)) : config_spool_directory(args, &status);
	enum rc rc;

	*out = NULL;
	if (directory == NULL)
		return status != EX_OK ? status : cli_fail_memory();
	rc = inspect_open(directory, everything, out, &why);
	free(directory);
	if (rc == RC_OK)
		return EX_OK;
	return cli_fail(why.err == ENOENT			? EX_NOINPUT
			: why.err == EACCES || why.err == EPERM ? EX_NOPERM
			: rc == RC_DENY				? EX_DATAERR
								: EX_OSERR,
	    "%s", why.text);
}

/* On standard error, so that it is in nobody's way. */
static void
say_in_use(const struct inspection *in)
{
	if (inspect_totals(in)->in_use)
		(void)fprintf(
		    stderr, "postrider: a daemon has this spool: what is shown is of the moment\n");
}

/* ------------------------------------------------------------------ check --------------------- */

static json_t *
finding_json(const struct inspect_finding *f)
{
	return json_pack("{s:s, s:I, s:I, s:s, s:b}", "file", f->file, "from", (json_int_t)f->from,
	    "to", (json_int_t)f->to, "text", f->text, "damage", f->damage ? 1 : 0);
}

static void
add_finding(const struct inspect_finding *f, struct buf *out)
{
	format_paint(f->damage ? PAINT_BAD : PAINT_WAIT, f->damage ? "damage" : "left", 8,
	    format_colours(), out);
	format_safe(f->file, out);
	if (f->to > f->from)
		buf_addf(out, ": from offset %" PRIu64 " to %" PRIu64, f->from, f->to);
	buf_addf(out, ": ");
	format_safe(f->text, out);
	buf_add_char(out, '\n');
}

static int
print_check(const struct args *args, const struct inspection *in, int verdict)
{
	static const char *const words[] = { "clean",
		"what a crash leaves: the next start of the daemon puts it right", "damaged" };
	const struct inspect_totals *totals = inspect_totals(in);
	size_t count;
	const struct inspect_finding *findings = inspect_findings(in, &count);
	struct buf out = BUF_EMPTY;

	if (wants_json(args)) {
		json_t *list = json_array();

		for (size_t i = 0; list != NULL && i < count; i++)
			(void)json_array_append_new(list, finding_json(&findings[i]));
		return print_json(json_pack("{s:i, s:b, s:I, s:I, s:o}", "verdict", verdict,
		    "in_use", totals->in_use ? 1 : 0, "segments", (json_int_t)totals->segments,
		    "messages", (json_int_t)totals->messages, "findings", list));
	}
	for (size_t i = 0; i < count; i++)
		add_finding(&findings[i], &out);
	buf_addf(&out, "%" PRIu64 " messages in %" PRIu64 " segments: %s\n", totals->messages,
	    totals->segments, words[verdict]);
	return print_buf(&out);
}

int
cmd_spool_check(const struct args *args)
{
	struct inspection *in;
	const struct inspect_finding *findings;
	int status = open_spool(args, true, &in), verdict = CHECK_CLEAN;
	size_t count;

	if (status != EX_OK)
		return status;
	say_in_use(in);
	findings = inspect_findings(in, &count);
	for (size_t i = 0; i < count; i++)
		if (findings[i].damage)
			verdict = CHECK_DAMAGED;
		else if (verdict == CHECK_CLEAN)
			verdict = CHECK_LEFTOVERS;
	status = print_check(args, in, verdict);
	inspect_close(in);
	return status == EX_OK ? verdict : status;
}

/* ------------------------------------------------------------------ ls ------------------------ */

struct outlook {
	const char *state; /* "new", "deferred", "held" */
	unsigned open, attempts;
	int64_t due_s; /* 0: at once, or never by itself */
};

static struct outlook
outlook_of(const struct inspect_message *m)
{
	struct outlook out = { "new", m->recipients, 0, 0 };
	struct recipient_state states[MESSAGE_RECIPIENTS_MAX];

	if (m->state == NULL || m->recipients > MESSAGE_RECIPIENTS_MAX ||
	    state_decode(span_make(m->state, m->state_size), states, m->recipients) != RC_OK)
		return out;
	out.state = "deferred";
	out.open = 0;
	for (unsigned i = 0; i < m->recipients; i++) {
		if (states[i].settled)
			continue;
		out.open++;
		if (states[i].held)
			out.state = "held";
		if (states[i].attempts > out.attempts)
			out.attempts = states[i].attempts;
		if (out.due_s == 0 || states[i].due_ms / 1000 < out.due_s)
			out.due_s = states[i].due_ms / 1000;
	}
	return out;
}

/* Names as in "queue ls --json". */
static json_t *
message_json(const struct inspect_message *m)
{
	char qid[QUEUE_ID_MAX], id[MESSAGE_ID_LEN + 1];
	struct outlook outlook = outlook_of(m);

	queue_id(m, qid);
	message_id_format(&m->id, id);
	return json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:I, s:I, s:I, s:I}", "queue_name",
	    outlook.state, "queue_id", qid, "arrival_time", (json_int_t)(m->accepted_ms / 1000),
	    "message_size", (json_int_t)m->entry.size, "message_id", id, "account", m->account,
	    "recipient_count", (json_int_t)m->recipients, "open_count", (json_int_t)outlook.open,
	    "attempts", (json_int_t)outlook.attempts, "next_attempt", (json_int_t)outlook.due_s);
}

static int
print_message(const struct inspect_message *m, bool json, bool first)
{
	char qid[QUEUE_ID_MAX], arrived[FORMAT_MAX], size[FORMAT_MAX], due[FORMAT_MAX];
	struct outlook outlook = outlook_of(m);
	struct buf out = BUF_EMPTY;

	if (json)
		return print_json(message_json(m));
	if (first)
		buf_addf(&out, "%-10s  %-8s  %-19s  %5s  %4s  %5s  %-19s  %s\n", "ID", "STATE",
		    "ARRIVED", "SIZE", "RCPT", "TRIES", "NEXT TRY", "ACCOUNT");
	queue_id(m, qid);
	format_time(m->accepted_ms / 1000, arrived);
	format_size((int64_t)m->entry.size, size);
	format_time(outlook.due_s, due);
	buf_addf(&out, "%-10s  %-8s  %-19s  %5s  %4u  %5u  %-19s  ", qid, outlook.state, arrived,
	    size, outlook.open, outlook.attempts, outlook.due_s == 0 ? "now" : due);
	format_safe(m->account, &out);
	buf_add_char(&out, '\n');
	return print_buf(&out);
}

int
cmd_spool_ls(const struct args *args)
{
	const struct inspect_message *m;
	struct inspection *in;
	int status = open_spool(args, false, &in);
	size_t count = 0;

	if (status != EX_OK)
		return status;
	say_in_use(in);
	while (status == EX_OK && (m = inspect_message(in, count)) != NULL) {
		status = print_message(m, wants_json(args), count == 0);
		count++;
	}
	if (status == EX_OK && !wants_json(args))
		(void)(count == 0 ? printf("There are no messages in the spool.\n")
				  : printf("%zu message%s\n", count, count == 1 ? "" : "s"));
	inspect_close(in);
	return status;
}

/* ------------------------------------------------------------------ export -------------------- */

static json_t *
recipients_json(const struct message *content)
{
	json_t *list = json_array();

	for (size_t i = 0; list != NULL && i < content->recipient_count; i++) {
		const struct message_recipient *r = &content->recipients[i];

		if (json_array_append_new(list, json_pack("{s:s, s:s, s:i}", "address", r->address,
						    "orcpt", r->orcpt, "notify", (int)r->notify)) !=
		    0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *
tags_json(const struct message *content)
{
	json_t *list = json_array();

	for (size_t i = 0; list != NULL && i < content->tag_count; i++)
		if (json_array_append_new(
			list, json_pack("{s:s, s:s}", "name", content->tags[i].name, "value",
				  content->tags[i].value)) != 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

/* NULL when a part of it cannot be written as JSON: half an envelope would be worse than none. */
static json_t *
envelope_json(const struct inspect_message *m, const struct message *content)
{
	json_t *json = message_json(m);
	json_t *rest = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:b, s:o, s:o}",
	    "sender", content->sender, "return_path", content->return_path, "credential",
	    content->credential, "configuration_set", content->configuration_set, "identity",
	    content->identity, "client", content->client, "envid", content->envid, "max_age",
	    (json_int_t)(content->max_age_ms / 1000), "notice", content->notice ? 1 : 0,
	    "recipients", recipients_json(content), "tags", tags_json(content));

	if (json != NULL && rest != NULL && json_object_update_new(json, rest) == 0)
		return json;
	if (json == NULL)
		json_decref(rest);
	json_decref(json);
	return NULL;
}

static int
write_content(int fd, const char *name, const struct message *content)
{
	struct why why = WHY_EMPTY;
	enum rc rc = RC_OK;
	char part[65536];

	for (size_t i = 0; rc == RC_OK && i < content->piece_count; i++)
		rc = fsutil_write_all(fd, content->pieces[i].p, content->pieces[i].len, &why);
	for (uint64_t done = 0; rc == RC_OK && done < content->file_size;) {
		uint64_t left = content->file_size - done;
		size_t n = left < sizeof part ? (size_t)left : sizeof part;

		rc = fsutil_pread_all(
		    content->file_fd, part, n, (off_t)(content->file_at + done), &why);
		if (rc == RC_OK)
			rc = fsutil_write_all(fd, part, n, &why);
		done += n;
	}
	return rc == RC_OK ? EX_OK : cli_fail(EX_IOERR, "%s: %s", name, why.text);
}

/* A new file, whole or not at all. */
static int
write_file(int dirfd, const char *name, const struct message *content, struct span text)
{
	struct why why = WHY_EMPTY;
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int status = EX_OK;

	if (fd < 0)
		return cli_fail(EX_CANTCREAT, "%s: %s", name, strerror(errno));
	if (content != NULL)
		status = write_content(fd, name, content);
	else if (fsutil_write_all(fd, text.p, text.len, &why) != RC_OK)
		status = cli_fail(EX_IOERR, "%s: %s", name, why.text);
	if (status == EX_OK && fsync(fd) != 0)
		status = cli_fail(EX_IOERR, "%s: %s", name, strerror(errno));
	if (close(fd) != 0 && status == EX_OK)
		status = cli_fail(EX_IOERR, "%s: %s", name, strerror(errno));
	if (status != EX_OK)
		(void)unlinkat(dirfd, name, 0);
	return status;
}

static int
export_files(int dirfd, const struct inspect_message *m, const struct message *content)
{
	char qid[QUEUE_ID_MAX], name[QUEUE_ID_MAX + 8];
	json_t *json = envelope_json(m, content);
	char *text = json != NULL ? json_dumps(json, JSON_INDENT(2)) : NULL;
	int status;

	json_decref(json);
	if (text == NULL)
		return cli_fail(EX_DATAERR, "the envelope is not UTF-8, or memory is out");
	queue_id(m, qid);
	(void)snprintf(name, sizeof name, "%s.eml", qid);
	status = write_file(dirfd, name, content, SPAN_EMPTY);
	(void)snprintf(name, sizeof name, "%s.json", qid);
	if (status == EX_OK)
		status = write_file(dirfd, name, NULL, span_of(text));
	free(text);
	return status;
}

/* dirfd -1: the text to standard output. */
static int
export_one(const struct inspection *in, const struct inspect_message *m, int dirfd)
{
	struct why why = WHY_EMPTY;
	struct message *content;
	char qid[QUEUE_ID_MAX];
	int status;

	queue_id(m, qid);
	if (inspect_read(in, m, &content, &why) != RC_OK)
		return cli_fail(EX_DATAERR, "%s: %s", qid, why.text);
	status = dirfd >= 0 ? export_files(dirfd, m, content)
			    : write_content(STDOUT_FILENO, "standard output", content);
	message_unref(content);
	return status;
}

static const struct inspect_message *
find_message(const struct inspection *in, const char *id)
{
	const struct inspect_message *m;
	char qid[QUEUE_ID_MAX], text[MESSAGE_ID_LEN + 1];

	for (size_t i = 0; (m = inspect_message(in, i)) != NULL; i++) {
		queue_id(m, qid);
		message_id_format(&m->id, text);
		if (span_ieq(span_of(qid), span_of(id)) || strcmp(text, id) == 0)
			return m;
	}
	return NULL;
}

/* All that can be exported are; the first failure gives the exit status. */
static int
export_all(const struct args *args, const struct inspection *in, int dirfd)
{
	const struct inspect_message *m;
	int first = EX_OK;
	size_t done = 0;

	for (size_t i = 0; args_get(args, "all") != NULL && (m = inspect_message(in, i)) != NULL;
	     i++) {
		int status = export_one(in, m, dirfd);

		done += status == EX_OK;
		first = first != EX_OK ? first : status;
	}
	for (size_t i = 0; i < args->word_count; i++) {
		int status;

		m = find_message(in, args->words[i]);
		status = m != NULL ? export_one(in, m, dirfd)
				   : cli_fail(EX_NOINPUT, "there is no message %s in the spool",
					 args->words[i]);
		done += status == EX_OK;
		first = first != EX_OK ? first : status;
	}
	if (dirfd >= 0 && wants_json(args))
		(void)print_json(json_pack("{s:I}", "exported", (json_int_t)done));
	else if (dirfd >= 0)
		(void)printf("%zu message%s\n", done, done == 1 ? "" : "s");
	return first;
}

int
cmd_spool_export(const struct args *args)
{
	const char *output = args_get(args, "output");
	bool all = args_get(args, "all") != NULL;
	struct inspection *in;
	int dirfd = -1, status;

	if (all == (args->word_count > 0))
		return cli_fail(EX_USAGE, "give the ids of messages, or --all");
	if (output == NULL && (all || args->word_count != 1))
		return cli_fail(EX_USAGE, "--output DIR is needed for more than one message");
	if (output != NULL) {
		dirfd = open(output, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dirfd < 0)
			return cli_fail(EX_CANTCREAT, "%s: %s", output, strerror(errno));
	}
	status = open_spool(args, false, &in);
	if (status == EX_OK) {
		say_in_use(in);
		status = export_all(args, in, dirfd);
	}
	inspect_close(in);
	if (dirfd >= 0)
		(void)close(dirfd);
	return status;
}

/* ------------------------------------------------------------------ stats --------------------- */

int
cmd_spool_stats(const struct args *args)
{
	char size[FORMAT_MAX], used[FORMAT_MAX], live[FORMAT_MAX], large[FORMAT_MAX];
	const struct inspect_totals *t;
	struct buf out = BUF_EMPTY;
	struct inspection *in;
	int status = open_spool(args, false, &in);

	if (status != EX_OK)
		return status;
	say_in_use(in);
	t = inspect_totals(in);
	format_size((int64_t)t->segment_bytes, size);
	format_size((int64_t)t->used_bytes, used);
	format_size((int64_t)t->live_bytes, live);
	format_size((int64_t)t->large_bytes, large);
	if (wants_json(args)) {
		status = print_json(json_pack(
		    "{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "in_use",
		    t->in_use ? 1 : 0, "messages", (json_int_t)t->messages, "messages_seen",
		    (json_int_t)t->records_of_messages, "segments", (json_int_t)t->segments,
		    "segment_bytes", (json_int_t)t->segment_bytes, "used_bytes",
		    (json_int_t)t->used_bytes, "live_bytes", (json_int_t)t->live_bytes, "digests",
		    (json_int_t)t->digests, "free_files", (json_int_t)t->free_files, "large_files",
		    (json_int_t)t->large_files, "large_bytes", (json_int_t)t->large_bytes));
	} else {
		buf_addf(&out,
		    "messages   %" PRIu64 " wait, %" PRIu64 " more have ended\n"
		    "segments   %" PRIu64 " of %s, %s written, %s of it live; %" PRIu64
		    " with a digest\n"
		    "files      %" PRIu64 " for reuse, %" PRIu64 " kept because of damage\n"
		    "large      %" PRIu64 " texts, %s\n",
		    t->messages, t->records_of_messages - t->messages, t->segments, size, used,
		    live, t->digests, t->free_files, t->bad_files, t->large_files, large);
		status = print_buf(&out);
	}
	inspect_close(in);
	return status;
}
