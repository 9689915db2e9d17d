/* The short way of a lone thread, which the hooks have inlined (endpoint/lone.h). */
#include "endpoint/lone.h"

#include "world.h"

size_t lone_send(uint64_t entry, void *bytes, size_t n)
{
	return weir_lone_send(entry, (struct weir_place){bytes, NULL}, n);
}

size_t lone_receive(uint64_t entry, int fd, void *bytes, size_t n)
{
	return weir_lone_receive(entry, fd, (struct weir_place){bytes, NULL}, n);
}
