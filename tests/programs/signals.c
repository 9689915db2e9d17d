/* Interrupted calls, and calls made by signal handlers. */
#include "check.h"

#include <sys/epoll.h>
#include <sys/select.h>

static volatile sig_atomic_t alarms;

static void count_alarm(int number)
{
	(void)number;
	alarms++;
}

enum { OFTEN_US = 5000 };

CASE(a_waiting_read_is_interrupted)
{
	char buffer[8];
	int sv[2];
	struct iovec iov = {buffer, 8};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	pair_open(sv, 0);
	on_signal(SIGALRM, count_alarm, 0);
	alarm_every_us(OFTEN_US);
	CHECK_FAILS(read(sv[1], buffer, 8), EINTR);
	CHECK_FAILS(readv(sv[1], &iov, 1), EINTR);
	CHECK_FAILS(recv(sv[1], buffer, 8, 0), EINTR);
	CHECK_FAILS(recv(sv[1], buffer, 8, MSG_PEEK), EINTR);
	CHECK_FAILS(recv(sv[1], buffer, 8, MSG_WAITALL), EINTR);
	CHECK_FAILS(recvmsg(sv[1], &msg, 0), EINTR);
	CHECK_FAILS(syscall(SYS_read, sv[1], buffer, 8), EINTR);
	CHECK(alarms >= 7);
	alarm_every_us(0);
	say(sv[0], "abc");
	hear(sv[1], "abc");
}

/* Behind bytes that it goes over, where SO_PEEK_OFF stands. */
static int peeking_pair(int sv[2], int flags)
{
	char buffer[8];
	pair_open(sv, 0);
	say(sv[0], "abc");
	CHECK(setsockopt(sv[1], SOL_SOCKET, SO_PEEK_OFF, &(int){0}, sizeof(int)) == 0);
	CHECK_EQ(recv(sv[1], buffer, 8, MSG_PEEK), 3);
	on_signal(SIGALRM, count_alarm, flags);
	return sv[1];
}

CASE(a_waiting_peek_is_interrupted)
{
	char buffer[8];
	int sv[2], fd = peeking_pair(sv, 0);
	alarm_every_us(OFTEN_US);
	for (int i = 0; i < 20; i++)
		CHECK_FAILS(recv(fd, buffer, 8, MSG_PEEK), EINTR);
	alarm_every_us(0);
	hear(fd, "abc");
}

CASE(a_waiting_write_is_interrupted)
{
	int sv[2];
	struct iovec iov = {"x", 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	pair_open(sv, 0);
	size_t full = fill(sv[0]);
	on_signal(SIGALRM, count_alarm, 0);
	alarm_every_us(OFTEN_US);
	CHECK_FAILS(write(sv[0], "x", 1), EINTR);
	CHECK_FAILS(writev(sv[0], &iov, 1), EINTR);
	CHECK_FAILS(send(sv[0], "x", 1, 0), EINTR);
	CHECK_FAILS(sendmsg(sv[0], &msg, 0), EINTR);
	CHECK_FAILS(syscall(SYS_write, sv[0], "x", 1), EINTR);
	CHECK(alarms >= 5);
	alarm_every_us(0);
	drain(sv[1], full, 0);
	hear_nothing(sv[1]);
}

struct delayed {
	int fd;
	size_t full;
};

/* Acts after the main thread was surely interrupted a few times. */
static void *write_after_alarms(void *argument)
{
	struct delayed *d = argument;
	while (alarms < 5)
		sleep_ms(1);
	say(d->fd, "abc");
	return NULL;
}

static void *drain_after_alarms(void *argument)
{
	struct delayed *d = argument;
	while (alarms < 5)
		sleep_ms(1);
	drain(d->fd, d->full, 0);
	return NULL;
}

/* Starts a thread to which no signal goes. */
static void start_undisturbed(struct worker *w, void *(*run)(void *), void *argument)
{
	sigset_t all, before;
	sigfillset(&all);
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, &all, &before), 0);
	worker_start(w, run, argument);
	CHECK_EQ(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
}

CASE(a_restarted_read_gets_the_data)
{
	char buffer[8];
	int sv[2];
	struct worker w;
	pair_open(sv, 0);
	on_signal(SIGALRM, count_alarm, SA_RESTART);
	struct delayed d = {.fd = sv[0]};
	start_undisturbed(&w, write_after_alarms, &d);
	alarm_every_us(OFTEN_US);
	CHECK_EQ(read(sv[1], buffer, 8), 3);
	alarm_every_us(0);
	CHECK(alarms >= 5);
	worker_join(&w);
}

CASE(a_restarted_peek_gets_the_data)
{
	char buffer[8];
	int sv[2], fd = peeking_pair(sv, SA_RESTART);
	struct worker w;
	struct delayed d = {.fd = sv[0]};
	start_undisturbed(&w, write_after_alarms, &d);
	alarm_every_us(OFTEN_US);
	CHECK_EQ(recv(fd, buffer, 8, MSG_PEEK), 3);
	alarm_every_us(0);
	worker_join(&w);
}

CASE(a_restarted_write_goes_on)
{
	int sv[2];
	struct worker w;
	pair_open(sv, 0);
	struct delayed d = {.fd = sv[1], .full = fill(sv[0])};
	on_signal(SIGALRM, count_alarm, SA_RESTART);
	start_undisturbed(&w, drain_after_alarms, &d);
	alarm_every_us(OFTEN_US);
	say(sv[0], "abc");
	alarm_every_us(0);
	CHECK(alarms >= 5);
	worker_join(&w);
	hear(sv[1], "abc");
	hear_nothing(sv[1]);
}

/* With a timeout set, a call is not restarted even with SA_RESTART. */
CASE(a_timeout_forbids_the_restart)
{
	char byte;
	int sv[2];
	struct timeval long_time = {15, 0};
	pair_open(sv, 0);
	CHECK(setsockopt(sv[1], SOL_SOCKET, SO_RCVTIMEO, &long_time, sizeof(long_time)) == 0);
	CHECK(setsockopt(sv[0], SOL_SOCKET, SO_SNDTIMEO, &long_time, sizeof(long_time)) == 0);
	on_signal(SIGALRM, count_alarm, SA_RESTART);
	alarm_every_us(OFTEN_US);
	CHECK_FAILS(read(sv[1], &byte, 1), EINTR);
	alarm_every_us(0);
	fill(sv[0]);
	alarm_every_us(OFTEN_US);
	CHECK_FAILS(write(sv[0], "x", 1), EINTR);
	alarm_every_us(0);
}

/* Once bytes have moved, an interruption shows as a short count. */
static void interrupted_in_the_middle(int flags)
{
	enum { SIZE = 8 << 20 };
	static unsigned char bytes[SIZE];
	int sv[2];
	pair_open(sv, 0);
	pattern_make(bytes, SIZE, 0);
	on_signal(SIGALRM, count_alarm, flags);
	alarm_every_us(50000);
	ssize_t sent = write(sv[0], bytes, SIZE);
	alarm_every_us(0);
	CHECK(sent > 0 && sent < SIZE);
	CHECK(alarms >= 1);
	drain(sv[1], (size_t)sent, 0);
	hear_nothing(sv[1]);
}

CASE(a_long_write_returns_its_part) { interrupted_in_the_middle(0); }

CASE(a_long_write_returns_its_part_with_restart) { interrupted_in_the_middle(SA_RESTART); }

enum { WHOLE = 1 << 20 };

struct whole {
	int fd;
	size_t size;
	bool sends;
};

static void *move_whole(void *argument)
{
	static unsigned char bytes[WHOLE];
	struct whole *w = argument;
	ssize_t n = w->sends ? send(w->fd, bytes, w->size, 0)
	                     : recv(w->fd, bytes, w->size, MSG_WAITALL);
	CHECK_EQ(n, (ssize_t)w->size);
	return NULL;
}

/* A call that sleeps, and that a handler with SA_RESTART has begun again before it moved
 * anything. */
static void begin_again(struct worker *w, struct whole *argument)
{
	on_signal(SIGUSR1, count_alarm, SA_RESTART);
	worker_start(w, move_whole, argument);
	wait_until_asleep(w->tid);
	CHECK_EQ(pthread_kill(w->thread, SIGUSR1), 0);
	while (alarms == 0)
		sleep_ms(1);
	wait_until_asleep(w->tid);
}

/* The handler does not count later, when it waits for the rest. */
CASE(a_restarted_receive_waits_for_all)
{
	struct worker w;
	int sv[2];
	pair_open(sv, 0);
	struct whole all = {.fd = sv[1], .size = 6};
	begin_again(&w, &all);
	say(sv[0], "abc");
	wait_until_asleep(w.tid);
	say(sv[0], "def");
	worker_join(&w);
}

CASE(a_restarted_write_sends_all)
{
	struct worker w;
	int sv[2];
	pair_open(sv, 0);
	size_t full = fill(sv[0]);
	struct whole all = {.fd = sv[0], .size = WHOLE, .sends = true};
	begin_again(&w, &all);
	drain(sv[1], full, 0);
	for (size_t got = 0; got < WHOLE;) {
		char bytes[4096];
		ssize_t n = read(sv[1], bytes, sizeof(bytes));
		CHECK(n > 0);
		got += (size_t)n;
	}
	worker_join(&w);
	hear_nothing(sv[1]);
}

/* What there is without waiting comes first, whenever the handler runs. */
CASE(a_handler_ends_no_call_that_need_not_wait)
{
	char byte;
	int sv[2];
	pair_open(sv, 0);
	CHECK_EQ(shutdown(sv[1], SHUT_RD), 0);
	on_signal(SIGALRM, count_alarm, 0);
	alarm_every_us(100);
	while (alarms < 500) {
		CHECK_EQ(recv(sv[1], &byte, 1, 0), 0);
		CHECK_FAILS(send(sv[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	}
	alarm_every_us(0);
}

/* So it is where something is ready that libweir knows nothing of. */
CASE(a_handler_ends_no_poll_that_finds_something)
{
	int sv[2], ready[2];
	pair_open(sv, 0);
	CHECK_EQ(pipe(ready), 0);
	CHECK_EQ(write(ready[1], "x", 1), 1);
	struct pollfd p[] = {{.fd = sv[0], .events = POLLIN}, {.fd = ready[0], .events = POLLIN}};
	int set = epoll_create1(0);
	for (int i = 0; i < 2; i++) {
		struct epoll_event event = {.events = EPOLLIN};
		CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, p[i].fd, &event), 0);
	}
	on_signal(SIGALRM, count_alarm, 0);
	alarm_every_us(100);
	while (alarms < 500) {
		struct epoll_event event;
		fd_set in;
		CHECK_EQ(poll(p, 2, -1), 1);
		FD_ZERO(&in);
		FD_SET(sv[0], &in);
		FD_SET(ready[0], &in);
		CHECK_EQ(select(FD_SETSIZE, &in, NULL, NULL, NULL), 1);
		CHECK_EQ(epoll_wait(set, &event, 1, -1), 1);
	}
	alarm_every_us(0);
}

static void waitall_of_three(const int sv[2], void (*handler)(int), int flags)
{
	char buffer[16];
	on_signal(SIGALRM, handler, flags);
	say(sv[0], "abc");
	alarm_every_us(50000);
	CHECK_EQ(recv(sv[1], buffer, sizeof(buffer), MSG_WAITALL), 3);
	alarm_every_us(0);
	CHECK(memcmp(buffer, "abc", 3) == 0);
}

static void waitall_in_the_middle(int flags)
{
	int sv[2];
	pair_open(sv, 0);
	waitall_of_three(sv, count_alarm, flags);
}

CASE(waitall_returns_its_part) { waitall_in_the_middle(0); }

CASE(waitall_returns_its_part_with_restart) { waitall_in_the_middle(SA_RESTART); }

static int urgent_fd;

static void send_urgent_once(int number)
{
	(void)number;
	if (alarms++ == 0)
		send(urgent_fd, "xyz", 3, MSG_OOB);
}

/* What the handler sends makes the kernel carry, and belongs to the next call all the same. */
static void waitall_ends_before_a_hand_over(int flags)
{
	char buffer[16];
	int sv[2];
	pair_open(sv, 0);
	urgent_fd = sv[0];
	waitall_of_three(sv, send_urgent_once, flags);
	CHECK_EQ(recv(sv[1], buffer, sizeof(buffer), 0), 2);
	CHECK(memcmp(buffer, "xy", 2) == 0);
}

CASE(waitall_ends_where_a_handler_hands_over) { waitall_ends_before_a_hand_over(0); }

CASE(waitall_ends_where_a_handler_hands_over_with_restart)
{
	waitall_ends_before_a_hand_over(SA_RESTART);
}

CASE(polls_are_interrupted)
{
	int sv[2];
	pair_open(sv, 0);
	struct pollfd p = {.fd = sv[1], .events = POLLIN};
	on_signal(SIGALRM, count_alarm, SA_RESTART);
	alarm_every_us(OFTEN_US);
	CHECK_FAILS(poll(&p, 1, -1), EINTR);
	CHECK_FAILS(ppoll(&p, 1, NULL, NULL), EINTR);
	fd_set set;
	FD_ZERO(&set);
	FD_SET(sv[1], &set);
	CHECK_FAILS(select(sv[1] + 1, &set, NULL, NULL, NULL), EINTR);
	CHECK_FAILS(pselect(sv[1] + 1, &set, NULL, NULL, NULL, NULL), EINTR);
	alarm_every_us(0);
}

/* ---- handlers that write to the pair that the interrupted thread uses ---- */

static int bell_fd;
static volatile sig_atomic_t bells, bells_refused, refused_with;

static void ring(int number)
{
	int error = errno;
	(void)number;
	if (write(bell_fd, "h", 1) == 1) {
		bells++;
	} else {
		bells_refused++;
		refused_with = errno;
	}
	errno = error;
}

static void check_no_bell_was_refused(void)
{
	errno = refused_with;
	CHECK_EQ(bells_refused, 0);
}

/* The self-pipe trick: the handler writes, the loop polls and reads. */
CASE(self_pipe)
{
	int sv[2];
	pair_open(sv, SOCK_NONBLOCK);
	bell_fd = sv[0];
	on_signal(SIGALRM, ring, SA_RESTART);
	alarm_every_us(500);
	long heard = 0;
	while (heard < 300) {
		struct pollfd p = {.fd = sv[1], .events = POLLIN};
		char buffer[16];
		if (poll(&p, 1, -1) <= 0) {
			CHECK_EQ(errno, EINTR);
			continue;
		}
		ssize_t n = read(sv[1], buffer, sizeof(buffer));
		CHECK(n > 0);
		heard += n;
	}
	alarm_every_us(0);
	char rest[64];
	ssize_t n = read(sv[1], rest, sizeof(rest));
	heard += n > 0 ? n : 0;
	CHECK_EQ(heard, bells);
	check_no_bell_was_refused();
}

CASE(self_pipe_wakes_a_blocking_read)
{
	int sv[2];
	pair_open(sv, 0);
	bell_fd = sv[0];
	on_signal(SIGALRM, ring, SA_RESTART);
	alarm_every_us(1000);
	for (int i = 0; i < 200; i++)
		hear(sv[1], "h");
	alarm_every_us(0);
}

/* The handler interrupts writes to the very same end, thousands of times: the
 * main thread moves one byte forth and back all the time. */
CASE(a_handler_writes_into_a_write)
{
	enum { SECONDS_MS = 400 };
	int sv[2];
	long mine = 0, theirs = 0, sent = 0;
	struct timespec start, now;
	pair_open(sv, 0);
	bell_fd = sv[0];
	on_signal(SIGALRM, ring, SA_RESTART);
	clock_gettime(CLOCK_MONOTONIC, &start);
	alarm_every_us(100);
	do {
		char buffer[256];
		CHECK_EQ(write(sv[0], "mm", 2), 2);
		sent += 2;
		ssize_t n = read(sv[1], buffer, sizeof(buffer));
		CHECK(n > 0);
		for (ssize_t i = 0; i < n; i++)
			*(buffer[i] == 'm' ? &mine : &theirs) += 1;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < SECONDS_MS);
	alarm_every_us(0);
	char byte;
	while (recv(sv[1], &byte, 1, MSG_DONTWAIT) == 1)
		*(byte == 'm' ? &mine : &theirs) += 1;
	CHECK_EQ(mine, sent);
	CHECK_EQ(theirs, bells);
	check_no_bell_was_refused();
	CHECK(bells > 10);
}

struct tally {
	int fd;
	long mine, theirs;
};

static void *tally_bytes(void *argument)
{
	struct tally *t = argument;
	char buffer[512];
	ssize_t n;
	while ((n = read(t->fd, buffer, sizeof(buffer))) > 0)
		for (ssize_t i = 0; i < n; i++)
			*(buffer[i] == 'm' ? &t->mine : &t->theirs) += 1;
	CHECK_EQ(n, 0);
	return NULL;
}

/* The same with a reader in another thread, and writes that often have to wait. */
CASE(a_handler_writes_into_a_waiting_write)
{
	enum { SIZE = 3000, ROUNDS = 1500 };
	static char bytes[SIZE];
	int sv[2];
	long sent = 0;
	struct worker w;
	pair_open(sv, 0);
	memset(bytes, 'm', sizeof(bytes));
	struct tally t = {.fd = sv[1]};
	start_undisturbed(&w, tally_bytes, &t);
	bell_fd = sv[0];
	on_signal(SIGALRM, ring, SA_RESTART);
	alarm_every_us(100);
	for (int i = 0; i < ROUNDS; i++) {
		ssize_t n = write(sv[0], bytes, SIZE);
		CHECK(n > 0);
		sent += n;
	}
	alarm_every_us(0);
	CHECK(close(sv[0]) == 0);
	worker_join(&w);
	CHECK_EQ(t.mine, sent);
	CHECK_EQ(t.theirs, bells);
	check_no_bell_was_refused();
}

/* A handler on a full, non-blocking end is told so, and nothing is lost. */
static void ring_nonblocking(int number)
{
	int error = errno;
	(void)number;
	if (send(bell_fd, "h", 1, MSG_DONTWAIT) == 1)
		bells++;
	else
		bells_refused++;
	errno = error;
}

CASE(a_handler_meets_a_full_pair)
{
	int sv[2];
	pair_open(sv, 0);
	size_t full = fill(sv[0]);
	bell_fd = sv[0];
	on_signal(SIGALRM, ring_nonblocking, SA_RESTART);
	alarm_every_us(1000);
	while (bells + bells_refused < 20)
		sleep_ms(1);
	alarm_every_us(0);
	CHECK_EQ(bells, 0);
	drain(sv[1], full, 0);
	hear_nothing(sv[1]);
}

static int drain_fd;
static volatile long drained;

static void drain_in_handler(int number)
{
	int error = errno;
	char buffer[64];
	ssize_t n;
	(void)number;
	while ((n = recv(drain_fd, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0)
		drained += n;
	errno = error;
}

/* The handler reads what the interrupted thread reads too. */
CASE(a_handler_reads_into_a_read)
{
	enum { ROUNDS = 30000 };
	int sv[2];
	long heard = 0;
	pair_open(sv, 0);
	drain_fd = sv[1];
	on_signal(SIGALRM, drain_in_handler, SA_RESTART);
	alarm_every_us(100);
	for (int i = 0; i < ROUNDS; i++) {
		char buffer[64];
		say(sv[0], "abcde");
		ssize_t n = recv(sv[1], buffer, sizeof(buffer), MSG_DONTWAIT);
		CHECK(n > 0 || (n == -1 && errno == EAGAIN));
		heard += n > 0 ? n : 0;
	}
	alarm_every_us(0);
	char byte;
	while (recv(sv[1], &byte, 1, MSG_DONTWAIT) == 1)
		heard++;
	CHECK_EQ(heard + drained, ROUNDS * 5L);
}

static int other[2];

/* Uses, opens and closes another pair. */
static void use_another_pair(int number)
{
	int error = errno, sv[2];
	char byte;
	(void)number;
	if (write(other[0], "h", 1) == 1 && read(other[1], &byte, 1) == 1 && byte == 'h')
		bells++;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == 0);
	CHECK(close(sv[0]) == 0 && close(sv[1]) == 0);
	errno = error;
}

CASE(a_handler_uses_another_pair)
{
	pair_open(other, 0);
	on_signal(SIGALRM, use_another_pair, SA_RESTART);
	alarm_every_us(200);
	for (int i = 0; i < 3000; i++) {
		int sv[2];
		pair_open(sv, 0);
		say(sv[0], "abc");
		hear(sv[1], "abc");
		CHECK(close(sv[0]) == 0 && close(sv[1]) == 0);
	}
	alarm_every_us(0);
	CHECK(bells > 0);
}

/* Signals to one thread that reads, data all the while. */
CASE(signals_by_tgkill_while_waiting)
{
	int sv[2];
	struct worker w;
	pair_open(sv, 0);
	on_signal(SIGUSR1, count_alarm, SA_RESTART);
	struct tally t = {.fd = sv[1]};
	worker_start(&w, tally_bytes, &t);
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(pthread_kill(w.thread, SIGUSR1), 0);
		say(sv[0], "m");
	}
	CHECK(close(sv[0]) == 0);
	worker_join(&w);
	CHECK_EQ(t.mine, 100);
	CHECK(alarms > 0);
}

CHECK_MAIN
