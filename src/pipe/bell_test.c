#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>

#include "base/test_random.h"
#include "pipe/test_pipe.h"

enum { CAPACITY = 8, STEPS = 4000 };

/* R: a ring with bytes is a readable socket. W: a ring with room is a writable
 * one, unless its writer waits for more room than there is. */
static void rules(struct test_pipe *t, int line)
{
	bool waits = load32_relaxed(&t->pipe->saturated) != WEIR_FLOWING &&
	             weir_pipe_room(&t->ref) < load64_relaxed(&t->pipe->wake_at);
	bool r = weir_pipe_used(&t->ref) == 0 || test_readable(t);
	bool w = !weir_pipe_writable(&t->ref) || waits || test_writable(t);

	weir_test_check(r, __FILE__, line, "rule R");
	weir_test_check(w, __FILE__, line, "rule W");
	weir_test_check(weir_pipe_is_valid(&t->ref), __FILE__, line, "the pipe is valid");
	if (load32_relaxed(&t->pipe->bells) > 0)
		weir_test_check(os_queued_in(t->reader) > 0, __FILE__, line, "bells are there");
}

#define RULES(t) rules((t), __LINE__)

static void one_bell_is_enough(void)
{
	struct test_pipe t = test_pipe_open(CAPACITY);

	RULES(&t);
	CHECK(!test_readable(&t));
	test_pipe_put(&t, "a", 1);
	RULES(&t);
	test_pipe_put(&t, "b", 1);
	RULES(&t);
	CHECK_EQ(os_queued_in(t.reader), 1);
	CHECK(test_writable(&t));
	test_pipe_close(&t);
}

static void settling_leaves_what_is_needed(void)
{
	struct test_pipe t = test_pipe_open(CAPACITY);

	test_pipe_put(&t, "ab", 2);
	test_pipe_settle(&t);
	RULES(&t);
	CHECK_EQ(load32_relaxed(&t.pipe->bells), 1);
	CHECK_TEXT(test_pipe_text(&t, 1), "a");
	test_pipe_settle(&t);
	RULES(&t);
	CHECK_TEXT(test_pipe_text(&t, 1), "b");
	CHECK(test_readable(&t)); /* stale, until somebody asks */
	test_pipe_settle(&t);
	RULES(&t);
	CHECK(!test_readable(&t));
	CHECK_EQ(load32_relaxed(&t.pipe->bells), 0);
	test_pipe_put(&t, "c", 1);
	RULES(&t);
	test_pipe_close(&t);
}

static void ringing_fails_as_the_kernel_says(void)
{
	struct test_pipe t = test_pipe_open(CAPACITY);

	CHECK_EQ(weir_bell_ring(&t.ref, -1), -EBADF);
	CHECK_EQ(shutdown(t.reader, SHUT_RD), 0);
	CHECK_EQ(weir_bell_ring(&t.ref, t.writer), -EPIPE);
	test_pipe_close(&t);
	t = test_pipe_open(CAPACITY);
	CHECK_EQ(send(t.reader, "unread", 6, 0), 6);
	close(t.reader);
	t.reader = dup(t.writer);
	/* The peer closed with bytes unread on the other direction. */
	CHECK_EQ(weir_bell_ring(&t.ref, t.writer), -EPIPE);
	test_pipe_close(&t);
}

static void a_full_queue_is_rung(void)
{
	struct test_pipe t = test_pipe_open(CAPACITY);

	while (os_send_now(t.writer, "", 1, 0) == 1)
		;
	CHECK_EQ(test_pipe_put(&t, "a", 1), 1);
	CHECK_EQ(load32_relaxed(&t.pipe->bells), 1);
	CHECK(test_readable(&t));
	test_pipe_settle(&t);
	RULES(&t);
	CHECK_EQ(os_queued_in(t.reader), 1);
	test_pipe_close(&t);
}

static void fill_ring(struct test_pipe *t)
{
	CHECK_EQ(test_pipe_put(t, "12345678", CAPACITY), CAPACITY);
}

static void unwritable_and_back(void)
{
	struct test_pipe t = test_pipe_open(CAPACITY);

	fill_ring(&t);
	CHECK(test_writable(&t)); /* nobody has asked */
	test_pipe_saturate(&t, WEIR_UNWRITABLE);
	RULES(&t);
	CHECK(!test_writable(&t));
	CHECK_EQ(load32_relaxed(&t.pipe->saturated), WEIR_UNWRITABLE);
	CHECK_TEXT(test_pipe_text(&t, 3), "123");
	test_pipe_settle(&t);
	RULES(&t);
	CHECK_EQ(os_queued_in(t.reader), 1);
	CHECK_EQ(load32_relaxed(&t.pipe->saturated), WEIR_FLOWING);
	CHECK_TEXT(test_pipe_text(&t, 10), "45678");
	test_pipe_settle(&t);
	RULES(&t);
	CHECK_EQ(os_queued_in(t.reader), 0);
	test_pipe_close(&t);
}

static void saturated_and_back(void)
{
	struct test_pipe t = test_pipe_open(CAPACITY);

	for (int i = 0; i < 3; i++) {
		fill_ring(&t);
		test_pipe_saturate(&t, WEIR_UNWRITABLE);
		test_pipe_saturate(&t, WEIR_SATURATED);
		RULES(&t);
		CHECK(!test_writable(&t));
		CHECK_EQ(os_send_now(t.writer, "", 1, 0), -EAGAIN);
		CHECK(test_readable(&t));
		CHECK_TEXT(test_pipe_text(&t, 1), "1");
		test_pipe_settle(&t); /* exactly one bell can be left: it came last */
		RULES(&t);
		CHECK_EQ(os_queued_in(t.reader), 1);
		CHECK(test_writable(&t));
		CHECK_TEXT(test_pipe_text(&t, 10), "2345678");
		test_pipe_settle(&t);
		RULES(&t);
	}
	test_pipe_close(&t);
}

/* A waiting reader is woken although the bells were there before the bytes. */
static void saturating_an_empty_queue_rings(void)
{
	struct test_pipe t = test_pipe_open(CAPACITY);

	fill_ring(&t);
	store32_relaxed(&t.pipe->bells, 0);
	os_recv_now(t.reader, (char[8]){0}, 8, 0);
	test_pipe_saturate(&t, WEIR_SATURATED);
	RULES(&t);
	CHECK_EQ(load32_relaxed(&t.pipe->bells), 1);
	test_pipe_close(&t);
}

/* What a writer that died had done to the queue is unknown: who waits next fills it. */
static void saturated_after_a_death(void)
{
	struct test_pipe t = test_pipe_open(CAPACITY);

	fill_ring(&t);
	test_pipe_saturate(&t, WEIR_SATURATED);
	test_pipe_text(&t, CAPACITY);
	test_pipe_settle(&t);
	fill_ring(&t);
	pid_t child = fork();
	if (child == 0) {
		weir_pipe_lock_writer(&t.ref);
		raise(SIGKILL);
	}
	CHECK_EQ(waitpid(child, NULL, 0), child);
	test_pipe_saturate(&t, WEIR_SATURATED);
	CHECK(!test_writable(&t));
	CHECK_EQ(os_send_now(t.writer, "x", 1, MSG_NOSIGNAL), -EAGAIN);
	test_pipe_close(&t);
}

static void the_writer_makes_itself_writable(void)
{
	struct test_pipe t = test_pipe_open(CAPACITY);

	fill_ring(&t);
	test_pipe_saturate(&t, WEIR_UNWRITABLE);
	CHECK(!test_writable(&t));
	CHECK_EQ(weir_pipe_lock_writer(&t.ref), 0);
	weir_bell_make_writable(&t.ref, t.writer);
	weir_pipe_unlock_writer(&t.ref);
	CHECK(test_writable(&t));
	test_pipe_saturate(&t, WEIR_UNWRITABLE); /* once more, by more bells */
	CHECK(!test_writable(&t));
	test_pipe_text(&t, 10);
	test_pipe_settle(&t);
	RULES(&t);
	test_pipe_close(&t);
}

struct waiter {
	int fd;
	weir_word32 waits;
	ssize_t result;
};

static void *wait_for_room(void *argument)
{
	struct waiter *w = argument;

	store32_ordered(&w->waits, 1);
	w->result = os_send_wait(w->fd, weir_bell_unreadable(), 1, MSG_NOSIGNAL);
	store32_ordered(&w->waits, 2);
	return NULL;
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){0, ms * 1000000}, NULL);
}

static void a_blocked_send_wakes_and_leaves_nothing(void)
{
	struct test_pipe t = test_pipe_open(CAPACITY);
	struct waiter w = {.fd = t.writer};
	pthread_t thread;

	fill_ring(&t);
	test_pipe_saturate(&t, WEIR_SATURATED);
	pthread_create(&thread, NULL, wait_for_room, &w);
	while (load32_ordered(&w.waits) == 0)
		pause_ms(1);
	pause_ms(30);
	CHECK_EQ(load32_ordered(&w.waits), 1);
	test_pipe_text(&t, 10);
	test_pipe_settle(&t);
	pthread_join(thread, NULL);
	CHECK_EQ(w.result, -EFAULT);
	CHECK_EQ(os_queued_in(t.reader), 0);
	RULES(&t);
	test_pipe_close(&t);
}

static void a_blocked_send_ends_as_any_other(void)
{
	struct test_pipe t = test_pipe_open(CAPACITY);
	struct timeval soon = {0, 20000};
	struct waiter w = {.fd = t.writer};
	pthread_t thread;

	fill_ring(&t);
	test_pipe_saturate(&t, WEIR_SATURATED);
	CHECK_EQ(setsockopt(t.writer, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon)), 0);
	CHECK_EQ(os_send_wait(t.writer, weir_bell_unreadable(), 1, MSG_NOSIGNAL), -EAGAIN);
	soon.tv_usec = 0;
	CHECK_EQ(setsockopt(t.writer, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon)), 0);
	pthread_create(&thread, NULL, wait_for_room, &w);
	pause_ms(20);
	CHECK_EQ(shutdown(t.reader, SHUT_RD), 0);
	pthread_join(thread, NULL);
	CHECK_EQ(w.result, -EPIPE);
	test_pipe_close(&t);
}

static void each_write_is_an_edge(void)
{
	struct test_pipe t = test_pipe_open(4096);
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	int epoll = epoll_create1(0);

	store32_relaxed(&t.pipe->watch, WEIR_WATCH_INPUT | WEIR_WATCH_EDGES);
	CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, t.reader, &event), 0);
	CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
	for (int i = 0; i < 40; i++) {
		test_pipe_put(&t, "x", 1);
		RULES(&t);
		CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 1);
		CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
	}
	for (int i = 0; i < 200; i++) {
		test_pipe_put(&t, "x", 1); /* the queue does not grow without end */
		RULES(&t);
	}
	test_pipe_text(&t, 4095);
	test_pipe_settle(&t);
	RULES(&t);
	CHECK(!test_readable(&t));
	close(epoll);
	test_pipe_close(&t);
}

static bool follows(struct test_pipe *t)
{
	CHECK_EQ(weir_pipe_lock(&t->ref), 0);
	bool follows = weir_bell_follow(&t->ref, t->reader);
	weir_pipe_unlock(&t->ref);
	return follows;
}

static void hand_over(struct test_pipe *t)
{
	CHECK_EQ(weir_pipe_lock_writer(&t->ref), 0);
	CHECK_EQ(weir_bell_hand_over(&t->ref, t->writer), 0);
	CHECK_EQ(weir_bell_hand_over(&t->ref, t->writer), 0); /* once is enough */
	weir_pipe_unlock_writer(&t->ref);
	CHECK(test_writable(t));
}

/* All bytes that may be mistaken for ours: BELL is 0, MARKER is 1. */
static const char behind[] = {1, 0, 1, 1, 0, 'x'};

static void check_behind(struct test_pipe *t)
{
	char got[16] = "";

	CHECK_EQ(send(t->writer, behind, sizeof(behind), 0), sizeof(behind));
	CHECK_EQ(weir_bell_queued_behind(&t->ref, t->reader), sizeof(behind));
	CHECK(follows(t));
	CHECK(follows(t));
	CHECK_EQ(weir_bell_queued_behind(&t->ref, t->reader), sizeof(behind));
	CHECK_EQ(recv(t->reader, got, sizeof(got), MSG_DONTWAIT), sizeof(behind));
	CHECK(!memcmp(got, behind, sizeof(behind)));
	test_pipe_settle(t); /* nothing is ours any more */
	test_pipe_saturate(t, WEIR_SATURATED);
	CHECK_EQ(os_queued_in(t->reader), 0);
}

static void handed_over_at_rest(void)
{
	struct test_pipe t = test_pipe_open(CAPACITY);

	CHECK(!follows(&t));
	CHECK_EQ(weir_bell_queued_behind(&t.ref, t.reader), 0);
	hand_over(&t);
	check_behind(&t);
	test_pipe_close(&t);
}

static bool handed_over_idle(struct test_pipe *t)
{
	CHECK_EQ(weir_pipe_lock(&t->ref), 0);
	bool done = weir_bell_hand_over_idle(&t->ref, t->writer);
	weir_pipe_unlock(&t->ref);
	return done;
}

static void idle_it_is_handed_over_without_a_word(void)
{
	struct test_pipe t = test_pipe_open(CAPACITY);
	char got[8] = "";

	CHECK(handed_over_idle(&t));
	CHECK(weir_bell_is_handed_over(&t.ref));
	CHECK(!test_readable(&t));
	CHECK_EQ(os_send_now(t.writer, "x", 1, 0), 1);
	CHECK(follows(&t));
	CHECK_EQ(os_recv_now(t.reader, got, sizeof(got), 0), 1);
	CHECK_TEXT(got, "x");
	test_pipe_close(&t);
}

static void busy_it_is_not(void)
{
	struct test_pipe t = test_pipe_open(CAPACITY);

	store32_relaxed(&t.pipe->hand_over, WEIR_WANTED_MARKED);
	CHECK(!handed_over_idle(&t));
	store32_relaxed(&t.pipe->hand_over, 0);
	fill_ring(&t);
	CHECK(!handed_over_idle(&t));
	test_pipe_text(&t, CAPACITY); /* the bell stays */
	CHECK(!handed_over_idle(&t));
	test_pipe_settle(&t);
	CHECK(handed_over_idle(&t));
	test_pipe_close(&t);
}

static void the_ring_drains_first(void)
{
	struct test_pipe t = test_pipe_open(CAPACITY);

	fill_ring(&t);
	hand_over(&t);
	CHECK(!follows(&t));
	CHECK(test_readable(&t));
	CHECK_TEXT(test_pipe_text(&t, 4), "1234");
	CHECK(!follows(&t));
	CHECK_TEXT(test_pipe_text(&t, 10), "5678");
	check_behind(&t);
	test_pipe_close(&t);
}

static void handed_over_while_saturated(void)
{
	struct test_pipe t = test_pipe_open(CAPACITY);

	fill_ring(&t);
	test_pipe_saturate(&t, WEIR_SATURATED);
	hand_over(&t);
	CHECK_TEXT(test_pipe_text(&t, 10), "12345678");
	check_behind(&t);
	test_pipe_close(&t);
}

static void handing_over_needs_a_peer(void)
{
	struct test_pipe t = test_pipe_open(CAPACITY);

	CHECK_EQ(shutdown(t.reader, SHUT_RD), 0);
	CHECK_EQ(weir_pipe_lock_writer(&t.ref), 0);
	CHECK_EQ(weir_bell_hand_over(&t.ref, t.writer), -EPIPE);
	CHECK_EQ(load32_relaxed(&t.pipe->carrier), WEIR_BY_RING);
	weir_pipe_unlock_writer(&t.ref);
	test_pipe_close(&t);
}

static void step(struct test_pipe *t, struct test_random *r)
{
	size_t n = 1 + test_random_below(r, CAPACITY);

	switch (test_random_below(r, 6)) {
	case 0:
	case 1:
		test_pipe_put(t, "abcdefgh", n);
		break;
	case 2:
	case 3:
		test_pipe_text(t, n);
		if (load32_relaxed(&t->pipe->saturated) != WEIR_FLOWING)
			test_pipe_settle(t);
		break;
	case 4:
		test_pipe_settle(t);
		break;
	default:
		if (weir_pipe_room(&t->ref) == 0)
			test_pipe_saturate(t, n & 1 ? WEIR_SATURATED : WEIR_UNWRITABLE);
		break;
	}
}

static void rules_hold_after_every_step(void)
{
	struct test_random r = test_random_begin("rules_hold_after_every_step");
	struct test_pipe t = test_pipe_open(CAPACITY);
	int before = weir_test_failed;

	for (int i = 0; i < STEPS && weir_test_failed == before; i++) {
		step(&t, &r);
		RULES(&t);
	}
	test_pipe_close(&t);
}

/* A receive stops where the sender's credentials change, if they are asked for. */
static void bells_of_two_processes(void)
{
	struct test_pipe t = test_pipe_open(CAPACITY);
	int one = 1;

	CHECK_EQ(setsockopt(t.reader, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)), 0);
	store32_ordered(&t.ref.pipe->hand_over, 1); /* as the hook of setsockopt does */
	fill_ring(&t);
	pid_t child = fork();
	if (child == 0) {
		test_pipe_saturate(&t, WEIR_SATURATED);
		_exit(0);
	}
	CHECK_EQ(waitpid(child, NULL, 0), child);
	test_pipe_text(&t, 10);
	test_pipe_settle(&t);
	RULES(&t);
	CHECK_EQ(os_queued_in(t.reader), 0);
	test_pipe_close(&t);
}

int main(void)
{
	RUN(one_bell_is_enough);
	RUN(settling_leaves_what_is_needed);
	RUN(ringing_fails_as_the_kernel_says);
	RUN(a_full_queue_is_rung);
	RUN(unwritable_and_back);
	RUN(saturated_and_back);
	RUN(saturating_an_empty_queue_rings);
	RUN(saturated_after_a_death);
	RUN(the_writer_makes_itself_writable);
	RUN(a_blocked_send_wakes_and_leaves_nothing);
	RUN(a_blocked_send_ends_as_any_other);
	RUN(each_write_is_an_edge);
	RUN(handed_over_at_rest);
	RUN(idle_it_is_handed_over_without_a_word);
	RUN(busy_it_is_not);
	RUN(the_ring_drains_first);
	RUN(handed_over_while_saturated);
	RUN(handing_over_needs_a_peer);
	RUN(rules_hold_after_every_step);
	RUN(bells_of_two_processes);
	return weir_test_end();
}
