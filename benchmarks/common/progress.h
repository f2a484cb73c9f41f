/* progress.h: what the run is doing, on stderr: on a terminal a line rewritten twice a second, else a line a second. */
#ifndef LIGER_BENCH_PROGRESS_H
#define LIGER_BENCH_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool on, terminal, line_open;
	uint64_t shown_ns; /* when the last line was printed */
};

void progress_open(struct progress *p, bool on);
/* Rows loaded so far. */
void progress_load(struct progress *p, uint64_t rows, uint64_t total);
/* Commits a second of late, and seconds of `total` in this phase ("warm-up", "run"). */
void progress_run(struct progress *p, const char *phase, uint64_t commits_per_s, double seconds, double total);
/* A phase without figures. */
void progress_say(struct progress *p, const char *what);
/* Takes the line on a terminal away. */
void progress_clear(struct progress *p);

#endif
