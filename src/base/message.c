#include "base/message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"

enum { LINE_SIZE_MAX = 512 };

/* A name in a message may hold anything; a message is one line all the same. */
static void keep_to_one_line(struct weir_text *line)
{
	for (size_t i = 0; i < line->length; i++) {
		unsigned char byte = (unsigned char)line->start[i];

		if (byte < 0x20 || byte == 0x7f)
			line->start[i] = '?';
	}
}

/* One write, so that lines of several processes do not mix. If it fails there is
 * nobody left to tell. */
static void __attribute__((format(printf, 1, 0))) say(const char *format, va_list arguments)
{
	char buffer[LINE_SIZE_MAX + 1];
	struct weir_text line = weir_text_over(buffer, sizeof buffer - 1);
	int saved = errno;

	weir_text_add(&line, "weir: ");
	weir_text_addv(&line, format, arguments);
	keep_to_one_line(&line);
	line.size++;                /* the byte kept back for the end of the line */
	weir_text_add_byte(&line, '\n');
	if (write(STDERR_FILENO, line.start, line.length) < 0)
		errno = saved;
	errno = saved;
}

void weir_say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
}

/* Standard error may itself be a pair, and a damaged one: nothing is said twice. */
void weir_die(const char *format, ...)
{
	static _Thread_local bool dying;
	va_list arguments;

	if (!dying) {
		dying = true;
		va_start(arguments, format);
		say(format, arguments);
		va_end(arguments);
	}
	abort();
}

static int damaged_status = -1; /* -1: by abort */

void weir_damaged_exits(int status)
{
	damaged_status = status;
}

void weir_damaged(const char *what)
{
	if (damaged_status >= 0) {
		weir_say("the session's memory is damaged: %s", what);
		_exit(damaged_status);
	}
	weir_die("the session's memory is damaged: %s", what);
}
