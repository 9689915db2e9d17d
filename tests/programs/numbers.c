/* syscall(2): the calls that weir knows by name, by their numbers. */
#include "check.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/un.h>

static void pair_by_number(int sv[2])
{
	CHECK_EQ(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, sv), 0);
}

CASE(a_pair_and_its_end)
{
	int sv[2];
	pair_by_number(sv);
	say(sv[0], "some bytes");
	CHECK_EQ(syscall(SYS_shutdown, sv[0], SHUT_WR), 0);
	hear(sv[1], "some bytes");
	hear_end(sv[1]);
	CHECK_FAILS(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 2, sv), EPROTONOSUPPORT);
}

CASE(options)
{
	int sv[2], value = 3;
	socklen_t len = sizeof(value);
	pair_by_number(sv);
	CHECK_EQ(syscall(SYS_setsockopt, sv[1], SOL_SOCKET, SO_RCVLOWAT, &value, len), 0);
	value = 0;
	CHECK_EQ(syscall(SYS_getsockopt, sv[1], SOL_SOCKET, SO_RCVLOWAT, &value, &len), 0);
	CHECK_EQ(value, 3);
	CHECK_EQ(syscall(SYS_getsockopt, sv[1], SOL_SOCKET, SO_TYPE, &value, &len), 0);
	CHECK_EQ(value, SOCK_STREAM);
	CHECK_FAILS(syscall(SYS_setsockopt, sv[1], SOL_SOCKET, SO_RCVLOWAT, &value, 1), EINVAL);
}

CASE(readiness)
{
	struct timespec never = {0, 0};
	struct timeval never_us = {0, 0};
	struct epoll_event event = {.events = EPOLLIN};
	struct pollfd p;
	fd_set set;
	int sv[2];
	pair_by_number(sv);
	int epoll = epoll_create1(0);
	p = (struct pollfd){.fd = sv[1], .events = POLLIN};
	CHECK_EQ(syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, sv[1], &event), 0);
	CHECK_EQ(syscall(SYS_ppoll, &p, 1, &never, NULL, 8), 0);
	CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
	say(sv[0], "x");
	CHECK_EQ(syscall(SYS_ppoll, &p, 1, &never, NULL, 8), 1);
	CHECK_EQ(p.revents, POLLIN);
	FD_ZERO(&set);
	FD_SET(sv[1], &set);
	CHECK_EQ(syscall(SYS_select, sv[1] + 1, &set, NULL, NULL, &never_us), 1);
	CHECK(FD_ISSET(sv[1], &set));
	CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 1);
	hear(sv[1], "x");
	FD_SET(sv[1], &set);
	CHECK_EQ(syscall(SYS_select, sv[1] + 1, &set, NULL, NULL, &never_us), 0);
	CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
}

CASE(splice_moves_bytes)
{
	int sv[2], pipes[2];
	pair_by_number(sv);
	CHECK_EQ(pipe(pipes), 0);
	say(sv[0], "through a pipe");
	CHECK_EQ(syscall(SYS_splice, sv[1], NULL, pipes[1], NULL, 100, 0), 14);
	CHECK_EQ(syscall(SYS_splice, pipes[0], NULL, sv[1], NULL, 100, 0), 14);
	hear(sv[0], "through a pipe");
	CHECK_EQ(fcntl(sv[1], F_SETFL, O_NONBLOCK), 0);
	CHECK_FAILS(syscall(SYS_splice, sv[1], NULL, pipes[1], NULL, 100, 0), EAGAIN);
}

CASE(a_child)
{
	struct rusage usage;
	int sv[2], status;
	pair_by_number(sv);
	long pid = syscall(SYS_fork);
	CHECK(pid >= 0);
	if (pid == 0) {
		say(sv[1], "from the child");
		hear(sv[1], "to the child");
		syscall(SYS_exit_group, 7);
	}
	CHECK_EQ(close(sv[1]), 0);
	hear(sv[0], "from the child");
	say(sv[0], "to the child");
	CHECK_EQ(syscall(SYS_wait4, pid, &status, 0, &usage), pid);
	CHECK_EQ(status, 7 << 8);
	hear_end(sv[0]);
	CHECK_FAILS(syscall(SYS_wait4, pid, &status, 0, &usage), ECHILD);
}

CASE(limits_and_namespaces)
{
	struct rlimit limit, other;
	int sv[2];
	pair_by_number(sv);
	CHECK_EQ(syscall(SYS_getrlimit, RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 200;
	CHECK_EQ(syscall(SYS_setrlimit, RLIMIT_NOFILE, &limit), 0);
	CHECK_EQ(syscall(SYS_getrlimit, RLIMIT_NOFILE, &other), 0);
	CHECK_EQ(other.rlim_cur, 200);
	CHECK_EQ(syscall(SYS_unshare, 0), 0);
	CHECK_FAILS(syscall(SYS_setns, -1, 0), EBADF);
	say(sv[0], "still");
	hear(sv[1], "still");
}

static int connection(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(name);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), peer = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_EQ(bind(listener, (struct sockaddr *)&name, sizeof(sa_family_t)), 0);
	CHECK_EQ(listen(listener, 2), 0);
	CHECK_EQ(getsockname(listener, (struct sockaddr *)&name, &len), 0);
	CHECK_EQ(connect(peer, (struct sockaddr *)&name, len), 0);
	return listener;
}

/* Closed where weir does not see it, an end's number becomes another file's. */
static void close_unseen(int fd)
{
	long result;
	__asm__ volatile("syscall" : "=a"(result) : "a"((long)SYS_close), "D"((long)fd) : "rcx", "r11", "memory");
	CHECK_EQ(result, 0);
}

static void is_no_end(long fd, int end)
{
	char byte;
	CHECK_EQ(fd, end);
	CHECK(recv((int)fd, &byte, 1, MSG_DONTWAIT) < 0 && errno != EBADF);
	CHECK_EQ(close((int)fd), 0);
}

static int a_number_that_weir_takes_for_an_end(void)
{
	int sv[2];
	pair_by_number(sv);
	CHECK_EQ(close(sv[1]), 0);
	close_unseen(sv[0]);
	return sv[0];
}

CASE(new_descriptors)
{
	int end = a_number_that_weir_takes_for_an_end();
	is_no_end(syscall(SYS_open, "/dev/null", O_RDWR), end);
	end = a_number_that_weir_takes_for_an_end();
	is_no_end(syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR), end);
	end = a_number_that_weir_takes_for_an_end();
	is_no_end(syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0), end);
	end = a_number_that_weir_takes_for_an_end();
	is_no_end(syscall(SYS_eventfd2, 0, 0), end);
	end = a_number_that_weir_takes_for_an_end();
	is_no_end(syscall(SYS_epoll_create1, 0), end);
	end = a_number_that_weir_takes_for_an_end();
	is_no_end(syscall(SYS_timerfd_create, CLOCK_MONOTONIC, 0), end);
	end = a_number_that_weir_takes_for_an_end();
	is_no_end(syscall(SYS_memfd_create, "file", 0), end);
	int listener = connection();
	end = a_number_that_weir_takes_for_an_end();
	is_no_end(syscall(SYS_accept, listener, NULL, NULL), end);
	listener = connection();
	end = a_number_that_weir_takes_for_an_end();
	is_no_end(syscall(SYS_accept4, listener, NULL, NULL, 0), end);
}

CHECK_MAIN
