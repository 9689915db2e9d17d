/* Deadlocks: nobody who holds an end of a pair can go on. */
#ifndef WEIR_ENDPOINT_DEADLOCK_H
#define WEIR_ENDPOINT_DEADLOCK_H

#include "endpoint/endpoint.h"

/* This thread has noted that it sleeps in the pair, and is about to. If that makes
 * the pair one in which every thread of every process that holds an end waits for
 * another, says so, once; and kills them where the run was asked to fail. */
void weir_deadlock_look(const struct weir_end *end);

#endif
