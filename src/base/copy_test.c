#include "base/copy.h"

#include <string.h>

#include "base/test.h"

enum { LINES = 5 * 64, GUARD = 64 };

static unsigned char from[GUARD + LINES];
static _Alignas(64) unsigned char to[GUARD + LINES + GUARD];

static void check(size_t from_at, size_t to_at, size_t n)
{
	memset(to, 0xee, sizeof(to));
	copy_nontemporal(to + to_at, from + from_at, n);
	CHECK(memcmp(to + to_at, from + from_at, n) == 0);
	for (size_t i = 0; i < sizeof(to); i++)
		CHECK((i >= to_at && i < to_at + n) || to[i] == 0xee);
}

static void copies_any_length_from_and_to_anywhere(void)
{
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (unsigned char)(i % 199);
	for (size_t n = 0; n <= LINES; n++)
		for (size_t to_at = GUARD / 2; to_at < GUARD + GUARD / 2; to_at++)
			check(to_at * 7 % GUARD, to_at, n);
}

int main(void)
{
	RUN(copies_any_length_from_and_to_anywhere);
	return weir_test_end();
}
