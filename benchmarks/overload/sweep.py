#!/usr/bin/env python3
"""Goodput against the number of clients, far beyond what the machine can serve.

    make overload-sweep                             builds first; SWEEP_ARGS="..." adds options
    benchmarks/overload/sweep.py --liger build/liger --out build/overload

A client is a thread with a worker, which runs one transaction after the other. Each run is one `liger bench` of two hosts;
rounds go over all runs, so that what disturbs the machine for a while disturbs them all alike; the median counts. With the bound
on how many run at once (lg_host_config.max_running, its default) and without. Writes OUT/overload.json, OUT/overload.md and
OUT/overload.svg.

Exit code: 0; 1, a run failed, or with the bound some load keeps less than --least percent of the peak that
a tenth of its clients, or fewer, reach; 2, the command line makes no sense.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # the folders are source folders
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "emulation"))
import plot  # noqa: E402

RUN_TIMEOUT_S = 300  # only a hang takes so long
MOST_WORKERS = 63  # of a host, beside the coordinator's
WORKLOADS = {
    "contended": ["ycsb", "--keys", "1000", "--zipf", "0.99", "--read-percent", "50", "--cross-host", "20", "--share-all"],
    "uncontended": ["ycsb", "--keys", "50000", "--zipf", "0", "--read-percent", "50", "--cross-host", "0"],
}
BOUNDS = {"bounded": [], "no bound": ["--max-running", "64"]}


def run(args, arguments, workers):
    """What the run says, or None after a message."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "result.json"
        command = [args.liger, "bench", *arguments, "--hosts", "2", "--workers", str(workers), "--seconds", str(args.seconds),
                   "--warmup", str(args.warmup), "--no-pin", "--quiet", "--json", str(out)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired:
            print(f"sweep: no end after {RUN_TIMEOUT_S} s: {' '.join(command)}", file=sys.stderr)
            return None
        if done.returncode != 0:
            print(f"sweep: exit code {done.returncode}: {' '.join(command)}\n{done.stderr}", file=sys.stderr)
            return None
        result = json.loads(out.read_text(encoding="utf-8"))
    types = result["types"].values()
    return {
        "commits_per_s": result["commits_per_s"],
        "aborts_per_commit": result["aborts_per_commit"],
        "p50_us": min(t["latency_us"]["p50"] for t in types),
        "p99_us": max(t["latency_us"]["p99"] for t in types),
        "max_ms": max(t["latency_us"]["max"] for t in types) / 1000,
    }


def sum_up(runs):
    """The medians; and the best rate, as what else runs on the machine only takes away."""
    medians = {key: statistics.median(r[key] for r in runs) for key in runs[0]}
    return medians | {"best_per_s": max(r["commits_per_s"] for r in runs)}


def write_table(path, loads, medians):
    with path.open("w", encoding="utf-8") as out:
        print("| workload | clients | commits/s | best | p50, us | p99, ms | slowest, ms | aborts a commit | "
              "no bound: commits/s | best |", file=out)
        print("|---|" + "---:|" * 9, file=out)
        for workload, by in medians.items():
            for load in loads:
                with_it, without = by["bounded"][load], by["no bound"][load]
                print(f"| {workload} | {2 * load} | {with_it['commits_per_s']:,.0f} | {with_it['best_per_s']:,.0f} | "
                      f"{with_it['p50_us']:.1f} | {with_it['p99_us'] / 1000:,.2f} | {with_it['max_ms']:,.0f} | "
                      f"{with_it['aborts_per_commit']:.3f} | {without['commits_per_s']:,.0f} | {without['best_per_s']:,.0f} |",
                      file=out)


def keeps_up(loads, by_load, least):
    """Whether no load falls below `least` percent of the peak of all loads of a tenth of its clients, or fewer."""
    for load in loads:
        peak = max((by_load[l]["commits_per_s"] for l in loads if 10 * l <= load), default=0)
        if by_load[load]["commits_per_s"] * 100 < peak * least:
            return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--liger", default="build/liger")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/overload"))
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--warmup", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", default="1,2,4,8,16,32,63", help="of each of the two hosts")
    parser.add_argument("--least", type=float, default=80)
    args = parser.parse_args()
    loads = [int(w) if w.isdecimal() else 0 for w in args.workers.split(",")]
    if not all(1 <= load <= MOST_WORKERS for load in loads) or args.rounds < 1:
        parser.error(f"--workers are numbers from 1 to {MOST_WORKERS}, --rounds at least 1")
    args.out.mkdir(parents=True, exist_ok=True)
    runs = {w: {b: {load: [] for load in loads} for b in BOUNDS} for w in WORKLOADS}
    for _ in range(args.rounds):
        for workload, arguments in WORKLOADS.items():
            for load in loads:
                for bound, more in BOUNDS.items():
                    result = run(args, arguments + more, load)
                    if result is None:
                        sys.exit(1)
                    runs[workload][bound][load].append(result)
                    print(f"{workload}, {2 * load} clients, {bound}: {result['commits_per_s']:,.0f} commits/s", flush=True)
    medians = {w: {b: {load: sum_up(r) for load, r in of.items()} for b, of in by.items()} for w, by in runs.items()}
    (args.out / "overload.json").write_text(json.dumps(runs, indent=1), encoding="utf-8")
    write_table(args.out / "overload.md", loads, medians)
    lines = [plot.Line(f"{w}, {b}", [(2 * load, m["commits_per_s"]) for load, m in of.items()])
             for w, by in medians.items() for b, of in by.items()]
    plot.draw(args.out / "overload.svg", "Goodput under overload", "clients", "commits/s", lines, log_x=True, log_y=True)
    slow = [w for w, by in medians.items() if not keeps_up(loads, by["bounded"], args.least)]
    for workload in slow:
        print(f"sweep: {workload}: ten times the clients keep less than {args.least:g}% of the peak", file=sys.stderr)
    sys.exit(1 if slow else 0)


if __name__ == "__main__":
    main()
