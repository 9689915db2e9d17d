/* The command line of `weir run`, read by the one table of options. */
#ifndef WEIR_CLI_ARGUMENTS_H
#define WEIR_CLI_ARGUMENTS_H

#include "base/options.h"

struct weir_arguments {
	struct weir_config config;  /* defaults, the environment's, then the command line's */
	bool help;
	bool version;
	char **program;             /* PROGRAM [ARG...], ends in NULL; borrowed */
};

/* Returns false after one line on stderr. */
bool weir_arguments_read(struct weir_arguments *a, int argc, char **argv);

#endif
