/* What the programs of the benchmark share: their command line, their clock, the bytes that they
 * exchange and check, and a second thread or process that plays the other side. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <stdbool.h>
#include <stddef.h>

enum {
	BYTES_MAX = 262144,         /* of one message */
	READ_BYTES = 65536,         /* what the reader of a stream asks for, or a message if that is more */
	DEFAULT_CAPACITY = 212992,  /* the kernel's, for those who have to choose one */
	STATUS_CANNOT = 3,          /* this contender cannot do that workload */
};

enum waiting { WAIT_BLOCKED, WAIT_POLL, WAIT_LEVEL, WAIT_EDGE };

struct request {
	const char *over;           /* what carries the bytes: the program's first word, --NAME */
	long count;
	size_t bytes;
	size_t capacity;            /* 0: as it is */
	long pairs;
	bool peer;                  /* two sides, pinned to so many CPUs, in two threads or processes */
	bool processes;
	int cpus;
	enum waiting wait;
	const char *flavour;
};

/* What a workload found; all but `pairs` are for one operation. NAN: not measured. */
struct result {
	double each_ns;
	double each_cpu_ns;         /* of all who take part */
	double hook_ns;             /* that a call takes longer than the bare system call */
	double each_bytes;          /* resident */
	long pairs;                 /* that were made */
};

/* The words after COUNT, in this order. */
enum {
	TAKES_BYTES = 1,
	TAKES_FLAVOUR = 2,
	TAKES_PEER = 4,             /* threads|processes 1|2 */
	TAKES_WAIT = 8,             /* block|poll|level|edge */
	TAKES_PAIRS = 16,
};

struct workload {
	const char *name;
	unsigned takes;
	struct result (*run)(const struct request *r);
};

/* PROGRAM --OVER [--capacity N] WORKLOAD COUNT [ARG...]: runs it and prints a line of JSON.
 * `carriers` names what --OVER may be; both arrays end with a null. */
int bench_main(char **argv, const struct workload *workloads, const char *const *carriers);

_Noreturn void fail(const char *what);
_Noreturn void cannot(const char *why);

struct span {
	long long ns, cpu_ns;
};

long long now_ns(void);

/* Starts to measure, and returns what went by since; `cpu_ns` is this process's. */
struct span span_begin(void);
struct span span_end(struct span begin);

/* Pins the calling thread to the n-th CPU that this program may use. */
void pin(int n);

/* The i-th message: sixteen of them, text that begins with another letter each, aligned to cache lines. */
const char *message(long i);

/* Fails unless the ends of what arrived are those of the i-th message. */
void check_message(const char *got, size_t bytes, long i);

/* Fails unless `got`, `n` bytes from `position` of a stream of such messages, has the right ends. */
void check_stream(const char *got, size_t n, size_t position, size_t bytes);

/* What this thread sent and received. The sums of all threads and processes must agree. */
struct tally {
	long long sent, received;
	long long interrupted;      /* calls that failed with EINTR and were made again */
};

extern _Thread_local struct tally tally;

/* Memory that processes made later share; all of it is resident, so that no first touch is measured. */
void *shared_memory(size_t bytes);

/* The other side: a thread or a process that calls `play` and is waited for. */
struct peer;
struct peer *peer_start(const struct request *r, void (*play)(void *context), void *context);

/* Adds the CPU time of a process to `span`; a thread's is in it already. */
void peer_join(struct peer *peer, struct span *span);

/* What the peer of this run sent and received, if it had one. */
struct tally peer_tally(void);

/* Sorts the values. */
long long median(long long *values, long count);

struct result result_of(struct span span, long count, long pairs);

#endif
