/* POSIX asynchronous reads and writes, which glibc makes in threads of its own. */
#include "check.h"

#include <aio.h>

static ssize_t finish(struct aiocb *request)
{
	const struct aiocb *list[] = {request};
	while (aio_error(request) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
	int error = aio_error(request);
	ssize_t n = aio_return(request);
	errno = error;
	return error ? -1 : n;
}

CASE(aio_read_gets_what_was_written)
{
	char buffer[16] = "";
	int sv[2];
	struct aiocb request = {.aio_buf = buffer, .aio_nbytes = sizeof(buffer)};
	pair_open(sv, 0);
	say(sv[0], "abc");
	request.aio_fildes = sv[1];
	CHECK(aio_read(&request) == 0);
	CHECK_EQ(finish(&request), 3);
	CHECK(memcmp(buffer, "abc", 3) == 0);
}

CASE(aio_read_waits)
{
	char buffer[16] = "";
	int sv[2];
	struct aiocb request = {.aio_buf = buffer, .aio_nbytes = sizeof(buffer)};
	pair_open(sv, 0);
	request.aio_fildes = sv[1];
	CHECK(aio_read(&request) == 0);
	sleep_ms(20);
	say(sv[0], "abc");
	CHECK_EQ(finish(&request), 3);
	CHECK(memcmp(buffer, "abc", 3) == 0);
	hear_nothing(sv[1]);
}

CASE(aio_write_arrives)
{
	int sv[2];
	struct aiocb request = {.aio_buf = "abc", .aio_nbytes = 3};
	pair_open(sv, 0);
	say(sv[0], "before ");
	request.aio_fildes = sv[0];
	CHECK(aio_write(&request) == 0);
	CHECK_EQ(finish(&request), 3);
	say(sv[0], " after");
	hear(sv[1], "before abc after");
	hear_nothing(sv[1]);
}

CASE(aio64_is_the_same)
{
	char buffer[16] = "";
	int sv[2];
	struct aiocb64 out = {.aio_buf = "abc", .aio_nbytes = 3};
	struct aiocb64 in = {.aio_buf = buffer, .aio_nbytes = sizeof(buffer)};
	pair_open(sv, 0);
	out.aio_fildes = sv[0];
	in.aio_fildes = sv[1];
	CHECK(aio_write64(&out) == 0);
	while (aio_error64(&out) == EINPROGRESS)
		sleep_ms(1);
	CHECK_EQ(aio_return64(&out), 3);
	CHECK(aio_read64(&in) == 0);
	while (aio_error64(&in) == EINPROGRESS)
		sleep_ms(1);
	CHECK_EQ(aio_return64(&in), 3);
	CHECK(memcmp(buffer, "abc", 3) == 0);
}

CHECK_MAIN
