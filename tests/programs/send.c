/* Every call that sends: the same counts, errors and signals through each of them. */
#include "check.h"

#include <sys/sendfile.h>

typedef ssize_t (*sender)(int fd, const void *bytes, size_t n);

static ssize_t by_write(int fd, const void *bytes, size_t n)
{
	return write(fd, bytes, n);
}

static ssize_t by_writev(int fd, const void *bytes, size_t n)
{
	struct iovec iov = {(void *)bytes, n};
	return writev(fd, &iov, 1);
}

static ssize_t by_writev_split(int fd, const void *bytes, size_t n)
{
	size_t first = n / 3;
	struct iovec iov[] = {{(void *)bytes, first}, {NULL, 0}, {(char *)bytes + first, n - first}};
	return writev(fd, iov, 3);
}

static ssize_t by_send(int fd, const void *bytes, size_t n)
{
	return send(fd, bytes, n, 0);
}

static ssize_t by_sendto(int fd, const void *bytes, size_t n)
{
	return sendto(fd, bytes, n, 0, NULL, 0);
}

static ssize_t by_sendmsg(int fd, const void *bytes, size_t n)
{
	struct iovec iov = {(void *)bytes, n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	return sendmsg(fd, &msg, 0);
}

static ssize_t by_sendmmsg(int fd, const void *bytes, size_t n)
{
	struct iovec iov = {(void *)bytes, n};
	struct mmsghdr msg = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
	int sent = sendmmsg(fd, &msg, 1, 0);
	return sent < 0 ? sent : (ssize_t)msg.msg_len;
}

static ssize_t by_syscall_write(int fd, const void *bytes, size_t n)
{
	return syscall(SYS_write, fd, bytes, n);
}

static ssize_t by_syscall_writev(int fd, const void *bytes, size_t n)
{
	struct iovec iov = {(void *)bytes, n};
	return syscall(SYS_writev, fd, &iov, 1);
}

static ssize_t by_syscall_sendto(int fd, const void *bytes, size_t n)
{
	return syscall(SYS_sendto, fd, bytes, n, 0, NULL, 0);
}

static ssize_t by_syscall_sendmsg(int fd, const void *bytes, size_t n)
{
	struct iovec iov = {(void *)bytes, n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	return syscall(SYS_sendmsg, fd, &msg, 0);
}

static ssize_t by_syscall_sendmmsg(int fd, const void *bytes, size_t n)
{
	struct iovec iov = {(void *)bytes, n};
	struct mmsghdr msg = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
	long sent = syscall(SYS_sendmmsg, fd, &msg, 1, 0);
	return sent < 0 ? sent : (ssize_t)msg.msg_len;
}

/* A file of n bytes of the test stream, at its start. */
static int file_of(const void *bytes, size_t n)
{
	int file = memfd_create("bytes", MFD_CLOEXEC);
	CHECK(file >= 0);
	CHECK_EQ(write(file, bytes, n), n);
	CHECK_EQ(lseek(file, 0, SEEK_SET), 0);
	return file;
}

/* sendfile sends the bytes that fit; when none do it fails as write does. */
static ssize_t by_sendfile(int fd, const void *bytes, size_t n)
{
	int file = file_of(bytes, n);
	ssize_t sent = sendfile(fd, file, NULL, n);
	int error = errno;
	close(file);
	errno = error;
	return sent;
}

static ssize_t by_splice(int fd, const void *bytes, size_t n)
{
	int ends[2];
	CHECK(pipe(ends) == 0);
	CHECK_EQ(write(ends[1], bytes, n), n);
	int flags = fcntl(fd, F_GETFL) & O_NONBLOCK ? SPLICE_F_NONBLOCK : 0;
	ssize_t sent = splice(ends[0], NULL, fd, NULL, n, (unsigned)flags);
	int error = errno;
	close(ends[0]);
	close(ends[1]);
	errno = error;
	return sent;
}

static volatile sig_atomic_t sigpipes;

static void count_sigpipe(int number)
{
	(void)number;
	sigpipes++;
}

static void sends_like_write(sender send_bytes)
{
	int sv[2];
	pair_open(sv, 0);
	errno = 77;
	CHECK_EQ(send_bytes(sv[0], "hello, ", 7), 7);
	CHECK_EQ(send_bytes(sv[0], "world", 5), 5);
	CHECK_EQ(errno, 77);
	hear(sv[1], "hello, world");
	hear_nothing(sv[1]);
}

static void refuses_like_write(sender send_bytes)
{
	int sv[2];
	pair_open(sv, 0);
	size_t full = fill(sv[0]);
	CHECK(fcntl(sv[0], F_SETFL, O_NONBLOCK) == 0);
	CHECK_FAILS(send_bytes(sv[0], "more", 4), EAGAIN);
	drain(sv[1], full, 0);
	hear_nothing(sv[1]);
	CHECK_EQ(send_bytes(sv[0], "more", 4), 4);
	hear(sv[1], "more");
}

static void breaks_like_write(sender send_bytes)
{
	int sv[2];
	on_signal(SIGPIPE, count_sigpipe, 0);
	pair_open(sv, 0);
	CHECK_EQ(send_bytes(sv[0], "a", 1), 1);
	hear(sv[1], "a");
	CHECK(close(sv[1]) == 0);
	for (int i = 1; i <= 3; i++) {
		CHECK_FAILS(send_bytes(sv[0], "more", 4), EPIPE);
		CHECK_EQ(sigpipes, i);
	}
}

struct blocked_send {
	sender send_bytes;
	int fd;
	ssize_t sent;
};

static void *send_blocked(void *argument)
{
	struct blocked_send *b = argument;
	b->sent = b->send_bytes(b->fd, "four", 4);
	return NULL;
}

static void waits_like_write(sender send_bytes)
{
	int sv[2];
	struct worker w;
	pair_open(sv, 0);
	size_t full = fill(sv[0]);
	struct blocked_send b = {.send_bytes = send_bytes, .fd = sv[0]};
	worker_start(&w, send_blocked, &b);
	wait_until_asleep(w.tid);
	drain(sv[1], full, 0);
	hear(sv[1], "four");
	worker_join(&w);
	CHECK_EQ(b.sent, 4);
}

#define SENDER(NAME)                                           \
	CASE(NAME##_sends) { sends_like_write(by_##NAME); }    \
	CASE(NAME##_refuses) { refuses_like_write(by_##NAME); } \
	CASE(NAME##_breaks) { breaks_like_write(by_##NAME); }  \
	CASE(NAME##_waits) { waits_like_write(by_##NAME); }

SENDER(write)
SENDER(writev)
SENDER(writev_split)
SENDER(send)
SENDER(sendto)
SENDER(sendmsg)
SENDER(sendmmsg)
SENDER(syscall_write)
SENDER(syscall_writev)
SENDER(syscall_sendto)
SENDER(syscall_sendmsg)
SENDER(syscall_sendmmsg)
SENDER(sendfile)
SENDER(splice)

CASE(writev_gathers_buffers)
{
	int sv[2];
	struct iovec iov[] = {{"abc", 3}, {NULL, 0}, {"d", 1}, {"efg", 3}};
	pair_open(sv, 0);
	CHECK_EQ(writev(sv[0], iov, 4), 7);
	hear(sv[1], "abcdefg");
}

CASE(writev_with_many_buffers)
{
	unsigned char bytes[1024];
	struct iovec iov[1024];
	int sv[2];
	pair_open(sv, 0);
	pattern_make(bytes, sizeof(bytes), 0);
	for (int i = 0; i < 1024; i++)
		iov[i] = (struct iovec){&bytes[i], 1};
	CHECK_EQ(writev(sv[0], iov, 1024), 1024);
	drain(sv[1], 1024, 0);
}

CASE(sendmmsg_sends_several)
{
	int sv[2];
	struct iovec iov[] = {{"abc", 3}, {"de", 2}, {"fghi", 4}};
	struct mmsghdr msgs[3] = {0};
	for (int i = 0; i < 3; i++)
		msgs[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	pair_open(sv, 0);
	CHECK_EQ(sendmmsg(sv[0], msgs, 3, 0), 3);
	CHECK_EQ(msgs[0].msg_len, 3);
	CHECK_EQ(msgs[1].msg_len, 2);
	CHECK_EQ(msgs[2].msg_len, 4);
	CHECK_EQ(sendmmsg(sv[0], msgs, 0, 0), 0);
	hear(sv[1], "abcdefghi");
}

/* The error of a later message is not lost nor told: the count says it. */
CASE(sendmmsg_stops_at_an_error)
{
	int sv[2];
	struct iovec good = {"abc", 3}, bad = {NULL, 5};
	struct mmsghdr msgs[2] = {{.msg_hdr = {.msg_iov = &good, .msg_iovlen = 1}},
	                          {.msg_hdr = {.msg_iov = &bad, .msg_iovlen = 1}}};
	pair_open(sv, 0);
	CHECK_EQ(sendmmsg(sv[0], msgs, 2, 0), 1);
	hear(sv[1], "abc");
	hear_nothing(sv[1]);
}

CASE(sendfile_with_an_offset)
{
	int sv[2];
	off_t offset = 2;
	int file = file_of("abcdefgh", 8);
	pair_open(sv, 0);
	CHECK_EQ(sendfile(sv[0], file, &offset, 3), 3);
	CHECK_EQ(offset, 5);
	CHECK_EQ(lseek(file, 0, SEEK_CUR), 0);
	hear(sv[1], "cde");
	CHECK_EQ(sendfile(sv[0], file, NULL, 100), 8);
	CHECK_EQ(lseek(file, 0, SEEK_CUR), 8);
	CHECK_EQ(sendfile(sv[0], file, NULL, 100), 0);
	hear(sv[1], "abcdefgh");
	CHECK_EQ(syscall(SYS_sendfile, sv[0], file, &offset, 100), 3);
	hear(sv[1], "fgh");
}

CASE(sendfile64_is_the_same)
{
	int sv[2];
	off64_t offset = 1;
	int file = file_of("abcdefgh", 8);
	pair_open(sv, 0);
	CHECK_EQ(sendfile64(sv[0], file, &offset, 3), 3);
	CHECK_EQ(offset, 4);
	hear(sv[1], "bcd");
}

CASE(sendfile_moves_the_file_by_what_was_sent)
{
	int sv[2];
	pair_open(sv, SOCK_NONBLOCK);
	int file = memfd_create("big", 0);
	static unsigned char bytes[1 << 20];
	pattern_make(bytes, sizeof(bytes), 0);
	CHECK_EQ(write(file, bytes, sizeof(bytes)), sizeof(bytes));
	CHECK_EQ(lseek(file, 0, SEEK_SET), 0);
	size_t moved = 0;
	while (moved < sizeof(bytes)) {
		ssize_t n = sendfile(sv[0], file, NULL, sizeof(bytes) - moved);
		CHECK(n > 0 || (n < 0 && errno == EAGAIN));
		if (n > 0) {
			CHECK_EQ(lseek(file, 0, SEEK_CUR), moved + (size_t)n);
			drain(sv[1], (size_t)n, moved);
			moved += (size_t)n;
		}
	}
	hear_nothing(sv[1]);
}

CASE(sendfile_errors)
{
	int sv[2];
	off_t negative = -1;
	int file = file_of("abc", 3);
	pair_open(sv, 0);
	CHECK_FAILS(sendfile(sv[0], -1, NULL, 3), EBADF);
	CHECK_FAILS(sendfile(sv[0], file, &negative, 3), EINVAL);
	CHECK_EQ(sendfile(sv[0], file, NULL, 0), 0);
	hear_nothing(sv[1]);
}

CASE(splice_from_a_pair_to_a_pipe)
{
	int sv[2], ends[2];
	pair_open(sv, 0);
	CHECK(pipe(ends) == 0);
	say(sv[0], "abcdef");
	CHECK_EQ(splice(sv[1], NULL, ends[1], NULL, 4, 0), 4);
	hear(ends[0], "abcd");
	CHECK_EQ(splice(sv[1], NULL, ends[1], NULL, 100, 0), 2);
	hear(ends[0], "ef");
	CHECK_FAILS(splice(sv[1], NULL, ends[1], NULL, 100, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK(close(sv[0]) == 0);
	CHECK_EQ(splice(sv[1], NULL, ends[1], NULL, 100, 0), 0);
}

CASE(splice_from_a_pipe_takes_what_is_there)
{
	int sv[2], ends[2];
	pair_open(sv, 0);
	CHECK(pipe(ends) == 0);
	say(ends[1], "abcdef");
	CHECK_EQ(splice(ends[0], NULL, sv[0], NULL, 4, 0), 4);
	CHECK_EQ(splice(ends[0], NULL, sv[0], NULL, 100, SPLICE_F_MOVE), 2);
	hear(sv[1], "abcdef");
	CHECK(close(ends[1]) == 0);
	CHECK_EQ(splice(ends[0], NULL, sv[0], NULL, 100, 0), 0);
}

/* What the socket does not take stays in the pipe. */
CASE(splice_loses_nothing_when_the_pair_is_full)
{
	int sv[2], ends[2];
	pair_open(sv, 0);
	CHECK(pipe(ends) == 0);
	size_t full = fill(sv[0]);
	CHECK(fcntl(sv[0], F_SETFL, O_NONBLOCK) == 0);
	say(ends[1], "kept");
	CHECK_FAILS(splice(ends[0], NULL, sv[0], NULL, 4, SPLICE_F_NONBLOCK), EAGAIN);
	drain(sv[1], full, 0);
	CHECK_EQ(splice(ends[0], NULL, sv[0], NULL, 4, SPLICE_F_NONBLOCK), 4);
	hear(sv[1], "kept");
}

CASE(splice_errors)
{
	int sv[2], ends[2];
	loff_t offset = 0;
	pair_open(sv, 0);
	CHECK(pipe(ends) == 0);
	say(sv[0], "abc");
	CHECK_FAILS(splice(sv[1], NULL, sv[1], NULL, 3, 0), EINVAL);
	CHECK_FAILS(splice(sv[1], &offset, ends[1], NULL, 3, 0), EINVAL);
	CHECK_FAILS(splice(sv[1], NULL, -1, NULL, 3, 0), EBADF);
	CHECK_FAILS(splice(sv[1], NULL, ends[1], NULL, 3, 0x1000), EINVAL);
	hear(sv[1], "abc");
}

CASE(tee_and_vmsplice_are_for_pipes)
{
	int sv[2], ends[2];
	struct iovec iov = {"abc", 3};
	pair_open(sv, 0);
	CHECK(pipe(ends) == 0);
	say(sv[0], "abc");
	CHECK_FAILS(tee(sv[1], ends[1], 3, 0), EINVAL);
	CHECK_FAILS(vmsplice(sv[0], &iov, 1, 0), EBADF);
	hear(sv[1], "abc");
}

CASE(copy_file_range_is_for_files)
{
	int sv[2];
	int file = file_of("abc", 3);
	pair_open(sv, 0);
	CHECK_FAILS(copy_file_range(file, NULL, sv[0], NULL, 3, 0), EINVAL);
	hear_nothing(sv[1]);
}

CASE(positional_calls_are_refused)
{
	int sv[2];
	struct iovec iov = {"abc", 3};
	pair_open(sv, 0);
	CHECK_FAILS(pwrite(sv[0], "abc", 3, 0), ESPIPE);
	CHECK_FAILS(pwritev(sv[0], &iov, 1, 0), ESPIPE);
	hear_nothing(sv[1]);
}

CASE(pwritev2_at_the_current_position)
{
	int sv[2];
	struct iovec iov = {"abc", 3};
	pair_open(sv, 0);
	CHECK_EQ(pwritev2(sv[0], &iov, 1, -1, 0), 3);
	hear(sv[1], "abc");
}

CASE(an_address_is_refused)
{
	struct sockaddr_storage address = {.ss_family = AF_UNIX};
	struct iovec iov = {"abc", 3};
	int sv[2];
	struct msghdr msg = {.msg_name = &address, .msg_namelen = sizeof(sa_family_t),
	                     .msg_iov = &iov, .msg_iovlen = 1};
	pair_open(sv, 0);
	CHECK_FAILS(sendto(sv[0], "abc", 3, 0, (struct sockaddr *)&address, sizeof(sa_family_t)), EISCONN);
	CHECK_FAILS(sendmsg(sv[0], &msg, 0), EISCONN);
	CHECK_EQ(sendto(sv[0], "abc", 3, 0, (struct sockaddr *)&address, 0), 3);
	hear(sv[1], "abc");
	hear_nothing(sv[1]);
}

CASE(sendmsg_flags_of_the_header_are_ignored)
{
	int sv[2];
	struct iovec iov = {"abc", 3};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_flags = MSG_OOB | MSG_PEEK};
	pair_open(sv, 0);
	CHECK_EQ(sendmsg(sv[0], &msg, 0), 3);
	hear(sv[1], "abc");
}

CASE(sigpipe_kills_who_does_not_handle_it)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		close(sv[1]);
		close(sv[0]);
		pair_open(sv, 0);
		close(sv[1]);
		write(sv[0], "x", 1) == 0 ? _exit(3) : _exit(4);
	}
	int status = child_status(pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
}

CASE(ignored_sigpipe_leaves_epipe)
{
	int sv[2];
	signal(SIGPIPE, SIG_IGN);
	pair_open(sv, 0);
	CHECK(close(sv[1]) == 0);
	CHECK_FAILS(write(sv[0], "x", 1), EPIPE);
}

/* The signal goes to the thread that wrote, not to the process. */
CASE(blocked_sigpipe_is_pending_for_the_thread)
{
	int sv[2];
	sigset_t pending;
	block_signal(SIGPIPE);
	pair_open(sv, 0);
	CHECK(close(sv[1]) == 0);
	CHECK_FAILS(write(sv[0], "x", 1), EPIPE);
	CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE));
	struct timespec now = {0};
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	CHECK_EQ(sigtimedwait(&set, NULL, &now), SIGPIPE);
	CHECK_FAILS(sigtimedwait(&set, NULL, &now), EAGAIN);
}

CASE(nosignal_means_no_signal)
{
	int sv[2];
	struct iovec iov = {"abc", 3};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct mmsghdr many = {.msg_hdr = msg};
	pair_open(sv, 0);
	CHECK(close(sv[1]) == 0);
	CHECK_FAILS(send(sv[0], "abc", 3, MSG_NOSIGNAL), EPIPE);
	CHECK_FAILS(sendto(sv[0], "abc", 3, MSG_NOSIGNAL, NULL, 0), EPIPE);
	CHECK_FAILS(sendmsg(sv[0], &msg, MSG_NOSIGNAL), EPIPE);
	CHECK_FAILS(sendmmsg(sv[0], &many, 1, MSG_NOSIGNAL), EPIPE);
}

CASE(harmless_flags_are_accepted)
{
	int sv[2];
	pair_open(sv, 0);
	CHECK_EQ(send(sv[0], "a", 1, MSG_MORE), 1);
	CHECK_EQ(send(sv[0], "b", 1, MSG_EOR), 1);
	CHECK_EQ(send(sv[0], "c", 1, MSG_CONFIRM | MSG_DONTROUTE), 1);
	hear(sv[1], "abc");
}

CHECK_MAIN
