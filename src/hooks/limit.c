/* The limit of the address space (RLIMIT_AS) is about the program's memory. The session's is
 * nearly all room that nobody uses, and does not count: it is added to what the program
 * sets, and taken from what it is told. */
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/os.h"
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

/* What is wrong stays so. */
static struct rlimit64 raised(const struct rlimit64 *set)
{
	if (set->rlim_cur > set->rlim_max)
		return *set;
	return (struct rlimit64){with_ours(set->rlim_cur), with_ours(set->rlim_max)};
}

static int limit_ours(pid_t pid, const struct rlimit64 *set, struct rlimit64 *old)
{
	struct rlimit64 more = set ? raised(set) : (struct rlimit64){0, 0};
	int result = weir_real()->prlimit64(pid, RLIMIT_AS, set ? &more : NULL, old);

	if (result == 0 && old)
		*old = (struct rlimit64){without_ours(old->rlim_cur), without_ours(old->rlim_max)};
	return result;
}

static int limit_known(pid_t pid, int resource, const struct rlimit64 *set, struct rlimit64 *old)
{
	if (concerns_us(pid, resource))
		return limit_ours(pid, set, old);
	return weir_real()->prlimit64(pid, resource, set, old);
}

/* A sanitizer's runtime asks before anything is ready, itself included. */
__attribute__((no_sanitize("address"))) static int limit(pid_t pid, int resource,
                                                         const struct rlimit64 *set,
                                                         struct rlimit64 *old)
{
	if (weir_real_known)
		return limit_known(pid, resource, set, old);
	return (int)weir_result(os_call(SYS_prlimit64, pid, resource, (long)set, (long)old, 0, 0));
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
