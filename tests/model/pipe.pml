/* A model of one direction of a pair, for SPIN: every interleaving of a few threads.
 *
 *	memory.pml     shared words under C11's orders, the two locks
 *	kernel.pml     the socket: queue, SO_SNDBUF, who is asleep, edges
 *	protocol.pml   src/pipe/bell.c, src/pipe/pipe.c and src/endpoint/{send,receive,wait,
 *	               ready}.c; each inline names the function that it stands for where
 *	               its own name does not
 *	scenarios.pml  who runs, with how many bytes
 *	mutants.pml    fences, re-checks and bells that MUTANT(name) leaves out
 *	run            the searches, and what each must find
 *	alone.pml      a model of its own: lone threads that take no locks (src/pipe/lock.c)
 *
 * Threads: writers and readers that block, poll, watch (epoll, level and edge), or wait in a
 * loop (waiter.c, src/hooks/loop*.c), and who ends the loop; a handler that interrupts its thread at any step; a killer. Each thread is a process
 * with a descriptor of its own.
 *
 * Properties. R and W are watched in every state while nobody was killed (until the next
 * owner recovers, a dead one's last step may be undone by halves). `lost_wakeup`: when
 * nobody can do anything any more (`timeout`), whoever waits has nothing to do. No thread
 * stays awake without end: bytes are counted, so that any cycle in the graph of states
 * is a thread that runs in circles; the search for cycles demands no fairness, which is
 * more than is asked and cheaper. Together: whoever can go on does.
 *
 * Left out: the content of bytes (`stored` tells what was written), padding messages and
 * receiving one in part, hand-over to the kernel, faults, spinning, signals that end a
 * call, ECONNRESET, the reordering of loads. A mutant for the `force` of weir_wait_input
 * is missing: no scenario needs it, as recovery after a death settles too. So is one for
 * an edge with each write: a watcher that has drained hears of the next write anyway.
 */
#define THREADS_MAX 4
#define BIT(thread) (1 << (thread))

byte mutant, scenario;
#define MUTANT(name) (mutant == name)
#include "mutants.pml"

/* Never true: they name what an assertion found broken. */
bit invariant_R, invariant_W, lost_wakeup, lost_byte, untrue_event;
bit byte_read_before_written, bell_on_foreign_descriptor, known_scenario;

#include "memory.pml"
#include "kernel.pml"
#include "protocol.pml"

byte stopped;                       /* threads that were killed, or are in a handler */
byte threads;
byte is_writer;                     /* a bit each */
bit killed, broken, closing, alone; /* alone: nobody else reads, or writes */

#define THREAD provided (!(stopped & BIT(_pid)))
#ifdef HANDLERS
#define KEPT byte kept_n, kept_error;
#else
#define KEPT
#endif

c_decl {
\#include <stdlib.h>
}
c_code {
	static int weir_number(const char *name)
	{
		const char *text = getenv(name);

		return text ? atoi(text) : 0;
	}
}

/* How a thread learns that it may go on. */
#define BLOCKING 1
#define POLLING 2
#define LEVEL 3
#define EDGE 4
#define LOOP 5                      /* epoll, level, and memory answers */
#define LOOP_EDGE 6
#define LOOP_LEFT 7                 /* the same, and does not read what it is told of first */
#define HAS_EDGES (how == EDGE || how >= LOOP_EDGE)

/* Reads `quota` bytes in calls of `most`, or until the end. */
proctype reader(byte how, most, quota) THREAD
{
	LOCALS;
	KEPT
	byte me = _pid;
	byte sum;

	if
	:: how == LEVEL -> watch_input(WATCH_INPUT)
	:: how == EDGE -> watch_input(WATCH_INPUT | WATCH_EDGES)
	:: how >= LOOP -> seen_tail = NOT_TOLD; known = 1; event_in = event_in || POLLIN
	:: else
	fi;
	do
	:: sum >= quota -> break
	:: else ->
		if
		:: how == BLOCKING
		:: how == POLLING -> poll_input()
		:: how == LEVEL ->
			waits[me] = FOR_INPUT;
			atomic { POLLIN -> waits[me] = RUNNING }
		:: how == EDGE && got != most ->
			waits[me] = FOR_INPUT;
			atomic { (event_in && POLLIN) || writers == 0 -> event_in = 0; waits[me] = RUNNING }
		:: how == LOOP -> loop_input(0)
		:: how >= LOOP_EDGE && got != most ->
			loop_input(1);
			if
			:: how == LOOP_LEFT && seen_tail == 1 && known -> loop_input(1)
			:: else
			fi
		:: HAS_EDGES && got == most
		fi;
		receive(most, (how != BLOCKING));
		if
		:: got == ENDED -> break
		:: got == WOULD_BLOCK ->
			assert(!alone || HAS_EDGES || untrue_event)
		:: else -> sum = sum + got
		fi
	od;
	skip;
	d_step {
		if
		:: closing -> readers--; suspect = 1; WRITE_SPACE
		:: else
		fi;
		waits[me] = DONE
	}
}

/* Writes `most` bytes: in one call if it blocks, else as they go. */
proctype writer(byte how, most) THREAD
{
	LOCALS;
	KEPT
	byte me = _pid;
	byte left = most;

	if
	:: how == LEVEL || how == EDGE -> watch_room()
	:: how == LOOP_EDGE -> seen_fills = NOT_TOLD; watch_room()
	:: else
	fi;
	do
	:: left == 0 -> break
	:: else ->
		if
		:: how == BLOCKING
		:: how == POLLING -> poll_room()
		:: how == LEVEL ->
			waits[me] = FOR_POLLED_ROOM;
			atomic { POLLOUT -> waits[me] = RUNNING }
		:: how == EDGE ->
			waits[me] = FOR_POLLED_ROOM;
			atomic { (event_out && POLLOUT) || readers == 0 -> event_out = 0; waits[me] = RUNNING }
		:: how == LOOP_EDGE -> loop_room()
		fi;
		send((how == LEVEL -> 1 : left), (how != BLOCKING));
		left = left - moved;
		assert(moved > 0 || error == BROKEN || !alone || HAS_EDGES || untrue_event);
		if
		:: error == BROKEN -> broken = 1; break
		:: else
		fi
	od;
	skip;
	d_step {
		if
		:: closing -> writers--; event_in = 1
		:: else
		fi;
		waits[me] = DONE;
		moved = 0
	}
}

/* Another thread of the reader's process comes into its loop. */
proctype ender(bit edges)
{
	LOCALS;
	KEPT
	byte me = _pid;

	if
	:: known -> loop_ends(edges)
	:: !known
	fi;
	waits[me] = DONE
}

/* A signal's handler interrupts a thread at any step and writes a byte. */
#ifdef HANDLERS
proctype handler(byte me)
{
	LOCALS;
	KEPT

	atomic { waits[me] != DONE && !(stopped & BIT(me)) -> stopped = stopped | BIT(me) };
	if
	:: writer_lock == me ->
		/* weir_pipe_put_aside */
		d_step {
			if
			:: aside_used < ASIDE_SIZE ->
				aside_used++;
				aside_owner = me;
				sent++
			:: else
			fi
		}
	:: else -> put(1)
	fi;
	d_step { n = 0; error = NONE; stopped = stopped & ~BIT(me) }
}
#endif

/* kill -9 of any one thread's process, at any step. */
proctype killer()
{
	byte me;

	select(me : 1 .. threads);
	skip;
	d_step {
		if
		:: waits[me] != DONE ->
			stopped = stopped | BIT(me);
			ALL_VISIBLE;
			writer_lock = (writer_lock == me -> DEAD : writer_lock);
			reader_lock = (reader_lock == me -> DEAD : reader_lock);
			killed = 1;
			waits[me] = DONE;
			need[me] = 0;
			in_send = in_send & ~BIT(me);
			waiting = waiting & ~BIT(me); /* who looks finds that it has died */
			if
			:: is_writer & BIT(me) -> writers--; event_in = 1
			:: else -> readers--; WRITE_SPACE
			fi
		:: else
		fi;
		me = 0
	}
}

#define WAITS_AS(state) (waits[1] == state || waits[2] == state || waits[3] == state || waits[4] == state)
#define USED (tail - head)
#define CALM (writer_lock == FREE && reader_lock == FREE && !later_head)

/* Nobody can do anything any more: whoever waits must have nothing to do. What a killed
 * thread left half done counts as not done, while nobody alive who would find it waits. */
inline check_rest(i)
{
	if
	:: waits[i] == DONE
	:: waits[i] == FOR_INPUT ->
		assert(USED == 0 || (writer_lock == DEAD && !WAITS_AS(FOR_ROOM) && !WAITS_AS(FOR_POLLED_ROOM)) ||
		       lost_wakeup)
	:: waits[i] == FOR_ROOM ->
		assert(USED >= limit || limit - USED < need[i] ||
		       ((writer_lock == DEAD || reader_lock == DEAD) && !WAITS_AS(FOR_INPUT)) || lost_wakeup)
	:: waits[i] == FOR_POLLED_ROOM ->
		assert(USED >= limit || limit - USED < WRITABLE_ROOM || WAITS_AS(FOR_ROOM) ||
		       ((writer_lock == DEAD || reader_lock == DEAD) && !WAITS_AS(FOR_INPUT)) || lost_wakeup)
	:: else -> assert(lost_wakeup)
	fi
}

proctype observer()
{
	byte i = 1;

	do
	/* R: a ring with bytes has a bell in the queue */
	:: atomic { writer_lock == FREE && !killed && USED > 0 && queue == 0 -> assert(invariant_R) }
	/* W: a ring with room is writable, for those who ask the kernel about it */
	:: atomic {
		CALM && !killed && USED < limit && (limit - USED) >= WRITABLE_ROOM && !POLLOUT &&
		(watch & WATCH_ROOM) -> assert(invariant_W)
	   }
	:: atomic {
		timeout ->
		do
		:: i <= threads -> check_rest(i); i++
		:: else -> break
		od;
		assert(received == head || lost_byte);
		assert((broken || killed || sent == tail) || lost_byte);
		assert(broken || sent <= tail || lost_byte);
		assert(aside_used == 0 || killed || lost_byte);
		break
	   }
	od
}

#define START(w, r) writers = w; readers = r; threads = (w) + (r); is_writer = (1 << ((w) + 1)) - 2

/* Writers first: their numbers, and those of the readers, are their _pid. */
init {
	atomic {
		c_code {
			now.mutant = weir_number("MUTANT");
			now.scenario = weir_number("SCENARIO");
		};
#include "scenarios.pml"
		run memory();
		run observer()
	}
}
