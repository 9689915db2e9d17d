/* The plan that a configuration asks for. */
#ifndef WEIR_FAULT_LOAD_H
#define WEIR_FAULT_LOAD_H

#include "base/options.h"
#include "fault/plan.h"

/* Reads rules, marks, capacities and the seed; not the files of --faults. Texts of
 * variables (WEIR_FAULT) may hold several, with ';' between them. False after one
 * line on stderr. Nobody else may use the plan yet. */
bool weir_plan_load(struct weir_plan *plan, const struct weir_config *config);

/* Adds one rule. `what` names where it stands, as "--fault" or "FILE:3". */
bool weir_plan_load_rule(struct weir_plan *plan, const char *what, const char *text);

#endif
