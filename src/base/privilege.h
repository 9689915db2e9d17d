/* Whether starting a file gives privileges that the starter lacks. The loader
 * then runs in secure-execution mode (ld.so(8)) and preloads nothing of ours. */
#ifndef WEIR_BASE_PRIVILEGE_H
#define WEIR_BASE_PRIVILEGE_H

#include <stdbool.h>

bool weir_exec_is_secure(int fd);

#endif
