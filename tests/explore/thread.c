#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pair/life.h"
#include "world.h"

enum { STACK_SIZE = 32768 };

struct world world;
const struct scenario *scenario;
struct weir_end ends[2];
char failure[512];
bool tracing;
bool running;

static _Alignas(64) unsigned char stacks[THREADS_MAX][STACK_SIZE];
static void *search_stack;      /* the search's, while a thread runs */
static uint32_t operations;     /* done since a thread was resumed */

/* ---- switching stacks ---- */

/* Leaves what a callee has to keep on the stack, so that the stack is the context. */
void switch_stacks(void **from, void *to);
__asm__(".text\n"
        ".globl switch_stacks\n"
        ".type switch_stacks, @function\n"
        "switch_stacks:\n"
        "	push %rbp\n	push %rbx\n	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
        "	mov %rsp, (%rdi)\n"
        "	mov %rsi, %rsp\n"
        "	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbx\n	pop %rbp\n"
        "	ret\n"
        ".size switch_stacks, . - switch_stacks\n");

static void back_to_search(void)
{
	switch_stacks(&self()->stack_pointer, search_stack);
}

static void begin(void)
{
	scenario->actor[world.current].run();
	flush(self());
	self()->state = THREAD_FINISHED;
	for (;;)
		back_to_search();
}

/* As if it had been switched away from just before its first instruction. */
static void make_stack(int i)
{
	void **top = (void **)(void *)(stacks[i] + STACK_SIZE - 64);

	memset(stacks[i], 0, STACK_SIZE);
	*--top = NULL;              /* the address that begin() never returns to */
	*--top = (void *)(uintptr_t)begin;
	world.thread[i].stack_pointer = top - 6;
}

void stack_of(int thread, unsigned char **from, size_t *size)
{
	*from = world.thread[thread].stack_pointer;
	*size = (size_t)(stacks[thread] + STACK_SIZE - *from);
}

/* ---- going on and stopping ---- */

static int process_of(int thread)
{
	return scenario->actor[thread].beside ? 0 : thread;
}

/* Where nobody is to remember anything. */
static struct weir_lone nobodys[WEIR_LONES];

/* The pipes as the process sees them. */
static void see_ends(void)
{
	uint32_t generation = load32_relaxed(&world.slot.generation);

	for (int side = 0; side < 2; side++) {
		ends[side].in.lone = weir_pair_pipe(&weir_session, 0, !side, generation).lone;
		ends[side].out.lone = weir_pair_pipe(&weir_session, 0, side, generation).lone;
	}
}

/* What a process has for itself alone. */
static void be(int thread)
{
	int process = process_of(thread);

	world.current = thread;
	store32_relaxed(&weir_own_process, tid_of(process));
	store32_relaxed(&weir_own_life, world.thread[process].life);
	__libc_single_threaded = !world.threaded[process];
	weir_lones_own = scenario->lone ? &world.lones[process] : &nobodys;
	see_ends();
}

uint32_t resume(int thread)
{
	be(thread);
	operations = 0;
	if (tracing && world.thread[thread].op.kind == OP_BEGIN)
		trace("begins a call");
	running = true;
	switch_stacks(&search_stack, world.thread[thread].stack_pointer);
	running = false;
	return operations;
}

static void handle(struct thread *t)
{
	struct op op = t->op;
	uint32_t heard = t->heard;

	trace("a handler runs");
	t->handling = true;
	t->handlers++;
	t->heard = 0;
	scenario->actor[world.current].handler();
	t->handling = false;
	t->heard = heard;
	t->op = op;
	trace("the handler returns");
}

static bool is_sleep(enum op_kind kind)
{
	return kind >= OP_SLEEP_INPUT && kind <= OP_SLEEP_EPOLL;
}

/* Stores are seen when they leave the store buffer, so the order of the store itself
 * matters only to who may be stopped for good, or interrupted, before it, or whose
 * stores others may have written out (membarrier). */
static bool is_point(const struct op *op)
{
	const struct actor *a = &scenario->actor[world.current];
	bool matters = a->may_be_killed || a->handler || scenario->alone;

	if (tracing)
		return true;
	if (op->kind == OP_STORE && !matters)
		return false;
	if (op->kind == OP_LOAD && has_store_to(self(), op->at))
		return matters;
	if (op->kind == OP_LOAD || op->kind == OP_STORE || op->kind == OP_UPDATE)
		return is_shared(op->at);
	return true;
}

/* A handler with SA_RESTART makes a call that waits begin again, other than poll. */
static bool begins_again(enum op_kind kind)
{
	return scenario->restarts && (kind == OP_SLEEP_INPUT || kind == OP_SLEEP_ROOM);
}

bool reach(struct op op)
{
	struct thread *t = self();
	bool goes_on = true;

	t->op = op;
	while (is_point(&op)) {
		back_to_search();
		if (!t->signalled)
			break;
		t->signalled = false;
		handle(t);
		goes_on = !is_sleep(op.kind) || begins_again(op.kind);
		if (is_sleep(op.kind))
			break;
	}
	operations++;
	return goes_on;
}

void between_calls(void)
{
	reach((struct op){.kind = OP_BEGIN, .name = "begin"});
	self()->heard = 0;
}

bool is_enabled(int thread)
{
	const struct thread *t = &world.thread[thread];

	if (t->state == THREAD_DYING)
		return true;
	if (t->state != THREAD_ALIVE || t->unborn)
		return false;
	if (t->signalled)
		return true;
	if (t->op.kind == OP_LOCK)
		return lock_is_free(t->op.at, thread);
	if (t->op.kind == OP_PAUSE)
		return !t->pauses;
	return !is_sleep(t->op.kind) || sleep_is_over(t);
}

void start_thread(int thread)
{
	int process = process_of(thread);

	reach((struct op){.kind = OP_KERNEL, .name = "clone"});
	flush(self());
	trace("starts %c", 'a' + thread);
	world.threaded[process] = true;
	__libc_single_threaded = false;
	world.thread[thread].unborn = false;
}

/* As hooks/process.c does it. The child has a copy of what its parent remembers. */
void fork_process(int thread)
{
	weir_endpoints_before_fork();
	reach((struct op){.kind = OP_KERNEL, .name = "fork"});
	flush(self());
	trace("forks %c", 'a' + thread);
	memcpy(world.lones[thread], world.lones[process_of(world.current)], sizeof(world.lones[0]));
	world.thread[thread].unborn = false;
}

void end_pauses(void)
{
	for (int i = 0; i < THREADS_MAX; i++)
		world.thread[i].pauses = false;
}

void interrupt(int thread)
{
	world.thread[thread].signals--;
	world.thread[thread].signalled = true;
}

/* What was stored is written out in any case, and the kernel marks the locks before it
 * closes descriptors (exit_mm, then exit_files). */
void kill_thread(int thread)
{
	struct thread *t = &world.thread[thread];

	flush(t);
	locks_of_the_dead(thread);
	end_pauses();
	t->state = THREAD_DYING;
	t->op = (struct op){.kind = OP_EXIT, .name = "exit"};
}

/* ---- telling ---- */

void note_failure(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (!failure[0])
		vsnprintf(failure, sizeof(failure), format, arguments);
	va_end(arguments);
}

void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (!failure[0])
		vsnprintf(failure, sizeof(failure), format, arguments);
	va_end(arguments);
	if (!running) {
		fprintf(stderr, "%s\n", failure);
		abort();
	}
	for (;;)
		back_to_search();
}

void trace_line(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	printf("%c%s ", 'a' + world.current, self()->handling ? "'" : " ");
	vprintf(format, arguments);
	printf("\n");
	va_end(arguments);
}

/* What the code under test dies of is a failure like others. */
_Noreturn void __wrap_weir_damaged(const char *what);

_Noreturn void __wrap_weir_damaged(const char *what)
{
	fail("weir_damaged: %s", what);
}

void __wrap_weir_die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

void __wrap_weir_die(const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	fail("weir dies: %s", text);
}

/* ---- the beginning ---- */

static unsigned char rings[2 * (WEIR_RING_FRONT + SPAN)];

unsigned char *front_of(int direction)
{
	return rings + weir_rings_middle(SPAN) - (direction ? WEIR_RING_FRONT : 0);
}

static void make_session(void)
{
	static struct weir_plan plan;
	static struct weir_slot_faults faults;

	world.header.capacity = scenario->capacity;
	world.header.capacity_given = !scenario->by_kernels_rule;
	weir_session = (struct weir_session){
	        .header = &world.header,
	        .slots = &world.slot,
	        .lives = world.lives,
	        .plan = &plan,
	        .faults = &faults,
	        .rings = rings,
	        .ring_span = SPAN,
	        .slot_count = 1,
	};
	memset(rings, 0, sizeof(rings));
}

static void make_pair(void)
{
	struct weir_end gone;

	for (int side = 0; side < 2; side++)
		weir_table_remove(FD_FIRST + side, &gone);
	MUST(weir_pair_open(&weir_session, 1, tid_of(0), "explore") == 0);
	for (int side = 0; side < 2; side++) {
		weir_table_enter(FD_FIRST + side, 0, side, load32_relaxed(&world.slot.generation));
		MUST(weir_end_of(FD_FIRST + side, &ends[side]));
	}
}

/* Who has made a pair is known to read it. */
static void make_reader(int i, int side)
{
	weir_word32 *reader = &ends[side].in.pipe->reader_life;

	if (load32_relaxed(reader) == 0)
		store32_relaxed(reader, world.thread[i].life);
}

static void make_thread(int i)
{
	const struct actor *a = &scenario->actor[i];
	struct thread *t = &world.thread[i];

	t->state = THREAD_ALIVE;
	t->signals = a->handler ? 1 : 0;
	t->unborn = a->beside || a->forked;
	world.current = i;
	t->life = weir_life_begin(&weir_session);
	for (int side = 0; side < 2; side++) {
		t->holds[side] = a->holds >> side & 1;
		if (!t->holds[side] || t->unborn)
			continue;
		weir_pair_hold(&world.slot, side);
		make_reader(i, side);
	}
	make_stack(i);
}

/* The pair was made with a holder of each end, who stands for nobody here. */
static void drop_maker(void)
{
	for (int side = 0; side < 2; side++)
		weir_pair_release(&weir_session, 0, side, load32_relaxed(&world.slot.generation));
}

/* The first thread takes no locks until others come unannounced. */
static void begin_alone(void)
{
	be(0);
	weir_pipe_begin_alone(&ends[0].out);
	weir_pipe_begin_alone(&ends[0].in);
	for (int i = 0; i < WEIR_LONES; i++)
		store32_relaxed(&nobodys[i].pause, UINT32_MAX);
}

void world_begin(void)
{
	memset((void *)&world, 0, sizeof(world));
	failure[0] = '\0';
	weir_lones_own = &nobodys;
	kernel_open(&world.kernel);
	make_session();
	make_pair();
	for (int i = 0; i < THREADS_MAX && scenario->actor[i].run; i++)
		make_thread(i);
	drop_maker();
	world.current = 0;
	if (scenario->alone)
		begin_alone();
	/* Each stops before its first call. */
	for (int i = 0; i < THREADS_MAX && scenario->actor[i].run; i++)
		resume(i);
	world.current = 0;
}
