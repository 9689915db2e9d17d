/* What carries the bytes of a workload: socketpairs, or pipes, and how an end waits for them. */
#ifndef BENCH_CHANNEL_H
#define BENCH_CHANNEL_H

#include "common/transfer.h"

/* One end. Both descriptors are the same one where a socket carries both directions. */
struct end {
	int in, out;
	enum waiting wait;
	int epoll_in, epoll_out;    /* -1: not made yet */
	bool drained;               /* edge: nothing was left, so the next thing is to wait */
};

/* Makes a pair of ends that talk both ways, with r->capacity if there is one. */
void open_both_ways(const struct request *r, struct end ends[2]);

/* Makes only what carries bytes from ends[0] to ends[1]. */
void open_one_way(const struct request *r, struct end ends[2]);

void close_end(struct end *end);

/* From now on the end waits that way; anything but WAIT_BLOCKED makes it non-blocking. */
void set_waiting(struct end *end, enum waiting wait);

/* An exchange of a byte, so that a run whose workload makes none shows what carried it. */
void prove(const struct request *r);

#endif
