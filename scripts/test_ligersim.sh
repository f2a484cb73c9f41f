#!/bin/bash
# Tests of what people use of the emulation: the example over libligersim, and `liger probe memory`. Run by
# `make check-ligersim`, which sets QUEUE and LIGER, the programs, SEEDS, how many seeds of the incoherent mode to try.
set -uo pipefail

queue=${QUEUE:-build/examples/queue}
liger=${LIGER:-build/liger}
seeds=${SEEDS:-20}
work=$(mktemp -d)
name=liger-probe-test-$$
trap 'rm -rf "$work" "/dev/shm/$name"' EXIT
# shellcheck source=scripts/claims.sh
. "$(dirname "$0")/claims.sh"

# gives TEXT CODE PATTERN COMMAND...: the command ends with CODE, and all it prints matches PATTERN.
gives() {
	local text=$1 want=$2 pattern=$3 code=0
	shift 3
	timeout 120 "$@" >"$work/out" 2>&1 </dev/null || code=$?
	if [ $code = "$want" ] && grep -qE -- "$pattern" "$work/out"; then
		echo "ok - $text"
	else
		sed 's/^/    /' "$work/out"
		echo "not ok - $text (exit code $code, not $want, or no '$pattern' above)"
		failed=1
	fi
}

# ---- The queue ----
for mode in direct delay:local-dram delay:switch-worst; do
	gives "the queue works under $mode between threads" 0 ", ${mode}: " "$queue" --emulate $mode --messages 3000
	gives "and between processes" 0 ", ${mode}: " "$queue" --emulate $mode --messages 3000 --processes
done
all_seeds() {
	local seed
	for seed in $(seq "$seeds"); do
		timeout 60 "$queue" --emulate "incoherent:$seed" --messages 2000 --slots 16 "$@" || return 1
	done
}
claim "the queue works without coherence under seeds 1 to $seeds between threads" all_seeds
claim "and between processes" all_seeds --processes
# One failure is enough; what is wanted is the program's own verdict, code 1, and no crash.
caught_by_some_seed() {
	local seed code
	for seed in $(seq "$seeds"); do
		code=0
		timeout 60 "$queue" --emulate "incoherent:$seed" --messages 2000 --slots 16 --forget "$1" || code=$?
		[ $code = 1 ] && return 0
		[ $code = 0 ] || return 1
	done
	return 1
}
for step in write-back fence flush full-fence; do
	claim "a queue without its $step is caught by one of $seeds seeds" caught_by_some_seed $step
	gives "and works by accident on coherent caches" 0 "messages of" "$queue" --forget $step --messages 3000
done
# A Ctrl-C is for the whole group of processes, and so is what timeout sends.
# shellcheck disable=SC2016 # the inner shell expands them
timeout -k 60 -s INT 1 bash -c 'echo $$ >"$0"; exec "$@"' "$work/pid" \
	"$queue" --emulate incoherent:1 --messages 1000000000 --processes >"$work/out" 2>&1 </dev/null
claim "a queue of two processes that is interrupted leaves nothing" [ ! -e "/dev/shm/ligersim-queue-$(cat "$work/pid")" ]
gives "the queue names a mode that is none" 2 "slow" "$queue" --emulate slow
gives "and a profile that does not exist" 1 "no-such-device" "$queue" --emulate delay:no-such-device

# ---- liger probe memory ----
cat >"$work/check.py" <<'PY'
import json, sys
report = json.load(open(sys.argv[1]))
assert report["emulation"] == sys.argv[2], report["emulation"]
assert report["seed"] == 7 and report["bytes"] == 32 << 20, report
figures = report["figures"]
for key in ("idle_read", "read_p999", "coherence", "atomic_contended", "message_round_trip", "write_back_64",
            "flush_and_read", "read_2_hosts", "write_2_threads"):
    measured = figures[key]["measured"]
    # Not known when the other thread never ran beside: a machine with one processor, or none to spare.
    assert (measured is None and key == "atomic_contended") or measured > 0, (key, figures[key])
assert len(report["latency_under_load"]) == 11, report["latency_under_load"]
emulated = sys.argv[2].startswith("delay")
assert (figures["idle_read"]["profile"] is not None) == emulated, figures["idle_read"]
assert (figures["idle_read"]["machine"] is not None) == emulated, figures["idle_read"]
PY
probe=("$liger" probe memory --quick --mib 32 --seed 7)
for mode in direct delay:switch-worst incoherent:4; do
	gives "probe memory measures under $mode" 0 "^emulation $mode;" "${probe[@]}" --emulate $mode --json "$work/probe.json"
	claim "and its JSON says so" python3 "$work/check.py" "$work/probe.json" $mode
done
gives "probe memory makes a region where it is told" 0 "of shm:$name;" "${probe[@]}" --uri "shm:$name"
claim "and removes it" [ ! -e "/dev/shm/$name" ]
gives "probe memory has --help" 0 "^usage: liger probe memory" "$liger" probe memory --help
gives "a mode that is none is a usage error" 2 "slow" "$liger" probe memory --emulate slow
gives "a profile that does not exist is named" 1 "no-such-device" "$liger" probe memory --emulate delay:no-such-device
gives "too little memory is refused" 2 "32 to 65536" "$liger" probe memory --mib 1
gives "an unknown option is named" 2 "'--emulat'" "$liger" probe memory --emulat direct
gives "JSON into a missing folder fails and names it" 1 "$work/none/x" "${probe[@]}" --json "$work/none/x"

exit $failed
