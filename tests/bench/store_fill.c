/* tests/bench/store_fill.c - fills the store of a state directory with accounts, each with one credential and as many
 * identities as asked for, by the store's own code.
 *	store_fill STATE-DIRECTORY ACCOUNTS IDENTITIES LOGINS
 * LOGINS is written: a line "ID PASSWORD DOMAIN IDENTITIES" for each account, as smtp_load --logins reads it. The
 * identities of an account are 0.DOMAIN, 1.DOMAIN and so on. Passwords are those of the region us-east-1. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"
#include "store/store.h"
#include "util/clock.h"

#define REGION "us-east-1"

enum {
	BATCH = 2000 /* rows of one transaction */
};

struct filling {
	struct loop *loop;
	struct store *store;
	struct store_change *change;
	unsigned rows; /* in the change */
	unsigned long identities;
	bool failed;
};

static void
on_done(void *arg, enum rc rc, const struct why *why)
{
	struct filling *f = arg;

	if (rc != RC_OK)
		(void)fprintf(stderr, "store_fill: %s\n", why->text);
	f->failed |= rc != RC_OK;
}

static void
flush(struct filling *f)
{
	if (f->rows == 0)
		return;
	store_commit(f->store, f->change, on_done, f);
	f->change = NULL;
	f->rows = 0;
	while (loop_step(f->loop) > 0)
		continue;
}

static void
put(struct filling *f, const struct store_row *row)
{
	if (f->change == NULL)
		f->change = store_change_new(); /* NULL is told by the commit */
	if (f->change != NULL)
		store_put(f->change, row);
	if (++f->rows >= BATCH || f->change == NULL)
		flush(f);
}

static void
put_account(struct filling *f, const char *name)
{
	struct store_row row = { .kind = STORE_ACCOUNT };

	row.values[ACCOUNT_NAME].text = name;
	row.values[ACCOUNT_PROFILE].text = "ses";
	row.values[ACCOUNT_SENDING_ENABLED].number = 1;
	row.values[ACCOUNT_PRODUCTION].number = 1;
	row.values[ACCOUNT_OVER_LIMIT].text = "reject";
	row.values[ACCOUNT_SUPPRESSION].text = "both";
	row.values[ACCOUNT_WEIGHT].number = 1;
	row.values[ACCOUNT_CREATED_MS].number = clock_wall_ms();
	put(f, &row);
}

static void
put_credential(struct filling *f, const char *account, const char *id, const char *secret)
{
	struct store_row row = { .kind = STORE_CREDENTIAL };

	row.values[CREDENTIAL_ID].text = id;
	row.values[CREDENTIAL_ACCOUNT].text = account;
	row.values[CREDENTIAL_SECRET].text = secret;
	row.values[CREDENTIAL_NOTE].text = "benchmark";
	row.values[CREDENTIAL_CREATED_MS].number = clock_wall_ms();
	put(f, &row);
}

static void
put_identities(struct filling *f, const char *account, const char *domain)
{
	for (unsigned long i = 0; i < f->identities && !f->failed; i++) {
		struct store_row row = { .kind = STORE_IDENTITY };
		char name[128];

		(void)snprintf(name, sizeof name, "%lu.%s", i, domain);
		row.values[IDENTITY_ACCOUNT].text = account;
		row.values[IDENTITY_NAME].text = name;
		row.values[IDENTITY_VERIFIED].number = 1;
		row.values[IDENTITY_CONFIG_SET].text = "";
		row.values[IDENTITY_SENDERS].text = "";
		row.values[IDENTITY_CREATED_MS].number = clock_wall_ms();
		put(f, &row);
	}
}

static void
fill_account(struct filling *f, unsigned long number, FILE *logins)
{
	char name[64], id[32], secret[64], domain[64], password[AUTH_PASSWORD_LEN + 1] = "";

	(void)snprintf(name, sizeof name, "account-%lu", number);
	(void)snprintf(id, sizeof id, "AKIAFILL%012lu", number);
	(void)snprintf(secret, sizeof secret, "secret/of/account+%022lu", number);
	(void)snprintf(domain, sizeof domain, "account-%lu.fill.test", number);
	put_account(f, name);
	put_credential(f, name, id, secret);
	put_identities(f, name, domain);
	if (auth_password_v4(secret, REGION, password) != RC_OK ||
	    fprintf(logins, "%s %s %s %lu\n", id, password, domain, f->identities) < 0)
		f->failed = true;
}

static int
fill(struct filling *f, unsigned long accounts, const char *path)
{
	FILE *logins = fopen(path, "w");

	if (logins == NULL) {
		(void)fprintf(stderr, "store_fill: %s: %s\n", path, strerror(errno));
		return 73;
	}
	for (unsigned long i = 0; i < accounts && !f->failed; i++)
		fill_account(f, i, logins);
	flush(f);
	if (fclose(logins) != 0)
		f->failed = true;
	return f->failed ? 1 : 0;
}

static bool
read_number(const char *text, unsigned long *out)
{
	char *end;

	errno = 0;
	*out = strtoul(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && text[0] != '-';
}

int
main(int argc, char **argv)
{
	struct filling f = { .loop = loop_new_manual("core") };
	struct store_options options = { .master_keys = "", .core = f.loop };
	struct why why = WHY_EMPTY;
	unsigned long accounts;
	int status = 1;

	if (argc != 5 || !read_number(argv[2], &accounts) || !read_number(argv[3], &f.identities)) {
		(void)fprintf(
		    stderr, "usage: store_fill STATE-DIRECTORY ACCOUNTS IDENTITIES LOGINS\n");
		return 64;
	}
	options.directory = argv[1];
	if (f.loop == NULL || store_open(&options, &f.store, &why) != RC_OK)
		(void)fprintf(stderr, "store_fill: %s\n", why.text);
	else if (store_down(f.store) != NULL)
		(void)fprintf(stderr, "store_fill: %s\n", store_down(f.store));
	else
		status = fill(&f, accounts, argv[4]);
	store_close(f.store);
	loop_free(f.loop);
	return status;
}
