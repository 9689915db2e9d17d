/*
 * A client that receives messages: a byte with the length, then the text. A message counts when all
 * of it has come.
 */
#include "test.h"

static ssize_t receive_message(int fd, char text[TEXT_MAX + 1])
{
	unsigned char length;
	size_t got = 0;

	if (read(fd, &length, 1) != 1)
		return -1;
	while (got < length) {
		ssize_t n = read(fd, text + got, length - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		got += (size_t)n;
	}
	text[got] = '\0';
	return (ssize_t)got;
}

int main(void)
{
	return run_tests(receive_message);
}
