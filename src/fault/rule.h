/* One rule of a plan: which calls, what happens to them, and when.
 *
 *	OPS:EFFECT[:WHEN...][:WHERE...]
 *
 *	OPS     read | write | any
 *	EFFECT  short[=N] | error=ERRNO | eof | hangup | reset | stall |
 *	        delay=TIME[..TIME] | rate=BYTES/s | discard | corrupt[=N]
 *	WHEN    when=F | when=F..[L] | when=F+[S] | when=F..L+S | at=OFFSET |
 *	        match=TEXT | p=PROB | times=N
 *	WHERE   pair=N | side=a|b | comm=GLOB | pid=N
 *
 * (weir-fault(7)). WHEN and WHERE words come in any order, each at most once. A
 * colon inside a word is written "\:".
 *
 * - N of short and corrupt, BYTES and OFFSET are sizes (64, 16K, 1M, 1G): N up to
 *   4G, BYTES up to 1024G, OFFSET from 0 and below 2^63. Other numbers begin at 1.
 * - ERRNO is a name that this platform knows, second names (EWOULDBLOCK) too, or a
 *   number that has one.
 * - TIME is a decimal number with its unit, ns, us, ms or s: whole nanoseconds, at
 *   most an hour. The first of two may be 0, and is not above the second.
 * - when=F is the F-th call alone. F+S and F+ (S is 1) have no end, as strace's; nor
 *   has "F..".
 * - TEXT has 1 to 64 bytes, after the escapes \: \\ \n \r \t \0 (never octal) \xHH.
 * - PROB is a decimal fraction or a percentage, rounded to the nearest of 2^32
 *   steps. One that rounds to 0 is refused: it would never fire.
 * - GLOB is 1 to 63 bytes, as weir_glob_match takes it; a '[' that nothing closes
 *   is refused.
 * - at= stands neither beside when= nor beside match=. rate is a state of a
 *   direction: it takes no when=, p= or times=. discard goes with write alone, not
 *   with any: what is read has come already.
 *
 * A parsed rule holds no pointer and has a fixed width, so that it can lie in the
 * session's memory; equal texts give equal bytes.
 */
#ifndef WEIR_FAULT_RULE_H
#define WEIR_FAULT_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	WEIR_RULE_TEXT_SIZE = 256,  /* of a rule as it was written, with its null byte */
	WEIR_MATCH_MAX = 64,        /* bytes that match= may look for */
	WEIR_GLOB_SIZE = 64,
	WEIR_SIDE_ANY = 2,          /* beside 0 (a) and 1 (b) */
};

enum weir_ops {
	WEIR_OPS_READ = 1,
	WEIR_OPS_WRITE = 2,
	WEIR_OPS_ANY = 3,
};

enum weir_effect {
	WEIR_EFFECT_SHORT,
	WEIR_EFFECT_ERROR,
	WEIR_EFFECT_EOF,
	WEIR_EFFECT_HANGUP,
	WEIR_EFFECT_RESET,
	WEIR_EFFECT_STALL,
	WEIR_EFFECT_DELAY,
	WEIR_EFFECT_RATE,
	WEIR_EFFECT_DISCARD,
	WEIR_EFFECT_CORRUPT,
};

/* Which ends. Zeroes, and WEIR_SIDE_ANY, match all. */
struct weir_where {
	uint64_t pair;              /* number of the pair */
	uint64_t nth;               /* which pair of its process (--mark only) */
	uint32_t pid;
	uint32_t side;
	char comm[WEIR_GLOB_SIZE];  /* glob of a command name, as prctl(PR_GET_NAME); "": any */
	char exe[WEIR_GLOB_SIZE];   /* glob of a program's path (--mark only) */
};

struct weir_rule {
	uint32_t ops;               /* enum weir_ops */
	uint32_t effect;            /* enum weir_effect */
	uint64_t amount;            /* short: bytes; error: errno; rate: bytes/s; corrupt: bytes */
	uint64_t delay_ns[2];       /* from, to; equal where nothing is drawn */

	/* When. Conditions that were not named hold always. */
	uint64_t first;             /* matching call, from 1; 0: when= was not named */
	uint64_t last;              /* UINT64_MAX: without end */
	uint64_t step;              /* at least 1 */
	uint64_t at;                /* byte of the direction; UINT64_MAX: at= was not named */
	uint64_t probability;       /* of 2^32; 2^32: always */
	uint64_t times;             /* 0: without end */
	uint32_t match_length;      /* 0: match= was not named */
	unsigned char match[WEIR_MATCH_MAX];

	struct weir_where where;
	char text[WEIR_RULE_TEXT_SIZE]; /* as it was written */
};

enum { WEIR_ALLOWED_SIZE = 200 };

/* What is wrong with a text, and where. */
struct weir_rule_error {
	size_t column;              /* of the first wrong byte, from 1 */
	size_t length;              /* of what is wrong; 0 where something is missing */
	char allowed[WEIR_ALLOWED_SIZE]; /* what may stand there, as the end of "expected ..." */
};

/* Parses a rule. False leaves `rule` as it was. */
bool weir_rule_parse(struct weir_rule *rule, const char *text, struct weir_rule_error *error);

/* Parses a rule for the calls of one end: its text may not have pair= and side=. */
bool weir_rule_parse_for_end(struct weir_rule *rule, const char *text, uint64_t pair,
                             uint32_t side, struct weir_rule_error *error);

/* Parses the words of --mark and --capacity: "pair=2,side=b". `length` bytes of
 * text; a comma inside a word is written "\,". At least one word. `mark`: nth= and
 * exe= are allowed, and side= is not. False leaves `where` as it was. */
bool weir_where_parse(struct weir_where *where, const char *text, size_t length, bool mark,
                      struct weir_rule_error *error);

/* Is `name` one that the glob means (fnmatch(3), without flags; bytes, and no
 * [:classes:])? Time: at most both lengths multiplied. Async-signal-safe. */
bool weir_glob_match(const char *glob, const char *name);

#endif
