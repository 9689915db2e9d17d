/* The controlling terminal, where there is one. */
#ifndef WEIR_CLI_TERMINAL_H
#define WEIR_CLI_TERMINAL_H

#include <sys/types.h>

/* Makes the process group of `child` the terminal's foreground group, if the
 * command's own is that now: a shell's `fg` knows only the command's group, and a
 * program such as a shell may have made one of its own. SIGTTOU must be blocked. */
void weir_terminal_hand_to(pid_t child);

#endif
