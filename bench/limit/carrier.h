/* The least that can carry bytes between two threads or processes: what weir is measured against. */
#ifndef BENCH_CARRIER_H
#define BENCH_CARRIER_H

#include <stddef.h>

/* One direction: `capacity` bytes in memory that both sides share. */
struct carrier;

struct carrier_type {
	const char *name;
	struct carrier *(*make)(size_t capacity);

	/* Returns how many bytes went, at least one: waits for room, or for bytes, as it must. */
	size_t (*put)(struct carrier *carrier, const char *bytes, size_t count);
	size_t (*take)(struct carrier *carrier, char *bytes, size_t count);
};

/* Two copies and two positions, for one writer and one reader; whoever has to wait spins. */
extern const struct carrier_type spinning_ring;

/* The same under one mutex, for any number of them; whoever has to wait sleeps. */
extern const struct carrier_type mutex_ring;

#endif
