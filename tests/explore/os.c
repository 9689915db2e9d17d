/* base/os.h over the double of the kernel: what each system call of weir's does, and
 * how it waits. A call happens at once; its locks in the kernel write the caller's
 * stores out. */
#include "base/os.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "endpoint/deadlock.h"
#include "pipe/bell.h"
#include "world.h"

static const short ALWAYS = POLLERR | POLLHUP;

static int socket_of(int fd)
{
	return fd - FD_FIRST;
}

/* ---- waking ---- */

static short keys_of(uint32_t events)
{
	if (events & KERNEL_EVENT_STATE)
		return (short)-1;
	return (short)((events & KERNEL_EVENT_INPUT ? POLLIN : 0) |
	               (events & KERNEL_EVENT_ROOM ? POLLOUT : 0));
}

static void tell(struct thread *t, int socket, uint32_t events)
{
	if (t->op.kind == OP_SLEEP_ROOM && t->op.socket == socket &&
	    (events & (KERNEL_EVENT_ROOM | KERNEL_EVENT_STATE)))
		t->woken = true;
	if (t->watch.events && t->watch.socket == socket &&
	    (keys_of(events) & (t->watch.events | ALWAYS)))
		t->watch.ready = true;
}

void tell_events(void)
{
	for (int s = 0; s < 2; s++) {
		uint32_t events = world.kernel.socket[s].events;
		world.kernel.socket[s].events = 0;
		for (int i = 0; events && i < THREADS_MAX; i++)
			tell(&world.thread[i], s, events);
	}
}

/* A sleep for room ends when it is told to (sock_wait_for_wmem), the others when there
 * is something to wake for. */
bool sleep_is_over(const struct thread *t)
{
	const struct kernel_socket *s = &world.kernel.socket[t->op.socket];

	if (t->op.kind == OP_SLEEP_INPUT)
		return s->queued > 0 || s->error || s->shut_read;
	if (t->op.kind == OP_SLEEP_POLL)
		return kernel_poll(&world.kernel, t->op.socket) & (t->op.events | ALWAYS);
	if (t->op.kind == OP_SLEEP_EPOLL)
		return t->watch.ready;
	return t->woken;
}

/* ---- calls ---- */

static void enter(const char *name, int fd)
{
	if (!running)
		return;
	reach((struct op){.kind = OP_KERNEL, .name = name, .socket = socket_of(fd)});
	flush(self());
	if (!self()->holds[socket_of(fd)])
		fail("%c uses descriptor %d, which its process does not have: %s", 'a' + world.current,
		     fd, name);
}

static long leave(const char *name, int fd, long result)
{
	if (running) {
		tell_events();
		trace("%s(%c) gives %ld%s%s", name, 'a' + socket_of(fd), result,
		      result < 0 ? " " : "", result < 0 ? strerrorname_np((int)-result) : "");
	}
	return result;
}

/* Has a handler run since the running thread's call began that would have ended it? */
static void check_heard(void)
{
	const struct thread *t = self();

	if (!scenario->restarts && t->heard > 0 && t->handlers != t->heard - 1)
		fail("%c sleeps, though a handler has run since its call began", 'a' + world.current);
}

struct os_handled os_handled(void)
{
	struct thread *t = self();

	if (t->heard == 0)
		t->heard = t->handlers + 1;
	return (struct os_handled){t->handlers, scenario->restarts ? 0 : t->handlers};
}

/* False where a handler ended it. */
static bool sleeps(enum op_kind kind, const char *name, int fd, short events)
{
	if (kind != OP_SLEEP_EPOLL)
		check_heard();
	flush(self());
	self()->woken = false;
	trace("%s(%c) sleeps", name, 'a' + socket_of(fd));
	return reach((struct op){.kind = kind, .name = name, .socket = socket_of(fd), .events = events});
}

ssize_t os_send_now(int fd, const void *buf, size_t len, int flags)
{
	(void)flags;
	enter("send", fd);
	return leave("send", fd, kernel_send(&world.kernel, socket_of(fd), buf, len));
}

ssize_t os_recv_now(int fd, void *buf, size_t len, int flags)
{
	enter("recv", fd);
	return leave("recv", fd,
	             kernel_receive(&world.kernel, socket_of(fd), buf, len, flags & MSG_PEEK));
}

int os_poll_now(int fd, short events)
{
	enter("poll", fd);
	return (int)leave("poll", fd,
	                  kernel_poll(&world.kernel, socket_of(fd)) & (events | ALWAYS));
}

static bool waits(int fd, int flags)
{
	return !(flags & MSG_DONTWAIT) && !world.nonblock[socket_of(fd)];
}

/* A handler that comes as the kernel is about to be asked has come while it was: no program
 * can tell. */
static bool comes_with_the_call(uint32_t handlers)
{
	return !scenario->restarts && self()->handlers != handlers;
}

ssize_t os_recv_wait(int fd, void *buf, size_t len, int flags)
{
	uint32_t handlers = self()->handlers;

	for (;;) {
		ssize_t n = os_recv_now(fd, buf, len, flags);
		if (n != -EAGAIN || !waits(fd, flags))
			return n;
		if (comes_with_the_call(handlers))
			return leave("recv", fd, -EINTR);
		if (!sleeps(OP_SLEEP_INPUT, "recv", fd, 0))
			return leave("recv", fd, -EINTR);
	}
}

ssize_t os_read_wait(int fd, void *buf, size_t len)
{
	return os_recv_wait(fd, buf, len, 0);
}

/* The message has its memory first, and is found to be unreadable then. */
static ssize_t send_unreadable(int fd)
{
	enter("send of nothing", fd);
	ssize_t n = leave("send of nothing", fd, kernel_send_begin(&world.kernel, socket_of(fd)));
	if (n != 0)
		return n;
	enter("fault", fd);
	kernel_send_fault(&world.kernel, socket_of(fd));
	return leave("fault", fd, -EFAULT);
}

ssize_t os_send_wait(int fd, const void *buf, size_t len, int flags)
{
	uint32_t handlers = self()->handlers;

	for (;;) {
		ssize_t n = buf == weir_bell_unreadable() ? send_unreadable(fd)
		                                          : os_send_now(fd, buf, len, flags);
		if (n != -EAGAIN || !waits(fd, flags))
			return n;
		if (comes_with_the_call(handlers))
			return leave("send", fd, -EINTR);
		if (!sleeps(OP_SLEEP_ROOM, "send", fd, 0))
			return leave("send", fd, -EINTR);
	}
}

ssize_t os_sendmsg_wait(int fd, const struct msghdr *msg, int flags)
{
	ssize_t total = 0;

	for (size_t i = 0; i < msg->msg_iovlen; i++) {
		const struct iovec *v = &msg->msg_iov[i];
		ssize_t n = v->iov_len ? os_send_wait(fd, v->iov_base, v->iov_len, flags) : 0;
		if (n < 0)
			return total ? total : n;
		total += n;
	}
	return total;
}

int os_poll_wait(int fd, short events, int timeout_ms)
{
	if (timeout_ms >= 0) {
		reach((struct op){.kind = OP_YIELD, .name = "wait a moment"});
		return 0;
	}
	uint32_t handlers = self()->handlers;
	for (;;) {
		int found = os_poll_now(fd, events);
		if (found != 0)
			return found;
		if (comes_with_the_call(handlers))
			return (int)leave("poll", fd, -EINTR);
		if (!sleeps(OP_SLEEP_POLL, "poll", fd, events))
			return (int)leave("poll", fd, -EINTR);
	}
}

int os_queued_in(int fd)
{
	enter("SIOCINQ", fd);
	return (int)leave("SIOCINQ", fd, kernel_input(&world.kernel, socket_of(fd)));
}

int os_queued_out(int fd)
{
	enter("SIOCOUTQ", fd);
	return (int)leave("SIOCOUTQ", fd, kernel_output(&world.kernel, socket_of(fd)));
}

/* Nobody sends urgent data here. */
bool os_at_mark(int fd)
{
	enter("SIOCATMARK", fd);
	return leave("SIOCATMARK", fd, 0) != 0;
}

int os_getsockopt_int(int fd, int option)
{
	enter("getsockopt", fd);
	if (option == SO_ERROR)
		return (int)leave("SO_ERROR", fd, kernel_take_error(&world.kernel, socket_of(fd)));
	return (int)leave("SO_SNDBUF", fd, world.kernel.socket[socket_of(fd)].sndbuf);
}

int os_setsockopt_int(int fd, int option, int value)
{
	(void)option;
	enter("SO_SNDBUF", fd);
	kernel_set_sndbuf(&world.kernel, socket_of(fd), value);
	return (int)leave("SO_SNDBUF", fd, 0);
}

bool os_nonblocking(int fd)
{
	return world.nonblock[socket_of(fd)];
}

bool os_task_lives(uint32_t tid)
{
	return world.thread[tid - tid_of(0)].state < THREAD_DYING;
}

int os_timeout_ms(int fd, int option)
{
	(void)fd, (void)option;
	return -1;
}

weir_word32 weir_own_process;

/* What is believed must be right without. */
bool os_is_due(void)
{
	return false;
}

uint32_t os_thread(void)
{
	return tid_of(world.current);
}

uint64_t os_now_ns(void)
{
	return 1;
}

int os_cpu(void)
{
	return -1;                  /* not known: nobody waits by looking */
}

/* ---- what the hooks do, for scenarios ---- */

void shut_down(int fd, int how)
{
	enter("shutdown", fd);
	kernel_shutdown(&world.kernel, socket_of(fd), how);
	leave("shutdown", fd, 0);
}

static bool is_held(int side)
{
	for (int i = 0; i < THREADS_MAX; i++)
		if (world.thread[i].holds[side])
			return true;
	return false;
}

static void drop_end(int thread, int side)
{
	if (!world.thread[thread].holds[side])
		return;
	world.thread[thread].holds[side] = false;
	if (!is_held(side))
		kernel_close(&world.kernel, side);
	tell_events();
}

void close_end(int fd)
{
	enter("close", fd);
	drop_end(world.current, socket_of(fd));
	leave("close", fd, 0);
}

void close_ends_of(int thread)
{
	drop_end(thread, 0);
	drop_end(thread, 1);
	world.thread[thread].state = THREAD_DEAD;
}

void watch_for(struct thread *t, int fd, short events, bool edges)
{
	struct epoll_watch *w = &t->watch;

	enter("epoll_ctl", fd);
	*w = (struct epoll_watch){.socket = socket_of(fd), .events = events, .edges = edges};
	w->ready = kernel_poll(&world.kernel, w->socket) & (events | ALWAYS);
	leave("epoll_ctl", fd, 0);
}

void watch(int fd, short events, bool edges)
{
	watch_for(self(), fd, events, edges);
}

short wait_for_watch(void)
{
	struct epoll_watch *w = &self()->watch;

	for (;;) {
		enter("epoll_wait", FD_FIRST + w->socket);
		short found = (short)(kernel_poll(&world.kernel, w->socket) & (w->events | ALWAYS));
		if (!w->ready)
			found = 0;
		if (!found || w->edges)
			w->ready = false;
		leave("epoll_wait", FD_FIRST + w->socket, found);
		if (found || !sleeps(OP_SLEEP_EPOLL, "epoll_wait", FD_FIRST + w->socket, w->events))
			return found;
	}
}

/* ---- what no scenario comes to ---- */

/* The search for deadlocks looks at threads and descriptors in /proc, and changes
 * nothing that others see: it is left out. */
void weir_deadlock_look(const struct weir_end *end)
{
	(void)end;
}

static _Noreturn void not_modelled(const char *name)
{
	if (running)
		fail("%s is not modelled", name);
	abort();
}

/* A fence on every processor (membarrier(2)). */
static long fence_all(void)
{
	reach((struct op){.kind = OP_KERNEL, .name = "membarrier"});
	for (int i = 0; i < THREADS_MAX; i++)
		flush(&world.thread[i]);
	trace("membarrier");
	return 0;
}

/* Who looks again and again does so whenever there may be something new. */
static long pause_a_while(void)
{
	flush(self());
	self()->pauses = true;
	reach((struct op){.kind = OP_PAUSE, .name = "nanosleep"});
	self()->pauses = false;
	trace("has slept");
	return 0;
}

/* Signals come where a scenario says so: there is nothing to block. */
long os_call(long number, long a, long b, long c, long d, long e, long f)
{
	(void)a, (void)b, (void)c, (void)d, (void)e, (void)f;
	switch (number) {
	case SYS_rt_sigprocmask:
		return 0;
	case SYS_membarrier:
		return fence_all();
	case SYS_nanosleep:
		return pause_a_while();
	default:
		not_modelled("a system call of another kind");
	}
}

/* Nobody sends anything beside bytes. */
ssize_t os_recvmsg_wait(int fd, struct msghdr *msg, int flags)
{
	unsigned char bytes[64];
	size_t size = 0, done = 0;

	for (size_t i = 0; i < msg->msg_iovlen; i++)
		size += msg->msg_iov[i].iov_len;
	ssize_t n = os_recv_wait(fd, bytes, size < sizeof(bytes) ? size : sizeof(bytes), flags);
	for (size_t i = 0; n > 0 && done < (size_t)n; i++) {
		size_t left = (size_t)n - done, piece = msg->msg_iov[i].iov_len;
		memcpy(msg->msg_iov[i].iov_base, bytes + done, piece < left ? piece : left);
		done += piece < left ? piece : left;
	}
	msg->msg_controllen = 0;
	msg->msg_flags = 0;
	return n;
}

uint64_t os_socket_cookie(int fd)
{
	enter("SO_COOKIE", fd);
	return (uint64_t)leave("SO_COOKIE", fd, 1 + socket_of(fd));
}

uint64_t os_inode(int fd)
{
	enter("fstat", fd);
	return (uint64_t)leave("fstat", fd, 1 + socket_of(fd));
}

uint64_t os_namespace(const char *name)
{
	(void)name;
	not_modelled("a namespace");
}

uint32_t os_filters(void)
{
	not_modelled("seccomp filters");
}

void os_each_descriptor(void (*act)(int fd))
{
	(void)act;
	not_modelled("/proc/self/fd");
}

uint64_t os_handled_signals(bool restarting)
{
	(void)restarting;
	not_modelled("sigaction");
}

uint64_t os_block_signals(uint64_t signals)
{
	(void)signals;
	not_modelled("sigprocmask");
}

void os_set_signal_mask(uint64_t mask)
{
	(void)mask;
	not_modelled("sigprocmask");
}

int os_signalfd(uint64_t signals)
{
	(void)signals;
	not_modelled("signalfd");
}

int os_memfd(const char *name)
{
	(void)name;
	not_modelled("memfd_create");
}

int os_close(int fd)
{
	(void)fd;
	not_modelled("close");
}

void os_resolve(void)
{
}
