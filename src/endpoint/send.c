#include <errno.h>
#include <sys/socket.h>

#include "base/os.h"
#include "endpoint/bare.h"
#include "endpoint/faulty.h"
#include "endpoint/lone.h"
#include "endpoint/wait.h"
#include "pair/board.h"
#include "pair/life.h"
#include "pipe/bell.h"

enum {
	FIRST = 1,                  /* beside flags of send(2) */
	NOT_TRIED = -6000,          /* beyond what an attempt may give */
	ASK_EVERY = 256,            /* writes between two looks whether the peer lives */
	IOV_STEP = 16,              /* vectors of one call once the kernel carries */
	FAR_STREAM = 4096,          /* bytes of a write that may go past the caches: of a stream, ... */
	FAR = 32768,                /* ... and always */
	ONE_WAY = 8,                /* writes to one of the other direction, in a stream */
};

/* The peer's end is shut or gone: the kernel says so, and raises SIGPIPE unless
 * bytes of this call have moved or the program asked for none. */
static ssize_t broken(const struct weir_end *end, int flags, size_t total)
{
	if (total > 0)
		return (ssize_t)total;
	ssize_t n = os_send_wait(end->fd, NULL, 0, flags & MSG_NOSIGNAL);
	return n < 0 ? n : -EPIPE;
}

/* Is there a process that reads, or has it ended? Then nobody is known to, and
 * each write asks the kernel until somebody has read. */
static bool has_living_reader(struct weir_pipe *pipe)
{
	return weir_life_lasts(&weir_session, &pipe->reader_life);
}

/* A writer with room makes no system call, so it must be told when to ask.
 * Once the peer is known to have gone, the suspicion stays. */
static bool has_lost_peer(const struct weir_end *end)
{
	struct weir_pipe *pipe = end->out.pipe;
	uint32_t suspect = load32_relaxed(&pipe->suspect);

	if (__builtin_expect(suspect == 0 && has_living_reader(pipe), 1) &&
	    load64_relaxed(&pipe->writes) % ASK_EVERY != ASK_EVERY - 1)
		return false;
	bool lost = os_send_now(end->fd, NULL, 0, MSG_NOSIGNAL) == -EPIPE;
	if (lost)
		store32_relaxed(&pipe->suspect, suspect ? suspect : 1);
	else if (suspect)
		swap32_if(&pipe->suspect, suspect, suspect - 1);
	return lost;
}

/* Who asks the kernel must hear that the ring is full, and that it is not. */
static void tell_watchers(const struct weir_end *end)
{
	const struct weir_pipe_ref *out = &end->out;

	if (!weir_pipe_writable(out))
		weir_bell_saturate(out, end->fd, WEIR_UNWRITABLE,
		                   load64_relaxed(&out->pipe->writable_room));
	if (weir_pipe_writable(out) && load32_relaxed(&out->pipe->saturated) != WEIR_FLOWING)
		weir_bell_make_writable(out, end->fd);
}

/* Is it more than the caches should pass on? Long messages to another processor are, also of a
 * stream: whoever waits for the answer to each has them sooner from the writer's cache. Where
 * both last ran is a hint. */
static bool is_far(const struct weir_pipe *out, const struct weir_pipe *in, size_t n)
{
	uint32_t reader = load32_relaxed(&out->reader_cpu);

	if (__builtin_expect(n < FAR_STREAM, 1) || reader == 0 || reader == load32_relaxed(&out->writer_cpu))
		return false;
	return n >= FAR || load64_relaxed(&in->writes) < load64_relaxed(&out->writes) / ONE_WAY;
}

/* Writer lock. `how`: FIRST, of the attempts that make up one call of the program.
 * `rules`: those that concern the call, unless `f` looks at them. NOT_TRIED where
 * they have a say. */
static ssize_t put_locked(const struct weir_end *end, struct weir_span *span, size_t len,
                          int how, uint64_t rules, struct weir_faulty *f)
{
	struct weir_span *from = span;
	struct weir_pipe *pipe = end->out.pipe;

	if (__builtin_expect(load32_relaxed(&pipe->carrier) != WEIR_BY_RING, 0)) {
		weir_bell_hand_over(&end->out, end->fd);
		return WEIR_TO_KERNEL;
	}
	if (__builtin_expect(load32_relaxed(&pipe->hand_over), 0) &&
	    weir_end_hand_over_locked(end) == 0)
		return WEIR_TO_KERNEL;
	if (__builtin_expect(has_lost_peer(end), 0))
		return -EPIPE;
	if (__builtin_expect(rules != 0, 0) && !weir_is_calm(end, WEIR_OP_WRITE, rules, from, &len, false))
		return NOT_TRIED;
	if (__builtin_expect(f != NULL, 0)) {
		ssize_t n = weir_faulty_before_put(f, &from, &len, !(how & FIRST));
		if (n != 0)
			return n;
	}
	ssize_t n = weir_pipe_put(&end->out, end->fd, from, len,
	                          is_far(pipe, end->in.pipe, len));
	if (__builtin_expect(f != NULL, 0) && n > 0)
		weir_faulty_after_put(f, span, (size_t)n);
	if (n > 0 && (how & FIRST))
		store64_relaxed(&pipe->writes, load64_relaxed(&pipe->writes) + 1);
	if (__builtin_expect(load32_relaxed(&pipe->watch) & WEIR_WATCH_ROOM, 0))
		tell_watchers(end);
	return n;
}

static int how_of(int flags, bool first)
{
	return (flags & MSG_DONTWAIT) | (first ? FIRST : 0);
}

/* One attempt. This thread may be in a signal handler that interrupted itself
 * in the middle of a write to the same pipe: then the bytes wait aside. */
static ssize_t put(const struct weir_end *end, struct weir_span *span, size_t len, int how,
                   uint64_t rules, struct weir_faulty *f)
{
	int error = weir_pipe_lock_writer(&end->out);

	if (error == -ESTALE)
		return WEIR_TO_KERNEL;
	if (error == -EDEADLK && weir_bell_is_handed_over(&end->out))
		return WEIR_TO_KERNEL;
	if (error == -EDEADLK) {
		bool waits = !(how & MSG_DONTWAIT) && !os_nonblocking(end->fd);
		size_t n = weir_pipe_put_aside(&end->out, end->fd, span, len, waits);
		return n > 0 ? (ssize_t)n : -EAGAIN;
	}
	weir_note_cpu(&end->out.pipe->writer_cpu);
	weir_note_life(&end->out.pipe->writer_life);
	ssize_t n = put_locked(end, span, len, how, rules, f);
	weir_pipe_unlock_writer(&end->out); /* with what handlers have left, too */
	weir_board_tell(&weir_session, &end->out.pipe->board);
	return n;
}

/* The rest of a call that began in the ring, after a hand-over by another. */
static ssize_t send_rest(const struct weir_end *end, struct weir_span span, size_t left, int flags)
{
	struct iovec iov[IOV_STEP];
	struct msghdr msg = {.msg_iov = iov,
	                     .msg_iovlen = weir_span_pieces(span, left, iov, IOV_STEP)};

	return os_sendmsg_wait(end->fd, &msg, flags | MSG_NOSIGNAL);
}

/* The wait is over without room having been announced: a writer that was left
 * asleep although there was some takes it before it goes. */
static ssize_t stop(const struct weir_end *end, struct weir_span *span, size_t left, int flags,
                    bool first, int why, struct weir_faulty *f)
{
	ssize_t n = 0;

	if (why == -EINTR || why == WEIR_WAIT_ENDED)
		n = put(end, span, left, how_of(flags, first), 0, f);

	return n > 0 ? n : why;
}

/* Attempts until the call ends. `n`: what the first gave, where there was one; `calm`:
 * the rules that have let that pass, and counted it. */
static WEIR_SELDOM ssize_t send_on(const struct weir_end *end, struct weir_span *span, size_t len,
                                   int flags, ssize_t n, uint64_t calm)
{
	struct weir_waits waits = weir_waits_begin();
	struct weir_faulty faulty, *f = NULL;
	struct weir_end moved;
	size_t total = 0;

	for (;; n = NOT_TRIED) {
		if (!f && (n == NOT_TRIED || n == WEIR_TO_KERNEL) &&
		    weir_is_faulty(end, WEIR_OP_WRITE))
			f = weir_faulty_begin(&faulty, end, WEIR_OP_WRITE, flags, false, calm);
		if (n == NOT_TRIED)
			n = put(end, span, len - total, how_of(flags, total == 0), 0, f);
		if (f && (n == WEIR_BY_FAULT || f->ends)) {
			total += n > 0 ? (size_t)n : 0;
			n = weir_faulty_settle(f, total > 0);
			if (n == WEIR_WAIT_AGAIN)
				continue;
			if (n == WEIR_WAIT_ENDED)
				return (ssize_t)total;
		}
		if (n == WEIR_TO_KERNEL && f && !(weir_is_bare() && total == 0))
			return weir_carried_send(f, NULL, *span, len - total, total);
		if (n == WEIR_TO_KERNEL && total > 0)
			n = send_rest(end, *span, len - total, flags);
		if (n == -EPIPE)
			return broken(end, flags, total);
		if (n < 0)
			return total ? (ssize_t)total : n;
		total += (size_t)n;
		if (total == len)
			return (ssize_t)total;
		if (n > 0)
			continue;
		int r = weir_wait_room(end, flags, total > 0, len - total, &waits);
		if (!weir_table_follow(&end, &moved))
			return total ? (ssize_t)total : -EBADF;
		faulty.end = end;
		if (r == WEIR_WAIT_AGAIN || (r == WEIR_TO_KERNEL && (total > 0 || f)))
			continue;
		n = stop(end, span, len - total, flags, total == 0, r, f);
		if (n > 0)
			total += (size_t)n;
		return total ? (ssize_t)total : n;
	}
}

ssize_t weir_end_send(const struct weir_end *end, struct weir_span span, size_t len, int flags)
{
	uint64_t rules = weir_rules_here(&end->out.pipe->rules_write);
	ssize_t n = put(end, &span, len, how_of(flags, true), rules, NULL);

	if (__builtin_expect(n == (ssize_t)len, 1))
		return n;
	return send_on(end, &span, len, flags, n, n >= 0 ? rules : 0);
}

/* Nothing to do beside moving the bytes? Writer lock. */
static bool is_plain(struct weir_pipe *pipe)
{
	if (load32_relaxed(&pipe->carrier) != WEIR_BY_RING || load32_relaxed(&pipe->hand_over) ||
	    load32_relaxed(&pipe->suspect))
		return false;
	if (weir_pipe_writes_alone(pipe))
		return true;
	return has_living_reader(pipe) && load64_relaxed(&pipe->writes) % ASK_EVERY != ASK_EVERY - 1;
}

/* Rules, and what a lone thread learns, want to know more of the end. */
static WEIR_SELDOM bool rules_let(uint64_t entry, int fd, const void *bytes, size_t n,
                                  struct weir_calm_way *way)
{
	struct weir_end end = weir_table_unpack(entry, fd);

	return weir_calm_looks(&end, WEIR_OP_WRITE, bytes, &n, way);
}

static WEIR_SELDOM void notice(uint64_t entry, int fd)
{
	struct weir_end end = weir_table_unpack(entry, fd);

	weir_lone_notice(&end, WEIR_OP_WRITE);
}

size_t weir_end_send_quick(uint64_t entry, int fd, const void *bytes, size_t n)
{
	struct weir_pipe_ref out = weir_table_pipe(entry, WEIR_OP_WRITE);
	struct weir_pipe *pipe = out.pipe;
	struct weir_calm_way way;

	if (doubled_glance(&pipe->bells) == 0) /* who is to be rung is not told the short way */
		return 0;
	if (weir_pipe_lock_writer(&out) != 0)
		return 0;
	way.word = load64_relaxed(&pipe->rules_write);
	bool alone = weir_pipe_writes_alone(pipe);
	way.counted = way.word != 0 && weir_calm_is_counted(pipe, WEIR_OP_WRITE);
	bool calm = __builtin_expect(way.word == 0, 1) || way.counted ||
	            rules_let(entry, fd, bytes, n, &way);
	bool far = n >= FAR_STREAM && is_far(pipe, weir_table_pipe(entry, WEIR_OP_READ).pipe, n);
	n = calm && is_plain(pipe) ? weir_pipe_put_quick(&out, bytes, n, far) : 0;
	if (n > 0) {
		store64_relaxed(&pipe->writes, load64_relaxed(&pipe->writes) + 1);
		weir_calm_passed(pipe, WEIR_OP_WRITE, &way);
		if (alone)
			notice(entry, fd);
	}
	if (!alone) {
		weir_note_life(&pipe->writer_life);
		if (load64_relaxed(&pipe->writes) % WEIR_NOTE_EVERY == 0)
			weir_note_cpu(&pipe->writer_cpu);
	}
	weir_pipe_unlock_writer(&out);
	if (n > 0)
		weir_board_tell(&weir_session, &pipe->board);
	return n;
}

int weir_end_await_room(const struct weir_end *end, int flags)
{
	struct weir_waits waits = weir_waits_begin();
	int r = WEIR_WAIT_AGAIN;

	while (r == WEIR_WAIT_AGAIN && weir_pipe_room(&end->out) == 0 &&
	       load32_relaxed(&end->out.pipe->carrier) == WEIR_BY_RING)
		r = weir_wait_room(end, flags, false, 1, &waits);
	return r < 0 && r != WEIR_TO_KERNEL ? r : 0;
}

ssize_t weir_end_send_message(const struct weir_end *end, const struct msghdr *msg, size_t len,
                              int flags)
{
	struct weir_faulty f;

	if (weir_is_bare())
		return WEIR_TO_KERNEL;
	weir_faulty_begin(&f, end, WEIR_OP_WRITE, flags, false, 0);
	return weir_carried_send(&f, msg, weir_span_of(msg->msg_iov, msg->msg_iovlen), len, 0);
}
