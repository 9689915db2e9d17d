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

enum { PIECE = 2048 };          /* bytes that are damaged at a time */

/* ---- who calls ---- */

/* What this process is to the rules; asked for once for each state of the plan. */
static struct {
	weir_word32 epoch;          /* of the plan, + 1; 0: not known */
	weir_word32 pid;
	weir_word64 rules;
	char comm[WEIR_COMM_SIZE];
} self;

/* The process's name is its first thread's. */
static void know_name(void)
{
	long fd = os_call(SYS_openat, AT_FDCWD, (long)"/proc/self/comm", O_RDONLY | O_CLOEXEC, 0, 0, 0);
	long n = fd < 0 ? fd : os_call(SYS_read, fd, (long)self.comm, WEIR_COMM_SIZE - 1, 0, 0, 0);

	if (fd >= 0)
		os_close((int)fd);
	if (n <= 0)
		os_call(SYS_prctl, PR_GET_NAME, (long)self.comm, 0, 0, 0, 0);
	self.comm[WEIR_COMM_SIZE - 1] = '\0';
	self.comm[strcspn(self.comm, "\n")] = '\0';
}

static void know_self(uint32_t epoch, uint32_t pid)
{
	know_name();
	store64_relaxed(&self.rules, weir_plan_rules_of(weir_session.plan, pid, self.comm));
	store32_relaxed(&self.pid, pid);
	store32_release(&self.epoch, epoch + 1);
}

static uint64_t rules_of_self(void)
{
	uint32_t epoch = load32_acquire(&weir_session.plan->epoch);
	uint32_t pid = load32_relaxed(&weir_own_process);

	if (load32_acquire(&self.epoch) != epoch + 1 || load32_relaxed(&self.pid) != pid)
		know_self(epoch, pid);
	return load64_relaxed(&self.rules);
}

struct weir_faulty weir_faulty_begin(const struct weir_end *end, int op, int flags, bool whole)
{
	return (struct weir_faulty){.end = end, .op = op, .flags = flags, .whole = whole};
}

/* ---- where the call stands ---- */

static struct weir_fault_state *state_of(const struct weir_end *end, int op)
{
	return weir_pair_fault_state(&weir_session, end->index, end->side, op);
}

/* What match= looks at: the program's bytes, or those in the pipe. */
struct looking {
	const struct weir_pipe_ref *in;
	struct weir_span span;
	size_t size;                /* bytes of the span that count */
};

static size_t look_at_span(void *context, uint64_t skip, unsigned char *into, size_t n)
{
	struct looking *l = context;
	struct weir_span at = l->span;
	struct weir_ring ring = {.mask = UINT64_MAX >> 1, .storage = into};
	weir_word64 unused = 0;

	if (skip >= l->size)
		return 0;
	if (n > l->size - skip)
		n = (size_t)(l->size - skip);
	ring.head = ring.tail = &unused;
	weir_span_advance(&at, (size_t)skip);
	weir_ring_copy_in(&ring, 0, &at, n);
	return n;
}

static size_t look_at_pipe(void *context, uint64_t skip, unsigned char *into, size_t n)
{
	struct looking *l = context;
	struct iovec iov = {into, n};
	struct weir_span span = weir_span_of(&iov, 1);

	return weir_pipe_peek(l->in, &span, n, skip);
}

static struct weir_fault_point point(struct weir_faulty *f, struct looking *l, size_t left,
                                     bool moved)
{
	const struct weir_end *end = f->end;
	bool reads = f->op == WEIR_OP_READ;
	struct weir_pipe *pipe = reads ? end->in.pipe : end->out.pipe;
	struct weir_fault_state *state = state_of(end, f->op);
	uint64_t byte = load64_relaxed(reads ? &pipe->head : &pipe->tail) + state->beyond;
	uint64_t rules = load64_relaxed(reads ? &pipe->rules_read : &pipe->rules_write) &
	                 (rules_of_self() | WEIR_DONE_BIT);

	return (struct weir_fault_point){
	        .plan = weir_session.plan,
	        .state = state,
	        .rules = rules,
	        .pair = end->slot->number,
	        .byte = byte,
	        .left = left,
	        .side = (uint32_t)end->side,
	        .op = (uint32_t)f->op,
	        .pid = load32_relaxed(&self.pid),
	        .moved = moved,
	        .nonblocking = (f->flags & MSG_DONTWAIT) ||
	                       ((rules & WEIR_CHAOS_BIT) && os_nonblocking(end->fd)),
	        .whole = f->whole,
	        .comm = self.comm,
	        .look = l->in ? look_at_pipe : look_at_span,
	        .context = l,
	};
}

/* Decides. True where bytes may pass, at most `*n`. */
static bool may_pass(struct weir_faulty *f, const struct weir_fault_point *p, size_t *n)
{
	if (p->rules == 0)
		return true;
	f->verdict = weir_fault_decide(p, &f->call);
	if (f->verdict.kind == WEIR_VERDICT_END)
		p->state->ended = f->op == WEIR_OP_WRITE;
	if (f->verdict.kind != WEIR_VERDICT_PASS)
		return false;
	if (f->verdict.limit < *n)
		*n = (size_t)f->verdict.limit;
	return true;
}

/* `n` bytes have passed: does the direction end here? */
static void look_for_end(struct weir_faulty *f, struct weir_fault_point *p, uint64_t n)
{
	p->byte += n;
	if (!weir_fault_ends_at(p, &f->effect))
		return;
	f->ends = true;
	if (f->op == WEIR_OP_WRITE)
		p->state->ended = 1;
}

/* ---- sending ---- */

/* The writer believes that they passed. */
static ssize_t swallow(const struct weir_fault_point *p, struct weir_span *span, size_t n)
{
	weir_span_advance(span, n);
	p->state->beyond += n;
	return (ssize_t)n;
}

static void damage(struct weir_faulty *f, const struct weir_fault_point *p, unsigned char *bytes,
                   size_t n)
{
	for (size_t i = 0; i < n && f->call.corrupts > 0; i++, f->call.corrupts--)
		bytes[i] ^= (unsigned char)(1U << weir_fault_bit(p, p->byte + i));
}

/* The program's own bytes stay as they are. */
static ssize_t put_damaged(struct weir_faulty *f, const struct weir_fault_point *p,
                           struct looking *l, struct weir_span *span, size_t n)
{
	unsigned char bytes[PIECE];
	uint64_t corrupts = f->call.corrupts;

	n = look_at_span(l, 0, bytes, n < PIECE ? n : PIECE);
	damage(f, p, bytes, n);
	struct iovec iov = {bytes, n};
	struct weir_span piece = weir_span_of(&iov, 1);
	ssize_t moved = weir_pipe_put(&f->end->out, f->end->fd, &piece, n);
	if (moved > 0)
		weir_span_advance(span, (size_t)moved);
	size_t count = moved > 0 ? (size_t)moved : 0;
	f->call.corrupts = corrupts > count ? corrupts - count : 0;
	return moved;
}

ssize_t weir_faulty_put(struct weir_faulty *f, struct weir_span *span, size_t n, bool moved)
{
	struct looking l = {.span = *span, .size = n};
	struct weir_fault_point p = point(f, &l, n, moved);
	ssize_t passed;

	if (!may_pass(f, &p, &n))
		return WEIR_BY_FAULT;
	if (f->call.discards)
		passed = swallow(&p, span, n);
	else if (f->call.corrupts > 0)
		passed = put_damaged(f, &p, &l, span, n);
	else
		passed = weir_pipe_put(&f->end->out, f->end->fd, span, n);
	if (passed <= 0)
		return passed;
	weir_fault_passes(&p, &f->call, (uint64_t)passed);
	look_for_end(f, &p, (uint64_t)passed);
	return passed;
}

/* ---- receiving ---- */

static const struct weir_verdict reset_verdict = {
        .kind = WEIR_VERDICT_FAIL,
        .error = ECONNRESET,
};

/* What was reset gives its error once, to whoever reads next. */
bool weir_end_take_reset(const struct weir_end *end)
{
	struct weir_pipe *pipe = end->in.pipe;

	return load32_relaxed(&pipe->reset) && swap32_if(&pipe->reset, 1, 0);
}

static ssize_t may_take(struct weir_faulty *f, struct weir_fault_point *p, size_t n)
{
	if (weir_end_take_reset(f->end)) {
		f->verdict = reset_verdict;
		return WEIR_BY_FAULT;
	}
	if (!may_pass(f, p, &n))
		return WEIR_BY_FAULT;
	uint64_t used = weir_pipe_used(&f->end->in);
	return (ssize_t)(n < used ? n : used);
}

static void damage_span(struct weir_faulty *f, const struct weir_fault_point *p,
                        struct weir_span span, size_t n)
{
	uint64_t byte = p->byte;

	for (; n > 0 && f->call.corrupts > 0; n--, byte++, f->call.corrupts--) {
		while (span.offset == span.iov->iov_len) {
			span.iov++;
			span.offset = 0;
		}
		((unsigned char *)span.iov->iov_base)[span.offset++] ^=
		        (unsigned char)(1U << weir_fault_bit(p, byte));
	}
}

ssize_t weir_faulty_take(struct weir_faulty *f, struct weir_span *span, size_t n, bool moved)
{
	struct looking l = {.in = &f->end->in};
	struct weir_fault_point p = point(f, &l, n, moved);
	struct weir_span before = *span;
	ssize_t passed = may_take(f, &p, n);

	if (passed <= 0)
		return passed;
	weir_fault_passes(&p, &f->call, (uint64_t)passed);
	passed = (ssize_t)weir_pipe_take(&f->end->in, span, (size_t)passed);
	damage_span(f, &p, before, (size_t)passed);
	look_for_end(f, &p, (uint64_t)passed);
	return passed;
}

ssize_t weir_faulty_peek(struct weir_faulty *f, size_t n, bool moved)
{
	struct looking l = {.in = &f->end->in};
	struct weir_fault_point p = point(f, &l, n, moved);

	if (weir_end_take_reset(f->end)) {
		f->verdict = reset_verdict;
		return WEIR_BY_FAULT;
	}
	return may_pass(f, &p, &n) ? (ssize_t)n : WEIR_BY_FAULT;
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
		return weir_hold_wait(f->end, f->op, f->flags, moved, f->verdict.until);
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
	struct looking l = {.span = known, .size = known_size};
	bool passes = false;
	int result;

	do {
		if (lock(f) != 0)
			return WEIR_WAIT_AGAIN;
		struct weir_fault_point p = point(f, &l, *n, moved);
		if (f->op == WEIR_OP_READ && weir_end_take_reset(f->end))
			f->verdict = reset_verdict;
		else
			passes = may_pass(f, &p, n);
		unlock(f);
		result = passes ? WEIR_WAIT_AGAIN : weir_faulty_settle(f, moved);
	} while (!passes && result == WEIR_WAIT_AGAIN);
	return result;
}

size_t weir_faulty_kernel_copy(struct weir_faulty *f, struct weir_span span, unsigned char *bytes,
                               size_t n)
{
	struct looking l = {.span = span, .size = n};

	if (lock(f) != 0)
		return 0;
	struct weir_fault_point p = point(f, &l, n, false);
	n = look_at_span(&l, 0, bytes, n);
	damage(f, &p, bytes, n);
	unlock(f);
	return n;
}

bool weir_faulty_kernel_end(struct weir_faulty *f, struct weir_span span, size_t n)
{
	struct looking l = {.span = span, .size = n};

	if (n == 0 || lock(f) != 0)
		return false;
	struct weir_fault_point p = point(f, &l, n, false);
	weir_fault_passes(&p, &f->call, n);
	if (f->op == WEIR_OP_READ)
		damage_span(f, &p, span, n);
	p.state->beyond += n;
	look_for_end(f, &p, n);
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
	store64_ordered(&ref->pipe->head, load64_relaxed(&ref->pipe->tail));
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
