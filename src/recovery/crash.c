/* crash.c: see crash.h. */
#include "recovery/crash.h"

#include <stdlib.h>

#include "cxl/catalog.h"
#include "cxl/extent.h"
#include "cxl/frame.h"
#include "recovery/record.h"
#include "recovery/ring.h"
#include "recovery/stream.h"

struct redo {
	struct lg_worker *w;
	unsigned dead;
	uint8_t *payload; /* of the greatest frame */
};

enum { FRAME_BYTES = FRAME_MAX_LINES * LINE_PAYLOAD_BYTES + LINE_BYTES };

/* Whether a place from a record can be one at all: it was checked by checksum, but nothing read from the pod is trusted. */
static bool place_valid(const struct cxl_port *port, const struct redo_view *view)
{
	const struct redo_place *place = view->place;
	return word_idx_valid(port, place->word) && place->line_count <= FRAME_MAX_LINES &&
	       frame_lines_for(view->key.bytes, view->write->val_bytes) <= place->line_count &&
	       frame_off_valid(port, place->frame, place->line_count);
}

/* What memory has in a frame's lines, whatever their tags say. */
static void read_lines(struct cxl_port *port, pod_off frame, uint32_t lines, uint8_t *to)
{
	for (uint32_t i = 0; i < lines; i++)
		port_flush(port, frame + (pod_off)i * LINE_BYTES);
	port_full_fence(port);
	for (uint32_t i = 0; i < lines; i++) {
		uint64_t payload[LINE_BYTES / 8];
		line_copy_out(port, frame + (pod_off)i * LINE_BYTES, payload);
		memcpy(to + (size_t)i * LINE_PAYLOAD_BYTES, payload, LINE_PAYLOAD_BYTES);
	}
}

/* Lays the row out as the record says it is. */
static uint32_t lay_out(struct cxl_port *port, const struct redo_view *view, uint8_t *payload)
{
	struct frame_head head = {.word = view->place->word,
	        .val_bytes = view->write->val_bytes,
	        .key_bytes = view->write->key_bytes,
	        .partition = view->write->partition,
	        .line_count = view->place->line_count,
	        .table = view->write->table};
	uint32_t lines = frame_lines_for(head.key_bytes, head.val_bytes);
	size_t before_val = sizeof head + ((head.key_bytes + 7u) & ~7u);
	memset(payload, 0, (size_t)lines * LINE_PAYLOAD_BYTES);
	if (view->kind == REDO_PATCH)
		read_lines(port, view->place->frame, lines, payload); /* record.h: changed ranges */
	memcpy(payload, &head, sizeof head);
	memcpy(payload + sizeof head, view->key.data, view->key.bytes);
	redo_apply(view, payload + before_val);
	return lines;
}

static void redo_write(struct redo *redo, const struct redo_view *view, uint64_t version)
{
	struct cxl_port *port = &redo->w->port;
	if (!view->place || !place_valid(port, view))
		return;
	word_ref ref = word_ref_shared(view->place->word);
	uint64_t word = word_load(port, ref);
	if (!(word & WORD_LOCK) || (word & WORD_AWAY) || word_holder(word) != redo->dead ||
	        (word & WORD_VERSION) >= version)
		return;
	frame_write(port, view->place->frame, version, redo->payload, lay_out(port, view, redo->payload));
	port_fence(port);
	epoch_reach(port, version_epoch(version)); /* the dead host's tick may be lost with it */
	CRASH_POINT(RECOVERY_MID_REDO);
	if (!word_swap(port, ref, word, version | WORD_USED | (view->kind == REDO_DEL ? WORD_ABSENT : 0)))
		return; /* somebody else recovers it too: what is there is his */
	word_write_back(port, ref);
	redo->w->counts.redone++;
}

static int redo_record(const struct redo_head *record, void *argument)
{
	struct redo *redo = argument;
	struct redo_view view;
	uint32_t offset = sizeof *record;
	if (record->host != redo->dead || record->version > WORD_VERSION)
		return LG_OK;
	for (unsigned i = 0; i < record->write_count && redo_next(record, &offset, &view); i++)
		redo_write(redo, &view, record->version);
	return LG_OK;
}

/* Recovery takes long: the others must not take this host for dead too. Who recovers its own id has no heart of its own yet. */
static void beat(struct lg_worker *w, unsigned dead)
{
	if (w->host_id != dead)
		member_beat(&w->port, w->host_id);
}

static int redo_rings(struct lg_worker *w, unsigned dead)
{
	struct redo redo = {w, dead, malloc(FRAME_BYTES)};
	if (!redo.payload)
		return LG_NOSPACE;
	int code = LG_OK;
	for (unsigned slot = 0; slot < w->host->geometry->redo_workers && code == LG_OK; slot++) {
		beat(w, dead);
		code = ring_scan(&w->port, dead, slot, redo_record, &redo);
	}
	free(redo.payload);
	return code;
}

/* Takes lock and intent of the dead host off a word. Readers may set `used` meanwhile, others nothing. */
static void free_word(struct lg_worker *w, unsigned dead, word_idx index)
{
	struct cxl_port *port = &w->port;
	word_ref ref = word_ref_shared(index);
	for (;;) {
		uint64_t word = word_load(port, ref);
		if (!(word & (WORD_LOCK | WORD_INTENT)) || (word & WORD_AWAY) || word_holder(word) != dead)
			return;
		if (word_swap(port, ref, word, word & ~(WORD_LOCK | WORD_INTENT | WORD_HOLDER)))
			break;
	}
	word_write_back(port, ref);
	w->counts.freed_words++;
}

static void free_words(struct lg_worker *w, unsigned dead)
{
	const struct pod_geometry *geometry = w->host->geometry;
	for (uint64_t block = 0; block < geometry->block_count; block++) {
		if (block % 64 == 0)
			beat(w, dead);
		if (claim_owner(&w->port, CLAIM_WORDS, block) == geometry->host_count)
			continue;
		word_idx first = block_first_word(geometry, block);
		for (word_idx i = 0; i < WORDS_PER_BLOCK; i++)
			free_word(w, dead, first + i);
	}
}

static void free_priority(struct cxl_port *port, unsigned dead)
{
	uint64_t priority = priority_load(port);
	if (priority != 0 && (priority >> 8 & 0xff) == dead)
		priority_drop(port, priority);
}

int crash_recover(struct lg_worker *service, unsigned dead)
{
	struct cxl_port *port = &service->port;
	CRASH_POINT(RECOVERY_CLAIMED);
	if (port_emulated(port))
		emu_host_died(port->emulation.pod, dead);
	int code = redo_rings(service, dead);
	if (code != LG_OK)
		return code;
	CRASH_POINT(RECOVERY_REDONE);
	free_words(service, dead);
	catalog_free_lock(port, dead);
	free_priority(port, dead);
	port_fence(port);
	code = stream_take_dead(service, dead);
	if (code != LG_OK)
		return code;
	CRASH_POINT(RECOVERY_FREED);
	return LG_OK;
}
