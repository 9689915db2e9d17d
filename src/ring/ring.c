#include "ring/ring.h"

#include <string.h>

#include "base/copy.h"
#include "base/tsan.h"

struct weir_span weir_span_of(const struct iovec *iov, size_t count)
{
	return (struct weir_span){.iov = iov, .count = count, .offset = 0};
}

/* The contiguous rest of the first vector that is not done yet. */
static size_t span_piece(struct weir_span *span, unsigned char **at)
{
	while (span->count > 0 && span->offset == span->iov->iov_len) {
		span->iov++;
		span->count--;
		span->offset = 0;
	}
	if (span->count == 0)
		return 0;
	*at = (unsigned char *)span->iov->iov_base + span->offset;
	return span->iov->iov_len - span->offset;
}

size_t weir_span_pieces(struct weir_span span, size_t n, struct iovec *iov, size_t max)
{
	unsigned char *at;
	size_t count = 0;

	while (n > 0 && count < max) {
		size_t piece = span_piece(&span, &at);
		if (piece == 0)
			break;
		if (piece > n)
			piece = n;
		iov[count++] = (struct iovec){at, piece};
		span.offset += piece;
		n -= piece;
	}
	return count;
}

void weir_span_advance(struct weir_span *span, size_t n)
{
	unsigned char *at;

	while (n > 0) {
		size_t piece = span_piece(span, &at);
		if (piece == 0)
			return;
		if (piece > n)
			piece = n;
		span->offset += piece;
		n -= piece;
	}
}

/* How much can be moved at once: bounded by the vector and the storage's end. */
static size_t step(const struct weir_ring *ring, uint64_t at, struct weir_span *span, size_t n,
                   unsigned char **user, unsigned char **stored)
{
	uint64_t index = (at - ring->origin) & ring->mask;
	uint64_t straight = ring->mask + 1 - index;
	size_t piece = span_piece(span, user);

	if (piece > n)
		piece = n;
	if (piece > straight)
		piece = (size_t)straight;
	*stored = ring->storage + index;
	return piece;
}

void weir_ring_copy_in(const struct weir_ring *ring, uint64_t at, struct weir_span *span, size_t n)
{
	unsigned char *user;
	unsigned char *stored;

	tsan_acquire(ring->head);
	while (n > 0) {
		size_t piece = step(ring, at, span, n, &user, &stored);
		if (piece == 0)
			break;
		if (ring->far)
			copy_nontemporal(stored, user, piece);
		else
			memcpy(stored, user, piece);
		span->offset += piece;
		at += piece;
		n -= piece;
	}
	tsan_release(ring->tail);
}

void weir_ring_copy_out(const struct weir_ring *ring, uint64_t at, struct weir_span *span, size_t n)
{
	unsigned char *user;
	unsigned char *stored;

	tsan_acquire(ring->tail);
	while (n > 0) {
		size_t piece = step(ring, at, span, n, &user, &stored);
		if (piece == 0)
			break;
		memcpy(user, stored, piece);
		span->offset += piece;
		at += piece;
		n -= piece;
	}
	tsan_release(ring->head);
}

size_t weir_ring_pieces(const struct weir_ring *ring, uint64_t at, size_t n, struct iovec piece[2])
{
	uint64_t index = (at - ring->origin) & ring->mask;
	uint64_t straight = ring->mask + 1 - index;
	size_t first = n < straight ? n : (size_t)straight;

	tsan_acquire(ring->tail);
	piece[0] = (struct iovec){ring->storage + index, first};
	piece[1] = (struct iovec){ring->storage, n - first};
	return n > first ? 2 : 1;
}

/* The bytes of a circle of the old size either lie in one piece, or wrap. A
 * wrapped second piece fits behind the first, as the size at least doubles. */
uint64_t weir_ring_grow(const struct weir_ring *ring, unsigned char *storage, uint64_t mask)
{
	uint64_t head = load64_relaxed(ring->head);
	uint64_t used = load64_relaxed(ring->tail) - head;
	uint64_t index = (head - ring->origin) & ring->mask;
	uint64_t size = ring->mask + 1, before = (uint64_t)(ring->storage - storage);

	if (used > size)
		used = size;
	if (mask > ring->mask && index + used > size)
		memcpy(storage + ((before + size) & mask), ring->storage, (size_t)(index + used - size));
	return head - index - before;
}

uint64_t weir_ring_mask_for(uint64_t bytes, uint64_t floor)
{
	uint64_t mask = floor;

	while (mask + 1 < bytes)
		mask = mask * 2 + 1;
	return mask;
}
