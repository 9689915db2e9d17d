/* The pairs that a session remembers, open and closed, in order of their numbers. */
#ifndef WEIR_PAIR_LISTING_H
#define WEIR_PAIR_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pair/session.h"

struct weir_listed {
	uint64_t number;
	uint32_t place;             /* a retired record, or WEIR_RETIRED_MAX + a slot */
};

struct weir_listing {
	struct weir_listed *entry;  /* pages of its own, not from the heap */
	size_t count;
	size_t size_max;
};

/* What the listing says of one pair: a copy, checked to end in a zero byte. */
struct weir_pair_record {
	uint64_t number;
	uint32_t pid;
	char comm[WEIR_COMM_SIZE];
	struct weir_pipe_stats pipe[2];
};

/* Collects and sorts. Other processes may go on meanwhile: a pair that closes
 * just then may be missing. Returns 0 or -ENOMEM; release it afterwards. */
int weir_listing_make(struct weir_listing *l, const struct weir_session *s);
void weir_listing_release(struct weir_listing *l);

struct weir_pair_record weir_listing_record(const struct weir_listing *l,
                                            const struct weir_session *s, size_t i);

#endif
