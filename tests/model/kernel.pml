/* The kernel's socket, one direction: a queue of messages of one byte.
 *
 * Counted in messages: the small SO_SNDBUF is full at FULL_SMALL and unwritable above
 * SHORT_SMALL, as it really is at 6 and 1; the large one has room for a full small one
 * and for all edges (EDGES_MAX) and stays writable, as it really does.
 */
#define FULL_SMALL 3
#define SHORT_SMALL 1
#define FULL_LARGE 8
#define SHORT_LARGE 6

byte queue;
bit small;                          /* SO_SNDBUF as it is */
byte readers, writers;              /* who holds an end */
bit event_in, event_out;            /* what an edge-triggered epoll would report */
byte in_send;                       /* threads asleep in a blocking send, a bit each */

#define FULL (small -> FULL_SMALL : FULL_LARGE)
#define SHORT (small -> SHORT_SMALL : SHORT_LARGE)
#define POLLIN (queue > 0 || writers == 0)
#define POLLOUT (queue <= SHORT || readers == 0)

/* unix_write_space: who waits for room is woken where the queue is short. */
#define WRITE_SPACE \
	if \
	:: queue <= SHORT -> event_out = 1; in_send = 0 \
	:: else \
	fi

/* send(MSG_DONTWAIT) of one byte: `error` becomes NONE, WOULD_BLOCK or BROKEN. */
#define SEND_NOW \
	if \
	:: readers == 0 -> error = BROKEN \
	:: readers > 0 && queue >= FULL -> error = WOULD_BLOCK \
	:: else -> queue++; event_in = 1; error = NONE \
	fi

/* Receives all but `keep` messages. */
#define RECEIVE_BUT(keep) \
	if \
	:: queue > keep -> queue = keep; WRITE_SPACE \
	:: else \
	fi

#define SET_SNDBUF(is_small) small = is_small; WRITE_SPACE
