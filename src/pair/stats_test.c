#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/test.h"
#include "pair/listing.h"
#include "pair/session.h"

enum { SLOTS = 4, TEXT_MAX = 1 << 16 };

/* A session in ordinary memory: only what statistics look at. */
static struct weir_header header;
static struct weir_session session;
static struct weir_plan plan;

static void make_session(void)
{
	free(session.slots);
	free(session.retired);
	header = (struct weir_header){ .magic = 0 };
	session = (struct weir_session){ .header = &header, .plan = &plan, .slot_count = SLOTS };
	session.slots = aligned_alloc(64, SLOTS * sizeof *session.slots);
	session.retired = calloc(WEIR_RETIRED_MAX, sizeof *session.retired);
	memset(session.slots, 0, SLOTS * sizeof *session.slots);
}

static void use_slot(int i, uint64_t number, const char *comm)
{
	session.slots[i].number = number;
	memcpy(session.slots[i].comm, comm, strlen(comm) + 1);
	store32_relaxed(&session.slots[i].state, WEIR_SLOT_USED);
	store32_relaxed(&header.slots_touched, SLOTS);
}

static const char *written(void)
{
	static char text[TEXT_MAX];
	char name[] = "/tmp/weir-stats-XXXXXX";
	int fd = mkstemp(name);
	ssize_t n;

	unlink(name);
	CHECK_EQ(weir_session_write_stats(&session, fd), 0);
	n = pread(fd, text, sizeof text - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	close(fd);
	return text;
}

static void nothing_happened(void)
{
	make_session();
	CHECK_TEXT(written(), "{\"pairs\":0,\"left_to_kernel\":{\"total\":0,\"reasons\":"
	                      "{\"type\":0,\"slots\":0,\"descriptor\":0,\"unmarked\":0}},\"list\":[\n"
	                      "],\"not_listed\":0,\"seed\":0,\"faults\":[\n]}\n");
}

static void one_pair(void)
{
	make_session();
	use_slot(2, 1, "a\"\\\n\xc3z");
	store64_relaxed(&header.pairs, 3);
	store64_relaxed(&header.left[WEIR_LEFT_TYPE], 5);
	store64_relaxed(&session.slots[2].pipe[1].tail, 18446744073709551615U);
	CHECK(strstr(written(), "\"pairs\":3,\"left_to_kernel\":{\"total\":5,"));
	CHECK(strstr(written(), "\"comm\":\"a\\u0022\\u005c\\u000a\\u00c3z\""));
	CHECK(strstr(written(), "\"b_to_a\":{\"capacity\":0,\"bytes_written\":18446744073709551615,"));
	CHECK(strstr(written(), "\"not_listed\":2,"));
}

static void order_of_numbers(void)
{
	struct weir_listing list;
	uint64_t numbers[] = { 3, 9, 1, 8, 4 };

	make_session();
	for (size_t i = 0; i < 5; i++)
		session.retired[i].number = numbers[i];
	store64_relaxed(&header.retired, 6);    /* the sixth is just being written */
	use_slot(0, 7, "x");
	use_slot(1, 2, "x");
	use_slot(3, 9, "x");                    /* just being retired */
	CHECK_EQ(weir_listing_make(&list, &session), 0);
	CHECK_EQ(list.count, 7);
	for (size_t i = 1; i < list.count; i++)
		CHECK(list.entry[i - 1].number < list.entry[i].number);
	weir_listing_release(&list);
}

static void full_and_damaged(void)
{
	struct weir_listing list;

	make_session();
	for (size_t i = 0; i < WEIR_RETIRED_MAX; i++)
		session.retired[i].number = (i * 40503) % 65537 + 1;
	store64_relaxed(&header.retired, UINT64_MAX);
	use_slot(1, 100000, "x");
	store32_relaxed(&header.slots_touched, UINT32_MAX);
	memset(session.slots[1].comm, 'y', WEIR_COMM_SIZE);
	CHECK_EQ(weir_listing_make(&list, &session), 0);
	CHECK_EQ(list.count, WEIR_RETIRED_MAX + 1);
	CHECK_EQ(list.entry[list.count - 1].number, 100000);
	CHECK_EQ(strlen(weir_listing_record(&list, &session, list.count - 1).comm),
	         WEIR_COMM_SIZE - 1);
	weir_listing_release(&list);
}

static void add_rule(const char *text)
{
	struct weir_rule_error error = {.column = 0};
	struct weir_rule rule;

	CHECK(weir_rule_parse(&rule, text, &error));
	CHECK(weir_plan_add(&plan, &rule));
}

static void rules(void)
{
	struct weir_fired where = {.pair = 3, .call = 5, .byte = 7, .side = 1, .op = 1, .pid = 9,
	                           .comm = "a\"b"};

	make_session();
	plan.seed = UINT64_MAX;
	add_rule("write:eof:match=\"");
	add_rule("read:short");
	weir_plan_note(&plan.rules[0], &where);
	where.pair = 4;
	weir_plan_note(&plan.rules[0], &where);
	CHECK(strstr(written(), "\"seed\":18446744073709551615,\"faults\":[\n"
	                        "{\"rule\":\"write:eof:match=\\u0022\",\"fired\":2,\"first\":"
	                        "{\"pair\":3,\"side\":\"b\",\"op\":\"write\",\"pid\":9,"
	                        "\"comm\":\"a\\u0022b\",\"call\":5,\"byte\":7}},\n"
	                        "{\"rule\":\"read:short\",\"fired\":0,\"first\":null}\n]}\n"));
	while (load32_relaxed(&plan.count) < WEIR_RULES_MAX) /* more than the buffer holds */
		add_rule("write:error=EIO:comm=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	const char *text = written();
	CHECK_TEXT(text + strlen(text) - 5, "}\n]}\n");
}

int main(void)
{
	RUN(nothing_happened);
	RUN(one_pair);
	RUN(order_of_numbers);
	RUN(full_and_damaged);
	RUN(rules);
	make_session();
	return weir_test_end();
}
