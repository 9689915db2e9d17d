/* The limit of the address space (RLIMIT_AS) is about the program's memory. The session's is
 * nearly all room that nobody uses, and does not count: it is added to what the program
 * sets, and taken from what it is told. */
#include <sys/resource.h>

#include "hooks/hooks.h"

/* Does the call concern this process, and has it the session mapped? */
static bool concerns_us(pid_t pid, int resource)
{
	return resource == RLIMIT_AS && weir_session.header &&
	       (pid == 0 || (uint32_t)pid == weir_own_pid()) && !weir_in_vfork_child();
}

static rlim64_t with_ours(rlim64_t limit)
{
	return limit > RLIM64_INFINITY - weir_session.file_size ? RLIM64_INFINITY
	                                                        : limit + weir_session.file_size;
}

static rlim64_t without_ours(rlim64_t limit)
{
	if (limit == RLIM64_INFINITY)
		return limit;
	return limit > weir_session.file_size ? limit - weir_session.file_size : 0;
}

static int limit(pid_t pid, int resource, const struct rlimit64 *set, struct rlimit64 *old)
{
	struct rlimit64 more, *own = old;

	if (!concerns_us(pid, resource))
		return weir_real()->prlimit64(pid, resource, set, old);
	if (set) {
		more = (struct rlimit64){with_ours(set->rlim_cur), with_ours(set->rlim_max)};
		/* What is wrong stays so. */
		if (set->rlim_cur > set->rlim_max)
			more = *set;
	}
	int result = weir_real()->prlimit64(pid, resource, set ? &more : NULL, own);
	if (result == 0 && own)
		*own = (struct rlimit64){without_ours(own->rlim_cur), without_ours(own->rlim_max)};
	return result;
}

/* The two structures are one on 64-bit systems. */
_Static_assert(sizeof(struct rlimit) == sizeof(struct rlimit64), "limits of 64 bits");

WEIR_EXPORT int prlimit64(pid_t pid, enum __rlimit_resource resource, const struct rlimit64 *set,
                          struct rlimit64 *old)
{
	return limit(pid, (int)resource, set, old);
}

WEIR_EXPORT int prlimit(pid_t pid, enum __rlimit_resource resource, const struct rlimit *set,
                        struct rlimit *old)
{
	return limit(pid, (int)resource, (const void *)set, (void *)old);
}

WEIR_EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit *set)
{
	return limit(0, (int)resource, (const void *)set, NULL);
}

WEIR_EXPORT int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *set)
{
	return limit(0, (int)resource, set, NULL);
}

WEIR_EXPORT int getrlimit(__rlimit_resource_t resource, struct rlimit *old)
{
	return limit(0, (int)resource, NULL, (void *)old);
}

WEIR_EXPORT int getrlimit64(__rlimit_resource_t resource, struct rlimit64 *old)
{
	return limit(0, (int)resource, NULL, old);
}
