/* A new program in this process or in a child: it finds its ends by identity,
 * and weir by its environment, also where the program cleaned that. */
#include <alloca.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hooks/hooks.h"

extern char **environ;

static bool is_variable(const char *entry, const char *assignment)
{
	size_t name = strcspn(assignment, "=") + 1;

	return strncmp(entry, assignment, name) == 0;
}

static bool present(char *const *env, const char *assignment)
{
	for (; env && *env; env++)
		if (is_variable(*env, assignment))
			return true;
	return false;
}

/* Ours is in it already, or comes before what the program wants preloaded. */
static bool preloads_us(const char *entry, const char *ours)
{
	return strstr(entry, strchr(ours, '=') + 1) != NULL;
}

/* How a program's environment must be changed so that weir is in its child. */
struct passing {
	const char *session;        /* "WEIR_SESSION=...", or NULL where it is there */
	const char *preload;        /* "LD_PRELOAD=...", or NULL where it is there */
	const char *other;          /* the program's own LD_PRELOAD, to be put behind ours */
	size_t count;               /* entries of the program's environment */
};

static struct passing passing_for(char *const *env)
{
	struct passing p = {.session = weir_env_session(), .preload = weir_env_preload()};

	if (!weir_follows() || !p.session || !p.preload)
		return (struct passing){.session = NULL};
	for (; env && env[p.count]; p.count++) {
		if (!is_variable(env[p.count], p.preload))
			continue;
		if (preloads_us(env[p.count], p.preload))
			p.preload = NULL;
		else
			p.other = env[p.count];
		if (!p.preload)
			break;
	}
	for (p.count = 0; env && env[p.count]; p.count++)
		;
	if (present(env, p.session))
		p.session = NULL;
	return p;
}

static bool nothing_to_do(const struct passing *p)
{
	return !p->session && !p->preload;
}

static size_t joined_size(const struct passing *p)
{
	return p->other ? strlen(p->preload) + strlen(p->other) + 2 : 0;
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

static void complete(const struct passing *p, char *const *env, char **into, char *joined)
{
	size_t n = 0;

	if (p->preload)
		into[n++] = (char *)(uintptr_t)join(p, joined);
	if (p->session)
		into[n++] = (char *)(uintptr_t)p->session;
	for (size_t i = 0; i < p->count; i++)
		if (env[i] != p->other)
			into[n++] = env[i];
	into[n] = NULL;
}

/* The completed environment lies on the caller's stack: an exec must neither
 * allocate (a vfork child) nor change what the program sees if it fails. */
#define COMPLETE(env, name)                                                                        \
	struct passing passing_##name = passing_for(env);                                          \
	char **name = (char **)(uintptr_t)(env);                                                   \
	if (!nothing_to_do(&passing_##name)) {                                                     \
		name = alloca((passing_##name.count + 3) * sizeof(char *));                        \
		complete(&passing_##name, env, name, alloca(joined_size(&passing_##name) + 1));    \
	}

/* What may leave the process with the new program is noted for it. */
static void before_exec(void)
{
	struct weir_end end;

	for (int fd = 0; fd < weir_table_bound(); fd++)
		if (weir_end_of(fd, &end))
			weir_end_identify(&end);
	if (!weir_in_vfork_child())
		weir_endpoints_before_exit();
}

/* posix_spawn and its users make a process that shares nothing with us. */
static void before_spawn(void)
{
	weir_endpoints_before_fork();
}

WEIR_EXPORT int execve(const char *path, char *const argv[], char *const env[])
{
	COMPLETE(env, full)
	before_exec();
	return weir_real()->execve(path, argv, full);
}

WEIR_EXPORT int execv(const char *path, char *const argv[])
{
	return execve(path, argv, environ);
}

WEIR_EXPORT int execvpe(const char *file, char *const argv[], char *const env[])
{
	COMPLETE(env, full)
	before_exec();
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

WEIR_EXPORT int fexecve(int fd, char *const argv[], char *const env[])
{
	COMPLETE(env, full)
	before_exec();
	return weir_real()->fexecve(fd, argv, full);
}

WEIR_EXPORT int execveat(int dir, const char *path, char *const argv[], char *const env[], int flags)
{
	COMPLETE(env, full)
	before_exec();
	if (weir_real()->execveat)
		return weir_real()->execveat(dir, path, argv, full, flags);
	errno = ENOSYS;
	return -1;
}

static int spawned(int error)
{
	if (error)
		weir_endpoints_fork_failed();
	return error;
}

WEIR_EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                            const posix_spawnattr_t *attr, char *const argv[], char *const env[])
{
	COMPLETE(env, full)
	before_spawn();
	return spawned(weir_real()->posix_spawn(pid, path, actions, attr, argv, full));
}

WEIR_EXPORT int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                             const posix_spawnattr_t *attr, char *const argv[], char *const env[])
{
	COMPLETE(env, full)
	before_spawn();
	return spawned(weir_real()->posix_spawnp(pid, file, actions, attr, argv, full));
}

/* libc starts the shell itself, with `environ` as it is at that moment. */
WEIR_EXPORT int system(const char *command)
{
	char **program = environ;
	COMPLETE(environ, full)
	before_spawn();
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
	COMPLETE(environ, full)
	before_spawn();
	environ = full;
	FILE *stream = weir_real()->popen(command, mode);
	environ = program;
	if (stream)
		weir_fresh(weir_real()->fileno(stream));
	return stream;
}
