/*
 * A client that receives messages: a byte with the length, then the text. It takes for granted that
 * a connection ends between two messages.
 */
#include "test.h"

/* The bug: where the connection ends in the middle, what has come so far is taken for the message. */
static ssize_t receive_message(int fd, char text[TEXT_MAX + 1])
{
	unsigned char length;
	size_t got = 0;

	if (read(fd, &length, 1) != 1)
		return -1;
	while (got < length) {
		ssize_t n = read(fd, text + got, length - got);

		if (n <= 0)
			break;
		got += (size_t)n;
	}
	text[got] = '\0';
	return (ssize_t)got;
}

int main(void)
{
	return run_tests(receive_message);
}
