/* What weir_glob_match (rule.h) reads. */
#ifndef WEIR_FAULT_GLOB_H
#define WEIR_FAULT_GLOB_H

#include <stddef.h>

/* Where the glob goes wrong: at a '[' that nothing closes, or a backslash at the
 * end. Its length where all is well. */
size_t weir_glob_span(const char *glob);

#endif
