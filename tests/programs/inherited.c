/* Prints the open descriptors at main, with a pair in use, and after it was closed.
 * The native run and the run under weir must print the same. */
#include "check.h"

#include <dirent.h>

static void print_open(const char *when)
{
	DIR *list = opendir("/proc/self/fd");
	CHECK(list != NULL);
	printf("%s:", when);
	for (int fd = 0; fd < 1024; fd++)
		if (fd != dirfd(list) && fcntl(fd, F_GETFD) >= 0)
			printf(" %d", fd);
	int entries = 0;
	while (readdir(list))
		entries++;
	printf(" (%d)\n", entries - 3);
	closedir(list);
}

int main(void)
{
	static struct check_report report;
	int sv[2];
	check_report = &report;
	print_open("at main");
	pair_open(sv, 0);
	size_t full = fill(sv[0]);
	drain(sv[1], full, 0);
	print_open("in use");
	CHECK(close(sv[0]) == 0 && close(sv[1]) == 0);
	print_open("closed");
	return 0;
}
