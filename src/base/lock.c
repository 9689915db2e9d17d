#include "base/lock.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/os.h"
#include "base/tsan.h"

enum {
	HELD_MAX = 8, /* by one thread; more are not told to the kernel */
	WAIT_NS_MAX = 20 * 1000 * 1000,
	WALK_MAX = 1024, /* locks of the program's own that are passed in the list */
	KEYS_AT_HAND = 32, /* for more than that many, libc would allocate */
};

#define ENDED UINT32_MAX

_Static_assert(sizeof(struct weir_lock) == 40 && offsetof(struct weir_lock, next) == 32,
               "where libc has them");

/* This thread: what libc and the kernel know of it, and what it holds. The list's links
 * are kept here, as those in the locks themselves may be damaged. */
static _Thread_local struct {
	uint32_t life; /* of `lives`; another: nothing here is true */
	uint32_t tid;
	weir_word32 counted; /* the life in which it was, or ENDED */
	uint32_t count;
	struct robust_list_head *list;
	struct held {
		struct weir_lock *lock;
		void *next;
	} held[HELD_MAX];
} self;

const weir_word32 *weir_lock_strangers;

static weir_word32 lives = 1; /* raised in each child of a fork */

/* ---- threads that have come here, and have not ended ---- */

static weir_word32 threads;
static pthread_key_t ending;
static bool hears_of_ends;

void weir_lock_forked(void)
{
	store32_relaxed(&threads, 0);
	store32_relaxed(&lives, load32_relaxed(&lives) + 1);
}

static void thread_ends(void *unused)
{
	(void)unused;
	if (load32_relaxed(&self.counted) == load32_relaxed(&lives))
		add32_relaxed(&threads, UINT32_MAX);
	store32_relaxed(&self.counted, ENDED);
}

/* A signal handler may come here in between, too. */
static void count_thread(uint32_t life)
{
	uint32_t before = load32_relaxed(&self.counted);

	if (!hears_of_ends || before == life || before == ENDED ||
	    pthread_setspecific(ending, &self) != 0)
		return;
	if (swap32_if(&self.counted, before, life))
		add32_relaxed(&threads, 1);
}

uint32_t weir_lock_threads(void)
{
	return load32_ordered(&threads);
}

__attribute__((constructor(101))) static void construct(void)
{
	pthread_atfork(NULL, NULL, weir_lock_forked);
	hears_of_ends = pthread_key_create(&ending, thread_ends) == 0 && ending < KEYS_AT_HAND;
}

/* ---- this thread ---- */

/* libc knows both without a system call, which a filter may forbid: a robust mutex that
 * was just taken names them. */
static __attribute__((noinline)) void know_self(void)
{
	pthread_mutexattr_t attr;
	pthread_mutex_t mutex;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&mutex, &attr);
	pthread_mutex_lock(&mutex);
	self.tid = (uint32_t)mutex.__data.__owner;
	self.list = (void *)mutex.__data.__list.__prev;
	pthread_mutex_unlock(&mutex);
	pthread_mutex_destroy(&mutex);
	pthread_mutexattr_destroy(&attr);
	if (self.list->futex_offset != -(long)offsetof(struct weir_lock, next))
		weir_die("this C library's robust locks are of another shape");
	self.count = 0;
	self.life = load32_relaxed(&lives);
	count_thread(self.life);
}

static inline uint32_t own_tid(void)
{
	if (__builtin_expect(self.life != load32_relaxed(&lives), 0))
		know_self();
	return self.tid;
}

static inline void compiler_barrier(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

/* ---- the thread's list ---- */

/* libc's own links of what comes behind in the list: a lock of the program's, of ours,
 * or the list's end. */
static void **previous_of(void *next)
{
	return (void **)((uintptr_t)next & ~(uintptr_t)1) - 1;
}

static inline void list_add(struct weir_lock *lock)
{
	void *first = self.list->list.next;

	if (__builtin_expect(self.count == HELD_MAX, 0))
		return;
	self.held[self.count] = (struct held){lock, first};
	compiler_barrier();
	self.count++;
	compiler_barrier();
	lock->next = first;
	lock->previous = self.list;
	*previous_of(first) = &lock->next;
	compiler_barrier();
	self.list->list.next = (void *)&lock->next;
}

static struct held *held_as(const void *next)
{
	for (uint32_t i = self.count; i-- > 0;)
		if (&self.held[i].lock->next == next)
			return &self.held[i];
	return NULL;
}

/* Not the newest: a signal handler took a robust lock of the program's, and kept it. */
static __attribute__((noinline)) void list_remove_below(struct weir_lock *lock)
{
	struct held *gone = held_as(&lock->next);
	void **link = (void **)&self.list->list.next;

	if (!gone)
		return;
	for (int i = 0; i < WALK_MAX && *link != &lock->next; i++) {
		struct held *ours = held_as(*link);
		link = ours ? &ours->next : (void **)((uintptr_t)*link & ~(uintptr_t)1);
	}
	if (*link == &lock->next) {
		*link = gone->next;
		*previous_of(gone->next) = link;
	}
	for (self.count--; gone < &self.held[self.count]; gone++)
		gone[0] = gone[1];
}

static inline void list_remove(struct weir_lock *lock)
{
	struct held *newest = &self.held[self.count - 1];

	if (__builtin_expect(self.count == 0 || newest->lock != lock ||
	                             (void *)self.list->list.next != &lock->next,
	                     0)) {
		list_remove_below(lock);
		return;
	}
	self.list->list.next = newest->next;
	*previous_of(newest->next) = self.list;
	compiler_barrier();
	self.count--;
}

/* The kernel looks at this one, too, while it comes into the list or leaves it. A
 * signal handler in between must leave it as it was. */
static inline void *list_expect(void *next)
{
	void *before = self.list->list_op_pending;

	self.list->list_op_pending = next;
	compiler_barrier();
	return before;
}

static inline void list_expected(void *before)
{
	compiler_barrier();
	self.list->list_op_pending = before;
}

/* ---- the word ---- */

static inline uint64_t word_of(uint32_t tid)
{
	return (uint64_t)tid << 32 | tid;
}

static inline bool swap(struct weir_lock *lock, uint64_t seen, uint64_t word)
{
	return swap64_if(&lock->word, seen, word);
}

/* `seen` is not 0. True for a word that somebody holds, or has died of holding. */
static bool word_is_sound(uint64_t seen)
{
	uint32_t futex = (uint32_t)seen, tid = futex & FUTEX_TID_MASK,
	         again = (uint32_t)(seen >> 32);

	if (futex & FUTEX_OWNER_DIED)
		return tid == 0 && again != 0 && !(again & ~(uint32_t)FUTEX_TID_MASK);
	return tid != 0 && tid == again;
}

static bool has_strangers(void)
{
	return weir_lock_strangers != NULL && load32_acquire(weir_lock_strangers);
}

bool weir_lock_has_died(uint32_t tid)
{
	return !has_strangers() && !os_task_lives(tid);
}

/* This thread's number may be another's, too. `expected`: what a signal handler found
 * that the interrupted code was about to take or to release. */
static int held_by_namesake(const struct weir_lock *lock, const void *expected)
{
	bool here = !has_strangers() || expected == &lock->next || held_as(&lock->next);

	return here ? -EDEADLK : -EBUSY;
}

/* `waiters`: the bit, where others may sleep. */
static __attribute__((noinline)) int try_held(struct weir_lock *lock, uint32_t waiters,
                                              const void *expected)
{
	for (;;) {
		uint64_t seen = load64_acquire(&lock->word);
		bool died = (uint32_t)seen & FUTEX_OWNER_DIED;
		if (seen != 0 && !word_is_sound(seen))
			weir_damaged("a lock that nobody can hold");
		if (seen != 0 && !died)
			return (uint32_t)(seen >> 32) == self.tid ? held_by_namesake(lock, expected)
			                                          : -EBUSY;
		if (swap(lock, seen,
		         word_of(self.tid) | waiters | ((uint32_t)seen & FUTEX_WAITERS)))
			return died ? -EOWNERDEAD : 0;
	}
}

static inline int take(struct weir_lock *lock, uint32_t waiters)
{
	uint64_t word = word_of(own_tid()) | waiters;
	void *before = list_expect((void *)&lock->next);
	int result = 0;

	if (__builtin_expect(!swap(lock, 0, word), 0))
		result = try_held(lock, waiters, before);
	if (__builtin_expect(result == 0 || result == -EOWNERDEAD, 1)) {
		list_add(lock);
		tsan_acquire(lock);
	}
	list_expected(before);
	return result;
}

void weir_lock_make(struct weir_lock *lock)
{
	store64_release(&lock->word, 0);
}

int weir_lock_try(struct weir_lock *lock)
{
	return take(lock, 0);
}

static long futex(struct weir_lock *lock, int op, uint32_t value, const struct timespec *timeout)
{
	return os_call(SYS_futex, (long)&lock->word, op, (long)value, (long)timeout, 0, 0);
}

/* The kernel does not see that the owner died where another lock's turn came in the few
 * instructions in which this one was in no list, and where the list was damaged. Then it
 * is marked here as the kernel would. */
static void mark_if_owner_died(struct weir_lock *lock)
{
	uint64_t seen = load64_acquire(&lock->word);
	uint64_t died = (seen & ~(uint64_t)FUTEX_TID_MASK) | FUTEX_OWNER_DIED;

	if (has_strangers())
		return;
	if (seen != 0 && ((uint32_t)seen & FUTEX_TID_MASK) != 0 &&
	    !os_task_lives((uint32_t)(seen >> 32)))
		swap(lock, seen, died);
}

/* Waits in pieces: an owner that a signal interrupts between the release and the wake
 * of the next owner may stay away for as long as its handler likes. */
int weir_lock_wait(struct weir_lock *lock)
{
	static const struct timespec piece = {.tv_nsec = WAIT_NS_MAX};
	int result = take(lock, 0);

	while (result == -EBUSY) {
		uint64_t seen = load64_acquire(&lock->word);
		bool held = seen != 0 && !((uint32_t)seen & FUTEX_OWNER_DIED);
		if (held && swap(lock, seen, seen | FUTEX_WAITERS) &&
		    futex(lock, FUTEX_WAIT, (uint32_t)seen | FUTEX_WAITERS, &piece) == -ETIMEDOUT)
			mark_if_owner_died(lock);
		result = take(lock, FUTEX_WAITERS);
	}
	return result;
}

void weir_lock_release(struct weir_lock *lock)
{
	uint32_t tid = own_tid();
	void *before = list_expect((void *)&lock->next);

	tsan_release(lock);
	list_remove(lock);
	uint64_t was = atomic_exchange_explicit(&lock->word, 0, memory_order_release);
	if (__builtin_expect(was != word_of(tid), 0)) {
		if ((was & ~(uint64_t)FUTEX_WAITERS) != word_of(tid))
			weir_damaged("a lock was taken from its owner");
		futex(lock, FUTEX_WAKE, 1, NULL);
	}
	list_expected(before);
}

uint32_t weir_lock_owner(const struct weir_lock *lock)
{
	return (uint32_t)load64_acquire(&lock->word) & FUTEX_TID_MASK;
}
