/* weir ctl list, pairs: what is there. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/message.h"
#include "base/os.h"
#include "base/proc.h"
#include "cli/ctl.h"
#include "cli/status.h"

enum { NAME_SIZE = 64 };

static int printed(void)
{
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : WEIR_EXIT_FAILED;
}

static bool first;                  /* of a list in JSON */

/* ---- sessions ---- */

static uint32_t open_pairs(void)
{
	uint32_t touched = load32_acquire(&weir_session.header->slots_touched), count = 0;

	for (uint32_t i = 0; i < touched && i < weir_session.slot_count; i++)
		count += load32_acquire(&weir_session.slots[i].state) == WEIR_SLOT_USED;
	return count;
}

static void show_session(const struct weir_ctl *c, const struct weir_found_session *s)
{
	char path[NAME_SIZE], name[NAME_SIZE];

	snprintf(path, sizeof path, "/proc/%u/fd/%u", s->pid, s->fd);
	proc_name(s->pid, name, sizeof name);
	int error = weir_session_attach(&weir_session, path);
	if (error) {
		if (!c->json)
			printf("%-10u %-16s %s\n", s->pid, name, weir_session_fault(error));
		return;
	}
	if (c->json) {
		printf("%s{\"pid\":%u,\"name\":", first ? "" : ",", s->pid);
		first = false;
		weir_ctl_json_text(name);
		printf(",\"pairs\":%" PRIu64 ",\"open\":%u,\"rules\":%u}",
		       load64_relaxed(&weir_session.header->pairs), open_pairs(),
		       load32_relaxed(&weir_session.plan->count));
	} else {
		printf("%-10u %-16s %8u %8" PRIu64 " %6u\n", s->pid, name, open_pairs(),
		       load64_relaxed(&weir_session.header->pairs),
		       load32_relaxed(&weir_session.plan->count));
	}
	weir_session_unmap(&weir_session);
}

int weir_ctl_list(struct weir_ctl *c)
{
	static struct weir_found_session found[WEIR_SESSIONS_MAX];
	size_t count = weir_sessions_find(found);

	first = true;
	if (c->json)
		fputs("{\"sessions\":[", stdout);
	else
		printf("%-10s %-16s %8s %8s %6s\n", "SESSION", "HELD BY", "OPEN", "EVER", "RULES");
	for (size_t i = 0; i < count; i++)
		show_session(c, &found[i]);
	if (c->json)
		puts("]}");
	return printed();
}

/* ---- pairs ---- */

struct numbered {
	uint64_t number;
	uint32_t index;
};

static int by_number(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

void weir_ctl_each_pair(void (*act)(struct weir_ctl *c, uint32_t index), struct weir_ctl *c)
{
	uint32_t touched = load32_acquire(&weir_session.header->slots_touched), count = 0;
	struct numbered *all = calloc(touched + 1U, sizeof *all);

	if (!all) {
		weir_say("ctl: no memory");
		return;
	}
	for (uint32_t i = 0; i < touched && i < weir_session.slot_count; i++)
		if (load32_acquire(&weir_session.slots[i].state) == WEIR_SLOT_USED)
			all[count++] = (struct numbered){ weir_session.slots[i].number, i };
	qsort(all, count, sizeof *all, by_number);
	for (uint32_t i = 0; i < count; i++)
		act(c, all[i].index);
	free(all);
}

static bool thread_lives(uint32_t pid, uint32_t tid)
{
	char path[NAME_SIZE];

	snprintf(path, sizeof path, "/proc/%u/task/%u", pid, tid);
	return os_call(SYS_access, (long)path, 0, 0, 0, 0, 0) == 0;
}

/* Calls `act` for each thread that sleeps in a direction. */
static void each_sleeper(const struct weir_pipe *pipe,
                         void (*act)(const struct weir_pipe *pipe, int op,
                                     const struct weir_sleeper *s))
{
	for (int i = 0; i < 2 * WEIR_SLEEPERS_MAX; i++) {
		const struct weir_sleeper *s =
			&pipe->sleepers[i / WEIR_SLEEPERS_MAX][i % WEIR_SLEEPERS_MAX];
		uint32_t tid = load32_acquire(&s->tid);
		if (tid && thread_lives(load32_relaxed(&s->pid), tid))
			act(pipe, i / WEIR_SLEEPERS_MAX, s);
	}
}

static double seconds_since(uint64_t ns)
{
	return (double)(os_now_ns() - ns) / 1e9;
}

static void print_sleeper(const struct weir_pipe *pipe, int op, const struct weir_sleeper *s)
{
	char name[NAME_SIZE];

	(void)pipe;
	proc_name(load32_relaxed(&s->pid), name, sizeof name);
	printf("\n        pid %u (%s), descriptor %u, waits to %s for %.1f s",
	       load32_relaxed(&s->pid), name, load32_relaxed(&s->fd), op ? "write" : "read",
	       seconds_since(load64_relaxed(&s->since)));
}

static bool first_sleeper;

static void print_sleeper_json(const struct weir_pipe *pipe, int op, const struct weir_sleeper *s)
{
	(void)pipe;
	printf("%s{\"op\":\"%s\",\"pid\":%u,\"tid\":%u,\"fd\":%u,\"seconds\":%.3f}",
	       first_sleeper ? "" : ",", op ? "write" : "read", load32_relaxed(&s->pid),
	       load32_relaxed(&s->tid), load32_relaxed(&s->fd),
	       seconds_since(load64_relaxed(&s->since)));
	first_sleeper = false;
}

static bool is_stalled(uint32_t index, int side, int op)
{
	const struct weir_fault_state *s = weir_pair_fault_state(&weir_session, index, side, op);

	return load64_relaxed(&s->held) == UINT64_MAX;
}

static void show_direction(uint32_t index, int direction)
{
	const struct weir_pipe *pipe = &weir_session.slots[index].pipe[direction];
	struct weir_pipe_stats stats = weir_slot_stats(&weir_session.slots[index], direction);

	printf("\n    %s: %" PRIu64 " of %" PRIu64 " bytes%s%s%s", direction ? "b to a" : "a to b",
	       stats.bytes_written - stats.bytes_read, stats.capacity,
	       load32_relaxed(&pipe->carrier) == WEIR_BY_RING ? "" : ", carried by the kernel",
	       is_stalled(index, direction, 1) ? ", its writer stalled" : "",
	       is_stalled(index, !direction, 0) ? ", its reader stalled" : "");
	each_sleeper(pipe, print_sleeper);
}

static void show_direction_json(uint32_t index, int direction)
{
	const struct weir_pipe *pipe = &weir_session.slots[index].pipe[direction];
	struct weir_pipe_stats stats = weir_slot_stats(&weir_session.slots[index], direction);

	printf(",\"%s\":{\"capacity\":%" PRIu64 ",\"buffered\":%" PRIu64
	       ",\"by_kernel\":%s,\"writer_stalled\":%s,\"reader_stalled\":%s,\"blocked\":[",
	       direction ? "b_to_a" : "a_to_b", stats.capacity,
	       stats.bytes_written - stats.bytes_read,
	       load32_relaxed(&pipe->carrier) == WEIR_BY_RING ? "false" : "true",
	       is_stalled(index, direction, 1) ? "true" : "false",
	       is_stalled(index, !direction, 0) ? "true" : "false");
	first_sleeper = true;
	each_sleeper(pipe, print_sleeper_json);
	fputs("]}", stdout);
}

static void show_pair(struct weir_ctl *c, uint32_t index)
{
	const struct weir_slot *slot = &weir_session.slots[index];
	char comm[WEIR_COMM_SIZE + 1] = "";

	memcpy(comm, slot->comm, WEIR_COMM_SIZE);
	if (c->json) {
		printf("%s{\"number\":%" PRIu64 ",\"pid\":%u,\"comm\":", first ? "" : ",",
		       slot->number, load32_relaxed(&slot->pid));
		weir_ctl_json_text(comm);
		printf(",\"holders\":{\"a\":%u,\"b\":%u}", load32_relaxed(&slot->end[0].holders),
		       load32_relaxed(&slot->end[1].holders));
		show_direction_json(index, 0);
		show_direction_json(index, 1);
		putchar('}');
	} else {
		printf("pair %" PRIu64 ", made by pid %u (%s), held by %u and %u processes",
		       slot->number, load32_relaxed(&slot->pid), comm,
		       load32_relaxed(&slot->end[0].holders),
		       load32_relaxed(&slot->end[1].holders));
		show_direction(index, 0);
		show_direction(index, 1);
		putchar('\n');
	}
	first = false;
}

int weir_ctl_pairs(struct weir_ctl *c)
{
	first = true;
	if (c->json)
		printf("{\"session\":%u,\"pairs\":[", c->session.pid);
	weir_ctl_each_pair(show_pair, c);
	if (c->json)
		puts("]}");
	return printed();
}
