#include <limits.h>
#include <pthread.h>

#include "endpoint/bare.h"
#include "hooks/deadline.h"
#include "hooks/loop.h"
#include "hooks/pieces.h"
#include "pair/board.h"

enum {
	ASK_EVERY = 64,             /* answers from memory until the kernel is asked as well */
	FEW = 16,                   /* places for events: none of less may be lost, half of more */
	VAIN_MAX = 64,              /* waits in a row that end for nothing */
};

static struct weir_numbers *board_of(const struct weir_loop *l)
{
	uint32_t board = load32_relaxed(&l->board);

	return board ? &weir_session.boards[board - 1].ready : NULL;
}

/* An entry that memory answers for, or NULL. */
static struct weir_entry *known_entry(const struct weir_loop *l, int fd, struct weir_end *end)
{
	if (fd < 0 || !weir_is_entered_in(fd, weir_loop_fd(l)) ||
	    !load32_acquire(&weir_entries[fd].known) || !weir_end_of(fd, end) ||
	    !weir_entry_is_of(fd, end))
		return NULL;
	return &weir_entries[fd];
}

static bool is_told(const struct weir_loop *l, const struct weir_entry *e)
{
	return load32_relaxed(&e->told) == load32_relaxed(&l->round);
}

static void note_told(struct weir_loop *l, struct weir_entry *e)
{
	store32_relaxed(&e->told, load32_relaxed(&l->round));
	l->told = (int)(e - weir_entries);
}

/* ---- from memory ---- */

/* What writers have said is to be looked at. */
static void take_word(struct weir_loop *l)
{
	struct weir_numbers *board = board_of(l);

	for (uint32_t n = 0; board && (n = numbers_next(board, n)) < WEIR_NUMBERS; n++) {
		numbers_remove(board, n);
		numbers_add(&l->live, n);
	}
}

static void may_be_stale(struct weir_loop *l, int fd)
{
	l->stales += numbers_add(&l->stale, (uint32_t)fd);
}

/* What memory knows of one, which it tells of, or does not. Levels are looked at again as long as
 * they are so. Who hangs up, or is carried by the kernel, is the kernel's to tell of for good. */
static int look_at(struct weir_loop *l, int fd, bool tells, struct weir_entry **found)
{
	struct weir_end end;
	struct weir_entry *e = *found = known_entry(l, fd, &end);
	int known = 0;

	if (e && is_told(l, e))
		return 0;
	if (e)
		known = tells ? weir_waiter_known(&e->waiter, &end)
		              : weir_waiter_would(&e->waiter, &end);
	if (known == WEIR_UNKNOWN) {
		weir_loop_give_up(l, fd, &end);
		store32_relaxed(&l->ask, 1);
	}
	if (known > 0 && !(tells && (load32_relaxed(&e->waiter.events) & WEIR_EDGES)))
		return known;
	numbers_remove(&l->live, (uint32_t)fd);
	if (e && known >= 0)
		may_be_stale(l, fd);
	return known;
}

/* Is there anything to tell? What only the kernel knows, it is let tell. */
static bool has_any(struct weir_loop *l)
{
	struct weir_entry *e;
	bool any = false;

	take_word(l);
	for (uint32_t fd = 0; (fd = numbers_next(&l->live, fd)) < WEIR_NUMBERS; fd++)
		any |= look_at(l, (int)fd, false, &e) > 0;
	return any;
}

/* The next number to look at from `from` on, once around from `first`; WEIR_NUMBERS: none. */
static uint32_t next_live(struct weir_loop *l, uint32_t from, uint32_t first, bool *wrapped)
{
	uint32_t fd = numbers_next(&l->live, from);

	if (fd == WEIR_NUMBERS && !*wrapped) {
		*wrapped = true;
		fd = numbers_next(&l->live, 0);
	}
	return *wrapped && fd >= first ? WEIR_NUMBERS : fd;
}

/* Each entry once, beginning behind the one that was told of last. Gives how many. */
static int collect(struct weir_loop *l, struct epoll_event *events, int max)
{
	uint32_t first = l->next;
	bool wrapped = false;
	struct weir_entry *e;
	int n = 0;

	take_word(l);
	for (uint32_t fd = first; n < max; fd++) {
		fd = next_live(l, fd, first, &wrapped);
		if (fd == WEIR_NUMBERS)
			break;
		int known = look_at(l, (int)fd, true, &e);
		if (known <= 0)
			continue;
		events[n].events = (uint32_t)known;
		events[n++].data.u64 = load64_relaxed(&e->data);
		note_told(l, e);
		l->next = (fd + 1) % WEIR_NUMBERS;
	}
	return n;
}

/* ---- from the kernel ---- */

/* What is left of an event of an entry that memory answered for once: the kernel may have said
 * it before the end was exact, or have an edge that memory has told of. */
static uint32_t leave_out_told(int fd, uint32_t events)
{
	struct weir_end end;

	if (fd < 0 || !load32_relaxed(&weir_entries[fd].leftover) || !weir_end_of(fd, &end) ||
	    !weir_entry_is_of(fd, &end))
		return events;
	return weir_waiter_true(&weir_entries[fd].waiter, &end, events);
}

/* What is left of one. All that the kernel tells of may have a bell. */
static uint32_t true_events(struct weir_loop *l, const struct epoll_event *event)
{
	int fd = weir_entry_find(weir_loop_fd(l), event->data.u64);
	struct weir_end end;
	struct weir_entry *e = known_entry(l, fd, &end);

	if (!e)
		return leave_out_told(fd, event->events);
	may_be_stale(l, fd);
	if (is_told(l, e))
		return 0;
	uint32_t left = weir_waiter_true(&e->waiter, &end, event->events);
	if (left) {
		note_told(l, e);
		numbers_add(&l->live, (uint32_t)fd);
	}
	return left;
}

/* Of what the kernel said, what the program may hear. */
static int keep_true(struct weir_loop *l, struct epoll_event *events, int count)
{
	int kept = 0;

	for (int i = 0; i < count; i++) {
		struct epoll_event event = events[i];
		event.events = true_events(l, &event);
		if (event.events != 0)
			events[kept++] = event;
	}
	return kept;
}

/* Once of each entry. */
int weir_loop_leave_out_told(int epfd, struct epoll_event *events, int count)
{
	int kept = 0;

	for (int i = 0; i < count; i++) {
		int fd = weir_entry_find(epfd, events[i].data.u64);
		struct epoll_event event = events[i];
		event.events = leave_out_told(fd, event.events);
		if (fd >= 0)
			store32_relaxed(&weir_entries[fd].leftover, 0);
		if (event.events != 0)
			events[kept++] = event;
	}
	return kept;
}

/* ---- before a sleep ---- */

/* True: nobody rings in vain for this one, or what is told of it is told by the kernel. */
static bool settle_one(struct weir_loop *l, int fd)
{
	struct weir_end end;
	struct weir_entry *e = known_entry(l, fd, &end);
	int may = e ? weir_waiter_may_sleep(&e->waiter, &end) : 1;

	if (may == WEIR_UNKNOWN)
		weir_loop_give_up(l, fd, &end);
	return may != 0;
}

/* Receives the bells that nobody needs. False: there is something to tell after all. */
static bool settle(struct weir_loop *l)
{
	bool may = true;

	l->stales = 0;
	for (uint32_t fd = 0; (fd = numbers_next(&l->stale, fd)) < WEIR_NUMBERS; fd++) {
		numbers_remove(&l->stale, fd);
		if (settle_one(l, (int)fd))
			continue;
		numbers_add(&l->live, fd);
		may = false;
	}
	return may;
}

/* ---- epoll_wait ---- */

/* Would what the kernel says, and is not so, take the place of what it alone knows? */
static bool is_crowded(const struct weir_loop *l, int max)
{
	return load32_relaxed(&l->entries) > (uint32_t)max &&
	       l->stales > (uint32_t)(max / FEW * FEW / 2);
}

/* Without waiting. What was told of from memory may take the places, but not twice. */
static int ask_kernel(struct weir_loop *l, struct epoll_event *events, int max, bool all)
{
	int saved = errno, kept = 0, n = max;

	if (all && is_crowded(l, max))
		settle(l);
	for (int i = 0; i < 2 && kept == 0 && n == max; i++) {
		n = weir_real()->epoll_wait(weir_loop_fd(l), events, max, 0);
		kept = n > 0 ? keep_true(l, events, n) : 0;
	}
	errno = saved;
	return kept;
}

/* The kernel first, which knows of most of what memory does; unless it has left no place the
 * last time, so that nobody starves. */
static int tell_with_kernel(struct weir_loop *l, struct epoll_event *events, int max, bool all)
{
	int n = l->full ? collect(l, events, max) : 0;
	int asked = max - n > 0 ? ask_kernel(l, events + n, max - n, all) : 0;

	l->full = asked == max;
	n += asked;
	return n + collect(l, events + n, max - n);
}

static bool has_foreign_peer(const struct weir_loop *l)
{
	struct weir_end end;

	for (int fd = 0; fd < (int)load32_relaxed(&weir_entries_bound); fd++)
		if (known_entry(l, fd, &end) && weir_end_peer_was_shared(&end))
			return true;
	return false;
}

/* The end of a process that has a peer leaves no word. Looked at anew when ends were shared. */
static bool is_foreign(struct weir_loop *l)
{
	if (load32_relaxed(&l->foreign) || load32_relaxed(&l->board) == 0)
		return load32_relaxed(&l->foreign);
	uint32_t shared = load32_relaxed(&weir_session.header->shared_ends);
	if (shared != load32_relaxed(&l->shared)) {
		store32_relaxed(&l->shared, shared);
		if (has_foreign_peer(l))
			store32_relaxed(&l->foreign, 1);
	}
	return load32_relaxed(&l->foreign);
}

/* Are there things that only the kernel knows? */
static bool asks_always(struct weir_loop *l)
{
	return load32_relaxed(&l->others) > 0 || is_foreign(l);
}

static bool must_ask(struct weir_loop *l)
{
	return asks_always(l) || load32_relaxed(&l->ask) ||
	       load32_relaxed(&l->round) % ASK_EVERY == 0;
}

/* What is there. `at_once`: nobody will wait. */
static int tell_at_once(struct weir_loop *l, struct epoll_event *events, int max, bool at_once)
{
	bool ask = must_ask(l);
	int n = 0;

	store32_relaxed(&l->ask, 0);
	if (!ask)
		n = collect(l, events, max);
	else if (!has_any(l) && !at_once)
		return 0;
	if (n == max || (!ask && (n > 0 ? !load32_relaxed(&l->ask) : !at_once)))
		return n;
	bool all = at_once || asks_always(l);
	return n + tell_with_kernel(l, events + n, max - n, all);
}

static bool is_at_once(const struct timespec *timeout)
{
	return timeout && timeout->tv_sec == 0 && timeout->tv_nsec == 0;
}

static bool has_word(const void *board)
{
	struct weir_numbers *const *ready = board;

	return numbers_next(*ready, 0) < WEIR_NUMBERS;
}

/* Who was told of last is likely to be next. Where there is what the kernel alone knows, it is
 * asked at once. */
static void look_for_word(struct weir_loop *l, const struct timespec *timeout,
                          const sigset_t *mask, struct os_handled since)
{
	struct weir_numbers *board = board_of(l);
	struct weir_end end;

	if (board && load32_relaxed(&l->others) == 0 && weir_may_look(timeout, mask) &&
	    known_entry(l, l->told, &end))
		weir_wait_looking(&end, true, has_word, &board, since);
}

/* One sleep in the kernel, unless there is something to tell, or a handler has run `since`. Gives
 * how many were told of, or -1 with errno; 0 also where the kernel woke it for nothing. */
static int sleep_once(struct weir_loop *l, struct epoll_event *events, int max, uint64_t ns,
                      const sigset_t *mask, struct os_handled since)
{
	int n = collect(l, events, max);

	while (n == 0 && !settle(l))
		n = collect(l, events, max);
	if (n > 0)
		return n;
	bool interrupted = weir_is_interrupted(since, mask);
	n = weir_epoll_wait_ns(weir_loop_fd(l), events, max, interrupted ? 0 : ns, mask);
	return weir_or_interrupted(n > 0 ? keep_true(l, events, n) : n, interrupted);
}

/* As long as it takes. What the kernel goes on to say, and nobody here believes, the program
 * is to judge. */
static int sleep_until(struct weir_loop *l, struct epoll_event *events, int max,
                       uint64_t deadline, const sigset_t *mask, struct os_handled since)
{
	for (int vain = 0;; vain++) {
		if (vain == VAIN_MAX)
			weir_loop_end(l);
		int n = sleep_once(l, events, max, weir_time_left(deadline), mask, since);
		if (n != 0 || weir_time_left(deadline) == 0)
			return n;
	}
}

static int sleep_in_pieces(struct weir_loop *l, struct epoll_event *events, int max,
                           uint64_t deadline, const sigset_t *mask, struct os_handled since)
{
	struct weir_pieces pieces;
	int n;

	weir_pieces_begin(&pieces, mask);
	pthread_cleanup_push(weir_pieces_end, &pieces);
	n = weir_was_interrupted(since, mask);
	if (n == 0)
		n = sleep_until(l, events, max, deadline, pieces.let_in, since);
	pthread_cleanup_pop(1);
	return n;
}

static int sleep_on(struct weir_loop *l, struct epoll_event *events, int max,
                    const struct timespec *timeout, const sigset_t *mask,
                    struct os_handled since)
{
	uint64_t deadline = weir_deadline(timeout);

	look_for_word(l, timeout, mask, since);
	int n = sleep_once(l, events, max, weir_time_left(deadline), mask, since);
	if (n != 0 || weir_time_left(deadline) == 0)
		return n;
	return sleep_in_pieces(l, events, max, deadline, mask, since);
}

/* One that left by a jump, or was cancelled, counts as inside. */
static bool enter(struct weir_loop *l)
{
	if (add32_ordered(&l->inside, 1) == 0 && !weir_is_bare() && !load32_acquire(&l->over))
		return true;
	weir_loop_end(l);
	add32_ordered(&l->inside, UINT32_MAX);
	return false;
}

bool weir_loop_wait(struct weir_loop *l, struct epoll_event *events, int max,
                    const struct timespec *timeout, const sigset_t *mask, int *result)
{
	struct os_handled since = os_handled();

	if (max <= 0 || (size_t)max > INT_MAX / sizeof(*events) || (uintptr_t)events < 4096 ||
	    !enter(l))
		return false;
	weir_cancellation_point();
	store32_relaxed(&l->round, load32_relaxed(&l->round) + 1);
	*result = tell_at_once(l, events, max, is_at_once(timeout));
	if (*result == 0 && !is_at_once(timeout))
		*result = sleep_on(l, events, max, timeout, mask, since);
	add32_ordered(&l->inside, UINT32_MAX);
	return true;
}
