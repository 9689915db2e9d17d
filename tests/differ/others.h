/* Lines that move bytes between ends and other descriptors. */
#ifndef DIFFER_OTHERS_H
#define DIFFER_OTHERS_H

#include "world.h"

/* sendfile, splice and tee, between ends, pipes and files. */
void transfer(struct world *w, int actor);

/* Takes all that is there, so that what is there is known. */
void settle_way(struct world *w, int actor);

#endif
