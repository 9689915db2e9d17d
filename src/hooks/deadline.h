/* Timeouts of calls, and when they are over: ns of CLOCK_MONOTONIC. 0 is at once, and
 * UINT64_MAX never; for neither the clock is read. */
#ifndef WEIR_HOOKS_DEADLINE_H
#define WEIR_HOOKS_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/os.h"

enum { WEIR_NS = 1000000000 };      /* of a second */

/* As the kernel sees it. */
static inline bool weir_timeout_is_valid(const struct timespec *t)
{
	return t->tv_sec >= 0 && t->tv_nsec >= 0 && t->tv_nsec < WEIR_NS;
}

/* A valid timeout, or NULL for none, that begins now. A hundred years are for ever. */
static inline uint64_t weir_deadline(const struct timespec *timeout)
{
	if (!timeout || timeout->tv_sec >= INT64_C(3200000000))
		return UINT64_MAX;
	if (timeout->tv_sec == 0 && timeout->tv_nsec == 0)
		return 0;
	return os_now_ns() + (uint64_t)timeout->tv_sec * WEIR_NS + (uint64_t)timeout->tv_nsec;
}

/* What is left of it; 0: it is over. */
static inline uint64_t weir_time_left(uint64_t deadline)
{
	if (deadline == 0 || deadline == UINT64_MAX)
		return deadline;
	uint64_t now = os_now_ns();
	return deadline > now ? deadline - now : 0;
}

static inline struct timespec weir_timespec(uint64_t ns)
{
	return (struct timespec){(time_t)(ns / WEIR_NS), (long)(ns % WEIR_NS)};
}

/* Milliseconds, not negative. */
static inline struct timespec weir_timespec_of_ms(int ms)
{
	return (struct timespec){ms / 1000, (long)(ms % 1000) * 1000000};
}

#endif
