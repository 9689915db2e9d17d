/* Robust, error-checking mutexes as glibc and the kernel make them, in the same word:
 * the owner's thread id, and FUTEX_OWNER_DIED. Linked in place of pthread's. A wait ends
 * as soon as the lock is free; the time limit that weir gives it is never used up. */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "base/lock.h"
#include "world.h"

static uint32_t *word_of(pthread_mutex_t *m)
{
	return (uint32_t *)(void *)&m->__data.__lock;
}

static uint32_t word(const volatile void *mutex)
{
	return (uint32_t)((const volatile pthread_mutex_t *)mutex)->__data.__lock;
}

static uint32_t owner(const volatile void *mutex)
{
	return word(mutex) & FUTEX_TID_MASK;
}

bool lock_is_free(const volatile void *mutex, int thread)
{
	return owner(mutex) == 0 || owner(mutex) == tid_of(thread);
}

bool is_unlocked(const pthread_mutex_t *mutex)
{
	return word(mutex) == 0;
}

/* A locked instruction in any case: it writes the thread's stores out. */
static int take(pthread_mutex_t *m, enum op_kind kind, const char *name)
{
	if (running) {
		reach((struct op){.kind = kind, .name = name, .at = m});
		flush(self());
	}
	int result = 0;
	if (owner(m) == tid_of(world.current))
		result = EDEADLK;
	else if (owner(m) != 0)
		result = EBUSY;
	else if (word(m) & FUTEX_OWNER_DIED)
		result = EOWNERDEAD;
	if (result == 0 || result == EOWNERDEAD)
		*word_of(m) = (word(m) & FUTEX_OWNER_DIED) | tid_of(world.current);
	trace("%s %s: %s", name, name_of(m),
	      result == 0 ? "done" : result == EBUSY ? "busy" : result == EDEADLK ? "own" : "owner died");
	return result;
}

int __wrap_pthread_mutex_trylock(pthread_mutex_t *m);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m);
int __wrap_pthread_mutex_timedlock(pthread_mutex_t *m, const struct timespec *until);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *m);
int __wrap_pthread_mutex_consistent(pthread_mutex_t *m);
int __wrap_sched_yield(void);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int __wrap_pthread_mutex_trylock(pthread_mutex_t *m)
{
	return take(m, OP_TRY_LOCK, "try to lock");
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
	return take(m, OP_LOCK, "lock");
}

int __wrap_pthread_mutex_timedlock(pthread_mutex_t *m, const struct timespec *until)
{
	(void)until;
	return take(m, OP_LOCK, "lock");
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *m)
{
	if (running) {
		reach((struct op){.kind = OP_UNLOCK, .name = "unlock", .at = m});
		flush(self());
	}
	if (owner(m) != tid_of(world.current))
		fail("%s is unlocked by who does not hold it", name_of(m));
	if (word(m) & FUTEX_OWNER_DIED)
		fail("%s is unlocked before it was made consistent", name_of(m));
	*word_of(m) = 0;
	trace("unlock %s", name_of(m));
	return 0;
}

/* Local to the owner. */
int __wrap_pthread_mutex_consistent(pthread_mutex_t *m)
{
	*word_of(m) &= ~FUTEX_OWNER_DIED;
	trace("%s is consistent", name_of(m));
	return 0;
}

int __wrap_sched_yield(void)
{
	reach((struct op){.kind = OP_YIELD, .name = "yield"});
	trace("yields");
	return 0;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	*now = (struct timespec){1, 0};
	return 0;
}

static bool mark(pthread_mutex_t *m, int thread)
{
	if (owner(m) != tid_of(thread))
		return false;
	note_use(word_of(m), true);
	*word_of(m) = FUTEX_OWNER_DIED;
	return true;
}

void locks_of_the_dead(int thread)
{
	for (int i = 0; i < 2; i++) {
		mark(&world.slot.pipe[i].read_lock, thread);
		bool writes = world.thread[thread].holds[i];
		if (mark(&world.slot.pipe[i].write_lock, thread) && writes)
			world.writer_died[i] = true;
	}
	mark(&world.lives[thread].lock, thread);
}
