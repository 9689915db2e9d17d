/* Threads that write and read, and wait in that. */
#include "acts.h"
#include "scenarios.h"

/* ---- what has to be in the end ---- */

static void first_came(void)
{
	came(0, 1, 1);
}

/* ---- threads ---- */

/* In one call that waits for all. */
static void take_3_whole(void)
{
	between_calls();
	MUST(receive(1, 3, MSG_WAITALL) == 3);
}

/* ---- both directions, and changes ---- */

static void put_and_take(int side)
{
	between_calls();
	MUST(send_from(side, world.current, 0, 2, 0) == 2);
	while (self()->logged < 2) {
		between_calls();
		MUST(receive(side, 2 - self()->logged, 0) > 0);
	}
}

static void put_and_take_a(void)
{
	put_and_take(0);
}

static void put_and_take_b(void)
{
	put_and_take(1);
}

static void peek_and_take_1(void)
{
	between_calls();
	MUST(receive(1, 1, MSG_PEEK) == 1);
	take(1);
}

/* ---- the table ---- */

const struct scenario scenarios_of_transfers[] = {
        {.name = "1x1", .capacity = 2, .finish = three_came,
         .actor = {AT_A(put_3), AT_B(take_3)}},
        {.name = "1x1-small", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_1_twice), AT_B(take_2)}},
        {.name = "1x1-room", .capacity = 1, .finish = first_came,
         .actor = {AT_A(put_2), AT_B(take_1)}},
        {.name = "1x1-whole", .capacity = 2, .finish = three_came,
         .actor = {AT_A(put_3), AT_B(take_3_whole)}},
        {.name = "2x1", .capacity = 1, .finish = two_of_each_came,
         .actor = {AT_A(put_2), AT_A(put_2), AT_B(take_4)}},
        {.name = "1x2", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_2), AT_B(take_1), AT_B(take_1)}},
        {.name = "2x2", .capacity = 1, .finish = one_of_each_came,
         .actor = {AT_A(put_1), AT_A(put_1), AT_B(take_1), AT_B(take_1)}},
        {.name = "duplex", .capacity = 2,
         .actor = {AT_A(put_and_take_a), AT_B(put_and_take_b)}},
        {.name = "peek-rivals", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_2), AT_B(peek_and_take_1), AT_B(take_1)}},
        {.name = NULL},
};
