/* control.c: barriers, signs of life and results as rows of a table (control.h). */
#include "control.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ticks.h"

static const char table_name[] = "bench_control";

enum { PIECE_BYTES = 4096 };

static const uint64_t millisecond = 1000000, second = 1000000000;

/* The step that a host writes after the last barrier: it will not look again. */
static const uint64_t step_farewell = UINT64_MAX;

/* ---- Rows ---- */

struct row_access {
	struct lg_table *table;
	uint8_t key[4];
	const void *put; /* NULL: get */
	void *got;
	size_t bytes;
};

static int access_body(struct lg_txn *txn, void *arg)
{
	struct row_access *a = arg;
	struct lg_slice key = lg_slice(a->key, sizeof(a->key)), val;
	int code;

	if (a->put)
		return lg_put(txn, a->table, key, lg_slice(a->put, a->bytes));
	code = lg_get(txn, a->table, key, &val);
	if (code != LG_OK)
		return code;
	if (val.bytes != a->bytes)
		return LG_CORRUPT;
	memcpy(a->got, val.data, val.bytes);
	return LG_OK;
}

static struct row_access access_to(const struct control *c, enum control_kind kind, uint32_t host, uint32_t piece)
{
	struct row_access a = {
	        .table = c->table, .key = {(uint8_t)kind, (uint8_t)host, (uint8_t)(piece >> 8), (uint8_t)piece}};
	return a;
}

static bool set_failed(struct control *c, enum control_state state, const char *error)
{
	if (c->state == CONTROL_GOOD) {
		c->state = state;
		snprintf(c->error, sizeof(c->error), "%s", error);
	}
	return false;
}

/* Not now, but perhaps later: the owner is not there yet or slow, or memory is short for a moment. */
static bool is_passing(int code)
{
	return code == LG_UNAVAILABLE || code == LG_NOSPACE || code == LG_NOTFOUND;
}

static bool broken(struct control *c, const char *what, int code)
{
	char text[CONTROL_TEXT];

	snprintf(text, sizeof(text), "cannot %s a row of table %s: %s", what, table_name, lg_strerror(code));
	return set_failed(c, CONTROL_FAILED_HERE, text);
}

/* Time that this process has run: while it is stopped (Ctrl-Z) the others' silence does not count. */
static void note_time(struct control *c)
{
	uint64_t now = monotonic_ns(), passed = now - c->looked_ns;

	c->awake_ns += passed < second ? passed : second;
	c->looked_ns = now;
}

/* Runs one access, again and again while the reason it fails for may pass, at most CONTROL_SILENCE_S. */
static bool access_insist(struct control *c, struct row_access *a)
{
	uint64_t begin = c->awake_ns;

	for (;;) {
		int code = lg_run(c->worker, access_body, a);

		if (code == LG_OK)
			return true;
		note_time(c);
		if (!is_passing(code) || c->awake_ns - begin > CONTROL_SILENCE_S * second)
			return broken(c, a->put ? "write" : "read", code);
		control_nap(c);
	}
}

static bool write_host_row(struct control *c)
{
	struct row_access a = access_to(c, CONTROL_HOST, c->host_id, 0);

	c->mine.beat++;
	c->beat_ns = monotonic_ns();
	a.put = &c->mine;
	a.bytes = sizeof(c->mine);
	return access_insist(c, &a);
}

static bool write_go_row(struct control *c)
{
	struct row_access a = access_to(c, CONTROL_GO, 0, 0);

	c->go.beat++;
	c->beat_ns = monotonic_ns();
	a.put = &c->go;
	a.bytes = sizeof(c->go);
	return access_insist(c, &a);
}

/* ---- The others ---- */

/* Host `host` has not given the sign that was looked for: is that long enough to give up? */
static bool judge_silence(struct control *c, uint32_t host)
{
	struct control_peer *peer = &c->peer[host];
	uint64_t limit = peer->seen ? CONTROL_SILENCE_S * second : c->join_ns;
	uint64_t silent = c->awake_ns - peer->heard_ns;
	char text[CONTROL_TEXT];

	if (silent <= limit)
		return true;
	snprintf(text, sizeof(text),
	        peer->seen ? "host %u has given no sign of life for %llu s: it has died or hangs"
	                   : "host %u has not appeared within %llu s: is it started? (--join-seconds)",
	        host, (unsigned long long)(silent / second));
	/* Only host 0 hears all: it tells the others. */
	if (c->host_id == 0)
		control_fail(c, text);
	return set_failed(c, CONTROL_FAILED_HERE, text);
}

static void heard(struct control *c, uint32_t host)
{
	c->peer[host].seen = true;
	c->peer[host].heard_ns = c->awake_ns;
}

/* Host 0: reads what host `k` has written. */
static bool look_at_host(struct control *c, uint32_t k)
{
	struct control_host_row row;
	struct row_access a = access_to(c, CONTROL_HOST, k, 0);
	char text[CONTROL_TEXT];
	int code;

	a.got = &row;
	a.bytes = sizeof(row);
	code = lg_run(c->worker, access_body, &a);
	if (code != LG_OK && !is_passing(code))
		return broken(c, "read", code);
	if (code != LG_OK || row.beat == c->peer[k].row.beat)
		return judge_silence(c, k);
	c->peer[k].row = row;
	heard(c, k);
	if (row.failed) {
		row.text[CONTROL_TEXT - 1] = '\0';
		c->go.failed = 1;
		snprintf(c->go.text, sizeof(c->go.text), "host %u: %.180s", k, row.text);
		write_go_row(c);
		return set_failed(c, CONTROL_FAILED_ELSEWHERE, c->go.text);
	}
	if (row.fingerprint != c->mine.fingerprint) {
		snprintf(text, sizeof(text),
		        "host %u was started with other options than host 0: give all hosts the same", k);
		control_fail(c, text);
		return false;
	}
	return true;
}

/* Other hosts: read what host 0 has written. */
static bool look_at_go(struct control *c)
{
	struct control_go_row row;
	struct row_access a = access_to(c, CONTROL_GO, 0, 0);
	int code;

	a.got = &row;
	a.bytes = sizeof(row);
	code = lg_run(c->worker, access_body, &a);
	if (code != LG_OK && !is_passing(code))
		return broken(c, "read", code);
	if (code != LG_OK || row.beat == c->go.beat)
		return judge_silence(c, 0);
	c->go = row;
	c->go.text[CONTROL_TEXT - 1] = '\0';
	heard(c, 0);
	if (row.failed)
		return set_failed(c, CONTROL_FAILED_ELSEWHERE, c->go.text);
	return true;
}

static bool look_around(struct control *c)
{
	if (c->state != CONTROL_GOOD)
		return false;
	if (c->stop && atomic_load(c->stop)) {
		control_fail(c, "stopped by a signal");
		c->state = CONTROL_STOPPED;
		return false;
	}
	note_time(c);
	if (c->host_id != 0)
		return look_at_go(c);
	for (uint32_t k = 1; k < c->host_count; k++)
		if (!look_at_host(c, k))
			return false;
	return true;
}

bool control_tick(struct control *c)
{
	if (c->state != CONTROL_GOOD)
		return false;
	if (monotonic_ns() - c->beat_ns < CONTROL_BEAT_MS * millisecond)
		return !(c->stop && atomic_load(c->stop)) || look_around(c);
	if (!(c->host_id == 0 ? write_go_row(c) : write_host_row(c)))
		return false;
	return look_around(c);
}

/* ---- Calls ---- */

void control_nap(struct control *c)
{
	struct timespec nap = {.tv_nsec = (long)millisecond};

	lg_worker_poll(c->worker);
	/* Waking early is harmless: every caller looks again. */
	nanosleep(&nap, NULL);
}

static bool all_at(const struct control *c, uint64_t step)
{
	if (c->host_id != 0)
		return c->go.step >= step;
	for (uint32_t k = 1; k < c->host_count; k++)
		if (c->peer[k].row.step < step)
			return false;
	return true;
}

bool control_barrier(struct control *c)
{
	uint64_t step = ++c->mine.step;

	if (c->state != CONTROL_GOOD)
		return false;
	if (c->host_id != 0 && !write_host_row(c))
		return false;
	while (look_around(c)) {
		if (all_at(c, step)) {
			c->go.step = step;
			return c->host_id != 0 || write_go_row(c);
		}
		if (monotonic_ns() - c->beat_ns >= CONTROL_BEAT_MS * millisecond && !control_tick(c))
			return false;
		control_nap(c);
	}
	return false;
}

void control_fail(struct control *c, const char *why)
{
	if (c->state != CONTROL_GOOD)
		return;
	if (c->host_id == 0) {
		c->go.failed = 1;
		snprintf(c->go.text, sizeof(c->go.text), "host 0: %.180s", why);
		write_go_row(c);
	} else {
		c->mine.failed = 1;
		snprintf(c->mine.text, sizeof(c->mine.text), "%s", why);
		write_host_row(c);
	}
	set_failed(c, CONTROL_FAILED_HERE, why);
}

struct control_progress control_progress_sum(const struct control *c)
{
	struct control_progress sum = c->mine.progress;

	for (uint32_t k = 1; k < c->host_count; k++) {
		sum.loaded += c->peer[k].row.progress.loaded;
		sum.to_load += c->peer[k].row.progress.to_load;
		sum.commits_per_s += c->peer[k].row.progress.commits_per_s;
	}
	return sum;
}

static bool transfer(struct control *c, enum control_kind kind, uint32_t host, const char *put, char *got, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += PIECE_BYTES) {
		struct row_access a = access_to(c, kind, host, (uint32_t)(at / PIECE_BYTES));

		a.put = put ? put + at : NULL;
		a.got = got ? got + at : NULL;
		a.bytes = bytes - at < PIECE_BYTES ? bytes - at : PIECE_BYTES;
		if (c->state != CONTROL_GOOD || !access_insist(c, &a))
			return false;
		note_time(c);
	}
	return true;
}

bool control_publish(struct control *c, enum control_kind kind, const void *data, size_t bytes)
{
	return transfer(c, kind, c->host_id, data, NULL, bytes);
}

bool control_collect(struct control *c, enum control_kind kind, uint32_t host, void *data, size_t bytes)
{
	return transfer(c, kind, host, NULL, data, bytes);
}

/* Until the table is there, this host cannot say that it is: it can only look, as long as it would wait for host 0. */
static bool await_table(struct control *c, struct lg_error *err)
{
	uint64_t begin = monotonic_ns();
	int code;

	while ((code = lg_table_open(c->host, table_name, &c->table, err)) == LG_NOTFOUND) {
		char text[CONTROL_TEXT];

		if (c->stop && atomic_load(c->stop))
			return set_failed(c, CONTROL_STOPPED, "stopped by a signal");
		if (monotonic_ns() - begin > c->join_ns) {
			snprintf(text, sizeof(text),
			        "host 0 has not begun within %llu s: is it started? (--join-seconds)",
			        (unsigned long long)(c->join_ns / second));
			return set_failed(c, CONTROL_FAILED_HERE, text);
		}
		control_nap(c);
	}
	return code == LG_OK || set_failed(c, CONTROL_FAILED_HERE, err->message);
}

bool control_open(struct control *c, const struct control_config *config)
{
	struct lg_table_def def = {.name = table_name, .by = LG_RANGE, .partitions = 1};
	struct lg_error err = {0};

	memset(c, 0, sizeof(*c));
	c->host = config->host;
	c->worker = config->worker;
	c->host_id = lg_host_id(config->host);
	c->host_count = lg_host_count(config->host);
	c->join_ns = (uint64_t)(config->join_seconds * 1e9);
	c->stop = config->stop;
	c->mine.fingerprint = config->fingerprint;
	c->looked_ns = monotonic_ns();
	if (c->host_id != 0)
		return await_table(c, &err);
	if (lg_table_create(c->host, &def, &c->table, &err) != LG_OK)
		return set_failed(c, CONTROL_FAILED_HERE, err.message);
	return true;
}

void control_farewell(struct control *c)
{
	uint64_t begin = c->awake_ns;

	if (c->host_id != 0) {
		if (c->state == CONTROL_GOOD) {
			c->mine.step = step_farewell;
			write_host_row(c);
		}
		return;
	}
	if (c->state != CONTROL_GOOD)
		return;
	/* All results are in: whatever becomes of the others now, this host's part is done. */
	while (!all_at(c, step_farewell) && c->awake_ns - begin < 5 * second && look_around(c))
		control_nap(c);
}
