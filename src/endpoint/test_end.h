/* Marked descriptors for tests: a session of this process, real socketpairs. */
#ifndef WEIR_ENDPOINT_TEST_END_H
#define WEIR_ENDPOINT_TEST_END_H

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/os.h"
#include "base/test.h"
#include "endpoint/endpoint.h"

enum { TEST_PAIRS = 16 };

static inline void test_session_begin(void)
{
	struct weir_config config = weir_config_default();
	int fd = -1;

	os_resolve();
	config.max_pairs = TEST_PAIRS;
	config.capacity_given = true;
	CHECK_EQ(weir_session_create(&weir_session, &config, NULL, &fd), 0);
	close(fd);
	weir_own_life_begins();
}

/* A marked pair of that capacity: end[0] is sv[0]. */
static inline void test_ends_open(struct weir_end end[2], uint64_t capacity)
{
	int sv[2];

	weir_session.header->capacity = capacity;
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	int64_t index = weir_pair_open(&weir_session, weir_pair_number(&weir_session), (uint32_t)getpid(), "test");
	CHECK(index >= 0);
	uint32_t generation = load32_relaxed(&weir_session.slots[index].generation);
	for (int side = 0; side < 2; side++) {
		weir_table_enter(sv[side], (uint32_t)index, side, generation);
		CHECK(weir_end_of(sv[side], &end[side]));
		store32_relaxed(&end[side].in.pipe->reader_life, load32_relaxed(&weir_own_life));
	}
}

/* close(2), as the hook does it. */
static inline void test_end_close(int fd)
{
	struct weir_end end;

	if (!weir_marked(fd))
		return;
	bool last = weir_table_remove(fd, &end);
	weir_end_before_close(&end, last);
	close(fd);
	weir_end_after_close(&end, last);
}

static inline void test_ends_close(struct weir_end end[2])
{
	test_end_close(end[0].fd);
	test_end_close(end[1].fd);
}

static inline void test_end_shut(const struct weir_end *end, int how)
{
	CHECK_EQ(shutdown(end->fd, how), 0);
	weir_end_after_shutdown(end);
}

static inline ssize_t test_send(const struct weir_end *end, const void *bytes, size_t n, int flags)
{
	struct iovec iov = {(void *)(uintptr_t)bytes, n};

	return weir_end_send(end, weir_span_of(&iov, 1), n, flags);
}

static inline ssize_t test_receive(const struct weir_end *end, void *bytes, size_t n, int flags)
{
	struct iovec iov = {bytes, n};

	return weir_end_receive(end, weir_span_of(&iov, 1), n, flags);
}

#endif
