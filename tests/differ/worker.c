#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stage.h"
#include "weir.h"

enum { FRAMES_SIZE = 1 << 20 };

/* What the one that serves says first. */
struct hello {
	int pid;
	int carried;
};

/* Before each program. */
struct order {
	uint32_t size;
	uint32_t way;
};

static void die(const char *what)
{
	fprintf(stderr, "differ: %s: %s\n", what, strerrorname_np(errno));
	exit(3);
}

static int ms_until(const struct timespec *end)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	long ms = (end->tv_sec - now.tv_sec) * 1000 + (end->tv_nsec - now.tv_nsec) / 1000000;
	return ms > 0 ? (int)ms : 0;
}

static bool read_all(int fd, void *into, size_t n, const struct timespec *end)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	while (n > 0) {
		if (end && poll(&p, 1, ms_until(end)) <= 0)
			return false;
		ssize_t got = read(fd, into, n);
		if (got <= 0)
			return false;
		into = (char *)into + got;
		n -= (size_t)got;
	}
	return true;
}

static bool write_all(int fd, const void *from, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, from, n);
		if (done <= 0)
			return false;
		from = (const char *)from + done;
		n -= (size_t)done;
	}
	return true;
}

static struct timespec in_ms(int ms)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += ms / 1000 + (end.tv_nsec + ms % 1000 * 1000000L) / 1000000000;
	end.tv_nsec = (end.tv_nsec + ms % 1000 * 1000000L) % 1000000000;
	return end;
}

static void start(struct worker *w)
{
	int in[2], out[2];
	struct timespec end = in_ms(ANSWER_MS_MAX);
	struct hello hello;

	if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
		die("pipe");
	fcntl(in[1], F_SETPIPE_SZ, FRAMES_SIZE);
	fcntl(out[1], F_SETPIPE_SZ, FRAMES_SIZE);
	w->pid = fork();
	if (w->pid < 0)
		die("fork");
	if (w->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		execv(w->argv[0], w->argv);
		die(w->argv[0]);
	}
	close(in[0]);
	close(out[1]);
	w->in = in[1];
	w->out = out[0];
	if (!read_all(w->out, &hello, sizeof(hello), &end)) {
		fprintf(stderr, "differ: %s does not start\n", w->argv[0]);
		exit(3);
	}
	w->inner = hello.pid;
	if ((hello.carried != 0) != w->carried) {
		fprintf(stderr, "differ: the pairs of %s are %scarried by weir\n", w->argv[0],
		        hello.carried ? "" : "not ");
		exit(3);
	}
}

void worker_end(struct worker *w)
{
	if (!w->pid)
		return;
	close(w->in);
	close(w->out);
	kill(-w->inner, SIGKILL); /* and what its programs have forked */
	waitpid(w->pid, NULL, 0);
	w->pid = 0;
}

void worker_give(struct worker *w, const char *text, size_t length, unsigned int way)
{
	struct order order = {(uint32_t)length, way};

	if (!w->pid)
		start(w);
	if (!write_all(w->in, &order, sizeof(order)) || !write_all(w->in, text, length)) {
		worker_end(w);
	}
}

bool worker_answer(struct worker *w, char *trace, size_t size, int ms_max)
{
	struct timespec end = in_ms(ms_max);
	uint32_t length;
	struct pollfd p = {.fd = w->out, .events = POLLIN};

	if (w->pid && read_all(w->out, &length, sizeof(length), &end) && length < size &&
	    read_all(w->out, trace, length, &end)) {
		trace[length] = '\0';
		return true;
	}
	/* An end is there to be read; a hang is not. */
	bool ended = !w->pid || poll(&p, 1, 0) != 0;
	worker_end(w);
	snprintf(trace, size, "%s\n", ended ? "died" : "hangs");
	return false;
}

/* ---- the other side ---- */

/* Does weir carry the pairs of this process? */
static int is_carried(void)
{
	int sv[2], carried;
	struct weir_pair_info pair;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) != 0)
		die("socketpair");
	carried = weir_active() && weir_pair(sv[0], &pair) == 0;
	close(sv[0]);
	close(sv[1]);
	return carried;
}

int worker_serve(void)
{
	static char text[TEXT_MAX], trace[TRACE_MAX];
	static struct program program;
	struct order order;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	stage_open();
	struct hello hello = {getpid(), is_carried()};
	if (!write_all(STDOUT_FILENO, &hello, sizeof(hello)))
		return 1;
	while (read_all(STDIN_FILENO, &order, sizeof(order), NULL)) {
		if (order.size >= sizeof(text) || !read_all(STDIN_FILENO, text, order.size, NULL))
			return 1;
		text[order.size] = '\0';
		int wrong = program_parse(&program, text);
		if (wrong) {
			fprintf(stderr, "differ: line %d is no call\n", wrong);
			return 1;
		}
		uint32_t size = (uint32_t)stage_run(&program, order.way, trace, sizeof(trace));
		if (!write_all(STDOUT_FILENO, &size, sizeof(size)) ||
		    !write_all(STDOUT_FILENO, trace, size))
			return 1;
	}
	return 0;
}
