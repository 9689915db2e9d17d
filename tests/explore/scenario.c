#include "scenarios.h"

#include <stddef.h>

static const struct scenario *const tables[] = {
        scenarios_of_transfers,
        scenarios_of_readiness,
        scenarios_of_loops,
        scenarios_of_ends,
        scenarios_of_handlers,
        scenarios_of_changes,
        scenarios_of_alone,
};

enum { TABLES = sizeof(tables) / sizeof(tables[0]) };

static int table_of(const struct scenario *wanted)
{
	for (int i = 0; i < TABLES; i++)
		for (const struct scenario *s = tables[i]; s->name; s++)
			if (s == wanted)
				return i;
	return TABLES;
}

const struct scenario *first_scenario(void)
{
	return tables[0];
}

const struct scenario *next_scenario(const struct scenario *s)
{
	if (s[1].name)
		return s + 1;
	int next = table_of(s) + 1;
	return next < TABLES ? tables[next] : NULL;
}
