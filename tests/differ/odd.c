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

void odd_call(struct told *t, int fd, int number)
{
	volatile int too_few = -1, too_many = 1025; /* the compiler knows better */
	struct iovec iov = {space, sizeof(space)};
	struct termios terminal;

	switch (number) {
	case 0:
		tell_result(t, pread(fd, space, 1, 0));
		break;
	case 1:
		tell_result(t, pwrite(fd, space, 1, 0));
		break;
	case 2:
		tell_result(t, preadv(fd, &iov, 1, 0));
		break;
	case 3:
		tell_result(t, pwritev(fd, &iov, 1, 0));
		break;
	case 4:
		tell_result(t, preadv2(fd, &iov, 1, 5, 0));
		break;
	case 5:
		tell_result(t, pwritev2(fd, &iov, 1, 5, 0));
		break;
	case 6:
		tell_result(t, lseek(fd, 0, SEEK_CUR));
		break;
	case 7:
		tell_result(t, ftruncate(fd, 0));
		break;
	case 8:
		tell_result(t, fsync(fd));
		break;
	case 9:
		tell_kind(t, fd);
		break;
	case 10:
	case 11:
		tell_name(t, fd, number == 11);
		break;
	case 12:
		tell_result(t, listen(fd, 1));
		break;
	case 13:
		tell_result(t, accept4(fd, NULL, NULL, SOCK_NONBLOCK));
		break;
	case 14:
		tell_result(t, connect_nowhere(fd));
		break;
	case 15:
		tell_result(t, fcntl(fd, F_GETOWN));
		break;
	case 16:
		tell_result(t, fcntl(fd, F_GETPIPE_SZ));
		break;
	case 17:
		tell_result(t, tcgetattr(fd, &terminal));
		break;
	case 18:
		tell_result(t, posix_fadvise(fd, 0, 0, POSIX_FADV_NORMAL) ? -1 : 0);
		break;
	case 19:
		tell_result(t, read(fd, NULL, 0));
		break;
	case 20:
		tell_result(t, write(fd, NULL, 0));
		break;
	case 21:
		tell_result(t, readv(fd, &iov, too_few));
		break;
	case 22:
		tell_result(t, writev(fd, &iov, too_many));
		break;
	case 23:
		tell_result(t, ioctl(fd, FIONREAD, NULL));
		break;
	case 24:
		tell_result(t, fcntl(fd, F_SETFL, O_APPEND | (fcntl(fd, F_GETFL) & O_NONBLOCK)));
		break;
	default:
		tell_result(t, copy_file_range(fd, NULL, fd, NULL, 1, 0));
		break;
	}
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
