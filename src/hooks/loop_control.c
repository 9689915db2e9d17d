#include "fault/plan.h"
#include "endpoint/bare.h"
#include "hooks/loop.h"
#include "pair/board.h"

/* What an entry may ask for that memory answers for. */
enum { SIMPLE = WEIR_INPUT | WEIR_ROOM | EPOLLRDHUP | EPOLLPRI | EPOLLHUP | EPOLLERR };

static bool has_board(struct weir_loop *l)
{
	uint32_t board = load32_relaxed(&l->board);

	if (board != 0)
		return true;
	board = weir_board_take(&weir_session, load32_relaxed(&weir_own_life));
	if (board != 0 && !swap32_if(&l->board, 0, board))
		weir_board_give_back(&weir_session, board);
	return board != 0;
}

/* Two entries with the same data cannot be told apart: then the kernel answers for both. What a
 * lost one has is not known. */
static bool has_own_data(struct weir_loop *l, int fd, uint64_t data)
{
	int other = weir_entry_find(weir_loop_fd(l), data);
	struct weir_end end;

	if (other < 0 || other == fd)
		return !load32_relaxed(&l->lost);
	if (weir_end_of(other, &end))
		weir_loop_give_up(l, other, &end);
	return false;
}

/* Writers leave word on one board, of one number: whoever they tell already goes on hearing of
 * it, unless it is an entry of this loop. That has to be told of together with the new one. */
static bool is_heard_of(struct weir_loop *l, int fd, const struct weir_end *end)
{
	uint32_t word = load32_relaxed(&end->in.pipe->board), board = weir_board_of_word(word);
	int other = (int)weir_board_number(word);
	struct weir_end same;

	if (board == 0 || board > WEIR_BOARDS_MAX)
		return false;
	if (board != load32_relaxed(&l->board))
		return weir_board_is_read(&weir_session, board);
	if (other == fd || !weir_end_of(other, &same))
		return false;
	weir_loop_give_up(l, other, &same);
	return true;
}

static bool may_be_known(struct weir_loop *l, int fd, const struct weir_end *end,
                         const struct epoll_event *event)
{
	bool own = has_own_data(l, fd, event->data.u64);

	return own && end && (unsigned int)fd < WEIR_ENTRIES_MAX && !weir_is_bare() &&
	       (event->events & ~(SIMPLE | WEIR_EDGES)) == 0 && has_board(l) &&
	       !is_heard_of(l, fd, end);
}

/* Before the kernel knows of it, so that no event of its comes unknown. Room is told to the
 * kernel at once, always. */
static void begin_known(struct weir_loop *l, int fd, const struct weir_end *end,
                        const struct epoll_event *event)
{
	struct weir_entry *e = &weir_entries[fd];

	weir_entry_note(weir_loop_fd(l), fd, event);
	weir_waiter_begin(&e->waiter, end, event->events);
	store32_relaxed(&e->told, load32_relaxed(&l->round) - 1);
	store32_relaxed(&end->in.pipe->board, weir_board_word(load32_relaxed(&l->board), fd));
	weir_pipe_forget(&end->in);
	weir_loop_watch(end, event->events & (WEIR_ROOM | WEIR_EDGES));
	store32_ordered(&e->known, 1);
	numbers_add(&l->live, (uint32_t)fd);
	if (event->events & WEIR_EDGES)
		store32_relaxed(&l->ask, 1);
	if (weir_end_peer_was_shared(end))
		store32_relaxed(&l->foreign, 1);
	if (load32_ordered(&l->over)) /* meanwhile */
		weir_loop_give_up(l, fd, end);
}

/* The kernel refuses it (EEXIST), unless the number is another file's behind our back. */
static int add_again(struct weir_loop *l, int fd, const struct weir_end *end,
                     struct epoll_event *event)
{
	int result = weir_real()->epoll_ctl(weir_loop_fd(l), EPOLL_CTL_ADD, fd, event);

	if (result != 0)
		return result;
	weir_loop_one_more(l, false);
	weir_entry_note(weir_loop_fd(l), fd, event);
	if (end)
		weir_loop_watch(end, event->events);
	return result;
}

static int add_other(struct weir_loop *l, int fd, const struct weir_end *end,
                     struct epoll_event *event)
{
	if (end)
		weir_loop_watch(end, event->events);
	int result = weir_real()->epoll_ctl(weir_loop_fd(l), EPOLL_CTL_ADD, fd, event);
	if (result == 0) {
		weir_loop_one_more(l, false);
		weir_entry_note(weir_loop_fd(l), fd, event);
	}
	return result;
}

/* Its entry was made by a call that no hook saw: what that asked for, and its data, are not known. */
static void meet_unknown(struct weir_loop *l, const struct weir_end *end)
{
	int saved = errno;

	weir_loop_watch(end, WEIR_INPUT | WEIR_ROOM | WEIR_EDGES);
	weir_loop_end(l);
	errno = saved;
}

static int add_known(struct weir_loop *l, int fd, const struct weir_end *end,
                     struct epoll_event *event)
{
	begin_known(l, fd, end, event);
	int result = weir_real()->epoll_ctl(weir_loop_fd(l), EPOLL_CTL_ADD, fd, event);
	if (result == 0) {
		weir_loop_one_more(l, true);
	} else {
		weir_loop_leave_board(l, fd, end);
		weir_entry_forget(fd);
		if (errno == EEXIST)
			meet_unknown(l, end);
	}
	return result;
}

static int add(struct weir_loop *l, int fd, const struct weir_end *end, struct epoll_event *event)
{
	if (weir_is_entered_in(fd, weir_loop_fd(l)))
		return add_again(l, fd, end, event);
	if (!weir_entry_moves(weir_loop_fd(l), fd) && may_be_known(l, fd, end, event))
		return add_known(l, fd, end, event);
	return add_other(l, fd, end, event);
}

/* Who is in epoll_wait now may be about to hear of what the entry was before. Who comes there
 * meanwhile finds a thread. */
static bool begin_anew(struct weir_loop *l, int fd, const struct weir_end *end,
                       const struct epoll_event *event)
{
	if (!swap32_if(&l->inside, 0, 1))
		return false;
	bool may = may_be_known(l, fd, end, event);
	if (may)
		begin_known(l, fd, end, event);
	add32_ordered(&l->inside, UINT32_MAX);
	return may;
}

static int modify(struct weir_loop *l, int fd, const struct weir_end *end,
                  struct epoll_event *event)
{
	bool here = weir_is_entered_in(fd, weir_loop_fd(l));
	bool was_known = here && end && load32_relaxed(&weir_entries[fd].known);
	bool known = was_known && begin_anew(l, fd, end, event);

	if (!known)
		has_own_data(l, fd, event->data.u64);
	if (was_known && !known)
		weir_loop_give_up(l, fd, end);
	if (end && !known)
		weir_loop_watch(end, event->events);
	int result = weir_real()->epoll_ctl(weir_loop_fd(l), EPOLL_CTL_MOD, fd, event);
	if (result != 0 && known) /* the kernel knows what is so */
		weir_loop_give_up(l, fd, end);
	else if (result == 0 && here && !known)
		weir_entry_note(weir_loop_fd(l), fd, event);
	return result;
}

static int delete(struct weir_loop *l, int fd, const struct weir_end *end,
                  struct epoll_event *event)
{
	int result = weir_real()->epoll_ctl(weir_loop_fd(l), EPOLL_CTL_DEL, fd, event);

	if (result != 0)
		return result;
	bool here = weir_is_entered_in(fd, weir_loop_fd(l));
	bool known = here && end && load32_relaxed(&weir_entries[fd].known);
	if (known)
		weir_loop_leave_board(l, fd, end);
	weir_loop_one_less(l, known);
	if (here)
		weir_entry_forget(fd);
	return result;
}

int weir_loop_control(struct weir_loop *l, int op, int fd, const struct weir_end *end,
                      struct epoll_event *event)
{
	if (fd >= WEIR_ENTRIES_MAX) /* its data are not known */
		weir_loop_end(l);
	if (op == EPOLL_CTL_DEL)
		return delete(l, fd, end, event);
	if ((uintptr_t)event < 4096 || (op != EPOLL_CTL_ADD && op != EPOLL_CTL_MOD))
		return weir_real()->epoll_ctl(weir_loop_fd(l), op, fd, event);
	return op == EPOLL_CTL_ADD ? add(l, fd, end, event) : modify(l, fd, end, event);
}
