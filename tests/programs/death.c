/* Processes that die at any moment while they share a pair.
 *
 * Random from WEIR_SEED (printed). WEIR_ROUNDS says how often, WEIR_STRIDE how many
 * instructions lie between two deaths, about. The survivors see what the kernel
 * would show them: all that was written, then the end.
 */
#include "check.h"
#include <sys/epoll.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

enum { WAIT_MS_MAX = 8000, CHUNK_MAX = 3000, ROOMY = 64 };

/* Where everybody writes down how far it came; no pair is needed for that. */
static struct {
	_Atomic uint64_t written;   /* bytes whose write has returned */
	_Atomic uint64_t offered;   /* ... or has begun */
	_Atomic uint64_t read;      /* bytes whose read has returned, and were right */
	_Atomic uint64_t asked;     /* ... or may have been taken by a read that has not */
	_Atomic int ready;
	_Atomic int step;
} *now;

static uint64_t state;

static unsigned int draw(unsigned int below)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned int)(state >> 33) % below;
}

/* ---- ways to die ---- */

static void exit_at_once(int number)
{
	(void)number;
	_exit(0);
}

static void abort_at_once(int number)
{
	(void)number;
	abort();
}

/* Two signals end by a call of the process's own, whatever it was doing. */
static const int ways[] = {SIGKILL, SIGSEGV, SIGABRT, SIGTERM, SIGUSR1};

static void prepare_to_die(void)
{
	struct rlimit none = {0, 0};

	CHECK(setrlimit(RLIMIT_CORE, &none) == 0);
	on_signal(SIGTERM, exit_at_once, SA_RESTART);
	on_signal(SIGUSR1, abort_at_once, SA_RESTART);
}

static int some_way(void)
{
	return ways[draw(sizeof(ways) / sizeof(ways[0]))];
}

/* ---- rounds ---- */

static bool narrow;

static void find_out_the_room(void)
{
	int sv[2];

	pair_open(sv, 0);
	narrow = fill(sv[0]) < ROOMY;
	CHECK(close(sv[0]) == 0 && close(sv[1]) == 0);
}

/* The text, or one byte of it where no more has room. */
static const char *fitting(const char *text)
{
	return narrow ? text + strlen(text) - 1 : text;
}

static void begin(void)
{
	const char *seed = getenv("WEIR_SEED");

	state = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid();
	fprintf(stderr, "WEIR_SEED=%llu\n", (unsigned long long)state);
	now = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(now != MAP_FAILED);
	prepare_to_die();
	find_out_the_room();
}

static void start_round(void)
{
	memset((void *)now, 0, sizeof(*now));
}

/* Ends in `role`'s name if the child does not end in time. */
static int end_of(pid_t pid, const char *role)
{
	int status;

	for (int ms = 0; ms < WAIT_MS_MAX; ms++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		sleep_ms(1);
	}
	check_fail(__FILE__, __LINE__, "the %s hangs: %llu written, %llu read", role,
	           (unsigned long long)now->written, (unsigned long long)now->read);
}

static void must_succeed(pid_t pid, const char *role)
{
	int status = end_of(pid, role);

	if (status != 0)
		check_fail(__FILE__, __LINE__, "the %s ends with %#x: %llu written, %llu read",
		           role, (unsigned int)status, (unsigned long long)now->written,
		           (unsigned long long)now->read);
}

static void must_be_dead(pid_t pid, const char *role)
{
	CHECK(kill(pid, some_way()) == 0);
	end_of(pid, role);
}

/* Writes the stream until its reader has gone. */
static void write_on(int fd, unsigned int seed)
{
	unsigned char buffer[CHUNK_MAX];

	state = seed;
	for (;;) {
		size_t n = 1 + draw(draw(4) ? 100 : CHUNK_MAX);
		uint64_t at = now->written;
		pattern_make(buffer, n, at);
		now->offered = at + n;
		ssize_t k = send(fd, buffer, n, MSG_NOSIGNAL);
		if (k < 0)
			_exit(errno == EPIPE || errno == ECONNRESET ? 0 : 9);
		now->written = at + (uint64_t)k;
	}
}

/* Reads the stream to its end; 0 where that is an orderly one. */
static void read_on(int fd, unsigned int seed)
{
	unsigned char buffer[CHUNK_MAX];

	state = seed;
	for (;;) {
		size_t n = 1 + draw(draw(4) ? 200 : CHUNK_MAX);
		uint64_t at = now->read;
		now->asked = at + n;
		ssize_t k = read(fd, buffer, n);
		if (k <= 0)
			_exit(k == 0 ? 0 : 8);
		for (ssize_t i = 0; i < k; i++)
			if (buffer[i] != pattern(at + (uint64_t)i))
				_exit(7);
		now->read = at + (uint64_t)k;
	}
}

static pid_t writer(const int sv[2])
{
	unsigned int seed = draw(1U << 30);
	pid_t pid = child_start();

	if (pid == 0) {
		close(sv[1]);
		write_on(sv[0], seed);
	}
	return pid;
}

static pid_t reader(const int sv[2])
{
	unsigned int seed = draw(1U << 30);
	pid_t pid = child_start();

	if (pid == 0) {
		close(sv[0]);
		read_on(sv[1], seed);
	}
	return pid;
}

static void let_run(void)
{
	struct timespec t = {0, (long)draw(draw(8) ? 300000 : 5000000)};

	nanosleep(&t, NULL);
}

static void close_both(const int sv[2])
{
	close(sv[0]);
	close(sv[1]);
}

/* What was written was read: all of it, and no byte more than was offered. */
static void check_totals(void)
{
	CHECK(now->read >= now->written);
	CHECK(now->read <= now->offered);
}

static void writer_dies(void)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t w = writer(sv), r = reader(sv);
	close_both(sv);
	let_run();
	must_be_dead(w, "writer");
	must_succeed(r, "reader");
	check_totals();
}

static void reader_dies(void)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t w = writer(sv), r = reader(sv);
	close_both(sv);
	let_run();
	must_be_dead(r, "reader");
	must_succeed(w, "writer");
}

/* The parent still holds both ends, and goes on where they stopped. */
static void both_die(void)
{
	unsigned char buffer[CHUNK_MAX];
	int sv[2];
	pair_open(sv, 0);
	pid_t w = writer(sv), r = reader(sv);
	let_run();
	must_be_dead(draw(2) ? w : r, "first");
	kill(w, some_way());
	kill(r, some_way());
	while (waitpid(-1, NULL, 0) > 0)
		;
	uint64_t at = now->read, end;
	ssize_t n = recv(sv[1], buffer, sizeof(buffer), MSG_DONTWAIT);
	/* The reader may have taken a piece and died before it said so. */
	while (n > 0) {
		bool fits = false;
		for (uint64_t lost = 0; !fits && at + lost <= now->asked; lost++) {
			fits = true;
			for (ssize_t i = 0; fits && i < n; i++)
				fits = buffer[i] == pattern(at + lost + (uint64_t)i);
			if (fits)
				at += lost;
		}
		CHECK(fits);
		now->asked = at += (uint64_t)n;
		n = recv(sv[1], buffer, sizeof(buffer), MSG_DONTWAIT);
	}
	CHECK(n < 0 && errno == EAGAIN);
	end = at;
	CHECK(end <= now->offered);
	CHECK(end >= now->written || now->asked >= now->written);
	say(sv[0], fitting("goes on"));
	hear(sv[1], fitting("goes on"));
	say(sv[1], fitting("back"));
	hear(sv[0], fitting("back"));
	close_both(sv);
}

/* An idle holder of the writer's end: the end of the stream waits for it. */
static void one_holder_of_several(void)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t r = reader(sv), w = writer(sv), idle = child_start();
	if (idle == 0) {
		close(sv[1]);
		for (;;)
			pause();
	}
	close_both(sv);
	let_run();
	must_be_dead(w, "writer");
	sleep_ms(2);
	CHECK_EQ(waitpid(r, NULL, WNOHANG), 0);
	must_be_dead(idle, "idle holder");
	must_succeed(r, "reader");
	check_totals();
}

/* Who made the pair goes first; the others are no children of ours then. */
static void creator_dies(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	_Atomic int *pids = (_Atomic int *)(now + 1);
	pids[0] = pids[1] = 0;
	pid_t creator = child_start();
	if (creator == 0) {
		int sv[2];
		pair_open(sv, 0);
		pids[0] = writer(sv);
		pids[1] = reader(sv);
		now->ready = 1;
		for (;;)
			pause();
	}
	while (!now->ready)
		sleep_ms(1);
	must_be_dead(creator, "creator");
	let_run();
	bool first = draw(2);
	must_be_dead(pids[!first], first ? "writer" : "reader");
	must_succeed(pids[first], first ? "reader" : "writer");
	if (first)
		check_totals();
}

/* Bytes that nobody will ever read are a reset, once; if all were read, it is an
 * orderly end. */
static void leaves_bytes_unread(void)
{
	char bytes[50] = "";
	int sv[2];
	pair_open(sv, 0);
	ssize_t sent = send(sv[0], bytes, 1 + draw(50), MSG_DONTWAIT);
	CHECK(sent > 0);
	unsigned int taken = draw((unsigned int)sent + 1);
	pid_t pid = child_start();
	if (pid == 0) {
		close(sv[0]);
		if (taken > 0)
			CHECK_EQ(recv(sv[1], bytes, taken, MSG_WAITALL), taken);
		now->ready = 1;
		for (;;)
			pause();
	}
	close(sv[1]);
	while (!now->ready)
		sleep_ms(1);
	must_be_dead(pid, "reader");
	if (taken < sent)
		CHECK_FAILS(recv(sv[0], bytes, 1, 0), ECONNRESET);
	hear_end(sv[0]);
	CHECK_FAILS(send(sv[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	close(sv[0]);
}

static void repeat(void (*round)(void), int otherwise)
{
	int rounds = check_setting("WEIR_ROUNDS", otherwise);

	begin();
	for (int i = 0; i < rounds; i++) {
		start_round();
		round();
	}
}

CASE(the_writer_dies) { repeat(writer_dies, 150); }
CASE(the_reader_dies) { repeat(reader_dies, 150); }
CASE(both_die_and_a_third_goes_on) { repeat(both_die, 150); }
CASE(one_of_several_holders_dies) { repeat(one_holder_of_several, 80); }
CASE(the_creator_dies) { repeat(creator_dies, 80); }
CASE(the_dead_leave_bytes_unread) { repeat(leaves_bytes_unread, 80); }

/* ---- at every instruction ---- */

enum { STEPS_MAX = 100000, DEATHS = 30 };

static const char *to_parent(void) { return fitting("abcdefgh"); }
static const char *to_child(void) { return fitting("1234"); }

static void exchange(int fd)
{
	ssize_t out = (ssize_t)strlen(to_parent()), in = (ssize_t)strlen(to_child());
	char got[8];

	if (write(fd, to_parent(), (size_t)out) != out)
		_exit(1);
	now->step = 1;
	if (read(fd, got, (size_t)in) != in)
		_exit(2);
	now->step = 2;
	_exit(0);
}

/* A child that stops when it has warmed up. */
static pid_t stopped_child(const int sv[2])
{
	pid_t pid = child_start();

	if (pid == 0) {
		char byte;
		if (send(sv[0], "w", 1, 0) != 1 || recv(sv[1], &byte, 1, 0) != 1)
			_exit(3);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		exchange(sv[0]);
	}
	int status;
	CHECK(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	return pid;
}

/* Lets it go that many instructions; how many it went before it ended by itself. */
static int step(pid_t pid, int steps)
{
	int status = 0;

	for (int i = 0; i < steps; i++) {
		CHECK(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0);
		CHECK(waitpid(pid, &status, 0) == pid);
		if (WIFEXITED(status)) {
			CHECK_EQ(WEXITSTATUS(status), 0);
			return i;
		}
	}
	return steps;
}

static void end_stopped(pid_t pid)
{
	int way = some_way();

	if (way == SIGKILL)
		CHECK(kill(pid, SIGKILL) == 0);
	else
		CHECK(ptrace(PTRACE_DETACH, pid, NULL, (void *)(intptr_t)way) == 0);
	end_of(pid, "stopped child");
}

/* All of `text` or none of it, and then EAGAIN. */
static size_t all_or_none(int fd, const char *text)
{
	char got[64];
	ssize_t n = recv(fd, got, sizeof(got), MSG_DONTWAIT);

	if (n < 0) {
		CHECK_EQ(errno, EAGAIN);
		return 0;
	}
	CHECK_EQ(n, strlen(text));
	CHECK(memcmp(got, text, (size_t)n) == 0);
	CHECK_FAILS(recv(fd, got, 1, MSG_DONTWAIT), EAGAIN);
	return (size_t)n;
}

static int watching(const int sv[2])
{
	int set = epoll_create1(0);

	for (int side = 0; side < 2; side++) {
		struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = sv[side]};
		CHECK(epoll_ctl(set, EPOLL_CTL_ADD, sv[side], &e) == 0);
	}
	return set;
}

/* Both ends are still held, and the pair is as good as new. */
static void check_that_it_survives(const int sv[2])
{
	CHECK_EQ(readiness(sv[0]), POLLOUT);
	CHECK_EQ(readiness(sv[1]), POLLOUT);
	for (int i = 0; i < 3; i++) {
		say(sv[0], fitting("to b"));
		CHECK(readiness(sv[1]) & POLLIN);
		hear(sv[1], fitting("to b"));
		say(sv[1], fitting("to a"));
		hear(sv[0], fitting("to a"));
		size_t n = fill(sv[i & 1]);
		drain(sv[!(i & 1)], n, 0);
	}
}

static void check_what_was_under_way(const int sv[2], int reached)
{
	CHECK(all_or_none(sv[1], to_parent()) > 0 || reached < 1);
	CHECK(all_or_none(sv[0], to_child()) == 0 || reached < 2);
}

/* Nobody else holds the end: what was written, perhaps a reset, the end. */
static void check_the_end(int fd, int reached)
{
	char got[16];
	ssize_t n = read(fd, got, sizeof(got));

	if (n > 0) {
		CHECK_EQ(n, strlen(to_parent()));
		CHECK(memcmp(got, to_parent(), (size_t)n) == 0);
		n = read(fd, got, sizeof(got));
	}
	if (n < 0) {
		CHECK_EQ(errno, ECONNRESET);
		CHECK(reached < 2);
		n = read(fd, got, sizeof(got));
	}
	CHECK_EQ(n, 0);
	CHECK_FAILS(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
}

/* How many instructions the child went: fewer where it ended before. */
static int die_at(int steps, bool watched, bool alone)
{
	int sv[2];

	start_round();
	pair_open(sv, 0);
	int set = watched ? watching(sv) : -1;
	say(sv[1], to_child());
	pid_t pid = stopped_child(sv);
	if (alone)
		close(sv[0]);
	int gone = step(pid, steps);
	if (gone == steps)
		end_stopped(pid);
	if (alone) {
		check_the_end(sv[1], now->step);
	} else {
		check_what_was_under_way(sv, now->step);
		check_that_it_survives(sv);
		close(sv[0]);
	}
	close(sv[1]);
	if (set >= 0)
		close(set);
	return gone;
}

static void every_instruction(bool watched, bool alone)
{
	begin();
	int all = die_at(STEPS_MAX, watched, alone);
	CHECK(all < STEPS_MAX);
	int stride = check_setting("WEIR_STRIDE", all / DEATHS + 1);
	for (int steps = (int)draw((unsigned int)stride); steps < all;
	     steps += 1 + (int)draw((unsigned int)stride * 2 - 1))
		die_at(steps, watched, alone);
}

CASE(at_every_instruction) { every_instruction(false, false); }
CASE(at_every_instruction_alone) { every_instruction(false, true); }
CASE(at_every_instruction_watched) { every_instruction(true, false); }
CASE(at_every_instruction_watched_alone) { every_instruction(true, true); }

CHECK_MAIN
