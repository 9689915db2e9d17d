#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "base/test_random.h"
#include "endpoint/faulty.h"
#include "endpoint/test_end.h"
#include "pipe/bell.h"

enum { WORKERS = 3, STREAM = 60000, PIECE_MAX = 200, KILLS = 40, KILL_US_MAX = 3000 };

static const uint64_t capacities[] = {1, 2, 7, 64, 4096};

enum { CAPACITIES = sizeof(capacities) / sizeof(capacities[0]) };

static void counts_at(uint64_t capacity, int from)
{
	static char bytes[5000];
	ssize_t all = (ssize_t)capacity;
	struct weir_end end[2];

	test_ends_open(end, capacity);
	const struct weir_end *out = &end[from], *in = &end[!from];
	CHECK_EQ(test_receive(in, bytes, 1, MSG_DONTWAIT), -EAGAIN);
	CHECK_EQ(test_send(out, bytes, capacity + 3, MSG_DONTWAIT), all);
	CHECK_EQ(test_send(out, bytes, 1, MSG_DONTWAIT), -EAGAIN);
	CHECK_EQ(weir_end_available(in), all);
	CHECK_EQ(weir_end_available(out), 0);
	CHECK_EQ(test_receive(in, bytes, 1, MSG_DONTWAIT), 1);
	CHECK_EQ(test_send(out, bytes, 2, MSG_DONTWAIT), 1);
	CHECK_EQ(test_receive(in, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_PEEK), all);
	CHECK_EQ(test_receive(in, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_WAITALL), all);
	CHECK_EQ(test_receive(in, bytes, 1, MSG_DONTWAIT), -EAGAIN);
	CHECK_EQ(test_send(out, bytes, capacity, 0), all);
	CHECK_EQ(test_receive(in, bytes, capacity, 0), all);
	test_ends_close(end);
}

static void exact_counts(void)
{
	for (int i = 0; i < CAPACITIES; i++) {
		counts_at(capacities[i], 0);
		counts_at(capacities[i], 1);
	}
}

static void nonblocking_by_its_flag(void)
{
	struct weir_end end[2];
	char byte = 0;

	test_ends_open(end, 1);
	for (int side = 0; side < 2; side++)
		CHECK_EQ(fcntl(end[side].fd, F_SETFL, O_NONBLOCK), 0);
	CHECK_EQ(test_receive(&end[0], &byte, 1, 0), -EAGAIN);
	CHECK_EQ(test_send(&end[1], "ab", 2, 0), 1);
	CHECK_EQ(test_send(&end[1], "b", 1, 0), -EAGAIN);
	CHECK_EQ(test_receive(&end[0], &byte, 1, 0), 1);
	test_ends_close(end);
}

static void timeouts(void)
{
	struct timeval soon = {0, 20000};
	struct weir_end end[2];
	char byte = 0;

	test_ends_open(end, 1);
	setsockopt(end[0].fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
	setsockopt(end[1].fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon));
	CHECK_EQ(test_receive(&end[0], &byte, 1, 0), -EAGAIN);
	CHECK_EQ(test_send(&end[1], "abc", 3, 0), 1);
	CHECK_EQ(test_send(&end[1], "bc", 2, 0), -EAGAIN);
	CHECK_EQ(test_receive(&end[0], &byte, 1, 0), 1);
	CHECK_EQ(test_receive(&end[0], &byte, 1, 0), -EAGAIN);
	test_ends_close(end);
}

static void do_nothing(int number)
{
	(void)number;
}

/* An alarm soon, and again where the first came too early to interrupt. */
static void alarm_soon(bool on)
{
	struct itimerval often = {{0, 20000}, {0, 20000}}, none = {{0, 0}, {0, 0}};

	signal(SIGALRM, SIG_IGN);
	setitimer(ITIMER_REAL, on ? &often : &none, NULL);
	if (on)
		sigaction(SIGALRM, &(struct sigaction){.sa_handler = do_nothing}, NULL);
}

static void interruptions(void)
{
	struct weir_end end[2];
	char bytes[8];

	test_ends_open(end, 2);
	alarm_soon(true);
	CHECK_EQ(test_receive(&end[0], bytes, 1, 0), -EINTR);
	CHECK_EQ(test_send(&end[1], "abcd", 4, 0), 2); /* what has moved counts */
	CHECK_EQ(test_send(&end[1], "cd", 2, 0), -EINTR);
	CHECK_EQ(test_receive(&end[0], bytes, 8, MSG_WAITALL), 2);
	alarm_soon(false);
	test_ends_close(end);
}

static void the_writer_ends_first(void)
{
	struct weir_end end[2];
	char bytes[8];

	test_ends_open(end, 64);
	CHECK_EQ(test_send(&end[0], "last", 4, 0), 4);
	test_end_shut(&end[0], SHUT_WR);
	CHECK_EQ(test_send(&end[0], "x", 1, MSG_NOSIGNAL), -EPIPE);
	CHECK_EQ(test_send(&end[1], "still", 5, 0), 5);
	CHECK_EQ(test_receive(&end[1], bytes, 3, 0), 3);
	CHECK_EQ(test_receive(&end[1], bytes, 3, MSG_WAITALL), 1);
	CHECK_EQ(test_receive(&end[1], bytes, 3, 0), 0);
	CHECK_EQ(test_receive(&end[1], bytes, 3, MSG_DONTWAIT), 0);
	CHECK_EQ(test_receive(&end[0], bytes, 8, 0), 5);
	test_ends_close(end);
}

static void the_peer_closes(void)
{
	struct weir_end end[2];
	char bytes[8];

	test_ends_open(end, 64);
	CHECK_EQ(test_send(&end[0], "last", 4, 0), 4);
	CHECK_EQ(test_send(&end[1], "read", 4, 0), 4);
	CHECK_EQ(test_receive(&end[0], bytes, 8, 0), 4); /* its bell is still there */
	test_end_close(end[0].fd);
	CHECK_EQ(test_send(&end[1], "x", 1, MSG_NOSIGNAL), -EPIPE);
	CHECK_EQ(test_receive(&end[1], bytes, 8, 0), 4);
	CHECK_EQ(test_receive(&end[1], bytes, 8, 0), 0); /* a bell is no unread data */
	CHECK_EQ(test_receive(&end[1], bytes, 8, 0), 0);
	test_ends_close(end);
}

static void the_peer_resets(void)
{
	struct weir_end end[2];
	char bytes[8];

	test_ends_open(end, 64);
	CHECK_EQ(test_send(&end[0], "last", 4, 0), 4);
	CHECK_EQ(test_send(&end[1], "unread", 6, 0), 6);
	test_end_close(end[0].fd);
	CHECK_EQ(test_receive(&end[1], bytes, 8, 0), 4);
	CHECK_EQ(test_receive(&end[1], bytes, 8, 0), -ECONNRESET);
	CHECK_EQ(test_receive(&end[1], bytes, 8, 0), 0);
	CHECK_EQ(test_send(&end[1], "x", 1, MSG_NOSIGNAL), -EPIPE);
	test_ends_close(end);
}

static volatile sig_atomic_t pipes_broken;

static void count_sigpipe(int number)
{
	(void)number;
	pipes_broken++;
}

static void broken_pipes_raise_sigpipe(void)
{
	struct weir_end end[2];

	signal(SIGPIPE, count_sigpipe);
	test_ends_open(end, 64);
	test_end_close(end[1].fd);
	CHECK_EQ(test_send(&end[0], "x", 1, MSG_NOSIGNAL), -EPIPE);
	CHECK_EQ(pipes_broken, 0);
	CHECK_EQ(test_send(&end[0], "x", 1, 0), -EPIPE);
	CHECK_EQ(pipes_broken, 1);
	signal(SIGPIPE, SIG_DFL);
	test_ends_close(end);
}

/* Writers send marked bytes; readers count them. */
struct worker {
	const struct weir_end *end;
	struct test_random random;
	pthread_t thread;
	unsigned char mark;
	size_t seen[WORKERS];
	ssize_t last;
};

static void *write_marks(void *argument)
{
	struct worker *w = argument;
	unsigned char bytes[PIECE_MAX];
	size_t left = STREAM;

	memset(bytes, w->mark, sizeof(bytes));
	while (left > 0) {
		size_t n = 1 + test_random_below(&w->random, PIECE_MAX);
		w->last = test_send(w->end, bytes, n < left ? n : left, MSG_NOSIGNAL);
		if (w->last <= 0)
			return NULL;
		left -= (size_t)w->last;
	}
	return NULL;
}

static void *read_marks(void *argument)
{
	struct worker *w = argument;
	unsigned char bytes[PIECE_MAX];

	do {
		size_t n = 1 + test_random_below(&w->random, PIECE_MAX);
		w->last = test_receive(w->end, bytes, n, 0);
		for (ssize_t i = 0; i < w->last; i++)
			w->seen[bytes[i] % WORKERS]++;
	} while (w->last > 0);
	return NULL;
}

static void start(struct worker *w, const struct weir_end *end, uint64_t seed, int mark,
                  void *(*run)(void *))
{
	*w = (struct worker){.end = end, .random = {seed}, .mark = (unsigned char)mark};
	pthread_create(&w->thread, NULL, run, w);
}

static void conserve(struct test_random *r, uint64_t capacity, int writers, int readers)
{
	struct worker out[WORKERS], in[WORKERS];
	size_t seen[WORKERS] = {0};
	struct weir_end end[2];

	test_ends_open(end, capacity);
	for (int i = 0; i < readers; i++)
		start(&in[i], &end[1], test_random_next(r), 0, read_marks);
	for (int i = 0; i < writers; i++)
		start(&out[i], &end[0], test_random_next(r), i, write_marks);
	for (int i = 0; i < writers; i++)
		pthread_join(out[i].thread, NULL);
	test_end_shut(&end[0], SHUT_WR);
	for (int i = 0; i < readers; i++) {
		pthread_join(in[i].thread, NULL);
		CHECK_EQ(in[i].last, 0);
		for (int k = 0; k < WORKERS; k++)
			seen[k] += in[i].seen[k];
	}
	for (int i = 0; i < WORKERS; i++)
		CHECK_EQ(seen[i], i < writers ? STREAM : 0);
	test_ends_close(end);
}

static void threads_conserve_bytes(void)
{
	struct test_random r = test_random_begin("threads_conserve_bytes");

	conserve(&r, 7, 1, 1);
	conserve(&r, 64, 1, 1);
	conserve(&r, 64, WORKERS, 1);
	conserve(&r, 64, 1, WORKERS);
	conserve(&r, 4096, WORKERS, WORKERS);
	conserve(&r, 212992, WORKERS, WORKERS);
}

static unsigned char byte_at(uint64_t p)
{
	return (unsigned char)((p * 2654435761U) >> 7);
}

/* Sends or receives its stream until it fails. Gives how far it came. */
static uint64_t stream_out(const struct weir_end *end)
{
	unsigned char bytes[PIECE_MAX];
	uint64_t at = 0;

	for (;;) {
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = byte_at(at + i);
		ssize_t n = test_send(end, bytes, 1 + at % sizeof(bytes), MSG_NOSIGNAL);
		if (n <= 0)
			return at;
		at += (uint64_t)n;
	}
}

static ssize_t stream_in(const struct weir_end *end, bool *good)
{
	unsigned char bytes[PIECE_MAX];
	uint64_t at = 0;
	ssize_t n;

	*good = true;
	while ((n = test_receive(end, bytes, 1 + at % sizeof(bytes), 0)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			*good = *good && bytes[i] == byte_at(at + (uint64_t)i);
		at += (uint64_t)n;
	}
	return n;
}

/* A child with end 0 alone, this process with end 1 alone. */
static pid_t fork_with_ends(struct weir_end end[2])
{
	weir_endpoints_before_fork();
	pid_t child = fork();

	if (child == 0)
		weir_own_life_begins();
	test_end_close(end[child != 0 ? 0 : 1].fd);
	return child;
}

static void *kill_soon(void *argument)
{
	pid_t *child = argument;

	nanosleep(&(struct timespec){0, (long)child[1] * 1000}, NULL);
	kill(child[0], SIGKILL);
	waitpid(child[0], NULL, 0);
	weir_endpoints_suspect();
	return NULL;
}

static void kill_peer(struct test_random *r, bool peer_writes)
{
	uint64_t capacity = capacities[test_random_below(r, CAPACITIES)];
	struct weir_end end[2];
	pthread_t killer;
	bool good = true;

	test_ends_open(end, capacity);
	pid_t child[2] = {fork_with_ends(end), (pid_t)test_random_below(r, KILL_US_MAX)};
	if (child[0] == 0) {
		if (peer_writes)
			stream_out(&end[0]);
		else
			stream_in(&end[0], &good);
		_exit(0);
	}
	pthread_create(&killer, NULL, kill_soon, child);
	if (peer_writes)
		CHECK_EQ(stream_in(&end[1], &good), 0);
	else
		stream_out(&end[1]); /* comes back at all: EPIPE */
	CHECK(good);
	pthread_join(killer, NULL);
	test_end_close(end[1].fd);
	weir_pair_discard(&weir_session, end[1].index, end[1].generation);
}

static void peers_killed_at_any_moment(void)
{
	struct test_random r = test_random_begin("peers_killed_at_any_moment");

	for (int i = 0; i < KILLS; i++)
		kill_peer(&r, i % 2);
}

/* A process dies with locks held; another holder of the same end goes on. */
static void killed_with_locks_held(void)
{
	struct weir_end end[2];
	char bytes[16] = "";

	test_ends_open(end, 8);
	CHECK_EQ(test_send(&end[0], "1234", 4, 0), 4);
	weir_endpoints_before_fork();
	pid_t child = fork();
	if (child == 0) {
		weir_pipe_lock(&end[0].out);
		raise(SIGKILL);
	}
	CHECK_EQ(waitpid(child, NULL, 0), child);
	CHECK_EQ(test_send(&end[0], "5678", 4, MSG_DONTWAIT), 4);
	CHECK_EQ(load32_relaxed(&end[0].out.pipe->saturated), WEIR_SATURATED);
	CHECK_EQ(test_receive(&end[1], bytes, 16, MSG_DONTWAIT), 8);
	CHECK_TEXT(bytes, "12345678");
	CHECK_EQ(test_receive(&end[1], bytes, 16, MSG_DONTWAIT), -EAGAIN);
	weir_end_make_exact(&end[1], POLLIN);
	CHECK_EQ(os_poll_now(end[1].fd, POLLIN | POLLOUT), POLLOUT);
	CHECK_EQ(os_poll_now(end[0].fd, POLLIN | POLLOUT), POLLOUT);
	test_ends_close(end);
	weir_pair_discard(&weir_session, end[1].index, end[1].generation);
}

/* Somebody dies with the writer lock held while the kernel's queue was full: who waits for
 * room afterwards sleeps, whatever is left in the queue. */
static void waits_after_a_death(bool drained)
{
	struct weir_end end[2];
	char bytes[4096];

	test_ends_open(end, 4);
	CHECK_EQ(test_send(&end[0], "1234", 4, 0), 4);
	CHECK_EQ(weir_pipe_lock_writer(&end[0].out), 0);
	weir_bell_saturate(&end[0].out, end[0].fd, WEIR_SATURATED, 1);
	weir_pipe_unlock_writer(&end[0].out);
	pid_t child = fork();
	if (child == 0) {
		weir_pipe_lock(&end[1].in);
		while (drained && os_recv_now(end[1].fd, bytes, sizeof(bytes), 0) > 0)
			;
		raise(SIGKILL);
	}
	CHECK_EQ(waitpid(child, NULL, 0), child);
	CHECK_EQ(weir_pipe_lock_writer(&end[0].out), 0);
	weir_bell_saturate(&end[0].out, end[0].fd, WEIR_SATURATED, 1);
	weir_pipe_unlock_writer(&end[0].out);
	CHECK_EQ(os_send_now(end[0].fd, weir_bell_unreadable(), 1, 0), -EAGAIN);
	CHECK_EQ(os_poll_now(end[1].fd, POLLIN), POLLIN);
	CHECK_EQ(test_receive(&end[1], bytes, 4, MSG_DONTWAIT), 4);
	CHECK_EQ(os_poll_now(end[0].fd, POLLOUT), POLLOUT);
	test_ends_close(end);
}

static void waits_for_room_after_a_death(void)
{
	waits_after_a_death(false);
	waits_after_a_death(true);
}

struct watcher {
	struct weir_end end;
	weir_word32 done;
};

static void *watch_input(void *argument)
{
	struct watcher *w = argument;

	weir_end_watch(&w->end, POLLIN, false);
	store32_release(&w->done, 1);
	return NULL;
}

/* A writer at work when the watch begins does not know of it: it must have ended. */
static void watches_begin_between_writes(void)
{
	struct watcher watcher = {.done = 0};
	struct timespec pause = {0, 50000000};
	struct weir_end end[2];
	pthread_t thread;

	test_ends_open(end, 64);
	watcher.end = end[1];
	CHECK_EQ(weir_pipe_lock_writer(&end[0].out), 0);
	pthread_create(&thread, NULL, watch_input, &watcher);
	nanosleep(&pause, NULL);
	CHECK_EQ(load32_acquire(&watcher.done), 0);
	weir_pipe_unlock_writer(&end[0].out);
	pthread_join(thread, NULL);
	test_ends_close(end);
}

struct taker {
	struct weir_end end;
	ssize_t got;
};

static void *take_what_there_is(void *argument)
{
	struct taker *t = argument;
	char bytes[16];

	t->got = test_receive(&t->end, bytes, sizeof(bytes), MSG_DONTWAIT);
	return NULL;
}

/* A saturated queue has no place for an edge: what is put while the reader that drained
 * the ring waits to settle must not be left behind by a read that came short (epoll(7)). */
static void late_bytes_need_no_edge(void)
{
	struct iovec iov = {(void *)(uintptr_t) "+", 1};
	struct weir_span span = weir_span_of(&iov, 1);
	struct timespec pause = {0, 1000000};
	struct weir_end end[2];
	struct taker taker;
	pthread_t thread;

	test_ends_open(end, 2);
	weir_end_watch(&end[1], POLLIN, true);
	weir_end_watch(&end[0], POLLOUT, true);
	CHECK_EQ(test_send(&end[0], "ab", 2, MSG_DONTWAIT), 2);
	taker = (struct taker){.end = end[1]};
	CHECK_EQ(weir_pipe_lock_writer(&end[0].out), 0);
	pthread_create(&thread, NULL, take_what_there_is, &taker);
	for (int ms = 0; ms < 10000 && weir_pipe_used(&end[0].out) > 0; ms++)
		nanosleep(&pause, NULL);
	CHECK_EQ(weir_pipe_put(&end[0].out, end[0].fd, &span, 1, false), 1);
	weir_pipe_unlock_writer(&end[0].out);
	pthread_join(thread, NULL);
	CHECK_EQ(taker.got, 3);
	CHECK_EQ(os_poll_now(end[1].fd, POLLIN), 0);
	test_ends_close(end);
}

static struct {
	struct weir_end end;
	volatile sig_atomic_t sent;
	volatile sig_atomic_t calls;
} handler;

static void send_from_handler(int number)
{
	(void)number;
	handler.calls++;
	if (test_send(&handler.end, "h", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1)
		handler.sent++;
}

struct counts {
	const struct weir_end *end;
	size_t own;
	size_t handlers;
};

static void *count_letters(void *argument)
{
	struct counts *c = argument;
	char bytes[512];
	ssize_t n;

	while ((n = test_receive(c->end, bytes, sizeof(bytes), 0)) > 0)
		for (ssize_t i = 0; i < n; i++)
			bytes[i] == 'h' ? c->handlers++ : c->own++;
	return NULL;
}

/* Handlers come to this thread alone: the reader's is made with them blocked. */
static void start_counting(pthread_t *thread, struct counts *c)
{
	sigset_t alarms;

	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarms, NULL);
	pthread_create(thread, NULL, count_letters, c);
	pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
}

static void handlers_write_to_the_same_pair(uint64_t capacity)
{
	struct itimerval often = {{0, 100}, {0, 100}}, none = {{0, 0}, {0, 0}};
	uint64_t until = os_now_ns() + 150000000;
	struct weir_end end[2];
	pthread_t thread;
	size_t own = 0;

	test_ends_open(end, capacity);
	struct counts c = {.end = &end[1]};
	handler.end = end[0];
	handler.sent = handler.calls = 0;
	start_counting(&thread, &c);
	sigaction(SIGALRM, &(struct sigaction){.sa_handler = send_from_handler}, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	while (os_now_ns() < until) {
		ssize_t n = test_send(&end[0], "mmmmmmmmmmmmmmmm", 16, MSG_NOSIGNAL);
		own += n > 0 ? (size_t)n : 0;
		CHECK(n > 0 || n == -EINTR);
	}
	setitimer(ITIMER_REAL, &none, NULL);
	signal(SIGALRM, SIG_IGN);
	test_end_shut(&end[0], SHUT_WR);
	pthread_join(thread, NULL);
	CHECK_EQ(c.own, own);
	CHECK_EQ(c.handlers, handler.sent);
	printf("# %zu sent, %d of %d by handlers\n", own, (int)handler.sent, (int)handler.calls);
	test_ends_close(end);
}

/* A child that waits to write one byte, once `noted` is not what it was. */
static pid_t fork_blocked_writer(const struct weir_end *end, const weir_word32 *noted)
{
	uint32_t before = load32_acquire(noted);

	weir_endpoints_before_fork();
	pid_t child = fork();
	if (child == 0) {
		weir_own_life_begins();
		test_send(end, "x", 1, 0);
		_exit(0);
	}
	for (int i = 0; i < 10000 && load32_acquire(noted) == before; i++)
		usleep(1000);
	CHECK(load32_acquire(noted) != before);
	return child;
}

/* A child that takes the reader's lock, and keeps it. */
static pid_t fork_holder(const struct weir_end *end)
{
	weir_endpoints_before_fork();
	pid_t child = fork();
	if (child == 0) {
		weir_own_life_begins();
		weir_pipe_lock_reader(&end->in);
		for (;;)
			pause();
	}
	for (int i = 0; i < 10000 && weir_lock_owner(&end->in.pipe->read_lock) == 0; i++)
		usleep(1000);
	CHECK_EQ(weir_lock_owner(&end->in.pipe->read_lock), child);
	return child;
}

/* Who would find nothing does not wait for another reader to be told so. */
static void nothing_is_found_without_a_lock(void)
{
	struct weir_end end[2];
	char bytes[8];

	test_ends_open(end, 8);
	CHECK_EQ(test_send(&end[0], "1", 1, 0), 1);
	CHECK_EQ(test_receive(&end[1], bytes, 8, 0), 1);
	pid_t child = fork_holder(&end[1]);
	signal(SIGALRM, SIG_DFL);
	alarm(20);
	CHECK_EQ(test_receive(&end[1], bytes, 8, MSG_DONTWAIT), -EAGAIN);
	alarm(0);
	kill(child, SIGKILL);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	test_ends_close(end);
	weir_pair_discard(&weir_session, end[1].index, end[1].generation);
}

/* A reader has emptied the queue, and before the kernel lets a sleeper go another writer fills
 * it, who wants room for four bytes. Gives what wakes them. */
static uint64_t filled_again(const struct weir_end *end)
{
	struct weir_pipe *pipe = end->out.pipe;

	CHECK_EQ(weir_pipe_lock_writer(&end->out), 0);
	store32_ordered(&pipe->saturated, WEIR_FLOWING);
	weir_bell_saturate(&end->out, end->fd, WEIR_SATURATED, 4);
	weir_pipe_unlock_writer(&end->out);
	return load64_relaxed(&pipe->wake_at);
}

/* Who was killed while it waited for room wants none: a writer that wants more is not woken
 * for as little. */
static void the_dead_want_no_room(void)
{
	struct weir_end end[2];

	test_ends_open(end, 8);
	CHECK_EQ(test_send(&end[0], "12345678", 8, 0), 8);
	CHECK_EQ(filled_again(&end[0]), 4);
	pid_t child = fork_blocked_writer(&end[0],
	                                  &end[0].out.pipe->sleepers[WEIR_OP_WRITE][0].asleep);
	CHECK_EQ(filled_again(&end[0]), 1);
	kill(child, SIGKILL);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	CHECK_EQ(filled_again(&end[0]), 4);
	test_ends_close(end);
	weir_pair_discard(&weir_session, end[1].index, end[1].generation);
}

/* A fifth writer has no place to sleep in, and what it wants is not forgotten either. */
static void one_without_a_place_wants_room(void)
{
	struct weir_end end[2];
	char bytes[8];

	test_ends_open(end, 8);
	struct weir_pipe *pipe = end[0].out.pipe;
	CHECK_EQ(test_send(&end[0], "12345678", 8, 0), 8);
	CHECK_EQ(filled_again(&end[0]), 4);
	for (int i = 0; i < WEIR_SLEEPERS_MAX; i++)
		CHECK(weir_sleep_begins(&end[0], WEIR_OP_WRITE));
	pid_t child = fork_blocked_writer(&end[0], &pipe->placeless);
	for (int i = 0; i < WEIR_SLEEPERS_MAX; i++)
		weir_sleep_ends(&pipe->sleepers[WEIR_OP_WRITE][i]);
	CHECK_EQ(filled_again(&end[0]), 1);
	CHECK_EQ(test_receive(&end[1], bytes, 8, MSG_DONTWAIT), 8);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	CHECK_EQ(load32_relaxed(&pipe->placeless), 0);
	test_ends_close(end);
	weir_pair_discard(&weir_session, end[1].index, end[1].generation);
}

/* While it slept its pair has ended, and the place in the slot is another's. */
static void a_place_is_left_by_who_has_it(void)
{
	struct weir_end end[2];

	test_ends_open(end, 8);
	struct weir_sleeper *place = weir_sleep_begins(&end[0], WEIR_OP_WRITE);
	uint32_t own = load32_relaxed(&place->tid);
	store32_relaxed(&place->tid, own + 1);
	weir_sleep_ends(place);
	CHECK_EQ(load32_relaxed(&place->tid), own + 1);
	store32_relaxed(&place->tid, own);
	weir_sleep_ends(place);
	CHECK_EQ(load32_relaxed(&place->tid), 0);
	test_ends_close(end);
}

static void handlers_write_meanwhile(void)
{
	handlers_write_to_the_same_pair(7);
	handlers_write_to_the_same_pair(4096);
}

/* A call in calm moves no more than was looked at: what comes meanwhile may have the text. */
static void texts_are_looked_for_in_all_that_passes(void)
{
	struct weir_rule_error error = {.column = 0};
	struct weir_end end[2];
	struct weir_rule rule;
	char bytes[64];
	struct iovec iov = {bytes, sizeof(bytes)};
	struct weir_span span = weir_span_of(&iov, 1);
	size_t n = sizeof(bytes);

	CHECK(weir_rule_parse(&rule, "read:error=EIO:match=END", &error));
	weir_plan_lock(&weir_session);
	CHECK(weir_plan_add(weir_session.plan, &rule));
	weir_plan_unlock(&weir_session);
	test_ends_open(end, 100);
	weir_pair_arm_all(&weir_session);
	uint64_t rules = weir_rules_here(&end[1].in.pipe->rules_read);
	CHECK(rules != 0);
	CHECK_EQ(test_send(&end[0], "x", 1, 0), 1);
	CHECK_EQ(test_receive(&end[1], bytes, sizeof(bytes), 0), 1);
	CHECK_EQ(test_send(&end[0], "abE", 3, 0), 3);
	CHECK(weir_is_calm(&end[1], WEIR_OP_READ, rules, &span, &n, false));
	CHECK_EQ(n, 3);
	CHECK_EQ(weir_pipe_take(&end[1].in, &span, n), 3);
	CHECK_EQ(test_send(&end[0], "NDx", 3, 0), 3);
	n = sizeof(bytes);
	span = weir_span_of(&iov, 1);
	CHECK(!weir_is_calm(&end[1], WEIR_OP_READ, rules, &span, &n, false));
	CHECK_EQ(test_receive(&end[1], bytes, sizeof(bytes), 0), 2);
	CHECK_EQ(test_receive(&end[1], bytes, sizeof(bytes), 0), -EIO);
	CHECK_EQ(test_receive(&end[1], bytes, sizeof(bytes), 0), 1);
	test_ends_close(end);
	weir_plan_lock(&weir_session);
	weir_plan_clear(weir_session.plan);
	weir_plan_unlock(&weir_session);
}

int main(void)
{
	test_session_begin();
	RUN(exact_counts);
	RUN(nonblocking_by_its_flag);
	RUN(timeouts);
	RUN(interruptions);
	RUN(the_writer_ends_first);
	RUN(the_peer_closes);
	RUN(the_peer_resets);
	RUN(broken_pipes_raise_sigpipe);
	RUN(threads_conserve_bytes);
	RUN(peers_killed_at_any_moment);
	RUN(killed_with_locks_held);
	RUN(waits_for_room_after_a_death);
	RUN(nothing_is_found_without_a_lock);
	RUN(the_dead_want_no_room);
	RUN(one_without_a_place_wants_room);
	RUN(a_place_is_left_by_who_has_it);
	RUN(handlers_write_meanwhile);
	RUN(watches_begin_between_writes);
	RUN(late_bytes_need_no_edge);
	RUN(texts_are_looked_for_in_all_that_passes);
	return weir_test_end();
}
