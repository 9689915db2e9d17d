/* Random programs: the same seed gives the same program. */
#ifndef DIFFER_GENERATE_H
#define DIFFER_GENERATE_H

#include <stdint.h>

#include "program.h"

struct random {
	uint64_t state;
};

struct random random_from(uint64_t seed);
uint32_t random_below(struct random *random, uint32_t bound);

/* For the kernel to judge: no call of actor 0 waits for good, and how much is on its
 * way stays where the kernel's and weir's rules of room agree. */
void generate(struct program *program, uint64_t seed);

#endif
