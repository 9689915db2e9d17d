/* Threads that wait in poll or epoll. */
#include <errno.h>
#include <poll.h>

#include "acts.h"
#include "scenarios.h"

/* ---- threads ---- */

/* Without waiting but in poll. */
static void poll_and_take(size_t n)
{
	while (self()->logged < n) {
		between_calls();
		if (receive(1, n - self()->logged, MSG_DONTWAIT) > 0)
			continue;
		MUST(self()->result == -EAGAIN);
		between_calls();
		MUST(polls(1, POLLIN) & POLLIN);
	}
}

static void poll_and_take_2(void)
{
	poll_and_take(2);
}

static void poll_and_take_1(void)
{
	poll_and_take(1);
}

static void poll_and_put(size_t n)
{
	for (size_t sent = 0; sent < n;) {
		between_calls();
		ssize_t r = send_from(0, world.current, sent, n - sent, MSG_DONTWAIT);
		if (r > 0) {
			sent += (size_t)r;
			continue;
		}
		MUST(r == -EAGAIN);
		between_calls();
		MUST(polls(0, POLLOUT) & POLLOUT);
	}
}

static void poll_and_put_2(void)
{
	poll_and_put(2);
}

static void poll_and_put_3(void)
{
	poll_and_put(3);
}

/* ---- epoll ---- */

/* While another reads. */
static void only_watch(void)
{
	watches(1, POLLIN, false);
}

/* One read for each event: what epoll says is so. */
static void watch_and_take_2(void)
{
	watches(1, POLLIN, false);
	while (self()->logged < 2) {
		between_calls();
		wait_for_watch();
		between_calls();
		MUST(receive(1, 1, MSG_DONTWAIT) == 1);
	}
}

/* Whoever gets edges reads until there is nothing more. */
static void watch_edges_and_take_2(void)
{
	watches(1, POLLIN, true);
	while (self()->logged < 2) {
		between_calls();
		if (receive(1, 2 - self()->logged, MSG_DONTWAIT) > 0)
			continue;
		MUST(self()->result == -EAGAIN);
		between_calls();
		wait_for_watch();
	}
}

static void watch_and_put_2(void)
{
	watches(0, POLLOUT, false);
	for (size_t sent = 0; sent < 2; sent++) {
		between_calls();
		wait_for_watch();
		between_calls();
		MUST(send_from(0, world.current, sent, 1, MSG_DONTWAIT) == 1);
	}
}

/* Watches for room that others may take first. */
static void watch_and_put_1_when_it_fits(void)
{
	ssize_t r;

	watches(0, POLLOUT, false);
	do {
		between_calls();
		wait_for_watch();
		between_calls();
		r = send_from(0, world.current, 0, 1, MSG_DONTWAIT);
		MUST(r == 1 || r == -EAGAIN);
	} while (r != 1);
}

/* ---- both directions, and changes ---- */

/* An edge, then one read for more than there is: a short one has emptied the queue
 * (epoll(7)), and only then the next edge is waited for. */
static void watch_edges_and_read_once(void)
{
	watches(1, POLLIN, true);
	while (self()->logged < 2) {
		between_calls();
		wait_for_watch();
		between_calls();
		receive(1, 4, MSG_DONTWAIT);
	}
}

static void put_6(void)
{
	put(6);
}

static void poll_and_put_6(void)
{
	poll_and_put(6);
}

static void take_6_by_ones(void)
{
	while (self()->logged < 6) {
		between_calls();
		MUST(receive(1, 1, 0) == 1);
	}
}

static void six_came(void)
{
	came(0, 6, 6);
}

/* ---- the table ---- */

const struct scenario scenarios_of_readiness[] = {
        {.name = "poll-in", .capacity = 2, .finish = two_came,
         .actor = {AT_A(put_1_twice), AT_B(poll_and_take_2)}},
        {.name = "poll-in-rivals", .capacity = 2, .finish = two_came,
         .actor = {AT_A(put_1_twice), AT_B(poll_and_take_1), AT_B(take_1)}},
        {.name = "poll-out", .capacity = 2, .finish = three_came,
         .actor = {AT_A(poll_and_put_3), AT_B(take_3)}},
        {.name = "poll-out-rivals", .capacity = 1, .finish = two_of_each_came,
         .actor = {AT_A(poll_and_put_2), AT_A(put_2), AT_B(take_4)}},
        {.name = "poll-both", .capacity = 1, .finish = two_came,
         .actor = {AT_A(poll_and_put_2), AT_B(poll_and_take_2)}},
        {.name = "epoll-in", .capacity = 2, .finish = two_came,
         .actor = {AT_A(put_1_twice), AT_B(watch_and_take_2)}},
        {.name = "epoll-in-while-read", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_1_twice), AT_B(take_2), AT_B(only_watch)}},
        {.name = "epoll-in-edges", .capacity = 2, .finish = two_came,
         .actor = {AT_A(put_1_twice), AT_B(watch_edges_and_take_2)}},
        {.name = "epoll-out", .capacity = 1, .finish = two_came,
         .actor = {AT_A(watch_and_put_2), AT_B(take_2)}},
        {.name = "epoll-out-edges", .capacity = 1, .finish = two_came,
         .actor = {AT_A(watch_edges_and_put_2), AT_B(take_2)}},
        {.name = "epoll-out-rivals", .capacity = 1, .finish = one_of_each_came,
         .actor = {AT_A(put_1), AT_A(watch_and_put_1_when_it_fits), AT_B(take_2)}},
        {.name = "epoll-both", .capacity = 1, .finish = two_came,
         .actor = {AT_A(watch_and_put_2), AT_B(watch_and_take_2)}},
        {.name = "epoll-both-edges", .capacity = 1, .finish = two_came,
         .actor = {AT_A(watch_edges_and_put_2), AT_B(watch_edges_and_take_2)}},
        {.name = "late-wake", .capacity = 4, .finish = six_came, .by_kernels_rule = true,
         .actor = {AT_A(put_6), AT_B(take_6_by_ones)}},
        {.name = "late-wake-poll", .capacity = 4, .finish = six_came, .by_kernels_rule = true,
         .actor = {AT_A(poll_and_put_6), AT_B(take_6_by_ones)}},
        {.name = "poll-in-both", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_1_twice), AT_B(poll_and_take_1), AT_B(poll_and_take_1)}},
        {.name = "epoll-in-once", .capacity = 2, .finish = two_came,
         .actor = {AT_A(put_1_twice), AT_B(watch_edges_and_read_once)}},
        {.name = "epoll-in-once-full", .capacity = 1, .finish = two_came,
         .actor = {AT_A(watch_edges_and_put_2), AT_B(watch_edges_and_read_once)}},
        {.name = NULL},
};
