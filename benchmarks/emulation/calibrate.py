#!/usr/bin/env python3
"""Compares every delay profile with what `liger probe memory` measures under it: a table, and latency under load as a plot.

    benchmarks/emulation/calibrate.py --liger build/liger --out build/calibration [PROFILE...]

PROFILE is a built-in one's name or a file's path; none: all built-in ones. Writes OUT/NAME.json, OUT/calibration.md and
OUT/load.svg. A figure that is further off than it may be is marked "off"; one that this machine alone does worse than the
profile, "(machine)".

Exit code: 0; 1, a probe failed, or with --check a figure is off; 2, the command line makes no sense.
"""

import argparse
import json
import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True  # the folder is a source folder
import plot  # noqa: E402

PROFILES = pathlib.Path(__file__).resolve().parents[2] / "src" / "emulation" / "profiles"
RUN_TIMEOUT_S = 300  # only a hang takes so long
COLUMNS = {"idle_read": "idle read, ns", "coherence": "coherence miss, ns", "write_back_1": "write-back + fence, ns",
           "flush_and_read": "flush + fence + read, ns", "read_1_thread": "read, 1 thread, GB/s",
           "read_2_threads": "read, 2 threads", "write_1_thread": "write, 1 thread", "write_2_threads": "write, 2 threads"}
MARKS = {"off": " **off**", "machine": " (machine)", "ok": "", "": ""}


def builtin():
    profiles = [json.loads(path.read_text(encoding="utf-8")) for path in PROFILES.glob("*.json")]
    return [p["name"] for p in sorted(profiles, key=lambda p: p["read_ns"]["value"])]


def probe(args, profile):
    out = args.out / (pathlib.Path(profile).stem + ".json")
    command = [args.liger, "probe", "memory", "--emulate", f"delay:{profile}", "--json", str(out), *args.probe_args]
    if subprocess.run(command, stdout=subprocess.DEVNULL, timeout=RUN_TIMEOUT_S, check=False).returncode != 0:
        sys.exit(1)
    print(out, flush=True)
    return json.loads(out.read_text(encoding="utf-8"))


def cell(report, key):
    # Where a profile has tails, its read latency is the median.
    if key == "idle_read" and report["figures"]["idle_read"]["profile"] is None:
        key = "read_p50"
    figure = report["figures"][key]
    return f"{figure['measured']:.4g} / {figure['profile']:.4g} ({figure['deviation_percent']:+.0f}%){MARKS[figure['verdict']]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--liger", default="build/liger")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/calibration"))
    parser.add_argument("--quick", dest="probe_args", action="store_const", const=["--quick"], default=[])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("profile", nargs="*")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    reports = [probe(args, profile) for profile in args.profile or builtin()]
    with (args.out / "calibration.md").open("w", encoding="utf-8") as out:
        print("| profile | " + " | ".join(COLUMNS.values()) + " |\n|---|" + "---|" * len(COLUMNS), file=out)
        for report in reports:
            cells = [cell(report, key) for key in COLUMNS]
            print("| " + " | ".join([report["emulation"].removeprefix("delay:"), *cells]) + " |", file=out)
    plot.draw_load(args.out / "load.svg", reports)
    off = [f for report in reports for f in report["figures"].values() if f["verdict"] == "off"]
    sys.exit(1 if args.check and off else 0)


if __name__ == "__main__":
    main()
