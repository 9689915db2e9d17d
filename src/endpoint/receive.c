#include <errno.h>
#include <sys/socket.h>

#include "base/os.h"
#include "endpoint/bare.h"
#include "endpoint/faulty.h"
#include "endpoint/lone.h"
#include "endpoint/wait.h"
#include "pair/board.h"
#include "pipe/bell.h"

enum {
	FIRST = 1, /* beside flags of recv(2) */
	NOT_TRIED = -6000, /* beyond what a look may give */
	BEHIND = -6001, /* a peek has to look behind the ring */
};

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

/* While the lock was waited for, the writer may have found the room and filled it. */
static void settle(const struct weir_end *end)
{
	if (weir_is_bare() || weir_pipe_lock_writer(&end->in) != 0)
		return;
	bool full = load32_relaxed(&end->in.pipe->saturated) != WEIR_FLOWING;
	if (owes(&end->in))
		weir_bell_settle(&end->in, end->fd);
	weir_end_follow(end);
	weir_pipe_unlock_writer(&end->in);
	if (full)
		weir_board_tell(&weir_session, &end->out.pipe->board);
}

void weir_end_settle_room(uint64_t entry, int fd)
{
	struct weir_end end = weir_table_unpack(entry, fd);

	if (owes(&end.in))
		settle(&end);
}

/* SO_PEEK_OFF moves on with peeks and back with consumption (socket(7)). */
static size_t peek(const struct weir_end *end, struct weir_span *span, size_t len)
{
	weir_doubled *word = &end->slot->end[end->side].peek_off;
	uint32_t offset = load32_relaxed(word);
	size_t n = weir_pipe_peek(&end->in, span, len, offset ? offset - 1 : 0);

	if (offset)
		store32_relaxed(word, offset + (uint32_t)n);
	return n;
}

static size_t take(const struct weir_end *end, struct weir_span *span, size_t len)
{
	weir_doubled *word = &end->slot->end[end->side].peek_off;
	size_t n = weir_pipe_take(&end->in, span, len);
	uint32_t offset = load32_relaxed(word);

	if (__builtin_expect(offset != 0, 0))
		store32_relaxed(word, offset - 1 > n ? offset - (uint32_t)n : 1);
	return n;
}

static size_t peek_once(const struct weir_end *end, struct weir_span *span, size_t len)
{
	size_t n = peek(end, span, len);

	if (n > 0 && owes(&end->in))
		settle(end);
	return n;
}

/* For a watcher of edges, what comes until the bells are settled belongs to the same
 * call: no edge may tell of it, and who gets less than he asked for takes the ring for
 * empty (epoll(7)). */
static size_t take_all(const struct weir_end *end, struct weir_span *span, size_t len)
{
	size_t total = 0, n;

	do {
		n = take(end, span, len - total);
		total += n;
		if (n > 0 && owes(&end->in))
			settle(end);
	} while (n > 0 && total < len && (load32_relaxed(&end->in.pipe->watch) & WEIR_WATCH_EDGES));
	return total;
}

/* Is there a byte that the call would give, had it room? */
static bool has_something(const struct weir_end *end, int flags)
{
	uint32_t offset = load32_relaxed(&end->slot->end[end->side].peek_off);

	return weir_pipe_used(&end->in) > ((flags & MSG_PEEK) && offset ? offset - 1 : 0);
}

static int how_of(int flags, bool first)
{
	return (flags & MSG_PEEK) | (first ? FIRST : 0);
}

/* One look at the ring, the FIRST of this call or a later one. Gives the bytes
 * moved, 0 for none, or WEIR_TO_KERNEL. `rules`: those that concern the call, unless
 * `f` looks at them; NOT_TRIED where they have a say. */
static ssize_t look(const struct weir_end *end, struct weir_span *span, size_t len, int how,
                    uint64_t rules, struct weir_faulty *f)
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
	} else if (__builtin_expect(rules != 0, 0) &&
	           !weir_is_calm(end, WEIR_OP_READ, rules, span, &len, how & MSG_PEEK)) {
		n = NOT_TRIED;
	} else {
		n = 0;
		if (__builtin_expect(f != NULL, 0))
			n = weir_faulty_before_take(f, *span, &len, how, !(how & FIRST));
		if (n == 0)
			n = (ssize_t)(how & MSG_PEEK ? peek_once(end, span, len)
			                             : take_all(end, span, len));
		if (__builtin_expect(f != NULL, 0) && n > 0 && !(how & MSG_PEEK))
			weir_faulty_after_take(f, (size_t)n);
		if (n > 0 && (how & FIRST) && !(how & MSG_PEEK))
			store64_relaxed(&pipe->reads, load64_relaxed(&pipe->reads) + 1);
	}
	weir_pipe_unlock_reader(&end->in);
	return n;
}

/* Where nothing is there, and no rule counts the call, that needs no lock: who goes on to wait
 * looks again with both. */
static ssize_t first_look(const struct weir_end *end, struct weir_span *span, size_t len, int flags,
                          uint64_t rules)
{
	struct weir_pipe *pipe = end->in.pipe;

	if (rules != 0 || weir_pipe_used(&end->in) > 0 ||
	    load32_relaxed(&pipe->carrier) != WEIR_BY_RING)
		return look(end, span, len, how_of(flags, true), rules, NULL);
	weir_note_cpu(&pipe->reader_cpu);
	weir_note_life(&pipe->reader_life);
	return 0;
}

/* Of a call that waits. */
struct course {
	struct weir_waits waits;
	uint64_t since;             /* when it began to look again and again; 0: it did not */
	bool interrupted;           /* a handler has ended it: what that sent is not its */
};

/* A poll ends with each handler; of one that weir has not heard of nothing more is known. */
static bool is_ended(struct weir_waits *waits, const struct weir_end *end, int polled)
{
	bool unheard = polled == -EINTR && os_handled().all == waits->since.all;

	return unheard || weir_waits_end(waits, end, WEIR_OP_READ, false);
}

/* A peek behind SO_PEEK_OFF finds bytes, and nothing new among them: the kernel would
 * answer at once, so it cannot be asked to wait. */
static int wait_behind(const struct weir_end *end, int flags, struct course *course)
{
	int timeout = os_timeout_ms(end->fd, SO_RCVTIMEO);
	uint64_t now = os_now_ns();

	course->since = course->since ? course->since : now;
	if (os_poll_now(end->fd, POLLRDHUP) & (POLLRDHUP | POLLHUP | POLLERR)) {
		int error = os_getsockopt_int(end->fd, SO_ERROR);
		return error > 0 && weir_end_reset_is_true(end) ? -error : WEIR_WAIT_ENDED;
	}
	if ((flags & MSG_DONTWAIT) || os_nonblocking(end->fd))
		return -EAGAIN;
	if (timeout >= 0 && now - course->since >= (uint64_t)timeout * 1000000)
		return -EAGAIN;
	if (is_ended(&course->waits, end, os_poll_wait(-1, 0, 1)))
		return -EINTR;
	return WEIR_WAIT_AGAIN;
}

static int wait_more(const struct weir_end *end, int flags, bool moved, struct course *course)
{
	uint32_t carrier = load32_relaxed(&end->in.pipe->carrier);

	if ((flags & MSG_PEEK) && weir_pipe_used(&end->in) > 0 && carrier != WEIR_BY_KERNEL)
		return carrier == WEIR_BY_RING ? wait_behind(end, flags, course) : BEHIND;
	return weir_wait_input(end, flags, moved, &course->waits);
}

/* A message that the kernel may have to fill in. */
struct message {
	struct msghdr *msg;
	bool by_kernel;
};

/* The kernel carries what comes, and a rule concerns it. */
static ssize_t receive_carried(struct weir_faulty *f, struct weir_span span, size_t len,
                               struct message *message)
{
	if (weir_is_bare())
		return WEIR_TO_KERNEL;
	if (message)
		message->by_kernel = true;
	return weir_carried_receive(f, message ? message->msg : NULL, span, len);
}

/* Until the call ends, as far as the ring goes. `n`: what the first gave, where there was one; `calm`:
 * the rules that have let that pass, and counted it. */
static WEIR_SELDOM ssize_t receive_on(const struct weir_end *end, struct weir_span *span,
                                      size_t len, int flags, ssize_t n, uint64_t calm,
                                      struct message *message, struct course *course)
{
	size_t target = enough(end, len, flags);
	struct weir_faulty faulty, *f = NULL;
	struct weir_end moved;
	size_t total = 0;

	for (;; n = NOT_TRIED) {
		if (!f && (n == NOT_TRIED || n == WEIR_TO_KERNEL) && len > 0 &&
		    weir_is_faulty(end, WEIR_OP_READ))
			f = weir_faulty_begin(&faulty, end, WEIR_OP_READ, flags, target > 1, calm);
		if (n == NOT_TRIED)
			n = look(end, span, len - total, how_of(flags, total == 0), 0, f);
		if (f && (n == WEIR_BY_FAULT || f->ends)) {
			total += n > 0 ? (size_t)n : 0;
			n = weir_faulty_settle(f, total > 0);
			if (n == WEIR_WAIT_AGAIN)
				continue;
			return total ? (ssize_t)total : n;
		}
		if (n == WEIR_TO_KERNEL && f && total == 0)
			return receive_carried(f, *span, len, message);
		if (n < 0)
			return total ? (ssize_t)total : n;
		total += (size_t)n;
		if (total > 0 && total >= target)
			return (ssize_t)total;
		if (len == 0 && has_something(end, flags))
			return 0;
		int r = wait_more(end, flags, total > 0, course);
		course->interrupted = r == -EINTR;
		if (!weir_table_follow(&end, &moved))
			return total ? (ssize_t)total : -EBADF;
		faulty.end = end;
		if (r == WEIR_TO_KERNEL && f && total == 0)
			return receive_carried(f, *span, len, message);
		if (r != WEIR_WAIT_AGAIN)
			return total ? (ssize_t)total : r;
	}
}

/* May there be more behind what the ring gave? Who wants credentials gets none that were
 * sent with others, and what rules concern comes piece by piece. A peek shows also the
 * descriptors behind the last byte that it gives. */
static bool may_go_on(const struct weir_end *end, size_t n, size_t len, int flags)
{
	const struct weir_pipe *pipe = end->in.pipe;

	return ((n > 0 && n < len) || (flags & MSG_PEEK)) &&
	       load32_relaxed(&pipe->carrier) != WEIR_BY_RING &&
	       !load32_relaxed(&pipe->hand_over) && !weir_is_faulty(end, WEIR_OP_READ);
}

static WEIR_SELDOM ssize_t go_on(const struct weir_end *end, struct weir_span span, size_t total,
                                 size_t len, int flags, struct message *message)
{
	struct weir_behind b = {.span = span, .len = len, .flags = flags};

	b.target = enough(end, len, flags);
	b.msg = message ? message->msg : NULL;
	total = weir_receive_behind(end, &b, total);
	if (message)
		message->by_kernel |= b.by_kernel;
	return (ssize_t)total;
}

/* What lies at SO_PEEK_OFF is not in the ring. */
static WEIR_SELDOM ssize_t peek_on(const struct weir_end *end, struct weir_span *span, size_t len,
                                   int flags, struct message *message, struct course *course)
{
	ssize_t n = may_go_on(end, 0, len, flags) ? go_on(end, *span, 0, len, flags, message) : 0;

	if (n > 0)
		return n;
	n = wait_behind(end, flags, course);
	return n == WEIR_WAIT_AGAIN
	               ? receive_on(end, span, len, flags, NOT_TRIED, 0, message, course)
	               : n;
}

static ssize_t receive(const struct weir_end *end, struct weir_span span, size_t len, int flags,
                       struct message *message)
{
	uint64_t rules = len > 0 ? weir_rules_here(&end->in.pipe->rules_read) : 0;
	struct course course = {.waits = weir_waits_begin()};
	ssize_t n = first_look(end, &span, len, flags, rules);

	if (__builtin_expect(n <= 0 || (size_t)n < enough(end, len, flags), 0))
		n = receive_on(end, &span, len, flags, n, n >= 0 ? rules : 0, message, &course);
	if (__builtin_expect(n >= 0 && may_go_on(end, (size_t)n, len, flags) && !course.interrupted, 0))
		return go_on(end, span, (size_t)n, len, flags, message);
	while (__builtin_expect(n == BEHIND, 0))
		n = peek_on(end, &span, len, flags, message, &course);
	return n;
}

ssize_t weir_end_receive(const struct weir_end *end, struct weir_span span, size_t len, int flags)
{
	return receive(end, span, len, flags, NULL);
}

/* Nothing to do beside moving the bytes? Reader lock. */
static bool is_plain(uint64_t entry, const struct weir_pipe *pipe)
{
	const struct weir_end_shared *shared = weir_table_shared(entry);

	return load32_relaxed(&pipe->carrier) == WEIR_BY_RING &&
	       load32_relaxed(&shared->peek_off) == 0 && load32_relaxed(&shared->rcvlowat) == 1;
}

/* Rules, and what a lone thread learns, want to know more of the end; and so does who is to
 * be told that there is room. */
static WEIR_SELDOM bool rules_let(uint64_t entry, int fd, size_t *n, struct weir_calm_way *way)
{
	struct weir_end end = weir_table_unpack(entry, fd);

	return weir_calm_looks(&end, WEIR_OP_READ, NULL, n, way) && *n > 0;
}

static WEIR_SELDOM void notice(uint64_t entry, int fd)
{
	struct weir_end end = weir_table_unpack(entry, fd);

	weir_lone_notice(&end, WEIR_OP_READ);
}

size_t weir_end_receive_quick(uint64_t entry, int fd, void *bytes, size_t n)
{
	struct weir_pipe_ref in = weir_table_pipe(entry, WEIR_OP_READ);
	struct weir_pipe *pipe = in.pipe;
	struct weir_calm_way way;

	if (weir_pipe_used(&in) == 0)
		return 0;
	if (weir_pipe_lock_reader(&in) != 0)
		return 0;
	way.word = load64_relaxed(&pipe->rules_read);
	bool alone = weir_pipe_reads_alone(pipe);
	way.counted = way.word != 0 && weir_calm_is_counted(pipe, WEIR_OP_READ);
	bool calm = __builtin_expect(way.word == 0, 1) || way.counted ||
	            rules_let(entry, fd, &n, &way);
	if (!alone) {
		weir_note_life(&pipe->reader_life);
		if (load64_relaxed(&pipe->reads) % WEIR_NOTE_EVERY == 0)
			weir_note_cpu(&pipe->reader_cpu);
	}
	n = calm && is_plain(entry, pipe) ? weir_pipe_take_quick(&in, bytes, n) : 0;
	if (n > 0) {
		store64_relaxed(&pipe->reads, load64_relaxed(&pipe->reads) + 1);
		weir_calm_passed(pipe, WEIR_OP_READ, &way);
		if (__builtin_expect(load32_ordered(&pipe->saturated) != WEIR_FLOWING, 0))
			weir_end_settle_room(entry, fd);
		if (alone)
			notice(entry, fd);
	}
	weir_pipe_unlock_reader(&in);
	return n;
}

ssize_t weir_end_receive_message(const struct weir_end *end, struct msghdr *msg, size_t len,
                                 int flags, bool *by_kernel)
{
	struct message message = {.msg = msg};
	ssize_t n = receive(end, weir_span_of(msg->msg_iov, msg->msg_iovlen), len, flags, &message);

	*by_kernel = message.by_kernel;
	return n;
}
