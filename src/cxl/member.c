/* member.c: which hosts are in the pod, what each still needs, and which partitions each owns.
 *
 *   state     free -> joining -> live -> leaving -> left -> joining (next incarnation) ...
 *             free or left -> joining: CAS by who joins; all other steps: stores by the member itself
 *
 * Crash: a host that dies in any state but free and left stays a member in that state, with its pid, and holds back
 * member_pod_oldest(): nothing that it may remember is reused until it has been recovered.
 */
#include "cxl/pod.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

#include "cxl/region.h"

static_assert(POD_MEMBERS_OFFSET + LG_MAX_HOSTS * sizeof(struct pod_member) <= POD_DOORBELLS_OFFSET &&
                      POD_DOORBELLS_OFFSET + LG_MAX_HOSTS * sizeof(struct pod_doorbell) <= POD_PARTITIONS_OFFSET &&
                      POD_PARTITIONS_OFFSET + LG_MAX_PARTITIONS * 8 <= POD_OWNERS_OFFSET,
        "the fixed tables of HWcc do not overlap");

enum { MEMBER_STATE_BITS = 8 };

static pod_off member_offset(const struct cxl_port *port, unsigned host)
{
	assert(host < port->geometry->host_count);
	return POD_MEMBERS_OFFSET + host * sizeof(struct pod_member);
}

enum {
	STATE = offsetof(struct pod_member, state),
	HEARTBEAT = offsetof(struct pod_member, heartbeat),
	PID = offsetof(struct pod_member, pid),
	EMULATION = offsetof(struct pod_member, emulation),
	OLDEST_EPOCH = offsetof(struct pod_member, oldest_epoch),
};

static enum lg_member_state state_of(uint64_t word)
{
	uint64_t state = word & ((1u << MEMBER_STATE_BITS) - 1);
	/* A state that no version of ours writes counts as live: it is never joined over, and holds reuse back. */
	return state <= LG_MEMBER_LEFT ? (enum lg_member_state)state : LG_MEMBER_LIVE;
}

static bool state_is_member(enum lg_member_state state)
{
	return state != LG_MEMBER_FREE && state != LG_MEMBER_LEFT;
}

static int refuse_join(const struct cxl_port *port, unsigned host, struct lg_error *err)
{
	pid_t pid = (pid_t)member_pid(port, host);
	if (member_alive(port, host))
		return error_set(err, LG_INUSE,
		        "cannot join the pod as host %u: process %d is that host (heartbeat %" PRIu64
		        "); choose another host id, or end that process",
		        host, (int)pid, member_heartbeat(port, host));
	return error_set(err, LG_INUSE,
	        "cannot join the pod as host %u: this machine has no process %d, which was that host (heartbeat "
	        "%" PRIu64
	        "): it is gone without leaving, and its rows with it, or runs on another machine; then choose another "
	        "host id, else destroy the pod and create it anew",
	        host, (int)pid, member_heartbeat(port, host));
}

/* Whether all members run under the same emulation as this one, which has written its own: of two that join at a time, one at
 * least sees the other. */
static int check_emulation(struct cxl_port *port, unsigned host, uint64_t emulation, struct lg_error *err)
{
	for (unsigned other = 0; other < port->geometry->host_count; other++) {
		pod_off member = member_offset(port, other);
		/* seq_cst both: [member.emulation] */
		uint64_t state = port_word_load(port, member + STATE, memory_order_seq_cst);
		if (other == host || !state_is_member(state_of(state)))
			continue;
		/* It has not said yet which it is; when it has, it looks at ours. Acquire: [member.emulation], the pid comes
		 * after that. */
		if (state_of(state) == LG_MEMBER_JOINING && !port_word_load(port, member + PID, memory_order_acquire))
			continue;
		if (port_word_load(port, member + EMULATION, memory_order_seq_cst) != emulation)
			return error_set(err, LG_MISMATCH,
			        "cannot join the pod as host %u: host %u runs under another emulation (--emulate, "
			        "lg_host_config.emulate), which all hosts of a pod must share",
			        host, other);
	}
	return LG_OK;
}

int member_join(struct cxl_port *port, unsigned host, uint64_t emulation, uint64_t *incarnation, struct lg_error *err)
{
	if (host >= port->geometry->host_count)
		return error_set(err, LG_INVALID, "host id %u is out of range: this pod has the hosts 0 to %u", host,
		        port->geometry->host_count - 1);
	pod_off member = member_offset(port, host);
	/* [member.state] Acquire; pairs with member_set_state(): the last holder's words are left in order. */
	uint64_t seen = port_word_load(port, member + STATE, memory_order_acquire);
	uint64_t next = (seen >> MEMBER_STATE_BITS) + 1;
	port->counts.word_writes += 3;
	/* seq_cst: [pod.unmake], see below. */
	if (state_is_member(state_of(seen)) ||
	        !port_word_swap(port, member + STATE, &seen, next << MEMBER_STATE_BITS | LG_MEMBER_JOINING,
	                memory_order_seq_cst))
		return refuse_join(port, host, err);
	/* [member.emulation] seq_cst; pairs with check_emulation() in who joins at the same time. */
	port_word_store(port, member + EMULATION, emulation, memory_order_seq_cst);
	/* For people and for the liveness test of destroy, which takes 0 for alive while joining. Release:
	 * [member.emulation], who sees the pid sees what stands before it. */
	port_word_store(port, member + PID, (uint64_t)getpid(), memory_order_release);
	port_word_rmw(port, member + HEARTBEAT, EMU_ADD, 1, memory_order_relaxed);
	member_publish_oldest(port, host, epoch_load(port));
	/* [pod.unmake] seq_cst; pairs with region_destroy(), which clears the magic and then looks at the members, while
	 * we became one and look at the magic now: one of us sees the other. */
	if (port_word_load(port, offsetof(struct pod_header, magic), memory_order_seq_cst) != POD_MAGIC) {
		member_set_state(port, host, LG_MEMBER_LEFT);
		return error_set(err, LG_MISMATCH,
		        "cannot join the pod as host %u: it is being destroyed; create it anew", host);
	}
	/* On a device, which keeps its name, another pod may have been made since we attached. Relaxed: after the magic. */
	if (port_word_load(port, offsetof(struct pod_header, cookie), memory_order_relaxed) != port->geometry->cookie) {
		member_set_state(port, host, LG_MEMBER_LEFT);
		return error_set(err, LG_MISMATCH,
		        "cannot join the pod as host %u: it has been destroyed and created anew; open it again", host);
	}
	int code = check_emulation(port, host, emulation, err);
	if (code)
		member_set_state(port, host, LG_MEMBER_LEFT);
	*incarnation = next;
	return code;
}

void member_set_state(struct cxl_port *port, unsigned host, enum lg_member_state state)
{
	pod_off member = member_offset(port, host);
	/* Relaxed: only the member itself changes these words now. */
	uint64_t seen = port_word_load(port, member + STATE, memory_order_relaxed);
	if (!state_is_member(state)) {
		port->counts.word_writes += 2;
		port_word_store(port, member + PID, 0, memory_order_relaxed);
		port_word_store(port, member + OLDEST_EPOCH, UINT64_MAX, memory_order_relaxed);
	}
	port->counts.word_writes++;
	/* [member.state] Release; pairs with member_join() and member_state(). Orders: what the state promises before it. */
	port_word_store(port, member + STATE, (seen >> MEMBER_STATE_BITS) << MEMBER_STATE_BITS | (uint64_t)state,
	        memory_order_release);
}

enum lg_member_state member_state(const struct cxl_port *port, unsigned host, uint64_t *incarnation)
{
	/* [member.state] Acquire; pairs with member_set_state(): a live host has made its tables and channels ready. */
	uint64_t seen = port_word_load(port, member_offset(port, host) + STATE, memory_order_acquire);
	if (incarnation)
		*incarnation = seen >> MEMBER_STATE_BITS;
	return state_of(seen);
}

void member_beat(struct cxl_port *port, unsigned host)
{
	pod_off member = member_offset(port, host);
	port->counts.word_writes++;
	/* Relaxed: only its change is looked at. One writer, the member's service thread: no read-modify-write needed. */
	uint64_t beats = port_word_load(port, member + HEARTBEAT, memory_order_relaxed);
	port_word_store(port, member + HEARTBEAT, beats + 1, memory_order_relaxed);
}

uint64_t member_heartbeat(const struct cxl_port *port, unsigned host)
{
	return port_word_load(
	        port, member_offset(port, host) + HEARTBEAT, memory_order_relaxed); /* relaxed: as above */
}

int32_t member_pid(const struct cxl_port *port, unsigned host)
{
	return (int32_t)port_word_load(
	        port, member_offset(port, host) + PID, memory_order_relaxed); /* relaxed: as above */
}

bool member_alive(const struct cxl_port *port, unsigned host)
{
	/* seq_cst: [pod.unmake], see member_join(). */
	uint64_t seen = port_word_load(port, member_offset(port, host) + STATE, memory_order_seq_cst);
	if (!state_is_member(state_of(seen)))
		return false;
	pid_t pid = (pid_t)member_pid(port, host);
	/* A pid of 0: it is about to write it, or died in between; nobody can tell which. Never kill() a whole group. */
	return pid <= 0 || kill(pid, 0) == 0 || errno != ESRCH;
}

void member_publish_oldest(struct cxl_port *port, unsigned host, uint64_t epoch)
{
	port->counts.word_writes++;
	/* [member.oldest] Release, and a full fence; pairs with member_pod_oldest(). Release: transactions that are over
	 * have made their last access before their epoch goes. Fence: the transactions of `epoch` and later make
	 * their first access after who looks can see that they must be waited for. */
	port_word_store(port, member_offset(port, host) + OLDEST_EPOCH, epoch, memory_order_release);
	full_fence();
}

uint64_t member_oldest(const struct cxl_port *port, unsigned host)
{
	/* [member.oldest] Acquire; pairs with member_publish_oldest(). */
	return port_word_load(port, member_offset(port, host) + OLDEST_EPOCH, memory_order_acquire);
}

uint64_t member_pod_oldest(const struct cxl_port *port)
{
	/* [member.oldest] What the caller has made unreachable was so before it looks at any host: a host whose word it
	 * sees too early comes after that and cannot find it. The epoch is read before the hosts: a host that
	 * joins behind the scan begins in this epoch or a later one. */
	full_fence();
	uint64_t oldest = epoch_load(port);
	for (unsigned host = 0; host < port->geometry->host_count; host++) {
		if (!state_is_member(member_state(port, host, NULL)))
			continue;
		uint64_t epoch = member_oldest(port, host);
		if (epoch < oldest)
			oldest = epoch;
	}
	return oldest;
}

void partition_place(struct cxl_port *port, uint32_t partition, unsigned host)
{
	assert(partition < port->geometry->partition_count && host < port->geometry->host_count);
	port->counts.word_writes++;
	/* [partition.place] Release; pairs with the acquire in partition_owner(). */
	port_word_store(port, POD_PARTITIONS_OFFSET + (pod_off)partition * 8, host, memory_order_release);
}
