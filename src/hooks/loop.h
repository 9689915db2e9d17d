/* Epoll instances that this process alone uses, one thread at a time, as far as can be seen:
 * what waits in them is known here, so that what memory knows is told without the kernel, and
 * stale bells are received only before somebody sleeps (endpoint/waiter.h).
 *
 * Whatever makes that doubtful (a fork, a duplicate, a second thread in epoll_wait, an instance
 * that is watched itself, a rule that may hold one of its ends back) ends it for good: then the
 * ends are kept exact for the kernel, and it alone answers. So it is for single entries, too: of
 * an end that is not marked, is also elsewhere, shares its data with another, or asks for more
 * than the ordinary events; and of an end whose peer has gone, or that the kernel carries.
 *
 *	loop.c          which instances are loops, and how entries and they end
 *	loop_control.c  epoll_ctl
 *	loop_wait.c     epoll_wait
 *
 * Only the thread in epoll_wait takes numbers out of the sets below; any may add some.
 */
#ifndef WEIR_HOOKS_LOOP_H
#define WEIR_HOOKS_LOOP_H

#include "hooks/entries.h"

#define WEIR_EDGES ((uint32_t)EPOLLET)

struct weir_loop {
	weir_word32 fd;             /* + 1; 0: free */
	weir_word32 over;           /* 1: the kernel answers; it has no known entries */
	weir_word32 lent;           /* 1: a vfork child may take it along: it is to end */
	weir_word32 closes_on_exec;
	weir_word32 board;          /* where writers leave word (pair/board.h); 0: not yet */
	weir_word32 inside;         /* threads in epoll_wait */
	weir_word32 entries;        /* how many there are; or more */
	weir_word32 others;         /* of them, those that memory does not answer for */
	weir_word32 ask;            /* 1: the kernel may know of an edge */
	weir_word32 leftovers;      /* 1: it may know of edges that were told */
	weir_word32 lost;           /* 1: an entry is in no table, as it came into another set, too */
	weir_word32 foreign;        /* 1: other processes may have peers of its ends, and be killed */
	weir_word32 shared;         /* ends of the session that were shared when that was looked at */
	weir_word32 unheld; /* the plan's epoch, + 1, whose rules hold none of its ends back */
	weir_word32 round;          /* of the calls */
	/* Of the thread that is inside. */
	uint32_t next;              /* where to look first, in fairness */
	int told;                   /* the descriptor that was told of last */
	bool full;                  /* the kernel had as much to tell as there was place */
	struct weir_numbers live;   /* descriptors that may have something to tell */
	struct weir_numbers stale;  /* those of ends that may have bells that nobody needs; ... */
	uint32_t stales;            /* ... how many */
};

/* NULL where the instance is none. */
struct weir_loop *weir_loop_of(int epfd);

static inline int weir_loop_fd(const struct weir_loop *l)
{
	return (int)load32_relaxed(&l->fd) - 1;
}

/* From now on the kernel answers for this known entry, or for all. `end`: what the table says,
 * or said, of the descriptor. Any thread. */
void weir_loop_give_up(struct weir_loop *l, int fd, const struct weir_end *end);
void weir_loop_end(struct weir_loop *l);

/* Of a known entry all that is so is told once more, at edges too. False where memory does not
 * answer for it, or somebody is in epoll_wait. */
bool weir_loop_tells_again(int fd, const struct weir_end *end);

/* Writers need not leave word of that end any more. */
void weir_loop_leave_board(const struct weir_loop *l, int fd, const struct weir_end *end);

/* An entry is there, or gone, that memory answers for, or not. */
void weir_loop_one_more(struct weir_loop *l, bool known);
void weir_loop_one_less(struct weir_loop *l, bool known);

/* Makes an end exact for the kernel, which watches it for these events of epoll's. */
void weir_loop_watch(const struct weir_end *end, uint32_t events);

/* Before it is entered in this set: is, or was, it in another? That knows it no more. */
bool weir_entry_moves(int epfd, int fd);

/* epoll_ctl, with `end` NULL for what is not marked. */
int weir_loop_control(struct weir_loop *l, int op, int fd, const struct weir_end *end,
                      struct epoll_event *event);

/* epoll_wait: true where `*result` is the answer, with errno; else the instance is no loop any
 * more. */
bool weir_loop_wait(struct weir_loop *l, struct epoll_event *events, int max,
                    const struct timespec *timeout, const sigset_t *mask, int *result);

/* Of what the kernel said of an instance that was a loop, what the program has not heard; and
 * may there be something that it has? */
bool weir_loop_was(int epfd);
int weir_loop_leave_out_told(int epfd, struct epoll_event *events, int count);

/* epoll.c: a real wait of at most `ns`; UINT64_MAX: as long as it takes. */
int weir_epoll_wait_ns(int epfd, struct epoll_event *events, int max, uint64_t ns,
                       const sigset_t *mask);

#endif
