/* A ring under one mutex, for threads and processes; whoever has to wait sleeps. */
#include <pthread.h>
#include <string.h>

#include "common/rings.h"

struct ring {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	int waiting;
	size_t capacity, filled, first;     /* `filled` bytes from index `first` */
	char bytes[];
};

static struct ring *make_ring(const struct request *r, size_t capacity)
{
	struct ring *ring = shared_memory(sizeof(*ring) + capacity);
	pthread_mutexattr_t mutex;
	pthread_condattr_t cond;

	(void)r;
	pthread_mutexattr_init(&mutex);
	pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&ring->lock, &mutex);
	pthread_condattr_init(&cond);
	pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(&ring->moved, &cond);
	ring->capacity = capacity;
	return ring;
}

/* Waits for as long as so many bytes are filled that the caller cannot go on. */
static void wait_while(struct ring *ring, size_t filled)
{
	while (ring->filled == filled) {
		ring->waiting++;
		pthread_cond_wait(&ring->moved, &ring->lock);
		ring->waiting--;
	}
}

static void unlock(struct ring *ring)
{
	int waiting = ring->waiting;

	pthread_mutex_unlock(&ring->lock);
	if (waiting)
		pthread_cond_signal(&ring->moved);
}

size_t send_some(struct end *end, const char *bytes, size_t count)
{
	struct ring *ring = end->out;

	pthread_mutex_lock(&ring->lock);
	wait_while(ring, ring->capacity);
	size_t n = least(count, ring->capacity - ring->filled);
	size_t index = (ring->first + ring->filled) % ring->capacity;
	size_t first = least(n, ring->capacity - index);

	memcpy(ring->bytes + index, bytes, first);
	if (n > first)
		memcpy(ring->bytes, bytes + first, n - first);
	ring->filled += n;
	unlock(ring);
	return n;
}

size_t receive_some(struct end *end, char *bytes, size_t count)
{
	struct ring *ring = end->in;

	pthread_mutex_lock(&ring->lock);
	wait_while(ring, 0);
	size_t n = least(count, ring->filled);
	size_t first = least(n, ring->capacity - ring->first);

	memcpy(bytes, ring->bytes + ring->first, first);
	if (n > first)
		memcpy(bytes + first, ring->bytes, n - first);
	ring->filled -= n;
	ring->first = ring->filled ? (ring->first + n) % ring->capacity : 0;
	unlock(ring);
	return n;
}

int main(int argc, char **argv)
{
	static const char *const carriers[] = { "mutex", NULL };
	static const struct workload workloads[] = {
		{ "write-read", TAKES_BYTES, write_read },
		{ "ping-pong", TAKES_BYTES | TAKES_PEER | TAKES_WAIT, ping_pong },
		{ "stream", TAKES_BYTES | TAKES_PEER | TAKES_WAIT, stream },
		{ "sleeper", TAKES_PEER | TAKES_WAIT, sleeper },
		{ NULL, 0, NULL },
	};

	(void)argc;
	return bench_main(argv, workloads, carriers);
}
