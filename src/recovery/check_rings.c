/* check_rings.c: the sealed records in every worker's redo ring. See check.h.
 *
 * What is not sealed is no finding: a commit that never was, or one that is being written. What is sealed has its
 * checksum; so a record that contradicts itself or its ring was written so. Whether its writes have been installed is not
 * asked here: until its worker's next record they may be on their way.
 */
#include <inttypes.h>

#include "recovery/check.h"
#include "recovery/record.h"
#include "recovery/ring.h"

struct ring_check {
	struct check *check;
	struct check_place place;
};

static int check_record(const struct redo_head *record, void *argument)
{
	struct ring_check *ring = argument;
	struct check *check = ring->check;
	unsigned writes = 0, host = (unsigned)ring->place.host;
	uint32_t offset = sizeof *record;
	struct redo_view view;
	check->report.ring_records++;
	ring->place.seen = record->version;
	if (record->host != host || record->incarnation > check->incarnations[host])
		check_find(check, &ring->place, "a record says that it is host %u's, of incarnation %u", record->host,
		        record->incarnation);
	else if (record->version > WORD_VERSION || !check_version_possible(check, record->version))
		check_find(check, &ring->place,
		        "a record's version is of epoch %" PRIu64 ", but the pod is in epoch %" PRIu64,
		        version_epoch(record->version), check->epoch);
	while (writes < record->write_count && redo_next(record, &offset, &view)) {
		if (view.write->table >= catalog_count(&check->port))
			check_find(check, &ring->place, "a record writes to table %u, which there is not",
			        view.write->table);
		writes++;
	}
	if (writes < record->write_count)
		check_find(check, &ring->place, "a record counts %u writes, but has %u", record->write_count, writes);
	return LG_OK;
}

void check_rings(struct check *check)
{
	struct ring_check ring = {.check = check, .place = {.rule = "ring.record", .table = -1}};
	for (unsigned host = 0; host < check->geometry->host_count; host++) {
		for (unsigned slot = 0; slot < check->geometry->redo_workers; slot++) {
			ring.place.host = (int)host;
			ring.place.offset = ring_offset(check->geometry, host, slot);
			check->report.rings++;
			if (ring_scan(&check->port, host, slot, check_record, &ring) == LG_NOSPACE)
				check->no_memory = true;
		}
	}
}
