/* cli.c: see cli.h. */
#include "cli.h"

#include "common/numbers.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int cli_usage_error(const char *command, const char *format, ...)
{
	va_list list;

	fprintf(stderr, "liger %s: ", command);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fprintf(stderr, "\nTry 'liger %s --help'.\n", command);
	return CLI_USAGE;
}

bool cli_number(const char *command, const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
	char why[200];

	if (number_parse_u64(text, min, max, value, why, sizeof(why)))
		return true;
	cli_usage_error(command, "%s: %s", option, why);
	return false;
}

const char *cli_next(struct cli_args *args)
{
	args->option = args->value = NULL;
	if (args->next >= args->argc)
		return NULL;
	args->option = args->argv[args->next++];
	if (strncmp(args->option, "--", 2) == 0) {
		args->value = strchr(args->option, '=');
		if (args->value)
			*args->value++ = '\0';
	}
	return args->option;
}

const char *cli_value(struct cli_args *args)
{
	if (args->value)
		return args->value;
	if (args->next >= args->argc) {
		cli_usage_error(args->command, "%s needs a value", args->option);
		return NULL;
	}
	return args->argv[args->next++];
}

bool cli_is_flag(struct cli_args *args)
{
	if (!args->value)
		return true;
	cli_usage_error(args->command, "%s takes no value, but was given '%s'", args->option, args->value);
	return false;
}

int cli_end_output(const char *command, int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	fprintf(stderr, "liger %s: cannot write the output: %s\n", command, strerror(errno));
	return CLI_FAILED;
}
