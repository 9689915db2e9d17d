#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static bool over_pipes(const struct request *r)
{
	return strcmp(r->over, "pipe") == 0;
}

static void open_pipe(const struct request *r, int fds[2])
{
	if (pipe(fds) != 0)
		fail("pipe");
	if (r->capacity && fcntl(fds[1], F_SETPIPE_SZ, (int)r->capacity) != (int)r->capacity)
		cannot("a pipe holds whole pages");
}

/* The kernel doubles the bound that it is given, for what it needs itself. */
static void bound_socket(int fd, size_t capacity)
{
	int asked = (int)capacity, got;
	socklen_t size = sizeof(got);

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &asked, sizeof(asked)) != 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &got, &size) != 0)
		fail("SO_SNDBUF");
	if (got != 2 * asked)
		cannot("the kernel's socket cannot be bounded so");
}

static void open_sockets(const struct request *r, int fds[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
		fail("socketpair");
	if (r->capacity) {
		bound_socket(fds[0], r->capacity);
		bound_socket(fds[1], r->capacity);
	}
}

static struct end make_end(int in, int out)
{
	return (struct end){ .in = in, .out = out, .epoll_in = -1, .epoll_out = -1 };
}

void open_one_way(const struct request *r, struct end ends[2])
{
	int fds[2];

	if (over_pipes(r)) {
		open_pipe(r, fds);
		ends[0] = make_end(-1, fds[1]);
		ends[1] = make_end(fds[0], -1);
		return;
	}
	open_sockets(r, fds);
	ends[0] = make_end(fds[0], fds[0]);
	ends[1] = make_end(fds[1], fds[1]);
}

void open_both_ways(const struct request *r, struct end ends[2])
{
	struct end back[2];

	open_one_way(r, ends);
	if (over_pipes(r)) {
		open_one_way(r, back);
		ends[0].in = back[1].in;
		ends[1].out = back[0].out;
	}
}

void open_ends(const struct request *r, struct end **a, struct end **b)
{
	struct end *both = calloc(2, sizeof(*both));

	if (!both)
		fail("calloc");
	if (r->peer)
		open_both_ways(r, both);
	else
		open_one_way(r, both);
	*a = &both[0];
	*b = &both[1];
}

void use_end(const struct request *r, struct end *mine, struct end *other)
{
	if (r->processes)
		close_end(other);
	set_waiting(mine, r->wait);
}

void close_end(struct end *end)
{
	int both[] = { end->in, end->out == end->in ? -1 : end->out, end->epoll_in, end->epoll_out };

	for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++)
		if (both[i] >= 0 && close(both[i]) != 0)
			fail("close");
}

void set_waiting(struct end *end, enum waiting wait)
{
	int both[] = { end->in, end->out };

	end->wait = wait;
	for (int i = 0; wait != WAIT_BLOCKED && i < 2; i++)
		if (both[i] >= 0 && fcntl(both[i], F_SETFL, O_NONBLOCK) != 0)
			fail("O_NONBLOCK");
}

/* An epoll instance of its own for each direction: a level one would report room all the time. */
static void wait_in_epoll(int *epoll, int fd, unsigned events)
{
	struct epoll_event event = { .events = events };

	if (*epoll < 0) {
		*epoll = epoll_create1(0);
		if (*epoll < 0 || epoll_ctl(*epoll, EPOLL_CTL_ADD, fd, &event) != 0)
			fail("epoll");
	}
	while (epoll_wait(*epoll, &event, 1, -1) != 1)
		if (errno != EINTR)
			fail("epoll_wait");
}

static void wait_in_poll(int fd, short events)
{
	struct pollfd polled = { .fd = fd, .events = events };

	while (poll(&polled, 1, -1) != 1)
		if (errno != EINTR)
			fail("poll");
}

static void wait_for_room(struct end *end)
{
	if (end->wait == WAIT_POLL)
		wait_in_poll(end->out, POLLOUT);
	else
		wait_in_epoll(&end->epoll_out, end->out,
		              EPOLLOUT | (end->wait == WAIT_EDGE ? EPOLLET : 0));
}

static void wait_for_input(struct end *end)
{
	if (end->wait == WAIT_POLL)
		wait_in_poll(end->in, POLLIN);
	else
		wait_in_epoll(&end->epoll_in, end->in,
		              EPOLLIN | (end->wait == WAIT_EDGE ? EPOLLET : 0));
}

size_t send_some(struct end *end, const char *bytes, size_t count)
{
	for (;;) {
		ssize_t n = write(end->out, bytes, count);

		if (n >= 0)
			return (size_t)n;
		if (errno == EINTR)
			tally.interrupted++; /* as often as a run injects it */
		else if (errno == EAGAIN && end->wait != WAIT_BLOCKED)
			wait_for_room(end);
		else
			fail("write");
	}
}

/* As an event loop does it: level and poll wait, then read once; edge reads until nothing is left. */
size_t receive_some(struct end *end, char *bytes, size_t count)
{
	for (;;) {
		if (end->wait == WAIT_POLL || end->wait == WAIT_LEVEL || end->drained)
			wait_for_input(end);
		ssize_t n = read(end->in, bytes, count);

		end->drained = n < 0 && errno == EAGAIN && end->wait == WAIT_EDGE;
		if (n > 0)
			return (size_t)n;
		if (n == 0)
			errno = ECONNABORTED; /* nobody closes before the end */
		else if (errno == EINTR || (errno == EAGAIN && end->wait != WAIT_BLOCKED))
			continue;
		fail("read");
	}
}

void prove(const struct request *r)
{
	struct end ends[2];
	char got;

	open_one_way(r, ends);
	send_all(&ends[0], message(0), 1);
	receive_all(&ends[1], &got, 1);
	check_message(&got, 1, 0);
	close_end(&ends[0]);
	close_end(&ends[1]);
}
