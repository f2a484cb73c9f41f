/* member.c: which hosts are in the pod, what each still needs, and which partitions each owns.
 *
 *   state     free -> joining -> live -> leaving -> left -> joining (next incarnation) ...
 *             joining, live, leaving -> recovering -> dead -> joining (next incarnation) ...
 *             recovering -> recovering, when the recoverer died: by another
 *             left, dead -> recovering -> dead, while another host adopts its partitions
 *   all steps are CAS: to joining by who joins; to recovering and dead by a survivor; all others by the member itself,
 *   which thereby learns that it was declared dead
 *
 * Crash: a host that dies in any state but free, left and dead stays a member in that state, with its pid, and holds back
 * member_pod_oldest(): nothing that it may remember is reused until it has been recovered. A recoverer that dies leaves
 * `recovering` with its id: whoever recovers the recoverer begins anew with what it was about.
 *
 * Who took an id and died before it said which process it is. Nobody can tell it from one that is slow, and nobody has to:
 *   - The words that say it (process, machine, birth, emulation) carry the incarnation that they are of, in their upper half. A
 *     joiner changes each by CAS, and only from an earlier incarnation's (say()). The pid comes last. Until then it is
 *     `nameless`: it holds nothing, and has changed no other word but its state.
 *   - Who finds one that stays nameless for a lease shuts it out: it says the pid in its place, that of nobody. One of the two
 *     CAS wins. If it is the joiner's, the joiner has its name, and is judged by its process like any other member. If it is
 *     NOBODY, the joiner's next step fails, now or in years, for no word ever goes back to an earlier incarnation; it gives
 *     up and touches nothing more. So it counts as gone, and is recovered as who died while joining is.
 *   - The lease is only patience: a joiner that was merely slow loses its attempt by it, and nothing else.
 *   - What a slow joiner says before it notices does no harm to who joins next: that one finds words of an earlier
 *     incarnation still, and says its own over them.
 * Crash: all these words lie in one line, which falls back as a whole; a NOBODY that is lost with who wrote it leaves a
 * nameless joiner, as before. A recoverer that says NOBODY and dies before its claim leaves one that counts as gone.
 */
#include "cxl/pod.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

#include "cxl/mutant.h"
#include "cxl/process.h"
#include "cxl/region.h"

static_assert(POD_MEMBERS_OFFSET + LG_MAX_HOSTS * sizeof(struct pod_member) <= POD_DOORBELLS_OFFSET &&
                      POD_DOORBELLS_OFFSET + LG_MAX_HOSTS * sizeof(struct pod_doorbell) <= POD_PARTITIONS_OFFSET &&
                      POD_PARTITIONS_OFFSET + LG_MAX_PARTITIONS * 8 <= POD_OWNERS_OFFSET,
        "the fixed tables of HWcc do not overlap");

/* The state word: state, 1 + who recovers it, how often it was claimed (modulo 256: no claim looks like another's), incarnation. */
enum { STATE_BITS = 8, RECOVERER_SHIFT = 8, CLAIMS_SHIFT = 16, INCARNATION_SHIFT = 24 };

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
	MACHINE = offsetof(struct pod_member, machine),
	MACHINE_HIGH = offsetof(struct pod_member, machine_high),
	BIRTH = offsetof(struct pod_member, birth),
	OLDEST_EPOCH = offsetof(struct pod_member, oldest_epoch),
};

static enum lg_member_state state_of(uint64_t word)
{
	uint64_t state = word & ((1u << STATE_BITS) - 1);
	/* A state that no version of ours writes counts as live: it is never joined over, and holds reuse back. */
	return state <= LG_MEMBER_DEAD ? (enum lg_member_state)state : LG_MEMBER_LIVE;
}

static bool state_is_member(enum lg_member_state state)
{
	return state != LG_MEMBER_FREE && state != LG_MEMBER_LEFT && state != LG_MEMBER_DEAD;
}

/* ---- Which process it is ---- */

/* The pid of a joiner that was shut out. */
#define NOBODY UINT32_MAX

static uint64_t tagged(uint64_t incarnation, uint64_t value)
{
	return (uint64_t)(uint32_t)incarnation << 32 | (uint32_t)value;
}

/* Whether the word says something of this incarnation, and what: its lower half. */
static bool said(const struct cxl_port *port, pod_off word, uint64_t incarnation, memory_order order, uint32_t *value)
{
	uint64_t seen = port_word_load(port, word, order);
	*value = (uint32_t)seen;
	return (uint32_t)(seen >> 32) == (uint32_t)incarnation;
}

/* False: it is said already, for this incarnation or a later one. */
static bool say(struct cxl_port *port, pod_off word, uint64_t incarnation, uint64_t value)
{
	uint64_t seen = port_word_load(port, word, memory_order_relaxed); /* relaxed: the swap below is what counts */
	port->counts.word_writes++;
	do {
		/* Modulo 2^32: a joiner that sleeps through two thousand million others is not looked for. */
		if ((int32_t)((uint32_t)incarnation - (uint32_t)(seen >> 32)) <= 0)
			return false;
		/* [member.said] Release, of the pid: pairs with member_process(). [member.emulation] seq_cst, of that. */
	} while (!port_word_swap(port, word, &seen, tagged(incarnation, value), memory_order_seq_cst));
	return true;
}

static uint32_t short_emulation(uint64_t emulation)
{
	return (uint32_t)(emulation ^ emulation >> 32);
}

static bool say_all(struct cxl_port *port, pod_off member, uint64_t incarnation, uint64_t emulation)
{
	uint64_t machine = machine_identity();
	/* The emulation: [member.emulation]; pairs with check_emulation() in who joins at the same time. */
	return say(port, member + EMULATION, incarnation, short_emulation(emulation)) &&
	       say(port, member + MACHINE, incarnation, machine) &&
	       say(port, member + MACHINE_HIGH, incarnation, machine >> 32) &&
	       say(port, member + BIRTH, incarnation, process_birth(getpid())) &&
	       say(port, member + PID, incarnation, (uint64_t)getpid());
}

bool member_nameless(const struct cxl_port *port, unsigned host, uint64_t seen)
{
	uint32_t pid;
	/* Relaxed: member_shut_out() decides. */
	return state_of(seen) == LG_MEMBER_JOINING &&
	       !said(port, member_offset(port, host) + PID, seen >> INCARNATION_SHIFT, memory_order_relaxed, &pid);
}

bool member_shut_out(struct cxl_port *port, unsigned host, uint64_t seen)
{
	pod_off member = member_offset(port, host);
	if (!say(port, member + PID, seen >> INCARNATION_SHIFT, NOBODY))
		return false;
	port_write_back(port, member);
	port_fence(port);
	return true;
}

static int refuse_join(const struct cxl_port *port, unsigned host, struct lg_error *err)
{
	pid_t pid = (pid_t)member_pid(port, host);
	if (pid == 0)
		return error_set(err, LG_INUSE,
		        "cannot join the pod as host %u: another process is just joining or leaving as that host; "
		        "choose "
		        "another host id, or try again",
		        host);
	if (member_alive(port, host))
		return error_set(err, LG_INUSE,
		        "cannot join the pod as host %u: process %d is that host (heartbeat %" PRIu64
		        "); choose another host id, or end that process",
		        host, (int)pid, member_heartbeat(port, host));
	return error_set(err, LG_INUSE,
	        "cannot join the pod as host %u: this machine has no process %d, which was that host (heartbeat "
	        "%" PRIu64
	        "), so it runs on another machine, or died there: then choose another host id, or have its machine's "
	        "hosts fenced",
	        host, (int)pid, member_heartbeat(port, host));
}

bool member_of_other_emulation(const struct cxl_port *port, unsigned self, uint64_t emulation, unsigned *which)
{
	for (unsigned other = 0; other < port->geometry->host_count; other++) {
		pod_off member = member_offset(port, other);
		uint32_t its;
		/* seq_cst both: [member.emulation] */
		uint64_t state = port_word_load(port, member + STATE, memory_order_seq_cst);
		if (other == self || !state_is_member(state_of(state)))
			continue;
		/* Who has not said yet which it is will look at ours when it has. */
		if (said(port, member + EMULATION, state >> INCARNATION_SHIFT, memory_order_seq_cst, &its) &&
		        its != short_emulation(emulation)) {
			*which = other;
			return true;
		}
	}
	return false;
}

/* Whether all members run under the same emulation as this one, which has written its own: of two that join at a time, one at
 * least sees the other. */
static int check_emulation(struct cxl_port *port, unsigned host, uint64_t emulation, struct lg_error *err)
{
	unsigned other;
	if (!member_of_other_emulation(port, host, emulation, &other))
		return LG_OK;
	return error_set(err, LG_MISMATCH,
	        "cannot join the pod as host %u: host %u runs under another emulation (--emulate, "
	        "lg_host_config.emulate), which all hosts of a pod must share",
	        host, other);
}

int member_join(struct cxl_port *port, unsigned host, uint64_t emulation, uint64_t *incarnation, struct lg_error *err)
{
	if (host >= port->geometry->host_count)
		return error_set(err, LG_INVALID, "host id %u is out of range: this pod has the hosts 0 to %u", host,
		        port->geometry->host_count - 1);
	pod_off member = member_offset(port, host);
	/* [member.state] Acquire; pairs with member_set_state(): the last holder's words are left in order. */
	uint64_t seen = port_word_load(port, member + STATE, memory_order_acquire);
	uint64_t next = (seen >> INCARNATION_SHIFT) + 1;
	port->counts.word_writes += 2;
	/* seq_cst: [pod.unmake], see below. */
	if (state_is_member(state_of(seen)) ||
	        !port_word_swap(port, member + STATE, &seen, next << INCARNATION_SHIFT | LG_MEMBER_JOINING,
	                memory_order_seq_cst))
		return refuse_join(port, host, err);
	if (!say_all(port, member, next, emulation))
		return error_set(err, LG_INUSE,
		        "cannot join the pod as host %u: this process stood still for so long while it joined that the "
		        "others took it for dead; try again",
		        host);
	port_word_rmw(port, member + HEARTBEAT, EMU_ADD, 1, memory_order_relaxed);
	member_publish_oldest(port, host, epoch_load(port));
	/* The loss rule: who died as a member must be seen to have been one, or nobody frees what it held. */
	if (!MUTANT(WRITE_BACK_MEMBER))
		port_write_back(port, member);
	port_fence(port);
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

bool member_set_state(struct cxl_port *port, unsigned host, enum lg_member_state state)
{
	pod_off member = member_offset(port, host);
	/* Relaxed: only the member itself changes these words now, or the swap below fails. */
	uint64_t seen = port_word_load(port, member + STATE, memory_order_relaxed);
	if (state_of(seen) == LG_MEMBER_RECOVERING || state_of(seen) == LG_MEMBER_DEAD)
		return false;
	port->counts.word_writes++;
	if (!state_is_member(state)) {
		port->counts.word_writes++;
		port_word_store(port, member + OLDEST_EPOCH, UINT64_MAX, memory_order_relaxed);
	}
	/* [member.state] Release; pairs with member_join() and member_state(). Orders: what the state promises before it. */
	bool done = port_word_swap(port, member + STATE, &seen,
	        (seen >> INCARNATION_SHIFT) << INCARNATION_SHIFT | (uint64_t)state, memory_order_acq_rel);
	port_write_back(port, member);
	port_fence(port);
	return done;
}

enum lg_member_state member_state(const struct cxl_port *port, unsigned host, uint64_t *incarnation)
{
	/* [member.state] Acquire; pairs with member_set_state(): a live host has made its tables and channels ready. */
	uint64_t seen = port_word_load(port, member_offset(port, host) + STATE, memory_order_acquire);
	if (incarnation)
		*incarnation = seen >> INCARNATION_SHIFT;
	return state_of(seen);
}

void member_beat(struct cxl_port *port, unsigned host)
{
	pod_off member = member_offset(port, host);
	port->counts.word_writes++;
	/* Relaxed: only its change is looked at. Written by the member's service thread, and by who is at something long: when two
	 * beat at once, one beat is lost, and no read-modify-write is needed. */
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
	pod_off member = member_offset(port, host);
	uint32_t pid;
	/* Relaxed, both: for people, and for who looks at the state word by itself. */
	uint64_t state = port_word_load(port, member + STATE, memory_order_relaxed);
	bool known = state_is_member(state_of(state)) &&
	             said(port, member + PID, state >> INCARNATION_SHIFT, memory_order_relaxed, &pid) && pid != NOBODY;
	return known ? (int32_t)pid : 0;
}

bool member_alive(const struct cxl_port *port, unsigned host)
{
	/* seq_cst: [pod.unmake], see member_join(). */
	uint64_t seen = port_word_load(port, member_offset(port, host) + STATE, memory_order_seq_cst);
	if (!state_is_member(state_of(seen)))
		return false;
	pid_t pid = (pid_t)member_pid(port, host);
	/* A pid of 0: it is about to write it, or died in between; who joins or watches finds out. Never kill() a whole group. */
	return pid <= 0 || kill(pid, 0) == 0 || errno != ESRCH;
}

enum member_process member_process(const struct cxl_port *port, unsigned host)
{
	pod_off member = member_offset(port, host);
	uint64_t incarnation = member_state_word(port, host) >> INCARNATION_SHIFT, here = machine_identity();
	uint32_t word, machine, machine_high, birth;
	/* [member.said] Acquire; pairs with say(): the others come before it. */
	if (!said(port, member + PID, incarnation, memory_order_acquire, &word))
		return MEMBER_ELSEWHERE;
	if (word == NOBODY)
		return MEMBER_GONE;
	/* Relaxed: after the pid. If one is of another incarnation, so is the state word by now. */
	if (!said(port, member + MACHINE, incarnation, memory_order_relaxed, &machine) ||
	        !said(port, member + MACHINE_HIGH, incarnation, memory_order_relaxed, &machine_high) ||
	        !said(port, member + BIRTH, incarnation, memory_order_relaxed, &birth))
		return MEMBER_ELSEWHERE;
	pid_t pid = (pid_t)word;
	if (pid <= 0 || here == 0 || here != ((uint64_t)machine_high << 32 | machine))
		return MEMBER_ELSEWHERE;
	if (process_gone(pid, birth))
		return MEMBER_GONE;
	return pid == getpid() ? MEMBER_RUNS_HERE : MEMBER_RUNS;
}

/* 0: it has not said on which machine it is. */
static uint64_t machine_of(const struct cxl_port *port, unsigned host)
{
	pod_off member = member_offset(port, host);
	uint64_t incarnation = member_state_word(port, host) >> INCARNATION_SHIFT;
	uint32_t low, high;
	/* Relaxed, both: for a number that nothing rests on. */
	if (!said(port, member + MACHINE, incarnation, memory_order_relaxed, &low) ||
	        !said(port, member + MACHINE_HIGH, incarnation, memory_order_relaxed, &high))
		return 0;
	return (uint64_t)high << 32 | low;
}

unsigned member_neighbours(const struct cxl_port *port, unsigned self)
{
	uint64_t here = machine_of(port, self);
	unsigned count = 1;
	for (unsigned host = 0; host < port->geometry->host_count && here != 0; host++) {
		enum lg_member_state state = member_state(port, host, NULL);
		bool runs = state == LG_MEMBER_LIVE || state == LG_MEMBER_JOINING || state == LG_MEMBER_LEAVING;
		count += host != self && runs && machine_of(port, host) == here;
	}
	return count;
}

void member_kill(const struct cxl_port *port, unsigned host)
{
	if (member_process(port, host) == MEMBER_RUNS)
		process_kill(member_pid(port, host), (uint32_t)port_word_load(port, member_offset(port, host) + BIRTH,
		                                             memory_order_relaxed)); /* as above */
}

uint64_t member_state_word(const struct cxl_port *port, unsigned host)
{
	/* [member.state] Acquire; pairs with member_set_state(). */
	return port_word_load(port, member_offset(port, host) + STATE, memory_order_acquire);
}

static bool claim_state(struct cxl_port *port, unsigned host, uint64_t seen, unsigned by, uint64_t *claim)
{
	pod_off member = member_offset(port, host);
	port->counts.word_writes++;
	*claim = (seen >> INCARNATION_SHIFT) << INCARNATION_SHIFT |
	         (((seen >> CLAIMS_SHIFT) + 1) & 0xff) << CLAIMS_SHIFT | (uint64_t)(by + 1) << RECOVERER_SHIFT |
	         LG_MEMBER_RECOVERING;
	/* [member.claim] acq_rel; pairs with itself in another recoverer: what the one before has done is seen. */
	if (!port_word_swap(port, member + STATE, &seen, *claim, memory_order_acq_rel))
		return false;
	if (by == host) {
		/* Who recovers its own id stands in for it: if it dies in that, its process is what the others look at. */
		uint64_t life = seen >> INCARNATION_SHIFT, machine = machine_identity();
		port->counts.word_writes += 4;
		port_word_store(port, member + MACHINE, tagged(life, machine), memory_order_relaxed);
		port_word_store(port, member + MACHINE_HIGH, tagged(life, machine >> 32), memory_order_relaxed);
		port_word_store(port, member + BIRTH, tagged(life, process_birth(getpid())), memory_order_relaxed);
		/* [member.said] Release; pairs with member_process(). */
		port_word_store(port, member + PID, tagged(life, (uint64_t)getpid()), memory_order_release);
	}
	port_write_back(port, member);
	port_fence(port);
	return true;
}

bool member_claim(struct cxl_port *port, unsigned host, uint64_t seen, unsigned by, uint64_t *claim)
{
	return state_is_member(state_of(seen)) && claim_state(port, host, seen, by, claim);
}

bool member_claim_gone(struct cxl_port *port, unsigned host, uint64_t seen, unsigned by, uint64_t *claim)
{
	return (state_of(seen) == LG_MEMBER_DEAD || state_of(seen) == LG_MEMBER_LEFT) &&
	       claim_state(port, host, seen, by, claim);
}

unsigned member_recoverer(const struct cxl_port *port, unsigned host)
{
	uint64_t seen = member_state_word(port, host);
	unsigned by = (unsigned)(seen >> RECOVERER_SHIFT & 0xff);
	return state_of(seen) == LG_MEMBER_RECOVERING && by >= 1 && by <= port->geometry->host_count
	               ? by - 1
	               : port->geometry->host_count;
}

bool member_recovered(struct cxl_port *port, unsigned host, uint64_t claim)
{
	pod_off member = member_offset(port, host);
	if (member_state_word(port, host) != claim)
		return false;
	port->counts.word_writes += 2;
	/* Relaxed: a recoverer that takes over does the same; the state comes last. */
	port_word_store(port, member + OLDEST_EPOCH, UINT64_MAX, memory_order_relaxed);
	/* [member.state] Release; pairs with member_join(), member_state(): all that the dead host held is free. */
	bool done = port_word_swap(port, member + STATE, &claim,
	        (claim >> INCARNATION_SHIFT) << INCARNATION_SHIFT | LG_MEMBER_DEAD, memory_order_acq_rel);
	port_write_back(port, member);
	port_fence(port);
	return done;
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

static pod_off log_word_offset(const struct cxl_port *port, unsigned host, enum member_log_word which)
{
	static const size_t offsets[] = {offsetof(struct pod_member, log_epoch),
	        offsetof(struct pod_member, sealed_epoch), offsetof(struct pod_member, checkpoint_epoch),
	        offsetof(struct pod_member, adopter)};
	return member_offset(port, host) + offsets[which];
}

uint64_t member_log_word(const struct cxl_port *port, unsigned host, enum member_log_word which)
{
	/* [member.log] seq_cst; pairs with member_set_log_word(). */
	return port_word_load(port, log_word_offset(port, host, which), memory_order_seq_cst);
}

void member_set_log_word(struct cxl_port *port, unsigned host, enum member_log_word which, uint64_t epoch)
{
	pod_off word = log_word_offset(port, host, which);
	port->counts.word_writes++;
	/* [member.log] seq_cst: who joins stores that it is waited for, then loads the epoch that it answers for. */
	port_word_store(port, word, epoch, memory_order_seq_cst);
	port_write_back(port, word);
	port_fence(port);
}

uint64_t member_pod_durable(const struct cxl_port *port)
{
	/* [member.log] Twice: if a host is not waited for in the second pass, whatever the first pass has seen of the others was stored
	 * before that host joined, and so is of an epoch that had ended by then, which it answers for. */
	uint64_t least = UINT64_MAX;
	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned host = 0; host < port->geometry->host_count; host++) {
			uint64_t epoch = member_log_word(port, host, MEMBER_LOG_EPOCH);
			/* A zombie may have stored into it after it was recovered. */
			if (state_is_member(member_state(port, host, NULL)))
				least = epoch < least ? epoch : least;
		}
	return least;
}

uint64_t member_pod_sealed(const struct cxl_port *port)
{
	uint64_t greatest = 0;
	for (unsigned host = 0; host < port->geometry->host_count; host++) {
		uint64_t epoch = member_log_word(port, host, MEMBER_SEALED_EPOCH);
		greatest = epoch > greatest ? epoch : greatest;
	}
	return greatest;
}

void member_restore(struct cxl_port *port, unsigned host, uint64_t incarnation)
{
	/* Relaxed: nobody knows of the region yet. */
	port_word_store(port, member_offset(port, host) + STATE,
	        incarnation << INCARNATION_SHIFT | (incarnation ? LG_MEMBER_LEFT : LG_MEMBER_FREE),
	        memory_order_relaxed);
	static const pod_off tags[] = {PID, EMULATION, MACHINE, MACHINE_HIGH, BIRTH};
	for (unsigned i = 0; i < sizeof tags / sizeof *tags; i++)
		port_word_store(
		        port, member_offset(port, host) + tags[i], tagged(incarnation, 0), memory_order_relaxed);
}

void partition_place(struct cxl_port *port, uint32_t partition, unsigned host)
{
	assert(partition < port->geometry->partition_count && host < port->geometry->host_count);
	port->counts.word_writes++;
	/* [partition.place] Release; pairs with the acquire in partition_owner(). */
	port_word_store(port, POD_PARTITIONS_OFFSET + (pod_off)partition * 8, host, memory_order_release);
	port_write_back(port, POD_PARTITIONS_OFFSET + (pod_off)partition * 8);
	port_fence(port);
}
