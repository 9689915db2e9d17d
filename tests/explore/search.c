/* The search keeps each state in which there is a choice, takes one way, and comes back
 * for the others. A state that was seen before, with as many preemptions left, has
 * nothing new behind it: states are told apart by a hash of 64 bits over all that a
 * schedule changes, stacks and registers included. Where there is no choice it looks now
 * and then as well: two orders of what does not depend on each other soon meet. */
#include "search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

enum {
	OPTIONS_MAX = 4 * THREADS_MAX,
	STEPS_MAX = 20000,          /* of one schedule */
	STEPS_LOOP = 1000,          /* so many may be a loop: then each state is remembered */
	PIECES_MAX = 32,
};

/* ---- one step ---- */

enum step_kind { STEP_RUN, STEP_FLUSH, STEP_KILL, STEP_SIGNAL };

struct step {
	uint8_t kind;
	uint8_t thread;
	uint8_t cost;               /* preemptions */
	uint32_t operations;
};

static struct step path[STEPS_MAX];
static uint32_t path_length;

static void run(struct step *s)
{
	if (world.thread[s->thread].state == THREAD_DYING) {
		world.current = s->thread;
		close_ends_of(s->thread);
		trace("its descriptors are closed");
		s->operations = 1;
	} else {
		s->operations = resume(s->thread);
	}
}

static void take(struct step *s)
{
	switch (s->kind) {
	case STEP_FLUSH:
		flush_one(&world.thread[s->thread]);
		break;
	case STEP_KILL:
		world.current = s->thread;
		kill_thread(s->thread);
		trace("is killed");
		break;
	case STEP_SIGNAL:
		interrupt(s->thread);
		run(s);
		break;
	default:
		run(s);
		break;
	}
}

/* ---- what can be done in a state ---- */

struct options {
	struct step step[OPTIONS_MAX];
	int count;
};

static void add(struct options *o, enum step_kind kind, int thread, int cost)
{
	o->step[o->count++] = (struct step){.kind = (uint8_t)kind, .thread = (uint8_t)thread,
	                                    .cost = (uint8_t)cost};
}

/* Leaving the thread that went last costs a preemption where it could go on. */
static int cost_of(int thread)
{
	const struct thread *last = &world.thread[world.current];

	return thread != world.current && last->state == THREAD_ALIVE &&
	       last->op.kind != OP_YIELD && is_enabled(world.current);
}

static void add_steps_of(struct options *o, int i, int left)
{
	const struct thread *t = &world.thread[i];
	int cost = cost_of(i);

	if (cost > left)
		return;
	if (is_enabled(i))
		add(o, STEP_RUN, i, cost);
	if (t->state == THREAD_ALIVE && scenario->actor[i].may_be_killed && !t->unborn)
		add(o, STEP_KILL, i, cost);
	if (t->state == THREAD_ALIVE && t->signals > 0 && !t->handling && !t->unborn)
		add(o, STEP_SIGNAL, i, cost);
}

/* Is `t` about to use a word that `writer` has stored to, or to write it out as well? */
static bool meets(const struct thread *t, const struct thread *writer)
{
	if (t->op.kind >= OP_LOAD && t->op.kind <= OP_UPDATE && has_store_to(writer, t->op.at))
		return true;
	for (uint32_t i = 0; i < t->stores_count; i++)
		if (has_store_to(writer, t->stores[i].at))
			return true;
	return false;
}

/* Who wrote a word may have it written out before another one uses it, or behind. */
static bool is_awaited(const struct thread *writer, const struct options *o)
{
	for (int i = 0; i < o->count; i++) {
		const struct thread *t = &world.thread[o->step[i].thread];
		if (t != writer && meets(t, writer))
			return true;
	}
	return false;
}

static struct options options_of_state(int left)
{
	struct options o = {.count = 0};

	add_steps_of(&o, world.current, left);
	for (int i = 0; i < THREADS_MAX; i++)
		if (i != world.current)
			add_steps_of(&o, i, left);
	for (int i = 0; i < THREADS_MAX; i++)
		if (world.thread[i].stores_count > 0 && is_awaited(&world.thread[i], &o))
			add(&o, STEP_FLUSH, i, 0);
	return o;
}

/* ---- keeping states ---- */

struct piece {
	unsigned char *at;
	size_t size;
};

static unsigned char *kept;
static size_t kept_size, kept_room;

static void keep(const void *at, size_t size)
{
	if (kept_size + size > kept_room) {
		kept_room = (kept_size + size) * 2;
		kept = realloc(kept, kept_room);
		if (!kept)
			abort();
	}
	memcpy(kept + kept_size, at, size);
	kept_size += size;
}

static size_t give_back(size_t from, void *at, size_t size)
{
	memcpy(at, kept + from, size);
	return from + size;
}

static bool has_stack(int thread)
{
	return world.thread[thread].state == THREAD_ALIVE;
}

static size_t keep_state(void)
{
	size_t begin = kept_size, size;
	unsigned char *stack;

	keep((void *)&world, sizeof(world));
	for (int i = 0; i < 2; i++)
		keep(front_of(i), SPAN_USED);
	for (int i = 0; i < THREADS_MAX; i++) {
		if (!has_stack(i))
			continue;
		stack_of(i, &stack, &size);
		keep(stack, size);
	}
	return begin;
}

static void put_back_state(size_t from)
{
	unsigned char *stack;
	size_t size;

	from = give_back(from, (void *)&world, sizeof(world));
	for (int i = 0; i < 2; i++)
		from = give_back(from, front_of(i), SPAN_USED);
	for (int i = 0; i < THREADS_MAX; i++) {
		if (!has_stack(i))
			continue;
		stack_of(i, &stack, &size);
		from = give_back(from, stack, size);
	}
}

/* ---- telling states apart ---- */

static struct piece pieces[PIECES_MAX];
static int pieces_count;

static uint64_t mix(uint64_t h, uint64_t word)
{
	__uint128_t product = (__uint128_t)(h ^ word) * UINT64_C(0x9fb21c651e98df25);

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Four words at a time, so that they need not wait for each other. */
struct hash {
	uint64_t lane[4];
	uint64_t at;
};

/* Zeros, as most of a state is, are told by the place of what comes behind them. */
static void hash_words(struct hash *h, const uint64_t word[4])
{
	h->at++;
	if (word[0] | word[1] | word[2] | word[3])
		for (int i = 0; i < 4; i++)
			h->lane[i] = mix(h->lane[i] + h->at, word[i]);
}

static void hash_piece(struct hash *h, const unsigned char *at, size_t size)
{
	uint64_t word[4];

	for (; size >= sizeof(word); size -= sizeof(word), at += sizeof(word)) {
		memcpy(word, at, sizeof(word));
		hash_words(h, word);
	}
	memset(word, 0, sizeof(word));
	memcpy(word, at, size);
	hash_words(h, word);
}

/* What processes remember is nothing in most scenarios. */
static bool counts_for_state(const unsigned char *at)
{
	size_t offset = (size_t)(at - (const unsigned char *)world.lones);

	return !is_idle(at) && (scenario->lone || offset >= sizeof(world.lones));
}

/* All of the world but the words that decide nothing. */
static void find_pieces(void)
{
	unsigned char *at = (unsigned char *)&world, *end = (unsigned char *)&world.current;
	bool before = false;

	pieces_count = 0;
	for (; at < end; at += 4) {
		bool counts = counts_for_state(at);
		if (counts && !before) {
			if (pieces_count == PIECES_MAX)
				abort();
			pieces[pieces_count++] = (struct piece){at, 0};
		}
		if (counts)
			pieces[pieces_count - 1].size += 4;
		before = counts;
	}
	for (int i = 0; i < 2; i++)
		pieces[pieces_count++] = (struct piece){front_of(i), SPAN_USED};
}

static uint64_t hash_state(int left)
{
	struct hash h = {{1, 2, 3, 4}, (uint64_t)left * THREADS_MAX << 32};
	unsigned char *stack;
	size_t size;

	if (left != BOUND_NONE) /* who leaves whom matters only where it is counted */
		h.at += (uint64_t)world.current << 32;
	for (int i = 0; i < pieces_count; i++)
		hash_piece(&h, pieces[i].at, pieces[i].size);
	for (int i = 0; i < THREADS_MAX; i++) {
		if (!has_stack(i))
			continue;
		stack_of(i, &stack, &size);
		hash_piece(&h, stack, size);
	}
	uint64_t key = mix(mix(mix(h.lane[0] + 1, h.lane[1]) + 1, h.lane[2]) + 1, h.lane[3]);
	return key ? key : 1;
}

/* ---- states that were seen ---- */

static const double UNDER_WAY = -1;

static struct seen {
	uint64_t key;               /* 0: empty */
	double schedules;           /* from there to the end, or UNDER_WAY */
} *seen;
static uint64_t seen_count, seen_room;

static struct seen *seen_at(uint64_t key)
{
	uint64_t i = key & (seen_room - 1);

	while (seen[i].key != 0 && seen[i].key != key)
		i = (i + 1) & (seen_room - 1);
	return &seen[i];
}

static void forget_seen(uint64_t room)
{
	free(seen);
	seen = calloc(room, sizeof(*seen));
	if (!seen)
		abort();
	seen_room = room;
	seen_count = 0;
}

static void grow_seen(void)
{
	struct seen *old = seen;
	uint64_t old_room = seen_room, count = seen_count;

	seen = NULL;
	forget_seen(old_room * 2);
	for (uint64_t i = 0; i < old_room; i++)
		if (old[i].key != 0)
			*seen_at(old[i].key) = old[i];
	seen_count = count;
	free(old);
}

/* ---- the search ---- */

static bool every_path;

static struct frame {
	size_t kept;
	struct options options;
	int next;
	int left;                   /* preemptions */
	uint32_t path_length;
	uint64_t key;
	double schedules;
} *frames;
static size_t frames_count, frames_room;

static struct frame *push_frame(void)
{
	if (frames_count == frames_room) {
		frames_room = frames_room ? frames_room * 2 : 256;
		frames = realloc(frames, frames_room * sizeof(*frames));
		if (!frames)
			abort();
	}
	return &frames[frames_count++];
}

static void go(struct found *f, struct step s, int *left)
{
	if (path_length == STEPS_MAX) {
		note_failure("no end after %d steps", STEPS_MAX);
		return;
	}
	take(&s);
	if (*left != BOUND_NONE)
		*left -= s.cost;
	path[path_length++] = s;
	f->steps++;
	if (path_length > f->longest)
		f->longest = path_length;
}

/* The next way that was not taken, of the latest state that has one. `schedules`: behind
 * the state that the last way led to. False where there is none. */
static bool go_back(struct found *f, double schedules, int *left)
{
	while (frames_count > 0) {
		struct frame *top = &frames[frames_count - 1];
		top->schedules += schedules;
		if (top->next < top->options.count) {
			put_back_state(top->kept);
			path_length = top->path_length;
			*left = top->left;
			go(f, top->options.step[top->next++], left);
			return true;
		}
		seen_at(top->key)->schedules = top->schedules;
		schedules = top->schedules;
		kept_size = top->kept;
		frames_count--;
	}
	f->schedules = schedules;
	return false;
}

static void go_on(struct found *f, const struct options *o, uint64_t key, int *left)
{
	struct frame *frame = push_frame();

	*frame = (struct frame){.kept = o->count > 1 ? keep_state() : kept_size, .options = *o,
	                        .next = 1, .left = *left, .path_length = path_length, .key = key};
	f->states++;
	go(f, o->step[0], left);
}

/* Gives how many schedules lead on from a state that was seen; -1 where it is new. */
static double look_up(uint64_t key)
{
	struct seen *s = seen_at(key);

	if (s->key == key) {
		if (s->schedules == UNDER_WAY)
			note_failure("a loop: this state came before in the same schedule");
		return s->schedules;
	}
	*s = (struct seen){key, UNDER_WAY};
	if (++seen_count * 4 > seen_room * 3)
		grow_seen();
	return -1;
}

static void check_storage(void)
{
	const unsigned char *rings = weir_session.rings;

	for (size_t k = 0; k < weir_rings_size(SPAN); k++)
		if (rings[k] != 0 && (size_t)(rings + k - front_of(0)) >= SPAN_USED &&
		    (size_t)(rings + k - front_of(1)) >= SPAN_USED)
			note_failure("a byte far behind in the ring");
}

/* A lock that is about to be released covers what was changed, in whichever order. */
static bool may_meet(const struct options *o)
{
	return world.thread[o->step[0].thread].op.kind == OP_UNLOCK;
}

/* One state: where there is nothing new, back to one where there is. */
static bool visit(struct found *f, int *left)
{
	struct options o = options_of_state(*left);

	check_state();
	if (failure[0])
		return false;
	if (o.count == 0) {
		check_end();
		check_storage();
		return !failure[0] && go_back(f, 1, left);
	}
	if (o.count == 1 && path_length < STEPS_LOOP && !may_meet(&o)) {
		go(f, o.step[0], left);
		return true;
	}
	uint64_t key = hash_state(*left);
	double schedules = look_up(key);
	if (failure[0])
		return false;
	if (schedules >= 0 && !every_path)
		return go_back(f, schedules, left);
	go_on(f, &o, key, left);
	return true;
}

static struct found search_once(const struct limits *limits)
{
	struct found f = {.exhausted = true};
	int left = limits->preemptions;

	every_path = limits->every_path;

	world_begin();
	find_pieces();
	forget_seen(1 << 12);
	found_shared = false;
	path_length = 0;
	frames_count = kept_size = 0;
	while (visit(&f, &left)) {
		if (found_shared || f.states > limits->states) {
			f.exhausted = false;
			break;
		}
	}
	f.failed = failure[0] != '\0';
	return f;
}

/* Begins again whenever a word turns out to be shared, until all are known. */
static struct found search_up_to(int preemptions, const struct limits *limits)
{
	struct limits these = *limits;
	struct found f;

	these.preemptions = preemptions;
	do
		f = search_once(&these);
	while (found_shared && !f.failed);
	return f;
}

/* With few preemptions first: most of what can fail does so there, shortly, and most
 * words that are shared are found. */
struct found search(const struct limits *limits)
{
	struct found f;

	for (int few = 0; few < 2 && few < limits->preemptions; few++) {
		f = search_up_to(few, limits);
		if (f.failed || !f.exhausted)
			return f;
	}
	return search_up_to(limits->preemptions, limits);
}

/* ---- schedules as text ---- */

static const char letters[] = {[STEP_FLUSH] = 'f', [STEP_KILL] = 'k', [STEP_SIGNAL] = 's'};

/* "a12.b3.ka": a does 12 operations, b does 3, a is killed. */
const char *schedule_text(void)
{
	static char text[STEPS_MAX * 8];
	size_t n = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < path_length; i++) {
		uint32_t operations = path[i].operations;
		char who = (char)('a' + path[i].thread);
		if (path[i].kind != STEP_RUN)
			n += (size_t)sprintf(text + n, "%s%c%c", n ? "." : "", letters[path[i].kind], who);
		while (i + 1 < path_length && path[i + 1].kind == STEP_RUN &&
		       path[i + 1].thread == path[i].thread)
			operations += path[++i].operations;
		if (operations > 0)
			n += (size_t)sprintf(text + n, "%s%c%u", n ? "." : "", who, operations);
	}
	return text;
}

static bool is_thread(char c)
{
	return c >= 'a' && c < 'a' + THREADS_MAX && world.thread[c - 'a'].state != THREAD_NONE;
}

static bool replay_run(int thread, uint32_t operations)
{
	while (operations > 0) {
		if (!is_enabled(thread))
			return false;
		struct step s = {.kind = STEP_RUN, .thread = (uint8_t)thread};
		take(&s);
		operations -= s.operations;
		check_state();
		look_up(hash_state(BOUND_NONE)); /* notices a loop */
		if (failure[0])
			return true;
	}
	return true;
}

static bool replay_other(char kind, int thread)
{
	if (kind == 'f') {
		if (world.thread[thread].stores_count == 0)
			return false;
		world.current = thread;
		trace("%s is written out", name_of(world.thread[thread].stores[0].at));
		flush_one(&world.thread[thread]);
	} else if (kind == 'k') {
		world.current = thread;
		trace("is killed");
		kill_thread(thread);
	} else if (world.thread[thread].signals == 0) {
		return false;
	} else {
		interrupt(thread);
	}
	return true;
}

bool replay(const char *schedule)
{
	tracing = true;
	world_begin();
	find_pieces();
	forget_seen(1 << 12);
	while (*schedule && !failure[0]) {
		char kind = *schedule++;
		bool fits;
		if (is_thread(kind) && *schedule >= '0' && *schedule <= '9') {
			char *end;
			fits = replay_run(kind - 'a', (uint32_t)strtoul(schedule, &end, 10));
			schedule = end;
		} else {
			fits = strchr("fks", kind) && is_thread(*schedule) &&
			       replay_other(kind, *schedule - 'a');
			schedule += *schedule != '\0';
		}
		if (!fits)
			return false;
		schedule += *schedule == '.';
	}
	if (!failure[0] && options_of_state(BOUND_NONE).count == 0)
		check_end();
	return true;
}
