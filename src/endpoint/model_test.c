/* Random calls on a marked pair and on a small model of it: two bounded byte
 * queues. Every count, byte and errno is compared, and after every call what the
 * kernel says of both descriptors. */
#include "base/test_random.h"
#include "endpoint/test_end.h"

enum { STEPS = 3000, BYTES_MAX = 6000, VECTORS = 3 };

/* One direction: byte p of its stream is byte_at(p), so two numbers hold all. */
struct queue {
	uint64_t written;
	uint64_t read;
	uint64_t limit;
	bool ended;
};

struct world {
	struct test_random random;
	struct weir_end end[2];
	struct queue queue[2];      /* [0] what end 0 writes */
	bool watched;
	const char *call;           /* the last one, for the report */
};

static unsigned char byte_at(uint64_t p)
{
	return (unsigned char)((p * 2654435761U) >> 7);
}

static uint64_t used(const struct queue *q)
{
	return q->written - q->read;
}

static size_t at_most(size_t n, uint64_t bound)
{
	return n < bound ? n : (size_t)bound;
}

static void expect(struct world *w, long long got, long long wanted)
{
	if (got == wanted)
		return;
	printf("# %s gives %lld, not %lld; %llu of %llu bytes inside\n", w->call, got, wanted,
	       (unsigned long long)used(&w->queue[0]), (unsigned long long)w->queue[0].limit);
	CHECK(!"the model agrees");
}

/* Mostly few bytes, sometimes about as many as fit, now and then far more. */
static size_t some_bytes(struct world *w, uint64_t limit)
{
	switch (test_random_below(&w->random, 4)) {
	case 0:
		return test_random_below(&w->random, 4);
	case 1:
		return at_most((size_t)limit + test_random_below(&w->random, 3), BYTES_MAX);
	case 2:
		return test_random_below(&w->random, at_most((size_t)limit * 2, BYTES_MAX) + 1);
	default:
		return test_random_below(&w->random, at_most((size_t)limit, 64) + 1);
	}
}

static struct weir_span cut(struct world *w, unsigned char *bytes, size_t n,
                            struct iovec iov[VECTORS])
{
	for (int i = 0; i < VECTORS; i++) {
		size_t piece = i == VECTORS - 1 ? n : test_random_below(&w->random, n + 1);

		iov[i] = (struct iovec){bytes, piece};
		bytes += piece;
		n -= piece;
	}
	return weir_span_of(iov, VECTORS);
}

static void sends(struct world *w, int side)
{
	struct queue *q = &w->queue[side];
	unsigned char bytes[BYTES_MAX];
	struct iovec iov[VECTORS];
	size_t n = 1 + some_bytes(w, q->limit) % (BYTES_MAX - 1);
	size_t fits = at_most(n, q->limit - used(q));

	for (size_t i = 0; i < n; i++)
		bytes[i] = byte_at(q->written + i);
	struct weir_span span = cut(w, bytes, n, iov);
	ssize_t got = weir_end_send(&w->end[side], span, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	w->call = "send";
	expect(w, got, q->ended ? -EPIPE : fits ? (ssize_t)fits : -EAGAIN);
	if (got > 0)
		q->written += (uint64_t)got;
}

static void check_bytes(const unsigned char *bytes, size_t n, uint64_t from)
{
	size_t same = 0;

	while (same < n && bytes[same] == byte_at(from + same))
		same++;
	CHECK_EQ(same, n);
}

static void receives(struct world *w, int side, int flags)
{
	struct queue *q = &w->queue[!side];
	unsigned char bytes[BYTES_MAX];
	struct iovec iov[VECTORS];
	size_t n = 1 + some_bytes(w, q->limit) % (BYTES_MAX - 1);
	size_t there = at_most(n, used(q));

	struct weir_span span = cut(w, bytes, n, iov);
	ssize_t got = weir_end_receive(&w->end[side], span, n, MSG_DONTWAIT | flags);
	w->call = flags & MSG_PEEK ? "peek" : "receive";
	expect(w, got, there ? (ssize_t)there : q->ended ? 0 : -EAGAIN);
	if (got <= 0)
		return;
	check_bytes(bytes, (size_t)got, q->read);
	if (!(flags & MSG_PEEK))
		q->read += (uint64_t)got;
}

static void ends(struct world *w, int side)
{
	bool by_writer = test_random_below(&w->random, 2);

	w->queue[side].ended = true;
	test_end_shut(&w->end[by_writer ? side : !side], by_writer ? SHUT_WR : SHUT_RD);
}

static void call(struct world *w)
{
	int side = (int)test_random_below(&w->random, 2);

	switch (test_random_below(&w->random, 8)) {
	case 0:
	case 1:
	case 2:
		sends(w, side);
		break;
	case 3:
		receives(w, side, MSG_PEEK);
		break;
	case 4:
		receives(w, side, MSG_WAITALL);
		break;
	default:
		receives(w, side, 0);
		break;
	}
	if (test_random_below(&w->random, STEPS) == 0)
		ends(w, side);
}

/* R and W: never less than the truth; for who asks us first or watches, exactly it. */
static void readiness(struct world *w, int side)
{
	const struct weir_end *end = &w->end[side];
	const struct queue *in = &w->queue[!side], *out = &w->queue[side];
	bool input = used(in) > 0 || in->ended;
	bool room = used(out) < out->limit;
	bool exact = w->watched;
	short events = 0;

	for (int asked = 0; asked < 2; asked++) {
		events = (short)os_poll_now(end->fd, POLLIN | POLLOUT);
		w->call = exact ? "POLLIN, exactly" : "POLLIN";
		if (input || exact)
			expect(w, (events & POLLIN) != 0, input);
		w->call = exact ? "POLLOUT, exactly" : "POLLOUT";
		if (room || (exact && !out->ended)) /* poll tells of no end by POLLOUT */
			expect(w, (events & POLLOUT) != 0, room);
		if (asked || test_random_below(&w->random, 4) != 0)
			return;
		weir_end_make_exact(end, POLLIN | POLLOUT);
		exact = true;
	}
}

static void check_all(struct world *w)
{
	for (int side = 0; side < 2; side++) {
		const struct weir_end *end = &w->end[side];
		w->call = "available";
		expect(w, (long long)weir_end_available(end), (long long)used(&w->queue[!side]));
		readiness(w, side);
		CHECK(weir_pipe_is_valid(&end->out));
		CHECK_EQ(load64_relaxed(&end->out.pipe->tail), w->queue[side].written);
		CHECK_EQ(load64_relaxed(&end->out.pipe->head), w->queue[side].read);
	}
}

static void agrees(uint64_t limit, bool watched, bool edges)
{
	char name[64];

	snprintf(name, sizeof(name), "capacity %d%s%s", (int)limit, watched ? " watched" : "",
	         edges ? " edges" : "");
	struct world w = {.random = test_random_begin(name), .watched = watched};
	int before = weir_test_failed;

	w.queue[0].limit = w.queue[1].limit = limit;
	test_ends_open(w.end, limit);
	for (int side = 0; watched && side < 2; side++)
		weir_end_watch(&w.end[side], POLLIN | POLLOUT, edges);
	for (int i = 0; i < STEPS && weir_test_failed == before; i++) {
		call(&w);
		check_all(&w);
	}
	test_ends_close(w.end);
}

static void at_all_capacities(bool watched, bool edges)
{
	static const uint64_t limit[] = {1, 2, 7, 64, 4096};

	for (size_t i = 0; i < sizeof(limit) / sizeof(limit[0]); i++)
		agrees(limit[i], watched, edges);
}

static void unwatched(void)
{
	at_all_capacities(false, false);
}

static void watched(void)
{
	at_all_capacities(true, false);
}

static void watched_for_edges(void)
{
	at_all_capacities(true, true);
}

int main(void)
{
	test_session_begin();
	RUN(unwatched);
	RUN(watched);
	RUN(watched_for_edges);
	return weir_test_end();
}
