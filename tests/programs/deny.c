/* Starts a program in which the kernel refuses some system calls, by a seccomp filter.
 *
 *	deny RULE... -- PROGRAM [ARG...]
 *	deny only NAME... -- PROGRAM [ARG...]
 *
 * RULE is CALL[@ARGUMENT&MASK=VALUE]=WHAT: the call by its name below, perhaps only where
 * an argument (from 0) has such bits, and an errno's name or `kill`. With `only`, every
 * call that is not named kills the process.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STEPS_MAX = 512 };

static struct sock_filter step[STEPS_MAX];
static unsigned short steps;

static const struct {
	const char *name;
	int number;
} call[] = {
#define CALL(name)                                                                                 \
	{                                                                                          \
#name, SYS_##name                                                                  \
	}
        CALL(access),
        CALL(alarm),
        CALL(arch_prctl),
        CALL(brk),
        CALL(clone),
        CALL(clone3),
        CALL(close),
        CALL(dup),
        CALL(dup2),
        CALL(execve),
        CALL(exit),
        CALL(exit_group),
        CALL(fcntl),
        CALL(fork),
        CALL(fstat),
        CALL(ftruncate),
        CALL(futex),
        CALL(getdents64),
        CALL(getpid),
        CALL(getrandom),
        CALL(getsockopt),
        CALL(gettid),
        CALL(madvise),
        CALL(memfd_create),
        CALL(mmap),
        CALL(mprotect),
        CALL(munmap),
        CALL(newfstatat),
        CALL(openat),
        CALL(poll),
        CALL(ppoll),
        CALL(prctl),
        CALL(pread64),
        CALL(prlimit64),
        CALL(read),
        CALL(readlink),
        CALL(recvfrom),
        CALL(rseq),
        CALL(rt_sigaction),
        CALL(rt_sigprocmask),
        CALL(sendto),
        CALL(set_robust_list),
        CALL(set_tid_address),
        CALL(shutdown),
        CALL(socketpair),
        CALL(wait4),
        CALL(write),
#undef CALL
};

static const struct {
	const char *name;
	int number;
} error[] = {
        {"ENOSYS", ENOSYS}, {"EPERM", EPERM},   {"ENOMEM", ENOMEM}, {"EACCES", EACCES},
        {"EMFILE", EMFILE}, {"ENFILE", ENFILE}, {"EINVAL", EINVAL}, {"ENOPROTOOPT", ENOPROTOOPT},
        {"EAGAIN", EAGAIN}, {"ENOENT", ENOENT},
};

static _Noreturn void wrong(const char *what)
{
	fprintf(stderr, "deny: %s: not understood\n", what);
	exit(125);
}

static int call_number(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(call) / sizeof(call[0]); i++)
		if (strlen(call[i].name) == length && memcmp(call[i].name, name, length) == 0)
			return call[i].number;
	wrong(name);
}

static unsigned int answer(const char *name)
{
	if (strcmp(name, "kill") == 0)
		return SECCOMP_RET_KILL_PROCESS;
	for (size_t i = 0; i < sizeof(error) / sizeof(error[0]); i++)
		if (strcmp(error[i].name, name) == 0)
			return SECCOMP_RET_ERRNO | (unsigned int)error[i].number;
	wrong(name);
}

static void add(struct sock_filter instruction)
{
	if (steps == STEPS_MAX)
		wrong("so many rules");
	step[steps++] = instruction;
}

static void load(size_t offset)
{
	add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned int)offset));
}

static void give(unsigned int what)
{
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what));
}

/* The next `skipped` instructions only where the loaded word has the value. */
static void if_equal(unsigned int value, unsigned char skipped)
{
	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skipped));
}

static void add_rule(const char *rule)
{
	size_t length = strcspn(rule, "@=");
	unsigned int number = (unsigned int)call_number(rule, length);
	const char *rest = rule + length;
	unsigned int argument = 0, mask = 0, value = 0;
	int used = 0;

	if (*rest == '@') {
		if (sscanf(rest, "@%u&%i=%i%n", &argument, (int *)&mask, (int *)&value, &used) !=
		            3 ||
		    argument > 5)
			wrong(rule);
		rest += used;
	}
	if (*rest != '=')
		wrong(rule);
	load(offsetof(struct seccomp_data, nr));
	if (!used) {
		if_equal(number, 1);
	} else {
		if_equal(number, 4);
		load(offsetof(struct seccomp_data, args) + 8 * argument);
		add((struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
		if_equal(value, 1);
	}
	give(answer(rest + 1));
}

static void add_allowed(const char *name)
{
	load(offsetof(struct seccomp_data, nr));
	if_equal((unsigned int)call_number(name, strlen(name)), 1);
	give(SECCOMP_RET_ALLOW);
}

int main(int argc, char **argv)
{
	bool only = argc > 1 && strcmp(argv[1], "only") == 0;
	int i = only ? 2 : 1;

	load(offsetof(struct seccomp_data, arch));
	if_equal(AUDIT_ARCH_X86_64, 1);
	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0));
	give(SECCOMP_RET_KILL_PROCESS);
	for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (only)
			add_allowed(argv[i]);
		else
			add_rule(argv[i]);
	}
	give(only ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ALLOW);
	if (i + 1 >= argc)
		wrong("no program");
	struct sock_fprog filter = {.len = steps, .filter = step};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
		perror("deny");
		return 125;
	}
	execvp(argv[i + 1], argv + i + 1);
	perror(argv[i + 1]);
	return 127;
}
