/* A process that runs programs: natively, or under weir. */
#ifndef DIFFER_WORKER_H
#define DIFFER_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct worker {
	char *const *argv; /* what to start; ends with `differ serve` */
	bool carried; /* its pairs must be weir's */
	pid_t pid; /* what was started; 0: nothing runs */
	pid_t inner; /* the one that serves */
	int in, out;
};

enum { ANSWER_MS_MAX = 20000 };

/* Gives it a program's text, to be run in one of several ways that time may take (stage.h);
 * starts it if need be. */
void worker_give(struct worker *w, const char *text, size_t length, unsigned int way);

/* Its trace, or what became of the worker. Ends one that does not answer in time: false. */
bool worker_answer(struct worker *w, char *trace, size_t size, int ms_max);

void worker_end(struct worker *w);

/* The other side: runs what comes in on 0 until that ends. */
int worker_serve(void);

#endif
