/* Everything that a schedule changes, in one place that can be kept and put back: the
 * session's memory, the double of the kernel, and the threads with their stacks.
 *
 * A thread is a coroutine, and a process of its own: it has a pid, a life, a
 * reference to the ends that it was given, and what that process remembers of the pipes
 * (pipe/lone.h). Only in scenarios of a lone thread there may be a second thread beside it, in
 * the same process, and a child. It stops before each operation that another
 * thread could notice, and tells which; the search decides who goes on. Stores wait in
 * the thread's store buffer until an x86-64 would have to write them out (or the search
 * lets it happen), so what a missing fence allows is seen.
 *
 * A system call happens at once, but for a send that waits: it takes its memory first
 * and is found to be unreadable then. Left out: waiting by looking (all threads seem to
 * run on one processor), timeouts, the limit of a wait for a lock, several threads of
 * one process, rules, seccomp, the search for deadlocks, and that compilers may move
 * relaxed accesses.
 */
#ifndef WEIR_TESTS_EXPLORE_WORLD_H
#define WEIR_TESTS_EXPLORE_WORLD_H

#include "endpoint/waiter.h"
#include "kernel.h"
#include "pipe/lone.h"

enum {
	THREADS_MAX = 4,
	STORES_MAX = 16,            /* that wait in one store buffer */
	SPAN = 4096,                /* of a ring's storage */
	SPAN_USED = 64,             /* of it by any scenario; what lies behind stays zeros */
	LOG_MAX = 24,               /* bytes that one thread reads */
	FD_FIRST = 3,               /* the descriptor of end 0; that of end 1 is the next */
};

enum op_kind {
	OP_BEGIN,                   /* nothing: the thread is between two calls */
	OP_LOAD,
	OP_STORE,
	OP_UPDATE,                  /* reads and writes at once, and empties the store buffer */
	OP_TRY_LOCK,
	OP_LOCK,                    /* waits until it has it */
	OP_UNLOCK,
	OP_YIELD,
	OP_PAUSE,                   /* waits until memory has changed, or somebody has died */
	OP_KERNEL,                  /* a call that does not wait */
	OP_SLEEP_INPUT,             /* waits in the kernel for ... */
	OP_SLEEP_ROOM,
	OP_SLEEP_POLL,
	OP_SLEEP_EPOLL,
	OP_EXIT,                    /* a killed process: its descriptors are yet to be closed */
};

/* What a thread is about to do. */
struct op {
	enum op_kind kind;
	const char *name;           /* of the call, for the trace */
	const volatile void *at;    /* the word or the lock */
	int socket;
	short events;               /* that a poll waits for */
};

struct store {
	void *at;
	uint64_t value;
	uint32_t size;
};

enum thread_state {
	THREAD_NONE,
	THREAD_ALIVE,
	THREAD_FINISHED,
	THREAD_DYING,               /* killed, with its sockets still open */
	THREAD_DEAD,
};

struct thread {
	enum thread_state state;
	void *stack_pointer;
	struct op op;
	bool woken;                 /* from a sleep for room */
	bool pauses;                /* there is nothing new since it began to */
	bool interrupted;           /* the sleep that it is in, by a handler */
	bool signalled;             /* a handler runs before it goes on */
	bool handling;
	bool unborn;                /* another has yet to start it */
	uint32_t signals;           /* that may still come */
	uint32_t handlers;          /* that have run */
	uint32_t heard;             /* of them, before its call began: + 1; 0: it asks in a moment */
	uint32_t life;
	bool holds[2];              /* ends */
	struct epoll_watch {        /* one entry of a set of its own */
		int socket;
		short events;
		bool edges;
		bool ready;
	} watch;
	struct weir_waiter waiter;  /* for that entry, where memory answers for it */
	bool by_kernel;             /* the kernel does from now on */
	struct store stores[STORES_MAX];
	uint32_t stores_count;
	unsigned char log[LOG_MAX]; /* bytes that it has read */
	uint32_t logged;
	unsigned char handled;      /* byte that its handler has read */
	int result;                 /* of its last call, for who checks the end */
	int result_of_handler;
};

struct world {
	struct weir_header header;
	struct weir_life lives[THREADS_MAX];
	struct weir_slot slot;
	struct weir_lone lones[THREADS_MAX][WEIR_LONES]; /* of each process */
	struct kernel kernel;
	bool threaded[THREADS_MAX]; /* processes that have a second thread */
	bool nonblock[2];           /* O_NONBLOCK of each socket */
	bool writer_died[2];        /* with the writer lock of what that end writes */
	struct thread thread[THREADS_MAX];
	int current;                /* who went last */
};

extern struct world world;

/* ---- the scenario that is explored ---- */

struct scenario {
	const char *name;
	uint64_t capacity;
	bool alone;                 /* thread a has made the pair: nobody has come near */
	bool lone;                  /* and what its process remembers is played, too */
	struct actor {
		void (*run)(void);
		int holds;              /* ends, as bits: 1 is end 0, 2 is end 1 */
		bool may_be_killed;
		void (*handler)(void);
		bool beside;        /* a second thread of a's process, which a starts */
		bool forked;        /* a child of a */
	} actor[THREADS_MAX];
	bool restarts;              /* handlers have SA_RESTART */
	bool by_kernels_rule;       /* of when poll calls a writer writable: nobody gave a capacity */
	void (*finish)(void);
	int bound;                  /* preemptions of the short form, where not the usual */
};

extern const struct scenario *scenario;

/* The two ends of the one pair: what end 0 writes, end 1 reads. */
extern struct weir_end ends[2];

/* ---- threads (thread.c) ---- */

void world_begin(void);
extern bool running;            /* a thread, not who prepares or checks */

static inline struct thread *self(void)
{
	return &world.thread[world.current];
}

/* The running thread is about to do `op`; others may go first. False where a handler
 * has interrupted the sleep that `op` is. */
bool reach(struct op op);

/* Between two calls: a moment at which the thread owes nothing to anybody. */
void between_calls(void);

bool is_enabled(int thread);

/* pthread_create(3) and fork(2) of the actor: who is beside, or forked. */
void start_thread(int thread);
void fork_process(int thread);

/* The search lets a thread go on up to its next operation; gives how many it did. */
uint32_t resume(int thread);
void interrupt(int thread);
void kill_thread(int thread);

/* Ends this schedule here: it shows a defect. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern char failure[512];       /* "" while there is none */

#define MUST(condition) ((condition) ? (void)0 : fail("%s:%d: %s", __FILE__, __LINE__, #condition))

/* The same for who checks from outside the threads. */
void note_failure(const char *format, ...) __attribute__((format(printf, 1, 2)));

extern bool tracing;            /* each operation is told, and each is stopped at */
void trace_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define trace(...) (tracing ? trace_line(__VA_ARGS__) : (void)0)

/* Where a thread's part of the state lies. */
void stack_of(int thread, unsigned char **from, size_t *size);

/* Where the bytes of a direction lie in its ring's storage. */
unsigned char *front_of(int direction);

/* ---- memory (memory.c) ---- */

/* Writes out the oldest of a thread's stores, or all. */
void flush_one(struct thread *t);
void flush(struct thread *t);
bool has_store_to(const struct thread *t, const volatile void *at);

/* Words that several threads use and one writes: only there the order matters. They
 * are found while exploring; whoever finds a new one has to begin again. */
bool is_shared(const volatile void *at);
void note_use(const volatile void *at, bool writes);
void forget_shared(void);
extern bool found_shared;

/* Statistics, and hints where the peer runs: nothing that is explored looks at them. */
bool is_idle(const volatile void *at);

const char *name_of(const volatile void *at);

/* ---- checks (check.c) ---- */

/* Of each state; and of one in which nobody can go on. */
void check_state(void);
void check_end(void);

/* ---- locks (lock.c) ---- */

bool lock_is_free(const volatile void *lock, int thread);
bool is_unlocked(const struct weir_lock *lock);     /* and no owner has died */
void locks_of_the_dead(int thread);

/* ---- the kernel (os.c) ---- */

bool sleep_is_over(const struct thread *t);
void tell_events(void);
void close_ends_of(int thread);

/* Whoever pauses may look again. */
void end_pauses(void);

/* ---- what a lone thread does without locks (lone.c) ---- */

size_t lone_send(uint64_t entry, void *bytes, size_t n);
size_t lone_receive(uint64_t entry, int fd, void *bytes, size_t n);

static inline uint32_t tid_of(int thread)
{
	return 100 + (uint32_t)thread;
}

/* An entry of its own in a set of its own: epoll_ctl, epoll_wait without a timeout. */
void watch(int fd, short events, bool edges);
void watch_for(struct thread *t, int fd, short events, bool edges);
short wait_for_watch(void);
void shut_down(int fd, int how);
void close_end(int fd);

#endif
