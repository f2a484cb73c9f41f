/* extent.c: claiming and giving back extents of SWcc and blocks of words in HWcc. The rule stands in extent.h. */
#include "cxl/extent.h"

#include "cxl/word.h"

enum { OWNER_HOST_SHIFT = 56 };
#define OWNER_HOST (UINT64_C(63) << OWNER_HOST_SHIFT)

static uint64_t owner_count(const struct cxl_port *port, enum claim_kind kind)
{
	return kind == CLAIM_EXTENT ? port->geometry->extent_count : port->geometry->block_count;
}

static pod_off owner_offset(const struct cxl_port *port, enum claim_kind kind, uint64_t index)
{
	pod_off table =
	        kind == CLAIM_EXTENT ? port->geometry->extent_owners_offset : port->geometry->block_owners_offset;
	assert(index < owner_count(port, kind));
	return table + index * 8;
}

/* Nobody in the pod runs a transaction of the floor's epoch or an older one any more. */
static bool floor_forgotten(uint64_t floor, uint64_t pod_oldest)
{
	return floor == 0 || pod_oldest > version_epoch(floor);
}

bool claim_take(struct cxl_port *port, enum claim_kind kind, unsigned host, uint64_t pod_oldest, uint64_t *hint,
        uint64_t *index, uint64_t *floor, bool *waiting)
{
	uint64_t count = owner_count(port, kind);
	uint64_t at = *hint < count ? *hint : 0;
	*waiting = false;
	for (uint64_t looked = 0; looked < count; looked++, at = at + 1 < count ? at + 1 : 0) {
		pod_off word = owner_offset(port, kind, at);
		/* Relaxed: the CAS decides, and acquires. */
		uint64_t seen = port_word_load(port, word, memory_order_relaxed);
		if (seen & OWNER_TAKEN)
			continue;
		if (!floor_forgotten(seen & WORD_VERSION, pod_oldest)) {
			*waiting = true;
			continue;
		}
		uint64_t mine = OWNER_TAKEN | (uint64_t)host << OWNER_HOST_SHIFT | (seen & WORD_VERSION);
		port->counts.word_writes++;
		/* [claim.give] Acquire; pairs with claim_give(): the former owner's last writes come first. Relaxed on
		 * failure: another has it, look further. */
		if (!port_word_swap(port, word, &seen, mine, memory_order_acq_rel))
			continue;
		/* The loss rule: were the claim to fall back, another host would take what this one has written to. */
		if (!MUTANT(WRITE_BACK_CLAIM))
			port_write_back(port, word);
		port_fence(port);
		CRASH_POINT(AFTER_CLAIM);
		*index = at;
		*floor = mine & WORD_VERSION;
		*hint = at + 1;
		return true;
	}
	return false;
}

void claim_give(struct cxl_port *port, enum claim_kind kind, uint64_t index, uint64_t floor)
{
	pod_off word = owner_offset(port, kind, index);
	/* Relaxed: only its owner changes it now. A floor never sinks, so what was claimed and not used keeps its own. */
	uint64_t seen = port_word_load(port, word, memory_order_relaxed);
	assert(seen & OWNER_TAKEN);
	assert(floor <= WORD_VERSION);
	uint64_t before = seen & WORD_VERSION;
	port->counts.word_writes++;
	/* [claim.give] Release; pairs with the acquire in claim_take(). Orders: all use of the space before it is free. */
	port_word_store(port, word, floor > before ? floor : before, memory_order_release);
}

unsigned claim_owner(const struct cxl_port *port, enum claim_kind kind, uint64_t index)
{
	/* Relaxed: it may change at any time but for owners that are dead or this host. */
	uint64_t seen = port_word_load(port, owner_offset(port, kind, index), memory_order_relaxed);
	unsigned host = (unsigned)((seen & OWNER_HOST) >> OWNER_HOST_SHIFT);
	return (seen & OWNER_TAKEN) && host < port->geometry->host_count ? host : port->geometry->host_count;
}

static uint64_t count_matching(const struct cxl_port *port, enum claim_kind kind, uint64_t mask, uint64_t value)
{
	uint64_t count = owner_count(port, kind), matching = 0;
	for (uint64_t i = 0; i < count; i++) /* Relaxed: a count of words that may change meanwhile. */
		matching += (port_word_load(port, owner_offset(port, kind, i), memory_order_relaxed) & mask) == value;
	return matching;
}

uint64_t claim_count_free(const struct cxl_port *port, enum claim_kind kind)
{
	return count_matching(port, kind, OWNER_TAKEN, 0);
}

uint64_t claim_count_owned(const struct cxl_port *port, enum claim_kind kind, unsigned host)
{
	return count_matching(port, kind, OWNER_TAKEN | OWNER_HOST, OWNER_TAKEN | (uint64_t)host << OWNER_HOST_SHIFT);
}
