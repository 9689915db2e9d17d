#include "endpoint/waiter.h"

#include <poll.h>

#include "endpoint/wait.h"
#include "pipe/bell.h"

enum { OVER = EPOLLHUP | EPOLLERR | EPOLLRDHUP };

void weir_waiter_begin(struct weir_waiter *w, const struct weir_end *end, uint32_t events)
{
	store64_relaxed(&w->seen_tail, UINT64_MAX);
	store64_relaxed(&w->seen_head, UINT64_MAX);
	store32_relaxed(&w->seen_fills, load32_relaxed(&end->out.pipe->fills) - 1);
	store32_relaxed(&w->seen_shuts, load32_relaxed(&end->slot->end[end->side].shuts));
	store32_release(&w->events, events);
}

void weir_waiter_again(struct weir_waiter *w)
{
	store64_relaxed(&w->seen_tail, UINT64_MAX);
	store64_relaxed(&w->seen_head, UINT64_MAX);
}

static bool has_edges(const struct weir_waiter *w)
{
	return load32_relaxed(&w->events) & EPOLLET;
}

static bool is_new(const struct weir_waiter *w, const struct weir_end *end)
{
	return !has_edges(w) || load64_acquire(&end->in.pipe->tail) != load64_relaxed(&w->seen_tail);
}

bool weir_waiter_has_news(const struct weir_waiter *w, const struct weir_end *end)
{
	return (load32_relaxed(&w->events) & WEIR_INPUT) && is_new(w, end);
}

/* What decides whether there is news at an edge. Of room it is looked up before the room is:
 * what changes meanwhile is news again. Who waits for levels spares the processor these lines. */
struct sight {
	uint64_t tail, head;
	uint32_t fills, shuts;
};

static struct sight look(const struct weir_end *end)
{
	return (struct sight){
		.tail = load64_acquire(&end->in.pipe->tail),
		.head = load64_acquire(&end->out.pipe->head),
		.fills = load32_acquire(&end->out.pipe->fills),
		.shuts = load32_acquire(&end->slot->end[end->side].shuts),
	};
}

/* Has room come since he was last told, if only for a moment? Where the kernel carries, that
 * alone knows. */
static bool has_gone(const struct weir_waiter *w, const struct weir_end *end,
                     const struct sight *now)
{
	return (load32_relaxed(&w->events) & WEIR_ROOM) &&
	       (load32_acquire(&end->out.pipe->carrier) != WEIR_BY_RING ||
	        now->head != load64_relaxed(&w->seen_head));
}

/* An edge tells of all that is so, as the kernel's does, once something has come, or has gone
 * out: of old bytes, too, where the room that was made is taken again. */
static bool is_news(const struct weir_waiter *w, const struct weir_end *end,
                    const struct sight *now, uint32_t known)
{
	bool came = (load32_relaxed(&w->events) & WEIR_INPUT) &&
	            now->tail != load64_relaxed(&w->seen_tail);
	bool room = (known & WEIR_ROOM) && now->fills != load32_relaxed(&w->seen_fills);

	return known && (came || room || has_gone(w, end, now));
}

/* That it was filled is news of room until that is told of. */
static void tell(struct weir_waiter *w, const struct sight *now, uint32_t known)
{
	store64_relaxed(&w->seen_tail, now->tail);
	store64_relaxed(&w->seen_head, now->head);
	store32_relaxed(&w->seen_shuts, now->shuts);
	if (known & WEIR_ROOM)
		store32_relaxed(&w->seen_fills, now->fills);
}

static int known_now(const struct weir_waiter *w, const struct weir_end *end, struct sight *now)
{
	uint32_t events = load32_acquire(&w->events);

	if (events & EPOLLET)
		*now = look(end);
	int known = weir_end_known(end, (short)(events & (WEIR_INPUT | WEIR_ROOM)));
	if (known == WEIR_UNKNOWN || !(events & EPOLLET) || is_news(w, end, now, (uint32_t)known))
		return known;
	return now->shuts == load32_relaxed(&w->seen_shuts) ? 0 : WEIR_UNKNOWN;
}

int weir_waiter_known(struct weir_waiter *w, const struct weir_end *end)
{
	struct sight now = {0};
	int known = known_now(w, end, &now);

	if (known > 0 && has_edges(w))
		tell(w, &now, (uint32_t)known);
	return known;
}

int weir_waiter_would(struct weir_waiter *w, const struct weir_end *end)
{
	struct sight now = {0};

	return known_now(w, end, &now);
}

/* The same of an event of the kernel's: what came after that one, and was not read, is news
 * still. */
static void tell_event(struct weir_waiter *w, const struct weir_end *end, struct sight *now,
                       uint32_t event)
{
	if (!(event & WEIR_INPUT) && weir_pipe_used(&end->in) > 0)
		now->tail = load64_relaxed(&w->seen_tail);
	tell(w, now, event);
}

/* Where somebody has the bells exact, they come before what they tell of: that there is nothing,
 * only who has waited for the writer can say. True: who asks is a handler, and cannot wait. */
static bool may_come(const struct weir_end *end)
{
	if (!(load32_relaxed(&end->in.pipe->watch) & WEIR_WATCH_INPUT))
		return false;
	if (weir_pipe_lock_writer(&end->in) != 0)
		return true;
	weir_pipe_unlock_writer(&end->in);
	return false;
}

static bool has_input(const struct weir_end *end)
{
	return weir_pipe_used(&end->in) > 0 || may_come(end) || weir_pipe_used(&end->in) > 0;
}

/* Since the last bytes that were told of. */
static bool has_come(const struct weir_waiter *w, const struct weir_end *end)
{
	return is_new(w, end) || may_come(end) || is_new(w, end);
}

/* Of who has gone, or is carried by the kernel in one direction. What the kernel says of bytes
 * of the ring that were told of, and of nothing else, is left out. */
static uint32_t true_of_others(struct weir_waiter *w, const struct weir_end *end, uint32_t event)
{
	bool by_ring = load32_acquire(&end->in.pipe->carrier) == WEIR_BY_RING;
	bool old = by_ring && weir_pipe_used(&end->in) > 0 && !has_come(w, end);
	struct sight now = look(end);

	if (now.shuts != load32_relaxed(&w->seen_shuts) || has_gone(w, end, &now))
		old = false;
	tell_event(w, end, &now, event);
	weir_end_make_exact(end, (short)(event & (WEIR_INPUT | WEIR_ROOM)));
	if (event & OVER)
		return event;
	event = (uint32_t)(unsigned short)weir_end_true_events(end, (short)event);
	return old && !(event & WEIR_ROOM) ? event & ~(uint32_t)WEIR_INPUT : event;
}

/* Of an event, what is so. */
static uint32_t true_now(const struct weir_end *end, uint32_t event)
{
	if ((event & WEIR_INPUT) && !has_input(end))
		event &= ~(uint32_t)WEIR_INPUT;
	if ((event & WEIR_ROOM) && !weir_pipe_writable(&end->out)) {
		weir_end_make_exact(end, POLLOUT);
		event &= ~(uint32_t)WEIR_ROOM;
	}
	return event;
}

uint32_t weir_waiter_true(struct weir_waiter *w, const struct weir_end *end, uint32_t event)
{
	struct sight now = look(end);

	if ((event & OVER) || !weir_end_is_calm(end))
		return true_of_others(w, end, event);
	event = true_now(end, event);
	if (!has_edges(w))
		return event;
	bool came = (event & WEIR_INPUT) && has_come(w, end);
	bool shut = now.shuts != load32_relaxed(&w->seen_shuts);
	now.tail = load64_acquire(&end->in.pipe->tail); /* what it tells of now came before */
	if (!came && !shut && !is_news(w, end, &now, event & (WEIR_INPUT | WEIR_ROOM)))
		event &= ~(uint32_t)(WEIR_INPUT | WEIR_ROOM);
	if (event)
		tell_event(w, end, &now, event);
	return event;
}

/* Both locks. */
static int settle(struct weir_waiter *w, const struct weir_end *end)
{
	if (weir_pipe_used(&end->in) == 0) {
		weir_bell_settle(&end->in, end->fd);
		return 1;
	}
	if (is_new(w, end))
		return 0;
	weir_pipe_watch(&end->in, WEIR_WATCH_INPUT | WEIR_WATCH_EDGES);
	return 1;
}

/* A writer at work that has brought something brings it to be told. */
static int lock(const struct weir_waiter *w, const struct weir_end *end)
{
	int error = weir_wait_lock(&end->in);

	return error == WEIR_WAIT_AGAIN && !is_new(w, end) ? weir_pipe_lock(&end->in) : error;
}

int weir_waiter_may_sleep(struct weir_waiter *w, const struct weir_end *end)
{
	if (!(load32_acquire(&w->events) & WEIR_INPUT))
		return 1;
	if (!weir_end_is_calm(end))
		return WEIR_UNKNOWN;
	int error = lock(w, end);
	if (error)
		return error == WEIR_WAIT_AGAIN ? 0 : WEIR_UNKNOWN;
	int may = settle(w, end);
	weir_pipe_unlock(&end->in);
	return may;
}
