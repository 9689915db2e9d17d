/* Signal handlers that fork while their process is writing to a pair.
 *
 *	leave                 the child ends at once
 *	write_waited          the child writes to the same end, and the handler waits for it
 *	write                 the child writes to the same end, and nobody waits
 *	go_on                 the child returns into the interrupted write, and then ends
 *	exec                  the child starts a program
 *
 * A process at the other end sees whole records, those of the main program in order.
 */
#include "check.h"

enum { FORKS = 150, EVERY_US = 700 };

struct record {
	unsigned int number; /* from 1; 0: a child's */
	unsigned char fill[60];
};

static int end;
static volatile sig_atomic_t forks, is_child, ended;
static void (*in_child)(void);
static bool waits;

static struct record record_of(unsigned int number)
{
	struct record r = {.number = number};
	memset(r.fill, (int)('A' + number % 50), sizeof(r.fill));
	return r;
}

static void write_record(unsigned int number)
{
	struct record r = record_of(number);
	CHECK_EQ(write(end, &r, sizeof(r)), sizeof(r));
}

static void on_alarm(int signal)
{
	int saved = errno;
	(void)signal;
	if (ended || is_child)
		return;
	ended = ++forks >= FORKS;
	pid_t pid = _Fork();
	if (pid == 0) {
		is_child = 1;
		in_child();
	} else if (waits) {
		CHECK(pid > 0 && waitpid(pid, NULL, 0) == pid);
	}
	errno = saved;
}

static void child_leaves(void)
{
	_exit(0);
}

static void child_writes(void)
{
	write_record(0);
	_exit(0);
}

static void child_goes_on(void)
{
}

static void child_execs(void)
{
	execl("/bin/true", "true", (char *)NULL);
	_exit(1);
}

/* A child that goes on may write its interrupted record again: it was interrupted before
 * the call, for all that anybody can tell. */
static void read_records(int fd)
{
	unsigned int last = 0;
	struct record r;
	ssize_t n;
	while ((n = recv(fd, &r, sizeof(r), MSG_WAITALL)) > 0) {
		CHECK_EQ(n, sizeof(r));
		struct record expected = record_of(r.number);
		CHECK(memcmp(&r, &expected, sizeof(r)) == 0);
		CHECK(r.number <= last + 1);
		if (r.number == last + 1)
			last = r.number;
	}
	CHECK_EQ(n, 0);
	CHECK(last > 0);
	_exit(0);
}

static void fork_while_writing(void (*act)(void), bool waited)
{
	struct itimerval often = {{0, EVERY_US}, {0, EVERY_US}}, never = {{0, 0}, {0, 0}};
	struct sigaction on = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	int sv[2];
	pair_open(sv, 0);
	pid_t reader = fork();
	if (reader == 0) {
		close(sv[0]);
		read_records(sv[1]);
	}
	close(sv[1]);
	end = sv[0];
	in_child = act;
	waits = waited;
	CHECK(sigaction(SIGALRM, &on, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (unsigned int number = 1; !ended; number++) {
		write_record(number);
		if (is_child)
			_exit(0);
	}
	CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
	close(end);
	int status = 1;
	pid_t pid;
	while ((pid = waitpid(-1, &status, 0)) != reader)
		CHECK(pid > 0 && status == 0);
	CHECK_EQ(status, 0);
}

CASE(leave)
{
	fork_while_writing(child_leaves, true);
}

CASE(write)
{
	fork_while_writing(child_writes, false);
}

CASE(write_waited)
{
	fork_while_writing(child_writes, true);
}

CASE(go_on)
{
	fork_while_writing(child_goes_on, false);
}

CASE(exec)
{
	fork_while_writing(child_execs, true);
}

CHECK_MAIN
