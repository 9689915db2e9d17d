/* Numbers and switches as people write them. The whole text must fit: no
 * blanks, no signs, no rest. Each returns false, and leaves the value alone,
 * where the text is anything else or the value would exceed `max`. */
#ifndef WEIR_BASE_PARSE_H
#define WEIR_BASE_PARSE_H

#include <stdbool.h>
#include <stdint.h>

/* Decimal digits. */
bool weir_parse_unsigned(const char *text, uint64_t max, uint64_t *value);

/* Decimal digits and an optional K, M or G (or k, m, g), each 1024 of the one before. */
bool weir_parse_size(const char *text, uint64_t max, uint64_t *value);

/* Decimal digits and '%'. */
bool weir_parse_percent(const char *text, uint64_t max, uint64_t *value);

/* "0" or "1". */
bool weir_parse_switch(const char *text, bool *value);

#endif
