/* A program that changes its environment: what weir was told when the program
 * started holds, in it and in the programs that it starts. */
#include "check.h"

#include <spawn.h>

extern char **environ;

/* `cat` behind a pair answers; it needs nothing of the environment. */
static void cat_answers(int sv[2], pid_t pid)
{
	CHECK(pid > 0);
	close(sv[1]);
	say(sv[0], "hello");
	hear(sv[0], "hello");
	CHECK(shutdown(sv[0], SHUT_WR) == 0);
	hear_end(sv[0]);
	child_join(pid);
}

static void start_cat(char **env)
{
	int sv[2];
	pair_open(sv, SOCK_CLOEXEC);
	pid_t pid = child_start();
	if (pid == 0) {
		CHECK(dup2(sv[1], 0) == 0 && dup2(sv[1], 1) == 1);
		execve("/bin/cat", (char *[]){"cat", NULL}, env);
		_exit(1);
	}
	cat_answers(sv, pid);
}

static void spawn_cat(char **env)
{
	int sv[2];
	pid_t pid;
	posix_spawn_file_actions_t actions;
	pair_open(sv, SOCK_CLOEXEC);
	CHECK_EQ(posix_spawn_file_actions_init(&actions), 0);
	CHECK_EQ(posix_spawn_file_actions_adddup2(&actions, sv[1], 0), 0);
	CHECK_EQ(posix_spawn_file_actions_adddup2(&actions, sv[1], 1), 0);
	CHECK_EQ(posix_spawn(&pid, "/bin/cat", &actions, NULL, (char *[]){"cat", NULL}, env), 0);
	CHECK_EQ(posix_spawn_file_actions_destroy(&actions), 0);
	cat_answers(sv, pid);
}

CASE(other_values)
{
	CHECK(setenv("WEIR_CAPACITY", "1", 1) == 0);
	CHECK(setenv("WEIR_NO_FOLLOW", "1", 1) == 0);
	CHECK(setenv("WEIR_SESSION", "/no/such/session", 1) == 0);
	CHECK(setenv("LD_PRELOAD", "", 1) == 0);
	start_cat(environ);
	spawn_cat(environ);
}

CASE(no_environment)
{
	CHECK(clearenv() == 0);
	environ = NULL;
	start_cat(NULL);
	spawn_cat((char *[]){NULL});
}

CASE(the_programs_own_array_is_left_as_it_is)
{
	static char one[] = "ONE=1", preload[] = "LD_PRELOAD=", none[] = "WEIR_SESSION=";
	char *env[] = {one, preload, none, NULL};
	start_cat(env);
	CHECK(env[0] == one && env[1] == preload && env[2] == none && !env[3]);
	CHECK(strcmp(preload, "LD_PRELOAD=") == 0 && strcmp(none, "WEIR_SESSION=") == 0);
}

CASE(the_start_of_a_shell_leaves_environ_alone)
{
	CHECK(clearenv() == 0);
	CHECK(setenv("PATH", "/usr/bin:/bin", 1) == 0);
	char **before = environ;
	CHECK_EQ(system("test \"$PATH\" = /usr/bin:/bin"), 0);
	FILE *stream = popen("true", "r");
	CHECK(stream != NULL);
	CHECK_EQ(pclose(stream), 0);
	CHECK(environ == before);
	CHECK(getenv("LD_PRELOAD") == NULL && getenv("WEIR_SESSION") == NULL);
}

CHECK_MAIN
