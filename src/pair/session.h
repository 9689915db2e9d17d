/* A session: the memory that all processes of one run share. */
#ifndef WEIR_PAIR_SESSION_H
#define WEIR_PAIR_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/options.h"
#include "pair/layout.h"

struct weir_session {
	struct weir_header *header;
	struct weir_slot *slots;
	struct weir_life *lives;
	struct weir_board *boards;
	struct weir_retired *retired;
	struct weir_plan *plan;
	struct weir_slot_faults *faults; /* one for each slot */
	unsigned char *rings;
	/* Checked copies of the header's constants: shared words may be damaged. */
	uint64_t file_size;
	uint64_t ring_span;
	uint32_t slot_count;
	/* Which file it is. */
	uint64_t device;
	uint64_t inode;
};

/* Makes a session of its own file (memfd, mode 0600, close-on-exec) and maps it.
 * `plan`: copied; NULL for one without rules. Gives the file's descriptor in `fd`, owned by the caller.
 * Returns 0 or -errno. */
int weir_session_create(struct weir_session *s, const struct weir_config *config,
                        const struct weir_plan *plan, int *fd);

/* Beside errnos, why a process is not in the session, or makes no marked pairs. */
enum {
	WEIR_TROUBLE_FILTER = 5001,
	WEIR_TROUBLE_NAMESPACE,
	WEIR_TROUBLE_COOKIE,
};

/* What such an error means, for people. */
const char *weir_session_trouble(int error);

/* Maps the session behind `path` (as WEIR_SESSION names it) and leaves no
 * descriptor open. Returns 0 or -errno; -EPROTO where the file is no session of
 * this version, -EBADMSG where it is one and damaged. */
int weir_session_attach(struct weir_session *s, const char *path);

/* The same for a program that starts: not behind a seccomp filter of its own, where
 * nothing is called that the loader has not called. */
int weir_session_join(struct weir_session *s, const char *path);

/* Can a program that starts now map this session, by the open file `fd`? */
bool weir_session_can_map(const struct weir_session *s, int fd);

/* Maps the session of an open file. The descriptor stays the caller's. */
int weir_session_map(struct weir_session *s, int fd);

void weir_session_unmap(struct weir_session *s);

/* The statistics of direction `direction` (0: a to b) of a slot in use. */
struct weir_pipe_stats weir_slot_stats(const struct weir_slot *slot, int direction);

/* Tells on stderr which rules fired, and which did not, a line each. */
void weir_session_report(const struct weir_session *s);

/* How many rules never fired. */
uint32_t weir_session_unfired(const struct weir_session *s);

/* Writes the session's statistics as one JSON object and a newline to `fd`.
 * Returns 0 or -errno. Allocates nothing. */
int weir_session_write_stats(const struct weir_session *s, int fd);

#endif
