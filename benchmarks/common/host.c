/* host.c: the phases of a run on one host (host.h).
 *
 * The coordinator, the thread that calls host_run(), gives each phase to the workers' threads (gang.h) and meanwhile
 * keeps in touch with the other hosts (control.h). In the measured phase a worker touches nothing but its own counters
 * and one flag that says when to stop.
 */
#include "host.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control.h"
#include "gang.h"
#include "progress.h"
#include "result.h"
#include "ticks.h"

enum phase { PHASE_WARMUP, PHASE_MEASURE, PHASE_STOP };

enum { LINE_BYTES = 128 /* two lines: the prefetcher fetches them in pairs */, TICK_MS = 20, STOP_MS = 5000 };

/* Commits of a worker that are not durable yet; a worker that has so many waits. */
enum { MAX_PENDING = 1 << 16, DURABLE_MS = 10000 };

/* A commit whose client has no answer yet: it is counted, and its latency taken, when it is durable. */
struct pending {
	struct lg_ticket ticket;
	struct bench_outcome outcome;
	uint64_t begin;
	bool measured;
};

/* One worker of this host, on lines of its own. */
struct host_worker {
	_Alignas(LINE_BYTES) struct bench_worker bench;
	struct host_run *run;
	_Atomic uint64_t to_load;
	bool workload_open;
	char why[CONTROL_TEXT];
	_Atomic int code; /* of what failed; set after why */
	struct bench_failures failures;
	_Alignas(LINE_BYTES) _Atomic uint64_t live; /* commits so far, for progress: written by its worker alone */
	uint64_t commits[BENCH_MAX_TYPES], rolled_back[BENCH_MAX_TYPES];
	uint64_t redo_bytes[BENCH_MAX_TYPES], redo_seen; /* seen: of the worker, up to its last transaction */
	struct histogram latency[BENCH_MAX_TYPES];
	bool measuring;
	struct pending
	        *pending; /* a ring: from `first` up to `last`, both growing; NULL: commits are durable at once */
	uint64_t first, last;
	struct lg_stats accesses; /* in the measured phase; until its end, at its beginning */
};

struct host_run {
	const struct options *o;
	const struct bench_workload *workload;
	const char *uri;
	struct bench bench;
	struct control control;
	struct progress progress;
	struct gang gang;
	bool gang_open;
	struct host_worker *worker;
	enum lg_durability durability;    /* of the pod */
	struct ticks_mark mark;           /* when the host began */
	uint64_t rated_commits, rated_ns; /* as of the last rate that was told */
	uint32_t check_step;
	bool check_after_run;
	struct host_result *result;
	struct bench_failures failures;
	bool check_failed; /* anywhere */
	_Alignas(LINE_BYTES) _Atomic int phase;
	uint64_t scale; /* of ticks; written before PHASE_MEASURE */
	_Alignas(LINE_BYTES) atomic_bool worker_failed;
};

/* ---- Tasks of the workers ---- */

static void worker_fail(struct host_worker *w, int code, const char *what, const char *why)
{
	snprintf(w->why, sizeof(w->why), "worker %u: %s: %.150s", w->bench.index, what, why);
	w->code = code;
	atomic_store(&w->run->worker_failed, true);
}

static void task_open(void *arg, uint32_t index)
{
	struct host_run *r = arg;
	struct host_worker *w = &r->worker[index];
	struct lg_error err = {0};
	int code;

	w->run = r;
	w->bench.bench = &r->bench;
	w->bench.index = index;
	w->bench.global_index = r->bench.host_id * r->bench.workers_per_host + index;
	/* Seeds of neighbours must have nothing in common, nor those of neighbouring workers. */
	uint64_t mixed = r->bench.seed + w->bench.global_index * UINT64_C(0x9e3779b97f4a7c15);
	bench_random_seed(&w->bench.random, bench_splitmix(&mixed));
	code = lg_worker_open(r->bench.host, &w->bench.worker, &err);
	if (code != LG_OK) {
		worker_fail(w, code, "cannot open", err.message);
		return;
	}
	code = r->workload->worker_open(&w->bench);
	if (code != LG_OK) {
		worker_fail(w, code, "cannot open its part of the workload", lg_strerror(code));
		return;
	}
	if (r->durability == LG_DURABILITY_DISK) {
		w->pending = calloc(MAX_PENDING, sizeof(*w->pending));
		if (!w->pending) {
			worker_fail(w, LG_NOSPACE, "cannot open", "out of memory");
			return;
		}
	}
	w->workload_open = true;
	w->to_load = r->workload->load_rows(&w->bench);
}

static void task_load(void *arg, uint32_t index)
{
	struct host_worker *w = &((struct host_run *)arg)->worker[index];
	struct lg_error err = {0};
	int code = w->run->workload->load(&w->bench, &err);

	if (code != LG_OK)
		worker_fail(w, code, "load", err.message[0] ? err.message : lg_strerror(code));
}

static void task_check(void *arg, uint32_t index)
{
	struct host_run *r = arg;
	struct host_worker *w = &r->worker[index];
	int code = r->workload->check(&w->bench, r->check_step, r->check_after_run, &w->failures);

	if (code != LG_OK)
		worker_fail(w, code, "check", w->bench.failure[0] ? w->bench.failure : lg_strerror(code));
}

static void count(struct host_worker *w, const struct bench_outcome *outcome, uint64_t ns)
{
	w->commits[outcome->type]++;
	w->rolled_back[outcome->type] += outcome->rolled_back;
	histogram_add(&w->latency[outcome->type], ns);
}

/* What a transaction of this type has sealed, with all its attempts. */
static void count_redo(struct host_worker *w, uint32_t type)
{
	struct lg_stats stats;

	lg_worker_stats(w->bench.worker, &stats);
	w->redo_bytes[type] += stats.redo_bytes - w->redo_seen;
	w->redo_seen = stats.redo_bytes;
}

static void begin_measuring(struct host_worker *w)
{
	lg_worker_stats(w->bench.worker, &w->accesses);
	w->redo_seen = w->accesses.redo_bytes;
	w->measuring = true;
}

static void end_measuring(struct host_worker *w)
{
	struct lg_stats before = w->accesses;

	if (!w->measuring)
		return;
	lg_worker_stats(w->bench.worker, &w->accesses);
	stats_since(&w->accesses, &before);
}

/* Answers the clients whose commits are durable by now. `wait`: all of them. False: the log failed. */
static bool answer(struct host_worker *w, bool wait)
{
	struct lg_host *host = w->bench.bench->host;
	uint64_t durable = lg_durable_epoch(host), now = ticks_now();

	for (; w->first < w->last; w->first++) {
		struct pending *p = &w->pending[w->first % MAX_PENDING];

		if (p->ticket.epoch > durable) {
			if (!wait)
				return true;
			int code = lg_wait(host, p->ticket, DURABLE_MS);
			if (code != LG_OK) {
				struct lg_error err = {0};
				(void)lg_host_log_state(host, &err);
				worker_fail(w, code, "a commit does not become durable",
				        err.message[0] ? err.message : lg_strerror(code));
				return false;
			}
			durable = lg_durable_epoch(host);
			now = ticks_now();
		}
		if (p->measured)
			count(w, &p->outcome, ticks_to_ns(p->begin, now, w->run->scale));
	}
	return true;
}

/* A transaction has ended: answers its client, or keeps it for later. */
static bool answer_or_keep(struct host_worker *w, const struct bench_outcome *outcome, uint64_t begin, uint64_t end)
{
	if (!w->pending) {
		if (w->measuring)
			count(w, outcome, ticks_to_ns(begin, end, w->run->scale));
		return true;
	}
	struct lg_ticket ticket = lg_last_ticket(w->bench.worker);
	if (!answer(w, w->last - w->first == MAX_PENDING))
		return false;
	w->pending[w->last++ % MAX_PENDING] = (struct pending){ticket, *outcome, begin, w->measuring};
	return true;
}

static void task_run(void *arg, uint32_t index)
{
	struct host_run *r = arg;
	struct host_worker *w = &r->worker[index];
	uint64_t begin = ticks_now();

	for (;;) {
		/* [bench.phase] Acquire; pairs with the release in measure(): the scale is there before its phase. */
		int phase = atomic_load_explicit(&r->phase, memory_order_acquire);
		if (phase == PHASE_STOP) {
			end_measuring(w);
			(void)answer(w, true); /* a failure is noted */
			return;
		}
		if (phase == PHASE_MEASURE && !w->measuring)
			begin_measuring(w);
		struct bench_outcome outcome = {0};
		r->workload->transaction(&w->bench, &outcome);
		uint64_t end = ticks_now();

		if (outcome.code != LG_OK) {
			worker_fail(w, outcome.code, "transaction",
			        w->bench.failure[0] ? w->bench.failure : lg_strerror(outcome.code));
			return;
		}
		/* Relaxed: a figure for the progress line, with one writer. */
		atomic_store_explicit(
		        &w->live, atomic_load_explicit(&w->live, memory_order_relaxed) + 1, memory_order_relaxed);
		if (w->measuring && r->durability != LG_DURABILITY_NONE)
			count_redo(w, outcome.type);
		/* Counted by where it began: the one that straddles the end makes up for the one at the beginning. */
		if (!answer_or_keep(w, &outcome, begin, end))
			return;
		begin = end;
	}
}

/* ---- The coordinator ---- */

static void note_progress(struct host_run *r)
{
	struct control_progress now = {.commits_per_s = r->control.mine.progress.commits_per_s};
	uint64_t commits = 0, passed = monotonic_ns() - r->rated_ns;

	for (uint32_t i = 0; i < r->bench.workers_per_host; i++) {
		struct host_worker *w = &r->worker[i];

		/* Relaxed: figures for the progress line. */
		now.to_load += atomic_load_explicit(&w->to_load, memory_order_relaxed);
		now.loaded += atomic_load_explicit(&w->bench.loaded_rows, memory_order_relaxed);
		commits += atomic_load_explicit(&w->live, memory_order_relaxed);
	}
	/* Each host tells its own rate: counts that are read at different times make none. */
	if (passed >= CONTROL_BEAT_MS * UINT64_C(1000000)) {
		now.commits_per_s = (uint64_t)((double)(commits - r->rated_commits) * 1e9 / (double)passed);
		r->rated_commits = commits;
		r->rated_ns += passed;
	}
	r->control.mine.progress = now;
}

/* Tells the other hosts what the first failed worker has said. */
static bool check_workers(struct host_run *r)
{
	if (!atomic_load(&r->worker_failed))
		return true;
	for (uint32_t i = 0; i < r->bench.workers_per_host; i++)
		if (r->worker[i].code != LG_OK) {
			control_fail(&r->control, r->worker[i].why);
			return false;
		}
	return false;
}

/* Ends a phase that cannot be completed. Workers stop after their transaction; those that load or check do not look. */
static bool give_up(struct host_run *r)
{
	atomic_store(&r->phase, PHASE_STOP);
	if (gang_wait(&r->gang, STOP_MS))
		return false;
	/* Memory cannot be taken down under a running worker; that this process is gone, the pod sees by itself. */
	progress_clear(&r->progress);
	if (r->control.state != CONTROL_STOPPED)
		fprintf(stderr, "liger bench: host %u: %s; its workers do not stop: leaving as it is\n",
		        r->bench.host_id, r->control.error);
	fflush(NULL);
	_exit(r->control.state == CONTROL_FAILED_ELSEWHERE ? HOST_EXIT_STOPPED : HOST_EXIT_FAILED);
}

/* Waits until the workers have done a task that ends by itself. */
static bool finish_task(struct host_run *r, bool show_load)
{
	while (!gang_wait(&r->gang, TICK_MS)) {
		note_progress(r);
		lg_worker_poll(r->control.worker);
		if (!control_tick(&r->control))
			return give_up(r);
		if (show_load && r->bench.host_id == 0) {
			struct control_progress all = control_progress_sum(&r->control);
			progress_load(&r->progress, all.loaded, all.to_load);
		}
	}
	note_progress(r);
	return check_workers(r);
}

static bool do_task(struct host_run *r, gang_task *task, bool show_load)
{
	gang_start(&r->gang, task, r);
	return finish_task(r, show_load) && control_barrier(&r->control);
}

static bool do_check(struct host_run *r, bool after_run)
{
	if (!r->o->check || !r->workload->check)
		return true;
	progress_say(&r->progress, after_run ? "check after the run" : "check of the load");
	r->check_after_run = after_run;
	for (r->check_step = 0; r->check_step < r->workload->check_steps; r->check_step++)
		if (!do_task(r, task_check, false))
			return false;
	return true;
}

/* Lets the workers run for `seconds`. */
static bool let_run(struct host_run *r, const char *phase, double seconds)
{
	uint64_t begin = monotonic_ns(), length = (uint64_t)(seconds * 1e9), passed;
	struct timespec nap = {0};

	while ((passed = monotonic_ns() - begin) < length) {
		uint64_t left = length - passed, tick = TICK_MS * UINT64_C(1000000);

		nap.tv_nsec = (long)(left < tick ? left : tick);
		/* The length of the phase is measured, not assumed: waking early or late does no harm. */
		nanosleep(&nap, NULL);
		note_progress(r);
		if (!control_tick(&r->control) || !check_workers(r))
			return false;
		if (r->bench.host_id == 0)
			progress_run(&r->progress, phase, control_progress_sum(&r->control).commits_per_s,
			        (double)(monotonic_ns() - begin) * 1e-9, seconds);
	}
	return true;
}

static bool measure(struct host_run *r)
{
	struct lg_stats before;
	struct host_result *result = r->result;
	bool good;

	atomic_store(&r->phase, PHASE_WARMUP);
	gang_start(&r->gang, task_run, r);
	good = let_run(r, "warm-up", r->o->warmup_seconds) && control_barrier(&r->control);
	if (!good)
		return give_up(r);
	r->scale = ticks_scale(&r->mark);
	lg_host_stats(r->bench.host, &before);
	uint64_t begin = monotonic_ns();
	/* [bench.phase] Release; pairs with the acquire in task_run(). */
	atomic_store_explicit(&r->phase, PHASE_MEASURE, memory_order_release);
	good = let_run(r, "run", r->o->seconds);
	if (!good)
		return give_up(r);
	atomic_store_explicit(&r->phase, PHASE_STOP, memory_order_release);
	result->window_ns = monotonic_ns() - begin;
	lg_host_stats(r->bench.host, &result->run);
	stats_since(&result->run, &before);
	result_read_rss(result);
	return finish_task(r, false) && control_barrier(&r->control);
}

/* ---- The end ---- */

/* Joins what the workers counted. */
static void gather(struct host_run *r)
{
	for (uint32_t i = 0; i < r->bench.workers_per_host; i++) {
		struct host_worker *w = &r->worker[i];

		for (uint32_t t = 0; t < r->workload->type_count; t++) {
			r->result->commits[t] += w->commits[t];
			r->result->rolled_back[t] += w->rolled_back[t];
			r->result->redo_bytes[t] += w->redo_bytes[t];
			histogram_merge(&r->result->latency[t], &w->latency[t]);
		}
		stats_add(&r->result->workers, &w->accesses);
		failures_merge(&r->failures, &w->failures);
	}
}

static bool collect_all(struct host_run *r, struct run_result *all)
{
	struct bench_failures failures;
	size_t bytes = host_result_bytes(r->workload->type_count);

	for (uint32_t k = 0; k < r->bench.host_count; k++) {
		if (!control_collect(&r->control, CONTROL_RESULT, k, &all->host[k], bytes) ||
		        !control_collect(&r->control, CONTROL_FAILURES, k, &failures, sizeof(failures)))
			return false;
		failures_merge(&all->failures, &failures);
	}
	return true;
}

/* Host 0: collects all results and shows them. */
static bool show(struct host_run *r)
{
	struct run_result *all = calloc(1, sizeof(*all));
	struct lg_error err;
	char why[CONTROL_TEXT] = "out of memory";
	bool good = false;

	if (!all || !(all->host = calloc(r->bench.host_count, sizeof(*all->host))))
		goto out;
	all->host_count = r->bench.host_count;
	if (lg_pod_info_emulated(r->uri, r->o->emulate, &all->pod, &err) != LG_OK) {
		snprintf(why, sizeof(why), "%.190s", err.message);
		goto out;
	}
	if (!collect_all(r, all))
		goto out;
	result_sum(all, r->workload->type_count);
	r->control.go.verdict = all->failures.count;
	progress_clear(&r->progress);
	result_print(stdout, all, r->o, &r->bench);
	fflush(stdout);
	good = !r->o->json_path || result_write_json(r->o->json_path, all, r->o, &r->bench, why, sizeof(why));
out:
	if (!good)
		control_fail(&r->control, why);
	if (all)
		free(all->host);
	free(all);
	return good;
}

static bool finish(struct host_run *r)
{
	struct control *c = &r->control;

	gather(r);
	if (!control_publish(c, CONTROL_RESULT, r->result, host_result_bytes(r->workload->type_count)) ||
	        !control_publish(c, CONTROL_FAILURES, &r->failures, sizeof(r->failures)) || !control_barrier(c))
		return false;
	if (r->bench.host_id == 0 && !show(r))
		return false;
	if (!control_barrier(c))
		return false;
	r->check_failed = c->go.verdict != 0;
	return true;
}

/* ---- The beginning ---- */

/* The CPUs that the workers are pinned to, if there is one for each of all hosts; else NULL. */
static int *choose_cpus(const struct host_run *r)
{
	uint32_t workers = r->bench.workers_per_host, wanted = workers * r->bench.host_count, found = 0;
	uint32_t first = r->bench.host_id * workers;
	cpu_set_t set;
	int *cpu;

	if (!r->o->pin || sched_getaffinity(0, sizeof(set), &set) != 0 || (uint32_t)CPU_COUNT(&set) < wanted)
		return NULL;
	cpu = calloc(workers, sizeof(*cpu));
	for (int i = 0; cpu && i < CPU_SETSIZE; i++)
		if (CPU_ISSET((size_t)i, &set)) {
			if (found >= first && found - first < workers)
				cpu[found - first] = i;
			found++;
		}
	return cpu;
}

static bool open_workers(struct host_run *r)
{
	char why[CONTROL_TEXT];
	int *cpu = choose_cpus(r);
	int code = gang_open(&r->gang, r->bench.workers_per_host, cpu);

	free(cpu);
	if (code != 0) {
		snprintf(why, sizeof(why), "cannot start %u threads: %s", r->bench.workers_per_host, strerror(code));
		control_fail(&r->control, why);
		return false;
	}
	r->gang_open = true;
	return do_task(r, task_open, false);
}

static bool load(struct host_run *r)
{
	uint64_t begin = monotonic_ns();

	gang_start(&r->gang, task_load, r);
	if (!finish_task(r, true))
		return false;
	r->result->load_ns = monotonic_ns() - begin;
	r->result->load_rows = r->control.mine.progress.loaded;
	return control_barrier(&r->control);
}

static bool say(struct host_run *r, const char *message)
{
	progress_clear(&r->progress);
	fprintf(stderr, "liger bench: host %u: %s\n", r->bench.host_id, message);
	return false;
}

/* Opens the host and meets the others. False: nothing is open but bench.host and control.worker, if set. */
static bool join(struct host_run *r, uint32_t host_id, const atomic_bool *stop)
{
	struct lg_host_config config;
	struct lg_error err = {0};

	lg_host_config_init(&config);
	config.host_id = host_id;
	config.emulate = r->o->emulate;
	config.data = r->o->data;
	config.checkpoint_mb_per_s = r->o->checkpoint_mb_per_s;
	config.checkpoint_log_bytes = (uint64_t)r->o->checkpoint_log_mib << 20;
	config.max_workers = r->o->workers + 1; /* and the coordinator */
	config.max_running = r->o->max_running;
	/* On a busy machine a host may not run for seconds: it is the coordinators who say when one has vanished. */
	config.request_timeout_ms = CONTROL_SILENCE_S * 1000;
	if (lg_host_open(r->uri, &config, &r->bench.host, &err) != LG_OK)
		return say(r, err.message);
	r->bench.host_count = lg_host_count(r->bench.host);
	r->durability = lg_host_durability(r->bench.host);
	if (host_id == 0 && r->workload->place && r->workload->place(&r->bench, &err) != LG_OK)
		return say(r, err.message);
	if (lg_worker_open(r->bench.host, &r->control.worker, &err) != LG_OK)
		return say(r, err.message);
	struct control_config with = {r->bench.host, r->control.worker, r->o->join_seconds, r->o->fingerprint, stop};
	return control_open(&r->control, &with) && control_barrier(&r->control);
}

static bool make_tables(struct host_run *r)
{
	struct lg_error err = {0};
	int code = r->workload->tables(&r->bench, &err);

	if (code != LG_OK) {
		control_fail(&r->control, err.message[0] ? err.message : lg_strerror(code));
		return false;
	}
	return control_barrier(&r->control);
}

static bool go_through(struct host_run *r, uint32_t host_id, const atomic_bool *stop)
{
	return join(r, host_id, stop) && make_tables(r) && open_workers(r) && load(r) && do_check(r, false) &&
	       measure(r) && do_check(r, true) && finish(r);
}

static void close_workers(struct host_run *r)
{
	if (r->gang_open)
		gang_close(&r->gang);
	for (uint32_t i = 0; i < r->bench.workers_per_host; i++) {
		struct host_worker *w = &r->worker[i];

		if (w->workload_open)
			r->workload->worker_close(&w->bench);
		if (w->bench.worker)
			lg_worker_close(w->bench.worker);
		free(w->pending);
	}
}

/* Leaves the pod and says what went wrong. */
static enum host_exit leave(struct host_run *r, bool good)
{
	int code = LG_OK;

	progress_clear(&r->progress);
	close_workers(r);
	if (r->control.table)
		control_farewell(&r->control);
	if (r->control.worker)
		lg_worker_close(r->control.worker);
	if (r->bench.host)
		code = lg_host_close(r->bench.host);
	if (!good && r->control.state != CONTROL_GOOD)
		if (r->control.state != CONTROL_FAILED_ELSEWHERE || r->o->attach)
			say(r, r->control.error);
	if (!good)
		return r->control.state == CONTROL_FAILED_ELSEWHERE ? HOST_EXIT_STOPPED : HOST_EXIT_FAILED;
	if (code != LG_OK) {
		say(r, lg_strerror(code));
		return HOST_EXIT_FAILED;
	}
	return r->check_failed ? HOST_EXIT_CHECK : HOST_EXIT_OK;
}

enum host_exit host_run(const struct options *o, const char *uri, uint32_t host_id, const atomic_bool *stop)
{
	struct host_run *r = aligned_alloc(LINE_BYTES, sizeof(*r));
	enum host_exit code = HOST_EXIT_FAILED;

	if (r)
		memset(r, 0, sizeof(*r));
	if (r) {
		r->worker = aligned_alloc(LINE_BYTES, o->workers * sizeof(*r->worker));
		r->result = calloc(1, sizeof(*r->result));
	}
	if (!r || !r->worker || !r->result) {
		fprintf(stderr, "liger bench: host %u: out of memory\n", host_id);
		goto out;
	}
	memset(r->worker, 0, o->workers * sizeof(*r->worker));
	r->o = o;
	r->workload = o->workload;
	r->uri = uri;
	r->mark = ticks_mark_now();
	r->bench = (struct bench){.host_id = host_id,
	        .workers_per_host = o->workers,
	        .seed = o->seed,
	        .seconds = o->seconds,
	        .warmup_seconds = o->warmup_seconds,
	        .workload = o->state};
	progress_open(&r->progress, !o->quiet && host_id == 0);
	code = leave(r, go_through(r, host_id, stop));
out:
	if (r) {
		free(r->worker);
		free(r->result);
	}
	free(r);
	return code;
}
