/* Numbers that depend on their arguments alone, each bit as good as any: Sebastiano
 * Vigna's splitmix64, one step of it for each argument. */
#ifndef WEIR_FAULT_DRAW_H
#define WEIR_FAULT_DRAW_H

#include <stdint.h>

/* Goes on from a draw, or a seed, with one argument more. */
static inline uint64_t weir_draw_with(uint64_t x, uint64_t argument)
{
	x = (x ^ argument) + UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* A draw of the kind `what` for one end. */
static inline uint64_t weir_draw_end(uint64_t seed, uint64_t what, uint64_t pair, uint64_t side)
{
	uint64_t x = weir_draw_with(0, seed);

	x = weir_draw_with(x, what);
	x = weir_draw_with(x, pair);
	return weir_draw_with(x, side);
}

/* The same for a call, and a byte. */
static inline uint64_t weir_draw(uint64_t seed, uint64_t what, uint64_t pair, uint64_t side,
                                 uint64_t call, uint64_t byte)
{
	return weir_draw_with(weir_draw_with(weir_draw_end(seed, what, pair, side), call), byte);
}

#endif
