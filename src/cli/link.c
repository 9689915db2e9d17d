#include "cli/link.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool weir_link_is_needed(const char *path)
{
	return strpbrk(path, " :$\t\n") != NULL;
}

/* Nobody else can have put it there, or can change what is in it. */
static bool is_private(const char *folder)
{
	struct stat st;

	return lstat(folder, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	       !(st.st_mode & (S_IWGRP | S_IWOTH));
}

static bool make_folder(const char *folder)
{
	return (mkdir(folder, 0700) == 0 || errno == EEXIST) && is_private(folder);
}

/* FNV-1a: one name per path, so that runs share their link and leave no litter. */
static uint64_t hash(const char *text)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return h;
}

static bool leads_to(const char *name, const char *path)
{
	char target[PATH_MAX];
	ssize_t n = readlink(name, target, sizeof target - 1);

	if (n < 0)
		return false;
	target[n] = '\0';
	return !strcmp(target, path);
}

/* Under another name first: a run that starts just now must never miss it. */
static bool put_link(const char *name, const char *path)
{
	char fresh[PATH_MAX + 16];

	if (leads_to(name, path))
		return true;
	snprintf(fresh, sizeof fresh, "%s.%d", name, (int)getpid());
	unlink(fresh);
	return symlink(path, fresh) == 0 && rename(fresh, name) == 0;
}

/* `below` is "" or a folder of that folder, to be made as well. */
static bool make_in(char *name, size_t size, const char *base, const char *below,
                    const char *path)
{
	char folder[PATH_MAX];
	int n;

	if (!base || base[0] != '/' || weir_link_is_needed(base))
		return false;
	n = snprintf(folder, sizeof folder, "%s%s", base, below);
	if (n < 0 || (size_t)n + sizeof "/weir" > sizeof folder || (*below && !make_folder(folder)))
		return false;
	memcpy(folder + n, "/weir", sizeof "/weir");
	if (!make_folder(folder))
		return false;
	n = snprintf(name, size, "%s/libweir-%016" PRIx64 ".so", folder, hash(path));
	return n > 0 && (size_t)n < size && put_link(name, path);
}

bool weir_link_make(char *name, size_t size, const char *path)
{
	return make_in(name, size, getenv("XDG_RUNTIME_DIR"), "", path) ||
	       make_in(name, size, getenv("XDG_CACHE_HOME"), "", path) ||
	       make_in(name, size, getenv("HOME"), "/.cache", path);
}
