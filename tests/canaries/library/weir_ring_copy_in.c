/* A writer whose copy ends a byte beyond the ring: tests/damage must notice. */
#include "pipe/pipe.h"

void __real_weir_ring_copy_in(const struct weir_ring *ring, uint64_t at, struct weir_span *span, size_t n);
void __wrap_weir_ring_copy_in(const struct weir_ring *ring, uint64_t at, struct weir_span *span, size_t n);

void __wrap_weir_ring_copy_in(const struct weir_ring *ring, uint64_t at, struct weir_span *span, size_t n)
{
	__real_weir_ring_copy_in(ring, at, span, n);
	if (ring->mask >= WEIR_RING_MIN_MASK)
		ring->storage[ring->mask + 1] = 1;
}
