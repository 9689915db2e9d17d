/* write and its relatives: one path, many names. */
#include <stdlib.h>
#include <string.h>

#include "endpoint/faulty.h"
#include "hooks/hooks.h"

enum { POSITION_NONE = -1 };

static WEIR_SELDOM ssize_t send_slowly(int fd, const void *buf, size_t len, int flags,
                                       uint64_t entry)
{
	struct weir_end end = weir_table_unpack(entry, fd);
	struct iovec iov = {(void *)(uintptr_t)buf, len};

	if (flags & MSG_OOB) {
		if (weir_check_buffer(buf, len) > 0)
			weir_end_hand_over(&end);
		return WEIR_TO_KERNEL;
	}
	return weir_send(&end, &iov, 1, flags);
}

static ssize_t send_generally(int fd, const void *buf, size_t len, int flags, uint64_t entry)
{
	size_t n = 0;

	weir_cancellation_point();
	if (weir_is_quick(len, flags) && weir_may_be_mapped(buf, len))
		n = weir_end_send_quick(entry, fd, buf, len);
	return n > 0 ? (ssize_t)n : send_slowly(fd, buf, len, flags, entry);
}

/* How a call goes on that is not of the shortest kind. */
typedef ssize_t send_way(int fd, const void *buf, size_t len, int flags, uint64_t entry);

static WEIR_SELDOM ssize_t send_begun(int fd, const void *buf, size_t len, int flags,
                                      uint64_t entry, send_way *otherwise)
{
	size_t n =
	        weir_lone_send_begun(entry, (struct weir_place){(void *)(uintptr_t)buf, NULL}, len);

	return n > 0 ? (ssize_t)n : otherwise(fd, buf, len, flags, entry);
}

/* Nothing is called before the bytes are copied, so that few registers are saved. */
static inline WEIR_WITHIN ssize_t send_shortly(int fd, const void *buf, size_t len, int flags,
                                               uint64_t entry, send_way *otherwise)
{
	struct weir_lone *l = weir_table_lone(entry, WEIR_OP_WRITE);

	if (__builtin_expect(!weir_is_shortest(buf, len, flags), 0) ||
	    !weir_lone_enter(l, WEIR_OP_WRITE, entry))
		return otherwise(fd, buf, len, flags, entry);
	unsigned char *to = weir_lone_plain_room(l, len);
	if (__builtin_expect(!to, 0))
		return send_begun(fd, buf, len, flags, entry, otherwise);
	memcpy(to, buf, len);
	weir_lone_publish(l, len);
	weir_lone_leave_writer(l);
	return (ssize_t)len;
}

static WEIR_SELDOM ssize_t write_generally(int fd, const void *buf, size_t count, int flags,
                                           uint64_t entry)
{
	ssize_t n = send_generally(fd, buf, count, flags, entry);

	return n == WEIR_TO_KERNEL ? weir_real()->write(fd, buf, count) : weir_result(n);
}

static WEIR_APART ssize_t write_marked(int fd, const void *buf, size_t count, uint64_t entry)
{
	return send_shortly(fd, buf, count, 0, entry, write_generally);
}

ssize_t weir_write(int fd, const void *buf, size_t count)
{
	uint64_t entry = weir_table_entry(fd);

	return entry ? write_marked(fd, buf, count, entry) : weir_real()->write(fd, buf, count);
}

WEIR_EXPORT ssize_t write(int fd, const void *buf, size_t count)
{
	return weir_write(fd, buf, count);
}

static ssize_t write_vector(int fd, const struct iovec *iov, int count, int flags)
{
	struct weir_end end;

	if (!weir_end_of(fd, &end))
		return WEIR_TO_KERNEL;
	return count < 0 ? -EINVAL : weir_send(&end, iov, (size_t)count, flags);
}

WEIR_EXPORT ssize_t writev(int fd, const struct iovec *iov, int count)
{
	ssize_t n = write_vector(fd, iov, count, 0);

	return n == WEIR_TO_KERNEL ? weir_real()->writev(fd, iov, count) : weir_result(n);
}

/* With the position -1 these are writev; any other is ESPIPE, as on any socket. */
WEIR_EXPORT ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t at, int flags)
{
	ssize_t n = WEIR_TO_KERNEL;

	if (at == POSITION_NONE)
		n = write_vector(fd, iov, count, flags & RWF_NOWAIT ? MSG_DONTWAIT : 0);

	return n == WEIR_TO_KERNEL ? weir_real()->pwritev2(fd, iov, count, at, flags)
	                           : weir_result(n);
}

WEIR_EXPORT ssize_t pwritev64v2(int fd, const struct iovec *iov, int count, off64_t at, int flags)
{
	return pwritev2(fd, iov, count, at, flags);
}

static ssize_t send_from(int fd, const void *buf, size_t len, int flags)
{
	uint64_t entry = weir_table_entry(fd);

	return entry ? send_shortly(fd, buf, len, flags, entry, send_generally) : WEIR_TO_KERNEL;
}

WEIR_EXPORT ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	ssize_t n = send_from(fd, buf, len, flags);

	return n == WEIR_TO_KERNEL ? weir_real()->send(fd, buf, len, flags) : weir_result(n);
}

/* A connected socket takes no address (EISCONN); the kernel judges a bad one. */
WEIR_EXPORT ssize_t sendto(int fd, const void *buf, size_t len, int flags, __CONST_SOCKADDR_ARG to,
                           socklen_t to_len)
{
	ssize_t n = to_len == 0 ? send_from(fd, buf, len, flags) : WEIR_TO_KERNEL;

	return n == WEIR_TO_KERNEL
	               ? weir_real()->sendto(fd, buf, len, flags, to.__sockaddr__, to_len)
	               : weir_result(n);
}

/* Would the kernel refuse the message, or send nothing? It is asked on a pair of its own,
 * because there is no way back from a hand-over. */
static bool is_vain(const struct msghdr *msg, int flags)
{
	int probe[2];
	char byte = 0;
	struct iovec one = {&byte, 1};
	struct msghdr copy = *msg;

	if (weir_check_vector(msg->msg_iov, msg->msg_iovlen) <= 0)
		return true;
	if (weir_real()->socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, probe) != 0)
		return false;
	copy.msg_iov = &one;
	copy.msg_iovlen = 1;
	bool vain = weir_real()->sendmsg(probe[0], &copy, flags | MSG_NOSIGNAL) < 0;
	weir_real()->close(probe[0]);
	weir_real()->close(probe[1]);
	return vain;
}

/* Descriptors and credentials travel with the kernel's messages, so the kernel
 * carries this direction from here on. */
static ssize_t send_message(int fd, const struct msghdr *msg, int flags)
{
	struct weir_end end;

	if (!weir_end_of(fd, &end))
		return WEIR_TO_KERNEL;
	if ((uintptr_t)msg < 4096)
		return -EFAULT;
	if (msg->msg_name && msg->msg_namelen > 0)
		return WEIR_TO_KERNEL;
	if (msg->msg_controllen > 0 || (flags & MSG_OOB)) {
		if (load32_relaxed(&end.out.pipe->carrier) == WEIR_BY_RING && is_vain(msg, flags))
			return WEIR_TO_KERNEL;
		weir_end_hand_over(&end);
		weir_rights_out(msg);
		if (weir_is_faulty(&end, WEIR_OP_WRITE) && !(flags & MSG_OOB))
			return weir_send_message(&end, msg, flags);
		return WEIR_TO_KERNEL;
	}
	if (msg->msg_iovlen > 1024)
		return -EMSGSIZE;
	return weir_send(&end, msg->msg_iov, msg->msg_iovlen, flags);
}

WEIR_EXPORT ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	ssize_t n = send_message(fd, msg, flags);

	if (n != WEIR_TO_KERNEL)
		return weir_result(n);
	if (!weir_marked(fd) && (uintptr_t)msg >= 4096 && msg->msg_controllen > 0)
		weir_rights_out(msg);
	return weir_real()->sendmsg(fd, msg, flags);
}

WEIR_EXPORT int sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags)
{
	unsigned int done = 0;

	if (!weir_marked(fd))
		return weir_real()->sendmmsg(fd, messages, count, flags);
	while (done < count) {
		ssize_t n = sendmsg(fd, &messages[done].msg_hdr, flags);
		if (n < 0)
			return done ? (int)done : -1;
		messages[done++].msg_len = (unsigned int)n;
	}
	return (int)done;
}
