/* A wait for which the kernel is asked several times. A signal that came between two of them
 * would be missed by the next: so none comes but while the kernel waits.
 */
#ifndef WEIR_HOOKS_PIECES_H
#define WEIR_HOOKS_PIECES_H

#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "base/os.h"

struct weir_pieces {
	uint64_t before;            /* the thread's mask */
	sigset_t mask;
	const sigset_t *let_in;     /* with which the kernel is to wait */
};

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
