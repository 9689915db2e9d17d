/*
 * A parent sends forty lines to a child over a non-blocking socketpair, and believes that write()
 * takes whatever it is given. The child counts what arrives.
 */
#include <errno.h>
#include <fcntl.h>
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

static void send_lines(int fd)
{
	char line[LINE_BYTES + 1];

	for (int i = 0; i < LINES; i++) {
		snprintf(line, sizeof(line), "line %-26d\n", i);
		/* The bug: a short write, or EAGAIN, is lost without a word. */
		if (write(fd, line, LINE_BYTES) < 0 && errno != EAGAIN)
			exit(2);
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
