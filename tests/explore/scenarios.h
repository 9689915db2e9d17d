/* All scenarios, a table for each file, which ends with a name of NULL. */
#ifndef WEIR_TESTS_EXPLORE_SCENARIOS_H
#define WEIR_TESTS_EXPLORE_SCENARIOS_H

#include "world.h"

extern const struct scenario scenarios_of_transfers[];
extern const struct scenario scenarios_of_readiness[];
extern const struct scenario scenarios_of_loops[];
extern const struct scenario scenarios_of_ends[];
extern const struct scenario scenarios_of_handlers[];
extern const struct scenario scenarios_of_changes[];
extern const struct scenario scenarios_of_alone[];

/* The first of all, and the next of each; NULL behind the last. */
const struct scenario *first_scenario(void);
const struct scenario *next_scenario(const struct scenario *s);

#endif
