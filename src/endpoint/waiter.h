/* Who waits for an end in an epoll instance that this process knows.
 *
 * For him the kernel need not be exact: its queue holds a bell wherever the pipe holds bytes (R),
 * and what it says beyond is left out before the program sees it. So stale bells may stay while
 * there is something to tell from memory. They are received before he sleeps, because
 *
 *	what comes while he sleeps has to ring, or there must be an event in the kernel that he has
 *	not taken yet.
 *
 * The first is so where no bell is in the queue, and for a level where one is. A watcher of
 * edges who sleeps although bytes are left is watched for from then on (WEIR_WATCH_EDGES).
 * Whose events are one thread's at a time: see hooks/epoll.c.
 */
#ifndef WEIR_ENDPOINT_WAITER_H
#define WEIR_ENDPOINT_WAITER_H

#include <sys/epoll.h>

#include "endpoint/known.h"

/* Of the events, EPOLL*. */
enum {
	WEIR_INPUT = EPOLLIN | EPOLLRDNORM,
	WEIR_ROOM = EPOLLOUT | EPOLLWRNORM,
};

struct weir_waiter {
	weir_word32 events;         /* EPOLL*, as the program wants them */
	/* When he was last told, for edges: of the pipe that he reads, and of the one he writes. */
	weir_word64 seen_tail;
	weir_word64 seen_head;
	weir_word32 seen_fills;
	weir_word32 seen_shuts;     /* of the end */
};

/* It waits from now on: nothing was told yet. */
void weir_waiter_begin(struct weir_waiter *w, const struct weir_end *end, uint32_t events);

/* Nothing of what he was told counts: who waits for edges hears of it once more. Nobody asks
 * meanwhile. */
void weir_waiter_again(struct weir_waiter *w);

/* The events to tell now, 0 for none, as far as memory knows; WEIR_UNKNOWN: ask the kernel. The
 * first tells of them, the second only looks. */
int weir_waiter_known(struct weir_waiter *w, const struct weir_end *end);
int weir_waiter_would(struct weir_waiter *w, const struct weir_end *end);

/* At an edge: have bytes come since he was last told? If they are read by now, what else he asks
 * for is news all the same, as it is to the kernel. */
bool weir_waiter_has_news(const struct weir_waiter *w, const struct weir_end *end);

/* What is left of an event of the kernel's. */
uint32_t weir_waiter_true(struct weir_waiter *w, const struct weir_end *end, uint32_t event);

/* Just before he sleeps in the kernel: 1 where he may; 0: there is something to tell;
 * WEIR_UNKNOWN: the kernel has to answer for this end from now on. */
int weir_waiter_may_sleep(struct weir_waiter *w, const struct weir_end *end);

#endif
