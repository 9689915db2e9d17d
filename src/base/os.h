/* Every system call that the layers below the hooks make.
 *
 * Functions return what the call gives, or -errno. None touches errno.
 * Those called `now` never wait, are no cancellation points, and go to the
 * kernel directly; those called `wait` are libc's own blocking calls, so that
 * thread cancellation, EINTR and SA_RESTART are libc's and the kernel's.
 */
#ifndef WEIR_BASE_OS_H
#define WEIR_BASE_OS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/atomic.h"

/* Looks up libc's blocking calls. Idempotent, async-signal-safe once it ran. */
void os_resolve(void);

/* One raw system call. Returns the kernel's value: -4095..-1 is -errno. */
long os_call(long number, long a, long b, long c, long d, long e, long f);

ssize_t os_send_now(int fd, const void *buf, size_t len, int flags);
ssize_t os_recv_now(int fd, void *buf, size_t len, int flags);
int os_poll_now(int fd, short events);          /* returns revents or -errno */

ssize_t os_read_wait(int fd, void *buf, size_t len);
ssize_t os_recv_wait(int fd, void *buf, size_t len, int flags);
ssize_t os_send_wait(int fd, const void *buf, size_t len, int flags);
ssize_t os_sendmsg_wait(int fd, const struct msghdr *msg, int flags);
ssize_t os_recvmsg_wait(int fd, struct msghdr *msg, int flags);
int os_poll_wait(int fd, short events, int timeout_ms); /* revents, 0 after the timeout */

int os_queued_in(int fd);                       /* SIOCINQ: bytes that wait to be received */
int os_queued_out(int fd);                      /* SIOCOUTQ: memory charged for unread sends */
bool os_at_mark(int fd);                        /* SIOCATMARK: urgent data is next */
int os_getsockopt_int(int fd, int option);      /* SOL_SOCKET, value >= 0 or -errno */
int os_setsockopt_int(int fd, int option, int value);
uint64_t os_socket_cookie(int fd);              /* 0 where there is none */
uint64_t os_inode(int fd);                      /* 0 where there is none */
bool os_nonblocking(int fd);
bool os_task_lives(uint32_t tid);               /* false for a zombie; true where unknown */
/* SO_RCVTIMEO or SO_SNDTIMEO in milliseconds, rounded up; -1 for none. */
int os_timeout_ms(int fd, int option);

/* Which namespace of that name ("pid", "net") this process is in; 0 where /proc does not say. */
uint64_t os_namespace(const char *name);

/* How many seccomp filters this process is under; 0 where /proc does not say. */
uint32_t os_filters(void);

/* Acts on each open descriptor, and without /proc perhaps on some that are not. */
void os_each_descriptor(void (*act)(int fd));

/* The signals that may come and that this process has handlers for: bit 0 is signal 1.
 * `restarting`: also those with SA_RESTART. */
uint64_t os_handled_signals(bool restarting);

/* How many signal handlers have run in this thread, of those that the library hears of
 * (hooks/handler.c): a handler adds one before it begins. */
struct os_handled {
	uint32_t all;
	uint32_t ending;            /* those without SA_RESTART */
};

struct os_handled os_handled(void);

/* The words themselves, as the entry of a handler counts in them. */
struct os_handled_words {
	weir_word32 all, ending;
};

extern _Thread_local struct os_handled_words os_handled_words;

/* Blocks these in this thread, but not those of its own doing. Gives what its mask was. */
uint64_t os_block_signals(uint64_t signals);
void os_set_signal_mask(uint64_t mask);

/* A descriptor that is readable while one of these, which are blocked, waits. */
int os_signalfd(uint64_t signals);

int os_memfd(const char *name);
int os_close(int fd);

/* This process's pid, as whoever starts and forks here keeps it; 0 before. */
extern weir_word32 weir_own_process;

/* True only where this process has one thread (__libc_single_threaded(3)). */
extern char __libc_single_threaded __attribute__((weak)); /* glibc 2.32 */

static inline bool os_single_threaded(void)
{
	return &__libc_single_threaded && __libc_single_threaded;
}

/* The same for who has asked before, and got a yes. */
static inline bool os_still_single_threaded(void)
{
	return __libc_single_threaded;
}

bool os_is_due(void);                           /* once in a thousand calls: ask, do not believe */
uint32_t os_thread(void);                       /* this thread's id */
uint64_t os_now_ns(void);                       /* CLOCK_MONOTONIC */
int os_cpu(void);                               /* the processor this thread runs on */

static inline void os_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

#endif
