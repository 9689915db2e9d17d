/* Reading files where stdio, allocation and libc's (hooked) names are out of reach. */
#ifndef WEIR_BASE_FILE_H
#define WEIR_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Opens for reading, close-on-exec. Never waits (a FIFO), never becomes a
 * controlling terminal. Returns a descriptor or -errno; close with os_close(). */
int file_open(const char *path);

/* Reads up to `size` bytes at `offset`: fewer only at the end of the file.
 * Returns the count or -errno. */
ssize_t file_read_at(int fd, void *to, size_t size, uint64_t offset);

#endif
