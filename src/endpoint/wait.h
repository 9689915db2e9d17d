/* How one end waits: by looking for a while, then in the kernel. */
#ifndef WEIR_ENDPOINT_WAIT_H
#define WEIR_ENDPOINT_WAIT_H

#include "base/os.h"
#include "endpoint/endpoint.h"

/* What a wait ended with, beside -errno and WEIR_TO_KERNEL. */
enum {
	WEIR_WAIT_ENDED = 0,        /* end of file; or a wait in mid-transfer must stop */
	WEIR_WAIT_AGAIN = 1,        /* look again */
};

/* What one call of the program knows from wait to wait. */
struct weir_waits {
	struct os_handled since;    /* handlers that ran before it */
	bool force;                 /* a bell proved stale */
};

static inline struct weir_waits weir_waits_begin(void)
{
	return (struct weir_waits){.since = os_handled()};
}

/* Has a handler run that would have ended the call, had it slept all the while? To be asked
 * before it does. `moved`: the call has moved bytes already, so that any handler ends it. One
 * that only starts it again is forgotten, unless there is something to do by now. */
bool weir_waits_end(struct weir_waits *waits, const struct weir_end *end, int op, bool moved);

/* Waits for input. `moved`: as above. */
int weir_wait_input(const struct weir_end *end, int flags, bool moved, struct weir_waits *waits);

/* Takes both locks of a pipe, for its reader, who finds it empty: 0, or -errno. What a writer
 * at work brings meanwhile comes first: then WEIR_WAIT_AGAIN, and no lock. */
int weir_wait_lock(const struct weir_pipe_ref *ref);

/* Follows the writer to the kernel once the ring is empty; what the program set
 * on the socket, and was kept from the bells, goes along. Does the kernel carry now? Both locks. */
bool weir_end_follow(const struct weir_end *end);

/* Waits for more of what the kernel carries, in mid-transfer: WEIR_WAIT_AGAIN, or else the
 * call ends with what it has. */
int weir_wait_behind(const struct weir_end *end, int flags);

/* A receive that began in the ring, and may go on behind it (behind.c). */
struct weir_behind {
	struct weir_span span;      /* where the rest goes */
	size_t len;                 /* of the whole call */
	size_t target;              /* bytes that end it */
	int flags;                  /* of recv(2) */
	struct msghdr *msg;         /* NULL: the call has none */
	bool by_kernel;             /* the kernel has filled in all of `msg` */
};

/* `total`: bytes that came before. Gives all that came, where the kernel carries now. */
size_t weir_receive_behind(const struct weir_end *end, struct weir_behind *b, size_t total);

/* Waits for room, of at least min(left, half the capacity) where that is kind. */
int weir_wait_room(const struct weir_end *end, int flags, bool moved, size_t left,
                   struct weir_waits *waits);

/* Looks for a while until `ready(of)`, where that is likely to pay; or until a handler has run
 * `since`. `likely`: the end whose peer is likely to make it so by a write, or a read; what is
 * learnt is that one's. */
bool weir_wait_looking(const struct weir_end *likely, bool reads, bool (*ready)(const void *),
                       const void *of, struct os_handled since);

/* Looks for a while whether one of a few ends is ready for what poll asks of it, POLLIN or
 * POLLOUT, in the same way. */
bool weir_wait_ready(const struct weir_end *ends, const short *events, int count,
                     struct os_handled since);

/* Who holds the writer's lock, and may have woken this thread, is about to leave it: he needs
 * the processor, not a queue there. */
void weir_give_way(const struct weir_pipe *pipe);

/* Notes that this process reads, or writes, for the peer that will not hear of its end. */
void weir_note_life(weir_word32 *whose);

/* This thread goes to sleep in a direction: for who asks what everybody waits for.
 * `op`: 0 to read, 1 to write. NULL where there is no place to note it. */
struct weir_sleeper *weir_sleep_begins(const struct weir_end *end, int op);
void weir_sleep_deepens(struct weir_sleeper *sleeper); /* the kernel is asked now */
void weir_sleep_ends(struct weir_sleeper *sleeper);

/* At least so many threads of this process have noted that they sleep. */
uint32_t weir_sleeping_here(void);

/* Calls in the short way between two notes of that. */
enum { WEIR_NOTE_EVERY = 16 };

/* Notes where this thread runs, for the peer that may wait by looking. */
void weir_note_cpu(weir_word32 *where);

#endif
