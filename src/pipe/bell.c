#include "pipe/bell.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/os.h"
#include "pipe/check.h"

enum {
	BELL = 0,
	MARKER_FIRST = 1,           /* the last byte that is ours after a hand-over */
	MARKER_DUE = 256,           /* beside it: nobody knows whether it was sent */
	PADDING = 1500,             /* bytes of one message that fills, never the last one */
	BELLS_MAX = 512,            /* bound on loops that fill or empty the queue */
	EDGES_MAX = 60,             /* unread events of an edge-triggered watcher */
};

/* Zeros to send from, and a place for received bells: never looked at. */
static const unsigned char zeros[PADDING];
static unsigned char scratch[4096];

static int send_byte(int fd, unsigned char byte)
{
	ssize_t n = os_send_now(fd, &byte, 1, MSG_NOSIGNAL);

	return n == 1 ? 0 : (int)n;
}

static void raise_sndbuf(struct weir_pipe *pipe, int fd)
{
	if (load32_relaxed(&pipe->lowered) != WEIR_RAISED) {
		os_setsockopt_int(fd, SO_SNDBUF, 106496);
		store32_relaxed(&pipe->lowered, WEIR_RAISED);
	}
}

static void lower_sndbuf(struct weir_pipe *pipe, int fd)
{
	if (load32_relaxed(&pipe->lowered) != WEIR_LOWERED) {
		os_setsockopt_int(fd, SO_SNDBUF, 1);
		store32_relaxed(&pipe->lowered, WEIR_LOWERED);
	}
}

/* So far that another bell fits, and no further: the kernel still says that there is no room,
 * as the queue is more than a quarter full. (It doubles the value.) */
static void widen_sndbuf(struct weir_pipe *pipe, int fd)
{
	store32_relaxed(&pipe->lowered, WEIR_PERHAPS_LOWERED);
	os_setsockopt_int(fd, SO_SNDBUF, os_queued_out(fd));
}

static int ring_another(struct weir_pipe *pipe, int fd, uint32_t bells)
{
	int error = send_byte(fd, BELL);

	if (error == 0)
		store32_relaxed(&pipe->bells, bells + 1);
	else if (error == -EAGAIN) /* the queue is full, so it is not empty */
		store32_relaxed(&pipe->bells, bells ? bells : 1);
	else
		return error == -ECONNRESET ? -EPIPE : error;
	return 0;
}

/* Each write to an edge-triggered watcher is an event. So that they do not
 * count against POLLOUT, the queue is long meanwhile. */
static int ring_edge(struct weir_pipe *pipe, int fd, uint32_t bells)
{
	if (bells >= EDGES_MAX)
		return 0;
	if (load32_relaxed(&pipe->saturated) != WEIR_FLOWING)
		widen_sndbuf(pipe, fd);
	else
		raise_sndbuf(pipe, fd);
	return ring_another(pipe, fd, bells);
}

int weir_bell_ring(const struct weir_pipe_ref *ref, int fd)
{
	struct weir_pipe *pipe = ref->pipe;
	uint32_t bells = load32_relaxed(&pipe->bells);

	if (__builtin_expect(bells == 0, 0))
		return ring_another(pipe, fd, 0);
	if (__builtin_expect(load32_relaxed(&pipe->watch) & WEIR_WATCH_EDGES, 0))
		return ring_edge(pipe, fd, bells);
	return 0;
}

/* Receives `n` bytes that are known to be queued. */
static void receive(int fd, int n)
{
	for (int i = 0; n > 0 && i < BELLS_MAX; i++) {
		size_t piece = n < (int)sizeof(scratch) ? (size_t)n : sizeof(scratch);
		ssize_t got = os_recv_now(fd, scratch, piece, 0);
		if (got <= 0)
			return;
		n -= (int)got;
	}
}

/* One receive gets all there is, as no more than that is ever queued. But where
 * the program asks for credentials, it ends where the senders' change. Behind the
 * last byte there may be an error, which is the program's. */
static uint32_t receive_all(const struct weir_pipe *pipe, int fd)
{
	bool in_parts = load32_relaxed(&pipe->hand_over);
	ssize_t n;

	do
		n = os_recv_now(fd, scratch, sizeof(scratch), 0);
	while (n == sizeof(scratch) || (n > 0 && in_parts && os_queued_in(fd) > 0));
	return 0;
}

static uint32_t leave_one(int fd)
{
	int queued = os_queued_in(fd);

	if (queued > 1)
		receive(fd, queued - 1);
	return queued > 0;
}

void weir_bell_settle(const struct weir_pipe_ref *ref, int fd)
{
	struct weir_pipe *pipe = ref->pipe;

	if (load32_relaxed(&pipe->carrier) != WEIR_BY_RING)
		return;
	bool keep = weir_pipe_used(ref) > 0;
	store32_relaxed(&pipe->bells, keep ? leave_one(fd) : receive_all(pipe, fd));
	store32_ordered(&pipe->saturated, WEIR_FLOWING);
}

/* Fills until a send would block. A message other than a bell must never be
 * the last, and is sent only while most of the queue is free. */
static void fill(int fd)
{
	int size = os_getsockopt_int(fd, SO_SNDBUF);

	if (os_queued_out(fd) < size / 3)
		os_send_now(fd, zeros, sizeof(zeros), MSG_NOSIGNAL);
	for (int i = 0; i < BELLS_MAX && send_byte(fd, BELL) == 0; i++)
		;
}

static void fill_until_unwritable(int fd)
{
	for (int i = 0; i < BELLS_MAX; i++) {
		if (send_byte(fd, BELL) != 0 || !(os_poll_now(fd, POLLOUT) & POLLOUT))
			return;
	}
}

/* The places of killed writers are freed here, since they want no room. Of those who found
 * no place nobody can tell: from then on this one wakes earlier than it has to. */
static bool has_waiting_writer(struct weir_pipe *pipe)
{
	bool waits = load32_relaxed(&pipe->placeless) != 0;

	for (int i = 0; i < WEIR_SLEEPERS_MAX; i++) {
		weir_word32 *tid = &pipe->sleepers[WEIR_OP_WRITE][i].tid;
		uint32_t who = load32_acquire(tid);
		if (who != 0 && weir_lock_has_died(who))
			swap32_if(tid, who, 0);
		else
			waits = waits || who != 0;
	}
	return waits;
}

/* Who was woken may find the queue filled again before the kernel lets him go, and sleeps on:
 * what he wants is not forgotten with the saturation that it was told to. */
static bool is_least(struct weir_pipe *pipe, uint64_t wake_at)
{
	return wake_at <= load64_relaxed(&pipe->wake_at) ||
	       (load32_relaxed(&pipe->saturated) == WEIR_FLOWING && !has_waiting_writer(pipe));
}

void weir_bell_saturate(const struct weir_pipe_ref *ref, int fd, enum weir_saturation how,
                        uint64_t wake_at)
{
	struct weir_pipe *pipe = ref->pipe;
	uint32_t now = load32_relaxed(&pipe->saturated);

	if (load32_relaxed(&pipe->carrier) != WEIR_BY_RING)
		return;
	weir_pipe_check_writer(ref); /* before anybody sleeps because of it */
	if (is_least(pipe, wake_at))
		store64_relaxed(&pipe->wake_at, wake_at);
	if (load32_relaxed(&pipe->watch) & WEIR_WATCH_ROOM)
		store32_relaxed(&pipe->fills, load32_relaxed(&pipe->fills) + 1);
	bool filled = now >= how && load32_relaxed(&pipe->lowered) == WEIR_LOWERED;
	if (now > how)
		how = (enum weir_saturation)now;
	store32_ordered(&pipe->saturated, how);
	if (filled)
		return;
	lower_sndbuf(pipe, fd);
	if (how == WEIR_SATURATED)
		fill(fd);
	else
		fill_until_unwritable(fd);
	if (load32_relaxed(&pipe->bells) == 0)
		store32_relaxed(&pipe->bells, 1);
}

void weir_bell_make_writable(const struct weir_pipe_ref *ref, int fd)
{
	raise_sndbuf(ref->pipe, fd);
}

const void *weir_bell_unreadable(void)
{
	static _Atomic uintptr_t page;
	uintptr_t at = atomic_load_explicit(&page, memory_order_acquire);

	if (at == 0) {
		void *fresh = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		/* In two steps: memcheck takes what was never readable for a mistake. */
		bool hidden = fresh != MAP_FAILED && mprotect(fresh, 4096, PROT_NONE) == 0;
		at = hidden ? (uintptr_t)fresh : 8; /* page 0 will do */
		atomic_store_explicit(&page, at, memory_order_release);
	}
	return (const void *)at;
}

static unsigned char marker_of(const struct weir_pipe *pipe)
{
	return (unsigned char)load32_relaxed(&pipe->marker);
}

static bool is_marker_due(const struct weir_pipe *pipe)
{
	return load32_relaxed(&pipe->marker) & MARKER_DUE;
}

/* Each attempt has a byte of its own, so that a second one after a death is told from
 * what the first may have left. There is no data behind that yet. */
static void choose_marker(struct weir_pipe *pipe)
{
	store32_release(&pipe->marker, (MARKER_FIRST + marker_of(pipe) % 255U) | MARKER_DUE);
}

static int send_marker(struct weir_pipe *pipe, int fd)
{
	int error = send_byte(fd, marker_of(pipe));

	if (error == 0)
		store32_release(&pipe->marker, marker_of(pipe));
	return error;
}

/* Who handed over died, before or after he sent the marker. */
static int hand_over_again(struct weir_pipe *pipe, int fd)
{
	choose_marker(pipe);
	return send_marker(pipe, fd);
}

int weir_bell_hand_over(const struct weir_pipe_ref *ref, int fd)
{
	struct weir_pipe *pipe = ref->pipe;
	uint32_t carrier = load32_relaxed(&pipe->carrier);

	if (carrier != WEIR_BY_RING)
		return carrier == WEIR_BY_BOTH && is_marker_due(pipe) ? hand_over_again(pipe, fd)
		                                                      : 0;
	store32_relaxed(&pipe->lowered, WEIR_PERHAPS_LOWERED);
	raise_sndbuf(pipe, fd);
	choose_marker(pipe);
	/* First, because a reader without locks may receive the marker at once. */
	store32_release(&pipe->carrier, WEIR_BY_BOTH);
	int error = send_marker(pipe, fd);
	if (error) {
		store32_release(&pipe->carrier, WEIR_BY_RING);
		return error;
	}
	store32_relaxed(&pipe->bells, 1);
	store32_ordered(&pipe->saturated, WEIR_FLOWING);
	return 0;
}

bool weir_bell_hand_over_idle(const struct weir_pipe_ref *ref, int fd)
{
	struct weir_pipe *pipe = ref->pipe;

	if (load32_relaxed(&pipe->carrier) != WEIR_BY_RING ||
	    load32_relaxed(&pipe->hand_over) == WEIR_WANTED_MARKED ||
	    load32_relaxed(&pipe->saturated) != WEIR_FLOWING ||
	    load32_relaxed(&pipe->aside_used) != 0 || weir_pipe_used(ref) > 0 ||
	    os_queued_out(fd) != 0)
		return false;
	raise_sndbuf(pipe, fd);
	/* An error so far is of bells that a peer who has gone left in his queue. */
	os_getsockopt_int(fd, SO_ERROR);
	store32_release(&pipe->carrier, WEIR_BY_KERNEL);
	return true;
}

bool weir_bell_is_handed_over(const struct weir_pipe_ref *ref)
{
	return load32_relaxed(&ref->pipe->carrier) != WEIR_BY_RING && !is_marker_due(ref->pipe);
}

bool weir_bell_is_last(const struct weir_pipe_ref *ref, unsigned char byte)
{
	return byte != BELL && byte == marker_of(ref->pipe);
}

/* Index of the marker in the queue, or -1: it is bells and padding before it. */
static int find_marker(int fd, unsigned char marker)
{
	unsigned char seen[512];
	int skipped = 0;

	for (int i = 0; i < BELLS_MAX; i++) {
		ssize_t n = os_recv_now(fd, seen, sizeof(seen), MSG_PEEK);
		if (n <= 0)
			return -1;
		for (ssize_t k = 0; k < n; k++)
			if (seen[k] == marker)
				return skipped + (int)k;
		receive(fd, (int)n);
	}
	return -1;
}

bool weir_bell_follow(const struct weir_pipe_ref *ref, int fd)
{
	struct weir_pipe *pipe = ref->pipe;

	if (load32_relaxed(&pipe->carrier) == WEIR_BY_BOTH && weir_pipe_used(ref) == 0) {
		if (is_marker_due(pipe)) {
			receive_all(pipe, fd); /* the next writer sends another */
			return false;
		}
		int at = find_marker(fd, marker_of(pipe));
		if (at >= 0)
			receive(fd, at + 1);
		store32_release(&pipe->carrier, WEIR_BY_KERNEL);
	}
	return load32_relaxed(&pipe->carrier) == WEIR_BY_KERNEL;
}

int weir_bell_marker_at(const struct weir_pipe_ref *ref, int fd)
{
	if (load32_relaxed(&ref->pipe->carrier) != WEIR_BY_BOTH)
		return -1;
	return find_marker(fd, marker_of(ref->pipe));
}

uint64_t weir_bell_queued_behind(const struct weir_pipe_ref *ref, int fd)
{
	if (load32_relaxed(&ref->pipe->carrier) == WEIR_BY_RING)
		return 0;
	int at = weir_bell_marker_at(ref, fd);
	int queued = os_queued_in(fd);
	return queued > at + 1 ? (uint64_t)(queued - at - 1) : 0;
}
