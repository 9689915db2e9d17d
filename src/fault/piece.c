#include "fault/piece.h"

#include <stdarg.h>
#include <string.h>

#include "base/parse.h"
#include "base/text.h"

enum { NUMBER_SIZE = 32 };      /* more digits than 2^64 has, and a unit */

bool weir_word_next(struct weir_words *words, struct weir_piece *word)
{
	const char *p = words->next;

	if (!p)
		return false;
	while (p < words->end && *p != words->separator)
		p += *p == '\\' && p + 1 < words->end ? 2 : 1;
	*word = weir_piece(words->next, p);
	words->next = p < words->end ? p + 1 : NULL;
	return true;
}

bool weir_piece_is(struct weir_piece piece, const char *text)
{
	return strlen(text) == piece.length && !memcmp(piece.start, text, piece.length);
}

/* A null byte among the digits would end them early. */
static bool number_text(struct weir_piece piece, char text[NUMBER_SIZE])
{
	if (piece.length >= NUMBER_SIZE || memchr(piece.start, '\0', piece.length))
		return false;
	memcpy(text, piece.start, piece.length);
	text[piece.length] = '\0';
	return true;
}

bool weir_piece_number(struct weir_piece piece, uint64_t min, uint64_t max, uint64_t *value)
{
	char text[NUMBER_SIZE];
	uint64_t n;

	if (!number_text(piece, text) || !weir_parse_unsigned(text, max, &n) || n < min)
		return false;
	*value = n;
	return true;
}

bool weir_piece_size(struct weir_piece piece, uint64_t min, uint64_t max, uint64_t *value)
{
	char text[NUMBER_SIZE];
	uint64_t n;

	if (!number_text(piece, text) || !weir_parse_size(text, max, &n) || n < min)
		return false;
	*value = n;
	return true;
}

static const char *skip_digits(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

bool weir_piece_decimal(struct weir_piece piece, struct weir_decimal *decimal)
{
	const char *end = weir_piece_end(piece);
	const char *p = skip_digits(piece.start, end);

	decimal->whole = weir_piece(piece.start, p);
	decimal->fraction = weir_piece(p, p);
	if (p < end && *p == '.') {
		decimal->fraction = weir_piece(p + 1, skip_digits(p + 1, end));
		p = weir_piece_end(decimal->fraction);
		if (decimal->fraction.length == 0)
			return false;
	}
	decimal->unit = weir_piece(p, end);
	return decimal->whole.length > 0;
}

bool weir_wrong(const struct weir_source *source, struct weir_piece piece, const char *format, ...)
{
	struct weir_rule_error *error = source->error;
	struct weir_text allowed = weir_text_over(error->allowed, sizeof error->allowed);
	va_list arguments;

	error->column = (size_t)(piece.start - source->text) + 1;
	error->length = piece.length;
	va_start(arguments, format);
	weir_text_addv(&allowed, format, arguments);
	va_end(arguments);
	return false;
}
