/* One thread, many pairs, one of them active at a time. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "channel.h"
#include "workloads.h"

enum { LOOP_BYTES = 64, STEP = 7919, SPARE_DESCRIPTORS = 32 };

struct loop {
	const struct request *request;
	struct end (*pairs)[2];
	struct pollfd *polled;
	int epoll;
};

static void raise_descriptors(long pairs)
{
	rlim_t needed = (rlim_t)(2 * pairs + SPARE_DESCRIPTORS);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		fail("getrlimit");
	if (limit.rlim_cur >= needed)
		return;
	if (limit.rlim_max < needed)
		cannot("the limit of open descriptors is too low");
	limit.rlim_cur = needed;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		fail("setrlimit");
}

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (!memory)
		fail("calloc");
	return memory;
}

static void watch(struct loop *l, long i)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = (uint64_t)i };

	l->polled[i] = (struct pollfd){ .fd = l->pairs[i][1].in, .events = POLLIN };
	if (l->request->wait == WAIT_POLL)
		return;
	if (l->request->wait == WAIT_EDGE)
		event.events |= EPOLLET;
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->pairs[i][1].in, &event) != 0)
		fail("epoll_ctl");
}

static void open_loop(struct loop *l, const struct request *r)
{
	raise_descriptors(r->pairs);
	l->request = r;
	l->pairs = allocate((size_t)r->pairs, sizeof(*l->pairs));
	l->polled = allocate((size_t)r->pairs, sizeof(*l->polled));
	l->epoll = epoll_create1(0);
	for (long i = 0; i < r->pairs; i++) {
		open_one_way(r, l->pairs[i]);
		set_waiting(&l->pairs[i][1], WAIT_POLL);
		watch(l, i);
	}
}

static long polled_ready(struct loop *l)
{
	if (poll(l->polled, (nfds_t)l->request->pairs, -1) != 1)
		fail("poll");
	for (long i = 0; i < l->request->pairs; i++)
		if (l->polled[i].revents & POLLIN)
			return i;
	fail("poll found none");
}

static long ready(struct loop *l)
{
	struct epoll_event event;

	if (l->request->wait == WAIT_POLL)
		return polled_ready(l);
	if (epoll_wait(l->epoll, &event, 1, -1) != 1)
		fail("epoll_wait");
	return (long)event.data.u64;
}

/* One message is there; who watches edges looks whether it was the last. */
static void receive(struct loop *l, long pair, long i)
{
	char got[LOOP_BYTES];
	int fd = l->pairs[pair][1].in;

	if (read(fd, got, sizeof(got)) != sizeof(got))
		fail("read");
	tally.received += (long long)sizeof(got);
	check_message(got, sizeof(got), i);
	if (l->request->wait == WAIT_EDGE && (read(fd, got, sizeof(got)) >= 0 || errno != EAGAIN))
		fail("read what was not sent");
}

static void exchange(struct loop *l, long pair, long i)
{
	send_all(&l->pairs[pair][0], message(i), LOOP_BYTES);
	receive(l, ready(l), i);
}

/* A pair that lives has been used: what the first use costs is not the loop's. */
static void use_all(struct loop *l)
{
	for (long i = 0; i < l->request->pairs; i++)
		exchange(l, i, i);
}

struct result loop(const struct request *r)
{
	struct loop l;

	if (r->wait == WAIT_BLOCKED)
		cannot("many pairs need poll or epoll");
	open_loop(&l, r);
	use_all(&l);
	struct span begin = span_begin();
	for (long i = 0; i < r->count; i++)
		exchange(&l, i * STEP % r->pairs, i);
	return result_of(span_end(begin), r->count, r->pairs);
}
