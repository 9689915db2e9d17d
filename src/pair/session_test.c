#include "pair/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/test.h"
#include "pair/pair.h"

enum { PATH_SIZE = 64, PAIRS = 4 };

static struct weir_config small(void)
{
	struct weir_config config = weir_config_default();

	config.max_pairs = PAIRS;
	return config;
}

static const char *path_of(int fd)
{
	static char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

static int lowest_free(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

static void the_plan_is_in_it(void)
{
	struct weir_config config = small();
	struct weir_session s;
	struct stat st;
	int fd = -1;

	config.capacity = 4097;
	config.capacity_given = true;
	config.stats = "-";
	CHECK_EQ(weir_session_create(&s, &config, NULL, &fd), 0);
	CHECK_EQ(s.header->capacity, 4097);
	CHECK_EQ(s.header->capacity_given, 1);
	CHECK_EQ(s.header->keep_retired, 1);
	CHECK_EQ(s.header->slots, PAIRS);
	CHECK_EQ(s.header->holder_pid, getpid());
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0600);
	CHECK_EQ(st.st_size, s.header->file_size);
	CHECK_EQ(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	CHECK(st.st_blocks * 512 <= 8192); /* nothing is touched but the header */
	weir_session_unmap(&s);
	close(fd);
}

static void attached_is_the_same_memory(void)
{
	struct weir_config config = small();
	struct weir_session made, found;
	int fd = -1;

	CHECK_EQ(weir_session_create(&made, &config, NULL, &fd), 0);
	int free_before = lowest_free();
	CHECK_EQ(weir_session_attach(&found, path_of(fd)), 0);
	CHECK_EQ(lowest_free(), free_before);
	CHECK(found.header != made.header);
	CHECK_EQ(found.slot_count, PAIRS);
	CHECK_EQ(found.ring_span, made.ring_span);
	int64_t index = weir_pair_open(&made, weir_pair_number(&made), 17, "maker");
	CHECK_EQ(index, 0);
	CHECK_EQ(load32_relaxed(&found.slots[0].state), WEIR_SLOT_USED);
	CHECK_TEXT(found.slots[0].comm, "maker");
	made.rings[made.ring_span * 3 + 5] = 'x';
	CHECK_EQ(found.rings[made.ring_span * 3 + 5], 'x');
	made.retired[WEIR_RETIRED_MAX - 1].number = 9;
	CHECK_EQ(found.retired[WEIR_RETIRED_MAX - 1].number, 9);
	weir_session_unmap(&made);
	close(fd);
	found.rings[0] = 'y'; /* it stays without its maker */
	weir_session_unmap(&found);
	weir_session_unmap(&found);
}

/* A capacity that does not fit the smallest ring gets a larger one. */
static void rings_hold_the_capacity(void)
{
	struct weir_config config = small();
	struct weir_session s;
	int fd = -1;

	config.capacity = 3 << 20;
	config.capacity_given = true;
	CHECK_EQ(weir_session_create(&s, &config, NULL, &fd), 0);
	CHECK_EQ(s.ring_span, 4 << 20);
	weir_session_unmap(&s);
	close(fd);
	config.capacity = 4 << 20; /* what handlers leave aside must fit, too */
	CHECK_EQ(weir_session_create(&s, &config, NULL, &fd), 0);
	CHECK_EQ(s.ring_span, 8 << 20);
	weir_session_unmap(&s);
	close(fd);
	config.capacity = WEIR_CAPACITY_MAX;
	config.max_pairs = WEIR_MAX_PAIRS_MAX;
	int error = weir_session_create(&s, &config, NULL, &fd);
	CHECK(error == 0 || error == -ENOMEM);
	if (error == 0) {
		CHECK(s.slot_count >= 1 && s.slot_count < WEIR_MAX_PAIRS_MAX);
		weir_session_unmap(&s);
		close(fd);
	}
}

static int attach_to_bytes(const void *bytes, size_t n)
{
	struct weir_session s;
	int fd = memfd_create("weir-test", MFD_CLOEXEC);

	CHECK_EQ(write(fd, bytes, n), n);
	int error = weir_session_attach(&s, path_of(fd));
	close(fd);
	return error;
}

static void other_files(void)
{
	struct weir_session s;
	char zeros[8192] = "";
	int fds[2];

	CHECK_EQ(weir_session_attach(&s, "/no/such/file"), -ENOENT);
	CHECK_EQ(weir_session_attach(&s, ""), -ENOENT);
	CHECK_EQ(weir_session_attach(&s, "/"), -EISDIR);
	CHECK_EQ(weir_session_attach(&s, "/dev/null"), -EPROTO);
	CHECK_EQ(attach_to_bytes("", 0), -EPROTO);
	CHECK_EQ(attach_to_bytes("text", 4), -EPROTO);
	CHECK_EQ(attach_to_bytes(zeros, sizeof(zeros)), -EPROTO);
	CHECK_EQ(pipe(fds), 0);
	int error = weir_session_map(&s, fds[0]);
	CHECK(error == -EPROTO || error == -ESPIPE);
	CHECK_EQ(weir_session_map(&s, -1), -EBADF);
	close(fds[0]);
	close(fds[1]);
}

static int attach_to_length(int fd, off_t length)
{
	struct weir_session s;

	CHECK_EQ(ftruncate(fd, length), 0);
	int error = weir_session_attach(&s, path_of(fd));
	if (error == 0)
		weir_session_unmap(&s);
	return error;
}

static void cut_files(void)
{
	struct weir_config config = small();
	struct weir_session s;
	int fd = -1;

	CHECK_EQ(weir_session_create(&s, &config, NULL, &fd), 0);
	off_t whole = (off_t)s.file_size;
	weir_session_unmap(&s);
	CHECK_EQ(attach_to_length(fd, whole), 0);
	CHECK_EQ(attach_to_length(fd, whole + 1), -EBADMSG);
	CHECK_EQ(attach_to_length(fd, whole * 2), -EBADMSG);
	CHECK_EQ(attach_to_length(fd, whole - 1), -EBADMSG);
	CHECK_EQ(attach_to_length(fd, 4096), -EBADMSG);
	CHECK_EQ(attach_to_length(fd, sizeof(struct weir_header) - 1), -EPROTO);
	CHECK_EQ(attach_to_length(fd, 0), -EPROTO);
	close(fd);
}

static struct weir_header sound;

/* Attaches to the file after `size` bytes at `at` of its header became `value`. */
static int attach_damaged(int fd, size_t at, size_t size, uint64_t value)
{
	struct weir_header h = sound;
	struct weir_session s;

	memcpy((unsigned char *)&h + at, &value, size);
	CHECK_EQ(pwrite(fd, &h, sizeof(h), 0), sizeof(h));
	int error = weir_session_attach(&s, path_of(fd));
	if (error == 0)
		weir_session_unmap(&s);
	return error;
}

#define DAMAGED(field, value)                                                                      \
	attach_damaged(fd, offsetof(struct weir_header, field), sizeof(sound.field),               \
	               (uint64_t)(value))

static void damaged_headers(void)
{
	struct weir_config config = small();
	struct weir_session s;
	int fd = -1;

	CHECK_EQ(weir_session_create(&s, &config, NULL, &fd), 0);
	sound = *s.header;
	weir_session_unmap(&s);
	CHECK_EQ(DAMAGED(magic, WEIR_MAGIC), 0);
	CHECK_EQ(DAMAGED(magic, 0), -EBADMSG);
	CHECK_EQ(DAMAGED(version, WEIR_LAYOUT_VERSION + 1), -EBADMSG);
	CHECK_EQ(DAMAGED(size, sizeof(sound) + 64), -EBADMSG);
	CHECK_EQ(DAMAGED(file_size, sound.file_size - 4096), -EBADMSG);
	CHECK_EQ(DAMAGED(file_size, 0), -EBADMSG);
	CHECK_EQ(DAMAGED(lives_offset, sound.lives_offset + 4096), -EBADMSG);
	CHECK_EQ(DAMAGED(retired_offset, 0), -EBADMSG);
	CHECK_EQ(DAMAGED(slots_offset, UINT64_MAX), -EBADMSG);
	CHECK_EQ(DAMAGED(rings_offset, sound.rings_offset - 4096), -EBADMSG);
	CHECK_EQ(DAMAGED(ring_span, 0), -EBADMSG);
	CHECK_EQ(DAMAGED(ring_span, 4096), -EBADMSG);
	CHECK_EQ(DAMAGED(ring_span, sound.ring_span + 1), -EBADMSG);
	CHECK_EQ(DAMAGED(ring_span, sound.ring_span * 2), -EBADMSG);
	CHECK_EQ(DAMAGED(ring_span, UINT64_C(1) << 63), -EBADMSG);
	CHECK_EQ(DAMAGED(slots, 0), -EBADMSG);
	CHECK_EQ(DAMAGED(slots, PAIRS - 1), -EBADMSG);
	CHECK_EQ(DAMAGED(slots, PAIRS + 1), -EBADMSG);
	CHECK_EQ(DAMAGED(slots, UINT32_MAX), -EBADMSG);
	CHECK_EQ(DAMAGED(slots_touched, UINT32_MAX), 0); /* checked where it is used */
	CHECK_EQ(DAMAGED(version, (WEIR_LAYOUT_VERSION + 1) * 0x10001), -EPROTO);
	sound.slots_offset = 1;
	CHECK_EQ(DAMAGED(size, 1), -EBADMSG);
	CHECK_EQ(DAMAGED(version, 0x10001), -EPROTO);
	CHECK_EQ(DAMAGED(version, 0x10000), -EBADMSG);
	memset(&sound, 0xff, sizeof(sound)); /* nothing is left: it is known by its name */
	CHECK_EQ(DAMAGED(version, 1), -EBADMSG);
	close(fd);
}

int main(void)
{
	RUN(the_plan_is_in_it);
	RUN(attached_is_the_same_memory);
	RUN(rings_hold_the_capacity);
	RUN(other_files);
	RUN(cut_files);
	RUN(damaged_headers);
	return weir_test_end();
}
