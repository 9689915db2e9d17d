/* What the generator knows of the program so far: who holds what, what is on its way, who waits. */
#ifndef DIFFER_WORLD_H
#define DIFFER_WORLD_H

#include <poll.h>
#include <stdbool.h>

#include "generate.h"

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
	bool edges; /* a set with entries of edges */
	bool room_edges; /* a set with entries whose edges of room are not all told */
	bool entered; /* a set that is in another */
	bool asked; /* a set that something was asked of, beside epoll_wait */
	bool told; /* a set that has told of edges, and nothing was asked of before */
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
	bool credentials; /* were asked for: weir marks where the kernel takes over */
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

/* From 0 to bound - 1; with a chance of one in n. */
int below(struct world *w, int bound);
bool one_in(struct world *w, int n);

/* A new line of the program, of a call without arguments yet; the last one again where there is
 * no place for more. */
struct call *add(struct world *w, int actor, enum call_number number);

/* What a place of a process holds, or NULL. */
struct object *object_at(struct world *w, int process, int place);

/* Its index. Nobody holds it yet. */
int new_object(struct world *w, enum object_kind kind);

/* A random one, or -1. */
int free_place(struct world *w, int process);

/* A random place that holds something of the kind; -1: none does. */
int place_of(struct world *w, int process, enum object_kind kind);

/* Mostly an open end; now and then a place that holds nothing. */
int an_end(struct world *w, int process);

/* What the end receives from, and what it sends into. */
struct way *way_in(struct world *w, const struct object *o);
struct way *way_out(struct world *w, const struct object *o);

/* Who watches the end is told: of these events, or, without any, of whatever is so now. And who
 * watches a set, that there is something in it. */
void news(struct world *w, int object, int events);

/* All was taken. */
void empty(struct way *way);

/* The place holds the object from now on. */
void put_at(struct world *w, int process, int place, int object, bool cloexec);

/* Somebody who waits in the way is woken, or not: no more is known of him. */
void disturb(struct world *w, int pair, int side);

/* Of two who wait at the other end, only time tells who hears of the end's reset. */
bool two_wait(struct world *w, const struct object *o);

/* What is closed while a call waits in it is beyond libweir (differences/). */
bool is_in_use(struct world *w, int process, int place);

/* The place holds nothing any more. */
void drop(struct world *w, int process, int place);

/* Does an actor wait so, or perhaps, in the direction that this side writes? */
bool waits(struct world *w, enum waiting how, int pair, int side);

/* Another actor waits to receive what this end receives. */
bool is_read(struct world *w, const struct object *o);

/* The same of what this end sends. */
bool is_awaited(struct world *w, const struct object *o);

/* Somebody waits to send what this end receives. */
bool is_written(struct world *w, const struct object *o);

bool is_nonblocking(const struct world *w, const struct object *o);

/* Is it known what is on this way, and who may touch it? */
bool is_certain(struct world *w, const struct object *o, const struct way *way);

#endif
