/* Faults carried out on an end: what the plan decides becomes what the call does.
 *
 * An end that no rule concerns never comes here.
 */
#ifndef WEIR_ENDPOINT_FAULTY_H
#define WEIR_ENDPOINT_FAULTY_H

#include "endpoint/endpoint.h"
#include "fault/decide.h"

/* What an attempt gives where the plan has decided otherwise: see `verdict`. */
#define WEIR_BY_FAULT (-5001)

/* A call that no rule concerned, and that one does now: to be made again. */
#define WEIR_NOW_FAULTY (-5002)

enum { WEIR_OP_READ, WEIR_OP_WRITE };

/* One call of the program, with what the plan has to do with it. */
struct weir_faulty {
	const struct weir_end *end;
	int op;
	int flags;
	bool whole;                 /* waits for all its bytes */
	bool ends;                  /* the attempt came to where `effect` ends the direction */
	enum weir_effect effect;
	struct weir_verdict verdict;
	struct weir_fault_call call;
};

/* Does the plan concern calls of `op` on this end? One load. */
static inline bool weir_is_faulty(const struct weir_end *end, int op)
{
	const struct weir_pipe *pipe = op == WEIR_OP_READ ? end->in.pipe : end->out.pipe;

	return load64_relaxed(op == WEIR_OP_READ ? &pipe->rules_read : &pipe->rules_write) != 0;
}

struct weir_faulty weir_faulty_begin(const struct weir_end *end, int op, int flags, bool whole);

/* As weir_pipe_put and weir_pipe_take, as far as the plan allows. `moved`: the call
 * has moved bytes before. That side's lock. */
ssize_t weir_faulty_put(struct weir_faulty *f, struct weir_span *span, size_t n, bool moved);
ssize_t weir_faulty_take(struct weir_faulty *f, struct weir_span *span, size_t n, bool moved);

/* How many of the `n` bytes that a program wants to peek at it may see; or
 * WEIR_BY_FAULT. That side's lock. */
ssize_t weir_faulty_peek(struct weir_faulty *f, size_t n, bool moved);

/* After an attempt, without locks: carries out what it found. WEIR_WAIT_AGAIN: make
 * another; WEIR_WAIT_ENDED: the call ends with what it has; else -errno. */
int weir_faulty_settle(struct weir_faulty *f, bool moved);

/* The same for a direction that the kernel carries; these take the locks. `known`:
 * the bytes that come next, as far as they are known. Lowers `*n` to what the real
 * call may move, for WEIR_WAIT_AGAIN; else what settle gives. */
int weir_faulty_kernel_begin(struct weir_faulty *f, struct weir_span known, size_t known_size,
                             size_t *n, bool moved);

/* Copies what is to be sent, damaged as the plan wants it. */
size_t weir_faulty_kernel_copy(struct weir_faulty *f, struct weir_span span, unsigned char *bytes,
                               size_t n);

/* The first `n` bytes of the span have moved. True where that ended the direction. */
bool weir_faulty_kernel_end(struct weir_faulty *f, struct weir_span span, size_t n);

/* carried.c: a call, or what is left of it, on such a direction. `moved`: bytes that
 * it has moved before. Gives all that it moved, or -errno. */
ssize_t weir_carried_send(struct weir_faulty *f, const struct msghdr *msg, size_t len,
                          size_t moved);
ssize_t weir_carried_receive(struct weir_faulty *f, struct msghdr *msg, size_t len);

/* Is the end held back, so that it is not ready for `op`? Until when: ns of
 * CLOCK_MONOTONIC, UINT64_MAX until released. */
bool weir_end_is_held(const struct weir_end *end, int op, uint64_t *until);

/* Ends a direction as eof, hangup and reset do. `op`: whose side is meant. */
void weir_end_cut(const struct weir_end *end, int op, enum weir_effect effect);

/* Holds calls of `op` back until they are released. */
void weir_end_stall(const struct weir_end *end, int op);

/* Makes whoever sleeps in the pair look again, after a change from outside. `peer`: a
 * descriptor of the other end, or -1: then readers go on sleeping. */
void weir_end_nudge(const struct weir_end *end, int peer);

/* Lets go who is held; all of them look again. */
void weir_end_release(const struct weir_end *end, int op);

/* Whoever waits in a hold of this pair looks again. */
void weir_holds_wake(const struct weir_session *s, uint32_t index);

#endif
