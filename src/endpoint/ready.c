/* Readiness: the kernel answers poll, select and epoll; here it is made right. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/os.h"
#include "endpoint/bare.h"
#include "endpoint/wait.h"
#include "pipe/bell.h"

enum { INPUT = POLLIN | POLLRDNORM, ROOM = POLLOUT | POLLWRNORM };

static void settle_if_empty(const struct weir_end *end)
{
	if (weir_pipe_lock(&end->in) != 0)
		return;
	if (weir_pipe_used(&end->in) == 0) {
		weir_bell_settle(&end->in, end->fd);
		weir_end_follow(end);
	}
	weir_pipe_unlock(&end->in);
}

static void make_input_exact(const struct weir_end *end)
{
	struct weir_pipe *pipe = end->in.pipe;

	if (weir_pipe_used(&end->in) > 0 || load32_relaxed(&pipe->carrier) == WEIR_BY_KERNEL)
		return;
	weir_give_way(pipe); /* else its bell could be left behind for what was read already */
	if (load32_relaxed(&pipe->bells) > 0 || load32_relaxed(&pipe->carrier) != WEIR_BY_RING ||
	    load32_relaxed(&pipe->saturated) != WEIR_FLOWING)
		settle_if_empty(end);
}

static void make_room_exact(const struct weir_end *end)
{
	const struct weir_pipe_ref *out = &end->out;
	struct weir_pipe *pipe = out->pipe;

	if (load32_relaxed(&pipe->carrier) != WEIR_BY_RING)
		return;
	if (weir_pipe_writable(out) && load32_relaxed(&pipe->saturated) == WEIR_FLOWING)
		return;
	if (weir_pipe_lock_writer(out) != 0)
		return;
	if (!weir_pipe_writable(out))
		weir_bell_saturate(out, end->fd, WEIR_UNWRITABLE,
		                   load64_relaxed(&pipe->writable_room));
	if (weir_pipe_writable(out) && load32_relaxed(&pipe->saturated) != WEIR_FLOWING)
		weir_bell_make_writable(out, end->fd);
	weir_pipe_unlock_writer(out);
}

void weir_end_make_exact(const struct weir_end *end, short events)
{
	if (weir_is_bare())
		return;
	if (events & INPUT)
		make_input_exact(end);
	if (events & ROOM)
		make_room_exact(end);
}

bool weir_end_reset_is_true(const struct weir_end *end)
{
	return load32_relaxed(&end->out.pipe->carrier) != WEIR_BY_RING ||
	       weir_pipe_used(&end->out) > 0;
}

/* The kernel sees bytes in its queue and the ring has none: unless the peer has
 * ended this direction, these are bells that somebody left behind. */
static bool input_is_stale(const struct weir_end *end)
{
	if (load32_relaxed(&end->in.pipe->carrier) != WEIR_BY_RING ||
	    weir_pipe_used(&end->in) > 0)
		return false;
	settle_if_empty(end);
	return !(os_poll_now(end->fd, POLLIN | POLLRDHUP) & (POLLIN | POLLRDHUP));
}

/* Where the peer has gone, so have the bells, and the kernel is right. Where both only shut
 * their ends, what was not read takes its room still. */
static bool room_is_stale(const struct weir_end *end, bool over)
{
	return load32_relaxed(&end->out.pipe->carrier) == WEIR_BY_RING &&
	       !weir_pipe_writable(&end->out) && (!over || os_queued_out(end->fd) > 0);
}

short weir_end_true_events(const struct weir_end *end, short revents)
{
	if (weir_is_bare())
		return revents;
	if ((revents & POLLERR) && !weir_end_reset_is_true(end)) {
		os_getsockopt_int(end->fd, SO_ERROR); /* takes the error away */
		revents &= ~POLLERR;
	}
	if (__builtin_expect(load32_relaxed(&end->in.pipe->reset), 0))
		revents |= POLLERR;
	bool over = (revents & (POLLERR | POLLHUP)) != 0;
	if ((revents & INPUT) && !over && !(revents & POLLRDHUP) && input_is_stale(end))
		revents &= ~INPUT;
	if ((revents & ROOM) && room_is_stale(end, over))
		revents &= ~ROOM;
	return revents;
}

/* Who is at work may have looked before somebody watched: what he does, he does as if nobody
 * did. */
static void await_writer(const struct weir_pipe_ref *ref)
{
	if (!weir_is_bare() && weir_pipe_lock_writer(ref) == 0)
		weir_pipe_unlock_writer(ref);
}

static void await_both(const struct weir_pipe_ref *ref)
{
	if (!weir_is_bare() && weir_pipe_lock(ref) == 0)
		weir_pipe_unlock(ref);
}

void weir_end_watch(const struct weir_end *end, short events, bool edges)
{
	if (events & INPUT)
		weir_pipe_watch(&end->in, WEIR_WATCH_INPUT | (edges ? WEIR_WATCH_EDGES : 0U));
	if (events & ROOM)
		weir_pipe_watch(&end->out, WEIR_WATCH_ROOM);
	if (events & INPUT)
		await_both(&end->in);
	if (events & ROOM)
		await_writer(&end->out);
	weir_end_make_exact(end, events);
}

uint64_t weir_end_available(const struct weir_end *end)
{
	uint64_t behind = 0;

	if (load32_relaxed(&end->in.pipe->carrier) != WEIR_BY_RING &&
	    weir_pipe_lock(&end->in) == 0) {
		weir_end_follow(end);
		behind = weir_bell_queued_behind(&end->in, end->fd);
		weir_pipe_unlock(&end->in);
	}
	return weir_pipe_used(&end->in) + behind;
}
