/* Ends in the hands of a program that weir cannot reach: CARRIED_CHILD, which is
 * tests/programs/static/child.c. What the kernel does natively must still hold. */
#include "check.h"

extern char **environ;

/* The child has `fd` as 0, and at `other` as well where that is not 0. */
static pid_t start(int fd, int other, char *const *argv)
{
	pid_t pid = child_start();

	if (pid > 0)
		return pid;
	CHECK(dup2(fd, 0) == 0);
	if (other)
		CHECK_EQ(dup2(fd, other), other);
	execv(getenv("CARRIED_CHILD"), argv);
	CHECK(!"exec");
	_exit(1);
}

#define START(fd, ...) start(fd, 0, (char *[]){"child", __VA_ARGS__, NULL})

static void open_one(int sv[2])
{
	pair_open(sv, SOCK_CLOEXEC);
}

CASE(bytes_pass_both_ways_and_the_end_comes_after_them)
{
	int sv[2];
	open_one(sv);
	pid_t pid = START(sv[1], "echo");
	close(sv[1]);
	say(sv[0], "hello");
	hear(sv[0], "hello");
	say(sv[0], "again");
	CHECK(shutdown(sv[0], SHUT_WR) == 0);
	hear(sv[0], "again");
	hear_end(sv[0]);
	child_join(pid);
}

CASE(bytes_in_flight_before_the_start)
{
	int sv[2];
	open_one(sv);
	say(sv[0], "early");
	pid_t pid = START(sv[1], "echo");
	close(sv[1]);
	hear(sv[0], "early");
	CHECK(shutdown(sv[0], SHUT_WR) == 0);
	hear_end(sv[0]);
	child_join(pid);
}

CASE(what_was_said_before_death_arrives)
{
	int sv[2];
	open_one(sv);
	pid_t pid = START(sv[1], "speak", "last words");
	close(sv[1]);
	child_join(pid);
	hear(sv[0], "last words");
	hear_end(sv[0]);
}

CASE(half_close)
{
	int sv[2];
	open_one(sv);
	pid_t pid = START(sv[1], "half-close");
	close(sv[1]);
	hear(sv[0], "first");
	hear_end(sv[0]);
	say(sv[0], "tail");
	child_join(pid);
}

/* The kernel tells at once; through a pump it takes a moment. */
static void send_until_broken(int fd)
{
	for (int i = 0; i < 5000; i++) {
		if (send(fd, "x", 1, MSG_NOSIGNAL) < 0) {
			CHECK_EQ(errno, EPIPE);
			return;
		}
		sleep_ms(1);
	}
	CHECK(!"a broken pipe");
}

CASE(a_program_that_receives_no_more)
{
	int sv[2];
	open_one(sv);
	pid_t pid = START(sv[1], "deaf");
	close(sv[1]);
	hear(sv[0], "deaf");
	send_until_broken(sv[0]);
	child_kill(pid);
	hear_end(sv[0]);
}

CASE(a_program_that_is_killed)
{
	int sv[2];
	open_one(sv);
	pid_t pid = START(sv[1], "echo");
	close(sv[1]);
	say(sv[0], "alive");
	hear(sv[0], "alive");
	child_kill(pid);
	hear_end(sv[0]);
	send_until_broken(sv[0]);
}

CASE(the_program_learns_that_its_peer_has_gone)
{
	int sv[2];
	open_one(sv);
	pid_t pid = START(sv[1], "broken");
	close(sv[1]);
	say(sv[0], "b");
	char byte;
	CHECK_EQ(read(sv[0], &byte, 1), 1);
	close(sv[0]);
	int status = child_status(pid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 0);
}

CASE(the_program_learns_that_its_bytes_were_not_read)
{
	int sv[2];
	open_one(sv);
	pid_t pid = START(sv[1], "reset");
	close(sv[1]);
	struct pollfd p = {.fd = sv[0], .events = POLLIN};
	CHECK_EQ(poll(&p, 1, -1), 1);
	close(sv[0]);
	CHECK_EQ(WEXITSTATUS(child_status(pid)), 0);
}

CASE(a_program_whose_bytes_were_read_sees_the_end)
{
	int sv[2];
	open_one(sv);
	pid_t pid = START(sv[1], "end");
	close(sv[1]);
	hear(sv[0], "read");
	close(sv[0]);
	CHECK_EQ(WEXITSTATUS(child_status(pid)), 0);
}

/* Its socket has room only when everything was received. */
CASE(a_program_with_a_small_buffer)
{
	char text[65] = "";
	int sv[2];
	open_one(sv);
	memset(text, 'x', 64);
	pid_t pid = START(sv[1], "small-buffer");
	close(sv[1]);
	for (int i = 0; i < 4; i++)
		hear(sv[0], text);
	child_join(pid);
	hear_end(sv[0]);
}

CASE(unread_bytes_reset)
{
	char byte;
	int sv[2];
	open_one(sv);
	say(sv[0], "nobody reads this");
	pid_t pid = START(sv[1], "nothing");
	close(sv[1]);
	child_join(pid);
	CHECK_FAILS(read(sv[0], &byte, 1), ECONNRESET);
	hear_end(sv[0]);
}

CASE(unread_bytes_stay_for_another_holder)
{
	int sv[2];
	open_one(sv);
	say(sv[0], "for the next one");
	child_join(START(sv[1], "nothing"));
	sleep_ms(50);
	hear(sv[1], "for the next one");
	say(sv[1], "alive");
	hear(sv[0], "alive");
}

CASE(the_next_program_takes_over)
{
	int sv[2];
	open_one(sv);
	for (int i = 0; i < 5; i++) {
		child_join(START(sv[1], "speak", "one,"));
		hear(sv[0], "one,");
	}
	say(sv[1], "me");
	hear(sv[0], "me");
	close(sv[1]);
	hear_end(sv[0]);
}

CASE(several_numbers_of_one_end)
{
	int sv[2];
	open_one(sv);
	pid_t pid = start(sv[1], 7, (char *[]){"child", "echo", "0", "7", NULL});
	close(sv[1]);
	say(sv[0], "hello");
	hear(sv[0], "hello");
	CHECK(shutdown(sv[0], SHUT_WR) == 0);
	hear_end(sv[0]);
	child_join(pid);
}

CASE(two_pairs)
{
	int in[2], out[2];
	open_one(in);
	open_one(out);
	pid_t pid = child_start();
	if (pid == 0) {
		dup2(in[1], 0);
		dup2(out[1], 1);
		execl(getenv("CARRIED_CHILD"), "child", "echo", "0", "1", NULL);
		_exit(1);
	}
	close(in[1]);
	close(out[1]);
	say(in[0], "from one to the other");
	hear(out[0], "from one to the other");
	hear_nothing(in[0]);
	close(in[0]);
	hear_end(out[0]);
	child_join(pid);
}

CASE(status_flags_go_along)
{
	int sv[2];
	pair_open(sv, SOCK_CLOEXEC | SOCK_NONBLOCK);
	child_join(START(sv[1], "nonblock"));
}

CASE(no_child_and_no_signal_is_left)
{
	int sv[2];
	open_one(sv);
	block_signal(SIGCHLD);
	child_join(START(sv[1], "alone"));
}

CASE(the_environment_is_the_programs)
{
	int sv[2];
	open_one(sv);
	pid_t pid = child_start();
	if (pid == 0) {
		char *const env[] = {"ONE=", "TWO=2", "THREE=x y", NULL};
		char *const argv[] = {"child", "environment", NULL};
		dup2(sv[1], 0);
		execve(getenv("CARRIED_CHILD"), argv, env);
		_exit(1);
	}
	child_join(pid);
}

CASE(a_slow_program_holds_the_writer_back)
{
	int sv[2];
	unsigned char buffer[5000];
	open_one(sv);
	pid_t pid = START(sv[1], "slow");
	close(sv[1]);
	for (size_t at = 0; at < 100 * sizeof(buffer); at += sizeof(buffer)) {
		pattern_make(buffer, sizeof(buffer), at);
		CHECK_EQ(write(sv[0], buffer, sizeof(buffer)), sizeof(buffer));
	}
	close(sv[0]);
	child_join(pid);
}

CASE(much_both_ways)
{
	enum { TOTAL = 1 << 20 };
	unsigned char buffer[4000], back[4000];
	size_t sent = 0, received = 0;
	int sv[2];
	open_one(sv);
	pid_t pid = START(sv[1], "echo");
	close(sv[1]);
	while (received < TOTAL) {
		struct pollfd p = {.fd = sv[0], .events = POLLIN | (sent < TOTAL ? POLLOUT : 0)};
		CHECK(poll(&p, 1, -1) == 1);
		if (p.revents & POLLOUT) {
			pattern_make(buffer, sizeof(buffer), sent);
			size_t n = TOTAL - sent < sizeof(buffer) ? TOTAL - sent : sizeof(buffer);
			ssize_t k = send(sv[0], buffer, n, MSG_DONTWAIT);
			sent += k > 0 ? (size_t)k : 0;
			if (sent == TOTAL)
				CHECK(shutdown(sv[0], SHUT_WR) == 0);
		}
		ssize_t n = recv(sv[0], back, sizeof(back), MSG_DONTWAIT);
		if (n > 0) {
			pattern_check(back, (size_t)n, received);
			received += (size_t)n;
		}
	}
	hear_end(sv[0]);
	child_join(pid);
}

CASE(a_descriptor_comes_through)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char text[16] = "";
	struct iovec iov = {text, 15};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
	                     .msg_controllen = sizeof(control)};
	int sv[2], fd;
	open_one(sv);
	pid_t pid = START(sv[1], "send-descriptor");
	close(sv[1]);
	hear(sv[0], "before");
	ssize_t n = recvmsg(sv[0], &msg, 0);
	CHECK(n >= 4 && memcmp(text, "take", 4) == 0);
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	CHECK(c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)));
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	hear(fd, "through");
	if (n == 4)
		hear(sv[0], "after");
	hear_end(sv[0]);
	child_join(pid);
}

CASE(an_exec_that_fails_leaves_all_as_it_was)
{
	int sv[2];
	pair_open(sv, 0);
	say(sv[0], "stays");
	CHECK_FAILS(execl("/no/such/file", "x", NULL), ENOENT);
	CHECK_FAILS(execl("/etc/passwd", "x", NULL), EACCES);
	CHECK_FAILS(execl("/", "x", NULL), EACCES);
	hear(sv[1], "stays");
	say(sv[1], "and back");
	hear(sv[0], "and back");
}

CHECK_MAIN
