/* What an end is ready for, as shared memory tells it: the kernel is asked only where it may
 * know of more than bytes and room (a hang-up, an error, urgent data).
 */
#ifndef WEIR_ENDPOINT_KNOWN_H
#define WEIR_ENDPOINT_KNOWN_H

#include "endpoint/endpoint.h"

enum { WEIR_UNKNOWN = -1 };

/* Are bytes and room all that there is to say of the end? Where something may have happened,
 * the kernel is asked. */
bool weir_end_is_calm(const struct weir_end *end);

/* Which of the poll events are true now; WEIR_UNKNOWN where only the kernel can tell. */
int weir_end_known(const struct weir_end *end, short events);

/* Would a receive that must not wait give EAGAIN, with nothing to be done for anybody else? */
bool weir_end_is_surely_empty(const struct weir_end *end);

/* Is the end known not to block? False also where it is not known. */
bool weir_end_never_waits(const struct weir_end *end, int flags);

#endif
