/* Bad arguments: each gets the kernel's answer and moves nothing. */
#include "check.h"

#include <limits.h>
#include <sys/ioctl.h>

/* Addresses that no program has mapped, and that libraries hand out by mistake. */
static void *const bad_pointers[] = {NULL, (void *)1, (void *)8, (void *)4095};
enum { BAD_POINTERS = sizeof(bad_pointers) / sizeof(bad_pointers[0]) };

CASE(receiving_into_nowhere)
{
	int sv[2];
	pair_open(sv, SOCK_NONBLOCK);
	say(sv[0], "abc");
	for (int i = 0; i < BAD_POINTERS; i++) {
		void *bad = bad_pointers[i];
		struct iovec iov = {bad, 3};
		struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
		CHECK_FAILS(read(sv[1], bad, 3), EFAULT);
		CHECK_FAILS(recv(sv[1], bad, 3, 0), EFAULT);
		CHECK_FAILS(recv(sv[1], bad, 3, MSG_PEEK), EFAULT);
		CHECK_FAILS(recvfrom(sv[1], bad, 3, 0, NULL, NULL), EFAULT);
		CHECK_FAILS(readv(sv[1], &iov, 1), EFAULT);
		CHECK_FAILS(recvmsg(sv[1], &msg, 0), EFAULT);
		CHECK_FAILS(syscall(SYS_read, sv[1], bad, 3), EFAULT);
	}
	hear(sv[1], "abc");
}

CASE(an_empty_pair_is_eagain_before_efault)
{
	int sv[2];
	pair_open(sv, SOCK_NONBLOCK);
	for (int i = 0; i < BAD_POINTERS; i++) {
		CHECK_FAILS(read(sv[1], bad_pointers[i], 3), EAGAIN);
		CHECK_FAILS(recv(sv[1], bad_pointers[i], 3, 0), EAGAIN);
	}
	CHECK(close(sv[0]) == 0);
	CHECK_EQ(read(sv[1], opaque(NULL), 3), 0);
}

CASE(sending_from_nowhere)
{
	int sv[2];
	pair_open(sv, SOCK_NONBLOCK);
	for (int i = 0; i < BAD_POINTERS; i++) {
		void *bad = bad_pointers[i];
		struct iovec iov = {bad, 3};
		struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
		CHECK_FAILS(write(sv[0], bad, 3), EFAULT);
		CHECK_FAILS(send(sv[0], bad, 3, 0), EFAULT);
		CHECK_FAILS(sendto(sv[0], bad, 3, 0, NULL, 0), EFAULT);
		CHECK_FAILS(writev(sv[0], &iov, 1), EFAULT);
		CHECK_FAILS(sendmsg(sv[0], &msg, 0), EFAULT);
		CHECK_FAILS(syscall(SYS_write, sv[0], bad, 3), EFAULT);
	}
	hear_nothing(sv[1]);
	CHECK_EQ(readiness(sv[1]) & POLLIN, 0);
}

CASE(nobody_there_is_epipe_before_efault)
{
	int sv[2];
	pair_open(sv, 0);
	CHECK(close(sv[1]) == 0);
	CHECK_FAILS(send(sv[0], NULL, 3, MSG_NOSIGNAL), EPIPE);
}

CASE(bad_vectors_and_headers)
{
	int sv[2];
	pair_open(sv, SOCK_NONBLOCK);
	say(sv[0], "abc");
	for (int i = 0; i < BAD_POINTERS; i++) {
		void *bad = bad_pointers[i];
		struct msghdr msg = {.msg_iov = bad, .msg_iovlen = 1};
		CHECK_FAILS(readv(sv[1], bad, 1), EFAULT);
		CHECK_FAILS(writev(sv[0], bad, 1), EFAULT);
		CHECK_FAILS(recvmsg(sv[1], bad, 0), EFAULT);
		CHECK_FAILS(sendmsg(sv[0], bad, 0), EFAULT);
		CHECK_FAILS(recvmsg(sv[1], &msg, 0), EFAULT);
		CHECK_FAILS(sendmsg(sv[0], &msg, 0), EFAULT);
		CHECK_FAILS(recvmmsg(sv[1], bad, 1, 0, NULL), EFAULT);
		CHECK_FAILS(sendmmsg(sv[0], bad, 1, 0), EFAULT);
	}
	hear(sv[1], "abc");
	hear_nothing(sv[1]);
}

CASE(good_buffers_before_a_bad_one)
{
	char buffer[3];
	int sv[2];
	struct iovec out[] = {{"abc", 3}, {NULL, 3}};
	struct iovec in[] = {{buffer, 3}, {NULL, 3}};
	pair_open(sv, SOCK_NONBLOCK);
	ssize_t n = writev(sv[0], out, 2);
	CHECK((n == -1 && errno == EFAULT) || n == 3);
	if (n == 3)
		hear(sv[1], "abc");
	hear_nothing(sv[1]);
	say(sv[0], "abc");
	CHECK_EQ(readv(sv[1], in, 2), 3);
	CHECK(memcmp(buffer, "abc", 3) == 0);
	hear_nothing(sv[1]);
}

CASE(bad_vector_counts)
{
	static struct iovec iov[UIO_MAXIOV + 1];
	int sv[2];
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = UIO_MAXIOV + 1};
	pair_open(sv, SOCK_NONBLOCK);
	say(sv[0], "abc");
	CHECK_FAILS(readv(sv[1], iov, (int)opaque_number(-1)), EINVAL);
	CHECK_FAILS(writev(sv[0], iov, (int)opaque_number(-1)), EINVAL);
	CHECK_FAILS(readv(sv[1], iov, UIO_MAXIOV + 1), EINVAL);
	CHECK_FAILS(writev(sv[0], iov, UIO_MAXIOV + 1), EINVAL);
	CHECK_FAILS(readv(sv[1], iov, (int)opaque_number(INT_MAX)), EINVAL);
	CHECK_FAILS(recvmsg(sv[1], &msg, 0), EMSGSIZE);
	CHECK_FAILS(sendmsg(sv[0], &msg, 0), EMSGSIZE);
	CHECK_FAILS(syscall(SYS_readv, sv[1], iov, -1L), EINVAL);
	hear(sv[1], "abc");
}

CASE(bad_vector_lengths)
{
	char buffer[4] = "wxyz";
	int sv[2];
	struct iovec negative = {buffer, (size_t)-1};
	struct msghdr msg = {.msg_iov = &negative, .msg_iovlen = 1};
	pair_open(sv, SOCK_NONBLOCK);
	say(sv[0], "abc");
	CHECK_FAILS(readv(sv[1], &negative, 1), EINVAL);
	CHECK_FAILS(writev(sv[0], &negative, 1), EINVAL);
	CHECK_FAILS(recvmsg(sv[1], &msg, 0), EINVAL);
	CHECK_FAILS(sendmsg(sv[0], &msg, 0), EINVAL);
	hear(sv[1], "abc");
	hear_nothing(sv[1]);
}

CASE(closed_descriptors)
{
	char buffer[4];
	struct iovec iov = {buffer, 4};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int sv[2];
	pair_open(sv, 0);
	CHECK(close(sv[0]) == 0 && close(sv[1]) == 0);
	const int fds[] = {-1, INT_MIN, INT_MAX, 1 << 20, sv[0], sv[1]};
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		int fd = fds[i], n;
		CHECK_FAILS(read(fd, buffer, 4), EBADF);
		CHECK_FAILS(write(fd, buffer, 4), EBADF);
		CHECK_FAILS(readv(fd, &iov, 1), EBADF);
		CHECK_FAILS(writev(fd, &iov, 1), EBADF);
		CHECK_FAILS(recv(fd, buffer, 4, 0), EBADF);
		CHECK_FAILS(send(fd, buffer, 4, 0), EBADF);
		CHECK_FAILS(recvfrom(fd, buffer, 4, 0, NULL, NULL), EBADF);
		CHECK_FAILS(sendto(fd, buffer, 4, 0, NULL, 0), EBADF);
		CHECK_FAILS(recvmsg(fd, &msg, 0), EBADF);
		CHECK_FAILS(sendmsg(fd, &msg, 0), EBADF);
		CHECK_FAILS(close(fd), EBADF);
		CHECK_FAILS(dup(fd), EBADF);
		CHECK_FAILS(dup2(fd, 700), EBADF);
		CHECK_FAILS(fcntl(fd, F_GETFL), EBADF);
		CHECK_FAILS(fcntl(fd, F_DUPFD, 0), EBADF);
		CHECK_FAILS(ioctl(fd, FIONREAD, &n), EBADF);
		CHECK_FAILS(shutdown(fd, SHUT_RD), EBADF);
		CHECK_FAILS(syscall(SYS_read, fd, buffer, 4), EBADF);
	}
}

CASE(not_a_socket)
{
	char byte;
	int ends[2];
	CHECK(pipe(ends) == 0);
	CHECK_FAILS(recv(ends[0], &byte, 1, 0), ENOTSOCK);
	CHECK_FAILS(send(ends[1], &byte, 1, 0), ENOTSOCK);
	CHECK_FAILS(shutdown(ends[1], SHUT_WR), ENOTSOCK);
	say(ends[1], "abc");
	hear(ends[0], "abc");
}

/* Not on the stack: above it there is no such length of addresses. */
CASE(huge_lengths)
{
	static char buffer[4];
	int sv[2];
	pair_open(sv, SOCK_NONBLOCK);
	say(sv[0], "abc");
	ssize_t n = recv(sv[1], opaque(buffer), (size_t)opaque_number(INT_MAX), MSG_PEEK);
	CHECK_EQ(n, 3);
	CHECK_EQ(read(sv[1], opaque(buffer), (size_t)opaque_number(INT_MAX)), 3);
	hear_nothing(sv[1]);
}

CASE(probes_of_socketpair)
{
	int sv[2];
	CHECK_FAILS(socketpair(AF_UNIX, SOCK_STREAM, 0, opaque(NULL)), EFAULT);
	CHECK_FAILS(socketpair(AF_UNIX, SOCK_STREAM, 0, opaque((void *)8)), EFAULT);
	CHECK_FAILS(socketpair(AF_UNIX, SOCK_STREAM, 77, sv), EPROTONOSUPPORT);
	CHECK_FAILS(socketpair(AF_UNIX, 0, 0, sv), ESOCKTNOSUPPORT);
	CHECK_FAILS(socketpair(AF_UNIX, 15, 0, sv), EINVAL);
	CHECK_FAILS(socketpair(AF_UNIX, SOCK_STREAM | 0x100000, 0, sv), EINVAL);
	CHECK_FAILS(socketpair(AF_INET, SOCK_STREAM, 0, sv), EOPNOTSUPP);
	CHECK_FAILS(socketpair(999, SOCK_STREAM, 0, sv), EAFNOSUPPORT);
	CHECK_FAILS(socketpair(-1, SOCK_STREAM, 0, sv), EAFNOSUPPORT);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, PF_UNIX, sv) == 0);
	say(sv[0], "abc");
	hear(sv[1], "abc");
}

CASE(out_of_descriptors)
{
	int sv[2] = {-7, -8}, fds[64], n = 0;
	struct { unsigned long cur, max; } limit = {32, 32};
	CHECK(syscall(SYS_prlimit64, 0, 7 /* RLIMIT_NOFILE */, &limit, NULL) == 0);
	while (n < 64 && (fds[n] = open("/dev/null", O_RDONLY)) >= 0)
		n++;
	CHECK_EQ(errno, EMFILE);
	CHECK_FAILS(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), EMFILE);
	CHECK(close(fds[n - 1]) == 0);
	CHECK_FAILS(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), EMFILE);
	CHECK(sv[0] == -7 && sv[1] == -8);
	CHECK(close(fds[n - 2]) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == 0);
	CHECK_FAILS(dup(sv[0]), EMFILE);
	CHECK_FAILS(fcntl(sv[0], F_DUPFD, 0), EMFILE);
	say(sv[0], "abc");
	hear(sv[1], "abc");
}

CASE(errno_is_kept_on_success)
{
	char byte;
	int sv[2];
	errno = 77;
	pair_open(sv, 0);
	CHECK_EQ(errno, 77);
	CHECK(write(sv[0], "a", 1) == 1 && read(sv[1], &byte, 1) == 1);
	CHECK_EQ(errno, 77);
	size_t full = fill(sv[0]);
	errno = 77;
	drain(sv[1], full, 0);
	CHECK_EQ(errno, 77);
	CHECK(shutdown(sv[0], SHUT_WR) == 0 && close(sv[0]) == 0);
	CHECK_EQ(read(sv[1], &byte, 1), 0);
	CHECK(close(sv[1]) == 0);
	CHECK_EQ(errno, 77);
}

CHECK_MAIN
