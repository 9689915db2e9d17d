/* Slots whose holders died without a word. */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/os.h"
#include "pair/pair.h"

enum { PATIENCE_MAX = 1023 };

/* /proc/net/unix, read piece by piece: the inode is the seventh field. */
struct inode_scan {
	int fd;
	char piece[1024];
	long filled;
	long next;
};

static int next_char(struct inode_scan *scan)
{
	if (scan->next == scan->filled) {
		scan->filled = os_call(SYS_read, scan->fd, (long)scan->piece, sizeof(scan->piece),
		                       0, 0, 0);
		scan->next = 0;
		if (scan->filled <= 0) {
			scan->filled = 0;
			return -1;
		}
	}
	return scan->piece[scan->next++];
}

static bool next_inode(struct inode_scan *scan, uint64_t *inode)
{
	int field = 0;
	bool inside = false;
	int c;

	*inode = 0;
	while ((c = next_char(scan)) >= 0 && c != '\n') {
		bool blank = c == ' ';
		if (!blank && !inside)
			field++;
		inside = !blank;
		if (field == 7 && c >= '0' && c <= '9')
			*inode = *inode * 10 + (uint64_t)(c - '0');
	}
	return c >= 0;
}

/* One reclaim at a time in a process: the life of each slot that may be dead. */
static struct {
	bool in_question;
	uint32_t generation;
} slot_state[WEIR_MAX_PAIRS_MAX];
static weir_word32 busy;

static void mark_alive(const struct weir_session *s, uint32_t touched, uint64_t inode)
{
	for (uint32_t i = 0; i < touched; i++)
		if (load64_relaxed(&s->slots[i].end[0].inode) == inode ||
		    load64_relaxed(&s->slots[i].end[1].inode) == inode)
			slot_state[i].in_question = false;
}

/* A pair that never left its creator lives as long as that process. */
static bool creator_lives(const struct weir_slot *slot)
{
	return os_call(SYS_kill, (long)load32_relaxed(&slot->pid), 0, 0, 0, 0, 0) != -ESRCH;
}

static bool never_left(const struct weir_slot *slot)
{
	return load64_relaxed(&slot->end[0].inode) == 0 || load64_relaxed(&slot->end[1].inode) == 0;
}

/* One that nobody held when it was to be given back, in a signal handler that could not
 * (weir_pair_discard). */
static bool is_held(const struct weir_slot *slot)
{
	return load32_relaxed(&slot->end[0].holders) != 0 || load32_relaxed(&slot->end[1].holders) != 0;
}

/* Before the inodes are read: a pair that becomes known later is not in
 * question, and a slot that begins a new life meanwhile has another generation. */
static void question_all(const struct weir_session *s, uint32_t touched)
{
	for (uint32_t i = 0; i < touched; i++) {
		const struct weir_slot *slot = &s->slots[i];
		slot_state[i].generation = load32_acquire(&slot->generation);
		slot_state[i].in_question = load32_acquire(&slot->state) == WEIR_SLOT_USED &&
		                            !(never_left(slot) && creator_lives(slot) &&
		                              is_held(slot));
	}
}

/* The list of /proc/net/unix is made piece by piece, and may leave out sockets
 * while others close. So who is missing there is asked for by name: the kernel
 * answers with the socket or with ENOENT (sock_diag(7)). */
struct question {
	struct nlmsghdr header;
	struct unix_diag_req request;
};

union answer {
	struct nlmsghdr header;
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
	} refused;
	char room[1024];
};

static bool socket_is_gone(int fd, uint64_t inode, uint64_t cookie)
{
	struct question q = {
	        .header = {.nlmsg_len = sizeof(q), .nlmsg_type = SOCK_DIAG_BY_FAMILY,
	                   .nlmsg_flags = NLM_F_REQUEST},
	        .request = {.sdiag_family = AF_UNIX, .udiag_states = UINT32_MAX,
	                    .udiag_ino = (uint32_t)inode,
	                    .udiag_cookie = {(uint32_t)cookie, (uint32_t)(cookie >> 32)}},
	};
	union answer a;

	if (os_call(SYS_sendto, fd, (long)&q, sizeof(q), 0, 0, 0) != sizeof(q))
		return false;
	long n = os_call(SYS_recvfrom, fd, (long)&a, sizeof(a), 0, 0, 0);
	return n >= (long)sizeof(a.refused) && a.header.nlmsg_type == NLMSG_ERROR &&
	       (a.refused.error.error == -ENOENT || a.refused.error.error == -ESTALE);
}

/* Its creator went to another network namespace, and may have made it there: the
 * kernel does not tell of sockets that are in none of ours. */
static bool may_be_elsewhere(const struct weir_session *s, const struct weir_slot *slot)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%u/ns/net", load32_relaxed(&slot->pid));
	long error = os_call(SYS_stat, (long)path, (long)&st, 0, 0, 0, 0);
	return error == 0 ? st.st_ino != s->header->net_namespace : error != -ENOENT;
}

static bool pair_is_gone(int fd, const struct weir_slot *slot)
{
	for (int side = 0; side < 2; side++)
		if (!socket_is_gone(fd, load64_relaxed(&slot->end[side].inode),
		                    load64_relaxed(&slot->end[side].cookie)))
			return false;
	return true;
}

/* A private pair in question is that of a dead process: no socket to ask for. */
static uint32_t take_back(const struct weir_session *s, uint32_t touched)
{
	long fd = os_call(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG, 0, 0, 0);
	uint32_t count = 0;

	for (uint32_t i = 0; i < touched; i++) {
		const struct weir_slot *slot = &s->slots[i];
		if (!slot_state[i].in_question)
			continue;
		if (!never_left(slot) &&
		    (fd < 0 || may_be_elsewhere(s, slot) || !pair_is_gone((int)fd, slot)))
			continue;
		weir_pair_discard(s, i, slot_state[i].generation);
		count++;
	}
	if (fd >= 0)
		os_close((int)fd);
	return count;
}

static bool keep_the_living(const struct weir_session *s, uint32_t touched)
{
	struct inode_scan scan = {.filled = 0};
	uint64_t inode;

	scan.fd = (int)os_call(SYS_openat, AT_FDCWD, (long)"/proc/net/unix", O_RDONLY | O_CLOEXEC,
	                       0, 0, 0);
	if (scan.fd < 0)
		return false;
	while (next_inode(&scan, &inode))
		if (inode != 0)
			mark_alive(s, touched, inode);
	os_close(scan.fd);
	return true;
}

/* A reclaim reads all of /proc/net/unix: where the last one found nothing, twice
 * as many requests go without before the next. */
static weir_word32 requests_left;
static weir_word32 patience;

static bool waits(void)
{
	uint32_t left = load32_relaxed(&requests_left);

	if (left == 0)
		return false;
	store32_relaxed(&requests_left, left - 1);
	return true;
}

static void learn(uint32_t found)
{
	uint32_t next = found ? 0 : load32_relaxed(&patience) * 2 + 1;

	if (next > PATIENCE_MAX)
		next = PATIENCE_MAX;
	store32_relaxed(&patience, next);
	store32_relaxed(&requests_left, next);
}

/* Can this process tell who lives, and which sockets there are? */
static bool sees_all(const struct weir_header *h)
{
	return load32_acquire(&h->strangers) == 0 && os_namespace("net") == h->net_namespace;
}

uint32_t weir_pair_reclaim(const struct weir_session *s)
{
	uint32_t touched = load32_acquire(&s->header->slots_touched);
	uint32_t count = 0;

	if (touched > s->slot_count || waits() || !swap32_if(&busy, 0, 1))
		return 0;
	question_all(s, touched);
	if (sees_all(s->header) && keep_the_living(s, touched))
		count = take_back(s, touched);
	learn(count);
	store32_release(&busy, 0);
	return count;
}
