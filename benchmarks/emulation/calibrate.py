#!/usr/bin/env python3
"""Compares every delay profile with what `liger probe memory` measures under it: a table, and latency under load as a plot.

    benchmarks/emulation/calibrate.py --liger build/liger --out build/calibration [PROFILE...]

PROFILE is a built-in one's name or a file's path; none: all built-in ones. Writes OUT/NAME.json, OUT/calibration.md and
OUT/load.svg. A figure that is further off than it may be is marked "off"; one that this machine alone does worse than the
profile, "(machine)".

--model calibrates the model without this machine's memory: each profile is copied to OUT/profiles with a modelled cache of
MODEL_CACHE_BYTES, and reads stay within --chain-mib, which must be more than that, and fit into this machine's real cache.
So what misses in the model hits in the machine, and latencies below those of the machine's memory can be shown.

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
MODEL_CACHE_BYTES = 256 << 10  # an eighth of the least chain: a line never lasts until the chain comes round to it
MARKS = {"off": " **off**", "machine": " (machine)", "ok": "", "": ""}


def builtin():
    profiles = [json.loads(path.read_text(encoding="utf-8")) for path in PROFILES.glob("*.json")]
    return [p["name"] for p in sorted(profiles, key=lambda p: p["read_ns"]["value"])]


def model_profile(args, profile):
    """A copy with a small cache."""
    path = pathlib.Path(profile)
    copy = json.loads((path if path.suffix == ".json" else PROFILES / f"{profile}.json").read_text(encoding="utf-8"))
    copy["cache_bytes"] = {"value": MODEL_CACHE_BYTES, "unit": "bytes", "source": "calibration of the model alone"}
    folder = args.out / "profiles"
    folder.mkdir(exist_ok=True)
    out = folder / f"{copy['name']}.json"
    out.write_text(json.dumps(copy, indent=1), encoding="utf-8")
    return f"./{out}" if not out.is_absolute() else str(out)


def probe(args, profile):
    out = args.out / (pathlib.Path(profile).stem + ".json")
    extra = list(args.probe_args)
    if args.model:
        profile = model_profile(args, profile)
        extra += ["--chain-mib", str(args.chain_mib)]
    command = [args.liger, "probe", "memory", "--emulate", f"delay:{profile}", "--json", str(out), *extra]
    if subprocess.run(command, stdout=subprocess.DEVNULL, timeout=RUN_TIMEOUT_S, check=False).returncode != 0:
        sys.exit(1)
    print(out, flush=True)
    return json.loads(out.read_text(encoding="utf-8"))


def cell(report, key):
    figure = report["figures"][key]
    return f"{figure['measured']:.4g} / {figure['profile']:.4g} ({figure['deviation_percent']:+.0f}%){MARKS[figure['verdict']]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--liger", default="build/liger")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/calibration"))
    parser.add_argument("--quick", dest="probe_args", action="store_const", const=["--quick"], default=[])
    parser.add_argument("--model", action="store_true")
    parser.add_argument("--chain-mib", type=int, default=2)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("profile", nargs="*")
    args = parser.parse_args()
    if args.chain_mib << 20 < 8 * MODEL_CACHE_BYTES:
        parser.error(f"--chain-mib: less than eight times the modelled cache of {MODEL_CACHE_BYTES} bytes")
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
