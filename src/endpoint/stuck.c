#include "endpoint/stuck.h"

#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "base/os.h"
#include "base/proc.h"
#include "endpoint/faulty.h"

enum { PATH_SIZE = 64 };

static const struct weir_slot *slot_of(uint32_t index)
{
	return &weir_session.slots[index];
}

/* ---- one sleep ---- */

bool weir_sleeps_in_vain(const struct weir_slot *slot, int i)
{
	const struct weir_pipe *pipe = &slot->pipe[i / 8];
	bool writes = i / 4 % 2;
	uint64_t used = load64_acquire(&pipe->tail) - load64_acquire(&pipe->head);

	if (doubled_glance(&pipe->carrier) != WEIR_BY_RING)
		return false;
	if (!writes)
		return used == 0;
	uint64_t limit = load64_relaxed(&pipe->limit), wake_at = load64_relaxed(&pipe->wake_at);
	return doubled_glance(&pipe->saturated) != WEIR_FLOWING &&
	       (used >= limit || limit - used < wake_at);
}

/* Who was woken and has not run yet still stands in its record: the kernel knows. */
static bool is_asleep(struct weir_stuck *s, const struct weir_sleeper *sleeper, uint32_t tid)
{
	if (tid == s->self)
		return true;
	if (load32_acquire(&sleeper->asleep) == tid && proc_thread_state(s->pid, tid) == 'S')
		return true;
	s->unsure = true;
	s->unsure_tid = tid;
	return false;
}

/* ---- pairs ---- */

/* Somebody may move it from outside: a timeout, who releases a stall. */
static bool is_timed_or_held(uint32_t index)
{
	const struct weir_slot *slot = slot_of(index);

	if (load32_relaxed(&slot->end[0].timed) || load32_relaxed(&slot->end[1].timed))
		return true;
	for (int i = 0; i < 4 && weir_plan_holds(weir_session.plan); i++) {
		const struct weir_fault_state *state =
		        weir_pair_fault_state(&weir_session, index, i / 2, i % 2);
		if (load64_acquire(&state->held) != 0)
			return true;
	}
	return false;
}

static bool add_pair(struct weir_stuck *s, uint32_t index)
{
	for (uint32_t i = 0; i < s->pairs; i++)
		if (s->pair[i] == index)
			return true;
	if (s->pairs == WEIR_STUCK_MAX || load32_relaxed(&slot_of(index)->deadlocked) ||
	    is_timed_or_held(index))
		return false;
	s->pair[s->pairs++] = index;
	return true;
}

/* ---- processes ---- */

static bool add_process(struct weir_stuck *s, uint32_t pid)
{
	for (uint32_t i = 0; i < s->processes; i++)
		if (s->process[i] == pid)
			return true;
	if (s->processes == WEIR_STUCK_MAX)
		return false;
	s->process[s->processes++] = pid;
	return true;
}

static const struct weir_sleeper *sleeper_in(const struct weir_stuck *s, uint32_t index,
                                             uint32_t tid)
{
	const struct weir_slot *slot = slot_of(index);

	if (doubled_glance(&slot->state) != WEIR_SLOT_USED)
		return NULL;
	for (int i = 0; i < WEIR_SLOT_SLEEPERS; i++) {
		const struct weir_sleeper *sleeper = weir_slot_sleeper(slot, i);
		if (load32_ordered(&sleeper->tid) == tid &&
		    load32_relaxed(&sleeper->pid) == s->pid && weir_sleeps_in_vain(slot, i))
			return sleeper;
	}
	return NULL;
}

/* Nearly always in a pair that is known. */
static const struct weir_sleeper *find_sleeper(const struct weir_stuck *s, uint32_t tid,
                                               uint32_t *index)
{
	uint32_t touched = doubled_glance(&weir_session.header->slots_touched);
	const struct weir_sleeper *sleeper = NULL;

	for (uint32_t i = 0; i < s->pairs && !sleeper; i++)
		sleeper = sleeper_in(s, *index = s->pair[i], tid);
	for (uint32_t i = 0; i < touched && i < weir_session.slot_count && !sleeper; i++)
		sleeper = sleeper_in(s, *index = i, tid);
	return sleeper;
}

static bool thread_sleeps(void *context, uint32_t tid)
{
	struct weir_stuck *s = context;
	uint32_t index;
	const struct weir_sleeper *sleeper = find_sleeper(s, tid, &index);

	if (!sleeper || !is_asleep(s, sleeper, tid) || !add_pair(s, index))
		return false;
	s->since += load64_relaxed(&sleeper->since);
	return true;
}

/* A handler of anything but a request to end may be what the program waits for. */
static bool may_be_interrupted(uint32_t pid)
{
	static const uint64_t requests = UINT64_C(1) << (SIGINT - 1) | UINT64_C(1) << (SIGTERM - 1) |
	                                 UINT64_C(1) << (SIGHUP - 1) | UINT64_C(1) << (SIGQUIT - 1) |
	                                 UINT64_C(1) << (SIGPIPE - 1) | UINT64_C(1) << (SIGSEGV - 1) |
	                                 UINT64_C(1) << (SIGBUS - 1) | UINT64_C(1) << (SIGFPE - 1) |
	                                 UINT64_C(1) << (SIGILL - 1) | UINT64_C(1) << (SIGABRT - 1) |
	                                 UINT64_C(3) << 31; /* libc's own */
	uint64_t caught;

	return !proc_caught_signals(pid, &caught) || (caught & ~requests) != 0;
}

static bool process_sleeps(struct weir_stuck *s, uint32_t pid)
{
	char folder[PATH_SIZE];

	s->pid = pid;
	snprintf(folder, sizeof(folder), "/proc/%u/task", pid);
	return proc_each(folder, thread_sleeps, s) && !may_be_interrupted(pid);
}

/* ---- who holds a pair ---- */

struct holding {
	struct weir_stuck *stuck;
	const struct weir_slot *slot;
	uint32_t pid;
};

/* Stops at the first descriptor of the pair. */
static bool is_other_descriptor(void *context, uint32_t fd)
{
	const struct holding *h = context;
	uint64_t inode = proc_socket_inode(h->pid, fd);

	return inode == 0 || (inode != load64_relaxed(&h->slot->end[0].inode) &&
	                      inode != load64_relaxed(&h->slot->end[1].inode));
}

/* Each process has taken its record with its first thread (pair/life.h); 0: nobody. */
static uint32_t life_holder(uint32_t i)
{
	return weir_lock_owner(&weir_session.lives[i].lock);
}

static bool is_of_session(uint32_t pid)
{
	uint32_t touched = load32_acquire(&weir_session.header->lives_touched);

	for (uint32_t i = 0; i < touched && i < WEIR_LIVES_MAX; i++)
		if (life_holder(i) == pid)
			return true;
	return false;
}

/* What another user's process, or one that is not dumpable, has open cannot be seen:
 * of this session, it may hold anything. */
static bool look_at_process(void *context, uint32_t pid)
{
	struct holding *h = context;
	char folder[PATH_SIZE];

	h->pid = pid;
	snprintf(folder, sizeof(folder), "/proc/%u/fd", pid);
	if (os_call(SYS_access, (long)folder, 4, 0, 0, 0, 0) < 0)
		return !is_of_session(pid);
	if (proc_each(folder, is_other_descriptor, h))
		return true;
	return add_process(h->stuck, pid);
}

/* An end that never left its creator is held by nobody else; the other one may have
 * been passed on. */
static bool add_holders(struct weir_stuck *s, uint32_t index)
{
	struct holding h = {.stuck = s, .slot = slot_of(index)};
	bool a_left = load64_relaxed(&h.slot->end[0].inode) != 0;
	bool b_left = load64_relaxed(&h.slot->end[1].inode) != 0;

	if (!(a_left && b_left) && !add_process(s, load32_relaxed(&h.slot->pid)))
		return false;
	return !(a_left || b_left) || proc_each("/proc", look_at_process, &h);
}

/* /proc may hide other users' processes (hidepid, proc(5)): who is not seen may be
 * awake, and hold anything. */
static bool all_are_seen(void)
{
	uint32_t touched = load32_acquire(&weir_session.header->lives_touched);
	char folder[PATH_SIZE];

	for (uint32_t i = 0; i < touched && i < WEIR_LIVES_MAX; i++) {
		uint32_t tid = life_holder(i);
		snprintf(folder, sizeof(folder), "/proc/%u", tid);
		if (tid != 0 && os_call(SYS_access, (long)folder, 0, 0, 0, 0, 0) < 0 &&
		    life_holder(i) == tid)
			return false;
	}
	return true;
}

/* ---- all of them ---- */

/* Processes lead to pairs, and pairs to processes, until no new ones come. */
static bool find_once(struct weir_stuck *s, uint32_t pid, uint32_t index)
{
	uint32_t pairs = 0, processes = 0;

	*s = (struct weir_stuck){.self = s->self};
	if (!add_pair(s, index) || !add_process(s, pid))
		return false;
	while (pairs < s->pairs || processes < s->processes) {
		bool sleeps = processes < s->processes ? process_sleeps(s, s->process[processes++])
		                                       : add_holders(s, s->pair[pairs++]);
		if (!sleeps)
			return false;
	}
	return true;
}

/* Twice: if all sleep the same sleeps as before, there was a moment at which they all
 * did, and from then on there is nobody to wake the first. */
bool weir_stuck_find(struct weir_stuck *s, uint32_t pid, uint32_t index)
{
	s->unsure = false;
	if (load32_acquire(&weir_session.header->strangers) || !all_are_seen())
		return false;
	if (!find_once(s, pid, index))
		return false;
	struct weir_stuck before = *s;
	return find_once(s, pid, index) && s->since == before.since && s->pairs == before.pairs &&
	       s->processes == before.processes;
}
