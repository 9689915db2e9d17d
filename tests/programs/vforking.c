/* A child that shares its parent's memory until it execs: whatever it does to its
 * own descriptors is none of its parent's business. */
#include "check.h"

#include <spawn.h>

static void both_ends_work(int sv[2])
{
	say(sv[0], "forth");
	hear(sv[1], "forth");
	say(sv[1], "and back");
	hear(sv[0], "and back");
}

CASE(it_closes_both_ends)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = vfork();
	if (pid == 0) {
		close(sv[0]);
		close(sv[1]);
		_exit(0);
	}
	child_join(pid);
	both_ends_work(sv);
}

CASE(it_closes_everything)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = vfork();
	if (pid == 0) {
		close_range(3, ~0U, 0);
		_exit(0);
	}
	child_join(pid);
	both_ends_work(sv);
}

CASE(it_puts_others_in_their_place)
{
	int sv[2], other[2];
	pair_open(sv, 0);
	CHECK(pipe(other) == 0);
	pid_t pid = vfork();
	if (pid == 0) {
		dup2(other[0], sv[0]);
		dup2(other[1], sv[1]);
		dup2(sv[1], 100);
		_exit(0);
	}
	child_join(pid);
	both_ends_work(sv);
	say(other[1], "a pipe");
	hear(other[0], "a pipe");
}

CASE(it_execs_with_an_end_in_the_place_of_another)
{
	int sv[2], other[2];
	pair_open(sv, SOCK_CLOEXEC);
	pair_open(other, SOCK_CLOEXEC);
	say(sv[0], "for the child");
	pid_t pid = vfork();
	if (pid == 0) {
		dup2(sv[1], 0);
		dup2(sv[1], 1);
		dup2(sv[1], other[0]);
		close(sv[0]);
		execlp("head", "head", "-c", "13", NULL);
		_exit(127);
	}
	child_join(pid);
	hear(sv[0], "for the child");
	both_ends_work(sv);
	both_ends_work(other);
	CHECK(fcntl(0, F_GETFD) >= 0);
}

CASE(it_fails_to_exec)
{
	int sv[2];
	pair_open(sv, SOCK_CLOEXEC);
	pid_t pid = vfork();
	if (pid == 0) {
		dup2(sv[1], 0);
		execl("/no/such/program", "x", NULL);
		_exit(127);
	}
	CHECK_EQ(WEXITSTATUS(child_status(pid)), 127);
	both_ends_work(sv);
}

CASE(the_file_actions_of_a_spawn)
{
	int sv[2], other[2];
	pid_t pid;
	posix_spawn_file_actions_t actions;
	pair_open(sv, SOCK_CLOEXEC);
	pair_open(other, 0);
	CHECK_EQ(posix_spawn_file_actions_init(&actions), 0);
	CHECK_EQ(posix_spawn_file_actions_adddup2(&actions, sv[1], 0), 0);
	CHECK_EQ(posix_spawn_file_actions_adddup2(&actions, sv[1], 1), 0);
	CHECK_EQ(posix_spawn_file_actions_adddup2(&actions, sv[1], other[0]), 0);
	CHECK_EQ(posix_spawn_file_actions_addclose(&actions, other[1]), 0);
	say(sv[0], "for the child");
	CHECK_EQ(posix_spawnp(&pid, "head", &actions, NULL,
	                      (char *[]){"head", "-c", "13", NULL}, environ), 0);
	child_join(pid);
	hear(sv[0], "for the child");
	both_ends_work(sv);
	both_ends_work(other);
}

CASE(again_and_again)
{
	int sv[2];
	pair_open(sv, SOCK_CLOEXEC);
	for (int i = 0; i < 100; i++) {
		pid_t pid = vfork();
		if (pid == 0) {
			dup2(sv[1], 9);
			close(sv[1]);
			_exit(0);
		}
		child_join(pid);
		both_ends_work(sv);
	}
	CHECK_FAILS(fcntl(9, F_GETFD), EBADF);
}

CHECK_MAIN
