/* The statistics of a session as JSON:
 *
 *	{"pairs":N,"left_to_kernel":{"total":N,"reasons":{"type":N,...}},"list":[
 *	{"number":1,"pid":N,"comm":"...","a_to_b":{"capacity":N,...},"b_to_a":{...}},
 *	...
 *	],"not_listed":N,"seed":N,"faults":[
 *	{"rule":"...","fired":N,"first":{"pair":1,"side":"a","op":"write","pid":N,
 *	"comm":"...","call":N,"byte":N}},
 *	...
 *	]}
 *
 * One pair a line, in order of numbers. `not_listed` counts pairs closed so long
 * ago that others took their place in the session's memory. Rules stand in their
 * order; `first` is null where one never fired.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "pair/listing.h"
#include "pair/session.h"

enum {
	BUFFER_SIZE = 8192,
	PAIR_SIZE_MAX = 2048,       /* one pair's line, all numbers at their longest */
	RULE_SIZE_MAX = 2048,       /* one rule's, each byte of its text escaped */
	FULL_WAIT_MS_MAX = 10000,   /* for a reader that does not read, if `fd` does not block */
};

struct weir_pipe_stats weir_slot_stats(const struct weir_slot *slot, int direction)
{
	const struct weir_pipe *pipe = &slot->pipe[direction != 0];

	return (struct weir_pipe_stats){
		.capacity = load64_relaxed(&pipe->limit),
		.bytes_written = load64_relaxed(&pipe->tail),
		.bytes_read = load64_relaxed(&pipe->head),
		.writes = load64_relaxed(&pipe->writes),
		.reads = load64_relaxed(&pipe->reads),
		.blocked_writes = load64_relaxed(&pipe->blocked_writes),
		.blocked_reads = load64_relaxed(&pipe->blocked_reads),
		.max_buffered = load64_relaxed(&pipe->max_buffered),
	};
}

/* Returns 0 to try again, or -errno. */
static int after_failed_write(int fd)
{
	struct pollfd room = { .fd = fd, .events = POLLOUT };

	if (errno == EINTR)
		return 0;
	if (errno != EAGAIN)
		return -errno;
	return poll(&room, 1, FULL_WAIT_MS_MAX) == 0 ? -EAGAIN : 0;
}

static int flush(struct weir_text *out, int fd)
{
	size_t done = 0;

	while (done < out->length) {
		ssize_t n = write(fd, out->start + done, out->length - done);
		int error = n < 0 ? after_failed_write(fd) : 0;

		if (error)
			return error;
		if (n > 0)
			done += (size_t)n;
	}
	weir_text_clear(out);
	return 0;
}

static void add_direction(struct weir_text *out, const char *name,
                          const struct weir_pipe_stats *stats)
{
	weir_text_add(out, ",\"%s\":{\"capacity\":%" PRIu64, name, stats->capacity);
	weir_text_add(out, ",\"bytes_written\":%" PRIu64, stats->bytes_written);
	weir_text_add(out, ",\"bytes_read\":%" PRIu64, stats->bytes_read);
	weir_text_add(out, ",\"writes\":%" PRIu64, stats->writes);
	weir_text_add(out, ",\"reads\":%" PRIu64, stats->reads);
	weir_text_add(out, ",\"blocked_writes\":%" PRIu64, stats->blocked_writes);
	weir_text_add(out, ",\"blocked_reads\":%" PRIu64, stats->blocked_reads);
	weir_text_add(out, ",\"max_buffered\":%" PRIu64 "}", stats->max_buffered);
}

static void add_pair(struct weir_text *out, const struct weir_pair_record *pair)
{
	weir_text_add(out, "{\"number\":%" PRIu64 ",\"pid\":%" PRIu32 ",\"comm\":", pair->number,
	              pair->pid);
	weir_text_add_quoted(out, pair->comm);
	add_direction(out, "a_to_b", &pair->pipe[0]);
	add_direction(out, "b_to_a", &pair->pipe[1]);
	weir_text_add_byte(out, '}');
}

static void add_totals(struct weir_text *out, const struct weir_header *h)
{
	uint64_t type = load64_relaxed(&h->left[WEIR_LEFT_TYPE]);
	uint64_t slots = load64_relaxed(&h->left[WEIR_LEFT_SLOTS]);
	uint64_t descriptor = load64_relaxed(&h->left[WEIR_LEFT_DESCRIPTOR]);
	uint64_t unmarked = load64_relaxed(&h->left[WEIR_LEFT_UNMARKED]);

	weir_text_add(out, "{\"pairs\":%" PRIu64, load64_relaxed(&h->pairs));
	weir_text_add(out, ",\"left_to_kernel\":{\"total\":%" PRIu64, 
	              type + slots + descriptor + unmarked);
	weir_text_add(out, ",\"reasons\":{\"type\":%" PRIu64, type);
	weir_text_add(out, ",\"slots\":%" PRIu64, slots);
	weir_text_add(out, ",\"descriptor\":%" PRIu64, descriptor);
	weir_text_add(out, ",\"unmarked\":%" PRIu64 "}}", unmarked);
}

static int write_list(struct weir_text *out, const struct weir_listing *list,
                      const struct weir_session *s, int fd)
{
	weir_text_add(out, ",\"list\":[\n");
	for (size_t i = 0; i < list->count; i++) {
		struct weir_pair_record pair = weir_listing_record(list, s, i);
		int error = weir_text_room(out) < PAIR_SIZE_MAX ? flush(out, fd) : 0;

		if (error)
			return error;
		add_pair(out, &pair);
		weir_text_add(out, i + 1 < list->count ? ",\n" : "\n");
	}
	return 0;
}

static void add_first(struct weir_text *out, const struct weir_fired *f)
{
	char comm[WEIR_FIRED_COMM_SIZE + 1] = "";

	memcpy(comm, f->comm, WEIR_FIRED_COMM_SIZE);
	weir_text_add(out, "{\"pair\":%" PRIu64 ",\"side\":\"%s\"", f->pair, f->side ? "b" : "a");
	weir_text_add(out, ",\"op\":\"%s\",\"pid\":%" PRIu32, f->op ? "write" : "read", f->pid);
	weir_text_add(out, ",\"comm\":");
	weir_text_add_quoted(out, comm);
	weir_text_add(out, ",\"call\":%" PRIu64 ",\"byte\":%" PRIu64 "}", f->call, f->byte);
}

static void add_rule(struct weir_text *out, const struct weir_plan_rule *r)
{
	weir_text_add(out, "{\"rule\":");
	weir_text_add_quoted(out, r->rule.text);
	weir_text_add(out, ",\"fired\":%" PRIu64 ",\"first\":", load64_acquire(&r->fired));
	if (load32_acquire(&r->where_known))
		add_first(out, &r->first);
	else
		weir_text_add(out, "null");
	weir_text_add_byte(out, '}');
}

static int write_rules(struct weir_text *out, const struct weir_plan *plan, int fd)
{
	uint32_t count = load32_acquire(&plan->count);

	weir_text_add(out, ",\"seed\":%" PRIu64 ",\"faults\":[\n", plan->seed);
	for (uint32_t i = 0; i < count && i < WEIR_RULES_MAX; i++) {
		int error = weir_text_room(out) < RULE_SIZE_MAX ? flush(out, fd) : 0;

		if (error)
			return error;
		weir_text_add(out, "%s", i ? ",\n" : "");
		add_rule(out, &plan->rules[i]);
	}
	weir_text_add(out, "%s]}\n", count ? "\n" : "");
	return 0;
}

int weir_session_write_stats(const struct weir_session *s, int fd)
{
	char buffer[BUFFER_SIZE];
	struct weir_text out = weir_text_over(buffer, sizeof buffer);
	struct weir_listing list;
	uint64_t pairs;
	int error = weir_listing_make(&list, s);

	if (error)
		return error;
	pairs = load64_relaxed(&s->header->pairs);
	add_totals(&out, s->header);
	error = write_list(&out, &list, s, fd);
	if (!error) {
		weir_text_add(&out, "],\"not_listed\":%" PRIu64,
		              pairs > list.count ? pairs - list.count : 0);
		error = write_rules(&out, s->plan, fd);
	}
	if (!error)
		error = flush(&out, fd);
	weir_listing_release(&list);
	return error;
}
