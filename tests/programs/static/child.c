/* A program that no preloading reaches: linked statically by tests/carry.bats.
 * argv[1] says what it does with its end, which is descriptor 0 unless told. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int echo(int in, int out)
{
	char buffer[777];
	ssize_t n;

	while ((n = read(in, buffer, sizeof(buffer))) > 0)
		for (ssize_t done = 0; done < n;) {
			ssize_t k = write(out, buffer + done, (size_t)(n - done));
			if (k < 0)
				return 1;
			done += k;
		}
	return n == 0 ? 0 : 2;
}

static int half_close(void)
{
	char text[8] = "";

	if (write(0, "first", 5) != 5 || shutdown(0, SHUT_WR) != 0)
		return 1;
	for (size_t n = 0; n < 4;) {
		ssize_t got = read(0, text + n, 4 - n);
		if (got <= 0)
			return 2;
		n += (size_t)got;
	}
	return strcmp(text, "tail") == 0 ? 0 : 3;
}

static int deaf(void)
{
	char byte;

	shutdown(0, SHUT_RD);
	if (write(0, "deaf", 4) != 4)
		return 1;
	while (read(0, &byte, 1) > 0)
		;
	pause();
	return 0;
}

/* Was what it said read? The peer closes in either case. */
static int closed(const char *text, int error)
{
	char byte;

	if (write(0, text, strlen(text)) < 0)
		return 1;
	ssize_t n = read(0, &byte, 1);
	if (error)
		return n == -1 && errno == error && read(0, &byte, 1) == 0 ? 0 : 2;
	return n == 0 ? 0 : 3;
}

static int small_buffer(void)
{
	char text[64];
	int size = 1;

	memset(text, 'x', sizeof(text));
	if (setsockopt(0, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) != 0)
		return 1;
	for (int i = 0; i < 4; i++) {
		struct pollfd p = {.fd = 0, .events = POLLOUT};
		if (poll(&p, 1, -1) != 1 || write(0, text, sizeof(text)) != sizeof(text))
			return 2;
	}
	return 0;
}

static int alone(void)
{
	sigset_t pending;

	sigpending(&pending);
	if (sigismember(&pending, SIGCHLD))
		return 1;
	return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? 0 : 2;
}

static int slow(void)
{
	char buffer[1000];
	ssize_t n;

	while ((n = read(0, buffer, sizeof(buffer))) > 0)
		usleep(500);
	return n == 0 ? 0 : 1;
}

static int send_descriptor(void)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {.bytes = {0}};
	struct iovec iov = {(char[]){"take"}, 4};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
	                     .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int ends[2];

	if (pipe(ends) != 0 || write(0, "before", 6) != 6)
		return 1;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &ends[0], sizeof(int));
	if (sendmsg(0, &msg, 0) != 4 || write(0, "after", 5) != 5)
		return 2;
	return write(ends[1], "through", 7) == 7 ? 0 : 3;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	signal(SIGPIPE, SIG_IGN);
	if (strcmp(what, "echo") == 0)
		return echo(argc > 2 ? atoi(argv[2]) : 0, argc > 3 ? atoi(argv[3]) : 0);
	if (strcmp(what, "half-close") == 0)
		return half_close();
	if (strcmp(what, "deaf") == 0)
		return deaf();
	if (strcmp(what, "small-buffer") == 0)
		return small_buffer();
	if (strcmp(what, "reset") == 0)
		return closed("nobody reads this", ECONNRESET);
	if (strcmp(what, "end") == 0)
		return closed("read", 0);
	if (strcmp(what, "alone") == 0)
		return alone();
	if (strcmp(what, "slow") == 0)
		return slow();
	if (strcmp(what, "send-descriptor") == 0)
		return send_descriptor();
	if (strcmp(what, "nonblock") == 0)
		return fcntl(0, F_GETFL) & O_NONBLOCK ? 0 : 1;
	if (strcmp(what, "speak") == 0)
		return write(0, argv[2], strlen(argv[2])) < 0;
	if (strcmp(what, "environment") == 0)
		return !getenv("ONE") || !getenv("TWO") || strcmp(getenv("TWO"), "2") != 0;
	if (strcmp(what, "broken") == 0) {
		char byte;
		if (read(0, &byte, 1) != 1 || byte != 'b')
			return 1;
		for (int i = 0; i < 5000; i++) {
			if (write(0, "x", 1) < 0)
				return errno == EPIPE ? 0 : 2;
			usleep(1000);
		}
		return 3;
	}
	return strcmp(what, "nothing") == 0 ? 0 : 125;
}
