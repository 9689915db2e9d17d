#include "pair/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/os.h"

#define FILE_NAME "weir-session"
#define VERSION_TWICE(version) ((uint32_t)(version) * 0x10001U)

enum {
	RING_SPAN_MIN = 1 << 20,    /* room to raise a capacity while the program runs */
	FILE_SIZE_SHIFT_MAX = 44,   /* 16 TiB of (sparse) file: an eighth of the address space */
	PROGRAM_SPACE = 1 << 28,    /* more than a program has mapped when it maps the session */
};

static uint64_t align(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

/* What setsockopt(SO_SNDBUF) may reach: twice net.core.wmem_max (socket(7)). */
static uint64_t largest_sndbuf(void)
{
	char text[32] = "";
	long fd = os_call(SYS_openat, AT_FDCWD, (long)"/proc/sys/net/core/wmem_max",
	                  O_RDONLY | O_CLOEXEC, 0, 0, 0);
	uint64_t value = 0;

	if (fd >= 0) {
		os_call(SYS_read, fd, (long)text, sizeof(text) - 1, 0, 0, 0);
		os_close((int)fd);
	}
	for (const char *c = text; *c >= '0' && *c <= '9'; c++)
		value = value * 10 + (uint64_t)(*c - '0');
	return value < WEIR_CAPACITY_MAX / 2 ? value * 2 : WEIR_CAPACITY_MAX;
}

/* A capacity that was asked for fits with what handlers may add; the largest one
 * that SO_SNDBUF reaches may be short of that, rather than take twice the space. */
static uint64_t span_for(const struct weir_config *config)
{
	uint64_t needed = config->capacity + WEIR_ASIDE_SIZE;
	uint64_t span = RING_SPAN_MIN;

	if (!config->capacity_given && needed < largest_sndbuf())
		needed = largest_sndbuf();
	while (span < needed)
		span *= 2;
	return span;
}

/* From the number of slots follows where everything is. */
static void set_offsets(struct weir_header *h)
{
	uint64_t slots = h->slots;

	h->plan_offset = align(sizeof(*h), 4096);
	h->lives_offset = align(h->plan_offset + sizeof(struct weir_plan), 4096);
	h->boards_offset = align(h->lives_offset + WEIR_LIVES_MAX * sizeof(struct weir_life), 4096);
	h->retired_offset =
	        align(h->boards_offset + WEIR_BOARDS_MAX * sizeof(struct weir_board), 4096);
	h->slots_offset =
	        align(h->retired_offset + WEIR_RETIRED_MAX * sizeof(struct weir_retired), 4096);
	h->faults_offset = align(h->slots_offset + slots * sizeof(struct weir_slot), 4096);
	h->rings_offset =
	        align(h->faults_offset + slots * sizeof(struct weir_slot_faults), 4096);
}

static uint64_t soft_limit(int resource)
{
	struct rlimit limit;

	if (os_call(SYS_prlimit64, 0, resource, 0, (long)&limit, 0, 0) != 0)
		return RLIM_INFINITY;
	return limit.rlim_cur;
}

/* Half of a limited address space is the program's. */
static uint64_t file_size_max(void)
{
	uint64_t max = UINT64_C(1) << FILE_SIZE_SHIFT_MAX;

	if (soft_limit(RLIMIT_AS) / 2 < max)
		max = soft_limit(RLIMIT_AS) / 2;
	return soft_limit(RLIMIT_FSIZE) < max ? soft_limit(RLIMIT_FSIZE) : max;
}

static void set_size(struct weir_header *h, uint64_t slots)
{
	h->slots = (uint32_t)slots;
	set_offsets(h);
	h->file_size = h->rings_offset + slots * weir_rings_size(h->ring_span);
}

/* Fewer slots than asked for where no more fit: a session that is short of them
 * says so when it comes to that. */
static void lay_out(struct weir_header *h, const struct weir_config *config)
{
	uint64_t slots = config->max_pairs, max = file_size_max();

	h->ring_span = span_for(config);
	set_size(h, slots);
	while (slots > 1 && h->file_size > max)
		set_size(h, slots /= 2);
}

/* A file that is too large would be answered with a signal. */
static int make_room(int file, uint64_t size)
{
	long error = soft_limit(RLIMIT_FSIZE) < size
	                     ? -EFBIG
	                     : os_call(SYS_ftruncate, file, (long)size, 0, 0, 0, 0);

	return error ? (int)error : (int)os_call(SYS_fchmod, file, 0600, 0, 0, 0, 0);
}

static void write_config(struct weir_header *h, const struct weir_config *config)
{
	h->capacity = config->capacity;
	h->capacity_given = config->capacity_given;
	h->writable_at = config->writable_at;
	h->writable_at_given = config->writable_at_given;
	h->writable_at_percent = config->writable_at_percent;
	h->verbose = config->verbose;
	h->no_follow = config->no_follow;
	h->fail_on_deadlock = config->fail_on_deadlock;
	h->keep_retired = config->stats != NULL;
	h->pid_namespace = os_namespace("pid");
	h->net_namespace = os_namespace("net");
	h->filters = os_filters();
	h->holder_pid = (uint32_t)os_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

static void *map(uint64_t size, int fd)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);

	if (at == MAP_FAILED)
		return NULL;
	madvise(at, size, MADV_DONTDUMP);
	return at;
}

static void point_into(struct weir_session *s, void *at, const struct weir_header *h,
                       const struct stat *st)
{
	unsigned char *base = at;

	s->header = at;
	s->lives = (void *)(base + h->lives_offset);
	s->boards = (void *)(base + h->boards_offset);
	s->retired = (void *)(base + h->retired_offset);
	s->slots = (void *)(base + h->slots_offset);
	s->plan = (void *)(base + h->plan_offset);
	s->faults = (void *)(base + h->faults_offset);
	s->rings = base + h->rings_offset;
	s->file_size = h->file_size;
	s->ring_span = h->ring_span;
	s->slot_count = h->slots;
	s->device = st->st_dev;
	s->inode = st->st_ino;
}

/* Drawn from the kernel: the program's own randomness is none of our business. */
static uint64_t fresh_seed(void)
{
	uint64_t seed = 0;

	if (os_call(SYS_getrandom, (long)&seed, sizeof(seed), 0, 0, 0, 0) != sizeof(seed))
		seed = os_now_ns();
	return seed % 1000000000;    /* short enough to be typed */
}

static void make_plan(struct weir_plan *into, const struct weir_plan *plan)
{
	if (plan)
		*into = *plan;
	if (!into->seed_given)
		into->seed = fresh_seed();
	weir_lock_make(&into->lock);
}

const char *weir_session_trouble(int error)
{
	const char *text = strerrordesc_np(-error);

	switch (-error) {
	case WEIR_TROUBLE_FILTER:
		return "a seccomp filter was installed, and what it allows is not known";
	case WEIR_TROUBLE_NAMESPACE:
		return "a library in a namespace of its own (dlmopen) is out of reach";
	case WEIR_TROUBLE_COOKIE: return "the kernel gives sockets no SO_COOKIE";
	case ENOMEM: return "no room for its memory: fewer --max-pairs need less";
	case EFBIG: return "RLIMIT_FSIZE is smaller than its memory";
	case EPROTO: return "WEIR_SESSION names no session of this version";
	default: return text ? text : "unknown error";
	}
}

int weir_session_create(struct weir_session *s, const struct weir_config *config,
                        const struct weir_plan *plan, int *fd)
{
	struct weir_header made = {.magic = 0};
	struct stat st;
	int file = os_memfd(FILE_NAME);

	if (file < 0)
		return file;
	lay_out(&made, config);
	int error = make_room(file, made.file_size);
	if (!error)
		error = (int)os_call(SYS_fstat, file, (long)&st, 0, 0, 0, 0);
	void *at = error ? NULL : map(made.file_size, file);
	if (!at) {
		os_close(file);
		return error ? error : -ENOMEM;
	}
	write_config(&made, config);
	made.version = VERSION_TWICE(WEIR_LAYOUT_VERSION);
	made.size = sizeof(made);
	made.magic = WEIR_MAGIC;
	struct weir_header *h = at;
	*h = made;
	point_into(s, at, &made, &st);
	make_plan(s->plan, plan);
	*fd = file;
	return 0;
}

/* A file that another program made is believed in nothing: the offsets must follow from
 * the counts, and the counts fit the file. */
static bool layout_fits(const struct weir_header *h, uint64_t file_size)
{
	struct weir_header expected = {.slots = h->slots};

	if (h->slots == 0 || h->slots > WEIR_MAX_PAIRS_MAX ||
	    (h->ring_span & (h->ring_span - 1)) != 0 || h->ring_span < RING_SPAN_MIN)
		return false;
	set_offsets(&expected);
	return h->plan_offset == expected.plan_offset && h->lives_offset == expected.lives_offset &&
	       h->boards_offset == expected.boards_offset &&
	       h->retired_offset == expected.retired_offset &&
	       h->slots_offset == expected.slots_offset &&
	       h->faults_offset == expected.faults_offset &&
	       h->rings_offset == expected.rings_offset && h->file_size == file_size &&
	       file_size >= h->rings_offset &&
	       (file_size - h->rings_offset) / weir_rings_size(h->ring_span) == h->slots;
}

/* By the kernel, whatever became of what is in it. Behind a filter nobody asks. */
static bool is_called_session(int fd)
{
	static const char called[] = "/memfd:" FILE_NAME " ";
	char path[32], target[sizeof(called)];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return os_filters() == 0 &&
	       os_call(SYS_readlink, (long)path, (long)target, sizeof(called) - 1, 0, 0, 0) ==
	               sizeof(called) - 1 &&
	       memcmp(target, called, sizeof(called) - 1) == 0;
}

/* What has a session's name is of another version, or sound, or damaged: a version that is
 * not said twice is none. Without the name it is a session where all the rest is right. */
static int judge(const struct weir_header *h, uint64_t file_size, int fd)
{
	bool is_ours = h->version == VERSION_TWICE(WEIR_LAYOUT_VERSION);
	bool fits = is_ours && h->size == sizeof(*h) && layout_fits(h, file_size);

	if (h->magic == WEIR_MAGIC && fits)
		return 0;
	if (h->magic != WEIR_MAGIC && !fits && !is_called_session(fd))
		return -EPROTO;
	bool is_version = h->version == VERSION_TWICE(h->version & 0xffff);
	return is_version && !is_ours ? -EPROTO : -EBADMSG;
}

int weir_session_map(struct weir_session *s, int fd)
{
	struct stat st;
	struct weir_header h;
	long error = os_call(SYS_fstat, fd, (long)&st, 0, 0, 0, 0);

	if (error < 0)
		return (int)error;
	if (os_call(SYS_pread64, fd, (long)&h, sizeof(h), 0, 0, 0) != sizeof(h))
		return -EPROTO;
	error = judge(&h, (uint64_t)st.st_size, fd);
	if (error)
		return (int)error;
	void *at = map(h.file_size, fd);
	if (!at)
		return -ENOMEM;
	point_into(s, at, &h, &st);
	return 0;
}

/* In a chroot or a PID namespace its path may lead to another file. */
static bool is_file_of(const struct weir_session *s, int fd)
{
	struct stat st;

	return os_call(SYS_fstat, fd, (long)&st, 0, 0, 0, 0) == 0 && st.st_dev == s->device &&
	       st.st_ino == s->inode;
}

static bool is_unfiltered(int fd)
{
	struct weir_header h;

	return os_call(SYS_pread64, fd, (long)&h, sizeof(h), 0, 0, 0) != sizeof(h) ||
	       h.magic != WEIR_MAGIC || os_filters() <= h.filters;
}

bool weir_session_can_map(const struct weir_session *s, int fd)
{
	uint64_t space = s->file_size < PROGRAM_SPACE ? s->file_size : PROGRAM_SPACE;

	return is_file_of(s, fd) && is_unfiltered(fd) && soft_limit(RLIMIT_AS) >= s->file_size + space;
}

static int attach(struct weir_session *s, const char *path, bool starts)
{
	long fd = os_call(SYS_openat, AT_FDCWD, (long)path, O_RDWR | O_CLOEXEC | O_NOCTTY, 0, 0, 0);

	if (fd < 0)
		return (int)fd;
	int error = !starts || is_unfiltered((int)fd) ? weir_session_map(s, (int)fd)
	                                              : -WEIR_TROUBLE_FILTER;
	os_close((int)fd);
	return error;
}

int weir_session_attach(struct weir_session *s, const char *path)
{
	return attach(s, path, false);
}

int weir_session_join(struct weir_session *s, const char *path)
{
	return attach(s, path, true);
}

void weir_session_unmap(struct weir_session *s)
{
	if (s->header)
		munmap(s->header, s->file_size);
	s->header = NULL;
}
