/* http/objects.c - calls about accounts, credentials, identities and configuration sets: one set of handlers for all, since
 * they have settings by name. Lists are one JSON object a line. */
#include "config.h"

#include "http/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/crypto.h"

enum {
	LIST_LIMIT = 1000,
	LIST_MAX = 10000,
	ACCOUNT_MAX = 64,
	ID_RANDOM = 16,
	SECRET_LEN = 40,
	TEXT_MAX = 4096
};

/* The first part of the path behind /v1/. */
static const struct noun {
	const char *path;
	enum config_object_kind kind;
} nouns[] = {
	{ "accounts", OBJECT_ACCOUNT },
	{ "credentials", OBJECT_CREDENTIAL },
	{ "identities", OBJECT_IDENTITY },
	{ "configuration-sets", OBJECT_SET },
};

static enum config_object_kind
kind_of(const struct call *call)
{
	struct span path = span_skip(span_of(call->route->pattern), strlen("/v1/"));
	struct span first = span_first(path, span_find(path, '/'));

	for (size_t i = 0; i < ARRAY_LEN(nouns); i++)
		if (span_eq(first, span_of(nouns[i].path)))
			return nouns[i].kind;
	return OBJECT_KINDS;
}

void
call_failed(struct call *call, const struct why *why)
{
	const char *code = why->code == 400   ? "BadRequest"
			   : why->code == 404 ? "NotFound"
			   : why->code == 409 ? "Conflict"
					      : "ServiceUnavailable";

	call_error(call, why->code >= 400 ? why->code : 503, code, "%s", why->text);
}

const char *
call_account(struct call *call)
{
	const char *account = call_query(call, "account");

	if (account == NULL)
		call_error(call, 400, "BadRequest", "account= is needed.");
	return account;
}

/* ------------------------------------------------------------------ out ----------------------- */

/* One object as a line. `extra`: more members, beginning with a comma; or "". */
static void
add_line(struct buf *out, enum config_object_kind kind, const char *account,
    const union config_object *object, bool in_file, const char *extra)
{
	int64_t created_ms = kind == OBJECT_ACCOUNT	 ? object->account.created_ms
			     : kind == OBJECT_CREDENTIAL ? object->credential.created_ms
			     : kind == OBJECT_IDENTITY	 ? object->identity.created_ms
							 : object->set.created_ms;

	buf_addf(out, "{");
	config_object_json(kind, object, out);
	if (kind == OBJECT_CREDENTIAL)
		buf_addf(out, ", \"account\": \"%s\"", account);
	buf_addf(out, ", \"in_file\": %s, \"created\": %lld%s}\n", in_file ? "true" : "false",
	    (long long)(created_ms / 1000), extra);
}

static void
reply_text(struct call *call, int status, struct buf *text)
{
	struct evbuffer *body = evbuffer_new();

	if (body == NULL || text->failed ||
	    evbuffer_add(body, buf_span(text).p, buf_len(text)) != 0) {
		if (body != NULL)
			evbuffer_free(body);
		call_no_memory(call);
		return;
	}
	call_reply(call, status, "application/json", body);
}

/* The account that owns it, as the call or the object itself says. */
static const char *
owner_of(struct call *call, enum config_object_kind kind, const char *name, char out[])
{
	struct credential_view view;

	if (kind == OBJECT_ACCOUNT)
		return name;
	if (kind != OBJECT_CREDENTIAL)
		return call_account(call);
	if (credentials_find(call_context(call)->credentials, name, &view) == RC_OK)
		(void)snprintf(out, ACCOUNT_MAX + 1, "%s", view.account);
	else
		out[0] = '\0';
	return out;
}

static void
reply_object(struct call *call, int status, enum config_object_kind kind, const char *account,
    const char *name, const char *extra)
{
	const struct control_context *context = call_context(call);
	union config_object object;
	struct buf line = BUF_EMPTY;
	struct why why = WHY_EMPTY;
	bool in_file;

	if (admin_get(context->admin, kind, account, name, &object, &in_file, &why) != RC_OK) {
		call_failed(call, &why);
		return;
	}
	add_line(&line, kind, account, &object, in_file, extra);
	config_object_clear(kind, &object);
	reply_text(call, status, &line);
	buf_free(&line);
}

void
on_object_show(struct call *call)
{
	char buffer[ACCOUNT_MAX + 1];
	enum config_object_kind kind = kind_of(call);
	const char *account = owner_of(call, kind, call->part, buffer);

	if (account != NULL)
		reply_object(call, 200, kind, account, call->part, "");
}

/* ------------------------------------------------------------------ lists --------------------- */

struct listing {
	struct call *call;
	enum config_object_kind kind;
	const char *account;
	uint64_t left;
	struct buf lines;
};

static bool
list_one(struct listing *listing, const char *name)
{
	union config_object object;
	struct why why = WHY_EMPTY;
	bool in_file;

	if (listing->left == 0)
		return false;
	listing->left--;
	if (admin_get(call_context(listing->call)->admin, listing->kind, listing->account, name,
		&object, &in_file, &why) != RC_OK)
		return true;
	add_line(&listing->lines, listing->kind, listing->account, &object, in_file, "");
	config_object_clear(listing->kind, &object);
	return true;
}

static bool
list_credential(void *arg, const struct credential_view *view)
{
	return list_one(arg, view->id);
}

static bool
list_set(void *arg, const struct config_set *set, bool in_file)
{
	(void)in_file;
	return list_one(arg, set->name);
}

static void
list_declared_credentials(struct listing *listing)
{
	struct control_daemon daemon;

	call_daemon(listing->call, &daemon);
	for (size_t i = 0; i < daemon.config->account_count; i++) {
		const struct config_account *account = &daemon.config->accounts[i];

		for (size_t k = 0;
		     strcmp(account->name, listing->account) == 0 && k < account->credential_count;
		     k++)
			(void)list_one(listing, account->credentials[k].id);
	}
}

static void
list_accounts(struct listing *listing, const char *after)
{
	struct accounts *accounts = call_context(listing->call)->accounts;
	const struct account *at = after != NULL ? account_find(accounts, after) : NULL;

	while ((at = accounts_next(accounts, at)) != NULL) {
		listing->account = account_name(at);
		if (!list_one(listing, account_name(at)))
			return;
	}
}

static void
list_identities(struct listing *listing, const char *after)
{
	const struct identities *identities = call_context(listing->call)->identities;
	const struct identity *at =
	    after != NULL ? identity_find(identities, listing->account, after) : NULL;

	while ((at = identities_next(identities, listing->account, at)) != NULL)
		if (!list_one(listing, at->name))
			return;
}

bool
call_limit(struct call *call, uint64_t *out)
{
	const char *limit = call_query(call, "limit");

	*out = LIST_LIMIT;
	if (limit == NULL || (span_uint(span_of(limit), LIST_MAX, out) && *out > 0))
		return true;
	call_error(call, 400, "BadRequest", "limit= must be a number from 1 to %d.", LIST_MAX);
	return false;
}

void
on_object_list(struct call *call)
{
	struct listing listing = { .call = call, .kind = kind_of(call), .lines = BUF_EMPTY };
	const struct control_context *context = call_context(call);
	const char *after = call_query(call, "after");

	if (!call_limit(call, &listing.left))
		return;
	if (listing.kind != OBJECT_ACCOUNT) {
		listing.account = call_account(call);
		if (listing.account == NULL)
			return;
		if (!account_is_there(account_find(context->accounts, listing.account))) {
			call_error(
			    call, 404, "NotFound", "There is no account \"%s\".", listing.account);
			return;
		}
	}
	if (listing.kind == OBJECT_ACCOUNT)
		list_accounts(&listing, after);
	else if (listing.kind == OBJECT_IDENTITY)
		list_identities(&listing, after);
	else if (listing.kind == OBJECT_SET)
		config_sets_each(context->sets, listing.account, list_set, &listing);
	else {
		list_declared_credentials(&listing);
		credentials_each(context->credentials, listing.account, list_credential, &listing);
	}
	reply_text(call, 200, &listing.lines);
	buf_free(&listing.lines);
}

/* ------------------------------------------------------------------ in ------------------------ */

json_t *
call_body_json(struct call *call)
{
	struct evbuffer *input = evhttp_request_get_input_buffer(call->req);
	size_t len = evbuffer_get_length(input);
	const char *bytes = len > 0 ? (const char *)evbuffer_pullup(input, -1) : "";
	json_error_t error;
	json_t *body = json_loadb(bytes != NULL ? bytes : "", len, JSON_REJECT_DUPLICATES, &error);

	if (body == NULL)
		call_error(call, 400, "BadRequest", "The body is no JSON: line %d, column %d: %s",
		    error.line, error.column, error.text);
	return body;
}

/* What a member says, as it would stand in the configuration file. */
static bool
value_text(const json_t *value, struct buf *out)
{
	size_t i;
	const json_t *each;

	switch (json_typeof(value)) {
	case JSON_STRING:
		buf_add(out, json_string_value(value), json_string_length(value));
		return memchr(json_string_value(value), '\0', json_string_length(value)) == NULL;
	case JSON_INTEGER:
		buf_addf(out, "%lld", (long long)json_integer_value(value));
		return true;
	case JSON_REAL:
		buf_addf(out, "%.17g", json_real_value(value));
		return true;
	case JSON_TRUE:
		buf_addf(out, "true");
		return true;
	case JSON_FALSE:
		buf_addf(out, "false");
		return true;
	case JSON_ARRAY:
		json_array_foreach(value, i, each)
		{
			if (!json_is_string(each) || strchr(json_string_value(each), ' ') != NULL)
				return false;
			buf_addf(out, "%s%s", i > 0 ? " " : "", json_string_value(each));
		}
		return true;
	default:
		return false;
	}
}

/* All members but those of `mine`, into the object. */
static enum rc
take_members(
    enum config_object_kind kind, json_t *body, union config_object *object, struct why *why)
{
	const char *name;
	json_t *value;
	enum rc rc = RC_OK;

	json_object_foreach(body, name, value)
	{
		struct buf text = BUF_EMPTY;

		if (!value_text(value, &text) || text.failed || buf_len(&text) > TEXT_MAX)
			rc = why_set(
			    why, RC_BAD, 400, "%.100s has a value that no setting has.", name);
		else
			rc = config_object_set(kind, object, span_of(name), buf_span(&text), why);
		if (text.mem != NULL)
			crypto_wipe(text.mem, text.cap);
		buf_free(&text);
		if (rc != RC_OK)
			break;
	}
	if (rc == RC_BAD)
		why->code = 400;
	return rc;
}

/* A change on its way. */
struct waiting {
	struct call *call;
	enum config_object_kind kind;
	int status; /* 200, 201; 204: the object is gone */
	char account[ACCOUNT_MAX + 1];
	char *name;
	struct buf extra; /* members that are told this once */
};

static struct waiting *
waiting_new(struct call *call, enum config_object_kind kind, int status, const char *account,
    const char *name)
{
	struct waiting *w = calloc(1, sizeof *w);

	if (w == NULL)
		return NULL;
	*w = (struct waiting){ .call = call, .kind = kind, .status = status };
	buf_init(&w->extra, 0);
	w->name = span_dup(span_of(name));
	if (w->name == NULL || !span_copy(span_of(account), w->account, sizeof w->account)) {
		free(w->name);
		free(w);
		return NULL;
	}
	return w;
}

static void
on_changed(void *arg, enum rc rc, const struct why *why)
{
	struct waiting *w = arg;

	if (call_release(w->call)) {
		if (rc != RC_OK)
			call_failed(w->call, why);
		else if (w->status == 204)
			call_json(w->call, 200, json_pack("{s:s}", "removed", w->name));
		else
			reply_object(w->call, w->status, w->kind, w->account, w->name,
			    buf_len(&w->extra) > 0 ? buf_cstr(&w->extra) : "");
	}
	if (w->extra.mem != NULL)
		crypto_wipe(w->extra.mem, w->extra.cap);
	buf_free(&w->extra);
	free(w->name);
	free(w);
}

/* ------------------------------------------------------------------ credentials --------------- */

static void
random_text(const char *alphabet, size_t len, char *out)
{
	size_t letters = strlen(alphabet); /* 32 or 64: every value of a byte is as good */
	unsigned char random[SECRET_LEN];

	crypto_random(random, sizeof random);
	for (size_t i = 0; i < len; i++)
		out[i] = alphabet[random[i] % letters];
	out[len] = '\0';
	crypto_wipe(random, sizeof random);
}

/* What the caller did not bring is made up, in the form that AWS gives it. */
static enum rc
complete_credential(union config_object *object, struct why *why)
{
	char id[4 + ID_RANDOM + 1] = "AKIA", secret[SECRET_LEN + 1];
	enum rc rc = RC_OK;

	if (object->credential.id[0] == '\0' && object->credential.secret[0] != '\0')
		return why_set(why, RC_BAD, 400, "A secret needs the id that belongs to it.");
	if (object->credential.id[0] == '\0') {
		random_text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", ID_RANDOM, id + 4);
		rc = config_object_set(OBJECT_CREDENTIAL, object, SPAN_LIT("id"), span_of(id), why);
	}
	if (rc == RC_OK && object->credential.secret[0] == '\0') {
		random_text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
		    SECRET_LEN, secret);
		rc = config_object_set(
		    OBJECT_CREDENTIAL, object, SPAN_LIT("secret"), span_of(secret), why);
		crypto_wipe(secret, sizeof secret);
	}
	return rc;
}

/* Once, when it is made: nobody can read them later. */
static void
tell_secrets(struct waiting *w, const struct config_credential *credential)
{
	char password[AUTH_PASSWORD_LEN + 1];
	struct control_daemon daemon;
	json_t *secret = json_string(credential->secret);
	char *quoted = secret != NULL ? json_dumps(secret, JSON_ENCODE_ANY) : NULL;

	call_daemon(w->call, &daemon);
	if (quoted != NULL &&
	    auth_password_v4(credential->secret, daemon.config->region, password) == RC_OK)
		buf_addf(
		    &w->extra, ", \"secret\": %s, \"smtp_password\": \"%s\"", quoted, password);
	crypto_wipe(password, sizeof password);
	if (quoted != NULL)
		crypto_wipe(quoted, strlen(quoted));
	free(quoted);
	json_decref(secret);
}

/* ------------------------------------------------------------------ add, change, remove ------- */

static const char *
name_in(enum config_object_kind kind, const union config_object *object)
{
	return kind == OBJECT_ACCOUNT	   ? object->account.name
	       : kind == OBJECT_CREDENTIAL ? object->credential.id
	       : kind == OBJECT_IDENTITY   ? object->identity.name
					   : object->set.name;
}

/* Takes the object. */
static void
put(struct call *call, enum admin_mode mode, enum config_object_kind kind, const char *account,
    union config_object *object)
{
	struct waiting *w =
	    waiting_new(call, kind, mode == ADMIN_ADD ? 201 : 200, account, name_in(kind, object));

	if (w == NULL) {
		config_object_clear(kind, object);
		call_no_memory(call);
		return;
	}
	if (kind == OBJECT_CREDENTIAL)
		tell_secrets(w, &object->credential);
	call_hold(call);
	admin_put(call_context(call)->admin, mode, kind, w->account, object, on_changed, w);
}

/* The account of a credential is no setting of its own: it is taken out of the body. */
static enum rc
take_account(json_t *body, char out[ACCOUNT_MAX + 1], struct why *why)
{
	const char *account = json_string_value(json_object_get(body, "account"));

	if (account == NULL || !span_copy(span_of(account), out, ACCOUNT_MAX + 1))
		return why_set(why, RC_BAD, 400, "account must be set");
	(void)json_object_del(body, "account");
	return RC_OK;
}

static const char *
account_in(enum config_object_kind kind, const union config_object *object)
{
	return kind == OBJECT_ACCOUNT	 ? object->account.name
	       : kind == OBJECT_IDENTITY ? object->identity.account
					 : object->set.account;
}

void
on_object_add(struct call *call)
{
	enum config_object_kind kind = kind_of(call);
	char account[ACCOUNT_MAX + 1] = "";
	union config_object object;
	struct why why = WHY_EMPTY;
	json_t *body = call_body_json(call);
	enum rc rc;

	if (body == NULL)
		return;
	rc = config_object_init(kind, &object);
	if (rc != RC_OK) {
		json_decref(body);
		call_no_memory(call);
		return;
	}
	if (kind == OBJECT_IDENTITY)
		object.identity.verified = false; /* until somebody says so */
	if (!json_is_object(body))
		rc = why_set(&why, RC_BAD, 400, "The body must be a JSON object.");
	if (rc == RC_OK && kind == OBJECT_CREDENTIAL)
		rc = take_account(body, account, &why);
	if (rc == RC_OK)
		rc = take_members(kind, body, &object, &why);
	if (rc == RC_OK && kind == OBJECT_CREDENTIAL)
		rc = complete_credential(&object, &why);
	json_decref(body);
	if (rc == RC_OK && kind != OBJECT_CREDENTIAL)
		(void)span_copy(span_of(account_in(kind, &object)), account, sizeof account);
	if (rc == RC_OK) {
		put(call, ADMIN_ADD, kind, account, &object);
		return;
	}
	config_object_clear(kind, &object);
	call_failed(call, &why);
}

/* Members of the body replace those that are there; name and owner stay. */
void
on_object_change(struct call *call)
{
	enum config_object_kind kind = kind_of(call);
	const struct control_context *context = call_context(call);
	char buffer[ACCOUNT_MAX + 1];
	const char *account = owner_of(call, kind, call->part, buffer);
	union config_object object;
	struct why why = WHY_EMPTY;
	json_t *body = account != NULL ? call_body_json(call) : NULL;
	bool in_file;
	enum rc rc;

	if (body == NULL)
		return;
	if (!json_is_object(body) || json_object_get(body, "name") != NULL ||
	    json_object_get(body, "account") != NULL) {
		json_decref(body);
		call_error(call, 400, "BadRequest",
		    "The body must be a JSON object without \"name\" and \"account\".");
		return;
	}
	rc = admin_get(context->admin, kind, account, call->part, &object, &in_file, &why);
	if (rc == RC_OK) {
		rc = take_members(kind, body, &object, &why);
		if (rc != RC_OK)
			config_object_clear(kind, &object);
	}
	json_decref(body);
	if (rc != RC_OK)
		call_failed(call, &why);
	else
		put(call, ADMIN_CHANGE, kind, account, &object);
}

void
on_object_remove(struct call *call)
{
	enum config_object_kind kind = kind_of(call);
	char buffer[ACCOUNT_MAX + 1];
	const char *account = owner_of(call, kind, call->part, buffer);
	struct waiting *w;

	if (account == NULL)
		return;
	w = waiting_new(call, kind, 204, account, call->part);
	if (w == NULL) {
		call_no_memory(call);
		return;
	}
	call_hold(call);
	admin_remove(call_context(call)->admin, kind, w->account, w->name, on_changed, w);
}

/* ------------------------------------------------------------------ limits -------------------- */

static void
add_limits(struct buf *out, struct account *account)
{
	struct account_usage usage;
	const struct config_account *settings = account_settings(account);

	account_usage(account, &usage);
	buf_addf(out,
	    "{\"account\": \"%s\", \"send_rate\": %g, \"send_burst\": %g, \"quota_24h\": %lld, "
	    "\"sent_24h\": %lld, \"over_limit\": \"%s\", \"sending_enabled\": %s}\n",
	    account_name(account), usage.send_rate, usage.send_burst, (long long)usage.quota_24h,
	    (long long)usage.sent_24h,
	    settings->over_limit == OVER_LIMIT_SMOOTH ? "smooth" : "reject",
	    settings->sending_enabled ? "true" : "false");
}

void
on_limits(struct call *call)
{
	struct accounts *accounts = call_context(call)->accounts;
	const char *name = call_query(call, "account");
	struct account *account = name != NULL ? account_find(accounts, name) : NULL;
	struct buf lines = BUF_EMPTY;

	if (name != NULL && !account_is_there(account)) {
		call_error(call, 404, "NotFound", "There is no account \"%.64s\".", name);
		return;
	}
	if (name != NULL)
		add_limits(&lines, account);
	else
		while ((account = accounts_next(accounts, account)) != NULL)
			add_limits(&lines, account);
	reply_text(call, 200, &lines);
	buf_free(&lines);
}
