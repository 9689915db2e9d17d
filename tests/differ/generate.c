/* Programs whose results the kernel and weir must agree on.
 *
 * What a call does to a pair is followed as far as needed to know three things: whether a
 * call may wait (then only an actor made for it makes it, with &); how much of the room is
 * taken (in between empty and full the kernel counts memory, and weir bytes); and who holds
 * what. Where this is not known any more, calls are made that never wait. */
#include "generate.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
	OBJECTS = 96,
	PAIRS = 4,
	CHARGE_MAX = 50000, /* the kernel still says writable */
	MESSAGE_CHARGE = 1300, /* what a small message costs there, at most */
	NIBBLED_MAX = 15000, /* of what fills a direction there is more than four times that */
	SPLICED_MAX = 10, /* messages: a pipe has 16 places (differences/) */
	ENTRIES_MAX = 64,
	ACTIONS_MAX = 32,
	TRIES = 20, /* for each line: what is not possible now makes none */
	ROOM = POLLOUT | POLLWRNORM,
};

enum object_kind { NOTHING, END, EPOLL, PIPE_READ, PIPE_WRITE, MEMFD };

struct object {
	enum object_kind kind;
	int pair;
	int side;
	int refs; /* places that stand for it */
	bool nonblock;
	bool peek_off;
	int lowest; /* SO_RCVLOWAT */
	bool watched_out;
	bool watched_edges;
	bool picky; /* a set with entries that are told of once */
	bool room_edges; /* a set with entries whose edges of room are not all told */
	bool entered; /* a set that is in another */
	bool timed;
	int peer; /* the other end */
};

/* One direction. */
struct way {
	int bytes; /* exact only while `known` */
	int charge;
	bool known;
	bool full;
	bool nibbled; /* ... no more: something was taken */
	int taken;
	int slack; /* what may be written again */
	bool unclear_room; /* what poll says of OUT is not the same */
	bool write_ended;
	bool read_ended;
};

struct pair {
	struct way way[2]; /* by the side that writes */
	bool uncertain; /* who holds its ends is not known */
};

/* What a set was given. */
struct entry {
	int set, object; /* -1: nothing */
	int place;
	int events;
	bool due; /* there is news that the set has not told */
	bool doubtful; /* it may have other events, or not be there */
};

struct place {
	int object; /* -1: nothing */
	bool cloexec;
};

enum waiting { WAITS_NOT, WAITS_READING, WAITS_WRITING, WAITS_MAYBE };

struct actor_state {
	bool there;
	int process;
	enum waiting waiting;
	int pair, side; /* of the way that it waits in: the writer's */
	int left; /* what it would take */
	int needed; /* what ends it */
	bool peeks;
	int place; /* what it waits with */
};

struct world {
	struct random random;
	struct program *program;
	struct object object[OBJECTS];
	struct pair pair[PAIRS];
	struct place place[ACTORS][PLACES];
	struct actor_state actor[ACTORS];
	struct entry entry[ENTRIES_MAX];
	int weight[ACTIONS_MAX], weights; /* by action */
	int entries;
	int objects;
	int pairs;
	int wanted; /* lines */
	int filled_object; /* -1: no fill is to be undone */
	bool restarts[ACTORS]; /* by process: what its handler of SIGUSR1 does */
	bool handler_sends; /* that of the first process */
	bool urgent; /* MSG_OOB */
	bool races; /* calls whose results time decides, too */
	bool blind; /* after close_range: which places hold what is not known any more */
	bool over;
};

struct random random_from(uint64_t seed)
{
	struct random r = {seed * UINT64_C(0x9e3779b97f4a7c15) + UINT64_C(0xd1b54a32d192ed03)};

	return r;
}

/* splitmix64 */
uint32_t random_below(struct random *random, uint32_t bound)
{
	uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return (uint32_t)(((z >> 32) * bound) >> 32);
}

static int below(struct world *w, int bound)
{
	return (int)random_below(&w->random, (uint32_t)bound);
}

static bool one_in(struct world *w, int n)
{
	return below(w, n) == 0;
}

/* ---- lines ---- */

static struct call *add(struct world *w, int actor, enum call_number number)
{
	if (w->program->lines >= LINES_MAX - 1) {
		w->over = true;
		w->program->lines = LINES_MAX - 1;
	}
	struct call *c = &w->program->line[w->program->lines++];
	*c = (struct call){.number = (unsigned char)number, .actor = (unsigned char)actor};
	return c;
}

/* ---- what there is ---- */

static struct object *object_at(struct world *w, int process, int place)
{
	int object = w->place[process][place].object;

	return object < 0 ? NULL : &w->object[object];
}

static int new_object(struct world *w, enum object_kind kind)
{
	w->object[w->objects] = (struct object){.kind = kind, .refs = 0, .lowest = 1};
	return w->objects++;
}

static int free_place(struct world *w, int process)
{
	int start = below(w, PLACES);

	for (int i = 0; i < PLACES; i++)
		if (w->place[process][(start + i) % PLACES].object < 0)
			return (start + i) % PLACES;
	return -1;
}

/* A random place that holds something of the kind; -1: none does. */
static int place_of(struct world *w, int process, enum object_kind kind)
{
	int start = below(w, PLACES);

	for (int i = 0; i < PLACES; i++) {
		struct object *o = object_at(w, process, (start + i) % PLACES);
		if (o && o->kind == kind)
			return (start + i) % PLACES;
	}
	return -1;
}

/* Mostly an open end; now and then a place that holds nothing. */
static int an_end(struct world *w, int process)
{
	if (one_in(w, 60))
		return free_place(w, process) >= 0 ? free_place(w, process) : 0;
	return place_of(w, process, END);
}

static struct way *way_in(struct world *w, const struct object *o)
{
	return &w->pair[o->pair].way[!o->side];
}

static struct way *way_out(struct world *w, const struct object *o)
{
	return &w->pair[o->pair].way[o->side];
}

/* Of those that it is in: deeper than that is not followed. */
static void news_of_set(struct world *w, int set)
{
	for (int i = 0; i < w->entries; i++)
		if (w->entry[i].object == set && (w->entry[i].events & (POLLIN | POLLRDNORM)))
			w->entry[i].due = true;
}

/* Who watches the end is told: of these events, or, without any, of whatever is so now. And who
 * watches a set, that there is something in it. */
static void news(struct world *w, int object, int events)
{
	for (int i = 0; i < w->entries; i++) {
		struct entry *e = &w->entry[i];
		if (e->object != object || (events && !(e->events & events)))
			continue;
		e->due = true;
		if (!(e->events & EPOLLONESHOT) && w->object[e->set].entered && e->set != object)
			news_of_set(w, e->set);
	}
}

static void empty(struct way *way)
{
	way->bytes = 0;
	way->charge = 0;
	way->known = true;
	way->unclear_room = false;
}

static void put_at(struct world *w, int process, int place, int object, bool cloexec)
{
	w->place[process][place] = (struct place){object, cloexec};
	w->object[object].refs++;
}

/* Somebody who waits in the way is woken, or not: no more is known of him. */
static void disturb(struct world *w, int pair, int side)
{
	for (int i = 0; i < ACTORS; i++) {
		struct actor_state *a = &w->actor[i];
		if ((a->waiting == WAITS_READING || a->waiting == WAITS_WRITING) &&
		    a->pair == pair && a->side == side) {
			a->waiting = WAITS_MAYBE;
			w->pair[pair].way[side].known = false;
		}
	}
}

static void end_has_gone(struct world *w, struct object *o)
{
	struct way *in = way_in(w, o), *out = way_out(w, o);

	in->write_ended = in->read_ended = true;
	out->write_ended = out->read_ended = true;
	in->full = in->nibbled = false;
	disturb(w, o->pair, 0);
	disturb(w, o->pair, 1);
	if (!w->pair[o->pair].uncertain)
		news(w, o->peer, 0);
}

/* Of two who wait at the other end, only time tells who hears of the end's reset. */
static bool two_wait(struct world *w, const struct object *o)
{
	int waiting = 0;

	for (int i = 0; i < ACTORS; i++)
		waiting += w->actor[i].waiting != WAITS_NOT && w->actor[i].pair == o->pair;
	return waiting > 1;
}

/* What is closed while a call waits in it is beyond libweir (differences/). */
static bool is_in_use(struct world *w, int process, int place)
{
	const struct object *o = object_at(w, process, place);

	if (o && o->kind == END && o->refs == 1 && two_wait(w, o) && !w->races)
		return true;
	for (int i = 0; i < ACTORS; i++) {
		const struct actor_state *a = &w->actor[i];
		if (a->waiting != WAITS_NOT && a->process == process &&
		    (a->pair < 0 || a->place == place))
			return true;
	}
	return false;
}

/* Its number may be another's next, while a set still has it. */
static void doubt_entries(struct world *w, int object, int place)
{
	for (int i = 0; i < w->entries; i++)
		if (w->entry[i].object == object && w->entry[i].place == place)
			w->entry[i].doubtful = true;
}

static void drop(struct world *w, int process, int place)
{
	struct object *o = object_at(w, process, place);

	doubt_entries(w, w->place[process][place].object, place);
	w->place[process][place].object = -1;
	if (!o || --o->refs > 0 || o->kind != END)
		return;
	/* A call that still waits in it keeps it. */
	for (int i = 0; i < ACTORS; i++)
		if (w->actor[i].waiting != WAITS_NOT)
			w->pair[o->pair].uncertain = true;
	end_has_gone(w, o);
}

/* ---- lengths and flags ---- */

static int a_length(struct world *w)
{
	switch (below(w, 12)) {
	case 0:
		return 1;
	case 1:
		return 2;
	case 2:
		return 64;
	case 3:
		return below(w, 4) ? below(w, 300) : 0;
	case 4:
		return below(w, 5000);
	case 5:
		return 4095 + below(w, 3);
	case 6:
		return below(w, 3000);
	default:
		return 1 + below(w, 40);
	}
}

static int lengths(struct world *w, struct call *c)
{
	int total = 0;

	c->listed = (unsigned char)below(w, LIST_MAX + 1);
	for (int i = 0; i < c->listed; i++) {
		c->list[i].value = one_in(w, 5) ? 0 : a_length(w) / (i + 1);
		total += c->list[i].value;
	}
	return total;
}

static int receive_flags(struct world *w)
{
	static const int rare[] = {MSG_TRUNC,   MSG_CMSG_CLOEXEC, MSG_NOSIGNAL, MSG_MORE,
	                           MSG_CTRUNC,  MSG_DONTROUTE,    MSG_EOR,      MSG_WAITFORONE,
	                           MSG_CONFIRM, MSG_FIN};
	int flags = 0;

	if (one_in(w, 4))
		flags |= MSG_PEEK;
	if (one_in(w, 5))
		flags |= MSG_WAITALL;
	if (one_in(w, 12))
		flags |= rare[below(w, sizeof(rare) / sizeof(rare[0]))];
	if (one_in(w, 60))
		flags |= MSG_ERRQUEUE;
	if (w->urgent && one_in(w, 6))
		flags |= MSG_OOB;
	return flags;
}

static int send_flags(struct world *w)
{
	static const int rare[] = {MSG_MORE,     MSG_EOR,  MSG_DONTROUTE, MSG_CONFIRM,
	                           MSG_ZEROCOPY, MSG_PEEK, MSG_WAITALL,   MSG_TRUNC};
	int flags = one_in(w, 3) ? MSG_NOSIGNAL : 0;

	if (one_in(w, 12))
		flags |= rare[below(w, sizeof(rare) / sizeof(rare[0]))];
	if (w->urgent && one_in(w, 5))
		flags |= MSG_OOB;
	return flags;
}

static bool has_flags(enum call_number number)
{
	return strchr(call_kinds[number], KIND_FLAGS) != NULL;
}

static void set_flags(struct call *c, int flags)
{
	if (has_flags(c->number))
		c->a[2] = flags;
}

/* ---- receiving ---- */

static bool waits(struct world *w, enum waiting how, int pair, int side)
{
	for (int i = 0; i < ACTORS; i++) {
		const struct actor_state *a = &w->actor[i];
		if ((a->waiting == how || a->waiting == WAITS_MAYBE) && a->pair == pair &&
		    a->side == side)
			return true;
	}
	return false;
}

/* Another actor waits to receive what this end receives. */
static bool is_read(struct world *w, const struct object *o)
{
	return waits(w, WAITS_READING, o->pair, !o->side);
}

/* The same of what this end sends. */
static bool is_awaited(struct world *w, const struct object *o)
{
	return waits(w, WAITS_READING, o->pair, o->side);
}

static bool is_written(struct world *w, const struct object *o)
{
	return waits(w, WAITS_WRITING, o->pair, o->side);
}

static bool is_nonblocking(const struct world *w, const struct object *o)
{
	return o->nonblock && !w->blind;
}

static bool is_certain(struct world *w, const struct object *o, const struct way *way)
{
	return way->known && !w->pair[o->pair].uncertain;
}

/* How many bytes end a receive. */
static int target_of(const struct object *o, int length, int flags)
{
	int lowest = (flags & MSG_WAITALL) || o->lowest > length ? length : o->lowest;

	return (flags & MSG_PEEK) || lowest < 1 ? 1 : lowest;
}

/* What has come is less than what ends the call, or that is not known. */
static bool receive_may_wait(struct world *w, const struct object *o, int length, int flags,
                             int messages)
{
	const struct way *in = way_in(w, o);

	if ((flags & MSG_DONTWAIT) || is_nonblocking(w, o))
		return false;
	if (!is_certain(w, o, in) || messages > 1 || o->timed)
		return true;
	if ((flags & MSG_PEEK) && o->peek_off)
		return true;
	return !in->write_ended && in->bytes < target_of(o, length, flags);
}

static void take(struct world *w, const struct object *o, int n, int flags)
{
	struct way *in = way_in(w, o);

	if (flags & (MSG_PEEK | MSG_OOB))
		return;
	in->bytes = in->bytes > n ? in->bytes - n : 0;
	if (in->known && in->bytes == 0)
		empty(in);
}

/* One who is woken to read and one who is woken to look: whether there is still something
 * to see, only time tells. */
static bool anybody(struct world *w, bool looks)
{
	for (int i = 0; i < ACTORS; i++)
		if (w->actor[i].waiting != WAITS_NOT && (w->actor[i].pair < 0) == looks)
			return true;
	return false;
}

/* Surely waits, and the bytes that will end it are counted. */
static bool wait_reading(struct world *w, int actor, const struct object *o, int length, int flags)
{
	const struct way *in = way_in(w, o);
	struct actor_state *a = &w->actor[actor];

	if (!is_certain(w, o, in) || o->timed || o->peek_off || in->write_ended ||
	    (flags & (MSG_OOB | MSG_ERRQUEUE)) || length == 0 || (anybody(w, true) && !w->races))
		return false;
	*a = (struct actor_state){.there = true,
	                          .process = a->process,
	                          .waiting = WAITS_READING,
	                          .pair = o->pair,
	                          .side = !o->side,
	                          .left = length - in->bytes,
	                          .needed = target_of(o, length, flags) - in->bytes,
	                          .peeks = (flags & MSG_PEEK) != 0,
	                          .place = -1};
	return true;
}

static bool has_nothing(const struct call *c, int length)
{
	bool nothing = length == 0;

	bool many = c->number == CALL_recvmmsg || c->number == CALL_recvmmsgt;

	for (int i = 0; many && i < c->listed; i++)
		nothing |= c->list[i].value == 0;
	return nothing;
}

static void receive(struct world *w, int actor, int place, enum call_number number)
{
	int process = w->actor[actor].process;
	struct object *o = object_at(w, process, place);
	struct call *c = add(w, actor, number);
	int flags = has_flags(number) ? receive_flags(w) : 0;
	bool lists = strchr(call_kinds[number], KIND_LENGTHS) != NULL;
	int length;

	c->a[0] = place;
	if (lists)
		length = lengths(w, c);
	else
		c->a[1] = length = a_length(w);
	if (number == CALL_recvfd && (c->a[3] = free_place(w, process)) < 0)
		c->number = number = CALL_recvmsg;
	if (number == CALL_recvmmsgt)
		c->a[3] = below(w, 2) * 100000;
	if (number == CALL_preadv2f)
		c->a[2] = one_in(w, 2) ? 8 : 1 << below(w, 6); /* RWF_NOWAIT, or others */
	int messages = number == CALL_recvmmsg || number == CALL_recvmmsgt ? c->listed : 1;
	/* A peek of nothing sees what is behind; recvmmsg may lose a reset (differences/). */
	if (has_nothing(c, length))
		flags &= ~MSG_PEEK;
	if (number == CALL_recvmmsg || number == CALL_recvmmsgt)
		flags &= ~MSG_ERRQUEUE;
	/* An empty vector of readv, and read of nothing, never wait. */
	bool nothing = length == 0 && !has_flags(number);
	if (!o || o->kind != END) {
		set_flags(c, flags | MSG_DONTWAIT);
		return;
	}
	struct way *in = way_in(w, o);
	if (in->full)
		flags |= MSG_PEEK | MSG_DONTWAIT;
	if (!nothing && receive_may_wait(w, o, length, flags, messages)) {
		if (actor > 0 && !in->full && messages == 1 && number != CALL_preadv2f &&
		    !is_read(w, o) && one_in(w, 2) && wait_reading(w, actor, o, length, flags)) {
			w->actor[actor].place = place;
			c->may_wait = true;
			set_flags(c, flags);
			if (!in->known || in->bytes)
				empty(in);
			return;
		}
		flags |= MSG_DONTWAIT;
	}
	if ((in->full || (flags & MSG_DONTWAIT)) && !has_flags(number)) {
		if (in->full || !(is_nonblocking(w, o) || nothing)) {
			*c = (struct call){.number = CALL_recv,
			                   .actor = (unsigned char)actor,
			                   .a = {place, length, flags}};
			messages = 1;
		}
	}
	set_flags(c, flags);
	if (is_read(w, o) && in->bytes == 0)
		return;
	/* The one may be refused, the other end with the first message. */
	if (number == CALL_preadv2f || number == CALL_recvmmsgt)
		in->known = false;
	take(w, o, length, flags);
}

/* ---- sending ---- */

/* Bytes have come to who waits for them. */
static void feed(struct world *w, const struct object *o, int n)
{
	struct way *out = way_out(w, o);

	for (int i = 0; i < ACTORS; i++) {
		struct actor_state *a = &w->actor[i];
		if (a->waiting != WAITS_READING || a->pair != o->pair || a->side != o->side)
			continue;
		int eaten = n < a->left ? n : a->left;
		a->left -= eaten;
		a->needed -= eaten;
		if (a->needed <= 0)
			a->waiting = WAITS_NOT;
		n -= a->peeks ? 0 : eaten;
		if (n == 0 && out->bytes == 0)
			out->charge = 0;
	}
	out->bytes += n;
	if (is_certain(w, o, out))
		news(w, o->peer, POLLIN | POLLRDNORM);
}

/* Who asks for room of a full direction makes an edge (differences/). */
static bool asking_is_seen(struct world *w, const struct object *o)
{
	return way_out(w, o)->full && w->object[o->peer].watched_edges;
}

static bool fits(const struct way *out, int length, int messages)
{
	return out->charge + length + length / 3 + messages * MESSAGE_CHARGE <= CHARGE_MAX;
}

static void send_bytes(struct world *w, int actor, int place, enum call_number number)
{
	int process = w->actor[actor].process;
	struct object *o = object_at(w, process, place);
	struct call *c = add(w, actor, number);
	int flags = has_flags(number) ? send_flags(w) : 0;
	bool lists = strchr(call_kinds[number], KIND_LENGTHS) != NULL;
	int length;

	c->a[0] = place;
	if (lists)
		length = lengths(w, c);
	else
		c->a[1] = length = a_length(w);
	/* The kernel has room behind a full ring (differences/). A byte that ends the bells comes
	 * first: who looks is woken by that, and sees it, or both. */
	if (o && o->kind == END &&
	    (way_out(w, o)->full || anybody(w, true)))
		flags &= ~MSG_OOB;
	if (number == CALL_sendcred && o && o->kind == END &&
	    (way_out(w, o)->full || anybody(w, true)))
		c->number = number = CALL_sendmsg; /* as urgent data (differences/) */
	if (number == CALL_pwritev2f) /* RWF_NOWAIT and others: what comes of it is not followed */
		c->a[2] = one_in(w, 2) ? 8 : 1 << below(w, 6);
	if (number == CALL_sendcred || number == CALL_pwritev2f || (flags & MSG_OOB)) {
		if (o && o->kind == END)
			way_out(w, o)->known = false;
	}
	set_flags(c, flags);
	if (!o || o->kind != END)
		return;
	struct way *out = way_out(w, o);
	int messages = number == CALL_sendmmsg ? c->listed : 1 + length / 16384;
	/* How many come before he looks, only time tells. */
	if (messages > 1 && (is_awaited(w, o) || anybody(w, true))) {
		if (!w->races || out->nibbled || out->full) {
			w->program->lines--;
			return;
		}
		disturb(w, o->pair, o->side);
	}
	if (out->nibbled) {
		if (messages > 1 || length > out->slack || length == 0 || out->write_ended ||
		    (flags & MSG_OOB)) {
			w->program->lines--;
			return;
		}
		out->slack -= length + MESSAGE_CHARGE;
		out->bytes += length;
		out->charge += length + length / 3 + MESSAGE_CHARGE;
		return;
	}
	if (out->full || !fits(out, length, messages)) {
		if (out->full && !out->write_ended && actor > 0 && length > 0 && length <= 4096 &&
		    messages == 1 && !is_nonblocking(w, o) && !o->timed && is_certain(w, o, out) &&
		    !is_written(w, o) && !asking_is_seen(w, o) && one_in(w, 2)) {
			c->may_wait = true;
			struct actor_state *a = &w->actor[actor];
			*a = (struct actor_state){.there = true,
			                          .process = a->process,
			                          .waiting = WAITS_WRITING,
			                          .pair = o->pair,
			                          .side = o->side,
			                          .left = length,
			                          .place = place};
			return;
		}
		if (!out->full)
			w->program->lines--;
		else if (has_flags(number))
			set_flags(c, flags | MSG_DONTWAIT);
		else if (!is_nonblocking(w, o))
			*c = (struct call){.number = CALL_send,
			                   .actor = (unsigned char)actor,
			                   .a = {place, length, MSG_DONTWAIT}};
		return;
	}
	if (out->write_ended)
		return;
	if (length == 0)
		return;
	out->charge += length + length / 3 + messages * MESSAGE_CHARGE;
	if ((flags & MSG_OOB) || number == CALL_pwritev2f) /* who waits may get less, or nothing */
		disturb(w, o->pair, o->side);
	else
		feed(w, o, length);
}

/* Calls that cannot be: what they do to bytes that are there is not followed. */
static void misuse(struct world *w, int actor, int place, enum call_number number)
{
	struct object *o = object_at(w, w->actor[actor].process, place);

	if (o && o->kind == END &&
	    (way_in(w, o)->full || way_out(w, o)->nibbled || !fits(way_out(w, o), 100, 1)))
		return;
	struct call *c = add(w, actor, number);
	c->a[0] = place;
	c->a[1] = below(w, 64);
	c->a[2] = receive_flags(w) & (MSG_PEEK | MSG_WAITALL | MSG_TRUNC);
	c->a[3] = below(w, 3);
	if (!o || o->kind != END)
		return;
	struct way *way = number == CALL_recvbad ? way_in(w, o) : way_out(w, o);
	way->known = false;
	way->charge += 100 + MESSAGE_CHARGE;
	disturb(w, o->pair, number == CALL_recvbad ? !o->side : o->side);
}

/* More than the kernel calls writable, but not more than fits. */
static void send_much(struct world *w, int actor, int place)
{
	struct object *o = object_at(w, w->actor[actor].process, place);

	if (!o || o->kind != END)
		return;
	struct way *out = way_out(w, o);
	if (out->write_ended || !is_certain(w, o, out) || out->charge || out->full ||
	    o->watched_out || is_awaited(w, o))
		return;
	struct call *c = add(w, actor, one_in(w, 2) ? CALL_send : CALL_write);
	c->a[0] = place;
	c->a[1] = 54000 + below(w, 60000);
	out->bytes += c->a[1];
	out->charge = CHARGE_MAX;
	out->unclear_room = true;
}

static void fill(struct world *w, int actor, int place)
{
	struct object *o = object_at(w, w->actor[actor].process, place);

	if (!o || o->kind != END || w->filled_object >= 0)
		return;
	struct way *out = way_out(w, o);
	if (out->write_ended || out->charge || !is_certain(w, o, out) || is_awaited(w, o) ||
	    (anybody(w, true) && !w->races))
		return;
	struct call *c = add(w, actor, CALL_fill);
	c->a[0] = place;
	c->a[1] = one_in(w, 2) ? 500 + below(w, 4000) : 10000 + below(w, 50000);
	out->full = true;
	out->nibbled = false;
	out->taken = 0;
	/* A message is gone when all of it is, and one more than had room went in. */
	out->slack = -2 * c->a[1];
	w->filled_object = (int)(o - w->object);
}

/* Takes something of what fills. Who waits for room finds it now, or not. */
static void nibble(struct world *w, const struct object *filled, int actor, int place)
{
	struct way *out = way_out(w, filled);

	if (is_written(w, filled) || out->write_ended || anybody(w, true) || filled->watched_out ||
	    out->taken > NIBBLED_MAX / 2)
		return;
	struct call *c = add(w, actor, CALL_nibble);
	c->a[0] = place;
	c->a[1] = 1 + below(w, NIBBLED_MAX / 2);
	c->a[2] = below(w, 3);
	out->taken += c->a[1];
	out->slack += c->a[1];
	out->nibbled = true;
	out->unclear_room = true;
}

/* By an actor that holds the other end: takes all of what fills, or a part. */
static bool unfill(struct world *w, bool all)
{
	const struct object *filled = &w->object[w->filled_object];
	struct way *out = way_out(w, filled);

	if (w->pair[filled->pair].uncertain)
		return false;
	for (int actor = 0; actor < ACTORS; actor++) {
		if (!w->actor[actor].there || w->actor[actor].waiting != WAITS_NOT)
			continue;
		for (int i = 0; i < PLACES; i++) {
			struct object *o = object_at(w, w->actor[actor].process, i);
			if (!o || o->kind != END || o->pair != filled->pair ||
			    o->side == filled->side)
				continue;
			if (!all) {
				nibble(w, filled, actor, i);
				return true;
			}
			int bytes = out->nibbled ? out->bytes : 0, charge = out->charge;
			add(w, actor, CALL_unfill)->a[0] = i;
			out->full = out->nibbled = false;
			empty(out);
			if (bytes) { /* written behind what filled */
				out->bytes = bytes;
				out->charge = charge;
			}
			news(w, w->filled_object, ROOM);
			w->filled_object = -1;
			/* Who waited writes now. */
			for (int k = 0; k < ACTORS; k++) {
				struct actor_state *a = &w->actor[k];
				if (a->waiting != WAITS_WRITING || a->pair != filled->pair ||
				    a->side != filled->side)
					continue;
				a->waiting = WAITS_NOT;
				if (out->write_ended)
					continue;
				out->bytes += a->left;
				out->charge += a->left + a->left / 3 + MESSAGE_CHARGE;
			}
			return true;
		}
	}
	return false;
}

/* ---- descriptors ---- */

static void open_pair(struct world *w, int actor)
{
	int process = w->actor[actor].process;
	int a = free_place(w, process);

	if (a < 0 || w->pairs == PAIRS || w->objects > OBJECTS - 8)
		return;
	int flags = (one_in(w, 3) ? SOCK_NONBLOCK : 0) | (one_in(w, 4) ? SOCK_CLOEXEC : 0);
	int first = new_object(w, END), second = new_object(w, END);
	w->object[first].pair = w->object[second].pair = w->pairs;
	w->object[second].side = 1;
	w->object[first].peer = second;
	w->object[second].peer = first;
	w->object[first].nonblock = w->object[second].nonblock = (flags & SOCK_NONBLOCK) != 0;
	empty(&w->pair[w->pairs].way[0]);
	empty(&w->pair[w->pairs].way[1]);
	w->pair[w->pairs].uncertain = w->blind;
	w->pairs++;
	put_at(w, process, a, first, (flags & SOCK_CLOEXEC) != 0);
	int b = free_place(w, process);
	if (b < 0) {
		w->place[process][a].object = -1;
		return;
	}
	put_at(w, process, b, second, (flags & SOCK_CLOEXEC) != 0);
	struct call *c = add(w, actor, CALL_socketpair);
	c->a[0] = a;
	c->a[1] = b;
	c->a[2] = flags;
}

static void close_one(struct world *w, int actor)
{
	int process = w->actor[actor].process;
	int place = one_in(w, 15) ? below(w, PLACES) : place_of(w, process, END);

	if (place < 0 || is_in_use(w, process, place))
		return;
	add(w, actor, CALL_close)->a[0] = place;
	drop(w, process, place);
}

static void duplicate(struct world *w, int actor)
{
	int process = w->actor[actor].process;
	int old = one_in(w, 8) ? below(w, PLACES) : place_of(w, process, END);
	int object = old < 0 ? -1 : w->place[process][old].object;
	bool over = one_in(w, 3);
	int new = over ? below(w, PLACES) : free_place(w, process);

	if (old < 0 || new < 0 || is_in_use(w, process, new))
		return;
	if (!over) {
		struct call *c = add(w, actor, one_in(w, 2) ? CALL_dup : CALL_dup_to);
		c->a[0] = old;
		c->a[1] = new;
		c->a[2] = c->number == CALL_dup ? 0 : below(w, 100);
		if (object >= 0)
			put_at(w, process, new, object,
			       c->number == CALL_dup_to && c->a[2] % 2 == 0);
		return;
	}
	struct call *c = add(w, actor, one_in(w, 2) ? CALL_dup2 : CALL_dup3);
	c->a[0] = old;
	c->a[1] = new;
	c->a[2] = c->number == CALL_dup3 && one_in(w, 2) ? O_CLOEXEC : 0;
	if (object < 0 || w->place[process][new].object < 0 || old == new)
		return;
	w->object[object].refs++;
	drop(w, process, new);
	w->object[object].refs--;
	put_at(w, process, new, object, c->a[2] != 0);
}

static void close_some(struct world *w, int actor)
{
	for (int i = 0; i < ACTORS; i++)
		if (w->actor[i].waiting != WAITS_NOT)
			return;
	struct call *c = add(w, actor, CALL_close_range);

	/* Places that were opened one after the other have neighbouring numbers, but which
	 * descriptors lie between two is not followed: after this nothing is certain. */
	c->a[0] = below(w, PLACES);
	c->a[1] = below(w, PLACES);
	w->blind = true;
	for (int i = 0; i < w->pairs; i++)
		w->pair[i].uncertain = true;
}

static void shut(struct world *w, int actor)
{
	int process = w->actor[actor].process, place = an_end(w, process);

	if (place < 0)
		return;
	struct object *o = object_at(w, process, place);
	/* Who waits for room of a full direction that is shut looks again in a while: how soon he
	 * sees room, only time tells. Who watches it is told of room by its end (differences/). */
	if (o && o->kind == END && (way_out(w, o)->full || way_in(w, o)->full) && anybody(w, true) && !w->races)
		return;
	if (o && o->kind == END &&
	    ((way_out(w, o)->full && o->watched_out) ||
	     (way_in(w, o)->full && w->object[o->peer].watched_out)))
		return;
	struct call *c = add(w, actor, CALL_shutdown);
	c->a[0] = place;
	c->a[1] = one_in(w, 30) ? 7 : below(w, 3);
	if (!o || o->kind != END || c->a[1] > 2)
		return;
	news(w, w->place[process][place].object, 0);
	news(w, o->peer, 0);
	if (c->a[1] != SHUT_RD) {
		way_out(w, o)->write_ended = true;
		way_out(w, o)->unclear_room |= way_out(w, o)->full; /* to epoll (differences/) */
		disturb(w, o->pair, o->side);
	}
	if (c->a[1] != SHUT_WR) {
		way_in(w, o)->write_ended = true;
		way_in(w, o)->unclear_room |= way_in(w, o)->full;
		disturb(w, o->pair, !o->side);
	}
}

/* Can somebody receive at once what the end sends, with descriptors? */
static bool has_receiver(struct world *w, const struct object *o)
{
	for (int i = 0; i < ACTORS; i++) {
		int process = w->actor[i].process;
		if (!w->actor[i].there || w->actor[i].waiting != WAITS_NOT ||
		    free_place(w, process) < 0)
			continue;
		for (int k = 0; k < PLACES; k++)
			if (w->place[process][k].object == o->peer)
				return true;
	}
	return false;
}

static void pass(struct world *w, int actor)
{
	int process = w->actor[actor].process;
	int by = place_of(w, process, END), what = below(w, PLACES);
	struct object *o = by < 0 ? NULL : object_at(w, process, by);
	int object = w->place[process][what].object;

	if (!o || way_out(w, o)->full || !fits(way_out(w, o), 100, 1))
		return;
	if (object >= 0 && w->object[object].kind == EPOLL)
		return;
	struct way *out = way_out(w, o);
	bool clean = is_certain(w, o, out) && !out->write_ended && !is_awaited(w, o);
	/* An end that is left under way may be in its own queue: when such garbage is collected,
	 * only time tells. */
	if (object >= 0 && w->object[object].kind == END &&
	    !(clean && out->bytes == 0 && has_receiver(w, o)))
		return;
	/* differences/peer-dropped-in-recvmmsg.txt */
	if (object >= 0 && w->object[object].kind == END && w->object[object].pair == o->pair)
		return;
	struct call *c = add(w, actor, one_in(w, 4) ? CALL_sendfds : CALL_sendfd);
	c->a[0] = by;
	c->a[3] = what;
	c->a[4] = c->number == CALL_sendfds ? what : 0; /* twice */
	c->a[2] = send_flags(w) & ~MSG_OOB;
	int total = lengths(w, c);
	if (total == 0) {
		c->listed = 1;
		c->list[0].value = total = 1 + below(w, 20);
	}
	if (total > 100)
		c->listed = 1, c->list[0].value = total = below(w, 100) + 1;
	disturb(w, o->pair, o->side);
	out->charge += MESSAGE_CHARGE + total;
	out->bytes += total;
	clean &= out->bytes <= 100; /* all is received at once */
	/* A receiver among those who can, at once. */
	for (int i = 0; clean && object >= 0 && i < ACTORS; i++) {
		int receiver = (i + below(w, ACTORS)) % ACTORS;
		if (!w->actor[receiver].there || w->actor[receiver].waiting != WAITS_NOT)
			continue;
		int other = w->actor[receiver].process;
		for (int k = 0; k < PLACES; k++) {
			struct object *peer = object_at(w, other, k);
			if (!peer || peer->kind != END || peer->pair != o->pair ||
			    peer->side == o->side)
				continue;
			int into = free_place(w, other);
			if (into < 0)
				continue;
			struct call *r = add(w, receiver, CALL_recvfd);
			r->a[0] = k;
			r->listed = 2;
			r->list[0].value = below(w, 10);
			r->list[1].value = 100 + below(w, 50);
			r->a[2] = MSG_DONTWAIT | (one_in(w, 3) ? MSG_CMSG_CLOEXEC : 0);
			r->a[3] = into;
			put_at(w, other, into, object, r->a[2] & MSG_CMSG_CLOEXEC);
			empty(out);
			return;
		}
	}
	out->known = false;
	if (object < 0)
		return;
	w->object[object].refs++; /* the message stands for it, who knows how long */
	if (w->object[object].kind == END)
		w->pair[w->object[object].pair].uncertain = true;
}

/* ---- state ---- */

static void ask_state(struct world *w, int actor)
{
	static const int asked[] = {SO_RCVLOWAT,  SO_PEEK_OFF, SO_SNDBUF,   SO_RCVBUF,
	                            SO_ERROR,     SO_TYPE,     SO_DOMAIN,   SO_ACCEPTCONN,
	                            SO_KEEPALIVE, SO_PEERCRED, SO_PASSCRED, SO_RCVTIMEO,
	                            SO_SNDTIMEO,  SO_OOBINLINE};
	static const int requests[] = {FIONREAD, FIONREAD, TIOCOUTQ, 0x8905, 0x12345};
	int process = w->actor[actor].process, place = an_end(w, process);

	if (place < 0)
		return;
	struct object *o = object_at(w, process, place);
	bool full = o && o->kind == END && (way_in(w, o)->full);
	struct call *c;
	switch (below(w, 4)) {
	case 0:
		c = add(w, actor, one_in(w, 3) ? CALL_getfd : CALL_getfl);
		break;
	case 1:
		c = add(w, actor, CALL_getsockopt);
		c->a[1] = asked[below(w, sizeof(asked) / sizeof(asked[0]))];
		break;
	default:
		c = add(w, actor, CALL_ioctl);
		c->a[1] = requests[below(w, sizeof(requests) / sizeof(requests[0]))];
		if (full && c->a[1] == FIONREAD)
			c->a[1] = TIOCOUTQ;
		break;
	}
	c->a[0] = place;
}

static void set_state(struct world *w, int actor)
{
	int process = w->actor[actor].process, place = an_end(w, process);

	if (place < 0)
		return;
	struct object *o = object_at(w, process, place);
	bool end = o && o->kind == END;
	struct call *c;
	int what = below(w, 9);
	if (what == 6 && (w->urgent || anybody(w, false))) /* (differences/) */
		return;
	if (what < 3 && anybody(w, false)) /* a waiting call must not see it (differences/) */
		return;
	switch (what) {
	case 0:
	case 1:
		c = add(w, actor, CALL_setfl);
		c->a[1] = one_in(w, 2) ? O_NONBLOCK : 0;
		if (end)
			o->nonblock = c->a[1] != 0;
		break;
	case 2:
		c = add(w, actor, CALL_ioctl);
		c->a[1] = FIONBIO;
		c->a[2] = below(w, 2);
		if (end)
			o->nonblock = c->a[2] != 0;
		break;
	case 3:
		c = add(w, actor, one_in(w, 2) ? CALL_setfd : CALL_ioctl);
		c->a[1] = c->number == CALL_setfd ? below(w, 2) : one_in(w, 2) ? FIOCLEX : FIONCLEX;
		if (o)
			w->place[process][place].cloexec =
			        c->number == CALL_setfd ? c->a[1] != 0 : c->a[1] == FIOCLEX;
		break;
	case 4:
	case 5:
		if (anybody(w, false))
			return;
		c = add(w, actor, CALL_setsockopt);
		c->a[1] = SO_RCVLOWAT;
		c->a[2] = one_in(w, 3) ? below(w, 20) : 1;
		if (end)
			o->lowest = c->a[2] > 1 ? c->a[2] : 1;
		break;
	case 6:
		c = add(w, actor, CALL_setsockopt);
		c->a[1] = SO_PEEK_OFF;
		c->a[2] = below(w, 30) - 1 /* less is kept by the kernel as it is (differences/) */;
		if (end)
			o->peek_off = true;
		break;
	case 7:
		c = add(w, actor, CALL_setsockopt);
		c->a[1] = one_in(w, 2) ? SO_SNDBUF : SO_RCVBUF;
		c->a[2] = 106496 * (2 + below(w, 3));
		if (end && w->filled_object >= 0 && w->object[w->filled_object].pair == o->pair)
			c->a[1] = SO_RCVBUF;
		break;
	default:
		c = add(w, actor, CALL_setsockopt);
		c->a[1] = one_in(w, 3) ? SO_PASSCRED : one_in(w, 2) ? SO_KEEPALIVE : SO_LINGER;
		c->a[2] = below(w, 2);
		if (end && c->a[1] == SO_PASSCRED &&
		    (way_in(w, o)->bytes || way_in(w, o)->full || !way_in(w, o)->known ||
		     anybody(w, false)))
			c->a[1] = SO_KEEPALIVE;
		if (end && c->a[1] == SO_PASSCRED) {
			way_in(w, o)->known = false;
			way_out(w, o)->known = false;
			disturb(w, o->pair, 0);
			disturb(w, o->pair, 1);
		}
		break;
	}
	c->a[0] = place;
}

/* A wait that a timeout ends. */
static void time_out(struct world *w, int actor)
{
	int process = w->actor[actor].process, place = place_of(w, process, END);
	struct object *o = place < 0 ? NULL : object_at(w, process, place);

	if (!o || is_read(w, o) || is_written(w, o))
		return;
	struct way *in = way_in(w, o), *out = way_out(w, o);
	bool reads = !is_certain(w, o, out) || !out->full || out->nibbled || asking_is_seen(w, o);
	if (reads && (!is_certain(w, o, in) || in->full))
		return;
	if (!is_certain(w, o, in) || !is_certain(w, o, out))
		return;
	struct call *c = add(w, actor, CALL_setsockopt);
	c->a[0] = place;
	c->a[1] = reads ? SO_RCVTIMEO : SO_SNDTIMEO;
	c->a[2] = 2 + below(w, 3);
	c = add(w, actor, reads ? CALL_recv : CALL_send);
	c->a[0] = place;
	c->a[1] = 1 + below(w, 100);
	c->a[2] = reads ? receive_flags(w) & (MSG_WAITALL | MSG_PEEK) : 0;
	if (reads)
		take(w, o, c->a[1], c->a[2]);
	c = add(w, actor, CALL_setsockopt);
	c->a[0] = place;
	c->a[1] = reads ? SO_RCVTIMEO : SO_SNDTIMEO;
}

/* A wait that a signal ends. */
static void interrupt(struct world *w, int actor)
{
	int process = w->actor[actor].process, place = place_of(w, process, END);
	struct object *o = place < 0 ? NULL : object_at(w, process, place);

	if (!o || is_read(w, o) || is_written(w, o) || o->peek_off)
		return;
	struct way *in = way_in(w, o), *out = way_out(w, o);
	if (!is_certain(w, o, in) || !is_certain(w, o, out) || in->full)
		return;
	struct call *c = add(w, actor, CALL_sigaction);
	c->a[0] = 0;
	add(w, actor, CALL_timer)->a[0] = 2 + below(w, 3);
	bool sends = out->full && !out->nibbled && !asking_is_seen(w, o) && one_in(w, 2);
	c = add(w, actor, sends ? CALL_send : CALL_recv);
	c->a[0] = place;
	c->a[1] = 1 + below(w, 100);
	c->a[2] = c->number == CALL_recv ? receive_flags(w) & (MSG_WAITALL | MSG_PEEK) : 0;
	if (c->number == CALL_recv)
		take(w, o, c->a[1], c->a[2]);
	w->restarts[process] = false;
	w->handler_sends = false;
}

/* ---- what moves no bytes ---- */

enum { ODD_CALLS = 26 };

static void ask_oddly(struct world *w, int actor)
{
	static const int options[] = {SO_RCVLOWAT,  SO_PEEK_OFF,  SO_SNDBUF,   SO_RCVBUF,
	                              SO_PASSCRED,  SO_ERROR,     SO_TYPE,     SO_PROTOCOL,
	                              SO_REUSEADDR, SO_TIMESTAMP, SO_PRIORITY, SO_LINGER,
	                              SO_RCVTIMEO,  9999};
	int process = w->actor[actor].process, place = an_end(w, process);
	struct call *c;

	if (place < 0)
		return;
	struct object *o = object_at(w, process, place);
	switch (below(w, 4)) {
	case 0:
		c = add(w, actor, CALL_getoptn);
		c->a[1] = options[below(w, sizeof(options) / sizeof(options[0]))];
		c->a[2] = below(w, 17);
		if (c->a[1] == SO_ERROR && c->a[2] < 4)
			c->a[2] = 4;
		break;
	case 1: /* too short a value, which changes nothing, or options that change nothing */
		c = add(w, actor, CALL_setoptn);
		c->a[1] = options[below(w, sizeof(options) / sizeof(options[0]))];
		c->a[2] = below(w, 2);
		c->a[3] = below(w, 4);
		break;
	default:
		c = add(w, actor, CALL_odd);
		c->a[1] = below(w, ODD_CALLS);
		if (o && o->kind != END) /* other files have places and sizes */
			c->a[1] = 9 + below(w, 2);
		break;
	}
	c->a[0] = place;
}

/* ---- readiness ---- */

static int asked_events(struct world *w, const struct object *o)
{
	int events = below(w, 2) ? POLLIN : 0;

	if (one_in(w, 2))
		events |= POLLRDHUP;
	if (one_in(w, 4))
		events |= POLLPRI;
	if (one_in(w, 6))
		events |= POLLRDNORM;
	if (one_in(w, 2) &&
	    !(o && o->kind == END && (way_out(w, o)->unclear_room || asking_is_seen(w, o))))
		events |= one_in(w, 5) ? POLLWRNORM : POLLOUT;
	return events;
}

/* What is ready in a set where edges of room may lie, is not asked for. */
static int a_place_to_ask(struct world *w, int process)
{
	int place = one_in(w, 10) ? below(w, PLACES)
	            : one_in(w, 12) ? place_of(w, process, EPOLL)
	                            : an_end(w, process);

	for (int i = 0; i < PLACES; i++, place = (place + 1) % PLACES) {
		const struct object *o = place < 0 ? NULL : object_at(w, process, place);
		if (place >= 0 && !(o && o->room_edges))
			break;
	}
	return place;
}

static void ask_readiness(struct world *w, int actor)
{
	int process = w->actor[actor].process;
	bool selects = one_in(w, 3), sets = false;
	struct call *c = add(w, actor, selects ? CALL_select : CALL_poll);

	c->listed = (unsigned char)(1 + below(w, LIST_MAX - 2));
	for (int i = 0; i < c->listed; i++) {
		c->list[i].place = a_place_to_ask(w, process);
		const struct object *o = object_at(w, process, c->list[i].place);
		sets |= o && o->kind == EPOLL; /* what is told of once, one of two who wait has */
		c->list[i].value = asked_events(w, object_at(w, process, c->list[i].place));
	}
	c->a[2] = below(w, 3);
	if (selects) {
		c->a[2] %= 2;
		for (int i = 0; i < c->listed; i++) {
			int *events = &c->list[i].value;
			/* writable is also who has failed: that asks for room, too */
			*events = (*events & (POLLIN | POLLOUT | POLLPRI))
			                  ? *events & (POLLIN | POLLOUT | POLLPRI)
			                  : POLLIN;
		}
	}
	if (one_in(w, 40))
		c->a[1] = 2;
	if (actor > 0 && one_in(w, 6) &&
	    (w->races || (!anybody(w, false) && !(sets && anybody(w, true))))) {
		c->a[1] = -1;
		c->may_wait = true;
		w->actor[actor].waiting = WAITS_MAYBE;
		w->actor[actor].pair = -1;
	}
}

static struct entry *find_entry(struct world *w, int set, int object, int place)
{
	for (int i = 0; i < w->entries; i++) {
		struct entry *e = &w->entry[i];
		if (e->set == set && e->object == object && e->place == place)
			return e;
	}
	return NULL;
}

/* Perhaps it is that of a place which has the number now that the entry's had. */
static bool has_entry(const struct world *w, int set, int object)
{
	for (int i = 0; i < w->entries; i++)
		if (w->entry[i].set == set && w->entry[i].object == object)
			return true;
	return false;
}

/* EPOLLEXCLUSIVE goes with few others, and is for good. */
static bool entry_is_possible(const struct entry *e, int op, int events)
{
	if (op == EPOLL_CTL_MOD)
		return e && !((e->events | events) & (int)EPOLLEXCLUSIVE);
	return !e && (!(events & (int)EPOLLEXCLUSIVE) ||
	              !(events & ~(POLLIN | POLLOUT | (int)(EPOLLEXCLUSIVE | EPOLLET))));
}

/* Those of a set are also of the room of its ends. */
static bool tells_room_edges(const struct world *w, const struct entry *e)
{
	return (e->events & (int)EPOLLET) &&
	       (w->object[e->object].kind == EPOLL || (e->events & ROOM));
}

/* Then it cannot have it in turn. */
static bool is_in(const struct world *w, int set, const struct object *other)
{
	for (int i = 0; i < w->entries; i++)
		if (w->entry[i].object == set && &w->object[w->entry[i].set] == other)
			return true;
	return false;
}

/* What there is at once is told: of the ends that is OUT, of which all is known. */
static void enter(struct world *w, int set, int object, int place, int op, int events)
{
	struct entry *e = find_entry(w, set, object, place);
	bool renumbered = !e && op == EPOLL_CTL_MOD && has_entry(w, set, object);

	if (op == EPOLL_CTL_DEL && e && !e->doubtful)
		e->object = -1;
	/* Where it seems that it cannot be, the number may be another than the entry's. */
	bool doubted = !entry_is_possible(e, op, events);
	if (op == EPOLL_CTL_DEL || object == set || is_in(w, set, &w->object[object]) ||
	    (doubted && !renumbered && (!(events & (int)EPOLLET) || !(events & ROOM))))
		return;
	doubted |= e && e->doubtful;
	if (e && doubted)
		events |= e->events;
	if (!e)
		e = &w->entry[w->entries++];
	*e = (struct entry){.set = set,
	                    .object = object,
	                    .place = place,
	                    .events = events,
	                    .doubtful = doubted};
	e->due = w->object[object].kind == END && !doubted &&
	         is_certain(w, &w->object[object], way_out(w, &w->object[object]));
	w->object[set].room_edges |= tells_room_edges(w, e);
}

/* A set with edges of room is in no other, and nobody waits in it. */
static int entry_events(struct world *w, const struct object *set, const struct object *o, int op)
{
	int events = asked_events(w, o);

	if (one_in(w, 3))
		events |= (int)EPOLLET;
	if (anybody(w, true) && o && o->kind == EPOLL)
		events &= ~(int)EPOLLET;
	if ((set->entered || anybody(w, true)) && (events & (int)EPOLLET))
		events &= ~ROOM;
	if (one_in(w, 6))
		events |= EPOLLONESHOT;
	if (op == EPOLL_CTL_ADD && one_in(w, 10))
		events |= (int)EPOLLEXCLUSIVE;
	return events;
}

static void change_set(struct world *w, int actor, int ep)
{
	int process = w->actor[actor].process, set = w->place[process][ep].object;
	int place = one_in(w, 12) ? below(w, PLACES)
	            : one_in(w, 8) ? place_of(w, process, EPOLL)
	                           : an_end(w, process);

	if (place < 0 || w->entries == ENTRIES_MAX)
		return;
	struct object *o = object_at(w, process, place);
	if (o && o->kind == EPOLL && (o->room_edges || (w->object[set].entered && !is_in(w, set, o))))
		return;
	static const int ops[] = {EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_MOD,
	                          EPOLL_CTL_DEL};
	int op = ops[below(w, 5)], events = entry_events(w, &w->object[set], o, op);
	struct call *c = add(w, actor, CALL_epoll_ctl);
	*c = (struct call){
	        .number = c->number, .actor = c->actor, .a = {ep, op, place, events}};
	if (events & (EPOLLONESHOT | (int)EPOLLET))
		w->object[set].picky = true;
	if (o && o->kind == EPOLL)
		o->entered = true;
	if (!o || (o->kind != END && o->kind != EPOLL))
		return;
	o->watched_out |= (events & ROOM) != 0;
	o->watched_edges |= (events & (int)EPOLLET) != 0;
	enter(w, set, w->place[process][place].object, place, op, events);
}

/* Lists the places whose events may come or not. False: too many. */
static bool list_unclear(struct world *w, int set, struct call *c)
{
	for (int i = 0; i < w->entries; i++) {
		struct entry *e = &w->entry[i];
		if (e->set != set || e->object < 0 || !tells_room_edges(w, e) || (e->due && !e->doubtful))
			continue;
		if (c->listed == LIST_MAX)
			return false;
		c->list[c->listed++].place = e->place;
	}
	return true;
}

static void ask_set(struct world *w, int actor, int ep)
{
	int set = w->place[w->actor[actor].process][ep].object;
	struct call *c = add(w, actor, w->object[set].room_edges ? CALL_epoll_edges : CALL_epoll_wait);

	c->a[0] = ep;
	c->a[1] = PLACES;
	/* Which of several come first is not told, so each must come again. */
	if (!w->object[set].picky && one_in(w, 6))
		c->a[1] = below(w, 4) - 1;
	c->a[2] = one_in(w, 40) ? 2 : 0;
	c->a[3] = below(w, 3);
	if (w->object[set].room_edges && !list_unclear(w, set, c)) {
		w->program->lines--;
		return;
	}
	for (int i = 0; c->a[1] == PLACES && i < w->entries; i++)
		if (w->entry[i].set == set)
			w->entry[i].due = false;
	if (actor > 0 && !w->object[set].room_edges && one_in(w, 4) &&
	    (w->races || (!anybody(w, false) && !anybody(w, true)))) {
		c->a[2] = -1;
		c->may_wait = true;
		w->actor[actor].waiting = WAITS_MAYBE;
		w->actor[actor].pair = -1;
	}
}

static void epoll(struct world *w, int actor)
{
	int process = w->actor[actor].process, ep = place_of(w, process, EPOLL);

	if (ep >= 0 && !one_in(w, 20)) {
		one_in(w, 2) ? change_set(w, actor, ep) : ask_set(w, actor, ep);
		return;
	}
	ep = free_place(w, process);
	if (ep < 0 || w->objects > OBJECTS - 8)
		return;
	add(w, actor, CALL_epoll_create)->a[0] = ep;
	put_at(w, process, ep, new_object(w, EPOLL), false);
}

/* ---- other descriptors ---- */

static void transfer(struct world *w, int actor)
{
	int process = w->actor[actor].process;
	int end = place_of(w, process, END);
	struct object *o = end < 0 ? NULL : object_at(w, process, end);

	if (!o)
		return;
	int file = place_of(w, process, MEMFD), from = place_of(w, process, PIPE_READ),
	    to = place_of(w, process, PIPE_WRITE);
	int a = free_place(w, process);
	if (file < 0 && a >= 0 && w->objects < OBJECTS - 8) {
		struct call *c = add(w, actor, CALL_memfd);
		c->a[0] = a;
		c->a[1] = below(w, 20000);
		put_at(w, process, a, new_object(w, MEMFD), false);
		return;
	}
	if (from < 0 && a >= 0 && w->objects < OBJECTS - 8) {
		put_at(w, process, a, new_object(w, PIPE_READ), false);
		int b = free_place(w, process);
		if (b < 0) {
			w->place[process][a].object = -1;
			return;
		}
		put_at(w, process, b, new_object(w, PIPE_WRITE), false);
		struct call *c = add(w, actor, CALL_pipe);
		c->a[0] = a;
		c->a[1] = b;
		return;
	}
	struct way *out = way_out(w, o), *in = way_in(w, o);
	if (file >= 0 && one_in(w, 2)) {
		/* How much is left of the file is not followed. */
		int n = below(w, 6000);
		if (out->full || !is_certain(w, o, out) || !fits(out, n, 1 + n / 4096) ||
		    is_awaited(w, o))
			return;
		struct call *c = add(w, actor, one_in(w, 2) ? CALL_sendfile : CALL_sendpart);
		c->a[0] = end;
		c->a[1] = file;
		c->a[2] = n;
		c->a[3] = c->number == CALL_sendpart ? below(w, 20000) : 0;
		out->charge += n + n / 3 + (2 + n / 4096) * MESSAGE_CHARGE;
		out->known = false;
		return;
	}
	if (to < 0 || from < 0 || in->full || out->full || is_read(w, o) || is_awaited(w, o) ||
	    in->charge > SPLICED_MAX * MESSAGE_CHARGE)
		return;
	if (one_in(w, 5)) { /* what no socket can do; but sendfile into a pipe does, and may wait */
		struct call *c = add(w, actor, one_in(w, 2) ? CALL_tee : CALL_sendfile);
		c->a[2] = 1 + below(w, 100);
		bool waits_for_some =
		        c->number == CALL_sendfile && receive_may_wait(w, o, c->a[2], 0, 1);
		c->a[0] = one_in(w, 2) || waits_for_some ? end : to;
		c->a[1] = c->number == CALL_tee ? to : end;
		in->known = out->known = false;
		return;
	}
	struct call *c = add(w, actor, one_in(w, 2) ? CALL_splice : CALL_splicef);
	bool inwards = one_in(w, 2);
	int n = 1 + below(w, 3000);
	if (inwards && !fits(out, n, 1)) {
		w->program->lines--;
		return;
	}
	c->a[0] = inwards ? from : end;
	c->a[1] = inwards ? end : to;
	c->a[2] = n;
	c->a[3] = c->number == CALL_splicef ? below(w, 16) & ~2 : 0;
	if (inwards) {
		out->charge += n + n / 3 + 2 * MESSAGE_CHARGE;
		out->known = false;
	} else {
		in->known = false;
	}
}

static void settle_way(struct world *w, int actor)
{
	int process = w->actor[actor].process, place = place_of(w, process, END);
	struct object *o = place < 0 ? NULL : object_at(w, process, place);

	if (!o || way_in(w, o)->full)
		return;
	add(w, actor, CALL_drain)->a[0] = place;
	struct way *in = way_in(w, o);
	/* Behind urgent data a receive ends early. Who may still wait in it takes what comes. */
	bool known = in->known || !w->urgent;
	empty(in);
	in->known = known && !waits(w, WAITS_MAYBE, o->pair, !o->side);
}

/* ---- actors ---- */

static void start_actor(struct world *w, int by, bool process)
{
	for (int i = 1; i < ACTORS; i++) {
		struct actor_state *a = &w->actor[i];
		if (a->there)
			continue;
		if (process && w->actor[by].process != 0)
			return;
		add(w, by, process ? CALL_fork : CALL_thread)->a[0] = i;
		*a = (struct actor_state){.there = true,
		                          .process = process ? i : w->actor[by].process};
		if (!process)
			return;
		w->restarts[i] = w->restarts[0];
		for (int k = 0; k < PLACES; k++) {
			w->place[i][k] = w->place[0][k];
			if (w->place[i][k].object >= 0)
				w->object[w->place[i][k].object].refs++;
		}
		return;
	}
}

static void end_process(struct world *w, int process)
{
	for (int i = 1; i < ACTORS; i++)
		if (w->actor[i].process == process && w->actor[i].there) {
			if (w->actor[i].waiting != WAITS_NOT && w->actor[i].pair >= 0)
				w->pair[w->actor[i].pair].way[w->actor[i].side].known = false;
			w->actor[i] = (struct actor_state){0};
		}
	for (int k = 0; k < PLACES; k++)
		drop(w, process, k);
	for (int i = 0; i < w->pairs; i++) /* who wrote last is not known to be gone yet */
		w->pair[i].uncertain |= false;
}

static void end_actor(struct world *w)
{
	int process = 1 + below(w, ACTORS - 1);
	struct actor_state *a = &w->actor[process];

	if (!a->there || a->process != process)
		return;
	for (int k = 0; k < PLACES; k++) {
		const struct object *o = object_at(w, process, k);
		if (o && o->kind == END && two_wait(w, o) && !w->races)
			return;
	}
	if (a->waiting != WAITS_NOT || one_in(w, 3))
		add(w, 0, CALL_kill)->a[0] = process;
	else
		add(w, process, CALL_exit);
	end_process(w, process);
}

static void execute(struct world *w, int actor)
{
	int process = w->actor[actor].process;

	if (process == 0 || actor != process)
		return;
	for (int i = 1; i < ACTORS; i++)
		if (i != actor && w->actor[i].there && w->actor[i].process == process)
			return;
	add(w, actor, CALL_exec);
	w->restarts[process] = false;
	for (int k = 0; k < PLACES; k++) {
		struct object *o = object_at(w, process, k);
		if (o && w->place[process][k].cloexec)
			drop(w, process, k);
	}
}

/* What the handler sends, and where its descriptor has gone to, is not followed. */
static void send_somewhere(struct world *w)
{
	for (int i = 0; i < w->pairs; i++)
		for (int side = 0; side < 2; side++) {
			w->pair[i].way[side].known = false;
			w->pair[i].way[side].charge += 16 + MESSAGE_CHARGE;
			disturb(w, i, side);
		}
}

/* A handler may send into the receive that it ends. One that goes on would take that, and one
 * that waits for room may find some: only time says. */
static bool may_be_sent_into(const struct world *w, const struct actor_state *a)
{
	for (int i = 0; i < w->pairs; i++)
		if (w->pair[i].way[0].nibbled || w->pair[i].way[1].nibbled) /* is there room? */
			return false;
	return w->races || a->pair < 0 || (a->waiting == WAITS_READING && !w->restarts[a->process]);
}

static void let_go(struct world *w)
{
	int actor = 1 + below(w, ACTORS - 1);
	struct actor_state *a = &w->actor[actor];

	if (!a->there || a->waiting == WAITS_NOT)
		return;
	if (one_in(w, 2)) {
		if (one_in(w, 2) || (w->handler_sends && !may_be_sent_into(w, a))) {
			struct call *c = add(w, 0, CALL_sigaction);
			c->a[0] = below(w, 2);
			w->restarts[0] = c->a[0];
			w->handler_sends = may_be_sent_into(w, a) && one_in(w, 4);
			c->a[2] = w->handler_sends ? 1 + below(w, 15) : 0;
			c->a[1] = w->handler_sends ? below(w, PLACES) : 0;
		}
		add(w, 0, CALL_signal)->a[0] = actor;
		if (w->handler_sends)
			send_somewhere(w);
		if (w->restarts[a->process])
			return;
	}
	add(w, 0, CALL_cancel)->a[0] = actor;
	if (a->pair >= 0 && a->waiting == WAITS_READING)
		w->pair[a->pair].way[a->side].known = false;
	a->waiting = WAITS_NOT;
}

/* Two actors that stream through a pair of their own, as fast as they can. */
static void stream(struct world *w)
{
	int who[2] = {-1, -1}, found = 0;

	if (anybody(w, true) || anybody(w, false))
		return;
	for (int i = 1; i < ACTORS && found < 2; i++)
		if (w->actor[i].there && w->actor[i].waiting == WAITS_NOT)
			who[found++] = i;
	if (found < 2)
		return;
	for (int i = 0; i < PLACES; i++) {
		struct object *o = object_at(w, w->actor[who[0]].process, i);
		if (!o || o->kind != END || !is_certain(w, o, way_out(w, o)) ||
		    way_out(w, o)->bytes || way_out(w, o)->full || way_out(w, o)->write_ended ||
		    o->timed)
			continue;
		for (int k = 0; k < PLACES; k++) {
			struct object *p = object_at(w, w->actor[who[1]].process, k);
			if (!p || p->kind != END || p->pair != o->pair || p->side == o->side ||
			    p->timed || p->peek_off || p->lowest > 1)
				continue;
			if (is_written(w, o) || is_read(w, p))
				continue;
			int seed = below(w, 1 << 20),
			    total = 1 + below(w, one_in(w, 3) ? 600000 : 30000);
			for (int n = 0; n < 2; n++) {
				struct call *c = add(w, who[n], n ? CALL_sip : CALL_pour);
				c->may_wait = true;
				c->a[0] = n ? k : i;
				c->a[1] = total;
				c->a[2] = seed;
			}
			add(w, 0, CALL_join)->a[0] = who[0];
			add(w, 0, CALL_join)->a[0] = who[1];
			return;
		}
	}
}

/* ---- programs ---- */

static int an_actor(struct world *w)
{
	int actor = below(w, ACTORS);

	return w->actor[actor].there && w->actor[actor].waiting == WAITS_NOT ? actor : 0;
}

static enum call_number a_receive(struct world *w)
{
	static const enum call_number in[] = {
	        CALL_read,    CALL_read,     CALL_readv,     CALL_readv,
	        CALL_preadv2, CALL_preadv2f, CALL_recv,      CALL_recv,
	        CALL_recv,    CALL_recvfrom, CALL_recvfrom,  CALL_recvmsg,
	        CALL_recvmsg, CALL_recvmmsg, CALL_recvmmsgt, CALL_recvfd};

	return in[below(w, sizeof(in) / sizeof(in[0]))];
}

static enum call_number a_send(struct world *w)
{
	static const enum call_number out[] = {
	        CALL_write,    CALL_write,     CALL_writev,   CALL_writev,
	        CALL_pwritev2, CALL_pwritev2f, CALL_send,     CALL_send,
	        CALL_send,     CALL_sendto,    CALL_sendto,   CALL_sendmsg,
	        CALL_sendmsg,  CALL_sendmmsg,  CALL_sendmmsg, CALL_send};

	return out[below(w, sizeof(out) / sizeof(out[0]))];
}

static void receive_any(struct world *w, int actor)
{
	receive(w, actor, an_end(w, w->actor[actor].process), a_receive(w));
}

static void send_any(struct world *w, int actor)
{
	send_bytes(w, actor, an_end(w, w->actor[actor].process), a_send(w));
}

static void send_credentials(struct world *w, int actor)
{
	send_bytes(w, actor, an_end(w, w->actor[actor].process), CALL_sendcred);
}

static void misuse_any(struct world *w, int actor)
{
	static const enum call_number bad[] = {CALL_recvbad, CALL_sendbad, CALL_sendnamed};

	misuse(w, actor, an_end(w, w->actor[actor].process), bad[below(w, 3)]);
}

static void send_much_any(struct world *w, int actor)
{
	send_much(w, actor, an_end(w, w->actor[actor].process));
}

static void fill_any(struct world *w, int actor)
{
	if (w->filled_object < 0)
		fill(w, actor, an_end(w, w->actor[actor].process));
	else
		unfill(w, one_in(w, 2));
}

static void let_somebody_go(struct world *w, int actor)
{
	(void)actor;
	let_go(w);
}

/* What a program is made of. Each has some of it four times as often, and some not at all: what
 * is seldom meets what else is seldom in programs that are made of little else. */
static const struct action {
	void (*make)(struct world *w, int actor);
	int weight;
} actions[] = {
        {receive_any, 2600},     {send_any, 2700},   {ask_readiness, 1200}, {epoll, 1000},
        {ask_state, 400},        {ask_oddly, 100},   {set_state, 400},      {shut, 70},
        {settle_way, 600},       {close_one, 100},   {duplicate, 200},      {close_some, 3},
        {send_much_any, 35},     {open_pair, 70},    {fill_any, 100},       {pass, 35},
        {transfer, 35},          {time_out, 5},      {interrupt, 5},        {misuse_any, 50},
        {send_credentials, 10},  {let_somebody_go, 400},
};

enum { ACTIONS = sizeof(actions) / sizeof(actions[0]) };

_Static_assert((int)ACTIONS <= (int)ACTIONS_MAX, "a weight for each");

static void weigh(struct world *w)
{
	static const int factors[] = {0, 1, 1, 1, 2, 4};
	bool plain = one_in(w, 3);

	for (int i = 0; i < ACTIONS; i++) {
		w->weight[i] = actions[i].weight * (plain ? 1 : factors[below(w, 6)]);
		w->weights += w->weight[i];
	}
}

static void one(struct world *w)
{
	int actor = an_actor(w), process = w->actor[actor].process;
	int at = below(w, w->weights + 1), i = 0;

	if (place_of(w, process, END) < 0) {
		open_pair(w, actor);
		return;
	}
	while (i < ACTIONS - 1 && at >= w->weight[i])
		at -= w->weight[i++];
	actions[i].make(w, actor);
}

/* What costs processes and threads is kept to programs of their own. */
static void people(struct world *w, int kind)
{
	if (kind == 0)
		return;
	switch (below(w, 40)) {
	case 0:
		start_actor(w, 0, kind > 1);
		break;
	case 1:
		start_actor(w, an_actor(w), false);
		break;
	case 2:
		one_in(w, 3) ? end_actor(w) : (void)0;
		break;
	case 3:
		one_in(w, 3) ? execute(w, an_actor(w)) : (void)0;
		break;
	case 4:
		one_in(w, 4) ? stream(w) : (void)0;
		break;
	default:
		break;
	}
}

void generate(struct program *program, uint64_t seed)
{
	struct world w = {.random = random_from(seed), .program = program, .filled_object = -1};
	int kind = below(&w, 40);

	program->lines = 0;
	for (int i = 0; i < ACTORS; i++)
		for (int k = 0; k < PLACES; k++)
			w.place[i][k].object = -1;
	w.actor[0].there = true;
	w.urgent = one_in(&w, 12);
	weigh(&w);
	w.wanted = 5 + below(&w, one_in(&w, 2) ? 40 : 150);
	kind = kind == 0 ? 2 : kind < 8 ? 1 : 0; /* with processes, with threads, alone */
	open_pair(&w, 0);
	if (one_in(&w, 2))
		open_pair(&w, 0);
	program->races = w.races = kind > 0 && one_in(&w, 3);
	if (kind > 0) {
		start_actor(&w, 0, kind > 1);
		start_actor(&w, 0, false);
	}
	for (int i = 0; i < TRIES * w.wanted && program->lines < w.wanted && !w.over; i++) {
		people(&w, kind);
		one(&w);
	}
}
