/* Faults that meet a thread that waits. Each case runs under the rule that its line of
 * tests/faults.bats gives; side a writes and side b reads unless it says otherwise. */
#include "check.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>

enum { A, B, HELD_MS = 60 };

/* ---- a call in a thread of its own ---- */

struct waiter {
	pthread_t thread;
	pid_t tid;
	int fd;
	int how;                    /* one of the calls below */
	long result;
	int error;
};

enum how { READ, WRITE, BY_POLL, BY_POLL_OUT, BY_EPOLL, BY_SELECT };

static long wait_in_epoll(int fd)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP};
	int set = epoll_create1(0);
	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, fd, &e) == 0);
	long n = epoll_wait(set, &e, 1, -1);
	close(set);
	return n == 1 ? (long)e.events : n;
}

static long wait_in_poll(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};
	return poll(&p, 1, -1) == 1 ? p.revents : -1;
}

static long wait_in_select(int fd)
{
	fd_set in;
	FD_ZERO(&in);
	FD_SET(fd, &in);
	return select(fd + 1, &in, NULL, NULL, NULL);
}

static long wait_in_write(int fd)
{
	static unsigned char much[1 << 20];
	return write(fd, much, sizeof(much));
}

static void *waits(void *argument)
{
	struct waiter *w = argument;
	char byte;

	__atomic_store_n(&w->tid, gettid(), __ATOMIC_RELEASE);
	errno = 0;
	switch ((enum how)w->how) {
	case READ: w->result = read(w->fd, &byte, 1); break;
	case WRITE: w->result = wait_in_write(w->fd); break;
	case BY_POLL: w->result = wait_in_poll(w->fd, POLLIN | POLLRDHUP); break;
	case BY_POLL_OUT: w->result = wait_in_poll(w->fd, POLLOUT); break;
	case BY_EPOLL: w->result = wait_in_epoll(w->fd); break;
	case BY_SELECT: w->result = wait_in_select(w->fd); break;
	}
	w->error = errno;
	return NULL;
}

static void start(struct waiter *w, enum how how, int fd)
{
	*w = (struct waiter){.fd = fd, .how = how};
	CHECK(pthread_create(&w->thread, NULL, waits, w) == 0);
	while (!__atomic_load_n(&w->tid, __ATOMIC_ACQUIRE))
		sleep_ms(1);
	wait_until_asleep(w->tid);
}

static long ended(struct waiter *w)
{
	CHECK(pthread_join(w->thread, NULL) == 0);
	errno = w->error;
	return w->result;
}

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t cpu_ms(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

/* ---- who waits is woken by the end ---- */

/* The rule ends the direction a to b with a's second write, of nothing. */
CASE(ends_wake_a_reader)
{
	int sv[2];
	struct waiter w;
	pair_open(sv, 0);
	signal(SIGPIPE, SIG_IGN);
	say(sv[A], "x");
	hear(sv[B], "x");
	start(&w, READ, sv[B]);
	CHECK_FAILS(write(sv[A], "y", 1), EPIPE);
	CHECK_EQ(ended(&w), 0);
}

CASE(reset_wakes_a_reader)
{
	int sv[2];
	struct waiter w;
	pair_open(sv, 0);
	signal(SIGPIPE, SIG_IGN);
	say(sv[A], "x");
	hear(sv[B], "x");
	start(&w, READ, sv[B]);
	CHECK_FAILS(write(sv[A], "y", 1), EPIPE);
	CHECK_EQ(ended(&w), -1);
	CHECK_EQ(w.error, ECONNRESET);
	hear_end(sv[B]);
}

static void ends_while(enum how how, long bits)
{
	int sv[2];
	struct waiter w;
	pair_open(sv, 0);
	signal(SIGPIPE, SIG_IGN);
	say(sv[A], "x");
	hear(sv[B], "x");
	start(&w, how, sv[B]);
	CHECK_FAILS(write(sv[A], "y", 1), EPIPE);
	CHECK_EQ(ended(&w) & bits, bits);
}

/* Until somebody has been told of the error, poll and epoll tell it. */
CASE(reset_is_an_error)
{
	int sv[2], waiting = epoll_create1(0);
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = 4711}, got;
	struct waiter w;
	pair_open(sv, 0);
	signal(SIGPIPE, SIG_IGN);
	say(sv[A], "x");
	hear(sv[B], "x");
	start(&w, BY_EPOLL, sv[B]);
	CHECK_FAILS(write(sv[A], "y", 1), EPIPE);
	CHECK(ended(&w) & EPOLLERR);
	CHECK(epoll_ctl(waiting, EPOLL_CTL_ADD, sv[B], &e) == 0);
	CHECK_EQ(epoll_wait(waiting, &got, 1, 0), 1);
	CHECK_EQ(got.events, EPOLLIN | EPOLLHUP | EPOLLERR);
	CHECK_EQ(got.data.u64, 4711);
	CHECK(readiness(sv[B]) & POLLERR);
	CHECK_FAILS(read(sv[B], &(char){0}, 1), ECONNRESET);
	CHECK_EQ(epoll_wait(waiting, &got, 1, 0), 1);
	CHECK_EQ(got.events, EPOLLIN | EPOLLHUP);
	CHECK_EQ(readiness(sv[B]) & POLLERR, 0);
}

CASE(ends_wake_a_poll) { ends_while(BY_POLL, POLLIN | POLLRDHUP); }
CASE(ends_wake_an_epoll) { ends_while(BY_EPOLL, EPOLLIN | EPOLLRDHUP); }
CASE(ends_wake_a_select) { ends_while(BY_SELECT, 1); }

/* The reader's second call ends it. */
CASE(ends_wake_a_writer)
{
	int sv[2];
	char byte;
	struct waiter w;
	pair_open(sv, 0);
	signal(SIGPIPE, SIG_IGN);
	fill(sv[A]);
	start(&w, WRITE, sv[A]);
	CHECK_EQ(read(sv[B], &byte, 1), 1);
	wait_until_asleep(w.tid);
	CHECK(read(sv[B], &byte, 1) >= 0 || errno == ECONNRESET);
	long n = ended(&w);
	CHECK(n >= 0 || w.error == EPIPE);
	CHECK_FAILS(write(sv[A], &byte, 1), EPIPE);
}

CASE(ends_wake_a_poll_for_room)
{
	int sv[2];
	char byte;
	struct waiter w;
	pair_open(sv, 0);
	fill(sv[A]);
	start(&w, BY_POLL_OUT, sv[A]);
	CHECK_EQ(read(sv[B], &byte, 1), 1);
	CHECK(read(sv[B], &byte, 1) >= 0 || errno == ECONNRESET);
	CHECK(ended(&w) > 0);
}

/* ---- stall: b's first read, or a's first write ---- */

static void do_nothing(int signal)
{
	(void)signal;
}

CASE(stalled_read_ends_in_time)
{
	int sv[2];
	char byte;
	struct timeval t = {.tv_usec = HELD_MS * 1000};
	pair_open(sv, 0);
	say(sv[A], "x");
	CHECK(setsockopt(sv[B], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) == 0);
	uint64_t begun = now_ms();
	CHECK_FAILS(read(sv[B], &byte, 1), EAGAIN);
	CHECK(now_ms() - begun >= HELD_MS - 1);
	hear(sv[B], "x");
}

CASE(stalled_write_ends_in_time)
{
	int sv[2];
	struct timeval t = {.tv_usec = HELD_MS * 1000};
	pair_open(sv, 0);
	CHECK(setsockopt(sv[A], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)) == 0);
	CHECK_FAILS(write(sv[A], "x", 1), EAGAIN);
	hear_nothing(sv[B]);
	say(sv[A], "y");
	hear(sv[B], "y");
}

CASE(stall_is_interrupted)
{
	int sv[2];
	struct waiter w;
	pair_open(sv, 0);
	on_signal(SIGUSR1, do_nothing, 0);
	say(sv[A], "x");
	start(&w, READ, sv[B]);
	pthread_kill(w.thread, SIGUSR1);
	CHECK_EQ(ended(&w), -1);
	CHECK_EQ(w.error, EINTR);
	hear(sv[B], "x");
}

CASE(stall_goes_on_after_a_restarting_handler)
{
	int sv[2];
	struct waiter w;
	pair_open(sv, 0);
	on_signal(SIGUSR1, do_nothing, SA_RESTART);
	say(sv[A], "x");
	start(&w, READ, sv[B]);
	for (int i = 0; i < 3; i++) {
		pthread_kill(w.thread, SIGUSR1);
		wait_until_asleep(w.tid);
	}
	CHECK_EQ(readiness(sv[B]) & POLLIN, 0);
	shutdown(sv[A], SHUT_WR);
	CHECK_EQ(ended(&w), 1);
}

CASE(stall_ends_with_the_peer)
{
	int sv[2];
	struct waiter w;
	pair_open(sv, 0);
	say(sv[A], "x");
	start(&w, READ, sv[B]);
	close(sv[A]);
	CHECK_EQ(ended(&w), 1);
	hear_end(sv[B]);
}

CASE(stalled_write_ends_with_the_peer)
{
	int sv[2];
	struct waiter w;
	pair_open(sv, 0);
	signal(SIGPIPE, SIG_IGN);
	start(&w, WRITE, sv[A]);
	close(sv[B]);
	CHECK_EQ(ended(&w), -1);
	CHECK_EQ(w.error, EPIPE);
}

CASE(stall_ends_when_the_peer_is_killed)
{
	int sv[2];
	struct waiter w;
	pair_open(sv, 0);
	pid_t child = fork();
	if (child == 0) {
		close(sv[B]);
		say(sv[A], "x");
		pause();
	}
	close(sv[A]);
	while (readiness(sv[B]) == POLLOUT)
		sleep_ms(1);
	start(&w, READ, sv[B]);
	kill(child, SIGKILL);
	CHECK_EQ(ended(&w), 1);
	hear_end(sv[B]);
}

/* A signal that comes when a wait looks again, after 20 ms, ends it as any other does. */
static volatile sig_atomic_t alarms;

static void count_alarm(int signal)
{
	(void)signal;
	alarms++;
}

static void signals_end(enum how how)
{
	enum { LOOK_US = 20000, AROUND_US = 300, TIMES = 50 };
	struct itimerval none = {{0, 0}, {0, 0}};
	int sv[2];
	char byte;
	pair_open(sv, 0);
	on_signal(SIGALRM, count_alarm, 0);
	say(sv[A], "x");
	if (how != READ)
		CHECK_FAILS(recv(sv[B], &byte, 1, MSG_DONTWAIT), EAGAIN);
	for (int i = 0; i < TIMES; i++) {
		struct waiter w = {.fd = sv[B], .how = how};
		int us = LOOK_US - AROUND_US + 2 * AROUND_US * i / TIMES;
		struct itimerval t = {{5, 0}, {0, us}};
		alarms = 0;
		CHECK(setitimer(ITIMER_REAL, &t, NULL) == 0);
		waits(&w);
		CHECK(setitimer(ITIMER_REAL, &none, NULL) == 0);
		CHECK(w.result == -1 && w.error == EINTR);
		CHECK_EQ(alarms, 1);
	}
}

CASE(signals_end_a_read) { signals_end(READ); }
CASE(signals_end_a_poll) { signals_end(BY_POLL); }
CASE(signals_end_a_select) { signals_end(BY_SELECT); }
CASE(signals_end_an_epoll) { signals_end(BY_EPOLL); }

/* ---- readiness while held: non-blocking, and told late ---- */

CASE(stall_is_not_ready)
{
	int sv[2];
	char byte;
	struct pollfd p;
	struct epoll_event e = {.events = EPOLLIN};
	struct timeval zero = {0, 20000};
	fd_set in;
	pair_open(sv, SOCK_NONBLOCK);
	int set = epoll_create1(0);
	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, sv[B], &e) == 0);
	say(sv[A], "x");
	CHECK_FAILS(read(sv[B], &byte, 1), EAGAIN);
	p = (struct pollfd){.fd = sv[B], .events = POLLIN};
	CHECK_EQ(poll(&p, 1, 50), 0);
	FD_ZERO(&in);
	FD_SET(sv[B], &in);
	CHECK_EQ(select(sv[B] + 1, &in, NULL, NULL, &zero), 0);
	CHECK_EQ(epoll_wait(set, &e, 1, 50), 0);
	say(sv[A], "y");
	CHECK_EQ(epoll_wait(set, &e, 1, 50), 0);
	close(sv[A]);
	CHECK_EQ(epoll_wait(set, &e, 1, 10000), 1);
	hear(sv[B], "xy");
}

CASE(stall_is_not_ready_among_many)
{
	enum { MANY = 1000 };
	static struct pollfd p[MANY];
	int sv[2];
	char byte;
	pair_open(sv, SOCK_NONBLOCK);
	say(sv[A], "x");
	CHECK_FAILS(read(sv[B], &byte, 1), EAGAIN);
	for (int i = 0; i < MANY; i++)
		p[i] = (struct pollfd){.fd = i % 2 ? sv[B] : -1, .events = POLLIN};
	CHECK_EQ(poll(p, MANY, 50), 0);
	close(sv[A]);
	CHECK_EQ(poll(p, MANY, 10000), MANY / 2);
}

/* A delay of 200 ms on b's second read: the event comes once, late, and the wait for it
 * costs nothing. */
static void delayed_epoll(uint32_t mode, bool rearm)
{
	int sv[2], returns = 0;
	char byte;
	struct epoll_event e = {.events = EPOLLIN | mode}, got;
	pair_open(sv, SOCK_NONBLOCK);
	int set = epoll_create1(0);
	say(sv[A], "w");
	hear(sv[B], "w");
	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, sv[B], &e) == 0);
	say(sv[A], "x");
	uint64_t begun = now_ms(), cpu = cpu_ms();
	for (;;) {
		CHECK_EQ(epoll_wait(set, &got, 1, 10000), 1);
		returns++;
		if (read(sv[B], &byte, 1) == 1)
			break;
		CHECK(errno == EAGAIN);
		if (rearm)
			CHECK(epoll_ctl(set, EPOLL_CTL_MOD, sv[B], &e) == 0);
	}
	CHECK(byte == 'x');
	CHECK(now_ms() - begun >= 195);
	CHECK(cpu_ms() - cpu < 100);
	CHECK(returns <= 4);
	CHECK_EQ(epoll_wait(set, &got, 1, 50), 0);
	if (rearm)
		CHECK(epoll_ctl(set, EPOLL_CTL_MOD, sv[B], &e) == 0);
	say(sv[A], "y");
	CHECK_EQ(epoll_wait(set, &got, 1, 10000), 1);
	hear(sv[B], "y");
}

CASE(delay_in_a_level_epoll) { delayed_epoll(0, false); }
CASE(delay_in_an_edge_epoll) { delayed_epoll(EPOLLET, false); }
CASE(delay_in_a_oneshot_epoll) { delayed_epoll(EPOLLONESHOT, true); }

CASE(delay_in_poll_and_select)
{
	int sv[2];
	char byte;
	fd_set in;
	pair_open(sv, SOCK_NONBLOCK);
	say(sv[A], "w");
	hear(sv[B], "w");
	say(sv[A], "x");
	uint64_t begun = now_ms(), cpu = cpu_ms();
	CHECK_FAILS(read(sv[B], &byte, 1), EAGAIN);
	struct pollfd p = {.fd = sv[B], .events = POLLIN};
	CHECK_EQ(poll(&p, 1, 10), 0);
	FD_ZERO(&in);
	FD_SET(sv[B], &in);
	CHECK_EQ(select(sv[B] + 1, &in, NULL, NULL, NULL), 1);
	CHECK(now_ms() - begun >= 195);
	CHECK(cpu_ms() - cpu < 100);
	CHECK_EQ(poll(&p, 1, -1), 1);
	hear(sv[B], "x");
}

CASE(delayed_write_in_epoll)
{
	int sv[2];
	struct epoll_event e = {.events = EPOLLOUT}, got;
	pair_open(sv, SOCK_NONBLOCK);
	int set = epoll_create1(0);
	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, sv[A], &e) == 0);
	say(sv[A], "w");
	uint64_t begun = now_ms();
	CHECK_FAILS(write(sv[A], "x", 1), EAGAIN);
	CHECK_EQ(epoll_wait(set, &got, 1, 20), 0);
	CHECK_EQ(epoll_wait(set, &got, 1, 10000), 1);
	CHECK(now_ms() - begun >= 195);
	say(sv[A], "x");
	hear(sv[B], "wx");
}

/* The thread waits for two pairs; the second one's bytes do not wait for the first. */
CASE(delay_does_not_hold_up_others)
{
	int sv[2], other[2];
	char byte;
	struct epoll_event e = {.events = EPOLLIN, .data.fd = 1}, got;
	pair_open(sv, SOCK_NONBLOCK);
	pair_open(other, SOCK_NONBLOCK);
	int set = epoll_create1(0);
	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, sv[B], &e) == 0);
	e.data.fd = 2;
	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, other[B], &e) == 0);
	say(sv[A], "w");
	hear(sv[B], "w");
	say(sv[A], "x");
	uint64_t begun = now_ms();
	CHECK_FAILS(read(sv[B], &byte, 1), EAGAIN);
	for (int i = 0; i < 100; i++) {
		say(other[A], "o");
		CHECK_EQ(epoll_wait(set, &got, 1, 10000), 1);
		if (got.data.fd == 1)
			break;
		hear(other[B], "o");
		CHECK(i > 0 || now_ms() - begun < 190);
	}
	while (got.data.fd != 1)
		CHECK_EQ(epoll_wait(set, &got, 1, 10000), 1);
	CHECK(now_ms() - begun >= 195);
	hear(sv[B], "x");
}

CASE(delay_blocks_a_reader)
{
	int sv[2];
	pair_open(sv, 0);
	say(sv[A], "wx");
	hear(sv[B], "w");
	uint64_t begun = now_ms();
	hear(sv[B], "x");
	CHECK(now_ms() - begun >= 195);
}

/* ---- rate ---- */

/* At 200K/s: a second's bytes take a second, within a twentieth, in one of some runs,
 * because others use the machine as well; never less. */
static void *drain_all(void *argument)
{
	char bytes[4096];
	while (read(*(int *)argument, bytes, sizeof(bytes)) > 0)
		;
	return NULL;
}

static uint64_t paced_ms(void)
{
	static unsigned char bytes[10240];
	pthread_t reader;
	int sv[2];
	pair_open(sv, 0);
	CHECK(pthread_create(&reader, NULL, drain_all, &sv[B]) == 0);
	uint64_t begun = now_ms();
	for (int i = 0; i < 20; i++)
		CHECK_EQ(write(sv[A], bytes, sizeof(bytes)), sizeof(bytes));
	uint64_t taken = now_ms() - begun;
	close(sv[A]);
	CHECK(pthread_join(reader, NULL) == 0);
	close(sv[B]);
	return taken;
}

CASE(rate_keeps_its_pace)
{
	uint64_t taken = 0;
	for (int i = 0; i < 6 && (taken < 950 || taken > 1050); i++) {
		taken = paced_ms();
		CHECK(taken >= 950);
	}
	CHECK(taken <= 1050);
}

/* Smoothly: no more than a few hundredths of a second's bytes at once. */
CASE(rate_is_smooth)
{
	unsigned char bytes[65536];
	struct waiter w;
	int sv[2];
	uint64_t total = 0;
	ssize_t most = 0;
	pair_open(sv, 0);
	start(&w, WRITE, sv[A]);
	for (int i = 0; i < 20; i++) {
		ssize_t n = read(sv[B], bytes, sizeof(bytes));
		CHECK(n > 0);
		total += (uint64_t)n;
		most = i > 0 && n > most ? n : most;
	}
	CHECK(most > 0);
	CHECK((uint64_t)most <= 200 * 1024 / 10);
	close(sv[B]);
	signal(SIGPIPE, SIG_IGN);
	ended(&w);
}

/* ---- no byte lost or doubled ---- */

static void *write_all(void *argument)
{
	unsigned char bytes[3000];
	int fd = *(int *)argument;
	for (uint64_t done = 0; done < 300000;) {
		size_t n = 1 + (size_t)(done * 7919 % sizeof(bytes));
		if (n > 300000 - done)
			n = 300000 - (size_t)done;
		pattern_make(bytes, n, done);
		ssize_t m = write(fd, bytes, n);
		if (m < 0 && (errno == EAGAIN || errno == EINTR)) {
			wait_in_poll(fd, POLLOUT);
			continue;
		}
		CHECK(m > 0);
		done += (uint64_t)m;
	}
	CHECK(shutdown(fd, SHUT_WR) == 0);
	return NULL;
}

static void conserve(int flags)
{
	unsigned char bytes[2000];
	pthread_t writer;
	uint64_t done = 0;
	int sv[2];
	pair_open(sv, flags);
	CHECK(pthread_create(&writer, NULL, write_all, &sv[A]) == 0);
	for (;;) {
		ssize_t n = read(sv[B], bytes, 1 + (size_t)(done * 104729 % sizeof(bytes)));
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			wait_in_poll(sv[B], POLLIN);
			continue;
		}
		CHECK(n >= 0);
		if (n == 0)
			break;
		pattern_check(bytes, (size_t)n, done);
		done += (uint64_t)n;
	}
	CHECK_EQ(done, 300000);
	CHECK(pthread_join(writer, NULL) == 0);
}

CASE(bytes_are_conserved) { conserve(0); }
CASE(bytes_are_conserved_without_blocking) { conserve(SOCK_NONBLOCK); }

/* EAGAIN is for who does not block. */
CASE(blocking_calls_get_no_EAGAIN)
{
	int sv[2];
	char byte;
	pair_open(sv, 0);
	for (int i = 0; i < 200; i++) {
		CHECK_EQ(write(sv[A], "x", 1), 1);
		CHECK_EQ(read(sv[B], &byte, 1), 1);
	}
}

/* Without handlers a blocking write moves all, and MSG_WAITALL waits for all. */
static void *write_much(void *fd)
{
	CHECK_EQ(wait_in_write(*(int *)fd), 1 << 20);
	return NULL;
}

CASE(blocking_calls_move_all)
{
	static unsigned char much[1 << 20];
	pthread_t writer;
	int sv[2];
	pair_open(sv, 0);
	CHECK(pthread_create(&writer, NULL, write_much, &sv[A]) == 0);
	CHECK_EQ(recv(sv[B], much, sizeof(much), MSG_WAITALL), sizeof(much));
	CHECK(pthread_join(writer, NULL) == 0);
}

/* The self-pipe trick: EAGAIN says that the reader has something to wake it. */
CASE(refused_writes_leave_something_to_read)
{
	char bytes[64];
	int sv[2];
	pair_open(sv, SOCK_NONBLOCK);
	for (int i = 0; i < 300; i++) {
		ssize_t n = write(sv[A], "x", 1);
		CHECK(n == 1 || errno == EAGAIN);
		wait_in_poll(sv[B], POLLIN);
		while (read(sv[B], bytes, sizeof(bytes)) < 0)
			wait_in_poll(sv[B], POLLIN);
	}
}

/* A call that waited before counts once: the third read fails, not the second. */
CASE(a_wait_is_no_second_call)
{
	struct waiter w;
	char byte;
	int sv[2];
	pair_open(sv, 0);
	for (int i = 0; i < 2; i++) {
		start(&w, READ, sv[B]);
		say(sv[A], "x");
		CHECK_EQ(ended(&w), 1);
	}
	say(sv[A], "x");
	CHECK_FAILS(read(sv[B], &byte, 1), EIO);
	CHECK_EQ(read(sv[B], &byte, 1), 1);
}

/* ---- between processes, with descriptors ---- */

static ssize_t receive_right(int fd, char *bytes, size_t size, int *right)
{
	union { char space[CMSG_SPACE(sizeof(int))]; struct cmsghdr header; } c;
	struct iovec iov = {bytes, size};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c,
	                   .msg_controllen = sizeof(c)};
	ssize_t n = recvmsg(fd, &m, 0);
	struct cmsghdr *h = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	*right = -1;
	if (h)
		memcpy(right, CMSG_DATA(h), sizeof(*right));
	return n;
}

static ssize_t send_right(int fd, const char *text, int right)
{
	union { char space[CMSG_SPACE(sizeof(int))]; struct cmsghdr header; } c = {.header = {
		.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
	struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c,
	                   .msg_controllen = sizeof(c)};
	memcpy(CMSG_DATA(&c.header), &right, sizeof(right));
	return sendmsg(fd, &m, 0);
}

/* The parent's end of a second pair goes to a child, three bytes at a time. */
CASE(short_messages_pass_descriptors_once)
{
	int sv[2], other[2], right;
	char bytes[16];
	pair_open(sv, 0);
	pair_open(other, 0);
	pid_t child = fork();
	if (child == 0) {
		close(other[A]);
		close(other[B]);
		close(sv[A]);
		CHECK_EQ(receive_right(sv[B], bytes, sizeof(bytes), &right), 3);
		CHECK(right >= 0);
		say(right, "through");
		CHECK_EQ(receive_right(sv[B], bytes, 16, &right), 3);
		CHECK_EQ(right, -1);
		exit(0);
	}
	CHECK_EQ(send_right(sv[A], "descriptor", other[B]), 3);
	hear(other[A], "through");
	CHECK_EQ(write(sv[A], "descriptor", 10), 3);
	int status;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

/* ---- a process that has forbidden itself most system calls ---- */

CASE(sandboxed_calls_are_left_alone)
{
	int sv[2], status;
	char bytes[8];
	pair_open(sv, 0);
	say(sv[A], "x");
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_SECCOMP, 1 /* SECCOMP_MODE_STRICT */);
		bool good = write(sv[B], "yz", 2) == 2 && read(sv[B], bytes, 1) == 1;
		syscall(SYS_exit, good ? 0 : 1);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	hear(sv[A], "yz");
}

/* ---- the same decisions, whoever makes the calls ---- */

static struct {
	pthread_mutex_t lock;
	int sv[2];
	char log[2000];
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Which of 100 calls failed. */
static void log_calls(int fd, bool writes, char *log)
{
	char byte = 'x';
	for (int i = 0; i < 100; i++) {
		ssize_t n = writes ? write(fd, &byte, 1) : read(fd, &byte, 1);
		CHECK(n == 1 || errno == EIO);
		log[i] = n == 1 ? '.' : 'E';
		if (n != 1 && !writes)
			CHECK_EQ(read(fd, &byte, 0), 0);
	}
	log[100] = '\0';
}

static void *log_writes_of_a(void *log) { return log_calls(shared.sv[A], true, log), log; }
static void *log_writes_of_b(void *log) { return log_calls(shared.sv[B], true, log), log; }

static void show(const char *name, const char *log)
{
	dprintf(STDERR_FILENO, "log %s %s\n", name, log);
}

CASE(log_in_one_thread)
{
	char a[128], b[128];
	pair_open(shared.sv, 0);
	log_writes_of_a(a);
	log_writes_of_b(b);
	show("a", a);
	show("b", b);
}

CASE(log_in_two_threads)
{
	char a[128], b[128];
	pthread_t threads[2];
	pair_open(shared.sv, 0);
	CHECK(pthread_create(&threads[0], NULL, log_writes_of_a, a) == 0);
	CHECK(pthread_create(&threads[1], NULL, log_writes_of_b, b) == 0);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	show("a", a);
	show("b", b);
}

CASE(log_in_two_processes)
{
	char a[128], b[128];
	int status;
	pair_open(shared.sv, 0);
	pid_t child = fork();
	if (child == 0) {
		log_writes_of_a(a);
		show("a", a);
		exit(0);
	}
	log_writes_of_b(b);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	show("b", b);
}

/* The child's child is another program: this one, with the end at descriptor 9. */
CASE(log_after_exec)
{
	char a[128], b[128];
	int status;
	pair_open(shared.sv, 0);
	pid_t child = fork();
	if (child == 0) {
		CHECK(dup2(shared.sv[A], 9) == 9);
		execl("/proc/self/exe", "faulty", "log_of_descriptor_9", (char *)NULL);
		exit(1);
	}
	(void)a;
	log_writes_of_b(b);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	show("b", b);
}

CASE(log_of_descriptor_9)
{
	char a[128];
	if (fcntl(9, F_GETFD) < 0)
		return;
	log_calls(9, true, a);
	show("a", a);
}

/* The program's own numbers are what they are without weir. */
CASE(randomness_is_left_alone)
{
	int sv[2];
	char byte;
	pair_open(sv, 0);
	srandom(42);
	srand(42);
	long first = random();
	for (int i = 0; i < 50; i++)
		(void)!(write(sv[A], "x", 1) == 1 && read(sv[B], &byte, 1));
	long second = random();
	srandom(42);
	CHECK_EQ(random(), first);
	CHECK_EQ(random(), second);
}

CHECK_MAIN
