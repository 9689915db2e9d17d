#include "base/parse.h"

#include <string.h>

/* Reads digits up to the first other byte, which `*end` names. */
static bool read_digits(const char *text, uint64_t max, uint64_t *value, const char **end)
{
	uint64_t sum = 0;
	const char *p;

	for (p = text; *p >= '0' && *p <= '9'; p++) {
		uint64_t digit = (uint64_t)(*p - '0');

		if (digit > max || sum > (max - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	*value = sum;
	*end = p;
	return p != text;
}

bool weir_parse_unsigned(const char *text, uint64_t max, uint64_t *value)
{
	const char *end;
	uint64_t n;

	if (!read_digits(text, max, &n, &end) || *end)
		return false;
	*value = n;
	return true;
}

/* How far a unit shifts its number, or -1 where `unit` is none. */
static int unit_shift(const char *unit)
{
	if (!*unit)
		return 0;
	if (unit[1])
		return -1;
	switch (*unit) {
	case 'K': case 'k': return 10;
	case 'M': case 'm': return 20;
	case 'G': case 'g': return 30;
	default: return -1;
	}
}

bool weir_parse_size(const char *text, uint64_t max, uint64_t *value)
{
	const char *end;
	uint64_t n;
	int shift;

	if (!read_digits(text, max, &n, &end))
		return false;
	shift = unit_shift(end);
	if (shift < 0 || n > max >> shift)
		return false;
	*value = n << shift;
	return true;
}

bool weir_parse_percent(const char *text, uint64_t max, uint64_t *value)
{
	const char *end;
	uint64_t n;

	if (!read_digits(text, max, &n, &end) || strcmp(end, "%") != 0)
		return false;
	*value = n;
	return true;
}

bool weir_parse_switch(const char *text, bool *value)
{
	if (strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
		return false;
	*value = *text == '1';
	return true;
}
