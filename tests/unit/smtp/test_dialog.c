/* Runs the scripted SMTP sessions of tests/dialog, so that a new case needs no C. Each runs packet by packet and byte by
 * byte; an argument is the one to be run. A script is made of lines:
 *
 *	# a remark
 *	config: smtp: { max_recipients = 2; };	appended to the configuration; before the first C or S
 *	listener: implicit			starttls (default), implicit, none
 *	auth-without-tls: yes
 *	profile: relay				of the account that logs in; ses is the default
 *	budget: 100000				bytes of content memory
 *	spill: fails				writing large content to a file fails
 *	verdict: 454 Throttling failure: ...	of every message from here on; "verdict: 250" accepts
 *	C: MAIL FROM:<a@example.com>		a line of the client; those that follow one another are one packet
 *	C| half a li				the same without CR LF
 *	S: 250 Ok				a line of the server; a "*" stands for any text
 *
 * In C lines \r \n \t \0 \\ and \xHH have their meaning from C. The server's lines hold what is no reply in angle
 * brackets: <tls>, <pause 500>, <close>, <mail SENDER RECIPIENT,RECIPIENT>. Good credentials are user and secret. Every
 * line of the server has to be in the script, the greeting first. */
#include "config.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "unit/config/config_test.h"
#include "unit/smtp/fake_host.h"
#include "auth/auth.h"
#include "util/fsutil.h"
#include "util/log.h"

struct run {
	const char *path;
	int line;
	size_t piece;
	struct fake fake;
	struct buf config_text, packet;
	struct config *config;
	bool begun;
};

#define MUST(run, truth, ...) \
	do { \
		if (!(truth)) { \
			(void)fprintf(stderr, "%s:%d: (%s) ", (run)->path, (run)->line, \
			    (run)->piece == 1 ? "byte by byte" : "whole"); \
			(void)fprintf(stderr, __VA_ARGS__); \
			(void)fputc('\n', stderr); \
			fail(); \
		} \
	} while (0)

static int
hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
add_escaped(struct run *run, struct span text)
{
	static const char names[] = "rnt0\\", values[] = "\r\n\t\0\\";

	for (size_t i = 0; i < text.len; i++) {
		const char *name;

		if (text.p[i] != '\\') {
			buf_add_char(&run->packet, text.p[i]);
			continue;
		}
		MUST(run, ++i < text.len, "a lone backslash");
		name = memchr(names, text.p[i], sizeof names - 1);
		if (name != NULL) {
			buf_add_char(&run->packet, values[name - names]);
			continue;
		}
		MUST(run, text.p[i] == 'x' && text.len - i > 2, "unknown escape");
		MUST(
		    run, hex_value(text.p[i + 1]) >= 0 && hex_value(text.p[i + 2]) >= 0, "bad \\x");
		buf_add_char(
		    &run->packet, (char)(hex_value(text.p[i + 1]) * 16 + hex_value(text.p[i + 2])));
		i += 2;
	}
}

static bool
matches(struct span text, struct span pattern)
{
	size_t star = span_find(pattern, '*');
	struct span tail = span_skip(pattern, star + 1);

	if (star == pattern.len)
		return span_eq(text, pattern);
	return text.len >= star + tail.len && span_starts(text, span_first(pattern, star)) &&
	       span_eq(span_skip(text, text.len - tail.len), tail);
}

static void
send_packet(struct run *run)
{
	if (buf_len(&run->packet) == 0)
		return;
	MUST(run, buf_len(&run->fake.out) == 0, "the server said more: %s",
	    buf_cstr(&run->fake.out));
	fake_say(&run->fake, buf_span(&run->packet), run->piece);
	buf_clear(&run->packet);
}

static void
expect(struct run *run, struct span pattern)
{
	struct span out, line;
	size_t end;

	send_packet(run);
	out = buf_span(&run->fake.out);
	end = span_find(out, '\n');
	MUST(run, end < out.len && end > 0 && out.p[end - 1] == '\r', "the server says nothing");
	line = span_first(out, end - 1);
	MUST(run, matches(line, pattern), "the server says: %.*s", SPAN_ARG(line));
	buf_consume(&run->fake.out, end + 1);
}

static void
begin(struct run *run)
{
	if (run->begun)
		return;
	run->config = must_parse(buf_cstr(&run->config_text));
	fake_begin(&run->fake, run->config);
	run->begun = true;
}

static void
set_verdict(struct run *run, struct span value)
{
	struct span rest = value, code;
	uint64_t number;

	send_packet(run);
	(void)span_next(&rest, ' ', &code);
	MUST(run, span_uint(code, 599, &number), "no reply code");
	run->fake.verdict = (struct why)WHY_EMPTY;
	if (number >= 400)
		(void)why_set(&run->fake.verdict, RC_BAD, (int)number, "%.*s", SPAN_ARG(rest));
}

static void
set_option(struct run *run, struct span name, struct span value)
{
	uint64_t number = 0;

	if (span_eq(name, SPAN_LIT("verdict"))) {
		set_verdict(run, value);
		return;
	}
	MUST(run, !run->begun, "too late for a setting");
	if (span_eq(name, SPAN_LIT("config"))) {
		buf_add_span(&run->config_text, value);
		buf_add_char(&run->config_text, '\n');
	} else if (span_eq(name, SPAN_LIT("listener"))) {
		run->fake.tls = span_eq(value, SPAN_LIT("implicit")) ? TLS_MODE_IMPLICIT
				: span_eq(value, SPAN_LIT("none"))   ? TLS_MODE_NONE
								     : TLS_MODE_STARTTLS;
	} else if (span_eq(name, SPAN_LIT("auth-without-tls"))) {
		run->fake.auth_without_tls = span_eq(value, SPAN_LIT("yes"));
	} else if (span_eq(name, SPAN_LIT("profile"))) {
		run->fake.profile = span_eq(value, SPAN_LIT("relay")) ? PROFILE_RELAY : PROFILE_SES;
	} else if (span_eq(name, SPAN_LIT("budget"))) {
		MUST(run, span_uint(value, INT64_MAX, &number), "no number");
		run->fake.budget = (int64_t)number;
	} else if (span_eq(name, SPAN_LIT("spill"))) {
		run->fake.spill_fails = span_eq(value, SPAN_LIT("fails"));
	} else {
		MUST(run, false, "unknown setting");
	}
}

static void
run_line(struct run *run, struct span line)
{
	struct span rest = span_skip(line, line.len > 2 && line.p[2] == ' ' ? 3 : 2);
	size_t colon = span_find(line, ':');

	if (line.len == 0 || line.p[0] == '#')
		return;
	if (span_starts(line, SPAN_LIT("C:")) || span_starts(line, SPAN_LIT("C|"))) {
		begin(run);
		add_escaped(run, rest);
		if (line.p[1] == ':')
			buf_add_span(&run->packet, SPAN_LIT("\r\n"));
	} else if (span_starts(line, SPAN_LIT("S:"))) {
		begin(run);
		expect(run, rest);
	} else {
		MUST(run, colon < line.len, "no C, no S, no setting");
		set_option(run, span_first(line, colon), span_trim(span_skip(line, colon + 1)));
	}
}

static void
run_script(const char *path, struct span text, size_t piece)
{
	struct run run = { .path = path, .piece = piece, .fake = { .tls = TLS_MODE_STARTTLS } };
	struct span line;

	buf_addf(&run.config_text, "hostname = \"mx.example.com\";\n");
	while (span_next(&text, '\n', &line)) {
		run.line++;
		run_line(&run, line);
	}
	MUST(&run, run.begun, "nothing is said in it");
	send_packet(&run);
	MUST(
	    &run, buf_len(&run.fake.out) == 0, "the server said more: %s", buf_cstr(&run.fake.out));
	fake_end(&run.fake);
	config_unref(run.config);
	buf_free(&run.config_text);
	buf_free(&run.packet);
}

static const char *only; /* one of them, or NULL for all */

static int
is_script(const struct dirent *entry)
{
	return only != NULL ? strcmp(entry->d_name, only) == 0
			    : span_iends(span_of(entry->d_name), SPAN_LIT(".txt"));
}

static void
test_scripts(void **state)
{
	struct dirent **list = NULL;
	int count = scandir(TEST_SRCDIR "/dialog", &list, is_script, alphasort);

	(void)state;
	assert_true(count > 0);
	for (int i = 0; i < count; i++) {
		struct buf text = BUF_EMPTY;
		struct why why = WHY_EMPTY;
		char path[PATH_MAX];

		(void)snprintf(path, sizeof path, TEST_SRCDIR "/dialog/%s", list[i]->d_name);
		assert_rc(fsutil_read_file(path, 1 << 20, &text, &why), RC_OK);
		run_script(path, buf_span(&text), SIZE_MAX);
		run_script(path, buf_span(&text), 1);
		buf_free(&text);
		free(list[i]);
	}
	free(list);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_scripts) };
	int failed;

	only = argc > 1 ? argv[1] : NULL;
	log_open(LOG_SINK_STDERR, LOG_LEVEL_ERROR);
	if (auth_init(NULL) != RC_OK)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	auth_done();
	return failed;
}
