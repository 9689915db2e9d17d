/* The session's shared memory: one file, mapped by every process of a run.
 *
 *   header | plan | lives | boards | retired statistics | slots | states of faults | rings
 *
 * Everything has a fixed width, so that processes built apart agree (the test
 * of this layout is layout_test.c). Words that another process writes are never
 * used as a length or an index before they were checked.
 */
#ifndef WEIR_PAIR_LAYOUT_H
#define WEIR_PAIR_LAYOUT_H

#include <stdint.h>

#include "base/atomic.h"
#include "base/numbers.h"
#include "fault/decide.h"
#include "pipe/pipe.h"

enum {
	WEIR_LAYOUT_VERSION = 10,
	WEIR_SIDE_A = 0,            /* sv[0] of the socketpair call */
	WEIR_SIDE_B = 1,
	WEIR_COMM_SIZE = 16,        /* as prctl(PR_GET_NAME) */
	WEIR_RETIRED_MAX = 65536,   /* closed pairs whose statistics are kept */
	WEIR_LIVES_MAX = 4096,      /* processes whose end is told at once */
	WEIR_BOARDS_MAX = 64,       /* epoll instances that hear of bytes without the kernel */
};

#define WEIR_MAGIC UINT64_C(0x3130524945573077)

/* Why a socketpair was left to the kernel. */
enum weir_left_reason {
	WEIR_LEFT_TYPE,             /* not AF_UNIX, or not SOCK_STREAM */
	WEIR_LEFT_SLOTS,            /* the session has no slot for another pair */
	WEIR_LEFT_DESCRIPTOR,       /* the descriptor's number is beyond the table */
	WEIR_LEFT_UNMARKED,         /* --mark does not name it */
	WEIR_LEFT_REASONS,
};

/* Counters of one direction. Written under that direction's locks. */
struct weir_pipe_stats {
	uint64_t capacity;
	uint64_t bytes_written;
	uint64_t bytes_read;
	uint64_t writes;
	uint64_t reads;
	uint64_t blocked_writes;
	uint64_t blocked_reads;
	uint64_t max_buffered;
};

/* What is remembered of a pair after its slot was freed. */
struct weir_retired {
	uint64_t number;            /* 0: empty record */
	uint32_t pid;
	char comm[WEIR_COMM_SIZE];
	uint32_t reserved;
	struct weir_pipe_stats pipe[2];
};

/* State of one end that all its holders share. */
struct weir_end_shared {
	weir_doubled holders;       /* processes known to hold it; a hint, the kernel decides */
	weir_doubled rcvlowat;      /* SO_RCVLOWAT, at least 1 */
	weir_doubled peek_off;      /* SO_PEEK_OFF + 1; 0 is off */
	weir_word32 nonblock;       /* last O_NONBLOCK seen; a hint, the kernel decides */
	weir_word32 sndbuf;         /* what getsockopt(SO_SNDBUF) answers */
	weir_word32 rcvbuf;         /* what getsockopt(SO_RCVBUF) answers */
	weir_word32 shuts;          /* how often an end was shut: an edge for whoever watches it */
	weir_word64 cookie;         /* SO_COOKIE, 0 while the end never left its process */
	weir_word64 inode;          /* of the socket, 0 likewise */
	weir_word64 cookie_again;   /* stored before `cookie` */
	weir_word32 fd;             /* one of its descriptors, while the pair has never left
	                             * its creator; UINT32_MAX: not known */
	weir_word32 timed;          /* 1: SO_RCVTIMEO or SO_SNDTIMEO was ever set */
};

enum weir_slot_state {
	WEIR_SLOT_FREE,
	WEIR_SLOT_USED,
};

struct weir_slot {
	_Alignas(64) weir_doubled state;
	weir_doubled generation;    /* raised each time the slot is freed */
	weir_word32 next_free;      /* free list: index + 1 */
	weir_word32 pid;            /* creator */
	uint64_t number;            /* from 1 in order of creation */
	char comm[WEIR_COMM_SIZE];  /* creator's command name */
	weir_word32 deadlocked;     /* 1: it was said */
	struct weir_end_shared end[2];
	struct weir_pipe pipe[2];   /* [0] a to b, [1] b to a */
};

/* A process: it holds the lock until it ends (pair/life.h). */
struct weir_life {
	_Alignas(64) struct weir_lock lock;
	weir_word32 birth;          /* raised by each process that takes the record */
};

/* Where the writers of all processes leave word of bytes for one who waits: the numbers of
 * his descriptors (pair/board.h). */
struct weir_board {
	_Alignas(64) weir_word32 owner; /* the token of his process (pair/life.h); 0: nobody */
	struct weir_numbers ready;
};

/* The faults of one pair: of each direction, [0] its reads, [1] its writes. */
struct weir_slot_faults {
	_Alignas(64) struct weir_fault_state state[2][2];
};

struct weir_header {
	uint64_t magic;
	uint32_t version;           /* in both halves */
	uint32_t size;              /* of this structure */
	uint64_t file_size;         /* bytes */
	uint64_t plan_offset;
	uint64_t lives_offset;
	uint64_t slots_offset;
	uint64_t retired_offset;
	uint64_t faults_offset;
	uint64_t rings_offset;
	uint64_t ring_span;         /* bytes of file per direction, a power of two */
	uint32_t slots;
	uint32_t keep_retired;      /* 1: somebody will ask for statistics */

	/* The plan of the run, as struct weir_config; constant after creation. */
	uint64_t capacity;
	uint64_t writable_at;
	uint32_t capacity_given;
	uint32_t writable_at_given;
	uint32_t writable_at_percent;
	uint32_t verbose;
	uint32_t no_follow;
	uint32_t holder_pid;        /* who keeps the file open */

	_Alignas(64) weir_doubled free_list; /* index + 1 of the first; slots_lock */
	weir_doubled slots_touched; /* slots that were ever used: [0, slots_touched) */
	weir_word64 pairs;          /* ever marked */
	weir_word64 numbered;       /* the last number given: of a pair that may be marked */
	weir_word64 left[WEIR_LEFT_REASONS];
	weir_word64 retired;        /* records ever written, WEIR_RETIRED_MAX are kept */
	weir_doubled shared_ends;   /* ends that ever left their process */
	weir_word32 lives_touched;  /* records that were ever used */
	weir_word32 deadlocks;      /* pairs in which nobody could go on */
	weir_word32 slots_full_said;
	uint32_t fail_on_deadlock;
	/* Where the session was made. From when on a process is elsewhere the numbers of
	 * processes and threads name nobody for sure, and sockets may be unseen. */
	uint64_t pid_namespace;
	uint64_t net_namespace;
	weir_word32 strangers;      /* 1: there is such a process */
	uint32_t filters;           /* seccomp filters that it was made under */
	uint64_t boards_offset;
	_Alignas(64) struct weir_lock slots_lock; /* of slots that begin and end a life */
};

/* The rings of a pair: in the middle of a page that of direction 1 ends and that of direction 0
 * begins, for each of which there are `ring_span` bytes. */
static inline uint64_t weir_rings_size(uint64_t ring_span)
{
	return 2 * (WEIR_RING_FRONT + ring_span);
}

static inline uint64_t weir_rings_middle(uint64_t ring_span)
{
	return WEIR_RING_FRONT + ring_span;
}

#endif
