/* hotpath_test.c: what a local transaction executes: no system call, no allocation, no division by a number that is known
 * only when it runs.
 *
 * It is looked at, not argued: the thread that runs the transactions is single-stepped (ptrace), and every instruction
 * between two marks is judged by its bytes and its address:
 *
 *     system call   syscall, sysenter, int
 *     allocation    anything that lies in the mapping of malloc(): jemalloc's library
 *     division      div, idiv, fdiv.., div[sp][sd] and their AVX forms. A compiler turns division by a constant into
 *                   multiplication, so each of these divides by a number of run time
 *
 * The tracer itself is tried on code that does each of the three. The sanitizers' builds replace malloc() and instrument
 * everything: there nothing is traced.
 *
 * Stepping is slow. `hotpath_test loop` runs the same transactions at full speed, between two writes of "mark" to a
 * descriptor that is not open: for strace, which sees the system calls between them (scripts/test_hotpath.sh). It
 * prints how many bytes jemalloc has given this thread meanwhile.
 */
#include "common/pod_fixture.h"

#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROWS = 1000, ROUNDS = 3, WARM_ROUNDS = 200, LOOP_ROUNDS = 50000, VALUE_BYTES = 100, MANY = 20, KEY_BYTES = 9 };

#ifdef LG_HEAP_MALLOC
enum { INSTRUMENTED = 1 };
#else
enum { INSTRUMENTED = 0 };
#endif
enum { NOT_TRACED = 77 }; /* exit code of a child that may not be traced */

/* ---- What is traced ------------------------------------------------------------------------------------------------ */

struct scene {
	struct pod_fixture *f;
	struct lg_table *table;
	uint64_t random;
	uint8_t key[ROWS][KEY_BYTES]; /* rows that worker 0's host owns */
	uint8_t value[VALUE_BYTES];
};

typedef void act_fn(struct scene *scene);

/* Instructions between these two calls are judged. Not inlined, not merged. */
__attribute__((noinline)) static void mark_begin(void)
{
	__asm__ volatile("nop\n\tnop" ::: "memory");
}

__attribute__((noinline)) static void mark_end(void)
{
	__asm__ volatile("nop\n\tnop\n\tnop" ::: "memory");
}

static void check(int code)
{
	/* Without cmocka, which allocates. */
	if (code != LG_OK)
		abort();
}

static struct lg_slice some_key(struct scene *scene)
{
	/* Scaled, not divided. */
	uint64_t n = (uint64_t)(((unsigned __int128)pod_random(&scene->random) * ROWS) >> 64);
	return lg_slice(scene->key[n], KEY_BYTES);
}

static void get_rows(struct scene *scene)
{
	struct lg_txn *txn;
	struct lg_slice val;
	check(lg_txn_begin(scene->f->worker[0], &txn));
	for (int i = 0; i < 10; i++)
		check(lg_get(txn, scene->table, some_key(scene), &val));
	check(lg_commit(txn));
}

static void put_rows(struct scene *scene)
{
	struct lg_txn *txn;
	check(lg_txn_begin(scene->f->worker[0], &txn));
	for (int i = 0; i < 5; i++)
		check(lg_put(txn, scene->table, some_key(scene), lg_slice(scene->value, VALUE_BYTES)));
	check(lg_commit(txn));
}

static void edit_rows(struct scene *scene)
{
	struct lg_txn *txn;
	void *row;
	size_t bytes;
	check(lg_txn_begin(scene->f->worker[0], &txn));
	for (int i = 0; i < 5; i++) {
		check(lg_edit(txn, scene->table, some_key(scene), &row, &bytes));
		memset(row, i, bytes);
	}
	check(lg_commit(txn));
}

/* So many writes that the transaction keeps an index of them. */
static void write_many_rows(struct scene *scene)
{
	struct lg_txn *txn;
	struct lg_slice val;
	check(lg_txn_begin(scene->f->worker[0], &txn));
	for (int i = 0; i < MANY; i++) {
		check(lg_put(txn, scene->table, some_key(scene), lg_slice(scene->value, VALUE_BYTES)));
		check(lg_get(txn, scene->table, some_key(scene), &val));
	}
	check(lg_commit(txn));
}

static int run_body(struct lg_txn *txn, void *arg)
{
	struct scene *scene = arg;
	struct lg_slice val, key = some_key(scene);
	int code = lg_get(txn, scene->table, key, &val);
	return code == LG_OK ? lg_put(txn, scene->table, key, lg_slice(scene->value, VALUE_BYTES)) : code;
}

static void run_with_retries(struct scene *scene)
{
	check(lg_run(scene->f->worker[0], run_body, scene));
}

/* What the tracer must find: each does exactly one thing that a local transaction does not. */
static void call_the_system(struct scene *scene)
{
	scene->random += (uint64_t)getppid();
}

static void allocate(struct scene *scene)
{
	void *volatile memory = malloc(24);
	scene->random += (uintptr_t)memory;
	free(memory);
}

static void divide(struct scene *scene)
{
	volatile uint64_t by = 7;
	scene->random += UINT64_MAX / by;
}

static void divide_fractions(struct scene *scene)
{
	volatile double by = 7;
	scene->random += (uint64_t)(1e9 / by);
}

/* ---- The tracer ---------------------------------------------------------------------------------------------------- */

struct findings {
	uint64_t steps, system_calls, allocator_steps, divisions;
	uint64_t first; /* address of the first offence */
};

struct range {
	uint64_t begin, end;
};

/* The executable mapping that holds malloc(); it must not be the program's own, which everything else lies in. */
static struct range allocator_range(void)
{
	uint64_t at = (uintptr_t)dlsym(RTLD_DEFAULT, "malloc"), self = (uintptr_t)mark_begin;
	struct range range = {0};
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		unsigned long begin, end;
		if (sscanf(line, "%lx-%lx", &begin, &end) == 2 && begin <= at && at < end)
			range = (struct range){begin, end};
	}
	fclose(maps);
	assert_true(range.end > 0);
	assert_false(range.begin <= self && self < range.end);
	return range;
}

static bool is_legacy_prefix(uint8_t byte)
{
	return byte == 0x66 || byte == 0x67 || byte == 0xf2 || byte == 0xf3 || byte == 0xf0 || byte == 0x2e ||
	       byte == 0x36 || byte == 0x3e || byte == 0x26 || byte == 0x64 || byte == 0x65;
}

static bool is_vex_division(const uint8_t *code)
{
	/* c5 RvvvvLpp op; c4 RXBmmmmm WvvvvLpp op; 62 P0 P1 P2 op: map 1 holds vdiv as 5e. */
	if (code[0] == 0xc5)
		return code[2] == 0x5e;
	if (code[0] == 0xc4)
		return (code[1] & 0x1f) == 1 && code[3] == 0x5e;
	return code[0] == 0x62 && (code[1] & 7) == 1 && code[4] == 0x5e;
}

static bool is_x87_division(const uint8_t *code)
{
	unsigned reg = code[1] >> 3 & 7;
	/* d8, dc: fdiv, fdivr; de with registers: fdivp, fdivrp, with memory: fidiv; da with memory: fidiv. */
	if (code[0] == 0xda)
		return reg >= 6 && code[1] < 0xc0;
	return (code[0] == 0xd8 || code[0] == 0xdc || code[0] == 0xde) && reg >= 6;
}

/* `code` has 16 bytes, more than any instruction. */
static void judge(const uint8_t *code, uint64_t at, const struct range *allocator, struct findings *found)
{
	enum { MAX_PREFIXES = 4 };
	const uint8_t *op = code;
	uint64_t before = found->system_calls + found->divisions + found->allocator_steps;
	while (op - code < MAX_PREFIXES && is_legacy_prefix(*op))
		op++;
	op += (*op & 0xf0) == 0x40; /* REX */
	found->steps++;
	if ((op[0] == 0x0f && (op[1] == 0x05 || op[1] == 0x34)) || op[0] == 0xcd)
		found->system_calls++;
	else if ((op[0] == 0xf6 || op[0] == 0xf7) && (op[1] >> 3 & 7) >= 6)
		found->divisions++;
	else if ((op[0] == 0x0f && op[1] == 0x5e) || is_vex_division(op) || is_x87_division(op))
		found->divisions++;
	if (allocator->begin <= at && at < allocator->end)
		found->allocator_steps++;
	if (!found->first && found->system_calls + found->divisions + found->allocator_steps > before)
		found->first = at;
}

/* The child's thread and its tracer take turns: on one CPU that costs a switch, on two a wake-up each way, some ten times as
 * much. Returns what the calling thread's set was. */
static cpu_set_t stay_on_one_cpu(void)
{
	cpu_set_t before, one;
	CPU_ZERO(&one);
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
		if (CPU_ISSET(cpu, &before))
			CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	return before;
}

static void read_code(pid_t child, uint64_t at, uint8_t code[2 * sizeof(long)])
{
	for (unsigned i = 0; i < 2; i++) {
		errno = 0;
		long word = ptrace(PTRACE_PEEKTEXT, child, (void *)(uintptr_t)(at + i * sizeof(long)), NULL);
		/* Beyond the end of a mapping: no instruction that reaches so far is one of ours. */
		word = errno ? 0 : word;
		memcpy(code + i * sizeof(long), &word, sizeof(word));
	}
}

/* Steps the child from mark_begin() to mark_end(), and lets it go. False: it ended, or could not be stepped; *status is what
 * waitpid() said last. */
static bool step_through(pid_t child, struct findings *found, int *status)
{
	struct range allocator = allocator_range();
	bool between = false;
	for (;;) {
		struct user_regs_struct regs;
		if (waitpid(child, status, 0) != child || !WIFSTOPPED(*status))
			return false;
		int number = WSTOPSIG(*status);
		if (number != SIGTRAP && number != SIGSTOP)
			return false;
		/* Whatever ends this process ends the child too. */
		if (number == SIGSTOP && ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_EXITKILL) != 0)
			return false;
		if (ptrace(PTRACE_GETREGS, child, NULL, &regs) != 0)
			return false;
		if (regs.rip == (uintptr_t)mark_end)
			return between && ptrace(PTRACE_DETACH, child, NULL, NULL) == 0;
		between |= regs.rip == (uintptr_t)mark_begin;
		if (between) {
			uint8_t code[2 * sizeof(long)];
			read_code(child, regs.rip, code);
			judge(code, regs.rip, &allocator, found);
		}
		if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0)
			return false;
	}
}

/* ---- The child ----------------------------------------------------------------------------------------------------- */

static void open_scene(struct scene *scene, const char *name, bool hashed)
{
	uint32_t count = 0;
	memset(scene, 0, sizeof(*scene));
	scene->f = pod_open_as(name, NULL, NULL, 2);
	scene->table = hashed ? scene->f->hashed[0] : scene->f->rows[0];
	memset(scene->value, 'v', sizeof(scene->value));
	for (uint64_t n = 0; count < ROWS; n++) {
		/* The hashed table's partition depends on all but the last byte. */
		struct lg_slice key = pod_key_on(POD_LOCAL, n * 97);
		if (lg_partition_owner(scene->f->host[0], lg_table_partition(scene->table, key)) != 0)
			continue;
		OK(lg_load(scene->f->worker[0], scene->table, key, lg_slice(scene->value, VALUE_BYTES)));
		memcpy(scene->key[count++], key.data, KEY_BYTES);
	}
}

static _Noreturn void child_main(act_fn *act, const char *name, bool hashed)
{
	static struct scene scene;
	open_scene(&scene, name, hashed);
	for (int i = 0; i < WARM_ROUNDS; i++)
		act(&scene);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(NOT_TRACED);
	stay_on_one_cpu(); /* this thread alone: the hosts' service threads are there already */
	raise(SIGSTOP);
	mark_begin();
	for (int i = 0; i < ROUNDS; i++)
		act(&scene);
	mark_end();
	pod_close(scene.f);
	exit(0);
}

static struct findings trace(act_fn *act, bool hashed)
{
	struct findings found = {0};
	char name[64];
	int status;
	if (INSTRUMENTED)
		skip();
	pod_private_name(name, sizeof(name)); /* the parent's: it is removed whatever becomes of the child */
	fflush(NULL);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		child_main(act, name, hashed);
	cpu_set_t cpus = stay_on_one_cpu();
	bool whole = step_through(child, &found, &status);
	assert_int_equal(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
	if (!whole && WIFEXITED(status) && WEXITSTATUS(status) == NOT_TRACED) {
		print_message("skipped: the system forbids ptrace()\n");
		skip();
	}
	if (!whole) {
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		fail_msg("the child was not stepped from mark to mark");
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return found;
}

/* ---- Claims -------------------------------------------------------------------------------------------------------- */

static struct findings judged(const char *code)
{
	uint8_t bytes[2 * sizeof(long)] = {0};
	const struct range nowhere = {0};
	struct findings found = {0};
	memcpy(bytes, code, strlen(code));
	judge(bytes, 1, &nowhere, &found);
	return found;
}

static void instructions_are_told_by_their_bytes(void **state)
{
	static const char *const divisions[] = {
	        "\xf7\xf1",                 /* div ecx */
	        "\x48\xf7\xfe",             /* idiv rsi */
	        "\x66\x41\xf7\x70\x08",     /* div word [r8+8] */
	        "\xf6\xf1",                 /* div cl */
	        "\xf2\x0f\x5e\xc1",         /* divsd */
	        "\xc5\xf3\x5e\xc8",         /* vdivsd */
	        "\xc4\xc1\x73\x5e\xc8",     /* vdivsd with r8 */
	        "\x62\xf1\xf5\x48\x5e\xc2", /* vdivpd zmm */
	        "\xde\xf9",                 /* fdivp */
	};
	static const char *const others[] = {
	        "\xf7\xe1",             /* mul ecx */
	        "\x48\xf7\xd8",         /* neg rax */
	        "\xf7\xc1\x30\x01",     /* test ecx, ... */
	        "\x5e",                 /* pop rsi */
	        "\x0f\x57\xc0",         /* xorps */
	        "\xc5\xfe\x6f\x06",     /* vmovdqu */
	        "\xc4\xe2\x7d\x5e\xc8", /* another map than vdiv's */
	        "\xde\xc1",             /* faddp */
	};
	(void)state;
	for (size_t i = 0; i < sizeof(divisions) / sizeof(*divisions); i++)
		assert_int_equal(judged(divisions[i]).divisions, 1);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_int_equal(judged(others[i]).divisions + judged(others[i]).system_calls, 0);
	assert_int_equal(judged("\x0f\x05").system_calls, 1);
	assert_int_equal(judged("\xcd\x80").system_calls, 1);
}

static void the_tracer_finds_what_a_transaction_must_not_do(void **state)
{
	(void)state;
	struct findings found = trace(call_the_system, false);
	assert_int_equal(found.system_calls, ROUNDS);
	assert_int_equal(found.divisions + found.allocator_steps, 0);
	found = trace(divide, false);
	assert_int_equal(found.divisions, ROUNDS);
	assert_int_equal(found.system_calls + found.allocator_steps, 0);
	found = trace(divide_fractions, false);
	assert_int_equal(found.divisions, ROUNDS);
	found = trace(allocate, false);
	assert_true(found.allocator_steps > ROUNDS);
}

static void expect_bare(const char *what, act_fn *act)
{
	for (int hashed = 0; hashed < 2; hashed++) {
		struct findings found = trace(act, hashed);
		print_message("%s, %s table: %llu instructions in %d transactions\n", what,
		        hashed ? "hash-partitioned" : "range-partitioned", (unsigned long long)found.steps, ROUNDS);
		/* Enough for what they do: else something else was traced. */
		assert_true(found.steps > ROUNDS * 100);
		if (found.first)
			fail_msg("%llu system calls, %llu steps in the allocator, %llu divisions; the first %lld bytes "
			         "from mark_begin()",
			        (unsigned long long)found.system_calls, (unsigned long long)found.allocator_steps,
			        (unsigned long long)found.divisions, (long long)(found.first - (uintptr_t)mark_begin));
	}
}

#define BARE(claim, what, act)                                                                                         \
	static void claim(void **state)                                                                                \
	{                                                                                                              \
		(void)state;                                                                                           \
		expect_bare(what, act);                                                                                \
	}

BARE(local_gets_make_no_system_call_allocation_or_division, "gets", get_rows)
BARE(local_puts_make_no_system_call_allocation_or_division, "puts", put_rows)
BARE(local_edits_make_no_system_call_allocation_or_division, "edits", edit_rows)
BARE(many_local_writes_make_no_system_call_allocation_or_division, "20 puts and gets", write_many_rows)
BARE(lg_run_makes_no_system_call_allocation_or_division, "lg_run", run_with_retries)

/* ---- At full speed ------------------------------------------------------------------------------------------------- */

static uint64_t allocated_by_this_thread(void)
{
	int (*control)(const char *, void *, size_t *, void *, size_t);
	uint64_t allocated = 0;
	size_t bytes = sizeof(allocated);
	*(void **)&control = dlsym(RTLD_DEFAULT, "mallctl");
	if (!control || control("thread.allocated", &allocated, &bytes, NULL, 0) != 0)
		abort();
	return allocated;
}

static void mark_for_strace(void)
{
	/* It fails, which nobody minds: strace sees it. */
	if (write(-1, "mark", 4) >= 0)
		abort();
}

static int run_loop(void)
{
	static struct scene scene;
	static act_fn *const acts[] = {get_rows, put_rows, edit_rows, write_many_rows, run_with_retries};
	char name[64];
	pod_private_name(name, sizeof(name));
	open_scene(&scene, name, false);
	for (int i = 0; i < WARM_ROUNDS; i++)
		for (size_t j = 0; j < sizeof(acts) / sizeof(*acts); j++)
			acts[j](&scene);
	uint64_t epoch = lg_epoch(scene.f->host[0]), before = allocated_by_this_thread();
	mark_for_strace();
	for (int i = 0; i < LOOP_ROUNDS; i++)
		for (size_t j = 0; j < sizeof(acts) / sizeof(*acts); j++)
			acts[j](&scene);
	mark_for_strace();
	uint64_t after = allocated_by_this_thread();
	printf("%llu bytes allocated in %d transactions and %llu epochs\n", (unsigned long long)(after - before),
	        LOOP_ROUNDS * (int)(sizeof(acts) / sizeof(*acts)),
	        (unsigned long long)(lg_epoch(scene.f->host[0]) - epoch));
	pod_close(scene.f);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(instructions_are_told_by_their_bytes),
	        cmocka_unit_test(the_tracer_finds_what_a_transaction_must_not_do),
	        cmocka_unit_test(local_gets_make_no_system_call_allocation_or_division),
	        cmocka_unit_test(local_puts_make_no_system_call_allocation_or_division),
	        cmocka_unit_test(local_edits_make_no_system_call_allocation_or_division),
	        cmocka_unit_test(many_local_writes_make_no_system_call_allocation_or_division),
	        cmocka_unit_test(lg_run_makes_no_system_call_allocation_or_division),
	};
	/* An emulated memory executes more than the real one. */
	unsetenv("LIGER_EMULATE");
	if (argc == 2 && strcmp(argv[1], "loop") == 0)
		return run_loop();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
