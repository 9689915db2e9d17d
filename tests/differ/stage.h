/* Where a program runs: its actors, in memory that its processes share. */
#ifndef DIFFER_STAGE_H
#define DIFFER_STAGE_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "program.h"

enum {
	RESULT_MAX = 512,
	TRACE_MAX = 256 * 1024,
	STAGE_FD = 500, /* own descriptors are here and above */
};

enum actor_state {
	ACTOR_ABSENT,
	ACTOR_IDLE,
	ACTOR_GIVEN, /* it has a call to make */
	ACTOR_DONE, /* with its result */
	ACTOR_LEAVES, /* is to end */
};

struct actor {
	_Atomic uint32_t state;
	_Atomic int pid;
	_Atomic int tid;
	int process; /* whose places it uses */
	int line;
	struct call call;
	char result[RESULT_MAX];
	_Atomic uint32_t usr1; /* signals handled since the last result */
	_Atomic uint32_t handled; /* since the start */
	_Atomic uint32_t pipes; /* SIGPIPEs */
	_Atomic uint32_t cancelled; /* free-running calls give up */
	_Atomic int handler_gave; /* what the handler's send gave, + 1000 */
	int timer_ms; /* around the next call */
};

struct stage {
	struct actor actor[ACTORS];
	int place[ACTORS][PLACES]; /* by process */
	int handler_fd; /* what SIGUSR1's handler sends to; -1: nothing */
	int handler_bytes;
	long filled; /* what the last fill put in */
	long nibbled; /* and what is gone of it */
	int filled_line;
	unsigned int way;
};

extern struct stage *stage;

/* This thread. */
extern _Thread_local struct actor *self;

/* Makes the stage, before anything else runs. */
void stage_open(void);

/* In a program that actor `number` has become by exec. */
void stage_join(int number) __attribute__((noreturn));

/* Runs the program; its trace is one line for each result. Gives its length. Of two that could
 * go on, who does first is another's choice with each `way`; 0: the kernel's. */
size_t stage_run(const struct program *program, unsigned int way, char *trace, size_t size);
enum {
	STAGE_WAYS = 4,
	STAGE_APART = 4,            /* beside them: the messages of one call come one after the other, ... */
	STAGE_ALL_WAYS = 8,         /* ... as where others have their turn in the middle of it */
};

/* Makes one call; the text of its result goes to the actor. call.c */
void call_run(struct actor *me);

/* For calls that make actors. */
void actor_start_thread(int number);
void actor_start_process(int number);
void actor_become_again(void);

#endif
