/*
 * Two peers exchange a block of 16384 bytes: each writes what there is room for and reads what has
 * come, in whatever order poll() allows. That works with any buffer.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCK_BYTES 16384

/* Adds what one call moved to *done; waiting is poll's business, everything else is an error. */
static int advance(size_t *done, ssize_t n)
{
	if (n > 0)
		*done += (size_t)n;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return -1;
	return 0;
}

static int wait_until_ready(int fd, short events, short *ready)
{
	struct pollfd polled = { .fd = fd, .events = events };

	if (poll(&polled, 1, -1) < 0 && errno != EINTR)
		return -1;
	*ready = polled.revents;
	return 0;
}

static int exchange(int fd, const char *mine, char *other)
{
	size_t written = 0;
	size_t got = 0;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (written < BLOCK_BYTES || got < BLOCK_BYTES) {
		short wanted = (short)((written < BLOCK_BYTES ? POLLOUT : 0) | (got < BLOCK_BYTES ? POLLIN : 0));
		short ready = 0;

		if (wait_until_ready(fd, wanted, &ready) != 0)
			return -1;
		if ((ready & POLLOUT) && advance(&written, write(fd, mine + written, BLOCK_BYTES - written)) != 0)
			return -1;
		if ((ready & (POLLIN | POLLHUP)) && got < BLOCK_BYTES &&
		    advance(&got, read(fd, other + got, BLOCK_BYTES - got)) != 0)
			return -1;
	}
	return 0;
}

static int play(int fd, char letter, char expected)
{
	char mine[BLOCK_BYTES];
	char other[BLOCK_BYTES];

	memset(mine, letter, sizeof(mine));
	if (exchange(fd, mine, other) != 0)
		return 1;
	return memchr(other, letter, sizeof(other)) == NULL && other[BLOCK_BYTES - 1] == expected ? 0 : 1;
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
		_exit(play(fds[1], 'b', 'a'));
	}
	close(fds[1]);
	if (play(fds[0], 'a', 'b') != 0)
		return 1;
	if (waitpid(child, &status, 0) != child || status != 0)
		return 1;
	puts("both blocks arrived");
	return 0;
}
