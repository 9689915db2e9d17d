/* poll and select: what shared memory knows is told at once; for the rest the kernel
 * answers, and weir makes the answer true. */
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/os.h"
#include "endpoint/faulty.h"
#include "endpoint/known.h"
#include "hooks/deadline.h"
#include "hooks/hooks.h"
#include "hooks/pieces.h"

enum {
	HELD_MAX = 256,             /* descriptors in a poll that need no memory to hide held ones */
	LOOK_AGAIN_NS = 20000000,   /* how late a release may be noticed */
	LOOKED_AT_MAX = 4,          /* ends looked at for a while before the kernel is asked */
	PAUSE_NS = 1000000,
};

static bool any_faults(void)
{
	return weir_session.plan && weir_plan_holds(weir_session.plan);
}

/* An epoll instance that is asked about has to be exact. */
static bool any_marked(struct pollfd *fds, nfds_t count)
{
	bool loops = load32_relaxed(&weir_loops_made), any = false;

	for (nfds_t i = 0; i < count; i++) {
		if (__builtin_expect(loops, 0))
			weir_loop_shared(fds[i].fd);
		any |= weir_marked(fds[i].fd);
	}
	return any;
}

static void make_exact(const struct pollfd *fds, nfds_t count)
{
	struct weir_end end;

	for (nfds_t i = 0; i < count; i++)
		if (weir_end_of(fds[i].fd, &end))
			weir_end_make_exact(&end, fds[i].events);
}

/* Takes away what is not so. Gives how many descriptors are ready in truth. */
static int make_true(struct pollfd *fds, nfds_t count)
{
	struct weir_end end;
	int ready = 0;

	for (nfds_t i = 0; i < count; i++) {
		if (fds[i].revents && weir_end_of(fds[i].fd, &end))
			fds[i].revents = weir_end_true_events(&end, fds[i].revents);
		ready += fds[i].revents != 0;
	}
	return ready;
}

/* Is an end among them held back? When to look again: no later than that. */
static bool any_held(const struct pollfd *fds, nfds_t count, uint64_t *next)
{
	struct weir_end end;
	bool any = false;
	uint64_t until;

	*next = os_now_ns() + LOOK_AGAIN_NS;
	for (nfds_t i = 0; i < count; i++) {
		if (!weir_end_of(fds[i].fd, &end))
			continue;
		for (int op = 0; op < 2; op++) {
			if (!weir_end_is_held(&end, op, &until))
				continue;
			any = true;
			*next = until < *next ? until : *next;
		}
	}
	return any;
}

/* What the kernel is asked in the place of the program's own. */
struct asked {
	struct pollfd few[HELD_MAX], *fds;
	size_t size;
};

static bool asked_make(struct asked *a, nfds_t count)
{
	long at;

	a->fds = a->few;
	a->size = count * sizeof(a->fds[0]);
	if (count <= HELD_MAX)
		return true;
	at = os_call(SYS_mmap, 0, (long)a->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
	             -1, 0);
	a->fds = (struct pollfd *)at;
	return at > 0;
}

static void asked_end(void *asked)
{
	struct asked *a = asked;

	if (a->fds != a->few)
		os_call(SYS_munmap, (long)a->fds, (long)a->size, 0, 0, 0, 0);
}

/* Asks the kernel without what it would wrongly call ready. */
static int poll_unheld(struct pollfd *fds, nfds_t count, struct timespec left, const sigset_t *mask)
{
	struct asked asked;
	struct weir_end end;
	uint64_t until;

	if (!asked_make(&asked, count)) {
		errno = ENOMEM;
		return -1;
	}
	for (nfds_t i = 0; i < count; i++) {
		asked.fds[i] = fds[i];
		if (!weir_end_of(fds[i].fd, &end))
			continue;
		if (weir_end_is_held(&end, WEIR_OP_READ, &until))
			asked.fds[i].events &= ~(POLLIN | POLLRDNORM);
		if (weir_end_is_held(&end, WEIR_OP_WRITE, &until))
			asked.fds[i].events &= ~(POLLOUT | POLLWRNORM);
	}
	int ready;
	pthread_cleanup_push(asked_end, &asked);
	ready = weir_real()->ppoll(asked.fds, count, &left, mask);
	for (nfds_t i = 0; i < count; i++)
		fds[i].revents = asked.fds[i].revents;
	pthread_cleanup_pop(1);
	return ready;
}

/* What is known of one descriptor without the kernel, or WEIR_UNKNOWN. */
static int known_of(const struct pollfd *polled)
{
	struct weir_end end;

	if (polled->fd < 0)
		return 0;
	return weir_end_of(polled->fd, &end) ? weir_end_known(&end, polled->events) : WEIR_UNKNOWN;
}

/* Gives how many are ready, as far as that is known; `*unknown`: of how many it is not, and
 * these have WEIR_UNKNOWN as their events. */
static int poll_memory(struct pollfd *fds, nfds_t count, nfds_t *unknown)
{
	int ready = 0;

	*unknown = 0;
	for (nfds_t i = 0; i < count; i++) {
		int known = known_of(&fds[i]);
		*unknown += known == WEIR_UNKNOWN;
		fds[i].revents = (short)known;
		ready += known > 0;
	}
	return ready;
}

static bool is_at_once(const struct timespec *left)
{
	return left && left->tv_sec == 0 && left->tv_nsec == 0;
}

/* All are known, and none is ready: one may be in a moment. */
static bool poll_looking(const struct pollfd *fds, nfds_t count, struct os_handled since)
{
	struct weir_end ends[LOOKED_AT_MAX];
	short events[LOOKED_AT_MAX];
	int n = 0;

	for (nfds_t i = 0; i < count; i++) {
		if (!(fds[i].events & (POLLIN | POLLOUT)) || fds[i].fd < 0)
			continue;
		if (n == LOOKED_AT_MAX || !weir_end_of(fds[i].fd, &ends[n]))
			return false;
		events[n++] = fds[i].events;
	}
	return n > 0 && weir_wait_ready(ends, events, n, since);
}

/* Some are ready: the kernel is asked only about those of which nothing is known. */
static int poll_rest(struct pollfd *fds, nfds_t count)
{
	static const struct timespec at_once = {0, 0};
	struct weir_end end;
	int ready = 0;

	for (nfds_t i = 0; i < count; i++)
		if (fds[i].revents == WEIR_UNKNOWN && weir_end_of(fds[i].fd, &end))
			weir_end_make_exact(&end, fds[i].events);
	if (weir_real()->ppoll(fds, count, &at_once, NULL) < 0)
		return -1;
	for (nfds_t i = 0; i < count; i++) {
		int known = known_of(&fds[i]);
		if (known != WEIR_UNKNOWN)
			fds[i].revents = (short)known;
		else if (fds[i].revents && weir_end_of(fds[i].fd, &end))
			fds[i].revents = weir_end_true_events(&end, fds[i].revents);
		ready += fds[i].revents != 0;
	}
	return ready;
}

/* Without waiting in the kernel: true where `*ready` is the answer. A mask lets signals in,
 * where nothing is ready. */
static bool poll_quick(struct pollfd *fds, nfds_t count, const struct timespec *left,
                       const sigset_t *mask, struct os_handled since, int *ready)
{
	nfds_t unknown;

	if (__builtin_expect(any_faults(), 0))
		return false;
	*ready = poll_memory(fds, count, &unknown);
	if (*ready > 0 && unknown > 0)
		*ready = poll_rest(fds, count);
	if (*ready != 0)
		return true;
	if (unknown > 0 || mask)
		return false;
	if (is_at_once(left))
		return true;
	if (weir_may_look(left, mask) && poll_looking(fds, count, since))
		*ready = poll_memory(fds, count, &unknown);
	return *ready > 0 && unknown == 0;
}

/* Once; 0 also where nothing is ready in truth, and time may be left. */
static int poll_once(struct pollfd *fds, nfds_t count, const struct timespec *left,
                     const sigset_t *mask, struct os_handled since)
{
	uint64_t next;
	int ready;

	if (poll_quick(fds, count, left, mask, since, &ready))
		return ready;
	make_exact(fds, count);
	bool interrupted = weir_must_not_wait(since, mask, &left);
	if (__builtin_expect(any_faults(), 0) && any_held(fds, count, &next)) {
		uint64_t ns = weir_time_left(next);
		if (left && (uint64_t)left->tv_sec < 1 && (uint64_t)left->tv_nsec < ns)
			ns = (uint64_t)left->tv_nsec;
		ready = poll_unheld(fds, count, weir_timespec(ns), mask);
	} else {
		ready = weir_real()->ppoll(fds, count, left, mask);
	}
	return weir_or_interrupted(ready > 0 ? make_true(fds, count) : ready, interrupted);
}

/* After a round that gave nothing though time is left: what the kernel wrongly calls ready, as
 * the room of a full direction that was shut, it would again at once. 0 or -1, as ppoll. */
static int rest(uint64_t round_began, const sigset_t *let_in)
{
	static const struct timespec pause = {0, PAUSE_NS};

	if (os_now_ns() - round_began > PAUSE_NS)
		return 0;
	return weir_real()->ppoll(NULL, 0, &pause, let_in);
}

static int poll_in_pieces(struct pollfd *fds, nfds_t count, uint64_t deadline, const sigset_t *mask,
                          struct os_handled since)
{
	struct weir_pieces pieces;
	uint64_t left_ns = weir_time_left(deadline);
	int ready;

	weir_pieces_begin(&pieces, mask);
	pthread_cleanup_push(weir_pieces_end, &pieces);
	ready = weir_was_interrupted(since, mask);
	while (ready == 0) {
		struct timespec left = weir_timespec(left_ns);
		uint64_t began = os_now_ns();
		ready = poll_once(fds, count, deadline == UINT64_MAX ? NULL : &left, pieces.let_in,
		                  since);
		left_ns = weir_time_left(deadline);
		if (ready != 0 || left_ns == 0)
			break;
		ready = rest(began, pieces.let_in);
	}
	pthread_cleanup_pop(1);
	return ready;
}

static int poll_marked(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                       const sigset_t *mask)
{
	struct os_handled since = os_handled();
	uint64_t deadline = weir_deadline(timeout);

	weir_cancellation_point();
	if (__builtin_expect(!any_faults(), 1)) {
		int ready = poll_once(fds, count, timeout, mask, since);
		if (ready != 0 || weir_time_left(deadline) == 0)
			return ready;
	}
	return poll_in_pieces(fds, count, deadline, mask, since);
}

static bool ours(struct pollfd *fds, nfds_t count)
{
	return (uintptr_t)fds >= 4096 && count <= WEIR_TABLE_SIZE && any_marked(fds, count);
}

WEIR_EXPORT int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	if (!ours(fds, count))
		return weir_real()->poll(fds, count, timeout_ms);
	struct timespec timeout = weir_timespec_of_ms(timeout_ms < 0 ? 0 : timeout_ms);
	return poll_marked(fds, count, timeout_ms < 0 ? NULL : &timeout, NULL);
}

int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t size);

WEIR_EXPORT int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t size)
{
	if (size / sizeof(*fds) < count)
		return weir_real()->__poll_chk(fds, count, timeout_ms, size);
	return poll(fds, count, timeout_ms);
}

WEIR_EXPORT int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                      const sigset_t *mask)
{
	if (!ours(fds, count) || (timeout && !weir_timeout_is_valid(timeout)))
		return weir_real()->ppoll(fds, count, timeout, mask);
	return poll_marked(fds, count, timeout, mask);
}

int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                const sigset_t *mask, size_t size);

WEIR_EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                            const sigset_t *mask, size_t size)
{
	if (size / sizeof(*fds) < count)
		return weir_real()->__ppoll_chk(fds, count, timeout, mask, size);
	return ppoll(fds, count, timeout, mask);
}

/* The three sets of a select, kept because a repeated one needs them again. */
struct sets {
	fd_set *set[3];             /* read, write, except: the caller's */
	fd_set kept[3];
	int bound;                  /* descriptors at and above it are not marked */
	size_t size;                /* bytes of a set that the call uses */
};

static const short set_events[3] = {POLLIN, POLLOUT, POLLPRI};

static short wanted(const struct sets *s, fd_set *const set[3], int fd)
{
	short events = 0;

	for (int i = 0; i < 3; i++)
		if (s->set[i] && FD_ISSET(fd, set[i]))
			events |= set_events[i];
	return events;
}

static bool select_is_all_marked(const struct sets *s, int count)
{
	for (int fd = 0; fd < count; fd++)
		if (wanted(s, s->set, fd) && !weir_marked(fd))
			return false;
	return true;
}

static bool select_concerns(const struct sets *s)
{
	for (int fd = 0; fd < s->bound; fd++)
		if (weir_marked(fd) && wanted(s, s->set, fd))
			return true;
	return false;
}

static void select_make_exact(const struct sets *s)
{
	struct weir_end end;

	for (int fd = 0; fd < s->bound; fd++) {
		short events = weir_marked(fd) ? wanted(s, s->set, fd) : 0;
		if (events && weir_end_of(fd, &end))
			weir_end_make_exact(&end, events);
	}
}

/* Gives how many bits were taken away. */
static int select_make_true(struct sets *s)
{
	struct weir_end end;
	int removed = 0;

	for (int fd = 0; fd < s->bound; fd++) {
		short events = weir_marked(fd) ? wanted(s, s->set, fd) : 0;
		if (!events || !weir_end_of(fd, &end))
			continue;
		short now = (short)os_poll_now(fd, events | POLLRDHUP);
		short over = now & (POLLHUP | POLLRDHUP);
		short still = now & POLLERR ? events : weir_end_true_events(&end, events | over);
		for (int i = 0; i < 3; i++) {
			if (!(events & set_events[i]) || (still & set_events[i]))
				continue;
			FD_CLR(fd, s->set[i]);
			removed++;
		}
	}
	return removed;
}

static void keep(struct sets *s, bool restore)
{
	for (int i = 0; i < 3; i++) {
		if (!s->set[i])
			continue;
		if (restore)
			memcpy(s->set[i], &s->kept[i], s->size);
		else
			memcpy(&s->kept[i], s->set[i], s->size);
	}
}

/* Takes out of the sets what is held back. Gives when to look again at the latest;
 * UINT64_MAX: nothing is. */
static uint64_t select_hide_held(const struct sets *s)
{
	uint64_t next = UINT64_MAX, until_ns;
	struct weir_end end;

	for (int fd = 0; any_faults() && fd < s->bound; fd++) {
		if (!weir_marked(fd) || !weir_end_of(fd, &end))
			continue;
		for (int op = 0; op < 2; op++) {
			if (!s->set[op] || !FD_ISSET(fd, s->set[op]) ||
			    !weir_end_is_held(&end, op, &until_ns))
				continue;
			FD_CLR(fd, s->set[op]);
			next = until_ns < next ? until_ns : next;
			if (next > os_now_ns() + LOOK_AGAIN_NS)
				next = os_now_ns() + LOOK_AGAIN_NS;
		}
	}
	return next;
}

/* As pselect, but no longer than to `next`. */
static int select_until(const struct sets *s, int count, const struct timespec *left,
                        uint64_t next, const sigset_t *mask)
{
	struct timespec wait;

	if (next == UINT64_MAX)
		return weir_real()->pselect(count, s->set[0], s->set[1], s->set[2], left, mask);
	uint64_t ns = weir_time_left(next);
	if (left && left->tv_sec == 0 && (uint64_t)left->tv_nsec < ns)
		ns = (uint64_t)left->tv_nsec;
	wait = weir_timespec(ns);
	return weir_real()->pselect(count, s->set[0], s->set[1], s->set[2], &wait, mask);
}

/* Looks only at marked descriptors: gives how many bits remain in the sets, or WEIR_UNKNOWN
 * where there are others, or the kernel has to be asked. The sets are kept. */
static int select_memory(struct sets *s, int count)
{
	struct weir_end end;
	int bits = 0, known;

	if (any_faults() || !select_is_all_marked(s, count))
		return WEIR_UNKNOWN;
	for (int fd = 0; fd < s->bound; fd++) {
		short events = weir_marked(fd) ? wanted(s, s->set, fd) : 0;
		if (!events)
			continue;
		known = weir_end_of(fd, &end) ? weir_end_known(&end, events) : WEIR_UNKNOWN;
		if (known == WEIR_UNKNOWN)
			return WEIR_UNKNOWN;
		for (int i = 0; i < 3; i++) {
			if (!(events & set_events[i]))
				continue;
			if (known & set_events[i])
				bits++;
			else
				FD_CLR(fd, s->set[i]);
		}
	}
	return bits;
}

/* The same of a select. */
static bool select_looking(const struct sets *s, struct os_handled since)
{
	struct weir_end ends[LOOKED_AT_MAX];
	short events[LOOKED_AT_MAX];
	int n = 0;

	for (int fd = 0; fd < s->bound; fd++) {
		short asked = wanted(s, s->set, fd) & (POLLIN | POLLOUT);
		if (!asked)
			continue;
		if (n == LOOKED_AT_MAX || !weir_end_of(fd, &ends[n]))
			return false;
		events[n++] = asked;
	}
	return n > 0 && weir_wait_ready(ends, events, n, since);
}

/* Once; as poll_once. Then the sets are what they were. */
static int select_once(struct sets *s, int count, const struct timespec *left, const sigset_t *mask,
                       struct os_handled since)
{
	keep(s, false);
	int known = select_memory(s, count);
	if (known > 0 || (known == 0 && !mask && is_at_once(left)))
		return known;
	keep(s, true);
	if (known == 0 && weir_may_look(left, mask) && select_looking(s, since)) {
		known = select_memory(s, count);
		if (known > 0)
			return known;
		keep(s, true);
	}
	select_make_exact(s);
	bool interrupted = weir_must_not_wait(since, mask, &left);
	uint64_t next = select_hide_held(s);
	int ready = select_until(s, count, left, next, mask);
	if (ready > 0)
		ready -= select_make_true(s);
	if (ready == 0 && interrupted)
		keep(s, true); /* as errors leave them */
	return weir_or_interrupted(ready, interrupted);
}

static int select_in_pieces(struct sets *s, int count, uint64_t deadline, const sigset_t *mask,
                            struct os_handled since)
{
	struct weir_pieces pieces;
	uint64_t left_ns = weir_time_left(deadline);
	int ready;

	weir_pieces_begin(&pieces, mask);
	pthread_cleanup_push(weir_pieces_end, &pieces);
	ready = weir_was_interrupted(since, mask);
	while (ready == 0) {
		struct timespec left = weir_timespec(left_ns);
		uint64_t began = os_now_ns();
		ready = select_once(s, count, deadline == UINT64_MAX ? NULL : &left, pieces.let_in,
		                    since);
		left_ns = weir_time_left(deadline);
		if (ready != 0 || left_ns == 0)
			break;
		ready = rest(began, pieces.let_in);
		if (ready == 0)
			keep(s, true);
	}
	pthread_cleanup_pop(1);
	return ready;
}

static int select_until_ready(struct sets *s, int count, const struct timespec *timeout,
                              uint64_t deadline, const sigset_t *mask)
{
	struct os_handled since = os_handled();

	if (__builtin_expect(!any_faults(), 1)) {
		int ready = select_once(s, count, timeout, mask, since);
		if (ready != 0 || weir_time_left(deadline) == 0)
			return ready;
		keep(s, true);
	}
	return select_in_pieces(s, count, deadline, mask, since);
}

/* `*left` becomes what is left of it. */
static int select_marked(struct sets *s, int count, struct timespec *left, const sigset_t *mask)
{
	uint64_t deadline = weir_deadline(left);

	weir_cancellation_point();
	int ready = select_until_ready(s, count, left, deadline, mask);
	if (left && deadline != UINT64_MAX)
		*left = weir_timespec(weir_time_left(deadline));
	return ready;
}

static bool select_is_ours(struct sets *s, int count)
{
	for (int i = 0; i < 3; i++)
		if (s->set[i] && (uintptr_t)s->set[i] < 4096)
			return false;
	s->bound = count < weir_table_bound() ? count : weir_table_bound();
	s->size = ((size_t)(count < 0 ? 0 : count) + 63) / 64 * 8; /* whole words, as the kernel */
	if (count < 0 || count > FD_SETSIZE)
		return false;
	for (int fd = 0; load32_relaxed(&weir_loops_made) && fd < count; fd++)
		if (wanted(s, s->set, fd))
			weir_loop_shared(fd);
	return select_concerns(s);
}

/* Linux's select writes back the time that is left; pselect does not. */
WEIR_EXPORT int select(int count, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
	struct sets s = {.set = {in, out, except}};

	if (!select_is_ours(&s, count) ||
	    (timeout && (timeout->tv_sec < 0 || timeout->tv_usec < 0)))
		return weir_real()->select(count, in, out, except, timeout);
	struct timespec left = {0, 0};
	if (timeout) {
		left.tv_sec = timeout->tv_sec + timeout->tv_usec / 1000000;
		left.tv_nsec = timeout->tv_usec % 1000000 * 1000;
	}
	int ready = select_marked(&s, count, timeout ? &left : NULL, NULL);
	if (timeout)
		*timeout = (struct timeval){left.tv_sec, left.tv_nsec / 1000};
	return ready;
}

WEIR_EXPORT int pselect(int count, fd_set *in, fd_set *out, fd_set *except,
                        const struct timespec *timeout, const sigset_t *mask)
{
	struct sets s = {.set = {in, out, except}};

	if (!select_is_ours(&s, count) || (timeout && !weir_timeout_is_valid(timeout)))
		return weir_real()->pselect(count, in, out, except, timeout, mask);
	struct timespec left = {0, 0};
	if (timeout)
		left = *timeout;
	return select_marked(&s, count, timeout ? &left : NULL, mask);
}
