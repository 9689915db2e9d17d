/* A short exchange of known bytes over socketpairs, for tests that damage what carries
 * them: exchange MODE BYTES SEED.
 *
 * 0: all bytes were right. 3: a wrong byte was received. 4: bytes are missing, and nobody
 * was told why. 5: somebody was told, by an errno or by dying of SIGABRT. 6: somebody
 * died of another signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RIGHT, WRONG = 3, SHORT = 4, TOLD = 5, DIED = 6 };
enum { PIECE_MAX = 700, CROWD = 3, HANDLED = 0xff };

static uint64_t bytes, state;
static const char *self, *mode;

static uint32_t draw(uint32_t below)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(state >> 33) % below;
}

/* Byte `at` of the direction that `salt` stands for; never HANDLED. */
static unsigned char byte_at(uint64_t at, unsigned int salt)
{
	return (unsigned char)((at * 131 + salt * 7 + (at >> 8)) % 251);
}

static void fill(unsigned char *into, uint64_t at, size_t n, unsigned int salt)
{
	for (size_t i = 0; i < n; i++)
		into[i] = byte_at(at + i, salt);
}

static void check(const unsigned char *got, uint64_t at, size_t n, unsigned int salt)
{
	for (size_t i = 0; i < n; i++)
		if (got[i] != byte_at(at + i, salt)) {
			fprintf(stderr, "exchange: byte %llu is %u\n", (unsigned long long)(at + i),
			        got[i]);
			_exit(WRONG);
		}
}

static size_t piece(uint64_t left, size_t most)
{
	size_t n = 1 + draw((uint32_t)most);

	return n < left ? n : (size_t)left;
}

static void told(const char *what)
{
	fprintf(stderr, "exchange: %s: %s\n", what, strerror(errno));
	_exit(TOLD);
}

/* ---- blocking ---- */

static void send_all(int fd, uint64_t from, uint64_t n, unsigned int salt)
{
	unsigned char out[PIECE_MAX];

	for (uint64_t end = from + n; from < end;) {
		size_t size = piece(end - from, PIECE_MAX);
		fill(out, from, size, salt);
		ssize_t sent = send(fd, out, size, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			told("send");
		from += (uint64_t)sent;
	}
}

static void receive_all(int fd, uint64_t from, uint64_t n, unsigned int salt, int flags)
{
	unsigned char in[PIECE_MAX];

	for (uint64_t end = from + n; from < end;) {
		size_t size = piece(end - from, PIECE_MAX);
		ssize_t got = recv(fd, in, size, flags);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			told("recv");
		if (got == 0)
			_exit(SHORT);
		check(in, from, (size_t)got, salt);
		from += (uint64_t)got;
	}
}

static void stream(int fd, bool child)
{
	if (child) {
		receive_all(fd, 0, bytes, 0, 0);
		send_all(fd, 0, 8, 1);
	} else {
		send_all(fd, 0, bytes, 0);
		receive_all(fd, 0, 8, 1, 0);
	}
}

static void echo(int fd, bool child)
{
	for (uint64_t at = 0; at < bytes; at += 60) {
		if (!child)
			send_all(fd, at, 60, 0);
		receive_all(fd, at, 60, child ? 0 : 1, 0);
		if (child)
			send_all(fd, at, 60, 1);
	}
}

/* Peeks, SO_RCVLOWAT, MSG_WAITALL. */
static void peeks(int fd, bool child)
{
	unsigned char in[16];
	int lowest = 3;

	if (!child) {
		stream(fd, child);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &lowest, sizeof(lowest));
	for (uint64_t at = 0; at + 32 <= bytes; at += 32) {
		ssize_t n = recv(fd, in, sizeof(in), MSG_PEEK);
		if (n < 0 && errno != EINTR)
			told("recv");
		if (n > 0)
			check(in, at, (size_t)n, 0);
		receive_all(fd, at, 32, 0, MSG_WAITALL);
	}
	receive_all(fd, bytes / 32 * 32, bytes % 32, 0, 0);
	send_all(fd, 0, 8, 1);
}

/* ---- readiness ---- */

struct duplex {
	int fd;
	uint64_t sent, got;
	unsigned int out_salt, in_salt;
};

static void move_some(struct duplex *d)
{
	unsigned char piece_of[PIECE_MAX];
	ssize_t n = 1;

	while (n > 0 && d->got < bytes) {
		n = recv(d->fd, piece_of, piece(bytes - d->got, PIECE_MAX), 0);
		if (n == 0)
			_exit(SHORT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			told("recv");
		if (n > 0)
			check(piece_of, d->got, (size_t)n, d->in_salt);
		d->got += n > 0 ? (uint64_t)n : 0;
	}
	for (n = 1; n > 0 && d->sent<bytes; d->sent += n> 0 ? (uint64_t)n : 0) {
		size_t size = piece(bytes - d->sent, PIECE_MAX);
		fill(piece_of, d->sent, size, d->out_salt);
		n = send(d->fd, piece_of, size, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			told("send");
	}
}

static void polls(int fd, bool child)
{
	struct duplex d = {.fd = fd, .out_salt = child, .in_salt = !child};

	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (move_some(&d); d.got < bytes || d.sent < bytes; move_some(&d)) {
		struct pollfd p = {.fd = fd};
		p.events = (short)((d.got < bytes ? POLLIN : 0) | (d.sent < bytes ? POLLOUT : 0));
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			told("poll");
	}
}

static void edges(int fd, bool child)
{
	struct duplex d = {.fd = fd, .out_salt = child, .in_salt = !child};
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
	int epoll = epoll_create1(0);

	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		told("epoll_ctl");
	for (move_some(&d); d.got < bytes || d.sent < bytes; move_some(&d))
		if (epoll_wait(epoll, &event, 1, -1) < 0 && errno != EINTR)
			told("epoll_wait");
}

/* ---- signals ---- */

static int handled_fd;
static volatile sig_atomic_t handled;

static void write_from_handler(int signal)
{
	unsigned char byte = HANDLED;
	int saved = errno;

	(void)signal;
	if (send(handled_fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1)
		handled++;
	errno = saved;
}

static void signals(int fd, bool child)
{
	struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
	struct sigaction action = {.sa_handler = write_from_handler, .sa_flags = SA_RESTART};
	unsigned char in[PIECE_MAX];
	uint64_t got = 0;

	if (!child) {
		handled_fd = fd;
		sigaction(SIGALRM, &action, NULL);
		setitimer(ITIMER_REAL, &often, NULL);
		send_all(fd, 0, bytes, 0);
		setitimer(ITIMER_REAL, &never, NULL);
		shutdown(fd, SHUT_WR);
		receive_all(fd, 0, 8, 1, 0);
		return;
	}
	for (ssize_t n; (n = recv(fd, in, sizeof(in), 0)) != 0;) {
		if (n < 0)
			told("recv");
		for (ssize_t i = 0; i < n; i++)
			if (in[i] != HANDLED)
				check(&in[i], got++, 1, 0);
	}
	if (got < bytes)
		_exit(SHORT);
	send_all(fd, 0, 8, 1);
}

/* ---- many ---- */

static int worst(int a, int b)
{
	static const int order[] = {RIGHT, SHORT, TOLD, DIED, WRONG};
	int x = 0, y = 0;

	for (int i = 0; i < 5; i++) {
		x = order[i] == a ? i : x;
		y = order[i] == b ? i : y;
	}
	return x > y ? a : b;
}

/* Whoever is told explains why another misses bytes. */
static int result_of(int status)
{
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGABRT ? TOLD : DIED;
	switch (WEXITSTATUS(status)) {
	case RIGHT:
	case WRONG:
	case SHORT:
	case TOLD:
		return WEXITSTATUS(status);
	default:
		return DIED;
	}
}

static int wait_for_all(void)
{
	int result = RIGHT, status;

	while (wait(&status) > 0)
		result = worst(result, result_of(status));
	return result;
}

/* Several write the same bytes, several read some of them: their number is right. */
static void crowd_member(int fd, bool reads)
{
	unsigned char in[64], out[64];
	uint64_t sum = 0;

	memset(out, 5, sizeof(out));
	for (uint64_t left = bytes / 64 * 64; !reads && left > 0; left -= 64)
		for (size_t done = 0; done < 64;) {
			ssize_t n = send(fd, out + done, 64 - done, MSG_NOSIGNAL);
			if (n < 0)
				told("send");
			done += (size_t)n;
		}
	for (ssize_t n; reads && (n = recv(fd, in, sizeof(in), 0)) != 0;) {
		if (n < 0)
			told("recv");
		for (ssize_t i = 0; i < n; i++)
			if (in[i] != 5)
				_exit(WRONG);
		sum += (uint64_t)n;
	}
	if (reads) /* through another file: what was said must not depend on a pair */
		if (write(handled_fd, &sum, sizeof(sum)) != sizeof(sum))
			_exit(TOLD);
	_exit(RIGHT);
}

static int crowd(void)
{
	uint64_t sum = 0, one;
	int sv[2], sums[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0 || pipe(sums) < 0)
		return TOLD;
	handled_fd = sums[1];
	for (int i = 0; i < 2 * CROWD; i++)
		if (fork() == 0) {
			bool reads = i % 2;
			close(sv[!reads]);
			crowd_member(sv[reads], reads);
		}
	close(sv[0]);
	close(sv[1]);
	close(sums[1]);
	int result = wait_for_all();
	while (read(sums[0], &one, sizeof(one)) == sizeof(one))
		sum += one;
	return result == RIGHT && sum != bytes / 64 * 64 * CROWD ? SHORT : result;
}

/* ---- two processes ---- */

static const struct {
	const char *name;
	void (*run)(int fd, bool child);
} modes[] = {
        {"stream", stream}, {"echo", echo},       {"peeks", peeks},  {"polls", polls},
        {"edges", edges},   {"signals", signals}, {"execs", stream},
};

static void run_end(int fd, bool child)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(modes[i].name, mode))
			modes[i].run(fd, child);
}

/* The new image finds its end by the socket's identity. */
static void become(int fd)
{
	char number[16], size[24];

	snprintf(number, sizeof(number), "%d", fd);
	snprintf(size, sizeof(size), "%llu", (unsigned long long)bytes);
	execl(self, self, "stream", size, "1", number, (char *)NULL);
	_exit(DIED);
}

static int two(void)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0)
		return TOLD;
	pid_t child = fork();
	if (child == 0) {
		close(sv[0]);
		if (!strcmp(mode, "execs"))
			become(sv[1]);
		run_end(sv[1], true);
		_exit(RIGHT);
	}
	close(sv[1]);
	pid_t other = fork(); /* the caller only watches, and may not be damaged */
	if (other == 0) {
		run_end(sv[0], false);
		_exit(RIGHT);
	}
	close(sv[0]);
	return wait_for_all();
}

/* Pairs come and go meanwhile. */
static int pairs(void)
{
	uint64_t all = bytes;
	int result = RIGHT;

	mode = "echo";
	bytes = 120;
	for (uint64_t done = 0; done < all && result == RIGHT; done += 2 * 120)
		result = two();
	return result;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	self = argv[0];
	mode = argv[1];
	bytes = strtoull(argv[2], NULL, 10);
	state = strtoull(argv[3], NULL, 10);
	if (argc > 4) {
		run_end(atoi(argv[4]), true);
		return RIGHT;
	}
	if (!strcmp(mode, "pairs"))
		return pairs();
	return !strcmp(mode, "crowd") ? crowd() : two();
}
