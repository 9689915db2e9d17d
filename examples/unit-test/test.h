/*
 * The unit test of receive_message(): a whole message arrives, and one whose connection breaks, at
 * each of its bytes in turn, gives an error.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "weir.h"

#define TEXT_MAX 255
#define RULE_SIZE 64

/* Gives the length of the text, or -1. */
typedef ssize_t receiver(int fd, char text[TEXT_MAX + 1]);

static const char message[] = "\x0bpay 100 EUR";

/* What comes of the message through a connection that breaks as `rule` says, if there is one. */
static ssize_t receive_with(receiver *receive, const char *rule, char text[TEXT_MAX + 1])
{
	int fds[2];
	ssize_t got = -2;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
		return -2;
	if (rule && weir_fault(fds[0], rule) != 0)
		fprintf(stderr, "%s: %s (%s)\n", rule, strerror(errno), weir_fault_error());
	else if (send(fds[1], message, strlen(message), MSG_NOSIGNAL) >= 0 || errno == EPIPE)
		got = receive(fds[0], text);
	close(fds[0]);
	close(fds[1]);
	return got;
}

static int test_whole(receiver *receive)
{
	char text[TEXT_MAX + 1];
	int failed = receive_with(receive, NULL, text) < 0 || strcmp(text, message + 1) != 0;

	printf("%s: a whole message\n", failed ? "FAIL" : "ok");
	return failed;
}

static int breaks_at(receiver *receive, size_t byte)
{
	char rule[RULE_SIZE], text[TEXT_MAX + 1];
	ssize_t got;

	snprintf(rule, sizeof(rule), "read:eof:at=%zu", byte);
	got = receive_with(receive, rule, text);
	if (got >= 0)
		printf("FAIL: broken at byte %zu, received '%s'\n", byte, text);
	return got != -1;
}

static int test_broken(receiver *receive)
{
	int failed = 0;

	for (size_t byte = 0; byte < strlen(message); byte++)
		failed += breaks_at(receive, byte);
	if (failed == 0)
		puts("ok: a message that breaks");
	return failed;
}

static int run_tests(receiver *receive)
{
	int failed = test_whole(receive);

	if (weir_active())
		failed += test_broken(receive);
	else
		puts("skipped: a message that breaks (needs weir)");
	return failed > 0;
}
