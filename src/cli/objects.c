/* cli/objects.c - account, credential, identity, config-set and limits: settings by name, sent as they were typed; the
 * daemon knows what they may be. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/format.h"
#include "cli/snippets.h"
#include "util/crypto.h"

enum {
	PAGE = 1000 /* of a list */
};

static const char accounts[] = "/v1/accounts", credentials[] = "/v1/credentials",
		  identities[] = "/v1/identities", sets[] = "/v1/configuration-sets";

/* "/v1/identities/example.com?account=web"; name and account may be NULL. */
static struct buf
target_of(const char *path, const char *name, const char *account)
{
	struct buf out = BUF_EMPTY;

	buf_addf(&out, "%s", path);
	if (name != NULL)
		target_add_part(&out, name);
	if (account != NULL)
		target_add(&out, "account", account);
	return out;
}

/* The answer, a new reference; NULL with *status. Takes the body. */
static json_t *
call(const struct args *args, const char *method, struct buf target, json_t *body, int *status)
{
	char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
	struct request request = { .method = method,
		.target = &target,
		.body = text != NULL ? span_of(text) : SPAN_EMPTY,
		.body_type = "application/json" };
	json_t *answer;

	if (body != NULL && text == NULL) {
		buf_free(&target);
		json_decref(body);
		*status = cli_fail_memory();
		return NULL;
	}
	answer = client_json(args, &request, status);
	if (text != NULL)
		crypto_wipe(text, strlen(text));
	free(text);
	json_decref(body);
	return answer;
}

/* ------------------------------------------------------------------ settings ------------------ */

/* "send_rate=20 ..." from the words behind the first `skip`. */
static bool
take_settings(const struct args *args, size_t skip, json_t *body, int *status)
{
	for (size_t i = skip; i < args->word_count; i++) {
		const char *word = args->words[i], *equals = strchr(word, '=');
		char name[64];

		if (equals == NULL || equals == word ||
		    !span_copy(span_make(word, (size_t)(equals - word)), name, sizeof name)) {
			*status = cli_fail(EX_USAGE, "\"%s\" is no SETTING=VALUE", word);
			return false;
		}
		if (json_object_set_new(body, name, json_string(equals + 1)) != 0) {
			*status = cli_fail(EX_USAGE, "\"%s\" is no UTF-8", word);
			return false;
		}
	}
	return true;
}

static void
add_value(const json_t *value, struct buf *out)
{
	size_t i;
	const json_t *each;
	char *text;

	if (json_is_string(value)) {
		format_safe(json_string_value(value), out);
		return;
	}
	if (json_is_array(value)) {
		json_array_foreach(value, i, each)
		{
			buf_addf(out, "%s", i > 0 ? " " : "");
			format_safe(json_string_value(each), out);
		}
		return;
	}
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(10));
	buf_addf(out, "%s", text != NULL ? text : "");
	free(text);
}

/* One setting a line. Takes the object. */
static int
print_object(const struct args *args, json_t *object)
{
	struct buf out = BUF_EMPTY;
	const char *name;
	json_t *value;

	if (wants_json(args))
		return print_json(object);
	json_object_foreach(object, name, value)
	{
		char time[FORMAT_MAX];

		if ((json_is_string(value) && json_string_length(value) == 0) ||
		    (json_is_array(value) && json_array_size(value) == 0))
			continue;
		buf_addf(&out, "%-20s ", name);
		if (strcmp(name, "created") == 0) {
			format_time((int64_t)json_integer_value(value), time);
			buf_addf(&out, "%s", time);
		} else {
			add_value(value, &out);
		}
		buf_add_char(&out, '\n');
	}
	json_decref(object);
	return print_buf(&out);
}

static int
print_done(const struct args *args, json_t *answer, const char *what, const char *name)
{
	if (wants_json(args))
		return print_json(answer);
	json_decref(answer);
	(void)printf("%s %s.\n", name, what);
	return EX_OK;
}

/* Takes the target and the body. */
static int
show(const struct args *args, const char *method, struct buf target, json_t *body)
{
	int status;
	json_t *answer = call(args, method, target, body, &status);

	return answer != NULL ? print_object(args, answer) : status;
}

/* ------------------------------------------------------------------ lists --------------------- */

struct column {
	const char *name, *title; /* of the member; as it is shown */
	int width;		  /* 0: nothing but a comma follows it */
};

struct listing {
	const struct args *args;
	const struct column *columns;
	size_t column_count;
	const char *key; /* by which the next page begins */
	struct buf last;
	uint64_t page, count; /* rows of this page, of all */
	int status;
};

static void
add_row(const struct listing *listing, const json_t *row, struct buf *out)
{
	for (size_t i = 0; i < listing->column_count; i++) {
		const struct column *c = &listing->columns[i];
		size_t before = buf_len(out), used;

		add_value(json_object_get(row, c->name), out);
		used = buf_len(out) - before;
		if (i + 1 < listing->column_count && c->width == 0)
			buf_add_char(out, ',');
		else if (i + 1 < listing->column_count)
			buf_addf(
			    out, "%*s  ", used < (size_t)c->width ? c->width - (int)used : 0, "");
	}
	buf_add_char(out, '\n');
}

static bool
on_row(void *arg, struct span line)
{
	struct listing *listing = arg;
	json_t *row = json_loadb(line.p, line.len, 0, NULL);
	const char *key = json_string_value(json_object_get(row, listing->key));
	struct buf out = BUF_EMPTY;

	if (row == NULL) {
		listing->status = cli_fail(EX_SOFTWARE, "the daemon's answer is no JSON");
		return false;
	}
	if (wants_json(listing->args)) {
		buf_add_span(&out, line);
		buf_add_char(&out, '\n');
	} else {
		if (listing->count == 0)
			for (size_t i = 0; i < listing->column_count; i++)
				buf_addf(&out, "%-*s%s",
				    i + 1 < listing->column_count ? listing->columns[i].width : 0,
				    listing->columns[i].title,
				    i + 1 == listing->column_count   ? "\n"
				    : listing->columns[i].width == 0 ? ""
								     : "  ");
		add_row(listing, row, &out);
	}
	buf_free(&listing->last);
	buf_addf(&listing->last, "%s", key != NULL ? key : "");
	json_decref(row);
	listing->page++;
	listing->count++;
	listing->status = print_buf(&out);
	return listing->status == EX_OK;
}

/* All of it, a page a call. */
static int
list(const struct args *args, const char *path, const char *account, const char *filter,
    const char *value, const struct column *columns, size_t column_count, bool paged)
{
	struct listing listing = { .args = args,
		.columns = columns,
		.column_count = column_count,
		.key = columns[0].name,
		.last = BUF_EMPTY };
	int status = EX_OK;

	do {
		struct buf target = target_of(path, NULL, account);
		struct request request = {
			.method = "GET", .target = &target, .on_line = on_row, .arg = &listing
		};
		char limit[16];

		if (filter != NULL && value != NULL)
			target_add(&target, filter, value);
		(void)snprintf(limit, sizeof limit, "%d", PAGE);
		if (paged)
			target_add(&target, "limit", limit);
		if (paged && buf_len(&listing.last) > 0)
			target_add(&target, "after", buf_cstr(&listing.last));
		listing.page = 0;
		status = client_call(args, &request, NULL);
	} while (paged && status == EX_OK && listing.status == EX_OK && listing.page == PAGE);
	buf_free(&listing.last);
	if (status == EX_OK && listing.status == EX_OK && listing.count == 0 && !wants_json(args))
		(void)printf("There are none.\n");
	return status != EX_OK ? status : listing.status;
}

/* ------------------------------------------------------------------ confirmation -------------- */

static bool
is_sure(const struct args *args, const char *verb, const char *name, const char *consequence)
{
	char answer[16];

	if (args_get(args, "yes") != NULL)
		return true;
	if (!isatty(STDIN_FILENO)) {
		(void)cli_fail(EX_USAGE, "without a terminal to ask at, --yes is needed");
		return false;
	}
	(void)fprintf(stderr, "%s %s?%s [y/N] ", verb, name, consequence);
	return fgets(answer, sizeof answer, stdin) != NULL &&
	       (answer[0] == 'y' || answer[0] == 'Y');
}

static int
remove_one(const struct args *args, const char *path, const char *name, const char *account)
{
	int status;
	json_t *answer = call(args, "DELETE", target_of(path, name, account), NULL, &status);

	return answer != NULL ? print_done(args, answer, "is gone", name) : status;
}

/* ------------------------------------------------------------------ account ------------------- */

/* Where clients connect: as far as one machine knows its own name. */
static int
print_login(const struct args *args, const json_t *credential)
{
	const char *kind = args_get(args, "for");
	struct buf target = target_of("/v1/status", NULL, NULL), out = BUF_EMPTY;
	struct request request = { .method = "GET", .target = &target };
	int status;
	json_t *daemon = client_json(args, &request, &status);
	struct snippet_values values = { .host =
					     json_string_value(json_object_get(daemon, "hostname")),
		.user = json_string_value(json_object_get(credential, "id")),
		.password = json_string_value(json_object_get(credential, "smtp_password")) };

	if (daemon == NULL)
		return status;
	if (values.host == NULL || values.user == NULL || values.password == NULL)
		status = cli_fail(EX_SOFTWARE, "the daemon's answer has no credential");
	else if (kind != NULL)
		status = snippet_print(kind, &values, &out)
			     ? print_buf(&out)
			     : cli_fail(EX_USAGE, "--for: unknown client \"%s\"", kind);
	else
		(void)printf("SMTP host            %s, port 587 (STARTTLS) or 465 (TLS)\n"
			     "SMTP user            %s\n"
			     "SMTP password        %s\n"
			     "The password is not shown again.\n",
		    values.host, values.user, values.password);
	json_decref(daemon);
	return status;
}

static json_t *
add_credential(const struct args *args, const char *account, const char *note, int *status)
{
	return call(args, "POST", target_of(credentials, NULL, NULL),
	    json_pack("{s:s, s:s}", "account", account, "note", note != NULL ? note : ""), status);
}

int
cmd_account_add(const struct args *args)
{
	const char *name = args->words[0], *kind = args_get(args, "for");
	json_t *body = json_pack("{s:s}", "name", name), *account, *credential;
	int status;

	if (kind != NULL && !snippet_is_known(kind)) {
		json_decref(body);
		return cli_fail(EX_USAGE, "--for: known are %s", snippet_names);
	}
	if (!take_settings(args, 1, body, &status)) {
		json_decref(body);
		return status;
	}
	account = call(args, "POST", target_of(accounts, NULL, NULL), body, &status);
	if (account == NULL)
		return status;
	if (args_get(args, "no-credential") != NULL)
		return print_object(args, account);
	credential = add_credential(args, name, NULL, &status);
	if (credential == NULL) {
		json_decref(account);
		return status;
	}
	if (wants_json(args)) {
		(void)json_object_set_new(account, "credential", credential);
		return print_json(account);
	}
	json_decref(account);
	if (kind == NULL)
		(void)printf("Account %s is there.\n", name);
	status = print_login(args, credential);
	json_decref(credential);
	return status;
}

int
cmd_account_ls(const struct args *args)
{
	static const struct column columns[] = {
		{ "name", "NAME", 20 },
		{ "profile", "PROFILE", 7 },
		{ "sending_enabled", "SENDS", 5 },
		{ "production", "PRODUCTION", 10 },
		{ "send_rate", "RATE", 8 },
		{ "quota_24h", "QUOTA", 10 },
		{ "in_file", "IN FILE", 7 },
	};

	return list(args, accounts, NULL, NULL, NULL, columns, ARRAY_LEN(columns), true);
}

int
cmd_account_show(const struct args *args)
{
	return show(args, "GET", target_of(accounts, args->words[0], NULL), NULL);
}

int
cmd_account_set(const struct args *args)
{
	json_t *body = json_object();
	int status;

	if (take_settings(args, 1, body, &status))
		return show(args, "PATCH", target_of(accounts, args->words[0], NULL), body);
	json_decref(body);
	return status;
}

static int
set_sending(const struct args *args, bool enabled, const char *what)
{
	int status;
	json_t *answer = call(args, "PATCH", target_of(accounts, args->words[0], NULL),
	    json_pack("{s:b}", "sending_enabled", enabled ? 1 : 0), &status);

	return answer != NULL ? print_done(args, answer, what, args->words[0]) : status;
}

int
cmd_account_pause(const struct args *args)
{
	return set_sending(args, false, "is paused: its messages are refused");
}

int
cmd_account_resume(const struct args *args)
{
	return set_sending(args, true, "may send");
}

int
cmd_account_rm(const struct args *args)
{
	if (!is_sure(args, "Remove account", args->words[0],
		" Its credentials, identities, configuration sets and suppression list go with "
		"it."))
		return EX_USAGE;
	return remove_one(args, accounts, args->words[0], NULL);
}

/* ------------------------------------------------------------------ credential ---------------- */

int
cmd_credential_add(const struct args *args)
{
	const char *kind = args_get(args, "for");
	json_t *credential;
	int status;

	if (kind != NULL && !snippet_is_known(kind))
		return cli_fail(EX_USAGE, "--for: known are %s", snippet_names);
	credential = add_credential(args, args->words[0], args_get(args, "note"), &status);
	if (credential == NULL)
		return status;
	if (wants_json(args))
		return print_json(credential);
	status = print_login(args, credential);
	json_decref(credential);
	return status;
}

int
cmd_credential_import(const struct args *args)
{
	const char *note = args_get(args, "note");
	char secret[SECRET_MAX + 2];
	int status = read_secret(args, secret);
	json_t *body, *answer;

	if (status != EX_OK)
		return status;
	body = json_pack("{s:s, s:s, s:s, s:b, s:s}", "account", args->words[0], "id",
	    args->words[1], "secret", secret, "version2", args_get(args, "version2") != NULL,
	    "note", note != NULL ? note : "");
	crypto_wipe(secret, sizeof secret);
	if (body == NULL)
		return cli_fail(EX_DATAERR, "the secret is no UTF-8");
	answer = call(args, "POST", target_of(credentials, NULL, NULL), body, &status);
	if (answer == NULL)
		return status;
	(void)json_object_del(answer, "secret"); /* who imports it has it */
	return print_object(args, answer);
}

int
cmd_credential_ls(const struct args *args)
{
	static const struct column columns[] = {
		{ "id", "ID", 24 },
		{ "version2", "VERSION 2", 9 },
		{ "in_file", "IN FILE", 7 },
		{ "note", "NOTE", 20 },
	};

	return list(
	    args, credentials, args->words[0], NULL, NULL, columns, ARRAY_LEN(columns), false);
}

int
cmd_credential_revoke(const struct args *args)
{
	if (!is_sure(
		args, "Revoke credential", args->words[0], " Who uses it can no longer log in."))
		return EX_USAGE;
	return remove_one(args, credentials, args->words[0], NULL);
}

/* ------------------------------------------------------------------ identity, config-set ------ */

/* Words: ACCOUNT NAME [SETTING=VALUE...]. */
static int
add_owned(const struct args *args, const char *path, bool verified)
{
	json_t *body = json_pack("{s:s, s:s}", "account", args->words[0], "name", args->words[1]);
	int status;

	if (body == NULL)
		return cli_fail(EX_DATAERR, "a name is no UTF-8");
	if (verified)
		(void)json_object_set_new(body, "verified", json_true());
	if (take_settings(args, 2, body, &status))
		return show(args, "POST", target_of(path, NULL, NULL), body);
	json_decref(body);
	return status;
}

static int
set_owned(const struct args *args, const char *path)
{
	json_t *body = json_object();
	int status;

	if (take_settings(args, 2, body, &status))
		return show(args, "PATCH", target_of(path, args->words[1], args->words[0]), body);
	json_decref(body);
	return status;
}

static int
show_owned(const struct args *args, const char *path)
{
	return show(args, "GET", target_of(path, args->words[1], args->words[0]), NULL);
}

static int
remove_owned(const struct args *args, const char *path)
{
	if (!is_sure(args, "Remove", args->words[1], ""))
		return EX_USAGE;
	return remove_one(args, path, args->words[1], args->words[0]);
}

int
cmd_identity_add(const struct args *args)
{
	return add_owned(args, identities, args_get(args, "verified") != NULL);
}

int
cmd_identity_ls(const struct args *args)
{
	static const struct column columns[] = {
		{ "name", "NAME", 32 },
		{ "verified", "VERIFIED", 8 },
		{ "in_file", "IN FILE", 7 },
		{ "configuration_set", "CONFIGURATION SET", 20 },
	};

	return list(
	    args, identities, args->words[0], NULL, NULL, columns, ARRAY_LEN(columns), true);
}

int
cmd_identity_show(const struct args *args)
{
	return show_owned(args, identities);
}

int
cmd_identity_set(const struct args *args)
{
	return set_owned(args, identities);
}

int
cmd_identity_verify(const struct args *args)
{
	int status;
	json_t *answer = call(args, "PATCH", target_of(identities, args->words[1], args->words[0]),
	    json_pack("{s:b}", "verified", 1), &status);

	return answer != NULL ? print_done(args, answer, "is verified", args->words[1]) : status;
}

int
cmd_identity_rm(const struct args *args)
{
	return remove_owned(args, identities);
}

int
cmd_config_set_add(const struct args *args)
{
	return add_owned(args, sets, false);
}

int
cmd_config_set_ls(const struct args *args)
{
	static const struct column columns[] = {
		{ "name", "NAME", 24 },
		{ "sending_enabled", "SENDS", 5 },
		{ "tls", "TLS", 13 },
		{ "max_delivery", "MAX DELIVERY", 12 },
		{ "in_file", "IN FILE", 7 },
	};

	return list(args, sets, args->words[0], NULL, NULL, columns, ARRAY_LEN(columns), false);
}

int
cmd_config_set_show(const struct args *args)
{
	return show_owned(args, sets);
}

int
cmd_config_set_set(const struct args *args)
{
	return set_owned(args, sets);
}

int
cmd_config_set_rm(const struct args *args)
{
	return remove_owned(args, sets);
}

/* ------------------------------------------------------------------ limits -------------------- */

int
cmd_limits_show(const struct args *args)
{
	static const struct column columns[] = {
		{ "account", "ACCOUNT", 20 },
		{ "send_rate", "RATE", 8 },
		{ "send_burst", "BURST", 8 },
		{ "quota_24h", "QUOTA", 12 },
		{ "sent_24h", "SENT IN 24H", 12 },
		{ "over_limit", "OVER LIMIT", 10 },
	};

	return list(args, "/v1/limits", args->word_count > 0 ? args->words[0] : NULL, NULL, NULL,
	    columns, ARRAY_LEN(columns), false);
}

/* ------------------------------------------------------------------ suppress ------------------ */

static const char suppressions[] = "/v1/suppressions";

int
cmd_suppress_add(const struct args *args)
{
	const char *reason = args_get(args, "reason");
	json_t *body = json_array(), *answer;
	int status;

	for (size_t i = 1; i < args->word_count; i++)
		if (json_array_append_new(
			body, json_pack("{s:s, s:s}", "address", args->words[i], "reason",
				  reason != NULL ? reason : "BOUNCE")) != 0) {
			json_decref(body);
			return cli_fail(EX_DATAERR, "\"%s\" is no UTF-8", args->words[i]);
		}
	answer = call(args, "POST", target_of(suppressions, NULL, args->words[0]), body, &status);
	if (answer == NULL)
		return status;
	return args->word_count == 2 ? print_done(args, answer, "is on the list", args->words[1])
				     : print_done(args, answer, "are on the list", "All addresses");
}

int
cmd_suppress_ls(const struct args *args)
{
	static const struct column columns[] = {
		{ "address", "ADDRESS", 40 },
		{ "reason", "REASON", 9 },
	};

	return list(args, suppressions, args->words[0], "reason", args_get(args, "reason"), columns,
	    ARRAY_LEN(columns), true);
}

int
cmd_suppress_rm(const struct args *args)
{
	int status = EX_OK;

	for (size_t i = 1; i < args->word_count; i++) {
		int one = remove_one(args, suppressions, args->words[i], args->words[0]);

		if (status == EX_OK)
			status = one;
		if (one == EX_UNAVAILABLE || one == EX_NOPERM)
			break;
	}
	return status;
}

/* "address,reason" or "address" a line; or JSON objects as "suppress export" and the API's list have them. */
static json_t *
parse_entry(struct span line)
{
	struct span address, reason = SPAN_LIT("BOUNCE");
	json_t *object, *entry;
	const char *name;

	if (line.len > 0 && line.p[0] == '{') {
		object = json_loadb(line.p, line.len, 0, NULL);
		name = json_string_value(json_object_get(object, "address"));
		if (name == NULL)
			name = json_string_value(json_object_get(object, "EmailAddress"));
		entry = json_object_get(object, "reason");
		if (entry == NULL)
			entry = json_object_get(object, "Reason");
		entry =
		    name != NULL ? json_pack("{s:s, s:O}", "address", name, "reason", entry) : NULL;
		json_decref(object);
		return entry;
	}
	(void)span_next(&line, ',', &address);
	if (line.p != NULL)
		reason = span_trim(line);
	address = span_trim(address);
	return json_pack(
	    "{s:s%, s:s%}", "address", address.p, address.len, "reason", reason.p, reason.len);
}

static int
import_batch(const struct args *args, json_t *batch, long long *sum)
{
	int status;
	json_t *answer =
	    call(args, "POST", target_of(suppressions, NULL, args->words[0]), batch, &status);

	*sum += (long long)json_integer_value(json_object_get(answer, "changed"));
	json_decref(answer);
	return status;
}

int
cmd_suppress_import(const struct args *args)
{
	struct buf text = BUF_EMPTY;
	int status = read_input(args->words[1], SIZE_MAX / 4, &text);
	struct span rest = buf_span(&text), line;
	json_t *batch = json_array();
	long long sum = 0, number = 0;

	while (status == EX_OK && span_next(&rest, '\n', &line)) {
		json_t *entry;

		number++;
		line = span_trim(line);
		if (line.len == 0 || line.p[0] == '#')
			continue;
		entry = parse_entry(line);
		if (entry == NULL || json_array_append_new(batch, entry) != 0) {
			status =
			    cli_fail(EX_DATAERR, "%s:%lld: no address", args->words[1], number);
		} else if (json_array_size(batch) == PAGE) {
			status = import_batch(args, batch, &sum);
			batch = json_array();
		}
	}
	if (status == EX_OK && json_array_size(batch) > 0) {
		status = import_batch(args, batch, &sum);
		batch = NULL;
	}
	json_decref(batch);
	buf_free(&text);
	if (wants_json(args))
		return print_json(json_pack("{s:I}", "changed", (json_int_t)sum)), status;
	(void)printf("%lld addresses are on the list.\n", sum);
	return status;
}

/* As "suppress import" reads it. */
int
cmd_suppress_export(const struct args *args)
{
	static const struct column columns[] = { { "address", "# address,", 0 },
		{ "reason", "reason", 0 } };

	return list(
	    args, suppressions, args->words[0], NULL, NULL, columns, ARRAY_LEN(columns), true);
}

/* ------------------------------------------------------------------ store --------------------- */

int
cmd_store_rekey(const struct args *args)
{
	int status;
	json_t *answer =
	    call(args, "POST", target_of("/v1/store/rekey", NULL, NULL), NULL, &status);

	return answer != NULL
		   ? print_done(args, answer, "are encrypted under the first key", "All secrets")
		   : status;
}

int
cmd_store_backup(const struct args *args)
{
	struct buf target = target_of("/v1/store/backup", NULL, NULL);
	char *path = args->words[0][0] == '/' ? NULL : getcwd(NULL, 0);
	struct buf whole = BUF_EMPTY;
	int status;
	json_t *answer;

	buf_addf(
	    &whole, "%s%s%s", path != NULL ? path : "", path != NULL ? "/" : "", args->words[0]);
	free(path);
	target_add(&target, "path", buf_cstr(&whole));
	buf_free(&whole);
	answer = call(args, "POST", target, NULL, &status);
	return answer != NULL ? print_done(args, answer, "is a copy of the store", args->words[0])
			      : status;
}
