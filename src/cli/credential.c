/* cli/credential.c - credential derive: from the secret access key to the SMTP password. The secret never stands on the
 * command line, where every user of the machine could read it. */
#include "config.h"

#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "auth/auth.h"
#include "cli/cli.h"
#include "util/crypto.h"

#define DEFAULT_REGION "us-east-1"

/* A line typed at a terminal, which does not show it. */
static bool
prompt(char *out, size_t size)
{
	struct termios before, quiet;
	bool changed = tcgetattr(STDIN_FILENO, &before) == 0;
	bool ok;

	(void)fprintf(stderr, "Secret access key: ");
	if (changed) {
		quiet = before;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	}
	ok = fgets(out, (int)size, stdin) != NULL;
	if (changed)
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	(void)fprintf(stderr, "\n");
	return ok;
}

int
read_secret(const struct args *args, char secret[SECRET_MAX + 2])
{
	const char *path = args_get(args, "secret-file");
	struct buf bytes = BUF_EMPTY;
	int status = EX_OK;

	secret[0] = '\0';
	if (path == NULL && isatty(STDIN_FILENO)) {
		if (!prompt(secret, SECRET_MAX + 2))
			status = cli_fail(EX_NOINPUT, "no secret was given");
	} else {
		/* Room for all of it at once: no copies are left behind in freed memory. */
		(void)buf_reserve(&bytes, 2 * SECRET_MAX + 16384, &(size_t){ 0 });
		status = read_input(path != NULL ? path : "-", SECRET_MAX, &bytes);
		if (status == EX_OK && !span_copy(buf_span(&bytes), secret, SECRET_MAX + 2))
			status = cli_fail(EX_DATAERR, "the secret is too long");
		if (bytes.mem != NULL)
			crypto_wipe(bytes.mem, bytes.cap);
		buf_free(&bytes);
	}
	secret[strcspn(secret, "\r\n")] = '\0';
	if (status == EX_OK && secret[0] == '\0')
		status = cli_fail(EX_DATAERR, "the secret is empty");
	return status;
}

static int
print_password(
    const struct args *args, const char *password, const char *version, const char *region)
{
	if (!wants_json(args)) {
		(void)printf("%s\n", password);
		return EX_OK;
	}
	if (version[0] == '2')
		return print_json(json_pack("{s:s, s:i}", "smtp_password", password, "version", 2));
	return print_json(json_pack(
	    "{s:s, s:i, s:s}", "smtp_password", password, "version", 4, "region", region));
}

int
cmd_credential_derive(const struct args *args)
{
	const char *version = args_get(args, "version"), *region = args_get(args, "region");
	char secret[SECRET_MAX + 2], password[AUTH_PASSWORD_LEN + 1];
	int status;
	enum rc rc;

	if (version == NULL)
		version = "4";
	if (strcmp(version, "4") != 0 && strcmp(version, "2") != 0)
		return cli_fail(EX_USAGE, "--version must be 4 or 2");
	if (version[0] == '2' && region != NULL)
		return cli_fail(EX_USAGE, "passwords of version 2 have no region");
	if (region == NULL)
		region = DEFAULT_REGION;
	status = read_secret(args, secret);
	if (status == EX_OK) {
		rc = version[0] == '2' ? auth_password_v2(secret, password)
				       : auth_password_v4(secret, region, password);
		status = rc == RC_OK ? print_password(args, password, version, region)
				     : cli_fail(EX_DATAERR, "the secret cannot be used");
	}
	crypto_wipe(secret, sizeof secret);
	crypto_wipe(password, sizeof password);
	return status;
}
