/* Locks as base/lock.c and the kernel make them, in the same word: the owner's thread id,
 * twice, and FUTEX_OWNER_DIED. Linked in place of those. A wait ends as soon as the lock is
 * free. */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <time.h>

#include "base/lock.h"
#include "world.h"

static uint32_t word(const volatile void *lock)
{
	return (uint32_t)*(const volatile uint64_t *)lock;
}

static void set_word(struct weir_lock *lock, uint32_t tid, uint32_t flags)
{
	*(uint64_t *)(void *)lock = (uint64_t)tid << 32 | tid | flags;
}

static uint32_t owner(const volatile void *lock)
{
	return word(lock) & FUTEX_TID_MASK;
}

bool lock_is_free(const volatile void *lock, int thread)
{
	return owner(lock) == 0 || owner(lock) == tid_of(thread);
}

bool is_unlocked(const struct weir_lock *lock)
{
	return word(lock) == 0;
}

/* A locked instruction in any case: it writes the thread's stores out. */
static int take(struct weir_lock *lock, enum op_kind kind, const char *name)
{
	if (running) {
		reach((struct op){.kind = kind, .name = name, .at = lock});
		flush(self());
	}
	int result = 0;
	if (owner(lock) == tid_of(world.current))
		result = -EDEADLK;
	else if (owner(lock) != 0)
		result = -EBUSY;
	else if (word(lock) & FUTEX_OWNER_DIED)
		result = -EOWNERDEAD;
	if (result == 0 || result == -EOWNERDEAD)
		set_word(lock, tid_of(world.current), 0);
	trace("%s %s: %s", name, name_of(lock),
	      result == 0 ? "done" : result == -EBUSY ? "busy" : result == -EDEADLK ? "own" : "owner died");
	return result;
}

int __wrap_weir_lock_try(struct weir_lock *lock);
int __wrap_weir_lock_wait(struct weir_lock *lock);
void __wrap_weir_lock_release(struct weir_lock *lock);
int __wrap_sched_yield(void);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int __wrap_weir_lock_try(struct weir_lock *lock)
{
	return take(lock, OP_TRY_LOCK, "try to lock");
}

int __wrap_weir_lock_wait(struct weir_lock *lock)
{
	return take(lock, OP_LOCK, "lock");
}

void __wrap_weir_lock_release(struct weir_lock *lock)
{
	if (running) {
		reach((struct op){.kind = OP_UNLOCK, .name = "unlock", .at = lock});
		flush(self());
	}
	if (owner(lock) != tid_of(world.current))
		fail("%s is unlocked by who does not hold it", name_of(lock));
	set_word(lock, 0, 0);
	trace("unlock %s", name_of(lock));
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

static bool mark(struct weir_lock *lock, int thread)
{
	if (owner(lock) != tid_of(thread))
		return false;
	note_use(lock, true);
	*(uint64_t *)(void *)lock = (uint64_t)tid_of(thread) << 32 | FUTEX_OWNER_DIED;
	return true;
}

void locks_of_the_dead(int thread)
{
	for (int i = 0; i < 2; i++) {
		mark(&world.slot.pipe[i].read_lock, thread);
		bool writes = world.thread[thread].holds[i];
		bool works = mark(&world.slot.pipe[i].write_lock, thread) ||
		             load32_relaxed(&world.slot.pipe[i].write_alone) == tid_of(thread);
		if (works && writes)
			world.writer_died[i] = true;
	}
	mark(&world.lives[thread].lock, thread);
}
