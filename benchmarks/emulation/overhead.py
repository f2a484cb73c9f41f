#!/usr/bin/env python3
"""What emulation costs that is compiled in and not used: TPC-C by two builds in turn, one with it and one without.

    make O=build/with build/with/liger && make O=build/without EMULATION=0 build/without/liger
    benchmarks/emulation/overhead.py --on build/with/liger --off build/without/liger --pairs 12

A pair is a run of each, one right after the other, in an order that swaps from pair to pair. Prints both medians, their
ratio, and the median of the pairs' ratios, which says most where a machine's speed drifts.

Exit code: 0; 1, a run failed; 2, the command line makes no sense.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

RUN_TIMEOUT_S = 120  # only a hang takes so long


def run(liger, args):
    """Commits a second."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "result.json"
        command = [liger, "bench", "tpcc", "--hosts", str(args.hosts), "--workers", "1", "--seconds", str(args.seconds),
                   "--quiet", "--json", str(out)]
        environment = {k: v for k, v in os.environ.items() if k != "LIGER_EMULATE"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False, env=environment)
        if done.returncode != 0:
            print(f"overhead: exit code {done.returncode}: {' '.join(command)}\n{done.stderr}", file=sys.stderr)
            sys.exit(1)
        return json.loads(out.read_text(encoding="utf-8"))["commits_per_s"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--on", required=True)
    parser.add_argument("--off", required=True)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--hosts", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=4)
    args = parser.parse_args()
    commits = {"on": [], "off": []}
    for pair in range(args.pairs):
        for which in ("on", "off") if pair % 2 == 0 else ("off", "on"):
            commits[which].append(run(getattr(args, which), args))
        on, off = commits["on"][-1], commits["off"][-1]
        print(f"pair {pair + 1}: with {on:,.0f}, without {off:,.0f} commits/s: {on / off:.4f}", flush=True)
    medians = {which: statistics.median(values) for which, values in commits.items()}
    ratios = [on / off for on, off in zip(commits["on"], commits["off"])]
    print(f"median with {medians['on']:,.0f}, without {medians['off']:,.0f} commits/s: ratio of medians "
          f"{medians['on'] / medians['off']:.4f}, median of ratios {statistics.median(ratios):.4f}")


if __name__ == "__main__":
    main()
