/* Processes, or threads, that wait in socketpairs: what `weir ctl` and the deadlock
 * tests look at.
 *
 *	waiting [PAIRS] [threads] [hold] / STEP... [/ STEP...]...
 *	STEP    [PAIR]END.CALL[:ARGUMENT] | CALL[:ARGUMENT]
 *
 * Each list of steps is a child process of its own, or with `threads` a thread; the
 * first process waits for them, with `hold` without closing its descriptors. A single
 * list is run by the first process itself. PAIR is 1 to 9 (1), END a or b. Each step
 * prints a line when it begins, and what it gave: a count, the name of an errno, or
 * the events that came.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAIRS = 9, SIZE = 1 << 20, SECONDS_MAX = 100 };

static int ends[PAIRS][2];
static int pairs = 1;
static bool threads, holds;
static char *const *lists[PAIRS];   /* of steps; each ends at a "/" or NULL */
static int list_count;

/* ---- calls: each gives a count, or -1 and errno ---- */

typedef long call(int *fd, long n);

static char buffer[SIZE];           /* nobody looks at the bytes */

static long c_read(int *fd, long n) { return read(*fd, buffer, (size_t)n); }
static long c_write(int *fd, long n) { return write(*fd, buffer, (size_t)n); }
static long c_waitall(int *fd, long n) { return recv(*fd, buffer, (size_t)n, MSG_WAITALL); }
static long c_readnow(int *fd, long n) { return recv(*fd, buffer, (size_t)n, MSG_DONTWAIT); }
static long c_close(int *fd, long n) { return (void)n, close(*fd); }

static long c_fill(int *fd, long n)
{
	long total = 0;

	while ((n = send(*fd, buffer, 100, MSG_DONTWAIT)) > 0)
		total += n;
	return total;
}

/* Freely, until something ends it. */
static long c_source(int *fd, long n)
{
	while (n > 0)
		n = write(*fd, buffer, 100);
	return n;
}

static long c_sink(int *fd, long n)
{
	while (n > 0)
		n = read(*fd, buffer, 100);
	return n;
}

static long set_timeout(int fd, int option, long ms)
{
	struct timeval t = {ms / 1000, ms % 1000 * 1000};

	return setsockopt(fd, SOL_SOCKET, option, &t, sizeof(t));
}
static long c_rcvtimeo(int *fd, long n) { return set_timeout(*fd, SO_RCVTIMEO, n); }
static long c_sndtimeo(int *fd, long n) { return set_timeout(*fd, SO_SNDTIMEO, n); }

/* To another number; something else gets the one that it had. */
static long c_move(int *fd, long n)
{
	int old = *fd;

	*fd = fcntl(old, F_DUPFD, n);
	close(old);
	return open("/dev/null", O_RDWR) == old ? 0 : -1;
}

static long c_nondumpable(int *fd, long n)
{
	(void)fd;
	(void)n;
	return prctl(PR_SET_DUMPABLE, 0);
}

static void on_alarm(int signal) { (void)signal; }

/* The handler is what moves the program on. */
static long c_alarm(int *fd, long n)
{
	struct sigaction action = {.sa_handler = on_alarm};

	(void)fd;
	sigaction(SIGALRM, &action, NULL);
	return (long)alarm((unsigned int)n);
}

static long c_sleep(int *fd, long n)
{
	(void)fd;
	return usleep((useconds_t)n * 1000);
}

static long c_exit(int *fd, long n)
{
	(void)fd;
	_exit((int)n);
}

/* A process that sleeps for good beside this one, with all its descriptors. */
static long c_fork(int *fd, long n)
{
	(void)fd;
	(void)n;
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
	}
	return pid > 0 ? 0 : -1;
}

static const struct {
	const char *name;
	call *run;
} calls[] = {
	{"read", c_read}, {"write", c_write}, {"waitall", c_waitall}, {"readnow", c_readnow},
	{"fill", c_fill}, {"source", c_source}, {"sink", c_sink}, {"close", c_close},
	{"rcvtimeo", c_rcvtimeo}, {"sndtimeo", c_sndtimeo}, {"move", c_move},
	{"nondumpable", c_nondumpable}, {"alarm", c_alarm}, {"sleep", c_sleep},
	{"exit", c_exit}, {"fork", c_fork},
};

/* ---- waiting for events, as long as it takes ---- */

static void name_events(unsigned int events, char text[64])
{
	static const struct { unsigned int bit; const char *name; } names[] = {
		{POLLIN, "IN"}, {POLLOUT, "OUT"}, {POLLRDHUP, "RDHUP"}, {POLLHUP, "HUP"},
		{POLLERR, "ERR"}};

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (events & names[i].bit)
			strcat(strcat(text, text[0] ? "," : ""), names[i].name);
}

static unsigned int wanted(const char *what)
{
	return (strstr(what, "in") ? POLLIN : 0U) | (strstr(what, "out") ? POLLOUT : 0U);
}

static void wait_by_poll(int fd, const char *what, char text[64])
{
	struct pollfd p = {.fd = fd, .events = (short)wanted(what)};

	poll(&p, 1, -1);
	name_events((unsigned int)p.revents, text);
}

/* Edges: the one that comes with the entry is not waited for. */
static void wait_by_epoll(int fd, const char *what, bool edges, char text[64])
{
	struct epoll_event event = {.events = wanted(what) | (edges ? EPOLLET : 0U)}, got;
	int epfd = epoll_create1(EPOLL_CLOEXEC);

	epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event);
	if (edges)
		epoll_wait(epfd, &got, 1, 0);
	got.events = 0;
	epoll_wait(epfd, &got, 1, -1);
	close(epfd);
	name_events(got.events, text);
}

/* ---- steps ---- */

/* "1a,2b": all others are closed here. */
static long keep_only(const char *names)
{
	for (int i = 0; i < pairs; i++)
		for (int side = 0; side < 2; side++) {
			char name[] = {(char)('1' + i), side ? 'b' : 'a', '\0'};
			if (!strstr(names, name))
				close(ends[i][side]);
		}
	return 0;
}

static long do_call(const char *name, int *fd, long n)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(name, calls[i].name) == 0)
			return calls[i].run(fd, n);
	fprintf(stderr, "no such call: %s\n", name);
	exit(2);
}

static void do_step(const char *step)
{
	char word[64], result[64], *name = word;
	int *fd = NULL;

	snprintf(word, sizeof(word), "%s", step);
	char *argument = strchr(word, ':'), *dot = strchr(word, '.');
	if (argument)
		*argument++ = '\0';
	if (dot) {
		int pair = isdigit((unsigned char)word[0]) ? word[0] - '1' : 0;
		fd = &ends[pair][dot[-1] == 'b'];
		name = dot + 1;
	}
	dprintf(1, "%s begins\n", step);
	if (strcmp(name, "poll") == 0) {
		wait_by_poll(*fd, argument, result);
	} else if (strncmp(name, "epoll", 5) == 0) {
		wait_by_epoll(*fd, argument, strcmp(name, "epollet") == 0, result);
	} else {
		long n = strcmp(name, "only") == 0 ? keep_only(argument)
		                                   : do_call(name, fd, argument ? atol(argument) : 1);
		snprintf(result, sizeof(result), "%ld", n);
		if (n < 0)
			snprintf(result, sizeof(result), "%s", strerrorname_np(errno));
	}
	dprintf(1, "%s gives %s\n", step, result);
}

static void *do_list(void *list)
{
	for (char *const *step = list; *step && strcmp(*step, "/") != 0; step++)
		do_step(*step);
	return NULL;
}

static int in_processes(void)
{
	int status, worst = 0;

	for (int i = 0; i < list_count; i++) {
		if (fork() != 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		do_list((void *)lists[i]);
		return 0;
	}
	if (!holds)
		keep_only("");
	while (wait(&status) > 0)
		worst = status ? 1 : worst;
	return worst;
}

static int in_threads(void)
{
	pthread_t thread[PAIRS];

	for (int i = 1; i < list_count; i++)
		pthread_create(&thread[i], NULL, do_list, (void *)lists[i]);
	do_list((void *)lists[0]);
	for (int i = 1; i < list_count; i++)
		pthread_join(thread[i], NULL);
	return 0;
}

static void read_words(char **word)
{
	for (; *word && strcmp(*word, "/") != 0; word++) {
		threads = threads || strcmp(*word, "threads") == 0;
		holds = holds || strcmp(*word, "hold") == 0;
		pairs = isdigit((unsigned char)**word) ? atoi(*word) : pairs;
	}
	for (; *word && list_count < PAIRS; word++)
		if (strcmp(*word, "/") == 0)
			lists[list_count++] = word + 1;
}

int main(int argc, char **argv)
{
	(void)argc;
	read_words(argv + 1);
	signal(SIGPIPE, SIG_IGN);
	alarm(SECONDS_MAX);         /* it has no handler: nothing goes on after it */
	for (int i = 0; i < pairs; i++)
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]) != 0)
			return 2;
	return list_count > 1 && !threads ? in_processes() : in_threads();
}
