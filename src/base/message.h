/* One-line messages on stderr: "weir: ...". No allocation, errno is kept. */
#ifndef WEIR_BASE_MESSAGE_H
#define WEIR_BASE_MESSAGE_H

/* Writes one line, truncated to 512 bytes, in one system call to descriptor 2. */
void weir_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For the impossible (a damaged session, a missing symbol): says so and aborts. */
_Noreturn void weir_die(const char *format, ...) __attribute__((format(printf, 1, 2), cold));

/* The session's memory cannot be believed: says `what` is wrong with it, and dies. */
_Noreturn void weir_damaged(const char *what) __attribute__((cold));

/* For a command, whose own work is not at stake: from now on it ends with that status
 * instead. */
void weir_damaged_exits(int status);

#endif
