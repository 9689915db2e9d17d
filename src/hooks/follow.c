/* Programs that weir cannot follow into: what they would inherit is carried. */
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/os.h"
#include "hooks/hooks.h"

/* In the child of a vfork the table is the parent's and does not say what was
 * duplicated since; file actions do the same in a child that is yet to come. */
static bool any_survives(bool spawned)
{
	bool unknown = spawned || weir_in_vfork_child();

	for (int fd = 0; fd < weir_table_bound(); fd++) {
		if (!weir_marked(fd))
			continue;
		long flags = os_call(SYS_fcntl, fd, F_GETFD, 0, 0, 0, 0);
		if (unknown || (flags >= 0 && !(flags & FD_CLOEXEC)))
			return true;
	}
	return false;
}

static bool may_execute(const char *path)
{
	struct stat st;
	long error = os_call(SYS_faccessat2, AT_FDCWD, (long)path, X_OK, AT_EACCESS, 0, 0);

	if (error == -ENOSYS)
		error = os_call(SYS_faccessat, AT_FDCWD, (long)path, X_OK, 0, 0, 0);
	return error == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* Another architecture's programs run where the kernel has an interpreter for
 * them, or is itself of that architecture, too. */
static bool machine_runs(int fd)
{
	Elf32_Ehdr header;

	if (access("/proc/sys/fs/binfmt_misc/status", F_OK) == 0)
		return true;
	return file_read_at(fd, &header, sizeof(header), 0) == sizeof(header) &&
	       header.e_ident[EI_CLASS] == ELFCLASS32 && header.e_machine == EM_386;
}

/* False where the exec is going to fail: then the kernel says how. */
static bool will_start(const char *path, enum weir_reach reach)
{
	char interpreter[WEIR_INTERPRETER_SIZE];
	int fd = weir_program_open(path, interpreter);
	bool runs = fd < 0 || reach != WEIR_REACH_MACHINE || machine_runs(fd);

	if (fd >= 0)
		os_close(fd);
	return runs && may_execute(path) && (!interpreter[0] || may_execute(interpreter));
}

/* A file that may be executed and not read may be anything. One that is no
 * program gets as far as libc or the kernel lets it. */
static bool is_reached(const char *path, enum weir_reach reach)
{
	if (reach != WEIR_REACH_UNKNOWN)
		return reach == WEIR_REACH_FULL;
	int fd = file_open(path);
	if (fd >= 0)
		os_close(fd);
	return fd != -EACCES;
}

bool weir_must_carry(const char *path, enum weir_reach reach, char *const env[], bool spawned)
{
	if (!any_survives(spawned))
		return false;
	if (is_reached(path, reach) && weir_env_joins(env) && weir_can_join())
		return false;
	return will_start(path, reach);
}

bool weir_shell_is_lost(char *const env[])
{
	return any_survives(false) && !(weir_env_joins(env) && weir_can_join());
}

/* Beside the library: the build folder, then the installed layout. */
static bool find_command(char *path, size_t size)
{
	static const char *const beside[] = {"weir", "../../bin/weir"};
	const char *library = weir_library_name();

	if (!library || size < PATH_MAX || !realpath(library, path))
		return false;
	char *name = strrchr(path, '/') + 1;
	for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
		if (strlen(beside[i]) >= size - (size_t)(name - path))
			return false;
		strcpy(name, beside[i]);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

const char *weir_command(void)
{
	static char path[PATH_MAX];
	static weir_word32 known;   /* 1: found, 2: not there */

	if (load32_acquire(&known) == 0)
		store32_release(&known, find_command(path, sizeof(path)) ? 1 : 2);
	return load32_acquire(&known) == 1 ? path : NULL;
}
