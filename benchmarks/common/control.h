/* control.h: how the hosts of one run keep in step: barriers, signs of life, and results, through the pod itself.
 *
 * They may run on different machines that share nothing but the pod, so all of it is rows of a table `bench_control` of
 * one partition, 0, written and read by ordinary transactions:
 *
 *     (HOST, k)        by host k: the last step it has reached, a beat, its progress, why it failed
 *     (GO)             by host 0: the last step that all have reached, a beat, the verdict, why the run failed
 *     (kind, k, i)     by host k: the i-th piece of a result
 *
 * A barrier: host k writes that it has reached step n and reads GO until that says n; host 0 writes GO when all are
 * there. Who waits looks once a millisecond and serves other hosts meanwhile. Whose beat stands still for
 * CONTROL_SILENCE_S has vanished: then the run ends with an error everywhere.
 *
 * Threads: one, the host's coordinator, with a worker of its own.
 */
#ifndef LIGER_BENCH_CONTROL_H
#define LIGER_BENCH_CONTROL_H

#include <liger.h>
#include <stdatomic.h>

enum { CONTROL_SILENCE_S = 15, CONTROL_BEAT_MS = 500, CONTROL_TEXT = 200 };

/* Kinds of rows; from CONTROL_RESULT on, what control_publish() takes. */
enum control_kind { CONTROL_GO = 1, CONTROL_HOST, CONTROL_RESULT, CONTROL_FAILURES };

struct control_progress {
	uint64_t loaded, to_load, commits_per_s;
};

/* The rows. Hosts of one pod have the same layout: attaching has checked it. */
struct control_host_row {
	uint64_t step, beat, fingerprint;
	struct control_progress progress;
	uint64_t failed;
	char text[CONTROL_TEXT];
};

struct control_go_row {
	uint64_t step, beat, verdict, failed;
	char text[CONTROL_TEXT];
};

/* What is known of another host. */
struct control_peer {
	struct control_host_row row;
	uint64_t heard_ns; /* on the awake clock */
	bool seen;
};

enum control_state { CONTROL_GOOD, CONTROL_FAILED_HERE, CONTROL_FAILED_ELSEWHERE, CONTROL_STOPPED };

struct control {
	struct lg_host *host;
	struct lg_worker *worker;
	struct lg_table *table;
	uint32_t host_id, host_count;
	uint64_t join_ns;
	const atomic_bool *stop; /* set by a signal */
	struct control_host_row mine;
	struct control_go_row go;
	struct control_peer peer[LG_MAX_HOSTS]; /* of host 0: all others; of others: entry 0 alone, for GO */
	uint64_t awake_ns, looked_ns, beat_ns;  /* time that this process ran; when it last looked; when it last beat */
	enum control_state state;
	char error[sizeof(((struct lg_error *)0)->message)]; /* set whenever state is not CONTROL_GOOD */
};

struct control_config {
	struct lg_host *host;
	struct lg_worker *worker;
	double join_seconds;
	uint64_t fingerprint;
	const atomic_bool *stop;
};

/* Makes the table (host 0) or waits until it is there. Later calls on a control that is not CONTROL_GOOD return false
 * at once; all that return false have set state and error. */
bool control_open(struct control *c, const struct control_config *config);

/* Waits until all hosts have come here. */
bool control_barrier(struct control *c);

/* Gives a sign of life when it is time, and looks whether the others do: call it at least every second. */
bool control_tick(struct control *c);

/* Sleeps a millisecond and serves the other hosts' requests before. */
void control_nap(struct control *c);

/* Makes the run end with an error on every host. */
void control_fail(struct control *c, const char *why);

/* Sum over all hosts as far as known; on host 0 alone. */
struct control_progress control_progress_sum(const struct control *c);

/* Hands `data` to host 0, which collects it after a barrier. Both know `bytes`. */
bool control_publish(struct control *c, enum control_kind kind, const void *data, size_t bytes);
bool control_collect(struct control *c, enum control_kind kind, uint32_t host, void *data, size_t bytes);

/* After the last barrier: host 0 stays until the others have read that it is over, since its rows leave with it. */
void control_farewell(struct control *c);

#endif
