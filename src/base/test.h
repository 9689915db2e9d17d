/* The unit tests' few words. A test is a program:
 *
 *	static void adds(void) { CHECK_EQ(1 + 1, 2); }
 *	int main(void) { RUN(adds); return weir_test_end(); }
 *
 * It prints `ok NAME` or `not ok NAME` for each RUN, one line for each failed
 * check, and ends with status 1 if any failed.
 */
#ifndef WEIR_BASE_TEST_H
#define WEIR_BASE_TEST_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int weir_test_failed;

static inline void weir_test_check(bool good, const char *file, int line, const char *what)
{
	if (good)
		return;
	weir_test_failed++;
	printf("# %s:%d: %s\n", file, line, what);
}

static inline void weir_test_equal(long long got, long long wanted, const char *file, int line,
                                   const char *what)
{
	if (got == wanted)
		return;
	weir_test_failed++;
	printf("# %s:%d: %s is %lld, not %lld\n", file, line, what, got, wanted);
}

static inline void weir_test_text(const char *got, const char *wanted, const char *file, int line,
                                  const char *what)
{
	if (got && wanted && !strcmp(got, wanted))
		return;
	if (got == wanted)
		return;
	weir_test_failed++;
	printf("# %s:%d: %s is \"%s\", not \"%s\"\n", file, line, what, got ? got : "(null)",
	       wanted ? wanted : "(null)");
}

static inline void weir_test_run(void (*test)(void), const char *name)
{
	int before = weir_test_failed;

	test();
	printf("%s %s\n", weir_test_failed == before ? "ok" : "not ok", name);
	fflush(stdout);
}

static inline int weir_test_end(void)
{
	return weir_test_failed ? 1 : 0;
}

#define CHECK(condition) weir_test_check((condition), __FILE__, __LINE__, #condition)
#define CHECK_EQ(got, wanted) \
	weir_test_equal((long long)(got), (long long)(wanted), __FILE__, __LINE__, #got)
#define CHECK_TEXT(got, wanted) weir_test_text((got), (wanted), __FILE__, __LINE__, #got)
#define RUN(test) weir_test_run(test, #test)

#endif
