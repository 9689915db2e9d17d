/* Hands bytes on between a marked end and a socket that the kernel carries, for
 * a program that weir cannot reach. */
#ifndef WEIR_CARRY_PUMP_H
#define WEIR_CARRY_PUMP_H

/* Until both directions are done or either side has gone; then closes both.
 * `plain`: the other end of the program's socketpair. Calls libc's names, which
 * must be weir's hooks in this process. */
void weir_pump(int marked, int plain);

#endif
