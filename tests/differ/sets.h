/* Lines that ask for readiness: poll and select, and sets of epoll. */
#ifndef DIFFER_SETS_H
#define DIFFER_SETS_H

#include "world.h"

/* poll, select and the like. */
void ask_readiness(struct world *w, int actor);

/* Makes a set, changes one, or waits in it. */
void epoll(struct world *w, int actor);

#endif
