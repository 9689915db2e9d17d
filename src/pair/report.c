/* What the rules of a run did, told to people at its end. */
#include <inttypes.h>

#include "base/message.h"
#include "pair/session.h"

static void say_fired(const struct weir_plan_rule *r)
{
	uint64_t fired = load64_acquire(&r->fired);
	const struct weir_fired *f = &r->first;

	if (fired == 1)
		weir_say("fault %s fired once: pair %" PRIu64 ", side %c, pid %" PRIu32
		         " (%.16s), call %" PRIu64 ", byte %" PRIu64,
		         r->rule.text, f->pair, f->side ? 'b' : 'a', f->pid, f->comm, f->call,
		         f->byte);
	else
		weir_say("fault %s fired %" PRIu64 " times: first pair %" PRIu64
		         ", side %c, pid %" PRIu32 " (%.16s), call %" PRIu64 ", byte %" PRIu64,
		         r->rule.text, fired, f->pair, f->side ? 'b' : 'a', f->pid, f->comm,
		         f->call, f->byte);
}

uint32_t weir_session_unfired(const struct weir_session *s)
{
	uint32_t count = load32_acquire(&s->plan->count);
	uint32_t unfired = (uint32_t)load64_relaxed(&s->plan->past_unfired);

	for (uint32_t i = 0; i < count && i < WEIR_RULES_MAX; i++)
		unfired += load64_acquire(&s->plan->rules[i].fired) == 0;
	return unfired;
}

/* Rules given from inside that lost their place to later ones. */
static void say_past(const struct weir_plan *plan)
{
	uint64_t fired = load64_relaxed(&plan->past_fired);
	uint64_t unfired = load64_relaxed(&plan->past_unfired);

	if (fired + unfired > 0)
		weir_say("%" PRIu64 " earlier faults of programs: %" PRIu64
		         " fired, %" PRIu64 " never did",
		         fired + unfired, fired, unfired);
}

void weir_session_report(const struct weir_session *s)
{
	const struct weir_plan *plan = s->plan;
	uint32_t count = load32_acquire(&plan->count);

	for (uint32_t i = 0; i < count && i < WEIR_RULES_MAX; i++) {
		if (load64_acquire(&plan->rules[i].fired) > 0)
			say_fired(&plan->rules[i]);
		else
			weir_say("fault %s never fired", plan->rules[i].rule.text);
	}
	say_past(plan);
	uint64_t noticed = load64_relaxed(&plan->noticed);
	if (load64_relaxed(&plan->alive) & WEIR_CHAOS_BIT)
		weir_say("chaos did %" PRIu64 " thing%s; --chaos=%" PRIu64 " does %s again", noticed,
		         noticed == 1 ? "" : "s", plan->seed, noticed == 1 ? "it" : "them");
	else if (noticed > 0 && !plan->seed_given)
		weir_say("seed %" PRIu64, plan->seed);
}
