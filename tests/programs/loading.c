/* Pairs that a library uses which was loaded in an unusual way, and the program as well.
 *
 *	loading plain|deep|space LIBRARY
 *
 * `deep`: with RTLD_DEEPBIND; `space`: in a namespace of its own, by dlmopen. LIBRARY is
 * tests/programs/libraries/caller.c.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROUNDS = 100 };

struct user {
	int (*pair)(int sv[2]);
	int (*write)(int fd, const char *bytes, int n);
	int (*read)(int fd, char *bytes, int n);
};

static int own_pair(int sv[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
}

static int own_write(int fd, const char *bytes, int n)
{
	return (int)write(fd, bytes, (size_t)n);
}

static int own_read(int fd, char *bytes, int n)
{
	return (int)read(fd, bytes, (size_t)n);
}

static const struct user own = {own_pair, own_write, own_read};

static void need(int good, const char *what)
{
	if (good)
		return;
	printf("FAILED: %s\n", what);
	exit(1);
}

static void *load(const char *how, const char *path)
{
	if (strcmp(how, "space") == 0)
		return dlmopen(LM_ID_NEWLM, path, RTLD_NOW);
	return dlopen(path, strcmp(how, "deep") == 0 ? RTLD_NOW | RTLD_DEEPBIND : RTLD_NOW);
}

static void *name(void *library, const char *symbol)
{
	void *found = dlsym(library, symbol);

	need(found != NULL, symbol);
	return found;
}

/* Bytes from one user to the other, both ways. */
static void exchange(const struct user *a, const struct user *b, const int sv[2], const char *what)
{
	char sent[64], got[64];

	for (int i = 0; i < ROUNDS; i++) {
		memset(sent, 'A' + i % 50, sizeof(sent));
		need(a->write(sv[0], sent, 64) == 64, what);
		need(b->read(sv[1], got, 64) == 64 && memcmp(sent, got, 64) == 0, what);
		need(b->write(sv[1], sent, 32) == 32, what);
		need(a->read(sv[0], got, 64) == 32 && memcmp(sent, got, 32) == 0, what);
	}
	printf("%s ok\n", what);
}

int main(int argc, char **argv)
{
	int before[2], after[2], theirs[2];

	need(argc == 3 && own.pair(before) == 0, "start");
	void *library = load(argv[1], argv[2]);
	if (!library)
		printf("%s\n", dlerror());
	need(library != NULL, "load");
	struct user other = {name(library, "library_pair"), name(library, "library_write"),
	                     name(library, "library_read")};
	exchange(&own, &own, before, "the program's pair");
	need(own.pair(after) == 0 && other.pair(theirs) == 0, "pairs");
	exchange(&own, &other, after, "a pair of the program's that both use");
	exchange(&other, &own, theirs, "a pair of the library's that both use");
	exchange(&other, &other, theirs, "the library's pair");
	if (strcmp(argv[1], "space") != 0)
		exchange(&own, &other, before, "an earlier pair that both use");
	return 0;
}
