#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test_random.h"
#include "pipe/check.h"
#include "pipe/test_pipe.h"

enum { STREAM = 200000, PIECE_MAX = 300 };

static void exact_counts(void)
{
	struct test_pipe t = test_pipe_open(7);

	CHECK_EQ(weir_pipe_room(&t.ref), 7);
	CHECK_EQ(test_pipe_put(&t, "abcd", 4), 4);
	CHECK_EQ(weir_pipe_used(&t.ref), 4);
	CHECK_EQ(test_pipe_put(&t, "efgh", 4), 3);
	CHECK_EQ(test_pipe_put(&t, "i", 1), 0);
	CHECK_EQ(weir_pipe_room(&t.ref), 0);
	CHECK(!weir_pipe_writable(&t.ref));
	CHECK_TEXT(test_pipe_text(&t, 2), "ab");
	CHECK_EQ(test_pipe_put(&t, "xyz", 3), 2);
	CHECK_TEXT(test_pipe_text(&t, 100), "cdefgxy");
	CHECK_TEXT(test_pipe_text(&t, 100), "");
	CHECK_EQ(load64_relaxed(&t.pipe->max_buffered), 7);
	CHECK_EQ(load64_relaxed(&t.pipe->tail), 9);
	CHECK_EQ(load64_relaxed(&t.pipe->head), 9);
	CHECK(weir_pipe_is_valid(&t.ref));
	test_pipe_close(&t);
}

static void peeks_leave_the_bytes(void)
{
	struct test_pipe t = test_pipe_open(64);
	char bytes[8] = "";
	struct iovec iov = {bytes, sizeof(bytes)};
	struct weir_span span = weir_span_of(&iov, 1);

	test_pipe_put(&t, "abcdef", 6);
	CHECK_EQ(weir_pipe_lock_reader(&t.ref), 0);
	CHECK_EQ(weir_pipe_peek(&t.ref, &span, 3, 1), 3);
	CHECK_EQ(weir_pipe_peek(&t.ref, &span, 5, 5), 1);
	CHECK_EQ(weir_pipe_peek(&t.ref, &span, 5, 6), 0);
	CHECK_EQ(weir_pipe_peek(&t.ref, &span, 5, UINT64_MAX), 0);
	weir_pipe_unlock_reader(&t.ref);
	CHECK(!memcmp(bytes, "bcdf\0", 5));
	CHECK_TEXT(test_pipe_text(&t, 10), "abcdef");
	test_pipe_close(&t);
}

static uint64_t room_for(struct test_pipe *t, uint64_t limit, uint64_t amount, bool percent)
{
	struct weir_writable_rule rule = {amount, percent};

	weir_pipe_set_limit(&t->ref, limit, rule);
	return load64_relaxed(&t->pipe->writable_room);
}

static void what_poll_calls_writable(void)
{
	struct test_pipe t = test_pipe_open(1);

	CHECK_EQ(room_for(&t, 1, 0, false), 1);
	CHECK_EQ(room_for(&t, 3, 0, false), 3);
	CHECK_EQ(room_for(&t, 400, 0, false), 300);
	CHECK_EQ(room_for(&t, 400, 1, false), 1);
	CHECK_EQ(room_for(&t, 400, 1000, false), 400);
	CHECK_EQ(room_for(&t, 400, 50, true), 200);
	CHECK_EQ(room_for(&t, 399, 100, true), 399);
	CHECK_EQ(room_for(&t, 10, 1, true), 1);
	test_pipe_close(&t);
}

static void capacity_changes_with_bytes_inside(void)
{
	struct test_pipe t = test_pipe_open(4096 - WEIR_ASIDE_SIZE);
	static unsigned char in[10000], out[10000];

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (unsigned char)(i * 7 >> 2);
	CHECK_EQ(test_pipe_put(&t, in, 3000), 3000);
	CHECK_EQ(test_pipe_take(&t, out, 2000), 2000);
	CHECK_EQ(test_pipe_put(&t, in + 3000, 2500), 2500);
	weir_pipe_set_limit(&t.ref, 9000, any_room);
	CHECK_EQ(test_pipe_put(&t, in + 5500, 4500), 4500);
	CHECK_EQ(weir_pipe_used(&t.ref), 8000);
	weir_pipe_set_limit(&t.ref, 10, any_room);
	CHECK_EQ(weir_pipe_room(&t.ref), 0);
	CHECK_EQ(test_pipe_put(&t, in, 1), 0);
	CHECK_EQ(test_pipe_take(&t, out + 2000, 7999), 7999);
	CHECK_EQ(weir_pipe_room(&t.ref), 9);
	CHECK_EQ(test_pipe_take(&t, out + 9999, 2), 1);
	CHECK(!memcmp(in, out, sizeof(in)));
	weir_pipe_set_limit(&t.ref, UINT64_MAX, any_room);
	CHECK_EQ(load64_relaxed(&t.pipe->limit), TEST_SPAN - WEIR_ASIDE_SIZE);
	CHECK(weir_pipe_is_valid(&t.ref));
	test_pipe_close(&t);
}

/* Whoever is told EPIPE wrote nothing, and may write it elsewhere. */
static void no_reader_takes_nothing(void)
{
	struct test_pipe t = test_pipe_open(64);

	close(t.reader);
	CHECK_EQ(test_pipe_put(&t, "lost", 4), -EPIPE);
	CHECK_EQ(weir_pipe_used(&t.ref), 0);
	CHECK_EQ(load64_relaxed(&t.pipe->tail), 0);
	t.reader = -1;
	test_pipe_close(&t);
}

static void *try_from_elsewhere(void *argument)
{
	struct test_pipe *t = argument;
	int error = weir_pipe_try_lock_writer(&t->ref);

	return (void *)(intptr_t)error;
}

static int tried_by_another_thread(struct test_pipe *t)
{
	pthread_t thread;
	void *result = NULL;

	pthread_create(&thread, NULL, try_from_elsewhere, t);
	pthread_join(thread, &result);
	return (int)(intptr_t)result;
}

static void locks(void)
{
	struct test_pipe t = test_pipe_open(64);

	CHECK_EQ(weir_pipe_lock(&t.ref), 0);
	CHECK_EQ(weir_pipe_lock(&t.ref), -EDEADLK);
	CHECK_EQ(weir_pipe_lock_reader(&t.ref), -EDEADLK);
	CHECK_EQ(weir_pipe_lock_writer(&t.ref), -EDEADLK);
	CHECK_EQ(weir_pipe_try_lock_writer(&t.ref), -EDEADLK);
	CHECK_EQ(tried_by_another_thread(&t), -EBUSY);
	weir_pipe_unlock(&t.ref);
	CHECK_EQ(weir_pipe_lock_writer(&t.ref), 0);
	CHECK_EQ(weir_pipe_lock(&t.ref), -EDEADLK);
	CHECK_EQ(weir_pipe_lock_reader(&t.ref), 0); /* nothing was left locked */
	weir_pipe_unlock(&t.ref);
	test_pipe_close(&t);
}

static void a_former_life_is_void(void)
{
	struct test_pipe t = test_pipe_open(64);

	test_pipe_put(&t, "old", 3);
	weir_pipe_reset(t.pipe, TEST_GENERATION + 1);
	CHECK_EQ(weir_pipe_lock(&t.ref), -ESTALE);
	CHECK_EQ(weir_pipe_lock_reader(&t.ref), -ESTALE);
	CHECK_EQ(weir_pipe_lock_writer(&t.ref), -ESTALE);
	CHECK_EQ(weir_pipe_try_lock_writer(&t.ref), -ESTALE);
	t.ref.generation++;
	CHECK_EQ(weir_pipe_lock(&t.ref), 0);
	CHECK_EQ(weir_pipe_used(&t.ref), 0);
	weir_pipe_unlock(&t.ref);
	test_pipe_close(&t);
}

/* A child that takes locks and dies with them. */
static void die_holding(struct test_pipe *t, bool reader, bool writer)
{
	pid_t child = fork();

	if (child == 0) {
		if (reader)
			weir_pipe_lock_reader(&t->ref);
		if (writer)
			weir_pipe_lock_writer(&t->ref);
		raise(SIGKILL);
	}
	CHECK_EQ(waitpid(child, NULL, 0), child);
}

static void owners_die(void)
{
	struct test_pipe t = test_pipe_open(64);

	test_pipe_put(&t, "kept", 4);
	die_holding(&t, false, true);
	CHECK_EQ(load32_relaxed(&t.pipe->bells), 1);
	CHECK_EQ(weir_pipe_lock_writer(&t.ref), 0);
	CHECK_EQ(load32_relaxed(&t.pipe->bells), 0);
	CHECK_EQ(load32_relaxed(&t.pipe->saturated), WEIR_SATURATED);
	weir_pipe_unlock_writer(&t.ref);
	die_holding(&t, true, true);
	CHECK_EQ(test_pipe_put(&t, "+", 1), 1);
	CHECK_TEXT(test_pipe_text(&t, 10), "kept+");
	die_holding(&t, true, false);
	CHECK_EQ(weir_pipe_lock(&t.ref), 0);
	weir_pipe_unlock(&t.ref);
	weir_pipe_reset(t.pipe, TEST_GENERATION + 1);
	die_holding(&t, true, true);
	CHECK_EQ(weir_pipe_lock(&t.ref), -ESTALE);
	test_pipe_close(&t);
}

/* A pipe that is this process's alone. */
static struct test_pipe alone_open(void)
{
	struct test_pipe t = test_pipe_open(64);

	store32_relaxed(&weir_own_process, (uint32_t)getpid());
	weir_pipe_begin_alone(&t.ref);
	return t;
}

static bool is_locked(const struct weir_lock *lock)
{
	return weir_lock_owner(lock) != 0;
}

static void alone_takes_no_lock(void)
{
	struct test_pipe t = alone_open();

	CHECK_EQ(weir_pipe_lock(&t.ref), 0);
	CHECK(!is_locked(&t.pipe->read_lock));
	CHECK(!is_locked(&t.pipe->write_lock));
	CHECK(weir_pipe_reads_alone(t.pipe));
	CHECK_EQ(weir_pipe_lock_reader(&t.ref), -EDEADLK); /* as a handler would find it */
	CHECK_EQ(weir_pipe_try_lock_writer(&t.ref), -EDEADLK);
	weir_pipe_unlock(&t.ref);
	CHECK_EQ(test_pipe_put(&t, "bytes", 5), 5);
	CHECK_TEXT(test_pipe_text(&t, 10), "bytes");
	t.ref.generation++;
	CHECK_EQ(weir_pipe_lock(&t.ref), -ESTALE);
	t.ref.generation--;
	weir_pipe_share(&t.ref);
	CHECK_EQ(weir_pipe_lock_writer(&t.ref), 0);
	CHECK(is_locked(&t.pipe->write_lock));
	weir_pipe_unlock_writer(&t.ref);
	store32_relaxed(&weir_own_process, 0);
	test_pipe_close(&t);
}

/* Another process comes unannounced, while the one that was alone is at work. */
static void another_comes_near(void)
{
	struct test_pipe t = alone_open();
	weir_word32 *came = test_shared(sizeof(*came));
	int status = -1;

	CHECK_EQ(weir_pipe_lock_writer(&t.ref), 0);
	pid_t child = fork();
	if (child == 0) {
		store32_relaxed(&weir_own_process, (uint32_t)getpid());
		int error = weir_pipe_lock_writer(&t.ref);
		store32_release(came, 1);
		weir_pipe_unlock_writer(&t.ref);
		_exit(error ? 1 : 0);
	}
	while (load32_acquire(&t.pipe->alone) != 0) /* it knows of it */
		usleep(1000);
	usleep(20000);
	CHECK_EQ(load32_acquire(came), 0);
	weir_pipe_unlock_writer(&t.ref);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK_EQ(load32_acquire(came), 1);
	CHECK_EQ(weir_pipe_lock_writer(&t.ref), 0);
	CHECK(is_locked(&t.pipe->write_lock));
	weir_pipe_unlock_writer(&t.ref);
	store32_relaxed(&weir_own_process, 0);
	munmap(came, sizeof(*came));
	test_pipe_close(&t);
}

/* The words are stored as a lone owner does, which the child need not be: a sanitizer may
 * have given it a second thread. */
static void lone_owners_die(void)
{
	struct test_pipe t = test_pipe_open(64);
	pid_t child = fork();

	if (child == 0) {
		store32_relaxed(&t.pipe->alone, (uint32_t)getpid());
		store32_relaxed(&t.pipe->read_alone, (uint32_t)getpid());
		store32_relaxed(&t.pipe->write_alone, (uint32_t)getpid());
		raise(SIGKILL);
	}
	CHECK_EQ(waitpid(child, NULL, 0), child);
	CHECK(load32_relaxed(&t.pipe->read_alone) != 0);
	CHECK_EQ(weir_pipe_lock(&t.ref), 0);
	CHECK_EQ(load32_relaxed(&t.pipe->saturated), WEIR_SATURATED);
	weir_pipe_unlock(&t.ref);
	CHECK_EQ(test_pipe_put(&t, "bytes", 5), 5);
	CHECK_TEXT(test_pipe_text(&t, 10), "bytes");
	test_pipe_close(&t);
}

/* The kernel does not know what a child holds that has taken its list away. */
static void die_unseen(struct test_pipe *t)
{
	static struct robust_list_head none = {.list = {&none.list}};
	pid_t child = fork();

	if (child == 0) {
		weir_pipe_lock(&t->ref);
		syscall(SYS_set_robust_list, &none, sizeof(none));
		raise(SIGKILL);
	}
	siginfo_t info;
	CHECK_EQ(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	CHECK_EQ(weir_pipe_lock_writer(&t->ref), 0); /* of a zombie */
	weir_pipe_unlock_writer(&t->ref);
	CHECK_EQ(waitpid(child, NULL, 0), child);
}

static void owners_die_unseen(void)
{
	struct test_pipe t = test_pipe_open(64);

	test_pipe_put(&t, "kept", 4);
	die_unseen(&t);
	CHECK_EQ(weir_pipe_lock(&t.ref), 0);
	weir_pipe_unlock(&t.ref);
	CHECK_EQ(test_pipe_put(&t, "+", 1), 1);
	CHECK_TEXT(test_pipe_text(&t, 10), "kept+");
	test_pipe_close(&t);
}

static struct {
	struct test_pipe t;
	volatile sig_atomic_t error;
	volatile sig_atomic_t moved;
	volatile sig_atomic_t aside;
	bool beyond;
} handled;

/* What an endpoint does: puts, or leaves aside where it interrupted a put. */
static void put_a_zero(int number)
{
	struct iovec iov = {(void *)(uintptr_t) "0", 1};
	struct weir_span span = weir_span_of(&iov, 1);
	struct weir_pipe_ref *ref = &handled.t.ref;

	(void)number;
	handled.error = weir_pipe_lock_writer(ref);
	if (handled.error == -EDEADLK) {
		size_t n = weir_pipe_put_aside(ref, handled.t.writer, &span, 1, handled.beyond);
		handled.moved += (int)n;
		handled.aside += (int)n;
	} else if (handled.error == 0) {
		handled.moved += (int)weir_pipe_put(ref, handled.t.writer, &span, 1, false);
		weir_pipe_unlock_writer(ref);
	}
}

static void begin_handled(uint64_t limit, bool beyond)
{
	struct sigaction action = {.sa_handler = put_a_zero};

	sigaction(SIGUSR1, &action, NULL);
	handled.t = test_pipe_open(limit);
	handled.beyond = beyond;
	handled.moved = 0;
	handled.aside = 0;
}

/* Puts `text` with the lock held, and lets `times` handlers come meanwhile. */
static void put_interrupted(const char *text, int times)
{
	struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};
	struct weir_span span = weir_span_of(&iov, 1);

	CHECK_EQ(weir_pipe_lock_writer(&handled.t.ref), 0);
	weir_pipe_put(&handled.t.ref, handled.t.writer, &span, iov.iov_len, false);
	for (int i = 0; i < times; i++)
		raise(SIGUSR1);
	weir_pipe_unlock_writer(&handled.t.ref);
}

static void handlers_leave_bytes_aside(void)
{
	begin_handled(64, false);
	put_interrupted("ab", 2);
	CHECK_EQ(handled.error, -EDEADLK);
	CHECK_EQ(handled.moved, 2);
	CHECK_TEXT(test_pipe_text(&handled.t, 10), "ab00");
	CHECK_EQ(load32_relaxed(&handled.t.pipe->aside_used), 0);
	test_pipe_settle(&handled.t);
	put_interrupted("", 1); /* the bytes left aside ring by themselves */
	CHECK(test_readable(&handled.t));
	CHECK_TEXT(test_pipe_text(&handled.t, 10), "0");
	test_pipe_close(&handled.t);
}

/* The kernel carries what comes from now on, a handler's bytes too. */
static void aside_of_who_hands_over(void)
{
	char got[8] = "";

	begin_handled(64, false);
	CHECK_EQ(weir_pipe_lock_writer(&handled.t.ref), 0);
	raise(SIGUSR1);
	CHECK_EQ(weir_bell_hand_over(&handled.t.ref, handled.t.writer), 0);
	weir_pipe_unlock_writer(&handled.t.ref);
	CHECK_EQ(handled.aside, 1);
	CHECK_EQ(weir_pipe_used(&handled.t.ref), 0);
	CHECK_EQ(weir_pipe_lock(&handled.t.ref), 0);
	CHECK(weir_bell_follow(&handled.t.ref, handled.t.reader));
	weir_pipe_unlock(&handled.t.ref);
	CHECK_EQ(os_recv_now(handled.t.reader, got, sizeof(got), 0), 1);
	CHECK_TEXT(got, "0");
	test_pipe_close(&handled.t);
}

/* A handler came between the owner's last look and its unlock; then another process has
 * the lock, in which that descriptor's number means another socket. */
static void aside_of_another_process(void)
{
	struct iovec iov = {(void *)(uintptr_t) "h", 1};
	struct weir_span span = weir_span_of(&iov, 1);
	struct test_pipe t = test_pipe_open(8);
	int other[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
	CHECK_EQ(weir_pipe_lock_writer(&t.ref), 0);
	CHECK_EQ(weir_pipe_put_aside(&t.ref, t.writer, &span, 1, false), 1);
	weir_lock_release(&t.pipe->write_lock);
	pid_t child = fork();
	if (child == 0) {
		int number = t.writer;
		t.writer = dup(number);
		dup2(other[0], number);
		weir_pipe_lock_writer(&t.ref);
		weir_pipe_unlock_writer(&t.ref);
		bool left = load32_relaxed(&t.pipe->aside_used) == 1;
		_exit(left && test_pipe_put(&t, "w", 1) == 1 ? 0 : 1);
	}
	int status;
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK_EQ(os_poll_now(other[1], POLLIN), 0);
	CHECK_EQ(weir_pipe_lock_writer(&t.ref), 0); /* as the interrupted owner does */
	weir_pipe_unlock_writer(&t.ref);
	CHECK_TEXT(test_pipe_text(&t, 8), "wh");
	close(other[0]);
	close(other[1]);
	test_pipe_close(&t);
}

/* Whoever had to append them is dead: the next writer does. */
static void aside_of_a_dead_owner(void)
{
	struct iovec iov = {(void *)(uintptr_t) "h", 1};
	struct weir_span span = weir_span_of(&iov, 1);
	struct test_pipe t = test_pipe_open(8);
	pid_t child = fork();

	if (child == 0) {
		weir_pipe_lock_writer(&t.ref);
		weir_pipe_put_aside(&t.ref, 1000, &span, 1, false);
		raise(SIGKILL);
	}
	CHECK_EQ(waitpid(child, NULL, 0), child);
	CHECK_EQ(test_pipe_put(&t, "w", 1), 1);
	CHECK_TEXT(test_pipe_text(&t, 8), "wh");
	test_pipe_close(&t);
}

static void aside_keeps_the_bound(void)
{
	begin_handled(4, false);
	put_interrupted("abc", 3);
	CHECK_EQ(handled.moved, 1);
	CHECK_TEXT(test_pipe_text(&handled.t, 10), "abc0");
	test_pipe_close(&handled.t);
}

static void aside_exceeds_it_by_so_much(void)
{
	begin_handled(4, true);
	put_interrupted("abcd", WEIR_ASIDE_SIZE + 5);
	CHECK_EQ(handled.moved, WEIR_ASIDE_SIZE);
	CHECK_EQ(weir_pipe_used(&handled.t.ref), 4 + WEIR_ASIDE_SIZE);
	CHECK_EQ(weir_pipe_room(&handled.t.ref), 0);
	CHECK_EQ(strlen(test_pipe_text(&handled.t, 1000)), 4 + WEIR_ASIDE_SIZE);
	CHECK_EQ(weir_pipe_room(&handled.t.ref), 4);
	test_pipe_close(&handled.t);
}

static bool begin_timer(timer_t *timer)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	struct itimerspec often = {{0, 20000}, {0, 20000}};

	return timer_create(CLOCK_MONOTONIC, &event, timer) == 0 &&
	       timer_settime(*timer, 0, &often, NULL) == 0;
}

/* Signals all the time while this thread writes and reads. */
static void hand_at_any_moment(bool alone)
{
	uint64_t end = os_now_ns() + 300000000;
	size_t own = 0, got = 0;
	char bytes[4096];
	timer_t timer;

	begin_handled(4000, false);
	store32_relaxed(&weir_own_process, alone ? (uint32_t)getpid() : 0);
	weir_pipe_begin_alone(&handled.t.ref);
	CHECK(begin_timer(&timer));
	while (os_now_ns() < end) {
		for (int i = 0; i < 50; i++)
			own += test_pipe_put(&handled.t, "a", 1) == 1;
		got += (size_t)test_pipe_take(&handled.t, bytes, sizeof(bytes));
	}
	timer_delete(timer);
	signal(SIGUSR1, SIG_IGN);
	got += (size_t)test_pipe_take(&handled.t, bytes, sizeof(bytes));
	CHECK_EQ(load32_relaxed(&handled.t.pipe->aside_used), 0);
	CHECK_EQ(got, own + (size_t)handled.moved);
	printf("# %zu put, %d by handlers, %d of them aside\n", own, (int)handled.moved,
	       (int)handled.aside);
	store32_relaxed(&weir_own_process, 0);
	test_pipe_close(&handled.t);
}

static void handlers_at_any_moment(void)
{
	hand_at_any_moment(false);
}

static void handlers_at_any_moment_alone(void)
{
	hand_at_any_moment(true);
}

/* A wild length in the shared words ends in a message, not in a wild copy. */
static int end_of_damaged(struct test_pipe *t)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		int null = open("/dev/null", O_WRONLY);
		dup2(null, STDERR_FILENO);
		test_pipe_put(t, "bytes", 5);
		test_pipe_text(t, 100);
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* Of an undamaged pipe in which somebody died of that. */
static void repair(struct test_pipe *t)
{
	store32_relaxed(&t->pipe->generation, TEST_GENERATION);
}

static void damage_is_noticed(void)
{
	struct test_pipe t = test_pipe_open(64);

	CHECK_EQ(end_of_damaged(&t), 0);
	store64_relaxed(&t.pipe->mask, UINT64_C(1) << 32);
	CHECK_EQ(end_of_damaged(&t), SIGABRT);
	repair(&t);
	store64_relaxed(&t.pipe->mask, TEST_SPAN * 2 - 1);
	CHECK_EQ(end_of_damaged(&t), SIGABRT);
	repair(&t);
	store64_relaxed(&t.pipe->mask, WEIR_RING_MIN_MASK);
	store64_relaxed(&t.pipe->limit, UINT64_MAX / 2);
	CHECK_EQ(end_of_damaged(&t), SIGABRT);
	repair(&t);
	store64_relaxed(&t.pipe->limit, 64);
	CHECK_EQ(end_of_damaged(&t), 0);
	store64_relaxed(&t.pipe->head, 1000);
	CHECK(!weir_pipe_is_valid(&t.ref));
	CHECK_EQ(end_of_damaged(&t), SIGABRT);
	test_pipe_close(&t);
}

/* Both copies of a position are damaged, and neither is behind the other. */
static void damage_of_both_is_noticed(void)
{
	struct test_pipe t = test_pipe_open(64);

	store64_relaxed(&t.pipe->tail, 16);
	store64_relaxed(&t.pipe->tail_again, UINT64_C(1) << 55);
	CHECK(!weir_pipe_is_valid(&t.ref));
	store64_relaxed(&t.pipe->tail_again, TEST_SPAN);
	struct weir_pipe_seen seen;
	CHECK(weir_pipe_reader_sees(&t.ref, &seen)); /* a writer may be about to publish them */
	test_pipe_close(&t);
}

/* Who dies of it leaves a lock whose next owner would make the positions agree again. */
static void damage_stays_noticed(void)
{
	struct test_pipe t = test_pipe_open(64);

	CHECK_EQ(test_pipe_put(&t, "some", 4), 4);
	store64_relaxed(&t.pipe->tail, 20);
	CHECK_EQ(end_of_damaged(&t), SIGABRT);
	CHECK_EQ(end_of_damaged(&t), SIGABRT);
	weir_pipe_reset(t.pipe, TEST_GENERATION); /* a new life is free of it */
	weir_pipe_set_limit(&t.ref, 64, any_room);
	CHECK_EQ(end_of_damaged(&t), 0);
	test_pipe_close(&t);
}

/* What becomes of 300 bytes of which some are in the pipe when a bit is flipped: all come
 * out right, or somebody dies of it. */
static int end_of_flipped(struct test_pipe *t, size_t byte, unsigned int bit)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		char text[201];
		memset(text, 'x', sizeof(text) - 1);
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		test_pipe_put(t, "abcdefgh", 8);
		((unsigned char *)t->pipe)[byte] ^= (unsigned char)(1U << bit);
		ssize_t put = test_pipe_put(t, text, 200);
		bool right = !strncmp(test_pipe_text(t, 3), "abc", 4) &&
		             !strncmp(test_pipe_text(t, 5), "defgh", 6);
		text[put > 0 ? put : 0] = '\0';
		_exit(!right || put != 200 || strcmp(test_pipe_text(t, 300), text) != 0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

/* A bit of each byte that is more than a counter or a hint. */
static void each_byte_matters_or_not(void)
{
	struct test_random random = test_random_begin("each_byte_matters_or_not");
	int died = 0;

	for (size_t byte = 0; byte < offsetof(struct weir_pipe, aside); byte++) {
		unsigned int bit = (unsigned int)test_random_below(&random, 8);
		struct test_pipe t = test_pipe_open(300);
		int end = end_of_flipped(&t, byte, bit);
		if (end != 0 && end != SIGABRT)
			printf("# bit %u of byte %zu: %d\n", bit, byte, end);
		CHECK(end == 0 || end == SIGABRT);
		died += end == SIGABRT;
		test_pipe_close(&t);
	}
	printf("# noticed in %d bytes\n", died);
	CHECK(died > 100);
}

static unsigned char byte_at(uint64_t p)
{
	return (unsigned char)(p * 131 >> 2);
}

struct streamer {
	struct test_pipe *t;
	struct test_random random;
	bool good;
};

static void *stream_out(void *argument)
{
	struct streamer *s = argument;
	unsigned char bytes[PIECE_MAX];
	uint64_t at = 0;

	while (at < STREAM) {
		size_t n = 1 + test_random_below(&s->random, PIECE_MAX);
		n = n < STREAM - at ? n : (size_t)(STREAM - at);
		for (size_t i = 0; i < n; i++)
			bytes[i] = byte_at(at + i);
		ssize_t put = test_pipe_put(s->t, bytes, n);
		if (put < 0)
			return NULL;
		at += (uint64_t)put;
		if ((size_t)put < n)
			sched_yield();
	}
	s->good = true;
	return NULL;
}

static bool stream_in(struct streamer *s)
{
	unsigned char bytes[PIECE_MAX];
	uint64_t at = 0;

	while (at < STREAM) {
		ssize_t n = test_pipe_take(s->t, bytes, 1 + test_random_below(&s->random, PIECE_MAX));
		if (n < 0)
			return false;
		for (ssize_t i = 0; i < n; i++)
			if (bytes[i] != byte_at(at + (uint64_t)i))
				return false;
		at += (uint64_t)n;
		if (n == 0)
			sched_yield();
	}
	return true;
}

/* Reader and writer at once; the ring's origin moves whenever it was empty. */
static void two_threads(void)
{
	static const uint64_t limit[] = {1, 7, 64, 4096};
	struct test_random random = test_random_begin("two_threads");

	for (size_t i = 0; i < sizeof(limit) / sizeof(limit[0]); i++) {
		struct test_pipe t = test_pipe_open(limit[i]);
		struct streamer out = {&t, {test_random_next(&random)}, false};
		struct streamer in = {&t, {test_random_next(&random)}, false};
		pthread_t thread;

		pthread_create(&thread, NULL, stream_out, &out);
		CHECK(stream_in(&in));
		pthread_join(thread, NULL);
		CHECK(out.good);
		CHECK_EQ(weir_pipe_used(&t.ref), 0);
		test_pipe_close(&t);
	}
}

int main(void)
{
	/* Before there is a second thread. */
	RUN(alone_takes_no_lock);
	RUN(another_comes_near);
	RUN(lone_owners_die);
	RUN(handlers_at_any_moment_alone);
	RUN(exact_counts);
	RUN(peeks_leave_the_bytes);
	RUN(what_poll_calls_writable);
	RUN(capacity_changes_with_bytes_inside);
	RUN(no_reader_takes_nothing);
	RUN(locks);
	RUN(a_former_life_is_void);
	RUN(owners_die);
	RUN(owners_die_unseen);
	RUN(handlers_leave_bytes_aside);
	RUN(aside_of_who_hands_over);
	RUN(aside_of_another_process);
	RUN(aside_of_a_dead_owner);
	RUN(aside_keeps_the_bound);
	RUN(aside_exceeds_it_by_so_much);
	RUN(handlers_at_any_moment);
	RUN(damage_is_noticed);
	RUN(damage_stays_noticed);
	RUN(damage_of_both_is_noticed);
	RUN(each_byte_matters_or_not);
	RUN(two_threads);
	return weir_test_end();
}
