#!/usr/bin/env python3
"""TPC-C and YCSB under every delay profile, at several remote percentages: throughput against latency.

    make emulation-sweep                             builds first; SWEEP_ARGS="..." adds options
    benchmarks/emulation/sweep.py --liger build/liger --out build/sweep

Each run is one `liger bench` of two hosts with a worker each. Rounds go over all runs, so that what disturbs the machine for
a while disturbs them all alike; the median counts. Writes OUT/sweep.json, OUT/sweep.md, OUT/tpcc.svg and OUT/ycsb.svg. A
profile stands at its idle read latency; runs without emulation stand at 0.

Exit code: 0; 1, a run failed or was inconsistent; 2, the command line makes no sense.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # the folder is a source folder
import plot  # noqa: E402

PROFILES = pathlib.Path(__file__).resolve().parents[2] / "src" / "emulation" / "profiles"
RUN_TIMEOUT_S = 300  # only a hang takes so long
TPCC = {f"{order}/{payment}": ["tpcc", "--remote-new-order", str(order), "--remote-payment", str(payment)]
        for order, payment in ((0, 0), (10, 15), (60, 90))}
YCSB_ROWS = ["ycsb", "--keys", "10000", "--zipf", "0.7", "--read-percent", "95"]
# What is remote lies in the pod from the warm-up on, as after a long run.
YCSB = {"0%": [*YCSB_ROWS, "--cross-host", "0"]} | {
    f"{cross}%": [*YCSB_ROWS, "--share-all", "--cross-host", str(cross)] for cross in (20, 50, 100)}
WORKLOADS = {"tpcc": TPCC, "ycsb": YCSB}
TITLES = {
    "tpcc": ("TPC-C-like, remote NewOrder % / Payment %", "commits/s"),
    "ycsb": ("YCSB, 95% reads, transactions that cross hosts", "commits/s"),
}


def run(args, mode, arguments):
    """Commits a second, or None after a message."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "result.json"
        command = [args.liger, "bench", *arguments, "--hosts", "2", "--workers", "1", "--seconds", str(args.seconds),
                   "--warmup", str(args.warmup), "--emulate", mode, "--quiet", "--json", str(out)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired:
            print(f"sweep: no end after {RUN_TIMEOUT_S} s: {' '.join(command)}", file=sys.stderr)
            return None
        if done.returncode != 0:
            print(f"sweep: exit code {done.returncode}: {' '.join(command)}\n{done.stderr}", file=sys.stderr)
            return None
        return json.loads(out.read_text(encoding="utf-8"))["commits_per_s"]


def modes():
    """Name and idle read latency, ns, of every mode; that without emulation first."""
    profiles = [json.loads(path.read_text(encoding="utf-8")) for path in PROFILES.glob("*.json")]
    profiles.sort(key=lambda p: p["read_ns"]["value"])
    return {"direct": 0} | {f"delay:{p['name']}": p["read_ns"]["value"] for p in profiles}


def write_table(path, latency, medians):
    with path.open("w", encoding="utf-8") as out:
        heads = [f"{workload} {name}" for workload, variants in WORKLOADS.items() for name in variants]
        print("| mode | read, ns | " + " | ".join(heads) + " |", file=out)
        print("|---|---:|" + "---:|" * len(heads), file=out)
        for mode, ns in latency.items():
            cells = [medians[workload][name][mode] for workload, variants in WORKLOADS.items() for name in variants]
            print(f"| {mode} | {ns or '-'} | " + " | ".join(f"{c:,.0f}" for c in cells) + " |", file=out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--liger", default="build/liger")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/sweep"))
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--warmup", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    latency = modes()
    runs = {workload: {name: {mode: [] for mode in latency} for name in variants} for workload, variants in WORKLOADS.items()}
    for _ in range(args.rounds):
        for workload, variants in WORKLOADS.items():
            for mode in latency:
                for name, arguments in variants.items():
                    commits = run(args, mode, arguments)
                    if commits is None:
                        sys.exit(1)
                    runs[workload][name][mode].append(commits)
                    print(f"{workload} {name} {mode}: {commits:,.0f} commits/s", flush=True)
    medians = {w: {n: {m: statistics.median(c) for m, c in by.items()} for n, by in v.items()} for w, v in runs.items()}
    (args.out / "sweep.json").write_text(json.dumps({"latency_ns": latency, "commits_per_s": runs}, indent=1), encoding="utf-8")
    write_table(args.out / "sweep.md", latency, medians)
    for workload, (title, label) in TITLES.items():
        lines = [plot.Line(name, sorted((latency[m], c) for m, c in by.items())) for name, by in medians[workload].items()]
        plot.draw(args.out / f"{workload}.svg", title, "idle read latency of the profile, ns (0: no emulation)", label, lines)


if __name__ == "__main__":
    main()
