/* What one family of hooks uses of another, under our own names. */
#ifndef WEIR_HOOKS_HOOKS_H
#define WEIR_HOOKS_HOOKS_H

#include <limits.h>
#include <pthread.h>

#include "base/reach.h"
#include "carry/carry.h"
#include "endpoint/endpoint.h"
#include "endpoint/lone.h"
#include "hooks/real.h"
#include "pair/calm.h"

/* start.c: the session of this process; started on first need. False where
 * there is none. */
bool weir_start(void);

/* This process has no session, and will have none. */
bool weir_has_none(void);

/* May this fresh socket be marked? False where there is no session, from
 * weir_mark_no_more() on, and where sockets cannot be told from each other. */
bool weir_may_mark(int fd);

/* The pairs that come stay with the kernel, for an errno or a WEIR_TROUBLE. */
void weir_mark_no_more(int trouble);

/* A seccomp filter may kill for every call that the program does not make itself. */
bool weir_is_filtered(void);

/* A pair stays with the kernel as there is no session, or it may not be marked: says
 * why, once. */
void weir_say_unmarked(void);

/* Finds marked descriptors again that came through exec or SCM_RIGHTS. */
void weir_recognise(int fd);

/* What a program that cleans its environment must still pass on, or NULL. */
const char *weir_env_session(void);
const char *weir_env_preload(void);
bool weir_follows(void);
bool weir_verbose(void);

/* The library's own name, as the loader knows it; NULL where it does not say. */
const char *weir_library_name(void);

/* Is this an environment that makes a program join this session? Can a new
 * program do so at all? Not after a change of the user, or of the root. */
bool weir_env_joins(char *const env[]);
bool weir_can_join(void);

/* vector.c: the caller's buffers, checked as the kernel does. The total length
 * or -errno; what is wrong on the first page gives -EFAULT. */
enum { WEIR_FIRST_PAGE = 4096, WEIR_PLAIN_ADDRESS_BITS = 60 };
ssize_t weir_check_buffer(const void *buf, size_t len);
ssize_t weir_check_vector(const struct iovec *iov, size_t count);

/* Transfers of a marked descriptor. WEIR_TO_KERNEL: make the real call. */
ssize_t weir_receive(const struct weir_end *end, const struct iovec *iov, size_t count, int flags);
ssize_t weir_send(const struct weir_end *end, const struct iovec *iov, size_t count, int flags);

/* 1: a thread of this process, or of one that it was forked from, was asked to end. */
extern weir_word32 weir_cancellations;

/* Where pthreads(7) lets a thread end, in calls that do not get to the kernel. */
static inline void weir_cancellation_point(void)
{
	if (__builtin_expect(load32_relaxed(&weir_cancellations) != 0, 0))
		pthread_testcancel();
}

/* The short ways are inlined into a function of their own, to which the hook jumps: what
 * is not ours, it passes on without a register saved. */
#define WEIR_WITHIN __attribute__((always_inline))
#define WEIR_APART __attribute__((noinline, hot, aligned(64)))

/* May a call of that length and those flags take a short way (endpoint/lone.h,
 * weir_end_send_quick)? The flags change nothing in one that succeeds at once, and rules
 * may let the length pass without a look (pair/calm.h). */
static inline bool weir_is_quick(size_t len, int flags)
{
	return len - 1 < (size_t)1 << WEIR_CALM_CALL_BITS &&
	       !(flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL));
}

/* Could there be so many bytes, as far as the kernel would judge without a look? */
static inline bool weir_may_be_mapped(const void *buf, size_t len)
{
	return (uintptr_t)buf >= WEIR_FIRST_PAGE && len <= (size_t)LONG_MAX - (uintptr_t)buf;
}

/* Is there nothing to look at but the pipe? No program's memory gets near the bound. */
static inline bool weir_is_shortest(const void *buf, size_t len, int flags)
{
	return weir_is_quick(len, flags) &&
	       ((uintptr_t)buf - WEIR_FIRST_PAGE) >> WEIR_PLAIN_ADDRESS_BITS == 0 &&
	       load32_relaxed(&weir_cancellations) == 0;
}

/* The same of a whole message, where a rule concerns the end. `by_kernel`: it has
 * filled in the message. */
ssize_t weir_receive_message(const struct weir_end *end, struct msghdr *msg, int flags,
                             bool *by_kernel);
ssize_t weir_send_message(const struct weir_end *end, const struct msghdr *msg, int flags);

/* Marked or not: as the libc call of that name, errno set. */
ssize_t weir_read(int fd, void *buf, size_t count);
ssize_t weir_write(int fd, const void *buf, size_t count);
int weir_close(int fd);
void weir_close_range(unsigned int first, unsigned int last);

/* A descriptor number that the kernel has just given out. Gives it back. */
int weir_fresh(int fd);

/* create.c: lets weir carry a fresh pair. `wanted`: whatever --mark says. False where
 * it is left to the kernel. */
bool weir_mark_pair(const int sv[2], bool nonblock, bool wanted);

/* inside.c: gives a program that knows of weir the functions of include/weir.h. */
int weir_give_inside(void *argument);

/* option.c: takes over what the program set on a socket before weir carried it. */
void weir_adopt_options(const struct weir_end *end);

/* This process's pid, also in the child of a fork. */
uint32_t weir_own_pid(void);

/* How often threads of this process were given names. */
uint32_t weir_renamings(void);

/* Has this process, or one that it was forked from, gone to another PID or network
 * namespace since its program started? */
bool weir_has_left_namespace(void);

/* True in a child that shares this process's memory (vfork): what it does to its
 * descriptors is none of the table's business. */
bool weir_in_vfork_child(void);

/* handler.c: what the kernel is given in the place of a program's handler, so that it is
 * counted; and what is behind that. Gives back what is no handler, or none of ours. */
uintptr_t weir_handler_entry(uintptr_t handler, bool restarts);
uintptr_t weir_handler_behind(uintptr_t entry);

/* Has every handler been given an entry that was set where we could see it? */
bool weir_handlers_are_counted(void);

/* May a thread look for a while before it waits so long with that mask, or NULL: will a handler
 * that runs meanwhile be noticed, and end the call as it should? */
static inline bool weir_may_look(const struct timespec *timeout, const sigset_t *mask)
{
	enum { MUCH_LONGER_NS = 1000000 };

	return !mask && weir_handlers_are_counted() &&
	       !(timeout && timeout->tv_sec == 0 && timeout->tv_nsec < MUCH_LONGER_NS);
}

/* signal.c: syscall(2)'s rt_sigaction. */
int weir_raw_sigaction(int number, const void *action, void *old, size_t mask_size);

/* exec.c: marked descriptors become ordinary ones, with processes that hand on what
 * passes. 0, or an errno that was told. */
int weir_carry_here(enum weir_carried which);

/* process.c: the process is about to install a seccomp filter. */
void weir_before_filter(int seccomp_mode, unsigned long program);

/* follow.c: would the program at `path` find marked descriptors, and not know
 * them? False also where it cannot be started. `env`: what it will have.
 * `spawned`: file actions may change what it inherits. */
bool weir_must_carry(const char *path, enum weir_reach reach, char *const env[], bool spawned);

/* The same of the shell that libc itself starts. */
bool weir_shell_is_lost(char *const env[]);

/* The command, for `weir carry`; NULL where it is not known. */
const char *weir_command(void);

/* epoll.c: a rule may have stopped a call of `op` with EAGAIN. While the end is held back,
 * no epoll may call it ready. */
void weir_epoll_hide(const struct weir_end *end, int op);

/* loop.c: which epoll instances weir may answer for. One was made; one may be used from
 * elsewhere as well (`fd`: a duplicate, a set that it was entered in; the process forks, or
 * becomes another program); a descriptor closes, of whatever kind, after the table has let
 * it go (`end`: NULL where it was not marked). */
int weir_loop_made(int epfd, bool closes_on_exec);
void weir_loop_shared(int fd);
void weir_loop_gives_up(int fd); /* the loop that has this entered, before it becomes another's */
void weir_loops_shared(bool also_closing_on_exec);
void weir_loops_no_more(void); /* nor any that is made later */
void weir_loop_closes(int fd, const struct weir_end *end, bool last);
void weir_loops_close(unsigned int first, unsigned int last);

/* Is there any? Then descriptors in general are worth a look. */
extern weir_word32 weir_loops_made;

/* stdio.c: descriptor 0, 1 or 2 has become marked or unmarked. */
void weir_stdio_refresh(int fd);

/* message.c: descriptors that go out and come in with a message. */
void weir_rights_out(const struct msghdr *msg);
void weir_rights_in(const struct msghdr *msg);

#endif
