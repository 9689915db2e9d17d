/* Deadlocks: nobody who holds an end of a pair can go on. They are told once, and all
 * who are part of one are killed where the run was asked to fail. */
#ifndef WEIR_ENDPOINT_DEADLOCK_H
#define WEIR_ENDPOINT_DEADLOCK_H

#include "endpoint/endpoint.h"

/* This thread has noted that it sleeps in the pair, and is about to. Looks for what
 * can be seen in that pair alone. */
void weir_deadlock_look(const struct weir_end *end);

/* For who watches a session from outside, every now and then: finds also those over
 * several pairs. `before` and `now`: of the last watch and of this one, ns of
 * CLOCK_MONOTONIC. */
void weir_deadlock_watch(uint64_t before, uint64_t now);

#endif
