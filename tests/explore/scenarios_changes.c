/* Pairs that get another capacity, or are handed over to the kernel. */
#include <errno.h>
#include <poll.h>

#include "base/os.h"
#include "acts.h"
#include "scenarios.h"

static void take_after_widening(void)
{
	take(3);
}

static void narrow(void)
{
	between_calls();
	MUST(weir_end_set_capacity(&ends[0], 1) == 0);
}

static void hand_over(void)
{
	between_calls();
	MUST(weir_end_hand_over(&ends[0]) == 0);
}

/* Once the kernel carries, the program's call is the kernel's, as the hooks do it. */
static void put_by_either(size_t n)
{
	for (size_t sent = 0; sent < n; sent++) {
		between_calls();
		ssize_t r = send_from(0, world.current, sent, 1, 0);
		unsigned char byte = byte_of(world.current, sent);
		if (r == WEIR_TO_KERNEL)
			r = os_send_wait(ends[0].fd, &byte, 1, MSG_NOSIGNAL);
		MUST(r == 1);
	}
}

static void take_by_either(size_t n)
{
	while (self()->logged < n) {
		between_calls();
		ssize_t r = receive(1, n - self()->logged, 0);
		if (r == WEIR_TO_KERNEL) {
			r = os_recv_wait(ends[1].fd, self()->log + self()->logged,
			                 n - self()->logged, 0);
			self()->logged += r > 0 ? (uint32_t)r : 0;
		}
		MUST(r > 0);
	}
}

/* In one call: what the ring has no room for goes with the kernel. */
static void put_2_at_once_by_either(void)
{
	between_calls();
	ssize_t r = send_from(0, world.current, 0, 2, 0);
	if (r != WEIR_TO_KERNEL) {
		MUST(r == 2);
		return;
	}
	unsigned char bytes[2] = {byte_of(world.current, 0), byte_of(world.current, 1)};
	MUST(os_send_wait(ends[0].fd, bytes, 2, MSG_NOSIGNAL) == 2);
}

static void poll_and_take_2_by_either(void)
{
	while (self()->logged < 2) {
		size_t n = 2 - self()->logged;
		between_calls();
		MUST(polls(1, POLLIN) & POLLIN);
		between_calls();
		ssize_t r = receive(1, n, MSG_DONTWAIT);
		if (r == WEIR_TO_KERNEL) {
			r = os_recv_now(ends[1].fd, self()->log + self()->logged, n, 0);
			self()->logged += r > 0 ? (uint32_t)r : 0;
		}
		MUST(r > 0 || r == -EAGAIN);
	}
}

static void put_2_by_either(void)
{
	put_by_either(2);
}

static void take_2_by_either(void)
{
	take_by_either(2);
}

const struct scenario scenarios_of_changes[] = {
        {.name = "widen", .capacity = 1, .finish = three_came,
         .actor = {AT_A(put_3), AT_A(widen), AT_B(take_after_widening)}},
        {.name = "hand-over", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_2_by_either), AT_A(hand_over), AT_B(take_2_by_either)}},
        {.name = "widen-watched", .capacity = 1, .finish = two_came,
         .actor = {AT_A(watch_edges_and_put_2), AT_A(widen), AT_B(take_2)}},
        {.name = "narrow-watched", .capacity = 2, .finish = two_came,
         .actor = {AT_A(watch_edges_and_put_2), AT_A(narrow), AT_B(take_2)}},
        {.name = "hand-over-at-once", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_2_at_once_by_either), AT_A(hand_over), AT_B(take_2_by_either)}},
        {.name = "hand-over-poll", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_2_by_either),
                   AT_A(hand_over),
                   AT_B(poll_and_take_2_by_either)}},
        {.name = "kill-hand-over", .capacity = 1, .bound = 1, .finish = two_came,
         .actor = {AT_A(put_2_by_either),
                   AT_A(hand_over, .may_be_killed = true),
                   AT_B(take_2_by_either)}},
        {.name = "kill-widen", .capacity = 1, .bound = 1, .finish = three_came,
         .actor = {AT_A(put_3), AT_A(widen, .may_be_killed = true), AT_B(take_3)}},
        {.name = NULL},
};
