#include "cli/sessions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/message.h"
#include "base/os.h"
#include "base/proc.h"
#include "endpoint/table.h"

enum { PATH_SIZE = 64 };

static const char file_name[] = "/memfd:weir-session (deleted)";

/* ---- sessions ---- */

struct search {
	struct weir_found_session *found;
	size_t count;
	uint32_t pid;
};

static bool is_known(const struct search *s, uint64_t inode)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->found[i].inode == inode)
			return true;
	return false;
}

static bool look_at_file(void *context, uint32_t fd)
{
	struct search *s = context;
	char path[PATH_SIZE], target[sizeof file_name + 1];
	struct stat st;

	snprintf(path, sizeof path, "/proc/%u/fd/%u", s->pid, fd);
	ssize_t n = readlink(path, target, sizeof target);
	if (n != sizeof file_name - 1 || memcmp(target, file_name, (size_t)n) != 0)
		return true;
	if (stat(path, &st) == 0 && st.st_uid == geteuid() && !is_known(s, st.st_ino))
		s->found[s->count++] = (struct weir_found_session){ s->pid, fd, st.st_ino };
	return s->count < WEIR_SESSIONS_MAX;
}

static bool look_at_holder(void *context, uint32_t pid)
{
	struct search *s = context;
	char folder[PATH_SIZE];

	s->pid = pid;
	snprintf(folder, sizeof folder, "/proc/%u/fd", pid);
	proc_each(folder, look_at_file, s);
	return s->count < WEIR_SESSIONS_MAX;
}

size_t weir_sessions_find(struct weir_found_session found[WEIR_SESSIONS_MAX])
{
	struct search s = { .found = found };

	proc_each("/proc", look_at_holder, &s);
	return s.count;
}

/* A process that runs in a session has its file mapped. */
static uint64_t mapped_session(uint32_t pid)
{
	char path[PATH_SIZE], *line = NULL;
	uint64_t inode = 0;
	size_t size = 0;

	snprintf(path, sizeof path, "/proc/%u/maps", pid);
	FILE *maps = fopen(path, "re");
	while (maps && inode == 0 && getline(&line, &size, maps) > 0)
		if (strstr(line, file_name))
			sscanf(line, "%*s %*s %*s %*s %lu", &inode);
	free(line);
	if (maps)
		fclose(maps);
	return inode;
}

static const struct weir_found_session *choose(const struct weir_found_session *found,
                                               size_t count, uint32_t pid)
{
	uint64_t inode = pid ? mapped_session(pid) : 0;

	for (size_t i = 0; i < count; i++)
		if (pid ? found[i].pid == pid || found[i].inode == inode : count == 1)
			return &found[i];
	return NULL;
}

static void say_none(size_t count, uint32_t pid)
{
	if (pid)
		weir_say("no session of yours is that of process %u; `weir ctl list` shows them", pid);
	else if (count == 0)
		weir_say("no session is running");
	else
		weir_say("%zu sessions are running: name one with --session PID; `weir ctl list` "
		         "shows them", count);
}

bool weir_session_open(uint32_t pid, struct weir_found_session *opened)
{
	static struct weir_found_session found[WEIR_SESSIONS_MAX];
	size_t count = weir_sessions_find(found);
	const struct weir_found_session *chosen = choose(found, count, pid);
	char path[PATH_SIZE];

	if (!chosen) {
		say_none(count, pid);
		return false;
	}
	*opened = *chosen;
	snprintf(path, sizeof path, "/proc/%u/fd/%u", chosen->pid, chosen->fd);
	int error = weir_session_attach(&weir_session, path);
	if (error)
		weir_say("session %u: %s", chosen->pid, weir_session_fault(error));
	return error == 0;
}

const char *weir_session_fault(int error)
{
	if (error == -EPROTO)
		return "of another version of weir";
	return error == -EBADMSG ? "its memory is damaged" : strerror(-error);
}

/* ---- descriptors ---- */

/* A socket that is looked for in all processes. */
struct socket_search {
	uint64_t inode;
	uint32_t pid;
	uint32_t fd;
	bool found;
};

static bool look_at_socket(void *context, uint32_t fd)
{
	struct socket_search *s = context;

	s->fd = fd;
	s->found = proc_socket_inode(s->pid, fd) == s->inode;
	return !s->found;
}

static bool look_at_sockets(void *context, uint32_t pid)
{
	struct socket_search *s = context;
	char folder[PATH_SIZE];

	s->pid = pid;
	snprintf(folder, sizeof folder, "/proc/%u/fd", pid);
	proc_each(folder, look_at_socket, s);
	return !s->found;
}

static int take_copy(uint32_t pid, uint32_t fd)
{
	int process = (int)syscall(SYS_pidfd_open, pid, 0);
	int copy = process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, fd, 0);
	int error = errno;

	if (process >= 0)
		close(process);
	errno = error;
	return copy;
}

static bool is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* While the pair has not left its creator, its numbers there are a hint. */
static int borrow_hinted(const struct weir_slot *slot, int side)
{
	uint32_t pid = load32_relaxed(&slot->pid), fd = load32_relaxed(&slot->end[side].fd);
	int copy = take_copy(pid, fd);

	if (copy >= 0 && !is_socket(copy)) {
		close(copy);
		errno = ESRCH;
		return -1;
	}
	return copy;
}

int weir_session_borrow(uint32_t index, int side, int *why)
{
	const struct weir_slot *slot = &weir_session.slots[index];
	struct socket_search s = { .inode = load64_relaxed(&slot->end[side].inode) };
	int fd;

	errno = ESRCH;
	if (s.inode == 0) {
		fd = borrow_hinted(slot, side);
	} else {
		proc_each("/proc", look_at_sockets, &s);
		errno = ESRCH;
		fd = s.found ? take_copy(s.pid, s.fd) : -1;
	}
	*why = errno;
	return fd;
}
