/* A reader that believes each position: tests/damage must notice. */
#include "pipe/check.h"

bool __real_weir_pipe_reader_sees(const struct weir_pipe_ref *ref, struct weir_pipe_seen *seen);
bool __wrap_weir_pipe_reader_sees(const struct weir_pipe_ref *ref, struct weir_pipe_seen *seen);

bool __wrap_weir_pipe_reader_sees(const struct weir_pipe_ref *ref, struct weir_pipe_seen *seen)
{
	const struct weir_pipe *pipe = ref->pipe;

	__real_weir_pipe_reader_sees(ref, seen);
	if (seen->tail - seen->head > ref->span_mask + 1)
		seen->tail = seen->head;
	seen->origin = load64_relaxed(&pipe->origin);
	seen->mask = load64_relaxed(&pipe->mask);
	return true;
}
