/* launch.c: processes, signals and the pod's life (launch.h).
 *
 * The parent creates the pod and never opens a host, so that each child may (nothing of a host survives fork()). It
 * waits with the signals it cares for blocked, and takes them one by one: a signal cannot come between a look and a
 * wait, and no handler runs. However a run ends, unless the parent itself is killed, the pod is removed; a child whose
 * parent has died is killed by the kernel.
 */
#include "launch.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host.h"

enum { GRACE_S = 5 };

struct launch {
	const struct options *o;
	const char *uri;
	uint32_t running;
	pid_t child[LG_MAX_HOSTS]; /* 0: not running */
	/* A host failed; one ended because of another that fails; a check failed; a signal came. */
	bool failed, stopped, check_failed, interrupted;
	sigset_t before, taken; /* signal masks */
};

static bool say(const char *message)
{
	fprintf(stderr, "liger bench: %s\n", message);
	return false;
}

static struct bench bench_of(const struct options *o, uint32_t hosts)
{
	return (struct bench){.host_count = hosts,
	        .host_id = o->host_id,
	        .workers_per_host = o->workers,
	        .seed = o->seed,
	        .seconds = o->seconds,
	        .warmup_seconds = o->warmup_seconds,
	        .workload = o->state};
}

enum { PART_UNIT = 2 << 20 }; /* of the pod's parts */

/* What the workload needs, with the sizes the user wants. */
static bool configure(const struct options *o, uint32_t hosts, struct lg_pod_config *pod)
{
	struct bench bench = bench_of(o, hosts);
	char err[400] = "";

	pod->hosts = hosts;
	if (!o->workload->configure(o->state, &bench, pod, err, sizeof(err))) {
		fprintf(stderr, "liger bench: %s; see liger bench %s --help\n", err, o->workload->name);
		return false;
	}
	if (o->hwcc_mib)
		pod->hwcc_bytes = o->hwcc_mib << 20;
	if (o->swcc_mib)
		pod->swcc_bytes = o->swcc_mib << 20;
	if (o->durability)
		lg_durability_parse(o->durability, &pod->durability); /* options.c has checked it */
	if (pod->durability != LG_DURABILITY_NONE) {
		pod->redo_workers = o->workers + 1; /* and the coordinator */
		if (!o->swcc_mib)
			pod->swcc_bytes +=
			        ((uint64_t)hosts * pod->redo_workers * pod->redo_ring_bytes + PART_UNIT - 1) &
			        ~(uint64_t)(PART_UNIT - 1);
	}
	return true;
}

/* Bytes that the kernel could give to new processes; 0: it does not say. */
static uint64_t memory_available(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	unsigned long long kib = 0;
	char line[128];

	while (f && kib == 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) != 1)
			kib = 0;
	if (f)
		fclose(f);
	return (uint64_t)kib << 10;
}

/* Whether the rows to load fit into the memory that is free: else the kernel would kill a host in the middle of the load.
 * Of an attached host only its own share is known to come to this machine. */
static bool memory_suffices(const struct options *o, uint32_t hosts)
{
	struct bench bench = bench_of(o, hosts);
	double needed, available = (double)memory_available();

	if (!o->workload->load_bytes || available <= 0)
		return true;
	needed = (double)o->workload->load_bytes(o->state, &bench) / (o->attach ? hosts : 1);
	if (needed <= available)
		return true;
	fprintf(stderr,
	        "liger bench: the rows of %s would take about %.1f GiB of memory, but %.1f GiB are available "
	        "(MemAvailable "
	        "in /proc/meminfo); give a smaller %s\n",
	        o->workload->name, needed / (1 << 30), available / (1 << 30), o->workload->load_option);
	return false;
}

/* Whether the result can be written is better known before the run than after. */
static bool can_write_json(const struct options *o)
{
	const char *slash;
	char folder[4096];

	if (!o->json_path)
		return true;
	slash = strrchr(o->json_path, '/');
	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - o->json_path) + 1 : 1,
	        slash ? o->json_path : ".");
	if (access(folder, W_OK | X_OK) == 0)
		return true;
	fprintf(stderr, "liger bench: --json: cannot write to %s: %s\n", folder, strerror(errno));
	return false;
}

static void child_main(const struct launch *l, uint32_t host_id, pid_t parent)
{
	enum host_exit code = HOST_EXIT_FAILED;

	/* Ctrl-C goes to the whole group: the parent alone acts on it. */
	if (signal(SIGINT, SIG_IGN) == SIG_ERR || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
	        sigprocmask(SIG_SETMASK, &l->before, NULL) != 0)
		fprintf(stderr, "liger bench: host %u: cannot set up signals: %s\n", host_id, strerror(errno));
	else if (getppid() == parent) /* else it died before prctl() */
		code = host_run(l->o, l->uri, host_id, NULL);
	exit((int)code);
}

static bool start_children(struct launch *l)
{
	pid_t parent = getpid();

	fflush(NULL);
	for (uint32_t k = 0; k < l->o->hosts; k++) {
		pid_t pid = fork();

		if (pid == 0)
			child_main(l, k, parent);
		if (pid < 0) {
			fprintf(stderr, "liger bench: cannot start host %u: %s\n", k, strerror(errno));
			l->failed = true;
			return false;
		}
		l->child[k] = pid;
		l->running++;
	}
	return true;
}

static void signal_children(const struct launch *l, int number)
{
	/* kill() of a child that has just ended fails harmlessly: until it is waited for, its id is not given away. */
	for (uint32_t k = 0; k < l->o->hosts; k++)
		if (l->child[k] > 0)
			kill(l->child[k], number);
}

static void note_end(struct launch *l, uint32_t host, int status)
{
	l->child[host] = 0;
	l->running--;
	if (WIFEXITED(status) && WEXITSTATUS(status) == HOST_EXIT_OK)
		return;
	if (WIFEXITED(status) && WEXITSTATUS(status) == HOST_EXIT_CHECK) {
		l->check_failed = true;
		return;
	}
	/* Only the first is news: after it, this process ends the others. A host that exits has said why itself. */
	if (!l->failed && !l->interrupted) {
		if (WIFSIGNALED(status))
			fprintf(stderr, "liger bench: host %u died: %s%s; stopping the others\n", host,
			        strsignal(WTERMSIG(status)), WCOREDUMP(status) ? " (core dumped)" : "");
		else if (WEXITSTATUS(status) == HOST_EXIT_FAILED && l->running > 0)
			fprintf(stderr, "liger bench: host %u failed; stopping the others\n", host);
		else if (WEXITSTATUS(status) != HOST_EXIT_FAILED && WEXITSTATUS(status) != HOST_EXIT_STOPPED)
			fprintf(stderr, "liger bench: host %u ended with exit code %d\n", host, WEXITSTATUS(status));
	}
	/* One that stopped because of another: that one is about to end too, and says more. */
	if (WIFEXITED(status) && WEXITSTATUS(status) == HOST_EXIT_STOPPED)
		l->stopped = true;
	else
		l->failed = true;
}

static void reap(struct launch *l)
{
	for (uint32_t k = 0; k < l->o->hosts; k++) {
		int status;

		if (l->child[k] > 0 && waitpid(l->child[k], &status, WNOHANG) == l->child[k])
			note_end(l, k, status);
	}
}

/* Waits for one of the signals taken, at most `seconds`. Returns its number, or 0. */
static int await_signal(const struct launch *l, time_t seconds)
{
	struct timespec limit = {.tv_sec = seconds};
	int number = sigtimedwait(&l->taken, NULL, &limit);

	return number > 0 ? number : 0;
}

static void wait_for_children(struct launch *l)
{
	while (l->running > 0 && !l->failed && !l->interrupted) {
		int number = await_signal(l, 1);

		if (number != 0 && number != SIGCHLD) {
			fprintf(stderr, "\nliger bench: %s: stopping the hosts\n", strsignal(number));
			l->interrupted = true;
		}
		reap(l);
	}
	if (l->running == 0)
		return;
	signal_children(l, SIGTERM);
	for (int i = 0; i < GRACE_S && l->running > 0; i++) {
		await_signal(l, 1);
		reap(l);
	}
	signal_children(l, SIGKILL);
	while (l->running > 0) {
		await_signal(l, 1);
		reap(l);
	}
}

static bool take_signals(struct launch *l)
{
	sigemptyset(&l->taken);
	sigaddset(&l->taken, SIGINT);
	sigaddset(&l->taken, SIGTERM);
	sigaddset(&l->taken, SIGHUP);
	sigaddset(&l->taken, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &l->taken, &l->before) == 0)
		return true;
	return say("cannot block signals");
}

int launch_all(const struct options *o)
{
	struct launch l = {.o = o};
	struct lg_pod_config pod;
	struct lg_error err = {0};
	char own[64];

	lg_pod_config_init(&pod);
	if (!configure(o, o->hosts, &pod))
		return HOST_EXIT_USAGE;
	if (!memory_suffices(o, o->hosts) || !can_write_json(o) || !take_signals(&l))
		return HOST_EXIT_FAILED;
	snprintf(own, sizeof(own), "shm:liger-bench-%ld", (long)getpid());
	l.uri = o->uri ? o->uri : own;
	printf("liger bench %s: %u host%s of %u worker%s, seed %llu, pod %s\n", o->workload->name, o->hosts,
	        o->hosts == 1 ? "" : "s", o->workers, o->workers == 1 ? "" : "s", (unsigned long long)o->seed, l.uri);
	pod.emulate = o->emulate;
	pod.data = o->data;
	if (lg_pod_create(l.uri, &pod, &err) != LG_OK) {
		say(err.message);
		sigprocmask(SIG_SETMASK, &l.before, NULL);
		return HOST_EXIT_FAILED;
	}
	start_children(&l);
	wait_for_children(&l);
	if (lg_pod_destroy_emulated(l.uri, o->emulate, true, &err) != LG_OK) {
		say(err.message);
		l.failed = true;
	}
	sigprocmask(SIG_SETMASK, &l.before, NULL);
	return l.failed || l.stopped || l.check_failed || l.interrupted ? HOST_EXIT_FAILED : HOST_EXIT_OK;
}

/* Set by the handler, read by the coordinator: one process, one run. */
static atomic_bool stop_requested;

static void on_stop(int number)
{
	(void)number;
	atomic_store(&stop_requested, true);
}

/* The first signal ends the run in order, a second one at once. */
static bool stop_on_signals(void)
{
	struct sigaction action = {.sa_handler = on_stop, .sa_flags = (int)SA_RESETHAND};

	sigemptyset(&action.sa_mask);
	return sigaction(SIGINT, &action, NULL) == 0 && sigaction(SIGTERM, &action, NULL) == 0;
}

/* Then joining is refused, and says which process has the id: of the tables that it has made nothing need be said. */
static bool is_taken(const struct lg_pod_info *info, uint32_t host_id)
{
	enum lg_member_state state = info->member[host_id].state;

	return state != LG_MEMBER_FREE && state != LG_MEMBER_LEFT;
}

/* The pod was sized by whoever made it: does it fit this workload? */
static bool fits(const struct options *o, const struct lg_pod_info *info, const struct lg_pod_config *wish)
{
	const char *name = o->workload->name;

	if (o->hosts_given && o->hosts != info->config.hosts)
		fprintf(stderr, "liger bench: --hosts: the pod %s is made for %u hosts, not %u\n", o->attach,
		        info->config.hosts, o->hosts);
	else if (o->host_id >= info->config.hosts)
		fprintf(stderr, "liger bench: --host-id: the pod %s has hosts 0 to %u\n", o->attach,
		        info->config.hosts - 1);
	else if (wish->partitions > info->config.partitions)
		fprintf(stderr, "liger bench: the pod %s has %u partitions, %s needs %u: create it with more\n",
		        o->attach, info->config.partitions, name, wish->partitions);
	else if (o->host_id == 0 && info->table_count > 0 && !is_taken(info, o->host_id))
		fprintf(stderr, "liger bench: the pod %s has tables already: a run needs a fresh one\n", o->attach);
	else
		return true;
	return false;
}

int launch_attached(const struct options *o)
{
	struct lg_pod_info *info = malloc(sizeof(*info));
	struct lg_pod_config wish;
	struct lg_error err = {0};
	int code = HOST_EXIT_FAILED;

	if (!info) {
		say("out of memory");
		return code;
	}
	if (lg_pod_info_emulated(o->attach, o->emulate, info, &err) != LG_OK) {
		say(err.message);
		goto out;
	}
	wish = info->config;
	if (!configure(o, info->config.hosts, &wish)) {
		code = HOST_EXIT_USAGE;
		goto out;
	}
	if (!fits(o, info, &wish) || !memory_suffices(o, info->config.hosts) || !can_write_json(o))
		goto out;
	if (!stop_on_signals()) {
		say("cannot handle signals");
		goto out;
	}
	printf("liger bench %s: host %u of %u, %u worker%s, seed %llu, pod %s\n", o->workload->name, o->host_id,
	        info->config.hosts, o->workers, o->workers == 1 ? "" : "s", (unsigned long long)o->seed, o->attach);
	fflush(stdout);
	code = host_run(o, o->attach, o->host_id, &stop_requested) == HOST_EXIT_OK ? HOST_EXIT_OK : HOST_EXIT_FAILED;
out:
	free(info);
	return code;
}
