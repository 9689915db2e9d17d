/* The life of an end: identity, capacity, shutdown, close, fork, exit. */
#include <errno.h>

#include "base/os.h"
#include "endpoint/bare.h"
#include "pair/board.h"
#include "pipe/bell.h"

enum {
	ASK_ONCE = 2,               /* the kernel knows already: one look tells */
	ASK_FOR_A_WHILE = 256,      /* the kernel will know in a moment */
};

static void suspect(const struct weir_pipe_ref *ref, uint32_t times)
{
	if (load32_relaxed(&ref->pipe->generation) != ref->generation)
		return;
	weir_pipe_suspect(ref, times);
	store32_ordered(&ref->pipe->wary, times);
}

/* A bell that nobody needs, or a marker, would look like data that nobody read, and give the
 * peer an ECONNRESET. With the locks, because a writer at work may be about to ring
 * for bytes that have been read. */
static void take_stale_bells(const struct weir_end *end)
{
	struct weir_pipe *pipe = end->in.pipe;

	if (weir_is_bare() || weir_pipe_used(&end->in) > 0 || weir_pipe_lock(&end->in) != 0)
		return;
	if (weir_pipe_used(&end->in) == 0 && !weir_bell_follow(&end->in, end->fd) &&
	    (load32_relaxed(&pipe->bells) || load32_relaxed(&pipe->saturated) != WEIR_FLOWING))
		weir_bell_settle(&end->in, end->fd);
	weir_pipe_unlock(&end->in);
}

/* This process reads and writes no more; who does will tell. */
static void leave(const struct weir_end *end)
{
	uint32_t own = load32_relaxed(&weir_own_life);

	swap32_if(&end->in.pipe->reader_life, own, 0);
	swap32_if(&end->out.pipe->writer_life, own, 0);
}

void weir_end_before_close(const struct weir_end *end, bool last)
{
	if (!last)
		return;
	take_stale_bells(end);
	leave(end);
}

void weir_end_after_close(const struct weir_end *end, bool last)
{
	if (!last)
		return;
	suspect(&end->in, ASK_ONCE);
	weir_board_tell(&weir_session, &end->out.pipe->board);
	if (!weir_is_bare()) /* giving storage back may be forbidden; a reclaim finds it */
		weir_pair_release(&weir_session, end->index, end->side, end->generation);
}

/* A writer in mid-transfer asks poll, which does not tell of half an end: room is
 * what wakes it. */
static void wake_own_writer(const struct weir_end *end)
{
	if (load32_relaxed(&end->out.pipe->saturated) != WEIR_SATURATED ||
	    weir_pipe_lock_writer(&end->out) != 0)
		return;
	weir_bell_make_writable(&end->out, end->fd);
	weir_pipe_unlock_writer(&end->out);
}

static void wake_peers_writer(const struct weir_end *end)
{
	if (load32_relaxed(&end->in.pipe->saturated) != WEIR_SATURATED ||
	    weir_pipe_lock(&end->in) != 0)
		return;
	weir_bell_settle(&end->in, end->fd);
	weir_pipe_unlock(&end->in);
}

/* Who has seen the end in the kernel must not be believed to have a reader. */
void weir_end_before_shutdown(const struct weir_end *end)
{
	suspect(&end->in, ASK_FOR_A_WHILE);
	suspect(&end->out, ASK_FOR_A_WHILE);
	add32_relaxed(&end->slot->end[0].shuts, 1);
	add32_relaxed(&end->slot->end[1].shuts, 1);
}

void weir_end_after_shutdown(const struct weir_end *end)
{
	suspect(&end->in, ASK_ONCE);
	suspect(&end->out, ASK_ONCE);
	weir_board_tell(&weir_session, &end->in.pipe->board);
	weir_board_tell(&weir_session, &end->out.pipe->board);
	if (weir_is_bare())
		return;
	wake_own_writer(end);
	wake_peers_writer(end);
}

void weir_endpoints_suspect(void)
{
	struct weir_end end;

	for (int fd = 0; fd < weir_table_bound(); fd++)
		if (weir_end_of(fd, &end))
			suspect(&end.out, ASK_ONCE);
}

void weir_endpoints_before_exit(void)
{
	struct weir_end end;

	for (int fd = 0; fd < weir_table_bound(); fd++) {
		if (!weir_end_of(fd, &end))
			continue;
		take_stale_bells(&end);
		suspect(&end.in, ASK_FOR_A_WHILE);
	}
}

void weir_end_identify(const struct weir_end *end)
{
	struct weir_end_shared *shared = &end->slot->end[end->side];

	weir_pipe_share(&end->in);
	weir_pipe_share(&end->out);
	if (load64_relaxed(&shared->cookie) != 0)
		return;
	store64_relaxed(&shared->inode, os_inode(end->fd));
	uint64_t cookie = os_socket_cookie(end->fd);
	store64_relaxed(&shared->cookie_again, cookie);
	store64_release(&shared->cookie, cookie);
	add32_ordered(&weir_session.header->shared_ends, 1);
}

void weir_endpoints_before_fork(void)
{
	struct weir_end end;

	for (int fd = 0; fd < weir_table_bound(); fd++)
		if (weir_end_of(fd, &end))
			weir_end_identify(&end);
	weir_table_hold_for_child();
}

void weir_endpoints_fork_failed(void)
{
	weir_table_release_for_child();
}

/* Who sleeps in a send is woken by the kernel when the socket's buffer grows; a
 * watcher must hear that there is less room, too. */
static void tell_of_limit(const struct weir_end *end)
{
	const struct weir_pipe_ref *out = &end->out;
	struct weir_pipe *pipe = out->pipe;
	uint64_t writable_at = load64_relaxed(&pipe->writable_room);
	uint32_t saturated = load32_relaxed(&pipe->saturated);
	bool writable = weir_pipe_writable(out);

	if (load64_relaxed(&pipe->wake_at) > writable_at)
		store64_relaxed(&pipe->wake_at, writable_at);
	if (load32_relaxed(&pipe->carrier) != WEIR_BY_RING)
		return;
	if (saturated != WEIR_FLOWING &&
	    (writable || (saturated == WEIR_SATURATED && weir_pipe_room(out) > 0)))
		weir_bell_make_writable(out, end->fd);
	else if (!writable && (load32_relaxed(&pipe->watch) & WEIR_WATCH_ROOM))
		weir_bell_saturate(out, end->fd, WEIR_UNWRITABLE, writable_at);
}

static int set_limit(const struct weir_end *end, uint64_t limit, bool given)
{
	int error = weir_pipe_lock(&end->out);

	if (error)
		return error;
	weir_pair_set_capacity(&weir_session, &end->out, limit, given);
	tell_of_limit(end);
	weir_pipe_unlock(&end->out);
	return 0;
}

void weir_end_set_sndbuf(const struct weir_end *end, uint32_t value)
{
	store32_relaxed(&end->slot->end[end->side].sndbuf, value);
	if (!load32_relaxed(&end->out.pipe->limit_given))
		set_limit(end, value, false);
}

int weir_end_set_capacity(const struct weir_end *end, uint64_t bytes)
{
	if (bytes == 0 || bytes > end->out.span_mask + 1 - WEIR_ASIDE_SIZE)
		return -EINVAL;
	if (load32_relaxed(&end->out.pipe->carrier) != WEIR_BY_RING)
		return -EOPNOTSUPP;
	return set_limit(end, bytes, true);
}

/* What the reader set of its receives is for him to tell the kernel of; and who sleeps in a
 * receive must make the kernel's, which may pass by urgent data. */
static bool hand_over_idle(const struct weir_end *end)
{
	const struct weir_end_shared *reader = &end->slot->end[!end->side];
	bool done = false;

	if (load32_relaxed(&end->out.pipe->carrier) != WEIR_BY_RING ||
	    weir_pipe_try_lock_reader(&end->out) != 0)
		return false;
	if (load32_relaxed(&reader->peek_off) == 0 && load32_relaxed(&reader->rcvlowat) == 1 &&
	    !weir_pipe_has_sleeper(end->out.pipe, 0))
		done = weir_bell_hand_over_idle(&end->out, end->fd);
	weir_pipe_unlock_reader(&end->out);
	return done;
}

int weir_end_hand_over_locked(const struct weir_end *end)
{
	return hand_over_idle(end) ? 0 : weir_bell_hand_over(&end->out, end->fd);
}

int weir_end_hand_over(const struct weir_end *end)
{
	int error = weir_pipe_lock_writer(&end->out);

	if (error)
		return error == -ESTALE ? 0 : error;
	error = weir_end_hand_over_locked(end);
	weir_pipe_unlock_writer(&end->out);
	weir_board_tell(&weir_session, &end->out.pipe->board);
	return error;
}
