#include "fault/glob.h"

#include <stdbool.h>
#include <string.h>

#include "fault/rule.h"

/* One byte of a bracket, perhaps behind a backslash. NULL where the glob ends. */
static const char *bracket_byte(const char *p, unsigned char *byte)
{
	if (*p == '\\')
		p++;
	*byte = (unsigned char)*p;
	return *p ? p + 1 : NULL;
}

/* One byte or range of a bracket; `*in` where it holds `byte`. NULL at its end. */
static const char *bracket_item(const char *p, unsigned char byte, bool *in)
{
	unsigned char from, to;

	p = bracket_byte(p, &from);
	if (!p)
		return NULL;
	to = from;
	if (p[0] == '-' && p[1] && p[1] != ']')
		p = bracket_byte(p + 1, &to);
	*in |= byte >= from && byte <= to;
	return p;
}

/* Behind the bracket whose '[' stands before `p`; NULL where nothing closes it. A
 * ']' that comes first is one of its bytes. */
static const char *bracket(const char *p, unsigned char byte, bool *matches)
{
	bool negated = *p == '!' || *p == '^';
	bool in = false;

	if (negated)
		p++;
	do
		p = bracket_item(p, byte, &in);
	while (p && *p != ']');
	*matches = in != negated;
	return p ? p + 1 : NULL;
}

/* Behind the glob's next item, which is no '*', where that matches `byte`; or NULL. */
static const char *match_item(const char *glob, unsigned char byte)
{
	const char *behind;
	bool matches;

	if (*glob == '?')
		return glob + 1;
	if (*glob == '[') {
		behind = bracket(glob + 1, byte, &matches);
		if (behind)
			return matches ? behind : NULL;
	}
	if (*glob == '\\')
		glob++;
	return *glob && (unsigned char)*glob == byte ? glob + 1 : NULL;
}

/* Only the last '*' is ever taken back: what an earlier one could reach, it can. */
bool weir_glob_match(const char *glob, const char *name)
{
	const char *star = NULL, *taken = NULL;

	while (*name) {
		const char *behind = *glob == '*' ? NULL : match_item(glob, (unsigned char)*name);

		if (*glob == '*') {
			star = ++glob;
			taken = name;
		} else if (behind) {
			glob = behind;
			name++;
		} else if (star) {
			glob = star;
			name = ++taken;
		} else {
			return false;
		}
	}
	return !glob[strspn(glob, "*")];
}

size_t weir_glob_span(const char *glob)
{
	const char *p = glob;

	while (*p) {
		const char *item = p;
		bool matches;

		p = *p == '[' ? bracket(p + 1, 0, &matches) : *p == '\\' ? p + 2 : p + 1;
		if (!p || (*item == '\\' && !item[1]))
			return (size_t)(item - glob);
	}
	return (size_t)(p - glob);
}
