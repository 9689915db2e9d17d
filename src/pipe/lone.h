/* The short way of a pipe that is one thread's alone.
 *
 * While no other process has come near (weir_pipe_begin_alone) and this one has a single
 * thread, nothing that shared memory says of the pipe changes but by that thread. So the
 * process remembers here what it checked once, and a transfer with nothing unusual about
 * it uses that. It looks at no shared words but those that others may change all the
 * same, so damage to the rest does not concern it; what it changes it stores there, too,
 * for whoever comes later. All else that is done to a pipe, with its locks or without,
 * makes the process forget, and the next transfers take the general way.
 *
 * A signal handler may come between any two steps, and do anything.
 */
#ifndef WEIR_PIPE_LONE_H
#define WEIR_PIPE_LONE_H

#include "base/os.h"
#include "pipe/pipe.h"

#ifndef WEIR_LONES
#define WEIR_LONES 8192 /* pipes of the session that are remembered, the first ones */
#endif

enum {
	WEIR_LONE_PAUSE = 16,       /* transfers, where what was learned was not used */
};

struct weir_lone {
	/* Who reads and who writes without a further look: what the table of descriptors
	 * says of them (endpoint/table.h), 0 for nobody. */
	_Alignas(64) weir_word64 who[2];
	unsigned char *storage;
	struct weir_pipe_ref ref;
	uint64_t self;              /* what `alone` says of this process */
	weir_word64 head;
	weir_word64 tail;
	weir_word64 origin;
	uint64_t mask;
	uint64_t limit;             /* at least the bytes in the ring */
	uint64_t near;              /* behind that index an empty ring begins anew, ... */
	uint16_t front;             /* ... so far before it */
	uint16_t learned;           /* the low bits of head + tail when this was learned */
	weir_word32 pause;          /* transfers before that pays again */
};

/* [0] and [1] are nobody's. */
extern struct weir_lone weir_lones[WEIR_LONES];

/* A new life of the pipe. */
void weir_lone_begin(const struct weir_pipe_ref *ref);

/* Remembers the pipe for those two, of whom either may be nobody. Nothing if it is not this
 * thread's alone, or another transfer was interrupted. Lock of `op`'s side. */
void weir_lone_learn(const struct weir_pipe_ref *ref, int op, uint64_t reader, uint64_t writer);

/* Begins a transfer of `who`. False where it must go the general way. */
static inline bool weir_lone_enter(const struct weir_lone *l, int op, uint64_t who)
{
	if (__builtin_expect(load64_relaxed(&l->who[op]) != who || !os_still_single_threaded(), 0))
		return false;
	atomic_signal_fence(memory_order_acquire); /* until now a handler may have learned the rest */
	struct weir_pipe *pipe = l->ref.pipe;
	weir_word64 *at_work = op ? &pipe->write_alone.halves : &pipe->read_alone.halves;
	if (__builtin_expect(load64_relaxed(at_work) != 0, 0))
		return false;
	store64_relaxed(at_work, l->self);
	atomic_signal_fence(memory_order_seq_cst);
	if (__builtin_expect(load64_relaxed(&pipe->alone.halves) == l->self &&
	                             load64_relaxed(&l->who[op]) == who && os_still_single_threaded(),
	                     1))
		return true;
	store64_release(at_work, 0);
	return false;
}

static inline void weir_lone_leave_reader(const struct weir_lone *l)
{
	store64_release(&l->ref.pipe->read_alone.halves, 0);
}

static inline bool weir_lone_has_aside(const struct weir_lone *l)
{
	return __builtin_expect(load64_relaxed(&l->ref.pipe->aside_used.halves) != 0, 0);
}

/* Appends what handlers left aside meanwhile, before and after. */
static inline void weir_lone_leave_writer(const struct weir_lone *l)
{
	bool aside = weir_lone_has_aside(l);

	if (!aside) {
		store64_release(&l->ref.pipe->write_alone.halves, 0);
		atomic_signal_fence(memory_order_seq_cst);
		aside = weir_lone_has_aside(l) && weir_pipe_lock_writer(&l->ref) == 0;
	}
	if (aside)
		weir_pipe_unlock_writer(&l->ref);
}

/* An empty ring begins again at the front of its storage, so that small exchanges stay
 * in cache. */
static inline void weir_lone_rebase(struct weir_lone *l, uint64_t tail)
{
	struct weir_pipe *pipe = l->ref.pipe;
	uint64_t origin = tail - (l->near - l->front);

	store64_relaxed(&pipe->shape,
	                load64_relaxed(&pipe->shape) ^ load64_relaxed(&l->origin) ^ origin);
	store64_relaxed(&pipe->origin, origin);
	store64_relaxed(&l->origin, origin);
}

/* Where `n` more bytes go in one piece; NULL where there is no such place. They are then
 * copied there, and published. */
static inline __attribute__((always_inline)) unsigned char *weir_lone_room(struct weir_lone *l,
                                                                           size_t n)
{
	uint64_t tail = load64_relaxed(&l->tail), used = tail - load64_relaxed(&l->head);
	uint64_t index = (tail - load64_relaxed(&l->origin)) & l->mask;

	if (n > l->limit - used)
		return NULL;
	if (used == 0 && index + n > l->near) {
		weir_lone_rebase(l, tail);
		index = l->near - l->front;
	}
	if (n > l->mask + 1 - index)
		return NULL;
	store64_relaxed(&l->ref.pipe->pending, n);
	return l->storage + index;
}

static inline void weir_lone_publish(struct weir_lone *l, size_t n)
{
	WEIR_ADDRESS_ANEW(l);
	struct weir_pipe *pipe = l->ref.pipe;
	uint64_t tail = load64_relaxed(&l->tail) + n, used = tail - load64_relaxed(&l->head);

	store64_relaxed(&pipe->tail_again, tail);
	store64_release(&pipe->tail, tail);
	store64_relaxed(&l->tail, tail);
	store64_relaxed(&pipe->pending, 0);
	if (used > load64_relaxed(&pipe->max_buffered))
		store64_relaxed(&pipe->max_buffered, used);
	store64_relaxed(&pipe->writes, load64_relaxed(&pipe->writes) + 1);
}

/* Where the next min(*n, used) bytes lie, which becomes `*n`; NULL where there are none, or
 * they lie in two pieces. They are then copied from there, and consumed. */
static inline const unsigned char *weir_lone_bytes(const struct weir_lone *l, size_t *n)
{
	uint64_t head = load64_relaxed(&l->head), used = load64_relaxed(&l->tail) - head;
	uint64_t index = (head - load64_relaxed(&l->origin)) & l->mask;

	if (*n > used)
		*n = (size_t)used;
	return used > 0 && *n <= l->mask + 1 - index ? l->storage + index : NULL;
}

static inline void weir_lone_consume(struct weir_lone *l, size_t n)
{
	WEIR_ADDRESS_ANEW(l);
	struct weir_pipe *pipe = l->ref.pipe;
	uint64_t head = load64_relaxed(&l->head) + n;

	store64_relaxed(&pipe->head_again, head);
	store64_release(&pipe->head, head);
	store64_relaxed(&l->head, head);
	store64_relaxed(&pipe->reads, load64_relaxed(&pipe->reads) + 1);
}

#endif
