#include "common.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

void fail(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(1);
}

void cannot(const char *why)
{
	fprintf(stderr, "%s\n", why);
	exit(STATUS_CANNOT);
}

static long long clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

long long now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

struct span span_begin(void)
{
	return (struct span){ .cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID), .ns = now_ns() };
}

struct span span_end(struct span begin)
{
	long long ns = now_ns() - begin.ns;

	return (struct span){ .ns = ns, .cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin.cpu_ns };
}

static int by_size(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return x < y ? -1 : x > y;
}

long long median(long long *values, long count)
{
	qsort(values, (size_t)count, sizeof(*values), by_size);
	return values[count / 2];
}

struct result result_of(struct span span, long count, long pairs)
{
	return (struct result){
	        .each_ns = (double)span.ns / (double)count,
	        .each_cpu_ns = (double)span.cpu_ns / (double)count,
	        .hook_ns = NAN,
	        .each_bytes = NAN,
	        .pairs = pairs,
	};
}

void pin(int n)
{
	static cpu_set_t allowed;   /* as it was before anybody was pinned */
	cpu_set_t one;

	if (CPU_COUNT(&allowed) == 0 && sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		fail("sched_getaffinity");
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || n-- > 0)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one) != 0)
			fail("sched_setaffinity");
		return;
	}
	cannot("needs two CPUs");
}

void *shared_memory(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	                    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		fail("mmap");
	return memory;
}

/* ---- messages ---- */

enum { LINE = 64, MESSAGES = 16 };

static _Alignas(LINE) char pattern[BYTES_MAX + MESSAGES * LINE];
_Thread_local struct tally tally;

/* Words, so that a rule that looks for one has something to look at; the first byte of each line tells it
 * from its neighbours. */
static void make_pattern(void)
{
	static const char prose[] =
		"It was the best of times, it was the worst of times, it was the age of wisdom, "
		"it was the age of foolishness, it was the epoch of belief, it was the epoch of "
		"incredulity, it was the season of Light, ";

	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = prose[i % (sizeof(prose) - 1)];
	for (size_t line = 0; line < sizeof(pattern) / LINE; line++)
		pattern[line * LINE] = (char)('A' + line % 26);
}

const char *message(long i)
{
	return pattern + i % MESSAGES * LINE;
}

_Noreturn static void wrong_bytes(void)
{
	errno = EBADMSG;
	fail("the bytes that arrived");
}

void check_message(const char *got, size_t bytes, long i)
{
	const char *meant = message(i);

	if (got[0] != meant[0] || got[bytes - 1] != meant[bytes - 1])
		wrong_bytes();
}

static char stream_byte(size_t position, size_t bytes)
{
	return message((long)(position / bytes))[position % bytes];
}

void check_stream(const char *got, size_t n, size_t position, size_t bytes)
{
	if (got[0] != stream_byte(position, bytes) ||
	    got[n - 1] != stream_byte(position + n - 1, bytes))
		wrong_bytes();
}

/* ---- the command line ---- */

static const struct workload *known;
static const char *const *carriers;

_Noreturn static void usage(void)
{
	static const char *const words[] = {" BYTES", " FLAVOUR", " threads|processes CPUS",
	                                    " block|poll|level|edge", " PAIRS"};

	for (const char *const *over = carriers; *over; over++)
		fprintf(stderr, "%s --%s", over == carriers ? "usage:" : " |", *over);
	fprintf(stderr, " [--capacity N] WORKLOAD COUNT [ARG...]\n");
	for (const struct workload *w = known; w->name; w++) {
		fprintf(stderr, "\t%s COUNT", w->name);
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (w->takes & 1U << i)
				fputs(words[i], stderr);
		fputc('\n', stderr);
	}
	exit(2);
}

static const char *next(char ***args)
{
	if (**args == NULL)
		usage();
	return *(*args)++;
}

static long number(const char *text, long max)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*end != '\0' || n < 1 || n > max)
		usage();
	return n;
}

/* The index of `word` among `words`, which end with a null. */
static int one_of(const char *word, const char *const *words)
{
	for (int i = 0; words[i]; i++)
		if (strcmp(word, words[i]) == 0)
			return i;
	usage();
}

static void parse_options(struct request *r, char ***args)
{
	const char *over = next(args);

	if (strncmp(over, "--", 2) != 0)
		usage();
	r->over = carriers[one_of(over + 2, carriers)];
	if (**args && strcmp(**args, "--capacity") == 0) {
		next(args);
		r->capacity = (size_t)number(next(args), 1 << 30);
	}
}

static const struct workload *parse(struct request *r, char **args)
{
	static const char *const peers[] = { "threads", "processes", NULL };
	static const char *const waits[] = { "block", "poll", "level", "edge", NULL };
	const struct workload *w = known;

	parse_options(r, &args);
	const char *name = next(&args);
	while (w->name && strcmp(w->name, name) != 0)
		w++;
	if (!w->name)
		usage();
	r->count = number(next(&args), 1000000000);
	if (w->takes & TAKES_BYTES)
		r->bytes = (size_t)number(next(&args), BYTES_MAX);
	if (w->takes & TAKES_FLAVOUR)
		r->flavour = next(&args);
	if (w->takes & TAKES_PEER) {
		r->peer = true;
		r->processes = one_of(next(&args), peers) == 1;
		r->cpus = (int)number(next(&args), 2);
	}
	if (w->takes & TAKES_WAIT)
		r->wait = (enum waiting)one_of(next(&args), waits);
	if (w->takes & TAKES_PAIRS)
		r->pairs = number(next(&args), 1000000);
	if (*args)
		usage();
	return w;
}

/* Writes the whole line, however often a run injects errors here, too. */
static void write_line(const char *line, size_t left)
{
	while (left > 0) {
		ssize_t n = write(STDOUT_FILENO, line, left);

		if (n < 0 && errno != EINTR)
			fail("standard output");
		if (n > 0) {
			line += n;
			left -= (size_t)n;
		}
	}
}

static void print(const struct request *r, struct result result, struct tally all)
{
	char *line;
	size_t length;
	FILE *out = open_memstream(&line, &length);

	if (!out)
		fail("open_memstream");
	fprintf(out, "{\"operations\":%ld,\"each_ns\":%.3f,\"bytes\":%lld,\"pairs\":%ld", r->count,
	        result.each_ns, all.sent, result.pairs);
	if (!isnan(result.each_cpu_ns))
		fprintf(out, ",\"each_cpu_ns\":%.3f", result.each_cpu_ns);
	if (!isnan(result.hook_ns))
		fprintf(out, ",\"hook_ns\":%.3f", result.hook_ns);
	if (!isnan(result.each_bytes))
		fprintf(out, ",\"each_bytes\":%.1f", result.each_bytes);
	if (all.interrupted != 0)
		fprintf(out, ",\"interrupted\":%lld", all.interrupted);
	fprintf(out, "}\n");
	if (fclose(out) != 0)
		fail("fclose");
	write_line(line, length);
	free(line);
}

int bench_main(char **argv, const struct workload *workloads, const char *const *over)
{
	struct request r = { 0 };

	known = workloads;
	carriers = over;
	make_pattern();
	const struct workload *w = parse(&r, argv + 1);
	struct result result = w->run(&r);
	struct tally all = peer_tally();

	all.sent += tally.sent;
	all.received += tally.received;
	all.interrupted += tally.interrupted;
	if (all.sent != all.received) {
		errno = EBADMSG;
		fail("the number of bytes that arrived");
	}
	print(&r, result, all);
	return 0;
}
