#include "base/peer.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/os.h"

enum { ANSWER_SIZE = 512 };

struct question {
	struct nlmsghdr header;
	struct unix_diag_req socket;
};

static int ask(int fd, uint64_t inode)
{
	struct question q = {
	        .header = {.nlmsg_len = sizeof(q),
	                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
	                   .nlmsg_flags = NLM_F_REQUEST},
	        .socket = {.sdiag_family = AF_UNIX,
	                   .udiag_states = UINT32_MAX,
	                   .udiag_ino = (uint32_t)inode,
	                   .udiag_show = UDIAG_SHOW_PEER,
	                   .udiag_cookie = {UINT32_MAX, UINT32_MAX}},
	};
	ssize_t n = os_send_now(fd, &q, sizeof(q), 0);

	return n < 0 ? (int)n : 0;
}

/* The kernel's answer to such a question is there when the question was sent. */
static int read_answer(const unsigned char *bytes, size_t n, uint64_t *peer)
{
	struct nlmsghdr header;
	struct nlattr attribute;
	int32_t error;
	uint32_t value;

	if (n < sizeof(header) + sizeof(error))
		return -EPROTO;
	memcpy(&header, bytes, sizeof(header));
	memcpy(&error, bytes + sizeof(header), sizeof(error));
	if (header.nlmsg_type == NLMSG_ERROR)
		return error < 0 ? error : -EPROTO;
	*peer = 0;
	for (size_t at = sizeof(header) + sizeof(struct unix_diag_msg);
	     at + sizeof(attribute) + sizeof(value) <= n; at += NLA_ALIGN(attribute.nla_len)) {
		memcpy(&attribute, bytes + at, sizeof(attribute));
		memcpy(&value, bytes + at + sizeof(attribute), sizeof(value));
		if (attribute.nla_len < sizeof(attribute))
			return -EPROTO;
		if (attribute.nla_type == UNIX_DIAG_PEER)
			*peer = value;
	}
	return 0;
}

int weir_peer_of(uint64_t inode, uint64_t *peer)
{
	unsigned char answer[ANSWER_SIZE];
	int fd = (int)os_call(SYS_socket, AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC,
	                      NETLINK_SOCK_DIAG, 0, 0, 0);

	if (fd < 0)
		return fd;
	int error = ask(fd, inode);
	ssize_t n = error ? error : os_recv_now(fd, answer, sizeof(answer), 0);
	os_close(fd);
	return n < 0 ? (int)n : read_answer(answer, (size_t)n, peer);
}
