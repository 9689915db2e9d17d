/* sendfile and splice: from and to other descriptors, through a small buffer. */
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/os.h"
#include "endpoint/faulty.h"
#include "hooks/hooks.h"

enum { PIECE = 4096 };          /* a pipe with room takes this much at once (PIPE_BUF) */

static ssize_t send_piece(const struct weir_end *end, const void *buf, size_t len, int flags)
{
	struct iovec iov = {(void *)(uintptr_t)buf, len};

	return weir_send(end, &iov, 1, flags);
}

/* Reads at an offset, so that what does not fit is simply not taken. */
static ssize_t send_file_piece(const struct weir_end *end, int in, off64_t at, size_t left)
{
	char piece[PIECE];
	size_t len = left < sizeof(piece) ? left : sizeof(piece);
	ssize_t n = pread64(in, piece, len, at);

	if (n < 0)
		return -errno;
	return n > 0 ? send_piece(end, piece, (size_t)n, 0) : 0;
}

static ssize_t send_file(const struct weir_end *end, int in, off64_t *offset, size_t count)
{
	off64_t start = offset ? *offset : lseek64(in, 0, SEEK_CUR);
	size_t total = 0;
	ssize_t n = 0;

	if (start < 0)
		return offset ? -EINVAL : WEIR_TO_KERNEL;
	do {
		n = send_file_piece(end, in, start + (off64_t)total, count - total);
		total += n > 0 ? (size_t)n : 0;
	} while (n == PIECE && total < count); /* a shorter one is the file's last, or cut */
	if (offset)
		*offset = start + (off64_t)total;
	else
		lseek64(in, start + (off64_t)total, SEEK_SET);
	return total ? (ssize_t)total : n;
}

/* What the pipe has next, up to `len` bytes, which stay in it. */
static ssize_t look_into(int in, void *bytes, size_t len, unsigned int flags)
{
	int copy[2];

	if (pipe2(copy, O_CLOEXEC) != 0)
		return -errno;
	ssize_t n = tee(in, copy[1], len, flags & SPLICE_F_NONBLOCK);
	if (n > 0)
		n = weir_real()->read(copy[0], bytes, (size_t)n);
	int error = errno;
	os_close(copy[0]);
	os_close(copy[1]);
	return n < 0 ? -error : n;
}

/* May bytes be refused that have left the pipe? Whether the peer still lives, the kernel says. */
static bool may_lose(const struct weir_end *end)
{
	return weir_is_faulty(end, WEIR_OP_WRITE) ||
	       os_send_now(end->fd, NULL, 0, MSG_NOSIGNAL) == -EPIPE;
}

/* They leave it only once they have passed. */
static ssize_t splice_in_carefully(const struct weir_end *end, int in, size_t len,
                                   unsigned int flags)
{
	char piece[PIECE];
	ssize_t n = look_into(in, piece, len < sizeof(piece) ? len : sizeof(piece), flags);

	if (n > 0)
		n = send_piece(end, piece, (size_t)n, flags & SPLICE_F_NONBLOCK ? MSG_DONTWAIT : 0);
	return n > 0 ? weir_real()->read(in, piece, (size_t)n) : n;
}

/* From a pipe: no more is taken out of it than fits into the ring now. */
static ssize_t splice_in(const struct weir_end *end, int in, size_t len, unsigned int flags)
{
	char piece[PIECE];
	size_t room = weir_pipe_room(&end->out);
	bool wait = !(flags & SPLICE_F_NONBLOCK) && !os_nonblocking(end->fd);

	if (may_lose(end))
		return splice_in_carefully(end, in, len, flags);
	if (room == 0 && !wait)
		return -EAGAIN;
	if (room == 0 || room > sizeof(piece))
		room = sizeof(piece);
	if ((flags & SPLICE_F_NONBLOCK) && !(os_poll_now(in, POLLIN) & (POLLIN | POLLHUP)))
		return -EAGAIN;
	ssize_t n = weir_real()->read(in, piece, len < room ? len : room);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	size_t done = 0;
	while (done < (size_t)n) {
		ssize_t m = send_piece(end, piece + done, (size_t)n - done, 0);
		if (m == WEIR_TO_KERNEL)
			m = os_send_wait(end->fd, piece + done, (size_t)n - done, 0);
		if (m == -EAGAIN || m == -EINTR) {
			os_poll_wait(end->fd, POLLOUT, 1); /* the bytes are out of the pipe */
			continue;
		}
		if (m < 0)
			return done ? (ssize_t)done : m;
		done += (size_t)m;
	}
	return n;
}

/* To a pipe: waits until it has room for a piece, then takes no more than that. */
static ssize_t splice_out(const struct weir_end *end, int out, size_t len, unsigned int flags)
{
	char piece[PIECE];
	struct iovec iov = {piece, len < sizeof(piece) ? len : sizeof(piece)};
	bool now = (flags & SPLICE_F_NONBLOCK) != 0;
	int events = now ? os_poll_now(out, POLLOUT) : os_poll_wait(out, POLLOUT, -1);

	if (events < 0)
		return events;
	if (events & POLLERR) /* nobody reads it: nothing is taken for it */
		return WEIR_TO_KERNEL;
	if (!(events & POLLOUT))
		return -EAGAIN;
	ssize_t n = weir_receive(end, &iov, 1, now ? MSG_DONTWAIT : 0);
	if (n <= 0)
		return n;
	n = weir_real()->write(out, piece, (size_t)n);
	return n < 0 ? -errno : n;
}

static const unsigned int known_flags =
        SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT;

/* The kernel refuses to splice there, and sendfile splices. */
static bool appends(int fd)
{
	return os_call(SYS_fcntl, fd, F_GETFL, 0, 0, 0, 0) & O_APPEND;
}

/* One side of a splice must be; the kernel refuses the rest before it moves. */
static bool is_pipe(int fd)
{
	return os_call(SYS_fcntl, fd, F_GETPIPE_SZ, 0, 0, 0, 0) > 0;
}

WEIR_EXPORT ssize_t sendfile64(int out, int in, off64_t *offset, size_t count)
{
	struct weir_end end;
	ssize_t n = WEIR_TO_KERNEL;

	/* Into a pipe, it is a splice; anything else takes nothing from a socket. */
	if (count > 0 && !offset && weir_end_of(in, &end) && is_pipe(out))
		n = splice_out(&end, out, count, os_nonblocking(in) ? SPLICE_F_NONBLOCK : 0);
	else if (count > 0 && weir_end_of(out, &end) && !weir_marked(in) && !appends(out))
		n = send_file(&end, in, offset, count);
	return n == WEIR_TO_KERNEL ? weir_real()->sendfile64(out, in, offset, count)
	                           : weir_result(n);
}

WEIR_EXPORT ssize_t sendfile(int out, int in, off_t *offset, size_t count)
{
	return sendfile64(out, in, offset, count);
}

WEIR_EXPORT ssize_t splice(int in, off64_t *in_at, int out, off64_t *out_at, size_t len,
                           unsigned int flags)
{
	struct weir_end end;
	ssize_t n = WEIR_TO_KERNEL;

	if (len > 0 && !in_at && !out_at && !(flags & ~known_flags)) {
		if (weir_end_of(out, &end) && is_pipe(in) && !appends(out))
			n = splice_in(&end, in, len, flags);
		else if (weir_end_of(in, &end) && is_pipe(out))
			n = splice_out(&end, out, len, flags);
	}
	return n == WEIR_TO_KERNEL ? weir_real()->splice(in, in_at, out, out_at, len, flags)
	                           : weir_result(n);
}
