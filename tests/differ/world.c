#include "world.h"

#include <poll.h>
#include <sys/epoll.h>

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

int below(struct world *w, int bound)
{
	return (int)random_below(&w->random, (uint32_t)bound);
}

bool one_in(struct world *w, int n)
{
	return below(w, n) == 0;
}

/* ---- lines ---- */

struct call *add(struct world *w, int actor, enum call_number number)
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

struct object *object_at(struct world *w, int process, int place)
{
	int object = w->place[process][place].object;

	return object < 0 ? NULL : &w->object[object];
}

int new_object(struct world *w, enum object_kind kind)
{
	w->object[w->objects] = (struct object){.kind = kind, .refs = 0, .lowest = 1};
	return w->objects++;
}

int free_place(struct world *w, int process)
{
	int start = below(w, PLACES);

	for (int i = 0; i < PLACES; i++)
		if (w->place[process][(start + i) % PLACES].object < 0)
			return (start + i) % PLACES;
	return -1;
}

int place_of(struct world *w, int process, enum object_kind kind)
{
	int start = below(w, PLACES);

	for (int i = 0; i < PLACES; i++) {
		struct object *o = object_at(w, process, (start + i) % PLACES);
		if (o && o->kind == kind)
			return (start + i) % PLACES;
	}
	return -1;
}

int an_end(struct world *w, int process)
{
	if (one_in(w, 60))
		return free_place(w, process) >= 0 ? free_place(w, process) : 0;
	return place_of(w, process, END);
}

struct way *way_in(struct world *w, const struct object *o)
{
	return &w->pair[o->pair].way[!o->side];
}

struct way *way_out(struct world *w, const struct object *o)
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

void news(struct world *w, int object, int events)
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

void empty(struct way *way)
{
	way->bytes = 0;
	way->charge = 0;
	way->known = true;
	way->unclear_room = false;
}

void put_at(struct world *w, int process, int place, int object, bool cloexec)
{
	w->place[process][place] = (struct place){object, cloexec};
	w->object[object].refs++;
}

void disturb(struct world *w, int pair, int side)
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

bool two_wait(struct world *w, const struct object *o)
{
	int waiting = 0;

	for (int i = 0; i < ACTORS; i++)
		waiting += w->actor[i].waiting != WAITS_NOT && w->actor[i].pair == o->pair;
	return waiting > 1;
}

bool is_in_use(struct world *w, int process, int place)
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

void drop(struct world *w, int process, int place)
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

/* ---- who waits, and what is known ---- */

bool waits(struct world *w, enum waiting how, int pair, int side)
{
	for (int i = 0; i < ACTORS; i++) {
		const struct actor_state *a = &w->actor[i];
		if ((a->waiting == how || a->waiting == WAITS_MAYBE) && a->pair == pair &&
		    a->side == side)
			return true;
	}
	return false;
}

bool is_read(struct world *w, const struct object *o)
{
	return waits(w, WAITS_READING, o->pair, !o->side);
}

bool is_awaited(struct world *w, const struct object *o)
{
	return waits(w, WAITS_READING, o->pair, o->side);
}

bool is_written(struct world *w, const struct object *o)
{
	return waits(w, WAITS_WRITING, o->pair, o->side);
}

bool is_nonblocking(const struct world *w, const struct object *o)
{
	return o->nonblock && !w->blind;
}

bool is_certain(struct world *w, const struct object *o, const struct way *way)
{
	return way->known && !w->pair[o->pair].uncertain;
}
