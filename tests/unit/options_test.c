/* options_test.c: benchmarks/common/options.c and numbers.c, with a workload of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../benchmarks/common/numbers.h"
#include "../../benchmarks/common/options.h"

struct toy {
	uint64_t size;
	bool fast;
};

static void *toy_create(void)
{
	return calloc(1, sizeof(struct toy));
}

static bool toy_set(void *workload, const char *name, const char *value, char *err, size_t err_bytes)
{
	struct toy *t = workload;

	if (strcmp(name, "--fast") == 0) {
		t->fast = true;
		return value == NULL;
	}
	return number_parse_u64(value, 1, 100, &t->size, err, err_bytes);
}

static const struct bench_option toy_options[] = {
        {"--size", "N", "how large (default 1)"},
        {"--fast", NULL, "a flag"},
        {NULL, NULL, NULL},
};

static const struct bench_workload toy = {
        .name = "toy",
        .summary = "a workload of this test",
        .options = toy_options,
        .create = toy_create,
        .destroy = free,
        .set = toy_set,
};

static const struct bench_workload *const workloads[] = {&toy, NULL};

enum { MAX_ARGS = 16 };

/* Parses "bench" and the words of `line`, which it owns until the next call. */
static enum options_result parse(struct options *o, const char *line, char *err, size_t err_bytes)
{
	static char copy[400];
	char *argv[MAX_ARGS + 1], *rest = copy, *word;
	int argc = 0;

	snprintf(copy, sizeof(copy), "bench %s", line);
	while ((word = strsep(&rest, " ")) != NULL && argc < MAX_ARGS)
		if (*word)
			argv[argc++] = word;
	argv[argc] = NULL;
	return options_parse(o, workloads, argc, argv, err, err_bytes);
}

static void assert_usage(const char *line, const char *expected)
{
	struct options o;
	char err[600] = "";

	assert_int_equal(parse(&o, line, err, sizeof(err)), OPTIONS_USAGE);
	if (!strstr(err, expected))
		fail_msg("\"%s\" gives \"%s\", without \"%s\"", line, err, expected);
	assert_non_null(strstr(err, "--help"));
	options_free(&o);
}

static uint64_t fingerprint(const char *line)
{
	struct options o;
	char err[600];

	assert_int_equal(parse(&o, line, err, sizeof(err)), OPTIONS_RUN);
	uint64_t found = o.fingerprint;
	options_free(&o);
	return found;
}

static void defaults_are_those_of_the_help(void **state)
{
	struct options o;
	char err[600];

	(void)state;
	assert_int_equal(parse(&o, "toy", err, sizeof(err)), OPTIONS_RUN);
	assert_ptr_equal(o.workload, &toy);
	assert_int_equal(o.hosts, 2);
	assert_int_equal(o.workers, 1);
	assert_int_equal(o.seed, 1);
	assert_true(o.seconds == 5 && o.warmup_seconds == 1 && o.join_seconds == 30);
	assert_true(o.check && o.pin && !o.quiet);
	assert_null(o.json_path);
	assert_null(o.uri);
	assert_null(o.attach);
	options_free(&o);
}

static void values_come_after_a_blank_or_an_equals_sign(void **state)
{
	struct options o;
	char err[600];

	(void)state;
	assert_int_equal(parse(&o,
	                         "toy --hosts 3 --workers=4 --seconds 0.5 --seed=18446744073709551615 --json a.json "
	                         "--size=7 --fast "
	                         "--no-check --no-pin --quiet",
	                         err, sizeof(err)),
	        OPTIONS_RUN);
	assert_int_equal(o.hosts, 3);
	assert_int_equal(o.workers, 4);
	assert_true(o.seconds == 0.5);
	assert_true(o.seed == UINT64_MAX);
	assert_string_equal(o.json_path, "a.json");
	assert_true(!o.check && !o.pin && o.quiet && o.hosts_given);
	assert_int_equal(((struct toy *)o.state)->size, 7);
	assert_true(((struct toy *)o.state)->fast);
	assert_int_equal(o.given_count, 2);
	options_free(&o);
}

static void the_last_of_two_wins(void **state)
{
	struct options o;
	char err[600];

	(void)state;
	assert_int_equal(parse(&o, "toy --hosts 3 --hosts 5 --size 1 --size 2", err, sizeof(err)), OPTIONS_RUN);
	assert_int_equal(o.hosts, 5);
	assert_int_equal(((struct toy *)o.state)->size, 2);
	options_free(&o);
}

static void wrong_workloads_are_refused(void **state)
{
	(void)state;
	assert_usage("", "which workload");
	assert_usage("nothing", "no workload \"nothing\"");
	assert_usage("--hosts 2", "no workload \"--hosts\"");
}

static void unknown_options_are_named(void **state)
{
	(void)state;
	assert_usage("toy --nonsense", "unknown option --nonsense");
	assert_usage("toy --host 2", "unknown option --host");
	assert_usage("toy --nonsense=5", "unknown option --nonsense=5");
	assert_usage("toy stray", "\"stray\" is no option");
	assert_usage("toy -h", "\"-h\" is no option");
}

static void wrong_numbers_are_refused_with_the_option_and_the_range(void **state)
{
	(void)state;
	assert_usage("toy --hosts x", "--hosts: \"x\" is not a whole number");
	assert_usage("toy --hosts 2x", "--hosts: \"2x\" is not a whole number");
	assert_usage("toy --hosts -1", "--hosts: \"-1\" is not a whole number");
	assert_usage("toy --hosts +1", "--hosts: \"+1\" is not a whole number");
	assert_usage("toy --hosts=", "--hosts: \"\" is not a whole number");
	assert_usage("toy --hosts 0", "--hosts: 0 is out of range: it must be 1 to 64");
	assert_usage("toy --hosts 65", "--hosts: 65 is out of range");
	assert_usage("toy --hosts 4294967298", "out of range");
	assert_usage("toy --seed 18446744073709551616", "out of range");
	assert_usage("toy --seconds nan", "--seconds: \"nan\" is not a number");
	assert_usage("toy --seconds 1e999", "out of range");
	assert_usage("toy --seconds 0", "--seconds");
	assert_usage("toy --seconds 1s", "is not a number");
	assert_usage("toy --hwcc-mib 3", "--hwcc-mib: 3 is odd");
	assert_usage("toy --size 101", "--size: 101 is out of range: it must be 1 to 100");
}

static void missing_and_superfluous_values_are_refused(void **state)
{
	(void)state;
	assert_usage("toy --hosts", "--hosts: it needs a value (H)");
	assert_usage("toy --json --quiet", "--json: it needs a value (FILE)");
	assert_usage("toy --size", "--size: it needs a value (N)");
	assert_usage("toy --quiet=1", "--quiet: it takes no value");
	assert_usage("toy --fast=1", "--fast: it takes no value");
	assert_usage("toy --uri=", "--uri");
}

static void attaching_wants_a_host_id_and_no_sizes(void **state)
{
	(void)state;
	assert_usage("toy --attach shm:a", "--host-id");
	assert_usage("toy --host-id 1", "--attach");
	assert_usage("toy --attach shm:a --host-id 0 --uri shm:b", "--uri");
	assert_usage("toy --attach shm:a --host-id 0 --hwcc-mib 4", "--hwcc-mib");
	assert_usage("toy --attach shm:a --host-id 64", "--host-id: 64 is out of range");
}

static void help_is_found_before_and_after_other_options(void **state)
{
	struct options o;
	char err[600];

	(void)state;
	assert_int_equal(parse(&o, "--help", err, sizeof(err)), OPTIONS_HELP);
	assert_null(o.workload);
	options_free(&o);
	assert_int_equal(parse(&o, "toy --hosts 2 --help", err, sizeof(err)), OPTIONS_HELP);
	assert_ptr_equal(o.workload, &toy);
	options_free(&o);
}

static void help_names_every_option(void **state)
{
	static const char *const names[] = {"--hosts", "--workers", "--seconds", "--warmup", "--seed", "--json",
	        "--uri", "--hwcc-mib", "--swcc-mib", "--attach", "--host-id", "--no-check", "--quiet", "--help",
	        "--size", "--fast"};
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	(void)state;
	assert_non_null(out);
	options_help(out, workloads, &toy);
	assert_int_equal(fclose(out), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_non_null(strstr(text, names[i]));
	free(text);
}

static void fingerprint_ignores_order_and_what_hosts_may_differ_in(void **state)
{
	(void)state;
	assert_true(fingerprint("toy --size 2 --seconds 3") == fingerprint("toy --seconds 3 --size 2"));
	assert_true(fingerprint("toy --quiet --json x") == fingerprint("toy"));
	assert_true(fingerprint("toy --attach shm:a --host-id 1") == fingerprint("toy --attach shm:a --host-id 0"));
	assert_true(fingerprint("toy --size 2") != fingerprint("toy --size 3"));
	assert_true(fingerprint("toy --seed 2") != fingerprint("toy"));
	assert_true(fingerprint("toy --seconds 2") != fingerprint("toy --warmup 2"));
	assert_true(fingerprint("toy --no-check") != fingerprint("toy"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(defaults_are_those_of_the_help),
	        cmocka_unit_test(values_come_after_a_blank_or_an_equals_sign),
	        cmocka_unit_test(the_last_of_two_wins),
	        cmocka_unit_test(wrong_workloads_are_refused),
	        cmocka_unit_test(unknown_options_are_named),
	        cmocka_unit_test(wrong_numbers_are_refused_with_the_option_and_the_range),
	        cmocka_unit_test(missing_and_superfluous_values_are_refused),
	        cmocka_unit_test(attaching_wants_a_host_id_and_no_sizes),
	        cmocka_unit_test(help_is_found_before_and_after_other_options),
	        cmocka_unit_test(help_names_every_option),
	        cmocka_unit_test(fingerprint_ignores_order_and_what_hosts_may_differ_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
