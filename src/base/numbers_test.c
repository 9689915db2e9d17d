#include "base/numbers.h"

#include <pthread.h>
#include <sched.h>

#include "base/test.h"

static struct weir_numbers set;

static void empty(void)
{
	for (uint32_t n = 0; (n = numbers_next(&set, n)) < WEIR_NUMBERS; n++)
		numbers_remove(&set, n);
	numbers_next(&set, 0);
}

static void in_order(void)
{
	static const uint32_t some[] = {0, 1, 63, 64, 65, 4095, 4096, 40000, WEIR_NUMBERS - 1};
	uint32_t at = 0;

	CHECK_EQ(numbers_next(&set, 0), WEIR_NUMBERS);
	for (size_t i = sizeof(some) / sizeof(*some); i > 0; i--)
		numbers_add(&set, some[i - 1]);
	for (size_t i = 0; i < sizeof(some) / sizeof(*some); i++, at++) {
		at = numbers_next(&set, at);
		CHECK_EQ(at, some[i]);
	}
	empty();
}

static void from_the_middle(void)
{
	CHECK(numbers_add(&set, 70));
	CHECK(numbers_add(&set, 5));
	CHECK(!numbers_add(&set, 70));
	CHECK_EQ(numbers_next(&set, 6), 70);
	CHECK_EQ(numbers_next(&set, 70), 70);
	CHECK_EQ(numbers_next(&set, 71), WEIR_NUMBERS);
	CHECK_EQ(numbers_next(&set, WEIR_NUMBERS), WEIR_NUMBERS);
	numbers_remove(&set, 70);
	CHECK_EQ(numbers_next(&set, 6), WEIR_NUMBERS);
	CHECK_EQ(numbers_next(&set, 0), 5);
	empty();
}

/* Of memory that others write, the number may be any. */
static void bad_numbers_stay_inside(void)
{
	numbers_add(&set, WEIR_NUMBERS + 3);
	CHECK_EQ(numbers_next(&set, 0), 3);
	empty();
}

enum { TIMES = 100000, APART = 61, LOOKS_MAX = 200000000 };

static weir_word64 published[4];

/* Publishes, then says so: a number that is in already is added all the same. */
static void *add_many(void *argument)
{
	uint32_t who = (uint32_t)(uintptr_t)argument;

	for (uint64_t i = 1; i <= TIMES; i++) {
		store64_release(&published[who], i);
		numbers_add(&set, who * APART);
	}
	return NULL;
}

/* What was published last is seen after the number was taken, whenever that was. */
static void nothing_is_missed(void)
{
	uint64_t seen[4] = {0};
	pthread_t thread[4];
	int done = 0;

	for (uintptr_t i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, add_many, (void *)i), 0);
	for (uint32_t n = 0, looks = 0; done < 4 && looks < LOOKS_MAX; looks++) {
		n = numbers_next(&set, n);
		if (n == WEIR_NUMBERS) {
			n = 0;
			sched_yield();
			continue;
		}
		numbers_remove(&set, n);
		uint32_t who = n++ / APART;
		uint64_t now = load64_acquire(&published[who]);
		done += now == TIMES && seen[who] != TIMES;
		seen[who] = now;
	}
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(seen[i], TIMES);
		pthread_join(thread[i], NULL);
	}
	empty();
}

int main(void)
{
	RUN(in_order);
	RUN(from_the_middle);
	RUN(bad_numbers_stay_inside);
	RUN(nothing_is_missed);
	return weir_test_end();
}
