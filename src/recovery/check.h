/* check.h: `liger pod check` inside: what one look at a region knows, and how it says what it finds.
 *
 *   check.c            the looks, what is found in all of them, lg_pod_check()
 *   check_fixed.c      clock, members, catalog, partition map, doorbells, channels
 *   check_space.c      who owns which extents and word blocks; every word
 *   check_frames.c     every frame, and which word it is of
 *   check_directory.c  every host's directory
 *   check_rings.c      redo rings
 *
 * A look changes nothing, and takes nothing from the region for granted but what region_attach() has checked: every number
 * is compared with the private geometry before it is used. The rules stand in docs/pod-check.md, where a test finds them all.
 */
#ifndef LIGER_RECOVERY_CHECK_H
#define LIGER_RECOVERY_CHECK_H

#include "cxl/extent.h"
#include "cxl/pod.h"
#include "engine/table.h"

/* What a host is to who judges what it holds. */
enum check_host {
	CHECK_AWAY, /* no member: it must hold nothing */
	CHECK_HERE, /* a member, as far as can be told from here */
	CHECK_GONE, /* it died: not recovered yet, or recovered and not back; its space stays its own */
};

/* What is known of a word of a taken block after the frames were looked at. */
struct check_row {
	pod_off frame;             /* the current one; 0: none */
	uint64_t hash;             /* of its key, where that could be read */
	bool in_directory, missed; /* missed: reported that it has no frame */
};

enum { CHECK_KEPT = 65536, CHECK_TEXT_BYTES = 240 };

struct check_found {
	struct lg_check_finding finding;
	uint64_t seen; /* what stood there: another look must find the same */
	char text[CHECK_TEXT_BYTES];
};

struct check {
	struct cxl_port port;
	const struct pod_geometry *geometry;
	struct lg_check_report report;
	uint64_t epoch;
	enum check_host hosts[LG_MAX_HOSTS];
	uint64_t incarnations[LG_MAX_HOSTS];
	struct lg_table tables[LG_MAX_TABLES]; /* only .def; name "": damaged */
	uint8_t *extent_owner, *block_owner;   /* by number; CHECK_NOBODY */
	struct check_row **rows;               /* by block; NULL: no frame of it */
	struct check_found *found;
	size_t kept;
	bool no_memory;
};
enum { CHECK_NOBODY = 0xff };

/* Where and of whom; what does not apply is CHECK_NO_PLACE's. */
struct check_place {
	const char *rule;
	pod_off offset;
	uint64_t seen;
	int host, table;
	word_idx word;
	struct lg_slice key;
};

/* A finding. It is counted, and kept if there is room. */
void check_find(struct check *check, const struct check_place *place, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* The parts of a look, in this order. */
void check_members(struct check *check);
void check_fixed(struct check *check);
void check_owners(struct check *check);
void check_frames(struct check *check);
void check_directories(struct check *check);
void check_words(struct check *check);
void check_rings(struct check *check);

/* Drops lines from this CPU's caches: what is loaded next comes from memory. */
void check_forget_lines(struct check *check, pod_off offset, uint64_t bytes);
/* What the frames say of a word; NULL: it is no word of a taken block, or `make` is false and no frame of the block is known. */
struct check_row *check_row_of(struct check *check, word_idx word, bool make);
/* The host that owns the block of a word, or the extent of an offset; CHECK_NOBODY. */
unsigned check_word_owner(const struct check *check, word_idx word);
unsigned check_extent_owner(const struct check *check, pod_off offset);

static inline bool check_version_possible(const struct check *check, uint64_t version)
{
	/* A committer that ran out of sequence numbers ticks the epoch after it has chosen: txn/commit.c. */
	return version_epoch(version) <= check->epoch + 1;
}

#endif
