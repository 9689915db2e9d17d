/* Uses pairs while its surroundings change.
 *
 *	surroundings ACTION...
 *
 * Each action is done in turn and prints `ACTION ok`; the first that goes wrong says what
 * and ends the program with status 1.
 *
 *	exchange              a pair of its own, bytes both ways, readiness, the end
 *	open, kept            a pair with bytes under way, and what became of it
 *	child                 the same with a child by fork
 *	exec, spawn, high     the same with this program in a child; `high`: on descriptor 3000
 *	by WORD... ;          the same with a command that starts `surroundings serve`
 *	limit NAME VALUE      setrlimit, soft and hard
 *	limits                what getrlimit and prlimit tell of the address space
 *	allocate BYTES        so much memory can be had
 *	miss BYTES            so much cannot
 *	root FOLDER           chroot
 *	remove FILE           unlink
 *	user NUMBER           another user and group
 *	inner                 what follows happens in a child in a PID namespace of its own
 *	namesakes             two writers of one end that have the same process number, one of
 *	                      them in a PID namespace of its own
 *	third                 both ends wait, in two PID namespaces, for a third process
 *	other-user            both ends wait, as two users, for a third process
 *	squeeze               a process in a PID namespace of its own wants more pairs than there
 *	                      are places for
 *	crowded               the same with this program, by a user who may start no process
 *	names                 the descriptors that a pair gets, and how many are open after it
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	PIECE = 1000,
	PIECES = 100,
	SECONDS_MAX = 20,
	RECORDS = 20000,
	MANY = 10,
	CROWDED = 54321,
	THIRD_LATE_US = 500000
};

extern char **environ;
static char *program;
static const char *action;
static int kept[2] = {-1, -1};

static _Noreturn void fail(const char *what)
{
	printf("%s FAILED: %s (%s)\n", action, what, strerrorname_np(errno));
	exit(1);
}

static void need(bool good, const char *what)
{
	if (!good)
		fail(what);
}

/* ---- bytes ---- */

static unsigned char byte_at(size_t at)
{
	return (unsigned char)(at * 7 + at / 251);
}

static void put(int fd, size_t from, size_t n)
{
	unsigned char bytes[PIECE];

	for (size_t i = 0; i < n; i++)
		bytes[i] = byte_at(from + i);
	for (size_t done = 0; done < n;) {
		ssize_t r = write(fd, bytes + done, n - done);
		need(r > 0, "a write");
		done += (size_t)r;
	}
}

static void get(int fd, size_t from, size_t n)
{
	unsigned char bytes[PIECE];

	for (size_t done = 0; done < n;) {
		ssize_t r = read(fd, bytes, n - done);
		need(r > 0, "a read");
		for (ssize_t i = 0; i < r; i++)
			need(bytes[i] == byte_at(from + done + (size_t)i), "the bytes");
		done += (size_t)r;
	}
}

static short ready(int fd, int wait_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};

	need(poll(&p, 1, wait_ms) >= 0, "poll");
	return p.revents;
}

static void open_pair(int sv[2])
{
	need(socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == 0, "socketpair");
}

static void see_end(int fd)
{
	unsigned char byte;

	need(read(fd, &byte, 1) == 0, "the end");
	close(fd);
}

static void exchange(void)
{
	int sv[2];

	open_pair(sv);
	need(ready(sv[1], 0) == POLLOUT, "an empty pair");
	for (size_t at = 0; at < PIECE * PIECES; at += PIECE) {
		put(sv[0], at, PIECE);
		put(sv[1], at + 1, PIECE);
		need(ready(sv[1], 0) == (POLLIN | POLLOUT), "a pair with bytes");
		get(sv[1], at, PIECE);
		get(sv[0], at + 1, PIECE);
	}
	need(ready(sv[1], 0) == POLLOUT, "a drained pair");
	put(sv[0], 0, 10);
	close(sv[0]);
	get(sv[1], 0, 10);
	see_end(sv[1]);
}

static void open_kept(void)
{
	open_pair(kept);
	put(kept[0], 5, PIECE);
	put(kept[1], 6, PIECE);
}

static void use_kept(void)
{
	get(kept[1], 5, PIECE);
	get(kept[0], 6, PIECE);
	for (size_t at = 0; at < PIECE * PIECES; at += PIECE) {
		put(kept[0], at, PIECE);
		get(kept[1], at, PIECE);
	}
	close(kept[0]);
	see_end(kept[1]);
}

/* ---- another process ---- */

static int serve(int fd)
{
	unsigned char bytes[333];
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		for (ssize_t done = 0, r; done < n; done += r)
			if ((r = write(fd, bytes + done, (size_t)(n - done))) <= 0)
				return 3;
	return n == 0 ? 0 : 4;
}

/* Some bytes are under way when the other process starts. */
static void talk(int fd)
{
	for (size_t at = PIECE; at < PIECE * PIECES; at += PIECE) {
		put(fd, at, PIECE);
		get(fd, at - PIECE, PIECE);
	}
	need(shutdown(fd, SHUT_WR) == 0, "shutdown");
	get(fd, PIECE * (PIECES - 1), PIECE);
	see_end(fd);
}

static void await(pid_t pid)
{
	int status;

	need(waitpid(pid, &status, 0) == pid, "waitpid");
	need(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the other process");
}

/* Runs `command` with one end as its descriptor `number`. */
static void talk_to(char **command, int number)
{
	int sv[2];

	open_pair(sv);
	put(sv[0], 0, PIECE);
	pid_t pid = fork();
	need(pid >= 0, "fork");
	if (pid == 0) {
		if (dup2(sv[1], number) < 0)
			_exit(5);
		close(sv[0]);
		if (sv[1] != number)
			close(sv[1]);
		execvp(command[0], command);
		printf("%s: %s\n", command[0], strerrorname_np(errno));
		fflush(stdout);
		_exit(6);
	}
	close(sv[1]);
	talk(sv[0]);
	await(pid);
}

/* Prints what the exec gives; natively it succeeds. */
static void exec_crowded(void)
{
	struct rlimit none = {1, 1};
	char *command[] = {program, "serve", "0", NULL};
	int sv[2];

	signal(SIGPIPE, SIG_IGN);
	open_pair(sv);
	put(sv[0], 0, PIECE);
	pid_t pid = fork();
	need(pid >= 0, "fork");
	if (pid == 0) {
		close(sv[0]);
		need(dup2(sv[1], 0) == 0 && close(sv[1]) == 0, "dup2");
		need(setgroups(0, NULL) == 0 && setresuid(CROWDED, CROWDED, CROWDED) == 0,
		     "a user");
		need(setrlimit(RLIMIT_NPROC, &none) == 0, "a limit");
		execv(program, command);
		printf("exec: %s\n", strerrorname_np(errno));
		fflush(stdout);
		_exit(6);
	}
	close(sv[1]);
	talk(sv[0]);
	await(pid);
}

static void talk_to_child(void)
{
	int sv[2];

	open_pair(sv);
	put(sv[0], 0, PIECE);
	pid_t pid = fork();
	need(pid >= 0, "fork");
	if (pid == 0) {
		close(sv[0]);
		_exit(serve(sv[1]));
	}
	close(sv[1]);
	talk(sv[0]);
	await(pid);
}

static void talk_to_spawned(void)
{
	char *command[] = {program, "serve", "0", NULL};
	posix_spawn_file_actions_t actions;
	int sv[2];
	pid_t pid;

	open_pair(sv);
	put(sv[0], 0, PIECE);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, sv[1], 0);
	posix_spawn_file_actions_addclose(&actions, sv[0]);
	posix_spawn_file_actions_addclose(&actions, sv[1]);
	errno = posix_spawn(&pid, program, &actions, NULL, command, environ);
	need(errno == 0, "posix_spawn");
	posix_spawn_file_actions_destroy(&actions);
	close(sv[1]);
	talk(sv[0]);
	await(pid);
}

static void talk_to_self(const char *number)
{
	char *command[] = {program, "serve", (char *)number, NULL};

	talk_to(command, atoi(number));
}

/* ---- the surroundings ---- */

static void become(const char *number)
{
	unsigned int id = (unsigned int)atoi(number);

	need(setgroups(0, NULL) == 0 && setresgid(id, id, id) == 0 && setresuid(id, id, id) == 0,
	     number);
}

static void limit(const char *name, const char *value)
{
	static const struct {
		const char *name;
		int number;
	} all[] = {{"as", RLIMIT_AS},
	           {"files", RLIMIT_NOFILE},
	           {"file-size", RLIMIT_FSIZE},
	           {"data", RLIMIT_DATA},
	           {"processes", RLIMIT_NPROC}};
	struct rlimit l;

	l.rlim_cur = l.rlim_max = strtoull(value, NULL, 0);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i].name, name) == 0) {
			need(setrlimit(all[i].number, &l) == 0, name);
			return;
		}
	fail("a limit of that name");
}

static void tell_limits(void)
{
	struct rlimit a, b;

	need(getrlimit(RLIMIT_AS, &a) == 0 && prlimit(getpid(), RLIMIT_AS, NULL, &b) == 0,
	     "asking");
	printf("limits %lld %lld %lld %lld\n", (long long)a.rlim_cur, (long long)a.rlim_max,
	       (long long)b.rlim_cur, (long long)b.rlim_max);
}

static void allocate(const char *bytes, bool can)
{
	void *memory = malloc(strtoull(bytes, NULL, 0));

	need((memory != NULL) == can, bytes);
	free(memory);
}

/* The parent has nothing left to do but to hand the outcome on. */
static void enter_inner(void)
{
	int status;

	need(unshare(CLONE_NEWPID) == 0, "unshare");
	fflush(stdout);
	pid_t pid = fork();
	need(pid >= 0, "fork");
	if (pid == 0) {
		alarm(SECONDS_MAX);
		return;
	}
	close(kept[0]);
	close(kept[1]);
	need(waitpid(pid, &status, 0) == pid, "waitpid");
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
}

/* Starts `act` in a child in a PID namespace of its own, as its process `number`, or as
 * whichever it becomes. */
static pid_t start_inner(int number, void (*act)(int fd), int fd, int other)
{
	pid_t outer = fork();

	need(outer >= 0, "fork");
	if (outer > 0)
		return outer;
	close(other);
	need(unshare(CLONE_NEWPID | CLONE_NEWNS) == 0, "unshare");
	pid_t first = fork();
	need(first >= 0, "fork");
	if (first == 0) {
		need(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		             mount("proc", "/proc", "proc", 0, NULL) == 0,
		     "mount");
		if (number > 0) {
			int last = open("/proc/sys/kernel/ns_last_pid", O_WRONLY);
			need(dprintf(last, "%d", number - 1) > 0, "ns_last_pid");
			close(last);
			pid_t namesake = fork();
			need(namesake >= 0, "fork");
			if (namesake > 0) {
				close(fd);
				await(namesake);
				_exit(0);
			}
			need(getpid() == number, "the number");
		}
		act(fd);
		_exit(0);
	}
	close(fd);
	await(first);
	_exit(0);
}

struct record {
	unsigned int writer;
	unsigned int number;
	unsigned char fill[56];
};

static void write_records(int fd, unsigned int writer)
{
	struct record r = {.writer = writer};

	memset(r.fill, (int)('a' + writer), sizeof(r.fill));
	for (; r.number < RECORDS; r.number++)
		need(write(fd, &r, sizeof(r)) == sizeof(r), "a record's write");
}

static void write_as_namesake(int fd)
{
	write_records(fd, 1);
}

static void read_records(int fd)
{
	unsigned int next[2] = {0, 0};
	struct record r;

	for (int i = 0; i < 2 * RECORDS; i++) {
		need(recv(fd, &r, sizeof(r), MSG_WAITALL) == sizeof(r), "a record");
		need(r.writer < 2 && r.number == next[r.writer]++, "a record's number");
		for (size_t k = 0; k < sizeof(r.fill); k++)
			need(r.fill[k] == 'a' + r.writer, "a record's bytes");
	}
	see_end(fd);
	_exit(0);
}

static void write_with_namesake(void)
{
	int sv[2];

	open_pair(sv);
	pid_t reader = fork();
	need(reader >= 0, "fork");
	if (reader == 0) {
		close(sv[0]);
		read_records(sv[1]);
	}
	pid_t namesake = start_inner(getpid(), write_as_namesake, sv[0], sv[1]);
	close(sv[1]);
	write_records(sv[0], 0);
	close(sv[0]);
	await(namesake);
	await(reader);
}

/* Without a handler, which could end the wait. */
static void answer(int fd)
{
	signal(SIGALRM, SIG_DFL);
	get(fd, 0, 10);
	put(fd, 3, 10);
}

static pid_t start_other_user(int fd, int other)
{
	pid_t pid = fork();

	need(pid >= 0, "fork");
	if (pid > 0)
		return pid;
	close(other);
	become("65534");
	need(prctl(PR_SET_DUMPABLE, 1) == 0, "PR_SET_DUMPABLE");
	answer(fd);
	_exit(0);
}

static void wait_for_third(bool inner)
{
	int sv[2];

	open_pair(sv);
	pid_t third = fork();
	need(third >= 0, "fork");
	if (third == 0) {
		close(sv[1]);
		usleep(THIRD_LATE_US);
		put(sv[0], 0, 10);
		_exit(0);
	}
	pid_t second =
	        inner ? start_inner(0, answer, sv[1], sv[0]) : start_other_user(sv[1], sv[0]);
	close(sv[1]);
	signal(SIGALRM, SIG_DFL);
	get(sv[0], 3, 10);
	await(third);
	await(second);
	close(sv[0]);
}

static void want_many(int fd)
{
	int sv[2];

	get(fd, 0, 1);
	for (int i = 0; i < MANY; i++)
		open_pair(sv);
	exchange();
	put(fd, 1, 1);
}

static void be_squeezed(void)
{
	int sv[2];

	open_pair(sv);
	pid_t inner = start_inner(0, want_many, sv[1], sv[0]);
	close(sv[1]);
	open_kept();
	put(sv[0], 0, 1);
	get(sv[0], 1, 1);
	close(sv[0]);
	use_kept();
	await(inner);
}

static int count_open(void)
{
	int count = 0;

	for (int fd = 0; fd < 4096; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void tell_names(void)
{
	int sv[2], before = count_open();

	open_pair(sv);
	put(sv[0], 0, 10);
	get(sv[1], 0, 10);
	int next = dup(0);
	printf("descriptors %d %d %d, %d more\n", sv[0], sv[1], next, count_open() - before);
	close(next);
	close(sv[0]);
	close(sv[1]);
}

static char **run_by(char **words)
{
	char **end = words;

	while (*end && strcmp(*end, ";") != 0)
		end++;
	need(*end != NULL, "the end of the command");
	*end = NULL;
	talk_to(words, 0);
	return end + 1;
}

/* Gives what is left of the words. */
static char **act(char **words)
{
	action = *words++;
	if (strcmp(action, "exchange") == 0)
		exchange();
	else if (strcmp(action, "open") == 0)
		open_kept();
	else if (strcmp(action, "kept") == 0)
		use_kept();
	else if (strcmp(action, "child") == 0)
		talk_to_child();
	else if (strcmp(action, "exec") == 0)
		talk_to_self("0");
	else if (strcmp(action, "high") == 0)
		talk_to_self("3000");
	else if (strcmp(action, "spawn") == 0)
		talk_to_spawned();
	else if (strcmp(action, "inner") == 0)
		enter_inner();
	else if (strcmp(action, "namesakes") == 0)
		write_with_namesake();
	else if (strcmp(action, "third") == 0)
		wait_for_third(true);
	else if (strcmp(action, "other-user") == 0)
		wait_for_third(false);
	else if (strcmp(action, "crowded") == 0)
		exec_crowded();
	else if (strcmp(action, "squeeze") == 0)
		be_squeezed();
	else if (strcmp(action, "names") == 0)
		tell_names();
	else if (strcmp(action, "by") == 0)
		words = run_by(words);
	else if (strcmp(action, "limits") == 0)
		tell_limits();
	else if (!*words)
		fail("an action of that name");
	else if (strcmp(action, "root") == 0)
		need(chroot(*words++) == 0 && chdir("/") == 0, "chroot");
	else if (strcmp(action, "allocate") == 0)
		allocate(*words++, true);
	else if (strcmp(action, "miss") == 0)
		allocate(*words++, false);
	else if (strcmp(action, "remove") == 0)
		need(unlink(*words++) == 0, "unlink");
	else if (strcmp(action, "user") == 0)
		become(*words++);
	else if (strcmp(action, "limit") == 0 && words[1])
		limit(words[0], words[1]), words += 2;
	else
		fail("an action of that name");
	printf("%s ok\n", action);
	fflush(stdout);
	return words;
}

/* The first process of a PID namespace has no default action. */
static void too_late(int signal)
{
	_exit(128 + signal);
}

int main(int argc, char **argv)
{
	program = argv[0];
	signal(SIGALRM, too_late);
	action = "start";
	alarm(SECONDS_MAX);
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve(atoi(argv[2]));
	signal(SIGPIPE, SIG_DFL);
	for (char **words = argv + 1; *words;)
		words = act(words);
	return 0;
}
