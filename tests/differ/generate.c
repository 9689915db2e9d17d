/* Programs whose results the kernel and weir must agree on.
 *
 * What a call does to a pair is followed as far as needed to know three things: whether a
 * call may wait (then only an actor made for it makes it, with &); how much of the room is
 * taken (in between empty and full the kernel counts memory, and weir bytes); and who holds
 * what. Where this is not known any more, calls are made that never wait. */
#include "generate.h"

#include <string.h>

#include "ends.h"
#include "others.h"
#include "sets.h"
#include "traffic.h"
#include "world.h"

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
        {receive_any, 2600},    {send_any, 2700},       {ask_readiness, 1200}, {epoll, 1000},
        {ask_state, 400},       {ask_oddly, 100},       {set_state, 400},      {shut, 70},
        {settle_way, 600},      {close_one, 100},       {duplicate, 200},      {close_some, 3},
        {send_much_any, 35},    {open_pair, 70},        {fill_any, 100},       {pass, 35},
        {transfer, 35},         {time_out, 5},          {interrupt, 5},        {misuse_any, 50},
        {send_credentials, 10}, {let_somebody_go, 400},
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
