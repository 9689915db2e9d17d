/* Calls on socketpairs, a step each, and what each must give.
 *
 *	steps [-n] STEP...
 *	STEP  [PAIR]END.CALL[:ARGUMENT]=RESULT | sigpipe=COUNT
 *
 * PAIR is 1 to 4 (1), END a or b; -n makes all ends non-blocking. CALL is one of
 * the tables below. ARGUMENT is a length, or "LENGTH+LENGTH" for two vectors, or
 * for `say` the text itself. RESULT is a count, the name of an errno, or for poll
 * the events that it shows, as IN,OUT.
 *
 * What is received must be what was sent, byte for byte: a log of each direction
 * keeps what the sender was told had passed. Calls `lost:N` and `lost` say that the
 * next N bytes, or all, never come; `flipped:N` that N of the next call's bytes have
 * one bit changed.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PAIRS = 4, SIZE = 1 << 20, SECONDS_MAX = 15 };

struct end {
	int fd;
	unsigned char *sent;        /* the log of what it was told had passed */
	size_t sent_size;
	size_t heard;               /* of the peer's log */
	int flipped;                /* bytes of the next receive that are damaged */
};

static struct end ends[PAIRS][2];
static unsigned char buffer[SIZE];
static volatile int sigpipes;
static const char *step;        /* the one that runs */
static struct end *peer;

__attribute__((noreturn)) static void fail(const char *why, long got, int error)
{
	fprintf(stderr, "%s: %s: %ld (%s)\n", step, why, got, error ? strerrorname_np(error) : "-");
	exit(1);
}

static void on_sigpipe(int signal)
{
	(void)signal;
	sigpipes++;
}

/* ---- calls: each has the descriptor, and two vectors over the buffer ---- */

typedef ssize_t call(int fd, struct iovec v[2]);

static ssize_t length_of(int messages, const struct mmsghdr *m)
{
	return messages > 0 ? (ssize_t)m->msg_len : messages;
}

static ssize_t w_write(int fd, struct iovec v[2]) { return write(fd, v->iov_base, v->iov_len); }
static ssize_t w_writev(int fd, struct iovec v[2]) { return writev(fd, v, 2); }
static ssize_t w_pwritev2(int fd, struct iovec v[2]) { return pwritev2(fd, v, 2, -1, 0); }
static ssize_t w_send(int fd, struct iovec v[2]) { return send(fd, v->iov_base, v->iov_len, 0); }
static ssize_t w_nosignal(int fd, struct iovec v[2])
{
	return send(fd, v->iov_base, v->iov_len, MSG_NOSIGNAL);
}
static ssize_t w_dontwait(int fd, struct iovec v[2])
{
	return send(fd, v->iov_base, v->iov_len, MSG_DONTWAIT);
}
static ssize_t w_sendto(int fd, struct iovec v[2])
{
	return sendto(fd, v->iov_base, v->iov_len, 0, NULL, 0);
}
static ssize_t w_sendmsg(int fd, struct iovec v[2])
{
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
	return sendmsg(fd, &m, 0);
}
static ssize_t w_sendmmsg(int fd, struct iovec v[2])
{
	struct mmsghdr m = {.msg_hdr = {.msg_iov = v, .msg_iovlen = 2}};
	return length_of(sendmmsg(fd, &m, 1, 0), &m);
}
static ssize_t w_syscall(int fd, struct iovec v[2])
{
	return syscall(SYS_write, fd, v->iov_base, v->iov_len);
}
static ssize_t w_sendfile(int fd, struct iovec v[2])
{
	int file = memfd_create("steps", 0);
	ssize_t n = write(file, v->iov_base, v->iov_len);
	off_t at = 0;
	n = sendfile(fd, file, &at, (size_t)n);
	int error = errno;
	if (at != (n > 0 ? n : 0))
		fail("the file's offset", (long)at, 0);
	close(file);
	errno = error;
	return n;
}
static ssize_t w_splice(int fd, struct iovec v[2])
{
	int p[2];
	if (pipe(p) != 0 || write(p[1], v->iov_base, v->iov_len) < 0)
		fail("pipe", 0, errno);
	ssize_t n = splice(p[0], NULL, fd, NULL, v->iov_len, 0);
	int error = errno;
	close(p[0]);
	close(p[1]);
	errno = error;
	return n;
}
/* With a descriptor, which is /dev/null's. */
static ssize_t w_rights(int fd, struct iovec v[2])
{
	union { char space[CMSG_SPACE(sizeof(int))]; struct cmsghdr header; } c = {.header = {
		.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2, .msg_control = &c,
	                   .msg_controllen = sizeof(c)};
	int null = open("/dev/null", O_RDONLY);
	memcpy(CMSG_DATA(&c.header), &null, sizeof(null));
	ssize_t n = sendmsg(fd, &m, 0);
	int error = errno;
	close(null);
	errno = error;
	return n;
}
static ssize_t w_stdio(int fd, struct iovec v[2])
{
	FILE *f = fdopen(dup(fd), "w");
	size_t n = fwrite(v->iov_base, 1, v->iov_len, f);
	errno = 0;
	int bad = fflush(f), error = errno;
	fclose(f);
	errno = error;
	return bad ? -1 : (ssize_t)n;
}

static ssize_t r_read(int fd, struct iovec v[2]) { return read(fd, v->iov_base, v->iov_len); }
static ssize_t r_readv(int fd, struct iovec v[2]) { return readv(fd, v, 2); }
static ssize_t r_preadv2(int fd, struct iovec v[2]) { return preadv2(fd, v, 2, -1, 0); }
static ssize_t r_recv(int fd, struct iovec v[2]) { return recv(fd, v->iov_base, v->iov_len, 0); }
static ssize_t r_dontwait(int fd, struct iovec v[2])
{
	return recv(fd, v->iov_base, v->iov_len, MSG_DONTWAIT);
}
static ssize_t r_waitall(int fd, struct iovec v[2])
{
	return recv(fd, v->iov_base, v->iov_len, MSG_WAITALL);
}
static ssize_t r_recvfrom(int fd, struct iovec v[2])
{
	return recvfrom(fd, v->iov_base, v->iov_len, 0, NULL, NULL);
}
static ssize_t receive_message(int fd, struct iovec v[2], int *rights)
{
	union { char space[CMSG_SPACE(4 * sizeof(int))]; struct cmsghdr header; } c;
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2, .msg_control = &c,
	                   .msg_controllen = sizeof(c)};
	ssize_t n = recvmsg(fd, &m, 0);
	struct cmsghdr *h = n >= 0 ? CMSG_FIRSTHDR(&m) : NULL;
	*rights = h ? (int)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;
	for (int i = 0; i < *rights; i++) {
		int got;
		memcpy(&got, CMSG_DATA(h) + i * (int)sizeof(int), sizeof(got));
		if (close(got) != 0)
			fail("a descriptor that came is not open", got, errno);
	}
	return n;
}
static ssize_t r_recvmsg(int fd, struct iovec v[2])
{
	int rights;
	ssize_t n = receive_message(fd, v, &rights);
	if (rights)
		fail("descriptors came", rights, 0);
	return n;
}
static ssize_t r_rights(int fd, struct iovec v[2])
{
	int rights;
	ssize_t n = receive_message(fd, v, &rights);
	if (n > 0 && rights != 1)
		fail("descriptors came", rights, 0);
	return n;
}
static ssize_t r_recvmmsg(int fd, struct iovec v[2])
{
	struct mmsghdr m = {.msg_hdr = {.msg_iov = v, .msg_iovlen = 2}};
	return length_of(recvmmsg(fd, &m, 1, 0, NULL), &m);
}
static ssize_t r_syscall(int fd, struct iovec v[2])
{
	return syscall(SYS_read, fd, v->iov_base, v->iov_len);
}
static ssize_t r_splice(int fd, struct iovec v[2])
{
	int p[2];
	if (pipe(p) != 0)
		fail("pipe", 0, errno);
	ssize_t n = splice(fd, NULL, p[1], NULL, v->iov_len, 0);
	int error = errno;
	if (n > 0 && read(p[0], v->iov_base, v->iov_len) != n)
		fail("the pipe's content", n, errno);
	close(p[0]);
	close(p[1]);
	errno = error;
	return n;
}
static ssize_t r_stdio(int fd, struct iovec v[2])
{
	FILE *f = fdopen(dup(fd), "r");
	size_t n = fread(v->iov_base, 1, v->iov_len, f);
	int bad = ferror(f), error = errno;
	fclose(f);
	errno = error;
	return n == 0 && bad ? -1 : (ssize_t)n;
}

static const struct named {
	const char *name;
	call *run;
} sends[] = {
	{"write", w_write}, {"writev", w_writev}, {"pwritev2", w_pwritev2}, {"send", w_send},
	{"sendto", w_sendto}, {"sendmsg", w_sendmsg}, {"sendmmsg", w_sendmmsg},
	{"sendfile", w_sendfile}, {"splicein", w_splice}, {"syswrite", w_syscall},
	{"fwrite", w_stdio}, {"nosignal", w_nosignal}, {"sendnow", w_dontwait},
	{"rights", w_rights}, {NULL, NULL},
}, receives[] = {
	{"read", r_read}, {"readv", r_readv}, {"preadv2", r_preadv2}, {"recv", r_recv},
	{"recvfrom", r_recvfrom}, {"recvmsg", r_recvmsg}, {"recvmmsg", r_recvmmsg},
	{"splice", r_splice}, {"sysread", r_syscall}, {"fread", r_stdio}, {"recvnow", r_dontwait},
	{"waitall", r_waitall}, {"takerights", r_rights}, {NULL, NULL},
};

static call *find(const struct named *table, const char *name)
{
	while (table->name && strcmp(table->name, name) != 0)
		table++;
	return table->run;
}

/* ---- what is sent and received ---- */

static void split(const char *lengths, struct iovec v[2])
{
	const char *plus = strchr(lengths, '+');
	size_t first = strtoul(lengths, NULL, 0), second = plus ? strtoul(plus + 1, NULL, 0) : 0;

	if (first + second > SIZE)
		fail("too long", (long)(first + second), 0);
	v[0] = (struct iovec){buffer, first};
	v[1] = (struct iovec){buffer + first, second};
}

static void note_sent(struct end *e, ssize_t n)
{
	if (n <= 0)
		return;
	if (e->sent_size + (size_t)n > SIZE)
		fail("too much", n, 0);
	memcpy(e->sent + e->sent_size, buffer, (size_t)n);
	e->sent_size += (size_t)n;
}

static ssize_t do_send(struct end *e, call *run, const char *lengths)
{
	struct iovec v[2];

	split(lengths, v);
	for (size_t i = 0; i < v[0].iov_len + v[1].iov_len; i++)
		buffer[i] = (unsigned char)((e->sent_size + i) * 0x9e3779b1U >> 13);
	ssize_t n = run(e->fd, v);
	int error = errno;
	note_sent(e, n);
	errno = error;
	return n;
}

static ssize_t say_text(struct end *e, const char *text)
{
	size_t length = strlen(text);

	memcpy(buffer, text, length);
	ssize_t n = write(e->fd, buffer, length);
	note_sent(e, n);
	return n;
}

static void check_received(struct end *e, size_t n)
{
	int flipped = 0;

	if (e->heard + n > peer->sent_size)
		fail("more came than was sent", (long)n, 0);
	for (size_t i = 0; i < n; i++) {
		int bits = __builtin_popcount(buffer[i] ^ peer->sent[e->heard + i]);
		if (bits > 1)
			fail("a wrong byte at offset", (long)(e->heard + i), 0);
		flipped += bits;
	}
	if (flipped != e->flipped)
		fail("flipped bytes", flipped, 0);
	e->flipped = 0;
	e->heard += n;
}

static ssize_t do_receive(struct end *e, call *run, const char *lengths)
{
	struct iovec v[2];

	split(lengths, v);
	ssize_t n = run(e->fd, v);
	int error = errno;
	if (n > 0)
		check_received(e, (size_t)n);
	errno = error;
	return n;
}

/* ---- steps ---- */

static void check_events(int fd, const char *wanted)
{
	static const struct { short bit; const char *name; } names[] = {
		{POLLIN, "IN"}, {POLLOUT, "OUT"}, {POLLRDHUP, "RDHUP"}, {POLLHUP, "HUP"},
		{POLLERR, "ERR"}};
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};
	char got[64] = "";

	if (poll(&p, 1, 0) < 0)
		fail("poll", -1, errno);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (p.revents & names[i].bit)
			strcat(strcat(got, got[0] ? "," : ""), names[i].name);
	if (strcmp(got, wanted) != 0) {
		fprintf(stderr, "%s: poll shows %s\n", step, got);
		exit(1);
	}
}

static ssize_t pending_error(int fd)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error == 0)
		return 0;
	errno = error;
	return -1;
}

static ssize_t available(int fd)
{
	int n = 0;

	return ioctl(fd, FIONREAD, &n) == 0 ? n : -1;
}

static ssize_t do_call(struct end *e, const char *name, const char *argument)
{
	call *run;

	if ((run = find(sends, name)))
		return do_send(e, run, argument);
	if ((run = find(receives, name)))
		return do_receive(e, run, argument);
	if (strcmp(name, "say") == 0)
		return say_text(e, argument);
	if (strcmp(name, "peek") == 0)
		return recv(e->fd, buffer, strtoul(argument, NULL, 0), MSG_PEEK);
	if (strcmp(name, "lost") == 0)
		return (void)(e->heard = *argument ? e->heard + strtoul(argument, NULL, 0)
		                                   : peer->sent_size), 0;
	if (strcmp(name, "flipped") == 0)
		return e->flipped = atoi(argument), 0;
	if (strcmp(name, "error") == 0)
		return pending_error(e->fd);
	if (strcmp(name, "available") == 0)
		return available(e->fd);
	if (strcmp(name, "close") == 0)
		return close(e->fd);
	if (strcmp(name, "name") == 0) /* the process gets another one */
		return pthread_setname_np(pthread_self(), argument);
	fail("no such call", 0, 0);
}

static void check_result(ssize_t n, int error, const char *wanted)
{
	if (isdigit((unsigned char)wanted[0]) ? n != strtol(wanted, NULL, 10)
	                                      : n != -1 || strcmp(strerrorname_np(error), wanted) != 0)
		fail("gave", n, n < 0 ? error : 0);
}

static void do_step(char *text)
{
	char *result = strrchr(text, '='), *argument, *name;
	int pair = isdigit((unsigned char)*text) ? *text++ - '1' : 0;

	*result++ = '\0';
	if (strcmp(text, "sigpipe") == 0) {
		if (sigpipes != atoi(result))
			fail("SIGPIPEs", sigpipes, 0);
		return;
	}
	struct end *e = &ends[pair][*text == 'b'];
	peer = &ends[pair][*text != 'b'];
	name = strchr(text, '.') + 1;
	argument = strchr(name, ':');
	if (argument)
		*argument++ = '\0';
	if (strcmp(name, "poll") == 0) {
		check_events(e->fd, result);
		return;
	}
	errno = 0;
	ssize_t n = do_call(e, name, argument ? argument : "");
	check_result(n, errno, result);
}

int main(int argc, char **argv)
{
	bool nonblocking = argc > 1 && strcmp(argv[1], "-n") == 0;

	signal(SIGPIPE, on_sigpipe);
	alarm(SECONDS_MAX);
	for (int i = 0; i < PAIRS; i++) {
		int sv[2];
		if (socketpair(AF_UNIX, SOCK_STREAM | (nonblocking ? SOCK_NONBLOCK : 0), 0, sv) != 0)
			return 2;
		for (int side = 0; side < 2; side++) {
			ends[i][side].fd = sv[side];
			ends[i][side].sent = malloc(SIZE);
		}
	}
	for (int i = 1 + nonblocking; i < argc; i++) {
		step = strdup(argv[i]);
		do_step(argv[i]);
	}
	return 0;
}
