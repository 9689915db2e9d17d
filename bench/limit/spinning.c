#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "carrier.h"
#include "common/common.h"

enum { LINE = 64 };

/* Each side has a cache line of its own, with what it last saw of the other's position. */
struct side {
	_Alignas(LINE) _Atomic uint64_t position;
	uint64_t others;
	size_t index; /* position modulo capacity */
};

struct carrier {
	struct side writer, reader;
	size_t capacity;
	_Alignas(LINE) char bytes[];
};

static struct carrier *make(size_t capacity)
{
	struct carrier *ring = shared_memory(sizeof(*ring) + capacity);

	ring->capacity = capacity;
	return ring;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void advance(struct carrier *ring, struct side *side, size_t n)
{
	side->index = side->index + n < ring->capacity ? side->index + n
	                                               : side->index + n - ring->capacity;
	atomic_store_explicit(&side->position,
	                      atomic_load_explicit(&side->position, memory_order_relaxed) + n,
	                      memory_order_release);
}

/* Spins until the other side is at more than `from`; returns how far beyond. */
static size_t wait_beyond(struct side *side, const struct side *other, uint64_t from)
{
	while (side->others == from) {
		side->others = atomic_load_explicit(&other->position, memory_order_acquire);
		if (side->others == from)
			__builtin_ia32_pause();
	}
	return side->others - from;
}

static size_t put(struct carrier *ring, const char *bytes, size_t count)
{
	struct side *side = &ring->writer;
	uint64_t tail = atomic_load_explicit(&side->position, memory_order_relaxed);
	size_t room = wait_beyond(side, &ring->reader, tail - ring->capacity);
	size_t n = least(count, room), first = least(n, ring->capacity - side->index);

	memcpy(ring->bytes + side->index, bytes, first);
	memcpy(ring->bytes, bytes + first, n - first);
	advance(ring, side, n);
	return n;
}

static size_t take(struct carrier *ring, char *bytes, size_t count)
{
	struct side *side = &ring->reader;
	uint64_t head = atomic_load_explicit(&side->position, memory_order_relaxed);
	size_t filled = wait_beyond(side, &ring->writer, head);
	size_t n = least(count, filled), first = least(n, ring->capacity - side->index);

	memcpy(bytes, ring->bytes + side->index, first);
	memcpy(bytes + first, ring->bytes, n - first);
	advance(ring, side, n);
	return n;
}

const struct carrier_type spinning_ring = {"ring", make, put, take};
