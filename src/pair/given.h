/* Rules that a program gives for one end (include/weir.h), and takes back.
 *
 * Calls read the plan's rules without its lock, but under the lock of the side that
 * they use, and only those whose bits that pipe has. A rule for one end has its bit
 * in that pair's pipes alone. So when the bits have gone and each lock of the pair
 * was held once, nobody reads the rule, and its place may be taken again.
 */
#ifndef WEIR_PAIR_GIVEN_H
#define WEIR_PAIR_GIVEN_H

#include "pair/pair.h"

/* Adds a rule whose where.pair and where.side are those of an end of the pair in slot
 * `index`. 0 or -ENOSPC. */
int weir_pair_give(const struct weir_session *s, uint32_t index, const struct weir_rule *rule);

/* Takes the rules of one end back, and ends what they hold back; who waits there must
 * still be woken. */
void weir_pair_take_back(const struct weir_session *s, uint32_t index, uint32_t side);

#endif
