/*
 * One workload over socketpairs, with nothing but libc calls, so that the same binary measures the
 * kernel's sockets and, preloaded, weir's pipes.
 *
 *	sockets WORKLOAD COUNT [ARG...]
 *
 * prints "OPERATIONS NANOSECONDS". The workloads are the table at the end of this file.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_BYTES 65536
#define MESSAGE_BYTES 64
#define LOOP_PAIRS 8

struct request {
	long count;
	size_t bytes;
	bool processes;
	int cpus;
	const char *flavour;
};

/* What is written: words, so that a rule that looks for one has something to look at. */
static const char words[] = "It was the best of times, it was the worst of times, it was the age of "
			    "wisdom, it was the age of foolishness, it was the epoch of belief, it was "
			    "the epoch of incredulity, it was the season of Light, ";
static char sent[BUFFER_BYTES];
extern char **environ;

static void fail(const char *what)
{
	fprintf(stderr, "sockets: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void fill_sent(void)
{
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = words[i % (sizeof(words) - 1)];
}

static void make_pair(int fds[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
		fail("socketpair");
}

static void write_all(int fd, const char *bytes, size_t count)
{
	while (count > 0) {
		ssize_t n = write(fd, bytes, count);

		if (n < 0 && errno == EINTR)
			continue;               /* as often as a run injects it */
		if (n < 0)
			fail("write");
		bytes += n;
		count -= (size_t)n;
	}
}

static void read_all(int fd, char *bytes, size_t count)
{
	while (count > 0) {
		ssize_t n = read(fd, bytes, count);

		if (n <= 0)
			fail("read");
		bytes += n;
		count -= (size_t)n;
	}
}

/* Pins the calling thread to the n-th CPU that this program may use. */
static void pin(int n)
{
	cpu_set_t allowed;
	cpu_set_t one;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		fail("sched_getaffinity");
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || n-- > 0)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one) != 0)
			fail("sched_setaffinity");
		return;
	}
	fprintf(stderr, "sockets: this needs two CPUs\n");
	exit(1);
}

/* ---- one thread ---- */

static long long write_read(const struct request *r)
{
	static char got[BUFFER_BYTES];
	int fds[2];
	long long start;

	make_pair(fds);
	start = now_ns();
	for (long i = 0; i < r->count; i++) {
		write_all(fds[0], sent, r->bytes);
		read_all(fds[1], got, r->bytes);
	}
	return now_ns() - start;
}

static long long create(const struct request *r)
{
	int fds[2];
	long long start = now_ns();

	for (long i = 0; i < r->count; i++) {
		make_pair(fds);
		close(fds[0]);
		close(fds[1]);
	}
	return now_ns() - start;
}

/* Opens a pair of descriptors that weir must leave alone: fds[0] to read from, fds[1] to write to. */
static void open_unmarked(const char *flavour, int fds[2])
{
	if (strcmp(flavour, "pipe") == 0) {
		if (pipe(fds) != 0)
			fail("pipe");
		return;
	}
	fds[0] = open("/dev/zero", O_RDONLY);
	fds[1] = open("/dev/null", O_WRONLY);
	if (fds[0] < 0 || fds[1] < 0)
		fail("open");
}

static long long unmarked(const struct request *r)
{
	char got[MESSAGE_BYTES];
	int fds[2];
	long long start;

	open_unmarked(r->flavour, fds);
	start = now_ns();
	for (long i = 0; i < r->count; i++) {
		write_all(fds[1], sent, sizeof(got));
		read_all(fds[0], got, sizeof(got));
	}
	return now_ns() - start;
}

static long long start_up(const struct request *r)
{
	char name[] = "sockets";
	char nothing[] = "nothing";
	char *argv[] = { name, nothing, NULL };
	long long start = now_ns();

	for (long i = 0; i < r->count; i++) {
		pid_t child;
		int status;

		errno = posix_spawn(&child, "/proc/self/exe", NULL, NULL, argv, environ);
		if (errno != 0)
			fail("posix_spawn");
		if (waitpid(child, &status, 0) != child || status != 0)
			fail("child");
	}
	return now_ns() - start;
}

/* ---- waiting loops in one thread ---- */

static void make_pairs(int pairs[LOOP_PAIRS][2])
{
	for (int i = 0; i < LOOP_PAIRS; i++) {
		make_pair(pairs[i]);
		fcntl(pairs[i][1], F_SETFL, O_NONBLOCK);
	}
}

static void drain(int fd)
{
	char got[MESSAGE_BYTES];

	while (read(fd, got, sizeof(got)) > 0)
		continue;
	if (errno != EAGAIN)
		fail("read");
}

static long long epoll_loop(const struct request *r)
{
	bool edge = strcmp(r->flavour, "edge") == 0;
	char got[MESSAGE_BYTES];
	int pairs[LOOP_PAIRS][2];
	int epoll = epoll_create1(0);
	long long start;

	make_pairs(pairs);
	for (int i = 0; i < LOOP_PAIRS; i++) {
		struct epoll_event event = { .events = EPOLLIN | (edge ? EPOLLET : 0), .data.fd = pairs[i][1] };

		if (epoll_ctl(epoll, EPOLL_CTL_ADD, pairs[i][1], &event) != 0)
			fail("epoll_ctl");
	}
	start = now_ns();
	for (long i = 0; i < r->count; i++) {
		struct epoll_event event;

		write_all(pairs[i % LOOP_PAIRS][0], sent, MESSAGE_BYTES);
		if (epoll_wait(epoll, &event, 1, -1) != 1)
			fail("epoll_wait");
		if (edge)
			drain(event.data.fd);
		else
			read_all(event.data.fd, got, sizeof(got));
	}
	return now_ns() - start;
}

static int ready_one(const struct pollfd *polled)
{
	for (int i = 0; i < LOOP_PAIRS; i++) {
		if (polled[i].revents & POLLIN)
			return polled[i].fd;
	}
	fail("poll");
	return -1;
}

static long long poll_loop(const struct request *r)
{
	char got[MESSAGE_BYTES];
	int pairs[LOOP_PAIRS][2];
	struct pollfd polled[LOOP_PAIRS];
	long long start;

	make_pairs(pairs);
	for (int i = 0; i < LOOP_PAIRS; i++)
		polled[i] = (struct pollfd){ .fd = pairs[i][1], .events = POLLIN };
	start = now_ns();
	for (long i = 0; i < r->count; i++) {
		write_all(pairs[i % LOOP_PAIRS][0], sent, MESSAGE_BYTES);
		if (poll(polled, LOOP_PAIRS, -1) != 1)
			fail("poll");
		read_all(ready_one(polled), got, sizeof(got));
	}
	return now_ns() - start;
}

/* ---- two threads or two processes ---- */

struct peer {
	const struct request *request;
	int fd;
	void (*play)(int fd, const struct request *r);
};

/* The peer says that it runs with one byte, so that its creation is not measured. */
static void *run_peer(void *argument)
{
	const struct peer *peer = argument;

	pin(peer->request->cpus - 1);
	write_all(peer->fd, sent, 1);
	peer->play(peer->fd, peer->request);
	return NULL;
}

static void start_process(struct peer *peer, int other)
{
	pid_t child = fork();

	if (child < 0)
		fail("fork");
	if (child > 0) {
		close(peer->fd);
		return;
	}
	close(other);
	run_peer(peer);
	_exit(0);
}

static void start_thread(struct peer *peer)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, run_peer, peer);
	if (errno != 0)
		fail("pthread_create");
	pthread_detach(thread);
}

/* Starts `play` on the other side of a new pair and returns this side, both pinned and running. */
static int start_peer(const struct request *r, void (*play)(int, const struct request *))
{
	static struct peer peer;
	char ready;
	int fds[2];

	make_pair(fds);
	peer = (struct peer){ .request = r, .fd = fds[1], .play = play };
	if (r->processes)
		start_process(&peer, fds[0]);
	else
		start_thread(&peer);
	pin(0);
	read_all(fds[0], &ready, 1);
	return fds[0];
}

static void echo(int fd, const struct request *r)
{
	char message[MESSAGE_BYTES];

	for (long i = 0; i < r->count; i++) {
		read_all(fd, message, sizeof(message));
		write_all(fd, message, sizeof(message));
	}
}

static long long ping_pong(const struct request *r)
{
	char got[MESSAGE_BYTES];
	int fd = start_peer(r, echo);
	long long start = now_ns();

	for (long i = 0; i < r->count; i++) {
		write_all(fd, sent, sizeof(got));
		read_all(fd, got, sizeof(got));
	}
	return now_ns() - start;
}

static void swallow(int fd, const struct request *r)
{
	static char got[BUFFER_BYTES];
	size_t left = (size_t)r->count * r->bytes;

	while (left > 0) {
		ssize_t n = read(fd, got, sizeof(got));

		if (n <= 0)
			fail("read");
		left -= (size_t)n;
	}
	write_all(fd, sent, 1);
}

static long long stream(const struct request *r)
{
	int fd = start_peer(r, swallow);
	char done;
	long long start = now_ns();

	for (long i = 0; i < r->count; i++)
		write_all(fd, sent, r->bytes);
	read_all(fd, &done, 1);
	return now_ns() - start;
}

/* ---- the table ---- */

enum arguments { BYTES, FLAVOUR, PEERS, BYTES_PEERS, NONE };

static const struct workload {
	const char *name;
	enum arguments arguments;
	long long (*run)(const struct request *r);
	const char *usage;
} workloads[] = {
	{ "write-read", BYTES, write_read, "BYTES" },
	{ "ping-pong", PEERS, ping_pong, "threads|processes CPUS" },
	{ "stream", BYTES_PEERS, stream, "BYTES threads|processes CPUS" },
	{ "epoll", FLAVOUR, epoll_loop, "level|edge" },
	{ "poll", NONE, poll_loop, "" },
	{ "create", NONE, create, "" },
	{ "unmarked", FLAVOUR, unmarked, "null-zero|pipe" },
	{ "start-up", NONE, start_up, "" },
};

#define WORKLOADS (sizeof(workloads) / sizeof(workloads[0]))

static void usage(void)
{
	for (size_t i = 0; i < WORKLOADS; i++)
		fprintf(stderr, "usage: sockets %s COUNT %s\n", workloads[i].name, workloads[i].usage);
	exit(2);
}

static const char *next(char ***args)
{
	if (**args == NULL)
		usage();
	return *(*args)++;
}

static long number(const char *text, long max)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*end != '\0' || n < 1 || n > max)
		usage();
	return n;
}

static struct request parse(const struct workload *w, char **args)
{
	struct request r = { .count = number(next(&args), 1000000000) };

	if (w->arguments == BYTES || w->arguments == BYTES_PEERS)
		r.bytes = (size_t)number(next(&args), BUFFER_BYTES);
	if (w->arguments == FLAVOUR)
		r.flavour = next(&args);
	if (w->arguments == PEERS || w->arguments == BYTES_PEERS) {
		r.processes = strcmp(next(&args), "processes") == 0;
		r.cpus = (int)number(next(&args), 2);
	}
	return r;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "nothing") == 0)
		return 0;
	if (argc < 3)
		usage();
	for (size_t i = 0; i < WORKLOADS; i++) {
		if (strcmp(argv[1], workloads[i].name) != 0)
			continue;
		struct request r = parse(&workloads[i], argv + 2);

		fill_sent();
		char result[64];
		int length = snprintf(result, sizeof(result), "%ld %lld\n", r.count, workloads[i].run(&r));

		write_all(STDOUT_FILENO, result, (size_t)length); /* a run may inject errors here, too */
		return 0;
	}
	usage();
}
