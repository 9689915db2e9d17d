#include "endpoint/known.h"

#include <poll.h>

#include "base/os.h"
#include "endpoint/bare.h"
#include "pair/life.h"

enum {
	INPUT = POLLIN | POLLRDNORM,
	ROOM = POLLOUT | POLLWRNORM,
	/* Of a calm end, only the first two may be true. */
	UNDERSTOOD = INPUT | ROOM | POLLPRI | POLLRDHUP | POLLHUP | POLLERR,
};

bool weir_end_never_waits(const struct weir_end *end, int flags)
{
	return (flags & MSG_DONTWAIT) || load32_relaxed(&end->slot->end[end->side].nonblock);
}

/* A process that has read or written at the other end, and has not closed it, has it. */
static bool has_living_peer(const struct weir_end *end)
{
	uint32_t alone = load32_relaxed(&end->out.pipe->alone);

	return (alone != 0 && alone == load32_relaxed(&weir_own_process)) ||
	       weir_life_lasts(&weir_session, &end->out.pipe->reader_life) ||
	       weir_life_lasts(&weir_session, &end->in.pipe->writer_life);
}

/* What the kernel says lasts: the peer does not come back. */
static bool ask(const struct weir_end *end)
{
	weir_word32 *wary = &end->out.pipe->wary;
	uint32_t before = load32_acquire(wary);

	if (os_poll_now(end->fd, POLLRDHUP | POLLPRI) != 0)
		return false;
	if (before)
		swap32_if(wary, before, before - 1);
	return true;
}

bool weir_end_is_calm(const struct weir_end *end)
{
	const struct weir_pipe *in = end->in.pipe, *out = end->out.pipe;

	if (weir_is_bare() || load32_relaxed(&in->carrier) != WEIR_BY_RING ||
	    load32_relaxed(&out->carrier) != WEIR_BY_RING || load32_relaxed(&in->reset) ||
	    load32_relaxed(&in->generation) != end->generation)
		return false;
	if (load32_acquire(&out->wary) == 0 && has_living_peer(end) && !os_is_due())
		return true;
	return ask(end);
}

/* First what is there, then whether that was all: a peer that went in between has gone
 * after the look. */
int weir_end_known(const struct weir_end *end, short events)
{
	short known = 0;

	if ((events & INPUT) && weir_pipe_used(&end->in) > 0)
		known |= events & INPUT;
	if ((events & ROOM) && weir_pipe_writable(&end->out))
		known |= events & ROOM;
	return (events & ~UNDERSTOOD) == 0 && weir_end_is_calm(end) ? known : WEIR_UNKNOWN;
}

/* It is believed once after bytes have come: whoever asks again is told by the kernel, which
 * knows of a descriptor that was closed unseen.
 * Who watches must find no stale bell, one of a writer that was killed in the act included;
 * and who has saturated must be told of the room. */
bool weir_end_is_surely_empty(const struct weir_end *end)
{
	struct weir_pipe *in = end->in.pipe;
	uint32_t head = (uint32_t)load64_acquire(&in->head);

	if (load32_relaxed(&in->emptied_at) == head || weir_pipe_used(&end->in) > 0 ||
	    load32_relaxed(&in->saturated) != WEIR_FLOWING || load32_relaxed(&in->hand_over) ||
	    (load32_relaxed(&in->watch) & WEIR_WATCH_INPUT))
		return false;
	store32_relaxed(&in->emptied_at, head);
	return weir_end_is_calm(end);
}
