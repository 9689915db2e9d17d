/* Many processes and threads at once, that fork, are killed and signalled, and use more
 * pairs than there are slots:
 *
 *	storm SECONDS [SEED]
 *
 * Each direction carries known bytes: a reader finds them in order, and all of them
 * unless its writer was killed; a writer is refused only where its reader was killed.
 * Nobody sleeps for ever: a watchdog shows who waits for what (`$WEIR_COMMAND ctl pairs`).
 * At the end all slots of the session ($STORM_SLOTS of them) can be had again, and their
 * memory is back. Without weir the last two are left out.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <weir.h>

enum {
	FAMILIES = 4,
	PAIRS_MAX = 24, /* of one job, beside its stream */
	THREADS = 3,
	FORKS = 12,
	PIECE_MAX = 3000,
	STREAM_MAX = 400000,
	CAPACITY_MAX = 600000,
	HANDLED = 0xff, /* written by a signal handler, anywhere */
	PATIENCE_SECONDS = 40, /* with a round that takes a second or two */
	REQUESTS_MAX = 5000, /* until a reclaim is made */
	KEPT_MAX = 2 * 65536 + 4096, /* memory that a free slot may keep */
	COMMON_MAX = 4 << 20, /* what the session has beside */
};

static uint64_t state;
static uint64_t patience_seconds = PATIENCE_SECONDS;

static struct shared {
	_Atomic uint64_t streams, killed, carried, left, forks, handled, unread;
	_Atomic int failed;
} * shared;

static uint32_t draw(uint32_t below)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(state >> 33) % below;
}

static void fail(const char *what, int64_t number)
{
	shared->failed = 1;
	fprintf(stderr, "storm: pid %d: %s: %lld (errno %s)\n", (int)getpid(), what,
	        (long long)number, strerrorname_np(errno));
	_exit(1);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void nap_ms(uint32_t ms)
{
	struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

	while (nanosleep(&t, &t) != 0 && errno == EINTR)
		;
}

static unsigned char byte_at(uint64_t at)
{
	return (unsigned char)((at * 131 + (at >> 8)) % 251);
}

/* ---- signals ---- */

static volatile sig_atomic_t handled_fd = -1;

static void on_signal(int signal)
{
	unsigned char byte = HANDLED;
	int saved = errno;

	(void)signal;
	if (handled_fd >= 0 && send(handled_fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1)
		shared->handled++;
	errno = saved;
}

static void catch_signals(void)
{
	struct sigaction restarts = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	struct sigaction interrupts = {.sa_handler = on_signal};

	sigaction(SIGUSR1, &restarts, NULL);
	sigaction(SIGUSR2, &interrupts, NULL);
}

/* ---- one stream ---- */

static void change_capacity(int fd)
{
	if (weir_active() && weir_set_capacity(fd, 1 + draw(draw(4) ? 5000 : CAPACITY_MAX)) != 0 &&
	    errno != ENOTSOCK && errno != EOPNOTSUPP && errno != EAGAIN && errno != EBADF &&
	    errno != EINVAL)
		fail("a capacity", fd);
}

/* Ends with 1 where the reader has gone. */
static int write_stream(int fd, uint64_t bytes)
{
	unsigned char out[PIECE_MAX];
	uint64_t at = 0;

	handled_fd = fd;
	while (at < bytes) {
		size_t n = 1 + draw(PIECE_MAX);
		n = n < bytes - at ? n : (size_t)(bytes - at);
		for (size_t i = 0; i < n; i++)
			out[i] = byte_at(at + i);
		if (draw(40) == 0)
			change_capacity(fd);
		ssize_t sent = send(fd, out, n, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
			return 1;
		if (sent < 0)
			fail("send", (int64_t)at);
		at += (uint64_t)sent;
	}
	handled_fd = -1;
	return 0;
}

/* Gives how many bytes there were before the end. */
static uint64_t read_stream(int fd)
{
	unsigned char in[PIECE_MAX];
	uint64_t at = 0;

	for (;;) {
		ssize_t n = recv(fd, in, 1 + draw(PIECE_MAX), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != ECONNRESET)
			fail("recv", (int64_t)at);
		if (n <= 0)
			return at;
		for (ssize_t i = 0; i < n; i++)
			if (in[i] != HANDLED && in[i] != byte_at(at++))
				fail("a wrong byte before", (int64_t)at);
	}
}

/* ---- threads that use pairs of their own ---- */

static void *use_pair(void *argument)
{
	const int *sv = argument;
	char out[64], in[64];

	memset(out, 7, sizeof(out));
	for (int i = 0; i < 200; i++) {
		ssize_t n = send(sv[i % 2], out, 1 + (size_t)i % sizeof(out), MSG_NOSIGNAL);
		for (ssize_t got = 0, k; got<n; got += k> 0 ? k : 0) {
			k = recv(sv[!(i % 2)], in, (size_t)(n - got), 0);
			if (k == 0 || (k < 0 && errno != EINTR))
				fail("a pair of one thread", i);
		}
	}
	return argument;
}

static void use_in_threads(int (*sv)[2], uint32_t pairs)
{
	pthread_t thread[THREADS];
	uint32_t n = pairs < THREADS ? pairs : THREADS;

	for (uint32_t i = 0; i < n; i++)
		if (pthread_create(&thread[i], NULL, use_pair, sv[i]) != 0)
			fail("pthread_create", i);
	for (uint32_t i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
}

/* ---- a job ---- */

static pid_t spawn(void)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork", 0);
	shared->forks++;
	if (pid == 0)
		state ^= (uint64_t)getpid() << 20;
	return pid;
}

/* Children that hold everything for a moment, and go in one of the ways there are. */
static void storm_of_forks(int (*sv)[2], uint32_t pairs)
{
	for (int i = 0; i < FORKS; i++) {
		if (spawn() != 0)
			continue;
		if (i % 3 == 0)
			nap_ms(draw(3));
		if (i % 4 == 0)
			kill(getpid(), SIGKILL);
		if (i % 4 == 1 && spawn() == 0)
			_exit(0);
		if (i % 4 == 2)
			for (uint32_t k = 0; k < pairs; k++)
				close(sv[k][0]);
		_exit(0);
	}
}

static void check_status(int status, bool killed)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && killed)
		return;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2 && killed)
		return; /* its peer was killed */
	fail("a process of a stream ended with", status);
}

static void open_pair(int sv[2])
{
	struct weir_pair_info info;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) != 0)
		fail("socketpair", 0);
	if (weir_active())
		*(weir_pair(sv[0], &info) == 0 ? &shared->carried : &shared->left) += 1;
}

static void job(void)
{
	int stream[2], sv[PAIRS_MAX][2];
	uint32_t pairs = draw(PAIRS_MAX + 1),
	         kills = draw(4); /* 1: the writer, 2: the reader, 3: both */
	uint64_t bytes = 1 + draw(STREAM_MAX);
	int status;

	open_pair(stream);
	for (uint32_t i = 0; i < pairs; i++)
		open_pair(sv[i]);
	change_capacity(stream[1]);
	pid_t writer = spawn();
	if (writer == 0) {
		close(stream[0]);
		_exit(write_stream(stream[1], bytes) ? 2 : 0);
	}
	pid_t reader = spawn();
	if (reader == 0) {
		close(stream[1]);
		for (uint32_t i = 0; i < pairs; i++) {
			close(sv[i][0]);
			close(sv[i][1]);
		}
		uint64_t got = read_stream(stream[0]);
		if (got > bytes)
			fail("more bytes than were sent", (int64_t)(got - bytes));
		_exit(got == bytes ? 0 : 2);
	}
	close(stream[1]);
	close(stream[0]);
	use_in_threads(sv, pairs);
	if (draw(2))
		storm_of_forks(sv, pairs);
	if (kills) {
		nap_ms(draw(12));
		shared->killed += (kills & 1) + (kills >> 1);
	}
	if (kills & 1)
		kill(writer, SIGKILL);
	if (kills & 2)
		kill(reader, SIGKILL);
	for (uint32_t i = 0; i < pairs; i++) {
		close(sv[i][0]);
		close(sv[i][1]);
	}
	for (pid_t pid; (pid = wait(&status)) > 0 || errno == EINTR;)
		if (pid == writer || pid == reader)
			check_status(status, kills != 0);
	shared->streams++;
}

static void family(uint64_t until)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (now_ms() < until && !shared->failed)
		job();
	_exit(0);
}

/* ---- the watchdog ---- */

/* Who holds the session: /proc/PID/fd/N. */
static const char *session_holder(void)
{
	static char pid[16];
	const char *path = getenv("WEIR_SESSION");

	return path && sscanf(path, "/proc/%15[0-9]/", pid) == 1 ? pid : NULL;
}

static void show_waiting(void)
{
	const char *weir = getenv("WEIR_COMMAND"), *holder = session_holder();

	fprintf(stderr, "storm: somebody waits for ever:\n");
	if (!weir || !holder)
		return;
	pid_t pid = fork();
	if (pid == 0) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		alarm(20);
		execl(weir, weir, "ctl", "--session", holder, "pairs", (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void wait_for_families(uint64_t until)
{
	int status;

	for (;;) {
		pid_t pid = waitpid(-1, &status, WNOHANG);
		if (pid < 0 && errno == ECHILD)
			return;
		if (pid > 0 && status != 0) {
			shared->failed = 1;
			fprintf(stderr, "storm: a family ended with %#x\n", (unsigned int)status);
		}
		if (pid > 0)
			continue;
		if (now_ms() < until) /* a signal would also wake who is never woken otherwise */
			kill(0, draw(2) ? SIGUSR1 : SIGUSR2);
		if (now_ms() > until + patience_seconds * 1000) {
			show_waiting();
			kill(0, SIGKILL);
		}
		nap_ms(1 + draw(4));
	}
}

/* ---- what is left ---- */

static bool is_carried(const int sv[2])
{
	struct weir_pair_info info;

	return weir_pair(sv[0], &info) == 0;
}

/* A reclaim of what the killed left behind is not made for each request. */
static bool open_carried(int sv[2])
{
	for (int i = 0; i < REQUESTS_MAX; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) != 0)
			fail("socketpair", i);
		if (is_carried(sv))
			return true;
		close(sv[0]);
		close(sv[1]);
	}
	return false;
}

static void check_slots(int slots)
{
	int(*sv)[2] = calloc((size_t)slots + 1, sizeof(*sv));

	for (int i = 0; i < slots; i++)
		if (!open_carried(sv[i]))
			fail("slots are not all back, but", i);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv[slots]) != 0 || is_carried(sv[slots]))
		fail("more slots than there are", slots);
	for (int i = 0; i <= slots; i++) {
		close(sv[i][0]);
		close(sv[i][1]);
	}
}

static void check_memory(int slots)
{
	struct stat st;

	if (stat(getenv("WEIR_SESSION"), &st) != 0)
		fail("the session", 0);
	int64_t used = (int64_t)st.st_blocks * 512;
	printf("# %lld KiB of memory for %d slots\n", (long long)used / 1024, slots);
	if (used > (int64_t)slots * KEPT_MAX + COMMON_MAX)
		fail("memory is not back", used);
}

int main(int argc, char **argv)
{
	const char *slots = getenv("STORM_SLOTS"), *patience = getenv("STORM_PATIENCE");

	if (argc < 2)
		return 2;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	              0);
	state = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL);
	if (patience)
		patience_seconds = strtoull(patience, NULL, 0);
	printf("# storm: seed %llu\n", (unsigned long long)state);
	fflush(stdout);
	setpgid(0, 0);
	catch_signals();
	uint64_t until = now_ms() + strtoull(argv[1], NULL, 0) * 1000;
	for (int i = 0; i < FAMILIES; i++)
		if (spawn() == 0) {
			state += (uint64_t)i << 40;
			family(until);
		}
	wait_for_families(until);
	if (slots && weir_active() && !shared->failed) {
		check_slots(atoi(slots));
		check_memory(atoi(slots));
	}
	printf("# %llu streams, %llu processes killed of %llu, %llu pairs carried and %llu left, "
	       "%llu bytes of handlers\n",
	       (unsigned long long)shared->streams, (unsigned long long)shared->killed,
	       (unsigned long long)shared->forks, (unsigned long long)shared->carried,
	       (unsigned long long)shared->left, (unsigned long long)shared->handled);
	if (shared->streams == 0)
		fail("no stream", 0);
	puts(shared->failed ? "not ok storm" : "ok storm");
	return shared->failed;
}
