/* The code of src/pipe and src/endpoint, function by function, in its own order. A
 * step (atomic, d_step) holds one access to what others see, or several of which no
 * other thread can tell the order. MUTANT(X) is the code without what X names.
 */
#define FLOWING 0                   /* enum weir_saturation */
#define UNWRITABLE 1
#define SATURATED 2

#define WATCH_INPUT 1               /* enum weir_watch */
#define WATCH_ROOM 2
#define WATCH_EDGES 4

#define NOT_LOWERED 0               /* what `lowered` says of SO_SNDBUF */
#define LOWERED 1
#define UNKNOWN 2

#define EDGES_MAX 2
#define ASIDE_SIZE 2
#define WRITABLE_ROOM 1

#define NONE 0                      /* what a call gave, beside a number of bytes */
#define WOULD_BLOCK 100
#define ENDED 101
#define BROKEN 102

byte limit;
byte lowered;                       /* writer lock */
byte watch;                         /* changed by read-modify-write only */
bit suspect;
byte aside_used, aside_owner;       /* written by handlers of the lock's owner */
byte waiting;                       /* writers asleep, a bit each */

/* Who waits for what, for the observer; `need`: the room that must wake a writer. */
#define RUNNING 0
#define FOR_INPUT 1
#define FOR_ROOM 2
#define FOR_POLLED_ROOM 3
#define DONE 4
byte waits[THREADS_MAX + 1];
byte need[THREADS_MAX + 1];

byte sent, received;                /* bytes of which a call said so */

/* Who waits in a loop (waiter.h): is there one; does memory answer for it; what it was told
 * of last. */
#define NOT_TOLD 255
bit loops, known;
byte seen_tail, fills, seen_fills;

/* weir_pipe_room, as the holder of the writer lock sees it. */
#define USED_BY_WRITER (OWN(tail) - OWN_HEAD)
#define ROOM_BY_WRITER (USED_BY_WRITER < limit -> limit - USED_BY_WRITER : 0)

/* What every thread needs. A handler has `me` of the thread that it interrupts. */
#define LOCALS \
	byte n, at, used, room, wake, error, was, got, moved, aside_done; \
	bit keep, drained, owed, watched, force, again

/* lock, recover_writer */
inline recover_writer()
{
	d_step {
		if
		:: MUTANT(RECOVER_KEEPS_BELLS)
		:: else -> bells = 0
		fi;
		wake_at = 0;
		if
		:: MUTANT(RECOVER_TRUSTS_SNDBUF)
		:: else -> lowered = UNKNOWN
		fi;
		aside_owner = 0;
		if
		:: MUTANT(RECOVER_FLOWING) -> saturated = FLOWING
		:: else -> saturated = SATURATED
		fi
	}
}

inline lock_writer()
{
	if
	:: atomic { writer_lock == FREE -> writer_lock = me }
	:: atomic { writer_lock == DEAD -> writer_lock = me; recover_writer() }
	fi
}

inline lock_reader()
{
	atomic { reader_lock == FREE || reader_lock == DEAD -> reader_lock = me }
}

inline unlock_reader()
{
	d_step { READER_VISIBLE; reader_lock = FREE }
}

/* raise_sndbuf; a kill between the two steps leaves `lowered` wrong */
inline raise_sndbuf()
{
	if
	:: lowered != NOT_LOWERED ->
		d_step { SET_SNDBUF(0) };
		lowered = NOT_LOWERED
	:: else
	fi
}

inline lower_sndbuf()
{
	if
	:: lowered != LOWERED ->
		d_step { SET_SNDBUF(1) };
		lowered = LOWERED
	:: else
	fi
}

/* ring_another */
inline ring_another()
{
	d_step { SEND_NOW };
	d_step {
		if
		:: error == NONE -> STORE_RELAXED(bells, OWN(bells) + 1)
		:: error == WOULD_BLOCK && OWN(bells) == 0 -> STORE_RELAXED(bells, 1); error = NONE
		:: error == WOULD_BLOCK && OWN(bells) != 0 -> error = NONE
		:: else
		fi
	}
}

/* weir_bell_ring, ring_edge. `error`: NONE or BROKEN. */
inline bell_ring()
{
	error = NONE;
	if
	:: OWN(bells) == 0 && !MUTANT(NO_BELL) -> ring_another()
	:: OWN(bells) != 0 && (watch & WATCH_EDGES) && OWN(bells) < EDGES_MAX &&
	   OWN(saturated) == FLOWING ->
		raise_sndbuf();
		ring_another()
	:: else
	fi
}

/* weir_bell_settle: both locks */
inline bell_settle()
{
	d_step {
		keep = USED_BY_WRITER > 0 && !MUTANT(SETTLE_KEEPS_NONE);
		RECEIVE_BUT(keep)
	};
	d_step {
		if
		:: MUTANT(SETTLE_KEEPS_WORD)
		:: else -> STORE_RELAXED(bells, keep && queue > 0)
		fi;
		keep = 0
	};
	d_step {
		ALL_VISIBLE;
		if
		:: MUTANT(SETTLE_STAYS_SATURATED)
		:: else -> saturated = FLOWING
		fi
	}
}

/* weir_bell_saturate with fill and fill_until_unwritable: writer lock. `was`: 0 after. */
inline bell_saturate(how, wanted)
{
	d_step {
		was = OWN(saturated);
		if
		:: loops && (was == FLOWING || !MUTANT(FILLS_COUNTED_ONCE)) -> fills++
		:: else
		fi;
		if
		:: (was == FLOWING && (waiting == 0 || MUTANT(WAKE_AT_FORGOTTEN))) ||
		   (wanted < OWN(wake_at) && !MUTANT(WAKE_AT_OF_FIRST)) ->
			STORE_RELAXED(wake_at, wanted)
		:: else
		fi;
		if
		:: MUTANT(SATURATED_NOT_FENCED) || (MUTANT(SATURATED_STORED_ONCE) && was >= how) ->
			if
			:: was < how -> STORE_RELAXED(saturated, how)
			:: else
			fi
		:: else ->
			ALL_VISIBLE;
			saturated = (was > how -> was : how)
		fi
	};
	if
	:: (was >= how && lowered == LOWERED) || MUTANT(NO_FILL) -> skip
	:: else ->
		lower_sndbuf();
		do
		:: d_step {
			readers == 0 || queue >= FULL || (how == UNWRITABLE && queue > SHORT) -> skip
		   } break
		:: d_step {
			!(readers == 0 || queue >= FULL || (how == UNWRITABLE && queue > SHORT)) ->
			SEND_NOW; error = NONE
		   }
		od;
		skip;
		d_step {
			if
			:: OWN(bells) == 0 -> STORE_RELAXED(bells, 1)
			:: else
			fi
		}
	fi;
	was = 0
}

/* publish: tail with release. The bytes went to the storage just before. */
#define PUBLISH(count) \
	d_step { \
		STORE_RELAXED(stored, at + count); \
		if \
		:: MUTANT(TAIL_RELAXED) \
		:: else -> WRITER_VISIBLE \
		fi; \
		STORE_RELAXED(tail, at + count) \
	}

/* ring_and_publish, with take_back. `at`: the tail; `n`: bytes, 0 after an error */
inline ring_and_publish()
{
	watched = (watch & WATCH_INPUT) != 0 && !MUTANT(WATCHED_PUBLISHED_FIRST);
	if
	:: watched ->
		bell_ring();
		if
		:: error == NONE -> PUBLISH(n)
		:: else -> n = 0
		fi
	:: else ->
		PUBLISH(n);
		bell_ring();
		if
		:: error == BROKEN && !MUTANT(NOT_TAKEN_BACK) ->
			if
			:: atomic {
				(reader_lock == FREE || reader_lock == DEAD) ->
				reader_lock = me
			   };
				d_step {
					if
					:: head <= at -> STORE_RELAXED(tail, at); n = 0
					:: else -> error = NONE
					fi;
					ALL_VISIBLE;
					reader_lock = FREE
				}
			:: atomic { reader_lock != FREE && reader_lock != DEAD -> error = NONE }
			fi
		:: else
		fi
	fi;
	d_step { watched = 0; at = 0 }
}

/* append_aside: the handler's bytes, one at a time; `aside_owner`: whose descriptor rings */
inline append_aside()
{
	aside_done = 0;
	do
	:: aside_done < aside_used ->
		d_step { n = 1; at = OWN(tail) };
		assert(aside_owner == me || bell_on_foreign_descriptor);
		ring_and_publish();
		aside_done++;
		d_step {
			if
			:: aside_used == aside_done -> aside_used = 0; aside_owner = 0
			:: else
			fi
		}
	:: else -> break
	od;
	skip;
	d_step { aside_done = 0; n = 0 }
}

#define ASIDE_IS_OURS (aside_owner == me || MUTANT(ASIDE_OF_ANY_PROCESS))

/* weir_pipe_unlock_writer. Keeps `n` and `error` of the put before it. */
inline unlock_writer()
{
#ifdef HANDLERS
	d_step { kept_n = n; kept_error = error };
	do
	:: if
	   :: aside_used != 0 && ASIDE_IS_OURS -> append_aside()
	   :: else
	   fi;
	   d_step { ALL_VISIBLE; writer_lock = FREE };
	   if
	   :: aside_used == 0 || !ASIDE_IS_OURS || MUTANT(ASIDE_SEEN_ONCE) -> break
	   :: else -> lock_writer()
	   fi
	od;
	skip;
	d_step { n = kept_n; error = kept_error; kept_n = 0; kept_error = 0 }
#else
	d_step { ALL_VISIBLE; writer_lock = FREE }
#endif
}

/* tell_watchers: writer lock */
inline tell_watchers()
{
	if
	:: ROOM_BY_WRITER < WRITABLE_ROOM -> bell_saturate(UNWRITABLE, WRITABLE_ROOM)
	:: else
	fi;
	if
	:: ROOM_BY_WRITER >= WRITABLE_ROOM && OWN(saturated) != FLOWING &&
	   !MUTANT(WATCHERS_NOT_RECHECKED) ->
		raise_sndbuf()
	:: else
	fi
}

/* put, put_locked (weir_pipe_put), has_lost_peer. `n`: bytes that went in of `left`. */
inline put(left)
{
	lock_writer();
	error = NONE;
	n = 0;
	if
	:: suspect && readers == 0 -> error = BROKEN
	:: else ->
		d_step {
			n = ROOM_BY_WRITER;
			n = (n < left -> n : left);
			at = OWN(tail)
		};
#ifdef HANDLERS
		if
		:: aside_used != 0 -> aside_owner = me  /* adopt_aside */
		:: else
		fi;
#endif
		if
		:: n > 0 -> ring_and_publish()
		:: else -> at = 0
		fi;
		if
		:: (watch & WATCH_ROOM) && !MUTANT(WATCHERS_NOT_TOLD) -> tell_watchers()
		:: else
		fi
	fi;
	d_step { sent = sent + n };
	unlock_writer()
}

/* kind_room: at least min(what is left, half the limit), and 1 */
#define HALF (limit > 1 -> limit / 2 : 1)
#define KIND(left) ((left) < HALF -> (left) : HALF)

/* room_came, after saturating */
inline room_came()
{
	room = (MUTANT(ROOM_NOT_RECHECKED) -> 0 : ROOM_BY_WRITER);
	if
	:: room >= WRITABLE_ROOM && (watch & WATCH_ROOM) && !MUTANT(ROOM_KEPT_FROM_WATCHER) ->
		raise_sndbuf()
	:: else
	fi
}

/* weir_wait_room: prepare_room, no_room, then wait_room_sending or wait_room_polling.
 * `error`: NONE to look again, WOULD_BLOCK or BROKEN. */
inline wait_room(nonblocking, left)
{
	lock_writer();
	room = ROOM_BY_WRITER;
	if
	:: room == 0 && nonblocking && readers == 0 -> suspect = 1; room = 1
	:: room == 0 && nonblocking && readers > 0 ->
		if
		:: (watch & WATCH_ROOM) -> bell_saturate(UNWRITABLE, WRITABLE_ROOM)
		:: else
		fi;
		room_came();
		error = (room > 0 -> NONE : WOULD_BLOCK)
	:: room == 0 && !nonblocking ->
		wake = KIND(left);
		bell_saturate(SATURATED, wake);
		room_came();
		if
		:: room == 0 -> waiting = waiting | BIT(me)
		:: else
		fi
	:: else
	fi;
	unlock_writer();
	if
	:: room > 0 || nonblocking
	:: else ->
		d_step { waits[me] = FOR_ROOM; need[me] = wake };
		if
		:: moved > 0 ->
			atomic { POLLOUT -> suspect = suspect || readers == 0 }
		:: else ->
			do
			:: atomic { readers == 0 -> error = BROKEN; break }
			:: atomic { readers > 0 && !(in_send & BIT(me)) && queue < FULL ->
				if
				:: MUTANT(WAITING_LEAVES_BYTE) -> queue++; event_in = 1
				:: else
				fi;
				break
			   }
			:: atomic { readers > 0 && !(in_send & BIT(me)) && queue >= FULL ->
				in_send = in_send | BIT(me)
			   }
			od
		fi;
		skip;
		d_step { waiting = waiting & ~BIT(me); waits[me] = RUNNING; need[me] = 0; in_send = in_send & ~BIT(me) }
	fi;
	d_step { room = 0; wake = 0 }
}

/* weir_end_send of `most` bytes. `moved`: how many went; `error`: what ended it. */
inline send(most, nonblocking)
{
	moved = 0;
	do
	:: put((most) - moved);
	   d_step { moved = moved + n; got = n; n = 0 };
	   if
	   :: error == BROKEN || moved == (most) -> break
	   :: else ->
		if
		:: got > 0
		:: else ->
			wait_room(nonblocking, (most) - moved);
			if
			:: error != NONE -> break
			:: else
			fi
		fi
	   fi
	od;
	got = 0
}

/* owes: what was consumed is said to others. Reader lock. */
inline owes()
{
	drained = (tail == OWN_HEAD);
	was = saturated;
	if
	:: MUTANT(NOBODY_TOLD_OF_ROOM) && was != FLOWING -> owed = 0
	:: was != FLOWING && !MUTANT(NOBODY_TOLD_OF_ROOM) ->
		if
		:: drained -> owed = 1
		:: else ->
			room = (tail - OWN_HEAD < limit -> limit - (tail - OWN_HEAD) : 0);
			owed = room >= wake_at;
			room = 0
		fi
	:: was == FLOWING ->
		if
		:: !(watch & WATCH_INPUT) || MUTANT(BELL_LEFT_TO_WATCHER) -> owed = 0
		:: else ->
			owed = (drained -> bells > 0 : (watch & WATCH_EDGES) && bells > 1)
		fi
	fi;
	d_step { drained = 0; was = 0 }
}

/* look: takes up to `most` bytes. What came while an edge-triggered watcher's consumer
 * settled belongs to this call: no edge may tell of it. */
inline look(most)
{
	lock_reader();
	do
	:: n = tail - OWN_HEAD;
	   if
	   :: n == 0 || got == most || (got > 0 && ((watch & WATCH_EDGES) == 0 || MUTANT(LATE_BYTE_LEFT))) ->
		break
	   :: else ->
		d_step {
			n = (n < most - got -> n : most - got);
			assert(stored >= OWN_HEAD + n || byte_read_before_written);
			got = got + n;
			received = received + n;
			if
			:: MUTANT(HEAD_NOT_FENCED) -> STORE_RELAXED(head, OWN_HEAD + n)
			:: else -> head = head + n
			fi
		};
		owes();
		if
		:: owed ->
			lock_writer();
			bell_settle();
			unlock_writer()
		:: else
		fi;
		owed = 0
	   fi
	od;
	n = 0;
	unlock_reader()
}

/* weir_pipe_used without locks: the tail, then the head, which may have passed it */
inline look_without_lock()
{
	at = tail;
	d_step { used = (at > head -> at - head : 0); at = 0 }
}

/* settle_empty with weir_wait_lock. `owed`: there is something to do at once. */
inline settle_empty()
{
	lock_reader();
	if
	:: atomic { writer_lock != FREE && writer_lock != DEAD && tail != OWN_HEAD -> owed = 1 }
	:: lock_writer();
	   if
	   :: USED_BY_WRITER > 0 -> owed = 1
	   :: USED_BY_WRITER == 0 && !MUTANT(STALE_BELL_LEFT) &&
	      (force || OWN(bells) > 0 ||
	       OWN(saturated) != FLOWING) ->
		bell_settle()
	   :: else
	   fi;
	   unlock_writer()
	fi;
	unlock_reader()
}

/* weir_wait_input. `got`: NONE to look again, WOULD_BLOCK or ENDED. */
inline wait_input(nonblocking)
{
	settle_empty();
	if
	:: owed -> owed = 0
	:: else ->
		d_step { waits[me] = (nonblocking -> RUNNING : FOR_INPUT) };
		if
		:: atomic { queue > 0 -> waits[me] = RUNNING };
			look_without_lock();
			d_step { force = used == 0; used = 0 }
		:: atomic { queue == 0 && writers == 0 -> waits[me] = RUNNING };
			look_without_lock();
			d_step { got = (used > 0 -> NONE : ENDED); used = 0 }
		:: atomic { nonblocking && queue == 0 && writers > 0 -> got = WOULD_BLOCK }
		fi
	fi
}

/* weir_end_receive of at most `most` bytes; first_look takes no lock to find nothing. `got`:
 * bytes, WOULD_BLOCK or ENDED. */
inline receive(most, nonblocking)
{
	got = NONE;
	look_without_lock();
	d_step { again = used == 0; used = 0 };
	do
	:: if
	   :: again -> again = 0
	   :: else -> look(most)
	   fi;
	   if
	   :: got != NONE -> break
	   :: else
	   fi;
	   wait_input(nonblocking);
	   if
	   :: got != NONE -> break
	   :: else
	   fi
	od;
	force = 0
}

/* settle_if_empty */
inline settle_if_empty()
{
	lock_reader();
	lock_writer();
	if
	:: USED_BY_WRITER == 0 -> bell_settle()
	:: else
	fi;
	unlock_writer();
	unlock_reader()
}

/* make_input_exact */
inline make_input_exact()
{
	look_without_lock();
	if
	:: used == 0 && bells == 0 && saturated == FLOWING
	:: used == 0 && (bells > 0 || saturated != FLOWING) -> settle_if_empty()
	:: used > 0
	fi;
	used = 0
}

/* weir_pipe_room without locks */
inline room_without_lock()
{
	at = tail;
	d_step {
		used = (at > head -> at - head : 0);
		room = (used < limit -> limit - used : 0);
		at = 0;
		used = 0
	}
}

/* make_room_exact */
inline make_room_exact()
{
	room_without_lock();
	if
	:: room >= WRITABLE_ROOM && saturated == FLOWING
	:: room >= WRITABLE_ROOM && saturated != FLOWING -> owed = 1
	:: room < WRITABLE_ROOM -> owed = 1
	fi;
	if
	:: owed ->
		lock_writer();
		if
		:: ROOM_BY_WRITER < WRITABLE_ROOM -> bell_saturate(UNWRITABLE, WRITABLE_ROOM)
		:: else
		fi;
		if
		:: ROOM_BY_WRITER >= WRITABLE_ROOM && OWN(saturated) != FLOWING &&
		   !MUTANT(POLL_NOT_RECHECKED) ->
			raise_sndbuf()
		:: else
		fi;
		unlock_writer()
	:: else
	fi;
	d_step { owed = 0; room = 0 }
}

/* poll for input: make_exact, the kernel, weir_end_true_events */
inline poll_input()
{
	do
	:: if
	   :: MUTANT(POLL_NOT_EXACT)
	   :: else -> make_input_exact()
	   fi;
	   waits[me] = FOR_INPUT;
	   atomic { POLLIN -> waits[me] = RUNNING };
	   if
	   :: writers == 0 || MUTANT(POLL_BELIEVED) -> break
	   :: else ->
		look_without_lock();
		if
		:: used > 0 -> break
		:: else -> settle_if_empty()
		fi
	   fi;
	   if
	   :: POLLIN -> break
	   :: else
	   fi
	od;
	used = 0
}

/* poll for room, likewise */
inline poll_room()
{
	do
	:: if
	   :: MUTANT(POLL_NOT_EXACT)
	   :: else -> make_room_exact()
	   fi;
	   waits[me] = FOR_POLLED_ROOM;
	   atomic { POLLOUT -> waits[me] = RUNNING };
	   if
	   :: readers == 0 -> break
	   :: else
	   fi;
	   room_without_lock();
	   if
	   :: room >= WRITABLE_ROOM || MUTANT(POLL_BELIEVED) -> break
	   :: else
	   fi
	od;
	room = 0
}

/* weir_end_watch, after the real epoll_ctl */
inline watch_input(events)
{
	event_in = POLLIN;
	watch = watch | events;
	if
	:: MUTANT(WATCH_NOT_LOCKED) -> make_input_exact()
	:: else -> settle_if_empty()
	fi
}

inline watch_room()
{
	event_out = POLLOUT;
	watch = watch | WATCH_ROOM;
	make_room_exact()
}

/* weir_waiter_known for input: `owed`: it is told. Others tell of what they know. */
inline loop_knows_input(edges)
{
	at = tail;
	was = at;
	d_step { used = (at > head -> at - head : 0); at = 0 };
	d_step {
		owed = known && used > 0 && (!(edges) || was != seen_tail);
		if
		:: owed -> seen_tail = was
		:: else
		fi;
		was = 0;
		used = 0
	}
}

/* weir_waiter_may_sleep. `owed`: there is something to tell. */
inline loop_settles(edges)
{
	lock_reader();
	lock_writer();
	if
	:: USED_BY_WRITER == 0 && !MUTANT(LOOP_LEAVES_BELLS) -> bell_settle()
	:: USED_BY_WRITER == 0 && MUTANT(LOOP_LEAVES_BELLS)
	:: USED_BY_WRITER > 0 && (!(edges) || OWN(tail) != seen_tail) ->
		owed = !MUTANT(LOOP_LEAVES_NEWS)
	:: USED_BY_WRITER > 0 && (edges) && OWN(tail) == seen_tail ->
		watch = (MUTANT(LOOP_LEAVES_BYTES) -> watch : watch | WATCH_INPUT | WATCH_EDGES)
	fi;
	unlock_writer();
	unlock_reader()
}

/* has_input of waiter.c */
inline loop_has_input()
{
	look_without_lock();
	if
	:: used == 0 && (watch & WATCH_INPUT) && !MUTANT(LOOP_DROPS_EARLY_BELL) ->
		lock_writer();
		unlock_writer();
		look_without_lock()
	:: else
	fi
}

/* weir_waiter_true for input: `owed`: it is told. */
inline loop_is_true(edges)
{
	loop_has_input();
	d_step {
		owed = used > 0 && (!(edges) || tail != seen_tail);
		if
		:: owed -> seen_tail = tail
		:: else
		fi;
		used = 0
	}
}

/* epoll_wait of loop_wait.c, of an entry for input */
inline loop_input(edges)
{
	do
	:: loop_knows_input(edges);
	   if
	   :: !owed && known -> loop_settles(edges);
		if
		:: owed -> owed = 0; again = 1
		:: else
		fi
	   :: else
	   fi;
	   if
	   :: owed -> break
	   :: !owed && again -> again = 0
	   :: else ->
		waits[me] = FOR_INPUT;
		if
		:: atomic { (edges) && ((event_in && POLLIN) || writers == 0) -> event_in = 0; waits[me] = RUNNING }
		:: atomic { !(edges) && POLLIN -> waits[me] = RUNNING }
		fi;
		if
		:: writers == 0 -> break
		:: else -> loop_is_true(edges)
		fi;
		if
		:: owed -> break
		:: else
		fi
	   fi
	od;
	owed = 0
}

/* The same for room, with edges: the kernel is always told of it. */
inline loop_room()
{
	do
	:: was = fills;
	   room_without_lock();
	   if
	   :: room >= WRITABLE_ROOM && was != seen_fills -> seen_fills = was; break
	   :: else
	   fi;
	   waits[me] = FOR_POLLED_ROOM;
	   atomic { (event_out && POLLOUT) || readers == 0 -> event_out = 0; waits[me] = RUNNING };
	   was = fills;
	   room_without_lock();
	   if
	   :: readers == 0 -> break
	   :: readers > 0 && room < WRITABLE_ROOM -> make_room_exact()
	   :: readers > 0 && room >= WRITABLE_ROOM && was != seen_fills -> seen_fills = was; break
	   :: else
	   fi
	od;
	skip;
	d_step { room = 0; was = 0 }
}

/* weir_loop_give_up, by another thread of the process */
inline loop_ends(edges)
{
	watch = watch | ((edges) -> WATCH_INPUT | WATCH_EDGES : WATCH_INPUT);
	if
	:: MUTANT(LOOP_ENDS_WITHOUT_LOCK) -> make_input_exact()
	:: else -> settle_if_empty()
	fi;
	known = 0;
	look_without_lock();
	d_step {
		if
		:: (edges) && used > 0 && tail != seen_tail && !MUTANT(LOOP_ENDS_WITHOUT_EDGE) ->
			event_in = event_in || POLLIN
		:: else
		fi;
		used = 0
	}
}
