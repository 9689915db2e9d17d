#include "hooks/loop.h"

#include <link.h>
#include <string.h>

#include "pair/board.h"

enum { LOOPS_MAX = WEIR_BOARDS_MAX };

weir_word32 weir_loops_made;

static struct weir_loop loops[LOOPS_MAX];
static weir_word32 loop_at[WEIR_ENTRIES_MAX]; /* index + 1 of the loop of that descriptor */
static weir_word32 no_more;         /* 1: what is made now is no loop */

static struct weir_loop *any_loop_of(int epfd)
{
	uint32_t at = (unsigned int)epfd < WEIR_ENTRIES_MAX ? load32_acquire(&loop_at[epfd]) : 0;

	return at ? &loops[at - 1] : NULL;
}

struct weir_loop *weir_loop_of(int epfd)
{
	struct weir_loop *l = any_loop_of(epfd);

	return l && !load32_acquire(&l->over) ? l : NULL;
}

bool weir_loop_was(int epfd)
{
	const struct weir_loop *l = any_loop_of(epfd);

	return l && load32_relaxed(&l->leftovers);
}

/* ---- they begin ---- */

static void begin(struct weir_loop *l, bool closes_on_exec)
{
	store32_relaxed(&l->over, 0);
	store32_relaxed(&l->lent, 0);
	store32_relaxed(&l->closes_on_exec, closes_on_exec);
	store32_relaxed(&l->inside, 0);
	store32_relaxed(&l->entries, 0);
	store32_relaxed(&l->others, 0);
	store32_relaxed(&l->ask, 1);
	store32_relaxed(&l->leftovers, 0);
	store32_relaxed(&l->lost, 0);
	store32_relaxed(&l->foreign, 0);
	store32_relaxed(&l->shared, 0);
	store32_relaxed(&l->unheld, 0);
	l->full = false;
	l->stales = 0;
	store32_relaxed(&weir_loops_made, 1);
}

/* liburing makes its rings, which wait for what they like, by system calls of its own. */
static int is_liburing(struct dl_phdr_info *library, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	return library->dlpi_name && strstr(library->dlpi_name, "/liburing") != NULL;
}

int weir_loop_made(int epfd, bool closes_on_exec)
{
	if (epfd < 0 || epfd >= WEIR_ENTRIES_MAX || weir_in_vfork_child() ||
	    load32_relaxed(&no_more) || dl_iterate_phdr(is_liburing, NULL) != 0)
		return epfd;
	for (int i = 0; i < LOOPS_MAX; i++) {
		struct weir_loop *l = &loops[i];
		if (load32_relaxed(&l->fd) != 0 || !swap32_if(&l->fd, 0, (uint32_t)epfd + 1))
			continue;
		begin(l, closes_on_exec);
		store32_release(&loop_at[epfd], (uint32_t)i + 1);
		return epfd;
	}
	return epfd;
}

/* ---- entries end ---- */

void weir_loop_watch(const struct weir_end *end, uint32_t events)
{
	weir_end_watch(end, (short)(events & (WEIR_INPUT | WEIR_ROOM)), (events & WEIR_EDGES) != 0);
}

void weir_loop_leave_board(const struct weir_loop *l, int fd, const struct weir_end *end)
{
	uint32_t word = weir_board_word(load32_relaxed(&l->board), fd);

	swap32_if(&end->in.pipe->board, word, 0);
}

void weir_loop_one_more(struct weir_loop *l, bool known)
{
	add32_ordered(&l->entries, 1);
	if (!known)
		add32_ordered(&l->others, 1);
}

static void one_less(weir_word32 *count)
{
	if (load32_relaxed(count) > 0)
		add32_ordered(count, UINT32_MAX);
}

void weir_loop_one_less(struct weir_loop *l, bool known)
{
	one_less(&l->entries);
	if (!known)
		one_less(&l->others);
}

/* An edge that nobody has told of yet, and for which no bell was rung, is made again. After
 * the end was watched: what is written from then on rings. */
static void make_edge(const struct weir_loop *l, int fd, const struct weir_entry *e,
                      const struct weir_end *end)
{
	struct epoll_event event = {.events = load32_relaxed(&e->waiter.events)};
	int saved = errno;

	event.data.u64 = load64_relaxed(&e->data);
	if ((event.events & WEIR_EDGES) && weir_waiter_has_news(&e->waiter, end))
		weir_real()->epoll_ctl(weir_loop_fd(l), EPOLL_CTL_MOD, fd, &event);
	errno = saved;
}

/* First the end is exact, then the kernel believed. */
void weir_loop_give_up(struct weir_loop *l, int fd, const struct weir_end *end)
{
	struct weir_entry *e = &weir_entries[fd];
	struct weir_end now;

	if (!load32_acquire(&e->known))
		return;
	/* The number may have become another's while the caller looked. */
	if (!weir_entry_is_of(fd, end) && weir_end_of(fd, &now))
		end = &now;
	weir_loop_watch(end, load32_relaxed(&e->waiter.events));
	store32_relaxed(&e->leftover, 1);
	if (!swap32_if(&e->known, 1, 0))
		return;
	store32_ordered(&l->leftovers, 1);
	add32_ordered(&l->others, 1);
	weir_loop_leave_board(l, fd, end);
	make_edge(l, fd, e, end);
}

/* Who comes to epoll_wait meanwhile finds a thread. */
bool weir_loop_tells_again(int fd, const struct weir_end *end)
{
	struct weir_entry *e = &weir_entries[fd];
	struct weir_loop *l = weir_loop_of((int)load32_relaxed(&e->set) - 1);

	if (!l || weir_in_vfork_child() || !swap32_if(&l->inside, 0, 1))
		return false;
	bool known = load32_acquire(&e->known) && weir_entry_is_of(fd, end);
	if (known) {
		weir_waiter_again(&e->waiter);
		numbers_add(&l->live, (uint32_t)fd);
	}
	add32_ordered(&l->inside, UINT32_MAX);
	return known;
}

bool weir_entry_moves(int epfd, int fd)
{
	struct weir_loop *other;
	struct weir_end end;

	if (!weir_is_entered(fd) || weir_is_entered_in(fd, epfd))
		return false;
	other = any_loop_of((int)load32_relaxed(&weir_entries[fd].set) - 1);
	if (!other)
		return true;
	store32_relaxed(&other->lost, 1);
	if (weir_end_of(fd, &end))
		weir_loop_give_up(other, fd, &end);
	return true;
}

/* ---- loops end ---- */

static void give_back_board(struct weir_loop *l)
{
	uint32_t board = load32_relaxed(&l->board);

	if (board != 0 && swap32_if(&l->board, board, 0))
		weir_board_give_back(&weir_session, board);
}

/* The board stays until no end leaves word there. */
void weir_loop_end(struct weir_loop *l)
{
	struct weir_end end;

	store32_ordered(&l->over, 1);
	for (int fd = 0; fd < (int)load32_relaxed(&weir_entries_bound); fd++)
		if (weir_is_entered_in(fd, weir_loop_fd(l)) && weir_end_of(fd, &end))
			weir_loop_give_up(l, fd, &end);
	give_back_board(l);
}

static void end_once(struct weir_loop *l)
{
	if (!load32_acquire(&l->over))
		weir_loop_end(l);
}

/* A vfork child may do nothing to its parent's ends, whose numbers may be other files' there.
 * What is written from now on rings; the parent does the rest when it comes to the instance. */
static void lend(struct weir_loop *l)
{
	struct weir_end end;

	for (int fd = 0; fd < (int)load32_relaxed(&weir_entries_bound); fd++)
		if (weir_is_entered_in(fd, weir_loop_fd(l)) && weir_end_of(fd, &end))
			weir_pipe_watch(&end.in, WEIR_WATCH_INPUT | WEIR_WATCH_EDGES);
	store32_ordered(&l->lent, 1);
}

void weir_loop_shared(int fd)
{
	struct weir_loop *l = any_loop_of(fd);

	if (l && weir_in_vfork_child())
		lend(l);
	else if (l)
		end_once(l);
}

void weir_loop_gives_up(int fd)
{
	if (weir_is_entered(fd))
		weir_loop_shared((int)load32_relaxed(&weir_entries[fd].set) - 1);
}

void weir_loops_shared(bool also_closing_on_exec)
{
	for (int i = 0; load32_relaxed(&weir_loops_made) && i < LOOPS_MAX; i++)
		if (load32_relaxed(&loops[i].fd) != 0 &&
		    (also_closing_on_exec || !load32_relaxed(&loops[i].closes_on_exec)))
			end_once(&loops[i]);
}

void weir_loops_no_more(void)
{
	store32_relaxed(&no_more, 1);
	weir_loops_shared(true);
}

/* ---- descriptors close ---- */

static void empty(struct weir_numbers *set)
{
	for (uint32_t n = 0; (n = numbers_next(set, n)) < WEIR_NUMBERS; n++)
		numbers_remove(set, n);
}

/* One that a thread is in is never used again: it goes on with what the number was. */
static void loop_closes(int epfd)
{
	struct weir_loop *l = any_loop_of(epfd);

	for (int fd = 0; fd < (int)load32_relaxed(&weir_entries_bound); fd++)
		if (weir_is_entered_in(fd, epfd))
			weir_entry_forget(fd);
	store32_release(&loop_at[epfd], 0);
	store32_ordered(&l->over, 1);
	give_back_board(l);
	empty(&l->live);
	empty(&l->stale);
	if (load32_acquire(&l->inside) == 0)
		store32_release(&l->fd, 0);
}

/* Do others hold the end, so that what was entered stays in the set? */
static bool is_held_elsewhere(const struct weir_end *end, bool last)
{
	const struct weir_end_shared *shared = &end->slot->end[end->side];

	return !last || (load64_relaxed(&shared->cookie) != 0 && load32_relaxed(&shared->holders) > 1);
}

static void entry_closes(int fd, const struct weir_end *end, bool last)
{
	struct weir_loop *l = any_loop_of((int)load32_relaxed(&weir_entries[fd].set) - 1);

	if (l && is_held_elsewhere(end, last)) {
		/* its events will come, with data that others may have */
		weir_loop_give_up(l, fd, end);
		end_once(l);
	} else if (l) {
		bool known = load32_relaxed(&weir_entries[fd].known);
		if (known)
			weir_loop_leave_board(l, fd, end);
		weir_loop_one_less(l, known);
	}
	weir_entry_forget(fd);
}

void weir_loop_closes(int fd, const struct weir_end *end, bool last)
{
	if (any_loop_of(fd))
		loop_closes(fd);
	if (end && weir_is_entered(fd))
		entry_closes(fd, end, last);
}

void weir_loops_close(unsigned int first, unsigned int last)
{
	for (int i = 0; load32_relaxed(&weir_loops_made) && i < LOOPS_MAX; i++) {
		unsigned int fd = load32_relaxed(&loops[i].fd);
		if (fd != 0 && fd - 1 >= first && fd - 1 <= last && any_loop_of((int)fd - 1))
			loop_closes((int)fd - 1);
	}
}
