/* What is told of a call: one line. */
#ifndef DIFFER_TOLD_H
#define DIFFER_TOLD_H

#include "stage.h"

struct told {
	struct actor *me;
	size_t used;
};

__attribute__((format(printf, 2, 3))) void tell(struct told *t, const char *format, ...);

/* A count, or errno by name: then false. */
bool tell_result(struct told *t, long n);

/* Calls that have nothing to do with bytes, and calls with bad arguments (odd.c). */
void odd_call(struct told *t, int fd, int number);
void odd_receive(struct told *t, int fd, const struct call *c);
void odd_send(struct told *t, int fd, const struct call *c);
void odd_send_named(struct told *t, int fd, const struct call *c);

#endif
