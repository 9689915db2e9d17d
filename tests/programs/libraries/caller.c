/* A library that makes and uses pairs with whatever names it is bound to. */
#include <sys/socket.h>
#include <unistd.h>

int library_pair(int sv[2]);
int library_write(int fd, const char *bytes, int n);
int library_read(int fd, char *bytes, int n);

int library_pair(int sv[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
}

int library_write(int fd, const char *bytes, int n)
{
	return (int)write(fd, bytes, (size_t)n);
}

int library_read(int fd, char *bytes, int n)
{
	return (int)read(fd, bytes, (size_t)n);
}
