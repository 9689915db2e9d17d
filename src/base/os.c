#include "base/os.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/message.h"

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

enum {
	DUE_EVERY = 1024,
	DESCRIPTORS_MAX = 1 << 20,  /* fs.nr_open, unless somebody raised it */
	ASKED_AT_ONCE = 256,
	INTERRUPTED_MAX = 1000,     /* times in a row, by handlers */
};

/* libc's own entry points: this library exports the same names. */
static union {
	void *symbol[7];
	struct {
		ssize_t (*recv)(int, void *, size_t, int);
		ssize_t (*send)(int, const void *, size_t, int);
		ssize_t (*sendmsg)(int, const struct msghdr *, int);
		ssize_t (*recvmsg)(int, struct msghdr *, int);
		int (*poll)(struct pollfd *, nfds_t, int);
		long (*syscall)(long, ...);
		ssize_t (*read)(int, void *, size_t);
	};
} libc;

void os_resolve(void)
{
	static const char *const name[] = {"recv", "send", "sendmsg", "recvmsg", "poll",
	                                  "syscall", "read"};

	_Static_assert(sizeof(name) / sizeof(name[0]) == sizeof(libc.symbol) / sizeof(void *) &&
	                       sizeof(libc.symbol) == sizeof(libc),
	               "a name for each function");
	for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
		if (libc.symbol[i])
			continue;
		void *found = dlsym(RTLD_NEXT, name[i]);
		if (!found)
			weir_die("the C library has no %s", name[i]);
		libc.symbol[i] = found;
	}
}

#if defined(__x86_64__)

long os_call(long number, long a, long b, long c, long d, long e, long f)
{
	long result;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
	                 : "rcx", "r11", "memory");
	return result;
}

#else

long os_call(long number, long a, long b, long c, long d, long e, long f)
{
	int saved = errno;
	os_resolve();
	long result = libc.syscall(number, a, b, c, d, e, f);
	if (result == -1)
		result = -errno;
	errno = saved;
	return result;
}

#endif

static ssize_t outcome(ssize_t result, int saved)
{
	if (result >= 0)
		return result;
	int error = errno;
	errno = saved;
	return -error;
}

ssize_t os_send_now(int fd, const void *buf, size_t len, int flags)
{
	return os_call(SYS_sendto, fd, (long)buf, (long)len, flags | MSG_DONTWAIT, 0, 0);
}

ssize_t os_recv_now(int fd, void *buf, size_t len, int flags)
{
	return os_call(SYS_recvfrom, fd, (long)buf, (long)len, flags | MSG_DONTWAIT, 0, 0);
}

/* A signal ends it even though it does not wait; its handler runs then. */
int os_poll_now(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};
	struct timespec none = {0, 0};
	long r = -EINTR;

	for (int i = 0; r == -EINTR && i < INTERRUPTED_MAX; i++)
		r = os_call(SYS_ppoll, (long)&p, 1, (long)&none, 0, 0, 0);
	return r < 0 && r != -EINTR ? (int)r : p.revents;
}

ssize_t os_read_wait(int fd, void *buf, size_t len)
{
	int saved = errno;
	return outcome(libc.read(fd, buf, len), saved);
}

ssize_t os_recv_wait(int fd, void *buf, size_t len, int flags)
{
	int saved = errno;
	return outcome(libc.recv(fd, buf, len, flags), saved);
}

ssize_t os_send_wait(int fd, const void *buf, size_t len, int flags)
{
	int saved = errno;
	return outcome(libc.send(fd, buf, len, flags), saved);
}

ssize_t os_sendmsg_wait(int fd, const struct msghdr *msg, int flags)
{
	int saved = errno;
	return outcome(libc.sendmsg(fd, msg, flags), saved);
}

ssize_t os_recvmsg_wait(int fd, struct msghdr *msg, int flags)
{
	int saved = errno;
	return outcome(libc.recvmsg(fd, msg, flags), saved);
}

int os_poll_wait(int fd, short events, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = events};
	int saved = errno;
	ssize_t r = outcome(libc.poll(&p, 1, timeout_ms), saved);

	return r > 0 ? p.revents : (int)r;
}

static int queued(int fd, unsigned long request)
{
	int bytes = 0;
	long r = os_call(SYS_ioctl, fd, (long)request, (long)&bytes, 0, 0, 0);

	return r < 0 ? (int)r : bytes;
}

int os_queued_in(int fd)
{
	return queued(fd, SIOCINQ);
}

int os_queued_out(int fd)
{
	return queued(fd, SIOCOUTQ);
}

bool os_at_mark(int fd)
{
	return queued(fd, SIOCATMARK) == 1;
}

int os_getsockopt_int(int fd, int option)
{
	int value = 0;
	socklen_t len = sizeof(value);
	long r = os_call(SYS_getsockopt, fd, SOL_SOCKET, option, (long)&value, (long)&len, 0);

	return r < 0 ? (int)r : value;
}

int os_setsockopt_int(int fd, int option, int value)
{
	return (int)os_call(SYS_setsockopt, fd, SOL_SOCKET, option, (long)&value, sizeof(value), 0);
}

uint64_t os_socket_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	long r = os_call(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, (long)&cookie, (long)&len, 0);

	return r < 0 ? 0 : cookie;
}

uint64_t os_inode(int fd)
{
	struct stat st;

	return os_call(SYS_fstat, fd, (long)&st, 0, 0, 0, 0) < 0 ? 0 : st.st_ino;
}

uint64_t os_namespace(const char *name)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	return os_call(SYS_stat, (long)path, (long)&st, 0, 0, 0, 0) < 0 ? 0 : st.st_ino;
}

/* With calls that the loader has just made itself: a filter may kill for any other. */
uint32_t os_filters(void)
{
	char text[4096];
	long fd = os_call(SYS_openat, AT_FDCWD, (long)"/proc/self/status", O_RDONLY | O_CLOEXEC, 0,
	                  0, 0);
	long n = fd < 0 ? fd : os_call(SYS_read, fd, (long)text, sizeof(text) - 1, 0, 0, 0);

	if (fd >= 0)
		os_close((int)fd);
	text[n > 0 ? n : 0] = '\0';
	const char *count = strstr(text, "\nSeccomp_filters:");
	if (count)
		return (uint32_t)strtoul(count + sizeof("\nSeccomp_filters:") - 1, NULL, 10);
	const char *mode = strstr(text, "\nSeccomp:"); /* Linux before 5.9 */
	return mode && mode[sizeof("\nSeccomp:")] == '2';
}

bool os_nonblocking(int fd)
{
	long flags = os_call(SYS_fcntl, fd, F_GETFL, 0, 0, 0, 0);

	return flags >= 0 && (flags & O_NONBLOCK);
}

int os_timeout_ms(int fd, int option)
{
	struct timeval tv = {0, 0};
	socklen_t len = sizeof(tv);

	if (os_call(SYS_getsockopt, fd, SOL_SOCKET, option, (long)&tv, (long)&len, 0) < 0)
		return -1;
	if (tv.tv_sec == 0 && tv.tv_usec == 0)
		return -1;
	int64_t ms = (int64_t)tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000;
	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

/* Without /proc: poll tells of many numbers at once which are open. Where it refuses
 * (RLIMIT_NOFILE), all of them may be. */
static void each_asked_for(void (*act)(int fd))
{
	struct pollfd asked[ASKED_AT_ONCE];
	struct timespec none = {0, 0};

	for (int first = 0; first < DESCRIPTORS_MAX; first += ASKED_AT_ONCE) {
		for (int i = 0; i < ASKED_AT_ONCE; i++)
			asked[i] = (struct pollfd){.fd = first + i};
		os_call(SYS_ppoll, (long)asked, ASKED_AT_ONCE, (long)&none, 0, 0, 0);
		for (int i = 0; i < ASKED_AT_ONCE; i++)
			if (!(asked[i].revents & POLLNVAL))
				act(asked[i].fd);
	}
}

void os_each_descriptor(void (*act)(int fd))
{
	_Alignas(struct dirent64) char piece[2048];
	long n;
	long dir = os_call(SYS_openat, AT_FDCWD, (long)"/proc/self/fd",
	                   O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0, 0);

	if (dir < 0) {
		each_asked_for(act);
		return;
	}
	while ((n = os_call(SYS_getdents64, dir, (long)piece, sizeof(piece), 0, 0, 0)) > 0) {
		for (long at = 0; at < n;) {
			struct dirent64 *entry = (void *)(piece + at);
			at += entry->d_reclen;
			int fd = atoi(entry->d_name);
			if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9' && fd != dir)
				act(fd);
		}
	}
	os_close((int)dir);
}

/* The kernel's own struct (sigaction(2)): libc's has another shape. */
struct kernel_sigaction {
	uintptr_t handler;
	unsigned long flags;
	uintptr_t restorer;
	uint64_t mask;
};

#define BIT_OF(signal) (UINT64_C(1) << ((signal) - 1))

/* Of the program's own doing, or libc's. */
static const uint64_t own_signals = BIT_OF(SIGSEGV) | BIT_OF(SIGBUS) | BIT_OF(SIGILL) |
                                    BIT_OF(SIGFPE) | BIT_OF(SIGTRAP) | BIT_OF(SIGSYS) |
                                    BIT_OF(32) | BIT_OF(33);

uint64_t os_handled_signals(bool restarting)
{
	uint64_t handled = 0;

	for (int signal = 1; signal < 65; signal++) {
		struct kernel_sigaction now = {0, 0, 0, 0};
		if (((own_signals | BIT_OF(SIGPIPE)) & BIT_OF(signal)) != 0)
			continue;
		if (os_call(SYS_rt_sigaction, signal, 0, (long)&now, 8, 0, 0) == 0 && now.handler > 1 &&
		    (restarting || !(now.flags & SA_RESTART)))
			handled |= BIT_OF(signal);
	}
	return handled;
}

__attribute__((used)) _Thread_local struct os_handled_words os_handled_words;

struct os_handled os_handled(void)
{
	return (struct os_handled){load32_relaxed(&os_handled_words.all),
	                           load32_relaxed(&os_handled_words.ending)};
}

uint64_t os_block_signals(uint64_t signals)
{
	uint64_t before = 0;

	signals &= ~own_signals;
	os_call(SYS_rt_sigprocmask, SIG_BLOCK, (long)&signals, (long)&before, sizeof(signals), 0, 0);
	return before;
}

void os_set_signal_mask(uint64_t mask)
{
	os_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0, sizeof(mask), 0, 0);
}

int os_signalfd(uint64_t signals)
{
	return (int)os_call(SYS_signalfd4, -1, (long)&signals, sizeof(signals), SFD_CLOEXEC, 0, 0);
}

int os_memfd(const char *name)
{
	long fd = os_call(SYS_memfd_create, (long)name, 1U | MFD_NOEXEC_SEAL, 0, 0, 0, 0);

	if (fd == -EINVAL) /* Linux before 6.3 knows no MFD_NOEXEC_SEAL */
		fd = os_call(SYS_memfd_create, (long)name, 1U, 0, 0, 0, 0);
	return (int)fd;
}

int os_close(int fd)
{
	return (int)os_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

bool os_is_due(void)
{
	static _Thread_local uint32_t calls;

	return ++calls % DUE_EVERY == 0;
}

uint64_t os_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

weir_word32 weir_own_process;

uint32_t os_thread(void)
{
	return (uint32_t)os_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

int os_cpu(void)
{
	return sched_getcpu();
}

bool os_task_lives(uint32_t tid)
{
	char path[32], text[512];

	snprintf(path, sizeof(path), "/proc/%u/stat", tid);
	long fd = os_call(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
	if (fd < 0)
		return os_call(SYS_tkill, (long)tid, 0, 0, 0, 0, 0) != -ESRCH;
	long n = os_call(SYS_read, fd, (long)text, sizeof(text) - 1, 0, 0, 0);
	os_close((int)fd);
	text[n > 0 ? n : 0] = '\0';
	const char *state = strrchr(text, ')'); /* ") Z ...": the name may hold anything */
	return !state || !state[1] || (state[2] != 'Z' && state[2] != 'X');
}
