#include "transfer.h"

#include <time.h>

void send_all(struct end *end, const char *bytes, size_t count)
{
	while (count > 0) {
		size_t n = send_some(end, bytes, count);

		tally.sent += (long long)n;
		bytes += n;
		count -= n;
	}
}

static size_t receive_next(struct end *end, char *bytes, size_t count)
{
	size_t n = receive_some(end, bytes, count);

	tally.received += (long long)n;
	return n;
}

void receive_all(struct end *end, char *bytes, size_t count)
{
	while (count > 0) {
		size_t n = receive_next(end, bytes, count);

		bytes += n;
		count -= n;
	}
}

struct result write_read(const struct request *r)
{
	static char got[BYTES_MAX];
	struct end *a, *b;

	open_ends(r, &a, &b);
	struct span begin = span_begin();
	for (long i = 0; i < r->count; i++) {
		send_all(a, message(i), r->bytes);
		receive_all(b, got, r->bytes);
		check_message(got, r->bytes, i);
	}
	return result_of(span_end(begin), r->count, 1);
}

/* ---- two threads or two processes ---- */

enum { GAP_NS = 1000000 };

struct play {
	const struct request *request;
	struct end *mine, *theirs;  /* this side's end and the peer's */
	long long *latency_ns;      /* of each message; shared */
	void (*with)(struct play *play);
};

/* A peer says with one byte that it runs, so that its creation is not measured. */
static void play_as_peer(void *context)
{
	struct play *play = context;

	use_end(play->request, play->theirs, play->mine);
	send_all(play->theirs, message(0), 1);
	play->with(play);
}

/* Starts the peer; afterwards both sides are pinned and running. */
static struct peer *start(const struct request *r, struct play *play)
{
	struct peer *peer;
	char ready;

	play->request = r;
	open_ends(r, &play->mine, &play->theirs);
	peer = peer_start(r, play_as_peer, play);
	use_end(r, play->mine, play->theirs);
	receive_all(play->mine, &ready, 1);
	return peer;
}

static struct result finish(struct peer *peer, struct span begin, long count)
{
	struct span span = span_end(begin);

	peer_join(peer, &span);
	return result_of(span, count, 1);
}

static void echo(struct play *play)
{
	static char got[BYTES_MAX];
	const struct request *r = play->request;

	for (long i = 0; i < r->count; i++) {
		receive_all(play->theirs, got, r->bytes);
		send_all(play->theirs, got, r->bytes);
	}
}

struct result ping_pong(const struct request *r)
{
	static char got[BYTES_MAX];
	static struct play play = { .with = echo };
	struct peer *peer = start(r, &play);
	struct span begin = span_begin();

	for (long i = 0; i < r->count; i++) {
		send_all(play.mine, message(i), r->bytes);
		receive_all(play.mine, got, r->bytes);
		check_message(got, r->bytes, i);
	}
	return finish(peer, begin, r->count);
}

static void swallow(struct play *play)
{
	static char got[BYTES_MAX];
	size_t bytes = play->request->bytes, all = (size_t)play->request->count * bytes;

	for (size_t position = 0; position < all;) {
		size_t n = receive_next(play->theirs, got, bytes > READ_BYTES ? bytes : READ_BYTES);

		check_stream(got, n, position, bytes);
		position += n;
	}
	send_all(play->theirs, message(0), 1);
}

struct result stream(const struct request *r)
{
	static struct play play = { .with = swallow };
	struct peer *peer = start(r, &play);
	struct span begin = span_begin();
	char done;

	for (long i = 0; i < r->count; i++)
		send_all(play.mine, message(i), r->bytes);
	receive_all(play.mine, &done, 1);
	return finish(peer, begin, r->count);
}

/* ---- a receiver that sleeps: its peer sends what time it is, once a millisecond ---- */

static void take_times(struct play *play)
{
	for (long i = 0; i < play->request->count; i++) {
		long long sent_ns;

		receive_all(play->theirs, (char *)&sent_ns, sizeof(sent_ns));
		play->latency_ns[i] = now_ns() - sent_ns;
	}
}

static void sleep_until(long long ns)
{
	struct timespec t = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0)
		continue;
}

/* The time is the median latency of a message. */
struct result sleeper(const struct request *r)
{
	static struct play play = { .with = take_times };

	play.latency_ns = shared_memory((size_t)r->count * sizeof(*play.latency_ns));
	struct peer *peer = start(r, &play);
	struct span begin = span_begin();

	for (long i = 1; i <= r->count; i++) {
		sleep_until(begin.ns + i * GAP_NS);
		long long now = now_ns();

		send_all(play.mine, (const char *)&now, sizeof(now));
	}
	struct result result = finish(peer, begin, r->count);

	result.each_ns = (double)median(play.latency_ns, r->count);
	return result;
}
