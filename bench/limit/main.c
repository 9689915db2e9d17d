/* The workloads of the sockets that need no kernel, over what cannot be made smaller: a spinning ring,
 * a ring with one mutex, and two plain copies (--memcpy), which carry nothing to anybody. */
#include <string.h>

#include "carrier.h"
#include "common/common.h"

static const char *const carriers[] = {"ring", "mutex", "memcpy", NULL};

struct ways {
	const struct request *request;
	const struct carrier_type *type;
	struct carrier *there, *back;
};

static bool only_copies(const struct request *r)
{
	return strcmp(r->over, "memcpy") == 0;
}

static struct ways open_ways(const struct request *r)
{
	const struct carrier_type *type =
	        strcmp(r->over, mutex_ring.name) == 0 ? &mutex_ring : &spinning_ring;
	size_t capacity = r->capacity ? r->capacity : DEFAULT_CAPACITY;

	return (struct ways){r, type, type->make(capacity), type->make(capacity)};
}

static void put_all(const struct carrier_type *type, struct carrier *carrier, const char *bytes,
                    size_t count)
{
	while (count > 0) {
		size_t n = type->put(carrier, bytes, count);

		tally.sent += (long long)n;
		bytes += n;
		count -= n;
	}
}

static size_t take_some(const struct carrier_type *type, struct carrier *carrier, char *bytes,
                        size_t count)
{
	size_t n = type->take(carrier, bytes, count);

	tally.received += (long long)n;
	return n;
}

static void take_all(const struct carrier_type *type, struct carrier *carrier, char *bytes,
                     size_t count)
{
	while (count > 0) {
		size_t n = take_some(type, carrier, bytes, count);

		bytes += n;
		count -= n;
	}
}

/* ---- one thread ---- */

/* Both copies are really made: the compiler may not look through the middle. */
static struct result copy_twice(const struct request *r)
{
	static char middle[BYTES_MAX], got[BYTES_MAX];
	struct span begin = span_begin();

	for (long i = 0; i < r->count; i++) {
		memcpy(middle, message(i), r->bytes);
		__asm__ volatile("" : : "r"(middle) : "memory");
		memcpy(got, middle, r->bytes);
		__asm__ volatile("" : : "r"(got) : "memory");
		check_message(got, r->bytes, i);
	}
	struct span span = span_end(begin);

	tally.sent = tally.received = (long long)r->bytes * r->count;
	return result_of(span, r->count, 1);
}

static struct result write_read_by(const struct request *r, const struct carrier_type *type)
{
	static char got[BYTES_MAX];
	struct carrier *carrier = type->make(r->capacity ? r->capacity : DEFAULT_CAPACITY);
	struct span begin = span_begin();

	for (long i = 0; i < r->count; i++) {
		put_all(type, carrier, message(i), r->bytes);
		take_all(type, carrier, got, r->bytes);
		check_message(got, r->bytes, i);
	}
	return result_of(span_end(begin), r->count, 1);
}

static struct result write_read(const struct request *r)
{
	if (only_copies(r))
		return copy_twice(r);
	if (strcmp(r->over, mutex_ring.name) == 0)
		return write_read_by(r, &mutex_ring);
	return write_read_by(r, &spinning_ring);
}

/* ---- two sides ---- */

static void refuse(const struct request *r)
{
	if (r->wait != WAIT_BLOCKED)
		cannot("has no descriptor to wait for");
	if (strcmp(r->over, spinning_ring.name) == 0 && r->cpus < 2)
		cannot("spins, so it needs two CPUs");
}

static void echo(void *context)
{
	static char got[BYTES_MAX];
	struct ways *w = context;

	for (long i = 0; i < w->request->count; i++) {
		take_all(w->type, w->there, got, w->request->bytes);
		put_all(w->type, w->back, got, w->request->bytes);
	}
}

/* A peer says with one byte that it runs, so that its creation is not measured. */
static void play_echo(void *context)
{
	struct ways *w = context;

	put_all(w->type, w->back, message(0), 1);
	echo(context);
}

static struct peer *start(struct ways *w, void (*play)(void *context))
{
	struct peer *peer = peer_start(w->request, play, w);
	char ready;

	take_all(w->type, w->back, &ready, 1);
	return peer;
}

static struct result finish(struct peer *peer, struct span begin, long count)
{
	struct span span = span_end(begin);

	peer_join(peer, &span);
	return result_of(span, count, 1);
}

static struct result ping_pong(const struct request *r)
{
	static char got[BYTES_MAX];

	refuse(r);
	if (only_copies(r))
		cannot("wakes nobody");
	struct ways w = open_ways(r);
	struct peer *peer = start(&w, play_echo);
	struct span begin = span_begin();

	for (long i = 0; i < r->count; i++) {
		put_all(w.type, w.there, message(i), r->bytes);
		take_all(w.type, w.back, got, r->bytes);
		check_message(got, r->bytes, i);
	}
	return finish(peer, begin, r->count);
}

static void play_swallow(void *context)
{
	static char got[BYTES_MAX];
	struct ways *w = context;
	size_t bytes = w->request->bytes, all = (size_t)w->request->count * bytes;

	put_all(w->type, w->back, message(0), 1);
	for (size_t position = 0; position < all;) {
		size_t n =
		        take_some(w->type, w->there, got, bytes > READ_BYTES ? bytes : READ_BYTES);

		check_stream(got, n, position, bytes);
		position += n;
	}
	put_all(w->type, w->back, message(0), 1);
}

static struct result stream(const struct request *r)
{
	char done;

	refuse(r);
	if (only_copies(r))
		return copy_twice(r);
	struct ways w = open_ways(r);
	struct peer *peer = start(&w, play_swallow);
	struct span begin = span_begin();

	for (long i = 0; i < r->count; i++)
		put_all(w.type, w.there, message(i), r->bytes);
	take_all(w.type, w.back, &done, 1);
	return finish(peer, begin, r->count);
}

static const struct workload workloads[] = {
        {"write-read", TAKES_BYTES, write_read},
        {"ping-pong", TAKES_BYTES | TAKES_PEER | TAKES_WAIT, ping_pong},
        {"stream", TAKES_BYTES | TAKES_PEER | TAKES_WAIT, stream},
        {NULL, 0, NULL},
};

int main(int argc, char **argv)
{
	(void)argc;
	return bench_main(argv, workloads, carriers);
}
