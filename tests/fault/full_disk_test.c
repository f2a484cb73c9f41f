/* full_disk_test.c: the disk of a host's log fills up, and is given space again; and commits that are faster than the log.
 *
 * What was acknowledged before is on disk; nothing is acknowledged meanwhile, and everybody is told why; when there is space the
 * host goes on by itself. Once the disk is a small tmpfs in a mount namespace of this process, which only root may make; and
 * once files may not grow (RLIMIT_FSIZE), which anybody can see.
 */
#include "common/pod_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

enum { VALUE_BYTES = 8 << 10, DISK_BYTES = 8 << 20, SEGMENT_BYTES = 256 << 10, MAX_COMMITS = 4000 };

struct disk {
	char data[128], ballast[160];
	struct lg_pod_config pod;
	struct lg_host_config host;
	struct pod_fixture *f;
	uint64_t commits; /* rows 0..commits-1, each written once */
	uint64_t told;    /* of them durable */
};

static void disk_open(struct disk *d)
{
	pod_config_small(&d->pod, 2);
	d->pod.durability = LG_DURABILITY_DISK;
	d->pod.data = d->data;
	d->pod.redo_ring_bytes = 128 << 10;
	lg_host_config_init(&d->host);
	d->host.data = d->data;
	d->host.log_segment_bytes = SEGMENT_BYTES;
	d->f = pod_open(&d->pod, &d->host, 2);
}

struct step {
	struct disk *d;
	uint64_t number;
};

static int put_body(struct lg_txn *txn, void *argument)
{
	static uint8_t value[VALUE_BYTES];
	struct step *step = argument;
	pod_fill(value, sizeof(value), step->number);
	return lg_put(txn, step->d->f->rows[0], pod_key_on(0, step->number), lg_slice(value, sizeof(value)));
}

static int put_next(struct disk *d)
{
	struct step step = {d, d->commits};
	int code = lg_run(d->f->worker[0], put_body, &step);
	d->commits += code == LG_OK;
	return code;
}

static int get_body(struct lg_txn *txn, void *argument)
{
	struct step *step = argument;
	struct lg_slice val;
	int code = lg_get(txn, step->d->f->rows[1], pod_key_on(0, step->number), &val);
	if (code == LG_OK && !pod_filled(val, VALUE_BYTES, step->number))
		return LG_CORRUPT;
	return code;
}

/* All rows that were told of are there, and from then on perhaps some. Returns how many. */
static uint64_t expect_rows(struct disk *d)
{
	uint64_t there = 0;
	for (uint64_t i = 0; i < d->commits; i++) {
		struct step step = {d, i};
		int code = lg_run(d->f->worker[1], get_body, &step);
		if (code == LG_NOTFOUND && i >= d->told)
			continue;
		assert_int_equal(code, LG_OK);
		assert_int_equal(there, i); /* a prefix */
		there++;
	}
	return there;
}

/* Commits until the log has failed. Each commit that succeeds is waited for, so all but the last are durable. */
static void commit_until_full(struct disk *d, int reason)
{
	int code = LG_OK;
	while (code == LG_OK) {
		assert_true(d->commits < MAX_COMMITS);
		code = put_next(d);
		if (code == LG_OK)
			code = lg_wait(d->f->host[0], lg_last_ticket(d->f->worker[0]), 60000);
		if (code == LG_OK)
			d->told = d->commits;
	}
	assert_int_equal(code, reason);
}

static void a_notice(void *argument, int code)
{
	assert_int_equal(code, LG_OK);
	atomic_store((atomic_bool *)argument, true);
}

/* While it is full: everybody is told why, and nothing is durable. */
static void expect_refusal(struct disk *d, int reason, struct lg_ticket ticket)
{
	enum lg_outcome outcome;
	struct lg_error err = {0};
	assert_int_equal(lg_host_log_state(d->f->host[0], &err), reason);
	assert_true(strlen(err.message) > 0);
	OK(lg_status(d->f->host[0], ticket, &outcome));
	assert_int_equal(outcome, LG_OUTCOME_PENDING);
	assert_true(lg_durable_epoch(d->f->host[0]) < ticket.epoch);
	assert_true(lg_durable_epoch(d->f->host[1]) < ticket.epoch);
	/* Commits go on until the rings are full; then they are refused with the reason. */
	int code = LG_OK;
	while (code == LG_OK) {
		assert_true(d->commits < MAX_COMMITS);
		code = put_next(d);
	}
	assert_int_equal(code, reason);
}

static void fill_up_and_mend(struct disk *d, int reason, void (*mend)(struct disk *d))
{
	atomic_bool noticed = false;
	struct lg_error err;
	commit_until_full(d, reason);
	struct lg_ticket ticket = lg_last_ticket(d->f->worker[0]);
	OK(lg_notify(d->f->host[0], ticket, a_notice, &noticed));
	expect_refusal(d, reason, ticket);
	assert_false(atomic_load(&noticed));
	mend(d);
	/* By itself: nobody asks for anything but whether it is durable. */
	while (lg_wait(d->f->host[0], ticket, 60000) != LG_OK)
		sched_yield();
	while (!atomic_load(&noticed))
		sched_yield();
	OK(lg_sync(d->f->host[0], 60000));
	OK(lg_host_log_state(d->f->host[0], &err));
	OK(put_next(d));
	OK(lg_wait(d->f->host[0], lg_last_ticket(d->f->worker[0]), 60000));
	d->told = d->commits;
	assert_int_equal(expect_rows(d), d->commits);
}

static void reopen(struct disk *d)
{
	struct lg_error err;
	pod_close_host(d->f, 0);
	pod_close_host(d->f, 1);
	OK(lg_pod_destroy(d->f->uri, false, &err));
	int code = lg_pod_recover(d->f->uri, d->data, NULL, NULL, &err);
	if (code != LG_OK)
		fail_msg("lg_pod_recover: %s", err.message);
	pod_open_host(d->f, 0, &d->host);
	pod_open_host(d->f, 1, &d->host);
	assert_int_equal(expect_rows(d), d->commits);
}

/* ---- A small tmpfs --------------------------------------------------------------------------------------------------- */

static void remove_ballast(struct disk *d)
{
	assert_int_equal(unlink(d->ballast), 0);
}

static void a_host_whose_disk_is_full_says_so_and_goes_on_when_there_is_space(void **state)
{
	static struct disk disk;
	char mounted[128], size[32];
	(void)state;
	disk = (struct disk){0};
	pod_private_directory(mounted, sizeof(mounted));
	snprintf(size, sizeof(size), "size=%d", DISK_BYTES);
	/* Of this process alone: it goes with it. */
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	        mount("liger-test", mounted, "tmpfs", 0, size) != 0) {
		print_message("LEFT OUT: cannot mount a small tmpfs: %s; run it as root\n", strerror(errno));
		skip();
	}
	snprintf(disk.data, sizeof(disk.data), "%.100s/data", mounted);
	snprintf(disk.ballast, sizeof(disk.ballast), "%.100s/ballast", mounted);
	int file = open(disk.ballast, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(file >= 0);
	assert_int_equal(posix_fallocate(file, 0, DISK_BYTES / 2), 0);
	assert_int_equal(close(file), 0);
	disk_open(&disk);
	fill_up_and_mend(&disk, LG_NOSPACE, remove_ballast);
	reopen(&disk);
	pod_close(disk.f);
	assert_int_equal(umount(mounted), 0);
}

/* ---- Files that may not grow ------------------------------------------------------------------------------------------ */

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void lift_limit(struct disk *d)
{
	struct rlimit limit;
	(void)d;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit_files(limit.rlim_max);
}

static void a_host_whose_files_may_not_grow_says_so_and_goes_on_when_they_may(void **state)
{
	static struct disk disk;
	(void)state;
	disk = (struct disk){0};
	pod_private_directory(disk.data, sizeof(disk.data));
	disk_open(&disk);
	signal(SIGXFSZ, SIG_IGN);
	limit_files(SEGMENT_BYTES /
	            2); /* what is allocated already stays usable; the next segment does not get its space */
	fill_up_and_mend(&disk, LG_SYSTEM, lift_limit);
	signal(SIGXFSZ, SIG_DFL);
	reopen(&disk);
	pod_close(disk.f);
}

/* ---- Small rings -------------------------------------------------------------------------------------------------------- */

static void commits_that_are_faster_than_the_log_wait_for_it(void **state)
{
	static struct disk disk;
	struct lg_stats stats;
	(void)state;
	disk = (struct disk){0};
	pod_private_directory(disk.data, sizeof(disk.data));
	disk_open(&disk);
	/* A ring takes fewer than sixteen of them. */
	for (uint64_t i = 0; i < pod_scaled(1000); i++)
		OK(put_next(&disk));
	lg_host_stats(disk.f->host[0], &stats);
	assert_true(stats.ring_waits > 0 || disk.commits < 100);
	print_message("%llu of %llu commits waited\n", (unsigned long long)stats.ring_waits,
	        (unsigned long long)disk.commits);
	OK(lg_wait(disk.f->host[0], lg_last_ticket(disk.f->worker[0]), 60000));
	disk.told = disk.commits;
	reopen(&disk);
	pod_close(disk.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_host_whose_files_may_not_grow_says_so_and_goes_on_when_they_may),
	        cmocka_unit_test(commits_that_are_faster_than_the_log_wait_for_it),
	        cmocka_unit_test(a_host_whose_disk_is_full_says_so_and_goes_on_when_there_is_space),
	};
	cmocka_set_test_filter(getenv("LG_TEST_FILTER")); /* for who looks at one of them */
	return cmocka_run_group_tests_name("full disk", tests, NULL, NULL);
}
