/* watch.c: notices that a host has died, and has it recovered.
 *
 * Each host's service thread looks at the others' hearts. One that stands still for a lease is looked at closer:
 *   its process was on this machine and is gone            it is dead
 *   it runs on this machine, and is silent for ten leases  it is killed (the fence), and then found to be gone
 *   it is in this very process                             it shares this one's fate: never dead alone
 *   it is on another machine, silent for ten leases        the user's fence is asked to stop it; without one it is waited for
 * A host that is joining or leaving does not beat; it is dead only if its process is gone, or if it has not said for a lease
 * which process it is: then it is shut out (member.c).
 *
 * Then a survivor claims it by CAS on its state (member.c) and recovers it (crash.h). If the claimer dies too, whoever
 * finds it dead or gone claims the first one anew. A host that was declared dead and yet runs (a stopped process of another machine
 * whose fence did not hold) sees its own state at its next epoch, transaction or commit, and touches nothing more; what is
 * left is the time between that look and the stores that follow it in one commit or one operation of the mover.
 *
 * A clock that jumped, or a thread that was not run for half a lease, proves nothing about others: all leases begin anew.
 */
#include <stdlib.h>
#include <time.h>

#include "engine/service.h"
#include "recovery/crash.h"
#include "recovery/stream.h"

enum { PATIENCE = 10, LOOKS_PER_LEASE = 8 };

struct pulse {
	uint64_t state, heartbeat, since_ns;
	bool killed;
};

struct watch {
	uint64_t last_ns, looked_ns;
	struct pulse pulses[LG_MAX_HOSTS];
};

int recovery_open(struct lg_worker *service, struct lg_error *err)
{
	service->host->watch = calloc(1, sizeof *service->host->watch);
	if (!service->host->watch)
		return error_set(err, LG_NOSPACE, "no private memory for the watch");
	int code = stream_open(service, err);
	if (code != LG_OK)
		recovery_close(service->host);
	return code;
}

void recovery_close(struct lg_host *host)
{
	stream_close(host);
	free(host->watch);
	host->watch = NULL;
}

static void recover(struct lg_worker *w, unsigned dead, uint64_t seen)
{
	uint64_t claim;
	/* Who cannot write what the dead host had sealed leaves it to another. */
	if (stream_failed(w->host) || !member_claim(&w->port, dead, seen, w->host_id, &claim))
		return;
	if (crash_recover(w, dead) == LG_OK)
		w->counts.recoveries += member_recovered(&w->port, dead, claim);
	else
		(void)member_claim(&w->port, dead, claim, w->host->geometry->host_count, &claim);
}

/* Whether nobody is at work on a host in recovery: its recoverer was an earlier life of this host, or is gone. This host's keeper
 * claims whom it adopts in the same way, and is at work. Who recovers its own
 * id before it joins under it has put its own process into the member line. */
static bool recovery_abandoned(struct lg_worker *w, unsigned id)
{
	unsigned by = member_recoverer(&w->port, id);
	if (by == id)
		return member_process(&w->port, id) == MEMBER_GONE;
	/* [adopt.claim] Acquire; pairs with adopt_partitions(). The state word was loaded before. */
	if (by == w->host_id && atomic_load_explicit(&w->host->adopting, memory_order_acquire) == id + 1)
		return false;
	if (by == w->host_id || by >= w->host->geometry->host_count)
		return true;
	enum lg_member_state state = member_state(&w->port, by, NULL);
	return state == LG_MEMBER_DEAD || state == LG_MEMBER_LEFT || state == LG_MEMBER_FREE;
}

static bool is_gone_member(struct lg_worker *w, unsigned id)
{
	enum lg_member_state state = member_state(&w->port, id, NULL);
	/* Of one that has not said who it is, and of another machine, nothing can be said. */
	return state != LG_MEMBER_FREE && state != LG_MEMBER_LEFT && state != LG_MEMBER_DEAD &&
	       state != LG_MEMBER_RECOVERING && member_process(&w->port, id) == MEMBER_GONE;
}

void recovery_of_own_id(struct lg_worker *service)
{
	enum { PATIENCE_MS = 5000 };
	struct cxl_port *port = &service->port;
	unsigned id = service->host_id;
	uint64_t lease = (uint64_t)service->host->config.lease_ms * 1000000u, began = clock_ns();
	for (uint64_t waited = 0; waited < PATIENCE_MS * UINT64_C(1000000) + lease; waited = clock_ns() - began) {
		uint64_t seen = member_state_word(port, id);
		if (member_nameless(port, id, seen) && waited >= lease)
			(void)member_shut_out(port, id, seen);
		if (is_gone_member(service, id) ||
		        (member_state(port, id, NULL) == LG_MEMBER_RECOVERING && recovery_abandoned(service, id)))
			recover(service, id, seen);
		else if (member_state(port, id, NULL) == LG_MEMBER_RECOVERING || member_nameless(port, id, seen))
			nanosleep(&(struct timespec){0, 1000000}, NULL); /* somebody is at it: he is waited for */
		else
			break;
	}
	service->host->after_death = member_state(port, id, NULL) == LG_MEMBER_DEAD;
}

void recovery_of_gone(struct lg_worker *service)
{
	for (unsigned id = 0; id < service->host->geometry->host_count; id++) {
		uint64_t seen = member_state_word(&service->port, id);
		/* Also who was being recovered by one that died at it: his next life may be this one, which has no service thread yet. */
		if (id != service->host_id && (is_gone_member(service, id) ||
		                                      (member_state(&service->port, id, NULL) == LG_MEMBER_RECOVERING &&
		                                              recovery_abandoned(service, id))))
			recover(service, id, seen);
	}
}

/* Whether a host that has been silent for so long is certainly not running any more. */
static bool is_gone(struct lg_worker *w, unsigned id, struct pulse *pulse, bool live, bool patience_ended)
{
	const struct lg_host_config *config = &w->host->config;
	switch (member_process(&w->port, id)) {
	case MEMBER_GONE: return true;
	case MEMBER_RUNS:
		if (live && patience_ended && !pulse->killed) {
			pulse->killed = true;
			member_kill(&w->port, id);
		}
		return false;
	case MEMBER_ELSEWHERE:
		return live && patience_ended && config->fence && config->fence(config->fence_argument, id) == 0;
	case MEMBER_RUNS_HERE: break;
	}
	return false;
}

static void look(struct lg_worker *w, unsigned id, uint64_t now, uint64_t lease)
{
	struct pulse *pulse = &w->host->watch->pulses[id];
	uint64_t seen = member_state_word(&w->port, id), heartbeat = member_heartbeat(&w->port, id);
	enum lg_member_state state = member_state(&w->port, id, NULL);
	if (state == LG_MEMBER_RECOVERING) {
		if (recovery_abandoned(w, id))
			recover(w, id, seen);
		return;
	}
	if (seen != pulse->state || heartbeat != pulse->heartbeat || state == LG_MEMBER_FREE ||
	        state == LG_MEMBER_LEFT || state == LG_MEMBER_DEAD) {
		*pulse = (struct pulse){seen, heartbeat, now, false};
		return;
	}
	uint64_t silent = now - pulse->since_ns;
	if (silent >= lease && member_nameless(&w->port, id, seen))
		(void)member_shut_out(&w->port, id, seen);
	if (silent >= lease && is_gone(w, id, pulse, state == LG_MEMBER_LIVE, silent >= PATIENCE * lease))
		recover(w, id, seen);
}

static void watch_round(struct lg_worker *w, uint64_t now)
{
	struct watch *watch = w->host->watch;
	uint64_t lease = (uint64_t)w->host->config.lease_ms * 1000000u;
	if (now - watch->last_ns > lease / 2)
		for (unsigned id = 0; id < LG_MAX_HOSTS; id++)
			watch->pulses[id].since_ns = now;
	watch->last_ns = now;
	if (now - watch->looked_ns < lease / LOOKS_PER_LEASE)
		return;
	watch->looked_ns = now;
	for (unsigned id = 0; id < w->host->geometry->host_count; id++)
		if (id != w->host_id)
			look(w, id, now, lease);
}

bool recovery_round(struct lg_worker *w, uint64_t now)
{
	watch_round(w, now);
	return stream_round(w, now);
}

int recovery_leave(struct lg_worker *service)
{
	return stream_left(service);
}

void recovery_give_up(struct lg_worker *service)
{
	uint64_t claim;
	(void)member_claim(&service->port, service->host_id, member_state_word(&service->port, service->host_id),
	        service->host->geometry->host_count, &claim);
}

void recovery_fenced(struct lg_host *host)
{
	stream_fenced(host);
}
