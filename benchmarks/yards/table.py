#!/usr/bin/env python3
"""Prints how fast Liger is, in yards, beside what it must reach: the table of `make yards`.

    make yards                                        builds first; YARDS_ARGS="..." adds options
    benchmarks/yards/table.py --rounds 1 --seconds 2  with what lies in build/

A machine that others use is now fast and now slow. So every run of `liger bench` stands between two runs of the yardstick
(yardstick.c: two threads, 3 s, yards/s in all), rows alternate within a round, and the figure of a row is the median
over the rounds of commits/s divided by the mean of the two. One host of one worker is measured against the same two
threads: its floor is told for a machine of 180,000 yards/s, which is this kind of machine when nobody disturbs it.

YCSB with remote keys is measured in its steady state, in which all rows lie in the pod: --share-all brings them there
during the warm-up, as a long run would (the column "messages" shows that it did). Without it a run is a mixture: after
1, 5 and 20 s of warm-up one machine still moved 2.1, 0.6 and 0.01 rows a commit. In TPC-C, where orders are new rows and
most of the stock is rarely touched, movement fades but never ends; there the warm-up is simply 10 s.

Exit code: 0, the table is complete, whatever stands in it; 1, a run failed or was inconsistent; 2, the command line makes
no sense; 130, interrupted.
"""

import argparse
import fnmatch
import json
import os
import pathlib
import platform
import signal
import statistics
import subprocess
import sys
import tempfile

REFERENCE_YARDS = 180_000  # per second: the machine that floors told in commits/s mean
YARDSTICK = ["2", "3"]  # threads, seconds
YARDSTICK_ATTEMPTS = 5
LEAST_YARDS = 1_000  # less is not a speed
RUN_TIMEOUT_S = 900  # far beyond any run: only a hang takes so long

TPCC = ["tpcc", "--warmup", "10"]
YCSB = ["ycsb", "--zipf", "0.7", "--keys", "300000", "--fields", "10", "--field-bytes", "100"]
YCSB_HERE = YCSB + ["--cross-host", "0", "--warmup", "2"]
YCSB_CROSS = YCSB + ["--cross-host", "100", "--share-all", "--warmup", "10"]
SINGLE = ["ycsb", "--hosts", "1", "--keys", "1000000", "--fields", "1", "--field-bytes", "100", "--warmup", "1"]
# Nobody writes: after the warm-up every read of another host's row is a re-read.
REREAD = ["ycsb", "--keys", "51000", "--read-percent", "100", "--cross-host", "100", "--share-all", "--warmup", "5"]

LEAST_SHARED_ROWS = 100_000  # from which on bytes a shared row are judged


class Row:
    """A line of the table: a command, what it must reach, and what its runs have given so far."""

    def __init__(self, name, args, floor=None, tigon=None, other="", floor_per_s=None, once=False):
        self.name, self.args, self.tigon, self.other = name, args, tigon, other
        self.floor_per_s = floor_per_s  # at REFERENCE_YARDS
        self.floor = floor_per_s / REFERENCE_YARDS if floor_per_s else floor
        self.once = once  # in the first round only, and no speed asked
        self.runs = []  # dicts: commits_per_s, yards_before, yards_after, yards_per_s, commits_per_yard, result
        self.failures = []

    def median(self, key):
        return statistics.median(run[key] for run in self.runs) if self.runs else None

    def figure(self, *path):
        """Median over the runs of a number in Liger's own result."""
        numbers = [dig(run["result"], *path) for run in self.runs]
        numbers = [number for number in numbers if number is not None]
        return statistics.median(numbers) if numbers else None

    def passed(self):
        if self.floor is None or not self.runs or self.failures:
            return None
        return self.median("commits_per_yard") >= self.floor


def rows_of_the_table():
    def remote(new_order, payment):
        return TPCC + ["--remote-new-order", str(new_order), "--remote-payment", str(payment)]

    def reads(base, percent):
        return base + ["--read-percent", str(percent)]

    lmdb = "LMDB %.1f"
    return [
        Row("tpcc 0/0", remote(0, 0), 0.70, 0.45, "Silo 0.65"),
        Row("tpcc 10/15", remote(10, 15), 0.60, 0.37),
        Row("tpcc 60/90", remote(60, 90), 0.50, 0.39),
        Row("ycsb local 50% reads", reads(YCSB_HERE, 50), 0.8, 0.37, "CCBench's Silo 1.3"),
        Row("ycsb local 95% reads", reads(YCSB_HERE, 95), 1.2, 1.04, "CCBench's Silo 1.45"),
        Row("ycsb local 100% reads", reads(YCSB_HERE, 100), 1.5, 1.39),
        Row("ycsb cross 50% reads", reads(YCSB_CROSS, 50), 0.5, 0.28),
        Row("ycsb cross 95% reads", reads(YCSB_CROSS, 95), 1.0, 0.80),
        Row("ycsb cross 100% reads", reads(YCSB_CROSS, 100), 1.2, 0.90),
        Row("one get", SINGLE + ["--single", "get"], other=lmdb % (1.1e6 / REFERENCE_YARDS), floor_per_s=1_500_000),
        Row("one put", SINGLE + ["--single", "put"], other=lmdb % (0.6e6 / REFERENCE_YARDS), floor_per_s=900_000),
        Row("re-read", REREAD, once=True),
    ]


def dig(tree, *path):
    for key in path:
        if not isinstance(tree, dict) or key not in tree:
            return None
        tree = tree[key]
    return tree


# ---- Running ---------------------------------------------------------------------------------------------------------


class Failed(Exception):
    """A program that was run did not do its part; the text says which and why."""


def run_program(command):
    """Its standard output. However this ends, the program is gone: told to stop first, so that it removes its pod."""
    name = pathlib.Path(command[0]).name
    try:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except OSError as error:
        raise Failed(f"cannot run {command[0]}: {error.strerror}; build it with make") from error
    try:
        out, err = child.communicate(timeout=RUN_TIMEOUT_S)
    except BaseException as why:
        child.terminate()
        try:
            child.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
        if isinstance(why, subprocess.TimeoutExpired):
            raise Failed(f"{name} ran longer than {RUN_TIMEOUT_S} s: {' '.join(command)}") from why
        raise
    if child.returncode != 0:
        lines = [line for line in (err.splitlines() + out.splitlines()) if line.strip()]
        said = lines[-1].strip() if lines else "it said nothing"
        raise Failed(f"{name} ended with {child.returncode}: {said}")
    return out


def run_yardstick(build):
    """Yards/s. On a machine so busy that its threads do not even begin in time it prints 0: then once more."""
    for _ in range(YARDSTICK_ATTEMPTS):
        text = run_program([str(build / "yardstick"), *YARDSTICK]).strip()
        if text.isdigit() and int(text) >= LEAST_YARDS:
            return float(text)
    raise Failed(f'the yardstick measured "{text}" yards/s: the machine is too busy to measure anything')


def run_bench(build, row, seconds, seed):
    """Liger's result of one run. Consistency checks that failed are a failure; those left out cannot be."""
    with tempfile.TemporaryDirectory(prefix="liger-yards-") as folder:
        path = pathlib.Path(folder) / "result.json"
        hosts = [] if "--hosts" in row.args else ["--hosts", "2"]
        common = [*hosts, "--workers", "1", "--seconds", str(seconds), "--seed", str(seed), "--quiet"]
        run_program([str(build / "liger"), "bench", *row.args, *common, "--json", str(path)])
        result = json.loads(path.read_text(encoding="utf-8"))
    if result["consistency_failed"]:
        raise Failed(f"inconsistent: {result['consistency_failed'][0]}")
    if "--share-all" in row.args and "read" in result["types"]:
        raise Failed("rows were still being shared when the measurement began: the machine is too busy")
    return result


def measure(build, row, args, number, before):
    """One run of a row. Returns the yardstick after it, which is the one before the next."""
    result = run_bench(build, row, args.seconds, number)
    after = run_yardstick(build)
    yards = (before + after) / 2
    run = {
        "round": number,
        "commits_per_s": result["commits_per_s"],
        "yards_before": before,
        "yards_after": after,
        "yards_per_s": yards,
        "commits_per_yard": result["commits_per_s"] / yards,
        "result": result,
    }
    row.runs.append(run)
    say(
        f"  {row.name:<22} {run['commits_per_s']:>12,.0f} commits/s {before:>9,.0f} {after:>9,.0f} yards/s "
        f"{run['commits_per_yard']:>7.3f} a yard"
    )
    return after


def run_rounds(rows, args):
    before = None
    for number in range(1, args.rounds + 1):
        say(f"round {number} of {args.rounds}")
        for row in rows:
            if row.once and number > 1:
                continue
            try:
                if before is None:
                    before = run_yardstick(args.build)
                before = measure(args.build, row, args, number, before)
            except Failed as why:
                row.failures.append(str(why))
                say(f"  {row.name:<22} FAILED: {why}")
                before = None


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---- Judging ---------------------------------------------------------------------------------------------------------


class Requirement:
    def __init__(self, name, measured, asked, passed):
        self.name, self.measured, self.asked, self.passed = name, measured, asked, passed


def hwcc_requirements(results):
    many = [r for r in results if r["shared_rows"] >= LEAST_SHARED_ROWS]
    found = []
    if many:
        worst = max(many, key=lambda r: r["hwcc"]["claimed_bytes"] / r["shared_rows"])
        a_row = worst["hwcc"]["claimed_bytes"] / worst["shared_rows"]
        text = f"{a_row:.2f} B at {worst['shared_rows']:,.0f} rows"
        found.append(Requirement("HWcc a shared row, over the fixed part", text, "<= 8.5 B", a_row <= 8.5))
    if results:
        fixed = max(r["hwcc_fixed_bytes"] for r in results)
        found.append(Requirement("HWcc, fixed part", f"{fixed / 1024:.0f} KiB", "<= 256 KiB", fixed <= 256 * 1024))
    return found


def swcc_requirements(results):
    """What the hosts have claimed counts, not only what they use of it."""
    many = [r for r in results if r["shared_rows"] >= LEAST_SHARED_ROWS and dig(r, "ycsb", "field_bytes") == 100]
    if not many:
        return []
    worst = max(many, key=lambda r: r["swcc_claimed_bytes_per_payload_byte"])
    claimed, used = worst["swcc_claimed_bytes_per_payload_byte"], worst["swcc_bytes_per_payload_byte"]
    text = f"{claimed:.3f} ({used:.3f} in use) at {worst['shared_rows']:,.0f} rows"
    return [Requirement("SWcc a byte of payload, 1,000-byte rows", text, "<= 1.35", max(claimed, used) <= 1.35)]


def reread_requirements(rows):
    """Counted by the workers while they read rows that nobody changes and that all have read before.

    Their word writes are of two kinds. Once an epoch each worker tells the pod how old its host's oldest transaction is,
    whatever it runs: epoch_publishes. All others, and all flushes, would be the reads' own. A read that has to ask the
    owner, because the row has no slot in the directory, is no silent read: it sends a message. It counts in both lines.
    """
    found = []
    for row in rows:
        if row.name != "re-read" or not row.runs:
            continue
        seen = row.runs[-1]["result"]["worker_accesses"]
        reads, asked = seen["remote_reads"], seen["requests_sent"]
        publishes, flushed = seen["epoch_publishes"], seen["line_flushes"]
        wrote = seen["word_writes"] - publishes + seen["line_writes"]
        text = f"{wrote:,.0f} writes, {flushed:,.0f} flushes in {reads:,.0f} reads; beside {publishes:,.0f} epoch writes"
        none = wrote == 0 and flushed == 0 and reads > 0
        found.append(Requirement("remote re-reads of unchanged rows", text, "0 and 0", none))
        found.append(Requirement("of them, reads that asked the owner", f"{asked:,.0f}", "0", asked == 0 and reads > 0))
    return found


def load_requirements(rows):
    rates = [r["result"]["load"]["rows_per_s_per_worker"] for row in rows if row.args[0] == "tpcc" for r in row.runs]
    if not rates:
        return []
    rate = statistics.median(rates)
    return [Requirement("TPC-C load, rows/s a worker", f"{rate:,.0f}", ">= 400,000", rate >= 400_000)]


def requirements_of(rows):
    results = [run["result"] for row in rows for run in row.runs]
    return (
        hwcc_requirements(results) + swcc_requirements(results) + reread_requirements(rows) + load_requirements(rows)
    )


# ---- Printing --------------------------------------------------------------------------------------------------------


def verdict(passed):
    return {True: "yes", False: "NO", None: "-"}[passed]


def number(value, form):
    return "-" if value is None else format(value, form)


def speed_lines(rows):
    head = [
        "workload",
        "commits/s",
        "yards/s",
        "a yard",
        "asked",
        "reached",
        "Tigon",
        "best other",
        "aborts a commit",
        "messages a commit",
    ]
    lines = []
    for row in rows:
        asked = "-" if row.floor is None else f"{row.floor:.2f}"
        if row.floor_per_s:
            asked += f" ({row.floor_per_s / 1e6:.1f}M/s)"
        reached = "FAILED" if row.failures else verdict(row.passed())
        lines.append(
            [
                row.name,
                number(row.median("commits_per_s"), ",.0f"),
                number(row.median("yards_per_s"), ",.0f"),
                number(row.median("commits_per_yard"), ".3f"),
                asked,
                reached,
                number(row.tigon, ".2f"),
                row.other or "-",
                number(row.figure("aborts_per_commit"), ".4f"),
                number(row.figure("messages_per_commit"), ".4f"),
            ]
        )
    return head, lines


def print_table(head, lines, left, markdown):
    """`left`: how many columns, from the first, are texts."""
    if markdown:
        print("| " + " | ".join(head) + " |")
        print("|" + "|".join("---" if i < left else "---:" for i in range(len(head))) + "|")
        for line in lines:
            print("| " + " | ".join(line) + " |")
        return
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    for line in [head, *lines]:
        cells = [c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths))]
        print("  ".join(cells).rstrip())


def print_all(rows, requirements, args):
    print(
        f"Median of {args.rounds} round{'' if args.rounds == 1 else 's'} of {args.seconds:g} s; durability none; two "
        "hosts of one worker, but where it says one. A yard: see yardstick.c.\n"
    )
    print_table(*speed_lines(rows), 1, args.markdown)
    print()
    lines = [[r.name, r.measured, r.asked, verdict(r.passed)] for r in requirements]
    if lines:
        print_table(["requirement", "measured", "asked", "reached"], lines, 4, args.markdown)
    for row in rows:
        for failure in row.failures:
            print(f"\nFAILED: {row.name}: {failure}")


def machine():
    model = ""
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass  # the name of the processor is only an ornament
    return {"cpus": len(os.sched_getaffinity(0)), "processor": model, "kernel": platform.release()}


def write_json(path, rows, requirements, args):
    document = {
        "machine": machine(),
        "rounds": args.rounds,
        "seconds": args.seconds,
        "rows": [
            {
                "name": row.name,
                "arguments": row.args,
                "commits_per_s": row.median("commits_per_s"),
                "yards_per_s": row.median("yards_per_s"),
                "commits_per_yard": row.median("commits_per_yard"),
                "asked": row.floor,
                "reached": row.passed(),
                "tigon": row.tigon,
                "best_other": row.other or None,
                "failures": row.failures,
                "runs": row.runs,
            }
            for row in rows
        ],
        "requirements": [vars(requirement) for requirement in requirements],
    }
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    beside.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)


# ---- The command -----------------------------------------------------------------------------------------------------


def at_least_one(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


def positive(text):
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1,000,000")
    return value


def parse_arguments():
    parser = argparse.ArgumentParser(description="Prints Liger's speed in yards beside what it must reach.")
    parser.add_argument("--rounds", type=at_least_one, default=5, help="runs of every row (default 5)")
    parser.add_argument("--seconds", type=positive, default=5.0, help="measured seconds of a run (default 5)")
    parser.add_argument("--only", metavar="PATTERN", help='rows whose name matches: "tpcc*", "*cross*", "one *"')
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write everything measured there, too")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--list", action="store_true", help="print the rows and their commands, and run nothing")
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"), help="where the programs lie")
    args = parser.parse_args()
    rows = [r for r in rows_of_the_table() if fnmatch.fnmatch(r.name, args.only or "*")]
    if not rows:
        names = ", ".join(r.name for r in rows_of_the_table())
        parser.error(f'--only: no row matches "{args.only}"; there are {names}')
    for program in ["liger", "yardstick"]:
        if not args.list and not os.access(args.build / program, os.X_OK):
            parser.error(f"there is no {args.build / program}: build it with make, or say --build DIRECTORY")
    if args.json and not os.access(args.json.absolute().parent, os.W_OK | os.X_OK):
        parser.error(f"--json: cannot write to {args.json.absolute().parent}")
    args.build = args.build.absolute()
    return args, rows


def main():
    args, rows = parse_arguments()
    if args.list:
        for row in rows:
            print(f"{row.name:<22} liger bench {' '.join(row.args)}")
        return 0
    # Both come as KeyboardInterrupt, so that the program that is running is ended in order.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run_rounds(rows, args)
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    requirements = requirements_of(rows)
    print_all(rows, requirements, args)
    if args.json:
        write_json(args.json, rows, requirements, args)
    return 1 if any(row.failures for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
