/* What the program finds in its environment. */
#ifndef WEIR_CLI_ENVIRONMENT_H
#define WEIR_CLI_ENVIRONMENT_H

#include <stdbool.h>

/* LD_PRELOAD with `library` in it (NULL: without); what was there stays, sanitizer
 * runtimes first.
 * ASAN_OPTIONS where AddressSanitizer would refuse to come second. WEIR_SESSION.
 * Changes this process's own environment, which the program inherits.
 * Returns 0 or -errno. */
int weir_environment_set(const char *session, const char *library, bool program_needs_asan);

#endif
