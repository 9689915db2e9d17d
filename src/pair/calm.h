/* Calls that rules let pass, counted beside the pipe.
 *
 * Where the plan has said that nothing happens to an end's next calls, and one thread
 * has both ends to itself, they are counted down in the pipe, and the state of the
 * faults is not looked at until something needs it. All with that side's lock.
 */
#ifndef WEIR_PAIR_CALM_H
#define WEIR_PAIR_CALM_H

#include "fault/decide.h"
#include "pipe/pipe.h"

enum { WEIR_CALM_CALL_BITS = 20 }; /* the longest call that is counted so: 1 MiB */

/* Is the next call of `op` (0: read, 1: write), which `rules` concern, one of them? */
static inline bool weir_calm_holds(const struct weir_pipe *pipe, int op, uint64_t rules)
{
	const struct weir_calm *c = &pipe->calm[op];

	return load64_relaxed(&c->rules) == rules && load32_relaxed(&c->left) > 0;
}

/* The same for who holds that side's lock, of whatever rules there are. Only who is alone knows
 * that they are those of his process. */
static inline bool weir_calm_is_counted(const struct weir_pipe *pipe, int op)
{
	bool alone = op ? weir_pipe_writes_alone(pipe) : weir_pipe_reads_alone(pipe);

	return alone && weir_calm_holds(pipe, op, load64_relaxed(op ? &pipe->rules_write
	                                                           : &pipe->rules_read));
}

static inline void weir_calm_passes(struct weir_pipe *pipe, int op)
{
	sub32_here(&pipe->calm[op].left, 1);
}

/* The same where a text must not be in its bytes (the text's rule, + 1); 0: it is not. */
static inline uint32_t weir_calm_holds_without(const struct weir_pipe *pipe, int op, uint64_t rules)
{
	const struct weir_calm *c = &pipe->calm[op];

	if (load64_relaxed(&c->rules) != rules || load32_relaxed(&c->left_looking) == 0)
		return 0;
	return load32_relaxed(&c->text);
}

static inline void weir_calm_passes_without(struct weir_pipe *pipe, int op)
{
	sub32_here(&pipe->calm[op].left_looking, 1);
}

/* Puts what was counted into the state, before that is used. Whoever was interrupted between
 * the look and the count changes a number that holds for no rules. */
static inline void weir_calm_end(struct weir_pipe *pipe, int op, struct weir_fault_state *s)
{
	struct weir_calm *c = &pipe->calm[op];
	uint32_t left = load32_relaxed(&c->left) + load32_relaxed(&c->left_looking);
	uint32_t granted = load32_relaxed(&c->granted);

	if (granted == 0)
		return;
	store64_relaxed(&c->rules, 0);
	store32_relaxed(&c->granted, 0);
	store32_relaxed(&c->left, 0);
	store32_relaxed(&c->left_looking, 0);
	weir_fault_pass_calmly(s, left < granted ? granted - left : 0);
}

/* A call up to `byte` of the direction was calm. `rules`: the pipe's word of them. */
static inline void weir_calm_begin(struct weir_pipe *pipe, int op, const struct weir_fault_state *s,
                                   uint64_t rules, uint64_t byte)
{
	struct weir_calm *c = &pipe->calm[op];
	uint64_t n = s->calm_left, end = byte + s->beyond;
	uint64_t calls = end < s->calm_until ? (s->calm_until - end) >> WEIR_CALM_CALL_BITS : 0;

	if (s->calm_texts && s->calm_text == 0)
		return;
	n = n < calls ? n : calls;
	n = n < UINT32_MAX ? n : UINT32_MAX;
	store64_relaxed(&c->rules, rules);
	store32_relaxed(&c->text, s->calm_text);
	store32_relaxed(&c->left, s->calm_text ? 0 : (uint32_t)n);
	store32_relaxed(&c->left_looking, s->calm_text ? (uint32_t)n : 0);
	store32_relaxed(&c->granted, (uint32_t)n);
}

/* The same for calls of a process that the rules do not concern. */
static inline void weir_calm_begin_free(struct weir_pipe *pipe, int op, uint64_t rules)
{
	struct weir_calm *c = &pipe->calm[op];

	store64_relaxed(&c->rules, rules);
	store32_relaxed(&c->text, 0);
	store32_relaxed(&c->left, UINT32_MAX);
	store32_relaxed(&c->left_looking, 0);
	store32_relaxed(&c->granted, UINT32_MAX);
}

#endif
