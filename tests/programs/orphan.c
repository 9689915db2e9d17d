/* The parent of this process is killed: what pairs there are stay, and new ones work.
 *
 *	orphan [ROOM]	fails unless a new pair holds ROOM bytes
 *
 * Under `weir run` the parent is weir itself, natively any launcher.
 */
#include "check.h"
#include <spawn.h>

enum { WAIT_MS_MAX = 10000 };

static void kill_the_parent(void)
{
	pid_t parent = getppid();

	CHECK(kill(parent, SIGKILL) == 0);
	for (int ms = 0; getppid() == parent; ms++) {
		CHECK(ms < WAIT_MS_MAX);
		sleep_ms(1);
	}
}

/* A child that gives back what it hears, to the end. */
static pid_t echo(int sv[2])
{
	pid_t pid = child_start();
	char bytes[64];
	ssize_t n;

	if (pid > 0) {
		CHECK(close(sv[1]) == 0);
		return pid;
	}
	CHECK(close(sv[0]) == 0);
	while ((n = read(sv[1], bytes, sizeof(bytes))) > 0)
		CHECK_EQ(write(sv[1], bytes, (size_t)n), n);
	_exit(n != 0);
}

/* The same by another program. */
static pid_t cat(int sv[2])
{
	char *words[] = {(char[]){"cat"}, NULL};
	posix_spawn_file_actions_t actions;
	extern char **environ;
	pid_t pid;

	CHECK_EQ(posix_spawn_file_actions_init(&actions), 0);
	CHECK_EQ(posix_spawn_file_actions_adddup2(&actions, sv[1], 0), 0);
	CHECK_EQ(posix_spawn_file_actions_adddup2(&actions, sv[1], 1), 0);
	CHECK_EQ(posix_spawn_file_actions_addclose(&actions, sv[0]), 0);
	CHECK_EQ(posix_spawn_file_actions_addclose(&actions, sv[1]), 0);
	CHECK_EQ(posix_spawnp(&pid, "cat", &actions, NULL, words, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	CHECK(close(sv[1]) == 0);
	return pid;
}

static void talk_and_end(int fd, pid_t pid)
{
	for (int i = 0; i < 100; i++) {
		say(fd, "there and back");
		hear(fd, "there and back");
	}
	CHECK(shutdown(fd, SHUT_WR) == 0);
	hear_end(fd);
	CHECK(close(fd) == 0);
	child_join(pid);
}

static void use_a_new_pair(size_t room)
{
	int sv[2];

	pair_open(sv, 0);
	size_t n = fill(sv[0]);
	CHECK(room == 0 || n == room);
	drain(sv[1], n, 0);
	CHECK(close(sv[0]) == 0);
	hear_end(sv[1]);
	CHECK(close(sv[1]) == 0);
}

int main(int argc, char **argv)
{
	static struct check_report report;
	int old[2], talks[2], later[2], spawned[2];

	check_report = &report;
	alarm(CHECK_SECONDS_MAX);
	pair_open(old, 0);
	pair_open(talks, 0);
	pair_open(spawned, SOCK_CLOEXEC);
	say(old[0], "on the way");
	pid_t child = echo(talks);
	kill_the_parent();
	hear(old[1], "on the way");
	say(old[1], "back");
	hear(old[0], "back");
	talk_and_end(talks[0], child);
	use_a_new_pair(argc > 1 ? (size_t)atol(argv[1]) : 0);
	pair_open(later, 0);
	talk_and_end(later[0], echo(later));
	talk_and_end(spawned[0], cat(spawned));
	CHECK(report.text[0] == '\0');
	puts("goes on");
	return 0;
}
