/* Random programs of calls on socketpairs: what the kernel does is what weir must do.
 *
 *	differ fuzz [OPTION...]         generates, compares, shrinks what differs
 *	differ check [OPTION...] FILE... compares those programs
 *	differ show FILE                runs one here: natively, or under `weir run`
 *	differ generate SEED            prints one
 *
 * Options: --weir PROGRAM, --seed N, --programs N, --calls N, --seconds N, --differences N (each ends
 * it), --fleeting N (so many that do not come again are told, but end nothing), --keep FOLDER (for what differs), --shrink SECONDS, --times N (each program of a check), --capacity N (a model of queues so
 * large is the judge, not the kernel). */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "allowed.h"
#include "bounded.h"
#include "generate.h"
#include "stage.h"
#include "worker.h"

enum {
	BATCH = 16, /* programs that are under way at a time */
	SHRINK_MS_MAX = 400, /* a shorter program that waits for good is none */
	RUNS_OF_RACES = 200, /* of the kernel's, whose results make the set of what is allowed */
	RACE_MS_MAX = 2000,
	AGAIN = 20, /* runs in which what differed once must do so again */
};

struct options {
	const char *weir;
	const char *keep;
	const char *bound; /* --capacity as it was given */
	uint64_t seed;
	long programs;
	long calls;
	long seconds;
	int times;
	int shrink; /* seconds */
	int differences; /* that end it */
	int fleeting; /* that do not */
	size_t capacity; /* 0: the kernel is the judge, not the model */
};

static struct options options = {.weir = "build/weir",
                                 .programs = 1000,
                                 .calls = 0x7fffffffffffL,
                                 .seconds = 0x7fffffffL,
                                 .times = 1,
                                 .shrink = 20,
                                 .differences = 5};
static struct worker native, under_weir;

/* ---- comparing ---- */

struct comparison {
	char text[TEXT_MAX];
	char kernel[TRACE_MAX];
	char weir[TRACE_MAX];
};

static const char *line_end(const char *line)
{
	return line + strcspn(line, "\n");
}

static bool agree(const struct comparison *c)
{
	return allowed_is(c->text, c->kernel, c->weir);
}

/* Time has a say in these programs: of each some run in each way. */
static bool races(const struct comparison *c)
{
	return strncmp(c->text, "# races", 7) == 0;
}

static bool is_through(const char *trace)
{
	return strcmp(trace, "hangs\n") != 0 && strcmp(trace, "died\n") != 0;
}

static void give(const struct comparison *c)
{
	static unsigned int turn;
	size_t length = strlen(c->text);
	unsigned int way = races(c) ? turn++ % STAGE_WAYS : 0;

	if (!options.capacity)
		worker_give(&native, c->text, length, way);
	worker_give(&under_weir, c->text, length, way);
}

/* False where a worker is lost, and what was under way there. */
static bool take(struct comparison *c, int ms_max)
{
	bool kernel = true;

	if (!options.capacity)
		kernel = worker_answer(&native, c->kernel, sizeof(c->kernel), ms_max);
	bool weir = worker_answer(&under_weir, c->weir, sizeof(c->weir), ms_max);
	return kernel && weir;
}

/* What the kernel gives in many runs is the set of what is allowed: is it weir's result, too? */
static bool kernel_may_give(struct comparison *c)
{
	static struct comparison another;

	if (options.capacity)
		return false;
	another = *c;
	for (unsigned int i = 0; i < RUNS_OF_RACES; i++) {
		worker_give(&native, c->text, strlen(c->text), i % STAGE_ALL_WAYS);
		if (worker_answer(&native, another.kernel, sizeof(another.kernel), RACE_MS_MAX) &&
		    agree(&another)) {
			strcpy(c->kernel, another.kernel);
			return true;
		}
	}
	return false;
}

static bool differs(const struct program *program, struct comparison *c, int ms_max)
{
	program_print(program, c->text, sizeof(c->text));
	if (options.capacity &&
	    !bounded_run(program, options.capacity, c->kernel, sizeof(c->kernel)))
		return false;
	give(c);
	take(c, ms_max);
	return !agree(c) && !(program->races && kernel_may_give(c));
}

static void make(struct program *program, uint64_t seed, struct comparison *c)
{
	if (options.capacity)
		bounded_generate(program, seed, options.capacity, c->kernel, sizeof(c->kernel));
	else
		generate(program, seed);
	program_print(program, c->text, sizeof(c->text));
}

/* The program, while what came of it stays. */
static void make_again(struct program *program, uint64_t seed)
{
	static char trace[TRACE_MAX];

	if (options.capacity)
		bounded_generate(program, seed, options.capacity, trace, sizeof(trace));
	else
		generate(program, seed);
}

/* ---- shrinking ---- */

/* The name of the call whose result differs first. */
static const char *culprit(const struct program *program, const struct comparison *c)
{
	size_t i = 0;

	while (c->kernel[i] && c->kernel[i] == c->weir[i])
		i++;
	while (i > 0 && c->kernel[i - 1] != '\n')
		i--;
	int line = atoi(c->kernel + i);
	return line > 0 && line <= program->lines ? call_names[program->line[line - 1].number] : "";
}

static const char *sought;

/* What the kernel never ends tells nothing. Another call that differs is another story. */
static bool still_differs(const struct program *program, struct comparison *c)
{
	for (int i = 0; i < 2; i++)
		if (!differs(program, c, SHRINK_MS_MAX) || !is_through(c->kernel) || strcmp(culprit(program, c), sought) != 0)
			return false;
	return true;
}

static bool without_lines(struct program *program, int from, int count, struct comparison *c)
{
	static struct program shorter;

	shorter = *program;
	memmove(&shorter.line[from], &shorter.line[from + count],
	        (size_t)(shorter.lines - from - count) * sizeof(shorter.line[0]));
	shorter.lines -= count;
	if (!still_differs(&shorter, c))
		return false;
	*program = shorter;
	return true;
}

static bool simpler_line(struct program *program, int line, struct comparison *c)
{
	static struct program simpler;
	bool any = false;

	for (int i = 0; i < ARGUMENTS_MAX + LIST_MAX + 2; i++) {
		simpler = *program;
		struct call *call = &simpler.line[line];
		if (i < ARGUMENTS_MAX) {
			char kind = i < (int)strlen(call_kinds[call->number])
			                    ? call_kinds[call->number][i]
			                    : 0;
			if (kind == 0 || kind == KIND_PLACE || kind == KIND_ACTOR ||
			    call->a[i] == 0)
				continue;
			call->a[i] = kind == KIND_NUMBER && call->a[i] > 1 ? 1 : 0;
		} else if (i < ARGUMENTS_MAX + LIST_MAX) {
			int k = i - ARGUMENTS_MAX;
			if (k >= call->listed || call->listed == 1)
				continue;
			memmove(&call->list[k], &call->list[k + 1],
			        (size_t)(call->listed - k - 1) * sizeof(call->list[0]));
			call->listed--;
		} else if (i == ARGUMENTS_MAX + LIST_MAX) {
			if (!call->actor)
				continue;
			call->actor = 0;
			call->may_wait = false;
		} else {
			if (!call->may_wait)
				continue;
			call->may_wait = false;
		}
		if (memcmp(&simpler, program, sizeof(simpler)) != 0 && still_differs(&simpler, c)) {
			*program = simpler;
			any = true;
		}
	}
	return any;
}

/* Goes from the back: what nobody uses goes first. */
static bool without_pieces(struct program *program, int size, struct comparison *c, time_t until)
{
	bool any = false;

	for (int from = program->lines - size; from >= 0 && time(NULL) < until; from -= size)
		if (from + size <= program->lines && without_lines(program, from, size, c))
			any = true;
	return any;
}

static void shrink(struct program *program, struct comparison *c)
{
	time_t until = time(NULL) + options.shrink;
	bool any = true;

	sought = culprit(program, c);
	if (strcmp(sought, call_names[CALL_epoll_edges]) == 0) /* its list is true of all the lines */
		return;
	while (any) {
		any = false;
		for (int size = (program->lines + 1) / 2; size > 0;
		     size = size == 1 ? 0 : (size + 1) / 2)
			any |= without_pieces(program, size, c, until);
	}
	for (int i = 0; i < program->lines && time(NULL) < until; i++)
		simpler_line(program, i, c);
	if (!differs(program, c, ANSWER_MS_MAX))
		printf("# does not always differ\n");
}

/* ---- telling ---- */

/* The lines of both traces, where they differ next to each other. */
static void tell(const struct program *program, const struct comparison *c)
{
	const char *kernel = c->kernel, *weir = c->weir;
	char line[512];

	for (int i = 0; i < program->lines; i++) {
		call_print(&program->line[i], line, sizeof(line));
		printf("%4d  %s\n", i + 1, line);
	}
	while (*kernel || *weir) {
		size_t n = (size_t)(line_end(kernel) - kernel), m = (size_t)(line_end(weir) - weir);
		if (n == m && memcmp(kernel, weir, n) == 0)
			printf("        %.*s\n", (int)n, kernel);
		else
			printf("kernel  %.*s\nweir    %.*s\n", (int)n, kernel, (int)m, weir);
		kernel += n + (kernel[n] != '\0');
		weir += m + (weir[m] != '\0');
	}
	fflush(stdout);
}

/* What differs first: it may not do so again. */
static void tell_first(const struct program *program, const struct comparison *c)
{
	const char *kernel = c->kernel, *weir = c->weir;
	char line[512];

	while (*kernel && strncmp(kernel, weir, (size_t)(line_end(kernel) - kernel) + 1) == 0) {
		size_t n = (size_t)(line_end(kernel) - kernel);
		kernel += n + (kernel[n] != '\0');
		weir += n + (weir[n] != '\0');
	}
	int number = atoi(kernel);
	if (number > 0 && number <= program->lines) {
		call_print(&program->line[number - 1], line, sizeof(line));
		printf("# %s\n", line);
	}
	printf("# kernel %.*s, weir %.*s\n", (int)(line_end(kernel) - kernel), kernel,
	       (int)(line_end(weir) - weir), weir);
	fflush(stdout);
}

static void keep(const struct program *program, uint64_t seed)
{
	char path[4096], text[TEXT_MAX];

	if (!options.keep)
		return;
	snprintf(path, sizeof(path), "%s/%llu.txt", options.keep, (unsigned long long)seed);
	FILE *file = fopen(path, "w");
	if (!file) {
		fprintf(stderr, "differ: %s: %s\n", path, strerrorname_np(errno));
		return;
	}
	program_print(program, text, sizeof(text));
	fprintf(file, "%s# found by seed %llu\n", text, (unsigned long long)seed);
	fclose(file);
}

/* ---- the commands ---- */

/* Both kinds of runs share two processors with whatever else the machine does: a thread that
 * is stopped between two calls may see another's work sooner or later than it would have. */
static bool comes_again(const struct program *program)
{
	static struct comparison c;

	for (int i = 0; i < AGAIN; i++)
		if (differs(program, &c, ANSWER_MS_MAX))
			return true;
	return false;
}

/* Tells what differs, or waits for good natively, too. False: it was fleeting, or no program
 * at all, and one of those that may be. */
static bool report(struct program *program, uint64_t seed, struct comparison *c, int *fleeting)
{
	printf("differs: seed %llu\n", (unsigned long long)seed);
	worker_end(&native);
	worker_end(&under_weir);
	make_again(program, seed);
	tell_first(program, c);
	if (*fleeting < options.fleeting && (agree(c) || !comes_again(program))) {
		printf("# %s\n", agree(c) ? "on both sides" : "not again");
		++*fleeting;
		return false;
	}
	shrink(program, c);
	tell(program, c);
	keep(program, seed);
	return true;
}

struct sums {
	long calls, programs;
	int found, fleeting, allowed;
};

/* 1 where it differs. What time decides may be what the kernel gives another time. */
static int judge(struct program *program, uint64_t seed, struct comparison *c, struct sums *sums)
{
	if (is_through(c->kernel) && is_through(c->weir) && kernel_may_give(c)) {
		sums->allowed++;
		if (!races(c))
			printf("# seed %llu: as the kernel another time\n",
			       (unsigned long long)seed);
		return 0;
	}
	return report(program, seed, c, &sums->fleeting);
}

/* Several programs are under way at a time; who does not agree is judged when all have come. */
static void compare_some(int batch, struct sums *sums)
{
	static struct program program;
	static struct comparison c[BATCH];
	bool lost = false, agrees[BATCH];

	for (int i = 0; i < batch; i++) {
		make(&program, options.seed + (uint64_t)(sums->programs + i), &c[i]);
		sums->calls += program.lines;
		give(&c[i]);
	}
	for (int i = 0; i < batch; i++) {
		if (lost)
			give(&c[i]);
		lost |= !take(&c[i], ANSWER_MS_MAX);
		if (lost) { /* what else was under way there is gone */
			worker_end(&native);
			worker_end(&under_weir);
		}
		agrees[i] = agree(&c[i]) && is_through(c[i].kernel);
	}
	for (int i = 0; i < batch; i++)
		if (!agrees[i])
			sums->found += judge(&program, options.seed + (uint64_t)(sums->programs + i),
			                     &c[i], sums);
	sums->programs += batch;
}

static int fuzz(void)
{
	struct timespec start, end;
	struct sums sums = {0};

	printf("# seed %llu\n", (unsigned long long)options.seed);
	fflush(stdout);
	clock_gettime(CLOCK_MONOTONIC, &start);
	time_t until = time(NULL) + options.seconds;
	while (sums.programs < options.programs && sums.calls < options.calls &&
	       time(NULL) < until && sums.found < options.differences)
		compare_some(options.programs - sums.programs < BATCH
		                     ? (int)(options.programs - sums.programs)
		                     : BATCH,
		             &sums);
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%ld programs, %ld calls, %d differ, %d did once, %d as the kernel another time, %.1f s\n",
	       sums.programs, sums.calls, sums.found, sums.fleeting, sums.allowed,
	       (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9);
	return sums.found > 0;
}

static bool load(struct program *program, const char *path)
{
	static char text[TEXT_MAX];
	FILE *file = fopen(path, "r");

	if (!file) {
		fprintf(stderr, "differ: %s: %s\n", path, strerrorname_np(errno));
		return false;
	}
	size_t n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	int wrong = program_parse(program, text);
	if (wrong)
		fprintf(stderr, "differ: %s:%d: no call\n", path, wrong);
	return wrong == 0;
}

static int check(char **files)
{
	static struct program program;
	static struct comparison c;
	int failed = 0, passed = 0;

	for (; *files; files++) {
		bool good = load(&program, *files);
		for (int i = 0; good && i < options.times; i++)
			good = !differs(&program, &c, ANSWER_MS_MAX) &&
			       strcmp(c.kernel, "hangs\n") != 0;
		*(good ? &passed : &failed) += 1;
		if (good)
			continue;
		printf("differs: %s\n", *files);
		tell(&program, &c);
	}
	printf("%d programs agree, %d differ\n", passed, failed);
	return failed > 0 || passed == 0;
}

static char shown[TRACE_MAX];

/* It hangs: what there is so far. */
static void show_part(int number)
{
	(void)number;
	if (write(STDOUT_FILENO, shown, strlen(shown)) > 0)
		_exit(124);
	_exit(3);
}

static int show(const char *path)
{
	static struct program program;

	if (!path || !load(&program, path))
		return 2;
	stage_open();
	signal(SIGALRM, show_part);
	alarm(ANSWER_MS_MAX / 4000);
	fwrite(shown, 1, stage_run(&program, 0, shown, sizeof(shown)), stdout);
	return 0;
}

static int print(const char *seed)
{
	static struct program program;
	static char text[TEXT_MAX];

	generate(&program, seed ? strtoull(seed, NULL, 10) : 1);
	program_print(&program, text, sizeof(text));
	fputs(text, stdout);
	return 0;
}

static char **parse_options(char **argv)
{
	for (; *argv && strncmp(*argv, "--", 2) == 0; argv += 2) {
		const char *value = argv[1];
		if (!value)
			break;
		if (strcmp(*argv, "--weir") == 0)
			options.weir = value;
		else if (strcmp(*argv, "--keep") == 0)
			options.keep = value;
		else if (strcmp(*argv, "--seed") == 0)
			options.seed = strtoull(value, NULL, 10);
		else if (strcmp(*argv, "--programs") == 0)
			options.programs = strtol(value, NULL, 10);
		else if (strcmp(*argv, "--calls") == 0)
			options.calls = strtol(value, NULL, 10);
		else if (strcmp(*argv, "--seconds") == 0)
			options.seconds = strtol(value, NULL, 10);
		else if (strcmp(*argv, "--shrink") == 0)
			options.shrink = atoi(value);
		else if (strcmp(*argv, "--capacity") == 0)
			options.capacity = strtoull(options.bound = value, NULL, 10);
		else if (strcmp(*argv, "--differences") == 0)
			options.differences = atoi(value);
		else if (strcmp(*argv, "--fleeting") == 0)
			options.fleeting = atoi(value);
		else if (strcmp(*argv, "--times") == 0)
			options.times = atoi(value);
		else
			break;
	}
	return argv;
}

int main(int argc, char **argv)
{
	static char me[] = "/proc/self/exe", serve[] = "serve", run[] = "run", quiet[] = "--quiet",
	            end[] = "--", capacity[] = "--capacity";
	static char path[4096];
	const char *command = argc > 1 ? argv[1] : "";

	if (strcmp(command, "serve") == 0)
		return worker_serve();
	if (strcmp(command, "actor") == 0 && argc > 2)
		stage_join(atoi(argv[2]));
	if (strcmp(command, "show") == 0)
		return show(argv[2]);
	if (strcmp(command, "generate") == 0)
		return print(argv[2]);
	if (readlink(me, path, sizeof(path) - 1) < 0)
		return 3;
	options.seed = (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid();
	char **rest = argc > 1 ? parse_options(argv + 2) : argv;
	char *const native_argv[] = {path, serve, NULL};
	char *const weir_argv[] = {
	        (char *)(uintptr_t)options.weir, run, quiet, end, path, serve, NULL};
	char *const bound_argv[] = {(char *)(uintptr_t)options.weir,
	                            run,
	                            quiet,
	                            capacity,
	                            (char *)(uintptr_t)options.bound,
	                            end,
	                            path,
	                            serve,
	                            NULL};
	native.argv = native_argv;
	under_weir.argv = options.capacity ? bound_argv : weir_argv;
	under_weir.carried = true;
	signal(SIGPIPE, SIG_IGN);
	int status = 2;
	if (strcmp(command, "fuzz") == 0)
		status = fuzz();
	else if (strcmp(command, "check") == 0)
		status = check(rest);
	else
		fprintf(stderr, "usage: differ fuzz|check|show|generate ...\n");
	worker_end(&native);
	worker_end(&under_weir);
	return status;
}
