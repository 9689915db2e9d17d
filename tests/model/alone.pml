/* The way without locks (src/pipe/lock.c), for SPIN: a thread that has a pair to itself, and
 * strangers that come near unannounced.
 *
 * The lone thread says that it is at work, then looks whether it is still alone, without a
 * fence between the two: its store may become visible much later (`later_work`). Strangers
 * take the lock, end the loneliness, make the kernel fence all processors, and wait for who is
 * at work. A handler interrupts the lone thread at any step, and a killer ends it at any.
 *
 * Properties: nobody is at work where another is (`two_at_work`), nor finds what a dead one
 * left half done (`half_done`), and everybody comes to an end (`waits_for_ever`).
 */
#define READER 0
#define WRITER 1

#define NOBODY 0                    /* in `alone`, and in the word of a lock */
#define LONE 1
#define ENDING 9
#define DEAD 255

#define NOT_TAKEN 0                 /* it holds it itself: a handler */
#define TAKEN 1

byte mutant, scenario;
#define MUTANT(name) (mutant == name)
#include "mutants.pml"

/* Never true: they name what an assertion found broken. */
bit two_at_work, half_done, waits_for_ever, known_scenario;

byte alone = LONE;
byte owner[2];
bit work[2], later_work[2], new_work[2]; /* is the lone thread at work? */

byte inside[2];                     /* who are at work, however they came in */
bit dirty[2];                       /* somebody is in the middle of a change */
bit lone_inside[2];
bit in_handler, killed;
byte left, lone_left;               /* strangers, and the others, who have not come to an end */

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

#define SEEN(who) (me == LONE && later_work[who] -> new_work[who] : work[who])
#define IS_OWN(who) (me == LONE && SEEN(who))

inline store_work(who, value)
{
	d_step {
		if
		:: me == LONE -> new_work[who] = value; later_work[who] = 1
		:: else -> work[who] = value
		fi
	}
}

/* The stores of the lone thread are seen, in any order; or all of them at once. */
#define ARRIVE(who) \
	work[who] = (later_work[who] -> new_work[who] : work[who]); \
	later_work[who] = 0; \
	new_work[who] = 0
#define ARRIVE_ALL ARRIVE(READER); ARRIVE(WRITER)

proctype memory()
{
end:	do
	:: d_step { later_work[READER] -> ARRIVE(READER) }
	:: d_step { later_work[WRITER] -> ARRIVE(WRITER) }
	od
}

/* come_near */
inline come_near()
{
	alone = (MUTANT(NEAR_AT_ONCE) -> NOBODY : ENDING);
	if
	:: MUTANT(NEAR_NOT_FENCED)
	:: else -> d_step { ARRIVE_ALL }
	fi;
	alone = NOBODY
}

/* wait_for_lone */
inline wait_for_lone(who)
{
	if
	:: alone != NOBODY && alone != me -> come_near()
	:: else
	fi;
	do
	:: MUTANT(LONE_NOT_AWAITED) || SEEN(who) == 0 -> break
	:: atomic { SEEN(who) && killed && !MUTANT(LONE_DEAD_AWAITED) ->
		if
		:: MUTANT(LONE_DEAD_BELIEVED)
		:: else -> dirty[who] = 0
		fi;
		work[who] = 0
	   }
	od
}

/* lock_together, locked */
inline lock(who)
{
	if
	:: me == LONE && owner[who] == LONE -> how = NOT_TAKEN
	:: else ->
		atomic {
			owner[who] == NOBODY || owner[who] == DEAD ->
			dirty[who] = (owner[who] == DEAD -> 0 : dirty[who]);
			owner[who] = me;
			if
			:: me == LONE -> ARRIVE_ALL
			:: else
			fi
		};
		how = TAKEN;
		if
		:: MUTANT(WORK_SEEN_FIRST) -> seen = SEEN(who); seen = seen || (alone != NOBODY && alone != me)
		:: else -> seen = (alone != NOBODY && alone != me); seen = seen || SEEN(who)
		fi;
		if
		:: seen -> wait_for_lone(who)
		:: else
		fi
	fi;
	seen = 0
}

/* enter_alone, lock */
inline enter(who)
{
	if
	:: IS_OWN(who) && !MUTANT(HANDLER_WAITS) -> how = NOT_TAKEN
	:: else ->
		if
		:: me == LONE && alone == LONE ->
			if
			:: SEEN(who) -> how = NOT_TAKEN
			:: else ->
				store_work(who, 1);
				if
				:: alone == LONE || MUTANT(ALONE_NOT_RECHECKED) -> how = TAKEN
				:: else -> store_work(who, 0); lock(who)
				fi
			fi
		:: else -> lock(who)
		fi
	fi
}

/* Changes something in two steps. */
inline act(who)
{
	d_step {
		inside[who]++;
		assert(inside[who] == 1 || two_at_work);
		assert(!dirty[who] || half_done);
		dirty[who] = 1;
		lone_inside[who] = (me == LONE)
	};
	d_step { inside[who]--; dirty[who] = 0; lone_inside[who] = 0 }
}

inline leave(who)
{
	if
	:: IS_OWN(who) || (MUTANT(LEFT_FOR_ANOTHER) && work[who]) -> store_work(who, 0)
	:: else ->
		d_step {
			if
			:: me == LONE -> ARRIVE_ALL
			:: else
			fi;
			owner[who] = NOBODY
		}
	fi
}

inline write()
{
	enter(WRITER);
	if
	:: how == TAKEN -> act(WRITER); leave(WRITER)
	:: else
	fi
}

/* Both locks, reader first. */
inline settle()
{
	enter(READER);
	enter(WRITER);
	act(READER);
	act(WRITER);
	leave(WRITER);
	leave(READER)
}

proctype lone() provided (!in_handler && !killed)
{
	byte me = LONE, how;
	bit seen;

	write();
	settle();
	lone_left--
}

proctype handler() provided (!killed)
{
	byte me = LONE, how;
	bit seen;

	in_handler = 1;
	write();
	d_step { lone_left--; in_handler = 0 }
}

proctype stranger(byte me; bit writes)
{
	byte how;
	bit seen;

	if
	:: writes -> write()
	:: else -> settle()
	fi;
	left--
}

proctype killer()
{
	d_step {
		killed = 1;
		ARRIVE_ALL;
		owner[READER] = (owner[READER] == LONE -> DEAD : owner[READER]);
		owner[WRITER] = (owner[WRITER] == LONE -> DEAD : owner[WRITER]);
		inside[READER] = inside[READER] - lone_inside[READER];
		inside[WRITER] = inside[WRITER] - lone_inside[WRITER]
	}
}

proctype observer()
{
	timeout -> assert((left == 0 && (lone_left == 0 || killed)) || waits_for_ever)
}

init {
	atomic {
		c_code {
			now.mutant = weir_number("MUTANT");
			now.scenario = weir_number("SCENARIO");
		};
		if
		:: scenario == 61 -> /* lone_strangers */
			left = 2;
			lone_left = 1;
			run lone();
			run stranger(2, 1);
			run stranger(3, 0)
		:: scenario == 62 -> /* lone_handler */
			left = 1;
			lone_left = 2;
			run lone();
			run handler();
			run stranger(2, 0)
		:: scenario == 63 -> /* lone_killed */
			left = 2;
			lone_left = 1;
			run lone();
			run stranger(2, 1);
			run stranger(3, 0);
			run killer()
		:: else -> assert(known_scenario)
		fi;
		run memory();
		run observer()
	}
}
