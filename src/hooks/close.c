/* The end of descriptors: unpublish, release, then the kernel's close. */
#include <fcntl.h>
#include <linux/close_range.h>

#include "hooks/hooks.h"

static int close_marked(int fd)
{
	struct weir_end end;
	bool last = weir_table_remove(fd, &end);

	weir_loop_closes(fd, &end, last);
	weir_end_before_close(&end, last);
	int result = weir_real()->close(fd);
	weir_end_after_close(&end, last);
	return result;
}

int weir_close(int fd)
{
	if (__builtin_expect(!weir_marked(fd), 1) || weir_in_vfork_child()) {
		if (load32_relaxed(&weir_loops_made) && !weir_in_vfork_child())
			weir_loop_closes(fd, NULL, false);
		return weir_real()->close(fd);
	}
	int result = close_marked(fd);
	if ((unsigned int)fd <= 2)
		weir_stdio_refresh(fd);
	return result;
}

WEIR_EXPORT int close(int fd)
{
	return weir_close(fd);
}

/* The marked ones alone; the caller asks the kernel for the rest. */
void weir_close_range(unsigned int first, unsigned int last)
{
	unsigned int bound = (unsigned int)weir_table_bound();

	if (weir_in_vfork_child())
		return;
	weir_loops_close(first, last);
	for (unsigned int fd = first; fd < bound && fd <= last; fd++)
		if (weir_marked((int)fd))
			weir_close((int)fd);
}

WEIR_EXPORT int close_range(unsigned int first, unsigned int last, int flags)
{
	if (!weir_real()->close_range) {
		errno = ENOSYS;
		return -1;
	}
	if (first <= last && (flags & ~CLOSE_RANGE_UNSHARE) == 0)
		weir_close_range(first, last);
	return weir_real()->close_range(first, last, flags);
}

WEIR_EXPORT void closefrom(int lowest)
{
	weir_close_range(lowest > 0 ? (unsigned int)lowest : 0, UINT32_MAX);
	if (weir_real()->closefrom)
		weir_real()->closefrom(lowest);
}

WEIR_EXPORT int shutdown(int fd, int how)
{
	struct weir_end end;
	bool known_how = how == SHUT_RD || how == SHUT_WR || how == SHUT_RDWR; /* else EINVAL */
	bool marked = known_how && weir_end_of(fd, &end);

	if (marked)
		weir_end_before_shutdown(&end);
	int result = weir_real()->shutdown(fd, how);
	if (result == 0 && marked)
		weir_end_after_shutdown(&end);
	return result;
}
