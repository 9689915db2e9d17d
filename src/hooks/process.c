/* Processes are made and go: fork, vfork, wait, exit. */
#include <linux/seccomp.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/os.h"
#include "endpoint/bare.h"
#include "hooks/hooks.h"

static weir_word32 vfork_pending;

static uint32_t kernel_pid(void)
{
	return (uint32_t)os_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

uint32_t weir_own_pid(void)
{
	uint32_t pid = load32_relaxed(&weir_own_process);

	if (pid == 0) {
		pid = kernel_pid();
		store32_relaxed(&weir_own_process, pid);
	}
	return pid;
}

static pid_t forked(pid_t pid)
{
	if (pid == 0)
		weir_own_life_begins();
	else if (pid < 0)
		weir_endpoints_fork_failed();
	return pid;
}

WEIR_EXPORT pid_t fork(void)
{
	if (weir_is_filtered() && weir_table_bound() == 0)
		return weir_real()->fork();
	weir_own_pid();
	weir_loops_shared(true);
	weir_endpoints_before_fork();
	return forked(weir_real()->fork());
}

WEIR_EXPORT pid_t _Fork(void)
{
	if (weir_is_filtered() && weir_table_bound() == 0 && weir_real()->_Fork)
		return weir_real()->_Fork();
	weir_own_pid();
	weir_loops_shared(true);
	weir_endpoints_before_fork();
	return forked(weir_real()->_Fork ? weir_real()->_Fork() : weir_real()->fork());
}

/* After a vfork both processes run here in turn, on the same memory. The child
 * is told from the parent by its pid, for as long as that may matter. */
bool weir_in_vfork_child(void)
{
	if (__builtin_expect(load32_relaxed(&vfork_pending) == 0, 1))
		return false;
	if (kernel_pid() != weir_own_pid())
		return true;
	store32_relaxed(&vfork_pending, 0);
	return false;
}

/* The child may exec: who comes then finds its ends by their identities. */
void *weir_before_vfork(void);

__attribute__((used)) void *weir_before_vfork(void)
{
	union {
		pid_t (*function)(void);
		void *address;
	} real = {.function = weir_real()->vfork};

	if (weir_is_filtered() && weir_table_bound() == 0)
		return real.address;
	weir_own_pid();
	weir_loops_shared(false);
	weir_endpoints_before_fork();
	store32_relaxed(&vfork_pending, 1);
	return real.address;
}

#if defined(__x86_64__)

/* vfork returns twice on one stack frame, so no C function may wrap it: prepare,
 * then jump to libc's, which returns to the program. */
__asm__(".text\n"
        ".globl vfork\n"
        ".type vfork, @function\n"
        "vfork:\n"
        "	endbr64\n"
        "	subq $8, %rsp\n"
        "	call weir_before_vfork\n"
        "	addq $8, %rsp\n"
        "	jmp *%rax\n"
        ".size vfork, . - vfork\n");

#else

WEIR_EXPORT pid_t vfork(void)
{
	return fork();
}

#endif

/* After a filter the process may do little; the sockets must be ready for that. What
 * survives an exec may be meant for a program that starts behind the filter, and that can
 * neither be in the session nor be helped from here then. */
void weir_before_filter(int seccomp_mode, unsigned long program)
{
	/* Without a program it is the question whether the kernel knows filters. */
	if (seccomp_mode == SECCOMP_MODE_DISABLED ||
	    (seccomp_mode == SECCOMP_MODE_FILTER && program == 0))
		return;
	if (seccomp_mode == SECCOMP_MODE_FILTER && weir_table_bound() > 0)
		weir_carry_here(WEIR_CARRY_SURVIVORS);
	weir_endpoints_go_bare();
	weir_mark_no_more(WEIR_TROUBLE_FILTER);
}

static weir_word32 renamings;

uint32_t weir_renamings(void)
{
	return load32_relaxed(&renamings);
}

static int renamed(int result)
{
	add32_relaxed(&renamings, 1);
	return result;
}

WEIR_EXPORT int pthread_setname_np(pthread_t thread, const char *name)
{
	return renamed(weir_real()->pthread_setname_np(thread, name));
}

weir_word32 weir_cancellations;

WEIR_EXPORT int pthread_cancel(pthread_t thread)
{
	store32_ordered(&weir_cancellations, 1);
	return weir_real()->pthread_cancel(thread);
}

WEIR_EXPORT int prctl(int option, ...)
{
	unsigned long a[4];
	va_list list;

	va_start(list, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(list, unsigned long);
	va_end(list);
	if (option == PR_SET_SECCOMP)
		weir_before_filter((int)a[0], a[1]);
	int result = weir_real()->prctl(option, a[0], a[1], a[2], a[3]);
	return option == PR_SET_NAME ? renamed(result) : result;
}

static weir_word32 left_namespace;

bool weir_has_left_namespace(void)
{
	return load32_relaxed(&left_namespace) != 0;
}

static int left(int result, int kinds)
{
	if (result == 0 && (kinds == 0 || (kinds & (CLONE_NEWPID | CLONE_NEWNET)))) {
		store32_relaxed(&left_namespace, 1);
		weir_notice_place(true);
	}
	return result;
}

WEIR_EXPORT int unshare(int flags)
{
	int result = weir_real()->unshare(flags);

	return flags ? left(result, flags) : result;
}

/* 0: whatever the descriptor is of. */
WEIR_EXPORT int setns(int fd, int kinds)
{
	return left(weir_real()->setns(fd, kinds), kinds);
}

/* A child that has gone may have been the peer: writers ask. */
static pid_t waited(pid_t pid)
{
	if (pid > 0 && weir_table_bound() > 0)
		weir_endpoints_suspect();
	return pid;
}

WEIR_EXPORT pid_t wait(int *status)
{
	return waited(weir_real()->wait(status));
}

WEIR_EXPORT pid_t waitpid(pid_t pid, int *status, int options)
{
	return waited(weir_real()->waitpid(pid, status, options));
}

WEIR_EXPORT pid_t wait3(int *status, int options, struct rusage *usage)
{
	return waited(weir_real()->wait3(status, options, usage));
}

WEIR_EXPORT pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
	return waited(weir_real()->wait4(pid, status, options, usage));
}

WEIR_EXPORT int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	int result = weir_real()->waitid(type, id, info, options);

	waited(result == 0);
	return result;
}

WEIR_EXPORT _Noreturn void _exit(int status)
{
	if (!weir_in_vfork_child())
		weir_endpoints_before_exit();
	weir_real()->_exit(status);
	__builtin_unreachable();
}

WEIR_EXPORT _Noreturn void _Exit(int status)
{
	_exit(status);
}
