/* A libFuzzer target: any text is a rule, or it is refused; either way the promises
 * of src/fault/rule.h hold. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault/glob.h"
#include "fault/rule.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void require(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

#define REQUIRE(condition) require((condition), #condition)

static bool untouched(const void *memory, size_t size)
{
	const unsigned char *byte = memory;

	for (size_t i = 0; i < size; i++)
		if (byte[i] != 0x5a)
			return false;
	return true;
}

static bool ends(const char *text, size_t size)
{
	return memchr(text, '\0', size);
}

/* The error points into the text, or just behind it, and says something. */
static void check_error(const struct weir_rule_error *error, size_t length)
{
	REQUIRE(error->column >= 1 && error->column <= length + 1);
	REQUIRE(error->length <= length + 1 - error->column);
	REQUIRE(ends(error->allowed, sizeof error->allowed));
	REQUIRE(error->allowed[0]);
}

static void check_where(const struct weir_where *where)
{
	REQUIRE(where->pair <= INT64_MAX && where->nth <= INT64_MAX);
	REQUIRE(where->pid <= 1 << 22);
	REQUIRE(where->side <= WEIR_SIDE_ANY);
	REQUIRE(ends(where->comm, sizeof where->comm) && ends(where->exe, sizeof where->exe));
	REQUIRE(weir_glob_span(where->comm) == strlen(where->comm));
	REQUIRE(weir_glob_span(where->exe) == strlen(where->exe));
}

static bool amount_fits(const struct weir_rule *rule)
{
	switch ((enum weir_effect)rule->effect) {
	case WEIR_EFFECT_SHORT:
	case WEIR_EFFECT_CORRUPT:
		return rule->amount >= 1 && rule->amount <= UINT64_C(1) << 32;
	case WEIR_EFFECT_RATE:
		return rule->amount >= 1 && rule->amount <= UINT64_C(1) << 40;
	case WEIR_EFFECT_ERROR:
		return rule->amount <= 4095 && rule->amount >= 1 &&
		       strerrorname_np((int)rule->amount);
	case WEIR_EFFECT_EOF:
	case WEIR_EFFECT_HANGUP:
	case WEIR_EFFECT_RESET:
	case WEIR_EFFECT_STALL:
	case WEIR_EFFECT_DELAY:
	case WEIR_EFFECT_DISCARD:
	default:
		return rule->amount == 0;
	}
}

static void check_effect(const struct weir_rule *rule)
{
	const uint64_t *ns = rule->delay_ns;

	REQUIRE(rule->ops >= WEIR_OPS_READ && rule->ops <= WEIR_OPS_ANY);
	REQUIRE(rule->effect <= WEIR_EFFECT_CORRUPT);
	REQUIRE(amount_fits(rule));
	if (rule->effect == WEIR_EFFECT_DELAY)
		REQUIRE(ns[0] <= ns[1] && ns[1] >= 1 && ns[1] <= UINT64_C(3600000000000));
	else
		REQUIRE(ns[0] == 0 && ns[1] == 0);
	REQUIRE(rule->effect != WEIR_EFFECT_DISCARD || rule->ops == WEIR_OPS_WRITE);
}

static void check_when(const struct weir_rule *rule)
{
	REQUIRE(rule->first <= INT64_MAX && rule->last >= rule->first);
	REQUIRE(rule->step >= 1);
	REQUIRE(rule->at <= INT64_MAX || rule->at == UINT64_MAX);
	REQUIRE(rule->at == UINT64_MAX || (rule->first == 0 && rule->match_length == 0));
	REQUIRE(rule->probability >= 1 && rule->probability <= UINT64_C(1) << 32);
	REQUIRE(rule->times <= INT64_MAX);
	REQUIRE(rule->match_length <= WEIR_MATCH_MAX);
	if (rule->effect == WEIR_EFFECT_RATE)
		REQUIRE(!rule->first && !rule->times && rule->probability == UINT64_C(1) << 32);
}

static void check_again(const struct weir_rule *rule)
{
	struct weir_rule_error error;
	struct weir_rule again;

	memset(&again, 0xa5, sizeof again);
	REQUIRE(weir_rule_parse(&again, rule->text, &error));
	REQUIRE(!memcmp(&again, rule, sizeof again));
}

static void check_rule(const char *text)
{
	struct weir_rule_error error = { .allowed = "" };
	struct weir_rule rule;

	memset(&rule, 0x5a, sizeof rule);
	if (!weir_rule_parse(&rule, text, &error)) {
		REQUIRE(untouched(&rule, sizeof rule));
		check_error(&error, strlen(text));
		return;
	}
	REQUIRE(!strcmp(rule.text, text));
	check_effect(&rule);
	check_when(&rule);
	check_where(&rule.where);
	REQUIRE(rule.where.nth == 0 && !rule.where.exe[0]);
	check_again(&rule);
}

/* The bytes end where they end: no null byte stands behind them. */
static void check_places(const char *bytes, size_t size, bool mark)
{
	struct weir_rule_error error = { .allowed = "" };
	struct weir_where where;

	memset(&where, 0x5a, sizeof where);
	if (!weir_where_parse(&where, bytes, size, mark, &error)) {
		REQUIRE(untouched(&where, sizeof where));
		check_error(&error, size);
		return;
	}
	check_where(&where);
	REQUIRE(mark ? where.side == WEIR_SIDE_ANY : where.nth == 0 && !where.exe[0]);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char *text = malloc(size + 1);

	REQUIRE(text);
	memcpy(text, data, size);
	text[size] = '\0';
	check_rule(text);
	check_places((const char *)data, size, false);
	check_places((const char *)data, size, true);
	free(text);
	return 0;
}
