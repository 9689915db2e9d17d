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

/* The first two bytes of a text that has as many. */
uint16_t weir_search_pair(const struct weir_rule *rule);

/* Is it certain, at one quick look, that no text which begins so begins in these bytes? */
bool weir_search_is_vain(uint16_t pair, const unsigned char *bytes, size_t n);

#endif
