/* Effects: one table that reads, refuses and names them. */
#ifndef WEIR_FAULT_EFFECT_H
#define WEIR_FAULT_EFFECT_H

#include "fault/words.h"

/* Reads "NAME" or "NAME=VALUE" into a rule whose `ops` are known. `read` learns
 * what may follow. */
bool weir_effect_read(const struct weir_source *source, struct weir_piece word,
                      struct weir_words_read *read, struct weir_rule *rule);

#endif
