/* What include/weir.h calls. Each gives 0, or -1 and errno, which success keeps. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/os.h"
#include "base/peer.h"
#include "base/text.h"
#include "endpoint/bare.h"
#include "endpoint/faulty.h"
#include "fault/report.h"
#include "hooks/hooks.h"
#include "pair/given.h"
#include "weir.h"

/* For programs that look them up by name. */
WEIR_EXPORT int weir_inside_active(void);
WEIR_EXPORT int weir_inside_pair(int fd, struct weir_pair_info *info, size_t size);
WEIR_EXPORT int weir_inside_mark(const int sv[2]);
WEIR_EXPORT int weir_inside_unmark(int fd);
WEIR_EXPORT int weir_inside_set_capacity(int fd, uint64_t bytes);
WEIR_EXPORT int weir_inside_fault(int fd, const char *rule);
WEIR_EXPORT const char *weir_inside_fault_error(void);
WEIR_EXPORT int weir_inside_clear_faults(int fd);

static int finish(int result, int saved)
{
	errno = result < 0 ? -result : saved;
	return result < 0 ? -1 : 0;
}

WEIR_EXPORT int weir_inside_active(void)
{
	int saved = errno;
	bool active = !weir_in_vfork_child() && weir_start();

	errno = saved;
	return active;
}

static int can_act(void)
{
	if (!weir_inside_active())
		return -ENOSYS;
	return weir_is_bare() ? -EPERM : 0;
}

static int find_end(int fd, struct weir_end *end)
{
	int error = can_act();

	if (error)
		return error;
	return weir_end_of(fd, end) ? 0 : -EBADF;
}

/* A descriptor of this process for the other end, or -1. */
static int peer_of(const struct weir_end *end)
{
	struct weir_end other;

	for (int fd = 0; fd < weir_table_bound(); fd++)
		if (weir_end_of(fd, &other) && other.index == end->index &&
		    other.generation == end->generation && other.side != end->side)
			return fd;
	return -1;
}

/* Who waits looks again. */
static void tell_waiting(const struct weir_end *end)
{
	weir_end_nudge(end, peer_of(end), false);
	weir_holds_wake(&weir_session, end->index);
}

/* ---- a pair ---- */

static uint64_t position(const struct weir_end *end, int op)
{
	const weir_word64 *word = op == WEIR_OP_READ ? &end->in.pipe->head : &end->out.pipe->tail;

	return load64_relaxed(word) +
	       weir_pair_fault_state(&weir_session, end->index, end->side, op)->beyond;
}

static void describe(const struct weir_end *end, struct weir_pair_info *info)
{
	info->side = (uint32_t)end->side;
	info->number = end->slot->number;
	info->capacity_out = load64_relaxed(&end->out.pipe->limit);
	info->capacity_in = load64_relaxed(&end->in.pipe->limit);
	info->buffered_out = weir_pipe_used(&end->out);
	info->buffered_in = weir_pipe_used(&end->in);
	info->position_out = position(end, WEIR_OP_WRITE);
	info->position_in = position(end, WEIR_OP_READ);
	info->kernel_out = load32_relaxed(&end->out.pipe->carrier) != WEIR_BY_RING;
	info->kernel_in = load32_relaxed(&end->in.pipe->carrier) != WEIR_BY_RING;
}

/* `size` is what the program's header knows of; what only it knows becomes 0. */
WEIR_EXPORT int weir_inside_pair(int fd, struct weir_pair_info *info, size_t size)
{
	struct weir_pair_info full = {.size = sizeof(full)};
	struct weir_end end;
	int saved = errno, error = find_end(fd, &end);

	if (!error && !info)
		error = -EINVAL;
	if (error)
		return finish(error, saved);
	describe(&end, &full);
	if (size < sizeof(full))
		full.size = (uint32_t)size;
	memset(info, 0, size);
	memcpy(info, &full, full.size);
	return finish(0, saved);
}

/* A pair that has gone: the descriptor was closed meanwhile. */
WEIR_EXPORT int weir_inside_set_capacity(int fd, uint64_t bytes)
{
	struct weir_end end;
	int saved = errno, error = find_end(fd, &end);

	if (!error)
		error = weir_end_set_capacity(&end, bytes);
	return finish(error == -ESTALE ? -EBADF : error, saved);
}

/* ---- mark and unmark ---- */

static int check_socket(int fd)
{
	int domain = os_getsockopt_int(fd, SO_DOMAIN);

	if (domain < 0)
		return domain == -EBADF ? -EBADF : -EINVAL;
	weir_recognise(fd);         /* another process may have marked it */
	if (weir_marked(fd))
		return -EALREADY;
	if (domain != AF_UNIX || os_getsockopt_int(fd, SO_TYPE) != SOCK_STREAM)
		return -EINVAL;
	return os_queued_in(fd) != 0 ? -EBUSY : 0;
}

static int check_peers(const int sv[2])
{
	uint64_t a = os_inode(sv[0]), b = os_inode(sv[1]), peer = 0;

	if (weir_peer_of(a, &peer) != 0)
		return -EOPNOTSUPP;
	return peer == b && a != b ? 0 : -EINVAL;
}

/* It may have options set, be in the set of an epoll, or be shut already. */
static void adopt(int fd)
{
	struct weir_end end;

	if (!weir_end_of(fd, &end))
		return;
	store32_relaxed(&end.slot->end[end.side].nonblock, os_nonblocking(fd));
	weir_adopt_options(&end);
	weir_end_identify(&end);
	weir_end_watch(&end, POLLIN | POLLOUT, true);
	weir_end_after_shutdown(&end);
}

static int mark(const int sv[2])
{
	int error = can_act();

	if (!error && !sv)
		error = -EINVAL;
	for (int i = 0; !error && i < 2; i++)
		error = check_socket(sv[i]);
	if (!error)
		error = check_peers(sv);
	if (!error && !weir_may_mark(sv[0]))
		error = -ENOSYS;
	if (error)
		return error;
	if (!weir_mark_pair(sv, false, true))
		return -ENOSPC;
	adopt(sv[0]);
	adopt(sv[1]);
	os_each_descriptor(weir_recognise); /* duplicates */
	return 0;
}

WEIR_EXPORT int weir_inside_mark(const int sv[2])
{
	int saved = errno;

	return finish(mark(sv), saved);
}

/* A direction that nobody can read any more needs no carrier. */
WEIR_EXPORT int weir_inside_unmark(int fd)
{
	struct weir_end end;
	int saved = errno, error = find_end(fd, &end);

	if (error)
		return finish(error, saved);
	weir_pipe_want_hand_over(&end.in, WEIR_WANTED_MARKED);
	error = weir_end_hand_over(&end);
	return finish(error == -EPIPE ? 0 : error, saved);
}

/* ---- faults ---- */

static _Thread_local char explanation[WEIR_EXPLAINED_SIZE];

static int explain(const char *rule, const struct weir_rule_error *error)
{
	struct weir_text text = weir_text_over(explanation, sizeof(explanation));

	weir_rule_explain(&text, rule, error);
	return -EINVAL;
}

static int parse_for(const struct weir_end *end, const char *text, struct weir_rule *rule)
{
	struct weir_rule_error error = {.column = 1};

	if (weir_rule_parse_for_end(rule, text, end->slot->number, (uint32_t)end->side, &error))
		return 0;
	return explain(text, &error);
}

WEIR_EXPORT int weir_inside_fault(int fd, const char *text)
{
	struct weir_rule rule;
	struct weir_end end;
	int saved = errno, error = find_end(fd, &end);

	explanation[0] = '\0';
	if (!error)
		error = text ? parse_for(&end, text, &rule) : -EINVAL;
	if (error)
		return finish(error, saved);
	error = weir_pair_give(&weir_session, end.index, &rule);
	tell_waiting(&end);
	return finish(error, saved);
}

WEIR_EXPORT const char *weir_inside_fault_error(void)
{
	return explanation;
}

/* Holds go with the rules that made them. */
WEIR_EXPORT int weir_inside_clear_faults(int fd)
{
	struct weir_end end;
	int saved = errno, error = find_end(fd, &end);

	if (error)
		return finish(error, saved);
	weir_pair_take_back(&weir_session, end.index, (uint32_t)end.side);
	tell_waiting(&end);
	return finish(0, saved);
}

/* ---- how programs find them ---- */

int weir_give_inside(void *argument)
{
	static const struct weir_inside inside = {
	        .size = sizeof(inside),
	        .active = weir_inside_active,
	        .pair = weir_inside_pair,
	        .mark = weir_inside_mark,
	        .unmark = weir_inside_unmark,
	        .set_capacity = weir_inside_set_capacity,
	        .fault = weir_inside_fault,
	        .fault_error = weir_inside_fault_error,
	        .clear_faults = weir_inside_clear_faults,
	};
	const struct weir_inside *given = &inside;

	memcpy(argument, &given, sizeof(given));
	return 0;
}
