/* A new program in this process or in a child: it finds its ends by identity,
 * and weir by its environment, also where the program cleaned that. */
#include <alloca.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/message.h"
#include "base/os.h"
#include "base/search.h"
#include "carry/carry.h"
#include "hooks/hooks.h"

extern char **environ;

static bool is_variable(const char *entry, const char *assignment)
{
	size_t name = strcspn(assignment, "=") + 1;

	return strncmp(entry, assignment, name) == 0;
}

/* With this very value, and no other beside it. */
static bool present(char *const *env, const char *assignment)
{
	bool there = false;

	for (; env && *env; env++) {
		if (!is_variable(*env, assignment))
			continue;
		if (there || strcmp(*env, assignment) != 0)
			return false;
		there = true;
	}
	return there;
}

/* Ours is in it already, or comes before what the program wants preloaded. */
static bool preloads_us(const char *entry, const char *ours)
{
	return strstr(entry, strchr(ours, '=') + 1) != NULL;
}

/* How a program's environment must be changed so that weir is in its child; or,
 * for another C library, so that its loader does not fail on ours. */
struct passing {
	const char *session; /* "WEIR_SESSION=...", or NULL where it is there */
	const char *preload; /* "LD_PRELOAD=...", or NULL where it is there */
	const char *other; /* the program's own LD_PRELOAD, to be put behind ours */
	const char *stripped; /* the program's own LD_PRELOAD, to lose ours */
	size_t count; /* entries of the program's environment */
};

static size_t count(char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

static struct passing passing_without(char *const *env)
{
	struct passing p = {.count = count(env)};

	for (size_t i = 0; i < p.count; i++)
		if (strncmp(env[i], "LD_PRELOAD=", 11) == 0)
			p.stripped = env[i];
	return p;
}

static struct passing passing_for(char *const *env, enum weir_reach reach)
{
	struct passing p = {.session = weir_env_session(), .preload = weir_env_preload()};

	if (reach == WEIR_REACH_OTHER_LIBC)
		return passing_without(env);
	if (weir_is_filtered() || !weir_follows() || !p.session || !p.preload)
		return (struct passing){.session = NULL};
	p.count = count(env);
	for (size_t i = 0; i < p.count && p.preload; i++) {
		if (!is_variable(env[i], p.preload))
			continue;
		if (preloads_us(env[i], p.preload))
			p.preload = NULL;
		else
			p.other = env[i];
	}
	if (present(env, p.session))
		p.session = NULL;
	return p;
}

static bool nothing_to_do(const struct passing *p)
{
	return !p->session && !p->preload && !p->stripped;
}

static size_t joined_size(const struct passing *p)
{
	if (p->stripped)
		return strlen(p->stripped);
	return p->other && p->preload ? strlen(p->preload) + strlen(p->other) + 2 : 0;
}

static const char *join(const struct passing *p, char *joined)
{
	if (!p->other)
		return p->preload;
	char *end = stpcpy(joined, p->preload);
	*end++ = ':';
	strcpy(end, strchr(p->other, '=') + 1);
	return joined;
}

/* The list without our own library; what separates the rest is a colon then. */
static const char *strip(const char *list, char *into)
{
	const char *ours = weir_library_name();
	char *end = stpcpy(into, "LD_PRELOAD=");

	for (list += strlen(into); *list; list += strspn(list, " :")) {
		size_t len = strcspn(list, " :");
		if (!ours || strlen(ours) != len || memcmp(list, ours, len) != 0) {
			if (end[-1] != '=')
				*end++ = ':';
			end = mempcpy(end, list, len);
		}
		list += len;
	}
	*end = '\0';
	return into;
}

/* Another session's name would keep the program out of this one. */
static bool is_replaced(const struct passing *p, const char *entry)
{
	return (p->preload && entry == p->other) || (p->session && is_variable(entry, p->session));
}

static void complete(const struct passing *p, char *const *env, char **into, char *joined)
{
	size_t n = 0;

	if (p->preload)
		into[n++] = (char *)(uintptr_t)join(p, joined);
	if (p->session)
		into[n++] = (char *)(uintptr_t)p->session;
	for (size_t i = 0; i < p->count; i++) {
		if (env[i] == p->stripped)
			into[n++] = (char *)(uintptr_t)strip(env[i], joined);
		else if (!is_replaced(p, env[i]))
			into[n++] = env[i];
	}
	into[n] = NULL;
}

/* Lists of any length, which must neither come from the program's allocator nor change what
 * it sees if the exec fails: short ones lie on the caller's stack, and long ones, for which a
 * thread's stack may be too small, in memory that goes when the caller returns. In the child
 * of a vfork nobody would give that back. */
enum { ON_STACK_MAX = 4096 };

struct pages {
	void *start;
	size_t size;
};

static void *take_pages(struct pages *p, size_t size)
{
	void *start = MAP_FAILED;

	if (size > ON_STACK_MAX && !weir_in_vfork_child())
		start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		             0);
	if (start == MAP_FAILED)
		return NULL;
	*p = (struct pages){start, size};
	return start;
}

static void give_back(struct pages *p)
{
	if (p->start)
		os_call(SYS_munmap, (long)p->start, (long)p->size, 0, 0, 0, 0);
}

/* Declares `name`, that many bytes until the end of the block. */
#define ROOM(name, size)                                                                           \
	__attribute__((cleanup(give_back))) struct pages pages_##name = {NULL, 0};                 \
	void *name = take_pages(&pages_##name, size);                                              \
	if (!name)                                                                                 \
		name = alloca(size);

static size_t list_size(const struct passing *p)
{
	return nothing_to_do(p) ? 0 : (p->count + 3) * sizeof(char *);
}

/* Declares `name`, the completed environment. */
#define COMPLETE(env, reach, name)                                                                 \
	struct passing passing_##name = passing_for(env, reach);                                   \
	size_t size_##name = list_size(&passing_##name);                                           \
	ROOM(room_##name, size_##name + joined_size(&passing_##name) + 1)                          \
	char **name = (char **)(uintptr_t)(env);                                                   \
	if (!nothing_to_do(&passing_##name)) {                                                     \
		name = room_##name;                                                                \
		complete(&passing_##name, env, name, (char *)room_##name + size_##name);           \
	}

/* What may leave the process with the new program is noted for it. */
static void before_exec(void)
{
	struct weir_end end;

	for (int fd = 0; fd < weir_table_bound(); fd++)
		if (weir_end_of(fd, &end))
			weir_end_identify(&end);
	if (weir_in_vfork_child())
		return;
	weir_loops_shared(false);
	weir_endpoints_before_exit();
}

/* posix_spawn and its users make a process that shares nothing with us. */
static void before_spawn(void)
{
	weir_loops_shared(false);
	weir_endpoints_before_fork();
}

/* A program to be started, as seen from here. */
struct program {
	const char *path;
	bool closes; /* the exec closes what the path goes through */
	char *const *argv;
	char **env;
};

static void say_carried(const struct program *p, enum weir_reach reach)
{
	const char *why = weir_reach_is_none(reach) || reach == WEIR_REACH_PARTLY
	                          ? weir_reach_reason(reach)
	                          : "cannot join the session";

	if (weir_verbose())
		weir_say("%.200s %s: a process of weir hands its pairs on", p->path, why);
}

/* The words of `weir carry` (cli/carry.c). */
static void command_line(const struct program *p, char *fd, char *arguments, char **words)
{
	static char weir[] = "weir", carry[] = "carry";
	size_t argc = count(p->argv), envc = count(p->env), n = 0;

	words[n++] = weir;
	words[n++] = carry;
	words[n++] = fd;
	words[n++] = (char *)(uintptr_t)p->path;
	sprintf(arguments, "%zu", argc);
	words[n++] = arguments;
	if (argc > 0)
		memcpy(words + n, p->argv, argc * sizeof(char *));
	if (envc > 0)
		memcpy(words + n + argc, p->env, envc * sizeof(char *));
	words[n + argc + envc] = NULL;
}

enum { LINE_WORDS = 6, NUMBER_SIZE = 24 };

/* The exec closes the program's own descriptor of it, so the step in between
 * gets another. */
static int open_for_step(const struct program *p, char *text)
{
	long fd = -1;

	strcpy(text, "-");
	if (p->closes)
		fd = os_call(SYS_openat, AT_FDCWD, (long)p->path, O_PATH, 0, 0, 0);
	if (fd >= 0)
		sprintf(text, "%ld", fd);
	return (int)fd;
}

static void step_environment(char *env[3])
{
	env[0] = (char *)(uintptr_t)weir_env_preload();
	env[1] = (char *)(uintptr_t)weir_env_session();
	env[2] = NULL;
}

/* Comes back only where the step cannot be taken. */
static void exec_step(const struct program *p)
{
	ROOM(words, (count(p->argv) + count(p->env) + LINE_WORDS) * sizeof(char *))
	char arguments[NUMBER_SIZE], number[NUMBER_SIZE], *env[3];

	if (!weir_can_join() || !weir_command() || !weir_env_preload())
		return;
	int fd = open_for_step(p, number);
	step_environment(env);
	command_line(p, number, arguments, words);
	weir_real()->execve(weir_command(), words, env);
	if (fd >= 0)
		os_close(fd);
}

/* Without a step in between this process takes it: what it holds is the kernel's
 * and pumped from now on, also if the program fails to start. 0, or an errno: then the
 * program must not start, as it would take bells for bytes. */
int weir_carry_here(enum weir_carried which)
{
	int error = weir_carry(&weir_session, which, weir_recognise);

	if (error)
		weir_say("pairs cannot be handed on: %s", strerrordesc_np(-error));
	return -error;
}

/* False, and errno, where the program must not start. */
static bool prepare(const struct program *p, enum weir_reach reach)
{
	int error = 0;

	before_exec();
	if (weir_must_carry(p->path, reach, p->env, false)) {
		say_carried(p, reach);
		exec_step(p);
		error = weir_carry_here(WEIR_CARRY_SURVIVORS);
	}
	if (error)
		errno = error;
	return error == 0;
}

/* Behind a filter nothing is looked at: the new program will not join. */
static enum weir_reach reach_of(const char *path)
{
	return weir_is_filtered() ? WEIR_REACH_UNKNOWN : weir_reach_of_path(path);
}

WEIR_EXPORT int execve(const char *path, char *const argv[], char *const env[])
{
	enum weir_reach reach = reach_of(path);
	COMPLETE(env, reach, full)
	if (!prepare(&(struct program){path, false, argv, full}, reach))
		return -1;
	return weir_real()->execve(path, argv, full);
}

WEIR_EXPORT int execv(const char *path, char *const argv[])
{
	return execve(path, argv, environ);
}

/* Where libc will find it; the name itself where it will not. */
static const char *found(const char *file, char path[PATH_MAX])
{
	if (weir_is_filtered())
		return file;
	return weir_search_path(path, PATH_MAX, file) == 0 ? path : file;
}

WEIR_EXPORT int execvpe(const char *file, char *const argv[], char *const env[])
{
	char buffer[PATH_MAX];
	const char *path = found(file, buffer);
	enum weir_reach reach = reach_of(path);
	COMPLETE(env, reach, full)
	if (!prepare(&(struct program){path, false, argv, full}, reach))
		return -1;
	return weir_real()->execvpe(file, argv, full);
}

WEIR_EXPORT int execvp(const char *file, char *const argv[])
{
	return execvpe(file, argv, environ);
}

/* Collects the arguments of an execl on the stack, and leaves the list behind
 * the terminating null pointer. */
#define COLLECT(first, list, argv)                                                                 \
	size_t count_##argv = 1;                                                                   \
	va_list list, count_list;                                                                  \
	va_start(list, first);                                                                     \
	va_copy(count_list, list);                                                                 \
	while (va_arg(count_list, char *))                                                         \
		count_##argv++;                                                                    \
	va_end(count_list);                                                                        \
	char **argv = alloca((count_##argv + 1) * sizeof(char *));                                 \
	argv[0] = (char *)(uintptr_t)(first);                                                      \
	for (size_t i_##argv = 1; i_##argv <= count_##argv; i_##argv++)                            \
		argv[i_##argv] = va_arg(list, char *);

WEIR_EXPORT int execl(const char *path, const char *first, ...)
{
	COLLECT(first, list, argv)
	va_end(list);
	return execve(path, argv, environ);
}

WEIR_EXPORT int execlp(const char *file, const char *first, ...)
{
	COLLECT(first, list, argv)
	va_end(list);
	return execvpe(file, argv, environ);
}

WEIR_EXPORT int execle(const char *path, const char *first, ...)
{
	COLLECT(first, list, argv)
	char *const *env = va_arg(list, char *const *);
	va_end(list);
	return execve(path, argv, env);
}

static bool closes_on_exec(int fd)
{
	return os_call(SYS_fcntl, fd, F_GETFD, 0, 0, 0, 0) == FD_CLOEXEC;
}

WEIR_EXPORT int fexecve(int fd, char *const argv[], char *const env[])
{
	char path[NUMBER_SIZE + 16];
	sprintf(path, "/proc/self/fd/%d", fd);
	enum weir_reach reach = reach_of(path);
	COMPLETE(env, reach, full)
	if (!prepare(&(struct program){path, closes_on_exec(fd), argv, full}, reach))
		return -1;
	return weir_real()->fexecve(fd, argv, full);
}

/* A path that means the same file. False where the call is going to fail. */
static bool path_at(int dir, const char *name, int flags, char path[PATH_MAX])
{
	struct stat st;
	int n;

	if ((uintptr_t)name < 4096)
		return false;
	if (flags & AT_SYMLINK_NOFOLLOW)
		if (fstatat(dir, name, &st, flags) != 0 || S_ISLNK(st.st_mode))
			return false;
	if (*name == '/' || (dir == AT_FDCWD && *name))
		n = snprintf(path, PATH_MAX, "%s", name);
	else if (*name)
		n = snprintf(path, PATH_MAX, "/proc/self/fd/%d/%s", dir, name);
	else
		n = snprintf(path, PATH_MAX, "/proc/self/fd/%d", dir);
	return n < PATH_MAX && (*name || (flags & AT_EMPTY_PATH));
}

WEIR_EXPORT int execveat(int dir, const char *name, char *const argv[], char *const env[],
                         int flags)
{
	char path[PATH_MAX];
	bool there = path_at(dir, name, flags, path);
	enum weir_reach reach = there ? reach_of(path) : WEIR_REACH_UNKNOWN;
	COMPLETE(env, reach, full)
	if (there && !prepare(&(struct program){path, closes_on_exec(dir), argv, full}, reach))
		return -1;
	if (weir_real()->execveat)
		return weir_real()->execveat(dir, name, argv, full, flags);
	errno = ENOSYS;
	return -1;
}

static int spawned(int error)
{
	if (error)
		weir_endpoints_fork_failed();
	return error;
}

/* The attributes of a spawn. */
struct spawning {
	pid_t *pid;
	const posix_spawn_file_actions_t *actions;
	const posix_spawnattr_t *attr;
};

/* 0, or an error: then nothing has happened. */
static int spawn_step(const struct program *p, const struct spawning *s, enum weir_reach reach)
{
	ROOM(words, (count(p->argv) + count(p->env) + LINE_WORDS) * sizeof(char *))
	char by_path[] = "-", arguments[NUMBER_SIZE], *env[3];

	say_carried(p, reach);
	if (!weir_can_join() || !weir_command() || !weir_env_preload())
		return ENOENT;
	step_environment(env);
	command_line(p, by_path, arguments, words);
	return weir_real()->posix_spawn(s->pid, weir_command(), s->actions, s->attr, words, env);
}

/* True where the caller has nothing left to do but to give back `error`: the step in
 * between was started instead, or nothing can be. */
static bool carried(const struct program *p, const struct spawning *s, enum weir_reach reach,
                    int *error)
{
	*error = 0;
	before_spawn();
	if (!weir_must_carry(p->path, reach, p->env, true))
		return false;
	if (spawn_step(p, s, reach) == 0)
		return true;
	*error = weir_carry_here(WEIR_CARRY_ALL); /* whatever the file actions do with them */
	return *error != 0;
}

WEIR_EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                            const posix_spawnattr_t *attr, char *const argv[], char *const env[])
{
	enum weir_reach reach = reach_of(path);
	int error;
	COMPLETE(env, reach, full)
	if (carried(&(struct program){path, false, argv, full},
	            &(struct spawning){pid, actions, attr}, reach, &error))
		return spawned(error);
	return spawned(weir_real()->posix_spawn(pid, path, actions, attr, argv, full));
}

WEIR_EXPORT int posix_spawnp(pid_t *pid, const char *file,
                             const posix_spawn_file_actions_t *actions,
                             const posix_spawnattr_t *attr, char *const argv[], char *const env[])
{
	char buffer[PATH_MAX];
	const char *path = found(file, buffer);
	enum weir_reach reach = reach_of(path);
	int error;
	COMPLETE(env, reach, full)
	if (carried(&(struct program){path, false, argv, full},
	            &(struct spawning){pid, actions, attr}, reach, &error))
		return spawned(error);
	return spawned(weir_real()->posix_spawnp(pid, file, actions, attr, argv, full));
}

/* False, and errno, where the shell must not start. */
static bool before_shell(char *const env[])
{
	int error = 0;

	before_spawn();
	if (weir_shell_is_lost(env))
		error = weir_carry_here(WEIR_CARRY_SURVIVORS);
	if (error)
		errno = spawned(error);
	return error == 0;
}

/* libc starts the shell itself, with `environ` as it is at that moment. */
WEIR_EXPORT int system(const char *command)
{
	char **program = environ;
	COMPLETE(environ, WEIR_REACH_FULL, full)
	if (!before_shell(full))
		return -1;
	environ = full;
	int result = weir_real()->system(command);
	environ = program;
	if (weir_table_bound() > 0)
		weir_endpoints_suspect();
	return result;
}

WEIR_EXPORT FILE *popen(const char *command, const char *mode)
{
	char **program = environ;
	COMPLETE(environ, WEIR_REACH_FULL, full)
	if (!before_shell(full))
		return NULL;
	environ = full;
	FILE *stream = weir_real()->popen(command, mode);
	environ = program;
	if (stream)
		weir_fresh(weir_real()->fileno(stream));
	return stream;
}
