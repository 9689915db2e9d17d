/* The command's own descriptors, apart from those it was started with. */
#ifndef WEIR_CLI_DESCRIPTORS_H
#define WEIR_CLI_DESCRIPTORS_H

#include <stddef.h>

/* Moves `fd` (or -1: passes it on) to a number above 2: where a standard stream
 * is closed, a message must not land in a file of ours. Returns -1 with errno. */
int weir_descriptor_above_standard(int fd);

/* Closes all descriptors but stderr and the `count` numbers in `keep`; stdin and
 * stdout become /dev/null. The program has its own: one that stayed open here
 * would keep the other side of a pipe from ever seeing it closed. */
void weir_descriptors_let_go(const int *keep, size_t count);

#endif
