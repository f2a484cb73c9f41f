/* log_bytes_inprocess_test.c: a small pod's logs with a byte of them changed, or a file of them cut short.
 *
 * The pod commits some steps, each durable before the next, and its logs are kept in memory: once it is closed, or, as if
 * its power had failed, before that. Each trial damages
 * a copy of them, recovers the pod and opens its hosts. Either that is refused, with the place; or what is there is
 * exactly what the pod had after the steps of its durable epochs: an older state, never another one.
 *
 * LG_TEST_EVERY_BYTE=1 tries every byte that is not zero, and many that are; else it is a sample of them.
 */
#include "common/pod_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEPS = 5, KEYS = 4, MAX_FILES = 64, HOSTS = 2 };

struct image {
	char name[64]; /* under the data directory */
	uint8_t *bytes;
	size_t size;
};

struct original {
	char data[128]; /* of the trials */
	char uri[80];
	struct image files[MAX_FILES];
	uint32_t file_count;
	uint64_t epoch[STEPS]; /* the ticket of the step */
	uint32_t refused, older, same;
};

/* ---- The original --------------------------------------------------------------------------------------------------- */

static void keep_file(struct original *o, const char *data, const char *name)
{
	struct image *image = &o->files[o->file_count++];
	char path[256];
	struct stat status;
	assert_true(o->file_count <= MAX_FILES);
	assert_true(strlen(name) < sizeof(image->name));
	memcpy(image->name, name, strlen(name) + 1);
	snprintf(path, sizeof(path), "%s/%s", data, name);
	int file = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(file >= 0 && fstat(file, &status) == 0);
	image->size = (size_t)status.st_size;
	image->bytes = malloc(image->size);
	assert_non_null(image->bytes);
	assert_int_equal(read(file, image->bytes, image->size), (ssize_t)image->size);
	assert_int_equal(close(file), 0);
}

static void keep_all(struct original *o, const char *data)
{
	keep_file(o, data, "pod");
	for (int host = 0; host < HOSTS; host++) {
		char path[160], name[64];
		snprintf(path, sizeof(path), "%s/host-%02d", data, host);
		DIR *directory = opendir(path);
		assert_non_null(directory);
		for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
			if (strstr(entry->d_name, ".log") == NULL)
				continue;
			snprintf(name, sizeof(name), "host-%02d/%.40s", host, entry->d_name);
			keep_file(o, data, name);
		}
		closedir(directory);
	}
}

static void text_of(char text[32], unsigned key, unsigned step)
{
	snprintf(text, 32, "key %u of step %u", key, step);
}

/* Step s writes the rows of both hosts but one, which it deletes; alternately from either. */
static void take_step(struct pod_fixture *f, unsigned step)
{
	char text[32];
	uint32_t by = step % HOSTS;
	for (unsigned key = 0; key < KEYS; key++) {
		text_of(text, key, step);
		if (key == step % KEYS && step > 0)
			pod_del(f, by, pod_key_on(key % HOSTS, key));
		else
			pod_put(f, by, pod_key_on(key % HOSTS, key), pod_text(text));
	}
	OK(lg_sync(f->host[by], 60000));
}

static int setup(void **state, bool closed)
{
	static struct original o;
	struct lg_pod_config pod;
	struct lg_host_config host;
	char data[128], name[64];
	o = (struct original){0};
	pod_private_directory(data, sizeof(data));
	pod_private_directory(o.data, sizeof(o.data));
	pod_config_small(&pod, HOSTS);
	pod.hwcc_bytes = 4 << 20;
	pod.swcc_bytes = 8 << 20;
	pod.redo_workers = 2;
	pod.redo_ring_bytes = 64 << 10;
	pod.durability = LG_DURABILITY_DISK;
	pod.data = data;
	lg_host_config_init(&host);
	host.data = data;
	host.log_segment_bytes = 16 << 10; /* several */
	struct pod_fixture *f = pod_open(&pod, &host, HOSTS);
	for (unsigned step = 0; step < STEPS; step++) {
		take_step(f, step);
		o.epoch[step] = lg_last_ticket(f->worker[step % HOSTS]).epoch;
		assert_true(step == 0 || o.epoch[step] > o.epoch[step - 1]);
	}
	for (uint32_t i = HOSTS; closed && i > 0; i--)
		pod_close_host(f, i - 1);
	keep_all(&o, data); /* of a pod that is not closed too: when all is durable and nobody commits, nobody writes */
	pod_close(f);
	pod_private_name(name, sizeof(name));
	snprintf(o.uri, sizeof(o.uri), "shm:%s", name);
	*state = &o;
	return 0;
}

static int setup_closed(void **state)
{
	return setup(state, true);
}

static int setup_running(void **state)
{
	return setup(state, false);
}

static int teardown(void **state)
{
	struct original *o = *state;
	for (uint32_t i = 0; i < o->file_count; i++)
		free(o->files[i].bytes);
	return 0;
}

/* ---- A trial -------------------------------------------------------------------------------------------------------- */

static void remove_logs(const char *path)
{
	DIR *directory = opendir(path);
	if (directory == NULL)
		return;
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		char name[512];
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		(void)unlink(name); /* "." and ".." stay */
	}
	closedir(directory);
}

static void write_out(const struct original *o, uint32_t damaged, size_t size)
{
	char path[256];
	for (int host = 0; host < HOSTS; host++) {
		snprintf(path, sizeof(path), "%s/host-%02d", o->data, host);
		remove_logs(path);
		(void)mkdir(path, 0700); /* it may be there */
	}
	for (uint32_t i = 0; i < o->file_count; i++) {
		const struct image *image = &o->files[i];
		size_t bytes = i == damaged ? size : image->size;
		snprintf(path, sizeof(path), "%s/%s", o->data, image->name);
		int file = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
		assert_true(file >= 0);
		assert_int_equal(write(file, image->bytes, bytes), (ssize_t)bytes);
		assert_int_equal(close(file), 0);
	}
}

static void expect_step(struct lg_worker *worker, struct lg_table *table, int step, const char *what)
{
	struct lg_txn *txn = pod_begin(worker);
	for (unsigned key = 0; key < KEYS; key++) {
		struct lg_slice val = {0};
		char text[32];
		bool there = step >= 0 && (step == 0 || key != (unsigned)step % KEYS);
		text_of(text, key, (unsigned)step);
		int code = lg_get(txn, table, pod_key_on(key % HOSTS, key), &val);
		bool right = code == (there ? LG_OK : LG_NOTFOUND) &&
		             (!there || (val.bytes == strlen(text) && memcmp(val.data, text, val.bytes) == 0));
		if (!right)
			fail_msg("%s: key %u is not as after step %d: code %d, \"%.*s\"", what, key, step, code,
			        (int)val.bytes, (const char *)val.data);
	}
	lg_abort(txn);
}

/* LG_OK: the pod's state is that of its durable epoch. */
static int open_and_compare(const struct original *o, uint64_t durable, const char *what, struct lg_error *err)
{
	struct lg_host *host[HOSTS] = {NULL};
	struct lg_host_config config;
	int code = LG_OK, step = -1;
	while (step + 1 < STEPS && o->epoch[step + 1] <= durable)
		step++;
	lg_host_config_init(&config);
	config.data = o->data;
	for (config.host_id = 0; config.host_id < HOSTS && code == LG_OK; config.host_id++)
		code = lg_host_open(o->uri, &config, &host[config.host_id], err);
	if (code == LG_OK) {
		struct lg_worker *worker;
		struct lg_table *table;
		OK(lg_worker_open(host[0], &worker, err));
		code = lg_table_open(host[0], "rows", &table, err);
		if (code == LG_OK)
			expect_step(worker, table, step, what);
		else if (code == LG_NOTFOUND && step < 0)
			code = LG_OK; /* a state from before its making */
		OK(lg_worker_close(worker));
	}
	for (int i = 0; i < HOSTS; i++)
		if (host[i])
			OK(lg_host_close(host[i]));
	return code;
}

static void try(struct original *o, uint32_t damaged, size_t size, const char *what)
{
	struct lg_recovery recovery;
	struct lg_error err = {0};
	write_out(o, damaged, size);
	int code = lg_pod_recover(o->uri, o->data, NULL, &recovery, &err);
	bool recovered = code == LG_OK;
	if (recovered) {
		code = open_and_compare(o, recovery.durable_epoch, what, &err);
		OK(lg_pod_destroy(o->uri, true, NULL));
	}
	if (code == LG_OK) {
		if (recovery.durable_epoch < o->epoch[STEPS - 1])
			o->older++;
		else
			o->same++;
		return;
	}
	o->refused++;
	/* Which log it was: by its file, or by its host. */
	bool told = strstr(err.message, "host-0") || strstr(err.message, "host 0") || strstr(err.message, "host 1");
	if ((code != LG_CORRUPT && code != LG_MISMATCH) || !told)
		fail_msg("%s: code %d: %s", what, code, err.message);
}

static void tell(const struct original *o)
{
	print_message("%u refused, %u older states, %u whole\n", o->refused, o->older, o->same);
}

static void try_byte(struct original *o, uint32_t file, size_t at, uint8_t flip)
{
	char what[128];
	struct image *image = &o->files[file];
	snprintf(what, sizeof(what), "%s, byte %zu ^ %02x", image->name, at, flip);
	image->bytes[at] ^= flip;
	try(o, file, image->size, what);
	image->bytes[at] ^= flip;
}

static bool every_byte(void)
{
	const char *text = getenv("LG_TEST_EVERY_BYTE");
	return text != NULL && strcmp(text, "1") == 0;
}

static void a_changed_byte_gives_an_older_state_or_is_refused(void **state)
{
	struct original *o = *state;
	uint64_t random = pod_seed(), sample = pod_scaled(150);
	for (uint32_t file = 1; file < o->file_count && every_byte(); file++)
		for (size_t at = 0; at < o->files[file].size; at += o->files[file].bytes[at] || at % 64 == 0 ? 1 : 15)
			try_byte(o, file, at, (uint8_t)(1 << pod_random(&random) % 8));
	for (uint64_t i = 0; i < sample && !every_byte(); i++) {
		uint32_t file = 1 + (uint32_t)(pod_random(&random) % (o->file_count - 1));
		const struct image *image = &o->files[file];
		size_t at = pod_random(&random) % image->size;
		while (i % 8 && image->bytes[at] == 0)
			at = pod_random(&random) % image->size;
		try_byte(o, file, at, (uint8_t)(1 << pod_random(&random) % 8));
	}
	tell(o);
	assert_true(o->refused > 0);
}

static void a_file_that_was_cut_short_is_refused(void **state)
{
	struct original *o = *state;
	size_t step = every_byte() ? 512 : 4096;
	for (uint32_t file = 1; file < o->file_count; file++)
		for (size_t size = 0; size < o->files[file].size; size += step) {
			char what[128];
			snprintf(what, sizeof(what), "%s, cut to %zu bytes", o->files[file].name, size);
			try(o, file, size, what);
		}
	tell(o);
	assert_int_equal(o->older + o->same, 0);
}

/* What the trials of the others compare with. */
static void undamaged_logs_give_the_last_state(void **state)
{
	struct original *o = *state;
	try(o, 0, o->files[0].size, "undamaged");
	assert_int_equal(o->same, 1);
}

#define OF_BOTH(claim)                                                                                                 \
	{#claim " [closed]", claim, setup_closed, teardown, NULL},                                                     \
	{                                                                                                              \
#claim " [running]", claim, setup_running, teardown, NULL                                              \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        OF_BOTH(undamaged_logs_give_the_last_state),
	        OF_BOTH(a_changed_byte_gives_an_older_state_or_is_refused),
	        OF_BOTH(a_file_that_was_cut_short_is_refused),
	};
	cmocka_set_test_filter(getenv("LG_TEST_FILTER")); /* for who looks at one of them */
	return cmocka_run_group_tests_name("log bytes", tests, NULL, NULL);
}
