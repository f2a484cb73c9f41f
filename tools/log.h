/* log.h: what `liger log` prints of a host's log. */
#ifndef LIGER_TOOLS_LOG_H
#define LIGER_TOOLS_LOG_H

#include "recovery/log_reader.h"

#include <stdio.h>

/* A type of entries: its name, and how its body is told to people, in one line without its end. A decoder of another
 * module takes the place of log_print_bytes in the table of log.c. */
struct log_type {
	uint16_t type;
	const char *name;
	void (*print)(FILE *out, const struct log_entry *entry);
};

/* The first bytes, in hexadecimal. */
void log_print_bytes(FILE *out, const struct log_entry *entry);

/* `liger log ...` */
int log_main(int argc, char **argv);

#endif
