#include <stdint.h>
#include <string.h>

#include "base/test.h"
#include "base/test_random.h"
#include "ring/ring.h"

enum { STORAGE = 256, GUARD = 16, VECTORS = 4, ROUNDS = 20000 };

/* A ring with guards around its storage. */
static struct {
	weir_word64 head;
	weir_word64 tail;
	unsigned char before[GUARD];
	unsigned char storage[STORAGE];
	unsigned char after[GUARD];
} mem;

static struct weir_ring ring_at(uint64_t origin, uint64_t mask)
{
	memset(mem.before, 0xee, sizeof(mem.before));
	memset(mem.after, 0xee, sizeof(mem.after));
	store64_relaxed(&mem.head, origin);
	store64_relaxed(&mem.tail, origin);
	return (struct weir_ring){
	        .head = &mem.head,
	        .tail = &mem.tail,
	        .origin = origin,
	        .mask = mask,
	        .storage = mem.storage,
	};
}

static void check_guards(void)
{
	for (int i = 0; i < GUARD; i++)
		CHECK(mem.before[i] == 0xee && mem.after[i] == 0xee);
}

static void copy_in(const struct weir_ring *ring, uint64_t at, const char *text)
{
	struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};
	struct weir_span span = weir_span_of(&iov, 1);

	weir_ring_copy_in(ring, at, &span, iov.iov_len);
	CHECK_EQ(span.offset, iov.iov_len);
}

static const char *copy_out(const struct weir_ring *ring, uint64_t at, size_t n)
{
	static char text[STORAGE + 1];
	struct iovec iov = {text, n};
	struct weir_span span = weir_span_of(&iov, 1);

	weir_ring_copy_out(ring, at, &span, n);
	text[n] = '\0';
	return text;
}

static void masks(void)
{
	CHECK_EQ(weir_ring_mask_for(1, 0), 0);
	CHECK_EQ(weir_ring_mask_for(0, 15), 15);
	CHECK_EQ(weir_ring_mask_for(16, 15), 15);
	CHECK_EQ(weir_ring_mask_for(17, 15), 31);
	CHECK_EQ(weir_ring_mask_for(UINT64_C(1) << 40, 4095), (INT64_C(1) << 40) - 1);
}

static void wraps_at_the_storage_end(void)
{
	struct weir_ring ring = ring_at(0, 15);

	copy_in(&ring, 10, "abcdefghijkl");
	CHECK(!memcmp(mem.storage + 10, "abcdef", 6));
	CHECK(!memcmp(mem.storage, "ghijkl", 6));
	CHECK_TEXT(copy_out(&ring, 10, 12), "abcdefghijkl");
	CHECK_TEXT(copy_out(&ring, 14, 4), "efgh");
	copy_in(&ring, 0, "0123456789abcdef"); /* all of it */
	CHECK_TEXT(copy_out(&ring, 16, 16), "0123456789abcdef");
	check_guards();
}

static void positions_run_free(void)
{
	struct weir_ring ring = ring_at(UINT64_MAX - 5, 15);

	copy_in(&ring, UINT64_MAX - 3, "over the top");
	CHECK(!memcmp(mem.storage + 2, "over the top", 12));
	CHECK_TEXT(copy_out(&ring, UINT64_MAX - 3, 12), "over the top");
	CHECK_TEXT(copy_out(&ring, 0, 3), " th");
}

static void spans_of_several_vectors(void)
{
	char a[] = "ab", b[] = "", c[] = "cdefg";
	struct iovec iov[] = {{b, 0}, {a, 2}, {b, 0}, {c, 5}, {b, 0}};
	struct weir_span span = weir_span_of(iov, 5);
	struct weir_ring ring = ring_at(0, 7);

	weir_span_advance(&span, 1);
	weir_ring_copy_in(&ring, 6, &span, 4);
	CHECK_TEXT(copy_out(&ring, 6, 4), "bcde");
	weir_ring_copy_in(&ring, 10, &span, 2);
	CHECK_TEXT(copy_out(&ring, 10, 2), "fg");
	weir_span_advance(&span, 0);
	span = weir_span_of(iov, 5);
	weir_span_advance(&span, 7);
	CHECK_EQ(span.iov - iov, 3);
	CHECK_EQ(span.offset, 5);
	weir_ring_copy_in(&ring, 0, &span, 1); /* nothing is left: nothing moves */
	CHECK_TEXT(copy_out(&ring, 6, 2), "bc");
	check_guards();
}

/* Of which the storage was the beginning, or the end. */
static void grown(uint64_t head, const char *text, int before)
{
	struct weir_ring ring = ring_at(100, 15);

	ring.storage += before;
	store64_relaxed(&mem.head, head);
	store64_relaxed(&mem.tail, head + strlen(text));
	copy_in(&ring, head, text);
	ring.origin = weir_ring_grow(&ring, mem.storage, 31);
	ring.storage = mem.storage;
	ring.mask = 31;
	CHECK_TEXT(copy_out(&ring, head, strlen(text)), text);
	copy_in(&ring, head + strlen(text), "and sixteen more");
	CHECK_TEXT(copy_out(&ring, head, strlen(text)), text);
	check_guards();
}

static void grows_with_its_bytes(void)
{
	for (uint64_t head = 100; head < 140; head++)
		for (int before = 0; before <= 16; before += 16) {
			grown(head, "", before);
			grown(head, "x", before);
			grown(head, "fifteen  bytes.", before);
			grown(head, "sixteen bytes it", before);
		}
}

static void stays_when_asked_for_no_more(void)
{
	struct weir_ring ring = ring_at(3, 15);

	store64_relaxed(&mem.head, 17);
	store64_relaxed(&mem.tail, 25);
	copy_in(&ring, 17, "wrapping");
	ring.origin = weir_ring_grow(&ring, ring.storage, 15);
	CHECK_TEXT(copy_out(&ring, 17, 8), "wrapping");
}

/* Cuts `n` bytes at `bytes` into vectors, some of them empty. */
static struct weir_span cut(struct test_random *r, unsigned char *bytes, size_t n,
                            struct iovec iov[VECTORS])
{
	for (int i = 0; i < VECTORS; i++) {
		size_t piece = i == VECTORS - 1 ? n : test_random_below(r, n + 1);

		iov[i] = (struct iovec){bytes, piece};
		bytes += piece;
		n -= piece;
	}
	return weir_span_of(iov, VECTORS);
}

/* Byte p of the stream is a function of p: no model is needed but two numbers. */
static unsigned char byte_at(uint64_t p)
{
	return (unsigned char)(p * 167 >> 3);
}

static void write_some(struct test_random *r, struct weir_ring *ring)
{
	unsigned char bytes[STORAGE];
	struct iovec iov[VECTORS];
	uint64_t tail = load64_relaxed(&mem.tail);
	size_t room = (size_t)(ring->mask + 1 - (tail - load64_relaxed(&mem.head)));
	size_t n = test_random_below(r, room + 1);

	for (size_t i = 0; i < n; i++)
		bytes[i] = byte_at(tail + i);
	struct weir_span span = cut(r, bytes, n, iov);
	weir_ring_copy_in(ring, tail, &span, n);
	store64_release(&mem.tail, tail + n);
}

static bool read_some(struct test_random *r, struct weir_ring *ring)
{
	unsigned char bytes[STORAGE];
	struct iovec iov[VECTORS];
	uint64_t head = load64_relaxed(&mem.head);
	size_t used = (size_t)(load64_relaxed(&mem.tail) - head);
	size_t n = test_random_below(r, used + 1);
	bool same = true;

	struct weir_span span = cut(r, bytes, n, iov);
	weir_ring_copy_out(ring, head, &span, n);
	for (size_t i = 0; i < n; i++)
		same = same && bytes[i] == byte_at(head + i);
	store64_release(&mem.head, head + n);
	return same;
}

static void random_traffic(bool from_end)
{
	struct test_random r = test_random_begin("random_traffic");
	struct weir_ring ring = ring_at(UINT64_MAX - 1000, 0);
	bool same = true;

	if (from_end)
		ring.storage += STORAGE - 1;

	for (int i = 0; i < ROUNDS && same; i++) {
		ring.far = test_random_below(&r, 2);
		write_some(&r, &ring);
		same = read_some(&r, &ring);
		if (test_random_below(&r, ROUNDS / 16) == 0 && ring.mask < STORAGE - 1) {
			unsigned char *storage = ring.storage - (from_end ? ring.mask + 1 : 0);
			ring.origin = weir_ring_grow(&ring, storage, ring.mask * 2 + 1);
			ring.storage = storage;
			ring.mask = ring.mask * 2 + 1;
		}
	}
	CHECK(same);
	check_guards();
}

static void random_traffic_from_the_start(void)
{
	random_traffic(false);
}

static void random_traffic_from_the_end(void)
{
	random_traffic(true);
}

int main(void)
{
	RUN(masks);
	RUN(wraps_at_the_storage_end);
	RUN(positions_run_free);
	RUN(spans_of_several_vectors);
	RUN(grows_with_its_bytes);
	RUN(stays_when_asked_for_no_more);
	RUN(random_traffic_from_the_start);
	RUN(random_traffic_from_the_end);
	return weir_test_end();
}
