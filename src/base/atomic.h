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

typedef _Atomic uint32_t weir_word32;
typedef _Atomic uint64_t weir_word64;

static inline uint32_t load32_relaxed(const weir_word32 *w)
{
	return atomic_load_explicit(w, memory_order_relaxed);
}

static inline uint32_t load32_acquire(const weir_word32 *w)
{
	return atomic_load_explicit(w, memory_order_acquire);
}

static inline uint32_t load32_ordered(const weir_word32 *w)
{
	return atomic_load_explicit(w, memory_order_seq_cst);
}

static inline void store32_relaxed(weir_word32 *w, uint32_t v)
{
	atomic_store_explicit(w, v, memory_order_relaxed);
}

static inline void store32_release(weir_word32 *w, uint32_t v)
{
	atomic_store_explicit(w, v, memory_order_release);
}

static inline void store32_ordered(weir_word32 *w, uint32_t v)
{
	atomic_store_explicit(w, v, memory_order_seq_cst);
}

static inline uint32_t add32_relaxed(weir_word32 *w, uint32_t v)
{
	return atomic_fetch_add_explicit(w, v, memory_order_relaxed);
}

static inline uint32_t add32_ordered(weir_word32 *w, uint32_t v)
{
	return atomic_fetch_add_explicit(w, v, memory_order_seq_cst);
}

static inline uint32_t or32_ordered(weir_word32 *w, uint32_t v)
{
	return atomic_fetch_or_explicit(w, v, memory_order_seq_cst);
}

static inline bool swap32_if(weir_word32 *w, uint32_t expected, uint32_t v)
{
	return atomic_compare_exchange_strong_explicit(
	        w, &expected, v, memory_order_acq_rel, memory_order_acquire);
}

/* Makes the word at least `v`. */
static inline void raise32_relaxed(weir_word32 *w, uint32_t v)
{
	uint32_t now = load32_relaxed(w);

	while (now < v && !swap32_if(w, now, v))
		now = load32_relaxed(w);
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

static inline bool swap64_if(weir_word64 *w, uint64_t expected, uint64_t v)
{
	return atomic_compare_exchange_strong_explicit(
	        w, &expected, v, memory_order_acq_rel, memory_order_acquire);
}

#endif
