/* Waiting out a hold: a direction that stalls, is late, or is paced. */
#ifndef WEIR_ENDPOINT_HOLD_H
#define WEIR_ENDPOINT_HOLD_H

#include "endpoint/wait.h"

/* Waits until `until` (CLOCK_MONOTONIC, ns; UINT64_MAX: until released), as a
 * blocking socket call does: signals and SO_*TIMEO end it. WEIR_WAIT_AGAIN,
 * WEIR_WAIT_ENDED in mid-transfer, or -errno. */
int weir_hold_wait(const struct weir_end *end, int op, int flags, bool moved, uint64_t until,
                   struct weir_waits *waits);

#endif
