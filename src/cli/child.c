#include "cli/child.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/message.h"
#include "cli/status.h"

void weir_child_prepare(struct weir_inherited *inherited)
{
	struct sigaction ordinary = { .sa_handler = SIG_DFL };
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &inherited->mask);
	/* Where it is ignored, as some starters leave it, nobody can be waited for. */
	sigaction(SIGCHLD, &ordinary, &inherited->on_child);
}

static _Noreturn void become(char **program, const struct weir_inherited *inherited)
{
	int error;

	sigaction(SIGCHLD, &inherited->on_child, NULL);
	sigprocmask(SIG_SETMASK, &inherited->mask, NULL);
	execvp(program[0], program);
	error = errno;
	weir_say("%.200s: %s", program[0], strerror(error));
	_exit(error == ENOENT ? WEIR_EXIT_NOT_FOUND : WEIR_EXIT_CANNOT_RUN);
}

pid_t weir_child_start(char **program, const struct weir_inherited *inherited)
{
	pid_t child = fork();

	if (child < 0)
		return -errno;
	if (child == 0)
		become(program, inherited);
	return child;
}

/* The program may have left a core file. A second one, of the command, would only
 * take its place. */
static void leave_no_core(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int weir_child_imitate(int status)
{
	struct sigaction ordinary = { .sa_handler = SIG_DFL };
	sigset_t one;

	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	leave_no_core();
	sigemptyset(&one);
	sigaddset(&one, WTERMSIG(status));
	sigaction(WTERMSIG(status), &ordinary, NULL);
	kill(getpid(), WTERMSIG(status));
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	return WEIR_EXIT_SIGNAL + WTERMSIG(status);
}
