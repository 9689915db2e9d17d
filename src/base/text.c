#include "base/text.h"

#include <stdio.h>

struct weir_text weir_text_over(char *buffer, size_t size)
{
	struct weir_text t = { .start = buffer, .size = size };

	buffer[0] = '\0';
	return t;
}

size_t weir_text_room(const struct weir_text *t)
{
	return t->size - 1 - t->length;
}

void weir_text_addv(struct weir_text *t, const char *format, va_list arguments)
{
	int n = vsnprintf(t->start + t->length, t->size - t->length, format, arguments);

	if (n >= 0 && (size_t)n <= weir_text_room(t)) {
		t->length += (size_t)n;
		return;
	}
	t->cut = true;
	if (n >= 0)
		t->length = t->size - 1;
}

void weir_text_add(struct weir_text *t, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	weir_text_addv(t, format, arguments);
	va_end(arguments);
}

void weir_text_add_byte(struct weir_text *t, char byte)
{
	if (weir_text_room(t) == 0) {
		t->cut = true;
		return;
	}
	t->start[t->length++] = byte;
	t->start[t->length] = '\0';
}

void weir_text_clear(struct weir_text *t)
{
	t->length = 0;
	t->cut = false;
	t->start[0] = '\0';
}

void weir_text_add_quoted(struct weir_text *t, const char *s)
{
	weir_text_add_byte(t, '"');
	for (; *s; s++) {
		unsigned char byte = (unsigned char)*s;

		if (byte < 0x20 || byte >= 0x7f || byte == '"' || byte == '\\')
			weir_text_add(t, "\\u%04x", byte);
		else
			weir_text_add_byte(t, (char)byte);
	}
	weir_text_add_byte(t, '"');
}
