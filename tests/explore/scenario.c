/* The scenarios. Threads a, b, ... write at end 0 and read at end 1 unless it says
 * otherwise; each byte tells who wrote it and as his how manieth. In the end everybody
 * has finished, and no byte is missing, doubled or out of order. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/os.h"
#include "world.h"

enum { END_A = 1, END_B = 2, BYTES_MAX = 8, HANDLER = 8 };

/* ---- calls ---- */

static unsigned char byte_of(int writer, size_t number)
{
	return (unsigned char)(writer << 4 | (int)(number + 1));
}

static uint64_t entry_of(int side)
{
	return weir_table_pack(ends[side].index, side, ends[side].generation);
}

static ssize_t send_from(int side, int writer, size_t from, size_t n, int flags)
{
	unsigned char bytes[BYTES_MAX];
	struct iovec iov = {bytes, n};

	for (size_t i = 0; i < n; i++)
		bytes[i] = byte_of(writer, from + i);
	trace("writes %zu", n);
	ssize_t sent = 0;
	if (scenario->lone && n > 0)
		sent = (ssize_t)lone_send(entry_of(side), bytes, n);
	if (sent == 0 && n > 0)
		sent = (ssize_t)weir_end_send_quick(entry_of(side), ends[side].fd, bytes, n);
	if (sent == 0)
		sent = weir_end_send(&ends[side], weir_span_of(&iov, 1), n, flags | MSG_NOSIGNAL);
	trace("has written: %zd", sent);
	return sent;
}

static ssize_t receive(int side, size_t n, int flags)
{
	struct thread *t = self();
	struct iovec iov = {t->log + t->logged, n};

	MUST(t->logged + n <= LOG_MAX);
	trace("reads %zu", n);
	bool plain = n > 0 && !(flags & ~MSG_DONTWAIT);
	ssize_t got = 0;
	if (scenario->lone && plain)
		got = (ssize_t)lone_receive(entry_of(side), ends[side].fd, iov.iov_base, n);
	if (got == 0 && plain)
		got = (ssize_t)weir_end_receive_quick(entry_of(side), ends[side].fd, iov.iov_base, n);
	if (got == 0)
		got = weir_end_receive(&ends[side], weir_span_of(&iov, 1), n, flags);
	trace("has read: %zd", got);
	t->result = (int)got;
	if (got > 0 && !(flags & MSG_PEEK))
		t->logged += (uint32_t)got;
	return got;
}

/* All of them, in one call that waits. */
static void put(size_t n)
{
	between_calls();
	MUST(send_from(0, world.current, 0, n, 0) == (ssize_t)n);
}

/* Until that many have come, or the end. */
static void take(size_t n)
{
	ssize_t got = 1;

	for (size_t total = 0; total < n && got > 0; total += got > 0 ? (size_t)got : 0) {
		between_calls();
		got = receive(1, n - total, 0);
	}
}

/* poll(2) of one descriptor, as hooks/ready.c does it. */
static short polls(int side, short events)
{
	for (;;) {
		self()->heard = 0;
		struct os_handled since = os_handled();
		int known = weir_end_known(&ends[side], events);
		if (known > 0) {
			trace("poll knows of %#x", (unsigned int)known);
			return (short)known;
		}
		weir_end_make_exact(&ends[side], events);
		if (os_handled().all != since.all)
			continue;
		int found = os_poll_wait(ends[side].fd, events, -1);
		if (found < 0)
			continue;
		short seen = weir_end_true_events(&ends[side], (short)found);
		trace("poll gives %#x, which is %#x", (unsigned int)found, (unsigned int)seen);
		if (seen)
			return seen;
	}
}

/* close(2) of the last descriptor of this process, as hooks/close.c does it. */
static void leave(int side)
{
	between_calls();
	trace("closes");
	weir_end_before_close(&ends[side], true);
	close_end(ends[side].fd);
	weir_end_after_close(&ends[side], true);
}

static void shuts(int side, int how)
{
	between_calls();
	trace("shuts down");
	weir_end_before_shutdown(&ends[side]);
	shut_down(ends[side].fd, how);
	weir_end_after_shutdown(&ends[side]);
}

/* ---- what has to be in the end ---- */

struct tally {
	uint32_t came;              /* bits: bytes of one writer */
	bool doubled, disordered;
};

static void count(struct tally *t, const struct thread *reader, int writer)
{
	unsigned char last = 0;

	for (uint32_t i = 0; i < reader->logged; i++) {
		unsigned char byte = reader->log[i];
		if (byte >> 4 != writer)
			continue;
		uint32_t bit = 1U << (byte & 15);
		t->doubled |= (t->came & bit) != 0;
		t->disordered |= byte < last;
		t->came |= bit;
		last = byte;
	}
}

/* Between `least` and `most` of the bytes of a writer have come: the first ones. */
static void came(int writer, uint32_t least, uint32_t most)
{
	struct tally t = {0};
	uint32_t n = 0;

	for (int i = 0; i < THREADS_MAX; i++) {
		const struct thread *reader = &world.thread[i];
		count(&t, reader, writer);
		if (reader->handled && reader->handled >> 4 == writer)
			t.came |= 1U << (reader->handled & 15);
	}
	while (t.came & (2U << n))
		n++;
	if (t.doubled || t.disordered || t.came != (2U << n) - 2 || n < least || n > most)
		note_failure("of what %c has written came %#x%s%s, wanted %u to %u",
		             'a' + writer % HANDLER, t.came, t.doubled ? ", doubled" : "",
		             t.disordered ? ", out of order" : "", least, most);
}

static void first_came(void)
{
	came(0, 1, 1);
}

static void two_came(void)
{
	came(0, 2, 2);
}

static void three_came(void)
{
	came(0, 3, 3);
}

static void two_of_each_came(void)
{
	came(0, 2, 2);
	came(1, 2, 2);
}

static void one_of_each_came(void)
{
	came(0, 1, 1);
	came(1, 1, 1);
}

/* ---- threads ---- */

static void put_1(void)
{
	put(1);
}

static void put_2(void)
{
	put(2);
}

static void put_3(void)
{
	put(3);
}

static void put_1_twice(void)
{
	between_calls();
	MUST(send_from(0, world.current, 0, 1, 0) == 1);
	between_calls();
	MUST(send_from(0, world.current, 1, 1, 0) == 1);
}

static void take_1(void)
{
	take(1);
}

static void take_2(void)
{
	take(2);
}

static void take_3(void)
{
	take(3);
}

static void take_4(void)
{
	take(4);
}

/* In one call that waits for all. */
static void take_3_whole(void)
{
	between_calls();
	MUST(receive(1, 3, MSG_WAITALL) == 3);
}

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

static void watches(int side, short events, bool edges)
{
	between_calls();
	watch(ends[side].fd, events, edges);
	weir_end_watch(&ends[side], events, edges);
}

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

static void watch_edges_and_put_2(void)
{
	watches(0, POLLOUT, true);
	for (size_t sent = 0; sent < 2;) {
		between_calls();
		ssize_t r = send_from(0, world.current, sent, 1, MSG_DONTWAIT);
		sent += r > 0;
		if (r > 0)
			continue;
		MUST(r == -EAGAIN);
		between_calls();
		wait_for_watch();
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

/* ---- epoll where memory answers, as hooks/loop.c does it ---- */

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

/* ---- the end of a connection ---- */

static void put_2_and_leave(void)
{
	put(2);
	leave(0);
}

static void put_2_and_shut(void)
{
	put(2);
	shuts(0, SHUT_WR);
}

static void put_1_and_leave(void)
{
	put(1);
	leave(0);
}

/* Reads until the end, which is an end and no error. */
static void take_all(void)
{
	do {
		between_calls();
		receive(1, 4, 0);
	} while (self()->result > 0);
	MUST(self()->result == 0);
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

static void at_most_two_came(void)
{
	came(0, 0, 2);
}

/* ---- killed ---- */

/* Writes, and goes as a process goes that ends by itself. */
static void put_1_twice_and_leave(void)
{
	put_1_twice();
	leave(0);
}

static void survivor_came(void)
{
	came(0, 0, 2);
	came(1, 1, 1);
}

/* What a killed reader had taken went with it; of the rest nothing is doubled. */
static void nothing_doubled(void)
{
	struct tally t = {0};

	for (int i = 0; i < THREADS_MAX; i++)
		count(&t, &world.thread[i], 0);
	if (t.doubled || t.disordered)
		note_failure("a byte came twice, or too early: %#x", t.came);
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

/* ---- handlers ---- */

static void handler_puts(void)
{
	ssize_t sent = send_from(0, HANDLER, 0, 1, MSG_DONTWAIT);

	self()->result = sent == 1;
	MUST(sent == 1 || sent == -EAGAIN);
}

static void handler_takes(void)
{
	unsigned char byte;
	struct iovec iov = {&byte, 1};
	ssize_t got = scenario->lone ? (ssize_t)lone_receive(entry_of(1), ends[1].fd, &byte, 1) : 0;

	if (got == 0)
		got = weir_end_receive(&ends[1], weir_span_of(&iov, 1), 1, MSG_DONTWAIT);

	MUST(got >= 0 || got == -EAGAIN);
	if (got == 1)
		self()->handled = byte;
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

/* A thread that reads what its own handlers write, and what others do. */
static void take_own(bool by_poll)
{
	struct thread *t = self();

	while (t->logged < 1U + (t->result_of_handler == 1)) {
		between_calls();
		if (receive(1, 1, by_poll ? MSG_DONTWAIT : 0) > 0)
			continue;
		MUST(t->result == -EAGAIN || t->result == -EINTR);
		if (t->result == -EAGAIN)
			polls(1, POLLIN);
	}
}

static void take_own_waiting(void)
{
	take_own(false);
}

static void take_own_polling(void)
{
	take_own(true);
}

static void handler_puts_to_self(void)
{
	ssize_t sent = send_from(0, HANDLER, 0, 1, MSG_DONTWAIT);

	MUST(sent == 1 || sent == -EAGAIN);
	self()->result_of_handler = (int)sent;
}

static void own_came(void)
{
	came(1, 1, 1);
	came(HANDLER, world.thread[0].result_of_handler == 1,
	     world.thread[0].result_of_handler == 1);
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

static void widen(void)
{
	between_calls();
	MUST(weir_end_set_capacity(&ends[0], 3) == 0);
}

static void take_after_widening(void)
{
	take(3);
}

static void narrow(void)
{
	between_calls();
	MUST(weir_end_set_capacity(&ends[0], 1) == 0);
}

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

static void peek_and_take_1(void)
{
	between_calls();
	MUST(receive(1, 1, MSG_PEEK) == 1);
	take(1);
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

#define AT(ends, function, ...) {.run = (function), .holds = (ends), __VA_ARGS__}
#define AT_A(...) AT(END_A, __VA_ARGS__, )
#define AT_B(...) AT(END_B, __VA_ARGS__, )
#define AT_BOTH(...) AT(END_A | END_B, __VA_ARGS__, )

const struct scenario scenarios[] = {
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

        {.name = "late-wake", .capacity = 4, .finish = six_came, .by_kernels_rule = true,
         .actor = {AT_A(put_6), AT_B(take_6_by_ones)}},
        {.name = "late-wake-poll", .capacity = 4, .finish = six_came, .by_kernels_rule = true,
         .actor = {AT_A(poll_and_put_6), AT_B(take_6_by_ones)}},
        {.name = "peek-rivals", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_2), AT_B(peek_and_take_1), AT_B(take_1)}},
        {.name = "whole-until-end", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_2_and_leave), AT_B(take_whole_until_end)}},
        {.name = "poll-in-both", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_1_twice), AT_B(poll_and_take_1), AT_B(poll_and_take_1)}},
        {.name = "epoll-in-once", .capacity = 2, .finish = two_came,
         .actor = {AT_A(put_1_twice), AT_B(watch_edges_and_read_once)}},
        {.name = "epoll-in-once-full", .capacity = 1, .finish = two_came,
         .actor = {AT_A(watch_edges_and_put_2), AT_B(watch_edges_and_read_once)}},
        {.name = "close-poll", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_2_and_leave), AT_B(poll_and_take_all)}},
        {.name = "close-epoll", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_2_and_leave), AT_B(watch_level_and_take_all)}},
        {.name = "close-epoll-edges", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_2_and_leave), AT_B(watch_edges_and_take_all)}},
        {.name = "close-loop", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_2_and_leave), AT_B(loop_level_and_take_all)}},
        {.name = "close-loop-edges", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_2_and_leave), AT_B(loop_edges_and_take_all)}},
        {.name = "shut-loop-edges", .capacity = 1, .finish = two_came,
         .actor = {AT_A(put_2_and_shut), AT_B(loop_edges_and_take_all)}},
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
        {.name = "kill-writer-loop", .capacity = 1, .bound = 2, .finish = at_most_two_came,
         .actor = {AT_A(put_1_twice_and_leave, .may_be_killed = true),
                   AT_B(loop_level_and_take_all)}},
        {.name = "kill-writer-loop-edges", .capacity = 1, .bound = 2, .finish = at_most_two_came,
         .actor = {AT_A(put_1_twice_and_leave, .may_be_killed = true),
                   AT_B(loop_edges_and_take_all)}},
        {.name = "kill-reader-poll", .capacity = 1, .finish = nothing_doubled,
         .actor = {AT_A(poll_and_put_until_broken),
                   AT_B(take_1_and_leave, .may_be_killed = true)}},
        {.name = "kill-reader-epoll", .capacity = 1, .bound = 2, .finish = nothing_doubled,
         .actor = {AT_A(watch_edges_and_put_until_broken),
                   AT_B(take_1_and_leave, .may_be_killed = true)}},

        {.name = "kill-hand-over", .capacity = 1, .bound = 1, .finish = two_came,
         .actor = {AT_A(put_2_by_either),
                   AT_A(hand_over, .may_be_killed = true),
                   AT_B(take_2_by_either)}},
        {.name = "kill-widen", .capacity = 1, .bound = 1, .finish = three_came,
         .actor = {AT_A(put_3), AT_A(widen, .may_be_killed = true), AT_B(take_3)}},

        {.name = "self-pipe", .capacity = 2, .finish = own_came,
         .actor = {AT_BOTH(take_own_waiting, .handler = handler_puts_to_self),
                   AT_A(put_1)}},
        {.name = "self-pipe-poll", .capacity = 2, .finish = own_came,
         .actor = {AT_BOTH(take_own_polling, .handler = handler_puts_to_self),
                   AT_A(put_1)}},
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
