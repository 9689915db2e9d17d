#include "allowed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"
#include "stage.h"

/* What epoll_edges gave, apart: the events of places that are unclear, and the rest. */
struct events {
	int count[PLACES];
	char last[PLACES][64];
	char rest[RESULT_MAX];
};

static bool is_unclear(const struct call *call, int place)
{
	for (int i = 0; i < call->listed; i++)
		if (call->list[i].place == place)
			return true;
	return false;
}

static void take_apart(const struct call *call, const char *line, size_t length, struct events *e)
{
	char text[RESULT_MAX], *word, *rest;
	size_t used = 0;
	int place;

	memset(e, 0, sizeof(*e));
	snprintf(text, sizeof(text), "%.*s", (int)length, line);
	for (word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		if (sscanf(word, "d%d:", &place) == 1 && place < PLACES && is_unclear(call, place)) {
			e->count[place]++;
			snprintf(e->last[place], sizeof(e->last[place]), "%s", word);
		} else if (word[0] < '0' || word[0] > '9') { /* how many there are, is unclear */
			used += (size_t)snprintf(e->rest + used, sizeof(e->rest) - used, " %s",
			                         word);
		}
	}
}

/* What both sides tell of one entry is the same. */
static bool events_agree(const struct call *call, const char *kernel, size_t n, const char *weir,
                         size_t m)
{
	static struct events one, other;

	take_apart(call, kernel, n, &one);
	take_apart(call, weir, m, &other);
	for (int i = 0; i < PLACES; i++)
		if (one.count[i] == 1 && other.count[i] == 1 &&
		    strcmp(one.last[i], other.last[i]) != 0)
			return false;
	return strcmp(one.rest, other.rest) == 0;
}

static bool line_agrees(const struct program *program, const char *kernel, size_t n,
                        const char *weir, size_t m)
{
	int line = atoi(kernel);

	if (n == m && memcmp(kernel, weir, n) == 0)
		return true;
	if (line <= 0 || line > program->lines || atoi(weir) != line)
		return false;
	const struct call *call = &program->line[line - 1];
	return call->number == CALL_epoll_edges && events_agree(call, kernel, n, weir, m);
}

bool allowed_is(const char *text, const char *kernel, const char *weir)
{
	static struct program program;

	if (strcmp(kernel, weir) == 0)
		return true;
	if (program_parse(&program, text) != 0)
		return false;
	while (*kernel && *weir) {
		size_t n = strcspn(kernel, "\n"), m = strcspn(weir, "\n");
		if (!line_agrees(&program, kernel, n, weir, m))
			return false;
		kernel += n + (kernel[n] != '\0');
		weir += m + (weir[m] != '\0');
	}
	return !*kernel && !*weir;
}
