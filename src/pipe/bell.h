/* The bell: keeps the kernel's idea of readiness in step with the ring's.
 *
 * A socket's own queue holds one-byte bells. R: a ring with bytes has a bell in
 * the queue. W: a ring with room is a socket that the kernel calls writable.
 * Each function works on the descriptor of the end that its caller holds.
 */
#ifndef WEIR_PIPE_BELL_H
#define WEIR_PIPE_BELL_H

#include "pipe/pipe.h"

/* With a publication: makes sure that the reader's end is readable, and that
 * watchers of edges see one. Writer lock, the writer's descriptor.
 * 0 or -EPIPE (nobody will ever read), -EBADF and the like. */
int weir_bell_ring(const struct weir_pipe_ref *ref, int fd);

/* Receives every bell that is not needed: all but one while the ring holds
 * bytes, else all; ends a saturation. Both locks, the reader's descriptor. */
void weir_bell_settle(const struct weir_pipe_ref *ref, int fd);

/* Makes the kernel say that there is no room, until the reader has made room of
 * `wake_at` bytes. Writer lock, the writer's descriptor. The caller looks at
 * the ring again afterwards: room that came meanwhile is reported by no one. */
void weir_bell_saturate(const struct weir_pipe_ref *ref, int fd, enum weir_saturation how,
                        uint64_t wake_at);

/* Makes the kernel say that there is room. Writer lock, the writer's end. */
void weir_bell_make_writable(const struct weir_pipe_ref *ref, int fd);

/* An address that may be given to the kernel and cannot be read: a blocking
 * send from it waits for room as any other, then fails with EFAULT and leaves
 * nothing in the queue (unix_stream_sendmsg allocates before it copies). */
const void *weir_bell_unreadable(void);

/* Ends the bells: from now on the kernel's queue carries what is written. To be called
 * before anything is, also where another process handed over: it may have died in the
 * act. Writer lock, the writer's end. 0 or -errno. */
int weir_bell_hand_over(const struct weir_pipe_ref *ref, int fd);

/* The same where nothing is under way, so that there are no bells to end: the kernel carries
 * at once, and the first that a reader or a watcher hears of is the first message. False
 * where it is not so. Both locks, the writer's end. */
bool weir_bell_hand_over_idle(const struct weir_pipe_ref *ref, int fd);

/* Is the kernel to carry what is written now? */
bool weir_bell_is_handed_over(const struct weir_pipe_ref *ref);

/* Is this received byte the one that ends the bells? */
bool weir_bell_is_last(const struct weir_pipe_ref *ref, unsigned char byte);

/* Once the ring has drained after a hand-over: receives what is left of the
 * bells. Both locks, the reader's end. True when the kernel carries now; false where the
 * ring holds bytes, or the marker is yet to come. */
bool weir_bell_follow(const struct weir_pipe_ref *ref, int fd);

/* How many bells the kernel's queue has before the marker that ends them; -1: there is none.
 * Both locks, the reader's end. */
int weir_bell_marker_at(const struct weir_pipe_ref *ref, int fd);

/* Bytes that the kernel's queue carries behind the bells, after a hand-over. */
uint64_t weir_bell_queued_behind(const struct weir_pipe_ref *ref, int fd);

#endif
