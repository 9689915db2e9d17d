#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test.h"

static struct weir_lock *shared_lock(void)
{
	struct weir_lock *lock =
	        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	weir_lock_make(lock);
	return lock;
}

static int end_of(pid_t child)
{
	int status;

	waitpid(child, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static void *try_it(void *lock)
{
	return (void *)(intptr_t)weir_lock_try(lock);
}

static int try_elsewhere(struct weir_lock *lock)
{
	pthread_t thread;
	void *result;

	pthread_create(&thread, NULL, try_it, lock);
	pthread_join(thread, &result);
	return (int)(intptr_t)result;
}

static void held_once(void)
{
	struct weir_lock *lock = shared_lock();

	CHECK_EQ(weir_lock_try(lock), 0);
	CHECK_EQ(weir_lock_owner(lock), getpid());
	CHECK_EQ(weir_lock_try(lock), -EDEADLK);
	CHECK_EQ(weir_lock_wait(lock), -EDEADLK);
	CHECK_EQ(try_elsewhere(lock), -EBUSY);
	weir_lock_release(lock);
	CHECK_EQ(weir_lock_owner(lock), 0);
	CHECK_EQ(try_elsewhere(lock), 0); /* by a thread that then ended */
	CHECK_EQ(weir_lock_try(lock), -EOWNERDEAD);
	weir_lock_release(lock);
	CHECK_EQ(weir_lock_try(lock), 0);
	weir_lock_release(lock);
}

/* The kernel tells who waits, long before it would look by itself. */
static void waits_for_a_process(void)
{
	struct weir_lock *lock = shared_lock();
	int ready[2];
	char byte;

	CHECK_EQ(pipe(ready), 0);
	for (int how = 0; how < 2; how++) {
		pid_t child = fork();
		if (child == 0) {
			int error = weir_lock_wait(lock);
			if (write(ready[1], "x", 1) != 1)
				_exit(1);
			usleep(30000);
			if (how)
				kill(getpid(), SIGKILL);
			weir_lock_release(lock);
			_exit(error ? 1 : 0);
		}
		CHECK_EQ(read(ready[0], &byte, 1), 1);
		CHECK_EQ(weir_lock_owner(lock), child);
		CHECK_EQ(weir_lock_wait(lock), how ? -EOWNERDEAD : 0);
		weir_lock_release(lock);
		CHECK_EQ(end_of(child), how ? SIGKILL : 0);
	}
}

enum { ROUNDS = 20000 };

static struct {
	struct weir_lock *lock;
	int *count;
} counting;

static void *count_up(void *unused)
{
	for (int i = 0; i < ROUNDS; i++) {
		if (weir_lock_wait(counting.lock) != 0)
			abort();
		++*counting.count;
		weir_lock_release(counting.lock);
	}
	return unused;
}

/* Of two processes with two threads each. */
static void excludes_all_others(void)
{
	pthread_t thread;

	counting.lock = shared_lock();
	counting.count = (int *)(void *)(counting.lock + 1);
	pid_t child = fork();
	pthread_create(&thread, NULL, count_up, NULL);
	count_up(NULL);
	pthread_join(thread, NULL);
	if (child == 0)
		_exit(0);
	CHECK_EQ(end_of(child), 0);
	CHECK_EQ(*counting.count, 4 * ROUNDS);
}

/* Robust mutexes of the program's in the same list, before and behind, and released in
 * any order. */
static void shares_the_list(void)
{
	static pthread_mutex_t mutex[2];
	pthread_mutexattr_t attr;
	struct weir_lock *lock = shared_lock();

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	for (int order = 0; order < 4; order++) {
		pthread_mutex_init(&mutex[0], &attr);
		pthread_mutex_init(&mutex[1], &attr);
		pthread_mutex_lock(&mutex[0]);
		CHECK_EQ(weir_lock_try(lock), 0);
		CHECK_EQ(weir_lock_try(lock + 1), 0);
		pthread_mutex_lock(&mutex[1]);
		if (order & 1)
			pthread_mutex_unlock(&mutex[1]);
		if (order & 2)
			pthread_mutex_unlock(&mutex[0]);
		weir_lock_release(lock + (order & 1));
		weir_lock_release(lock + !(order & 1));
		if (!(order & 1))
			pthread_mutex_unlock(&mutex[1]);
		if (!(order & 2))
			pthread_mutex_unlock(&mutex[0]);
	}
	CHECK_EQ(weir_lock_try(lock), 0);
	weir_lock_release(lock);
}

/* Where somebody wrote over a lock's links, only the kernel may be misled. */
static void links_are_not_followed(void)
{
	struct weir_lock *lock = shared_lock();
	pid_t child = fork();

	if (child == 0) {
		weir_lock_try(lock);
		weir_lock_try(lock + 1);
		lock[0].next = lock[0].previous = (void *)8;
		lock[1].next = lock[1].previous = (void *)24;
		weir_lock_release(lock + 1);
		weir_lock_release(lock);
		_exit(weir_lock_try(lock) == 0 ? 0 : 1);
	}
	CHECK_EQ(end_of(child), 0);
}

/* Each bit of the word: of a free lock, and of one that is held. 0: the lock did its
 * work all the same. */
static int end_with_flipped(unsigned int bit, bool held)
{
	struct weir_lock *lock = shared_lock();
	pid_t child = fork();

	if (child == 0) {
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		if (held)
			weir_lock_try(lock);
		atomic_fetch_xor(&lock->word, UINT64_C(1) << bit);
		if (!held)
			_exit(weir_lock_wait(lock) == 0 ? 0 : 1);
		weir_lock_release(lock);
		_exit(weir_lock_try(lock) == 0 ? 0 : 1);
	}
	int end = end_of(child);
	munmap(lock, 4096);
	return end;
}

static void damage_is_noticed(void)
{
	enum { WAITERS = 31 };

	for (unsigned int bit = 0; bit < 64; bit++) {
		CHECK_EQ(end_with_flipped(bit, false), SIGABRT);
		CHECK_EQ(end_with_flipped(bit, true), bit == WAITERS ? 0 : SIGABRT);
	}
}

static void *count_with(void *lock)
{
	uint32_t before = weir_lock_threads();

	if (weir_lock_try(lock) == 0)
		weir_lock_release(lock);
	if (weir_lock_try(lock) == 0)
		weir_lock_release(lock);
	return (void *)(uintptr_t)(weir_lock_threads() - before);
}

/* Of this process: each once, from its first lock to its end. */
static void threads_are_counted(void)
{
	struct weir_lock *lock = shared_lock();
	pthread_t other;
	void *added;

	count_with(lock);
	uint32_t before = weir_lock_threads();
	CHECK(before >= 1);
	CHECK_EQ((uintptr_t)count_with(lock), 0);
	CHECK_EQ(pthread_create(&other, NULL, count_with, lock), 0);
	CHECK_EQ(pthread_join(other, &added), 0);
	CHECK_EQ((uintptr_t)added, 1);
	CHECK_EQ(weir_lock_threads(), before);

	pid_t child = fork();
	if (child == 0) {
		CHECK_EQ(weir_lock_threads(), 0);
		CHECK_EQ((uintptr_t)count_with(lock), 1);
		CHECK_EQ((uintptr_t)count_with(lock), 0);
		_exit(0);
	}
	CHECK_EQ(end_of(child), 0);
	CHECK_EQ(weir_lock_threads(), before);
}

int main(void)
{
	RUN(held_once);
	RUN(threads_are_counted);
	RUN(waits_for_a_process);
	RUN(excludes_all_others);
	RUN(shares_the_list);
	RUN(links_are_not_followed);
	RUN(damage_is_noticed);
	return weir_test_end();
}
