/* Locks that processes share: robust, and checked for the owner's own second try.
 *
 * What pthread_mutex_t offers as PTHREAD_MUTEX_ROBUST, without its trust in shared
 * memory: libc keeps pointers there, and follows and writes through them. This one's
 * word says twice who holds it, and nothing else in it is believed. It joins the list
 * of locks that libc keeps for the kernel, which marks those of a thread that ends
 * (set_robust_list(2)).
 */
#ifndef WEIR_BASE_LOCK_H
#define WEIR_BASE_LOCK_H

#include "base/atomic.h"

/* The places of `word` and `next` are those of libc's mutex: there is one distance
 * between them for all locks in a thread's list. */
struct weir_lock {
	weir_word64 word; /* low half: the kernel's futex; high half: the owner again */
	uint64_t unused[2];
	void *previous; /* libc's list has two directions; never read */
	void *next; /* for the kernel; never read */
};

/* A word that is not 0 where threads of several PID namespaces may use the locks: then
 * two of them may have one number. NULL where there is none. */
extern const weir_word32 *weir_lock_strangers;

/* Has that thread ended? Where its number may be another's as well nobody knows: no. */
bool weir_lock_has_died(uint32_t tid);

/* A lock that nobody holds. */
void weir_lock_make(struct weir_lock *lock);

/* Takes it: 0, or -EOWNERDEAD where who held it has died (what it covers is to be put
 * right). Not taken: -EDEADLK where this very thread holds it, and -EBUSY where another
 * does; weir_lock_wait waits for that one. */
int weir_lock_try(struct weir_lock *lock);
int weir_lock_wait(struct weir_lock *lock);

void weir_lock_release(struct weir_lock *lock);

/* The thread that holds it, 0 for none. A hint where the memory is damaged. */
uint32_t weir_lock_owner(const struct weir_lock *lock);

/* How many threads of this process have used a lock, and have not ended: so many there are,
 * if not more. */
uint32_t weir_lock_threads(void);

/* In the child of a fork: its thread is another. */
void weir_lock_forked(void);

#endif
