/* Pairs: slots of the session, each with two crossed pipes. */
#ifndef WEIR_PAIR_PAIR_H
#define WEIR_PAIR_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "pair/session.h"
#include "pipe/lone.h"

/* The number of the next pair. One that is not carried has a number, too, so
 * that the others keep theirs. */
uint64_t weir_pair_number(const struct weir_session *s);

/* Takes a slot for a new pair: both ends held once, by this process.
 * Gives its index, or -ENOSPC (all are in use). Async-signal-safe. */
int64_t weir_pair_open(const struct weir_session *s, uint64_t number, uint32_t pid,
                       const char *comm);

/* Sets a direction's capacity. `given`: somebody chose it, so that room for a byte is
 * what poll calls writable. Both locks. */
void weir_pair_set_capacity(const struct weir_session *s, const struct weir_pipe_ref *ref,
                            uint64_t capacity, bool given);

/* Lets the plan's rules concern the calls of a pair. */
void weir_pair_arm(const struct weir_session *s, uint32_t index);

/* The plan has changed: the same for all pairs. */
void weir_pair_arm_all(const struct weir_session *s);

/* What the faults remember of one end's calls. `op`: 0 reads, 1 writes. */
struct weir_fault_state *weir_pair_fault_state(const struct weir_session *s, uint32_t index,
                                               int side, int op);

/* The plan's lock, for who changes it. */
void weir_plan_lock(const struct weir_session *s);
void weir_plan_unlock(const struct weir_session *s);

/* Another process holds the end from now on. */
void weir_pair_hold(struct weir_slot *slot, int side);

/* A process holds the end no longer; the slot goes back when nobody holds
 * either. `generation` tells the pair from a later one in the same slot. */
void weir_pair_release(const struct weir_session *s, uint32_t index, int side, uint32_t generation);

/* Ends a pair's life whatever its holders: its sockets are known to be gone. */
void weir_pair_discard(const struct weir_session *s, uint32_t index, uint32_t generation);

/* The pipe that `side` writes to (0: a to b), as this process sees it. */
static inline struct weir_pipe_ref weir_pair_pipe(const struct weir_session *s, uint32_t index,
                                                  int direction, uint32_t generation)
{
	uint64_t nth = (uint64_t)index * 2 + (uint64_t)direction;

	return (struct weir_pipe_ref){
	        .pipe = &s->slots[index].pipe[direction],
	        .lone = nth + 2 < WEIR_LONES ? &weir_lones[nth + 2] : NULL,
	        .storage = s->rings + index * weir_rings_size(s->ring_span) +
	                   weir_rings_middle(s->ring_span),
	        .span_mask = s->ring_span - 1,
	        .generation = generation,
	        .before = (uint32_t)direction,
	};
}

/* Which end has the socket of that identity (SO_COOKIE), if any. */
bool weir_pair_find(const struct weir_session *s, uint64_t cookie, uint32_t *index, int *side);

/* What poll calls writable in this session. */
struct weir_writable_rule weir_session_writable_rule(const struct weir_session *s);

/* Takes back the slots whose sockets have all gone without a word (killed
 * processes): those whose inodes /proc/net/unix does not list. Gives how many. */
uint32_t weir_pair_reclaim(const struct weir_session *s);

#endif
