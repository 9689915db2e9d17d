#include "fault/words.h"

#include <string.h>

#include "base/text.h"

enum { PID_MAX = 1 << 22 };     /* PID_MAX_LIMIT of a 64-bit kernel */

bool weir_count_read(const struct weir_source *source, struct weir_piece value, uint64_t *count)
{
	if (weir_piece_number(value, 1, INT64_MAX, count))
		return true;
	return weir_wrong(source, value, "a number from 1 to %lld", (long long)INT64_MAX);
}

static bool read_at(const struct weir_source *source, struct weir_piece value,
                    struct weir_rule *rule)
{
	if (weir_piece_size(value, 0, INT64_MAX, &rule->at))
		return true;
	return weir_wrong(source, value, "a byte's offset below 2^63, such as 0, 4096 or 64K");
}

static bool read_times(const struct weir_source *source, struct weir_piece value,
                       struct weir_rule *rule)
{
	return weir_count_read(source, value, &rule->times);
}

static bool read_pair(const struct weir_source *source, struct weir_piece value,
                      struct weir_rule *rule)
{
	return weir_count_read(source, value, &rule->where.pair);
}

static bool read_nth(const struct weir_source *source, struct weir_piece value,
                     struct weir_rule *rule)
{
	return weir_count_read(source, value, &rule->where.nth);
}

static bool read_side(const struct weir_source *source, struct weir_piece value,
                      struct weir_rule *rule)
{
	if (!weir_piece_is(value, "a") && !weir_piece_is(value, "b"))
		return weir_wrong(source, value, "a or b");
	rule->where.side = *value.start == 'b';
	return true;
}

static bool read_pid(const struct weir_source *source, struct weir_piece value,
                     struct weir_rule *rule)
{
	uint64_t pid;

	if (!weir_piece_number(value, 1, PID_MAX, &pid))
		return weir_wrong(source, value, "a process number from 1 to %d", PID_MAX);
	rule->where.pid = (uint32_t)pid;
	return true;
}

/* A call that stands at a byte is not counted, and a byte has one position. */
#define BESIDE_NO_AT (WEIR_WORD_BIT(WEIR_WORD_WHEN) | WEIR_WORD_BIT(WEIR_WORD_MATCH))

static const struct word {
	const char *name;
	const char *value;          /* as people are told */
	bool (*read)(const struct weir_source *source, struct weir_piece value,
	             struct weir_rule *rule);
	uint32_t excludes;          /* bits of words that cannot stand beside it */
} words[WEIR_WORD_COUNT] = {
	[WEIR_WORD_WHEN] = { "when", "F..L+S", weir_when_read, WEIR_WORD_BIT(WEIR_WORD_AT) },
	[WEIR_WORD_AT] = { "at", "OFFSET", read_at, BESIDE_NO_AT },
	[WEIR_WORD_MATCH] = { "match", "TEXT", weir_match_read, WEIR_WORD_BIT(WEIR_WORD_AT) },
	[WEIR_WORD_P] = { "p", "PROB", weir_probability_read, 0 },
	[WEIR_WORD_TIMES] = { "times", "N", read_times, 0 },
	[WEIR_WORD_PAIR] = { "pair", "N", read_pair, 0 },
	[WEIR_WORD_NTH] = { "nth", "N", read_nth, 0 },
	[WEIR_WORD_SIDE] = { "side", "a|b", read_side, 0 },
	[WEIR_WORD_COMM] = { "comm", "GLOB", weir_comm_read, 0 },
	[WEIR_WORD_EXE] = { "exe", "GLOB", weir_exe_read, 0 },
	[WEIR_WORD_PID] = { "pid", "N", read_pid, 0 },
};

/* The word that was given and that `index` cannot stand beside, or NULL. */
static const struct word *excluding(const struct weir_words_read *read, size_t index)
{
	for (size_t i = 0; i < WEIR_WORD_COUNT; i++)
		if (read->given & words[index].excludes & WEIR_WORD_BIT(i))
			return &words[i];
	return NULL;
}

static bool has_place(const struct weir_words_read *read, size_t index)
{
	uint32_t bit = WEIR_WORD_BIT(index);

	return (read->known & bit & ~read->given & ~read->refused) && !excluding(read, index);
}

/* "at=OFFSET, p=PROB or pid=N": those that may still come. */
static bool wrong_name(const struct weir_source *source, const struct weir_words_read *read,
                       struct weir_piece name)
{
	char buffer[WEIR_ALLOWED_SIZE];
	struct weir_text list = weir_text_over(buffer, sizeof buffer);
	size_t left = 0;

	for (size_t i = 0; i < WEIR_WORD_COUNT; i++)
		left += has_place(read, i);
	if (left == 0)
		return weir_wrong(source, name, "the end: all that may stand here was said");
	for (size_t i = 0; i < WEIR_WORD_COUNT; i++)
		if (has_place(read, i)) {
			left--;
			weir_text_add(&list, "%s=%s%s", words[i].name, words[i].value,
			              left > 1 ? ", " : left == 1 ? " or " : "");
		}
	return weir_wrong(source, name, "%s", buffer);
}

static size_t find_word(struct weir_piece name)
{
	size_t i = 0;

	while (i < WEIR_WORD_COUNT && !weir_piece_is(name, words[i].name))
		i++;
	return i;
}

/* Does the word, a known one, have a place beside the others? */
static bool fits(const struct weir_source *source, const struct weir_words_read *read,
                 struct weir_piece word, size_t index)
{
	const char *name = words[index].name;
	const struct word *other = excluding(read, index);

	if (read->given & WEIR_WORD_BIT(index))
		return weir_wrong(source, word, "%s= only once", name);
	if (read->refused & WEIR_WORD_BIT(index))
		return weir_wrong(source, word, "no %s= with %s", name, read->effect);
	if (other)
		return weir_wrong(source, word, "no %s= beside %s=", name, other->name);
	return true;
}

bool weir_word_read(const struct weir_source *source, struct weir_words_read *read,
                    struct weir_piece word, struct weir_rule *rule)
{
	const char *equals = memchr(word.start, '=', word.length);
	const char *end = weir_piece_end(word);
	struct weir_piece name = weir_piece(word.start, equals ? equals : end);
	size_t index = find_word(name);

	if (index == WEIR_WORD_COUNT || !(read->known & WEIR_WORD_BIT(index)))
		return wrong_name(source, read, name);
	if (!fits(source, read, word, index))
		return false;
	if (!equals)
		return weir_wrong(source, weir_piece(end, end), "=%s", words[index].value);
	read->given |= WEIR_WORD_BIT(index);
	return words[index].read(source, weir_piece(equals + 1, end), rule);
}
