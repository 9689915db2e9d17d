/* Lines that move bytes. */
#ifndef DIFFER_TRAFFIC_H
#define DIFFER_TRAFFIC_H

#include "world.h"

/* Of a list of buffers, 0 to LIST_MAX of them. Gives their sum. */
int lengths(struct world *w, struct call *c);

/* MSG_*, at random. */
int receive_flags(struct world *w);
int send_flags(struct world *w);

/* What has come is less than what ends the call, or that is not known. */
bool receive_may_wait(struct world *w, const struct object *o, int length, int flags, int messages);

/* The end received n bytes with these flags. */
void take(struct world *w, const struct object *o, int n, int flags);

/* One who is woken to read and one who is woken to look: whether there is still something
 * to see, only time tells. */
bool anybody(struct world *w, bool looks);

/* A call that receives, or tries to, and what follows from it. */
void receive(struct world *w, int actor, int place, enum call_number number);

/* Who asks for room of a full direction makes an edge (differences/). */
bool asking_is_seen(struct world *w, const struct object *o);

/* Does the kernel take that many messages of that length in all, and still call it writable? */
bool fits(const struct way *out, int length, int messages);

/* As receive. */
void send_bytes(struct world *w, int actor, int place, enum call_number number);

/* Calls that cannot be: what they do to bytes that are there is not followed. */
void misuse(struct world *w, int actor, int place, enum call_number number);

/* More than the kernel calls writable, but not more than fits. */
void send_much(struct world *w, int actor, int place);

/* Until nothing more goes in. */
void fill(struct world *w, int actor, int place);

/* By an actor that holds the other end: takes all of what fills, or a part. */
bool unfill(struct world *w, bool all);

#endif
