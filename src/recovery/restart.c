/* restart.c: making a pod that may keep logs, and bringing one back from them.
 *
 * Recover                                          A crash after it leaves
 *   1. keep all hosts, and other recoverers, out    the directory as it was
 *   2. read all logs: D, tables, partition map;     the same
 *      what was read is on disk
 *   3. note the gap behind D (manifest.h)           a gap too many, which the next attempt widens
 *   4. make the region, with all that in it         an unfinished region: destroyed by hand, or a pod
 *
 * The rows come back when their hosts join (rebuild.h). A host that finds no region does the same by itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cxl/catalog.h"
#include "cxl/pod.h"
#include "cxl/region.h"
#include "engine/service.h"
#include "recovery/survey.h"

#define START_TIMEOUT_NS UINT64_C(2000000000) /* for one who has just recovered the pod to be gone, or to have joined */
#define END_TIMEOUT_NS   UINT64_C(10000000000) /* for one who has recovered the pod to let its logs go */
enum { START_NAP_NS = 5000000, END_NAP_NS = 200000 };

/* Locks on a data directory and on the logs in it: whoever writes one of these has its lock. */
struct locks {
	struct log_io *io;
	int files[LG_MAX_HOSTS + 1];
	unsigned count;
};

static int take_lock(struct locks *locks, const char *path, const char *who, struct lg_error *err)
{
	int file = locks->io->ops->lock_directory(locks->io, path);
	if (file == -ENOENT)
		return LG_OK;
	if (file == -EWOULDBLOCK)
		return error_set(err, LG_INUSE, "%s (%.300s is locked)", who, path);
	if (file < 0)
		return error_set(err, log_io_code(file), "cannot lock %.300s: %s", path, strerror(-file));
	locks->files[locks->count++] = file;
	return LG_OK;
}

/* First of all: the data directory's. */
static int take_data_lock(struct locks *locks, const char *data, struct lg_error *err)
{
	int code = log_io_open(LOG_IO_PWRITE, &locks->io, err);
	return code == LG_OK ? take_lock(locks, data, "another process is at this data directory", err) : code;
}

static int take_host_locks(struct locks *locks, const char *data, uint32_t hosts, struct lg_error *err)
{
	int code = LG_OK;
	for (uint32_t host = 0; host < hosts && code == LG_OK; host++) {
		char path[LOG_PATH_BYTES], who[64];
		snprintf(who, sizeof who, "cannot recover: host %u of the pod runs", host);
		code = log_dir_name(data, host, path, sizeof path, err);
		if (code == LG_OK)
			code = take_lock(locks, path, who, err);
	}
	return code;
}

/* All but the first so many. */
static void drop_behind(struct locks *locks, unsigned count)
{
	while (locks->count > count)
		(void)locks->io->ops->close(locks->io, locks->files[--locks->count]); /* nothing was written to them */
}

static void drop_locks(struct locks *locks)
{
	drop_behind(locks, 0);
	log_io_close(locks->io);
}

static int create_in(const char *uri, const struct lg_pod_config *config, struct lg_error *err)
{
	struct region region;
	struct manifest manifest;
	int code = manifest_check_empty(config->data, err);
	if (code == LG_OK)
		code = region_create(uri, config, NULL, err);
	if (code != LG_OK)
		return code;
	code = region_attach(uri, 0, &region, err);
	if (code == LG_OK) {
		manifest_of(uri, config, region.geometry.cookie, &manifest);
		region_detach(&region);
		code = manifest_write(config->data, &manifest, err);
	}
	if (code != LG_OK)
		(void)region_destroy(uri, config->emulate, true, NULL); /* the first error is the one to tell */
	return code;
}

int lg_pod_create(const char *uri, const struct lg_pod_config *config, struct lg_error *err)
{
	struct locks locks = {0};
	if (!config)
		return error_set(
		        err, LG_INVALID, "lg_pod_create() needs a configuration: lg_pod_config_init() makes one");
	if (!config->data)
		return region_create(uri, config, NULL, err);
	int code = manifest_make_directory(config->data, err);
	if (code == LG_OK)
		code = take_data_lock(&locks, config->data, err);
	if (code == LG_OK)
		code = create_in(uri, config, err);
	drop_locks(&locks);
	return code;
}

static int sync_file(const char *path, struct lg_error *err)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	int failed = file < 0 || fdatasync(file) != 0 ? errno : 0;
	if (file >= 0)
		(void)close(file); /* nothing was written to it */
	return failed ? error_set(err, log_io_code(-failed), "cannot make %.300s durable: %s", path, strerror(failed))
	              : LG_OK;
}

/* The hosts may have been killed between a write and its fdatasync. What was read of that counts from now on, and a host
 * that returns builds on it, perhaps long before the one whose log it is writes its last batch anew. */
static int sync_logs(const struct locks *locks, const char *data, const struct manifest *manifest, struct lg_error *err)
{
	int code = LG_OK;
	for (uint32_t host = 0; host < manifest->host_count && code == LG_OK; host++) {
		char path[LOG_PATH_BYTES];
		struct log_dir dir;
		code = log_dir_name(data, host, path, sizeof path, err);
		if (code != LG_OK)
			break;
		code = log_dir_read(locks->io, path, manifest->cookie, host, &dir, err);
		for (size_t i = 0; i < dir.count && code == LG_OK; i++) {
			log_segment_path(&dir, dir.segments[i].sequence, path);
			code = sync_file(path, err);
		}
		log_dir_free(&dir);
		code = code == LG_NOTFOUND ? LG_OK : code; /* it never had one */
	}
	return code;
}

struct filling {
	const struct survey *survey;
	uint64_t epoch;
};

static int fill_tables(struct cxl_port *port, const struct survey *survey, struct lg_error *err)
{
	for (uint32_t id = 0; id < survey->table_count; id++) {
		const struct log_table_body *body = survey->tables[id];
		struct lg_table_def def = {.name = body->name,
		        .by = (enum lg_partitioning)body->by,
		        .prefix_bytes = body->prefix_bytes,
		        .partitions = body->partitions,
		        .splits = body->by == LG_RANGE ? body->splits : NULL};
		uint32_t given;
		int code = catalog_check_def(port, &def, err);
		if (code == LG_OK)
			code = catalog_add(port, 0, &def, &given, err);
		if (code == LG_OK && given != id)
			code = error_set(
			        err, LG_CORRUPT, "the logs have table '%s' twice, as %u and %u", body->name, given, id);
		if (code != LG_OK)
			return code;
	}
	return LG_OK;
}

static int fill(struct cxl_port *port, void *argument, struct lg_error *err)
{
	const struct filling *filling = argument;
	const struct survey *survey = filling->survey;
	port_word_store(port, POD_CLOCK_OFFSET + offsetof(struct pod_clock, epoch), filling->epoch,
	        memory_order_relaxed); /* relaxed: the magic comes last */
	for (uint32_t host = 0; host < port->geometry->host_count; host++)
		member_restore(port, host, survey->hosts[host].incarnation);
	for (uint32_t p = 0; survey->owners_known && p < port->geometry->partition_count; p++)
		partition_place(port, p, survey->owners[p]);
	return fill_tables(port, survey, err);
}

static int bring_back(struct locks *locks, const char *uri, const char *data, const char *emulate,
        struct manifest *manifest, const struct survey *survey, struct lg_recovery *recovery, struct lg_error *err)
{
	uint64_t last = survey->last_epoch > survey->durable ? survey->last_epoch : survey->durable;
	*recovery = (struct lg_recovery){.cookie = manifest->cookie,
	        .durable_epoch = manifest_effective(manifest, survey->durable),
	        .last_epoch = survey->last_epoch,
	        .first_epoch = last + 1,
	        .hosts = survey->host_count,
	        .tables = survey->table_count};
	if (!manifest_begin_life(manifest, survey->durable, last + 1))
		return error_set(err, LG_LIMIT, "%.200s was recovered more than %d times: its logs know no more lives",
		        data, MANIFEST_MAX_GAPS);
	manifest_note_uri(manifest, uri);
	int code = manifest_write(data, manifest, err);
	if (code != LG_OK)
		return code;
	/* Hosts may open as soon as the region is there, and then need their own. Who takes it now for an older region finds the new
	 * life in the manifest. Other recoverers are still kept out. */
	drop_behind(locks, 1);
	struct lg_pod_config config;
	manifest_config(manifest, &config);
	config.data = data;
	config.emulate = emulate;
	struct filling filling = {survey, last + 2};
	struct region_birth birth = {manifest->cookie, manifest->life, fill, &filling};
	return region_create(uri, &config, &birth, err);
}

static int recover_locked(struct locks *locks, const char *uri, const char *data, const char *emulate,
        struct manifest *manifest, struct lg_recovery *recovery, struct lg_error *err)
{
	struct survey *survey = malloc(sizeof *survey);
	if (!survey)
		return error_set(err, LG_NOSPACE, "no private memory to read the logs");
	int code = survey_logs(data, manifest, survey, err);
	if (code == LG_OK)
		code = sync_logs(locks, data, manifest, err);
	if (code == LG_OK)
		code = bring_back(locks, uri, data, emulate, manifest, survey, recovery, err);
	survey_free(survey);
	free(survey);
	return code;
}

/* While the old region is there, its hosts may go on in it, in epochs that would be void. */
static int check_absent(const char *uri, struct lg_error *err)
{
	struct region region;
	if (region_attach(uri, 0, &region, NULL) != LG_OK)
		return LG_OK; /* region_create() says what else may be there */
	region_detach(&region);
	return error_set(err, LG_EXISTS,
	        "cannot recover into %s: a pod is there; if it is the same one, open its hosts: nothing is lost; else "
	        "remove "
	        "it with `liger pod destroy`, or choose another name",
	        uri);
}

/* The same of the region that the pod was in last, whatever name was given now. */
static int check_not_elsewhere(const char *uri, const char *data, const struct manifest *manifest, struct lg_error *err)
{
	struct region region;
	if (!manifest->uri[0] || manifest_is_in(manifest, uri) ||
	        region_attach(manifest->uri, manifest->cookie, &region, NULL) != LG_OK)
		return LG_OK;
	bool current = region.geometry.life == manifest->life; /* else it was given up long ago */
	region_detach(&region);
	return current ? error_set(err, LG_EXISTS,
	                         "cannot recover into %.150s: the pod of %.100s is there, in %.159s: open its hosts "
	                         "with "
	                         "that name, nothing is lost; or remove it with `liger pod destroy`",
	                         uri, data, manifest->uri)
	               : LG_OK;
}

int lg_pod_recover(
        const char *uri, const char *data, const char *emulate, struct lg_recovery *recovery, struct lg_error *err)
{
	struct lg_recovery ignored;
	struct manifest manifest;
	struct locks locks = {0};
	if (!uri || !data)
		return error_set(err, LG_INVALID, "lg_pod_recover() needs a region and a data directory");
	recovery = recovery ? recovery : &ignored;
	*recovery = (struct lg_recovery){0};
	int code = manifest_read(data, &manifest, err);
	/* Here already, so that hosts which join the region need not wait for a lock. */
	if (code == LG_OK)
		code = check_absent(uri, err);
	if (code == LG_OK)
		code = take_data_lock(&locks, data, err);
	/* And again: another may just have recovered it, into its next life. */
	if (code == LG_OK)
		code = manifest_read(data, &manifest, err);
	if (code == LG_OK)
		code = check_absent(uri, err);
	if (code == LG_OK)
		code = check_not_elsewhere(uri, data, &manifest, err);
	/* And only where there is no region: else a host may be joining it just now, and needs its log. */
	if (code == LG_OK)
		code = take_host_locks(&locks, data, manifest.host_count, err);
	if (code == LG_OK)
		code = recover_locked(&locks, uri, data, emulate, &manifest, recovery, err);
	drop_locks(&locks);
	return code;
}

/* Whether somebody has the data directory, as whoever recovers does until the region is whole. */
static bool is_being_recovered(const char *data)
{
	struct locks locks = {0};
	int code = take_data_lock(&locks, data, NULL);
	drop_locks(&locks);
	return code == LG_INUSE;
}

static int recover_at_start(struct lg_host *host, const char *uri, struct lg_error *err)
{
	struct manifest manifest;
	const struct lg_host_config *config = &host->config;
	int code = manifest_read(config->data, &manifest, err);
	if (code != LG_OK)
		return code;
	if (config->expect_cookie && config->expect_cookie != manifest.cookie)
		return error_set(err, LG_MISMATCH,
		        "%.300s holds pod %016" PRIx64 ", not the one that was asked for (%016" PRIx64 ")",
		        config->data, manifest.cookie, config->expect_cookie);
	/* A name that is not the pod's may be a mistake: nothing is begun there without being told to. */
	if (!manifest_is_in(&manifest, uri))
		return error_set(err, LG_NOTFOUND,
		        "there is no region %.150s; the pod of %.100s is in %.159s: open that, or bring the pod back "
		        "in "
		        "another region with `liger recover`",
		        uri, config->data, manifest.uri[0] ? manifest.uri : "one whose name is too long to be noted");
	code = lg_pod_recover(uri, config->data, config->emulate, NULL, err);
	return code == LG_EXISTS ? LG_OK : code; /* another host was first */
}

/* Who has brought the pod back holds the hosts' logs a little longer than it takes to see the region, and the data
 * directory longest. Whoever holds that for long is somebody else: then opening the log tells. */
static void await_recoverer(const char *data)
{
	for (uint64_t until = clock_ns() + END_TIMEOUT_NS; clock_ns() < until && is_being_recovered(data);)
		nanosleep(&(struct timespec){0, END_NAP_NS}, NULL);
}

/* Before a log is begun in it: a directory that was named by mistake stays as it is. */
static int check_directory(const struct lg_host *host, struct lg_error *err)
{
	const char *data = host->config.data;
	struct manifest manifest;
	if (!data || !host->region.geometry.logged)
		return LG_OK;
	await_recoverer(data);
	int code = manifest_read(data, &manifest, err);
	if (code == LG_OK && manifest.cookie != host->region.geometry.cookie)
		code = error_set(err, LG_MISMATCH,
		        "the data directory %.200s is that of another pod (%016" PRIx64 ", this one is %016" PRIx64 ")",
		        data, manifest.cookie, host->region.geometry.cookie);
	return code;
}

int recovery_attach(struct lg_host *host, const char *uri, struct lg_error *err)
{
	const struct lg_host_config *config = &host->config;
	bool sure = false; /* that nobody is at it: then a second look tells whether the region was just finished */
	for (uint64_t until = clock_ns() + START_TIMEOUT_NS;;) {
		bool late = clock_ns() >= until;
		int code = region_attach(uri, config->expect_cookie, &host->region, err);
		if (code == LG_OK)
			return check_directory(host, err);
		if (!config->data || !config->recover || (code != LG_NOTFOUND && code != LG_MISMATCH))
			return code;
		if (code == LG_NOTFOUND)
			code = recover_at_start(host, uri, err);
		/* A region that is just being made is none yet. */
		if (code != LG_OK && is_being_recovered(config->data)) {
			until = clock_ns() + START_TIMEOUT_NS;
			sure = false;
		} else if ((code == LG_MISMATCH || code == LG_NOTFOUND) && !sure) {
			sure = true;
			continue;
		} else if (late || (code != LG_OK && code != LG_INUSE)) {
			return code;
		}
		if (code != LG_OK)
			nanosleep(&(struct timespec){0, START_NAP_NS}, NULL);
	}
}
