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

/* ---- at the right byte, and once ---- */

/* A read ends with the last byte of a message that had descriptors; what was written
 * before may come in front of it. */
CASE(a_read_ends_with_their_message)
{
	char text[64] = "";
	int sv[2], ends[2], fds[4];
	ssize_t n;
	pair_open(sv, 0);
	CHECK(pipe(ends) == 0);
	for (int i = 0; i < 3; i++) {
		say(sv[0], "before ");
		CHECK_EQ(send_descriptors(sv[0], "with", &ends[1], 1), 4);
	}
	say(sv[0], "after");
	/* What the first of them comes behind may be a read of its own. */
	hear(sv[1], "before ");
	CHECK_EQ(receive_descriptors(sv[1], text, sizeof(text), fds, &n, 0), 1);
	CHECK(n == 4 && memcmp(text, "with", 4) == 0);
	CHECK(close(fds[0]) == 0);
	for (int i = 1; i < 3; i++) {
		CHECK_EQ(receive_descriptors(sv[1], text, sizeof(text), fds, &n, 0), 1);
		CHECK_EQ(n, 11);
		CHECK(memcmp(text, "before with", 11) == 0);
		CHECK(close(fds[0]) == 0);
	}
	hear(sv[1], "after");
	hear_nothing(sv[1]);
	CHECK(close(ends[1]) == 0);
	hear_end(ends[0]);
}

CASE(a_message_received_in_pieces)
{
	char text[64] = "";
	int sv[2], ends[2], fds[4];
	ssize_t n;
	pair_open(sv, 0);
	CHECK(pipe(ends) == 0);
	CHECK_EQ(send_descriptors(sv[0], "abcdef", &ends[1], 1), 6);
	CHECK_EQ(receive_descriptors(sv[1], text, 2, fds, &n, 0), 1);
	CHECK(n == 2 && memcmp(text, "ab", 2) == 0);
	CHECK_EQ(receive_descriptors(sv[1], text, 2, fds, &n, 0), 0);
	CHECK(n == 2 && memcmp(text, "cd", 2) == 0);
	hear(sv[1], "ef");
	hear_nothing(sv[1]);
}

/* How many descriptors come before the end, and at which byte of the stream. */
static size_t receive_all(int fd, size_t want, size_t *at)
{
	static char piece[1000];
	size_t have = 0, count = 0;
	while (have < want) {
		int fds[4];
		ssize_t n;
		size_t got = receive_descriptors(fd, piece, sizeof(piece), fds, &n, 0);
		CHECK(n > 0);
		pattern_check((unsigned char *)piece, (size_t)n, have);
		have += (size_t)n;
		for (size_t i = 0; i < got; i++)
			CHECK(close(fds[i]) == 0);
		if (got > 0)
			*at = have;
		count += got;
	}
	return count;
}

/* A send that does not fit: its descriptors are gone with the first of its bytes, or
 * with none of them when nothing went. */
CASE(a_short_send)
{
	static unsigned char big[600000];
	struct iovec iov = {big, sizeof(big)};
	union control control = {.bytes = {0}};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
	                     .msg_controllen = CMSG_SPACE(sizeof(int))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int sv[2], ends[2], size = 1 << 15;
	size_t at = 0;
	pair_open(sv, SOCK_NONBLOCK);
	CHECK(setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0);
	CHECK(fcntl(sv[1], F_SETFL, 0) == 0);
	CHECK(pipe(ends) == 0);
	pattern_make(big, sizeof(big), 0);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &ends[1], sizeof(int));
	ssize_t n = sendmsg(sv[0], &msg, 0);
	CHECK(n > 0 && n < (ssize_t)sizeof(big));
	CHECK_FAILS(sendmsg(sv[0], &msg, 0), EAGAIN);
	CHECK_EQ(receive_all(sv[1], (size_t)n, &at), 1);
	CHECK(at > 0);
	CHECK(close(ends[1]) == 0);
	hear_end(ends[0]);
}

CASE(a_message_without_bytes_carries_nothing)
{
	int sv[2], ends[2];
	pair_open(sv, 0);
	CHECK(pipe(ends) == 0);
	CHECK_EQ(send_descriptors(sv[0], "", &ends[1], 1), 0);
	hear_nothing(sv[1]);
	CHECK(close(ends[1]) == 0);
	hear_end(ends[0]);
}

CASE(looking_at_a_message_copies_its_descriptors)
{
	int sv[2], ends[2];
	pair_open(sv, 0);
	CHECK(pipe(ends) == 0);
	CHECK_EQ(send_descriptors(sv[0], "look", &ends[1], 1), 4);
	int first = receive_one(sv[1], "look", MSG_PEEK);
	int second = receive_one(sv[1], "look", 0);
	CHECK(first != second);
	say(first, "1");
	say(second, "2");
	hear(ends[0], "12");
	hear_nothing(sv[1]);
}

CASE(several_messages_in_one_call)
{
	enum { MESSAGES = 3 };
	union control control[MESSAGES];
	struct mmsghdr m[MESSAGES];
	struct iovec iov[MESSAGES];
	char text[MESSAGES][8];
	int sv[2], ends[2];
	pair_open(sv, 0);
	CHECK(pipe(ends) == 0);
	memset(m, 0, sizeof(m));
	for (int i = 0; i < MESSAGES; i++) {
		iov[i] = (struct iovec){(void *)"abc", 3};
		m[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1,
		                               .msg_control = &control[i],
		                               .msg_controllen = CMSG_SPACE(sizeof(int))};
		struct cmsghdr *c = CMSG_FIRSTHDR(&m[i].msg_hdr);
		*c = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
		memcpy(CMSG_DATA(c), &ends[1], sizeof(int));
	}
	CHECK_EQ(sendmmsg(sv[0], m, MESSAGES, 0), MESSAGES);
	for (int i = 0; i < MESSAGES; i++) {
		iov[i] = (struct iovec){text[i], sizeof(text[i])};
		m[i].msg_hdr.msg_controllen = sizeof(control[i]);
	}
	CHECK_EQ(recvmmsg(sv[1], m, MESSAGES, 0, NULL), MESSAGES);
	for (int i = 0; i < MESSAGES; i++) {
		int fd;
		struct cmsghdr *c = CMSG_FIRSTHDR(&m[i].msg_hdr);
		CHECK_EQ(m[i].msg_len, 3);
		CHECK(c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)));
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
		CHECK(close(fd) == 0);
	}
	CHECK(close(ends[1]) == 0);
	hear_end(ends[0]);
}

CASE(room_for_one_of_two)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char byte;
	int sv[2], ends[2], fd;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
	                     .msg_controllen = CMSG_LEN(sizeof(int))};
	pair_open(sv, 0);
	CHECK(pipe(ends) == 0);
	CHECK_EQ(send_descriptors(sv[0], "x", (int[]){ends[1], ends[1]}, 2), 1);
	CHECK_EQ(recvmsg(sv[1], &msg, 0), 1);
	CHECK_EQ(msg.msg_flags & MSG_CTRUNC, MSG_CTRUNC);
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	CHECK(c && c->cmsg_len == CMSG_LEN(sizeof(int)));
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	CHECK(close(fd) == 0 && close(ends[1]) == 0);
	hear_end(ends[0]);
}

/* ---- descriptors that nobody received ---- */

CASE(unread_descriptors_are_closed_with_the_pair)
{
	int sv[2], ends[2];
	pair_open(sv, 0);
	CHECK(pipe(ends) == 0);
	say(sv[0], "before");
	for (int i = 0; i < 3; i++)
		CHECK_EQ(send_descriptors(sv[0], "take", &ends[1], 1), 4);
	CHECK(close(ends[1]) == 0 && close(sv[0]) == 0);
	CHECK(close(sv[1]) == 0);
	hear_end(ends[0]);
}

CASE(an_unread_marked_end_is_closed_with_the_pair)
{
	int sv[2], other[2];
	pair_open(sv, 0);
	pair_open(other, 0);
	say(other[1], "left behind");
	CHECK_EQ(send_descriptors(sv[0], "take", &other[1], 1), 4);
	CHECK(close(other[1]) == 0 && close(sv[0]) == 0);
	hear(other[0], "left behind");
	hear_nothing(other[0]);
	CHECK(close(sv[1]) == 0);
	hear_end(other[0]);
	CHECK_FAILS(send(other[0], "x", 1, MSG_NOSIGNAL), EPIPE);
}

CASE(unread_descriptors_of_a_killed_process)
{
	int sv[2], other[2];
	pair_open(sv, 0);
	pair_open(other, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		CHECK(close(other[0]) == 0);
		CHECK_EQ(send_descriptors(sv[0], "take", &other[1], 1), 4);
		raise(SIGKILL);
	}
	CHECK(close(sv[0]) == 0 && close(other[1]) == 0);
	CHECK(WIFSIGNALED(child_status(pid)));
	CHECK(close(sv[1]) == 0);
	hear_end(other[0]);
}

/* ---- between processes ---- */

CASE(an_end_of_the_channel_itself)
{
	int sv[2];
	pair_open(sv, 0);
	CHECK_EQ(send_descriptors(sv[0], "take", &sv[1], 1), 4);
	int got = receive_one(sv[1], "take", 0);
	CHECK(close(sv[1]) == 0);
	say(sv[0], "round");
	hear(got, "round");
	CHECK(close(got) == 0);
	hear_end(sv[0]);
}

CASE(a_child_sends_a_pair_of_its_own)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		int own[2];
		CHECK(close(sv[0]) == 0);
		pair_open(own, 0);
		say(own[0], "early");
		CHECK_EQ(send_descriptors(sv[1], "take", &own[1], 1), 4);
		CHECK(close(own[1]) == 0);
		hear(own[0], "answer");
		_exit(0);
	}
	CHECK(close(sv[1]) == 0);
	int got = receive_one(sv[0], "take", 0);
	hear(got, "early");
	say(got, "answer");
	child_join(pid);
	hear_end(got);
}

CASE(an_end_that_travels_through_several_processes)
{
	enum { STATIONS = 5 };
	int first[2], way[2], travels[2];
	pair_open(travels, 0);
	pair_open(first, 0);
	int from = first[1];
	pid_t pids[STATIONS];
	for (int i = 0; i < STATIONS; i++) {
		pair_open(way, 0);
		pids[i] = child_start();
		if (pids[i] == 0) {
			CHECK(close(travels[0]) == 0 && close(travels[1]) == 0);
			int got = receive_one(from, "take", 0);
			say(got, "seen ");
			CHECK_EQ(send_descriptors(way[0], "take", &got, 1), 4);
			_exit(0);
		}
		CHECK(close(from) == 0 && close(way[0]) == 0);
		from = way[1];
	}
	CHECK_EQ(send_descriptors(first[0], "take", &travels[1], 1), 4);
	CHECK(close(travels[1]) == 0);
	int got = receive_one(from, "take", 0);
	hear(travels[0], "seen seen seen seen seen ");
	say(travels[0], "arrived");
	hear(got, "arrived");
	for (int i = 0; i < STATIONS; i++)
		child_join(pids[i]);
	CHECK(close(got) == 0);
	hear_end(travels[0]);
}

/* The program after the exec has never seen the pair that it gets. */
CASE(a_program_receives_through_its_standard_input)
{
	static const char script[] =
		"import socket, array; s = socket.socket(fileno=0);"
		"t, fds, _, _ = socket.recv_fds(s, 4, 1); p = socket.socket(fileno=fds[0]);"
		"p.sendall(t + p.recv(5) + b' from the program')";
	int sv[2], other[2];
	pair_open(sv, SOCK_CLOEXEC);
	pair_open(other, SOCK_CLOEXEC);
	pid_t pid = child_start();
	if (pid == 0) {
		CHECK(dup2(sv[1], 0) == 0);
		execl("/usr/bin/python3", "python3", "-c", script, NULL);
		_exit(1);
	}
	CHECK(close(sv[1]) == 0);
	CHECK_EQ(send_descriptors(sv[0], "take", &other[1], 1), 4);
	CHECK(close(other[1]) == 0);
	say(other[0], "hello");
	hear(other[0], "takehello from the program");
	child_join(pid);
	hear_end(other[0]);
}

/* ---- credentials ---- */

static ssize_t receive_credentials(int fd, char *text, size_t size, struct ucred *who)
{
	union {
		char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {text, size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
	                     .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &msg, 0);
	memset(who, 0, sizeof(*who));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_type == SCM_CREDENTIALS)
			memcpy(who, CMSG_DATA(c), sizeof(*who));
	return n;
}

CASE(credentials_of_a_child)
{
	char text[64];
	int sv[2], on = 1;
	struct ucred who;
	pair_open(sv, 0);
	CHECK(setsockopt(sv[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
	pid_t pid = child_start();
	if (pid == 0) {
		say(sv[1], "from the child");
		_exit(0);
	}
	CHECK_EQ(receive_credentials(sv[0], text, sizeof(text), &who), 14);
	CHECK_EQ(who.pid, pid);
	CHECK_EQ(who.uid, getuid());
	child_join(pid);
}

CASE(credentials_that_are_sent)
{
	char text[64];
	int sv[2], on = 1;
	struct ucred who = {getpid(), getuid(), getgid()}, got;
	union {
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control = {.bytes = {0}};
	struct iovec iov = {(void *)"signed", 6};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
	                     .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	*c = (struct cmsghdr){CMSG_LEN(sizeof(who)), SOL_SOCKET, SCM_CREDENTIALS};
	memcpy(CMSG_DATA(c), &who, sizeof(who));
	pair_open(sv, 0);
	CHECK(setsockopt(sv[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
	CHECK_EQ(sendmsg(sv[0], &msg, 0), 6);
	CHECK_EQ(receive_credentials(sv[1], text, sizeof(text), &got), 6);
	CHECK(got.pid == who.pid && got.uid == who.uid && got.gid == who.gid);
}

CASE(credentials_and_descriptors_together)
{
	char text[64];
	int sv[2], ends[2], on = 1;
	struct ucred who;
	pair_open(sv, 0);
	CHECK(pipe(ends) == 0);
	CHECK(setsockopt(sv[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
	CHECK_EQ(send_descriptors(sv[0], "both", &ends[1], 1), 4);
	CHECK_EQ(receive_credentials(sv[1], text, sizeof(text), &who), 4);
	CHECK_EQ(who.pid, getpid());
	on = 0;
	CHECK(setsockopt(sv[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
	say(sv[0], "none");
	CHECK_EQ(receive_credentials(sv[1], text, sizeof(text), &who), 4);
	CHECK_EQ(who.pid, 0);
}

CHECK_MAIN
