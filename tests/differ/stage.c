/* Actors and their lock step: one call at a time, whoever makes it. Whether a call that
 * may wait does wait is seen in the task's state: a wake-up is made before the call that
 * makes it returns, so that a task that still sleeps then was not woken. */
#include "stage.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct stage *stage;
_Thread_local struct actor *self;

/* What tells whether a task sleeps; -1: not open. */
struct task_files {
	int stat;
	int call;
};

/* Of the process that all others come from. */
static pthread_t thread_of[ACTORS];
static struct task_files task_files[ACTORS];

static void die(const char *what)
{
	fprintf(stderr, "differ: %s: %s\n", what, strerrorname_np(errno));
	_exit(3);
}

/* ---- waiting for words ---- */

static void wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* Until it is not `value`, or for some time. */
static void wait_while(_Atomic uint32_t *word, uint32_t value)
{
	struct timespec time = {.tv_nsec = 100 * 1000 * 1000};

	if (atomic_load(word) == value)
		syscall(SYS_futex, word, FUTEX_WAIT, value, &time, NULL, 0);
}

static void pause_us(long us)
{
	struct timespec time = {.tv_nsec = us * 1000};

	nanosleep(&time, NULL);
}

/* ---- being an actor ---- */

/* Streams run free: when they end is told by `join` alone. */
static bool runs_free(const struct actor *a)
{
	return a->call.number == CALL_pour || a->call.number == CALL_sip;
}

static void set_state(struct actor *me, uint32_t state)
{
	atomic_store(&me->state, state);
	wake(&me->state);
}

/* On one processor who is woken comes first, or last of all. */
static void take_way(unsigned int way)
{
	static cpu_set_t all;
	static unsigned int now;
	cpu_set_t one;

	if (now == (way & 1))
		return;
	now = way & 1;
	if (CPU_COUNT(&all) == 0)
		sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	sched_setaffinity(0, sizeof(one), way & 1 ? &one : &all);
}

static void act(struct actor *me)
{
	struct sched_param none = {0};

	self = me;
	if (stage->way & 2)
		sched_setscheduler(0, SCHED_BATCH, &none);
	me->pid = getpid();
	me->tid = (int)syscall(SYS_gettid);
	set_state(me, ACTOR_IDLE);
	for (;;) {
		uint32_t state = atomic_load(&me->state);
		if (state == ACTOR_LEAVES)
			return;
		if (state == ACTOR_GIVEN) {
			call_run(me);
			set_state(me, ACTOR_DONE);
		} else {
			wait_while(&me->state, state);
		}
	}
}

static void *thread_main(void *number)
{
	struct actor *me = &stage->actor[(intptr_t)number];

	act(me);
	set_state(me, ACTOR_ABSENT);
	return NULL;
}

void actor_start_thread(int number)
{
	struct actor *other = &stage->actor[number];
	pthread_t thread;

	if (other->state != ACTOR_ABSENT)
		return;
	other->process = self->process;
	if (pthread_create(&thread, NULL, thread_main, (void *)(intptr_t)number) != 0)
		die("pthread_create");
	if (other->process == 0)
		thread_of[number] = thread;
	else
		pthread_detach(thread);
	while (other->state == ACTOR_ABSENT)
		wait_while(&other->state, ACTOR_ABSENT);
}

void actor_start_process(int number)
{
	struct actor *other = &stage->actor[number];

	if (other->state != ACTOR_ABSENT || self->process != 0)
		return;
	other->process = number;
	memcpy(stage->place[number], stage->place[0], sizeof(stage->place[0]));
	pid_t pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		act(other);
		_exit(0);
	}
	while (other->state == ACTOR_ABSENT)
		wait_while(&other->state, ACTOR_ABSENT);
}

void actor_become_again(void)
{
	char number[8];

	if (self->process == 0 || self != &stage->actor[self->process])
		return;
	snprintf(number, sizeof(number), "%d", self->process);
	execl("/proc/self/exe", "differ", "actor", number, (char *)NULL);
	die("exec");
}

/* ---- the stage ---- */

static void on_cancel(int number)
{
	(void)number;
	self->handled++;
}

static void on_pipe(int number)
{
	(void)number;
	self->pipes++;
}

static void handle(int number, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler};

	sigaction(number, &action, NULL);
}

static void handle_signals(void)
{
	handle(SIGPIPE, on_pipe);
	handle(SIGUSR2, on_cancel);
	handle(SIGUSR1, on_cancel);
}

static void map(void)
{
	stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE, MAP_SHARED, STAGE_FD, 0);
	if (stage == MAP_FAILED)
		die("mmap");
}

void stage_open(void)
{
	close_range(3, ~0U, 0); /* what was inherited must not shift the program's numbers */
	int fd = memfd_create("stage", 0);

	if (fd < 0 || dup2(fd, STAGE_FD) < 0 || ftruncate(fd, sizeof(*stage)) != 0)
		die("memfd");
	close(fd);
	map();
}

void stage_join(int number)
{
	map();
	handle_signals();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	self = &stage->actor[number];
	self->result[0] = '\0';
	act(self);
	_exit(0);
}

static void begin(void)
{
	memset(stage, 0, sizeof(*stage));
	memset(stage->place, -1, sizeof(stage->place));
	stage->handler_fd = -1;
	handle_signals();
	self = &stage->actor[0];
	self->pid = getpid();
	self->tid = (int)syscall(SYS_gettid);
	self->state = ACTOR_IDLE;
	for (int i = 0; i < ACTORS; i++)
		task_files[i] = (struct task_files){-1, -1};
}

/* ---- what others do ---- */

struct trace {
	char *text;
	size_t size;
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void note(struct trace *t, const char *format, ...)
{
	va_list list;
	size_t left = t->size - t->used;

	va_start(list, format);
	int n = vsnprintf(t->text + t->used, left, format, list);
	va_end(list);
	t->used += (size_t)n < left ? (size_t)n : left - 1;
}

static bool busy(const struct actor *a)
{
	return a->state == ACTOR_GIVEN;
}

enum task { TASK_RUNS, TASK_SLEEPS, TASK_GONE };

static int open_task_file(const struct actor *a, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", a->pid, a->tid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int high = fcntl(fd, F_DUPFD_CLOEXEC, STAGE_FD + 1);
	close(fd);
	return high;
}

/* A call that sleeps here is not what the program waits for: the library has locks, and pauses. */
static bool is_short_sleep(const char *call)
{
	long number = strtol(call, NULL, 10);

	return number == SYS_futex || number == SYS_nanosleep || number == SYS_clock_nanosleep ||
	       number == SYS_membarrier || number == SYS_sched_yield;
}

/* Only both together tell. The letter of proc_pid_stat(5) is S also of a task that still
 * runs and has only prepared to sleep; proc_pid_syscall(5) gives no call of such a
 * one, but gives that of a task whose wake-up is on its way to another processor, which the letter
 * calls running. */
static enum task task_state(int number)
{
	struct task_files *f = &task_files[number];
	char text[256];

	if (f->stat < 0) {
		f->stat = open_task_file(&stage->actor[number], "stat");
		f->call = open_task_file(&stage->actor[number], "syscall");
	}
	ssize_t n = pread(f->stat, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	char *after = strrchr(text, ')');
	char state = after && after[1] ? after[2] : 'X';
	if (state == 'X' || state == 'Z')
		return TASK_GONE;
	n = state == 'S' ? pread(f->call, text, sizeof(text) - 1, 0) : 0;
	text[n > 0 ? n : 0] = '\0';
	if (text[0] < '0' || text[0] > '9' || is_short_sleep(text))
		return TASK_RUNS;
	return TASK_SLEEPS;
}

static void forget_task(int number)
{
	struct task_files *f = &task_files[number];

	if (f->stat >= 0) {
		close(f->stat);
		close(f->call);
	}
	f->stat = f->call = -1;
}
/* A process has gone, and its threads with it. */
static void gone(int process)
{
	for (int i = 0; i < ACTORS; i++)
		if (stage->actor[i].process == process && stage->actor[i].state != ACTOR_ABSENT) {
			stage->actor[i].state = ACTOR_ABSENT;
			forget_task(i);
		}
}

static void reap(struct trace *t, int number, bool wait)
{
	struct actor *a = &stage->actor[number];
	int status;

	if (a->process != number || waitpid(a->pid, &status, wait ? 0 : WNOHANG) != a->pid)
		return;
	gone(number);
	if (WIFSIGNALED(status))
		note(t, "process %d: SIG%s\n", number, sigabbrev_np(WTERMSIG(status)));
	else
		note(t, "process %d: status %d\n", number, WEXITSTATUS(status));
}

/* Until a call has returned, or else its actor sleeps in it: true. */
static bool settled_asleep(struct trace *t, int number)
{
	struct actor *a = &stage->actor[number];

	for (int i = 0; busy(a); i++) {
		enum task state = task_state(number);
		if (state == TASK_SLEEPS && busy(a))
			return true;
		if (state == TASK_GONE)
			reap(t, a->process, false);
		if (i > 10)
			pause_us(50);
	}
	return false;
}

static void finish(struct trace *t, int number)
{
	struct actor *a = &stage->actor[number];

	if (a->state != ACTOR_DONE)
		return;
	note(t, "%d: %s\n", a->line, a->result);
	a->state = ACTOR_IDLE;
}

/* Gives how many sleep; -1 where somebody was at work: he may have woken others. */
static int look_at_all(struct trace *t)
{
	int asleep = 0;
	bool worked = false;

	for (int i = 1; i < ACTORS; i++) {
		if (!busy(&stage->actor[i]) || runs_free(&stage->actor[i]))
			continue;
		worked |= task_state(i) != TASK_SLEEPS;
		asleep += settled_asleep(t, i);
	}
	return worked ? -1 : asleep;
}

/* Until nobody is at work. One of several may be between two sleeps. */
static void quiesce(struct trace *t)
{
	for (int quiet = 0; quiet < 2;) {
		int asleep = look_at_all(t);
		quiet = asleep < 0 ? 0 : quiet + 1;
		if (asleep < 2 && quiet)
			return;
		if (quiet == 1)
			pause_us(50);
	}
}

static void settle(struct trace *t)
{
	quiesce(t);
	for (int i = 1; i < ACTORS; i++)
		if (!runs_free(&stage->actor[i]))
			finish(t, i);
}

static void join(struct trace *t, int number)
{
	struct actor *a = &stage->actor[number];

	while (busy(a)) {
		wait_while(&a->state, ACTOR_GIVEN);
		if (busy(a))
			reap(t, a->process, false);
	}
	finish(t, number);
}

static void cancel(struct trace *t, int number)
{
	struct actor *a = &stage->actor[number];

	a->cancelled = 1;
	for (int i = 0; busy(a); i++) {
		syscall(SYS_tgkill, a->pid, a->tid, SIGUSR2);
		for (int k = 0; k < 20 && busy(a); k++)
			pause_us(100);
		reap(t, a->process, false);
	}
	a->cancelled = 0;
	finish(t, number);
}

static void interrupt(struct actor *a)
{
	uint32_t before = a->handled;

	if (a->state == ACTOR_ABSENT || syscall(SYS_tgkill, a->pid, a->tid, SIGUSR1) != 0)
		return;
	while (a->handled == before)
		pause_us(50);
}

static void kill_process(struct trace *t, int number)
{
	if (number == 0 || stage->actor[number].process != number ||
	    stage->actor[number].state == ACTOR_ABSENT)
		return;
	kill(stage->actor[number].pid, SIGKILL);
	reap(t, number, true);
}

/* ---- lines ---- */

/* A call that may wait, and what others do because of it. */
static void wait_or_finish(struct trace *t, int number)
{
	quiesce(t);
	if (busy(&stage->actor[number]))
		note(t, "%d: waits\n", stage->actor[number].line);
	else
		finish(t, number);
}

static void give(struct trace *t, const struct call *c)
{
	struct actor *a = &stage->actor[c->actor];

	if (c->actor == 0) {
		call_run(a);
		note(t, "%d: %s\n", a->line, a->result);
		return;
	}
	if (c->number == CALL_exec) /* its other threads end */
		for (int i = 1; i < ACTORS; i++)
			if (i != c->actor && stage->actor[i].process == a->process &&
			    a->process != 0)
				stage->actor[i].state = ACTOR_ABSENT;
	set_state(a, ACTOR_GIVEN);
	if (c->number == CALL_exit)
		reap(t, a->process, true);
	else if (c->number == CALL_exec)
		while (busy(a))
			wait_while(&a->state, ACTOR_GIVEN);
	else if (!c->may_wait)
		join(t, c->actor);
	else if (runs_free(a))
		return;
	else
		wait_or_finish(t, c->actor);
}

static bool may_act(const struct call *c)
{
	const struct actor *a = &stage->actor[c->actor];

	if (c->number == CALL_exit && (c->actor == 0 || a->process != c->actor))
		return false;
	return a->state == ACTOR_IDLE;
}

static void run_line(struct trace *t, const struct call *c, int line)
{
	struct actor *a = &stage->actor[c->actor];

	switch (c->number) {
	case CALL_kill:
		kill_process(t, c->a[0]);
		break;
	case CALL_signal:
		interrupt(&stage->actor[c->a[0]]);
		break;
	case CALL_cancel:
		cancel(t, c->a[0]);
		break;
	case CALL_join:
		join(t, c->a[0]);
		break;
	default:
		if (!may_act(c)) {
			note(t, "%d: nobody\n", line);
			return;
		}
		a->call = *c;
		a->line = line;
		give(t, c);
	}
	settle(t);
}

static void end(struct trace *t)
{
	for (int i = 1; i < ACTORS; i++)
		if (stage->actor[i].state != ACTOR_ABSENT)
			cancel(t, i);
	for (int i = 1; i < ACTORS; i++) {
		struct actor *a = &stage->actor[i];
		if (a->state == ACTOR_ABSENT)
			continue;
		forget_task(i);
		set_state(a, ACTOR_LEAVES);
		if (a->process == 0)
			pthread_join(thread_of[i], NULL);
	}
	for (int i = 1; i < ACTORS; i++)
		if (stage->actor[i].state != ACTOR_ABSENT && stage->actor[i].process == i)
			waitpid(stage->actor[i].pid, NULL, 0);
	close_range(3, STAGE_FD - 1, 0);
}

size_t stage_run(const struct program *program, unsigned int way, char *trace, size_t size)
{
	struct trace t = {trace, size, 0};

	begin();
	stage->way = way;
	take_way(way);
	for (int i = 0; i < program->lines; i++)
		run_line(&t, &program->line[i], i + 1);
	end(&t);
	return t.used;
}
