/* Descriptors for a program that weir cannot reach: each marked one becomes an
 * ordinary socketpair of the kernel's, with a process of its own that pumps.
 *
 * Both the command (as a step between a program and the next) and the library
 * (in a process that could not come back into its session) do it.
 */
#ifndef WEIR_CARRY_CARRY_H
#define WEIR_CARRY_CARRY_H

#include "pair/session.h"

/* Which marked descriptors are replaced, each at its number. */
enum weir_carried {
	WEIR_CARRY_SURVIVORS,       /* those that an exec leaves open */
	WEIR_CARRY_ALL,
};

/* `recognise`, where not NULL, makes a descriptor marked in the pumping process.
 * Returns 0, or -errno where a descriptor could not be replaced. */
int weir_carry(const struct weir_session *session, enum weir_carried which,
               void (*recognise)(int fd));

#endif
