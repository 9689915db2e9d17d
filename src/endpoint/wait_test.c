#include "endpoint/test_end.h"
#include "endpoint/wait.h"

enum {
	ELSEWHERE = 100000,         /* a processor that nobody runs on */
	WAITS = 4096,
};

static int looks;

static bool never(const void *of)
{
	(void)of;
	looks++;
	return false;
}

static bool at_once(const void *of)
{
	(void)of;
	looks++;
	return true;
}

/* How many of so many waits look, and in vain. */
static int looking(const struct weir_end *end, bool reads, int waits)
{
	int count = 0;

	for (int i = 0; i < waits; i++) {
		looks = 0;
		CHECK(!weir_wait_looking(end, reads, never, NULL, os_handled()));
		count += looks > 0;
	}
	return count;
}

/* Who waits in vain each time looks less and less often, but never stops: once it paid, all
 * is as it was. */
static void looks_less_where_that_does_not_pay(void)
{
	struct weir_end end[2];

	test_ends_open(end, 100);
	for (int reads = 0; reads < 2; reads++) {
		const struct weir_end *e = &end[reads];
		store32_relaxed(reads ? &e->in.pipe->writer_cpu : &e->out.pipe->reader_cpu, ELSEWHERE);
		CHECK_EQ(looking(e, reads, 3), 3);
		CHECK_EQ(looking(e, reads, 13), 0);
		CHECK_EQ(looking(e, reads, 1), 1);
		int count = looking(e, reads, WAITS);
		CHECK(count >= WAITS / 256 && count <= WAITS / 128);
		bool paid = false;
		for (int i = 0; i < WAITS && !paid; i++)
			paid = weir_wait_looking(e, reads, at_once, NULL, os_handled());
		CHECK(paid);
		CHECK_EQ(looking(e, reads, 3), 3);
	}
	test_ends_close(end);
}

/* Where nobody was seen at work, nothing is to be hoped for. */
static void does_not_look_for_nobody(void)
{
	struct weir_end end[2];

	test_ends_open(end, 100);
	CHECK_EQ(looking(&end[0], true, 3), 0);
	CHECK_EQ(looking(&end[0], false, 3), 0);
	test_ends_close(end);
}

int main(void)
{
	test_session_begin();
	RUN(looks_less_where_that_does_not_pay);
	RUN(does_not_look_for_nobody);
	return weir_test_end();
}
