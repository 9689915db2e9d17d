/* Descriptors that travel with messages (SCM_RIGHTS, unix(7)). */
#include <string.h>

#include "hooks/hooks.h"

static void for_each_right(const struct msghdr *msg, void (*act)(int fd))
{
	struct msghdr *m = (struct msghdr *)(uintptr_t)msg; /* CMSG_NXTHDR wants it writable */

	if ((uintptr_t)msg->msg_control < 4096)
		return;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
		    c->cmsg_len < CMSG_LEN(0))
			continue;
		for (size_t at = 0; at + sizeof(int) <= c->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + at, sizeof(fd));
			act(fd);
		}
	}
}

/* Whoever receives it finds the end by its identity, and holds it then: until
 * that moment the message does. */
static void going_out(int fd)
{
	struct weir_end end;

	weir_loop_shared(fd);
	if (!weir_end_of(fd, &end))
		return;
	weir_end_identify(&end);
	weir_pair_hold(end.slot, end.side);
}

static void coming_in(int fd)
{
	weir_fresh(fd);
	weir_recognise(fd);
}

void weir_rights_out(const struct msghdr *msg)
{
	for_each_right(msg, going_out);
}

void weir_rights_in(const struct msghdr *msg)
{
	for_each_right(msg, coming_in);
}
