/* ticket.c: the public calls about what is durable on disk. stream.h says what that means. */
#include <stdlib.h>
#include <time.h>

#include "engine/service.h"
#include "recovery/keeper.h"
#include "recovery/stream.h"

struct lg_ticket lg_last_ticket(const struct lg_worker *worker)
{
	/* In pods of lower durability a commit is as durable as it gets when it returns. */
	bool disk = worker->host->geometry->durability == LG_DURABILITY_DISK;
	return (struct lg_ticket){disk ? worker->ticket : 0, worker->host->geometry->life};
}

uint64_t lg_durable_epoch(const struct lg_host *host)
{
	/* Acquire: [stream.durable] */
	return host->stream ? atomic_load_explicit(&host->stream->durable, memory_order_acquire) : 0;
}

static enum lg_outcome outcome_of(const struct lg_host *host, struct lg_ticket ticket)
{
	const struct stream *s = host->stream;
	uint64_t epoch = ticket.epoch;
	if (epoch == 0 || !s)
		return LG_OUTCOME_DURABLE;
	if (epoch == UINT64_MAX)
		return LG_OUTCOME_ABORTED;
	if (ticket.life < host->geometry->life)
		return manifest_kept(&s->manifest, ticket.life, epoch) ? LG_OUTCOME_DURABLE : LG_OUTCOME_ABORTED;
	return epoch <= lg_durable_epoch(host) ? LG_OUTCOME_DURABLE : LG_OUTCOME_PENDING;
}

int lg_status(struct lg_host *host, struct lg_ticket ticket, enum lg_outcome *outcome)
{
	if (host_forked(host))
		return LG_FORKED;
	*outcome = outcome_of(host, ticket);
	if (*outcome == LG_OUTCOME_PENDING)
		stream_want(host, ticket.epoch); /* nobody may be sealing anything any more */
	return LG_OK;
}

static struct timespec after_ms(uint32_t timeout_ms)
{
	struct timespec end;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += timeout_ms / 1000;
	end.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000;
	}
	return end;
}

static bool is_over(const struct timespec *end)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > end->tv_sec || (now.tv_sec == end->tv_sec && now.tv_nsec >= end->tv_nsec);
}

static int wait_until(struct lg_host *host, uint64_t epoch, uint32_t timeout_ms)
{
	enum { LOOK_MS = 100 }; /* nobody may be left to tell */
	struct stream *s = host->stream;
	struct timespec end = after_ms(timeout_ms);
	int code = LG_OK;
	stream_want(host, epoch);
	pthread_mutex_lock(&s->lock);
	while (epoch > lg_durable_epoch(host)) {
		code = host_fenced(host) ? LG_FENCED : atomic_load_explicit(&s->failed, memory_order_acquire);
		if (code == LG_OK && is_over(&end))
			code = LG_UNAVAILABLE;
		if (code != LG_OK)
			break;
		struct timespec look = after_ms(LOOK_MS);
		pthread_cond_timedwait(&s->grown, &s->lock, &look);
	}
	pthread_mutex_unlock(&s->lock);
	return code;
}

int lg_wait(struct lg_host *host, struct lg_ticket ticket, uint32_t timeout_ms)
{
	if (host_forked(host))
		return LG_FORKED;
	switch (outcome_of(host, ticket)) {
	case LG_OUTCOME_DURABLE: return LG_OK;
	case LG_OUTCOME_ABORTED: return LG_CONFLICT;
	case LG_OUTCOME_PENDING: break;
	}
	return wait_until(host, ticket.epoch, timeout_ms);
}

int lg_notify(struct lg_host *host, struct lg_ticket ticket, void (*durable)(void *argument, int code), void *argument)
{
	if (host_forked(host))
		return LG_FORKED;
	enum lg_outcome outcome = outcome_of(host, ticket);
	if (outcome != LG_OUTCOME_PENDING) {
		durable(argument, outcome == LG_OUTCOME_DURABLE ? LG_OK : LG_CONFLICT);
		return LG_OK;
	}
	struct stream *s = host->stream;
	struct notice *notice = malloc(sizeof *notice);
	if (!notice)
		return LG_NOSPACE;
	stream_want(host, ticket.epoch);
	pthread_mutex_lock(&s->lock);
	/* Under the lock: who raises D looks at the notices after that. */
	bool pending = ticket.epoch > lg_durable_epoch(host);
	if (pending) {
		*notice = (struct notice){s->notices, ticket.epoch, durable, argument};
		s->notices = notice;
	}
	pthread_mutex_unlock(&s->lock);
	if (!pending) {
		free(notice);
		durable(argument, LG_OK);
	}
	return LG_OK;
}

int lg_sync(struct lg_host *host, uint32_t timeout_ms)
{
	if (host_forked(host))
		return LG_FORKED;
	if (!host->stream)
		return LG_OK;
	struct cxl_port port; /* of this thread, whichever it is: its counts are thrown away */
	port_init(&port, host->region.base, host->geometry);
	port_emulate(&port, host->emulation.pod);
	return wait_until(host, epoch_load(&port), timeout_ms);
}

int lg_host_log_state(struct lg_host *host, struct lg_error *err)
{
	if (host_forked(host))
		return error_set(err, LG_FORKED, "the host was opened before fork()");
	struct stream *s = host->stream;
	if (!s)
		return LG_OK;
	pthread_mutex_lock(&s->lock);
	int code = atomic_load_explicit(&s->failed, memory_order_relaxed);
	if (code != LG_OK)
		error_set(err, code, "%s", s->why.message);
	pthread_mutex_unlock(&s->lock);
	return code;
}

void recovery_stats(const struct lg_host *host, struct lg_stats *stats)
{
	const struct stream *s = host->stream;
	if (!s)
		return;
	stats->log_batches = atomic_load_explicit(&s->log_batches, memory_order_relaxed); /* relaxed, all: for people */
	stats->log_bytes = atomic_load_explicit(&s->log_bytes, memory_order_relaxed);
	const struct keeper *k = host->keeper;
	stats->checkpoints = k ? atomic_load_explicit(&k->checkpoints, memory_order_relaxed) : 0;
	stats->checkpoint_bytes = k ? atomic_load_explicit(&k->checkpoint_bytes, memory_order_relaxed) : 0;
	stats->rows_rebuilt = atomic_load_explicit(&s->rows_rebuilt, memory_order_relaxed);
	stats->rebuild_bytes = atomic_load_explicit(&s->rebuild_bytes, memory_order_relaxed);
}
