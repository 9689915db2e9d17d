/* Shared memory as an x86-64 shows it.
 *
 * The code under test is compiled with -fsanitize=thread, which makes each atomic
 * access a call with its memory order; these are the functions that it calls. Memory
 * is the world, and a store waits in its thread's buffer (total store order): a later
 * load of another word may come first. The compiler's own freedom to move relaxed
 * accesses is not played through.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "world.h"

enum { GRAIN = 4, GRAINS = sizeof(struct world) / GRAIN };

/* ---- who uses what ---- */

static struct use {
	uint16_t readers, writers;  /* bits: threads, and their handlers above them */
	bool shared;
} uses[GRAINS];
bool found_shared;

/* The memory of the session: what lies behind it is the search's own. */
static bool is_session(const volatile void *at)
{
	return (uintptr_t)at - (uintptr_t)&world < offsetof(struct world, kernel);
}

static struct use *use_of(const volatile void *at)
{
	return &uses[((uintptr_t)at - (uintptr_t)&world) / GRAIN];
}

/* Who sleeps is a matter for people, but for the writers' numbers (weir_bell_saturate). */
static bool is_of_sleeper(const struct weir_pipe *p, const volatile void *at)
{
	size_t offset = (uintptr_t)at - (uintptr_t)p->sleepers;

	return offset < sizeof(p->sleepers) &&
	       (offset < sizeof(p->sleepers[WEIR_OP_READ]) ||
	        offset % sizeof(struct weir_sleeper) != offsetof(struct weir_sleeper, tid));
}

bool is_idle(const volatile void *at)
{
	for (int i = 0; i < 2; i++) {
		const struct weir_pipe *p = &world.slot.pipe[i];
		size_t offset = (uintptr_t)at - (uintptr_t)p;
		if (offset >= sizeof(*p))
			continue;
		return is_of_sleeper(p, at) || at == &p->reads ||
		       at == &p->blocked_reads || at == &p->blocked_writes ||
		       at == &p->max_buffered || at == &p->reader_cpu || at == &p->writer_cpu ||
		       at == &p->reader_spins || at == &p->writer_spins ||
		       at == &p->reader_answers || at == &p->reader_gathers;
	}
	return false;
}

bool is_shared(const volatile void *at)
{
	return use_of(at)->shared;
}

void forget_shared(void)
{
	memset(uses, 0, sizeof(uses));
}

void note_use(const volatile void *at, bool writes)
{
	struct use *u = use_of(at);
	unsigned int who = 1U << (world.current + (self()->handling ? 8 : 0));

	if (u->shared || is_idle(at))
		return;
	u->readers |= (uint16_t)who;
	if (writes)
		u->writers |= (uint16_t)who;
	if (u->writers && (u->readers & (u->readers - 1))) {
		u->shared = true;
		found_shared = true;
	}
}

/* ---- the words themselves ---- */

static uint64_t read_word(const volatile void *at, uint32_t size)
{
	return size == 4 ? *(const volatile uint32_t *)at : *(const volatile uint64_t *)at;
}

static void write_word(volatile void *at, uint32_t size, uint64_t value)
{
	if (is_session(at) && read_word(at, size) != value)
		end_pauses();
	if (size == 4)
		*(volatile uint32_t *)at = (uint32_t)value;
	else
		*(volatile uint64_t *)at = value;
}

void flush_one(struct thread *t)
{
	struct store *s = &t->stores[0];

	write_word(s->at, s->size, s->value);
	t->stores_count--;
	memmove(t->stores, t->stores + 1, t->stores_count * sizeof(*s));
	memset(&t->stores[t->stores_count], 0, sizeof(*s));
}

void flush(struct thread *t)
{
	while (t->stores_count > 0)
		flush_one(t);
}

bool has_store_to(const struct thread *t, const volatile void *at)
{
	for (uint32_t i = 0; i < t->stores_count; i++)
		if (t->stores[i].at == at)
			return true;
	return false;
}

/* A thread sees its own stores, the latest first. */
static uint64_t load(const volatile void *at, uint32_t size)
{
	if (!running || !is_session(at))
		return read_word(at, size);
	note_use(at, false);
	reach((struct op){.kind = OP_LOAD, .name = "load", .at = at});
	const struct thread *t = self();
	uint64_t value = read_word(at, size);
	for (uint32_t i = 0; i < t->stores_count; i++)
		if (t->stores[i].at == at)
			value = t->stores[i].value;
	trace("%s is %llu", name_of(at), (unsigned long long)value);
	return value;
}

static void store(volatile void *at, uint32_t size, uint64_t value, int order)
{
	bool writes_out = order == __ATOMIC_SEQ_CST;

	if (!running || !is_session(at)) {
		write_word(at, size, value);
		return;
	}
	note_use(at, true);
	reach((struct op){.kind = writes_out ? OP_UPDATE : OP_STORE, .name = "store", .at = at});
	struct thread *t = self();
	if (t->stores_count == STORES_MAX)
		flush_one(t);
	t->stores[t->stores_count++] = (struct store){(void *)(uintptr_t)at, value, size};
	trace("%s = %llu%s", name_of(at), (unsigned long long)value, writes_out ? ", seen" : "");
	if (writes_out)
		flush(t);
}

/* Locked instructions empty the store buffer. Gives the value before. */
static uint64_t begin_update(volatile void *at, uint32_t size)
{
	if (running && is_session(at)) {
		note_use(at, true);
		reach((struct op){.kind = OP_UPDATE, .name = "update", .at = at});
		flush(self());
	}
	return read_word(at, size);
}

static uint64_t end_update(volatile void *at, uint32_t size, uint64_t before, uint64_t value)
{
	write_word(at, size, value);
	if (running && is_session(at))
		trace("%s: %llu becomes %llu", name_of(at), (unsigned long long)before,
		      (unsigned long long)value);
	return before;
}

static bool swap_if(volatile void *at, uint32_t size, uint64_t expected, uint64_t value,
                    uint64_t *seen)
{
	*seen = begin_update(at, size);
	end_update(at, size, *seen, *seen == expected ? value : *seen);
	return *seen == expected;
}

/* ---- what the compilers call ---- */

#define WIDTH(bits) \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *at, int order); \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *at, int order) \
	{ \
		(void)order; \
		return (uint##bits##_t)load(at, bits / 8); \
	} \
	void __tsan_atomic##bits##_store(volatile uint##bits##_t *at, uint##bits##_t v, int order); \
	void __tsan_atomic##bits##_store(volatile uint##bits##_t *at, uint##bits##_t v, int order) \
	{ \
		store(at, bits / 8, v, order); \
	} \
	bool __tsan_atomic##bits##_compare_exchange_strong( \
	        volatile uint##bits##_t *at, uint##bits##_t *expected, uint##bits##_t v, int order, \
	        int failed); \
	bool __tsan_atomic##bits##_compare_exchange_strong( \
	        volatile uint##bits##_t *at, uint##bits##_t *expected, uint##bits##_t v, int order, \
	        int failed) \
	{ \
		uint64_t seen; \
		bool done = swap_if(at, bits / 8, *expected, v, &seen); \
		(void)order, (void)failed; \
		*expected = (uint##bits##_t)seen; \
		return done; \
	} \
	uint##bits##_t __tsan_atomic##bits##_compare_exchange_val( \
	        volatile uint##bits##_t *at, uint##bits##_t expected, uint##bits##_t v, int order, \
	        int failed); \
	uint##bits##_t __tsan_atomic##bits##_compare_exchange_val( \
	        volatile uint##bits##_t *at, uint##bits##_t expected, uint##bits##_t v, int order, \
	        int failed) \
	{ \
		uint64_t seen; \
		(void)order, (void)failed; \
		swap_if(at, bits / 8, expected, v, &seen); \
		return (uint##bits##_t)seen; \
	}

#define UPDATE(bits, name, operator) \
	uint##bits##_t __tsan_atomic##bits##_fetch_##name(volatile uint##bits##_t *at, \
	                                                  uint##bits##_t v, int order); \
	uint##bits##_t __tsan_atomic##bits##_fetch_##name(volatile uint##bits##_t *at, \
	                                                  uint##bits##_t v, int order) \
	{ \
		uint64_t before = begin_update(at, bits / 8); \
		(void)order; \
		return (uint##bits##_t)end_update(at, bits / 8, before, \
		                                  (uint##bits##_t)(before operator v)); \
	}

WIDTH(32)
WIDTH(64)
UPDATE(32, add, +)
UPDATE(32, or, |)
UPDATE(32, and, &)
UPDATE(64, add, +)
UPDATE(64, or, |)
UPDATE(64, and, &)

/* Plain accesses: of what a lock or a published position guards. */
#define PLAIN(name) \
	void __tsan_##name(void *at); \
	void __tsan_##name(void *at) \
	{ \
		(void)at; \
	}

PLAIN(read1)
PLAIN(read2)
PLAIN(read4)
PLAIN(read8)
PLAIN(read16)
PLAIN(write1)
PLAIN(write2)
PLAIN(write4)
PLAIN(write8)
PLAIN(write16)
PLAIN(unaligned_read2)
PLAIN(unaligned_read4)
PLAIN(unaligned_read8)
PLAIN(unaligned_read16)
PLAIN(unaligned_write2)
PLAIN(unaligned_write4)
PLAIN(unaligned_write8)
PLAIN(unaligned_write16)
PLAIN(func_entry)

void __tsan_func_exit(void);
void __tsan_init(void);
void __tsan_read_range(void *at, size_t size);
void __tsan_write_range(void *at, size_t size);

void __tsan_func_exit(void)
{
}

void __tsan_init(void)
{
}

void __tsan_read_range(void *at, size_t size)
{
	(void)at, (void)size;
}

void __tsan_write_range(void *at, size_t size)
{
	(void)at, (void)size;
}

void __tsan_atomic_signal_fence(int order);

void __tsan_atomic_signal_fence(int order)
{
	(void)order;
}

/* ---- names, for the trace ---- */

struct field {
	size_t offset, size;
	const char *name;
};

#define FIELD(type, field) {offsetof(struct type, field), sizeof(((struct type *)0)->field), #field}

static const struct field pipe_fields[] = {
        FIELD(weir_pipe, read_lock),     FIELD(weir_pipe, reads),
        FIELD(weir_pipe, blocked_reads), FIELD(weir_pipe, rules_read),
        FIELD(weir_pipe, head),          FIELD(weir_pipe, write_lock),
        FIELD(weir_pipe, pending),       FIELD(weir_pipe, bells),
        FIELD(weir_pipe, lowered),       FIELD(weir_pipe, rules_write),
        FIELD(weir_pipe, tail),          FIELD(weir_pipe, origin),
        FIELD(weir_pipe, writes),        FIELD(weir_pipe, blocked_writes),
        FIELD(weir_pipe, max_buffered),  FIELD(weir_pipe, aside_used),
        FIELD(weir_pipe, aside_fd),      FIELD(weir_pipe, reader_cpu),
        FIELD(weir_pipe, writer_cpu),    FIELD(weir_pipe, reader_spins),
        FIELD(weir_pipe, writer_spins),  FIELD(weir_pipe, reset),
        FIELD(weir_pipe, limit_given),   FIELD(weir_pipe, limit),
        FIELD(weir_pipe, mask),          FIELD(weir_pipe, writable_room),
        FIELD(weir_pipe, wake_at),       FIELD(weir_pipe, placeless),
        FIELD(weir_pipe, saturated),
        FIELD(weir_pipe, suspect),       FIELD(weir_pipe, watch),
        FIELD(weir_pipe, carrier),       FIELD(weir_pipe, hand_over),
        FIELD(weir_pipe, reader_life),   FIELD(weir_pipe, generation),
        FIELD(weir_pipe, sleepers),      FIELD(weir_pipe, aside),
        FIELD(weir_pipe, aside_owner),   FIELD(weir_pipe, head_again),
        FIELD(weir_pipe, tail_again),    FIELD(weir_pipe, shape),
        FIELD(weir_pipe, read_alone),    FIELD(weir_pipe, write_alone),
        FIELD(weir_pipe, alone),         FIELD(weir_pipe, marker),
        FIELD(weir_pipe, reader_answers), FIELD(weir_pipe, reader_gathers),
        FIELD(weir_pipe, calm),          FIELD(weir_pipe, writer_life),
        FIELD(weir_pipe, wary),          FIELD(weir_pipe, board),
        FIELD(weir_pipe, fills),
        FIELD(weir_pipe, emptied_at),
};

static const struct field end_fields[] = {
        FIELD(weir_end_shared, holders),  FIELD(weir_end_shared, nonblock),
        FIELD(weir_end_shared, rcvlowat), FIELD(weir_end_shared, peek_off),
        FIELD(weir_end_shared, sndbuf),   FIELD(weir_end_shared, rcvbuf),
        FIELD(weir_end_shared, cookie),   FIELD(weir_end_shared, inode),
        FIELD(weir_end_shared, fd),       FIELD(weir_end_shared, timed),
        FIELD(weir_end_shared, shuts),
};

static const struct field lone_fields[] = {
        FIELD(weir_lone, who),  FIELD(weir_lone, head),  FIELD(weir_lone, tail),
        FIELD(weir_lone, origin), FIELD(weir_lone, pause),
};

static bool name_in(const struct field *f, size_t count, size_t offset, const char *prefix,
                    char text[64])
{
	for (size_t i = 0; i < count; i++) {
		if (offset < f[i].offset || offset >= f[i].offset + f[i].size)
			continue;
		snprintf(text, 64, "%s.%s", prefix, f[i].name);
		return true;
	}
	return false;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *name_of(const volatile void *at)
{
	static char text[64];
	static const char *const pipes[] = {"a>b", "b>a"}, *const sides[] = {"a", "b"};
	uintptr_t address = (uintptr_t)at;

	for (int i = 0; i < 2; i++) {
		if (name_in(pipe_fields, COUNT(pipe_fields),
		            address - (uintptr_t)&world.slot.pipe[i], pipes[i], text) ||
		    name_in(end_fields, COUNT(end_fields), address - (uintptr_t)&world.slot.end[i],
		            sides[i], text))
			return text;
	}
	for (int i = 0; i < 2 * THREADS_MAX; i++) {
		char prefix[32];
		snprintf(prefix, sizeof(prefix), "%c's %s", 'a' + i / 2, pipes[i % 2]);
		if (name_in(lone_fields, COUNT(lone_fields),
		            address - (uintptr_t)&world.lones[i / 2][2 + i % 2], prefix, text))
			return text;
	}
	for (int i = 0; i < THREADS_MAX; i++) {
		if (address - (uintptr_t)&world.lives[i] < sizeof(world.lives[i])) {
			snprintf(text, sizeof(text), "life of %c", 'a' + i);
			return text;
		}
	}
	snprintf(text, sizeof(text), "world+%zu", (size_t)(address - (uintptr_t)&world));
	return text;
}
