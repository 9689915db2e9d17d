/* Texts that come anywhere in a stream, in calls of every family, cut anyhow: a rule with
 * match= acts exactly behind each of them. Natively nothing acts, and all bytes pass. */
#include "check.h"
#include "weir.h"

#include <sys/ioctl.h>
#include <sys/sendfile.h>

enum { STREAM = 1500, TEXT_MAX = 20, CALL_MAX = 90, STREAMS = 60, PIECES = 3, REPLACED = EXFULL };

static uint64_t chance;

static size_t below(size_t bound)
{
	chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (size_t)(chance >> 33) % bound;
}

struct stream {
	char text[TEXT_MAX + 1];
	unsigned char bytes[STREAM];
	unsigned char got[STREAM];
	size_t sent, received;
	int file;               /* of all its bytes */
	int pipe[2];            /* for splice */
};

/* Few different letters, so that the text comes often, and nearly comes more often. */
static void stream_make(struct stream *s)
{
	size_t length = 1 + below(below(3) ? 4 : TEXT_MAX), letters = 1 + below(3);
	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < length; i++)
		s->text[i] = (char)('a' + below(letters));
	for (size_t i = 0; i < STREAM; i++)
		s->bytes[i] = (unsigned char)('a' + below(letters + 1));
	for (size_t i = below(200); i + length < STREAM; i += 1 + below(300))
		memcpy(s->bytes + i, s->text, length);
	s->file = memfd_create("stream", MFD_CLOEXEC);
	CHECK_EQ(write(s->file, s->bytes, STREAM), STREAM);
	CHECK_EQ(pipe(s->pipe), 0);
}

static void stream_end(struct stream *s)
{
	close(s->file);
	close(s->pipe[0]);
	close(s->pipe[1]);
}

/* How many of the next `n` bytes there are up to where the text is complete, or 0. */
static size_t text_within(const struct stream *s, size_t at, size_t n)
{
	size_t length = strlen(s->text);
	for (size_t end = at + 1; end <= at + n; end++)
		if (end >= length && memcmp(s->bytes + end - length, s->text, length) == 0)
			return end - at;
	return 0;
}

/* Cuts `n` bytes into pieces, some of which are empty. */
static int cut(struct iovec iov[PIECES], void *bytes, size_t n)
{
	char *at = bytes;
	for (int i = 0; i < PIECES; i++) {
		size_t piece = i == PIECES - 1 ? n : below(n + 1);
		iov[i] = (struct iovec){at, piece};
		at += piece;
		n -= piece;
	}
	return PIECES;
}

/* ---- calls, by their number ---- */

enum { FAMILIES = 9 };

static ssize_t splice_in(struct stream *s, int fd, size_t n)
{
	char left[CALL_MAX];
	int there;
	CHECK_EQ(write(s->pipe[1], s->bytes + s->sent, n), n);
	ssize_t moved = splice(s->pipe[0], NULL, fd, NULL, n, 0);
	int error = errno;
	CHECK_EQ(ioctl(s->pipe[0], FIONREAD, &there), 0);
	CHECK_EQ(there, (ssize_t)n - (moved > 0 ? moved : 0));
	if (there > 0)
		CHECK_EQ(read(s->pipe[0], left, sizeof(left)), there);
	errno = error;
	return moved;
}

static ssize_t send_by(int family, struct stream *s, int fd, size_t n)
{
	unsigned char *bytes = s->bytes + s->sent;
	struct iovec iov[PIECES];
	struct mmsghdr message = {.msg_hdr = {.msg_iov = iov, .msg_iovlen = PIECES}};
	off_t at = (off_t)s->sent;
	cut(iov, bytes, n);
	switch (family) {
	case 0: return send(fd, bytes, n, 0);
	case 1: return sendto(fd, bytes, n, 0, NULL, 0);
	case 2: return writev(fd, iov, PIECES);
	case 3: return pwritev2(fd, iov, PIECES, -1, 0);
	case 4: return sendmsg(fd, &message.msg_hdr, 0);
	case 5: return sendmmsg(fd, &message, 1, 0) < 0 ? -1 : (ssize_t)message.msg_len;
	case 6: return sendfile(fd, s->file, &at, n);
	case 7: return splice_in(s, fd, n);
	default: return write(fd, bytes, n);
	}
}

static ssize_t splice_out(struct stream *s, int fd, void *bytes, size_t n)
{
	ssize_t moved = splice(fd, NULL, s->pipe[1], NULL, n, 0);
	if (moved > 0)
		CHECK_EQ(read(s->pipe[0], bytes, n), moved);
	return moved;
}

static ssize_t receive_by(int family, struct stream *s, int fd, size_t n)
{
	unsigned char *bytes = s->got + s->received;
	struct iovec iov[PIECES];
	struct mmsghdr message = {.msg_hdr = {.msg_iov = iov, .msg_iovlen = PIECES}};
	cut(iov, bytes, n);
	switch (family) {
	case 0: return recv(fd, bytes, n, 0);
	case 1: return recvfrom(fd, bytes, n, 0, NULL, NULL);
	case 2: return readv(fd, iov, PIECES);
	case 3: return preadv2(fd, iov, PIECES, -1, 0);
	case 4: return recvmsg(fd, &message.msg_hdr, 0);
	case 5: return recvmmsg(fd, &message, 1, 0, NULL) < 0 ? -1 : (ssize_t)message.msg_len;
	case 6: return recv(fd, bytes, n, MSG_WAITALL);
	case 7: return splice_out(s, fd, bytes, n);
	default: return read(fd, bytes, n);
	}
}

/* ---- one side is broken ---- */

/* A call of `n` bytes at position `*at`; `due`: a text ended right before it. */
static void check_call(const struct stream *s, ssize_t moved, size_t *at, size_t n, bool *due)
{
	size_t found = text_within(s, *at, n);
	bool breaks = weir_active();
	if (breaks && *due) {
		CHECK(moved == -1 && errno == REPLACED);
		*due = false;
		return;
	}
	CHECK_EQ(moved, breaks && found ? found : n);
	*due = found > 0;
	*at += (size_t)moved;
}

static void give_rule(int fd, const char *op, const struct stream *s)
{
	char rule[200];
	if (!weir_active())
		return;
	snprintf(rule, sizeof(rule), "%s:error=EXFULL:match=%s:times=%d", op, s->text, STREAM);
	CHECK_EQ(weir_fault(fd, rule), 0);
}

static void receive_all(struct stream *s, int fd)
{
	while (s->received < s->sent) {
		ssize_t n = read(fd, s->got + s->received, s->sent - s->received);
		CHECK(n > 0);
		s->received += (size_t)n;
	}
}

static size_t call_size(size_t left)
{
	size_t n = 1 + below(below(4) ? CALL_MAX : 20);
	return n < left ? n : left;
}

static void broken_writes(bool one_family)
{
	static struct stream s;
	int sv[2], family = 8;
	for (int i = 0; i < STREAMS; i++) {
		bool due = false;
		pair_open(sv, 0);
		stream_make(&s);
		give_rule(sv[0], "write", &s);
		while (s.sent < STREAM) {
			size_t n = call_size(STREAM - s.sent);
			family = one_family ? i % FAMILIES : (int)below(FAMILIES);
			errno = 0;
			check_call(&s, send_by(family, &s, sv[0], n), &s.sent, n, &due);
			if (below(4) == 0)
				receive_all(&s, sv[1]);
		}
		receive_all(&s, sv[1]);
		CHECK(memcmp(s.got, s.bytes, STREAM) == 0);
		stream_end(&s);
		close(sv[0]);
		close(sv[1]);
	}
}

static void broken_reads(bool one_family)
{
	static struct stream s;
	int sv[2];
	for (int i = 0; i < STREAMS; i++) {
		bool due = false;
		pair_open(sv, 0);
		stream_make(&s);
		give_rule(sv[1], "read", &s);
		while (s.received < STREAM) {
			if (s.sent == s.received || (s.sent < STREAM && below(2))) {
				size_t more = call_size(STREAM - s.sent);
				CHECK_EQ(write(sv[0], s.bytes + s.sent, more), more);
				s.sent += more;
			}
			size_t n = call_size(s.sent - s.received);
			int family = one_family ? i % FAMILIES : (int)below(FAMILIES);
			check_call(&s, receive_by(family, &s, sv[1], n), &s.received, n, &due);
		}
		CHECK(memcmp(s.got, s.bytes, STREAM) == 0);
		stream_end(&s);
		close(sv[0]);
		close(sv[1]);
	}
}

/* A process with a second thread takes another way through the library. */
static void *nothing(void *argument)
{
	return pause() ? argument : argument;
}

static void begin(bool threaded)
{
	struct worker worker;
	struct timespec now;
	const char *given = getenv("WEIR_TEST_SEED");
	clock_gettime(CLOCK_REALTIME, &now);
	chance = given ? strtoull(given, NULL, 0) : (uint64_t)now.tv_nsec * 1000 + (uint64_t)getpid();
	fprintf(stderr, "WEIR_TEST_SEED=%llu\n", (unsigned long long)chance);
	if (threaded)
		worker_start(&worker, nothing, NULL);
}

CASE(writes_of_one_family)
{
	begin(false);
	broken_writes(true);
}

CASE(writes_of_all_families)
{
	begin(false);
	broken_writes(false);
}

CASE(reads_of_one_family)
{
	begin(false);
	broken_reads(true);
}

CASE(reads_of_all_families)
{
	begin(false);
	broken_reads(false);
}

CASE(writes_beside_a_thread)
{
	begin(true);
	broken_writes(false);
}

CASE(reads_beside_a_thread)
{
	begin(true);
	broken_reads(false);
}

CHECK_MAIN
