/* log.h: what `liger log` prints of a host's log and checkpoint. */
#ifndef LIGER_TOOLS_LOG_H
#define LIGER_TOOLS_LOG_H

#include "recovery/checkpoint_reader.h"
#include "recovery/log_reader.h"

#include <stdio.h>

/* A type of entries: its name, and how its body is told to people, in one line without its end. */
struct log_type {
	uint16_t type;
	const char *name;
	void (*print)(FILE *out, const struct log_entry *entry);
};

/* The first bytes, in hexadecimal. */
void log_print_bytes(FILE *out, const struct log_entry *entry);
/* What the bodies of the known types say (log_entry.c). One that contradicts itself: "not a ...", and the first bytes. */
void log_print_redo(FILE *out, const struct log_entry *entry);
void log_print_table(FILE *out, const struct log_entry *entry);
void log_print_member(FILE *out, const struct log_entry *entry);
void log_print_owners(FILE *out, const struct log_entry *entry);

/* In quotes. */
void log_json_text(FILE *out, const char *text);

enum log_form {
	LOG_SUMMARY, /* text, without the entries */
	LOG_TEXT,
	LOG_JSON, /* one object a line */
};

/* Prints and checks the newest checkpoint of a host's directory, if there is one. *cookie: of the pod, 0: any yet.
 * Returns: the exit code; CLI_FAILED: the reason is printed. */
int log_read_checkpoint(FILE *out, enum log_form form, const char *command, const char *path, uint64_t *cookie);

/* Also one that is damaged. */
bool log_has_checkpoint(const char *path);

/* `liger log ...` */
int log_main(int argc, char **argv);

#endif
