/* Chaos: what a correct kernel may do to a correct program, drawn from the seed.
 *
 * A short read, always. A short write where the call does not block, or where a
 * signal handler could have ended it (write(2)). EAGAIN where the call does not
 * block: then the direction is not ready for a moment, so that nobody who waits
 * for an edge misses it. But a write gets it only while bytes are unread: whoever
 * wakes himself through a pair ignores it, because a full pair wakes as well. EINTR
 * where a handler without SA_RESTART could have run (signal(7)). Everything a little
 * late.
 */
#include <errno.h>
#include <stddef.h>

#include "base/os.h"
#include "fault/decide.h"
#include "fault/draw.h"

enum {
	LATE_NS_MAX = 500000,
	SHORT_OF_256 = 96,          /* how many calls of 256 */
	LATE_OF_256 = 6,
	INTERRUPTED_OF_256 = 6,
	SMALL_BITS_MIN = 6,         /* room for the small message that many write before they read */
	SMALL_BITS_MAX = 17,
};

enum draws { CAPACITY = 1000, KIND, AMOUNT, LATENESS };

static uint64_t draw(const struct weir_fault_point *p, enum draws what)
{
	return weir_draw(p->plan->seed, what, p->pair, p->side << 1 | p->op, p->state->calls, 0);
}

/* Half of the directions are smaller than a few pages. */
uint64_t weir_chaos_capacity(uint64_t seed, uint64_t pair, uint32_t direction, uint64_t otherwise)
{
	uint64_t drawn = weir_draw(seed, CAPACITY, pair, direction, 0, 0);
	unsigned int bits = SMALL_BITS_MIN +
	                    (unsigned int)(drawn >> 8) % (SMALL_BITS_MAX - SMALL_BITS_MIN + 1);
	uint64_t capacity = (UINT64_C(1) << bits) + (drawn >> 16) % (UINT64_C(1) << bits);

	if (drawn % 8 == 0)
		return otherwise;
	return capacity < otherwise ? capacity : otherwise;
}

static void noticed(const struct weir_fault_point *p)
{
	add64_relaxed(&p->plan->noticed, 1);
}

/* 1 to left - 1 bytes, small ones as likely as large ones. */
static void shorten(const struct weir_fault_point *p, struct weir_fault_call *call)
{
	uint64_t drawn = draw(p, AMOUNT);
	unsigned int bits = 0;

	while (bits < 63 && (p->left - 1) >> bits > 1)
		bits++;
	uint64_t most = UINT64_C(1) << (drawn >> 32) % (bits + 1);
	uint64_t n = 1 + drawn % most;
	if (n >= p->left)
		return;
	if (!call->limited || n < call->allowance)
		call->allowance = n;
	call->limited = true;
	noticed(p);
}

static bool may_shorten(const struct weir_fault_point *p)
{
	if (p->left < 2 || p->whole)
		return false;
	return p->op == 0 || p->nonblocking || os_handled_signals(true) != 0;
}

bool weir_chaos_may_delay(const struct weir_fault_point *p)
{
	return p->op == 0 || !p->nonblocking || p->unread;
}

struct weir_verdict weir_chaos_decide(const struct weir_fault_point *p, struct weir_fault_call *call)
{
	uint64_t drawn = draw(p, KIND);
	struct weir_verdict v = {.kind = WEIR_VERDICT_PASS, .limit = UINT64_MAX};

	if ((drawn & 255) < LATE_OF_256 && weir_chaos_may_delay(p)) {
		noticed(p);
		return weir_fault_hold(p, os_now_ns() + draw(p, LATENESS) % LATE_NS_MAX,
		                       WEIR_RULES_MAX + 1);
	}
	if ((drawn >> 8 & 255) < INTERRUPTED_OF_256 && !p->nonblocking &&
	    os_handled_signals(false) != 0) {
		noticed(p);
		return (struct weir_verdict){.kind = WEIR_VERDICT_FAIL, .error = EINTR};
	}
	if ((drawn >> 16 & 255) < SHORT_OF_256 && may_shorten(p))
		shorten(p, call);
	return v;
}
