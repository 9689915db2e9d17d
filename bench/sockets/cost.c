/* What is not a transfer: making pairs, their memory, calls on other descriptors, starting a program. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "channel.h"
#include "workloads.h"

extern char **environ;

/* ---- pairs ---- */

struct result create(const struct request *r)
{
	struct end ends[2];
	struct span begin = span_begin();

	for (long i = 0; i < r->count; i++) {
		open_both_ways(r, ends);
		close_end(&ends[0]);
		close_end(&ends[1]);
	}
	struct span span = span_end(begin);

	prove(r);
	return result_of(span, r->count, r->count + 1);
}

static long resident_bytes(void)
{
	FILE *rollup = fopen("/proc/self/smaps_rollup", "r");
	char line[256];
	long kb = -1;

	if (!rollup)
		fail("smaps_rollup");
	while (fgets(line, sizeof(line), rollup))
		if (sscanf(line, "Rss: %ld kB", &kb) == 1)
			break;
	fclose(rollup);
	if (kb < 0)
		fail("no Rss");
	return kb * 1024;
}

static void use(struct end ends[2])
{
	char got[64];

	for (int i = 0; i < 2; i++) {
		send_all(&ends[i], message(i), sizeof(got));
		receive_all(&ends[!i], got, sizeof(got));
	}
}

/* Pairs that are open and empty, never used or used both ways: what each adds to the process. */
struct result idle(const struct request *r)
{
	bool used = strcmp(r->flavour, "used") == 0;
	struct end ends[2];
	struct span begin;

	open_both_ways(r, ends);
	use(ends);                  /* whatever the first use makes resident once for all */
	long before = resident_bytes();

	begin = span_begin();
	for (long i = 0; i < r->count; i++) {
		open_both_ways(r, ends);
		if (used)
			use(ends);
	}
	struct result result = result_of(span_end(begin), r->count, r->count + 1);

	result.each_bytes = (double)(resident_bytes() - before) / (double)r->count;
	return result;
}

/* ---- a descriptor that weir must leave alone ---- */

enum { BATCH = 64, UNMARKED_BYTES = 64 };

static char scratch[UNMARKED_BYTES];

static void open_unmarked(const char *flavour, int fds[2])
{
	if (strcmp(flavour, "pipe") == 0) {
		if (pipe(fds) != 0)
			fail("pipe");
		return;
	}
	fds[0] = open("/dev/zero", O_RDONLY);
	fds[1] = open("/dev/null", O_WRONLY);
	if (fds[0] < 0 || fds[1] < 0)
		fail("open");
}

/* The system call itself, where no library stands between; called and returned from as a library is. */
__attribute__((noinline)) static long bare(long number, int fd)
{
	long result;

	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "a"(number), "D"((long)fd), "S"(scratch), "d"((long)UNMARKED_BYTES)
	                 : "rcx", "r11", "memory");
	return result;
}

static void want(long moved)
{
	if (moved != UNMARKED_BYTES)
		fail("unmarked descriptor");
}

static long long batch_of_calls(const int fds[2])
{
	long long begin = now_ns();

	for (int i = 0; i < BATCH; i++) {
		want(write(fds[1], scratch, sizeof(scratch)));
		want(read(fds[0], scratch, sizeof(scratch)));
	}
	return now_ns() - begin;
}

static long long batch_of_bare_calls(const int fds[2])
{
	long long begin = now_ns();

	for (int i = 0; i < BATCH; i++) {
		want(bare(SYS_write, fds[1]));
		want(bare(SYS_read, fds[0]));
	}
	return now_ns() - begin;
}

/* A few nanoseconds beside a system call: batches of calls and of bare system calls take turns, so that
 * both see the same machine, and the median of their differences is what the way through the library costs. */
struct result unmarked(const struct request *r)
{
	long batches = (r->count + BATCH - 1) / BATCH;
	long long *more = calloc((size_t)batches, sizeof(*more));
	long long ns = 0;
	int fds[2];

	if (!more)
		fail("calloc");
	prove(r);
	open_unmarked(r->flavour, fds);
	for (long i = 0; i < batches; i++) {
		long long calls = batch_of_calls(fds);

		ns += calls;
		more[i] = calls - batch_of_bare_calls(fds);
	}
	struct result result = result_of((struct span){ .ns = ns }, batches * BATCH, 1);

	result.each_cpu_ns = NAN;
	result.hook_ns = (double)median(more, batches) / (2 * BATCH);
	free(more);
	return result;
}

/* ---- the start of a program ---- */

static void spawn(char *word)
{
	char name[] = "sockets";
	char *argv[] = { name, word, NULL };
	pid_t child;
	int status;

	errno = posix_spawn(&child, "/proc/self/exe", NULL, NULL, argv, environ);
	if (errno != 0)
		fail("posix_spawn");
	if (waitpid(child, &status, 0) != child || status != 0)
		fail("child");
}

/* One child makes a pair, to show that they all run as this program does. */
struct result start_up(const struct request *r)
{
	char nothing[] = "nothing", proof[] = "prove";
	struct span begin;

	spawn(proof);
	tally.sent++;
	tally.received++;
	begin = span_begin();
	for (long i = 0; i < r->count; i++)
		spawn(nothing);
	struct result result = result_of(span_end(begin), r->count, 1);

	result.each_cpu_ns = NAN;   /* it would be without the children's */
	return result;
}
