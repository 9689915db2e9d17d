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

/* Is it certain, at one quick look, that the text does not begin in these bytes? */
bool weir_search_is_vain(const struct weir_plan_rule *r, const unsigned char *bytes, size_t n);

#endif
