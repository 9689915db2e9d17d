#include "fault/report.h"

#include <errno.h>
#include <unistd.h>

#include "base/test.h"

/* What complain() wrote to standard error. */
static char said[1024];

static void complain(const char *what, const char *text)
{
	struct weir_rule_error error = { .allowed = "" };
	struct weir_rule rule;
	int saved = dup(STDERR_FILENO);
	int ends[2];
	ssize_t n;

	CHECK(!weir_rule_parse(&rule, text, &error));
	CHECK(saved >= 0 && pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) >= 0);
	errno = ERANGE;
	weir_rule_complain(what, text, &error);
	CHECK_EQ(errno, ERANGE);
	CHECK(dup2(saved, STDERR_FILENO) >= 0);
	n = read(ends[0], said, sizeof said - 1);
	said[n > 0 ? n : 0] = '\0';
	close(saved);
	close(ends[0]);
	close(ends[1]);
}

static void a_wrong_word(void)
{
	complain("--fault", "wirte:eof");
	CHECK_TEXT(said, "weir: --fault 'wirte:eof': column 1 ('wirte'): "
	                 "expected read, write or any\n");
}

static void a_missing_word(void)
{
	complain("rules:3", "write:error");
	CHECK_TEXT(said, "weir: rules:3 'write:error': column 12 (the end): expected =ERRNO\n");
	complain("--fault", "");
	CHECK_TEXT(said, "weir: --fault '': column 1 (the end): expected read, write or any\n");
	complain("--fault", "write:eof:when=:p=1");
	CHECK_TEXT(said, "weir: --fault 'write:eof:when=:p=1': column 16: "
	                 "expected a number from 1 to 9223372036854775807\n");
}

static void unprintable_bytes(void)
{
	complain("--fault", "re\033[m\nd\xc3\xa9:eof");
	CHECK_TEXT(said, "weir: --fault 're\\x1b[m\\x0ad\\xc3\\xa9:eof': "
	                 "column 1 ('re\\x1b[m\\x0ad\\xc3\\xa9'): expected read, write or any\n");
}

static size_t count(const char *text, char byte)
{
	size_t n = 0;

	while (*text)
		n += *text++ == byte;
	return n;
}

/* One line that ends with what is allowed, however long the parts are. */
static void check_whole_line(const char *end)
{
	size_t length = strlen(said), end_length = strlen(end);

	CHECK(length > end_length && length <= 512);
	CHECK_TEXT(said + length - end_length, end);
	CHECK_EQ(count(said, '\n'), 1);
	CHECK_EQ(count(said, '\''), 4);
	CHECK(strstr(said, "'): expected "));
}

static void long_texts(void)
{
	char what[300], text[4000];

	memset(what, 'w', sizeof what);
	what[sizeof what - 1] = '\0';
	memset(text, '\n', sizeof text);
	text[sizeof text - 1] = '\0';
	complain(what, text);
	check_whole_line(": expected the end: a rule has at most 255 bytes\n");
	text[200] = '\0';
	memcpy(text, "write:", 6);
	complain(what, text);
	check_whole_line(", delay=TIME, rate=BYTES/s, discard or corrupt\n");
	memcpy(text, "write:eof:p=50%:", 16);
	complain(what, text);
	check_whole_line(", side=a|b, comm=GLOB or pid=N\n");
}

/* What is wrong is seen, also far behind the beginning. */
static void around_the_column(void)
{
	char text[256] = "write:eof:match=";

	memset(text + 16, 'x', 64);
	memcpy(text + 80, ":p=2:when=3", 12);
	complain("--fault", text);
	CHECK(strstr(said, " '...xxx"));
	CHECK(strstr(said, "xxx:p=2:when=3': column 84 ('2'): expected a probability"));
}

int main(void)
{
	RUN(a_wrong_word);
	RUN(a_missing_word);
	RUN(unprintable_bytes);
	RUN(long_texts);
	RUN(around_the_column);
	return weir_test_end();
}
