/* A receive that began in the ring goes on behind it, where the kernel carries: what was
 * written before a hand-over and after it is one stream of bytes. It ends where the kernel's
 * own would: before urgent data, and with the first message that brings descriptors. */
#include <errno.h>

#include "base/os.h"
#include "endpoint/bare.h"
#include "endpoint/wait.h"
#include "pipe/bell.h"

enum {
	VECTORS = 16, /* of one real call; what is left comes with the next */
	SKIPPED = 4096, /* bytes of a piece that a peek reads over */
};

static bool follow(const struct weir_end *end)
{
	if (weir_is_bare() || weir_pipe_lock(&end->in) != 0)
		return false;
	bool by_kernel = weir_end_follow(end);
	weir_pipe_unlock(&end->in);
	return by_kernel;
}

static bool has_rights(const struct msghdr *msg)
{
	return (msg->msg_flags & MSG_CTRUNC) || msg->msg_controllen > 0;
}

/* `msg` has its vectors. Bytes over which it goes first, `before`, are bells. */
static ssize_t receive_message(const struct weir_end *end, struct weir_behind *b,
                               struct msghdr *msg, size_t before)
{
	if (b->msg) {
		msg->msg_control = b->msg->msg_control;
		msg->msg_controllen = b->msg->msg_controllen;
	}
	ssize_t n = os_recvmsg_wait(end->fd, msg, (b->flags & ~MSG_WAITALL) | MSG_DONTWAIT);
	if (b->msg && (n > (ssize_t)before || (n >= 0 && has_rights(msg)))) {
		b->msg->msg_controllen = msg->msg_controllen;
		b->msg->msg_flags = msg->msg_flags;
		b->by_kernel = true;
	}
	return n;
}

/* `*rights`: descriptors came, which the program had room for or had not. */
static ssize_t receive_some(const struct weir_end *end, struct weir_behind *b, size_t n,
                            bool *rights)
{
	struct iovec iov[VECTORS];
	struct msghdr msg = {.msg_iov = iov,
	                     .msg_iovlen = weir_span_pieces(b->span, n, iov, VECTORS)};
	ssize_t got = receive_message(end, b, &msg, 0);

	*rights = got >= 0 && has_rights(&msg);
	return got;
}

/* Vectors for `n` bytes that nobody looks at. */
static size_t skip_pieces(size_t n, struct iovec iov[VECTORS])
{
	static unsigned char skipped[SKIPPED];
	size_t count = 0;

	for (; n > 0 && count < VECTORS; n -= iov[count++].iov_len)
		iov[count] = (struct iovec){skipped, n < SKIPPED ? n : SKIPPED};
	return count;
}

/* One peek goes over the bells, the marker and `skip` bytes, and on. Both locks. */
static size_t peek_over_bells(const struct weir_end *end, struct weir_behind *b, size_t left,
                              size_t skip)
{
	struct iovec iov[2 * VECTORS];
	struct msghdr msg = {.msg_iov = iov};
	int at = weir_bell_marker_at(&end->in, end->fd);
	size_t before = (size_t)at + 1 + skip;

	if (at < 0 || before > SKIPPED * VECTORS)
		return 0;
	msg.msg_iovlen = skip_pieces(before, iov);
	msg.msg_iovlen += weir_span_pieces(b->span, left, iov + msg.msg_iovlen, VECTORS);
	ssize_t n = receive_message(end, b, &msg, before);
	return n > (ssize_t)before ? (size_t)n - before : 0;
}

/* Where SO_PEEK_OFF lies behind the ring, and nothing came from it, the peek begins here. */
static size_t peek_behind(const struct weir_end *end, struct weir_behind *b, size_t total)
{
	weir_doubled *word = &end->slot->end[end->side].peek_off;
	uint32_t offset = load32_relaxed(word);

	if (weir_is_bare() || weir_pipe_lock(&end->in) != 0)
		return total;
	size_t used = (size_t)weir_pipe_used(&end->in);
	size_t skip = total == 0 && offset > used ? offset - 1 - used : 0;
	size_t n = peek_over_bells(end, b, b->len - total, skip);
	if (offset)
		store32_relaxed(word, offset + (uint32_t)n);
	weir_pipe_unlock(&end->in);
	return total + n;
}

/* What came is enough: does more lie there? An error may, which is another call's. */
static bool is_done(const struct weir_end *end, size_t total, size_t target)
{
	return os_at_mark(end->fd) || (total >= target && os_queued_in(end->fd) <= 0);
}

size_t weir_receive_behind(const struct weir_end *end, struct weir_behind *b, size_t total)
{
	bool rights = false;

	if (b->flags & MSG_PEEK)
		return peek_behind(end, b, total);
	if (!follow(end))
		return total;
	while (total < b->len && !rights && !is_done(end, total, b->target)) {
		ssize_t n = receive_some(end, b, b->len - total, &rights);
		if (n == -EAGAIN && weir_wait_behind(end, b->flags) == WEIR_WAIT_AGAIN)
			continue;
		if (n <= 0)
			break;
		weir_span_advance(&b->span, (size_t)n);
		total += (size_t)n;
	}
	return total;
}
