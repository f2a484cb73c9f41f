/* survey.c: see survey.h.
 *
 * Which logs D waits for. A host is waited for from its entry JOINED, in the batch that also completes the epoch it
 * answers from, until LEFT, in its own log, or DIED, in another's: either is durable only behind all that the host had
 * sealed. D is the least epoch that these logs have completed (stream.h says why that is what was acknowledged). Where
 * nobody is waited for, all that was sealed is in the logs, and D is the youngest epoch of all.
 *
 * Entries of tables and owners have no epoch of their own: the epoch behind the one that the log had completed before
 * their batch stands for them. So whether one counts does not depend on what comes after it, and is the same at every
 * later restart.
 */
#include "recovery/survey.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cxl/error.h"
#include "cxl/layout.h"
#include "cxl/word.h"

int survey_damaged(const struct log_entry *entry, const char *what, struct lg_error *err)
{
	return error_set(err, LG_CORRUPT, "%.300s: offset %" PRIu64 ": %s", entry->file, entry->offset, what);
}

bool survey_table_valid(const struct log_entry *entry)
{
	const struct log_table_body *body = entry->body;
	if (entry->bytes < sizeof *body || body->id >= LG_MAX_TABLES || body->by > LG_REPLICATED ||
	        body->partitions > LG_MAX_PARTITIONS || body->name[LG_MAX_NAME_BYTES])
		return false;
	uint32_t splits = body->by == LG_RANGE && body->partitions ? body->partitions - 1 : 0;
	return entry->bytes == sizeof *body + splits * sizeof(uint64_t);
}

bool survey_member_valid(const struct log_entry *entry)
{
	const struct log_member_body *body = entry->body;
	return entry->bytes == sizeof *body && body->host < LG_MAX_HOSTS && body->change >= LOG_MEMBER_JOINED &&
	       body->change <= LOG_MEMBER_DIED;
}

bool survey_owners_valid(const struct log_entry *entry, uint32_t hosts)
{
	const struct log_owners_body *body = entry->body;
	if (entry->bytes < sizeof *body || body->count > LG_MAX_PARTITIONS ||
	        entry->bytes != ((sizeof *body + body->count + 7) & ~(size_t)7))
		return false;
	for (uint32_t p = 0; p < body->count; p++)
		if (body->owner[p] >= hosts)
			return false;
	return true;
}

int survey_open(const char *directory, const struct manifest *manifest, uint32_t host, struct log_reader **reader,
        struct lg_error *err)
{
	char path[LOG_PATH_BYTES];
	struct log_reader_options options;
	log_reader_options_init(&options);
	options.cookie = manifest->cookie;
	options.host = host;
	int code = log_dir_name(directory, host, path, sizeof path, err);
	return code == LG_OK ? log_reader_open(path, &options, reader, err) : code;
}

struct surveying {
	struct survey *survey;
	const struct manifest *manifest;
	uint32_t host;          /* whose log it is */
	uint64_t life;          /* epochs of the pod's present life are above it */
	uint64_t batch, before; /* of the entry, and the epoch that was completed before that batch */
	uint64_t completed;
};

static int take_table(struct surveying *at, const struct log_entry *entry, struct lg_error *err)
{
	const struct log_table_body *body = entry->body;
	struct log_table_body **known = &at->survey->tables[body->id];
	if (*known && (*known)->by == body->by && (*known)->partitions == body->partitions &&
	        memcmp(*known, body, entry->bytes) == 0)
		return LG_OK;
	if (*known)
		return survey_damaged(entry, "this table has another definition in another place", err);
	*known = malloc(entry->bytes);
	if (!*known)
		return error_set(err, LG_NOSPACE, "no private memory for the tables of the logs");
	memcpy(*known, body, entry->bytes);
	if (body->id >= at->survey->table_count)
		at->survey->table_count = body->id + 1;
	return LG_OK;
}

static void take_owners(struct surveying *at, const struct log_entry *entry)
{
	const struct log_owners_body *body = entry->body;
	struct survey *s = at->survey;
	if (s->owners_known && s->owners_epoch > at->before)
		return;
	s->owners_known = true;
	s->owners_epoch = at->before;
	memcpy(s->owners, body->owner, body->count);
}

static void take_member(struct surveying *at, const struct log_entry *entry)
{
	const struct log_member_body *body = entry->body;
	struct survey_host *host = &at->survey->hosts[body->host];
	if (body->change != LOG_MEMBER_JOINED)
		host->gone = body->incarnation > host->gone ? body->incarnation : host->gone;
	else if (body->host == at->host && entry->epoch >= at->life && entry->epoch != LOG_EPOCH_NONE)
		host->joined = body->incarnation;
}

static int take_entry(struct surveying *at, const struct log_entry *entry, struct lg_error *err)
{
	if (entry->batch != at->batch) {
		at->batch = entry->batch;
		at->before = at->completed;
	}
	at->completed = entry->epoch > at->completed ? entry->epoch : at->completed;
	bool counts = !manifest_void(at->manifest, at->before + 1);
	switch (entry->type) {
	case LOG_ENTRY_REDO: {
		const struct redo_head *head = entry->body;
		if (entry->bytes < sizeof *head || head->bytes != entry->bytes || head->format != REDO_FORMAT ||
		        head->version > WORD_VERSION)
			return survey_damaged(entry, "not a redo record of this version", err);
		uint64_t epoch = version_epoch(head->version);
		at->survey->last_epoch = epoch > at->survey->last_epoch ? epoch : at->survey->last_epoch;
		return LG_OK;
	}
	case LOG_ENTRY_TABLE:
		if (!survey_table_valid(entry))
			return survey_damaged(entry, "not the definition of a table", err);
		return counts ? take_table(at, entry, err) : LG_OK;
	case LOG_ENTRY_OWNERS:
		if (!survey_owners_valid(entry, at->manifest->host_count))
			return survey_damaged(entry, "not a partition map", err);
		if (counts)
			take_owners(at, entry);
		return LG_OK;
	case LOG_ENTRY_MEMBER:
		if (!survey_member_valid(entry))
			return survey_damaged(entry, "not a change of membership", err);
		take_member(at, entry);
		return LG_OK;
	default: return survey_damaged(entry, "an entry of a type that this version does not know", err);
	}
}

static int survey_one(struct surveying *at, struct log_reader *reader, struct lg_error *err)
{
	struct survey_host *host = &at->survey->hosts[at->host];
	const struct log_found *found = log_reader_found(reader);
	struct log_entry entry;
	int code;
	bool first = true;
	while ((code = log_reader_next(reader, &entry, err)) == LG_OK) {
		if (first)
			at->completed = found->epoch_before;
		first = false;
		code = take_entry(at, &entry, err);
		if (code != LG_OK)
			return code;
	}
	if (code != LG_END)
		return code;
	host->present = found->segments > 0;
	host->incarnation = found->incarnation;
	host->completed = found->last_epoch > found->epoch_before ? found->last_epoch : found->epoch_before;
	host->told = found->pod_durable_epoch;
	at->survey->host_count += host->present;
	if (host->completed > at->survey->last_epoch)
		at->survey->last_epoch = host->completed;
	return LG_OK;
}

/* D, and whether every log has what another one knows to be durable. */
static int find_durable(struct survey *s, const struct manifest *manifest, uint64_t life, struct lg_error *err)
{
	uint64_t least = UINT64_MAX, told = 0;
	unsigned behind = 0, who = 0;
	bool joined = false;
	for (unsigned host = 0; host < LG_MAX_HOSTS; host++) {
		const struct survey_host *h = &s->hosts[host];
		joined |= h->joined != 0;
		if (h->told > told) {
			told = h->told;
			who = host;
		}
		if (h->joined <= h->gone || h->completed >= least)
			continue;
		least = h->completed;
		behind = host;
	}
	if (!joined)
		s->durable = life;
	else
		s->durable = least == UINT64_MAX ? s->last_epoch : least;
	if (manifest_effective(manifest, told) == told && told > s->durable)
		return error_set(err, LG_CORRUPT,
		        "the log of host %u ends at epoch %" PRIu64 ", but that of host %u knows that epoch %" PRIu64
		        " was durable everywhere: what was acknowledged in between is missing",
		        behind, s->durable, who, told);
	return LG_OK;
}

int survey_logs(const char *directory, const struct manifest *manifest, struct survey *survey, struct lg_error *err)
{
	*survey = (struct survey){0};
	uint64_t life = manifest->gap_count ? manifest->gaps[manifest->gap_count - 1].first : 0;
	survey->last_epoch = life;
	for (uint32_t host = 0; host < manifest->host_count; host++) {
		struct surveying at = {.survey = survey, .manifest = manifest, .host = host, .life = life};
		struct log_reader *reader;
		int code = survey_open(directory, manifest, host, &reader, err);
		if (code == LG_OK) {
			code = survey_one(&at, reader, err);
			log_reader_close(reader);
		}
		if (code == LG_NOTFOUND)
			code = LG_OK;
		if (code == LG_OK && !survey->hosts[host].present && (manifest->hosts >> host & 1))
			code = error_set(err, LG_CORRUPT,
			        "%.200s: host %u has joined this pod, but there is no log of it: its directory was "
			        "removed",
			        directory, host);
		if (code != LG_OK)
			return code;
	}
	for (uint32_t id = 0; id < survey->table_count; id++)
		if (!survey->tables[id])
			return error_set(err, LG_CORRUPT,
			        "%.200s: no log has the definition of table %u, but of later ones", directory, id);
	return find_durable(survey, manifest, life, err);
}

void survey_free(struct survey *survey)
{
	for (uint32_t id = 0; id < LG_MAX_TABLES; id++)
		free(survey->tables[id]);
}
