/* The start: which session this process belongs to, and what it inherited. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/message.h"
#include "base/options.h"
#include "base/os.h"
#include "fault/load.h"
#include "hooks/hooks.h"

enum { VARIABLE_SIZE = 4096, ENVIRONMENT_SIZE = 65536, BAD_CONFIG_STATUS = 125 };

static const char session_name[] = "WEIR_SESSION";

static char env_session[128];
static char env_preload[VARIABLE_SIZE];
static char stats_file[VARIABLE_SIZE];
static bool follows = true;
static bool verbose;
static struct weir_config own_config;
static struct weir_plan own_plan;
static bool owns_session;
static weir_word32 state;       /* 0: not tried, 1: being tried, 2: there, 3: none */
static weir_word32 why_none;    /* errno: why pairs stay with the kernel */
static weir_word32 none_said;

/* The environment as the kernel gave it: libc's own pointer to it may not be set
 * yet, and what the program changes later changes nothing here. */
static char *const *start_env;

/* A hook ran before our constructor, so before libc has an environment. */
static const char *early_variable(const char *name)
{
	static char text[ENVIRONMENT_SIZE];
	size_t len = strlen(name);

	if (!text[0]) {
		long fd = os_call(SYS_openat, AT_FDCWD, (long)"/proc/self/environ",
		                  O_RDONLY | O_CLOEXEC, 0, 0, 0);
		if (fd < 0)
			return getenv(name);
		os_call(SYS_read, fd, (long)text, sizeof(text) - 2, 0, 0, 0);
		os_close((int)fd);
	}
	for (const char *entry = text; *entry; entry += strlen(entry) + 1)
		if (strncmp(entry, name, len) == 0 && entry[len] == '=')
			return entry + len + 1;
	return NULL;
}

static const char *variable(const char *name)
{
	size_t len = strlen(name);

	if (!start_env)
		return early_variable(name);
	for (char *const *entry = start_env; *entry; entry++)
		if (strncmp(*entry, name, len) == 0 && (*entry)[len] == '=')
			return *entry + len + 1;
	return NULL;
}

const char *weir_env_session(void)
{
	return env_session[0] ? env_session : NULL;
}

const char *weir_env_preload(void)
{
	return env_preload[0] ? env_preload : NULL;
}

bool weir_follows(void)
{
	return follows;
}

bool weir_verbose(void)
{
	return verbose;
}

const char *weir_library_name(void)
{
	Dl_info info;

	return dladdr(env_session, &info) ? info.dli_fname : NULL;
}

bool weir_env_joins(char *const env[])
{
	bool session = false, preload = false;
	const char *library = weir_library_name();

	for (; env && *env; env++) {
		session = session || strcmp(*env, env_session) == 0;
		preload = preload || (strncmp(*env, "LD_PRELOAD=", 11) == 0 && library &&
		                      strstr(*env, library));
	}
	return session && preload;
}

/* Capabilities that open the file now may be gone after the exec; those of root,
 * and of who owns the session, are not needed or come again. */
static bool keeps_access(int fd)
{
	uint32_t user = (uint32_t)os_call(SYS_geteuid, 0, 0, 0, 0, 0, 0);
	struct stat st;

	return user == 0 || (os_call(SYS_fstat, fd, (long)&st, 0, 0, 0, 0) == 0 && st.st_uid == user);
}

/* The loader goes on without a library that it does not find. */
static bool can_load_library(void)
{
	const char *library = weir_library_name();
	int fd = library ? file_open(library) : -ENOENT;

	if (fd >= 0)
		os_close(fd);
	return fd >= 0;
}

bool weir_can_join(void)
{
	const char *path = env_session + sizeof(session_name);
	long fd = os_call(SYS_openat, AT_FDCWD, (long)path, O_RDWR | O_CLOEXEC | O_NOCTTY, 0, 0, 0);
	bool can = fd >= 0 && keeps_access((int)fd) &&
	           weir_session_can_map(&weir_session, (int)fd) && can_load_library();

	if (fd >= 0)
		os_close((int)fd);
	return can;
}

/* The configuration of a program that was preloaded without the command. */
static struct weir_config config_from_environment(void)
{
	struct weir_config config = weir_config_default();

	for (size_t i = 0; i < weir_options_count; i++) {
		const struct weir_option *option = &weir_options[i];
		const char *text = option->variable ? variable(option->variable) : NULL;
		config.name = option->variable;
		const char *wrong = text && *text ? option->set(&config, text) : NULL;
		if (wrong) {
			weir_say("%s: '%s' is not %s", option->variable, text, wrong);
			os_call(SYS_exit_group, BAD_CONFIG_STATUS, 0, 0, 0, 0, 0);
		}
	}
	return config;
}

static void configure(void)
{
	if (own_config.max_pairs > 0)
		return;
	own_config = config_from_environment();
	if (!weir_plan_load(&own_plan, &own_config))
		os_call(SYS_exit_group, BAD_CONFIG_STATUS, 0, 0, 0, 0, 0);
	if (own_config.stats)
		snprintf(stats_file, sizeof(stats_file), "%s", own_config.stats);
}

/* Without the command the first process keeps the session's file open itself,
 * out of the way of the program's own numbers. */
static int move_up(int fd)
{
	struct rlimit limit;
	int lowest = 1000;

	if (os_call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit, 0, 0) == 0 &&
	    limit.rlim_cur < 2000)
		lowest = (int)limit.rlim_cur - 8;
	long high = os_call(SYS_fcntl, fd, F_DUPFD, lowest, 0, 0, 0);
	if (high < 0)
		return fd;
	os_close(fd);
	return (int)high;
}

static int create_own(void)
{
	int fd;
	configure();
	int error = weir_session_create(&weir_session, &own_config, &own_plan, &fd);

	if (error)
		return error;
	fd = move_up(fd);
	owns_session = true;
	snprintf(env_session, sizeof(env_session), "%s=/proc/%u/fd/%d", session_name,
	         weir_own_pid(), fd);
	return 0;
}

static int attach_to(const char *path)
{
	snprintf(env_session, sizeof(env_session), "%s=%s", session_name, path);
	return weir_session_join(&weir_session, path);
}

static void keep_preload(void)
{
	const char *value = variable("LD_PRELOAD");
	const char *name = weir_library_name();

	if (value && strlen(value) < sizeof(env_preload) - 16)
		snprintf(env_preload, sizeof(env_preload), "LD_PRELOAD=%s", value);
	else if (name)
		snprintf(env_preload, sizeof(env_preload), "LD_PRELOAD=%s", name);
}

void weir_recognise(int fd)
{
	uint32_t index;
	int side;

	if (fd < 0 || fd >= WEIR_TABLE_SIZE || weir_marked(fd) || load32_relaxed(&state) != 2 ||
	    load32_relaxed(&weir_session.header->shared_ends) == 0)
		return;
	if (!weir_pair_find(&weir_session, os_socket_cookie(fd), &index, &side))
		return;
	weir_table_enter(fd, index, side, load32_relaxed(&weir_session.slots[index].generation));
	if (fd <= 2)
		weir_stdio_refresh(fd);
}

/* The descriptors that came through exec. */
static void recognise_all(void)
{
	os_each_descriptor(weir_recognise);
}

static void started(bool inherited)
{
	follows = !weir_session.header->no_follow;
	verbose = weir_session.header->verbose;
	weir_notice_place(weir_has_left_namespace());
	weir_own_life_begins();
	store32_release(&state, 2);
	if (inherited && load32_relaxed(&weir_session.header->shared_ends) > 0)
		recognise_all();
}

/* False, as there is no session. */
static bool have_none(int error)
{
	store32_relaxed(&why_none, (uint32_t)-error);
	store32_release(&state, 3);
	return false;
}

bool weir_has_none(void)
{
	return load32_relaxed(&state) == 3;
}

/* The first process of a run without the command makes its session only when
 * it makes a pair. */
static bool start_now(const char *path)
{
	int error = path ? attach_to(path) : create_own();

	if (error == -EBADMSG) /* what came through exec would be a plain socket */
		weir_damaged("its header");
	if (error)
		return have_none(error);
	started(path != NULL);
	return true;
}

/* The loader drops LD_PRELOAD for a program that gained privileges, but there are
 * other ways to be loaded: nothing that its starter chose may have a say. */
static bool is_forbidden(void)
{
	if (getauxval(AT_SECURE) == 0)
		return false;
	store32_relaxed(&none_said, 1);
	return true;
}

bool weir_start(void)
{
	if (load32_acquire(&state) == 0 && swap32_if(&state, 0, 1))
		return is_forbidden() ? have_none(-EPERM) : start_now(variable(session_name));
	while (load32_acquire(&state) == 1)
		sched_yield();
	return load32_acquire(&state) == 2;
}

void weir_mark_no_more(int trouble)
{
	store32_relaxed(&why_none, (uint32_t)trouble);
}

/* Looked at with the first pair that this program makes. Where sockets have no
 * identity, as in some sandboxes, none is known again after an exec. */
bool weir_may_mark(int fd)
{
	static weir_word32 identifies;

	if (load32_relaxed(&why_none) != 0 || !weir_start())
		return false;
	if (load32_acquire(&identifies) == 0 && os_socket_cookie(fd) == 0)
		weir_mark_no_more(WEIR_TROUBLE_COOKIE);
	store32_release(&identifies, 1);
	return load32_relaxed(&why_none) == 0;
}

bool weir_is_filtered(void)
{
	return __builtin_expect(load32_relaxed(&why_none) == WEIR_TROUBLE_FILTER, 0);
}

void weir_say_unmarked(void)
{
	if (swap32_if(&none_said, 0, 1))
		weir_say("socketpairs are the kernel's: %s",
		         weir_session_trouble(-(int)load32_relaxed(&why_none)));
}

/* Before any other library's constructor that may use a socket. */
__attribute__((constructor(101))) static void construct(int argc, char **argv, char **env)
{
	(void)argc;
	(void)argv;
	start_env = env;
	const char *path = variable(session_name);

	weir_real();
	if (is_forbidden()) {
		have_none(-EPERM);
		return;
	}
	keep_preload();
	if (path)
		weir_start();
	if (weir_is_filtered())
		return;
	weir_own_pid();
	if (path)
		return;
	configure();
}

static bool is_holder(void)
{
	return owns_session && weir_env_session() &&
	       weir_session.header->holder_pid == weir_own_pid();
}

static void write_own_stats(void)
{
	bool standard = strcmp(stats_file, "-") == 0;
	long fd = 1;

	if (!standard)
		fd = os_call(SYS_openat, AT_FDCWD, (long)stats_file,
		             O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666, 0, 0);
	int error = fd < 0 ? (int)fd : weir_session_write_stats(&weir_session, (int)fd);
	if (error)
		weir_say("%s: %s", stats_file, strerrordesc_np(-error));
	if (!standard && fd >= 0)
		os_close((int)fd);
}

__attribute__((destructor(101))) static void destruct(void)
{
	weir_endpoints_before_exit();
	if (!is_holder())
		return;
	if (!own_config.quiet)
		weir_session_report(&weir_session);
	if (stats_file[0])
		write_own_stats();
}
