/* Loops over epoll, and all that may happen to them: nobody sleeps beside what he waits for. A
 * lost wake-up is a case that hangs. LOOPS_ROUNDS makes the cases longer.
 */
#include "check.h"

#include <linux/io_uring.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

enum { PAIRS = 4, SOON_MS = 19000, PAUSE_US_MAX = 60, INHERITED = 100 };

static unsigned int rounds(unsigned int usual)
{
	return usual * (unsigned int)check_setting("LOOPS_ROUNDS", 1);
}

static uint32_t draw(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static void pause_us(uint32_t *state)
{
	struct timespec t = {.tv_nsec = (long)(draw(state) % PAUSE_US_MAX) * 1000};

	if (draw(state) % 2)
		nanosleep(&t, NULL);
}

static void ep_ctl(int ep, int operation, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};
	CHECK(epoll_ctl(ep, operation, fd, &event) == 0);
}

/* Pairs whose second ends wait in a set. */
struct loop {
	int ep, sv[PAIRS][2];
	uint32_t events;
};

static void loop_open(struct loop *l, uint32_t events)
{
	l->ep = epoll_create1(EPOLL_CLOEXEC);
	l->events = events;
	CHECK(l->ep >= 0);
	for (int i = 0; i < PAIRS; i++) {
		pair_open(l->sv[i], SOCK_NONBLOCK);
		ep_ctl(l->ep, EPOLL_CTL_ADD, l->sv[i][1], events);
	}
}

static void loop_close(struct loop *l)
{
	for (int i = 0; i < PAIRS; i++) {
		close(l->sv[i][0]);
		close(l->sv[i][1]);
	}
	close(l->ep);
}

/* What is there, until there is no more: with edges, nobody tells of the rest. */
static long empty(int fd, bool edges)
{
	char bytes[3];
	ssize_t n;
	long total = 0;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
		total += n;
		if (!edges)
			return total;
	}
	CHECK(n == 0 || errno == EAGAIN);
	return total;
}

/* Waits once; gives the bytes that came. */
static long loop_turn(const struct loop *l)
{
	struct epoll_event events[2];
	int n = epoll_wait(l->ep, events, 2, SOON_MS);
	long total = 0;

	CHECK(n > 0 || (n < 0 && errno == EINTR));
	for (int i = 0; i < n; i++)
		total += empty(events[i].data.fd, l->events & EPOLLET);
	return total;
}

/* Writes bytes one at a time to all pairs in turn, with pauses. */
struct writer {
	struct loop *loop;
	uint32_t state;
	unsigned int count;
};

static void *write_all(void *argument)
{
	struct writer *w = argument;

	for (unsigned int i = 0; i < w->count; i++) {
		int fd = w->loop->sv[draw(&w->state) % PAIRS][0];
		while (write(fd, "x", 1) != 1) {
			CHECK(errno == EAGAIN);
			sched_yield();
		}
		pause_us(&w->state);
	}
	return NULL;
}

/* ---- nothing is lost ---- */

static void all_arrive(uint32_t events, bool process)
{
	struct loop l;
	struct writer w = {.loop = &l, .state = (uint32_t)getpid(), .count = rounds(1000)};
	pthread_t thread;
	pid_t pid = -1;

	loop_open(&l, events);
	if (process)
		pid = fork();
	else
		CHECK(pthread_create(&thread, NULL, write_all, &w) == 0);
	if (pid == 0) {
		write_all(&w);
		_exit(0);
	}
	for (long came = 0; came < (long)w.count;)
		came += loop_turn(&l);
	if (!process)
		pthread_join(thread, NULL);
}

CASE(all_arrive_from_a_thread)
{
	all_arrive(EPOLLIN, false);
}

CASE(all_arrive_from_a_thread_with_edges)
{
	all_arrive(EPOLLIN | EPOLLET, false);
}

CASE(all_arrive_from_a_process)
{
	all_arrive(EPOLLIN, true);
}

CASE(all_arrive_from_a_process_with_edges)
{
	all_arrive(EPOLLIN | EPOLLET, true);
}

/* The set is made after the fork, so that it is this process's alone. */
CASE(all_arrive_in_a_set_of_ones_own)
{
	struct loop l = {.events = EPOLLIN | EPOLLET};
	struct writer w = {.loop = &l, .state = 7, .count = rounds(1000)};

	for (int i = 0; i < PAIRS; i++)
		pair_open(l.sv[i], SOCK_NONBLOCK);
	if (fork() == 0) {
		write_all(&w);
		_exit(0);
	}
	l.ep = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; i < PAIRS; i++)
		ep_ctl(l.ep, EPOLL_CTL_ADD, l.sv[i][1], l.events);
	for (long came = 0; came < (long)w.count;)
		came += loop_turn(&l);
}

/* ---- room ---- */

static void *read_all(void *argument)
{
	int fd = *(int *)argument;
	uint32_t state = 3;
	char bytes[700];

	while (read(fd, bytes, 1 + draw(&state) % sizeof(bytes)) > 0)
		pause_us(&state);
	return NULL;
}

CASE(all_go_where_edges_tell_of_room)
{
	size_t left = rounds(1000) * 1000;
	static const char bytes[5000];
	struct epoll_event event;
	int ep = epoll_create1(0), sv[2];
	pthread_t thread;

	pair_open(sv, 0);
	CHECK(fcntl(sv[0], F_SETFL, O_NONBLOCK) == 0);
	ep_ctl(ep, EPOLL_CTL_ADD, sv[0], EPOLLOUT | EPOLLET);
	CHECK(pthread_create(&thread, NULL, read_all, &sv[1]) == 0);
	while (left > 0) {
		ssize_t n = write(sv[0], bytes, left < sizeof(bytes) ? left : sizeof(bytes));
		CHECK(n > 0 || errno == EAGAIN);
		if (n > 0)
			left -= (size_t)n;
		else
			CHECK_EQ(epoll_wait(ep, &event, 1, SOON_MS), 1);
	}
	close(sv[0]);
	pthread_join(thread, NULL);
}

/* ---- somebody else comes to the set ---- */

static void by_waiting(struct loop *l)
{
	struct epoll_event event;

	epoll_wait(l->ep, &event, 1, 0);
}

static void by_polling(struct loop *l)
{
	readiness(l->ep);
}

static void by_doubling(struct loop *l)
{
	close(dup(l->ep));
}

static void by_doubling_an_end(struct loop *l)
{
	close(dup(l->sv[1][1]));
}

static void by_forking(struct loop *l)
{
	(void)l;
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
}

static void by_a_set_around_it(struct loop *l)
{
	int around = epoll_create1(0);

	ep_ctl(around, EPOLL_CTL_ADD, l->ep, EPOLLIN);
	close(around);
}

static void by_changing(struct loop *l)
{
	ep_ctl(l->ep, EPOLL_CTL_MOD, l->sv[2][1], l->events);
}

static void by_entering_anew(struct loop *l)
{
	ep_ctl(l->ep, EPOLL_CTL_DEL, l->sv[3][1], 0);
	ep_ctl(l->ep, EPOLL_CTL_ADD, l->sv[3][1], l->events);
}

static void by_another_set(struct loop *l)
{
	struct epoll_event event;
	int other = epoll_create1(0);

	ep_ctl(other, EPOLL_CTL_ADD, l->sv[0][1], l->events);
	epoll_wait(other, &event, 1, 0);
	close(other);
}

static void by_waiting_elsewhere(struct loop *l)
{
	readiness(l->sv[0][1]);
}

static void by_sending(struct loop *l)
{
	_Alignas(struct cmsghdr) char space[CMSG_SPACE(sizeof(int))];
	struct iovec byte = {.iov_base = (char[]){'f'}, .iov_len = 1};
	struct msghdr m = {.msg_iov = &byte, .msg_iovlen = 1, .msg_control = space,
	                   .msg_controllen = sizeof(space)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int sv[2], copy;

	pair_open(sv, 0);
	*c = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(c), &l->ep, sizeof(int));
	CHECK_EQ(sendmsg(sv[0], &m, 0), 1);
	CHECK_EQ(recvmsg(sv[1], &m, 0), 1);
	memcpy(&copy, CMSG_DATA(c), sizeof(int));
	CHECK(copy != l->ep);
	close(copy);
	close(sv[0]);
	close(sv[1]);
}

static void by_taking_along(struct loop *l)
{
	pid_t pid = vfork();

	if (pid == 0) {
		dup2(l->ep, INHERITED);
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
}

struct comer {
	struct loop *loop;
	void (*come)(struct loop *);
	uint32_t state;
};

static void *come(void *argument)
{
	struct comer *c = argument;

	for (uint32_t n = draw(&c->state) % 8; n > 0; n--)
		pause_us(&c->state);
	c->come(c->loop);
	return NULL;
}

/* A thread waits, another writes, and a third comes in at any time. */
static void is_disturbed(uint32_t events, void (*how)(struct loop *), unsigned int times)
{
	uint32_t seed = (uint32_t)time(NULL);

	for (unsigned int i = 0; i < times; i++) {
		struct loop l;
		struct writer w = {.loop = &l, .state = seed + i, .count = 60};
		struct comer c = {.loop = &l, .come = how, .state = seed + 7 * i};
		pthread_t writer, comer;
		loop_open(&l, events);
		CHECK(pthread_create(&writer, NULL, write_all, &w) == 0);
		CHECK(pthread_create(&comer, NULL, come, &c) == 0);
		for (long came = 0; came < (long)w.count;)
			came += loop_turn(&l);
		pthread_join(writer, NULL);
		pthread_join(comer, NULL);
		loop_close(&l);
	}
}

#define DISTURBED(NAME)                                              \
	CASE(level_##NAME)                                           \
	{                                                            \
		is_disturbed(EPOLLIN, NAME, rounds(25));             \
	}                                                            \
	CASE(edges_##NAME)                                           \
	{                                                            \
		is_disturbed(EPOLLIN | EPOLLET, NAME, rounds(25));   \
	}

DISTURBED(by_polling)
DISTURBED(by_doubling)
DISTURBED(by_doubling_an_end)
DISTURBED(by_forking)
DISTURBED(by_a_set_around_it)
DISTURBED(by_changing)
DISTURBED(by_entering_anew)
DISTURBED(by_another_set)
DISTURBED(by_waiting_elsewhere)
DISTURBED(by_sending)
DISTURBED(by_taking_along)

CASE(level_by_waiting)
{
	is_disturbed(EPOLLIN, by_waiting, rounds(25));
}

/* Two threads wait, each takes what it is told of. */
static atomic_long taken;

static void *take_turns(void *argument)
{
	struct loop *l = argument;

	for (;;) {
		struct epoll_event event;
		int n = epoll_wait(l->ep, &event, 1, SOON_MS);
		CHECK_EQ(n, 1);
		if (event.data.fd == l->sv[0][1])
			return NULL;
		taken += empty(event.data.fd, true);
	}
}

CASE(two_threads_take_all)
{
	for (unsigned int i = 0; i < rounds(25); i++) {
		struct loop l;
		struct writer w = {.state = i, .count = 60};
		pthread_t thread[2];
		struct loop shown;
		loop_open(&l, EPOLLIN | EPOLLET);
		taken = 0;
		for (int k = 0; k < 2; k++)
			CHECK(pthread_create(&thread[k], NULL, take_turns, &l) == 0);
		shown = l;
		shown.sv[0][0] = l.sv[1][0]; /* the first pair tells the end */
		w.loop = &shown;
		write_all(&w);
		while (taken < (long)w.count)
			sched_yield();
		ep_ctl(l.ep, EPOLL_CTL_MOD, l.sv[0][1], EPOLLIN);
		say(l.sv[0][0], "z");
		for (int k = 0; k < 2; k++)
			pthread_join(thread[k], NULL);
		loop_close(&l);
	}
}

/* A process and its child, too, which was made while the set was used. */
static void two_processes_take_all(uint32_t events)
{
	atomic_long *by_all = mmap(NULL, sizeof(*by_all), PROT_READ | PROT_WRITE,
	                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct loop l;
	struct writer w = {.loop = &l, .state = 5, .count = rounds(400)};
	pthread_t writer;
	int status;

	loop_open(&l, events);
	say(l.sv[1][0], "a");
	CHECK_EQ(loop_turn(&l), 1);
	pid_t child = fork();
	if (child > 0)
		CHECK(pthread_create(&writer, NULL, write_all, &w) == 0);
	while (*by_all < (long)w.count) {
		struct epoll_event event;
		int n = epoll_wait(l.ep, &event, 1, 50);
		CHECK(n >= 0);
		if (n > 0)
			*by_all += empty(event.data.fd, true);
	}
	if (child == 0)
		_exit(0);
	pthread_join(writer, NULL);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
}

CASE(two_processes_take_all_of_levels)
{
	two_processes_take_all(EPOLLIN);
}

CASE(two_processes_take_all_of_edges)
{
	two_processes_take_all(EPOLLIN | EPOLLET);
}

/* Entries that are armed again after each event, by one thread while another waits. */
static void *arm_again(void *argument)
{
	struct loop *l = argument;
	struct epoll_event event;

	for (;;) {
		CHECK_EQ(epoll_wait(l->ep, &event, 1, SOON_MS), 1);
		if (event.data.fd == l->sv[0][1])
			return NULL;
		taken += empty(event.data.fd, false);
		ep_ctl(l->ep, EPOLL_CTL_MOD, event.data.fd, l->events);
	}
}

CASE(entries_are_armed_again)
{
	struct loop l, shown;
	struct writer w = {.loop = &shown, .state = 5, .count = rounds(400)};
	pthread_t thread[2];

	loop_open(&l, EPOLLIN | EPOLLONESHOT);
	ep_ctl(l.ep, EPOLL_CTL_MOD, l.sv[0][1], EPOLLIN);
	shown = l;
	shown.sv[0][0] = l.sv[1][0];
	taken = 0;
	for (int k = 0; k < 2; k++)
		CHECK(pthread_create(&thread[k], NULL, arm_again, &l) == 0);
	write_all(&w);
	while (taken < (long)w.count)
		sched_yield();
	say(l.sv[0][0], "z");
	for (int k = 0; k < 2; k++)
		pthread_join(thread[k], NULL);
}

/* ---- fairness ---- */

CASE(what_weir_does_not_carry_has_its_turn)
{
	struct loop l;
	struct epoll_event event;
	int other = eventfd(1, 0), turns = 0, others = 0;

	loop_open(&l, EPOLLIN);
	ep_ctl(l.ep, EPOLL_CTL_ADD, other, EPOLLIN);
	for (int i = 0; i < PAIRS; i++)
		say(l.sv[i][0], "a");
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(epoll_wait(l.ep, &event, 1, SOON_MS), 1);
		others += event.data.fd == other;
		turns += event.data.fd == l.sv[0][1];
	}
	CHECK(others >= 10);
	CHECK(turns >= 10);
}

/* A bell that nobody needs, or an event that memory tells of too, takes no place of another. */
CASE(each_that_is_ready_is_told_of)
{
	struct loop l;
	struct epoll_event events[3];
	int other = eventfd(1, 0);

	loop_open(&l, EPOLLIN);
	say(l.sv[0][0], "a");
	CHECK_EQ(epoll_wait(l.ep, events, 3, SOON_MS), 1);
	hear(l.sv[0][1], "a");
	ep_ctl(l.ep, EPOLL_CTL_ADD, other, EPOLLIN);
	say(l.sv[2][0], "c");
	CHECK_EQ(epoll_wait(l.ep, events, 2, SOON_MS), 2);
	say(l.sv[1][0], "b");
	CHECK_EQ(epoll_wait(l.ep, events, 3, SOON_MS), 3);
	CHECK_EQ(epoll_wait(l.ep, events, 3, SOON_MS), 3);
	hear(l.sv[1][1], "b");
	hear(l.sv[2][1], "c");
	CHECK_EQ(epoll_wait(l.ep, events, 1, SOON_MS), 1);
	CHECK_EQ(events[0].data.fd, other);
	CHECK_EQ(epoll_wait(l.ep, events, 1, 0), 1);
	CHECK_EQ(events[0].data.fd, other);
}

/* The kernel has as much to tell as there is place, and nothing of an edge whose bell was rung
 * before. */
CASE(an_edge_has_its_turn)
{
	struct loop l;
	struct epoll_event events[6];
	int other = eventfd(1, 0), turns = 0;

	loop_open(&l, EPOLLIN | EPOLLET);
	ep_ctl(l.ep, EPOLL_CTL_ADD, other, EPOLLIN);
	for (int i = 0; i < 2; i++)
		say(l.sv[i][0], "a");
	CHECK_EQ(epoll_wait(l.ep, events, 6, SOON_MS), 3);
	for (int i = 0; i < 2; i++)
		hear(l.sv[i][1], "a");
	CHECK_EQ(epoll_wait(l.ep, events, 6, 0), 1);
	for (int i = 0; i < 2; i++)
		say(l.sv[i][0], "b");
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(epoll_wait(l.ep, events, 1, SOON_MS), 1);
		turns += events[0].data.fd != other;
	}
	CHECK_EQ(turns, 2);
}

/* ---- what cannot be told apart, or is not known ---- */

static void with_data(int ep, int operation, int fd, uint64_t data)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = data};
	CHECK(epoll_ctl(ep, operation, fd, &event) == 0);
}

CASE(entries_with_the_same_data)
{
	struct loop l;
	struct epoll_event events[4];
	int ep = epoll_create(1), other = eventfd(0, 0);

	loop_open(&l, EPOLLIN);
	for (int i = 0; i < 2; i++)
		with_data(ep, EPOLL_CTL_ADD, l.sv[i][1], 7);
	with_data(ep, EPOLL_CTL_ADD, l.sv[2][1], 8);
	with_data(ep, EPOLL_CTL_ADD, other, 9);
	for (int i = 0; i < 3; i++)
		say(l.sv[i][0], "a");
	CHECK_EQ(epoll_wait(ep, events, 4, SOON_MS), 3);
	for (int i = 0; i < 2; i++)
		hear(l.sv[i][1], "a");
	CHECK_EQ(epoll_wait(ep, events, 4, SOON_MS), 1);
	CHECK_EQ(events[0].data.u64, 8);
	with_data(ep, EPOLL_CTL_MOD, other, 8);
	eventfd_write(other, 1);
	CHECK_EQ(epoll_wait(ep, events, 4, SOON_MS), 2);
	ep_ctl(ep, EPOLL_CTL_DEL, other, 0);
	CHECK_EQ(epoll_wait(ep, events, 4, SOON_MS), 1);
	CHECK_EQ(events[0].data.u64, 8);
	hear(l.sv[2][1], "a");
	CHECK_EQ(epoll_wait(ep, events, 4, 0), 0);
}

/* More than weir answers for. */
CASE(many_sets)
{
	enum { SETS = 70 };
	struct epoll_event event;
	int ep[SETS], sv[2];

	pair_open(sv, 0);
	for (int i = 0; i < SETS; i++) {
		ep[i] = epoll_create1(0);
		ep_ctl(ep[i], EPOLL_CTL_ADD, sv[1], EPOLLIN);
	}
	for (int i = 0; i < SETS; i++) {
		CHECK_EQ(epoll_wait(ep[i], &event, 1, 0), 0);
		say(sv[0], "a");
		CHECK_EQ(epoll_wait(ep[i], &event, 1, SOON_MS), 1);
		hear(sv[1], "a");
	}
}

static void by_raw_fork(struct loop *l)
{
	(void)l;
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		syscall(SYS_exit, 0);
	waitpid(pid, NULL, 0);
}

/* Refused, which is not known before. */
static void by_making_a_ring(struct loop *l)
{
	struct epoll_event event;
	int ep = epoll_create1(0);

	CHECK(syscall(SYS_io_uring_setup, 0, NULL) < 0);
	ep_ctl(ep, EPOLL_CTL_ADD, l->sv[0][0], EPOLLOUT);
	CHECK_EQ(epoll_wait(ep, &event, 1, SOON_MS), 1);
	close(ep);
}

/* A ring of io_uring, where there may be one; it waits for one descriptor at a time. */
struct ring {
	struct io_uring_params p;
	int fd;
	unsigned char *queues;
	struct io_uring_sqe *entries;
};

static bool ring_open(struct ring *r)
{
	size_t size = 4096;

	*r = (struct ring){.fd = -1};
	r->fd = (int)syscall(SYS_io_uring_setup, 2, &r->p);
	if (r->fd < 0 || !(r->p.features & IORING_FEAT_SINGLE_MMAP))
		return false;
	r->queues = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_SQ_RING);
	r->entries = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_SQES);
	CHECK(r->queues != MAP_FAILED && r->entries != MAP_FAILED);
	return true;
}

static atomic_uint *ring_word(const struct ring *r, uint32_t offset)
{
	return (atomic_uint *)(void *)(r->queues + offset);
}

static void ring_watch(struct ring *r, int fd)
{
	atomic_uint *tail = ring_word(r, r->p.sq_off.tail);
	unsigned int at = *tail & *ring_word(r, r->p.sq_off.ring_mask);

	r->entries[at] = (struct io_uring_sqe){.opcode = IORING_OP_POLL_ADD, .fd = fd,
	                                       .poll_events = POLLIN};
	*ring_word(r, r->p.sq_off.array + at * (uint32_t)sizeof(uint32_t)) = at;
	++*tail;
	CHECK_EQ(syscall(SYS_io_uring_enter, r->fd, 1, 0, 0, NULL, 0), 1);
}

static unsigned int ring_completed(const struct ring *r)
{
	return *ring_word(r, r->p.cq_off.tail) - *ring_word(r, r->p.cq_off.head);
}

static void ring_waits(struct ring *r)
{
	CHECK(syscall(SYS_io_uring_enter, r->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) >= 0);
	CHECK_EQ(ring_completed(r), 1);
	++*ring_word(r, r->p.cq_off.head);
}

static void a_ring_waits(uint32_t events)
{
	struct epoll_event told[4];
	struct loop l;
	struct ring r;

	loop_open(&l, events);
	ep_ctl(l.ep, EPOLL_CTL_ADD, eventfd(0, 0), EPOLLIN);
	say(l.sv[0][0], "a");
	CHECK_EQ(epoll_wait(l.ep, told, 4, SOON_MS), 1);
	hear(l.sv[0][1], "a");
	if (!ring_open(&r))
		return;
	for (int i = 0; i < 4; i++) {
		ring_watch(&r, i % 2 ? l.sv[0][1] : l.ep);
		CHECK_EQ(ring_completed(&r), 0);
		say(l.sv[0][0], "b");
		ring_waits(&r);
		CHECK_EQ(epoll_wait(l.ep, told, 4, SOON_MS), 1);
		hear(l.sv[0][1], "b");
		CHECK_EQ(epoll_wait(l.ep, told, 4, 0), 0);
	}
}

CASE(a_ring_waits_for_a_set_of_levels)
{
	a_ring_waits(EPOLLIN);
}

CASE(a_ring_waits_for_a_set_of_edges)
{
	a_ring_waits(EPOLLIN | EPOLLET);
}

CASE(a_loop_by_system_calls)
{
	struct timespec second = {.tv_sec = 1};
	struct epoll_event event;
	sigset_t none;
	struct loop l;

	sigemptyset(&none);
	loop_open(&l, EPOLLIN);
	CHECK_FAILS(epoll_ctl(l.ep, EPOLL_CTL_ADD, l.sv[0][1], &event), EEXIST);
	for (int i = 0; i < 3; i++) {
		say(l.sv[0][0], "a");
		CHECK_EQ(syscall(SYS_epoll_wait, l.ep, &event, 1, 1000), 1);
		CHECK_EQ(syscall(SYS_epoll_pwait, l.ep, &event, 1, 1000, &none, 8), 1);
		CHECK_EQ(syscall(SYS_epoll_pwait2, l.ep, &event, 1, &second, &none, 8), 1);
		hear(l.sv[0][1], "a");
		CHECK_EQ(syscall(SYS_epoll_pwait, l.ep, &event, 1, 0, NULL, 0), 0);
	}
	CHECK_FAILS(syscall(SYS_epoll_pwait, l.ep, &event, 1, 0, &none, 4), EINVAL);
	CHECK_FAILS(syscall(SYS_epoll_pwait2, l.ep, &event, 1, &second, &none, 4), EINVAL);
}

static void add_unseen(int ep, int fd, struct epoll_event *event)
{
#if defined(__x86_64__)
	register long fourth __asm__("r10") = (long)event;
	long result;
	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "0"((long)SYS_epoll_ctl), "D"((long)ep), "S"((long)EPOLL_CTL_ADD),
	                   "d"((long)fd), "r"(fourth)
	                 : "rcx", "r11", "memory");
	CHECK_EQ(result, 0);
#else
	CHECK_EQ(syscall(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, fd, event), 0);
#endif
}

CASE(an_entry_that_no_hook_saw_stays)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 77}, told;
	int sv[2], ep = epoll_create1(EPOLL_CLOEXEC);

	pair_open(sv, SOCK_NONBLOCK);
	add_unseen(ep, sv[1], &event);
	event.data.u64 = 78;
	CHECK_FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, sv[1], &event), EEXIST);
	for (int i = 0; i < 3; i++) {
		say(sv[0], "a");
		CHECK_EQ(epoll_wait(ep, &told, 1, 1000), 1);
		CHECK_EQ(told.data.u64, 77);
		hear(sv[1], "a");
		CHECK_EQ(epoll_wait(ep, &told, 1, 0), 0);
	}
	close(sv[0]);
	close(sv[1]);
	close(ep);
}

DISTURBED(by_raw_fork)
DISTURBED(by_making_a_ring)

/* ---- other programs ---- */

static void take_along(int ep, bool by_doubling)
{
	if (by_doubling)
		dup2(ep, INHERITED);
	else
		ioctl(ep, FIONCLEX);
}

/* A child of vfork takes the set along into another program (this one, with LOOPS_SET), which
 * waits for what its parent writes. */
static void is_taken_along(const char *name, bool by_doubling)
{
	struct loop l;
	struct epoll_event events[4];
	char set[40];
	int status, other = eventfd(0, 0);

	loop_open(&l, EPOLLIN | EPOLLET);
	ep_ctl(l.ep, EPOLL_CTL_ADD, other, EPOLLIN);
	say(l.sv[0][0], "a");
	CHECK_EQ(epoll_wait(l.ep, events, 4, SOON_MS), 1);
	hear(l.sv[0][1], "a");
	snprintf(set, sizeof(set), "%d", by_doubling ? INHERITED : l.ep);
	setenv("LOOPS_SET", set, 1);
	pid_t pid = vfork();
	if (pid == 0) {
		take_along(l.ep, by_doubling);
		execl("/proc/self/exe", "loops", name, NULL);
		_exit(1);
	}
	say(l.sv[0][0], "b");
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK_EQ(status, 0);
}

static bool waits_in_a_set_of_another(void)
{
	const char *set = getenv("LOOPS_SET");
	struct epoll_event event;

	if (set)
		CHECK_EQ(epoll_wait(atoi(set), &event, 1, SOON_MS), 1);
	return set;
}

CASE(a_vfork_child_takes_a_copy_along)
{
	if (!waits_in_a_set_of_another())
		is_taken_along("a_vfork_child_takes_a_copy_along", true);
}

CASE(a_vfork_child_takes_the_set_along)
{
	if (!waits_in_a_set_of_another())
		is_taken_along("a_vfork_child_takes_the_set_along", false);
}

/* ---- signals ---- */

static atomic_int interrupted;

static void interrupt(int signal)
{
	(void)signal;
	interrupted++;
}

/* Bytes that another takes away wake the loop for nothing, again and again. */
static void *wake_in_vain(void *argument)
{
	struct loop *l = argument;
	uint32_t state = 5;
	char byte;

	for (unsigned int i = 0; i < rounds(700); i++) {
		say(l->sv[0][0], "x");
		CHECK(read(l->sv[0][1], &byte, 1) == 1 || errno == EAGAIN);
		pause_us(&state);
	}
	say(l->sv[1][0], "e");
	return NULL;
}

CASE(a_timeout_is_kept_though_it_is_woken_in_vain)
{
	struct loop l;
	struct epoll_event event;
	struct timespec begin, end;
	pthread_t thread;

	loop_open(&l, EPOLLIN);
	CHECK(pthread_create(&thread, NULL, wake_in_vain, &l) == 0);
	do {
		clock_gettime(CLOCK_MONOTONIC, &begin);
		event.data.fd = -1;
		int n = epoll_wait(l.ep, &event, 1, 5);
		clock_gettime(CLOCK_MONOTONIC, &end);
		CHECK(n >= 0);
		CHECK(n == 1 || (end.tv_sec - begin.tv_sec) * 1000 +
		                                (end.tv_nsec - begin.tv_nsec) / 1000000 >= 4);
		if (n == 1 && event.data.fd == l.sv[0][1])
			empty(event.data.fd, true);
	} while (event.data.fd != l.sv[1][1]);
	pthread_join(thread, NULL);
}

CASE(a_signal_that_is_let_in_ends_the_wait)
{
	struct sigaction action = {.sa_handler = interrupt, .sa_flags = SA_RESTART};
	struct epoll_event event;
	sigset_t blocked, open;
	struct loop l;

	sigemptyset(&open);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	CHECK(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
	loop_open(&l, EPOLLIN | EPOLLET);
	for (int i = 0; i < 50; i++) {
		raise(SIGUSR1);
		CHECK_FAILS(epoll_pwait(l.ep, &event, 1, SOON_MS, &open), EINTR);
		CHECK_EQ(interrupted, i + 1);
		say(l.sv[0][0], "x");
		CHECK_EQ(epoll_pwait(l.ep, &event, 1, SOON_MS, &open), 1);
		CHECK_EQ(empty(l.sv[0][1], true), 1);
	}
}

/* ---- one loop that is always ready ---- */

/* Of a program that counts what it asks the kernel for (readiness.bats). */
CASE(a_ready_loop)
{
	struct epoll_event event;
	struct loop l;

	loop_open(&l, EPOLLIN);
	for (int i = 0; i < 5000; i++) {
		say(l.sv[i % PAIRS][0], "x");
		CHECK_EQ(epoll_wait(l.ep, &event, 1, SOON_MS), 1);
		CHECK_EQ(event.data.fd, l.sv[i % PAIRS][1]);
		hear(event.data.fd, "x");
	}
}

CASE(a_ready_loop_with_edges)
{
	struct epoll_event event;
	struct loop l;

	loop_open(&l, EPOLLIN | EPOLLET);
	for (int i = 0; i < 5000; i++) {
		say(l.sv[i % PAIRS][0], "x");
		CHECK_EQ(epoll_wait(l.ep, &event, 1, SOON_MS), 1);
		CHECK_EQ(event.data.fd, l.sv[i % PAIRS][1]);
		hear(event.data.fd, "x");
	}
}

/* Under a rule that lets calls fail for no reason, too: what it left is told of once more. */
CASE(a_loop_that_reads_until_nothing_is_left)
{
	struct epoll_event event;
	struct loop l;

	loop_open(&l, EPOLLIN | EPOLLET);
	for (int i = 0; i < 5000; i++) {
		say(l.sv[i % PAIRS][0], "x");
		do {
			CHECK_EQ(epoll_wait(l.ep, &event, 1, SOON_MS), 1);
			CHECK_EQ(event.data.fd, l.sv[i % PAIRS][1]);
		} while (empty(event.data.fd, true) == 0);
	}
}

CASE(a_loop_that_writes_when_there_is_room)
{
	struct epoll_event event;
	struct loop l;

	loop_open(&l, EPOLLOUT | EPOLLET);
	for (int i = 0; i < PAIRS; i++)
		CHECK_EQ(epoll_wait(l.ep, &event, 1, SOON_MS), 1);
	for (int i = 0; i < 5000; i++) {
		int fd = l.sv[i % PAIRS][1];
		while (write(fd, "x", 1) != 1) {
			CHECK(errno == EAGAIN);
			CHECK_EQ(epoll_wait(l.ep, &event, 1, SOON_MS), 1);
			CHECK_EQ(event.data.fd, fd);
		}
		if (i / PAIRS % 100 == 99)
			empty(l.sv[i % PAIRS][0], true);
	}
}

CHECK_MAIN
