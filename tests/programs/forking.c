/* Pairs shared through fork, and what the death of a process leaves. */
#include "check.h"

CASE(parent_and_child_talk)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		CHECK(close(sv[0]) == 0);
		for (int i = 0; i < 300; i++) {
			hear(sv[1], "question");
			say(sv[1], "answer");
		}
		_exit(0);
	}
	CHECK(close(sv[1]) == 0);
	for (int i = 0; i < 300; i++) {
		say(sv[0], "question");
		hear(sv[0], "answer");
	}
	child_join(pid);
	hear_end(sv[0]);
}

CASE(data_written_before_the_fork)
{
	int sv[2];
	pair_open(sv, 0);
	say(sv[0], "before");
	pid_t pid = child_start();
	if (pid == 0) {
		hear(sv[1], "before");
		say(sv[1], "from the child");
		_exit(0);
	}
	hear(sv[0], "from the child");
	child_join(pid);
	hear_nothing(sv[1]);
}

CASE(a_second_level)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		pid_t grandchild = child_start();
		if (grandchild == 0) {
			CHECK(close(sv[0]) == 0);
			hear(sv[1], "to the grandchild");
			say(sv[1], "from the grandchild");
			_exit(0);
		}
		CHECK(close(sv[0]) == 0 && close(sv[1]) == 0);
		child_join(grandchild);
		_exit(0);
	}
	CHECK(close(sv[1]) == 0);
	say(sv[0], "to the grandchild");
	hear(sv[0], "from the grandchild");
	child_join(pid);
	hear_end(sv[0]);
}

CASE(the_child_outlives_its_parent)
{
	int sv[2], own[2];
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	pair_open(sv, 0);
	CHECK(pipe(own) == 0);
	pid_t pid = child_start();
	if (pid == 0) {
		pid_t grandchild = child_start();
		if (grandchild == 0) {
			CHECK(close(sv[0]) == 0);
			hear(sv[1], "still there?");
			say(sv[1], "yes");
			_exit(0);
		}
		CHECK_EQ(write(own[1], &grandchild, sizeof(grandchild)), sizeof(grandchild));
		_exit(0);
	}
	CHECK(close(sv[1]) == 0);
	pid_t grandchild;
	CHECK_EQ(read(own[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
	child_join(pid);
	say(sv[0], "still there?");
	hear(sv[0], "yes");
	child_join(grandchild);
	hear_end(sv[0]);
}

/* One stream, read by the parent and the child in turn. */
CASE(two_processes_share_an_end)
{
	int sv[2];
	pair_open(sv, 0);
	say(sv[0], "abcdef");
	pid_t pid = child_start();
	if (pid == 0) {
		hear(sv[1], "abc");
		_exit(0);
	}
	child_join(pid);
	hear(sv[1], "def");
	pid = child_start();
	if (pid == 0) {
		say(sv[0], "123");
		_exit(0);
	}
	child_join(pid);
	say(sv[0], "456");
	hear(sv[1], "123456");
}

CASE(an_exit_is_an_end)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		CHECK(close(sv[0]) == 0);
		say(sv[1], "last words");
		_exit(0);
	}
	CHECK(close(sv[1]) == 0);
	hear(sv[0], "last words");
	hear_end(sv[0]);
	CHECK_FAILS(send(sv[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	child_join(pid);
}

/* As long as the parent holds that end too, nothing ends. */
CASE(an_exit_is_no_end_while_another_holds_it)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		say(sv[1], "abc");
		_exit(0);
	}
	child_join(pid);
	hear(sv[0], "abc");
	hear_nothing(sv[0]);
	say(sv[0], "def");
	hear(sv[1], "def");
	CHECK(close(sv[1]) == 0);
	hear_end(sv[0]);
}

static pid_t child_that_holds(int keep, int drop)
{
	int ready[2];
	CHECK(pipe(ready) == 0);
	pid_t pid = child_start();
	if (pid == 0) {
		CHECK(close(drop) == 0);
		say(ready[1], "r");
		for (;;)
			pause();
	}
	CHECK(close(keep) == 0);
	hear(ready[0], "r");
	CHECK(close(ready[0]) == 0 && close(ready[1]) == 0);
	return pid;
}

CASE(a_killed_child_is_an_end)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = child_that_holds(sv[1], sv[0]);
	hear_nothing(sv[0]);
	child_kill(pid);
	hear_end(sv[0]);
	CHECK_FAILS(send(sv[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_FAILS(send(sv[0], "x", 1, MSG_NOSIGNAL), EPIPE);
}

CASE(a_killed_child_breaks_the_pipe_at_once)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = child_that_holds(sv[1], sv[0]);
	child_kill(pid);
	CHECK_FAILS(send(sv[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	hear_end(sv[0]);
}

/* Nobody waited for the child yet: only the kernel knows that it is gone. */
CASE(a_killed_child_nobody_waited_for)
{
	int sv[2];
	signal(SIGPIPE, SIG_IGN);
	pair_open(sv, 0);
	pid_t pid = child_that_holds(sv[1], sv[0]);
	CHECK(kill(pid, SIGKILL) == 0);
	hear_end(sv[0]);
	siginfo_t info;
	CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
	int sent = 0;
	while (write(sv[0], "x", 1) == 1)
		CHECK(++sent < 100000);
	CHECK_EQ(errno, EPIPE);
	child_status(pid);
}

/* No process that lives has ever read, and nobody tells the writer: it is not the
 * parent of who died. */
CASE(a_killed_sibling_breaks_the_pipe_at_once)
{
	int sv[2], told[2];
	char byte;
	pair_open(sv, 0);
	CHECK(pipe(told) == 0);
	pid_t holder = child_that_holds(sv[1], sv[0]);
	for (int i = 0; i < 8; i++)
		say(sv[0], "unheard");
	pid_t writer = child_start();
	if (writer == 0) {
		CHECK_EQ(read(told[0], &byte, 1), 1);
		CHECK_FAILS(send(sv[0], "x", 1, MSG_NOSIGNAL), EPIPE);
		CHECK_FAILS(recv(sv[0], &byte, 1, 0), ECONNRESET);
		_exit(0);
	}
	CHECK(close(sv[0]) == 0);
	child_kill(holder);
	say(told[1], "!");
	child_join(writer);
}

/* The writer sleeps in the middle of a long write. */
CASE(a_killed_sibling_ends_a_long_write)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t holder = child_that_holds(sv[1], sv[0]);
	pid_t writer = child_start();
	if (writer == 0) {
		static unsigned char much[4 << 20];
		ssize_t n = write(sv[0], much, sizeof(much));
		CHECK(n > 0 && n < (ssize_t)sizeof(much));
		CHECK_FAILS(send(sv[0], "x", 1, MSG_NOSIGNAL), EPIPE);
		_exit(0);
	}
	CHECK(close(sv[0]) == 0);
	wait_until_asleep(writer);
	child_kill(holder);
	child_join(writer);
}

CASE(a_killed_child_wakes_a_reader)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = child_that_holds(sv[1], sv[0]);
	pid_t killer = child_start();
	if (killer == 0) {
		CHECK(close(sv[0]) == 0);
		wait_until_asleep(getppid());
		CHECK(kill(pid, SIGKILL) == 0);
		_exit(0);
	}
	hear_end(sv[0]);
	child_join(killer);
	child_status(pid);
}

CASE(a_killed_reader_releases_a_writer)
{
	int sv[2];
	signal(SIGPIPE, SIG_IGN);
	pair_open(sv, 0);
	pid_t pid = child_that_holds(sv[1], sv[0]);
	fill(sv[0]);
	pid_t killer = child_start();
	if (killer == 0) {
		CHECK(close(sv[0]) == 0);
		wait_until_asleep(getppid());
		CHECK(kill(pid, SIGKILL) == 0);
		_exit(0);
	}
	ssize_t n = write(sv[0], "x", 1);
	CHECK(n == -1 && (errno == EPIPE || errno == ECONNRESET));
	CHECK_FAILS(write(sv[0], "x", 1), EPIPE);
	child_join(killer);
	child_status(pid);
}

/* What the child had not read is a reset for the parent, what it had is none. */
CASE(a_killed_child_with_unread_data)
{
	char byte;
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = child_that_holds(sv[1], sv[0]);
	say(sv[0], "never read");
	child_kill(pid);
	CHECK_FAILS(read(sv[0], &byte, 1), ECONNRESET);
	hear_end(sv[0]);
}

CASE(a_killed_child_that_read_everything)
{
	int sv[2], own[2];
	pair_open(sv, 0);
	CHECK(pipe(own) == 0);
	pid_t pid = child_start();
	if (pid == 0) {
		CHECK(close(sv[0]) == 0);
		for (int i = 0; i < 10; i++)
			hear(sv[1], "abc");
		say(own[1], "r");
		for (;;)
			pause();
	}
	CHECK(close(sv[1]) == 0);
	for (int i = 0; i < 10; i++)
		say(sv[0], "abc");
	hear(own[0], "r");
	child_kill(pid);
	hear_end(sv[0]);
	hear_end(sv[0]);
}

CASE(data_of_a_killed_child_is_kept)
{
	int sv[2], own[2];
	pair_open(sv, 0);
	CHECK(pipe(own) == 0);
	pid_t pid = child_start();
	if (pid == 0) {
		CHECK(close(sv[0]) == 0);
		size_t full = fill(sv[1]);
		CHECK_EQ(write(own[1], &full, sizeof(full)), sizeof(full));
		for (;;)
			pause();
	}
	size_t full;
	CHECK(close(sv[1]) == 0);
	CHECK_EQ(read(own[0], &full, sizeof(full)), sizeof(full));
	child_kill(pid);
	drain(sv[0], full, 0);
	hear_end(sv[0]);
}

/* Killed in the middle of writing: what arrived is a start of what was sent. */
CASE(killed_while_writing)
{
	for (int round = 0; round < 20; round++) {
		int sv[2];
		uint64_t total = 0;
		pair_open(sv, 0);
		pid_t pid = child_start();
		if (pid == 0) {
			static unsigned char bytes[10000];
			CHECK(close(sv[0]) == 0);
			for (uint64_t at = 0;; at += sizeof(bytes)) {
				pattern_make(bytes, sizeof(bytes), at);
				CHECK_EQ(write(sv[1], bytes, sizeof(bytes)), sizeof(bytes));
			}
		}
		CHECK(close(sv[1]) == 0);
		for (;;) {
			unsigned char bytes[3000];
			if (total > (uint64_t)round * 20000 && pid) {
				child_kill(pid);
				pid = 0;
			}
			ssize_t n = read(sv[0], bytes, sizeof(bytes));
			CHECK(n >= 0);
			if (n == 0)
				break;
			pattern_check(bytes, (size_t)n, total);
			total += (uint64_t)n;
		}
		CHECK(close(sv[0]) == 0);
	}
}

/* Killed in the middle of reading: whoever holds the end goes on behind it. */
CASE(killed_while_reading)
{
	for (int round = 0; round < 20; round++) {
		int sv[2];
		pair_open(sv, 0);
		pid_t pid = child_start();
		if (pid == 0) {
			char bytes[100];
			CHECK(close(sv[0]) == 0);
			for (;;)
				CHECK(read(sv[1], bytes, sizeof(bytes)) > 0);
		}
		for (int i = 0; i < round * 100; i++)
			CHECK(send(sv[0], "abc", 3, MSG_NOSIGNAL) == 3);
		child_kill(pid);
		char byte;
		while (recv(sv[1], &byte, 1, MSG_DONTWAIT) == 1)
			;
		say(sv[0], "still");
		hear(sv[1], "still");
		say(sv[1], "fine");
		hear(sv[0], "fine");
		CHECK(close(sv[0]) == 0 && close(sv[1]) == 0);
	}
}

CASE(a_killed_parent_is_an_end)
{
	int sv[2], own[2];
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	CHECK(pipe(own) == 0);
	pid_t parent = child_start();
	if (parent == 0) {
		pair_open(sv, 0);
		pid_t pid = child_start();
		if (pid == 0) {
			CHECK(close(sv[0]) == 0);
			hear(sv[1], "abc");
			hear_end(sv[1]);
			CHECK_FAILS(send(sv[1], "x", 1, MSG_NOSIGNAL), EPIPE);
			_exit(0);
		}
		CHECK(close(sv[1]) == 0);
		say(sv[0], "abc");
		CHECK_EQ(write(own[1], &pid, sizeof(pid)), sizeof(pid));
		for (;;)
			pause();
	}
	pid_t pid;
	CHECK_EQ(read(own[0], &pid, sizeof(pid)), sizeof(pid));
	wait_until_asleep(pid);
	child_kill(parent);
	child_join(pid);
}

CASE(a_pair_made_in_a_child)
{
	for (int i = 0; i < 5; i++) {
		pid_t pid = child_start();
		if (pid == 0) {
			int sv[2];
			pair_open(sv, 0);
			say(sv[0], "abc");
			hear(sv[1], "abc");
			_exit(0);
		}
		child_join(pid);
	}
}

/* Parent and child each close their copies in turn; numbers are reused. */
CASE(numbers_part_after_a_fork)
{
	int sv[2], ends[2];
	pair_open(sv, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		CHECK(close(sv[0]) == 0);
		CHECK(pipe(ends) == 0);
		CHECK_EQ(ends[0], sv[0]);
		say(ends[1], "pipe");
		hear(ends[0], "pipe");
		hear(sv[1], "socket");
		_exit(0);
	}
	say(sv[0], "socket");
	child_join(pid);
	say(sv[1], "back");
	hear(sv[0], "back");
}

static void *fork_and_talk(void *argument)
{
	(void)argument;
	for (int i = 0; i < 10; i++) {
		int sv[2];
		pair_open(sv, SOCK_CLOEXEC);
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			say(sv[1], "abc");
			_exit(0);
		}
		hear(sv[0], "abc");
		child_join(pid);
		CHECK(close(sv[0]) == 0 && close(sv[1]) == 0);
	}
	return NULL;
}

/* A fork in one thread while others hold whatever locks there are. */
CASE(forks_beside_busy_threads)
{
	struct worker w[3];
	for (int i = 0; i < 3; i++)
		worker_start(&w[i], fork_and_talk, NULL);
	for (int i = 0; i < 3; i++)
		worker_join(&w[i]);
}

static int stream_pair[2];
static volatile bool stream_done;

static void *stream_all_the_time(void *argument)
{
	(void)argument;
	while (!stream_done)
		say(stream_pair[0], "abc");
	CHECK(shutdown(stream_pair[0], SHUT_WR) == 0);
	return NULL;
}

static void *drain_all_the_time(void *argument)
{
	long total = 0;
	char buffer[100];
	ssize_t n;
	(void)argument;
	while ((n = read(stream_pair[1], buffer, sizeof(buffer))) > 0)
		total += n;
	CHECK_EQ(total % 3, 0);
	return NULL;
}

/* The pair that a child inherits may be in use by a thread at that moment. */
CASE(fork_while_threads_use_the_pair)
{
	struct worker in, out;
	pair_open(stream_pair, 0);
	worker_start(&in, drain_all_the_time, NULL);
	worker_start(&out, stream_all_the_time, NULL);
	for (int i = 0; i < 30; i++) {
		pid_t pid = child_start();
		if (pid == 0) {
			int sv[2];
			pair_open(sv, 0);
			say(sv[0], "abc");
			hear(sv[1], "abc");
			say(stream_pair[1], "x");
			_exit(0);
		}
		child_join(pid);
		hear(stream_pair[0], "x");
	}
	stream_done = true;
	worker_join(&out);
	worker_join(&in);
}

CASE(many_children_on_one_pair)
{
	enum { CHILDREN = 8, EACH = 2000 };
	int sv[2];
	pid_t pids[CHILDREN];
	long seen[CHILDREN] = {0};
	pair_open(sv, 0);
	for (int i = 0; i < CHILDREN; i++) {
		pids[i] = child_start();
		if (pids[i] == 0) {
			char byte = (char)i;
			for (int k = 0; k < EACH; k++)
				CHECK_EQ(write(sv[0], &byte, 1), 1);
			_exit(0);
		}
	}
	CHECK(close(sv[0]) == 0);
	for (;;) {
		char buffer[64];
		ssize_t n = read(sv[1], buffer, sizeof(buffer));
		CHECK(n >= 0);
		if (n == 0)
			break;
		for (ssize_t k = 0; k < n; k++)
			seen[(int)buffer[k]]++;
	}
	for (int i = 0; i < CHILDREN; i++) {
		child_join(pids[i]);
		CHECK_EQ(seen[i], EACH);
	}
}

CASE(vfork_leaves_the_parents_pairs_alone)
{
	int sv[2];
	pair_open(sv, 0);
	say(sv[0], "abc");
	pid_t pid = vfork();
	if (pid == 0)
		_exit(7);
	int status = child_status(pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	hear(sv[1], "abc");
	say(sv[1], "def");
	hear(sv[0], "def");
}

CHECK_MAIN
