/* The least that can carry bytes between two threads or processes: two copies and two positions, for one
 * writer and one reader. Whoever has to wait spins. */
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "common/rings.h"

enum { LINE = 64 };

/* Each side has a cache line of its own, with what it last saw of the other's position. */
struct side {
	_Alignas(LINE) _Atomic uint64_t position;
	uint64_t others;
	size_t index;               /* position modulo capacity */
};

struct ring {
	struct side writer, reader;
	size_t capacity;
	_Alignas(LINE) char bytes[];
};

static struct ring *make_ring(const struct request *r, size_t capacity)
{
	struct ring *ring = shared_memory(sizeof(*ring) + capacity);

	if (r->peer && r->cpus < 2)
		cannot("spins, so it needs two CPUs");
	ring->capacity = capacity;
	return ring;
}

static void advance(struct ring *ring, struct side *side, size_t n)
{
	uint64_t position = atomic_load_explicit(&side->position, memory_order_relaxed);

	side->index += n;
	if (side->index >= ring->capacity)
		side->index -= ring->capacity;
	atomic_store_explicit(&side->position, position + n, memory_order_release);
}

/* Spins until the other side is beyond `from`; returns how far. */
static size_t wait_beyond(struct side *side, const struct side *other, uint64_t from)
{
	while (side->others == from) {
		side->others = atomic_load_explicit(&other->position, memory_order_acquire);
		if (side->others == from)
			__builtin_ia32_pause();
	}
	return side->others - from;
}

size_t send_some(struct end *end, const char *bytes, size_t count)
{
	struct ring *ring = end->out;
	struct side *side = &ring->writer;
	uint64_t tail = atomic_load_explicit(&side->position, memory_order_relaxed);
	size_t room = wait_beyond(side, &ring->reader, tail - ring->capacity);
	size_t n = least(count, room), first = least(n, ring->capacity - side->index);

	memcpy(ring->bytes + side->index, bytes, first);
	if (n > first)
		memcpy(ring->bytes, bytes + first, n - first);
	advance(ring, side, n);
	return n;
}

size_t receive_some(struct end *end, char *bytes, size_t count)
{
	struct ring *ring = end->in;
	struct side *side = &ring->reader;
	uint64_t head = atomic_load_explicit(&side->position, memory_order_relaxed);
	size_t filled = wait_beyond(side, &ring->writer, head);
	size_t n = least(count, filled), first = least(n, ring->capacity - side->index);

	memcpy(bytes, ring->bytes + side->index, first);
	if (n > first)
		memcpy(bytes + first, ring->bytes, n - first);
	advance(ring, side, n);
	return n;
}

int main(int argc, char **argv)
{
	static const char *const carriers[] = { "ring", NULL };
	static const struct workload workloads[] = {
		{ "write-read", TAKES_BYTES, write_read },
		{ "ping-pong", TAKES_BYTES | TAKES_PEER | TAKES_WAIT, ping_pong },
		{ "stream", TAKES_BYTES | TAKES_PEER | TAKES_WAIT, stream },
		{ NULL, 0, NULL },
	};

	(void)argc;
	return bench_main(argv, workloads, carriers);
}
