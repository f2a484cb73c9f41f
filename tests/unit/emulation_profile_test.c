/* emulation_profile_test.c: what is accepted as a profile, what is refused and in which words; and the names of
 * modes. */
#include "common/pod_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emulation/builtin.h"
#include "emulation/profile.h"

static char message[EMU_MESSAGE_BYTES];

/* A copy of the built-in cxl-direct with one piece of its text replaced. The caller frees it. */
static char *edited(const char *piece, const char *replacement)
{
	const struct emu_builtin *b = emu_builtin(0);
	for (unsigned i = 0; b && strcmp(b->name, "cxl-direct") != 0; i++)
		b = emu_builtin(i);
	assert_non_null(b);
	size_t bytes = (size_t)(b->end - b->json);
	const char *at = strstr(b->json, piece);
	assert_non_null(at);
	char *text = malloc(bytes + strlen(replacement) + 1);
	assert_non_null(text);
	sprintf(text, "%.*s%s%s", (int)(at - b->json), b->json, replacement, at + strlen(piece));
	return text;
}

/* Claims that the profile with that change is refused, and that the message has this piece. */
static void expect_refused(const char *piece, const char *replacement, const char *wanted)
{
	struct emu_profile profile;
	char *text = edited(piece, replacement);
	message[0] = '\0';
	assert_false(emu_profile_parse(text, strlen(text), "mine", &profile, message));
	if (!strstr(message, wanted) || !strstr(message, "mine"))
		fail_msg("\"%s\" is not in: %s", wanted, message);
	free(text);
}

static void every_built_in_profile_is_a_profile(void **state)
{
	(void)state;
	const char *name;
	unsigned count = 0;
	for (; (name = emu_profile_builtin(count)); count++) {
		struct emu_profile profile;
		if (!emu_profile_load(name, &profile, message))
			fail_msg("%s", message);
		assert_string_equal(profile.name, name);
		assert_true(profile.coherence_ns >= profile.read_ns);
		assert_true(profile.device_read_gbps >= profile.host_read_gbps);
	}
	assert_int_equal(count, 10);
	assert_null(emu_profile_builtin(count + 1));
}

static void figures_are_read_as_they_stand(void **state)
{
	(void)state;
	struct emu_profile p;
	assert_true(emu_profile_load("switch-typical", &p, message));
	assert_true(p.read_ns == 592 && p.coherence_ns == 2820 && p.flush_ns == 528);
	assert_true(p.host_read_gbps == 24 && p.host_write_gbps == 22 && p.lines_in_flight == 16);
	assert_int_equal(p.cache_bytes, 16 << 20);
	assert_true(p.read_p99_ns == 0 && p.read_p999_ns == 0);
	assert_true(emu_profile_load("switch-loaded", &p, message));
	assert_true(p.read_p99_ns == 611 && p.read_p999_ns == 1624);
}

static void members_are_known_present_and_there_once(void **state)
{
	(void)state;
	expect_refused("\"read_ns\"", "\"read_us\"", "\"read_us\" is no member");
	expect_refused("\"description\": \"CXL", "\"name\": \"CXL", "\"name\" is there twice");
	expect_refused("\"flush_ns\"", "\"read_ns\"", "\"read_ns\" is there twice");
	expect_refused("{\n\t\"name\": \"cxl-direct\",", "{", "\"name\" is missing");
	expect_refused("\"unit\": \"ns\",", "", "\"read_ns\": \"unit\" is missing");
	expect_refused("\"value\": 259, ", "", "\"read_ns\": \"value\" is missing");
	expect_refused("\"source\":", "\"sources\":", "\"read_ns\": \"sources\" is no member");
	expect_refused("\"value\": 259,", "\"value\": 259, \"value\": 260,", "\"read_ns\": \"value\" is there twice");
}

/* Each figure, without itself. */
static void no_figure_may_be_missing(void **state)
{
	(void)state;
	static const char *names[] = {"read_ns", "write_back_ns", "flush_ns", "coherence_ns", "atomic_ns", "fence_ns",
	        "lines_in_flight", "host_read_gbps", "host_write_gbps", "device_read_gbps", "device_write_gbps"};
	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
		char *text = edited("\"name\": \"cxl-direct\"", "\"name\": \"other\""), from[64], wanted[64];
		snprintf(from, sizeof from, "\t\"%s\": {", names[i]);
		snprintf(wanted, sizeof wanted, "\"%s\" is missing", names[i]);
		char *member = strstr(text, from), *end = member ? strchr(member, '}') : NULL;
		assert_non_null(end);
		memmove(member, end + 2, strlen(end + 2) + 1);
		struct emu_profile profile;
		assert_false(emu_profile_parse(text, strlen(text), "mine", &profile, message));
		assert_non_null(strstr(message, wanted));
		free(text);
	}
}

static void a_figure_is_an_object_with_a_number_its_unit_and_its_source(void **state)
{
	(void)state;
	expect_refused("\"read_ns\": {", "\"read_ns\": 259, \"flush_ns\": {", "\"flush_ns\" is there twice");
	expect_refused("\"unit\": \"ns\"", "\"unit\": \"us\"", "\"read_ns\": \"unit\" must be \"ns\"");
	expect_refused("\"unit\": \"GB/s\"", "\"unit\": \"MB/s\"", "\"host_read_gbps\": \"unit\" must be \"GB/s\"");
	expect_refused("\"unit\": \"ns\"", "\"unit\": 1", "\"unit\" must be \"ns\"");
	expect_refused("\"value\": 259", "\"value\": \"259\"", "\"read_ns\": \"value\" must be a number");
	expect_refused("\"value\": 259", "\"value\": null", "\"read_ns\": \"value\" must be a number");
	expect_refused("\"source\": \"", "\"source\": \"\", \"x\": \"", "\"x\" is no member");
	struct emu_profile profile;
	static const char plain[] = "{\"name\": \"n\", \"description\": \"d\", \"read_ns\": 259}";
	assert_false(emu_profile_parse(plain, strlen(plain), "mine", &profile, message));
	assert_non_null(strstr(message, "\"read_ns\" must be {\"value\": NUMBER, \"unit\": \"ns\""));
	static const char sourceless[] = "{\"name\": \"n\", \"description\": \"d\", \"read_ns\": {\"value\": 1, "
	                                 "\"unit\": \"ns\", \"source\": \"\"}}";
	assert_false(emu_profile_parse(sourceless, strlen(sourceless), "mine", &profile, message));
	assert_non_null(strstr(message, "\"source\" must say where the figure is from"));
}

static void figures_have_ranges(void **state)
{
	(void)state;
	static const struct {
		const char *piece, *replacement, *wanted;
	} cases[] = {
	        {"\"value\": 259,", "\"value\": 0.5,", "\"read_ns\": 0.5 ns is out of range: 1 to 1000000"},
	        {"\"value\": 259,", "\"value\": 1000001,", "\"read_ns\": 1000001 ns is out of range"},
	        {"\"value\": 259,", "\"value\": 1e999,", "\"read_ns\": inf ns is out of range"},
	        {"\"write_back_ns\": {\"value\": 231", "\"write_back_ns\": {\"value\": -1",
	                "\"write_back_ns\": -1 ns is out"},
	        {"\"flush_ns\": {\"value\": 231", "\"flush_ns\": {\"value\": -1",
	                "\"flush_ns\": -1 ns is out of range"},
	        {"\"coherence_ns\": {\"value\": 1", "\"coherence_ns\": {\"value\": -1",
	                "\"coherence_ns\": -1233 ns is out"},
	        {"\"atomic_ns\": {\"value\": 6", "\"atomic_ns\": {\"value\": -6",
	                "\"atomic_ns\": -6 ns is out of range"},
	        {"\"fence_ns\": {\"value\": 22", "\"fence_ns\": {\"value\": 2e6",
	                "\"fence_ns\": 2000000 ns is out of range"},
	        {"\"value\": 16,", "\"value\": 0,", "\"lines_in_flight\": 0 lines is out of range: 1 to 1024"},
	        {"\"value\": 31.8,", "\"value\": 0,", "\"host_read_gbps\": 0 GB/s is out of range: 0.01 to 10000"},
	        {"\"host_write_gbps\": {\"value\": 31.8", "\"host_write_gbps\": {\"value\": 10001",
	                "\"host_write_gbps\": 10001 GB/s is out of range"},
	        {"\"device_read_gbps\": {\"value\": 31.8", "\"device_read_gbps\": {\"value\": 0.001",
	                "\"device_read_gbps\": 0.001 GB/s is out of range"},
	        {"\"device_write_gbps\": {\"value\": 31.8", "\"device_write_gbps\": {\"value\": -1",
	                "\"device_write_gbps\": -1 GB/s is out of range"},
	        {"\"value\": 16777216", "\"value\": 4095",
	                "\"cache_bytes\": 4095 bytes is out of range: 4096 to 68719476736"},
	        {"\"value\": 16777216", "\"value\": 1e15", "\"cache_bytes\": 1e+15 bytes is out of range"},
	        {"\"value\": 16777216", "\"value\": 4096.5", "\"cache_bytes\": 4096.5 bytes is not a whole number"},
	};
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
		expect_refused(cases[i].piece, cases[i].replacement, cases[i].wanted);
}

/* A tail of these two figures, put in front of the profile's others. */
static void expect_tail_refused(const char *p99, const char *p999, const char *wanted)
{
	char tail[400] = "\"read_ns\": {";
	const char *values[] = {p99, p999}, *names[] = {"read_p99_ns", "read_p999_ns"};
	int at = 0;
	for (unsigned i = 0; i < 2; i++)
		if (values[i])
			at += snprintf(tail + at, sizeof tail - (size_t)at,
			        "\"%s\": {\"value\": %s, \"unit\": \"ns\", \"source\": \"s\"}, ", names[i], values[i]);
	snprintf(tail + at, sizeof tail - (size_t)at, "\"read_ns\": {");
	expect_refused("\"read_ns\": {", tail, wanted);
}

static void quantiles_grow(void **state)
{
	(void)state;
	expect_tail_refused("258", NULL, "\"read_p99_ns\" (258) is below \"read_ns\" (259)");
	expect_tail_refused("300", "299", "\"read_p999_ns\" (299) is below \"read_p99_ns\" (300)");
	expect_tail_refused(NULL, "500", "\"read_p999_ns\" needs \"read_p99_ns\"");
	expect_tail_refused("0", NULL, "\"read_p99_ns\": 0 ns is out of range");
	expect_tail_refused("300", "0", "\"read_p999_ns\": 0 ns is out of range");
}

static void names_and_descriptions_are_short_texts(void **state)
{
	(void)state;
	expect_refused("\"cxl-direct\"", "\"cxl direct\"", "\"name\" may have letters");
	expect_refused("\"cxl-direct\"", "\"\"", "\"name\" must be a text of 1 to 63 bytes");
	expect_refused("\"cxl-direct\"", "7", "\"name\" must be a text");
	expect_refused("\"cxl-direct\"", "\"0123456789012345678901234567890123456789012345678901234567890123\"",
	        "\"name\" must be a text of 1 to 63 bytes");
	expect_refused(
	        "\"description\": \"", "\"description\": 1, \"description\": \"", "\"description\" is there twice");
}

static void what_is_not_json_is_refused_with_its_line(void **state)
{
	(void)state;
	struct emu_profile profile;
	expect_refused("\"value\": 259,", "\"value\": 259;", "line 4: not JSON");
	expect_refused("\n}\n", "\n}\n}\n", "there is more after the profile");
	expect_refused("\n}\n", "\n} x", "there is more after the profile");
	assert_false(emu_profile_parse("", 0, "mine", &profile, message));
	assert_non_null(strstr(message, "not JSON"));
	assert_false(emu_profile_parse("[1]", 3, "mine", &profile, message));
	assert_non_null(strstr(message, "a profile is a JSON object"));
	assert_false(emu_profile_parse("{}\0", 3, "mine", &profile, message));
	assert_non_null(strstr(message, "there is more after the profile"));
}

/* A file of these bytes; the caller frees and removes it. */
static char *file_of(const char *text, size_t bytes)
{
	char *path = strdup("/tmp/liger-test-profile-XXXXXX.json");
	assert_non_null(path);
	int fd = mkstemps(path, 5);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, bytes), (ssize_t)bytes);
	assert_int_equal(close(fd), 0);
	return path;
}

static void profiles_are_read_from_files(void **state)
{
	(void)state;
	struct emu_profile profile;
	char *text = edited("\"value\": 259", "\"value\": 333");
	char *path = file_of(text, strlen(text));
	assert_true(emu_profile_load(path, &profile, message));
	assert_true(profile.read_ns == 333);
	assert_int_equal(unlink(path), 0);
	free(path);
	free(text);
}

static void files_that_are_no_profiles_are_refused(void **state)
{
	(void)state;
	struct emu_profile profile;
	assert_false(emu_profile_load("/nonexistent/profile", &profile, message));
	assert_non_null(strstr(message, "profile /nonexistent/profile: cannot be opened: No such file"));
	assert_false(emu_profile_load("missing.json", &profile, message));
	assert_non_null(strstr(message, "cannot be opened"));
	assert_false(emu_profile_load("/tmp", &profile, message));
	assert_non_null(strstr(message, "cannot be read: Is a directory"));
	assert_false(emu_profile_load("no-such-device", &profile, message));
	assert_non_null(strstr(message, "there is no profile no-such-device; built in are local-dram, far-socket"));
	assert_non_null(strstr(message, "switch-loaded; a path with '/' or ending in .json names a file"));
	enum { TOO_LARGE = 64 * 1024 + 1 };
	char *text = malloc(TOO_LARGE);
	assert_non_null(text);
	memset(text, ' ', TOO_LARGE);
	char *path = file_of(text, TOO_LARGE);
	assert_false(emu_profile_load(path, &profile, message));
	assert_non_null(strstr(message, "more than 65536 bytes"));
	assert_int_equal(unlink(path), 0);
	free(path);
	free(text);
}

static void modes_have_names(void **state)
{
	(void)state;
	struct emu_spec spec;
	static const char *direct[] = {NULL, "", "direct"};
	for (unsigned i = 0; i < 3; i++) {
		assert_true(emu_spec_parse(direct[i], &spec, message));
		assert_int_equal(spec.mode, EMU_DIRECT);
	}
	assert_true(emu_spec_parse("delay:./mine.json", &spec, message));
	assert_int_equal(spec.mode, EMU_DELAY);
	assert_string_equal(spec.profile, "./mine.json");
	assert_true(emu_spec_parse("incoherent", &spec, message));
	assert_int_equal(spec.mode, EMU_INCOHERENT);
	assert_true(emu_spec_parse("incoherent:18446744073709551615", &spec, message));
	assert_int_equal(spec.seed, UINT64_MAX);
	assert_true(emu_spec_parse("incoherent:0x10", &spec, message));
	assert_int_equal(spec.seed, 16);
	assert_true(emu_spec_parse("incoherent:010", &spec, message)); /* no octal */
	assert_int_equal(spec.seed, 10);
	assert_true(emu_spec_parse("incoherent:08", &spec, message));
	assert_int_equal(spec.seed, 8);
}

static void other_names_are_no_modes(void **state)
{
	(void)state;
	struct emu_spec spec;
	char longest[400] = "delay:";
	memset(longest + 6, 'x', 256);
	static const char *bad[] = {"delay", "delay:", "delays:x", "incoherent:", "incoherent:x", "incoherent:-1",
	        "incoherent:0x", "incoherent:0x-1", "incoherent:1f", "incoherent:1 ", "incoherent:18446744073709551616",
	        "Direct", "direct "};
	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		message[0] = '\0';
		assert_false(emu_spec_parse(bad[i], &spec, message));
		assert_true(message[0] != '\0');
	}
	assert_false(emu_spec_parse(longest, &spec, message));
	assert_non_null(strstr(message, "of 1 to 255 bytes"));
	longest[6 + 255] = '\0';
	assert_true(emu_spec_parse(longest, &spec, message));
}

/* By the quantiles, a millionth at a time. */
static double mean_of_quantiles(const struct emu_profile *p)
{
	enum { STEPS = 1000000 };
	double sum = 0, p999 = p->read_p999_ns > 0 ? p->read_p999_ns : p->read_p99_ns;
	for (unsigned i = 0; i < STEPS; i++) {
		double u = (i + 0.5) / STEPS, ns = p999;
		if (u < EMU_TAIL_FROM)
			ns = p->read_ns;
		else if (u < 0.99)
			ns = p->read_ns *
			     pow(p->read_p99_ns / p->read_ns, (u - EMU_TAIL_FROM) / (0.99 - EMU_TAIL_FROM));
		else if (u < 0.999)
			ns = p->read_p99_ns * pow(p999 / p->read_p99_ns, (u - 0.99) / 0.009);
		sum += ns;
	}
	return sum / STEPS;
}

static void a_tail_makes_the_mean_more_than_the_median(void **state)
{
	(void)state;
	struct emu_profile p = {.read_ns = 230};
	assert_true(emu_profile_mean_read_ns(&p) == 230);
	p.read_p99_ns = 611;
	assert_true(fabs(emu_profile_mean_read_ns(&p) - mean_of_quantiles(&p)) < 0.01);
	p.read_p999_ns = 1624;
	assert_true(fabs(emu_profile_mean_read_ns(&p) - mean_of_quantiles(&p)) < 0.01);
	assert_true(emu_profile_mean_read_ns(&p) > 250);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_built_in_profile_is_a_profile),
	        cmocka_unit_test(figures_are_read_as_they_stand),
	        cmocka_unit_test(members_are_known_present_and_there_once),
	        cmocka_unit_test(no_figure_may_be_missing),
	        cmocka_unit_test(a_figure_is_an_object_with_a_number_its_unit_and_its_source),
	        cmocka_unit_test(figures_have_ranges),
	        cmocka_unit_test(quantiles_grow),
	        cmocka_unit_test(names_and_descriptions_are_short_texts),
	        cmocka_unit_test(what_is_not_json_is_refused_with_its_line),
	        cmocka_unit_test(profiles_are_read_from_files),
	        cmocka_unit_test(files_that_are_no_profiles_are_refused),
	        cmocka_unit_test(modes_have_names),
	        cmocka_unit_test(other_names_are_no_modes),
	        cmocka_unit_test(a_tail_makes_the_mean_more_than_the_median),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
