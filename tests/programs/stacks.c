/* Every hooked name, called on a thread with the smallest stack there is.
 *
 *	stacks                each in turn: `NAME ok`
 *	stacks --list         the names
 *
 * Each call gets a pair of its own with bytes to read at both ends. What it gives is
 * looked at only as far as it shows that the call was made; other tests look closer.
 */
#define _GNU_SOURCE
#include <aio.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAITING = 32, HIGH = 1000 };

extern char **environ;

/* What compilers call in place of others; no header declares all of them. */
ssize_t __read_chk(int, void *, size_t, size_t);
ssize_t __recv_chk(int, void *, size_t, size_t, int);
ssize_t __recvfrom_chk(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *);
int __poll_chk(struct pollfd *, nfds_t, int, size_t);
int __ppoll_chk(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *, size_t);
int __open_2(const char *, int);
int __open64_2(const char *, int);
int __openat_2(int, const char *, int);
int __openat64_2(int, const char *, int);
int __vdprintf_chk(int, int, const char *, va_list);
int __dprintf_chk(int, int, const char *, ...);
int __sigaction(int, const struct sigaction *, struct sigaction *);
sighandler_t bsd_signal(int, sighandler_t);

/* Deprecated, and hooked all the same. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static int a, b; /* a pair */
static char bytes[WAITING * 4];
static char folder[PATH_MAX], file[PATH_MAX + 16];
static struct iovec iov = {bytes, 8};
static struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
static struct mmsghdr messages[2];
static char *const true_words[] = {(char *)"true", NULL};

#define EACH_NAME(NAME) static int call_##NAME(void)

/* ---- receiving and sending ---- */

EACH_NAME(read)
{
	return read(a, bytes, 8) == 8;
}
EACH_NAME(__read_chk)
{
	return __read_chk(a, bytes, 8, sizeof(bytes)) == 8;
}
EACH_NAME(readv)
{
	return readv(a, &iov, 1) == 8;
}
EACH_NAME(preadv2)
{
	return preadv2(a, &iov, 1, -1, 0) == 8;
}
EACH_NAME(preadv64v2)
{
	return preadv64v2(a, &iov, 1, -1, 0) == 8;
}
EACH_NAME(recv)
{
	return recv(a, bytes, 8, 0) == 8;
}
EACH_NAME(__recv_chk)
{
	return __recv_chk(a, bytes, 8, sizeof(bytes), 0) == 8;
}
EACH_NAME(recvfrom)
{
	return recvfrom(a, bytes, 8, 0, NULL, NULL) == 8;
}
EACH_NAME(__recvfrom_chk)
{
	return __recvfrom_chk(a, bytes, 8, sizeof(bytes), 0, NULL, NULL) == 8;
}
EACH_NAME(recvmsg)
{
	return recvmsg(a, &message, 0) == 8;
}
EACH_NAME(recvmmsg)
{
	return recvmmsg(a, messages, 2, 0, NULL) == 2;
}
EACH_NAME(write)
{
	return write(a, bytes, 8) == 8;
}
EACH_NAME(writev)
{
	return writev(a, &iov, 1) == 8;
}
EACH_NAME(pwritev2)
{
	return pwritev2(a, &iov, 1, -1, 0) == 8;
}
EACH_NAME(pwritev64v2)
{
	return pwritev64v2(a, &iov, 1, -1, 0) == 8;
}
EACH_NAME(send)
{
	return send(a, bytes, 8, 0) == 8;
}
EACH_NAME(sendto)
{
	return sendto(a, bytes, 8, 0, NULL, 0) == 8;
}
EACH_NAME(sendmsg)
{
	return sendmsg(a, &message, 0) == 8;
}
EACH_NAME(sendmmsg)
{
	return sendmmsg(a, messages, 2, 0) == 2;
}

static int open_file(void)
{
	return open(file, O_RDWR | O_CREAT, 0600);
}

EACH_NAME(sendfile)
{
	off_t at = 0;
	return sendfile(a, open_file(), &at, 8) == 8;
}
EACH_NAME(sendfile64)
{
	off64_t at = 0;
	return sendfile64(a, open_file(), &at, 8) == 8;
}
EACH_NAME(splice)
{
	int through[2];
	return pipe(through) == 0 && splice(a, NULL, through[1], NULL, 8, 0) == 8;
}

/* ---- waiting ---- */

EACH_NAME(poll)
{
	struct pollfd p = {.fd = a, .events = POLLIN | POLLOUT};
	return poll(&p, 1, 1000) == 1;
}
EACH_NAME(__poll_chk)
{
	struct pollfd p = {.fd = a, .events = POLLIN | POLLOUT};
	return __poll_chk(&p, 1, 1000, sizeof(p)) == 1;
}
EACH_NAME(ppoll)
{
	struct pollfd p = {.fd = a, .events = POLLIN | POLLOUT};
	return ppoll(&p, 1, NULL, NULL) == 1;
}
EACH_NAME(__ppoll_chk)
{
	struct pollfd p = {.fd = a, .events = POLLIN | POLLOUT};
	return __ppoll_chk(&p, 1, NULL, NULL, sizeof(p)) == 1;
}
EACH_NAME(select)
{
	fd_set in, out;
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(a, &in);
	FD_SET(b, &out);
	return select(b + 1, &in, &out, NULL, NULL) == 2;
}
EACH_NAME(pselect)
{
	fd_set in;
	FD_ZERO(&in);
	FD_SET(a, &in);
	return pselect(a + 1, &in, NULL, NULL, NULL, NULL) == 1;
}

static int watch(void)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
	int set = epoll_create1(0);
	return epoll_ctl(set, EPOLL_CTL_ADD, a, &event) == 0 ? set : -1;
}

EACH_NAME(epoll_ctl)
{
	return watch() >= 0;
}
EACH_NAME(epoll_wait)
{
	struct epoll_event events[16];
	return epoll_wait(watch(), events, 16, 1000) == 1;
}
EACH_NAME(epoll_pwait)
{
	struct epoll_event events[16];
	return epoll_pwait(watch(), events, 16, 1000, NULL) == 1;
}
EACH_NAME(epoll_pwait2)
{
	struct epoll_event events[16];
	return epoll_pwait2(watch(), events, 16, NULL, NULL) == 1;
}

/* ---- making descriptors ---- */

EACH_NAME(socketpair)
{
	int sv[2];
	return socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == 0;
}
EACH_NAME(socket)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
}

static int listening(struct sockaddr *address, socklen_t *size)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), other = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr any = {.sa_family = AF_UNIX}; /* an abstract name of the kernel's */
	if (bind(fd, &any, sizeof(any.sa_family)) != 0)
		return -1;
	if (getsockname(fd, address, size) != 0 || listen(fd, 1) != 0 ||
	    connect(other, address, *size) != 0)
		return -1;
	return fd;
}

EACH_NAME(accept)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	return accept(listening((void *)&address, &size), NULL, NULL) >= 0;
}
EACH_NAME(accept4)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	return accept4(listening((void *)&address, &size), NULL, NULL, 0) >= 0;
}
EACH_NAME(pipe)
{
	int fds[2];
	return pipe(fds) == 0;
}
EACH_NAME(pipe2)
{
	int fds[2];
	return pipe2(fds, O_CLOEXEC) == 0;
}
EACH_NAME(open)
{
	return open("/dev/null", O_RDONLY) >= 0;
}
EACH_NAME(open64)
{
	return open64("/dev/null", O_RDONLY) >= 0;
}
EACH_NAME(__open_2)
{
	return __open_2("/dev/null", O_RDONLY) >= 0;
}
EACH_NAME(__open64_2)
{
	return __open64_2("/dev/null", O_RDONLY) >= 0;
}
EACH_NAME(openat)
{
	return openat(AT_FDCWD, "/dev/null", O_RDONLY) >= 0;
}
EACH_NAME(openat64)
{
	return openat64(AT_FDCWD, "/dev/null", O_RDONLY) >= 0;
}
EACH_NAME(__openat_2)
{
	return __openat_2(AT_FDCWD, "/dev/null", O_RDONLY) >= 0;
}
EACH_NAME(__openat64_2)
{
	return __openat64_2(AT_FDCWD, "/dev/null", O_RDONLY) >= 0;
}
EACH_NAME(creat)
{
	return creat("/dev/null", 0600) >= 0;
}
EACH_NAME(creat64)
{
	return creat64("/dev/null", 0600) >= 0;
}
EACH_NAME(eventfd)
{
	return eventfd(0, 0) >= 0;
}
EACH_NAME(epoll_create)
{
	return epoll_create(1) >= 0;
}
EACH_NAME(epoll_create1)
{
	return epoll_create1(0) >= 0;
}
EACH_NAME(signalfd)
{
	sigset_t none;
	sigemptyset(&none);
	return signalfd(-1, &none, 0) >= 0;
}
EACH_NAME(timerfd_create)
{
	return timerfd_create(CLOCK_MONOTONIC, 0) >= 0;
}
EACH_NAME(inotify_init)
{
	return inotify_init() >= 0;
}
EACH_NAME(inotify_init1)
{
	return inotify_init1(0) >= 0;
}
EACH_NAME(memfd_create)
{
	return memfd_create("stacks", 0) >= 0;
}

/* A name that does not exist yet. */
static char *fresh(void)
{
	snprintf(file, sizeof(file), "%s/XXXXXX", folder);
	return file;
}

EACH_NAME(mkstemp)
{
	return mkstemp(fresh()) >= 0;
}
EACH_NAME(mkstemp64)
{
	return mkstemp64(fresh()) >= 0;
}
EACH_NAME(mkostemp)
{
	return mkostemp(fresh(), O_CLOEXEC) >= 0;
}
EACH_NAME(mkostemp64)
{
	return mkostemp64(fresh(), O_CLOEXEC) >= 0;
}
EACH_NAME(pidfd_open)
{
	return pidfd_open(getpid(), 0) >= 0;
}
EACH_NAME(pidfd_getfd)
{
	return pidfd_getfd(pidfd_open(getpid(), 0), a, 0) >= 0 || errno == EPERM;
}

/* ---- ending, copying, asking ---- */

EACH_NAME(close)
{
	return close(a) == 0;
}
EACH_NAME(close_range)
{
	return dup2(a, HIGH) == HIGH && close_range(HIGH, HIGH + 1, 0) == 0;
}
EACH_NAME(closefrom)
{
	closefrom(HIGH);
	return dup2(a, HIGH) == HIGH;
}
EACH_NAME(shutdown)
{
	return shutdown(a, SHUT_WR) == 0;
}
EACH_NAME(dup)
{
	return dup(a) >= 0;
}
EACH_NAME(dup2)
{
	return dup2(a, HIGH) == HIGH;
}
EACH_NAME(dup3)
{
	return dup3(a, HIGH, O_CLOEXEC) == HIGH;
}
EACH_NAME(fcntl)
{
	return fcntl(a, F_SETFL, O_NONBLOCK) == 0;
}
EACH_NAME(fcntl64)
{
	return fcntl64(a, F_DUPFD, 20) >= 20;
}
EACH_NAME(ioctl)
{
	int n = 0;
	return ioctl(a, FIONREAD, &n) == 0 && n == WAITING;
}
EACH_NAME(getsockopt)
{
	int n = 0;
	socklen_t size = sizeof(n);
	return getsockopt(a, SOL_SOCKET, SO_SNDBUF, &n, &size) == 0;
}
EACH_NAME(setsockopt)
{
	int n = 9000;
	return setsockopt(a, SOL_SOCKET, SO_SNDBUF, &n, sizeof(n)) == 0;
}
EACH_NAME(sockatmark)
{
	return sockatmark(a) >= 0;
}

/* ---- processes ---- */

static int child_ends_well(pid_t pid)
{
	int status = 1;
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* `act` does not come back. */
static int in_child(void (*act)(void))
{
	pid_t pid = fork();
	if (pid == 0) {
		act();
		syscall(SYS_exit_group, 1);
	}
	return child_ends_well(pid);
}

static void leave(void)
{
	_exit(0);
}

static void leave_too(void)
{
	_Exit(0);
}

EACH_NAME(fork)
{
	return in_child(leave);
}
EACH_NAME(_Fork)
{
	pid_t pid = _Fork();
	if (pid == 0)
		_exit(0);
	return child_ends_well(pid);
}
EACH_NAME(vfork)
{
	pid_t pid = vfork();
	if (pid == 0)
		_exit(0);
	return child_ends_well(pid);
}
EACH_NAME(prctl)
{
	return prctl(PR_GET_DUMPABLE) >= 0;
}
EACH_NAME(pthread_setname_np)
{
	return pthread_setname_np(pthread_self(), "stacks") == 0;
}

static void *rest(void *argument)
{
	pause();
	return argument;
}
EACH_NAME(pthread_cancel)
{
	pthread_t thread;
	void *result;
	return pthread_create(&thread, NULL, rest, NULL) == 0 && pthread_cancel(thread) == 0 &&
	       pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED;
}

/* ---- handlers, each of which runs here, too ---- */

static volatile sig_atomic_t handled;

static void handle(int number)
{
	char byte;
	handled = read(a, &byte, 1) == 1 && number == SIGUSR1;
}

static int is_handled(void)
{
	handled = 0;
	return raise(SIGUSR1) == 0 && handled;
}

EACH_NAME(sigaction)
{
	struct sigaction action = {.sa_handler = handle}, old;
	return sigaction(SIGUSR1, &action, &old) == 0 && is_handled();
}
EACH_NAME(__sigaction)
{
	struct sigaction action = {.sa_handler = handle}, old;
	return __sigaction(SIGUSR1, &action, &old) == 0 && is_handled();
}
EACH_NAME(signal)
{
	return signal(SIGUSR1, handle) != SIG_ERR && is_handled();
}
EACH_NAME(bsd_signal)
{
	return bsd_signal(SIGUSR1, handle) != SIG_ERR && is_handled();
}
EACH_NAME(ssignal)
{
	return ssignal(SIGUSR1, handle) != SIG_ERR && is_handled();
}
EACH_NAME(sysv_signal)
{
	return sysv_signal(SIGUSR1, handle) != SIG_ERR && is_handled();
}
EACH_NAME(__sysv_signal)
{
	return __sysv_signal(SIGUSR1, handle) != SIG_ERR && is_handled();
}
EACH_NAME(sigset)
{
	return sigset(SIGUSR1, handle) != SIG_ERR && is_handled();
}
EACH_NAME(siginterrupt)
{
	return signal(SIGUSR1, handle) != SIG_ERR && siginterrupt(SIGUSR1, 1) == 0 && is_handled();
}

static pid_t start(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	return pid;
}

EACH_NAME(wait)
{
	pid_t pid = start();
	return wait(NULL) == pid;
}
EACH_NAME(waitpid)
{
	pid_t pid = start();
	return waitpid(pid, NULL, 0) == pid;
}
EACH_NAME(wait3)
{
	pid_t pid = start();
	return wait3(NULL, 0, NULL) == pid;
}
EACH_NAME(wait4)
{
	pid_t pid = start();
	return wait4(pid, NULL, 0, NULL) == pid;
}
EACH_NAME(waitid)
{
	siginfo_t info;
	return waitid(P_PID, (id_t)start(), &info, WEXITED) == 0;
}
EACH_NAME(_exit)
{
	return in_child(leave);
}
EACH_NAME(_Exit)
{
	return in_child(leave_too);
}

static void by_execve(void)
{
	execve("/bin/true", true_words, environ);
}
static void by_execv(void)
{
	execv("/bin/true", true_words);
}
static void by_execvp(void)
{
	execvp("true", true_words);
}
static void by_execvpe(void)
{
	execvpe("true", true_words, environ);
}
static void by_execl(void)
{
	execl("/bin/true", "true", (char *)NULL);
}
static void by_execlp(void)
{
	execlp("true", "true", (char *)NULL);
}
static void by_execle(void)
{
	execle("/bin/true", "true", (char *)NULL, environ);
}
static void by_fexecve(void)
{
	fexecve(open("/bin/true", O_RDONLY), true_words, environ);
}
static void by_execveat(void)
{
	execveat(AT_FDCWD, "/bin/true", true_words, environ, 0);
}

EACH_NAME(execve)
{
	return in_child(by_execve);
}
EACH_NAME(execv)
{
	return in_child(by_execv);
}
EACH_NAME(execvp)
{
	return in_child(by_execvp);
}
EACH_NAME(execvpe)
{
	return in_child(by_execvpe);
}
EACH_NAME(execl)
{
	return in_child(by_execl);
}
EACH_NAME(execlp)
{
	return in_child(by_execlp);
}
EACH_NAME(execle)
{
	return in_child(by_execle);
}
EACH_NAME(fexecve)
{
	return in_child(by_fexecve);
}
EACH_NAME(execveat)
{
	return in_child(by_execveat);
}
EACH_NAME(posix_spawn)
{
	pid_t pid = -1;
	return posix_spawn(&pid, "/bin/true", NULL, NULL, true_words, environ) == 0 &&
	       child_ends_well(pid);
}
EACH_NAME(posix_spawnp)
{
	pid_t pid = -1;
	return posix_spawnp(&pid, "true", NULL, NULL, true_words, environ) == 0 &&
	       child_ends_well(pid);
}
EACH_NAME(system)
{
	return system("exit 3") == 3 << 8;
}
EACH_NAME(popen)
{
	FILE *stream = popen("exit 3", "r");
	return stream && pclose(stream) == 3 << 8;
}

/* ---- stdio ---- */

EACH_NAME(fdopen)
{
	FILE *in = fdopen(dup(a), "r"), *out = fdopen(a, "w");
	return in && out && fgetc(in) == 'x' && fclose(in) == 0 && fputs("text", out) >= 0 &&
	       fclose(out) == 0;
}
EACH_NAME(fopen)
{
	return fopen("/dev/null", "r") != NULL;
}
EACH_NAME(fopen64)
{
	return fopen64("/dev/null", "r") != NULL;
}
EACH_NAME(freopen)
{
	FILE *stream = fdopen(a, "r+");
	return stream && freopen("/dev/null", "r", stream) != NULL;
}
EACH_NAME(freopen64)
{
	FILE *stream = fdopen(a, "r+");
	return stream && freopen64("/dev/null", "r", stream) != NULL;
}
EACH_NAME(tmpfile)
{
	return tmpfile() != NULL;
}
EACH_NAME(fileno)
{
	return fileno(fdopen(a, "r")) == a;
}
EACH_NAME(fileno_unlocked)
{
	return fileno_unlocked(fdopen(a, "r")) == a;
}

static int print_list(int checked, ...)
{
	va_list list;
	va_start(list, checked);
	int n = checked ? __vdprintf_chk(a, 1, "%d %s", list) : vdprintf(a, "%d %s", list);
	va_end(list);
	return n;
}

EACH_NAME(vdprintf)
{
	return print_list(0, 1, "two") == 5;
}
EACH_NAME(__vdprintf_chk)
{
	return print_list(1, 1, "two") == 5;
}
EACH_NAME(dprintf)
{
	return dprintf(a, "%d %s", 1, "two") == 5;
}
EACH_NAME(__dprintf_chk)
{
	return __dprintf_chk(a, 1, "%d %s", 1, "two") == 5;
}

/* ---- the rest ---- */

/* weir refuses these (README). */
static int finish_aio(int started, struct aiocb *control)
{
	const struct aiocb *list[] = {control};
	if (started != 0)
		return errno == ENOSYS;
	while (aio_error(control) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
	return aio_return(control) == 8;
}

EACH_NAME(aio_read)
{
	struct aiocb c = {.aio_fildes = a, .aio_buf = bytes, .aio_nbytes = 8};
	return finish_aio(aio_read(&c), &c);
}
EACH_NAME(aio_read64)
{
	struct aiocb64 c = {.aio_fildes = a, .aio_buf = bytes, .aio_nbytes = 8};
	return finish_aio(aio_read64(&c), (struct aiocb *)&c);
}
EACH_NAME(aio_write)
{
	struct aiocb c = {.aio_fildes = a, .aio_buf = bytes, .aio_nbytes = 8};
	return finish_aio(aio_write(&c), &c);
}
EACH_NAME(aio_write64)
{
	struct aiocb64 c = {.aio_fildes = a, .aio_buf = bytes, .aio_nbytes = 8};
	return finish_aio(aio_write64(&c), (struct aiocb *)&c);
}
EACH_NAME(dlopen)
{
	return dlopen("libm.so.6", RTLD_NOW) != NULL;
}
EACH_NAME(dlmopen)
{
	return dlmopen(LM_ID_BASE, "libm.so.6", RTLD_NOW) != NULL;
}
EACH_NAME(syscall)
{
	return syscall(SYS_read, a, bytes, 8) == 8;
}

EACH_NAME(unshare)
{
	return unshare(0) == 0;
}
EACH_NAME(setns)
{
	return setns(-1, 0) == -1 && errno == EBADF;
}

static struct rlimit limit;

EACH_NAME(getrlimit)
{
	return getrlimit(RLIMIT_AS, &limit) == 0;
}
EACH_NAME(getrlimit64)
{
	return getrlimit64(RLIMIT_AS, (struct rlimit64 *)&limit) == 0;
}
EACH_NAME(setrlimit)
{
	return getrlimit(RLIMIT_AS, &limit) == 0 && setrlimit(RLIMIT_AS, &limit) == 0;
}
EACH_NAME(setrlimit64)
{
	return getrlimit(RLIMIT_AS, &limit) == 0 &&
	       setrlimit64(RLIMIT_AS, (struct rlimit64 *)&limit) == 0;
}
EACH_NAME(prlimit)
{
	return prlimit(0, RLIMIT_AS, NULL, &limit) == 0;
}
EACH_NAME(prlimit64)
{
	return prlimit64(getpid(), RLIMIT_AS, NULL, (struct rlimit64 *)&limit) == 0;
}

#define NAME(name)                                                                                 \
	{                                                                                          \
#name, call_##name                                                                 \
	}

static const struct {
	const char *name;
	int (*call)(void);
} all[] = {
        NAME(read),
        NAME(__read_chk),
        NAME(readv),
        NAME(preadv2),
        NAME(preadv64v2),
        NAME(recv),
        NAME(__recv_chk),
        NAME(recvfrom),
        NAME(__recvfrom_chk),
        NAME(recvmsg),
        NAME(recvmmsg),
        NAME(write),
        NAME(writev),
        NAME(pwritev2),
        NAME(pwritev64v2),
        NAME(send),
        NAME(sendto),
        NAME(sendmsg),
        NAME(sendmmsg),
        NAME(sendfile),
        NAME(sendfile64),
        NAME(splice),
        NAME(poll),
        NAME(__poll_chk),
        NAME(ppoll),
        NAME(__ppoll_chk),
        NAME(select),
        NAME(pselect),
        NAME(epoll_ctl),
        NAME(epoll_wait),
        NAME(epoll_pwait),
        NAME(epoll_pwait2),
        NAME(socketpair),
        NAME(socket),
        NAME(accept),
        NAME(accept4),
        NAME(pipe),
        NAME(pipe2),
        NAME(open),
        NAME(open64),
        NAME(__open_2),
        NAME(__open64_2),
        NAME(openat),
        NAME(openat64),
        NAME(__openat_2),
        NAME(__openat64_2),
        NAME(creat),
        NAME(creat64),
        NAME(eventfd),
        NAME(epoll_create),
        NAME(epoll_create1),
        NAME(signalfd),
        NAME(timerfd_create),
        NAME(inotify_init),
        NAME(inotify_init1),
        NAME(memfd_create),
        NAME(mkstemp),
        NAME(mkstemp64),
        NAME(mkostemp),
        NAME(mkostemp64),
        NAME(pidfd_open),
        NAME(pidfd_getfd),
        NAME(close),
        NAME(close_range),
        NAME(closefrom),
        NAME(shutdown),
        NAME(dup),
        NAME(dup2),
        NAME(dup3),
        NAME(fcntl),
        NAME(fcntl64),
        NAME(ioctl),
        NAME(getsockopt),
        NAME(setsockopt),
        NAME(sockatmark),
        NAME(fork),
        NAME(_Fork),
        NAME(vfork),
        NAME(prctl),
        NAME(pthread_setname_np),
        NAME(pthread_cancel),
        NAME(sigaction),
        NAME(__sigaction),
        NAME(signal),
        NAME(bsd_signal),
        NAME(ssignal),
        NAME(sysv_signal),
        NAME(__sysv_signal),
        NAME(sigset),
        NAME(siginterrupt),
        NAME(wait),
        NAME(waitpid),
        NAME(wait3),
        NAME(wait4),
        NAME(waitid),
        NAME(_exit),
        NAME(_Exit),
        NAME(execve),
        NAME(execv),
        NAME(execvp),
        NAME(execvpe),
        NAME(execl),
        NAME(execlp),
        NAME(execle),
        NAME(fexecve),
        NAME(execveat),
        NAME(posix_spawn),
        NAME(posix_spawnp),
        NAME(system),
        NAME(popen),
        NAME(fdopen),
        NAME(fopen),
        NAME(fopen64),
        NAME(freopen),
        NAME(freopen64),
        NAME(tmpfile),
        NAME(fileno),
        NAME(fileno_unlocked),
        NAME(vdprintf),
        NAME(__vdprintf_chk),
        NAME(dprintf),
        NAME(__dprintf_chk),
        NAME(aio_read),
        NAME(aio_read64),
        NAME(aio_write),
        NAME(aio_write64),
        NAME(dlopen),
        NAME(dlmopen),
        NAME(syscall),
        NAME(unshare),
        NAME(setns),
        NAME(getrlimit),
        NAME(getrlimit64),
        NAME(setrlimit),
        NAME(setrlimit64),
        NAME(prlimit),
        NAME(prlimit64),
};

/* ---- running ---- */

static void *call_on_thread(void *call)
{
	int (*function)(void);
	memcpy(&function, &call, sizeof(function));
	return function() ? call : NULL;
}

static int run(int (*call)(void))
{
	pthread_attr_t attr;
	pthread_t thread;
	void *argument, *result = NULL;

	memcpy(&argument, &call, sizeof(argument));
	pthread_attr_init(&attr);
	if (pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN) != 0 ||
	    pthread_create(&thread, &attr, call_on_thread, argument) != 0)
		return 0;
	pthread_join(thread, &result);
	pthread_attr_destroy(&attr);
	return result != NULL;
}

static void prepare(void)
{
	static const char waiting[WAITING] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) != 0 ||
	    write(sv[0], waiting, WAITING) != WAITING || write(sv[1], waiting, WAITING) != WAITING)
		abort();
	a = sv[0];
	b = sv[1];
	messages[0].msg_hdr = messages[1].msg_hdr = message;
	snprintf(file, sizeof(file), "%s/file", folder);
	int fd = open_file();
	if (write(fd, waiting, WAITING) != WAITING)
		abort();
	close(fd);
}

int main(int argc, char **argv)
{
	int failed = 0;

	snprintf(folder, sizeof(folder), "%s", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	strncat(folder, "/stacks-XXXXXX", sizeof(folder) - strlen(folder) - 1);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (argc == 2 && strcmp(argv[1], "--list") == 0) {
			puts(all[i].name);
			continue;
		}
		if (i == 0 && !mkdtemp(folder))
			abort();
		prepare();
		printf("%s ", all[i].name);
		fflush(stdout);
		int good = run(all[i].call);
		printf("%s\n", good ? "ok" : "FAILED");
		failed += !good;
	}
	return failed > 0;
}
