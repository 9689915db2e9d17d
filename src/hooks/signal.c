/* Handlers of signals: the kernel is given entries that count them (handler.c), and the
 * program is shown its own.
 *
 * All of this may be called in a handler.
 */
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/os.h"
#include "hooks/hooks.h"

typedef void (*handler)(int);

static handler enter(handler of, bool restarts)
{
	return (handler)weir_handler_entry((uintptr_t)of, restarts);
}

static handler behind(handler of)
{
	return (handler)weir_handler_behind((uintptr_t)of);
}

/* libc refuses the other numbers before it looks at anything. */
static bool is_signal(int number)
{
	return number > 0 && number < 65 && number != 32 && number != 33;
}

WEIR_EXPORT int sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
	struct sigaction ours;

	if (!is_signal(number))
		return weir_real()->sigaction(number, action, old);
	if (action) {
		ours = *action;
		ours.sa_handler = enter(ours.sa_handler, ours.sa_flags & SA_RESTART);
	}
	int result = weir_real()->sigaction(number, action ? &ours : NULL, old);
	if (result == 0 && old)
		old->sa_handler = behind(old->sa_handler);
	return result;
}

int __sigaction(int number, const struct sigaction *action, struct sigaction *old);

WEIR_EXPORT int __sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
	return sigaction(number, action, old);
}

/* The signals that signal(3) no longer sets SA_RESTART for: bit 0 is signal 1. libc's own
 * note of them is not to be had. */
static weir_word64 interrupting;

static uint64_t bit_of(int number)
{
	return UINT64_C(1) << (number - 1);
}

WEIR_EXPORT int siginterrupt(int number, int interrupts)
{
	struct sigaction action;

	if (sigaction(number, NULL, &action) != 0)
		return -1;
	if (interrupts) {
		or64_ordered(&interrupting, bit_of(number));
		action.sa_flags &= ~SA_RESTART;
	} else {
		and64_ordered(&interrupting, ~bit_of(number));
		action.sa_flags |= SA_RESTART;
	}
	return sigaction(number, &action, NULL);
}

WEIR_EXPORT handler signal(int number, handler to)
{
	struct sigaction action = {.sa_handler = to, .sa_flags = SA_RESTART}, old;

	if (to == SIG_ERR || sigaddset(&action.sa_mask, number) != 0) {
		errno = EINVAL;
		return SIG_ERR;
	}
	if (load64_relaxed(&interrupting) & bit_of(number))
		action.sa_flags = 0;
	return sigaction(number, &action, &old) == 0 ? old.sa_handler : SIG_ERR;
}

handler bsd_signal(int number, handler to);

WEIR_EXPORT handler bsd_signal(int number, handler to)
{
	return signal(number, to);
}

WEIR_EXPORT handler ssignal(int number, handler to)
{
	return signal(number, to);
}

/* Those of System V never start a call again. */
WEIR_EXPORT handler sysv_signal(int number, handler to)
{
	return behind(weir_real()->sysv_signal(number, enter(to, false)));
}

WEIR_EXPORT handler __sysv_signal(int number, handler to)
{
	return sysv_signal(number, to);
}

WEIR_EXPORT handler sigset(int number, handler to)
{
	if (to == SIG_HOLD)
		return behind(weir_real()->sigset(number, to));
	return behind(weir_real()->sigset(number, enter(to, false)));
}

/* rt_sigaction(2). */
struct raw_action {
	uintptr_t handler;
	unsigned long flags;
	uintptr_t restorer;
	uint64_t mask;
};

/* Can so much be read? The kernel looks at a set before it finds that it knows no such way
 * to change the mask. */
static bool is_readable(const struct raw_action *action)
{
	enum { NO_WAY = 77 };

	return os_call(SYS_rt_sigprocmask, NO_WAY, (long)&action->handler, 0, 8, 0, 0) != -EFAULT &&
	       os_call(SYS_rt_sigprocmask, NO_WAY, (long)&action->mask, 0, 8, 0, 0) != -EFAULT;
}

int weir_raw_sigaction(int number, const void *action, void *old, size_t mask_size)
{
	struct raw_action ours, *before = old;

	if (action && !weir_is_filtered() && is_readable(action)) {
		memcpy(&ours, action, sizeof(ours));
		ours.handler = weir_handler_entry(ours.handler, ours.flags & SA_RESTART);
		action = &ours;
	}
	int result = (int)weir_real()->syscall(SYS_rt_sigaction, number, action, old, mask_size);
	if (result == 0 && before)
		before->handler = weir_handler_behind(before->handler);
	return result;
}
