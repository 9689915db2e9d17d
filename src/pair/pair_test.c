#include "pair/pair.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "base/test.h"
#include "base/test_random.h"

enum { PAIRS = 8, THREADS = 4, ROUNDS = 5000, ATTEMPTS_MAX = 3000 };

static struct weir_session session;

static void begin(uint64_t capacity)
{
	struct weir_config config = weir_config_default();
	int fd = -1;

	weir_session_unmap(&session);
	config.max_pairs = PAIRS;
	config.capacity = capacity;
	config.capacity_given = true;
	config.stats = "-";
	CHECK_EQ(weir_session_create(&session, &config, NULL, &fd), 0);
	close(fd);
}

static int64_t open_pair(void)
{
	return weir_pair_open(&session, weir_pair_number(&session), (uint32_t)getpid(), "pair_test");
}

static uint32_t generation_of(int64_t index)
{
	return load32_acquire(&session.slots[index].generation);
}

static void release_both(int64_t index)
{
	uint32_t generation = generation_of(index);

	weir_pair_release(&session, (uint32_t)index, WEIR_SIDE_A, generation);
	weir_pair_release(&session, (uint32_t)index, WEIR_SIDE_B, generation);
}

static void opened(void)
{
	begin(100);
	int64_t index = weir_pair_open(&session, weir_pair_number(&session), 4711, "a name longer than sixteen");
	struct weir_slot *slot = &session.slots[index];

	CHECK_EQ(index, 0);
	CHECK_EQ(slot->number, 1);
	CHECK_EQ(load32_relaxed(&slot->pid), 4711);
	CHECK_TEXT(slot->comm, "a name longer t");
	CHECK_EQ(load32_relaxed(&slot->state), WEIR_SLOT_USED);
	for (int side = 0; side < 2; side++) {
		struct weir_pipe_ref ref = weir_pair_pipe(&session, 0, side, generation_of(0));
		CHECK_EQ(load32_relaxed(&slot->end[side].holders), 1);
		CHECK_EQ(weir_pipe_room(&ref), 100);
		CHECK_EQ(weir_pipe_used(&ref), 0);
		CHECK(weir_pipe_is_valid(&ref));
		CHECK_EQ(ref.storage - session.rings, (int64_t)session.ring_span + 2048);
		CHECK_EQ(ref.before, side);
	}
	CHECK_EQ(weir_pair_open(&session, weir_pair_number(&session), 1, ""), 1);
	CHECK_EQ(session.slots[1].number, 2);
}

static const unsigned char *written(int side, size_t n)
{
	static unsigned char bytes[WEIR_RING_FRONT + 1];
	struct weir_pipe_ref ref = weir_pair_pipe(&session, 0, side, generation_of(0));
	struct iovec iov = {bytes, n};
	struct weir_span span = weir_span_of(&iov, 1);
	int sv[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	CHECK_EQ(weir_pipe_lock(&ref), 0);
	weir_pipe_lose(&ref);
	CHECK_EQ(weir_pipe_put(&ref, sv[0], &span, n, false), n);
	const unsigned char *at = weir_pipe_next(&ref, &n);
	weir_pipe_unlock(&ref);
	close(sv[0]);
	close(sv[1]);
	return at;
}

static uintptr_t page_of(const void *at)
{
	return (uintptr_t)at / 4096;
}

/* As long as no more than half of one was ever on its way in a direction. */
static void little_takes_one_page(void)
{
	begin(100000);
	open_pair();
	uintptr_t page = page_of(written(0, 1));
	for (int i = 0; i < 2; i++) {
		for (int side = 0; side < 2; side++) {
			const unsigned char *at = written(side, WEIR_RING_FRONT);
			CHECK_EQ(page_of(at), page);
			CHECK_EQ(page_of(at + WEIR_RING_FRONT - 1), page);
		}
	}
	CHECK_EQ(page_of(written(0, WEIR_RING_FRONT + 1)), page);
	CHECK(written(1, WEIR_RING_FRONT + 1) != NULL); /* in one piece */
	CHECK(page_of(written(1, 1)) != page);
}

/* A rule takes no memory of a pair in which no call was made. */
static void rules_take_nothing_at_first(void)
{
	unsigned char resident = 1;

	begin(100);
	store64_relaxed(&session.plan->alive, WEIR_RULE_BIT(0));
	for (int i = 0; i < 2; i++)
		CHECK_EQ(open_pair(), i);
	CHECK_EQ(mincore((void *)session.faults, 4096, &resident), 0);
	CHECK_EQ(resident & 1, 0);
}

static void reused_with_another_generation(void)
{
	begin(100);
	int64_t index = open_pair();
	uint32_t before = generation_of(index);
	struct weir_pipe_ref old = weir_pair_pipe(&session, 0, 0, before);

	store64_relaxed(&old.pipe->tail, 55);
	weir_pair_release(&session, 0, WEIR_SIDE_A, before);
	CHECK_EQ(load32_relaxed(&session.slots[0].state), WEIR_SLOT_USED);
	CHECK_EQ(weir_pipe_lock(&old), 0);
	weir_pipe_unlock(&old);
	weir_pair_release(&session, 0, WEIR_SIDE_B, before);
	CHECK_EQ(load32_relaxed(&session.slots[0].state), WEIR_SLOT_FREE);
	CHECK_EQ(generation_of(0), before + 1);
	CHECK_EQ(weir_pipe_lock(&old), -ESTALE);
	CHECK_EQ(open_pair(), 0); /* the one freed last comes first */
	CHECK_EQ(weir_pipe_lock(&old), -ESTALE);
	CHECK_EQ(session.slots[0].number, 2);
	weir_pair_release(&session, 0, WEIR_SIDE_A, before); /* void: not this pair */
	CHECK_EQ(load32_relaxed(&session.slots[0].end[WEIR_SIDE_A].holders), 1);
	weir_pair_discard(&session, 0, before);
	CHECK_EQ(load32_relaxed(&session.slots[0].state), WEIR_SLOT_USED);
	struct weir_pipe_ref now = weir_pair_pipe(&session, 0, 0, generation_of(0));
	CHECK_EQ(weir_pipe_used(&now), 0);
}

static void held_by_several(void)
{
	begin(100);
	open_pair();
	struct weir_slot *slot = &session.slots[0];
	weir_pair_hold(slot, WEIR_SIDE_B);
	release_both(0);
	CHECK_EQ(load32_relaxed(&slot->state), WEIR_SLOT_USED);
	weir_pair_release(&session, 0, WEIR_SIDE_B, generation_of(0));
	CHECK_EQ(load32_relaxed(&slot->state), WEIR_SLOT_FREE);
}

/* After a search in vain some requests go without one: asks until it is done. */
static int64_t open_patiently(void)
{
	for (int i = 0; i < ATTEMPTS_MAX; i++) {
		int64_t index = open_pair();
		if (index >= 0)
			return index;
	}
	return -ENOSPC;
}

static void all_in_use(void)
{
	begin(100);
	for (int i = 0; i < PAIRS; i++)
		CHECK_EQ(open_pair(), i);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(open_pair(), -ENOSPC); /* this process lives */
	release_both(3);
	release_both(5);
	CHECK_EQ(open_pair(), 5);
	CHECK_EQ(open_pair(), 3);
	CHECK_EQ(open_pair(), -ENOSPC);
	CHECK_EQ(load64_relaxed(&session.header->pairs), PAIRS + 2);
}

static int end_of_opening(void)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		_exit(open_pair() >= 0 ? 0 : 1);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	weir_lock_wait(&session.header->slots_lock); /* nobody is to put the list right */
	weir_lock_release(&session.header->slots_lock);
	return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

/* Two pairs in one slot would get each other's bytes. */
static void damaged_free_list(void)
{
	struct weir_header *h;

	begin(100);
	h = session.header;
	CHECK_EQ(open_pair(), 0);
	store32_relaxed(&h->free_list, PAIRS + 1);
	CHECK_EQ(end_of_opening(), SIGABRT);
	store32_relaxed(&h->free_list, 1); /* the one that is open */
	CHECK_EQ(end_of_opening(), SIGABRT);
	store32_relaxed(&h->free_list, 0);
	store32_relaxed(&h->slots_touched, UINT32_MAX);
	CHECK_EQ(end_of_opening(), SIGABRT);
	CHECK_EQ(weir_pair_reclaim(&session), 0);
	store32_relaxed(&h->slots_touched, 1);
	CHECK_EQ(end_of_opening(), 0);
}

static int end_of_finding(uint64_t cookie)
{
	uint32_t index;
	int side, status;
	pid_t child = fork();

	if (child == 0)
		_exit(weir_pair_find(&session, cookie, &index, &side) ? 1 : 0);
	CHECK(waitpid(child, &status, 0) == child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

/* Where an identity and its copy differ, the end may be the one that is looked for. */
static void damaged_identities(void)
{
	begin(100);
	CHECK_EQ(open_pair(), 0);
	struct weir_end_shared *end = &session.slots[0].end[1];
	CHECK_EQ(end_of_finding(1234), 0);
	store64_relaxed(&end->cookie_again, 1234);
	store64_relaxed(&end->cookie, 1234);
	CHECK_EQ(end_of_finding(1234), 1);
	CHECK_EQ(end_of_finding(1235), 0);
	store64_relaxed(&end->cookie, 1236);
	CHECK_EQ(end_of_finding(1234), SIGABRT);
	CHECK_EQ(end_of_finding(1236), SIGABRT);
	CHECK_EQ(end_of_finding(5678), SIGABRT);
	store64_relaxed(&end->cookie, 0);
	CHECK_EQ(end_of_finding(5678), 0);
	store64_relaxed(&end->cookie_again, 0);
	release_both(0);
}

/* Whoever dies on the way between the list and a life leaves no slot behind. */
static void died_with_the_list(void)
{
	begin(100);
	for (int i = 0; i < PAIRS; i++)
		CHECK_EQ(open_pair(), i);
	for (int i = 0; i < PAIRS - 1; i++)
		release_both((uint32_t)i);
	struct weir_pipe_ref old = weir_pair_pipe(&session, 1, 0, generation_of(1));
	pid_t child = fork();
	if (child == 0) { /* as if it had just popped all of them */
		weir_lock_wait(&session.header->slots_lock);
		store32_relaxed(&session.header->free_list, 0);
		_exit(0);
	}
	CHECK_EQ(waitpid(child, NULL, 0), child);
	for (int i = 0; i < PAIRS - 1; i++)
		CHECK_EQ(open_pair(), i);
	CHECK_EQ(open_pair(), -ENOSPC);
	CHECK_EQ(weir_pipe_lock(&old), -ESTALE);
}

static void retired_records(void)
{
	begin(100);
	open_pair();
	struct weir_pipe *pipe = session.slots[0].pipe;
	store64_relaxed(&pipe[0].tail, 12);
	store64_relaxed(&pipe[1].head, 34);
	store64_relaxed(&pipe[1].reads, 5);
	CHECK_EQ(session.retired[0].number, 0);
	release_both(0);
	const struct weir_retired *record = &session.retired[0];
	CHECK_EQ(record->number, 1);
	CHECK_EQ(record->pid, getpid());
	CHECK_TEXT(record->comm, "pair_test");
	CHECK_EQ(record->pipe[0].bytes_written, 12);
	CHECK_EQ(record->pipe[1].bytes_read, 34);
	CHECK_EQ(record->pipe[1].reads, 5);
	CHECK_EQ(record->pipe[0].capacity, 100);
	store64_relaxed(&session.header->retired, WEIR_RETIRED_MAX * UINT64_C(3));
	open_pair();
	release_both(0);
	CHECK_EQ(session.retired[0].number, 2); /* the oldest gives way */
	session.header->keep_retired = 0;
	open_pair();
	release_both(0);
	CHECK_EQ(session.retired[1].number, 0);
	CHECK_EQ(load64_relaxed(&session.header->retired), WEIR_RETIRED_MAX * UINT64_C(3) + 1);
}

static weir_word32 owner[PAIRS];
static weir_word32 doubles;

static void *open_and_release(void *argument)
{
	struct test_random r = {(uintptr_t)argument};
	int64_t mine[3];

	for (int i = 0; i < ROUNDS; i++) {
		size_t count = 1 + test_random_below(&r, 3);
		for (size_t k = 0; k < count; k++) {
			mine[k] = open_pair();
			if (mine[k] >= 0 && !swap32_if(&owner[mine[k]], 0, 1))
				add32_relaxed(&doubles, 1);
		}
		for (size_t k = 0; k < count; k++) {
			if (mine[k] < 0)
				continue;
			store32_release(&owner[mine[k]], 0);
			release_both(mine[k]);
		}
	}
	return NULL;
}

static void free_list_of_several_threads(void)
{
	pthread_t thread[THREADS];
	bool seen[PAIRS] = {false};

	begin(100);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, open_and_release, (void *)(i + 1));
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	CHECK_EQ(load32_relaxed(&doubles), 0);
	for (int i = 0; i < PAIRS; i++) { /* none was lost, none is there twice */
		int64_t index = open_patiently();
		CHECK(index >= 0 && !seen[index]);
		if (index >= 0)
			seen[index] = true;
	}
	CHECK_EQ(open_pair(), -ENOSPC);
}

/* A child that opens `count` pairs, as if it had shared them where `inodes` are
 * given, and is killed. */
static void open_and_die(int count, const uint64_t inodes[2])
{
	pid_t child = fork();

	if (child == 0) {
		for (int i = 0; i < count; i++) {
			int64_t index = open_pair();
			if (index < 0)
				_exit(1);
			for (int side = 0; inodes && side < 2; side++)
				store64_relaxed(&session.slots[index].end[side].inode,
				                inodes[side]);
		}
		raise(SIGKILL);
	}
	int status = 0;
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status));
}

static void pairs_of_the_killed(void)
{
	begin(100);
	CHECK_EQ(open_pair(), 0);
	open_and_die(PAIRS - 1, NULL);
	uint32_t before = generation_of(3);
	for (int i = 0; i < PAIRS - 1; i++)
		CHECK(open_patiently() > 0);
	CHECK_EQ(generation_of(0), 0);
	CHECK_EQ(generation_of(3), before + 1);
	CHECK_EQ(open_pair(), -ENOSPC);
	CHECK_EQ(load64_relaxed(&session.header->retired), PAIRS - 1);
}

/* Who created a shared pair does not matter: its sockets do. */
static void shared_pairs_of_the_killed(void)
{
	uint64_t inodes[2];
	int sv[2];

	begin(100);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	inodes[0] = os_inode(sv[0]);
	inodes[1] = os_inode(sv[1]);
	open_and_die(PAIRS, inodes);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(open_pair(), -ENOSPC);
	close(sv[0]); /* one end lives: the pair does */
	for (int i = 0; i < 20; i++)
		CHECK_EQ(open_pair(), -ENOSPC);
	close(sv[1]);
	CHECK(open_patiently() >= 0);
	for (int i = 1; i < PAIRS; i++)
		CHECK(open_pair() >= 0);
}

/* Locks that a killed process held are free in the slot's next life. */
static void locks_of_the_killed(void)
{
	begin(100);
	pid_t child = fork();
	if (child == 0) {
		int64_t index = open_pair();
		struct weir_pipe_ref ref =
		        weir_pair_pipe(&session, (uint32_t)index, 0, generation_of(index));
		weir_pipe_lock(&ref);
		raise(SIGKILL);
	}
	CHECK_EQ(waitpid(child, NULL, 0), child);
	for (int i = 0; i < PAIRS; i++)
		CHECK(open_patiently() >= 0);
	struct weir_pipe_ref ref = weir_pair_pipe(&session, 0, 0, generation_of(0));
	CHECK_EQ(weir_pipe_lock(&ref), 0);
	CHECK_EQ(weir_pipe_room(&ref), 100);
	weir_pipe_unlock(&ref);
}

int main(void)
{
	os_resolve();
	RUN(opened);
	RUN(little_takes_one_page);
	RUN(rules_take_nothing_at_first);
	RUN(reused_with_another_generation);
	RUN(held_by_several);
	RUN(all_in_use);
	RUN(damaged_free_list);
	RUN(damaged_identities);
	RUN(died_with_the_list);
	RUN(retired_records);
	RUN(free_list_of_several_threads);
	RUN(pairs_of_the_killed);
	RUN(shared_pairs_of_the_killed);
	RUN(locks_of_the_killed);
	weir_session_unmap(&session);
	return weir_test_end();
}
