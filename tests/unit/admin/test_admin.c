/* Unit tests of admin/: changes that are checked, stored and applied; what a start makes of the store; changes that meet
 * on their way. What memory has must be what a restart makes of the store: dump and check_restart. */
#include "config.h"

#include "unit/config/config_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <sqlite3.h>

#include "admin/admin.h"
#include "util/fsutil.h"
#include "util/log.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define ID_1   "AKIA0000000000000001"
#define ID_2   "AKIA0000000000000002"

/* ------------------------------------------------------------------ a world ------------------- */

static struct world {
	char directory[64];
	struct loop *loop;
	struct worker_pool *workers;
	struct config *config;
	struct credential_table *table;
	struct admin_options services;
	struct admin *admin;
} w;

/* How a call ended, or that it has not. */
struct answer {
	int calls;
	enum rc rc;
	int code;
	char text[WHY_TEXT_MAX];
};

static void
on_done(void *arg, enum rc rc, const struct why *why)
{
	struct answer *answer = arg;

	answer->calls++;
	answer->rc = rc;
	answer->code = rc == RC_OK ? 0 : why->code;
	(void)snprintf(answer->text, sizeof answer->text, "%s", rc == RC_OK ? "" : why->text);
}

static void
run(void)
{
	while (loop_run_posted(w.loop) > 0)
		continue;
}

/* As at a start and at a reload: the configuration goes to who serves what it declares. */
static void
use_config(const char *text)
{
	struct admin_options *s = &w.services;
	struct identity_table *identities;
	struct why why = WHY_EMPTY;

	config_unref(w.config);
	credential_table_unref(w.table);
	w.config = must_parse(text);
	assert_rc(credential_table_new(w.config, &w.table, &why), RC_OK);
	assert_rc(identity_table_new(w.config, &identities, &why), RC_OK);
	assert_rc(accounts_configure(s->accounts, w.config, &why), RC_OK);
	assert_rc(config_sets_use(s->sets, w.config, &why), RC_OK);
	identities_use(s->identities, identities);
	identity_table_unref(identities);
	admin_configure(w.admin, w.config, w.table);
}

static void
open_world(const char *text)
{
	struct admin_options *s = &w.services;
	struct store_options options = { w.directory, "", w.loop, false };
	struct why why = WHY_EMPTY;

	assert_rc(store_open(&options, &s->store, &why), RC_OK);
	assert_rc(accounts_new(w.loop, w.workers, w.directory, &s->accounts, &why), RC_OK);
	s->credentials = credentials_new();
	s->identities = identities_new();
	s->sets = config_sets_new();
	s->suppressions = suppressions_new();
	assert_rc(admin_new(s, &w.admin, &why), RC_OK);
	use_config(text);
	admin_load(w.admin);
	accounts_replayed(s->accounts);
}

static void
close_world(void)
{
	struct admin_options *s = &w.services;

	store_close(s->store);
	admin_free(w.admin);
	accounts_free(s->accounts);
	credentials_free(s->credentials);
	identities_free(s->identities);
	config_sets_free(s->sets);
	suppressions_free(s->suppressions);
	config_unref(w.config);
	credential_table_unref(w.table);
	w.config = NULL;
	w.table = NULL;
}

static int
set_up(void **state)
{
	struct why why = WHY_EMPTY;

	(void)state;
	w = (struct world){ .directory = "/tmp/postrider-admin-XXXXXX" };
	assert_non_null(mkdtemp(w.directory));
	w.loop = loop_new_manual("test");
	w.workers = worker_pool_new(0, 1, &why);
	open_world("");
	return 0;
}

static int
tear_down(void **state)
{
	DIR *entries = opendir(w.directory);
	struct dirent *entry;
	char path[400];

	(void)state;
	close_world();
	worker_pool_free(w.workers);
	loop_free(w.loop);
	while ((entry = readdir(entries)) != NULL) {
		(void)snprintf(path, sizeof path, "%s/%s", w.directory, entry->d_name);
		(void)unlink(path);
	}
	(void)closedir(entries);
	return rmdir(w.directory);
}

/* ------------------------------------------------------------------ calls --------------------- */

/* Begins a put; the object is made of "name=value;name=value". */
static void
begin_put(struct answer *answer, enum admin_mode mode, enum config_object_kind kind,
    const char *account, const char *settings)
{
	struct span rest = span_of(settings), setting;
	union config_object object;
	struct why why = WHY_EMPTY;

	*answer = (struct answer){ 0 };
	assert_rc(config_object_init(kind, &object), RC_OK);
	while (rest.len > 0 && span_next(&rest, ';', &setting)) {
		size_t mark = span_find(setting, '=');
		enum rc rc = config_object_set(
		    kind, &object, span_first(setting, mark), span_skip(setting, mark + 1), &why);

		assert_string_equal(why.text, "");
		assert_rc(rc, RC_OK);
	}
	admin_put(w.admin, mode, kind, account, &object, on_done, answer);
	config_object_clear(kind, &object); /* it was taken, and is empty */
}

static void
begin_account(struct answer *answer, enum admin_mode mode, const char *name, const char *settings)
{
	char all[200];

	(void)snprintf(
	    all, sizeof all, "name=%s%s%s", name, *settings != '\0' ? ";" : "", settings);
	begin_put(answer, mode, OBJECT_ACCOUNT, name, all);
}

static void
begin_set(struct answer *answer, enum admin_mode mode, const char *account, const char *name)
{
	char all[200];

	(void)snprintf(all, sizeof all, "account=%s;name=%s", account, name);
	begin_put(answer, mode, OBJECT_SET, account, all);
}

static void
begin_identity(struct answer *answer, enum admin_mode mode, const char *account, const char *rest)
{
	char all[200];

	(void)snprintf(all, sizeof all, "account=%s;name=%s", account, rest);
	begin_put(answer, mode, OBJECT_IDENTITY, account, all);
}

static void
begin_credential(struct answer *answer, enum admin_mode mode, const char *account, const char *id)
{
	char all[200];

	(void)snprintf(all, sizeof all, "id=%s;secret=" SECRET, id);
	begin_put(answer, mode, OBJECT_CREDENTIAL, account, all);
}

static void
begin_remove(
    struct answer *answer, enum config_object_kind kind, const char *account, const char *name)
{
	*answer = (struct answer){ 0 };
	admin_remove(w.admin, kind, account, name, on_done, answer);
}

static void
begin_destination(struct answer *answer, enum admin_mode mode, const char *account, const char *set,
    const char *name)
{
	char name_copy[80], definition[] = "{}";

	*answer = (struct answer){ 0 };
	(void)snprintf(name_copy, sizeof name_copy, "%s", name);
	admin_put_destination(w.admin, mode, account, set,
	    &(struct event_destination){ name_copy, true, definition }, on_done, answer);
}

static void
begin_suppress(struct answer *answer, const char *account, const char *const *addresses)
{
	struct suppression entries[8];
	size_t count = 0;

	*answer = (struct answer){ 0 };
	for (; addresses[count] != NULL; count++)
		entries[count] =
		    (struct suppression){ addresses[count], SUPPRESS_BOUNCE, 5, "id", "" };
	admin_suppress(w.admin, account, entries, count, on_done, answer);
}
#define ADDRESSES(...) \
	(const char *const[]) \
	{ \
		__VA_ARGS__, NULL \
	}

static void
begin_unsuppress(struct answer *answer, const char *account, const char *const *addresses)
{
	size_t count = 0;

	*answer = (struct answer){ 0 };
	while (addresses[count] != NULL)
		count++;
	admin_unsuppress(w.admin, account, addresses, count, on_done, answer);
}

static void
check_ok(const struct answer *answer)
{
	run();
	assert_int_equal(answer->calls, 1);
	assert_string_equal(answer->text, "");
	assert_rc(answer->rc, RC_OK);
}

static void
check_refused(const struct answer *answer, int code, const char *text)
{
	run();
	assert_int_equal(answer->calls, 1);
	assert_string_equal(answer->text, text);
	assert_int_equal(answer->code, code);
	assert_int_not_equal(answer->rc, RC_OK);
}

#define OK(begin, ...) \
	do { \
		struct answer ok_; \
		begin(&ok_, __VA_ARGS__); \
		check_ok(&ok_); \
	} while (0)
#define REFUSED(code, text, begin, ...) \
	do { \
		struct answer refused_; \
		begin(&refused_, __VA_ARGS__); \
		check_refused(&refused_, code, text); \
	} while (0)

#define BUSY "It is being changed by another call; try again."

/* ------------------------------------------------------------------ what there is ------------- */

struct dump {
	struct buf text;
	const char *account;
};

static void
dump_object(struct dump *dump, enum config_object_kind kind, const char *name)
{
	union config_object object;
	struct why why = WHY_EMPTY;
	bool in_file;

	assert_rc(admin_get(w.admin, kind, dump->account, name, &object, &in_file, &why), RC_OK);
	buf_addf(&dump->text, "%d %s%s ", (int)kind, dump->account, in_file ? "!" : "");
	config_object_json(kind, &object, &dump->text);
	buf_addf(&dump->text, "\n");
	config_object_clear(kind, &object);
}

static bool
dump_credential(void *arg, const struct credential_view *view)
{
	dump_object(arg, OBJECT_CREDENTIAL, view->id);
	return true;
}

static bool
dump_set(void *arg, const struct config_set *set, bool in_file)
{
	struct dump *dump = arg;
	size_t count;
	const struct event_destination *list =
	    config_set_destinations(w.services.sets, dump->account, set->name, &count);

	(void)in_file;
	dump_object(dump, OBJECT_SET, set->name);
	for (size_t i = 0; i < count; i++)
		buf_addf(&dump->text, "destination %s/%s/%s %s\n", dump->account, set->name,
		    list[i].name, list[i].definition);
	return true;
}

static void
dump_account(struct dump *dump)
{
	const struct admin_options *s = &w.services;
	const struct identity *identity = NULL;
	const struct suppression *entry = NULL;

	dump_object(dump, OBJECT_ACCOUNT, dump->account);
	credentials_each(s->credentials, dump->account, dump_credential, dump);
	config_sets_each(s->sets, dump->account, dump_set, dump);
	while ((identity = identities_next(s->identities, dump->account, identity)) != NULL)
		dump_object(dump, OBJECT_IDENTITY, identity->name);
	while ((entry = suppressions_next(s->suppressions, dump->account, entry)) != NULL)
		buf_addf(&dump->text, "suppressed %s %s %s %lld %s\n", dump->account,
		    entry->address, suppression_reason_name(entry->reason),
		    (long long)entry->updated_ms, entry->message_id);
}

static int
compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Everything there is, in lines without an order of their own; the caller's. */
static char *
dump_all(void)
{
	struct dump dump = { .text = BUF_EMPTY };
	struct buf sorted = BUF_EMPTY;
	const struct account *account = NULL;
	char *text, *lines[200], *rest;
	size_t count = 0;

	while ((account = accounts_next(w.services.accounts, account)) != NULL) {
		dump.account = account_name(account);
		dump_account(&dump);
	}
	text = rest = buf_steal(&dump.text);
	while (rest != NULL && (lines[count] = strsep(&rest, "\n")) != NULL)
		assert_true(++count < ARRAY_LEN(lines));
	qsort(lines, count, sizeof *lines, compare_lines);
	for (size_t i = 0; i < count; i++)
		buf_addf(&sorted, "%s\n", lines[i]);
	free(text);
	text = buf_steal(&sorted);
	return text != NULL ? text : strdup("");
}

static enum rc
login(const char *id, char account[65])
{
	char password[AUTH_PASSWORD_LEN + 1];
	struct login out = { "", PROFILE_SES };
	const char *reason;
	enum rc rc;

	assert_rc(auth_password_v4(SECRET, w.config->region, password), RC_OK);
	rc = credentials_check(w.table, w.services.credentials, id, password, &out, &reason);
	(void)snprintf(account, 65, "%s", out.account);
	return rc;
}

/* Whose login the id is; "": nobody's. */
static const char *
owner_of(const char *id)
{
	static char account[65];
	enum rc rc = login(id, account);

	/* RC_LATER would mean that something of the store could not be read. */
	assert_true(rc == RC_OK || rc == RC_DENY);
	return account;
}

static void
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(close(fd), 0);
}

static char *
read_text(const char *path)
{
	struct buf text = BUF_EMPTY;
	struct why why = WHY_EMPTY;

	assert_rc(fsutil_read_file(path, 1 << 20, &text, &why), RC_OK);
	return buf_steal(&text);
}

static void
restart(const char *text)
{
	close_world();
	open_world(text);
}

/* The next start makes the same of the store, and all of it can be used. */
static void
check_restart(const char *text)
{
	char *before = dump_all(), *after;

	restart(text);
	after = dump_all();
	assert_string_equal(after, before);
	assert_string_equal(owner_of("AKIANONE000000000000"), "");
	free(before);
	free(after);
}

static size_t
destination_count(const char *account, const char *set)
{
	size_t count;

	(void)config_set_destinations(w.services.sets, account, set, &count);
	return count;
}

/* ------------------------------------------------------------------ one at a time ------------- */

static void
test_accounts(void **state)
{
	const struct config_account *settings;

	(void)state;
	OK(begin_account, ADMIN_ADD, "a", "profile=relay;send_rate=0.1;quota_24h=7");
	REFUSED(409, "Account \"a\" is there already.", begin_account, ADMIN_ADD, "a", "");
	REFUSED(404, "There is no account \"b\".", begin_account, ADMIN_CHANGE, "b", "");
	REFUSED(404, "There is no account \"b\".", begin_remove, OBJECT_ACCOUNT, "b", "b");
	REFUSED(400, "name must be set", begin_put, ADMIN_ADD, OBJECT_ACCOUNT, "", "");
	OK(begin_account, ADMIN_PUT, "b", "over_limit=smooth;suppression=none");
	check_restart("");
	settings = account_settings(account_find(w.services.accounts, "a"));
	assert_int_equal(settings->profile, PROFILE_RELAY);
	assert_true(settings->send_rate == 0.1);
	assert_int_equal(settings->quota_24h, 7);
	assert_true(settings->created_ms > 0);
	OK(begin_account, ADMIN_CHANGE, "a", "production=false;sending_enabled=false");
	OK(begin_account, ADMIN_PUT, "b", "send_burst=12345.5");
	check_restart("");
	settings = account_settings(account_find(w.services.accounts, "a"));
	assert_int_equal(settings->profile, PROFILE_SES);
	assert_false(settings->production);
	assert_false(settings->sending_enabled);
	OK(begin_remove, OBJECT_ACCOUNT, "a", "a");
	assert_false(account_is_there(account_find(w.services.accounts, "a")));
	check_restart("");
	assert_null(account_find(w.services.accounts, "a"));
}

static void
test_what_accounts_own(void **state)
{
	union config_object object;
	struct why why = WHY_EMPTY;
	bool in_file = true;

	(void)state;
	REFUSED(404, "There is no account \"a\".", begin_set, ADMIN_ADD, "a", "s");
	REFUSED(404, "There is no account \"a\".", begin_identity, ADMIN_PUT, "a", "x.org");
	REFUSED(404, "There is no account \"a\".", begin_credential, ADMIN_ADD, "a", ID_1);
	REFUSED(404, "There is no account \"a\".", begin_destination, ADMIN_PUT, "a", "s", "d");
	REFUSED(404, "There is no account \"a\".", begin_suppress, "a", ADDRESSES("x@y.z"));
	REFUSED(404, "There is no account \"a\".", begin_unsuppress, "a", ADDRESSES("x@y.z"));
	OK(begin_account, ADMIN_ADD, "a", "profile=relay");
	OK(begin_account, ADMIN_ADD, "b", "");
	REFUSED(404, "There is no configuration set \"s\".", begin_identity, ADMIN_ADD, "a",
	    "x.org;configuration_set=s");
	OK(begin_put, ADMIN_ADD, OBJECT_SET, "a",
	    "account=a;name=s;tls=require;max_delivery=1h;suppression=none;tags=k1=v1 k2=v2");
	OK(begin_set, ADMIN_ADD, "a", "t");
	REFUSED(404, "There is no configuration set \"s\".", begin_identity, ADMIN_ADD, "b",
	    "x.org;configuration_set=s");
	OK(begin_identity, ADMIN_ADD, "a", "x.org;configuration_set=s;senders=b c");
	OK(begin_identity, ADMIN_ADD, "a", "Jo@X.org;verified=false");
	OK(begin_identity, ADMIN_ADD, "b", "x.org");
	OK(begin_put, ADMIN_ADD, OBJECT_CREDENTIAL, "a",
	    "id=" ID_1 ";secret=" SECRET ";note=\"of\" a \\;version2=true");
	OK(begin_destination, ADMIN_ADD, "a", "s", "d1");
	OK(begin_destination, ADMIN_PUT, "a", "s", "d2");
	OK(begin_suppress, "a", ADDRESSES("Jo@Y.org", "kim@y.org"));
	check_restart("");
	assert_string_equal(owner_of(ID_1), "a");
	assert_int_equal(destination_count("a", "s"), 2);
	assert_rc(
	    admin_get(w.admin, OBJECT_IDENTITY, "a", "Jo@x.org", &object, &in_file, &why), RC_OK);
	assert_false(in_file);
	assert_false(object.identity.verified);
	assert_true(object.identity.created_ms > 0);
	config_object_clear(OBJECT_IDENTITY, &object);
	REFUSED(
	    409, "Identity \"x.org\" is there already.", begin_identity, ADMIN_ADD, "a", "x.org");
	REFUSED(409, "Configuration set \"s\" is there already.", begin_set, ADMIN_ADD, "a", "s");
	REFUSED(409, "There is an event destination \"d1\" already.", begin_destination, ADMIN_ADD,
	    "a", "s", "d1");
	REFUSED(404, "There is no event destination \"d9\".", begin_destination, ADMIN_CHANGE, "a",
	    "s", "d9");
	REFUSED(404, "There is no configuration set \"u\".", begin_destination, ADMIN_ADD, "a", "u",
	    "d1");
	REFUSED(
	    404, "There is no identity \"y.org\".", begin_remove, OBJECT_IDENTITY, "a", "y.org");
	OK(begin_identity, ADMIN_CHANGE, "a", "x.org");
	OK(begin_remove, OBJECT_IDENTITY, "b", "x.org");
	OK(begin_remove, OBJECT_CREDENTIAL, "a", ID_1);
	OK(begin_remove, OBJECT_SET, "a", "t");
	assert_string_equal(owner_of(ID_1), "");
	check_restart("");
	assert_null(identity_find(w.services.identities, "b", "x.org"));
	assert_string_equal(
	    identity_find(w.services.identities, "a", "x.org")->configuration_set, "");
}

/* What is not in the API's reach must not be taken for what comes back after a restart. */
static void
test_parts_of_a_second(void **state)
{
	(void)state;
	OK(begin_account, ADMIN_ADD, "a", "");
	REFUSED(400, "max_delivery must be whole seconds", begin_put, ADMIN_ADD, OBJECT_SET, "a",
	    "account=a;name=s;max_delivery=500ms");
	OK(begin_put, ADMIN_ADD, OBJECT_SET, "a", "account=a;name=s;max_delivery=1m30s");
	check_restart("");
}

static void
test_an_account_goes_with_all(void **state)
{
	char *before, *after;

	(void)state;
	OK(begin_account, ADMIN_ADD, "b", "");
	OK(begin_set, ADMIN_ADD, "b", "s");
	OK(begin_destination, ADMIN_ADD, "b", "s", "d");
	OK(begin_identity, ADMIN_ADD, "b", "x.org");
	OK(begin_credential, ADMIN_ADD, "b", ID_2);
	OK(begin_suppress, "b", ADDRESSES("jo@y.org"));
	before = dump_all();
	OK(begin_account, ADMIN_ADD, "a", "");
	OK(begin_set, ADMIN_ADD, "a", "s");
	OK(begin_destination, ADMIN_ADD, "a", "s", "d");
	OK(begin_identity, ADMIN_ADD, "a", "x.org;configuration_set=s");
	OK(begin_identity, ADMIN_ADD, "a", "y.org");
	OK(begin_credential, ADMIN_ADD, "a", ID_1);
	OK(begin_suppress, "a", ADDRESSES("jo@y.org", "kim@y.org"));
	OK(begin_remove, OBJECT_ACCOUNT, "a", "a");
	after = dump_all();
	assert_string_equal(after, before);
	assert_string_equal(owner_of(ID_1), "");
	assert_string_equal(owner_of(ID_2), "b");
	/* One of the same name has nothing of it, now and after a restart. */
	OK(begin_account, ADMIN_ADD, "a", "");
	assert_null(config_set_find(w.services.sets, "a", SPAN_LIT("s")));
	assert_int_equal(suppressions_count(w.services.suppressions, "a"), 0);
	check_restart("");
	assert_string_equal(owner_of(ID_1), "");
	assert_null(identity_find(w.services.identities, "a", "y.org"));
	assert_int_equal(suppressions_count(w.services.suppressions, "a"), 0);
	OK(begin_set, ADMIN_ADD, "a", "s");
	assert_int_equal(destination_count("a", "s"), 0);
	check_restart("");
	free(before);
	free(after);
}

static void
test_a_set_goes_with_its_destinations(void **state)
{
	(void)state;
	OK(begin_account, ADMIN_ADD, "a", "");
	OK(begin_set, ADMIN_ADD, "a", "s");
	OK(begin_set, ADMIN_ADD, "a", "t");
	OK(begin_destination, ADMIN_ADD, "a", "s", "d1");
	OK(begin_destination, ADMIN_ADD, "a", "s", "d2");
	OK(begin_destination, ADMIN_ADD, "a", "t", "d1");
	OK(begin_identity, ADMIN_ADD, "a", "x.org;configuration_set=s");
	OK(begin_set, ADMIN_CHANGE, "a", "s");
	assert_int_equal(destination_count("a", "s"), 2);
	OK(begin_remove, OBJECT_SET, "a", "s");
	check_restart("");
	assert_int_equal(destination_count("a", "t"), 1);
	/* What it was the default of keeps its name, as SES has it: a new one of the name serves. */
	assert_string_equal(
	    identity_find(w.services.identities, "a", "x.org")->configuration_set, "s");
	OK(begin_set, ADMIN_ADD, "a", "s");
	assert_int_equal(destination_count("a", "s"), 0);
	check_restart("");
	assert_int_equal(destination_count("a", "s"), 0);
}

/* The domain of an identity is found in any letters. */
static void
test_an_identity_in_other_letters(void **state)
{
	(void)state;
	OK(begin_account, ADMIN_ADD, "a", "");
	OK(begin_identity, ADMIN_ADD, "a", "Example.COM");
	OK(begin_identity, ADMIN_ADD, "a", "Jo@Example.com");
	REFUSED(409, "Identity \"example.com\" is there already.", begin_identity, ADMIN_ADD, "a",
	    "EXAMPLE.com");
	REFUSED(404, "There is no identity \"jo@example.com\".", begin_remove, OBJECT_IDENTITY, "a",
	    "jo@example.com");
	OK(begin_remove, OBJECT_IDENTITY, "a", "Jo@EXAMPLE.com");
	check_restart("");
	assert_null(identity_find(w.services.identities, "a", "Jo@example.com"));
	OK(begin_remove, OBJECT_IDENTITY, "a", "EXAMPLE.com");
	check_restart("");
	assert_null(identity_find(w.services.identities, "a", "example.com"));
}

/* As many as an account may have, whatever is on its way. */
static void
test_identities_at_once(void **state)
{
	enum {
		MAX = 10000,
		TOO_MANY = 5
	};
	static struct answer answers[MAX + TOO_MANY];
	struct answer again, gone, next;
	char name[64];
	size_t refused = 0;

	(void)state;
	OK(begin_account, ADMIN_ADD, "a", "");
	for (size_t i = 0; i < MAX - 1; i++) {
		(void)snprintf(name, sizeof name, "%zu.org", i);
		begin_identity(&answers[i], ADMIN_ADD, "a", name);
	}
	run();
	for (size_t i = MAX - 1; i < MAX + TOO_MANY; i++) {
		(void)snprintf(name, sizeof name, "%zu.org", i);
		begin_identity(&answers[i], ADMIN_ADD, "a", name);
	}
	begin_identity(&again, ADMIN_CHANGE, "a", "1.org"); /* is none more */
	run();
	for (size_t i = 0; i < MAX + TOO_MANY; i++) {
		assert_int_equal(answers[i].calls, 1);
		refused += answers[i].rc != RC_OK;
	}
	assert_int_equal(refused, TOO_MANY);
	assert_int_equal(answers[MAX + TOO_MANY - 1].code, 409);
	assert_rc(again.rc, RC_OK);
	assert_int_equal(identities_count(w.services.identities, "a"), MAX);
	/* One that goes makes room when it is gone. */
	begin_remove(&gone, OBJECT_IDENTITY, "a", "2.org");
	begin_identity(&next, ADMIN_ADD, "a", "next.org");
	run();
	assert_rc(gone.rc, RC_OK);
	assert_rc(next.rc, RC_DENY);
	OK(begin_identity, ADMIN_ADD, "a", "next.org");
}

/* The configuration begins to declare an account while that of the store is on its way out. */
static void
test_an_account_that_is_declared_meanwhile(void **state)
{
	static const char text[] =
	    "accounts = ({ name = \"a\"; }); identities = ({ name = \"0.org\"; account = \"a\"; },"
	    " { name = \"x.org\"; account = \"a\"; });";
	struct answer gone;

	(void)state;
	OK(begin_account, ADMIN_ADD, "a", "");
	OK(begin_identity, ADMIN_ADD, "a", "x.org");
	OK(begin_identity, ADMIN_ADD, "a", "y.org");
	begin_remove(&gone, OBJECT_ACCOUNT, "a", "a");
	use_config(text);
	check_ok(&gone);
	assert_null(identity_find(w.services.identities, "a", "y.org"));
	check_restart(text);
	use_config("");
	check_restart("");
}

static void
test_destinations(void **state)
{
	char name[20];

	(void)state;
	OK(begin_account, ADMIN_ADD, "a", "");
	OK(begin_set, ADMIN_ADD, "a", "s");
	for (int i = 0; i < DESTINATIONS_MAX; i++) {
		(void)snprintf(name, sizeof name, "d%d", i);
		OK(begin_destination, ADMIN_PUT, "a", "s", name);
	}
	REFUSED(409, "The configuration set \"s\" has 10 event destinations, and may have no more.",
	    begin_destination, ADMIN_PUT, "a", "s", "more");
	OK(begin_destination, ADMIN_PUT, "a", "s", "d3");
	{
		struct answer answer = { 0 };

		admin_remove_destination(w.admin, "a", "s", "d3", on_done, &answer);
		check_ok(&answer);
		answer = (struct answer){ 0 };
		admin_remove_destination(w.admin, "a", "s", "d3", on_done, &answer);
		check_refused(&answer, 404, "There is no event destination \"d3\".");
	}
	OK(begin_destination, ADMIN_PUT, "a", "s", "more");
	check_restart("");
	assert_int_equal(destination_count("a", "s"), DESTINATIONS_MAX);
}

static void
test_suppressions(void **state)
{
	const struct suppression *found;

	(void)state;
	OK(begin_account, ADMIN_ADD, "a", "");
	OK(begin_suppress, "a", ADDRESSES("Jo@Example.org", "kim@example.org"));
	REFUSED(400, "\"jo\" is no mail address.", begin_suppress, "a",
	    ADDRESSES("new@example.org", "jo", "newer@example.org"));
	assert_int_equal(suppressions_count(w.services.suppressions, "a"), 2);
	check_restart("");
	/* In other letters it is the same, and there once. */
	OK(begin_suppress, "a", ADDRESSES("Jo@EXAMPLE.org"));
	found = suppression_find(w.services.suppressions, "a", SPAN_LIT("Jo@example.org"));
	assert_string_equal(found->address, "Jo@EXAMPLE.org");
	assert_int_equal(suppressions_count(w.services.suppressions, "a"), 2);
	check_restart("");
	OK(begin_unsuppress, "a", ADDRESSES("Jo@example.ORG", "nobody@example.org"));
	assert_int_equal(suppressions_count(w.services.suppressions, "a"), 1);
	check_restart("");
	/* Twice in one call. */
	OK(begin_suppress, "a", ADDRESSES("pat@example.org", "pat@Example.org", "pat@example.org"));
	OK(begin_unsuppress, "a", ADDRESSES("pat@example.org"));
	check_restart("");
	OK(begin_suppress, "a", ADDRESSES("pat@example.org", "pat@Example.org"));
	OK(begin_unsuppress, "a",
	    ADDRESSES("Pat@example.org", "pat@EXAMPLE.org", "pat@Example.org"));
	assert_int_equal(suppressions_count(w.services.suppressions, "a"), 1);
	check_restart("");
	OK(begin_suppress, "a", ADDRESSES(NULL)); /* none at all */
}

/* ------------------------------------------------------------------ the file, too ------------- */

#define FILE_TEXT \
	"accounts = ({ name = \"f\"; credentials = ({ id = \"" ID_1 "\"; secret = \"" SECRET \
	"\"; }); });" \
	"configuration_sets = ({ name = \"s\"; account = \"f\"; max_delivery = \"1500ms\"; });" \
	"identities = ({ name = \"x.org\"; account = \"f\"; configuration_set = \"s\"; });"
#define IN_FILE(what) what " is declared in the configuration file, and is changed there."

static void
test_what_the_file_declares(void **state)
{
	union config_object object;
	struct why why = WHY_EMPTY;
	bool in_file = false;

	(void)state;
	restart(FILE_TEXT);
	REFUSED(409, IN_FILE("Account \"f\""), begin_account, ADMIN_PUT, "f", "");
	REFUSED(409, IN_FILE("Account \"f\""), begin_remove, OBJECT_ACCOUNT, "f", "f");
	REFUSED(409, IN_FILE("Configuration set \"s\""), begin_set, ADMIN_PUT, "f", "s");
	REFUSED(409, IN_FILE("Configuration set \"s\""), begin_remove, OBJECT_SET, "f", "s");
	REFUSED(
	    409, IN_FILE("Configuration set \"s\""), begin_destination, ADMIN_PUT, "f", "s", "d");
	REFUSED(409, IN_FILE("Identity \"x.org\""), begin_identity, ADMIN_CHANGE, "f", "x.org");
	REFUSED(409, IN_FILE("Credential \"" ID_1 "\""), begin_credential, ADMIN_ADD, "f", ID_1);
	REFUSED(
	    409, IN_FILE("Credential \"" ID_1 "\""), begin_remove, OBJECT_CREDENTIAL, "f", ID_1);
	assert_rc(admin_get(w.admin, OBJECT_SET, "f", "s", &object, &in_file, &why), RC_OK);
	assert_true(in_file);
	assert_int_equal(object.set.max_delivery_ms, 1500);
	config_object_clear(OBJECT_SET, &object);
	assert_rc(
	    admin_get(w.admin, OBJECT_IDENTITY, "f", "x.org", &object, &in_file, &why), RC_OK);
	assert_true(in_file);
	assert_string_equal(object.identity.configuration_set, "s");
	config_object_clear(OBJECT_IDENTITY, &object);
	assert_rc(admin_get(w.admin, OBJECT_SET, "f", "t", &object, &in_file, &why), RC_DENY);
	assert_int_equal(why.code, 404);
	assert_string_equal(why.text, "There is no configuration set \"t\".");
	/* More of what the account of the file has may be in the store. */
	OK(begin_set, ADMIN_ADD, "f", "t");
	OK(begin_identity, ADMIN_ADD, "f", "y.org;configuration_set=s");
	OK(begin_credential, ADMIN_ADD, "f", ID_2);
	OK(begin_suppress, "f", ADDRESSES("jo@example.org"));
	check_restart(FILE_TEXT);
}

/* First in the store, then declared, then not declared again. */
static void
test_file_over_store(void **state)
{
	char *before, *after;

	(void)state;
	OK(begin_account, ADMIN_ADD, "f", "profile=relay");
	OK(begin_put, ADMIN_ADD, OBJECT_SET, "f", "account=f;name=s;tls=verify");
	OK(begin_destination, ADMIN_ADD, "f", "s", "d");
	OK(begin_identity, ADMIN_ADD, "f", "x.org;verified=false");
	OK(begin_account, ADMIN_ADD, "other", "");
	OK(begin_credential, ADMIN_ADD, "other", ID_1);
	before = dump_all();
	use_config(FILE_TEXT);
	assert_int_equal(
	    account_settings(account_find(w.services.accounts, "f"))->profile, PROFILE_SES);
	assert_true(identity_find(w.services.identities, "f", "x.org")->verified);
	assert_string_equal(owner_of(ID_1), "f");
	REFUSED(409, IN_FILE("Account \"f\""), begin_remove, OBJECT_ACCOUNT, "f", "f");
	REFUSED(409, IN_FILE("Credential \"" ID_1 "\""), begin_remove, OBJECT_CREDENTIAL, "other",
	    ID_1);
	check_restart(FILE_TEXT);
	use_config("");
	after = dump_all();
	assert_string_equal(after, before);
	assert_string_equal(owner_of(ID_1), "other");
	check_restart("");
	free(before);
	free(after);
}

/* ------------------------------------------------------------------ at the same time ---------- */

static enum config_profile
profile_of_login(const char *id)
{
	char password[AUTH_PASSWORD_LEN + 1];
	struct login out = { "", PROFILE_SES };
	const char *reason;

	assert_rc(auth_password_v4(SECRET, w.config->region, password), RC_OK);
	assert_rc(
	    credentials_check(w.table, w.services.credentials, id, password, &out, &reason), RC_OK);
	return out.profile;
}

/* Credentials of the store follow what a reload says of region and profile, as those of the configuration do. */
static void
test_reload_and_credentials_of_the_store(void **state)
{
	static const char relay[] = "region = \"eu-west-1\";"
				    "accounts = ({ name = \"a\"; profile = \"relay\"; });";

	(void)state;
	OK(begin_account, ADMIN_ADD, "a", "");
	OK(begin_account, ADMIN_ADD, "b", "profile=relay");
	OK(begin_credential, ADMIN_ADD, "a", ID_1);
	OK(begin_credential, ADMIN_ADD, "b", ID_2);
	assert_int_equal(profile_of_login(ID_1), PROFILE_SES);
	use_config(relay);
	assert_int_equal(profile_of_login(ID_1), PROFILE_RELAY);
	assert_int_equal(profile_of_login(ID_2), PROFILE_RELAY);
	check_restart(relay);
	assert_int_equal(profile_of_login(ID_1), PROFILE_RELAY);
	use_config("");
	assert_int_equal(profile_of_login(ID_1), PROFILE_SES);
	assert_int_equal(profile_of_login(ID_2), PROFILE_RELAY);
	OK(begin_remove, OBJECT_CREDENTIAL, "b", ID_2);
	use_config(relay);
	assert_int_equal(profile_of_login(ID_1), PROFILE_RELAY);
	assert_string_equal(owner_of(ID_2), "");
}

static void
test_the_same_object(void **state)
{
	struct answer first, second, third;

	(void)state;
	begin_account(&first, ADMIN_ADD, "a", "");
	begin_account(&second, ADMIN_ADD, "a", "");
	begin_account(&third, ADMIN_ADD, "b", "");
	assert_int_equal(first.calls, 0);
	check_refused(&second, 409, BUSY);
	check_ok(&first);
	check_ok(&third);
	/* All of an account waits for the account. */
	begin_account(&first, ADMIN_CHANGE, "a", "");
	begin_identity(&second, ADMIN_ADD, "a", "x.org");
	begin_identity(&third, ADMIN_ADD, "b", "x.org");
	check_refused(&second, 409, BUSY);
	check_ok(&first);
	check_ok(&third);
	begin_identity(&first, ADMIN_ADD, "a", "x.org");
	begin_remove(&second, OBJECT_ACCOUNT, "a", "a");
	begin_suppress(&third, "b", ADDRESSES("jo@example.org"));
	check_refused(
	    &second, 409, "Something of the account is being changed by another call; try again.");
	check_ok(&first);
	check_ok(&third);
	begin_suppress(&first, "a", ADDRESSES("jo@example.org"));
	begin_remove(&second, OBJECT_ACCOUNT, "a", "a");
	check_refused(
	    &second, 409, "Something of the account is being changed by another call; try again.");
	check_ok(&first);
	begin_remove(&first, OBJECT_ACCOUNT, "a", "a");
	begin_suppress(&second, "a", ADDRESSES("kim@example.org"));
	begin_credential(&third, ADMIN_ADD, "a", ID_1);
	check_refused(&second, 409, BUSY);
	check_refused(&third, 409, BUSY);
	check_ok(&first);
	check_restart("");
}

/* Ids are not an account's own. */
static void
test_the_same_credential(void **state)
{
	struct answer first, second;

	(void)state;
	OK(begin_account, ADMIN_ADD, "a", "");
	OK(begin_account, ADMIN_ADD, "b", "");
	begin_credential(&first, ADMIN_ADD, "a", ID_1);
	begin_credential(&second, ADMIN_ADD, "b", ID_1);
	check_refused(&second, 409, BUSY);
	check_ok(&first);
	assert_string_equal(owner_of(ID_1), "a");
	REFUSED(409, "Credential \"" ID_1 "\" is there already.", begin_credential, ADMIN_ADD, "b",
	    ID_1);
	REFUSED(409, "Credential \"" ID_1 "\" is another account's.", begin_credential, ADMIN_PUT,
	    "b", ID_1);
	REFUSED(409, "Credential \"" ID_1 "\" is another account's.", begin_credential,
	    ADMIN_CHANGE, "b", ID_1);
	REFUSED(409, "Credential \"" ID_1 "\" is another account's.", begin_remove,
	    OBJECT_CREDENTIAL, "b", ID_1);
	assert_string_equal(owner_of(ID_1), "a");
	check_restart("");
	OK(begin_remove, OBJECT_CREDENTIAL, "a", ID_1);
	OK(begin_credential, ADMIN_PUT, "b", ID_1);
	assert_string_equal(owner_of(ID_1), "b");
}

/* A set and its destinations are one. */
static void
test_a_set_and_its_destinations(void **state)
{
	struct answer first, second, third;

	(void)state;
	OK(begin_account, ADMIN_ADD, "a", "");
	OK(begin_set, ADMIN_ADD, "a", "s");
	OK(begin_set, ADMIN_ADD, "a", "t");
	begin_remove(&first, OBJECT_SET, "a", "s");
	begin_destination(&second, ADMIN_ADD, "a", "s", "d");
	begin_destination(&third, ADMIN_ADD, "a", "t", "d");
	check_refused(&second, 409, BUSY);
	check_ok(&first);
	check_ok(&third);
	check_restart("");
	begin_destination(&first, ADMIN_ADD, "a", "t", "e");
	begin_remove(&second, OBJECT_SET, "a", "t");
	check_refused(&second, 409, BUSY);
	check_ok(&first);
	check_restart("");
}

/* No more than there may be, at whatever moment they come. */
static void
test_many_destinations_at_once(void **state)
{
	struct answer answers[DESTINATIONS_MAX + 2];
	char name[20];

	(void)state;
	OK(begin_account, ADMIN_ADD, "a", "");
	OK(begin_set, ADMIN_ADD, "a", "s");
	for (int i = 0; i < DESTINATIONS_MAX - 1; i++) {
		(void)snprintf(name, sizeof name, "d%d", i);
		OK(begin_destination, ADMIN_PUT, "a", "s", name);
	}
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		(void)snprintf(name, sizeof name, "e%zu", i);
		begin_destination(&answers[i], ADMIN_PUT, "a", "s", name);
	}
	check_ok(&answers[0]);
	for (size_t i = 1; i < ARRAY_LEN(answers); i++)
		check_refused(&answers[i], 409, BUSY);
	assert_int_equal(destination_count("a", "s"), DESTINATIONS_MAX);
	check_restart("");
}

/* Lists are changed at the same time as long as it is not the same address, in whatever letters. */
static void
test_the_same_address(void **state)
{
	struct answer one, same, other, many, elsewhere;

	(void)state;
	OK(begin_account, ADMIN_ADD, "a", "");
	OK(begin_account, ADMIN_ADD, "b", "");
	begin_suppress(&one, "a", ADDRESSES("jo@example.org"));
	begin_suppress(&same, "a", ADDRESSES("jo@Example.org"));
	begin_suppress(&other, "a", ADDRESSES("Jo@example.org"));
	begin_suppress(&many, "a", ADDRESSES("kim@example.org", "jo@EXAMPLE.org"));
	begin_suppress(&elsewhere, "b", ADDRESSES("jo@example.org"));
	check_refused(&same, 409, BUSY);
	check_refused(&many, 409, BUSY);
	check_ok(&one);
	check_ok(&other);
	check_ok(&elsewhere);
	assert_int_equal(suppressions_count(w.services.suppressions, "a"), 2);
	check_restart("");
	begin_suppress(&many, "a", ADDRESSES("kim@example.org", "pat@example.org"));
	begin_unsuppress(&same, "a", ADDRESSES("pat@Example.org"));
	begin_suppress(&other, "a", ADDRESSES("lee@example.org", "sam@example.org"));
	check_refused(&same, 409, BUSY);
	check_ok(&many);
	check_ok(&other);
	/* And none of them stays in the way. */
	OK(begin_unsuppress, "a",
	    ADDRESSES("jo@Example.org", "Jo@example.org", "kim@example.org", "pat@example.org",
		"lee@example.org", "sam@example.org"));
	assert_int_equal(suppressions_count(w.services.suppressions, "a"), 0);
	check_restart("");
}

/* ------------------------------------------------------------------ a store with faults ------- */

static void
sql(const char *text)
{
	char path[100];
	sqlite3 *db;

	(void)snprintf(path, sizeof path, "%s/postrider.db", w.directory);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* A row that no program has written is left out, and the others are there. */
static void
check_left_out(const char *statement, const char *kept)
{
	char *all;

	close_world();
	sql(statement);
	open_world("");
	assert_null(store_down(w.services.store));
	assert_string_equal(owner_of(ID_1), "a");
	assert_string_equal(owner_of("AKIANONE000000000000"), "");
	all = dump_all();
	assert_non_null(strstr(all, kept));
	free(all);
}

static void
test_rows_that_are_no_good(void **state)
{
	(void)state;
	OK(begin_account, ADMIN_ADD, "a", "");
	OK(begin_account, ADMIN_ADD, "0", "");
	OK(begin_credential, ADMIN_ADD, "a", ID_1);
	OK(begin_set, ADMIN_ADD, "a", "s");
	OK(begin_identity, ADMIN_ADD, "a", "x.org;senders=b");
	OK(begin_suppress, "a", ADDRESSES("jo@example.org"));
	check_left_out("UPDATE account SET profile = 'other', checksum = NULL WHERE name = '0'",
	    "0 a \"name\": \"a\"");
	assert_null(account_find(w.services.accounts, "0"));
	check_left_out("UPDATE account SET profile = 'ses' WHERE name = '0';"
		       "UPDATE config_set SET tls = 'maybe', checksum = NULL",
	    "0 0 \"name\": \"0\"");
	assert_null(config_set_find(w.services.sets, "a", SPAN_LIT("s")));
	check_left_out("UPDATE config_set SET tls = 'require', tags = 'no tag'", "2 a \"name\"");
	check_left_out("UPDATE config_set SET tags = 'a=b';"
		       "UPDATE suppression SET reason = 'none', checksum = NULL",
	    "\"tags\": [ \"a=b\" ]");
	assert_int_equal(suppressions_count(w.services.suppressions, "a"), 0);
	check_left_out("UPDATE suppression SET reason = 'COMPLAINT', address = 'jo'", "2 a ");
	check_left_out("UPDATE suppression SET address = 'jo@example.org';"
		       "UPDATE identity SET senders = '/', checksum = NULL",
	    "suppressed a jo@example.org COMPLAINT 5 id");
	assert_null(identity_find(w.services.identities, "a", "x.org"));
	check_left_out("UPDATE identity SET senders = 'b';"
		       "INSERT INTO event_destination VALUES ('a', 'none', 'd', 1, '{}', NULL)",
	    "\"senders\": [ \"b\" ]");
}

/* A line for each of the first, then their number: not as many as there are rows. */
static void
test_many_rows_that_are_no_good(void **state)
{
	char path[200], *text, *at;
	size_t lines = 0;
	int kept;

	(void)state;
	OK(begin_account, ADMIN_ADD, "a", "");
	close_world();
	sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
	    " INSERT INTO suppression SELECT 'a', i || '@example.org', 'none', 1, '', '', NULL "
	    "FROM n");
	(void)snprintf(path, sizeof path, "%s/log", w.directory);
	write_file(path, "");
	kept = dup(STDERR_FILENO);
	assert_true(
	    kept >= 0 && dup2(open(path, O_WRONLY | O_APPEND | O_CLOEXEC), STDERR_FILENO) >= 0);
	open_world("");
	assert_true(dup2(kept, STDERR_FILENO) >= 0);
	(void)close(kept);
	text = read_text(path);
	for (at = text; (at = strstr(at, "left out")) != NULL; at++)
		lines++;
	assert_int_equal(lines, 21);
	assert_non_null(strstr(text, "suppression of: 500 left out in all"));
	free(text);
}

/* Nobody is told that his id is wrong when it may be one that could not be read. */
static void
test_a_credential_that_is_no_good(void **state)
{
	char account[65];

	(void)state;
	OK(begin_account, ADMIN_ADD, "a", "");
	OK(begin_credential, ADMIN_ADD, "a", ID_1);
	OK(begin_credential, ADMIN_ADD, "a", ID_2);
	close_world();
	sql("UPDATE credential SET secret = x'00' WHERE id = '" ID_1 "'");
	open_world("");
	assert_null(store_down(w.services.store));
	assert_rc(login(ID_1, account), RC_LATER);
	assert_rc(login("AKIANONE000000000000", account), RC_LATER);
	assert_rc(login(ID_2, account), RC_OK);
}

/* What cannot be read now, but in another hour, goes with its account all the same: nobody shall log in to the next account
 * of the name. */
static void
test_an_account_goes_with_what_cannot_be_read(void **state)
{
	char keys[200], other[200], account[65];

	(void)state;
	(void)snprintf(keys, sizeof keys, "%s/master.key", w.directory);
	(void)snprintf(other, sizeof other, "%s/other.key", w.directory);
	OK(begin_account, ADMIN_ADD, "a", "");
	OK(begin_credential, ADMIN_ADD, "a", ID_1);
	OK(begin_account, ADMIN_ADD, "b", "");
	OK(begin_credential, ADMIN_ADD, "b", ID_2);
	close_world();
	assert_int_equal(rename(keys, other), 0);
	write_file(keys, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
	open_world("");
	assert_rc(login(ID_1, account), RC_LATER);
	OK(begin_remove, OBJECT_ACCOUNT, "a", "a");
	OK(begin_account, ADMIN_ADD, "a", "");
	close_world();
	assert_int_equal(rename(other, keys), 0);
	open_world("");
	assert_string_equal(owner_of(ID_1), "");
	assert_string_equal(owner_of(ID_2), "b");
}

/* A set that was left out has destinations in the store; a new one of its name does not come to them. */
static void
test_a_set_without_what_cannot_be_read(void **state)
{
	(void)state;
	OK(begin_account, ADMIN_ADD, "a", "");
	OK(begin_set, ADMIN_ADD, "a", "s");
	OK(begin_destination, ADMIN_ADD, "a", "s", "d");
	OK(begin_set, ADMIN_ADD, "a", "t");
	OK(begin_destination, ADMIN_ADD, "a", "t", "d");
	close_world();
	sql("UPDATE config_set SET tls = 'maybe', checksum = NULL WHERE name = 's'");
	open_world("");
	assert_null(config_set_find(w.services.sets, "a", SPAN_LIT("s")));
	OK(begin_set, ADMIN_ADD, "a", "s");
	check_restart("");
	assert_int_equal(destination_count("a", "s"), 0);
	assert_int_equal(destination_count("a", "t"), 1);
}

/* Without the store: what there is cannot be changed, and logins are told to try again. */
static void
test_the_store_is_down(void **state)
{
	struct answer answer;
	char account[65];

	(void)state;
	OK(begin_account, ADMIN_ADD, "a", "");
	OK(begin_credential, ADMIN_ADD, "a", ID_1);
	close_world();
	sql("PRAGMA user_version = 1000");
	open_world("accounts = ({ name = \"f\"; });");
	assert_non_null(store_down(w.services.store));
	assert_rc(login(ID_1, account), RC_LATER);
	begin_account(&answer, ADMIN_ADD, "c", "");
	assert_int_equal(answer.calls, 1); /* nothing was begun */
	check_refused(&answer, 503, store_down(w.services.store));
	begin_suppress(&answer, "f", ADDRESSES("jo@example.org"));
	check_refused(&answer, 503, store_down(w.services.store));
	assert_int_equal(suppressions_count(w.services.suppressions, "f"), 0);
	/* What is wrong with the call itself is said all the same. */
	begin_account(&answer, ADMIN_CHANGE, "c", "");
	check_refused(&answer, 404, "There is no account \"c\".");
	close_world();
	sql("PRAGMA user_version = 2");
	open_world("");
	assert_string_equal(owner_of(ID_1), "a");
}

/* What waits for the disk when the daemon stops is told, once. */
static void
test_stop(void **state)
{
	struct answer first, second;

	(void)state;
	OK(begin_account, ADMIN_ADD, "a", "");
	begin_set(&first, ADMIN_ADD, "a", "s");
	begin_suppress(&second, "a", ADDRESSES("jo@example.org"));
	restart("");
	assert_int_equal(first.calls, 1);
	assert_int_equal(second.calls, 1);
	assert_rc(first.rc, RC_OK);
	assert_rc(second.rc, RC_OK);
	assert_non_null(config_set_find(w.services.sets, "a", SPAN_LIT("s")));
	assert_int_equal(suppressions_count(w.services.suppressions, "a"), 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_accounts),
		TEST(test_what_accounts_own),
		TEST(test_parts_of_a_second),
		TEST(test_an_account_goes_with_all),
		TEST(test_a_set_goes_with_its_destinations),
		TEST(test_an_identity_in_other_letters),
		TEST(test_identities_at_once),
		TEST(test_an_account_that_is_declared_meanwhile),
		TEST(test_destinations),
		TEST(test_suppressions),
		TEST(test_what_the_file_declares),
		TEST(test_file_over_store),
		TEST(test_reload_and_credentials_of_the_store),
		TEST(test_the_same_object),
		TEST(test_the_same_credential),
		TEST(test_a_set_and_its_destinations),
		TEST(test_many_destinations_at_once),
		TEST(test_the_same_address),
		TEST(test_rows_that_are_no_good),
		TEST(test_many_rows_that_are_no_good),
		TEST(test_a_credential_that_is_no_good),
		TEST(test_an_account_goes_with_what_cannot_be_read),
		TEST(test_a_set_without_what_cannot_be_read),
		TEST(test_the_store_is_down),
		TEST(test_stop),
	};

	log_open(LOG_SINK_STDERR, LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
