/* What /proc tells of processes (proc(5)). Allocates nothing; async-signal-safe. */
#ifndef WEIR_BASE_PROC_H
#define WEIR_BASE_PROC_H

#include <stdbool.h>
#include <stdint.h>

/* Acts on each numbered entry of a folder ("/proc", "/proc/7/task", "/proc/7/fd")
 * until `act` returns false. False where it did, or where the folder cannot be
 * read. */
bool proc_each(const char *folder, bool (*act)(void *context, uint32_t number), void *context);

/* The inode of the socket behind a process's descriptor; 0 where it is none. */
uint64_t proc_socket_inode(uint32_t pid, uint32_t fd);

/* Signals for which the process has a handler: bit N - 1 for signal N. */
bool proc_caught_signals(uint32_t pid, uint64_t *signals);

/* What a thread does: 'S' where it sleeps; 0 where it has gone. */
char proc_thread_state(uint32_t pid, uint32_t tid);

/* The process's name; "?" where it cannot be read. */
void proc_name(uint32_t pid, char *name, unsigned int size);

#endif
