/* weir from inside: a program that may run under weir asks for its pairs, bounds them,
 * and breaks them on purpose.
 *
 * Nothing is linked, and nothing needs to be installed where the program runs: without
 * weir every function does nothing and fails with ENOSYS. So it is in static programs,
 * which weir does not reach, and under a C library that is not glibc.
 *
 *	struct weir_pair_info info;
 *	if (weir_pair(fd, &info) == 0)
 *		printf("pair %llu\n", (unsigned long long)info.number);
 *	if (weir_fault(fd, "read:eof:at=5") != 0 && errno == EINVAL)
 *		fputs(weir_fault_error(), stderr);
 *
 * C11 or C++11, gcc or clang. On systems other than Linux it compiles, and weir is absent.
 *
 * All functions
 * - give 0, or -1 and errno; on success errno stays as it was
 * - may be called from any thread at any time, but not from signal handlers, nor in the
 *   child of a vfork
 * - fail with ENOSYS where weir is not there or has no session, with EPERM in a process
 *   that is behind a seccomp filter, and with EBADF where `fd` is no descriptor that
 *   weir carries
 * - neither keep nor free what pointers lead to.
 *
 * A pair belongs to all processes that hold an end of it, and so does what is changed.
 * Duplicates of a descriptor are the same end.
 */
#ifndef WEIR_H
#define WEIR_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __linux__
#include <sys/ioctl.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* A pair as one end sees it. `out` is the direction that this end writes, `in` the one
 * that it reads. A position counts bytes from the start of the pair: those that were
 * written to `out`, and those that were read from `in`, as at= of rules does. */
struct weir_pair_info {
	uint32_t size;              /* bytes of this structure that weir filled in */
	uint32_t side;              /* 0: a, the first descriptor of the pair; 1: b */
	uint64_t number;            /* from 1, in the order of creation in the whole run */
	uint64_t capacity_out;      /* bytes that fit, as weir bounds them */
	uint64_t capacity_in;
	uint64_t buffered_out;      /* bytes written and not read yet, without what the */
	uint64_t buffered_in;       /* kernel carries */
	uint64_t position_out;
	uint64_t position_in;
	uint32_t kernel_out;        /* 1: new bytes are carried by the kernel for good */
	uint32_t kernel_in;
};

/* The library's functions; call those below instead. It grows at its end alone: `size` is
 * that of the library's. Other languages find them by name (dlsym): weir_inside_active(),
 * weir_inside_pair(fd, info, size), weir_inside_mark(sv), weir_inside_unmark(fd),
 * weir_inside_set_capacity(fd, bytes), weir_inside_fault(fd, rule),
 * weir_inside_fault_error(), weir_inside_clear_faults(fd). */
struct weir_inside {
	size_t size;
	int (*active)(void);
	int (*pair)(int fd, struct weir_pair_info *info, size_t size);
	int (*mark)(const int sv[2]);
	int (*unmark)(int fd);
	int (*set_capacity)(int fd, uint64_t bytes);
	int (*fault)(int fd, const char *rule);
	const char *(*fault_error)(void);
	int (*clear_faults)(int fd);
};

/* How a program finds the library: by a call that fails everywhere else, as there is no
 * such descriptor. The linker resolves a weak symbol to nothing in many programs that are
 * not position-independent, and dlsym has to be linked with older C libraries. */
#define WEIR_INSIDE_FD (-1)
#define WEIR_INSIDE_REQUEST 0x7765

static inline const struct weir_inside *weir_ask(void)
{
	const struct weir_inside *found = NULL;
#ifdef __linux__
	int saved = errno;
	if (ioctl(WEIR_INSIDE_FD, WEIR_INSIDE_REQUEST, &found) != 0)
		found = NULL;
	errno = saved;
#endif
	return found;
}

/* NULL where weir is not there. Asked for once: it neither comes nor goes. */
static inline const struct weir_inside *weir_inside(void)
{
	static const struct weir_inside *found;
	static int asked;

	if (!__atomic_load_n(&asked, __ATOMIC_ACQUIRE)) {
		__atomic_store_n(&found, weir_ask(), __ATOMIC_RELAXED);
		__atomic_store_n(&asked, 1, __ATOMIC_RELEASE);
	}
	return __atomic_load_n(&found, __ATOMIC_RELAXED);
}

static inline int weir_is_missing(void)
{
	errno = ENOSYS;
	return -1;
}

/* 1 where weir is there and has a session, else 0. */
static inline int weir_active(void)
{
	return weir_inside() ? weir_inside()->active() : 0;
}

/* Tells of the pair that `fd` is an end of. Each number was true at some moment of the
 * call, and all of them together only where nobody else uses the pair. */
static inline int weir_pair(int fd, struct weir_pair_info *info)
{
	return weir_inside() ? weir_inside()->pair(fd, info, sizeof(*info)) : weir_is_missing();
}

/* Lets weir carry a pair that --mark left to the kernel, or that was made by means that
 * weir does not see. `sv`: both descriptors, of which the first becomes side a. The pair
 * gets a new number. Options, duplicates in this process, and sets of epoll that it is
 * in, are taken over.
 *
 * Nobody may use the pair meanwhile, no other process may have it, and a stdio stream
 * that was opened on it before would go past weir.
 *
 * EINVAL: not two AF_UNIX stream sockets that are connected to each other. EALREADY:
 * weir carries one of them. EBUSY: bytes are on their way between them. ENOSPC: all pairs
 * of the session are in use (--max-pairs), or the number of a descriptor is too high.
 * EBADF: not open. EOPNOTSUPP: the kernel does not say who is connected to whom. */
static inline int weir_mark(const int sv[2])
{
	return weir_inside() ? weir_inside()->mark(sv) : weir_is_missing();
}

/* Gives both directions of a pair back to the kernel for good: the one that `fd` writes
 * at once, the other when the peer next writes. What weir still has is read first, in
 * order. Capacities end with that; the rules of faults go on. Again: nothing happens. */
static inline int weir_unmark(int fd)
{
	return weir_inside() ? weir_inside()->unmark(fd) : weir_is_missing();
}

/* How many bytes fit into the direction that `fd` writes, from 1. Bytes that are in it
 * stay, also where they are more. A writer that waits for room looks again.
 *
 * EINVAL: 0, or more than this run has memory for. What --capacity names always fits,
 * and 208K where it was not given. EOPNOTSUPP: the kernel carries that direction. */
static inline int weir_set_capacity(int fd, uint64_t bytes)
{
	return weir_inside() ? weir_inside()->set_capacity(fd, bytes) : weir_is_missing();
}

/* Adds a rule, as --fault takes it (weir-fault(7)), for the end that `fd` is: without
 * pair= and side=, which are filled in. when= counts the calls from now on, and at=
 * the bytes from the start of the pair: position_in and position_out of weir_pair.
 *
 * Calls that wait already come under it, but not one that an earlier rule or --chaos
 * has had its say in; and a reader whose peer is held by other processes alone first
 * sees it when it is next woken.
 *
 * EINVAL: no such rule; weir_fault_error() explains. ENOSPC: a run has places for 62
 * rules. Those of rules that were cleared, or whose pair is closed, are given out
 * again, but only behind the rules that hold for this pair: rules keep their order. */
static inline int weir_fault(int fd, const char *rule)
{
	return weir_inside() ? weir_inside()->fault(fd, rule) : weir_is_missing();
}

/* What was wrong with the rule of this thread's last weir_fault: one line without its
 * end, "" where nothing was. Valid until the thread calls weir_fault again, or ends. */
static inline const char *weir_fault_error(void)
{
	return weir_inside() ? weir_inside()->fault_error() : "";
}

/* Takes back the rules that weir_fault gave for this end, also those that another
 * process gave. What they did to the pair stays done, but calls that they hold back
 * go on. Other rules stay. */
static inline int weir_clear_faults(int fd)
{
	return weir_inside() ? weir_inside()->clear_faults(fd) : weir_is_missing();
}

#ifdef __cplusplus
}
#endif

#endif
