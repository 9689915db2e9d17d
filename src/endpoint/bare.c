/* A process that has forbidden itself most system calls (seccomp(2)).
 *
 * What its filter allows is not known, but a program that keeps a socket means
 * to read and write it. So just before the filter comes, the kernel is asked to
 * carry each direction from then on, and what is left of the bells is received
 * with plain reads.
 */
#include "endpoint/bare.h"

#include "base/os.h"
#include "pipe/bell.h"

static weir_word32 bare;

bool weir_is_bare(void)
{
	return __builtin_expect(load32_relaxed(&bare) != 0, 0);
}

/* A writer that is handing over now may not have seen what was asked. */
static void await_writer(const struct weir_pipe_ref *ref)
{
	if (weir_pipe_lock(ref) == 0)
		weir_pipe_unlock(ref);
}

static void prepare(const struct weir_end *end)
{
	weir_pipe_want_hand_over(&end->in, WEIR_WANTED_MARKED);
	await_writer(&end->in);
	weir_end_make_exact(end, POLLIN);
	weir_end_hand_over(end);
}

void weir_endpoints_go_bare(void)
{
	struct weir_end end;

	for (int fd = 0; fd < weir_table_bound(); fd++)
		if (weir_end_of(fd, &end))
			prepare(&end);
	if (weir_table_bound() > 0)
		store32_relaxed(&bare, 1);
}

int weir_bare_wait_input(const struct weir_end *end)
{
	struct weir_pipe *pipe = end->in.pipe;
	unsigned char byte = 0;

	if (weir_pipe_used(&end->in) > 0)
		return WEIR_WAIT_AGAIN;
	if (load32_acquire(&pipe->carrier) == WEIR_BY_KERNEL)
		return WEIR_TO_KERNEL;
	ssize_t n = os_read_wait(end->fd, &byte, 1);
	if (n <= 0)
		return (int)n;
	if (weir_bell_is_last(&end->in, byte))
		store32_release(&pipe->carrier, WEIR_BY_KERNEL);
	return WEIR_WAIT_AGAIN;
}
