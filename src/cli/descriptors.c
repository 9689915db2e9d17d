#include "cli/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <unistd.h>

enum { CLOSED_SINGLY_MAX = 65536 };

int weir_descriptor_above_standard(int fd)
{
	int moved, error;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	error = errno;
	close(fd);
	errno = error;
	return moved;
}

static bool is_kept(int fd, const int *keep, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (keep[i] == fd)
			return true;
	return false;
}

/* The smallest kept number from `from` on, or -1. */
static int next_kept(int from, const int *keep, size_t count)
{
	int next = -1;

	for (size_t i = 0; i < count; i++)
		if (keep[i] >= from && (next < 0 || keep[i] < next))
			next = keep[i];
	return next;
}

static void close_between(int first, int last)
{
	if (first > last || close_range((unsigned)first, (unsigned)last, 0) == 0)
		return;
	for (int fd = first; fd <= last && fd < CLOSED_SINGLY_MAX; fd++)
		close(fd);
}

static void make_null(int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0) {
		close(fd);
		return;
	}
	if (null != fd) {
		dup2(null, fd);
		close(null);
	}
}

void weir_descriptors_let_go(const int *keep, size_t count)
{
	int from = STDERR_FILENO + 1;

	for (int fd = STDIN_FILENO; fd < STDERR_FILENO; fd++)
		if (!is_kept(fd, keep, count))
			make_null(fd);
	for (int kept; (kept = next_kept(from, keep, count)) >= 0; from = kept + 1)
		close_between(from, kept - 1);
	close_between(from, INT_MAX);
}
