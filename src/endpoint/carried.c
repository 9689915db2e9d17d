/* Faults on a direction that the kernel carries (after SCM_RIGHTS, urgent data): a
 * real call, cut to what the plan allows.
 *
 * What comes in is not known before it is received. Where a rule looks for a text
 * the bytes are peeked at first, which waits as the program asked.
 */
#include <errno.h>

#include "base/os.h"
#include "endpoint/faulty.h"
#include "endpoint/wait.h"

enum {
	PIECE = 2048,               /* bytes that are looked at at a time */
	VECTORS = 64,               /* of one real call; what is left moves with the next */
};

/* A message of at most `n` bytes of the span. */
struct cut {
	struct msghdr msg;
	struct iovec iov[VECTORS];
	size_t size;
};

static void add_piece(struct cut *c, void *start, size_t n)
{
	c->iov[c->msg.msg_iovlen++] = (struct iovec){start, n};
	c->size += n;
}

static void cut_span(struct cut *c, struct weir_span span, size_t n)
{
	c->msg = (struct msghdr){.msg_iov = c->iov};
	c->size = 0;
	for (; c->size < n && c->msg.msg_iovlen < VECTORS; span.iov++, span.offset = 0) {
		size_t piece = span.iov->iov_len - span.offset;
		if (piece > n - c->size)
			piece = n - c->size;
		if (piece > 0)
			add_piece(c, (unsigned char *)span.iov->iov_base + span.offset, piece);
	}
}

/* ---- sending ---- */

static void give_control(struct cut *c, const struct msghdr *from)
{
	c->msg.msg_control = from->msg_control;
	c->msg.msg_controllen = from->msg_controllen;
}

/* One real send of at most `n` bytes. Descriptors go with the first byte, once. */
static ssize_t send_piece(struct weir_faulty *f, const struct msghdr *msg, struct weir_span span,
                          size_t n, bool moved)
{
	uint64_t corrupts = f->call.corrupts;
	struct cut c;

	if (f->call.discards)
		return (ssize_t)n;
	if (corrupts > 0)
		n = weir_faulty_kernel_copy(f, &span, n);
	cut_span(&c, span, n);
	if (!moved && msg)
		give_control(&c, msg);
	ssize_t sent = os_sendmsg_wait(f->end->fd, &c.msg, f->flags | (moved ? MSG_NOSIGNAL : 0));
	size_t count = sent > 0 ? (size_t)sent : 0;
	f->call.corrupts = corrupts > count ? corrupts - count : 0;
	return sent;
}

/* The kernel has the direction shut, and raises SIGPIPE for who has sent nothing. */
static ssize_t broken(const struct weir_faulty *f)
{
	ssize_t n = os_send_wait(f->end->fd, NULL, 0, f->flags & MSG_NOSIGNAL);

	return n < 0 ? n : -EPIPE;
}

ssize_t weir_carried_send(struct weir_faulty *f, const struct msghdr *msg, struct weir_span span,
                          size_t len, size_t moved)
{
	size_t total = moved;
	bool ended = false;
	ssize_t n = 0;

	while (len > 0 && !ended) {
		size_t allowed = len;
		n = weir_faulty_kernel_begin(f, span, len, &allowed, total > 0);
		if (n != WEIR_WAIT_AGAIN)
			break;
		n = send_piece(f, msg, span, allowed, total > 0);
		if (n <= 0)
			break;
		ended = weir_faulty_kernel_end(f, span, (size_t)n);
		weir_span_advance(&span, (size_t)n);
		total += (size_t)n;
		len -= (size_t)n;
	}
	if (total == 0 && n == -EPIPE && f->verdict.kind == WEIR_VERDICT_ENDED)
		return broken(f);
	return total > 0 ? (ssize_t)total : n;
}

/* ---- receiving ---- */

static bool looks_for_text(const struct weir_end *end)
{
	const struct weir_plan *plan = weir_session.plan;
	uint64_t rules = load64_relaxed(&end->in.pipe->rules_read);

	for (uint32_t i = 0; i < WEIR_RULES_MAX && rules >> i; i++)
		if ((rules & WEIR_RULE_BIT(i)) && plan->rules[i].rule.match_length > 0)
			return true;
	return false;
}

/* Gives how much of `n` is known, or what the program gets instead. */
static ssize_t look_ahead(const struct weir_faulty *f, unsigned char *bytes, size_t n)
{
	if (!looks_for_text(f->end))
		return 0;
	return os_recv_wait(f->end->fd, bytes, n < PIECE ? n : PIECE,
	                    MSG_PEEK | (f->flags & MSG_DONTWAIT));
}

static ssize_t receive_piece(struct weir_faulty *f, struct msghdr *msg, struct weir_span span,
                             size_t n)
{
	struct cut c;

	cut_span(&c, span, n);
	if (msg)
		give_control(&c, msg);
	ssize_t got = os_recvmsg_wait(f->end->fd, &c.msg, f->flags);
	if (got >= 0 && msg) {
		msg->msg_controllen = c.msg.msg_controllen;
		msg->msg_flags = c.msg.msg_flags;
	}
	if (got > 0 && !(f->flags & MSG_PEEK))
		weir_faulty_kernel_end(f, span, (size_t)got);
	return got;
}

ssize_t weir_carried_receive(struct weir_faulty *f, struct msghdr *msg, struct weir_span span,
                             size_t len)
{
	unsigned char bytes[PIECE];
	struct iovec iov = {bytes, sizeof(bytes)};
	ssize_t known = look_ahead(f, bytes, len);
	size_t allowed = known > 0 ? (size_t)known : len;

	if (known < 0)
		return known;
	ssize_t n = weir_faulty_kernel_begin(f, weir_span_of(&iov, 1), (size_t)known, &allowed,
	                                     false);
	return n == WEIR_WAIT_AGAIN ? receive_piece(f, msg, span, allowed) : n;
}
