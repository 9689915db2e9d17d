#include "sets.h"

#include <poll.h>
#include <sys/epoll.h>

#include "traffic.h"

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

/* Is there something in the set that may look ready, though it gives nothing? (differences/) */
static bool looks_ready(const struct object *set)
{
	return set->room_edges || set->told;
}

/* What is ready in a set where edges of room may lie, or were told, is not asked for. */
static int a_place_to_ask(struct world *w, int process)
{
	int place = one_in(w, 10)   ? below(w, PLACES)
	            : one_in(w, 12) ? place_of(w, process, EPOLL)
	                            : an_end(w, process);

	for (int i = 0; i < PLACES; i++, place = (place + 1) % PLACES) {
		const struct object *o = place < 0 ? NULL : object_at(w, process, place);
		if (place >= 0 && !(o && looks_ready(o)))
			break;
	}
	return place;
}

/* Perhaps it is that of a place which has the number now that the entry's had. */
static bool has_entry(const struct world *w, int set, int object)
{
	for (int i = 0; i < w->entries; i++)
		if (w->entry[i].set == set && w->entry[i].object == object)
			return true;
	return false;
}

/* One shutdown changes one end of a pair, and then the other: who waits for both is woken by the
 * first, and sees the second as well, or not. */
static bool asks_both_ends(struct world *w, int process, const struct call *c)
{
	for (int i = 0; i < c->listed; i++) {
		const struct object *o = object_at(w, process, c->list[i].place);
		for (int k = 0; o && o->kind == END && k < c->listed; k++)
			if (object_at(w, process, c->list[k].place) == &w->object[o->peer])
				return true;
	}
	return false;
}

static bool has_both_ends(const struct world *w, int set)
{
	for (int i = 0; i < w->entries; i++) {
		const struct entry *e = &w->entry[i];
		if (e->set == set && e->object >= 0 && w->object[e->object].kind == END &&
		    has_entry(w, set, w->object[e->object].peer))
			return true;
	}
	return false;
}

void ask_readiness(struct world *w, int actor)
{
	int process = w->actor[actor].process;
	bool selects = one_in(w, 3), sets = false;
	struct call *c = add(w, actor, selects ? CALL_select : CALL_poll);

	c->listed = (unsigned char)(1 + below(w, LIST_MAX - 2));
	for (int i = 0; i < c->listed; i++) {
		c->list[i].place = a_place_to_ask(w, process);
		struct object *o = object_at(w, process, c->list[i].place);
		sets |= o && o->kind == EPOLL; /* what is told of once, one of two who wait has */
		if (o)
			o->asked = true;
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
	if (actor > 0 && one_in(w, 6) && !asks_both_ends(w, process, c) &&
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

/* Has the process another number for what is there? */
static bool is_doubled(const struct world *w, int process, int place)
{
	int object = w->place[process][place].object, count = 0;

	for (int i = 0; i < PLACES; i++)
		count += w->place[process][i].object == object;
	return count > 1;
}

/* Is it entered for edges in another set? Who tells of them is asked to leave it to the kernel,
 * which may tell once more (differences/). */
static bool has_edges_elsewhere(const struct world *w, int set, int object)
{
	for (int i = 0; i < w->entries; i++)
		if (w->entry[i].object == object && w->entry[i].set != set &&
		    (w->entry[i].events & (int)EPOLLET))
			return true;
	return false;
}

static void change_set(struct world *w, int actor, int ep)
{
	int process = w->actor[actor].process, set = w->place[process][ep].object;
	int place = one_in(w, 12)  ? below(w, PLACES)
	            : one_in(w, 8) ? place_of(w, process, EPOLL)
	                           : an_end(w, process);

	if (place < 0 || w->entries == ENTRIES_MAX)
		return;
	struct object *o = object_at(w, process, place);
	if (o && o->kind == EPOLL &&
	    (looks_ready(o) || (w->object[set].entered && !is_in(w, set, o))))
		return;
	if (o && o->kind == END && has_edges_elsewhere(w, set, w->place[process][place].object))
		return;
	static const int ops[] = {EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_MOD,
	                          EPOLL_CTL_DEL};
	int op = ops[below(w, 5)], events = entry_events(w, &w->object[set], o, op);
	if (o && o->kind == END && is_doubled(w, process, place)) /* likewise */
		events &= ~(int)EPOLLET;
	struct call *c = add(w, actor, CALL_epoll_ctl);
	*c = (struct call){.number = c->number, .actor = c->actor, .a = {ep, op, place, events}};
	if (events & (EPOLLONESHOT | (int)EPOLLET))
		w->object[set].picky = true;
	w->object[set].edges |= (events & (int)EPOLLET) != 0;
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
		if (e->set != set || e->object < 0 || !tells_room_edges(w, e) ||
		    (e->due && !e->doubtful))
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
	struct call *c =
	        add(w, actor, w->object[set].room_edges ? CALL_epoll_edges : CALL_epoll_wait);

	w->object[set].told |= w->object[set].edges && !w->object[set].asked;
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
	if (actor > 0 && !w->object[set].room_edges && one_in(w, 4) && !has_both_ends(w, set) &&
	    (w->races || (!anybody(w, false) && !anybody(w, true)))) {
		c->a[2] = -1;
		c->may_wait = true;
		w->actor[actor].waiting = WAITS_MAYBE;
		w->actor[actor].pair = -1;
	}
}

void epoll(struct world *w, int actor)
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
