#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/message.h"
#include "base/os.h"
#include "cli/arguments.h"
#include "cli/child.h"
#include "cli/commands.h"
#include "cli/descriptors.h"
#include "cli/environment.h"
#include "cli/library.h"
#include "cli/program.h"
#include "cli/status.h"
#include "endpoint/deadlock.h"
#include "fault/file.h"
#include "fault/load.h"
#include "pair/session.h"

enum { SESSION_NAME_SIZE = 64 };

struct run {
	struct weir_arguments arguments;
	struct weir_library library;
	struct weir_program program;
	struct weir_plan plan;
	struct weir_session session;
	int session_fd;
	int stats_fd;               /* -1 for none */
	char session_name[SESSION_NAME_SIZE];
};

static int failed(const char *what, int error)
{
	weir_say("%.200s: %s", what, strerror(error));
	return WEIR_EXIT_FAILED;
}

/* The pairs of another session that the program inherited would be strangers to
 * this one: their bytes would be lost. */
static int refuse_nested(void)
{
	const char *session = getenv("WEIR_SESSION");

	if (!session || access(session, F_OK) != 0)
		return 0;
	weir_say("this already runs under weir (WEIR_SESSION is set): one session at a time");
	return WEIR_EXIT_FAILED;
}

static int open_stats(struct run *r)
{
	const char *name = r->arguments.config.stats;

	r->stats_fd = -1;
	if (!name)
		return 0;
	if (!strcmp(name, "-")) {
		r->stats_fd = STDOUT_FILENO;
		return fcntl(STDOUT_FILENO, F_GETFD) < 0 ? failed("--stats -", errno) : 0;
	}
	r->stats_fd = weir_descriptor_above_standard(
		open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
	return r->stats_fd < 0 ? failed(name, errno) : 0;
}

/* A file of rules that is being read. */
struct reading {
	struct weir_plan *plan;
	const char *file;
};

static bool add_line(void *context, const char *rule, unsigned int line)
{
	const struct reading *reading = context;
	char what[PATH_MAX + 16];

	snprintf(what, sizeof what, "%.4000s:%u", reading->file, line);
	return weir_plan_load_rule(reading->plan, what, rule);
}

/* The rules of --fault come before those of --faults. */
static int load_plan(struct run *r)
{
	const struct weir_config *config = &r->arguments.config;

	if (!weir_plan_load(&r->plan, config))
		return WEIR_EXIT_FAILED;
	for (uint32_t i = 0; i < config->faults_files.count; i++) {
		struct reading reading = { &r->plan, config->faults_files.text[i] };

		if (!weir_faults_read(reading.file, add_line, &reading))
			return WEIR_EXIT_FAILED;
	}
	return 0;
}

static int open_session(struct run *r)
{
	int error = weir_session_create(&r->session, &r->arguments.config, &r->plan, &r->session_fd);

	if (error) {
		weir_say("cannot make the session: %s", weir_session_trouble(error));
		return WEIR_EXIT_FAILED;
	}
	r->session_fd = weir_descriptor_above_standard(r->session_fd);
	if (r->session_fd < 0)
		return failed("cannot keep the session's memory", errno);
	snprintf(r->session_name, sizeof r->session_name, "/proc/%d/fd/%d", (int)getpid(),
	         r->session_fd);
	return 0;
}

/* Another C library's loader takes our library too, and fails on it. */
static int set_environment(struct run *r)
{
	bool loads = r->program.reach != WEIR_REACH_OTHER_LIBC;
	const char *library = loads ? r->library.preload : NULL;
	int error = weir_environment_set(r->session_name, library, r->program.needs_asan);

	return error ? failed("cannot set the environment", -error) : 0;
}

static int prepare(struct run *r)
{
	const struct weir_config *config = &r->arguments.config;
	int status = refuse_nested();

	if (!status && weir_library_find(&r->library) != 0)
		status = WEIR_EXIT_FAILED;
	if (!status)
		status = weir_program_find(&r->program, r->arguments.program[0], config);
	if (!status)
		status = load_plan(r);
	if (!status)
		status = open_stats(r);
	if (!status)
		status = open_session(r);
	return status ? status : set_environment(r);
}

static void say_start(const struct run *r)
{
	const struct weir_config *config = &r->arguments.config;

	if (config->verbose)
		weir_say("session %s, %" PRIu64 " bytes per direction, library %.300s",
		         r->session_name, config->capacity, r->library.preload);
}

static void say_end(const struct run *r, int status)
{
	const struct weir_header *h = r->session.header;
	uint64_t left = 0;

	if (!r->arguments.config.verbose)
		return;
	for (int i = 0; i < WEIR_LEFT_REASONS; i++)
		left += load64_relaxed(&h->left[i]);
	weir_say("%" PRIu64 " pairs carried, %" PRIu64 " left to the kernel; %.200s %s %d",
	         load64_relaxed(&h->pairs), left, r->arguments.program[0],
	         WIFSIGNALED(status) ? "died by signal" : "ended with status",
	         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static void let_go(const struct run *r)
{
	int keep[] = { r->session_fd, r->stats_fd, r->library.fd };

	weir_descriptors_let_go(keep, sizeof keep / sizeof keep[0]);
}

/* Statistics that were asked for and cannot be had spoil a success, but never hide
 * how the program failed. */
static int finish(const struct run *r, int status)
{
	const struct weir_config *config = &r->arguments.config;
	bool failed_too = config->strict && weir_session_unfired(&r->session) > 0;
	int error = 0;

	say_end(r, status);
	if (!config->quiet)
		weir_session_report(&r->session);
	if (r->stats_fd >= 0)
		error = weir_session_write_stats(&r->session, r->stats_fd);
	if (error)
		failed("cannot write the statistics", -error);
	if (error && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return WEIR_EXIT_FAILED;
	if (config->fail_on_deadlock && load32_acquire(&r->session.header->deadlocks) > 0)
		return WEIR_EXIT_STRICT;
	if (failed_too && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return WEIR_EXIT_STRICT;
	return weir_child_imitate(status);
}

static void watch(void)
{
	static uint64_t before;
	uint64_t now = os_now_ns();

	weir_deadlock_watch(before, now);
	before = now;
}

static int run(struct run *r)
{
	struct weir_inherited inherited;
	int status = prepare(r);
	pid_t child;

	if (status)
		return status;
	say_start(r);
	weir_child_prepare(&inherited);
	child = weir_child_start(r->arguments.program, &inherited);
	if (child < 0)
		return failed("cannot fork", -child);
	let_go(r);
	weir_session = r->session;
	return finish(r, weir_child_wait(child, watch));
}

int weir_command_run(int argc, char **argv)
{
	static struct run r;
	char *help[] = { (char[]){ "help" }, (char[]){ "run" }, NULL };

	if (!weir_arguments_read(&r.arguments, argc, argv))
		return WEIR_EXIT_FAILED;
	if (r.arguments.help)
		return weir_command_help(2, help);
	if (r.arguments.version)
		return weir_command_version(1, argv);
	return run(&r);
}
