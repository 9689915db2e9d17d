/* Calls with arguments that are seldom given. */
#include "check.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

CASE(ioctl_without_a_place)
{
	int sv[2], on = 1;
	pair_open(sv, 0);
	CHECK_FAILS(ioctl(sv[0], FIONREAD, opaque(NULL)), EFAULT);
	CHECK_EQ(ioctl(sv[0], FIOASYNC, &on), 0);
	CHECK(fcntl(sv[0], F_GETFL) & O_ASYNC);
	CHECK_EQ(fcntl(sv[0], F_SETOWN, 0), 0);
	say(sv[1], "x");
	hear(sv[0], "x");
}

CASE(sockatmark_of_a_pipe)
{
	int pipes[2];
	CHECK_EQ(pipe(pipes), 0);
	CHECK(sockatmark(pipes[0]) < 0);
}

CASE(limits_the_wrong_way_round)
{
	struct rlimit wrong = {2UL << 40, 1UL << 40};
	int sv[2];
	pair_open(sv, 0);
	CHECK_FAILS(setrlimit(RLIMIT_AS, &wrong), EINVAL);
	CHECK_FAILS(prlimit(0, RLIMIT_AS, &wrong, NULL), EINVAL);
}

CASE(messages_without_bytes)
{
	char byte;
	struct iovec none = {&byte, 0};
	struct msghdr empty = {.msg_iov = &none, .msg_iovlen = 1};
	struct msghdr many = {.msg_iov = &none, .msg_iovlen = 5000};
	struct msghdr no_vector = {.msg_iovlen = 0};
	int sv[2];
	pair_open(sv, 0);
	CHECK_EQ(sendmsg(sv[0], &empty, 0), 0);
	CHECK_EQ(sendmsg(sv[0], &no_vector, 0), 0);
	CHECK_FAILS(sendmsg(sv[0], &many, 0), EMSGSIZE);
	CHECK_FAILS(recvmsg(sv[1], &many, MSG_DONTWAIT), EMSGSIZE);
	struct mmsghdr one = {.msg_hdr = empty};
	int pipes[2];
	CHECK_EQ(pipe(pipes), 0);
	CHECK_FAILS(sendmmsg(pipes[1], &one, 1, 0), ENOTSOCK);
	CHECK_FAILS(sendmsg(sv[0], &many, MSG_OOB), EMSGSIZE);
}

CASE(execveat_of_what_is_not_there)
{
	char *const words[] = {"nothing", NULL};
	char folder[] = "/tmp/corners-XXXXXX", link[64];
	int sv[2];
	pair_open(sv, 0);
	CHECK(mkdtemp(folder) != NULL);
	snprintf(link, sizeof(link), "%s/link", folder);
	CHECK_EQ(symlink("/bin/true", link), 0);
	CHECK_FAILS(execveat(AT_FDCWD, link, words, words + 1, AT_SYMLINK_NOFOLLOW), ELOOP);
	CHECK_FAILS(execveat(AT_FDCWD, "/no/such/file", words, words + 1, AT_SYMLINK_NOFOLLOW), ENOENT);
	CHECK_FAILS(execveat(AT_FDCWD, opaque(NULL), words, words + 1, 0), EFAULT);
	CHECK_EQ(unlink(link), 0);
	CHECK_EQ(rmdir(folder), 0);
	say(sv[0], "still");
	hear(sv[1], "still");
}

CASE(a_pair_of_the_child_of_a_vfork)
{
	int status;
	pid_t pid = vfork();
	if (pid == 0) {
		int sv[2];
		char byte = 0;
		_exit(socketpair(AF_UNIX, SOCK_STREAM, 0, sv) != 0 || write(sv[0], "x", 1) != 1 ||
		      read(sv[1], &byte, 1) != 1 || byte != 'x');
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static int wait_in_three_ways(int way, int epoll, struct epoll_event *event)
{
	struct timespec later = {10, 0};
	if (way == 0)
		return epoll_wait(epoll, event, 1, 10000);
	if (way == 1)
		return epoll_pwait(epoll, event, 1, 10000, NULL);
	return epoll_pwait2(epoll, event, 1, &later, NULL);
}

/* An event says that there is a byte, or, where a rule delays it, that there will be one. */
CASE(epoll_in_three_ways)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct timespec wrong = {0, 2000000000};
	char byte = 0;
	int sv[2];
	pair_open(sv, SOCK_NONBLOCK);
	int epoll = epoll_create1(0);
	CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, sv[1], &event), 0);
	CHECK_FAILS(epoll_pwait2(epoll, &event, 1, &wrong, NULL), EINVAL);
	for (int i = 0; i < 12; i++) {
		CHECK_EQ(write(sv[0], "x", 1), 1);
		do
			CHECK_EQ(wait_in_three_ways(i % 3, epoll, &event), 1);
		while (read(sv[1], &byte, 1) < 0 && errno == EAGAIN);
		CHECK_EQ(byte, 'x');
	}
	CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
}

/* A file that a stream's number comes to stand for. */
static FILE *reopened(const char *mode, int sv[2])
{
	static char path[64];
	pair_open(sv, 0);
	FILE *stream = fdopen(sv[0], "r+");
	CHECK(stream != NULL);
	int file = memfd_create("file", MFD_CLOEXEC);
	CHECK_EQ(write(file, "four", 4), 4);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	stream = freopen(path, mode, stream);
	CHECK(stream != NULL);
	return stream;
}

CASE(a_stream_becomes_a_file)
{
	char text[32] = "";
	int sv[2];
	FILE *stream = reopened("a+e", sv);
	CHECK(fcntl(fileno(stream), F_GETFD) & FD_CLOEXEC);
	CHECK(fcntl(fileno(stream), F_GETFL) & O_APPEND);
	CHECK(fputs(" more", stream) >= 0);
	CHECK_EQ(fflush(stream), 0);
	CHECK_EQ(fseek(stream, 2, SEEK_SET), 0);
	CHECK(fgets(text, sizeof(text), stream) != NULL);
	CHECK(!strcmp(text, "ur more"));
	CHECK_EQ(fclose(stream), 0);
	hear_end(sv[1]);
}

CASE(a_stream_becomes_nothing)
{
	int sv[2];
	pair_open(sv, 0);
	FILE *stream = fdopen(sv[0], "r+");
	errno = 0;
	CHECK(freopen("/no/such/file", "r", stream) == NULL);
	CHECK_EQ(errno, ENOENT);
	hear_end(sv[1]);
}

CASE(splice_that_cannot)
{
	int sv[2], pipes[2], full[2], only[2];
	char byte = 'x';
	pair_open(sv, 0);
	CHECK_EQ(pipe(pipes), 0);
	CHECK_FAILS(splice(pipes[0], NULL, sv[0], NULL, 10, SPLICE_F_NONBLOCK), EAGAIN);
	say(sv[0], "x");
	CHECK_EQ(pipe2(full, O_NONBLOCK), 0);
	while (write(full[1], &byte, 1) == 1)
		;
	CHECK_FAILS(splice(sv[1], NULL, full[1], NULL, 10, SPLICE_F_NONBLOCK), EAGAIN);
	hear(sv[1], "x");
	pair_open(only, SOCK_NONBLOCK);
	fill(only[0]);
	CHECK_EQ(write(pipes[1], "some", 4), 4);
	CHECK_FAILS(splice(pipes[0], NULL, only[0], NULL, 4, 0), EAGAIN);
	CHECK_EQ(read(pipes[0], &byte, 1), 1);
	CHECK_EQ(byte, 's');
}

CHECK_MAIN
