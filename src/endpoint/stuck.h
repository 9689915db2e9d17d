/* Whom nobody can wake: the search for a set of processes that wait for each other. */
#ifndef WEIR_ENDPOINT_STUCK_H
#define WEIR_ENDPOINT_STUCK_H

#include "endpoint/endpoint.h"

enum { WEIR_STUCK_MAX = 16, WEIR_SLOT_SLEEPERS = 4 * WEIR_SLEEPERS_MAX };

/* All processes that hold an end of one of the pairs, and all pairs in which a thread
 * of one of them sleeps. */
struct weir_stuck {
	uint32_t self;              /* thread that looks, and is about to sleep; 0: none */
	uint32_t process[WEIR_STUCK_MAX];
	uint32_t processes;
	uint32_t pair[WEIR_STUCK_MAX]; /* indexes of slots */
	uint32_t pairs;
	uint64_t since;             /* of all their sleeps, added up */
	bool unsure;                /* a thread is about to sleep, or to wake */
	uint32_t unsure_tid;
	uint32_t pid;               /* which is being looked at */
};

/* The record `i` of a pair's sleepers, with its direction and its op. */
static inline const struct weir_sleeper *weir_slot_sleeper(const struct weir_slot *slot, int i)
{
	return &slot->pipe[i / 8].sleepers[i / 4 % 2][i % WEIR_SLEEPERS_MAX];
}

/* Does the record stand for a sleep that only the other side can end? */
bool weir_sleeps_in_vain(const struct weir_slot *slot, int i);

/* A process is stuck where each of its threads sleeps in vain in a pair whose ends
 * nobody holds but processes that are stuck. Is `pid`, with a thread that sleeps in the
 * pair at `index`? True only where that is certain. Makes no use of what `stuck` held
 * but `self`. */
bool weir_stuck_find(struct weir_stuck *stuck, uint32_t pid, uint32_t index);

#endif
