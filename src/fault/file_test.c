#include "fault/file.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/test.h"

/* What was handed to add(), as "LINE:RULE;". */
static char added[2048];
/* What was said on standard error. */
static char said[1024];

static bool add(void *context, const char *rule, unsigned line)
{
	size_t n = strlen(added);

	snprintf(added + n, sizeof added - n, "%u:%s;", line, rule);
	return !context || strcmp(rule, context) != 0;
}

/* Reads a file, or standard input, with standard error in a pipe. */
static bool read_path(const char *path, void *refused)
{
	int saved = dup(STDERR_FILENO);
	int ends[2];
	bool good;
	ssize_t n;

	added[0] = '\0';
	CHECK(saved >= 0 && pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) >= 0);
	good = weir_faults_read(path, add, refused);
	CHECK(dup2(saved, STDERR_FILENO) >= 0);
	close(ends[1]);
	n = read(ends[0], said, sizeof said - 1);
	said[n > 0 ? n : 0] = '\0';
	close(ends[0]);
	close(saved);
	return good;
}

/* The same for a file of these bytes; its name begins what is said. */
static bool read_bytes(const char *bytes, size_t length, void *refused)
{
	char path[] = "/tmp/weir-file-test-XXXXXX";
	int fd = mkstemp(path);
	bool good;

	CHECK(fd >= 0 && write(fd, bytes, length) == (ssize_t)length);
	close(fd);
	good = read_path(path, refused);
	unlink(path);
	if (!strncmp(said + strlen("weir: "), path, strlen(path)))
		memmove(said, said + strlen("weir: ") + strlen(path),
		        strlen(said) + 1 - strlen("weir: ") - strlen(path));
	return good;
}

static bool read_text(const char *text)
{
	return read_bytes(text, strlen(text), NULL);
}

static void rules_and_comments(void)
{
	CHECK(read_text("# a plan\n"
	                "\n"
	                "read:eof\n"
	                "  \t # also a comment\n"
	                " \twrite:short:match=a#b c \t\n"
	                "#"));
	CHECK_TEXT(added, "3:read:eof;5:write:short:match=a#b c;");
	CHECK_TEXT(said, "");
}

static void ends_of_lines(void)
{
	CHECK(read_text(""));
	CHECK_TEXT(added, "");
	CHECK(read_text("\n\n\n"));
	CHECK_TEXT(added, "");
	CHECK(read_text("read:eof\r\n\r\nany:eof \r\n# x\r\nwrite:eof"));
	CHECK_TEXT(added, "1:read:eof;3:any:eof;5:write:eof;");
	CHECK(read_text("read:eof\r"));
	CHECK_TEXT(added, "1:read:eof;");
	CHECK(read_text("read:\reof\r\r\n"));
	CHECK_TEXT(added, "1:read:\reof\r;");
	CHECK_TEXT(said, "");
}

static void long_lines(void)
{
	char text[600];

	memset(text, 'x', sizeof text);
	CHECK(read_bytes(text, 255, NULL));
	CHECK_EQ(strlen(added), 255 + 3);
	memcpy(text + 255, "\r\nread:eof\n", 11);
	CHECK(read_bytes(text, 266, NULL));
	CHECK_TEXT(added + 255 + 3, "2:read:eof;");
	text[255] = 'x';
	CHECK(!read_bytes(text, 266, NULL));
	CHECK_TEXT(said, ":1: column 256: expected the end of a line of 255 bytes\n");
	CHECK_TEXT(added, "");
	CHECK(!read_bytes(text, 256, NULL));
	memset(text, 'x', sizeof text);
	text[0] = '\n';
	CHECK(!read_bytes(text, sizeof text, NULL));
	CHECK_TEXT(said, ":2: column 256: expected the end of a line of 255 bytes\n");
}

static void null_bytes(void)
{
	CHECK(!read_bytes("any:eof\nread:\0eof\n", 18, NULL));
	CHECK_TEXT(added, "1:any:eof;");
	CHECK_TEXT(said, ":2: column 6: expected text, not a null byte\n");
	CHECK(!read_bytes("#\0", 2, NULL));
	CHECK_TEXT(said, ":1: column 2: expected text, not a null byte\n");
}

static void stops_where_add_does(void)
{
	char refused[] = "b";

	CHECK(!read_bytes("a\nb\nc\n", 6, refused));
	CHECK_TEXT(added, "1:a;2:b;");
	CHECK_TEXT(said, "");
}

static void no_file(void)
{
	CHECK(!read_path("/nonexistent/rules", NULL));
	CHECK_TEXT(said, "weir: /nonexistent/rules: No such file or directory\n");
	CHECK(!read_path("/", NULL));
	CHECK_TEXT(said, "weir: /: Is a directory\n");
	CHECK(!read_path("", NULL));
	CHECK_TEXT(said, "weir: : No such file or directory\n");
}

static void an_endless_line(void)
{
	CHECK(!read_path("/dev/zero", NULL));
	CHECK_TEXT(said, "weir: /dev/zero:1: column 1: expected text, not a null byte\n");
}

static void standard_input(void)
{
	int saved = dup(STDIN_FILENO);
	int ends[2];

	CHECK(pipe(ends) == 0 && dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
	CHECK_EQ(write(ends[1], "read:eof\n\0", 10), 10);
	close(ends[0]);
	close(ends[1]);
	CHECK(!read_path("-", NULL));
	CHECK_TEXT(added, "1:read:eof;");
	CHECK_TEXT(said, "weir: standard input:2: column 1: expected text, not a null byte\n");
	if (saved >= 0)
		dup2(saved, STDIN_FILENO);
	close(saved);
}

int main(void)
{
	RUN(rules_and_comments);
	RUN(ends_of_lines);
	RUN(long_lines);
	RUN(null_bytes);
	RUN(stops_where_add_does);
	RUN(no_file);
	RUN(an_endless_line);
	RUN(standard_input);
	return weir_test_end();
}
