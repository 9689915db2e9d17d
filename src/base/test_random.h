/* Chance for tests, that can be had again: the seed is printed, and taken from
 * the environment (WEIR_SEED) where it is there. */
#ifndef WEIR_BASE_TEST_RANDOM_H
#define WEIR_BASE_TEST_RANDOM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct test_random {
	uint64_t state;
};

static inline uint64_t test_random_next(struct test_random *r)
{
	/* splitmix64: any seed will do, 0 too */
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* A number in [0, below). */
static inline size_t test_random_below(struct test_random *r, size_t below)
{
	return (size_t)(test_random_next(r) % below);
}

/* Small numbers are as likely as large ones: in [0, below). */
static inline size_t test_random_size(struct test_random *r, size_t below)
{
	size_t bound = 1 + test_random_below(r, 16);

	return test_random_below(r, bound < below && bound < 16 ? bound : below);
}

static inline struct test_random test_random_begin(const char *name)
{
	const char *given = getenv("WEIR_SEED");
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t seed = given ? strtoull(given, NULL, 0)
	                      : (uint64_t)now.tv_sec * 1000003 + (uint64_t)now.tv_nsec +
	                                (uint64_t)getpid();
	printf("# %s: WEIR_SEED=%llu\n", name, (unsigned long long)seed);
	return (struct test_random){seed};
}

#endif
