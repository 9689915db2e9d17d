#include <stdio.h>
#include <string.h>

#include "base/message.h"
#include "base/options.h"
#include "base/version.h"
#include "cli/commands.h"
#include "cli/status.h"

static int printed(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	weir_say("cannot write to standard output");
	return WEIR_EXIT_FAILED;
}

/* Help text of one or more lines, each indented. */
static void print_help_text(const char *text)
{
	while (*text) {
		size_t line = strcspn(text, "\n");

		printf("        %.*s\n", (int)line, text);
		text += line + (text[line] != '\0');
	}
}

static void print_option(const char *flag, const char *argument, const char *help)
{
	printf("  %s%s%s\n", flag, argument && strncmp(argument, "[=", 2) ? " " : "",
	       argument ? argument : "");
	print_help_text(help);
}

static void print_variable(const char *variable, const char *meaning)
{
	printf("  %-24s%s\n", variable, meaning);
}

static void print_options(void)
{
	puts("\nOptions:");
	for (size_t i = 0; i < weir_options_count; i++)
		print_option(weir_options[i].flag, weir_options[i].argument, weir_options[i].help);
	print_option("--help", NULL, "Print this.");
	print_option("--version", NULL, "Print the version.");
	puts("\nK, M and G are 1024, 1024K and 1024M.");
}

static void print_variables(void)
{
	puts("\nEnvironment: each option has a variable of the same meaning. An option wins\n"
	     "over its variable; 1 turns a switch on. The variables also work without this\n"
	     "command: LD_PRELOAD=.../libweir.so WEIR_CAPACITY=64 PROGRAM\n");
	for (size_t i = 0; i < weir_options_count; i++)
		if (weir_options[i].variable)
			print_variable(weir_options[i].variable, weir_options[i].flag);
	print_variable("WEIR_LIBRARY", "libweir.so, where it is not beside the command");
	print_variable("WEIR_SESSION", "set for PROGRAM: the memory that its processes share");
}

static int help_run(void)
{
	puts("Usage: weir run [options] [--] PROGRAM [ARG...]\n\n"
	     "Runs PROGRAM, and what it starts, with the bytes of its socketpairs carried by\n"
	     "bounded in-memory pipes. Ends as PROGRAM ends.");
	print_options();
	print_variables();
	puts("\nExit status: PROGRAM's own; where it dies by signal N, weir dies by it too\n"
	     "(128+N in a shell). 123: --strict or --fail-on-deadlock; 125: weir failed;\n"
	     "126: PROGRAM cannot be executed; 127: PROGRAM is not found.\n\n"
	     "Examples:\n"
	     "  weir run --capacity 64 ./server          each direction holds 64 bytes\n"
	     "  weir run --stats - -- python3 test.py    what each pair carried, as JSON");
	return printed();
}

static int help(void)
{
	puts("Usage: weir run [options] [--] PROGRAM [ARG...]\n"
	     "       weir ctl [options] SUBCOMMAND [WORD...]\n"
	     "       weir help [run|ctl|fault]\n"
	     "       weir --version\n\n"
	     "weir runs an unmodified program with its socketpairs carried by in-memory pipes\n"
	     "whose bound you choose.\n\n"
	     "  weir run --capacity 64 PROGRAM          each direction holds 64 bytes\n"
	     "  weir run --fault read:short=1 PROGRAM   every read gives one byte\n"
	     "  weir run --chaos PROGRAM                whatever a correct kernel may do\n\n"
	     "`weir help run` tells all options, `weir help fault` what rules say, and\n"
	     "`weir help ctl` how a run is looked at and changed while it goes on.");
	return printed();
}

int weir_command_help(int argc, char **argv)
{
	if (argc < 2)
		return help();
	if (!strcmp(argv[1], "run"))
		return help_run();
	if (!strcmp(argv[1], "fault")) {
		weir_help_fault();
		return printed();
	}
	if (!strcmp(argv[1], "ctl")) {
		weir_help_ctl();
		return printed();
	}
	weir_say("%.100s: there is no help on that; try `weir help run`", argv[1]);
	return WEIR_EXIT_FAILED;
}

int weir_command_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("weir " WEIR_VERSION);
	return printed();
}
