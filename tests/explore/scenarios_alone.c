/* A process that takes no locks while it is alone with its pair. */
#include <errno.h>

#include "acts.h"
#include "scenarios.h"

/* ---- alone ---- */

static void put_and_take_own(void)
{
	for (size_t i = 0; i < 2; i++) {
		between_calls();
		MUST(send_from(0, world.current, i, 1, 0) == 1);
		between_calls();
		MUST(receive(1, 1, 0) == 1);
	}
}

static void put_and_take_own_and_leave(void)
{
	put(1);
	take(1);
	leave(1);
	leave(0);
}

/* And what is there. */
static void put_1_and_take_what_is_left(void)
{
	put(1);
	do {
		between_calls();
		receive(1, 1, MSG_DONTWAIT);
	} while (self()->result == 1);
	MUST(self()->result == -EAGAIN);
}

static void put_2_and_take_2(void)
{
	put_1_twice();
	take(2);
}

/* Its own, where there is room, and the other's, for which it makes room. */
static void put_1_and_take_2(void)
{
	between_calls();
	ssize_t sent = send_from(0, world.current, 0, 1, MSG_DONTWAIT);
	MUST(sent == 1 || sent == -EAGAIN);
	take(sent == 1 ? 2 : 1);
}

/* As many bytes of its own, and what its handler puts between them. */
static void take_own_and_handlers(unsigned int own)
{
	struct thread *t = self();

	while (t->logged < own + (t->result_of_handler == 1)) {
		between_calls();
		receive(1, 1, 0);
	}
}

static void put_and_take_2_interrupted(void)
{
	put_1_twice();
	take_own_and_handlers(2);
}

static void own_and_handlers_came(void)
{
	came(0, 2, 2);
	came(HANDLER, world.thread[0].result_of_handler == 1,
	     world.thread[0].result_of_handler == 1);
}

static void one_of_b_came(void)
{
	came(1, 1, 1);
}

static void two_and_one_came(void)
{
	came(0, 2, 2);
	came(1, 1, 1);
}

/* ---- alone, with what the process remembers ---- */

/* The first two go the general way, and the process learns; the others go the short one. */
static void put_4_and_take_4_by_ones(void)
{
	for (size_t i = 0; i < 4; i++) {
		between_calls();
		MUST(send_from(0, world.current, i, 1, 0) == 1);
	}
	for (size_t i = 0; i < 4; i++) {
		between_calls();
		MUST(receive(1, 1, 0) == 1);
	}
}

/* So that the short way has both, in turn, and between them one that cannot go it. */
static void put_and_take_4_in_turn(void)
{
	between_calls();
	MUST(send_from(0, world.current, 0, 1, 0) == 1);
	for (size_t i = 1; i < 4; i++) {
		between_calls();
		MUST(send_from(0, world.current, i, 1, 0) == 1);
		between_calls();
		MUST(receive(1, 1, i == 2 ? MSG_WAITALL : 0) == 1);
	}
	take(1);
}

/* Its own four, and what others put: so many as they did. */
static void put_4_and_take_all_there_is(void)
{
	for (size_t i = 0; i < 4; i++) {
		between_calls();
		MUST(send_from(0, world.current, i, 1, 0) == 1);
	}
	do {
		between_calls();
		receive(1, 1, MSG_DONTWAIT);
	} while (self()->result == 1);
	MUST(self()->result == -EAGAIN);
}

static void put_4_and_leave_it(void)
{
	for (size_t i = 0; i < 4; i++) {
		between_calls();
		MUST(send_from(0, world.current, i, 1, 0) == 1);
	}
}

static void handler_starts_thread(void)
{
	start_thread(1);
}

static void handler_forks(void)
{
	fork_process(1);
}

static void handler_widens(void)
{
	int error = weir_end_set_capacity(&ends[0], 6);

	MUST(error == 0 || error == -EDEADLK);
}

static void put_1_or_none(void)
{
	between_calls();
	ssize_t sent = send_from(0, world.current, 0, 1, MSG_DONTWAIT);
	self()->result = sent == 1;
	MUST(sent == 1 || sent == -EAGAIN);
}

/* What is there, without waiting. */
static void take_what_there_is(void)
{
	between_calls();
	receive(1, 1, MSG_DONTWAIT);
	MUST(self()->result == 1 || self()->result == -EAGAIN);
}

static void four_came(void)
{
	came(0, 4, 4);
}

/* What nobody took still lies in the ring. */
static uint32_t left_in_ring(void)
{
	const struct weir_pipe *p = &world.slot.pipe[0];

	return (uint32_t)(load64_relaxed(&p->tail) - load64_relaxed(&p->head));
}

static void nothing_lost_of(uint32_t sent)
{
	struct tally t[2] = {{0}};
	uint32_t logged = 0;

	for (int i = 0; i < THREADS_MAX; i++) {
		logged += world.thread[i].logged;
		for (int writer = 0; writer < 2; writer++)
			count(&t[writer], &world.thread[i], writer);
	}
	if (t[0].doubled || t[1].doubled || t[0].disordered || logged + left_in_ring() != sent)
		note_failure("%u bytes were written, %u read and %u left", sent, logged, left_in_ring());
}

static void four_are_there(void)
{
	nothing_lost_of(4);
}

/* The other one has put in a fifth. */
static void four_or_five_are_there(void)
{
	nothing_lost_of(4 + (uint32_t)(world.thread[1].result == 1));
}

static void four_and_handlers_came(void)
{
	came(0, 4, 4);
	came(HANDLER, world.thread[0].result_of_handler == 1,
	     world.thread[0].result_of_handler == 1);
}

static void put_4_and_take_all_interrupted(void)
{
	put_4_and_leave_it();
	take_own_and_handlers(4);
}

/* The handler may have taken one. */
static void put_4_and_take_the_rest(void)
{
	put_4_and_leave_it();
	while (self()->logged + (self()->handled != 0) < 4) {
		between_calls();
		receive(1, 1, MSG_DONTWAIT);
	}
}

/* ---- the table ---- */

const struct scenario scenarios_of_alone[] = {
        {.name = "alone", .capacity = 1, .finish = two_came, .alone = true,
         .actor = {AT_BOTH(put_and_take_own), AT_A(widen)}},
        {.name = "alone-two-near", .capacity = 1, .finish = two_came, .alone = true,
         .actor = {AT_BOTH(put_and_take_own), AT_A(widen), AT_A(widen)}},
        {.name = "alone-rivals", .capacity = 4, .finish = two_and_one_came, .alone = true,
         .actor = {AT_BOTH(put_2_and_take_2), AT_A(put_1), AT_B(take_1)}},
        {.name = "alone-full", .capacity = 1, .finish = two_came, .alone = true,
         .actor = {AT_BOTH(put_2), AT_B(take_2)}},
        {.name = "alone-room", .capacity = 1, .finish = one_of_b_came, .alone = true,
         .actor = {AT_BOTH(put_1_and_take_2), AT_A(put_1)}},
        {.name = "alone-empty", .capacity = 1, .finish = one_of_b_came, .alone = true,
         .actor = {AT_BOTH(take_1), AT_A(put_1)}},
        {.name = "alone-kill", .capacity = 2, .finish = nothing_doubled, .alone = true, .bound = 2,
         .actor = {AT_BOTH(put_and_take_own_and_leave, .may_be_killed = true),
                   AT_BOTH(put_1_and_take_what_is_left)}},
        {.name = "alone-handler", .capacity = 2, .bound = 1, .finish = own_came, .alone = true,
         .actor = {AT_BOTH(take_own_waiting, .handler = handler_puts_to_self), AT_A(put_1)}},
        {.name = "alone-handler-writes", .capacity = 4, .bound = 1, .finish = own_and_handlers_came,
         .alone = true,
         .actor = {AT_BOTH(put_and_take_2_interrupted, .handler = handler_puts_to_self), AT_A(widen)}},
        {.name = "lone", .capacity = 4, .finish = four_came, .alone = true, .lone = true,
         .actor = {AT_BOTH(put_and_take_4_in_turn), AT_A(widen)}},
        {.name = "lone-rivals", .capacity = 6, .bound = 2, .finish = four_or_five_are_there, .alone = true, .lone = true,
         .actor = {AT_BOTH(put_4_and_take_all_there_is), AT_A(put_1_or_none), AT_B(take_what_there_is)}},
        {.name = "lone-thread", .capacity = 6, .bound = 1, .finish = four_or_five_are_there, .alone = true, .lone = true,
         .actor = {AT_BOTH(put_4_and_take_all_there_is, .handler = handler_starts_thread),
                   AT_BOTH(put_1_or_none, .beside = true)}},
        {.name = "lone-thread-reads", .capacity = 6, .bound = 1, .finish = four_are_there, .alone = true, .lone = true,
         .actor = {AT_BOTH(put_4_and_leave_it, .handler = handler_starts_thread),
                   AT_BOTH(take_what_there_is, .beside = true)}},
        {.name = "lone-child", .capacity = 6, .bound = 1, .finish = four_or_five_are_there, .alone = true, .lone = true,
         .actor = {AT_BOTH(put_4_and_take_all_there_is, .handler = handler_forks),
                   AT_BOTH(put_1_or_none, .forked = true)}},
        {.name = "lone-child-reads", .capacity = 6, .bound = 1, .finish = four_are_there, .alone = true, .lone = true,
         .actor = {AT_BOTH(put_4_and_take_all_there_is, .handler = handler_forks),
                   AT_BOTH(take_what_there_is, .forked = true)}},
        {.name = "lone-handler-writes", .capacity = 6, .finish = four_and_handlers_came, .alone = true, .lone = true,
         .actor = {AT_BOTH(put_4_and_take_all_interrupted, .handler = handler_puts_to_self)}},
        {.name = "lone-handler-reads", .capacity = 6, .finish = nothing_doubled, .alone = true, .lone = true,
         .actor = {AT_BOTH(put_4_and_take_the_rest, .handler = handler_takes)}},
        {.name = "lone-handler-widens", .capacity = 4, .finish = four_came, .alone = true, .lone = true,
         .actor = {AT_BOTH(put_and_take_4_in_turn, .handler = handler_widens)}},
        {.name = "lone-kill", .capacity = 6, .bound = 2, .finish = nothing_doubled, .alone = true, .lone = true,
         .actor = {AT_BOTH(put_4_and_take_4_by_ones, .may_be_killed = true),
                   AT_BOTH(put_1_and_take_what_is_left)}},
        {.name = NULL},
};
