/* A file of rules, as --faults takes it. For the command: it uses stdio. */
#ifndef WEIR_FAULT_FILE_H
#define WEIR_FAULT_FILE_H

#include <stdbool.h>

enum { WEIR_FAULTS_LINE_MAX = 255 }; /* bytes, without the end of the line */

/* Hands each rule of the file to `add`, with its line from 1. "-" is standard
 * input. Blanks around a rule, empty lines, and lines whose first byte behind
 * blanks is '#' are skipped; a line may end in CRLF. (A blank that a match= ends
 * with is written \x20.)
 *
 * False where the file cannot be read, after one line that says why, or as soon as
 * `add` returns false, which has said why. */
bool weir_faults_read(const char *path, bool (*add)(void *context, const char *rule, unsigned line),
                      void *context);

#endif
