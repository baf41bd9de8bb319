/* bench/smtp_load.c - a load generator: many SMTP sessions at once, with TLS and AUTH, against any server.
 *
 * Every message carries X-Seq (its number) and X-Sent (wall clock in us), by which smtp_sink counts and measures.
 * A message is acknowledged when its end of data got 2xx; one whose connection broke before the reply is in doubt and is
 * never sent again. One thread; prints one JSON object. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/ssl.h>

#include "bench/bench.h"
#include "util/clock.h"
#include "util/crypto.h"
#include "util/span.h"

enum tls {
	TLS_NONE,
	TLS_START,
	TLS_IMPLICIT
};

enum step {
	STEP_GREETING,
	STEP_EHLO,
	STEP_STARTTLS,
	STEP_HANDSHAKE,
	STEP_AUTH,
	STEP_MAIL,
	STEP_RCPT,
	STEP_DATA,
	STEP_DOT,
	STEP_QUIT,
	STEP_IDLE
};

enum {
	RECONNECT_MS = 50,
	SIZE_MIN = 400,
	FROM_MAX = 320
};

static struct options {
	const char *host, *user, *password, *from, *domain, *acked_path, *logins_path, *bind;
	int tls;
	long port, sessions, per_connection, domains, size;
	long messages, first; /* first: the number of the first message */
	bool pipeline, resume_tls, idle;
	double rate;	/* messages a second in all; 0: as fast as it goes */
	double seconds; /* begin none after; 0: until all are sent */
} opt = { .host = "127.0.0.1",
	.user = "",
	.password = "",
	.bind = "",
	.from = "jo@example.com",
	.domain = "dest.test",
	.port = 587,
	.sessions = 10,
	.per_connection = 1000000,
	.domains = 1,
	.tls = TLS_START,
	.messages = 1000,
	.size = 4096 };

/* A line of --logins, as store_fill writes them: who sends as jo@N.domain, N below `identities`. */
struct login {
	char line[600]; /* AUTH */
	char domain[FROM_MAX - 32];
	long identities;
};

struct session {
	struct bufferevent *bev;
	const struct login *login; /* of this connection; NULL: that of the options */
	char from[FROM_MAX];	   /* of the message under way */
	enum step step;
	bool secure, refused;
	long seq; /* of the message under way, or -1 */
	int sent; /* on this connection */
	int64_t begin_us, dot_us;
	bool ready; /* for MAIL: connected, inside TLS, logged in, whatever was asked for */
	struct event *timer;
};

static struct event_base *base;
static SSL_CTX *tls_context;
static SSL_SESSION *tls_session; /* to be resumed, with resume_tls */
static struct session *sessions;
static char *body;
static size_t body_len;
static char auth_line[600];
static struct login *logins;
static long login_count;
static FILE *acked_file;
static long next_seq, *returned, returned_count, acked, refused, in_doubt, lost_connections,
    connections, idle_sessions;
static uint32_t *latencies;
static uint32_t *entries; /* from connect to `ready` */
static size_t entry_count, entry_room;
static int64_t started_us, last_ack_us;
static struct event *pace_timer;
static bool stopping;

static void begin(struct session *s);
static void next_message(struct session *s);

static bool
is_anything_left(void)
{
	return returned_count > 0 || next_seq < opt.messages;
}

static void
finish_if_done(void)
{
	if (stopping || acked + refused + in_doubt >= opt.messages)
		(void)event_base_loopexit(base, NULL);
}

static void
say(struct session *s, const char *text)
{
	(void)bufferevent_write(s->bev, text, strlen(text));
}

static void
drop(struct session *s)
{
	if (s->bev != NULL)
		bufferevent_free(s->bev);
	s->bev = NULL;
}

/* The connection is gone; begin another while there is something to send. */
static void
lost(struct session *s)
{
	struct timeval wait = { 0, RECONNECT_MS * 1000L };

	if (s->seq >= 0 && s->step == STEP_DOT)
		in_doubt++;
	else if (s->seq >= 0)
		returned[returned_count++] = s->seq; /* its content was never sent: once more */
	s->seq = -1;
	lost_connections++;
	drop(s);
	(void)event_add(s->timer, &wait);
	finish_if_done();
}

/* ------------------------------------------------------------------ the dialogue -------------- */

static void
send_envelope(struct session *s)
{
	char text[512];

	(void)snprintf(text, sizeof text, "MAIL FROM:<%s>\r\n", s->from);
	say(s, text);
	if (!opt.pipeline)
		return;
	(void)snprintf(text, sizeof text, "RCPT TO:<u%ld@%.0ld%s%s>\r\nDATA\r\n", s->seq,
	    opt.domains > 1 ? s->seq % opt.domains + 1 : 0, opt.domains > 1 ? "." : "", opt.domain);
	say(s, text);
}

static void
send_rcpt(struct session *s)
{
	char text[512];

	(void)snprintf(text, sizeof text, "RCPT TO:<u%ld@%.0ld%s%s>\r\n", s->seq,
	    opt.domains > 1 ? s->seq % opt.domains + 1 : 0, opt.domains > 1 ? "." : "", opt.domain);
	say(s, text);
}

static void
send_content(struct session *s)
{
	char head[1024];
	int n = snprintf(head, sizeof head,
	    "From: Jo <%s>\r\nTo: <u%ld@%s>\r\nSubject: load %ld\r\nX-Seq: %ld\r\nX-Sent: %lld\r\n",
	    s->from, s->seq, opt.domain, s->seq, opt.first + s->seq, (long long)bench_wall_us());

	(void)bufferevent_write(s->bev, head, (size_t)n);
	(void)bufferevent_write(s->bev, body, body_len);
	s->dot_us = clock_mono_us();
}

static void
start_tls(struct session *s)
{
	SSL *ssl = SSL_new(tls_context);
	struct bufferevent *below = s->bev, *above;

	if (tls_session != NULL)
		(void)SSL_set_session(ssl, tls_session);
	above = bufferevent_openssl_filter_new(
	    base, below, ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
	if (above == NULL) {
		(void)fprintf(stderr, "smtp_load: out of memory for TLS\n");
		exit(71);
	}
	s->bev = above;
	s->step = STEP_HANDSHAKE;
}

static void
on_ack(struct session *s)
{
	int64_t now_us = clock_mono_us();

	latencies[acked++] = (uint32_t)(now_us - s->dot_us);
	last_ack_us = now_us;
	if (acked_file != NULL)
		(void)fprintf(acked_file, "%ld\n", opt.first + s->seq);
}

static void
on_reply(struct session *s, int code)
{
	bool good = code < 400;

	switch (s->step) {
	case STEP_GREETING:
		s->step = STEP_EHLO;
		say(s, "EHLO load.test\r\n");
		break;
	case STEP_EHLO:
		if (opt.tls == TLS_START && !s->secure) {
			s->step = STEP_STARTTLS;
			say(s, "STARTTLS\r\n");
		} else if (s->login != NULL || opt.user[0] != '\0') {
			s->step = STEP_AUTH;
			say(s, s->login != NULL ? s->login->line : auth_line);
		} else {
			next_message(s);
		}
		break;
	case STEP_STARTTLS:
		start_tls(s);
		break;
	case STEP_AUTH:
		if (!good) {
			(void)fprintf(stderr, "smtp_load: AUTH: %d\n", code);
			exit(77);
		}
		next_message(s);
		break;
	case STEP_MAIL:
		s->refused |= !good;
		s->step = STEP_RCPT;
		if (!opt.pipeline)
			send_rcpt(s);
		break;
	case STEP_RCPT:
		s->refused |= !good;
		s->step = STEP_DATA;
		if (!opt.pipeline)
			say(s, "DATA\r\n");
		break;
	case STEP_DATA:
		if (!good) {
			refused++;
			s->seq = -1;
			say(s, "RSET\r\n");
			s->step = STEP_AUTH; /* its 250 leads on */
			finish_if_done();
			break;
		}
		s->step = STEP_DOT;
		send_content(s);
		break;
	case STEP_DOT:
		if (good)
			on_ack(s);
		else
			refused++;
		s->seq = -1;
		finish_if_done();
		next_message(s);
		break;
	case STEP_QUIT:
		drop(s);
		begin(s);
		break;
	case STEP_IDLE:
	case STEP_HANDSHAKE:
		break;
	}
}

/* Which account and which of its identities is left to chance, the same in every run. */
static void
choose_sender(struct session *s)
{
	if (s->login == NULL)
		(void)snprintf(s->from, sizeof s->from, "%s", opt.from);
	else
		(void)snprintf(s->from, sizeof s->from, "jo@%ld.%s",
		    random() % s->login->identities, s->login->domain);
}

static void
on_ready(struct session *s)
{
	if (s->ready)
		return;
	s->ready = true;
	if (entry_count == entry_room) {
		entry_room = entry_room * 2 + 1000;
		entries = reallocarray(entries, entry_room, sizeof *entries);
		if (entries == NULL)
			exit(71);
	}
	entries[entry_count++] = (uint32_t)(clock_mono_us() - s->begin_us);
}

static void
next_message(struct session *s)
{
	on_ready(s);
	if (opt.idle) {
		s->step = STEP_IDLE;
		if (++idle_sessions == opt.sessions) {
			(void)printf("{\"idle_sessions\": %ld}\n", idle_sessions);
			(void)fflush(stdout);
		}
		return;
	}
	if (s->sent >= opt.per_connection && is_anything_left()) {
		s->step = STEP_QUIT;
		say(s, "QUIT\r\n");
		return;
	}
	if (!is_anything_left() ||
	    (opt.rate > 0 &&
		(double)next_seq >= (double)(clock_mono_us() - started_us) * opt.rate / 1e6)) {
		s->step = STEP_IDLE; /* until the pace or a loss asks again */
		return;
	}
	s->seq = returned_count > 0 ? returned[--returned_count] : next_seq++;
	s->sent++;
	s->refused = false;
	s->step = STEP_MAIL;
	choose_sender(s);
	send_envelope(s);
}

static void
on_pace(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	for (int i = 0; i < opt.sessions; i++)
		if (sessions[i].step == STEP_IDLE && sessions[i].bev != NULL && !opt.idle)
			next_message(&sessions[i]);
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct session *s = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t len;
	char *line;

	while (s->bev == bev && (line = evbuffer_readln(in, &len, EVBUFFER_EOL_CRLF)) != NULL) {
		bool last = len < 4 || line[3] != '-';
		int code = atoi(line);

		free(line);
		if (last)
			on_reply(s, code);
	}
}

static void set_callbacks(struct session *s);

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct session *s = arg;

	if ((what & BEV_EVENT_CONNECTED) == 0) {
		on_read(bev, arg); /* TLS tells of the end before it gives what came with it */
		if (s->bev == bev)
			lost(s);
		return;
	}
	if (s->step == STEP_HANDSHAKE) {
		s->secure = true;
		s->step = opt.tls == TLS_IMPLICIT ? STEP_GREETING : STEP_EHLO;
		if (opt.resume_tls && tls_session == NULL)
			tls_session = SSL_get1_session(bufferevent_openssl_get_ssl(bev));
		if (opt.tls == TLS_START)
			say(s, "EHLO load.test\r\n");
	} else if (opt.tls == TLS_IMPLICIT) {
		start_tls(s);
		set_callbacks(s);
	}
}

static void
on_read_and_reset(struct bufferevent *bev, void *arg)
{
	struct session *s = arg;

	on_read(bev, arg);
	if (s->bev != NULL && s->bev != bev)
		set_callbacks(s); /* TLS has been put on top */
}

static void
set_callbacks(struct session *s)
{
	bufferevent_setcb(s->bev, on_read_and_reset, NULL, on_event, s);
	(void)bufferevent_enable(s->bev, EV_READ | EV_WRITE);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	begin(arg);
}

/* A socket with the address that was asked for, or -1: connect makes one. */
static int
bound_socket(void)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	int fd;

	if (opt.bind[0] == '\0')
		return -1;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || inet_pton(AF_INET, opt.bind, &from.sin_addr) != 1 ||
	    bind(fd, (struct sockaddr *)&from, sizeof from) != 0) {
		(void)fprintf(stderr, "smtp_load: %s: %s\n", opt.bind, strerror(errno));
		exit(71);
	}
	return fd;
}

static void
begin(struct session *s)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port) };
	int on = 1;

	(void)inet_pton(AF_INET, opt.host, &to.sin_addr);
	s->secure = false;
	s->login = login_count > 0 ? &logins[random() % login_count] : NULL;
	s->seq = -1;
	s->sent = 0;
	s->step = STEP_GREETING;
	s->ready = false;
	s->begin_us = clock_mono_us();
	s->bev = bufferevent_socket_new(base, bound_socket(), BEV_OPT_CLOSE_ON_FREE);
	connections++;
	set_callbacks(s);
	if (bufferevent_socket_connect(s->bev, (struct sockaddr *)&to, sizeof to) != 0) {
		lost(s);
		return;
	}
	(void)setsockopt(bufferevent_getfd(s->bev), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* ------------------------------------------------------------------ start and result ---------- */

/* Time is up: what was begun is all there is. */
static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	opt.messages = next_seq;
	finish_if_done();
}

static void
make_body(void)
{
	static const char tail[] = "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n";
	static const char end[] = "\r\n.\r\n";
	size_t fill = opt.size > SIZE_MIN ? (size_t)opt.size - 300 : 100;

	body_len = sizeof tail - 1 + fill + sizeof end - 1;
	body = malloc(body_len);
	if (body == NULL)
		exit(71);
	memcpy(body, tail, sizeof tail - 1);
	for (size_t i = 0; i < fill; i++)
		body[sizeof tail - 1 + i] = i % 76 == 74   ? '\r'
					    : i % 76 == 75 ? '\n'
							   : (char)('a' + i % 26);
	if (body[sizeof tail - 2 + fill] == '\r') /* no bare CR before the end */
		body[sizeof tail - 2 + fill] = 'x';
	memcpy(body + sizeof tail - 1 + fill, end, sizeof end - 1);
}

static void
make_auth(const char *user, const char *password, char *out, size_t size)
{
	char plain[300], coded[500];
	int n = snprintf(plain, sizeof plain, "%c%s%c%s", 0, user, 0, password);

	if (n >= (int)sizeof plain) {
		(void)fprintf(stderr, "smtp_load: user and password are too long\n");
		exit(64);
	}
	(void)crypto_base64(span_make(plain, (size_t)n), coded);
	(void)snprintf(out, size, "AUTH PLAIN %s\r\n", coded);
}

static bool
add_login(const char *line)
{
	struct login *more = reallocarray(logins, (size_t)login_count + 1, sizeof *logins);
	char user[129], password[129];
	struct login *login;

	if (more == NULL)
		exit(71);
	logins = more;
	login = &logins[login_count];
	if (sscanf(line, "%128s %128s %287s %ld", user, password, login->domain,
		&login->identities) != 4 ||
	    login->identities < 1)
		return false;
	make_auth(user, password, login->line, sizeof login->line);
	login_count++;
	return true;
}

static void
read_logins(const char *path)
{
	FILE *file = fopen(path, "r");
	char line[1024];

	if (file == NULL) {
		(void)fprintf(stderr, "smtp_load: %s: %s\n", path, strerror(errno));
		exit(66);
	}
	while (fgets(line, sizeof line, file) != NULL)
		if (!add_login(line)) {
			(void)fprintf(
			    stderr, "smtp_load: %s: line %ld is no login\n", path, login_count + 1);
			exit(65);
		}
	(void)fclose(file);
	if (login_count == 0) {
		(void)fprintf(stderr, "smtp_load: %s: no login in it\n", path);
		exit(65);
	}
}

static void
print_result(void)
{
	double seconds =
	    (double)((last_ack_us > 0 ? last_ack_us : clock_mono_us()) - started_us) / 1e6;

	qsort(latencies, (size_t)acked, sizeof *latencies, bench_compare);
	if (entry_count > 0)
		qsort(entries, entry_count, sizeof *entries, bench_compare);
	(void)printf("{\"messages\": %ld, \"acked\": %ld, \"refused\": %ld, \"in_doubt\": %ld, "
		     "\"connections\": %ld, \"lost_connections\": %ld, \"seconds\": %.3f, "
		     "\"per_second\": %.1f, "
		     "\"latency_us\": {\"p50\": %u, \"p90\": %u, \"p99\": %u, \"max\": %u}, "
		     "\"entry_us\": {\"p50\": %u, \"p90\": %u, \"p99\": %u, \"max\": %u}}\n",
	    opt.messages, acked, refused, in_doubt, connections, lost_connections, seconds,
	    seconds > 0 ? (double)acked / seconds : 0, bench_percentile(latencies, acked, 0.5),
	    bench_percentile(latencies, acked, 0.9), bench_percentile(latencies, acked, 0.99),
	    bench_percentile(latencies, acked, 1),
	    bench_percentile(entries, (long)entry_count, 0.5),
	    bench_percentile(entries, (long)entry_count, 0.9),
	    bench_percentile(entries, (long)entry_count, 0.99),
	    bench_percentile(entries, (long)entry_count, 1));
}

static void
on_stop(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	stopping = true;
	finish_if_done();
}

static const struct bench_option options[] = {
	BENCH_OPTION_TEXT("host", "IP", &opt.host),
	BENCH_OPTION_TEXT("bind", "IP", &opt.bind),
	BENCH_OPTION_NUMBER("port", "N", &opt.port, 1, 65535),
	BENCH_OPTION_WORD("tls", "none|starttls|implicit", &opt.tls), /* as in enum tls */
	BENCH_OPTION_TEXT("user", "ID", &opt.user),
	BENCH_OPTION_TEXT("password", "P", &opt.password),
	BENCH_OPTION_TEXT("logins", "FILE", &opt.logins_path),
	BENCH_OPTION_NUMBER("sessions", "N", &opt.sessions, 1, 1000000),
	BENCH_OPTION_NUMBER("messages", "N", &opt.messages, 1, LONG_MAX / 8),
	BENCH_OPTION_NUMBER("size", "BYTES", &opt.size, 0, LONG_MAX),
	BENCH_OPTION_NUMBER("per-connection", "N", &opt.per_connection, 1, LONG_MAX),
	BENCH_OPTION_REAL("rate", "PER_SECOND", &opt.rate),
	BENCH_OPTION_TEXT("from", "ADDRESS", &opt.from),
	BENCH_OPTION_TEXT("domain", "NAME", &opt.domain),
	BENCH_OPTION_NUMBER("domains", "N", &opt.domains, 1, LONG_MAX),
	BENCH_OPTION_FLAG("pipeline", &opt.pipeline),
	BENCH_OPTION_FLAG("resume-tls", &opt.resume_tls),
	BENCH_OPTION_FLAG("idle", &opt.idle),
	BENCH_OPTION_TEXT("acked", "FILE", &opt.acked_path),
	BENCH_OPTION_NUMBER("first", "SEQ", &opt.first, 0, LONG_MAX / 2),
	BENCH_OPTION_REAL("seconds", "N", &opt.seconds),
	{ .name = NULL },
};

int
main(int argc, char **argv)
{
	struct timeval pace = { 0, 2000 }, limit;
	struct event *on_term, *deadline;

	bench_parse(argc, argv, options, "");
	(void)signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	tls_context = SSL_CTX_new(TLS_client_method());
	sessions = calloc((size_t)opt.sessions, sizeof *sessions);
	latencies = calloc((size_t)opt.messages, sizeof *latencies);
	returned = calloc((size_t)opt.sessions, sizeof *returned);
	if (base == NULL || tls_context == NULL || sessions == NULL || latencies == NULL ||
	    returned == NULL)
		return 71;
	if (opt.acked_path != NULL && (acked_file = fopen(opt.acked_path, "w")) == NULL) {
		(void)fprintf(stderr, "smtp_load: %s: %s\n", opt.acked_path, strerror(errno));
		return 73;
	}
	make_body();
	make_auth(opt.user, opt.password, auth_line, sizeof auth_line);
	if (opt.logins_path != NULL)
		read_logins(opt.logins_path);
	on_term = evsignal_new(base, SIGTERM, on_stop, NULL);
	(void)event_add(on_term, NULL);
	pace_timer = event_new(base, -1, EV_PERSIST, on_pace, NULL);
	(void)event_add(pace_timer, &pace);
	deadline = evtimer_new(base, on_deadline, NULL);
	limit.tv_sec = (time_t)opt.seconds;
	limit.tv_usec = (suseconds_t)((opt.seconds - (double)limit.tv_sec) * 1e6);
	if (opt.seconds > 0)
		(void)event_add(deadline, &limit);
	started_us = clock_mono_us();
	for (int i = 0; i < opt.sessions; i++) {
		sessions[i].timer = evtimer_new(base, on_timer, &sessions[i]);
		begin(&sessions[i]);
	}
	(void)event_base_dispatch(base);
	print_result();
	if (acked_file != NULL)
		(void)fclose(acked_file);
	for (int i = 0; i < opt.sessions; i++) {
		drop(&sessions[i]);
		event_free(sessions[i].timer);
	}
	event_free(pace_timer);
	event_free(on_term);
	event_free(deadline);
	SSL_SESSION_free(tls_session);
	SSL_CTX_free(tls_context);
	event_base_free(base);
	free(sessions);
	free(latencies);
	free(returned);
	free(entries);
	free(logins);
	free(body);
	return 0;
}
