#include "fault/search.h"

#include <emmintrin.h>
#include <string.h>

#include "base/message.h"

enum { BLOCK = sizeof(__m128i) };

/* Where two bytes stand in a row first, or the first of them is the last of all. Gives n
 * where nowhere. */
static size_t find_pair(const unsigned char *pair, const unsigned char *bytes, size_t n)
{
	__m128i first = _mm_set1_epi8((char)pair[0]), second = _mm_set1_epi8((char)pair[1]);
	size_t i = 0;

	for (; i + BLOCK < n; i += BLOCK) {
		__m128i one = _mm_loadu_si128((const void *)(bytes + i));
		__m128i next = _mm_loadu_si128((const void *)(bytes + i + 1));
		int found = _mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(one, first),
		                                            _mm_cmpeq_epi8(next, second)));
		if (found)
			return i + (size_t)__builtin_ctz((unsigned int)found);
	}
	for (; i < n; i++)
		if (bytes[i] == pair[0] && (i + 1 == n || bytes[i + 1] == pair[1]))
			break;
	return i;
}

/* Where the text may begin, or n. */
static inline size_t beginning(const struct weir_rule *rule, const unsigned char *bytes, size_t n)
{
	if (rule->match_length > 1)
		return find_pair(rule->match, bytes, n);
	const unsigned char *found = memchr(bytes, rule->match[0], n);
	return found ? (size_t)(found - bytes) : n;
}

uint16_t weir_search_pair(const struct weir_rule *rule)
{
	return (uint16_t)(rule->match[0] | rule->match[1] << 8);
}

/* Ones where the pair stands at one of the first BLOCK places. Reads a byte more. */
static inline __m128i places(const unsigned char *bytes, __m128i pairs)
{
	__m128i even = _mm_loadu_si128((const void *)bytes);
	__m128i odd = _mm_loadu_si128((const void *)(bytes + 1));

	return _mm_or_si128(_mm_cmpeq_epi16(even, pairs), _mm_cmpeq_epi16(odd, pairs));
}

/* The last block overlaps the one before. */
bool weir_search_is_vain(uint16_t pair, const unsigned char *bytes, size_t n)
{
	__m128i pairs = _mm_set1_epi16((short)pair);

	if (n <= BLOCK)
		return false;
	__m128i found = places(bytes + n - 1 - BLOCK, pairs);
	for (size_t i = 0; i + BLOCK < n; i += BLOCK)
		found = _mm_or_si128(found, places(bytes + i, pairs));
	return _mm_movemask_epi8(found) == 0 && bytes[n - 1] != (pair & 255);
}

/* Knuth, Morris and Pratt. */
static uint64_t step(const struct weir_plan_rule *r, uint64_t matched, unsigned char byte)
{
	while (matched > 0 && (matched >= r->rule.match_length || r->rule.match[matched] != byte))
		matched = r->fallback[matched - 1] < matched ? r->fallback[matched - 1] : 0;
	return matched + (r->rule.match[matched] == byte);
}

size_t weir_search(const struct weir_plan_rule *r, uint64_t *matched, const unsigned char *bytes,
                   size_t n)
{
	uint64_t length = r->rule.match_length, now = *matched;

	if (__builtin_expect(length == 0 || length > WEIR_MATCH_MAX || now > length, 0))
		weir_die("the session's memory is damaged: %llu bytes found of a text of %llu",
		         (unsigned long long)now, (unsigned long long)length);
	for (size_t i = 0; i < n; i++) {
		if (now == 0)
			i += beginning(&r->rule, bytes + i, n - i);
		if (i == n)
			break;
		now = step(r, now, bytes[i]);
		if (now == length) {
			*matched = now;
			return i + 1;
		}
	}
	*matched = now;
	return 0;
}
