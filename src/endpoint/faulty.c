#include "endpoint/faulty.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/os.h"
#include "endpoint/hold.h"
#include "endpoint/wait.h"
#include "pipe/bell.h"

/* ---- who calls ---- */

struct weir_rules_self weir_self;

/* The process's name is its first thread's. */
static void read_name(char comm[WEIR_COMM_SIZE])
{
	long fd = os_call(SYS_openat, AT_FDCWD, (long)"/proc/self/comm", O_RDONLY | O_CLOEXEC, 0, 0, 0);
	long n = fd < 0 ? fd : os_call(SYS_read, fd, (long)comm, WEIR_COMM_SIZE - 1, 0, 0, 0);

	if (fd >= 0)
		os_close((int)fd);
	if (n <= 0)
		os_call(SYS_prctl, PR_GET_NAME, (long)comm, 0, 0, 0, 0);
	comm[WEIR_COMM_SIZE - 1] = '\0';
	comm[strcspn(comm, "\n")] = '\0';
}

/* What is known of one state of the plan must not be kept as that of another: one
 * thread at a time, and only what is still so. Who looks loads the epoch first. */
static void keep(uint32_t epoch, uint32_t pid, uint64_t rules, const char *comm)
{
	static weir_word32 keeper;  /* its process: a fork leaves the parent's behind */
	uint32_t before = load32_relaxed(&keeper);

	if (before == pid || !swap32_if(&keeper, before, pid))
		return;
	if (load32_ordered(&weir_session.plan->epoch) == epoch) {
		memcpy(weir_self.comm, comm, WEIR_COMM_SIZE);
		store64_relaxed(&weir_self.rules, rules);
		store32_relaxed(&weir_self.pid, pid);
		store32_release(&weir_self.epoch, epoch + 1);
	}
	store32_release(&keeper, 0);
}

uint64_t weir_rules_of_self_anew(void)
{
	uint32_t epoch = load32_acquire(&weir_session.plan->epoch);
	uint32_t pid = load32_relaxed(&weir_own_process);
	char comm[WEIR_COMM_SIZE] = "";

	read_name(comm);
	uint64_t rules = weir_plan_rules_of(weir_session.plan, pid, comm);
	keep(epoch, pid, rules, comm);
	return rules;
}

struct weir_faulty *weir_faulty_begin(struct weir_faulty *f, const struct weir_end *end, int op,
                                      int flags, bool whole, uint64_t calm)
{
	f->end = end;
	f->op = op;
	f->flags = flags;
	f->waits = weir_waits_begin();
	f->whole = whole;
	f->ends = false;
	f->call = (struct weir_fault_call){
	        .begun = calm != 0,
	        .known = calm,
	        .next = calm ? WEIR_RULES_MAX + 1 : 0, /* those that speak of calls */
	};
	return f;
}

/* ---- where the call stands ---- */

/* The next `n` bytes of a span, which may be of the program's or of ours. */
static struct weir_fault_bytes bytes_at(const struct weir_span *span, size_t n)
{
	return (struct weir_fault_bytes){span->iov, span->offset, n};
}

static struct weir_fault_bytes bytes_in(const struct weir_pipe_ref *in, size_t n,
                                        struct iovec stored[2])
{
	n = weir_pipe_pieces(in, n, stored);
	return (struct weir_fault_bytes){stored, 0, n};
}

/* The bytes that a call would move, at most `*n`, where they lie in one piece. */
static const unsigned char *one_piece(const struct weir_end *end, int op,
                                      const struct weir_span *span, size_t *n)
{
	if (op == WEIR_OP_READ)
		return weir_pipe_next(&end->in, n);
	if (span->iov->iov_len - span->offset < *n || weir_pipe_room(&end->out) < *n)
		return NULL;
	return (const unsigned char *)span->iov->iov_base + span->offset;
}

/* Is no text complete with these bytes? */
static bool may_pass_texts(struct weir_fault_state *s, const void *bytes, size_t n)
{
	struct iovec piece = {(void *)(uintptr_t)bytes, n};

	if (!bytes)
		return false;
	return weir_fault_is_vain(weir_session.plan, s->calm_text, bytes, n) ||
	       weir_fault_look_ahead(weir_session.plan, s, (struct weir_fault_bytes){&piece, 0, n});
}

bool weir_calm_looks(const struct weir_end *end, int op, const void *bytes, size_t *n,
                     struct weir_calm_way *way)
{
	struct weir_pipe *pipe = weir_pipe_of(end, op);
	uint64_t rules = weir_rules_here(op ? &pipe->rules_write : &pipe->rules_read);
	struct weir_fault_state *s;

	way->state = NULL;
	if (rules == 0)
		return true;
	s = weir_fault_state_now(end, op);
	uint64_t byte = load64_relaxed(op ? &pipe->tail : &pipe->head);
	if (!weir_fault_is_calm(s, load32_relaxed(&weir_self.epoch), rules, byte + s->beyond, *n))
		return false;
	s->calm_looked = 0;
	if (s->calm_texts && op == WEIR_OP_READ)
		bytes = weir_pipe_glance(&end->in, n);
	way->state = s;
	return !s->calm_texts || may_pass_texts(s, bytes, *n);
}

void weir_calm_note(struct weir_pipe *pipe, int op, const struct weir_calm_way *way)
{
	bool alone = op ? weir_pipe_writes_alone(pipe) : weir_pipe_reads_alone(pipe);
	struct weir_fault_state *s = way->state;

	if (s)
		weir_fault_pass_calmly(s, 1);
	if (s && s->calm_looked)
		weir_fault_read_on(s);
	if (alone && s)
		weir_calm_begin(pipe, op, s, way->word,
		                load64_relaxed(op ? &pipe->tail : &pipe->head));
	else if (alone)
		weir_calm_begin_free(pipe, op, way->word);
}

static WEIR_SELDOM bool read_on(const struct weir_end *end, int op, struct weir_fault_state *s,
                                const struct weir_span *span, size_t *n)
{
	struct weir_fault_bytes bytes;
	struct iovec stored[2];

	if (op == WEIR_OP_READ) {
		bytes = bytes_in(&end->in, *n, stored);
	} else {
		uint64_t room = weir_pipe_room(&end->out);
		bytes = bytes_at(span, room < *n ? (size_t)room : *n);
	}
	if (!weir_fault_look_ahead(weir_session.plan, s, bytes))
		return false;
	weir_fault_read_on(s);
	*n = bytes.size;
	return true;
}

bool weir_texts_read_on(const struct weir_end *end, int op, struct weir_fault_state *s,
                        const struct weir_span *span, size_t *n)
{
	size_t size = *n;
	const unsigned char *bytes = one_piece(end, op, span, &size);

	if (!bytes || !weir_fault_is_vain(weir_session.plan, s->calm_text, bytes, size))
		return read_on(end, op, s, span, n);
	*n = size;
	return true;
}

/* Of `left` bytes, at `span` where they are the program's to send. */
static struct weir_fault_point *stand(struct weir_faulty *f, const struct weir_span *span,
                                      size_t left, bool moved)
{
	const struct weir_end *end = f->end;
	bool reads = f->op == WEIR_OP_READ;
	struct weir_pipe *pipe = reads ? end->in.pipe : end->out.pipe;
	struct weir_fault_state *state = weir_fault_state_now(end, f->op);
	uint64_t rules = weir_rules_here(reads ? &pipe->rules_read : &pipe->rules_write);

	f->point = (struct weir_fault_point){
	        .plan = weir_session.plan,
	        .state = state,
	        .rules = rules,
	        .epoch = load32_relaxed(&weir_self.epoch),
	        .pair = end->slot->number,
	        .byte = load64_relaxed(reads ? &pipe->head : &pipe->tail) + state->beyond,
	        .left = left,
	        .side = (uint32_t)end->side,
	        .op = (uint32_t)f->op,
	        .pid = load32_relaxed(&weir_own_process),
	        .moved = moved,
	        .nonblocking = (f->flags & MSG_DONTWAIT) ||
	                       ((rules & WEIR_CHAOS_BIT) && os_nonblocking(end->fd)),
	        .unread = load32_relaxed(&pipe->carrier) == WEIR_BY_RING &&
	                  weir_pipe_used(reads ? &end->in : &end->out) > 0,
	        .whole = f->whole,
	        .comm = weir_self.comm,
	        .bytes = span ? bytes_at(span, left) : bytes_in(&end->in, left, f->stored),
	};
	return &f->point;
}

/* Decides. True where bytes may pass, at most `*n`. */
static bool may_pass(struct weir_faulty *f, size_t *n)
{
	if (f->point.rules == 0)
		return true;
	f->verdict = weir_fault_decide(&f->point, &f->call);
	if (f->verdict.kind == WEIR_VERDICT_END)
		f->point.state->ended = f->op == WEIR_OP_WRITE;
	if (f->verdict.kind != WEIR_VERDICT_PASS)
		return false;
	if (f->verdict.limit < *n)
		*n = (size_t)f->verdict.limit;
	return true;
}

/* `n` bytes pass: does the direction end behind them? */
static void passes(struct weir_faulty *f, size_t n)
{
	weir_fault_passes(&f->point, &f->call, n);
	f->point.byte += n;
	if (!weir_fault_ends_at(&f->point, &f->effect))
		return;
	f->ends = true;
	if (f->op == WEIR_OP_WRITE)
		f->point.state->ended = 1;
}

/* ---- sending ---- */

/* The program's own bytes stay as they are. */
static size_t damage_copy(struct weir_faulty *f, size_t n)
{
	const struct weir_fault_bytes *from = &f->point.bytes;
	struct weir_span span = {from->piece, SIZE_MAX, from->offset};
	weir_word64 unused = 0;
	struct weir_ring copy = {
	        .head = &unused,
	        .tail = &unused,
	        .mask = UINT64_MAX >> 1,
	        .storage = f->bytes,
	};

	n = n < WEIR_DAMAGED_MAX ? n : WEIR_DAMAGED_MAX;
	n = n < from->size ? n : from->size;
	weir_ring_copy_in(&copy, 0, &span, n);
	for (size_t i = 0; i < n && i < f->call.corrupts; i++)
		f->bytes[i] ^= (unsigned char)(1U << weir_fault_bit(&f->point, f->point.byte + i));
	f->iov = (struct iovec){f->bytes, n};
	f->damaged = weir_span_of(&f->iov, 1);
	return n;
}

ssize_t weir_faulty_before_put(struct weir_faulty *f, struct weir_span **span, size_t *n, bool moved)
{
	stand(f, *span, *n, moved);
	if (!may_pass(f, n))
		return WEIR_BY_FAULT;
	if (f->call.discards) { /* the writer believes that they passed */
		passes(f, *n);
		weir_span_advance(*span, *n);
		f->point.state->beyond += *n;
		return (ssize_t)*n;
	}
	if (f->call.corrupts > 0) {
		*n = damage_copy(f, *n);
		*span = &f->damaged;
	}
	return 0;
}

void weir_faulty_after_put(struct weir_faulty *f, struct weir_span *span, size_t n)
{
	if (f->call.corrupts > 0) {
		weir_span_advance(span, n);
		f->call.corrupts -= n < f->call.corrupts ? n : f->call.corrupts;
	}
	passes(f, n);
}

/* ---- receiving ---- */

static const struct weir_verdict reset_verdict = {
        .kind = WEIR_VERDICT_FAIL,
        .error = ECONNRESET,
};

/* What the kernel carried is lost here: who cut the direction may not have had this
 * end. It is shut, so there is an end. */
static void drain_kernel(int fd)
{
	unsigned char bytes[WEIR_DAMAGED_MAX];

	while (os_recv_now(fd, bytes, sizeof(bytes), 0) > 0)
		;
}

/* What was reset gives its error once, to whoever reads next. */
bool weir_end_take_reset(const struct weir_end *end)
{
	struct weir_pipe *pipe = end->in.pipe;

	if (!load32_relaxed(&pipe->reset) || !swap32_if(&pipe->reset, 1, 0))
		return false;
	if (load32_relaxed(&pipe->carrier) != WEIR_BY_RING)
		drain_kernel(end->fd);
	return true;
}

/* What will be taken is known here, and passes before it is gone from the pipe. */
ssize_t weir_faulty_before_take(struct weir_faulty *f, struct weir_span span, size_t *n, int flags,
                                bool moved)
{
	f->received = span;
	stand(f, NULL, *n, moved);
	if (weir_end_take_reset(f->end)) {
		f->verdict = reset_verdict;
		return WEIR_BY_FAULT;
	}
	if (!may_pass(f, n))
		return WEIR_BY_FAULT;
	if (f->point.bytes.size < *n) /* what has come since was not looked at */
		*n = f->point.bytes.size;
	if (*n > 0 && !(flags & MSG_PEEK))
		passes(f, *n);
	return 0;
}

void weir_faulty_after_take(struct weir_faulty *f, size_t n)
{
	struct weir_span span = f->received;
	uint64_t byte = f->point.byte - n;

	for (; n > 0 && f->call.corrupts > 0; n--, byte++, f->call.corrupts--) {
		while (span.offset == span.iov->iov_len) {
			span.iov++;
			span.offset = 0;
		}
		((unsigned char *)span.iov->iov_base)[span.offset++] ^=
		        (unsigned char)(1U << weir_fault_bit(&f->point, byte));
	}
}

/* ---- what an attempt found ---- */

/* The kernel raises it in the thread that writes (pipe(7)). */
static void raise_sigpipe(void)
{
	long pid = os_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
	long tid = os_call(SYS_gettid, 0, 0, 0, 0, 0, 0);

	os_call(SYS_tgkill, pid, tid, SIGPIPE, 0, 0, 0);
}

static int fail(const struct weir_faulty *f, bool moved)
{
	if (moved)
		return WEIR_WAIT_ENDED;
	if (f->verdict.error == EPIPE && f->op == WEIR_OP_WRITE && !(f->flags & MSG_NOSIGNAL))
		raise_sigpipe();
	return -f->verdict.error;
}

/* A reader gets what it is owed as by the kernel's own end. */
static int cut(struct weir_faulty *f, enum weir_effect effect)
{
	f->ends = false;
	weir_end_cut(f->end, f->op, effect);
	return WEIR_WAIT_AGAIN;
}

int weir_faulty_settle(struct weir_faulty *f, bool moved)
{
	if (f->ends) {
		cut(f, f->effect);
		return WEIR_WAIT_ENDED;
	}
	switch (f->verdict.kind) {
	case WEIR_VERDICT_FAIL:
		return fail(f, moved);
	case WEIR_VERDICT_ENDED:
		return moved ? WEIR_WAIT_ENDED : -EPIPE;
	case WEIR_VERDICT_END:
		return cut(f, f->verdict.effect);
	case WEIR_VERDICT_HOLD:
		return weir_hold_wait(f->end, f->op, f->flags, moved, f->verdict.until,
		                      &f->waits);
	case WEIR_VERDICT_STOP:
	case WEIR_VERDICT_PASS:
		break;
	}
	return WEIR_WAIT_ENDED;
}

/* ---- directions that the kernel carries ---- */

static int lock(const struct weir_faulty *f)
{
	return f->op == WEIR_OP_READ ? weir_pipe_lock_reader(&f->end->in)
	                             : weir_pipe_lock_writer(&f->end->out);
}

static void unlock(const struct weir_faulty *f)
{
	if (f->op == WEIR_OP_READ)
		weir_pipe_unlock_reader(&f->end->in);
	else
		weir_pipe_unlock_writer(&f->end->out);
}

int weir_faulty_kernel_begin(struct weir_faulty *f, struct weir_span known, size_t known_size,
                             size_t *n, bool moved)
{
	bool pass = false;
	int result;

	do {
		if (lock(f) != 0)
			return WEIR_WAIT_AGAIN;
		stand(f, &known, *n, moved);
		f->point.bytes.size = known_size;
		if (f->op == WEIR_OP_READ && weir_end_take_reset(f->end))
			f->verdict = reset_verdict;
		else
			pass = may_pass(f, n);
		unlock(f);
		result = pass ? WEIR_WAIT_AGAIN : weir_faulty_settle(f, moved);
	} while (!pass && result == WEIR_WAIT_AGAIN);
	return result;
}

size_t weir_faulty_kernel_copy(struct weir_faulty *f, struct weir_span *span, size_t n)
{
	n = damage_copy(f, n);
	*span = f->damaged;
	return n;
}

bool weir_faulty_kernel_end(struct weir_faulty *f, struct weir_span span, size_t n)
{
	if (n == 0 || lock(f) != 0)
		return false;
	stand(f, &span, n, false);
	passes(f, n);
	f->received = span;
	if (f->op == WEIR_OP_READ)
		weir_faulty_after_take(f, n);
	f->point.state->beyond += n;
	unlock(f);
	if (!f->ends)
		return false;
	cut(f, f->effect);
	return true;
}

/* ---- ends ---- */

/* What nobody will read any more. */
static void lose(const struct weir_pipe_ref *ref)
{
	if (weir_pipe_lock(ref) != 0)
		return;
	weir_pipe_lose(ref);
	weir_pipe_unlock(ref);
}

static void lose_all(const struct weir_end *end, int op)
{
	struct weir_pipe *pipe = op == WEIR_OP_READ ? end->in.pipe : end->out.pipe;

	store32_ordered(&pipe->reset, 1);
	or64_ordered(&pipe->rules_read, WEIR_DONE_BIT);
	lose(&end->in);
	lose(&end->out);
}

static void shut(const struct weir_end *end, int how)
{
	weir_end_before_shutdown(end);
	os_call(SYS_shutdown, end->fd, how, 0, 0, 0, 0);
	weir_end_after_shutdown(end);
}

void weir_end_cut(const struct weir_end *end, int op, enum weir_effect effect)
{
	int how = SHUT_RDWR;

	if (effect == WEIR_EFFECT_EOF)
		how = op == WEIR_OP_READ ? SHUT_RD : SHUT_WR;
	if (effect == WEIR_EFFECT_RESET)
		lose_all(end, op);
	shut(end, how);
	if (effect == WEIR_EFFECT_RESET) { /* what was written meanwhile */
		lose(&end->in);
		lose(&end->out);
	}
	weir_holds_wake(&weir_session, end->index);
}
