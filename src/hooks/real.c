#include "hooks/real.h"

#include <dlfcn.h>

#include "base/message.h"
#include "base/os.h"

struct weir_real weir_real_table;
bool weir_real_known;

static void *look_up(const char *name, bool required)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (!found && required)
		weir_die("the C library has no %s", name);
	return found;
}

/* A function pointer in the table, stored through its bytes: no casts. */
#define RESOLVE(name, required)                                                                    \
	do {                                                                                       \
		union {                                                                            \
			void *symbol;                                                              \
			__typeof__(weir_real_table.name) function;                                 \
		} u = {.symbol = look_up(#name, required)};                                        \
		weir_real_table.name = u.function;                                                 \
	} while (0)

void weir_real_resolve(void)
{
#define HOOK(result, name, parameters) RESOLVE(name, true);
#define OPTIONAL(result, name, parameters) RESOLVE(name, false);
#include "hooks/names.def"
#undef OPTIONAL
#undef HOOK
	os_resolve();
	weir_real_known = true;
}
