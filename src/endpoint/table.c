#include "endpoint/table.h"

#include <sys/syscall.h>

#include "base/os.h"
#include "pair/life.h"

weir_word64 weir_table[WEIR_TABLE_SIZE];
struct weir_session weir_session;
weir_word32 weir_own_life;

static weir_word32 references[WEIR_MAX_PAIRS_MAX][2];
static weir_word32 bound;

void weir_notice_place(bool left)
{
	struct weir_header *h = weir_session.header;

	if (h && (left || os_namespace("pid") != h->pid_namespace ||
	          os_namespace("net") != h->net_namespace))
		store32_release(&h->strangers, 1);
}

void weir_own_life_begins(void)
{
	weir_lock_forked();
	store32_relaxed(&weir_own_process, (uint32_t)os_call(SYS_getpid, 0, 0, 0, 0, 0, 0));
	if (!weir_session.header)
		return;
	weir_lock_strangers = &weir_session.header->strangers;
	store32_relaxed(&weir_own_life, weir_life_begin(&weir_session));
}

void weir_table_enter(int fd, uint32_t index, int side, uint32_t generation)
{
	weir_table_fresh(fd);
	add32_relaxed(&references[index][side], 1);
	raise32_relaxed(&bound, (uint32_t)fd + 1);
	if (load32_relaxed(&weir_session.slots[index].end[side].fd) == UINT32_MAX)
		store32_relaxed(&weir_session.slots[index].end[side].fd, (uint32_t)fd);
	store64_release(&weir_table[fd], weir_table_pack(index, side, generation));
}

void weir_table_enter_copy(int fd, const struct weir_end *end)
{
	weir_table_enter(fd, end->index, end->side, end->generation);
}

/* A number of the same end, or UINT32_MAX. */
static uint32_t another_number(uint64_t entry)
{
	uint32_t numbers = load32_relaxed(&bound);

	for (uint32_t fd = 0; fd < numbers; fd++)
		if (load64_relaxed(&weir_table[fd]) == entry)
			return fd;
	return UINT32_MAX;
}

bool weir_table_move(const struct weir_end *end, struct weir_end *moved)
{
	uint32_t fd = another_number(weir_table_pack(end->index, end->side, end->generation));

	if (fd == UINT32_MAX)
		return false;
	*moved = *end;
	moved->fd = (int)fd;
	return true;
}

bool weir_table_remove(int fd, struct weir_end *end)
{
	uint64_t entry = load64_acquire(&weir_table[fd]);
	bool last;

	if (entry == 0 || !swap64_if(&weir_table[fd], entry, 0))
		return false;
	*end = weir_table_unpack(entry, fd);
	last = add32_relaxed(&references[end->index][end->side], UINT32_MAX) == 1;
	if (load32_relaxed(&end->slot->end[end->side].fd) == (uint32_t)fd)
		store32_relaxed(&end->slot->end[end->side].fd,
		                last ? UINT32_MAX : another_number(entry));
	return last;
}

void weir_table_fresh(int fd)
{
	struct weir_end gone;

	if (__builtin_expect(weir_marked(fd), 0) && weir_table_remove(fd, &gone))
		weir_pair_release(&weir_session, gone.index, gone.side, gone.generation);
}

int weir_table_bound(void)
{
	return (int)load32_relaxed(&bound);
}

uint32_t weir_table_references(uint32_t index, int side)
{
	return load32_relaxed(&references[index][side]);
}

/* Each end once, however many descriptors this process has for it: at the first
 * of them. Numbers below may be many, but each look is one load. */
static void for_each_end(void (*act)(const struct weir_end *))
{
	static weir_word32 seen[WEIR_MAX_PAIRS_MAX][2];
	static weir_word32 round;
	uint32_t mark = add32_relaxed(&round, 1) + 1;

	for (int fd = 0; fd < weir_table_bound(); fd++) {
		struct weir_end end;
		if (!weir_end_of(fd, &end) ||
		    load32_relaxed(&seen[end.index][end.side]) == mark)
			continue;
		store32_relaxed(&seen[end.index][end.side], mark);
		act(&end);
	}
}

static void hold(const struct weir_end *end)
{
	weir_pair_hold(end->slot, end->side);
}

static void release(const struct weir_end *end)
{
	weir_pair_release(&weir_session, end->index, end->side, end->generation);
}

void weir_table_hold_for_child(void)
{
	for_each_end(hold);
}

void weir_table_release_for_child(void)
{
	for_each_end(release);
}
