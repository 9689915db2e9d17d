/* The running sessions of this user, found by what /proc shows. */
#ifndef WEIR_CLI_SESSIONS_H
#define WEIR_CLI_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pair/session.h"

enum { WEIR_SESSIONS_MAX = 256 };

struct weir_found_session {
	uint32_t pid;               /* who keeps its file open: `weir run`, or the first process */
	uint32_t fd;
	uint64_t inode;             /* of the file: its identity */
};

/* Gives how many there are, at most WEIR_SESSIONS_MAX. */
size_t weir_sessions_find(struct weir_found_session found[WEIR_SESSIONS_MAX]);

/* Maps one as `weir_session`: that of process `pid` (its holder, or one that runs in
 * it), or the only one where `pid` is 0. False after one line on stderr. */
bool weir_session_open(uint32_t pid, struct weir_found_session *opened);

/* A copy of a descriptor of the end `side` of a pair, or -1 and, in `*why`, the
 * errno: ESRCH where no process is known to hold one. The caller closes it. */
int weir_session_borrow(uint32_t index, int side, int *why);

/* Why a session cannot be attached to: what weir_session_attach gave, in words. */
const char *weir_session_fault(int error);

#endif
