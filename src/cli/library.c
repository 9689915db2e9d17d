#include "cli/library.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/message.h"
#include "cli/descriptors.h"
#include "cli/link.h"

/* Beside the command: the build folder, then the installed layout. */
static const char *const beside[] = { "libweir.so", "../lib/weir/libweir.so" };

/* The folder of the running command, with its last slash. */
static bool own_folder(char *folder, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", folder, size - 1);
	char *slash;

	if (n < 0)
		return false;
	folder[n] = '\0';
	slash = strrchr(folder, '/');
	if (!slash)
		return false;
	slash[1] = '\0';
	return true;
}

static bool take(struct weir_library *l, const char *path)
{
	return realpath(path, l->path) && access(l->path, R_OK) == 0;
}

static bool take_beside(struct weir_library *l, const char *folder)
{
	char path[2 * PATH_MAX];

	for (size_t i = 0; i < sizeof beside / sizeof beside[0]; i++) {
		snprintf(path, sizeof path, "%s%s", folder, beside[i]);
		if (take(l, path))
			return true;
	}
	return false;
}

static int locate(struct weir_library *l)
{
	const char *given = getenv("WEIR_LIBRARY");
	char folder[PATH_MAX] = "";

	if (given && *given) {
		if (take(l, given))
			return 0;
		weir_say("WEIR_LIBRARY: %.200s: %s", given, strerror(errno));
		return -ENOENT;
	}
	if (own_folder(folder, sizeof folder) && take_beside(l, folder))
		return 0;
	weir_say("found neither %.180s%s nor %.180s%s", folder, beside[0], folder, beside[1]);
	return -ENOENT;
}

/* ld.so splits LD_PRELOAD at blanks and colons and expands $NAME; nothing escapes
 * them. Such a path gets a link with a plain name in a folder of the user's own:
 * that outlives the command, and so serves programs that outlive it. Without such
 * a folder the open library itself is the name, as long as the command lives. */
static int name_for_loader(struct weir_library *l)
{
	l->fd = -1;
	if (!weir_link_is_needed(l->path)) {
		memcpy(l->preload, l->path, sizeof l->preload);
		return 0;
	}
	if (weir_link_make(l->preload, sizeof l->preload, l->path))
		return 0;
	l->fd = weir_descriptor_above_standard(open(l->path, O_RDONLY | O_CLOEXEC));
	if (l->fd < 0) {
		weir_say("%.200s: %s", l->path, strerror(errno));
		return -errno;
	}
	snprintf(l->preload, sizeof l->preload, "/proc/%d/fd/%d", (int)getpid(), l->fd);
	return 0;
}

int weir_library_find(struct weir_library *l)
{
	int error = locate(l);

	return error ? error : name_for_loader(l);
}
