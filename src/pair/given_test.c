#include "pair/given.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/os.h"
#include "base/test.h"

static struct weir_session session;

static void begin(void)
{
	struct weir_config config = weir_config_default();
	int fd = -1;

	weir_session_unmap(&session);
	config.max_pairs = 4;
	CHECK_EQ(weir_session_create(&session, &config, NULL, &fd), 0);
	close(fd);
}

static uint32_t open_pair(void)
{
	return (uint32_t)weir_pair_open(&session, weir_pair_number(&session), 1, "test");
}

static void close_pair(uint32_t index)
{
	weir_pair_discard(&session, index, load32_acquire(&session.slots[index].generation));
}

static int give(uint32_t index, uint32_t side, const char *text)
{
	struct weir_rule_error error = {.column = 1};
	struct weir_rule rule;

	CHECK(weir_rule_parse_for_end(&rule, text, session.slots[index].number, side, &error));
	return weir_pair_give(&session, index, &rule);
}

static uint64_t rules_of_writes(uint32_t index, int side)
{
	return load64_relaxed(&session.slots[index].pipe[side].rules_write);
}

static void one_end_has_them(void)
{
	begin();
	uint32_t one = open_pair(), other = open_pair();
	CHECK_EQ(give(one, 1, "write:eof"), 0);
	CHECK_EQ(rules_of_writes(one, 1), 1);
	CHECK_EQ(rules_of_writes(one, 0), 0);
	CHECK_EQ(rules_of_writes(other, 1), 0);
	weir_pair_take_back(&session, one, 0);
	CHECK_EQ(rules_of_writes(one, 1), 1);
	weir_pair_take_back(&session, one, 1);
	CHECK_EQ(rules_of_writes(one, 1), 0);
	CHECK_EQ(load64_relaxed(&session.plan->vacant), 1);
}

static void what_they_left_is_forgotten(void)
{
	begin();
	uint32_t index = open_pair();
	struct weir_fault_state *state = weir_pair_fault_state(&session, index, 1, 1);

	CHECK_EQ(give(index, 1, "write:stall"), 0);
	store32_relaxed(&state->touched, 1);
	state->rule[0].calls = 3;
	state->rule[1].calls = 4;
	state->resumes = 1;
	weir_fault_hold_until(state, UINT64_MAX);
	weir_pair_take_back(&session, index, 1);
	CHECK_EQ(state->rule[0].calls, 0);
	CHECK_EQ(state->rule[1].calls, 4);
	CHECK_EQ(state->resumes, 0);
	CHECK_EQ(weir_fault_held_until(state), 0);
}

static void closed_pairs_leave_their_places(void)
{
	begin();
	uint32_t kept = open_pair();
	CHECK_EQ(give(kept, 0, "read:short"), 0);
	for (int i = 0; i < 3 * WEIR_RULES_MAX; i++) {
		uint32_t index = open_pair();
		CHECK_EQ(give(index, 0, "write:eof"), 0);
		close_pair(index);
	}
	CHECK_EQ(load64_relaxed(&session.slots[kept].pipe[1].rules_read), 1);
	for (int i = 0; i < WEIR_RULES_MAX - 1; i++)
		CHECK_EQ(give(kept, 0, "read:short"), 0);
	CHECK_EQ(give(kept, 0, "read:short"), -ENOSPC);
	CHECK_EQ(give(open_pair(), 0, "read:short"), -ENOSPC);
}

/* A call that is being decided may read the rule: the place is not taken meanwhile. */
static void *take_back(void *done)
{
	weir_pair_take_back(&session, 0, 1);
	store32_release((weir_word32 *)done, 1);
	return NULL;
}

static void calls_at_work_are_waited_for(void)
{
	static weir_word32 done;
	pthread_t thread;

	begin();
	uint32_t index = open_pair();
	struct weir_pipe_ref ref = weir_pair_pipe(&session, index, 1,
	                                          load32_acquire(&session.slots[index].generation));
	CHECK_EQ(give(index, 1, "write:eof"), 0);
	CHECK_EQ(weir_pipe_lock_writer(&ref), 0);
	CHECK_EQ(pthread_create(&thread, NULL, take_back, &done), 0);
	while (rules_of_writes(index, 1) != 0)
		os_relax();
	os_poll_wait(-1, 0, 20);
	CHECK_EQ(load32_acquire(&done), 0);
	CHECK_EQ(load64_relaxed(&session.plan->vacant), 0);
	weir_pipe_unlock_writer(&ref);
	pthread_join(thread, NULL);
	CHECK_EQ(load64_relaxed(&session.plan->vacant), 1);
}

/* This very thread is at work: then the place is given up, and the rule all the same. */
static void a_handler_does_not_wait(void)
{
	begin();
	uint32_t index = open_pair();
	struct weir_pipe_ref ref = weir_pair_pipe(&session, index, 0,
	                                          load32_acquire(&session.slots[index].generation));
	CHECK_EQ(give(index, 1, "write:eof"), 0);
	CHECK_EQ(weir_pipe_lock_reader(&ref), 0);
	weir_pair_take_back(&session, index, 1);
	CHECK_EQ(rules_of_writes(index, 1), 0);
	CHECK_EQ(load64_relaxed(&session.plan->vacant), 0);
	weir_pipe_unlock_reader(&ref);
}

int main(void)
{
	os_resolve();
	RUN(one_end_has_them);
	RUN(what_they_left_is_forgotten);
	RUN(closed_pairs_leave_their_places);
	RUN(calls_at_work_are_waited_for);
	RUN(a_handler_does_not_wait);
	return weir_test_end();
}
