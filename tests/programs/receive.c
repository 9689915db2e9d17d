/* Every call that receives: the same bytes, counts and ends through each of them. */
#include "check.h"

#include <sys/ioctl.h>

/* What a program compiled with _FORTIFY_SOURCE calls instead. */
ssize_t __read_chk(int fd, void *buffer, size_t n, size_t size);
ssize_t __recv_chk(int fd, void *buffer, size_t n, size_t size, int flags);
ssize_t __recvfrom_chk(int fd, void *buffer, size_t n, size_t size, int flags,
                       struct sockaddr *address, socklen_t *length);

typedef ssize_t (*receiver)(int fd, void *buffer, size_t n);

static ssize_t by_read(int fd, void *buffer, size_t n)
{
	return read(fd, buffer, n);
}

static ssize_t by_read_chk(int fd, void *buffer, size_t n)
{
	return __read_chk(fd, buffer, n, n);
}

static ssize_t by_readv(int fd, void *buffer, size_t n)
{
	struct iovec iov = {buffer, n};
	return readv(fd, &iov, 1);
}

static ssize_t by_readv_split(int fd, void *buffer, size_t n)
{
	size_t first = n / 3;
	struct iovec iov[] = {{buffer, first}, {NULL, 0}, {(char *)buffer + first, n - first}};
	return readv(fd, iov, 3);
}

static ssize_t by_recv(int fd, void *buffer, size_t n)
{
	return recv(fd, buffer, n, 0);
}

static ssize_t by_recv_chk(int fd, void *buffer, size_t n)
{
	return __recv_chk(fd, buffer, n, n, 0);
}

static ssize_t by_recvfrom(int fd, void *buffer, size_t n)
{
	return recvfrom(fd, buffer, n, 0, NULL, NULL);
}

static ssize_t by_recvfrom_chk(int fd, void *buffer, size_t n)
{
	return __recvfrom_chk(fd, buffer, n, n, 0, NULL, NULL);
}

static ssize_t by_recvmsg(int fd, void *buffer, size_t n)
{
	struct iovec iov = {buffer, n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	return recvmsg(fd, &msg, 0);
}

static ssize_t by_recvmmsg(int fd, void *buffer, size_t n)
{
	struct iovec iov = {buffer, n};
	struct mmsghdr msg = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
	int got = recvmmsg(fd, &msg, 1, 0, NULL);
	return got < 0 ? got : (ssize_t)msg.msg_len;
}

static ssize_t by_syscall_read(int fd, void *buffer, size_t n)
{
	return syscall(SYS_read, fd, buffer, n);
}

static ssize_t by_syscall_readv(int fd, void *buffer, size_t n)
{
	struct iovec iov = {buffer, n};
	return syscall(SYS_readv, fd, &iov, 1);
}

static ssize_t by_syscall_recvfrom(int fd, void *buffer, size_t n)
{
	return syscall(SYS_recvfrom, fd, buffer, n, 0, NULL, NULL);
}

static ssize_t by_syscall_recvmsg(int fd, void *buffer, size_t n)
{
	struct iovec iov = {buffer, n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	return syscall(SYS_recvmsg, fd, &msg, 0);
}

static ssize_t by_syscall_recvmmsg(int fd, void *buffer, size_t n)
{
	struct iovec iov = {buffer, n};
	struct mmsghdr msg = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
	long got = syscall(SYS_recvmmsg, fd, &msg, 1, 0, NULL);
	return got < 0 ? got : (ssize_t)msg.msg_len;
}

/* Part, rest, nothing (EAGAIN), more, then the end, which stays. */
static void receives_like_read(receiver receive)
{
	char buffer[64];
	int sv[2];
	pair_open(sv, 0);
	say(sv[1], "hello, world");
	memset(buffer, '#', sizeof(buffer));
	CHECK_EQ(receive(sv[0], buffer, 5), 5);
	CHECK(memcmp(buffer, "hello#", 6) == 0);
	CHECK_EQ(receive(sv[0], buffer, sizeof(buffer)), 7);
	CHECK(memcmp(buffer, ", world#", 8) == 0);
	CHECK(fcntl(sv[0], F_SETFL, O_NONBLOCK) == 0);
	CHECK_FAILS(receive(sv[0], buffer, sizeof(buffer)), EAGAIN);
	say(sv[1], "x");
	say(sv[1], "yz");
	errno = 77;
	CHECK_EQ(receive(sv[0], buffer, sizeof(buffer)), 3);
	CHECK_EQ(errno, 77);
	CHECK(memcmp(buffer, "xyz", 3) == 0);
	say(sv[1], "last");
	CHECK(close(sv[1]) == 0);
	CHECK_EQ(receive(sv[0], buffer, sizeof(buffer)), 4);
	CHECK_EQ(receive(sv[0], buffer, sizeof(buffer)), 0);
	CHECK_EQ(receive(sv[0], buffer, sizeof(buffer)), 0);
}

struct blocked_receive {
	receiver receive;
	int fd;
	char buffer[16];
	ssize_t got;
};

static void *receive_blocked(void *argument)
{
	struct blocked_receive *b = argument;
	b->got = b->receive(b->fd, b->buffer, sizeof(b->buffer));
	return NULL;
}

/* A call that has to wait returns with the first bytes that come. */
static void waits_like_read(receiver receive)
{
	int sv[2];
	struct worker w;
	pair_open(sv, 0);
	struct blocked_receive b = {.receive = receive, .fd = sv[0]};
	worker_start(&w, receive_blocked, &b);
	wait_until_asleep(w.tid);
	say(sv[1], "wake");
	worker_join(&w);
	CHECK_EQ(b.got, 4);
	CHECK(memcmp(b.buffer, "wake", 4) == 0);
	worker_start(&w, receive_blocked, &b);
	wait_until_asleep(w.tid);
	CHECK(close(sv[1]) == 0);
	worker_join(&w);
	CHECK_EQ(b.got, 0);
}

#define RECEIVER(NAME)                                        \
	CASE(NAME##_receives) { receives_like_read(by_##NAME); } \
	CASE(NAME##_waits) { waits_like_read(by_##NAME); }

RECEIVER(read)
RECEIVER(read_chk)
RECEIVER(readv)
RECEIVER(readv_split)
RECEIVER(recv)
RECEIVER(recv_chk)
RECEIVER(recvfrom)
RECEIVER(recvfrom_chk)
RECEIVER(recvmsg)
RECEIVER(recvmmsg)
RECEIVER(syscall_read)
RECEIVER(syscall_readv)
RECEIVER(syscall_recvfrom)
RECEIVER(syscall_recvmsg)
RECEIVER(syscall_recvmmsg)

/* In the fortified build these are the checked twins. */
CASE(fortified_calls)
{
	char buffer[32];
	int sv[2];
	pair_open(sv, 0);
	say(sv[1], "abcdefghij");
	CHECK_EQ(read(sv[0], buffer, (size_t)opaque_number(2)), 2);
	CHECK_EQ(recv(sv[0], buffer + 2, (size_t)opaque_number(3), 0), 3);
	CHECK_EQ(recvfrom(sv[0], buffer + 5, (size_t)opaque_number(5), 0, NULL, NULL), 5);
	CHECK(memcmp(buffer, "abcdefghij", 10) == 0);
}

/* A length beyond the buffer's size is the program's bug, and libc says so. */
CASE(checked_read_aborts_on_overflow)
{
	int sv[2];
	pair_open(sv, 0);
	say(sv[1], "abcdefghij");
	pid_t pid = child_start();
	if (pid == 0) {
		char buffer[4];
		CHECK(close(2) == 0);
		(void)!__read_chk(sv[0], buffer, (size_t)opaque_number(8), sizeof(buffer));
		_exit(0);
	}
	int status = child_status(pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	hear(sv[0], "abcdefghij");
}

CASE(readv_scatters_over_buffers)
{
	char a[3], b[1], c[10];
	int sv[2];
	struct iovec iov[] = {{a, 3}, {b, 1}, {NULL, 0}, {c, 10}};
	pair_open(sv, 0);
	memset(c, '#', sizeof(c));
	say(sv[1], "abcdefg");
	CHECK_EQ(readv(sv[0], iov, 4), 7);
	CHECK(memcmp(a, "abc", 3) == 0 && b[0] == 'd' && memcmp(c, "efg#", 4) == 0);
}

CASE(readv_with_many_buffers)
{
	unsigned char bytes[1024];
	struct iovec iov[1024];
	int sv[2];
	pair_open(sv, 0);
	for (int i = 0; i < 1024; i++)
		iov[i] = (struct iovec){&bytes[i], 1};
	unsigned char sent[1024];
	pattern_make(sent, sizeof(sent), 0);
	CHECK_EQ(write(sv[1], sent, sizeof(sent)), sizeof(sent));
	CHECK_EQ(readv(sv[0], iov, 1024), 1024);
	pattern_check(bytes, sizeof(bytes), 0);
}

CASE(recvmsg_clears_what_it_returns)
{
	char buffer[8], control[64], name[64];
	int sv[2];
	struct iovec iov = {buffer, sizeof(buffer)};
	struct msghdr msg = {.msg_name = name, .msg_namelen = sizeof(name),
	                     .msg_iov = &iov, .msg_iovlen = 1,
	                     .msg_control = control, .msg_controllen = sizeof(control),
	                     .msg_flags = 0x7f};
	pair_open(sv, 0);
	say(sv[1], "abc");
	CHECK_EQ(recvmsg(sv[0], &msg, 0), 3);
	CHECK_EQ(msg.msg_namelen, 0);
	CHECK_EQ(msg.msg_controllen, 0);
	CHECK_EQ(msg.msg_flags, 0);
	CHECK(CMSG_FIRSTHDR(&msg) == NULL);
	CHECK(msg.msg_iov == &iov && msg.msg_iovlen == 1 && iov.iov_len == sizeof(buffer));
}

CASE(recvmsg_without_buffers)
{
	int sv[2];
	struct msghdr msg = {0};
	pair_open(sv, SOCK_NONBLOCK);
	CHECK_FAILS(recvmsg(sv[0], &msg, 0), EAGAIN);
	say(sv[1], "abc");
	CHECK_EQ(recvmsg(sv[0], &msg, 0), 0);
	hear(sv[0], "abc");
}

CASE(recvfrom_gives_an_empty_address)
{
	char buffer[8];
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	int sv[2];
	pair_open(sv, 0);
	say(sv[1], "abc");
	CHECK_EQ(recvfrom(sv[0], buffer, sizeof(buffer), 0, (struct sockaddr *)&address, &length), 3);
	CHECK_EQ(length, 0);
	say(sv[1], "abc");
	length = 0;
	CHECK_EQ(recvfrom(sv[0], buffer, sizeof(buffer), 0, (struct sockaddr *)&address, &length), 3);
	CHECK_EQ(length, 0);
}

CASE(recvmmsg_takes_what_is_there)
{
	char buffer[3][4];
	int sv[2];
	struct iovec iov[3];
	struct mmsghdr msgs[3] = {0};
	pair_open(sv, 0);
	for (int i = 0; i < 3; i++) {
		iov[i] = (struct iovec){buffer[i], 4};
		msgs[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	say(sv[1], "abcdefg");
	CHECK_EQ(recvmmsg(sv[0], msgs, 3, MSG_DONTWAIT, NULL), 2);
	CHECK_EQ(msgs[0].msg_len, 4);
	CHECK_EQ(msgs[1].msg_len, 3);
	CHECK(memcmp(buffer[0], "abcd", 4) == 0 && memcmp(buffer[1], "efg", 3) == 0);
	CHECK_FAILS(recvmmsg(sv[0], msgs, 3, MSG_DONTWAIT, NULL), EAGAIN);
}

CASE(recvmmsg_wait_for_one)
{
	char buffer[3][4];
	int sv[2];
	struct iovec iov[3];
	struct mmsghdr msgs[3] = {0};
	pair_open(sv, 0);
	for (int i = 0; i < 3; i++) {
		iov[i] = (struct iovec){buffer[i], 4};
		msgs[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	say(sv[1], "ab");
	CHECK_EQ(recvmmsg(sv[0], msgs, 3, MSG_WAITFORONE, NULL), 1);
	CHECK_EQ(msgs[0].msg_len, 2);
	CHECK_EQ(recvmmsg(sv[0], msgs, 0, MSG_DONTWAIT, NULL), 0);
}

CASE(recvmmsg_with_a_timeout)
{
	char buffer[4];
	int sv[2];
	struct iovec iov = {buffer, 4};
	struct mmsghdr msg = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
	struct timespec time = {5, 0};
	pair_open(sv, 0);
	say(sv[1], "ab");
	CHECK_EQ(recvmmsg(sv[0], &msg, 1, 0, &time), 1);
	CHECK_EQ(msg.msg_len, 2);
	struct timespec wrong = {-1, 0};
	CHECK_FAILS(recvmmsg(sv[0], &msg, 1, MSG_DONTWAIT, &wrong), EINVAL);
}

/* Messages run together, and a read may cross their borders. */
CASE(a_stream_has_no_borders)
{
	int sv[2];
	pair_open(sv, 0);
	for (int i = 0; i < 100; i++)
		say(sv[1], "abc");
	char buffer[301];
	CHECK_EQ(read(sv[0], buffer, sizeof(buffer)), 300);
}

CASE(both_directions_at_once)
{
	int sv[2];
	pair_open(sv, 0);
	say(sv[0], "to b");
	say(sv[1], "to a");
	hear(sv[0], "to a");
	hear(sv[1], "to b");
	hear_nothing(sv[0]);
	hear_nothing(sv[1]);
}

CASE(positional_calls_are_refused)
{
	char byte;
	int sv[2];
	struct iovec iov = {&byte, 1};
	pair_open(sv, 0);
	say(sv[1], "a");
	CHECK_FAILS(pread(sv[0], &byte, 1, 0), ESPIPE);
	CHECK_FAILS(preadv(sv[0], &iov, 1, 0), ESPIPE);
	CHECK_FAILS(lseek(sv[0], 0, SEEK_CUR), ESPIPE);
	hear(sv[0], "a");
}

/* An offset of -1 means the current position: like readv, also on a socket. */
CASE(preadv2_at_the_current_position)
{
	char buffer[8];
	int sv[2];
	struct iovec iov = {buffer, sizeof(buffer)};
	pair_open(sv, 0);
	say(sv[1], "abc");
	CHECK_EQ(preadv2(sv[0], &iov, 1, -1, 0), 3);
	CHECK(memcmp(buffer, "abc", 3) == 0);
	CHECK_FAILS(preadv2(sv[0], &iov, 1, -1, RWF_NOWAIT), EAGAIN);
}

CHECK_MAIN
