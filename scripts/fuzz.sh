#!/bin/bash
# Runs the fuzz targets (tests/fuzz), which `make` has built into FUZZ_BUILD.
#
#     scripts/fuzz.sh                             FUZZ_TARGETS: the seeds, then inputs made of them from a fixed seed: `make check-fuzz`
#     scripts/fuzz.sh long SECONDS TARGET...      each for so long, in turn, on a corpus that grows: `make fuzz`
#
# An input that breaks something is left in FUZZ_BUILD/found/TARGET/; the program runs it again when it is named:
#     build/fuzz/tests/fuzz/fuzz_ring build/fuzz/found/ring/crash-...
set -uo pipefail

build=${FUZZ_BUILD:-build/fuzz}
seeds=tests/fuzz/seeds

# Where the kernel spreads addresses further than AddressSanitizer's shadow can map, it faults now and then: turn that off, if
# we may.
fixed=()
setarch -R true 2>/dev/null && fixed=(setarch -R)

# What a run may cost: those that make or look at a whole region take longer.
runs_of() {
	case $1 in
	check) echo 200 ;;
	attach) echo 500 ;;
	serve | log) echo 3000 ;;
	*) echo 20000 ;;
	esac
}

# fuzz TARGET OPTION...: the target's own output is left out, that of libFuzzer and the sanitizers stays.
fuzz() {
	local target=$1
	shift
	mkdir -p "$build/found/$target"
	local code=0 pid
	ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0} "${fixed[@]}" "$build/tests/fuzz/fuzz_$target" -close_fd_mask=3 \
		-max_len=4096 -timeout=30 -artifact_prefix="$build/found/$target/" "$@" &
	pid=$!
	wait $pid || code=$?
	rm -f "/dev/shm/liger-fuzz-$pid" # what a crash leaves
	return $code
}

if [ "${1:-}" = long ]; then
	seconds=$2
	shift 2
	failed=0
	for target in "$@"; do
		mkdir -p "$build/corpus/$target"
		echo "== $target for $seconds s"
		fuzz "$target" -max_total_time="$seconds" -print_final_stats=1 "$build/corpus/$target" "$seeds/$target" || failed=1
	done
	exit $failed
fi

failed=0
log=$(mktemp)
trap 'rm -rf "$log" "$log.corpus"' EXIT
for target in $FUZZ_TARGETS; do
	rm -rf "$log.corpus"
	mkdir "$log.corpus"
	if [ ! -d "$seeds/$target" ]; then
		echo "not ok - $target has seeds"
		failed=1
	elif fuzz "$target" -seed=1 -runs="$(runs_of "$target")" "$log.corpus" "$seeds/$target" >"$log" 2>&1; then
		echo "ok - $target: $(grep -c . <(ls "$seeds/$target")) seeds, $(runs_of "$target") inputs"
	else
		tail -n 60 "$log"
		echo "not ok - $target: an input breaks it; it is in $build/found/$target"
		failed=1
	fi
done
exit $failed
