#include "base/copy.h"

#include <stdint.h>
#include <string.h>

#include "base/tsan.h"

#if defined(__SSE2__)
#include <emmintrin.h>

enum { LINE = 64 };

static void store_line(__m128i *to, const __m128i *from)
{
	__m128i a = _mm_loadu_si128(from), b = _mm_loadu_si128(from + 1);
	__m128i c = _mm_loadu_si128(from + 2), d = _mm_loadu_si128(from + 3);

	_mm_stream_si128(to, a);
	_mm_stream_si128(to + 1, b);
	_mm_stream_si128(to + 2, c);
	_mm_stream_si128(to + 3, d);
}

/* A part of a line would be read from memory first: those at both ends are stored as ever. */
void copy_nontemporal(void *to, const void *from, size_t n)
{
	size_t front = -(uintptr_t)to % LINE;
	unsigned char *stored = (unsigned char *)to + front;
	const unsigned char *next = (const unsigned char *)from + front;

	if (n < front + LINE || tsan_is_here()) {
		memcpy(to, from, n);
		return;
	}
	memcpy(to, from, front);
	for (n -= front; n >= LINE; n -= LINE, stored += LINE, next += LINE)
		store_line((__m128i *)(void *)stored, (const __m128i *)(const void *)next);
	memcpy(stored, next, n);
	_mm_sfence();
}
#else
void copy_nontemporal(void *to, const void *from, size_t n)
{
	memcpy(to, from, n);
}
#endif
