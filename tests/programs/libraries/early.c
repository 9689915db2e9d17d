/* A library whose constructor and destructor use a pair; see early.c. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void tell(const char *text)
{
	if (write(STDOUT_FILENO, text, strlen(text)) < 0)
		_exit(9);
}

static int round_trip(void)
{
	char buffer[4];
	int sv[2];
	return socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == 0 && write(sv[0], "abcd", 4) == 4 &&
	       read(sv[1], buffer, 4) == 4 && memcmp(buffer, "abcd", 4) == 0 && close(sv[0]) == 0 &&
	       read(sv[1], buffer, 4) == 0 && close(sv[1]) == 0;
}

__attribute__((constructor)) static void library_constructor(void)
{
	tell(round_trip() ? "library constructor ok\n" : "library constructor FAILED\n");
}

__attribute__((destructor)) static void library_destructor(void)
{
	tell(round_trip() ? "library destructor ok\n" : "library destructor FAILED\n");
}
