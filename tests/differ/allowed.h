/* Where more than one result is right: those that the kernel may give, and weir with it. */
#ifndef DIFFER_ALLOWED_H
#define DIFFER_ALLOWED_H

#include <stdbool.h>

/* Of a program as text, two traces: equal, but for what its calls say may come or not. */
bool allowed_is(const char *program, const char *kernel, const char *weir);

#endif
