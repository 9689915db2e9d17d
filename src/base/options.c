#include "base/options.h"

#include <string.h>

#include "base/message.h"
#include "base/parse.h"

static const char *set_capacity(struct weir_config *config, const char *text)
{
	uint64_t n;

	if (!weir_parse_size(text, WEIR_CAPACITY_MAX, &n) || n == 0)
		return "a size from 1 to 4G, such as 64, 16K or 1M";
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

static const char *set_switch(bool *on, const char *text)
{
	return weir_parse_switch(text, on) ? NULL : "0 or 1";
}

static const char *set_verbose(struct weir_config *config, const char *text)
{
	return set_switch(&config->verbose, text);
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
	{ "--capacity", "WEIR_CAPACITY", "N[K|M|G]",
	  "Bytes that fit into each direction of a pair, from 1 (default 208K,\n"
	  "the kernel's). Once given, the program's own SO_SNDBUF changes nothing.",
	  set_capacity },
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
		const char *text = value_in(environment, option->variable);

		if (text && *text && !weir_option_set(option, config, option->variable, text))
			good = false;
	}
	return good;
}
