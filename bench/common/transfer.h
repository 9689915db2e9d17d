/* Workloads that move messages between two ends, and what they need of whatever carries the bytes. */
#ifndef BENCH_TRANSFER_H
#define BENCH_TRANSFER_H

#include "common/common.h"

/* ---- every program defines these, over its own kind of end ---- */

struct end;

/* Makes two ends. `r->peer`: they belong to two sides, and both send and receive; otherwise one thread
 * uses both, and what a sends b receives. */
void open_ends(const struct request *r, struct end **a, struct end **b);

/* One side begins to use its end. Where the other side is another process, it lets go of the other's. */
void use_end(const struct request *r, struct end *mine, struct end *other);

/* Both wait as long as they must, and return how many bytes went, at least one. */
size_t send_some(struct end *end, const char *bytes, size_t count);
size_t receive_some(struct end *end, char *bytes, size_t count);

/* ---- the workloads ---- */

void send_all(struct end *end, const char *bytes, size_t count);
void receive_all(struct end *end, char *bytes, size_t count);

/* One thread writes each message and reads it. */
struct result write_read(const struct request *r);

/* Each message goes there and back. */
struct result ping_pong(const struct request *r);

/* Messages go one way; the time is over when the last has arrived. */
struct result stream(const struct request *r);

/* A message each millisecond; the time is the median latency. */
struct result sleeper(const struct request *r);

#endif
