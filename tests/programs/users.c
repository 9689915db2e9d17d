/* A process that becomes another user, and what it starts then. The native run and
 * the run under weir must print the same. Needs root. */
#include "check.h"

#include <grp.h>

enum { NOBODY = 65534 };

static void become_nobody(void)
{
	CHECK(setgroups(0, NULL) == 0);
	CHECK(setresgid(NOBODY, NOBODY, NOBODY) == 0);
	CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

/* The child's end is 0 and 1. */
static pid_t start(int sv[2], void (*run)(void))
{
	pair_open(sv, SOCK_CLOEXEC);
	pid_t pid = child_start();
	if (pid == 0) {
		CHECK(dup2(sv[1], 0) == 0 && dup2(sv[1], 1) == 1);
		CHECK(close(sv[0]) == 0 && close(sv[1]) == 0);
		run();
		_exit(0);
	}
	CHECK(close(sv[1]) == 0);
	return pid;
}

static void talk(int sv[2], pid_t pid)
{
	enum { TOTAL = 30000, PIECE = 60 };
	unsigned char buffer[PIECE];
	for (size_t at = 0; at < TOTAL; at += PIECE) {
		pattern_make(buffer, PIECE, at);
		CHECK_EQ(write(sv[0], buffer, PIECE), PIECE);
		drain(sv[0], PIECE, at);
	}
	CHECK(shutdown(sv[0], SHUT_WR) == 0);
	hear_end(sv[0]);
	child_join(pid);
}

static void echo(void)
{
	unsigned char buffer[1000];
	ssize_t n;
	while ((n = read(0, buffer, sizeof(buffer))) > 0)
		CHECK_EQ(write(1, buffer, (size_t)n), n);
	CHECK_EQ(n, 0);
}

static void echo_as_nobody(void)
{
	become_nobody();
	echo();
}

CASE(a_child_that_becomes_another_user_goes_on)
{
	int sv[2];
	pid_t pid = start(sv, echo_as_nobody);
	talk(sv, pid);
}

static void forked_echo_as_nobody(void)
{
	become_nobody();
	pid_t pid = child_start();
	if (pid == 0) {
		echo();
		_exit(0);
	}
	child_join(pid);
}

CASE(so_does_a_child_of_its_own)
{
	int sv[2];
	pid_t pid = start(sv, forked_echo_as_nobody);
	talk(sv, pid);
}

static void pairs_of_nobody(void)
{
	int sv[2];
	become_nobody();
	pair_open(sv, 0);
	say(sv[0], "mine");
	hear(sv[1], "mine");
	echo();
}

CASE(it_makes_pairs)
{
	int sv[2];
	pid_t pid = start(sv, pairs_of_nobody);
	talk(sv, pid);
}

static void cat_as_nobody(void)
{
	become_nobody();
	execl("/bin/cat", "cat", NULL);
	_exit(1);
}

CASE(it_starts_a_program)
{
	int sv[2];
	pid_t pid = start(sv, cat_as_nobody);
	talk(sv, pid);
}

static void cat_by_vfork_as_nobody(void)
{
	become_nobody();
	pid_t pid = vfork();
	if (pid == 0) {
		execl("/bin/cat", "cat", NULL);
		_exit(1);
	}
	child_join(pid);
}

CASE(it_starts_a_program_by_vfork)
{
	int sv[2];
	pid_t pid = start(sv, cat_by_vfork_as_nobody);
	talk(sv, pid);
}

static void shell_as_nobody(void)
{
	become_nobody();
	CHECK_EQ(system("cat | cat"), 0);
}

CASE(it_starts_a_shell)
{
	int sv[2];
	pid_t pid = start(sv, shell_as_nobody);
	talk(sv, pid);
}

static void cat_with_an_effective_user(void)
{
	CHECK(seteuid(NOBODY) == 0);
	execl("/bin/cat", "cat", NULL);
	_exit(1);
}

CASE(an_effective_user)
{
	int sv[2];
	pid_t pid = start(sv, cat_with_an_effective_user);
	talk(sv, pid);
}

static void cat_in_another_root(void)
{
	CHECK(chroot("/usr") == 0 && chdir("/") == 0);
	execl("/bin/busybox", "busybox", "cat", NULL);
	_exit(1);
}

/* Static, for lack of a C library there. */
CASE(another_root)
{
	int sv[2];
	pid_t pid = start(sv, cat_in_another_root);
	talk(sv, pid);
}

/* Others of the session go on with theirs. */
CASE(the_parent_starts_programs_afterwards)
{
	int sv[2];
	pid_t pid = start(sv, echo_as_nobody);
	talk(sv, pid);
	pair_open(sv, SOCK_CLOEXEC);
	pid = child_start();
	if (pid == 0) {
		CHECK(dup2(sv[1], 0) == 0 && dup2(sv[1], 1) == 1);
		execl("/bin/cat", "cat", NULL);
		_exit(1);
	}
	CHECK(close(sv[1]) == 0);
	talk(sv, pid);
}

CHECK_MAIN
