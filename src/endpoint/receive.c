#include <errno.h>
#include <sys/socket.h>

#include "base/os.h"
#include "endpoint/bare.h"
#include "endpoint/faulty.h"
#include "endpoint/wait.h"
#include "pipe/bell.h"

/* How many bytes end a blocking receive: SO_RCVLOWAT, or all with MSG_WAITALL
 * (socket(7), recv(2)). A peek never waits for more once it has something. */
static size_t enough(const struct weir_end *end, size_t len, int flags)
{
	uint32_t lowat = load32_relaxed(&end->slot->end[end->side].rcvlowat);

	if (flags & MSG_PEEK)
		return 1;
	if (flags & MSG_WAITALL)
		return len;
	return lowat < len ? lowat : len;
}

/* What a consumption owes to others: room for a saturated writer; no stale bell
 * for who watches. Reader lock. */
static bool owes(const struct weir_pipe_ref *in)
{
	struct weir_pipe *pipe = in->pipe;
	bool empty = weir_pipe_used(in) == 0;

	if (load32_ordered(&pipe->saturated) != WEIR_FLOWING)
		return empty || weir_pipe_room(in) >= load64_relaxed(&pipe->wake_at);
	uint32_t watch = load32_relaxed(&pipe->watch);
	if (!(watch & WEIR_WATCH_INPUT))
		return false;
	return empty ? load32_relaxed(&pipe->bells) > 0
	             : (watch & WEIR_WATCH_EDGES) && load32_relaxed(&pipe->bells) > 1;
}

static void settle(const struct weir_end *end)
{
	if (weir_is_bare() || weir_pipe_lock_writer(&end->in) != 0)
		return;
	weir_bell_settle(&end->in, end->fd);
	weir_bell_follow(&end->in, end->fd);
	weir_pipe_unlock_writer(&end->in);
}

/* SO_PEEK_OFF moves on with peeks and back with consumption (socket(7)). */
static size_t peek(const struct weir_end *end, struct weir_span *span, size_t len)
{
	weir_word32 *word = &end->slot->end[end->side].peek_off;
	uint32_t offset = load32_relaxed(word);
	size_t n = weir_pipe_peek(&end->in, span, len, offset ? offset - 1 : 0);

	if (offset)
		store32_relaxed(word, offset + (uint32_t)n);
	return n;
}

static inline void move_peek_offset(const struct weir_end *end, size_t n)
{
	weir_word32 *word = &end->slot->end[end->side].peek_off;
	uint32_t offset = load32_relaxed(word);

	if (__builtin_expect(offset != 0, 0))
		store32_relaxed(word, offset - 1 > n ? offset - (uint32_t)n : 1);
}

static size_t take(const struct weir_end *end, struct weir_span *span, size_t len)
{
	size_t n = weir_pipe_take(&end->in, span, len);

	move_peek_offset(end, n);
	return n;
}

static ssize_t take_faulty(const struct weir_end *end, struct weir_span *span, size_t len,
                           bool moved, struct weir_faulty *f)
{
	ssize_t n = weir_faulty_take(f, span, len, moved);

	if (n > 0)
		move_peek_offset(end, (size_t)n);
	return n;
}

static inline ssize_t move(const struct weir_end *end, struct weir_span *span, size_t len,
                           int flags, bool first, struct weir_faulty *f)
{
	if (__builtin_expect(f != NULL, 0)) {
		if (!(flags & MSG_PEEK))
			return take_faulty(end, span, len, !first, f);
		ssize_t n = weir_faulty_peek(f, len, !first);
		if (n < 0)
			return n;
		len = (size_t)n;
	}
	return (ssize_t)(flags & MSG_PEEK ? peek(end, span, len) : take(end, span, len));
}

/* One look at the ring, the first of this call or a later one. Gives the bytes
 * moved, 0 for none, or WEIR_TO_KERNEL. */
static inline ssize_t look(const struct weir_end *end, struct weir_span *span, size_t len,
                           int flags, bool first, struct weir_faulty *f)
{
	struct weir_pipe *pipe = end->in.pipe;
	int error = weir_pipe_lock_reader(&end->in);
	ssize_t n;

	if (error)
		return error == -ESTALE ? WEIR_TO_KERNEL : -EAGAIN;
	weir_note_cpu(&pipe->reader_cpu);
	weir_note_life(&pipe->reader_life);
	if (load32_relaxed(&pipe->carrier) == WEIR_BY_KERNEL) {
		n = WEIR_TO_KERNEL;
	} else {
		n = move(end, span, len, flags, first, f);
		if (n > 0 && first && !(flags & MSG_PEEK))
			store64_relaxed(&pipe->reads, load64_relaxed(&pipe->reads) + 1);
		if (n > 0 && owes(&end->in))
			settle(end);
	}
	weir_pipe_unlock_reader(&end->in);
	return n;
}

/* A peek behind SO_PEEK_OFF finds the ring not empty, and nothing new in it:
 * the kernel would answer at once, so it cannot be asked to wait. */
static int wait_behind(const struct weir_end *end, int flags)
{
	if ((flags & MSG_DONTWAIT) || os_nonblocking(end->fd))
		return -EAGAIN;
	if (os_poll_now(end->fd, POLLRDHUP) & (POLLRDHUP | POLLHUP | POLLERR))
		return WEIR_WAIT_ENDED;
	int r = os_poll_wait(-1, 0, 1);
	return r < 0 ? r : WEIR_WAIT_AGAIN;
}

static int wait_more(const struct weir_end *end, int flags, bool moved, bool *force)
{
	if ((flags & MSG_PEEK) && weir_pipe_used(&end->in) > 0 &&
	    load32_relaxed(&end->in.pipe->carrier) == WEIR_BY_RING)
		return wait_behind(end, flags);
	return weir_wait_input(end, flags, moved, force);
}

static inline ssize_t receive_all(const struct weir_end *end, struct weir_span span, size_t len,
                                  int flags, struct weir_faulty *f)
{
	size_t target = enough(end, len, flags);
	size_t total = 0;
	bool force = false;

	for (;;) {
		ssize_t n = look(end, &span, len - total, flags, total == 0, f);
		if (f && (n == WEIR_BY_FAULT || f->ends)) {
			total += n > 0 ? (size_t)n : 0;
			n = weir_faulty_settle(f, total > 0);
			if (n == WEIR_WAIT_AGAIN)
				continue;
			return total ? (ssize_t)total : n;
		}
		if (n < 0)
			return total ? (ssize_t)total : n;
		total += (size_t)n;
		if (total > 0 && total >= target)
			return (ssize_t)total;
		if (len == 0 && weir_pipe_used(&end->in) > 0)
			return 0;
		int r = wait_more(end, flags, total > 0, &force);
		if (r != WEIR_WAIT_AGAIN)
			return total ? (ssize_t)total : r;
		if (!f && total == 0 && weir_is_faulty(end, WEIR_OP_READ) && len > 0)
			return WEIR_NOW_FAULTY;
	}
}

/* What the kernel carries, the plan still rules. */
ssize_t weir_end_receive_message(const struct weir_end *end, struct msghdr *msg, size_t len,
                                 int flags, bool *by_kernel)
{
	struct weir_span span = weir_span_of(msg->msg_iov, msg->msg_iovlen);
	bool whole = enough(end, len, flags) > 1;
	struct weir_faulty f = weir_faulty_begin(end, WEIR_OP_READ, flags, whole);
	ssize_t n = receive_all(end, span, len, flags, &f);

	*by_kernel = n == WEIR_TO_KERNEL && !weir_is_bare();
	return *by_kernel ? weir_carried_receive(&f, msg, len) : n;
}

static __attribute__((noinline)) ssize_t receive_faulty(const struct weir_end *end,
                                                        struct weir_span span, size_t len,
                                                        int flags)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)span.iov,
	                     .msg_iovlen = span.count};
	bool by_kernel;

	return weir_end_receive_message(end, &msg, len, flags, &by_kernel);
}

ssize_t weir_end_receive(const struct weir_end *end, struct weir_span span, size_t len, int flags)
{
	ssize_t n = WEIR_NOW_FAULTY;

	if (__builtin_expect(!weir_is_faulty(end, WEIR_OP_READ), 1) || len == 0)
		n = receive_all(end, span, len, flags, NULL);
	if (__builtin_expect(n == WEIR_NOW_FAULTY, 0))
		n = receive_faulty(end, span, len, flags);
	return n;
}
