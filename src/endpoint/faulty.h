/* Faults carried out on an end: what the plan decides becomes what the call does.
 *
 * An end that no rule concerns never comes here.
 */
#ifndef WEIR_ENDPOINT_FAULTY_H
#define WEIR_ENDPOINT_FAULTY_H

#include "endpoint/bare.h"
#include "endpoint/endpoint.h"
#include "fault/decide.h"
#include "pair/calm.h"

/* Kept out of the callers that need it seldom. */
#define WEIR_SELDOM __attribute__((noinline))

/* What an attempt gives where the plan has decided otherwise: see `verdict`. */
#define WEIR_BY_FAULT (-5001)

enum { WEIR_DAMAGED_MAX = 512 };

/* One call of the program, with what the plan has to do with it. */
struct weir_faulty {
	const struct weir_end *end;
	int op;
	int flags;
	struct weir_waits waits;    /* in holds */
	bool whole;                 /* waits for all its bytes */
	bool ends;                  /* the attempt came to where `effect` ends the direction */
	enum weir_effect effect;
	struct weir_verdict verdict;
	struct weir_fault_call call;
	struct weir_fault_point point;
	struct iovec stored[2];     /* the bytes that are about to pass, where they come in */
	struct weir_span received;  /* where the attempt puts what comes in */
	struct iovec iov;           /* bytes that are sent in the place of the program's */
	struct weir_span damaged;
	unsigned char bytes[WEIR_DAMAGED_MAX];
};

/* Does the plan concern calls of `op` on this end? One load. What faults take (clocks,
 * signals, sleep) is forbidden to a process with a filter: it is left alone. */
static inline bool weir_is_faulty(const struct weir_end *end, int op)
{
	const struct weir_pipe *pipe = op == WEIR_OP_READ ? end->in.pipe : end->out.pipe;

	return load64_relaxed(op == WEIR_OP_READ ? &pipe->rules_read : &pipe->rules_write) != 0 &&
	       !weir_is_bare();
}

/* What this process is to the rules; asked for once for each state of the plan. */
struct weir_rules_self {
	weir_word32 epoch;          /* of the plan, + 1; 0: not known */
	weir_word32 pid;
	weir_word64 rules;
	char comm[WEIR_COMM_SIZE];
};

extern struct weir_rules_self weir_self;

WEIR_SELDOM uint64_t weir_rules_of_self_anew(void);

/* Of the rules that concern an end's calls, those that concern this process's. */
static inline uint64_t weir_rules_here(const weir_word64 *word)
{
	uint64_t rules = load64_relaxed(word);

	if (__builtin_expect(rules == 0, 1) || weir_is_bare())
		return 0;
	bool known = load32_acquire(&weir_self.epoch) ==
	                     load32_acquire(&weir_session.plan->epoch) + 1 &&
	             load32_relaxed(&weir_self.pid) == load32_relaxed(&weir_own_process);
	uint64_t own = __builtin_expect(known, 1) ? load64_relaxed(&weir_self.rules)
	                                          : weir_rules_of_self_anew();
	return rules & (own | WEIR_DONE_BIT);
}

/* Is no text that a rule looks for complete with the bytes that would pass, at most `*n`:
 * those at `span` for a write, those in the pipe for a read? Then `*n` becomes how many
 * that are: no more may pass. */
WEIR_SELDOM bool weir_texts_read_on(const struct weir_end *end, int op, struct weir_fault_state *s,
                        const struct weir_span *span, size_t *n);

static inline struct weir_fault_state *weir_fault_state_of(const struct weir_end *end, int op)
{
	return &weir_session.faults[end->index].state[op ? end->side : !end->side][op];
}

static inline struct weir_pipe *weir_pipe_of(const struct weir_end *end, int op)
{
	return op ? end->out.pipe : end->in.pipe;
}

/* With all calls counted. That side's lock. */
static inline struct weir_fault_state *weir_fault_state_now(const struct weir_end *end, int op)
{
	struct weir_fault_state *s = weir_fault_state_of(end, op);

	weir_calm_end(weir_pipe_of(end, op), op, s);
	return s;
}

/* Does nothing happen to a call of at most `*n` bytes, though `rules` concern it? Lowers
 * `*n` to what may pass. `span`: the program's. `peeks`: the bytes will not pass. That
 * side's lock. */
static inline bool weir_is_calm(const struct weir_end *end, int op, uint64_t rules,
                                const struct weir_span *span, size_t *n, bool peeks)
{
	struct weir_pipe *pipe = weir_pipe_of(end, op);

	if (*n <= (size_t)1 << WEIR_CALM_CALL_BITS && weir_calm_is_counted(pipe, op)) {
		weir_calm_passes(pipe, op);
		return true;
	}
	struct weir_fault_state *s = weir_fault_state_now(end, op);
	uint64_t byte = load64_relaxed(op ? &pipe->tail : &pipe->head);

	if (!weir_fault_is_calm(s, load32_relaxed(&weir_self.epoch), rules, byte + s->beyond, *n))
		return false;
	if (s->calm_texts && (peeks || !weir_texts_read_on(end, op, s, span, n)))
		return false;
	weir_fault_pass_calmly(s, 1);
	return true;
}

/* How a call passes the short way though the pipe has rules. */
struct weir_calm_way {
	uint64_t word;              /* the pipe's rules, before the call */
	bool counted;               /* it is counted in the pipe; or ... */
	struct weir_fault_state *state; /* ... here, if rules concern it */
};

/* Does nothing happen to a call of `*n` bytes that would pass in one piece, by rules of which
 * `way->word` is not 0? A write's are `bytes`; for a read, `*n` becomes how many may pass. To
 * be told once they have (weir_calm_passed). That side's lock. */
WEIR_SELDOM bool weir_calm_looks(const struct weir_end *end, int op, const void *bytes, size_t *n,
                                 struct weir_calm_way *way);

WEIR_SELDOM void weir_calm_note(struct weir_pipe *pipe, int op, const struct weir_calm_way *way);

static inline void weir_calm_passed(struct weir_pipe *pipe, int op, const struct weir_calm_way *way)
{
	if (__builtin_expect(way->word == 0, 1))
		return;
	if (way->counted)
		weir_calm_passes(pipe, op);
	else
		weir_calm_note(pipe, op, way);
}

/* A call begins in which the plan has a say. `whole`: it waits for all its bytes.
 * `calm`: the rules that have counted it already, because its first attempt was calm. */
WEIR_SELDOM struct weir_faulty *weir_faulty_begin(struct weir_faulty *f, const struct weir_end *end,
                                                  int op, int flags, bool whole,
                                                  uint64_t calm);

/* Before bytes pass, under that side's lock: 0 where they may, at most `*n` of them;
 * WEIR_BY_FAULT where not; a count where they went nowhere. `moved`: the call has
 * moved bytes before. `*span` may become another, with other bytes. */
WEIR_SELDOM ssize_t weir_faulty_before_put(struct weir_faulty *f, struct weir_span **span, size_t *n, bool moved);
WEIR_SELDOM ssize_t weir_faulty_before_take(struct weir_faulty *f, struct weir_span span, size_t *n, int flags,
                                bool moved);

/* `n` bytes have passed. `span` is where the program's own begin; it is moved on. */
WEIR_SELDOM void weir_faulty_after_put(struct weir_faulty *f, struct weir_span *span, size_t n);
WEIR_SELDOM void weir_faulty_after_take(struct weir_faulty *f, size_t n);

/* After an attempt, without locks: carries out what it found. WEIR_WAIT_AGAIN: make
 * another; WEIR_WAIT_ENDED: the call ends with what it has; else -errno. */
WEIR_SELDOM int weir_faulty_settle(struct weir_faulty *f, bool moved);

/* The same for a direction that the kernel carries; these take the locks. `known`:
 * the bytes that come next, as far as they are known. Lowers `*n` to what the real
 * call may move, for WEIR_WAIT_AGAIN; else what settle gives. */
int weir_faulty_kernel_begin(struct weir_faulty *f, struct weir_span known, size_t known_size,
                             size_t *n, bool moved);

/* Of the `n` bytes that it let pass, makes a copy that is damaged as the plan wants
 * it: gives its length, and where it is. */
size_t weir_faulty_kernel_copy(struct weir_faulty *f, struct weir_span *span, size_t n);

/* The first `n` bytes of the span have moved. True where that ended the direction. */
bool weir_faulty_kernel_end(struct weir_faulty *f, struct weir_span span, size_t n);

/* carried.c: a call, or the `len` bytes that are left of it, on such a direction. The
 * control data of `msg`, if any, goes with the first byte. `moved`: bytes that it has
 * moved before. Gives all that it moved, or -errno. */
ssize_t weir_carried_send(struct weir_faulty *f, const struct msghdr *msg, struct weir_span span,
                          size_t len, size_t moved);

/* Fills in all of `msg`, if any. */
ssize_t weir_carried_receive(struct weir_faulty *f, struct msghdr *msg, struct weir_span span,
                             size_t len);

/* Is the end held back, so that it is not ready for `op`? Until when: ns of
 * CLOCK_MONOTONIC, UINT64_MAX until released. */
bool weir_end_is_held(const struct weir_end *end, int op, uint64_t *until);

/* Ends a direction as eof, hangup and reset do. `op`: whose side is meant. */
void weir_end_cut(const struct weir_end *end, int op, enum weir_effect effect);

/* Holds calls of `op` back until they are released. */
void weir_end_stall(const struct weir_end *end, int op);

/* Makes whoever sleeps in the pair look again, after a change from outside. `peer`: a
 * descriptor of the other end, or -1: then readers go on sleeping. `hold`: also who asks
 * the kernel, because it must not be believed from now on. */
void weir_end_nudge(const struct weir_end *end, int peer, bool hold);

/* Lets go who is held; all of them look again. */
void weir_end_release(const struct weir_end *end, int op);

/* Whoever waits in a hold of this pair looks again. */
void weir_holds_wake(const struct weir_session *s, uint32_t index);

#endif
