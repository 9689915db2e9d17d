/* Calls that a socket answers without moving a byte, and those whose arguments are bad. */
#include "told.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "bytes.h"

static char space[64];

static void tell_kind(struct told *t, int fd)
{
	struct stat st;

	if (tell_result(t, fstat(fd, &st)))
		tell(t, " %o %d", (unsigned int)st.st_mode, (int)st.st_size);
}

static void tell_name(struct told *t, int fd, bool peer)
{
	struct sockaddr_un name;
	socklen_t length = sizeof(name);

	if (tell_result(t,
	                (peer ? getpeername : getsockname)(fd, (struct sockaddr *)&name, &length)))
		tell(t, " name%d", (int)length);
}

static struct sockaddr_un nowhere(void)
{
	return (struct sockaddr_un){.sun_family = AF_UNIX, .sun_path = "/nowhere"};
}

static int connect_nowhere(int fd)
{
	struct sockaddr_un name = nowhere();

	return connect(fd, (struct sockaddr *)&name, sizeof(name));
}

/* At a position, of which a socket has none. */
static long call_at_position(int fd, int number)
{
	struct iovec iov = {space, sizeof(space)};

	switch (number) {
	case 0:
		return pread(fd, space, 1, 0);
	case 1:
		return pwrite(fd, space, 1, 0);
	case 2:
		return preadv(fd, &iov, 1, 0);
	case 3:
		return pwritev(fd, &iov, 1, 0);
	case 4:
		return preadv2(fd, &iov, 1, 5, 0);
	case 5:
		return pwritev2(fd, &iov, 1, 5, 0);
	case 6:
		return lseek(fd, 0, SEEK_CUR);
	case 7:
		return ftruncate(fd, 0);
	default:
		return fsync(fd);
	}
}

/* As if it were not connected, a pipe, a terminal or a file. */
static long call_for_others(int fd, int number)
{
	struct termios terminal;

	switch (number) {
	case 12:
		return listen(fd, 1);
	case 13:
		return accept4(fd, NULL, NULL, SOCK_NONBLOCK);
	case 14:
		return connect_nowhere(fd);
	case 15:
		return fcntl(fd, F_GETOWN);
	case 16:
		return fcntl(fd, F_GETPIPE_SZ);
	case 17:
		return tcgetattr(fd, &terminal);
	default:
		return posix_fadvise(fd, 0, 0, POSIX_FADV_NORMAL) ? -1 : 0;
	}
}

static long call_with_little(int fd, int number)
{
	volatile int too_few = -1, too_many = 1025; /* the compiler knows better */
	struct iovec iov = {space, sizeof(space)};

	switch (number) {
	case 19:
		return read(fd, NULL, 0);
	case 20:
		return write(fd, NULL, 0);
	case 21:
		return readv(fd, &iov, too_few);
	case 22:
		return writev(fd, &iov, too_many);
	case 23:
		return ioctl(fd, FIONREAD, NULL);
	case 24:
		return fcntl(fd, F_SETFL, O_APPEND | (fcntl(fd, F_GETFL) & O_NONBLOCK));
	default:
		return copy_file_range(fd, NULL, fd, NULL, 1, 0);
	}
}

void odd_call(struct told *t, int fd, int number)
{
	if (number < 9)
		tell_result(t, call_at_position(fd, number));
	else if (number == 9)
		tell_kind(t, fd);
	else if (number < 12)
		tell_name(t, fd, number == 11);
	else if (number < 19)
		tell_result(t, call_for_others(fd, number));
	else
		tell_result(t, call_with_little(fd, number));
}

/* ---- bad arguments ---- */

static int flags_of(const struct call *c)
{
	return c->a[2] | MSG_DONTWAIT;
}

/* The second of two buffers is nowhere. */
static void half_bad(struct iovec iov[2], size_t n)
{
	iov[0] = (struct iovec){space, n / 2 < sizeof(space) ? n / 2 : sizeof(space)};
	iov[1] = (struct iovec){(void *)8, n - n / 2};
}

void odd_receive(struct told *t, int fd, const struct call *c)
{
	size_t n = (size_t)c->a[1] + 1;
	struct iovec iov[2];
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	half_bad(iov, n);
	switch (c->a[3]) {
	case 0:
		tell_result(t, recv(fd, NULL, n, flags_of(c)));
		break;
	case 1:
		tell_result(t, recvmsg(fd, NULL, flags_of(c)));
		break;
	case 2:
		msg.msg_iovlen = 2000;
		tell_result(t, recvmsg(fd, &msg, flags_of(c)));
		break;
	default:
		tell_result(t, recvmsg(fd, &msg, flags_of(c)));
		break;
	}
}

void odd_send(struct told *t, int fd, const struct call *c)
{
	size_t n = (size_t)c->a[1] + 1;
	struct iovec iov[2];
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	half_bad(iov, n);
	switch (c->a[3]) {
	case 0:
		tell_result(t, send(fd, NULL, n, flags_of(c)));
		break;
	case 1:
		tell_result(t, sendmsg(fd, NULL, flags_of(c)));
		break;
	case 2:
		msg.msg_iovlen = 2000;
		tell_result(t, sendmsg(fd, &msg, flags_of(c)));
		break;
	default:
		tell_result(t, sendmsg(fd, &msg, flags_of(c)));
		break;
	}
}

/* A connected socket takes no address. */
void odd_send_named(struct told *t, int fd, const struct call *c)
{
	struct sockaddr_un name = nowhere();
	struct iovec iov = {space, (size_t)c->a[1] % sizeof(space)};
	struct msghdr msg = {.msg_name = &name,
	                     .msg_namelen = c->a[3] == 2 ? 0 : sizeof(name),
	                     .msg_iov = &iov,
	                     .msg_iovlen = 1};

	if (c->a[3] == 0)
		tell_result(t, sendto(fd, space, iov.iov_len, flags_of(c), (struct sockaddr *)&name,
		                      sizeof(name)));
	else
		tell_result(t, sendmsg(fd, &msg, flags_of(c)));
}
