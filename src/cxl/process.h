/* process.h: which process a member is, for who has to tell whether it still runs.
 *
 * A pid alone is not enough: it is another process's when the first is gone, and means nothing on another machine or in
 * another pid namespace. So a member says in which it lives, and when its process began.
 */
#ifndef LIGER_CXL_PROCESS_H
#define LIGER_CXL_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* This machine's boot and this process's pid namespace, as one number; 0: they cannot be told. */
uint64_t machine_identity(void);

/* When a process of this machine began, in clock ticks since boot (proc(5), stat, field 22) modulo 2^32 (497 days at 100 Hz), for
 * it only serves to tell processes of the same pid apart; 0: it cannot be told. */
uint64_t process_birth(pid_t pid);

/* Whether the process that began then is certainly gone, all its threads; false also when that cannot be told. */
bool process_gone(pid_t pid, uint64_t birth);

/* SIGKILL, to no other than that one. */
void process_kill(pid_t pid, uint64_t birth);

#endif
