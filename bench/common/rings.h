/* Ends over rings in memory, one for each direction. The program that includes this defines the ring. */
#ifndef BENCH_RINGS_H
#define BENCH_RINGS_H

#include "common/transfer.h"

struct ring;
static struct ring *make_ring(const struct request *r, size_t capacity);

struct end {
	struct ring *in, *out;
};

void open_ends(const struct request *r, struct end **a, struct end **b)
{
	static struct end ends[2];
	size_t capacity = r->capacity ? r->capacity : DEFAULT_CAPACITY;

	if (r->wait != WAIT_BLOCKED)
		cannot("has no descriptor to wait for");
	ends[0].out = ends[1].in = make_ring(r, capacity);
	ends[1].out = ends[0].in = make_ring(r, capacity);
	*a = &ends[0];
	*b = &ends[1];
}

void use_end(const struct request *r, struct end *mine, struct end *other)
{
	(void)r;
	(void)mine;
	(void)other;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

#endif
