/* The flags of receiving and sending, SO_PEEK_OFF, and calls of length zero. */
#include "check.h"

CASE(peek_leaves_the_bytes)
{
	char buffer[16] = "";
	int sv[2];
	pair_open(sv, 0);
	say(sv[0], "abcdef");
	CHECK_EQ(recv(sv[1], buffer, 3, MSG_PEEK), 3);
	CHECK(memcmp(buffer, "abc", 3) == 0);
	CHECK_EQ(recv(sv[1], buffer, sizeof(buffer), MSG_PEEK), 6);
	CHECK_EQ(recv(sv[1], buffer, sizeof(buffer), MSG_PEEK), 6);
	hear(sv[1], "abcdef");
	CHECK_FAILS(recv(sv[1], buffer, 3, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
	CHECK(close(sv[0]) == 0);
	CHECK_EQ(recv(sv[1], buffer, 3, MSG_PEEK), 0);
	CHECK_EQ(recv(sv[1], buffer, 3, MSG_PEEK), 0);
}

CASE(peek_through_every_call)
{
	char buffer[16];
	int sv[2];
	struct iovec iov = {buffer, sizeof(buffer)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct mmsghdr many = {.msg_hdr = msg};
	pair_open(sv, 0);
	say(sv[0], "abc");
	CHECK_EQ(recvfrom(sv[1], buffer, 16, MSG_PEEK, NULL, NULL), 3);
	CHECK_EQ(recvmsg(sv[1], &msg, MSG_PEEK), 3);
	CHECK_EQ(recvmmsg(sv[1], &many, 1, MSG_PEEK, NULL), 1);
	CHECK_EQ(many.msg_len, 3);
	CHECK_EQ(syscall(SYS_recvfrom, sv[1], buffer, 16, MSG_PEEK, NULL, NULL), 3);
	hear(sv[1], "abc");
}

struct writer {
	int fd;
	const char *pieces[4];
};

static void *write_slowly(void *argument)
{
	struct writer *w = argument;
	for (int i = 0; i < 4 && w->pieces[i]; i++) {
		sleep_ms(15);
		say(w->fd, w->pieces[i]);
	}
	return NULL;
}

static void *write_slowly_and_close(void *argument)
{
	struct writer *w = argument;
	write_slowly(w);
	CHECK(close(w->fd) == 0);
	return NULL;
}

CASE(peek_waits_for_the_first_byte)
{
	char buffer[16];
	int sv[2];
	struct worker w;
	pair_open(sv, 0);
	struct writer slow = {sv[0], {"abc"}};
	worker_start(&w, write_slowly, &slow);
	CHECK_EQ(recv(sv[1], buffer, sizeof(buffer), MSG_PEEK), 3);
	worker_join(&w);
	hear(sv[1], "abc");
}

CASE(waitall_gathers_the_whole_length)
{
	char buffer[16] = "";
	int sv[2];
	struct worker w;
	pair_open(sv, 0);
	struct writer slow = {sv[0], {"abc", "defg", "hij"}};
	worker_start(&w, write_slowly, &slow);
	CHECK_EQ(recv(sv[1], buffer, 9, MSG_WAITALL), 9);
	CHECK(memcmp(buffer, "abcdefghi", 9) == 0);
	worker_join(&w);
	hear(sv[1], "j");
}

CASE(waitall_ends_with_the_stream)
{
	char buffer[16] = "";
	int sv[2];
	struct worker w;
	pair_open(sv, 0);
	struct writer slow = {sv[0], {"abc", "de"}};
	worker_start(&w, write_slowly_and_close, &slow);
	CHECK_EQ(recv(sv[1], buffer, 9, MSG_WAITALL), 5);
	CHECK(memcmp(buffer, "abcde", 5) == 0);
	CHECK_EQ(recv(sv[1], buffer, 9, MSG_WAITALL), 0);
	worker_join(&w);
}

CASE(waitall_does_not_wait_on_a_nonblocking_end)
{
	char buffer[16];
	int sv[2];
	pair_open(sv, SOCK_NONBLOCK);
	say(sv[0], "abc");
	CHECK_EQ(recv(sv[1], buffer, 9, MSG_WAITALL), 3);
	CHECK_FAILS(recv(sv[1], buffer, 9, MSG_WAITALL), EAGAIN);
	say(sv[0], "abc");
	CHECK_EQ(recv(sv[1], buffer, 9, MSG_WAITALL | MSG_DONTWAIT), 3);
}

CASE(waitall_through_recvmsg_with_buffers)
{
	char a[4], b[5];
	int sv[2];
	struct worker w;
	struct iovec iov[] = {{a, 4}, {b, 5}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	pair_open(sv, 0);
	struct writer slow = {sv[0], {"abc", "defg", "hi"}};
	worker_start(&w, write_slowly, &slow);
	CHECK_EQ(recvmsg(sv[1], &msg, MSG_WAITALL), 9);
	CHECK(memcmp(a, "abcd", 4) == 0 && memcmp(b, "efghi", 5) == 0);
	worker_join(&w);
}

CASE(waitall_larger_than_any_buffer)
{
	enum { SIZE = 3 << 20 };
	static unsigned char bytes[SIZE];
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		pattern_make(bytes, SIZE, 0);
		CHECK_EQ(write(sv[0], bytes, SIZE), SIZE);
		_exit(0);
	}
	CHECK_EQ(recv(sv[1], bytes, SIZE, MSG_WAITALL), SIZE);
	pattern_check(bytes, SIZE, 0);
	child_join(pid);
}

CASE(dontwait_on_a_blocking_end)
{
	char byte;
	int sv[2];
	pair_open(sv, 0);
	CHECK_FAILS(recv(sv[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
	size_t full = fill(sv[0]);
	CHECK_FAILS(send(sv[0], "x", 1, MSG_DONTWAIT), EAGAIN);
	drain(sv[1], full, 0);
	CHECK_EQ(fcntl(sv[0], F_GETFL) & O_NONBLOCK, 0);
}

/* Streams ignore MSG_TRUNC: the count is what was stored. */
CASE(trunc_means_nothing_to_a_stream)
{
	char buffer[16];
	int sv[2];
	pair_open(sv, 0);
	say(sv[0], "abcdef");
	CHECK_EQ(recv(sv[1], buffer, 2, MSG_TRUNC), 2);
	CHECK(memcmp(buffer, "ab", 2) == 0);
	CHECK_EQ(recv(sv[1], buffer, 2, MSG_TRUNC | MSG_PEEK), 2);
	hear(sv[1], "cdef");
}

CASE(trunc_is_not_reported)
{
	char buffer[2];
	int sv[2];
	struct iovec iov = {buffer, 2};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	pair_open(sv, 0);
	say(sv[0], "abcdef");
	CHECK_EQ(recvmsg(sv[1], &msg, 0), 2);
	CHECK_EQ(msg.msg_flags, 0);
	hear(sv[1], "cdef");
}

CASE(peek_offset_walks_on)
{
	char buffer[16];
	int sv[2], offset = 1, got;
	socklen_t length = sizeof(got);
	pair_open(sv, 0);
	CHECK(getsockopt(sv[1], SOL_SOCKET, SO_PEEK_OFF, &got, &length) == 0);
	CHECK_EQ(got, -1);
	CHECK(setsockopt(sv[1], SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)) == 0);
	say(sv[0], "abcdef");
	CHECK_EQ(recv(sv[1], buffer, 2, MSG_PEEK), 2);
	CHECK(memcmp(buffer, "bc", 2) == 0);
	CHECK(getsockopt(sv[1], SOL_SOCKET, SO_PEEK_OFF, &got, &length) == 0);
	CHECK_EQ(got, 3);
	CHECK_EQ(recv(sv[1], buffer, 2, MSG_PEEK), 2);
	CHECK(memcmp(buffer, "de", 2) == 0);
	hear(sv[1], "abc");
	CHECK(getsockopt(sv[1], SOL_SOCKET, SO_PEEK_OFF, &got, &length) == 0);
	CHECK_EQ(got, 2);
	CHECK_EQ(recv(sv[1], buffer, 8, MSG_PEEK), 1);
	CHECK(buffer[0] == 'f');
	CHECK_FAILS(recv(sv[1], buffer, 8, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
	hear(sv[1], "def");
}

CASE(peek_offset_can_be_switched_off)
{
	char buffer[16];
	int sv[2], offset = 2, off = -1;
	pair_open(sv, 0);
	CHECK(setsockopt(sv[1], SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)) == 0);
	say(sv[0], "abcdef");
	CHECK_EQ(recv(sv[1], buffer, 16, MSG_PEEK), 4);
	CHECK(setsockopt(sv[1], SOL_SOCKET, SO_PEEK_OFF, &off, sizeof(off)) == 0);
	CHECK_EQ(recv(sv[1], buffer, 16, MSG_PEEK), 6);
	CHECK_EQ(recv(sv[1], buffer, 16, MSG_PEEK), 6);
	hear(sv[1], "abcdef");
}

CASE(peek_offset_waits_behind_what_was_peeked)
{
	char buffer[16];
	int sv[2], offset = 0;
	struct worker w;
	pair_open(sv, 0);
	CHECK(setsockopt(sv[1], SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)) == 0);
	say(sv[0], "abc");
	CHECK_EQ(recv(sv[1], buffer, 16, MSG_PEEK), 3);
	struct writer slow = {sv[0], {"de"}};
	worker_start(&w, write_slowly, &slow);
	CHECK_EQ(recv(sv[1], buffer, 16, MSG_PEEK), 2);
	CHECK(memcmp(buffer, "de", 2) == 0);
	worker_join(&w);
	hear(sv[1], "abcde");
}

CASE(zero_length_reads)
{
	char byte;
	int sv[2];
	struct iovec iov = {&byte, 0};
	pair_open(sv, 0);
	CHECK_EQ(read(sv[1], &byte, 0), 0);
	CHECK_EQ(readv(sv[1], &iov, 1), 0);
	CHECK_EQ(readv(sv[1], &iov, 0), 0);
	CHECK_FAILS(recv(sv[1], &byte, 0, MSG_DONTWAIT), EAGAIN);
	say(sv[0], "a");
	CHECK_EQ(read(sv[1], &byte, 0), 0);
	CHECK_EQ(recv(sv[1], &byte, 0, 0), 0);
	CHECK_EQ(read(sv[1], NULL, 0), 0);
	hear(sv[1], "a");
}

/* recv of nothing still waits for something to be there. */
CASE(zero_length_recv_waits)
{
	char byte;
	int sv[2];
	struct worker w;
	pair_open(sv, 0);
	struct writer slow = {sv[0], {"a"}};
	worker_start(&w, write_slowly, &slow);
	CHECK_EQ(recv(sv[1], &byte, 0, 0), 0);
	CHECK(readiness(sv[1]) & POLLIN);
	worker_join(&w);
	hear(sv[1], "a");
}

CASE(zero_length_writes)
{
	int sv[2];
	struct iovec iov = {NULL, 0};
	struct msghdr msg = {0};
	pair_open(sv, 0);
	CHECK_EQ(write(sv[0], "", 0), 0);
	CHECK_EQ(write(sv[0], NULL, 0), 0);
	CHECK_EQ(send(sv[0], NULL, 0, 0), 0);
	CHECK_EQ(writev(sv[0], &iov, 1), 0);
	CHECK_EQ(writev(sv[0], &iov, 0), 0);
	CHECK_EQ(sendmsg(sv[0], &msg, 0), 0);
	CHECK_EQ(readiness(sv[1]) & POLLIN, 0);
	hear_nothing(sv[1]);
	size_t full = fill(sv[0]);
	CHECK_EQ(write(sv[0], "", 0), 0);
	CHECK_EQ(send(sv[0], "", 0, MSG_DONTWAIT), 0);
	drain(sv[1], full, 0);
}

CASE(zero_length_write_to_nobody)
{
	int sv[2];
	pair_open(sv, 0);
	CHECK(close(sv[1]) == 0);
	CHECK_FAILS(send(sv[0], "", 0, MSG_NOSIGNAL), EPIPE);
	signal(SIGPIPE, SIG_IGN);
	CHECK_FAILS(write(sv[0], "", 0), EPIPE);
}

CASE(zero_length_read_at_the_end)
{
	char byte;
	int sv[2];
	pair_open(sv, 0);
	CHECK(close(sv[0]) == 0);
	CHECK_EQ(read(sv[1], &byte, 0), 0);
	CHECK_EQ(recv(sv[1], &byte, 0, 0), 0);
}

CASE(errqueue_has_nothing)
{
	char byte;
	int sv[2];
	pair_open(sv, 0);
	CHECK_FAILS(recv(sv[1], &byte, 1, MSG_ERRQUEUE | MSG_DONTWAIT), EAGAIN);
	say(sv[0], "a");
	hear(sv[1], "a");
}

CASE(cmsg_cloexec_is_harmless)
{
	char byte;
	int sv[2];
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	pair_open(sv, 0);
	say(sv[0], "a");
	CHECK_EQ(recvmsg(sv[1], &msg, MSG_CMSG_CLOEXEC), 1);
	CHECK_EQ(msg.msg_flags & ~MSG_CMSG_CLOEXEC, 0);
}

CHECK_MAIN
