/* A program of calls on socketpairs, as text: one call a line,
 *
 *	ACTOR[&] CALL ARGUMENT...
 *
 * An actor is a thread: 0 is the one that all others come from, by `thread` and `fork`.
 * Calls are made one after the other, whoever makes them. With & the call may wait: the next line
 * comes when it has returned or is seen asleep. Descriptors are places, d0 to d23: each
 * process has its own. */
#ifndef DIFFER_PROGRAM_H
#define DIFFER_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

enum {
	PLACES = 24,
	ACTORS = 4,
	LINES_MAX = 256,
	LIST_MAX = 6,
	ARGUMENTS_MAX = 5,
	TEXT_MAX = 64 * 1024, /* of a program */
};

enum call_number {
#define CALL(name, kinds) CALL_##name,
#include "calls.def"
#undef CALL
	CALLS
};

struct call {
	unsigned char number; /* enum call_number */
	unsigned char actor;
	bool may_wait;
	unsigned char listed;
	int a[ARGUMENTS_MAX]; /* as the call's kinds say */
	struct {
		int place;
		int value; /* a length, or events, or nothing */
	} list[LIST_MAX];
};

struct program {
	int lines;
	bool races; /* time has a say: the text begins with "# races" */
	struct call line[LINES_MAX];
};

/* What the letters of calls.def stand for. */
enum kind {
	KIND_PLACE = 'd',
	KIND_NUMBER = 'n',
	KIND_ACTOR = 'a',
	KIND_LENGTHS = 'v', /* 3,0,17 */
	KIND_POLLED = 'p', /* d0:in|out,d1:in */
	KIND_MAYBE = 'm', /* d0,d1 */
	KIND_FLAGS = 'f', /* of recv and send */
	KIND_OPEN = 't', /* of a new descriptor */
	KIND_HOW = 'h', /* of shutdown */
	KIND_EVENTS = 'e', /* of epoll */
	KIND_ENTRY = 'c', /* add, mod, del */
	KIND_OPTION = 'o', /* of setsockopt */
	KIND_REQUEST = 'r', /* of ioctl */
	KIND_RESTART = 's', /* of sigaction */
	KIND_WAY = 'w', /* which of several calls that do the same */
};

extern const char *const call_names[CALLS];
extern const char *const call_kinds[CALLS];

/* One line, without its end; what snprintf gives. */
int call_print(const struct call *call, char *text, size_t size);

/* False where the line is no call. */
bool call_parse(struct call *call, const char *line);

size_t program_print(const struct program *program, char *text, size_t size);

/* Lines that are empty or begin with # are skipped. Gives the number of the first line that is no call; 0: none. */
int program_parse(struct program *program, const char *text);

#endif
