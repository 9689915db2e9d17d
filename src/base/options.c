#include "base/options.h"

#include <string.h>

#include "base/message.h"
#include "base/parse.h"

/* An option wins over its variable: what that gave goes. */
static void drop_variable(struct weir_texts *texts, const char *name)
{
	if (texts->count > 0 && strncmp(name, "--", 2) == 0 &&
	    strncmp(texts->name[0], "--", 2) != 0)
		texts->count = 0;
}

static const char *add_text(struct weir_texts *texts, const struct weir_config *config,
                            const char *text)
{
	drop_variable(texts, config->name);
	if (texts->count == WEIR_TEXTS_MAX)
		return "taken any more: 62 are the most";
	texts->name[texts->count] = config->name;
	texts->text[texts->count++] = text;
	return NULL;
}

static const char *set_capacity(struct weir_config *config, const char *text)
{
	uint64_t n;

	if (strpbrk(text, ":="))
		return add_text(&config->capacities, config, text);
	if (!weir_parse_size(text, WEIR_CAPACITY_MAX, &n) || n == 0)
		return "a size from 1 to 4G, such as 64, 16K or 1M, nor WHERE:SIZE";
	config->capacity = n;
	config->capacity_given = true;
	return NULL;
}

static const char *set_writable_at(struct weir_config *config, const char *text)
{
	bool percent = false;
	uint64_t n;

	if (weir_parse_percent(text, 100, &n))
		percent = true;
	else if (!weir_parse_size(text, WEIR_CAPACITY_MAX, &n))
		n = 0;
	if (n == 0)
		return "a size from 1 to 4G, such as 64 or 16K, or a percentage from 1% to 100%";
	config->writable_at = n;
	config->writable_at_percent = percent;
	config->writable_at_given = true;
	return NULL;
}

static const char *set_max_pairs(struct weir_config *config, const char *text)
{
	uint64_t n;

	if (!weir_parse_unsigned(text, WEIR_MAX_PAIRS_MAX, &n) || n == 0)
		return "a number from 1 to 65536";
	config->max_pairs = (uint32_t)n;
	return NULL;
}

static const char *set_stats(struct weir_config *config, const char *text)
{
	if (!*text)
		return "the name of a file, or - for standard output";
	config->stats = text;
	return NULL;
}

static const char *set_fault(struct weir_config *config, const char *text)
{
	return add_text(&config->faults, config, text);
}

static const char *set_faults(struct weir_config *config, const char *text)
{
	if (!*text)
		return "the name of a file, or - for standard input";
	return add_text(&config->faults_files, config, text);
}

static const char *set_mark(struct weir_config *config, const char *text)
{
	return add_text(&config->marks, config, text);
}

static const char *set_seed(struct weir_config *config, const char *text)
{
	if (!weir_parse_unsigned(text, UINT64_MAX, &config->seed))
		return "a number from 0 to 18446744073709551615";
	config->seed_given = true;
	return NULL;
}

static const char *set_chaos(struct weir_config *config, const char *text)
{
	const char *wrong = *text && strcmp(text, "on") ? set_seed(config, text) : NULL;

	config->chaos = !wrong;
	return wrong;
}

static const char *set_switch(bool *on, const char *text)
{
	return weir_parse_switch(text, on) ? NULL : "0 or 1";
}

static const char *set_verbose(struct weir_config *config, const char *text)
{
	return set_switch(&config->verbose, text);
}

static const char *set_strict(struct weir_config *config, const char *text)
{
	return set_switch(&config->strict, text);
}

static const char *set_quiet(struct weir_config *config, const char *text)
{
	return set_switch(&config->quiet, text);
}

static const char *set_fail_on_deadlock(struct weir_config *config, const char *text)
{
	return set_switch(&config->fail_on_deadlock, text);
}

static const char *set_no_follow(struct weir_config *config, const char *text)
{
	return set_switch(&config->no_follow, text);
}

static const char *set_allow_unreachable(struct weir_config *config, const char *text)
{
	return set_switch(&config->allow_unreachable, text);
}

const struct weir_option weir_options[] = {
	{ "--capacity", "WEIR_CAPACITY", "[WHERE:]N[K|M|G]",
	  "Bytes that fit into each direction of a pair, from 1 (default 208K,\n"
	  "the kernel's). Once given, the program's own SO_SNDBUF changes nothing.\n"
	  "With WHERE (pair=N,side=a|b,comm=GLOB,pid=N), only for the directions\n"
	  "that such an end writes; the last one that fits counts.",
	  set_capacity },
	{ "--fault", "WEIR_FAULT", "RULE",
	  "OPS:EFFECT[:WHEN...][:WHERE...], such as write:error=EPIPE:when=3 or\n"
	  "read:short=1. May be given again; rules apply in order. weir-fault(7)\n"
	  "tells the language, `weir help fault` a summary. The variable takes\n"
	  "several, with ; between them.",
	  set_fault },
	{ "--faults", NULL, "FILE|-",
	  "Rules from a file, one a line; # begins a comment.",
	  set_faults },
	{ "--chaos", "WEIR_CHAOS", "[=SEED]",
	  "Draw small capacities, short reads and writes, EAGAIN, EINTR and\n"
	  "delays: only what a correct kernel may do. (The variable: on or SEED.)",
	  set_chaos },
	{ "--seed", "WEIR_SEED", "N",
	  "What is drawn depends on N alone (default: drawn, and said if anything\n"
	  "fired).",
	  set_seed },
	{ "--strict", "WEIR_STRICT", NULL,
	  "End with status 123 if a rule never fired.",
	  set_strict },
	{ "--quiet", "WEIR_QUIET", NULL,
	  "Do not tell at the end which rules fired.",
	  set_quiet },
	{ "--fail-on-deadlock", "WEIR_FAIL_ON_DEADLOCK", NULL,
	  "End the run with status 123 when everybody who could go on waits for\n"
	  "another in a pair.",
	  set_fail_on_deadlock },
	{ "--mark", "WEIR_MARK", "WHERE",
	  "Carry only these pairs: pair=N, nth=N (of its process), comm=GLOB,\n"
	  "exe=GLOB, pid=N, with commas between them. May be given again.",
	  set_mark },
	{ "--writable-at", "WEIR_WRITABLE_AT", "N|N%",
	  "Room at which poll and friends call a direction writable (default:\n"
	  "1 byte with --capacity; else the kernel's rule, at most a quarter full).",
	  set_writable_at },
	{ "--max-pairs", "WEIR_MAX_PAIRS", "N",
	  "Pairs open at a time (default 32768). Others stay with the kernel.",
	  set_max_pairs },
	{ "--stats", "WEIR_STATS", "FILE|-",
	  "At the end, write what each pair carried as JSON to FILE, or to\n"
	  "standard output.",
	  set_stats },
	{ "--verbose", "WEIR_VERBOSE", NULL,
	  "Say on standard error what is done, a line each.",
	  set_verbose },
	{ "--no-follow", "WEIR_NO_FOLLOW", NULL,
	  "Leave a program alone that another one starts with an environment\n"
	  "without weir's variables.",
	  set_no_follow },
	{ "--allow-unreachable", "WEIR_ALLOW_UNREACHABLE", NULL,
	  "Start PROGRAM also where preloading cannot reach it. Programs that it\n"
	  "starts are reached where they can be.",
	  set_allow_unreachable },
};

const size_t weir_options_count = sizeof weir_options / sizeof weir_options[0];

struct weir_config weir_config_default(void)
{
	return (struct weir_config){
		.capacity = WEIR_CAPACITY_DEFAULT,
		.max_pairs = WEIR_MAX_PAIRS_DEFAULT,
	};
}

const struct weir_option *weir_option_find(const char *flag, size_t length)
{
	for (size_t i = 0; i < weir_options_count; i++) {
		const char *known = weir_options[i].flag;

		if (strlen(known) == length && !memcmp(known, flag, length))
			return &weir_options[i];
	}
	return NULL;
}

bool weir_option_set(const struct weir_option *option, struct weir_config *config,
                     const char *name, const char *text)
{
	config->name = name;
	const char *allowed = option->set(config, text);

	if (allowed)
		weir_say("%s: '%.100s' is not %s", name, text, allowed);
	return !allowed;
}

/* Not getenv(): the library's constructor may run before libc knows environ. */
static const char *value_in(char *const environment[], const char *variable)
{
	size_t length = strlen(variable);

	for (size_t i = 0; environment && environment[i]; i++)
		if (!strncmp(environment[i], variable, length) && environment[i][length] == '=')
			return environment[i] + length + 1;
	return NULL;
}

bool weir_config_from_environment(struct weir_config *config, char *const environment[])
{
	bool good = true;

	for (size_t i = 0; i < weir_options_count; i++) {
		const struct weir_option *option = &weir_options[i];
		const char *text =
			option->variable ? value_in(environment, option->variable) : NULL;

		if (text && *text && !weir_option_set(option, config, option->variable, text))
			good = false;
	}
	return good;
}
