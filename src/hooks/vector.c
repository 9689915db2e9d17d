/* The caller's buffers, as the kernel would judge them. */
#include "endpoint/faulty.h"
#include "hooks/hooks.h"

/* What one call moves at most (MAX_RW_COUNT, read(2)). */
static const size_t transfer_max = 0x7ffff000;

static bool unmapped(const void *at)
{
	return (uintptr_t)at < WEIR_FIRST_PAGE;
}

ssize_t weir_check_buffer(const void *buf, size_t len)
{
	if (len > 0 && (unmapped(buf) || len > (size_t)LONG_MAX - (uintptr_t)buf))
		return -EFAULT;
	return (ssize_t)(len < transfer_max ? len : transfer_max);
}

ssize_t weir_check_vector(const struct iovec *iov, size_t count)
{
	size_t total = 0;

	if (count > IOV_MAX)
		return -EINVAL;
	if (count > 0 && unmapped(iov))
		return -EFAULT;
	for (size_t i = 0; i < count; i++) {
		if (iov[i].iov_len > (size_t)SSIZE_MAX)
			return -EINVAL;
		ssize_t len = weir_check_buffer(iov[i].iov_base, iov[i].iov_len);
		if (len < 0) /* what comes before a bad buffer moves, as a short count */
			return total ? (ssize_t)total : len;
		total += (size_t)len;
	}
	return (ssize_t)(total < transfer_max ? total : transfer_max);
}

/* The kernel looks at the socket before it looks at the buffer: an error, the end
 * or a wait comes first. */
static ssize_t receive_nowhere(const struct weir_end *end, int flags)
{
	ssize_t n = weir_end_receive(end, weir_span_of(NULL, 0), 0,
	                             flags & (MSG_PEEK | MSG_DONTWAIT));

	uint32_t offset = load32_relaxed(&end->slot->end[end->side].peek_off);
	uint64_t passed = (flags & MSG_PEEK) && offset ? offset - 1 : 0;

	return n == 0 && weir_end_available(end) > passed ? -EFAULT : n;
}

static ssize_t send_nothing(const struct weir_end *end, int flags)
{
	if (load32_acquire(&end->out.pipe->carrier) != WEIR_BY_RING)
		return WEIR_TO_KERNEL;
	int saved = errno;
	ssize_t n = weir_real()->send(end->fd, NULL, 0, flags & MSG_NOSIGNAL);
	int error = n < 0 ? errno : -weir_end_await_room(end, flags);

	if (error == 0)
		error = EFAULT;

	errno = saved;
	return -error;
}

/* The short ways. */
static size_t receive_quick(const struct weir_end *end, const struct iovec *iov, size_t count,
                            size_t len)
{
	uint64_t entry = weir_table_pack(end->index, end->side, end->generation);
	size_t n = weir_lone_receive(entry, end->fd, (struct weir_place){NULL, iov}, len);

	if (n == 0 && count == 1)
		n = weir_end_receive_quick(entry, end->fd, iov->iov_base, len);
	return n;
}

static size_t send_quick(const struct weir_end *end, const struct iovec *iov, size_t count, size_t len)
{
	uint64_t entry = weir_table_pack(end->index, end->side, end->generation);
	size_t n = weir_lone_send(entry, (struct weir_place){NULL, iov}, len);

	if (n == 0 && count == 1)
		n = weir_end_send_quick(entry, end->fd, iov->iov_base, len);
	return n;
}

/* A blocking call is a cancellation point also when it need not wait. */
ssize_t weir_receive(const struct weir_end *end, const struct iovec *iov, size_t count, int flags)
{
	ssize_t len = weir_check_vector(iov, count);

	if (len == -EFAULT && !unmapped(iov))
		return receive_nowhere(end, flags);
	if (len < 0)
		return len;
	weir_cancellation_point();
	size_t quick = weir_is_quick((size_t)len, flags) ? receive_quick(end, iov, count, (size_t)len) : 0;
	if (__builtin_expect(quick > 0, 1))
		return (ssize_t)quick;
	ssize_t n = weir_end_receive(end, weir_span_of(iov, count), (size_t)len, flags);
	if (__builtin_expect(n == -EAGAIN, 0) && weir_is_faulty(end, WEIR_OP_READ))
		weir_epoll_hide(end, WEIR_OP_READ);
	return n;
}

/* The same with control data. */
ssize_t weir_receive_message(const struct weir_end *end, struct msghdr *msg, int flags,
                             bool *by_kernel)
{
	ssize_t len = weir_check_vector(msg->msg_iov, msg->msg_iovlen);

	if (len <= 0)
		return weir_receive(end, msg->msg_iov, msg->msg_iovlen, flags);
	weir_cancellation_point();
	size_t quick = weir_is_quick((size_t)len, flags & ~MSG_CMSG_CLOEXEC)
	                       ? receive_quick(end, msg->msg_iov, msg->msg_iovlen, (size_t)len)
	                       : 0;
	if (__builtin_expect(quick > 0, 1))
		return (ssize_t)quick;
	ssize_t n = weir_end_receive_message(end, msg, (size_t)len, flags, by_kernel);
	if (__builtin_expect(n == -EAGAIN, 0) && weir_is_faulty(end, WEIR_OP_READ))
		weir_epoll_hide(end, WEIR_OP_READ);
	return n;
}

ssize_t weir_send_message(const struct weir_end *end, const struct msghdr *msg, int flags)
{
	ssize_t len = weir_check_vector(msg->msg_iov, msg->msg_iovlen);

	if (len <= 0)
		return len < 0 ? len : WEIR_TO_KERNEL;
	weir_cancellation_point();
	ssize_t n = weir_end_send_message(end, msg, (size_t)len, flags);
	if (n == -EAGAIN)
		weir_epoll_hide(end, WEIR_OP_WRITE);
	return n;
}

ssize_t weir_send(const struct weir_end *end, const struct iovec *iov, size_t count, int flags)
{
	ssize_t len = weir_check_vector(iov, count);

	if (len == -EFAULT && !unmapped(iov))
		return send_nothing(end, flags);
	if (len <= 0)
		return len < 0 ? len : WEIR_TO_KERNEL;
	weir_cancellation_point();
	size_t quick = weir_is_quick((size_t)len, flags) ? send_quick(end, iov, count, (size_t)len) : 0;
	if (__builtin_expect(quick > 0, 1))
		return (ssize_t)quick;
	ssize_t n = weir_end_send(end, weir_span_of(iov, count), (size_t)len, flags);
	if (__builtin_expect(n == -EAGAIN, 0) && weir_is_faulty(end, WEIR_OP_WRITE))
		weir_epoll_hide(end, WEIR_OP_WRITE);
	return n;
}
