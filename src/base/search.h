/* Where execvp(3) would find a program. */
#ifndef WEIR_BASE_SEARCH_H
#define WEIR_BASE_SEARCH_H

#include <stddef.h>

/* Puts the path of the program into `path`. Returns 0, -ENOENT, or -errno where
 * it is there but cannot be executed. */
int weir_search_path(char *path, size_t size, const char *name);

#endif
