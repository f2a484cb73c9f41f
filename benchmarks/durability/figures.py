#!/usr/bin/env python3
"""What durability costs: TPC-C 10/15 at every level, with and without checkpoints, and the death of a host.

    make durability-figures                          builds first; FIGURES_ARGS="..." adds options
    benchmarks/durability/figures.py --liger build/liger --outage build/outage --data build/durability

Rounds go over all levels in turn, so that what disturbs the machine for a while disturbs them all alike; medians count, and of
ratios to `none` the median over the rounds. Beside each round: how long this disk takes to make 100 KiB durable.

Exit code: 0; 1, a run failed or was inconsistent; 2, the command line makes no sense.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

RUN_TIMEOUT_S = 300  # only a hang takes so long
TPCC = ["tpcc", "--hosts", "2", "--workers", "1", "--remote-new-order", "10", "--remote-payment", "15", "--quiet"]
NO_CHECKPOINT = ["--checkpoint-log-mib", "0"]
# Name, options, and whether it has a data directory.
LEVELS = {
    "none": (["--durability", "none"], False),
    "cxl": (["--durability", "cxl"], False),
    "cxl, logs": (["--durability", "cxl", *NO_CHECKPOINT], True),
    "disk": (["--durability", "disk", *NO_CHECKPOINT], True),
    "cxl, checkpoints": (["--durability", "cxl", "--checkpoint-log-mib", "16"], True),
}


def fresh(args):
    folder = args.data / "pod"
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def bench(args, options, with_data):
    """The result of one run as bench --json gives it; exits after a message if there is none."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "result.json"
        command = [args.liger, "bench", *TPCC, "--seconds", str(args.seconds), "--warmup", str(args.warmup), *options,
                   "--json", str(out)]
        if with_data:
            command += ["--data", str(fresh(args))]
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False)
        if done.returncode != 0:
            sys.exit(f"figures: exit code {done.returncode}: {' '.join(command)}\n{done.stderr}")
        return json.loads(out.read_text(encoding="utf-8"))


def sync_ms(args):
    """Median over 50 times of writing 100 KiB into a preallocated file and making them durable."""
    path, times = args.data / "sync", []
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.posix_fallocate(file, 0, 50 * 102400)
        os.fsync(file)
        for i in range(50):
            begin = time.monotonic()
            os.pwrite(file, os.urandom(102400), i * 102400)
            os.fdatasync(file)
            times.append((time.monotonic() - begin) * 1000)
    finally:
        os.close(file)
        path.unlink()
    return statistics.median(times)


def latency(results, quantile):
    return statistics.median(r["types"]["NewOrder"]["latency_us"][quantile] for r in results)


def show(results, syncs):
    print("| level | commits/s | of none | NewOrder p50, us | of none | p99, us | redo, B a NewOrder | log, B |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    none = results["none"]
    for name, runs in results.items():
        rate = statistics.median(r["commits_per_s"] for r in runs)
        ratio = statistics.median(r["commits_per_s"] / n["commits_per_s"] for r, n in zip(runs, none))
        order = statistics.median(r["types"]["NewOrder"]["redo_bytes_per_commit"] for r in runs)
        redo = statistics.median(r["redo_bytes_per_commit"] for r in runs)
        log = statistics.median(r["log_bytes_per_commit"] for r in runs)
        slower = statistics.median(r["types"]["NewOrder"]["latency_us"]["p50"] / n["types"]["NewOrder"]["latency_us"]["p50"]
                                   for r, n in zip(runs, none))
        print(f"| {name} | {rate:,.0f} | {ratio:.2f} | {latency(runs, 'p50'):,.1f} | {slower:,.2f} | "
              f"{latency(runs, 'p99'):,.1f} | {order:,.0f} | {order * log / redo if redo else 0:,.0f} |")
    made = statistics.median(r["checkpoints"] for r in results["cxl, checkpoints"])
    p99 = statistics.median(
        r["types"]["NewOrder"]["latency_us"]["p99"] / n["types"]["NewOrder"]["latency_us"]["p99"]
        for r, n in zip(results["cxl, checkpoints"], results["cxl, logs"]))
    print(f"\np99 of NewOrder with checkpoints ({made:.0f} ended in the measured time) against without: {p99:.2f}")
    print(f"100 KiB made durable on this disk: {statistics.median(syncs):.2f} ms "
          f"({min(syncs):.2f} to {max(syncs):.2f})\n")


def outages(args):
    for options in (["--rounds", str(args.rounds)], ["--adopt"]):
        command = [args.outage, "--data", str(fresh(args)), *options]
        print(f"$ outage {' '.join(options)}", flush=True)
        if subprocess.run(command, timeout=RUN_TIMEOUT_S, check=False).returncode != 0:
            sys.exit(1)
        print(flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--liger", default="build/liger")
    parser.add_argument("--outage", default="build/outage")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("build/durability"),
                        help="a directory on the disk to be measured; what is in it under `pod` is removed")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--warmup", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--levels-only", action="store_true", help="leave the deaths of hosts out")
    args = parser.parse_args()
    args.data.mkdir(parents=True, exist_ok=True)
    results, syncs = {name: [] for name in LEVELS}, []
    for _ in range(args.rounds):
        syncs.append(sync_ms(args))
        for name, (options, with_data) in LEVELS.items():
            results[name].append(bench(args, options, with_data))
    show(results, syncs)
    if not args.levels_only:
        outages(args)
    fresh(args)


if __name__ == "__main__":
    main()
