/* A set of small numbers, in memory that several threads or processes write: a bit each, and
 * above them a bit for each word that may have one.
 *
 * Whoever adds a number sets it first and its word's bit then; whoever takes does it the
 * other way round. So a number may be found late, while it is being added, but stays.
 */
#ifndef WEIR_BASE_NUMBERS_H
#define WEIR_BASE_NUMBERS_H

#include "base/atomic.h"

enum {
	WEIR_NUMBERS = 65536,       /* those below it can be in a set */
	WEIR_NUMBERS_WORDS = WEIR_NUMBERS / 64,
	WEIR_NUMBERS_TOPS = WEIR_NUMBERS_WORDS / 64,
};

struct weir_numbers {
	_Alignas(64) weir_word64 top[WEIR_NUMBERS_TOPS];
	_Alignas(64) weir_word64 word[WEIR_NUMBERS_WORDS];
};

static inline void numbers_mark_word(struct weir_numbers *set, uint32_t word)
{
	uint64_t bit = UINT64_C(1) << word % 64;

	if (!(load64_ordered(&set->top[word / 64]) & bit))
		or64_ordered(&set->top[word / 64], bit);
}

/* The bit is set without a look at it: a load could pass by the stores that it tells of, and
 * see one that is being taken out. True where it was not there. */
static inline bool numbers_add(struct weir_numbers *set, uint32_t number)
{
	uint32_t word = number % WEIR_NUMBERS / 64;
	uint64_t bit = UINT64_C(1) << number % 64;
	bool is_new = !(or64_ordered(&set->word[word], bit) & bit);

	numbers_mark_word(set, word);
	return is_new;
}

/* What the number stands for is looked at after that, so that it is seen, or added again. */
static inline void numbers_remove(struct weir_numbers *set, uint32_t number)
{
	and64_ordered(&set->word[number / 64], ~(UINT64_C(1) << number % 64));
}

/* The lowest bit that is set at `from` or above, below `bound`; `bound`: none. */
static inline uint32_t numbers_next_bit(const weir_word64 *words, uint32_t from, uint32_t bound)
{
	while (from < bound) {
		uint64_t bits = load64_ordered(&words[from / 64]) >> from % 64;
		if (bits)
			return from + (uint32_t)__builtin_ctzll(bits);
		from = (from / 64 + 1) * 64;
	}
	return bound;
}

/* Nobody is left of that word, unless somebody is added right now. */
static inline void numbers_unmark_word(struct weir_numbers *set, uint32_t word)
{
	and64_ordered(&set->top[word / 64], ~(UINT64_C(1) << word % 64));
	if (load64_ordered(&set->word[word]) != 0)
		numbers_mark_word(set, word);
}

/* The lowest number in the set that is not below `from`; WEIR_NUMBERS where there is none. Of
 * whoever removes. */
static inline uint32_t numbers_next(struct weir_numbers *set, uint32_t from)
{
	uint32_t word = from / 64;

	while ((word = numbers_next_bit(set->top, word, WEIR_NUMBERS_WORDS)) < WEIR_NUMBERS_WORDS) {
		uint32_t first = word == from / 64 ? from : word * 64;
		uint32_t found = numbers_next_bit(set->word, first, (word + 1) * 64);
		if (found < (word + 1) * 64)
			return found;
		if (load64_relaxed(&set->word[word]) == 0)
			numbers_unmark_word(set, word);
		word++;
	}
	return WEIR_NUMBERS;
}

#endif
