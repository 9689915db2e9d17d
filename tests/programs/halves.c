/* A bounded pair as tokio's duplex: the same rules, by name. Only meaningful under weir.
 *
 *	halves CAPACITY [CASE...]
 */
#include "check.h"

#include <sys/ioctl.h>

static size_t capacity;
static unsigned char bytes[1 << 16];

static size_t unread(int fd)
{
	int n = -1;
	CHECK(ioctl(fd, FIONREAD, &n) == 0);
	return (size_t)n;
}

struct writer {
	struct worker worker;
	int fd;
	size_t size;
	ssize_t gave;
	int error;
	bool returned;
};

static void *write_once(void *argument)
{
	struct writer *w = argument;
	ssize_t n = send(w->fd, bytes, w->size, MSG_NOSIGNAL);
	w->error = errno;
	w->gave = n;
	__atomic_store_n(&w->returned, true, __ATOMIC_RELEASE);
	return NULL;
}

/* A writer of that many bytes who waits, because the pair is full. */
static void waits_for_room(struct writer *w, int fd, size_t size)
{
	*w = (struct writer){.fd = fd, .size = size};
	CHECK_EQ(fill(fd), capacity);
	worker_start(&w->worker, write_once, w);
	wait_until_asleep(w->worker.tid);
	CHECK(!__atomic_load_n(&w->returned, __ATOMIC_ACQUIRE));
}

CASE(what_was_written_is_read_then_the_end)
{
	int sv[2];
	pair_open(sv, 0);
	CHECK_EQ(fill(sv[0]), capacity);
	CHECK(close(sv[0]) == 0);
	drain(sv[1], capacity, 0);
	hear_end(sv[1]);
	hear_end(sv[1]);
}

CASE(half_an_end_is_read_the_same_way)
{
	int sv[2];
	pair_open(sv, 0);
	CHECK_EQ(fill(sv[0]), capacity);
	CHECK(shutdown(sv[0], SHUT_WR) == 0);
	drain(sv[1], capacity, 0);
	hear_end(sv[1]);
	say(sv[1], "x");
	hear(sv[0], "x");
}

CASE(a_write_after_the_peers_close_fails_at_once)
{
	int sv[2];
	pair_open(sv, 0);
	CHECK(close(sv[1]) == 0);
	CHECK_FAILS(send(sv[0], bytes, 1, MSG_NOSIGNAL), EPIPE);
	CHECK_FAILS(send(sv[0], bytes, 3 * capacity, MSG_NOSIGNAL), EPIPE);
}

CASE(a_waiting_writer_is_woken_by_close)
{
	int sv[2];
	struct writer w;
	pair_open(sv, 0);
	waits_for_room(&w, sv[0], 1);
	CHECK(close(sv[1]) == 0);
	worker_join(&w.worker);
	CHECK(w.gave == -1 && w.error == ECONNRESET); /* bytes are lost; EPIPE from then on */
	CHECK_FAILS(send(sv[0], bytes, 1, MSG_NOSIGNAL), EPIPE);
}

CASE(a_writer_that_waits_for_the_rest_is_woken_by_close)
{
	int sv[2];
	struct writer w = {0};
	pair_open(sv, 0);
	w.fd = sv[0];
	w.size = 2 * capacity;
	worker_start(&w.worker, write_once, &w);
	wait_until_asleep(w.worker.tid);
	CHECK_EQ(unread(sv[1]), capacity);
	CHECK(close(sv[1]) == 0);
	worker_join(&w.worker);
	CHECK_EQ(w.gave, capacity);
}

CASE(a_waiting_reader_is_woken_by_close)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		CHECK(close(sv[0]) == 0);
		hear_end(sv[1]);
		_exit(0);
	}
	wait_until_asleep(pid);
	CHECK(close(sv[0]) == 0);
	child_join(pid);
}

CASE(a_vectored_write_fills_across_buffers)
{
	int sv[2];
	struct iovec iov[4];
	size_t from = 0, piece = capacity / 3 + 1;
	pair_open(sv, SOCK_NONBLOCK);
	pattern_make(bytes, 4 * piece, 0);
	for (int i = 0; i < 4; i++, from += piece)
		iov[i] = (struct iovec){bytes + from, piece};
	CHECK_EQ(writev(sv[0], iov, 4), capacity);
	drain(sv[1], capacity, 0);
}

CASE(nothing_is_read_and_written_without_waiting)
{
	int sv[2];
	pair_open(sv, 0);
	CHECK_EQ(write(sv[0], bytes, 0), 0);
	CHECK_EQ(read(sv[1], bytes, 0), 0); /* empty: it does not wait */
	hear_nothing(sv[1]);
	CHECK_EQ(fill(sv[0]), capacity);
	CHECK_EQ(write(sv[0], bytes, 0), 0); /* full: neither */
	CHECK_EQ(read(sv[1], bytes, 0), 0);
	CHECK_EQ(unread(sv[1]), capacity);
	drain(sv[1], capacity, 0);
}

CASE(a_read_that_moves_nothing_wakes_nobody)
{
	int sv[2];
	struct writer w;
	struct iovec none = {bytes, 0};
	pair_open(sv, 0);
	waits_for_room(&w, sv[0], 1);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(read(sv[1], bytes, 0), 0);
		CHECK_EQ(readv(sv[1], &none, 1), 0);
		CHECK_EQ(recv(sv[1], bytes, 1, MSG_PEEK), 1);
		CHECK_EQ(recv(sv[1], bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT), capacity);
		hear_nothing(sv[0]);
		CHECK(!(readiness(sv[0]) & POLLOUT));
		sleep_ms(5);
		CHECK(!__atomic_load_n(&w.returned, __ATOMIC_ACQUIRE));
		CHECK_EQ(unread(sv[1]), capacity);
	}
	CHECK_EQ(recv(sv[1], bytes, capacity, MSG_WAITALL), capacity);
	worker_join(&w.worker);
	CHECK_EQ(w.gave, 1);
}

CASE(room_is_exactly_what_was_read)
{
	int sv[2];
	pair_open(sv, SOCK_NONBLOCK);
	CHECK_EQ(fill(sv[0]), capacity);
	for (size_t n = 1; n <= capacity && n < 5; n++) {
		CHECK_EQ(read(sv[1], bytes, n), n);
		CHECK_EQ(write(sv[0], bytes, n + 1), n);
		CHECK_FAILS(write(sv[0], bytes, 1), EAGAIN);
	}
}

/* ---- two halves, used from different threads ---- */

enum { STREAM = 20000 };

struct half {
	struct worker worker;
	int fd;
};

static void *write_stream(void *argument)
{
	const struct half *h = argument;
	unsigned char out[97];
	for (size_t done = 0; done < STREAM;) {
		size_t n = STREAM - done < sizeof(out) ? STREAM - done : sizeof(out);
		pattern_make(out, n, done);
		ssize_t sent = write(h->fd, out, n);
		CHECK(sent > 0);
		done += (size_t)sent;
	}
	CHECK(shutdown(h->fd, SHUT_WR) == 0);
	return NULL;
}

static void *read_stream(void *argument)
{
	const struct half *h = argument;
	drain(h->fd, STREAM, 0);
	hear_end(h->fd);
	return NULL;
}

CASE(two_halves_are_used_from_different_threads)
{
	int sv[2];
	struct half half[4];
	pair_open(sv, 0);
	for (int i = 0; i < 4; i++) {
		half[i].fd = sv[i / 2];
		worker_start(&half[i].worker, i % 2 ? read_stream : write_stream, &half[i]);
	}
	for (int i = 0; i < 4; i++)
		worker_join(&half[i].worker);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: halves CAPACITY [CASE...]\n");
		return 2;
	}
	capacity = strtoull(argv[1], NULL, 10);
	return check_main(argc - 1, argv + 1);
}
