/* The other side of a workload: a thread, or a process made by fork. */
#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

struct peer {
	const struct request *request;
	void (*play)(void *context);
	void *context;
	pthread_t thread;
	pid_t process;
	long long cpu_ns;           /* of the process */
	struct tally tally;
};

static struct peer *only; /* shared: a workload has one peer at most */

struct tally peer_tally(void)
{
	return only ? only->tally : (struct tally){ 0 };
}

static void *run(void *argument)
{
	struct peer *peer = argument;

	struct span begin;

	tally = (struct tally){ 0 };  /* a process starts with a copy of its parent's */
	pin(peer->request->cpus - 1);
	begin = span_begin();
	peer->play(peer->context);
	peer->cpu_ns = span_end(begin).cpu_ns;
	peer->tally = tally;
	return NULL;
}

struct peer *peer_start(const struct request *r, void (*play)(void *context), void *context)
{
	pin(r->cpus - 1);           /* says so here if there is no such CPU */
	pin(0);
	only = shared_memory(sizeof(*only));
	*only = (struct peer){ .request = r, .play = play, .context = context };
	if (!r->processes) {
		errno = pthread_create(&only->thread, NULL, run, only);
		if (errno != 0)
			fail("pthread_create");
		return only;
	}
	pid_t child = fork();

	if (child < 0)
		fail("fork");
	if (child == 0) {
		run(only);
		_exit(0);
	}
	only->process = child;
	return only;
}

void peer_join(struct peer *peer, struct span *span)
{
	int status = 0;

	if (!peer->request->processes) {
		errno = pthread_join(peer->thread, NULL);
		if (errno != 0)
			fail("pthread_join");
		return;
	}
	if (waitpid(peer->process, &status, 0) != peer->process || status != 0) {
		errno = ECANCELED;
		fail("the other process");
	}
	span->cpu_ns += peer->cpu_ns;
}
