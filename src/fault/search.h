/* Finds a text in a stream of bytes that comes in pieces. */
#ifndef WEIR_FAULT_SEARCH_H
#define WEIR_FAULT_SEARCH_H

#include <stddef.h>

#include "fault/plan.h"

/* Gives how many of these bytes there are up to where the text of `r` is complete, or 0
 * where it is not. `*matched`: how many bytes of the text the last ones before are; it
 * becomes that of the last ones looked at, for who goes on behind them. */
size_t weir_search(const struct weir_plan_rule *r, uint64_t *matched, const unsigned char *bytes,
                   size_t n);

/* Makes what a rule with a text needs for its search. */
void weir_search_prepare(struct weir_plan_rule *r);

/* Where nothing of the text had come before: is there still nothing of it, when these bytes
 * have? At one quick look, mostly. */
bool weir_search_is_vain(const struct weir_plan_rule *r, const unsigned char *bytes, size_t n);

#endif
