/* Several threads on one pair, and threads that are cancelled while they wait. */
#include "check.h"

#include <sys/epoll.h>
#include <sys/select.h>

enum { WORKERS = 4, EACH = 40000 };

struct crowd {
	int fd;
	unsigned char mark;
	long seen[WORKERS];
	long total;
};

static void *write_marks(void *argument)
{
	struct crowd *c = argument;
	unsigned char bytes[97];
	long left = EACH;
	memset(bytes, c->mark, sizeof(bytes));
	while (left > 0) {
		size_t n = 1 + (size_t)left % sizeof(bytes);
		n = n > (size_t)left ? (size_t)left : n;
		ssize_t sent = write(c->fd, bytes, n);
		CHECK(sent > 0);
		left -= sent;
	}
	return NULL;
}

static void *read_marks(void *argument)
{
	struct crowd *c = argument;
	unsigned char bytes[61];
	ssize_t n;
	while ((n = read(c->fd, bytes, sizeof(bytes))) > 0)
		for (ssize_t i = 0; i < n; i++) {
			CHECK(bytes[i] < WORKERS);
			c->seen[bytes[i]]++;
			c->total++;
		}
	CHECK_EQ(n, 0);
	return NULL;
}

/* What several writers write, several readers read: each byte once. */
static void conserve(int writers, int readers)
{
	int sv[2];
	struct worker w[WORKERS], r[WORKERS];
	static struct crowd in[WORKERS], out[WORKERS];
	pair_open(sv, 0);
	for (int i = 0; i < readers; i++) {
		in[i].fd = sv[1];
		worker_start(&r[i], read_marks, &in[i]);
	}
	for (int i = 0; i < writers; i++) {
		out[i].fd = sv[0];
		out[i].mark = (unsigned char)i;
		worker_start(&w[i], write_marks, &out[i]);
	}
	for (int i = 0; i < writers; i++)
		worker_join(&w[i]);
	CHECK(shutdown(sv[0], SHUT_WR) == 0);
	for (int i = 0; i < readers; i++)
		worker_join(&r[i]);
	for (int mark = 0; mark < writers; mark++) {
		long seen = 0;
		for (int i = 0; i < readers; i++)
			seen += in[i].seen[mark];
		CHECK_EQ(seen, EACH);
	}
}

CASE(one_writer_one_reader) { conserve(1, 1); }

CASE(several_writers_one_reader) { conserve(WORKERS, 1); }

CASE(one_writer_several_readers) { conserve(1, WORKERS); }

CASE(several_writers_several_readers) { conserve(WORKERS, WORKERS); }

struct echo {
	int fd;
	int rounds;
};

static void *echo_bytes(void *argument)
{
	struct echo *e = argument;
	for (int i = 0; i < e->rounds; i++) {
		char byte;
		CHECK_EQ(read(e->fd, &byte, 1), 1);
		byte++;
		CHECK_EQ(write(e->fd, &byte, 1), 1);
	}
	return NULL;
}

CASE(ping_pong)
{
	int sv[2];
	struct worker w;
	pair_open(sv, 0);
	struct echo e = {sv[1], 2000};
	worker_start(&w, echo_bytes, &e);
	for (int i = 0; i < e.rounds; i++) {
		char byte = (char)i, reply;
		CHECK_EQ(write(sv[0], &byte, 1), 1);
		CHECK_EQ(read(sv[0], &reply, 1), 1);
		CHECK_EQ(reply, (char)(byte + 1));
	}
	worker_join(&w);
}

/* Many waiting readers: each message wakes one, the end wakes all. */
static void *count_messages(void *argument)
{
	int fd = *(int *)argument;
	long messages = 0;
	char byte;
	while (read(fd, &byte, 1) == 1)
		messages++;
	return (void *)messages;
}

CASE(the_end_wakes_every_reader)
{
	int sv[2];
	struct worker w[WORKERS];
	long messages = 0;
	pair_open(sv, 0);
	for (int i = 0; i < WORKERS; i++)
		worker_start(&w[i], count_messages, &sv[1]);
	for (int i = 0; i < 300; i++)
		say(sv[0], "x");
	CHECK(close(sv[0]) == 0);
	for (int i = 0; i < WORKERS; i++)
		messages += (long)worker_join(&w[i]);
	CHECK_EQ(messages, 300);
}

static void *write_a_byte(void *argument)
{
	say(*(int *)argument, "w");
	return NULL;
}

CASE(room_wakes_every_writer)
{
	int sv[2];
	struct worker w[WORKERS];
	pair_open(sv, 0);
	size_t full = fill(sv[0]);
	for (int i = 0; i < WORKERS; i++)
		worker_start(&w[i], write_a_byte, &sv[0]);
	wait_until_asleep(w[WORKERS - 1].tid);
	drain(sv[1], full, 0);
	hear(sv[1], "wwww");
	for (int i = 0; i < WORKERS; i++)
		worker_join(&w[i]);
	hear_nothing(sv[1]);
}

static void *open_and_close(void *argument)
{
	(void)argument;
	for (int i = 0; i < 1000; i++) {
		int sv[2];
		pair_open(sv, 0);
		say(sv[0], "abc");
		hear(sv[1], "abc");
		CHECK(close(sv[0]) == 0 && close(sv[1]) == 0);
	}
	return NULL;
}

CASE(pairs_opened_and_closed_in_threads)
{
	struct worker w[WORKERS];
	for (int i = 0; i < WORKERS; i++)
		worker_start(&w[i], open_and_close, NULL);
	for (int i = 0; i < WORKERS; i++)
		worker_join(&w[i]);
}

/* ---- cancellation ---- */

static int cancelled_pair[2];
static int cleaned;

static void clean(void *argument)
{
	(void)argument;
	cleaned++;
}

static void *wait_in(void (*call)(void))
{
	pthread_cleanup_push(clean, NULL);
	call();
	pthread_cleanup_pop(0);
	return NULL;
}

static void call_read(void)
{
	char byte;
	(void)!read(cancelled_pair[1], &byte, 1);
}

static void call_recv(void)
{
	char byte;
	recv(cancelled_pair[1], &byte, 1, 0);
}

static void call_recvmsg(void)
{
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	recvmsg(cancelled_pair[1], &msg, MSG_WAITALL);
}

static void call_readv(void)
{
	char byte;
	struct iovec iov = {&byte, 1};
	(void)!readv(cancelled_pair[1], &iov, 1);
}

static void call_write(void)
{
	(void)!write(cancelled_pair[0], "x", 1);
}

static void call_send(void)
{
	send(cancelled_pair[0], "x", 1, MSG_NOSIGNAL);
}

static void call_poll(void)
{
	struct pollfd p = {.fd = cancelled_pair[1], .events = POLLIN};
	poll(&p, 1, -1);
}

static void call_ppoll(void)
{
	struct pollfd p = {.fd = cancelled_pair[1], .events = POLLIN};
	ppoll(&p, 1, NULL, NULL);
}

static void call_select(void)
{
	fd_set set;
	FD_ZERO(&set);
	FD_SET(cancelled_pair[1], &set);
	select(cancelled_pair[1] + 1, &set, NULL, NULL, NULL);
}

static void call_epoll(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int ep = epoll_create1(0);
	epoll_ctl(ep, EPOLL_CTL_ADD, cancelled_pair[1], &event);
	epoll_wait(ep, &event, 1, -1);
}

static void *cancelled_thread(void *argument)
{
	void (*call)(void);
	memcpy(&call, &argument, sizeof(call));
	return wait_in(call);
}

/* The thread ends, its cleanup runs, and the pair still works for everybody else. */
static void cancels(void (*call)(void), bool full)
{
	struct worker w;
	void *argument;
	size_t filled = 0;
	memcpy(&argument, &call, sizeof(argument));
	pair_open(cancelled_pair, 0);
	for (int round = 1; round <= 3; round++) {
		if (full)
			filled = fill(cancelled_pair[0]);
		worker_start(&w, cancelled_thread, argument);
		if (round > 1)
			wait_until_asleep(w.tid);
		CHECK_EQ(pthread_cancel(w.thread), 0);
		CHECK(worker_join(&w) == PTHREAD_CANCELED);
		CHECK_EQ(cleaned, round);
		drain(cancelled_pair[1], filled, 0);
		say(cancelled_pair[0], "abc");
		hear(cancelled_pair[1], "abc");
		hear_nothing(cancelled_pair[1]);
	}
	say(cancelled_pair[1], "def");
	hear(cancelled_pair[0], "def");
}

CASE(cancel_in_read) { cancels(call_read, false); }

CASE(cancel_in_readv) { cancels(call_readv, false); }

CASE(cancel_in_recv) { cancels(call_recv, false); }

CASE(cancel_in_recvmsg) { cancels(call_recvmsg, false); }

CASE(cancel_in_write) { cancels(call_write, true); }

CASE(cancel_in_send) { cancels(call_send, true); }

CASE(cancel_in_poll) { cancels(call_poll, false); }

CASE(cancel_in_ppoll) { cancels(call_ppoll, false); }

CASE(cancel_in_select) { cancels(call_select, false); }

CASE(cancel_in_epoll_wait) { cancels(call_epoll, false); }

static void *cancel_oneself_and_read(void *argument)
{
	char byte;
	pthread_cancel(pthread_self());
	(void)!read(*(int *)argument, &byte, 1);
	return NULL;
}

static void *cancel_oneself_and_write(void *argument)
{
	pthread_cancel(pthread_self());
	(void)!write(*(int *)argument, "x", 1);
	return NULL;
}

/* A pending cancellation acts even when the call need not wait, and moves nothing. */
CASE(pending_cancellation)
{
	int sv[2];
	struct worker w;
	pair_open(sv, 0);
	say(sv[0], "abc");
	worker_start(&w, cancel_oneself_and_read, &sv[1]);
	CHECK(worker_join(&w) == PTHREAD_CANCELED);
	hear(sv[1], "abc");
	worker_start(&w, cancel_oneself_and_write, &sv[0]);
	CHECK(worker_join(&w) == PTHREAD_CANCELED);
	hear_nothing(sv[1]);
}

static int ending_pair[2];

static void end_well(void *argument)
{
	(void)argument;
	_exit(recv(ending_pair[1], (char[4]){0}, 4, MSG_DONTWAIT) == 3 ? 0 : 1);
}

/* The same of a process's only thread, whose transfers have nothing else to do. */
CASE(pending_cancellation_of_the_only_thread)
{
	char byte;
	pair_open(ending_pair, 0);
	for (int i = 0; i < 100; i++) {
		say(ending_pair[0], "a");
		hear(ending_pair[1], "a");
	}
	say(ending_pair[0], "abc");
	pid_t child = child_start();
	if (child == 0) {
		pthread_cleanup_push(end_well, NULL);
		pthread_cancel(pthread_self());
		(void)!read(ending_pair[1], &byte, 1);
		pthread_cleanup_pop(0);
		_exit(2);
	}
	child_join(child);
}

/* Asked before it forked, a thread ends in the child, which is that alone. */
CASE(pending_cancellation_in_a_child)
{
	pair_open(ending_pair, 0);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	pthread_cancel(pthread_self());
	pid_t child = child_start();
	if (child == 0) {
		pthread_cleanup_push(end_well, NULL);
		for (int i = 0; i < 100; i++) {
			say(ending_pair[0], "a");
			hear(ending_pair[1], "a");
		}
		say(ending_pair[0], "abc");
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
		(void)!write(ending_pair[0], "d", 1);
		pthread_cleanup_pop(0);
		_exit(2);
	}
	child_join(child);
}

static void *read_uncancellable(void *argument)
{
	char byte;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	ssize_t n = read(*(int *)argument, &byte, 1);
	return (void *)(n == 1 ? 1L : 0L);
}

CASE(disabled_cancellation)
{
	int sv[2];
	struct worker w;
	pair_open(sv, 0);
	worker_start(&w, read_uncancellable, &sv[1]);
	wait_until_asleep(w.tid);
	CHECK_EQ(pthread_cancel(w.thread), 0);
	say(sv[0], "x");
	CHECK(worker_join(&w) == (void *)1L);
}

static void *write_for_ever(void *argument)
{
	static char bytes[5000];
	for (;;)
		CHECK(write(*(int *)argument, bytes, sizeof(bytes)) > 0);
	return NULL;
}

/* Cancelled at any point of a stream of writes: no lock stays behind. */
CASE(cancel_in_a_stream)
{
	for (int round = 0; round < 30; round++) {
		int sv[2];
		char buffer[4096];
		struct worker w;
		pair_open(sv, 0);
		worker_start(&w, write_for_ever, &sv[0]);
		for (int i = 0; i < round * 10; i++)
			CHECK(read(sv[1], buffer, sizeof(buffer)) > 0);
		CHECK_EQ(pthread_cancel(w.thread), 0);
		while (pthread_tryjoin_np(w.thread, NULL) == EBUSY)
			(void)!recv(sv[1], buffer, sizeof(buffer), MSG_DONTWAIT);
		while (recv(sv[1], buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
			;
		say(sv[0], "abc");
		hear(sv[1], "abc");
		CHECK(close(sv[0]) == 0 && close(sv[1]) == 0);
	}
}

static void *exit_thread_with_data(void *argument)
{
	say(*(int *)argument, "from a thread that ended");
	return NULL;
}

CASE(a_thread_may_end_after_writing)
{
	int sv[2];
	struct worker w;
	pair_open(sv, 0);
	worker_start(&w, exit_thread_with_data, &sv[0]);
	worker_join(&w);
	hear(sv[1], "from a thread that ended");
}

CHECK_MAIN
