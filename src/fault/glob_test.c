#include "fault/glob.h"

#include <fnmatch.h>
#include <time.h>

#include "base/test.h"
#include "base/test_random.h"
#include "fault/rule.h"

static void plain(void)
{
	CHECK(weir_glob_match("", ""));
	CHECK(!weir_glob_match("", "a"));
	CHECK(weir_glob_match("ssh", "ssh"));
	CHECK(!weir_glob_match("ssh", "sshd"));
	CHECK(!weir_glob_match("sshd", "ssh"));
	CHECK(weir_glob_match("\xc3\xa9", "\xc3\xa9"));
}

static void stars_and_marks(void)
{
	CHECK(weir_glob_match("*", ""));
	CHECK(weir_glob_match("***", "abc"));
	CHECK(weir_glob_match("ssh*", "ssh"));
	CHECK(weir_glob_match("*d", "sshdd"));
	CHECK(weir_glob_match("a*b*c", "axbbxcc"));
	CHECK(!weir_glob_match("a*b*c", "axcxb"));
	CHECK(weir_glob_match("/usr/*/x", "/usr/a/b/x"));
	CHECK(weir_glob_match("*", ".hidden"));
	CHECK(!weir_glob_match("?", ""));
	CHECK(weir_glob_match("??", "ab"));
}

static void brackets(void)
{
	CHECK(weir_glob_match("[abc]", "b"));
	CHECK(!weir_glob_match("[abc]", "d"));
	CHECK(weir_glob_match("x[0-9a]y", "x7y"));
	CHECK(weir_glob_match("[!a]", "b"));
	CHECK(!weir_glob_match("[!a]", "a"));
	CHECK(weir_glob_match("[^a]", "b"));
	CHECK(weir_glob_match("[]a]", "]"));
	CHECK(weir_glob_match("[!]a]", "b"));
	CHECK(weir_glob_match("[a-]", "-"));
	CHECK(weir_glob_match("[\\]]", "]"));
	CHECK(weir_glob_match("[\\a-\\c]", "b"));
	CHECK(!weir_glob_match("[z-a]", "b"));
	CHECK(weir_glob_match("[\x80-\xff]", "\xc3"));
	CHECK(weir_glob_match("[a", "[a"));
}

static void backslashes(void)
{
	CHECK(weir_glob_match("\\*", "*"));
	CHECK(!weir_glob_match("\\*", "a"));
	CHECK(weir_glob_match("\\[a]", "[a]"));
	CHECK(weir_glob_match("kworker/0\\:1", "kworker/0:1"));
	CHECK(!weir_glob_match("\\", "\\"));
	CHECK(!weir_glob_match("a\\", "a"));
}

static void spans(void)
{
	CHECK_EQ(weir_glob_span(""), 0);
	CHECK_EQ(weir_glob_span("a*b?[c]\\["), 9);
	CHECK_EQ(weir_glob_span("ab[c"), 2);
	CHECK_EQ(weir_glob_span("[a][]"), 3);
	CHECK_EQ(weir_glob_span("[a\\]"), 0);
	CHECK_EQ(weir_glob_span("ab\\"), 2);
	CHECK_EQ(weir_glob_span("ab\\\\"), 4);
}

static void random_text(struct test_random *random, const char *bytes, char *text, size_t size)
{
	size_t length = test_random_below(random, size);

	for (size_t i = 0; i < length; i++)
		text[i] = bytes[test_random_below(random, strlen(bytes))];
	text[length] = '\0';
}

/* Few different bytes, so that many pairs match. Patterns that go wrong are nobody's
 * promise. */
static void as_fnmatch(void)
{
	struct test_random random = test_random_begin("as_fnmatch");
	unsigned int matched = 0, compared = 0;

	for (int i = 0; i < 1000000; i++) {
		char glob[13], name[9];
		bool wanted;

		random_text(&random, "ab-**?[]!^\\", glob, sizeof glob);
		random_text(&random, "ab-]!\\", name, sizeof name);
		if (weir_glob_span(glob) != strlen(glob))
			continue;
		wanted = fnmatch(glob, name, 0) == 0;
		compared++;
		matched += wanted;
		if (weir_glob_match(glob, name) != wanted)
			printf("# glob \"%s\", name \"%s\"\n", glob, name);
		CHECK_EQ(weir_glob_match(glob, name), wanted);
	}
	CHECK(compared > 100000);
	CHECK(matched > 10000);
}

/* Exponential backtracking would take longer than the universe exists. */
static void many_stars_are_fast(void)
{
	char glob[WEIR_GLOB_SIZE] = "", name[4096];
	struct timespec begin, end;

	for (size_t i = 0; i + 3 < sizeof glob; i += 2)
		memcpy(glob + i, "*a", 3);
	memset(name, 'a', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	strcat(glob, "b");
	clock_gettime(CLOCK_MONOTONIC, &begin);
	CHECK(!weir_glob_match(glob, name));
	clock_gettime(CLOCK_MONOTONIC, &end);
	CHECK(end.tv_sec - begin.tv_sec <= 2);
}

int main(void)
{
	RUN(plain);
	RUN(stars_and_marks);
	RUN(brackets);
	RUN(backslashes);
	RUN(spans);
	RUN(as_fnmatch);
	RUN(many_stars_are_fast);
	return weir_test_end();
}
