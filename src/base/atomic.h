/* Shared words, each access named by its memory order.
 *
 * Every word that another thread or process may write is declared through
 * these types and touched through these functions alone, so that the order a
 * reader of the code needs to know stands in the name of the call.
 */
#ifndef WEIR_BASE_ATOMIC_H
#define WEIR_BASE_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/message.h"

typedef _Atomic uint32_t weir_word32;
typedef _Atomic uint64_t weir_word64;

/* A 32-bit word that is kept twice, in one atomic: for those in which damage would cost
 * bytes or a wake-up. The functions below take it as they take a weir_word32, and die
 * where the halves differ. All zeroes are a sound 0. */
typedef struct {
	weir_word64 halves;
} weir_doubled;

static inline uint32_t word_load32_relaxed(const weir_word32 *w)
{
	return atomic_load_explicit(w, memory_order_relaxed);
}

static inline uint32_t word_load32_acquire(const weir_word32 *w)
{
	return atomic_load_explicit(w, memory_order_acquire);
}

static inline uint32_t word_load32_ordered(const weir_word32 *w)
{
	return atomic_load_explicit(w, memory_order_seq_cst);
}

static inline void word_store32_relaxed(weir_word32 *w, uint32_t v)
{
	atomic_store_explicit(w, v, memory_order_relaxed);
}

static inline void word_store32_release(weir_word32 *w, uint32_t v)
{
	atomic_store_explicit(w, v, memory_order_release);
}

static inline void word_store32_ordered(weir_word32 *w, uint32_t v)
{
	atomic_store_explicit(w, v, memory_order_seq_cst);
}

static inline uint32_t add32_relaxed(weir_word32 *w, uint32_t v)
{
	return atomic_fetch_add_explicit(w, v, memory_order_relaxed);
}

static inline uint32_t word_add32_ordered(weir_word32 *w, uint32_t v)
{
	return atomic_fetch_add_explicit(w, v, memory_order_seq_cst);
}

static inline uint32_t word_or32_ordered(weir_word32 *w, uint32_t v)
{
	return atomic_fetch_or_explicit(w, v, memory_order_seq_cst);
}

static inline bool word_swap32_if(weir_word32 *w, uint32_t expected, uint32_t v)
{
	return atomic_compare_exchange_strong_explicit(
	        w, &expected, v, memory_order_acq_rel, memory_order_acquire);
}

static inline uint64_t load64_relaxed(const weir_word64 *w)
{
	return atomic_load_explicit(w, memory_order_relaxed);
}

static inline uint64_t load64_acquire(const weir_word64 *w)
{
	return atomic_load_explicit(w, memory_order_acquire);
}

static inline uint64_t load64_ordered(const weir_word64 *w)
{
	return atomic_load_explicit(w, memory_order_seq_cst);
}

static inline void store64_relaxed(weir_word64 *w, uint64_t v)
{
	atomic_store_explicit(w, v, memory_order_relaxed);
}

static inline void store64_release(weir_word64 *w, uint64_t v)
{
	atomic_store_explicit(w, v, memory_order_release);
}

static inline void store64_ordered(weir_word64 *w, uint64_t v)
{
	atomic_store_explicit(w, v, memory_order_seq_cst);
}

static inline uint64_t add64_relaxed(weir_word64 *w, uint64_t v)
{
	return atomic_fetch_add_explicit(w, v, memory_order_relaxed);
}

static inline uint64_t or64_ordered(weir_word64 *w, uint64_t v)
{
	return atomic_fetch_or_explicit(w, v, memory_order_seq_cst);
}

static inline uint64_t and64_ordered(weir_word64 *w, uint64_t v)
{
	return atomic_fetch_and_explicit(w, v, memory_order_seq_cst);
}

static inline bool swap64_if(weir_word64 *w, uint64_t expected, uint64_t v)
{
	return atomic_compare_exchange_strong_explicit(
	        w, &expected, v, memory_order_acq_rel, memory_order_acquire);
}

/* ---- doubled words ---- */

static inline uint64_t doubled_of(uint32_t v)
{
	return (uint64_t)v << 32 | v;
}

static inline uint32_t doubled_checked(uint64_t halves)
{
	if (__builtin_expect((uint32_t)halves != halves >> 32, 0))
		weir_damaged("a word and its copy differ");
	return (uint32_t)halves;
}

/* For who only looks, and must not die of what he sees. */
static inline uint32_t doubled_glance(const weir_doubled *w)
{
	return (uint32_t)load64_acquire(&w->halves);
}

static inline uint32_t doubled_load32_relaxed(const weir_doubled *w)
{
	return doubled_checked(load64_relaxed(&w->halves));
}

static inline uint32_t doubled_load32_acquire(const weir_doubled *w)
{
	return doubled_checked(load64_acquire(&w->halves));
}

static inline uint32_t doubled_load32_ordered(const weir_doubled *w)
{
	return doubled_checked(load64_ordered(&w->halves));
}

static inline void doubled_store32_relaxed(weir_doubled *w, uint32_t v)
{
	store64_relaxed(&w->halves, doubled_of(v));
}

static inline void doubled_store32_release(weir_doubled *w, uint32_t v)
{
	store64_release(&w->halves, doubled_of(v));
}

static inline void doubled_store32_ordered(weir_doubled *w, uint32_t v)
{
	store64_ordered(&w->halves, doubled_of(v));
}

static inline bool doubled_swap32_if(weir_doubled *w, uint32_t expected, uint32_t v)
{
	return swap64_if(&w->halves, doubled_of(expected), doubled_of(v));
}

static inline uint32_t doubled_add32_ordered(weir_doubled *w, uint32_t v)
{
	uint32_t now = doubled_load32_ordered(w);

	while (!atomic_compare_exchange_strong(&w->halves, &(uint64_t){doubled_of(now)},
	                                       doubled_of(now + v)))
		now = doubled_load32_ordered(w);
	return now;
}

static inline uint32_t doubled_or32_ordered(weir_doubled *w, uint32_t v)
{
	return doubled_checked(or64_ordered(&w->halves, doubled_of(v)));
}

/* ---- words of either kind ---- */

#ifdef __cppcheck__ /* it cannot read _Generic */
#define WEIR_OF_WORD(w, function) word_##function
#else
#define WEIR_OF_WORD(w, function)                                                                  \
	_Generic((w), weir_doubled *: doubled_##function, const weir_doubled *: doubled_##function, \
	        default: word_##function)
#endif

#define load32_relaxed(w) WEIR_OF_WORD(w, load32_relaxed)(w)
#define load32_acquire(w) WEIR_OF_WORD(w, load32_acquire)(w)
#define load32_ordered(w) WEIR_OF_WORD(w, load32_ordered)(w)
#define store32_relaxed(w, v) WEIR_OF_WORD(w, store32_relaxed)(w, v)
#define store32_release(w, v) WEIR_OF_WORD(w, store32_release)(w, v)
#define store32_ordered(w, v) WEIR_OF_WORD(w, store32_ordered)(w, v)
#define add32_ordered(w, v) WEIR_OF_WORD(w, add32_ordered)(w, v)
#define or32_ordered(w, v) WEIR_OF_WORD(w, or32_ordered)(w, v)
#define swap32_if(w, expected, v) WEIR_OF_WORD(w, swap32_if)(w, expected, v)

/* A signal handler of this thread comes before or after, not between; others must not change it. */
static inline void sub32_here(weir_word32 *w, uint32_t v)
{
#if defined(__x86_64__)
	__asm__("subl %1, %0" : "+m"(*w) : "ri"(v) : "cc");
#else
	store32_relaxed(w, load32_relaxed(w) - v);
#endif
}

/* The compiler forgets what it computed from this pointer: over a call between, each of those
 * addresses would need a register that is saved. */
#define WEIR_ADDRESS_ANEW(pointer) __asm__("" : "+r"(pointer))

/* Makes the word at least `v`. */
static inline void raise32_relaxed(weir_word32 *w, uint32_t v)
{
	uint32_t now = load32_relaxed(w);

	while (now < v && !swap32_if(w, now, v))
		now = load32_relaxed(w);
}

#endif
