/* trace.h: what happened, in order, as lines for a person and as one number for a program. No address, no time of the machine's:
 * two runs of a seed give the same to the byte. */
#ifndef LIGER_SIM_TRACE_H
#define LIGER_SIM_TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct world_fiber;

/* `to` NULL: only the number. `accesses`: every one of them; else what trace_text() is told, which is a story. */
void trace_begin(FILE *to, bool accesses);
uint64_t trace_number(void);
void trace_switch(const struct world_fiber *to);
/* An access: what, where, and the value that was read or written. */
void trace_access(const char *what, uint64_t offset, uint64_t value);
void trace_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
