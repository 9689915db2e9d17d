/*
 * A client sends a request of 4096 bytes to a server which decides after the first 64 and leaves,
 * with its verdict as exit status. The client knows that a server may stop listening: it asks for
 * EPIPE instead of SIGPIPE, and goes on to the verdict.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define REQUEST_BYTES 4096
#define HEADER_BYTES 64
#define ACCEPTED 0
#define REFUSED 3

static int serve(int fd)
{
	char header[HEADER_BYTES];
	size_t got = 0;

	while (got < sizeof(header)) {
		ssize_t n = read(fd, header + got, sizeof(header) - got);

		if (n <= 0)
			return REFUSED;
		got += (size_t)n;
	}
	return header[0] == 'R' ? ACCEPTED : REFUSED;
}

static int send_all(int fd, const char *bytes, size_t count)
{
	while (count > 0) {
		ssize_t n = send(fd, bytes, count, MSG_NOSIGNAL);

		if (n < 0 && errno == EPIPE)
			return 0;
		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0) {
			bytes += n;
			count -= (size_t)n;
		}
	}
	return 0;
}

static int send_request(int fd)
{
	char request[REQUEST_BYTES];

	memset(request, '.', sizeof(request));
	request[0] = 'R';
	return send_all(fd, request, sizeof(request));
}

int main(void)
{
	int fds[2];
	int status;
	pid_t server;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
		return 2;
	server = fork();
	if (server < 0)
		return 2;
	if (server == 0) {
		close(fds[0]);
		_exit(serve(fds[1]));
	}
	close(fds[1]);
	if (send_request(fds[0]) != 0)
		return 2;
	if (waitpid(server, &status, 0) != server || !WIFEXITED(status))
		return 2;
	puts(WEXITSTATUS(status) == ACCEPTED ? "the server accepted" : "the server refused");
	return WEXITSTATUS(status);
}
