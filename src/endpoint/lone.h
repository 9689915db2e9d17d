/* Transfers of a thread that has both ends to itself, and nothing else to do (pipe/lone.h):
 * the shortest way through this library, inlined into the hooks.
 */
#ifndef WEIR_ENDPOINT_LONE_H
#define WEIR_ENDPOINT_LONE_H

#include <string.h>
#include <sys/uio.h>

#include "endpoint/faulty.h"

/* What the program gives: one buffer, or, where `pieces` is not NULL, several. */
struct weir_place {
	void *bytes;
	const struct iovec *pieces;
};

/* A transfer in the general way had nothing else to do: the next ones may go this way. With
 * the lock of `op`'s side. */
void weir_lone_notice(const struct weir_end *end, int op);

/* Do rules let the next call pass, as a text that it must not have is not in its bytes? These
 * are NULL where they are not in one piece. */
static inline bool weir_lone_is_vain(const struct weir_pipe *pipe, int op, uint64_t rules,
                                     const void *bytes, size_t n)
{
	uint32_t text = weir_calm_holds_without(pipe, op, rules);

	return text != 0 && bytes && weir_fault_is_vain(weir_session.plan, text, bytes, n);
}

/* Where `n` bytes go, or the next ones lie, in a transfer that has begun and has nothing to do
 * beside: as weir_lone_room() and weir_lone_bytes(). */
static inline __attribute__((always_inline)) unsigned char *
weir_lone_plain_room(struct weir_lone *l, size_t n)
{
	struct weir_pipe *pipe = l->ref.pipe;
	uint64_t rules = load64_relaxed(&pipe->rules_write);

	if (__builtin_expect(rules == 0, 1))
		return weir_lone_room(l, n);
	if (!weir_calm_holds(pipe, WEIR_OP_WRITE, rules))
		return NULL;
	unsigned char *to = weir_lone_room(l, n);
	if (to)
		weir_calm_passes(pipe, WEIR_OP_WRITE);
	return to;
}

static inline const unsigned char *weir_lone_plain_bytes(const struct weir_lone *l, size_t *n)
{
	struct weir_pipe *pipe = l->ref.pipe;
	uint64_t rules = load64_relaxed(&pipe->rules_read);
	const unsigned char *from = weir_lone_bytes(l, n);

	if (__builtin_expect(rules == 0, 1) || !from)
		return from;
	if (!weir_calm_holds(pipe, WEIR_OP_READ, rules))
		return NULL;
	weir_calm_passes(pipe, WEIR_OP_READ);
	return from;
}

static inline void weir_lone_gather(unsigned char *to, const struct weir_place *from, size_t n)
{
	const struct iovec *piece = from->pieces;

	if (!piece) {
		memcpy(to, from->bytes, n);
		return;
	}
	for (; n > piece->iov_len; piece++) {
		if (piece->iov_len == 0) /* it may have no base */
			continue;
		memcpy(to, piece->iov_base, piece->iov_len);
		to += piece->iov_len;
		n -= piece->iov_len;
	}
	memcpy(to, piece->iov_base, n);
}

static inline void weir_lone_scatter(const struct weir_place *to, const unsigned char *from,
                                     size_t n)
{
	const struct iovec *piece = to->pieces;

	if (!piece) {
		memcpy(to->bytes, from, n);
		return;
	}
	for (; n > piece->iov_len; piece++) {
		if (piece->iov_len == 0)
			continue;
		memcpy(piece->iov_base, from, piece->iov_len);
		from += piece->iov_len;
		n -= piece->iov_len;
	}
	memcpy(piece->iov_base, from, n);
}

static inline __attribute__((always_inline)) size_t
weir_lone_put(struct weir_lone *l, struct weir_place from, size_t n)
{
	unsigned char *to = weir_lone_room(l, n);

	if (__builtin_expect(!to, 0))
		return 0;
	weir_lone_gather(to, &from, n);
	weir_lone_publish(l, n);
	return n;
}

static inline void weir_lone_take(struct weir_lone *l, struct weir_place to,
                                  const unsigned char *from, size_t n)
{
	weir_lone_scatter(&to, from, n);
	weir_lone_consume(l, n);
}

/* The same of one buffer, or none (NULL), in a call that is not counted in the pipe: with a
 * look at the state of the faults. */
size_t weir_lone_put_looking(struct weir_lone *l, uint64_t entry, const void *bytes, size_t n);
size_t weir_lone_take_looking(struct weir_lone *l, uint64_t entry, void *bytes, size_t n);

/* A reader leaves. A handler that came meanwhile may have found the ring full. */
static inline void weir_lone_leave_having_read(const struct weir_lone *l, uint64_t entry, int fd)
{
	if (__builtin_expect(load64_relaxed(&l->who[WEIR_OP_READ]) != entry, 0) &&
	    load32_ordered(&l->ref.pipe->saturated) != WEIR_FLOWING)
		weir_end_settle_room(entry, fd);
	weir_lone_leave_reader(l);
}

/* All move `n` bytes, at least 1, of a place that has them. `entry`: what the table says of
 * the descriptor `fd`. 0 where the call is not of this kind: nothing has moved. Those of a
 * transfer that has begun end it. */
static inline __attribute__((always_inline)) size_t weir_lone_send_begun(uint64_t entry,
                                                                         struct weir_place from,
                                                                         size_t n)
{
	struct weir_lone *l = weir_table_lone(entry, WEIR_OP_WRITE);
	struct weir_pipe *pipe = l->ref.pipe;
	uint64_t rules = load64_relaxed(&pipe->rules_write);

	if (rules == 0 || weir_calm_holds(pipe, WEIR_OP_WRITE, rules)) {
		n = weir_lone_put(l, from, n);
		if (rules != 0 && n > 0)
			weir_calm_passes(pipe, WEIR_OP_WRITE);
	} else if (weir_lone_is_vain(pipe, WEIR_OP_WRITE, rules, from.bytes, n)) {
		n = weir_lone_put(l, from, n);
		if (n > 0)
			weir_calm_passes_without(pipe, WEIR_OP_WRITE);
	} else {
		n = weir_lone_put_looking(l, entry, from.bytes, n);
	}
	weir_lone_leave_writer(l);
	return n;
}

static inline size_t weir_lone_send(uint64_t entry, struct weir_place from, size_t n)
{
	struct weir_lone *l = weir_table_lone(entry, WEIR_OP_WRITE);

	return weir_lone_enter(l, WEIR_OP_WRITE, entry) ? weir_lone_send_begun(entry, from, n) : 0;
}

static inline __attribute__((always_inline)) size_t weir_lone_receive_begun(uint64_t entry, int fd,
                                                                            struct weir_place to,
                                                                            size_t n)
{
	struct weir_lone *l = weir_table_lone(entry, WEIR_OP_READ);
	struct weir_pipe *pipe = l->ref.pipe;
	uint64_t rules = load64_relaxed(&pipe->rules_read);
	const unsigned char *from = weir_lone_bytes(l, &n);

	if (!from) {
		n = 0;
	} else if (rules == 0 || weir_calm_holds(pipe, WEIR_OP_READ, rules)) {
		weir_lone_take(l, to, from, n);
		if (rules != 0)
			weir_calm_passes(pipe, WEIR_OP_READ);
	} else if (weir_lone_is_vain(pipe, WEIR_OP_READ, rules, from, n)) {
		weir_lone_take(l, to, from, n);
		weir_calm_passes_without(pipe, WEIR_OP_READ);
	} else {
		n = weir_lone_take_looking(l, entry, to.bytes, n);
	}
	if (n > 0)
		weir_lone_leave_having_read(l, entry, fd);
	else
		weir_lone_leave_reader(l);
	return n;
}

static inline size_t weir_lone_receive(uint64_t entry, int fd, struct weir_place to, size_t n)
{
	struct weir_lone *l = weir_table_lone(entry, WEIR_OP_READ);

	return weir_lone_enter(l, WEIR_OP_READ, entry) ? weir_lone_receive_begun(entry, fd, to, n)
	                                               : 0;
}

#endif
