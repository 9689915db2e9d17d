#include "base/search.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What execvp() searches where PATH is not set (environ(7), confstr(3)). */
static const char path_default[] = "/bin:/usr/bin";

static int executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOTDIR ? -ENOENT : -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return access(path, X_OK) < 0 ? -errno : 0;
}

static int in_folder(char *path, size_t size, const char *folder, int length, const char *name)
{
	int n = snprintf(path, size, "%.*s%s%s", length, folder, length ? "/" : "", name);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : executable(path);
}

int weir_search_path(char *path, size_t size, const char *name)
{
	const char *folder = getenv("PATH");
	int failure = -ENOENT;

	if (!*name)
		return -ENOENT;
	if (strchr(name, '/'))
		return in_folder(path, size, "", 0, name);
	for (folder = folder ? folder : path_default;; folder++) {
		int length = (int)strcspn(folder, ":");
		int error = in_folder(path, size, folder, length, name);

		if (error == 0)
			return 0;
		if (error != -ENOENT)
			failure = error;
		folder += length;
		if (!*folder)
			return failure;
	}
}
