#include "base/peer.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/os.h"
#include "base/test.h"

static void both_ends_of_a_pair(void)
{
	uint64_t peer = 0;
	int sv[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	for (int side = 0; side < 2; side++) {
		CHECK_EQ(weir_peer_of(os_inode(sv[side]), &peer), 0);
		CHECK_EQ(peer, os_inode(sv[!side]));
	}
	close(sv[1]);
	close(sv[0]);
}

static void nobody(void)
{
	uint64_t peer = 1;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK_EQ(weir_peer_of(os_inode(fd), &peer), 0);
	CHECK_EQ(peer, 0);
	uint64_t inode = os_inode(fd);
	close(fd);
	CHECK(weir_peer_of(inode, &peer) < 0);
}

int main(void)
{
	os_resolve();
	RUN(both_ends_of_a_pair);
	RUN(nobody);
	return weir_test_end();
}
