/* read and its relatives: one path, many names. */
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "base/os.h"
#include "endpoint/faulty.h"
#include "hooks/deadline.h"
#include "hooks/hooks.h"

enum { POSITION_NONE = -1 };

/* Only the kernel's queue can answer: urgent data. An error queue, unix(7) has none, and
 * MSG_ERRQUEUE no effect. */
static bool kernel_only(int flags)
{
	return (flags & MSG_OOB) != 0;
}

/* The sender's address, as unix(7) gives it: none unless it was bound later, and none with the
 * end, `n` of 0 where there is nothing. */
static void peer_name(const struct weir_end *end, ssize_t n, void *name, socklen_t *len)
{
	socklen_t given = *len;
	struct sockaddr_un peer;
	socklen_t peer_len = sizeof(peer);

	*len = 0;
	if (n == 0 && weir_pipe_used(&end->in) == 0)
		return;
	if (os_call(SYS_getpeername, end->fd, (long)&peer, (long)&peer_len, 0, 0, 0) < 0 ||
	    peer_len <= sizeof(sa_family_t))
		return;
	memcpy(name, &peer, given < peer_len ? given : peer_len);
	*len = peer_len;
}

static WEIR_SELDOM ssize_t receive_slowly(int fd, void *buf, size_t len, int flags, uint64_t entry)
{
	struct weir_end end = weir_table_unpack(entry, fd);
	struct iovec iov = {buf, len};

	return kernel_only(flags) ? WEIR_TO_KERNEL : weir_receive(&end, &iov, 1, flags);
}

static ssize_t receive_generally(int fd, void *buf, size_t len, int flags, uint64_t entry)
{
	size_t n = 0;

	weir_cancellation_point();
	if (weir_is_quick(len, flags) && weir_may_be_mapped(buf, len))
		n = weir_end_receive_quick(entry, fd, buf, len);
	return n > 0 ? (ssize_t)n : receive_slowly(fd, buf, len, flags, entry);
}

/* How a call goes on that is not of the shortest kind. */
typedef ssize_t receive_way(int fd, void *buf, size_t len, int flags, uint64_t entry);

static WEIR_SELDOM ssize_t receive_begun(int fd, void *buf, size_t len, int flags, uint64_t entry,
                                         receive_way *otherwise)
{
	size_t n = weir_lone_receive_begun(entry, fd, (struct weir_place){buf, NULL}, len);

	return n > 0 ? (ssize_t)n : otherwise(fd, buf, len, flags, entry);
}

/* Nothing is called before the bytes are copied, so that few registers are saved. */
static inline WEIR_WITHIN ssize_t receive_shortly(int fd, void *buf, size_t len, int flags,
                                                  uint64_t entry, receive_way *otherwise)
{
	struct weir_lone *l = weir_table_lone(entry, WEIR_OP_READ);
	size_t n = len;

	if (__builtin_expect(!weir_is_shortest(buf, len, flags), 0) ||
	    !weir_lone_enter(l, WEIR_OP_READ, entry))
		return otherwise(fd, buf, len, flags, entry);
	const unsigned char *from = weir_lone_plain_bytes(l, &n);
	if (__builtin_expect(!from, 0))
		return receive_begun(fd, buf, len, flags, entry, otherwise);
	memcpy(buf, from, n);
	weir_lone_consume(l, n);
	weir_lone_leave_having_read(l, entry, fd);
	return (ssize_t)n;
}

/* A zero-length read gives 0 whatever the state, in libc's and the kernel's
 * words as in ours; the kernel says it. */
static WEIR_SELDOM ssize_t read_generally(int fd, void *buf, size_t count, int flags,
                                          uint64_t entry)
{
	ssize_t n = count ? receive_generally(fd, buf, count, flags, entry) : WEIR_TO_KERNEL;

	return n == WEIR_TO_KERNEL ? weir_real()->read(fd, buf, count) : weir_result(n);
}

static WEIR_APART ssize_t read_marked(int fd, void *buf, size_t count, uint64_t entry)
{
	return receive_shortly(fd, buf, count, 0, entry, read_generally);
}

ssize_t weir_read(int fd, void *buf, size_t count)
{
	uint64_t entry = weir_table_entry(fd);

	return entry ? read_marked(fd, buf, count, entry) : weir_real()->read(fd, buf, count);
}

WEIR_EXPORT ssize_t read(int fd, void *buf, size_t count)
{
	return weir_read(fd, buf, count);
}

ssize_t __read_chk(int fd, void *buf, size_t count, size_t size);

WEIR_EXPORT ssize_t __read_chk(int fd, void *buf, size_t count, size_t size)
{
	if (count > size || !weir_marked(fd))
		return weir_real()->__read_chk(fd, buf, count, size);
	return weir_read(fd, buf, count);
}

static ssize_t read_vector(int fd, const struct iovec *iov, int count, int flags)
{
	struct weir_end end;

	if (!weir_end_of(fd, &end))
		return WEIR_TO_KERNEL;
	if (count < 0)
		return -EINVAL;
	ssize_t len = weir_check_vector(iov, (size_t)count);
	return len == 0 ? WEIR_TO_KERNEL : weir_receive(&end, iov, (size_t)count, flags);
}

WEIR_EXPORT ssize_t readv(int fd, const struct iovec *iov, int count)
{
	ssize_t n = read_vector(fd, iov, count, 0);

	return n == WEIR_TO_KERNEL ? weir_real()->readv(fd, iov, count) : weir_result(n);
}

/* With the position -1 these are readv; any other is ESPIPE, as on any socket. */
WEIR_EXPORT ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t at, int flags)
{
	ssize_t n = WEIR_TO_KERNEL;

	if (at == POSITION_NONE)
		n = read_vector(fd, iov, count, flags & RWF_NOWAIT ? MSG_DONTWAIT : 0);

	return n == WEIR_TO_KERNEL ? weir_real()->preadv2(fd, iov, count, at, flags)
	                           : weir_result(n);
}

WEIR_EXPORT ssize_t preadv64v2(int fd, const struct iovec *iov, int count, off64_t at, int flags)
{
	return preadv2(fd, iov, count, at, flags);
}

static ssize_t receive_into(int fd, void *buf, size_t len, int flags)
{
	uint64_t entry = weir_table_entry(fd);

	return entry ? receive_shortly(fd, buf, len, flags, entry, receive_generally)
	             : WEIR_TO_KERNEL;
}

WEIR_EXPORT ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	ssize_t n = receive_into(fd, buf, len, flags);

	return n == WEIR_TO_KERNEL ? weir_real()->recv(fd, buf, len, flags) : weir_result(n);
}

ssize_t __recv_chk(int fd, void *buf, size_t len, size_t size, int flags);

WEIR_EXPORT ssize_t __recv_chk(int fd, void *buf, size_t len, size_t size, int flags)
{
	if (len > size || !weir_marked(fd))
		return weir_real()->__recv_chk(fd, buf, len, size, flags);
	return recv(fd, buf, len, flags);
}

WEIR_EXPORT ssize_t recvfrom(int fd, void *buf, size_t len, int flags, __SOCKADDR_ARG from,
                             socklen_t *from_len)
{
	struct weir_end end;
	ssize_t n = receive_into(fd, buf, len, flags);

	if (n == WEIR_TO_KERNEL)
		return weir_real()->recvfrom(fd, buf, len, flags, from.__sockaddr__, from_len);
	if (n >= 0 && from.__sockaddr__ && from_len && weir_end_of(fd, &end))
		peer_name(&end, n, from.__sockaddr__, from_len);
	return weir_result(n);
}

ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t size, int flags, __SOCKADDR_ARG from,
                       socklen_t *from_len);

WEIR_EXPORT ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t size, int flags,
                                   __SOCKADDR_ARG from, socklen_t *from_len)
{
	if (len > size || !weir_marked(fd))
		return weir_real()->__recvfrom_chk(fd, buf, len, size, flags, from.__sockaddr__,
		                                   from_len);
	return recvfrom(fd, buf, len, flags, from, from_len);
}

/* Whoever asks for credentials (SO_PASSCRED in unix(7)) gets those of nobody with what was
 * sent before he asked, and all zeros with the end; what comes later the kernel carries. */
static void give_no_credentials(int fd, struct msghdr *msg, size_t room, bool end)
{
	struct ucred nobody = {0, end ? 0 : (uid_t)65534, end ? 0 : (gid_t)65534};

	if (os_getsockopt_int(fd, SO_PASSCRED) <= 0)
		return;
	struct cmsghdr *m = msg->msg_control;
	if ((uintptr_t)m < 4096 || room < CMSG_LEN(sizeof(nobody))) {
		msg->msg_flags |= MSG_CTRUNC;
		return;
	}
	*m = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(nobody)),
	                      .cmsg_level = SOL_SOCKET,
	                      .cmsg_type = SCM_CREDENTIALS};
	memcpy(CMSG_DATA(m), &nobody, sizeof(nobody));
	msg->msg_controllen = room < CMSG_SPACE(sizeof(nobody)) ? room : CMSG_SPACE(sizeof(nobody));
}

static ssize_t receive_message(int fd, struct msghdr *msg, int flags)
{
	bool by_kernel = false;
	struct weir_end end;
	ssize_t n;

	if (!weir_end_of(fd, &end) || kernel_only(flags))
		return WEIR_TO_KERNEL;
	if ((uintptr_t)msg < 4096)
		return -EFAULT;
	if (msg->msg_iovlen > 1024)
		return -EMSGSIZE;
	n = weir_receive_message(&end, msg, flags, &by_kernel);
	if (n < 0)
		return n;
	if (by_kernel && msg->msg_controllen > 0)
		weir_rights_in(msg);
	if (msg->msg_name)
		peer_name(&end, n, msg->msg_name, &msg->msg_namelen);
	if (by_kernel)
		return n;
	size_t room = msg->msg_controllen;
	msg->msg_controllen = 0;
	msg->msg_flags = flags & MSG_CMSG_CLOEXEC;
	if (__builtin_expect(load32_relaxed(&end.in.pipe->hand_over), 0))
		give_no_credentials(fd, msg, room, n == 0 && weir_pipe_used(&end.in) == 0);
	return n;
}

WEIR_EXPORT ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t n = receive_message(fd, msg, flags);

	if (n != WEIR_TO_KERNEL)
		return weir_result(n);
	n = weir_real()->recvmsg(fd, msg, flags);
	if (n >= 0 && msg->msg_controllen > 0)
		weir_rights_in(msg);
	return n;
}

/* An error that waits comes before what there is to receive. */
static int pending_error(int fd, int flags)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (!(flags & MSG_ERRQUEUE) && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0)
		return error;
	return 0;
}

/* Would the next message be an error? After others it is left for the next call. An urgent
 * byte that lies next is passed by. */
static bool error_is_next(int fd)
{
	struct weir_end end;

	if (!weir_end_of(fd, &end))
		return false;
	uint64_t available = weir_end_available(&end);
	if (available > 1 || (available == 1 && !os_at_mark(fd)))
		return false;
	return weir_end_true_events(&end, (short)os_poll_now(fd, 0)) & POLLERR;
}

/* Looks at the clock after each message, as recvmmsg(2) says the kernel does. Urgent data
 * ends it. */
WEIR_EXPORT int recvmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags,
                         struct timespec *timeout)
{
	unsigned int done = 0;

	if (!weir_marked(fd) || (timeout && !weir_timeout_is_valid(timeout)))
		return weir_real()->recvmmsg(fd, messages, count, flags, timeout);
	uint64_t deadline = weir_deadline(timeout);
	int error = pending_error(fd, flags);
	if (error) {
		errno = error;
		return -1;
	}
	while (done < count && !(done > 0 && error_is_next(fd))) {
		ssize_t n = recvmsg(fd, &messages[done].msg_hdr, flags & ~MSG_WAITFORONE);
		if (n < 0)
			return done ? (int)done : -1;
		messages[done++].msg_len = (unsigned int)n;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if ((messages[done - 1].msg_hdr.msg_flags & MSG_OOB) || weir_time_left(deadline) == 0)
			break;
	}
	return (int)done;
}
