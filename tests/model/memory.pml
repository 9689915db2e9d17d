/* Shared words, as C11 lets them behave, and the two locks.
 *
 * A store that is not sequentially consistent lies with its thread first and becomes
 * visible later, in any order with its neighbours (this is weaker than x86-64): the
 * thread itself sees it at once. A release store, an unlock and a death make what the
 * thread stored before visible; a sequentially consistent store is visible at once.
 * A system call orders nothing. Only the holder of a lock stores to the words under it,
 * so that one place for a store under way is enough for each word. Loads happen in
 * their order, one at a time.
 */
#define FREE 0
#define DEAD 255                    /* its owner was killed (EOWNERDEAD) */

byte reader_lock, writer_lock;      /* the owner's number */

/* Under the reader lock. */
byte head;      bit later_head;      byte new_head;

/* Under the writer lock. `stored`: up to where the storage holds what was written. */
byte tail;      bit later_tail;      byte new_tail;
byte stored;    bit later_stored;    byte new_stored;
byte bells;     bit later_bells;     byte new_bells;
byte wake_at;   bit later_wake_at;   byte new_wake_at;
byte saturated; bit later_saturated; byte new_saturated;

#define OWN_HEAD ((later_head && reader_lock == me) -> new_head : head)
#define OWN(word) ((later_##word && writer_lock == me) -> new_##word : word)

#define STORE_RELAXED(word, value) new_##word = value; later_##word = 1

#define MAKE_VISIBLE(word) \
	if \
	:: later_##word -> word = new_##word; later_##word = 0; new_##word = 0 \
	:: else \
	fi

#define READER_VISIBLE MAKE_VISIBLE(head)
#define WRITER_VISIBLE \
	MAKE_VISIBLE(stored); MAKE_VISIBLE(tail); MAKE_VISIBLE(bells); \
	MAKE_VISIBLE(wake_at); MAKE_VISIBLE(saturated)
#define ALL_VISIBLE \
	if \
	:: reader_lock == me -> READER_VISIBLE \
	:: else \
	fi; \
	if \
	:: writer_lock == me -> WRITER_VISIBLE \
	:: else \
	fi

/* The stores under way arrive, in any order. */
proctype memory()
{
end:	do
	:: d_step { later_head; MAKE_VISIBLE(head) }
	:: d_step { later_tail; MAKE_VISIBLE(tail) }
	:: d_step { later_stored; MAKE_VISIBLE(stored) }
	:: d_step { later_bells; MAKE_VISIBLE(bells) }
	:: d_step { later_wake_at; MAKE_VISIBLE(wake_at) }
	:: d_step { later_saturated; MAKE_VISIBLE(saturated) }
	od
}
