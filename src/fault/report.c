#include "fault/report.h"

#include <string.h>

#include "base/message.h"
#include "base/text.h"

/* All parts together fit into weir_say's line. */
enum {
	TEXT_SHOWN_SIZE = 120,
	PIECE_SHOWN_SIZE = 40,
	BEFORE_SHOWN = 50,          /* bytes in front of the column */
};

static void add_escaped(struct weir_text *t, unsigned char byte)
{
	if (byte >= 0x20 && byte < 0x7f)
		weir_text_add_byte(t, (char)byte);
	else
		weir_text_add(t, "\\x%02x", byte);
}

/* `length` bytes in quotes; dots stand for a rest that has no room. */
static void add_quoted(struct weir_text *t, const char *bytes, size_t length)
{
	static const char rest[] = "...'";
	enum { BYTE_SHOWN_MAX = 4 };

	for (size_t i = 0; i < length; i++) {
		if (weir_text_room(t) < BYTE_SHOWN_MAX + sizeof rest - 1) {
			weir_text_add(t, "%s", rest);
			return;
		}
		add_escaped(t, (unsigned char)bytes[i]);
	}
	weir_text_add_byte(t, '\'');
}

static void show_text(struct weir_text *t, const char *text, size_t column)
{
	size_t length = strlen(text);
	bool cut = column > BEFORE_SHOWN && length >= TEXT_SHOWN_SIZE / 2;
	size_t from = cut ? column - BEFORE_SHOWN : 0;

	weir_text_add(t, "'%s", cut ? "..." : "");
	add_quoted(t, text + from, length - from);
}

static void show_piece(struct weir_text *t, const char *text, const struct weir_rule_error *error)
{
	size_t at = error->column - 1;

	if (error->length) {
		weir_text_add(t, " ('");
		add_quoted(t, text + at, error->length);
		weir_text_add_byte(t, ')');
	} else if (!text[at]) {
		weir_text_add(t, " (the end)");
	}
}

void weir_rule_explain(struct weir_text *into, const char *text,
                       const struct weir_rule_error *error)
{
	char text_buffer[TEXT_SHOWN_SIZE], piece_buffer[PIECE_SHOWN_SIZE];
	struct weir_text shown = weir_text_over(text_buffer, sizeof text_buffer);
	struct weir_text piece = weir_text_over(piece_buffer, sizeof piece_buffer);

	show_text(&shown, text, error->column);
	piece.size--;               /* the byte kept back for ')' */
	show_piece(&piece, text, error);
	weir_text_add(into, "%s: column %zu%s: expected %s", text_buffer, error->column,
	              piece_buffer, error->allowed);
}

void weir_rule_complain(const char *what, const char *text, const struct weir_rule_error *error)
{
	char buffer[WEIR_EXPLAINED_SIZE];
	struct weir_text explained = weir_text_over(buffer, sizeof buffer);

	weir_rule_explain(&explained, text, error);
	weir_say("%.100s %s", what, buffer);
}
