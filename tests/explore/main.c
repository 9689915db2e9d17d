/* explore: every interleaving of the real code.
 *
 *	explore [OPTION...] [SCENARIO...]   explores them, or all
 *	explore SCENARIO:SCHEDULE           does one schedule, with a trace
 *	explore --list
 *
 * --bound N     up to N preemptions, or `all`; without it the short form: all with two
 *               threads, two with three
 * --states N    gives up after so many states
 * --every-path  walks also to states that were seen: the same numbers, slowly
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios.h"
#include "search.h"
#include "world.h"

enum { BOUND_OF_SCENARIO = -1, STATES_MAX = 200000000 };

static const struct scenario *find(const char *name, size_t length)
{
	for (const struct scenario *s = first_scenario(); s; s = next_scenario(s))
		if (strlen(s->name) == length && memcmp(s->name, name, length) == 0)
			return s;
	fprintf(stderr, "explore: no scenario %.*s\n", (int)length, name);
	exit(2);
}

static int replay_line(const char *line, size_t name_length)
{
	scenario = find(line, name_length);
	bool fits = replay(line + name_length + 1);
	if (!fits)
		printf("explore: the schedule does not fit\n");
	else
		printf("explore %s: %s\n", scenario->name, failure[0] ? failure : "good");
	return !fits || failure[0];
}

static void say_bound(int bound)
{
	if (bound == BOUND_NONE)
		printf("all preemptions");
	else
		printf("up to %d preemptions", bound);
}

static int short_bound(const struct scenario *s)
{
	if (s->bound)
		return s->bound;
	return s->actor[2].run ? 2 : BOUND_NONE;
}

static bool explore(const struct scenario *s, struct limits limits)
{
	if (limits.preemptions == BOUND_OF_SCENARIO)
		limits.preemptions = short_bound(s);
	scenario = s;
	forget_shared();
	struct found f = search(&limits);
	printf("%s %s: ", f.failed || !f.exhausted ? "not ok" : "ok", s->name);
	say_bound(limits.preemptions);
	if (f.failed)
		printf(": %s\nexplore %s:%s\n", failure, s->name, schedule_text());
	else if (!f.exhausted)
		printf(": NOT exhausted after %llu states\n", (unsigned long long)f.states);
	else
		printf(": %.6g schedules, exhausted (%llu states, %llu steps, longest %u)\n",
		       f.schedules, (unsigned long long)f.states, (unsigned long long)f.steps,
		       f.longest);
	fflush(stdout);
	return !f.failed && f.exhausted;
}

static int list(void)
{
	for (const struct scenario *s = first_scenario(); s; s = next_scenario(s))
		printf("%s\n", s->name);
	return 0;
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n = text ? strtoull(text, &end, 10) : 0;

	if (!text || end == text || *end) {
		fprintf(stderr, "explore: a number is needed\n");
		exit(2);
	}
	return n;
}

static int bound_of(const char *text)
{
	return text && strcmp(text, "all") == 0 ? BOUND_NONE : (int)number(text);
}

int main(int argc, char **argv)
{
	struct limits limits = {.preemptions = BOUND_OF_SCENARIO, .states = STATES_MAX};
	int failed = 0, i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--list") == 0)
			return list();
		if (strcmp(argv[i], "--every-path") == 0)
			limits.every_path = true;
		else if (strcmp(argv[i], "--bound") == 0)
			limits.preemptions = bound_of(argv[++i]);
		else if (strcmp(argv[i], "--states") == 0)
			limits.states = number(argv[++i]);
		else
			return fprintf(stderr, "explore: no option %s\n", argv[i]), 2;
	}
	if (i < argc && strchr(argv[i], ':'))
		return replay_line(argv[i], (size_t)(strchr(argv[i], ':') - argv[i]));
	bool all = i == argc;
	for (; i < argc; i++)
		failed += !explore(find(argv[i], strlen(argv[i])), limits);
	for (const struct scenario *s = first_scenario(); all && s; s = next_scenario(s))
		failed += !explore(s, limits);
	return failed > 0;
}
