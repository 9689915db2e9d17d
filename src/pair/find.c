/* Ends found again by the identities of their sockets. */
#include "pair/pair.h"

/* An end that is not found would be a plain socket, with a ring's bytes missing in it.
 * Another process may just store its identity: the copy comes first. */
static bool is_cookie_of(const struct weir_end_shared *end, uint64_t cookie)
{
	uint64_t stored = load64_acquire(&end->cookie), again = load64_acquire(&end->cookie_again);

	if (stored != again && (stored == cookie || again == cookie))
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
			if (!is_cookie_of(&slot->end[k], cookie) ||
			    load32_acquire(&slot->state) != WEIR_SLOT_USED)
				continue;
			*index = i;
			*side = k;
			return true;
		}
	}
	return false;
}
