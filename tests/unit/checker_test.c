/* checker_test.c: the serializability checker on histories made by hand, each with one known anomaly or with none. */
#include "checker/checker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Session 0 inserts the rows 0:1 (id 1) and 0:2 (id 2) before all else. */
#define LOAD "liger-history 1\nt 0 0 1 c\ni 0 1 1\ni 0 2 2\n.\n"

static struct checker_result result;

static void run(const char *text, enum checker_order order)
{
	struct history h;
	char message[256];
	history_init(&h);
	FILE *in = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	assert_non_null(in);
	if (!history_read(&h, in, "test", message, sizeof(message)))
		fail_msg("%s", message);
	fclose(in);
	checker_run(&h, order, &result);
	history_free(&h);
}

static void expect(enum anomaly wanted, const char *text)
{
	run(text, CHECKER_ORDER_NONE);
	if (result.anomaly != wanted)
		fail_msg("found %s, not %s:\n%s", anomaly_name(result.anomaly), anomaly_name(wanted), result.report);
	assert_int_equal(result.report[0] != '\0', wanted != ANOMALY_NONE);
}

static void accepts_an_empty_history(void **state)
{
	(void)state;
	expect(ANOMALY_NONE, "liger-history 1\n");
	assert_int_equal(result.committed, 0);
}

static void accepts_appends_one_after_the_other(void **state)
{
	(void)state;
	expect(ANOMALY_NONE, LOAD "t 1 2 3 c\nr 0 1 1\na 0 1 10\nr 0 1 1 10\n.\n"
	                          "t 2 2 5 c\nr 0 1 1 10\na 0 1 11\n.\n"
	                          "t 1 6 7 c\nr 0 1 1 10 11\nr 0 2 2\n.\n");
	assert_int_equal(result.committed, 4);
}

static void accepts_two_appends_of_one_transaction_to_a_row(void **state)
{
	(void)state;
	expect(ANOMALY_NONE,
	        LOAD "t 1 2 3 c\nr 0 1 1\na 0 1 10\na 0 1 11\n.\nt 2 2 3 c\nr 0 1 1 10 11\n.\nt 3 2 3 c\nr 0 1 1\n.\n");
}

static void accepts_appends_without_reads(void **state)
{
	(void)state;
	expect(ANOMALY_NONE, LOAD "t 1 2 3 c\na 0 1 10\n.\nt 2 2 3 c\na 0 1 11\nr 0 1 1 10 11\n.\n");
}

static void ignores_aborted_transactions_that_nobody_saw(void **state)
{
	(void)state;
	expect(ANOMALY_NONE, LOAD "t 1 2 3 a\nr 0 1 1\na 0 1 10\n.\nt 2 2 3 c\nr 0 1 1\n.\n");
}

static void finds_g0(void **state)
{
	(void)state;
	/* T1 writes row 1 first and row 2 second, T2 the other way about; nobody read before writing. */
	expect(ANOMALY_G0, LOAD "t 1 2 9 c\na 0 1 10\na 0 2 20\n.\n"
	                        "t 2 2 9 c\na 0 1 11\na 0 2 21\n.\n"
	                        "t 3 10 11 c\nr 0 1 1 10 11\nr 0 2 2 21 20\n.\n");
}

static void finds_g1a(void **state)
{
	(void)state;
	expect(ANOMALY_G1A, LOAD "t 1 2 3 a\nr 0 1 1\na 0 1 10\n.\nt 2 2 3 c\nr 0 1 1 10\n.\n");
}

static void finds_g1b(void **state)
{
	(void)state;
	expect(ANOMALY_G1B, LOAD "t 1 2 9 c\nr 0 1 1\na 0 1 10\na 0 1 11\n.\nt 2 2 9 c\nr 0 1 1 10\n.\n");
}

static void finds_g1b_of_a_row_that_was_inserted_and_deleted_at_once(void **state)
{
	(void)state;
	expect(ANOMALY_G1B, LOAD "t 1 2 9 c\ni 0 3 30\nd 0 3\n.\nt 2 2 9 c\nr 0 3 30\n.\n");
}

static void finds_g1c(void **state)
{
	(void)state;
	expect(ANOMALY_G1C, LOAD "t 1 2 9 c\na 0 1 10\nr 0 2 2 20\n.\nt 2 2 9 c\na 0 2 20\nr 0 1 1 10\n.\n");
}

static void finds_read_skew(void **state)
{
	(void)state;
	/* T1 reads row 1 before T2's write and row 2 after it. */
	expect(ANOMALY_G_SINGLE, LOAD "t 1 2 9 c\nr 0 1 1\nr 0 2 2 20\n.\n"
	                              "t 2 3 4 c\nr 0 1 1\na 0 1 10\nr 0 2 2\na 0 2 20\n.\n");
}

static void finds_write_skew(void **state)
{
	(void)state;
	expect(ANOMALY_G2_ITEM,
	        LOAD "t 1 2 9 c\nr 0 1 1\nr 0 2 2\na 0 1 10\n.\nt 2 2 9 c\nr 0 1 1\nr 0 2 2\na 0 2 20\n.\n");
	assert_non_null(strstr(result.report, "--rw--> read the version before 20 of key 0:2"));
}

static void finds_write_skew_by_inserts_that_gets_did_not_see(void **state)
{
	(void)state;
	expect(ANOMALY_G2_ITEM, LOAD "t 1 2 9 c\nr 0 6 -\ni 0 5 50\n.\nt 2 2 9 c\nr 0 5 -\ni 0 6 60\n.\n");
}

static void finds_a_phantom_through_forward_and_reverse_scans(void **state)
{
	(void)state;
	/* Both count the rows of [1, 9), and each inserts one that the other did not see. */
	expect(ANOMALY_G2, LOAD "t 1 2 9 c\ns 0 1 9 f 2\nv 1 1\nv 2 2\ni 0 5 50\n.\n"
	                        "t 2 2 9 c\ns 0 1 9 r 2\nv 2 2\nv 1 1\ni 0 6 60\n.\n");
}

static void finds_read_skew_through_a_scan(void **state)
{
	(void)state;
	/* One transaction inserts 5 and 6; the scan sees only one of them. */
	expect(ANOMALY_G_SINGLE, LOAD "t 1 2 9 c\ni 0 5 50\ni 0 6 60\n.\nt 2 2 9 c\ns 0 4 9 f 1\nv 6 60\n.\n");
}

static void a_scan_answers_only_for_its_range(void **state)
{
	(void)state;
	expect(ANOMALY_NONE, LOAD "t 1 2 9 c\ns 0 1 6 f 2\nv 1 1\nv 2 2\ni 0 5 50\n.\n"
	                          "t 2 2 9 c\ns 0 6 9 f 0\ni 0 6 60\ns 1 0 100 f 0\n.\n");
}

static void finds_a_phantom_by_a_delete(void **state)
{
	(void)state;
	/* Each deletes a row that the other's scan returned. */
	expect(ANOMALY_G2, LOAD "t 1 2 9 c\ns 0 1 9 f 2\nv 1 1\nv 2 2\nd 0 1\n.\n"
	                        "t 2 2 9 c\ns 0 1 9 f 2\nv 1 1\nv 2 2\nd 0 2\n.\n");
}

static void finds_a_lost_update(void **state)
{
	(void)state;
	expect(ANOMALY_LOST_UPDATE, LOAD "t 1 2 9 c\nr 0 1 1\na 0 1 10\n.\nt 2 2 9 c\nr 0 1 1\na 0 1 11\n.\n");
}

static void finds_a_row_inserted_twice(void **state)
{
	(void)state;
	expect(ANOMALY_LOST_UPDATE, LOAD "t 1 2 9 c\ni 0 5 50\n.\nt 2 2 9 c\ni 0 5 51\n.\n");
}

static void finds_a_row_deleted_twice(void **state)
{
	(void)state;
	expect(ANOMALY_DELETED_TWICE, LOAD "t 1 2 9 c\nr 0 1 1\nd 0 1\n.\nt 2 2 9 c\nr 0 1 1\nd 0 1\n.\n");
}

static void finds_an_append_to_a_row_that_another_deletes(void **state)
{
	(void)state;
	expect(ANOMALY_G_SINGLE, LOAD "t 1 2 9 c\nr 0 1 1\nd 0 1\n.\nt 2 2 9 c\nr 0 1 1\na 0 1 10\n.\n");
}

static void finds_a_duplicate_append(void **state)
{
	(void)state;
	expect(ANOMALY_DUPLICATE, LOAD "t 1 2 9 c\nr 0 1 1\na 0 1 10\n.\nt 2 2 9 c\nr 0 1 1 10 10\n.\n");
}

static void finds_lists_that_are_no_prefixes(void **state)
{
	(void)state;
	expect(ANOMALY_INCOMPATIBLE, LOAD "t 1 2 9 c\na 0 1 10\n.\nt 2 2 9 c\na 0 1 11\n.\n"
	                                  "t 3 2 9 c\nr 0 1 1 10\n.\nt 4 2 9 c\nr 0 1 1 11 10\n.\n");
}

static void finds_an_id_that_nobody_wrote(void **state)
{
	(void)state;
	expect(ANOMALY_GARBAGE, LOAD "t 1 2 9 c\nr 0 1 1 77\n.\n");
	expect(ANOMALY_GARBAGE, LOAD "t 1 2 9 c\nr 0 1 2\n.\n");
}

static void finds_a_transaction_blind_to_its_own_writes(void **state)
{
	(void)state;
	expect(ANOMALY_INTERNAL, LOAD "t 1 2 9 c\nr 0 1 1\na 0 1 10\nr 0 1 1\n.\n");
	expect(ANOMALY_INTERNAL, LOAD "t 1 2 9 c\na 0 1 10\nr 0 1 1\n.\n");
	expect(ANOMALY_INTERNAL, LOAD "t 1 2 9 c\ni 0 5 50\ns 0 1 9 f 2\nv 1 1\nv 2 2\n.\n");
	expect(ANOMALY_INTERNAL, LOAD "t 1 2 9 c\nr 0 1 1\nd 0 1\nr 0 1 1\n.\n");
	expect(ANOMALY_INTERNAL, LOAD "t 1 2 9 c\nr 0 5 -\nx 0 5\n.\n");
}

static void finds_a_read_that_does_not_repeat(void **state)
{
	(void)state;
	expect(ANOMALY_INTERNAL, LOAD "t 1 2 9 c\nr 0 1 1\nr 0 1 1 10\n.\nt 2 3 4 c\nr 0 1 1\na 0 1 10\n.\n");
}

static void finds_scans_out_of_order_or_range(void **state)
{
	(void)state;
	expect(ANOMALY_SCAN_ORDER, LOAD "t 1 2 9 c\ns 0 1 9 f 2\nv 2 2\nv 1 1\n.\n");
	expect(ANOMALY_SCAN_ORDER, LOAD "t 1 2 9 c\ns 0 1 9 r 2\nv 1 1\nv 2 2\n.\n");
	expect(ANOMALY_SCAN_ORDER, LOAD "t 1 2 9 c\ns 0 1 9 f 2\nv 1 1\nv 1 1\n.\n");
	expect(ANOMALY_SCAN_ORDER, LOAD "t 1 2 9 c\ns 0 1 2 f 2\nv 1 1\nv 2 2\n.\n");
}

static void finds_histories_recorded_wrongly(void **state)
{
	(void)state;
	expect(ANOMALY_MALFORMED, LOAD "t 1 2 9 c\nr 0 1 1\na 0 1 1\n.\n");
	expect(ANOMALY_MALFORMED, LOAD "t 1 2 9 c\nd 0 1\n.\n");
}

static void accepts_a_key_with_several_lives(void **state)
{
	(void)state;
	expect(ANOMALY_NONE, LOAD "t 1 2 3 c\nr 0 1 1\na 0 1 10\nd 0 1\n.\n"
	                          "t 2 4 5 c\nr 0 1 -\n.\n"
	                          "t 1 6 7 c\ni 0 1 11\n.\n"
	                          "t 2 8 9 c\nr 0 1 11\nd 0 1\ni 0 1 12\n.\n"
	                          "t 3 8 9 c\nr 0 1 12\ns 0 0 9 f 2\nv 1 12\nv 2 2\n.\n");
	assert_int_equal(result.lives, 4);
}

static void orders_lives_by_what_must_come_before(void **state)
{
	(void)state;
	/* Key 1 has the lives 1 and 11. T2, who inserted 11, comes after the load, who inserted 1: so after T1, who deleted it.
	 * T4 has seen T3's write, T3 has seen life 11, and still T4 sees life 1. */
	expect(ANOMALY_G_SINGLE, LOAD "t 1 2 9 c\nr 0 1 1\nd 0 1\n.\n"
	                              "t 2 2 9 c\nr 0 2 2\ni 0 1 11\n.\n"
	                              "t 3 2 9 c\nr 0 1 11\ni 0 3 30\n.\n"
	                              "t 4 2 9 c\nr 0 3 30\nr 0 1 1\n.\n");
	assert_non_null(strstr(result.report, "did not see the life that begins with 1"));
}

static void places_an_absence_between_two_lives(void **state)
{
	(void)state;
	/* T3 finds key 1 absent, and has seen the write of the deleter: so it comes before life 11, whose inserter it has seen
	 * as well. */
	expect(ANOMALY_G_SINGLE, LOAD "t 1 2 9 c\nr 0 1 1\nd 0 1\nr 0 2 2\na 0 2 20\n.\n"
	                              "t 2 2 9 c\ni 0 1 11\nr 0 2 2 20\na 0 2 21\n.\n"
	                              "t 3 2 9 c\nr 0 2 2 20 21\nr 0 1 -\n.\n");
}

static void leaves_an_absence_open_that_may_stand_on_either_side(void **state)
{
	(void)state;
	expect(ANOMALY_NONE,
	        "liger-history 1\nt 1 1 1 c\ni 0 1 1\n.\nt 2 2 2 c\nr 0 1 1\nd 0 1\n.\nt 3 3 3 c\nr 0 1 -\n.\n");
	assert_int_equal(result.absences, 1);
	assert_int_equal(result.undecided, 1);
}

static void real_time_settles_absences(void **state)
{
	(void)state;
	run("liger-history 1\nt 1 1 1 c\ni 0 1 1\n.\nt 2 2 2 c\nr 0 1 1\nd 0 1\n.\nt 3 3 3 c\nr 0 1 -\n.\n",
	        CHECKER_ORDER_REALTIME);
	assert_int_equal(result.anomaly, ANOMALY_NONE);
	assert_int_equal(result.undecided, 0);
}

static void a_stale_read_is_an_anomaly_only_with_the_order_of_time(void **state)
{
	static const char stale[] = LOAD "t 1 2 3 c\nr 0 1 1\na 0 1 10\n.\nt 2 4 5 c\nr 0 1 1\n.\n";
	(void)state;
	expect(ANOMALY_NONE, stale);
	run(stale, CHECKER_ORDER_SESSION);
	assert_int_equal(result.anomaly, ANOMALY_NONE);
	run(stale, CHECKER_ORDER_REALTIME);
	assert_int_equal(result.anomaly, ANOMALY_ORDER);
	assert_non_null(strstr(result.report, "had ended before the begin of"));
}

static void a_stale_read_within_a_session_is_an_anomaly_with_its_order(void **state)
{
	(void)state;
	run(LOAD "t 1 2 3 c\nr 0 1 1\na 0 1 10\n.\nt 1 3 5 c\nr 0 1 1\n.\n", CHECKER_ORDER_SESSION);
	assert_int_equal(result.anomaly, ANOMALY_ORDER);
}

static void concurrent_transactions_have_no_order_of_time(void **state)
{
	(void)state;
	run(LOAD "t 1 2 6 c\nr 0 1 1\na 0 1 10\n.\nt 2 4 8 c\nr 0 1 1\n.\n", CHECKER_ORDER_REALTIME);
	assert_int_equal(result.anomaly, ANOMALY_NONE);
}

static void an_unknown_outcome_has_happened_once_it_was_seen(void **state)
{
	(void)state;
	expect(ANOMALY_NONE, LOAD "t 1 2 9 u\nr 0 1 1\na 0 1 10\n.\nt 2 2 9 c\nr 0 1 1 10\n.\n");
	assert_int_equal(result.committed, 3);
	expect(ANOMALY_NONE, LOAD "t 1 2 9 u\nr 0 1 1\na 0 1 10\n.\nt 2 2 9 c\nr 0 1 1\n.\n");
	assert_int_equal(result.committed, 2);
	/* A delete of unknown outcome: the row may be absent afterwards, or not. */
	expect(ANOMALY_NONE, LOAD "t 1 2 9 u\nr 0 1 1\nd 0 1\n.\nt 2 2 9 c\nr 0 1 1\n.\nt 2 9 9 c\nr 0 1 -\n.\n");
	/* Seen, so its reads count. */
	expect(ANOMALY_G2_ITEM,
	        LOAD "t 1 2 9 u\nr 0 1 1\nr 0 2 2\na 0 1 10\n.\nt 2 2 9 c\nr 0 1 1\nr 0 2 2\na 0 2 20\n.\n"
	             "t 3 9 9 c\nr 0 1 1 10\n.\n");
}

static void a_file_cut_short_leaves_its_last_transaction_unknown(void **state)
{
	(void)state;
	expect(ANOMALY_NONE, LOAD "t 1 2 9 c\nr 0 1 1\na 0 1 10\nr 0 2 ");
	assert_int_equal(result.committed, 1);
	expect(ANOMALY_NONE, LOAD "t 1 2 9 c\ns 0 1 9 f 2\nv 1 1\n");
	assert_int_equal(result.committed, 1);
}

static void refuses_what_is_no_history(void **state)
{
	static const char *const bad[] = {
	        "",
	        "history\n",
	        "liger-history 1\nr 0 1 1\n",
	        "liger-history 1\nt 1 2\n",
	        "liger-history 1\nt 1 3 2 c\n.\n",
	        "liger-history 1\nt 1 2 3 c\nr 0 1\n.\n",
	        "liger-history 1\nt 1 2 3 c\nq 0 1\n.\n",
	        "liger-history 1\nt 1 2 3 c\nr 0 -1 4\n.\n",
	        "liger-history 1\nt 1 2 3 c\ns 0 1 9 f 1\n.\n",
	        "liger-history 1\nt 1 2 3 c\nv 1 1\n.\n",
	        "liger-history 1\nt 1 2 3 c\nr 0 99999999999999999999 1\n.\n",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct history h;
		char message[256] = "";
		history_init(&h);
		FILE *in = i == 0 ? fopen("/dev/null", "r") : fmemopen((void *)(uintptr_t)bad[i], strlen(bad[i]), "r");
		assert_non_null(in);
		if (history_read(&h, in, "test", message, sizeof(message)))
			fail_msg("accepted: %s", bad[i]);
		assert_true(message[0] != '\0');
		fclose(in);
		history_free(&h);
	}
}

static uint64_t seed = 88172645463325252u;

static uint64_t below(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % n;
}

#define MODEL_KEYS 24
struct model_row {
	bool present;
	uint64_t ids[64];
	size_t count;
};

static void print_list(FILE *out, const struct model_row *row)
{
	for (size_t i = 0; i < row->count; i++)
		fprintf(out, " %llu", (unsigned long long)row->ids[i]);
	fprintf(out, "\n");
}

static void model_step(FILE *out, struct model_row *rows, uint64_t *next_id)
{
	uint64_t k = below(MODEL_KEYS), hi = k + 1 + below(6);
	struct model_row *row = &rows[k];
	if (below(4) == 0) {
		size_t found = 0;
		for (uint64_t i = k; i < hi && i < MODEL_KEYS; i++)
			found += rows[i].present;
		fprintf(out, "s 0 %llu %llu f %zu\n", (unsigned long long)k, (unsigned long long)hi, found);
		for (uint64_t i = k; i < hi && i < MODEL_KEYS; i++) {
			if (rows[i].present) {
				fprintf(out, "v %llu", (unsigned long long)i);
				print_list(out, &rows[i]);
			}
		}
		return;
	}
	if (!row->present) {
		fprintf(out, "r 0 %llu -\n", (unsigned long long)k);
		if (below(2) == 0)
			return;
		row->present = true;
		row->count = 0;
		fprintf(out, "i 0 %llu %llu\n", (unsigned long long)k, (unsigned long long)*next_id);
		row->ids[row->count++] = (*next_id)++;
		return;
	}
	fprintf(out, "r 0 %llu", (unsigned long long)k);
	print_list(out, row);
	if (row->count == 64 || below(5) == 0) {
		fprintf(out, "d 0 %llu\n", (unsigned long long)k);
		row->present = false;
	} else if (below(2) == 0) {
		fprintf(out, "a 0 %llu %llu\n", (unsigned long long)k, (unsigned long long)*next_id);
		row->ids[row->count++] = (*next_id)++;
	}
}

/* Transactions run one after the other, each at one point within its begin and its end, which overlap. */
static void never_accuses_a_serial_execution(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++) {
		struct model_row rows[MODEL_KEYS] = {{0}};
		char *text = NULL;
		size_t bytes = 0;
		uint64_t next_id = 1, session_end[8] = {0};
		FILE *out = open_memstream(&text, &bytes);
		assert_non_null(out);
		fprintf(out, "liger-history 1\n");
		for (uint64_t t = 1; t <= 400; t++) {
			uint64_t session = below(8), now = t * 10, begin = now - below(60);
			begin = t < 7 || begin < session_end[session] ? session_end[session] : begin;
			session_end[session] = now + below(10);
			fprintf(out, "t %llu %llu %llu c\n", (unsigned long long)session, (unsigned long long)begin,
			        (unsigned long long)session_end[session]);
			for (uint64_t ops = 1 + below(5); ops > 0; ops--)
				model_step(out, rows, &next_id);
			fprintf(out, ".\n");
		}
		fclose(out);
		for (int order = CHECKER_ORDER_NONE; order <= CHECKER_ORDER_REALTIME; order++) {
			run(text, (enum checker_order)order);
			if (result.anomaly != ANOMALY_NONE)
				fail_msg("round %d, order %d: %s", round, order, result.report);
			assert_int_equal(result.committed, 400);
		}
		/* Reads fix most places even so; time fixes nearly all. */
		assert_true(result.undecided * 10 < result.absences);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(accepts_an_empty_history),
	        cmocka_unit_test(accepts_appends_one_after_the_other),
	        cmocka_unit_test(accepts_two_appends_of_one_transaction_to_a_row),
	        cmocka_unit_test(accepts_appends_without_reads),
	        cmocka_unit_test(ignores_aborted_transactions_that_nobody_saw),
	        cmocka_unit_test(finds_g0),
	        cmocka_unit_test(finds_g1a),
	        cmocka_unit_test(finds_g1b),
	        cmocka_unit_test(finds_g1b_of_a_row_that_was_inserted_and_deleted_at_once),
	        cmocka_unit_test(finds_g1c),
	        cmocka_unit_test(finds_read_skew),
	        cmocka_unit_test(finds_write_skew),
	        cmocka_unit_test(finds_write_skew_by_inserts_that_gets_did_not_see),
	        cmocka_unit_test(finds_a_phantom_through_forward_and_reverse_scans),
	        cmocka_unit_test(finds_read_skew_through_a_scan),
	        cmocka_unit_test(a_scan_answers_only_for_its_range),
	        cmocka_unit_test(finds_a_phantom_by_a_delete),
	        cmocka_unit_test(finds_a_lost_update),
	        cmocka_unit_test(finds_a_row_inserted_twice),
	        cmocka_unit_test(finds_a_row_deleted_twice),
	        cmocka_unit_test(finds_an_append_to_a_row_that_another_deletes),
	        cmocka_unit_test(finds_a_duplicate_append),
	        cmocka_unit_test(finds_lists_that_are_no_prefixes),
	        cmocka_unit_test(finds_an_id_that_nobody_wrote),
	        cmocka_unit_test(finds_a_transaction_blind_to_its_own_writes),
	        cmocka_unit_test(finds_a_read_that_does_not_repeat),
	        cmocka_unit_test(finds_scans_out_of_order_or_range),
	        cmocka_unit_test(finds_histories_recorded_wrongly),
	        cmocka_unit_test(accepts_a_key_with_several_lives),
	        cmocka_unit_test(orders_lives_by_what_must_come_before),
	        cmocka_unit_test(places_an_absence_between_two_lives),
	        cmocka_unit_test(leaves_an_absence_open_that_may_stand_on_either_side),
	        cmocka_unit_test(real_time_settles_absences),
	        cmocka_unit_test(a_stale_read_is_an_anomaly_only_with_the_order_of_time),
	        cmocka_unit_test(a_stale_read_within_a_session_is_an_anomaly_with_its_order),
	        cmocka_unit_test(concurrent_transactions_have_no_order_of_time),
	        cmocka_unit_test(an_unknown_outcome_has_happened_once_it_was_seen),
	        cmocka_unit_test(a_file_cut_short_leaves_its_last_transaction_unknown),
	        cmocka_unit_test(refuses_what_is_no_history),
	        cmocka_unit_test(never_accuses_a_serial_execution),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
