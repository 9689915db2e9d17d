/* syscall(2): the same calls by their numbers. */
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hooks/hooks.h"

/* The arguments of one call, as the kernel takes them. */
struct arguments {
	long a[6];
};

#define INT(i) ((int)x->a[i])
#define SIZE(i) ((size_t)x->a[i])
#define AT(i) ((void *)x->a[i])

/* Transfers. True where the number is one of these. */
static bool transfer(long number, const struct arguments *x, long *result)
{
	switch (number) {
	case SYS_read: *result = weir_read(INT(0), AT(1), SIZE(2)); return true;
	case SYS_write: *result = weir_write(INT(0), AT(1), SIZE(2)); return true;
	case SYS_readv: *result = readv(INT(0), AT(1), INT(2)); return true;
	case SYS_writev: *result = writev(INT(0), AT(1), INT(2)); return true;
	case SYS_recvfrom:
		*result = recvfrom(INT(0), AT(1), SIZE(2), INT(3), AT(4), AT(5));
		return true;
	case SYS_sendto:
		*result = sendto(INT(0), AT(1), SIZE(2), INT(3), AT(4), (socklen_t)x->a[5]);
		return true;
	case SYS_recvmsg: *result = recvmsg(INT(0), AT(1), INT(2)); return true;
	case SYS_sendmsg: *result = sendmsg(INT(0), AT(1), INT(2)); return true;
	case SYS_recvmmsg:
		*result = recvmmsg(INT(0), AT(1), (unsigned int)x->a[2], INT(3), AT(4));
		return true;
	case SYS_sendmmsg:
		*result = sendmmsg(INT(0), AT(1), (unsigned int)x->a[2], INT(3));
		return true;
	case SYS_sendfile: *result = sendfile(INT(0), INT(1), AT(2), SIZE(3)); return true;
	case SYS_splice:
		*result = splice(INT(0), AT(1), INT(2), AT(3), SIZE(4), (unsigned int)x->a[5]);
		return true;
	default: return false;
	}
}

/* The life of descriptors. */
static bool life(long number, const struct arguments *x, long *result)
{
	switch (number) {
	case SYS_socketpair: *result = socketpair(INT(0), INT(1), INT(2), AT(3)); return true;
	case SYS_close: *result = weir_close(INT(0)); return true;
#ifdef SYS_close_range
	case SYS_close_range:
		*result = close_range((unsigned int)x->a[0], (unsigned int)x->a[1], INT(2));
		return true;
#endif
	case SYS_dup: *result = dup(INT(0)); return true;
#ifdef SYS_dup2
	case SYS_dup2: *result = dup2(INT(0), INT(1)); return true;
#endif
	case SYS_dup3: *result = dup3(INT(0), INT(1), INT(2)); return true;
	case SYS_fcntl: *result = fcntl(INT(0), INT(1), AT(2)); return true;
	case SYS_shutdown: *result = shutdown(INT(0), INT(1)); return true;
	default: return false;
	}
}

/* State and readiness. */
static bool state(long number, const struct arguments *x, long *result)
{
	struct pselect_mask {
		const sigset_t *set;
		size_t size;
	} *mask;

	switch (number) {
	case SYS_ioctl: *result = ioctl(INT(0), (unsigned long)x->a[1], AT(2)); return true;
	case SYS_getsockopt:
		*result = getsockopt(INT(0), INT(1), INT(2), AT(3), AT(4));
		return true;
	case SYS_setsockopt:
		*result = setsockopt(INT(0), INT(1), INT(2), AT(3), (socklen_t)x->a[4]);
		return true;
#ifdef SYS_poll
	case SYS_poll: *result = poll(AT(0), (nfds_t)x->a[1], INT(2)); return true;
#endif
	case SYS_ppoll: *result = ppoll(AT(0), (nfds_t)x->a[1], AT(2), AT(3)); return true;
#ifdef SYS_select
	case SYS_select: *result = select(INT(0), AT(1), AT(2), AT(3), AT(4)); return true;
#endif
	case SYS_pselect6:
		mask = AT(5);
		*result = pselect(INT(0), AT(1), AT(2), AT(3), AT(4), mask ? mask->set : NULL);
		return true;
#ifdef SYS_epoll_wait
	case SYS_epoll_wait: *result = epoll_wait(INT(0), AT(1), INT(2), INT(3)); return true;
#endif
	case SYS_epoll_pwait:
		if (AT(4) && x->a[5] != (long)sizeof(uint64_t)) /* EINVAL */
			return false;
		*result = epoll_pwait(INT(0), AT(1), INT(2), INT(3), AT(4));
		return true;
#ifdef SYS_epoll_pwait2
	case SYS_epoll_pwait2:
		if (AT(4) && x->a[5] != (long)sizeof(uint64_t))
			return false;
		*result = epoll_pwait2(INT(0), AT(1), INT(2), AT(3), AT(4));
		return true;
#endif
	case SYS_epoll_ctl: *result = epoll_ctl(INT(0), INT(1), INT(2), AT(3)); return true;
	default: return false;
	}
}

/* Processes: what copies, ends or limits the whole of this one. */
static bool process(long number, const struct arguments *x, long *result)
{
	switch (number) {
#ifdef SYS_fork
	case SYS_fork: *result = fork(); return true;
#endif
	case SYS_clone: /* perhaps a fork */
#ifdef SYS_clone3
	case SYS_clone3:
#endif
		weir_loops_shared(true);
		return false;
#ifdef SYS_io_uring_setup
	case SYS_io_uring_setup: /* a ring waits for what it likes, and is not asked here */
		weir_loops_no_more();
		return false;
#endif
	case SYS_execve: *result = execve(AT(0), AT(1), AT(2)); return true;
	case SYS_execveat:
		*result = execveat(INT(0), AT(1), AT(2), AT(3), INT(4));
		return true;
	case SYS_prlimit64:
		*result = prlimit64((pid_t)x->a[0], (enum __rlimit_resource)x->a[1], AT(2), AT(3));
		return true;
	case SYS_setrlimit:
		*result = setrlimit((enum __rlimit_resource)x->a[0], AT(1));
		return true;
	case SYS_getrlimit:
		*result = getrlimit((enum __rlimit_resource)x->a[0], AT(1));
		return true;
	case SYS_rt_sigaction:
		*result = weir_raw_sigaction(INT(0), AT(1), AT(2), SIZE(3));
		return true;
	case SYS_unshare: *result = unshare(INT(0)); return true;
	case SYS_setns: *result = setns(INT(0), INT(1)); return true;
	case SYS_wait4: *result = wait4((pid_t)x->a[0], AT(1), INT(2), AT(3)); return true;
#ifdef SYS_seccomp
	case SYS_seccomp:
		if (x->a[0] == SECCOMP_SET_MODE_STRICT)
			weir_before_filter(SECCOMP_MODE_STRICT, 0);
		else if (x->a[0] == SECCOMP_SET_MODE_FILTER)
			weir_before_filter(SECCOMP_MODE_FILTER, (unsigned long)x->a[2]);
		return false;
#endif
	case SYS_exit_group: _exit(INT(0));
	default: return false;
	}
}

/* Numbers that give a new descriptor. */
static bool gives_descriptor(long number)
{
	switch (number) {
#ifdef SYS_open
	case SYS_open:
#endif
	case SYS_openat:
	case SYS_socket:
	case SYS_accept:
	case SYS_accept4:
	case SYS_eventfd2:
	case SYS_epoll_create1:
	case SYS_timerfd_create:
	case SYS_memfd_create:
		return true;
	default:
		return false;
	}
}

WEIR_EXPORT long syscall(long number, ...)
{
	struct arguments x;
	va_list list;
	long result;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		x.a[i] = va_arg(list, long);
	va_end(list);
	if (transfer(number, &x, &result) || life(number, &x, &result) ||
	    state(number, &x, &result) || process(number, &x, &result))
		return result;
	result = weir_real()->syscall(number, x.a[0], x.a[1], x.a[2], x.a[3], x.a[4], x.a[5]);
	return gives_descriptor(number) ? weir_fresh((int)result) : result;
}
