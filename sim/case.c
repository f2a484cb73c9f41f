/* case.c: from a seed to a case. Every choice is made, in this order, whether or not an option overrides it: so an option
 * changes what it names and nothing else. */
#include "case.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "crash_point.h"
#include "cxl/layout.h"

static const struct {
	const char *name;
	enum sim_fault fault;
} fault_names[] = {{"crash", FAULT_CRASH}, {"restart", FAULT_RESTART}, {"stop", FAULT_STOP}, {"skew", FAULT_SKEW},
        {"scarce", FAULT_SCARCE}, {"zombie", FAULT_ZOMBIE}, {"power", FAULT_POWER}, {"disk", FAULT_DISK}};
enum { FAULT_COUNT = sizeof fault_names / sizeof fault_names[0] };

void sim_options_init(struct sim_options *options)
{
	*options = (struct sim_options){.first = 1,
	        .last = 1,
	        .hosts = SIM_ANY,
	        .workers = SIM_ANY,
	        .txns = SIM_ANY,
	        .policy = SIM_ANY,
	        .pct_depth = SIM_ANY,
	        .durability = SIM_ANY,
	        .faults = FAULT_ALL,
	        .most_steps = SIM_MOST_STEPS,
	        .preemptions = UINT64_MAX};
}

static bool take_fault(const char *name, size_t bytes, unsigned *faults)
{
	for (unsigned i = 0; i < FAULT_COUNT; i++) {
		if (strlen(fault_names[i].name) == bytes && strncmp(fault_names[i].name, name, bytes) == 0) {
			*faults |= fault_names[i].fault;
			return true;
		}
	}
	return false;
}

bool sim_faults_parse(const char *text, unsigned *faults)
{
	*faults = 0;
	if (strcmp(text, "all") == 0) {
		*faults = FAULT_ALL;
		return true;
	}
	if (strcmp(text, "none") == 0)
		return true;
	for (;;) {
		size_t bytes = strcspn(text, ",");
		if (!take_fault(text, bytes, faults))
			return false;
		if (text[bytes] == '\0')
			return true;
		text += bytes + 1;
	}
}

void sim_faults_print(unsigned faults, char *text, size_t bytes)
{
	size_t at = 0;
	snprintf(text, bytes, "none");
	for (unsigned i = 0; i < FAULT_COUNT; i++)
		if (faults & fault_names[i].fault && at < bytes)
			at += (size_t)snprintf(text + at, bytes - at, "%s%s", at ? "," : "", fault_names[i].name);
}

/* A number from 1 to `most` that ends at `stop`; NULL: there is none. */
static const char *take_number(const char *text, char stop, unsigned most, uint16_t *number)
{
	char *end;
	unsigned long value = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : 0;
	if (value == 0 || value > most || (*end != stop && !(stop == ',' && *end == '\0')))
		return NULL;
	*number = (uint16_t)value;
	return *end == '\0' ? end : end + 1;
}

bool sim_drops_parse(const char *text, struct sim_drops *drops)
{
	drops->count = 0;
	while (text && *text != '\0' && drops->count < SIM_DROPS) {
		struct sim_drop *drop = &drops->drop[drops->count++];
		text = take_number(text, '.', 1000, &drop->session);
		if (text)
			text = take_number(text, ',', SIM_MOST_TXNS, &drop->txn);
	}
	return text && *text == '\0' && drops->count > 0;
}

static unsigned either(int wanted, uint64_t chosen)
{
	return wanted == SIM_ANY ? (unsigned)chosen : (unsigned)wanted;
}

/* Few extents: the rings take the rest. About so many: what a region is made of besides is the engine's to say, and run.c adds 2 MiB
 * where it is too little. */
static void make_scarce(struct sim_case *c, uint64_t extents)
{
	enum { FIXED_BYTES = 1 << 20, PAIR_BYTES = 17 << 10, HOST_BYTES = 8 << 10, PART = 2 << 20 };
	uint64_t fixed = FIXED_BYTES + c->hosts * HOST_BYTES + (uint64_t)c->hosts * c->hosts * PAIR_BYTES;
	uint64_t rings = (uint64_t)c->hosts * c->pod.redo_workers, space = extents * EXTENT_BYTES;
	bool sealed = c->pod.durability != LG_DURABILITY_NONE;
	uint64_t least = fixed + space + (sealed ? rings * c->pod.redo_ring_bytes : 0);
	c->pod.swcc_bytes = (least + PART - 1) / PART * PART;
	if (sealed)
		c->pod.redo_ring_bytes = (uint32_t)((c->pod.swcc_bytes - fixed - space) / rings / 4096 * 4096);
}

static void choose_pod(struct sim_case *c, const struct sim_options *options, uint64_t *random)
{
	lg_pod_config_init(&c->pod);
	lg_host_config_init(&c->host);
	c->pod.hosts = c->hosts;
	c->pod.partitions = c->hosts * 2;
	c->pod.hwcc_bytes = 2 << 20;
	c->pod.epoch_ms = 1;
	c->pod.redo_workers = 4;
	c->pod.redo_ring_bytes = 64 << 10;
	c->pod.durability = (enum lg_durability)either(
	        options->durability, random_below(random, 4) ? LG_DURABILITY_CXL : LG_DURABILITY_NONE);
	c->host.max_workers = 4;
	/* Not left to the machine: a run is its seed's. With one, workers queue. */
	c->host.max_running = c->pod.durability == LG_DURABILITY_NONE ? 1 : c->host.max_workers;
	c->pod.swcc_bytes = (UINT64_C(4) << 20) * c->hosts;
	bool scarce = random_below(random, 6) == 0;
	uint64_t extents = 2 * c->hosts + random_below(random, 6);
	if (scarce && (options->faults & FAULT_SCARCE)) {
		c->faults |= FAULT_SCARCE;
		make_scarce(c, extents);
	}
}

static uint64_t one_of(uint64_t *random, const uint64_t *values, unsigned count)
{
	return values[random_below(random, count)];
}

/* Of a disk that fails, at most one way. */
static void choose_disk_faults(struct sim_case *c, uint64_t *random)
{
	struct files_plan *disk = &c->disk;
	uint64_t way = random_below(random, 4), at = 1 + random_below(random, 40);
	c->faults |= FAULT_DISK;
	disk->victim = random_below(random, 2) ? WORLD_HOSTS : (unsigned)random_below(random, c->hosts);
	disk->full_at = random_below(random, 20000000);
	disk->full_ns = way == 0 ? 1000000 + random_below(random, 100000000) : 0;
	disk->write_fails = way == 1 ? at : 0;
	disk->sync_fails = way == 2 ? at : 0;
	disk->short_writes = way == 3;
}

static void choose_powers(struct sim_case *c, uint64_t *random)
{
	static const enum crash_point points[] = {CRASH_LOG_SUBMIT, CRASH_LOG_WRITTEN, CRASH_CHECKPOINT_WRITTEN,
	        CRASH_CHECKPOINT_SYNCED, CRASH_CHECKPOINT_RENAMED, CRASH_LOG_RECYCLE, CRASH_REBUILT, CRASH_AFTER_SEAL,
	        CRASH_ADOPTION_CLAIMED, CRASH_MID_ADOPTION, CRASH_ADOPTED};
	c->faults |= FAULT_POWER;
	c->power_count = 1 + (unsigned)random_below(random, CASE_POWERS);
	for (unsigned i = 0; i < c->power_count; i++) {
		struct sim_power *power = &c->powers[i];
		uint64_t way = random_below(random, 8), steps = UINT64_C(1) << (8 + random_below(random, 11));
		uint64_t calls = random_below(random, 80), visits = random_below(random, 8);
		power->point = points[random_below(random, sizeof points / sizeof points[0])];
		power->at = way < 3   ? POWER_AT_STEP
		            : way < 6 ? POWER_AT_CALL
		            : way < 7 ? POWER_AT_POINT
		                      : POWER_AT_REST;
		power->after = 1 + (way < 3 ? random_below(random, steps) : way < 6 ? calls : visits);
		power->self = random_below(random, 2);
		power->recoverer_dies = random_below(random, 3) == 0 ? 1 + random_below(random, 4000) : 0;
	}
}

/* Whether there is a data directory, and all about it. Of lots of their own: what a seed is besides does not depend on these. */
static void choose_disk(struct sim_case *c, const struct sim_options *options, uint64_t seed)
{
	static const uint64_t segments[] = {16 << 10, 16 << 10, 32 << 10, 128 << 10};
	static const uint64_t logs[] = {0, 8 << 10, 32 << 10}, syncs_ns[] = {30000, 100000, 300000, 1000000};
	uint64_t random = seed * UINT64_C(0xd1342543de82ef95) + 1;
	uint64_t kind = random_below(&random, 8);
	if (options->durability == SIM_ANY && c->pod.durability == LG_DURABILITY_CXL && kind < 3)
		c->pod.durability = LG_DURABILITY_DISK;
	c->logged = c->pod.durability == LG_DURABILITY_DISK || (c->pod.durability == LG_DURABILITY_CXL && kind == 3);
	if (!c->logged)
		return;
	c->host.log_segment_bytes = one_of(&random, segments, 4);
	c->host.checkpoint_log_bytes = one_of(&random, logs, 3);
	c->host.checkpoint_mb_per_s = random_below(&random, 2) ? 100 : 0;
	c->checkpoints = (unsigned)random_below(&random, 4);
	c->checkpoint_gap_ns = 100000 + random_below(&random, 5000000);
	c->adopter = (unsigned)random_below(&random, 2 * c->hosts);
	c->host.adopt_after_ms = random_below(&random, 2) ? 1 + (uint32_t)random_below(&random, 30) : 0;
	c->disk = (struct files_plan){.seed = random_next(&random),
	        .call_ns = 1000 + random_below(&random, 5000),
	        .sync_ns = one_of(&random, syncs_ns, 4),
	        .stall_ns = random_below(&random, 60000000),
	        .victim = WORLD_HOSTS};
	bool fails = random_below(&random, 5) == 0, powers = random_below(&random, 3) > 0;
	if (fails && (options->faults & FAULT_DISK))
		choose_disk_faults(c, &random);
	if (powers && (options->faults & FAULT_POWER) && c->pod.durability == LG_DURABILITY_DISK)
		choose_powers(c, &random);
}

static void choose_load(struct sim_case *c, const struct sim_options *options, uint64_t *random)
{
	static const unsigned pads[] = {0, 40, 300, 1200};
	c->txns = either(options->txns, (4 + random_below(random, 24)) * (c->hosts == 1 ? 5 : 1));
	bool many = random_below(random, 4) == 0;
	c->keys[0] = 2 + (unsigned)random_below(random, many ? 58 : 14);
	c->keys[1] = 1 + (unsigned)random_below(random, 6);
	c->accounts = 2 + (unsigned)random_below(random, 6);
	c->most_pad = pads[random_below(random, 4)];
}

static void choose_schedule(struct sim_case *c, const struct sim_options *options, uint64_t *random)
{
	static const uint64_t step_ns[] = {100, 400, 2000};
	static const unsigned shifts[] = {0, 1, 3, 5, 8};
	uint64_t policy = random_below(random, 10);
	c->world.policy = (enum world_policy)either(options->policy, policy < 6   ? POLICY_RANDOM
	                                                             : policy < 9 ? POLICY_PCT
	                                                                          : POLICY_STARVE);
	c->world.pct_depth = either(options->pct_depth, 1 + random_below(random, 5));
	c->world.pct_steps = 2000 + random_below(random, 30000);
	c->world.switch_shift = shifts[random_below(random, 5)];
	c->world.starved = (unsigned)random_below(random, c->hosts);
	c->world.step_ns = step_ns[random_below(random, 3)];
	c->world.most_steps = options->most_steps;
	c->world.preemptions = options->preemptions;
	c->world.schedule = options->schedule;
	static const uint64_t fine[] = {0, 0, 30, 200, 3000};
	c->world.fine = fine[random_below(random, 5)];
	/* Few of them are ordered steps of a bug. */
	if (c->world.fine && c->world.policy == POLICY_PCT)
		c->world.fine = 20000;
	c->cache_seed = random_next(random) >> 16;
}

/* Without a data directory its points are never passed. */
static bool needs_disk(enum crash_point point)
{
	static const char *const parts[] = {"LOG_", "CHECKPOINT_", "ADOPTION", "ADOPTED", "REBUILT"};
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (strstr(crash_point_name(point), parts[i]))
			return true;
	return false;
}

static void choose_crash(struct sim_case *c, uint64_t *random)
{
	struct sim_crash *crash = &c->crashes[c->crash_count];
	uint64_t point = random_below(random, CRASH_POINT_COUNT), visits = random_below(random, 6);
	uint64_t accesses = random_below(random, 6000);
	bool named = random_below(random, 2) && (c->logged || !needs_disk((enum crash_point)point));
	/* A second one may well die of what it does about the first. */
	if (c->crash_count > 0 && random_below(random, 2)) {
		named = true;
		point = CRASH_RECOVERY_CLAIMED +
		        random_below(random, CRASH_RECOVERY_FREED + 1 - CRASH_RECOVERY_CLAIMED);
		visits = 0;
	}
	crash->host =
	        c->spectator && c->crash_count == 0 ? c->hosts - 1 : 1 + (unsigned)random_below(random, c->hosts - 1);
	crash->point = named ? (enum crash_point)point : CRASH_POINT_COUNT;
	crash->after = 1 + (named ? visits : accesses);
	/* At the point, or when what was done there has come to something. */
	uint64_t later = random_below(random, 4000);
	crash->later = named && random_below(random, 2) ? later : 0;
	crash->keeps_lines = random_below(random, 2);
	c->crash_count++;
}

/* Who dies loses all that he did not write back, soon after the point: caches without whims write nothing back by themselves. */
static void make_harsh(struct sim_case *c)
{
	enum { WHIM_RATES = 6, NO_WHIMS = 5, SOON = 64 }; /* src/emulation/incoherent.c */
	if (c->crash_count > 0)
		c->cache_seed = c->cache_seed / WHIM_RATES * WHIM_RATES + NO_WHIMS;
	for (unsigned i = 0; i < c->crash_count; i++) {
		c->crashes[i].later %= SOON;
		c->crashes[i].keeps_lines = false;
	}
}

static void choose_faults(struct sim_case *c, const struct sim_options *options, uint64_t *random)
{
	static const uint64_t stops_ms[] = {1, 5, 30, 400};
	uint64_t crashes = random_below(random, 4), stop = random_below(random, 6), skew = random_below(random, 3);
	bool restart = random_below(random, 2);
	c->spectator = random_below(random, 2) && c->hosts > 1;
	c->early = random_below(random, 3) == 0;
	unsigned allowed = c->hosts > 1 ? options->faults : options->faults & FAULT_SKEW;
	/* What a crash may leave at the level none is next to nothing that could be judged. */
	if (c->pod.durability == LG_DURABILITY_NONE)
		allowed &= (unsigned)(FAULT_SKEW | FAULT_SCARCE);
	for (unsigned i = 0; i < CASE_CRASHES; i++)
		if (i < crashes && (i == 0 || c->hosts > 2))
			choose_crash(c, random);
	if (random_below(random, 3) == 0)
		make_harsh(c);
	c->restart_ns = 1000000 + random_below(random, 40000000);
	c->stop_at = 1 + random_below(random, 3000000);
	c->stop_ns = stop == 0 ? 1000000 * stops_ms[random_below(random, 4)] : 0;
	c->stop_host = 1 + (unsigned)random_below(random, c->hosts > 1 ? c->hosts - 1 : 1);
	for (unsigned i = 0; i < c->hosts; i++) {
		c->skew_ns[i] = skew == 0 ? (int64_t)random_below(random, 1000000000) : 0;
		c->skew_ppm[i] = skew == 0 ? (int64_t)random_below(random, 100000) - 50000 : 0;
	}
	uint64_t zombie = random_below(random, 12), silence = 11 + random_below(random, 10);
	if (zombie == 0 && (allowed & FAULT_ZOMBIE) && !c->logged) {
		/* Alone: whoever else is declared dead then is a zombie too. */
		c->faults |= FAULT_ZOMBIE;
		allowed &= (unsigned)FAULT_SKEW;
		c->zombie_leases = silence;
	}
	if (!(allowed & FAULT_CRASH))
		c->crash_count = 0;
	if (!(allowed & FAULT_STOP))
		c->stop_ns = 0;
	if (!(allowed & FAULT_SKEW)) {
		memset(c->skew_ns, 0, sizeof c->skew_ns);
		memset(c->skew_ppm, 0, sizeof c->skew_ppm);
	}
	if (c->crash_count > 0)
		c->faults |= FAULT_CRASH;
	if (c->stop_ns)
		c->faults |= FAULT_STOP;
	if (skew == 0 && (allowed & FAULT_SKEW))
		c->faults |= FAULT_SKEW;
	if (restart && (c->faults & (FAULT_CRASH | FAULT_STOP)) && (allowed & FAULT_RESTART))
		c->faults |= FAULT_RESTART;
}

void sim_case_of(const struct sim_options *options, uint64_t seed, struct sim_case *c)
{
	uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15);
	memset(c, 0, sizeof *c);
	c->world.seed = seed;
	static const unsigned hosts[] = {1, 2, 2, 2, 2, 3, 3, 4};
	c->hosts = either(options->hosts, hosts[random_below(&random, 8)]);
	/* One host alone is quick, and is for what its threads do to each other. */
	uint64_t workers = random_below(&random, 3);
	c->workers = either(options->workers, 1 + (c->hosts == 1 ? workers : workers / 2));
	choose_pod(c, options, &random);
	choose_disk(c, options, seed);
	choose_load(c, options, &random);
	choose_schedule(c, options, &random);
	choose_faults(c, options, &random);
	/* A service thread has more to do then, and those of all hosts shall not fill all of the time. */
	if (c->logged && c->world.step_ns > (c->hosts > 2 ? 100 : 400))
		c->world.step_ns = c->hosts > 2 ? 100 : 400;
	c->drops = options->drops;
	/* Where a step takes long, or a host gets few, nobody shall be taken for dead who only was not asked. */
	c->host.lease_ms = (c->world.step_ns > 1000 ? 40u : 10u) * (c->world.policy == POLICY_STARVE ? 4 : 1);
	/* Nor who waits for a disk that stands still. */
	if (c->logged && c->host.lease_ms < 40)
		c->host.lease_ms = 40;
	c->host.request_timeout_ms = c->world.step_ns > 1000 ? 10000 : 2000;
	c->stop_ns = c->zombie_leases ? c->zombie_leases * c->host.lease_ms * 1000000 : c->stop_ns;
}
