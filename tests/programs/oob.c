/* Out-of-band data, which Unix stream sockets carry since Linux 5.15. */
#include "check.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <linux/sockios.h>

static int at_mark(int fd)
{
	int mark = -1;
	CHECK(ioctl(fd, SIOCATMARK, &mark) == 0);
	CHECK_EQ(sockatmark(fd), mark);
	return mark;
}

static void say_urgent(int fd, const char *text)
{
	CHECK_EQ(send(fd, text, strlen(text), MSG_OOB), strlen(text));
}

static void hear_urgent(int fd, char wanted)
{
	char byte = 0;
	CHECK_EQ(recv(fd, &byte, 1, MSG_OOB), 1);
	CHECK_EQ(byte, wanted);
}

CASE(the_last_byte_is_urgent)
{
	char byte;
	int sv[2];
	pair_open(sv, 0);
	say_urgent(sv[0], "abc");
	hear_urgent(sv[1], 'c');
	CHECK_FAILS(recv(sv[1], &byte, 1, MSG_OOB), EINVAL);
	hear(sv[1], "ab");
	hear_nothing(sv[1]);
}

CASE(nothing_urgent_is_einval)
{
	char byte;
	int sv[2];
	pair_open(sv, 0);
	CHECK_FAILS(recv(sv[1], &byte, 1, MSG_OOB), EINVAL);
	say(sv[0], "a");
	CHECK_FAILS(recv(sv[1], &byte, 1, MSG_OOB), EINVAL);
	hear(sv[1], "a");
}

CASE(the_mark_stops_a_read)
{
	char buffer[16];
	int sv[2];
	pair_open(sv, 0);
	say(sv[0], "before");
	say_urgent(sv[0], "!");
	say(sv[0], "after");
	CHECK_EQ(at_mark(sv[1]), 0);
	CHECK_EQ(read(sv[1], buffer, sizeof(buffer)), 6);
	CHECK_EQ(at_mark(sv[1]), 1);
	hear_urgent(sv[1], '!');
	hear(sv[1], "after");
	CHECK_EQ(at_mark(sv[1]), 0);
}

/* Data written before urgent data came is in memory; what follows must not overtake it. */
CASE(order_is_kept_around_the_mark)
{
	char buffer[4096];
	int sv[2];
	pair_open(sv, 0);
	for (int i = 0; i < 50; i++)
		say(sv[0], "0123456789");
	say_urgent(sv[0], "X");
	for (int i = 0; i < 50; i++)
		say(sv[0], "abcdefghij");
	hear_urgent(sv[1], 'X');
	size_t have = 0;
	while (have < 1000) {
		ssize_t n = read(sv[1], buffer + have, sizeof(buffer) - have);
		CHECK(n > 0);
		have += (size_t)n;
	}
	for (size_t i = 0; i < 1000; i++)
		CHECK_EQ(buffer[i], (i < 500 ? '0' : 'a') + (int)(i % 10));
	hear_nothing(sv[1]);
}

CASE(the_other_direction_is_untouched)
{
	int sv[2];
	pair_open(sv, 0);
	say(sv[1], "reply");
	say_urgent(sv[0], "!");
	hear(sv[0], "reply");
	say(sv[1], "again");
	hear(sv[0], "again");
	hear_urgent(sv[1], '!');
	say(sv[0], "on");
	hear(sv[1], "on");
}

CASE(inline_urgent_data)
{
	char byte;
	int sv[2], on = 1;
	pair_open(sv, 0);
	CHECK(setsockopt(sv[1], SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)) == 0);
	say(sv[0], "ab");
	say_urgent(sv[0], "c");
	say(sv[0], "de");
	CHECK_FAILS(recv(sv[1], &byte, 1, MSG_OOB), EINVAL);
	hear(sv[1], "ab");
	CHECK_EQ(at_mark(sv[1]), 1);
	hear(sv[1], "cde");
	CHECK_EQ(at_mark(sv[1]), 0);
}

CASE(poll_reports_pollpri)
{
	int sv[2];
	pair_open(sv, 0);
	CHECK_EQ(readiness(sv[1]) & POLLPRI, 0);
	say_urgent(sv[0], "!");
	CHECK_EQ(readiness(sv[1]) & POLLPRI, POLLPRI);
	hear_urgent(sv[1], '!');
	CHECK_EQ(readiness(sv[1]) & POLLPRI, 0);
}

CASE(select_reports_an_exception)
{
	int sv[2];
	fd_set set;
	struct timeval now = {0};
	pair_open(sv, 0);
	say_urgent(sv[0], "!");
	FD_ZERO(&set);
	FD_SET(sv[1], &set);
	CHECK_EQ(select(sv[1] + 1, NULL, NULL, &set, &now), 1);
	CHECK(FD_ISSET(sv[1], &set));
	hear_urgent(sv[1], '!');
	CHECK_EQ(select(sv[1] + 1, NULL, NULL, &set, &now), 0);
}

CASE(epoll_reports_epollpri)
{
	int sv[2];
	struct epoll_event event = {.events = EPOLLPRI};
	pair_open(sv, 0);
	int ep = epoll_create1(0);
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, sv[1], &event) == 0);
	say(sv[0], "plain");
	CHECK_EQ(epoll_wait(ep, &event, 1, 0), 0);
	say_urgent(sv[0], "!");
	CHECK_EQ(epoll_wait(ep, &event, 1, 10000), 1);
	CHECK_EQ(event.events, EPOLLPRI);
}

static volatile sig_atomic_t urgent_signals;

static void count_urgent(int number)
{
	(void)number;
	urgent_signals++;
}

CASE(sigurg_reaches_the_owner)
{
	int sv[2];
	pair_open(sv, 0);
	on_signal(SIGURG, count_urgent, 0);
	CHECK(fcntl(sv[1], F_SETOWN, getpid()) == 0);
	CHECK_EQ(fcntl(sv[1], F_GETOWN), getpid());
	say(sv[0], "plain");
	CHECK_EQ(urgent_signals, 0);
	say_urgent(sv[0], "!");
	for (int i = 0; i < 2000 && urgent_signals == 0; i++)
		sleep_ms(1);
	CHECK_EQ(urgent_signals, 1);
	hear_urgent(sv[1], '!');
	hear(sv[1], "plain");
}

CASE(urgent_after_plain_and_the_end)
{
	int sv[2];
	pair_open(sv, 0);
	say(sv[0], "plain");
	say_urgent(sv[0], "!");
	say(sv[0], "rest");
	CHECK(close(sv[0]) == 0);
	hear(sv[1], "plain");
	hear_urgent(sv[1], '!');
	hear(sv[1], "rest");
	hear_end(sv[1]);
}

CASE(peeking_at_urgent_data)
{
	char byte;
	int sv[2];
	pair_open(sv, 0);
	say_urgent(sv[0], "!");
	CHECK_EQ(recv(sv[1], &byte, 1, MSG_OOB | MSG_PEEK), 1);
	CHECK_EQ(byte, '!');
	hear_urgent(sv[1], '!');
}

CASE(urgent_to_nobody)
{
	int sv[2];
	pair_open(sv, 0);
	CHECK(close(sv[1]) == 0);
	CHECK_FAILS(send(sv[0], "!", 1, MSG_OOB | MSG_NOSIGNAL), EPIPE);
}

CASE(a_blocked_reader_gets_what_follows)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		struct pollfd urgent = {.fd = sv[1], .events = POLLPRI};
		hear(sv[1], "plain");
		CHECK_EQ(poll(&urgent, 1, -1), 1);
		hear_urgent(sv[1], '!');
		hear(sv[1], "after");
		_exit(0);
	}
	wait_until_asleep(pid);
	say(sv[0], "plain");
	wait_until_asleep(pid);
	CHECK_EQ(send(sv[0], "!", 1, MSG_OOB), 1);
	say(sv[0], "after");
	child_join(pid);
}

CHECK_MAIN
