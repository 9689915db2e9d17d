/* A byte queue in a circle, over memory that the caller owns.
 *
 * Knows nothing of sockets, locks or processes. One reader and one writer may
 * work at the same time; what several of either need is the caller's. Positions
 * run free and never wrap in practice (64 bits); a byte at position p lies in
 * the storage at (p - origin) & mask. Only where neither reader nor writer works
 * may origin and mask change (ring_rebase, ring_grow).
 */
#ifndef WEIR_RING_RING_H
#define WEIR_RING_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#include "base/atomic.h"
#include "base/tsan.h"

/* Where the caller's bytes are, and how far a transfer has come in them. */
struct weir_span {
	const struct iovec *iov;
	size_t count;               /* vectors left, iov included */
	size_t offset;              /* bytes of iov[0] already done */
};

/* The two positions and the shape, wherever the caller keeps them. */
struct weir_ring {
	weir_word64 *head;          /* consumed */
	weir_word64 *tail;          /* produced */
	uint64_t origin;
	uint64_t mask;              /* storage size - 1; the size is a power of two */
	unsigned char *storage;
	bool far;                   /* what is copied in goes past the caches (base/copy.h) */
};

struct weir_span weir_span_of(const struct iovec *iov, size_t count);

/* Goes `n` bytes on. The span must hold as many. */
void weir_span_advance(struct weir_span *span, size_t n);

/* Tells where the next at most `n` bytes of the span lie, in at most `max` vectors. Gives how
 * many there are. */
size_t weir_span_pieces(struct weir_span span, size_t n, struct iovec *iov, size_t max);

/* Copies `n` bytes from the span to position `at` on, and advances the span.
 * The caller made sure that [at, at + n) is free, and publishes the new tail. */
void weir_ring_copy_in(const struct weir_ring *ring, uint64_t at, struct weir_span *span, size_t n);

/* Copies `n` bytes from position `at` on to the span, and advances the span. */
void weir_ring_copy_out(const struct weir_ring *ring, uint64_t at, struct weir_span *span, size_t n);

/* The same of one piece of memory, which seldom wraps. */
static inline void weir_ring_put(const struct weir_ring *ring, uint64_t at, const void *bytes,
                                 size_t n)
{
	uint64_t index = (at - ring->origin) & ring->mask;
	struct iovec iov = {(void *)(uintptr_t)bytes, n};
	struct weir_span span = {&iov, 1, 0};

	if (__builtin_expect(ring->far || n > ring->mask + 1 - index, 0)) {
		weir_ring_copy_in(ring, at, &span, n);
		return;
	}
	tsan_acquire(ring->head);
	memcpy(ring->storage + index, bytes, n);
	tsan_release(ring->tail);
}

static inline void weir_ring_get(const struct weir_ring *ring, uint64_t at, void *bytes, size_t n)
{
	uint64_t index = (at - ring->origin) & ring->mask;
	struct iovec iov = {bytes, n};
	struct weir_span span = {&iov, 1, 0};

	if (__builtin_expect(n > ring->mask + 1 - index, 0)) {
		weir_ring_copy_out(ring, at, &span, n);
		return;
	}
	tsan_acquire(ring->tail);
	memcpy(bytes, ring->storage + index, n);
	tsan_release(ring->head);
}

/* Where `n` bytes from position `at` on lie. Gives the number of pieces, at most two. */
size_t weir_ring_pieces(const struct weir_ring *ring, uint64_t at, size_t n, struct iovec piece[2]);

/* Moves [head, tail) so that `storage`, of the size mask + 1, which has the present one at its
 * beginning or at its end, holds it in order. Gives the new origin; the caller stores
 * origin and mask. Neither reader nor writer may work meanwhile. */
uint64_t weir_ring_grow(const struct weir_ring *ring, unsigned char *storage, uint64_t mask);

/* The smallest mask of at least `floor` + 1 bytes that holds `bytes`. */
uint64_t weir_ring_mask_for(uint64_t bytes, uint64_t floor);

#endif
