/* Libraries that are loaded while the program runs, and what would take them past us.
 *
 * The loader looks at who called (for $ORIGIN, and for the namespace), so these only
 * prepare, and jump to libc's own, which returns to the program.
 */
#include <dlfcn.h>

#include "hooks/hooks.h"

/* What the call goes on with. */
struct weir_load {
	void *real;
	long flags;
};

struct weir_load weir_before_dlopen(const char *file, int flags);
void *weir_before_dlmopen(Lmid_t space);

/* With RTLD_DEEPBIND the library would find libc's names before ours, and take the bells
 * of a marked descriptor for bytes. */
__attribute__((used)) struct weir_load weir_before_dlopen(const char *file, int flags)
{
	union {
		void *(*function)(const char *, int);
		void *address;
	} real = {.function = weir_real()->dlopen};

	(void)file;
	return (struct weir_load){real.address, flags & ~RTLD_DEEPBIND};
}

/* Another namespace has a libc of its own, where nothing of ours is. */
__attribute__((used)) void *weir_before_dlmopen(Lmid_t space)
{
	union {
		void *(*function)(Lmid_t, const char *, int);
		void *address;
	} real = {.function = weir_real()->dlmopen};

	if (space != LM_ID_BASE)
		weir_mark_no_more(WEIR_TROUBLE_NAMESPACE);
	return real.address;
}

#if defined(__x86_64__)

__asm__(".text\n"
        ".globl dlopen\n"
        ".type dlopen, @function\n"
        "dlopen:\n"
        "	endbr64\n"
        "	pushq %rdi\n"
        "	call weir_before_dlopen\n"
        "	popq %rdi\n"
        "	movl %edx, %esi\n"
        "	jmp *%rax\n"
        ".size dlopen, . - dlopen\n"
        ".globl dlmopen\n"
        ".type dlmopen, @function\n"
        "dlmopen:\n"
        "	endbr64\n"
        "	pushq %rdi\n"
        "	pushq %rsi\n"
        "	pushq %rdx\n"
        "	call weir_before_dlmopen\n"
        "	popq %rdx\n"
        "	popq %rsi\n"
        "	popq %rdi\n"
        "	jmp *%rax\n"
        ".size dlmopen, . - dlmopen\n");

#else

WEIR_EXPORT void *dlopen(const char *file, int flags)
{
	struct weir_load load = weir_before_dlopen(file, flags);

	return weir_real()->dlopen(file, (int)load.flags);
}

WEIR_EXPORT void *dlmopen(Lmid_t space, const char *file, int flags)
{
	weir_before_dlmopen(space);
	return weir_real()->dlmopen(space, file, flags);
}

#endif
