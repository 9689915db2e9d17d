#include "fault/decide.h"

#include <string.h>

#include "base/os.h"
#include "fault/draw.h"

enum {
	GROUPS_AHEAD = 1024,         /* draws that are made at a time, each for eight calls */
	PACED_AHEAD_NS_MAX = 1000000000, /* what passed was paid for; but for rounding */
	BUCKET_NS = 10000000,
	BUCKET_NS_MAX = 50000000,    /* a twentieth of a second */
};

static const struct weir_verdict pass = {.kind = WEIR_VERDICT_PASS, .limit = UINT64_MAX};

static const struct weir_rule *rule_of(const struct weir_fault_point *p, uint32_t i)
{
	return &p->plan->rules[i].rule;
}

static bool by_byte(const struct weir_rule *rule)
{
	return rule->at != UINT64_MAX || rule->match_length > 0;
}

static bool is_end(uint32_t effect)
{
	return effect == WEIR_EFFECT_EOF || effect == WEIR_EFFECT_HANGUP ||
	       effect == WEIR_EFFECT_RESET;
}

/* What is asked for at a byte happens once, unless times= says otherwise. */
static uint64_t times_max(const struct weir_rule *rule)
{
	if (rule->times)
		return rule->times;
	return by_byte(rule) && !rule->first ? 1 : UINT64_MAX; /* when= says otherwise, too */
}

/* The calls, or with match= the places, that when= names. */
static bool is_named(const struct weir_rule *rule, uint64_t n)
{
	return rule->first == 0 || (n >= rule->first && n <= rule->last &&
	                            (n - rule->first) % rule->step == 0);
}

/* What a rule draws: of two kinds, for each end. */
enum draws { CHANCE, DELAY };

static uint64_t draw_end(const struct weir_fault_point *p, uint32_t i, enum draws what)
{
	return weir_draw_end(p->plan->seed, (uint64_t)i << 8 | what, p->pair, p->side);
}

static uint64_t draw(const struct weir_fault_point *p, uint32_t i, enum draws what)
{
	uint64_t drawn = weir_draw_with(draw_end(p, i, what), p->state->rule[i].calls);

	return by_byte(rule_of(p, i)) ? weir_draw_with(drawn, p->byte) : drawn;
}

static bool always(const struct weir_rule *rule)
{
	return rule->probability > UINT32_MAX;
}

/* The draw of p= that eight calls share: each has a byte of it. `end`: of draw_end. */
static uint64_t draw_group(uint64_t end, uint64_t calls)
{
	return weir_draw_with(end, calls / 8);
}

/* Only where its byte does not decide a call has a draw of its own. */
static inline bool hits(uint64_t group, uint64_t probability, uint64_t calls)
{
	uint64_t byte = group >> calls % 8 * 8 & 255;

	if (__builtin_expect(byte != probability >> 24, 1))
		return byte < probability >> 24;
	return weir_draw_with(group, calls) >> 40 < (probability & 0xffffff);
}

/* The first of the groups from `from` on that is not certain to have no byte low enough to hit;
 * `end` where there is none before. (Alan Mycroft's test for bytes below a number up to 128, in all
 * eight at once.) */
static __attribute__((noinline)) uint64_t skip_spared(uint64_t draws, uint64_t probability,
                                                      uint64_t from, uint64_t end)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t above = (probability >> 24) + 1, group;

	for (; above <= 128 && from < end; from++) {
		group = weir_draw_with(draws, from);
		if ((group - ones * above) & ~group & ones * 128)
			break;
	}
	return from;
}

static bool chance(const struct weir_fault_point *p, uint32_t i)
{
	const struct weir_rule *rule = rule_of(p, i);
	uint64_t calls = p->state->rule[i].calls;

	if (always(rule))
		return true;
	if (by_byte(rule))
		return draw(p, i, CHANCE) >> 32 < rule->probability;
	return hits(draw_group(draw_end(p, i, CHANCE), calls), rule->probability, calls);
}

void weir_fault_fire(const struct weir_fault_point *p, uint32_t rule)
{
	struct weir_fired where = {
	        .pair = p->pair,
	        .call = p->state->calls,
	        .byte = p->byte,
	        .side = p->side,
	        .op = p->op,
	        .pid = p->pid,
	};

	strncpy(where.comm, p->comm, sizeof(where.comm) - 1);
	p->state->rule[rule].fired++;
	weir_plan_note(&p->plan->rules[rule], &where);
	add64_relaxed(&p->plan->noticed, 1);
}

static struct weir_verdict held_now(const struct weir_fault_state *s)
{
	return (struct weir_verdict){.kind = WEIR_VERDICT_HOLD, .until = weir_fault_held_until(s)};
}

struct weir_verdict weir_fault_hold(const struct weir_fault_point *p, uint64_t until, uint32_t next)
{
	p->state->held_at = next;
	p->state->resumes = 1;
	weir_fault_hold_until(p->state, until);
	return held_now(p->state);
}

static uint64_t delay(const struct weir_fault_point *p, uint32_t i)
{
	const struct weir_rule *rule = rule_of(p, i);
	uint64_t spread = rule->delay_ns[1] - rule->delay_ns[0];

	return rule->delay_ns[0] + (spread ? draw(p, i, DELAY) % (spread + 1) : 0);
}

static void allow(struct weir_fault_call *call, uint64_t n)
{
	if (!call->limited || n < call->allowance)
		call->allowance = n;
	call->limited = true;
}

/* Rule `i` acts on this call, here. */
static struct weir_verdict act(const struct weir_fault_point *p, struct weir_fault_call *call,
                               uint32_t i)
{
	const struct weir_rule *rule = rule_of(p, i);

	if (rule->effect == WEIR_EFFECT_SHORT && rule->amount >= p->left)
		return pass;
	weir_fault_fire(p, i);
	switch ((enum weir_effect)rule->effect) {
	case WEIR_EFFECT_SHORT:
		allow(call, rule->amount);
		return pass;
	case WEIR_EFFECT_ERROR:
		return (struct weir_verdict){.kind = WEIR_VERDICT_FAIL, .error = (int)rule->amount};
	case WEIR_EFFECT_STALL:
		return weir_fault_hold(p, UINT64_MAX, i + 1);
	case WEIR_EFFECT_DELAY:
		return weir_fault_hold(p, os_now_ns() + delay(p, i), i + 1);
	case WEIR_EFFECT_DISCARD:
		call->discards = true;
		return pass;
	case WEIR_EFFECT_CORRUPT:
		call->corrupts += rule->amount;
		return pass;
	case WEIR_EFFECT_EOF:
	case WEIR_EFFECT_HANGUP:
	case WEIR_EFFECT_RESET:
		return (struct weir_verdict){.kind = WEIR_VERDICT_END,
		                             .effect = (enum weir_effect)rule->effect};
	case WEIR_EFFECT_RATE:
		break;
	}
	return pass;
}

static bool is_due(const struct weir_fault_point *p, uint32_t i)
{
	const struct weir_rule *rule = rule_of(p, i);
	const struct weir_fault_rule_state *s = &p->state->rule[i];

	if (s->fired >= times_max(rule))
		return false;
	return is_named(rule, s->calls) && chance(p, i);
}

/* The rules that speak of calls, each once for each call. */
static struct weir_verdict decide_call(const struct weir_fault_point *p,
                                       struct weir_fault_call *call)
{
	while (call->next < WEIR_RULES_MAX && p->rules >> call->next) {
		uint32_t i = call->next++;
		if (!(p->rules & WEIR_RULE_BIT(i)) || by_byte(rule_of(p, i)) ||
		    rule_of(p, i)->effect == WEIR_EFFECT_RATE || !is_due(p, i))
			continue;
		struct weir_verdict v = act(p, call, i);
		if (v.kind != WEIR_VERDICT_PASS)
			return v;
	}
	if (call->next > WEIR_RULES_MAX || !(p->rules & WEIR_CHAOS_BIT))
		return pass;
	call->next = WEIR_RULES_MAX + 1;
	return weir_chaos_decide(p, call);
}

/* Walks over the first `n` of some bytes, piece by piece. */
struct walk {
	struct weir_fault_bytes rest;
	uint64_t left;
};

static struct walk walk_over(struct weir_fault_bytes bytes, uint64_t n)
{
	return (struct walk){bytes, n < bytes.size ? n : bytes.size};
}

/* The next piece, or what is left of it; its size in `n`. NULL at the end. */
static const unsigned char *next_piece(struct walk *w, size_t *n)
{
	const struct iovec *piece = w->rest.piece;
	const unsigned char *start;

	if (w->left == 0)
		return NULL;
	for (; w->rest.offset == piece->iov_len; w->rest.offset = 0)
		piece = ++w->rest.piece;
	start = (const unsigned char *)piece->iov_base + w->rest.offset;
	*n = piece->iov_len - w->rest.offset;
	if (*n > w->left)
		*n = (size_t)w->left;
	return start;
}

static void walk_on(struct walk *w, size_t n)
{
	w->rest.offset += n;
	w->left -= n;
}

/* How many bytes there are up to where the text is complete; 0 where it is not. */
static uint64_t complete(const struct weir_plan_rule *r, uint64_t *matched, struct walk *w)
{
	const unsigned char *piece;
	uint64_t before = w->left;
	size_t n;

	while ((piece = next_piece(w, &n)) != NULL) {
		size_t found = weir_search(r, matched, piece, n);
		walk_on(w, found ? found : n);
		if (found)
			return before - w->left;
	}
	return 0;
}

/* How far a search for the text has come. */
struct search {
	uint64_t matched;           /* bytes of the text that the last ones are */
	uint64_t found;             /* times that it was complete */
};

/* How many of the next `n` bytes there are up to where the text is complete, at a
 * time that when= names; 0 where it is not. */
static uint64_t find(const struct weir_fault_point *p, const struct weir_plan_rule *r,
                     struct search *search, uint64_t n)
{
	struct walk w = walk_over(p->bytes, n);
	uint64_t all = w.left;

	while (complete(r, &search->matched, &w))
		if (is_named(&r->rule, ++search->found))
			return all - w.left;
	return 0;
}

/* The byte at which the rule acts next, as far as it is known; else UINT64_MAX. */
static uint64_t spot_of(const struct weir_fault_point *p, uint32_t i)
{
	const struct weir_rule *rule = rule_of(p, i);
	const struct weir_fault_rule_state *s = &p->state->rule[i];

	if (rule->at != UINT64_MAX)
		return rule->at;
	return s->spot ? s->spot - 1 : UINT64_MAX;
}

/* Likewise, where the bytes that are about to pass complete the text. */
static uint64_t spot_ahead(const struct weir_fault_point *p, uint32_t i)
{
	const struct weir_plan_rule *r = &p->plan->rules[i];
	uint64_t spot = spot_of(p, i);
	struct search search = {p->state->rule[i].matched, p->state->rule[i].found};

	if (r->rule.match_length == 0 || spot == p->byte)
		return spot;
	uint64_t n = find(p, r, &search, p->left);
	return n ? p->byte + n : UINT64_MAX;
}

/* The draw went against it at this place. Where the text comes again there is
 * another. */
static void pass_by(const struct weir_fault_point *p, uint32_t i)
{
	struct weir_fault_rule_state *s = &p->state->rule[i];

	if (rule_of(p, i)->match_length > 0)
		s->spot = 0;
	else
		s->fired = times_max(rule_of(p, i));
}

/* Rule `i` speaks of a byte: either it acts now, or nothing passes beyond it. */
static struct weir_verdict decide_byte(const struct weir_fault_point *p,
                                       struct weir_fault_call *call, uint32_t i)
{
	struct weir_fault_rule_state *s = &p->state->rule[i];
	const struct weir_rule *rule = rule_of(p, i);
	uint64_t spot = s->fired < times_max(rule) ? spot_ahead(p, i) : UINT64_MAX;
	struct weir_verdict v = pass;

	if (spot == UINT64_MAX || spot < p->byte)
		return v;
	if (spot > p->byte) {
		v.limit = spot - p->byte;
		return v;
	}
	if (p->moved && (rule->effect == WEIR_EFFECT_ERROR || rule->effect == WEIR_EFFECT_SHORT))
		return (struct weir_verdict){.kind = WEIR_VERDICT_STOP};
	if (!chance(p, i)) {
		pass_by(p, i);
		return v;
	}
	v = act(p, call, i);
	if (rule->match_length > 0) /* the next time is where the text comes again */
		s->spot = 0;
	if (v.kind == WEIR_VERDICT_HOLD) /* it has acted; the others are looked at again */
		p->state->held_at = call->next;
	return v;
}

/* A bucket that holds a hundredth of a second, filled evenly. Who waited for it makes up for
 * what he was woken late. */
static uint64_t bucket_ns(struct weir_fault_state *s, uint64_t now)
{
	uint64_t late = s->paced_until && now > s->paced_until ? now - s->paced_until : 0;

	s->paced_until = 0;
	return late < BUCKET_NS_MAX - BUCKET_NS ? BUCKET_NS + late : BUCKET_NS_MAX;
}

/* Whoever finds the bucket empty waits for half of it, or for what he needs. */
static struct weir_verdict pace(const struct weir_fault_point *p, uint32_t i)
{
	uint64_t rate = rule_of(p, i)->amount;
	uint64_t now = os_now_ns(), window = bucket_ns(p->state, now);
	uint64_t *paced = &p->state->paced;

	if (p->state->rule[i].fired == 0) {
		weir_fault_fire(p, i);
		*paced = now;
	}
	if (*paced > now && *paced - now > PACED_AHEAD_NS_MAX)
		weir_damaged("a rate of the future");
	if (*paced + window < now && *paced + 1000000000 / rate < now)
		*paced = now - (window > 1000000000 / rate ? window : 1000000000 / rate);
	uint64_t allowed = now > *paced ? (uint64_t)((double)(now - *paced) * (double)rate / 1e9) : 0;
	uint64_t wanted = rate / 200 < p->left ? rate / 200 : p->left;
	if (allowed > 0 && allowed >= (wanted < 1 ? 1 : wanted))
		return (struct weir_verdict){.kind = WEIR_VERDICT_PASS, .limit = allowed};
	if (wanted < 1)
		wanted = 1;
	uint64_t until = *paced + (uint64_t)((double)wanted * 1e9 / (double)rate) + 1;
	weir_fault_hold_until(p->state, until);
	p->state->paced_until = until;
	return held_now(p->state);
}

static bool is_paced(const struct weir_fault_point *p, uint32_t i)
{
	const struct weir_rule *rule = rule_of(p, i);

	if (rule->effect != WEIR_EFFECT_RATE)
		return false;
	return !by_byte(rule) || spot_of(p, i) <= p->byte;
}

static struct weir_verdict narrower(struct weir_verdict v, struct weir_verdict other)
{
	return other.limit < v.limit ? other : v;
}

static struct weir_verdict decide_bytes(const struct weir_fault_point *p,
                                        struct weir_fault_call *call)
{
	struct weir_verdict v = pass;

	for (uint32_t i = 0; i < WEIR_RULES_MAX && p->rules >> i; i++) {
		if (!(p->rules & WEIR_RULE_BIT(i)))
			continue;
		struct weir_verdict mine = pass;
		if (is_paced(p, i))
			mine = pace(p, i);
		else if (by_byte(rule_of(p, i)))
			mine = decide_byte(p, call, i);
		if (mine.kind != WEIR_VERDICT_PASS)
			return mine;
		v = narrower(v, mine);
	}
	return v;
}

/* The calls that passed in calm count, too. */
static void end_calm(struct weir_fault_state *s)
{
	uint64_t passed = s->calm_granted - s->calm_left;

	s->calm_granted = s->calm_left = 0;
	s->calls += passed;
	for (uint32_t i = 0; passed && i < WEIR_RULES_MAX && s->calm_rules >> i; i++)
		if (s->calm_rules & WEIR_RULE_BIT(i))
			s->rule[i].calls += passed;
}

/* The call after call `n` that when= names; UINT64_MAX: none. */
static uint64_t named_after(const struct weir_rule *rule, uint64_t n)
{
	uint64_t first = rule->first ? rule->first : 1, next = first;

	if (n >= first && n < INT64_MAX)
		next = n + rule->step - (rule->step == 1 ? 0 : (n - first) % rule->step);
	return next > rule->last || n >= INT64_MAX ? UINT64_MAX : next;
}

/* The first of the calls `next`, `next` + `step` and so on that the draw does not let
 * pass, as far as it is made ahead. */
static uint64_t drawn_from(uint64_t draws, uint64_t probability, uint64_t next, uint64_t step)
{
	for (uint64_t end = next / 8 + GROUPS_AHEAD; next / 8 < end && next < INT64_MAX;) {
		uint64_t at = skip_spared(draws, probability, next / 8, end);
		if (at > next / 8)
			next += (at * 8 - next + step - 1) / step * step;
		for (uint64_t group = draw_group(draws, next); next / 8 == at; next += step)
			if (hits(group, probability, next))
				return next;
	}
	return next;
}

/* How many calls after this one the rule lets pass; UINT64_MAX: all. */
static uint64_t calls_until(const struct weir_fault_point *p, uint32_t i)
{
	struct weir_fault_rule_state *s = &p->state->rule[i];
	const struct weir_rule *rule = rule_of(p, i);
	uint64_t next = named_after(rule, s->drawn > s->calls ? s->drawn : s->calls);

	if (next < INT64_MAX && !always(rule)) {
		next = drawn_from(draw_end(p, i, CHANCE), rule->probability, next, rule->step);
		s->drawn = next - 1;
	}
	return next > rule->last || next >= INT64_MAX ? UINT64_MAX : next - s->calls - 1;
}

void weir_fault_forget(struct weir_fault_state *s, uint64_t rules, bool release)
{
	if (!load32_relaxed(&s->touched))
		return;
	end_calm(s);
	s->calm_texts = 0;
	s->calm_text = 0;
	for (uint32_t i = 0; i < WEIR_RULES_MAX; i++)
		if (rules & WEIR_RULE_BIT(i))
			memset(&s->rule[i], 0, sizeof(s->rule[i]));
	if (!release)
		return;
	s->resumes = 0;
	weir_fault_hold_until(s, 0);
}

/* Narrows the calm by one rule. False where there is none. */
static bool narrow(const struct weir_fault_point *p, uint32_t i, uint64_t byte)
{
	struct weir_fault_state *s = p->state;
	const struct weir_rule *rule = rule_of(p, i);
	uint64_t calls, until;

	if (rule->effect != WEIR_EFFECT_RATE && s->rule[i].fired >= times_max(rule))
		return true;
	if (rule->match_length > 0) {
		s->calm_texts |= WEIR_RULE_BIT(i);
		return s->rule[i].spot == 0 && rule->effect != WEIR_EFFECT_RATE;
	}
	if (rule->at == UINT64_MAX) {
		calls = rule->effect == WEIR_EFFECT_RATE ? 0 : calls_until(p, i);
		s->calm_left = calls < s->calm_left ? calls : s->calm_left;
		return s->calm_left > 0;
	}
	if (rule->at <= byte)
		return rule->at < byte && rule->effect != WEIR_EFFECT_RATE;
	until = rule->at - is_end(rule->effect);
	s->calm_until = until < s->calm_until ? until : s->calm_until;
	return true;
}

/* A damaged bit must not lead beyond the rules. */
static uint64_t texts_of(const struct weir_fault_state *s)
{
	return s->calm_texts & (WEIR_CHAOS_BIT - 1);
}

static void note_text(struct weir_fault_state *s)
{
	uint64_t texts = texts_of(s);
	uint32_t i = texts ? (uint32_t)__builtin_ctzll(texts) : 0;
	bool alone = texts != 0 && (texts & (texts - 1)) == 0;

	s->calm_text = alone && s->rule[i].matched == 0 ? i + 1 : 0;
}

/* A call has passed up to `byte`: for how long will nothing happen? */
static void grant_calm(const struct weir_fault_point *p, uint64_t byte)
{
	struct weir_fault_state *s = p->state;
	bool calm = !(p->rules & (WEIR_CHAOS_BIT | WEIR_DONE_BIT)) && !s->resumes && !s->ended;

	s->calm_left = INT64_MAX;
	s->calm_until = UINT64_MAX;
	s->calm_texts = 0;
	for (uint32_t i = 0; calm && i < WEIR_RULES_MAX && p->rules >> i; i++)
		if (p->rules & WEIR_RULE_BIT(i))
			calm = narrow(p, i, byte);
	if (!calm)
		s->calm_left = 0;
	s->calm_granted = s->calm_left;
	note_text(s);
	s->calm_rules = p->rules;
	s->calm_epoch = p->epoch;
}

bool weir_fault_look_ahead(const struct weir_plan *plan, struct weir_fault_state *s,
                           struct weir_fault_bytes bytes)
{
	for (uint64_t texts = texts_of(s); texts; texts &= texts - 1) {
		uint32_t i = (uint32_t)__builtin_ctzll(texts);
		struct walk w = walk_over(bytes, bytes.size);
		s->rule[i].ahead = s->rule[i].matched;
		if (complete(&plan->rules[i], &s->rule[i].ahead, &w))
			return false;
	}
	s->calm_looked = 1;
	return true;
}

void weir_fault_read_on(struct weir_fault_state *s)
{
	for (uint64_t texts = texts_of(s); texts; texts &= texts - 1) {
		uint32_t i = (uint32_t)__builtin_ctzll(texts);
		s->rule[i].matched = s->rule[i].ahead;
	}
	s->calm_looked = 0;
	note_text(s);
}

static void begin(const struct weir_fault_point *p, struct weir_fault_call *call)
{
	struct weir_fault_state *s = p->state;

	call->begun = true;
	store32_relaxed(&s->touched, 1);
	s->calls++;
}

/* Rules that were added while the call waited concern it, too: they are behind those
 * that it has passed. */
static void meet(const struct weir_fault_point *p, struct weir_fault_call *call)
{
	uint64_t known = call->known & (WEIR_CHAOS_BIT - 1);
	uint64_t fresh = p->rules & (WEIR_CHAOS_BIT - 1) & ~known;
	uint32_t first = fresh ? (uint32_t)__builtin_ctzll(fresh) : WEIR_RULES_MAX;

	for (uint32_t i = first; i < WEIR_RULES_MAX && fresh >> i; i++)
		if (fresh & WEIR_RULE_BIT(i))
			p->state->rule[i].calls++;
	if (fresh && WEIR_RULE_BIT(first) > known && call->next > first)
		call->next = first;
	call->known |= fresh;
}

/* What chaos began to hold while it might, it may have to let go sooner. */
static bool holds_still(const struct weir_fault_point *p, uint64_t until)
{
	if (until == UINT64_MAX)
		return true;
	if (p->state->held_at > WEIR_RULES_MAX && !weir_chaos_may_delay(p))
		return false;
	return os_now_ns() < until;
}

/* True while somebody, this call or another, must not go on. A call that was
 * stopped goes on where it was, even if its program made it anew. */
static bool held(const struct weir_fault_point *p, struct weir_fault_call *call, uint64_t *until)
{
	struct weir_fault_state *s = p->state;

	*until = weir_fault_held_until(s);
	if (*until && holds_still(p, *until))
		return true;
	if (*until)
		weir_fault_hold_until(s, 0);
	if (s->resumes) {
		call->next = s->held_at;
		call->begun = true;
		call->known = p->rules;
		s->resumes = 0;
	}
	return false;
}

static void check_rules(const struct weir_fault_point *p)
{
	for (uint32_t i = 0; i < WEIR_RULES_MAX && p->rules >> i; i++)
		if ((p->rules & WEIR_RULE_BIT(i)) &&
		    p->plan->rules[i].sum != weir_plan_rule_sum(&p->plan->rules[i]))
			weir_damaged("a rule is not what was asked for");
}

struct weir_verdict weir_fault_decide(const struct weir_fault_point *p, struct weir_fault_call *call)
{
	uint64_t until;

	check_rules(p);
	end_calm(p->state);
	if (held(p, call, &until))
		return (struct weir_verdict){.kind = WEIR_VERDICT_HOLD, .until = until};
	if (p->state->ended && p->op == 1)
		return (struct weir_verdict){.kind = WEIR_VERDICT_ENDED};
	if (!call->begun)
		begin(p, call);
	meet(p, call);
	if (call->limited && call->allowance == 0)
		return (struct weir_verdict){.kind = WEIR_VERDICT_STOP};
	struct weir_verdict v = decide_call(p, call);
	if (v.kind == WEIR_VERDICT_PASS)
		v = decide_bytes(p, call);
	if (v.kind == WEIR_VERDICT_PASS && call->limited && call->allowance < v.limit)
		v.limit = call->allowance;
	return v;
}

/* What a rate lets through is paid for; what match= looks for goes on. */
void weir_fault_passes(const struct weir_fault_point *p, struct weir_fault_call *call, uint64_t n)
{
	if (call->limited)
		call->allowance -= n < call->allowance ? n : call->allowance;
	for (uint32_t i = 0; i < WEIR_RULES_MAX && p->rules >> i; i++) {
		struct weir_fault_rule_state *s = &p->state->rule[i];
		const struct weir_plan_rule *r = &p->plan->rules[i];
		if (!(p->rules & WEIR_RULE_BIT(i)))
			continue;
		if (is_paced(p, i))
			p->state->paced += (uint64_t)((double)n * 1e9 / (double)r->rule.amount);
		if (r->rule.match_length == 0 || n == 0)
			continue;
		struct search search = {s->matched, s->found};
		uint64_t found = find(p, r, &search, n);
		s->matched = search.matched;
		s->found = search.found;
		if (found)
			s->spot = p->byte + found + 1;
	}
	grant_calm(p, p->byte + n);
}

bool weir_fault_ends_at(const struct weir_fault_point *p, enum weir_effect *effect)
{
	for (uint32_t i = 0; i < WEIR_RULES_MAX && p->rules >> i; i++) {
		const struct weir_rule *rule = rule_of(p, i);
		if (!(p->rules & WEIR_RULE_BIT(i)) || !is_end(rule->effect) || !by_byte(rule) ||
		    p->state->rule[i].fired >= times_max(rule) || spot_of(p, i) != p->byte)
			continue;
		if (!chance(p, i)) {
			pass_by(p, i);
			continue;
		}
		weir_fault_fire(p, i);
		*effect = (enum weir_effect)rule->effect;
		return true;
	}
	return false;
}

unsigned int weir_fault_bit(const struct weir_fault_point *p, uint64_t byte)
{
	return (unsigned int)weir_draw(p->plan->seed, 2, p->pair, p->side, p->op, byte) % 8;
}
