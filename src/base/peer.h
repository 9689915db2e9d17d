/* Which socket is connected to which: only the kernel knows (sock_diag(7)). */
#ifndef WEIR_BASE_PEER_H
#define WEIR_BASE_PEER_H

#include <stdint.h>

/* The inode of the socket that the AF_UNIX socket with inode `inode` is connected to,
 * in `*peer`; 0 where it is connected to none. 0, or -errno where the kernel does not
 * say. */
int weir_peer_of(uint64_t inode, uint64_t *peer);

#endif
