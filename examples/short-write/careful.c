/*
 * A parent sends forty lines to a child over a non-blocking socketpair. It counts what write() took,
 * and waits for room when there is none.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINES 40
#define LINE_BYTES 32

static long count_until_end(int fd)
{
	char bytes[256];
	long total = 0;
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		total += n;
	return total;
}

static int receive(int fd)
{
	long total = count_until_end(fd);

	printf("received %ld of %d bytes\n", total, LINES * LINE_BYTES);
	fflush(stdout);
	return total == LINES * LINE_BYTES ? 0 : 1;
}

static void wait_for_room(int fd)
{
	struct pollfd polled = { .fd = fd, .events = POLLOUT };

	while (poll(&polled, 1, -1) < 0 && errno == EINTR)
		continue;
}

static void write_all(int fd, const char *bytes, size_t count)
{
	while (count > 0) {
		ssize_t n = write(fd, bytes, count);

		if (n >= 0) {
			bytes += n;
			count -= (size_t)n;
		} else if (errno == EAGAIN) {
			wait_for_room(fd);
		} else if (errno != EINTR) {
			exit(2);
		}
	}
}

static void send_lines(int fd)
{
	char line[LINE_BYTES + 1];

	for (int i = 0; i < LINES; i++) {
		snprintf(line, sizeof(line), "line %-26d\n", i);
		write_all(fd, line, LINE_BYTES);
	}
}

int main(void)
{
	int fds[2];
	int status;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
		return 2;
	child = fork();
	if (child < 0)
		return 2;
	if (child == 0) {
		close(fds[0]);
		_exit(receive(fds[1]));
	}
	close(fds[1]);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	send_lines(fds[0]);
	close(fds[0]);
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return 2;
	return WEXITSTATUS(status);
}
