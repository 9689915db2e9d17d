/* Large transfers in pieces of random size, both ways at once, in threads and in
 * processes. The amount can be given in TRANSFER_BYTES, the seed in TRANSFER_SEED. */
#include "check.h"

static size_t total_bytes(void)
{
	const char *text = getenv("TRANSFER_BYTES");
	return text ? strtoull(text, NULL, 10) : 8u << 20;
}

static uint64_t seed(void)
{
	const char *text = getenv("TRANSFER_SEED");
	return text ? strtoull(text, NULL, 10) : 0x2545f4914f6cdd1d;
}

/* xorshift64*: the same pieces in every run. */
static uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/* Mostly small, sometimes large: 1 to `most` bytes. */
static size_t random_size(uint64_t *state, size_t most)
{
	uint64_t r = random_next(state);
	size_t limit = r & 1 ? 100 : r & 2 ? 5000 : most;
	return 1 + (size_t)((r >> 8) % limit);
}

struct side {
	int fd;
	uint64_t seed;
	uint64_t offset; /* where in the test stream this direction starts */
	bool vectors;
};

enum { PIECE_MAX = 100000 };

static void *send_all(void *argument)
{
	const struct side *s = argument;
	static __thread unsigned char bytes[PIECE_MAX];
	uint64_t state = s->seed;
	size_t total = total_bytes();
	for (size_t sent = 0; sent < total;) {
		size_t n = random_size(&state, PIECE_MAX);
		n = n < total - sent ? n : total - sent;
		pattern_make(bytes, n, s->offset + sent);
		struct iovec iov[2] = {{bytes, n / 2}, {bytes + n / 2, n - n / 2}};
		ssize_t moved = s->vectors ? writev(s->fd, iov, 2) : write(s->fd, bytes, n);
		CHECK_EQ(moved, n);
		sent += n;
	}
	return NULL;
}

static void *receive_all(void *argument)
{
	const struct side *s = argument;
	static __thread unsigned char bytes[PIECE_MAX];
	uint64_t state = s->seed * 31;
	size_t total = total_bytes();
	for (size_t received = 0; received < total;) {
		size_t n = random_size(&state, PIECE_MAX);
		struct iovec iov[2] = {{bytes, n / 2}, {bytes + n / 2, n - n / 2}};
		ssize_t moved = s->vectors ? readv(s->fd, iov, 2) : read(s->fd, bytes, n);
		CHECK(moved > 0 && (size_t)moved <= n);
		pattern_check(bytes, (size_t)moved, s->offset + received);
		received += (size_t)moved;
	}
	return NULL;
}

static void one_way(bool vectors)
{
	int sv[2];
	struct worker in, out;
	pair_open(sv, 0);
	struct side a = {sv[0], seed(), 0, vectors}, b = {sv[1], seed() + 1, 0, vectors};
	worker_start(&in, receive_all, &b);
	worker_start(&out, send_all, &a);
	worker_join(&out);
	worker_join(&in);
	CHECK(close(sv[0]) == 0);
	hear_end(sv[1]);
}

CASE(one_way_in_threads) { one_way(false); }

CASE(one_way_in_threads_with_vectors) { one_way(true); }

CASE(both_ways_in_threads)
{
	int sv[2];
	struct worker w[4];
	pair_open(sv, 0);
	struct side a = {sv[0], seed(), 0, false}, b = {sv[1], seed() + 1, 12345, true};
	struct side a_in = {sv[0], seed() + 2, 12345, false}, b_in = {sv[1], seed() + 3, 0, true};
	worker_start(&w[0], send_all, &a);
	worker_start(&w[1], send_all, &b);
	worker_start(&w[2], receive_all, &a_in);
	worker_start(&w[3], receive_all, &b_in);
	for (int i = 0; i < 4; i++)
		worker_join(&w[i]);
	hear_nothing(sv[0]);
	hear_nothing(sv[1]);
}

/* One process: a thread sends, the main thread receives. */
static void talk(int fd, uint64_t my_offset, uint64_t peer_offset)
{
	struct worker out;
	struct side a = {fd, seed() + my_offset, my_offset, false};
	struct side b = {fd, seed() + peer_offset, peer_offset, false};
	worker_start(&out, send_all, &a);
	receive_all(&b);
	worker_join(&out);
}

CASE(both_ways_in_processes)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		CHECK(close(sv[0]) == 0);
		talk(sv[1], 777, 0);
		_exit(0);
	}
	CHECK(close(sv[1]) == 0);
	talk(sv[0], 0, 777);
	child_join(pid);
	hear_end(sv[0]);
}

/* One thread per process and no waiting calls: poll decides, both ways at once. */
static void talk_with_poll(int fd, uint64_t my_offset, uint64_t peer_offset)
{
	static unsigned char bytes[PIECE_MAX];
	size_t total = total_bytes(), sent = 0, received = 0;
	uint64_t state = seed() + my_offset;
	CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	while (sent < total || received < total) {
		struct pollfd p = {.fd = fd};
		p.events = (short)((sent < total ? POLLOUT : 0) | (received < total ? POLLIN : 0));
		CHECK_EQ(poll(&p, 1, -1), 1);
		if (p.revents & POLLOUT) {
			size_t n = random_size(&state, PIECE_MAX);
			n = n < total - sent ? n : total - sent;
			pattern_make(bytes, n, my_offset + sent);
			ssize_t moved = write(fd, bytes, n);
			CHECK(moved > 0);
			sent += (size_t)moved;
		}
		if (p.revents & POLLIN) {
			ssize_t moved = read(fd, bytes, random_size(&state, PIECE_MAX));
			CHECK(moved > 0);
			pattern_check(bytes, (size_t)moved, peer_offset + received);
			received += (size_t)moved;
		}
	}
}

CASE(both_ways_in_processes_with_poll)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		CHECK(close(sv[0]) == 0);
		talk_with_poll(sv[1], 777, 0);
		_exit(0);
	}
	CHECK(close(sv[1]) == 0);
	talk_with_poll(sv[0], 0, 777);
	child_join(pid);
}

CHECK_MAIN
