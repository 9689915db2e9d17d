/* What is believed of a pipe's shared words. */
#ifndef WEIR_PIPE_CHECK_H
#define WEIR_PIPE_CHECK_H

#include "pipe/pipe.h"

/* What `shape` is while nothing is damaged. */
static inline uint64_t weir_pipe_shape(const struct weir_pipe *pipe)
{
	return load64_relaxed(&pipe->origin) ^ load64_relaxed(&pipe->mask) << 1 ^
	       load64_relaxed(&pipe->limit) << 2 ^ load64_relaxed(&pipe->writable_room) << 3;
}

/* Do the words that tell where bytes lie agree with their copy, and with the storage?
 * Writer lock; or reader lock where the ring is not empty. */
bool weir_pipe_shape_is_sound(const struct weir_pipe_ref *ref);

/* The same of the positions, as who holds the reader lock sees them, or the writer lock.
 * The other side may be at work. */
bool weir_pipe_reader_is_sound(const struct weir_pipe_ref *ref);
bool weir_pipe_writer_is_sound(const struct weir_pipe_ref *ref);

static inline void weir_pipe_check_reader(const struct weir_pipe_ref *ref)
{
	if (__builtin_expect(!weir_pipe_reader_is_sound(ref), 0))
		weir_damaged("what a pipe's reader finds");
}

static inline void weir_pipe_check_writer(const struct weir_pipe_ref *ref)
{
	if (__builtin_expect(!weir_pipe_writer_is_sound(ref), 0))
		weir_damaged("what a pipe's writer finds");
}

#endif
