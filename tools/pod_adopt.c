/* pod_adopt.c: `liger pod adopt`: has a running host take over the partitions of one that died or left. */
#include "pod_adopt.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <liger.h>

#include "cli.h"

enum { WAIT_S = 60, LOOK_MS = 50 };

static const char help[] =
        "usage: liger pod adopt URI --host K --dead N [--wait SECONDS] [--emulate MODE]\n"
        "\n"
        "Has the running host K take over all partitions of host N, which has died or left: it rebuilds their rows "
        "from the\n"
        "logs of the pod, which must have a data directory. Waits until host N owns nothing any more.\n"
        "\n"
        "  --host K         who adopts\n"
        "  --dead N         whose partitions\n"
        "  --wait SECONDS   how long to wait, 1 to 86400 (default 60)\n"
        "  --emulate MODE   how this command sees the region: delay:PROFILE, incoherent[:SEED], direct\n";

/* Until host `dead` owns nothing. */
static int await_adoption(
        const char *command, const char *uri, const char *emulate, uint32_t by, uint32_t dead, uint64_t seconds)
{
	struct lg_pod_info info;
	struct lg_error err = {0};
	uint32_t before = 0;

	for (uint64_t looks = 0; looks < seconds * 1000 / LOOK_MS; looks++) {
		if (lg_pod_info_emulated(uri, emulate, &info, &err) != LG_OK) {
			fprintf(stderr, "liger %s: %s\n", command, err.message);
			return CLI_FAILED;
		}
		before = looks ? before : info.member[dead].partitions;
		if (info.member[dead].partitions == 0) {
			printf("%s: host %u has adopted %u partition%s of host %u, and owns %u now\n", uri, by, before,
			        before == 1 ? "" : "s", dead, info.member[by].partitions);
			return cli_end_output(command, CLI_OK);
		}
		/* What is waited for is looked at; waking early or late does no harm. */
		nanosleep(&(struct timespec){0, LOOK_MS * 1000000L}, NULL);
	}
	fprintf(stderr,
	        "liger %s: host %u still owns %u partitions after %u s; host %u may be at it, or has failed to: it "
	        "needs "
	        "the logs of all hosts, and that they are written\n",
	        command, dead, info.member[dead].partitions, (unsigned)seconds, by);
	return CLI_FAILED;
}

int pod_adopt(int argc, char **argv)
{
	struct cli_args args = {.command = "pod adopt", .argc = argc, .next = 1, .argv = argv};
	const char *argument, *uri = NULL, *emulate = NULL;
	uint64_t by = UINT64_MAX, dead = UINT64_MAX, seconds = WAIT_S;
	struct lg_error err = {0};

	while ((argument = cli_next(&args))) {
		uint64_t *number = strcmp(argument, "--host") == 0   ? &by
		                   : strcmp(argument, "--dead") == 0 ? &dead
		                   : strcmp(argument, "--wait") == 0 ? &seconds
		                                                     : NULL;
		if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
			fputs(help, stdout);
			return cli_end_output(args.command, CLI_OK);
		}
		if (number || strcmp(argument, "--emulate") == 0) {
			const char *value = cli_value(&args);
			if (!value)
				return CLI_USAGE;
			if (!number)
				emulate = value;
			else if (!cli_number(args.command, argument, value, number == &seconds ? 1 : 0,
			                 number == &seconds ? 86400 : LG_MAX_HOSTS - 1, number))
				return CLI_USAGE;
		} else if (argument[0] == '-') {
			return cli_usage_error(args.command, "there is no option '%s'", argument);
		} else if (uri) {
			return cli_usage_error(args.command, "one URI is enough, but '%s' follows '%s'", argument, uri);
		} else {
			uri = argument;
		}
	}
	if (!uri)
		return cli_usage_error(args.command, "which region? Give a URI, such as shm:mypod");
	if (by == UINT64_MAX || dead == UINT64_MAX)
		return cli_usage_error(args.command, "--host and --dead: who adopts the partitions of whom?");
	if (lg_pod_adopt(uri, (uint32_t)by, (uint32_t)dead, emulate, &err) != LG_OK) {
		fprintf(stderr, "liger pod adopt: %s\n", err.message);
		return CLI_FAILED;
	}
	return await_adoption(args.command, uri, emulate, (uint32_t)by, (uint32_t)dead, seconds);
}
