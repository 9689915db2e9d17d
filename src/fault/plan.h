/* The plan of a run: its rules, in order, in memory that all its processes share.
 *
 * Rules are added while others read: a rule counts from when its bit is set in
 * `alive`. Who adds or clears holds the plan's lock (pair/plan.h); readers take
 * none. So the place of a rule that was cleared is taken again only where it is
 * known that no call goes by it any more: that of a rule that was given for one end
 * alone (pair/given.h). Who asks whom the rules concern may still see it while it
 * changes, and asks again, because the epoch is raised before and after.
 */
#ifndef WEIR_FAULT_PLAN_H
#define WEIR_FAULT_PLAN_H

#include "base/lock.h"
#include "fault/rule.h"

enum {
	WEIR_RULES_MAX = 62,        /* of one run */
	WEIR_CAPACITIES_MAX = 32,   /* --capacity WHERE:N */
	WEIR_MARKS_MAX = 32,        /* --mark */
	WEIR_FIRED_COMM_SIZE = 16,
};

/* Bits of a set of rules: a rule's own, chaos, and that something was done to the
 * direction that its calls must look at (a reset, a stall) whatever the rules say. */
#define WEIR_RULE_BIT(i) (UINT64_C(1) << (i))
#define WEIR_CHAOS_BIT WEIR_RULE_BIT(WEIR_RULES_MAX)
#define WEIR_DONE_BIT WEIR_RULE_BIT(WEIR_RULES_MAX + 1)

/* Where a rule fired first. */
struct weir_fired {
	uint64_t pair;
	uint64_t call;              /* of that side, of the rule's kind, from 1 */
	uint64_t byte;              /* of the direction */
	uint32_t side;
	uint32_t op;                /* 0: a read, 1: a write */
	uint32_t pid;
	char comm[WEIR_FIRED_COMM_SIZE];
};

struct weir_plan_rule {
	struct weir_rule rule;
	unsigned char fallback[WEIR_MATCH_MAX]; /* Knuth, Morris and Pratt's table of `match` */
	uint32_t pair;              /* two of its bytes that stand in a row seldom ... */
	uint32_t pair_at;           /* ... and where: little of it is in bytes without them */
	weir_word32 where_known;    /* 1: `first` is complete */
	weir_word64 fired;
	struct weir_fired first;
	uint32_t slot;              /* of the pair that it was given for */
	uint64_t sum;               /* of what stands before `where_known` (weir_plan_rule_sum) */
};

/* A capacity for some directions: those that the side writes to. */
struct weir_capacity_rule {
	struct weir_where where;
	uint64_t capacity;
};

struct weir_plan {
	struct weir_lock lock;      /* of changes */
	weir_word64 alive;          /* bits of the rules that hold, and chaos */
	weir_word32 count;          /* places that were ever used */
	weir_word32 epoch;          /* raised by every change */
	weir_word64 holding;        /* bits of those that may hold a call back */
	weir_word64 noticed;        /* rules and chaos: things that fired */
	weir_word64 given;          /* bits of those that were given for one end */
	weir_word64 vacant;         /* of those, the ones that nobody reads any more */
	weir_word64 past_fired;     /* rules whose place was taken again, and that fired */
	weir_word64 past_unfired;   /* ... and that never did */
	uint64_t seed;
	uint32_t seed_given;
	uint32_t capacities;
	uint32_t marks;
	struct weir_plan_rule rules[WEIR_RULES_MAX];
	struct weir_capacity_rule capacity[WEIR_CAPACITIES_MAX];
	struct weir_where mark[WEIR_MARKS_MAX];
};

/* What `sum` is while nothing is damaged; 0 for a place that was never used. */
uint64_t weir_plan_rule_sum(const struct weir_plan_rule *r);

/* Adds a parsed rule behind the others. False where there is no place. Lock. */
bool weir_plan_add(struct weir_plan *plan, const struct weir_rule *rule);

/* Adds a rule that concerns one end of the pair in `slot` alone, behind all that
 * concern that pair: in a vacant place, or a fresh one. False where there is none. Lock. */
bool weir_plan_give(struct weir_plan *plan, const struct weir_rule *rule, uint32_t slot);

/* Bits of the rules given for one end, whether they hold or not. */
uint64_t weir_plan_given(const struct weir_plan *plan, uint64_t pair, uint32_t side);

/* No rule holds any more; what they did is remembered. Lock. */
void weir_plan_clear(struct weir_plan *plan);

/* The same for a set of rules. Lock. */
void weir_plan_drop(struct weir_plan *plan, uint64_t rules);

/* Nobody reads these rules any more, which were given for one end and dropped: their
 * places may be taken. What they did is remembered until then, and counted after. Lock. */
void weir_plan_vacate(struct weir_plan *plan, uint64_t rules);

/* The rules that may concern the calls of `op` (0: read, 1: write) of one end,
 * whichever process makes them. */
uint64_t weir_plan_rules(const struct weir_plan *plan, uint64_t pair, uint32_t side, uint32_t op);

/* May anything be held back: by a stall, a delay, a rate or chaos? */
bool weir_plan_holds(const struct weir_plan *plan);

/* Of those, the ones that hold for a process. */
uint64_t weir_plan_rules_of(const struct weir_plan *plan, uint32_t pid, const char *comm);

/* The capacity that the plan gives a direction; `otherwise` where it gives none. */
uint64_t weir_plan_capacity(const struct weir_plan *plan, uint64_t pair, uint32_t side,
                            uint32_t pid, const char *comm, uint64_t otherwise);

/* Is a pair carried at all? `nth` of its process, which runs `exe`. */
bool weir_plan_marks(const struct weir_plan *plan, uint64_t pair, uint64_t nth, uint32_t pid,
                     const char *comm, const char *exe);

/* Counts a firing, and remembers the first. */
void weir_plan_note(struct weir_plan_rule *r, const struct weir_fired *where);

#endif
