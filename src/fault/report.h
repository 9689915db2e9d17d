/* What people are told about a rule that cannot be read. */
#ifndef WEIR_FAULT_REPORT_H
#define WEIR_FAULT_REPORT_H

#include "fault/rule.h"

/* Says in one line what is wrong with a rule or with words of --mark and --capacity,
 * where, and what is allowed:
 *
 *	weir: --fault 'wirte:eof': column 1 ('wirte'): expected read, write or any
 *
 * `what` is where the text came from: "--fault", "FILE:3". A long text is shown in
 * part, around the column; bytes that do not print are shown as \xHH. */
void weir_rule_complain(const char *what, const char *text, const struct weir_rule_error *error);

#endif
