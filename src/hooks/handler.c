/* Handlers of signals are counted before they begin, each thread for itself.
 *
 * The kernel is given an entry of ours. It counts, and jumps to the program's handler, which
 * finds its stack and its arguments as the kernel left them: it has no frame of its own. An
 * entry stands for one handler, and for whether that lets a call start again (SA_RESTART),
 * for good. So the kernel's own table is the only one that says which handler a signal has,
 * and nothing has to be kept in step with it: not by threads, not by handlers, not by the
 * child of a vfork. Of more handlers than there are entries the rest are not counted.
 */
#include <stddef.h>

#include "base/os.h"
#include "hooks/hooks.h"

#if defined(__x86_64__)

enum { HANDLERS_MAX = 256, ENTRY_SIZE = 16, BANK_SIZE = HANDLERS_MAX * ENTRY_SIZE };

/* Of a handler that has an entry; no word changes twice. */
extern weir_word64 weir_handlers[HANDLERS_MAX];
__attribute__((used)) weir_word64 weir_handlers[HANDLERS_MAX];

/* Two for each: the first half are of handlers that end a call, the second lets it start again. */
extern const unsigned char weir_handler_entries[2 * BANK_SIZE];

_Static_assert(offsetof(struct os_handled_words, all) == 0 &&
                       offsetof(struct os_handled_words, ending) == 4,
               "the entries below count there");

__asm__(".macro weir_entries_to where\n"
        "	.set weir_entry, 0\n"
        "	.rept 256\n"
        "	.p2align 4\n"
        "	endbr64\n"
        "	movl $weir_entry, %eax\n"
        "	jmp \\where\n"
        "	.set weir_entry, weir_entry + 1\n"
        "	.endr\n"
        "	.p2align 4\n"
        ".endm\n"
        ".text\n"
        ".p2align 4\n"
        ".globl weir_handler_entries\n"
        ".hidden weir_handler_entries\n"
        ".type weir_handler_entries, @function\n"
        "weir_handler_entries:\n"
        "	.cfi_startproc\n"
        "	weir_entries_to .Lweir_ending\n"
        "	weir_entries_to .Lweir_restarting\n"
        ".Lweir_ending:\n"
        "	movq os_handled_words@gottpoff(%rip), %rcx\n"
        "	addl $1, %fs:4(%rcx)\n"
        ".Lweir_restarting:\n"
        "	movq os_handled_words@gottpoff(%rip), %rcx\n"
        "	addl $1, %fs:(%rcx)\n"
        "	leaq weir_handlers(%rip), %rcx\n"
        "	movq (%rcx,%rax,8), %rcx\n"
        "	xorl %eax, %eax\n"
        "	jmp *%rcx\n"
        "	.cfi_endproc\n"
        ".size weir_handler_entries, . - weir_handler_entries\n");

static weir_word32 some_not_counted;

bool weir_handlers_are_counted(void)
{
	return load32_relaxed(&some_not_counted) == 0;
}

/* The handler's place, which may be new; HANDLERS_MAX: there is none left. */
static size_t place_of(uint64_t handler)
{
	for (size_t i = 0; i < HANDLERS_MAX; i++) {
		uint64_t there = load64_relaxed(&weir_handlers[i]);
		if (there == 0 && swap64_if(&weir_handlers[i], 0, handler))
			return i;
		if (load64_relaxed(&weir_handlers[i]) == handler)
			return i;
	}
	store32_relaxed(&some_not_counted, 1);
	return HANDLERS_MAX;
}

uintptr_t weir_handler_entry(uintptr_t handler, bool restarts)
{
	if (handler <= (uintptr_t)SIG_IGN || handler == (uintptr_t)SIG_ERR || weir_has_none())
		return handler;
	handler = weir_handler_behind(handler);
	size_t place = place_of(handler);
	if (place == HANDLERS_MAX)
		return handler;
	return (uintptr_t)weir_handler_entries + (restarts ? BANK_SIZE : 0) + place * ENTRY_SIZE;
}

uintptr_t weir_handler_behind(uintptr_t entry)
{
	uintptr_t offset = entry - (uintptr_t)weir_handler_entries;

	if (offset >= 2 * BANK_SIZE || offset % ENTRY_SIZE != 0)
		return entry;
	uint64_t handler = load64_relaxed(&weir_handlers[offset % BANK_SIZE / ENTRY_SIZE]);
	return handler ? (uintptr_t)handler : entry;
}

#else

/* Not counted elsewhere yet. */
bool weir_handlers_are_counted(void)
{
	return false;
}

uintptr_t weir_handler_entry(uintptr_t handler, bool restarts)
{
	(void)restarts;
	return handler;
}

uintptr_t weir_handler_behind(uintptr_t entry)
{
	return entry;
}

#endif
