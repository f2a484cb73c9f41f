/* redo_test.c: redo records and the rings that they are sealed in (src/recovery/record.h, ring.h).
 *
 * All sizes and contents are random; the seed is printed, and SEED repeats a run. What a reader is given in place of a
 * record is damaged in every way here, since it trusts nothing: under the sanitizers a read past an end shows.
 */
#include "recovery/crc32c.h"
#include "recovery/record.h"
#include "recovery/ring.h"
#include "unit/unit_pod.h"

#include <stdlib.h>

enum { RING_BYTES = 64 << 10, RING_LINES = RING_BYTES / LINE_BYTES, RANDOM_RECORDS = 300, MOST_CHANGES = 12 };

/* ---- Records ---- */

/* Changes with memory of their own. */
struct batch {
	struct redo_change change[MOST_CHANGES];
	struct redo_place place[MOST_CHANGES];
	unsigned count;
	void *record;
	uint32_t bytes;
};

static uint32_t below(uint64_t *random, uint32_t bound)
{
	return (uint32_t)(pod_random(random) % bound);
}

static struct lg_slice random_bytes(uint64_t *random, size_t bytes)
{
	void *data = malloc(bytes + 1);
	assert_non_null(data);
	pod_fill(data, bytes, pod_random(random));
	return lg_slice(data, bytes);
}

static struct lg_slice copy_of(struct lg_slice from)
{
	void *data = malloc(from.bytes + 1);
	assert_non_null(data);
	memcpy(data, from.data, from.bytes);
	return lg_slice(data, from.bytes);
}

/* A copy in which a few short ranges, none, or everything is other. */
static struct lg_slice variation_of(uint64_t *random, struct lg_slice from)
{
	uint32_t ranges = below(random, 10) ? below(random, 6) : 200;
	struct lg_slice to = copy_of(from);
	for (uint32_t i = 0; i < ranges && to.bytes > 0; i++) {
		uint8_t *data = (uint8_t *)(uintptr_t)to.data;
		uint32_t at = below(random, (uint32_t)to.bytes), length = 1 + below(random, 40);
		for (uint32_t j = at; j < to.bytes && j < at + length; j++)
			data[j] ^= (uint8_t)pod_random(random);
	}
	return to;
}

/* Adds a change that writes `val`; its slices are the batch's from now on. */
static struct redo_change *add_change(struct batch *batch, uint64_t *random, struct lg_slice old, struct lg_slice val)
{
	assert_true(batch->count < MOST_CHANGES);
	unsigned i = batch->count++;
	struct redo_change *change = &batch->change[i];
	*change = (struct redo_change){.table = below(random, LG_MAX_TABLES),
	        .partition = below(random, LG_MAX_PARTITIONS),
	        .key = random_bytes(random, 1 + below(random, LG_MAX_KEY_BYTES)),
	        .old = old,
	        .val = val};
	if (below(random, 2)) {
		batch->place[i] = (struct redo_place){.frame = pod_random(random),
		        .word = (uint32_t)pod_random(random),
		        .line_count = (uint16_t)pod_random(random)};
		change->place = &batch->place[i];
	}
	return change;
}

static void add_random_change(struct batch *batch, uint64_t *random)
{
	struct lg_slice old = random_bytes(random, below(random, below(random, 4) ? 200 : 3000)), none = {0};
	switch (below(random, 5)) {
	case 0: add_change(batch, random, old, none)->deleted = true; break;
	case 1: add_change(batch, random, none, old); break;
	case 2: add_change(batch, random, old, random_bytes(random, below(random, 300))); break;
	default: add_change(batch, random, old, variation_of(random, old));
	}
}

static void build(struct batch *batch, uint64_t version)
{
	size_t bytes = sizeof(struct redo_head);
	for (unsigned i = 0; i < batch->count; i++)
		bytes += redo_change_bytes(&batch->change[i]);
	batch->record = malloc(bytes + LINE_PAYLOAD_BYTES);
	assert_non_null(batch->record);
	struct redo_builder builder;
	redo_begin(&builder, batch->record, bytes);
	for (unsigned i = 0; i < batch->count; i++)
		redo_add(&builder, &batch->change[i]);
	batch->bytes = redo_finish(&builder, version, 1, 77);
	assert_true(batch->bytes <= bytes);
}

static void drop(struct batch *batch)
{
	for (unsigned i = 0; i < batch->count; i++) {
		free((void *)(uintptr_t)batch->change[i].key.data);
		free((void *)(uintptr_t)batch->change[i].val.data);
		free((void *)(uintptr_t)batch->change[i].old.data);
	}
	free(batch->record);
}

static void expect_slice(struct lg_slice got, struct lg_slice wanted)
{
	assert_int_equal(got.bytes, wanted.bytes);
	if (wanted.bytes)
		assert_memory_equal(got.data, wanted.data, wanted.bytes);
}

static void expect_new_value(const struct redo_view *view, const struct redo_change *change)
{
	bool patched = view->kind == REDO_PATCH;
	assert_true(patched || view->kind == REDO_PUT);
	assert_int_equal(view->write->val_bytes, change->val.bytes);
	assert_true(view->write->data_bytes <= change->val.bytes);
	/* Of exactly that size: what is applied stays in it. */
	uint8_t *value = malloc(change->val.bytes ? change->val.bytes : 1);
	assert_non_null(value);
	if (patched) {
		assert_int_equal(change->old.bytes, change->val.bytes);
		memcpy(value, change->old.data, change->old.bytes);
	}
	redo_apply(view, value);
	expect_slice(lg_slice(value, view->write->val_bytes), change->val);
	free(value);
}

static void expect_change(const struct redo_view *view, const struct redo_change *change)
{
	assert_int_equal(view->write->table, change->table);
	assert_int_equal(view->write->partition, change->partition);
	expect_slice(view->key, change->key);
	assert_int_equal(view->place != NULL, change->place != NULL);
	if (view->place)
		assert_memory_equal(view->place, change->place, sizeof *view->place);
	if (change->deleted)
		assert_int_equal(view->kind, REDO_DEL);
	else
		expect_new_value(view, change);
}

/* What was built is read back. */
static void expect_batch(const struct batch *batch, uint64_t version)
{
	const struct redo_head *head = batch->record;
	uint32_t offset = sizeof *head;
	struct redo_view view;
	assert_true(redo_check(head, batch->bytes));
	assert_true(head->version == version && head->host == 1 && head->incarnation == 77);
	assert_int_equal(head->write_count, batch->count);
	for (unsigned i = 0; i < batch->count; i++) {
		assert_true(redo_next(head, &offset, &view));
		expect_change(&view, &batch->change[i]);
	}
	assert_int_equal(offset, batch->bytes);
	assert_false(redo_next(head, &offset, &view));
}

static void make_random(struct batch *batch, uint64_t *random, uint64_t version)
{
	*batch = (struct batch){0};
	for (uint32_t n = 1 + below(random, MOST_CHANGES); n > 0; n--)
		add_random_change(batch, random);
	build(batch, version);
}

static void a_record_is_read_as_it_was_built(void **state)
{
	(void)state;
	uint64_t random = pod_seed(), count = pod_scaled(RANDOM_RECORDS);
	for (uint64_t i = 0; i < count; i++) {
		struct batch batch;
		make_random(&batch, &random, i);
		expect_batch(&batch, i);
		drop(&batch);
	}
}

/* What of a change of one value into another is recorded, in so many bytes; it is read back. */
static void expect_recorded(struct lg_slice old, struct lg_slice val, enum redo_kind kind, uint32_t data_bytes)
{
	uint64_t random = 1;
	struct batch batch = {0};
	struct redo_view view;
	uint32_t offset = sizeof(struct redo_head);
	add_change(&batch, &random, old, val);
	build(&batch, 5);
	expect_batch(&batch, 5);
	assert_true(redo_next(batch.record, &offset, &view));
	assert_int_equal(view.kind, kind);
	assert_int_equal(view.write->data_bytes, data_bytes);
	drop(&batch);
}

static void values_of_all_lengths_are_recorded_in_the_shorter_way(void **state)
{
	(void)state;
	uint64_t random = pod_seed();
	struct lg_slice none = {0}, large = random_bytes(&random, LG_MAX_VALUE_BYTES), longest, changed;
	expect_recorded(none, random_bytes(&random, 0), REDO_PUT, 0);
	expect_recorded(random_bytes(&random, 0), random_bytes(&random, 0), REDO_PUT, 0);
	expect_recorded(random_bytes(&random, 9), random_bytes(&random, 0), REDO_PUT, 0);
	/* A patch of no range, of one byte, and one that would not be shorter. */
	longest = random_bytes(&random, UINT16_MAX);
	expect_recorded(copy_of(longest), copy_of(longest), REDO_PATCH, 0);
	changed = copy_of(longest);
	((uint8_t *)(uintptr_t)changed.data)[UINT16_MAX - 1] ^= 1;
	expect_recorded(longest, changed, REDO_PATCH, sizeof(struct redo_range) + 1);
	changed = copy_of(lg_slice(large.data, 4));
	((uint8_t *)(uintptr_t)changed.data)[2] ^= 1;
	expect_recorded(copy_of(lg_slice(large.data, 4)), changed, REDO_PUT, 4);
	/* Ranges address 16 bits. */
	expect_recorded(copy_of(large), large, REDO_PUT, LG_MAX_VALUE_BYTES);
}

/* A record of one write of each kind. */
static void make_one_of_each(struct batch *batch, uint64_t *random)
{
	struct lg_slice old = random_bytes(random, 300), val = copy_of(old), none = {0};
	*batch = (struct batch){0};
	((uint8_t *)(uintptr_t)val.data)[3] ^= 1;
	((uint8_t *)(uintptr_t)val.data)[200] ^= 1;
	add_change(batch, random, old, val);
	add_change(batch, random, none, random_bytes(random, 77));
	add_change(batch, random, none, none)->deleted = true;
	build(batch, 9);
}

static void a_record_with_one_flipped_byte_is_refused(void **state)
{
	(void)state;
	uint64_t random = pod_seed();
	struct batch batch;
	make_one_of_each(&batch, &random);
	for (uint32_t at = 0; at < batch.bytes; at++) {
		uint8_t *byte = (uint8_t *)batch.record + at, before = *byte;
		for (unsigned bit = 0; bit < 8; bit++) {
			*byte = before ^ (uint8_t)(1u << bit);
			assert_false(redo_check(batch.record, batch.bytes));
		}
		*byte = before ^ (uint8_t)(1 + below(&random, 255));
		assert_false(redo_check(batch.record, batch.bytes));
		*byte = before;
	}
	expect_batch(&batch, 9);
	drop(&batch);
}

static void a_record_that_is_cut_or_has_more_behind_it_is_refused(void **state)
{
	(void)state;
	uint64_t random = pod_seed();
	struct batch batch;
	make_one_of_each(&batch, &random);
	for (uint32_t bytes = 0; bytes < batch.bytes; bytes++) {
		/* In memory of that size: who reads on is found. */
		void *cut = aligned_alloc(8, ((size_t)bytes + 8) & ~(size_t)7);
		assert_non_null(cut);
		memcpy(cut, batch.record, bytes);
		assert_false(redo_check(cut, bytes));
		free(cut);
	}
	for (uint32_t more = 1; more <= LINE_PAYLOAD_BYTES; more++)
		assert_false(redo_check(batch.record, batch.bytes + more));
	drop(&batch);
}

/* Applies all writes of a record that has been accepted. */
static void apply_all(const struct redo_head *head)
{
	uint32_t offset = sizeof *head;
	struct redo_view view;
	for (unsigned i = 0; i < head->write_count; i++) {
		assert_true(redo_next(head, &offset, &view));
		assert_true(view.write->val_bytes <= LG_MAX_VALUE_BYTES);
		uint8_t *value = calloc(1, view.write->val_bytes + 1u);
		assert_non_null(value);
		redo_apply(&view, value);
		free(value);
	}
}

/* Somebody has damaged a record and made the checksum fit: then it is refused, or can be applied. */
static void a_record_that_contradicts_itself_is_refused_or_harmless(void **state)
{
	(void)state;
	uint64_t random = pod_seed(), count = pod_scaled(100) * RANDOM_RECORDS, refused = 0;
	struct batch batch;
	make_one_of_each(&batch, &random);
	struct redo_head *head = aligned_alloc(8, batch.bytes);
	assert_non_null(head);
	for (uint64_t i = 0; i < count; i++) {
		memcpy(head, batch.record, batch.bytes);
		for (uint32_t n = 1 + below(&random, 3); n > 0; n--)
			((uint8_t *)head)[below(&random, batch.bytes)] = (uint8_t)pod_random(&random);
		head->crc = 0;
		head->crc = crc32c(0, head, batch.bytes);
		if (redo_check(head, batch.bytes))
			apply_all(head);
		else
			refused++;
	}
	assert_in_range(refused, 1, count - 1);
	free(head);
	drop(&batch);
}

/* ---- Rings ---- */

static int ring_setup(void **state)
{
	struct lg_pod_config config;
	unit_pod_config(&config);
	config.durability = LG_DURABILITY_CXL;
	config.redo_workers = 2;
	config.redo_ring_bytes = RING_BYTES;
	*state = unit_pod_make(&config);
	return 0;
}

/* One put, whose value depends on the version. */
static void make_sized(struct batch *batch, uint64_t version, uint32_t val_bytes)
{
	uint64_t random = version;
	struct lg_slice none = {0};
	*batch = (struct batch){0};
	add_change(batch, &random, none, random_bytes(&random, val_bytes));
	build(batch, version);
}

/* Records 1 to `last`, each with its position and size, appended to worker 1's ring of host 1. */
struct writer {
	struct cxl_port *port;
	struct redo_ring ring;
	uint64_t last;
	uint64_t position[4096];
	uint32_t val_bytes[4096];
};

static void append(struct writer *writer, uint32_t val_bytes)
{
	struct batch batch;
	uint64_t version = ++writer->last;
	assert_true(version < 4096);
	writer->position[version] = writer->ring.next;
	writer->val_bytes[version] = val_bytes;
	make_sized(&batch, version, val_bytes);
	assert_true(batch.bytes <= ring_record_limit(writer->port->geometry));
	ring_append(writer->port, &writer->ring, batch.record, batch.bytes);
	port_fence(writer->port);
	drop(&batch);
}

static uint32_t random_val_bytes(uint64_t *random, const struct writer *writer)
{
	/* Head, write, place, the longest key. */
	uint32_t most = ring_record_limit(writer->port->geometry) - 24 - 16 - 16 - LG_MAX_KEY_BYTES;
	return below(random, below(random, 5) ? 600 : most + 1);
}

struct reader {
	const struct writer *writer;
	uint64_t next, missing; /* of all but `missing` the next; 0: none yet */
	unsigned count;
};

static int read_one(const struct redo_head *record, void *argument)
{
	struct reader *reader = argument;
	struct batch batch;
	assert_true(record->version >= 1 && record->version <= reader->writer->last);
	if (reader->next == reader->missing && reader->next)
		reader->next++;
	assert_true(!reader->next || record->version == reader->next);
	assert_true(record->version != reader->missing);
	reader->next = record->version + 1;
	reader->count++;
	make_sized(&batch, record->version, reader->writer->val_bytes[record->version]);
	assert_int_equal(batch.bytes, record->bytes);
	assert_memory_equal(batch.record, record, batch.bytes);
	drop(&batch);
	return LG_OK;
}

/* The ring has every record whose first line is of the last lap, but `missing` (0: all), and gives them in order. */
static void expect_records(const struct writer *writer, uint64_t missing)
{
	struct reader reader = {.writer = writer, .missing = missing};
	unsigned wanted = 0;
	for (uint64_t version = 1; version <= writer->last; version++)
		wanted += version != missing && writer->position[version] + RING_LINES >= writer->ring.next;
	assert_int_equal(ring_scan(writer->port, 1, 1, read_one, &reader), LG_OK);
	assert_int_equal(reader.count, wanted);
	assert_true(reader.next == writer->last + 1 || missing == writer->last || !writer->last);
}

static struct writer *writer_open(struct unit_pod *pod)
{
	struct writer *writer = calloc(1, sizeof *writer);
	assert_non_null(writer);
	writer->port = &pod->port;
	ring_open(writer->port, &writer->ring, 1, 1);
	assert_true(writer->ring.next >= 1);
	return writer;
}

static void a_ring_gives_the_newest_records_in_order(void **state)
{
	struct writer *writer = writer_open(*state);
	uint64_t random = pod_seed();
	expect_records(writer, 0);
	for (unsigned i = 0; i < 3000; i++) {
		append(writer, random_val_bytes(&random, writer));
		if (i < 40 || below(&random, 20) == 0)
			expect_records(writer, 0);
	}
	/* Not of one lap only, and the greatest records as well. */
	assert_true(writer->ring.next > 10 * RING_LINES);
	free(writer);
}

static void the_record_before_the_greatest_stays(void **state)
{
	struct writer *writer = writer_open(*state);
	uint64_t random = 1;
	struct batch batch;
	for (uint64_t i = 0; i < 20; i++) {
		/* Keys vary in length: as much value as fills half a ring. */
		make_sized(&batch, writer->last + 1, 0);
		uint32_t room = ring_record_limit(writer->port->geometry) - batch.bytes;
		drop(&batch);
		append(writer, room - below(&random, 2) * (room / 2));
		expect_records(writer, 0);
		struct reader reader = {.writer = writer};
		assert_int_equal(ring_scan(writer->port, 1, 1, read_one, &reader), LG_OK);
		assert_true(i == 0 || reader.count >= 2);
	}
	free(writer);
}

/* As when the write-back of one line was lost: it is of the lap before. */
static void lose_line(const struct writer *writer, uint64_t position)
{
	uint8_t payload[LINE_BYTES];
	pod_fill(payload, LINE_PAYLOAD_BYTES, position);
	uint64_t tag = position > RING_LINES ? (position - RING_LINES) << 1 : 0;
	line_write(writer->port, writer->ring.base + position % RING_LINES * LINE_BYTES, payload, tag);
	port_fence(writer->port);
}

static void a_record_that_lacks_a_line_is_not_given(void **state)
{
	struct writer *writer = writer_open(*state);
	uint64_t random = pod_seed();
	for (unsigned i = 0; i < 300; i++) {
		for (unsigned n = 0; n < 8; n++)
			append(writer, random_val_bytes(&random, writer) % 2000);
		uint64_t lost = writer->last - below(&random, 8);
		uint64_t end = lost == writer->last ? writer->ring.next : writer->position[lost + 1];
		uint64_t position = writer->position[lost] + below(&random, (uint32_t)(end - writer->position[lost]));
		uint64_t last_line = writer->ring.next - 1;
		if (position == last_line)
			continue; /* that is the next claim's */
		pod_off line = writer->ring.base + position % RING_LINES * LINE_BYTES;
		uint8_t before[LINE_BYTES];
		uint64_t tag = line_look(writer->port, line, before);
		lose_line(writer, position);
		expect_records(writer, lost);
		line_write(writer->port, line, before, tag);
		port_fence(writer->port);
		expect_records(writer, 0);
	}
	free(writer);
}

static void a_ring_that_is_opened_again_goes_on_behind_what_is_there(void **state)
{
	struct writer *writer = writer_open(*state);
	uint64_t random = pod_seed();
	for (unsigned i = 0; i < 300; i++) {
		append(writer, random_val_bytes(&random, writer));
		uint64_t next = writer->ring.next;
		writer->ring = (struct redo_ring){0};
		ring_open(writer->port, &writer->ring, 1, 1);
		assert_true(writer->ring.next == next);
		expect_records(writer, 0);
	}
	/* The last record lacks its end: it is no record, and the next one does not make it one. */
	append(writer, 1000);
	uint64_t torn = writer->last;
	lose_line(writer, writer->ring.next - 1);
	ring_open(writer->port, &writer->ring, 1, 1);
	expect_records(writer, torn);
	append(writer, 500);
	expect_records(writer, torn);
	free(writer);
}

static void rings_of_other_workers_are_other_rings(void **state)
{
	struct unit_pod *pod = *state;
	struct writer *writer = writer_open(pod);
	struct redo_ring other;
	struct reader none = {.writer = writer};
	struct batch batch;
	append(writer, 100);
	for (unsigned host = 0; host < 2; host++)
		for (unsigned slot = 0; slot < 2; slot++) {
			ring_open(&pod->port, &other, host, slot);
			assert_true(other.next == (host == 1 && slot == 1 ? writer->ring.next : 1));
			make_sized(&batch, 7, 28000 - 2 * host - slot);
			for (unsigned n = 0; n < 5 && (host == 0 || slot == 0); n++)
				ring_append(&pod->port, &other, batch.record, batch.bytes);
			port_fence(&pod->port);
			drop(&batch);
		}
	assert_int_equal(ring_scan(&pod->port, 1, 1, read_one, &none), LG_OK);
	assert_int_equal(none.count, 1);
	free(writer);
}

/* ---- Scribbled rings ---- */

static int stop_at_once(const struct redo_head *record, void *argument)
{
	++*(unsigned *)argument;
	apply_all(record);
	return LG_CORRUPT;
}

static int apply_one(const struct redo_head *record, void *argument)
{
	++*(unsigned *)argument;
	assert_true(redo_check(record, record->bytes));
	apply_all(record);
	return LG_OK;
}

/* Random bytes; under random tags, or under such as a line of this place can have, of a head that begins well. */
static void scribble(struct writer *writer, uint64_t *random, unsigned damaged)
{
	for (unsigned n = 0; n < damaged; n++) {
		uint32_t line = below(random, RING_LINES);
		uint8_t payload[LINE_BYTES];
		pod_fill(payload, LINE_PAYLOAD_BYTES, pod_random(random));
		uint64_t tag = pod_random(random);
		if (below(random, 4))
			tag = ((uint64_t)below(random, 30) * RING_LINES + line) << 1 | below(random, 2);
		if (below(random, 2)) {
			struct redo_head head = {.bytes = below(random, 600) * 8, .format = REDO_FORMAT};
			memcpy(payload, &head, sizeof head);
		}
		line_write(writer->port, writer->ring.base + (pod_off)line * LINE_BYTES, payload, tag);
	}
	port_fence(writer->port);
}

static void a_scribbled_ring_harms_nobody(void **state)
{
	uint64_t random = pod_seed();
	for (unsigned i = 0; i < 200; i++) {
		struct writer *writer = writer_open(*state);
		unsigned found = 0, stopped = 0;
		for (unsigned n = 0; n < 20; n++)
			append(writer, random_val_bytes(&random, writer));
		scribble(writer, &random, i % 4 ? below(&random, 30) : RING_LINES * 3);
		assert_int_equal(ring_scan(writer->port, 1, 1, apply_one, &found), LG_OK);
		int code = ring_scan(writer->port, 1, 1, stop_at_once, &stopped);
		assert_int_equal(code, found ? LG_CORRUPT : LG_OK);
		assert_int_equal(stopped, found > 0);
		struct redo_ring again;
		ring_open(writer->port, &again, 1, 1);
		assert_in_range(again.next, 1, UINT64_C(1) << 62);
		free(writer);
	}
}

#define RING_TEST(claim) cmocka_unit_test_setup_teardown(claim, ring_setup, unit_pod_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_record_is_read_as_it_was_built),
	        cmocka_unit_test(values_of_all_lengths_are_recorded_in_the_shorter_way),
	        cmocka_unit_test(a_record_with_one_flipped_byte_is_refused),
	        cmocka_unit_test(a_record_that_is_cut_or_has_more_behind_it_is_refused),
	        cmocka_unit_test(a_record_that_contradicts_itself_is_refused_or_harmless),
	        RING_TEST(a_ring_gives_the_newest_records_in_order),
	        RING_TEST(the_record_before_the_greatest_stays),
	        RING_TEST(a_record_that_lacks_a_line_is_not_given),
	        RING_TEST(a_ring_that_is_opened_again_goes_on_behind_what_is_there),
	        RING_TEST(rings_of_other_workers_are_other_rings),
	        RING_TEST(a_scribbled_ring_harms_nobody),
	};
	return cmocka_run_group_tests_name("redo", tests, NULL, NULL);
}
