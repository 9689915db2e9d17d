/* Programs for a pair with a bound of so many bytes, and the model that knows what comes of
 * them: two byte queues with an end, a reset and who waits. */
#ifndef DIFFER_BOUNDED_H
#define DIFFER_BOUNDED_H

#include <stddef.h>
#include <stdint.h>

#include "program.h"

/* Makes a program, and the trace that it must have. */
void bounded_generate(struct program *program, uint64_t seed, size_t capacity, char *trace,
                      size_t size);

/* The trace of a program that was made so; false where it uses what the model has not. */
bool bounded_run(const struct program *program, size_t capacity, char *trace, size_t size);

#endif
