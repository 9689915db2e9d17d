/* Ends that are closed, shut down, or go with a killed process. */
#include <errno.h>
#include <poll.h>

#include "acts.h"
#include "scenarios.h"

/* ---- the end of a connection ---- */

static void put_1_and_leave(void)
{
	put(1);
	leave(0);
}

/* The end of the other direction is no reset, for who asks the kernel: all has been read. */
static void put_1_and_await_end(void)
{
	put(1);
	watches(0, POLLIN, false);
	between_calls();
	MUST((wait_for_watch() & (POLLIN | POLLHUP | POLLERR)) == (POLLIN | POLLHUP));
	between_calls();
	MUST(receive(0, 1, 0) == 0);
}

static void take_1_and_leave(void)
{
	take(1);
	leave(1);
}

static void take_1_and_shut(void)
{
	take(1);
	shuts(1, SHUT_RD);
}

static void shut_reading(void)
{
	shuts(1, SHUT_RD);
}

static void shut_writing(void)
{
	shuts(0, SHUT_WR);
}

static void leave_reading(void)
{
	leave(1);
}

/* Whoever read has gone, or has shut down, and is done with it: what is written from now
 * on fails. */
static bool nobody_reads(void)
{
	return world.kernel.socket[0].shut_write && (world.thread[1].state == THREAD_FINISHED ||
	                                             world.thread[1].state == THREAD_DEAD);
}

/* Writes until nobody reads, so many at a time. */
static void put_until_broken(size_t n)
{
	ssize_t sent;
	size_t total = 0;

	do {
		between_calls();
		bool over = nobody_reads();
		sent = send_from(0, world.current, total, n, 0);
		MUST(!over || sent == -EPIPE);
		total += sent > 0 ? (size_t)sent : 0;
	} while (sent > 0 && total < BYTES_MAX);
	MUST(sent == -EPIPE || total >= BYTES_MAX);
}

static void put_twos_until_broken(void)
{
	put_until_broken(2);
}

static void put_ones_until_broken(void)
{
	put_until_broken(1);
}

/* What was written before is read, then comes the end. */
static void put_2_unless_broken(void)
{
	between_calls();
	ssize_t sent = send_from(0, world.current, 0, 2, 0);
	MUST(sent == -EPIPE || sent == 1 || sent == 2);
	self()->result = (int)sent;
}

static void written_came(void)
{
	int sent = world.thread[0].result;

	came(0, sent > 0 ? (uint32_t)sent : 0, 2);
}

static void at_most_eight_came(void)
{
	came(0, 0, BYTES_MAX);
}

/* ---- killed ---- */

static void survivor_came(void)
{
	came(0, 0, 2);
	came(1, 1, 1);
}

/* Reads by epoll until the end. */
static void watch_and_take_all(bool edges)
{
	watches(1, POLLIN, edges);
	for (;;) {
		between_calls();
		if (receive(1, 4, MSG_DONTWAIT) > 0)
			continue;
		if (self()->result == 0)
			return;
		MUST(self()->result == -EAGAIN);
		between_calls();
		wait_for_watch();
	}
}

static void watch_level_and_take_all(void)
{
	watch_and_take_all(false);
}

static void watch_edges_and_take_all(void)
{
	watch_and_take_all(true);
}

static void poll_and_take_all(void)
{
	for (;;) {
		between_calls();
		if (receive(1, 4, MSG_DONTWAIT) > 0)
			continue;
		if (self()->result == 0)
			return;
		MUST(self()->result == -EAGAIN);
		between_calls();
		polls(1, POLLIN);
	}
}

/* Writes without waiting but for POLLOUT, until nobody reads. */
static void put_until_broken_by(short (*wait)(void))
{
	for (size_t total = 0; total < BYTES_MAX;) {
		between_calls();
		bool over = nobody_reads();
		ssize_t sent = send_from(0, world.current, total, 1, MSG_DONTWAIT);
		MUST(!over || sent == -EPIPE);
		total += sent > 0;
		if (sent == -EPIPE)
			return;
		if (sent > 0)
			continue;
		MUST(sent == -EAGAIN);
		between_calls();
		wait();
	}
}

static short poll_for_room(void)
{
	return polls(0, POLLOUT);
}

static void poll_and_put_until_broken(void)
{
	put_until_broken_by(poll_for_room);
}

static void watch_and_put_until_broken(void)
{
	watches(0, POLLOUT, false);
	put_until_broken_by(wait_for_watch);
}

static void watch_edges_and_put_until_broken(void)
{
	watches(0, POLLOUT, true);
	put_until_broken_by(wait_for_watch);
}

/* ---- both directions, and changes ---- */

/* The end comes before all that was wanted. */
static void take_whole_until_end(void)
{
	between_calls();
	MUST(receive(1, 3, MSG_WAITALL) == 2);
}

static void shut_all(void)
{
	shuts(1, SHUT_RDWR);
}

/* ---- the table ---- */

const struct scenario scenarios_of_ends[] = {
        {.name = "close-writer", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_2_and_leave), AT_B(take_all)}},
        {.name = "close-writers", .capacity = 1, .finish = one_of_each_came,
         .actor = {AT_A(put_1_and_leave), AT_A(put_1_and_leave), AT_B(take_all)}},
        {.name = "close-reader", .capacity = 1, .finish = at_most_eight_came,
         .actor = {AT_A(put_twos_until_broken), AT_B(take_1_and_leave)}},
        {.name = "close-reader-room", .capacity = 4, .finish = at_most_eight_came,
         .actor = {AT_A(put_ones_until_broken), AT_B(take_1_and_leave)}},
        {.name = "close-at-once", .capacity = 2, .finish = at_most_eight_came,
         .actor = {AT_A(put_twos_until_broken), AT_B(leave_reading)}},
        {.name = "close-stale", .capacity = 1,
         .actor = {AT_A(put_1_and_await_end), AT_B(take_1_and_leave)}},
        {.name = "shut-writer", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_2_and_shut), AT_B(take_all)}},
        {.name = "shut-reader", .capacity = 1, .finish = at_most_eight_came,
         .actor = {AT_A(put_twos_until_broken), AT_B(take_1_and_shut)}},
        {.name = "shut-reader-room", .capacity = 4, .finish = at_most_eight_came,
         .actor = {AT_A(put_ones_until_broken), AT_B(take_1_and_shut)}},
        {.name = "shut-own-writer", .capacity = 1, .finish = written_came,
         .actor = {AT_A(put_2_unless_broken), AT_A(shut_writing), AT_B(take_all)}},
        {.name = "shut-own-reader", .capacity = 1, .finish = at_most_two_came,
         .actor = {AT_A(put_2_unless_broken), AT_B(shut_reading), AT_B(take_all)}},
        {.name = "kill-writer", .capacity = 1, .finish = at_most_two_came,
         .actor = {AT_A(put_1_twice_and_leave, .may_be_killed = true), AT_B(take_all)}},
        {.name = "kill-rival-writer", .capacity = 1, .bound = 1, .finish = survivor_came,
         .actor = {AT_A(put_2_and_leave, .may_be_killed = true),
                   AT_A(put_1_and_leave),
                   AT_B(take_all)}},
        {.name = "kill-reader", .capacity = 1, .finish = nothing_doubled,
         .actor = {AT_A(put_twos_until_broken), AT_B(take_1_and_leave, .may_be_killed = true)}},
        {.name = "kill-reader-room", .capacity = 4, .finish = nothing_doubled,
         .actor = {AT_A(put_ones_until_broken), AT_B(take_1_and_leave, .may_be_killed = true)}},
        {.name = "kill-rival-reader", .capacity = 1, .bound = 1, .finish = nothing_doubled,
         .actor = {AT_A(put_2_and_leave),
                   AT_B(take_1_and_leave, .may_be_killed = true),
                   AT_B(take_all)}},
        {.name = "whole-until-end", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_2_and_leave), AT_B(take_whole_until_end)}},
        {.name = "close-poll", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_2_and_leave), AT_B(poll_and_take_all)}},
        {.name = "close-epoll", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_2_and_leave), AT_B(watch_level_and_take_all)}},
        {.name = "close-epoll-edges", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_2_and_leave), AT_B(watch_edges_and_take_all)}},
        {.name = "close-poll-out", .capacity = 1, .finish = at_most_eight_came,
         .actor = {AT_A(poll_and_put_until_broken), AT_B(take_1_and_leave)}},
        {.name = "close-epoll-out", .capacity = 1, .finish = at_most_eight_came,
         .actor = {AT_A(watch_and_put_until_broken), AT_B(take_1_and_leave)}},
        {.name = "shut-all", .capacity = 1, .finish = at_most_two_came,
         .actor = {AT_A(put_2_unless_broken), AT_B(shut_all), AT_B(take_all)}},
        {.name = "kill-writer-epoll", .capacity = 1, .bound = 2, .finish = at_most_two_came,
         .actor = {AT_A(put_1_twice_and_leave, .may_be_killed = true),
                   AT_B(watch_level_and_take_all)}},
        {.name = "kill-writer-epoll-edges", .capacity = 2, .finish = survivor_came, .bound = 1,
         .actor = {AT_A(put_1_twice_and_leave, .may_be_killed = true),
                   AT_A(put_1_and_leave),
                   AT_B(watch_edges_and_take_all)}},
        {.name = "kill-reader-poll", .capacity = 1, .finish = nothing_doubled,
         .actor = {AT_A(poll_and_put_until_broken),
                   AT_B(take_1_and_leave, .may_be_killed = true)}},
        {.name = "kill-reader-epoll", .capacity = 1, .bound = 2, .finish = nothing_doubled,
         .actor = {AT_A(watch_edges_and_put_until_broken),
                   AT_B(take_1_and_leave, .may_be_killed = true)}},
        {.name = NULL},
};
