/* The subcommands: each gets its own name as argv[0] and returns an exit status. */
#ifndef WEIR_CLI_COMMANDS_H
#define WEIR_CLI_COMMANDS_H

int weir_command_run(int argc, char **argv);
int weir_command_ctl(int argc, char **argv);
int weir_command_carry(int argc, char **argv);
int weir_command_help(int argc, char **argv);
/* What `weir help ctl` and `weir help fault` print. */
void weir_help_ctl(void);
void weir_help_fault(void);
int weir_command_version(int argc, char **argv);

#endif
