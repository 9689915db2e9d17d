/* One workload over socketpairs, with nothing but libc calls, so that the same binary measures the
 * kernel's sockets, pipes and, preloaded, weir. It prints a line of JSON. */
#include <string.h>

#include "channel.h"
#include "workloads.h"

static const char *const carriers[] = { "socketpair", "pipe", NULL };

static const struct workload workloads[] = {
	{ "write-read", TAKES_BYTES, write_read },
	{ "ping-pong", TAKES_BYTES | TAKES_PEER | TAKES_WAIT, ping_pong },
	{ "stream", TAKES_BYTES | TAKES_PEER | TAKES_WAIT, stream },
	{ "sleeper", TAKES_PEER | TAKES_WAIT, sleeper },
	{ "loop", TAKES_WAIT | TAKES_PAIRS, loop },
	{ "create", 0, create },
	{ "idle", TAKES_FLAVOUR, idle },                        /* fresh|used */
	{ "unmarked", TAKES_FLAVOUR, unmarked },                /* null-zero|pipe */
	{ "start-up", 0, start_up },
	{ NULL, 0, NULL },
};

int main(int argc, char **argv)
{
	struct request one = { .over = carriers[0] };

	if (argc == 2 && strcmp(argv[1], "nothing") == 0)
		return 0;
	if (argc == 2 && strcmp(argv[1], "prove") == 0) {
		prove(&one);
		return 0;
	}
	return bench_main(argv, workloads, carriers);
}
