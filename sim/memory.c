/* memory.c: see memory.h. The point comes before the access: what the running fiber knows is as old as its last access,
 * which is what a preempted thread would know.
 *
 * Who goes through much memory, word after word, as in clearing a table, has a point at every BULK_POINT words from the
 * BULK_BEGINS'th on: a seed's steps are for what may go wrong. */
#include "memory.h"

#include <string.h>

#include "emulation/private.h"
#include "emulation/shared.h"
#include "os.h"
#include "rules.h"
#include "trace.h"
#include "world.h"

enum { BULK_BEGINS = 192, BULK_POINT = 256 };

/* The point before an access to `offset`. */
static void point(uint64_t offset)
{
	struct world_fiber *fiber = world.running;
	if (!fiber)
		return;
	bool next = offset > fiber->bulk_offset ? offset - fiber->bulk_offset <= 2 * EMU_LINE_BYTES
	                                        : fiber->bulk_offset - offset < 2 * EMU_LINE_BYTES;
	fiber->bulk_run = next ? fiber->bulk_run + 1 : 0;
	fiber->bulk_offset = offset;
	if (fiber->bulk_run < BULK_BEGINS || fiber->bulk_run % BULK_POINT == 0)
		world_point();
}

struct emu_pod *sim_emu_pod_open(
        const struct emu_config *config, enum emu_failure *failure, char message[EMU_MESSAGE_BYTES])
{
	/* Not the host's own mapping, but the one that outlives it, of the same memory; and no file for what is shared. What of
	 * that a seed leaves is the head with the state of coherent lines, and their images at the end. */
	struct emu_config ours = *config;
	ours.raw = sim_region();
	ours.shared = sim_shared(emu_shared_bytes(config->bytes, config->coherent_bytes),
	        sizeof(struct emu_shared) + config->coherent_bytes / EMU_LINE_BYTES * sizeof(uint64_t),
	        config->coherent_bytes);
	struct emu_pod *pod = emu_pod_open(&ours, failure, message);
	struct world_process *process = world_process();
	if (process && pod)
		process->memory = pod;
	return pod;
}

static void forget(const struct emu_pod *pod)
{
	struct world_process *process = world_process();
	if (process && process->memory == pod)
		process->memory = NULL;
}

void sim_emu_pod_close(struct emu_pod *pod)
{
	forget(pod);
	emu_pod_close(pod);
}

void sim_emu_pod_close_lossy(struct emu_pod *pod)
{
	forget(pod);
	emu_pod_close_lossy(pod);
}

uint64_t sim_emu_word_load(struct emu_thread *thread, uint64_t offset)
{
	point(offset);
	uint64_t value = emu_word_load(thread, offset);
	trace_access("load", offset, value);
	return value;
}

void sim_emu_word_store(struct emu_thread *thread, uint64_t offset, uint64_t value)
{
	point(offset);
	uint64_t before = rules_look(offset);
	sim_region_wrote(offset, 8);
	emu_word_store(thread, offset, value);
	rules_check(thread->pod->config.host, offset, before, value);
	trace_access("store", offset, value);
}

bool sim_emu_word_swap(struct emu_thread *thread, uint64_t offset, uint64_t *seen, uint64_t to)
{
	point(offset);
	sim_region_wrote(offset, 8);
	bool swapped = emu_word_swap(thread, offset, seen, to);
	if (swapped)
		rules_check(thread->pod->config.host, offset, *seen, to);
	trace_access(swapped ? "swap" : "no swap", offset, swapped ? to : *seen);
	return swapped;
}

uint64_t sim_emu_word_rmw(struct emu_thread *thread, uint64_t offset, enum emu_rmw operation, uint64_t operand)
{
	static const char *const names[] = {"add", "and", "or", "xor", "exchange"};
	point(offset);
	sim_region_wrote(offset, 8);
	uint64_t before = emu_word_rmw(thread, offset, operation, operand);
	rules_check(thread->pod->config.host, offset, before, rules_look(offset));
	trace_access(names[operation], offset, before);
	return before;
}

uint64_t sim_emu_load64(struct emu_thread *thread, uint64_t offset)
{
	point(offset);
	uint64_t value = emu_load64(thread, offset);
	trace_access("read", offset, value);
	return value;
}

void sim_emu_store64(struct emu_thread *thread, uint64_t offset, uint64_t value)
{
	point(offset);
	sim_region_wrote(offset, 8);
	emu_store64(thread, offset, value);
	trace_access("write", offset, value);
}

/* Of a line's bytes as one number. */
static uint64_t sum(const void *bytes, size_t count)
{
	uint64_t total = 0;
	for (size_t i = 0; i + 8 <= count; i += 8) {
		uint64_t word;
		memcpy(&word, (const uint8_t *)bytes + i, 8);
		total = (total ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		total ^= total >> 31;
	}
	return total >> 32;
}

void sim_emu_line_out(struct emu_thread *thread, uint64_t line, void *dst, size_t bytes)
{
	point(line);
	emu_line_out(thread, line, dst, bytes);
	trace_access("line out", line, sum(dst, bytes));
}

void sim_emu_line_in(struct emu_thread *thread, uint64_t line, const void *src, size_t bytes)
{
	point(line);
	sim_region_wrote(line, bytes);
	emu_line_in(thread, line, src, bytes);
	trace_access("line in", line, sum(src, bytes));
}

/* Tag and payload are two accesses: others may go on between them. */
uint64_t sim_emu_line_read(struct emu_thread *thread, uint64_t line, void *payload, size_t bytes)
{
	uint64_t tag = sim_emu_load64(thread, line + bytes);
	sim_emu_line_out(thread, line, payload, bytes);
	return tag;
}

void sim_emu_line_write(struct emu_thread *thread, uint64_t line, const void *payload, size_t bytes, uint64_t tag)
{
	sim_emu_line_in(thread, line, payload, bytes);
	sim_emu_store64(thread, line + bytes, tag);
}

void sim_emu_stream_out(struct emu_thread *thread, uint64_t line, void *dst, size_t bytes)
{
	point(line);
	emu_stream_out(thread, line, dst, bytes);
	trace_access("stream out", line, sum(dst, bytes));
}

void sim_emu_stream_in(struct emu_thread *thread, uint64_t line, const void *src, size_t bytes)
{
	point(line);
	sim_region_wrote(line, bytes);
	emu_stream_in(thread, line, src, bytes);
	trace_access("stream in", line, sum(src, bytes));
}

void sim_emu_write_back(struct emu_thread *thread, uint64_t offset)
{
	point(offset);
	emu_write_back(thread, offset);
	trace_access("back", offset, 0);
}

void sim_emu_flush(struct emu_thread *thread, uint64_t offset)
{
	point(offset);
	emu_flush(thread, offset);
	trace_access("flush", offset, 0);
}

void sim_emu_fence(struct emu_thread *thread)
{
	world_point();
	emu_fence(thread);
	trace_access("fence", 0, 0);
}

void sim_emu_full_fence(struct emu_thread *thread)
{
	world_point();
	emu_full_fence(thread);
	trace_access("full fence", 0, 0);
}
