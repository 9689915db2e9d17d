/* What is wrong, where, and what would be right: the rules that people mistype. */
#include <stdlib.h>

#include "base/test.h"
#include "fault/rule.h"

#define MATCH_64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define EFFECTS "short, error=ERRNO, eof, hangup, reset, stall, delay=TIME, rate=BYTES/s"
#define READ_EFFECTS EFFECTS " or corrupt"
#define WRITE_EFFECTS EFFECTS ", discard or corrupt"
#define WORDS                                                                                      \
	"when=F..L+S, at=OFFSET, match=TEXT, p=PROB, times=N, pair=N, side=a|b, comm=GLOB or pid=N"
#define COUNT "a number from 1 to 9223372036854775807"
#define SIZE "a size from 1 to 4G, such as"
#define ERRORS "an error's name, such as EIO or ECONNRESET, or its number"
#define RATE "a rate from 1/s to 1024G/s, such as 100K/s"
#define TIME "a time, such as 250us, 0.5ms or 2s"
#define UNIT "a unit: ns, us, ms or s"
#define PROBABILITY "a probability from 0.000000001 to 1, such as 0.01, or 1%"
#define ESCAPE "\\:, \\\\, \\n, \\r, \\t, \\0 or \\xHH"
#define GLOB "a glob of 1 to 63 bytes, such as ssh*"

struct wrong {
	const char *text;
	size_t column, length;
	const char *allowed;        /* its beginning */
};

static const struct wrong rules[] = {
	/* operations */
	{ "", 1, 0, "read, write or any" },
	{ ":", 1, 0, "read, write or any" },
	{ ":eof", 1, 0, "read, write or any" },
	{ "wirte:eof", 1, 5, "read, write or any" },
	{ "WRITE:eof", 1, 5, "read, write or any" },
	{ " write:eof", 1, 6, "read, write or any" },
	{ "write :eof", 1, 6, "read, write or any" },
	{ "reads:eof", 1, 5, "read, write or any" },
	{ "read,write:eof", 1, 10, "read, write or any" },
	{ "eof", 1, 3, "read, write or any" },
	{ "read\\:eof", 1, 9, "read, write or any" },
	{ "sendmsg:eof", 1, 7, "read, write or any" },

	/* effects */
	{ "write", 6, 0, ":EFFECT, such as :eof" },
	{ "write:", 7, 0, WRITE_EFFECTS },
	{ "read:", 6, 0, READ_EFFECTS },
	{ "write::p=1%", 7, 0, WRITE_EFFECTS },
	{ "write:p=1%", 7, 1, WRITE_EFFECTS },
	{ "write:EOF", 7, 3, WRITE_EFFECTS },
	{ "write:eoff", 7, 4, WRITE_EFFECTS },
	{ "any:EPIPE", 5, 5, READ_EFFECTS },
	{ "write: eof", 7, 4, WRITE_EFFECTS },
	{ "write:drop:at=5", 7, 4, WRITE_EFFECTS },
	{ "write:=5", 7, 0, WRITE_EFFECTS },
	{ "read:discard", 6, 7, READ_EFFECTS " (only write can discard)" },
	{ "any:discard:at=5", 5, 7, READ_EFFECTS " (only write can discard)" },
	{ "write:eof=3", 10, 2, "no value behind eof" },
	{ "write:hangup=", 13, 1, "no value behind hangup" },
	{ "write:reset=1:p=1", 12, 2, "no value behind reset" },
	{ "write:stall=5ms", 12, 4, "no value behind stall" },
	{ "write:discard=10", 14, 3, "no value behind discard" },

	/* their values */
	{ "write:short=", 13, 0, SIZE },
	{ "write:short=0", 13, 1, SIZE },
	{ "write:short=-1", 13, 2, SIZE },
	{ "write:short=1.5", 13, 3, SIZE },
	{ "write:short=1KB", 13, 3, SIZE },
	{ "write:short=5G", 13, 2, SIZE },
	{ "write:corrupt=0", 15, 1, SIZE },
	{ "write:corrupt=x", 15, 1, SIZE },
	{ "write:short=00000000000000000000000000000000000000001", 13, 41, SIZE },
	{ "write:error", 12, 0, "=ERRNO" },
	{ "write:error:p=1%", 12, 0, "=ERRNO" },
	{ "write:error=", 13, 0, ERRORS },
	{ "write:error=0", 13, 1, ERRORS },
	{ "write:error=eio", 13, 3, ERRORS },
	{ "write:error=EI", 13, 2, ERRORS },
	{ "write:error=EIOX", 13, 4, ERRORS },
	{ "write:error=-5", 13, 2, ERRORS },
	{ "write:error=0x5", 13, 3, ERRORS },
	{ "write:error=41", 13, 2, ERRORS },          /* a number that Linux left out */
	{ "write:error=512", 13, 3, ERRORS },         /* ERESTARTSYS, the kernel's own */
	{ "write:error=4096", 13, 4, ERRORS },
	{ "write:error=EIO,EPIPE", 13, 9, ERRORS },
	{ "write:rate", 11, 0, "=BYTES/s" },
	{ "write:rate=", 12, 0, RATE },
	{ "write:rate=/s", 12, 2, RATE },
	{ "write:rate=100", 12, 3, RATE },
	{ "write:rate=100K", 12, 4, RATE },
	{ "write:rate=0/s", 12, 3, RATE },
	{ "write:rate=1KB/s", 12, 5, RATE },
	{ "write:rate=1K/ms", 12, 5, RATE },
	{ "write:rate=1025G/s", 12, 7, RATE },
	{ "write:delay", 12, 0, "=TIME" },
	{ "write:delay=", 13, 0, TIME },
	{ "write:delay=ms", 13, 2, TIME },
	{ "write:delay=-5ms", 13, 4, TIME },
	{ "write:delay=.5ms", 13, 4, TIME },
	{ "write:delay=5.ms", 13, 4, TIME },
	{ "write:delay=5", 14, 0, UNIT },
	{ "write:delay=0.5", 16, 0, UNIT },
	{ "write:delay=5m", 14, 1, UNIT },
	{ "write:delay=5 ms", 14, 3, UNIT },
	{ "write:delay=1.5.5ms", 16, 4, UNIT },
	{ "write:delay=5..20ms", 14, 0, UNIT },
	{ "write:delay=5ms..20", 20, 0, UNIT },
	{ "write:delay=5ms..", 18, 0, TIME },
	{ "write:delay=..5ms", 13, 0, TIME },
	{ "write:delay=5ms-20ms", 14, 7, UNIT },
	{ "write:delay=1ms..2ms..3ms", 19, 7, UNIT },
	{ "write:delay=0s", 13, 2, "a time above 0" },
	{ "write:delay=0ns..0.0ms", 18, 5, "a time above 0" },
	{ "write:delay=0.5ns", 13, 5, "a time in whole nanoseconds" },
	{ "write:delay=20ms..5ms", 19, 3, "a time that is not below 20ms" },
	{ "write:delay=3601s", 13, 5, "a time of at most 3600s" },
	{ "write:delay=3600.1s", 13, 7, "a time of at most 3600s" },
	{ "write:delay=99999999999999999999s", 13, 21, "a time of at most 3600s" },

	/* words */
	{ "write:eof:", 11, 0, WORDS },
	{ "write:eof::p=1%", 11, 0, WORDS },
	{ "write:eof:p=1%:", 16, 0, "when=F..L+S, at=OFFSET, match=TEXT, times=N, pair=N" },
	{ "write:eof:whne=3", 11, 4, WORDS },
	{ "write:eof:5", 11, 1, WORDS },
	{ "write:eof:=5", 11, 0, WORDS },
	{ "write:eof:nth=1", 11, 3, WORDS },
	{ "write:eof:exe=*", 11, 3, WORDS },
	{ "write:eof:At=5", 11, 2, WORDS },
	{ "write:eof:at=5:x", 16, 1, "p=PROB, times=N, pair=N, side=a|b, comm=GLOB or pid=N" },
	{ "write:eof:at=5:p=1:times=1:pair=1:side=a:comm=x:eof", 49, 3, "pid=N" },
	{ "write:eof:at=5:p=1:times=1:pair=1:side=a:comm=x:pid=1:eof", 55, 3, "the end" },
	{ "write:rate=1/s:x", 16, 1, "at=OFFSET, match=TEXT, pair=N, side=a|b, comm=GLOB or pid=N" },
	{ "write:eof:at=5:at=6", 16, 4, "at= only once" },
	{ "write:eof:p=1:times=1:p=1", 23, 3, "p= only once" },
	{ "write:eof:side=a:side", 18, 4, "side= only once" },
	{ "write:eof:at=5:when=1", 16, 6, "no when= beside at=" },
	{ "write:eof:when=1:at=5", 18, 4, "no at= beside when=" },
	{ "write:eof:match=x:p=1:at=5", 23, 4, "no at= beside match=" },
	{ "write:eof:at=5:match=x", 16, 7, "no match= beside at=" },
	{ "write:rate=1/s:when=1", 16, 6, "no when= with rate" },
	{ "write:rate=1/s:p=1%", 16, 4, "no p= with rate" },
	{ "write:rate=1/s:at=5:times=3", 21, 7, "no times= with rate" },
	{ "write:eof:when", 15, 0, "=F..L+S" },
	{ "write:eof:side:p=1", 15, 0, "=a|b" },

	/* when= */
	{ "write:eof:when=", 16, 0, COUNT },
	{ "write:eof:when=0", 16, 1, COUNT },
	{ "write:eof:when=x", 16, 1, COUNT },
	{ "write:eof:when=3x", 16, 2, COUNT },
	{ "write:eof:when=+2", 16, 0, COUNT },
	{ "write:eof:when=..5", 16, 0, COUNT },
	{ "write:eof:when=3.5", 17, 2, "..L, +S or the end" },
	{ "write:eof:when=3-5", 16, 3, COUNT },
	{ "write:eof:when=5..3", 19, 1, "a number from 5, where the calls begin" },
	{ "write:eof:when=5..3+2", 19, 1, "a number from 5, where the calls begin" },
	{ "write:eof:when=5..0", 19, 1, COUNT },
	{ "write:eof:when=5..+2", 19, 0, COUNT },
	{ "write:eof:when=5..7+", 21, 0, COUNT },
	{ "write:eof:when=5..7..9", 20, 3, "+S or the end" },
	{ "write:eof:when=5+0", 18, 1, COUNT },
	{ "write:eof:when=5+2+2", 18, 3, COUNT },
	{ "write:eof:when=9223372036854775808", 16, 19, COUNT },

	/* the other values */
	{ "write:eof:at=", 14, 0, "a byte's offset below 2^63" },
	{ "write:eof:at=-1", 14, 2, "a byte's offset below 2^63" },
	{ "write:eof:at=8589934592G", 14, 11, "a byte's offset below 2^63" },
	{ "write:eof:times=0", 17, 1, COUNT },
	{ "write:eof:p=", 13, 0, PROBABILITY },
	{ "write:eof:p=0", 13, 1, PROBABILITY },
	{ "write:eof:p=0.0%", 13, 4, PROBABILITY },
	{ "write:eof:p=1.5", 13, 3, PROBABILITY },
	{ "write:eof:p=1.00000000000000001", 13, 19, PROBABILITY },
	{ "write:eof:p=10", 13, 2, PROBABILITY },
	{ "write:eof:p=101%", 13, 4, PROBABILITY },
	{ "write:eof:p=1000%", 13, 5, PROBABILITY },
	{ "write:eof:p=.5", 13, 2, PROBABILITY },
	{ "write:eof:p=0,5", 13, 3, PROBABILITY },
	{ "write:eof:p=1e-3", 13, 4, PROBABILITY },
	{ "write:eof:p=1%%", 13, 3, PROBABILITY },
	{ "write:eof:p=-0.5", 13, 4, PROBABILITY },
	{ "write:eof:p=0.00000000011641532182693481445312", 13, 34, PROBABILITY },
	{ "write:eof:match=", 17, 0, "a text of 1 to 64 bytes" },
	{ "write:eof:match=a\\qb", 18, 2, ESCAPE },
	{ "write:eof:match=a\\", 18, 1, ESCAPE },
	{ "write:eof:match=\\x", 17, 2, ESCAPE },
	{ "write:eof:match=\\x4", 17, 3, ESCAPE },
	{ "write:eof:match=\\x4g5", 17, 4, ESCAPE },
	{ "write:eof:match=\\x4:p=1", 17, 3, ESCAPE },
	{ "write:eof:match=a:b", 19, 1, "when=F..L+S, p=PROB, times=N" },
	{ "write:eof:match=" MATCH_64 "x", 81, 1, "the end: a text has at most 64 bytes" },
	{ "write:eof:match=" MATCH_64 "\\n", 81, 2, "the end: a text has at most 64 bytes" },
	{ "write:eof:pair=0", 16, 1, COUNT },
	{ "write:eof:pair=a", 16, 1, COUNT },
	{ "write:eof:side=", 16, 0, "a or b" },
	{ "write:eof:side=c", 16, 1, "a or b" },
	{ "write:eof:side=ab", 16, 2, "a or b" },
	{ "write:eof:side=A", 16, 1, "a or b" },
	{ "write:eof:comm=", 16, 0, GLOB },
	{ "write:eof:comm=" MATCH_64, 16, 64, GLOB },
	{ "write:eof:comm=a[bc", 17, 3, "] behind it, or \\[ for the byte itself" },
	{ "write:eof:comm=[]:p=1", 16, 2, "] behind it, or \\[ for the byte itself" },
	{ "write:eof:comm=ab\\", 18, 1, "a byte behind the \\" },
	{ "write:eof:pid=0", 15, 1, "a process number from 1 to 4194304" },
	{ "write:eof:pid=4194305", 15, 7, "a process number from 1 to 4194304" },
	{ "write:eof:pid=self", 15, 4, "a process number from 1 to 4194304" },
};

static const struct wrong wheres[] = {
	{ "", 1, 0, "pair=N, side=a|b, comm=GLOB or pid=N" },
	{ "pair=1,", 8, 0, "side=a|b, comm=GLOB or pid=N" },
	{ "pair=1:side=a", 6, 8, COUNT },
	{ "nth=1", 1, 3, "pair=N, side=a|b, comm=GLOB or pid=N" },
	{ "at=5", 1, 2, "pair=N, side=a|b, comm=GLOB or pid=N" },
	{ "pair=1,pair=1", 8, 6, "pair= only once" },
	{ "side=a,comm", 12, 0, "=GLOB" },
};

static const struct wrong marks[] = {
	{ "", 1, 0, "pair=N, nth=N, comm=GLOB, exe=GLOB or pid=N" },
	{ "side=a", 1, 4, "pair=N, nth=N, comm=GLOB, exe=GLOB or pid=N" },
	{ "nth=0", 5, 1, COUNT },
	{ "exe=", 5, 0, GLOB },
	{ "exe=/bin/[,nth=1", 10, 1, "] behind it" },
};

static void check_error(const struct wrong *wrong, const struct weir_rule_error *error)
{
	if (error->column == wrong->column && error->length == wrong->length &&
	    !strncmp(error->allowed, wrong->allowed, strlen(wrong->allowed)))
		return;
	weir_test_failed++;
	printf("# '%s': column %zu, length %zu, '%s', not %zu, %zu, '%s'\n", wrong->text,
	       error->column, error->length, error->allowed, wrong->column, wrong->length,
	       wrong->allowed);
}

/* A refused text leaves what was there. */
static bool untouched(const void *memory, size_t size)
{
	const unsigned char *byte = memory;

	for (size_t i = 0; i < size; i++)
		if (byte[i] != 0x5a)
			return false;
	return true;
}

static void wrong_rules(void)
{
	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
		struct weir_rule_error error = { .allowed = "" };
		struct weir_rule rule;

		memset(&rule, 0x5a, sizeof rule);
		if (weir_rule_parse(&rule, rules[i].text, &error)) {
			weir_test_failed++;
			printf("# '%s' is taken for a rule\n", rules[i].text);
			continue;
		}
		CHECK(untouched(&rule, sizeof rule));
		check_error(&rules[i], &error);
	}
	printf("# %zu malformed rules\n", sizeof rules / sizeof rules[0]);
}

/* The text lies in memory of its own size: a byte too far is the sanitizer's. */
static bool where_parse(struct weir_where *where, const char *text, bool mark,
                        struct weir_rule_error *error)
{
	size_t length = strlen(text);
	char *copy = malloc(length + !length);
	bool good;

	memcpy(copy, text, length);
	good = weir_where_parse(where, copy, length, mark, error);
	free(copy);
	return good;
}

static void check_wheres(const struct wrong *wrong, size_t count, bool mark)
{
	for (size_t i = 0; i < count; i++) {
		struct weir_rule_error error = { .allowed = "" };
		struct weir_where where;

		memset(&where, 0x5a, sizeof where);
		CHECK(!where_parse(&where, wrong[i].text, mark, &error));
		CHECK(untouched(&where, sizeof where));
		check_error(&wrong[i], &error);
	}
}

static void wrong_places(void)
{
	check_wheres(wheres, sizeof wheres / sizeof wheres[0], false);
	check_wheres(marks, sizeof marks / sizeof marks[0], true);
}

static void null_bytes(void)
{
	struct weir_rule_error error = { .allowed = "" };
	struct weir_where where;

	CHECK(!weir_where_parse(&where, "pair=1\0", 7, false, &error));
	CHECK_EQ(error.column, 6);
	CHECK_EQ(error.length, 2);
	CHECK(!weir_where_parse(&where, "comm=a\0b", 8, false, &error));
	CHECK_EQ(error.column, 6);
	CHECK(!weir_where_parse(&where, "p\0ir=1", 6, false, &error));
	CHECK_EQ(error.column, 1);
}

static void places(void)
{
	struct weir_rule_error error = { .allowed = "" };
	struct weir_where where;

	CHECK(where_parse(&where, "pair=2,side=b", false, &error));
	CHECK_EQ(where.pair, 2);
	CHECK_EQ(where.side, 1);
	CHECK(where_parse(&where, "comm=a\\,b*,pid=7", false, &error));
	CHECK_TEXT(where.comm, "a\\,b*");
	CHECK_EQ(where.pid, 7);
	CHECK_EQ(where.pair, 0);
	CHECK_EQ(where.side, WEIR_SIDE_ANY);
	CHECK(where_parse(&where, "exe=/usr/bin/*,nth=3,pair=9,comm=?", true, &error));
	CHECK_TEXT(where.exe, "/usr/bin/*");
	CHECK_TEXT(where.comm, "?");
	CHECK_EQ(where.nth, 3);
	CHECK_EQ(where.pair, 9);
}

static void a_part_of_a_text(void)
{
	struct weir_rule_error error = { .allowed = "" };
	struct weir_where where;

	CHECK(weir_where_parse(&where, "pair=21:64K", 6, false, &error));
	CHECK_EQ(where.pair, 2);
}

int main(void)
{
	RUN(wrong_rules);
	RUN(wrong_places);
	RUN(null_bytes);
	RUN(places);
	RUN(a_part_of_a_text);
	return weir_test_end();
}
