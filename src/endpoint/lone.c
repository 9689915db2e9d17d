#include "endpoint/lone.h"

/* SO_RCVLOWAT and SO_PEEK_OFF are looked at in the general way. */
static bool reads_plainly(const struct weir_end *end, int side)
{
	const struct weir_end_shared *shared = &end->slot->end[side];

	return load32_relaxed(&shared->peek_off) == 0 && load32_relaxed(&shared->rcvlowat) == 1;
}

/* Does nothing happen to these bytes, which may not be in one piece (NULL)? */
static bool looks_calm(uint64_t entry, int op, const void *bytes, size_t n,
                       struct weir_calm_way *way)
{
	struct weir_end end = weir_table_unpack(entry, -1);
	struct weir_pipe *pipe = weir_pipe_of(&end, op);
	size_t may = n;

	/* What comes meanwhile is for the next call. */
	way->word = load64_relaxed(op ? &pipe->rules_write : &pipe->rules_read);
	way->counted = false;
	return bytes && weir_calm_looks(&end, op, bytes, &may, way) && may == n;
}

size_t weir_lone_put_looking(struct weir_lone *l, uint64_t entry, const void *bytes, size_t n)
{
	struct weir_place from = {(void *)(uintptr_t)bytes, NULL};
	struct weir_calm_way way;

	if (!looks_calm(entry, WEIR_OP_WRITE, bytes, n, &way))
		return 0;
	n = weir_lone_put(l, from, n);
	if (n > 0)
		weir_calm_passed(l->ref.pipe, WEIR_OP_WRITE, &way);
	return n;
}

size_t weir_lone_take_looking(struct weir_lone *l, uint64_t entry, void *bytes, size_t n)
{
	const unsigned char *from = weir_lone_bytes(l, &n);
	struct weir_calm_way way;

	if (!bytes || !from || !looks_calm(entry, WEIR_OP_READ, from, n, &way))
		return 0;
	memcpy(bytes, from, n);
	weir_lone_consume(l, n);
	weir_calm_passed(l->ref.pipe, WEIR_OP_READ, &way);
	return n;
}

void weir_lone_notice(const struct weir_end *end, int op)
{
	int writer = op ? end->side : !end->side;
	uint64_t reads = weir_table_pack(end->index, !writer, end->generation);
	uint64_t writes = weir_table_pack(end->index, writer, end->generation);

	weir_lone_learn(op ? &end->out : &end->in, op, reads_plainly(end, !writer) ? reads : 0,
	                writes);
}
