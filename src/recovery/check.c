/* check.c: lg_pod_check(): looks at a region, twice and more where members are alive. See check.h. */
#include "recovery/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cxl/observer.h"

enum { MOST_LOOKS = 3, EPOCHS_BETWEEN = 2, MOST_WAIT_MS = 3000 };

void check_find(struct check *check, const struct check_place *place, const char *format, ...)
{
	check->report.findings++;
	if (check->kept == CHECK_KEPT)
		return;
	struct check_found *found = &check->found[check->kept++];
	*found = (struct check_found){.seen = place->seen,
	        .finding = {.rule = place->rule,
	                .offset = place->offset,
	                .host = place->host,
	                .table = place->table,
	                .word = place->word,
	                .key_bytes = (uint16_t)place->key.bytes}};
	if (place->key.bytes)
		memcpy(found->finding.key, place->key.data,
		        place->key.bytes < sizeof found->finding.key ? place->key.bytes : sizeof found->finding.key);
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(found->text, sizeof found->text, format, arguments);
	va_end(arguments);
}

void check_forget_lines(struct check *check, pod_off offset, uint64_t bytes)
{
	for (uint64_t at = 0; at < bytes; at += LINE_BYTES)
		port_flush(&check->port, offset + at);
	port_full_fence(&check->port);
}

unsigned check_word_owner(const struct check *check, word_idx word)
{
	pod_off first = check->geometry->words_offset, offset = (pod_off)word * 8;
	if (offset < first || (offset - first) / WORD_BLOCK_BYTES >= check->geometry->block_count)
		return CHECK_NOBODY;
	return check->block_owner[(offset - first) / WORD_BLOCK_BYTES];
}

unsigned check_extent_owner(const struct check *check, pod_off offset)
{
	pod_off first = check->geometry->extents_offset;
	if (offset < first || (offset - first) / EXTENT_BYTES >= check->geometry->extent_count)
		return CHECK_NOBODY;
	return check->extent_owner[(offset - first) / EXTENT_BYTES];
}

struct check_row *check_row_of(struct check *check, word_idx word, bool make)
{
	if (check_word_owner(check, word) == CHECK_NOBODY)
		return NULL;
	uint64_t number = ((pod_off)word * 8 - check->geometry->words_offset) / 8;
	struct check_row **block = &check->rows[number / WORDS_PER_BLOCK];
	if (!*block && make && !(*block = calloc(WORDS_PER_BLOCK, sizeof **block)))
		check->no_memory = true;
	return *block ? &(*block)[number % WORDS_PER_BLOCK] : NULL;
}

/* ---- One look ---- */

static void forget_look(struct check *check)
{
	for (unsigned id = 0; id < LG_MAX_TABLES; id++)
		free(check->tables[id].def.splits);
	for (uint64_t block = 0; check->rows && block < check->geometry->block_count; block++)
		free(check->rows[block]);
	free((void *)check->rows);
	free(check->extent_owner);
	free(check->block_owner);
	free(check->found);
	free(check);
}

/* Looks at everything once. NULL: no private memory. The caller frees it with forget_look(). */
static struct check *look(struct observer *observer)
{
	const struct pod_geometry *geometry = &observer->region.geometry;
	struct check *check = calloc(1, sizeof *check);
	if (!check)
		return NULL;
	observer_port(observer, &check->port);
	check->geometry = geometry;
	check->rows = calloc(geometry->block_count + 1, sizeof(struct check_row *));
	check->extent_owner = malloc(geometry->extent_count + 1);
	check->block_owner = malloc(geometry->block_count + 1);
	check->found = malloc(CHECK_KEPT * sizeof *check->found);
	if (!check->rows || !check->extent_owner || !check->block_owner || !check->found) {
		forget_look(check);
		return NULL;
	}
	check->epoch = check->report.epoch = epoch_load(&check->port);
	check_members(check);
	check_owners(check);
	check_fixed(check);
	check_frames(check);
	check_directories(check);
	check_words(check);
	check_rings(check);
	if (check->no_memory) {
		forget_look(check);
		return NULL;
	}
	return check;
}

/* ---- Several ---- */

static int compare_found(const void *a, const void *b)
{
	const struct check_found *x = a, *y = b;
	if (x->finding.offset != y->finding.offset)
		return x->finding.offset < y->finding.offset ? -1 : 1;
	int order = strcmp(x->finding.rule, y->finding.rule);
	if (order)
		return order;
	return x->seen == y->seen ? 0 : x->seen < y->seen ? -1 : 1;
}

/* Leaves in `now` what `before` found at the same place with the same bytes. Both are sorted. What was only counted, since
 * there was no room to keep it, stays counted. */
static void keep_common(struct check *now, const struct check *before)
{
	size_t kept = 0;
	for (size_t i = 0; i < now->kept; i++)
		if (bsearch(&now->found[i], before->found, before->kept, sizeof *before->found, compare_found))
			now->found[kept++] = now->found[i];
	now->report.findings -= now->kept - kept;
	now->kept = kept;
}

/* Until what ran at the time of the last look has most likely ended. A pod whose epoch stands still is not waited for long. */
static void wait_for_epochs(const struct check *check)
{
	const struct timespec nap = {.tv_nsec = 1000000};
	uint64_t wanted = epoch_load(&check->port) + EPOCHS_BETWEEN;
	for (unsigned ms = 0; ms < MOST_WAIT_MS && epoch_load(&check->port) < wanted; ms++)
		nanosleep(&nap, NULL);
}

static bool anybody_here(const struct check *check)
{
	for (unsigned host = 0; host < check->geometry->host_count; host++)
		if (check->hosts[host] == CHECK_HERE)
			return true;
	return false;
}

/* The last look, with what all of them found. NULL: no private memory. */
static struct check *look_often(struct observer *observer, unsigned most)
{
	struct check *now = look(observer);
	uint32_t looks = 1;
	while (now) {
		qsort(now->found, now->kept, sizeof *now->found, compare_found);
		now->report.looks = looks;
		if (looks == most || !now->report.findings || !anybody_here(now))
			return now;
		struct check *before = now;
		wait_for_epochs(before);
		now = look(observer);
		looks++;
		if (now) {
			qsort(now->found, now->kept, sizeof *now->found, compare_found);
			keep_common(now, before);
		}
		forget_look(before);
	}
	return NULL;
}

static int check_pod(const char *uri, const char *mode, unsigned flags,
        void (*found)(const struct lg_check_finding *finding, void *argument), void *argument,
        struct lg_check_report *report, struct lg_error *err)
{
	struct observer observer;
	memset(report, 0, sizeof *report);
	if (flags & ~(unsigned)LG_CHECK_ONCE)
		return error_set(err, LG_INVALID, "lg_pod_check(): the flags %#x are none that it knows", flags);
	int code = observer_open(&observer, uri, mode, err);
	if (code)
		return code;
	struct check *check = look_often(&observer, flags & LG_CHECK_ONCE ? 1 : MOST_LOOKS);
	if (check) {
		*report = check->report;
		for (size_t i = 0; found && i < check->kept; i++) {
			check->found[i].finding.text = check->found[i].text;
			found(&check->found[i].finding, argument);
		}
		forget_look(check);
	} else {
		code = error_set(err, LG_NOSPACE, "no private memory to check %s", uri);
	}
	observer_close(&observer);
	return code;
}

int lg_pod_check(const char *uri, unsigned flags, void (*found)(const struct lg_check_finding *finding, void *argument),
        void *argument, struct lg_check_report *report, struct lg_error *err)
{
	return check_pod(uri, NULL, flags, found, argument, report, err);
}

int lg_pod_check_emulated(const char *uri, const char *emulate, unsigned flags,
        void (*found)(const struct lg_check_finding *finding, void *argument), void *argument,
        struct lg_check_report *report, struct lg_error *err)
{
	return check_pod(uri, emulation_mode(emulate), flags, found, argument, report, err);
}
