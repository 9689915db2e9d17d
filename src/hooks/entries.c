#include "hooks/entries.h"

enum { BUCKETS = 65536 };

struct weir_entry weir_entries[WEIR_ENTRIES_MAX];
weir_word32 weir_entries_bound;

/* Which descriptor was entered with what: the last one of each bucket, and how many. */
static struct {
	weir_word32 count;
	weir_word32 fd;
} buckets[BUCKETS];

/* Data are descriptors, small numbers or addresses: multiplied, their upper bits differ. */
static uint32_t bucket_of(uint32_t set, uint64_t data)
{
	uint64_t key = data + set * UINT64_C(0x2545f4914f6cdd1d);

	return (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 48);
}

void weir_entry_forget(int fd)
{
	struct weir_entry *e = &weir_entries[fd];
	uint32_t set = load32_acquire(&e->set);

	if (set == 0 || !swap32_if(&e->set, set, 0))
		return;
	add32_relaxed(&buckets[bucket_of(set, load64_relaxed(&e->data))].count, UINT32_MAX);
	store32_relaxed(&e->known, 0);
	store32_relaxed(&e->leftover, 0);
}

void weir_entry_note(int epfd, int fd, const struct epoll_event *event)
{
	if (fd < 0 || fd >= WEIR_ENTRIES_MAX)
		return;
	struct weir_entry *e = &weir_entries[fd];
	uint32_t set = (uint32_t)epfd + 1, at = bucket_of(set, event->data.u64);
	weir_entry_forget(fd);
	store64_relaxed(&e->data, event->data.u64);
	store64_relaxed(&e->whose, fd < WEIR_TABLE_SIZE ? load64_relaxed(&weir_table[fd]) : 0);
	store32_relaxed(&e->waiter.events, event->events);
	raise32_relaxed(&weir_entries_bound, (uint32_t)fd + 1);
	add32_relaxed(&buckets[at].count, 1);
	store32_relaxed(&buckets[at].fd, (uint32_t)fd);
	store32_release(&e->set, set);
}

static bool is_of(int fd, int epfd, uint64_t data)
{
	return weir_is_entered_in(fd, epfd) && load64_relaxed(&weir_entries[fd].data) == data;
}

int weir_entry_find(int epfd, uint64_t data)
{
	uint32_t at = bucket_of((uint32_t)epfd + 1, data);
	int fd = (int)load32_relaxed(&buckets[at].fd);

	if (load32_relaxed(&buckets[at].count) == 0)
		return -1;
	if (is_of(fd, epfd, data))
		return fd;
	for (fd = 0; fd < (int)load32_relaxed(&weir_entries_bound); fd++)
		if (is_of(fd, epfd, data))
			return fd;
	return -1;
}
