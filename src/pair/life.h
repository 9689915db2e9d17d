/* Whether a process still lives, told without a system call.
 *
 * Each process of a session holds one robust mutex for as long as it lives. The
 * kernel marks the mutex when the thread that took it ends or execs
 * (get_robust_list(2)), so that whoever looks at the word knows. It is a hint:
 * the thread may have ended before its process, and the kernel marks the word a
 * little before it closes the descriptors.
 */
#ifndef WEIR_PAIR_LIFE_H
#define WEIR_PAIR_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "pair/session.h"

/* Takes a record for this process, for good. Gives its token, 0 where all are
 * taken. To be called again in the child of a fork. */
uint32_t weir_life_begin(const struct weir_session *s);

/* Has the process of that token ended? False for 0. */
bool weir_life_ended(const struct weir_session *s, uint32_t token);

/* Is there a process that `*whose` names, and does it live? The word of one that has ended
 * becomes 0: nobody is known. */
static inline bool weir_life_lasts(const struct weir_session *s, weir_word32 *whose)
{
	uint32_t token = load32_relaxed(whose);

	if (__builtin_expect(weir_life_ended(s, token), 0)) {
		swap32_if(whose, token, 0);
		return false;
	}
	return token != 0;
}

#endif
