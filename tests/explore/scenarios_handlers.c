/* Signal handlers that write or read in the middle of it. */
#include <errno.h>

#include "acts.h"
#include "scenarios.h"

static void handler_puts(void)
{
	ssize_t sent = send_from(0, HANDLER, 0, 1, MSG_DONTWAIT);

	self()->result = sent == 1;
	MUST(sent == 1 || sent == -EAGAIN);
}

/* A handler may end a sleep, and then what has moved counts. */
static void put_2_interrupted(void)
{
	for (size_t sent = 0; sent < 2;) {
		between_calls();
		ssize_t n = send_from(0, world.current, sent, 2 - sent, 0);
		MUST(n > 0 || n == -EINTR);
		sent += n > 0 ? (size_t)n : 0;
	}
}

static void put_2_and_leave_interrupted(void)
{
	put_2_interrupted();
	leave(0);
}

static void handlers_came(void)
{
	uint32_t sent = world.thread[0].result == 1;

	came(0, 2, 2);
	came(HANDLER, sent, sent);
}

static void take_all_interrupted(void)
{
	do {
		between_calls();
		receive(1, 4, 0);
		MUST(self()->result >= 0 || self()->result == -EINTR);
	} while (self()->result != 0);
}

/* What a handler ends, it ends however early it comes. */
static void handler_rests(void)
{
}

static void take_2_interrupted(void)
{
	while (self()->logged < 2) {
		between_calls();
		receive(1, 2 - self()->logged, MSG_WAITALL);
		MUST(self()->result > 0 || self()->result == -EINTR);
	}
}

static void take_own_polling(void)
{
	take_own(true);
}

const struct scenario scenarios_of_handlers[] = {
        {.name = "handler-writes", .capacity = 2, .bound = 2, .finish = handlers_came,
         .actor = {AT_A(put_2_and_leave_interrupted, .handler = handler_puts),
                   AT_B(take_all)}},
        {.name = "handler-writes-restart", .capacity = 1, .bound = 1, .restarts = true,
         .finish = handlers_came,
         .actor = {AT_A(put_2_and_leave_interrupted, .handler = handler_puts),
                   AT_B(take_all)}},
        {.name = "handler-comes", .capacity = 1, .bound = 2, .finish = two_came,
         .actor = {AT_A(put_2_interrupted, .handler = handler_rests),
                   AT_B(take_2_interrupted, .handler = handler_rests)}},
        {.name = "handler-reads", .capacity = 1, .bound = 2, .finish = two_came,
         .actor = {AT_A(put_2_and_leave), AT_B(take_all_interrupted, .handler = handler_takes)}},
        {.name = "self-pipe", .capacity = 2, .finish = own_came,
         .actor = {AT_BOTH(take_own_waiting, .handler = handler_puts_to_self),
                   AT_A(put_1)}},
        {.name = "self-pipe-poll", .capacity = 2, .finish = own_came,
         .actor = {AT_BOTH(take_own_polling, .handler = handler_puts_to_self),
                   AT_A(put_1)}},
        {.name = NULL},
};
