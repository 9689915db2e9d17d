#include "pipe/pipe.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/message.h"
#include "base/os.h"
#include "base/tsan.h"
#include "pipe/bell.h"
#include "pipe/check.h"

enum { AHEAD = 256 }; /* bytes: some messages of a line */

void weir_pipe_init(struct weir_pipe *pipe)
{
	weir_lock_make(&pipe->read_lock);
	weir_lock_make(&pipe->write_lock);
}

void weir_pipe_reset(struct weir_pipe *pipe, uint32_t generation)
{
	store64_relaxed(&pipe->head, 0);
	store64_relaxed(&pipe->head_again, 0);
	store64_relaxed(&pipe->tail, 0);
	store64_relaxed(&pipe->tail_again, 0);
	store64_relaxed(&pipe->origin, 0);
	store64_relaxed(&pipe->reads, 0);
	store64_relaxed(&pipe->writes, 0);
	store64_relaxed(&pipe->blocked_reads, 0);
	store64_relaxed(&pipe->blocked_writes, 0);
	store64_relaxed(&pipe->max_buffered, 0);
	store32_relaxed(&pipe->alone, 0);
	store32_relaxed(&pipe->read_alone, 0);
	store32_relaxed(&pipe->write_alone, 0);
	store64_relaxed(&pipe->pending, 0);
	store64_relaxed(&pipe->mask, WEIR_RING_MIN_MASK);
	store64_relaxed(&pipe->limit, 0);
	store64_relaxed(&pipe->wake_at, 0);
	store32_relaxed(&pipe->placeless, 0);
	store64_relaxed(&pipe->rules_read, 0);
	store64_relaxed(&pipe->rules_write, 0);
	for (int op = 0; op < 2; op++) {
		store64_relaxed(&pipe->calm[op].rules, 0);
		store32_relaxed(&pipe->calm[op].text, 0);
		store32_relaxed(&pipe->calm[op].left, 0);
		store32_relaxed(&pipe->calm[op].left_looking, 0);
		store32_relaxed(&pipe->calm[op].granted, 0);
	}
	for (int i = 0; i < WEIR_SLEEPERS_MAX; i++) {
		store32_relaxed(&pipe->sleepers[0][i].tid, 0);
		store32_relaxed(&pipe->sleepers[1][i].tid, 0);
	}
	store32_relaxed(&pipe->reset, 0);
	store32_relaxed(&pipe->bells, 0);
	store32_relaxed(&pipe->lowered, WEIR_RAISED);
	store32_relaxed(&pipe->aside_used, 0);
	store32_relaxed(&pipe->aside_fd, 0);
	store32_relaxed(&pipe->aside_owner, 0);
	store32_relaxed(&pipe->reader_cpu, 0);
	store32_relaxed(&pipe->writer_cpu, 0);
	store32_relaxed(&pipe->reader_spins, 0);
	store32_relaxed(&pipe->reader_answers, 0);
	store32_relaxed(&pipe->reader_gathers, 0);
	store32_relaxed(&pipe->writer_spins, 0);
	store32_relaxed(&pipe->saturated, WEIR_FLOWING);
	store32_relaxed(&pipe->suspect, 0);
	store32_relaxed(&pipe->watch, 0);
	store32_relaxed(&pipe->carrier, WEIR_BY_RING);
	store32_relaxed(&pipe->hand_over, 0);
	store32_relaxed(&pipe->marker, 0);
	store32_relaxed(&pipe->reader_life, 0);
	store32_relaxed(&pipe->writer_life, 0);
	store32_relaxed(&pipe->wary, 0);
	store32_relaxed(&pipe->board, 0);
	store32_relaxed(&pipe->fills, 0);
	store32_relaxed(&pipe->emptied_at, 0);
	store32_release(&pipe->generation, generation);
}

static struct weir_ring ring_of(const struct weir_pipe_ref *ref, const struct weir_pipe_seen *seen)
{
	return (struct weir_ring){
	        .head = &ref->pipe->head,
	        .tail = &ref->pipe->tail,
	        .origin = seen->origin,
	        .mask = seen->mask,
	        .storage = weir_pipe_storage(ref, seen->mask),
	};
}

/* An empty ring starts again at the front of its storage, so that small
 * exchanges stay in cache. A reader uses the origin only after it saw a tail
 * that was stored later, and an empty ring has no reader at work. */
static void rebase(const struct weir_pipe_ref *ref, struct weir_pipe_seen *seen, size_t n)
{
	struct weir_pipe *pipe = ref->pipe;
	uint64_t most = load64_relaxed(&pipe->max_buffered);
	uint64_t origin = seen->tail - weir_pipe_front(ref, seen->mask, most > n ? most : n);
	uint64_t moved = seen->origin ^ origin;

	if (moved) {
		store64_relaxed(&pipe->origin, origin);
		store64_relaxed(&pipe->shape, load64_relaxed(&pipe->shape) ^ moved);
		seen->origin = origin;
	}
}

/* Writer lock. `used`: bytes in the ring then. */
static void publish(struct weir_pipe *pipe, uint64_t tail, uint64_t used)
{
	store64_relaxed(&pipe->tail_again, tail);
	store64_release(&pipe->tail, tail);
	if (used > load64_relaxed(&pipe->max_buffered))
		store64_relaxed(&pipe->max_buffered, used);
	store64_relaxed(&pipe->pending, 0);
}

/* Reader lock. Then the reader looks whether the writer has saturated: in this order,
 * while the writer does it the other way round. */
static void consume(struct weir_pipe *pipe, uint64_t head)
{
	store64_relaxed(&pipe->head_again, head);
	if (weir_pipe_reads_alone(pipe)) /* the writer is this thread */
		store64_release(&pipe->head, head);
	else
		store64_ordered(&pipe->head, head);
}

static uint64_t writable_room(uint64_t limit, struct weir_writable_rule rule)
{
	uint64_t room = rule.amount;

	if (rule.amount == 0)
		room = limit - limit / 4; /* unix_writable(): at most a quarter is charged */
	else if (rule.percent)
		room = limit / 100 * rule.amount + limit % 100 * rule.amount / 100;
	if (room < 1)
		return 1;
	return room < limit ? room : limit;
}

void weir_pipe_set_limit(const struct weir_pipe_ref *ref, uint64_t limit,
                         struct weir_writable_rule rule)
{
	struct weir_pipe *pipe = ref->pipe;

	if (limit < 1)
		limit = 1;
	if (limit > ref->span_mask + 1 - WEIR_ASIDE_SIZE)
		limit = ref->span_mask + 1 - WEIR_ASIDE_SIZE;
	struct weir_pipe_seen seen = {.mask = WEIR_RING_MIN_MASK};
	if (load64_relaxed(&pipe->limit) != 0) /* else it was reset: there is no shape yet */
		seen = weir_pipe_check_writer(ref);
	uint64_t mask = weir_ring_mask_for(limit + WEIR_ASIDE_SIZE, seen.mask);
	struct weir_ring ring = ring_of(ref, &seen);
	store64_relaxed(&pipe->origin, weir_ring_grow(&ring, weir_pipe_storage(ref, mask), mask));
	store64_relaxed(&pipe->mask, mask);
	store64_relaxed(&pipe->limit, limit);
	store64_relaxed(&pipe->writable_room, writable_room(limit, rule));
	weir_pipe_keep_shape(pipe);
}

void weir_pipe_suspect(const struct weir_pipe_ref *ref, uint32_t times)
{
	store32_ordered(&ref->pipe->suspect, times);
	weir_pipe_forget(ref);
}

void weir_pipe_watch(const struct weir_pipe_ref *ref, uint32_t watch)
{
	or32_ordered(&ref->pipe->watch, watch);
	weir_pipe_forget(ref);
}

void weir_pipe_want_hand_over(const struct weir_pipe_ref *ref, uint32_t how)
{
	or32_ordered(&ref->pipe->hand_over, how);
	weir_pipe_forget(ref);
}

uint64_t weir_pipe_used(const struct weir_pipe_ref *ref)
{
	uint64_t used = load64_acquire(&ref->pipe->tail) - load64_acquire(&ref->pipe->head);

	/* Between the two loads the head may pass the tail that was read first. */
	return used > ref->span_mask + 1 ? 0 : used;
}

uint64_t weir_pipe_room(const struct weir_pipe_ref *ref)
{
	uint64_t tail = load64_acquire(&ref->pipe->tail);
	uint64_t used = tail - load64_ordered(&ref->pipe->head);
	uint64_t limit = load64_relaxed(&ref->pipe->limit);

	/* Without the writer lock the head may have passed the tail that was read. */
	if (used > ref->span_mask + 1)
		return limit;
	return used < limit ? limit - used : 0;
}

bool weir_pipe_writable(const struct weir_pipe_ref *ref)
{
	return weir_pipe_room(ref) >= load64_relaxed(&ref->pipe->writable_room);
}

/* Nobody will ever read what was just published: it was never written. A reader
 * at work meanwhile may have it; then it was written before the end. */
static bool take_back(const struct weir_pipe_ref *ref, uint64_t tail)
{
	struct weir_pipe *pipe = ref->pipe;

	if (weir_pipe_try_lock_reader(ref) != 0)
		return false;
	bool unread = load64_relaxed(&pipe->head) <= tail;
	if (unread) {
		store64_relaxed(&pipe->tail_again, tail);
		store64_release(&pipe->tail, tail);
	}
	weir_pipe_unlock_reader(ref);
	return unread;
}

/* Publishes first and rings then: who is woken finds the bytes, and need not wait
 * for the lock. But where somebody watches, a reader must never find bytes whose
 * bell is still to come: it would leave that bell behind. Then it is the other
 * way round. */
static int ring_and_publish(const struct weir_pipe_ref *ref, int fd, uint64_t tail, size_t n,
                            uint64_t used)
{
	struct weir_pipe *pipe = ref->pipe;
	bool watched = load32_relaxed(&pipe->watch) & WEIR_WATCH_INPUT;
	int error = watched ? weir_bell_ring(ref, fd) : 0;

	if (error)
		return error;
	publish(pipe, tail + n, used);
	if (!watched)
		error = weir_bell_ring(ref, fd);
	return error && take_back(ref, tail) ? error : 0;
}

/* `beyond`: by how much the bound may be exceeded. */
static ssize_t put(const struct weir_pipe_ref *ref, int fd, struct weir_span *span, size_t n,
                   uint64_t beyond, bool far)
{
	struct weir_pipe *pipe = ref->pipe;
	struct weir_pipe_seen seen = weir_pipe_check_writer(ref);
	uint64_t tail = seen.tail, used = tail - seen.head;
	uint64_t bound = seen.limit + beyond;
	uint64_t room = used < bound ? bound - used : 0;

	if (n > room)
		n = (size_t)room;
	if (n == 0)
		return 0;
	if (used == 0)
		rebase(ref, &seen, n);
	struct weir_ring ring = ring_of(ref, &seen);
	struct weir_span before = *span;
	ring.far = far;
	store64_relaxed(&pipe->pending, n);
	weir_ring_copy_in(&ring, tail, span, n);
	int error = ring_and_publish(ref, fd, tail, n, used + n);
	if (__builtin_expect(error != 0, 0)) {
		store64_relaxed(&pipe->pending, 0);
		*span = before;
		return error;
	}
	return (ssize_t)n;
}

/* The thread that is at work as the writer: the caller, or whom it interrupted. While that
 * works without the lock, another may hold it already; it is its process's only thread. */
static uint32_t writer_of(const struct weir_pipe *pipe)
{
	return weir_pipe_writes_alone(pipe) ? load32_relaxed(&weir_own_process)
	                                    : weir_lock_owner(&pipe->write_lock);
}

/* What lies aside is this thread's to append, through `fd`. */
static void adopt_aside(struct weir_pipe *pipe, int fd)
{
	store32_relaxed(&pipe->aside_fd, (uint32_t)fd + 1);
	store32_relaxed(&pipe->aside_owner, writer_of(pipe));
}

ssize_t weir_pipe_put(const struct weir_pipe_ref *ref, int fd, struct weir_span *span, size_t n,
                      bool far)
{
	if (__builtin_expect(load32_relaxed(&ref->pipe->aside_used) != 0, 0) &&
	    load32_relaxed(&ref->pipe->aside_owner) == 0)
		adopt_aside(ref->pipe, fd);
	return put(ref, fd, span, n, 0, far);
}

static size_t copy_out(const struct weir_pipe_ref *ref, const struct weir_pipe_seen *seen,
                       struct weir_span *span, size_t n, uint64_t skip)
{
	struct weir_ring ring = ring_of(ref, seen);
	uint64_t used = seen->tail - seen->head;

	if (skip >= used)
		return 0;
	if (n > used - skip)
		n = (size_t)(used - skip);
	weir_ring_copy_out(&ring, seen->head + skip, span, n);
	return n;
}

size_t weir_pipe_peek(const struct weir_pipe_ref *ref, struct weir_span *span, size_t n,
                      uint64_t skip)
{
	struct weir_pipe_seen seen = weir_pipe_check_reader(ref);

	return copy_out(ref, &seen, span, n, skip);
}

size_t weir_pipe_take(const struct weir_pipe_ref *ref, struct weir_span *span, size_t n)
{
	struct weir_pipe_seen seen = weir_pipe_check_reader(ref);

	if (seen.tail == seen.head)
		return 0;
	n = copy_out(ref, &seen, span, n, 0);
	if (n > 0)
		consume(ref->pipe, seen.head + n);
	return n;
}

void weir_pipe_lose(const struct weir_pipe_ref *ref)
{
	uint64_t tail = load64_relaxed(&ref->pipe->tail);

	store64_relaxed(&ref->pipe->head_again, tail);
	store64_ordered(&ref->pipe->head, tail);
}

/* How many of a signal handler's bytes wait. */
static uint32_t aside_used(struct weir_pipe *pipe)
{
	uint32_t used = load32_acquire(&pipe->aside_used);

	if (used > WEIR_ASIDE_SIZE)
		weir_pipe_damaged(pipe, "more bytes of a signal handler than fit");
	return used;
}

const unsigned char *weir_pipe_next(const struct weir_pipe_ref *ref, size_t *n)
{
	struct weir_pipe_seen seen = weir_pipe_check_reader(ref);
	uint64_t used = seen.tail - seen.head, index = (seen.head - seen.origin) & seen.mask;

	if (*n > used)
		*n = (size_t)used;
	tsan_acquire(&ref->pipe->tail);
	return index + *n <= seen.mask + 1 ? weir_pipe_storage(ref, seen.mask) + index : NULL;
}

size_t weir_pipe_pieces(const struct weir_pipe_ref *ref, size_t n, struct iovec piece[2])
{
	struct weir_pipe_seen seen = weir_pipe_check_reader(ref);
	struct weir_ring ring = ring_of(ref, &seen);
	uint64_t used = seen.tail - seen.head;

	if (n > used)
		n = (size_t)used;
	weir_ring_pieces(&ring, seen.head, n, piece);
	return n;
}

/* The lines that the next writes fill are in the reader's cache: what fetches them overlaps
 * with what is still to be done here. */
static inline void prefetch_ahead(const struct weir_ring *ring, uint64_t tail)
{
	unsigned char *ahead = ring->storage + ((tail + AHEAD - ring->origin) & ring->mask);

#if defined(__x86_64__)
	__asm__ volatile("prefetchw %0" : : "m"(*ahead));
#else
	__builtin_prefetch(ahead, 1);
#endif
}

size_t weir_pipe_put_quick(const struct weir_pipe_ref *ref, const void *bytes, size_t n, bool far)
{
	struct weir_pipe *pipe = ref->pipe;
	struct weir_pipe_seen seen;

	if (load32_relaxed(&pipe->bells) == 0 ||
	    (load32_relaxed(&pipe->watch) & (WEIR_WATCH_EDGES | WEIR_WATCH_ROOM)))
		return 0;
	if (__builtin_expect(!weir_pipe_writer_sees(ref, &seen), 0))
		return 0;
	uint64_t used = seen.tail - seen.head;
	if (used > seen.limit || n > seen.limit - used)
		return 0;
	if (used == 0)
		rebase(ref, &seen, n);
	struct weir_ring ring = ring_of(ref, &seen);
	ring.far = far;
	store64_relaxed(&pipe->pending, n);
	weir_ring_put(&ring, seen.tail, bytes, n);
	if (!ring.far)
		prefetch_ahead(&ring, seen.tail + n);
	publish(pipe, seen.tail + n, used + n);
	return n;
}

size_t weir_pipe_take_quick(const struct weir_pipe_ref *ref, void *bytes, size_t n)
{
	struct weir_pipe *pipe = ref->pipe;
	struct weir_pipe_seen seen;

	if ((load32_relaxed(&pipe->watch) & WEIR_WATCH_INPUT) ||
	    __builtin_expect(!weir_pipe_reader_sees(ref, &seen), 0))
		return 0;
	uint64_t used = seen.tail - seen.head;
	if (used == 0)
		return 0;
	if (n > used)
		n = (size_t)used;
	struct weir_ring ring = ring_of(ref, &seen);
	weir_ring_get(&ring, seen.head, bytes, n);
	consume(pipe, seen.head + n);
	return n;
}

size_t weir_pipe_put_aside(const struct weir_pipe_ref *ref, int fd, struct weir_span *span, size_t n,
                           bool beyond)
{
	struct weir_pipe *pipe = ref->pipe;
	uint32_t used = aside_used(pipe);
	uint64_t room = weir_pipe_room(ref);
	uint64_t taken = load64_relaxed(&pipe->pending) + used;
	struct weir_ring aside = {.mask = WEIR_ASIDE_SIZE - 1, .storage = pipe->aside};

	if (beyond)
		room += WEIR_ASIDE_SIZE;
	room = room > taken ? room - taken : 0;
	if (room > WEIR_ASIDE_SIZE - used)
		room = WEIR_ASIDE_SIZE - used;
	if (n > room)
		n = (size_t)room;
	weir_ring_copy_in(&aside, used, span, n);
	adopt_aside(pipe, fd);
	store32_release(&pipe->aside_used, used + (uint32_t)n);
	return n;
}

/* The interrupted owner may have handed over meanwhile. */
static ssize_t append(const struct weir_pipe_ref *ref, int fd, struct iovec *bytes)
{
	struct weir_span span = weir_span_of(bytes, 1);

	if (weir_bell_is_handed_over(ref))
		return os_send_now(fd, bytes->iov_base, bytes->iov_len, MSG_NOSIGNAL);
	return put(ref, fd, &span, bytes->iov_len, WEIR_ASIDE_SIZE, false);
}

/* A handler may come again while its earlier bytes are being appended, and then
 * adds behind them: bytes are taken from the front only when all are in. */
static void append_aside(const struct weir_pipe_ref *ref)
{
	struct weir_pipe *pipe = ref->pipe;
	int fd = (int)load32_relaxed(&pipe->aside_fd) - 1;
	uint32_t done = 0;

	weir_pipe_forget(ref);
	for (uint32_t used; done < (used = aside_used(pipe));) {
		struct iovec iov = {pipe->aside + done, used - done};
		ssize_t n = append(ref, fd, &iov);
		if (n <= 0)
			break;
		done += (uint32_t)n;
		if (swap32_if(&pipe->aside_used, done, 0))
			return;
	}
	store32_relaxed(&pipe->aside_used, 0);
}

/* Have handlers of this thread left bytes? Those of another are his to append. */
static bool has_aside(const struct weir_pipe *pipe, uint32_t self)
{
	return __builtin_expect(load32_relaxed(&pipe->aside_used) != 0, 0) &&
	       load32_relaxed(&pipe->aside_owner) == self;
}

void weir_pipe_unlock_writer(const struct weir_pipe_ref *ref)
{
	struct weir_pipe *pipe = ref->pipe;
	uint32_t self = writer_of(pipe);

	for (;;) {
		if (has_aside(pipe, self))
			append_aside(ref);
		weir_pipe_leave_writer(ref);
		/* A handler between the look and the unlock left its bytes to us. */
		if (!has_aside(pipe, self))
			return;
		if (weir_pipe_lock_writer(ref) != 0)
			return;
	}
}

bool weir_pipe_is_valid(const struct weir_pipe_ref *ref)
{
	struct weir_pipe_seen seen;

	return weir_pipe_writer_sees(ref, &seen) && weir_pipe_reader_sees(ref, &seen);
}
