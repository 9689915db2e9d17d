/* The options of a run: one table that parses, helps, documents and is tested.
 *
 * An option has two spellings: a flag of `weir run` and an environment variable
 * that libweir.so reads when it starts. Both take the same text.
 */
#ifndef WEIR_BASE_OPTIONS_H
#define WEIR_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/* What Linux gives an AF_UNIX socket: net.core.wmem_default (socket(7)). */
	WEIR_CAPACITY_DEFAULT = 212992,
	WEIR_MAX_PAIRS_DEFAULT = 32768,
	WEIR_MAX_PAIRS_MAX = 65536,
	WEIR_TEXTS_MAX = 62,
};

/* Largest capacity of one direction, in bytes. */
#define WEIR_CAPACITY_MAX (UINT64_C(1) << 32)

/* What options that may be given several times were given, in order. The texts
 * are read by the layer that knows their language (fault/load.h). */
struct weir_texts {
	uint32_t count;
	const char *name[WEIR_TEXTS_MAX]; /* how the user called the option */
	const char *text[WEIR_TEXTS_MAX]; /* borrowed */
};

struct weir_config {
	uint64_t capacity;          /* bytes per direction */
	bool capacity_given;        /* the user named it: wins over SO_SNDBUF */
	bool writable_at_given;     /* --writable-at was named */
	bool writable_at_percent;   /* ... as a percentage of the capacity */
	uint64_t writable_at;       /* room in bytes, or percent 1..100 */
	uint32_t max_pairs;
	bool verbose;
	bool no_follow;             /* leave a cleaned environment alone at exec */
	bool allow_unreachable;     /* run what preloading cannot reach (command only) */
	bool strict;                /* a rule that never fired fails the run */
	bool quiet;                 /* say nothing of rules at the end */
	bool fail_on_deadlock;
	bool chaos;
	bool seed_given;
	uint64_t seed;
	struct weir_texts faults;   /* rules */
	struct weir_texts faults_files;
	struct weir_texts marks;
	struct weir_texts capacities; /* for some pairs only */
	const char *name;           /* of the option that is being set */
	const char *stats;          /* file name, "-" for stdout, NULL for none; borrowed */
};

struct weir_option {
	const char *flag;           /* "--capacity" */
	const char *variable;       /* "WEIR_CAPACITY"; NULL where only the command has it */
	const char *argument;       /* "N[K|M|G]", NULL for a switch (variable: 0 or 1);
	                             * "[=N]" may be left out */
	const char *help;           /* one or two lines for people */
	/* Parses `text` into `config`. Returns NULL, or what is allowed, as the end
	 * of the sentence "--capacity: 'x' is not ...". */
	const char *(*set)(struct weir_config *config, const char *text);
};

extern const struct weir_option weir_options[];
extern const size_t weir_options_count;

/* The configuration of a run in which nothing was said. */
struct weir_config weir_config_default(void);

/* The option whose flag is the first `length` bytes of `flag`, or NULL. */
const struct weir_option *weir_option_find(const char *flag, size_t length);

/* Sets one option. `name` is how the user called it: the flag or the variable.
 * Returns false after one line on stderr that says what is allowed. */
bool weir_option_set(const struct weir_option *option, struct weir_config *config,
                     const char *name, const char *text);

/* Sets what the variables in `environment` (as environ; NULL is empty) say. An
 * empty variable says nothing. Texts are borrowed. Needs no initialised libc.
 * Returns false after one line on stderr for each that is not allowed, those
 * options keep what they had. */
bool weir_config_from_environment(struct weir_config *config, char *const environment[]);

#endif
