/* All schedules of a scenario: depth first, each state once. */
#ifndef WEIR_TESTS_EXPLORE_SEARCH_H
#define WEIR_TESTS_EXPLORE_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

enum { BOUND_NONE = 1000 };     /* as many preemptions as there are */

struct limits {
	int preemptions;            /* switches away from a thread that could have gone on */
	uint64_t states;            /* looked at, then the search gives up */
	bool every_path;            /* also to states that were seen: the same count, by walking */
};

struct found {
	bool failed;                /* then `failure` says what, and schedule_text() how */
	bool exhausted;             /* there are no other schedules */
	uint64_t states;            /* that were kept, each looked at once */
	uint64_t steps;             /* taken in all */
	double schedules;           /* that these stand for */
	uint32_t longest;           /* operations of the longest schedule */
};

struct found search(const struct limits *limits);

/* The schedule that failed, so that replay() does it again. */
const char *schedule_text(void);

/* Runs one schedule with a trace on standard output. False where it does not fit. */
bool replay(const char *schedule);

#endif
