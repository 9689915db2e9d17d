/* Pieces of a text that is being parsed, and what to say about a wrong one.
 * Nothing is copied: a piece is a part of the text itself.
 */
#ifndef WEIR_FAULT_PIECE_H
#define WEIR_FAULT_PIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault/rule.h"

struct weir_piece {
	const char *start;
	size_t length;
};

/* The whole text, from which columns count, and who is told what is wrong. */
struct weir_source {
	const char *text;
	struct weir_rule_error *error;
};

/* Words of a text, one after the other. `next` is NULL behind the last. */
struct weir_words {
	const char *next;
	const char *end;
	char separator;
};

/* Digits with or without a fraction, and what follows them: "0.5ms". */
struct weir_decimal {
	struct weir_piece whole;    /* one digit or more */
	struct weir_piece fraction; /* digits behind the point, or empty */
	struct weir_piece unit;
};

static inline struct weir_piece weir_piece(const char *start, const char *end)
{
	return (struct weir_piece){ start, (size_t)(end - start) };
}

static inline const char *weir_piece_end(struct weir_piece piece)
{
	return piece.start + piece.length;
}

/* The next word, which ends at a separator that no backslash escapes. An empty
 * text is one empty word. False behind the last. */
bool weir_word_next(struct weir_words *words, struct weir_piece *word);

bool weir_piece_is(struct weir_piece piece, const char *text);

/* As weir_parse_unsigned and weir_parse_size, from `min`. */
bool weir_piece_number(struct weir_piece piece, uint64_t min, uint64_t max, uint64_t *value);
bool weir_piece_size(struct weir_piece piece, uint64_t min, uint64_t max, uint64_t *value);

/* False where the piece does not begin with a decimal number. */
bool weir_piece_decimal(struct weir_piece piece, struct weir_decimal *decimal);

/* Notes that `piece` is wrong, and the end of "expected ...". Always false. */
bool weir_wrong(const struct weir_source *source, struct weir_piece piece, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
