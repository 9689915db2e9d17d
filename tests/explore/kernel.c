#include "kernel.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	SNDBUF_DEFAULT = 212992,    /* net.core.wmem_default and wmem_max */
	SNDBUF_MIN = 4608,          /* SOCK_MIN_SNDBUF */
	HEAD_MAX = 3776,            /* SKB_MAX_HEAD(0): a message of one piece */
	SKB = 256,                  /* sizeof(struct sk_buff), aligned */
	SHARED_INFO = 320,          /* sizeof(struct skb_shared_info), aligned */
	SLAB_MIN = 512,             /* the smallest that holds both ends of a message */
};

static void die(const char *what)
{
	fprintf(stderr, "the double of the kernel: %s\n", what);
	abort();
}

void kernel_open(struct kernel *k)
{
	memset(k, 0, sizeof(*k));
	k->socket[0].sndbuf = k->socket[1].sndbuf = SNDBUF_DEFAULT;
}

/* The truesize of a message: what kmalloc rounds its memory up to, less nothing. */
static uint32_t charge(size_t n)
{
	uint32_t wanted = ((uint32_t)n + 63) / 64 * 64 + SHARED_INFO;
	uint32_t slab = SLAB_MIN;

	while (slab < wanted)
		slab *= 2;
	return slab + SKB;
}

static bool is_writable(const struct kernel_socket *s)
{
	return s->charged * 4 <= s->sndbuf;
}

/* unix_write_space(): only who may write by the rule of POLLOUT is woken. */
static void wake_writers(struct kernel_socket *s)
{
	if (is_writable(s))
		s->events |= KERNEL_EVENT_ROOM;
}

int kernel_take_error(struct kernel *k, int s)
{
	int error = k->socket[s].error;

	k->socket[s].error = 0;
	return error;
}

/* sock_alloc_send_pskb() */
static int allocate(struct kernel *k, int s)
{
	struct kernel_socket *own = &k->socket[s];
	int error = kernel_take_error(k, s);

	if (error)
		return -error;
	if (own->shut_write)
		return -EPIPE;
	return own->charged < own->sndbuf ? 0 : -EAGAIN;
}

static void enqueue(struct kernel_socket *to, const unsigned char *bytes, size_t n)
{
	struct kernel_message *m = &to->queue[to->queued++];

	if (to->queued == KERNEL_MESSAGES)
		die("more messages than were thought of");
	memset(m, 0, sizeof(*m));
	m->size = (uint16_t)n;
	for (size_t i = 0; bytes && i < n; i++) {
		if (i < KERNEL_BYTES)
			m->bytes[i] = bytes[i];
		else if (bytes[i] != 0)
			die("a long message that is not zeros");
	}
	to->events |= KERNEL_EVENT_INPUT;
}

/* unix_stream_sendmsg() */
ssize_t kernel_send(struct kernel *k, int s, const unsigned char *bytes, size_t n)
{
	struct kernel_socket *own = &k->socket[s], *other = &k->socket[!s];
	size_t sent = 0;

	if (own->shut_write)
		return -EPIPE;
	while (sent < n) {
		size_t size = n - sent, piece_max = own->sndbuf / 2 - 64;
		size = size < piece_max ? size : piece_max;
		if (size > HEAD_MAX)
			die("a message of several pieces");
		int error = allocate(k, s);
		if (!error && (other->dead || other->shut_read))
			error = -EPIPE;
		if (error)
			return sent ? (ssize_t)sent : error;
		own->charged += charge(size);
		enqueue(other, bytes ? bytes + sent : NULL, size);
		sent += size;
	}
	return (ssize_t)sent;
}

int kernel_send_begin(struct kernel *k, int s)
{
	if (k->socket[s].shut_write)
		return -EPIPE;
	int error = allocate(k, s);
	if (error == 0)
		k->socket[s].charged += charge(1);
	return error;
}

void kernel_send_fault(struct kernel *k, int s)
{
	k->socket[s].charged -= charge(1);
	wake_writers(&k->socket[s]);
}

static size_t copy(const struct kernel_message *m, unsigned char *bytes, size_t n)
{
	size_t left = (size_t)(m->size - m->done);

	n = n < left ? n : left;
	for (size_t i = 0; i < n; i++)
		bytes[i] = m->done + i < KERNEL_BYTES ? m->bytes[m->done + i] : 0;
	return n;
}

static void drop_first(struct kernel *k, int s)
{
	struct kernel_socket *own = &k->socket[s], *other = &k->socket[!s];

	other->charged -= charge(own->queue[0].size);
	own->queued--;
	memmove(own->queue, own->queue + 1, own->queued * sizeof(own->queue[0]));
	memset(&own->queue[own->queued], 0, sizeof(own->queue[0]));
	if (!other->dead)
		wake_writers(other);
}

/* unix_stream_read_generic() */
ssize_t kernel_receive(struct kernel *k, int s, unsigned char *bytes, size_t n, int flags)
{
	struct kernel_socket *own = &k->socket[s];
	size_t total = 0;

	for (uint32_t peeked = 0; total < n && peeked < own->queued;) {
		struct kernel_message *m = &own->queue[peeked];
		size_t moved = copy(m, bytes + total, n - total);
		total += moved;
		if (flags & MSG_PEEK) {
			peeked++;
			continue;
		}
		m->done = (uint16_t)(m->done + moved);
		if (m->done == m->size)
			drop_first(k, s);
	}
	if (total > 0 || n == 0)
		return (ssize_t)total;
	int error = kernel_take_error(k, s);
	if (error)
		return -error;
	return own->shut_read ? 0 : -EAGAIN;
}

/* unix_poll() */
int kernel_poll(const struct kernel *k, int s)
{
	const struct kernel_socket *own = &k->socket[s];
	int events = 0;

	if (own->error)
		events |= POLLERR;
	if (own->shut_read && own->shut_write)
		events |= POLLHUP;
	if (own->shut_read)
		events |= POLLRDHUP | POLLIN | POLLRDNORM;
	if (own->queued > 0)
		events |= POLLIN | POLLRDNORM;
	if (is_writable(own))
		events |= POLLOUT | POLLWRNORM | POLLWRBAND;
	return events;
}

int kernel_input(const struct kernel *k, int s)
{
	const struct kernel_socket *own = &k->socket[s];
	int bytes = 0;

	for (uint32_t i = 0; i < own->queued; i++)
		bytes += own->queue[i].size - own->queue[i].done;
	return bytes;
}

int kernel_output(const struct kernel *k, int s)
{
	return (int)k->socket[s].charged;
}

void kernel_set_sndbuf(struct kernel *k, int s, int value)
{
	struct kernel_socket *own = &k->socket[s];
	uint32_t doubled = value < SNDBUF_DEFAULT ? (uint32_t)value * 2 : SNDBUF_DEFAULT * 2;

	own->sndbuf = doubled > SNDBUF_MIN ? doubled : SNDBUF_MIN;
	wake_writers(own);
}

/* unix_shutdown() */
void kernel_shutdown(struct kernel *k, int s, int how)
{
	struct kernel_socket *own = &k->socket[s], *other = &k->socket[!s];
	bool read = how != SHUT_WR, write = how != SHUT_RD;

	own->shut_read |= read;
	own->shut_write |= write;
	own->events |= KERNEL_EVENT_STATE;
	if (other->dead)
		return;
	other->shut_write |= read;
	other->shut_read |= write;
	other->events |= KERNEL_EVENT_STATE;
}

/* unix_release_sock() */
void kernel_close(struct kernel *k, int s)
{
	struct kernel_socket *own = &k->socket[s], *other = &k->socket[!s];

	own->dead = own->shut_read = own->shut_write = true;
	if (!other->dead) {
		other->shut_read = other->shut_write = true;
		if (own->queued > 0)
			other->error = ECONNRESET;
		other->events |= KERNEL_EVENT_STATE;
	}
	while (own->queued > 0)
		drop_first(k, s);
}
