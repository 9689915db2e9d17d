/* One direction of a pair: a bounded byte queue in shared memory.
 *
 * The state lies in the session's memory and is used by every process that
 * holds an end. The reader lock covers head, the writer lock covers tail, bells
 * and the saturation; both together (reader lock first) everything. Locks are
 * robust: a process killed while it held one leaves a consistent pipe.
 *
 * Functions return a count, 0 or -errno. Those that need a lock say so.
 */
#ifndef WEIR_PIPE_PIPE_H
#define WEIR_PIPE_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "base/os.h"
#include "ring/ring.h"

enum {
	/* Storage never shrinks below a page. */
	WEIR_RING_MIN_MASK = 4095,
	/* Half a page: where the storage of one direction ends that of the other begins, in the
	 * middle of a page, so that a pair in which little was ever on its way has but one. */
	WEIR_RING_FRONT = 2048,
	/* Bytes that signal handlers may leave while the lock's owner is interrupted. */
	WEIR_ASIDE_SIZE = 256,
	WEIR_SLEEPERS_MAX = 4,
};

/* What is done with a direction; each has a side, with its lock. */
enum { WEIR_OP_READ, WEIR_OP_WRITE };

/* How far the kernel's queue was filled to make the kernel say "no room". */
enum weir_saturation {
	WEIR_FLOWING,
	WEIR_UNWRITABLE,            /* poll says not writable */
	WEIR_SATURATED,             /* a send blocks, too */
};

/* Is the socket's SO_SNDBUF the smallest one, so that few bells fill the queue? */
enum weir_lowered {
	WEIR_RAISED,
	WEIR_LOWERED,
	WEIR_PERHAPS_LOWERED,       /* who was about to change it may have died */
};

/* Who asks the kernel about this direction without asking us (epoll, SIGIO). */
enum weir_watch {
	WEIR_WATCH_INPUT = 1,       /* the reader's end: no stale bell may stay */
	WEIR_WATCH_ROOM = 2,        /* the writer's end: a full ring saturates at once */
	WEIR_WATCH_EDGES = 4,       /* the reader's end: each write is an event of its own */
};

enum weir_wanted {
	WEIR_WANTED = 1,            /* with the next write */
	WEIR_WANTED_MARKED = 3,     /* and behind a marker: the reader looks for it without locks */
};

/* A direction given to the kernel for good (descriptor passing, urgent data). */
enum weir_carrier {
	WEIR_BY_RING,
	WEIR_BY_BOTH,               /* new bytes by the kernel, the ring drains first */
	WEIR_BY_KERNEL,             /* the reader is past the last bell */
};

/* A thread that sleeps in a direction: for people who ask, for who looks for a deadlock, and
 * as long as a writer is here the room that it wants is not forgotten. A killed one may stay
 * here: whether the thread lives is to be asked. */
struct weir_sleeper {
	weir_word32 tid;            /* 0: nobody */
	weir_word32 pid;
	weir_word32 fd;
	weir_word32 asleep;         /* `tid` too, once it has nothing left to do before */
	weir_word64 since;          /* CLOCK_MONOTONIC, ns */
};

/* Calls that rules let pass, counted here while one thread has both ends to itself
 * (pair/calm.h). That side's lock. */
struct weir_calm {
	weir_word64 rules;          /* the word of rules that it holds for */
	weir_word32 left;
	weir_word32 left_looking;   /* the same, where a text must be looked for */
	weir_word32 granted;        /* what one of both was; 0: none are counted here */
	weir_word32 text;           /* the rule, + 1, whose text must not come; 0: none */
};

/* What another process might damage so that bytes were lost or doubled, or somebody
 * slept for ever, is kept twice: the words of state (weir_doubled), the positions, and,
 * in `shape`, what says where bytes lie and how many fit. Who holds a lock checks what
 * it uses, and dies of what is wrong (check.c). */
struct weir_pipe {
	/* The reader's lines: what the writer looks at lies apart from the lock, so
	 * that looking does not take the lock's line away from its owner. */
	_Alignas(64) struct weir_lock read_lock;
	weir_word64 reads;          /* calls that moved bytes */
	weir_word64 blocked_reads;
	weir_word64 rules_read;     /* the plan's rules that concern calls here (fault/plan.h) */
	_Alignas(64) weir_word64 head; /* bytes ever consumed */
	weir_word64 head_again;     /* stored before it */
	weir_doubled read_alone;    /* pid of who is at work without the lock, being alone */
	weir_doubled reset;         /* the reader's next call gives ECONNRESET, once */
	weir_word32 reader_cpu;     /* where the reader last ran, + 1 */
	weir_word32 reader_spins;   /* how long waiting for input by looking lately paid */
	weir_doubled marker;        /* byte that ends the bells; MARKER_DUE: it may not be sent */
	weir_word32 reader_answers; /* writes that the reader's end had made when it last waited */
	weir_word32 reader_gathers; /* how often waiting for more than it found lately paid */
	weir_word32 emptied_at;     /* half of head when EAGAIN was last told without the kernel */
	weir_word32 fills;          /* how often the writer told who watches that there is no room */

	/* The writer's lines, likewise. */
	_Alignas(64) struct weir_lock write_lock;
	weir_word64 pending;        /* bytes the lock's owner is about to publish */
	weir_doubled bells;         /* bell bytes certainly in the kernel's queue; 0 is safe */
	weir_word64 rules_write;
	_Alignas(64) weir_word64 tail; /* bytes ever produced */
	weir_word64 tail_again;     /* stored before it */
	weir_word64 origin;         /* position of storage[0]; writer lock and an empty ring */
	weir_word64 shape;          /* of origin, mask, limit and writable_room */
	weir_doubled generation;    /* of the slot: a reference to an older one is void */
	weir_word32 suspect;        /* times the writer still asks whether its peer lives */
	weir_word32 hand_over;      /* the reader wants the kernel to carry (enum weir_wanted) */
	weir_word32 reader_life;    /* of who last read (pair/life.h); 0: unknown, ask */
	weir_word32 limit_given;    /* somebody chose it: SO_SNDBUF changes nothing */
	weir_doubled aside_owner;   /* the thread that appends them; 0: the next writer */

	_Alignas(64) weir_word64 writes;
	weir_word64 blocked_writes;
	weir_word64 max_buffered;
	weir_doubled aside_used;    /* bytes in `aside` */
	weir_doubled aside_fd;      /* a writer's descriptor + 1, in the process of `aside_owner` */
	weir_doubled write_alone;   /* as read_alone */
	weir_doubled alone;         /* pid: no other process has come near (begin_alone) */
	weir_word32 writer_cpu;
	weir_word32 writer_spins;

	/* What seldom changes. */
	_Alignas(64) weir_word64 limit; /* capacity in bytes */
	weir_word64 mask;           /* storage size - 1; both locks */
	weir_word64 writable_room;  /* room from which poll calls the writer writable */
	weir_word64 wake_at;        /* least room at which a sleeping writer, or a watcher, wants to be woken */
	weir_doubled saturated;     /* enum weir_saturation */
	weir_doubled watch;         /* enum weir_watch, or-ed */
	weir_doubled carrier;       /* enum weir_carrier */
	weir_doubled lowered;       /* the socket's SO_SNDBUF is the smallest one */

	_Alignas(64) struct weir_calm calm[2]; /* [0] of reads, [1] of writes */
	weir_word32 writer_life;    /* of who last wrote, as reader_life */
	weir_word32 board;          /* where the reader's process hears of bytes (pair/board.h) */
	weir_word32 wary;           /* as suspect, of who asks what the writer's end is ready for */
	weir_word32 placeless;      /* writers who wait for room, or were killed then, with no place below */

	/* Who sleeps, as far as there is place: [0] readers, [1] writers. */
	_Alignas(64) struct weir_sleeper sleepers[2][WEIR_SLEEPERS_MAX];

	_Alignas(64) unsigned char aside[WEIR_ASIDE_SIZE];
};

/* Does anybody sleep who reads (`op` 0), or writes (1)? */
static inline bool weir_pipe_has_sleeper(const struct weir_pipe *pipe, int op)
{
	for (int i = 0; i < WEIR_SLEEPERS_MAX; i++)
		if (load32_ordered(&pipe->sleepers[op][i].tid) != 0)
			return true;
	return false;
}

/* A pipe as one process sees it. */
struct weir_pipe_ref {
	struct weir_pipe *pipe;
	struct weir_lone *lone;     /* what the process remembers of it (lone.h), or NULL */
	unsigned char *storage;     /* where it begins, or, with `before`, ends */
	uint64_t span_mask;         /* storage never exceeds span_mask + 1 bytes */
	uint32_t generation;
	uint32_t before;            /* 1: the storage lies before that address */
};

/* Where a storage of mask + 1 bytes begins. */
static inline unsigned char *weir_pipe_storage(const struct weir_pipe_ref *ref, uint64_t mask)
{
	return ref->storage - (ref->before ? mask + 1 : 0);
}

/* Where in it an empty ring begins anew, as long as it had `most` bytes at most. */
static inline uint64_t weir_pipe_front(const struct weir_pipe_ref *ref, uint64_t mask, uint64_t most)
{
	return ref->before && most <= WEIR_RING_FRONT ? mask + 1 - WEIR_RING_FRONT : 0;
}

/* The room at which poll calls a writer writable (design: what poll promises). */
struct weir_writable_rule {
	uint64_t amount;            /* bytes or percent; 0: at most a quarter full, as Linux */
	bool percent;
};

/* Makes the locks of fresh memory. Once in a slot's life. */
void weir_pipe_init(struct weir_pipe *pipe);

/* Empties a pipe that nobody uses and gives it a new life. */
void weir_pipe_reset(struct weir_pipe *pipe, uint32_t generation);

/* Sets the capacity, at least 1, and what poll calls writable. Both locks. */
void weir_pipe_set_limit(const struct weir_pipe_ref *ref, uint64_t limit,
                         struct weir_writable_rule rule);

/* A fresh pair is its creator's alone: while that has one thread, nobody can meet it but
 * its own signal handlers, and it takes no lock. Any process that locks ends this. */
void weir_pipe_begin_alone(const struct weir_pipe_ref *ref);

/* Ends that, too, by the process itself, before an end may leave it. */
void weir_pipe_share(const struct weir_pipe_ref *ref);

/* What the process remembers of the pipe is no longer so, or may not be: for whoever
 * changes it without its locks. */
void weir_pipe_forget(const struct weir_pipe_ref *ref);

/* What is changed without locks. Writers ask that many times whether their peer lives; the
 * kernel is asked about the direction without asking us (enum weir_watch); it is to
 * carry from now on. */
void weir_pipe_suspect(const struct weir_pipe_ref *ref, uint32_t times);
void weir_pipe_watch(const struct weir_pipe_ref *ref, uint32_t watch);
void weir_pipe_want_hand_over(const struct weir_pipe_ref *ref, uint32_t how);

/* Lock and unlock. -EDEADLK: this very thread holds it (a signal handler),
 * -ESTALE: the pipe has gone; in both cases nothing is locked. */
int weir_pipe_lock_reader(const struct weir_pipe_ref *ref);
int weir_pipe_lock_writer(const struct weir_pipe_ref *ref);
/* As these, but do not wait: -EBUSY where another holds it. */
int weir_pipe_try_lock_reader(const struct weir_pipe_ref *ref);
int weir_pipe_try_lock_writer(const struct weir_pipe_ref *ref);
void weir_pipe_unlock_reader(const struct weir_pipe_ref *ref);

/* Appends what signal handlers left aside meanwhile, then unlocks; leave only does that. */
void weir_pipe_unlock_writer(const struct weir_pipe_ref *ref);
void weir_pipe_leave_writer(const struct weir_pipe_ref *ref);

/* In the word of who works without a lock: this process? Another that was alone may be
 * about to find that it no longer is. */
static inline bool weir_pipe_is_own(const weir_doubled *alone)
{
	uint32_t whose = doubled_glance(alone);

	return whose != 0 && whose == load32_relaxed(&weir_own_process);
}

/* Does the lock's owner, who is the caller, have both ends to itself? That side's lock. */
static inline bool weir_pipe_reads_alone(const struct weir_pipe *pipe)
{
	return weir_pipe_is_own(&pipe->read_alone);
}

static inline bool weir_pipe_writes_alone(const struct weir_pipe *pipe)
{
	return weir_pipe_is_own(&pipe->write_alone);
}

/* Both, in the only allowed order. */
int weir_pipe_lock(const struct weir_pipe_ref *ref);
void weir_pipe_unlock(const struct weir_pipe_ref *ref);

/* Bytes in the ring; a reader that got a count sees that many bytes. */
uint64_t weir_pipe_used(const struct weir_pipe_ref *ref);
uint64_t weir_pipe_room(const struct weir_pipe_ref *ref);
bool weir_pipe_writable(const struct weir_pipe_ref *ref);

/* Moves min(n, room) bytes in and rings the writer's end `fd`. Writer lock.
 * `far`: past the caches (base/copy.h). -EPIPE: the kernel says that nobody will read; nothing
 * moved. */
ssize_t weir_pipe_put(const struct weir_pipe_ref *ref, int fd, struct weir_span *span, size_t n,
                      bool far);

/* The short ways of both: one piece of `n` bytes, at least 1, where nobody needs
 * to be told, and a write has room for all of it. 0 where that is not so, or where
 * something is wrong: nothing has moved. */
size_t weir_pipe_put_quick(const struct weir_pipe_ref *ref, const void *bytes, size_t n, bool far);
size_t weir_pipe_take_quick(const struct weir_pipe_ref *ref, void *bytes, size_t n);

/* Moves min(n, used) bytes out. Reader lock. */
size_t weir_pipe_take(const struct weir_pipe_ref *ref, struct weir_span *span, size_t n);

/* Copies min(n, used - skip) bytes out from `skip` on; they stay. Reader lock. */
size_t weir_pipe_peek(const struct weir_pipe_ref *ref, struct weir_span *span, size_t n,
                      uint64_t skip);

/* The next min(n, used) bytes, which becomes `*n`; NULL where they lie in two pieces.
 * They stay. Reader lock. */
const unsigned char *weir_pipe_next(const struct weir_pipe_ref *ref, size_t *n);

/* The same without a look at whether they are damaged: for who moves them the short way,
 * which looks, if they please. */
static inline const unsigned char *weir_pipe_glance(const struct weir_pipe_ref *ref, size_t *n)
{
	const struct weir_pipe *pipe = ref->pipe;
	uint64_t head = load64_relaxed(&pipe->head), used = load64_acquire(&pipe->tail) - head;
	uint64_t mask = load64_relaxed(&pipe->mask) & ref->span_mask;
	uint64_t index = (head - load64_relaxed(&pipe->origin)) & mask;

	if (*n > used)
		*n = (size_t)used;
	return *n <= mask + 1 - index ? weir_pipe_storage(ref, mask) + index : NULL;
}

/* Where the next min(n, used) bytes lie; they stay. Gives how many there are. Reader lock. */
size_t weir_pipe_pieces(const struct weir_pipe_ref *ref, size_t n, struct iovec piece[2]);

/* Leaves bytes for the interrupted owner of the writer lock, who is this thread
 * (weir_pipe_lock_writer gave -EDEADLK). Moves what there is room for. The owner
 * rings the reader through `fd`, a descriptor of the writer's end. `beyond`: a
 * handler that would have to wait may exceed the bound by WEIR_ASIDE_SIZE, as
 * the room that it waits for cannot come before it returns. */
size_t weir_pipe_put_aside(const struct weir_pipe_ref *ref, int fd, struct weir_span *span,
                           size_t n, bool beyond);

/* Forgets the bytes that nobody has read. Both locks. */
void weir_pipe_lose(const struct weir_pipe_ref *ref);

/* Do the shared words that nobody else may change now fit together? Both locks. */
bool weir_pipe_is_valid(const struct weir_pipe_ref *ref);

#endif
