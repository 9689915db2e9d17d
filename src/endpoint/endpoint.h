/* The POSIX rules of one end: what a program sees of a marked descriptor.
 *
 * Functions give a count, 0 or -errno, and WEIR_TO_KERNEL where the kernel
 * carries (from now on): the caller then makes the real call itself.
 * All are safe to call from several threads and from signal handlers.
 */
#ifndef WEIR_ENDPOINT_ENDPOINT_H
#define WEIR_ENDPOINT_ENDPOINT_H

#include <sys/socket.h>

#include "endpoint/table.h"

#define WEIR_TO_KERNEL (-5000)

/* Receives into the span's `len` bytes, `flags` as recv(2). */
ssize_t weir_end_receive(const struct weir_end *end, struct weir_span span, size_t len, int flags);

/* Sends the span's `len` bytes, `flags` as send(2). */
ssize_t weir_end_send(const struct weir_end *end, struct weir_span span, size_t len, int flags);

/* Waits for room as a send would, and sends nothing. 0 or -errno. */
int weir_end_await_room(const struct weir_end *end, int flags);

/* The short ways of both, of one piece of memory, for calls that have nothing else to
 * do. `entry`: what the table says of `fd`. 0 where that is not so: then nothing has moved. */
size_t weir_end_receive_quick(uint64_t entry, int fd, void *bytes, size_t n);
size_t weir_end_send_quick(uint64_t entry, int fd, const void *bytes, size_t n);

/* Bytes were taken from a ring that was full for somebody: whoever is to be told of the room
 * hears of it. Reader lock. Not inlined: it would have the short ways save registers. */
__attribute__((noinline)) void weir_end_settle_room(uint64_t entry, int fd);

/* As sendmsg and recvmsg where a rule concerns the end (faulty.h); `len`: of all
 * buffers. A message that goes out is the kernel's to carry, with its control data.
 * `by_kernel`: the kernel has filled in all of `msg`, as otherwise nobody has. */
ssize_t weir_end_send_message(const struct weir_end *end, const struct msghdr *msg, size_t len,
                              int flags);
ssize_t weir_end_receive_message(const struct weir_end *end, struct msghdr *msg, size_t len,
                                 int flags, bool *by_kernel);

/* Makes the kernel carry what this end writes, as soon as there is no writer at
 * work. 0 or -errno. */
int weir_end_hand_over(const struct weir_end *end);

/* The same with the writer lock. */
int weir_end_hand_over_locked(const struct weir_end *end);

/* Bytes that a receive would find now (FIONREAD). */
uint64_t weir_end_available(const struct weir_end *end);

/* Makes the kernel's idea of the descriptor's readiness exact, for the poll
 * events that somebody is about to ask for. */
void weir_end_make_exact(const struct weir_end *end, short events);

/* What the kernel said of the descriptor, less what is not so: a stale bell, a
 * reset that only bells made. */
short weir_end_true_events(const struct weir_end *end, short revents);

/* Somebody asks the kernel without asking us from now on: epoll, SIGIO. */
void weir_end_watch(const struct weir_end *end, short events, bool edges);

/* Just before and after the real close of a descriptor that was taken out of
 * the table. `last`: what weir_table_remove gave. */
void weir_end_before_close(const struct weir_end *end, bool last);
void weir_end_after_close(const struct weir_end *end, bool last);

/* Before a real shutdown(2): whoever sees its effect must find the writers wary. And the
 * state after a successful one. */
void weir_end_before_shutdown(const struct weir_end *end);
void weir_end_after_shutdown(const struct weir_end *end);

/* A child process has gone, or may have: writers ask whether their peer lives. */
void weir_endpoints_suspect(void);

/* The process ends: no stale bell may look like unread data. */
void weir_endpoints_before_exit(void);

/* An end may leave the process: its identity is noted for who finds it. */
void weir_end_identify(const struct weir_end *end);

/* May the peer's end be another process's, too, or have been? */
static inline bool weir_end_peer_was_shared(const struct weir_end *end)
{
	return load64_acquire(&end->slot->end[!end->side].cookie) != 0;
}
void weir_endpoints_before_fork(void);
void weir_endpoints_fork_failed(void);

/* SO_SNDBUF as the program set it; the capacity follows where none was given. */
void weir_end_set_sndbuf(const struct weir_end *end, uint32_t value);

/* Sets the capacity of what this end writes, whatever else says otherwise, and wakes who
 * waits for the room. -EINVAL: 0, or too much for the storage; -EOPNOTSUPP: the
 * kernel carries; or what weir_pipe_lock gives. */
int weir_end_set_capacity(const struct weir_end *end, uint64_t bytes);

/* Takes the ECONNRESET that a fault left for this end, as SO_ERROR does. */
bool weir_end_take_reset(const struct weir_end *end);

/* The peer closed with unread data, or only with unread bells? */
bool weir_end_reset_is_true(const struct weir_end *end);

#endif
