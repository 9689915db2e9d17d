/* weir.h. Natively each function is harmless; under weir it does what it says. */
#include "check.h"
#include "weir.h"

#include <sys/epoll.h>

static struct weir_pair_info look(int fd)
{
	struct weir_pair_info info;
	memset(&info, 0xff, sizeof(info));
	errno = 4711;
	CHECK_EQ(weir_pair(fd, &info), 0);
	CHECK_EQ(errno, 4711);
	CHECK_EQ(info.size, sizeof(info));
	return info;
}

CASE(absent_is_harmless)
{
	struct weir_pair_info info;
	int sv[2];
	if (weir_active())
		return;
	pair_open(sv, 0);
	CHECK_FAILS(weir_pair(sv[0], &info), ENOSYS);
	CHECK_FAILS(weir_mark(sv), ENOSYS);
	CHECK_FAILS(weir_unmark(sv[0]), ENOSYS);
	CHECK_FAILS(weir_set_capacity(sv[0], 64), ENOSYS);
	CHECK_FAILS(weir_fault(sv[0], "read:eof"), ENOSYS);
	CHECK_FAILS(weir_clear_faults(sv[0]), ENOSYS);
	CHECK_EQ(weir_fault_error()[0], 0);
	say(sv[0], "hello");
	hear(sv[1], "hello");
}

CASE(pair_tells)
{
	int sv[2];
	pair_open(sv, 0);
	if (!weir_active())
		return;
	CHECK_EQ(weir_set_capacity(sv[0], 100), 0);
	say(sv[0], "hello");
	struct weir_pair_info a = look(sv[0]), b = look(sv[1]), copy = look(dup(sv[1]));
	CHECK(a.side == 0 && b.side == 1 && a.number == b.number && a.number > 0);
	CHECK(a.capacity_out == 100 && b.capacity_in == 100 && a.capacity_in == b.capacity_out);
	CHECK(a.buffered_out == 5 && b.buffered_in == 5 && a.buffered_in == 0);
	CHECK(a.position_out == 5 && b.position_in == 0 && a.kernel_out == 0);
	CHECK(memcmp(&b, &copy, sizeof(b)) == 0);
	hear(sv[1], "hello");
	CHECK(look(sv[1]).position_in == 5 && look(sv[0]).buffered_out == 0);
}

/* A program of another age knows less, or more. */
CASE(pair_sizes)
{
	unsigned char space[sizeof(struct weir_pair_info) + 16];
	struct weir_pair_info *info = (void *)space;
	int sv[2];
	pair_open(sv, 0);
	if (!weir_active())
		return;
	memset(space, 0xff, sizeof(space));
	CHECK_EQ(weir_inside()->pair(sv[0], info, 16), 0);
	CHECK(info->size == 16 && space[15] == 0 && space[16] == 0xff);
	CHECK_EQ(weir_inside()->pair(sv[0], info, sizeof(space)), 0);
	CHECK(info->size == sizeof(*info) && space[sizeof(space) - 1] == 0);
}

CASE(bad_descriptors)
{
	struct weir_pair_info info;
	int bad[] = {-1, 0x7fffffff, 0, 1000};
	int sv[2];
	if (!weir_active())
		return;
	CHECK(dup2(open("/dev/null", O_RDONLY), 0) == 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CHECK_FAILS(weir_pair(bad[i], &info), EBADF);
		CHECK_FAILS(weir_unmark(bad[i]), EBADF);
		CHECK_FAILS(weir_set_capacity(bad[i], 64), EBADF);
		CHECK_FAILS(weir_fault(bad[i], "read:eof"), EBADF);
		CHECK_FAILS(weir_clear_faults(bad[i]), EBADF);
	}
	pair_open(sv, 0);
	CHECK_FAILS(weir_pair(sv[0], opaque(NULL)), EINVAL);
	CHECK_FAILS(weir_fault(sv[0], opaque(NULL)), EINVAL);
	CHECK_FAILS(weir_set_capacity(sv[0], 0), EINVAL);
	CHECK_FAILS(weir_set_capacity(sv[0], UINT64_MAX), EINVAL);
	CHECK_FAILS(weir_mark(sv), EALREADY);
	CHECK_FAILS(weir_mark(opaque(NULL)), EINVAL);
	CHECK(pipe(sv) == 0);
	CHECK_FAILS(weir_mark(sv), EINVAL);
	sv[0] = -1;
	CHECK_FAILS(weir_mark(sv), EBADF);
}

static void *write_one(void *fd)
{
	say(*(int *)fd, "x");
	return NULL;
}

CASE(capacity_wakes_writer)
{
	struct worker w;
	int sv[2];
	pair_open(sv, 0);
	if (!weir_active())
		return;
	CHECK_EQ(weir_set_capacity(sv[0], 10), 0);
	CHECK_EQ(fill(sv[0]), 10);
	worker_start(&w, write_one, &sv[0]);
	wait_until_asleep(w.tid);
	CHECK_EQ(weir_set_capacity(sv[0], 11), 0);
	worker_join(&w);
	CHECK_EQ(look(sv[0]).buffered_out, 11);
	CHECK_EQ(weir_set_capacity(sv[0], 2), 0);
	drain(sv[1], 10, 0);
	hear(sv[1], "x");
	CHECK_EQ(fill(sv[0]), 2);
}

struct writing { int fd; size_t n; };

static void *write_all(void *argument)
{
	struct writing *w = argument;
	unsigned char bytes[1000];
	pattern_make(bytes, w->n, 0);
	return (void *)write(w->fd, bytes, w->n);
}

/* In mid-transfer a writer waits in another way. */
CASE(capacity_wakes_a_writer_in_mid_transfer)
{
	struct worker w;
	int sv[2];
	pair_open(sv, 0);
	if (!weir_active())
		return;
	struct writing writing = {sv[0], 500};
	CHECK_EQ(weir_set_capacity(sv[0], 5), 0);
	worker_start(&w, write_all, &writing);
	wait_until_asleep(w.tid);
	CHECK_EQ(weir_set_capacity(sv[0], 1000), 0);
	CHECK_EQ((ssize_t)worker_join(&w), 500);
	drain(sv[1], 500, 0);
}

static void *wait_writable(void *fd)
{
	struct pollfd p = {.fd = *(int *)fd, .events = POLLOUT};
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(p.revents, POLLOUT);
	return NULL;
}

CASE(capacity_wakes_who_polls)
{
	struct worker w;
	int sv[2];
	pair_open(sv, 0);
	if (!weir_active())
		return;
	CHECK_EQ(weir_set_capacity(sv[0], 8), 0);
	CHECK_EQ(fill(sv[0]), 8);
	worker_start(&w, wait_writable, &sv[0]);
	wait_until_asleep(w.tid);
	CHECK_EQ(weir_set_capacity(sv[0], 9), 0);
	worker_join(&w);
}

/* Less room is told, too. */
CASE(watchers_hear_of_the_capacity)
{
	struct epoll_event event = {.events = EPOLLOUT}, got;
	int sv[2], epfd = epoll_create1(0);
	pair_open(sv, 0);
	if (!weir_active())
		return;
	CHECK_EQ(weir_set_capacity(sv[0], 64), 0);
	CHECK_EQ(epoll_ctl(epfd, EPOLL_CTL_ADD, sv[0], &event), 0);
	say(sv[0], "0123456789");
	CHECK_EQ(epoll_wait(epfd, &got, 1, 0), 1);
	CHECK_EQ(weir_set_capacity(sv[0], 10), 0);
	CHECK_EQ(epoll_wait(epfd, &got, 1, 0), 0);
	CHECK_EQ(weir_set_capacity(sv[0], 11), 0);
	CHECK_EQ(epoll_wait(epfd, &got, 1, 0), 1);
}

CASE(capacity_below_what_is_buffered)
{
	unsigned char bytes[70000];
	int sv[2];
	pair_open(sv, 0);
	if (!weir_active())
		return;
	pattern_make(bytes, sizeof(bytes), 0);
	CHECK_EQ(weir_set_capacity(sv[0], sizeof(bytes)), 0);
	CHECK_EQ(write(sv[0], bytes, sizeof(bytes)), sizeof(bytes));
	CHECK_EQ(weir_set_capacity(sv[0], 10), 0);
	CHECK_EQ(look(sv[0]).buffered_out, sizeof(bytes));
	drain(sv[1], sizeof(bytes) - 10, 0);
	CHECK_FAILS(send(sv[0], "x", 1, MSG_DONTWAIT), EAGAIN);
	CHECK(!(readiness(sv[0]) & POLLOUT));
	drain(sv[1], 1, sizeof(bytes) - 10);
	CHECK(readiness(sv[0]) & POLLOUT);
	CHECK_EQ(send(sv[0], "xyz", 3, MSG_DONTWAIT), 1);
}

/* SO_SNDBUF, too, may come while somebody waits; but not after the program's own word. */
CASE(sndbuf_wakes_who_polls)
{
	int sv[2], small = 4608, large = 100000;
	struct worker w;
	pair_open(sv, 0);
	CHECK_EQ(setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	fill(sv[0]);
	worker_start(&w, wait_writable, &sv[0]);
	wait_until_asleep(w.tid);
	CHECK_EQ(setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &large, sizeof(large)), 0);
	if (weir_active() && look(sv[0]).capacity_out < (uint64_t)large) /* --capacity */
		drain(sv[1], look(sv[0]).buffered_out, 0);
	worker_join(&w);
	if (!weir_active())
		return;
	CHECK_EQ(weir_set_capacity(sv[1], 5), 0);
	CHECK_EQ(setsockopt(sv[1], SOL_SOCKET, SO_SNDBUF, &large, sizeof(large)), 0);
	CHECK_EQ(fill(sv[1]), 5);
}

static void *write_stream(void *fd)
{
	unsigned char bytes[257];
	for (uint64_t offset = 0; offset < 200000; offset += sizeof(bytes)) {
		pattern_make(bytes, sizeof(bytes), offset);
		CHECK_EQ(write(*(int *)fd, bytes, sizeof(bytes)), sizeof(bytes));
	}
	shutdown(*(int *)fd, SHUT_WR);
	return NULL;
}

static void *jump(void *argument)
{
	static const uint64_t sizes[] = {1, 4096, 3, 100, 65536, 17};
	int *fd = argument;
	for (unsigned int i = 0; __atomic_load_n(&fd[2], __ATOMIC_RELAXED) == 0; i++)
		CHECK_EQ(weir_set_capacity(fd[0], sizes[i % 6]), 0);
	return NULL;
}

/* No byte is lost, and nobody sleeps for ever. */
CASE(capacities_jump_while_bytes_flow)
{
	struct worker writer, jumper;
	unsigned char bytes[1000];
	int fd[3] = {0, 0, 0};
	uint64_t offset = 0;
	pair_open(fd, 0);
	if (!weir_active())
		return;
	worker_start(&writer, write_stream, fd);
	worker_start(&jumper, jump, fd);
	for (ssize_t n; (n = read(fd[1], bytes, sizeof(bytes))) != 0; offset += (uint64_t)n) {
		CHECK(n > 0);
		pattern_check(bytes, (size_t)n, offset);
	}
	__atomic_store_n(&fd[2], 1, __ATOMIC_RELAXED);
	CHECK(offset >= 200000);
	worker_join(&writer);
	worker_join(&jumper);
}

CASE(fault_at_a_byte)
{
	char text[16];
	int sv[2];
	pair_open(sv, 0);
	if (!weir_active())
		return;
	say(sv[1], "abc");
	hear(sv[0], "abc");
	CHECK_EQ(look(sv[0]).position_in, 3);
	errno = 4711;
	CHECK_EQ(weir_fault(sv[0], "read:eof:at=5"), 0);
	CHECK_EQ(errno, 4711);
	CHECK(send(sv[1], "defgh", 5, MSG_NOSIGNAL) > 0);
	CHECK_EQ(read(sv[0], text, sizeof(text)), 2);
	hear_end(sv[0]);
}

/* The other end, and other pairs, are as before. */
CASE(fault_of_one_end)
{
	int sv[2], other[2];
	pair_open(sv, 0);
	pair_open(other, 0);
	if (!weir_active())
		return;
	CHECK_EQ(weir_fault(sv[0], "write:error=ENOBUFS"), 0);
	CHECK_FAILS(write(sv[0], "x", 1), ENOBUFS);
	say(sv[1], "x");
	say(other[0], "x");
	CHECK_FAILS(weir_fault_error()[0] ? 0 : write(sv[0], "x", 1), ENOBUFS);
	CHECK_EQ(weir_clear_faults(sv[1]), 0);
	CHECK_FAILS(write(sv[0], "x", 1), ENOBUFS);
	CHECK_EQ(weir_clear_faults(sv[0]), 0);
	say(sv[0], "x");
}

CASE(wrong_rules)
{
	char text[400];
	int sv[2];
	pair_open(sv, 0);
	if (!weir_active())
		return;
	CHECK_FAILS(weir_fault(sv[0], "wirte:eof"), EINVAL);
	CHECK(strstr(weir_fault_error(), "'wirte:eof': column 1 ('wirte'): expected"));
	CHECK_FAILS(weir_fault(sv[0], "read:"), EINVAL);
	CHECK(strstr(weir_fault_error(), "'read:': column"));
	CHECK_FAILS(weir_fault(sv[0], "read:eof:pair=1"), EINVAL);
	CHECK(strstr(weir_fault_error(), "pair"));
	CHECK_FAILS(weir_fault(sv[0], "read:eof:side=b"), EINVAL);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	CHECK_FAILS(weir_fault(sv[0], text), EINVAL);
	CHECK_EQ(weir_fault(sv[0], "read:short:when=1000"), 0);
	CHECK_EQ(weir_fault_error()[0], 0);
	say(sv[0], "x");
	hear(sv[1], "x");
}

/* All 62 places of the run: this case has them to itself. */
CASE(places)
{
	int sv[2], added = 0;
	pair_open(sv, 0);
	if (!weir_active() || !getenv("WEIR_TEST_PLACES"))
		return;
	while (weir_fault(sv[0], "read:error=EIO") == 0)
		added++;
	CHECK_EQ(errno, ENOSPC);
	CHECK_EQ(added, 62);
	CHECK_EQ(weir_clear_faults(sv[0]), 0);
	say(sv[1], "x");
	hear(sv[0], "x");
	while (added-- > 0)
		CHECK_EQ(weir_fault(sv[0], "read:error=EIO:when=3"), 0);
	CHECK_FAILS(weir_fault(sv[0], "read:error=EIO"), ENOSPC);
	CHECK_EQ(weir_clear_faults(sv[0]), 0);
}

/* A rule that was cleared leaves nothing to the one that gets its place. */
CASE(places_are_used_again)
{
	int sv[2];
	pair_open(sv, 0);
	if (!weir_active())
		return;
	for (int i = 0; i < 300; i++) {
		int second = i % 2, when = second ? 2 : 3;
		CHECK_EQ(weir_fault(sv[0], second ? "write:error=EIO:when=2" : "write:error=EIO:when=3"), 0);
		for (int call = 1; call <= 3; call++)
			CHECK_EQ(write(sv[0], "x", 1), call == when ? -1 : 1);
		hear(sv[1], "xx");
		CHECK_EQ(weir_clear_faults(sv[0]), 0);
	}
}

CASE(closed_pairs_give_their_places_back)
{
	if (!weir_active())
		return;
	for (int i = 0; i < 200; i++) {
		int sv[2];
		pair_open(sv, 0);
		CHECK_EQ(weir_fault(sv[i % 2], "write:error=EIO"), 0);
		CHECK_FAILS(write(sv[i % 2], "x", 1), EIO);
		close(sv[0]);
		close(sv[1]);
	}
}

/* As a test suite may do it: a process for each test, which closes nothing. */
CASE(ended_processes_give_their_places_back)
{
	if (!weir_active())
		return;
	for (int i = 0; i < 70; i++) {
		pid_t child = child_start();
		int sv[2];
		if (child == 0) {
			pair_open(sv, 0);
			CHECK_EQ(weir_fault(sv[0], "write:error=EIO"), 0);
			CHECK_FAILS(write(sv[0], "x", 1), EIO);
			_exit(0);
		}
		child_join(child);
	}
}

/* Rules act in the order in which they were given, whatever places are free. */
CASE(rules_keep_their_order)
{
	int sv[2], other[2];
	pair_open(other, 0);
	pair_open(sv, 0);
	if (!weir_active())
		return;
	CHECK_EQ(weir_fault(other[0], "write:short"), 0);
	CHECK_EQ(weir_fault(sv[0], "write:error=EIO"), 0);
	CHECK_EQ(weir_clear_faults(other[0]), 0);
	CHECK_EQ(weir_fault(sv[0], "write:error=ENOMEM"), 0);
	CHECK_FAILS(write(sv[0], "x", 1), EIO);
	CHECK_EQ(weir_clear_faults(sv[0]), 0);
}

/* While other threads change the plan, and learn of it. */
static void *churn(void *argument)
{
	int *sv = argument;
	while (__atomic_load_n(&sv[2], __ATOMIC_RELAXED) == 0) {
		CHECK_EQ(weir_fault(sv[0], "write:error=EIO"), 0);
		CHECK_FAILS(write(sv[0], "x", 1), EIO);
		CHECK_EQ(weir_clear_faults(sv[0]), 0);
		say(sv[0], "x");
		hear(sv[1], "x");
	}
	return NULL;
}

CASE(each_thread_s_rules_hold_at_once)
{
	enum { THREADS = 3 };
	struct worker w[THREADS];
	int sv[THREADS][3] = {{0}}, own[3] = {0, 0, 0};
	for (int i = 0; i < THREADS; i++)
		pair_open(sv[i], 0);
	pair_open(own, 0);
	if (!weir_active())
		return;
	for (int i = 0; i < THREADS; i++)
		worker_start(&w[i], churn, sv[i]);
	for (int i = 0; i < 1000; i++) {
		CHECK_EQ(weir_fault(own[0], "write:error=EIO"), 0);
		CHECK_FAILS(write(own[0], "x", 1), EIO);
		CHECK_EQ(weir_clear_faults(own[0]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		__atomic_store_n(&sv[i][2], 1, __ATOMIC_RELAXED);
	for (int i = 0; i < THREADS; i++)
		worker_join(&w[i]);
}

/* What was held is not resumed by a later rule in the same place. */
CASE(a_later_rule_is_a_new_one)
{
	char text[4];
	int sv[2];
	pair_open(sv, SOCK_NONBLOCK);
	if (!weir_active())
		return;
	CHECK_EQ(weir_fault(sv[1], "read:stall"), 0);
	say(sv[0], "0123");
	CHECK_FAILS(read(sv[1], text, 4), EAGAIN);
	CHECK(!(readiness(sv[1]) & POLLIN));
	CHECK_EQ(weir_clear_faults(sv[1]), 0);
	CHECK(readiness(sv[1]) & POLLIN);
	CHECK_EQ(weir_fault(sv[1], "read:short"), 0);
	CHECK_EQ(read(sv[1], text, 4), 1);
}

static void *come_and_go(void *fd)
{
	for (int i = 0; i < 300; i++) {
		CHECK_EQ(weir_fault(*(int *)fd, i % 3 ? "write:short=3" : "write:short=2:match=ab"), 0);
		if (i % 2)
			CHECK_EQ(weir_clear_faults(*(int *)fd), 0);
	}
	return NULL;
}

CASE(rules_come_and_go_while_bytes_flow)
{
	struct worker w[2];
	int sv[2], other[2];
	pair_open(sv, 0);
	pair_open(other, 0);
	if (!weir_active())
		return;
	worker_start(&w[0], come_and_go, &sv[0]);
	worker_start(&w[1], come_and_go, &other[0]);
	for (uint64_t offset = 0; offset < 40000;) {
		unsigned char bytes[10];
		pattern_make(bytes, sizeof(bytes), offset);
		ssize_t n = write(sv[0], bytes, sizeof(bytes));
		CHECK(n > 0);
		drain(sv[1], (size_t)n, offset);
		offset += (uint64_t)n;
	}
	worker_join(&w[0]);
	worker_join(&w[1]);
}

static void *hear_one(void *fd)
{
	hear(*(int *)fd, "x");
	return NULL;
}

static void *hear_error(void *fd)
{
	char byte;
	CHECK_FAILS(read(*(int *)fd, &byte, 1), EIO);
	return NULL;
}

CASE(clear_lets_go)
{
	struct worker w;
	int sv[2];
	pair_open(sv, 0);
	if (!weir_active())
		return;
	CHECK_EQ(weir_fault(sv[0], "read:stall"), 0);
	say(sv[1], "x");
	worker_start(&w, hear_one, &sv[0]);
	wait_until_asleep(w.tid);
	CHECK_EQ(look(sv[0]).buffered_in, 1);
	CHECK_EQ(weir_clear_faults(sv[0]), 0);
	worker_join(&w);
}

/* A read that waits already comes under the rule. */
CASE(fault_wakes_reader)
{
	struct worker w;
	int sv[2];
	pair_open(sv, 0);
	if (!weir_active())
		return;
	worker_start(&w, hear_error, &sv[0]);
	wait_until_asleep(w.tid);
	CHECK_EQ(weir_fault(sv[0], "read:error=EIO"), 0);
	worker_join(&w);
}

/* What memory has told of is held back before it was read: the edge comes again. */
CASE(an_edge_that_was_told_comes_again_after_a_hold)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET}, got;
	int sv[2], epfd = epoll_create1(0);
	char byte;
	if (!weir_active())
		return;
	pair_open(sv, SOCK_NONBLOCK);
	CHECK_EQ(epoll_ctl(epfd, EPOLL_CTL_ADD, sv[1], &event), 0);
	say(sv[0], "x");
	CHECK_EQ(epoll_wait(epfd, &got, 1, 19000), 1);
	CHECK_EQ(weir_fault(sv[1], "read:delay=30ms:times=1"), 0);
	CHECK_FAILS(read(sv[1], &byte, 1), EAGAIN);
	CHECK_EQ(epoll_wait(epfd, &got, 1, 19000), 1);
	hear(sv[1], "x");
}

CASE(across_fork)
{
	int sv[2];
	pair_open(sv, 0);
	if (!weir_active())
		return;
	uint64_t number = look(sv[0]).number;
	pid_t child = child_start();
	if (child == 0) {
		CHECK(look(sv[0]).number == number);
		CHECK_EQ(weir_set_capacity(sv[0], 7), 0);
		CHECK_EQ(weir_fault(sv[1], "read:error=EIO"), 0);
		exit(0);
	}
	child_join(child);
	CHECK_EQ(look(sv[0]).capacity_out, 7);
	char byte;
	CHECK_EQ(write(sv[0], "x", 1), 1);
	CHECK_FAILS(read(sv[1], &byte, 1), EIO);
	CHECK_EQ(weir_clear_faults(sv[1]), 0);
	hear(sv[1], "x");
}

CASE(unmark_wakes_a_writer)
{
	struct worker w;
	int sv[2];
	pair_open(sv, 0);
	if (!weir_active())
		return;
	struct writing writing = {sv[0], 900};
	CHECK_EQ(weir_set_capacity(sv[0], 3), 0);
	worker_start(&w, write_all, &writing);
	wait_until_asleep(w.tid);
	CHECK_EQ(weir_unmark(sv[0]), 0);
	CHECK_EQ((ssize_t)worker_join(&w), 900);
	drain(sv[1], 900, 0);
}

CASE(unmark_keeps_rules)
{
	int sv[2];
	pair_open(sv, 0);
	if (!weir_active())
		return;
	CHECK_EQ(weir_unmark(sv[0]), 0);
	CHECK_EQ(weir_fault(sv[0], "write:error=EIO"), 0);
	CHECK_FAILS(write(sv[0], "x", 1), EIO);
	CHECK_EQ(weir_clear_faults(sv[0]), 0);
	say(sv[0], "x");
	hear(sv[1], "x");
}

CASE(unmark_keeps_order)
{
	int sv[2];
	pair_open(sv, 0);
	if (!weir_active())
		return;
	say(sv[0], "one");
	say(sv[1], "eins");
	CHECK_EQ(weir_unmark(sv[0]), 0);
	CHECK_EQ(weir_unmark(sv[0]), 0);
	CHECK(look(sv[0]).kernel_out == 1 && look(sv[0]).kernel_in == 0);
	CHECK_FAILS(weir_set_capacity(sv[0], 64), EOPNOTSUPP);
	say(sv[0], "two");
	say(sv[1], "zwei");
	CHECK_EQ(look(sv[0]).kernel_in, 1);
	hear(sv[1], "onetwo");
	hear(sv[0], "einszwei");
	hear_nothing(sv[0]);
	close(sv[0]);
	hear_end(sv[1]);
	CHECK_EQ(weir_unmark(sv[1]), 0);
}

/* A pair that weir has not seen: the call passes no hook. */
static void pair_unseen(int sv[2])
{
#if defined(__x86_64__)
	long result;
	register long fourth __asm__("r10") = (long)sv;
	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "a"(SYS_socketpair), "D"(AF_UNIX), "S"(SOCK_STREAM), "d"(0), "r"(fourth)
	                 : "rcx", "r11", "memory");
	CHECK_EQ(result, 0);
#else
#error "make the call here"
#endif
}

CASE(mark_takes_over)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET}, got;
	int sv[2], size = 10000, value, epfd = epoll_create1(0);
	socklen_t len = sizeof(value);
	pair_unseen(sv);
	if (!weir_active())
		return;
	int copy = dup(sv[0]);
	CHECK_EQ(fcntl(sv[0], F_SETFL, O_NONBLOCK), 0);
	CHECK_EQ(setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	CHECK_EQ(epoll_ctl(epfd, EPOLL_CTL_ADD, sv[1], &event), 0);
	CHECK_EQ(weir_mark(sv), 0);
	CHECK_EQ(getsockopt(copy, SOL_SOCKET, SO_SNDBUF, &value, &len), 0);
	CHECK_EQ(value, 2 * size);
	CHECK_EQ(look(copy).number, look(sv[1]).number);
	hear_nothing(sv[0]);
	CHECK_EQ(epoll_wait(epfd, &got, 1, 0), 0);
	say(copy, "x");
	CHECK_EQ(epoll_wait(epfd, &got, 1, 0), 1);
	CHECK_EQ(epoll_wait(epfd, &got, 1, 0), 0);
	say(sv[0], "y");
	CHECK_EQ(epoll_wait(epfd, &got, 1, 0), 1);
	hear(sv[1], "xy");
	close(sv[0]);
	close(copy);
	hear_end(sv[1]);
}

CASE(mark_what_was_shut)
{
	int sv[2];
	pair_unseen(sv);
	if (!weir_active())
		return;
	shutdown(sv[0], SHUT_WR);
	CHECK_EQ(weir_mark(sv), 0);
	CHECK_FAILS(send(sv[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	hear_end(sv[1]);
	say(sv[1], "y");
	hear(sv[0], "y");
}

/* Ends of two pairs: neither is touched. */
CASE(mark_no_pair)
{
	int sv[2], other[2];
	pair_unseen(sv);
	pair_unseen(other);
	if (!weir_active())
		return;
	int mixed[2] = {sv[0], other[1]}, single[2] = {sv[0], socket(AF_UNIX, SOCK_STREAM, 0)};
	CHECK_FAILS(weir_mark(mixed), EINVAL);
	CHECK_FAILS(weir_mark(single), EINVAL);
	hear_nothing(sv[1]);
	hear_nothing(other[0]);
	CHECK_EQ(weir_mark(sv), 0);
}

/* Under --mark nth=1: the second is the kernel's until it is asked for. */
CASE(mark_later)
{
	struct weir_pair_info info;
	int sv[2], later[2], crossed[2];
	pair_open(sv, 0);
	pair_open(later, SOCK_NONBLOCK);
	pair_open(crossed, 0);
	say(sv[0], "x");
	hear(sv[1], "x");
	if (!weir_active() || !getenv("WEIR_TEST_MARK"))
		return;
	CHECK_FAILS(weir_pair(later[0], &info), EBADF);
	int wrong[2] = {later[0], later[0]};
	CHECK_FAILS(weir_mark(wrong), EINVAL);
	CHECK_EQ(weir_mark(later), 0);
	CHECK_FAILS(weir_mark(later), EALREADY);
	CHECK(look(later[0]).side == 0 && look(later[1]).side == 1);
	CHECK_EQ(weir_set_capacity(later[0], 64), 0);
	CHECK_EQ(fill(later[0]), 64);
	drain(later[1], 64, 0);
	hear_nothing(later[1]);
	say(crossed[0], "unread");
	CHECK_FAILS(weir_mark(crossed), EBUSY);
	hear(crossed[1], "unread");
	CHECK_EQ(weir_mark(crossed), 0);
	hear_nothing(crossed[1]);
}

static void *many_changes(void *fds)
{
	int *sv = fds;
	for (int i = 0; i < 200; i++) {
		CHECK_EQ(weir_set_capacity(sv[0], 1 + i % 50), 0);
		CHECK_EQ(weir_clear_faults(sv[0]), 0);
		CHECK_FAILS(weir_fault(sv[0], i % 2 ? "a" : "b"), EINVAL);
		CHECK(strstr(weir_fault_error(), i % 2 ? "'a'" : "'b'"));
	}
	return NULL;
}

CASE(threads)
{
	enum { THREADS = 4, BYTES = 2000 };
	struct worker w[THREADS];
	unsigned char byte;
	int sv[2];
	pair_open(sv, 0);
	if (!weir_active())
		return;
	for (int i = 0; i < THREADS; i++)
		worker_start(&w[i], many_changes, sv);
	for (int i = 0; i < BYTES; i++) {
		byte = pattern(i);
		CHECK_EQ(write(sv[0], &byte, 1), 1);
		drain(sv[1], 1, i);
	}
	for (int i = 0; i < THREADS; i++)
		worker_join(&w[i]);
}

CHECK_MAIN
