/* progress.c: progress on stderr (progress.h). */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ticks.h"

enum { BAR_CELLS = 30 };

void progress_open(struct progress *p, bool on)
{
	memset(p, 0, sizeof(*p));
	p->on = on;
	p->terminal = isatty(STDERR_FILENO) == 1;
}

/* Is it time for another line? `last`: of its phase, always shown off a terminal. */
static bool is_due(struct progress *p, bool last)
{
	uint64_t now = monotonic_ns(), interval = p->terminal ? 500000000u : 1000000000u;

	if (!p->on || (now - p->shown_ns < interval && !last))
		return false;
	p->shown_ns = now;
	return true;
}

static void show(struct progress *p, const char *line)
{
	if (p->terminal)
		fprintf(stderr, "\r\033[K%s", line);
	else
		fprintf(stderr, "%s\n", line);
	p->line_open = p->terminal;
}

void progress_load(struct progress *p, uint64_t rows, uint64_t total)
{
	char bar[BAR_CELLS + 1], line[160];
	uint64_t percent = total ? rows * 100 / total : 100;
	uint32_t cells;

	if (!is_due(p, false))
		return;
	if (percent > 100)
		percent = 100;
	cells = (uint32_t)(percent * BAR_CELLS / 100);
	memset(bar, '.', BAR_CELLS);
	memset(bar, '#', cells);
	bar[BAR_CELLS] = '\0';
	snprintf(line, sizeof(line), "load     [%s] %3llu%%  %llu of %llu rows", bar, (unsigned long long)percent,
	        (unsigned long long)rows, (unsigned long long)total);
	show(p, line);
}

void progress_run(struct progress *p, const char *phase, uint64_t commits_per_s, double seconds, double total)
{
	char line[160];

	/* None yet: the first rate is known half a second into the first phase. */
	if (commits_per_s == 0 || !is_due(p, false))
		return;
	snprintf(line, sizeof(line), "%-8s %4.1f of %.1f s  %12llu commits/s", phase, seconds, total,
	        (unsigned long long)commits_per_s);
	show(p, line);
}

void progress_say(struct progress *p, const char *what)
{
	if (is_due(p, true))
		show(p, what);
}

void progress_clear(struct progress *p)
{
	if (p->on && p->line_open)
		fprintf(stderr, "\r\033[K");
	p->line_open = false;
}
