/* What people are told about a rule that cannot be read. */
#ifndef WEIR_FAULT_REPORT_H
#define WEIR_FAULT_REPORT_H

#include "base/text.h"
#include "fault/rule.h"

enum { WEIR_EXPLAINED_SIZE = 420 };

/* Tells in one line what is wrong with a rule or with words of --mark and --capacity,
 * where, and what is allowed:
 *
 *	'wirte:eof': column 1 ('wirte'): expected read, write or any
 *
 * A long text is shown in part, around the column; bytes that do not print are shown
 * as \xHH. WEIR_EXPLAINED_SIZE is enough for any. */
void weir_rule_explain(struct weir_text *into, const char *text,
                       const struct weir_rule_error *error);

/* The same, said on stderr. `what` is where the text came from: "--fault", "FILE:3". */
void weir_rule_complain(const char *what, const char *text, const struct weir_rule_error *error);

#endif
