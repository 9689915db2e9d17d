/* The exact bound of a pair. Only meaningful under weir.
 *
 *	bounds CAPACITY given|default WRITABLE_AT [CASE...]
 *
 * CAPACITY is the bound in bytes, "given" when the user named it. WRITABLE_AT is the
 * room from which poll calls a direction writable. */
#include "check.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>

static size_t capacity;
static bool given;
static size_t writable_at;

static unsigned char bytes[1 << 20];

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t put(int fd, size_t n)
{
	ssize_t sent = send(fd, bytes, n, MSG_DONTWAIT);
	if (sent < 0)
		CHECK_EQ(errno, EAGAIN);
	return sent < 0 ? 0 : (size_t)sent;
}

static void take(int fd, size_t n)
{
	while (n > 0) {
		ssize_t got = recv(fd, bytes, least(n, sizeof(bytes)), MSG_DONTWAIT);
		CHECK(got > 0);
		n -= (size_t)got;
	}
}

static int unread(int fd)
{
	int n = -1;
	CHECK(ioctl(fd, FIONREAD, &n) == 0);
	return n;
}

/* Lengths around the bound, all at least 1. */
static size_t lengths(size_t n[6])
{
	const size_t all[6] = {1, capacity / 2, capacity - 1, capacity, capacity + 1, 3 * capacity};
	size_t count = 0;
	for (int i = 0; i < 6; i++)
		if (all[i] > 0)
			n[count++] = all[i];
	return count;
}

CASE(a_write_takes_what_fits)
{
	size_t n[6], count = lengths(n);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < count; k++) {
			int sv[2];
			pair_open(sv, SOCK_NONBLOCK);
			size_t first = least(n[i], capacity), second = least(n[k], capacity - first);
			CHECK_EQ(write(sv[0], bytes, n[i]), first);
			CHECK_EQ(unread(sv[1]), first);
			CHECK_EQ(put(sv[0], n[k]), second);
			CHECK_EQ(unread(sv[1]), first + second);
			take(sv[1], first + second);
			hear_nothing(sv[1]);
			CHECK(close(sv[0]) == 0 && close(sv[1]) == 0);
		}
}

CASE(a_full_pair_says_eagain)
{
	int sv[2];
	struct iovec iov = {bytes, 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	pair_open(sv, SOCK_NONBLOCK);
	CHECK_EQ(fill(sv[0]), capacity);
	CHECK_FAILS(write(sv[0], bytes, 1), EAGAIN);
	CHECK_FAILS(writev(sv[0], &iov, 1), EAGAIN);
	CHECK_FAILS(send(sv[0], bytes, 1, 0), EAGAIN);
	CHECK_FAILS(sendto(sv[0], bytes, 1, 0, NULL, 0), EAGAIN);
	CHECK_FAILS(sendmsg(sv[0], &msg, 0), EAGAIN);
	CHECK_EQ(unread(sv[1]), capacity);
	drain(sv[1], capacity, 0);
}

CASE(room_returns_byte_by_byte)
{
	int sv[2];
	pair_open(sv, SOCK_NONBLOCK);
	CHECK_EQ(put(sv[0], capacity), capacity);
	for (int i = 0; i < 20; i++) {
		size_t n = least((size_t)(1 + i * 3), capacity);
		take(sv[1], n);
		CHECK_EQ(put(sv[0], n + 10), n);
		CHECK_EQ(put(sv[0], 1), 0);
	}
	take(sv[1], capacity);
	hear_nothing(sv[1]);
}

CASE(peeking_frees_no_room)
{
	int sv[2];
	pair_open(sv, SOCK_NONBLOCK);
	CHECK_EQ(put(sv[0], capacity + 1), capacity);
	CHECK_EQ(recv(sv[1], bytes, 1, MSG_PEEK), 1);
	CHECK_EQ(put(sv[0], 1), 0);
	CHECK_EQ(recv(sv[1], bytes, 1, 0), 1);
	CHECK_EQ(put(sv[0], 2), 1);
}

CASE(the_directions_are_separate)
{
	int sv[2];
	pair_open(sv, SOCK_NONBLOCK);
	CHECK_EQ(put(sv[0], 2 * capacity), capacity);
	CHECK_EQ(put(sv[1], 2 * capacity), capacity);
	take(sv[0], capacity);
	CHECK_EQ(put(sv[0], 1), 0);
	CHECK_EQ(put(sv[1], 2 * capacity), capacity);
}

CASE(writev_fills_across_buffers)
{
	int sv[2];
	size_t third = capacity / 3;
	struct iovec iov[] = {{bytes, third}, {bytes, 0}, {bytes + third, third},
	                      {bytes + 2 * third, capacity}};
	pair_open(sv, SOCK_NONBLOCK);
	pattern_make(bytes, 2 * third + capacity, 0);
	CHECK_EQ(writev(sv[0], iov, 4), capacity);
	drain(sv[1], capacity, 0);
	CHECK_EQ(put(sv[0], 1), 1);
	pattern_make(bytes, 2 * third + capacity, 0);
	ssize_t n = writev(sv[0], iov, 4);
	CHECK(capacity == 1 ? n == -1 && errno == EAGAIN : n == (ssize_t)capacity - 1);
}

CASE(sendmmsg_counts_what_fitted)
{
	int sv[2];
	struct iovec iov[3] = {{bytes, capacity}, {bytes, capacity}, {bytes, capacity}};
	struct mmsghdr msgs[3] = {0};
	for (int i = 0; i < 3; i++)
		msgs[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	pair_open(sv, SOCK_NONBLOCK);
	CHECK_EQ(sendmmsg(sv[0], msgs, 3, 0), 1);
	CHECK_EQ(msgs[0].msg_len, capacity);
	CHECK_FAILS(sendmmsg(sv[0], msgs, 3, 0), EAGAIN);
}

struct writer {
	int fd;
	size_t total;
};

static void *write_total(void *argument)
{
	struct writer *w = argument;
	unsigned char *out = malloc(w->total);
	CHECK(out != NULL);
	pattern_make(out, w->total, 0);
	CHECK_EQ(write(w->fd, out, w->total), w->total);
	free(out);
	return NULL;
}

CASE(a_blocking_write_goes_through_in_pieces)
{
	int sv[2];
	struct worker t;
	size_t total = least(5 * capacity + 3, 1 << 20);
	pair_open(sv, 0);
	struct writer w = {sv[0], total};
	worker_start(&t, write_total, &w);
	for (size_t got = 0; got < total;) {
		unsigned char part[5000];
		ssize_t n = read(sv[1], part, least(sizeof(part), 1 + capacity / 3));
		CHECK(n > 0 && unread(sv[1]) <= (int)capacity);
		pattern_check(part, (size_t)n, got);
		got += (size_t)n;
	}
	worker_join(&t);
	hear_nothing(sv[1]);
}

CASE(waitall_beyond_the_bound)
{
	int sv[2];
	struct worker t;
	size_t total = least(5 * capacity + 3, sizeof(bytes));
	pair_open(sv, 0);
	struct writer w = {sv[0], total};
	worker_start(&t, write_total, &w);
	CHECK_EQ(recv(sv[1], bytes, total, MSG_WAITALL), total);
	pattern_check(bytes, total, 0);
	worker_join(&t);
}

CASE(a_waiting_write_moves_what_fits_before_an_interruption)
{
	int sv[2];
	struct timeval time = {0, 50000};
	pair_open(sv, 0);
	CHECK(setsockopt(sv[0], SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)) == 0);
	CHECK_EQ(write(sv[0], bytes, capacity + 5), capacity);
	CHECK_FAILS(write(sv[0], bytes, 5), EAGAIN);
	CHECK_EQ(unread(sv[1]), capacity);
}

/* ---- what poll and friends call writable ---- */

static bool poll_writable(int fd)
{
	return readiness(fd) & POLLOUT;
}

static bool select_writable(int fd)
{
	fd_set set;
	struct timeval now = {0};
	FD_ZERO(&set);
	FD_SET(fd, &set);
	return select(fd + 1, NULL, &set, NULL, &now) == 1;
}

static bool epoll_writable(int ep)
{
	struct epoll_event event;
	return epoll_wait(ep, &event, 1, 0) == 1;
}

static void check_writable(int fd, int ep, size_t room)
{
	bool wanted = room >= writable_at;
	if (poll_writable(fd) != wanted || select_writable(fd) != wanted ||
	    (ep >= 0 && epoll_writable(ep) != wanted))
		check_fail(__FILE__, __LINE__, "with room for %zu of %zu: %swritable expected",
		           room, capacity, wanted ? "" : "not ");
}

/* From full to empty and back, in steps around the border. */
static void walk(bool with_epoll)
{
	int sv[2], ep = -1;
	pair_open(sv, SOCK_NONBLOCK);
	if (with_epoll) {
		struct epoll_event event = {.events = EPOLLOUT};
		ep = epoll_create1(0);
		CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, sv[0], &event) == 0);
	}
	check_writable(sv[0], ep, capacity);
	const size_t rooms[] = {0, 1, writable_at - 1, writable_at, writable_at + 1, capacity};
	for (int i = 0; i < 6; i++) {
		size_t room = least(rooms[i], capacity);
		CHECK_EQ(put(sv[0], capacity), capacity);
		check_writable(sv[0], ep, 0);
		take(sv[1], room);
		check_writable(sv[0], ep, room);
		take(sv[1], capacity - room);
		check_writable(sv[0], ep, capacity);
		CHECK_EQ(put(sv[0], capacity - room), capacity - room);
		check_writable(sv[0], ep, room);
		take(sv[1], capacity - room);
	}
}

CASE(writable_by_poll_and_select) { walk(false); }

CASE(writable_by_epoll) { walk(true); }

/* Filled and emptied again: one edge for the room, none before. */
CASE(writable_edge)
{
	int sv[2], ep = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLOUT | EPOLLET};
	pair_open(sv, SOCK_NONBLOCK);
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, sv[0], &event) == 0);
	CHECK(epoll_writable(ep));
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(put(sv[0], capacity), capacity);
		CHECK_EQ(put(sv[0], 1), 0);
		CHECK(!epoll_writable(ep));
		take(sv[1], writable_at);
		CHECK_EQ(epoll_wait(ep, &event, 1, 10000), 1);
		CHECK_EQ(event.events, EPOLLOUT);
		take(sv[1], capacity - writable_at);
	}
}

CASE(poll_wakes_when_there_is_room)
{
	int sv[2];
	pair_open(sv, SOCK_NONBLOCK);
	CHECK_EQ(put(sv[0], capacity), capacity);
	pid_t pid = child_start();
	if (pid == 0) {
		sleep_ms(30);
		take(sv[1], writable_at);
		_exit(0);
	}
	struct pollfd p = {.fd = sv[0], .events = POLLOUT};
	CHECK_EQ(poll(&p, 1, 15000), 1);
	CHECK_EQ(p.revents, POLLOUT);
	child_join(pid);
	CHECK_EQ(put(sv[0], capacity), writable_at);
}

/* ---- SO_SNDBUF ---- */

static int get_sndbuf(int fd)
{
	int value;
	socklen_t length = sizeof(value);
	CHECK(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, &length) == 0);
	return value;
}

/* The program's own SO_SNDBUF is the bound, unless the user named one. */
CASE(the_programs_send_buffer)
{
	const int wanted[] = {10000, 4000, 1, 100000};
	for (int i = 0; i < 4; i++) {
		int sv[2];
		pair_open(sv, SOCK_NONBLOCK);
		CHECK(setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &wanted[i], sizeof(int)) == 0);
		size_t bound = given ? capacity : (size_t)get_sndbuf(sv[0]);
		CHECK_EQ(fill(sv[0]), bound);
		CHECK_EQ(fill(sv[1]), capacity);
		drain(sv[1], bound, 0);
		CHECK(close(sv[0]) == 0 && close(sv[1]) == 0);
	}
}

CASE(a_send_buffer_made_smaller_than_its_content)
{
	int sv[2], small = 2304;
	pair_open(sv, SOCK_NONBLOCK);
	CHECK_EQ(fill(sv[0]), capacity);
	CHECK(setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) == 0);
	size_t bound = given ? capacity : 4608;
	CHECK_EQ(unread(sv[1]), capacity);
	drain(sv[1], capacity - bound, 0);
	CHECK_EQ(put(sv[0], 1), 0);
	drain(sv[1], 1, capacity - bound);
	CHECK_EQ(put(sv[0], 10), 1);
}

/* A bound of the user changes nothing of what the program reads. */
CASE(what_the_program_reads_of_its_send_buffer)
{
	int sv[2], wanted = 10000;
	pair_open(sv, SOCK_NONBLOCK);
	int before = get_sndbuf(sv[0]);
	CHECK_EQ(fill(sv[0]), capacity);
	CHECK_EQ(get_sndbuf(sv[0]), before);
	CHECK(setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &wanted, sizeof(wanted)) == 0);
	CHECK_EQ(get_sndbuf(sv[0]), 20000);
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: bounds CAPACITY given|default WRITABLE_AT [CASE...]\n");
		return 2;
	}
	capacity = strtoull(argv[1], NULL, 10);
	given = strcmp(argv[2], "given") == 0;
	writable_at = strtoull(argv[3], NULL, 10);
	return check_main(argc - 3, argv + 3);
}
