/* Waiting for the program while standing in for it: what is sent to the command
 * is meant for the program. */
#include <errno.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/child.h"
#include "cli/terminal.h"

enum { WATCH_NS = 100000000 };  /* between two looks at the session */

struct watched {
	pid_t pid;
	bool ended;
	bool stopped;
	int status;                 /* the last one reported */
};

/* Fetches the program's changes of state. A program that stopped and went on
 * since then counts as running. */
static void look(struct watched *w)
{
	int status;

	while (!w->ended && waitpid(w->pid, &status, WNOHANG | WUNTRACED | WCONTINUED) == w->pid) {
		w->status = status;
		w->stopped = WIFSTOPPED(status);
		w->ended = WIFEXITED(status) || WIFSIGNALED(status);
	}
}

/* Stops the command by the signal that stopped the program, so that whoever started
 * the command (a shell) sees it. Returns once somebody continues the command. */
static void stop_too(int signal)
{
	struct sigaction ordinary = { .sa_handler = SIG_DFL };
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, signal);
	if (signal != SIGSTOP)
		sigaction(signal, &ordinary, NULL);
	kill(getpid(), signal);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	sigprocmask(SIG_BLOCK, &one, NULL);
}

/* What the kernel sends for the terminal it sends to the whole process group: the
 * program has it already, or has left the group in order not to get it. */
static bool came_from_terminal(const siginfo_t *info)
{
	static const int terminal[] = { SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU,
	                                SIGHUP, SIGCONT, SIGWINCH };

	if (info->si_code != SI_KERNEL)
		return false;
	for (size_t i = 0; i < sizeof terminal / sizeof terminal[0]; i++)
		if (info->si_signo == terminal[i])
			return true;
	return false;
}

static void pass_on(const struct watched *w, const siginfo_t *info)
{
	if (info->si_code == SI_QUEUE)
		sigqueue(w->pid, info->si_signo, info->si_value);
	else
		kill(w->pid, info->si_signo);
}

static void handle(struct watched *w, const siginfo_t *info)
{
	bool was_stopped = w->stopped;

	look(w);
	if (w->ended || info->si_signo == SIGCHLD || came_from_terminal(info))
		return;
	/* A shell's `fg` continues the whole group: once is enough. */
	if (info->si_signo == SIGCONT && was_stopped && !w->stopped)
		return;
	if (info->si_signo == SIGCONT && w->stopped)
		weir_terminal_hand_to(w->pid);
	pass_on(w, info);
}

int weir_child_wait(pid_t child, void (*watch)(void))
{
	static const struct timespec step = { .tv_nsec = WATCH_NS };
	struct watched w = { .pid = child };
	bool followed = false;      /* into its present stop */
	siginfo_t info;
	sigset_t all;

	sigfillset(&all);
	for (;;) {
		look(&w);
		if (w.ended)
			return w.status;
		if (w.stopped && !followed)
			stop_too(WSTOPSIG(w.status));
		followed = w.stopped;
		if (sigtimedwait(&all, &info, &step) > 0)
			handle(&w, &info);
		else
			watch();
	}
}
