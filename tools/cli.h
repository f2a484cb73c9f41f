/* cli.h: what the subcommands of `liger` share: strict reading of arguments, and one way to complain. */
#ifndef LIGER_TOOLS_CLI_H
#define LIGER_TOOLS_CLI_H

#include <stdbool.h>
#include <stdint.h>

/* Exit codes of every subcommand. */
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* Prints "liger COMMAND: sentence" and how to get help, on standard error. Returns CLI_USAGE. */
int cli_usage_error(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Reads a whole number from min to max. On failure prints a usage error that names the option. */
bool cli_number(const char *command, const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *value);

/* Walks over the arguments of a subcommand. */
struct cli_args {
	const char *command; /* for messages: "pod create" */
	int argc, next;
	char **argv;
	char *option; /* the option that cli_next() returned last, without its "=value" */
	char *value;  /* after "=", or NULL */
};

/* The next argument, or NULL at the end. An option comes as its name; "--name=value" is split. */
const char *cli_next(struct cli_args *args);

/* The value of the option that cli_next() returned; NULL after a usage error was printed, because there is none. */
const char *cli_value(struct cli_args *args);

/* False, after a usage error was printed, when the flag that cli_next() returned was given a value: "--force=1". */
bool cli_is_flag(struct cli_args *args);

/* Ends a command that printed to standard output: what could not be written (a full disk, say) is a failure. */
int cli_end_output(const char *command, int code);

/* `liger pod ...` */
int pod_main(int argc, char **argv);

/* `liger probe ...`: probe.h */
int probe_main(int argc, char **argv);

#endif
