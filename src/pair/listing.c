#include "pair/listing.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static size_t retired_count(const struct weir_session *s)
{
	uint64_t n = load64_acquire(&s->header->retired);

	return n < WEIR_RETIRED_MAX ? (size_t)n : WEIR_RETIRED_MAX;
}

static size_t touched_count(const struct weir_session *s)
{
	uint32_t n = doubled_glance(&s->header->slots_touched);

	return n < s->slot_count ? n : s->slot_count;
}

static void add(struct weir_listing *l, uint64_t number, uint32_t place)
{
	if (number != 0 && l->count < l->size_max)
		l->entry[l->count++] = (struct weir_listed){ number, place };
}

static void collect(struct weir_listing *l, const struct weir_session *s)
{
	size_t retired = retired_count(s), touched = touched_count(s);

	for (size_t i = 0; i < retired; i++)
		add(l, s->retired[i].number, (uint32_t)i);
	for (size_t i = 0; i < touched; i++)
		if (doubled_glance(&s->slots[i].state) == WEIR_SLOT_USED)
			add(l, s->slots[i].number, (uint32_t)(WEIR_RETIRED_MAX + i));
}

/* Moves entry `root` down until no child in [0, count) is greater. */
static void sift_down(struct weir_listed *entry, size_t root, size_t count)
{
	for (;;) {
		size_t child = root * 2 + 1;
		struct weir_listed moved = entry[root];

		if (child >= count)
			return;
		if (child + 1 < count && entry[child + 1].number > entry[child].number)
			child++;
		if (moved.number >= entry[child].number)
			return;
		entry[root] = entry[child];
		entry[child] = moved;
		root = child;
	}
}

/* Heap sort: in place, no recursion, never quadratic; qsort() may allocate. */
static void sort(struct weir_listed *entry, size_t count)
{
	for (size_t i = count / 2; i-- > 0;)
		sift_down(entry, i, count);
	for (size_t i = count; i-- > 1;) {
		struct weir_listed greatest = entry[0];

		entry[0] = entry[i];
		entry[i] = greatest;
		sift_down(entry, 0, i);
	}
}

/* A pair that was being closed stands in both places: once is enough. */
static void drop_doubles(struct weir_listing *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->count; i++)
		if (kept == 0 || l->entry[kept - 1].number != l->entry[i].number)
			l->entry[kept++] = l->entry[i];
	l->count = kept;
}

int weir_listing_make(struct weir_listing *l, const struct weir_session *s)
{
	size_t size_max = retired_count(s) + touched_count(s) + 1;
	void *pages = mmap(NULL, size_max * sizeof l->entry[0], PROT_READ | PROT_WRITE,
	                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		return -ENOMEM;
	*l = (struct weir_listing){ .entry = pages, .size_max = size_max };
	collect(l, s);
	sort(l->entry, l->count);
	drop_doubles(l);
	return 0;
}

void weir_listing_release(struct weir_listing *l)
{
	munmap(l->entry, l->size_max * sizeof l->entry[0]);
	*l = (struct weir_listing){ 0 };
}

static void copy_comm(char *to, const char *from)
{
	memcpy(to, from, WEIR_COMM_SIZE);
	to[WEIR_COMM_SIZE - 1] = '\0';
}

struct weir_pair_record weir_listing_record(const struct weir_listing *l,
                                            const struct weir_session *s, size_t i)
{
	uint32_t place = l->entry[i].place;
	struct weir_pair_record record = { .number = l->entry[i].number };

	if (place < WEIR_RETIRED_MAX) {
		const struct weir_retired *retired = &s->retired[place];

		record.pid = retired->pid;
		copy_comm(record.comm, retired->comm);
		record.pipe[0] = retired->pipe[0];
		record.pipe[1] = retired->pipe[1];
	} else {
		const struct weir_slot *slot = &s->slots[place - WEIR_RETIRED_MAX];

		record.pid = load32_relaxed(&slot->pid);
		copy_comm(record.comm, slot->comm);
		record.pipe[0] = weir_slot_stats(slot, 0);
		record.pipe[1] = weir_slot_stats(slot, 1);
	}
	return record;
}
