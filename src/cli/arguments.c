#include "cli/arguments.h"

#include <string.h>
#include <unistd.h>

#include "base/message.h"

/* Where reading stands. `value` is what follows '=' in the current word. */
struct reader {
	char **next;
	const char *value;
};

static bool set_with_argument(const struct weir_option *option, struct weir_config *config,
                              struct reader *r)
{
	const char *text = r->value ? r->value : *r->next;

	if (!text) {
		weir_say("%s needs a value: %s", option->flag, option->argument);
		return false;
	}
	if (!r->value)
		r->next++;
	return weir_option_set(option, config, option->flag, text);
}

/* "[=SEED]": what stands in the same word, or nothing. */
static bool may_be_left_out(const struct weir_option *option)
{
	return option->argument[0] == '[' && option->argument[1] == '=';
}

static bool set_switch(const struct weir_option *option, struct weir_config *config,
                       const struct reader *r)
{
	if (r->value) {
		weir_say("%s takes no value", option->flag);
		return false;
	}
	return weir_option_set(option, config, option->flag, "1");
}

static bool read_option(struct weir_arguments *a, const char *word, struct reader *r)
{
	size_t length = strcspn(word, "=");
	const struct weir_option *option = weir_option_find(word, length);

	r->value = word[length] ? word + length + 1 : NULL;
	if (option && option->argument && may_be_left_out(option))
		return weir_option_set(option, &a->config, option->flag, r->value ? r->value : "");
	if (option && option->argument)
		return set_with_argument(option, &a->config, r);
	if (option)
		return set_switch(option, &a->config, r);
	if (!strcmp(word, "--help"))
		a->help = true;
	else if (!strcmp(word, "--version"))
		a->version = true;
	else
		weir_say("%.100s: no such option; `weir help run` lists them", word);
	return a->help || a->version;
}

/* Options end at `--` or at the first word that is none; "-" is none. */
static bool is_option(const char *word)
{
	return word && word[0] == '-' && word[1];
}

bool weir_arguments_read(struct weir_arguments *a, int argc, char **argv)
{
	struct reader r = { .next = argv + (argc > 0) };

	*a = (struct weir_arguments){ .config = weir_config_default() };
	if (!weir_config_from_environment(&a->config, environ))
		return false;
	while (is_option(*r.next) && !a->help && !a->version) {
		const char *word = *r.next++;

		if (!strcmp(word, "--"))
			break;
		if (!read_option(a, word, &r))
			return false;
	}
	a->program = r.next;
	if (a->help || a->version || *a->program)
		return true;
	weir_say("run needs a PROGRAM; `weir help run` explains");
	return false;
}
