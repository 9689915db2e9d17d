/* The double against the kernel that runs: the same calls on both, and after each one
 * every answer, what poll says of both sockets, what is queued and charged, and which
 * events an edge-triggered epoll saw. Then who is woken from a send that waits. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/test.h"
#include "base/test_random.h"
#include "kernel.h"

enum { ROUNDS = 400, STEPS = 120, SIZE_MAX_SENT = 2000, PATIENCE_MS = 20000, GRACE_MS = 30 };

struct both {
	struct test_random random;
	struct kernel k;
	int fd[2];
	int epoll[2];
	const void *unreadable;
};

static int outcome(long result)
{
	return result < 0 ? -errno : (int)result;
}

static int real_poll(int fd)
{
	struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDHUP | POLLRDNORM | POLLWRNORM | POLLWRBAND, 0};

	poll(&p, 1, 0);
	return p.revents;
}

static int real_queued(int fd, unsigned long request)
{
	int bytes = 0;

	ioctl(fd, request, &bytes);
	return bytes;
}

static void watch(struct both *b, int s)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};

	b->epoll[s] = epoll_create1(EPOLL_CLOEXEC);
	CHECK_EQ(epoll_ctl(b->epoll[s], EPOLL_CTL_ADD, b->fd[s], &event), 0);
	epoll_wait(b->epoll[s], &event, 1, 0);
}

static void open_both(struct both *b)
{
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, b->fd), 0);
	kernel_open(&b->k);
	watch(b, 0);
	watch(b, 1);
}

static void close_both(struct both *b)
{
	for (int s = 0; s < 2; s++) {
		if (b->fd[s] >= 0)
			close(b->fd[s]);
		close(b->epoll[s]);
	}
}

/* An edge is an event that finds something to tell. */
static bool is_edge(const struct kernel *k, int s)
{
	return k->socket[s].events != 0 && kernel_poll(k, s) != 0;
}

static void compare_edges(struct both *b, int s)
{
	struct epoll_event event = {.events = 0};
	int seen = epoll_wait(b->epoll[s], &event, 1, 0);

	CHECK_EQ(seen > 0, is_edge(&b->k, s));
	b->k.socket[s].events = 0;
}

static void compare(struct both *b)
{
	for (int s = 0; s < 2; s++) {
		if (b->fd[s] < 0)
			continue;
		CHECK_EQ(real_poll(b->fd[s]), kernel_poll(&b->k, s));
		CHECK_EQ(real_queued(b->fd[s], SIOCINQ), kernel_input(&b->k, s));
		CHECK_EQ(real_queued(b->fd[s], SIOCOUTQ), kernel_output(&b->k, s));
		compare_edges(b, s);
	}
}

/* Mostly what weir sends: bells, and now and then more. */
static size_t some_size(struct both *b)
{
	switch (test_random_below(&b->random, 6)) {
	case 0:
		return test_random_below(&b->random, KERNEL_BYTES + 1);
	case 1:
		return test_random_below(&b->random, 2) ? 1500 : 64;
	case 2:
		return 1 + test_random_below(&b->random, SIZE_MAX_SENT);
	default:
		return 1;
	}
}

static void sends(struct both *b, int s)
{
	unsigned char bytes[SIZE_MAX_SENT] = {0};
	size_t n = some_size(b);

	if (b->k.socket[!s].queued > KERNEL_MESSAGES - 3)
		return;
	for (size_t i = 0; i < n && n <= KERNEL_BYTES; i++)
		bytes[i] = (unsigned char)test_random_below(&b->random, 256);
	int real = outcome(send(b->fd[s], bytes, n, MSG_NOSIGNAL));
	CHECK_EQ(real, kernel_send(&b->k, s, bytes, n));
}

static void sends_unreadable(struct both *b, int s)
{
	int real = outcome(send(b->fd[s], b->unreadable, 1, MSG_NOSIGNAL));
	int doubled = kernel_send_begin(&b->k, s);

	if (doubled == 0) {
		kernel_send_fault(&b->k, s);
		doubled = -EFAULT;
	}
	CHECK_EQ(real, doubled);
}

static void receives(struct both *b, int s, int flags)
{
	unsigned char bytes[2 * SIZE_MAX_SENT] = {0}, wanted[2 * SIZE_MAX_SENT] = {0};
	size_t n = test_random_below(&b->random, 3) ? 1 + test_random_below(&b->random, 4)
	                                            : sizeof(bytes);
	int real = outcome(recv(b->fd[s], bytes, n, flags));

	CHECK_EQ(real, kernel_receive(&b->k, s, wanted, n, flags));
	CHECK(memcmp(bytes, wanted, sizeof(bytes)) == 0);
}

static void sets_sndbuf(struct both *b, int s)
{
	static const int value[] = {1, 6000, 12000, 106496};
	int v = value[test_random_below(&b->random, 4)];

	CHECK_EQ(setsockopt(b->fd[s], SOL_SOCKET, SO_SNDBUF, &v, sizeof(v)), 0);
	kernel_set_sndbuf(&b->k, s, v);
	socklen_t len = sizeof(v);
	getsockopt(b->fd[s], SOL_SOCKET, SO_SNDBUF, &v, &len);
	CHECK_EQ(v, b->k.socket[s].sndbuf);
}

static void takes_error(struct both *b, int s)
{
	int error = 0;
	socklen_t len = sizeof(error);

	CHECK_EQ(getsockopt(b->fd[s], SOL_SOCKET, SO_ERROR, &error, &len), 0);
	CHECK_EQ(error, kernel_take_error(&b->k, s));
}

static void shuts(struct both *b, int s)
{
	int how = (int)test_random_below(&b->random, 3);

	CHECK_EQ(outcome(shutdown(b->fd[s], how)), 0);
	kernel_shutdown(&b->k, s, how);
}

static void closes(struct both *b, int s)
{
	close(b->fd[s]);
	b->fd[s] = -1;
	kernel_close(&b->k, s);
}

static void call(struct both *b)
{
	int s = (int)test_random_below(&b->random, 2);

	if (b->fd[s] < 0)
		s = !s;
	switch (test_random_below(&b->random, 12)) {
	case 0:
		sets_sndbuf(b, s);
		break;
	case 1:
		sends_unreadable(b, s);
		break;
	case 2:
		takes_error(b, s);
		break;
	case 3:
		receives(b, s, MSG_PEEK);
		break;
	case 4:
	case 5:
	case 6:
		receives(b, s, 0);
		break;
	default:
		sends(b, s);
		break;
	}
	if (test_random_below(&b->random, STEPS) == 0)
		shuts(b, s);
	if (test_random_below(&b->random, STEPS) == 0 && b->fd[!s] >= 0)
		closes(b, s);
}

static void answers_as_the_kernel(void)
{
	struct both b = {.random = test_random_begin("kernel")};
	int before = weir_test_failed;

	b.unreadable = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int round = 0; round < ROUNDS && weir_test_failed == before; round++) {
		open_both(&b);
		for (int i = 0; i < STEPS && weir_test_failed == before; i++) {
			call(&b);
			compare(&b);
		}
		close_both(&b);
	}
}

/* ---- who is woken from a send that waits ---- */

struct sender {
	int fd;
	const void *bytes;
	_Atomic int tid;
	_Atomic int result;         /* 1: still waits */
};

static void *send_waiting(void *at)
{
	struct sender *s = at;

	atomic_store(&s->tid, (int)syscall(SYS_gettid));
	int result = outcome(send(s->fd, s->bytes, 1, MSG_NOSIGNAL));
	atomic_store(&s->result, result);
	return NULL;
}

static char state_of(int tid)
{
	char path[64], text[256] = "";

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	FILE *f = fopen(path, "r");
	if (!f)
		return '?';
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	const char *end = n > 0 ? strrchr(text, ')') : NULL;
	return end ? end[2] : '?';
}

static void sleep_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

/* True once it has gone on; false where it sleeps, and has had time to wake. */
static bool goes_on(struct sender *s, bool expected)
{
	for (int ms = 0; ms < (expected ? PATIENCE_MS : GRACE_MS); ms++) {
		if (atomic_load(&s->result) != 1)
			return true;
		sleep_ms(1);
	}
	return false;
}

static void wait_until_asleep(struct sender *s)
{
	for (int ms = 0; ms < PATIENCE_MS; ms++) {
		if (atomic_load(&s->tid) != 0 && state_of(atomic_load(&s->tid)) == 'S')
			return;
		sleep_ms(1);
	}
	CHECK(!"the sender sleeps");
}

/* A queue full of bells, a sender that waits, and then one receive at a time. */
static void wakes_as_the_kernel(int sndbuf)
{
	struct both b = {.random = {1}};
	unsigned char byte;
	pthread_t thread;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, b.fd), 0);
	kernel_open(&b.k);
	setsockopt(b.fd[0], SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	kernel_set_sndbuf(&b.k, 0, sndbuf);
	while (send(b.fd[0], "", 1, MSG_DONTWAIT) == 1)
		CHECK_EQ(kernel_send(&b.k, 0, NULL, 1), 1);
	CHECK_EQ(kernel_send(&b.k, 0, NULL, 1), -EAGAIN);
	struct sender s = {.fd = b.fd[0], .result = 1};
	s.bytes = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_create(&thread, NULL, send_waiting, &s);
	wait_until_asleep(&s);
	b.k.socket[0].events = 0;
	bool woken = false;
	for (int i = 0; i < KERNEL_MESSAGES && !woken; i++) {
		CHECK_EQ(recv(b.fd[1], &byte, 1, 0), 1);
		CHECK_EQ(kernel_receive(&b.k, 1, &byte, 1, 0), 1);
		woken = b.k.socket[0].events & KERNEL_EVENT_ROOM;
		CHECK_EQ(goes_on(&s, woken), woken);
	}
	CHECK(woken);
	close(b.fd[1]);
	pthread_join(thread, NULL);
	CHECK_EQ(atomic_load(&s.result), -EFAULT);
	close(b.fd[0]);
}

static void wakes_a_sender_at_a_quarter(void)
{
	wakes_as_the_kernel(1);
	wakes_as_the_kernel(6000);
}

int main(void)
{
	RUN(answers_as_the_kernel);
	RUN(wakes_a_sender_at_a_quarter);
	return weir_test_end();
}
