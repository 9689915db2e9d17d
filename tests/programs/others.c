/* Sockets and files that are not ours work as ever, also beside marked descriptors. */
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/un.h>

/* A marked pair that was used, so that the proof of the hooks holds here too. */
static void use_a_pair(void)
{
	int sv[2];
	pair_open(sv, 0);
	say(sv[0], "abc");
	hear(sv[1], "abc");
	CHECK(close(sv[0]) == 0 && close(sv[1]) == 0);
}

static void keeps_borders(int type)
{
	char buffer[16];
	int sv[2], n;
	use_a_pair();
	CHECK(socketpair(AF_UNIX, type, 0, sv) == 0);
	say(sv[0], "abc");
	say(sv[0], "defg");
	CHECK(ioctl(sv[1], FIONREAD, &n) == 0);
	CHECK_EQ(n, type == SOCK_DGRAM ? 3 : 7);
	CHECK_EQ(read(sv[1], buffer, sizeof(buffer)), 3);
	CHECK_EQ(recv(sv[1], buffer, 2, MSG_TRUNC), 4);
	CHECK_FAILS(recv(sv[1], buffer, 2, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(send(sv[0], "", 0, 0), 0);
	CHECK_EQ(recv(sv[1], buffer, 2, MSG_DONTWAIT), 0);
}

CASE(datagram_pairs) { keeps_borders(SOCK_DGRAM); }

CASE(seqpacket_pairs) { keeps_borders(SOCK_SEQPACKET); }

CASE(a_datagram_pair_at_a_freed_number)
{
	char buffer[16];
	int sv[2], other[2];
	pair_open(sv, 0);
	CHECK(close(sv[0]) == 0 && close(sv[1]) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, other) == 0);
	CHECK(other[0] == sv[0] && other[1] == sv[1]);
	say(other[0], "abc");
	say(other[0], "def");
	CHECK_EQ(read(other[1], buffer, sizeof(buffer)), 3);
	CHECK_EQ(read(other[1], buffer, sizeof(buffer)), 3);
}

static void exchange(int client, int server)
{
	char buffer[16];
	say(client, "question");
	hear(server, "question");
	CHECK_EQ(send(server, "answer", 6, MSG_NOSIGNAL), 6);
	CHECK_EQ(recv(client, buffer, 6, MSG_WAITALL), 6);
	CHECK(close(client) == 0);
	hear_end(server);
	CHECK(close(server) == 0);
}

CASE(tcp_connections)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	use_a_pair();
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(bind(listener, (struct sockaddr *)&address, length) == 0);
	CHECK(listen(listener, 1) == 0);
	CHECK(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
	int client = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(client, (struct sockaddr *)&address, length) == 0);
	exchange(client, accept(listener, NULL, NULL));
}

CASE(named_unix_connections)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "weir-others-%d", getpid());
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name.sun_path + 1));
	use_a_pair();
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(bind(listener, (struct sockaddr *)&name, size) == 0 && listen(listener, 1) == 0);
	int client = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(connect(client, (struct sockaddr *)&name, size) == 0);
	exchange(client, accept4(listener, NULL, NULL, SOCK_CLOEXEC));
}

CASE(pipes_and_files)
{
	char buffer[16];
	int ends[2];
	use_a_pair();
	CHECK(pipe2(ends, O_CLOEXEC) == 0);
	say(ends[1], "abc");
	hear(ends[0], "abc");
	CHECK(close(ends[1]) == 0);
	hear_end(ends[0]);
	int file = memfd_create("file", MFD_CLOEXEC);
	say(file, "abcdef");
	CHECK_EQ(pread(file, buffer, 3, 2), 3);
	CHECK(memcmp(buffer, "cde", 3) == 0);
	CHECK_EQ(lseek(file, 0, SEEK_SET), 0);
	hear(file, "abcdef");
	hear_end(file);
}

CASE(eventfds)
{
	uint64_t value = 5;
	use_a_pair();
	int fd = eventfd(0, EFD_NONBLOCK);
	CHECK_EQ(write(fd, &value, 8), 8);
	CHECK_EQ(write(fd, &value, 8), 8);
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EQ(value, 10);
	CHECK_FAILS(read(fd, &value, 8), EAGAIN);
}

CASE(many_pairs_at_once)
{
	enum { PAIRS = 200 };
	static int sv[PAIRS][2];
	for (int i = 0; i < PAIRS; i++)
		pair_open(sv[i], 0);
	for (int i = 0; i < PAIRS; i++) {
		char text[16];
		snprintf(text, sizeof(text), "pair %d", i);
		say(sv[i][i & 1], text);
	}
	for (int i = PAIRS - 1; i >= 0; i--) {
		char text[16];
		snprintf(text, sizeof(text), "pair %d", i);
		hear(sv[i][1 - (i & 1)], text);
		hear_nothing(sv[i][i & 1]);
		CHECK(close(sv[i][0]) == 0);
		hear_end(sv[i][1]);
		CHECK(close(sv[i][1]) == 0);
	}
}

/* More pairs one after the other than a session has room for at once. */
CASE(many_pairs_in_turn)
{
	for (int i = 0; i < 20000; i++) {
		int sv[2];
		pair_open(sv, 0);
		if (i % 100 == 0) {
			say(sv[0], "abc");
			hear(sv[1], "abc");
		}
		CHECK(close(sv[0]) == 0 && close(sv[1]) == 0);
	}
}

/* A new pair starts empty, whatever its predecessor left behind. */
CASE(a_new_pair_is_empty)
{
	for (int i = 0; i < 200; i++) {
		int sv[2];
		pair_open(sv, SOCK_NONBLOCK);
		hear_nothing(sv[0]);
		hear_nothing(sv[1]);
		CHECK_EQ(readiness(sv[0]), POLLOUT);
		CHECK_EQ(readiness(sv[1]), POLLOUT);
		say(sv[0], "left behind");
		say(sv[1], "this too");
		CHECK(close(sv[i & 1]) == 0 && close(sv[1 - (i & 1)]) == 0);
	}
}

CHECK_MAIN
