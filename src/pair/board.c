#include "pair/board.h"

#include "pair/life.h"

uint32_t weir_board_take(const struct weir_session *s, uint32_t life)
{
	for (uint32_t i = 0; life != 0 && i < WEIR_BOARDS_MAX; i++) {
		weir_word32 *owner = &s->boards[i].owner;
		uint32_t before = load32_acquire(owner);
		bool free = before == 0 || weir_life_ended(s, before);
		if (free && swap32_if(owner, before, life))
			return i + 1;
	}
	return 0;
}

bool weir_board_is_read(const struct weir_session *s, uint32_t board)
{
	uint32_t owner = load32_acquire(&s->boards[board - 1].owner);

	return owner != 0 && !weir_life_ended(s, owner);
}

void weir_board_give_back(const struct weir_session *s, uint32_t board)
{
	if (board != 0 && board <= WEIR_BOARDS_MAX)
		store32_release(&s->boards[board - 1].owner, 0);
}
