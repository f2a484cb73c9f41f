/* recover.c: `liger recover`: brings a pod back from its logs. */
#include "recover.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <liger.h>

#include "cli.h"

static const char help[] =
        "usage: liger recover URI --data DIR [--emulate MODE]\n"
        "\n"
        "Brings a pod back whose region is gone, or whose hosts have all stopped: creates the region URI with the "
        "tables and\n"
        "the partitions of the pod whose logs are in DIR, as of the last epoch that was durable in all of them. Each "
        "host\n"
        "rebuilds its rows from the logs when it joins. No host of the pod may run, and URI must not exist: if hosts "
        "died, but\n"
        "the region is there, nothing is lost in it, and hosts simply join it again. Nor is the pod brought back in "
        "another region "
        "while\n"
        "the one it was in last, whose name DIR/pod has, is there.\n"
        "\n"
        "  --data DIR       the data directory\n"
        "  --emulate MODE   how this command writes the region: delay:PROFILE, incoherent[:SEED], direct\n";

static void print_recovery(const struct lg_recovery *r, const char *uri)
{
	printf("%s: pod %016" PRIx64 ", logs of %u host%s, %u table%s\n", uri, r->cookie, r->hosts,
	        r->hosts == 1 ? "" : "s", r->tables, r->tables == 1 ? "" : "s");
	printf("durable through epoch %" PRIu64 "; the logs end at %" PRIu64 "; the pod goes on behind %" PRIu64 "\n",
	        r->durable_epoch, r->last_epoch, r->first_epoch);
}

int recover_main(int argc, char **argv)
{
	struct cli_args args = {.command = "recover", .argc = argc, .next = 1, .argv = argv};
	const char *argument, *uri = NULL, *data = NULL, *emulate = NULL;
	struct lg_recovery recovery;
	struct lg_error err = {0};

	while ((argument = cli_next(&args))) {
		if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
			fputs(help, stdout);
			return cli_end_output(args.command, CLI_OK);
		}
		if (strcmp(argument, "--data") == 0 || strcmp(argument, "--emulate") == 0) {
			const char *value = cli_value(&args);
			if (!value)
				return CLI_USAGE;
			*(strcmp(argument, "--data") == 0 ? &data : &emulate) = value;
		} else if (argument[0] == '-') {
			return cli_usage_error(args.command, "there is no option '%s'", argument);
		} else if (uri) {
			return cli_usage_error(args.command, "one URI is enough, but '%s' follows '%s'", argument, uri);
		} else {
			uri = argument;
		}
	}
	if (!uri)
		return cli_usage_error(args.command, "which region shall be made? Give a URI, such as shm:mypod");
	if (!data)
		return cli_usage_error(args.command, "--data: where are the logs?");
	if (lg_pod_recover(uri, data, emulate, &recovery, &err) != LG_OK) {
		fprintf(stderr, "liger recover: %s\n", err.message);
		return CLI_FAILED;
	}
	print_recovery(&recovery, uri);
	return cli_end_output(args.command, CLI_OK);
}
