#!/bin/bash
# Tests of scripts/vmpod.sh, and by it of Liger on real kernels: each line is a claim. Run by `make test-vm`, which sets
# VM_BUILD, the folder with the programs for guests.
#
# A run of vmpod.sh is one claim; what its guests printed makes others. Emulated, all takes about two minutes.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=${VM_BUILD:-build/vm}
work=$(mktemp -d)
mkdir "$work/tmp"
runner=""
# shellcheck disable=SC2329 # called by trap
clean_up() {
	trap - EXIT INT TERM
	# vmpod.sh ends its guests itself.
	if [ -n "$runner" ]; then
		kill -TERM "$runner" 2>/dev/null
		wait "$runner"
	fi
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# shellcheck source=scripts/claims.sh
. "$(dirname "$0")/claims.sh"

# vmpod ARGUMENT...: in the background, so that a signal to this script is not kept waiting; 180 s is what each gets.
vmpod() {
	local code=0
	TMPDIR=$work/tmp timeout -k 10 180 "$here/vmpod.sh" --build "$build" "$@" >"$work/out" 2>&1 </dev/null &
	runner=$!
	wait $runner || code=$?
	runner=""
	return $code
}

# A guest's console is a file in our folder, and stands in QEMU's command line. The pattern does not match itself.
no_guest() {
	! grep -lsE "file:[${work:0:1}]${work:1}/" /proc/[0-9]*/cmdline
}
no_files() {
	! find "$work/tmp" /dev/shm -mindepth 1 \( -path "$work/tmp/*" -o -name 'liger-vmpod-*' \) | grep .
}

# gives TEXT CODE PATTERN ARGUMENT...: vmpod.sh with these arguments.
gives() {
	local text=$1 want=$2 pattern=$3 code=0
	shift 3
	vmpod "$@" || code=$?
	if [ $code = "$want" ] && grep -qE -- "$pattern" "$work/out"; then
		echo "ok - $text"
	else
		sed 's/^/    /' "$work/out"
		echo "not ok - $text (exit code $code, not $want, or no '$pattern' above)"
		failed=1
	fi
}

# said TEXT PATTERN, never TEXT PATTERN: what the last run printed.
said() {
	claim "$1" grep -E -- "$2" "$work/out"
}
never() {
	claim "$1" bash -c '! grep -E -- "$1" "$2"' - "$2" "$work/out"
}
# in_step TEXT NAME PATTERN: what step NAME of guest 0 printed.
in_step() {
	sed -n "/^\[0\] == $2: [^gB]/,/^\[0\] == $2: \(good\|BAD\)/p" "$work/out" >"$work/step"
	claim "$1" grep -E -- "$3" "$work/step"
}

# ---- Command lines that make no sense ----
gives "--help tells the options" 0 "^  --kill K" --help
gives "an unknown option is named" 2 "'--hots'" --hots 2
gives "an option without its value is told" 2 "--hosts needs a value" --hosts
gives "one guest is no pod" 2 "--hosts: 1 is out of range: it must be 2 to 16" --hosts 1
gives "a number that is none is refused" 2 "--seconds: 'x' is not a whole number" --seconds x
gives "a victim that does not exist is refused" 2 "no guest 2 among the guests 0 to 1" --kill 2
gives "a device that Linux cannot add is refused" 2 "--pod-mib: 200 is not a multiple of 128" --pod-mib 200
gives "an unknown accelerator is refused" 2 "'xen' is none of" --accel xen
gives "--kill and --node do not go together" 2 "do not go together" --kill 0 --node
gives "programs that are not built are named" 1 "there is no $work/none/liger; 'make vm'" --build "$work/none"

# ---- TPC-C over two kernels ----
gives "TPC-C runs over two kernels that share a device" 0 "^vmpod: all good" --seconds 3
said "guest 0 has the device" '^\[0\] == guest 0: up, Linux .* 268435456 bytes of /dev/dax0.0'
said "guest 1 has it too" '^\[1\] == guest 1: up, Linux .* 268435456 bytes of /dev/dax0.0'
in_step "a device without a pod is told from one with a pod" none 'not a pod'
said "one kernel does not destroy the pod while a host of the other is in it" '^\[1\] == foreign: good, exit code 1'
in_step "all consistency conditions hold" bench 'checks +all hold'
in_step "transactions were committed" bench 'commits'
said "guest 1 completed the run as well" '^\[1\] == bench: good, exit code 0'
in_step "afterwards pod info shows that host 0 has left" info '^\[0\] 0 +left'
in_step "and host 1 too" info '^\[0\] 1 +left'
said "a device that was given back can become a pod again" '^\[0\] == again: good'

# ---- A kernel that dies ----
gives "when a guest is killed the other ends in order, and brings the pod down" 0 "^vmpod: all good" --kill 1
said "it was killed while TPC-C ran" '^vmpod: guest 1 was killed'
in_step "the benchmark says that a host is gone" bench 'no sign of life|owning host is not there'
said "and ends with exit code 1" '^\[0\] == bench: good, exit code 1'
never "no check is said to hold" '^\[0\] .*checks +all hold'
in_step "pod info still shows the dead member" info '^\[0\] 1 +live'
said "whose heart stands still" '^\[0\] == dead: good'
said "which may be slow as well as dead, so that it takes force to destroy the pod" '^\[0\] == unforced: good, exit code 1'
said "with force it is destroyed" '^\[0\] == destroy: good'
said "and the device becomes a pod again" '^\[0\] == again: good'

# ---- A NUMA node without CPUs ----
gives "a guest with a NUMA node that has no CPU does what it should" 0 "^vmpod: all good" --node
in_step "liger probe topology shows the dax device and its mode" topology-devdax 'dax0\.0 +devdax'
in_step "a device that holds something is not made a pod" noise 'holds something else'
in_step "and when it is memory of a node, the node without CPUs" topology-node '^\[0\] [0-9]+ .* 0 +- +looks like CXL'
in_step "with its distances" topology-node '^\[0\] +[0-9]+ +25 +25 +10'
in_step "and the device's new mode" topology-node 'dax0\.0 +system-ram'
in_step "a device in system-ram mode is refused, with the reason" refused 'system-ram'
in_step "the refusal says what to do" refused 'daxctl'
in_step "a region on that node can be made and looked at" info 'pod shm:vm\?node=[0-9]+'
said "and all of it lies there, says the kernel" '^\[0\] == placed: good'
in_step "a node that does not exist is refused" no-such-node 'no NUMA node 9'
in_step "YCSB runs on memory of that node" bench 'checks +all hold'
for test in "$build"/tests/unit/region*_test; do
	said "$(basename "$test") passes there" "^\[0\] == $(basename "$test"): good"
done

# ---- Nothing is left behind ----
claim "no guest was left running" no_guest
claim "no temporary file was left" no_files

# eventually COMMAND...: waits until the command succeeds, at most a minute.
eventually() {
	for _ in $(seq 600); do
		if "$@" >/dev/null 2>&1; then
			return 0
		fi
		sleep 0.1
	done
	return 1
}
# interrupt SIGNAL: starts a run and sends it the signal when its guests are up; its exit code goes to $code.
interrupt() {
	TMPDIR=$work/tmp "$here/vmpod.sh" --build "$build" >"$work/out" 2>&1 </dev/null &
	runner=$!
	claim "two guests are up" eventually grep 'guest 1: up' "$work/out"
	kill "-$1" $runner
	code=0
	wait $runner 2>/dev/null || code=$?
	runner=""
}
interrupt TERM
claim "a run that is stopped by a signal says so by its exit code" test $code = 143
claim "and leaves no guest running" no_guest
claim "and no temporary file" no_files
interrupt KILL
claim "guests do not outlive a script that is killed" eventually no_guest

exit $failed
