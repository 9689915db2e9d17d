/* Descriptors come to life: pairs are marked, and a fresh number is nothing else. */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include "base/message.h"
#include "base/os.h"
#include "hooks/hooks.h"

int weir_fresh(int fd)
{
	if (fd < 0 || weir_in_vfork_child())
		return fd;
	if (__builtin_expect(load32_relaxed(&weir_loops_made), 0))
		weir_loop_closes(fd, NULL, false);
	if (__builtin_expect(weir_marked(fd), 0)) {
		weir_table_fresh(fd);
		if (fd <= 2)
			weir_stdio_refresh(fd);
	}
	return fd;
}

/* False, as the pair is not marked. */
static bool leave_to_kernel(enum weir_left_reason reason)
{
	struct weir_header *h = weir_session.header;

	add64_relaxed(&h->left[reason], 1);
	if (reason == WEIR_LEFT_SLOTS && swap32_if(&h->slots_full_said, 0, 1))
		weir_say("all %u pairs of the session are in use (--max-pairs): further ones "
		         "are the kernel's",
		         weir_session.slot_count);
	return false;
}

/* Which of its process's pairs this one is: a child begins anew. */
static uint64_t next_own_pair(void)
{
	static weir_word64 own_pairs;
	static weir_word32 whose;

	if (load32_relaxed(&whose) != weir_own_pid()) {
		store64_relaxed(&own_pairs, 0);
		store32_relaxed(&whose, weir_own_pid());
	}
	return add64_relaxed(&own_pairs, 1) + 1;
}

/* --mark. The program's path is asked for only where the plan needs it. */
static bool is_wanted(uint64_t number, const char *comm)
{
	const struct weir_plan *plan = weir_session.plan;
	uint64_t nth = next_own_pair();
	char exe[PATH_MAX];

	if (__builtin_expect(plan->marks == 0, 1))
		return true;
	long n = os_call(SYS_readlink, (long)"/proc/self/exe", (long)exe, sizeof(exe) - 1, 0, 0, 0);
	exe[n > 0 ? n : 0] = '\0';
	return weir_plan_marks(plan, number, nth, weir_own_pid(), comm, exe);
}

/* This thread's. Asked for when it may have another than before; who writes one to /proc
 * does not tell, so where rules ask for it that is each time. */
static const char *own_name(void)
{
	static _Thread_local struct {
		char name[WEIR_COMM_SIZE + 1];
		uint32_t known;
	} own;
	const struct weir_plan *plan = weir_session.plan;
	uint32_t now = weir_renamings() + 1;

	if (own.known != now || plan->marks > 0 || plan->capacities > 0) {
		os_call(SYS_prctl, PR_GET_NAME, (long)own.name, 0, 0, 0, 0);
		own.known = now;
	}
	return own.name;
}

bool weir_mark_pair(const int sv[2], bool nonblock, bool wanted)
{
	struct weir_end end;

	if (sv[0] >= WEIR_TABLE_SIZE || sv[1] >= WEIR_TABLE_SIZE)
		return leave_to_kernel(WEIR_LEFT_DESCRIPTOR);
	const char *comm = own_name();
	uint64_t number = weir_pair_number(&weir_session);
	if (!wanted && !is_wanted(number, comm))
		return leave_to_kernel(WEIR_LEFT_UNMARKED);
	int64_t index = weir_pair_open(&weir_session, number, weir_own_pid(), comm);
	if (index < 0)
		return leave_to_kernel(WEIR_LEFT_SLOTS);
	uint32_t generation = load32_relaxed(&weir_session.slots[index].generation);
	for (int side = 0; side < 2; side++) {
		weir_table_enter(sv[side], (uint32_t)index, side, generation);
		if (weir_end_of(sv[side], &end)) {
			store32_relaxed(&end.slot->end[side].nonblock, nonblock);
			store32_relaxed(&end.in.pipe->reader_life, load32_relaxed(&weir_own_life));
			weir_pipe_begin_alone(&end.in);
		}
		if (sv[side] <= 2)
			weir_stdio_refresh(sv[side]);
	}
	return true;
}

static bool is_carried_type(int domain, int type)
{
	return domain == AF_UNIX && (type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) == SOCK_STREAM;
}

WEIR_EXPORT int socketpair(int domain, int type, int protocol, int sv[2])
{
	int result = weir_real()->socketpair(domain, type, protocol, sv);

	if (result != 0)
		return result;
	weir_fresh(sv[0]);
	weir_fresh(sv[1]);
	if (weir_in_vfork_child())
		return result;
	if (!is_carried_type(domain, type)) {
		if (weir_start())
			leave_to_kernel(WEIR_LEFT_TYPE);
	} else if (weir_may_mark(sv[0])) {
		weir_mark_pair(sv, (type & SOCK_NONBLOCK) != 0, false);
	} else {
		weir_say_unmarked();
	}
	return result;
}

static int fresh_pair(int result, const int fds[2])
{
	if (result == 0) {
		weir_fresh(fds[0]);
		weir_fresh(fds[1]);
	}
	return result;
}

WEIR_EXPORT int pipe(int fds[2])
{
	return fresh_pair(weir_real()->pipe(fds), fds);
}

WEIR_EXPORT int pipe2(int fds[2], int flags)
{
	return fresh_pair(weir_real()->pipe2(fds, flags), fds);
}

WEIR_EXPORT int socket(int domain, int type, int protocol)
{
	return weir_fresh(weir_real()->socket(domain, type, protocol));
}

WEIR_EXPORT int accept(int fd, __SOCKADDR_ARG address, socklen_t *len)
{
	return weir_fresh(weir_real()->accept(fd, address.__sockaddr__, len));
}

WEIR_EXPORT int accept4(int fd, __SOCKADDR_ARG address, socklen_t *len, int flags)
{
	return weir_fresh(weir_real()->accept4(fd, address.__sockaddr__, len, flags));
}

/* The mode is there only where the flags make a file. */
#define MODE_OF(flags)                                                                             \
	mode_t mode = 0;                                                                           \
	if (((flags) & O_CREAT) || ((flags) & O_TMPFILE) == O_TMPFILE) {                           \
		va_list list;                                                                      \
		va_start(list, flags);                                                             \
		mode = va_arg(list, mode_t);                                                       \
		va_end(list);                                                                      \
	}

WEIR_EXPORT int open(const char *path, int flags, ...)
{
	MODE_OF(flags)
	return weir_fresh(weir_real()->open(path, flags, mode));
}

WEIR_EXPORT int open64(const char *path, int flags, ...)
{
	MODE_OF(flags)
	return weir_fresh(weir_real()->open64(path, flags, mode));
}

WEIR_EXPORT int openat(int dir, const char *path, int flags, ...)
{
	MODE_OF(flags)
	return weir_fresh(weir_real()->openat(dir, path, flags, mode));
}

WEIR_EXPORT int openat64(int dir, const char *path, int flags, ...)
{
	MODE_OF(flags)
	return weir_fresh(weir_real()->openat64(dir, path, flags, mode));
}

int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);

WEIR_EXPORT int __open_2(const char *path, int flags)
{
	return weir_fresh(weir_real()->__open_2(path, flags));
}

WEIR_EXPORT int __open64_2(const char *path, int flags)
{
	return weir_fresh(weir_real()->__open64_2(path, flags));
}

WEIR_EXPORT int __openat_2(int dir, const char *path, int flags)
{
	return weir_fresh(weir_real()->__openat_2(dir, path, flags));
}

WEIR_EXPORT int __openat64_2(int dir, const char *path, int flags)
{
	return weir_fresh(weir_real()->__openat64_2(dir, path, flags));
}

WEIR_EXPORT int creat(const char *path, mode_t mode)
{
	return weir_fresh(weir_real()->creat(path, mode));
}

WEIR_EXPORT int creat64(const char *path, mode_t mode)
{
	return weir_fresh(weir_real()->creat64(path, mode));
}

WEIR_EXPORT int eventfd(unsigned int count, int flags)
{
	return weir_fresh(weir_real()->eventfd(count, flags));
}

WEIR_EXPORT int epoll_create(int size)
{
	return weir_loop_made(weir_fresh(weir_real()->epoll_create(size)), false);
}

WEIR_EXPORT int epoll_create1(int flags)
{
	return weir_loop_made(weir_fresh(weir_real()->epoll_create1(flags)), flags != 0);
}

WEIR_EXPORT int signalfd(int fd, const sigset_t *mask, int flags)
{
	int result = weir_real()->signalfd(fd, mask, flags);

	return fd == -1 ? weir_fresh(result) : result;
}

WEIR_EXPORT int timerfd_create(int clock, int flags)
{
	return weir_fresh(weir_real()->timerfd_create(clock, flags));
}

WEIR_EXPORT int inotify_init(void)
{
	return weir_fresh(weir_real()->inotify_init());
}

WEIR_EXPORT int inotify_init1(int flags)
{
	return weir_fresh(weir_real()->inotify_init1(flags));
}

WEIR_EXPORT int memfd_create(const char *name, unsigned int flags)
{
	return weir_fresh(weir_real()->memfd_create(name, flags));
}

/* Names made by libc itself. */
WEIR_EXPORT int mkstemp(char *name)
{
	return weir_fresh(weir_real()->mkstemp(name));
}

WEIR_EXPORT int mkstemp64(char *name)
{
	return weir_fresh(weir_real()->mkstemp64(name));
}

WEIR_EXPORT int mkostemp(char *name, int flags)
{
	return weir_fresh(weir_real()->mkostemp(name, flags));
}

WEIR_EXPORT int mkostemp64(char *name, int flags)
{
	return weir_fresh(weir_real()->mkostemp64(name, flags));
}

int pidfd_open(pid_t pid, unsigned int flags);
int pidfd_getfd(int pidfd, int target, unsigned int flags);

static int missing(void)
{
	errno = ENOSYS;
	return -1;
}

WEIR_EXPORT int pidfd_open(pid_t pid, unsigned int flags)
{
	return weir_real()->pidfd_open ? weir_fresh(weir_real()->pidfd_open(pid, flags)) : missing();
}

/* A descriptor of another process: its end is one that had left its process. */
WEIR_EXPORT int pidfd_getfd(int pidfd, int target, unsigned int flags)
{
	if (!weir_real()->pidfd_getfd)
		return missing();
	int fd = weir_fresh(weir_real()->pidfd_getfd(pidfd, target, flags));
	if (fd >= 0)
		weir_recognise(fd);
	return fd;
}
