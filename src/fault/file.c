#include "fault/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/message.h"

struct reader {
	FILE *file;
	const char *name;           /* for people */
	unsigned line;
	char text[WEIR_FAULTS_LINE_MAX + 2]; /* with a '\r' and the null byte */
};

/* `%.150s`: a name may be long, and what is wrong with it stands behind it. */
static int wrong_byte(const struct reader *r, size_t column, const char *expected)
{
	weir_say("%.150s:%u: column %zu: expected %s", r->name, r->line, column, expected);
	return -1;
}

/* Bytes up to the end of the line, which is not kept; all of them are counted. */
static size_t read_bytes(struct reader *r, int *last)
{
	size_t n = 0;
	int c;

	while ((c = getc(r->file)) != EOF && c != '\n' && n < sizeof r->text - 1)
		r->text[n++] = (char)c;
	r->text[n] = '\0';
	*last = c;
	return n;
}

/* 1: a line; 0: the end of the file; -1: after a message. */
static int read_line(struct reader *r)
{
	int last;
	size_t n = read_bytes(r, &last);
	const char *null = memchr(r->text, '\0', n);

	r->line++;
	if (last == EOF && ferror(r->file)) {
		weir_say("%.150s: %s", r->name, strerror(errno));
		return -1;
	}
	if (last == EOF && n == 0)
		return 0;
	if (null)
		return wrong_byte(r, (size_t)(null - r->text) + 1, "text, not a null byte");
	if (n > 0 && r->text[n - 1] == '\r')
		r->text[--n] = '\0';
	if (n > WEIR_FAULTS_LINE_MAX || (last != '\n' && last != EOF))
		return wrong_byte(r, WEIR_FAULTS_LINE_MAX + 1, "the end of a line of 255 bytes");
	return 1;
}

static char *trim(char *text)
{
	char *start = text + strspn(text, " \t");
	size_t n = strlen(start);

	while (n > 0 && (start[n - 1] == ' ' || start[n - 1] == '\t'))
		n--;
	start[n] = '\0';
	return start;
}

static bool read_all(struct reader *r, bool (*add)(void *, const char *, unsigned), void *context)
{
	int more;

	while ((more = read_line(r)) > 0) {
		char *rule = trim(r->text);

		if (*rule && *rule != '#' && !add(context, rule, r->line))
			return false;
	}
	return more == 0;
}

bool weir_faults_read(const char *path, bool (*add)(void *context, const char *rule, unsigned line),
                      void *context)
{
	bool standard = !strcmp(path, "-");
	struct reader r = { .name = standard ? "standard input" : path };
	bool good;

	r.file = standard ? stdin : fopen(path, "re");
	if (!r.file) {
		weir_say("%.150s: %s", path, strerror(errno));
		return false;
	}
	good = read_all(&r, add, context);
	if (!standard)
		fclose(r.file);
	return good;
}
