/* Threads that wait in an epoll which memory answers. */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>

#include "acts.h"
#include "scenarios.h"

static void loops(int side, short events, bool edges)
{
	struct weir_waiter *w = &self()->waiter;

	between_calls();
	weir_waiter_begin(w, &ends[side], (uint32_t)events | (edges ? (uint32_t)EPOLLET : 0));
	if (events & POLLOUT)
		weir_end_watch(&ends[side], POLLOUT, edges);
	watch(ends[side].fd, events, edges);
}

/* As weir_loop_give_up(), by any thread. */
static void loop_ends(struct thread *t, int side)
{
	uint32_t wanted = load32_relaxed(&t->waiter.events);
	short events = (short)(wanted & (POLLIN | POLLOUT));
	bool edges = wanted & (uint32_t)EPOLLET;

	if (t->by_kernel || !wanted)
		return;
	weir_end_watch(&ends[side], events, edges);
	if (t->by_kernel) /* by another meanwhile */
		return;
	t->by_kernel = true;
	if (edges && weir_waiter_has_news(&t->waiter, &ends[side]) && t->watch.events)
		watch_for(t, ends[side].fd, events, edges);
}

/* True: memory has nothing to tell, and the kernel may be asked. */
static bool loop_may_sleep(int side)
{
	struct thread *t = self();
	int may = t->by_kernel ? 1 : weir_waiter_may_sleep(&t->waiter, &ends[side]);

	if (may == WEIR_UNKNOWN)
		loop_ends(t, side);
	return may != 0;
}

/* Until there is something to tell. A handler does not end it. */
static short loop_waits(int side)
{
	struct thread *t = self();

	for (;;) {
		int known = t->by_kernel ? 0 : weir_waiter_known(&t->waiter, &ends[side]);
		trace("memory knows of %#x", (unsigned int)known);
		if (known > 0)
			return (short)known;
		if (known == WEIR_UNKNOWN)
			loop_ends(t, side);
		if (!loop_may_sleep(side))
			continue;
		short event = wait_for_watch();
		uint32_t left = weir_waiter_true(&t->waiter, &ends[side], (uint32_t)event);
		trace("epoll gives %#x, which is %#x", (unsigned int)event, left);
		if (left)
			return (short)left;
	}
}

/* Another thread of the process comes into the loop: that ends it. */
static void loop_of_1_ends(void)
{
	between_calls();
	loop_ends(&world.thread[1], 1);
}

static void loop_of_0_ends(void)
{
	between_calls();
	loop_ends(&world.thread[0], 0);
}

static void loop_and_take_2(void)
{
	loops(1, POLLIN, false);
	while (self()->logged < 2) {
		between_calls();
		MUST(loop_waits(1) & POLLIN);
		between_calls();
		MUST(receive(1, 1, MSG_DONTWAIT) == 1);
	}
}

static void loop_edges_and_take_2(void)
{
	loops(1, POLLIN, true);
	while (self()->logged < 2) {
		between_calls();
		MUST(loop_waits(1) & POLLIN);
		do
			between_calls();
		while (receive(1, 2 - self()->logged, MSG_DONTWAIT) > 0 && self()->logged < 2);
	}
}

/* Reads one of two bytes, and says so: what is left is not told of again, but the answer is. */
static void loop_edges_and_leave_1(void)
{
	loops(1, POLLIN, true);
	between_calls();
	MUST(loop_waits(1) & POLLIN);
	between_calls();
	MUST(receive(1, 1, MSG_DONTWAIT) == 1);
	between_calls();
	MUST(send_from(1, world.current, 0, 1, 0) == 1);
	between_calls();
	MUST(loop_waits(1) & POLLIN);
	while (self()->logged < 3) {
		between_calls();
		MUST(receive(1, 2, 0) > 0);
	}
}

static void put_2_and_answer(void)
{
	put(2);
	between_calls();
	MUST(receive(0, 1, 0) == 1);
	between_calls();
	MUST(send_from(0, world.current, 2, 1, 0) == 1);
}

static void loop_edges_and_put(size_t n)
{
	loops(0, POLLOUT, true);
	for (size_t sent = 0; sent < n;) {
		between_calls();
		ssize_t r = send_from(0, world.current, sent, 1, MSG_DONTWAIT);
		sent += r > 0;
		if (r > 0)
			continue;
		MUST(r == -EAGAIN);
		between_calls();
		loop_waits(0);
	}
}

static void loop_edges_and_put_2(void)
{
	loop_edges_and_put(2);
}

static void loop_edges_and_put_3(void)
{
	loop_edges_and_put(3);
}

static void take_up_to_2(void)
{
	do
		between_calls();
	while (self()->logged < 2 && receive(1, 1, MSG_DONTWAIT) == 1);
}

static void put_up_to_2(size_t *sent)
{
	do
		between_calls();
	while (*sent < 2 && send_from(1, world.current, *sent, 1, MSG_DONTWAIT) == 1 && ++*sent);
}

/* Takes two bytes when it is told of input, and puts two when it is told of room. */
static void loop_edges_both_ways(void)
{
	short told = POLLOUT;
	size_t sent = 0;

	loops(1, POLLIN | POLLOUT, true);
	for (;;) {
		if (told & POLLIN)
			take_up_to_2();
		if (told & POLLOUT)
			put_up_to_2(&sent);
		if (sent == 2 && self()->logged == 2)
			return;
		between_calls();
		told = loop_waits(1);
	}
}

/* Is told of a byte, and leaves it; then fills the room that comes back. That makes an edge, which
 * tells of the byte again, be the room there or not. */
static void loop_edges_and_take_the_room_again(void)
{
	loops(1, POLLIN | POLLOUT, true);
	do
		between_calls();
	while (!(loop_waits(1) & POLLIN));
	for (size_t sent = 0; sent < 2; sent++) {
		between_calls();
		MUST(send_from(1, world.current, sent, 1, 0) == 1);
	}
	do
		between_calls();
	while (!(loop_waits(1) & POLLIN));
	between_calls();
	MUST(receive(1, 1, MSG_DONTWAIT) == 1);
}

static void put_1_and_take_1_of_the_loop(void)
{
	put(1);
	between_calls();
	MUST(receive(0, 1, 0) == 1);
}

static void put_2_and_take_2_of_the_loop(void)
{
	put(2);
	for (int i = 0; i < 2; i++) {
		between_calls();
		MUST(receive(0, 1, 0) == 1);
	}
}

static void take_2_of_the_loop_and_put_2(void)
{
	for (int i = 0; i < 2; i++) {
		between_calls();
		MUST(receive(0, 1, 0) == 1);
	}
	put(2);
}

static void loop_and_take_all(bool edges)
{
	loops(1, POLLIN, edges);
	do {
		between_calls();
		MUST(loop_waits(1) & (POLLIN | POLLHUP));
		do {
			between_calls();
			receive(1, 4, MSG_DONTWAIT);
		} while (edges && self()->result > 0);
	} while (self()->result != 0);
}

static void loop_level_and_take_all(void)
{
	loop_and_take_all(false);
}

static void loop_edges_and_take_all(void)
{
	loop_and_take_all(true);
}

const struct scenario scenarios_of_loops[] = {
        {.name = "loop-in", .capacity = 2, .finish = two_came,
         .actor = {AT_A(put_1_twice), AT_B(loop_and_take_2)}},
        {.name = "loop-in-edges", .capacity = 2, .finish = two_came,
         .actor = {AT_A(put_1_twice), AT_B(loop_edges_and_take_2)}},
        {.name = "loop-in-left", .capacity = 2, .finish = three_came,
         .actor = {AT_A(put_2_and_answer), AT_B(loop_edges_and_leave_1)}},
        {.name = "loop-in-rivals", .capacity = 1, .bound = 2, .finish = one_of_each_came,
         .actor = {AT_A(put_1), AT_A(put_1), AT_B(loop_edges_and_take_2)}},
        {.name = "loop-out-edges", .capacity = 1, .finish = two_came,
         .actor = {AT_A(loop_edges_and_put_2), AT_B(take_2)}},
        {.name = "loop-out-again", .capacity = 1, .bound = 2, .finish = three_came,
         .actor = {AT_A(loop_edges_and_put_3), AT_B(take_3)}},
        {.name = "loop-ends", .capacity = 2, .bound = 1, .finish = two_came,
         .actor = {AT_A(put_1_twice), AT_B(loop_edges_and_take_2), AT_B(loop_of_1_ends)}},
        {.name = "loop-ends-left", .capacity = 2, .bound = 1, .finish = three_came,
         .actor = {AT_A(put_2_and_answer), AT_B(loop_edges_and_leave_1), AT_B(loop_of_1_ends)}},
        {.name = "loop-ends-level", .capacity = 2, .bound = 1, .finish = two_came,
         .actor = {AT_A(put_1_twice), AT_B(loop_and_take_2), AT_B(loop_of_1_ends)}},
        {.name = "loop-ends-out", .capacity = 1, .bound = 1, .finish = two_came,
         .actor = {AT_A(loop_edges_and_put_2), AT_B(take_2), AT_A(loop_of_0_ends)}},
        {.name = "loop-ends-gone", .capacity = 1, .bound = 1, .finish = one_of_each_came,
         .actor = {AT_A(put_1_and_take_1_of_the_loop), AT_B(loop_edges_and_take_the_room_again),
                   AT_B(loop_of_1_ends)}},
        {.name = "loop-both-edges", .capacity = 1, .finish = two_came,
         .actor = {AT_A(loop_edges_and_put_2), AT_B(loop_edges_and_take_2)}},
        {.name = "loop-both-ways", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_2_and_take_2_of_the_loop), AT_B(loop_edges_both_ways)}},
        {.name = "loop-out-and-in", .capacity = 1, .finish = two_came,
         .actor = {AT_A(take_2_of_the_loop_and_put_2), AT_B(loop_edges_both_ways)}},
        {.name = "loop-out-gone", .capacity = 1, .finish = one_of_each_came,
         .actor = {AT_A(put_1_and_take_1_of_the_loop), AT_B(loop_edges_and_take_the_room_again)}},
        {.name = "loop-and-watch", .capacity = 1, .finish = two_came,
         .actor = {AT_A(watch_edges_and_put_2), AT_B(loop_and_take_2)}},
        {.name = "close-loop", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_2_and_leave), AT_B(loop_level_and_take_all)}},
        {.name = "close-loop-edges", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_2_and_leave), AT_B(loop_edges_and_take_all)}},
        {.name = "shut-loop-edges", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_2_and_shut), AT_B(loop_edges_and_take_all)}},
        {.name = "kill-writer-loop", .capacity = 1, .bound = 2, .finish = at_most_two_came,
         .actor = {AT_A(put_1_twice_and_leave, .may_be_killed = true),
                   AT_B(loop_level_and_take_all)}},
        {.name = "kill-writer-loop-edges", .capacity = 1, .bound = 2, .finish = at_most_two_came,
         .actor = {AT_A(put_1_twice_and_leave, .may_be_killed = true),
                   AT_B(loop_edges_and_take_all)}},
        {.name = NULL},
};
