/* Pairs in great number: slots go round, whoever closes, forks or dies.
 *
 *	slots churn COUNT	COUNT pairs, made and closed across forks and kills
 *	slots live COUNT	COUNT pairs open at once, each used
 *	slots rounds COUNT	COUNT times 50 pairs at once, whose holder closes or dies
 *
 * Each pair carries a byte each way, so that a slot that still belonged to
 * another pair would show.
 */
#include "check.h"
#include <sys/resource.h>

static uint64_t seed;

static unsigned int draw(unsigned int below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned int)(seed >> 33) % below;
}

static void use(const int sv[2], char byte)
{
	char got[2] = "";

	CHECK(write(sv[0], &byte, 1) == 1);
	CHECK(read(sv[1], got, 1) == 1 && got[0] == byte);
	CHECK(write(sv[1], &byte, 1) == 1);
	CHECK(read(sv[0], got, 1) == 1 && got[0] == byte);
}

/* A child that inherits the pair and goes in one of the ways there are. */
static void share(const int sv[2], unsigned int way)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		if (way == 0)
			pause();
		if (way == 1)
			CHECK(write(sv[1], "c", 1) == 1);
		_exit(0);
	}
	if (way == 0)
		CHECK(kill(pid, SIGKILL) == 0);
	CHECK(waitpid(pid, NULL, 0) == pid);
	char byte;
	if (way == 1)
		CHECK(read(sv[0], &byte, 1) == 1 && byte == 'c');
}

static void churn(long count)
{
	int kept[64][2];

	memset(kept, -1, sizeof(kept));
	for (long i = 0; i < count; i++) {
		int *sv = kept[draw(64)];
		if (sv[0] >= 0) {
			use(sv, (char)i);
			CHECK(close(sv[0]) == 0 && close(sv[1]) == 0);
		}
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == 0);
		use(sv, (char)~i);
		if (draw(200) == 0)
			share(sv, draw(3));
	}
}

static void live(long count)
{
	struct rlimit limit = {(rlim_t)count * 2 + 100, (rlim_t)count * 2 + 100};

	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	int(*sv)[2] = calloc((size_t)count, sizeof(*sv));
	CHECK(sv != NULL);
	for (long i = 0; i < count; i++)
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sv[i]) == 0);
	for (int round = 0; round < 2; round++)
		for (long i = 0; i < count; i++)
			use(sv[i], (char)(i + round));
	pid_t pid = fork();
	if (pid == 0) {
		for (long i = 0; i < count; i += 97)
			use(sv[i], (char)(i ^ 0x55));
		_exit(0);
	}
	int status;
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	for (long i = 0; i < count; i++)
		use(sv[i], (char)~i);
}

enum { ROUND = 50 };

static void open_all(int sv[ROUND][2], char byte)
{
	for (int i = 0; i < ROUND; i++)
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sv[i]) == 0);
	for (int i = 0; i < ROUND; i++)
		use(sv[i], byte);
}

/* Who is killed leaves the pairs that it made; who is killed last leaves those that
 * it inherited. */
static void rounds(long count)
{
	int sv[ROUND][2];

	for (long i = 0; i < count; i++) {
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			open_all(sv, (char)i);
			if (i % 4 == 1)
				for (int k = 0; k < ROUND; k++)
					CHECK(close(sv[k][0]) == 0 && close(sv[k][1]) == 0);
			if (i % 4 == 2 && fork() == 0)
				use(sv[0], 'c');
			if (i % 4 != 3)
				raise(SIGKILL);
			_exit(0);
		}
		CHECK(waitpid(pid, NULL, 0) == pid);
		while (i % 4 == 2 && waitpid(-1, NULL, 0) > 0)
			;
	}
	open_all(sv, 'e');
	for (int k = 0; k < ROUND - 10; k++)
		CHECK(close(sv[k][0]) == 0 && close(sv[k][1]) == 0);
}

int main(int argc, char **argv)
{
	static struct check_report report;
	const char *given = getenv("WEIR_SEED");

	check_report = &report;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (argc != 3)
		return 125;
	seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	fprintf(stderr, "WEIR_SEED=%llu\n", (unsigned long long)seed);
	if (strcmp(argv[1], "churn") == 0)
		churn(atol(argv[2]));
	else if (strcmp(argv[1], "rounds") == 0)
		rounds(atol(argv[2]));
	else
		live(atol(argv[2]));
	printf("%s %s: all passed\n", argv[1], argv[2]);
	return 0;
}
