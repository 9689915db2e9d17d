#include "fault/rule.h"

#include <string.h>

#include "fault/effect.h"

void weir_rule_clear(struct weir_rule *rule)
{
	memset(rule, 0, sizeof *rule);
	rule->last = UINT64_MAX;
	rule->step = 1;
	rule->at = UINT64_MAX;
	rule->probability = UINT64_C(1) << 32;
	rule->where.side = WEIR_SIDE_ANY;
}

static bool read_ops(const struct weir_source *source, struct weir_piece word, uint32_t *ops)
{
	if (weir_piece_is(word, "read"))
		*ops = WEIR_OPS_READ;
	else if (weir_piece_is(word, "write"))
		*ops = WEIR_OPS_WRITE;
	else if (weir_piece_is(word, "any"))
		*ops = WEIR_OPS_ANY;
	else
		return weir_wrong(source, word, "read, write or any");
	return true;
}

static bool read_words(const struct weir_source *source, struct weir_words *words,
                       uint32_t unknown, struct weir_rule *rule)
{
	struct weir_words_read read = { .known = ~unknown };
	struct weir_piece end = weir_piece(words->end, words->end);
	struct weir_piece word = end;

	weir_word_next(words, &word);
	if (!read_ops(source, word, &rule->ops))
		return false;
	if (!weir_word_next(words, &word))
		return weir_wrong(source, end, ":EFFECT, such as :eof");
	if (!weir_effect_read(source, word, &read, rule))
		return false;
	while (weir_word_next(words, &word))
		if (!weir_word_read(source, &read, word, rule))
			return false;
	return true;
}

static bool too_long(const struct weir_source *source, const char *rest)
{
	return weir_wrong(source, (struct weir_piece){ rest, strlen(rest) },
	                  "the end: a rule has at most %d bytes", WEIR_RULE_TEXT_SIZE - 1);
}

/* Bytes that nothing is written to stay 0, the padding too: equal rules are equal
 * memory. */
static bool parse(struct weir_rule *rule, const char *text, uint32_t unknown,
                  struct weir_rule_error *error)
{
	struct weir_source source = { text, error };
	size_t length = strnlen(text, WEIR_RULE_TEXT_SIZE);
	struct weir_words words = { text, text + length, ':' };
	struct weir_rule parsed;

	if (length == WEIR_RULE_TEXT_SIZE)
		return too_long(&source, text + WEIR_RULE_TEXT_SIZE - 1);
	weir_rule_clear(&parsed);
	if (!read_words(&source, &words, unknown, &parsed))
		return false;
	memcpy(parsed.text, text, length);
	memcpy(rule, &parsed, sizeof parsed);
	return true;
}

/* Words of --mark. */
#define NOT_OF_RULES (WEIR_WORD_BIT(WEIR_WORD_NTH) | WEIR_WORD_BIT(WEIR_WORD_EXE))

bool weir_rule_parse(struct weir_rule *rule, const char *text, struct weir_rule_error *error)
{
	return parse(rule, text, NOT_OF_RULES, error);
}

bool weir_rule_parse_for_end(struct weir_rule *rule, const char *text, uint64_t pair,
                             uint32_t side, struct weir_rule_error *error)
{
	uint32_t known_already = WEIR_WORD_BIT(WEIR_WORD_PAIR) | WEIR_WORD_BIT(WEIR_WORD_SIDE);

	if (!parse(rule, text, NOT_OF_RULES | known_already, error))
		return false;
	rule->where.pair = pair;
	rule->where.side = side;
	return true;
}
