#include "fault/words.h"

#include <string.h>

/* A decimal number as digits: no floating point, whose text depends on the locale
 * and whose value is not exact. */
struct digits {
	unsigned char digit[WEIR_RULE_TEXT_SIZE + 2];
	size_t point;               /* digits in front of it */
	size_t count;
};

static void append(struct digits *d, struct weir_piece piece)
{
	for (size_t i = 0; i < piece.length; i++)
		d->digit[d->count++] = (unsigned char)(piece.start[i] - '0');
}

/* The digits of the number, or of a hundredth of it. */
static void set_digits(struct digits *d, const struct weir_decimal *decimal, bool percent)
{
	memset(d, 0, sizeof *d);
	d->count = 2;               /* zeroes that a percentage's point may move across */
	append(d, decimal->whole);
	d->point = percent ? d->count - 2 : d->count;
	append(d, decimal->fraction);
}

static bool all_zero(const unsigned char *digit, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (digit[i])
			return false;
	return true;
}

/* Doubles the fraction 0.d1d2d3..., and returns what crosses the point. */
static unsigned int double_fraction(unsigned char *digit, size_t count)
{
	unsigned int carry = 0;

	for (size_t i = count; i-- > 0;) {
		unsigned int twice = digit[i] * 2U + carry;

		carry = twice >= 10;
		digit[i] = (unsigned char)(twice - (carry ? 10 : 0));
	}
	return carry;
}

/* The fraction times 2^32, rounded to the nearest: one bit more is drawn. */
static uint64_t binary_fraction(unsigned char *digit, size_t count)
{
	uint64_t bits = 0;

	for (int i = 0; i < 33; i++)
		bits = bits << 1 | double_fraction(digit, count);
	return (bits + 1) >> 1;
}

/* The number times 2^32; 0 where it exceeds 1 (or is too small to count). */
static uint64_t binary(struct digits *d)
{
	unsigned char *fraction = d->digit + d->point;
	size_t count = d->count - d->point;

	if (all_zero(d->digit, d->point))
		return binary_fraction(fraction, count);
	if (all_zero(d->digit, d->point - 1) && d->digit[d->point - 1] == 1 &&
	    all_zero(fraction, count))
		return UINT64_C(1) << 32;
	return 0;
}

bool weir_probability_read(const struct weir_source *source, struct weir_piece value,
                           struct weir_rule *rule)
{
	struct weir_decimal decimal;
	struct digits digits;
	bool percent;

	if (value.length < WEIR_RULE_TEXT_SIZE && weir_piece_decimal(value, &decimal)) {
		percent = weir_piece_is(decimal.unit, "%");
		set_digits(&digits, &decimal, percent);
		rule->probability = percent || decimal.unit.length == 0 ? binary(&digits) : 0;
		if (rule->probability > 0)
			return true;
	}
	return weir_wrong(source, value,
	                  "a probability from 0.000000001 to 1, such as 0.01, or 1%%");
}
