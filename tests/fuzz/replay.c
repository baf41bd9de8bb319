/* fuzz/replay.c - runs a fuzz target over the files of its corpus, as a test that ends.
 * In:   the directories or files named on the command line, else the target's own corpus.
 * Out:  how many files were run; fails when there was none. */
#include "config.h"

#include "fuzz/fuzz.h"
#include "util/buf.h"
#include "util/fsutil.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

enum {
	FILE_MAX = 16 * 1024 * 1024
};

static size_t
run_file(const char *path)
{
	struct why why = WHY_EMPTY;
	struct buf bytes = BUF_EMPTY;
	uint8_t *copy;
	size_t len;

	if (fsutil_read_file(path, FILE_MAX, &bytes, &why) != RC_OK) {
		(void)fprintf(stderr, "%s: %s\n", path, why.text);
		exit(1);
	}
	/* A copy of just that size, so that reading past its end is seen. */
	len = buf_len(&bytes);
	copy = malloc(len > 0 ? len : 1);
	MUST(copy != NULL);
	if (len > 0)
		memcpy(copy, buf_span(&bytes).p, len);
	buf_free(&bytes);
	(void)LLVMFuzzerTestOneInput(copy, len);
	free(copy);
	return 1;
}

static size_t
run_directory(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	size_t count = 0;

	if (dir == NULL) {
		perror(path);
		exit(1);
	}
	while ((entry = readdir(dir)) != NULL) {
		char file[PATH_MAX];

		if (entry->d_name[0] == '.')
			continue;
		MUST(snprintf(file, sizeof file, "%s/%s", path, entry->d_name) < PATH_MAX);
		count += run_file(file);
	}
	(void)closedir(dir);
	return count;
}

static size_t
run_path(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? run_file(path) : run_directory(path);
}

int
main(int argc, char **argv)
{
	size_t count = 0;

	if (argc < 2)
		count = run_path(TEST_SRCDIR "/fuzz/corpus/" FUZZ_PARSER);
	for (int i = 1; i < argc; i++)
		count += run_path(argv[i]);
	(void)printf("%s: %zu inputs\n", FUZZ_PARSER, count);
	return count > 0 ? 0 : 1;
}
