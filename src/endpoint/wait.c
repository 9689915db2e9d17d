#include "endpoint/wait.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include "base/os.h"
#include "endpoint/bare.h"
#include "endpoint/deadlock.h"
#include "endpoint/known.h"
#include "pipe/bell.h"
#include "pipe/check.h"

enum {
	SPINS = 1000,               /* looks before a wait goes to the kernel */
	SPIN_FAILS_MAX = 3,         /* in a row, then a wait looks less and less often: ... */
	SPIN_RETRY_MIN = 16,        /* ... the next time after so many, and twice as many, ... */
	SPIN_RETRY_MAX = 256,       /* ... and every so many times at last */
	YIELDS = 4,                 /* before a busy lock is waited for */
	YIELD_NS_MAX = 200000,      /* one that took longer went to somebody else: ... */
	CROWDED = 100,              /* ... none for so many times as long */
	GATHER_NS = 500,            /* a reader of a stream waits so long for more ... */
	GATHERS_MAX = 4,            /* ... and doubles that so many times */
	GATHER_LOOKS = 10000,       /* at the clock meanwhile */
	SLEEPS_LONG_NS = 1000000000,
};

void weir_note_cpu(weir_word32 *where)
{
	uint32_t cpu = (uint32_t)os_cpu() + 1;

	if (load32_relaxed(where) != cpu)
		store32_relaxed(where, cpu);
}

void weir_note_life(weir_word32 *whose)
{
	uint32_t life = load32_relaxed(&weir_own_life);

	if (load32_relaxed(whose) != life)
		store32_relaxed(whose, life);
}

/* Asked for once in each thread and process. */
static uint32_t own_thread(void)
{
	static _Thread_local uint32_t thread, process;
	uint32_t now = load32_relaxed(&weir_own_process);

	if (process != now) {
		thread = os_thread();
		process = now;
	}
	return thread;
}

static struct weir_sleeper *sleepers_of(const struct weir_end *end, int op)
{
	return op ? end->out.pipe->sleepers[1] : end->in.pipe->sleepers[0];
}

/* Threads of this process that sleep; a cancelled one stays counted. */
static struct {
	weir_word32 process;
	weir_word32 count;
} sleeping;

uint32_t weir_sleeping_here(void)
{
	return load32_relaxed(&sleeping.count);
}

/* The child of a fork has none. */
static void count_sleep(void)
{
	uint32_t process = load32_relaxed(&weir_own_process);

	if (load32_relaxed(&sleeping.process) != process) {
		store32_relaxed(&sleeping.count, 0);
		store32_relaxed(&sleeping.process, process);
	}
	add32_ordered(&sleeping.count, 1);
}

/* A place that is free, or that a thread left behind when it was killed: only one that seems
 * to sleep for long is worth the question. */
static struct weir_sleeper *take_place(struct weir_sleeper all[WEIR_SLEEPERS_MAX], uint32_t tid,
                                       uint64_t now)
{
	for (int i = 0; i < WEIR_SLEEPERS_MAX; i++)
		if (load32_relaxed(&all[i].tid) == 0 && swap32_if(&all[i].tid, 0, tid))
			return &all[i];
	for (int i = 0; i < WEIR_SLEEPERS_MAX && !weir_is_bare(); i++) {
		uint32_t before = load32_relaxed(&all[i].tid);
		if (now - load64_relaxed(&all[i].since) >= SLEEPS_LONG_NS &&
		    weir_lock_has_died(before) && swap32_if(&all[i].tid, before, tid))
			return &all[i];
	}
	return NULL;
}

struct weir_sleeper *weir_sleep_begins(const struct weir_end *end, int op)
{
	uint64_t now = os_now_ns();
	struct weir_sleeper *s = take_place(sleepers_of(end, op), own_thread(), now);

	if (!s)
		return NULL;
	count_sleep();
	store64_relaxed(&s->since, now);
	store32_relaxed(&s->pid, load32_relaxed(&weir_own_process));
	store32_ordered(&s->fd, (uint32_t)end->fd);
	return s;
}

void weir_sleep_deepens(struct weir_sleeper *s)
{
	if (s)
		store32_release(&s->asleep, own_thread());
}

void weir_sleep_ends(struct weir_sleeper *s)
{
	if (!s)
		return;
	add32_ordered(&sleeping.count, UINT32_MAX);
	if (load32_relaxed(&s->tid) != own_thread())
		return; /* the pair has ended, and another may have this place in its slot */
	store32_relaxed(&s->asleep, 0);
	store32_release(&s->tid, 0);
}

/* Has it failed so often that it is to be tried again? */
static bool is_due_again(uint32_t failed)
{
	bool doubled = failed >= SPIN_RETRY_MIN && (failed & (failed - 1)) == 0;

	return doubled || failed % SPIN_RETRY_MAX == 0;
}

/* Looking pays only while it lately did. */
static bool pays(const weir_word32 *peer_cpu, weir_word32 *fails)
{
	uint32_t failed = load32_relaxed(fails);

	if (load32_relaxed(peer_cpu) == 0)
		return false;
	if (failed < SPIN_FAILS_MAX || is_due_again(failed))
		return true;
	store32_relaxed(fails, failed + 1);
	return false;
}

static bool has_input(const void *pipe_ref)
{
	return weir_pipe_used(pipe_ref) > 0;
}

static bool has_room(const void *pipe_ref)
{
	return weir_pipe_room(pipe_ref) > 0;
}

/* Looking has paid, or not. */
static bool learn(weir_word32 *fails, bool paid)
{
	if (!paid)
		store32_relaxed(fails, load32_relaxed(fails) + 1);
	else if (load32_relaxed(fails))
		store32_relaxed(fails, 0);
	return paid;
}

static bool shares_cpu(const weir_word32 *peer_cpu)
{
	return load32_relaxed(peer_cpu) == (uint32_t)os_cpu() + 1;
}

/* Gives the processor away, as a peer that waits for it is likely to have the next turn; but
 * a third, that wants it too, keeps it for a whole turn. True where it came back soon. */
static bool yield(void)
{
	static _Thread_local uint64_t crowded_until;
	uint64_t began = os_now_ns();

	if (began < crowded_until)
		return false;
	sched_yield();
	uint64_t now = os_now_ns();
	if (now - began < YIELD_NS_MAX)
		return true;
	crowded_until = now + (now - began) * CROWDED;
	return false;
}

bool weir_waits_end(struct weir_waits *waits, const struct weir_end *end, int op, bool moved)
{
	struct os_handled now = os_handled();

	if (__builtin_expect(now.all == waits->since.all, 1))
		return false;
	if (moved || now.ending != waits->since.ending ||
	    os_timeout_ms(end->fd, op == WEIR_OP_READ ? SO_RCVTIMEO : SO_SNDTIMEO) >= 0)
		return true;
	if (op == WEIR_OP_READ ? !has_input(&end->in) : !has_room(&end->out))
		waits->since = now;
	return false;
}

/* A reader that gives no answers takes from a stream. Did it look for each message, it would
 * take the writer's lines away each time: a moment later there are several. The moment
 * grows while it brings half as much again as there was. */
static void gather(const struct weir_end *end)
{
	struct weir_pipe *pipe = end->in.pipe;
	uint32_t answers = (uint32_t)load64_relaxed(&end->out.pipe->writes);
	uint32_t times = load32_relaxed(&pipe->reader_gathers);
	uint64_t used = weir_pipe_used(&end->in);

	if (load32_relaxed(&pipe->reader_answers) != answers) {
		store32_relaxed(&pipe->reader_answers, answers);
		store32_relaxed(&pipe->reader_gathers, 0);
		return;
	}
	if (used >= weir_pipe_room(&end->in))
		return;
	if (times > GATHERS_MAX)
		times = GATHERS_MAX;
	uint64_t until = os_now_ns() + ((uint64_t)GATHER_NS << times);
	for (int i = 0; i < GATHER_LOOKS && os_now_ns() < until; i++)
		os_relax();
	if (weir_pipe_used(&end->in) >= used + used / 2)
		store32_relaxed(&pipe->reader_gathers, times + 1);
	else if (times > 0)
		store32_relaxed(&pipe->reader_gathers, times - 1);
}

/* Where the peer runs on this very processor, it is let do what is looked for. */
bool weir_wait_looking(const struct weir_end *likely, bool reads, bool (*ready)(const void *),
                       const void *of, struct os_handled since)
{
	const struct weir_pipe *pipe = reads ? likely->in.pipe : likely->out.pipe;
	weir_word32 *fails = reads ? &likely->in.pipe->reader_spins : &likely->out.pipe->writer_spins;
	const weir_word32 *peer_cpu = reads ? &pipe->writer_cpu : &pipe->reader_cpu;

	if (!pays(peer_cpu, fails))
		return false;
	if (shares_cpu(peer_cpu))
		return yield() ? learn(fails, ready(of)) : ready(of);
	for (int i = 0; i < SPINS; i++) {
		if (ready(of))
			return learn(fails, true);
		if (os_handled().all != since.all)
			return false;
		os_relax();
	}
	return learn(fails, false);
}

/* What a poll waits for. */
struct polled {
	const struct weir_end *ends;
	const short *events;
	int count;
};

static bool any_ready(const void *of)
{
	const struct polled *p = of;

	for (int i = 0; i < p->count; i++)
		if (((p->events[i] & POLLIN) && has_input(&p->ends[i].in)) ||
		    ((p->events[i] & POLLOUT) && weir_pipe_writable(&p->ends[i].out)))
			return true;
	return false;
}

bool weir_wait_ready(const struct weir_end *ends, const short *events, int count,
                     struct os_handled since)
{
	struct polled polled = {ends, events, count};

	return weir_wait_looking(&ends[0], events[0] & POLLIN, any_ready, &polled, since);
}

/* A writer that is interrupted in the act by the very reader that it woke needs
 * the processor, not a queue at its lock. */
int weir_wait_lock(const struct weir_pipe_ref *ref)
{
	int error = weir_pipe_lock_reader(ref);

	if (error)
		return error;
	error = weir_pipe_try_lock_writer(ref);
	for (int i = 0; error == -EBUSY && i < YIELDS; i++) {
		sched_yield();
		if (has_input(ref)) {
			weir_pipe_unlock_reader(ref);
			return WEIR_WAIT_AGAIN;
		}
		error = weir_pipe_try_lock_writer(ref);
	}
	if (error == -EBUSY)
		error = weir_pipe_lock_writer(ref);
	if (error)
		weir_pipe_unlock_reader(ref);
	return error;
}

bool weir_end_follow(const struct weir_end *end)
{
	struct weir_end_shared *shared = &end->slot->end[end->side];
	uint32_t carrier = load32_relaxed(&end->in.pipe->carrier);
	uint32_t offset = load32_relaxed(&shared->peek_off);
	uint32_t lowest = load32_relaxed(&shared->rcvlowat);

	if (carrier == WEIR_BY_RING || !weir_bell_follow(&end->in, end->fd))
		return false;
	if (carrier == WEIR_BY_KERNEL)
		return true;
	if (offset != 0)
		os_setsockopt_int(end->fd, SO_PEEK_OFF, (int)offset - 1);
	if (lowest > 1)
		os_setsockopt_int(end->fd, SO_RCVLOWAT, (int)lowest);
	return true;
}

/* Clears stale bells and says whether there is something to do at once. */
static int settle_empty(const struct weir_end *end, bool force)
{
	struct weir_pipe *pipe = end->in.pipe;
	int error = weir_wait_lock(&end->in);
	int result = WEIR_WAIT_ENDED;

	if (error)
		return error;
	if (!weir_pipe_is_valid(&end->in))
		weir_pipe_damaged(pipe, "what a pipe's reader is about to wait for");
	if (load32_relaxed(&pipe->carrier) != WEIR_BY_RING) {
		if (weir_end_follow(end))
			result = WEIR_TO_KERNEL;
		else if (weir_pipe_used(&end->in) > 0)
			result = WEIR_WAIT_AGAIN;
	} else if (weir_pipe_used(&end->in) > 0) {
		result = WEIR_WAIT_AGAIN;
	} else if (force || load32_relaxed(&pipe->bells) ||
	           load32_relaxed(&pipe->saturated) != WEIR_FLOWING) {
		weir_bell_settle(&end->in, end->fd);
	}
	weir_pipe_unlock(&end->in);
	return result;
}

/* -EDEADLK and -ESTALE of a lock, as the program may see it. A handler that
 * interrupted the lock's owner must not wait for him. */
static int lock_failed(int error)
{
	return error == -ESTALE ? WEIR_TO_KERNEL : -EAGAIN;
}

/* In mid-transfer: poll, which a signal always ends (a restarted receive would
 * never give the bytes that have moved). */
static int wait_input_polling(const struct weir_end *end, int flags)
{
	unsigned char byte;

	if ((flags & MSG_DONTWAIT) || os_nonblocking(end->fd)) {
		os_getsockopt_int(end->fd, SO_ERROR); /* Linux takes it here, and tells nobody */
		return WEIR_WAIT_ENDED;
	}
	int events = os_poll_wait(end->fd, POLLIN, os_timeout_ms(end->fd, SO_RCVTIMEO));
	if (events <= 0)
		return events; /* what a handler sent is not this call's */
	return os_recv_now(end->fd, &byte, 1, MSG_PEEK) == 1 ? WEIR_WAIT_AGAIN : WEIR_WAIT_ENDED;
}

int weir_wait_behind(const struct weir_end *end, int flags)
{
	return wait_input_polling(end, flags);
}

static int wait_input_receiving(const struct weir_end *end, int flags, struct weir_waits *waits)
{
	unsigned char byte;
	ssize_t n = os_recv_wait(end->fd, &byte, 1, MSG_PEEK | (flags & MSG_DONTWAIT));

	if (n == 1) {
		waits->force = weir_pipe_used(&end->in) == 0;
		return WEIR_WAIT_AGAIN;
	}
	if (n == -ECONNRESET && !weir_end_reset_is_true(end))
		return WEIR_WAIT_AGAIN;
	return (int)n;
}

/* A call that would have slept through these handlers has started again. Of one that ends it
 * the kernel would have told: that one came behind the sleep. */
static void slept(struct weir_waits *waits)
{
	struct os_handled now = os_handled();

	if (now.ending == waits->since.ending)
		waits->since = now;
}

/* A handler ends the call where the kernel would have let it sleep. `without`: what it gives
 * without waiting. */
static int ended_by_handler(int without)
{
	return without == -EAGAIN ? -EINTR : without;
}

/* In the kernel. What came before a handler ran is not left for the next call. */
static int sleep_for_input(const struct weir_end *end, int flags, bool moved,
                           struct weir_waits *waits)
{
	struct weir_sleeper *sleeper;
	int result;

	add64_relaxed(&end->in.pipe->blocked_reads, 1);
	sleeper = weir_sleep_begins(end, WEIR_OP_READ);
	weir_deadlock_look(end);
	weir_sleep_deepens(sleeper);
	bool ends = weir_waits_end(waits, end, WEIR_OP_READ, moved);
	if (moved)
		result = ends ? -EINTR : wait_input_polling(end, flags);
	else if (ends)
		result = ended_by_handler(wait_input_receiving(end, flags | MSG_DONTWAIT, waits));
	else if ((result = wait_input_receiving(end, flags, waits)) == WEIR_WAIT_AGAIN)
		slept(waits);
	weir_sleep_ends(sleeper);
	return result;
}

int weir_wait_input(const struct weir_end *end, int flags, bool moved, struct weir_waits *waits)
{
	struct weir_pipe *pipe = end->in.pipe;

	if (weir_is_bare())
		return weir_bare_wait_input(end);
	if (weir_end_never_waits(end, flags) && !waits->force && weir_end_is_surely_empty(end))
		return -EAGAIN;
	if (!weir_end_never_waits(end, flags) &&
	    weir_wait_looking(end, true, has_input, &end->in, waits->since)) {
		if (!shares_cpu(&pipe->writer_cpu))
			gather(end);
		return WEIR_WAIT_AGAIN;
	}
	int result = settle_empty(end, waits->force);
	if (result == -EDEADLK || result == -ESTALE)
		return lock_failed(result);
	if (result != WEIR_WAIT_ENDED)
		return result;
	if (!load32_relaxed(&end->slot->end[end->side].nonblock) && !(flags & MSG_DONTWAIT))
		result = sleep_for_input(end, flags, moved, waits);
	else
		result = moved ? wait_input_polling(end, flags) : wait_input_receiving(end, flags, waits);
	if (load32_relaxed(&pipe->reset)) /* the next look gives it */
		return WEIR_WAIT_AGAIN;
	/* What came before the end or the error is read first. */
	if (result != WEIR_WAIT_AGAIN && result != -EINTR && result != -EAGAIN &&
	    weir_pipe_used(&end->in) > 0)
		return WEIR_WAIT_AGAIN;
	return result;
}

/* Room that came while the queue was filled is reported by no one else. */
static bool room_came(const struct weir_end *end)
{
	const struct weir_pipe_ref *out = &end->out;

	if ((load32_relaxed(&out->pipe->watch) & WEIR_WATCH_ROOM) && weir_pipe_writable(out))
		weir_bell_make_writable(out, end->fd);
	return weir_pipe_room(out) > 0;
}

/* Nobody waits here: tell the truth to who asks the kernel, and go. The attempt before has
 * looked whether the peer lives; but calls that move nothing are not counted there. */
static int no_room(const struct weir_end *end)
{
	const struct weir_pipe_ref *out = &end->out;

	if (os_is_due() && os_send_now(end->fd, NULL, 0, MSG_NOSIGNAL) == -EPIPE) {
		/* the next attempt finds out, and raises SIGPIPE */
		weir_pipe_suspect(out, 1);
		return WEIR_WAIT_AGAIN;
	}
	if (load32_relaxed(&out->pipe->watch) & WEIR_WATCH_ROOM)
		weir_bell_saturate(out, end->fd, WEIR_UNWRITABLE,
		                   load64_relaxed(&out->pipe->writable_room));
	return room_came(end) ? WEIR_WAIT_AGAIN : -EAGAIN;
}

/* Wakes late: nothing a writer inside one call could do with less room than
 * half the capacity shows, except when a signal ends the call. On one processor, where
 * each wake takes it away from the reader, as late as the kernel does: it wakes who
 * waits in a send only when poll would call him writable (unix_write_space()). But a
 * capacity that was chosen is exact. */
static uint64_t kind_room(const struct weir_pipe *pipe, size_t left)
{
	uint64_t half = load64_relaxed(&pipe->limit) / 2;

	if (load32_relaxed(&pipe->reader_cpu) == load32_relaxed(&pipe->writer_cpu) &&
	    !load32_relaxed(&pipe->limit_given))
		return load64_relaxed(&pipe->writable_room);
	if (half < 1)
		half = 1;
	return left < half ? left : half;
}

/* Writer lock: from here on nobody forgets the room that it wants. */
static struct weir_sleeper *begin_waiting(const struct weir_end *end)
{
	struct weir_sleeper *sleeper = weir_sleep_begins(end, WEIR_OP_WRITE);

	add64_relaxed(&end->out.pipe->blocked_writes, 1);
	if (!sleeper)
		add32_ordered(&end->out.pipe->placeless, 1);
	return sleeper;
}

/* Awake, and about to look at the room. The pair may have ended meanwhile: then nobody is
 * counted any more. */
static void end_waiting(struct weir_pipe *pipe, struct weir_sleeper *sleeper)
{
	uint32_t count = load32_relaxed(&pipe->placeless);

	weir_sleep_ends(sleeper);
	while (!sleeper && count > 0 && !swap32_if(&pipe->placeless, count, count - 1))
		count = load32_relaxed(&pipe->placeless);
}

/* `*sleeper`: as whom it is to sleep, where it has to (WEIR_WAIT_ENDED). */
static int prepare_room(const struct weir_end *end, int flags, size_t left,
                        struct weir_sleeper **sleeper)
{
	const struct weir_pipe_ref *out = &end->out;
	int result = WEIR_WAIT_ENDED;
	int error = weir_pipe_lock_writer(out);

	if (error)
		return lock_failed(error);
	if (load32_relaxed(&out->pipe->carrier) != WEIR_BY_RING) {
		weir_bell_hand_over(out, end->fd);
		result = WEIR_TO_KERNEL;
	} else if (weir_pipe_room(out) > 0) {
		result = WEIR_WAIT_AGAIN;
	} else if (weir_end_never_waits(end, flags) || os_nonblocking(end->fd)) {
		result = no_room(end);
	} else {
		weir_bell_saturate(out, end->fd, WEIR_SATURATED, kind_room(out->pipe, left));
		if (room_came(end))
			result = WEIR_WAIT_AGAIN;
		else
			*sleeper = begin_waiting(end);
	}
	weir_pipe_unlock_writer(out);
	return result;
}

static int wait_room_polling(const struct weir_end *end)
{
	int timeout = os_timeout_ms(end->fd, SO_SNDTIMEO);
	int events = os_poll_wait(end->fd, POLLOUT, timeout);

	if (events > 0 && (events & (POLLERR | POLLHUP)))
		weir_pipe_suspect(&end->out, 1); /* the next attempt asks */
	return events > 0 ? WEIR_WAIT_AGAIN : WEIR_WAIT_ENDED;
}

/* A real send that waits as the program asked, and leaves nothing behind. */
static int wait_room_sending(const struct weir_end *end, int flags)
{
	ssize_t n = os_send_wait(end->fd, weir_bell_unreadable(), 1,
	                         flags & (MSG_DONTWAIT | MSG_NOSIGNAL));

	return n == -EFAULT || n == 1 ? WEIR_WAIT_AGAIN : (int)n;
}

void weir_give_way(const struct weir_pipe *pipe)
{
	for (int i = 0; i < YIELDS && weir_lock_owner(&pipe->write_lock) != 0; i++)
		sched_yield();
}

int weir_wait_room(const struct weir_end *end, int flags, bool moved, size_t left,
                   struct weir_waits *waits)
{
	if (!weir_end_never_waits(end, flags) &&
	    weir_wait_looking(end, false, has_room, &end->out, waits->since))
		return WEIR_WAIT_AGAIN;
	struct weir_sleeper *sleeper = NULL;
	int result = prepare_room(end, flags, left, &sleeper);
	if (result != WEIR_WAIT_ENDED)
		return result;
	weir_deadlock_look(end);
	weir_sleep_deepens(sleeper);
	bool ends = weir_waits_end(waits, end, WEIR_OP_WRITE, moved);
	if (moved)
		result = ends ? -EINTR : wait_room_polling(end);
	else if (ends)
		result = ended_by_handler(wait_room_sending(end, flags | MSG_DONTWAIT));
	else if ((result = wait_room_sending(end, flags)) == WEIR_WAIT_AGAIN)
		slept(waits);
	end_waiting(end->out.pipe, sleeper);
	weir_give_way(end->out.pipe);
	return result;
}
