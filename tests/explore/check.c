/* What has to hold in every state, and in those in which nobody goes on. */
#include <poll.h>

#include "world.h"

static uint64_t used(const struct weir_pipe *p)
{
	return load64_relaxed(&p->tail) - load64_relaxed(&p->head);
}

/* Nobody is at work there, with the lock or without it. */
static bool is_left(const struct weir_lock *lock, const weir_doubled *alone)
{
	return is_unlocked(lock) && load32_relaxed(alone) == 0;
}

/* R: who waits for input cannot miss it: there is a bell, or the end. The writer lock is
 * free. What a writer was killed in the middle of may stay unannounced until the next one
 * writes: he has not written it yet. */
static void check_r(int from)
{
	const struct weir_pipe *p = &world.slot.pipe[from];

	if (used(p) > 0 && !world.writer_died[from] && !world.kernel.socket[!from].dead &&
	    !(kernel_poll(&world.kernel, !from) & POLLIN))
		note_failure("R: %llu bytes in the ring of end %c, and the kernel says there are none",
		             (unsigned long long)used(p), 'a' + from);
}

/* W, for who asks the kernel without asking weir. */
static void check_w(int from)
{
	const struct weir_pipe *p = &world.slot.pipe[from];
	uint64_t room = load64_relaxed(&p->limit) - used(p);

	if (!(load32_relaxed(&p->watch) & WEIR_WATCH_ROOM) || world.kernel.socket[from].dead)
		return;
	if (used(p) <= load64_relaxed(&p->limit) && room >= load64_relaxed(&p->writable_room) &&
	    !(kernel_poll(&world.kernel, from) & POLLOUT))
		note_failure("W: room for %llu bytes at end %c, and the kernel says there is none",
		             (unsigned long long)room, 'a' + from);
}

/* For the same people the kernel promises no more than there is, unless a writer was killed
 * in the act: what he left is found out by the next who reads or writes. */
static void check_exact(int from)
{
	const struct weir_pipe *p = &world.slot.pipe[from];
	const struct kernel_socket *reader = &world.kernel.socket[!from];
	uint32_t watch = load32_relaxed(&p->watch);

	if (world.writer_died[from])
		return;
	if ((watch & WEIR_WATCH_INPUT) && used(p) == 0 && reader->queued > 0 && !reader->dead &&
	    !reader->shut_read)
		note_failure("a stale bell at end %c, which is watched", 'a' + !from);
	if ((watch & WEIR_WATCH_ROOM) &&
	    load64_relaxed(&p->limit) - used(p) < load64_relaxed(&p->writable_room) &&
	    (kernel_poll(&world.kernel, from) & POLLOUT) && !world.kernel.socket[from].shut_write)
		note_failure("the kernel says that there is room at end %c, which is watched",
		             'a' + from);
}

/* Nobody is inside a call, but asleep in the kernel. */
static bool is_quiet(void)
{
	for (int i = 0; i < THREADS_MAX; i++) {
		const struct thread *t = &world.thread[i];
		if (t->state == THREAD_DYING || t->stores_count > 0)
			return false;
		if (t->state == THREAD_ALIVE && t->op.kind != OP_BEGIN && is_enabled(i))
			return false;
		if (t->state == THREAD_ALIVE && t->op.kind == OP_LOCK)
			return false;
	}
	return true;
}

void check_state(void)
{
	bool quiet = is_quiet();

	for (int from = 0; from < 2; from++) {
		const struct weir_pipe *p = &world.slot.pipe[from];
		if (load32_relaxed(&p->carrier) != WEIR_BY_RING)
			continue;
		bool written = is_left(&p->write_lock, &p->write_alone);
		if (written)
			check_r(from);
		if (quiet && written && is_left(&p->read_lock, &p->read_alone)) {
			check_w(from);
			check_exact(from);
		}
	}
}

/* Each scenario lets everybody finish: who still waits was not woken. */
void check_end(void)
{
	for (int i = 0; i < THREADS_MAX; i++) {
		const struct thread *t = &world.thread[i];
		if (t->unborn)
			continue;
		if (t->state == THREAD_ALIVE && t->op.at)
			note_failure("%c waits for %s for good (%s)", 'a' + i, name_of(t->op.at),
			             t->op.name);
		else if (t->state == THREAD_ALIVE)
			note_failure("%c sleeps in %s(%c) for good", 'a' + i, t->op.name,
			             'a' + t->op.socket);
	}
	if (!failure[0] && scenario->finish)
		scenario->finish();
}
