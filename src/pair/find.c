/* Ends found again by the identities of their sockets. */
#include "pair/pair.h"

/* An end that is not found would be a plain socket, with a ring's bytes missing in it: where an
 * identity and its copy differ, it may be anybody's. The copy is stored before, and taken back
 * behind it: as long as the identity stays, so does the copy. */
static bool is_cookie_of(const struct weir_end_shared *end, uint64_t cookie)
{
	uint64_t stored = load64_acquire(&end->cookie), again = load64_acquire(&end->cookie_again);

	if (stored != again && (again == cookie || (stored != 0 && load64_acquire(&end->cookie) == stored)))
		weir_damaged("a socket's identity and its copy differ");
	return stored == cookie;
}

bool weir_pair_find(const struct weir_session *s, uint64_t cookie, uint32_t *index, int *side)
{
	uint32_t touched = load32_acquire(&s->header->slots_touched);

	if (touched > s->slot_count)
		touched = s->slot_count;
	for (uint32_t i = 0; i < touched && cookie != 0; i++) {
		const struct weir_slot *slot = &s->slots[i];
		for (int k = 0; k < 2; k++) {
			if (load32_acquire(&slot->state) != WEIR_SLOT_USED ||
			    !is_cookie_of(&slot->end[k], cookie))
				continue;
			*index = i;
			*side = k;
			return true;
		}
	}
	return false;
}
