/* libweir.so: where it is, and a name for it that LD_PRELOAD can carry. */
#ifndef WEIR_CLI_LIBRARY_H
#define WEIR_CLI_LIBRARY_H

#include <limits.h>

struct weir_library {
	char path[PATH_MAX];
	char preload[PATH_MAX];     /* the same file, no byte that ld.so gives a meaning */
	int fd;                     /* keeps `preload` alive, or -1 */
};

/* Returns 0, or -errno after one line on stderr. */
int weir_library_find(struct weir_library *l);

#endif
