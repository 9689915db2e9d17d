/* The plan's rules, brought to the pairs that they concern. */
#include <errno.h>

#include "base/message.h"
#include "pair/pair.h"

/* An end's reads are the business of the pipe that its peer writes to. */
static void arm_side(const struct weir_session *s, uint32_t index, uint32_t side)
{
	struct weir_slot *slot = &s->slots[index];
	weir_word64 *read = &slot->pipe[!side].rules_read;
	weir_word64 *write = &slot->pipe[side].rules_write;

	store64_relaxed(read, weir_plan_rules(s->plan, slot->number, side, 0) |
	                              (load64_relaxed(read) & WEIR_DONE_BIT));
	store64_relaxed(write, weir_plan_rules(s->plan, slot->number, side, 1) |
	                               (load64_relaxed(write) & WEIR_DONE_BIT));
}

/* Again where the plan has changed meanwhile: who changed it may have been here
 * before the pair was. */
void weir_pair_arm(const struct weir_session *s, uint32_t index)
{
	uint32_t epoch;

	if (load64_acquire(&s->plan->alive) == 0 && load32_ordered(&s->plan->epoch) == 0)
		return;
	do {
		epoch = load32_ordered(&s->plan->epoch);
		arm_side(s, index, 0);
		arm_side(s, index, 1);
	} while (load32_ordered(&s->plan->epoch) != epoch);
}

void weir_pair_arm_all(const struct weir_session *s)
{
	uint32_t touched = load32_acquire(&s->header->slots_touched);

	for (uint32_t i = 0; i < touched && i < s->slot_count; i++)
		if (load32_acquire(&s->slots[i].state) == WEIR_SLOT_USED)
			weir_pair_arm(s, i);
}

struct weir_fault_state *weir_pair_fault_state(const struct weir_session *s, uint32_t index,
                                               int side, int op)
{
	return &s->faults[index].state[op ? side : !side][op != 0];
}

void weir_plan_lock(const struct weir_session *s)
{
	int error = weir_lock_wait(&s->plan->lock);

	if (error != 0 && error != -EOWNERDEAD) /* a dead one's rule counts when its bit is set */
		weir_die("the plan is changed by a thread that changes it already");
}

void weir_plan_unlock(const struct weir_session *s)
{
	weir_lock_release(&s->plan->lock);
}
