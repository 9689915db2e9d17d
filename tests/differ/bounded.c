#include "bounded.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "bytes.h"
#include "generate.h"

enum { READER = 1, WRITER = 2 };

struct queue {
	unsigned char bytes[BYTES_MAX];
	size_t used;
	size_t wish; /* room that wakes whoever waits, left by one who was interrupted; 0: none */
	bool ended; /* nothing more goes in */
};

struct end {
	bool open;
	bool nonblock;
	bool reset; /* the next receive tells of it */
};

/* A call that has not returned. */
struct waiting {
	bool waits;
	const struct call *call;
	int line;
	int side;
	size_t size, done;
	unsigned char got[BYTES_MAX + SLACK];
	char told[128]; /* of a call that has returned, until it is noted */
};

struct model {
	size_t capacity;
	struct queue queue[2]; /* by the side that writes */
	struct end end[2];
	struct waiting actor[ACTORS];
	bool there[ACTORS];
	char *trace;
	size_t size, used;
};

/* ---- what is told ---- */

__attribute__((format(printf, 2, 3))) static void note(struct model *m, const char *format, ...)
{
	va_list list;
	size_t left = m->size - m->used;

	va_start(list, format);
	int n = vsnprintf(m->trace + m->used, left, format, list);
	va_end(list);
	m->used += (size_t)n < left ? (size_t)n : left - 1;
}

__attribute__((format(printf, 2, 3))) static void tell(struct waiting *w, const char *format, ...)
{
	va_list list;
	size_t used = strlen(w->told);

	va_start(list, format);
	vsnprintf(w->told + used, sizeof(w->told) - used, format, list);
	va_end(list);
}

static void note_told(struct model *m, struct waiting *w)
{
	if (w->told[0])
		note(m, "%d: %s\n", w->line, w->told);
	w->told[0] = '\0';
}

static bool is_message(const struct call *c)
{
	return c->number == CALL_recvmsg;
}

static void tell_received(struct waiting *w, int error)
{
	if (error)
		tell(w, "%s", strerrorname_np(error));
	else
		tell(w, "%zu%s", w->done, is_message(w->call) ? " flags0 name0 control0" : "");
	tell(w, " #%08x", hash_of(w->got, w->size + SLACK));
}

/* Linux raises no signal for who has waited (sock_alloc_send_pskb()). */
static void tell_sent(struct waiting *w, int error)
{
	bool quiet = w->waits || (w->call->number == CALL_send && (w->call->a[2] & MSG_NOSIGNAL));

	if (w->done || error == 0)
		tell(w, "%zu", w->done);
	else
		tell(w, "%s%s", strerrorname_np(error), error == EPIPE && !quiet ? " SIGPIPE" : "");
}

/* ---- calls that move bytes ---- */

static bool receives(const struct call *c)
{
	return c->number == CALL_recv || c->number == CALL_read || c->number == CALL_readv ||
	       c->number == CALL_recvmsg;
}

static bool sends(const struct call *c)
{
	return c->number == CALL_send || c->number == CALL_write || c->number == CALL_writev ||
	       c->number == CALL_sendmsg;
}

static int flags_of(const struct call *c)
{
	return strchr(call_kinds[c->number], KIND_FLAGS) ? c->a[2] : 0;
}

static size_t size_of(const struct call *c)
{
	size_t total = 0;

	if (!strchr(call_kinds[c->number], KIND_LENGTHS))
		return (size_t)c->a[1];
	for (int i = 0; i < c->listed; i++)
		total += (size_t)c->list[i].value;
	return total;
}

static bool may_wait(const struct model *m, const struct call *c)
{
	return !m->end[c->a[0]].nonblock && !(flags_of(c) & MSG_DONTWAIT);
}

static void move_out(struct queue *q, struct waiting *w, bool peek)
{
	size_t n = w->size - w->done < q->used ? w->size - w->done : q->used;

	memcpy(w->got + w->done, q->bytes, n);
	w->done += n;
	if (peek)
		return;
	memmove(q->bytes, q->bytes + n, q->used - n);
	q->used -= n;
}

/* Reads and writev of nothing ask nobody; a recv of nothing waits for something. */
static bool asks_nobody(const struct call *c)
{
	return (c->number == CALL_read || c->number == CALL_readv || c->number == CALL_writev) &&
	       size_of(c) == 0;
}

static bool has_enough(const struct waiting *w, const struct queue *q)
{
	int flags = flags_of(w->call);

	if (w->size == 0)
		return q->used > 0 || asks_nobody(w->call);
	return w->done == w->size ||
	       (w->done > 0 && (!(flags & MSG_WAITALL) || (flags & MSG_PEEK)));
}

/* Gives true once the call has returned, and tells of it. */
static bool receive(struct model *m, struct waiting *w)
{
	struct queue *q = &m->queue[!w->side];
	int flags = flags_of(w->call);
	int error = 0;

	move_out(q, w, flags & MSG_PEEK);
	bool enough = has_enough(w, q);
	if (!enough && !q->ended && may_wait(m, w->call))
		return false;
	if (!enough && m->end[w->side].reset) {
		/* Linux takes it also from a call that has bytes to tell of. */
		m->end[w->side].reset = false;
		error = w->done == 0 ? ECONNRESET : 0;
	} else if (!enough && w->done == 0 && !q->ended) {
		error = EAGAIN;
	}
	tell_received(w, error);
	return true;
}

static size_t room_beside(const struct model *m, size_t used)
{
	return used < m->capacity ? m->capacity - used : 0;
}

static size_t room(const struct model *m, const struct queue *q)
{
	return room_beside(m, q->used);
}

static void move_in(struct model *m, struct queue *q, struct waiting *w)
{
	size_t n = w->size - w->done < room(m, q) ? w->size - w->done : room(m, q);

	for (size_t i = 0; i < n; i++)
		q->bytes[q->used++] = byte_of((uint64_t)w->line, w->done++);
}

/* A writer that sleeps is left alone until there is room for half the bound, or for all that it
 * has left, or for everything. */
static size_t wish_for(const struct model *m, size_t left)
{
	size_t half = m->capacity / 2 ? m->capacity / 2 : 1;

	return left < half ? left : half;
}

static size_t wish_of(const struct model *m, const struct waiting *w)
{
	return wish_for(m, w->size - w->done);
}

static bool is_enough(const struct model *m, size_t used, size_t wish)
{
	return used == 0 || room_beside(m, used) >= wish;
}

/* Once there are as many bytes in the queue. */
static bool is_woken_at(const struct model *m, size_t used, const struct queue *q,
                        const struct waiting *w)
{
	return is_enough(m, used, wish_of(m, w)) || (q->wish && is_enough(m, used, q->wish));
}

/* A wish that came true has been told to whoever waits. */
static void forget_wishes(struct model *m)
{
	for (int side = 0; side < 2; side++)
		if (is_enough(m, m->queue[side].used, m->queue[side].wish))
			m->queue[side].wish = 0;
}

static bool send_some(struct model *m, struct waiting *w)
{
	struct queue *q = &m->queue[w->side];

	if (!q->ended && (!w->waits || is_woken_at(m, q->used, q, w))) {
		q->wish = w->waits ? 0 : q->wish;
		move_in(m, q, w);
	}
	if (!q->ended && w->done < w->size && may_wait(m, w->call))
		return false;
	/* Who sleeps is told that bytes are lost, instead of the next receive. */
	bool lost = q->ended && w->waits && w->done == 0 && m->end[w->side].reset;
	m->end[w->side].reset &= !lost;
	tell_sent(w, asks_nobody(w->call) ? 0
	             : lost               ? ECONNRESET
	             : q->ended           ? EPIPE
	             : w->size == 0       ? 0
	                                  : EAGAIN);
	return true;
}

/* Who waits goes on, one because of the other. */
static void settle(struct model *m)
{
	size_t before;

	do {
		before = m->actor[READER].done + m->actor[WRITER].done;
		for (int i = READER; i <= WRITER; i++) {
			struct waiting *w = &m->actor[i];
			if (w->waits)
				w->waits = receives(w->call) ? !receive(m, w) : !send_some(m, w);
		}
	} while (m->actor[READER].done + m->actor[WRITER].done != before);
}

static void make_call(struct model *m, const struct call *c, int line)
{
	struct waiting *w = &m->actor[c->actor];

	w->call = c;
	w->line = line;
	w->side = c->a[0];
	w->size = size_of(c);
	w->done = 0;
	w->waits = false;
	memset(w->got, UNTOUCHED, w->size + SLACK);
	w->waits = receives(c) ? !receive(m, w) : !send_some(m, w);
	settle(m);
	forget_wishes(m);
	if (w->waits)
		note(m, "%d: waits\n", line);
	else
		note_told(m, w);
}

static void cancel(struct model *m, struct waiting *w)
{
	if (!w->waits)
		return;
	w->waits = false;
	if (receives(w->call)) {
		tell_received(w, w->done ? 0 : EINTR);
		return;
	}
	struct queue *q = &m->queue[w->side];
	if (!q->wish || wish_of(m, w) < q->wish)
		q->wish = wish_of(m, w);
	move_in(m, q, w);
	tell_sent(w, EINTR);
}

/* Those that have returned because of a call. */
static void note_others(struct model *m)
{
	for (int i = 1; i < ACTORS; i++)
		note_told(m, &m->actor[i]);
}

/* ---- the other calls ---- */

static void shut(struct model *m, int side, int how)
{
	if (how != SHUT_RD)
		m->queue[side].ended = true;
	if (how != SHUT_WR)
		m->queue[!side].ended = true;
}

static void close_end(struct model *m, int side)
{
	m->end[side].open = false;
	m->end[!side].reset = m->queue[!side].used > 0;
	m->queue[0].ended = m->queue[1].ended = true;
	m->queue[!side].used = 0; /* what nobody will read takes no room */
}

static int events_of(const struct model *m, int side)
{
	const struct queue *in = &m->queue[!side], *out = &m->queue[side];
	int events = 0;

	if (in->used || in->ended)
		events |= POLLIN;
	if (in->ended)
		events |= POLLRDHUP;
	if (in->ended && out->ended)
		events |= POLLHUP;
	if (m->end[side].reset)
		events |= POLLERR;
	if (room(m, out) > 0)
		events |= POLLOUT;
	return events;
}

static void poll_one(struct model *m, const struct call *c, int line)
{
	static const struct {
		const char *name;
		int bit;
	} word[] = {{"in", POLLIN},
	            {"out", POLLOUT},
	            {"err", POLLERR},
	            {"hup", POLLHUP},
	            {"rdhup", POLLRDHUP}};
	int events = events_of(m, c->list[0].place) & (c->list[0].value | POLLERR | POLLHUP);
	const char *between = "";

	note(m, "%d: %d d%d:", line, events != 0, c->list[0].place);
	for (size_t i = 0; i < sizeof(word) / sizeof(word[0]); i++) {
		if (!(events & word[i].bit))
			continue;
		note(m, "%s%s", between, word[i].name);
		between = "|";
	}
	note(m, "\n");
}

/* Would it wait now? */
static bool would_wait(const struct model *m, const struct call *c)
{
	const struct queue *q = &m->queue[receives(c) ? !c->a[0] : c->a[0]];

	if (q->ended || !may_wait(m, c) || asks_nobody(c))
		return false;
	if (sends(c))
		return room(m, q) < size_of(c);
	bool all = (flags_of(c) & MSG_WAITALL) && !(flags_of(c) & MSG_PEEK);
	return q->used < (all && size_of(c) > 0 ? size_of(c) : 1);
}

/* ---- what can be told ---- */

/* Does an actor wait in the direction? */
static bool is_taken(const struct model *m, int side, bool reading)
{
	const struct waiting *w = &m->actor[reading ? READER : WRITER];

	return w->waits && w->side == side;
}

/* A writer sleeps, and there is room, less than he is to be woken for. He may know of it all the
 * same, and have filled some of it: no count tells. */
static bool is_unclear(const struct model *m, int side)
{
	return is_taken(m, side, false) && room(m, &m->queue[side]) > 0;
}

/* What this receive takes wakes the writer that sleeps if he has filled nothing, but not if he
 * has filled all the room: then he waits for as much again. */
static bool may_wake(const struct model *m, int side, const struct call *c)
{
	const struct waiting *w = &m->actor[WRITER];
	const struct queue *q = &m->queue[side];
	size_t n = size_of(c), left = w->size - w->done;

	return !(flags_of(c) & MSG_PEEK) && is_woken_at(m, q->used - n, q, w) &&
	       n < wish_for(m, left - room(m, q));
}

static bool can_receive(const struct model *m, const struct call *c)
{
	int from = !c->a[0];

	if (!is_taken(m, from, false))
		return true;
	if (size_of(c) > m->queue[from].used)
		return c->actor > 0 && !is_unclear(m, from);
	return !is_unclear(m, from) || !may_wake(m, from, c);
}

/* Of two who wait at the other end, only time tells who hears of the reset. */
static bool can_close(const struct model *m, int side)
{
	return !is_taken(m, side, true) && !is_taken(m, side, false) &&
	       !(is_taken(m, !side, true) && is_taken(m, !side, false)) && !is_unclear(m, !side);
}

/* Is there one result only, whatever the threads' speed? */
static bool can_be_told(const struct model *m, const struct call *c)
{
	int side = c->a[0];

	if (sends(c) || receives(c)) {
		if (!m->end[side].open || !m->there[c->actor] || m->actor[c->actor].waits ||
		    is_taken(m, side, receives(c)) ||
		    (!c->may_wait && would_wait(m, c)))
			return false;
		/* Who is woken by the first piece of a write may be in time for the next. */
		return sends(c) ? !is_taken(m, !side, true) || size_of(c) <= room(m, &m->queue[side])
		                : can_receive(m, c);
	}
	switch (c->number) {
	case CALL_cancel:
		return m->actor[side].waits;
	case CALL_ioctl:
		return m->end[side].open && (c->a[1] != FIONREAD || !is_unclear(m, !side));
	case CALL_poll:
		/* To ask for room wakes a writer that sleeps. */
		side = c->list[0].place;
		return m->end[side].open &&
		       !((c->list[0].value & POLLOUT) && is_taken(m, side, false));
	case CALL_shutdown:
		return m->end[side].open && !is_unclear(m, 0) && !is_unclear(m, 1);
	case CALL_close:
		return m->end[side].open && can_close(m, side);
	default:
		return true;
	}
}

static bool run_line(struct model *m, const struct call *c, int line)
{
	int side = c->a[0];

	if (!can_be_told(m, c))
		return false;
	if (sends(c) || receives(c)) {
		make_call(m, c, line);
		note_others(m);
		return true;
	}
	switch (c->number) {
	case CALL_socketpair:
		m->end[0].open = m->end[1].open = true;
		m->end[0].nonblock = m->end[1].nonblock = (c->a[2] & SOCK_NONBLOCK) != 0;
		note(m, "%d: 3 4\n", line);
		break;
	case CALL_thread:
		m->there[c->a[0]] = true;
		note(m, "%d: \n", line);
		break;
	case CALL_cancel:
		cancel(m, &m->actor[c->a[0]]);
		note_told(m, &m->actor[c->a[0]]);
		break;
	case CALL_shutdown:
		shut(m, side, c->a[1]);
		note(m, "%d: 0\n", line);
		break;
	case CALL_close:
		close_end(m, side);
		note(m, "%d: 0\n", line);
		break;
	case CALL_ioctl:
		if (c->a[1] == FIONREAD)
			note(m, "%d: 0 %zu\n", line, m->queue[!side].used);
		else
			note(m, "%d: 0 %s\n", line, m->queue[side].used ? "some" : "none");
		break;
	case CALL_poll:
		poll_one(m, c, line);
		break;
	default:
		return false;
	}
	settle(m);
	note_others(m);
	return true;
}

static struct model *fresh(size_t capacity, char *trace, size_t size)
{
	static struct model m;

	memset(&m, 0, sizeof(m));
	m.there[0] = true;
	m.capacity = capacity;
	m.trace = trace;
	m.size = size;
	trace[0] = '\0';
	return &m;
}

static void end(struct model *m)
{
	for (int i = 1; i < ACTORS; i++) {
		cancel(m, &m->actor[i]);
		note_told(m, &m->actor[i]);
	}
}

bool bounded_run(const struct program *program, size_t capacity, char *trace, size_t size)
{
	struct model *m = fresh(capacity, trace, size);

	for (int i = 0; i < program->lines; i++)
		if (!run_line(m, &program->line[i], i + 1))
			return false;
	end(m);
	return true;
}

/* ---- programs ---- */

static size_t a_length(struct random *r, size_t capacity)
{
	uint32_t some = capacity < 100000 ? (uint32_t)capacity : 100000;

	switch (random_below(r, 5)) {
	case 0:
		return random_below(r, 4);
	case 1:
		return 1 + random_below(r, some);
	case 2:
		return some > 1 ? some - random_below(r, 2) : 1;
	case 3:
		return some + random_below(r, 3);
	default:
		return 1 + random_below(r, some + some / 2);
	}
}

static void cut(struct random *r, struct call *c, size_t n)
{
	c->listed = (unsigned char)(1 + random_below(r, LIST_MAX));
	for (int i = 0; i < c->listed; i++) {
		size_t piece = i == c->listed - 1 ? n : random_below(r, (uint32_t)n + 1);
		c->list[i].value = (int)piece;
		n -= piece;
	}
}

static struct call transfer_call(struct random *r, const struct model *m, int actor)
{
	static const enum call_number in[] = {CALL_recv, CALL_recv, CALL_read, CALL_readv,
	                                      CALL_recvmsg};
	static const enum call_number out[] = {CALL_send, CALL_send, CALL_write, CALL_writev,
	                                       CALL_sendmsg};
	bool reads = actor == READER || (actor == 0 && random_below(r, 2));
	struct call c = {.number = (unsigned char)(reads ? in : out)[random_below(r, 5)],
	                 .actor = (unsigned char)actor,
	                 .may_wait = actor > 0,
	                 .a = {(int)random_below(r, 2)}};
	size_t n = a_length(r, m->capacity);

	if (strchr(call_kinds[c.number], KIND_LENGTHS))
		cut(r, &c, n);
	else
		c.a[1] = (int)n;
	if (!strchr(call_kinds[c.number], KIND_FLAGS))
		return c;
	if (reads)
		c.a[2] = (random_below(r, 4) ? 0 : MSG_PEEK) |
		         (random_below(r, 3) ? 0 : MSG_WAITALL);
	else if (c.number == CALL_send)
		c.a[2] = random_below(r, 2) ? MSG_NOSIGNAL : 0;
	return c;
}

static bool make_transfer(struct random *r, const struct model *m, int actor, struct call *c)
{
	*c = transfer_call(r, m, actor);
	if (actor > 0 || !would_wait(m, c))
		return true;
	if (c->number != CALL_recv && c->number != CALL_send)
		return false;
	c->a[2] |= MSG_DONTWAIT;
	return true;
}

static bool make_line(struct random *r, const struct model *m, struct call *c)
{
	int side = (int)random_below(r, 2), actor;

	*c = (struct call){.a = {side}};
	switch (random_below(r, 20)) {
	case 0 ... 9:
		return make_transfer(r, m, 0, c);
	case 10 ... 12:
		actor = READER + (int)random_below(r, 2);
		return make_transfer(r, m, actor, c);
	case 13 ... 14:
		c->number = CALL_ioctl;
		c->a[1] = random_below(r, 2) ? FIONREAD : TIOCOUTQ;
		return true;
	case 15 ... 16:
		c->number = CALL_poll;
		c->listed = 1;
		c->list[0].place = side;
		c->list[0].value =
		        (random_below(r, 2) ? POLLIN : 0) | (random_below(r, 2) ? POLLRDHUP : 0);
		if (!is_taken(m, side, false))
			c->list[0].value |= random_below(r, 3) ? POLLOUT : 0;
		return true;
	case 17:
		c->number = CALL_cancel;
		c->a[0] = READER + (int)random_below(r, 2);
		return m->actor[c->a[0]].waits;
	case 18:
		c->number = CALL_shutdown;
		c->a[1] = (int)random_below(r, 3);
		return random_below(r, 12) == 0;
	default:
		c->number = CALL_close;
		return random_below(r, 20) == 0;
	}
}

static void add(struct program *program, struct model *m, struct call c)
{
	program->line[program->lines++] = c;
	run_line(m, &program->line[program->lines - 1], program->lines);
}

void bounded_generate(struct program *program, uint64_t seed, size_t capacity, char *trace,
                      size_t size)
{
	struct random r = random_from(seed);
	struct model *m = fresh(capacity, trace, size);
	int lines = 10 + (int)random_below(&r, 80);
	struct call c;

	program->lines = 0;
	program->races = false;
	add(program, m,
	    (struct call){.number = CALL_socketpair,
	                  .a = {0, 1, random_below(&r, 4) ? 0 : SOCK_NONBLOCK}});
	add(program, m, (struct call){.number = CALL_thread, .a = {READER}});
	add(program, m, (struct call){.number = CALL_thread, .a = {WRITER}});
	for (int tries = 0; program->lines < lines && tries < 1000; tries++)
		if (make_line(&r, m, &c) && can_be_told(m, &c))
			add(program, m, c);
	end(m);
}
