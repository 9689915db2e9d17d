/* The end of a pair: end of file, EPIPE, ECONNRESET, and what shutdown does. */
#include "check.h"

#include <sys/ioctl.h>

enum { HUNG_UP = POLLIN | POLLOUT | POLLHUP | POLLRDHUP };

static int pending_error(int fd)
{
	int error = -1;
	socklen_t length = sizeof(error);
	CHECK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0);
	return error;
}

CASE(end_of_file_comes_after_the_data)
{
	int sv[2];
	pair_open(sv, 0);
	say(sv[0], "abc");
	say(sv[0], "def");
	CHECK(close(sv[0]) == 0);
	hear(sv[1], "abcdef");
	hear_end(sv[1]);
	hear_end(sv[1]);
}

CASE(end_of_file_wakes_a_reader)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		close(sv[0]);
		hear_end(sv[1]);
		_exit(0);
	}
	wait_until_asleep(pid);
	CHECK(close(sv[0]) == 0);
	child_join(pid);
}

CASE(end_of_file_on_a_nonblocking_end)
{
	int sv[2];
	pair_open(sv, SOCK_NONBLOCK);
	hear_nothing(sv[1]);
	say(sv[0], "abc");
	CHECK(close(sv[0]) == 0);
	hear(sv[1], "abc");
	hear_end(sv[1]);
}

CASE(poll_after_the_peer_closed)
{
	int sv[2];
	pair_open(sv, 0);
	CHECK(close(sv[1]) == 0);
	CHECK_EQ(readiness(sv[0]), HUNG_UP);
	hear_end(sv[0]);
	CHECK_EQ(readiness(sv[0]), HUNG_UP);
}

CASE(poll_after_the_peer_closed_with_data_left)
{
	int sv[2];
	pair_open(sv, 0);
	say(sv[1], "abc");
	CHECK(close(sv[1]) == 0);
	CHECK_EQ(readiness(sv[0]), HUNG_UP);
	hear(sv[0], "abc");
	CHECK_EQ(readiness(sv[0]), HUNG_UP);
	hear_end(sv[0]);
}

CASE(epipe_at_once)
{
	int sv[2];
	signal(SIGPIPE, SIG_IGN);
	pair_open(sv, 0);
	say(sv[0], "abc");
	hear(sv[1], "abc");
	CHECK(close(sv[1]) == 0);
	CHECK_FAILS(write(sv[0], "x", 1), EPIPE);
	CHECK_FAILS(write(sv[0], "x", 1), EPIPE);
	CHECK_EQ(pending_error(sv[0]), 0);
}

static volatile sig_atomic_t sigpipes;

static void count_sigpipe(int number)
{
	(void)number;
	sigpipes++;
}

struct waiting_writer {
	int fd;
	ssize_t sent;
	int error;
	int signals;
};

static void *write_one(void *argument)
{
	struct waiting_writer *w = argument;
	w->sent = write(w->fd, "x", 1);
	w->error = errno;
	w->signals = sigpipes;
	return NULL;
}

/* Linux tells a writer that already waits of the unread data by ECONNRESET, and
 * raises SIGPIPE only for a write that begins after the peer left. Whether the
 * writer waited already is a race, so both are right: but the reset is told once. */
CASE(the_peer_leaves_a_waiting_writer)
{
	char byte;
	int sv[2];
	struct worker w;
	on_signal(SIGPIPE, count_sigpipe, SA_RESTART);
	pair_open(sv, 0);
	fill(sv[0]);
	struct waiting_writer writer = {.fd = sv[0]};
	worker_start(&w, write_one, &writer);
	wait_until_asleep(w.tid);
	CHECK(close(sv[1]) == 0);
	worker_join(&w);
	CHECK_EQ(writer.sent, -1);
	CHECK(writer.error == EPIPE || writer.error == ECONNRESET);
	CHECK_EQ(writer.signals, writer.error == EPIPE);
	if (writer.error == EPIPE)
		CHECK_FAILS(read(sv[0], &byte, 1), ECONNRESET);
	hear_end(sv[0]);
	int before = sigpipes;
	CHECK_FAILS(write(sv[0], "x", 1), EPIPE);
	CHECK_EQ(sigpipes, before + 1);
}

CASE(the_peer_stops_reading_while_a_writer_waits)
{
	int sv[2];
	struct worker w;
	on_signal(SIGPIPE, count_sigpipe, SA_RESTART);
	pair_open(sv, 0);
	size_t full = fill(sv[0]);
	struct waiting_writer writer = {.fd = sv[0]};
	worker_start(&w, write_one, &writer);
	wait_until_asleep(w.tid);
	CHECK(shutdown(sv[1], SHUT_RD) == 0);
	worker_join(&w);
	CHECK_EQ(writer.sent, -1);
	CHECK_EQ(writer.error, EPIPE);
	CHECK(writer.signals <= 1);
	drain(sv[1], full, 0);
	hear_end(sv[1]);
}

static void *write_much(void *argument)
{
	static unsigned char bytes[4 << 20];
	struct waiting_writer *w = argument;
	pattern_make(bytes, sizeof(bytes), 0);
	w->sent = write(w->fd, bytes, sizeof(bytes));
	w->error = errno;
	w->signals = sigpipes;
	return NULL;
}

/* What went before the peer left is the answer, without a signal; then EPIPE. */
CASE(a_long_write_returns_its_part_when_the_peer_leaves)
{
	int sv[2];
	struct worker w;
	on_signal(SIGPIPE, count_sigpipe, SA_RESTART);
	pair_open(sv, 0);
	struct waiting_writer writer = {.fd = sv[0]};
	worker_start(&w, write_much, &writer);
	drain(sv[1], 1000, 0);
	wait_until_asleep(w.tid);
	CHECK(close(sv[1]) == 0);
	worker_join(&w);
	CHECK(writer.sent >= 1000 && writer.sent < 4 << 20);
	CHECK_EQ(writer.signals, 0);
	CHECK_FAILS(write(sv[0], "x", 1), EPIPE);
	CHECK_EQ(sigpipes, 1);
}

CASE(a_long_write_returns_its_part_when_the_peer_stops_reading)
{
	int sv[2];
	struct worker w;
	on_signal(SIGPIPE, count_sigpipe, SA_RESTART);
	pair_open(sv, 0);
	struct waiting_writer writer = {.fd = sv[0]};
	worker_start(&w, write_much, &writer);
	drain(sv[1], 1000, 0);
	wait_until_asleep(w.tid);
	CHECK(shutdown(sv[1], SHUT_RD) == 0);
	worker_join(&w);
	CHECK(writer.sent >= 1000 && writer.sent < 4 << 20);
	CHECK_EQ(writer.signals, 0);
	drain(sv[1], (size_t)writer.sent - 1000, 1000);
	hear_end(sv[1]);
}

CASE(a_long_write_returns_its_part_when_its_own_end_is_shut)
{
	int sv[2];
	struct worker w;
	on_signal(SIGPIPE, count_sigpipe, SA_RESTART);
	pair_open(sv, 0);
	struct waiting_writer writer = {.fd = sv[0]};
	worker_start(&w, write_much, &writer);
	drain(sv[1], 1000, 0);
	wait_until_asleep(w.tid);
	CHECK(shutdown(sv[0], SHUT_WR) == 0);
	worker_join(&w);
	CHECK(writer.sent >= 1000 && writer.sent < 4 << 20);
	CHECK_EQ(writer.signals, 0);
	drain(sv[1], (size_t)writer.sent - 1000, 1000);
	hear_end(sv[1]);
}

CASE(connection_reset_when_data_was_unread)
{
	char byte;
	int sv[2];
	pair_open(sv, 0);
	say(sv[0], "never read");
	CHECK(close(sv[1]) == 0);
	CHECK_EQ(readiness(sv[0]), HUNG_UP | POLLERR);
	CHECK_FAILS(read(sv[0], &byte, 1), ECONNRESET);
	CHECK_EQ(readiness(sv[0]), HUNG_UP);
	hear_end(sv[0]);
	hear_end(sv[0]);
}

CASE(connection_reset_when_a_part_was_unread)
{
	char byte;
	int sv[2];
	pair_open(sv, 0);
	say(sv[0], "half");
	hear(sv[1], "ha");
	CHECK(close(sv[1]) == 0);
	CHECK_FAILS(read(sv[0], &byte, 1), ECONNRESET);
	hear_end(sv[0]);
}

CASE(no_connection_reset_when_all_was_read)
{
	int sv[2];
	pair_open(sv, 0);
	for (int i = 0; i < 20; i++)
		say(sv[0], "abc");
	for (int i = 0; i < 20; i++)
		hear(sv[1], "abc");
	CHECK(close(sv[1]) == 0);
	CHECK_EQ(readiness(sv[0]), HUNG_UP);
	CHECK_EQ(pending_error(sv[0]), 0);
	hear_end(sv[0]);
}

CASE(no_connection_reset_after_peeking_polling_and_reading)
{
	char buffer[8];
	int sv[2];
	pair_open(sv, 0);
	for (int i = 0; i < 5; i++) {
		say(sv[0], "abc");
		CHECK(readiness(sv[1]) & POLLIN);
		CHECK_EQ(recv(sv[1], buffer, 8, MSG_PEEK), 3);
		hear(sv[1], "abc");
		CHECK_EQ(readiness(sv[1]) & POLLIN, 0);
		hear_nothing(sv[1]);
	}
	say(sv[0], "last");
	hear(sv[1], "last");
	CHECK(close(sv[1]) == 0);
	hear_end(sv[0]);
}

CASE(no_connection_reset_after_a_full_pair_was_drained)
{
	int sv[2];
	pair_open(sv, 0);
	size_t full = fill(sv[0]);
	CHECK_EQ(readiness(sv[0]) & POLLOUT, 0);
	drain(sv[1], full, 0);
	CHECK(close(sv[1]) == 0);
	CHECK_EQ(readiness(sv[0]), HUNG_UP);
	hear_end(sv[0]);
}

CASE(data_comes_before_the_reset)
{
	char byte;
	int sv[2];
	pair_open(sv, 0);
	say(sv[0], "never read");
	say(sv[1], "read me");
	CHECK(close(sv[1]) == 0);
	hear(sv[0], "read me");
	CHECK_FAILS(read(sv[0], &byte, 1), ECONNRESET);
	hear_end(sv[0]);
}

CASE(so_error_takes_the_reset)
{
	int sv[2];
	pair_open(sv, 0);
	say(sv[0], "never read");
	CHECK(close(sv[1]) == 0);
	CHECK_EQ(pending_error(sv[0]), ECONNRESET);
	CHECK_EQ(pending_error(sv[0]), 0);
	hear_end(sv[0]);
}

CASE(reset_does_not_hide_epipe)
{
	char byte;
	int sv[2];
	signal(SIGPIPE, SIG_IGN);
	pair_open(sv, 0);
	say(sv[0], "never read");
	CHECK(close(sv[1]) == 0);
	CHECK_FAILS(write(sv[0], "x", 1), EPIPE);
	CHECK_FAILS(read(sv[0], &byte, 1), ECONNRESET);
	CHECK_FAILS(write(sv[0], "x", 1), EPIPE);
	hear_end(sv[0]);
}

CASE(reset_is_once_for_all_holders)
{
	char byte;
	int sv[2];
	pair_open(sv, 0);
	say(sv[0], "never read");
	int other = dup(sv[0]);
	CHECK(close(sv[1]) == 0);
	CHECK_FAILS(read(other, &byte, 1), ECONNRESET);
	hear_end(sv[0]);
	hear_end(other);
}

CASE(reset_wakes_a_reader)
{
	int sv[2];
	pair_open(sv, 0);
	say(sv[0], "never read");
	pid_t pid = child_start();
	if (pid == 0) {
		char byte;
		close(sv[1]);
		CHECK_FAILS(read(sv[0], &byte, 1), ECONNRESET);
		hear_end(sv[0]);
		_exit(0);
	}
	wait_until_asleep(pid);
	CHECK(close(sv[1]) == 0);
	child_join(pid);
}

CASE(close_of_a_duplicate_ends_nothing)
{
	int sv[2];
	pair_open(sv, 0);
	int other = dup(sv[0]);
	CHECK(close(sv[0]) == 0);
	say(other, "abc");
	hear(sv[1], "abc");
	hear_nothing(sv[1]);
	say(sv[1], "def");
	hear(other, "def");
	CHECK(close(other) == 0);
	hear_end(sv[1]);
}

CASE(closing_twice_is_ebadf)
{
	char byte;
	int sv[2];
	pair_open(sv, 0);
	CHECK(close(sv[0]) == 0);
	CHECK_FAILS(close(sv[0]), EBADF);
	CHECK_FAILS(read(sv[0], &byte, 1), EBADF);
	CHECK_FAILS(write(sv[0], "x", 1), EBADF);
	hear_end(sv[1]);
}

CASE(both_ends_closed_with_data_on_the_way)
{
	for (int i = 0; i < 100; i++) {
		int sv[2];
		pair_open(sv, 0);
		say(sv[0], "abc");
		say(sv[1], "def");
		CHECK(close(sv[i & 1]) == 0);
		CHECK(close(sv[1 - (i & 1)]) == 0);
	}
}

/* ---- shutdown ---- */

CASE(shutdown_write_ends_the_stream)
{
	int sv[2];
	signal(SIGPIPE, SIG_IGN);
	pair_open(sv, 0);
	say(sv[0], "abc");
	CHECK(shutdown(sv[0], SHUT_WR) == 0);
	CHECK_FAILS(write(sv[0], "x", 1), EPIPE);
	hear(sv[1], "abc");
	hear_end(sv[1]);
	say(sv[1], "reply");
	hear(sv[0], "reply");
	hear_nothing(sv[0]);
}

CASE(shutdown_write_and_poll)
{
	int sv[2];
	pair_open(sv, 0);
	CHECK(shutdown(sv[0], SHUT_WR) == 0);
	CHECK_EQ(readiness(sv[1]), POLLIN | POLLOUT | POLLRDHUP);
	CHECK_EQ(readiness(sv[0]), POLLOUT);
	hear_end(sv[1]);
	CHECK_EQ(readiness(sv[1]), POLLIN | POLLOUT | POLLRDHUP);
	CHECK(shutdown(sv[1], SHUT_WR) == 0);
	CHECK_EQ(readiness(sv[0]), HUNG_UP);
	CHECK_EQ(readiness(sv[1]), HUNG_UP);
}

CASE(shutdown_write_raises_sigpipe)
{
	int sv[2];
	on_signal(SIGPIPE, count_sigpipe, 0);
	pair_open(sv, 0);
	CHECK(shutdown(sv[0], SHUT_WR) == 0);
	CHECK_FAILS(write(sv[0], "x", 1), EPIPE);
	CHECK_EQ(sigpipes, 1);
	CHECK_FAILS(send(sv[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(sigpipes, 1);
}

CASE(shutdown_read_refuses_the_writer)
{
	int sv[2];
	signal(SIGPIPE, SIG_IGN);
	pair_open(sv, 0);
	say(sv[0], "abc");
	CHECK(shutdown(sv[1], SHUT_RD) == 0);
	CHECK_FAILS(write(sv[0], "x", 1), EPIPE);
	hear(sv[1], "abc");
	hear_end(sv[1]);
	say(sv[1], "still");
	hear(sv[0], "still");
}

CASE(shutdown_read_and_poll)
{
	int sv[2];
	pair_open(sv, 0);
	CHECK(shutdown(sv[1], SHUT_RD) == 0);
	CHECK_EQ(readiness(sv[1]), POLLIN | POLLOUT | POLLRDHUP);
	CHECK_EQ(readiness(sv[0]), POLLOUT);
}

CASE(shutdown_both_ends_both_directions)
{
	int sv[2];
	signal(SIGPIPE, SIG_IGN);
	pair_open(sv, 0);
	say(sv[0], "abc");
	say(sv[1], "def");
	CHECK(shutdown(sv[0], SHUT_RDWR) == 0);
	CHECK_FAILS(write(sv[0], "x", 1), EPIPE);
	CHECK_FAILS(write(sv[1], "x", 1), EPIPE);
	CHECK_EQ(readiness(sv[0]), HUNG_UP);
	CHECK_EQ(readiness(sv[1]), HUNG_UP);
	hear(sv[1], "abc");
	hear(sv[0], "def");
	hear_end(sv[0]);
	hear_end(sv[1]);
}

CASE(shutdown_wakes_the_own_reader)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		hear_end(sv[1]);
		_exit(0);
	}
	wait_until_asleep(pid);
	CHECK(shutdown(sv[1], SHUT_RD) == 0);
	child_join(pid);
}

CASE(shutdown_wakes_the_peers_reader)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		hear_end(sv[1]);
		_exit(0);
	}
	wait_until_asleep(pid);
	CHECK(shutdown(sv[0], SHUT_WR) == 0);
	child_join(pid);
}

CASE(shutdown_wakes_the_own_writer)
{
	int sv[2];
	struct worker w;
	on_signal(SIGPIPE, count_sigpipe, SA_RESTART);
	pair_open(sv, 0);
	size_t full = fill(sv[0]);
	struct waiting_writer writer = {.fd = sv[0]};
	worker_start(&w, write_one, &writer);
	wait_until_asleep(w.tid);
	CHECK(shutdown(sv[0], SHUT_WR) == 0);
	worker_join(&w);
	drain(sv[1], full, 0);
	CHECK_EQ(writer.sent, -1);
	CHECK_EQ(writer.error, EPIPE);
	hear_end(sv[1]);
}

CASE(shutdown_of_one_duplicate_is_for_all)
{
	int sv[2];
	signal(SIGPIPE, SIG_IGN);
	pair_open(sv, 0);
	int other = dup(sv[0]);
	CHECK(shutdown(other, SHUT_WR) == 0);
	CHECK_FAILS(write(sv[0], "x", 1), EPIPE);
	hear_end(sv[1]);
}

CASE(shutdown_in_a_child_is_for_the_parent)
{
	int sv[2];
	signal(SIGPIPE, SIG_IGN);
	pair_open(sv, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		say(sv[0], "abc");
		CHECK(shutdown(sv[0], SHUT_WR) == 0);
		_exit(0);
	}
	child_join(pid);
	CHECK_FAILS(write(sv[0], "x", 1), EPIPE);
	hear(sv[1], "abc");
	hear_end(sv[1]);
}

CASE(shutdown_twice_and_wrong)
{
	int sv[2];
	pair_open(sv, 0);
	CHECK_FAILS(shutdown(sv[0], 3), EINVAL);
	CHECK_FAILS(shutdown(sv[0], -1), EINVAL);
	CHECK_FAILS(shutdown(-1, SHUT_RD), EBADF);
	say(sv[0], "abc");
	hear(sv[1], "abc");
	CHECK(shutdown(sv[0], SHUT_WR) == 0);
	CHECK(shutdown(sv[0], SHUT_WR) == 0);
	CHECK(close(sv[1]) == 0);
	CHECK(shutdown(sv[0], SHUT_RDWR) == 0);
}

CASE(shutdown_of_a_full_pair)
{
	int sv[2];
	pair_open(sv, 0);
	size_t full = fill(sv[0]);
	CHECK(shutdown(sv[0], SHUT_WR) == 0);
	drain(sv[1], full, 0);
	hear_end(sv[1]);
}

CASE(fionread_after_shutdown)
{
	int sv[2], n = -1;
	pair_open(sv, 0);
	say(sv[0], "abc");
	CHECK(shutdown(sv[0], SHUT_WR) == 0);
	CHECK(ioctl(sv[1], FIONREAD, &n) == 0);
	CHECK_EQ(n, 3);
	hear(sv[1], "abc");
	CHECK(ioctl(sv[1], FIONREAD, &n) == 0);
	CHECK_EQ(n, 0);
	hear_end(sv[1]);
}

CHECK_MAIN
