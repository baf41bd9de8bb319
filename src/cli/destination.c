/* cli/destination.c - what waits for which destination, and pauses. */
#include "config.h"

#include "cli/cli.h"
#include "cli/format.h"

#include "util/units.h"

static struct buf
target_of(const char *name, const char *after)
{
	struct buf target = BUF_EMPTY;

	buf_addf(&target, "/v1/destinations");
	if (name != NULL)
		target_add_part(&target, name);
	buf_addf(&target, "%s", after);
	return target;
}

/* ------------------------------------------------------------------ ls ------------------------ */

static void
add_row(const json_t *row, bool colours, struct buf *out)
{
	char until[FORMAT_MAX];
	bool paused = member_number(row, "paused_until") > 0,
	     fails = member_text(row, "failure")[0] != '\0';

	buf_addf(out, "%8lld  %8lld  ", member_number(row, "items"), member_number(row, "ready"));
	format_paint(paused || fails ? PAINT_WAIT : PAINT_GOOD,
	    paused  ? "paused"
	    : fails ? "failing"
		    : "ok",
	    8, colours, out);
	buf_addf(out, "  %-30s  ", member_text(row, "destination"));
	if (paused) {
		format_time(member_number(row, "paused_until"), until);
		buf_addf(out, "until %s: ", until);
		format_safe(member_text(row, "pause_reason"), out);
	} else {
		format_safe(fails ? member_text(row, "failure") : member_text(row, "site"), out);
	}
	buf_add_char(out, '\n');
}

int
cmd_destination_ls(const struct args *args)
{
	struct buf target = target_of(NULL, ""), out = BUF_EMPTY;
	struct request request = { .method = "GET", .target = &target };
	json_t *document, *row;
	int status;
	size_t i;

	if (args_get(args, "limit") != NULL)
		target_add(&target, "limit", args_get(args, "limit"));
	document = client_json(args, &request, &status);
	if (document == NULL)
		return status;
	if (wants_json(args))
		return print_json(document);
	buf_addf(&out, "%8s  %8s  %-8s  %-30s  %s\n", "ITEMS", "READY", "STATE", "DESTINATION",
	    "SITE OR CAUSE");
	json_array_foreach(json_object_get(document, "destinations"), i, row)
	{
		add_row(row, format_colours(), &out);
	}
	if ((long long)i < member_number(document, "total"))
		buf_addf(&out, "and %lld more\n", member_number(document, "total") - (long long)i);
	json_decref(document);
	return print_buf(&out);
}

/* ------------------------------------------------------------------ one ----------------------- */

static int
call_one(const struct args *args, const char *method, struct buf *target)
{
	struct request request = { .method = method, .target = target };
	struct buf out = BUF_EMPTY;
	json_t *document;
	int status;

	document = client_json(args, &request, &status);
	if (document == NULL)
		return status;
	if (wants_json(args))
		return print_json(document);
	add_row(document, format_colours(), &out);
	json_decref(document);
	return print_buf(&out);
}

int
cmd_destination_show(const struct args *args)
{
	struct buf target = target_of(args->words[0], "");

	return call_one(args, "GET", &target);
}

int
cmd_destination_pause(const struct args *args)
{
	const char *duration = args_get(args, "for");
	struct buf target = target_of(args->words[0], "/pause");
	char seconds[24];
	int64_t ms = 0;

	if (duration != NULL) {
		if (units_parse_duration(span_of(duration), &ms) != RC_OK || ms < 1000) {
			buf_free(&target);
			return cli_fail(
			    EX_USAGE, "--for: \"%s\" is no duration such as \"1h30m\"", duration);
		}
		(void)snprintf(seconds, sizeof seconds, "%lld", (long long)(ms / 1000));
		target_add(&target, "for", seconds);
	}
	if (args_get(args, "reason") != NULL)
		target_add(&target, "reason", args_get(args, "reason"));
	return call_one(args, "POST", &target);
}

/* What was put off meanwhile is due now, too. */
int
cmd_destination_resume(const struct args *args)
{
	struct buf target = target_of(args->words[0], "/resume"), retry = BUF_EMPTY;
	struct request request = { .method = "POST", .target = &retry };
	int status = call_one(args, "POST", &target);
	json_t *answer;

	if (status != EX_OK)
		return status;
	buf_addf(&retry, "/v1/queue/retry");
	target_add(&retry, "destination", args->words[0]);
	answer = client_json(args, &request, &status);
	json_decref(answer);
	return status;
}
