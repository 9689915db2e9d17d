#include "endpoint/hold.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>

#include "base/os.h"
#include "endpoint/faulty.h"
#include "endpoint/wait.h"
#include "pipe/bell.h"

enum { STEP_NS = 20000000 };    /* how late an end of a stall may be noticed */

static struct weir_fault_state *state_of(const struct weir_end *end, int op)
{
	return weir_pair_fault_state(&weir_session, end->index, end->side, op);
}

/* An end of the connection is told even while the direction is held. */
static bool is_over(const struct weir_end *end, int op)
{
	int events = os_poll_now(end->fd, POLLRDHUP);

	if (events & (POLLHUP | POLLERR))
		return true;
	return op == WEIR_OP_READ && (events & POLLRDHUP);
}

/* An end that was cut is told before a hold is. */
bool weir_end_is_held(const struct weir_end *end, int op, uint64_t *until)
{
	if (!weir_is_faulty(end, op))
		return false;
	*until = weir_fault_held_until(state_of(end, op));
	if (*until == UINT64_MAX && is_over(end, op))
		weir_end_release(end, op);
	else if (*until == UINT64_MAX)
		return true;
	return *until != UINT64_MAX && *until != 0 && os_now_ns() < *until;
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
}

/* A futex: without an end it starts again after a handler with SA_RESTART, and with
 * one it does not, as receiving and sending do (signal(7)). A cancellation point. */
static int wait_for_word(weir_word32 *word, uint32_t value, uint64_t until)
{
	struct timespec end = timespec_of(until);
	int type;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	long r = os_call(SYS_futex, (long)word, FUTEX_WAIT_BITSET, (long)value,
	                 until == UINT64_MAX ? 0 : (long)&end, 0, (long)FUTEX_BITSET_MATCH_ANY);
	pthread_setcanceltype(type, NULL);
	return (int)r;
}

static void close_timer(void *fd)
{
	os_close(*(int *)fd);
}

/* A read of a timer: it ends in time, and starts again after a handler with
 * SA_RESTART, as a futex with an end does not. */
static int wait_for_time(uint64_t until)
{
	struct itimerspec end = {.it_value = timespec_of(until)};
	int fd = (int)os_call(SYS_timerfd_create, CLOCK_MONOTONIC, TFD_CLOEXEC, 0, 0, 0, 0);
	ssize_t n = 0;
	uint64_t ticks;

	if (fd < 0)
		return fd;
	pthread_cleanup_push(close_timer, &fd);
	os_call(SYS_timerfd_settime, fd, TFD_TIMER_ABSTIME, (long)&end, 0, 0, 0);
	n = os_read_wait(fd, &ticks, sizeof(ticks));
	pthread_cleanup_pop(1);
	return n < 0 ? (int)n : 0;
}

static uint64_t deadline(const struct weir_end *end, int op)
{
	int ms = os_timeout_ms(end->fd, op == WEIR_OP_READ ? SO_RCVTIMEO : SO_SNDTIMEO);

	return ms < 0 ? UINT64_MAX : os_now_ns() + (uint64_t)ms * 1000000;
}

static int wait_blocking(const struct weir_end *end, int op, uint64_t until, bool moved,
                         struct weir_waits *waits)
{
	struct weir_fault_state *state = state_of(end, op);
	uint32_t seen = load32_acquire(&state->releases);
	uint64_t give_up = deadline(end, op);

	if (weir_fault_held_until(state) != until)
		return WEIR_WAIT_AGAIN;
	if (weir_waits_end(waits, end, op, moved))
		return -EINTR;
	struct weir_sleeper *sleeper = weir_sleep_begins(end, op);
	int r = -ENOSYS;
	if (give_up == UINT64_MAX)
		r = wait_for_time(until);
	if (r != 0 && r != -EINTR)
		r = wait_for_word(&state->releases, seen, until < give_up ? until : give_up);
	weir_sleep_ends(sleeper);
	if (r == -EINTR)
		return r;
	return r == -ETIMEDOUT && give_up < until ? -EAGAIN : WEIR_WAIT_AGAIN;
}

/* A sleep in steps must hear of signals that come between two of them: those that end the
 * call are kept blocked, and a descriptor tells. Others start it again (SA_RESTART), and
 * come whenever they want. */
struct listener {
	int fd;
	uint64_t mask;              /* of the thread, before */
};

static void listen_to(struct listener *l, bool restarting)
{
	uint64_t ending = os_handled_signals(restarting);

	l->mask = os_block_signals(ending);
	l->fd = os_signalfd(ending & ~l->mask);
	if (l->fd < 0)
		os_set_signal_mask(l->mask);
}

static void listen_no_more(void *listener)
{
	struct listener *l = listener;

	if (l->fd < 0)
		return;
	os_close(l->fd);
	os_set_signal_mask(l->mask);
}

/* -EINTR: there is such a signal. */
static int sleep_listening(const struct listener *l, uint64_t ns)
{
	int r = os_poll_wait(l->fd, POLLIN, (int)((ns + 999999) / 1000000));

	if (r > 0)
		return -EINTR;
	return r == -EINTR ? 0 : r;
}

/* In steps, because a peer that is killed wakes nobody here. With a timeout every handler
 * ends the call (signal(7)). */
static int wait_for_release(const struct weir_end *end, int op, bool moved, struct weir_waits *waits)
{
	struct weir_fault_state *state = state_of(end, op);
	uint64_t give_up = deadline(end, op);
	uint64_t now = os_now_ns();
	uint32_t seen = load32_acquire(&state->releases);
	struct listener listener;
	int r;

	struct weir_sleeper *sleeper = weir_sleep_begins(end, op);
	listen_to(&listener, give_up != UINT64_MAX);
	pthread_cleanup_push(listen_no_more, &listener);
	r = weir_waits_end(waits, end, op, moved) ? -EINTR : 0;
	while (r == 0 && now < give_up && !is_over(end, op) &&
	       weir_fault_held_until(state) == UINT64_MAX) {
		if (listener.fd < 0) { /* no descriptor is free */
			r = wait_for_word(&state->releases, seen, UINT64_MAX);
			break;
		}
		r = sleep_listening(&listener, give_up - now < STEP_NS ? give_up - now : STEP_NS);
		now = os_now_ns();
	}
	pthread_cleanup_pop(1);
	weir_sleep_ends(sleeper);
	if (r == 0 && now >= give_up)
		r = -EAGAIN;
	return r == 0 ? WEIR_WAIT_AGAIN : r;
}

/* A rule's stall ends with the call that it stopped; the next is one of its own.
 * Another's (weir ctl) stays until it is released. */
static int wait_in_stall(const struct weir_end *end, int op, bool moved, struct weir_waits *waits)
{
	struct weir_fault_state *state = state_of(end, op);
	int r = wait_for_release(end, op, moved, waits);

	if (r != WEIR_WAIT_AGAIN && state->resumes) {
		state->resumes = 0;
		weir_end_release(end, op);
	} else if (is_over(end, op)) {
		weir_end_release(end, op);
	}
	return r;
}

int weir_hold_wait(const struct weir_end *end, int op, int flags, bool moved, uint64_t until,
                   struct weir_waits *waits)
{
	if ((flags & MSG_DONTWAIT) || os_nonblocking(end->fd))
		return moved ? WEIR_WAIT_ENDED : -EAGAIN;
	int r = until == UINT64_MAX ? wait_in_stall(end, op, moved, waits)
	                            : wait_blocking(end, op, until, moved, waits);
	return moved && r != WEIR_WAIT_AGAIN ? WEIR_WAIT_ENDED : r;
}

static void wake(struct weir_fault_state *state)
{
	add32_ordered(&state->releases, 1);
	os_call(SYS_futex, (long)&state->releases, FUTEX_WAKE, INT32_MAX, 0, 0, 0);
}

void weir_end_release(const struct weir_end *end, int op)
{
	struct weir_fault_state *state = state_of(end, op);

	weir_fault_hold_until(state, 0);
	wake(state);
}

void weir_end_stall(const struct weir_end *end, int op)
{
	struct weir_fault_state *state = state_of(end, op);
	struct weir_pipe *pipe = op == WEIR_OP_READ ? end->in.pipe : end->out.pipe;

	or64_ordered(&weir_session.plan->holding, WEIR_DONE_BIT);
	store32_relaxed(&state->touched, 1);
	weir_fault_hold_until(state, UINT64_MAX);
	or64_ordered(op == WEIR_OP_READ ? &pipe->rules_read : &pipe->rules_write, WEIR_DONE_BIT);
}

/* A bell wakes who reads; a longer queue wakes who writes. Neither is true, so nobody
 * else shall see it. */
void weir_end_nudge(const struct weir_end *end, int peer, bool hold)
{
	if (peer >= 0 && (hold || weir_pipe_has_sleeper(end->in.pipe, WEIR_OP_READ)) &&
	    weir_pipe_lock_writer(&end->in) == 0) {
		weir_bell_ring(&end->in, peer);
		weir_pipe_unlock_writer(&end->in);
	}
	if ((hold || weir_pipe_has_sleeper(end->out.pipe, WEIR_OP_WRITE) || weir_pipe_writable(&end->out)) &&
	    weir_pipe_lock_writer(&end->out) == 0) {
		weir_bell_make_writable(&end->out, end->fd);
		weir_pipe_unlock_writer(&end->out);
	}
}

void weir_holds_wake(const struct weir_session *s, uint32_t index)
{
	for (int i = 0; i < 4; i++) {
		struct weir_fault_state *state = weir_pair_fault_state(s, index, i / 2, i % 2);
		if (load32_relaxed(&state->touched))
			wake(state);
	}
}
