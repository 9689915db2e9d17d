#include "pair/life.h"

#include <errno.h>

enum { INDEX_BITS = 12, INDEX_MASK = WEIR_LIVES_MAX - 1 };

_Static_assert(WEIR_LIVES_MAX == 1 << INDEX_BITS, "a token holds the index");

static uint32_t token_of(uint32_t index, uint32_t birth)
{
	return birth << INDEX_BITS | index;
}

/* A record that nobody had before; INDEX_MASK + 1 where there is none. */
static uint32_t take_fresh(const struct weir_session *s)
{
	weir_word32 *touched = &s->header->lives_touched;

	for (;;) {
		uint32_t index = load32_acquire(touched);
		if (index > INDEX_MASK)
			return INDEX_MASK + 1;
		if (!swap32_if(touched, index, index + 1))
			continue;
		weir_lock_make(&s->lives[index].lock);
		weir_lock_try(&s->lives[index].lock);
		return index;
	}
}

/* The record of a process that has ended. */
static uint32_t take_over(const struct weir_session *s)
{
	for (uint32_t index = 0; index <= INDEX_MASK; index++) {
		if (load32_acquire(&s->lives[index].birth) == 0)
			continue;
		int error = weir_lock_try(&s->lives[index].lock);
		if (error == 0 || error == -EOWNERDEAD)
			return index;
	}
	return INDEX_MASK + 1;
}

uint32_t weir_life_begin(const struct weir_session *s)
{
	uint32_t index = take_fresh(s);

	if (index > INDEX_MASK)
		index = take_over(s);
	if (index > INDEX_MASK)
		return 0;
	struct weir_life *life = &s->lives[index];
	uint32_t birth = load32_relaxed(&life->birth) + 1;
	if (token_of(0, birth) == 0)
		birth = 1;
	store32_release(&life->birth, birth);
	return token_of(index, birth);
}

bool weir_life_ended(const struct weir_session *s, uint32_t token)
{
	const struct weir_life *life = &s->lives[token & INDEX_MASK];

	if (token == 0)
		return false;
	if (token_of(token & INDEX_MASK, load32_acquire(&life->birth)) != token)
		return true;
	return weir_lock_owner(&life->lock) == 0; /* the kernel has taken it away */
}
