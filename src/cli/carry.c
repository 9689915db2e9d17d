/* weir carry: the step between a program whose pairs weir carries and one that
 * weir cannot reach. libweir.so starts it, in the place of that program:
 *
 *	weir carry - PATH COUNT ARG... ENTRY...
 *	weir carry DESCRIPTOR - COUNT ARG... ENTRY...
 *
 * The program is the file PATH, or the open file DESCRIPTOR, which closes with
 * the exec. COUNT arguments come first, the rest is its environment.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/message.h"
#include "base/os.h"
#include "base/parse.h"
#include "carry/carry.h"
#include "cli/commands.h"
#include "cli/status.h"

static int carry(void)
{
	struct weir_session session;
	const char *path = getenv("WEIR_SESSION");
	int error = path ? weir_session_attach(&session, path) : -ENOENT;

	return error ? error : weir_carry(&session, WEIR_CARRY_SURVIVORS, NULL);
}

/* Raw calls: the hooks would find a program that they cannot reach. */
static int become(int fd, const char *path, char **argv, char **env)
{
	if (fd < 0)
		return (int)os_call(SYS_execve, (long)path, (long)argv, (long)env, 0, 0, 0);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return (int)os_call(SYS_execveat, fd, (long)"", (long)argv, (long)env, AT_EMPTY_PATH, 0);
}

/* Makes room for the null pointer behind the arguments, where their count was. */
static char **arguments(char **words, uint64_t count)
{
	memmove(words, words + 1, count * sizeof(*words));
	words[count] = NULL;
	return words;
}

int weir_command_carry(int argc, char **argv)
{
	uint64_t fd, count;
	int error;

	if (argc < 4 || !weir_parse_unsigned(argv[3], (uint64_t)argc - 4, &count)) {
		weir_say("carry is not for people");
		return WEIR_EXIT_FAILED;
	}
	error = carry();
	if (error) {
		weir_say("carry: %s", strerror(-error));
		return WEIR_EXIT_FAILED;
	}
	bool by_path = !weir_parse_unsigned(argv[1], INT32_MAX, &fd);
	error = become(by_path ? -1 : (int)fd, argv[2], arguments(argv + 3, count), argv + 4 + count);
	weir_say("%.200s: %s", by_path ? argv[2] : argv[1], strerror(-error));
	return error == -ENOENT ? WEIR_EXIT_NOT_FOUND : WEIR_EXIT_CANNOT_RUN;
}
