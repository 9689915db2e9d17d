/* epoll in all its modes agrees with what reading and writing would do. */
#include "check.h"

#include <sys/epoll.h>

enum { SOON_MS = 19000 };

static int ep_new(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC);
	CHECK(ep >= 0);
	return ep;
}

static void ep_ctl(int ep, int operation, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};
	CHECK(epoll_ctl(ep, operation, fd, &event) == 0);
}

static void ep_add(int ep, int fd, uint32_t events)
{
	ep_ctl(ep, EPOLL_CTL_ADD, fd, events);
}

/* The events of the one descriptor in the set, 0 when none came in time. */
static uint32_t ep_wait(int ep, int timeout_ms)
{
	struct epoll_event event;
	int n = epoll_wait(ep, &event, 1, timeout_ms);
	CHECK(n == 0 || n == 1);
	return n ? event.events : 0;
}

CASE(level_follows_the_data)
{
	int sv[2], ep = ep_new();
	pair_open(sv, 0);
	ep_add(ep, sv[1], EPOLLIN);
	CHECK_EQ(ep_wait(ep, 0), 0);
	for (int i = 0; i < 50; i++) {
		say(sv[0], "abc");
		CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN);
		CHECK_EQ(ep_wait(ep, 0), EPOLLIN);
		hear(sv[1], "ab");
		CHECK_EQ(ep_wait(ep, 0), EPOLLIN);
		hear(sv[1], "c");
		CHECK_EQ(ep_wait(ep, 0), 0);
	}
}

CASE(data_before_registration)
{
	int sv[2], ep = ep_new();
	pair_open(sv, 0);
	say(sv[0], "abc");
	ep_add(ep, sv[1], EPOLLIN);
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN);
	hear(sv[1], "abc");
	CHECK_EQ(ep_wait(ep, 0), 0);
}

CASE(data_before_edge_registration)
{
	int sv[2], ep = ep_new();
	pair_open(sv, SOCK_NONBLOCK);
	say(sv[0], "abc");
	ep_add(ep, sv[1], EPOLLIN | EPOLLET);
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN);
	CHECK_EQ(ep_wait(ep, 0), 0);
	hear(sv[1], "abc");
	hear_nothing(sv[1]);
	say(sv[0], "d");
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN);
}

/* Registered when all was read: whatever is left of it must not show. */
CASE(registration_after_all_was_read)
{
	int sv[2];
	pair_open(sv, 0);
	for (int i = 0; i < 20; i++) {
		int level = ep_new(), edge = ep_new();
		say(sv[0], "abc");
		hear(sv[1], "abc");
		ep_add(level, sv[1], EPOLLIN);
		ep_add(edge, sv[1], EPOLLIN | EPOLLET);
		CHECK_EQ(ep_wait(level, 0), 0);
		CHECK_EQ(ep_wait(edge, 0), 0);
		CHECK(close(level) == 0 && close(edge) == 0);
	}
}

CASE(every_write_is_an_edge)
{
	int sv[2], ep = ep_new();
	pair_open(sv, SOCK_NONBLOCK);
	ep_add(ep, sv[1], EPOLLIN | EPOLLET);
	for (int i = 0; i < 50; i++) {
		say(sv[0], "abc");
		if (ep_wait(ep, 10000) != EPOLLIN)
			check_fail(__FILE__, __LINE__, "no edge for write number %d", i + 1);
		CHECK_EQ(ep_wait(ep, 0), 0);
	}
	for (int i = 0; i < 50; i++)
		hear(sv[1], "abc");
	hear_nothing(sv[1]);
	CHECK_EQ(ep_wait(ep, 0), 0);
}

CASE(reading_a_part_is_no_edge)
{
	int sv[2], ep = ep_new();
	pair_open(sv, SOCK_NONBLOCK);
	ep_add(ep, sv[1], EPOLLIN | EPOLLET);
	say(sv[0], "abcdef");
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN);
	hear(sv[1], "ab");
	CHECK_EQ(ep_wait(ep, 0), 0);
	hear(sv[1], "cdef");
	CHECK_EQ(ep_wait(ep, 0), 0);
}

CASE(oneshot_fires_once)
{
	int sv[2], ep = ep_new();
	pair_open(sv, 0);
	ep_add(ep, sv[1], EPOLLIN | EPOLLONESHOT);
	say(sv[0], "abc");
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN);
	say(sv[0], "def");
	CHECK_EQ(ep_wait(ep, 0), 0);
	ep_ctl(ep, EPOLL_CTL_MOD, sv[1], EPOLLIN | EPOLLONESHOT);
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN);
	hear(sv[1], "abcdef");
	ep_ctl(ep, EPOLL_CTL_MOD, sv[1], EPOLLIN | EPOLLONESHOT);
	CHECK_EQ(ep_wait(ep, 0), 0);
	say(sv[0], "g");
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN);
}

CASE(oneshot_with_edges)
{
	int sv[2], ep = ep_new();
	pair_open(sv, SOCK_NONBLOCK);
	ep_add(ep, sv[1], EPOLLIN | EPOLLET | EPOLLONESHOT);
	for (int i = 0; i < 20; i++) {
		say(sv[0], "abc");
		CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN);
		say(sv[0], "def");
		CHECK_EQ(ep_wait(ep, 0), 0);
		hear(sv[1], "abcdef");
		hear_nothing(sv[1]);
		ep_ctl(ep, EPOLL_CTL_MOD, sv[1], EPOLLIN | EPOLLET | EPOLLONESHOT);
		CHECK_EQ(ep_wait(ep, 0), 0);
	}
}

CASE(modification_shows_the_present)
{
	int sv[2], ep = ep_new();
	pair_open(sv, SOCK_NONBLOCK);
	ep_add(ep, sv[1], EPOLLIN | EPOLLET);
	say(sv[0], "abc");
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN);
	CHECK_EQ(ep_wait(ep, 0), 0);
	ep_ctl(ep, EPOLL_CTL_MOD, sv[1], EPOLLIN | EPOLLET);
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN);
	ep_ctl(ep, EPOLL_CTL_MOD, sv[1], EPOLLIN | EPOLLOUT);
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN | EPOLLOUT);
	hear(sv[1], "abc");
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLOUT);
	ep_ctl(ep, EPOLL_CTL_MOD, sv[1], EPOLLIN);
	CHECK_EQ(ep_wait(ep, 0), 0);
}

CASE(level_follows_the_room)
{
	int sv[2], ep = ep_new();
	pair_open(sv, 0);
	ep_add(ep, sv[0], EPOLLOUT);
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLOUT);
		size_t full = fill(sv[0]);
		CHECK_EQ(ep_wait(ep, 0), 0);
		drain(sv[1], full, 0);
		CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLOUT);
	}
}

CASE(full_before_registration)
{
	int sv[2], ep = ep_new();
	pair_open(sv, 0);
	size_t full = fill(sv[0]);
	ep_add(ep, sv[0], EPOLLOUT);
	CHECK_EQ(ep_wait(ep, 0), 0);
	drain(sv[1], full, 0);
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLOUT);
}

CASE(room_is_an_edge)
{
	int sv[2], ep = ep_new();
	pair_open(sv, SOCK_NONBLOCK);
	ep_add(ep, sv[0], EPOLLOUT | EPOLLET);
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLOUT);
	CHECK_EQ(ep_wait(ep, 0), 0);
	for (int i = 0; i < 5; i++) {
		size_t full = fill(sv[0]);
		CHECK_EQ(ep_wait(ep, 0), 0);
		drain(sv[1], full, 0);
		CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLOUT);
	}
}

/* Both interests with edges, as event loops register them. */
CASE(edges_of_both_kinds)
{
	int sv[2], ep = ep_new();
	pair_open(sv, SOCK_NONBLOCK);
	ep_add(ep, sv[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLOUT);
	CHECK_EQ(ep_wait(ep, 0), 0);
	say(sv[1], "abc");
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN | EPOLLOUT);
	hear(sv[0], "abc");
	hear_nothing(sv[0]);
	size_t full = fill(sv[0]);
	say(sv[1], "abc");
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN);
	hear(sv[0], "abc");
	hear_nothing(sv[0]);
	drain(sv[1], full, 0);
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLOUT);
	CHECK(close(sv[1]) == 0);
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
	CHECK_EQ(ep_wait(ep, 0), 0);
}

CASE(the_end_is_reported)
{
	int sv[2], ep = ep_new();
	pair_open(sv, 0);
	ep_add(ep, sv[1], EPOLLIN | EPOLLRDHUP);
	CHECK(shutdown(sv[0], SHUT_WR) == 0);
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN | EPOLLRDHUP);
	hear_end(sv[1]);
	CHECK(close(sv[0]) == 0);
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN | EPOLLRDHUP | EPOLLHUP);
}

CASE(a_reset_is_reported)
{
	int sv[2], ep = ep_new();
	char byte;
	pair_open(sv, 0);
	ep_add(ep, sv[1], EPOLLIN);
	say(sv[1], "never read");
	CHECK(close(sv[0]) == 0);
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN | EPOLLERR | EPOLLHUP);
	CHECK_FAILS(read(sv[1], &byte, 1), ECONNRESET);
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN | EPOLLHUP);
}

CASE(nested_sets)
{
	int sv[2], inner = ep_new(), outer = ep_new();
	pair_open(sv, 0);
	ep_add(inner, sv[1], EPOLLIN);
	ep_add(outer, inner, EPOLLIN);
	CHECK_EQ(ep_wait(outer, 0), 0);
	for (int i = 0; i < 10; i++) {
		say(sv[0], "abc");
		CHECK_EQ(ep_wait(outer, SOON_MS), EPOLLIN);
		CHECK_EQ(ep_wait(inner, SOON_MS), EPOLLIN);
		hear(sv[1], "abc");
		CHECK_EQ(ep_wait(inner, 0), 0);
		CHECK_EQ(ep_wait(outer, 0), 0);
	}
}

CASE(polling_a_set)
{
	int sv[2], ep = ep_new();
	pair_open(sv, 0);
	ep_add(ep, sv[1], EPOLLIN);
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(readiness(ep) & POLLIN, 0);
		say(sv[0], "abc");
		CHECK_EQ(readiness(ep) & POLLIN, POLLIN);
		hear(sv[1], "abc");
	}
	CHECK_EQ(readiness(ep) & POLLIN, 0);
}

CASE(removal)
{
	int sv[2], ep = ep_new();
	pair_open(sv, 0);
	ep_add(ep, sv[1], EPOLLIN);
	say(sv[0], "abc");
	ep_ctl(ep, EPOLL_CTL_DEL, sv[1], 0);
	CHECK_EQ(ep_wait(ep, 0), 0);
	ep_add(ep, sv[1], EPOLLIN);
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN);
	CHECK(close(sv[1]) == 0);
	CHECK_EQ(ep_wait(ep, 0), 0);
}

CASE(ctl_errors)
{
	int sv[2], ep = ep_new();
	struct epoll_event event = {.events = EPOLLIN};
	pair_open(sv, 0);
	ep_add(ep, sv[1], EPOLLIN);
	CHECK_FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, sv[1], &event), EEXIST);
	CHECK_FAILS(epoll_ctl(ep, EPOLL_CTL_MOD, sv[0], &event), ENOENT);
	CHECK_FAILS(epoll_ctl(ep, EPOLL_CTL_DEL, sv[0], NULL), ENOENT);
	CHECK_FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, sv[0], opaque(NULL)), EFAULT);
	CHECK_FAILS(epoll_ctl(sv[0], EPOLL_CTL_ADD, sv[1], &event), EINVAL);
	CHECK_FAILS(epoll_ctl(-1, EPOLL_CTL_ADD, sv[1], &event), EBADF);
	CHECK_FAILS(epoll_ctl(ep, 99, sv[1], &event), EINVAL);
	CHECK(close(sv[0]) == 0);
	CHECK_FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, sv[0], &event), EBADF);
}

static int late_fd;

static void *write_late(void *argument)
{
	(void)argument;
	sleep_ms(20);
	say(late_fd, "late");
	return NULL;
}

/* A wait that began before the data, in all three calls. */
CASE(waiting_wakes)
{
	int sv[2], ep = ep_new();
	struct worker w;
	struct epoll_event event;
	struct timespec time = {19, 0};
	pair_open(sv, 0);
	ep_add(ep, sv[1], EPOLLIN);
	late_fd = sv[0];
	for (int i = 0; i < 3; i++) {
		worker_start(&w, write_late, NULL);
		int n = i == 0 ? epoll_wait(ep, &event, 1, SOON_MS)
		        : i == 1 ? epoll_pwait(ep, &event, 1, SOON_MS, NULL)
		                 : epoll_pwait2(ep, &event, 1, &time, NULL);
		CHECK_EQ(n, 1);
		worker_join(&w);
		hear(sv[1], "late");
	}
}

/* The read that follows an event never waits, though the end blocks. */
CASE(level_events_and_blocking_reads)
{
	int sv[2], ep = ep_new();
	pair_open(sv, 0);
	ep_add(ep, sv[1], EPOLLIN);
	pid_t pid = child_start();
	if (pid == 0) {
		for (int i = 0; i < 3000; i++)
			CHECK_EQ(write(sv[0], "abcdefg", (size_t)(1 + i % 7)), 1 + i % 7);
		CHECK(shutdown(sv[0], SHUT_WR) == 0);
		_exit(0);
	}
	long total = 0;
	ssize_t n;
	do {
		char buffer[5];
		CHECK(ep_wait(ep, SOON_MS) & EPOLLIN);
		n = recv(sv[1], buffer, sizeof(buffer), MSG_DONTWAIT);
		CHECK(n >= 0);
		total += n;
	} while (n > 0);
	child_join(pid);
	CHECK_EQ(total, 11994);
}

/* A loop with edges that reads until EAGAIN misses nothing. */
CASE(an_edge_loop_gets_everything)
{
	enum { TOTAL = 500000 };
	int sv[2], ep = ep_new();
	pair_open(sv, SOCK_NONBLOCK);
	ep_add(ep, sv[1], EPOLLIN | EPOLLET);
	pid_t pid = child_start();
	if (pid == 0) {
		int out = ep_new();
		unsigned char bytes[3001];
		ep_add(out, sv[0], EPOLLOUT | EPOLLET);
		for (size_t sent = 0; sent < TOTAL;) {
			size_t n = TOTAL - sent < sizeof(bytes) ? TOTAL - sent : sizeof(bytes);
			pattern_make(bytes, n, sent);
			ssize_t moved = write(sv[0], bytes, n);
			if (moved > 0) {
				sent += (size_t)moved;
				continue;
			}
			CHECK_EQ(errno, EAGAIN);
			CHECK_EQ(ep_wait(out, SOON_MS), EPOLLOUT);
		}
		_exit(0);
	}
	for (size_t total = 0; total < TOTAL;) {
		unsigned char bytes[1999];
		ssize_t n = read(sv[1], bytes, sizeof(bytes));
		if (n > 0) {
			pattern_check(bytes, (size_t)n, total);
			total += (size_t)n;
			continue;
		}
		CHECK(n == -1 && errno == EAGAIN);
		CHECK(ep_wait(ep, SOON_MS) & EPOLLIN);
	}
	child_join(pid);
}

/* Two event loops in one process, each with an end, edges everywhere, echoing. */
CASE(an_echo_between_edge_loops)
{
	int sv[2], a = ep_new(), b = ep_new();
	char byte;
	pair_open(sv, SOCK_NONBLOCK);
	ep_add(a, sv[0], EPOLLIN | EPOLLET);
	ep_add(b, sv[1], EPOLLIN | EPOLLET);
	for (int i = 0; i < 1000; i++) {
		say(sv[0], "x");
		CHECK_EQ(ep_wait(b, SOON_MS), EPOLLIN);
		hear(sv[1], "x");
		CHECK_FAILS(read(sv[1], &byte, 1), EAGAIN);
		say(sv[1], "y");
		CHECK_EQ(ep_wait(a, SOON_MS), EPOLLIN);
		hear(sv[0], "y");
		CHECK_FAILS(read(sv[0], &byte, 1), EAGAIN);
	}
}

/* An event loop that reads less than there is, level: it is told again each time. */
CASE(level_tells_again)
{
	int sv[2], ep = ep_new();
	pair_open(sv, 0);
	ep_add(ep, sv[1], EPOLLIN);
	say(sv[0], "abcdefghij");
	for (int i = 0; i < 10; i++) {
		char byte;
		CHECK_EQ(ep_wait(ep, 0), EPOLLIN);
		CHECK_EQ(read(sv[1], &byte, 1), 1);
	}
	CHECK_EQ(ep_wait(ep, 0), 0);
}

CASE(registered_through_a_duplicate)
{
	int sv[2], ep = ep_new();
	pair_open(sv, 0);
	int other = dup(sv[1]);
	ep_add(ep, other, EPOLLIN);
	say(sv[0], "abc");
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN);
	hear(sv[1], "abc");
	CHECK_EQ(ep_wait(ep, 0), 0);
	/* The registration lives as long as the socket does. */
	CHECK(close(other) == 0);
	say(sv[0], "def");
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN);
	hear(sv[1], "def");
	CHECK_EQ(ep_wait(ep, 0), 0);
}

/* Registered before the fork, data moved by the child. */
CASE(registered_before_a_fork)
{
	int sv[2], ep = ep_new();
	pair_open(sv, 0);
	ep_add(ep, sv[1], EPOLLIN);
	pid_t pid = child_start();
	if (pid == 0) {
		say(sv[0], "abc");
		_exit(0);
	}
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN);
	child_join(pid);
	hear(sv[1], "abc");
	CHECK_EQ(ep_wait(ep, 0), 0);
	pid = child_start();
	if (pid == 0) {
		say(sv[0], "def");
		hear(sv[1], "def");
		_exit(0);
	}
	child_join(pid);
	CHECK_EQ(ep_wait(ep, 0), 0);
}

/* Registered by the child: the parent's transfers keep the kernel right. */
CASE(registered_after_a_fork)
{
	int sv[2], go[2];
	pair_open(sv, 0);
	CHECK(pipe(go) == 0);
	pid_t pid = child_start();
	if (pid == 0) {
		int ep = ep_new();
		ep_add(ep, sv[1], EPOLLIN);
		CHECK_EQ(ep_wait(ep, 0), 0);
		say(go[1], "1");
		CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN);
		hear(sv[1], "abc");
		CHECK_EQ(ep_wait(ep, 0), 0);
		_exit(0);
	}
	hear(go[0], "1");
	say(sv[0], "abc");
	child_join(pid);
}

CASE(exclusive_registration)
{
	int sv[2], ep = ep_new();
	pair_open(sv, 0);
	ep_add(ep, sv[1], EPOLLIN | EPOLLEXCLUSIVE);
	say(sv[0], "abc");
	CHECK_EQ(ep_wait(ep, SOON_MS), EPOLLIN);
	hear(sv[1], "abc");
	CHECK_EQ(ep_wait(ep, 0), 0);
}

CHECK_MAIN
