/* trace.c: see trace.h. A line is
 *
 *     STEP HOST.THREAD  WHAT PLACE VALUE
 *
 * with the place as the layout of a pod has it, and the fibers in one column each host, so that it reads as a table. */
#include "trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "cxl/port.h"
#include "emulation/private.h"
#include "world.h"

static FILE *out;
static bool all;
static uint64_t number;

static void mix(uint64_t value)
{
	number = (number ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	number ^= number >> 29;
}

void trace_begin(FILE *to, bool accesses)
{
	out = to;
	all = accesses;
	number = UINT64_C(0x6c69676572);
}

uint64_t trace_number(void)
{
	return number;
}

void trace_switch(const struct world_fiber *to)
{
	mix((uint64_t)(to - world.fibers));
}

static void head(void)
{
	const struct world_fiber *running = world.running;
	unsigned column = running && running->process ? running->process->host + 1 : 0;
	fprintf(out, "%8" PRIu64 " %*s%-12s ", world.step, (int)(column * 4), "", running ? running->name : "-");
}

static void place(char text[48], uint64_t offset)
{
	if (offset < POD_CLOCK_OFFSET)
		snprintf(text, 48, "header+%" PRIu64, offset);
	else if (offset < POD_MEMBERS_OFFSET)
		snprintf(text, 48, "clock+%" PRIu64, offset - POD_CLOCK_OFFSET);
	else if (offset < POD_DOORBELLS_OFFSET)
		snprintf(text, 48, "member%" PRIu64 "+%" PRIu64, (offset - POD_MEMBERS_OFFSET) / 128, offset % 128);
	else if (offset < POD_PARTITIONS_OFFSET)
		snprintf(text, 48, "doorbell%" PRIu64, (offset - POD_DOORBELLS_OFFSET) / 64);
	else if (offset < POD_OWNERS_OFFSET)
		snprintf(text, 48, "partition%" PRIu64, (offset - POD_PARTITIONS_OFFSET) / 8);
	else
		snprintf(text, 48, "%#" PRIx64, offset);
}

void trace_access(const char *what, uint64_t offset, uint64_t value)
{
	mix(offset ^ (uint64_t)(unsigned char)what[0] << 56);
	mix(value);
	if (!out || !all)
		return;
	char where[48];
	place(where, offset);
	head();
	fprintf(out, "%-10s %-14s %#" PRIx64 "\n", what, where, value);
}

void trace_text(const char *format, ...)
{
	if (!out)
		return;
	va_list arguments;
	va_start(arguments, format);
	head();
	vfprintf(out, format, arguments);
	fputc('\n', out);
	va_end(arguments);
}
