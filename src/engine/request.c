/* request.c: requests of this host's workers to other hosts.
 *
 * A worker has one request under way at most; its number says which slot waits for the reply. A host takes a request out
 * of its lane only when there is room for the answer in the other direction's lane of replies, and takes replies always:
 * so replies always drain, then requests do, and no two hosts can wait for each other's channel space for ever.
 */
#include "engine/request.h"

#include <sched.h>
#include <time.h>

enum {
	WAIT_SPINS = 2000, /* about 20 to 80 us of pauses before a waiter gives its CPU away */
	WAIT_SLEEP_NS = 50000,
	WAIT_POLL_MASK = 7,
};

uint64_t clock_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t worker_wait(struct lg_worker *w, struct wait *wait)
{
	worker_poll(w);
	__builtin_ia32_pause();
	if (++wait->turns == 32)
		wait->began_ns = clock_ns();
	if (wait->turns < 32 || (wait->turns & WAIT_POLL_MASK))
		return 0;
	if (wait->turns > WAIT_SPINS) {
		struct timespec nap = {0, WAIT_SLEEP_NS};
		nanosleep(&nap, NULL); /* interrupted or not: the caller looks again */
	}
	return clock_ns() - wait->began_ns;
}

void spin_take(_Atomic bool *lock)
{
	for (unsigned turns = 1; !spin_try(lock); turns++) {
		__builtin_ia32_pause();
		if (turns % 1024 == 0) {
			struct timespec nap = {0, WAIT_SLEEP_NS};
			nanosleep(&nap, NULL);
		}
	}
}

bool peer_connect(struct lg_worker *w, unsigned id)
{
	struct lg_host *host = w->host;
	struct peer *peer = &host->peers[id];
	uint64_t incarnation;
	if (id == host->id || member_state(&w->port, id, &incarnation) != LG_MEMBER_LIVE)
		return false;
	if (atomic_load_explicit(&peer->incarnation, memory_order_acquire) == incarnation)
		return true;
	/* Both directions anew: the mover lock keeps the receiver out, the send lock the senders. */
	spin_take(&peer->send_lock);
	if (atomic_load_explicit(&peer->incarnation, memory_order_relaxed) != incarnation) {
		uint64_t generation = incarnation + host->incarnation;
		for (unsigned lane = 0; lane < CHANNEL_LANES; lane++)
			channel_end_init(&peer->send[lane], host->geometry, host->id, id, lane, generation);
		atomic_store_explicit(&peer->generation, generation, memory_order_relaxed);
		atomic_store_explicit(&peer->incarnation, incarnation, memory_order_release);
	}
	spin_drop(&peer->send_lock);
	return true;
}

/* Puts the request into the channel; false when there is no room now. */
static bool try_send(struct lg_worker *w, unsigned owner, const struct message_head *request)
{
	struct peer *peer = &w->host->peers[owner];
	bool sent = false;
	spin_take(&peer->send_lock);
	if (channel_has_room(&w->port, &peer->send[LANE_REQUESTS], message_lines(request->bytes))) {
		channel_send(&w->port, &peer->send[LANE_REQUESTS], request);
		sent = true;
	}
	spin_drop(&peer->send_lock);
	if (sent)
		doorbell_ring(&w->port, owner, w->host_id);
	return sent;
}

static int wait_for_reply(struct lg_worker *w, unsigned owner, uint32_t number, uint64_t timeout_ns)
{
	struct wait wait = {0};
	uint64_t incarnation;
	/* [mailbox.reply] Acquire; pairs with deliver() in serve.c: the reply is there. */
	while (atomic_load_explicit(&w->mailbox.waiting, memory_order_acquire) == number) {
		uint64_t waited = worker_wait(w, &wait);
		if (waited == 0)
			continue;
		if (waited <= timeout_ns && member_state(&w->port, owner, &incarnation) == LG_MEMBER_LIVE)
			continue;
		/* Give up, unless the reply is just coming in. */
		uint32_t expected = number;
		if (atomic_compare_exchange_strong(&w->mailbox.waiting, &expected, 0))
			return LG_UNAVAILABLE;
		while (atomic_load_explicit(&w->mailbox.waiting, memory_order_acquire) != 0)
			__builtin_ia32_pause();
	}
	while (atomic_load_explicit(&w->mailbox.waiting, memory_order_acquire) != 0)
		__builtin_ia32_pause(); /* it is being copied */
	return LG_OK;
}

int request_ask(struct lg_worker *w, unsigned owner, struct message_head *request, uint32_t request_bytes,
        enum message_type type, const void **reply, uint32_t reply_bytes)
{
	uint64_t timeout_ns = (uint64_t)w->host->config.request_timeout_ms * 1000000u;
	w->next_request = (w->next_request + 1) & 0xffffff;
	uint32_t number = (w->next_request ? w->next_request : (w->next_request = 1)) | (uint32_t)w->slot << 24;
	*request = (struct message_head){(uint16_t)request_bytes, (uint8_t)type, 0, number};
	atomic_store_explicit(&w->mailbox.waiting, number, memory_order_release);
	struct wait wait = {0};
	for (;;) {
		if (!peer_connect(w, owner))
			break;
		if (try_send(w, owner, request)) {
			w->counts.requests_sent++;
			if (wait_for_reply(w, owner, number, timeout_ns) != LG_OK)
				break;
			const struct message_head *head = (const void *)w->mailbox.message;
			*reply = head;
			return head->bytes >= reply_bytes ? LG_OK : LG_CORRUPT;
		}
		if (worker_wait(w, &wait) > timeout_ns)
			break;
	}
	atomic_store_explicit(&w->mailbox.waiting, 0, memory_order_relaxed);
	return LG_UNAVAILABLE;
}
