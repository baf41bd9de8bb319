/* tests/sim/sim.c - seeds, lives, options. Each life is a child process; the parent never runs code of the daemon, so
 * that a seed means the same alone and in a row. */
#include "config.h"

#include "sim.h"

#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util/log.h"

enum {
	LIFE_MAX_S = 120
};

struct sim *sim;

/* ------------------------------------------------------------------ randomness ---------------- */

uint64_t
sim_random(void)
{
	uint64_t z;

	/* splitmix64 */
	sim->random += UINT64_C(0x9e3779b97f4a7c15);
	z = sim->random;
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

unsigned
sim_below(unsigned n)
{
	return n > 1 ? (unsigned)(sim_random() % n) : 0;
}

bool
sim_chance(unsigned per_mille)
{
	return sim_below(1000) < per_mille;
}

int64_t
sim_between(int64_t low, int64_t high)
{
	return high > low ? low + (int64_t)(sim_random() % (uint64_t)(high - low + 1)) : low;
}

/* ------------------------------------------------------------------ trace --------------------- */

static void trace_va(const char *fmt, va_list args) PRINTF_LIKE(1, 0);

static void
trace_va(const char *fmt, va_list args)
{
	char *line = sim->trace[sim->trace_count++ % SIM_TRACE_LINES];
	int n = snprintf(line, SIM_TRACE_LEN, "%u %lld.%03lld ", sim->life,
	    (long long)(sim->mono_us / 1000000), (long long)(sim->mono_us / 1000 % 1000));

	(void)vsnprintf(line + n, SIM_TRACE_LEN - (size_t)n, fmt, args);
	for (const char *p = line; *p != '\0'; p++)
		sim->trace_hash = (sim->trace_hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
	if (sim->options.trace)
		(void)dprintf(STDOUT_FILENO, "%s\n", line);
}

void
sim_trace(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	trace_va(fmt, args);
	va_end(args);
}

void
sim_fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(sim->failure, sizeof sim->failure, fmt, args);
	va_end(args);
	sim_trace("FAILED: %s", sim->failure);
	_exit(LIFE_FAILED);
}

/* ------------------------------------------------------------------ one seed ------------------ */

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	return ftw->level > 0 ? remove(path) : 0;
}

static void
clean_directory(void)
{
	if (nftw(".", remove_entry, 8, FTW_DEPTH | FTW_PHYS) != 0 || mkdir("spool", 0700) != 0 ||
	    mkdir("spool/large", 0700) != 0 || mkdir("state", 0700) != 0 ||
	    mkdir("saved", 0700) != 0) {
		perror("sim: working directory");
		exit(EXIT_FAILURE);
	}
}

/* The exit status of one life. */
static int
live(void)
{
	int status = 0;
	pid_t pid;

	(void)fflush(stdout); /* an exit in the child would print it again */
	pid = fork();

	if (pid < 0) {
		perror("sim: fork");
		exit(EXIT_FAILURE);
	}
	if (pid == 0) {
		/* A life takes well under a second; and none outlives the parent. */
		(void)alarm(LIFE_MAX_S);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		log_open(LOG_SINK_STDERR, LOG_LEVEL_INFO);
		world_live();
		_exit(LIFE_FAILED);
	}
	while (waitpid(pid, &status, 0) < 0)
		continue;
	if (WIFSIGNALED(status)) {
		(void)snprintf(sim->failure, sizeof sim->failure, "life %u was killed by signal %d",
		    sim->life, WTERMSIG(status));
		return LIFE_FAILED;
	}
	return WEXITSTATUS(status);
}

/* True when every invariant held. */
static bool
run_seed(const struct sim_options *options)
{
	int code;

	memset(sim, 0, sizeof *sim);
	sim->options = *options;
	sim->random = options->seed * UINT64_C(0xd1342543de82ef95) + 1;
	sim->crypto_random = options->seed ^ UINT64_C(0x5851f42d4c957f2d);
	sim->mono_us = INT64_C(1000000000);
	sim->wall_us = INT64_C(1767225600000000);
	sim->trace_hash = UINT64_C(0xcbf29ce484222325);
	clean_directory();
	model_plan();
	for (;;) {
		int64_t down_us;

		code = live();
		if (code == LIFE_FAILED)
			return false;
		if (code != LIFE_CRASHED && code != LIFE_STOPPED && code != LIFE_OVER) {
			(void)snprintf(sim->failure, sizeof sim->failure,
			    "life %u ended with status %d", sim->life, code);
			return false;
		}
		if (code == LIFE_OVER && sim->verifying)
			return true;
		/* One more start over what the last life left: what is done stays done. */
		sim->verifying = code == LIFE_OVER;
		model_crashed(code != LIFE_CRASHED);
		sim->life++;
		down_us = sim_between(10, 600000) * 1000;
		sim->mono_us += down_us;
		sim->wall_us += down_us;
	}
}

/* ------------------------------------------------------------------ telling ------------------- */

static const struct {
	const char *name;
	enum sim_fault fault;
} faults[] = {
	{ "net", FAULT_NET },
	{ "dns", FAULT_DNS },
	{ "disk", FAULT_DISK },
	{ "kill", FAULT_KILL },
	{ "power", FAULT_POWER },
	{ "stop", FAULT_STOP },
	{ "limits", FAULT_LIMITS },
	{ "tls", FAULT_TLS },
	{ "full", FAULT_FULL },
};

static void
print_command(const struct sim_options *options)
{
	const char *comma = " --without ";

	(void)printf("  sim --seed %" PRIu64, options->seed);
	if (options->steps > 0)
		(void)printf(" --steps %u", options->steps);
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		if ((options->faults & faults[i].fault) == 0) {
			(void)printf("%s%s", comma, faults[i].name);
			comma = ",";
		}
	(void)printf("\n");
}

static void
print_failure(void)
{
	uint64_t from = sim->trace_count > 50 ? sim->trace_count - 50 : 0;

	(void)printf("FAILED seed %" PRIu64 " life %u step %" PRIu64 ": %s\n", sim->options.seed,
	    sim->life, sim->steps, sim->failure);
	if (!sim->options.trace)
		for (uint64_t i = from; i < sim->trace_count; i++)
			(void)printf("  %s\n", sim->trace[i % SIM_TRACE_LINES]);
	print_command(&sim->options);
	(void)fflush(stdout);
}

/* Fewer messages and fewer kinds of faults, as long as it still fails. */
static void
shrink(struct sim_options options)
{
	unsigned low;

	options.trace = false;
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		options.faults &= ~(unsigned)faults[i].fault;
		if (run_seed(&options))
			options.faults |= faults[i].fault;
	}
	(void)run_seed(&options);
	options.steps = sim->plan.messages;
	for (low = options.steps / 2; low > 0; low /= 2)
		while (options.steps > low) {
			options.steps -= low;
			if (run_seed(&options)) {
				options.steps += low;
				break;
			}
		}
	if (run_seed(&options)) {
		(void)printf("it does not fail any more when made smaller\n");
		return;
	}
	(void)printf("smallest found:\n");
	print_failure();
}

struct totals {
	uint64_t seeds, failed, messages, accepted, refused, store_failed, receipts, repeats,
	    bounces, crashes, resurrected, forgotten, lives;
};

static void
add_totals(struct totals *t)
{
	t->messages += sim->submitted;
	t->accepted += sim->accepted;
	t->refused += sim->refused;
	t->store_failed += sim->failed;
	t->receipts += sim->receipts;
	t->repeats += sim->repeats;
	t->bounces += sim->bounces;
	t->crashes += sim->crashes;
	t->resurrected += sim->resurrected;
	t->forgotten += sim->forgotten;
	t->lives += sim->life + 1;
}

static void
print_totals(const struct totals *t, time_t took_s)
{
	(void)printf("%" PRIu64 " seeds, %" PRIu64 " failed, %" PRIu64 " messages (%" PRIu64
		     " accepted, %" PRIu64 " refused, %" PRIu64 " not stored, %" PRIu64
		     " forgotten by a quota), %" PRIu64 " receipts (%" PRIu64 " repeated, %" PRIu64
		     " of unanswered mail), %" PRIu64 " bounces, %" PRIu64 " lives, %" PRIu64
		     " crashes, %lld s\n",
	    t->seeds, t->failed, t->messages, t->accepted, t->refused, t->store_failed,
	    t->forgotten, t->receipts, t->repeats, t->resurrected, t->bounces, t->lives, t->crashes,
	    (long long)took_s);
}

/* ------------------------------------------------------------------ options ------------------- */

static void
usage(void)
{
	(void)fprintf(stderr,
	    "usage: sim [--seed N] [--count N] [--fresh N] [--seconds N] [--steps N]\n"
	    "           [--without FAULT,...] [--twice] [--trace] [--shrink] [--keep-going]\n"
	    "  --seed N     the first seed (1); --count N: how many\n"
	    "  --fresh N    as many seeds that nobody has seen\n"
	    "  --seconds N  begin no seed after that long\n"
	    "  --steps N    submissions of each seed; without: the seed decides\n"
	    "  --without    no faults of: net dns disk kill power stop limits tls full\n"
	    "  --twice      run each seed again: it must do the same\n"
	    "  --shrink     look for a smaller case of a seed that fails\n");
	exit(64);
}

struct settings {
	struct sim_options options;
	uint64_t count, fresh;
	long long seconds;
	bool twice, shrink, keep_going;
};

static uint64_t
number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text != NULL ? text : "", &end, 10);

	if (text == NULL || *text == '\0' || *end != '\0')
		usage();
	return value;
}

static unsigned
fault_mask(const char *names)
{
	struct span rest = span_of(names != NULL ? names : "?"), name;
	unsigned mask = 0;

	while (span_next(&rest, ',', &name)) {
		unsigned before = mask;

		for (size_t i = 0; i < ARRAY_LEN(faults); i++)
			if (span_eq(name, span_of(faults[i].name)))
				mask |= faults[i].fault;
		if (mask == before)
			usage();
	}
	return mask;
}

static void
read_options(char **argv, struct settings *s)
{
	for (char **at = argv + 1; *at != NULL; at++) {
		struct span name = span_of(*at);

		if (span_eq(name, SPAN_LIT("--seed")))
			s->options.seed = number(*++at);
		else if (span_eq(name, SPAN_LIT("--count")))
			s->count = number(*++at);
		else if (span_eq(name, SPAN_LIT("--fresh")))
			s->fresh = number(*++at);
		else if (span_eq(name, SPAN_LIT("--seconds")))
			s->seconds = (long long)number(*++at);
		else if (span_eq(name, SPAN_LIT("--steps")))
			s->options.steps = (unsigned)number(*++at);
		else if (span_eq(name, SPAN_LIT("--without")))
			s->options.faults &= ~fault_mask(*++at);
		else if (span_eq(name, SPAN_LIT("--twice")))
			s->twice = true;
		else if (span_eq(name, SPAN_LIT("--trace")))
			s->options.trace = true;
		else if (span_eq(name, SPAN_LIT("--shrink")))
			s->shrink = true;
		else if (span_eq(name, SPAN_LIT("--keep-going")))
			s->keep_going = true;
		else
			usage();
		if (*at == NULL)
			usage();
	}
}

/* False: it failed, or did not do the same again. */
static bool
check_seed(const struct settings *s, struct totals *totals)
{
	bool good = run_seed(&s->options);
	uint64_t hash = sim->trace_hash, lines = sim->trace_count;

	totals->seeds++;
	add_totals(totals);
	if (good && s->twice) {
		good = run_seed(&s->options);
		if (good && (sim->trace_hash != hash || sim->trace_count != lines)) {
			(void)snprintf(sim->failure, sizeof sim->failure,
			    "it took another course the second time");
			good = false;
		}
	}
	if (good)
		return true;
	totals->failed++;
	print_failure();
	if (s->shrink)
		shrink(s->options);
	return false;
}

static char directory[64];

static void
make_directory(void)
{
	const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");

	(void)snprintf(
	    directory, sizeof directory, "%s/postrider-sim.XXXXXX", base != NULL ? base : "/tmp");
	if (mkdtemp(directory) == NULL || chdir(directory) != 0) {
		perror("sim: working directory");
		exit(EXIT_FAILURE);
	}
}

int
main(int argc, char **argv)
{
	struct settings s = { .options = { .seed = 1, .faults = FAULT_ALL }, .count = 1 };
	struct totals totals = { 0 };
	time_t start = time(NULL);
	uint64_t first;

	(void)argc;
	read_options(argv, &s);
	sim = mmap(NULL, sizeof *sim, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sim == MAP_FAILED) {
		perror("sim: memory");
		return EXIT_FAILURE;
	}
	make_directory();
	first = s.options.seed;
	if (s.fresh > 0) {
		s.count = s.fresh;
		first = (uint64_t)start % 1000000000 * 1000;
		(void)printf("fresh seeds from %" PRIu64 "\n", first);
	}
	for (uint64_t i = 0; i < s.count; i++) {
		if (s.seconds > 0 && time(NULL) - start >= s.seconds)
			break;
		s.options.seed = first + i;
		if (!check_seed(&s, &totals) && !s.keep_going)
			break;
	}
	print_totals(&totals, time(NULL) - start);
	if (nftw(".", remove_entry, 8, FTW_DEPTH | FTW_PHYS) != 0 || chdir("/") != 0 ||
	    rmdir(directory) != 0)
		perror("sim: working directory");
	return totals.failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
