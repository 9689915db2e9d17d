/* A reader that forgets to take the bells of a full pipe: rule W is broken. */
#include "pipe/bell.h"

void __real_weir_bell_settle(const struct weir_pipe_ref *ref, int fd);
void __wrap_weir_bell_settle(const struct weir_pipe_ref *ref, int fd);

void __wrap_weir_bell_settle(const struct weir_pipe_ref *ref, int fd)
{
	static unsigned int calls;

	if (++calls % 20 == 0)
		store32_ordered(&ref->pipe->saturated, WEIR_FLOWING);
	else
		__real_weir_bell_settle(ref, fd);
}
