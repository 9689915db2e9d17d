/* A pipe for tests: in shared memory, with a real socketpair. */
#ifndef WEIR_PIPE_TEST_PIPE_H
#define WEIR_PIPE_TEST_PIPE_H

#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/os.h"
#include "base/test.h"
#include "pipe/bell.h"
#include "pipe/pipe.h"

enum { TEST_SPAN = 1 << 16, TEST_GENERATION = 7 };

static const struct weir_writable_rule any_room = {1, false};

/* Storages lie by turns behind their address and before it. */
static uint32_t test_pipes_opened;

struct test_pipe {
	struct weir_pipe_ref ref;
	struct weir_pipe *pipe;
	int writer;                 /* descriptors */
	int reader;
};

static inline void *test_shared(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static inline struct test_pipe test_pipe_open(uint64_t limit)
{
	struct test_pipe t;
	int sv[2];

	os_resolve();
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	t.writer = sv[0];
	t.reader = sv[1];
	t.pipe = test_shared(sizeof(*t.pipe));
	uint32_t before = test_pipes_opened++ % 2;
	t.ref = (struct weir_pipe_ref){
	        .pipe = t.pipe,
	        .storage = (unsigned char *)test_shared(TEST_SPAN) + before * TEST_SPAN,
	        .before = before,
	        .span_mask = TEST_SPAN - 1,
	        .generation = TEST_GENERATION,
	};
	weir_pipe_init(t.pipe);
	weir_pipe_reset(t.pipe, TEST_GENERATION);
	weir_pipe_set_limit(&t.ref, limit, any_room);
	return t;
}

static inline void test_pipe_close(struct test_pipe *t)
{
	close(t->writer);
	close(t->reader);
	munmap(t->ref.storage - t->ref.before * TEST_SPAN, TEST_SPAN);
	munmap(t->pipe, sizeof(*t->pipe));
}

/* One locked put, as an endpoint does it. */
static inline ssize_t test_pipe_put(struct test_pipe *t, const void *bytes, size_t n)
{
	struct iovec iov = {(void *)(uintptr_t)bytes, n};
	struct weir_span span = weir_span_of(&iov, 1);
	int error = weir_pipe_lock_writer(&t->ref);

	if (error)
		return error;
	ssize_t put = weir_pipe_put(&t->ref, t->writer, &span, n, false);
	weir_pipe_unlock_writer(&t->ref);
	return put;
}

static inline ssize_t test_pipe_take(struct test_pipe *t, void *bytes, size_t n)
{
	struct iovec iov = {bytes, n};
	struct weir_span span = weir_span_of(&iov, 1);
	int error = weir_pipe_lock_reader(&t->ref);

	if (error)
		return error;
	size_t taken = weir_pipe_take(&t->ref, &span, n);
	weir_pipe_unlock_reader(&t->ref);
	return (ssize_t)taken;
}

/* What was taken, as text that the next call overwrites. */
static inline const char *test_pipe_text(struct test_pipe *t, size_t n)
{
	static char text[4096];
	ssize_t taken = test_pipe_take(t, text, n < sizeof(text) ? n : sizeof(text) - 1);

	text[taken > 0 ? taken : 0] = '\0';
	return text;
}

static inline void test_pipe_settle(struct test_pipe *t)
{
	CHECK_EQ(weir_pipe_lock(&t->ref), 0);
	weir_bell_settle(&t->ref, t->reader);
	weir_pipe_unlock(&t->ref);
}

static inline void test_pipe_saturate(struct test_pipe *t, enum weir_saturation how)
{
	CHECK_EQ(weir_pipe_lock_writer(&t->ref), 0);
	weir_bell_saturate(&t->ref, t->writer, how, 1);
	weir_pipe_unlock_writer(&t->ref);
}

static inline bool test_readable(const struct test_pipe *t)
{
	return (os_poll_now(t->reader, POLLIN) & POLLIN) != 0;
}

static inline bool test_writable(const struct test_pipe *t)
{
	return (os_poll_now(t->writer, POLLOUT) & POLLOUT) != 0;
}

#endif
