/* The layout of the session's memory, pinned: a change here is a change of
 * WEIR_LAYOUT_VERSION. */
#include "pair/layout.h"

#include <stddef.h>

#include "base/test.h"
#include "pair/session.h"

#define SIZE(type, size) _Static_assert(sizeof(type) == (size), "the size of " #type)
#define AT(type, field, at) \
	_Static_assert(offsetof(type, field) == (at), "the place of " #type "." #field)

_Static_assert(WEIR_LAYOUT_VERSION == 10, "the layout below is version 10's");

SIZE(struct weir_header, 320);
SIZE(struct weir_life, 64);
SIZE(struct weir_board, 8384);
SIZE(struct weir_retired, 160);
SIZE(struct weir_pipe_stats, 64);
SIZE(struct weir_end_shared, 72);
SIZE(struct weir_sleeper, 24);
SIZE(struct weir_rule, 560);
SIZE(struct weir_fault_rule_state, 56);
SIZE(struct weir_fault_state, 3592);
SIZE(struct weir_plan, 54752);

AT(struct weir_header, magic, 0);
AT(struct weir_header, version, 8);
AT(struct weir_header, size, 12);
AT(struct weir_header, file_size, 16);
AT(struct weir_header, slots, 80);
AT(struct weir_header, capacity, 88);
AT(struct weir_header, holder_pid, 124);
AT(struct weir_header, free_list, 128);
AT(struct weir_header, slots_touched, 136);
AT(struct weir_header, pairs, 144);
AT(struct weir_header, numbered, 152);
AT(struct weir_header, left, 160);
AT(struct weir_header, retired, 192);
AT(struct weir_header, lives_touched, 208);
AT(struct weir_header, deadlocks, 212);
AT(struct weir_header, pid_namespace, 224);
AT(struct weir_header, strangers, 240);
AT(struct weir_header, filters, 244);
AT(struct weir_header, boards_offset, 248);

AT(struct weir_retired, number, 0);
AT(struct weir_retired, comm, 12);
AT(struct weir_retired, pipe, 32);

AT(struct weir_end_shared, holders, 0);
AT(struct weir_end_shared, cookie, 40);
AT(struct weir_end_shared, inode, 48);

AT(struct weir_slot, state, 0);
AT(struct weir_slot, generation, 8);
AT(struct weir_slot, number, 24);
AT(struct weir_slot, comm, 32);
AT(struct weir_slot, end, 56);
AT(struct weir_slot, pipe, 256);

SIZE(struct weir_pipe, 896);
SIZE(struct weir_slot, 2048);
AT(struct weir_pipe, head, 64);
AT(struct weir_pipe, write_lock, 128);
AT(struct weir_pipe, tail, 192);
AT(struct weir_pipe, writes, 256);
AT(struct weir_pipe, aside_used, 280);
AT(struct weir_pipe, alone, 304);
AT(struct weir_pipe, aside_owner, 248);
AT(struct weir_pipe, limit, 320);
AT(struct weir_pipe, saturated, 352);
AT(struct weir_pipe, generation, 224);
AT(struct weir_pipe, calm, 384);
AT(struct weir_pipe, sleepers, 448);
AT(struct weir_pipe, marker, 104);
AT(struct weir_pipe, aside, 640);

enum { LINE = 64 };

static size_t line_of(size_t offset)
{
	return offset / LINE;
}

#define LINE_OF(field) line_of(offsetof(struct weir_pipe, field))

/* What one side writes with each byte is not in a line that the other side
 * writes, nor among what both only read. */
static void lines_of_reader_and_writer(void)
{
	CHECK(LINE_OF(head) != LINE_OF(read_lock));
	CHECK(LINE_OF(reads) == LINE_OF(read_lock));
	CHECK(LINE_OF(tail) != LINE_OF(write_lock));
	CHECK(LINE_OF(origin) == LINE_OF(tail));
	CHECK(LINE_OF(bells) == LINE_OF(write_lock));
	CHECK(LINE_OF(head) != LINE_OF(tail));
	CHECK(LINE_OF(head) != LINE_OF(writes));
	CHECK(LINE_OF(head) == LINE_OF(reader_cpu));
	CHECK(LINE_OF(writes) == LINE_OF(writer_cpu));
	CHECK(LINE_OF(limit) != LINE_OF(head));
	CHECK(LINE_OF(limit) != LINE_OF(tail));
	CHECK(LINE_OF(limit) != LINE_OF(writes));
	CHECK(LINE_OF(aside) != LINE_OF(limit));
}

static void lines_of_slots(void)
{
	CHECK_EQ(sizeof(struct weir_slot) % LINE, 0);
	CHECK_EQ(sizeof(struct weir_life) % LINE, 0);
	CHECK_EQ(offsetof(struct weir_slot, pipe) % LINE, 0);
	CHECK_EQ(offsetof(struct weir_header, free_list) % LINE, 0);
	CHECK(line_of(offsetof(struct weir_header, holder_pid)) !=
	      line_of(offsetof(struct weir_header, free_list)));
}

static void words_are_lock_free(void)
{
	weir_word32 word32 = 0;
	weir_word64 word64 = 0;

	CHECK_EQ(sizeof(weir_word32), 4);
	CHECK_EQ(sizeof(weir_word64), 8);
	CHECK(atomic_is_lock_free(&word32));
	CHECK(atomic_is_lock_free(&word64));
}

static void parts_follow_each_other(void)
{
	struct weir_config config = weir_config_default();
	struct weir_session s;
	int fd = -1;

	config.max_pairs = 3;
	CHECK_EQ(weir_session_create(&s, &config, NULL, &fd), 0);
	const struct weir_header *h = s.header;
	CHECK(h->lives_offset >= sizeof(*h));
	CHECK(h->retired_offset >= h->lives_offset + WEIR_LIVES_MAX * sizeof(*s.lives));
	CHECK(h->slots_offset >= h->retired_offset + WEIR_RETIRED_MAX * sizeof(*s.retired));
	CHECK(h->rings_offset >= h->slots_offset + 3 * sizeof(*s.slots));
	CHECK_EQ(h->file_size, h->rings_offset + 3 * 2 * (h->ring_span + WEIR_RING_FRONT));
	CHECK_EQ((h->lives_offset | h->retired_offset | h->slots_offset | h->rings_offset) % 4096, 0);
	weir_session_unmap(&s);
}

int main(void)
{
	RUN(lines_of_reader_and_writer);
	RUN(lines_of_slots);
	RUN(words_are_lock_free);
	RUN(parts_follow_each_other);
	return weir_test_end();
}
