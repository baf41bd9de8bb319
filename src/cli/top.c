/* cli/top.c - what the daemon does right now, drawn anew each second. */
#include "config.h"

#include "cli/cli.h"
#include "cli/format.h"

#include <time.h>
#include <unistd.h>

enum {
	EACH_S = 1,
	ROWS = 15,
	TIMEOUT_S = 10
};

/* Counters of the last look; -1: there was none. */
struct look {
	long long accepted, delivered, bounced, deferred;
};

static json_t *
get(const struct args *args, const char *path, int *status)
{
	struct buf target = BUF_EMPTY;
	struct request request = { .method = "GET", .target = &target, .timeout_s = TIMEOUT_S };

	buf_addf(&target, "%s", path);
	return client_json(args, &request, status);
}

static void
add_rate(const char *name, long long now, long long *last, struct buf *out)
{
	if (*last >= 0)
		buf_addf(out, "  %s %lld/s", name, (now - *last) / EACH_S);
	else
		buf_addf(out, "  %s -", name);
	*last = now;
}

static void
add_status(const json_t *status, struct look *last, struct buf *out)
{
	const json_t *queue = json_object_get(status, "queue"),
		     *events = json_object_get(status, "events");
	char oldest[FORMAT_MAX];
	long long arrival = member_number(queue, "oldest_arrival_time");

	buf_addf(out, "rates     ");
	add_rate("accepted", member_number(events, "Send"), &last->accepted, out);
	add_rate("delivered", member_number(events, "Delivery"), &last->delivered, out);
	add_rate("bounced", member_number(events, "Bounce"), &last->bounced, out);
	add_rate("deferred", member_number(events, "DeliveryDelay"), &last->deferred, out);
	format_age(arrival > 0 ? (long long)time(NULL) - arrival : 0, oldest);
	buf_addf(out,
	    "\nqueue       %lld messages, the oldest %s; %lld ready, %lld active, %lld deferred, "
	    "%lld held\nconnections %lld to hosts, %lld of clients\n\n",
	    member_number(queue, "messages"), oldest, member_number(queue, "ready"),
	    member_number(queue, "active"), member_number(queue, "deferred"),
	    member_number(queue, "held"), member_number(queue, "connections"),
	    member_number(status, "sessions"));
}

static void
add_destinations(const json_t *document, struct buf *out)
{
	const json_t *row;
	size_t i;

	buf_addf(out, "%8s  %8s  %-30s  %s\n", "ITEMS", "READY", "DESTINATION", "SITE OR CAUSE");
	json_array_foreach(json_object_get(document, "destinations"), i, row)
	{
		const char *failure = member_text(row, "failure");

		buf_addf(out, "%8lld  %8lld  %-30s  ", member_number(row, "items"),
		    member_number(row, "ready"), member_text(row, "destination"));
		format_safe(member_number(row, "paused_until") > 0 ? "paused"
			    : failure[0] != '\0'		   ? failure
								   : member_text(row, "site"),
		    out);
		buf_add_char(out, '\n');
	}
}

static double
share(const json_t *row)
{
	double quota = (double)member_number(row, "quota_24h");

	return quota > 0 ? (double)member_number(row, "sent_24h") / quota : 0;
}

/* Those that have used most of their quota. */
static void
add_accounts(struct buf *accounts, struct buf *out)
{
	struct span rest = buf_span(accounts), line;
	json_t *best[3] = { NULL, NULL, NULL };

	while (span_next(&rest, '\n', &line)) {
		json_t *row = json_loadb(line.p != NULL ? line.p : "", line.len, 0, NULL);

		for (size_t i = 0; i < 3 && row != NULL; i++)
			if (best[i] == NULL || share(row) > share(best[i])) {
				json_t *other = best[i];

				best[i] = row;
				row = other;
			}
		json_decref(row);
	}
	for (size_t i = 0; i < 3 && best[i] != NULL && share(best[i]) > 0; i++)
		buf_addf(out, "%saccount %s: %lld of %lld in 24 hours (%.0f %%)\n",
		    i == 0 ? "\n" : "", member_text(best[i], "account"),
		    member_number(best[i], "sent_24h"), member_number(best[i], "quota_24h"),
		    share(best[i]) * 100);
	for (size_t i = 0; i < 3; i++)
		json_decref(best[i]);
}

static int
draw(const struct args *args, struct look *last)
{
	struct buf out = BUF_EMPTY, accounts = BUF_EMPTY, limits = BUF_EMPTY;
	struct request of_accounts = { .method = "GET", .target = &limits, .timeout_s = TIMEOUT_S };
	json_t *status_document, *destinations = NULL;
	char path[64];
	int status;

	(void)snprintf(path, sizeof path, "/v1/destinations?limit=%d", ROWS);
	buf_addf(&limits, "/v1/limits");
	status_document = get(args, "/v1/status", &status);
	if (status_document != NULL)
		destinations = get(args, path, &status);
	if (destinations != NULL)
		status = client_call(args, &of_accounts, &accounts);
	else
		buf_free(&limits);
	if (status == EX_OK && wants_json(args)) {
		json_object_set_new(status_document, "destinations",
		    json_incref(json_object_get(destinations, "destinations")));
		status = print_json(json_incref(status_document));
	} else if (status == EX_OK) {
		if (isatty(STDOUT_FILENO))
			buf_addf(&out, "\033[H\033[2J");
		add_status(status_document, last, &out);
		add_destinations(destinations, &out);
		add_accounts(&accounts, &out);
		status = print_buf(&out);
	}
	json_decref(status_document);
	json_decref(destinations);
	buf_free(&accounts);
	return status;
}

int
cmd_top(const struct args *args)
{
	const char *text = args_get(args, "count");
	struct look last = { -1, -1, -1, -1 };
	uint64_t count = UINT64_MAX;
	int status;

	if (text != NULL && (!span_uint(span_of(text), INT64_MAX, &count) || count == 0))
		return cli_fail(EX_USAGE, "--count: \"%s\" is no number", text);
	for (;;) {
		status = draw(args, &last);
		if (status != EX_OK || --count == 0)
			return status;
		(void)sleep(EACH_S);
	}
}
