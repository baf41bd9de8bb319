/* cli/queue.c - queue ls, show, retry, drop. */
#include "config.h"

#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/format.h"

static struct buf
target_of(const char *id, const char *after)
{
	struct buf out = BUF_EMPTY;

	buf_addf(&out, "/v1/queue");
	if (id != NULL)
		target_add_part(&out, id);
	buf_addf(&out, "%s", after);
	return out;
}

/* ------------------------------------------------------------------ ls ------------------------ */

struct listing {
	bool json, colours;
	unsigned long long count;
	int status;
};

#define LS_FORMAT "%-10s  %-8s  %-19s  %5s  %4s  %5s  %-19s  %-24s  %s\n"

static void
add_row(const json_t *row, bool colours, struct buf *out)
{
	const char *state = member_text(row, "queue_name");
	char arrived[FORMAT_MAX], size[FORMAT_MAX], due[FORMAT_MAX];

	format_time(member_number(row, "arrival_time"), arrived);
	format_size(member_number(row, "message_size"), size);
	format_time(member_number(row, "next_attempt"), due);
	buf_addf(out, "%-10s  ", member_text(row, "queue_id"));
	format_paint(
	    strcmp(state, "deferred") == 0 ? PAINT_WAIT : PAINT_GOOD, state, 8, colours, out);
	buf_addf(out, "  %-19s  %5s  %4lld  %5lld  %-19s  %-24s  ", arrived, size,
	    member_number(row, "open_count"), member_number(row, "attempts"),
	    member_number(row, "next_attempt") == 0 ? "now" : due, member_text(row, "destination"));
	format_safe(member_text(row, "reason"), out);
	buf_add_char(out, '\n');
}

static bool
on_row(void *arg, struct span line)
{
	struct listing *listing = arg;
	struct buf out = BUF_EMPTY;
	json_t *row;

	if (listing->json) {
		buf_add_span(&out, line);
		buf_add_char(&out, '\n');
	} else {
		row = json_loadb(line.p, line.len, 0, NULL);
		if (row == NULL) {
			listing->status = cli_fail(EX_SOFTWARE, "the daemon's answer is no JSON");
			return false;
		}
		if (listing->count == 0)
			buf_addf(&out, LS_FORMAT, "ID", "STATE", "ARRIVED", "SIZE", "RCPT", "TRIES",
			    "NEXT TRY", "SITE", "LAST REASON");
		add_row(row, listing->colours, &out);
		json_decref(row);
	}
	listing->count++;
	if (out.failed || fwrite(out.mem + out.start, 1, buf_len(&out), stdout) != buf_len(&out))
		listing->status = cli_fail(EX_OSERR, "standard output: cannot write");
	buf_free(&out);
	return listing->status == EX_OK;
}

int
cmd_queue_ls(const struct args *args)
{
	static const char *const filters[] = { "state", "destination", "account", "reason",
		"limit" };
	struct listing listing = { wants_json(args), format_colours(), 0, EX_OK };
	struct buf target = target_of(NULL, "");
	struct request request = {
		.method = "GET", .target = &target, .on_line = on_row, .arg = &listing
	};
	int status;

	for (size_t i = 0; i < ARRAY_LEN(filters); i++)
		if (args_get(args, filters[i]) != NULL)
			target_add(&target, filters[i], args_get(args, filters[i]));
	status = client_call(args, &request, NULL);
	if (listing.status != EX_OK)
		return listing.status;
	if (status == EX_OK && !listing.json)
		(void)(listing.count == 0 ? printf("The queue is empty.\n")
					  : printf("%llu message%s\n", listing.count,
						listing.count == 1 ? "" : "s"));
	return status;
}

/* ------------------------------------------------------------------ show ---------------------- */

static void
add_field(const char *name, const char *value, struct buf *out)
{
	if (value[0] == '\0')
		return;
	buf_addf(out, "%-12s ", name);
	format_safe(value, out);
	buf_add_char(out, '\n');
}

static void
add_recipients(const json_t *recipients, bool colours, struct buf *out)
{
	const json_t *recipient;
	char due[FORMAT_MAX];
	size_t i;

	json_array_foreach(recipients, i, recipient)
	{
		const char *state = member_text(recipient, "state");
		bool deferred = strcmp(state, "deferred") == 0;

		buf_addf(out, "%-12s ", i == 0 ? "recipients" : "");
		format_paint(deferred ? PAINT_WAIT : PAINT_GOOD, state, 8, colours, out);
		buf_addf(out, "  ");
		format_safe(member_text(recipient, "address"), out);
		format_time(member_number(recipient, "next_attempt"), due);
		if (deferred)
			buf_addf(out, "  (next try %s)", due);
		buf_add_char(out, '\n');
		if (member_text(recipient, "delay_reason")[0] != '\0') {
			buf_addf(out, "%-12s           ", "");
			format_safe(member_text(recipient, "delay_reason"), out);
			buf_add_char(out, '\n');
		}
	}
}

static int
print_message(const json_t *m)
{
	char arrived[FORMAT_MAX], size[FORMAT_MAX];
	struct buf out = BUF_EMPTY;
	const json_t *tag;
	size_t i;

	format_time(member_number(m, "arrival_time"), arrived);
	format_size(member_number(m, "message_size"), size);
	add_field("id", member_text(m, "queue_id"), &out);
	add_field("message-id", member_text(m, "message_id"), &out);
	add_field("state", member_text(m, "queue_name"), &out);
	add_field("arrived", arrived, &out);
	add_field("size", size, &out);
	add_field("account", member_text(m, "account"), &out);
	add_field("identity", member_text(m, "identity"), &out);
	add_field("config set", member_text(m, "configuration_set"), &out);
	add_field("client", member_text(m, "client"), &out);
	add_field(
	    "sender", member_text(m, "sender")[0] != '\0' ? member_text(m, "sender") : "<>", &out);
	json_array_foreach(json_object_get(m, "tags"), i, tag)
	{
		buf_addf(&out, "%-12s ", i == 0 ? "tags" : "");
		format_safe(member_text(tag, "name"), &out);
		buf_add_char(&out, '=');
		format_safe(member_text(tag, "value"), &out);
		buf_add_char(&out, '\n');
	}
	add_recipients(json_object_get(m, "recipients"), format_colours(), &out);
	return print_buf(&out);
}

static json_t *
fetch(const struct args *args, const char *id, int *status)
{
	struct buf target = target_of(id, "");
	struct request request = { .method = "GET", .target = &target };

	return client_json(args, &request, status);
}

static int
show_content(const struct args *args)
{
	struct buf target = target_of(args->words[0], "/message"), body = BUF_EMPTY;
	struct request request = { .method = "GET", .target = &target };
	int status = client_call(args, &request, &body);

	if (status == EX_OK)
		return print_buf(&body);
	buf_free(&body);
	return status;
}

int
cmd_queue_show(const struct args *args)
{
	json_t *message;
	int status;

	if (args_get(args, "content") != NULL)
		return show_content(args);
	message = fetch(args, args->words[0], &status);
	if (message == NULL)
		return status;
	if (wants_json(args))
		return print_json(message);
	status = print_message(message);
	json_decref(message);
	return status;
}

/* ------------------------------------------------------------------ explain ------------------- */

/* One sentence for what its recipients wait for; the next for each that waits for something else. */
static void
explain(const json_t *m, struct buf *out)
{
	const json_t *recipients = json_object_get(m, "recipients"), *recipient;
	const char *last = "";
	char due[FORMAT_MAX];
	size_t i, open = 0;

	json_array_foreach(recipients, i, recipient) open +=
	    strcmp(member_text(recipient, "state"), "done") != 0;
	buf_addf(out, "Message %s, of %zu recipients %zu open", member_text(m, "queue_id"),
	    json_array_size(recipients), open);
	json_array_foreach(recipients, i, recipient)
	{
		const char *waits_for = member_text(recipient, "waits_for");

		if (strcmp(member_text(recipient, "state"), "done") == 0 ||
		    strcmp(waits_for, last) == 0)
			continue;
		last = waits_for;
		buf_addf(out, ": ");
		format_safe(member_text(recipient, "address"), out);
		buf_addf(out, " waits for ");
		format_safe(waits_for, out);
		if (member_number(recipient, "next_attempt") > 0) {
			format_time(member_number(recipient, "next_attempt"), due);
			buf_addf(out, "; until %s", due);
		}
	}
	buf_addf(out, ".\n");
}

int
cmd_queue_explain(const struct args *args)
{
	struct buf out = BUF_EMPTY;
	json_t *message;
	int status;

	message = fetch(args, args->words[0], &status);
	if (message == NULL)
		return status;
	if (wants_json(args))
		return print_json(message);
	explain(message, &out);
	json_decref(message);
	return print_buf(&out);
}

/* ------------------------------------------------------------------ changes ------------------- */

/* One call that answers {"NAME":N}: N is added to *sum. */
static int
change(const struct args *args, const char *method, struct buf *target, const char *name,
    long long *sum)
{
	struct request request = { .method = method, .target = target };
	int status;
	json_t *answer = client_json(args, &request, &status);

	if (answer != NULL)
		*sum += member_number(answer, name);
	json_decref(answer);
	return status;
}

/* All that can be done is done; the exit status is that of the first one that could not. */
static int
change_each(const struct args *args, const char *method, const char *after, const char *name,
    long long *sum)
{
	int status = EX_OK;

	for (size_t i = 0; i < args->word_count; i++) {
		struct buf target = target_of(args->words[i], after);
		int one = change(args, method, &target, name, sum);

		if (status == EX_OK)
			status = one;
		if (one == EX_UNAVAILABLE || one == EX_NOPERM)
			break;
	}
	return status;
}

static int
print_sum(
    const struct args *args, int status, const char *name, const char *sentence, long long sum)
{
	if (wants_json(args))
		return status != EX_OK && sum == 0
			   ? status
			   : (print_json(json_pack("{s:I}", name, (json_int_t)sum)), status);
	if (status == EX_OK || sum > 0)
		(void)printf("%lld message%s %s.\n", sum, sum == 1 ? "" : "s", sentence);
	return status;
}

/* What would be tried or dropped: the messages named, shown one by one. */
static int
show_each(const struct args *args)
{
	for (size_t i = 0; i < args->word_count; i++) {
		struct buf line = BUF_EMPTY;
		int status;
		json_t *m = fetch(args, args->words[i], &status);

		if (m == NULL)
			return status;
		buf_addf(&line, "%s  %s  from <", member_text(m, "queue_id"),
		    member_text(m, "queue_name"));
		format_safe(member_text(m, "sender"), &line);
		buf_addf(&line, "> to %zu recipients\n",
		    json_array_size(json_object_get(m, "recipients")));
		json_decref(m);
		status = print_buf(&line);
		if (status != EX_OK)
			return status;
	}
	return EX_OK;
}

/* The listing of what a retry of everything, or of a destination, would make due. */
static int
show_deferred(const struct args *args, const char *destination)
{
	struct listing listing = { wants_json(args), format_colours(), 0, EX_OK };
	struct buf target = target_of(NULL, "");
	struct request request = {
		.method = "GET", .target = &target, .on_line = on_row, .arg = &listing
	};
	int status;

	target_add(&target, "state", "deferred");
	if (destination != NULL)
		target_add(&target, "destination", destination);
	status = client_call(args, &request, NULL);
	return listing.status != EX_OK ? listing.status : status;
}

static int
dry_run(const struct args *args, const char *destination)
{
	int status = EX_OK;

	if (args->word_count == 0)
		return show_deferred(args, destination);
	if (!wants_json(args))
		return show_each(args);
	for (size_t i = 0; i < args->word_count && status == EX_OK; i++) {
		json_t *m = fetch(args, args->words[i], &status);

		if (m != NULL)
			status = print_json(m);
	}
	return status;
}

int
cmd_queue_retry(const struct args *args)
{
	const char *destination = args_get(args, "destination");
	bool all = args_get(args, "all") != NULL;
	long long sum = 0;
	int status;

	if ((int)all + (int)(destination != NULL) + (int)(args->word_count > 0) != 1)
		return cli_fail(EX_USAGE, "name messages, or --all, or --destination DEST");
	if (args_get(args, "dry-run") != NULL)
		return dry_run(args, destination);
	if (args->word_count > 0) {
		status = change_each(args, "POST", "/retry", "retried", &sum);
	} else {
		struct buf target = target_of(NULL, "/retry");

		if (destination != NULL)
			target_add(&target, "destination", destination);
		status = change(args, "POST", &target, "retried", &sum);
	}
	return print_sum(args, status, "retried", "will be tried now", sum);
}

/* What will be lost, and whether that is meant. */
static int
ask(const struct args *args)
{
	char answer[16];
	int status;

	if (!isatty(STDIN_FILENO))
		return cli_fail(
		    EX_USAGE, "standard input is no terminal: say --yes to drop messages");
	status = show_each(args);
	if (status != EX_OK)
		return status;
	(void)printf("Drop %s without a report to the sender? [y/N] ",
	    args->word_count == 1 ? "this message" : "these messages");
	(void)fflush(stdout);
	if (fgets(answer, sizeof answer, stdin) == NULL || ascii_lower(answer[0]) != 'y')
		return cli_fail(EX_TEMPFAIL, "nothing is dropped");
	return EX_OK;
}

int
cmd_queue_drop(const struct args *args)
{
	long long sum = 0;
	int status;

	if (args_get(args, "dry-run") != NULL)
		return dry_run(args, NULL);
	status = args_get(args, "yes") != NULL ? EX_OK : ask(args);
	if (status != EX_OK)
		return status;
	status = change_each(args, "DELETE", "", "dropped", &sum);
	return print_sum(args, status, "dropped", "dropped", sum);
}

int
cmd_queue_hold(const struct args *args)
{
	const char *reason = args_get(args, "reason");
	struct buf after = BUF_EMPTY;
	long long sum = 0;
	int status;

	buf_addf(&after, "/hold");
	if (reason != NULL)
		target_add(&after, "reason", reason);
	if (buf_cstr(&after) == NULL)
		return cli_fail_memory();
	status = change_each(args, "POST", buf_cstr(&after), "held", &sum);
	buf_free(&after);
	return print_sum(args, status, "held", "held until they are released", sum);
}

int
cmd_queue_release(const struct args *args)
{
	long long sum = 0;
	int status = change_each(args, "POST", "/retry", "retried", &sum);

	return print_sum(args, status, "released", "released", sum);
}

int
cmd_queue_requeue(const struct args *args)
{
	long long sum = 0;
	int status = change_each(args, "POST", "/requeue", "requeued", &sum);

	return print_sum(args, status, "requeued", "begin anew", sum);
}
