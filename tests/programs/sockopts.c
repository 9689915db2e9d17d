/* Socket options and ioctls that a program sets and asks of a pair. */
#include "check.h"

#include <linux/sockios.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <termios.h>

static int get_int(int fd, int option)
{
	int value = -1;
	socklen_t length = sizeof(value);
	CHECK(getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0);
	CHECK_EQ(length, sizeof(value));
	return value;
}

static void set_int(int fd, int option, int value)
{
	CHECK(setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value)) == 0);
}

static void set_timeout(int fd, int option, int ms)
{
	struct timeval t = {ms / 1000, ms % 1000 * 1000};
	CHECK(setsockopt(fd, SOL_SOCKET, option, &t, sizeof(t)) == 0);
}

static long now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

CASE(receive_timeout_gives_eagain)
{
	char buffer[8];
	int sv[2];
	struct iovec iov = {buffer, 8};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	pair_open(sv, 0);
	set_timeout(sv[1], SO_RCVTIMEO, 60);
	long start = now_ms();
	CHECK_FAILS(read(sv[1], buffer, 8), EAGAIN);
	CHECK(now_ms() - start >= 50);
	CHECK_FAILS(readv(sv[1], &iov, 1), EAGAIN);
	CHECK_FAILS(recv(sv[1], buffer, 8, 0), EAGAIN);
	CHECK_FAILS(recv(sv[1], buffer, 8, MSG_PEEK), EAGAIN);
	CHECK_FAILS(recvmsg(sv[1], &msg, 0), EAGAIN);
	say(sv[0], "abc");
	CHECK_EQ(read(sv[1], buffer, 8), 3);
}

CASE(receive_timeout_returns_a_part_of_waitall)
{
	char buffer[8];
	int sv[2];
	pair_open(sv, 0);
	set_timeout(sv[1], SO_RCVTIMEO, 60);
	say(sv[0], "abc");
	CHECK_EQ(recv(sv[1], buffer, 8, MSG_WAITALL), 3);
	CHECK_FAILS(recv(sv[1], buffer, 8, MSG_WAITALL), EAGAIN);
}

CASE(receive_timeout_is_read_back_and_removed)
{
	int sv[2];
	struct timeval t = {7, 7};
	socklen_t length = sizeof(t);
	pair_open(sv, 0);
	CHECK(getsockopt(sv[1], SOL_SOCKET, SO_RCVTIMEO, &t, &length) == 0);
	CHECK(t.tv_sec == 0 && t.tv_usec == 0);
	set_timeout(sv[1], SO_RCVTIMEO, 1500);
	CHECK(getsockopt(sv[1], SOL_SOCKET, SO_RCVTIMEO, &t, &length) == 0);
	CHECK(t.tv_sec == 1 && t.tv_usec == 500000);
	set_timeout(sv[1], SO_RCVTIMEO, 40);
	char byte;
	CHECK_FAILS(read(sv[1], &byte, 1), EAGAIN);
	set_timeout(sv[1], SO_RCVTIMEO, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		hear(sv[1], "a");
		_exit(0);
	}
	sleep_ms(100);
	say(sv[0], "a");
	child_join(pid);
}

CASE(send_timeout_gives_eagain)
{
	int sv[2];
	struct iovec iov = {"x", 1};
	pair_open(sv, 0);
	set_timeout(sv[0], SO_SNDTIMEO, 60);
	size_t full = fill(sv[0]);
	long start = now_ms();
	CHECK_FAILS(write(sv[0], "x", 1), EAGAIN);
	CHECK(now_ms() - start >= 50);
	CHECK_FAILS(writev(sv[0], &iov, 1), EAGAIN);
	CHECK_FAILS(send(sv[0], "x", 1, 0), EAGAIN);
	drain(sv[1], full, 0);
	say(sv[0], "abc");
	hear(sv[1], "abc");
	hear_nothing(sv[1]);
}

/* A long write that ran out of time tells how much went. */
CASE(send_timeout_returns_a_part)
{
	enum { SIZE = 4 << 20 };
	static unsigned char bytes[SIZE];
	int sv[2];
	pair_open(sv, 0);
	pattern_make(bytes, SIZE, 0);
	set_timeout(sv[0], SO_SNDTIMEO, 60);
	ssize_t sent = write(sv[0], bytes, SIZE);
	CHECK(sent > 0 && sent < SIZE);
	drain(sv[1], (size_t)sent, 0);
	hear_nothing(sv[1]);
}

CASE(low_water_mark_makes_a_read_wait)
{
	char buffer[16];
	int sv[2];
	pair_open(sv, 0);
	CHECK_EQ(get_int(sv[1], SO_RCVLOWAT), 1);
	set_int(sv[1], SO_RCVLOWAT, 4);
	CHECK_EQ(get_int(sv[1], SO_RCVLOWAT), 4);
	pid_t pid = child_start();
	if (pid == 0) {
		for (int i = 0; i < 3; i++) {
			sleep_ms(15);
			say(sv[0], "ab");
		}
		_exit(0);
	}
	ssize_t n = read(sv[1], buffer, sizeof(buffer));
	CHECK(n == 4 || n == 6);
	child_join(pid);
}

/* ... but not longer than the caller's length, and not when it must not wait. */
CASE(low_water_mark_has_bounds)
{
	char buffer[16];
	int sv[2];
	pair_open(sv, 0);
	set_int(sv[1], SO_RCVLOWAT, 8);
	say(sv[0], "abcd");
	CHECK_EQ(read(sv[1], buffer, 3), 3);
	CHECK_EQ(recv(sv[1], buffer, 16, MSG_DONTWAIT), 1);
	say(sv[0], "ab");
	CHECK_EQ(readiness(sv[1]) & POLLIN, POLLIN);
	CHECK(close(sv[0]) == 0);
	CHECK_EQ(read(sv[1], buffer, 16), 2);
	CHECK_EQ(read(sv[1], buffer, 16), 0);
	set_int(sv[1], SO_RCVLOWAT, 0);
	CHECK_EQ(get_int(sv[1], SO_RCVLOWAT), 1);
}

CASE(fionread_counts_what_is_unread)
{
	int sv[2], n = -1;
	pair_open(sv, 0);
	CHECK(ioctl(sv[1], FIONREAD, &n) == 0);
	CHECK_EQ(n, 0);
	say(sv[0], "abc");
	say(sv[0], "defg");
	CHECK(ioctl(sv[1], FIONREAD, &n) == 0);
	CHECK_EQ(n, 7);
	CHECK(ioctl(sv[1], SIOCINQ, &n) == 0);
	CHECK_EQ(n, 7);
	CHECK_EQ(syscall(SYS_ioctl, sv[1], FIONREAD, &n), 0);
	CHECK_EQ(n, 7);
	CHECK(ioctl(sv[0], FIONREAD, &n) == 0);
	CHECK_EQ(n, 0);
	hear(sv[1], "abcde");
	CHECK(ioctl(sv[1], FIONREAD, &n) == 0);
	CHECK_EQ(n, 2);
	CHECK(close(sv[0]) == 0);
	CHECK(ioctl(sv[1], FIONREAD, &n) == 0);
	CHECK_EQ(n, 2);
	hear(sv[1], "fg");
	CHECK(ioctl(sv[1], FIONREAD, &n) == 0);
	CHECK_EQ(n, 0);
}

/* The kernel counts its own overhead, so only zero or not is a promise. */
CASE(tiocoutq_is_zero_when_all_is_read)
{
	int sv[2], n = -1;
	pair_open(sv, 0);
	CHECK(ioctl(sv[0], TIOCOUTQ, &n) == 0);
	CHECK_EQ(n, 0);
	say(sv[0], "abc");
	CHECK(ioctl(sv[0], TIOCOUTQ, &n) == 0);
	CHECK(n >= 3);
	CHECK(ioctl(sv[1], SIOCOUTQ, &n) == 0);
	CHECK_EQ(n, 0);
	hear(sv[1], "abc");
	CHECK(ioctl(sv[0], SIOCOUTQ, &n) == 0);
	CHECK_EQ(n, 0);
	for (int i = 0; i < 10; i++) {
		say(sv[0], "abc");
		hear(sv[1], "abc");
	}
	CHECK(ioctl(sv[0], TIOCOUTQ, &n) == 0);
	CHECK_EQ(n, 0);
}

CASE(fionbio_switches_blocking)
{
	char byte;
	int sv[2], on = 1, off = 0;
	pair_open(sv, 0);
	CHECK(ioctl(sv[1], FIONBIO, &on) == 0);
	CHECK(fcntl(sv[1], F_GETFL) & O_NONBLOCK);
	CHECK_FAILS(read(sv[1], &byte, 1), EAGAIN);
	CHECK(ioctl(sv[0], FIONBIO, &on) == 0);
	size_t full = fill(sv[0]);
	CHECK_FAILS(write(sv[0], "x", 1), EAGAIN);
	drain(sv[1], full, 0);
	CHECK(ioctl(sv[1], FIONBIO, &off) == 0);
	CHECK((fcntl(sv[1], F_GETFL) & O_NONBLOCK) == 0);
	pid_t pid = child_start();
	if (pid == 0) {
		sleep_ms(30);
		say(sv[0], "a");
		_exit(0);
	}
	hear(sv[1], "a");
	child_join(pid);
}

CASE(setfl_switches_blocking)
{
	char byte;
	int sv[2];
	pair_open(sv, 0);
	CHECK_EQ(fcntl(sv[1], F_GETFL), O_RDWR);
	CHECK(fcntl(sv[1], F_SETFL, O_NONBLOCK) == 0);
	CHECK_EQ(fcntl(sv[1], F_GETFL), O_RDWR | O_NONBLOCK);
	CHECK_FAILS(read(sv[1], &byte, 1), EAGAIN);
	CHECK_EQ(fcntl(sv[0], F_GETFL), O_RDWR);
	CHECK(fcntl(sv[1], F_SETFL, 0) == 0);
	pid_t pid = child_start();
	if (pid == 0) {
		sleep_ms(30);
		say(sv[0], "a");
		_exit(0);
	}
	hear(sv[1], "a");
	child_join(pid);
}

CASE(flags_of_socketpair)
{
	int sv[2];
	pair_open(sv, SOCK_NONBLOCK | SOCK_CLOEXEC);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(fcntl(sv[i], F_GETFD), FD_CLOEXEC);
		CHECK_EQ(fcntl(sv[i], F_GETFL), O_RDWR | O_NONBLOCK);
	}
	pair_open(sv, 0);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(fcntl(sv[i], F_GETFD), 0);
		CHECK_EQ(fcntl(sv[i], F_GETFL), O_RDWR);
	}
}

CASE(buffer_sizes_are_doubled_and_read_back)
{
	int sv[2];
	pair_open(sv, 0);
	int send_default = get_int(sv[0], SO_SNDBUF), receive_default = get_int(sv[0], SO_RCVBUF);
	CHECK(send_default >= 4608 && receive_default >= 2304);
	set_int(sv[0], SO_SNDBUF, 10000);
	CHECK_EQ(get_int(sv[0], SO_SNDBUF), 20000);
	set_int(sv[0], SO_RCVBUF, 12000);
	CHECK_EQ(get_int(sv[0], SO_RCVBUF), 24000);
	CHECK_EQ(get_int(sv[1], SO_SNDBUF), send_default);
	CHECK_EQ(get_int(sv[1], SO_RCVBUF), receive_default);
	set_int(sv[0], SO_SNDBUF, 1);
	CHECK_EQ(get_int(sv[0], SO_SNDBUF), 4608);
	set_int(sv[0], SO_RCVBUF, 1);
	CHECK_EQ(get_int(sv[0], SO_RCVBUF), 2304);
}

/* Filling a pair has no effect on what the program reads of its buffer sizes. */
CASE(buffer_sizes_stay_when_full)
{
	int sv[2];
	pair_open(sv, 0);
	int before = get_int(sv[0], SO_SNDBUF);
	size_t full = fill(sv[0]);
	CHECK_EQ(get_int(sv[0], SO_SNDBUF), before);
	CHECK_EQ(readiness(sv[0]) & POLLOUT, 0);
	CHECK_EQ(get_int(sv[0], SO_SNDBUF), before);
	set_int(sv[0], SO_SNDBUF, 30000);
	CHECK_EQ(get_int(sv[0], SO_SNDBUF), 60000);
	drain(sv[1], full, 0);
	CHECK_EQ(get_int(sv[0], SO_SNDBUF), 60000);
}

CASE(a_smaller_send_buffer_takes_less)
{
	int sv[2];
	pair_open(sv, 0);
	size_t wide = fill(sv[0]);
	drain(sv[1], wide, 0);
	set_int(sv[0], SO_SNDBUF, 4000);
	size_t narrow = fill(sv[0]);
	CHECK(narrow > 0 && narrow < wide);
	drain(sv[1], narrow, 0);
	set_int(sv[0], SO_SNDBUF, get_int(sv[1], SO_SNDBUF) / 2);
	size_t again = fill(sv[0]);
	CHECK(again > narrow);
	drain(sv[1], again, 0);
}

CASE(forced_buffer_size)
{
	int sv[2], value = 10000;
	pair_open(sv, 0);
	if (setsockopt(sv[0], SOL_SOCKET, SO_SNDBUFFORCE, &value, sizeof(value)) < 0) {
		CHECK_EQ(errno, EPERM);
		return;
	}
	CHECK_EQ(get_int(sv[0], SO_SNDBUF), 20000);
}

CASE(short_option_values)
{
	int sv[2], value = 10000;
	char part[2] = {9, 9};
	socklen_t length = sizeof(part);
	pair_open(sv, 0);
	CHECK_FAILS(setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &value, 2), EINVAL);
	CHECK_FAILS(setsockopt(sv[0], SOL_SOCKET, SO_RCVLOWAT, NULL, sizeof(value)), EFAULT);
	CHECK_FAILS(setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, NULL, sizeof(value)), EFAULT);
	CHECK_FAILS(getsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &value, NULL), EFAULT);
	CHECK_FAILS(getsockopt(sv[0], SOL_SOCKET, 9999, &value, &length), ENOPROTOOPT);
	set_int(sv[0], SO_SNDBUF, 4608);
	CHECK(getsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, part, &length) == 0);
	CHECK_EQ(length, 2);
	CHECK_EQ((unsigned char)part[0] | (unsigned char)part[1] << 8, 9216);
}

CASE(what_kind_of_socket_it_is)
{
	int sv[2];
	pair_open(sv, 0);
	CHECK_EQ(get_int(sv[0], SO_TYPE), SOCK_STREAM);
	CHECK_EQ(get_int(sv[0], SO_DOMAIN), AF_UNIX);
	CHECK_EQ(get_int(sv[0], SO_PROTOCOL), 0);
	CHECK_EQ(get_int(sv[0], SO_ACCEPTCONN), 0);
	CHECK_EQ(get_int(sv[0], SO_ERROR), 0);
}

CASE(names_and_credentials)
{
	int sv[2];
	struct sockaddr_un name;
	socklen_t length = sizeof(name);
	struct ucred who;
	pair_open(sv, 0);
	CHECK(getsockname(sv[0], (struct sockaddr *)&name, &length) == 0);
	CHECK_EQ(length, sizeof(sa_family_t));
	CHECK_EQ(name.sun_family, AF_UNIX);
	length = sizeof(name);
	CHECK(getpeername(sv[0], (struct sockaddr *)&name, &length) == 0);
	CHECK_EQ(length, sizeof(sa_family_t));
	length = sizeof(who);
	CHECK(getsockopt(sv[0], SOL_SOCKET, SO_PEERCRED, &who, &length) == 0);
	CHECK_EQ(who.pid, getpid());
	CHECK_EQ(who.uid, getuid());
}

CASE(calls_that_a_pair_refuses)
{
	int sv[2];
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};
	pair_open(sv, 0);
	CHECK_FAILS(listen(sv[0], 1), EINVAL);
	CHECK_FAILS(accept(sv[0], NULL, NULL), EINVAL);
	CHECK_FAILS(connect(sv[0], (struct sockaddr *)&name, sizeof(name)), ENOENT);
	CHECK_EQ(isatty(sv[0]), 0);
	struct termios t;
	CHECK(tcgetattr(sv[0], &t) == -1);
	say(sv[0], "still works");
	hear(sv[1], "still works");
}

CASE(a_pair_can_be_bound)
{
	int sv[2];
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct sockaddr_un peer;
	socklen_t length = sizeof(peer);
	char byte;
	pair_open(sv, 0);
	snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "weir-test-%d", getpid());
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name.sun_path + 1));
	CHECK(bind(sv[0], (struct sockaddr *)&name, size) == 0);
	CHECK(getpeername(sv[1], (struct sockaddr *)&peer, &length) == 0);
	CHECK_EQ(length, size);
	say(sv[0], "a");
	length = sizeof(peer);
	CHECK_EQ(recvfrom(sv[1], &byte, 1, 0, (struct sockaddr *)&peer, &length), 1);
	CHECK_EQ(length, size);
	CHECK(memcmp(&peer, &name, size) == 0);
}

CASE(owner_and_signal_driven_io_settings)
{
	int sv[2];
	pair_open(sv, 0);
	CHECK(fcntl(sv[1], F_SETOWN, getpid()) == 0);
	CHECK_EQ(fcntl(sv[1], F_GETOWN), getpid());
	CHECK(fcntl(sv[1], F_SETFL, O_ASYNC) == 0);
	CHECK(fcntl(sv[1], F_GETFL) & O_ASYNC);
	CHECK(fcntl(sv[1], F_SETFL, 0) == 0);
}

static volatile sig_atomic_t sigios;

static void count_sigio(int number)
{
	(void)number;
	sigios++;
}

CASE(sigio_tells_of_arriving_data)
{
	int sv[2];
	pair_open(sv, 0);
	on_signal(SIGIO, count_sigio, SA_RESTART);
	CHECK(fcntl(sv[1], F_SETOWN, getpid()) == 0);
	CHECK(fcntl(sv[1], F_SETFL, O_ASYNC | O_NONBLOCK) == 0);
	say(sv[0], "a");
	for (int i = 0; i < 2000 && sigios == 0; i++)
		sleep_ms(1);
	CHECK(sigios >= 1);
	hear(sv[1], "a");
	int before = sigios;
	say(sv[0], "b");
	for (int i = 0; i < 2000 && sigios == before; i++)
		sleep_ms(1);
	CHECK(sigios > before);
	hear(sv[1], "b");
}

CHECK_MAIN
