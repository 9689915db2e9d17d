/* What is believed of a pipe's shared words. */
#ifndef WEIR_PIPE_CHECK_H
#define WEIR_PIPE_CHECK_H

#include "pipe/pipe.h"

/* Makes `shape` what it must be. Writer lock. */
void weir_pipe_keep_shape(struct weir_pipe *pipe);

/* What was checked: it is not loaded again, as it might be damaged in between. */
struct weir_pipe_seen {
	uint64_t origin;
	uint64_t head;
	uint64_t mask;              /* not beside origin: two that were just stored are slow to
	                             * load together, as a struct weir_ring would */
	uint64_t tail;
	uint64_t limit;
};

/* Looks at the positions and the shape as who holds the reader lock, or the writer lock.
 * True where they agree with their copies and with the storage: the shape is looked at
 * by a reader only where there is something to read. The other side may be at work. */
bool weir_pipe_reader_sees(const struct weir_pipe_ref *ref, struct weir_pipe_seen *seen);
bool weir_pipe_writer_sees(const struct weir_pipe_ref *ref, struct weir_pipe_seen *seen);

/* Dies of what is wrong. So does whoever comes to the pipe later: it would take the lock of
 * a dead owner for one that only has to be put right. */
_Noreturn void weir_pipe_damaged(struct weir_pipe *pipe, const char *what) __attribute__((cold));

static inline struct weir_pipe_seen weir_pipe_check_reader(const struct weir_pipe_ref *ref)
{
	struct weir_pipe_seen seen;

	if (__builtin_expect(!weir_pipe_reader_sees(ref, &seen), 0))
		weir_pipe_damaged(ref->pipe, "what a pipe's reader finds");
	return seen;
}

static inline struct weir_pipe_seen weir_pipe_check_writer(const struct weir_pipe_ref *ref)
{
	struct weir_pipe_seen seen;

	if (__builtin_expect(!weir_pipe_writer_sees(ref, &seen), 0))
		weir_pipe_damaged(ref->pipe, "what a pipe's writer finds");
	return seen;
}

#endif
