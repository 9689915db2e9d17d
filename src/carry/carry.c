#include "carry/carry.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "carry/pump.h"
#include "pair/pair.h"

enum {
	LOW_MIN = 3,                /* above the standard streams */
	CLOSED_SINGLY_MAX = 65536,
};

/* What a call of weir_carry is about, for its callbacks. Of the thread: others may
 * start programs, too. */
static _Thread_local struct {
	const struct weir_session *session;
	enum weir_carried which;
	void (*recognise)(int fd);
	uint64_t cookie;            /* of the end that is being replaced */
	int plain;                  /* what replaces it */
	int error;
} now;

/* Options that the kernel keeps for a marked socket as for any other. */
static void copy_options(int from, int to)
{
	static const int option[] = {SO_RCVTIMEO, SO_SNDTIMEO, SO_PASSCRED};
	char value[sizeof(struct timeval)];

	for (size_t i = 0; i < sizeof(option) / sizeof(option[0]); i++) {
		socklen_t len = sizeof(value);
		if (os_call(SYS_getsockopt, from, SOL_SOCKET, option[i], (long)value, (long)&len,
		            0) == 0)
			os_call(SYS_setsockopt, to, SOL_SOCKET, option[i], (long)value, len, 0);
	}
	if (os_nonblocking(from))
		os_call(SYS_fcntl, to, F_SETFL, O_NONBLOCK, 0, 0, 0);
}

static void close_from(unsigned int first)
{
	if (close_range(first, ~0U, 0) == 0)
		return;
	for (int fd = (int)first; fd < CLOSED_SINGLY_MAX; fd++)
		os_close(fd);
}

/* Moves the two to 3 and 4 and closes everything else: what stayed open here
 * would keep the other side of a pipe from ever seeing it closed. */
static void keep_only(int *marked, int *plain)
{
	int high_marked = fcntl(*marked, F_DUPFD_CLOEXEC, LOW_MIN + 2);
	int high_plain = fcntl(*plain, F_DUPFD_CLOEXEC, LOW_MIN + 2);
	int null = open("/dev/null", O_RDWR);

	if (high_marked < 0 || high_plain < 0)
		_exit(1);
	for (int fd = 0; fd < LOW_MIN; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			close(fd);
	*marked = dup2(high_marked, LOW_MIN);
	*plain = dup2(high_plain, LOW_MIN + 1);
	close_from(LOW_MIN + 2);
}

/* The terminal's signals are for the program, and a broken pipe is no news. */
static void be_nobody(void)
{
	static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGPIPE};
	struct sigaction ordinary = {.sa_handler = SIG_DFL};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		sigaction(s, &ordinary, NULL);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		sigaction(ignored[i], &ignore, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (chdir("/") != 0)
		return;                 /* a folder stays busy, no more */
	prctl(PR_SET_NAME, "weir-carry");
}

static _Noreturn void be_pump(int marked, int plain)
{
	be_nobody();
	keep_only(&marked, &plain);
	if (now.recognise)
		now.recognise(marked);
	weir_pump(marked, plain);
	_exit(0);
}

/* Twice forked, so that it is no child of the program. The first child tells
 * nobody of its end: a SIGCHLD would still be pending in the program. */
static int start_pump(int marked, int plain)
{
	int status = 0;
	long middle = os_call(SYS_clone, 0, 0, 0, 0, 0, 0);

	if (middle == 0) {
		os_call(SYS_setsid, 0, 0, 0, 0, 0, 0);
		pid_t pid = _Fork();
		if (pid == 0)
			be_pump(marked, plain);
		os_call(SYS_exit_group, pid < 0 ? errno : 0, 0, 0, 0, 0, 0);
	}
	if (middle < 0)
		return (int)middle;
	while (os_call(SYS_wait4, middle, (long)&status, __WALL, 0, 0, 0) == -EINTR)
		;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

static bool is_meant(int fd)
{
	long flags = os_call(SYS_fcntl, fd, F_GETFD, 0, 0, 0, 0);

	return flags >= 0 && (now.which == WEIR_CARRY_ALL || !(flags & FD_CLOEXEC));
}

static void replace_number(int fd)
{
	if (!is_meant(fd) || os_socket_cookie(fd) != now.cookie)
		return;
	long flags = os_call(SYS_fcntl, fd, F_GETFD, 0, 0, 0, 0);
	if (dup3(now.plain, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0) < 0)
		now.error = -errno;
}

static int replace_end(int fd)
{
	int sv[2];
	int error = (int)os_call(SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, (long)sv,
	                         0, 0);

	if (error)
		return error;
	copy_options(fd, sv[0]);
	error = start_pump(fd, sv[1]);
	os_close(sv[1]);
	now.plain = sv[0];
	if (!error)
		os_each_descriptor(replace_number);
	os_close(sv[0]);
	return error;
}

static void replace_if_marked(int fd)
{
	uint64_t cookie = is_meant(fd) ? os_socket_cookie(fd) : 0;
	uint32_t index;
	int side;

	if (!weir_pair_find(now.session, cookie, &index, &side))
		return;
	now.cookie = cookie;
	int error = replace_end(fd);
	if (error)
		now.error = error;
}

int weir_carry(const struct weir_session *session, enum weir_carried which,
               void (*recognise)(int fd))
{
	now.session = session;
	now.which = which;
	now.recognise = recognise;
	now.error = 0;
	os_each_descriptor(replace_if_marked);
	return now.error;
}
