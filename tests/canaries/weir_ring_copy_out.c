/* A ring that is one byte off where a read wraps: bytes are not the written ones. */
#include "ring/ring.h"

void __real_weir_ring_copy_out(const struct weir_ring *ring, uint64_t at, struct weir_span *span,
                               size_t n);
void __wrap_weir_ring_copy_out(const struct weir_ring *ring, uint64_t at, struct weir_span *span,
                               size_t n);

void __wrap_weir_ring_copy_out(const struct weir_ring *ring, uint64_t at, struct weir_span *span,
                               size_t n)
{
	uint64_t index = (at - ring->origin) & ring->mask;

	__real_weir_ring_copy_out(ring, index + n > ring->mask + 1 ? at + 1 : at, span, n);
}
