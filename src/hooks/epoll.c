/* epoll: where memory does not answer (loop.h), the kernel does. What is held back (a stall, a
 * delay, a rate) is taken out of the kernel's set until it may be seen, because the kernel would
 * call it ready; put back, it makes a new event, also for who waits for edges.
 */
#include <pthread.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/os.h"
#include "endpoint/faulty.h"
#include "hooks/deadline.h"
#include "hooks/loop.h"
#include "hooks/pieces.h"

enum { LOOK_AGAIN_NS = 20000000 };  /* how late a hold of another thread may be noticed */

static weir_word32 out_count;       /* how many have something taken out */

static void set_out(struct weir_entry *w, uint32_t events)
{
	uint32_t before = load32_relaxed(&w->taken_out);

	store32_relaxed(&w->taken_out, events);
	if (!before && events)
		add32_ordered(&out_count, 1);
	if (before && !events)
		add32_ordered(&out_count, UINT32_MAX);
}

static void note(int epfd, int fd, const struct epoll_event *event)
{
	if (fd >= 0 && fd < WEIR_ENTRIES_MAX)
		set_out(&weir_entries[fd], 0);
	weir_entry_note(epfd, fd, event);
}

static void forget(int epfd, int fd)
{
	if (!weir_is_entered_in(fd, epfd))
		return;
	set_out(&weir_entries[fd], 0);
	weir_entry_forget(fd);
}

/* Is anything hidden, or may another thread hide something meanwhile? */
static bool must_look(void)
{
	if (load32_acquire(&out_count) > 0)
		return true;
	return weir_session.plan && weir_plan_holds(weir_session.plan);
}

/* What the end must not be seen ready for now, and until when. */
static uint32_t held_events(const struct weir_end *end, uint64_t *until)
{
	uint64_t read = UINT64_MAX, write = UINT64_MAX;
	uint32_t events = 0;

	if (weir_end_is_held(end, WEIR_OP_READ, &read))
		events |= WEIR_INPUT;
	if (weir_end_is_held(end, WEIR_OP_WRITE, &write))
		events |= WEIR_ROOM;
	*until = UINT64_MAX;
	if (events & WEIR_INPUT)
		*until = read;
	if ((events & WEIR_ROOM) && write < *until)
		*until = write;
	return events;
}

/* Tells the kernel which of the wanted events may be seen. */
static void let_see(int fd, struct weir_entry *w, uint32_t held)
{
	uint32_t wanted = load32_relaxed(&w->waiter.events);
	int epfd = (int)load32_relaxed(&w->set) - 1;
	struct epoll_event event = {.events = wanted & ~held};

	event.data.u64 = load64_relaxed(&w->data);
	store32_relaxed(&w->leftover, 0);
	if (weir_real()->epoll_ctl(epfd, EPOLL_CTL_MOD, fd, &event) == 0)
		set_out(w, wanted & held);
	else
		set_out(w, 0); /* it was closed, or is in the set no longer */
}

/* A hold that ended since it stopped the call, or a rule that let it fail, leaves what there is to
 * be seen, but a watcher of edges has seen the edge: it needs another. */
static bool has_missed_edge(const struct weir_end *end, int op, uint32_t wanted)
{
	if (!(wanted & EPOLLET))
		return false;
	if (op == WEIR_OP_READ)
		return (wanted & WEIR_INPUT) && weir_pipe_used(&end->in) > 0;
	return (wanted & WEIR_ROOM) && weir_pipe_writable(&end->out);
}

/* One-shot entries that have fired wait for the program to arm them again. */
void weir_epoll_hide(const struct weir_end *end, int op)
{
	int saved = errno;
	uint64_t until;

	if (!weir_is_entered(end->fd))
		return;
	struct weir_entry *w = &weir_entries[end->fd];
	uint32_t wanted = load32_relaxed(&w->waiter.events);
	uint32_t held = must_look() ? held_events(end, &until) & wanted : 0;
	bool tell = held ? held != load32_relaxed(&w->taken_out) : has_missed_edge(end, op, wanted);
	if (tell && !(wanted & EPOLLONESHOT) && (held || !weir_loop_tells_again(end->fd, end))) {
		weir_loop_shared((int)load32_relaxed(&w->set) - 1); /* the kernel tells */
		let_see(end->fd, w, held);
	}
	errno = saved;
}

static bool may_be_stalled(void)
{
	return weir_session.plan && (load64_relaxed(&weir_session.plan->holding) & WEIR_DONE_BIT);
}

/* May a rule of the plan hold calls of the end back? */
static bool may_be_held(const struct weir_end *end)
{
	const struct weir_plan *plan = weir_session.plan;
	uint64_t rules = 0;

	for (uint32_t op = 0; op < 2; op++)
		rules |= weir_plan_rules(plan, end->slot->number, (uint32_t)end->side, op);
	return (rules & (load64_relaxed(&plan->holding) | WEIR_CHAOS_BIT)) != 0;
}

static bool has_held_end(int epfd)
{
	struct weir_end end;

	for (int fd = 0; fd < (int)load32_relaxed(&weir_entries_bound); fd++)
		if (weir_is_entered_in(fd, epfd) && weir_end_of(fd, &end) && may_be_held(&end))
			return true;
	return false;
}

/* May one of the loop's ends be held back? Whom rules concern is asked once for each state of the
 * plan; who stalls an end by hand, or has one hidden, raises no epoch. */
static bool may_hold(struct weir_loop *l)
{
	uint32_t epoch = load32_acquire(&weir_session.plan->epoch);

	if (load32_acquire(&out_count) > 0 || may_be_stalled() || load32_relaxed(&l->lost))
		return true;
	if (load32_relaxed(&l->unheld) == epoch + 1)
		return false;
	if (has_held_end(weir_loop_fd(l)))
		return true;
	store32_relaxed(&l->unheld, epoch + 1);
	return false;
}

/* The loop that an instance is, as long as none of its ends may be held back. */
static struct weir_loop *loop_of(int epfd)
{
	struct weir_loop *loop = weir_loop_of(epfd);

	if (!loop || weir_in_vfork_child())
		return NULL;
	if (__builtin_expect(!must_look() || !may_hold(loop), 1) && !load32_relaxed(&loop->lent))
		return loop;
	weir_loop_end(loop);
	return NULL;
}

static bool is_edged(int epfd)
{
	return epfd >= 0 && epfd < WEIR_ENTRIES_MAX && load32_relaxed(&weir_entries[epfd].edged);
}

/* Before the kernel watches: a stale bell would wake who waits in the set already. */
static void watch(int epfd, const struct weir_end *end, uint32_t events)
{
	weir_loop_watch(end, is_edged(epfd) ? events | WEIR_EDGES : events);
}

/* A set that another has with EPOLLET: whatever comes to its ends, however it tells of it
 * itself, is an edge there. */
static void watch_edges(int set)
{
	struct weir_end end;

	if (set < 0 || set >= WEIR_ENTRIES_MAX)
		return;
	store32_relaxed(&weir_entries[set].edged, 1);
	for (int fd = 0; fd < (int)load32_relaxed(&weir_entries_bound); fd++)
		if (weir_is_entered_in(fd, set) && weir_end_of(fd, &end))
			watch(set, &end, load32_relaxed(&weir_entries[fd].waiter.events));
}

static int control(int epfd, int op, int fd, const struct weir_end *end, struct epoll_event *event)
{
	uint64_t until;

	if (op != EPOLL_CTL_DEL && (uintptr_t)event >= 4096) {
		weir_entry_moves(epfd, fd);
		watch(epfd, end, event->events);
	}
	int result = weir_real()->epoll_ctl(epfd, op, fd, event);
	if (result != 0)
		return result;
	if (op == EPOLL_CTL_DEL) {
		forget(epfd, fd);
		return result;
	}
	note(epfd, fd, event);
	uint32_t held = held_events(end, &until) & event->events;
	if (__builtin_expect(held != 0, 0))
		let_see(fd, &weir_entries[fd], held);
	return result;
}

/* Of what is not marked. */
static int control_other(int epfd, int op, int fd, struct epoll_event *event)
{
	struct weir_loop *loop = loop_of(epfd);
	int result = loop ? weir_loop_control(loop, op, fd, NULL, event)
	                  : weir_real()->epoll_ctl(epfd, op, fd, event);

	if (result == 0 && op != EPOLL_CTL_DEL && (event->events & EPOLLET))
		watch_edges(fd);
	return result;
}

/* Of what is marked. Whether a rule holds it back is asked before, and after, as then whoever
 * looks over the loop finds it there. */
static int control_loop(struct weir_loop *loop, int op, int fd, const struct weir_end *end,
                        struct epoll_event *event)
{
	if (must_look() && may_be_held(end)) {
		weir_loop_end(loop);
		return control(weir_loop_fd(loop), op, fd, end, event);
	}
	int result = weir_loop_control(loop, op, fd, end, event);
	if (must_look() && may_be_held(end))
		weir_loop_end(loop);
	return result;
}

WEIR_EXPORT int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	struct weir_loop *loop = loop_of(epfd);
	struct weir_end end;

	if (!weir_end_of(fd, &end)) {
		if (op == EPOLL_CTL_ADD)
			weir_loop_shared(fd); /* a set in a set */
		return control_other(epfd, op, fd, event);
	}
	return loop ? control_loop(loop, op, fd, &end, event) : control(epfd, op, fd, &end, event);
}

/* What of an entry is held now. One-shot entries are never taken out anew. */
static uint32_t held_of(int fd, const struct weir_entry *w, uint64_t *until)
{
	uint32_t wanted = load32_relaxed(&w->waiter.events);
	struct weir_end end;

	if (wanted & EPOLLONESHOT)
		wanted = load32_relaxed(&w->taken_out);
	return weir_end_of(fd, &end) ? held_events(&end, until) & wanted : 0;
}

/* Puts back what may be seen again, and takes out what may not: `weir ctl stall`
 * tells nobody. Gives when to look again; UINT64_MAX: never. */
static uint64_t look_over(void)
{
	uint64_t next = UINT64_MAX;

	for (int fd = 0; fd < (int)load32_relaxed(&weir_entries_bound); fd++) {
		struct weir_entry *w = &weir_entries[fd];
		uint64_t until = UINT64_MAX;
		if (!weir_is_entered(fd))
			continue;
		uint32_t held = held_of(fd, w, &until);
		if (held != load32_relaxed(&w->taken_out))
			let_see(fd, w, held);
		if (held && until < next)
			next = until;
	}
	return next;
}

/* Nanoseconds to wait before the next look; UINT64_MAX: as long as it takes. */
static uint64_t patience(uint64_t deadline)
{
	uint64_t next = UINT64_MAX;

	if (load32_acquire(&out_count) > 0 || may_be_stalled())
		next = look_over();
	uint64_t now = os_now_ns();
	if (next > now + LOOK_AGAIN_NS)
		next = now + LOOK_AGAIN_NS;
	if (next > deadline)
		next = deadline;
	return next > now ? next - now : 0;
}

int weir_epoll_wait_ns(int epfd, struct epoll_event *events, int max, uint64_t ns,
                       const sigset_t *mask)
{
	struct timespec left = weir_timespec(ns);
	int saved = errno;

	if (ns == UINT64_MAX)
		return weir_real()->epoll_pwait(epfd, events, max, -1, mask);
	if (weir_real()->epoll_pwait2) {
		int r = weir_real()->epoll_pwait2(epfd, events, max, &left, mask);
		if (r >= 0 || errno != ENOSYS)
			return r;
		errno = saved;
	}
	return weir_real()->epoll_pwait(epfd, events, max, (int)((ns + 999999) / 1000000), mask);
}

/* Of what the kernel calls ready, what the program may see. What may not be seen
 * until later is hidden; a one-shot entry that fired in vain is armed again. */
static uint32_t look_at(int fd, struct weir_entry *w, const struct weir_end *end, uint32_t ready)
{
	uint64_t until;
	uint32_t held = held_events(end, &until) & load32_relaxed(&w->waiter.events);
	short seen = (short)(ready & ~held);

	weir_end_make_exact(end, seen);
	seen = weir_end_true_events(end, seen);
	if (held || (!seen && (load32_relaxed(&w->waiter.events) & EPOLLONESHOT)))
		let_see(fd, w, held);
	return (uint32_t)seen;
}

/* The next entry of the set, from `fd` on, of a marked descriptor that the program gave this
 * with: by that entries are told apart. */
static bool find_entry(int epfd, uint64_t data, int *fd, struct weir_end *end)
{
	for (; *fd < (int)load32_relaxed(&weir_entries_bound); (*fd)++) {
		struct weir_entry *w = &weir_entries[*fd];
		if (load32_acquire(&w->set) == (uint32_t)epfd + 1 &&
		    load64_relaxed(&w->data) == data && weir_end_of(*fd, end) &&
		    weir_entry_is_of(*fd, end))
			return true;
	}
	return false;
}

static uint32_t true_events(int epfd, const struct epoll_event *event)
{
	uint32_t ready = event->events & (WEIR_INPUT | WEIR_ROOM), seen = 0;
	bool known = false;
	struct weir_end end;

	if (!ready || (event->events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)))
		return event->events;
	for (int fd = 0; find_entry(epfd, event->data.u64, &fd, &end); fd++) {
		known = true;
		seen |= look_at(fd, &weir_entries[fd], &end, ready);
	}
	return known ? (event->events & ~ready) | seen : event->events;
}

/* Of a reset by a rule the kernel knows only that the peer has gone; and of a peer that was
 * killed it takes bells for bytes that are lost. An error that no end of these data has is that
 * of an entry which has outlived its number. */
static void make_reset_true(int epfd, struct epoll_event *event)
{
	struct weir_end end;
	bool known = false, failed = false, reset = false;

	for (int fd = 0; find_entry(epfd, event->data.u64, &fd, &end); fd++) {
		short seen = (short)(event->events & (POLLERR | POLLHUP));
		known = true;
		failed |= !(seen & POLLERR) || (os_poll_now(fd, 0) & POLLERR);
		reset |= weir_end_true_events(&end, seen) & POLLERR;
	}
	if (known && failed)
		event->events = (event->events & ~(uint32_t)EPOLLERR) | (reset ? EPOLLERR : 0);
}

static int make_resets_true(int epfd, struct epoll_event *events, int ready)
{
	for (int i = 0; i < ready; i++)
		if (__builtin_expect(events[i].events & (EPOLLHUP | EPOLLERR), 0))
			make_reset_true(epfd, &events[i]);
	return ready;
}

/* Who was held while the program slept woke it all the same. */
static int drop_untrue(int epfd, struct epoll_event *events, int ready)
{
	int kept = 0, saved = errno;

	for (int i = 0; i < ready; i++) {
		struct epoll_event event = events[i];
		event.events = true_events(epfd, &event);
		if (event.events)
			events[kept++] = event;
	}
	errno = saved;
	return kept;
}

static int drop_told(int epfd, struct epoll_event *events, int ready)
{
	int saved = errno;

	if (ready > 0 && weir_loop_was(epfd))
		ready = weir_loop_leave_out_told(epfd, events, ready);
	errno = saved;
	return ready;
}

static int wait_looking(int epfd, struct epoll_event *events, int max, uint64_t deadline,
                        const sigset_t *mask)
{
	struct weir_pieces pieces;
	int ready;

	weir_pieces_begin(&pieces, mask);
	pthread_cleanup_push(weir_pieces_end, &pieces);
	do {
		uint64_t ns = patience(deadline);
		ready = weir_epoll_wait_ns(epfd, events, max, ns, pieces.let_in);
		ready = drop_told(epfd, events, ready);
		if (ready > 0)
			ready = drop_untrue(epfd, events, ready);
	} while (ready == 0 && weir_time_left(deadline) > 0);
	pthread_cleanup_pop(1);
	return make_resets_true(epfd, events, ready);
}

/* Of what was answered while there was nothing to look at, and now there may be. When the call
 * began is not known then: who waits on waits as long as he wanted. */
static int look_again(int ready, int epfd, struct epoll_event *events, int max,
                      const struct timespec *timeout, const sigset_t *mask)
{
	struct os_handled since = os_handled();

	if (ready > 0 && must_look())
		ready = drop_untrue(epfd, events, ready);
	if (ready != 0)
		return make_resets_true(epfd, events, ready);
	if (weir_was_interrupted(since, mask) < 0)
		return -1;
	return wait_looking(epfd, events, max, weir_deadline(timeout), mask);
}

/* What the kernel alone has answered. */
static int believe(int ready, int epfd, struct epoll_event *events, int max,
                   const struct timespec *timeout, const sigset_t *mask)
{
	if (ready <= 0)
		return ready;
	return look_again(drop_told(epfd, events, ready), epfd, events, max, timeout, mask);
}

/* Where weir answers, or waits in pieces. */
static bool wait_here(int epfd, struct epoll_event *events, int max,
                      const struct timespec *timeout, const sigset_t *mask, int *ready)
{
	struct weir_loop *loop = loop_of(epfd);

	if (!loop || !weir_loop_wait(loop, events, max, timeout, mask, ready)) {
		if (__builtin_expect(!must_look(), 1))
			return false;
		*ready = wait_looking(epfd, events, max, weir_deadline(timeout), mask);
	} else if (*ready > 0 && __builtin_expect(must_look(), 0) && may_hold(loop)) {
		weir_loop_end(loop);
		*ready = look_again(*ready, epfd, events, max, timeout, mask);
	} else {
		make_resets_true(epfd, events, *ready);
	}
	return true;
}

WEIR_EXPORT int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout_ms)
{
	struct timespec time = weir_timespec_of_ms(timeout_ms < 0 ? 0 : timeout_ms);
	const struct timespec *timeout = timeout_ms < 0 ? NULL : &time;
	int ready;

	if (wait_here(epfd, events, max, timeout, NULL, &ready))
		return ready;
	ready = weir_real()->epoll_wait(epfd, events, max, timeout_ms);
	return believe(ready, epfd, events, max, timeout, NULL);
}

WEIR_EXPORT int epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout_ms,
                            const sigset_t *mask)
{
	struct timespec time = weir_timespec_of_ms(timeout_ms < 0 ? 0 : timeout_ms);
	const struct timespec *timeout = timeout_ms < 0 ? NULL : &time;
	int ready;

	if (wait_here(epfd, events, max, timeout, mask, &ready))
		return ready;
	ready = weir_real()->epoll_pwait(epfd, events, max, timeout_ms, mask);
	return believe(ready, epfd, events, max, timeout, mask);
}

WEIR_EXPORT int epoll_pwait2(int epfd, struct epoll_event *events, int max,
                             const struct timespec *timeout, const sigset_t *mask)
{
	int ready;

	if (!weir_real()->epoll_pwait2) {
		errno = ENOSYS;
		return -1;
	}
	if (timeout && !weir_timeout_is_valid(timeout))
		return weir_real()->epoll_pwait2(epfd, events, max, timeout, mask);
	if (wait_here(epfd, events, max, timeout, mask, &ready))
		return ready;
	ready = weir_real()->epoll_pwait2(epfd, events, max, timeout, mask);
	return believe(ready, epfd, events, max, timeout, mask);
}
