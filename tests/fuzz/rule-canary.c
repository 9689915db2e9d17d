/* A parser that notes what it read before it knows that all is well. Linked in place
 * of the real one (ld --wrap), to see whether the fuzzer notices. */
#include <string.h>

#include "fault/rule.h"

bool __real_weir_rule_parse(struct weir_rule *rule, const char *text,
                            struct weir_rule_error *error);
bool __wrap_weir_rule_parse(struct weir_rule *rule, const char *text,
                            struct weir_rule_error *error);

bool __wrap_weir_rule_parse(struct weir_rule *rule, const char *text,
                            struct weir_rule_error *error)
{
	if (!strncmp(text, "any:eof", 7))
		rule->ops = WEIR_OPS_ANY;
	return __real_weir_rule_parse(rule, text, error);
}
