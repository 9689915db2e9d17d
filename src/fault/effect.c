#include "fault/effect.h"

#include <string.h>

#include "base/text.h"
#include "fault/error_name.h"

#define SIZE_MOST (UINT64_C(1) << 32)
#define RATE_MOST (UINT64_C(1) << 40)
#define DELAY_MOST_NS (UINT64_C(3600) * 1000000000)

static bool read_size(const struct weir_source *source, struct weir_piece value,
                      struct weir_rule *rule)
{
	if (weir_piece_size(value, 1, SIZE_MOST, &rule->amount))
		return true;
	return weir_wrong(source, value, "a size from 1 to 4G, such as 1, 64 or 16K");
}

static bool read_error(const struct weir_source *source, struct weir_piece value,
                       struct weir_rule *rule)
{
	rule->amount = (uint64_t)weir_error_number(value);
	if (rule->amount)
		return true;
	return weir_wrong(source, value,
	                  "an error's name, such as EIO or ECONNRESET, or its number, such as 5");
}

static bool read_rate(const struct weir_source *source, struct weir_piece value,
                      struct weir_rule *rule)
{
	struct weir_piece size = value;

	if (value.length >= 2 && !memcmp(weir_piece_end(value) - 2, "/s", 2)) {
		size.length -= 2;
		if (weir_piece_size(size, 1, RATE_MOST, &rule->amount))
			return true;
	}
	return weir_wrong(source, value, "a rate from 1/s to 1024G/s, such as 100K/s");
}

/* Nanoseconds of a unit, or 0. */
static uint64_t unit_ns(struct weir_piece unit)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = { { "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 } };

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (weir_piece_is(unit, units[i].name))
			return units[i].ns;
	return 0;
}

/* Adds the fraction's digits. False where there are parts of a nanosecond. */
static bool add_fraction(struct weir_piece fraction, uint64_t unit, uint64_t *ns)
{
	for (size_t i = 0; i < fraction.length; i++) {
		uint64_t digit = (uint64_t)(fraction.start[i] - '0');

		unit /= 10;
		if (digit && unit == 0)
			return false;
		*ns += digit * unit;
	}
	return true;
}

static bool read_time(const struct weir_source *source, struct weir_piece value, uint64_t *ns)
{
	struct weir_decimal decimal;
	uint64_t unit;

	if (!weir_piece_decimal(value, &decimal))
		return weir_wrong(source, value, "a time, such as 250us, 0.5ms or 2s");
	unit = unit_ns(decimal.unit);
	if (!unit)
		return weir_wrong(source, decimal.unit, "a unit: ns, us, ms or s");
	if (!weir_piece_number(decimal.whole, 0, DELAY_MOST_NS / unit, ns))
		return weir_wrong(source, value, "a time of at most 3600s");
	*ns *= unit;
	if (!add_fraction(decimal.fraction, unit, ns))
		return weir_wrong(source, value, "a time in whole nanoseconds");
	return *ns <= DELAY_MOST_NS || weir_wrong(source, value, "a time of at most 3600s");
}

/* The ".." of a range, or NULL. */
static const char *find_dots(struct weir_piece value)
{
	for (size_t i = 0; i + 1 < value.length; i++)
		if (value.start[i] == '.' && value.start[i + 1] == '.')
			return value.start + i;
	return NULL;
}

static bool read_delay(const struct weir_source *source, struct weir_piece value,
                       struct weir_rule *rule)
{
	const char *dots = find_dots(value);
	struct weir_piece from = weir_piece(value.start, dots ? dots : weir_piece_end(value));
	struct weir_piece to = dots ? weir_piece(dots + 2, weir_piece_end(value)) : from;
	uint64_t *ns = rule->delay_ns;

	if (!read_time(source, from, &ns[0]) || !read_time(source, to, &ns[1]))
		return false;
	if (ns[1] < ns[0])
		return weir_wrong(source, to, "a time that is not below %.*s", (int)from.length,
		                  from.start);
	return ns[1] > 0 || weir_wrong(source, to, "a time above 0");
}

/* A rate holds for all bytes from where it begins: there is no call to pick. */
#define STATE_REFUSES                                                                              \
	(WEIR_WORD_BIT(WEIR_WORD_WHEN) | WEIR_WORD_BIT(WEIR_WORD_P) |                              \
	 WEIR_WORD_BIT(WEIR_WORD_TIMES))

static const struct effect {
	const char *name;
	const char *form;           /* as people are told */
	const char *value;          /* that has to follow '=', or NULL */
	bool (*read)(const struct weir_source *source, struct weir_piece value,
	             struct weir_rule *rule);
	bool write_only;
	uint32_t refuses;           /* bits of words that cannot stand behind it */
} effects[] = {
	[WEIR_EFFECT_SHORT] = { "short", "short", NULL, read_size, false, 0 },
	[WEIR_EFFECT_ERROR] = { "error", "error=ERRNO", "ERRNO", read_error, false, 0 },
	[WEIR_EFFECT_EOF] = { "eof", "eof", NULL, NULL, false, 0 },
	[WEIR_EFFECT_HANGUP] = { "hangup", "hangup", NULL, NULL, false, 0 },
	[WEIR_EFFECT_RESET] = { "reset", "reset", NULL, NULL, false, 0 },
	[WEIR_EFFECT_STALL] = { "stall", "stall", NULL, NULL, false, 0 },
	[WEIR_EFFECT_DELAY] = { "delay", "delay=TIME", "TIME", read_delay, false, 0 },
	[WEIR_EFFECT_RATE] = { "rate", "rate=BYTES/s", "BYTES/s", read_rate, false, STATE_REFUSES },
	[WEIR_EFFECT_DISCARD] = { "discard", "discard", NULL, NULL, true, 0 },
	[WEIR_EFFECT_CORRUPT] = { "corrupt", "corrupt", NULL, read_size, false, 0 },
};

enum { EFFECTS = sizeof effects / sizeof effects[0] };

static size_t find_effect(struct weir_piece name)
{
	size_t i = 0;

	while (i < EFFECTS && !weir_piece_is(name, effects[i].name))
		i++;
	return i;
}

/* The last of the table is one that every call can have. */
static bool wrong_effect(const struct weir_source *source, struct weir_piece piece, uint32_t ops,
                         const char *hint)
{
	char buffer[WEIR_ALLOWED_SIZE];
	struct weir_text list = weir_text_over(buffer, sizeof buffer);

	for (size_t i = 0; i < EFFECTS; i++)
		if (!effects[i].write_only || ops == WEIR_OPS_WRITE)
			weir_text_add(&list, "%s%s",
			              i == 0 ? "" : i + 1 < EFFECTS ? ", " : " or ",
			              effects[i].form);
	return weir_wrong(source, piece, "%s%s", buffer, hint);
}

static bool read_value(const struct weir_source *source, const struct effect *effect,
                       const char *equals, const char *end, struct weir_rule *rule)
{
	rule->amount = effect->read && !effect->value;
	if (equals && !effect->read)
		return weir_wrong(source, weir_piece(equals, end), "no value behind %s",
		                  effect->name);
	if (equals)
		return effect->read(source, weir_piece(equals + 1, end), rule);
	return !effect->value || weir_wrong(source, weir_piece(end, end), "=%s", effect->value);
}

bool weir_effect_read(const struct weir_source *source, struct weir_piece word,
                      struct weir_words_read *read, struct weir_rule *rule)
{
	const char *equals = memchr(word.start, '=', word.length);
	const char *end = weir_piece_end(word);
	struct weir_piece name = weir_piece(word.start, equals ? equals : end);
	size_t index = find_effect(name);

	if (index == EFFECTS)
		return wrong_effect(source, name, rule->ops, "");
	if (effects[index].write_only && rule->ops != WEIR_OPS_WRITE)
		return wrong_effect(source, name, rule->ops, " (only write can discard)");
	rule->effect = (uint32_t)index;
	read->refused = effects[index].refuses;
	read->effect = effects[index].name;
	return read_value(source, &effects[index], equals, end, rule);
}
