#include "fault/rule.h"

#include <errno.h>

#include "base/test.h"

#define ALWAYS (UINT64_C(1) << 32)
#define ROUND(x) ((uint64_t)((x) * 4294967296.0L + 0.5L))

/* A rule that has to be right. */
static struct weir_rule parsed(const char *text)
{
	struct weir_rule_error error = { .allowed = "" };
	struct weir_rule rule = { .ops = 0 }, again;

	if (!weir_rule_parse(&rule, text, &error)) {
		printf("# '%s': column %zu: expected %s\n", text, error.column, error.allowed);
		weir_test_failed++;
		return rule;
	}
	CHECK_TEXT(rule.text, text);
	memset(&again, 0xa5, sizeof again);
	CHECK(weir_rule_parse(&again, rule.text, &error));
	CHECK(!memcmp(&again, &rule, sizeof rule));
	return rule;
}

static void operations(void)
{
	CHECK_EQ(parsed("read:eof").ops, WEIR_OPS_READ);
	CHECK_EQ(parsed("write:eof").ops, WEIR_OPS_WRITE);
	CHECK_EQ(parsed("any:eof").ops, WEIR_OPS_ANY);
}

static void what_was_not_named(void)
{
	struct weir_rule rule = parsed("read:hangup");

	CHECK_EQ(rule.amount, 0);
	CHECK_EQ(rule.delay_ns[0], 0);
	CHECK_EQ(rule.delay_ns[1], 0);
	CHECK_EQ(rule.first, 0);
	CHECK(rule.last == UINT64_MAX);
	CHECK_EQ(rule.step, 1);
	CHECK(rule.at == UINT64_MAX);
	CHECK(rule.probability == ALWAYS);
	CHECK_EQ(rule.times, 0);
	CHECK_EQ(rule.match_length, 0);
	CHECK_EQ(rule.where.pair, 0);
	CHECK_EQ(rule.where.nth, 0);
	CHECK_EQ(rule.where.pid, 0);
	CHECK_EQ(rule.where.side, WEIR_SIDE_ANY);
	CHECK_TEXT(rule.where.comm, "");
	CHECK_TEXT(rule.where.exe, "");
}

static void effects(void)
{
	static const struct {
		const char *text;
		enum weir_effect effect;
		uint64_t amount;
	} good[] = {
		{ "read:short", WEIR_EFFECT_SHORT, 1 },
		{ "any:short=7", WEIR_EFFECT_SHORT, 7 },
		{ "write:short=4K", WEIR_EFFECT_SHORT, 4096 },
		{ "write:short=4G", WEIR_EFFECT_SHORT, UINT64_C(1) << 32 },
		{ "any:error=5", WEIR_EFFECT_ERROR, EIO },
		{ "write:eof", WEIR_EFFECT_EOF, 0 },
		{ "read:hangup", WEIR_EFFECT_HANGUP, 0 },
		{ "any:reset", WEIR_EFFECT_RESET, 0 },
		{ "any:stall", WEIR_EFFECT_STALL, 0 },
		{ "write:rate=1/s", WEIR_EFFECT_RATE, 1 },
		{ "read:rate=10M/s", WEIR_EFFECT_RATE, UINT64_C(10) << 20 },
		{ "any:rate=1024G/s", WEIR_EFFECT_RATE, UINT64_C(1) << 40 },
		{ "write:discard", WEIR_EFFECT_DISCARD, 0 },
		{ "read:corrupt", WEIR_EFFECT_CORRUPT, 1 },
		{ "write:corrupt=3", WEIR_EFFECT_CORRUPT, 3 },
	};

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct weir_rule rule = parsed(good[i].text);

		CHECK_EQ(rule.effect, good[i].effect);
		CHECK_EQ(rule.amount, good[i].amount);
	}
}

/* Each error of this platform, by its name and by its number. */
static void errors(void)
{
	char text[64];
	int names = 0;

	for (int number = 1; number < 4096; number++) {
		const char *name = strerrorname_np(number);

		if (!name)
			continue;
		names++;
		snprintf(text, sizeof text, "read:error=%s", name);
		CHECK_EQ(parsed(text).amount, number);
		snprintf(text, sizeof text, "write:error=%d", number);
		CHECK_EQ(parsed(text).amount, number);
	}
	CHECK(names > 120);
	CHECK_EQ(parsed("any:error=EPIPE").amount, EPIPE);
	CHECK_EQ(parsed("any:error=EINTR").amount, EINTR);
	CHECK_EQ(parsed("any:error=EWOULDBLOCK").amount, EWOULDBLOCK);
	CHECK_EQ(parsed("any:error=EDEADLOCK").amount, EDEADLOCK);
	CHECK_EQ(parsed("any:error=ENOTSUP").amount, ENOTSUP);
	CHECK_EQ(parsed("any:error=EOPNOTSUPP").amount, EOPNOTSUPP);
}

static void delays(void)
{
	static const struct {
		const char *text;
		uint64_t from, to;
	} good[] = {
		{ "any:delay=1ns", 1, 1 },
		{ "any:delay=250us", 250000, 250000 },
		{ "any:delay=0.5ms", 500000, 500000 },
		{ "any:delay=1.000000001s", 1000000001, 1000000001 },
		{ "any:delay=1.50000000000s", 1500000000, 1500000000 },
		{ "any:delay=3600s", UINT64_C(3600000000000), UINT64_C(3600000000000) },
		{ "any:delay=3600000000000ns", UINT64_C(3600000000000), UINT64_C(3600000000000) },
		{ "any:delay=5ms..20ms", 5000000, 20000000 },
		{ "any:delay=0s..1.5us", 0, 1500 },
		{ "any:delay=0.5ms..500us", 500000, 500000 },
	};

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct weir_rule rule = parsed(good[i].text);

		CHECK_EQ(rule.effect, WEIR_EFFECT_DELAY);
		CHECK_EQ(rule.delay_ns[0], good[i].from);
		CHECK_EQ(rule.delay_ns[1], good[i].to);
	}
}

static void calls(void)
{
	static const struct {
		const char *text;
		uint64_t first, last, step;
	} good[] = {
		{ "read:eof:when=3", 3, 3, 1 },
		{ "read:eof:when=3..", 3, UINT64_MAX, 1 },
		{ "read:eof:when=3+", 3, UINT64_MAX, 1 },
		{ "read:eof:when=3+2", 3, UINT64_MAX, 2 },
		{ "read:eof:when=3..10", 3, 10, 1 },
		{ "read:eof:when=3..3", 3, 3, 1 },
		{ "read:eof:when=3..10+4", 3, 10, 4 },
		{ "read:eof:when=9223372036854775807", INT64_MAX, INT64_MAX, 1 },
	};

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct weir_rule rule = parsed(good[i].text);

		CHECK_EQ(rule.first, good[i].first);
		CHECK(rule.last == good[i].last);
		CHECK_EQ(rule.step, good[i].step);
	}
}

static void offsets_and_times(void)
{
	CHECK_EQ(parsed("write:eof:at=0").at, 0);
	CHECK_EQ(parsed("write:eof:at=5").at, 5);
	CHECK_EQ(parsed("write:eof:at=64K").at, 65536);
	CHECK_EQ(parsed("write:eof:at=9223372036854775807").at, INT64_MAX);
	CHECK_EQ(parsed("write:short:times=1").times, 1);
	CHECK_EQ(parsed("write:short:times=1000000").times, 1000000);
}

static void check_match(const char *text, const char *bytes, size_t length)
{
	struct weir_rule rule = parsed(text);

	CHECK_EQ(rule.match_length, length);
	CHECK(!memcmp(rule.match, bytes, length));
	for (size_t i = length; i < WEIR_MATCH_MAX; i++)
		CHECK_EQ(rule.match[i], 0);
}

static void matches(void)
{
	check_match("write:reset:match=QUIT", "QUIT", 4);
	check_match("write:reset:match= a b ", " a b ", 5);
	check_match("write:reset:match=a\\:b", "a:b", 3);
	check_match("write:reset:match=\\\\", "\\", 1);
	check_match("write:reset:match=\\\\:times=1", "\\", 1);
	check_match("write:reset:match=\\r\\n\\t\\0", "\r\n\t\0", 4);
	check_match("write:reset:match=\\x00\\xfF\\x3a", "\0\xff:", 3);
	check_match("write:reset:match=\\012", "\00012", 3);
	check_match("write:reset:match=when=3,a", "when=3,a", 8);
	check_match("write:reset:match=\xc3\xa9", "\xc3\xa9", 2);
	check_match("write:reset:match=0123456789abcdef0123456789abcdef0123456789abcdef"
	            "0123456789abcde\\n",
	            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n", 64);
}

static void probabilities(void)
{
	static const struct {
		const char *text;
		uint64_t wanted;
	} good[] = {
		{ "any:short:p=1", ALWAYS },
		{ "any:short:p=1.000", ALWAYS },
		{ "any:short:p=001", ALWAYS },
		{ "any:short:p=100%", ALWAYS },
		{ "any:short:p=0.5", ALWAYS / 2 },
		{ "any:short:p=50%", ALWAYS / 2 },
		{ "any:short:p=12.5%", ALWAYS / 8 },
		{ "any:short:p=0.01", 42949673 },
		{ "any:short:p=1%", 42949673 },
		{ "any:short:p=0.1", 429496730 },
		{ "any:short:p=0.3333333333333333333333333333", 1431655765 },
		{ "any:short:p=0.000000001", 4 },
		{ "any:short:p=0.0000001%", 4 },
		{ "any:short:p=0.99999999999999999999", ALWAYS },
		/* 2^-33 lies in the middle and is rounded up. */
		{ "any:short:p=0.000000000116415321826934814453125", 1 },
	};

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		CHECK_EQ(parsed(good[i].text).probability, good[i].wanted);
	for (int i = 1; i < 10000; i++) {
		char text[32];

		snprintf(text, sizeof text, "any:short:p=0.%04d", i);
		CHECK_EQ(parsed(text).probability, ROUND(i / 10000.0L));
		snprintf(text, sizeof text, "any:short:p=%d.%02d%%", i / 100, i % 100);
		CHECK_EQ(parsed(text).probability, ROUND(i / 10000.0L));
	}
}

static void places(void)
{
	struct weir_rule rule = parsed("any:short:pid=4194304:comm=ssh\\:[a-z]*:side=b:pair=12");

	CHECK_EQ(rule.where.pair, 12);
	CHECK_EQ(rule.where.side, 1);
	CHECK_EQ(rule.where.pid, 4194304);
	CHECK_TEXT(rule.where.comm, "ssh\\:[a-z]*");
	CHECK(weir_glob_match(rule.where.comm, "ssh:d"));
	CHECK_EQ(parsed("read:eof:side=a").where.side, 0);
	CHECK_EQ(strlen(parsed("read:eof:comm=0123456789abcdef0123456789abcdef0123456789abcdef"
	                       "0123456789abcd*").where.comm), WEIR_GLOB_SIZE - 1);
}

static void words_in_any_order(void)
{
	struct weir_rule rule = parsed("any:error=EIO:side=a:times=2:p=50%:match=x:pair=3:when=2..9+3");

	CHECK_EQ(rule.amount, EIO);
	CHECK_EQ(rule.where.side, 0);
	CHECK_EQ(rule.times, 2);
	CHECK(rule.probability == ALWAYS / 2);
	CHECK_EQ(rule.match_length, 1);
	CHECK_EQ(rule.where.pair, 3);
	CHECK_EQ(rule.first, 2);
	CHECK_EQ(rule.last, 9);
	CHECK_EQ(rule.step, 3);
	parsed("any:rate=1K/s:at=100:side=a");
	parsed("any:rate=1K/s:match=x:pid=3");
	parsed("any:eof:at=100:p=1%:times=1");
}

static void longest(void)
{
	char text[WEIR_RULE_TEXT_SIZE + 1] = "read:eof:pair=1:p=0.5";
	struct weir_rule_error error = { .allowed = "" };
	struct weir_rule rule;

	memset(text + 21, '0', sizeof text - 22);
	CHECK(!weir_rule_parse(&rule, text, &error));
	CHECK_EQ(error.column, 256);
	CHECK_EQ(error.length, 1);
	CHECK_TEXT(error.allowed, "the end: a rule has at most 255 bytes");
	text[WEIR_RULE_TEXT_SIZE - 1] = '\0';
	CHECK(parsed(text).probability == ALWAYS / 2);
}

static void for_one_end(void)
{
	struct weir_rule_error error = { .allowed = "" };
	struct weir_rule rule;

	CHECK(weir_rule_parse_for_end(&rule, "any:eof:pid=7", 12, 1, &error));
	CHECK_EQ(rule.where.pair, 12);
	CHECK_EQ(rule.where.side, 1);
	CHECK_EQ(rule.where.pid, 7);
	CHECK_TEXT(rule.text, "any:eof:pid=7");
	CHECK(!weir_rule_parse_for_end(&rule, "any:eof:side=b", 12, 1, &error));
	CHECK_EQ(error.column, 9);
	CHECK(!strstr(error.allowed, "side="));
	CHECK(!weir_rule_parse_for_end(&rule, "any:eof:pair=12", 12, 1, &error));
	CHECK_EQ(rule.where.pair, 12);
}

int main(void)
{
	RUN(operations);
	RUN(what_was_not_named);
	RUN(effects);
	RUN(errors);
	RUN(delays);
	RUN(calls);
	RUN(offsets_and_times);
	RUN(matches);
	RUN(probabilities);
	RUN(places);
	RUN(words_in_any_order);
	RUN(longest);
	RUN(for_one_end);
	return weir_test_end();
}
