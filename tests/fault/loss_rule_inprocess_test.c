/* loss_rule_inprocess_test.c: what a host must write back before it goes on, each step shown by what is left without it.
 *
 * Two hosts of this process run under the incoherent model (src/emulation/incoherent.c). Host 1 changes words that nobody
 * else looks at and dies in the model: each falls back to what memory has. Host 0 looks. Each step that
 * src/cxl/mutant.h can leave out makes one claim here fail; the failure names the model's seed. The model writes lines
 * back early at random, so a claim is tried with SEEDS seeds in a row: in one of six it never does.
 *
 * A host that died so has its private memory still, and its service thread, which beats its heart and changes no word that
 * is looked at here. To close it, host 0 recovers it: then it is a host that was declared dead, and closes as such.
 *
 * Whether a fence stands between two steps cannot be seen of one thread; fences are counted instead.
 */
#include "common/pod_fixture.h"
#include "cxl/extent.h"
#include "engine/host.h"
#include "recovery/crash.h"
#include "txn/txn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEEDS = 12, FAR_APART = 16, LEASE_MS = 60000, RING_BYTES = 64 << 10 };

struct pair {
	struct pod_fixture *f;
	unsigned long long seed;
};

#define SEEDED(pair, condition)                                                                                        \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			fail_msg("incoherent:%llu: %s", (pair)->seed, #condition);                                     \
	} while (0)

static struct pod_fixture *open_pod(const char *emulate)
{
	struct lg_pod_config pod;
	struct lg_host_config host;
	pod_config_small(&pod, 2);
	pod.durability = LG_DURABILITY_CXL;
	pod.redo_workers = 2;
	pod.redo_ring_bytes = RING_BYTES;
	pod.emulate = "direct";
	lg_host_config_init(&host);
	host.lease_ms = LEASE_MS;
	host.emulate = emulate;
	return pod_open(&pod, &host, 2);
}

static const struct cxl_port *port_of(const struct pair *pair, uint32_t host)
{
	return &pair->f->worker[host]->port;
}

/* From here on host 1 is used no more. */
static void host_1_dies(const struct pair *pair)
{
	emu_host_died(port_of(pair, 0)->emulation.pod, 1);
}

static void recover_host_1(const struct pair *pair)
{
	struct lg_worker *w = pair->f->worker[0];
	uint64_t claim;
	SEEDED(pair, member_claim(&w->port, 1, member_state_word(&w->port, 1), 0, &claim));
	SEEDED(pair, crash_recover(w, 1) == LG_OK);
	SEEDED(pair, member_recovered(&w->port, 1, claim));
}

/* Tries a claim, at whose end host 1 is dead. */
static void with_seeds(void (*claim)(const struct pair *pair))
{
	uint64_t first = pod_seed() % 1000000;
	for (uint64_t i = 0; i < SEEDS; i++) {
		char mode[64];
		struct pair pair = {.seed = first + i};
		snprintf(mode, sizeof mode, "incoherent:%llu", pair.seed);
		pair.f = open_pod(mode);
		/* All have it mapped; and a claim that fails closes nothing. */
		emu_pod_forget(lg_pod_cookie(pair.f->host[0]));
		claim(&pair);
		if (member_state(port_of(&pair, 0), 1, NULL) != LG_MEMBER_DEAD)
			recover_host_1(&pair);
		pod_close(pair.f);
	}
}

/* ---- Rows ---- */

struct look {
	struct pair pair;
	uint32_t host;
	struct lg_slice key;
	struct read_entry seen;
};

static int look_body(struct lg_txn *txn, void *argument)
{
	struct look *look = argument;
	struct lg_slice val;
	int code = lg_get(txn, look->pair.f->rows[look->host], look->key, &val);
	if (code == LG_OK)
		look->seen = txn->reads[0];
	return code;
}

/* Reads a row from the other host, which moves it into pod memory; returns its word, and the version read. */
static struct read_entry look_from(const struct pair *pair, uint32_t host, struct lg_slice key)
{
	struct look look = {*pair, host, key, {0}};
	OK(lg_run(pair->f->worker[host], look_body, &look));
	SEEDED(pair, word_ref_is_shared(look.seen.ref));
	return look.seen;
}

/* So many rows of host 0 in pod memory: the first and the last have words in different lines. */
static void share_rows(const struct pair *pair, struct read_entry *first, struct read_entry *last)
{
	for (uint64_t i = 0; i < FAR_APART; i++) {
		pod_put(pair->f, 0, pod_key_on(0, i), pod_text("old"));
		*last = look_from(pair, 1, pod_key_on(0, i));
		if (i == 0)
			*first = *last;
	}
	SEEDED(pair, word_offset(first->ref) / LINE_BYTES != word_offset(last->ref) / LINE_BYTES);
}

static void install_two(const struct pair *pair)
{
	struct read_entry first, last;
	share_rows(pair, &first, &last);
	pod_put(pair->f, 1, pod_key_on(0, 0), pod_text("new"));
	uint64_t version = pair->f->worker[1]->last_version;
	pod_put(pair->f, 1, pod_key_on(0, FAR_APART - 1), pod_text("new"));
	host_1_dies(pair);
	uint64_t word = word_load(port_of(pair, 0), first.ref);
	SEEDED(pair, !(word & (WORD_LOCK | WORD_INTENT)));
	SEEDED(pair, (word & WORD_VERSION) == version && version > first.version);
}

static void a_word_is_installed_in_memory_before_the_record_after_it_is_sealed(void **state)
{
	(void)state;
	with_seeds(install_two);
}

static void install_one(const struct pair *pair)
{
	struct read_entry first, last;
	share_rows(pair, &first, &last);
	pod_put(pair->f, 1, pod_key_on(0, 0), pod_text("new"));
	uint64_t version = pair->f->worker[1]->last_version;
	host_1_dies(pair);
	uint64_t word = word_load(port_of(pair, 0), first.ref);
	if (word & WORD_LOCK)
		SEEDED(pair, word_holder(word) == 1 && (word & WORD_VERSION) == first.version);
	else
		SEEDED(pair, (word & WORD_VERSION) == version);
	recover_host_1(pair);
	SEEDED(pair, (word_load(port_of(pair, 0), first.ref) & ~WORD_USED) == version);
	pod_expect_text(pair->f, 0, pod_key_on(0, 0), "new");
}

static void a_word_of_a_sealed_commit_is_locked_in_memory_or_installed(void **state)
{
	(void)state;
	with_seeds(install_one);
}

static void grow_one(const struct pair *pair)
{
	static const uint8_t large[2000];
	struct lg_slice key = pod_key_on(1, 7);
	pod_put(pair->f, 1, key, pod_text("small"));
	struct read_entry seen = look_from(pair, 0, key);
	struct lg_txn *txn = pod_begin(pair->f->worker[1]);
	OK(lg_put(txn, pair->f->rows[1], key, lg_slice(large, sizeof large)));
	struct write_entry grown = txn->writes[0];
	OK(lg_abort(txn));
	host_1_dies(pair);
	SEEDED(pair, grown.ref == seen.ref && grown.version > seen.version);
	SEEDED(pair, (word_load(port_of(pair, 0), seen.ref) & WORD_VERSION) == grown.version);
}

static void a_grown_row_has_its_new_version_in_memory(void **state)
{
	(void)state;
	with_seeds(grow_one);
}

/* ---- Leaves ---- */

static struct lg_txn *scan_from_host_0(const struct pair *pair, uint64_t rows)
{
	for (;;) {
		struct lg_txn *txn = pod_begin(pair->f->worker[0]);
		struct lg_scan *scan;
		struct lg_slice key, val;
		uint64_t found = 0;
		int code = lg_scan_open(
		        txn, pair->f->rows[0], pod_key_on(1, 0), pod_key_on(1, 1000), LG_SCAN_FORWARD, 0, &scan);
		while (code == LG_OK && (code = lg_scan_next(scan, &key, &val)) == LG_OK)
			found++;
		if (code == LG_END) {
			SEEDED(pair, found == rows && txn->leaf_count > 0 && txn->leaves[0].leaf & 1);
			return txn;
		}
		SEEDED(pair, code == LG_CONFLICT);
		OK(lg_abort(txn));
	}
}

static void insert_one(const struct pair *pair)
{
	enum { ROWS = 5 };
	for (uint64_t i = 0; i < ROWS; i++)
		pod_put(pair->f, 1, pod_key_on(1, i * 10), pod_text("row"));
	struct lg_txn *txn = scan_from_host_0(pair, ROWS);
	pod_put(pair->f, 1, pod_key_on(1, 15), pod_text("phantom"));
	host_1_dies(pair);
	SEEDED(pair, lg_commit(txn) == LG_CONFLICT);
	struct lg_detail detail;
	lg_txn_detail(txn, &detail);
	SEEDED(pair, detail.reason == LG_ABORT_PHANTOM);
}

static void a_leaf_that_a_sealed_commit_inserted_into_has_moved_on_in_memory(void **state)
{
	(void)state;
	with_seeds(insert_one);
}

/* ---- Space and membership ---- */

static void claim_some(const struct pair *pair)
{
	const struct cxl_port *port = port_of(pair, 0);
	struct lg_slice key = pod_key_on(1, 7);
	pod_put(pair->f, 1, key, pod_text("row"));
	struct read_entry seen = look_from(pair, 0, key);
	host_1_dies(pair);
	uint64_t block = (word_offset(seen.ref) - port->geometry->words_offset) / WORD_BLOCK_BYTES;
	SEEDED(pair, claim_owner(port, CLAIM_WORDS, block) == 1);
	/* One for frames, one for the directory: it had none before. */
	SEEDED(pair, claim_count_owned(port, CLAIM_EXTENT, 1) >= 2);
}

static void what_a_host_has_moved_a_row_to_is_its_own_in_memory(void **state)
{
	(void)state;
	with_seeds(claim_some);
}

/* A host without threads, whom nobody watches. */
struct side {
	struct region region;
	struct pod_emulation emulation;
	struct cxl_port port;
};

static void side_open(struct side *side, const char *uri, unsigned host, const char *mode)
{
	struct lg_error err = {0};
	if (region_attach(uri, 0, &side->region, &err) != LG_OK ||
	        emulation_begin(&side->emulation, &side->region, mode, host, &err) != LG_OK)
		fail_msg("%s", err.message);
	port_init(&side->port, side->region.base, &side->region.geometry);
	port_emulate(&side->port, side->emulation.pod);
}

static void join_one(uint64_t seed)
{
	struct lg_pod_config config;
	struct lg_error err = {0};
	struct side side[2];
	char mode[64], name[64], uri[80];
	uint64_t incarnation;
	pod_config_small(&config, 2);
	config.emulate = "direct";
	pod_private_name(name, sizeof name);
	snprintf(uri, sizeof uri, "shm:%s", name);
	snprintf(mode, sizeof mode, "incoherent:%llu", (unsigned long long)seed);
	OK(lg_pod_create(uri, &config, &err));
	for (unsigned host = 0; host < 2; host++)
		side_open(&side[host], uri, host, mode);
	emu_pod_forget(side[0].region.geometry.cookie);
	uint64_t identity = emu_pod_identity(side[1].emulation.pod);
	OK(member_join(&side[1].port, 1, identity, &incarnation, &err));
	emu_host_died(side[0].emulation.pod, 1);
	if (member_state(&side[0].port, 1, NULL) != LG_MEMBER_JOINING ||
	        member_process(&side[0].port, 1) != MEMBER_RUNS_HERE)
		fail_msg("%s: memory knows nothing of the member", mode);
	for (unsigned host = 0; host < 2; host++) {
		emulation_end_lossy(&side[host].emulation, &side[host].region);
		region_detach(&side[host].region);
	}
	OK(lg_pod_destroy(uri, true, &err));
}

static void a_host_that_has_joined_is_a_member_in_memory(void **state)
{
	(void)state;
	uint64_t first = pod_seed() % 1000000;
	for (uint64_t i = 0; i < SEEDS; i++)
		join_one(first + i);
}

/* ---- Fences ---- */

static uint64_t fences_of_commit(struct lg_worker *worker, struct lg_txn *txn)
{
	struct lg_stats before, after;
	lg_worker_stats(worker, &before);
	OK(lg_commit(txn));
	lg_worker_stats(worker, &after);
	return after.fences - before.fences;
}

static uint64_t fences_of_put(struct pod_fixture *f, struct lg_slice key)
{
	struct lg_txn *txn = pod_begin(f->worker[1]);
	OK(lg_put(txn, f->rows[1], key, pod_text("new")));
	return fences_of_commit(f->worker[1], txn);
}

static void a_commit_waits_for_its_locks_its_record_and_its_frames(void **state)
{
	(void)state;
	struct pod_fixture *f = open_pod("direct");
	const struct pair pair = {.f = f};
	pod_put(f, 0, pod_key_on(0, 1), pod_text("old"));
	pod_put(f, 1, pod_key_on(1, 1), pod_text("old"));
	(void)look_from(&pair, 1, pod_key_on(0, 1));
	/* This order: the first fence of a commit also waits for words that the one before has installed. */
	assert_int_equal(fences_of_put(f, pod_key_on(1, 1)), 1);
	assert_int_equal(fences_of_put(f, pod_key_on(0, 1)), 3);
	pod_close(f);
}

/* The fences that host 1 makes while its own shared row `number` outgrows its frame. */
static uint64_t fences_of_growth(struct pod_fixture *f, uint64_t number)
{
	static const uint8_t large[2000];
	struct lg_stats before, after;
	struct lg_txn *txn = pod_begin(f->worker[1]);
	lg_worker_stats(f->worker[1], &before);
	OK(lg_put(txn, f->rows[1], pod_key_on(1, number), lg_slice(large, sizeof large)));
	lg_worker_stats(f->worker[1], &after);
	OK(lg_abort(txn));
	return after.fences - before.fences;
}

static void a_growth_waits_for_its_frame_and_for_its_word(void **state)
{
	(void)state;
	struct pod_fixture *f = open_pod("direct");
	const struct pair pair = {.f = f};
	for (uint64_t number = 1; number <= 2; number++) {
		pod_put(f, 1, pod_key_on(1, number), pod_text("small"));
		(void)look_from(&pair, 0, pod_key_on(1, number));
	}
	/* The first claims an extent for frames of that size, and waits for the claim too. */
	assert_int_equal(fences_of_growth(f, 1), 3);
	assert_int_equal(fences_of_growth(f, 2), 2);
	pod_close(f);
}

/* ---- What can be sealed ---- */

static void expect_too_large(struct pod_fixture *f, uint32_t side)
{
	static const uint8_t large[RING_BYTES / 2];
	struct lg_detail detail;
	struct lg_txn *txn = pod_begin(f->worker[1]);
	OK(lg_put(txn, f->rows[1], pod_key_on(side, 1), pod_text("new")));
	OK(lg_put(txn, f->rows[1], pod_key_on(side, 2), lg_slice(large, sizeof large)));
	CODE(LG_LIMIT, lg_commit(txn));
	lg_txn_detail(txn, &detail);
	assert_int_equal(detail.code, LG_LIMIT);
	assert_non_null(strstr(detail.message, "redo_ring_bytes"));
	CODE(LG_ENDED, lg_abort(txn));
	for (uint32_t host = 0; host < 2; host++) {
		pod_expect_text(f, host, pod_key_on(side, 1), "old");
		pod_expect_text(f, host, pod_key_on(side, 2), NULL);
	}
	pod_put(f, 1, pod_key_on(side, 1), pod_text("next"));
	pod_expect_text(f, 0, pod_key_on(side, 1), "next");
}

static void a_transaction_that_no_ring_takes_has_no_effect(void **state)
{
	(void)state;
	struct pod_fixture *f = open_pod("direct");
	for (uint32_t side = 0; side < 2; side++) {
		pod_put(f, side, pod_key_on(side, 1), pod_text("old"));
		expect_too_large(f, side);
	}
	pod_close(f);
}

static void no_more_workers_open_than_have_rings(void **state)
{
	(void)state;
	struct pod_fixture *f = open_pod("direct");
	struct lg_worker *third;
	struct lg_error err;
	struct lg_worker *second = pod_worker(f, 0);
	CODE(LG_LIMIT, lg_worker_open(f->host[0], &third, &err));
	assert_null(third);
	assert_int_equal(err.code, LG_LIMIT);
	struct lg_txn *txn = pod_begin(second);
	OK(lg_put(txn, f->rows[0], pod_key_on(0, 1), pod_text("row")));
	OK(lg_commit(txn));
	pod_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_word_is_installed_in_memory_before_the_record_after_it_is_sealed),
	        cmocka_unit_test(a_word_of_a_sealed_commit_is_locked_in_memory_or_installed),
	        cmocka_unit_test(a_grown_row_has_its_new_version_in_memory),
	        cmocka_unit_test(a_leaf_that_a_sealed_commit_inserted_into_has_moved_on_in_memory),
	        cmocka_unit_test(what_a_host_has_moved_a_row_to_is_its_own_in_memory),
	        cmocka_unit_test(a_host_that_has_joined_is_a_member_in_memory),
	        cmocka_unit_test(a_commit_waits_for_its_locks_its_record_and_its_frames),
	        cmocka_unit_test(a_growth_waits_for_its_frame_and_for_its_word),
	        cmocka_unit_test(a_transaction_that_no_ring_takes_has_no_effect),
	        cmocka_unit_test(no_more_workers_open_than_have_rings),
	};
	cmocka_set_test_filter(getenv("LG_TEST_FILTER")); /* for who looks at one of them */
	return cmocka_run_group_tests_name("loss rule", tests, NULL, NULL);
}
