/* gate.c: the slow halves of the gate (gate.h): a lock, a queue, and turns that change hands. */
#include "engine/gate.h"

#include <assert.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "engine/host.h"

enum {
	TURN_NS = 1000000,   /* some hundred small transactions; against it two switches of threads are nothing */
	STALL_NS = 20000000, /* no attempt of the host has ended for so long: longer than any but a huge one takes */
};

void gate_init(struct gate *gate, uint32_t bound)
{
	int failed = pthread_mutex_init(&gate->lock, NULL);
	assert(!failed);
	(void)failed;
	gate->shared = bound == 0;
	gate->bound = bound ? bound : LG_MAX_WORKERS;
	gate->last = &gate->first;
}

void gate_destroy(struct gate *gate)
{
	assert(!gate->first);
	pthread_mutex_destroy(&gate->lock);
}

static void gate_lock(struct gate *gate)
{
	int failed = pthread_mutex_lock(&gate->lock);
	assert(!failed);
	(void)failed;
}

static void gate_unlock(struct gate *gate)
{
	int failed = pthread_mutex_unlock(&gate->lock);
	assert(!failed);
	(void)failed;
}

/* Relaxed, here and in host.h: a turn guards no data, only how many have one, which is counted under the lock. */
static uint32_t turn_of(const struct lg_worker *w)
{
	return atomic_load_explicit(&w->turn.state, memory_order_relaxed);
}

static void set_turn(struct lg_worker *w, enum turn turn)
{
	atomic_store_explicit(&w->turn.state, turn, memory_order_relaxed);
}

static void set_due(struct gate *gate, uint32_t due)
{
	atomic_store_explicit(&gate->due, due, memory_order_relaxed);
}

static uint32_t too_many(const struct gate *gate)
{
	return gate->turns > gate->bound ? gate->turns - gate->bound : 0;
}

static void update_closed(struct gate *gate)
{
	atomic_store_explicit(&gate->closed, gate->workers > gate->bound, memory_order_relaxed);
}

static uint32_t cpu_share(unsigned hosts)
{
	cpu_set_t set;
	/* Of the main thread: the caller's own may be one that its program has pinned. */
	int usable = sched_getaffinity(getpid(), sizeof set, &set) == 0 ? CPU_COUNT(&set) : LG_MAX_WORKERS;
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	long share = online > (long)hosts ? online / (long)hosts : 1;
	return share < usable ? (uint32_t)share : (uint32_t)usable;
}

void gate_share(struct lg_worker *service)
{
	struct gate *gate = &service->host->gate;
	if (!gate->shared)
		return;
	uint32_t bound = cpu_share(member_neighbours(&service->port, service->host_id));
	gate_lock(gate);
	if (bound != gate->bound) {
		gate->bound = bound;
		update_closed(gate);
		set_due(gate, too_many(gate));
	}
	gate_unlock(gate);
}

void gate_join(struct lg_worker *w)
{
	struct gate *gate = &w->host->gate;
	gate_lock(gate);
	set_turn(w, TURN_NONE);
	gate->workers++;
	update_closed(gate);
	gate_unlock(gate);
}

void gate_quit(struct lg_worker *w)
{
	struct gate *gate = &w->host->gate;
	gate_lock(gate);
	if (turn_of(w) != TURN_NONE) {
		set_turn(w, TURN_NONE);
		gate->turns--;
	}
	gate->workers--;
	update_closed(gate);
	if (gate->first)
		pthread_cond_signal(&gate->first->called);
	gate_unlock(gate);
}

/* A turn that nobody has, or whose worker runs nothing just now. */
static bool take_turn(struct lg_worker *w)
{
	struct lg_host *host = w->host;
	struct gate *gate = &host->gate;
	if (gate->turns < gate->bound) {
		gate->turns++;
		return true;
	}
	for (unsigned i = 0; i < SERVICE_SLOT && gate->turns == gate->bound; i++) {
		/* Acquire; pairs with the release in worker_slot_open(). */
		struct lg_worker *other = atomic_load_explicit(&host->workers[i], memory_order_acquire);
		uint32_t idle = TURN_IDLE;
		if (other && atomic_compare_exchange_strong_explicit(
		                     &other->turn.state, &idle, TURN_NONE, memory_order_relaxed, memory_order_relaxed))
			return true;
	}
	return false;
}

static uint64_t attempts_ended(struct lg_host *host)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < SERVICE_SLOT; i++) {
		const struct lg_worker *w = atomic_load_explicit(&host->workers[i], memory_order_acquire);
		sum += w ? atomic_load_explicit(&w->turn.ended, memory_order_relaxed) : 0;
	}
	return sum;
}

static void leave_queue(struct gate *gate, struct lg_worker *w)
{
	struct gate_waiter *first = gate->first;
	gate->first = first->next;
	if (!gate->first)
		gate->last = &gate->first;
	gate->waiting--;
	set_turn(w, TURN_BUSY);
}

static void sleep_for_a_turn(struct gate *gate, struct gate_waiter *me)
{
	struct timespec end;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += TURN_NS;
	end.tv_sec += end.tv_nsec / 1000000000;
	end.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&me->called, &gate->lock, &end); /* whatever woke it: it looks again */
}

/* What the first of the queue does until it has a turn. */
static void wait_as_first(struct gate *gate, struct gate_waiter *me)
{
	struct lg_worker *w = me->worker;
	uint64_t ended = attempts_ended(w->host), since = clock_ns();
	for (;;) {
		bool closed = atomic_load_explicit(&gate->closed, memory_order_relaxed);
		uint64_t now = clock_ns(), ended_now = attempts_ended(w->host);
		if (ended_now != ended) {
			ended = ended_now;
			since = now;
		}
		bool in = take_turn(w);
		if (!in && (!closed || now - since >= STALL_NS)) {
			gate->turns++;
			w->counts.let_in += closed;
			in = true;
		}
		if (in) {
			leave_queue(gate, w);
			break;
		}
		sleep_for_a_turn(gate, me);
		if (turn_of(w) == TURN_BUSY)
			return;
		uint32_t wanted = gate->waiting < gate->bound ? gate->waiting : gate->bound;
		set_due(gate, too_many(gate) + wanted);
	}
	set_due(gate, too_many(gate));
}

static void waiter_init(struct gate_waiter *waiter, struct lg_worker *w)
{
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	*waiter = (struct gate_waiter){.worker = w};
	pthread_cond_init(&waiter->called, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

void gate_queue(struct lg_worker *w)
{
	struct gate *gate = &w->host->gate;
	struct gate_waiter me;
	if (host_forked(w->host)) /* the lock may be of a thread that is not here; lg_txn_begin() says so */
		return;
	gate_lock(gate);
	if (turn_of(w) == TURN_BUSY) { /* a body that runs another on its own worker: it is refused */
		gate_unlock(gate);
		return;
	}
	if (!gate->first && take_turn(w)) {
		set_turn(w, TURN_BUSY);
		gate_unlock(gate);
		return;
	}
	waiter_init(&me, w);
	w->counts.queued++;
	*gate->last = &me;
	gate->last = &me.next;
	gate->waiting++;
	while (turn_of(w) != TURN_BUSY) {
		if (gate->first == &me)
			wait_as_first(gate, &me);
		else
			pthread_cond_wait(&me.called, &gate->lock);
	}
	if (gate->first)
		pthread_cond_signal(&gate->first->called); /* it is the first now */
	gate_unlock(gate);
	pthread_cond_destroy(&me.called);
}

void gate_pass_on(struct lg_worker *w)
{
	struct gate *gate = &w->host->gate;
	if (host_forked(w->host))
		return;
	gate_lock(gate);
	uint32_t due = atomic_load_explicit(&gate->due, memory_order_relaxed);
	if (turn_of(w) != TURN_BUSY) {
		gate_unlock(gate); /* its worker is being closed by its body */
		return;
	}
	if (too_many(gate)) {
		gate->turns--;
		set_turn(w, TURN_NONE);
	} else if (gate->first && due) {
		struct gate_waiter *next = gate->first;
		leave_queue(gate, next->worker);
		set_turn(w, TURN_NONE);
		pthread_cond_signal(&next->called);
	} else {
		set_turn(w, TURN_IDLE);
	}
	set_due(gate, gate->first && due > 1 ? due - 1 : too_many(gate));
	gate_unlock(gate);
}
