/* Life under a seccomp filter: plain reads and writes, nothing else. */
#ifndef WEIR_ENDPOINT_BARE_H
#define WEIR_ENDPOINT_BARE_H

#include "endpoint/wait.h"

/* Just before the process installs a filter. */
void weir_endpoints_go_bare(void);

/* From then on: only reads and writes may be made on a marked descriptor. */
bool weir_is_bare(void);

/* Waits for input as weir_wait_input does, by reading bells one by one. */
int weir_bare_wait_input(const struct weir_end *end);

#endif
