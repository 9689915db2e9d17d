/* What is entered in epoll instances: for each descriptor the last set that it was entered in,
 * for one is what programs use, and with what.
 *
 * Any thread may enter and take out; who looks at an entry meanwhile sees what was or what
 * is. Descriptors from WEIR_ENTRIES_MAX on are in no table: for them the kernel answers.
 */
#ifndef WEIR_HOOKS_ENTRIES_H
#define WEIR_HOOKS_ENTRIES_H

#include <sys/epoll.h>

#include "base/numbers.h"
#include "endpoint/waiter.h"
#include "hooks/hooks.h"

enum { WEIR_ENTRIES_MAX = WEIR_NUMBERS };

struct weir_entry {
	weir_word32 set;            /* descriptor of the epoll + 1; 0: none */
	weir_word32 known;          /* 1: memory answers for it (the set is a loop) */
	weir_word32 taken_out;      /* events that the kernel does not know of now */
	weir_word32 told;           /* the loop's round in which it was last told of */
	weir_word32 leftover;       /* 1: the kernel may have an edge that memory has told of */
	weir_word32 edged;          /* of a set: 1 where another has it with EPOLLET */
	weir_word64 data;
	weir_word64 whose;          /* the end that was entered: the number may be another's by now */
	struct weir_waiter waiter;
};

extern struct weir_entry weir_entries[WEIR_ENTRIES_MAX];
extern weir_word32 weir_entries_bound; /* the highest of them, + 1 */

static inline bool weir_is_entered(int fd)
{
	return fd >= 0 && fd < WEIR_ENTRIES_MAX && load32_acquire(&weir_entries[fd].set) != 0;
}

static inline bool weir_is_entered_in(int fd, int epfd)
{
	return weir_is_entered(fd) && load32_relaxed(&weir_entries[fd].set) == (uint32_t)epfd + 1;
}

/* Is it this end that was entered with the number? */
static inline bool weir_entry_is_of(int fd, const struct weir_end *end)
{
	return load64_relaxed(&weir_entries[fd].whose) ==
	       weir_table_pack(end->index, end->side, end->generation);
}

/* Enters a descriptor, in place of what was entered before, and takes it out. */
void weir_entry_note(int epfd, int fd, const struct epoll_event *event);
void weir_entry_forget(int fd);

/* The descriptor of a set that was entered with these data, or -1. */
int weir_entry_find(int epfd, uint64_t data);

#endif
