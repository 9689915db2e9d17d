/* The program as a child of the command: its start, its signals, its end. */
#ifndef WEIR_CLI_CHILD_H
#define WEIR_CLI_CHILD_H

#include <signal.h>
#include <sys/types.h>

/* The signal state that the command was started with: the program gets it. */
struct weir_inherited {
	sigset_t mask;
	struct sigaction on_child;
};

/* Blocks every signal, for weir_child_wait() to fetch, and lets SIGCHLD have its
 * ordinary meaning. From here on until the end of the command. */
void weir_child_prepare(struct weir_inherited *inherited);

/* Starts `program` (as execvp) in this process group. Returns its number or
 * -errno. Where it cannot be executed the child says so and ends with 126 or 127. */
pid_t weir_child_start(char **program, const struct weir_inherited *inherited);

/* Waits for the program's end, passes on what is sent to the command meanwhile, and
 * calls `watch` several times a second. Gives the status as waitpid() does. */
int weir_child_wait(pid_t child, void (*watch)(void));

/* Ends as the program did: by the same signal, or by returning the exit status. */
int weir_child_imitate(int status);

#endif
