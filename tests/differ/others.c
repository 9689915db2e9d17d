#include "others.h"

#include "traffic.h"

/* ---- other descriptors ---- */

static void make_file(struct world *w, int actor, int place)
{
	struct call *c = add(w, actor, CALL_memfd);

	c->a[0] = place;
	c->a[1] = below(w, 20000);
	put_at(w, w->actor[actor].process, place, new_object(w, MEMFD), false);
}

static void make_pipe(struct world *w, int actor, int a)
{
	int process = w->actor[actor].process;

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
}

/* How much is left of the file is not followed. */
static void send_file(struct world *w, int actor, int end, int file)
{
	const struct object *o = object_at(w, w->actor[actor].process, end);
	struct way *out = way_out(w, o);
	int n = below(w, 6000);

	if (out->full || !is_certain(w, o, out) || !fits(out, n, 1 + n / 4096) || is_awaited(w, o))
		return;
	struct call *c = add(w, actor, one_in(w, 2) ? CALL_sendfile : CALL_sendpart);
	c->a[0] = end;
	c->a[1] = file;
	c->a[2] = n;
	c->a[3] = c->number == CALL_sendpart ? below(w, 20000) : 0;
	out->charge += n + n / 3 + (2 + n / 4096) * MESSAGE_CHARGE;
	out->known = false;
}

/* What no socket can do; but sendfile into a pipe does, and may wait. */
static void transfer_oddly(struct world *w, int actor, int end, int to)
{
	const struct object *o = object_at(w, w->actor[actor].process, end);
	struct call *c = add(w, actor, one_in(w, 2) ? CALL_tee : CALL_sendfile);

	c->a[2] = 1 + below(w, 100);
	bool waits_for_some = c->number == CALL_sendfile && receive_may_wait(w, o, c->a[2], 0, 1);
	c->a[0] = one_in(w, 2) || waits_for_some ? end : to;
	c->a[1] = c->number == CALL_tee ? to : end;
	way_in(w, o)->known = way_out(w, o)->known = false;
}

static void splice_some(struct world *w, int actor, int end, int from, int to)
{
	const struct object *o = object_at(w, w->actor[actor].process, end);
	struct way *out = way_out(w, o);
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
		way_in(w, o)->known = false;
	}
}

static bool may_splice(struct world *w, const struct object *o)
{
	const struct way *in = way_in(w, o);

	return !in->full && !way_out(w, o)->full && !is_read(w, o) && !is_awaited(w, o) &&
	       in->charge <= SPLICED_MAX * MESSAGE_CHARGE;
}

void transfer(struct world *w, int actor)
{
	int process = w->actor[actor].process;
	int end = place_of(w, process, END);
	const struct object *o = end < 0 ? NULL : object_at(w, process, end);

	if (!o)
		return;
	int file = place_of(w, process, MEMFD), from = place_of(w, process, PIPE_READ),
	    to = place_of(w, process, PIPE_WRITE);
	int place = free_place(w, process);
	bool may_make = place >= 0 && w->objects < OBJECTS - 8;
	if (file < 0 && may_make)
		make_file(w, actor, place);
	else if (from < 0 && may_make)
		make_pipe(w, actor, place);
	else if (file >= 0 && one_in(w, 2))
		send_file(w, actor, end, file);
	else if (to < 0 || from < 0 || !may_splice(w, o))
		return;
	else if (one_in(w, 5))
		transfer_oddly(w, actor, end, to);
	else
		splice_some(w, actor, end, from, to);
}

void settle_way(struct world *w, int actor)
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
