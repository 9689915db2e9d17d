#include "pipe/lone.h"

#include "pipe/check.h"

struct weir_lone weir_lones[WEIR_LONES];

void weir_pipe_forget(const struct weir_pipe_ref *ref)
{
	struct weir_lone *l = ref->lone;

	if (!l || (load64_relaxed(&l->who[0]) | load64_relaxed(&l->who[1])) == 0)
		return;
	store64_relaxed(&l->who[0], 0);
	store64_relaxed(&l->who[1], 0);
	if ((uint16_t)(load64_relaxed(&l->head) + load64_relaxed(&l->tail)) == l->learned)
		store32_relaxed(&l->pause, WEIR_LONE_PAUSE);
}

void weir_lone_begin(const struct weir_pipe_ref *ref)
{
	weir_pipe_forget(ref);
	if (ref->lone)
		store32_relaxed(&ref->lone->pause, 0);
}

static bool pauses(struct weir_lone *l)
{
	uint32_t pause = load32_relaxed(&l->pause);

	if (pause > 0)
		store32_relaxed(&l->pause, pause - 1);
	return pause > 0;
}

/* Nothing to do for a writer beside moving bytes? The bell is rung, and stays so until
 * something makes the process forget. */
static bool writes_plainly(const struct weir_pipe *pipe)
{
	return load32_relaxed(&pipe->bells) > 0 && load32_relaxed(&pipe->board) == 0 &&
	       !(load32_relaxed(&pipe->watch) & (WEIR_WATCH_EDGES | WEIR_WATCH_ROOM)) &&
	       load32_relaxed(&pipe->aside_used) == 0 && load32_relaxed(&pipe->suspect) == 0;
}

static bool reads_plainly(const struct weir_pipe *pipe)
{
	return load32_relaxed(&pipe->saturated) == WEIR_FLOWING &&
	       !(load32_relaxed(&pipe->watch) & WEIR_WATCH_INPUT);
}

static bool is_only_one_at_work(const struct weir_pipe *pipe, int op)
{
	const weir_doubled *own = op == WEIR_OP_WRITE ? &pipe->write_alone : &pipe->read_alone;
	const weir_doubled *other = op == WEIR_OP_WRITE ? &pipe->read_alone : &pipe->write_alone;

	return weir_pipe_is_own(own) && load32_relaxed(other) == 0;
}

/* In the place of both, while what is learned here is looked up: a handler that changes
 * something meanwhile makes the process forget that, too. No entry of a table. */
enum { LEARNING = 1 };

static void begin_to_learn(struct weir_lone *l)
{
	store64_relaxed(&l->who[WEIR_OP_READ], LEARNING);
	store64_relaxed(&l->who[WEIR_OP_WRITE], LEARNING);
	atomic_signal_fence(memory_order_seq_cst);
}

static void have_learned(struct weir_lone *l, uint64_t reader, uint64_t writer)
{
	atomic_signal_fence(memory_order_seq_cst);
	swap64_if(&l->who[WEIR_OP_READ], LEARNING, reader);
	swap64_if(&l->who[WEIR_OP_WRITE], LEARNING, writer);
}

static bool is_ordinary(const struct weir_pipe_ref *ref, struct weir_pipe_seen *seen)
{
	const struct weir_pipe *pipe = ref->pipe;

	return load32_relaxed(&pipe->carrier) == WEIR_BY_RING && !load32_relaxed(&pipe->hand_over) &&
	       weir_pipe_reader_sees(ref, seen) && weir_pipe_writer_sees(ref, seen) &&
	       seen->tail - seen->head <= seen->limit;
}

void weir_lone_learn(const struct weir_pipe_ref *ref, int op, uint64_t reader, uint64_t writer)
{
	struct weir_pipe *pipe = ref->pipe;
	struct weir_lone *l = ref->lone;
	struct weir_pipe_seen seen;

	if (!l || !is_only_one_at_work(pipe, op) || pauses(l))
		return;
	begin_to_learn(l);
	if (!is_ordinary(ref, &seen)) {
		have_learned(l, 0, 0);
		return;
	}
	l->ref = *ref;
	l->self = doubled_of(load32_relaxed(&weir_own_process));
	store64_relaxed(&l->head, seen.head);
	store64_relaxed(&l->tail, seen.tail);
	store64_relaxed(&l->origin, seen.origin);
	l->mask = seen.mask;
	l->limit = seen.limit;
	l->storage = weir_pipe_storage(ref, seen.mask);
	uint64_t front = weir_pipe_front(ref, seen.mask, load64_relaxed(&pipe->max_buffered));
	l->front = front ? WEIR_RING_FRONT : WEIR_RING_MIN_MASK + 1;
	l->near = front + l->front;
	l->learned = (uint16_t)(seen.head + seen.tail);
	have_learned(l, reads_plainly(pipe) ? reader : 0, writes_plainly(pipe) ? writer : 0);
}
