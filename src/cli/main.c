/* weir: runs programs with their socketpairs carried by bounded in-memory pipes. */
#include <stddef.h>
#include <string.h>

#include "base/message.h"
#include "cli/commands.h"
#include "cli/status.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "run", weir_command_run },
	{ "ctl", weir_command_ctl },
	{ "carry", weir_command_carry }, /* for libweir.so, not for people */
	{ "help", weir_command_help },
	{ "--help", weir_command_help },
	{ "--version", weir_command_version },
};

int main(int argc, char **argv)
{
	char *help[] = { (char[]){ "help" }, NULL };

	if (argc < 2)
		return weir_command_help(1, help);
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	weir_say("%.100s: no such command; `weir help` lists them", argv[1]);
	return WEIR_EXIT_FAILED;
}
