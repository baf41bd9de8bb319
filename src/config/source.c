/* config/source.c - tokens, brackets and includes of the configuration language.
 *
 * Always true: `flat` holds no NUL and at most SOURCE_BYTES_MAX bytes, brackets in it are balanced and
 * nest at most NEST_MAX deep (libconfig recurses), and every number in it fits. No message quotes a string:
 * it could be a secret. */
#include <config.h>

#include "config/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "util/crypto.h"
#include "util/fsutil.h"

enum {
	NEST_MAX = 32,	  /* the schema needs 7 */
	INCLUDE_MAX = 10, /* as in libconfig */
	DIGITS_MAX = 18,  /* always fit into 63 bits */
	HEX_DIGITS_MAX = 15,
	QUOTE_MAX = 24,	 /* shorter than a secret key */
	GROUP_MAX = 100, /* settings of one group; libconfig's check for duplicates is quadratic */
	SIBLINGS_MAX = GROUP_MAX * 4
};

enum token_type {
	TOKEN_END,
	TOKEN_WORD,
	TOKEN_NUMBER,
	TOKEN_BOOL,
	TOKEN_STRING,
	TOKEN_EQUALS,
	TOKEN_SEMICOLON,
	TOKEN_COMMA,
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_OTHER
};

struct token {
	enum token_type type;
	struct span text;
	struct place at;
};

/* What the grammar wants next. */
enum expect {
	EXPECT_NAME,   /* at the start of a group, and behind a separator */
	EXPECT_EQUALS, /* behind a name */
	EXPECT_VALUE,  /* behind "=", and behind "," in a list */
	EXPECT_FIRST,  /* behind "(" and "[" */
	AFTER_ELEMENT, /* behind a value in a list */
	AFTER_SETTING  /* behind a value in a group */
};

struct bracket {
	char open;
	struct place at;
	size_t siblings; /* how many names there were outside of it */
};

/* A name in a group that is still open; the bytes are in `flat`. */
struct sibling {
	size_t offset, len;
	struct place at;
};

/* The state of one source_read_*, over all files. */
struct reader {
	struct source *source;
	struct config_errors *errors;
	enum expect expect;
	enum token_type last;
	bool hush; /* the value of a secret comes next: not to be quoted */
	struct bracket stack[NEST_MAX];
	size_t depth;
	struct sibling siblings[SIBLINGS_MAX];
	size_t sibling_count;
	enum rc rc;
};

/* A cursor in the text of one file. */
struct scan {
	struct span text;
	const char *dir; /* of the file, for its includes; "" is the current one */
	const char *file;
	size_t pos, line_start;
	int line;
};

static char
at(const struct scan *scan, size_t ahead)
{
	return ahead < scan->text.len - scan->pos ? scan->text.p[scan->pos + ahead] : '\0';
}

static struct place
here(const struct scan *scan)
{
	return (struct place){ scan->file, scan->line, (int)(scan->pos - scan->line_start) + 1 };
}

static void
advance(struct scan *scan, size_t len)
{
	for (; len > 0; len--, scan->pos++) {
		if (scan->text.p[scan->pos] == '\n') {
			scan->line++;
			scan->line_start = scan->pos + 1;
		}
	}
}

#define FAIL(reader, place, ...) \
	(errors_add((reader)->errors, (place), __VA_ARGS__), (reader)->rc = RC_BAD)

/* ---- tokens ------------------------------------------------------------------------------------------- */

static bool
skip_comment(struct scan *scan, struct reader *reader)
{
	struct place start = here(scan);

	if (at(scan, 0) == '#' || (at(scan, 0) == '/' && at(scan, 1) == '/')) {
		while (scan->pos < scan->text.len && at(scan, 0) != '\n')
			advance(scan, 1);
		return true;
	}
	if (at(scan, 0) != '/' || at(scan, 1) != '*')
		return false;
	advance(scan, 2);
	while (scan->pos < scan->text.len && (at(scan, 0) != '*' || at(scan, 1) != '/'))
		advance(scan, 1);
	if (scan->pos == scan->text.len)
		FAIL(reader, start, "this comment is never closed with \"*/\"");
	else
		advance(scan, 2);
	return true;
}

static void
skip_blanks(struct scan *scan, struct reader *reader)
{
	while (scan->pos < scan->text.len && reader->rc == RC_OK) {
		char c = at(scan, 0);

		if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f')
			advance(scan, 1);
		else if (!skip_comment(scan, reader))
			return;
	}
}

static bool
is_hex(char c)
{
	return ascii_is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
}

/* Behind a backslash. libconfig drops \x00 and keeps a backslash that it does not know: neither is what
 * somebody meant. Returns the length of the escape, 0 for a bad one. */
static size_t
escape_length(const struct scan *scan)
{
	char c = at(scan, 1);

	if (c == 'x' || c == 'X')
		return is_hex(at(scan, 2)) && is_hex(at(scan, 3)) &&
			       (at(scan, 2) != '0' || at(scan, 3) != '0')
			   ? 4
			   : 0;
	return c != '\0' && strchr("\\\"nrtfabv", c) != NULL ? 2 : 0;
}

static void
scan_string(struct scan *scan, struct reader *reader)
{
	struct place start = here(scan);
	size_t len;

	advance(scan, 1);
	for (;;) {
		char c = at(scan, 0);

		if (scan->pos == scan->text.len || c == '\n') {
			FAIL(reader, start, "text opened here has no closing \" on its line");
			return;
		}
		len = c == '\\' ? escape_length(scan) : 1;
		if (len == 0) {
			FAIL(reader, here(scan),
			    "no such escape in text; write \"\\\\\" for a backslash");
			return;
		}
		advance(scan, len);
		if (c == '"')
			return;
	}
}

static bool
is_word_char(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '_' || c == '*';
}

static bool
is_number_char(char c)
{
	return ascii_is_alnum(c) || c == '.' || c == '+' || c == '-';
}

static size_t
run_of(const struct scan *scan, bool (*is)(char))
{
	size_t len = 1;

	while (is(at(scan, len)))
		len++;
	return len;
}

static enum token_type
word_type(struct span word)
{
	return span_ieq(word, SPAN_LIT("true")) || span_ieq(word, SPAN_LIT("false")) ? TOKEN_BOOL
										     : TOKEN_WORD;
}

static enum token_type
mark_type(char c)
{
	switch (c) {
	case '=':
	case ':':
		return TOKEN_EQUALS;
	case ';':
		return TOKEN_SEMICOLON;
	case ',':
		return TOKEN_COMMA;
	case '(':
	case '[':
	case '{':
		return TOKEN_OPEN;
	case ')':
	case ']':
	case '}':
		return TOKEN_CLOSE;
	default:
		return TOKEN_OTHER;
	}
}

static struct token
next_token(struct scan *scan, struct reader *reader)
{
	struct token token = { TOKEN_END, SPAN_EMPTY, { NULL, 0, 0 } };
	size_t start;
	char c;

	skip_blanks(scan, reader);
	start = scan->pos;
	token.at = here(scan);
	if (start == scan->text.len)
		return token;
	c = at(scan, 0);
	if (c == '"') {
		token.type = TOKEN_STRING;
		scan_string(scan, reader);
	} else if (ascii_is_alpha(c) || c == '*') {
		advance(scan, run_of(scan, is_word_char));
		token.type = word_type(span_make(scan->text.p + start, scan->pos - start));
	} else if (ascii_is_digit(c) || c == '.' || c == '+' || c == '-') {
		advance(scan, run_of(scan, is_number_char));
		token.type = TOKEN_NUMBER;
	} else {
		advance(scan, 1);
		token.type = mark_type(c);
	}
	token.text = span_make(scan->text.p + start, scan->pos - start);
	return token;
}

/* Strings are never repeated in messages, nor anything long or where a secret should stand. */
static bool
may_quote(const struct reader *reader, const struct token *token)
{
	return token->type != TOKEN_STRING && !reader->hush && token->text.len <= QUOTE_MAX;
}

/* ---- numbers ------------------------------------------------------------------------------------------ */

static size_t
digits_of(struct span s, bool (*is)(char))
{
	size_t len = 0;

	while (len < s.len && is(s.p[len]))
		len++;
	return len;
}

static struct span
skip_zeros(struct span digits)
{
	while (digits.len > 1 && digits.p[0] == '0')
		digits = span_skip(digits, 1);
	return digits;
}

/* digits [. digits] [e [sign] digits] with a point or an exponent in it. */
static bool
is_float(struct span s)
{
	size_t whole = digits_of(s, ascii_is_digit), fraction = 0;
	bool point;

	s = span_skip(s, whole);
	point = s.len > 0 && s.p[0] == '.';
	if (point) {
		fraction = digits_of(span_skip(s, 1), ascii_is_digit);
		s = span_skip(s, fraction + 1);
	}
	if (whole + fraction == 0 || s.len == 0)
		return whole + fraction > 0 && point;
	if (ascii_lower(s.p[0]) != 'e')
		return false;
	s = span_skip(s, s.len > 1 && (s.p[1] == '+' || s.p[1] == '-') ? 2 : 1);
	return s.len > 0 && digits_of(s, ascii_is_digit) == s.len;
}

static void
fail_number(struct reader *reader, const struct token *token)
{
	struct span shown = may_quote(reader, token) ? token->text : SPAN_LIT("this");

	FAIL(reader, token->at,
	    "%.*s is no number; a value with a unit goes in quotes, as in \"40M\"",
	    SPAN_ARG(shown));
}

/* Whole numbers go out with an "L": libconfig 1.5 cuts numbers without it to 32 bits, silently. */
static void
put_number(struct reader *reader, struct token token)
{
	struct buf *flat = &reader->source->flat;
	struct span s = token.text, digits;
	bool sign = s.p[0] == '+' || s.p[0] == '-', hex;

	if (is_float(span_skip(s, sign))) {
		buf_add_span(flat, s);
		return;
	}
	digits = span_skip(s, sign);
	for (int i = 0; i < 2 && digits.len > 1 && digits.p[digits.len - 1] == 'L'; i++)
		digits.len--;
	hex = !sign && span_istarts(digits, SPAN_LIT("0x"));
	digits = skip_zeros(span_skip(digits, hex ? 2 : 0));
	if (digits.len == 0 || digits_of(digits, hex ? is_hex : ascii_is_digit) != digits.len) {
		fail_number(reader, &token);
		return;
	}
	if (digits.len > (hex ? HEX_DIGITS_MAX : DIGITS_MAX)) {
		FAIL(reader, token.at, "this number is too large");
		return;
	}
	buf_addf(
	    flat, "%s%s%.*sL", sign && s.p[0] == '-' ? "-" : "", hex ? "0x" : "", SPAN_ARG(digits));
}

/* ---- grammar ------------------------------------------------------------------------------------------ */

static char
closer(char open)
{
	return open == '(' ? ')' : open == '[' ? ']' : '}';
}

static bool
in_list(const struct reader *reader)
{
	return reader->depth > 0 && reader->stack[reader->depth - 1].open != '{';
}

/* A setting or an element starts: a line of its own, and its place. */
static void
put_place(struct reader *reader, struct place where)
{
	struct source *source = reader->source;

	if (source->place_count == source->place_cap) {
		size_t cap = source->place_cap == 0 ? 256 : source->place_cap * 2;
		struct place *places = realloc(source->places, cap * sizeof *places);

		if (places == NULL) {
			reader->rc = RC_LATER;
			return;
		}
		source->places = places;
		source->place_cap = cap;
	}
	if (source->place_count > 0)
		buf_add_char(&source->flat, '\n');
	source->places[source->place_count++] = where;
}

/* What is wrong with a token, for people. */
static void
fail_token(struct reader *reader, const struct token *token)
{
	static const char *const wanted[] = {
		[EXPECT_NAME] = "the name of a setting",
		[EXPECT_EQUALS] = "\"=\"",
		[EXPECT_VALUE] = "a value",
		[EXPECT_FIRST] = "a value or the closing bracket",
		[AFTER_ELEMENT] = "\",\" or the closing bracket",
		[AFTER_SETTING] = "\";\" or another setting",
	};
	struct buf found = BUF_EMPTY;

	if (token->type == TOKEN_END)
		buf_addf(&found, "the end of the file");
	else if (may_quote(reader, token))
		buf_addf(&found, "\"%.*s\"", SPAN_ARG(token->text));
	else
		buf_addf(&found, "other text");
	if (reader->expect == EXPECT_VALUE && token->type == TOKEN_WORD)
		buf_addf(&found, "; text goes in quotes, and a switch is true or false");
	if (reader->expect == AFTER_ELEMENT)
		buf_addf(&found, "; the \"%c\" was opened in line %d",
		    reader->stack[reader->depth - 1].open,
		    reader->stack[reader->depth - 1].at.line);
	FAIL(reader, token->at, "expected %s, found %s", wanted[reader->expect],
	    found.failed ? "?" : buf_cstr(&found));
	buf_free(&found);
}

static bool
is_secret_name(struct span name)
{
	return span_eq(name, SPAN_LIT("secret")) || span_eq(name, SPAN_LIT("password"));
}

/* A name may stand only once in a group. */
static void
put_sibling(struct reader *reader, const struct token *token)
{
	size_t first = reader->depth > 0 ? reader->stack[reader->depth - 1].siblings : 0;
	struct span flat = buf_span(&reader->source->flat);

	for (size_t i = first; i < reader->sibling_count; i++) {
		const struct sibling *other = &reader->siblings[i];

		if (!span_eq(span_first(span_skip(flat, other->offset), other->len), token->text))
			continue;
		FAIL(reader, token->at, "\"%.*s\" is set twice in the same group, first at %s:%d",
		    SPAN_ARG(span_first(token->text, QUOTE_MAX)), other->at.file, other->at.line);
		return;
	}
	if (reader->sibling_count - first >= GROUP_MAX || reader->sibling_count == SIBLINGS_MAX) {
		FAIL(reader, token->at,
		    "too many settings in one group; several things of a kind go "
		    "into a list ( { ... }, { ... } )");
		return;
	}
	reader->siblings[reader->sibling_count++] =
	    (struct sibling){ flat.len, token->text.len, token->at };
}

static bool
on_name(struct reader *reader, const struct token *token)
{
	if (reader->expect != EXPECT_NAME && reader->expect != AFTER_SETTING)
		return false;
	put_place(reader, token->at);
	put_sibling(reader, token);
	buf_add_span(&reader->source->flat, token->text);
	reader->expect = EXPECT_EQUALS;
	reader->hush = is_secret_name(token->text);
	return true;
}

static bool
on_equals(struct reader *reader)
{
	if (reader->expect != EXPECT_EQUALS)
		return false;
	buf_add_char(&reader->source->flat, '=');
	reader->expect = EXPECT_VALUE;
	return true;
}

static bool
wants_value(const struct reader *reader)
{
	return reader->expect == EXPECT_VALUE || reader->expect == EXPECT_FIRST;
}

static bool
on_value(struct reader *reader, const struct token *token)
{
	/* Strings side by side are one string. */
	bool joined = token->type == TOKEN_STRING && reader->last == TOKEN_STRING;

	if (!wants_value(reader) && !joined)
		return false;
	if (in_list(reader) && !joined)
		put_place(reader, token->at);
	if (token->type == TOKEN_NUMBER)
		put_number(reader, *token);
	else
		buf_add_span(&reader->source->flat, token->text);
	reader->expect = in_list(reader) ? AFTER_ELEMENT : AFTER_SETTING;
	return true;
}

static bool
on_open(struct reader *reader, const struct token *token)
{
	if (!wants_value(reader) ||
	    (reader->depth > 0 && reader->stack[reader->depth - 1].open == '['))
		return false;
	if (reader->depth == NEST_MAX) {
		FAIL(reader, token->at, "brackets nest more than %d deep", NEST_MAX);
		return true;
	}
	if (in_list(reader))
		put_place(reader, token->at);
	buf_add_span(&reader->source->flat, token->text);
	reader->stack[reader->depth++] =
	    (struct bracket){ token->text.p[0], token->at, reader->sibling_count };
	reader->expect = token->text.p[0] == '{' ? EXPECT_NAME : EXPECT_FIRST;
	return true;
}

static bool
on_close(struct reader *reader, const struct token *token)
{
	const struct bracket *open;

	if (reader->depth == 0) {
		FAIL(reader, token->at, "\"%c\" closes nothing", token->text.p[0]);
		return true;
	}
	open = &reader->stack[reader->depth - 1];
	if (token->text.p[0] != closer(open->open)) {
		FAIL(reader, token->at, "\"%c\" cannot close the \"%c\" opened in line %d",
		    token->text.p[0], open->open, open->at.line);
		return true;
	}
	if (reader->expect == EXPECT_EQUALS || reader->expect == EXPECT_VALUE)
		return false;
	buf_add_span(&reader->source->flat, token->text);
	reader->depth--;
	reader->sibling_count = open->siblings;
	reader->expect = in_list(reader) ? AFTER_ELEMENT : AFTER_SETTING;
	return true;
}

static bool
on_separator(struct reader *reader, const struct token *token)
{
	if (reader->expect == AFTER_SETTING)
		reader->expect = EXPECT_NAME;
	else if (reader->expect == AFTER_ELEMENT && token->type == TOKEN_COMMA)
		reader->expect = EXPECT_VALUE;
	else
		return false;
	buf_add_span(&reader->source->flat, token->text);
	return true;
}

static void
on_token(struct reader *reader, const struct token *token)
{
	bool fits = false;

	switch (token->type) {
	case TOKEN_WORD:
		fits = on_name(reader, token);
		break;
	case TOKEN_EQUALS:
		fits = on_equals(reader);
		break;
	case TOKEN_NUMBER:
	case TOKEN_BOOL:
	case TOKEN_STRING:
		fits = on_value(reader, token);
		break;
	case TOKEN_OPEN:
		fits = on_open(reader, token);
		break;
	case TOKEN_CLOSE:
		fits = on_close(reader, token);
		break;
	case TOKEN_COMMA:
	case TOKEN_SEMICOLON:
		fits = on_separator(reader, token);
		break;
	case TOKEN_END:
	case TOKEN_OTHER:
		break;
	}
	if (!fits)
		fail_token(reader, token);
	reader->last = token->type;
}

/* The end of the last file: nothing may be half done. */
static void
finish(struct reader *reader, struct place end)
{
	struct token token = { TOKEN_END, SPAN_EMPTY, end };

	if (reader->rc != RC_OK)
		return;
	if (buf_cstr(&reader->source->flat) == NULL || reader->source->flat.failed)
		FAIL(reader, ((struct place){ end.file, 0, 0 }),
		    "more than %d bytes with all included files", SOURCE_BYTES_MAX);
	else if (reader->expect == EXPECT_EQUALS || reader->expect == EXPECT_VALUE)
		fail_token(reader, &token);
	else if (reader->depth > 0)
		FAIL(reader, reader->stack[reader->depth - 1].at, "this \"%c\" is never closed",
		    reader->stack[reader->depth - 1].open);
}

/* ---- files -------------------------------------------------------------------------------------------- */

static void read_file(
    struct reader *reader, const char *path, const struct place *includer, int level);

static const char *
keep_name(struct source *source, const char *name, bool others_read)
{
	char **names = reallocarray(source->names, source->name_count + 1, sizeof *names);
	bool *open;

	if (names == NULL)
		return NULL;
	source->names = names;
	open = reallocarray(source->open, source->name_count + 1, sizeof *open);
	if (open == NULL)
		return NULL;
	source->open = open;
	names[source->name_count] = strdup(name);
	if (names[source->name_count] == NULL)
		return NULL;
	open[source->name_count] = others_read;
	return names[source->name_count++];
}

/* The path of an include, from the directory of the including file. NULL when memory is out. */
static char *
include_path(const struct scan *scan, struct span quoted)
{
	struct span name = span_make(quoted.p + 1, quoted.len - 2);
	char *path = NULL;
	int len;

	if (name.len > 0 && name.p[0] == '/')
		return span_dup(name);
	len = asprintf(&path, "%s%.*s", scan->dir, SPAN_ARG(name));
	return len < 0 ? NULL : path;
}

static void
on_include(struct scan *scan, struct reader *reader, const struct token *mark, int level)
{
	struct token word = next_token(scan, reader), name;
	char *path;

	if (reader->rc != RC_OK)
		return;
	if (!span_eq(word.text, SPAN_LIT("include"))) {
		fail_token(reader, mark);
		return;
	}
	name = next_token(scan, reader);
	if (reader->rc != RC_OK)
		return;
	if (name.type != TOKEN_STRING || span_find(name.text, '\\') != name.text.len) {
		FAIL(reader, mark->at,
		    "@include needs the path of a file in quotes, without backslashes");
		return;
	}
	if (level == INCLUDE_MAX) {
		FAIL(reader, mark->at, "files include each other more than %d deep", INCLUDE_MAX);
		return;
	}
	path = include_path(scan, name.text);
	if (path == NULL)
		reader->rc = RC_LATER;
	else
		read_file(reader, path, &mark->at, level + 1);
	free(path);
}

static void
scan_text(struct reader *reader, struct scan *scan, int level)
{
	while (reader->rc == RC_OK && !reader->source->flat.failed) {
		struct token token = next_token(scan, reader);

		if (reader->rc != RC_OK || token.type == TOKEN_END)
			return;
		if (token.type == TOKEN_OTHER && token.text.p[0] == '@')
			on_include(scan, reader, &token, level);
		else
			on_token(reader, &token);
	}
}

static void
read_text(struct reader *reader, const char *file, const char *dir, struct span text, int level)
{
	struct scan scan = { text, dir, file, 0, 0, 1 };
	size_t nul = span_find(text, '\0');

	if (nul != text.len) {
		advance(&scan, nul);
		FAIL(reader, here(&scan), "a NUL byte: this is no text file");
		return;
	}
	scan_text(reader, &scan, level);
	if (level == 0)
		finish(reader, here(&scan));
}

static bool
others_can_read(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && (st.st_mode & S_IROTH) != 0;
}

/* Failures to open are reported where the include stands, or for the file as a whole. */
static void
read_file(struct reader *reader, const char *path, const struct place *includer, int level)
{
	struct buf text = BUF_EMPTY;
	struct why why = WHY_EMPTY;
	const char *name, *slash = strrchr(path, '/');
	char *dir = span_dup(span_make(path, slash == NULL ? 0 : (size_t)(slash - path) + 1));

	name = keep_name(reader->source, path, others_can_read(path));
	if (dir == NULL || name == NULL) {
		reader->rc = RC_LATER;
	} else if (fsutil_read_file(path, SOURCE_BYTES_MAX, &text, &why) != RC_OK) {
		if (includer != NULL)
			FAIL(reader, *includer, "cannot include %s", why.text);
		else /* the text begins with the path, as the message does */
			FAIL(reader, ((struct place){ name, 0, 0 }), "%s",
			    why.text + (span_starts(span_of(why.text), span_of(path))
					       ? strlen(path) + strlen(": ")
					       : 0));
	} else {
		read_text(reader, name, dir, buf_span(&text), level);
	}
	if (text.mem != NULL)
		crypto_wipe(text.mem, text.cap);
	buf_free(&text);
	free(dir);
}

static void
reader_init(struct reader *reader, struct source *source, struct config_errors *errors)
{
	*source = (struct source){ .flat = BUF_EMPTY };
	buf_init(&source->flat, SOURCE_BYTES_MAX);
	*reader = (struct reader){ .source = source,
		.errors = errors,
		.expect = EXPECT_NAME,
		.last = TOKEN_END,
		.rc = RC_OK };
}

enum rc
source_read_file(struct source *source, const char *path, struct config_errors *errors)
{
	struct reader reader;

	reader_init(&reader, source, errors);
	read_file(&reader, path, NULL, 0);
	return reader.rc;
}

enum rc
source_read_text(
    struct source *source, const char *text, const char *name, struct config_errors *errors)
{
	struct reader reader;
	const char *file;

	reader_init(&reader, source, errors);
	file = keep_name(source, name, false);
	if (file == NULL)
		return RC_LATER;
	if (strlen(text) > SOURCE_BYTES_MAX)
		FAIL(&reader, ((struct place){ file, 0, 0 }), "larger than %d bytes",
		    SOURCE_BYTES_MAX);
	else
		read_text(&reader, file, "", span_of(text), 0);
	return reader.rc;
}

void
source_free(struct source *source)
{
	for (size_t i = 0; i < source->name_count; i++)
		free(source->names[i]);
	free(source->names);
	free(source->open);
	free(source->places);
	if (source->flat.mem != NULL)
		crypto_wipe(source->flat.mem, source->flat.cap);
	buf_free(&source->flat);
	*source = (struct source){ .flat = BUF_EMPTY };
}

struct place
source_place(const struct source *source, unsigned line)
{
	if (line >= 1 && line <= source->place_count)
		return source->places[line - 1];
	return (struct place){ source->names[0], 0, 0 };
}

bool
source_is_open(const struct source *source, struct place at_place)
{
	for (size_t i = 0; i < source->name_count; i++)
		if (source->names[i] == at_place.file)
			return source->open[i];
	return false;
}
