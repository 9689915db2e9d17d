/* Flips random bits in a session's memory while programs run in it.
 *
 *	damage [--seed N] [--runs N | --only RUN] [--seconds N] [--area NAME] [--mode NAME]
 *	       [--bits N] [--stop] [--verbose] WEIR EXCHANGE
 *
 * Each run starts `weir run EXCHANGE ...` (tests/programs/exchange.c), maps its session
 * and flips bits of one area, at times that are drawn. Then all bytes arrive as they were
 * sent, or somebody is told: by an errno, or by an abort with weir's message. Never a
 * wrong byte, a crash, a process that sleeps or loops for ever, or a byte that was written
 * outside of the rings. With MANY bits nothing is asked of the bytes, as all copies
 * of a word may be hit. `weir run` and `weir ctl` read each damaged session, too.
 *
 * What a run does depends on the seed and its number alone, but not when exactly: where a
 * run failed, `--seed N --only RUN --runs 100` repeats it so many times, and with --stop
 * until it fails.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "base/test_random.h"
#include "fault/draw.h"
#include "pair/session.h"

enum {
	END_MS_MAX = 20000, /* a run takes some milliseconds */
	SESSION_MS_MAX = 10000,
	CTL_SECONDS_MAX = 20,
	SAMPLE_MS = 300,
	TEXT_SIZE = 65536,
	FLIPS_MAX = 512,
	MANY = 64,
	WORDS_MAX = 24,
	PATH_SIZE = 64,
	RIGHT = 0,
	WRONG = 3,
	SHORT = 4,
	TOLD = 5, /* what EXCHANGE ends with */
	FAILED = 125, /* what the command ends with */
};

/* ---- areas ---- */

enum area { HEADER, PLAN, LIVES, RETIRED, SLOTS, PIPES, LOCKS, POSITIONS, STATES, AREAS };

static const char *const area_names[AREAS] = {
        "header", "plan", "lives", "retired", "slots", "pipes", "locks", "positions", "states",
};

struct range {
	uint64_t start;
	uint64_t size;
};

static uint32_t below(struct test_random *random, uint32_t n)
{
	return (uint32_t)test_random_below(random, n);
}

/* A piece of the session's file that belongs to the area. */
static struct range piece_of(const struct weir_session *s, enum area area,
                             struct test_random *random)
{
	const struct weir_header *h = s->header;
	const struct weir_plan *plan = s->plan;
	uint32_t touched = doubled_glance(&h->slots_touched);
	uint32_t slots = touched > 0 && touched <= s->slot_count ? touched : 1;
	uint32_t lives = load32_relaxed(&h->lives_touched);
	uint32_t slot = below(random, slots), k = below(random, 2);
	uint32_t rules = load32_relaxed(&plan->count);
	uint64_t plan_at = (uint64_t)((const char *)s->plan - (const char *)h);
	uint64_t slot_at = (uint64_t)((const char *)&s->slots[slot] - (const char *)h);
	uint64_t pipe_at =
	        slot_at + offsetof(struct weir_slot, pipe) + k * sizeof(struct weir_pipe);
	uint64_t state_at = (uint64_t)((const char *)&s->faults[slot] - (const char *)h);

	switch (area) {
	case HEADER:
		return (struct range){0, sizeof(*h)};
	case PLAN:
		if (rules == 0 || rules > WEIR_RULES_MAX || below(random, 2))
			return (struct range){plan_at, offsetof(struct weir_plan, rules)};
		return (struct range){plan_at + offsetof(struct weir_plan, rules) +
		                              below(random, rules) * sizeof(plan->rules[0]),
		                      sizeof(plan->rules[0])};
	case LIVES:
		return (struct range){(uint64_t)((const char *)s->lives - (const char *)h),
		                      (lives > 0 && lives < 64 ? lives : 8) * sizeof(s->lives[0])};
	case RETIRED:
		return (struct range){(uint64_t)((const char *)s->retired - (const char *)h),
		                      4 * sizeof(s->retired[0])};
	case SLOTS:
		return (struct range){slot_at, offsetof(struct weir_slot, pipe)};
	case PIPES:
		return (struct range){pipe_at, sizeof(struct weir_pipe)};
	case LOCKS:
		pipe_at += below(random, 2) ? offsetof(struct weir_pipe, read_lock)
		                            : offsetof(struct weir_pipe, write_lock);
		return (struct range){pipe_at, sizeof(struct weir_lock)};
	case POSITIONS:
		if (below(random, 2))
			return (struct range){pipe_at + offsetof(struct weir_pipe, head), 16};
		return (struct range){pipe_at + offsetof(struct weir_pipe, tail), 40};
	case STATES:
		state_at += below(random, 4) * sizeof(struct weir_fault_state);
		return (struct range){state_at, offsetof(struct weir_fault_state, rule) +
		                                        8 * sizeof(struct weir_fault_rule_state)};
	case AREAS:
		break;
	}
	return (struct range){0, 0};
}

/* ---- one run ---- */

static const char *const mode_names[] = {
        "stream", "echo", "peeks", "polls", "edges", "signals", "execs", "pairs", "crowd",
};
static const char *const capacities[] = {"208K", "4K", "300", "64", "1"};

/* Rules that change when calls return, and never what they carry. */
static const char *const rules[] = {
        "any:short=100:when=3+5", "read:delay=1us..20us:p=0.2",
        "write:rate=64M/s",       "write:stall:match=\\xfe\\xfe\\xfe",
        "read:short=7:at=777",    "any:short=1:times=3:comm=exch*",
};

struct options {
	const char *weir;
	const char *exchange;
	uint64_t seed;
	uint32_t runs;
	int64_t only;
	uint32_t seconds;
	int area; /* -1: drawn */
	int mode; /* likewise */
	int bits; /* 0: drawn */
	bool stop; /* at the first failure */
	bool verbose;
};

struct run {
	const struct options *options;
	uint32_t number;
	struct test_random random;
	enum area area;
	const char *mode;
	const char *capacity;
	int bits;
	uint32_t rule; /* of `rules`; their number: none */
	pid_t weir;
	struct weir_session session;
	int session_fd;
	int status; /* of `weir run` */
	int output; /* what all of them say */
	char text[TEXT_SIZE];
	struct flip {
		uint64_t at;
		unsigned int bit;
	} flips[FLIPS_MAX];
	int flipped;
	const char *failure;
};

static uint64_t now_ms(void)
{
	return os_now_ns() / 1000000;
}

static void nap_us(uint32_t us)
{
	nanosleep(
	        &(struct timespec){.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000},
	        NULL);
}

static void draw_run(struct run *r)
{
	const struct options *o = r->options;

	r->area = (enum area)below(&r->random, AREAS);
	r->mode = mode_names[below(&r->random, sizeof(mode_names) / sizeof(mode_names[0]))];
	r->capacity = capacities[below(&r->random, 5)];
	r->bits = below(&r->random, 12) == 0 ? 200 : 1 + (int)below(&r->random, 3);
	r->rule = below(&r->random, 2 * (uint32_t)(sizeof(rules) / sizeof(rules[0])));
	if (o->area >= 0)
		r->area = (enum area)o->area;
	if (o->mode >= 0)
		r->mode = mode_names[o->mode];
	if (o->bits > 0)
		r->bits = o->bits;
	if ((r->area == PLAN || r->area == STATES))
		r->rule %= sizeof(rules) / sizeof(rules[0]);
}

static void start(struct run *r)
{
	const char *words[WORDS_MAX];
	char seed[24], size[24];
	int n = 0;

	snprintf(size, sizeof(size), "%u",
	         2000 + below(&r->random, strcmp(r->capacity, "1") ? 60000 : 4000));
	snprintf(seed, sizeof(seed), "%u", r->number);
	words[n++] = r->options->weir;
	words[n++] = "run";
	words[n++] = "--capacity";
	words[n++] = r->capacity;
	words[n++] = "--max-pairs";
	words[n++] = "16";
	words[n++] = "--stats";
	words[n++] = "/dev/null";
	if (r->rule < sizeof(rules) / sizeof(rules[0])) {
		words[n++] = "--fault";
		words[n++] = rules[r->rule];
	}
	words[n++] = "--";
	words[n++] = r->options->exchange;
	words[n++] = r->mode;
	words[n++] = size;
	words[n++] = seed;
	words[n] = NULL;
	r->weir = fork();
	if (r->weir == 0) {
		int null = open("/dev/null", O_RDWR);
		setpgid(0, 0);
		dup2(null, 0);
		dup2(r->output, 1);
		dup2(r->output, 2);
		execv(words[0], (char **)words);
		_exit(127);
	}
	setpgid(r->weir, r->weir);
}

/* The memory that `weir run` keeps open. */
static bool map_session(struct run *r)
{
	char folder[PATH_SIZE], path[2 * PATH_SIZE], target[PATH_SIZE];
	struct dirent *entry;
	DIR *dir;

	snprintf(folder, sizeof(folder), "/proc/%d/fd", (int)r->weir);
	dir = opendir(folder);
	while (dir && r->session_fd < 0 && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%.20s", folder, entry->d_name);
		ssize_t n = readlink(path, target, sizeof(target) - 1);
		if (n > 0 && !strncmp(target, "/memfd:weir-session", 19))
			r->session_fd = open(path, O_RDWR | O_CLOEXEC);
		if (r->session_fd >= 0 && weir_session_map(&r->session, r->session_fd) != 0) {
			close(r->session_fd);
			r->session_fd = -1;
		}
	}
	if (dir)
		closedir(dir);
	return r->session_fd >= 0;
}

/* Orphans are this process's, too. */
static bool all_have_gone(struct run *r)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == r->weir)
			r->status = status;
	return pid < 0 && errno == ECHILD;
}

/* The same bit of both copies (the halves of a word, or two words) makes them another value that
 * is as good as the first: a lock that a thread of somebody else's holds, say. That nobody can
 * tell. */
static bool is_in_both_copies(const struct run *r, const struct flip *f)
{
	for (const struct flip *other = r->flips; other < f; other++) {
		uint64_t apart = f->at > other->at ? f->at - other->at : other->at - f->at;
		if (f->bit == other->bit && (apart == 4 || apart == 8))
			return true;
	}
	return false;
}

static void flip_one(struct run *r)
{
	struct flip *f = &r->flips[r->flipped++];

	do {
		struct range range = piece_of(&r->session, r->area, &r->random);
		f->at = range.start + test_random_below(&r->random, range.size);
		f->bit = below(&r->random, 8);
	} while (is_in_both_copies(r, f));
	__atomic_fetch_xor((unsigned char *)r->session.header + f->at, 1U << f->bit,
	                   __ATOMIC_SEQ_CST);
}

/* Gives false where the run was over before. */
static bool damage(struct run *r)
{
	uint64_t until = now_ms() + SESSION_MS_MAX;

	while (!map_session(r) || load64_relaxed(&r->session.header->pairs) == 0) {
		if (all_have_gone(r) || now_ms() > until)
			return false;
		nap_us(100);
	}
	uint32_t delay = below(&r->random, 3000);
	for (int i = 0; i < r->bits && r->flipped < FLIPS_MAX; i++) {
		if (r->bits < MANY || i == 0)
			nap_us(delay);
		flip_one(r);
	}
	return true;
}

/* ---- what became of it ---- */

static void each_of_group(struct run *r, void (*act)(pid_t pid, uint64_t ticks, char state))
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char path[PATH_SIZE], text[512] = "", state;
		unsigned long user, system;
		int pid = atoi(entry->d_name), group;

		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		int fd = pid > 0 ? open(path, O_RDONLY) : -1;
		if (fd < 0)
			continue;
		ssize_t n = read(fd, text, sizeof(text) - 1);
		close(fd);
		const char *rest = n > 0 ? strrchr(text, ')') : NULL;
		if (rest &&
		    sscanf(rest, ") %c %*d %d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &state,
		           &group, &user, &system) == 4 &&
		    group == r->weir)
			act(pid, user + system, state);
	}
	if (dir)
		closedir(dir);
}

static uint64_t ticks_of_all;

static void add_ticks(pid_t pid, uint64_t ticks, char state)
{
	(void)pid;
	(void)state;
	ticks_of_all += ticks;
}

static void show_process(pid_t pid, uint64_t ticks, char state)
{
	char path[PATH_SIZE], text[200] = "";

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	int fd = open(path, O_RDONLY);
	if (fd >= 0 && read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	if (fd >= 0)
		close(fd);
	printf("#   pid %d, state %c, %llu ticks, system call %s\n", (int)pid, state,
	       (unsigned long long)ticks, text[0] ? strtok(text, "\n") : "?");
}

static void kill_process(pid_t pid, uint64_t ticks, char state)
{
	(void)ticks;
	(void)state;
	kill(pid, SIGKILL);
}

/* Nobody ended: a tenth of the time or more on a processor is no sleep. */
static void tell_hang(struct run *r)
{
	ticks_of_all = 0;
	each_of_group(r, add_ticks);
	uint64_t before = ticks_of_all;
	nap_us(SAMPLE_MS * 1000);
	ticks_of_all = 0;
	each_of_group(r, add_ticks);
	bool loops =
	        (ticks_of_all - before) * 10 >= (uint64_t)sysconf(_SC_CLK_TCK) * SAMPLE_MS / 1000;
	r->failure = loops ? "loops" : "sleeps for ever";
	each_of_group(r, show_process);
}

static void wait_for_end(struct run *r)
{
	uint64_t until = now_ms() + END_MS_MAX;

	while (!all_have_gone(r)) {
		if (now_ms() > until) {
			tell_hang(r);
			each_of_group(r, kill_process);
			while (!all_have_gone(r))
				nap_us(1000);
			return;
		}
		nap_us(500);
	}
}

static bool has_bytes(const unsigned char *at, const unsigned char *end)
{
	while (at < end && *at == 0)
		at++;
	return at < end;
}

/* Only the pages that are there: to look at another would make it. */
static bool was_written(const struct run *r, off_t at, off_t end)
{
	const unsigned char *file = (const unsigned char *)r->session.header;

	while ((at = lseek(r->session_fd, at, SEEK_DATA)) >= 0 && at < end) {
		off_t hole = lseek(r->session_fd, at, SEEK_HOLE);
		if (has_bytes(file + at, file + (hole < end ? hole : end)))
			return true;
		at = hole;
	}
	return false;
}

/* Bytes in the part of a ring that a direction of that capacity has no use for. A page of
 * zeros there was read: when a thread ends, the kernel follows the links of its locks, which
 * are for the kernel alone, wherever a flipped one leads. */
static bool wrote_outside(const struct run *r)
{
	const struct weir_session *s = &r->session;
	uint64_t capacity = !strcmp(r->capacity, "208K") ? 208 << 10
	                    : !strcmp(r->capacity, "4K") ? 4096
	                                                 : 300;
	uint64_t size = weir_ring_mask_for(capacity + WEIR_ASIDE_SIZE, WEIR_RING_MIN_MASK) + 1;
	uint64_t rings = (uint64_t)(s->rings - (unsigned char *)s->header);

	for (uint64_t pair = 0; pair < s->slot_count; pair++) {
		uint64_t start = rings + pair * weir_rings_size(s->ring_span);
		uint64_t middle = start + weir_rings_middle(s->ring_span);
		uint64_t end = start + weir_rings_size(s->ring_span);
		if (was_written(r, (off_t)start, (off_t)(middle - size)) ||
		    was_written(r, (off_t)(middle + size), (off_t)end))
			return true;
	}
	return false;
}

static void read_text(struct run *r)
{
	ssize_t n = pread(r->output, r->text, sizeof(r->text) - 1, 0);

	r->text[n > 0 ? n : 0] = '\0';
	for (ssize_t i = 0; i < n; i++)
		if (!r->text[i])
			r->text[i] = '?';
}

static bool says(const struct run *r, const char *what)
{
	return strstr(r->text, what) != NULL;
}

static bool is_told(const struct run *r)
{
	return says(r, "weir: the session's memory is damaged");
}

static const char *failure_of(const struct run *r)
{
	int status = r->status;
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

	if (says(r, "AddressSanitizer") || says(r, "runtime error:"))
		return "a sanitizer found something";
	if (says(r, "glibc") || says(r, "stack smashing"))
		return "libc died";
	if (r->session_fd >= 0 && r->area != HEADER && wrote_outside(r)) /* it has the capacity */
		return "something was written outside of a ring";
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGABRT && is_told(r) ? NULL : "died of a signal";
	if (code == RIGHT || code == TOLD || (code == FAILED && is_told(r)))
		return NULL;
	if ((code == WRONG || code == SHORT) && r->bits >= MANY)
		return NULL;
	return code == WRONG   ? "wrong bytes"
	       : code == SHORT ? "bytes are missing"
	                       : "ended strangely";
}

/* The command must end by itself, whatever it finds. */
static void ask(struct run *r, const char *const words[])
{
	const char *all[WORDS_MAX] = {r->options->weir, "ctl", "--session"};
	char pid[16];
	int status, n = 4;

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	all[3] = pid;
	while (*words)
		all[n++] = *words++;
	pid_t child = fork();
	if (child == 0) {
		dup2(r->output, 1);
		dup2(r->output, 2);
		alarm(CTL_SECONDS_MAX);
		execv(all[0], (char **)all);
		_exit(127);
	}
	waitpid(child, &status, 0);
	if (!r->failure &&
	    (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != FAILED)))
		r->failure = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM
		                     ? "weir ctl does not end"
		                     : "weir ctl crashed";
}

static void ask_all(struct run *r)
{
	static const char *const questions[][4] = {
	        {"pairs"},
	        {"--json", "pairs"},
	        {"list"},
	        {"fault", "list"},
	        {"--json", "fault", "list"},
	        {"release"},
	        {"capacity", "1", "5000"},
	};

	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
		ask(r, questions[i]);
}

/* ---- telling ---- */

static const struct {
	const char *name;
	size_t at;
} places[] = {
#define PLACE(field)                                                                               \
	{                                                                                          \
#field, offsetof(struct weir_pipe, field)                                          \
	}
        PLACE(read_lock),     PLACE(reads),        PLACE(blocked_reads),  PLACE(rules_read),
        PLACE(head),          PLACE(head_again),   PLACE(read_alone),     PLACE(reset),
        PLACE(reader_cpu),    PLACE(reader_spins), PLACE(marker),         PLACE(reader_answers),
        PLACE(reader_gathers), PLACE(write_lock),
        PLACE(pending),       PLACE(bells),        PLACE(rules_write),    PLACE(tail),
        PLACE(tail_again),    PLACE(origin),       PLACE(shape),          PLACE(generation),
        PLACE(suspect),       PLACE(hand_over),    PLACE(reader_life),    PLACE(limit_given),
        PLACE(aside_owner),   PLACE(writes),       PLACE(blocked_writes), PLACE(max_buffered),
        PLACE(aside_used),    PLACE(aside_fd),     PLACE(write_alone),    PLACE(alone),
        PLACE(writer_cpu),    PLACE(writer_spins), PLACE(limit),          PLACE(mask),
        PLACE(writable_room), PLACE(wake_at),      PLACE(saturated),      PLACE(watch),
        PLACE(carrier),       PLACE(lowered),      PLACE(calm),           PLACE(sleepers),
        PLACE(aside),
};

static void tell_flip(const struct run *r, const struct flip *f)
{
	uint64_t slots =
	        (uint64_t)((const char *)r->session.slots - (const char *)r->session.header);
	uint64_t in_slot = (f->at - slots) % sizeof(struct weir_slot);
	uint64_t in_pipe = (in_slot - offsetof(struct weir_slot, pipe)) % sizeof(struct weir_pipe);
	size_t i = 0;

	printf("#   bit %u of byte %#llx", f->bit, (unsigned long long)f->at);
	if (r->area >= SLOTS && r->area < STATES && in_slot >= offsetof(struct weir_slot, pipe)) {
		for (size_t k = 1; k < sizeof(places) / sizeof(places[0]); k++)
			if (places[k].at <= in_pipe && places[k].at > places[i].at)
				i = k;
		printf(": %s + %zu of a pipe", places[i].name, (size_t)in_pipe - places[i].at);
	} else if (r->area == SLOTS) {
		printf(": %zu of a slot", (size_t)in_slot);
	}
	putchar('\n');
}

static void tell(const struct run *r)
{
	printf("%s seed %llu run %u: %s, %d bits of %s, capacity %s%s%s: %s\n",
	       r->failure ? "not ok" : "ok", (unsigned long long)r->options->seed, r->number,
	       r->mode, r->bits, area_names[r->area], r->capacity,
	       r->rule < sizeof(rules) / sizeof(rules[0]) ? ", " : "",
	       r->rule < sizeof(rules) / sizeof(rules[0]) ? rules[r->rule] : "",
	       r->failure                                               ? r->failure
	       : is_told(r)                                             ? "an abort that says why"
	       : WIFEXITED(r->status) && WEXITSTATUS(r->status) == TOLD ? "an errno"
	                                                                : "right");
	for (int i = 0; i < r->flipped && i < 8; i++)
		tell_flip(r, &r->flips[i]);
	if (r->failure)
		printf("# status %#x, and it was said:\n%s", (unsigned int)r->status, r->text);
	fflush(stdout);
}

static struct {
	uint32_t runs, failed, right, told_by_errno, told_by_abort, too_late;
} sum;

static void count(const struct run *r)
{
	sum.runs++;
	if (r->failure)
		sum.failed++;
	else if (r->flipped == 0)
		sum.too_late++;
	else if (is_told(r))
		sum.told_by_abort++;
	else if (WIFEXITED(r->status) && WEXITSTATUS(r->status) == TOLD)
		sum.told_by_errno++;
	else
		sum.right++;
}

static void run_once(const struct options *o, uint32_t number)
{
	static struct run r;

	r = (struct run){.options = o, .number = number, .session_fd = -1};
	r.random = (struct test_random){weir_draw(o->seed, number, 0, 0, 0, 0)};
	r.output = memfd_create("output", MFD_CLOEXEC);
	draw_run(&r);
	start(&r);
	damage(&r);
	wait_for_end(&r);
	read_text(&r);
	if (!r.failure)
		r.failure = failure_of(&r);
	if (r.session_fd >= 0)
		ask_all(&r);
	read_text(&r);
	count(&r);
	if (r.failure || o->verbose)
		tell(&r);
	if (r.session_fd >= 0) {
		weir_session_unmap(&r.session);
		close(r.session_fd);
	}
	close(r.output);
}

/* ---- the command line ---- */

static int place_of(const char *name, const char *const names[], size_t count_)
{
	for (size_t i = 0; i < count_; i++)
		if (!strcmp(names[i], name))
			return (int)i;
	fprintf(stderr, "damage: %s: no such name\n", name);
	exit(2);
}

static bool read_option(struct options *o, const char *name, const char *value)
{
	uint64_t number = value ? strtoull(value, NULL, 0) : 0;

	if (!strcmp(name, "--verbose") || !strcmp(name, "--stop")) {
		*(name[2] == 'v' ? &o->verbose : &o->stop) = true;
		return false;
	}
	if (!value)
		exit(2);
	if (!strcmp(name, "--seed"))
		o->seed = number;
	else if (!strcmp(name, "--runs"))
		o->runs = (uint32_t)number;
	else if (!strcmp(name, "--only"))
		o->only = (int64_t)number;
	else if (!strcmp(name, "--seconds"))
		o->seconds = (uint32_t)number;
	else if (!strcmp(name, "--bits"))
		o->bits = (int)number;
	else if (!strcmp(name, "--area"))
		o->area = place_of(value, area_names, AREAS);
	else if (!strcmp(name, "--mode"))
		o->mode = place_of(value, mode_names, sizeof(mode_names) / sizeof(mode_names[0]));
	else
		exit(2);
	return true;
}

int main(int argc, char **argv)
{
	struct options o = {.seed = os_now_ns() % 1000000000, .only = -1, .area = -1, .mode = -1};
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++)
		i += read_option(&o, argv[i], argv[i + 1]);
	if (argc - i != 2) {
		fprintf(stderr, "damage: WEIR and EXCHANGE are needed\n");
		return 2;
	}
	o.weir = argv[i];
	o.exchange = argv[i + 1];
	if (o.runs == 0)
		o.runs = o.seconds || o.only < 0 ? UINT32_MAX : 1;
	os_resolve();
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	uint64_t until = o.seconds ? now_ms() + o.seconds * UINT64_C(1000) : UINT64_MAX;
	for (uint32_t n = 0; n < o.runs && now_ms() < until && !(o.stop && sum.failed); n++)
		run_once(&o, o.only >= 0 ? (uint32_t)o.only : n);
	printf("# damage --seed %llu: %u runs: %u right, %u told by an errno, %u by an abort, "
	       "%u were over before, %u failed\n",
	       (unsigned long long)o.seed, sum.runs, sum.right, sum.told_by_errno,
	       sum.told_by_abort, sum.too_late, sum.failed);
	return sum.failed > 0 || sum.told_by_abort == 0;
}
