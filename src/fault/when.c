#include "fault/words.h"

#include <string.h>

/* The calls F[..L][+S], as strace counts them. `rest` is what was not read yet. */
static bool read_call(const struct weir_source *source, struct weir_piece *rest, uint64_t *call)
{
	const char *p = rest->start;
	struct weir_piece number;

	while (p < weir_piece_end(*rest) && *p != '.' && *p != '+')
		p++;
	number = weir_piece(rest->start, p);
	*rest = weir_piece(p, weir_piece_end(*rest));
	return weir_count_read(source, number, call);
}

static bool skip(struct weir_piece *rest, const char *text)
{
	size_t length = strlen(text);

	if (rest->length < length || memcmp(rest->start, text, length) != 0)
		return false;
	rest->start += length;
	rest->length -= length;
	return true;
}

/* L, or nothing: then there is no end. */
static bool read_last(const struct weir_source *source, struct weir_piece *rest,
                      struct weir_rule *rule)
{
	struct weir_piece last = *rest;

	rule->last = UINT64_MAX;
	if (rest->length == 0)
		return true;
	if (!read_call(source, rest, &rule->last))
		return false;
	last.length -= rest->length;
	if (rule->last >= rule->first)
		return true;
	return weir_wrong(source, last, "a number from %llu, where the calls begin",
	                  (unsigned long long)rule->first);
}

/* S; "F+" alone is every call from F on. */
static bool read_step(const struct weir_source *source, struct weir_piece *rest, bool bounded,
                      struct weir_rule *rule)
{
	struct weir_piece step = *rest;

	if (!bounded)
		rule->last = UINT64_MAX;
	if (!bounded && step.length == 0)
		return true;
	*rest = weir_piece(weir_piece_end(*rest), weir_piece_end(*rest));
	return weir_count_read(source, step, &rule->step);
}

bool weir_when_read(const struct weir_source *source, struct weir_piece value,
                    struct weir_rule *rule)
{
	struct weir_piece rest = value;
	bool bounded = false;

	rule->step = 1;
	if (!read_call(source, &rest, &rule->first))
		return false;
	rule->last = rule->first;
	if (skip(&rest, "..")) {
		bounded = true;
		if (!read_last(source, &rest, rule))
			return false;
	}
	if (skip(&rest, "+") && !read_step(source, &rest, bounded, rule))
		return false;
	return rest.length == 0 ||
	       weir_wrong(source, rest, bounded ? "+S or the end" : "..L, +S or the end");
}
