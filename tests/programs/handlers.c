/* What a program sees of its own handlers of signals: sigaction and its relatives. */
#include "check.h"

#include <execinfo.h>
#include <stddef.h>

/* Deprecated, and used all the same. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

typedef void (*handler)(int);

handler bsd_signal(int number, handler to);
int __sigaction(int number, const struct sigaction *action, struct sigaction *old);

static volatile sig_atomic_t calls, number_seen;

static void count(int number)
{
	calls++;
	number_seen = number;
}

static void count_others(int number)
{
	(void)number;
	calls += 100;
}

static siginfo_t info_seen;
static void *context_seen, *frame_seen;

/* The kernel pushes a return address below the context; whoever calls the handler, or has a
 * frame of his own, puts more there. */
static void look_around(int number, siginfo_t *info, void *context)
{
	count(number);
	info_seen = *info;
	context_seen = context;
	frame_seen = __builtin_dwarf_cfa();
}

static handler now(int number)
{
	struct sigaction action;
	CHECK_EQ(sigaction(number, NULL, &action), 0);
	return action.sa_handler;
}

static int flags_now(int number)
{
	struct sigaction action;
	CHECK_EQ(sigaction(number, NULL, &action), 0);
	return action.sa_flags & (SA_RESTART | SA_SIGINFO | SA_NODEFER | SA_ONSTACK | (int)SA_RESETHAND);
}

/* Uses a pair, as every program that these tests are made of. */
static void use_a_pair(void)
{
	int sv[2];
	pair_open(sv, 0);
	say(sv[0], "abc");
	hear(sv[1], "abc");
}

static void set(int number, handler to, int flags)
{
	struct sigaction action = {.sa_handler = to, .sa_flags = flags};
	CHECK_EQ(sigaction(number, &action, NULL), 0);
}

CASE(the_own_handler_is_shown)
{
	struct sigaction action = {.sa_handler = count}, old;
	CHECK_EQ(sigaction(SIGUSR1, &action, &old), 0);
	CHECK(old.sa_handler == SIG_DFL);
	action.sa_handler = count_others;
	action.sa_flags = SA_RESTART;
	CHECK_EQ(sigaction(SIGUSR1, &action, &old), 0);
	CHECK(old.sa_handler == count && !(old.sa_flags & SA_RESTART));
	CHECK_EQ(__sigaction(SIGUSR1, NULL, &old), 0);
	CHECK(old.sa_handler == count_others && (old.sa_flags & SA_RESTART));
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(calls, 100);
	action.sa_handler = SIG_IGN;
	struct sigaction *same = &action; /* for both */
	CHECK_EQ(sigaction(SIGUSR1, &action, same), 0);
	CHECK(action.sa_handler == count_others);
	CHECK_EQ(sigaction(SIGUSR1, &action, same), 0);
	CHECK(action.sa_handler == SIG_IGN && now(SIGUSR1) == count_others);
	set(SIGUSR1, SIG_DFL, 0);
	CHECK(now(SIGUSR1) == SIG_DFL);
	use_a_pair();
}

CASE(each_way_to_set_one)
{
	CHECK(signal(SIGUSR1, count) == SIG_DFL);
	CHECK(now(SIGUSR1) == count && flags_now(SIGUSR1) == SA_RESTART);
	CHECK(bsd_signal(SIGUSR1, count_others) == count);
	CHECK(now(SIGUSR1) == count_others && flags_now(SIGUSR1) == SA_RESTART);
	CHECK(ssignal(SIGUSR1, count) == count_others);
	CHECK(flags_now(SIGUSR1) == SA_RESTART);
	CHECK(sysv_signal(SIGUSR1, count_others) == count);
	CHECK(now(SIGUSR1) == count_others && flags_now(SIGUSR1) == (SA_NODEFER | (int)SA_RESETHAND));
	CHECK(__sysv_signal(SIGUSR1, count) == count_others);
	CHECK(sigset(SIGUSR1, count_others) == count);
	CHECK(now(SIGUSR1) == count_others && flags_now(SIGUSR1) == 0);
	CHECK(sigset(SIGUSR1, SIG_HOLD) == count_others);
	CHECK(sigset(SIGUSR1, SIG_HOLD) == SIG_HOLD);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(calls, 0);
	CHECK(sigset(SIGUSR1, count) == SIG_HOLD); /* lets it in before it returns */
	CHECK_EQ(calls, 1);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(calls, 2);
	CHECK(signal(SIGUSR1, SIG_IGN) == count);
	CHECK(signal(SIGUSR1, SIG_DFL) == SIG_IGN);
}

CASE(siginterrupt_holds_for_signal)
{
	CHECK(signal(SIGUSR1, count) == SIG_DFL);
	CHECK_EQ(siginterrupt(SIGUSR1, 1), 0);
	CHECK(now(SIGUSR1) == count && flags_now(SIGUSR1) == 0);
	CHECK(signal(SIGUSR1, count_others) == count);
	CHECK_EQ(flags_now(SIGUSR1), 0);
	CHECK(signal(SIGUSR2, count) == SIG_DFL);
	CHECK_EQ(flags_now(SIGUSR2), SA_RESTART);
	CHECK_EQ(siginterrupt(SIGUSR1, 0), 0);
	CHECK_EQ(flags_now(SIGUSR1), SA_RESTART);
	CHECK(signal(SIGUSR1, count) == count_others);
	CHECK_EQ(flags_now(SIGUSR1), SA_RESTART);
	CHECK_FAILS(siginterrupt(0, 1), EINVAL);
	CHECK_FAILS(siginterrupt(65, 1), EINVAL);
	CHECK_FAILS(siginterrupt(SIGKILL, 1), EINVAL);
	CHECK_FAILS(siginterrupt(32, 1), EINVAL);
}

CASE(what_cannot_be_set)
{
	static const int none[] = {-1, 0, 32, 33, 65, 1000, SIGKILL, SIGSTOP};
	struct sigaction action = {.sa_handler = count}, old;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		CHECK_FAILS(sigaction(none[i], &action, NULL), EINVAL);
		CHECK_FAILS(sigaction(none[i], &action, &old), EINVAL);
		errno = 0;
		CHECK(signal(none[i], count) == SIG_ERR && errno == EINVAL);
		errno = 0;
		CHECK(sysv_signal(none[i], count) == SIG_ERR && errno == EINVAL);
		errno = 0;
		CHECK(sigset(none[i], count) == SIG_ERR && errno == EINVAL);
	}
	CHECK_FAILS(sigaction(99, (const struct sigaction *)-1L, NULL), EINVAL);
	errno = 0;
	CHECK(signal(SIGUSR1, SIG_ERR) == SIG_ERR && errno == EINVAL);
	CHECK(now(SIGUSR1) == SIG_DFL);
}

struct raw {
	handler to;
	unsigned long flags;
	void (*restorer)(void);
	unsigned long mask;
};

static long raw_sigaction(int number, const void *action, void *old, size_t size)
{
	return syscall(SYS_rt_sigaction, number, action, old, size);
}

CASE(the_system_call)
{
	struct raw old, action;
	void *none = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(none != MAP_FAILED);
	set(SIGUSR1, count, SA_RESTART);
	CHECK_EQ(raw_sigaction(SIGUSR1, NULL, &old, 8), 0);
	CHECK(old.to == count);
	action = old;
	action.to = count_others;
	CHECK_EQ(raw_sigaction(SIGUSR1, &action, &old, 8), 0);
	CHECK(old.to == count && now(SIGUSR1) == count_others);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(calls, 100);
	CHECK_FAILS(raw_sigaction(SIGUSR1, &action, &old, 4), EINVAL);
	CHECK_FAILS(raw_sigaction(SIGKILL, &action, NULL, 8), EINVAL);
	CHECK_FAILS(raw_sigaction(SIGUSR1, (void *)8, NULL, 8), EFAULT);
	CHECK_FAILS(raw_sigaction(SIGUSR1, none, NULL, 8), EFAULT);
	CHECK_FAILS(raw_sigaction(SIGUSR1, (void *)-1L, NULL, 8), EFAULT);
	CHECK_FAILS(raw_sigaction(SIGUSR1, NULL, none, 8), EFAULT);
	CHECK_FAILS(raw_sigaction(SIGUSR1, (char *)none - sizeof(action) + 8, NULL, 8), EFAULT);
	CHECK(now(SIGUSR1) == count_others);
}

CASE(what_a_handler_is_given)
{
	union sigval value = {.sival_int = 77};
	struct sigaction action = {.sa_sigaction = look_around, .sa_flags = SA_SIGINFO | SA_RESTART};
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	CHECK_EQ(sigqueue(getpid(), SIGUSR1, value), 0);
	CHECK_EQ(calls, 1);
	CHECK_EQ(number_seen, SIGUSR1);
	CHECK_EQ(info_seen.si_code, SI_QUEUE);
	CHECK_EQ(info_seen.si_value.sival_int, 77);
	CHECK(frame_seen == context_seen);
	action.sa_flags = SA_SIGINFO;
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(calls, 2);
	CHECK(frame_seen == context_seen);
}

static void *frames[32];
static int frames_count;

static void look_back(int number)
{
	count(number);
	frames_count = backtrace(frames, 32);
}

static __attribute__((noinline)) void raise_here(void)
{
	CHECK_EQ(raise(SIGUSR1), 0);
	__asm__ volatile("");
}

CASE(who_was_interrupted_can_be_found)
{
	bool found = false;
	backtrace(frames, 32); /* loads what it needs */
	set(SIGUSR1, look_back, 0);
	raise_here();
	for (int i = 0; i < frames_count; i++) {
		ptrdiff_t into = (char *)frames[i] - (char *)raise_here;
		found = found || (into > 0 && into < 64);
	}
	CHECK(found);
}

CASE(flags_do_what_they_say)
{
	set(SIGUSR1, count, (int)SA_RESETHAND);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(calls, 1);
	CHECK(now(SIGUSR1) == SIG_DFL);
}

static volatile sig_atomic_t depth, deepest;

static void raise_again(int number)
{
	depth++;
	deepest = depth > deepest ? depth : deepest;
	if (depth < 3)
		raise(number);
	depth--;
}

CASE(nodefer)
{
	set(SIGUSR1, raise_again, SA_NODEFER);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(deepest, 3);
}

static void *handlers_stack;

static void note_stack(int number)
{
	count(number);
	handlers_stack = __builtin_frame_address(0);
}

/* The smallest stack that the kernel takes, and the page below it is not to be touched. */
CASE(a_small_stack_of_its_own)
{
	size_t size = (size_t)sysconf(_SC_MINSIGSTKSZ);
	char *pages = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(pages != MAP_FAILED && size <= 12 * 4096);
	CHECK_EQ(mprotect(pages, 4096, PROT_NONE), 0);
	stack_t stack = {.ss_sp = pages + 4096, .ss_size = size};
	CHECK_EQ(sigaltstack(&stack, NULL), 0);
	set(SIGUSR1, note_stack, SA_ONSTACK);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(calls, 1);
	CHECK((char *)handlers_stack > pages + 4096 && (char *)handlers_stack < pages + 4096 + size);
}

static void change_self(int number)
{
	struct sigaction action = {.sa_handler = count}, old;
	if (sigaction(number, &action, &old) == 0 && old.sa_handler == change_self)
		calls += 1000;
}

CASE(a_handler_sets_another)
{
	set(SIGUSR1, change_self, 0);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(calls, 1000);
	CHECK(now(SIGUSR1) == count);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(calls, 1001);
}

static bool stop;

static void *change_all_the_time(void *argument)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		set(SIGUSR1, count, 0);
		set(SIGUSR1, count_others, SA_RESTART);
	}
	return argument;
}

/* One thread changes the handler, another handles: handler and flags stay a pair. */
CASE(changed_while_it_runs)
{
	enum { TIMES = 2000 };
	struct worker w;
	struct sigaction action;
	int seen = 0;
	set(SIGUSR1, count, 0);
	worker_start(&w, change_all_the_time, NULL);
	for (int i = 0; i < TIMES; i++) {
		int before = calls;
		CHECK_EQ(raise(SIGUSR1), 0);
		CHECK(calls == before + 1 || calls == before + 100);
		CHECK_EQ(sigaction(SIGUSR1, NULL, &action), 0);
		bool others = action.sa_handler == count_others;
		CHECK(others || action.sa_handler == count);
		CHECK_EQ((action.sa_flags & SA_RESTART) != 0, others);
		seen |= others ? 2 : 1;
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	worker_join(&w);
	CHECK(seen > 0);
}

CASE(a_child_has_the_same)
{
	set(SIGUSR1, count, 0);
	pid_t child = child_start();
	if (child == 0) {
		CHECK(now(SIGUSR1) == count);
		CHECK_EQ(raise(SIGUSR1), 0);
		CHECK_EQ(calls, 1);
		set(SIGUSR1, count_others, 0);
		_exit(0);
	}
	child_join(child);
	CHECK(now(SIGUSR1) == count && calls == 0);
}

/* It shares the memory, but not what the kernel knows. */
CASE(a_child_that_shares_memory)
{
	set(SIGUSR1, count, 0);
	pid_t child = vfork();
	if (child == 0) {
		struct sigaction action = {.sa_handler = count_others, .sa_flags = SA_RESTART};
		sigaction(SIGUSR1, &action, NULL);
		raise(SIGUSR1);
		_exit(calls == 100 ? 0 : 1);
	}
	child_join(child);
	CHECK(now(SIGUSR1) == count && flags_now(SIGUSR1) == 0);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(calls, 101);
}

/* More than anybody keeps account of: they are shown, and run, all the same. */
CASE(hundreds_of_handlers)
{
	enum { MANY = 700 };
	unsigned char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(code != MAP_FAILED);
	memset(code, 0xc3, 4096); /* ret */
	for (int i = 0; i < MANY; i++) {
		union {
			unsigned char *code;
			handler to;
		} u = {code + i};
		set(SIGUSR1, u.to, i % 2 ? SA_RESTART : 0);
		CHECK(now(SIGUSR1) == u.to);
		CHECK_EQ(raise(SIGUSR1), 0);
	}
	set(SIGUSR1, count, 0);
	CHECK(now(SIGUSR1) == count);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(calls, 1);
}

/* A handler that runs under exec is none in the program that comes. */
CASE(exec_forgets_them)
{
	set(SIGUSR1, count, 0);
	set(SIGUSR2, SIG_IGN, 0);
	pid_t child = child_start();
	if (child == 0) {
		execl("/bin/sh", "sh", "-c", "kill -USR2 $$; kill -USR1 $$; exit 3", (char *)NULL);
		_exit(4);
	}
	int status = child_status(child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
}

CHECK_MAIN
