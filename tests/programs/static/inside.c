/* weir.h in a program that no preloading reaches, and in its dynamic twin. */
#include "weir.h"

#include <stdio.h>
#include <sys/socket.h>

int main(void)
{
	struct weir_pair_info info;
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) != 0)
		return 1;
	if (weir_active())
		puts(weir_pair(sv[0], &info) == 0 && info.number == 1 ? "active" : "wrong");
	else
		puts(weir_pair(sv[0], &info) == -1 && errno == ENOSYS ? "absent" : "wrong");
	return 0;
}
