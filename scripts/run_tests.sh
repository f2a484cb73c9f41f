#!/bin/bash
# Runs tests and counts them.
#
#     scripts/run_tests.sh run LABEL PROGRAM...   runs the programs, prints a summary
#     scripts/run_tests.sh all                    `make test`: every part, and one line with the sums at the end
#
# A program is a cmocka test, or a script that prints "ok - ..." and "not ok - ..." lines. Of one that passes, the closing
# lines are shown; of one that fails, everything. What ran too long, crashed, or ran no test at all counts as one failed.
# Programs of tests/unit run two at a time; all others alone, because they start processes that need the cores.
#
# Settings: TEST_SECONDS, the time one program may take (default 300). LIGER_TALLY, a file to which `run` adds a line
# "PASSED FAILED LABEL"; LIGER_FAILURES, one to which it adds what failed, shown again before the closing line of `all`.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The sum of the numbers that a sed expression finds in a file.
sum_of() {
	sed -nE "$1" "$2" | awk '{ n += $1 } END { print n + 0 }'
}

# run_program INDEX LABEL PROGRAM: leaves INDEX.log, and "passed failed" in INDEX.count; prints what is to be seen.
run_program() {
	local log=$work/$1.log program=$3 code=0 note="" started=$SECONDS passed failed
	# Where the kernel spreads addresses further than a sanitizer's shadow can map (vm.mmap_rnd_bits above 28),
	# ThreadSanitizer stops at once and AddressSanitizer, now and then, faults for ever before main: turn that off, if we may.
	local prefix=()
	if [[ $2 = [at]san ]] && setarch -R true 2>/dev/null; then
		prefix=(setarch -R)
	fi
	UBSAN_OPTIONS=print_stacktrace=1 timeout -k 10 "${TEST_SECONDS:-300}" "${prefix[@]}" "$program" >"$log" 2>&1 </dev/null || code=$?
	passed=$(sum_of 's/^\[  PASSED  \] ([0-9]+) test\(s\).*/\1/p' "$log")
	failed=$(sum_of 's/^\[  FAILED  \] (.*: )?([0-9]+) test\(s\), listed below.*/\2/p' "$log")
	passed=$((passed + $(grep -c '^ok - ' "$log" || true)))
	failed=$((failed + $(grep -c '^not ok - ' "$log" || true)))
	case $code in
	0) ;;
	124) note="ran longer than ${TEST_SECONDS:-300} s" ;;
	137) note="killed after $((SECONDS - started)) s of ${TEST_SECONDS:-300} s" ;;
	*) note="exit code $code" ;;
	esac
	if [ $code != 0 ] && [ "$failed" = 0 ]; then
		failed=1
	elif [ $((passed + failed)) = 0 ]; then
		note="ran no test"
		failed=1
	fi
	echo "$passed $failed" >"$work/$1.count"
	(
		flock 9
		echo "== $2: ${program#build/} ($((SECONDS - started)) s)"
		if [ "$failed" = 0 ]; then
			grep -E '^\[  (PASSED|SKIPPED)|^ok - ' "$log" || true
		else
			cat "$log"
			echo "-- FAILED: $program${note:+: $note}"
			if [ -n "${LIGER_FAILURES:-}" ]; then
				{
					echo "-- $2: $program${note:+: $note}"
					# Not the names alone: what the asserts and the sanitizers said stands above them.
					grep -E -B3 '^\[  FAILED  \]|^not ok - |ERROR|WARNING|Assertion' "$log" | head -n 30 || tail -n 10 "$log"
				} | cut -c 1-300 >>"$LIGER_FAILURES"
			fi
		fi
	) 9>"$work/lock"
}

run() {
	local label=$1 index=0 passed=0 failed=0 p f program
	shift
	local others=()
	for program in "$@"; do
		if [[ $program != */tests/unit/* ]]; then
			others+=("$program")
			continue
		fi
		if [ "$(jobs -rp | wc -l)" -ge 2 ]; then
			wait -n || true
		fi
		index=$((index + 1))
		run_program $index "$label" "$program" &
	done
	wait
	for program in "${others[@]}"; do
		index=$((index + 1))
		run_program $index "$label" "$program"
	done
	for program in $(seq 1 $index); do
		# A missing count means that the runner itself broke: never a success.
		read -r p f <"$work/$program.count" || { p=0 f=1; }
		passed=$((passed + p))
		failed=$((failed + f))
	done
	echo "== $label: $passed passed, $failed failed"
	if [ -n "${LIGER_TALLY:-}" ]; then
		echo "$passed $failed $label" >>"$LIGER_TALLY"
	fi
	[ "$failed" = 0 ] && [ $((passed + failed)) -gt 0 ]
}

# part KIND TARGET: one part of `make test`. KIND "tests" counts by itself; "check" is one check, passed or not.
part() {
	local kind=$1 target=$2 before started=$SECONDS ok=1
	before=$(wc -l <"$LIGER_TALLY")
	echo
	echo "==== make $target"
	$MAKE --no-print-directory -j"$(nproc)" WERROR=1 "$target" || ok=0
	# A part that broke before it could count, when building for instance, is one failed check.
	if [ $ok = 0 ] && [ "$(wc -l <"$LIGER_TALLY")" = "$before" ]; then
		echo "0 1 $target" >>"$LIGER_TALLY"
	elif [ "$kind" = check ]; then
		echo "1 0 $target" >>"$LIGER_TALLY"
	fi
	times+=("$(printf '%-16s %5d s   %s' "$target" $((SECONDS - started)) "$([ $ok = 1 ] && echo passed || echo FAILED)")")
}

all() {
	export LIGER_TALLY=$work/tally
	MAKE=${MAKE:-make}
	export LIGER_FAILURES=$work/failures
	: >"$LIGER_TALLY" >"$LIGER_FAILURES"
	times=()
	part check format-check
	part check all
	part tests check-lint
	part tests check-model
	part check tidy
	part tests check
	part tests check-hotpath
	part tests check-cli
	part tests check-log
	part tests check-probe
	part tests check-ligersim
	part tests check-sim
	part tests check-install
	part tests check-clang
	part tests check-asan
	part tests check-ubsan
	part tests check-tsan
	part tests check-fuzz
	# Not everyone may install QEMU, nor reach a kernel's package.
	if scripts/deps.sh vm && command -v qemu-system-x86_64 >/dev/null && scripts/vm/kernel.sh build/vm/kernel; then
		part tests test-vm
	else
		times+=("$(printf '%-16s left out: see above what it needs' test-vm)")
	fi
	part tests check-crash-points
	part tests check-incoherent
	part tests check-mutants
	echo
	printf '%s\n' "${times[@]}"
	echo
	tail -n 100 "$LIGER_FAILURES"
	awk '{ p += $1; f += $2 } END { print p " passed, " f " failed"; exit f != 0 || p == 0 }' "$LIGER_TALLY"
}

case "${1:-}" in
run)
	shift
	run "$@"
	;;
all) all ;;
*)
	echo "usage: scripts/run_tests.sh run LABEL PROGRAM... | all" >&2
	exit 2
	;;
esac
