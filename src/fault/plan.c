#include "fault/plan.h"

#include <stddef.h>
#include <string.h>

#include "fault/search.h"

/* No two bits that one word's damage may flip stand for each other. */
uint64_t weir_plan_rule_sum(const struct weir_plan_rule *r)
{
	enum { WORDS = offsetof(struct weir_plan_rule, where_known) / sizeof(uint64_t) };
	uint64_t word[WORDS], sum = 0;

	_Static_assert(sizeof(word) == sizeof(r->rule) + sizeof(r->fallback) + sizeof(r->pair) +
	                                       sizeof(r->pair_at), "nothing is left out");
	memcpy(word, r, sizeof(word));
	for (unsigned int i = 0; i < WORDS; i++)
		sum ^= word[i] << i % 64 | word[i] >> (64 - i % 64) % 64;
	return sum;
}

static bool holds(const struct weir_rule *rule)
{
	return rule->effect == WEIR_EFFECT_STALL || rule->effect == WEIR_EFFECT_DELAY ||
	       rule->effect == WEIR_EFFECT_RATE;
}

/* A hold outlives the rule that made it. */
bool weir_plan_holds(const struct weir_plan *plan)
{
	return load64_relaxed(&plan->holding) != 0 ||
	       (load64_relaxed(&plan->alive) & WEIR_CHAOS_BIT) != 0;
}

/* Others set bits of these words without the lock. */
static void change(weir_word64 *word, uint64_t clear, uint64_t set)
{
	uint64_t now;

	do
		now = load64_relaxed(word);
	while (!swap64_if(word, now, (now & ~clear) | set));
}

/* What is to be told of the rule that had this place. */
static void forget(struct weir_plan *plan, struct weir_plan_rule *r)
{
	bool fired = load64_relaxed(&r->fired) > 0;

	add64_relaxed(fired ? &plan->past_fired : &plan->past_unfired, 1);
	store32_relaxed(&r->where_known, 0);
	store64_relaxed(&r->fired, 0);
}

static void put(struct weir_plan *plan, uint32_t i, const struct weir_rule *rule)
{
	struct weir_plan_rule *r = &plan->rules[i];

	r->rule = *rule;
	weir_search_prepare(r);
	r->sum = weir_plan_rule_sum(r);
	if (i >= load32_relaxed(&plan->count))
		store32_release(&plan->count, i + 1);
	change(&plan->holding, WEIR_RULE_BIT(i), holds(rule) ? WEIR_RULE_BIT(i) : 0);
	store64_release(&plan->alive, load64_relaxed(&plan->alive) | WEIR_RULE_BIT(i));
	add32_ordered(&plan->epoch, 1);
}

bool weir_plan_add(struct weir_plan *plan, const struct weir_rule *rule)
{
	uint32_t i = load32_relaxed(&plan->count);

	if (i >= WEIR_RULES_MAX)
		return false;
	put(plan, i, rule);
	return true;
}

/* Rules apply in the order of their places: a new one comes behind those that
 * concern the pair. WEIR_RULES_MAX where no place is free. */
static uint32_t place_behind(const struct weir_plan *plan, uint64_t pair)
{
	uint64_t before = 0;
	uint32_t i = WEIR_RULES_MAX;

	for (uint32_t end = 0; end < 4; end++)
		before |= weir_plan_rules(plan, pair, end / 2, end % 2);
	before &= ~WEIR_CHAOS_BIT;
	while (i > 0 && !(before & WEIR_RULE_BIT(i - 1)))
		i--;
	while (i < load32_relaxed(&plan->count) &&
	       !(load64_relaxed(&plan->vacant) & WEIR_RULE_BIT(i)))
		i++;
	return i;
}

bool weir_plan_give(struct weir_plan *plan, const struct weir_rule *rule, uint32_t slot)
{
	uint32_t i = place_behind(plan, rule->where.pair);

	if (i >= WEIR_RULES_MAX)
		return false;
	if (load64_relaxed(&plan->vacant) & WEIR_RULE_BIT(i))
		forget(plan, &plan->rules[i]);
	change(&plan->vacant, WEIR_RULE_BIT(i), 0);
	change(&plan->given, 0, WEIR_RULE_BIT(i));
	plan->rules[i].slot = slot;
	put(plan, i, rule);
	return true;
}

uint64_t weir_plan_given(const struct weir_plan *plan, uint64_t pair, uint32_t side)
{
	uint64_t given = load64_relaxed(&plan->given) & ~load64_relaxed(&plan->vacant);
	uint64_t rules = 0;

	for (uint32_t i = 0; i < WEIR_RULES_MAX; i++) {
		const struct weir_where *w = &plan->rules[i].rule.where;
		if ((given & WEIR_RULE_BIT(i)) && w->pair == pair && w->side == side)
			rules |= WEIR_RULE_BIT(i);
	}
	return rules;
}

void weir_plan_drop(struct weir_plan *plan, uint64_t rules)
{
	store64_release(&plan->alive, load64_relaxed(&plan->alive) & ~rules);
	add32_ordered(&plan->epoch, 1);
}

void weir_plan_clear(struct weir_plan *plan)
{
	weir_plan_drop(plan, ~WEIR_CHAOS_BIT);
}

/* What they held back has been let go. */
void weir_plan_vacate(struct weir_plan *plan, uint64_t rules)
{
	change(&plan->holding, rules, 0);
	change(&plan->vacant, 0, rules);
}

static bool same(uint64_t wanted, uint64_t given)
{
	return wanted == 0 || wanted == given;
}

static bool same_side(const struct weir_where *w, uint32_t side)
{
	return w->side == WEIR_SIDE_ANY || w->side == side;
}

/* The byte at which a connection ends is one that both sides must keep to: the
 * writer stops there also where the rule speaks of the reader's calls. */
static bool stops_writer(const struct weir_rule *rule)
{
	bool by_byte = rule->at != UINT64_MAX || rule->match_length > 0;
	bool any_process = !rule->where.pid && !rule->where.comm[0];

	return by_byte && any_process && rule->ops == WEIR_OPS_READ &&
	       (rule->effect == WEIR_EFFECT_EOF || rule->effect == WEIR_EFFECT_HANGUP);
}

static bool concerns(const struct weir_rule *rule, uint64_t pair, uint32_t side, uint32_t op)
{
	if (!same(rule->where.pair, pair))
		return false;
	if (stops_writer(rule))
		return op == 1 && same_side(&rule->where, !side);
	return (rule->ops & (op ? WEIR_OPS_WRITE : WEIR_OPS_READ)) && same_side(&rule->where, side);
}

uint64_t weir_plan_rules(const struct weir_plan *plan, uint64_t pair, uint32_t side, uint32_t op)
{
	uint64_t alive = load64_acquire(&plan->alive);
	uint64_t rules = alive & WEIR_CHAOS_BIT;

	for (uint32_t i = 0; i < WEIR_RULES_MAX && alive >> i; i++)
		if ((alive & WEIR_RULE_BIT(i)) && concerns(&plan->rules[i].rule, pair, side, op))
			rules |= WEIR_RULE_BIT(i);
	return rules;
}

static bool is_process(const struct weir_where *w, uint32_t pid, const char *comm)
{
	return same(w->pid, pid) && (!w->comm[0] || weir_glob_match(w->comm, comm));
}

uint64_t weir_plan_rules_of(const struct weir_plan *plan, uint32_t pid, const char *comm)
{
	uint64_t alive = load64_acquire(&plan->alive);
	uint64_t rules = alive & WEIR_CHAOS_BIT;

	for (uint32_t i = 0; i < WEIR_RULES_MAX && alive >> i; i++)
		if ((alive & WEIR_RULE_BIT(i)) && is_process(&plan->rules[i].rule.where, pid, comm))
			rules |= WEIR_RULE_BIT(i);
	return rules;
}

uint64_t weir_plan_capacity(const struct weir_plan *plan, uint64_t pair, uint32_t side,
                            uint32_t pid, const char *comm, uint64_t otherwise)
{
	for (uint32_t i = plan->capacities; i-- > 0 && i < WEIR_CAPACITIES_MAX;) {
		const struct weir_where *w = &plan->capacity[i].where;
		if (same(w->pair, pair) && same_side(w, side) && is_process(w, pid, comm))
			return plan->capacity[i].capacity;
	}
	return otherwise;
}

bool weir_plan_marks(const struct weir_plan *plan, uint64_t pair, uint64_t nth, uint32_t pid,
                     const char *comm, const char *exe)
{
	const char *file = strrchr(exe, '/') ? strrchr(exe, '/') + 1 : exe;

	for (uint32_t i = 0; i < plan->marks && i < WEIR_MARKS_MAX; i++) {
		const struct weir_where *w = &plan->mark[i];
		if (same(w->pair, pair) && same(w->nth, nth) && is_process(w, pid, comm) &&
		    (!w->exe[0] || weir_glob_match(w->exe, strchr(w->exe, '/') ? exe : file)))
			return true;
	}
	return plan->marks == 0;
}

void weir_plan_note(struct weir_plan_rule *r, const struct weir_fired *where)
{
	if (add64_relaxed(&r->fired, 1) > 0)
		return;
	r->first = *where;
	store32_release(&r->where_known, 1);
}
