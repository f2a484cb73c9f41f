/* main.c: `liger sim`. */
#include "sim.h"

#include <inttypes.h>
#include <liger.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../tools/cli.h"
#include "crash_point.h"
#include "cxl/mutant.h"
#include "gang.h"
#include "shrink.h"

static const char help[] =
        "usage: liger sim [OPTION...]\n"
        "\n"
        "Runs the whole engine, hosts and all, in a simulated pod whose every step is chosen by a seed: which thread "
        "goes on\n"
        "at each access to pod memory, what each cache keeps or loses, when the clock moves, who dies where. The same "
        "seed and\n"
        "build give the same run to the byte. Each run is judged by the serializability checker, by what `liger pod "
        "check`\n"
        "knows, and by what nobody may ever hold. docs/simulator.md tells more.\n"
        "\n"
        "  --seed N             one seed (default 1)\n"
        "  --seeds A..B         all from A to B\n"
        "  --seconds S          begin no seed after S seconds\n"
        "  --jobs N             processes to share the seeds (default: one a processor)\n"
        "  --keep-going         do not stop at the first seed that fails\n"
        "What a seed would choose:\n"
        "  --hosts N            1 to 6\n"
        "  --workers N          1 to 4, of each host\n"
        "  --txns N             1 to 1000, of each worker\n"
        "  --durability LEVEL   none, cxl or disk\n"
        "  --policy POLICY      random, pct (priorities that change at few points), starve (one host gets few steps)\n"
        "  --pct-depth N        1 to 16: a bug of that many ordered steps is looked for\n"
        "  --faults LIST        those that may happen: all (default), none, or of " SIM_FAULT_NAMES "\n"
        "For one seed:\n"
        "  --trace              print every access, by host\n"
        "  --story              print what transactions and hosts did\n"
        "  --shrink             if it fails, look for less that fails the same way, and print its story\n"
        "  --drop LIST          leave out transactions, such as 3.1,3.2: of session 3 the first two\n"
        "  --preemptions N      after N of them a thread goes on until it must wait\n"
        "  --schedule N         another order of the same seed's steps (default 0)\n"
        "  --most-steps N       more are no progress (default 20000000)\n"
        "Output:\n"
        "  --hash               a line a seed: its number and that of its trace\n"
        "  --points             how often each named crash point was passed, and was a host's end\n"
        "  --mutant NAME        leave out a step of a protocol on purpose (src/cxl/mutant.h)\n"
        "\n"
        "Exit codes: 0, every seed passed; 1, one did not, or could not be run; 2, usage.\n";

/* The engine in here is built with -DLG_MUTANTS, where mutant.h declares it too. */
extern enum lg_mutant lg_mutant_chosen;

struct command {
	struct sim_options options;
	uint64_t jobs, seconds;
	bool keep_going, trace, story, shrinks, hashes, points;
	const char *mutant, *drop_text;
};

/* ---- Options -------------------------------------------------------------------------------------------------------- */

static bool take_seeds(struct cli_args *args, const char *value, struct sim_options *options)
{
	const char *dots = strstr(value, "..");
	char first[32];
	if (!dots || (size_t)(dots - value) >= sizeof first) {
		cli_usage_error(args->command, "--seeds: '%s' is no range such as 1..1000", value);
		return false;
	}
	memcpy(first, value, (size_t)(dots - value));
	first[dots - value] = '\0';
	if (!cli_number(args->command, "--seeds", first, 1, UINT64_MAX / 2, &options->first) ||
	        !cli_number(args->command, "--seeds", dots + 2, 1, UINT64_MAX / 2, &options->last))
		return false;
	if (options->first > options->last || options->last - options->first >= UINT64_C(1) << 32) {
		cli_usage_error(args->command, "--seeds: '%s' is no range of 1 to 4294967296 seeds", value);
		return false;
	}
	return true;
}

static bool take_policy(struct cli_args *args, const char *value, struct sim_options *options)
{
	for (int policy = 0; policy < POLICY_COUNT; policy++) {
		if (strcmp(policy_name((enum world_policy)policy), value) == 0) {
			options->policy = policy;
			return true;
		}
	}
	cli_usage_error(args->command, "--policy: '%s' is none of random, pct and starve", value);
	return false;
}

static bool take_mutant(struct cli_args *args, const char *value)
{
	static const char *const names[] = {
#define SIM_MUTANT_NAME(name, text) #name,
	        LG_MUTANT_LIST(SIM_MUTANT_NAME)
#undef SIM_MUTANT_NAME
	};
	for (unsigned i = 0; i < LG_MUTANT_COUNT; i++) {
		if (strcmp(names[i], value) == 0) {
			lg_mutant_chosen = (enum lg_mutant)i;
			return true;
		}
	}
	cli_usage_error(args->command, "--mutant: there is no mutant '%s'; src/cxl/mutant.h lists them", value);
	return false;
}

static bool take_text(struct cli_args *args, struct command *command, const char *value)
{
	struct sim_options *options = &command->options;
	enum lg_durability durability;
	if (strcmp(args->option, "--seeds") == 0)
		return take_seeds(args, value, options);
	if (strcmp(args->option, "--policy") == 0)
		return take_policy(args, value, options);
	if (strcmp(args->option, "--mutant") == 0) {
		command->mutant = value;
		return take_mutant(args, value);
	}
	if (strcmp(args->option, "--durability") == 0) {
		if (lg_durability_parse(value, &durability)) {
			options->durability = (int)durability;
			return true;
		}
		cli_usage_error(args->command, "--durability: '%s' is none of none, cxl and disk", value);
	} else if (strcmp(args->option, "--faults") == 0) {
		if (sim_faults_parse(value, &options->faults))
			return true;
		cli_usage_error(args->command, "--faults: '%s' is not all, none or a list of " SIM_FAULT_NAMES, value);
	} else {
		command->drop_text = value;
		if (sim_drops_parse(value, &options->drops))
			return true;
		cli_usage_error(
		        args->command, "--drop: '%s' is no list such as 3.1,3.2 of at most %d", value, SIM_DROPS);
	}
	return false;
}

static bool is_text_option(const char *name)
{
	static const char *const names[] = {"--seeds", "--policy", "--mutant", "--durability", "--faults", "--drop"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* Options of the same kind, by name. */
struct number_option {
	const char *name;
	uint64_t least, most, *wide;
	int *narrow;
};

/* 1: taken; 0: no such option; -1: a usage error was printed. */
static int take_number_option(struct cli_args *args, struct command *command)
{
	struct sim_options *options = &command->options;
	const struct number_option numbers[] = {
	        {"--seed", 1, UINT64_MAX / 2, &options->first, NULL},
	        {"--seconds", 1, 1000000, &command->seconds, NULL},
	        {"--jobs", 1, GANG_MOST_JOBS, &command->jobs, NULL},
	        {"--preemptions", 0, UINT64_MAX, &options->preemptions, NULL},
	        {"--schedule", 0, UINT64_MAX, &options->schedule, NULL},
	        {"--most-steps", 1000, UINT64_MAX, &options->most_steps, NULL},
	        {"--hosts", 1, SIM_MOST_HOSTS, NULL, &options->hosts},
	        {"--workers", 1, SIM_MOST_WORKERS, NULL, &options->workers},
	        {"--txns", 1, SIM_MOST_TXNS, NULL, &options->txns},
	        {"--pct-depth", 1, PCT_MOST_DEPTH, NULL, &options->pct_depth},
	};
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		const struct number_option *number = &numbers[i];
		uint64_t value;
		if (strcmp(args->option, number->name) != 0)
			continue;
		const char *text = cli_value(args);
		if (!text || !cli_number(args->command, number->name, text, number->least, number->most, &value))
			return -1;
		if (number->wide)
			*number->wide = value;
		else
			*number->narrow = (int)value;
		if (number->wide == &options->first)
			options->last = value;
		return 1;
	}
	return 0;
}

/* As take_number_option(). */
static int take_flag(struct cli_args *args, struct command *command)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {{"--keep-going", &command->keep_going}, {"--trace", &command->trace}, {"--story", &command->story},
	        {"--shrink", &command->shrinks}, {"--hash", &command->hashes}, {"--points", &command->points}};
	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
		if (strcmp(args->option, flags[i].name) != 0)
			continue;
		*flags[i].flag = true;
		return cli_is_flag(args) ? 1 : -1;
	}
	return 0;
}

/* CLI_OK, or what to exit with. */
static int take_options(struct cli_args *args, struct command *command)
{
	const char *argument;
	while ((argument = cli_next(args))) {
		if (is_text_option(argument)) {
			const char *value = cli_value(args);
			if (!value || !take_text(args, command, value))
				return CLI_USAGE;
			continue;
		}
		int taken = take_number_option(args, command);
		if (taken == 0)
			taken = take_flag(args, command);
		if (taken == 0)
			return cli_usage_error(args->command, "there is no option '%s'", argument);
		if (taken < 0)
			return CLI_USAGE;
	}
	bool one = command->options.first == command->options.last;
	if (!one && (command->trace || command->story || command->options.drops.count))
		return cli_usage_error(args->command, "--trace, --story and --drop are for one seed: --seed N");
	return CLI_OK;
}

/* ---- What is told --------------------------------------------------------------------------------------------------- */

static void print_counts(const struct sim_counts *n, double seconds)
{
	printf("%" PRIu64 " seeds in %.1f s: %" PRIu64 " steps, %" PRIu64 " commits, %" PRIu64 " conflicts, %" PRIu64
	       " refusals; %" PRIu64 " preemptions\n",
	        n->seeds, seconds, n->steps, n->commits, n->conflicts, n->refusals, n->preempted);
	printf("  %" PRIu64 " hosts died (%" PRIu64 " of them killed by others), %" PRIu64 " stood still, %" PRIu64
	       " were zombies, %" PRIu64 " were started again (%" PRIu64 " refused); %" PRIu64
	       " clocks skewed, %" PRIu64 " regions scarce\n",
	        n->crashes, n->kills, n->stops, n->zombies, n->restarts, n->restarts_refused, n->skewed, n->scarce);
	printf("  %" PRIu64 " pods with logs: the power went %" PRIu64 " times, %" PRIu64
	       " times `liger recover`; %" PRIu64 " tickets, %" PRIu64 " told durable, %" PRIu64 " undone; %" PRIu64
	       " rows rebuilt, %" PRIu64 " checkpoints; %" PRIu64 " syncs (%" PRIu64 " stalled), %" PRIu64
	       " times full, %" PRIu64 " errors, %" PRIu64 " short writes\n",
	        n->logged, n->outages, n->pod_recoveries, n->tickets, n->told, n->undone, n->rows_rebuilt,
	        n->checkpoints, n->syncs, n->stalls, n->disk_full, n->disk_errors, n->short_writes);
	printf("  %" PRIu64 " recoveries, %" PRIu64 " rows redone, %" PRIu64 " words freed; %" PRIu64
	       " rows moved in, %" PRIu64 " out; %" PRIu64 " audits, %" PRIu64 " pod checks of %" PRIu64
	       " words, %" PRIu64 " changes of words looked at\n",
	        n->recoveries, n->redone, n->freed_words, n->moved_in, n->moved_out, n->audits, n->checks,
	        n->word_checks, n->rule_checks);
}

static void print_points(const struct sim_counts *n)
{
	printf("  %-20s %12s %10s\n", "crash point", "passed", "died there");
	for (unsigned i = 0; i < CRASH_POINT_COUNT; i++)
		printf("  %-20s %12" PRIu64 " %10" PRIu64 "\n", crash_point_name((enum crash_point)i),
		        n->point_visits[i], n->point_crashes[i]);
}

/* The options that make a seed what it is, as they would be typed. */
static void print_command(const struct command *command, uint64_t seed)
{
	const struct sim_options *o = &command->options;
	char faults[100];
	const struct {
		const char *name;
		int value;
	} numbers[] = {{"hosts", o->hosts}, {"workers", o->workers}, {"txns", o->txns}, {"pct-depth", o->pct_depth}};
	printf("  liger sim --seed %" PRIu64, seed);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		if (numbers[i].value != SIM_ANY)
			printf(" --%s %d", numbers[i].name, numbers[i].value);
	if (o->durability != SIM_ANY)
		printf(" --durability %s", lg_durability_name((enum lg_durability)o->durability));
	if (o->policy != SIM_ANY)
		printf(" --policy %s", policy_name((enum world_policy)o->policy));
	if (o->faults != FAULT_ALL) {
		sim_faults_print(o->faults, faults, sizeof faults);
		printf(" --faults %s", faults);
	}
	if (o->most_steps != SIM_MOST_STEPS)
		printf(" --most-steps %" PRIu64, o->most_steps);
	if (o->preemptions != UINT64_MAX)
		printf(" --preemptions %" PRIu64, o->preemptions);
	if (o->schedule != 0)
		printf(" --schedule %" PRIu64, o->schedule);
	for (unsigned i = 0; i < o->drops.count; i++)
		printf("%s%u.%u", i ? "," : " --drop ", o->drops.drop[i].session, o->drops.drop[i].txn);
	if (command->mutant)
		printf(" --mutant %s", command->mutant);
	printf("\n");
}

static void print_failure(const struct command *command, const struct sim_result *result)
{
	struct sim_case c;
	char faults[100];
	sim_case_of(&command->options, result->seed, &c);
	sim_faults_print(c.faults, faults, sizeof faults);
	printf("seed %" PRIu64 " failed: %s: %s\n", result->seed, result->check, result->text);
	printf("  %u hosts of %u workers, %u transactions each, durability %s, policy %s, faults %s\n", c.hosts,
	        c.workers, c.txns, lg_durability_name(c.pod.durability), policy_name(c.world.policy), faults);
	print_command(command, result->seed);
}

static void tell_shrinking(const char *what, unsigned left)
{
	printf("  shrinking: %u %s\n", left, what);
	fflush(stdout);
}

static void shrink_and_tell(const struct command *command, struct sim_result *result)
{
	struct command less = *command;
	struct sim_case c;
	shrink(&less.options, result->seed, result, tell_shrinking);
	printf("the least that was found to fail so:\n");
	print_failure(&less, result);
	sim_case_of(&less.options, result->seed, &c);
	gang_run_one(&c, GANG_STORY, result);
}

/* ---- Running -------------------------------------------------------------------------------------------------------- */

static int run_one(const struct command *command)
{
	static struct sim_result result;
	struct sim_case c;
	sim_case_of(&command->options, command->options.first, &c);
	gang_run_one(&c, command->trace ? GANG_ACCESSES : command->story ? GANG_STORY : GANG_NO_TRACE, &result);
	if (command->hashes)
		printf("%" PRIu64 " %016" PRIx64 "\n", result.seed, result.trace);
	if (!result.failed)
		return CLI_OK;
	print_failure(command, &result);
	if (command->shrinks)
		shrink_and_tell(command, &result);
	return CLI_FAILED;
}

static int run_all(const struct command *command)
{
	static struct gang_summary summary;
	const struct sim_options *o = &command->options;
	struct gang_config config = {.options = o,
	        .jobs = (unsigned)command->jobs,
	        .keep_going = command->keep_going,
	        .keep_traces = command->hashes,
	        .most_seconds = (double)command->seconds};
	if (!gang_run(&config, &summary))
		return CLI_FAILED;
	for (uint64_t seed = o->first; seed <= o->last && summary.traces; seed++)
		printf("%" PRIu64 " %016" PRIx64 "\n", seed, summary.traces[seed - o->first]);
	free(summary.traces);
	print_counts(&summary.counts, summary.seconds);
	if (command->points)
		print_points(&summary.counts);
	for (unsigned i = 0; i < summary.failure_count; i++)
		print_failure(command, &summary.failures[i]);
	if (summary.failure_count > 0 && command->shrinks)
		shrink_and_tell(command, &summary.failures[0]);
	return summary.failure_count > 0 ? CLI_FAILED : CLI_OK;
}

int sim_main(int argc, char **argv)
{
	struct cli_args args = {.command = "sim", .argc = argc, .next = 1, .argv = argv};
	static struct command command;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(help, stdout);
		return cli_end_output("sim", CLI_OK);
	}
	sim_options_init(&command.options);
	command.jobs = processors > 0 && processors <= GANG_MOST_JOBS ? (uint64_t)processors : 1;
	int code = take_options(&args, &command);
	if (code != CLI_OK)
		return code;
	bool one = command.options.first == command.options.last && !command.points;
	return cli_end_output("sim", one ? run_one(&command) : run_all(&command));
}
