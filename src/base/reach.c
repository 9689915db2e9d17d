#include "base/reach.h"

#include <errno.h>
#include <string.h>

#include "base/elf.h"
#include "base/file.h"
#include "base/os.h"
#include "base/privilege.h"

/* Reads the interpreter's name from a `#!` line, as the kernel does: blanks, the
 * name up to a blank or the end of the line. False where the file is no script. */
static bool interpreter_of(int fd, char name[WEIR_INTERPRETER_SIZE])
{
	char line[WEIR_INTERPRETER_SIZE];
	ssize_t n = file_read_at(fd, line, sizeof line - 1, 0);
	const char *start;
	size_t length;

	if (n < 3 || line[0] != '#' || line[1] != '!')
		return false;
	line[n] = '\0';
	start = line + 2 + strspn(line + 2, " \t");
	length = strcspn(start, " \t\r\n");
	if (length == 0)
		return false;
	memcpy(name, start, length);
	name[length] = '\0';
	return true;
}

int weir_program_open(const char *path, char name[WEIR_INTERPRETER_SIZE])
{
	int fd = file_open(path);

	name[0] = '\0';
	for (int i = 0; i < WEIR_INTERPRETERS_MAX && fd >= 0; i++) {
		if (!interpreter_of(fd, name))
			return fd;
		os_close(fd);
		fd = file_open(name);
	}
	return fd;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The loader can be started as a program ("ld.so PROGRAM"): it preloads. */
static bool is_loader(const struct weir_elf *elf)
{
	return weir_elf_is_named(elf, "ld-linux") || weir_elf_is_named(elf, "ld64.so");
}

static bool is_other_libc(const char *interpreter)
{
	static const char *const loader[] = { "ld-musl", "ld-uClibc", "ld64-uClibc", "linker" };
	const char *name = base_name(interpreter);

	for (size_t i = 0; i < sizeof loader / sizeof loader[0]; i++)
		if (!strncmp(name, loader[i], strlen(loader[i])))
			return true;
	return false;
}

static enum weir_reach reach_of_elf(int fd)
{
	struct weir_elf elf;

	if (weir_elf_read(&elf, fd) < 0)
		return WEIR_REACH_UNKNOWN;
	if (!elf.native)
		return WEIR_REACH_MACHINE;
	if (weir_exec_is_secure(fd))
		return WEIR_REACH_PRIVILEGED;
	if (!elf.interpreter[0] && is_loader(&elf))
		return WEIR_REACH_FULL;
	if (!elf.interpreter[0])
		return elf.go ? WEIR_REACH_GO : WEIR_REACH_STATIC;
	if (is_other_libc(elf.interpreter))
		return WEIR_REACH_OTHER_LIBC;
	if (elf.go)
		return weir_elf_needs(&elf, "libc.so") ? WEIR_REACH_PARTLY : WEIR_REACH_GO;
	return WEIR_REACH_FULL;
}

enum weir_reach weir_reach_of_path(const char *path)
{
	char name[WEIR_INTERPRETER_SIZE];
	int fd = weir_program_open(path, name);
	enum weir_reach reach;

	if (fd < 0)
		return WEIR_REACH_UNKNOWN;
	reach = reach_of_elf(fd);
	os_close(fd);
	return reach;
}

enum weir_reach weir_reach_of(int fd)
{
	char name[WEIR_INTERPRETER_SIZE];

	return interpreter_of(fd, name) ? weir_reach_of_path(name) : reach_of_elf(fd);
}

const char *weir_reach_reason(enum weir_reach reach)
{
	switch (reach) {
	case WEIR_REACH_FULL: return "is reached";
	case WEIR_REACH_PARTLY: return "is a Go program: only its C parts are reached";
	case WEIR_REACH_UNKNOWN: return "cannot be examined";
	case WEIR_REACH_STATIC: return "is statically linked, so nothing can be preloaded into it";
	case WEIR_REACH_GO: return "is a Go program that calls the kernel without libc";
	case WEIR_REACH_MACHINE: return "is built for another architecture than libweir.so";
	case WEIR_REACH_PRIVILEGED:
		return "gains privileges when it starts (set-uid, set-gid or file capabilities), "
		       "so the loader refuses to preload";
	case WEIR_REACH_OTHER_LIBC: return "uses another C library than glibc, which libweir.so needs";
	}
	return "is unknown";
}
