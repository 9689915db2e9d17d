/* Duplicates: each of the four cases of marked and unmarked. */
#include <fcntl.h>

#include "hooks/hooks.h"

/* `fd` is a duplicate of `old` now, and nothing else any more. */
static int duplicated(int old, int fd)
{
	struct weir_end end;

	if (fd >= 0 && load32_relaxed(&weir_loops_made))
		weir_loop_shared(old);
	if (fd < 0 || weir_in_vfork_child())
		return fd;
	if (load32_relaxed(&weir_loops_made))
		weir_loop_closes(fd, NULL, false);
	if (weir_end_of(old, &end))
		weir_table_enter_copy(fd, &end);
	else
		weir_table_fresh(fd);
	if (fd <= 2)
		weir_stdio_refresh(fd);
	return fd;
}

WEIR_EXPORT int dup(int old)
{
	return duplicated(old, weir_real()->dup(old));
}

/* What stood at `new` closes within the call, so it is let go before; if the
 * call fails, it never left. */
static int dup_over(int old, int new, int flags, bool is_dup3)
{
	struct weir_end gone;
	bool was_marked = new != old && weir_marked(new) && !weir_in_vfork_child();
	if (was_marked)
		weir_loop_gives_up(new); /* while the number is still the end's */
	bool last = was_marked && weir_table_remove(new, &gone);

	if (was_marked)
		weir_end_before_close(&gone, last);
	int result = is_dup3 ? weir_real()->dup3(old, new, flags) : weir_real()->dup2(old, new);
	if (was_marked && result < 0)
		weir_table_enter_copy(new, &gone);
	else if (was_marked) {
		weir_loop_closes(new, &gone, last);
		weir_end_after_close(&gone, last);
	}
	return old == new ? result : duplicated(old, result);
}

WEIR_EXPORT int dup2(int old, int new)
{
	return dup_over(old, new, 0, false);
}

WEIR_EXPORT int dup3(int old, int new, int flags)
{
	return dup_over(old, new, flags, true);
}

static void note_status_flags(int fd, long flags)
{
	struct weir_end end;

	if (!weir_end_of(fd, &end))
		return;
	store32_relaxed(&end.slot->end[end.side].nonblock, (flags & O_NONBLOCK) != 0);
	if (flags & O_ASYNC)
		weir_end_watch(&end, POLLIN | POLLOUT, true);
}

static int control(int fd, int command, void *argument)
{
	int result = weir_real()->fcntl(fd, command, argument);

	if (result < 0)
		return result;
	if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
		return duplicated(fd, result);
	if (command == F_SETFD && !((long)(intptr_t)argument & FD_CLOEXEC))
		weir_loop_shared(fd);
	if (command == F_SETFL)
		note_status_flags(fd, (long)(intptr_t)argument);
	return result;
}

WEIR_EXPORT int fcntl(int fd, int command, ...)
{
	va_list list;

	va_start(list, command);
	void *argument = va_arg(list, void *);
	va_end(list);
	return control(fd, command, argument);
}

WEIR_EXPORT int fcntl64(int fd, int command, ...)
{
	va_list list;

	va_start(list, command);
	void *argument = va_arg(list, void *);
	va_end(list);
	return control(fd, command, argument);
}
