/* The two locks of a pipe, which are not taken while one thread has both ends to itself. */
#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/os.h"
#include "pipe/check.h"
#include "pipe/lone.h"

enum {
	LONE_WAIT_NS = 100 * 1000,
	BARRIER_NS = 20 * 1000 * 1000,
	ENDING = UINT32_MAX,        /* no process: somebody comes near */
};

enum who { READER, WRITER };

static inline struct weir_lock *lock_of(const struct weir_pipe_ref *ref, enum who who)
{
	return who == READER ? &ref->pipe->read_lock : &ref->pipe->write_lock;
}

/* The word of who works without the lock. */
static inline weir_doubled *alone_of(const struct weir_pipe_ref *ref, enum who who)
{
	return who == READER ? &ref->pipe->read_alone : &ref->pipe->write_alone;
}

/* Guesses that are safe whatever the dead owner had done: the next publication
 * rings, the next consumption clears the queue, and who waits for room before that
 * fills it anew. Positions are single stores. What handlers left aside is the next
 * writer's to append, with a descriptor of his own. */
static void recover_writer(struct weir_pipe *pipe)
{
	store64_relaxed(&pipe->tail_again, load64_relaxed(&pipe->tail));
	weir_pipe_keep_shape(pipe);
	store32_relaxed(&pipe->bells, 0);
	store32_relaxed(&pipe->lowered, WEIR_PERHAPS_LOWERED);
	store64_relaxed(&pipe->pending, 0);
	store64_relaxed(&pipe->wake_at, 0);
	store32_relaxed(&pipe->aside_owner, 0);
	store32_ordered(&pipe->saturated, WEIR_SATURATED);
}

/* Who died with both locks may have been about to change the shape. */
static void recover_reader(struct weir_pipe *pipe)
{
	int error = weir_lock_wait(&pipe->write_lock);

	store64_relaxed(&pipe->head_again, load64_relaxed(&pipe->head));
	if (error == -EOWNERDEAD)
		recover_writer(pipe);
	if (error == 0 || error == -EOWNERDEAD)
		weir_lock_release(&pipe->write_lock);
}

static void recover(struct weir_pipe *pipe, enum who who)
{
	if (who == WRITER)
		recover_writer(pipe);
	else
		recover_reader(pipe);
}

/* ---- alone ---- */

/* To be asked before who is at work: where this says no, that one's word is up to date. */
static inline bool is_anothers(const struct weir_pipe *pipe)
{
	uint32_t whose = load32_acquire(&pipe->alone);

	return whose != 0 && whose != load32_relaxed(&weir_own_process);
}

/* That other one stores that it is at work, then looks whether it is still alone, without
 * a fence between: here the kernel makes one on all processors. Where it has no such call
 * (ENOSYS), a pause is long enough for every store buffer. Until then it is not over: who
 * comes by the other lock must not believe what it sees either. */
static void come_near(struct weir_pipe *pipe)
{
	static const struct timespec pause = {0, BARRIER_NS};

	store32_ordered(&pipe->alone, ENDING);
	if (os_call(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0, 0, 0, 0) != 0)
		os_call(SYS_nanosleep, (long)&pause, 0, 0, 0, 0, 0);
	store32_ordered(&pipe->alone, 0);
}

/* Who has the lock waits for who works without it: that one is soon done, or has been
 * killed. */
static __attribute__((noinline)) void wait_for_lone(const struct weir_pipe_ref *ref, enum who who)
{
	static const struct timespec pause = {0, LONE_WAIT_NS};
	weir_doubled *alone = alone_of(ref, who);
	uint32_t pid;

	if (is_anothers(ref->pipe))
		come_near(ref->pipe);
	while ((pid = load32_acquire(alone)) != 0) {
		if (weir_lock_has_died(pid)) {
			recover(ref->pipe, who);
			store32_relaxed(alone, 0);
			return;
		}
		os_call(SYS_nanosleep, (long)&pause, 0, 0, 0, 0, 0);
	}
}

/* Who is at work without the lock is its process's only thread, unless a handler that has
 * interrupted it has started another: that one waits for it as strangers do. */
static bool is_this_thread(uint32_t own)
{
	return os_single_threaded() || os_thread() == own;
}

/* True where no lock is needed: `*error` says what came of it. A handler may come
 * between any two of these steps, but it leaves things as it found them. Who interrupted
 * this thread must not wait, even where others have come near meanwhile. */
static inline bool enter_alone(const struct weir_pipe_ref *ref, enum who who, int *error)
{
	struct weir_pipe *pipe = ref->pipe;
	weir_doubled *alone = alone_of(ref, who);
	uint32_t own = load32_relaxed(&weir_own_process);

	*error = -EDEADLK;
	if (__builtin_expect(weir_pipe_is_own(alone), 0) && is_this_thread(own))
		return true;
	if (own == 0 || load32_relaxed(&pipe->alone) != own || !os_single_threaded())
		return false;
	store32_relaxed(alone, own);
	atomic_signal_fence(memory_order_seq_cst);
	weir_pipe_forget(ref);
	bool stale = load32_relaxed(&pipe->generation) != ref->generation;
	*error = 0;
	bool still = load32_relaxed(&pipe->alone) == own && os_single_threaded();
	if (__builtin_expect(still && !stale, 1))
		return true;
	store32_release(alone, 0);
	*error = -ESTALE;
	return stale;
}

void weir_pipe_begin_alone(const struct weir_pipe_ref *ref)
{
	weir_lone_begin(ref);
	store32_relaxed(&ref->pipe->alone, load32_relaxed(&weir_own_process));
}

/* A child must not remember what its parent does: that works with its parent's name. */
void weir_pipe_share(const struct weir_pipe_ref *ref)
{
	weir_pipe_forget(ref);
	store32_ordered(&ref->pipe->alone, 0);
}

/* ---- together ---- */

/* What locking gave: makes the lock ours for this life of the pipe, or tells why not. */
static inline int locked(const struct weir_pipe_ref *ref, enum who who, int error)
{
	struct weir_pipe *pipe = ref->pipe;

	if (__builtin_expect(error == -EOWNERDEAD, 0))
		recover(pipe, who);
	else if (__builtin_expect(error != 0, 0))
		return error;
	if (__builtin_expect(is_anothers(pipe) || load32_acquire(alone_of(ref, who)) != 0, 0))
		wait_for_lone(ref, who);
	if (__builtin_expect(load32_relaxed(&pipe->generation) != ref->generation, 0)) {
		weir_lock_release(lock_of(ref, who));
		return -ESTALE;
	}
	weir_pipe_forget(ref);
	return 0;
}

static int lock_together(const struct weir_pipe_ref *ref, enum who who, bool waits)
{
	int error = weir_lock_try(lock_of(ref, who));

	if (__builtin_expect(error == -EBUSY, 0) && waits)
		error = weir_lock_wait(lock_of(ref, who));
	return locked(ref, who, error);
}

static inline int lock(const struct weir_pipe_ref *ref, enum who who, bool waits)
{
	int error;

	return enter_alone(ref, who, &error) ? error : lock_together(ref, who, waits);
}

static inline void leave(const struct weir_pipe_ref *ref, enum who who)
{
	weir_doubled *alone = alone_of(ref, who);

	if (weir_pipe_is_own(alone) && is_this_thread(load32_relaxed(&weir_own_process)))
		store32_release(alone, 0);
	else
		weir_lock_release(lock_of(ref, who));
}

int weir_pipe_lock_reader(const struct weir_pipe_ref *ref)
{
	return lock(ref, READER, true);
}

int weir_pipe_lock_writer(const struct weir_pipe_ref *ref)
{
	return lock(ref, WRITER, true);
}

int weir_pipe_try_lock_reader(const struct weir_pipe_ref *ref)
{
	return lock(ref, READER, false);
}

int weir_pipe_try_lock_writer(const struct weir_pipe_ref *ref)
{
	return lock(ref, WRITER, false);
}

void weir_pipe_unlock_reader(const struct weir_pipe_ref *ref)
{
	leave(ref, READER);
}

void weir_pipe_leave_writer(const struct weir_pipe_ref *ref)
{
	leave(ref, WRITER);
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
