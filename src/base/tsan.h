/* ThreadSanitizer in the program sees the copies that this library makes (its
 * memcpy is the one that is called), but not the atomics that order them. These
 * words tell it. Without it they are NULL; and where this library is compiled
 * with it, it sees for itself, and nothing may hide what it finds.
 */
#ifndef WEIR_BASE_TSAN_H
#define WEIR_BASE_TSAN_H

#include <stdbool.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEIR_HAS_TSAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(WEIR_HAS_TSAN)
static inline void tsan_acquire(void *address)
{
	(void)address;
}

static inline void tsan_release(void *address)
{
	(void)address;
}

static inline bool tsan_is_here(void)
{
	return true;
}
#else
extern void __tsan_acquire(void *address) __attribute__((weak, visibility("default")));
extern void __tsan_release(void *address) __attribute__((weak, visibility("default")));

/* What came before the tsan_release of that address has happened. */
static inline void tsan_acquire(void *address)
{
	if (__builtin_expect(__tsan_acquire != 0, 0) && address)
		__tsan_acquire(address);
}

static inline void tsan_release(void *address)
{
	if (__builtin_expect(__tsan_release != 0, 0) && address)
		__tsan_release(address);
}

static inline bool tsan_is_here(void)
{
	return __tsan_acquire != 0;
}
#endif

#endif
