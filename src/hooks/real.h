/* libc's own functions, and the border where errno is set.
 *
 * Three names, always: `close` is what the program calls, weir_close is ours,
 * weir_real()->close is libc's.
 */
#ifndef WEIR_HOOKS_REAL_H
#define WEIR_HOOKS_REAL_H

#include <aio.h>
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#define WEIR_EXPORT __attribute__((visibility("default")))

struct weir_real {
#define HOOK(result, name, parameters) result(*name) parameters;
#define OPTIONAL(result, name, parameters) HOOK(result, name, parameters)
#include "hooks/names.def"
#undef OPTIONAL
#undef HOOK
};

extern struct weir_real weir_real_table;
extern bool weir_real_known;

void weir_real_resolve(void);

/* Works in any order of construction: the first use looks everything up. */
static inline const struct weir_real *weir_real(void)
{
	if (__builtin_expect(!weir_real_known, 0))
		weir_real_resolve();
	return &weir_real_table;
}

/* From "count or -errno" to what libc's callers expect. */
static inline ssize_t weir_result(ssize_t r)
{
	if (r >= 0)
		return r;
	errno = (int)-r;
	return -1;
}

#endif
