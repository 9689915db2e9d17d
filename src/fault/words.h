/* The words behind a rule's effect, which --mark and --capacity share in part:
 * one table that reads, refuses and names them.
 */
#ifndef WEIR_FAULT_WORDS_H
#define WEIR_FAULT_WORDS_H

#include "fault/piece.h"

enum weir_word {
	WEIR_WORD_WHEN,
	WEIR_WORD_AT,
	WEIR_WORD_MATCH,
	WEIR_WORD_P,
	WEIR_WORD_TIMES,
	WEIR_WORD_PAIR,
	WEIR_WORD_NTH,
	WEIR_WORD_SIDE,
	WEIR_WORD_COMM,
	WEIR_WORD_EXE,
	WEIR_WORD_PID,
	WEIR_WORD_COUNT,
};

#define WEIR_WORD_BIT(word) (UINT32_C(1) << (word))

/* What may stand beside each other. */
struct weir_words_read {
	uint32_t known;             /* bits of the words that exist here */
	uint32_t given;
	uint32_t refused;           /* by the effect */
	const char *effect;         /* which refuses them, or NULL */
};

/* Reads "NAME=VALUE" into `rule`. */
bool weir_word_read(const struct weir_source *source, struct weir_words_read *read,
                    struct weir_piece word, struct weir_rule *rule);

/* What nothing was said about. */
void weir_rule_clear(struct weir_rule *rule);

/* The values of single words. */
bool weir_when_read(const struct weir_source *source, struct weir_piece value,
                    struct weir_rule *rule);
bool weir_match_read(const struct weir_source *source, struct weir_piece value,
                     struct weir_rule *rule);
bool weir_probability_read(const struct weir_source *source, struct weir_piece value,
                           struct weir_rule *rule);
bool weir_comm_read(const struct weir_source *source, struct weir_piece value,
                    struct weir_rule *rule);
bool weir_exe_read(const struct weir_source *source, struct weir_piece value,
                   struct weir_rule *rule);

/* A number from 1, or a complaint. */
bool weir_count_read(const struct weir_source *source, struct weir_piece value, uint64_t *count);

#endif
