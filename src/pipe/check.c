#include "pipe/check.h"

static inline uint64_t shape_of(uint64_t origin, uint64_t mask, uint64_t limit,
                                uint64_t writable_room)
{
	return origin ^ mask << 1 ^ limit << 2 ^ writable_room << 3;
}

void weir_pipe_keep_shape(struct weir_pipe *pipe)
{
	store64_relaxed(&pipe->shape, shape_of(load64_relaxed(&pipe->origin), load64_relaxed(&pipe->mask),
	                                       load64_relaxed(&pipe->limit),
	                                       load64_relaxed(&pipe->writable_room)));
}

void weir_pipe_damaged(struct weir_pipe *pipe, const char *what)
{
	store64_relaxed(&pipe->generation.halves, 1); /* of no life: they differ */
	weir_damaged(what);
}

/* The other side stores the copy first: it is never behind, and ahead by what is being
 * moved at most. */
static inline bool may_be_ahead(uint64_t again, uint64_t position, uint64_t most)
{
	return again - position <= most;
}

/* Writer lock; or reader lock where the ring is not empty. */
static inline bool shape_is_sound(const struct weir_pipe_ref *ref, struct weir_pipe_seen *seen)
{
	const struct weir_pipe *pipe = ref->pipe;
	uint64_t mask = seen->mask = load64_relaxed(&pipe->mask);

	seen->origin = load64_relaxed(&pipe->origin);
	seen->limit = load64_relaxed(&pipe->limit);
	return load64_relaxed(&pipe->shape) ==
	               shape_of(seen->origin, mask, seen->limit,
	                        load64_relaxed(&pipe->writable_room)) &&
	       mask <= ref->span_mask && (mask & (mask + 1)) == 0 && mask >= WEIR_RING_MIN_MASK &&
	       seen->limit - 1 <= mask - WEIR_ASIDE_SIZE;
}

bool weir_pipe_reader_sees(const struct weir_pipe_ref *ref, struct weir_pipe_seen *seen)
{
	const struct weir_pipe *pipe = ref->pipe;
	uint64_t tail = load64_acquire(&pipe->tail), head = load64_relaxed(&pipe->head);

	*seen = (struct weir_pipe_seen){.head = head, .tail = tail};
	return head == load64_relaxed(&pipe->head_again) && tail - head <= ref->span_mask + 1 &&
	       may_be_ahead(load64_relaxed(&pipe->tail_again), tail, ref->span_mask + 1 - (tail - head)) &&
	       (tail == head || shape_is_sound(ref, seen));
}

bool weir_pipe_writer_sees(const struct weir_pipe_ref *ref, struct weir_pipe_seen *seen)
{
	const struct weir_pipe *pipe = ref->pipe;
	uint64_t head = load64_ordered(&pipe->head), tail = load64_relaxed(&pipe->tail);

	*seen = (struct weir_pipe_seen){.head = head, .tail = tail};
	return tail == load64_relaxed(&pipe->tail_again) && tail - head <= ref->span_mask + 1 &&
	       may_be_ahead(load64_relaxed(&pipe->head_again), head, tail - head) &&
	       shape_is_sound(ref, seen);
}
