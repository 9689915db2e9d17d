#include "fault/decide.h"

#include <errno.h>
#include <string.h>

#include "base/os.h"
#include "base/test.h"

static struct weir_plan plan;
static struct weir_fault_state state;
static const char *text;        /* the bytes of the direction */

/* Those from `byte` on: the first two, if there are as many, in a piece of their own. */
static struct weir_fault_bytes bytes_from(uint64_t byte)
{
	static struct iovec piece[3];
	size_t length = strlen(text);
	const char *start = text + (byte < length ? byte : length);
	size_t n = strlen(start);

	piece[0] = (struct iovec){(void *)(uintptr_t)start, n < 2 ? n : 2};
	piece[1] = (struct iovec){NULL, 0};
	piece[2] = (struct iovec){(void *)(uintptr_t)(start + piece[0].iov_len), n - piece[0].iov_len};
	return (struct weir_fault_bytes){piece, 0, n};
}

static void add(const char *rule_text)
{
	struct weir_rule_error error = {.column = 0};
	struct weir_rule rule;

	CHECK(weir_rule_parse(&rule, rule_text, &error));
	CHECK(weir_plan_add(&plan, &rule));
}

/* Alone, in a fresh plan and on a fresh direction. */
static void only(const char *rule_text)
{
	memset(&plan, 0, sizeof plan);
	memset(&state, 0, sizeof state);
	plan.seed = 1;
	text = "";
	add(rule_text);
}

static struct weir_fault_point at(uint64_t byte, uint64_t left)
{
	return (struct weir_fault_point){
		.plan = &plan,
		.state = &state,
		.rules = weir_plan_rules(&plan, 1, 0, 1) & weir_plan_rules_of(&plan, 42, "test"),
		.pair = 1,
		.byte = byte,
		.left = left,
		.op = 1,
		.pid = 42,
		.comm = "test",
		.bytes = bytes_from(byte),
	};
}

/* A call of `n` bytes at `*byte`, until it ends: how many pass, or -errno, or -1000 -
 * the effect that ends the direction. */
static long call(uint64_t *byte, uint64_t n)
{
	struct weir_fault_call c = {.begun = false};
	uint64_t done = 0;

	while (done < n) {
		struct weir_fault_point p = at(*byte, n - done);
		p.moved = done > 0;
		struct weir_verdict v = weir_fault_decide(&p, &c);
		if (v.kind == WEIR_VERDICT_FAIL)
			return done ? (long)done : -v.error;
		if (v.kind == WEIR_VERDICT_END)
			return done ? (long)done : -1000 - (long)v.effect;
		if (v.kind != WEIR_VERDICT_PASS)
			break;
		CHECK(v.limit > 0);
		uint64_t step = v.limit < n - done ? v.limit : n - done;
		weir_fault_passes(&p, &c, step);
		*byte += step;
		done += step;
	}
	return (long)done;
}

static void counted_calls(void)
{
	uint64_t byte = 0;

	only("write:error=EIO:when=2..6+2:times=2");
	for (int i = 1; i <= 8; i++)
		CHECK_EQ(call(&byte, 3), i == 2 || i == 4 ? -EIO : 3);
	CHECK_EQ(plan.rules[0].fired, 2);
	CHECK_EQ(plan.rules[0].first.call, 2);
	CHECK_EQ(plan.rules[0].first.byte, 3);
	CHECK_TEXT(plan.rules[0].first.comm, "test");
}

static void shorter(void)
{
	uint64_t byte = 0;

	only("write:short=4");
	CHECK_EQ(call(&byte, 4), 4);
	CHECK_EQ(plan.rules[0].fired, 0);
	CHECK_EQ(call(&byte, 5), 4);
	add("write:short=2");
	CHECK_EQ(call(&byte, 9), 2);
	CHECK_EQ(plan.rules[1].fired, 1);
}

static void at_a_byte(void)
{
	uint64_t byte = 0;

	only("write:error=EIO:at=5");
	CHECK_EQ(call(&byte, 3), 3);
	CHECK_EQ(call(&byte, 9), 2);
	CHECK_EQ(call(&byte, 9), -EIO);
	CHECK_EQ(call(&byte, 9), 9);
	only("write:hangup:at=0");
	byte = 0;
	CHECK_EQ(call(&byte, 9), -1000 - WEIR_EFFECT_HANGUP);
}

static void behind_a_text(void)
{
	uint64_t byte = 0;

	only("write:error=EIO:match=aab:times=2");
	text = "aaabxaabaab.....";
	CHECK_EQ(call(&byte, 3), 3);
	CHECK_EQ(call(&byte, 3), 1);
	CHECK_EQ(call(&byte, 3), -EIO);
	CHECK_EQ(call(&byte, 9), 4);
	CHECK_EQ(byte, 8);
	CHECK_EQ(call(&byte, 3), -EIO);
	CHECK_EQ(call(&byte, 8), 8);
}

static void ends_behind_bytes(void)
{
	enum weir_effect effect;
	uint64_t byte = 0;

	only("write:eof:at=5");
	CHECK_EQ(call(&byte, 9), 5);
	struct weir_fault_point p = at(4, 1);
	CHECK(!weir_fault_ends_at(&p, &effect));
}

/* The very same draws, and others from another seed, pair or side. */
static uint64_t drawn(uint64_t seed, uint64_t pair, uint32_t side)
{
	uint64_t bits = 0;

	only("write:error=EIO:p=0.5");
	plan.seed = seed;
	for (int i = 0; i < 64; i++) {
		struct weir_fault_call c = {.begun = false};
		struct weir_fault_point p = at((uint64_t)i, 1);
		p.pair = pair;
		p.side = side;
		bits = bits << 1 | (weir_fault_decide(&p, &c).kind == WEIR_VERDICT_FAIL);
	}
	return bits;
}

static void draws(void)
{
	uint64_t once = drawn(1, 1, 0);

	CHECK_EQ(drawn(1, 1, 0), once);
	CHECK(drawn(2, 1, 0) != once);
	CHECK(drawn(1, 2, 0) != once);
	CHECK(drawn(1, 1, 1) != once);
	CHECK(__builtin_popcountll(once) > 16 && __builtin_popcountll(once) < 48);
}

/* A held call goes on behind the rule that held it, also when it is made anew. */
static void holds(void)
{
	struct weir_fault_call c = {.begun = false};

	only("write:stall:when=1");
	add("write:short=2");
	struct weir_fault_point p = at(0, 9);
	struct weir_verdict v = weir_fault_decide(&p, &c);
	CHECK_EQ(v.kind, WEIR_VERDICT_HOLD);
	CHECK_EQ(v.until, UINT64_MAX);
	c = (struct weir_fault_call){.begun = false};
	CHECK_EQ(weir_fault_decide(&p, &c).kind, WEIR_VERDICT_HOLD);
	weir_fault_hold_until(&state, 0);
	v = weir_fault_decide(&p, &c);
	CHECK_EQ(v.kind, WEIR_VERDICT_PASS);
	CHECK_EQ(v.limit, 2);
	CHECK_EQ(state.calls, 1);
	CHECK_EQ(plan.rules[0].fired, 1);
}

static void delays_are_drawn(void)
{
	struct weir_fault_call c = {.begun = false};

	only("write:delay=10ms..20ms");
	struct weir_fault_point p = at(0, 9);
	uint64_t before = os_now_ns();
	struct weir_verdict v = weir_fault_decide(&p, &c);
	CHECK_EQ(v.kind, WEIR_VERDICT_HOLD);
	CHECK(v.until >= before + 10000000 && v.until <= os_now_ns() + 20000000);
}

/* Calls in calm are counted when somebody looks again. */
static void calm(void)
{
	uint64_t byte = 0;

	only("write:error=EIO:when=5");
	CHECK_EQ(call(&byte, 1), 1);
	struct weir_fault_point p = at(byte, 1);
	int passed = 0;
	for (; passed < 9 && weir_fault_is_calm(&state, p.epoch, p.rules, byte, 1); passed++)
		weir_fault_pass_calmly(&state, 1);
	CHECK_EQ(passed, 3);
	CHECK_EQ(call(&byte, 1), -EIO);
	CHECK_EQ(plan.rules[0].first.call, 5);
}

enum { CALLS = 3000 };

/* Which of CALLS calls fail; how many pass in calm. `calm`: if they may. */
static int failures(const char *rule, bool calm, bool failed[CALLS])
{
	uint64_t byte = 0;
	int calmly = 0;

	only(rule);
	for (int i = 0; i < CALLS; i++) {
		struct weir_fault_point p = at(byte, 1);
		if (!calm)
			state.calm_left = state.calm_granted = 0;
		failed[i] = false;
		if (weir_fault_is_calm(&state, p.epoch, p.rules, byte, 1)) {
			weir_fault_pass_calmly(&state, 1);
			calmly++;
		} else {
			failed[i] = call(&byte, 1) < 0;
		}
	}
	return calmly;
}

/* What is drawn ahead is what each call would draw by itself, in the given share. */
static void draws_ahead(void)
{
	static const struct { const char *rule; int least, most, calm; } cases[] = {
		{"write:error=EIO:p=0.000000001", 0, 0, 2900},
		{"write:error=EIO:p=0.004", 2, 25, 2900},
		{"write:error=EIO:p=0.1", 240, 360, 2000},
		{"write:error=EIO:p=0.49", 1380, 1560, 300},
		{"write:error=EIO:p=0.9", 2640, 2760, 0},
		{"write:error=EIO:p=1", 3000, 3000, 0},
		{"write:error=EIO:when=5+3:p=0.1", 70, 130, 2300},
		{"write:error=EIO:when=7..1000+11:p=0.5", 30, 60, 2500},
		{"write:error=EIO:when=9223372036854775807+9223372036854775807:p=0.5", 0, 0, 2990},
	};
	static bool alone[CALLS], ahead[CALLS];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int count = 0;
		CHECK_EQ(failures(cases[i].rule, false, alone), 0);
		CHECK(failures(cases[i].rule, true, ahead) >= cases[i].calm);
		for (int n = 0; n < CALLS; n++) {
			count += alone[n];
			CHECK_EQ(ahead[n], alone[n]);
		}
		CHECK(count >= cases[i].least && count <= cases[i].most);
	}
}

/* A text whose beginning passed in calm is found where it ends. */
static void texts_in_calm(void)
{
	uint64_t byte = 0;

	only("write:error=EIO:match=aab");
	text = "xyzaabz";
	CHECK_EQ(call(&byte, 2), 2);
	struct weir_fault_bytes next = bytes_from(2);
	next.size = 2;
	CHECK(weir_fault_is_calm(&state, at(2, 2).epoch, at(2, 2).rules, 2, 2));
	CHECK(weir_fault_look_ahead(&plan, &state, next));
	weir_fault_read_on(&state);
	weir_fault_pass_calmly(&state, 1);
	byte = 4;
	CHECK(!weir_fault_look_ahead(&plan, &state, bytes_from(4)));
	CHECK_EQ(call(&byte, 3), 2);
	CHECK_EQ(call(&byte, 1), -EIO);
	CHECK_EQ(plan.rules[0].first.byte, 6);
}

/* Rules that come while a call waits count it, once, and have their say. */
static void added_meanwhile(void)
{
	struct weir_fault_call c = {.begun = false};
	struct weir_fault_point p;

	only("write:short=3:when=2");
	p = at(0, 9);
	CHECK(weir_fault_decide(&p, &c).kind == WEIR_VERDICT_PASS);
	add("write:error=EIO:when=1");
	p = at(0, 9);
	CHECK(weir_fault_decide(&p, &c).kind == WEIR_VERDICT_FAIL);
	CHECK_EQ(state.calls, 1);
	CHECK_EQ(state.rule[0].calls, 1);
	CHECK_EQ(state.rule[1].calls, 1);
	p = at(0, 9);
	CHECK(weir_fault_decide(&p, &c).kind == WEIR_VERDICT_PASS);
	CHECK_EQ(state.rule[1].calls, 1);
}

static void places(void)
{
	only("write:eof:pair=2");
	CHECK_EQ(weir_plan_rules(&plan, 1, 0, 1), 0);
	CHECK_EQ(weir_plan_rules(&plan, 2, 0, 1), 1);
	CHECK_EQ(weir_plan_rules(&plan, 2, 0, 0), 0);
	add("any:eof:side=b:comm=te*");
	CHECK_EQ(weir_plan_rules(&plan, 1, 0, 1), 0);
	CHECK_EQ(weir_plan_rules(&plan, 1, 1, 0), 2);
	CHECK_EQ(weir_plan_rules_of(&plan, 42, "test"), 3);
	CHECK_EQ(weir_plan_rules_of(&plan, 42, "other"), 1);
	weir_plan_clear(&plan);
	CHECK_EQ(weir_plan_rules(&plan, 2, 1, 1), 0);
}

static bool give(const char *rule_text, uint64_t pair, uint32_t side)
{
	struct weir_rule_error error = {.column = 0};
	struct weir_rule rule;

	CHECK(weir_rule_parse_for_end(&rule, rule_text, pair, side, &error));
	return weir_plan_give(&plan, &rule, 7);
}

static void take_back(uint64_t pair, uint32_t side)
{
	uint64_t rules = weir_plan_given(&plan, pair, side);

	weir_plan_drop(&plan, rules);
	weir_plan_vacate(&plan, rules);
}

static void rules_for_one_end(void)
{
	only("write:short");
	CHECK(give("any:eof", 3, 1));
	CHECK_EQ(weir_plan_given(&plan, 3, 1), 2);
	CHECK_EQ(weir_plan_given(&plan, 3, 0), 0);
	CHECK_EQ(weir_plan_rules(&plan, 3, 1, 1), 3);
	CHECK_EQ(weir_plan_rules(&plan, 3, 0, 1), 1);
	CHECK_EQ(weir_plan_rules(&plan, 2, 1, 1), 1);
	take_back(3, 1);
	CHECK_EQ(weir_plan_given(&plan, 3, 1), 0);
	CHECK_EQ(weir_plan_rules(&plan, 3, 1, 1), 1);
	CHECK_EQ(load64_relaxed(&plan.alive), 1);
}

/* A vacant place is taken again, but never one before what holds for the pair. */
static void vacant_places(void)
{
	only("write:short");
	CHECK(give("write:eof", 1, 0));     /* place 1 */
	CHECK(give("write:delay=1s", 2, 0)); /* place 2 */
	CHECK(weir_plan_holds(&plan));
	take_back(1, 0);
	CHECK(give("write:reset", 2, 1));   /* behind its own pair's: place 3 */
	CHECK_EQ(weir_plan_given(&plan, 2, 1), 8);
	CHECK(give("write:reset", 5, 1));   /* place 1 */
	CHECK_EQ(weir_plan_given(&plan, 5, 1), 2);
	CHECK_EQ(load64_relaxed(&plan.past_unfired), 1);
	take_back(2, 0);
	CHECK(!weir_plan_holds(&plan));
	CHECK_EQ(load32_relaxed(&plan.count), 4);
}

static void places_end(void)
{
	int given = 0;

	only("write:short");
	CHECK(give("write:eof", 9, 0));
	while (give("write:eof", 1, 0))
		given++;
	CHECK_EQ(given, WEIR_RULES_MAX - 2);
	take_back(9, 0);
	CHECK(!give("write:eof", 1, 0));
	CHECK(give("write:eof", 2, 0));
	take_back(1, 0);
	CHECK(give("write:eof", 1, 0));
}

/* The next rule in the same place begins as if nothing had been. */
static void a_rule_is_forgotten(void)
{
	uint64_t byte = 0;

	only("write:error=EIO:when=5");
	CHECK_EQ(call(&byte, 1), 1);
	struct weir_fault_point p = at(byte, 1);
	CHECK(weir_fault_is_calm(&state, p.epoch, p.rules, byte, 1));
	weir_fault_pass_calmly(&state, 1);
	weir_fault_forget(&state, 1, false);
	CHECK_EQ(state.rule[0].calls, 0);
	CHECK(!weir_fault_is_calm(&state, p.epoch, p.rules, byte, 1));
	for (int i = 0; i < 4; i++)
		CHECK_EQ(call(&byte, 1), 1);
	CHECK_EQ(call(&byte, 1), -EIO);
	CHECK_EQ(plan.rules[0].first.call, 7); /* all calls of the end count */
}

/* What ends a direction by byte stops the writer, whoever the rule speaks of. */
static void reader_rules_stop_writers(void)
{
	only("read:eof:at=5:side=b");
	CHECK_EQ(weir_plan_rules(&plan, 1, 0, 1), 1);
	CHECK_EQ(weir_plan_rules(&plan, 1, 1, 0), 0);
}

/* A write that need not wait because nothing is unread must not hear EAGAIN, though
 * chaos held one before the reader came: whoever wakes himself would miss it. */
static void chaos_lets_go_at_empty(void)
{
	struct weir_verdict v = {.kind = WEIR_VERDICT_PASS};
	struct weir_fault_point p;

	only("read:eof");
	do {
		struct weir_fault_call c = {.begun = false};
		p = at(0, 8);
		p.rules = WEIR_CHAOS_BIT;
		p.nonblocking = p.unread = true;
		v = weir_fault_decide(&p, &c);
	} while (v.kind != WEIR_VERDICT_HOLD && state.calls < 10000);
	CHECK_EQ(v.kind, WEIR_VERDICT_HOLD);
	weir_fault_hold_until(&state, UINT64_MAX / 2);
	struct weir_fault_call c = {.begun = false};
	CHECK_EQ(weir_fault_decide(&p, &c).kind, WEIR_VERDICT_HOLD);
	p.unread = false;
	CHECK_EQ(weir_fault_decide(&p, &c).kind, WEIR_VERDICT_PASS);
}

int main(void)
{
	os_resolve();
	RUN(counted_calls);
	RUN(shorter);
	RUN(at_a_byte);
	RUN(behind_a_text);
	RUN(ends_behind_bytes);
	RUN(draws);
	RUN(holds);
	RUN(delays_are_drawn);
	RUN(calm);
	RUN(draws_ahead);
	RUN(texts_in_calm);
	RUN(added_meanwhile);
	RUN(places);
	RUN(rules_for_one_end);
	RUN(vacant_places);
	RUN(places_end);
	RUN(a_rule_is_forgotten);
	RUN(reader_rules_stop_writers);
	RUN(chaos_lets_go_at_empty);
	return weir_test_end();
}
