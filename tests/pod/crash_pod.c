/* crash_pod.c: see crash_pod.h. */
#include "crash_pod.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ACCOUNTS = 24, MONEY = 1000, MAX_TOLD = 4096 };

/* ---- In a host's process --------------------------------------------------------------------------------------------- */

struct told {
	uint64_t epoch, host, count;
};

struct member {
	struct crash_pod *pod;
	uint32_t id;
	struct lg_host *host;
	struct list_session session;
	struct lg_worker *banker;
	struct lg_table *bank;
	uint64_t random; /* of the bank */
	/* a transaction of the bank: */
	uint32_t from, to;
	int64_t amount;
	int64_t sum;
	uint64_t moves[CRASH_MAX_HOSTS];
	/* commits of the bank whose tickets are not durable */
	struct told waiting[MAX_TOLD];
	uint32_t waiting_count;
};

static void die(const struct member *m, const char *what, const char *why)
{
	fprintf(stderr, "host %u: %s: %s\n", m->id, what, why);
	fflush(NULL);
	_exit(1);
}

static void grow_to(_Atomic uint64_t *word, uint64_t value)
{
	uint64_t seen = atomic_load(word);
	while (seen < value && !atomic_compare_exchange_weak(word, &seen, value))
		;
}

void crash_pod_nap(void)
{
	nanosleep(&(struct timespec){0, 500000}, NULL);
}

/* ---- The bank */

/* Row `number`: an account, or, from ACCOUNTS on, the moves of a host. */
static struct lg_slice bank_key(uint8_t buffer[8], uint64_t number)
{
	for (int i = 0; i < 8; i++)
		buffer[i] = (uint8_t)(number >> (56 - 8 * i));
	return lg_slice(buffer, 8);
}

static int add(const struct member *m, struct lg_txn *txn, uint64_t number, int64_t amount, int64_t *after)
{
	uint8_t key[8];
	void *value;
	size_t bytes;
	int code = lg_edit(txn, m->bank, bank_key(key, number), &value, &bytes);
	if (code == LG_NOTFOUND)
		die(m, "the bank", "a row is lost");
	if (code != LG_OK)
		return code;
	memcpy(after, value, sizeof(*after));
	*after += amount;
	memcpy(value, after, sizeof(*after));
	return LG_OK;
}

static int move_body(struct lg_txn *txn, void *argument)
{
	struct member *m = argument;
	int64_t after, count = 0;
	int code = add(m, txn, m->from, -m->amount, &after);
	if (code == LG_OK)
		code = add(m, txn, m->to, m->amount, &after);
	if (code == LG_OK)
		code = add(m, txn, ACCOUNTS + m->id, 1, &count);
	m->moves[m->id] = (uint64_t)count;
	return code;
}

static int audit_body(struct lg_txn *txn, void *argument)
{
	struct member *m = argument;
	struct lg_scan *scan;
	struct lg_slice key, val;
	uint64_t rows = 0;
	m->sum = 0;
	int code = lg_scan_open(txn, m->bank, lg_slice(NULL, 0), lg_slice(NULL, 0), 0, 0, &scan);
	while (code == LG_OK && (code = lg_scan_next(scan, &key, &val)) == LG_OK) {
		int64_t value;
		uint64_t number = ((const uint8_t *)key.data)[7];
		memcpy(&value, val.data, sizeof(value));
		if (number < ACCOUNTS)
			m->sum += value;
		else
			m->moves[number - ACCOUNTS] = (uint64_t)value;
		rows++;
	}
	if (code == LG_END && rows != ACCOUNTS + m->pod->hosts)
		return LG_CONFLICT; /* not to be committed, or rows are lost: audit() says which */
	return code == LG_END ? LG_OK : code;
}

static int found_bank(struct lg_txn *txn, void *argument)
{
	struct member *m = argument;
	int64_t value = MONEY, none = 0;
	uint8_t key[8];
	int code = LG_OK;
	for (uint64_t i = 0; i < ACCOUNTS + m->pod->hosts && code == LG_OK; i++)
		code = lg_insert(
		        txn, m->bank, bank_key(key, i), lg_slice(i < ACCOUNTS ? &value : &none, sizeof(value)));
	return code;
}

/* The bank's client is told of what is durable by now. */
static void tell_bank(struct member *m, uint64_t durable)
{
	uint32_t left = 0;
	for (uint32_t i = 0; i < m->waiting_count; i++) {
		struct told *t = &m->waiting[i];
		if (t->epoch > durable) {
			m->waiting[left++] = *t;
			continue;
		}
		grow_to(&m->pod->board->moves[t->host], t->count);
		grow_to(&m->pod->board->acknowledged, t->epoch);
	}
	m->waiting_count = left;
}

/* Until what the worker did last is durable, if it was committed. */
static void await_durable(struct member *m, const struct lg_worker *w)
{
	struct lg_ticket ticket = lg_last_ticket(w);
	int code = ticket.epoch == UINT64_MAX ? LG_OK : lg_wait(m->host, ticket, 60000);
	if (code != LG_OK)
		die(m, "lg_wait", lg_strerror(code));
}

/* The last transaction of the bank has committed, and moves[host] is what it says of them. */
static void bank_committed(struct member *m, uint32_t host)
{
	struct told told = {lg_last_ticket(m->banker).epoch, host, m->moves[host]};
	if (!m->pod->on_disk)
		told.epoch = 0;
	if (m->waiting_count == MAX_TOLD)
		await_durable(m, m->banker);
	if (m->waiting_count == MAX_TOLD)
		tell_bank(m, lg_durable_epoch(m->host));
	m->waiting[m->waiting_count++] = told;
	tell_bank(m, lg_durable_epoch(m->host));
}

/* False: a host is away. */
static bool audit(struct member *m)
{
	int code = lg_run(m->banker, audit_body, m);
	if (code == LG_UNAVAILABLE && m->pod->outages)
		return false;
	if (code != LG_OK)
		die(m, "the bank's audit", lg_strerror(code));
	if (m->sum != ACCOUNTS * MONEY)
		die(m, "the bank", "money was made or lost");
	for (uint32_t host = 0; host < m->pod->hosts; host++)
		bank_committed(m, host);
	return true;
}

static void move(struct member *m)
{
	m->from = (uint32_t)(pod_random(&m->random) % ACCOUNTS);
	m->to = (uint32_t)(pod_random(&m->random) % ACCOUNTS);
	m->amount = (int64_t)(pod_random(&m->random) % 50);
	bool waits = m->pod->on_disk && pod_random(&m->random) % 16 == 0;
	struct lg_txn *txn;
	int code = LG_OK;
	if (!waits) {
		code = lg_run(m->banker, move_body, m);
	} else if ((code = lg_txn_begin(m->banker, &txn)) == LG_OK) {
		code = move_body(txn, m);
		if (code == LG_OK)
			code = lg_commit_durable(txn);
		else
			lg_abort(txn);
		if (code == LG_OK && lg_durable_epoch(m->host) < lg_last_ticket(m->banker).epoch)
			die(m, "lg_commit_durable", "came back before it was durable");
	}
	if (code == LG_OK)
		bank_committed(m, m->id);
	else if (code == LG_UNAVAILABLE && m->pod->outages)
		crash_pod_nap();
	else if (code != LG_CONFLICT)
		die(m, "the bank", lg_strerror(code));
}

static void *bank_main(void *argument)
{
	struct member *m = argument;
	for (uint64_t i = 0; !atomic_load(&m->pod->board->stop); i++) {
		if (i % 8 == 0)
			(void)audit(m);
		else
			move(m);
		tell_bank(m, lg_durable_epoch(m->host));
		crash_pod_nap();
	}
	return NULL;
}

/* What any client was told of is there. */
static void expect_bank(struct member *m)
{
	uint64_t told[CRASH_MAX_HOSTS];
	for (uint32_t host = 0; host < m->pod->hosts; host++)
		told[host] = atomic_load(&m->pod->board->moves[host]);
	if (!audit(m))
		return;
	for (uint32_t host = 0; host < m->pod->hosts; host++)
		if (m->moves[host] < told[host])
			die(m, "the bank", "moves are lost that its client was told of");
}

/* ---- The host */

static bool goes_on(void *argument)
{
	struct member *m = argument;
	struct crash_board *board = m->pod->board;
	struct lg_stats stats;
	lg_host_stats(m->host, &stats);
	atomic_store(&board->commits[m->id], m->session.commits);
	atomic_store(&board->recoveries[m->id], stats.recoveries);
	atomic_store(&board->refusals[m->id], m->session.refusals);
	if (m->pod->on_disk && m->session.commits % 32 == 7)
		await_durable(m, m->session.worker);
	if (m->pod->on_disk) {
		list_acknowledge(&m->session, lg_durable_epoch(m->host));
		grow_to(&board->acknowledged, m->session.told_epoch);
	}
	if (m->session.commits % 4 == 0)
		crash_pod_nap(); /* the checker's work grows with the square of a history */
	return !atomic_load(&board->stop);
}

static void open_member(struct member *m)
{
	struct crash_pod *p = m->pod;
	struct lg_host_config config;
	struct lg_error err;
	struct list_session *s = &m->session;
	lg_host_config_init(&config);
	config.host_id = m->id;
	config.lease_ms = 100;
	config.data = p->data;
	config.log_segment_bytes = 256 << 10; /* many */
	s->config = &p->list;
	s->killable = true;
	list_begin(s); /* first: a host that dies while it opens has a history too */
	int code = lg_host_open(p->uri, &config, &m->host, &err);
	if (code != LG_OK)
		die(m, "lg_host_open", err.message);
	struct lg_table_def bank = {.name = "bank", .by = LG_HASH, .prefix_bytes = 8, .partitions = p->hosts * 2};
	if (list_tables(m->host, &p->list, s->tables, &err) != LG_OK ||
	        lg_table_create(m->host, &bank, &m->bank, &err) != LG_OK)
		die(m, "lg_table_create", err.message);
	if (lg_worker_open(m->host, &s->worker, &err) != LG_OK || lg_worker_open(m->host, &m->banker, &err) != LG_OK)
		die(m, "lg_worker_open", err.message);
	s->goes_on = goes_on;
	s->goes_on_argument = m;
	s->outages = p->outages;
	m->random = p->list.seed * 31 + s->number;
}

static void await_word(struct member *m, atomic_uint *word, unsigned value)
{
	while (atomic_load(word) < value) {
		lg_worker_poll(m->session.worker);
		crash_pod_nap();
	}
}

/* The first of all, or the first behind a crash: all rows are there, or all that was promised is. */
static void begin_life(struct member *m)
{
	struct crash_board *board = m->pod->board;
	if (!m->pod->outages || !atomic_load(&board->loaded))
		await_word(m, &board->opened, m->pod->hosts);
	if (m->id == 0 && !atomic_load(&board->loaded)) {
		int code = lg_run(m->banker, found_bank, m);
		if (code != LG_OK)
			die(m, "the bank cannot be founded", lg_strerror(code));
		list_load(&m->session);
		if (lg_sync(m->host, 60000) != LG_OK)
			die(m, "lg_sync", "not durable after a minute");
		if (m->session.acks)
			list_acknowledge(&m->session, lg_durable_epoch(m->host));
		atomic_store(&board->loaded, true);
	}
	while (!atomic_load(&board->loaded))
		crash_pod_nap();
	if (m->id == 0 || m->pod->outages)
		expect_bank(m);
	if (m->id == 0)
		atomic_store(&board->checked, true);
	while (!atomic_load(&board->checked))
		crash_pod_nap();
}

static void end_life(struct member *m, pthread_t banker)
{
	struct crash_board *board = m->pod->board;
	pthread_join(banker, NULL);
	if (m->session.failure[0] != '\0')
		die(m, "session", m->session.failure);
	atomic_fetch_add(&board->stopped, 1);
	await_word(m, &board->stopped, m->pod->hosts);
	if (m->id == 0) {
		list_read_all(&m->session);
		expect_bank(m);
	}
	if (m->pod->on_disk)
		await_durable(m, m->session.worker);
	if (m->session.acks)
		list_acknowledge(&m->session, lg_durable_epoch(m->host));
	list_end(&m->session);
	if (m->session.failure[0] != '\0')
		die(m, "session", m->session.failure);
	/* Nobody's rows go before host 0 has read them. */
	atomic_fetch_add(&board->read, 1);
	await_word(m, &board->read, m->pod->hosts);
	lg_worker_close(m->session.worker);
	lg_worker_close(m->banker);
	if (lg_host_close(m->host) != LG_OK)
		die(m, "lg_host_close", "failed");
	_exit(0);
}

void crash_pod_start(struct crash_pod *p, uint32_t host)
{
	static struct member member;
	uint32_t life = p->histories++;
	assert_true(life < CRASH_MAX_LIVES);
	assert_int_equal(p->pid[host], 0);
	p->history[life] = tmpfile();
	p->acks[life] = tmpfile();
	assert_true(p->history[life] && p->acks[life]);
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid > 0) {
		p->pid[host] = pid;
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
	member = (struct member){.pod = p, .id = host};
	member.session.history = p->history[life];
	member.session.acks = p->on_disk ? p->acks[life] : NULL;
	member.session.number = life + 1;
	atomic_store(&p->board->commits[host], 0);
	open_member(&member);
	atomic_fetch_add(&p->board->opens[host], 1);
	atomic_fetch_add(&p->board->opened, 1);
	begin_life(&member);
	pthread_t banker;
	if (pthread_create(&banker, NULL, bank_main, &member) != 0)
		die(&member, "pthread_create", "failed");
	list_run(&member.session);
	end_life(&member, banker);
}

/* ---- In the parent ----------------------------------------------------------------------------------------------------- */

void crash_pod_create(struct crash_pod *p, uint64_t seed)
{
	struct lg_pod_config config;
	struct lg_error err;
	char name[64];
	assert_true(p->hosts <= CRASH_MAX_HOSTS);
	pod_private_name(name, sizeof(name));
	pod_private_directory(p->data, sizeof(p->data));
	snprintf(p->uri, sizeof(p->uri), "shm:%s", name);
	pod_config_small(&config, p->hosts);
	config.durability = p->durability;
	config.redo_workers = 4;
	config.redo_ring_bytes = 128 << 10; /* many laps */
	config.data = p->data;
	OK(lg_pod_create(p->uri, &config, &err));
	p->board = mmap(NULL, sizeof(*p->board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(p->board != MAP_FAILED);
	p->list = (struct list_config){
	        .hosts = p->hosts, .workers = 1, .keys = {200, 150, 12}, .max_pad = 300, .seed = seed};
	p->random = seed;
}

static void expect_killed(struct crash_pod *p, uint32_t host)
{
	int status;
	assert_int_equal(waitpid(p->pid[host], &status, 0), p->pid[host]);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	p->pid[host] = 0;
}

void crash_pod_kill(struct crash_pod *p, uint32_t host)
{
	assert_int_equal(kill(p->pid[host], SIGKILL), 0);
	expect_killed(p, host);
}

void crash_pod_kill_all(struct crash_pod *p)
{
	uint32_t first = (uint32_t)(pod_random(&p->random) % p->hosts);
	for (uint32_t i = 0; i < p->hosts; i++)
		if (p->pid[(first + i) % p->hosts])
			assert_int_equal(kill(p->pid[(first + i) % p->hosts], SIGKILL), 0);
	for (uint32_t host = 0; host < p->hosts; host++)
		if (p->pid[host])
			expect_killed(p, host);
}

void crash_pod_stop_all(struct crash_pod *p)
{
	atomic_store(&p->board->stop, true);
	for (uint32_t host = 0; host < p->hosts; host++) {
		int status = 0;
		assert_int_equal(waitpid(p->pid[host], &status, 0), p->pid[host]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		p->pid[host] = 0;
	}
}

void crash_pod_new_life(struct crash_pod *p)
{
	atomic_store(&p->board->stop, false);
	atomic_store(&p->board->checked, false);
	atomic_store(&p->board->opened, 0);
	atomic_store(&p->board->stopped, 0);
	atomic_store(&p->board->read, 0);
	for (uint32_t host = 0; host < p->hosts; host++)
		atomic_store(&p->board->commits[host], 0);
}

void crash_pod_expect_alive(struct crash_pod *p)
{
	int status;
	for (uint32_t host = 0; host < p->hosts; host++)
		if (p->pid[host] && waitpid(p->pid[host], &status, WNOHANG) != 0)
			fail_msg("host %u has ended: %s %d", host, WIFSIGNALED(status) ? "signal" : "exit code",
			        WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

void crash_pod_await_commits(struct crash_pod *p, uint32_t host, uint64_t more)
{
	uint64_t from = atomic_load(&p->board->commits[host]);
	CRASH_POD_AWAIT(p, atomic_load(&p->board->commits[host]) >= from + more);
}

void crash_pod_random_moment(struct crash_pod *p, uint64_t most_us)
{
	nanosleep(&(struct timespec){0, (long)(pod_random(&p->random) % most_us) * 1000}, NULL);
}

static void tell(const struct lg_check_finding *finding, void *argument)
{
	(void)argument;
	print_message("pod check: %s at %llx: %s\n", finding->rule, (unsigned long long)finding->offset, finding->text);
}

void crash_pod_expect_clean(const struct crash_pod *p)
{
	struct lg_check_report report;
	struct lg_error err;
	const char *emulation = getenv("LIGER_EMULATE");
	if (emulation && strncmp(emulation, "incoherent", 10) == 0)
		return; /* memory is not what is mapped */
	OK(lg_pod_check(p->uri, 0, tell, NULL, &report, &err));
	assert_int_equal(report.findings, 0);
}

uint64_t crash_pod_settle(struct crash_pod *p, uint64_t limit)
{
	uint64_t greatest = 0;
	for (; p->settled < p->histories; p->settled++) {
		uint64_t epoch = list_settle(p->history[p->settled], p->acks[p->settled], limit);
		greatest = epoch > greatest ? epoch : greatest;
		fclose(p->acks[p->settled]);
	}
	return greatest;
}

int crash_pod_judge(struct crash_pod *p)
{
	FILE *begun[CRASH_MAX_LIVES];
	size_t count = 0;
	for (uint32_t i = 0; i < p->histories; i++) {
		assert_int_equal(fseek(p->history[i], 0, SEEK_END), 0);
		if (ftell(p->history[i]) > 0) /* else it was killed before its first line */
			begun[count++] = p->history[i];
	}
	return list_judge(begun, count);
}

void crash_pod_destroy(struct crash_pod *p)
{
	struct lg_error err;
	crash_pod_settle(p, UINT64_MAX);
	for (uint32_t i = 0; i < p->histories; i++)
		fclose(p->history[i]);
	munmap(p->board, sizeof(*p->board));
	OK(lg_pod_destroy(p->uri, true, &err));
}
