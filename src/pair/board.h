/* Boards: word of bytes, left for who waits in an epoll instance.
 *
 * What stands on a board is a hint and no more. The bells say the same to the kernel, so
 * that a word that was lost costs a system call, and one too many a look.
 */
#ifndef WEIR_PAIR_BOARD_H
#define WEIR_PAIR_BOARD_H

#include "pair/session.h"

/* Takes a board for the process of that token (pair/life.h): its number from 1, or 0 where
 * none is free. And gives it back. */
uint32_t weir_board_take(const struct weir_session *s, uint32_t life);
void weir_board_give_back(const struct weir_session *s, uint32_t board);

/* Does its owner live? */
bool weir_board_is_read(const struct weir_session *s, uint32_t board);

/* What a pipe's word `board` says for descriptor `fd`, below WEIR_NUMBERS. */
static inline uint32_t weir_board_word(uint32_t board, int fd)
{
	return board << 16 | (uint32_t)fd;
}

static inline uint32_t weir_board_of_word(uint32_t word)
{
	return word >> 16;
}

static inline uint32_t weir_board_number(uint32_t word)
{
	return word & (WEIR_NUMBERS - 1);
}

/* After a publication: leaves word where the reader wants it. */
static inline void weir_board_tell(const struct weir_session *s, const weir_word32 *of_pipe)
{
	uint32_t word = load32_relaxed(of_pipe), board = weir_board_of_word(word);

	if (__builtin_expect(board != 0, 0) && board <= WEIR_BOARDS_MAX)
		numbers_add(&s->boards[board - 1].ready, weir_board_number(word));
}

#endif
