#include "endpoint/lone.h"

/* SO_RCVLOWAT and SO_PEEK_OFF are looked at in the general way. */
static bool reads_plainly(const struct weir_end *end, int side)
{
	const struct weir_end_shared *shared = &end->slot->end[side];

	return load32_relaxed(&shared->peek_off) == 0 && load32_relaxed(&shared->rcvlowat) == 1;
}

void weir_lone_notice(const struct weir_end *end, int op)
{
	int writer = op ? end->side : !end->side;
	uint64_t reads = weir_table_pack(end->index, !writer, end->generation);
	uint64_t writes = weir_table_pack(end->index, writer, end->generation);

	weir_lone_learn(op ? &end->out : &end->in, op, reads_plainly(end, !writer) ? reads : 0,
	                writes);
}
