#include "ends.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "traffic.h"

/* ---- descriptors ---- */

void open_pair(struct world *w, int actor)
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

void close_one(struct world *w, int actor)
{
	int process = w->actor[actor].process;
	int place = one_in(w, 15) ? below(w, PLACES) : place_of(w, process, END);

	if (place < 0 || is_in_use(w, process, place))
		return;
	add(w, actor, CALL_close)->a[0] = place;
	drop(w, process, place);
}

void duplicate(struct world *w, int actor)
{
	int process = w->actor[actor].process;
	int old = one_in(w, 8) ? below(w, PLACES) : place_of(w, process, END);
	int object = old < 0 ? -1 : w->place[process][old].object;
	bool over = one_in(w, 3);
	int new = over ? below(w, PLACES) : free_place(w, process);

	if (old < 0 || new < 0 || is_in_use(w, process, new))
		return;
	/* of an end that closes its entry may stay, with an edge that was told (differences/) */
	if (object >= 0 && w->object[object].kind == END && w->object[object].watched_edges)
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

void close_some(struct world *w, int actor)
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

void shut(struct world *w, int actor)
{
	int process = w->actor[actor].process, place = an_end(w, process);

	if (place < 0)
		return;
	struct object *o = object_at(w, process, place);
	/* Who waits for room of a full direction that is shut looks again in a while: how soon he
	 * sees room, only time tells. Who watches it is told of room by its end (differences/). */
	if (o && o->kind == END && (way_out(w, o)->full || way_in(w, o)->full) &&
	    anybody(w, true) && !w->races)
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

/* What is held by the end that it would go through, or comes to be known only in time, is not
 * passed. `clean`: what is on the way is known. */
static bool may_pass(struct world *w, const struct object *o, const struct object *passed, bool clean)
{
	if (!passed || passed->kind != END)
		return true;
	/* An end that is left under way may be in its own queue: when such garbage is collected,
	 * only time tells. */
	if (!(clean && way_out(w, o)->bytes == 0 && has_receiver(w, o)))
		return false;
	return passed->pair != o->pair; /* differences/peer-dropped-in-recvmmsg.txt */
}

/* The call that sends what is at `what`. Gives its bytes. */
static int send_place(struct world *w, int actor, int by, int what)
{
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
	return total;
}

/* The receiver has one of the other end's descriptors, and a place for another. */
static bool receive_place(struct world *w, int receiver, const struct object *o, int object)
{
	int process = w->actor[receiver].process;

	for (int k = 0; k < PLACES; k++) {
		struct object *peer = object_at(w, process, k);
		if (!peer || peer->kind != END || peer->pair != o->pair || peer->side == o->side)
			continue;
		int into = free_place(w, process);
		if (into < 0)
			continue;
		struct call *r = add(w, receiver, CALL_recvfd);
		r->a[0] = k;
		r->listed = 2;
		r->list[0].value = below(w, 10);
		r->list[1].value = 100 + below(w, 50);
		r->a[2] = MSG_DONTWAIT | (one_in(w, 3) ? MSG_CMSG_CLOEXEC : 0);
		r->a[3] = into;
		put_at(w, process, into, object, r->a[2] & MSG_CMSG_CLOEXEC);
		empty(way_out(w, o));
		return true;
	}
	return false;
}

/* By one of those who can. */
static bool receive_at_once(struct world *w, const struct object *o, int object)
{
	for (int i = 0; i < ACTORS; i++) {
		int receiver = (i + below(w, ACTORS)) % ACTORS;
		if (!w->actor[receiver].there || w->actor[receiver].waiting != WAITS_NOT)
			continue;
		if (receive_place(w, receiver, o, object))
			return true;
	}
	return false;
}

/* The message stands for the object, who knows how long. */
static void leave_under_way(struct world *w, struct way *out, int object)
{
	out->known = false;
	if (object < 0)
		return;
	w->object[object].refs++;
	if (w->object[object].kind == END)
		w->pair[w->object[object].pair].uncertain = true;
}

void pass(struct world *w, int actor)
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
	if (!may_pass(w, o, object < 0 ? NULL : &w->object[object], clean))
		return;
	int total = send_place(w, actor, by, what);
	disturb(w, o->pair, o->side);
	out->charge += MESSAGE_CHARGE + total;
	out->bytes += total;
	clean &= out->bytes <= 100; /* all is received at once */
	if (!(clean && object >= 0 && receive_at_once(w, o, object)))
		leave_under_way(w, out, object);
}

/* ---- state ---- */

void ask_state(struct world *w, int actor)
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

/* One that sets something of the descriptor at `place`, which is first among its arguments. `end`:
 * what that is, or NULL. Gives NULL where it would not be compared. */
typedef struct call *setter(struct world *w, int actor, int place, struct object *end);

static struct call *set_option(struct world *w, int actor, int option, int value)
{
	struct call *c = add(w, actor, CALL_setsockopt);

	c->a[1] = option;
	c->a[2] = value;
	return c;
}

/* A waiting call must not see it change (differences/). */
static struct call *set_nonblock(struct world *w, int actor, int place, struct object *end)
{
	(void)place;
	if (anybody(w, false))
		return NULL;
	struct call *c = add(w, actor, CALL_setfl);
	c->a[1] = one_in(w, 2) ? O_NONBLOCK : 0;
	if (end)
		end->nonblock = c->a[1] != 0;
	return c;
}

static struct call *set_fionbio(struct world *w, int actor, int place, struct object *end)
{
	(void)place;
	if (anybody(w, false))
		return NULL;
	struct call *c = add(w, actor, CALL_ioctl);
	c->a[1] = FIONBIO;
	c->a[2] = below(w, 2);
	if (end)
		end->nonblock = c->a[2] != 0;
	return c;
}

static struct call *set_cloexec(struct world *w, int actor, int place, struct object *end)
{
	struct call *c = add(w, actor, one_in(w, 2) ? CALL_setfd : CALL_ioctl);
	int process = w->actor[actor].process;
	bool whole = c->number == CALL_setfd;

	(void)end;
	c->a[1] = whole ? below(w, 2) : one_in(w, 2) ? FIOCLEX : FIONCLEX;
	if (object_at(w, process, place))
		w->place[process][place].cloexec = whole ? c->a[1] != 0 : c->a[1] == FIOCLEX;
	return c;
}

static struct call *set_lowest(struct world *w, int actor, int place, struct object *end)
{
	(void)place;
	if (anybody(w, false))
		return NULL;
	struct call *c = set_option(w, actor, SO_RCVLOWAT, one_in(w, 3) ? below(w, 20) : 1);
	if (end)
		end->lowest = c->a[2] > 1 ? c->a[2] : 1;
	return c;
}

static struct call *set_peek_off(struct world *w, int actor, int place, struct object *end)
{
	(void)place;
	if (w->urgent || anybody(w, false)) /* (differences/) */
		return NULL;
	if (end)
		end->peek_off = true;
	/* Less than -1 is kept by the kernel as it is (differences/). */
	return set_option(w, actor, SO_PEEK_OFF, below(w, 30) - 1);
}

static struct call *set_buffer(struct world *w, int actor, int place, struct object *end)
{
	int option = one_in(w, 2) ? SO_SNDBUF : SO_RCVBUF;
	struct call *c = set_option(w, actor, option, 106496 * (2 + below(w, 3)));

	(void)place;
	if (end && w->filled_object >= 0 && w->object[w->filled_object].pair == end->pair)
		c->a[1] = SO_RCVBUF;
	return c;
}

static void ask_for_credentials(struct world *w, const struct object *end)
{
	way_in(w, end)->known = false;
	way_out(w, end)->known = false;
	way_in(w, end)->credentials = true;
	disturb(w, end->pair, 0);
	disturb(w, end->pair, 1);
}

static struct call *set_switch(struct world *w, int actor, int place, struct object *end)
{
	int option = one_in(w, 3) ? SO_PASSCRED : one_in(w, 2) ? SO_KEEPALIVE : SO_LINGER;
	struct call *c = set_option(w, actor, option, below(w, 2));

	(void)place;
	if (!end || option != SO_PASSCRED)
		return c;
	const struct way *in = way_in(w, end);
	if (in->bytes || in->full || !in->known || anybody(w, false))
		c->a[1] = SO_KEEPALIVE;
	else
		ask_for_credentials(w, end);
	return c;
}

void set_state(struct world *w, int actor)
{
	static setter *const setters[] = {set_nonblock, set_nonblock, set_fionbio,
	                                  set_cloexec,  set_lowest,   set_lowest,
	                                  set_peek_off, set_buffer,   set_switch};
	int process = w->actor[actor].process, place = an_end(w, process);

	if (place < 0)
		return;
	struct object *o = object_at(w, process, place);
	setter *set = setters[below(w, sizeof(setters) / sizeof(setters[0]))];
	struct call *c = set(w, actor, place, o && o->kind == END ? o : NULL);
	if (c)
		c->a[0] = place;
}

void time_out(struct world *w, int actor)
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

void interrupt(struct world *w, int actor)
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

void ask_oddly(struct world *w, int actor)
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
