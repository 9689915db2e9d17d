/* stdio on marked descriptors: fdopen in all modes, and the standard streams. */
#include "check.h"

#include <stdio_ext.h>

#include <wchar.h>
#include <stdarg.h>

static FILE *stream(int fd, const char *mode)
{
	FILE *file = fdopen(fd, mode);
	CHECK(file != NULL);
	CHECK_EQ(fileno(file), fd);
	return file;
}

static void expect_line(FILE *file, const char *text)
{
	char line[256];
	CHECK(fgets(line, sizeof(line), file) != NULL);
	if (strcmp(line, text) != 0)
		check_fail(__FILE__, __LINE__, "the line is \"%s\", not \"%s\"", line, text);
}

CASE(lines_from_stream_to_stream)
{
	int sv[2];
	pair_open(sv, 0);
	FILE *out = stream(sv[0], "w"), *in = stream(sv[1], "r");
	for (int i = 0; i < 200; i++) {
		char line[32];
		CHECK(fprintf(out, "line %d\n", i) > 0);
		CHECK(fflush(out) == 0);
		snprintf(line, sizeof(line), "line %d\n", i);
		expect_line(in, line);
	}
	CHECK(fclose(out) == 0);
	CHECK_EQ(fgetc(in), EOF);
	CHECK(feof(in) && !ferror(in));
	CHECK(fclose(in) == 0);
}

static void mode_reads(const char *mode)
{
	int sv[2];
	pair_open(sv, 0);
	FILE *in = stream(sv[1], mode);
	say(sv[0], "abc\n");
	expect_line(in, "abc\n");
	CHECK(fclose(in) == 0);
	CHECK_FAILS(fcntl(sv[1], F_GETFD), EBADF);
	CHECK_FAILS(send(sv[0], "x", 1, MSG_NOSIGNAL), EPIPE);
}

static void mode_writes(const char *mode)
{
	int sv[2];
	pair_open(sv, 0);
	FILE *out = stream(sv[0], mode);
	CHECK(fputs("abc\n", out) >= 0);
	hear_nothing(sv[1]);
	CHECK(fclose(out) == 0);
	CHECK_FAILS(fcntl(sv[0], F_GETFD), EBADF);
	hear(sv[1], "abc\n");
	hear_end(sv[1]);
}

CASE(mode_r) { mode_reads("r"); }

CASE(mode_rb) { mode_reads("rb"); }

CASE(mode_r_plus_reads) { mode_reads("r+"); }

CASE(mode_w_plus_reads) { mode_reads("w+"); }

CASE(mode_a_plus_reads) { mode_reads("a+"); }

CASE(mode_w) { mode_writes("w"); }

CASE(mode_wb) { mode_writes("wb"); }

CASE(mode_a) { mode_writes("a"); }

CASE(mode_r_plus_writes) { mode_writes("r+"); }

CASE(mode_w_plus_writes) { mode_writes("w+"); }

CASE(mode_a_plus_writes) { mode_writes("a+"); }

CASE(wrong_modes)
{
	int sv[2];
	pair_open(sv, 0);
	errno = 0;
	CHECK(fdopen(sv[0], "z") == NULL && errno == EINVAL);
	say(sv[0], "still open");
	hear(sv[1], "still open");
	CHECK(close(sv[0]) == 0);
	errno = 0;
	CHECK(fdopen(sv[0], "r") == NULL && errno == EBADF);
}

CASE(a_stream_of_one_direction)
{
	int sv[2];
	pair_open(sv, 0);
	FILE *in = stream(sv[0], "r"), *out = stream(sv[1], "w");
	errno = 0;
	CHECK(fputc('x', in) == EOF && errno == EBADF && ferror(in));
	errno = 0;
	CHECK(fgetc(out) == EOF && errno == EBADF && ferror(out));
}

/* A program that speaks both ways over one stream, as fdopen(fd, "r+") allows. */
CASE(both_ways_over_one_stream)
{
	int sv[2];
	pair_open(sv, 0);
	FILE *a = stream(sv[0], "r+"), *b = stream(sv[1], "r+");
	for (int i = 0; i < 20; i++) {
		CHECK(fputs("question\n", a) >= 0 && fflush(a) == 0);
		expect_line(b, "question\n");
		CHECK(fseek(b, 0, SEEK_CUR) == -1);
		CHECK(fputs("answer\n", b) >= 0 && fflush(b) == 0);
		expect_line(a, "answer\n");
		CHECK(fseek(a, 0, SEEK_CUR) == -1);
	}
}

CASE(two_streams_over_one_end)
{
	int sv[2];
	pair_open(sv, 0);
	FILE *in = stream(dup(sv[0]), "r"), *out = stream(dup(sv[0]), "w");
	say(sv[1], "in\n");
	expect_line(in, "in\n");
	CHECK(fputs("out\n", out) >= 0 && fclose(out) == 0);
	hear(sv[1], "out\n");
	say(sv[1], "more\n");
	expect_line(in, "more\n");
	CHECK(fclose(in) == 0);
	hear_nothing(sv[1]);
}

CASE(unbuffered)
{
	int sv[2];
	pair_open(sv, 0);
	FILE *out = stream(sv[0], "w");
	CHECK(setvbuf(out, NULL, _IONBF, 0) == 0);
	CHECK(fputs("abc", out) >= 0);
	hear(sv[1], "abc");
	CHECK(fputc('d', out) == 'd');
	hear(sv[1], "d");
}

CASE(line_buffered)
{
	static char buffer[512];
	int sv[2];
	pair_open(sv, 0);
	FILE *out = stream(sv[0], "w");
	CHECK(setvbuf(out, buffer, _IOLBF, sizeof(buffer)) == 0);
	CHECK(fputs("abc", out) >= 0);
	hear_nothing(sv[1]);
	CHECK(fputs("def\n", out) >= 0);
	hear(sv[1], "abcdef\n");
}

CASE(fully_buffered_with_an_own_buffer)
{
	static char buffer[256];
	int sv[2];
	pair_open(sv, 0);
	FILE *out = stream(sv[0], "w");
	CHECK(setvbuf(out, buffer, _IOFBF, sizeof(buffer)) == 0);
	CHECK(fputs("abc\n", out) >= 0);
	hear_nothing(sv[1]);
	for (int i = 0; i < 60; i++)
		CHECK(fputs("0123456789", out) >= 0);
	CHECK(readiness(sv[1]) & POLLIN);
	CHECK(fclose(out) == 0);
	hear(sv[1], "abc\n0123456789");
}

CASE(unbuffered_reading_takes_no_more_than_asked)
{
	int sv[2];
	pair_open(sv, 0);
	FILE *in = stream(sv[1], "r");
	CHECK(setvbuf(in, NULL, _IONBF, 0) == 0);
	say(sv[0], "abcdef");
	CHECK_EQ(fgetc(in), 'a');
	CHECK_EQ(fgetc(in), 'b');
	hear(sv[1], "cdef");
}

CASE(buffered_reading_takes_what_is_there)
{
	int sv[2];
	pair_open(sv, 0);
	FILE *in = stream(sv[1], "r");
	say(sv[0], "abcdef");
	CHECK_EQ(fgetc(in), 'a');
	hear_nothing(sv[1]);
	CHECK_EQ(fgetc(in), 'b');
	CHECK_EQ(ungetc('B', in), 'B');
	CHECK_EQ(fgetc(in), 'B');
	CHECK_EQ(fgetc(in), 'c');
}

CASE(whole_blocks)
{
	enum { SIZE = 300000 };
	static unsigned char bytes[SIZE];
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		CHECK(close(sv[1]) == 0);
		FILE *out = stream(sv[0], "w");
		pattern_make(bytes, SIZE, 0);
		CHECK_EQ(fwrite(bytes, 1, SIZE, out), SIZE);
		CHECK(fclose(out) == 0);
		_exit(0);
	}
	CHECK(close(sv[0]) == 0);
	FILE *in = stream(sv[1], "r");
	CHECK_EQ(fread(bytes, 1, SIZE, in), SIZE);
	pattern_check(bytes, SIZE, 0);
	CHECK_EQ(fread(bytes, 1, SIZE, in), 0);
	CHECK(feof(in));
	child_join(pid);
}

CASE(scanning_and_getline)
{
	int sv[2], a, b;
	char *line = NULL;
	size_t size = 0;
	pair_open(sv, 0);
	FILE *in = stream(sv[1], "r");
	say(sv[0], "12 34\na longer line\nrest");
	CHECK_EQ(fscanf(in, "%d %d\n", &a, &b), 2);
	CHECK(a == 12 && b == 34);
	CHECK_EQ(getline(&line, &size, in), 14);
	CHECK(strcmp(line, "a longer line\n") == 0);
	CHECK(close(sv[0]) == 0);
	CHECK_EQ(getline(&line, &size, in), 4);
	CHECK_EQ(getline(&line, &size, in), -1);
}

CASE(wide_characters)
{
	int sv[2];
	wchar_t line[32];
	pair_open(sv, 0);
	FILE *out = stream(sv[0], "w"), *in = stream(sv[1], "r");
	CHECK(fputws(L"wide\n", out) >= 0);
	CHECK(fclose(out) == 0);
	CHECK(fgetws(line, 32, in) != NULL);
	CHECK(wcscmp(line, L"wide\n") == 0);
	CHECK(fwide(in, 0) > 0);
}

CASE(seeking_is_refused)
{
	int sv[2];
	pair_open(sv, 0);
	FILE *in = stream(sv[1], "r");
	errno = 0;
	CHECK(fseek(in, 0, SEEK_SET) == -1);
	CHECK_EQ(errno, ESPIPE);
	errno = 0;
	CHECK_EQ(ftell(in), -1);
	CHECK_EQ(errno, ESPIPE);
	say(sv[0], "abc\n");
	expect_line(in, "abc\n");
}

CASE(a_nonblocking_stream_says_eagain)
{
	int sv[2];
	pair_open(sv, SOCK_NONBLOCK);
	FILE *in = stream(sv[1], "r");
	errno = 0;
	CHECK(fgetc(in) == EOF && ferror(in) && !feof(in));
	CHECK_EQ(errno, EAGAIN);
	clearerr(in);
	say(sv[0], "a");
	CHECK_EQ(fgetc(in), 'a');
}

CASE(a_broken_stream_says_epipe)
{
	int sv[2];
	signal(SIGPIPE, SIG_IGN);
	pair_open(sv, 0);
	FILE *out = stream(sv[0], "w");
	CHECK(close(sv[1]) == 0);
	CHECK(fputs("abc", out) >= 0);
	errno = 0;
	CHECK_EQ(fflush(out), EOF);
	CHECK_EQ(errno, EPIPE);
	CHECK(ferror(out));
}

CASE(end_of_file_is_sticky_until_cleared)
{
	int sv[2];
	pair_open(sv, 0);
	FILE *in = stream(sv[1], "r");
	CHECK(shutdown(sv[0], SHUT_WR) == 0);
	CHECK_EQ(fgetc(in), EOF);
	CHECK(feof(in));
	clearerr(in);
	CHECK(!feof(in));
	CHECK_EQ(fgetc(in), EOF);
}

static int print_to(int fd, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int n = vdprintf(fd, format, arguments);
	va_end(arguments);
	return n;
}

/* What a program compiled with _FORTIFY_SOURCE calls instead. */
int __dprintf_chk(int fd, int flag, const char *format, ...);

CASE(dprintf_writes_at_once)
{
	int sv[2];
	static char big[5000];
	pair_open(sv, 0);
	CHECK_EQ(dprintf(sv[0], "%d %s\n", 42, "text"), 8);
	hear(sv[1], "42 text\n");
	CHECK_EQ(print_to(sv[0], "%c", 'x'), 1);
	hear(sv[1], "x");
	CHECK_EQ(__dprintf_chk(sv[0], 1, "%s", "checked"), 7);
	hear(sv[1], "checked");
	memset(big, 'b', sizeof(big) - 1);
	CHECK_EQ(dprintf(sv[0], "%s", big), 4999);
	for (int i = 0; i < 4999; i += 100) {
		char piece[101];
		memset(piece, 'b', sizeof(piece));
		piece[i + 100 <= 4999 ? 100 : 99] = '\0';
		hear(sv[1], piece);
	}
	hear_nothing(sv[1]);
}

CASE(dprintf_to_nobody)
{
	int sv[2];
	signal(SIGPIPE, SIG_IGN);
	pair_open(sv, 0);
	CHECK(close(sv[1]) == 0);
	CHECK_FAILS(dprintf(sv[0], "x"), EPIPE);
	CHECK(close(sv[0]) == 0);
	CHECK_FAILS(dprintf(sv[0], "x"), EBADF);
}

CASE(standard_output_replaced)
{
	int sv[2];
	fflush(stdout);
	pair_open(sv, 0);
	int saved = dup(1);
	CHECK_EQ(dup2(sv[0], 1), 1);
	CHECK_EQ(fileno(stdout), 1);
	CHECK_EQ(printf("printf %d\n", 1), 9);
	CHECK(puts("puts") >= 0);
	CHECK(fputs("fputs\n", stdout) >= 0);
	CHECK_EQ(putchar('c'), 'c');
	CHECK_EQ(fwrite("fwrite\n", 1, 7, stdout), 7);
	CHECK(fflush(stdout) == 0);
	hear(sv[1], "printf 1\nputs\nfputs\ncfwrite\n");
	say(1, "write");
	hear(sv[1], "write");
	CHECK_EQ(dup2(saved, 1), 1);
	CHECK(close(sv[0]) == 0);
	hear_end(sv[1]);
	CHECK(printf("%s", "") == 0 && fflush(stdout) == 0);
}

CASE(standard_error_replaced)
{
	int sv[2];
	pair_open(sv, 0);
	int saved = dup(2);
	CHECK_EQ(dup2(sv[0], 2), 2);
	CHECK(fprintf(stderr, "error %d\n", 7) > 0);
	hear(sv[1], "error 7\n");
	errno = ENOENT;
	perror("perror");
	hear(sv[1], "perror: No such file or directory\n");
	CHECK_EQ(dup2(saved, 2), 2);
}

CASE(standard_input_replaced)
{
	int sv[2], number;
	pair_open(sv, 0);
	CHECK_EQ(dup2(sv[1], 0), 0);
	CHECK(close(sv[1]) == 0);
	say(sv[0], "first line\n42\nx");
	expect_line(stdin, "first line\n");
	CHECK_EQ(scanf("%d\n", &number), 1);
	CHECK_EQ(number, 42);
	CHECK_EQ(getchar(), 'x');
	CHECK(close(sv[0]) == 0);
	CHECK_EQ(getchar(), EOF);
	CHECK(feof(stdin));
	CHECK_EQ(fileno(stdin), 0);
}

/* What was read ahead stays with the stream, whatever its descriptor becomes. */
CASE(standard_input_replaced_with_something_read_ahead)
{
	int sv[2], ends[2];
	CHECK(pipe(ends) == 0);
	pair_open(sv, 0);
	say(ends[1], "one\ntwo\nthree\n");
	CHECK_EQ(dup2(ends[0], 0), 0);
	expect_line(stdin, "one\n");
	say(sv[0], "four\n");
	CHECK_EQ(dup2(sv[1], 0), 0);
	expect_line(stdin, "two\n");
	expect_line(stdin, "three\n");
	expect_line(stdin, "four\n");
}

CASE(buffers_are_those_of_a_socket)
{
	int sv[2], fds[2];
	pair_open(sv, 0);
	CHECK((fds[0] = dup(sv[0])) >= 0 && (fds[1] = dup(sv[1])) >= 0);
	FILE *out = stream(sv[0], "w"), *in = stream(sv[1], "r");
	CHECK(putc('x', out) == 'x' && fflush(out) == 0);
	CHECK_EQ(getc(in), 'x');
	CHECK_EQ(__fbufsize(out), 4096);
	CHECK_EQ(__fbufsize(in), 4096);
	CHECK(fclose(out) == 0 && fclose(in) == 0);
	out = stream(fds[0], "w");
	CHECK(putc('y', out) == 'y' && fflush(out) == 0);
	CHECK_EQ(__fbufsize(out), 4096);
	hear(fds[1], "y");
}

CASE(an_unbuffered_standard_output_stays_so)
{
	int sv[2];
	pair_open(sv, 0);
	CHECK(freopen("/dev/null", "w", stdout) == stdout);
	CHECK_EQ(setvbuf(stdout, NULL, _IONBF, 0), 0);
	CHECK_EQ(dup2(sv[0], 1), 1);
	CHECK_EQ(printf("at once"), 7);
	hear(sv[1], "at once");
}

/* The second one still writes what it holds, to nobody. */
CASE(one_of_two_streams_is_closed)
{
	int sv[2];
	pair_open(sv, 0);
	FILE *out = stream(sv[0], "w"), *in = stream(sv[0], "r");
	CHECK(fputs("kept", out) >= 0);
	CHECK(fclose(in) == 0);
	CHECK_EQ(fileno(out), sv[0]);
	CHECK_FAILS(fclose(out), EBADF);
	hear_end(sv[1]);
}

/* Numbers 0 and 1 were free when the pair was made. */
CASE(a_pair_that_is_standard_input_and_output)
{
	int sv[2];
	fflush(stdout);
	CHECK(close(0) == 0 && close(1) == 0);
	pair_open(sv, 0);
	CHECK(sv[0] == 0 && sv[1] == 1);
	CHECK(fputs("to myself\n", stdout) >= 0 && fflush(stdout) == 0);
	expect_line(stdin, "to myself\n");
}

CASE(output_of_a_child_at_exit)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		CHECK_EQ(dup2(sv[0], 1), 1);
		CHECK(close(sv[0]) == 0 && close(sv[1]) == 0);
		printf("flushed by exit\n");
		exit(0);
	}
	CHECK(close(sv[0]) == 0);
	hear(sv[1], "flushed by exit\n");
	hear_end(sv[1]);
	child_join(pid);
}

CASE(streams_of_a_child_at_exit)
{
	int sv[2];
	pair_open(sv, 0);
	pid_t pid = child_start();
	if (pid == 0) {
		FILE *out = stream(sv[0], "w");
		CHECK(close(sv[1]) == 0);
		fputs("flushed by exit\n", out);
		exit(0);
	}
	CHECK(close(sv[0]) == 0);
	hear(sv[1], "flushed by exit\n");
	hear_end(sv[1]);
	child_join(pid);
}

CASE(fclose_of_standard_output)
{
	int sv[2];
	fflush(stdout);
	pair_open(sv, 0);
	CHECK_EQ(dup2(sv[0], 1), 1);
	CHECK(close(sv[0]) == 0);
	printf("last words\n");
	CHECK(fclose(stdout) == 0);
	CHECK_FAILS(fcntl(1, F_GETFD), EBADF);
	hear(sv[1], "last words\n");
	hear_end(sv[1]);
}

CASE(freopen_of_a_marked_stream)
{
	int sv[2];
	pair_open(sv, 0);
	FILE *out = stream(sv[0], "w");
	CHECK(fputs("abc\n", out) >= 0);
	out = freopen("/dev/null", "w", out);
	CHECK(out != NULL);
	hear(sv[1], "abc\n");
	hear_end(sv[1]);
	CHECK(fputs("nowhere\n", out) >= 0);
	CHECK(fclose(out) == 0);
}

CASE(freopen_of_replaced_standard_output)
{
	int sv[2];
	fflush(stdout);
	pair_open(sv, 0);
	CHECK_EQ(dup2(sv[0], 1), 1);
	CHECK(close(sv[0]) == 0);
	printf("abc\n");
	CHECK(freopen("/dev/null", "w", stdout) != NULL);
	hear(sv[1], "abc\n");
	hear_end(sv[1]);
	CHECK(printf("nowhere\n") == 8 && fflush(stdout) == 0);
}

CASE(a_closed_stream_number_is_free_again)
{
	int sv[2], ends[2];
	pair_open(sv, 0);
	FILE *out = stream(sv[0], "w");
	CHECK(fclose(out) == 0);
	CHECK(pipe(ends) == 0);
	CHECK_EQ(ends[0], sv[0]);
	say(ends[1], "pipe");
	hear(ends[0], "pipe");
	hear_end(sv[1]);
}

CASE(fflush_of_everything)
{
	int sv[2];
	pair_open(sv, 0);
	FILE *out = stream(sv[0], "w");
	CHECK(fputs("abc", out) >= 0);
	CHECK(fflush(NULL) == 0);
	hear(sv[1], "abc");
}

struct line_writer {
	FILE *out;
	int mark;
};

static void *write_lines(void *argument)
{
	struct line_writer *l = argument;
	for (int i = 0; i < 500; i++)
		CHECK(fprintf(l->out, "%d%d%d%d\n", l->mark, l->mark, l->mark, l->mark) == 5);
	return NULL;
}

/* Lines of several threads do not mix within one stream. */
CASE(threads_share_a_stream)
{
	int sv[2];
	struct worker w[3];
	struct line_writer l[3];
	char line[16];
	pair_open(sv, 0);
	FILE *out = stream(sv[0], "w"), *in = stream(sv[1], "r");
	for (int i = 0; i < 3; i++) {
		l[i] = (struct line_writer){out, i};
		worker_start(&w[i], write_lines, &l[i]);
	}
	for (int i = 0; i < 3; i++)
		worker_join(&w[i]);
	CHECK(fclose(out) == 0);
	int lines = 0;
	while (fgets(line, sizeof(line), in)) {
		CHECK(strlen(line) == 5 && line[0] == line[1] && line[0] == line[2] && line[0] == line[3]);
		lines++;
	}
	CHECK_EQ(lines, 1500);
}

CASE(streams_that_are_not_ours)
{
	int ends[2];
	CHECK(pipe(ends) == 0);
	FILE *out = stream(ends[1], "w"), *in = stream(ends[0], "r");
	CHECK(fputs("pipe\n", out) >= 0 && fclose(out) == 0);
	expect_line(in, "pipe\n");
	CHECK_EQ(fgetc(in), EOF);
	CHECK(fclose(in) == 0);
}

CHECK_MAIN
