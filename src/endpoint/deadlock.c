#include "endpoint/deadlock.h"

#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/message.h"
#include "base/os.h"
#include "base/proc.h"
#include "base/text.h"
#include "endpoint/bare.h"
#include "endpoint/stuck.h"
#include "endpoint/wait.h"

enum {
	TEXT_SIZE = 460,
	PATIENCE_NS = 20000000,     /* with one who is about to sleep */
};

/* ---- telling ---- */

static void add_pairs(struct weir_text *t, const struct weir_stuck *s)
{
	weir_text_add(t, "deadlock in pair%s", s->pairs > 1 ? "s" : "");
	for (uint32_t i = 0; i < s->pairs; i++)
		weir_text_add(t, "%s %llu", i ? "," : "",
		              (unsigned long long)weir_session.slots[s->pair[i]].number);
	weir_text_add(t, ": everybody who holds an end waits for another");
}

/* "; pair 1, side a, pid 7 (x), waits to write a to b (64 of 64 bytes)" */
static void add_sleeper(struct weir_text *t, const struct weir_stuck *s, uint32_t index, int i)
{
	const struct weir_slot *slot = &weir_session.slots[index];
	const struct weir_pipe *pipe = &slot->pipe[i / 8];
	uint32_t pid = load32_relaxed(&weir_slot_sleeper(slot, i)->pid);
	int direction = i / 8, writes = i / 4 % 2;
	char name[WEIR_COMM_SIZE + 1];

	proc_name(pid, name, sizeof(name));
	weir_text_add(t, "; ");
	if (s->pairs > 1)
		weir_text_add(t, "pair %llu, ", (unsigned long long)slot->number);
	weir_text_add(t, "side %c, pid %u (%s), waits to %s %s (%llu of %llu bytes)",
	              (writes ? direction : !direction) ? 'b' : 'a', pid, name,
	              writes ? "write" : "read", direction ? "b to a" : "a to b",
	              (unsigned long long)(load64_relaxed(&pipe->tail) - load64_relaxed(&pipe->head)),
	              (unsigned long long)load64_relaxed(&pipe->limit));
}

/* A killed sleeper may have left its record. */
static void tell(const struct weir_stuck *s)
{
	char buffer[TEXT_SIZE];
	struct weir_text text = weir_text_over(buffer, sizeof(buffer));

	add_pairs(&text, s);
	for (uint32_t k = 0; k < s->pairs; k++) {
		const struct weir_slot *slot = &weir_session.slots[s->pair[k]];
		for (int i = 0; i < WEIR_SLOT_SLEEPERS; i++) {
			uint32_t tid = load32_relaxed(&weir_slot_sleeper(slot, i)->tid);
			if (tid != 0 && os_task_lives(tid))
				add_sleeper(&text, s, s->pair[k], i);
		}
	}
	weir_say("%s", buffer);
}

/* Itself last. */
static void end_all(const struct weir_stuck *s)
{
	uint32_t own = load32_relaxed(&weir_own_process);
	bool own_too = false;

	for (uint32_t i = 0; i < s->processes; i++) {
		if (s->process[i] == own)
			own_too = true;
		else
			os_call(SYS_kill, s->process[i], SIGKILL, 0, 0, 0, 0);
	}
	if (own_too)
		os_call(SYS_kill, own, SIGKILL, 0, 0, 0, 0);
}

static void act(const struct weir_stuck *s)
{
	for (uint32_t i = 0; i < s->pairs; i++)
		store32_ordered(&weir_session.slots[s->pair[i]].deadlocked, 1);
	tell(s);
	add32_ordered(&weir_session.header->deadlocks, 1);
	if (weir_session.header->fail_on_deadlock)
		end_all(s);
}

/* ---- from inside ---- */

/* Does somebody sleep on this side, and everybody who does in vain? */
static bool side_is_stuck(const struct weir_slot *slot, int side)
{
	bool reads = weir_pipe_has_sleeper(&slot->pipe[!side], 0);
	bool writes = weir_pipe_has_sleeper(&slot->pipe[side], 1);

	if (reads && !weir_sleeps_in_vain(slot, !side * 8))
		return false;
	if (writes && !weir_sleeps_in_vain(slot, side * 8 + WEIR_SLEEPERS_MAX))
		return false;
	return reads || writes;
}

/* Cheap, for nearly every sleep: the other side is awake, or will be. Who sleeps in a
 * pair of one process holds both ends. */
static bool is_suspicious(const struct weir_end *end)
{
	const struct weir_slot *slot = end->slot;
	bool a = side_is_stuck(slot, 0), b = side_is_stuck(slot, 1);
	bool is_private = load64_relaxed(&slot->end[0].inode) == 0 &&
	                  load64_relaxed(&slot->end[1].inode) == 0;

	if (load32_relaxed(&slot->deadlocked))
		return false;
	return is_private ? a || b : a && b;
}

/* A folder has two links and one for each folder in it: each thread (proc(5)). That is
 * asked only where all threads that are known sleep. */
static bool has_thread_awake(void)
{
	struct stat st;

	return weir_lock_threads() > weir_sleeping_here() ||
	       os_call(SYS_stat, (long)"/proc/self/task", (long)&st, 0, 0, 0, 0) < 0 ||
	       st.st_nlink > weir_sleeping_here() + 2;
}

/* A direction that was shut down, or whose peer has gone: the wait is over before it
 * begins. */
static bool has_ended(const struct weir_end *end)
{
	return (os_poll_now(end->fd, POLLRDHUP) & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/* Of several that look at the same time, one must be patient until the others sleep. */
static bool find_patiently(struct weir_stuck *s, const struct weir_end *end)
{
	uint64_t until = os_now_ns() + PATIENCE_NS;

	while (!weir_stuck_find(s, load32_relaxed(&weir_own_process), end->index)) {
		if (!s->unsure || s->unsure_tid < s->self || os_now_ns() > until ||
		    !is_suspicious(end))
			return false;
		sched_yield();
	}
	return true;
}

void weir_deadlock_look(const struct weir_end *end)
{
	struct weir_stuck s;

	if (__builtin_expect(!is_suspicious(end), 1))
		return;
	if (weir_is_bare() || has_thread_awake())
		return;
	s.self = os_thread();
	if (find_patiently(&s, end) && !has_ended(end))
		act(&s);
}

/* ---- from outside ---- */

/* Each sleep is looked at a few times: who slept last makes a deadlock whole. */
static bool is_time(uint64_t since, uint64_t before, uint64_t now)
{
	static const uint64_t ages_ns[] = {200000000, 1000000000, 4000000000};

	for (int i = 0; i < 3; i++)
		if (since + ages_ns[i] > before && since + ages_ns[i] <= now)
			return true;
	return false;
}

static void watch_pair(uint32_t index, uint64_t before, uint64_t now)
{
	const struct weir_slot *slot = &weir_session.slots[index];
	struct weir_stuck s;

	for (int i = 0; i < WEIR_SLOT_SLEEPERS; i++) {
		const struct weir_sleeper *sleeper = weir_slot_sleeper(slot, i);
		uint32_t tid = load32_acquire(&sleeper->tid);
		if (tid == 0 || load32_acquire(&sleeper->asleep) != tid ||
		    load32_relaxed(&slot->deadlocked) || !weir_sleeps_in_vain(slot, i) ||
		    !is_time(load64_relaxed(&sleeper->since), before, now))
			continue;
		s.self = 0;
		if (weir_stuck_find(&s, load32_relaxed(&sleeper->pid), index))
			act(&s);
	}
}

void weir_deadlock_watch(uint64_t before, uint64_t now)
{
	uint32_t touched = doubled_glance(&weir_session.header->slots_touched);

	for (uint32_t i = 0; i < touched && i < weir_session.slot_count; i++)
		if (doubled_glance(&weir_session.slots[i].state) == WEIR_SLOT_USED)
			watch_pair(i, before, now);
}
