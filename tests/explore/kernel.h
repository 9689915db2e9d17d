/* A double of the kernel's part: a connected AF_UNIX stream socketpair.
 *
 * What Linux 6.18 does in net/unix/af_unix.c and net/core/sock.c, as far as weir makes
 * use of it: queued messages that are charged to their sender, SO_SNDBUF, the rule of
 * POLLOUT, shutdown, close and the one ECONNRESET. Calls never wait: what would is
 * -EAGAIN, and whoever waits looks at `events`. Values only, no pointers: an assignment
 * copies all of it. kernel_test.c compares it with the kernel that runs.
 */
#ifndef WEIR_TESTS_EXPLORE_KERNEL_H
#define WEIR_TESTS_EXPLORE_KERNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	KERNEL_MESSAGES = 40,       /* of one queue; more stop the program */
	KERNEL_BYTES = 8,           /* of a message that need not be zeros */
};

/* What happened to a socket, for who sleeps: as the keys of the kernel's wake-ups. */
enum kernel_event {
	KERNEL_EVENT_INPUT = 1,     /* a message came */
	KERNEL_EVENT_ROOM = 2,      /* sent memory was freed, and POLLOUT holds */
	KERNEL_EVENT_STATE = 4,     /* shut down or closed: wakes everybody */
};

struct kernel_message {
	uint16_t size;
	uint16_t done;              /* bytes received; memory is freed with the last */
	unsigned char bytes[KERNEL_BYTES];
};

struct kernel_socket {
	struct kernel_message queue[KERNEL_MESSAGES];
	uint32_t queued;
	uint32_t charged;           /* for what this socket has sent, and the peer not received */
	uint32_t sndbuf;
	int error;                  /* ECONNRESET, told once */
	bool shut_read, shut_write;
	bool dead;
	uint32_t events;            /* enum kernel_event, or-ed; the user clears them */
};

struct kernel {
	struct kernel_socket socket[2];
};

void kernel_open(struct kernel *k);

/* As send(2) with MSG_DONTWAIT. `bytes` NULL: zeros. */
ssize_t kernel_send(struct kernel *k, int s, const unsigned char *bytes, size_t n);

/* The two halves of a send from memory that cannot be read: 0 or -errno once the message
 * has its memory; then it is given back, and the call is EFAULT. */
int kernel_send_begin(struct kernel *k, int s);
void kernel_send_fault(struct kernel *k, int s);

/* As recv(2) with MSG_DONTWAIT; `flags`: MSG_PEEK or 0. */
ssize_t kernel_receive(struct kernel *k, int s, unsigned char *bytes, size_t n, int flags);

int kernel_poll(const struct kernel *k, int s);     /* all events of poll(2) that hold */
int kernel_input(const struct kernel *k, int s);    /* SIOCINQ */
int kernel_output(const struct kernel *k, int s);   /* SIOCOUTQ */
int kernel_take_error(struct kernel *k, int s);     /* SO_ERROR */
void kernel_set_sndbuf(struct kernel *k, int s, int value);
void kernel_shutdown(struct kernel *k, int s, int how);
void kernel_close(struct kernel *k, int s);

#endif
