/* dup, dup2, dup3 and fcntl's duplicates, marked and unmarked in every combination. */
#include "check.h"

/* One more descriptor of an end is as good as the first. */
static void is_the_same_end(int fd, int peer)
{
	say(fd, "from the duplicate");
	hear(peer, "from the duplicate");
	say(peer, "to the duplicate");
	hear(fd, "to the duplicate");
	hear_nothing(fd);
	hear_nothing(peer);
}

CASE(dup_of_a_marked_descriptor)
{
	int sv[2];
	fill_gaps();
	pair_open(sv, 0);
	int other = dup(sv[0]);
	CHECK_EQ(other, sv[1] + 1);
	is_the_same_end(other, sv[1]);
	CHECK(close(sv[0]) == 0);
	is_the_same_end(other, sv[1]);
	CHECK(close(other) == 0);
	hear_end(sv[1]);
}

CASE(dup_of_an_unmarked_descriptor_at_a_marked_number)
{
	int sv[2], ends[2];
	CHECK(pipe(ends) == 0);
	pair_open(sv, 0);
	CHECK(close(sv[0]) == 0);
	CHECK_EQ(dup(ends[1]), sv[0]);
	say(sv[0], "pipe");
	hear(ends[0], "pipe");
	hear_end(sv[1]);
}

CASE(dup2_marked_onto_marked)
{
	int a[2], b[2];
	pair_open(a, 0);
	pair_open(b, 0);
	say(b[0], "before");
	CHECK_EQ(dup2(a[0], b[0]), b[0]);
	hear(b[1], "before");
	hear_end(b[1]);
	is_the_same_end(b[0], a[1]);
	is_the_same_end(a[0], a[1]);
}

CASE(dup2_marked_onto_unmarked)
{
	int sv[2], ends[2];
	pair_open(sv, 0);
	CHECK(pipe(ends) == 0);
	CHECK_EQ(dup2(sv[0], ends[1]), ends[1]);
	hear_end(ends[0]);
	is_the_same_end(ends[1], sv[1]);
}

CASE(dup2_unmarked_onto_marked)
{
	int sv[2], ends[2];
	pair_open(sv, 0);
	CHECK(pipe(ends) == 0);
	say(sv[0], "before");
	CHECK_EQ(dup2(ends[1], sv[0]), sv[0]);
	hear(sv[1], "before");
	hear_end(sv[1]);
	say(sv[0], "pipe");
	hear(ends[0], "pipe");
	CHECK_FAILS(send(sv[0], "x", 1, 0), ENOTSOCK);
}

CASE(dup2_unmarked_onto_unmarked)
{
	int a[2], b[2], sv[2];
	pair_open(sv, 0);
	CHECK(pipe(a) == 0 && pipe(b) == 0);
	CHECK_EQ(dup2(a[1], b[1]), b[1]);
	say(b[1], "pipe");
	hear(a[0], "pipe");
	hear_end(b[0]);
	is_the_same_end(sv[0], sv[1]);
}

CASE(dup2_onto_a_free_number)
{
	int sv[2];
	pair_open(sv, 0);
	CHECK_EQ(dup2(sv[0], 100), 100);
	is_the_same_end(100, sv[1]);
	CHECK_EQ(dup2(sv[0], 1000), 1000);
	is_the_same_end(1000, sv[1]);
	CHECK(close(sv[0]) == 0 && close(100) == 0);
	is_the_same_end(1000, sv[1]);
}

CASE(dup2_onto_itself)
{
	int sv[2];
	pair_open(sv, SOCK_CLOEXEC);
	CHECK_EQ(dup2(sv[0], sv[0]), sv[0]);
	CHECK_EQ(fcntl(sv[0], F_GETFD), FD_CLOEXEC);
	is_the_same_end(sv[0], sv[1]);
	CHECK_FAILS(dup3(sv[0], sv[0], 0), EINVAL);
	is_the_same_end(sv[0], sv[1]);
	CHECK(close(sv[0]) == 0);
	CHECK_FAILS(dup2(sv[0], sv[0]), EBADF);
	hear_end(sv[1]);
}

CASE(dup2_of_one_end_onto_the_other)
{
	int sv[2];
	pair_open(sv, 0);
	int spare = dup(sv[1]);
	CHECK_EQ(dup2(sv[0], sv[1]), sv[1]);
	is_the_same_end(sv[1], spare);
	CHECK(close(spare) == 0);
	hear_end(sv[0]);
	hear_end(sv[1]);
}

CASE(a_failed_dup2_changes_nothing)
{
	int sv[2];
	pair_open(sv, 0);
	CHECK_FAILS(dup2(-1, sv[0]), EBADF);
	CHECK_FAILS(dup2(500, sv[0]), EBADF);
	CHECK_FAILS(dup2(sv[0], -1), EBADF);
	CHECK_FAILS(dup3(sv[0], 100, 0x1), EINVAL);
	CHECK_FAILS(dup3(500, sv[0], O_CLOEXEC), EBADF);
	is_the_same_end(sv[0], sv[1]);
}

CASE(dup3_sets_close_on_exec)
{
	int a[2], b[2], ends[2];
	pair_open(a, 0);
	pair_open(b, 0);
	CHECK(pipe(ends) == 0);
	CHECK_EQ(dup3(a[0], b[0], O_CLOEXEC), b[0]);
	CHECK_EQ(fcntl(b[0], F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(a[0], F_GETFD), 0);
	is_the_same_end(b[0], a[1]);
	hear_end(b[1]);
	CHECK_EQ(dup3(a[0], ends[1], 0), ends[1]);
	is_the_same_end(ends[1], a[1]);
	CHECK_EQ(dup3(ends[0], a[0], 0), a[0]);
	hear_end(a[0]);
}

CASE(fcntl_duplicates)
{
	int sv[2];
	fill_gaps();
	pair_open(sv, 0);
	int low = fcntl(sv[0], F_DUPFD, 0);
	CHECK_EQ(low, sv[1] + 1);
	CHECK_EQ(fcntl(sv[0], F_DUPFD, 300), 300);
	CHECK_EQ(fcntl(sv[0], F_DUPFD, 300), 301);
	CHECK_EQ(fcntl(sv[0], F_DUPFD_CLOEXEC, 300), 302);
	CHECK_EQ(fcntl(301, F_GETFD), 0);
	CHECK_EQ(fcntl(302, F_GETFD), FD_CLOEXEC);
	is_the_same_end(low, sv[1]);
	is_the_same_end(301, sv[1]);
	is_the_same_end(302, sv[1]);
	CHECK_EQ(syscall(SYS_fcntl, sv[0], F_DUPFD, 300), 303);
	is_the_same_end(303, sv[1]);
	CHECK_FAILS(fcntl(sv[0], F_DUPFD, -1), EINVAL);
}

CASE(raw_duplicates)
{
	int sv[2];
	fill_gaps();
	pair_open(sv, 0);
	CHECK_EQ(syscall(SYS_dup, sv[0]), sv[1] + 1);
	is_the_same_end(sv[1] + 1, sv[1]);
	CHECK_EQ(syscall(SYS_dup2, sv[0], 100), 100);
	is_the_same_end(100, sv[1]);
	CHECK_EQ(syscall(SYS_dup3, sv[0], 101, O_CLOEXEC), 101);
	is_the_same_end(101, sv[1]);
	CHECK_EQ(syscall(SYS_close, 101), 0);
	CHECK_FAILS(write(101, "x", 1), EBADF);
	is_the_same_end(100, sv[1]);
}

CASE(flags_are_shared_by_duplicates)
{
	char byte;
	int sv[2];
	pair_open(sv, 0);
	int other = dup(sv[1]);
	CHECK(fcntl(other, F_SETFL, O_NONBLOCK) == 0);
	CHECK_FAILS(read(sv[1], &byte, 1), EAGAIN);
	CHECK(fcntl(other, F_SETFD, FD_CLOEXEC) == 0);
	CHECK_EQ(fcntl(sv[1], F_GETFD), 0);
}

CASE(swapping_two_marked_descriptors)
{
	int a[2], b[2];
	pair_open(a, 0);
	pair_open(b, 0);
	for (int i = 0; i < 5; i++) {
		int spare = dup(a[0]);
		CHECK_EQ(dup2(b[0], a[0]), a[0]);
		CHECK_EQ(dup2(spare, b[0]), b[0]);
		CHECK(close(spare) == 0);
		is_the_same_end(a[0], i & 1 ? a[1] : b[1]);
		is_the_same_end(b[0], i & 1 ? b[1] : a[1]);
	}
}

CASE(saving_and_restoring_standard_output)
{
	int sv[2];
	fflush(stdout);
	int saved = dup(1);
	CHECK(saved >= 0);
	pair_open(sv, 0);
	CHECK_EQ(dup2(sv[0], 1), 1);
	CHECK(close(sv[0]) == 0);
	say(1, "abc");
	hear(sv[1], "abc");
	CHECK_EQ(dup2(saved, 1), 1);
	CHECK(close(saved) == 0);
	hear_end(sv[1]);
	CHECK_EQ(write(1, "", 0), 0);
}

CASE(many_duplicates)
{
	int sv[2], fds[100];
	pair_open(sv, 0);
	for (int i = 0; i < 100; i++)
		fds[i] = dup(sv[0]);
	CHECK(close(sv[0]) == 0);
	for (int i = 0; i < 100; i++) {
		is_the_same_end(fds[i], sv[1]);
		CHECK(close(fds[i]) == 0);
	}
	hear_end(sv[1]);
}

/* A thread waits on a number that another thread replaces: it keeps what it had. */
static void *read_text(void *argument)
{
	static char buffer[8];
	ssize_t n = read(*(int *)argument, buffer, sizeof(buffer));
	return (void *)n;
}

CASE(dup2_under_a_waiting_reader)
{
	int sv[2], b[2];
	struct worker w;
	pair_open(sv, 0);
	pair_open(b, 0);
	int fd = dup(sv[1]);
	worker_start(&w, read_text, &fd);
	wait_until_asleep(w.tid);
	CHECK_EQ(dup2(b[1], fd), fd);
	say(b[0], "other");
	say(sv[0], "abc");
	ssize_t n = (ssize_t)worker_join(&w);
	CHECK_EQ(n, 3);
	hear(b[1], "other");
}

CHECK_MAIN
