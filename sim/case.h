/* case.h: what is run: the options of the command line, and what a seed makes of those that were left open. */
#ifndef LIGER_SIM_CASE_H
#define LIGER_SIM_CASE_H

#include <liger.h>
#include <stdio.h>

#include "cxl/crash_point.h"
#include "files.h"
#include "world.h"

enum sim_fault {
	FAULT_CRASH = 1,   /* a host dies at some access, or at a named point */
	FAULT_RESTART = 2, /* who died comes back under its id */
	FAULT_STOP = 4,    /* a host stands still for a while: too long, and the others kill it */
	FAULT_SKEW = 8,    /* clocks that differ, and run at different speeds */
	FAULT_SCARCE = 16, /* a region that is soon full */
	FAULT_ZOMBIE =
	        32, /* hosts of different machines, and a fence that does not hold: who was declared dead runs on */
	FAULT_POWER = 64, /* the power of the whole pod goes: its memory is lost, its logs bring it back */
	FAULT_DISK = 128, /* a disk that is full for a while, or fails */
	FAULT_ALL = 255,
};

/* ANY: the seed decides. */
enum {
	SIM_ANY = -1,
	SIM_DROPS = 512,
	SIM_MOST_HOSTS = 6,
	SIM_MOST_WORKERS = 4,
	SIM_MOST_TXNS = 1000,
	SIM_MOST_STEPS = 20000000
};

struct sim_options {
	uint64_t first, last; /* seeds */
	int hosts, workers, txns, policy, pct_depth, durability;
	unsigned faults; /* that seeds may choose from */
	uint64_t most_steps, preemptions, schedule;
	struct sim_drops {
		unsigned count;
		struct sim_drop {
			uint16_t session, txn; /* from 1 */
		} drop[SIM_DROPS];
	} drops;
};

struct sim_crash {
	unsigned host;
	enum crash_point point; /* CRASH_POINT_COUNT: at an access */
	uint64_t after;         /* so many accesses of that host, or visits of the point by any */
	uint64_t later;         /* accesses of the host between the point and its end */
	bool keeps_lines;
};

/* When the power of the whole pod goes, in each of its lives once. */
struct sim_power {
	enum sim_power_at { POWER_AT_STEP, POWER_AT_CALL, POWER_AT_POINT, POWER_AT_REST } at;
	enum crash_point point;
	uint64_t
	        after; /* steps, calls of the disk, or visits of the point, since the life began; the first since the load */
	bool self;               /* the hosts bring the pod back when they start; else a process does that by itself */
	uint64_t recoverer_dies; /* after so many steps, the first time; 0: it does not */
};

enum { CASE_CRASHES = 2, CASE_POWERS = 3 };
#define SIM_FAULT_NAMES "crash, restart, stop, skew, scarce, zombie, power, disk"

struct sim_case {
	struct world_plan world;
	unsigned hosts, workers, txns;
	unsigned faults;
	bool early;          /* hosts may die before the tables are filled */
	bool spectator;      /* the last host owns no partition: none of its rows go when it dies */
	uint64_t cache_seed; /* of incoherent.c */
	struct lg_pod_config pod;
	struct lg_host_config host; /* but for its id */
	unsigned keys[2], accounts, most_pad;
	struct sim_crash crashes[CASE_CRASHES];
	unsigned crash_count;
	uint64_t stop_at, stop_ns; /* of virtual time since the load; 0: no stop */
	unsigned stop_host;
	uint64_t zombie_leases; /* the stop lasts until it is recovered; begins between two transactions */
	uint64_t restart_ns;    /* after the crash */
	int64_t skew_ns[WORLD_HOSTS], skew_ppm[WORLD_HOSTS];
	struct sim_drops drops; /* transactions that are left out */
	bool logged;            /* there is a data directory */
	struct files_plan disk;
	struct sim_power powers[CASE_POWERS];
	unsigned power_count;
	unsigned checkpoints;       /* that each life of a host asks for */
	uint64_t checkpoint_gap_ns; /* between them */
	unsigned adopter;           /* tries then to adopt whoever is dead; no host: nobody does */
};

void sim_options_init(struct sim_options *options);
/* Reads a list such as "3.1,3.2": session 3's first and second transaction. */
bool sim_drops_parse(const char *text, struct sim_drops *drops);
/* Reads a list such as "crash,skew", "all" or "none". */
bool sim_faults_parse(const char *text, unsigned *faults);
void sim_faults_print(unsigned faults, char *text, size_t bytes);
void sim_case_of(const struct sim_options *options, uint64_t seed, struct sim_case *c);

#endif
