#include "pair/given.h"

#include <errno.h>

#include "pair/calm.h"

/* True when no call reads the rules any more. False where that cannot be waited for:
 * a signal handler interrupted a call. */
static bool pass_locks(const struct weir_session *s, uint32_t index, uint64_t rules)
{
	uint32_t generation = load32_acquire(&s->slots[index].generation);
	bool held = (load64_relaxed(&s->plan->holding) & rules) != 0;

	for (int direction = 0; direction < 2; direction++) {
		struct weir_pipe_ref ref = weir_pair_pipe(s, index, direction, generation);
		if (weir_pipe_lock(&ref) != 0)
			return false;
		for (int op = 0; op < 2; op++) {
			struct weir_fault_state *state = &s->faults[index].state[direction][op];
			weir_calm_end(ref.pipe, op, state);
			weir_fault_forget(state, rules, held);
		}
		weir_pipe_unlock(&ref);
	}
	return true;
}

/* A pair's number is never given again; its slot is. */
static bool has_gone(const struct weir_session *s, uint32_t index, uint64_t pair)
{
	const struct weir_slot *slot = &s->slots[index];

	return load32_acquire(&slot->state) != WEIR_SLOT_USED || slot->number != pair;
}

/* Takes back the rules whose pairs have been closed. */
static void sweep(const struct weir_session *s)
{
	struct weir_plan *plan = s->plan;
	uint64_t given = load64_relaxed(&plan->given) & ~load64_relaxed(&plan->vacant);

	for (uint32_t i = 0; i < WEIR_RULES_MAX; i++) {
		const struct weir_plan_rule *r = &plan->rules[i];
		if (!(given & WEIR_RULE_BIT(i)) || r->slot >= s->slot_count ||
		    !has_gone(s, r->slot, r->rule.where.pair))
			continue;
		weir_plan_drop(plan, WEIR_RULE_BIT(i));
		if (pass_locks(s, r->slot, 0))
			weir_plan_vacate(plan, WEIR_RULE_BIT(i));
	}
}

static bool give(const struct weir_session *s, uint32_t index, const struct weir_rule *rule)
{
	sweep(s);
	return weir_plan_give(s->plan, rule, index);
}

/* Processes that ended left pairs behind that nobody has closed. */
int weir_pair_give(const struct weir_session *s, uint32_t index, const struct weir_rule *rule)
{
	weir_plan_lock(s);
	bool given = give(s, index, rule) || (weir_pair_reclaim(s) > 0 && give(s, index, rule));
	if (given)
		weir_pair_arm(s, index);
	weir_plan_unlock(s);
	return given ? 0 : -ENOSPC;
}

void weir_pair_take_back(const struct weir_session *s, uint32_t index, uint32_t side)
{
	weir_plan_lock(s);
	uint64_t rules = weir_plan_given(s->plan, s->slots[index].number, side);
	if (rules) {
		weir_plan_drop(s->plan, rules);
		weir_pair_arm(s, index);
		if (pass_locks(s, index, rules))
			weir_plan_vacate(s->plan, rules);
	}
	weir_plan_unlock(s);
}
