/* ioctl and socket options: what the program may see of a marked socket. */
#include <fcntl.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/os.h"
#include "hooks/hooks.h"
#include "pipe/bell.h"
#include "weir.h"

static int give_int(void *argument, uint64_t value)
{
	if ((uintptr_t)argument < 4096) {
		errno = EFAULT;
		return -1;
	}
	int n = value > INT32_MAX ? INT32_MAX : (int)value;
	memcpy(argument, &n, sizeof(n));
	return 0;
}

/* Bytes that the peer has not received. While the kernel carries, its figure. Where its
 * queue is empty and the ring is not, nobody will receive what is left. */
static uint64_t unsent(const struct weir_end *end)
{
	uint64_t used = weir_pipe_used(&end->out);
	bool by_ring = load32_relaxed(&end->out.pipe->carrier) == WEIR_BY_RING;

	if (used == 0 && by_ring)
		return 0;
	int queued = os_queued_out(end->fd);
	if (queued <= 0)
		return 0;
	return by_ring ? used : used + (uint64_t)queued;
}

static int set_nonblock(const struct weir_end *end, void *argument)
{
	int on;
	int result = weir_real()->ioctl(end->fd, FIONBIO, argument);

	if (result == 0) {
		memcpy(&on, argument, sizeof(on));
		store32_relaxed(&end->slot->end[end->side].nonblock, on != 0);
	}
	return result;
}

/* The mark of urgent data counts from what the program has read. */
static int at_mark(const struct weir_end *end, void *argument)
{
	weir_end_make_exact(end, POLLIN);
	if (weir_pipe_used(&end->in) > 0)
		return give_int(argument, 0);
	return weir_real()->ioctl(end->fd, SIOCATMARK, argument);
}

static int control_marked(const struct weir_end *end, unsigned long request, void *argument)
{
	int result;

	switch (request) {
	case FIONREAD:
		return give_int(argument, weir_end_available(end));
	case TIOCOUTQ:
		return give_int(argument, unsent(end));
	case FIONBIO:
		return set_nonblock(end, argument);
	case SIOCATMARK:
		return at_mark(end, argument);
	default:
		result = weir_real()->ioctl(end->fd, request, argument);
		if (result == 0 && request == FIOASYNC)
			weir_end_watch(end, POLLIN | POLLOUT, true);
		return result;
	}
}

WEIR_EXPORT int ioctl(int fd, unsigned long request, ...)
{
	struct weir_end end;
	va_list list;

	va_start(list, request);
	void *argument = va_arg(list, void *);
	va_end(list);
	if (__builtin_expect(fd == WEIR_INSIDE_FD && request == WEIR_INSIDE_REQUEST, 0))
		return weir_give_inside(argument);
	if (request == FIONCLEX)
		weir_loop_shared(fd);
	if (!weir_end_of(fd, &end))
		return weir_real()->ioctl(fd, request, argument);
	return control_marked(&end, request, argument);
}

WEIR_EXPORT int sockatmark(int fd)
{
	struct weir_end end;
	int mark = 0;

	if (!weir_end_of(fd, &end))
		return weir_real()->sockatmark(fd);
	return at_mark(&end, &mark) == 0 ? mark : -1;
}

/* Options that weir answers itself; the kernel keeps all others. */
static bool kept_by_us(const struct weir_end *end, int option, int *value)
{
	const struct weir_end_shared *shared = &end->slot->end[end->side];

	switch (option) {
	case SO_SNDBUF:
		*value = (int)load32_relaxed(&shared->sndbuf);
		return true;
	case SO_RCVBUF:
		*value = (int)load32_relaxed(&shared->rcvbuf);
		return true;
	case SO_PEEK_OFF:
		*value = (int)load32_relaxed(&shared->peek_off) - 1;
		return load32_relaxed(&end->in.pipe->carrier) != WEIR_BY_KERNEL;
	case SO_RCVLOWAT:
		*value = (int)load32_relaxed(&shared->rcvlowat);
		return load32_relaxed(&end->in.pipe->carrier) != WEIR_BY_KERNEL;
	default:
		return false;
	}
}

static int give_option(void *value, socklen_t *len, int answer)
{
	if ((uintptr_t)value < 4096 || (uintptr_t)len < 4096) {
		errno = EFAULT;
		return -1;
	}
	if (*len > sizeof(answer))
		*len = sizeof(answer);
	memcpy(value, &answer, *len);
	return 0;
}

static bool false_reset(const struct weir_end *end, const void *value, socklen_t len)
{
	int error = 0;

	if (len == sizeof(error))
		memcpy(&error, value, sizeof(error));
	return error == ECONNRESET && !weir_end_reset_is_true(end);
}

WEIR_EXPORT int getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
	struct weir_end end;
	int answer;

	if (level != SOL_SOCKET || !weir_end_of(fd, &end))
		return weir_real()->getsockopt(fd, level, option, value, len);
	if (kept_by_us(&end, option, &answer))
		return give_option(value, len, answer);
	int result = weir_real()->getsockopt(fd, level, option, value, len);
	if (result == 0 && option == SO_ERROR && weir_end_take_reset(&end))
		return give_option(value, len, ECONNRESET);
	if (result == 0 && option == SO_ERROR && false_reset(&end, value, *len))
		memset(value, 0, *len);
	return result;
}

/* Lets the kernel judge and round the value on a socket of its own, so that the
 * bells' socket keeps its small buffer. */
static int judged_buffer(int option, const void *value, socklen_t len)
{
	int probe[2];

	if (weir_real()->socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, probe) != 0)
		return -1;
	int result = weir_real()->setsockopt(probe[0], SOL_SOCKET, option, value, len);
	int saved = errno;
	int asked = option == SO_SNDBUF || option == SO_SNDBUFFORCE ? SO_SNDBUF : SO_RCVBUF;
	int judged = result == 0 ? os_getsockopt_int(probe[0], asked) : -1;
	weir_real()->close(probe[0]);
	weir_real()->close(probe[1]);
	errno = saved;
	return judged;
}

static int set_buffer(const struct weir_end *end, int option, const void *value, socklen_t len)
{
	int judged = judged_buffer(option, value, len);

	if (judged < 0)
		return -1;
	if (option == SO_SNDBUF || option == SO_SNDBUFFORCE)
		weir_end_set_sndbuf(end, (uint32_t)judged);
	else
		store32_relaxed(&end->slot->end[end->side].rcvbuf, (uint32_t)judged);
	return 0;
}

/* Options of receiving, which would skip bells, or wait for more of them. */
static int set_kept_option(const struct weir_end *end, int option, const void *value, socklen_t len)
{
	struct weir_end_shared *shared = &end->slot->end[end->side];
	int n;

	if (len < sizeof(n) || (uintptr_t)value < 4096) {
		errno = len < sizeof(n) ? EINVAL : EFAULT;
		return -1;
	}
	memcpy(&n, value, sizeof(n));
	if (option == SO_PEEK_OFF)
		store32_relaxed(&shared->peek_off, (uint32_t)(n < 0 ? -1 : n) + 1);
	else if (n < 0)
		store32_relaxed(&shared->rcvlowat, INT32_MAX);
	else
		store32_relaxed(&shared->rcvlowat, n > 0 ? (uint32_t)n : 1);
	weir_pipe_forget(&end->in);
	return load32_ordered(&end->in.pipe->carrier) != WEIR_BY_KERNEL
	               ? 0
	               : weir_real()->setsockopt(end->fd, SOL_SOCKET, option, value, len);
}

/* What the kernel knows of a socket that weir has just begun to carry. */
void weir_adopt_options(const struct weir_end *end)
{
	struct weir_end_shared *shared = &end->slot->end[end->side];
	int sndbuf = os_getsockopt_int(end->fd, SO_SNDBUF);
	int rcvbuf = os_getsockopt_int(end->fd, SO_RCVBUF);
	int lowest = os_getsockopt_int(end->fd, SO_RCVLOWAT);
	int one = 1, none = -1, peek = none;
	socklen_t len = sizeof(peek);

	if (sndbuf > 0 && (uint32_t)sndbuf != load32_relaxed(&shared->sndbuf))
		weir_end_set_sndbuf(end, (uint32_t)sndbuf);
	if (rcvbuf > 0)
		store32_relaxed(&shared->rcvbuf, (uint32_t)rcvbuf);
	if (lowest > 1 &&
	    weir_real()->setsockopt(end->fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one)) == 0)
		store32_relaxed(&shared->rcvlowat, (uint32_t)lowest);
	if (os_getsockopt_int(end->fd, SO_PASSCRED) > 0)
		weir_pipe_want_hand_over(&end->in, WEIR_WANTED);
	if (os_timeout_ms(end->fd, SO_RCVTIMEO) >= 0 || os_timeout_ms(end->fd, SO_SNDTIMEO) >= 0)
		store32_relaxed(&shared->timed, 1);
	/* From now on this socket's queue holds bells, of which none is skipped. */
	if (weir_real()->getsockopt(end->fd, SOL_SOCKET, SO_PEEK_OFF, &peek, &len) == 0 && peek >= 0 &&
	    weir_real()->setsockopt(end->fd, SOL_SOCKET, SO_PEEK_OFF, &none, sizeof(none)) == 0)
		store32_relaxed(&shared->peek_off, (uint32_t)peek + 1);
	weir_pipe_forget(&end->in);
}

/* After the kernel took an option that weir has to know of. */
static void note_option(const struct weir_end *end, int option)
{
	if (option == SO_PASSCRED && os_getsockopt_int(end->fd, option) > 0) /* credentials come with the kernel's messages alone */
		weir_pipe_want_hand_over(&end->in, WEIR_WANTED);
	if (option == SO_RCVTIMEO || option == SO_SNDTIMEO)
		store32_relaxed(&end->slot->end[end->side].timed, 1);
}

WEIR_EXPORT int setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
	struct weir_end end;

	if (level != SOL_SOCKET || !weir_end_of(fd, &end))
		return weir_real()->setsockopt(fd, level, option, value, len);
	if (option == SO_SNDBUF || option == SO_RCVBUF || option == SO_SNDBUFFORCE ||
	    option == SO_RCVBUFFORCE)
		return set_buffer(&end, option, value, len);
	if ((option == SO_PEEK_OFF || option == SO_RCVLOWAT) &&
	    load32_relaxed(&end.in.pipe->carrier) != WEIR_BY_KERNEL)
		return set_kept_option(&end, option, value, len);
	int result = weir_real()->setsockopt(fd, level, option, value, len);
	if (result == 0)
		note_option(&end, option);
	return result;
}
