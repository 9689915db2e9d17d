/* A writer that rings too seldom: rule R is broken. Linked in place of the real
 * function (ld --wrap), to see whether the random test notices. */
#include "pipe/bell.h"

int __real_weir_bell_ring(const struct weir_pipe_ref *ref, int fd);
int __wrap_weir_bell_ring(const struct weir_pipe_ref *ref, int fd);

int __wrap_weir_bell_ring(const struct weir_pipe_ref *ref, int fd)
{
	static unsigned int calls;

	return ++calls % 100 == 0 ? 0 : __real_weir_bell_ring(ref, fd);
}
