/* Which programs preloading reaches. No allocation, no stdio, no hooked names:
 * the command asks before it starts a program, the hooks of exec before each. */
#ifndef WEIR_BASE_REACH_H
#define WEIR_BASE_REACH_H

#include <stdbool.h>

enum {
	WEIR_INTERPRETERS_MAX = 5,  /* `#!` lines followed, as many as the kernel does */
	WEIR_INTERPRETER_SIZE = 256,
};

enum weir_reach {
	WEIR_REACH_FULL,
	WEIR_REACH_PARTLY,          /* libc is there, but some calls go around it (Go with cgo) */
	WEIR_REACH_UNKNOWN,         /* unreadable, or no ELF file: exec will tell */

	/* From here on it is not reached. */
	WEIR_REACH_STATIC,
	WEIR_REACH_GO,              /* Go without libc */
	WEIR_REACH_MACHINE,         /* another architecture than this code */
	WEIR_REACH_PRIVILEGED,      /* set-uid, set-gid, file capabilities */
	WEIR_REACH_OTHER_LIBC,      /* musl and the like */
};

static inline bool weir_reach_is_none(enum weir_reach reach)
{
	return reach >= WEIR_REACH_STATIC;
}

/* The program in the open file `fd`; follows `#!` lines. */
enum weir_reach weir_reach_of(int fd);
enum weir_reach weir_reach_of_path(const char *path);

/* Why, as the end of the sentence "PROGRAM ...". */
const char *weir_reach_reason(enum weir_reach reach);

/* Opens the file that the kernel will load for `path`: follows `#!` lines. Puts
 * the name of the last interpreter into `name`, "" where `path` is no script.
 * Returns a descriptor (close with os_close()) or -errno. */
int weir_program_open(const char *path, char name[WEIR_INTERPRETER_SIZE]);

#endif
