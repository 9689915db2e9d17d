#include "traffic.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

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

int lengths(struct world *w, struct call *c)
{
	int total = 0;

	c->listed = (unsigned char)below(w, LIST_MAX + 1);
	for (int i = 0; i < c->listed; i++) {
		c->list[i].value = one_in(w, 5) ? 0 : a_length(w) / (i + 1);
		total += c->list[i].value;
	}
	return total;
}

int receive_flags(struct world *w)
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

int send_flags(struct world *w)
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

/* Of the call's buffer, or of all in its list. */
static int a_length_for(struct world *w, struct call *c)
{
	if (strchr(call_kinds[c->number], KIND_LENGTHS))
		return lengths(w, c);
	return c->a[1] = a_length(w);
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

/* How many bytes end a receive. */
static int target_of(const struct object *o, int length, int flags)
{
	int lowest = (flags & MSG_WAITALL) || o->lowest > length ? length : o->lowest;

	return (flags & MSG_PEEK) || lowest < 1 ? 1 : lowest;
}

bool receive_may_wait(struct world *w, const struct object *o, int length, int flags, int messages)
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

void take(struct world *w, const struct object *o, int n, int flags)
{
	struct way *in = way_in(w, o);

	if (flags & (MSG_PEEK | MSG_OOB))
		return;
	in->bytes = in->bytes > n ? in->bytes - n : 0;
	if (in->known && in->bytes == 0)
		empty(in);
}

bool anybody(struct world *w, bool looks)
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

/* RWF_NOWAIT, or others. */
static int rwf_flags(struct world *w)
{
	return one_in(w, 2) ? 8 : 1 << below(w, 6);
}

static bool receives_many(const struct call *c)
{
	return c->number == CALL_recvmmsg || c->number == CALL_recvmmsgt;
}

/* Gives its flags. */
static int make_receive(struct world *w, struct call *c, int process, int place, int *length)
{
	int flags = has_flags((enum call_number)c->number) ? receive_flags(w) : 0;

	*length = a_length_for(w, c);
	c->a[0] = place;
	if (c->number == CALL_recvfd && (c->a[3] = free_place(w, process)) < 0)
		c->number = CALL_recvmsg;
	if (c->number == CALL_recvmmsgt)
		c->a[3] = below(w, 2) * 100000;
	if (c->number == CALL_preadv2f)
		c->a[2] = rwf_flags(w);
	/* A peek of nothing sees what is behind; recvmmsg may lose a reset (differences/). */
	if (has_nothing(c, *length))
		flags &= ~MSG_PEEK;
	if (receives_many(c))
		flags &= ~MSG_ERRQUEUE;
	return flags;
}

/* Is it left to wait? */
static bool left_waiting(struct world *w, int actor, struct object *o, struct call *c, int length,
                         int messages, int flags)
{
	struct way *in = way_in(w, o);

	if (actor == 0 || in->full || messages != 1 || c->number == CALL_preadv2f ||
	    is_read(w, o) || !one_in(w, 2) || !wait_reading(w, actor, o, length, flags))
		return false;
	w->actor[actor].place = c->a[0];
	c->may_wait = true;
	set_flags(c, flags);
	if (!in->known || in->bytes)
		empty(in);
	return true;
}

void receive(struct world *w, int actor, int place, enum call_number number)
{
	int process = w->actor[actor].process, length;
	struct object *o = object_at(w, process, place);
	struct call *c = add(w, actor, number);
	int flags = make_receive(w, c, process, place, &length);
	int messages = receives_many(c) ? c->listed : 1;
	/* An empty vector of readv, and read of nothing, never wait. */
	bool takes_flags = has_flags((enum call_number)c->number);
	bool nothing = length == 0 && !takes_flags;

	if (!o || o->kind != END) {
		set_flags(c, flags | MSG_DONTWAIT);
		return;
	}
	struct way *in = way_in(w, o);
	if (in->full)
		flags |= MSG_PEEK | MSG_DONTWAIT;
	if (!nothing && receive_may_wait(w, o, length, flags, messages)) {
		if (left_waiting(w, actor, o, c, length, messages, flags))
			return;
		flags |= MSG_DONTWAIT;
	}
	if (!takes_flags && (in->full || ((flags & MSG_DONTWAIT) && !is_nonblocking(w, o) && !nothing)))
		*c = (struct call){.number = CALL_recv,
		                   .actor = (unsigned char)actor,
		                   .a = {place, length, flags}};
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

bool asking_is_seen(struct world *w, const struct object *o)
{
	return way_out(w, o)->full && w->object[o->peer].watched_edges;
}

bool fits(const struct way *out, int length, int messages)
{
	return out->charge + length + length / 3 + messages * MESSAGE_CHARGE <= CHARGE_MAX;
}

/* Surely waits. Now and then. */
static bool wait_writing(struct world *w, int actor, const struct object *o, int length, int place)
{
	const struct way *out = way_out(w, o);
	struct actor_state *a = &w->actor[actor];

	if (!out->full || out->write_ended || length == 0 || length > 4096 ||
	    is_nonblocking(w, o) || o->timed || !is_certain(w, o, out) || is_written(w, o) ||
	    asking_is_seen(w, o) || !one_in(w, 2))
		return false;
	*a = (struct actor_state){.there = true,
	                          .process = a->process,
	                          .waiting = WAITS_WRITING,
	                          .pair = o->pair,
	                          .side = o->side,
	                          .left = length,
	                          .place = place};
	return true;
}

/* Gives its flags. */
static int make_send(struct world *w, struct call *c, struct object *o, int place, int *length)
{
	int flags = has_flags((enum call_number)c->number) ? send_flags(w) : 0;
	bool is_end = o && o->kind == END;

	*length = a_length_for(w, c);
	c->a[0] = place;
	/* The kernel has room behind a full ring (differences/). A byte that ends the bells comes
	 * first: who looks is woken by that, and sees it, or both. */
	if (is_end && (way_out(w, o)->full || anybody(w, true))) {
		flags &= ~MSG_OOB;
		if (c->number == CALL_sendcred)
			c->number = CALL_sendmsg; /* as urgent data (differences/) */
	}
	if (c->number == CALL_pwritev2f) /* what comes of it is not followed */
		c->a[2] = rwf_flags(w);
	if (is_end && (c->number == CALL_sendcred || c->number == CALL_pwritev2f || (flags & MSG_OOB)))
		way_out(w, o)->known = false;
	set_flags(c, flags);
	return flags;
}

/* Into what was filled and then read a little: as much as surely has room. */
static bool send_nibbled(struct way *out, int length, int messages, int flags)
{
	if (messages > 1 || length > out->slack || length == 0 || out->write_ended ||
	    (flags & MSG_OOB))
		return false;
	out->slack -= length + MESSAGE_CHARGE;
	out->bytes += length;
	out->charge += length + length / 3 + MESSAGE_CHARGE;
	return true;
}

/* More than there is room for: it waits, or is told so, or is not made. */
static bool send_too_much(struct world *w, int actor, struct object *o, struct call *c, int length,
                          int messages, int flags)
{
	int place = c->a[0];

	c->may_wait = actor > 0 && messages == 1 && wait_writing(w, actor, o, length, place);
	if (c->may_wait)
		return true;
	if (!way_out(w, o)->full)
		return false;
	if (has_flags((enum call_number)c->number))
		set_flags(c, flags | MSG_DONTWAIT);
	else if (!is_nonblocking(w, o))
		*c = (struct call){.number = CALL_send,
		                   .actor = (unsigned char)actor,
		                   .a = {place, length, MSG_DONTWAIT}};
	return true;
}

/* False: the call is not to be made. */
static bool send_to_end(struct world *w, int actor, struct object *o, struct call *c, int length,
                        int flags)
{
	struct way *out = way_out(w, o);
	int messages = c->number == CALL_sendmmsg ? c->listed : 1 + length / 16384;

	/* How many come before he looks, only time tells. */
	if (messages > 1 && (is_awaited(w, o) || anybody(w, true))) {
		if (!w->races || out->nibbled || out->full)
			return false;
		disturb(w, o->pair, o->side);
	}
	if (out->nibbled)
		return send_nibbled(out, length, messages, flags);
	if (out->full || !fits(out, length, messages))
		return send_too_much(w, actor, o, c, length, messages, flags);
	if (out->write_ended || length == 0)
		return true;
	out->charge += length + length / 3 + messages * MESSAGE_CHARGE;
	/* Who waits may get less, or nothing. */
	if ((flags & MSG_OOB) || c->number == CALL_pwritev2f)
		disturb(w, o->pair, o->side);
	else
		feed(w, o, length);
	return true;
}

void send_bytes(struct world *w, int actor, int place, enum call_number number)
{
	struct object *o = object_at(w, w->actor[actor].process, place);
	struct call *c = add(w, actor, number);
	int length, flags = make_send(w, c, o, place, &length);

	if (o && o->kind == END && !send_to_end(w, actor, o, c, length, flags))
		w->program->lines--;
}

void misuse(struct world *w, int actor, int place, enum call_number number)
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

void send_much(struct world *w, int actor, int place)
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

void fill(struct world *w, int actor, int place)
{
	struct object *o = object_at(w, w->actor[actor].process, place);

	if (!o || o->kind != END || w->filled_object >= 0)
		return;
	struct way *out = way_out(w, o);
	if (out->write_ended || out->charge || out->credentials || !is_certain(w, o, out) ||
	    is_awaited(w, o) || (anybody(w, true) && !w->races))
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

bool unfill(struct world *w, bool all)
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
