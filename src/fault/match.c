#include "fault/words.h"

#include <string.h>

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

	return found ? (int)(found - digits) : -1;
}

/* The byte that \xHH means, or -1. `p` stands behind the x. */
static int hex_byte(const char *p, const char *end)
{
	int high, low;

	if (end - p < 2)
		return -1;
	high = hex_digit(p[0]);
	low = hex_digit(p[1]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* The byte that the escape at `p`, a backslash, means, or -1; `*length` of text. */
static int escaped_byte(const char *p, const char *end, size_t *length)
{
	*length = 2;
	if (end - p < 2)
		return -1;
	switch (p[1]) {
	case ':': return ':';
	case '\\': return '\\';
	case 'n': return '\n';
	case 'r': return '\r';
	case 't': return '\t';
	case '0': return '\0';
	case 'x': *length = 4; return hex_byte(p + 2, end);
	default: return -1;
	}
}

static bool wrong_escape(const struct weir_source *source, const char *p, const char *end,
                         size_t length)
{
	size_t there = (size_t)(end - p);

	return weir_wrong(source, (struct weir_piece){ p, length < there ? length : there },
	                  "\\:, \\\\, \\n, \\r, \\t, \\0 or \\xHH");
}

bool weir_match_read(const struct weir_source *source, struct weir_piece value,
                     struct weir_rule *rule)
{
	const char *end = weir_piece_end(value);
	const char *p = value.start;
	uint32_t n = 0;

	while (p < end && n < WEIR_MATCH_MAX) {
		size_t length = 1;
		int byte = *p == '\\' ? escaped_byte(p, end, &length) : (unsigned char)*p;

		if (byte < 0)
			return wrong_escape(source, p, end, length);
		rule->match[n++] = (unsigned char)byte;
		p += length;
	}
	rule->match_length = n;
	if (p < end)
		return weir_wrong(source, weir_piece(p, end),
		                  "the end: a text has at most %d bytes", WEIR_MATCH_MAX);
	return n > 0 || weir_wrong(source, value, "a text of 1 to %d bytes", WEIR_MATCH_MAX);
}
