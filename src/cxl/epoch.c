/* epoch.c: the pod's epoch, and the priority that lets a transaction which has lost many times win.
 *
 * Crash: the epoch is one word that any live host may tick, so a dead ticker stops nobody; under the loss rule it may
 * fall back by what nobody has read. A priority whose holder died expires after PRIORITY_EPOCHS.
 */
#include "cxl/pod.h"

enum {
	EPOCH_OFFSET = POD_CLOCK_OFFSET + offsetof(struct pod_clock, epoch),
	PRIORITY_OFFSET = POD_CLOCK_OFFSET + offsetof(struct pod_clock, priority),
};

void epoch_tick(struct cxl_port *port, uint64_t seen)
{
	port->counts.word_writes++;
	/* [epoch.tick] Release half; pairs with the acquire in epoch_load(). Relaxed on failure: then somebody else has
	 * ticked, and nothing is read because of what was seen. */
	port_word_swap(port, EPOCH_OFFSET, &seen, seen + 1, memory_order_acq_rel);
}

void epoch_reach(struct cxl_port *port, uint64_t wanted)
{
	for (uint64_t now = epoch_load(port); now < wanted; now = epoch_load(port))
		epoch_tick(port, now);
}

bool priority_take(struct cxl_port *port, uint64_t id)
{
	uint64_t seen = priority_load(port);
	if (seen == id)
		return true;
	if (seen != 0 && !priority_expired(seen, epoch_load(port)))
		return false;
	port->counts.word_writes++;
	/* Relaxed: a hint, as in priority_load(); rows are protected by their words alone. */
	return port_word_swap(port, PRIORITY_OFFSET, &seen, id, memory_order_relaxed);
}

bool priority_renew(struct cxl_port *port, uint64_t held, uint64_t id)
{
	if (held == id)
		return priority_load(port) == id;
	port->counts.word_writes++;
	/* Relaxed: as above. */
	return port_word_swap(port, PRIORITY_OFFSET, &held, id, memory_order_relaxed);
}

void priority_drop(struct cxl_port *port, uint64_t id)
{
	port->counts.word_writes++;
	/* Relaxed: as above. If it fails, it had expired and is another's now. */
	port_word_swap(port, PRIORITY_OFFSET, &id, 0, memory_order_relaxed);
}
