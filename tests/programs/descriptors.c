/* Descriptor numbers: which are open, what close_range and closefrom leave, and
 * numbers that were closed where no library could see it. */
#include "check.h"

#include <dirent.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>

/* The open descriptors below 1024, by asking each. */
static int count_open(void)
{
	int n = 0;
	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* The same by the kernel's own list, which also shows numbers out of that range. */
static int count_listed(void)
{
	int n = 0;
	DIR *list = opendir("/proc/self/fd");
	CHECK(list != NULL);
	while (readdir(list))
		n++;
	closedir(list);
	return n - 3; /* ".", ".." and the list itself */
}

static int lowest_free(void)
{
	int fd = open("/dev/null", O_RDONLY);
	CHECK(fd >= 0 && close(fd) == 0);
	return fd;
}

CASE(a_pair_takes_the_two_lowest_numbers)
{
	fill_gaps();
	int sv[2], first = lowest_free();
	pair_open(sv, 0);
	CHECK_EQ(sv[0], first);
	CHECK_EQ(sv[1], first + 1);
	CHECK_EQ(lowest_free(), first + 2);
	CHECK(close(sv[0]) == 0);
	CHECK_EQ(lowest_free(), first);
	int other[2];
	pair_open(other, 0);
	CHECK_EQ(other[0], first);
	CHECK_EQ(other[1], first + 2);
}

CASE(nothing_else_is_open)
{
	int sv[8][2], before = count_listed();
	CHECK_EQ(before, count_open());
	for (int i = 0; i < 8; i++) {
		pair_open(sv[i], 0);
		CHECK_EQ(count_listed(), before + 2 * (i + 1));
		size_t full = fill(sv[i][0]);
		CHECK_EQ(readiness(sv[i][0]) & POLLOUT, 0);
		drain(sv[i][1], full, 0);
		CHECK_EQ(count_listed(), before + 2 * (i + 1));
	}
	for (int i = 0; i < 8; i++)
		CHECK(close(sv[i][0]) == 0 && close(sv[i][1]) == 0);
	CHECK_EQ(count_listed(), before);
}

CASE(nothing_stays_open_after_a_fork)
{
	int sv[2], before = count_listed();
	pair_open(sv, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		CHECK_EQ(count_listed(), before + 2);
		say(sv[0], "abc");
		CHECK_EQ(count_listed(), before + 2);
		_exit(0);
	}
	child_join(pid);
	hear(sv[1], "abc");
	CHECK_EQ(count_listed(), before + 2);
}

CASE(it_is_a_socket)
{
	int sv[2];
	struct stat a, b;
	char path[64], target[64];
	pair_open(sv, 0);
	CHECK(fstat(sv[0], &a) == 0 && fstat(sv[1], &b) == 0);
	CHECK(S_ISSOCK(a.st_mode) && S_ISSOCK(b.st_mode));
	CHECK(a.st_ino != b.st_ino);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", sv[0]);
	CHECK(readlink(path, target, sizeof(target)) > 0);
	CHECK(strncmp(target, "socket:[", 8) == 0);
}

CASE(close_range_closes_marked_descriptors)
{
	int a[2], b[2];
	fill_gaps();
	pair_open(a, 0);
	pair_open(b, 0);
	int spare = fcntl(a[1], F_DUPFD, 100);
	CHECK(close_range((unsigned)a[0], (unsigned)b[0], 0) == 0);
	hear_end(spare);
	hear_end(b[1]);
	CHECK_FAILS(read(a[0], &spare, 1), EBADF);
	int again[2];
	pair_open(again, 0);
	CHECK(again[0] == a[0] && again[1] == a[1]);
	say(again[0], "abc");
	hear(again[1], "abc");
}

CASE(close_range_may_only_mark_for_exec)
{
	int sv[2];
	pair_open(sv, 0);
	CHECK(close_range((unsigned)sv[0], ~0U, CLOSE_RANGE_CLOEXEC) == 0);
	CHECK_EQ(fcntl(sv[0], F_GETFD), FD_CLOEXEC);
	say(sv[0], "abc");
	hear(sv[1], "abc");
	CHECK_FAILS(close_range(5, 4, 0), EINVAL);
	CHECK_FAILS(close_range((unsigned)sv[0], ~0U, 0x100), EINVAL);
	say(sv[0], "abc");
	hear(sv[1], "abc");
	CHECK(close_range((unsigned)sv[0], ~0U, CLOSE_RANGE_UNSHARE) == 0);
	CHECK_FAILS(write(sv[0], "x", 1), EBADF);
}

CASE(closefrom_closes_marked_descriptors)
{
	int a[2], b[2];
	fill_gaps();
	pair_open(a, 0);
	pair_open(b, 0);
	say(a[0], "abc");
	closefrom(a[1] + 1);
	CHECK_FAILS(write(b[0], "x", 1), EBADF);
	CHECK_FAILS(write(b[1], "x", 1), EBADF);
	hear(a[1], "abc");
	CHECK_EQ(lowest_free(), a[1] + 1);
	closefrom(a[0]);
	CHECK_FAILS(write(a[0], "x", 1), EBADF);
	pair_open(b, 0);
	CHECK(b[0] == a[0] && b[1] == a[1]);
	say(b[0], "abc");
	hear(b[1], "abc");
}

CASE(exact_numbers_after_closefrom)
{
	int sv[2];
	closefrom(3);
	CHECK_EQ(count_listed(), 3);
	pair_open(sv, 0);
	CHECK(sv[0] == 3 && sv[1] == 4);
	say(sv[0], "abc");
	hear(sv[1], "abc");
	closefrom(4);
	CHECK_EQ(count_listed(), 2 + 2);
	hear_end(sv[0]);
}

CASE(everything_closed_at_the_start)
{
	int sv[2];
	for (int fd = 0; fd < 4096; fd++)
		close(fd);
	pair_open(sv, 0);
	CHECK(sv[0] == 0 && sv[1] == 1);
	say(sv[0], "abc");
	hear(sv[1], "abc");
	size_t full = fill(sv[0]);
	drain(sv[1], full, 0);
	CHECK(close(sv[0]) == 0);
	hear_end(sv[1]);
}

CASE(everything_closed_raw_at_the_start)
{
	int sv[2];
	CHECK_EQ(syscall(SYS_close_range, 0, ~0U, 0), 0);
	pair_open(sv, 0);
	CHECK(sv[0] == 0 && sv[1] == 1);
	pid_t pid = fork();
	if (pid == 0) {
		CHECK(close(1) == 0);
		say(0, "from the child");
		_exit(0);
	}
	CHECK(close(0) == 0);
	hear(1, "from the child");
	child_join(pid);
	hear_end(1);
}

CASE(standard_descriptors_of_a_daemon)
{
	int sv[2];
	CHECK(close(0) == 0 && close(1) == 0);
	pair_open(sv, 0);
	CHECK(sv[0] == 0 && sv[1] == 1);
	say(0, "abc");
	hear(1, "abc");
}

/* ---- behind our back ---- */

static void close_unseen(int fd)
{
#if defined(__x86_64__)
	long result;
	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "0"((long)SYS_close), "D"((long)fd)
	                 : "rcx", "r11", "memory");
	CHECK_EQ(result, 0);
#else
	CHECK_EQ(syscall(SYS_close, fd), 0);
#endif
}

/* A pair whose first number is free again, without any call that a library sees. */
static int unseen(int sv[2])
{
	pair_open(sv, 0);
	say(sv[0], "abc");
	hear(sv[1], "abc");
	close_unseen(sv[0]);
	return sv[0];
}

CASE(closed_unseen_ends_the_stream)
{
	int sv[2];
	unseen(sv);
	hear_end(sv[1]);
	CHECK_FAILS(send(sv[1], "x", 1, MSG_NOSIGNAL), EPIPE);
}

/* Whoever must not wait may be told from memory that nothing is there; who waits meets it. */
CASE(closed_unseen_is_ebadf)
{
	char byte;
	int sv[2], fd = unseen(sv);
	CHECK_FAILS(close(fd), EBADF);
	fd = unseen(sv);
	CHECK_FAILS(fcntl(fd, F_GETFL), EBADF);
	CHECK_FAILS(recv(fd, &byte, 1, 0), EBADF);
}

CASE(reused_by_open)
{
	int sv[2], fd = unseen(sv);
	CHECK_EQ(open("/tmp", O_RDWR | O_TMPFILE, 0600), fd);
	say(fd, "to the file");
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	hear(fd, "to the file");
	hear_end(fd);
	hear_end(sv[1]);
}

CASE(reused_by_openat_and_creat)
{
	int sv[2], fd = unseen(sv);
	int file = openat(AT_FDCWD, "/dev/zero", O_RDWR);
	char byte = 'x';
	CHECK_EQ(file, fd);
	CHECK_EQ(read(file, &byte, 1), 1);
	CHECK_EQ(byte, 0);
	CHECK(close(file) == 0);
	fd = unseen(sv);
	CHECK_EQ(creat("/dev/null", 0600), fd);
	CHECK_EQ(write(fd, "abc", 3), 3);
}

CASE(reused_by_pipe)
{
	int sv[2], ends[2], fd = unseen(sv);
	CHECK(pipe(ends) == 0);
	CHECK_EQ(ends[0], fd);
	say(ends[1], "abc");
	hear(ends[0], "abc");
	CHECK_FAILS(recv(ends[0], sv, 1, 0), ENOTSOCK);
	CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
	fd = unseen(sv);
	CHECK(pipe2(ends, O_NONBLOCK) == 0);
	CHECK_EQ(ends[0], fd);
	say(ends[1], "abc");
	hear(ends[0], "abc");
}

CASE(reused_by_socket)
{
	int sv[2], fd = unseen(sv);
	char byte;
	CHECK_EQ(socket(AF_UNIX, SOCK_STREAM, 0), fd);
	CHECK_FAILS(send(fd, "x", 1, MSG_NOSIGNAL), ENOTCONN);
	CHECK_FAILS(recv(fd, &byte, 1, MSG_DONTWAIT), EINVAL);
}

CASE(reused_by_socketpair)
{
	int sv[2], other[2], fd = unseen(sv);
	pair_open(other, 0);
	CHECK_EQ(other[0], fd);
	say(other[0], "abc");
	hear(other[1], "abc");
	hear_end(sv[1]);
	close_unseen(other[0]);
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv) == 0);
	CHECK_EQ(sv[0], other[0]);
	char buffer[8];
	say(sv[0], "ab");
	say(sv[0], "cd");
	CHECK_EQ(read(sv[1], buffer, 8), 2);
	CHECK_EQ(read(sv[1], buffer, 8), 2);
}

CASE(reused_by_accept)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "weir-reuse-%d", getpid());
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name.sun_path + 1));
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(bind(listener, (struct sockaddr *)&name, size) == 0 && listen(listener, 4) == 0);
	for (int i = 0; i < 2; i++) {
		int client = socket(AF_UNIX, SOCK_STREAM, 0);
		CHECK(connect(client, (struct sockaddr *)&name, size) == 0);
		int sv[2], fd = unseen(sv);
		int server = i ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : accept(listener, NULL, NULL);
		CHECK_EQ(server, fd);
		say(client, "abc");
		hear(server, "abc");
		say(server, "def");
		hear(client, "def");
		CHECK(close(client) == 0);
		hear_end(server);
		CHECK(close(server) == 0);
	}
}

CASE(reused_by_dup)
{
	int sv[2], ends[2];
	CHECK(pipe(ends) == 0);
	int fd = unseen(sv);
	CHECK_EQ(dup(ends[1]), fd);
	say(fd, "abc");
	hear(ends[0], "abc");
	CHECK(close(fd) == 0);
	fd = unseen(sv);
	CHECK_EQ(fcntl(ends[1], F_DUPFD, 0), fd);
	say(fd, "abc");
	hear(ends[0], "abc");
}

CASE(reused_by_other_descriptors)
{
	uint64_t value = 1;
	sigset_t set;
	int sv[2], fd = unseen(sv);
	CHECK_EQ(eventfd(0, 0), fd);
	CHECK_EQ(write(fd, &value, 8), 8);
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK(close(fd) == 0);
	fd = unseen(sv);
	CHECK_EQ(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), fd);
	CHECK_FAILS(read(fd, &value, 8), EAGAIN);
	CHECK(close(fd) == 0);
	fd = unseen(sv);
	sigemptyset(&set);
	CHECK_EQ(signalfd(-1, &set, SFD_NONBLOCK), fd);
	CHECK_FAILS(read(fd, &value, 8), EINVAL);
	CHECK(close(fd) == 0);
	fd = unseen(sv);
	CHECK_EQ(memfd_create("reuse", 0), fd);
	say(fd, "abc");
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	hear(fd, "abc");
	CHECK(close(fd) == 0);
	fd = unseen(sv);
	CHECK_EQ(epoll_create1(0), fd);
	CHECK_FAILS(read(fd, &value, 8), EINVAL);
}

/* fopen and opendir open inside of libc, where nothing can be hooked. */
CASE(reused_by_fopen)
{
	int sv[2], fd = unseen(sv);
	char byte = 'x';
	FILE *file = fopen("/dev/zero", "r+");
	CHECK(file && fileno(file) == fd);
	CHECK_EQ(fgetc(file), 0);
	CHECK_EQ(read(fd, &byte, 1), 1);
	CHECK_EQ(byte, 0);
	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK(fclose(file) == 0);
}

CASE(reused_by_mkstemp)
{
	int sv[2], fd = unseen(sv);
	char path[] = "/tmp/weir-reuse-XXXXXX";
	CHECK_EQ(mkstemp(path), fd);
	unlink(path);
	say(fd, "abc");
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	hear(fd, "abc");
}

/* A child that is gone held the end as well, for a while. */
CASE(ends_with_short_lived_children)
{
	for (int i = 0; i < 300; i++) {
		int sv[2];
		pair_open(sv, 0);
		say(sv[0], "abc");
		pid_t pid = i % 50 ? 0 : child_start();
		if (i % 50 == 0 && pid == 0)
			_exit(0);
		CHECK(close(sv[0]) == 0);
		hear(sv[1], "abc");
		if (pid)
			child_join(pid);
		hear_end(sv[1]);
		CHECK(close(sv[1]) == 0);
	}
}

CHECK_MAIN
