/* Lines that make, pass, close and change ends, or ask for their state. */
#ifndef DIFFER_ENDS_H
#define DIFFER_ENDS_H

#include "world.h"

/* Each makes a line, or none where it is not possible now. */
void open_pair(struct world *w, int actor);
void close_one(struct world *w, int actor);
void duplicate(struct world *w, int actor);
void close_some(struct world *w, int actor);
void shut(struct world *w, int actor);
void pass(struct world *w, int actor);
void ask_state(struct world *w, int actor);
void set_state(struct world *w, int actor);

/* A wait that a timeout ends. */
void time_out(struct world *w, int actor);

/* A wait that a signal ends. */
void interrupt(struct world *w, int actor);

/* Calls that move no byte, and bad ones (odd.c). */
void ask_oddly(struct world *w, int actor);

#endif
