/* weir ctl fault, capacity, stall, release, hangup, reset, eof. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/message.h"
#include "base/options.h"
#include "base/parse.h"
#include "cli/ctl.h"
#include "cli/status.h"
#include "fault/load.h"
#include "pipe/bell.h"

static bool anybody_sleeps(const struct weir_slot *slot)
{
	for (int i = 0; i < 4; i++)
		if (weir_pipe_has_sleeper(&slot->pipe[i / 2], i % 2))
			return true;
	return false;
}

/* Who sleeps must see that the plan has changed. */
static void nudge_all(void)
{
	uint32_t touched = load32_acquire(&weir_session.header->slots_touched);

	for (uint32_t i = 0; i < touched && i < weir_session.slot_count; i++) {
		const struct weir_slot *slot = &weir_session.slots[i];
		struct weir_ctl_target t = { .index = i,
			                     .generation = load32_acquire(&slot->generation) };
		if (load32_acquire(&slot->state) != WEIR_SLOT_USED || !anybody_sleeps(slot))
			continue;
		weir_ctl_target_borrow(&t);
		weir_ctl_nudge(&t, false);
		weir_ctl_target_return(&t);
	}
}

/* ---- rules ---- */

static const char *const op_names[] = { "read", "write" };

static void print_rule_json(const struct weir_plan_rule *r, bool alive)
{
	const struct weir_fired *f = &r->first;

	fputs("{\"rule\":", stdout);
	weir_ctl_json_text(r->rule.text);
	printf(",\"active\":%s,\"fired\":%llu", alive ? "true" : "false",
	       (unsigned long long)load64_relaxed(&r->fired));
	if (load32_acquire(&r->where_known))
		printf(",\"first\":{\"pair\":%llu,\"side\":\"%c\",\"op\":\"%s\",\"pid\":%u,"
		       "\"call\":%llu,\"byte\":%llu}",
		       (unsigned long long)f->pair, f->side ? 'b' : 'a', op_names[f->op & 1],
		       f->pid, (unsigned long long)f->call, (unsigned long long)f->byte);
	putchar('}');
}

static int list_rules(const struct weir_ctl *c)
{
	const struct weir_plan *plan = weir_session.plan;
	uint32_t count = load32_acquire(&plan->count);
	uint64_t alive = load64_acquire(&plan->alive);

	if (c->json)
		printf("{\"seed\":%llu,\"rules\":[", (unsigned long long)plan->seed);
	for (uint32_t i = 0; i < count && i < WEIR_RULES_MAX; i++) {
		bool active = alive & WEIR_RULE_BIT(i);
		if (c->json) {
			fputs(i ? "," : "", stdout);
			print_rule_json(&plan->rules[i], active);
		} else {
			printf("%-8s fired %-6llu %s\n", active ? "active" : "cleared",
			       (unsigned long long)load64_relaxed(&plan->rules[i].fired),
			       plan->rules[i].rule.text);
		}
	}
	if (c->json)
		puts("]}");
	return fflush(stdout) == 0 ? 0 : WEIR_EXIT_FAILED;
}

/* All rules or none. */
static bool all_are_rules(const struct weir_ctl *c)
{
	static struct weir_plan scratch;

	store32_relaxed(&scratch.count, load32_acquire(&weir_session.plan->count));
	for (int i = 1; i < c->count; i++)
		if (!weir_plan_load_rule(&scratch, "ctl fault add", c->words[i]))
			return false;
	return true;
}

static int add_rules(const struct weir_ctl *c)
{
	bool good = true;

	if (c->count < 2) {
		weir_say("ctl fault add needs a RULE");
		return WEIR_EXIT_FAILED;
	}
	if (!all_are_rules(c))
		return WEIR_EXIT_FAILED;
	weir_plan_lock(&weir_session);
	for (int i = 1; good && i < c->count; i++)
		good = weir_plan_load_rule(weir_session.plan, "ctl fault add", c->words[i]);
	weir_pair_arm_all(&weir_session);
	weir_plan_unlock(&weir_session);
	nudge_all();
	return good ? weir_ctl_done(c) : WEIR_EXIT_FAILED;
}

static void release_all(struct weir_ctl *c, uint32_t index);

/* Holds go with the rules that made them. */
static int clear_rules(struct weir_ctl *c)
{
	weir_plan_lock(&weir_session);
	weir_plan_clear(weir_session.plan);
	weir_pair_arm_all(&weir_session);
	weir_plan_unlock(&weir_session);
	weir_ctl_each_pair(release_all, c);
	nudge_all();
	return weir_ctl_done(c);
}

int weir_ctl_fault(struct weir_ctl *c)
{
	const char *what = c->words[0];

	if (!strcasecmp(what, "add"))
		return add_rules(c);
	if (!strcasecmp(what, "list") && c->count == 1)
		return list_rules(c);
	if (!strcasecmp(what, "clear") && c->count == 1)
		return clear_rules(c);
	weir_say("ctl fault takes list, clear, or add RULE...");
	return WEIR_EXIT_FAILED;
}

/* ---- one pair ---- */

static int cannot_reach(const struct weir_ctl *c, const struct weir_ctl_target *t, int side)
{
	weir_say("ctl %s: the descriptors of pair %llu cannot be reached: %s", c->name,
	         (unsigned long long)weir_session.slots[t->index].number, strerror(t->why[side]));
	return WEIR_EXIT_FAILED;
}

static bool set_capacity(const struct weir_ctl_target *t, int direction, uint64_t size)
{
	struct weir_pipe_ref ref =
		weir_pair_pipe(&weir_session, t->index, direction, t->generation);

	if (weir_pipe_lock(&ref) != 0)
		return false;
	weir_pair_set_capacity(&weir_session, &ref, size, true);
	weir_pipe_unlock(&ref);
	return true;
}

int weir_ctl_capacity(struct weir_ctl *c)
{
	uint64_t most = weir_session.ring_span - WEIR_ASIDE_SIZE, size;
	struct weir_ctl_target t;

	if (!weir_ctl_target_find(c, c->words[0], &t))
		return WEIR_EXIT_FAILED;
	if (!weir_parse_size(c->words[1], most, &size) || size == 0) {
		weir_say("ctl capacity: '%.50s' is not a size from 1 to %llu, the most that this "
		         "session has room for", c->words[1], (unsigned long long)most);
		return WEIR_EXIT_FAILED;
	}
	for (int side = 0; side < 2; side++)
		if (t.side == WEIR_SIDE_ANY || t.side == side)
			set_capacity(&t, side, size);
	weir_ctl_target_borrow(&t);
	weir_ctl_nudge(&t, false);
	weir_ctl_target_return(&t);
	return weir_ctl_done(c);
}

static void each_side(const struct weir_ctl_target *t, void (*act)(const struct weir_end *, int))
{
	for (int side = 0; side < 2; side++) {
		struct weir_end end = weir_ctl_end_of(t, side);
		if (t->side != WEIR_SIDE_ANY && t->side != side)
			continue;
		act(&end, WEIR_OP_READ);
		act(&end, WEIR_OP_WRITE);
	}
}

/* Who sleeps already must come to see that it is held. */
int weir_ctl_stall(struct weir_ctl *c)
{
	struct weir_ctl_target t;

	if (!weir_ctl_target_find(c, c->words[0], &t))
		return WEIR_EXIT_FAILED;
	each_side(&t, weir_end_stall);
	weir_ctl_target_borrow(&t);
	weir_ctl_nudge(&t, true);
	weir_ctl_target_return(&t);
	return weir_ctl_done(c);
}

static void release_target(struct weir_ctl_target *t)
{
	each_side(t, weir_end_release);
	weir_ctl_target_borrow(t);
	weir_ctl_nudge(t, false);
	weir_ctl_target_return(t);
}

static void release_all(struct weir_ctl *c, uint32_t index)
{
	struct weir_ctl_target t = {
		.index = index,
		.generation = load32_acquire(&weir_session.slots[index].generation),
		.side = WEIR_SIDE_ANY,
	};

	(void)c;
	release_target(&t);
}

int weir_ctl_release(struct weir_ctl *c)
{
	struct weir_ctl_target t;

	if (c->count == 0)
		weir_ctl_each_pair(release_all, c);
	else if (!weir_ctl_target_find(c, c->words[0], &t))
		return WEIR_EXIT_FAILED;
	else
		release_target(&t);
	return weir_ctl_done(c);
}

static enum weir_effect effect_of(const char *name)
{
	if (!strcmp(name, "eof"))
		return WEIR_EFFECT_EOF;
	return strcmp(name, "reset") ? WEIR_EFFECT_HANGUP : WEIR_EFFECT_RESET;
}

/* As a rule on what that end writes; without a side, on what both do. */
int weir_ctl_end(struct weir_ctl *c)
{
	struct weir_ctl_target t;
	int status = 0;

	if (!weir_ctl_target_find(c, c->words[0], &t))
		return WEIR_EXIT_FAILED;
	weir_ctl_target_borrow(&t);
	for (int side = 0; side < 2 && !status; side++) {
		struct weir_end end = weir_ctl_end_of(&t, side);
		if (t.side != WEIR_SIDE_ANY && t.side != side)
			continue;
		if (end.fd < 0)
			status = cannot_reach(c, &t, side);
		else
			weir_end_cut(&end, WEIR_OP_WRITE, effect_of(c->name));
	}
	weir_ctl_target_return(&t);
	return status ? status : weir_ctl_done(c);
}
