/* Runs a command with one end of a socketpair as its standard input and output.
 *
 *	duplex WAY COMMAND [ARG...]
 *
 * What comes in on standard input goes to the command, what the command says comes
 * out on standard output; ends with the command's status. WAY is how it is
 * started: popen reads what it says through popen's pipe, popen-w writes to it what
 * comes in. `WAY@` leaves the environment empty but for PATH; `WAY+` writes the
 * input before the start, as far as it fits; `WAY=2` makes 2 the pair's, too.
 */
#include "check.h"

#include <spawn.h>

enum { INPUT_MAX = 1 << 22 };

static char input[INPUT_MAX];
static size_t input_size;
static size_t input_done;
static bool bare;
static bool with_errors;

static void read_input(void)
{
	ssize_t n;

	while ((n = read(STDIN_FILENO, input + input_size, INPUT_MAX - input_size)) > 0)
		input_size += (size_t)n;
}

static void give(int fd)
{
	ssize_t n = send(fd, input + input_done, input_size - input_done,
	                 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n > 0)
		input_done += (size_t)n;
	if (n < 0 && errno != EAGAIN)
		input_done = input_size;
}

static void copy(int to, const char *bytes, ssize_t n)
{
	for (ssize_t done = 0; done < n;) {
		ssize_t k = write(to, bytes + done, (size_t)(n - done));
		if (k < 0)
			exit(125);
		done += k;
	}
}

static char **environment(void)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	static char *few[] = {path, NULL};

	return bare ? few : environ;
}

static const char *found(const char *name)
{
	static char path[4096];
	static const char *const folder[] = {"/usr/bin", "/bin", "/usr/sbin"};

	if (strchr(name, '/'))
		return name;
	for (size_t i = 0; i < sizeof(folder) / sizeof(folder[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder[i], name);
		if (access(path, X_OK) == 0)
			break;
	}
	return path;
}

static const char *joined(char **argv)
{
	static char line[8192];
	size_t used = 0;

	for (; *argv; argv++)
		used += (size_t)snprintf(line + used, sizeof(line) - used, "'%s' ", *argv);
	return line;
}

/* One side of the command is the pair, the other popen's pipe: bytes are copied
 * between that and the pair. */
static int piped(const char *line, const char *mode)
{
	char buffer[4096];
	FILE *stream = popen(line, mode);
	bool reads = mode[0] == 'r';
	ssize_t n;

	if (!stream)
		return 126;
	int from = reads ? fileno(stream) : STDIN_FILENO;
	int to = reads ? STDOUT_FILENO : fileno(stream);
	while ((n = read(from, buffer, sizeof(buffer))) > 0)
		copy(to, buffer, n);
	return WEXITSTATUS(pclose(stream));
}

/* At most two arguments behind the name, where they are a list. */
static void become_list(const char *way, const char *path, char **a)
{
	if (strcmp(way, "execl") == 0)
		execl(path, a[0], a[1], a[1] ? a[2] : NULL, NULL);
	else if (strcmp(way, "execlp") == 0)
		execlp(a[0], a[0], a[1], a[1] ? a[2] : NULL, NULL);
	else if (!a[1])
		execle(path, a[0], NULL, environment());
	else if (!a[2])
		execle(path, a[0], a[1], NULL, environment());
	else
		execle(path, a[0], a[1], a[2], NULL, environment());
}

static void become(const char *way, char **argv)
{
	const char *path = found(argv[0]);
	int flags = strstr(way, "cloexec") ? O_CLOEXEC : 0;

	if (bare)
		environ = environment();
	if (strcmp(way, "execve") == 0)
		execve(path, argv, environment());
	else if (strcmp(way, "execv") == 0)
		execv(path, argv);
	else if (strcmp(way, "execvp") == 0 || strcmp(way, "vfork") == 0)
		execvp(argv[0], argv);
	else if (strcmp(way, "execvpe") == 0)
		execvpe(argv[0], argv, environment());
	else if (strncmp(way, "execl", 5) == 0)
		become_list(way, path, argv);
	else if (strncmp(way, "fexecve", 7) == 0)
		fexecve(open(path, O_RDONLY | flags), argv, environment());
	else if (strcmp(way, "execveat-path") == 0)
		execveat(AT_FDCWD, path, argv, environment(), 0);
	else if (strncmp(way, "execveat-folder", 15) == 0)
		execveat(open("/", O_PATH | flags), path + 1, argv, environment(), 0);
	else if (strncmp(way, "execveat", 8) == 0)
		execveat(open(path, O_PATH | flags), "", argv, environment(), AT_EMPTY_PATH);
	else if (strcmp(way, "syscall") == 0)
		syscall(SYS_execve, path, argv, environment());
	else if (strcmp(way, "syscall-at") == 0)
		syscall(SYS_execveat, open(path, O_PATH), "", argv, environment(), AT_EMPTY_PATH);
	else if (strcmp(way, "system") == 0)
		_exit(WEXITSTATUS(system(joined(argv))));
	else if (strcmp(way, "popen") == 0)
		_exit(piped(joined(argv), "r"));
	else if (strcmp(way, "popen-w") == 0)
		_exit(piped(joined(argv), "w"));
	fprintf(stderr, "%s %s: %s\n", way, argv[0], strerrorname_np(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static pid_t spawn(const char *way, int fd, char **argv)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	if (with_errors)
		posix_spawn_file_actions_adddup2(&actions, fd, STDERR_FILENO);
	int error = strcmp(way, "posix_spawnp") == 0
		? posix_spawnp(&pid, argv[0], &actions, NULL, argv, environment())
		: posix_spawn(&pid, found(argv[0]), &actions, NULL, argv, environment());
	posix_spawn_file_actions_destroy(&actions);
	if (error == 0)
		return pid;
	fprintf(stderr, "%s %s: %s\n", way, argv[0], strerrorname_np(error));
	exit(error == ENOENT ? 127 : 126);
}

static pid_t start(const char *way, int fd, char **argv)
{
	if (strncmp(way, "posix_spawn", 11) == 0)
		return spawn(way, fd, argv);
	fflush(NULL);
	pid_t pid = strcmp(way, "vfork") == 0 ? vfork() : fork();
	if (pid == 0) {
		dup2(fd, STDIN_FILENO);
		dup2(fd, STDOUT_FILENO);
		if (with_errors)
			dup2(fd, STDERR_FILENO);
		become(way, argv);
	}
	return pid;
}

static void converse(int fd)
{
	char buffer[65536];
	bool ended = false;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (input_done < input_size)
			p.events |= POLLOUT;
		else if (!ended)
			ended = shutdown(fd, SHUT_WR) == 0 || true;
		if (poll(&p, 1, -1) < 0)
			exit(125);
		if (p.revents & POLLOUT)
			give(fd);
		if (!(p.revents & ~POLLOUT))
			continue;
		ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return;
		copy(STDOUT_FILENO, buffer, n);
	}
}

int main(int argc, char **argv)
{
	char way[64] = "";
	int sv[2], status;

	if (argc < 3)
		return 125;
	sscanf(argv[1], "%63[a-z_-]", way);
	bare = strchr(argv[1], '@') != NULL;
	with_errors = strstr(argv[1], "=2") != NULL;
	read_input();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) != 0)
		return 125;
	if (strchr(argv[1], '+'))
		give(sv[0]);
	pid_t pid = start(way, sv[1], argv + 2);
	close(sv[1]);
	converse(sv[0]);
	while (waitpid(pid, &status, 0) != pid)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
