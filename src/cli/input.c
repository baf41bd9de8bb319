/* cli/input.c - reads what the user names. */
#include "config.h"

#include <errno.h>

#include "cli/cli.h"

int
read_input(const char *path, size_t max, struct buf *out)
{
	bool standard = strcmp(path, "-") == 0;
	FILE *in = standard ? stdin : fopen(path, "re");
	const char *name = standard ? "standard input" : path;
	int status = EX_OK;
	char chunk[16384];
	size_t n;

	if (in == NULL)
		return cli_fail(
		    errno == EACCES ? EX_NOPERM : EX_NOINPUT, "%s: %s", path, strerror(errno));
	while (status == EX_OK && (n = fread(chunk, 1, sizeof chunk, in)) > 0) {
		buf_add(out, chunk, n);
		if (buf_len(out) > max)
			status = cli_fail(EX_DATAERR, "%s: longer than %zu bytes", name, max);
	}
	if (status == EX_OK && ferror(in))
		status = cli_fail(EX_NOINPUT, "%s: %s", name, strerror(errno));
	if (status == EX_OK && out->failed)
		status = cli_fail_memory();
	if (!standard)
		(void)fclose(in);
	return status;
}
