#include "endpoint/lone.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "base/test_random.h"
#include "endpoint/test_end.h"

static uint64_t entry_of(const struct weir_end *end)
{
	return weir_table_entry(end->fd);
}

static size_t lone_send(const struct weir_end *end, const void *bytes, size_t n)
{
	return weir_lone_send(entry_of(end), (struct weir_place){(void *)(uintptr_t)bytes, NULL},
	                      n);
}

static size_t lone_receive(const struct weir_end *end, void *bytes, size_t n)
{
	return weir_lone_receive(entry_of(end), end->fd, (struct weir_place){bytes, NULL}, n);
}

/* As the hooks do it: each way in turn, until one goes. */
static ssize_t send_any(const struct weir_end *end, const void *bytes, size_t n)
{
	size_t done = lone_send(end, bytes, n);

	if (done == 0)
		done = weir_end_send_quick(entry_of(end), end->fd, bytes, n);
	return done ? (ssize_t)done : test_send(end, bytes, n, MSG_DONTWAIT);
}

static ssize_t receive_any(const struct weir_end *end, void *bytes, size_t n)
{
	size_t done = lone_receive(end, bytes, n);

	if (done == 0)
		done = weir_end_receive_quick(entry_of(end), end->fd, bytes, n);
	return done ? (ssize_t)done : test_receive(end, bytes, n, MSG_DONTWAIT);
}

/* A pair that is this thread's alone; what it learns it has learned. */
static void open_alone(struct weir_end end[2], uint64_t capacity)
{
	char byte;

	test_ends_open(end, capacity);
	weir_pipe_begin_alone(&end[0].in);
	weir_pipe_begin_alone(&end[1].in);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(send_any(&end[0], "x", 1), 1);
		CHECK_EQ(receive_any(&end[1], &byte, 1), 1);
	}
}

static void transfers_go_this_way(void)
{
	struct weir_end end[2];
	char got[8] = "";
	struct iovec out[3] = {
	        {(void *)(uintptr_t) "ab", 2}, {NULL, 0}, {(void *)(uintptr_t) "cde", 3}};
	struct iovec in[2] = {{got, 4}, {got + 4, 4}};

	open_alone(end, 6);
	uint64_t writes = load64_relaxed(&end[0].out.pipe->writes);
	CHECK_EQ(weir_lone_send(entry_of(&end[0]), (struct weir_place){NULL, out}, 5), 5);
	CHECK_EQ(lone_send(&end[0], "fg", 2), 0); /* all or none */
	CHECK_EQ(lone_send(&end[0], "f", 1), 1);
	CHECK_EQ(load64_relaxed(&end[0].out.pipe->writes), writes + 2);
	CHECK_EQ(weir_pipe_used(&end[1].in), 6);
	CHECK_EQ(weir_lone_receive(entry_of(&end[1]), end[1].fd, (struct weir_place){NULL, in}, 8),
	         6);
	CHECK_TEXT(got, "abcdef");
	CHECK_EQ(lone_receive(&end[1], got, 8), 0);
	CHECK_EQ(lone_send(&end[1], "z", 1), 0); /* that direction was not used before */
	CHECK(weir_pipe_is_valid(&end[0].out));
	test_ends_close(end);
}

/* ---- what makes a process forget ---- */

static void lock_it(struct weir_end end[2])
{
	CHECK_EQ(weir_pipe_lock(&end[0].out), 0);
	weir_pipe_unlock(&end[0].out);
}

static void suspect(struct weir_end end[2])
{
	weir_pipe_suspect(&end[0].out, 1);
}

static void watch(struct weir_end end[2])
{
	weir_end_watch(&end[0], POLLOUT, false);
	weir_end_watch(&end[1], POLLIN, false);
}

static void want_hand_over(struct weir_end end[2])
{
	weir_pipe_want_hand_over(&end[1].in, WEIR_WANTED);
}

static void share(struct weir_end end[2])
{
	weir_pipe_share(&end[0].out);
}

static void begin_anew(struct weir_end end[2])
{
	weir_pipe_begin_alone(&end[0].out);
}

static void set_capacity(struct weir_end end[2])
{
	CHECK_EQ(weir_end_set_capacity(&end[0], 3), 0);
}

static void add_rule(struct weir_end end[2])
{
	store64_relaxed(&end[0].out.pipe->rules_write, WEIR_DONE_BIT);
	store64_relaxed(&end[0].out.pipe->rules_read, WEIR_DONE_BIT);
}

static void come_near(struct weir_end end[2])
{
	pid_t child = fork();

	if (child == 0) {
		store32_relaxed(&weir_own_process, (uint32_t)getpid());
		_exit(weir_pipe_lock(&end[0].out) == 0 ? 0 : 1);
	}
	CHECK_EQ(waitpid(child, NULL, 0), child);
}

static void changes_are_noticed(void)
{
	void (*const changes[])(struct weir_end end[2]) = {
	        lock_it,    suspect,      watch,    want_hand_over, share,
	        begin_anew, set_capacity, add_rule, come_near,
	};
	struct weir_end end[2];
	char byte;

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		open_alone(end, 64);
		CHECK_EQ(lone_send(&end[0], "x", 1), 1);
		changes[i](end);
		CHECK_EQ(lone_send(&end[0], "x", 1), 0);
		CHECK_EQ(lone_receive(&end[1], &byte, 1), 0);
		store64_relaxed(&end[0].out.pipe->rules_write, 0);
		store64_relaxed(&end[0].out.pipe->rules_read, 0);
		test_ends_close(end);
	}
}

/* A pair that is closed leaves nothing to its slot's next one. */
static void slots_are_used_again(void)
{
	struct weir_end end[2], next[2];

	open_alone(end, 64);
	test_ends_close(end);
	test_ends_open(next, 64);
	CHECK_EQ(next[0].index, end[0].index);
	CHECK_EQ(lone_send(&next[0], "x", 1), 0);
	CHECK_EQ(weir_lone_send(weir_table_pack(end[0].index, 0, end[0].generation),
	                        (struct weir_place){(void *)(uintptr_t) "x", NULL}, 1),
	         0);
	test_ends_close(next);
}

/* ---- damage ---- */

/* The words that are not looked at may say what they like meanwhile. */
static void damage_does_not_concern_it(void)
{
	struct test_random random = test_random_begin("damage");
	struct weir_end end[2];
	unsigned char out[64], in[64];

	open_alone(end, 1000);
	struct weir_pipe *pipe = end[0].out.pipe;
	weir_word64 *words[] = {&pipe->head, &pipe->tail, &pipe->origin, &pipe->head_again,
	                        &pipe->tail_again};
	for (int i = 0; i < 10000; i++) {
		size_t n = 1 + test_random_below(&random, sizeof(out)),
		       at = test_random_below(&random, 5);
		memset(out, i, n);
		CHECK_EQ(lone_send(&end[0], out, n), n);
		store64_relaxed(words[at], load64_relaxed(words[at]) ^
		                                   UINT64_C(1) << test_random_below(&random, 64));
		CHECK_EQ(lone_receive(&end[1], in, sizeof(in)), n);
		CHECK(memcmp(in, out, n) == 0);
	}
	store64_relaxed(&pipe->origin, load64_relaxed(&end[0].out.lone->origin));
	CHECK_EQ(lone_send(&end[0], "x", 1), 1);
	CHECK_EQ(lone_receive(&end[1], in, 1), 1);
	CHECK(weir_pipe_is_valid(&end[0].out));
	test_ends_close(end);
}

/* ---- any order, and handlers at any moment ---- */

/* What passed between two ends: byte k is k % 251. */
struct traffic {
	struct weir_end end[2];
	uint64_t sent;
	uint64_t got;
	size_t lone; /* transfers that went this way */
};

/* One or the other, this way first or not. */
static void send_or_receive(struct traffic *t, struct test_random *random)
{
	static unsigned char bytes[9000];
	size_t most = test_random_below(random, 8) ? 200 : sizeof(bytes);
	size_t n = 1 + test_random_below(random, most);
	bool sends = test_random_below(random, 2), quick = test_random_below(random, 8);
	ssize_t moved = 0;

	for (size_t k = 0; sends && k < n; k++)
		bytes[k] = (unsigned char)((t->sent + k) % 251);
	if (quick)
		moved = (ssize_t)(sends ? lone_send(&t->end[0], bytes, n)
		                        : lone_receive(&t->end[1], bytes, n));
	t->lone += moved > 0;
	if (moved == 0)
		moved = sends ? send_any(&t->end[0], bytes, n) : receive_any(&t->end[1], bytes, n);
	if (moved == -EAGAIN)
		moved = 0;
	CHECK(moved >= 0);
	for (ssize_t k = 0; !sends && k < moved; k++)
		CHECK_EQ(bytes[k], (t->got + (uint64_t)k) % 251);
	*(sends ? &t->sent : &t->got) += (uint64_t)moved;
}

/* Nobody who asks the kernel may be misled. */
static void check_readiness(const struct traffic *t)
{
	bool empty = t->got == t->sent;

	if (empty)
		weir_end_make_exact(&t->end[1], POLLIN);
	CHECK_EQ(os_poll_now(t->end[1].fd, POLLIN), empty ? 0 : POLLIN);
}

static void all_ways_in_any_order(void)
{
	struct test_random random = test_random_begin("all_ways_in_any_order");
	size_t lone = 0, all = 0;

	for (uint64_t capacity = 1; capacity < 40000; capacity = capacity * 3 + 1) {
		struct traffic t = {.sent = 0};
		open_alone(t.end, capacity);
		for (int i = 0; i < 20000; i++, all++) {
			send_or_receive(&t, &random);
			CHECK_EQ(weir_pipe_used(&t.end[1].in), t.sent - t.got);
			CHECK(t.sent - t.got <= capacity);
			check_readiness(&t);
		}
		lone += t.lone;
		test_ends_close(t.end);
	}
	printf("# %zu of %zu this way\n", lone, all);
	CHECK(lone > all / 20);
}

static struct {
	struct weir_end end[2];
	volatile sig_atomic_t calls, sent, got;
	volatile unsigned int turn;
} handler;

/* What a handler does: writes, and now and then reads, or does something that makes the
 * process forget. */
static void interrupt(int number)
{
	char bytes[16];
	ssize_t n;

	(void)number;
	handler.calls++;
	n = send_any(&handler.end[0], "hhh", 1 + handler.turn % 3);
	handler.sent += n > 0 ? (int)n : 0;
	if (handler.turn % 4 == 1) {
		n = receive_any(&handler.end[1], bytes, sizeof(bytes));
		handler.got += n > 0 ? (int)n : 0;
	}
	if (handler.turn % 8 == 2)
		weir_end_make_exact(&handler.end[1], POLLIN);
	handler.turn++;
}

static void handlers_at_any_moment(void)
{
	struct itimerval often = {{0, 30}, {0, 30}}, none = {{0, 0}, {0, 0}};
	uint64_t until = os_now_ns() + 300000000;
	size_t own = 0, got = 0, lone = 0;
	char bytes[256];

	open_alone(handler.end, 300);
	sigaction(SIGALRM, &(struct sigaction){.sa_handler = interrupt}, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	while (os_now_ns() < until) {
		for (int i = 0; i < 50; i++) {
			size_t n = lone_send(&handler.end[0], "mmmmmmm", 7);
			lone += n > 0;
			ssize_t moved = n ? (ssize_t)n : send_any(&handler.end[0], "mmmmmmm", 7);
			own += moved > 0 ? (size_t)moved : 0;
			moved = receive_any(&handler.end[1], bytes, 20);
			got += moved > 0 ? (size_t)moved : 0;
		}
	}
	setitimer(ITIMER_REAL, &none, NULL);
	signal(SIGALRM, SIG_IGN);
	for (ssize_t n; (n = receive_any(&handler.end[1], bytes, sizeof(bytes))) > 0;)
		got += (size_t)n;
	CHECK_EQ(got + (size_t)handler.got, own + (size_t)handler.sent);
	CHECK_EQ(load32_relaxed(&handler.end[0].out.pipe->aside_used), 0);
	CHECK(weir_pipe_is_valid(&handler.end[0].out));
	printf("# %zu sent, %zu times this way, %d by %d handlers\n", own, lone, (int)handler.sent,
	       (int)handler.calls);
	test_ends_close(handler.end);
}

/* Another process takes the locks unannounced, while this one is at work. */
static void another_process_at_any_moment(void)
{
	struct weir_end end[2];
	size_t sent = 0, got = 0, lone = 0;
	char bytes[64];

	for (int i = 0; i < 30; i++) {
		open_alone(end, 4000);
		pid_t child = fork();
		if (child == 0) {
			store32_relaxed(&weir_own_process, (uint32_t)getpid());
			usleep((useconds_t)(i * 50));
			for (int k = 0; k < 100; k++) {
				if (weir_pipe_lock(&end[0].out) != 0 ||
				    !weir_pipe_is_valid(&end[0].out))
					_exit(1);
				weir_pipe_unlock(&end[0].out);
			}
			_exit(0);
		}
		int status = -1;
		while (waitpid(child, &status, WNOHANG) == 0) {
			size_t n = lone_send(&end[0], "0123456789", 10);
			lone += n > 0;
			ssize_t moved = n ? (ssize_t)n : send_any(&end[0], "0123456789", 10);
			sent += moved > 0 ? (size_t)moved : 0;
			moved = receive_any(&end[1], bytes, sizeof(bytes));
			got += moved > 0 ? (size_t)moved : 0;
		}
		CHECK_EQ(status, 0);
		CHECK_EQ(sent, got);
		CHECK_EQ(lone_send(&end[0], "x", 1), 0);
		test_ends_close(end);
	}
	printf("# %zu bytes, %zu times this way\n", sent, lone);
	CHECK(lone > 0);
}

int main(void)
{
	test_session_begin();
	RUN(transfers_go_this_way);
	RUN(changes_are_noticed);
	RUN(slots_are_used_again);
	RUN(damage_does_not_concern_it);
	RUN(all_ways_in_any_order);
	RUN(handlers_at_any_moment);
	RUN(another_process_at_any_moment);
	return weir_test_end();
}
