/* Starts a program with long lists of words and variables, none of them weir's, on the
 * smallest stack that a thread may have.
 *
 *	lists exec|spawn COUNT [PROGRAM]
 *
 * An end of a pair goes along. PROGRAM is one that weir cannot reach; else it is /bin/true.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COUNT_MAX = 4000 };

static char *words[COUNT_MAX + 2], *variables[COUNT_MAX + 1];
static const char *program = "/bin/true";
static int spawns;

static void *start(void *argument)
{
	pid_t pid = -1;
	int status = -1;

	if (spawns) {
		if (posix_spawn(&pid, program, NULL, NULL, words, variables) != 0)
			return argument;
	} else if ((pid = fork()) == 0) {
		execve(program, words, variables);
		_exit(1);
	}
	if (waitpid(pid, &status, 0) == pid)
		printf("status %d\n", status);
	return NULL;
}

int main(int argc, char **argv)
{
	int count = argc > 2 ? atoi(argv[2]) : 0, sv[2];
	pthread_attr_t attr;
	pthread_t thread;

	if (count > COUNT_MAX || socketpair(AF_UNIX, SOCK_STREAM, 0, sv) != 0)
		return 1;
	spawns = strcmp(argv[1], "spawn") == 0;
	if (argc > 3)
		program = argv[3];
	words[0] = argv[0];
	for (int i = 0; i < count; i++) {
		words[i + 1] = argv[0];
		if (asprintf(&variables[i], "NAME_%d=value", i) < 0)
			return 1;
	}
	pthread_attr_init(&attr);
	if (pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN) != 0 ||
	    pthread_create(&thread, &attr, start, NULL) != 0)
		return 1;
	pthread_join(thread, NULL);
	return 0;
}
