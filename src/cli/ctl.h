/* weir ctl: what its subcommands share. */
#ifndef WEIR_CLI_CTL_H
#define WEIR_CLI_CTL_H

#include "cli/sessions.h"
#include "endpoint/faulty.h"

struct weir_ctl {
	const char *name;           /* of the subcommand */
	char **words;               /* what follows it, ends in NULL; borrowed */
	int count;
	bool json;
	uint32_t pid;               /* --session */
	struct weir_found_session session;
};

/* Each gives an exit status. All but the first have an open session. */
int weir_ctl_list(struct weir_ctl *c);
int weir_ctl_pairs(struct weir_ctl *c);
int weir_ctl_fault(struct weir_ctl *c);
int weir_ctl_capacity(struct weir_ctl *c);
int weir_ctl_stall(struct weir_ctl *c);
int weir_ctl_release(struct weir_ctl *c);
int weir_ctl_end(struct weir_ctl *c); /* hangup, reset, eof */

/* PAIR[.SIDE] */
struct weir_ctl_target {
	uint32_t index;
	uint32_t generation;
	int side;                   /* WEIR_SIDE_ANY where none was named */
	int fd[2];                  /* borrowed from the program, or -1 */
	int why[2];                 /* errno, where it is -1 */
};

/* False after one line on stderr. Descriptors that cannot be had are -1. */
bool weir_ctl_target_find(const struct weir_ctl *c, const char *text, struct weir_ctl_target *t);
void weir_ctl_target_borrow(struct weir_ctl_target *t);
void weir_ctl_target_return(struct weir_ctl_target *t);

/* The end `side` of the target, seen through a borrowed descriptor. */
struct weir_end weir_ctl_end_of(const struct weir_ctl_target *t, int side);

/* Wakes whoever sleeps in the pair, so that it sees a change. `hold`: also who polls. */
void weir_ctl_nudge(struct weir_ctl_target *t, bool hold);

/* Each pair in use, by number; the order is that of the numbers. */
void weir_ctl_each_pair(void (*act)(struct weir_ctl *c, uint32_t index), struct weir_ctl *c);

/* A JSON string: bytes outside printable ASCII become \u00XX. */
void weir_ctl_json_text(const char *text);

/* "{"ok":true}" where JSON is wanted; 0. */
int weir_ctl_done(const struct weir_ctl *c);

#endif
