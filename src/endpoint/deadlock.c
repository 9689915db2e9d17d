#include "endpoint/deadlock.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/message.h"
#include "base/os.h"
#include "base/proc.h"
#include "base/text.h"
#include "endpoint/faulty.h"

enum { HOLDERS_MAX = 16, PATH_SIZE = 64, TEXT_SIZE = 400 };

/* What is known of a pair in which a deadlock is suspected. */
struct suspicion {
	const struct weir_end *end;
	uint32_t holder[HOLDERS_MAX];
	uint32_t holders;
	uint32_t pid;               /* whose threads or descriptors are being looked at */
	uint64_t tail[2];           /* of both directions, before the looking */
	uint64_t head[2];
};

static struct weir_pipe *pipe_of(const struct weir_end *end, int direction)
{
	return &end->slot->pipe[direction];
}

/* A sleeper that nobody but the other side can wake: it reads from an empty pipe,
 * or writes to one that is too full. */
static bool waits_in_vain(const struct weir_end *end, int direction, int op)
{
	struct weir_pipe *pipe = pipe_of(end, direction);
	uint64_t used = load64_acquire(&pipe->tail) - load64_acquire(&pipe->head);

	if (load32_relaxed(&pipe->carrier) != WEIR_BY_RING)
		return false;
	if (op == 0)
		return used == 0;
	uint64_t limit = load64_relaxed(&pipe->limit), wake_at = load64_relaxed(&pipe->wake_at);
	return load32_relaxed(&pipe->saturated) != WEIR_FLOWING &&
	       (used >= limit || limit - used < wake_at);
}

static bool any_sleeper(const struct weir_sleeper sleepers[WEIR_SLEEPERS_MAX])
{
	for (int i = 0; i < WEIR_SLEEPERS_MAX; i++)
		if (load32_ordered(&sleepers[i].tid) != 0)
			return true;
	return false;
}

/* What the sleepers of one side wait for. */
enum sleep {
	NOBODY_SLEEPS,
	ALL_IN_VAIN,
	SOME_WILL_WAKE,
};

static enum sleep sleep_of(const struct weir_end *end, int side)
{
	const struct weir_sleeper *readers = pipe_of(end, !side)->sleepers[0];
	const struct weir_sleeper *writers = pipe_of(end, side)->sleepers[1];
	bool reads = any_sleeper(readers), writes = any_sleeper(writers);

	if (reads && !waits_in_vain(end, !side, 0))
		return SOME_WILL_WAKE;
	if (writes && !waits_in_vain(end, side, 1))
		return SOME_WILL_WAKE;
	return reads || writes ? ALL_IN_VAIN : NOBODY_SLEEPS;
}

static bool never_left(const struct weir_end *end, int side)
{
	return load64_relaxed(&end->slot->end[side].inode) == 0;
}

/* A pair of one process: who sleeps holds both ends. */
static bool is_private(const struct weir_end *end)
{
	return never_left(end, 0) && never_left(end, 1);
}

/* Somebody can move it from outside: a timeout, who releases a stall. */
static bool is_timed_or_held(const struct weir_end *end)
{
	const struct weir_slot *slot = end->slot;

	if (load32_relaxed(&slot->end[0].timed) || load32_relaxed(&slot->end[1].timed))
		return true;
	for (int i = 0; i < 4 && weir_plan_holds(weir_session.plan); i++) {
		const struct weir_fault_state *s =
		        weir_pair_fault_state(&weir_session, end->index, i / 2, i % 2);
		if (load64_acquire(&s->held_until) != 0)
			return true;
	}
	return false;
}

/* Cheap, for nearly every sleep: the other side is awake, or will be. */
static bool is_suspicious(const struct weir_end *end)
{
	enum sleep a = sleep_of(end, 0), b = sleep_of(end, 1);

	if (a == SOME_WILL_WAKE || b == SOME_WILL_WAKE || load32_relaxed(&end->slot->deadlocked))
		return false;
	if (is_private(end))
		return a == ALL_IN_VAIN || b == ALL_IN_VAIN;
	return a == ALL_IN_VAIN && b == ALL_IN_VAIN;
}

static bool has_other_threads(const struct weir_end *end)
{
	struct stat st;
	nlink_t sleeping = 0;

	for (int i = 0; i < 4 * WEIR_SLEEPERS_MAX; i++) {
		const struct weir_sleeper *s =
		        &pipe_of(end, i / 8)->sleepers[i / 4 % 2][i % WEIR_SLEEPERS_MAX];
		sleeping += load32_relaxed(&s->tid) != 0 &&
		            load32_relaxed(&s->pid) == load32_relaxed(&weir_own_process);
	}
	/* A folder has two links and one for each folder in it: each thread (proc(5)). */
	return os_call(SYS_stat, (long)"/proc/self/task", (long)&st, 0, 0, 0, 0) < 0 ||
	       st.st_nlink > sleeping + 2;
}

/* ---- certainty ---- */

static bool add_holder(struct suspicion *s, uint32_t pid)
{
	if (s->holders == HOLDERS_MAX)
		return false;
	s->holder[s->holders++] = pid;
	return true;
}

/* Stops at the first descriptor of the pair. */
static bool is_other_descriptor(void *context, uint32_t fd)
{
	const struct suspicion *s = context;
	const struct weir_slot *slot = s->end->slot;
	uint64_t inode = proc_socket_inode(s->pid, fd);

	return inode == 0 || (inode != load64_relaxed(&slot->end[0].inode) &&
	                      inode != load64_relaxed(&slot->end[1].inode));
}

static bool look_at_process(void *context, uint32_t pid)
{
	struct suspicion *s = context;
	char folder[PATH_SIZE];

	s->pid = pid;
	snprintf(folder, sizeof(folder), "/proc/%u/fd", pid);
	if (os_call(SYS_access, (long)folder, 4, 0, 0, 0, 0) < 0)
		return true;        /* another user's */
	return proc_each(folder, is_other_descriptor, s) || add_holder(s, pid);
}

static bool find_holders(struct suspicion *s)
{
	if ((never_left(s->end, 0) || never_left(s->end, 1)) &&
	    !add_holder(s, load32_relaxed(&s->end->slot->pid)))
		return false;
	return is_private(s->end) || (proc_each("/proc", look_at_process, s) && s->holders > 0);
}

static bool sleeps_here(void *context, uint32_t tid)
{
	const struct suspicion *s = context;

	for (int i = 0; i < 4 * WEIR_SLEEPERS_MAX; i++) {
		const struct weir_sleeper *w =
		        &pipe_of(s->end, i / 8)->sleepers[i / 4 % 2][i % WEIR_SLEEPERS_MAX];
		if (load32_ordered(&w->tid) == tid)
			return true;
	}
	return false;
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

static bool is_stuck(struct suspicion *s, uint32_t pid)
{
	char folder[PATH_SIZE];

	snprintf(folder, sizeof(folder), "/proc/%u/task", pid);
	return proc_each(folder, sleeps_here, s) && !may_be_interrupted(pid);
}

static void note_positions(const struct weir_end *end, uint64_t tail[2], uint64_t head[2])
{
	for (int i = 0; i < 2; i++) {
		tail[i] = load64_ordered(&pipe_of(end, i)->tail);
		head[i] = load64_ordered(&pipe_of(end, i)->head);
	}
}

/* Nothing has moved while we looked, so what we saw was so all the time. */
static bool has_moved(const struct suspicion *s)
{
	uint64_t tail[2], head[2];

	note_positions(s->end, tail, head);
	return memcmp(tail, s->tail, sizeof(tail)) != 0 || memcmp(head, s->head, sizeof(head)) != 0;
}

static bool is_certain(struct suspicion *s)
{
	if (!find_holders(s))
		return false;
	for (uint32_t i = 0; i < s->holders; i++)
		if (!is_stuck(s, s->holder[i]))
			return false;
	return !has_moved(s) && is_suspicious(s->end);
}

/* ---- telling ---- */

static void add_sleepers(struct weir_text *t, const struct weir_end *end, int direction, int op)
{
	struct weir_pipe *pipe = pipe_of(end, direction);
	int side = op ? direction : !direction;

	for (int i = 0; i < WEIR_SLEEPERS_MAX; i++) {
		uint32_t pid = load32_relaxed(&pipe->sleepers[op][i].pid);
		char name[WEIR_COMM_SIZE + 1];
		if (load32_relaxed(&pipe->sleepers[op][i].tid) == 0)
			continue;
		proc_name(pid, name, sizeof(name));
		weir_text_add(t, "; side %c, pid %u (%s), waits to %s %s (%llu of %llu bytes)",
		              side ? 'b' : 'a', pid, name, op ? "write" : "read",
		              direction ? "b to a" : "a to b",
		              (unsigned long long)(load64_relaxed(&pipe->tail) -
		                                   load64_relaxed(&pipe->head)),
		              (unsigned long long)load64_relaxed(&pipe->limit));
	}
}

static void tell(const struct weir_end *end)
{
	char buffer[TEXT_SIZE];
	struct weir_text text = weir_text_over(buffer, sizeof(buffer));

	for (int i = 0; i < 4; i++)
		add_sleepers(&text, end, i / 2, i % 2);
	weir_say("deadlock in pair %llu: everybody who holds an end waits for another%s",
	         (unsigned long long)end->slot->number, buffer);
}

/* Itself last. */
static void end_all(const struct suspicion *s)
{
	uint32_t own = load32_relaxed(&weir_own_process);

	for (uint32_t i = 0; i < s->holders; i++)
		if (s->holder[i] != own)
			os_call(SYS_kill, s->holder[i], SIGKILL, 0, 0, 0, 0);
	os_call(SYS_kill, own, SIGKILL, 0, 0, 0, 0);
}

/* A direction that was shut down, or whose peer has gone: the wait is over before it
 * begins. */
static bool has_ended(const struct weir_end *end)
{
	return (os_poll_now(end->fd, POLLRDHUP) & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void weir_deadlock_look(const struct weir_end *end)
{
	struct suspicion s = {.end = end};

	if (__builtin_expect(!is_suspicious(end), 1))
		return;
	note_positions(end, s.tail, s.head);
	if (has_ended(end) || is_timed_or_held(end) || has_other_threads(end) || !is_certain(&s) ||
	    !swap32_if(&end->slot->deadlocked, 0, 1))
		return;
	tell(end);
	add32_ordered(&weir_session.header->deadlocks, 1);
	if (weir_session.header->fail_on_deadlock)
		end_all(&s);
}
