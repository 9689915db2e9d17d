/* A link with a plain name to a file whose path ld.so cannot take. */
#ifndef WEIR_CLI_LINK_H
#define WEIR_CLI_LINK_H

#include <stdbool.h>
#include <stddef.h>

/* True where `path` holds a byte that has a meaning in LD_PRELOAD. */
bool weir_link_is_needed(const char *path);

/* Makes, or finds, the link to `path` and puts its name into `name`. There is one
 * per path, in a folder `weir` that belongs to the user alone, below
 * XDG_RUNTIME_DIR, XDG_CACHE_HOME or ~/.cache. False where there is no such
 * folder. */
bool weir_link_make(char *name, size_t size, const char *path);

#endif
