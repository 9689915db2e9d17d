#include "fault/search.h"

#include <emmintrin.h>
#include <string.h>

#include "base/message.h"

enum { BLOCK = sizeof(__m128i) };

/* ---- before ---- */

static void make_fallback(struct weir_plan_rule *r)
{
	const struct weir_rule *rule = &r->rule;
	unsigned char length = 0;

	memset(r->fallback, 0, sizeof(r->fallback));
	for (uint32_t i = 1; i < rule->match_length; i++) {
		while (length > 0 && rule->match[i] != rule->match[length])
			length = r->fallback[length - 1];
		if (rule->match[i] == rule->match[length])
			length++;
		r->fallback[i] = length;
	}
}

/* How common a byte is where programs talk in words. */
static int commonness(unsigned char byte)
{
	static const char common[] = " etaoinshrdlu\n"; /* and 0 */

	if (memchr(common, byte, sizeof(common)))
		return 2;
	return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
}

/* The less bytes stand before the pair the better. */
static void choose_pair(struct weir_plan_rule *r)
{
	const unsigned char *text = r->rule.match;
	uint32_t best = 0;

	for (uint32_t i = 1; i + 1 < r->rule.match_length && i < BLOCK; i++)
		if (commonness(text[i]) + commonness(text[i + 1]) <
		    commonness(text[best]) + commonness(text[best + 1]))
			best = i;
	r->pair = r->rule.match_length > 1 ? text[best] | (uint32_t)text[best + 1] << 8 : 0;
	r->pair_at = best;
}

void weir_search_prepare(struct weir_plan_rule *r)
{
	make_fallback(r);
	choose_pair(r);
}

/* ---- the search ---- */

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

/* ---- the quick look ---- */

/* Ones where the pair stands at one of the first BLOCK places. Reads a byte more. */
static inline __m128i places(const unsigned char *bytes, __m128i pairs)
{
	__m128i even = _mm_loadu_si128((const void *)bytes);
	__m128i odd = _mm_loadu_si128((const void *)(bytes + 1));

	return _mm_or_si128(_mm_cmpeq_epi16(even, pairs), _mm_cmpeq_epi16(odd, pairs));
}

/* More than BLOCK bytes; the last block overlaps the one before. */
static inline bool has_pair(uint32_t pair, const unsigned char *bytes, size_t n)
{
	__m128i pairs = _mm_set1_epi16((short)pair);
	__m128i found = places(bytes + n - 1 - BLOCK, pairs);

	for (size_t i = 0; i + BLOCK < n; i += BLOCK)
		found = _mm_or_si128(found, places(bytes + i, pairs));
	return _mm_movemask_epi8(found) != 0;
}

/* Is the byte one of the last `most` ones? */
static inline bool ends_with(unsigned char byte, const unsigned char *bytes, size_t n, uint32_t most)
{
	__m128i last = _mm_loadu_si128((const void *)(bytes + n - BLOCK));
	int found = _mm_movemask_epi8(_mm_cmpeq_epi8(last, _mm_set1_epi8((char)byte)));

	return found >> (BLOCK - most) != 0;
}

static __attribute__((noinline)) bool is_vain(const struct weir_plan_rule *r,
                                              const unsigned char *bytes, size_t n)
{
	uint64_t matched = 0;

	return weir_search(r, &matched, bytes, n) == 0 && matched == 0;
}

/* Without the pair there is no text; unless one begins that the bytes break off before its pair. */
bool weir_search_is_vain(const struct weir_plan_rule *r, const unsigned char *bytes, size_t n)
{
	uint32_t most = r->pair_at % BLOCK + 1;

	if (n <= BLOCK || r->rule.match_length == 1 || has_pair(r->pair, bytes, n))
		return is_vain(r, bytes, n);
	return !ends_with(r->rule.match[0], bytes, n, most) || is_vain(r, bytes + n - most, most);
}
