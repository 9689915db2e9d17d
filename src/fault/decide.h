/* What happens to a call: the plan's rules, and chaos, applied in order.
 *
 * Knows nothing of sockets or pipes. A decision depends on the seed, the rule, the
 * pair, the side, the number of the call and the byte: never on time or on which
 * thread came first, except that time passes for `delay` and `rate`.
 */
#ifndef WEIR_FAULT_DECIDE_H
#define WEIR_FAULT_DECIDE_H

#include <sys/uio.h>

#include "fault/plan.h"
#include "fault/search.h"

/* One direction's calls of one kind: what is remembered between them. Shared by
 * all processes, changed under the lock of that direction's side. */
struct weir_fault_rule_state {
	uint64_t calls;             /* calls that the rule concerned */
	uint64_t fired;
	uint64_t drawn;             /* up to this call the draw of p= is known to let all pass */
	uint64_t spot;              /* the byte behind what match= found, + 1; 0: not yet */
	uint64_t found;             /* how often match= was found */
	uint64_t matched;           /* how much of it the last bytes are */
	uint64_t ahead;             /* what `matched` becomes if the bytes last looked at pass */
};

struct weir_fault_state {
	weir_word64 held;           /* weir_fault_held_until() */
	weir_word32 touched;        /* not as fresh memory any more */
	weir_word32 releases;       /* raised to wake who waits in a hold (a futex) */

	/* As long as the plan is that of `calm_epoch`, the next `calm_left` calls that
	 * `calm_rules` concern pass untouched, up to the byte `calm_until`, and as long as
	 * no text that `calm_texts` look for is complete. */
	uint32_t calm_epoch;
	uint64_t calm_rules;
	uint64_t calm_left;
	uint64_t calm_granted;      /* what calm_left was */
	uint64_t calm_until;
	uint64_t calm_texts;
	uint32_t calm_text;         /* the one of them, + 1, where nothing of it has come; or 0 */
	uint32_t calm_looked;       /* `ahead` was found for the next bytes */

	uint32_t held_at;           /* the rule that goes on, when the hold is over ... */
	uint32_t resumes;           /* ... with the call that it stopped */
	uint32_t ended;             /* the direction was ended here by a rule */
	uint64_t calls;
	uint64_t beyond;            /* bytes that passed and are not in the pipe's own count */
	uint64_t paced;             /* rate=: the time up to which bytes are paid for, ns */
	uint64_t paced_until;       /* until when the last call was to wait for that; 0: none */
	struct weir_fault_rule_state rule[WEIR_RULES_MAX];
};

enum { WEIR_HELD_STEP_NS = 256 };

/* Until when a direction is held, CLOCK_MONOTONIC, ns; 0: it is not, UINT64_MAX: until it
 * is released. A hold that is damaged might have no end: the lowest byte of a time is the
 * CRC-8 of the others, which notices any three bits. */
static inline uint64_t weir_fault_held_word(uint64_t until)
{
	uint64_t high = (until + WEIR_HELD_STEP_NS - 1) / WEIR_HELD_STEP_NS * WEIR_HELD_STEP_NS;
	uint64_t rest = high;

	if (until == 0 || until > UINT64_MAX - WEIR_HELD_STEP_NS)
		return until == 0 ? 0 : UINT64_MAX;
	for (int i = 0; i < 56; i++)
		rest = rest << 1 ^ (rest >> 63 ? UINT64_C(0x07) << 56 : 0);
	return high | rest >> 56;
}

static inline uint64_t weir_fault_held_until(const struct weir_fault_state *s)
{
	uint64_t held = load64_acquire(&s->held);

	if (__builtin_expect(held != 0 && held != UINT64_MAX, 0) &&
	    weir_fault_held_word(held / WEIR_HELD_STEP_NS * WEIR_HELD_STEP_NS) != held)
		weir_damaged("a hold that nobody made");
	return held;
}

static inline void weir_fault_hold_until(struct weir_fault_state *s, uint64_t until)
{
	store64_release(&s->held, weir_fault_held_word(until));
}

/* The next bytes of a direction, as far as they are known: `size`, from `offset` of the
 * first piece on. */
struct weir_fault_bytes {
	const struct iovec *piece;
	size_t offset;
	size_t size;
};

/* Where a call stands. */
struct weir_fault_point {
	struct weir_plan *plan;
	struct weir_fault_state *state;
	uint64_t rules;             /* that concern it */
	uint32_t epoch;             /* of the plan that they are of */
	uint64_t pair;
	uint64_t byte;              /* position in the direction */
	uint64_t left;              /* bytes that it may still move */
	uint32_t side;
	uint32_t op;                /* 0: read, 1: write */
	uint32_t pid;
	bool moved;                 /* it has moved some */
	bool nonblocking;
	bool unread;                /* bytes of the direction wait for its reader */
	bool whole;                 /* it waits for all its bytes (MSG_WAITALL, SO_RCVLOWAT) */
	const char *comm;
	struct weir_fault_bytes bytes; /* what passes next, for match= */
};

/* One call of the program, over all its attempts. Begins as zeroes. */
struct weir_fault_call {
	bool begun;
	bool discards;
	bool limited;
	uint32_t next;              /* rule to be looked at */
	uint64_t known;             /* rules that have counted it */
	uint64_t allowance;         /* bytes that it may move at most, where limited */
	uint64_t corrupts;          /* bytes that it still damages */
};

enum weir_verdict_kind {
	WEIR_VERDICT_PASS,          /* move at most `limit` bytes, then ask again */
	WEIR_VERDICT_STOP,          /* the call ends with what it has moved */
	WEIR_VERDICT_FAIL,          /* ... with `error`, by a rule: nothing else changes */
	WEIR_VERDICT_ENDED,         /* ... as on a direction that was ended */
	WEIR_VERDICT_HOLD,          /* not before `until` */
	WEIR_VERDICT_END,           /* carry out `effect`, then ask again */
};

struct weir_verdict {
	enum weir_verdict_kind kind;
	int error;                  /* errno */
	uint64_t limit;
	uint64_t until;             /* CLOCK_MONOTONIC, ns; UINT64_MAX: until released */
	enum weir_effect effect;    /* eof, hangup or reset */
};

/* Is none of the texts complete with one of these bytes? */
bool weir_fault_look_ahead(const struct weir_plan *plan, struct weir_fault_state *s,
                           struct weir_fault_bytes bytes);

/* The bytes that were last looked at so have passed. */
void weir_fault_read_on(struct weir_fault_state *s);

/* Is nothing of the text of this rule there when these bytes have passed, as it was before?
 * At one quick look, mostly. `text`: as calm_text. */
static inline bool weir_fault_is_vain(const struct weir_plan *plan, uint32_t text,
                                      const unsigned char *bytes, size_t n)
{
	return text - 1 < WEIR_RULES_MAX && weir_search_is_vain(&plan->rules[text - 1], bytes, n);
}

struct weir_verdict weir_fault_decide(const struct weir_fault_point *p, struct weir_fault_call *call);

/* Is this call, of at most `n` bytes from `byte` on, one that nothing happens to, unless
 * a text is complete with it? */
static inline bool weir_fault_is_calm(const struct weir_fault_state *s, uint32_t epoch,
                                      uint64_t rules, uint64_t byte, uint64_t n)
{
	return s->calm_left > 0 && s->calm_epoch == epoch && s->calm_rules == rules &&
	       byte + n <= s->calm_until;
}

/* Then there is nothing to decide: `calls` of them only count. */
static inline void weir_fault_pass_calmly(struct weir_fault_state *s, uint64_t calls)
{
	s->calm_left -= calls < s->calm_left ? calls : s->calm_left;
}

/* The first `n` of the point's bytes pass. */
void weir_fault_passes(const struct weir_fault_point *p, struct weir_fault_call *call, uint64_t n);

/* Does a rule end the direction at this byte? Then `effect` must be carried out,
 * though nobody calls. */
bool weir_fault_ends_at(const struct weir_fault_point *p, enum weir_effect *effect);

/* Rules have gone, and others may get their places: nothing of them is left in the
 * state. `release`: they may hold calls back, which are let go (and must be woken). */
void weir_fault_forget(struct weir_fault_state *s, uint64_t rules, bool release);

/* Which bit of the byte at position `byte` corrupt= flips. */
unsigned int weir_fault_bit(const struct weir_fault_point *p, uint64_t byte);

/* chaos.c: what a correct kernel may do to a call that is about to begin. */
struct weir_verdict weir_chaos_decide(const struct weir_fault_point *p,
                                      struct weir_fault_call *call);

/* Whether chaos may hold the call here: not a write that does not block, unless bytes
 * are unread. */
bool weir_chaos_may_delay(const struct weir_fault_point *p);

/* The capacity that chaos gives a direction. */
uint64_t weir_chaos_capacity(uint64_t seed, uint64_t pair, uint32_t direction, uint64_t otherwise);

/* Notes that a rule fired in this call. */
void weir_fault_fire(const struct weir_fault_point *p, uint32_t rule);

/* Holds the direction; the call goes on with rule `next`. */
struct weir_verdict weir_fault_hold(const struct weir_fault_point *p, uint64_t until, uint32_t next);

#endif
