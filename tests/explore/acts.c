#include "acts.h"

#include <errno.h>
#include <poll.h>

#include "base/os.h"
#include "endpoint/known.h"

/* ---- calls ---- */

unsigned char byte_of(int writer, size_t number)
{
	return (unsigned char)(writer << 4 | (int)(number + 1));
}

static uint64_t entry_of(int side)
{
	return weir_table_pack(ends[side].index, side, ends[side].generation);
}

ssize_t send_from(int side, int writer, size_t from, size_t n, int flags)
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

ssize_t receive(int side, size_t n, int flags)
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

void put(size_t n)
{
	between_calls();
	MUST(send_from(0, world.current, 0, n, 0) == (ssize_t)n);
}

void take(size_t n)
{
	ssize_t got = 1;

	for (size_t total = 0; total < n && got > 0; total += got > 0 ? (size_t)got : 0) {
		between_calls();
		got = receive(1, n - total, 0);
	}
}

short polls(int side, short events)
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

void leave(int side)
{
	between_calls();
	trace("closes");
	weir_end_before_close(&ends[side], true);
	close_end(ends[side].fd);
	weir_end_after_close(&ends[side], true);
}

void shuts(int side, int how)
{
	between_calls();
	trace("shuts down");
	weir_end_before_shutdown(&ends[side]);
	shut_down(ends[side].fd, how);
	weir_end_after_shutdown(&ends[side]);
}

/* ---- what has to be in the end ---- */

void count(struct tally *t, const struct thread *reader, int writer)
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

void came(int writer, uint32_t least, uint32_t most)
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

void two_came(void)
{
	came(0, 2, 2);
}

void three_came(void)
{
	came(0, 3, 3);
}

void two_of_each_came(void)
{
	came(0, 2, 2);
	came(1, 2, 2);
}

void one_of_each_came(void)
{
	came(0, 1, 1);
	came(1, 1, 1);
}

/* ---- threads ---- */

void put_1(void)
{
	put(1);
}

void put_2(void)
{
	put(2);
}

void put_3(void)
{
	put(3);
}

void put_1_twice(void)
{
	between_calls();
	MUST(send_from(0, world.current, 0, 1, 0) == 1);
	between_calls();
	MUST(send_from(0, world.current, 1, 1, 0) == 1);
}

void take_1(void)
{
	take(1);
}

void take_2(void)
{
	take(2);
}

void take_3(void)
{
	take(3);
}

void take_4(void)
{
	take(4);
}

/* ---- epoll ---- */

void watches(int side, short events, bool edges)
{
	between_calls();
	watch(ends[side].fd, events, edges);
	weir_end_watch(&ends[side], events, edges);
}

void watch_edges_and_put_2(void)
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

/* ---- the end of a connection ---- */

void put_2_and_leave(void)
{
	put(2);
	leave(0);
}

void put_2_and_shut(void)
{
	put(2);
	shuts(0, SHUT_WR);
}

void take_all(void)
{
	do {
		between_calls();
		receive(1, 4, 0);
	} while (self()->result > 0);
	MUST(self()->result == 0);
}

void at_most_two_came(void)
{
	came(0, 0, 2);
}

/* ---- killed ---- */

void put_1_twice_and_leave(void)
{
	put_1_twice();
	leave(0);
}

void nothing_doubled(void)
{
	struct tally t = {0};

	for (int i = 0; i < THREADS_MAX; i++)
		count(&t, &world.thread[i], 0);
	if (t.doubled || t.disordered)
		note_failure("a byte came twice, or too early: %#x", t.came);
}

/* ---- handlers ---- */

void handler_takes(void)
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

void take_own(bool by_poll)
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

void take_own_waiting(void)
{
	take_own(false);
}

void handler_puts_to_self(void)
{
	ssize_t sent = send_from(0, HANDLER, 0, 1, MSG_DONTWAIT);

	MUST(sent == 1 || sent == -EAGAIN);
	self()->result_of_handler = (int)sent;
}

void own_came(void)
{
	came(1, 1, 1);
	came(HANDLER, world.thread[0].result_of_handler == 1,
	     world.thread[0].result_of_handler == 1);
}

/* ---- both directions, and changes ---- */

void widen(void)
{
	between_calls();
	MUST(weir_end_set_capacity(&ends[0], 3) == 0);
}
