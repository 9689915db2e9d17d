/* The loop between a marked end and the kernel's socketpair of a program that
 * weir cannot reach.
 *
 * Nothing is kept here: bytes are looked at where they lie, handed on, and only
 * then received. What goes to the program stays in the marked end until the
 * program has received it, so that the end's bound holds, what the program leaves
 * unread is still there for whoever else holds the end, and the peer learns from
 * the kernel that it was not read. Of what comes from the program the last byte
 * stays until the peer has received all: with it unread, closing the socket tells
 * the program that it was not.
 */
#include "carry/pump.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	PIECE = 4096,               /* one message of the kernel's */
	RIGHTS_MAX = 253,           /* descriptors with one message (unix(7)) */
	NOW = MSG_DONTWAIT | MSG_NOSIGNAL,
	LAST_MS_MAX = 100,          /* until the last byte is let go: nobody tells of it */
};

/* A piece at a time, with the descriptors that travel with it. */
struct piece {
	char bytes[PIECE];
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(RIGHTS_MAX * sizeof(int))];
	struct iovec iov;
	struct msghdr msg;
};

/* One direction. */
struct way {
	int from;
	int to;
	bool done;
	bool reset;                 /* nobody received what went the other way */
	size_t last;                /* bytes at its start (0 or 1) that were handed on */
	bool holding;               /* `piece` has been received, and must still be sent */
	struct piece piece;
};

struct pump {
	struct way in;              /* marked → program */
	struct way out;             /* program → marked */
	int marked;
	int plain;
	int changes;                /* epoll: an event for each thing the program does */
	size_t handed;              /* to the program, and not yet received by it */
	bool inward_waits;          /* for bytes in the marked end */
	bool outward_waits;         /* for room in the marked end */
	bool program_gone;
	bool reset;                 /* it left bytes unread */
};

static void look_at_program(struct pump *p)
{
	struct pollfd q = {.fd = p->plain, .events = POLLIN};

	if (poll(&q, 1, 0) <= 0)
		return;
	p->program_gone = p->program_gone || (q.revents & POLLHUP);
	p->reset = p->reset || (q.revents & POLLERR);
}

/* Descriptors travel on, credentials do not: they would be this process's. */
static void keep_rights(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);

	while (c && (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS))
		c = CMSG_NXTHDR(msg, c);
	msg->msg_controllen = c ? c->cmsg_len : 0;
	if (c)
		memmove(msg->msg_control, c, c->cmsg_len);
}

static void close_rights(const struct piece *piece)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(&piece->msg);

	for (size_t at = 0; c && at + sizeof(int) <= c->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
		int fd;
		memcpy(&fd, CMSG_DATA(c) + at, sizeof(fd));
		close(fd);
	}
}

static ssize_t fetch(struct way *w, size_t size, int flags)
{
	struct piece *piece = &w->piece;

	piece->iov = (struct iovec){piece->bytes, size};
	piece->msg = (struct msghdr){
	        .msg_iov = &piece->iov,
	        .msg_iovlen = 1,
	        .msg_control = piece->control,
	        .msg_controllen = sizeof(piece->control),
	};
	ssize_t n = recvmsg(w->from, &piece->msg, flags | MSG_CMSG_CLOEXEC | NOW);
	piece->iov.iov_len = n > 0 ? (size_t)n : 0;
	if (n < 0)
		piece->msg.msg_controllen = 0;
	keep_rights(&piece->msg);
	return n;
}

/* Receives a byte, and with descriptors the rest of their message. */
static ssize_t hold(struct way *w, size_t end)
{
	struct piece *piece = &w->piece;
	ssize_t n = fetch(w, 1, 0);

	w->holding = n > 0;
	if (n <= 0 || piece->msg.msg_controllen == 0 || end <= 1)
		return n;
	ssize_t rest = recv(w->from, piece->bytes + 1, end - 1, NOW);
	piece->iov.iov_len += rest > 0 ? (size_t)rest : 0;
	return n;
}

/* Receives what was looked at before. */
static void receive(int fd, size_t n)
{
	char bytes[PIECE];

	while (n > 0) {
		ssize_t got = recv(fd, bytes, n < PIECE ? n : PIECE, NOW);
		if (got <= 0)
			return;
		n -= (size_t)got;
	}
}

static void let_last_go(struct way *w)
{
	receive(w->from, w->last);
	w->last = 0;
}

/* An end that the byte which was handed on hides. */
static bool has_ended(const struct way *w)
{
	struct pollfd q = {.fd = w->from, .events = POLLRDHUP};

	return w->last > 0 && poll(&q, 1, 0) > 0 && (q.revents & (POLLRDHUP | POLLHUP));
}

/* What lies behind that byte: bytes, the end, or nothing yet. */
static ssize_t skip_last(struct way *w, ssize_t n, bool ended)
{
	struct iovec *iov = &w->piece.iov;

	iov->iov_base = w->piece.bytes + w->last;
	iov->iov_len = (size_t)n - w->last;
	if (iov->iov_len > 0)
		return (ssize_t)iov->iov_len;
	errno = EAGAIN;
	return ended ? 0 : -1;
}

/* Looks at the next piece. The kernel gives descriptors with the first byte of
 * their message and ends the piece with its last, but puts bytes of the message
 * before in front: those are received one by one. */
static ssize_t look(struct way *w)
{
	if (w->holding)
		return 1;
	bool ended = has_ended(w);  /* before the look: bytes may come in between */
	ssize_t n = fetch(w, PIECE, MSG_PEEK);
	if (n <= 0 || w->piece.msg.msg_controllen == 0)
		return n <= 0 || w->last == 0 ? n : skip_last(w, n, ended);
	close_rights(&w->piece);
	if (w->last > 0) {
		let_last_go(w);
		return look(w);
	}
	return hold(w, (size_t)n);
}

/* What was received has gone in part, and its descriptors have. */
static void let_go(struct way *w, size_t n)
{
	struct piece *piece = &w->piece;

	close_rights(piece);
	piece->msg.msg_controllen = 0;
	piece->iov.iov_len -= n;
	memmove(piece->bytes, piece->bytes + n, piece->iov.iov_len);
	w->holding = piece->iov.iov_len > 0;
}

enum outcome {
	MOVED,
	NOTHING,                    /* there is to move */
	FULL,
	ENDED,                      /* nothing more will come */
	BROKEN,                     /* nobody will receive it */
};

/* Hands on the next piece; `*left`: bytes that now lie in both places. */
static enum outcome move(struct way *w, size_t *left)
{
	ssize_t n = look(w);

	if (n < 0 && errno == EAGAIN)
		return NOTHING;
	w->reset = n < 0 && errno == ECONNRESET;
	if (n <= 0)
		return ENDED;
	n = sendmsg(w->to, &w->piece.msg, NOW);
	if (n < 0)
		return errno == EAGAIN ? FULL : BROKEN;
	*left = w->holding ? 0 : (size_t)n;
	if (w->holding)
		let_go(w, (size_t)n);
	return MOVED;
}

/* Has the program received all that it was handed? While the kernel tells of room
 * in the socket it still counts one byte of what it has just freed; a message counts
 * hundreds. Whether the program has gone is asked afterwards: what it left unread
 * would look received. */
static bool is_received(struct pump *p)
{
	int queued = 0;

	if (ioctl(p->plain, SIOCOUTQ, &queued) < 0 || queued > 1)
		return false;
	look_at_program(p);
	return !p->program_gone || !p->reset;
}

static void end(struct way *w, int fd, int how)
{
	w->done = true;
	shutdown(fd, how);
}

/* A program that only receives no more says so; of one that has gone the kernel
 * tells, once nobody else holds the end. */
static void end_inward(struct pump *p)
{
	look_at_program(p);
	p->in.done = true;
	if (!p->program_gone)
		end(&p->in, p->marked, SHUT_RD);
}

/* True where something was done. */
static bool inward(struct pump *p)
{
	p->inward_waits = false;
	if (p->in.done)
		return false;
	if (p->handed > 0) {
		if (!is_received(p))
			return false;
		receive(p->marked, p->handed);
		p->handed = 0;
	}
	enum outcome o = BROKEN;
	if (send(p->plain, NULL, 0, NOW) >= 0 || errno != EPIPE)
		o = move(&p->in, &p->handed);
	if (o == BROKEN)
		end_inward(p);
	p->inward_waits = o == NOTHING;
	if (o == ENDED && p->in.reset)
		p->in.done = p->out.done = true;
	else if (o == ENDED)
		end(&p->in, p->plain, SHUT_WR);
	return o != NOTHING && o != FULL;
}

static void end_outward(struct pump *p)
{
	look_at_program(p);
	p->out.done = true;
	if (!p->program_gone)
		end(&p->out, p->marked, SHUT_WR);
}

static bool outward(struct pump *p)
{
	size_t n = 0;

	p->outward_waits = false;
	if (p->out.done)
		return false;
	look_at_program(p);         /* before an error that tells is received */
	enum outcome o = move(&p->out, &n);
	p->reset = p->reset || p->out.reset; /* or it came just now */
	if (n > 0) {
		receive(p->plain, p->out.last + n - 1);
		p->out.last = 1;
	}
	p->outward_waits = o == FULL;
	if (o == ENDED)
		end_outward(p);
	if (o == BROKEN)
		end(&p->out, p->plain, SHUT_RD);
	return o != NOTHING && o != FULL;
}

/* Nothing more can come of it. */
static bool is_over(struct pump *p)
{
	struct pollfd q = {.fd = p->marked, .events = 0};

	if (p->in.done && p->out.done)
		return true;
	look_at_program(p);
	if (p->program_gone && p->out.done)
		return p->handed == 0 || p->reset;
	if (!p->in.done || poll(&q, 1, 0) <= 0 || !(q.revents & POLLHUP))
		return false;
	p->in.reset = p->in.reset || (q.revents & POLLERR);
	return true;
}

/* The peer has received everything: it can close without a word. Nothing waits for it
 * either when it closed and left the rest unread, but then there is an error. */
static void look_at_peer(struct pump *p)
{
	struct pollfd q = {.fd = p->marked, .events = 0};
	int unread = 0;

	if (p->out.last == 0 || ioctl(p->marked, SIOCOUTQ, &unread) != 0 || unread > 0)
		return;
	if (poll(&q, 1, 0) > 0 && (q.revents & POLLERR))
		p->in.reset = true;
	if (!p->in.reset)
		let_last_go(&p->out);
}

/* A peer that has gone is told again and again, so only who waits for it asks. */
static void wait_for_change(const struct pump *p)
{
	struct pollfd q[2] = {{.fd = p->changes, .events = POLLIN}, {.fd = -1}};
	struct epoll_event event;

	if (p->inward_waits || p->outward_waits || p->in.done)
		q[1].fd = p->marked;
	q[1].events = (short)((p->inward_waits ? POLLIN : 0) | (p->outward_waits ? POLLOUT : 0));
	if (poll(q, 2, p->out.last > 0 ? LAST_MS_MAX : -1) > 0 && (q[0].revents & POLLIN))
		epoll_wait(p->changes, &event, 1, 0);
}

void weir_pump(int marked, int plain)
{
	struct pump p = {.marked = marked, .plain = plain, .changes = epoll_create1(EPOLL_CLOEXEC)};

	p.in.from = p.out.to = marked;
	p.in.to = p.out.from = plain;
	/* Edges: a socket that was writable before tells each piece that is received. */
	struct epoll_event all = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};

	if (p.changes >= 0 && epoll_ctl(p.changes, EPOLL_CTL_ADD, plain, &all) == 0) {
		for (;;) {
			look_at_peer(&p);
			bool more = inward(&p);
			more = outward(&p) || more;
			if (is_over(&p))
				break;
			if (!more)
				wait_for_change(&p);
		}
	}
	if (!p.in.reset)
		let_last_go(&p.out);
	close(p.marked);
	close(p.plain);
	close(p.changes);
}
