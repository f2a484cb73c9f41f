/* liger.h: a transactional database for a CXL pod, as an embedded library.
 *
 * A pod is one shared memory region and 2 to 64 hosts (processes) that attach to it. Each host owns partitions of every
 * table in its own memory; a transaction on any host reads and writes rows of all of them, serializably.
 *
 *     lg_pod_create()            once: makes the region
 *     lg_host_open()             in each host: attaches, joins under a host id
 *     lg_table_create()          once a table, on any host; the others lg_table_open() it
 *     lg_worker_open()           in each thread that runs transactions
 *     lg_run(), or lg_txn_begin() ... lg_commit()
 *     lg_worker_close(), lg_host_close(), lg_pod_destroy()
 *
 * Errors. Every call that can fail returns an enum lg_code; LG_OK is 0. Calls outside a transaction also fill *err, when
 * it is not NULL, with a sentence for a person: what failed, on what, why, and what to do. Inside a transaction
 * lg_txn_detail() tells which key it was, and which host held it.
 *
 * Threads. A host may be used by any threads at once. A worker, its transaction and its scans belong to one thread at a
 * time. Nothing here may be used in a child process after fork(): every call there returns LG_FORKED.
 *
 * Versions. LG_VERSION is the library's; a region carries a format version of its own, checked at attach.
 */
#ifndef LIGER_H
#define LIGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LG_VERSION "0.1.0"

/* Limits. Beyond one of them a call returns LG_LIMIT and says which. */
#define LG_MAX_HOSTS        64
#define LG_MAX_WORKERS      64   /* a host */
#define LG_MAX_TABLES       256  /* a pod */
#define LG_MAX_PARTITIONS   4096 /* a pod */
#define LG_MAX_KEY_BYTES    512
#define LG_MAX_VALUE_BYTES  65536
#define LG_MAX_NAME_BYTES   63 /* of a table */
#define LG_MAX_PREFIX_BYTES 64 /* of the part of a key that places it in a partition */

enum lg_code {
	LG_OK = 0,
	LG_NOTFOUND,    /* no such row, table or region */
	LG_EXISTS,      /* the row or the region is there already; a table of that name has another definition */
	LG_CONFLICT,    /* another transaction was in the way: abort and retry; lg_run() does */
	LG_UNAVAILABLE, /* the host that owns the row is not there, or did not answer in time */
	LG_NOSPACE,     /* a budget (hardware-coherent, software-coherent, or the host's own memory) is used up */
	LG_LIMIT,       /* beyond one of the limits above */
	LG_INVALID,     /* an argument, or the order of calls, makes no sense */
	LG_READONLY,    /* a write to a replicated table outside its load */
	LG_ENDED,       /* the transaction has ended: begin another */
	LG_FORKED,      /* the host was opened before fork() and is used in the child */
	LG_MISMATCH,    /* the region belongs to another version, layout or incarnation, or is not a pod at all */
	LG_INUSE,       /* the region or the host id is in use */
	LG_CORRUPT,     /* bytes of the region contradict each other */
	LG_SYSTEM,      /* a system call failed; the message names it */
	LG_END,         /* lg_scan_next(): no further row */
	LG_FENCED,      /* the other hosts have declared this one dead: nothing was written; close it */
	LG_CODE_COUNT
};

/* A short constant sentence for `code`; never NULL, also for a number that is no code. */
const char *lg_strerror(int code);

/* What went wrong outside a transaction. `message` is always terminated. */
struct lg_error {
	int code;
	char message[508];
};

/* Bytes that somebody else owns. */
struct lg_slice {
	const void *data;
	size_t bytes;
};

static inline struct lg_slice lg_slice(const void *data, size_t bytes)
{
	struct lg_slice s = {data, bytes};
	return s;
}

/* ---- The pod ------------------------------------------------------------------------------------------------------
 *
 * A region is named by a URI:
 *     shm:NAME     POSIX shared memory (/dev/shm/NAME); NAME without a slash
 *     file:PATH    a file on tmpfs, hugetlbfs, fsdax or famfs
 *     dax:PATH     a devdax device, such as dax:/dev/dax0.0
 * A region that is made is readable and writable by its creator's user only (mode 0600); a device keeps its mode.
 *
 * ?node=N behind shm:NAME or file:PATH names the NUMA node that the memory is to lie on, such as shm:NAME?node=1.
 * lg_pod_create() binds the region to it, and returns LG_SYSTEM, and no region, if pages came to lie elsewhere all the
 * same. lg_host_open() and lg_pod_info() move nothing, and return LG_MISMATCH if pages lie elsewhere. Everywhere
 * LG_INVALID if there is no such node, or it has no memory. lg_pod_destroy() takes no notice of it.
 *
 * A device is there before the pod and after it. lg_pod_create() also returns LG_NOTFOUND (no such device), LG_MISMATCH
 * (no dax device, or not in devdax mode, which only its administrator changes), LG_INUSE (another process is creating or
 * destroying it); LG_EXISTS unless the first page of the device is zero, which lg_pod_destroy() leaves it. All hosts of
 * one machine or of several may use it; nobody can tell whether those of another machine are alive, so destroying a pod
 * that has members, or is unfinished, needs `force`, and that they are gone indeed.
 */

enum lg_durability {
	LG_DURABILITY_NONE = 0, /* the pod's memory is the only copy; a host's rows go when it leaves */
	/* A commit is sealed in pod memory: if its host dies, others finish it (docs/durability.md). With a data directory it
	 * is written to the host's log on disk too, after that, and rows of a host that died or left are rebuilt; without
	 * one, rows that lie in a host's own memory go with it. */
	LG_DURABILITY_CXL = 1,
	/* The same, and a commit counts as durable once its epoch is on disk in every host's log: then it survives the
	 * loss of the whole pod's power. Until then it has a ticket. Needs a data directory. */
	LG_DURABILITY_DISK = 2,
};

/* "none", "cxl", "disk"; never NULL. And back; false: there is no such level. */
const char *lg_durability_name(enum lg_durability durability);
bool lg_durability_parse(const char *name, enum lg_durability *durability);

struct lg_pod_config {
	uint32_t hosts;      /* host ids 0..hosts-1 may join; 1..64; default 2 */
	uint32_t partitions; /* of the whole pod, shared by all its tables; 1..4096; default 64 */
	uint64_t hwcc_bytes; /* hardware-coherent part, a multiple of 2 MiB; default 64 MiB, at least 2 MiB */
	uint64_t swcc_bytes; /* the rest, a multiple of 2 MiB; default 1 GiB */
	uint32_t epoch_ms;   /* length of an epoch; 1..1000; default 10 */
	enum lg_durability durability;
	uint32_t redo_workers;    /* of a host, that have a redo ring, which is all it may open; 1..64; default 16 */
	uint32_t redo_ring_bytes; /* of each, in the software-coherent part: a transaction changes at most half of that;
	                           * a multiple of 4 KiB, 64 KiB..64 MiB; default 512 KiB. Both only with a durability */
	/* How lg_pod_create() sees pod memory while it makes the pod, as lg_host_config.emulate; default NULL. The pod does
	 * not keep it: hosts say for themselves. */
	const char *emulate;
	/* Where the hosts keep their logs, one directory each under it: docs/log-format.md. It must be empty, or not there;
	 * every host must see it, at this path or another (lg_host_config.data), and read the others' logs in it. Its file
	 * `pod` holds this configuration. Default NULL: no logs. With LG_DURABILITY_CXL or LG_DURABILITY_DISK. */
	const char *data;
};

/* Sets the defaults named above. */
void lg_pod_config_init(struct lg_pod_config *config);

/* Creates a region and an empty pod in it. Partition p belongs to host p % hosts until lg_partition_place().
 * Returns: LG_OK; LG_EXISTS (the name is taken: destroy it first; or the data directory holds a pod: lg_pod_recover() it,
 *          or logs of one whose file `pod` is gone); LG_INUSE (another process is at the data directory); LG_CORRUPT,
 *          LG_MISMATCH (its file `pod` is damaged, or of another format);
 *          LG_INVALID (URI or configuration); LG_LIMIT (more hosts, partitions or redo_workers than there may be);
 *          LG_NOSPACE (the file system, or the parts are too small for that many hosts); LG_SYSTEM. */
int lg_pod_create(const char *uri, const struct lg_pod_config *config, struct lg_error *err);

/* What the logs of a pod say, and what was done about it. */
struct lg_recovery {
	uint64_t cookie;
	uint64_t durable_epoch; /* what was committed in this epoch or before is there, and nothing else is */
	uint64_t
	        last_epoch; /* the youngest that any log knows of: what is behind durable_epoch was never acknowledged */
	uint64_t first_epoch; /* the pod goes on behind this one */
	uint32_t hosts;       /* that have a log */
	uint32_t tables;
};

/* Brings a pod back whose region is gone, or whose hosts have all stopped for want of power: creates the region anew, with
 * the same identity, and the tables and the partition map that the logs tell of. Each host rebuilds its own rows when it
 * joins (lg_host_open()), so all of them do it at the same time. No host of the pod may run. `data`: as in struct
 * lg_pod_config. `emulate`: as there. It can be repeated, if it was interrupted, and after lg_pod_destroy().
 * Returns: LG_OK; LG_NOTFOUND (no pod in that directory); LG_EXISTS (the region is there, or the one that the pod was in
 *          last, under another name: open its hosts there, nothing is lost, or destroy it first); LG_INUSE (a host of the
 *          pod runs, or another process recovers it); LG_CORRUPT (a log is damaged, or lacks what was acknowledged:
 *          file and offset, or the host, are in the message); LG_MISMATCH (logs of another pod or format); as
 *          lg_pod_create(). *recovery (may be NULL) is filled as far as it was found out. */
int lg_pod_recover(
        const char *uri, const char *data, const char *emulate, struct lg_recovery *recovery, struct lg_error *err);

/* Removes a region. A region that is not a pod is never removed.
 * Returns: LG_OK; LG_NOTFOUND; LG_MISMATCH; LG_INUSE (a host is a member and its process is alive, unless `force`);
 *          LG_INVALID; LG_SYSTEM. */
int lg_pod_destroy(const char *uri, bool force, struct lg_error *err);

/* The same under an emulation, as lg_host_config.emulate; lg_pod_destroy() gives NULL.
 * Returns: as lg_pod_destroy(); also LG_INVALID for an unfinished or damaged pod, whose parts nobody knows (unless
 *          `emulate` is NULL or "direct"), LG_MISMATCH if living hosts are under another emulation, in spite of `force`. */
int lg_pod_destroy_emulated(const char *uri, const char *emulate, bool force, struct lg_error *err);

enum lg_member_state {
	LG_MEMBER_FREE = 0,
	LG_MEMBER_JOINING,
	LG_MEMBER_LIVE,
	LG_MEMBER_LEAVING,
	LG_MEMBER_LEFT,
	LG_MEMBER_RECOVERING, /* it died; another host is finishing what it had committed and frees what it held */
	LG_MEMBER_DEAD,       /* that is done; its rows are away until it comes back */
};

struct lg_member_info {
	enum lg_member_state state;
	uint64_t incarnation;  /* how often this host id has joined */
	uint64_t heartbeat;    /* grows while the host lives */
	int32_t pid;           /* on its machine; 0 when not a member */
	uint32_t partitions;   /* owned */
	uint64_t oldest_epoch; /* of its running transactions */
	uint64_t hwcc_row_bytes, hwcc_leaf_bytes,
	        hwcc_claimed_bytes; /* words of rows, of leaves; word blocks claimed */
	uint64_t swcc_frame_bytes, swcc_directory_bytes,
	        swcc_claimed_bytes;  /* frames in use, directory, extents claimed */
	uint64_t swcc_payload_bytes; /* keys and values in the frames */
	uint64_t shared_rows;
	uint64_t dram_bytes; /* rows and trees in the host's own memory */
	/* Of its log, in a pod with a data directory; else 0. */
	uint64_t logged_epoch;     /* through this epoch all is durable in it; UINT64_MAX: it is not waited for */
	uint64_t sealed_epoch;     /* the youngest epoch that it has something of, or is about to */
	uint64_t checkpoint_epoch; /* its rows need the logs from this epoch on; 0: from the beginning */
};

struct lg_pod_info {
	struct lg_pod_config config;
	uint64_t cookie; /* incarnation of the pod: random, set at creation */
	uint64_t epoch;
	/* The least logged_epoch of all members, as lg_durable_epoch(); UINT64_MAX: no log is waited for, all is durable; 0 in a
	 * pod without a data directory. */
	uint64_t durable_epoch;
	bool logged; /* it has a data directory */
	uint64_t region_bytes, hwcc_fixed_bytes, swcc_fixed_bytes;
	uint64_t hwcc_free_bytes, swcc_free_bytes; /* claimed by no host */
	uint32_t page_bytes;                       /* of the mapping in this process */
	uint32_t table_count;
	struct lg_member_info member[LG_MAX_HOSTS];
	uint8_t partition_owner[LG_MAX_PARTITIONS];
	char emulation[80]; /* under which this was read: as lg_host_emulation() */
};

/* Reads a pod's state without joining it.
 * Returns: LG_OK; LG_NOTFOUND; LG_MISMATCH; LG_INVALID; LG_SYSTEM. */
int lg_pod_info(const char *uri, struct lg_pod_info *info, struct lg_error *err);

/* The same under an emulation, as lg_host_config.emulate: as one more host would see it, whose cache is empty at first.
 * lg_pod_info() gives NULL. Where nothing is named, nor LIGER_EMULATE set, memory is read as it is.
 * Returns: as lg_pod_info(); also LG_MISMATCH if a mode is named and a member is under another. */
int lg_pod_info_emulated(const char *uri, const char *emulate, struct lg_pod_info *info, struct lg_error *err);

/* ---- Checking a pod ------------------------------------------------------------------------------------------------- */

/* Something that no working pod leaves. docs/pod-check.md lists all rules. */
struct lg_check_finding {
	const char *rule; /* its stable name, such as "frame.torn" */
	const char *text; /* what is wrong, for a person */
	uint64_t offset;  /* where in the region */
	int32_t host;     /* whose it is, or was; -1: nobody's */
	int32_t table;    /* -1: of none */
	uint32_t word;    /* index of the row's word; 0: of none */
	uint16_t key_bytes;
	uint8_t key[32]; /* the first of key_bytes */
};

/* What was looked at. */
struct lg_check_report {
	uint64_t findings; /* those that were told, and beyond 65,536 such as were only counted */
	uint32_t looks;
	uint32_t members, dead_hosts; /* not left; dead: recovered or not */
	uint64_t epoch, tables;
	uint64_t extents_taken, extents_free, extents_of_dead; /* of_dead: of those taken */
	uint64_t blocks_taken, blocks_free, blocks_of_dead;    /* of words */
	/* words of taken blocks: of rows, whose current frame was found; of leaves, or of rows that cannot be told from such */
	uint64_t words, words_unused, words_retired, words_of_rows, words_of_leaves, words_intent, words_locked;
	uint64_t frames, frame_lines, frames_old,
	        frames_changing;               /* current ones; heads of old ones; while we looked */
	uint64_t directories, directories_old; /* of an earlier incarnation, or unfinished: not looked into */
	uint64_t slots, slots_current, slots_old, rows_without_slot;
	uint64_t channel_lines, rings, ring_records;
};

enum lg_check_flags {
	LG_CHECK_ONCE = 1, /* one look: for a pod in which nothing runs, or for who judges himself */
};

/* Checks that a pod's region does not contradict itself, without joining it and without changing anything: when no host is
 * a member, or while hosts are, and nothing of theirs runs. While transactions run it may see what is just being changed;
 * so where members are alive it looks again two epochs later, at most three times, and tells what it has found each time.
 * `found` (may be NULL) is called for each finding, in the order of offsets; the finding is valid during the call. Damage
 * never ends the check.
 * Threads:  any; calls nothing of a host.
 * Returns:  LG_OK, with *report, whether or not something was found; LG_NOTFOUND; LG_MISMATCH (not a pod, of another
 *           version, or with a damaged header); LG_INVALID; LG_NOSPACE (private memory: 24 bytes a word in use); LG_SYSTEM. */
int lg_pod_check(const char *uri, unsigned flags, void (*found)(const struct lg_check_finding *finding, void *argument),
        void *argument, struct lg_check_report *report, struct lg_error *err);

/* The same under an emulation, as lg_host_config.emulate: as one more host would see it, whose cache is empty at first. What
 * another's cache holds of words that are not in memory yet is seen then. lg_pod_check() reads
 * memory as it is, whatever LIGER_EMULATE says.
 * Returns: as lg_pod_check(); also LG_MISMATCH if a mode is named and a member is under another. */
int lg_pod_check_emulated(const char *uri, const char *emulate, unsigned flags,
        void (*found)(const struct lg_check_finding *finding, void *argument), void *argument,
        struct lg_check_report *report, struct lg_error *err);

/* ---- A host ------------------------------------------------------------------------------------------------------ */

struct lg_host;
struct lg_table;
struct lg_worker;
struct lg_txn;
struct lg_scan;

struct lg_host_config {
	uint32_t host_id;     /* 0..hosts-1; default 0 */
	uint32_t max_workers; /* that may be open at once; 1..64; default 16 */
	/* Attempts of lg_run() that may run at once, on all workers together; others wait for their turn, first come, first
	 * served. More at a time than there are CPUs only stand in each other's way, above all where they want the same rows.
	 * Default 0: as many as this process may use CPUs, but no more than its share if the CPUs of the machine are divided among
	 * the pod's hosts there; max_workers or more: no bound.
	 * While no attempt ends for 20 ms one more is let in, and so on: bodies may wait for each other. */
	uint32_t max_running;
	uint64_t dram_bytes;         /* budget for rows and trees; default 0: no limit but the machine's */
	uint32_t request_timeout_ms; /* after which a silent owner is LG_UNAVAILABLE; default 1000 */
	uint64_t expect_cookie;      /* refuse any other incarnation of the pod; default 0: any */
	uint32_t lease_ms; /* after which this host looks whether one whose heart stands still is dead; default 100,
	                              * at least 10 (docs/durability.md) */
	/* Stops, for good, a host of another machine that has been silent for ten leases: cuts its power, or its way to
	 * pod memory. Called by the service thread, which does not beat meanwhile, so it shall return within a few leases;
	 * 0: it is stopped, and is recovered; else it is asked again. Default NULL: hosts of other machines, or of
	 * other pid namespaces, are not declared dead. Those of this machine are killed. */
	int (*fence)(void *argument, uint32_t host_id);
	void *fence_argument;
	/* How this host sees pod memory, for experiments without the hardware (docs/emulation.md); all hosts of a pod alike:
	 *     NULL (the default)               what the environment variable LIGER_EMULATE says, else "direct"
	 *     "direct"                         as it is
	 *     "delay:PROFILE"                  as slow as a device: a built-in profile's name, or the path of a file
	 *     "incoherent", "incoherent:SEED"  through a cache of this host alone that nobody keeps coherent
	 * The text is needed during lg_host_open() only. */
	const char *emulate;
	/* The pod's data directory, where this host sees it; needed if, and only if, the pod has one. Default NULL. */
	const char *data;
	/* With a data directory, and where there is no region: brings the pod back as lg_pod_recover() does, into `uri`, if
	 * that is the region it was in last: else LG_NOTFOUND, as the name may be a mistake, and lg_pod_recover() must be
	 * called. Of hosts that start together one does it, and the others wait for it. Default true. */
	bool recover;
	uint64_t log_segment_bytes; /* of the log's files; a multiple of 4 KiB, 16 KiB..4 GiB; default 64 MiB */
	/* A checkpoint of this host's rows is made in the background when its log has grown by checkpoint_log_bytes since the
	 * last one (default 1 GiB; 0: only by lg_checkpoint()), reading at most checkpoint_mb_per_s of rows a second
	 * (default 100; 0: no limit). Logs that no host's rows need any more are recycled. */
	uint64_t checkpoint_log_bytes;
	uint32_t checkpoint_mb_per_s;
	/* When another host has been dead for so long, the live host with the lowest id adopts its partitions, if it has this set
	 * (lg_adopt()). Default 0: only when it is told to. */
	uint32_t adopt_after_ms;
};

void lg_host_config_init(struct lg_host_config *config);

/* Attaches to the region and joins the pod as host `config->host_id` (config NULL: the defaults). Starts one service thread.
 * In a pod with a data directory all committed rows of the host's partitions are there when it returns, rebuilt from the logs;
 * and if its region is gone, it is made anew (lg_host_config.recover).
 * Ownership: *host until lg_host_close().
 * Returns:   LG_OK; LG_NOTFOUND (no region, and no pod in a data directory that could be brought back); LG_MISMATCH (not a pod, or another version, layout or incarnation,
 *            or hosts under another emulation); LG_INUSE (the host id is a member); LG_INVALID; LG_LIMIT; LG_NOSPACE;
 *            LG_SYSTEM; LG_UNAVAILABLE (the last host of this id died, and had rows that this one cannot rebuild; or
 *            another host holds one of them for long, or does not write its log); LG_CORRUPT (of a log: file and
 *            offset). */
int lg_host_open(const char *uri, const struct lg_host_config *config, struct lg_host **host, struct lg_error *err);

/* Leaves the pod. All workers must be closed (else LG_INVALID, and the host stays open). Others get LG_UNAVAILABLE for the
 * rows of its partitions. In a pod with a data directory all of them are on disk when it returns, and are rebuilt when
 * the host comes back; else they are gone.
 * Returns: LG_OK; LG_INVALID; LG_FORKED; LG_NOSPACE, LG_SYSTEM (the log cannot be written: the host is closed all the same;
 *          once the process has ended, the others take what its redo rings hold into their logs). */
int lg_host_close(struct lg_host *host);

/* Makes a checkpoint of this host's rows now, and waits for it: the next time it comes back it reads logs from here on only.
 * Returns: LG_OK; LG_INVALID (the pod has no data directory); LG_UNAVAILABLE (a transaction somewhere, or another host's
 *          log, does not get on); LG_NOSPACE, LG_SYSTEM; LG_CORRUPT (a row in pod memory); LG_FENCED; LG_FORKED. The
 *          checkpoint before stays until then. */
int lg_checkpoint(struct lg_host *host, struct lg_error *err);

/* Takes over all partitions of a host that has died or left, in a pod with a data directory: rebuilds their rows, from
 * which time on transactions find them here. If that host comes back it owns nothing. Also `liger pod adopt`.
 * Returns: LG_OK; LG_INVALID (no data directory; the host is a member, or owns nothing); LG_INUSE (it is coming back, or
 *          another host is at it); LG_UNAVAILABLE; LG_CORRUPT; LG_NOSPACE; LG_SYSTEM; LG_FORKED. */
int lg_adopt(struct lg_host *host, uint32_t dead, struct lg_error *err);

/* Has the running host `by` do that, without being it: it begins within some 100 ms. lg_pod_info() tells when the
 * partitions are its own. Returns: LG_OK (it was asked); LG_INVALID; as lg_pod_info(). */
int lg_pod_adopt(const char *uri, uint32_t by, uint32_t dead, const char *emulate, struct lg_error *err);

/* Whether this host's log is written. LG_OK, also of a pod without logs; or the code and, in *err, the reason of a write
 * that has failed: nothing of this host becomes durable until it is mended. It is tried again once a second. */
int lg_host_log_state(struct lg_host *host, struct lg_error *err);

/* Makes `host_id` the owner of a partition. Only before the pod's first table: afterwards LG_INVALID. */
int lg_partition_place(struct lg_host *host, uint32_t partition, uint32_t host_id, struct lg_error *err);

/* "direct", "delay:NAME" or "incoherent:SEED": for every result that the host has a part in. */
const char *lg_host_emulation(const struct lg_host *host);

/* Ids and sizes of the pod that `host` belongs to. */
uint32_t lg_host_id(const struct lg_host *host);
uint32_t lg_host_count(const struct lg_host *host);
uint64_t lg_pod_cookie(const struct lg_host *host);
enum lg_durability lg_host_durability(const struct lg_host *host);
uint64_t lg_epoch(const struct lg_host *host);

/* ---- Tables ------------------------------------------------------------------------------------------------------ */

enum lg_partitioning {
	LG_HASH, /* by XXH3 of the first prefix_bytes of the key, scaled to `partitions` */
	LG_RANGE, /* by `splits`, compared with the first 8 bytes of the key (big-endian, a shorter key is padded with 0) */
	LG_REPLICATED, /* every host has a copy; written by lg_load() only, read-only after lg_table_seal() */
};

struct lg_table_def {
	const char *name; /* 1..63 bytes, unique in the pod */
	enum lg_partitioning by;
	uint32_t prefix_bytes; /* LG_HASH: 1..64; a shorter key is hashed whole. Else 0 */
	uint32_t
	        partitions; /* LG_HASH, LG_RANGE: 1..the pod's; partitions 0..partitions-1 of the pod are used. Else 0 */
	const uint64_t *
	        splits; /* LG_RANGE: partitions-1 ascending numbers; partition i holds splits[i-1] <= n < splits[i]. Else NULL */
};

/* Creates a table, or opens it if it exists with the same definition.
 * Ownership: `def` is copied; *table until lg_host_close().
 * Returns:   LG_OK; LG_EXISTS (another definition: the message says what differs); LG_LIMIT; LG_INVALID; LG_NOSPACE. At
 *          LG_DURABILITY_DISK lg_sync() makes it durable, as it does rows. */
int lg_table_create(
        struct lg_host *host, const struct lg_table_def *def, struct lg_table **table, struct lg_error *err);

/* Returns: LG_OK; LG_NOTFOUND; LG_NOSPACE. */
int lg_table_open(struct lg_host *host, const char *name, struct lg_table **table, struct lg_error *err);

/* The partition of a key, and the host that owns a partition. Replicated tables: partition 0, this host. */
uint32_t lg_table_partition(const struct lg_table *table, struct lg_slice key);
uint32_t lg_partition_owner(const struct lg_host *host, uint32_t partition);

/* ---- Workers and transactions ------------------------------------------------------------------------------------ */

/* A worker runs one transaction at a time, on one thread at a time.
 * Between its operations, and while it waits for another host, it also serves the other hosts' requests.
 * Returns: LG_OK; LG_LIMIT (max_workers are open); LG_NOSPACE. */
int lg_worker_open(struct lg_host *host, struct lg_worker **worker, struct lg_error *err);

/* Aborts its transaction, if one runs. */
int lg_worker_close(struct lg_worker *worker);

/* Serves the other hosts' requests, if there are any: for threads that do something else for longer than a few
 * microseconds. Never needed for correctness. */
void lg_worker_poll(struct lg_worker *worker);

/* Begins a transaction.
 * Ownership: *txn belongs to the worker; it can be used until the worker closes, after its end every call returns LG_ENDED.
 * Returns:   LG_OK; LG_INVALID (one is running); LG_FORKED; LG_FENCED (the others have declared this host dead). */
int lg_txn_begin(struct lg_worker *worker, struct lg_txn **txn);

/* All calls below, on rows: `table` was opened on the same host. They return
 *     LG_CONFLICT     abort and retry (lg_run does); every later call of the transaction returns the same
 *     LG_UNAVAILABLE  the owning host is down or silent
 *     LG_NOSPACE      a budget is used up, after move-out has tried. While pod memory is just being freed it is
 *                     LG_CONFLICT, until some 100 transactions of the worker in a row have ended for want of it
 *     LG_LIMIT        the key is empty or longer than 512 bytes, the value longer than 65,536
 *     LG_CORRUPT      pod memory contradicts itself
 *     LG_ENDED, LG_FORKED
 * besides what is named. Values and keys that they return point into the transaction: valid until it ends, aligned to 8
 * bytes (values), and not changed by later calls.
 *
 * Reads are optimistic: lg_commit() decides. Every row comes whole, as somebody has committed it; but in a transaction
 * that is not going to commit, values of different rows may be of different times. So code between the calls must stand
 * any such mix (end its loops, check an index that it computed), and nothing may leave the transaction before it has
 * committed. LG_NOTFOUND and LG_EXISTS are answers that no retry takes back: they are given only if everything that the
 * transaction has read so far still holds, else it is LG_CONFLICT (a replicated table answers without that look). */

/* Reads a row.
 * Returns: LG_OK; LG_NOTFOUND (protected: commit fails if another transaction has inserted it meanwhile).
 * On error *val is empty. */
int lg_get(struct lg_txn *txn, struct lg_table *table, struct lg_slice key, struct lg_slice *val);

/* Writes a row, whether it exists or not. `val` is copied.
 * Returns: LG_OK; LG_READONLY (replicated table). */
int lg_put(struct lg_txn *txn, struct lg_table *table, struct lg_slice key, struct lg_slice val);

/* Adds a row. `val` is copied. Returns: LG_OK; LG_EXISTS (protected like a read); LG_READONLY. */
int lg_insert(struct lg_txn *txn, struct lg_table *table, struct lg_slice key, struct lg_slice val);

/* Reads a row in order to change it: *val is a private copy of *bytes bytes that the caller may write to until the
 * transaction ends; commit installs what it then holds. A later lg_put() or lg_del() of the key takes its place.
 * Returns: LG_OK; LG_NOTFOUND; LG_READONLY. */
int lg_edit(struct lg_txn *txn, struct lg_table *table, struct lg_slice key, void **val, size_t *bytes);

/* Removes a row. Returns: LG_OK; LG_NOTFOUND (protected); LG_READONLY. */
int lg_del(struct lg_txn *txn, struct lg_table *table, struct lg_slice key);

enum lg_scan_flags {
	LG_SCAN_FORWARD = 0,
	LG_SCAN_REVERSE = 1, /* from the high end down */
	LG_SCAN_EDIT = 2,    /* every row comes as lg_edit() gives it: lg_scan_value() is writable */
};

/* Opens a scan over lo <= key < hi (an empty `hi`: to the end) that ends after `limit` rows (0: none). It sees this
 * transaction's own writes made before the scan reaches them. The range that it has crossed is protected from phantoms.
 * Over a hash-partitioned table it merges the partitions in key order, unless lo and hi share the whole prefix.
 * Ownership: *scan belongs to the transaction and ends with it; the keys are copied.
 * Returns:   LG_OK; LG_INVALID (flags; LG_SCAN_EDIT on a replicated table). */
int lg_scan_open(struct lg_txn *txn, struct lg_table *table, struct lg_slice lo, struct lg_slice hi, unsigned flags,
        uint64_t limit, struct lg_scan **scan);

/* Returns: LG_OK and a row; LG_END. Other calls of the transaction may come between. */
int lg_scan_next(struct lg_scan *scan, struct lg_slice *key, struct lg_slice *val);

/* The writable value of the row that lg_scan_next() returned last, with LG_SCAN_EDIT; else NULL. */
void *lg_scan_value(struct lg_scan *scan);

/* Ends a scan early. Ending the transaction does it too. */
void lg_scan_close(struct lg_scan *scan);

/* Ends the transaction; all its writes take effect at one point, or none.
 * Returns: LG_OK; LG_CONFLICT, or the error an earlier call of it returned that forbids commit; LG_LIMIT (more changes than half a
 *          redo ring takes); LG_FENCED. Nothing was written unless it is LG_OK. */
int lg_commit(struct lg_txn *txn);

/* Ends the transaction without effect. LG_OK; LG_ENDED; LG_FORKED. */
int lg_abort(struct lg_txn *txn);

/* ---- When a commit is durable --------------------------------------------------------------------------------------
 *
 * At LG_DURABILITY_DISK lg_commit() returns as soon as the commit is sealed in pod memory: from then on all transactions
 * see it, and no death of a host undoes it. It is durable, and may be told to a client, once its epoch is on disk in the
 * logs of all hosts: some milliseconds later, for all transactions of that epoch at once. A worker does not have to wait:
 * it keeps the ticket, runs further transactions, and answers its clients as tickets become durable. That holds for
 * transactions that only read too: what they have read may not be durable yet.
 *
 * A ticket is plain data: it can be stored, and asked about by any host of the pod at any later time. In pods of lower
 * durability tickets are durable at once.
 */
struct lg_ticket {
	uint64_t epoch; /* 0: durable from the beginning; UINT64_MAX: of no commit */
	uint64_t life;  /* of the pod: lg_pod_recover() begins the next */
};

/* The ticket of the transaction that `worker` has committed last, by lg_commit() or lg_run(); if the last one failed to
 * commit, a ticket whose outcome is LG_OUTCOME_ABORTED. */
struct lg_ticket lg_last_ticket(const struct lg_worker *worker);

enum lg_outcome {
	LG_OUTCOME_PENDING, /* committed, and not durable yet */
	LG_OUTCOME_DURABLE, /* committed for good */
	LG_OUTCOME_ABORTED, /* undone: the pod lost its power before it was durable; or it never was a commit */
};

/* What became of it; never waits. Returns: LG_OK and *outcome; LG_FORKED. */
int lg_status(struct lg_host *host, struct lg_ticket ticket, enum lg_outcome *outcome);

/* Waits until it is durable, at most timeout_ms.
 * Returns: LG_OK; LG_CONFLICT (LG_OUTCOME_ABORTED); LG_UNAVAILABLE (not yet, after timeout_ms); LG_FENCED; LG_NOSPACE, LG_SYSTEM
 *          (not yet, and this host's log cannot be written: lg_host_log_state()); LG_FORKED. */
int lg_wait(struct lg_host *host, struct lg_ticket ticket, uint32_t timeout_ms);

/* Calls `durable` once the ticket is, on the service thread, which it must not hold up, or at once, on this thread, if it
 * is already. What is still waited for when the host closes is called then, with `code` as lg_wait() would return; else
 * it is LG_OK. Returns: LG_OK; LG_NOSPACE; LG_FORKED. */
int lg_notify(struct lg_host *host, struct lg_ticket ticket, void (*durable)(void *argument, int code), void *argument);

/* lg_commit(), and then lg_wait() without end. Returns: as both; after LG_FENCED, LG_NOSPACE and LG_SYSTEM lg_status() of
 * lg_last_ticket() tells whether it was committed. */
int lg_commit_durable(struct lg_txn *txn);

/* Waits until all that this host has committed, loaded and created so far is durable on disk, in any pod with a data
 * directory. Returns: as lg_wait(). */
int lg_sync(struct lg_host *host, uint32_t timeout_ms);

/* The epoch that is durable in the logs of all hosts; 0: there are none. */
uint64_t lg_durable_epoch(const struct lg_host *host);

enum lg_abort_reason {
	LG_ABORT_USER,       /* lg_abort() */
	LG_ABORT_INTENT,     /* a row stayed under another's intent */
	LG_ABORT_LOCK,       /* a row stayed locked */
	LG_ABORT_VALIDATION, /* a row that was read had changed */
	LG_ABORT_PHANTOM,    /* a range that was scanned, or a gap that was read, had changed */
	LG_ABORT_MOVED,      /* a row moved between host memory and pod memory */
	LG_ABORT_BUSY,  /* the owner could not move a row or range in: it was being written, or space is being freed */
	LG_ABORT_ERROR, /* LG_UNAVAILABLE, LG_NOSPACE, ... */
	LG_ABORT_REASON_COUNT
};

const char *lg_abort_reason_name(enum lg_abort_reason reason);

/* Why the last call of the transaction that failed did so; also after its end, until the next begins. */
struct lg_detail {
	int code;
	enum lg_abort_reason reason;
	int holder; /* host id that held the row's intent or lock, or that owns it; -1 if unknown */
	char table[LG_MAX_NAME_BYTES + 1];
	uint16_t key_bytes; /* of the whole key */
	uint8_t key[LG_MAX_KEY_BYTES];
	char message[256];
};

void lg_txn_detail(const struct lg_txn *txn, struct lg_detail *detail);

/* Runs body(txn, arg) in a transaction and commits it. When either returns LG_CONFLICT it aborts, waits a random,
 * exponentially growing time and begins again. A transaction that has lost LG_RUN_PRIORITY_AFTER times takes the pod's
 * priority, which holds new transactions of all hosts back until it is through. At the latest its attempt number
 * LG_RUN_MOST_ATTEMPTS runs when all others have ended, and wins, provided that each takes less than ten epochs
 * (docs/architecture.md, section 10; want of pod memory, and hosts that die, may cost it more).
 * At most lg_host_config.max_running attempts of a host run at once; others wait before they begin.
 * If body returns another code, the transaction is aborted and lg_run() returns that code (any number; codes from 1000
 * on are never used by Liger), provided that what body has read still holds: else that was a loss too, and body runs
 * again. body may run many times: it must have no effect but through txn.
 * Returns: what lg_commit() or body returned last. */
#define LG_RUN_PRIORITY_AFTER 16
#define LG_RUN_MOST_ATTEMPTS  21
int lg_run(struct lg_worker *worker, int (*body)(struct lg_txn *txn, void *arg), void *arg);

/* ---- Loading ----------------------------------------------------------------------------------------------------- */

/* Adds one committed row outside any transaction, fast: into a partition that this host owns, or into this host's copy
 * of a replicated table. The worker must have no transaction running.
 * Returns: LG_OK; LG_EXISTS; LG_INVALID (the partition is another host's, or a transaction runs); LG_READONLY (sealed);
 *          LG_LIMIT; LG_NOSPACE. */
int lg_load(struct lg_worker *worker, struct lg_table *table, struct lg_slice key, struct lg_slice val);

/* Ends the load of this host's copy of a replicated table. Until then reads of it return LG_UNAVAILABLE. */
int lg_table_seal(struct lg_table *table);

/* ---- Counters ---------------------------------------------------------------------------------------------------- */

/* Sums over the host's workers (closed ones too) and its service thread, since lg_host_open(). */
struct lg_stats {
	uint64_t commits, read_only_commits;
	uint64_t aborts[LG_ABORT_REASON_COUNT];
	uint64_t priorities;                       /* times a transaction took the pod's priority */
	uint64_t queued;                           /* attempts that waited for their turn: lg_host_config.max_running */
	uint64_t let_in;                           /* of them, that did not get one, and ran because nobody got on */
	uint64_t requests_sent, requests_served;   /* messages that ask, messages answered */
	uint64_t moved_in, moved_out;              /* rows, by this host as owner */
	uint64_t directory_hits, directory_misses; /* of this host's look-ups in others' directories */
	uint64_t remote_reads;                     /* rows of others read in pod memory */
	/* of hosts that died: recoveries finished here, shared rows that got what was sealed, words that were freed */
	uint64_t recoveries, rows_redone, words_freed;
	uint64_t redo_bytes; /* of sealed records */
	uint64_t ring_waits; /* times that a commit waited for room in its redo ring */
	/* of the log on disk */
	uint64_t checkpoints, checkpoint_bytes; /* made; of rows in them */
	uint64_t log_batches, log_bytes;        /* written, and durable; with headers and padding */
	uint64_t rows_rebuilt,
	        rebuild_bytes; /* when the host joined: rows, and bytes of logs that were read for them */
	/* accesses to pod memory */
	uint64_t word_writes;     /* atomic stores and read-modify-writes to HWcc */
	uint64_t epoch_publishes; /* those of them that tell the pod the oldest running epoch: one a worker and epoch */
	uint64_t line_reads, line_writes; /* 64-byte lines of SWcc copied out, written and written back */
	uint64_t line_flushes;            /* lines flushed because their tag did not match */
	uint64_t fences;
	/* memory now in use by this host, in bytes */
	uint64_t hwcc_row_bytes, hwcc_leaf_bytes, hwcc_claimed_bytes, hwcc_fixed_bytes;
	uint64_t swcc_frame_bytes, swcc_directory_bytes, swcc_claimed_bytes, swcc_payload_bytes, swcc_fixed_bytes;
	uint64_t shared_rows;
	uint64_t dram_bytes;
};

void lg_host_stats(const struct lg_host *host, struct lg_stats *stats);

/* The same counters of pod accesses of one worker alone (memory fields 0). Call it on the worker's thread. */
void lg_worker_stats(const struct lg_worker *worker, struct lg_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
