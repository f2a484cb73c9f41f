/* survey.h: what the logs of all hosts say together: how far the pod was durable, and which tables it had. */
#ifndef LIGER_RECOVERY_SURVEY_H
#define LIGER_RECOVERY_SURVEY_H

#include "recovery/log_bodies.h"
#include "recovery/log_reader.h"
#include "recovery/manifest.h"

struct survey_host {
	bool present;         /* it has a log */
	uint64_t incarnation; /* the last that opened it */
	uint64_t joined;      /* the last that joined in the pod's present life; 0: none */
	uint64_t gone;        /* the last of which some log says that it left, or died and lost nothing */
	uint64_t completed;   /* the last epoch that its log has completed */
	uint64_t told;        /* the durable epoch that its log knows of */
};

struct survey {
	struct survey_host hosts[LG_MAX_HOSTS];
	uint32_t host_count; /* with a log */
	uint64_t durable;    /* D: what was committed through it, and in no void epoch, is the database */
	uint64_t last_epoch; /* the youngest that any log knows of */
	uint32_t table_count;
	struct log_table_body *tables[LG_MAX_TABLES];
	bool owners_known;
	uint64_t owners_epoch;
	uint8_t owners[LG_MAX_PARTITIONS];
};

/* Reads all logs under a data directory. Ownership: survey_free() in any case.
 * Returns: LG_OK; LG_CORRUPT (file and offset, or the host whose log lacks what was durable); LG_MISMATCH; LG_NOSPACE; LG_SYSTEM. */
int survey_logs(const char *directory, const struct manifest *manifest, struct survey *survey, struct lg_error *err);
void survey_free(struct survey *survey);

/* Whether the body of an entry is as log_bodies.h says, in length and numbers. */
bool survey_table_valid(const struct log_entry *entry);
bool survey_member_valid(const struct log_entry *entry);
bool survey_owners_valid(const struct log_entry *entry, uint32_t hosts);

/* Opens the log of `host`; LG_NOTFOUND: it has none. As log_reader_open(). */
int survey_open(const char *directory, const struct manifest *manifest, uint32_t host, struct log_reader **reader,
        struct lg_error *err);
/* LG_CORRUPT, with the place of the entry. */
int survey_damaged(const struct log_entry *entry, const char *what, struct lg_error *err);

#endif
