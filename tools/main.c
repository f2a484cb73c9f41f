/* main.c: the `liger` command. A table of subcommands; each has --help and returns 0, 1 (failed) or 2 (usage). */
#include "cli.h"

#include "common/bench.h"
#include "../sim/sim.h"
#include "log.h"
#include "recover.h"

#include <liger.h>
#include <stdio.h>
#include <string.h>

static int help_main(int argc, char **argv);
static int version_main(int argc, char **argv);

struct command {
	const char *name, *summary;
	int (*run)(int argc, char **argv); /* argv[0] is the command's name */
};

static const struct command commands[] = {
        {"bench", "run TPC-C or YCSB over several host processes", bench_main},
        {"log", "read the logs of a data directory", log_main},
        {"pod", "create, look at, check, or destroy a pod", pod_main},
        {"probe", "look at this machine: its memory and dax devices", probe_main},
        {"recover", "bring a pod back from its logs", recover_main},
        {"sim", "run the engine in a simulated pod, from a seed", sim_main},
        {"version", "print the version", version_main},
        {"help", "print this, or the help of a command", help_main},
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static const struct command *find_command(const char *name)
{
	for (int i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void print_help(FILE *out)
{
	fputs("usage: liger COMMAND [ARGUMENT...]\n\n", out);
	for (int i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
	fputs("\n'liger COMMAND --help' tells more.\n"
	      "Exit codes: 0, done; 1, failed; 2, the command line makes no sense.\n",
	        out);
}

static bool is_help(const char *text)
{
	return strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0;
}

static int unknown_command(const char *name)
{
	fprintf(stderr, "liger: there is no command '%s'\nTry 'liger help'.\n", name);
	return CLI_USAGE;
}

static int help_main(int argc, char **argv)
{
	char help[] = "--help";

	if (argc > 2)
		return cli_usage_error("help", "takes one command at most, but '%s' follows", argv[2]);
	if (argc == 1 || is_help(argv[1]) || strcmp(argv[1], "help") == 0) {
		print_help(stdout);
		return cli_end_output("help", CLI_OK);
	}
	const struct command *command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	char *arguments[] = {argv[1], help, NULL};
	return command->run(2, arguments);
}

static int version_main(int argc, char **argv)
{
	if (argc > 1 && is_help(argv[1])) {
		puts("usage: liger version\n\nPrints the version of the command, which is the library's.");
		return cli_end_output("version", CLI_OK);
	}
	if (argc > 1)
		return cli_usage_error("version", "takes no argument, but was given '%s'", argv[1]);
	puts("liger " LG_VERSION);
	return cli_end_output("version", CLI_OK);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stderr);
		return CLI_USAGE;
	}
	if (is_help(argv[1])) {
		print_help(stdout);
		return cli_end_output("help", CLI_OK);
	}
	if (strcmp(argv[1], "--version") == 0)
		return version_main(1, argv);
	const struct command *command = find_command(argv[1]);
	return command ? command->run(argc - 1, argv + 1) : unknown_command(argv[1]);
}
