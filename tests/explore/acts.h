/* What the threads of several scenarios do, and what several must come to. Threads a, b, ...
 * write at end 0 and read at end 1 unless it says otherwise; each byte tells who wrote it and
 * as his how manieth. In the end everybody has finished, and no byte is missing, doubled or out
 * of order. */
#ifndef WEIR_TESTS_EXPLORE_ACTS_H
#define WEIR_TESTS_EXPLORE_ACTS_H

#include "world.h"

enum { END_A = 1, END_B = 2, BYTES_MAX = 8, HANDLER = 8 };

#define AT(ends, function, ...) {.run = (function), .holds = (ends), __VA_ARGS__}
#define AT_A(...) AT(END_A, __VA_ARGS__, )
#define AT_B(...) AT(END_B, __VA_ARGS__, )
#define AT_BOTH(...) AT(END_A | END_B, __VA_ARGS__, )

/* ---- calls ---- */

unsigned char byte_of(int writer, size_t number);
ssize_t send_from(int side, int writer, size_t from, size_t n, int flags);
ssize_t receive(int side, size_t n, int flags);

/* All of them, in one call that waits. */
void put(size_t n);

/* Until that many have come, or the end. */
void take(size_t n);

/* poll(2) of one descriptor, as hooks/ready.c does it. */
short polls(int side, short events);

/* close(2) of the last descriptor of this process, as hooks/close.c does it. */
void leave(int side);

void shuts(int side, int how);

/* ---- what has to be in the end ---- */

struct tally {
	uint32_t came;              /* bits: bytes of one writer */
	bool doubled, disordered;
};

void count(struct tally *t, const struct thread *reader, int writer);

/* Between `least` and `most` of the bytes of a writer have come: the first ones. */
void came(int writer, uint32_t least, uint32_t most);

void two_came(void);
void three_came(void);
void two_of_each_came(void);
void one_of_each_came(void);

/* ---- threads ---- */

void put_1(void);
void put_2(void);
void put_3(void);
void put_1_twice(void);
void take_1(void);
void take_2(void);
void take_3(void);
void take_4(void);

/* ---- epoll ---- */

void watches(int side, short events, bool edges);
void watch_edges_and_put_2(void);

/* ---- the end of a connection ---- */

void put_2_and_leave(void);
void put_2_and_shut(void);

/* Reads until the end, which is an end and no error. */
void take_all(void);

void at_most_two_came(void);

/* ---- killed ---- */

/* Writes, and goes as a process goes that ends by itself. */
void put_1_twice_and_leave(void);

/* What a killed reader had taken went with it; of the rest nothing is doubled. */
void nothing_doubled(void);

/* ---- handlers ---- */

void handler_takes(void);

/* A thread that reads what its own handlers write, and what others do. */
void take_own(bool by_poll);

void take_own_waiting(void);
void handler_puts_to_self(void);
void own_came(void);

/* ---- both directions, and changes ---- */

void widen(void);

#endif
