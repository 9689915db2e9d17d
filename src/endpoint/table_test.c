#include <pthread.h>

#include "endpoint/test_end.h"

enum { ROUNDS = 20000, HIGH = WEIR_TABLE_SIZE - 1 };

static void numbers_beyond_the_table(void)
{
	/* volatile: not to be looked through by whoever checks this code */
	static volatile int numbers[] = {-1, INT32_MIN, WEIR_TABLE_SIZE, INT32_MAX};
	struct weir_end end;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		CHECK(!weir_marked(numbers[i]));
		CHECK(!weir_end_of(numbers[i], &end));
	}
	CHECK(!weir_marked(HIGH));
}

static uint32_t holders(const struct weir_end *end)
{
	return load32_relaxed(&end->slot->end[end->side].holders);
}

static void both_ends(void)
{
	struct weir_end end[2];

	test_ends_open(end, 64);
	CHECK_EQ(end[0].index, end[1].index);
	CHECK_EQ(end[0].side, WEIR_SIDE_A);
	CHECK_EQ(end[1].side, WEIR_SIDE_B);
	CHECK(end[0].in.pipe == end[1].out.pipe);
	CHECK(end[0].out.pipe == end[1].in.pipe);
	CHECK(end[0].in.storage == end[1].out.storage);
	CHECK(end[0].in.pipe != end[0].out.pipe);
	CHECK(weir_table_bound() > end[1].fd);
	test_ends_close(end);
	CHECK(!weir_marked(end[0].fd));
	CHECK_EQ(load32_relaxed(&end[0].slot->state), WEIR_SLOT_FREE);
}

static void duplicates(void)
{
	struct weir_end end[2], copy;

	test_ends_open(end, 64);
	weir_table_enter_copy(HIGH, &end[1]);
	CHECK_EQ(weir_table_bound(), HIGH + 1);
	CHECK(weir_end_of(HIGH, &copy));
	CHECK_EQ(copy.fd, HIGH);
	CHECK_EQ(copy.side, 1);
	CHECK_EQ(weir_table_references(end[1].index, 1), 2);
	CHECK_EQ(holders(&end[1]), 1); /* processes, not descriptors */
	CHECK(!weir_table_remove(end[1].fd, &copy));
	CHECK(!weir_table_remove(end[1].fd, &copy));
	CHECK(weir_table_remove(HIGH, &copy));
	CHECK_EQ(weir_table_references(end[1].index, 1), 0);
	weir_pair_release(&weir_session, end[1].index, 1, end[1].generation);
	close(end[1].fd);
	test_end_close(end[0].fd);
	CHECK_EQ(load32_relaxed(&end[0].slot->state), WEIR_SLOT_FREE);
}

/* What was closed behind our back goes when its number comes back. */
static void fresh_numbers(void)
{
	struct weir_end end[2], again;

	test_ends_open(end, 64);
	weir_table_fresh(end[0].fd);
	CHECK(!weir_marked(end[0].fd));
	CHECK_EQ(holders(&end[0]), 0);
	weir_table_fresh(end[0].fd);
	CHECK_EQ(holders(&end[0]), 0);
	weir_table_enter(end[1].fd, 9, 0, UINT32_MAX); /* the pair has nobody now */
	CHECK_EQ(load32_relaxed(&end[0].slot->state), WEIR_SLOT_FREE);
	CHECK(weir_end_of(end[1].fd, &again));
	CHECK_EQ(again.index, 9);
	CHECK_EQ(again.side, 0);
	CHECK_EQ(again.generation, UINT32_MAX);
	CHECK(weir_table_remove(end[1].fd, &again));
	close(end[0].fd);
	close(end[1].fd);
}

static void the_child_counts_each_end_once(void)
{
	struct weir_end end[2];

	test_ends_open(end, 64);
	weir_table_enter_copy(HIGH, &end[0]);
	weir_table_enter_copy(HIGH - 1, &end[0]);
	weir_table_hold_for_child();
	CHECK_EQ(holders(&end[0]), 2);
	CHECK_EQ(holders(&end[1]), 2);
	weir_table_hold_for_child();
	CHECK_EQ(holders(&end[0]), 3);
	weir_table_release_for_child();
	weir_table_release_for_child();
	CHECK_EQ(holders(&end[0]), 1);
	CHECK_EQ(holders(&end[1]), 1);
	weir_table_fresh(HIGH);
	weir_table_remove(HIGH - 1, &(struct weir_end){0});
	test_ends_close(end);
}

static weir_word32 stop;

/* Whatever is found is whole: index, side and generation of one entry. */
static void *look_up(void *argument)
{
	int fd = *(int *)argument;
	struct weir_end end;
	intptr_t wrong = 0;

	while (!load32_acquire(&stop))
		if (weir_end_of(fd, &end))
			wrong += end.generation != end.index * 1000 + (uint32_t)end.side;
	return (void *)wrong;
}

static void looked_up_while_it_changes(void)
{
	int fd = 500;
	pthread_t thread;
	void *wrong = NULL;

	pthread_create(&thread, NULL, look_up, &fd);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t index = i % TEST_PAIRS;
		int side = (int)(i / 3 % 2);
		struct weir_end end;
		weir_table_enter(fd, index, side, index * 1000 + (uint32_t)side);
		CHECK(weir_table_remove(fd, &end));
	}
	store32_release(&stop, 1);
	pthread_join(thread, &wrong);
	CHECK_EQ((intptr_t)wrong, 0);
}

int main(void)
{
	test_session_begin();
	RUN(numbers_beyond_the_table);
	RUN(both_ends);
	RUN(fresh_numbers);
	RUN(duplicates);
	RUN(the_child_counts_each_end_once);
	RUN(looked_up_while_it_changes);
	return weir_test_end();
}
