/* Copies for a reader on another processor. */
#ifndef WEIR_BASE_COPY_H
#define WEIR_BASE_COPY_H

#include <stddef.h>

/* As memcpy(), but whole lines go to memory past the caches of this processor, by non-temporal
 * stores (MOVNTDQ), which are all done when it returns. A line that the reader's cache has from the
 * last time need not be fetched from there, nor from this one's cache by the reader. Where there
 * are no such stores, and under ThreadSanitizer, which does not see them, it is memcpy(). */
void copy_nontemporal(void *to, const void *from, size_t n);

#endif
