#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "base/os.h"

int file_open(const char *path)
{
	long flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

	return (int)os_call(SYS_openat, AT_FDCWD, (long)path, flags, 0, 0, 0);
}

ssize_t file_read_at(int fd, void *to, size_t size, uint64_t offset)
{
	size_t done = 0;

	if (offset > INT64_MAX - size)
		return -EINVAL;
	while (done < size) {
		long at = (long)(offset + done);
		long n = os_call(SYS_pread64, fd, (long)to + (long)done, (long)(size - done), at,
		                 0, 0);

		if (n == -EINTR)
			continue;
		if (n < 0)
			return n;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}
