/* The file that PROGRAM names, and whether weir can reach it. */
#ifndef WEIR_CLI_PROGRAM_H
#define WEIR_CLI_PROGRAM_H

#include <limits.h>
#include <stdbool.h>

#include "base/options.h"
#include "base/reach.h"

struct weir_program {
	char path[PATH_MAX];
	enum weir_reach reach;
	bool needs_asan;            /* linked with AddressSanitizer's shared runtime */
};

/* Finds and examines the program. Returns 0, or the status to end with after
 * one line on stderr. */
int weir_program_find(struct weir_program *p, const char *name, const struct weir_config *config);

#endif
