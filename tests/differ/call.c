/* Each call of a program, and what is to be seen of its result. */
#include "told.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"

enum {
	HIGH_PLACES = 100,
};

static _Thread_local unsigned char bytes[BYTES_MAX + SLACK];

/* ---- what is told ---- */

__attribute__((format(printf, 2, 3))) void tell(struct told *t, const char *format, ...)
{
	va_list list;
	size_t left = RESULT_MAX - t->used;

	va_start(list, format);
	int n = vsnprintf(t->me->result + t->used, left, format, list);
	va_end(list);
	t->used += (size_t)n < left ? (size_t)n : left - 1;
}

bool tell_result(struct told *t, long n)
{
	if (n < 0)
		tell(t, "%s", strerrorname_np(errno));
	else
		tell(t, "%ld", n);
	return n >= 0;
}

/* All bytes that the call might have touched, in one number. */
static void tell_bytes(struct told *t, size_t n)
{
	tell(t, " #%08x", hash_of(bytes, n + SLACK));
}

static void tell_events(struct told *t, unsigned int events)
{
	static const struct {
		const char *name;
		unsigned int bit;
	} word[] = {{"in", POLLIN},         {"pri", POLLPRI},       {"out", POLLOUT},
	            {"err", POLLERR},       {"hup", POLLHUP},       {"nval", POLLNVAL},
	            {"rdnorm", POLLRDNORM}, {"wrnorm", POLLWRNORM}, {"rdhup", POLLRDHUP}};
	const char *between = "";

	for (size_t i = 0; i < sizeof(word) / sizeof(word[0]); i++) {
		if (!(events & word[i].bit))
			continue;
		tell(t, "%s%s", between, word[i].name);
		events &= ~word[i].bit;
		between = "|";
	}
	if (events)
		tell(t, "%s0x%x", between, events);
}

/* ---- time ---- */

static struct timespec timespec_of(int ms)
{
	return (struct timespec){ms / 1000, ms % 1000 * 1000000L};
}

/* ---- places ---- */

static int *place(const struct actor *me, int number)
{
	return &stage->place[me->process][number];
}

/* ---- bytes ---- */

static size_t bounded(int n)
{
	return n < BYTES_MAX ? (size_t)n : BYTES_MAX;
}

static void make_bytes(uint64_t line, size_t n, size_t from)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = byte_of(line, from + i);
}

static size_t make_vector(const struct call *c, struct iovec iov[LIST_MAX])
{
	size_t total = 0;

	for (int i = 0; i < c->listed; i++) {
		size_t n = bounded(c->list[i].value);
		if (n > BYTES_MAX - total)
			n = BYTES_MAX - total;
		iov[i] = (struct iovec){bytes + total, n};
		total += n;
	}
	return total;
}

static size_t length_of(const struct call *c)
{
	struct iovec iov[LIST_MAX];

	return strchr(call_kinds[c->number], KIND_LENGTHS) ? make_vector(c, iov) : bounded(c->a[1]);
}

/* ---- calls that receive ---- */

static void tell_control(struct told *t, struct msghdr *msg, int *into)
{
	for (struct cmsghdr *m = CMSG_FIRSTHDR(msg); m; m = CMSG_NXTHDR(msg, m)) {
		tell(t, " level%d type%d", m->cmsg_level, m->cmsg_type);
		if (m->cmsg_level != SOL_SOCKET)
			continue;
		if (m->cmsg_type == SCM_RIGHTS)
			for (size_t at = 0; at + sizeof(int) <= m->cmsg_len - CMSG_LEN(0);
			     at += sizeof(int)) {
				int fd;
				memcpy(&fd, CMSG_DATA(m) + at, sizeof(fd));
				tell(t, " fd%d%s", fd, fcntl(fd, F_GETFD) ? "c" : "");
				if (into && *into < 0)
					*into = fd;
				else
					close(fd);
			}
		if (m->cmsg_type == SCM_CREDENTIALS) {
			struct ucred cred;
			memcpy(&cred, CMSG_DATA(m), sizeof(cred));
			tell(t, " uid%d", (int)cred.uid);
			for (int i = 0; i < ACTORS; i++)
				if (stage->actor[i].pid == cred.pid) {
					tell(t, " by%d", stage->actor[i].process);
					break;
				}
		}
	}
}

static long receive_message(struct told *t, int fd, const struct call *c, int *into)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(4 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec iov[LIST_MAX];
	char name[128];
	struct msghdr msg = {.msg_name = name,
	                     .msg_namelen = sizeof(name),
	                     .msg_iov = iov,
	                     .msg_iovlen = c->listed};

	make_vector(c, iov);
	if (into) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	long n = recvmsg(fd, &msg, c->a[2]);
	if (tell_result(t, n)) {
		tell(t, " flags%x name%d control%d", msg.msg_flags, (int)msg.msg_namelen,
		     (int)msg.msg_controllen);
		if (into)
			tell_control(t, &msg, into);
	}
	return n;
}

static long receive_messages(struct told *t, int fd, const struct call *c)
{
	struct timespec time = timespec_of(c->a[3]);
	struct mmsghdr messages[LIST_MAX];
	struct iovec iov[LIST_MAX];

	make_vector(c, iov);
	memset(messages, 0, sizeof(messages));
	for (int i = 0; i < c->listed; i++)
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	long n = recvmmsg(fd, messages, c->listed, c->a[2],
	                  c->number == CALL_recvmmsgt ? &time : NULL);
	tell_result(t, n);
	for (long i = 0; i < n; i++)
		tell(t, " %u/%x", messages[i].msg_len, messages[i].msg_hdr.msg_flags);
	return n;
}

static long receive_from(struct told *t, int fd, const struct call *c)
{
	char name[128];
	socklen_t length = sizeof(name);
	long n = recvfrom(fd, bytes, bounded(c->a[1]), c->a[2], (struct sockaddr *)name, &length);

	if (tell_result(t, n))
		tell(t, " name%d", (int)length);
	return n;
}

static void receives(struct told *t, const struct call *c)
{
	int *at = place(t->me, c->a[0]), fd = *at;
	size_t size = length_of(c);
	struct iovec iov[LIST_MAX];

	memset(bytes, UNTOUCHED, size + SLACK);
	make_vector(c, iov);
	switch (c->number) {
	case CALL_read:
		tell_result(t, read(fd, bytes, size));
		break;
	case CALL_readv:
		tell_result(t, readv(fd, iov, c->listed));
		break;
	case CALL_preadv2:
		tell_result(t, preadv2(fd, iov, c->listed, -1, 0));
		break;
	case CALL_recv:
		tell_result(t, recv(fd, bytes, size, c->a[2]));
		break;
	case CALL_recvfrom:
		receive_from(t, fd, c);
		break;
	case CALL_recvmsg:
		receive_message(t, fd, c, NULL);
		break;
	case CALL_recvmmsg:
	case CALL_recvmmsgt:
		receive_messages(t, fd, c);
		break;
	case CALL_preadv2f:
		tell_result(t, preadv2(fd, iov, c->listed, -1, c->a[2]));
		break;
	default:
		receive_message(t, fd, c, place(t->me, c->a[3]));
		break;
	}
	tell_bytes(t, size);
}

static void drain(struct told *t, const struct call *c)
{
	int fd = *place(t->me, c->a[0]);
	uint64_t hash = 0;
	size_t total = 0;
	ssize_t n;

	while ((n = recv(fd, bytes, 4096, MSG_DONTWAIT)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			hash = (hash ^ bytes[i]) * 1099511628211U;
		total += (size_t)n;
	}
	tell(t, "%zu #%08x then %s", total, (unsigned int)(hash >> 32),
	     n ? strerrorname_np(errno) : "end");
}

/* ---- calls that send ---- */

static long send_message(const struct actor *me, int fd, const struct call *c)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec iov[LIST_MAX];
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = c->listed};
	struct ucred cred = {.pid = getpid(), .uid = getuid(), .gid = getgid()};
	int passed[2] = {*place(me, c->a[3]), *place(me, c->a[4])};
	bool with_cred = c->number == CALL_sendcred;

	make_vector(c, iov);
	if (c->number != CALL_sendmsg) {
		size_t size = with_cred                   ? sizeof(cred)
		              : c->number == CALL_sendfds ? sizeof(passed)
		                                          : sizeof(int);
		memset(&control, 0, sizeof(control));
		control.align =
		        (struct cmsghdr){.cmsg_len = CMSG_LEN(size),
		                         .cmsg_level = SOL_SOCKET,
		                         .cmsg_type = with_cred ? SCM_CREDENTIALS : SCM_RIGHTS};
		memcpy(CMSG_DATA(&control.align), with_cred ? (void *)&cred : (void *)passed, size);
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(size);
	}
	return sendmsg(fd, &msg, c->a[2]);
}

/* What sendmmsg does, where somebody else has a turn between any two. */
static long send_apart(int fd, struct mmsghdr *messages, int count, int flags)
{
	static const struct timespec turn = {.tv_nsec = 300000};
	int n = 0;

	while (n < count && sendmmsg(fd, messages + n, 1, flags) == 1) {
		n++;
		nanosleep(&turn, NULL);
	}
	return n > 0 || count == 0 ? n : -1;
}

static void send_messages(struct told *t, int fd, const struct call *c)
{
	struct mmsghdr messages[LIST_MAX];
	struct iovec iov[LIST_MAX];

	make_vector(c, iov);
	memset(messages, 0, sizeof(messages));
	for (int i = 0; i < c->listed; i++)
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	long n = stage->way & STAGE_APART ? send_apart(fd, messages, c->listed, c->a[2])
	                                  : sendmmsg(fd, messages, c->listed, c->a[2]);
	tell_result(t, n);
	for (long i = 0; i < n; i++)
		tell(t, " %u", messages[i].msg_len);
}

static void sends(struct told *t, const struct call *c)
{
	int fd = *place(t->me, c->a[0]);
	size_t size = length_of(c);
	struct iovec iov[LIST_MAX];

	make_bytes((uint64_t)t->me->line, size, 0);
	make_vector(c, iov);
	switch (c->number) {
	case CALL_write:
		tell_result(t, write(fd, bytes, size));
		break;
	case CALL_writev:
		tell_result(t, writev(fd, iov, c->listed));
		break;
	case CALL_pwritev2:
		tell_result(t, pwritev2(fd, iov, c->listed, -1, 0));
		break;
	case CALL_send:
		tell_result(t, send(fd, bytes, size, c->a[2]));
		break;
	case CALL_sendto:
		tell_result(t, sendto(fd, bytes, size, c->a[2], NULL, 0));
		break;
	case CALL_sendmmsg:
		send_messages(t, fd, c);
		break;
	case CALL_sendnamed:
		odd_send_named(t, fd, c);
		break;
	case CALL_pwritev2f:
		tell_result(t, pwritev2(fd, iov, c->listed, -1, c->a[2]));
		break;
	default:
		tell_result(t, send_message(t->me, fd, c));
		break;
	}
}

/* How much fits is the one thing that is not told. */
static void fill(struct told *t, const struct call *c)
{
	int fd = *place(t->me, c->a[0]);
	size_t piece = bounded(c->a[1]) + 1;
	ssize_t n;

	stage->filled = stage->nibbled = 0;
	stage->filled_line = t->me->line;
	do {
		make_bytes((uint64_t)t->me->line, piece, (size_t)stage->filled);
		n = send(fd, bytes, piece, MSG_DONTWAIT | MSG_NOSIGNAL);
		stage->filled += n > 0 ? n : 0;
	} while (n > 0);
	tell(t, "%s %s", stage->filled ? "some" : "none", strerrorname_np(errno));
}

/* Where the numbers differ, so does how much is left; but not what is taken. */
static void nibble(struct told *t, const struct call *c)
{
	int fd = *place(t->me, c->a[0]);
	long left = stage->filled / 4 - stage->nibbled;
	size_t size = bounded(left < c->a[1] ? (left > 0 ? (int)left : 0) : c->a[1]);
	struct iovec iov[2] = {{bytes, size / 2}, {bytes + size / 2, size - size / 2}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	long n;

	memset(bytes, UNTOUCHED, size + SLACK);
	if (c->a[2] == 0)
		n = recv(fd, bytes, size, MSG_DONTWAIT);
	else
		n = c->a[2] == 1 ? read(fd, bytes, size) : recvmsg(fd, &msg, MSG_WAITALL);
	stage->nibbled += n > 0 ? n : 0;
	tell_result(t, n);
	tell_bytes(t, size);
}

static void unfill(struct told *t, const struct call *c)
{
	int fd = *place(t->me, c->a[0]);
	static _Thread_local unsigned char got[4096];
	size_t wanted = (size_t)stage->filled, done = (size_t)stage->nibbled;

	while (done < wanted) {
		size_t size = wanted - done < sizeof(got) ? wanted - done : sizeof(got);
		ssize_t n = recv(fd, got, size, MSG_DONTWAIT);
		if (n <= 0) {
			tell(t, "%s of what was put in, then %s", done ? "a part" : "nothing",
			     n ? strerrorname_np(errno) : "the end");
			break;
		}
		make_bytes((uint64_t)stage->filled_line, (size_t)n, done);
		if (memcmp(got, bytes, (size_t)n) != 0)
			tell(t, "wrong bytes from %zu on ", done);
		done += (size_t)n;
	}
	if (done == wanted)
		tell(t, "all of it");
	stage->filled = 0;
}

/* ---- descriptors ---- */

static void tell_new(struct told *t, int fd, int *into)
{
	if (tell_result(t, fd))
		*into = fd;
}

static void make_two(struct told *t, const struct call *c, int *a, int *b)
{
	int sv[2] = {-1, -1};
	int result = c->number == CALL_pipe ? pipe(sv)
	                                    : socketpair(AF_UNIX, SOCK_STREAM | c->a[2], 0, sv);

	if (result == 0) {
		*a = sv[0];
		*b = sv[1];
	}
	tell(t, "%d %d", sv[0], sv[1]);
}

static void close_some(struct told *t, int low, int high)
{
	if (low < 3 || high < low) {
		tell(t, "nothing");
		return;
	}
	tell_result(t, close_range((unsigned int)low, (unsigned int)high, 0));
	for (int i = 0; i < PLACES; i++)
		if (*place(t->me, i) >= low && *place(t->me, i) <= high)
			*place(t->me, i) = -1;
}

static void make_file(struct told *t, size_t size, int *a)
{
	int fd = memfd_create("differ", 0);

	make_bytes((uint64_t)t->me->line, size, 0);
	if (write(fd, bytes, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
		tell(t, "short ");
	tell_new(t, fd, a);
}

static void descriptors(struct told *t, const struct call *c)
{
	int *a = place(t->me, c->a[0]),
	    *b = strlen(call_kinds[c->number]) > 1 ? place(t->me, c->a[1] % PLACES) : NULL;

	switch (c->number) {
	case CALL_socketpair:
	case CALL_pipe:
		make_two(t, c, a, b);
		break;
	case CALL_close:
		if (tell_result(t, close(*a)))
			*a = -1;
		break;
	case CALL_close_range:
		close_some(t, *a, *b);
		break;
	case CALL_dup:
		tell_new(t, dup(*a), b);
		break;
	case CALL_dup2:
		tell_new(t, dup2(*a, *b), b);
		break;
	case CALL_dup3:
		tell_new(t, dup3(*a, *b, c->a[2]), b);
		break;
	case CALL_dup_to:
		tell_new(t,
		         fcntl(*a, c->a[2] % 2 ? F_DUPFD : F_DUPFD_CLOEXEC,
		               HIGH_PLACES + c->a[2] % 100),
		         b);
		break;
	case CALL_memfd:
		make_file(t, bounded(c->a[1]), a);
		break;
	default:
		tell_result(t, shutdown(*a, c->a[1]));
		break;
	}
}

static void moves(struct told *t, const struct call *c)
{
	int a = *place(t->me, c->a[0]), b = *place(t->me, c->a[1]);

	off_t offset = c->a[3];

	if (c->number == CALL_sendfile) {
		tell_result(t, sendfile(a, b, NULL, bounded(c->a[2])));
	} else if (c->number == CALL_sendpart) {
		tell_result(t, sendfile(a, b, &offset, bounded(c->a[2])));
		tell(t, " at%ld", (long)offset);
	} else if (c->number == CALL_splicef)
		tell_result(t, splice(a, NULL, b, NULL, bounded(c->a[2]),
		                      SPLICE_F_NONBLOCK | (unsigned int)c->a[3]));
	else if (c->number == CALL_tee)
		tell_result(t, tee(a, b, bounded(c->a[2]), SPLICE_F_NONBLOCK));
	else
		tell_result(t, splice(a, NULL, b, NULL, bounded(c->a[2]), SPLICE_F_NONBLOCK));
}

/* ---- state ---- */

static void request(struct told *t, const struct call *c)
{
	int fd = *place(t->me, c->a[0]), value = c->a[2];

	if (!tell_result(t, ioctl(fd, (unsigned long)c->a[1], &value)))
		return;
	if (c->a[1] == TIOCOUTQ) /* the kernel counts memory, not bytes: it is 0 only with none */
		tell(t, " %s", value ? "some" : "none");
	else
		tell(t, " %d", value);
}

static void set_option(struct told *t, const struct call *c)
{
	int fd = *place(t->me, c->a[0]);
	struct timeval time = {c->a[2] / 1000, c->a[2] % 1000 * 1000};
	struct linger linger = {0, 0};

	if (c->a[1] == SO_RCVTIMEO || c->a[1] == SO_SNDTIMEO)
		tell_result(t, setsockopt(fd, SOL_SOCKET, c->a[1], &time, sizeof(time)));
	else if (c->a[1] == SO_LINGER)
		tell_result(t, setsockopt(fd, SOL_SOCKET, c->a[1], &linger, sizeof(linger)));
	else
		tell_result(t, setsockopt(fd, SOL_SOCKET, c->a[1], &c->a[2], sizeof(int)));
}

static void get_option(struct told *t, const struct call *c)
{
	int fd = *place(t->me, c->a[0]);
	int value[4] = {0};
	socklen_t length = sizeof(value);

	if (!tell_result(t, getsockopt(fd, SOL_SOCKET, c->a[1], value, &length)))
		return;
	if (c->a[1] == SO_PEERCRED)
		value[0] = value[0] == stage->actor[0].pid;
	tell(t, " %d:%d,%d,%d,%d", (int)length, value[0], value[1], value[2], value[3]);
}

static void set_odd_option(struct told *t, const struct call *c)
{
	int value[4] = {c->a[2], 0, 0, 0};

	tell_result(t, setsockopt(*place(t->me, c->a[0]), SOL_SOCKET, c->a[1], value,
	                          (socklen_t)c->a[3]));
}

static void get_odd_option(struct told *t, const struct call *c)
{
	int value[4] = {-1, -1, -1, -1};
	socklen_t length = (socklen_t)c->a[2];

	if (tell_result(t, getsockopt(*place(t->me, c->a[0]), SOL_SOCKET, c->a[1], value, &length)))
		tell(t, " %d:%x,%x,%x,%x", (int)length, (unsigned int)value[0],
		     (unsigned int)value[1], (unsigned int)value[2], (unsigned int)value[3]);
}

static void state(struct told *t, const struct call *c)
{
	int fd = *place(t->me, c->a[0]);

	switch (c->number) {
	case CALL_getfl:
		tell_result(t, fcntl(fd, F_GETFL));
		break;
	case CALL_setfl:
		tell_result(t, fcntl(fd, F_SETFL, c->a[1]));
		break;
	case CALL_getfd:
		tell_result(t, fcntl(fd, F_GETFD));
		break;
	case CALL_setfd:
		tell_result(t, fcntl(fd, F_SETFD, c->a[1]));
		break;
	case CALL_ioctl:
		request(t, c);
		break;
	case CALL_setsockopt:
		set_option(t, c);
		break;
	case CALL_setoptn:
		set_odd_option(t, c);
		break;
	case CALL_getoptn:
		get_odd_option(t, c);
		break;
	case CALL_odd:
		odd_call(t, fd, c->a[1]);
		break;
	default:
		get_option(t, c);
		break;
	}
}

/* ---- readiness ---- */

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Nothing came: not before the time was over. */
static void tell_patience(struct told *t, int n, uint64_t start, int timeout_ms)
{
	if (n == 0 && timeout_ms > 0 && now_us() - start + 1000 < (uint64_t)timeout_ms * 1000)
		tell(t, " early");
}

static void poll_them(struct told *t, const struct call *c)
{
	struct pollfd fds[LIST_MAX];
	nfds_t count = c->listed;
	int ms = c->a[1], n;
	struct timespec time = timespec_of(ms);
	uint64_t start = now_us();

	for (int i = 0; i < c->listed; i++)
		fds[i] = (struct pollfd){.fd = *place(t->me, c->list[i].place),
		                         .events = (short)c->list[i].value,
		                         .revents = -1};
	if (c->a[2] == 0)
		n = poll(fds, count, ms);
	else if (c->a[2] == 1)
		n = ppoll(fds, count, ms < 0 ? NULL : &time, NULL);
	else
		n = (int)syscall(SYS_poll, fds, count, ms);
	tell_patience(t, n, start, ms);
	if (!tell_result(t, n))
		return;
	for (int i = 0; i < c->listed; i++) {
		tell(t, " d%d:", c->list[i].place);
		tell_events(t, (unsigned short)fds[i].revents);
	}
}

static void select_them(struct told *t, const struct call *c)
{
	static const short bit[3] = {POLLIN, POLLOUT, POLLPRI};
	fd_set set[3];
	int ms = c->a[1], highest = -1, n;
	struct timespec time = timespec_of(ms);
	struct timeval left = {ms / 1000, ms % 1000 * 1000};
	uint64_t start = now_us();

	for (int k = 0; k < 3; k++)
		FD_ZERO(&set[k]);
	for (int i = 0; i < c->listed; i++) {
		int fd = *place(t->me, c->list[i].place);
		if (fd < 0)
			continue;
		highest = fd > highest ? fd : highest;
		for (int k = 0; k < 3; k++)
			if (c->list[i].value & bit[k])
				FD_SET(fd, &set[k]);
	}
	if (c->a[2] == 0)
		n = select(highest + 1, &set[0], &set[1], &set[2], ms < 0 ? NULL : &left);
	else
		n = pselect(highest + 1, &set[0], &set[1], &set[2], ms < 0 ? NULL : &time, NULL);
	tell_patience(t, n, start, ms);
	if (!tell_result(t, n))
		return;
	for (int fd = 0; fd <= highest; fd++)
		for (int k = 0; k < 3; k++)
			if (FD_ISSET(fd, &set[k]))
				tell(t, " %c%d", "rwx"[k], fd);
}

static int by_place(const void *a, const void *b)
{
	const struct epoll_event *x = a, *y = b;

	if (x->data.u64 != y->data.u64)
		return x->data.u64 < y->data.u64 ? -1 : 1;
	return (x->events > y->events) - (x->events < y->events);
}

/* Which of several ready ones come first is the kernel's choice: where not all may come, only
 * their number is told. */
static void epoll_them(struct told *t, const struct call *c)
{
	struct epoll_event events[PLACES];
	int ep = *place(t->me, c->a[0]), max = c->a[1] < PLACES ? c->a[1] : PLACES, ms = c->a[2], n;
	struct timespec time = timespec_of(ms);
	uint64_t start = now_us();

	if (c->a[3] == 0)
		n = epoll_wait(ep, events, max, ms);
	else if (c->a[3] == 1)
		n = epoll_pwait(ep, events, max, ms, NULL);
	else
		n = epoll_pwait2(ep, events, max, ms < 0 ? NULL : &time, NULL);
	tell_patience(t, n, start, ms);
	if (!tell_result(t, n) || max < PLACES)
		return;
	qsort(events, (size_t)n, sizeof(events[0]), by_place);
	for (int i = 0; i < n; i++) {
		tell(t, " d%d:", (int)events[i].data.u64);
		tell_events(t, events[i].events);
	}
}

static void readiness(struct told *t, const struct call *c)
{
	switch (c->number) {
	case CALL_poll:
		poll_them(t, c);
		break;
	case CALL_select:
		select_them(t, c);
		break;
	case CALL_epoll_create:
		tell_new(t, epoll_create1(0), place(t->me, c->a[0]));
		break;
	case CALL_epoll_ctl: {
		struct epoll_event event = {.events = (uint32_t)c->a[3],
		                            .data.u64 = (uint64_t)c->a[2]};
		tell_result(t, epoll_ctl(*place(t->me, c->a[0]), c->a[1], *place(t->me, c->a[2]),
		                         &event));
		break;
	}
	default:
		epoll_them(t, c);
		break;
	}
}

/* ---- streams that run free ---- */

static uint32_t next(uint64_t *random, uint32_t below)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return (uint32_t)(*random >> 33) % below;
}

static size_t some(uint64_t *random, size_t most)
{
	static const uint32_t scale[] = {2, 10, 100, 1000, 5000, 20000};
	size_t n = 1 + next(random, scale[next(random, 6)]);

	return n < most ? n : most;
}

/* After a call of a stream that gave -1: is it to be tried again? */
static bool again(struct actor *me, int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	if (me->cancelled)
		return false;
	if (errno == EAGAIN)
		poll(&p, 1, -1);
	else if (errno != EINTR)
		return false;
	return !me->cancelled;
}

static ssize_t pour_some(uint64_t *random, int fd, size_t n)
{
	size_t first = next(random, (uint32_t)n + 1);
	struct iovec iov[2] = {{bytes, first}, {bytes + first, n - first}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	switch (next(random, 5)) {
	case 0:
		return write(fd, bytes, n);
	case 1:
		return send(fd, bytes, n, MSG_NOSIGNAL);
	case 2:
		return writev(fd, iov, 2);
	case 3:
		return sendmsg(fd, &msg, 0);
	default:
		return send(fd, bytes, n, MSG_DONTWAIT);
	}
}

static ssize_t sip_some(uint64_t *random, int fd, size_t n)
{
	size_t first = next(random, (uint32_t)n + 1);
	struct iovec iov[2] = {{bytes, first}, {bytes + first, n - first}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	switch (next(random, 6)) {
	case 0:
		return read(fd, bytes, n);
	case 1:
		return recv(fd, bytes, n, MSG_WAITALL);
	case 2:
		return readv(fd, iov, 2);
	case 3:
		return recvmsg(fd, &msg, 0);
	case 4:
		recv(fd, bytes, n, MSG_PEEK | MSG_DONTWAIT);
		return recv(fd, bytes, n, 0);
	default:
		return recv(fd, bytes, n, MSG_DONTWAIT);
	}
}

static bool right_bytes(uint64_t seed, size_t from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i] != byte_of(seed, from + i))
			return false;
	return true;
}

static void streams(struct told *t, const struct call *c)
{
	int fd = *place(t->me, c->a[0]);
	size_t total = (size_t)c->a[1], done = 0;
	uint64_t seed = (uint64_t)c->a[2],
	         random = seed * 2654435761U + 88172645463325252U + c->number;
	bool pours = c->number == CALL_pour;
	ssize_t n = 1;

	while (done < total && n != 0) {
		size_t size = some(&random, total - done);
		if (pours)
			make_bytes(seed, size, done);
		n = pours ? pour_some(&random, fd, size) : sip_some(&random, fd, size);
		if (n < 0 && !again(t->me, fd, pours ? POLLOUT : POLLIN))
			break;
		if (n > 0 && !pours && !right_bytes(seed, done, (size_t)n)) {
			tell(t, "wrong bytes after %zu", done);
			return;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	if (t->me->cancelled)
		tell(t, "cancelled");
	else
		tell(t, "%zu%s%s", done, n < 0 ? " " : "", n < 0 ? strerrorname_np(errno) : "");
}

/* ---- signals ---- */

/* SIGUSR1: the handler is the process's, what it sends everybody's. */
static void on_usr1(int number)
{
	int saved = errno;
	ssize_t n = 0;

	(void)number;
	if (stage->handler_fd >= 0) {
		n = send(stage->handler_fd, "handlershandlers", (size_t)stage->handler_bytes % 16,
		         MSG_DONTWAIT | MSG_NOSIGNAL);
		self->handler_gave = (n < 0 ? -errno : (int)n) + 1000;
	}
	self->usr1++;
	self->handled++;
	errno = saved;
}

static void act_on_signal(struct told *t, const struct call *c)
{
	struct sigaction action = {.sa_handler = on_usr1, .sa_flags = c->a[0] ? SA_RESTART : 0};

	stage->handler_fd = c->a[2] > 0 ? *place(t->me, c->a[1]) : -1;
	stage->handler_bytes = c->a[2];
	tell_result(t, sigaction(SIGUSR1, &action, NULL));
}

static timer_t start_timer(int ms)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
	struct itimerspec time = {timespec_of(ms), timespec_of(ms)};
	timer_t timer;

	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0)
		abort();
	timer_settime(timer, 0, &time, NULL);
	return timer;
}

/* ---- all of them ---- */

static void make_call(struct told *t, const struct call *c)
{
	switch (c->number) {
	case CALL_socketpair ... CALL_shutdown:
		descriptors(t, c);
		break;
	case CALL_read ... CALL_recvfd:
		receives(t, c);
		break;
	case CALL_recvbad:
		odd_receive(t, *place(t->me, c->a[0]), c);
		break;
	case CALL_drain:
		drain(t, c);
		break;
	case CALL_write ... CALL_sendcred:
		sends(t, c);
		break;
	case CALL_sendbad:
		odd_send(t, *place(t->me, c->a[0]), c);
		break;
	case CALL_fill:
		fill(t, c);
		break;
	case CALL_nibble:
		nibble(t, c);
		break;
	case CALL_unfill:
		unfill(t, c);
		break;
	case CALL_pipe:
	case CALL_memfd:
		descriptors(t, c);
		break;
	case CALL_sendfile ... CALL_tee:
		moves(t, c);
		break;
	case CALL_getfl ... CALL_odd:
		state(t, c);
		break;
	case CALL_poll ... CALL_epoll_edges:
		readiness(t, c);
		break;
	case CALL_thread:
		actor_start_thread(c->a[0]);
		break;
	case CALL_fork:
		actor_start_process(c->a[0]);
		break;
	case CALL_exec:
		actor_become_again();
		break;
	case CALL_exit:
		_exit(0);
	case CALL_sigaction:
		act_on_signal(t, c);
		break;
	case CALL_timer:
		t->me->timer_ms = c->a[0];
		break;
	case CALL_pour:
	case CALL_sip:
		streams(t, c);
		break;
	default:
		tell(t, "not here");
		break;
	}
}

void call_run(struct actor *me)
{
	struct told t = {.me = me};
	uint32_t pipes = me->pipes;
	int timer_ms = me->timer_ms;
	timer_t timer = NULL;

	me->result[0] = '\0';
	if (timer_ms) {
		me->timer_ms = 0;
		timer = start_timer(timer_ms);
	}
	errno = 0;
	make_call(&t, &me->call);
	if (timer_ms) {
		timer_delete(timer);
		me->usr1 = 0;
	}
	if (me->pipes != pipes)
		tell(&t, " SIGPIPE");
	if (me->usr1)
		tell(&t, " USR1*%u", me->usr1);
	if (me->handler_gave)
		tell(&t, " handler%d", me->handler_gave - 1000);
	me->usr1 = 0;
	me->handler_gave = 0;
}
