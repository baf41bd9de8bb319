/* Unit tests of net/conn.c: both ends on one loop, over loopback, in clear and in TLS; or one end in the test's hand. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "unit/net/net_test.h"
#include "net/conn.h"
#include "util/clock.h"

enum {
	INPUT_MAX = 100 * 1000
};

struct world;

/* One end, what it does in its callbacks, and what it saw. */
struct end {
	struct world *world;
	struct conn *conn;

	/* ---- behaviour ---- */
	size_t (*use)(struct end *end, struct span in); /* NULL: takes all */
	void (*drained)(struct end *end);
	void (*connected)(struct end *end);
	void (*tls)(struct end *end);
	void (*over)(struct end *end);

	/* ---- seen ---- */
	struct buf got;
	size_t bytes;
	unsigned calls, drains, ends;
	size_t most_given;
	bool in_tls;
	enum conn_end how;
	char why[256];
	uint64_t rounds;
	struct timer timer;
	int step;
};

struct world {
	struct loop *loop;
	struct end a, b; /* a begins, b was listening */
	int fd;		 /* b's, or the test's own */
	struct give_up give_up;
};

static size_t
on_data(void *arg, struct span in)
{
	struct end *end = arg;
	size_t used = in.len;

	end->calls++;
	if (in.len > end->most_given)
		end->most_given = in.len;
	if (end->use != NULL)
		used = end->use(end, in);
	else
		buf_add_span(&end->got, in);
	end->bytes += used;
	return used;
}

static void
on_drained(void *arg)
{
	struct end *end = arg;

	end->drains++;
	if (end->drained != NULL)
		end->drained(end);
}

static void
on_connected(void *arg)
{
	struct end *end = arg;

	if (end->connected != NULL)
		end->connected(end);
}

static void
on_tls(void *arg)
{
	struct end *end = arg;

	end->in_tls = conn_is_tls(end->conn);
	if (end->tls != NULL)
		end->tls(end);
}

static void
on_end(void *arg, enum conn_end how, const char *why)
{
	struct end *end = arg;

	end->ends++;
	end->how = how;
	(void)snprintf(end->why, sizeof end->why, "%s", why);
	conn_free(end->conn);
	end->conn = NULL;
	if (end->over != NULL)
		end->over(end);
}

static const struct conn_ops ops = { on_data, on_drained, on_connected, on_tls, on_end };

static void
stop(struct end *end)
{
	loop_stop(end->world->loop);
}

/* ------------------------------------------------------------------ a pair -------------------- */

/* a connects; b's descriptor is in w->fd, not yet a conn. */
static void
begin(struct world *w)
{
	struct why why = WHY_EMPTY;
	struct sockaddr_in addr;
	int listener = listen_somewhere(&addr, 0);

	*w = (struct world){ .loop = loop_new("test", &why) };
	assert_non_null(w->loop);
	w->a.world = w->b.world = w;
	give_up_begin(&w->give_up, w->loop);
	w->a.conn = conn_connect(
	    w->loop, (struct sockaddr *)&addr, sizeof addr, NULL, 0, INPUT_MAX, &ops, &w->a, &why);
	assert_non_null(w->a.conn);
	w->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(w->fd >= 0);
	(void)close(listener);
}

static void
begin_both(struct world *w)
{
	begin(w);
	assert_int_equal(fcntl(w->fd, F_SETFL, O_NONBLOCK), 0);
	w->b.conn = conn_new(w->loop, w->fd, INPUT_MAX, &ops, &w->b);
	assert_non_null(w->b.conn);
	w->fd = -1;
}

static void
run(struct world *w)
{
	give_up_run(&w->give_up);
}

static void
finish(struct world *w)
{
	conn_free(w->a.conn);
	conn_free(w->b.conn);
	timer_cancel(&w->give_up.timer);
	timer_cancel(&w->a.timer);
	timer_cancel(&w->b.timer);
	buf_free(&w->a.got);
	buf_free(&w->b.got);
	if (w->fd >= 0)
		(void)close(w->fd);
	loop_free(w->loop);
}

static void
start_tls_client(struct end *end)
{
	size_t dropped;

	assert_rc(
	    conn_start_tls_client(end->conn, client_tls, "mx.example.com", false, &dropped), RC_OK);
}

static void
start_tls_both(struct world *w)
{
	size_t dropped;

	w->a.connected = start_tls_client;
	assert_rc(conn_start_tls_server(w->b.conn, server_tls, &dropped), RC_OK);
}

/* ------------------------------------------------------------------ much data ----------------- */

enum {
	MUCH = 12 * 1024 * 1024
};

static unsigned char
pattern(size_t at)
{
	return (unsigned char)(at * 7 + at / 251);
}

/* Everything at once, then the end: all of it has to come out before. */
static void
write_much(struct end *end)
{
	char *bytes = malloc(MUCH);

	assert_non_null(bytes);
	for (size_t i = 0; i < MUCH; i++)
		bytes[i] = (char)pattern(i);
	conn_write(end->conn, span_make(bytes, MUCH));
	assert_true(conn_unsent(end->conn) > 0);
	free(bytes);
}

static void
close_now(struct end *end)
{
	struct conn *conn = end->conn;

	end->conn = NULL;
	conn_close(conn);
}

static size_t
check_pattern(struct end *end, struct span in)
{
	for (size_t i = 0; i < in.len; i += 97)
		assert_int_equal((unsigned char)in.p[i], pattern(end->bytes + i));
	return in.len;
}

static void
resume(void *arg)
{
	struct end *end = arg;

	if (end->conn != NULL)
		conn_resume(end->conn);
}

/* Takes whole thousands, but for the last bytes, and pauses every megabyte. */
static size_t
take_slowly(struct end *end, struct span in)
{
	bool last = end->bytes + in.len == MUCH;
	struct span part = span_first(in, last ? in.len : in.len - in.len % 1000);

	assert_true(in.len <= INPUT_MAX + CONN_READ_SIZE);
	(void)check_pattern(end, part);
	if (end->bytes / 1048576 != (end->bytes + part.len) / 1048576) {
		conn_pause(end->conn);
		timer_set(&end->timer, 1);
	}
	return part.len;
}

static void
check_much(bool tls, bool slow)
{
	struct world w;

	begin_both(&w);
	w.b.use = slow ? take_slowly : check_pattern;
	w.b.over = stop;
	timer_init(&w.b.timer, w.loop, resume, &w.b);
	if (tls) {
		start_tls_both(&w);
		w.a.tls = write_much;
	} else {
		w.a.connected = write_much;
	}
	w.a.drained = close_now;
	run(&w);
	assert_int_equal(w.b.bytes, MUCH);
	assert_int_equal(w.b.ends, 1);
	assert_int_equal(w.b.how, CONN_EOF);
	assert_int_equal(w.a.drains, 1);
	assert_int_equal(w.b.in_tls, tls);
	finish(&w);
}

static void
test_much(void **state)
{
	(void)state;
	check_much(false, false);
	check_much(false, true);
}

static void
test_much_tls(void **state)
{
	(void)state;
	check_much(true, false);
	check_much(true, true);
}

static void
write_above_mark(struct end *end)
{
	static const char bytes[CONN_LOW_MARK + 1];

	conn_write(end->conn, span_make(bytes, sizeof bytes));
}

/* Closed when all is written: there is nothing to flush, and the close waits for nothing. */
static void
test_close_when_drained(void **state)
{
	int64_t start_ms = clock_mono_ms();
	struct world w;

	(void)state;
	begin_both(&w);
	w.a.connected = write_above_mark;
	w.a.drained = close_now;
	w.b.over = stop;
	run(&w);
	assert_int_equal(w.b.bytes, CONN_LOW_MARK + 1);
	assert_int_equal(w.b.how, CONN_EOF);
	assert_true(clock_mono_ms() - start_ms < 4000); /* conn_close gives up after 5 s */
	finish(&w);
}

/* ------------------------------------------------------------------ little data --------------- */

static void
say(struct world *w, const char *text)
{
	assert_int_equal(write(w->fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* One line in each call; between them the conn is paused, as a session is while it waits. */
static size_t
take_line(struct end *end, struct span in)
{
	size_t lf = span_find(in, '\n');

	if (lf == in.len)
		return 0;
	buf_add_span(&end->got, span_first(in, lf));
	buf_add_char(&end->got, ';');
	if (end->step++ % 2 == 0) {
		conn_pause(end->conn);
		timer_set(&end->timer, 1);
	}
	return lf + 1;
}

static size_t
take_lines(struct end *end, struct span in)
{
	size_t used = 0, n;

	do {
		n = take_line(end, span_skip(in, used));
		used += n;
	} while (n > 0 && end->step % 2 == 0);
	return used;
}

static void
write_lines(struct end *end)
{
	struct buf lines = BUF_EMPTY;

	for (int i = 0; i < 60; i++)
		buf_addf(&lines, "line %d\n", i);
	conn_write(end->conn, buf_span(&lines));
	buf_free(&lines);
	close_now(end);
}

/* Sixty lines in one piece (in TLS: one record) are all given, though each second one pauses. */
static void
check_sixty(bool tls)
{
	struct buf want = BUF_EMPTY;
	struct world w;

	for (int i = 0; i < 60; i++)
		buf_addf(&want, "line %d;", i);
	begin_both(&w);
	w.b.use = take_lines;
	w.b.over = stop;
	timer_init(&w.b.timer, w.loop, resume, &w.b);
	if (tls) {
		start_tls_both(&w);
		w.a.tls = write_lines;
	} else {
		w.a.connected = write_lines;
	}
	run(&w);
	assert_string_equal(buf_cstr(&w.b.got), buf_cstr(&want));
	buf_free(&want);
	finish(&w);
}

static void
test_lines(void **state)
{
	(void)state;
	check_sixty(false);
	check_sixty(true);
}

/* When it has got all that there may be, looks on for a while. */
static size_t
take_nothing(struct end *end, struct span in)
{
	if (in.len >= INPUT_MAX && !timer_is_set(&end->timer)) {
		timer_set(&end->timer, 100);
		end->rounds = loop_rounds(end->world->loop);
	}
	return 0;
}

static void
stop_loop(void *arg)
{
	stop(arg);
}

/* Input that nobody uses is bounded, and the socket is left alone then. */
static void
test_max_input(void **state)
{
	struct world w;

	(void)state;
	begin_both(&w);
	w.b.use = take_nothing;
	w.a.connected = write_much;
	timer_init(&w.b.timer, w.loop, stop_loop, &w.b);
	run(&w);
	assert_true(w.b.most_given >= INPUT_MAX);
	assert_true(w.b.most_given <= INPUT_MAX + CONN_READ_SIZE);
	assert_true(loop_rounds(w.loop) - w.b.rounds < 100); /* no busy loop */
	assert_int_equal(w.b.ends, 0);
	finish(&w);
}

/* ------------------------------------------------------------------ ends ---------------------- */

/* The peer shuts its side down: what it said before is given first, then the end. */
static void
test_half_close(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	say(&w, "hello");
	assert_int_equal(shutdown(w.fd, SHUT_WR), 0);
	w.a.over = stop;
	run(&w);
	assert_string_equal(buf_cstr(&w.a.got), "hello");
	assert_int_equal(w.a.how, CONN_EOF);
	assert_string_equal(w.a.why, "connection closed by peer");
	finish(&w);
}

static size_t
answer(struct end *end, struct span in)
{
	conn_write(end->conn, in);
	close_now(end);
	loop_stop(end->world->loop);
	return in.len;
}

/* The last words are not lost when they are followed by conn_close, and nothing is called afterwards. */
static void
test_last_words(void **state)
{
	struct world w;
	char got[100];
	ssize_t len;

	(void)state;
	begin(&w);
	say(&w, "QUIT\r\n");
	w.a.use = answer;
	run(&w);
	len = read(w.fd, got, sizeof got);
	assert_int_equal(len, 6);
	assert_int_equal(read(w.fd, got, sizeof got), 0);
	assert_int_equal(w.a.ends, 0);
	finish(&w);
}

static void
test_reset(void **state)
{
	const struct linger now = { 1, 0 };
	struct world w;

	(void)state;
	begin(&w);
	assert_int_equal(setsockopt(w.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
	(void)close(w.fd);
	w.fd = -1;
	w.a.over = stop;
	run(&w);
	assert_int_equal(w.a.ends, 1);
	assert_int_equal(w.a.how, CONN_ERROR);
	finish(&w);
}

static void
test_refused(void **state)
{
	struct why why = WHY_EMPTY;
	struct sockaddr_in addr;
	struct world w;
	char address[CONN_ADDRESS_LEN];
	unsigned port;

	(void)state;
	begin(&w);
	conn_free(w.a.conn);
	(void)close(listen_somewhere(&addr, 0)); /* nobody listens there now */
	w.a.conn = conn_connect(
	    w.loop, (struct sockaddr *)&addr, sizeof addr, NULL, 0, INPUT_MAX, &ops, &w.a, &why);
	if (w.a.conn != NULL) { /* or refused inside the call, which loopback may do */
		w.a.over = stop;
		run(&w);
		assert_int_equal(w.a.how, CONN_ERROR);
		assert_string_equal(w.a.why, "connect: Connection refused");
	} else {
		assert_string_equal(why.text, "connect: Connection refused");
	}
	conn_format_address((struct sockaddr *)&addr, address, &port);
	assert_string_equal(address, "127.0.0.1");
	assert_int_equal(port, ntohs(addr.sin_port));
	finish(&w);
}

/* ------------------------------------------------------------------ free inside --------------- */

static void
free_now(struct end *end)
{
	conn_free(end->conn);
	end->conn = NULL;
	stop(end);
}

static size_t
free_in_data(struct end *end, struct span in)
{
	conn_write(end->conn, in); /* will not be sent */
	free_now(end);
	return 1;
}

static size_t
tls_in_data(struct end *end, struct span in)
{
	size_t dropped;

	assert_rc(conn_start_tls_server(end->conn, server_tls, &dropped), RC_OK);
	timer_set(&end->timer, 50);
	return in.len > 5 ? 5 : in.len;
}

/* Address sanitizer looks on. */
static void
test_free_inside(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	w.a.connected = free_now;
	run(&w);
	finish(&w);

	begin(&w);
	say(&w, "hello");
	w.a.use = free_in_data;
	run(&w);
	assert_int_equal(w.a.ends, 0);
	finish(&w);

	begin_both(&w); /* in on_drained, which conn_write may call */
	w.a.connected = write_much;
	w.a.drained = free_now;
	run(&w);
	finish(&w);

	begin_both(&w);
	start_tls_both(&w);
	w.a.tls = free_now;
	run(&w);
	finish(&w);

	begin_both(&w);
	start_tls_both(&w);
	w.b.tls = free_now;
	run(&w);
	finish(&w);

	begin_both(&w); /* close in the middle of a handshake, and while connecting */
	start_tls_both(&w);
	close_now(&w.b);
	close_now(&w.a);
	finish(&w);
}

/* ------------------------------------------------------------------ TLS ----------------------- */

/* STARTTLS: a byte said behind it in clear never comes out of the TLS session. */
static void
test_clear_bytes_are_dropped(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	say(&w, "STLS\nRSET\nMAIL FROM:<evil@example.com>\n");
	w.a.use = tls_in_data;
	w.a.over = stop;
	timer_init(&w.a.timer, w.loop, stop_loop, &w.a);
	run(&w);
	assert_int_equal(w.a.calls, 1);
	assert_int_equal(w.a.bytes, 5);
	assert_int_equal(w.a.ends, 0); /* waits for the handshake */
	assert_false(conn_is_tls(w.a.conn));
	finish(&w);
}

static void
test_tls_names(void **state)
{
	struct world w;

	(void)state;
	begin_both(&w);
	start_tls_both(&w);
	w.b.over = w.b.tls = stop;
	run(&w);
	assert_true(w.b.in_tls);
	assert_string_equal(conn_tls_version(w.b.conn), "TLSv1.3");
	assert_true(strlen(conn_tls_cipher(w.b.conn)) > 0);
	finish(&w);
}

static void
start_tls_verified(struct end *end)
{
	size_t dropped;

	assert_rc(
	    conn_start_tls_client(end->conn, client_tls, "mx.example.com", true, &dropped), RC_OK);
}

/* Nobody signed our certificate: a verifying client ends the handshake, on both sides. */
static void
test_tls_verify(void **state)
{
	struct world w;

	(void)state;
	begin_both(&w);
	start_tls_both(&w);
	w.a.connected = start_tls_verified;
	w.b.over = stop;
	run(&w);
	assert_int_equal(w.a.how, CONN_ERROR);
	assert_true(span_istarts(span_of(w.a.why), SPAN_LIT("TLS handshake: self")));
	assert_int_equal(w.b.how, CONN_ERROR);
	assert_false(w.a.in_tls);
	finish(&w);
}

/* Rubbish for a handshake ends the connection, and nothing else. */
static void
test_tls_rubbish(void **state)
{
	struct world w;
	size_t dropped;

	(void)state;
	begin_both(&w);
	assert_rc(conn_start_tls_server(w.b.conn, server_tls, &dropped), RC_OK);
	w.a.connected = write_much;
	w.b.over = stop;
	run(&w);
	assert_int_equal(w.b.ends, 1);
	assert_int_equal(w.b.how, CONN_ERROR);
	assert_int_equal(w.b.calls, 0);
	finish(&w);
}

/* ------------------------------------------------------------------ records in pieces --------- */

/* A TLS client whose bytes the test holds in its hand: they go to the socket piece by piece, one each round of the loop. */
struct peer {
	struct world *w;
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *out;
	struct timer timer;
	bool secure;
	const size_t *records; /* lengths of what is said, 0 behind the last */
	size_t said;
	const size_t *pieces; /* lengths, in turns */
	size_t piece_count, next;
	size_t keep_back; /* bytes that are not sent, until told */
	void (*quiet)(struct peer *peer);
};

static void
peer_listen(struct peer *peer)
{
	char bytes[4096];
	ssize_t n = recv(peer->w->fd, bytes, sizeof bytes, MSG_DONTWAIT);

	if (n > 0)
		assert_int_equal(BIO_write(peer->in, bytes, (int)n), n);
	if (!peer->secure)
		peer->secure = SSL_do_handshake(peer->ssl) == 1;
	else
		assert_int_equal(SSL_read(peer->ssl, bytes, sizeof bytes), -1); /* tickets */
}

static void
peer_say(struct peer *peer)
{
	for (; *peer->records != 0; peer->records++) {
		char *bytes = malloc(*peer->records);

		for (size_t i = 0; i < *peer->records; i++)
			bytes[i] = (char)pattern(peer->said + i);
		assert_int_equal(SSL_write(peer->ssl, bytes, (int)*peer->records), *peer->records);
		peer->said += *peer->records;
		free(bytes);
	}
}

static void
on_peer_round(void *arg)
{
	struct peer *peer = arg;
	char *bytes;
	size_t len, piece;

	peer_listen(peer);
	if (peer->secure)
		peer_say(peer);
	len = (size_t)BIO_get_mem_data(peer->out, &bytes);
	/* Nothing is kept back of the handshake: it is not what these tests are about. */
	len -= peer->secure && len >= peer->keep_back ? peer->keep_back : 0;
	piece = peer->pieces[peer->next++ % peer->piece_count];
	piece = piece < len ? piece : len;
	if (piece > 0) {
		piece = (size_t)send(peer->w->fd, bytes, piece, MSG_DONTWAIT);
		if (piece != (size_t)-1) {
			bytes = malloc(piece);
			assert_int_equal(BIO_read(peer->out, bytes, (int)piece), piece);
			free(bytes);
		}
	} else if (peer->secure && peer->quiet != NULL) {
		peer->quiet(peer);
	}
	timer_set(&peer->timer, 0);
}

/* The end a is a TLS server, and the peer its client, with the pace of `pieces`. */
static void
begin_peer(struct world *w, struct peer *peer, const size_t *records, const size_t *pieces)
{
	begin(w);
	*peer = (struct peer){ .w = w, .records = records, .pieces = pieces };
	while (pieces[peer->piece_count] != 0)
		peer->piece_count++;
	peer->ctx = SSL_CTX_new(TLS_client_method());
	peer->ssl = SSL_new(peer->ctx);
	peer->in = BIO_new(BIO_s_mem());
	peer->out = BIO_new(BIO_s_mem());
	assert_true(peer->ssl != NULL && peer->in != NULL && peer->out != NULL);
	SSL_set_bio(peer->ssl, peer->in, peer->out);
	SSL_set_connect_state(peer->ssl);
	timer_init(&peer->timer, w->loop, on_peer_round, peer);
}

static void
start_tls_server(struct end *end)
{
	size_t dropped;

	assert_rc(conn_start_tls_server(end->conn, server_tls, &dropped), RC_OK);
}

static void
finish_peer(struct world *w, struct peer *peer)
{
	timer_cancel(&peer->timer);
	SSL_free(peer->ssl);
	SSL_CTX_free(peer->ctx);
	finish(w);
	assert_int_equal(tls_buffers_held(), 0);
}

/* Fifteen hundred at most; a pause when that was not all, and every third time. */
static size_t
take_in_bites(struct end *end, struct span in)
{
	struct span part = span_first(in, 1500);

	(void)check_pattern(end, part);
	if (part.len < in.len || end->step++ % 3 == 0) {
		conn_pause(end->conn);
		timer_set(&end->timer, 0);
	}
	return part.len;
}

/* All has come out that went in, and nothing is left inside. */
static void
stop_when_all_is_there(struct peer *peer)
{
	struct end *a = &peer->w->a;

	if (a->bytes < peer->said)
		return;
	assert_int_equal(a->bytes, peer->said);
	stop(a);
}

static size_t
server_buffers(const struct peer *peer)
{
	assert_int_equal(SSL_free_buffers(peer->ssl), 1);
	return tls_buffers_held();
}

static void
check_records(const size_t *records, const size_t *pieces, bool in_bites)
{
	struct world w;
	struct peer peer;

	begin_peer(&w, &peer, records, pieces);
	w.a.connected = start_tls_server;
	w.a.use = in_bites ? take_in_bites : check_pattern;
	timer_init(&w.a.timer, w.loop, resume, &w.a);
	peer.quiet = stop_when_all_is_there;
	timer_set(&peer.timer, 0);
	run(&w);
	assert_int_equal(w.a.ends, 0);
	assert_int_equal(server_buffers(&peer), 0); /* it waits, and holds nothing */
	finish_peer(&w, &peer);
}

/* The largest records and the smallest, cut at, before and behind the borders of records and of OpenSSL's buffer, many in
 * one piece, some over several. */
static void
test_records_in_pieces(void **state)
{
	enum {
		LARGEST = 16384,
		FRAME = 5 + 1 + 16 /* around a record's text: its header, type and tag */
	};
	static const size_t large[] = { LARGEST, 1, LARGEST, LARGEST - 1, 7, LARGEST, 0 };
	static const size_t pieces[][8] = {
		{ 1000000, 0 },
		{ LARGEST + FRAME, 0 },
		{ LARGEST + FRAME - 1, 0 },
		{ LARGEST + FRAME + 1, 0 },
		{ LARGEST + FRAME + 4, 1, 0 }, /* all but the last byte of a header, then that */
		{ LARGEST + FRAME + 5, 3, 0 },
		{ 16384, 0 },
		{ 16700, 24576, 0 },
		{ 4, 1, 999, 5, 16384, 0 },
		{ 65536, 65535, 65537, 0 },
	};
	static const size_t bytes[] = { 1, 1, 1, 2, 3, 5, 0 };
	size_t small[1201] = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(small) - 1; i++)
		small[i] = 1 + i % 40;
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
		for (int in_bites = 0; in_bites < 2; in_bites++) {
			check_records(large, pieces[i], in_bites);
			check_records(small, pieces[i], in_bites);
		}
	small[50] = 0;
	check_records(small, bytes, false);
	check_records(small, bytes, true);
}

/* ------------------------------------------------------------------ memory of TLS ------------- */

static void
check_part_of_a_record(struct peer *peer)
{
	if (peer->keep_back == 0) {
		if (peer->w->a.bytes == peer->said)
			stop(&peer->w->a);
	} else if (peer->w->a.step++ == 20) { /* it has been read meanwhile */
		assert_int_equal(peer->w->a.bytes, 0);
		assert_int_equal(server_buffers(peer), 1);
		peer->keep_back = 0;
	}
}

/* A buffer is held for a record of which the end has not come, and only so long. */
static void
test_part_of_a_record(void **state)
{
	static const size_t record[] = { 5000, 0 }, piece[] = { 1000000, 0 };
	struct world w;
	struct peer peer;

	(void)state;
	begin_peer(&w, &peer, record, piece);
	w.a.connected = start_tls_server;
	w.a.use = check_pattern;
	peer.keep_back = 1000;
	peer.quiet = check_part_of_a_record;
	timer_set(&peer.timer, 0);
	run(&w);
	assert_int_equal(server_buffers(&peer), 0);
	finish_peer(&w, &peer);
}

static void
stop_soon(struct end *end)
{
	start_tls_server(end);
	timer_set(&end->timer, 50);
}

static void
say_hello(struct end *end)
{
	conn_write(end->conn, SPAN_LIT("hello"));
}

static size_t
answer_hello(struct end *end, struct span in)
{
	if (end->step++ == 0)
		say_hello(end);
	timer_set(&end->timer, 50);
	return in.len;
}

/* Both sides have spoken, and wait. */
static void
test_idle(void **state)
{
	struct world w;

	(void)state;
	begin_both(&w);
	start_tls_both(&w);
	w.a.tls = say_hello;
	w.a.use = w.b.use = answer_hello;
	timer_init(&w.a.timer, w.loop, stop_loop, &w.a);
	timer_init(&w.b.timer, w.loop, stop_loop, &w.b);
	run(&w);
	assert_int_equal(w.a.bytes + w.b.bytes, 15);
	assert_int_equal(tls_buffers_held(), 0);
	finish(&w);
}

/* A client that says STARTTLS and nothing more. */
static void
test_silent_handshake(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	w.a.connected = stop_soon;
	timer_init(&w.a.timer, w.loop, stop_loop, &w.a);
	run(&w);
	assert_int_equal(tls_buffers_held(), 0);
	assert_int_equal(w.a.ends, 0);
	finish(&w);
}

/* What OpenSSL is given: big buffers from the blocks, all else and what grows beyond them from malloc. */
static void
test_openssl_memory(void **state)
{
	unsigned char *p, *q;

	(void)state;
	p = OPENSSL_malloc(16383);
	q = OPENSSL_malloc(24577);
	assert_true(p != NULL && q != NULL);
	assert_int_equal(tls_buffers_held(), 0);
	OPENSSL_free(q);
	p = OPENSSL_realloc(p, 20000); /* what grows stays where it is */
	assert_non_null(p);
	assert_int_equal(tls_buffers_held(), 0);
	OPENSSL_free(p);

	p = OPENSSL_realloc(NULL, 16384);
	q = OPENSSL_zalloc(24576);
	assert_true(p != NULL && q != NULL);
	assert_int_equal(tls_buffers_held(), 2);
	assert_int_equal(q[0] | q[24575], 0);
	for (size_t i = 0; i < 16384; i++)
		p[i] = pattern(i);
	assert_ptr_equal(OPENSSL_realloc(p, 24576), p);
	for (size_t i = 16384; i < 24576; i++)
		p[i] = pattern(i);
	p = OPENSSL_realloc(p, 1000000);
	assert_non_null(p);
	assert_int_equal(tls_buffers_held(), 1);
	for (size_t i = 0; i < 24576; i++)
		assert_int_equal(p[i], pattern(i));
	OPENSSL_free(p);
	assert_null(OPENSSL_realloc(q, 0));
	assert_int_equal(tls_buffers_held(), 0);
	assert_null(OPENSSL_malloc(0));
	OPENSSL_free(NULL);
}

/* ------------------------------------------------------------------ set-up -------------------- */

static int
set_up(void **state)
{
	(void)state;
	config_unref(tls_set_up("mx.example.com", ""));
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	return tls_tear_down();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_much),
		cmocka_unit_test(test_much_tls),
		cmocka_unit_test(test_close_when_drained),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_max_input),
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_last_words),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_free_inside),
		cmocka_unit_test(test_clear_bytes_are_dropped),
		cmocka_unit_test(test_tls_names),
		cmocka_unit_test(test_tls_verify),
		cmocka_unit_test(test_tls_rubbish),
		cmocka_unit_test(test_records_in_pieces),
		cmocka_unit_test(test_part_of_a_record),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_silent_handshake),
		cmocka_unit_test(test_openssl_memory),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
