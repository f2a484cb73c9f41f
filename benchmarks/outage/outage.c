/* outage.c: what the death of a host costs: `make outage`.
 *
 * Two hosts run TPC-C. Host 1 is killed; host 0 notices, recovers it, and goes on; host 1 is started again, or host 0 adopts
 * its partitions. Of each round:
 *     detected    kill to claim: the others believe that it is dead (the lease, above all)
 *     full speed  claim to the first 10 ms in which host 0 commits 90% of what it did before, its refusals not counted
 *     recovered   claim to the end of recovery: what the dead host had sealed is finished, what it held is free
 *     back        claim to the moment from which its rows can be read and written again
 * Times are looked at every half millisecond, commits are counted by the millisecond.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/numbers.h"
#include "../common/ticks.h"
#include "town.h"

enum { MAX_ROUNDS = 50, BEFORE_MS = 500, WINDOW_MS = 10, PERCENT = 90, PATIENCE_MS = 60000 };

struct round {
	double detected_ms, full_speed_ms, recovered_ms, back_ms;
	double rows, log_mb, rebuild_mb_per_s;
	uint64_t refusals;
};

struct plan {
	uint32_t rounds, warehouses, lease_ms;
	double seconds;
	const char *data;
	enum lg_durability durability;
	bool adopt;
};

static enum lg_member_state state_of(const struct town *t, uint32_t host)
{
	struct lg_pod_info info;
	struct lg_error err;
	if (lg_pod_info(t->uri, &info, &err) != LG_OK)
		town_die("outage", "lg_pod_info", err.message);
	return info.member[host].state;
}

static bool owns(const struct town *t, uint32_t host)
{
	struct lg_pod_info info;
	struct lg_error err;
	if (lg_pod_info(t->uri, &info, &err) != LG_OK)
		town_die("outage", "lg_pod_info", err.message);
	return info.member[host].partitions > 0;
}

static void look_again(const struct town *t, double since_ms)
{
	town_expect_alive(t);
	if (town_ms(t) - since_ms > PATIENCE_MS)
		town_die("outage", "waiting", "nothing has come of it for a minute");
	town_nap();
}

static double commits_in(const struct town *t, uint32_t host, double from_ms, uint32_t length)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < length; i++)
		sum += atomic_load(&t->board->host[host].in_ms[((uint64_t)from_ms + i) % TOWN_MS]);
	return (double)sum;
}

/* When the first such window begins, as milliseconds behind `from_ms`; the windows must have passed. */
static double full_speed(const struct town *t, double killed_ms, double from_ms)
{
	double wanted = commits_in(t, 0, killed_ms - BEFORE_MS, BEFORE_MS) * WINDOW_MS / BEFORE_MS * PERCENT / 100;
	double at = from_ms;
	while (commits_in(t, 0, at, WINDOW_MS) < wanted) {
		at += 1;
		while (town_ms(t) < at + WINDOW_MS + 1)
			look_again(t, from_ms);
	}
	return at - from_ms;
}

static void pass_seconds(const struct town *t, double seconds)
{
	for (double from = town_ms(t); town_ms(t) < from + seconds * 1000;)
		look_again(t, from);
}

static void empty_counts(const struct town *t)
{
	for (uint32_t host = 0; host < TOWN_HOSTS; host++)
		for (uint32_t i = 0; i < TOWN_MS; i++)
			atomic_store(&t->board->host[host].in_ms[i], 0);
}

static void bring_back(struct town *t, const struct plan *plan, double detected_ms, struct round *r)
{
	struct lg_error err;
	if (plan->adopt) {
		if (lg_pod_adopt(t->uri, 0, 1, NULL, &err) != LG_OK)
			town_die("outage", "lg_pod_adopt", err.message);
		while (owns(t, 1))
			look_again(t, detected_ms);
	} else {
		town_start(t, 1);
		while (!town_is_open(t, 1))
			look_again(t, detected_ms);
	}
	r->back_ms = town_ms(t) - detected_ms;
	const struct town_host *host = &t->board->host[1];
	if (plan->adopt)
		return;
	r->rows = (double)atomic_load(&host->rows_rebuilt);
	r->log_mb = (double)atomic_load(&host->rebuild_bytes) / 1e6;
	r->rebuild_mb_per_s = r->log_mb / ((double)atomic_load(&host->open_ns) / 1e9);
}

static void run_round(struct town *t, const struct plan *plan, struct round *r)
{
	town_order(t, TOWN_RUN, 0);
	empty_counts(t);
	pass_seconds(t, plan->seconds);
	uint64_t refusals = atomic_load(&t->board->host[0].refusals);
	double killed = town_ms(t);
	town_kill(t, 1);
	while (state_of(t, 1) == LG_MEMBER_LIVE)
		look_again(t, killed);
	double detected = town_ms(t);
	while (state_of(t, 1) != LG_MEMBER_DEAD)
		look_again(t, killed);
	r->recovered_ms = town_ms(t) - detected;
	r->detected_ms = detected - killed;
	bring_back(t, plan, detected, r);
	r->full_speed_ms = full_speed(t, killed, detected);
	r->refusals = atomic_load(&t->board->host[0].refusals) - refusals;
}

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static double median(const struct round *rounds, uint32_t count, size_t offset)
{
	double values[MAX_ROUNDS];
	for (uint32_t i = 0; i < count; i++)
		memcpy(&values[i], (const char *)&rounds[i] + offset, sizeof(double));
	qsort(values, count, sizeof(values[0]), by_size);
	return (values[count / 2] + values[(count - 1) / 2]) / 2;
}

static void print_round(const char *name, const struct round *r, bool adopt)
{
	printf("%-7s %9.1f ms %10.1f ms %10.1f ms %9.0f ms", name, r->detected_ms, r->full_speed_ms, r->recovered_ms,
	        r->back_ms);
	if (!adopt)
		printf(" %10.0f %8.0f MB %7.0f MB/s", r->rows, r->log_mb, r->rebuild_mb_per_s);
	printf("\n");
}

static void print_medians(const struct round *rounds, const struct plan *plan)
{
	struct round m;
#define MEDIAN(field) m.field = median(rounds, plan->rounds, offsetof(struct round, field))
	MEDIAN(detected_ms);
	MEDIAN(full_speed_ms);
	MEDIAN(recovered_ms);
	MEDIAN(back_ms);
	MEDIAN(rows);
	MEDIAN(log_mb);
	MEDIAN(rebuild_mb_per_s);
#undef MEDIAN
	print_round("median", &m, plan->adopt);
}

static void run(const struct plan *plan)
{
	static struct town town;
	static struct round rounds[MAX_ROUNDS];
	snprintf(town.uri, sizeof(town.uri), "shm:liger-outage-%ld", (long)getpid());
	town.data = plan->data;
	town.lease_ms = plan->lease_ms;
	town.seed = 1;
	town_begin(&town, plan->durability, plan->warehouses);
	printf("TPC-C on 2 hosts of 1 worker, %u warehouses, durability %s, lease %u ms; host 1 is killed and %s\n",
	        plan->warehouses, lg_durability_name(plan->durability), plan->lease_ms,
	        plan->adopt ? "its partitions are adopted" : "started again");
	printf("round    detected    full speed     recovered        back%s\n",
	        plan->adopt ? "" : "       rows         log      rebuilt at");
	for (uint32_t i = 0; i < plan->rounds; i++) {
		char name[16];
		run_round(&town, plan, &rounds[i]);
		snprintf(name, sizeof(name), "%u", i + 1);
		print_round(name, &rounds[i], plan->adopt);
	}
	if (plan->rounds > 1)
		print_medians(rounds, plan);
	if (!plan->adopt) {
		town_check(&town);
		printf("TPC-C's consistency conditions hold\n");
	}
	town_end(&town);
}

static void usage(const char *why)
{
	fprintf(stderr,
	        "outage: %s\n"
	        "usage: outage --data DIR [--durability cxl|disk] [--warehouses N] [--rounds N] [--seconds S] "
	        "[--lease-ms N] [--adopt]\n"
	        "  DIR must be empty or absent; N warehouses (default 2) over 2 hosts; S seconds (default 2) before "
	        "each "
	        "kill\n"
	        "  --adopt: host 0 takes the partitions of host 1 over, once; else host 1 is started again, 5 times\n",
	        why);
	exit(2);
}

static bool parse_one(struct plan *plan, const char *name, const char *value, char *why, size_t bytes)
{
	if (strcmp(name, "--data") == 0)
		return (plan->data = value) != NULL;
	if (strcmp(name, "--durability") == 0)
		return lg_durability_parse(value, &plan->durability) && plan->durability != LG_DURABILITY_NONE;
	if (strcmp(name, "--warehouses") == 0)
		return number_parse_u32(value, TOWN_HOSTS, LG_MAX_PARTITIONS, &plan->warehouses, why, bytes);
	if (strcmp(name, "--rounds") == 0)
		return number_parse_u32(value, 1, MAX_ROUNDS, &plan->rounds, why, bytes);
	if (strcmp(name, "--seconds") == 0)
		return number_parse_double(value, 1, TOWN_MS / 2000.0, &plan->seconds, why, bytes);
	if (strcmp(name, "--lease-ms") == 0)
		return number_parse_u32(value, 10, 10000, &plan->lease_ms, why, bytes);
	snprintf(why, bytes, "there is no such option");
	return false;
}

int main(int argc, char **argv)
{
	struct plan plan = {
	        .rounds = 5, .warehouses = 2, .lease_ms = 100, .seconds = 2, .durability = LG_DURABILITY_CXL};
	for (int i = 1; i < argc; i++) {
		char why[200] = "give cxl or disk", text[300];
		if (strcmp(argv[i], "--adopt") == 0) {
			plan.adopt = true;
			plan.rounds = 1;
			continue;
		}
		if (i + 1 == argc)
			usage("each option has a value");
		if (!parse_one(&plan, argv[i], argv[i + 1], why, sizeof(why))) {
			snprintf(text, sizeof(text), "%s %s: %s", argv[i], argv[i + 1], why);
			usage(text);
		}
		i++;
	}
	if (!plan.data)
		usage("--data: where shall the logs be?");
	if (plan.adopt && plan.rounds != 1)
		usage("--adopt is of one round: afterwards host 1 owns nothing");
	setvbuf(stdout, NULL, _IOLBF, 0);
	run(&plan);
	return 0;
}
