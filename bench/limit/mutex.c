#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "carrier.h"
#include "common/common.h"

struct carrier {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	int waiting;
	size_t capacity, filled, first; /* `filled` bytes from index `first` */
	char bytes[];
};

static struct carrier *make(size_t capacity)
{
	struct carrier *ring = shared_memory(sizeof(*ring) + capacity);
	pthread_mutexattr_t mutex;
	pthread_condattr_t cond;

	pthread_mutexattr_init(&mutex);
	pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&ring->lock, &mutex);
	pthread_condattr_init(&cond);
	pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(&ring->moved, &cond);
	ring->capacity = capacity;
	return ring;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Waits while as many bytes are filled as make it impossible to go on. */
static void wait_while(struct carrier *ring, size_t filled)
{
	while (ring->filled == filled) {
		ring->waiting++;
		pthread_cond_wait(&ring->moved, &ring->lock);
		ring->waiting--;
	}
}

static void unlock(struct carrier *ring)
{
	int waiting = ring->waiting;

	pthread_mutex_unlock(&ring->lock);
	if (waiting)
		pthread_cond_signal(&ring->moved);
}

static size_t put(struct carrier *ring, const char *bytes, size_t count)
{
	pthread_mutex_lock(&ring->lock);
	wait_while(ring, ring->capacity);
	size_t n = least(count, ring->capacity - ring->filled);
	size_t index = (ring->first + ring->filled) % ring->capacity;
	size_t first = least(n, ring->capacity - index);

	memcpy(ring->bytes + index, bytes, first);
	memcpy(ring->bytes, bytes + first, n - first);
	ring->filled += n;
	unlock(ring);
	return n;
}

static size_t take(struct carrier *ring, char *bytes, size_t count)
{
	pthread_mutex_lock(&ring->lock);
	wait_while(ring, 0);
	size_t n = least(count, ring->filled);
	size_t first = least(n, ring->capacity - ring->first);

	memcpy(bytes, ring->bytes + ring->first, first);
	memcpy(bytes + first, ring->bytes, n - first);
	ring->filled -= n;
	ring->first = ring->filled ? (ring->first + n) % ring->capacity : 0;
	unlock(ring);
	return n;
}

const struct carrier_type mutex_ring = {"mutex", make, put, take};
