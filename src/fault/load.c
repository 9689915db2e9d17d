#include "fault/load.h"

#include <string.h>

#include "base/message.h"
#include "base/parse.h"
#include "fault/report.h"

enum { TEXT_SIZE = 4096 };

bool weir_plan_load_rule(struct weir_plan *plan, const char *what, const char *text)
{
	struct weir_rule_error error = {.column = 0};
	struct weir_rule rule;

	if (!weir_rule_parse(&rule, text, &error)) {
		weir_rule_complain(what, text, &error);
		return false;
	}
	if (!weir_plan_add(plan, &rule)) {
		weir_say("%s: more than %d rules", what, WEIR_RULES_MAX);
		return false;
	}
	return true;
}

static bool load_mark(struct weir_plan *plan, const char *what, const char *text)
{
	struct weir_rule_error error = {.column = 0};

	if (plan->marks == WEIR_MARKS_MAX) {
		weir_say("%s: more than %d", what, WEIR_MARKS_MAX);
		return false;
	}
	if (!weir_where_parse(&plan->mark[plan->marks], text, strlen(text), true, &error)) {
		weir_rule_complain(what, text, &error);
		return false;
	}
	plan->marks++;
	return true;
}

static bool load_size(struct weir_plan *plan, const char *what, const char *text, const char *size)
{
	uint64_t *capacity = &plan->capacity[plan->capacities].capacity;

	if (weir_parse_size(size, WEIR_CAPACITY_MAX, capacity) && *capacity > 0)
		return true;
	struct weir_rule_error error = {.column = (size_t)(size - text) + 1, .length = strlen(size)};
	strcpy(error.allowed, "a size from 1 to 4G, such as 64, 16K or 1M");
	weir_rule_complain(what, text, &error);
	return false;
}

static bool load_capacity(struct weir_plan *plan, const char *what, const char *text)
{
	const char *colon = strrchr(text, ':');
	size_t length = colon ? (size_t)(colon - text) : strlen(text);
	struct weir_rule_error error = {.column = 0};

	if (plan->capacities == WEIR_CAPACITIES_MAX) {
		weir_say("%s: more than %d", what, WEIR_CAPACITIES_MAX);
		return false;
	}
	if (!weir_where_parse(&plan->capacity[plan->capacities].where, text, length, false, &error)) {
		weir_rule_complain(what, text, &error);
		return false;
	}
	if (!load_size(plan, what, text, colon ? colon + 1 : text + length))
		return false;
	plan->capacities++;
	return true;
}

/* Hands out what stands between semicolons. */
static bool load_several(struct weir_plan *plan, const char *what, const char *text,
                         bool (*load)(struct weir_plan *, const char *, const char *))
{
	char piece[TEXT_SIZE];

	for (;;) {
		size_t length = strcspn(text, ";");
		if (length >= sizeof(piece)) {
			weir_say("%s: a rule is longer than %d bytes", what, WEIR_RULE_TEXT_SIZE - 1);
			return false;
		}
		memcpy(piece, text, length);
		piece[length] = '\0';
		if (length > 0 && !load(plan, what, piece))
			return false;
		text += length;
		if (!*text++)
			return true;
	}
}

static bool load_texts(struct weir_plan *plan, const struct weir_texts *texts,
                       bool (*load)(struct weir_plan *, const char *, const char *))
{
	for (uint32_t i = 0; i < texts->count; i++) {
		const char *what = texts->name[i];
		bool variable = strncmp(what, "WEIR_", 5) == 0;
		if (!(variable ? load_several(plan, what, texts->text[i], load)
		               : load(plan, what, texts->text[i])))
			return false;
	}
	return true;
}

bool weir_plan_load(struct weir_plan *plan, const struct weir_config *config)
{
	plan->seed = config->seed;
	plan->seed_given = config->seed_given;
	if (config->chaos)
		store64_relaxed(&plan->alive, WEIR_CHAOS_BIT);
	return load_texts(plan, &config->faults, weir_plan_load_rule) &&
	       load_texts(plan, &config->marks, load_mark) &&
	       load_texts(plan, &config->capacities, load_capacity);
}
