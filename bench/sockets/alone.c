/* Workloads of one thread. */
#include "channel.h"
#include "workloads.h"

struct result write_read(const struct request *r)
{
	static char got[BYTES_MAX];
	struct end ends[2];

	open_one_way(r, ends);
	struct span begin = span_begin();
	for (long i = 0; i < r->count; i++) {
		send_all(&ends[0], message(i), r->bytes);
		receive_all(&ends[1], got, r->bytes);
		check_message(got, r->bytes, i);
	}
	return result_of(span_end(begin), r->count, 1);
}

struct result create(const struct request *r)
{
	struct end ends[2];
	struct span begin = span_begin();

	for (long i = 0; i < r->count; i++) {
		open_both_ways(r, ends);
		close_end(&ends[0]);
		close_end(&ends[1]);
	}
	struct span span = span_end(begin);

	prove(r);
	return result_of(span, r->count, r->count + 1);
}
