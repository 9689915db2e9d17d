/*
 * Two peers exchange a block of 16384 bytes: each writes its own first and reads the other's
 * afterwards. That works only while the buffers between them hold a whole block.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCK_BYTES 16384

static int write_block(int fd, const char *block)
{
	size_t done = 0;

	while (done < BLOCK_BYTES) {
		ssize_t n = write(fd, block + done, BLOCK_BYTES - done);

		if (n < 0)
			return -1;
		done += (size_t)n;
	}
	return 0;
}

static int read_block(int fd, char *block)
{
	size_t done = 0;

	while (done < BLOCK_BYTES) {
		ssize_t n = read(fd, block + done, BLOCK_BYTES - done);

		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	return 0;
}

/* The bug: with too little room both peers wait in write_block() for the other to read. */
static int exchange(int fd, const char *mine, char *other)
{
	if (write_block(fd, mine) != 0)
		return -1;
	return read_block(fd, other);
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
