/* Calls before main, from constructors, and while the process ends.
 *
 * Not a table of cases: what is tested is when things run. Each stage uses a pair of
 * its own and prints its name to standard output by a plain write, so that the order
 * can be compared with the native run. The library in libraries/early.c, preloaded,
 * does the same in a constructor and a destructor of its own. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static int kept[2];

static void tell(const char *stage, int good)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "%s %s\n", stage, good ? "ok" : "FAILED");
	if (write(STDOUT_FILENO, text, (size_t)n) != n)
		_exit(9);
}

/* Makes, uses and closes a pair. */
static int round_trip(void)
{
	char buffer[16];
	int sv[2], good;
	struct iovec iov = {buffer + 4, 4};
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv))
		return 0;
	good = write(sv[0], "12345678", 8) == 8 && read(sv[1], buffer, 4) == 4 &&
	       readv(sv[1], &iov, 1) == 4 && memcmp(buffer, "12345678", 8) == 0 &&
	       recv(sv[1], buffer, 1, MSG_DONTWAIT) == -1;
	good = close(sv[0]) == 0 && read(sv[1], buffer, 1) == 0 && close(sv[1]) == 0 && good;
	return good;
}

static void before_all_constructors(int argc, char **argv, char **environment)
{
	(void)argc, (void)argv, (void)environment;
	int good = round_trip();
	good = socketpair(AF_UNIX, SOCK_STREAM, 0, kept) == 0 && write(kept[0], "kept", 4) == 4 && good;
	tell("preinit", good);
}

__attribute__((section(".preinit_array"), used)) static void (*const preinit)(int, char **, char **) =
        before_all_constructors;

__attribute__((constructor)) static void constructor(void)
{
	tell("constructor", round_trip());
}

__attribute__((destructor)) static void destructor(void)
{
	char byte;
	int good = round_trip();
	good = read(kept[0], &byte, 1) == 1 && byte == 'z' && good;
	tell("destructor", good);
}

static void at_exit(void)
{
	int good = round_trip();
	good = write(kept[1], "z", 1) == 1 && good;
	tell("atexit", good);
}

int main(void)
{
	char buffer[8];
	int good = read(kept[1], buffer, sizeof(buffer)) == 4 && memcmp(buffer, "kept", 4) == 0;
	atexit(at_exit);
	tell("main", round_trip() && good);
	return 0;
}
