/* Descriptors and credentials that travel through a pair. */
#include "check.h"

union control {
	char bytes[CMSG_SPACE(4 * sizeof(int))];
	struct cmsghdr align;
};

static ssize_t send_descriptors(int fd, const char *text, const int *fds, size_t n)
{
	union control control = {.bytes = {0}};
	struct iovec iov = {(void *)text, strlen(text)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1,
	                     .msg_control = control.bytes,
	                     .msg_controllen = CMSG_SPACE(n * sizeof(int))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	return sendmsg(fd, &msg, 0);
}

/* How many descriptors came with the bytes; *got is the count of bytes. */
static size_t receive_descriptors(int fd, char *text, size_t size, int fds[4], ssize_t *got, int flags)
{
	union control control;
	struct iovec iov = {text, size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1,
	                     .msg_control = control.bytes, .msg_controllen = sizeof(control)};
	*got = recvmsg(fd, &msg, flags);
	CHECK(*got >= 0);
	CHECK_EQ(msg.msg_flags & MSG_CTRUNC, 0);
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	if (!c)
		return 0;
	CHECK(c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS);
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	return n;
}

static int receive_one(int fd, const char *text, int flags)
{
	char buffer[64] = "";
	int fds[4];
	ssize_t n;
	CHECK_EQ(receive_descriptors(fd, buffer, sizeof(buffer) - 1, fds, &n, flags), 1);
	CHECK_EQ(n, strlen(text));
	CHECK(memcmp(buffer, text, strlen(text)) == 0);
	return fds[0];
}

CASE(a_pipe_is_passed)
{
	int sv[2], ends[2];
	pair_open(sv, 0);
	CHECK(pipe(ends) == 0);
	CHECK_EQ(send_descriptors(sv[0], "take", &ends[1], 1), 4);
	int got = receive_one(sv[1], "take", 0);
	say(got, "through the pipe");
	hear(ends[0], "through the pipe");
}

CASE(close_on_exec_is_set_when_asked)
{
	int sv[2], ends[2];
	pair_open(sv, 0);
	CHECK(pipe(ends) == 0);
	CHECK_EQ(send_descriptors(sv[0], "a", &ends[1], 1), 1);
	CHECK_EQ(fcntl(receive_one(sv[1], "a", MSG_CMSG_CLOEXEC), F_GETFD), FD_CLOEXEC);
	CHECK_EQ(send_descriptors(sv[0], "b", &ends[1], 1), 1);
	CHECK_EQ(fcntl(receive_one(sv[1], "b", 0), F_GETFD), 0);
}

CASE(bytes_around_it_keep_their_order)
{
	char buffer[64];
	int sv[2], ends[2], fds[4];
	ssize_t n;
	pair_open(sv, 0);
	CHECK(pipe(ends) == 0);
	say(sv[0], "before ");
	CHECK_EQ(send_descriptors(sv[0], "with", &ends[1], 1), 4);
	say(sv[0], " after");
	CHECK_EQ(receive_descriptors(sv[1], buffer, 7, fds, &n, 0), 0);
	CHECK(n == 7 && memcmp(buffer, "before ", 7) == 0);
	CHECK_EQ(receive_descriptors(sv[1], buffer, 64, fds, &n, 0), 1);
	CHECK(n >= 4 && memcmp(buffer, "with", 4) == 0);
	if (n == 4)
		hear(sv[1], " after");
	say(fds[0], "works");
	hear(ends[0], "works");
	say(sv[1], "the other way");
	hear(sv[0], "the other way");
}

CASE(a_marked_descriptor_is_passed)
{
	int sv[2], other[2];
	pair_open(sv, 0);
	pair_open(other, 0);
	say(other[0], "waiting");
	CHECK_EQ(send_descriptors(sv[0], "take", &other[1], 1), 4);
	int got = receive_one(sv[1], "take", 0);
	CHECK(got != other[1]);
	hear(got, "waiting");
	say(got, "there");
	hear(other[0], "there");
	say(other[0], "and back");
	hear(other[1], "and back");
	CHECK(close(other[1]) == 0);
	say(other[0], "still");
	hear(got, "still");
	CHECK(close(got) == 0);
	hear_end(other[0]);
}

CASE(a_marked_descriptor_goes_to_a_child)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		CHECK(close(sv[0]) == 0);
		int got = receive_one(sv[1], "take", 0);
		hear(got, "hello");
		say(got, "world");
		_exit(0);
	}
	int other[2];
	CHECK(close(sv[1]) == 0);
	pair_open(other, 0);
	CHECK_EQ(send_descriptors(sv[0], "take", &other[1], 1), 4);
	CHECK(close(other[1]) == 0);
	say(other[0], "hello");
	hear(other[0], "world");
	child_join(pid);
	hear_end(other[0]);
}

CASE(the_last_holder_is_on_the_way)
{
	int sv[2], other[2];
	pair_open(sv, 0);
	pair_open(other, 0);
	CHECK_EQ(send_descriptors(sv[0], "take", &other[1], 1), 4);
	CHECK(close(other[1]) == 0);
	say(other[0], "abc");
	hear_nothing(other[0]);
	int got = receive_one(sv[1], "take", 0);
	hear(got, "abc");
}

CASE(several_descriptors_at_once)
{
	char buffer[8];
	int sv[2], a[2], b[2], fds[4];
	ssize_t n;
	pair_open(sv, 0);
	pair_open(a, 0);
	CHECK(pipe(b) == 0);
	int out[3] = {a[1], b[1], sv[0]};
	CHECK_EQ(send_descriptors(sv[0], "x", out, 3), 1);
	CHECK_EQ(receive_descriptors(sv[1], buffer, 8, fds, &n, 0), 3);
	say(fds[0], "a");
	hear(a[0], "a");
	say(fds[1], "b");
	hear(b[0], "b");
	say(fds[2], "c");
	hear(sv[1], "c");
}

CASE(unwanted_descriptors_are_dropped)
{
	int sv[2], ends[2];
	pair_open(sv, 0);
	CHECK(pipe(ends) == 0);
	CHECK_EQ(send_descriptors(sv[0], "take", &ends[1], 1), 4);
	CHECK(close(ends[1]) == 0);
	hear(sv[1], "take");
	hear_end(ends[0]);
}

CASE(truncated_control_data)
{
	char byte, control[CMSG_SPACE(0)];
	int sv[2], ends[2];
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1,
	                     .msg_control = control, .msg_controllen = sizeof(control)};
	pair_open(sv, 0);
	CHECK(pipe(ends) == 0);
	CHECK_EQ(send_descriptors(sv[0], "x", &ends[1], 1), 1);
	CHECK_EQ(recvmsg(sv[1], &msg, 0), 1);
	CHECK_EQ(msg.msg_flags & MSG_CTRUNC, MSG_CTRUNC);
}

CASE(bad_descriptors_are_refused)
{
	int sv[2], bad = 999;
	pair_open(sv, 0);
	CHECK_FAILS(send_descriptors(sv[0], "x", &bad, 1), EBADF);
	hear_nothing(sv[1]);
}

CASE(poll_and_the_end_after_passing)
{
	int sv[2], ends[2];
	pair_open(sv, 0);
	CHECK(pipe(ends) == 0);
	CHECK_EQ(send_descriptors(sv[0], "x", &ends[1], 1), 1);
	CHECK_EQ(readiness(sv[1]), POLLIN | POLLOUT);
	close(receive_one(sv[1], "x", 0));
	CHECK_EQ(readiness(sv[1]), POLLOUT);
	size_t full = fill(sv[0]);
	CHECK_EQ(readiness(sv[0]) & POLLOUT, 0);
	drain(sv[1], full, 0);
	CHECK_EQ(readiness(sv[0]), POLLOUT);
	CHECK(close(sv[0]) == 0);
	hear_end(sv[1]);
}

CASE(credentials)
{
	char byte;
	int sv[2], on = 1;
	union {
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1,
	                     .msg_control = control.bytes, .msg_controllen = sizeof(control)};
	struct ucred who;
	pair_open(sv, 0);
	CHECK(setsockopt(sv[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
	say(sv[0], "x");
	CHECK_EQ(recvmsg(sv[1], &msg, 0), 1);
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	CHECK(c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS);
	memcpy(&who, CMSG_DATA(c), sizeof(who));
	CHECK_EQ(who.pid, getpid());
	CHECK_EQ(who.uid, getuid());
}

CHECK_MAIN
