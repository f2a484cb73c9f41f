/* run.c: see run.h.
 *
 * The driver is fiber 0. It creates the pod, starts the hosts' processes, and looks from time to time how far they are:
 *
 *   hosts open, tables are made        all at once
 *   host 0 fills the tables            then faults may begin
 *   workers run their transactions     while hosts die, stand still and come back; or the power of all goes: then their logs
 *                                      bring the pod back, hosts open, and workers run anew
 *   survivors recover who died         the engine's own doing, waited for
 *   the lowest living host reads all
 *   the pod is at rest                 frozen, and judged
 *   hosts close                        frozen, and judged again
 */
#include "run.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "crash_point.h"
#include "cxl/layout.h"
#include "judge.h"
#include "os.h"
#include "rules.h"
#include "trace.h"
#include "workload.h"

enum {
	LOOK_NS = 200000,
	LATER_NS = 1000000,
	REST_STEP_NS = 100,
	REST_NS = 5000000,
	MOST_WORKERS = 4,
	MOST_LIVES = 32,
};

enum phase { PHASE_OPEN, PHASE_RUN, PHASE_CLOSE };

struct run;

struct life {
	struct run *run;
	unsigned host;
	struct world_process *process;
	struct lg_host *handle;
	struct lg_table *tables[LOAD_TABLES];
	struct lg_worker *workers[MOST_WORKERS];
	unsigned working; /* fibers of workers that have not ended */
	bool opened, refused, finished, closed, again;
	uint64_t random;
};

struct job {
	struct life *life;
	struct load_session *session;
};

struct run {
	const struct sim_case *c;
	struct sim_result *result;
	struct load load;
	enum phase phase;
	bool placed, loaded, read_all;
	bool owners_away; /* somebody who owns partitions is not there, as was last seen */
	struct life lives[MOST_LIVES];
	unsigned life_count;
	struct job jobs[LOAD_SESSIONS];
	unsigned job_count;
	struct life *now[WORLD_HOSTS]; /* of each host, the last */
	unsigned outages;              /* how often the power has gone */
	struct life recoverer;
	bool recovered;
	char uri[32], emulate[48], data[48];
	uint64_t loaded_at;
	bool stopped_one;
	uint64_t died_at[WORLD_HOSTS]; /* 0: it lives, or comes back no more */
};

void sim_fail(struct sim_result *result, const char *check, const char *format, ...)
{
	va_list arguments;
	if (result->failed)
		return;
	result->failed = true;
	snprintf(result->check, sizeof result->check, "%s", check);
	va_start(arguments, format);
	vsnprintf(result->text, sizeof result->text, format, arguments);
	va_end(arguments);
	trace_text("FAILED: %s: %s", check, result->text);
}

void sim_counts_add(struct sim_counts *sum, const struct sim_counts *more)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)more;
	for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
		to[i] += from[i];
}

/* ---- A host's process ----------------------------------------------------------------------------------------------- */

static void *worker_main(void *argument)
{
	struct job *job = argument;
	load_run(job->session, job->life->run->c->txns);
	job->life->working--;
	return NULL;
}

enum { SESSION_FILLS = 1, SESSION_FIRST = 2, SESSION_READS = 1000, SESSION_ASKS = 2000 };

static struct job *new_job(struct life *life, unsigned worker, unsigned session)
{
	struct run *run = life->run;
	assert(run->job_count < LOAD_SESSIONS);
	struct job *job = &run->jobs[run->job_count++];
	*job = (struct job){life, load_session(&run->load, session, life->handle, life->workers[worker], life->tables)};
	return job;
}

static void count_host(struct life *life)
{
	struct sim_counts *counts = &life->run->result->counts;
	struct lg_stats stats;
	lg_host_stats(life->handle, &stats);
	counts->recoveries += stats.recoveries;
	counts->redone += stats.rows_redone;
	counts->freed_words += stats.words_freed;
	counts->moved_in += stats.moved_in;
	counts->moved_out += stats.moved_out;
	counts->requests += stats.requests_sent;
	counts->rows_rebuilt += stats.rows_rebuilt;
	counts->checkpoints += stats.checkpoints;
}

/* Places partitions before the first table: all hosts but a spectator get some. */
static int place(struct life *life, struct lg_error *err)
{
	const struct sim_case *c = life->run->c;
	int code = LG_OK;
	for (uint32_t p = 0; p < c->pod.partitions && c->spectator && code == LG_OK; p++)
		code = lg_partition_place(life->handle, p, p % (c->hosts - 1), err);
	life->run->placed = true;
	return code;
}

/* Says that the host is stopped for good, which it is not. */
static int fence(void *argument, uint32_t host)
{
	(void)argument;
	world.fenced++;
	trace_text("host %u is fenced", host);
	return 0;
}

static uint64_t member_word(unsigned host, size_t which)
{
	return rules_look(POD_MEMBERS_OFFSET + host * sizeof(struct pod_member) + which);
}

static enum lg_member_state state_of(unsigned host)
{
	return (enum lg_member_state)(member_word(host, offsetof(struct pod_member, state)) & 0xff);
}

/* A disk is full or fails for a while; or somebody is just at work on what is left of the host's life before. */
static bool may_open_later(const struct life *life, int code)
{
	const struct sim_case *c = life->run->c;
	bool failing = c->faults & FAULT_DISK;
	if (!c->logged)
		return false;
	return (code == LG_INUSE && life->again) ||
	       (failing && (code == LG_NOSPACE || code == LG_SYSTEM || code == LG_UNAVAILABLE));
}

static int open_all(struct life *life, struct lg_error *err)
{
	struct run *run = life->run;
	struct lg_host_config config = run->c->host;
	config.host_id = life->host;
	config.emulate = run->emulate;
	config.fence = world.machines ? fence : NULL;
	config.data = run->c->logged ? run->data : NULL;
	config.recover = run->c->logged;
	int code = lg_host_open(run->uri, &config, &life->handle, err);
	while (may_open_later(life, code)) {
		world_nap(LATER_NS);
		code = lg_host_open(run->uri, &config, &life->handle, err);
	}
	if (code != LG_OK)
		return code;
	if (life->host == 0 && !run->placed)
		code = place(life, err);
	while (!run->placed)
		world_idle_nap(LOOK_NS);
	if (code == LG_OK)
		code = load_tables(life->handle, run->c, life->tables, err);
	/* Who died with the catalog's lock in hand keeps it until he is recovered. */
	for (unsigned tries = 0; code == LG_UNAVAILABLE && world.crashes > 0 && tries < 20; tries++)
		code = load_tables(life->handle, run->c, life->tables, err);
	for (unsigned i = 0; i < run->c->workers && code == LG_OK; i++)
		code = lg_worker_open(life->handle, &life->workers[i], err);
	return code;
}

static bool all_open(const struct run *run)
{
	for (unsigned i = 0; i < run->life_count; i++)
		if (run->lives[i].process->alive && !run->lives[i].opened && !run->lives[i].refused)
			return false;
	return true;
}

/* Takes over whom it finds dead, before the rule does (lg_host_config.adopt_after_ms). */
static void adopt_dead(struct life *life)
{
	const struct sim_case *c = life->run->c;
	for (unsigned dead = 0; dead < c->hosts && life->host == c->adopter; dead++) {
		struct lg_error err;
		if (state_of(dead) != LG_MEMBER_DEAD)
			continue;
		int code = lg_adopt(life->handle, dead, &err);
		/* Another may be quicker, or the dead host itself. */
		bool failing = (c->faults & (FAULT_DISK | FAULT_SCARCE)) && (code == LG_NOSPACE || code == LG_SYSTEM);
		if (code != LG_OK && code != LG_INVALID && code != LG_INUSE && code != LG_UNAVAILABLE && !failing)
			sim_fail(life->run->result, "adopt", "host %u: %s", life->host, err.message);
	}
}

/* Asks for checkpoints while the workers run. */
static void *checkpoints_main(void *argument)
{
	struct life *life = argument;
	const struct sim_case *c = life->run->c;
	for (unsigned i = 0; i < c->checkpoints; i++) {
		struct lg_error err;
		world_idle_nap(1 + random_below(&life->random, 2 * c->checkpoint_gap_ns));
		int code = lg_checkpoint(life->handle, &err);
		bool failing = (c->faults & FAULT_DISK) && (code == LG_NOSPACE || code == LG_SYSTEM);
		if (code != LG_OK && code != LG_UNAVAILABLE && code != LG_FENCED && !failing)
			sim_fail(life->run->result, "checkpoint", "host %u: %s", life->host, err.message);
		adopt_dead(life);
	}
	life->working--;
	return NULL;
}

static void run_workers(struct life *life)
{
	static const char *const names[MOST_WORKERS] = {"w0", "w1", "w2", "w3"};
	struct run *run = life->run;
	if (life->host == 0 && !run->loaded) {
		while (!all_open(run))
			world_idle_nap(LOOK_NS);
		load_fill(new_job(life, 0, SESSION_FILLS)->session);
		run->loaded_at = world.now;
		run->loaded = true;
		trace_text("loaded");
	}
	while (!run->loaded)
		world_idle_nap(LOOK_NS);
	/* The same numbers whatever the order in which hosts get here. */
	unsigned hosts_before = life->process->life * run->c->hosts + life->host;
	for (unsigned i = 0; i < run->c->workers; i++) {
		unsigned session = SESSION_FIRST + hosts_before * run->c->workers + i;
		life->working++;
		world_spawn(life->process, names[i], worker_main, new_job(life, i, session));
	}
	if (run->c->logged && run->c->checkpoints) {
		life->working++;
		world_spawn(life->process, "ckpt", checkpoints_main, life);
	}
	while (life->working > 0)
		world_idle_nap(LOOK_NS);
}

static void *host_main(void *argument)
{
	struct life *life = argument;
	struct run *run = life->run;
	struct lg_error err = {0};
	int code = open_all(life, &err);
	if (code != LG_OK) {
		/* A pod that has promised to keep the rows of who died may refuse him. */
		life->refused = life->again && code == LG_UNAVAILABLE;
		if (!life->refused)
			sim_fail(run->result, "open", "host %u: %s", life->host, err.message);
		life->finished = life->closed = true;
		return NULL;
	}
	life->opened = true;
	if (run->outages > 0)
		load_ask_tickets(
		        new_job(life, 0, SESSION_ASKS + (unsigned)(life->process - world.processes))->session, false);
	run_workers(life);
	life->finished = true;
	while (run->phase != PHASE_CLOSE)
		world_idle_nap(LOOK_NS);
	count_host(life);
	/* What could not be written is tried again; hosts close when it is. */
	while (lg_host_log_state(life->handle, NULL) != LG_OK)
		world_idle_nap(LATER_NS);
	for (unsigned i = 0; i < run->c->workers; i++)
		lg_worker_close(life->workers[i]);
	code = lg_host_close(life->handle);
	if (code != LG_OK)
		sim_fail(run->result, "close", "host %u: %s", life->host, lg_strerror(code));
	life->closed = true;
	return NULL;
}

static void *reader_main(void *argument)
{
	struct job *job = argument;
	load_read_all(job->session);
	if (job->life->run->c->pod.durability == LG_DURABILITY_DISK)
		load_ask_tickets(job->session, true);
	job->life->run->read_all = true;
	return NULL;
}

static void start_host(struct run *run, unsigned host, bool again)
{
	const struct sim_case *c = run->c;
	assert(run->life_count < MOST_LIVES);
	struct life *life = &run->lives[run->life_count++];
	*life = (struct life){.run = run, .host = host, .again = again, .process = world_start_process(host)};
	life->random = c->world.seed * 64 + run->life_count;
	run->now[host] = life;
	life->process->skew_ns = c->skew_ns[host];
	life->process->skew_ppm = c->skew_ppm[host];
	world_spawn(life->process, "main", host_main, life);
}

/* ---- The driver ----------------------------------------------------------------------------------------------------- */

static bool failed(const struct run *run)
{
	return world.stuck || run->result->failed || run->load.failure[0] != '\0';
}

static struct life *lowest_living(struct run *run)
{
	struct life *found = NULL;
	for (unsigned i = 0; i < run->life_count; i++) {
		struct life *life = &run->lives[i];
		if (life->process->alive && life->opened && (!found || life->host < found->host))
			found = life;
	}
	return found;
}

/* Faults that a seed plans: from the beginning, or from when the tables are filled. */
static void begin_faults(struct run *run)
{
	const struct sim_case *c = run->c;
	for (unsigned i = 0; i < c->crash_count; i++) {
		const struct sim_crash *crash = &c->crashes[i];
		struct world_process *process = run->now[crash->host]->process;
		process->crash_keeps_lines = crash->keeps_lines;
		if (crash->point == CRASH_POINT_COUNT)
			process->crash_in = process->crash_in ? process->crash_in : crash->after;
		else
			sim_point_arm(i, crash);
	}
}

/* It goes on only when the others have recovered it: what it does while they are at that, docs/durability.md leaves open. */
static void wake_zombie(struct run *run, struct world_process *process)
{
	enum lg_member_state state = state_of(process->host);
	if (state == LG_MEMBER_LIVE || state == LG_MEMBER_RECOVERING)
		process->stopped_until = world.now + run->c->stop_ns;
	else if (process->stopped_until > world.now + LOOK_NS)
		process->stopped_until = world.now + LOOK_NS;
}

/* What is due at this time: hosts that stand still, and such as come back. */
static void do_faults(struct run *run)
{
	const struct sim_case *c = run->c;
	struct world_process *process = run->now[c->stop_host < c->hosts ? c->stop_host : 0]->process;
	bool due = c->stop_ns && run->loaded && !run->stopped_one && world.now >= run->loaded_at + c->stop_at;
	/* What a zombie was in the middle of, it would finish: docs/durability.md. */
	if (due && process->alive && (!c->zombie_leases || world_at_rest(process))) {
		run->stopped_one = true;
		world.stops++;
		process->stopped_until = world.now + c->stop_ns;
		trace_text("host %u stands still for %" PRIu64 " us", process->host, c->stop_ns / 1000);
	}
	if (c->zombie_leases && run->stopped_one)
		wake_zombie(run, process);
	for (unsigned i = 0; i < run->life_count; i++) {
		struct life *life = &run->lives[i];
		if (life->process->alive || life->closed || !(c->faults & FAULT_RESTART) || life->again)
			continue;
		uint64_t *died = &run->died_at[life->host];
		if (*died == 0)
			*died = world.now;
		if (world.now < *died + c->restart_ns || run->life_count == MOST_LIVES)
			continue;
		life->closed = true; /* that life is over, and has been followed */
		run->result->counts.restarts++;
		trace_text("host %u is started again", life->host);
		start_host(run, life->host, true);
	}
}

/* Looks at the clock until `done` says so. False: something has failed, or nothing comes of it. */
static bool wait_until(struct run *run, bool (*done)(struct run *run), bool faults)
{
	/* Naps of unlike lengths: with one length it may always look while a service thread, of the same rhythm, is awake. */
	for (uint64_t looks = 0; !failed(run) && !world.dark; looks++) {
		if (faults)
			do_faults(run);
		if (done(run))
			return true;
		world_nap(LOOK_NS + looks % 37 * 1361);
	}
	return false;
}

static bool is_loaded(struct run *run)
{
	return run->loaded;
}

static bool has_read(struct run *run)
{
	return run->read_all;
}

/* Everyone who lives has done his work; who died will not come back, or has. */
static bool work_is_done(struct run *run)
{
	for (unsigned i = 0; i < run->life_count; i++) {
		const struct life *life = &run->lives[i];
		bool comes_back = (run->c->faults & FAULT_RESTART) && !life->again && !life->closed;
		bool busy = !life->finished || life->process->stopped_until > world.now;
		if (life->process->alive ? busy : comes_back)
			return false;
	}
	return true;
}

/* Whether a later process runs under the id of one that died. */
static bool came_back(const struct run *run, const struct life *dead)
{
	for (const struct life *life = dead + 1; life < run->lives + run->life_count; life++)
		if (life->host == dead->host && life->process->alive && life->opened)
			return true;
	return false;
}

/* As the pod itself tells: member words are coherent, and can be looked at from outside. */
static bool is_recovered(struct run *run)
{
	struct lg_pod_info info;
	struct lg_error err;
	world.frozen = true;
	int code = lg_pod_info(run->uri, &info, &err);
	world.frozen = world.stuck;
	if (code != LG_OK) {
		sim_fail(run->result, "info", "lg_pod_info: %s", err.message);
		return false;
	}
	for (unsigned i = 0; i < run->life_count; i++) {
		const struct life *life = &run->lives[i];
		enum lg_member_state state = info.member[life->host].state;
		if (!life->process->alive && !came_back(run, life) && state != LG_MEMBER_DEAD &&
		        state != LG_MEMBER_LEFT && state != LG_MEMBER_FREE)
			return false;
	}
	bool adoptable = false;
	run->owners_away = false;
	for (uint32_t p = 0; p < info.config.partitions; p++) {
		enum lg_member_state state = info.member[info.partition_owner[p]].state;
		run->owners_away |= state != LG_MEMBER_LIVE;
		adoptable |= state == LG_MEMBER_DEAD || state == LG_MEMBER_RECOVERING;
	}
	/* Their rows are others' to bring back; not those of one who has died before the pod knew of him. */
	return !adoptable || !run->c->logged || !run->c->host.adopt_after_ms;
}

/* Who has outlived his end until now lives. From here on rows are there, but those of an owner that did not come back. */
static void end_faults(struct run *run)
{
	sim_points_disarm();
	files_end_faults();
	world.power_in = 0;
	world.plan.starved = WORLD_HOSTS;
	run->load.outages = false;
	run->load.settled = true;
	for (unsigned i = 0; i < run->life_count; i++) {
		const struct life *life = &run->lives[i];
		life->process->crash_in = 0;
		bool away = (!life->process->alive && !came_back(run, life)) ||
		            (run->c->zombie_leases && life->host == run->c->stop_host);
		if (away && !(run->c->spectator && life->host == run->c->hosts - 1))
			run->load.outages = true;
	}
	if (run->c->logged)
		run->load.outages = run->owners_away;
}

static bool is_closed(struct run *run)
{
	for (unsigned i = 0; i < run->life_count; i++)
		if (run->lives[i].process->alive && !run->lives[i].closed)
			return false;
	return true;
}

static bool is_at_rest(struct run *run)
{
	(void)run;
	return world_at_rest(NULL);
}

static bool rest(struct run *run)
{
	/* At the slowest steps the service threads of four hosts alone would fill all of the time. */
	world.plan.step_ns = REST_STEP_NS;
	if (!wait_until(run, is_at_rest, false))
		return false;
	world_nap(REST_NS);
	return wait_until(run, is_at_rest, false);
}

static void judge_now(struct run *run, const char *when)
{
	world.frozen = true;
	judge_pod(run->uri, run->c, when, run->result);
	world.frozen = world.stuck;
}

/* The power goes at some moment from now on, if it is to go in this life of the pod. */
static void plan_outage(struct run *run)
{
	const struct sim_power *power = &run->c->powers[run->outages];
	if (run->outages >= run->c->power_count || run->life_count + run->c->hosts > MOST_LIVES)
		return;
	if (power->at == POWER_AT_STEP)
		world.power_in = power->after;
	else if (power->at == POWER_AT_CALL)
		files_arm_power(power->after);
	else if (power->at == POWER_AT_POINT)
		sim_point_arm_power(power->point, power->after);
}

static void *recoverer_main(void *argument)
{
	struct run *run = argument;
	struct lg_recovery recovery;
	struct lg_error err = {0};
	int code = lg_pod_recover(run->uri, run->data, run->emulate, &recovery, &err);
	while ((run->c->faults & FAULT_DISK) && (code == LG_NOSPACE || code == LG_SYSTEM)) {
		world_nap(LATER_NS);
		code = lg_pod_recover(run->uri, run->data, run->emulate, &recovery, &err);
	}
	if (code != LG_OK)
		sim_fail(run->result, "recover", "%s", err.message);
	else if (recovery.first_epoch < recovery.last_epoch || recovery.last_epoch < recovery.durable_epoch)
		sim_fail(run->result, "recover",
		        "the pod goes on behind epoch %" PRIu64 ", logs know of %" PRIu64 ", durable is %" PRIu64,
		        recovery.first_epoch, recovery.last_epoch, recovery.durable_epoch);
	run->recovered = true;
	return NULL;
}

static bool has_recovered(struct run *run)
{
	return run->recovered || !run->recoverer.process->alive;
}

/* A process brings the pod back; one that dies at it leaves an unfinished region, which is removed. */
static bool recover_pod(struct run *run, const struct sim_power *power)
{
	uint64_t dies = power->recoverer_dies;
	for (run->recovered = false; !run->recovered; dies = 0) {
		run->recoverer = (struct life){.run = run, .process = world_start_process(run->c->hosts)};
		run->recoverer.process->crash_in = dies;
		world_spawn(run->recoverer.process, "recovers", recoverer_main, run);
		if (!wait_until(run, has_recovered, false))
			return false;
		if (!run->recovered)
			sim_region_lose();
	}
	run->recoverer.process->alive = false;
	run->result->counts.pod_recoveries++;
	return true;
}

/* All are gone, and pod memory is; of the disk what it kept. */
static bool bring_back(struct run *run)
{
	const struct sim_power *power = &run->c->powers[run->outages++];
	load_close_lost(&run->load);
	run->load.outages = true; /* hosts open one after the other */
	sim_points_disarm();
	files_lose_power();
	sim_region_lose();
	rules_lose_region();
	for (unsigned i = 0; i < run->life_count; i++)
		run->lives[i].closed = true;
	memset(run->died_at, 0, sizeof run->died_at);
	world_power_on();
	if (!power->self && !recover_pod(run, power))
		return false;
	plan_outage(run);
	for (unsigned host = 0; host < run->c->hosts; host++)
		start_host(run, host, false);
	return true;
}

/* One life of the pod, until all is done and nobody is missed. False: it ended early. */
static bool live(struct run *run)
{
	if (run->c->early && run->outages == 0)
		begin_faults(run);
	if (!wait_until(run, is_loaded, true))
		return false;
	if (run->outages == 0) {
		if (!run->c->early)
			begin_faults(run);
		files_begin_faults();
		plan_outage(run);
	}
	if (!wait_until(run, work_is_done, true) || !wait_until(run, is_recovered, true))
		return false;
	if (run->outages < run->c->power_count && run->c->powers[run->outages].at == POWER_AT_REST)
		world_power_off();
	return !world.dark;
}

static bool drive(struct run *run)
{
	for (unsigned host = 0; host < run->c->hosts; host++)
		start_host(run, host, false);
	while (!live(run))
		if (failed(run) || !world.dark || !bring_back(run))
			return false;
	end_faults(run);
	struct life *reader = lowest_living(run);
	assert(reader);
	world_spawn(reader->process, "reader", reader_main, new_job(reader, 0, SESSION_READS));
	if (!wait_until(run, has_read, false) || !rest(run))
		return false;
	judge_now(run, "at rest");
	run->phase = PHASE_CLOSE;
	if (!wait_until(run, is_closed, false) || !wait_until(run, is_at_rest, false))
		return false;
	judge_now(run, "after all hosts have left");
	return true;
}

static void tell_stuck(struct run *run)
{
	char text[RESULT_TEXT_BYTES];
	size_t at = 0;
	for (unsigned i = 0; i < world.fiber_count && at < sizeof text; i++) {
		const struct world_fiber *fiber = &world.fibers[i];
		static const char *const states[] = {"free", "runs", "sleeps", "ended", "lost"};
		if (fiber->state == FIBER_READY || fiber->state == FIBER_ASLEEP)
			at += (size_t)snprintf(text + at, sizeof text - at, " %s %s%s;", fiber->name,
			        states[fiber->state], fiber->idle ? " idly" : "");
	}
	sim_fail(run->result, "progress", "after %" PRIu64 " steps, %" PRIu64 " ms:%s", world.step, world.now / 1000000,
	        text);
}

static void create_pod(struct run *run)
{
	struct lg_pod_config config = run->c->pod;
	struct lg_error err = {0};
	snprintf(run->uri, sizeof run->uri, "shm:pod");
	snprintf(run->emulate, sizeof run->emulate, "incoherent:%" PRIu64, run->c->cache_seed);
	snprintf(run->data, sizeof run->data, FILES_ROOT "/data");
	config.emulate = run->emulate;
	config.data = run->c->logged ? run->data : NULL;
	world.frozen = true;
	int code = lg_pod_create(run->uri, &config, &err);
	for (unsigned more = 0; code == LG_NOSPACE && (run->c->faults & FAULT_SCARCE) && more < 4; more++) {
		config.swcc_bytes += 2 << 20;
		code = lg_pod_create(run->uri, &config, &err);
	}
	if (code != LG_OK)
		sim_fail(run->result, "create", "%s", err.message);
	world.frozen = false;
}

static void count(struct run *run)
{
	struct sim_counts *counts = &run->result->counts;
	const struct sim_points *points = sim_points();
	counts->seeds = 1;
	counts->steps = world.step;
	counts->rule_checks = rules_checked();
	counts->switches = world.switches;
	counts->preempted = world.preempted;
	counts->commits = run->load.commits;
	counts->conflicts = run->load.conflicts;
	counts->refusals = run->load.refusals;
	counts->audits = run->load.audits;
	counts->crashes = world.crashes;
	counts->kills = world.kills;
	counts->stops = world.stops;
	counts->zombies = world.fenced;
	counts->skewed = (run->c->faults & FAULT_SKEW) != 0;
	counts->logged = run->c->logged;
	counts->outages = world.outages;
	counts->tickets = run->load.tickets.count;
	counts->told = run->load.tickets.told;
	counts->undone = run->load.tickets.undone;
	counts->syncs = files_counts()->syncs;
	counts->stalls = files_counts()->stalls;
	counts->disk_full = files_counts()->no_room;
	counts->disk_errors = files_counts()->write_errors + files_counts()->sync_errors;
	counts->short_writes = files_counts()->short_writes;
	counts->scarce = (run->c->faults & FAULT_SCARCE) != 0;
	for (unsigned i = 0; i < run->life_count; i++)
		counts->restarts_refused += run->lives[i].refused;
	for (unsigned i = 0; i < CRASH_POINT_COUNT; i++) {
		counts->point_visits[i] = points->visits[i];
		counts->point_crashes[i] = points->crashes[i];
	}
}

void sim_run(const struct sim_case *c, FILE *trace, bool accesses, struct sim_result *result)
{
	static struct run run;
	memset(&run, 0, sizeof run);
	*result = (struct sim_result){.seed = c->world.seed};
	run.c = c;
	run.result = result;
	trace_begin(trace, accesses);
	sim_points_begin();
	rules_begin(result, c->logged);
	files_begin(&c->disk);
	world_begin(&c->world);
	world.machines = c->zombie_leases != 0;
	load_begin(&run.load, c);
	create_pod(&run);
	bool ended = !result->failed && drive(&run);
	if (run.load.failure[0] != '\0')
		sim_fail(result, "workload", "%s", run.load.failure);
	else if (!ended && world.stuck)
		tell_stuck(&run);
	load_close_lost(&run.load);
	if (!result->failed)
		judge_history(&run.load, result);
	count(&run);
	result->trace = trace_number();
	world_end();
	load_end(&run.load);
	files_end();
	sim_os_reset();
	sim_heap_reset();
}
