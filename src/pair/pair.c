#include "pair/pair.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/os.h"

enum { SO_BUF_DEFAULT = 212992, KEEP_STORAGE = 65536 };

/* ---- slots that nobody uses ---- */

static void push_free(const struct weir_session *s, uint32_t index)
{
	struct weir_slot *slot = &s->slots[index];

	store32_relaxed(&slot->next_free, load32_relaxed(&s->header->free_list));
	store32_relaxed(&s->header->free_list, index + 1);
}

/* References to the life that has ended are void from now on. */
static void raise_generation(struct weir_slot *slot)
{
	uint32_t next = load32_relaxed(&slot->generation) + 1;

	store32_release(&slot->generation, next);
	store32_release(&slot->pipe[0].generation, next);
	store32_release(&slot->pipe[1].generation, next);
}

/* Somebody died who was about to take a slot, or to give one back. */
static void rebuild_list(const struct weir_session *s)
{
	store32_relaxed(&s->header->free_list, 0);
	for (uint32_t i = load32_relaxed(&s->header->slots_touched); i-- > 0;) {
		if (load32_relaxed(&s->slots[i].state) != WEIR_SLOT_FREE)
			continue;
		raise_generation(&s->slots[i]);
		push_free(s, i);
	}
}

/* A signal handler may make and close pairs, too: none runs meanwhile in this thread.
 * False where it has the lock all the same. */
static bool lock_slots(const struct weir_session *s, uint64_t *signals)
{
	uint64_t all = UINT64_MAX;

	os_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)signals, sizeof(all), 0, 0);
	int error = weir_lock_wait(&s->header->slots_lock);
	if (error == 0 || error == -EOWNERDEAD) {
		if (load32_relaxed(&s->header->slots_touched) > s->slot_count)
			weir_damaged("more pairs than there is room for");
		if (error == -EOWNERDEAD)
			rebuild_list(s);
		return true;
	}
	os_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)signals, 0, sizeof(*signals), 0, 0);
	return false;
}

static void unlock_slots(const struct weir_session *s, const uint64_t *signals)
{
	weir_lock_release(&s->header->slots_lock);
	os_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)signals, 0, sizeof(*signals), 0, 0);
}

static int64_t pop_free(const struct weir_session *s)
{
	uint32_t first = load32_relaxed(&s->header->free_list);

	if (first == 0)
		return -ENOSPC;
	if (first > s->slot_count || load32_relaxed(&s->slots[first - 1].state) != WEIR_SLOT_FREE)
		weir_damaged("a pair in use is listed as free");
	store32_relaxed(&s->header->free_list, load32_relaxed(&s->slots[first - 1].next_free));
	return first - 1;
}

/* A slot that was never used: its locks are made now, once for all its lives. */
static int64_t take_fresh(const struct weir_session *s)
{
	uint32_t touched = load32_relaxed(&s->header->slots_touched);

	if (touched == s->slot_count)
		return -ENOSPC;
	weir_pipe_init(&s->slots[touched].pipe[0]);
	weir_pipe_init(&s->slots[touched].pipe[1]);
	store32_release(&s->header->slots_touched, touched + 1);
	return touched;
}

struct weir_writable_rule weir_session_writable_rule(const struct weir_session *s)
{
	const struct weir_header *h = s->header;

	if (h->writable_at_given)
		return (struct weir_writable_rule){h->writable_at, h->writable_at_percent != 0};
	return (struct weir_writable_rule){h->capacity_given ? 1 : 0, false};
}

static void reset_end(struct weir_end_shared *end)
{
	store32_relaxed(&end->holders, 1);
	store32_relaxed(&end->nonblock, 0);
	store32_relaxed(&end->rcvlowat, 1);
	store32_relaxed(&end->peek_off, 0);
	store32_relaxed(&end->sndbuf, SO_BUF_DEFAULT);
	store32_relaxed(&end->rcvbuf, SO_BUF_DEFAULT);
	store32_relaxed(&end->shuts, 0);
	store64_relaxed(&end->cookie, 0);
	store64_release(&end->cookie_again, 0);
	store64_relaxed(&end->inode, 0);
	store32_relaxed(&end->fd, UINT32_MAX);
	store32_relaxed(&end->timed, 0);
}

/* Of one direction; 0 where nobody chose it. */
static uint64_t chosen_capacity(const struct weir_session *s, uint32_t index, int direction)
{
	const struct weir_slot *slot = &s->slots[index];
	const struct weir_header *h = s->header;
	uint64_t capacity = h->capacity_given ? h->capacity : 0;

	if ((load64_relaxed(&s->plan->alive) & WEIR_CHAOS_BIT) && !h->capacity_given)
		capacity = weir_chaos_capacity(s->plan->seed, slot->number, (uint32_t)direction,
		                               h->capacity);
	if (capacity != 0 && !h->capacity_given)
		add64_relaxed(&s->plan->noticed, 1);
	if (s->plan->capacities > 0)
		capacity = weir_plan_capacity(s->plan, slot->number, (uint32_t)direction,
		                              load32_relaxed(&slot->pid), slot->comm, capacity);
	return capacity;
}

void weir_pair_set_capacity(const struct weir_session *s, const struct weir_pipe_ref *ref,
                            uint64_t capacity, bool given)
{
	struct weir_writable_rule rule = weir_session_writable_rule(s);

	if (!s->header->writable_at_given)
		rule.amount = given;
	store32_relaxed(&ref->pipe->limit_given, given);
	weir_pipe_set_limit(ref, capacity, rule);
}

static void reset_pipe(const struct weir_session *s, uint32_t index, int direction,
                       uint32_t generation)
{
	struct weir_pipe_ref ref = weir_pair_pipe(s, index, direction, generation);

	uint64_t capacity = chosen_capacity(s, index, direction);

	weir_pipe_reset(ref.pipe, generation);
	weir_pair_set_capacity(s, &ref, capacity ? capacity : s->header->capacity, capacity != 0);
}

/* Most pairs never had any, and the first of a slot finds fresh memory: that stays untouched. */
static void forget_faults(const struct weir_session *s, uint32_t index)
{
	bool first = load32_relaxed(&s->slots[index].generation) == 0;

	if (first || (load64_relaxed(&s->plan->alive) == 0 && load32_relaxed(&s->plan->epoch) == 0))
		return;
	for (int i = 0; i < 4; i++) {
		struct weir_fault_state *state = weir_pair_fault_state(s, index, i / 2, i % 2);
		if (load32_relaxed(&state->touched))
			memset((void *)state, 0, sizeof(*state));
	}
}

/* As much of the name as fits, and zeros behind it. */
static void name(struct weir_slot *slot, const char *comm)
{
	memset(slot->comm, 0, sizeof(slot->comm));
	for (size_t i = 0; i < sizeof(slot->comm) - 1 && comm[i]; i++)
		slot->comm[i] = comm[i];
}

uint64_t weir_pair_number(const struct weir_session *s)
{
	return add64_relaxed(&s->header->numbered, 1) + 1;
}

/* The lock is held. */
static void begin_life(const struct weir_session *s, uint32_t index, uint64_t number,
                       uint32_t pid, const char *comm)
{
	struct weir_slot *slot = &s->slots[index];
	uint32_t generation = load32_relaxed(&slot->generation);

	store32_relaxed(&slot->pid, pid);
	name(slot, comm);
	slot->number = number;
	store32_relaxed(&slot->deadlocked, 0);
	reset_end(&slot->end[0]);
	reset_end(&slot->end[1]);
	reset_pipe(s, index, 0, generation);
	reset_pipe(s, index, 1, generation);
	add64_relaxed(&s->header->pairs, 1);
	forget_faults(s, index);
	store32_release(&slot->state, WEIR_SLOT_USED);
}

static int64_t open_one(const struct weir_session *s, uint64_t number, uint32_t pid,
                        const char *comm)
{
	uint64_t signals;
	int64_t index;

	if (!lock_slots(s, &signals))
		return -ENOSPC;
	index = pop_free(s);
	if (index < 0)
		index = take_fresh(s);
	if (index >= 0)
		begin_life(s, (uint32_t)index, number, pid, comm);
	unlock_slots(s, &signals);
	return index;
}

int64_t weir_pair_open(const struct weir_session *s, uint64_t number, uint32_t pid,
                       const char *comm)
{
	int64_t index = open_one(s, number, pid, comm);

	if (index < 0 && weir_pair_reclaim(s) > 0)
		index = open_one(s, number, pid, comm);
	if (index >= 0)
		weir_pair_arm(s, (uint32_t)index);
	return index;
}

void weir_pair_hold(struct weir_slot *slot, int side)
{
	add32_ordered(&slot->end[side].holders, 1);
}

static void retire(const struct weir_session *s, const struct weir_slot *slot)
{
	if (!s->header->keep_retired)
		return;
	uint64_t at = add64_relaxed(&s->header->retired, 1) % WEIR_RETIRED_MAX;
	struct weir_retired *record = &s->retired[at];
	record->number = 0;
	record->pid = load32_relaxed(&slot->pid);
	memcpy(record->comm, slot->comm, sizeof(record->comm));
	record->pipe[0] = weir_slot_stats(slot, 0);
	record->pipe[1] = weir_slot_stats(slot, 1);
	record->number = slot->number;
}

/* Gives the rings' memory back where more than a little was ever used. */
static void release_storage(const struct weir_session *s, uint32_t index)
{
	const struct weir_pipe *pipe = s->slots[index].pipe;
	uint64_t size = weir_rings_size(s->ring_span);

	if (load64_relaxed(&pipe[0].max_buffered) > KEEP_STORAGE ||
	    load64_relaxed(&pipe[1].max_buffered) > KEEP_STORAGE)
		madvise(s->rings + index * size, size, MADV_REMOVE);
}

/* The state comes before the generation: who looks at both in the other order, without
 * the lock, never takes the end of this life for a part of the next (reclaim.c). */
void weir_pair_discard(const struct weir_session *s, uint32_t index, uint32_t generation)
{
	struct weir_slot *slot = &s->slots[index];
	uint64_t signals;

	if (!lock_slots(s, &signals))
		return; /* as nobody holds it, a reclaim finds it */
	if (load32_relaxed(&slot->generation) == generation &&
	    load32_relaxed(&slot->state) == WEIR_SLOT_USED) {
		retire(s, slot);
		release_storage(s, index);
		store32_release(&slot->state, WEIR_SLOT_FREE);
		raise_generation(slot);
		push_free(s, index);
	}
	unlock_slots(s, &signals);
}

void weir_pair_release(const struct weir_session *s, uint32_t index, int side, uint32_t generation)
{
	struct weir_slot *slot = &s->slots[index];

	if (load32_acquire(&slot->generation) != generation)
		return;
	add32_ordered(&slot->end[side].holders, UINT32_MAX);
	if (load32_ordered(&slot->end[0].holders) == 0 && load32_ordered(&slot->end[1].holders) == 0)
		weir_pair_discard(s, index, generation);
}
