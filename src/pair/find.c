/* Ends found again by the identities of their sockets. */
#include "pair/pair.h"

bool weir_pair_find(const struct weir_session *s, uint64_t cookie, uint32_t *index, int *side)
{
	uint32_t touched = load32_acquire(&s->header->slots_touched);

	if (touched > s->slot_count)
		touched = s->slot_count;
	for (uint32_t i = 0; i < touched && cookie != 0; i++) {
		const struct weir_slot *slot = &s->slots[i];
		for (int k = 0; k < 2; k++) {
			if (load64_acquire(&slot->end[k].cookie) != cookie ||
			    load32_acquire(&slot->state) != WEIR_SLOT_USED)
				continue;
			*index = i;
			*side = k;
			return true;
		}
	}
	return false;
}
