/* How the command ends: the program's own way, or one of these (as env(1)). */
#ifndef WEIR_CLI_STATUS_H
#define WEIR_CLI_STATUS_H

enum {
	WEIR_EXIT_STRICT = 123,     /* a rule never fired, or there was a deadlock */
	WEIR_EXIT_FAILED = 125,     /* weir itself failed, or was called wrongly */
	WEIR_EXIT_CANNOT_RUN = 126, /* PROGRAM is there but cannot be executed */
	WEIR_EXIT_NOT_FOUND = 127,
	WEIR_EXIT_SIGNAL = 128,     /* + N: died by signal N */
};

#endif
