/* poll, ppoll, select and pselect agree with what reading and writing would do. */
#include "check.h"

#include <sys/select.h>

/* What a program compiled with _FORTIFY_SOURCE calls instead. */
int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t size);
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
                const sigset_t *mask, size_t size);

enum { ASKED = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };

typedef int (*asker)(int fd, int timeout_ms);

static int by_poll(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = ASKED};
	CHECK(poll(&p, (nfds_t)opaque_number(1), timeout_ms) == (p.revents != 0));
	return p.revents;
}

static int by_poll_chk(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = ASKED};
	CHECK(__poll_chk(&p, 1, timeout_ms, sizeof(p)) == (p.revents != 0));
	return p.revents;
}

static int by_ppoll(int fd, int timeout_ms)
{
	struct timespec t = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
	struct pollfd p = {.fd = fd, .events = ASKED};
	CHECK(ppoll(&p, (nfds_t)opaque_number(1), &t, NULL) == (p.revents != 0));
	return p.revents;
}

static int by_ppoll_chk(int fd, int timeout_ms)
{
	struct timespec t = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
	struct pollfd p = {.fd = fd, .events = ASKED};
	CHECK(__ppoll_chk(&p, 1, &t, NULL, sizeof(p)) == (p.revents != 0));
	return p.revents;
}

static int by_syscall_poll(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = ASKED};
	CHECK(syscall(SYS_poll, &p, 1, timeout_ms) == (p.revents != 0));
	return p.revents;
}

struct sets {
	fd_set in, out, except;
};

static void sets_of(struct sets *s, int fd)
{
	FD_ZERO(&s->in);
	FD_ZERO(&s->out);
	FD_ZERO(&s->except);
	FD_SET(fd, &s->in);
	FD_SET(fd, &s->out);
	FD_SET(fd, &s->except);
}

static int events_of(const struct sets *s, int fd)
{
	return (FD_ISSET(fd, &s->in) ? POLLIN : 0) | (FD_ISSET(fd, &s->out) ? POLLOUT : 0) |
	       (FD_ISSET(fd, &s->except) ? POLLPRI : 0);
}

static int by_select(int fd, int timeout_ms)
{
	struct timeval t = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
	struct sets s;
	sets_of(&s, fd);
	int n = select(fd + 1, &s.in, &s.out, &s.except, &t);
	CHECK_EQ(n, __builtin_popcount((unsigned)events_of(&s, fd)));
	return events_of(&s, fd);
}

static int by_pselect(int fd, int timeout_ms)
{
	struct timespec t = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
	struct sets s;
	sets_of(&s, fd);
	int n = pselect(fd + 1, &s.in, &s.out, &s.except, &t, NULL);
	CHECK_EQ(n, __builtin_popcount((unsigned)events_of(&s, fd)));
	return events_of(&s, fd);
}

static int by_syscall_select(int fd, int timeout_ms)
{
	struct timespec t = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
	struct sets s;
	sets_of(&s, fd);
	long n = syscall(SYS_pselect6, fd + 1, &s.in, &s.out, &s.except, &t, NULL);
	CHECK_EQ(n, __builtin_popcount((unsigned)events_of(&s, fd)));
	return events_of(&s, fd);
}

/* What every one of them can tell: readable and writable. */
static int io(asker ask, int fd)
{
	return ask(fd, 0) & (POLLIN | POLLOUT);
}

static void follows_the_data(asker ask)
{
	int sv[2];
	pair_open(sv, 0);
	CHECK_EQ(io(ask, sv[0]), POLLOUT);
	CHECK_EQ(io(ask, sv[1]), POLLOUT);
	say(sv[0], "abc");
	CHECK_EQ(io(ask, sv[1]), POLLIN | POLLOUT);
	CHECK_EQ(io(ask, sv[0]), POLLOUT);
	hear(sv[1], "ab");
	CHECK_EQ(io(ask, sv[1]), POLLIN | POLLOUT);
	hear(sv[1], "c");
	CHECK_EQ(io(ask, sv[1]), POLLOUT);
	for (int i = 0; i < 50; i++) {
		say(sv[0], "abc");
		say(sv[0], "def");
		CHECK_EQ(io(ask, sv[1]), POLLIN | POLLOUT);
		hear(sv[1], "abcdef");
		CHECK_EQ(io(ask, sv[1]), POLLOUT);
		CHECK_EQ(io(ask, sv[0]), POLLOUT);
	}
}

static void follows_the_room(asker ask)
{
	int sv[2];
	pair_open(sv, 0);
	for (int i = 0; i < 3; i++) {
		size_t full = fill(sv[0]);
		CHECK_EQ(io(ask, sv[0]), 0);
		CHECK_EQ(io(ask, sv[1]), POLLIN | POLLOUT);
		drain(sv[1], full, 0);
		CHECK_EQ(io(ask, sv[0]), POLLOUT);
		CHECK_EQ(io(ask, sv[1]), POLLOUT);
		say(sv[0], "abc");
		CHECK_EQ(io(ask, sv[1]), POLLIN | POLLOUT);
		hear(sv[1], "abc");
		CHECK_EQ(io(ask, sv[1]), POLLOUT);
	}
}

static void follows_the_end(asker ask)
{
	int sv[2];
	pair_open(sv, 0);
	say(sv[0], "abc");
	CHECK(close(sv[0]) == 0);
	CHECK_EQ(io(ask, sv[1]), POLLIN | POLLOUT);
	hear(sv[1], "abc");
	CHECK_EQ(io(ask, sv[1]), POLLIN | POLLOUT);
	hear_end(sv[1]);
}

static int late_fd;

static void *write_late(void *argument)
{
	(void)argument;
	sleep_ms(20);
	say(late_fd, "late");
	return NULL;
}

static void waits_for_data(asker ask)
{
	int sv[2];
	struct worker w;
	pair_open(sv, 0);
	size_t full = fill(sv[1]);
	CHECK_EQ(ask(sv[1], 0) & (POLLIN | POLLOUT), 0);
	CHECK_EQ(ask(sv[1], 15) & (POLLIN | POLLOUT), 0);
	late_fd = sv[0];
	worker_start(&w, write_late, NULL);
	CHECK_EQ(ask(sv[1], 19000) & (POLLIN | POLLOUT), POLLIN);
	worker_join(&w);
	hear(sv[1], "late");
	drain(sv[0], full, 0);
}

static int drained_fd;
static size_t drained_size;

static void *drain_late(void *argument)
{
	(void)argument;
	sleep_ms(20);
	drain(drained_fd, drained_size, 0);
	return NULL;
}

static void waits_for_room(asker ask)
{
	int sv[2];
	struct worker w;
	pair_open(sv, 0);
	drained_fd = sv[1];
	drained_size = fill(sv[0]);
	worker_start(&w, drain_late, NULL);
	CHECK_EQ(ask(sv[0], 19000) & (POLLIN | POLLOUT), POLLOUT);
	worker_join(&w);
}

#define ASKER(NAME)                                                   \
	CASE(NAME##_follows_the_data) { follows_the_data(by_##NAME); } \
	CASE(NAME##_follows_the_room) { follows_the_room(by_##NAME); } \
	CASE(NAME##_follows_the_end) { follows_the_end(by_##NAME); }   \
	CASE(NAME##_waits_for_data) { waits_for_data(by_##NAME); }     \
	CASE(NAME##_waits_for_room) { waits_for_room(by_##NAME); }

ASKER(poll)
ASKER(poll_chk)
ASKER(ppoll)
ASKER(ppoll_chk)
ASKER(select)
ASKER(pselect)
ASKER(syscall_poll)
ASKER(syscall_select)

/* Who is told to be readable may read without waiting, also when blocking; the other
 * way round, data is always announced. */
CASE(readable_means_a_read_does_not_wait)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		for (int i = 0; i < 3000; i++)
			CHECK_EQ(write(sv[0], "abcdefg", (size_t)(1 + i % 7)), 1 + i % 7);
		CHECK(shutdown(sv[0], SHUT_WR) == 0);
		_exit(0);
	}
	long total = 0;
	for (;;) {
		char buffer[5];
		struct pollfd p = {.fd = sv[1], .events = POLLIN};
		CHECK_EQ(poll(&p, 1, -1), 1);
		ssize_t n = recv(sv[1], buffer, sizeof(buffer), MSG_DONTWAIT);
		CHECK(n >= 0);
		if (n == 0)
			break;
		total += n;
	}
	child_join(pid);
	CHECK_EQ(total, 11994);
}

/* Who is told to be writable may write a byte without waiting. */
CASE(writable_means_a_write_does_not_wait)
{
	enum { TOTAL = 600000 };
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		drain(sv[1], TOTAL, 0);
		_exit(0);
	}
	unsigned char bytes[700];
	for (size_t sent = 0; sent < TOTAL;) {
		struct pollfd p = {.fd = sv[0], .events = POLLOUT};
		size_t left = TOTAL - sent;
		size_t n = left < sizeof(bytes) ? left : sizeof(bytes);
		CHECK_EQ(poll(&p, 1, -1), 1);
		CHECK_EQ(p.revents, POLLOUT);
		pattern_make(bytes, n, sent);
		ssize_t moved = send(sv[0], bytes, n, MSG_DONTWAIT);
		CHECK(moved > 0);
		sent += (size_t)moved;
	}
	child_join(pid);
}

CASE(poll_only_tells_what_was_asked)
{
	int sv[2];
	struct pollfd p;
	pair_open(sv, 0);
	say(sv[0], "abc");
	p = (struct pollfd){.fd = sv[1], .events = 0};
	CHECK_EQ(poll(&p, 1, 0), 0);
	p = (struct pollfd){.fd = sv[1], .events = POLLOUT};
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLOUT);
	p = (struct pollfd){.fd = sv[1], .events = POLLIN | POLLRDNORM | POLLWRNORM};
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN | POLLRDNORM | POLLWRNORM);
	CHECK(close(sv[0]) == 0);
	p = (struct pollfd){.fd = sv[1], .events = 0};
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLHUP);
}

CASE(poll_with_several_descriptors)
{
	int a[2], b[2], ends[2];
	pair_open(a, 0);
	pair_open(b, 0);
	CHECK(pipe(ends) == 0);
	struct pollfd p[] = {{.fd = a[1], .events = POLLIN}, {.fd = -1, .events = POLLIN},
	                     {.fd = b[1], .events = POLLIN}, {.fd = ends[0], .events = POLLIN},
	                     {.fd = 999, .events = POLLIN}};
	CHECK_EQ(poll(p, 4, 0), 0);
	say(b[0], "b");
	CHECK_EQ(poll(p, 4, 10000), 1);
	CHECK(p[0].revents == 0 && p[2].revents == POLLIN && p[3].revents == 0);
	say(ends[1], "p");
	say(a[0], "a");
	CHECK_EQ(poll(p, 5, 10000), 4);
	CHECK(p[0].revents == POLLIN && p[1].revents == 0 && p[2].revents == POLLIN);
	CHECK(p[3].revents == POLLIN && p[4].revents == POLLNVAL);
	/* The same descriptor twice. */
	struct pollfd twice[] = {{.fd = a[1], .events = POLLIN}, {.fd = a[1], .events = POLLOUT}};
	CHECK_EQ(poll(twice, 2, 0), 2);
	CHECK(twice[0].revents == POLLIN && twice[1].revents == POLLOUT);
}

CASE(poll_times_out)
{
	int sv[2];
	struct timespec start, now;
	pair_open(sv, 0);
	say(sv[0], "abc");
	hear(sv[1], "abc");
	struct pollfd p = {.fd = sv[1], .events = POLLIN};
	clock_gettime(CLOCK_MONOTONIC, &start);
	CHECK_EQ(poll(&p, 1, 50), 0);
	clock_gettime(CLOCK_MONOTONIC, &now);
	long ms = (now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000;
	CHECK(ms >= 48);
}

CASE(poll_errors)
{
	int sv[2];
	struct timespec wrong = {-1, 0};
	pair_open(sv, 0);
	struct pollfd p = {.fd = sv[1], .events = POLLIN};
	CHECK_FAILS(poll(opaque(NULL), 1, 0), EFAULT);
	CHECK_FAILS(poll(opaque((void *)8), 1, 0), EFAULT);
	CHECK_EQ(poll(NULL, 0, 0), 0);
	CHECK_FAILS(ppoll(&p, 1, &wrong, NULL), EINVAL);
	CHECK_FAILS(poll(opaque(&p), (nfds_t)opaque_number(1 << 28), 0), EINVAL);
}

CASE(select_errors)
{
	int sv[2];
	fd_set set;
	struct timeval now = {0}, wrong = {-1, 0};
	pair_open(sv, 0);
	FD_ZERO(&set);
	FD_SET(sv[1], &set);
	CHECK_FAILS(select(-1, &set, NULL, NULL, &now), EINVAL);
	CHECK_FAILS(select(sv[1] + 1, &set, NULL, NULL, &wrong), EINVAL);
	CHECK_FAILS(select(sv[1] + 1, opaque((void *)8), NULL, NULL, &now), EFAULT);
	CHECK(close(sv[0]) == 0 && close(sv[1]) == 0);
	FD_ZERO(&set);
	FD_SET(sv[1], &set);
	CHECK_FAILS(select(sv[1] + 1, &set, NULL, NULL, &now), EBADF);
	CHECK_EQ(select(0, NULL, NULL, NULL, &now), 0);
}

CASE(select_leaves_other_bits)
{
	int a[2], b[2];
	fd_set in;
	struct timeval time = {10, 0};
	pair_open(a, 0);
	pair_open(b, 0);
	say(b[0], "b");
	FD_ZERO(&in);
	FD_SET(a[1], &in);
	FD_SET(b[1], &in);
	CHECK_EQ(select(b[1] + 1, &in, NULL, NULL, &time), 1);
	CHECK(!FD_ISSET(a[1], &in) && FD_ISSET(b[1], &in));
	/* A descriptor at or above the first argument is not looked at. */
	FD_ZERO(&in);
	FD_SET(b[1], &in);
	time = (struct timeval){0};
	CHECK_EQ(select(b[1], &in, NULL, NULL, &time), 0);
}

static volatile sig_atomic_t alarms;

static void count_alarm(int number)
{
	(void)number;
	alarms++;
}

/* The mask is exchanged together with the wait: the pending signal comes inside. */
CASE(ppoll_exchanges_the_mask)
{
	int sv[2];
	sigset_t none;
	pair_open(sv, 0);
	struct pollfd p = {.fd = sv[1], .events = POLLIN};
	on_signal(SIGUSR1, count_alarm, 0);
	block_signal(SIGUSR1);
	CHECK(raise(SIGUSR1) == 0);
	CHECK_EQ(alarms, 0);
	sigemptyset(&none);
	CHECK_FAILS(ppoll(&p, 1, NULL, &none), EINTR);
	CHECK_EQ(alarms, 1);
	CHECK(raise(SIGUSR1) == 0);
	fd_set set;
	FD_ZERO(&set);
	FD_SET(sv[1], &set);
	CHECK_FAILS(pselect(sv[1] + 1, &set, NULL, NULL, NULL, &none), EINTR);
	CHECK_EQ(alarms, 2);
}

/* Two threads poll and read one end: nobody misses the other's leftovers. */
struct pollers {
	int fd;
	long total;
};

static void *poll_and_read(void *argument)
{
	struct pollers *s = argument;
	for (;;) {
		char buffer[3];
		struct pollfd p = {.fd = s->fd, .events = POLLIN};
		CHECK_EQ(poll(&p, 1, -1), 1);
		ssize_t n = recv(s->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		if (n == 0)
			return NULL;
		CHECK(n > 0 || errno == EAGAIN);
		s->total += n > 0 ? n : 0;
	}
}

CASE(two_pollers_on_one_end)
{
	int sv[2];
	struct worker a, b;
	pair_open(sv, 0);
	struct pollers x = {.fd = sv[1]}, y = {.fd = sv[1]};
	worker_start(&a, poll_and_read, &x);
	worker_start(&b, poll_and_read, &y);
	for (int i = 0; i < 5000; i++)
		say(sv[0], "abcde");
	CHECK(close(sv[0]) == 0);
	worker_join(&a);
	worker_join(&b);
	CHECK_EQ(x.total + y.total, 25000);
}

/* poll in one thread sees what another thread's blocking read left. */
CASE(poll_beside_a_waiting_reader)
{
	int sv[2];
	struct worker w;
	pair_open(sv, 0);
	struct pollers x = {.fd = sv[1]};
	worker_start(&w, poll_and_read, &x);
	for (int i = 0; i < 300; i++) {
		char buffer[2];
		say(sv[0], "ab");
		ssize_t n = recv(sv[1], buffer, 1, MSG_DONTWAIT);
		CHECK(n == 1 || errno == EAGAIN);
		if (n == 1)
			say(sv[0], "c");
	}
	CHECK(close(sv[0]) == 0);
	worker_join(&w);
	CHECK_EQ(x.total, 600);
}

CHECK_MAIN
