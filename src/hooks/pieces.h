/* A wait for which the kernel is asked several times. A signal that came between two of them
 * would be missed by the next: so none comes but while the kernel waits.
 */
#ifndef WEIR_HOOKS_PIECES_H
#define WEIR_HOOKS_PIECES_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/os.h"

struct weir_pieces {
	uint64_t before;            /* the thread's mask */
	sigset_t mask;
	const sigset_t *let_in;     /* with which the kernel is to wait */
};

/* Has a handler run since, which came while the kernel was not asked yet? No handler lets a
 * poll, or what is like it, start again. With a mask of the call's own it may have been one that
 * is not let in, and counts as come before the call. */
static inline bool weir_is_interrupted(struct os_handled since, const sigset_t *mask)
{
	return __builtin_expect(!mask && os_handled().all != since.all, 0);
}

/* What a call gives then: `ready`, or else EINTR. */
static inline int weir_or_interrupted(int ready, bool interrupted)
{
	if (!interrupted || ready != 0)
		return ready;
	errno = EINTR;
	return -1;
}

/* -1 and EINTR where it is interrupted. */
static inline int weir_was_interrupted(struct os_handled since, const sigset_t *mask)
{
	return weir_or_interrupted(0, weir_is_interrupted(since, mask));
}

/* Before the kernel is asked to wait: where a handler has run since, it must not, but what there
 * is comes first, as the kernel looks for signals only where it finds nothing. */
static inline bool weir_must_not_wait(struct os_handled since, const sigset_t *mask,
                                      const struct timespec **left)
{
	static const struct timespec at_once;
	bool interrupted = weir_is_interrupted(since, mask);

	if (interrupted)
		*left = &at_once;
	return interrupted;
}

/* `mask`: the call's own, or NULL. */
static inline void weir_pieces_begin(struct weir_pieces *p, const sigset_t *mask)
{
	p->before = os_block_signals(UINT64_MAX);
	sigemptyset(&p->mask);
	memcpy(&p->mask, &p->before, sizeof(p->before));
	p->let_in = mask ? mask : &p->mask;
}

/* For pthread_cleanup_push(3), too: the waits are cancellation points. */
static inline void weir_pieces_end(void *pieces)
{
	const struct weir_pieces *p = (const struct weir_pieces *)pieces;

	os_set_signal_mask(p->before);
}

#endif
