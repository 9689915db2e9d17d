/* The workloads that only sockets and pipes can do: many pairs (loop.c), and what is not a transfer (cost.c). */
#ifndef BENCH_WORKLOADS_H
#define BENCH_WORKLOADS_H

#include "common/common.h"

struct result loop(const struct request *r);
struct result create(const struct request *r);
struct result idle(const struct request *r);
struct result unmarked(const struct request *r);
struct result start_up(const struct request *r);

#endif
