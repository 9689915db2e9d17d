/* What a program can tell of standard streams that are a pair, said on standard
 * output. The input is lines of decimal numbers.
 *
 *	standard [buffered]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void say_mode(const char *name, FILE *stream)
{
	printf("%s: fileno %d, line buffered %d, reading %d, writing %d\n", name, fileno(stream),
	       __flbf(stream) != 0, __freading(stream) != 0, __fwriting(stream) != 0);
}

static void say_no_seek(const char *name, FILE *stream)
{
	errno = 0;
	int result = fseek(stream, 0, SEEK_CUR);
	printf("%s: fseek %d %s", name, result, strerrorname_np(errno));
	errno = 0;
	long at = ftell(stream);
	printf(", ftell %ld %s\n", at, strerrorname_np(errno));
}

static void read_characters(void)
{
	int first = getchar();
	int pushed = ungetc('*', stdin);
	int again = getchar(), second = getchar();

	printf("%c, pushed back %c, read %c, then %c\n", first, pushed, again, second);
	printf("read buffer %zu\n", __fbufsize(stdin));
}

static void read_lines(void)
{
	char line[64] = "";
	int a = 0, b = 0, n = 0;

	int got = scanf("%d %d", &a, &b);
	printf("scanf %d: %d %d\n", got, a, b);
	while (fgets(line, sizeof(line), stdin))
		n++;
	printf("%d lines more, the last %s", n, line);
	printf("eof %d, error %d\n", feof(stdin) != 0, ferror(stdin) != 0);
	clearerr(stdin);
	printf("still at the end: %d\n", getchar());
}

/* Anything that nobody flushed goes out when the program ends. */
static int say_buffered(void)
{
	printf("one, ");
	printf("%zu pending, buffer %zu\n", __fpending(stdout), __fbufsize(stdout));
	for (int i = 0; i < 3000; i++)
		printf("%d\n", i);
	printf("%zu pending at exit\n", __fpending(stdout));
	return 3;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "buffered") == 0)
		return say_buffered();
	say_mode("stdin", stdin);
	say_mode("stdout", stdout);
	say_mode("stderr", stderr);
	say_no_seek("stdin", stdin);
	say_no_seek("stdout", stdout);
	read_characters();
	read_lines();
	printf("terminal %d %d\n", isatty(0), isatty(1));
	printf("error buffer %zu\n", __fbufsize(stderr));
	return 0;
}
