/* fuzz/fuzz_session.c - a whole SMTP session over the unit tests' fake host.
 *
 * The first byte of the input chooses listener, profile and troubles, the second how the rest is cut; 0xfe in the rest
 * ends a packet. Always true: what is said is a sequence of replies, the same ones however the packets are cut; nothing
 * piles up; there is at most one message for each end of data; at the end all memory that was asked for is given back. */
#include "config.h"

#include "fuzz/fuzz.h"
#include "unit/smtp/fake_host.h"
#include "auth/auth.h"
#include "util/log.h"

enum {
	REPLY_MAX = 1024,
	INPUT_MAX = AUTH_LINE_MAX + 64 * 1024 /* what a session may leave unused */
};

static struct config *
make_config(void)
{
	static const char text[] = "hostname = \"mx.example.com\";"
				   "spool: { memory_body = \"4K\"; };"
				   "smtp: { max_message_size = \"16K\"; max_recipients = 3; };";
	struct config_errors errors = { NULL, 0, 0 };
	struct config *config;

	log_open(LOG_SINK_STDERR, LOG_LEVEL_ERROR);
	MUST(auth_init(NULL) == RC_OK);
	MUST(config_parse(text, "fuzz", &config, &errors) == RC_OK);
	config_errors_free(&errors);
	return config;
}

static void
check_line(struct span line)
{
	MUST(line.len >= 4 && line.len <= REPLY_MAX);
	MUST(line.p[0] >= '2' && line.p[0] <= '5' && ascii_is_digit(line.p[1]) &&
	     ascii_is_digit(line.p[2]));
	MUST(line.p[3] == ' ' || line.p[3] == '-');
	for (size_t i = 4; i < line.len; i++)
		MUST(line.p[i] >= ' ' && line.p[i] <= '~');
}

/* Whole replies only; they move to `all`. */
static void
check_replies(struct buf *out, struct buf *all)
{
	struct span rest = buf_span(out), code = SPAN_EMPTY;

	MUST(!out->failed);
	while (rest.len > 0) {
		size_t end = span_find(rest, '\n');
		struct span line;

		MUST(end > 0 && end < rest.len && rest.p[end - 1] == '\r');
		line = span_first(rest, end - 1);
		check_line(line);
		MUST(code.len == 0 || span_eq(code, span_first(line, 3)));
		code = line.p[3] == '-' ? span_first(line, 3) : SPAN_EMPTY;
		rest = span_skip(rest, end + 1);
	}
	MUST(code.len == 0);
	buf_add_span(all, buf_span(out));
	buf_clear(out);
}

static size_t
count_ends(struct span in)
{
	size_t count = 0;
	const char *at;

	while ((at = memmem(in.p, in.len, ".\r\n", 3)) != NULL) {
		count++;
		in = span_skip(in, (size_t)(at - in.p) + 3);
	}
	return count;
}

/* Late answers come between packets. */
static void
answer(struct fake *fake)
{
	if (fake->submission != NULL)
		fake_submit_done(fake);
	if (fake->spilling != NULL)
		fake_spill_done(fake, fake->spill_fails ? RC_LATER : RC_OK);
}

static void
run(const struct fake *like, struct config *config, struct span in, size_t piece, struct buf *all)
{
	struct fake fake = *like;
	struct span rest = in, packet;
	struct buf said = BUF_EMPTY;

	fake_begin(&fake, config);
	check_replies(&fake.out, all);
	buf_clear(all); /* the greeting is never the same */
	while (span_next(&rest, '\xfe', &packet)) {
		buf_add_span(&said, packet);
		fake_say(&fake, packet, piece);
		check_replies(&fake.out, all);
		MUST(buf_len(&fake.in) <= INPUT_MAX + packet.len);
		answer(&fake);
		check_replies(&fake.out, all);
	}
	MUST(fake.submissions <= count_ends(buf_span(&said)));
	buf_free(&said);
	fake_end(&fake);
	MUST(fake.budget_used == 0 || fake.submission != NULL);
	MUST(!all->failed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config *config;
	struct fake fake = { .silent = true };
	struct buf whole = BUF_EMPTY, cut = BUF_EMPTY;
	struct span in;

	if (config == NULL)
		config = make_config();
	if (size < 2)
		return 0;
	fake.tls = (enum config_tls_mode)(data[0] % 3);
	fake.auth_without_tls = fake.tls == TLS_MODE_NONE;
	fake.profile = (data[0] & 4) != 0 ? PROFILE_RELAY : PROFILE_SES;
	fake.hold_submit = fake.hold_spill = (data[0] & 8) != 0;
	fake.spill_fails = (data[0] & 16) != 0;
	fake.spill_refused = (data[0] & 32) != 0;
	fake.budget = (data[0] & 64) != 0 ? 65536 : 0;
	fake.auth_is_down = (data[0] & 128) != 0;
	in = span_make((const char *)data + 2, size - 2);
	run(&fake, config, in, SIZE_MAX, &whole);
	run(&fake, config, in, data[1] == 0 ? 1 : data[1], &cut);
	MUST(span_eq(buf_span(&whole), buf_span(&cut)));
	buf_free(&whole);
	buf_free(&cut);
	return 0;
}
