/* btree_test.c: the B+tree, on one thread, against a sorted array. SEED=n repeats a run. */
#include "tree_fixture.h"

#include "cxl/pod.h"

enum { MODEL_MAX = 200000 };

/* Every row that is in the tree, in order. */
struct model {
	struct tree_fixture f;
	struct row **rows;
	size_t count;
	struct lg_slice lo, hi;
};

static void model_open(struct model *m, uint64_t seed, struct lg_slice lo, struct lg_slice hi)
{
	tree_open(&m->f, 0, lo, hi);
	bench_random_seed(&m->f.random, seed);
	m->rows = malloc(MODEL_MAX * sizeof(struct row *));
	assert_non_null(m->rows);
	m->count = 0;
	m->lo = lo;
	m->hi = hi;
}

static void model_close(struct model *m)
{
	tree_close(&m->f);
	free(m->rows);
}

/* Index of the first row not below the key. */
static size_t model_rank(const struct model *m, struct lg_slice key)
{
	size_t low = 0, high = m->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (tree_compare(row_key(m->rows[middle]), key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct row *model_find(const struct model *m, struct lg_slice key)
{
	size_t at = model_rank(m, key);
	return at < m->count && tree_compare(row_key(m->rows[at]), key) == 0 ? m->rows[at] : NULL;
}

static void model_check(struct model *m)
{
	uint64_t rows = 0;
	const char *wrong = btree_check(m->f.tree, &rows);
	if (wrong)
		fail_msg("btree_check: %s", wrong);
	assert_int_equal(rows, m->count);
}

/* Inserts a key, and claims of the tree what the model says of it. */
static void model_insert(struct model *m, struct lg_slice key)
{
	struct row *there = model_find(m, key), *existing = NULL, *row = tree_row(&m->f.local, key, 8);
	struct leaf_look look;
	struct leaf_change change = {.exported = 77};
	assert_non_null(row);
	assert_ptr_equal(btree_find(m->f.tree, key, &look), there);
	int code = btree_insert(m->f.tree, &m->f.local, &m->f.port, row, &existing, &change);
	if (there) {
		assert_int_equal(code, LG_EXISTS);
		assert_ptr_equal(existing, there);
		assert_int_equal(change.exported, 77);
		assert_true(btree_look_holds(&look));
		heap_free(&m->f.local, row, row_alloc_bytes(row));
		return;
	}
	assert_int_equal(code, LG_OK);
	assert_false(btree_look_holds(&look));
	assert_ptr_equal(change.before.leaf, look.leaf);
	assert_int_equal(change.before.version, look.version);
	assert_ptr_equal(change.after.leaf, look.leaf);
	assert_true(btree_look_holds(&change.after));
	assert_true(!change.split.leaf || btree_look_holds(&change.split));
	assert_int_equal(change.exported, 0);
	assert_ptr_equal(btree_find(m->f.tree, key, &look), row);
	assert_true(look.leaf == change.after.leaf || look.leaf == change.split.leaf);
	assert_true(m->count < MODEL_MAX);
	size_t at = model_rank(m, key);
	memmove(&m->rows[at + 1], &m->rows[at], (m->count - at) * sizeof *m->rows);
	m->rows[at] = row;
	m->count++;
}

static void model_remove_at(struct model *m, size_t at)
{
	struct row *row = m->rows[at];
	struct leaf_look look;
	assert_ptr_equal(btree_find(m->f.tree, row_key(row), &look), row);
	assert_true(btree_remove(m->f.tree, &m->f.local, &m->f.port, m->f.epoch, row));
	assert_false(btree_look_holds(&look));
	assert_null(btree_find(m->f.tree, row_key(row), &look));
	assert_false(btree_remove(m->f.tree, &m->f.local, &m->f.port, m->f.epoch, row));
	assert_true(btree_look_holds(&look));
	heap_retire(&m->f.local, row, row_alloc_bytes(row), m->f.epoch);
	m->count--;
	memmove(&m->rows[at], &m->rows[at + 1], (m->count - at) * sizeof *m->rows);
	m->f.epoch++;
}

static void model_reclaim(struct model *m)
{
	heap_reclaim(&m->f.local, m->f.epoch);
}

static void model_scan_forward(struct model *m, struct lg_slice from)
{
	static struct leaf_batch batch;
	size_t at = from.bytes ? model_rank(m, from) : 0;
	for (;;) {
		btree_batch_forward(m->f.tree, from, &batch);
		assert_true(btree_look_holds(&batch.look));
		for (uint32_t i = 0; i < batch.count; i++, at++)
			assert_ptr_equal(batch.rows[i], m->rows[at]);
		if (batch.last)
			break;
		from = lg_slice(batch.bound, batch.bound_bytes);
		assert_int_equal(model_rank(m, from), at);
	}
	assert_int_equal(at, m->count);
}

static void model_scan_reverse(struct model *m, struct lg_slice below)
{
	static struct leaf_batch batch;
	size_t at = below.bytes ? model_rank(m, below) : m->count;
	for (;;) {
		btree_batch_reverse(m->f.tree, below, &batch);
		assert_true(btree_look_holds(&batch.look));
		for (uint32_t i = 0; i < batch.count; i++)
			assert_ptr_equal(batch.rows[i], m->rows[--at]);
		if (batch.last)
			break;
		below = lg_slice(batch.bound, batch.bound_bytes);
		assert_int_equal(model_rank(m, below), at);
	}
	assert_int_equal(at, 0);
}

/* ---- Keys of every awkward kind ---------------------------------------------------------------------------------- */

enum key_kind { KEYS_SHORT, KEYS_ZEROS, KEYS_LONG, KEYS_NUMBERS, KEYS_SPARSE, KEYS_DEEP, KEY_KINDS };
static const char *const key_kind_name[KEY_KINDS] = {"short", "zeros", "long", "numbers", "sparse", "deep"};

static struct lg_slice random_key(struct bench_random *random, enum key_kind kind, uint8_t *key)
{
	static const uint8_t letters[] = {0, 1, 'a', 0xff};
	size_t bytes = 8;
	switch (kind) {
	case KEYS_SHORT: /* prefixes of one another, heads padded */
		bytes = 1 + bench_random_below(random, 6);
		for (size_t i = 0; i < bytes; i++)
			key[i] = letters[bench_random_below(random, 4)];
		break;
	case KEYS_ZEROS: /* equal heads: "a", "a\0", "a\0\0", ... */
		bytes = 1 + bench_random_below(random, 400);
		memset(key, 0, bytes);
		key[0] = letters[bench_random_below(random, 4)];
		if (bench_random_below(random, 2))
			key[bytes - 1] = letters[bench_random_below(random, 4)];
		break;
	case KEYS_LONG: /* they differ behind a long common part */
		bytes = 200 + bench_random_below(random, LG_MAX_KEY_BYTES - 200 + 1);
		memset(key, 'p', bytes);
		for (size_t i = 190; i < bytes && i < 203; i++)
			key[i] = letters[bench_random_below(random, 4)];
		break;
	case KEYS_SPARSE: tree_number_key(key, bench_random_next(random)); break;
	case KEYS_DEEP: /* 24 bytes, of which 16 are the same in every group of rows */
		bytes = 24;
		tree_number_key(key, bench_random_below(random, 5));
		tree_number_key(key + 8, 0);
		tree_number_key(key + 16, bench_random_below(random, 3000));
		break;
	default: tree_number_key(key, bench_random_below(random, 20000));
	}
	return lg_slice(key, bytes);
}

static void random_steps(struct model *m, enum key_kind kind, unsigned steps, unsigned insert_percent)
{
	uint8_t bytes[LG_MAX_KEY_BYTES];
	for (unsigned i = 0; i < steps; i++) {
		struct lg_slice key = random_key(&m->f.random, kind, bytes);
		bool inside = !(m->lo.bytes && tree_compare(key, m->lo) < 0) &&
		              !(m->hi.bytes && tree_compare(key, m->hi) >= 0);
		if (!inside)
			assert_null(btree_find(m->f.tree, key, NULL));
		else if (bench_random_below(&m->f.random, 100) < insert_percent)
			model_insert(m, key);
		else if (m->count)
			model_remove_at(m, bench_random_below(&m->f.random, m->count));
		model_reclaim(m);
		if (i % 1024 == 0) {
			key = random_key(&m->f.random, kind, bytes);
			model_scan_forward(m, key);
			model_scan_reverse(m, key);
		}
	}
	model_check(m);
	model_scan_forward(m, lg_slice(NULL, 0));
	model_scan_reverse(m, lg_slice(NULL, 0));
}

static void random_phases(uint64_t seed, enum key_kind kind, struct lg_slice lo, struct lg_slice hi)
{
	struct model m;
	printf("  %s keys%s%s\n", key_kind_name[kind], lo.bytes ? ", a lower bound" : "",
	        hi.bytes ? ", an upper bound" : "");
	model_open(&m, seed, lo, hi);
	random_steps(&m, kind, 12000, 90);
	random_steps(&m, kind, 12000, 10);
	random_steps(&m, kind, 12000, 60);
	while (m.count)
		model_remove_at(&m, bench_random_below(&m.f.random, m.count));
	model_check(&m);
	random_steps(&m, kind, 6000, 80);
	model_close(&m);
}

static void random_operations_agree_with_a_sorted_array(void **state)
{
	(void)state;
	uint64_t seed = tree_seed("random operations");
	for (int kind = 0; kind < KEY_KINDS; kind++)
		random_phases(seed, (enum key_kind)kind, lg_slice(NULL, 0), lg_slice(NULL, 0));
}

static void random_operations_agree_with_a_sorted_array_between_bounds(void **state)
{
	(void)state;
	uint64_t seed = tree_seed("random operations between bounds");
	struct bench_random random;
	bench_random_seed(&random, seed);
	for (int kind = 0; kind < KEY_KINDS; kind++) {
		uint8_t a[LG_MAX_KEY_BYTES], b[LG_MAX_KEY_BYTES];
		struct lg_slice lo, hi;
		do {
			lo = random_key(&random, (enum key_kind)kind, a);
			hi = random_key(&random, (enum key_kind)kind, b);
		} while (tree_compare(lo, hi) >= 0);
		random_phases(seed, (enum key_kind)kind, lo, hi);
		random_phases(seed, (enum key_kind)kind, lo, lg_slice(NULL, 0));
		random_phases(seed, (enum key_kind)kind, lg_slice(NULL, 0), hi);
	}
}

/* ---- How full leaves get, and how empty ones go ------------------------------------------------------------------ */

static size_t leaf_count(struct btree *tree)
{
	static struct leaf_batch batch;
	size_t leaves = 0;
	for (struct lg_slice from = {NULL, 0};; from = lg_slice(batch.bound, batch.bound_bytes)) {
		btree_batch_forward(tree, from, &batch);
		leaves++;
		if (batch.last)
			return leaves;
	}
}

static void put_number(struct model *m, uint64_t number)
{
	uint8_t key[8];
	struct row *existing, *row = tree_row(&m->f.local, tree_number_key(key, number), 8);
	assert_int_equal(btree_insert(m->f.tree, &m->f.local, &m->f.port, row, &existing, NULL), LG_OK);
	m->count++;
}

static void ascending_inserts_fill_leaves(void **state)
{
	(void)state;
	struct model m;
	model_open(&m, 1, lg_slice(NULL, 0), lg_slice(NULL, 0));
	for (uint64_t i = 0; i < 50000; i++)
		put_number(&m, i);
	model_check(&m);
	assert_true(leaf_count(m.f.tree) <= 50000 / 64 + 3);
	model_close(&m);
}

static void descending_inserts_fill_leaves(void **state)
{
	(void)state;
	struct model m;
	model_open(&m, 1, lg_slice(NULL, 0), lg_slice(NULL, 0));
	for (uint64_t i = 50000; i-- > 0;)
		put_number(&m, i);
	model_check(&m);
	assert_true(leaf_count(m.f.tree) <= 50000 / 60);
	model_close(&m);
}

static void appends_in_the_middle_of_the_keys_fill_leaves(void **state)
{
	(void)state;
	struct model m;
	model_open(&m, 1, lg_slice(NULL, 0), lg_slice(NULL, 0));
	for (uint64_t i = 0; i < 3000; i++)
		for (uint64_t group = 0; group < 10; group++)
			put_number(&m, group << 32 | i);
	model_check(&m);
	assert_true(leaf_count(m.f.tree) <= 30000 / 58);
	model_close(&m);
}

static void random_inserts_leave_leaves_two_thirds_full(void **state)
{
	(void)state;
	struct model m;
	model_open(&m, tree_seed("random inserts"), lg_slice(NULL, 0), lg_slice(NULL, 0));
	uint8_t key[8];
	for (unsigned i = 0; i < 30000; i++)
		model_insert(&m, random_key(&m.f.random, KEYS_SPARSE, key));
	model_check(&m);
	assert_true(leaf_count(m.f.tree) <= 30000 / 38);
	model_close(&m);
}

/* Rows are added at one end and taken at the other: what is left in the tree is what holds rows, and little more. */
static void a_queue_leaves_no_empty_leaves_behind(void **state)
{
	(void)state;
	struct tree_fixture f;
	enum { LENGTH = 1000, ROWS = 300000 };
	static struct row *queue[LENGTH];
	for (int backwards = 0; backwards < 2; backwards++) {
		tree_open(&f, 0, lg_slice(NULL, 0), lg_slice(NULL, 0));
		for (uint64_t i = 0; i < ROWS; i++) {
			uint8_t key[8];
			struct row *existing, *oldest = i >= LENGTH ? queue[i % LENGTH] : NULL;
			if (oldest) {
				assert_true(btree_remove(f.tree, &f.local, &f.port, i, oldest));
				heap_retire(&f.local, oldest, row_alloc_bytes(oldest), i);
				heap_reclaim(&f.local, i);
			}
			struct row *row = tree_row(&f.local, tree_number_key(key, backwards ? ROWS - i : i), 8);
			queue[i % LENGTH] = row;
			assert_int_equal(btree_insert(f.tree, &f.local, &f.port, row, &existing, NULL), LG_OK);
		}
		uint64_t rows;
		assert_null(btree_check(f.tree, &rows));
		assert_int_equal(rows, LENGTH);
		assert_true(leaf_count(f.tree) <= LENGTH / 32 + 4);
		tree_close(&f);
	}
}

static void removing_every_row_leaves_a_small_tree(void **state)
{
	(void)state;
	struct model m;
	model_open(&m, tree_seed("removing every row"), lg_slice(NULL, 0), lg_slice(NULL, 0));
	uint8_t key[8];
	for (int round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 15000; i++)
			model_insert(&m, random_key(&m.f.random, KEYS_SPARSE, key));
		while (m.count)
			model_remove_at(&m, round == 0   ? 0
			                    : round == 1 ? m.count - 1
			                                 : bench_random_below(&m.f.random, m.count));
		model_check(&m);
		assert_true(leaf_count(m.f.tree) <= 4);
	}
	model_reclaim(&m);
	assert_true(heap_used_bytes(m.f.heap) <= HEAP_CREDIT_MAX_BYTES + 20000);
	model_close(&m);
}

/* ---- Looks ------------------------------------------------------------------------------------------------------- */

static void a_look_holds_exactly_while_no_key_of_its_leaf_comes_or_goes(void **state)
{
	(void)state;
	struct model m;
	model_open(&m, tree_seed("looks"), lg_slice(NULL, 0), lg_slice(NULL, 0));
	uint8_t key[8];
	for (unsigned i = 0; i < 3000; i++)
		model_insert(&m, random_key(&m.f.random, KEYS_SPARSE, key));
	for (unsigned i = 0; i < 3000; i++) {
		/* A look at the leaf that will change, and at one that may be any. */
		struct leaf_look here, other;
		struct lg_slice changed = random_key(&m.f.random, KEYS_SPARSE, key);
		bool removes = i % 2;
		if (removes)
			changed = row_key(m.rows[bench_random_below(&m.f.random, m.count)]);
		btree_find(m.f.tree, changed, &here);
		btree_find(m.f.tree, row_key(m.rows[bench_random_below(&m.f.random, m.count)]), &other);
		assert_true(btree_look_holds(&here) && btree_look_holds(&other));
		if (removes)
			model_remove_at(&m, model_rank(&m, changed));
		else
			model_insert(&m, changed);
		assert_false(btree_look_holds(&here));
		/* A neighbour may have taken over the range of a leaf that is gone. */
		if (!removes)
			assert_int_equal(btree_look_holds(&other), other.leaf != here.leaf);
	}
	model_close(&m);
}

/* Its range has changed, so readers who are in it must start over. */
static void the_neighbour_of_an_unlinked_leaf_changes_too(void **state)
{
	(void)state;
	for (int from_the_left = 0; from_the_left < 2; from_the_left++) {
		struct model m;
		uint8_t key[8];
		model_open(&m, 1, lg_slice(NULL, 0), lg_slice(NULL, 0));
		for (uint64_t i = 0; i < BTREE_LEAF_ROWS + 10; i++)
			model_insert(&m, tree_number_key(key, i));
		assert_int_equal(leaf_count(m.f.tree), 2);
		struct leaf_look kept, gone;
		btree_find(m.f.tree, row_key(m.rows[from_the_left ? m.count - 1 : 0]), &kept);
		btree_find(m.f.tree, row_key(m.rows[from_the_left ? 0 : m.count - 1]), &gone);
		while (leaf_count(m.f.tree) == 2) {
			assert_true(btree_look_holds(&kept));
			model_remove_at(&m, from_the_left ? 0 : m.count - 1);
		}
		assert_false(btree_look_holds(&kept));
		assert_false(btree_look_holds(&gone));
		model_check(&m);
		model_close(&m);
	}
}

/* ---- Exported leaves --------------------------------------------------------------------------------------------- */

static uint64_t exported_word(struct cxl_port *port, word_idx word)
{
	return word_load(port, word_ref_shared(word));
}

/* After 2^17 changes in an epoch: the pod's epoch is never behind a word's. */
static void a_leafs_word_whose_sequence_runs_over_ticks_the_epoch(void **state)
{
	(void)state;
	struct model m;
	const word_idx word = TREE_FIRST_WORD;
	uint8_t key[8];
	model_open(&m, 1, lg_slice(NULL, 0), lg_slice(NULL, 0));
	struct cxl_port *port = &m.f.port;
	model_insert(&m, tree_number_key(key, 1));
	struct leaf_look look;
	btree_find(m.f.tree, lg_slice("", 1), &look);
	uint64_t epoch = epoch_load(port);
	word_open(port, word, version_first_of(epoch + 1) - 2, 0);
	assert_true(btree_leaf_export(&look, word));
	for (uint64_t i = 0; i < 2; i++) {
		struct leaf_change change;
		struct row *existing, *row = tree_row(&m.f.local, tree_number_key(key, 2 + i), 8);
		assert_int_equal(btree_insert(m.f.tree, &m.f.local, port, row, &existing, &change), LG_OK);
		assert_int_equal(epoch_load(port), epoch + i);
	}
	assert_int_equal(version_epoch(exported_word(port, word) & WORD_VERSION), epoch + 1);
	model_close(&m);
}

static void an_exported_leaf_counts_its_changes_in_its_word(void **state)
{
	(void)state;
	struct model m;
	const word_idx word = TREE_FIRST_WORD;
	uint8_t key[8];
	model_open(&m, 1, lg_slice(NULL, 0), lg_slice(NULL, 0));
	struct cxl_port *port = &m.f.port;
	for (uint64_t i = 0; i < 40; i++)
		model_insert(&m, tree_number_key(key, i * 10));
	struct leaf_look look, again;
	btree_find(m.f.tree, lg_slice("", 1), &look);
	word_open(port, word, 1000, 0);
	assert_int_equal(btree_leaf_exported(look.leaf), 0);
	assert_true(btree_leaf_export(&look, word));
	assert_true(btree_look_holds(&look));
	assert_false(btree_leaf_export(&look, word + 1));
	assert_int_equal(btree_leaf_exported(look.leaf), word);

	/* 40 rows more: the leaf is split once on the way; the left part keeps the word. */
	unsigned splits = 0;
	for (uint64_t i = 0; i < 40; i++) {
		struct leaf_change change;
		struct row *existing, *row = tree_row(&m.f.local, tree_number_key(key, i * 10 + 5), 8);
		uint64_t before = exported_word(port, word);
		assert_int_equal(btree_insert(m.f.tree, &m.f.local, port, row, &existing, &change), LG_OK);
		if (change.before.leaf != look.leaf) {
			assert_int_equal(change.exported, 0);
			assert_int_equal(exported_word(port, word), before);
			continue;
		}
		assert_int_equal(change.exported, word);
		assert_int_equal(change.word_before, before & WORD_VERSION);
		assert_int_equal(change.word_after, change.word_before + 1);
		assert_int_equal(exported_word(port, word), before + 1);
		splits += change.split.leaf != NULL;
		assert_true(!change.split.leaf || btree_leaf_exported(change.split.leaf) == 0);
	}
	assert_int_equal(splits, 1);
	assert_true(exported_word(port, word) & WORD_USED);
	assert_false(btree_leaf_export(&look, word));

	/* Emptied, it stays; a reader's cleared bit stays cleared. */
	assert_true(word_clear_used(port, word_ref_shared(word), exported_word(port, word)));
	for (uint64_t i = 0; i < 80; i++) {
		struct row *row = btree_find(m.f.tree, tree_number_key(key, i * 5), &again);
		uint64_t before = exported_word(port, word);
		assert_true(btree_remove(m.f.tree, &m.f.local, port, 1, row));
		assert_int_equal(exported_word(port, word), before + (again.leaf == look.leaf));
		heap_free(&m.f.local, row, row_alloc_bytes(row));
		if (again.leaf != look.leaf)
			break;
	}
	btree_find(m.f.tree, tree_number_key(key, 0), &again);
	assert_ptr_equal(again.leaf, look.leaf);
	assert_null(btree_check(m.f.tree, NULL));
	btree_leaf_unexport(look.leaf);
	assert_true(btree_look_holds(&again));
	assert_int_equal(btree_leaf_exported(look.leaf), 0);
	model_close(&m);
}

/* ---- Budget, and bounds ------------------------------------------------------------------------------------------ */

static void a_tree_without_memory_refuses_and_stays_whole(void **state)
{
	(void)state;
	struct tree_fixture f;
	uint8_t key[8];
	bench_random_seed(&f.random, tree_seed("budget"));
	tree_open(&f, 1 << 20, lg_slice(NULL, 0), lg_slice(NULL, 0));
	uint64_t inserted = 0, refused = 0, refused_splits = 0;
	struct row *spare = NULL;
	while (refused < 2000) {
		/* When no row can be had any more, the one refused last is tried with other keys: some need a split. */
		struct lg_slice random = random_key(&f.random, KEYS_SPARSE, key);
		struct row *existing, *row = spare ? spare : tree_row(&f.local, random, 8);
		if (!row) {
			refused++;
			continue;
		}
		memcpy(row->data, key, 8);
		struct leaf_look look;
		btree_find(f.tree, random, &look);
		int code = btree_insert(f.tree, &f.local, &f.port, row, &existing, NULL);
		inserted += code == LG_OK;
		spare = code == LG_OK ? NULL : row;
		if (code == LG_OK)
			continue;
		assert_int_equal(code, LG_NOSPACE);
		assert_true(btree_look_holds(&look));
		assert_null(btree_find(f.tree, random, NULL));
		refused++;
		refused_splits++;
	}
	uint64_t rows;
	assert_null(btree_check(f.tree, &rows));
	assert_int_equal(rows, inserted);
	assert_true(heap_used_bytes(f.heap) <= 1 << 20);
	printf("  %llu rows, %llu splits refused\n", (unsigned long long)inserted, (unsigned long long)refused_splits);
	if (spare)
		heap_free(&f.local, spare, row_alloc_bytes(spare));
	tree_close(&f);
}

static void a_split_without_memory_changes_nothing(void **state)
{
	(void)state;
	struct tree_fixture f;
	uint8_t key[8];
	tree_open(&f, 256 << 10, lg_slice(NULL, 0), lg_slice(NULL, 0));
	static struct row *rows[4000];
	unsigned made = 0, inserted = 0;
	for (; made < 2000; made++)
		assert_non_null(rows[made] = tree_row(&f.local, tree_number_key(key, made), 8));
	/* Takes all that is left. */
	static void *fill[20000];
	unsigned filled = 0;
	while ((fill[filled] = heap_alloc(&f.local, 16)))
		filled++;
	int code = LG_OK;
	struct row *existing;
	while (inserted < made && code == LG_OK) {
		code = btree_insert(f.tree, &f.local, &f.port, rows[inserted], &existing, NULL);
		inserted += code == LG_OK;
	}
	assert_int_equal(code, LG_NOSPACE);
	assert_int_equal(inserted, BTREE_LEAF_ROWS);
	uint64_t count;
	assert_null(btree_check(f.tree, &count));
	assert_int_equal(count, inserted);
	while (filled)
		heap_free(&f.local, fill[--filled], 16);
	for (; inserted < made; inserted++)
		assert_int_equal(btree_insert(f.tree, &f.local, &f.port, rows[inserted], &existing, NULL), LG_OK);
	assert_null(btree_check(f.tree, &count));
	assert_int_equal(count, made);
	tree_close(&f);
}

static void keys_beyond_the_bounds_are_not_found_and_scans_stop_at_them(void **state)
{
	(void)state;
	struct model m;
	uint8_t a[8], b[8], key[8];
	static struct leaf_batch batch;
	model_open(&m, 1, tree_number_key(a, 1000), tree_number_key(b, 2000));
	for (uint64_t i = 1000; i < 2000; i++)
		model_insert(&m, tree_number_key(key, i));
	model_check(&m);
	assert_null(btree_find(m.f.tree, tree_number_key(key, 999), &batch.look));
	assert_true(btree_look_holds(&batch.look));
	assert_null(btree_find(m.f.tree, tree_number_key(key, 2000), &batch.look));
	assert_true(btree_look_holds(&batch.look));
	model_scan_forward(&m, tree_number_key(key, 5));
	model_scan_forward(&m, tree_number_key(key, 1999));
	model_scan_forward(&m, tree_number_key(key, 2000));
	model_scan_forward(&m, tree_number_key(key, 1 << 20));
	model_scan_reverse(&m, tree_number_key(key, 5));
	model_scan_reverse(&m, tree_number_key(key, 1000));
	model_scan_reverse(&m, tree_number_key(key, 2000));
	model_scan_reverse(&m, tree_number_key(key, 1 << 20));
	model_close(&m);
}

static void an_empty_tree_has_one_empty_leaf(void **state)
{
	(void)state;
	struct model m;
	struct leaf_look look;
	model_open(&m, 1, lg_slice(NULL, 0), lg_slice(NULL, 0));
	model_check(&m);
	assert_null(btree_find(m.f.tree, lg_slice("x", 1), &look));
	assert_true(btree_look_holds(&look));
	model_scan_forward(&m, lg_slice(NULL, 0));
	model_scan_reverse(&m, lg_slice(NULL, 0));
	model_insert(&m, lg_slice("x", 1));
	model_remove_at(&m, 0);
	model_check(&m);
	model_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(an_empty_tree_has_one_empty_leaf),
	        cmocka_unit_test(random_operations_agree_with_a_sorted_array),
	        cmocka_unit_test(random_operations_agree_with_a_sorted_array_between_bounds),
	        cmocka_unit_test(ascending_inserts_fill_leaves),
	        cmocka_unit_test(descending_inserts_fill_leaves),
	        cmocka_unit_test(appends_in_the_middle_of_the_keys_fill_leaves),
	        cmocka_unit_test(random_inserts_leave_leaves_two_thirds_full),
	        cmocka_unit_test(a_queue_leaves_no_empty_leaves_behind),
	        cmocka_unit_test(removing_every_row_leaves_a_small_tree),
	        cmocka_unit_test(a_look_holds_exactly_while_no_key_of_its_leaf_comes_or_goes),
	        cmocka_unit_test(the_neighbour_of_an_unlinked_leaf_changes_too),
	        cmocka_unit_test(a_leafs_word_whose_sequence_runs_over_ticks_the_epoch),
	        cmocka_unit_test(an_exported_leaf_counts_its_changes_in_its_word),
	        cmocka_unit_test(a_tree_without_memory_refuses_and_stays_whole),
	        cmocka_unit_test(a_split_without_memory_changes_nothing),
	        cmocka_unit_test(keys_beyond_the_bounds_are_not_found_and_scans_stop_at_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
