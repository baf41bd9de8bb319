/* util/fault.c - POSTRIDER_FAULT: "NAME=ACTION[@FIRST[+COUNT]][,...]".
 *
 * ACTION is kill (as SIGKILL does), abort, short, or an errno: EIO, ENOSPC, EDQUOT, EROFS. FIRST is the pass that is the
 * first to be hit (1), COUNT how many are (1; 0: all from then on). */
#include "config.h"

#include "util/fault.h"

#ifdef FAULT_POINTS
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	FAULTS_MAX = 8,
	ACTION_KILL = -100,
	ACTION_ABORT = -101
};

struct fault {
	char name[48];
	int action;
	unsigned long first, count, passes;
};

static struct fault faults[FAULTS_MAX];
static size_t fault_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int
action_of(const char *word)
{
	static const struct {
		const char *word;
		int action;
	} words[] = { { "kill", ACTION_KILL }, { "abort", ACTION_ABORT }, { "short", FAULT_SHORT },
		{ "EIO", EIO }, { "ENOSPC", ENOSPC }, { "EDQUOT", EDQUOT }, { "EROFS", EROFS } };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(words[i].word, word) == 0)
			return words[i].action;
	(void)fprintf(stderr, "POSTRIDER_FAULT: unknown action %s\n", word);
	_exit(64);
}

static void
parse(void)
{
	const char *text = getenv("POSTRIDER_FAULT");

	while (text != NULL && *text != '\0' && fault_count < FAULTS_MAX) {
		struct fault *fault = &faults[fault_count];
		char word[16] = "";

		*fault = (struct fault){ .first = 1, .count = 1 };
		/* NOLINTNEXTLINE(cert-err34-c): only tests write this, by hand */
		if (sscanf(text, "%47[^=]=%15[A-Za-z]@%lu+%lu", fault->name, word, &fault->first,
			&fault->count) >= 2) {
			fault->action = action_of(word);
			fault_count++;
		}
		text = strchr(text, ',');
		if (text != NULL)
			text++;
	}
}

int
fault_point(const char *name)
{
	int action = 0;

	(void)pthread_once(&once, parse);
	if (fault_count == 0)
		return 0;
	(void)pthread_mutex_lock(&lock);
	for (size_t i = 0; i < fault_count; i++) {
		struct fault *fault = &faults[i];

		if (strcmp(fault->name, name) != 0)
			continue;
		fault->passes++;
		if (fault->passes >= fault->first &&
		    (fault->count == 0 || fault->passes < fault->first + fault->count))
			action = fault->action;
	}
	(void)pthread_mutex_unlock(&lock);
	if (action == ACTION_KILL)
		_exit(137);
	if (action == ACTION_ABORT)
		abort();
	return action;
}
#endif
