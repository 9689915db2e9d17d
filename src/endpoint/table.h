/* Which descriptors of this process are marked: number → end of a pair.
 *
 * One bounded array, looked up without a lock. The hooks keep it in step with
 * the kernel: a descriptor is entered after the kernel made it and taken out
 * before the kernel closes it.
 */
#ifndef WEIR_ENDPOINT_TABLE_H
#define WEIR_ENDPOINT_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/os.h"
#include "pair/pair.h"

enum { WEIR_TABLE_SIZE = 1 << 20 };

/* One end of a pair, as seen through one descriptor. */
struct weir_end {
	int fd;
	int side;
	uint32_t index;             /* of the slot */
	uint32_t generation;
	struct weir_slot *slot;
	struct weir_pipe_ref in;    /* the direction this end reads */
	struct weir_pipe_ref out;   /* the direction this end writes */
};

extern weir_word64 weir_table[WEIR_TABLE_SIZE];
extern struct weir_session weir_session;

/* This process's token (pair/life.h). */
extern weir_word32 weir_own_life;

/* This process has come into the session, by its start or by a fork. */
void weir_own_life_begins(void);

/* This process starts, or `left` a namespace, itself or for the children to come: do
 * numbers still mean what they mean for the rest of the session? */
void weir_notice_place(bool left);

/* Is the descriptor marked? Any number may be asked. */
static inline bool weir_marked(int fd)
{
	return (unsigned int)fd < WEIR_TABLE_SIZE && load64_relaxed(&weir_table[fd]) != 0;
}

/* An entry: generation in the high half, then slot index + 1, then the side. */
static inline uint64_t weir_table_pack(uint32_t index, int side, uint32_t generation)
{
	return (uint64_t)generation << 32 | (uint64_t)(index + 1) << 1 | (uint64_t)side;
}

/* What an entry stands for. Here, so that a caller computes only what it uses. */
static inline struct weir_end weir_table_unpack(uint64_t entry, int fd)
{
	uint32_t index = (uint32_t)((entry & UINT32_MAX) >> 1) - 1;
	uint32_t generation = (uint32_t)(entry >> 32);
	int side = (int)(entry & 1);

	return (struct weir_end){
	        .fd = fd,
	        .side = side,
	        .index = index,
	        .generation = generation,
	        .slot = &weir_session.slots[index],
	        .in = weir_pair_pipe(&weir_session, index, !side, generation),
	        .out = weir_pair_pipe(&weir_session, index, side, generation),
	};
}

/* What stands at a number; 0 where it is not marked. */
static inline uint64_t weir_table_entry(int fd)
{
	return (unsigned int)fd < WEIR_TABLE_SIZE ? load64_acquire(&weir_table[fd]) : 0;
}

/* What this process remembers of the pipe that an entry's end reads (`op` 0), or writes
 * (1). Where there is no place for that: the record of nobody. */
static inline struct weir_lone *weir_table_lone(uint64_t entry, int op)
{
	uint32_t nth = (uint32_t)entry ^ (uint32_t)!op; /* a pipe is named as its writer is */
	struct weir_lone *l = &weir_lones[nth < WEIR_LONES ? nth : 0];

	__asm__("" : "+r"(l)); /* one address, not that of each field anew */
	return l;
}

/* The direction that an entry's end reads, or writes. */
static inline struct weir_pipe_ref weir_table_pipe(uint64_t entry, int op)
{
	int side = (int)(entry & 1);

	return weir_pair_pipe(&weir_session, (uint32_t)((entry & UINT32_MAX) >> 1) - 1,
	                      op == WEIR_OP_WRITE ? side : !side, (uint32_t)(entry >> 32));
}

/* What all holders of an entry's end share. */
static inline struct weir_end_shared *weir_table_shared(uint64_t entry)
{
	uint32_t index = (uint32_t)((entry & UINT32_MAX) >> 1) - 1;

	return &weir_session.slots[index].end[entry & 1];
}

/* Finds the end behind a descriptor; false where it is not marked. */
static inline bool weir_end_of(int fd, struct weir_end *end)
{
	uint64_t entry = weir_table_entry(fd);

	if (__builtin_expect(entry == 0, 0))
		return false;
	*end = weir_table_unpack(entry, fd);
	return true;
}

/* Has the descriptor been closed or replaced since the end was found behind it? Then its
 * number may be another file's. */
static inline bool weir_table_has_left(const struct weir_end *end)
{
	return __builtin_expect(load64_acquire(&weir_table[end->fd]) !=
	                        weir_table_pack(end->index, end->side, end->generation), 0);
}

/* The same end behind another of its descriptors; false where this process has none. */
bool weir_table_move(const struct weir_end *end, struct weir_end *moved);

/* Leads `*end` to where it is now, if its descriptor was taken from it: to `moved`. */
static inline bool weir_table_follow(const struct weir_end **end, struct weir_end *moved)
{
	if (!weir_table_has_left(*end))
		return true;
	if (!weir_table_move(*end, moved))
		return false;
	*end = moved;
	return true;
}

/* Enters descriptor `fd` for the end `side` of the pair in slot `index`. What
 * stood at that number was closed behind our back, and is dropped. */
void weir_table_enter(int fd, uint32_t index, int side, uint32_t generation);

/* Enters `fd` for the same end as `end`: a duplicate. */
void weir_table_enter_copy(int fd, const struct weir_end *end);

/* Takes a descriptor out. True where this was the process's last for its end:
 * then the caller closes, and calls weir_end_released. */
bool weir_table_remove(int fd, struct weir_end *end);

/* A number that the kernel gave anew: whatever stood there has gone. */
void weir_table_fresh(int fd);

/* The highest marked number + 1; a bound for loops over all marked ones. */
int weir_table_bound(void);

/* How many descriptors of this process stand for an end. */
uint32_t weir_table_references(uint32_t index, int side);

/* In the child of a fork: nothing changes but who counts. Before the fork, in
 * the parent: the child's holds are added for it; taken back if it failed. */
void weir_table_hold_for_child(void);
void weir_table_release_for_child(void);

#endif
