/* A handler that runs just as a call begins to wait ends it, whatever is done before the
 * thread sleeps.
 *
 * A thread says that it is about to wait, and is sent a signal some microseconds later. Where
 * that came before the call it ends nothing: such rounds must be few.
 */
#include "check.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/select.h>

enum {
	ROUNDS = 100,
	ROUNDS_MIN = 10,            /* and so many where they take long */
	ALL_MS = 2500,
	MISSES_MAX = 2,             /* and a tenth of the rounds */
	DELAY_TURNS = 400,          /* at most, of a loop, before the signal */
	LOOKS = 20000,
	PATIENCE_MS = 300,
	LONG_MS = 1000000,
};

enum state { RESTS, BEGINS, ENDS };

struct round {
	int fd, other;
	int (*call)(struct round *);    /* 0, or the errno */
	int (*free_it)(struct round *);
	int epoll;
	int state;
	int result;
	bool stop;
};

static void count_nothing(int number)
{
	(void)number;
}

static void set(int *word, int value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static int get(const int *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* Looks again and again, and after a while lets others have the processor. */
static void await_other_than(const int *word, int value)
{
	for (int turns = 0; get(word) == value; turns++)
		if (turns > LOOKS)
			sched_yield();
}

/* Two threads that can run at once: only then looking pays. The second is begun by the first. */
static void run_on(bool second)
{
	static cpu_set_t all;
	cpu_set_t one;
	int found = 0;

	if (!second)
		CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all) || found++ != second)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
	}
}

static void *wait_in_rounds(void *argument)
{
	struct round *r = argument;

	run_on(true);
	while (!r->stop) {
		r->state = BEGINS;
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		r->result = r->call(r);
		set(&r->state, ENDS);
		await_other_than(&r->state, ENDS);
	}
	return NULL;
}

static long ms_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000;
}

static bool ends_within(struct round *r, int ms)
{
	struct timespec start;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (int turns = 0; get(&r->state) != ENDS; turns++) {
		if (turns < LOOKS)
			continue;
		sched_yield();
		if (ms_since(&start) >= ms)
			return false;
	}
	return true;
}

static void await_begin(struct round *r)
{
	await_other_than(&r->state, RESTS);
}

/* The peer answers at once: who lately had such answers looks for the next. */
static void answer(struct round *r)
{
	await_begin(r);
	CHECK_EQ(r->free_it(r), 1);
	CHECK(ends_within(r, LONG_MS));
	CHECK_EQ(r->result, 0);
}

/* Did the signal end the call? */
static bool interrupt(struct round *r, const struct worker *w, int turns)
{
	await_begin(r);
	for (volatile int i = 0; i < turns; i++)
		;
	CHECK_EQ(pthread_kill(w->thread, SIGUSR1), 0);
	if (!ends_within(r, PATIENCE_MS)) {
		CHECK_EQ(r->free_it(r), 1);
		CHECK(ends_within(r, LONG_MS));
	}
	CHECK(r->result == 0 || r->result == EINTR);
	return r->result == EINTR;
}

static void next(struct round *r)
{
	set(&r->state, RESTS);
}

static void few_are_missed(struct round *r, int flags, void (*tidy)(struct round *))
{
	struct timespec start;
	struct worker w;
	int missed = 0, rounds = 0;

	clock_gettime(CLOCK_MONOTONIC, &start);
	on_signal(SIGUSR1, count_nothing, flags);
	run_on(false);
	worker_start(&w, wait_in_rounds, r);
	while (!r->stop) {
		for (int i = 0; i < 3; i++) {
			answer(r);
			tidy(r);
			next(r);
		}
		missed += !interrupt(r, &w, rounds++ * DELAY_TURNS / ROUNDS);
		tidy(r);
		r->stop = rounds == ROUNDS ||
		          (rounds >= ROUNDS_MIN && ms_since(&start) > ALL_MS);
		next(r);
	}
	worker_join(&w);
	if (missed > MISSES_MAX + rounds / 10)
		check_fail(__FILE__, __LINE__, "%d of %d signals ended nothing", missed, rounds);
}

static int error_of(ssize_t n)
{
	return n < 0 ? errno : 0;
}

/* ---- input ---- */

static int by_read(struct round *r)
{
	char byte;
	return error_of(read(r->fd, &byte, 1));
}

static int by_recv_waiting_for_all(struct round *r)
{
	char bytes[2];
	return error_of(recv(r->fd, bytes, 2, MSG_WAITALL)); /* of one byte, and a signal */
}

static int by_poll(struct round *r)
{
	struct pollfd p = {.fd = r->fd, .events = POLLIN};
	return error_of(poll(&p, 1, -1));
}

static int by_ppoll(struct round *r)
{
	struct pollfd p = {.fd = r->fd, .events = POLLIN};
	return error_of(ppoll(&p, 1, NULL, NULL));
}

static int by_select(struct round *r)
{
	fd_set set;
	FD_ZERO(&set);
	FD_SET(r->fd, &set);
	return error_of(select(r->fd + 1, &set, NULL, NULL, NULL));
}

static int by_pselect(struct round *r)
{
	fd_set set;
	FD_ZERO(&set);
	FD_SET(r->fd, &set);
	return error_of(pselect(r->fd + 1, &set, NULL, NULL, NULL, NULL));
}

static int by_epoll(struct round *r)
{
	struct epoll_event event;
	return error_of(epoll_wait(r->epoll, &event, 1, -1));
}

static int write_one(struct round *r)
{
	return (int)write(r->other, "x", 1);
}

static int write_two(struct round *r)
{
	return (int)write(r->other, "xx", 2) / 2;
}

static void read_the_rest(struct round *r)
{
	char bytes[8];
	while (recv(r->fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static void input(int (*call)(struct round *), int (*free_it)(struct round *), int flags)
{
	int sv[2];
	pair_open(sv, 0);
	struct round r = {.fd = sv[1], .other = sv[0], .call = call, .free_it = free_it};
	struct epoll_event event = {.events = EPOLLIN};
	r.epoll = epoll_create1(0);
	if (call == by_epoll)
		CHECK(epoll_ctl(r.epoll, EPOLL_CTL_ADD, r.fd, &event) == 0);
	few_are_missed(&r, flags, read_the_rest);
}

CASE(a_read) { input(by_read, write_one, 0); }
CASE(a_receive_of_all) { input(by_recv_waiting_for_all, write_two, 0); }
CASE(a_poll) { input(by_poll, write_one, 0); }
CASE(a_poll_with_restart) { input(by_poll, write_one, SA_RESTART); }
CASE(a_ppoll) { input(by_ppoll, write_one, 0); }
CASE(a_select) { input(by_select, write_one, 0); }
CASE(a_pselect) { input(by_pselect, write_one, SA_RESTART); }
CASE(an_epoll_wait) { input(by_epoll, write_one, 0); }

/* With a timeout any handler ends it. */
CASE(a_read_with_a_timeout_and_restart)
{
	struct timeval long_time = {15, 0};
	int sv[2];
	pair_open(sv, 0);
	struct round r = {.fd = sv[1], .other = sv[0], .call = by_read, .free_it = write_one};
	CHECK(setsockopt(sv[1], SOL_SOCKET, SO_RCVTIMEO, &long_time, sizeof(long_time)) == 0);
	few_are_missed(&r, SA_RESTART, read_the_rest);
}

/* ---- room ---- */

static int by_write(struct round *r)
{
	return error_of(write(r->fd, "x", 1));
}

/* Room for a byte; a kernel's writer waits until there is more. */
static int make_room(struct round *r)
{
	static char bytes[1 << 20];
	return recv(r->other, bytes, sizeof(bytes), 0) > 0;
}

static void fill_again(struct round *r)
{
	fill(r->fd);
}

CASE(a_write)
{
	int sv[2];
	pair_open(sv, 0);
	fill(sv[0]);
	struct round r = {.fd = sv[0], .other = sv[1], .call = by_write, .free_it = make_room};
	few_are_missed(&r, 0, fill_again);
}

/* A handler with SA_RESTART ends nothing that has not begun to move. */
CASE(a_read_goes_on_with_restart)
{
	enum { TIMES = 30 };
	struct worker w;
	int sv[2];
	pair_open(sv, 0);
	struct round r = {.fd = sv[1], .other = sv[0], .call = by_read, .free_it = write_one};
	on_signal(SIGUSR1, count_nothing, SA_RESTART);
	run_on(false);
	worker_start(&w, wait_in_rounds, &r);
	for (int i = 0; i < TIMES; i++) {
		await_begin(&r);
		CHECK_EQ(pthread_kill(w.thread, SIGUSR1), 0);
		for (volatile int j = 0; j < i * DELAY_TURNS / TIMES; j++)
			;
		CHECK_EQ(write_one(&r), 1);
		CHECK(ends_within(&r, LONG_MS));
		CHECK_EQ(r.result, 0);
		if (i == TIMES - 1)
			r.stop = true;
		next(&r);
	}
	worker_join(&w);
}

CHECK_MAIN
