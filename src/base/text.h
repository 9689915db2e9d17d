/* Bounded text: a buffer of the caller's that never overflows and always ends
 * in a zero byte. What does not fit is cut off, and `cut` remembers it. */
#ifndef WEIR_BASE_TEXT_H
#define WEIR_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct weir_text {
	char *start;
	size_t size;                /* of the buffer, at least 1 */
	size_t length;              /* without the zero byte */
	bool cut;
};

/* An empty text over `size` bytes at `buffer`, which stays the caller's. */
struct weir_text weir_text_over(char *buffer, size_t size);

void weir_text_add(struct weir_text *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void weir_text_addv(struct weir_text *t, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));
void weir_text_add_byte(struct weir_text *t, char byte);

/* A JSON string. Bytes outside printable ASCII become \u00XX, one for one: valid
 * whatever a name holds, and nothing is lost. */
void weir_text_add_quoted(struct weir_text *t, const char *s);

/* Room for that many bytes more. */
size_t weir_text_room(const struct weir_text *t);

void weir_text_clear(struct weir_text *t);

#endif
