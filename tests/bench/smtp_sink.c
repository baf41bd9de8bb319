/* bench/smtp_sink.c - a receiver that counts: every message by its X-Seq, and the time it took by its X-Sent.
 *
 * Only numbers below --max count for times and rates: what warms a server up can be given higher ones.
 * Answers can be delayed, and a share of messages refused with 451. Prints one JSON object when --expect different
 * messages have come, or on SIGTERM; SIGUSR1 tells how many have come so far, SIGUSR2 ends the delays. One thread. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "bench/bench.h"
#include "util/clock.h"

enum {
	LOOK_FOR_FIELDS = 8192
};

static struct options {
	const char *host;
	long port, delay_ms, fail_percent, max, expect;
} opt = { .host = "127.0.0.1", .max = 1000000 };

struct peer {
	LIST_ENTRY(peer) link;
	struct bufferevent *bev;
	struct event *delay;
	bool in_data, refuse;
	size_t searched; /* no end of data begins before */
};

static LIST_HEAD(peer_list, peer) peers = LIST_HEAD_INITIALIZER(peers);
static struct event_base *base;
static uint8_t *seen; /* by X-Seq */
static uint32_t *latencies;
static long messages, unique, duplicates, unnumbered, failed, connections, open_now, open_max;
static long long bytes;
static int64_t first_us, last_us;

static void
say(struct peer *p, const char *text)
{
	(void)bufferevent_write(p->bev, text, strlen(text));
}

/* The number behind "\nNAME: " in the first bytes of the message, or -1. */
static long long
field(const char *text, size_t len, const char *name)
{
	const char *at = memmem(text, len, name, strlen(name));

	return at != NULL ? atoll(at + strlen(name)) : -1;
}

static void
count(const char *head, size_t len, size_t size)
{
	long long seq = field(head, len, "\nX-Seq: "), sent_us = field(head, len, "\nX-Sent: ");

	messages++;
	bytes += (long long)size;
	if (seq < 0 || seq >= opt.max) {
		unnumbered++;
		return;
	}
	if (seen[seq]++ > 0) {
		duplicates++;
		return;
	}
	last_us = clock_mono_us();
	if (unique == 0)
		first_us = last_us;
	latencies[unique++] = sent_us > 0 ? (uint32_t)(bench_wall_us() - sent_us) : 0;
	if (opt.expect > 0 && unique >= opt.expect)
		(void)event_base_loopexit(base, NULL);
}

static void
answer(struct peer *p)
{
	say(p, p->refuse ? "451 4.7.1 not now\r\n" : "250 2.0.0 ok\r\n");
}

static void
on_delay(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	answer(arg);
}

/* True when the whole content was there. */
static bool
take_content(struct peer *p, struct evbuffer *in)
{
	static const char end[] = "\r\n.\r\n";
	struct evbuffer_ptr from, at;
	char head[LOOK_FOR_FIELDS + 1];
	ssize_t n;

	if (evbuffer_ptr_set(in, &from, p->searched, EVBUFFER_PTR_SET) != 0)
		return false;
	at = evbuffer_search(in, end, sizeof end - 1, &from);
	if (at.pos < 0) {
		size_t len = evbuffer_get_length(in);

		p->searched = len > 4 ? len - 4 : 0;
		return false;
	}
	p->refuse = opt.fail_percent > 0 && rand() % 100 < opt.fail_percent;
	n = evbuffer_copyout(
	    in, head, LOOK_FOR_FIELDS < (size_t)at.pos ? LOOK_FOR_FIELDS : (size_t)at.pos);
	head[n > 0 ? n : 0] = '\0'; /* numbers are read up to what is none */
	if (p->refuse)
		failed++;
	else
		count(head, n > 0 ? (size_t)n : 0, (size_t)at.pos + 2);
	(void)evbuffer_drain(in, (size_t)at.pos + sizeof end - 1);
	p->in_data = false;
	if (opt.delay_ms > 0) {
		struct timeval wait = { opt.delay_ms / 1000, opt.delay_ms % 1000 * 1000 };

		(void)event_add(p->delay, &wait);
	} else {
		answer(p);
	}
	return true;
}

static void
take_command(struct peer *p, const char *line)
{
	if (strncasecmp(line, "EHLO", 4) == 0) {
		say(p, "250-sink.test\r\n250-PIPELINING\r\n250-SIZE 100000000\r\n250 8BITMIME\r\n");
	} else if (strncasecmp(line, "DATA", 4) == 0) {
		p->in_data = true;
		p->searched = 0;
		say(p, "354 go\r\n");
	} else if (strncasecmp(line, "QUIT", 4) == 0) {
		say(p, "221 bye\r\n");
	} else {
		say(p, "250 ok\r\n");
	}
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct peer *p = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	char *line;

	for (;;) {
		if (p->in_data) {
			if (!take_content(p, in))
				return;
			continue;
		}
		line = evbuffer_readln(in, NULL, EVBUFFER_EOL_CRLF);
		if (line == NULL)
			return;
		take_command(p, line);
		free(line);
	}
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct peer *p = arg;

	(void)what;
	LIST_REMOVE(p, link);
	bufferevent_free(bev);
	event_free(p->delay);
	free(p);
	open_now--;
}

static void
on_accept(
    struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr, int len, void *arg)
{
	struct peer *p = calloc(1, sizeof *p);
	int on = 1;

	(void)listener;
	(void)addr;
	(void)len;
	(void)arg;
	if (p == NULL)
		exit(71);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	connections++;
	if (++open_now > open_max)
		open_max = open_now;
	p->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	p->delay = evtimer_new(base, on_delay, p);
	LIST_INSERT_HEAD(&peers, p, link);
	bufferevent_setcb(p->bev, on_read, NULL, on_event, p);
	(void)bufferevent_enable(p->bev, EV_READ | EV_WRITE);
	say(p, "220 sink.test ESMTP\r\n");
}

static void
print_result(void)
{
	double seconds = (double)(last_us - first_us) / 1e6;

	qsort(latencies, (size_t)unique, sizeof *latencies, bench_compare);
	(void)printf("{\"messages\": %ld, \"unique\": %ld, \"duplicates\": %ld, \"unnumbered\": "
		     "%ld, \"refused\": %ld, "
		     "\"bytes\": %lld, \"connections\": %ld, \"open_max\": %ld, \"seconds\": %.3f, "
		     "\"per_second\": %.1f, \"latency_us\": {\"p50\": %u, \"p90\": %u, \"p99\": "
		     "%u, \"max\": %u}}\n",
	    messages, unique, duplicates, unnumbered, failed, bytes, connections, open_max, seconds,
	    seconds > 0 ? (double)unique / seconds : 0, bench_percentile(latencies, unique, 0.5),
	    bench_percentile(latencies, unique, 0.9), bench_percentile(latencies, unique, 0.99),
	    bench_percentile(latencies, unique, 1));
}

/* From now on without delay; what waits is answered at once. */
static void
end_delays(void)
{
	struct peer *p;

	opt.delay_ms = 0;
	LIST_FOREACH (p, &peers, link)
		if (evtimer_pending(p->delay, NULL))
			event_active(p->delay, EV_TIMEOUT, 1);
}

static void
on_signal(evutil_socket_t number, short what, void *arg)
{
	(void)what;
	(void)arg;
	if (number == SIGUSR1) {
		(void)printf("{\"unique\": %ld, \"unnumbered\": %ld}\n", unique, unnumbered);
		(void)fflush(stdout);
		return;
	}
	if (number == SIGUSR2) {
		end_delays();
		return;
	}
	(void)event_base_loopexit(base, NULL);
}

static const struct bench_option options[] = {
	BENCH_OPTION_TEXT("host", "IP", &opt.host),
	BENCH_OPTION_NUMBER("port", "N", &opt.port, 0, 65535),
	BENCH_OPTION_NUMBER("delay", "MS", &opt.delay_ms, 0, LONG_MAX / 1000),
	BENCH_OPTION_NUMBER("fail", "PERCENT", &opt.fail_percent, 0, 100),
	BENCH_OPTION_NUMBER("max", "SEQ", &opt.max, 1, LONG_MAX / 8),
	BENCH_OPTION_NUMBER("expect", "N", &opt.expect, 0, LONG_MAX),
	{ .name = NULL },
};

int
main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof at;
	struct evconnlistener *listener;
	struct event *term, *usr1, *usr2;

	bench_parse(argc, argv, options, "       port 0: any free one, printed first\n");
	(void)signal(SIGPIPE, SIG_IGN);
	at.sin_port = htons((uint16_t)opt.port);
	(void)inet_pton(AF_INET, opt.host, &at.sin_addr);
	base = event_base_new();
	seen = calloc((size_t)opt.max, 1);
	latencies = calloc((size_t)opt.max, sizeof *latencies);
	if (base == NULL || seen == NULL || latencies == NULL)
		return 71;
	listener = evconnlistener_new_bind(base, on_accept, NULL,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 4096, (struct sockaddr *)&at, sizeof at);
	if (listener == NULL) {
		(void)fprintf(
		    stderr, "smtp_sink: %s:%ld: %s\n", opt.host, opt.port, strerror(errno));
		return 71;
	}
	(void)getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&at, &len);
	(void)printf("{\"port\": %d}\n", ntohs(at.sin_port));
	(void)fflush(stdout);
	term = evsignal_new(base, SIGTERM, on_signal, NULL);
	usr1 = evsignal_new(base, SIGUSR1, on_signal, NULL);
	usr2 = evsignal_new(base, SIGUSR2, on_signal, NULL);
	(void)event_add(term, NULL);
	(void)event_add(usr1, NULL);
	(void)event_add(usr2, NULL);
	(void)event_base_dispatch(base);
	print_result();
	evconnlistener_free(listener);
	event_free(term);
	event_free(usr1);
	event_free(usr2);
	free(seen);
	free(latencies);
	return 0;
}
