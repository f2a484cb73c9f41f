/* manifest.h: DIR/pod, the file that makes a directory the data directory of a pod: which pod, how it was created, in
 * which region it is, and which epochs of its logs do not count.
 *
 * 4,096 bytes, replaced by rename of DIR/pod.tmp after it is durable.
 *
 * Lives. A pod that comes back from its logs begins a new life: what was durable by epoch D is there, epochs go on behind
 * `first`, and whatever the logs hold of epochs between is void for ever: it was never acknowledged, and others have
 * built on its absence. Each such gap is noted here before the new region exists.
 *
 * Crash: before the rename, the manifest before it and pod.tmp, which is written over; after it, a gap too many, which is
 * harmless: nothing was written in a life that has not begun.
 */
#ifndef LIGER_RECOVERY_MANIFEST_H
#define LIGER_RECOVERY_MANIFEST_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <liger.h>

#define MANIFEST_MAGIC          UINT64_C(0x314d444f5052474c) /* "LGRPODM1" */
#define MANIFEST_FORMAT_VERSION 2U

enum { MANIFEST_BYTES = 4096, MANIFEST_MAX_GAPS = 160, MANIFEST_URI_BYTES = 160 };

/* Epochs behind `durable` and up to `first` are void; behind it begins life `life` of the pod. */
struct manifest_gap {
	uint64_t durable, first, life;
};

struct manifest {
	uint64_t magic;
	uint32_t format_version;
	uint32_t host_count;
	uint64_t cookie;
	uint64_t hwcc_bytes, swcc_bytes;
	uint32_t partition_count, epoch_ms, durability, redo_workers, redo_ring_bytes;
	uint32_t gap_count;
	uint64_t life;                               /* which is on now; 1 is the first. The region says the same */
	uint64_t hosts;                              /* bit h: host h has joined, ever: there must be a log of it */
	struct manifest_gap gaps[MANIFEST_MAX_GAPS]; /* ascending, apart from each other */
	char uri[MANIFEST_URI_BYTES];                /* of the region that life is in; ends with NUL; empty: too long */
	uint8_t zero[MANIFEST_BYTES - 80 - MANIFEST_MAX_GAPS * 24 - MANIFEST_URI_BYTES - 4];
	uint32_t checksum; /* CRC32C of all before it */
};
static_assert(sizeof(struct manifest) == MANIFEST_BYTES, "one block");
static_assert(offsetof(struct manifest, cookie) == 16 && offsetof(struct manifest, hwcc_bytes) == 24 &&
                      offsetof(struct manifest, partition_count) == 40 && offsetof(struct manifest, gap_count) == 60 &&
                      offsetof(struct manifest, life) == 64 && offsetof(struct manifest, hosts) == 72 &&
                      offsetof(struct manifest, gaps) == 80 && offsetof(struct manifest, uri) == 3920 &&
                      offsetof(struct manifest, checksum) == 4092,
        "durable");

/* Makes the data directory where there is none, durably. LG_OK; LG_SYSTEM. */
int manifest_make_directory(const char *directory, struct lg_error *err);
/* Whether a directory holds a pod already, or what is left of one. LG_OK: it does not; LG_EXISTS; else it cannot be told: as
 * manifest_read(). Who goes on to manifest_write() holds the directory's lock meanwhile. */
int manifest_check_empty(const char *directory, struct lg_error *err);
/* LG_OK; LG_NOTFOUND (no directory, or no file `pod` in it); LG_CORRUPT; LG_MISMATCH (another format version); LG_SYSTEM. */
int manifest_read(const char *directory, struct manifest *manifest, struct lg_error *err);
/* Replaces the file, with its checksum; durable when it returns. LG_OK; LG_NOSPACE; LG_SYSTEM. */
int manifest_write(const char *directory, struct manifest *manifest, struct lg_error *err);
void manifest_of(const char *uri, const struct lg_pod_config *config, uint64_t cookie, struct manifest *manifest);
void manifest_config(const struct manifest *manifest, struct lg_pod_config *config);

/* In which region the pod's life is from now on. */
void manifest_note_uri(struct manifest *manifest, const char *uri);
/* Whether that is this one. Of two that are too long to be noted it is taken for granted. */
bool manifest_is_in(const struct manifest *manifest, const char *uri);

/* Begins the next life: adds the gap behind `durable`, up to `first`. False: there are too many. */
bool manifest_begin_life(struct manifest *manifest, uint64_t durable, uint64_t first);
/* Whether what was committed in `epoch` of life `life`, which has ended, is there. */
bool manifest_kept(const struct manifest *manifest, uint64_t life, uint64_t epoch);
/* Notes that a host has joined, if that is not known. As manifest_write(); LG_INUSE (another process has the directory for long). */
int manifest_note_host(const char *directory, uint32_t host, struct manifest *manifest, struct lg_error *err);
/* Whether what the logs hold of an epoch does not count. */
bool manifest_void(const struct manifest *manifest, uint64_t epoch);
/* What `epoch`, the last that a log has completed, is worth: the last before it that counts. */
uint64_t manifest_effective(const struct manifest *manifest, uint64_t epoch);

#endif
