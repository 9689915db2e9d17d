#include "fault/error_name.h"

#include <errno.h>
#include <string.h>

enum { ERROR_MAX = 4095 };      /* the kernel's MAX_ERRNO */

/* Second names: strerrorname_np(3) knows one of each number. */
static const struct {
	const char *name;
	int number;
} aliases[] = {
	{ "EWOULDBLOCK", EWOULDBLOCK },
	{ "EDEADLOCK", EDEADLOCK },
	{ "ENOTSUP", ENOTSUP },
	{ "EOPNOTSUPP", EOPNOTSUPP },
};

/* "0" is what strerrorname_np calls the absence of an error. */
static int find_name(struct weir_piece piece)
{
	for (int number = 1; number <= ERROR_MAX; number++) {
		const char *name = strerrorname_np(number);

		if (name && weir_piece_is(piece, name))
			return number;
	}
	for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
		if (weir_piece_is(piece, aliases[i].name))
			return aliases[i].number;
	return 0;
}

int weir_error_number(struct weir_piece piece)
{
	uint64_t number;

	if (!weir_piece_number(piece, 1, ERROR_MAX, &number))
		return find_name(piece);
	return strerrorname_np((int)number) ? (int)number : 0;
}
