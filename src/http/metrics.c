/* http/metrics.c - what is counted, as text. */
#include "config.h"

#include "http/metrics.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "event/event.h"
#include "util/clock.h"

static void
head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_addf(out, "# HELP postrider_%s %s\n# TYPE postrider_%s %s\n", name, help, name, type);
}

static void
number(struct buf *out, const char *name, const char *type, uint64_t value, const char *help)
{
	head(out, name, type, help);
	buf_addf(out, "postrider_%s %" PRIu64 "\n", name, value);
}

static void
gauge(struct buf *out, const char *name, uint64_t value, const char *help)
{
	number(out, name, "gauge", value, help);
}

static void
counter(struct buf *out, const char *name, uint64_t value, const char *help)
{
	number(out, name, "counter", value, help);
}

/* As the format wants label values. */
static void
add_label(struct buf *out, const char *value)
{
	for (; *value != '\0'; value++)
		if (*value == '"' || *value == '\\')
			buf_addf(out, "\\%c", *value);
		else
			buf_add_char(out, *value == '\n' ? ' ' : *value);
}

/* labels: "" or those that stand in front of le. */
static void
add_histogram(
    struct buf *out, const char *name, const char *labels, const struct histogram *histogram)
{
	uint64_t sum = 0;
	const char *comma = labels[0] != '\0' ? "," : "";

	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		sum += histogram->buckets[i];
		buf_addf(out, "postrider_%s_bucket{%s%sle=\"%g\"} %" PRIu64 "\n", name, labels,
		    comma, (double)histogram_bounds_us[i] / 1e6, sum);
	}
	buf_addf(out, "postrider_%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, labels, comma,
	    histogram->count);
	if (labels[0] != '\0')
		buf_addf(out, "postrider_%s_sum{%s} %.6f\npostrider_%s_count{%s} %" PRIu64 "\n",
		    name, labels, (double)histogram->sum_us / 1e6, name, labels, histogram->count);
	else
		buf_addf(out, "postrider_%s_sum %.6f\npostrider_%s_count %" PRIu64 "\n", name,
		    (double)histogram->sum_us / 1e6, name, histogram->count);
}

/* ------------------------------------------------------------------ the daemon ---------------- */

static void
add_daemon(const struct control_context *context, struct buf *out)
{
	struct control_daemon daemon = { .config = NULL };

	context->daemon(context->arg, &daemon);
	head(out, "build_info", "gauge", "Always 1; the version is a label.");
	buf_addf(out, "postrider_build_info{version=\"%s\"} 1\n", VERSION);
	gauge(out, "sessions", daemon.sessions, "SMTP sessions of clients that are open.");
	gauge(out, "config_last_reload_successful",
	    daemon.reload_ms == 0 || daemon.reload_rc == RC_OK,
	    "0 when the last reload of the configuration failed.");
	gauge(out, "config_last_reload_timestamp_seconds",
	    (uint64_t)(daemon.reload_ms != 0 ? daemon.reload_ms : daemon.started_ms) / 1000,
	    "When the configuration was last read, or tried to be.");
	head(out, "process_start_time_seconds", "gauge", "When the daemon began.");
	buf_addf(
	    out, "postrider_process_start_time_seconds %.3f\n", (double)daemon.started_ms / 1000);
}

static uint64_t
count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	uint64_t count = 0;

	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		count++;
	(void)closedir(dir);
	return count > 3 ? count - 3 : 0; /* ".", "..", and the folder's own */
}

static uint64_t
resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	char line[128] = "", *rest = line;
	uint64_t pages = 0;

	if (file == NULL)
		return 0;
	if (fgets(line, sizeof line, file) != NULL) {
		(void)strtoull(line, &rest, 10);
		pages = strtoull(rest, NULL, 10);
	}
	(void)fclose(file);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* The names that every Prometheus client library gives, without a prefix. */
static void
add_process(struct buf *out)
{
	struct rusage usage = { .ru_utime = { 0, 0 } };
	struct rlimit files = { 0, 0 };
	double cpu;

	(void)getrusage(RUSAGE_SELF, &usage);
	(void)getrlimit(RLIMIT_NOFILE, &files);
	cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	      (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	buf_addf(out,
	    "# HELP process_cpu_seconds_total CPU time of the daemon, user and system.\n"
	    "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total %.3f\n"
	    "# HELP process_resident_memory_bytes Memory of the daemon.\n"
	    "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes %" PRIu64
	    "\n"
	    "# HELP process_open_fds Descriptors that are open.\n"
	    "# TYPE process_open_fds gauge\nprocess_open_fds %" PRIu64 "\n"
	    "# HELP process_max_fds Descriptors that may be open.\n"
	    "# TYPE process_max_fds gauge\nprocess_max_fds %" PRIu64 "\n",
	    cpu, resident_bytes(), count_descriptors(), (uint64_t)files.rlim_cur);
}

/* ------------------------------------------------------------------ messages ------------------ */

static void
add_events(struct buf *out)
{
	static const struct {
		enum event_kind kind;
		const char *result;
	} results[] = {
		{ EVENT_DELIVERY, "delivered" },
		{ EVENT_BOUNCE, "bounced" },
		{ EVENT_DELAY, "deferred" },
	};

	counter(out, "messages_accepted_total", event_count(EVENT_SEND),
	    "Messages that were stored and answered with 250.");
	counter(out, "messages_rejected_total", event_count(EVENT_REJECT),
	    "Messages that were refused after their text had come.");
	counter(out, "messages_removed_total", event_count(EVENT_REMOVED),
	    "Messages for which nothing is left to do.");
	head(out, "recipients_total", "counter",
	    "What became of recipients; deferred: each try that is to be repeated.");
	for (size_t i = 0; i < ARRAY_LEN(results); i++)
		buf_addf(out, "postrider_recipients_total{result=\"%s\"} %" PRIu64 "\n",
		    results[i].result, event_count(results[i].kind));
}

static void
add_queue(const struct queue *queue, struct buf *out)
{
	static const char *const labels[2][2] = {
		{ "attempt=\"first\",class=\"transactional\"", "attempt=\"first\",class=\"bulk\"" },
		{ "attempt=\"retry\",class=\"transactional\"", "attempt=\"retry\",class=\"bulk\"" },
	};
	const struct queue_times *times = queue_times(queue);
	struct queue_stats s;
	int64_t age_ms;

	queue_stats(queue, &s);
	age_ms = s.oldest_ms > 0 ? clock_wall_ms() - s.oldest_ms : 0;
	gauge(out, "queue_messages", s.messages, "Messages in the queue.");
	gauge(out, "queue_held_messages", s.messages_held, "Messages that wait for an operator.");
	head(out, "queue_items", "gauge",
	    "Recipients of one message for one destination, by what they wait for.");
	buf_addf(out,
	    "postrider_queue_items{state=\"ready\"} %" PRIu64 "\n"
	    "postrider_queue_items{state=\"active\"} %" PRIu64 "\n"
	    "postrider_queue_items{state=\"deferred\"} %" PRIu64 "\n",
	    s.items_ready, s.items_active, s.items_deferred);
	gauge(out, "queue_oldest_seconds", (uint64_t)(age_ms > 0 ? age_ms / 1000 : 0),
	    "Age of the oldest message in the queue.");
	gauge(out, "queue_destinations", s.destinations, "Domains and smarthosts with mail.");
	gauge(out, "connections", s.channels, "Connections to remote hosts, idle ones, too.");
	head(out, "queue_wait_seconds", "histogram",
	    "How long what could be tried waited for its turn and a connection.");
	for (int retry = 0; retry < 2; retry++)
		for (int bulk = 0; bulk < 2; bulk++)
			add_histogram(out, "queue_wait_seconds", labels[retry][bulk],
			    &times->wait[retry][bulk]);
	head(out, "delivery_duration_seconds", "histogram",
	    "How long attempts took that reached a host.");
	add_histogram(out, "delivery_duration_seconds", "", &times->attempt);
}

/* ------------------------------------------------------------------ sites --------------------- */

struct sites {
	struct queue_site_view busiest[METRICS_SITES]; /* the busiest first */
	size_t count, others;
	struct queue_site_view rest; /* all others together */
};

static uint64_t
busy(const struct queue_site_view *view)
{
	return view->ready + view->active;
}

static void
add_to_rest(struct sites *sites, const struct queue_site_view *view)
{
	sites->others++;
	sites->rest.ready += view->ready;
	sites->rest.active += view->active;
	sites->rest.connections += view->connections;
	sites->rest.limit += view->limit;
}

static void
on_site(void *arg, const struct queue_site_view *view)
{
	struct sites *sites = arg;
	size_t at = sites->count;

	if (at == METRICS_SITES && busy(view) <= busy(&sites->busiest[at - 1])) {
		add_to_rest(sites, view);
		return;
	}
	if (at == METRICS_SITES)
		add_to_rest(sites, &sites->busiest[--at]);
	else
		sites->count++;
	for (; at > 0 && busy(view) > busy(&sites->busiest[at - 1]); at--)
		sites->busiest[at] = sites->busiest[at - 1];
	sites->busiest[at] = *view;
}

static uint64_t
ready_of(const struct queue_site_view *view)
{
	return view->ready;
}

static uint64_t
active_of(const struct queue_site_view *view)
{
	return view->active;
}

static uint64_t
connections_of(const struct queue_site_view *view)
{
	return view->connections;
}

static uint64_t
limit_of(const struct queue_site_view *view)
{
	return view->limit;
}

static void
add_site(struct buf *out, const char *name, const struct queue_site_view *view, uint64_t value)
{
	buf_addf(out, "postrider_%s{site=\"", name);
	add_label(out, view->site);
	buf_addf(out, "\",source=\"");
	add_label(out, view->source);
	buf_addf(out, "\"} %" PRIu64 "\n", value);
}

static void
add_sites(const struct queue *queue, struct buf *out)
{
	static const struct {
		const char *name, *help;
		uint64_t (*value)(const struct queue_site_view *view);
	} rows[] = {
		{ "site_ready_items", "What waits for its turn at the site.", ready_of },
		{ "site_active_items", "What is being tried at the site.", active_of },
		{ "site_connections", "Connections to the site.", connections_of },
		{ "site_connection_limit", "Connections that the site takes, as was learned.",
		    limit_of },
	};
	struct sites sites = { .rest = { .site = "other", .source = "" } };

	queue_each_site(queue, on_site, &sites);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		head(out, rows[i].name, "gauge", rows[i].help);
		for (size_t j = 0; j < sites.count; j++)
			add_site(
			    out, rows[i].name, &sites.busiest[j], rows[i].value(&sites.busiest[j]));
		if (sites.others > 0)
			add_site(out, rows[i].name, &sites.rest, rows[i].value(&sites.rest));
	}
}

/* ------------------------------------------------------------------ disk ---------------------- */

static void
add_disk(const struct control_context *context, struct buf *out)
{
	struct spool_stats spool;
	struct store_stats store;

	spool_stats(context->spool, &spool);
	gauge(out, "spool_segments", spool.segments, "Files of the spool.");
	gauge(out, "spool_bytes", spool.segment_bytes, "Bytes of these files.");
	gauge(out, "spool_live_bytes", spool.live_bytes, "Bytes of what is still needed in them.");
	gauge(out, "spool_disk_free_bytes", spool.disk_free, "Free on the disk of the spool.");
	counter(out, "spool_appends_total", spool.appends, "Records that were written.");
	counter(
	    out, "spool_syncs_total", spool.syncs, "Times that the disk was asked to keep them.");
	counter(out, "spool_failures_total", spool.failures, "Writes and syncs that failed.");
	gauge(out, "spool_failing", spool.failing, "1 when no mail is taken since the disk fails.");
	store_stats(context->store, &store);
	counter(out, "store_commits_total", store.commits, "Changes that were stored.");
	counter(out, "store_failures_total", store.failures, "Changes that were not.");
	gauge(out, "store_waiting_changes", store.waiting, "Changes that wait to be stored.");
	gauge(out, "store_down", store_down(context->store) != NULL,
	    "1 when changes are refused since the store cannot be used.");
}

void
metrics_write(const struct control_context *context, struct buf *out)
{
	add_daemon(context, out);
	add_process(out);
	add_events(out);
	add_queue(context->queue, out);
	add_sites(context->queue, out);
	add_disk(context, out);
}
