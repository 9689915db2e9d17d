/* A reader that does not tell a writer who sleeps that there is room: tests/programs/storm.c
 * must notice, and say who waits. */
#include "pipe/bell.h"

void __real_weir_bell_settle(const struct weir_pipe_ref *ref, int fd);
void __wrap_weir_bell_settle(const struct weir_pipe_ref *ref, int fd);

void __wrap_weir_bell_settle(const struct weir_pipe_ref *ref, int fd)
{
	if (load32_relaxed(&ref->pipe->saturated) == WEIR_SATURATED)
		return;
	__real_weir_bell_settle(ref, fd);
}
