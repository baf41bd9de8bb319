/* cli/daemon.c - ping, status, metrics, reload. */
#include "config.h"

#include "cli/cli.h"
#include "cli/format.h"

#include <string.h>

enum {
	PING_S = 10
};

static struct buf
target(const char *path)
{
	struct buf out = BUF_EMPTY;

	buf_addf(&out, "%s", path);
	return out;
}

int
cmd_ping(const struct args *args)
{
	struct buf to = target("/v1/ping"), body = BUF_EMPTY;
	struct request request = { .method = "GET", .target = &to, .timeout_s = PING_S };
	int status = client_call(args, &request, &body);

	if (status == EX_OK && wants_json(args))
		return print_buf(&body);
	if (status == EX_OK)
		(void)printf("The daemon answers.\n");
	buf_free(&body);
	return status;
}

/* ------------------------------------------------------------------ status -------------------- */

static void
add_reload(const json_t *reload, struct buf *out)
{
	char when[FORMAT_MAX];
	bool ok = strcmp(member_text(reload, "result"), "ok") == 0;
	const char *list = ok ? "restart_needed" : "errors";
	json_t *line;
	size_t i;

	if (strcmp(member_text(reload, "result"), "none") == 0)
		return;
	format_time(member_number(reload, "time"), when);
	buf_addf(out, "reload     %s ", when);
	format_paint(ok ? PAINT_GOOD : PAINT_BAD, ok ? "ok" : "failed", 0, format_colours(), out);
	buf_add_char(out, '\n');
	json_array_foreach(json_object_get(reload, list), i, line)
	{
		buf_addf(out, "           ");
		format_safe(json_is_string(line) ? json_string_value(line) : "", out);
		buf_addf(out, "%s\n", ok ? ": waits for a restart" : "");
	}
}

static void
add_queue(const json_t *queue, struct buf *out)
{
	char oldest[FORMAT_MAX];

	format_time(member_number(queue, "oldest_arrival_time"), oldest);
	buf_addf(out, "queue      %lld messages for %lld destinations, the oldest of %s\n",
	    member_number(queue, "messages"), member_number(queue, "destinations"), oldest);
	buf_addf(out,
	    "           %lld ready, %lld in an attempt, %lld deferred; %lld connections\n",
	    member_number(queue, "ready"), member_number(queue, "active"),
	    member_number(queue, "deferred"), member_number(queue, "connections"));
	if (member_number(queue, "held") > 0)
		buf_addf(out,
		    "           %lld messages held: see \"postrider queue ls --state held\"\n",
		    member_number(queue, "held"));
}

static void
add_spool(const json_t *spool, struct buf *out)
{
	char used[FORMAT_MAX], live[FORMAT_MAX], free_bytes[FORMAT_MAX];

	format_size(member_number(spool, "segment_bytes"), used);
	format_size(member_number(spool, "live_bytes"), live);
	format_size(member_number(spool, "disk_free"), free_bytes);
	buf_addf(out, "spool      %s in %lld segments, %s of it live; %s free on the disk\n", used,
	    member_number(spool, "segments"), live, free_bytes);
	if (!json_is_true(json_object_get(spool, "failing")))
		return;
	buf_addf(out, "           ");
	format_paint(PAINT_BAD, "no mail is taken in", 0, format_colours(), out);
	buf_addf(out, ": ");
	format_safe(member_text(spool, "failure"), out);
	buf_addf(out, "; %lld outcomes wait\n", member_number(spool, "waiting_outcomes"));
}

/* What an operator calls it; a kind that is newer than this command has its own name. */
static const char *
event_word(const char *kind)
{
	static const struct {
		const char *name, *word;
	} words[] = { { "Send", "accepted" }, { "Reject", "rejected" }, { "Delivery", "delivered" },
		{ "Bounce", "bounced" }, { "DeliveryDelay", "delayed" },
		{ "Removed", "finished" } };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i].name, kind) == 0)
			return words[i].word;
	return kind;
}

static void
add_events(json_t *events, struct buf *out)
{
	const char *kind, *comma = "";
	json_t *count;

	buf_addf(out, "events    ");
	json_object_foreach(events, kind, count)
	{
		buf_addf(out, "%s %lld ", comma, (long long)json_integer_value(count));
		format_safe(event_word(kind), out);
		comma = ",";
	}
	buf_add_char(out, '\n');
}

static void
add_failures(json_t *failures, struct buf *out)
{
	const char *name, *before = "failures   ";
	json_t *counts;

	json_object_foreach(failures, name, counts)
	{
		buf_addf(out, "%s", before);
		format_safe(name, out);
		buf_addf(out, " %lld bounced, %lld delayed\n", member_number(counts, "Bounce"),
		    member_number(counts, "DeliveryDelay"));
		before = "           ";
	}
}

static int
print_status(const json_t *status)
{
	char age[FORMAT_MAX];
	struct buf out = BUF_EMPTY;

	format_age(member_number(status, "uptime"), age);
	buf_addf(&out, "postriderd %s on ", member_text(status, "version"));
	format_safe(member_text(status, "hostname"), &out);
	buf_addf(&out, ", pid %lld, up %s\nconfig     ", member_number(status, "pid"), age);
	format_safe(member_text(status, "config_file"), &out);
	buf_add_char(&out, '\n');
	add_reload(json_object_get(status, "reload"), &out);
	buf_addf(&out, "sessions   %lld\n", member_number(status, "sessions"));
	add_queue(json_object_get(status, "queue"), &out);
	add_spool(json_object_get(status, "spool"), &out);
	add_events(json_object_get(status, "events"), &out);
	add_failures(json_object_get(status, "failures"), &out);
	return print_buf(&out);
}

int
cmd_status(const struct args *args)
{
	struct buf to = target("/v1/status");
	struct request request = { .method = "GET", .target = &to, .timeout_s = PING_S };
	json_t *document;
	int status;

	document = client_json(args, &request, &status);
	if (document == NULL)
		return status;
	if (wants_json(args))
		return print_json(document);
	status = print_status(document);
	json_decref(document);
	return status;
}

int
cmd_metrics(const struct args *args)
{
	struct buf to = target("/v1/metrics"), body = BUF_EMPTY;
	struct request request = { .method = "GET", .target = &to, .timeout_s = PING_S };
	int status = client_call(args, &request, &body);

	if (status == EX_OK)
		return print_text(args, "metrics", &body);
	buf_free(&body);
	return status;
}

/* ------------------------------------------------------------------ reload -------------------- */

int
cmd_reload(const struct args *args)
{
	struct buf to = target("/v1/reload");
	struct request request = { .method = "POST", .target = &to };
	json_t *document, *name;
	size_t i;
	int status;

	document = client_json(args, &request, &status);
	if (document == NULL)
		return status;
	if (wants_json(args))
		return print_json(document);
	(void)printf("Reloaded.\n");
	json_array_foreach(json_object_get(document, "restart_needed"), i, name)
	{
		struct buf line = BUF_EMPTY;

		format_safe(json_is_string(name) ? json_string_value(name) : "", &line);
		buf_addf(&line, ": changed, takes effect after a restart\n");
		(void)print_buf(&line);
	}
	json_decref(document);
	return EX_OK;
}
