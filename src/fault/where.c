#include <string.h>

#include "fault/glob.h"
#include "fault/words.h"

/* The glob keeps its backslashes: they mean there what they mean here. */
static bool read_glob(const struct weir_source *source, struct weir_piece value, char *glob)
{
	size_t span;

	if (value.length == 0 || value.length >= WEIR_GLOB_SIZE ||
	    memchr(value.start, '\0', value.length))
		return weir_wrong(source, value, "a glob of 1 to %d bytes, such as ssh*",
		                  WEIR_GLOB_SIZE - 1);
	memcpy(glob, value.start, value.length);
	glob[value.length] = '\0';
	span = weir_glob_span(glob);
	if (span == value.length)
		return true;
	return weir_wrong(source, weir_piece(value.start + span, weir_piece_end(value)), "%s",
	                  glob[span] == '[' ? "] behind it, or \\[ for the byte itself"
	                                    : "a byte behind the \\");
}

bool weir_comm_read(const struct weir_source *source, struct weir_piece value,
                    struct weir_rule *rule)
{
	return read_glob(source, value, rule->where.comm);
}

bool weir_exe_read(const struct weir_source *source, struct weir_piece value,
                   struct weir_rule *rule)
{
	return read_glob(source, value, rule->where.exe);
}

bool weir_where_parse(struct weir_where *where, const char *text, size_t length, bool mark,
                      struct weir_rule_error *error)
{
	struct weir_source source = { text, error };
	struct weir_words words = { text, text + length, ',' };
	struct weir_words_read read = {
		.known = WEIR_WORD_BIT(WEIR_WORD_PAIR) | WEIR_WORD_BIT(WEIR_WORD_COMM) |
		         WEIR_WORD_BIT(WEIR_WORD_PID),
	};
	struct weir_rule rule;
	struct weir_piece word;

	read.known |= mark ? WEIR_WORD_BIT(WEIR_WORD_NTH) | WEIR_WORD_BIT(WEIR_WORD_EXE)
	                   : WEIR_WORD_BIT(WEIR_WORD_SIDE);
	weir_rule_clear(&rule);
	while (weir_word_next(&words, &word))
		if (!weir_word_read(&source, &read, word, &rule))
			return false;
	*where = rule.where;
	return true;
}
