#include "pipe/pipe.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/lock.h"
#include "base/message.h"
#include "base/os.h"
#include "base/tsan.h"
#include "pipe/bell.h"

enum {
	LOCK_WAIT_NS_MAX = 20 * 1000 * 1000,
	NAMESAKE_WAIT_NS = 200 * 1000,
	ROBUST_MAX = 64,            /* robust locks that one thread holds, ours and the program's */
};

const weir_word32 *weir_pipe_strangers;

void weir_pipe_init(struct weir_pipe *pipe)
{
	weir_lock_make(&pipe->read_lock);
	weir_lock_make(&pipe->write_lock);
}

void weir_pipe_reset(struct weir_pipe *pipe, uint32_t generation)
{
	store64_relaxed(&pipe->head, 0);
	store64_relaxed(&pipe->tail, 0);
	store64_relaxed(&pipe->origin, 0);
	store64_relaxed(&pipe->reads, 0);
	store64_relaxed(&pipe->writes, 0);
	store64_relaxed(&pipe->blocked_reads, 0);
	store64_relaxed(&pipe->blocked_writes, 0);
	store64_relaxed(&pipe->max_buffered, 0);
	store64_relaxed(&pipe->pending, 0);
	store64_relaxed(&pipe->mask, WEIR_RING_MIN_MASK);
	store64_relaxed(&pipe->wake_at, 0);
	store64_relaxed(&pipe->rules_read, 0);
	store64_relaxed(&pipe->rules_write, 0);
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
	store32_relaxed(&pipe->writer_spins, 0);
	store32_relaxed(&pipe->saturated, WEIR_FLOWING);
	store32_relaxed(&pipe->suspect, 0);
	store32_relaxed(&pipe->watch, 0);
	store32_relaxed(&pipe->carrier, WEIR_BY_RING);
	store32_relaxed(&pipe->hand_over, 0);
	store32_relaxed(&pipe->marker, 0);
	store32_relaxed(&pipe->reader_life, 0);
	store32_release(&pipe->generation, generation);
}

/* The mask is shared, so another process may have damaged it. */
static inline uint64_t mask_of(const struct weir_pipe_ref *ref)
{
	uint64_t mask = load64_relaxed(&ref->pipe->mask);

	if (__builtin_expect(mask > ref->span_mask || (mask & (mask + 1)) != 0, 0))
		weir_die("the session's memory is damaged: a ring of %llu bytes",
		         (unsigned long long)mask + 1);
	return mask;
}

static struct weir_ring ring_of(const struct weir_pipe_ref *ref)
{
	struct weir_pipe *pipe = ref->pipe;
	uint64_t mask = mask_of(ref);

	return (struct weir_ring){
	        .head = &pipe->head,
	        .tail = &pipe->tail,
	        .origin = load64_relaxed(&pipe->origin),
	        .mask = mask,
	        .storage = ref->storage,
	};
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

	if (limit > ref->span_mask + 1 - WEIR_ASIDE_SIZE)
		limit = ref->span_mask + 1 - WEIR_ASIDE_SIZE;
	uint64_t mask = weir_ring_mask_for(limit + WEIR_ASIDE_SIZE, load64_relaxed(&pipe->mask));
	struct weir_ring ring = ring_of(ref);
	store64_relaxed(&pipe->origin, weir_ring_grow(&ring, mask));
	store64_relaxed(&pipe->mask, mask);
	store64_relaxed(&pipe->limit, limit);
	store64_relaxed(&pipe->writable_room, writable_room(limit, rule));
}

/* Guesses that are safe whatever the dead owner had done: the next publication
 * rings, the next consumption clears the queue, and who waits for room before that
 * fills it anew. Positions are single stores. What handlers left aside is the next
 * writer's to append, with a descriptor of his own. */
static void recover_writer(struct weir_pipe *pipe)
{
	store32_relaxed(&pipe->bells, 0);
	store32_relaxed(&pipe->lowered, WEIR_PERHAPS_LOWERED);
	store64_relaxed(&pipe->pending, 0);
	store64_relaxed(&pipe->wake_at, 0);
	store32_relaxed(&pipe->aside_owner, 0);
	store32_ordered(&pipe->saturated, WEIR_SATURATED);
}

/* What locking gave: makes the lock ours for this life
 * of the pipe, or tells why not. */
static int locked(const struct weir_pipe_ref *ref, pthread_mutex_t *mutex, int error)
{
	if (__builtin_expect(error == EOWNERDEAD, 0)) {
		if (mutex == &ref->pipe->write_lock)
			recover_writer(ref->pipe);
		pthread_mutex_consistent(mutex);
	} else if (__builtin_expect(error == EDEADLK || error == EBUSY, 0)) {
		return -error;
	} else if (__builtin_expect(error != 0, 0)) {
		weir_die("the session's memory is damaged: a lock gives error %d", error);
	}
	if (__builtin_expect(load32_relaxed(&ref->pipe->generation) != ref->generation, 0)) {
		pthread_mutex_unlock(mutex);
		return -ESTALE;
	}
	return 0;
}

/* The thread that holds the lock, 0 for nobody: the futex word tells. */
static uint32_t owner_of(const pthread_mutex_t *mutex)
{
	return (uint32_t)__atomic_load_n(&mutex->__data.__lock, __ATOMIC_RELAXED) & FUTEX_TID_MASK;
}

static bool has_strangers(void)
{
	return __builtin_expect(weir_pipe_strangers != NULL && load32_acquire(weir_pipe_strangers), 0);
}

/* The kernel's list of the robust locks that this thread holds (get_robust_list(2)). */
static bool is_held_here(const pthread_mutex_t *mutex)
{
	struct robust_list_head *head = NULL;
	size_t size = 0;
	const char *word = (const char *)&mutex->__data.__lock;

	if (os_call(SYS_get_robust_list, 0, (long)&head, (long)&size, 0, 0, 0) != 0)
		return true;
	if ((const char *)head->list_op_pending + head->futex_offset == word)
		return true;
	const struct robust_list *held = head->list.next;
	for (int i = 0; i < ROBUST_MAX && held != &head->list; i++) {
		held = (const void *)((uintptr_t)held & ~(uintptr_t)1); /* 1: with priority inheritance */
		if ((const char *)held + head->futex_offset == word)
			return true;
		held = held->next;
	}
	return false;
}

/* EDEADLK is of this thread's number, which another one may have, too. */
static int name_owner(const pthread_mutex_t *mutex, int error)
{
	return error == EDEADLK && has_strangers() && !is_held_here(mutex) ? EBUSY : error;
}

static int try_lock(pthread_mutex_t *mutex)
{
	return name_owner(mutex, pthread_mutex_trylock(mutex));
}

/* The kernel does not see that the owner died, if a signal handler took a robust
 * lock of its own in the few instructions in which this one was in no list of the
 * owner's (set_robust_list(2)). Then it is marked here as the kernel would. */
static void mark_if_owner_died(pthread_mutex_t *mutex)
{
	int *word = &mutex->__data.__lock;
	int seen = __atomic_load_n(word, __ATOMIC_RELAXED);
	uint32_t owner = (uint32_t)seen & FUTEX_TID_MASK;

	if (owner == 0 || os_task_lives(owner))
		return;
	int died = (int)(((uint32_t)seen & FUTEX_WAITERS) | FUTEX_OWNER_DIED);
	__atomic_compare_exchange_n(word, &seen, died, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* Waits in pieces: an owner that a signal interrupts between the release and the
 * wake of the next owner may stay away for as long as its handler likes. */
static int lock_busy(pthread_mutex_t *mutex)
{
	static const struct timespec pause = {0, NAMESAKE_WAIT_NS};
	struct timespec until;
	int error;

	do {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += LOCK_WAIT_NS_MAX;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		error = name_owner(mutex, pthread_mutex_timedlock(mutex, &until));
		if (error == EBUSY)
			clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		else if (error == ETIMEDOUT && !has_strangers())
			mark_if_owner_died(mutex);
	} while (error == ETIMEDOUT || error == EBUSY);
	return error;
}

static int lock(const struct weir_pipe_ref *ref, pthread_mutex_t *mutex)
{
	int error = try_lock(mutex);

	if (__builtin_expect(error == EBUSY, 0))
		error = lock_busy(mutex);
	return locked(ref, mutex, error);
}

int weir_pipe_lock_reader(const struct weir_pipe_ref *ref)
{
	return lock(ref, &ref->pipe->read_lock);
}

int weir_pipe_lock_writer(const struct weir_pipe_ref *ref)
{
	return lock(ref, &ref->pipe->write_lock);
}

int weir_pipe_try_lock_writer(const struct weir_pipe_ref *ref)
{
	pthread_mutex_t *mutex = &ref->pipe->write_lock;

	return locked(ref, mutex, try_lock(mutex));
}

void weir_pipe_unlock_reader(const struct weir_pipe_ref *ref)
{
	pthread_mutex_unlock(&ref->pipe->read_lock);
}

uint64_t weir_pipe_used(const struct weir_pipe_ref *ref)
{
	uint64_t used = load64_acquire(&ref->pipe->tail) - load64_acquire(&ref->pipe->head);

	/* Between the two loads the head may pass the tail that was read first. */
	return used > ref->span_mask + 1 ? 0 : used;
}

/* The writer's view: bytes in the ring, no more than the storage holds. */
static uint64_t checked_used(const struct weir_pipe_ref *ref)
{
	uint64_t used = load64_relaxed(&ref->pipe->tail) - load64_ordered(&ref->pipe->head);

	if (__builtin_expect(used > ref->span_mask + 1 ||
	                     load64_relaxed(&ref->pipe->limit) > ref->span_mask + 1, 0))
		weir_die("the session's memory is damaged: %llu bytes in a pipe",
		         (unsigned long long)used);
	return used;
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

/* An empty ring starts again at the front of its storage, so that small
 * exchanges stay in cache. A reader uses the origin only after it saw a tail
 * that was stored later, and an empty ring has no reader at work. */
static void rebase(struct weir_pipe *pipe, uint64_t tail)
{
	if (load64_relaxed(&pipe->origin) != tail)
		store64_relaxed(&pipe->origin, tail);
}

static void publish(struct weir_pipe *pipe, uint64_t tail, uint64_t used)
{
	store64_release(&pipe->tail, tail);
	if (used > load64_relaxed(&pipe->max_buffered))
		store64_relaxed(&pipe->max_buffered, used);
	store64_relaxed(&pipe->pending, 0);
}

/* Nobody will ever read what was just published: it was never written. A reader
 * at work meanwhile may have it; then it was written before the end. */
static bool take_back(const struct weir_pipe_ref *ref, uint64_t tail)
{
	struct weir_pipe *pipe = ref->pipe;

	if (locked(ref, &pipe->read_lock, try_lock(&pipe->read_lock)) != 0)
		return false;
	bool unread = load64_relaxed(&pipe->head) <= tail;
	if (unread)
		store64_release(&pipe->tail, tail);
	pthread_mutex_unlock(&pipe->read_lock);
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

/* `beyond`: how far the bound may be exceeded. */
static ssize_t put(const struct weir_pipe_ref *ref, int fd, struct weir_span *span, size_t n,
                   uint64_t beyond)
{
	struct weir_pipe *pipe = ref->pipe;
	uint64_t tail = load64_relaxed(&pipe->tail);
	uint64_t used = checked_used(ref);
	uint64_t bound = load64_relaxed(&pipe->limit) + beyond;
	uint64_t room = used < bound ? bound - used : 0;

	if (n > room)
		n = (size_t)room;
	if (n == 0)
		return 0;
	if (used == 0)
		rebase(pipe, tail);
	struct weir_ring ring = ring_of(ref);
	struct weir_span before = *span;
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

/* What lies aside is this thread's to append, through `fd`. */
static void adopt_aside(struct weir_pipe *pipe, int fd)
{
	store32_relaxed(&pipe->aside_fd, (uint32_t)fd + 1);
	store32_relaxed(&pipe->aside_owner, owner_of(&pipe->write_lock));
}

ssize_t weir_pipe_put(const struct weir_pipe_ref *ref, int fd, struct weir_span *span, size_t n)
{
	if (__builtin_expect(load32_relaxed(&ref->pipe->aside_used) != 0, 0) &&
	    load32_relaxed(&ref->pipe->aside_owner) == 0)
		adopt_aside(ref->pipe, fd);
	return put(ref, fd, span, n, 0);
}

size_t weir_pipe_peek(const struct weir_pipe_ref *ref, struct weir_span *span, size_t n,
                      uint64_t skip)
{
	uint64_t used = weir_pipe_used(ref);

	if (skip >= used)
		return 0;
	if (n > used - skip)
		n = (size_t)(used - skip);
	struct weir_ring ring = ring_of(ref);
	weir_ring_copy_out(&ring, load64_relaxed(&ref->pipe->head) + skip, span, n);
	return n;
}

size_t weir_pipe_take(const struct weir_pipe_ref *ref, struct weir_span *span, size_t n)
{
	struct weir_pipe *pipe = ref->pipe;

	n = weir_pipe_peek(ref, span, n, 0);
	if (n > 0)
		store64_ordered(&pipe->head, load64_relaxed(&pipe->head) + n);
	return n;
}

const unsigned char *weir_pipe_next(const struct weir_pipe_ref *ref, size_t *n)
{
	uint64_t used = weir_pipe_used(ref), mask = mask_of(ref);
	uint64_t index = (load64_relaxed(&ref->pipe->head) - load64_relaxed(&ref->pipe->origin)) &
	                 mask;

	if (*n > used)
		*n = (size_t)used;
	tsan_acquire(&ref->pipe->tail);
	return index + *n <= mask + 1 ? ref->storage + index : NULL;
}

size_t weir_pipe_pieces(const struct weir_pipe_ref *ref, size_t n, struct iovec piece[2])
{
	uint64_t used = weir_pipe_used(ref);
	struct weir_ring ring = ring_of(ref);

	if (n > used)
		n = (size_t)used;
	weir_ring_pieces(&ring, load64_relaxed(&ref->pipe->head), n, piece);
	return n;
}

size_t weir_pipe_put_aside(const struct weir_pipe_ref *ref, int fd, struct weir_span *span, size_t n,
                           bool beyond)
{
	struct weir_pipe *pipe = ref->pipe;
	uint32_t used = load32_relaxed(&pipe->aside_used);
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

/* A handler may come again while its earlier bytes are being appended, and then
 * adds behind them: bytes are taken from the front only when all are in. */
static void append_aside(const struct weir_pipe_ref *ref)
{
	struct weir_pipe *pipe = ref->pipe;
	int fd = (int)load32_relaxed(&pipe->aside_fd) - 1;
	uint32_t done = 0;

	while (done < load32_acquire(&pipe->aside_used)) {
		uint32_t used = load32_acquire(&pipe->aside_used);
		struct iovec iov = {pipe->aside + done, used - done};
		struct weir_span span = weir_span_of(&iov, 1);
		ssize_t n = put(ref, fd, &span, iov.iov_len, WEIR_ASIDE_SIZE);
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
	uint32_t self = owner_of(&pipe->write_lock);

	for (;;) {
		if (has_aside(pipe, self))
			append_aside(ref);
		pthread_mutex_unlock(&pipe->write_lock);
		/* A handler between the look and the unlock left its bytes to us. */
		if (!has_aside(pipe, self))
			return;
		if (weir_pipe_lock_writer(ref) != 0)
			return;
	}
}

int weir_pipe_lock(const struct weir_pipe_ref *ref)
{
	int error = weir_pipe_lock_reader(ref);

	if (error)
		return error;
	error = weir_pipe_lock_writer(ref);
	if (error)
		weir_pipe_unlock_reader(ref);
	return error;
}

void weir_pipe_unlock(const struct weir_pipe_ref *ref)
{
	weir_pipe_unlock_writer(ref);
	weir_pipe_unlock_reader(ref);
}

bool weir_pipe_is_valid(const struct weir_pipe_ref *ref)
{
	struct weir_pipe *pipe = ref->pipe;
	uint64_t mask = load64_relaxed(&pipe->mask);

	return (mask & (mask + 1)) == 0 && mask <= ref->span_mask &&
	       load64_relaxed(&pipe->limit) <= mask + 1 &&
	       load64_relaxed(&pipe->tail) - load64_relaxed(&pipe->head) <= mask + 1;
}
