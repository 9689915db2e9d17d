#include "fault/search.h"

#include <stdlib.h>

#include "base/test.h"
#include "base/test_random.h"

static struct weir_plan plan;

static const struct weir_plan_rule *text_rule(const unsigned char *text, uint32_t length)
{
	struct weir_rule rule = {.match_length = length, .where.side = WEIR_SIDE_ANY};

	memcpy(rule.match, text, length);
	memset(&plan, 0, sizeof(plan));
	CHECK(weir_plan_add(&plan, &rule));
	return &plan.rules[0];
}

/* Is the text complete with the byte before `end`? */
static bool ends_at(const struct weir_rule *rule, const unsigned char *bytes, size_t end)
{
	return end >= rule->match_length &&
	       !memcmp(bytes + end - rule->match_length, rule->match, rule->match_length);
}

/* How many bytes of the text the last ones before `end` are: fewer than all. */
static uint64_t begun_at(const struct weir_rule *rule, const unsigned char *bytes, size_t end)
{
	uint64_t n = rule->match_length - 1;

	while (n > 0 && (n > end || memcmp(bytes + end - n, rule->match, n) != 0))
		n--;
	return n;
}

/* A piece in memory of its own size, so that a byte too far is the sanitizer's. */
static size_t search_copy(const struct weir_plan_rule *r, uint64_t *matched,
                          const unsigned char *bytes, size_t n)
{
	unsigned char *copy = malloc(n + !n);
	uint64_t before = *matched;

	memcpy(copy, bytes, n);
	bool vain = weir_search_is_vain(r, copy, n);
	size_t found = weir_search(r, matched, copy, n);
	if (before == 0)
		CHECK_EQ(vain, found == 0 && *matched == 0);
	free(copy);
	return found;
}

/* Few different bytes, so that texts come and nearly come often. */
static void random_pieces(void)
{
	enum { ROUNDS = 4000, BYTES = 400 };
	struct test_random random = test_random_begin("search");
	unsigned char text[WEIR_MATCH_MAX], bytes[BYTES];
	int complete = 0;

	for (int round = 0; round < ROUNDS; round++) {
		uint32_t length =
		        1 + (uint32_t)test_random_below(&random, round % 4 ? 6 : WEIR_MATCH_MAX);
		unsigned int kinds = 1 + (unsigned int)test_random_below(&random, 4);
		for (uint32_t i = 0; i < length; i++)
			text[i] = (unsigned char)(254 + test_random_below(&random, kinds));
		for (int i = 0; i < BYTES; i++)
			bytes[i] = (unsigned char)(254 + test_random_below(&random, kinds + 1));
		const struct weir_plan_rule *r = text_rule(text, length);
		uint64_t matched = 0;
		for (size_t at = 0; at < BYTES;) {
			size_t n = 1 + test_random_below(&random, 90);
			n = n < BYTES - at ? n : BYTES - at;
			size_t found = search_copy(r, &matched, bytes + at, n);
			size_t behind = at + (found ? found : n);
			for (size_t end = at + 1; end < behind; end++)
				CHECK(!ends_at(&r->rule, bytes, end));
			at = behind;
			CHECK_EQ(ends_at(&r->rule, bytes, at), found > 0);
			if (!found)
				CHECK_EQ(matched, begun_at(&r->rule, bytes, at));
			complete += found > 0;
		}
	}
	printf("# %d texts complete\n", complete);
	CHECK(complete > ROUNDS);
}

/* Bytes that seldom come, and those of which each call begins one. */
static void pair_is_chosen(void)
{
	static const struct { const char *text, *pair; uint32_t at; } cases[] = {
		{"nowhere", "ow", 1},
		{"no", "no", 0},
		{"theQQ", "QQ", 3},
		{"0123456789abcdefgXY", "01", 0}, /* XY stand too far behind */
		{"a text of many words", "ex", 3},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *text = cases[i].text;
		const struct weir_plan_rule *r =
		        text_rule((const unsigned char *)text, (uint32_t)strlen(text));
		CHECK_EQ(r->pair_at, cases[i].at);
		CHECK(r->pair == ((unsigned char)cases[i].pair[0] |
		                  (uint32_t)(unsigned char)cases[i].pair[1] << 8));
	}
}

int main(void)
{
	RUN(pair_is_chosen);
	RUN(random_pieces);
	return weir_test_end();
}
