/* The cases of one test program.
 *
 *	CASE(reads_what_was_written) { ... CHECK(cond); ... }
 *	CHECK_MAIN
 *
 * Each case runs in a child process of its own, in its own process group, and is
 * killed by a watchdog, so that a hang fails under the name of its case. A failed
 * CHECK ends the process that it stands in; its text goes through shared memory,
 * because a case may have closed every descriptor, and it fails the case even
 * when it stands in a child or thread that the case started.
 *
 * The program runs all cases, or those named as arguments; --list prints the names.
 */
#ifndef WEIR_TESTS_CHECK_H
#define WEIR_TESTS_CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	CHECK_SECONDS_MAX = 20,
	CHECK_TEXT_SIZE = 1024,
};

struct check_case {
	const char *name;
	void (*run)(void);
};

/* What the first failed CHECK of a case says; shared with all its processes. */
struct check_report {
	int taken;
	char text[CHECK_TEXT_SIZE];
};

/* The linker collects the cases in one section and names its bounds. */
extern const struct check_case __start_check_cases[];
extern const struct check_case __stop_check_cases[];
static struct check_report *check_report;

#define CASE(NAME)                                                                        \
	static void case_##NAME(void);                                                    \
	static const struct check_case entry_##NAME                                       \
	        __attribute__((section("check_cases"), used, aligned(sizeof(void *)))) = { \
	                #NAME, case_##NAME};                                              \
	static void case_##NAME(void)

#define CHECK(COND)                                                                \
	do {                                                                       \
		if (!(COND))                                                       \
			check_fail(__FILE__, __LINE__, "%s (errno %s)", #COND,     \
			           strerrorname_np(errno));                        \
	} while (0)

#define CHECK_EQ(GOT, WANT)                                                         \
	do {                                                                        \
		long long got_ = (long long)(GOT);                                  \
		int errno_ = errno;                                                 \
		long long want_ = (long long)(WANT);                                \
		if (got_ != want_)                                                  \
			check_fail(__FILE__, __LINE__, "%s is %lld, not %lld (errno %s)", \
			           #GOT, got_, want_, strerrorname_np(errno_));     \
	} while (0)

/* The call answers -1 with this errno. */
#define CHECK_FAILS(CALL, ERRNO)                                                    \
	do {                                                                        \
		errno = 0;                                                          \
		long long got_ = (long long)(CALL);                                 \
		int errno_ = errno;                                                 \
		if (got_ != -1 || errno_ != (ERRNO))                                \
			check_fail(__FILE__, __LINE__, "%s is %lld with %s, not -1 with %s", \
			           #CALL, got_, strerrorname_np(errno_),            \
			           strerrorname_np(ERRNO));                         \
	} while (0)

#define CHECK_MAIN                               \
	int main(int argc, char **argv)          \
	{                                        \
		return check_main(argc, argv);   \
	}

__attribute__((noreturn, format(printf, 3, 4))) static inline void
check_fail(const char *file, int line, const char *format, ...)
{
	if (!__sync_lock_test_and_set(&check_report->taken, 1)) {
		int used = snprintf(check_report->text, CHECK_TEXT_SIZE, "%s:%d: ", file, line);
		va_list arguments;
		va_start(arguments, format);
		vsnprintf(check_report->text + used, CHECK_TEXT_SIZE - (size_t)used, format,
		          arguments);
		va_end(arguments);
	}
	_exit(1);
}

/* What a variable says, for tests that have a short and a long form. */
static inline int check_setting(const char *name, int otherwise)
{
	const char *text = getenv(name);
	return text ? atoi(text) : otherwise;
}

/* ---- the runner ---- */

/* Waits for the child, at most as long as a case may take; false after that. */
static inline bool check_wait(pid_t pid, const sigset_t *sigchld, int *status)
{
	struct timespec end, now;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += check_setting("CHECK_SECONDS_MAX", CHECK_SECONDS_MAX);
	while (waitpid(pid, status, WNOHANG) == 0) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > end.tv_sec)
			return false;
		struct timespec step = {.tv_nsec = 200 * 1000 * 1000};
		sigtimedwait(sigchld, NULL, &step);
	}
	return true;
}

static inline bool check_verdict(const char *name, bool ended, int status)
{
	if (!ended)
		printf("FAIL %s: hangs (%s)\n", name, check_report->text);
	else if (check_report->text[0])
		printf("FAIL %s: %s\n", name, check_report->text);
	else if (WIFSIGNALED(status))
		printf("FAIL %s: killed by SIG%s\n", name, sigabbrev_np(WTERMSIG(status)));
	else if (status)
		printf("FAIL %s: exit status %d\n", name, WEXITSTATUS(status));
	else
		printf("ok %s\n", name);
	return ended && status == 0 && !check_report->text[0];
}

static inline bool check_run(const struct check_case *c)
{
	sigset_t sigchld, before;
	sigemptyset(&sigchld);
	sigaddset(&sigchld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &sigchld, &before);
	memset(check_report, 0, sizeof(*check_report));
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigprocmask(SIG_SETMASK, &before, NULL);
		c->run();
		exit(0);
	}
	int status = 0;
	bool ended = pid > 0 && check_wait(pid, &sigchld, &status);
	kill(-pid, SIGKILL);
	if (!ended)
		waitpid(pid, &status, 0);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return check_verdict(c->name, ended, status);
}

static inline bool check_wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc <= 1;
}

/* Runs the cases named in argv[1..], or all. Status for exit: 0 when all passed. */
static inline int check_main(int argc, char **argv)
{
	bool list = argc == 2 && strcmp(argv[1], "--list") == 0;
	int passed = 0, failed = 0;
	check_report = mmap(NULL, sizeof(*check_report), PROT_READ | PROT_WRITE,
	                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	/* A parent that ignores them (a shell's pipeline, Python) would change the outcome. */
	signal(SIGPIPE, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	for (const struct check_case *c = __start_check_cases; c < __stop_check_cases; c++) {
		if (list)
			puts(c->name);
		else if (check_wanted(c->name, argc, argv))
			*(check_run(c) ? &passed : &failed) += 1;
	}
	if (list)
		return 0;
	printf("%d passed, %d failed\n", passed, failed);
	return passed == 0 || failed > 0;
}

/* ---- what most cases need ---- */

/* Values that the compiler cannot see through, to pass on purpose what it warns of
 * and what the fortified build would otherwise prove harmless. */
static inline void *opaque(const void *pointer)
{
	void *volatile hidden = (void *)pointer;
	return hidden;
}

static inline long opaque_number(long n)
{
	volatile long hidden = n;
	return hidden;
}

static inline void pair_open(int sv[2], int flags)
{
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | flags, 0, sv) == 0);
}

static inline void say(int fd, const char *text)
{
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
}

/* Reads until `text` has come; fails at the first byte that differs. */
static inline void hear(int fd, const char *text)
{
	char got[4096];
	size_t wanted = strlen(text), have = 0;
	CHECK(wanted < sizeof(got));
	while (have < wanted) {
		ssize_t n = read(fd, got + have, wanted - have);
		CHECK(n > 0);
		have += (size_t)n;
	}
	got[have] = '\0';
	if (memcmp(got, text, wanted) != 0)
		check_fail(__FILE__, __LINE__, "heard \"%s\", not \"%s\"", got, text);
}

/* Nothing to read now. */
static inline void hear_nothing(int fd)
{
	char byte;
	CHECK_FAILS(recv(fd, &byte, 1, MSG_DONTWAIT), EAGAIN);
}

static inline void hear_end(int fd)
{
	char byte;
	CHECK_EQ(read(fd, &byte, 1), 0);
}

/* The byte that belongs at this offset of a test stream: no short period. */
static inline unsigned char pattern(uint64_t offset)
{
	return (unsigned char)((offset * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

static inline void pattern_make(unsigned char *buffer, size_t n, uint64_t offset)
{
	for (size_t i = 0; i < n; i++)
		buffer[i] = pattern(offset + i);
}

static inline void pattern_check(const unsigned char *buffer, size_t n, uint64_t offset)
{
	for (size_t i = 0; i < n; i++)
		if (buffer[i] != pattern(offset + i))
			check_fail(__FILE__, __LINE__, "wrong byte at offset %llu of the stream",
			           (unsigned long long)(offset + i));
}

/* Writes the test stream from its start until the pair is full; how much it took. */
static inline size_t fill(int fd)
{
	unsigned char buffer[1000];
	size_t total = 0;
	for (;;) {
		pattern_make(buffer, sizeof(buffer), total);
		ssize_t n = send(fd, buffer, sizeof(buffer), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0) {
			CHECK(errno == EAGAIN);
			return total;
		}
		CHECK(n > 0);
		total += (size_t)n;
	}
}

/* Reads exactly n bytes of the test stream, from the given offset of it. */
static inline void drain(int fd, size_t n, uint64_t offset)
{
	unsigned char buffer[4096];
	while (n > 0) {
		ssize_t got = read(fd, buffer, n < sizeof(buffer) ? n : sizeof(buffer));
		CHECK(got > 0);
		pattern_check(buffer, (size_t)got, offset);
		offset += (size_t)got;
		n -= (size_t)got;
	}
}

/* What poll says now about all there is to say. */
static inline int readiness(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP};
	CHECK(poll(&p, 1, 0) >= 0);
	return p.revents;
}

static inline void sleep_ms(int ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
	nanosleep(&t, NULL);
}

static inline char task_state(pid_t tid)
{
	char path[64], text[512];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)tid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	char *after = strrchr(text, ')');
	return after && after[1] ? after[2] : 0;
}

/* Returns when the task (thread or process) has been asleep for a while. Only an
 * aid to reach the interesting state: no outcome may depend on it. */
static inline void wait_until_asleep(pid_t tid)
{
	int asleep = 0;
	for (int i = 0; i < 2000 && asleep < 4; i++) {
		asleep = task_state(tid) == 'S' ? asleep + 1 : 0;
		sleep_ms(2);
	}
}

/* Opens files until every number below the highest open one is taken, so that the next
 * descriptors get adjacent numbers whatever the caller left open. */
static inline void fill_gaps(void)
{
	int highest = 2;
	for (int fd = 3; fd < 1024; fd++)
		highest = fcntl(fd, F_GETFD) >= 0 ? fd : highest;
	int fd;
	do {
		fd = open("/dev/null", O_RDONLY);
		CHECK(fd >= 0);
	} while (fd < highest);
	if (fd > highest)
		close(fd);
}

/* ---- threads and children ---- */

struct worker {
	pthread_t thread;
	pid_t tid;
	void *(*run)(void *);
	void *argument;
};

static inline void *worker_main(void *argument)
{
	struct worker *w = argument;
	__atomic_store_n(&w->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	return w->run(w->argument);
}

static inline void worker_start(struct worker *w, void *(*run)(void *), void *argument)
{
	w->tid = 0;
	w->run = run;
	w->argument = argument;
	CHECK_EQ(pthread_create(&w->thread, NULL, worker_main, w), 0);
	while (__atomic_load_n(&w->tid, __ATOMIC_ACQUIRE) == 0)
		sleep_ms(1);
}

static inline void *worker_join(struct worker *w)
{
	void *result;
	CHECK_EQ(pthread_join(w->thread, &result), 0);
	return result;
}

static inline pid_t child_start(void)
{
	fflush(NULL);
	pid_t pid = fork();
	CHECK(pid >= 0);
	return pid;
}

static inline int child_status(pid_t pid)
{
	int status;
	while (waitpid(pid, &status, 0) != pid)
		CHECK(errno == EINTR);
	return status;
}

static inline void child_join(pid_t pid)
{
	CHECK_EQ(child_status(pid), 0);
}

static inline void child_kill(pid_t pid)
{
	CHECK(kill(pid, SIGKILL) == 0);
	int status = child_status(pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* ---- signals ---- */

static inline void on_signal(int number, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
	CHECK(sigaction(number, &action, NULL) == 0);
}

/* SIGALRM again and again, so that one surely comes while a call is blocked. */
static inline void alarm_every_us(int us)
{
	struct itimerval t = {{us / 1000000, us % 1000000}, {us / 1000000, us % 1000000}};
	CHECK(setitimer(ITIMER_REAL, &t, NULL) == 0);
}

static inline void block_signal(int number)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, number);
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
}

#endif
