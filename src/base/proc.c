#include "base/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/os.h"

enum { PATH_SIZE = 64, STATUS_SIZE = 4096 };

static bool each_entry(int dir, bool (*act)(void *context, uint32_t number), void *context)
{
	_Alignas(struct dirent64) char piece[2048];
	long n;

	while ((n = os_call(SYS_getdents64, dir, (long)piece, sizeof(piece), 0, 0, 0)) > 0) {
		for (long at = 0; at < n;) {
			struct dirent64 *entry = (void *)(piece + at);
			at += entry->d_reclen;
			if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9' &&
			    !act(context, (uint32_t)strtoul(entry->d_name, NULL, 10)))
				return false;
		}
	}
	return n == 0;
}

bool proc_each(const char *folder, bool (*act)(void *context, uint32_t number), void *context)
{
	long dir = os_call(SYS_openat, AT_FDCWD, (long)folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC,
	                   0, 0, 0);

	if (dir < 0)
		return false;
	bool all = each_entry((int)dir, act, context);
	os_close((int)dir);
	return all;
}

uint64_t proc_socket_inode(uint32_t pid, uint32_t fd)
{
	char path[PATH_SIZE], target[PATH_SIZE];

	snprintf(path, sizeof(path), "/proc/%u/fd/%u", pid, fd);
	long n = os_call(SYS_readlink, (long)path, (long)target, sizeof(target) - 1, 0, 0, 0);
	if (n <= 0)
		return 0;
	target[n] = '\0';
	return strncmp(target, "socket:[", 8) == 0 ? strtoull(target + 8, NULL, 10) : 0;
}

static long read_all(const char *path, char *text, size_t size)
{
	long fd = os_call(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
	long n = fd < 0 ? fd : os_call(SYS_read, fd, (long)text, (long)size - 1, 0, 0, 0);

	if (fd >= 0)
		os_close((int)fd);
	text[n > 0 ? n : 0] = '\0';
	return n;
}

bool proc_caught_signals(uint32_t pid, uint64_t *signals)
{
	char path[PATH_SIZE], status[STATUS_SIZE];

	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	if (read_all(path, status, sizeof(status)) <= 0)
		return false;
	const char *line = strstr(status, "SigCgt:");
	if (!line)
		return false;
	*signals = strtoull(line + strlen("SigCgt:"), NULL, 16);
	return true;
}

/* Behind the name, which may hold anything but is the only one in brackets. */
char proc_thread_state(uint32_t pid, uint32_t tid)
{
	char path[PATH_SIZE], text[STATUS_SIZE];

	snprintf(path, sizeof(path), "/proc/%u/task/%u/stat", pid, tid);
	if (read_all(path, text, sizeof(text)) <= 0)
		return 0;
	const char *end = strrchr(text, ')');
	return end && end[1] ? end[2] : 0;
}

void proc_name(uint32_t pid, char *name, unsigned int size)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/proc/%u/comm", pid);
	if (read_all(path, name, size) <= 0)
		snprintf(name, size, "?");
	name[strcspn(name, "\n")] = '\0';
}
