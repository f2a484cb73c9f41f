#!/bin/bash
# Leaves out one step of a protocol at a time (src/cxl/mutant.h) and claims that a test sees it: a mutant that survives is a
# hole in the tests. Run by `make check-mutants`, which sets CATCHERS: test programs of the build that can leave steps out, the
# quick ones first. Tried in this order, with the seeds 1..SEEDS (default 8):
#   tests/unit/incoherent_test              protocols over lines, two hosts behind incoherent caches
#   tests/pod/whole_rows_inprocess_test     rows through the public API, the same (LIGER_EMULATE)
#   tests/pod/mover_incoherent_test         rows that have just moved, the same
#   tests/fault/loss_rule_inprocess_test    what memory has when a host's cache dies with it
#   tests/fault/host_crash_test             a host that is killed between its seal and its writes
#   tests/pod/serializability_..._test      random histories, judged by the checker; hosts in processes: incoherent
#   liger sim                               simulated pods (LIGER: the program; without it, not tried): for some seconds
#                                           before all others, for minutes after them
# Two mutants are tried at a time. That the same programs pass without a mutant is claimed first. Each line tells test and seed that caught it; with
# TABLE=FILE they are written there too, as the rows of a Markdown table.
set -uo pipefail

seeds=${SEEDS:-8}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
log=$work/log
failed=0
header=src/cxl/mutant.h

# run MUTANT TEST SEED: 0 when the test has failed a claim. A crash and a hang count too: a person would see them.
caught_by() {
	local code=0
	LG_TEST_FILTER=$(filter_of "$2") LG_TEST_POINT=AFTER_SEAL LIGER_MUTANT=$1 LIGER_EMULATE=$(emulation_of "$2" "$3") SEED=$3 LG_EXPECT_ANOMALY=$(expectation_of "$2") \
		timeout -k 10 "$(limit_of "$2")" "$2" >"$log" 2>&1 </dev/null || code=$?
	case $2 in
	*serializability*) [ $code = 0 ] ;; # it passes if it has found an anomaly
	*) [ $code != 0 ] ;;
	esac
}

emulation_of() {
	case $1 in
	*whole_rows* | *host_crash*) echo "incoherent:$2" ;;
	*serializability_processes*) echo incoherent:5 ;;
	*) echo direct ;;
	esac
}

filter_of() {
	case $1 in
	*host_crash*) echo "*named_point" ;;
	*) echo "*" ;;
	esac
}

expectation_of() {
	case $1 in
	*serializability*) echo 1 ;;
	*) echo 0 ;;
	esac
}

limit_of() {
	case $1 in
	*serializability*) echo 200 ;;
	*) echo 60 ;;
	esac
}

# A serializability test looks through 40 seeds of its own.
seeds_of() {
	case $1 in
	*serializability*) echo 1 ;;
	*fault*) seq 1 2 ;; # what they show does not hang on luck
	*) seq 1 "$seeds" ;;
	esac
}

for test in $CATCHERS; do
	case $test in *serializability*) continue ;; esac
	for seed in $(seeds_of "$test"); do
		if caught_by "" "$test" "$seed"; then
			tail -n 20 "$log" | sed 's/^/    /'
			echo "not ok - $test passes without a mutant, seed $seed"
			failed=1
		fi
	done
done
[ $failed = 0 ] && echo "ok - without a mutant the tests pass"

# simulated MUTANT SECONDS: says which seed caught it.
simulated() {
	[ -n "${LIGER:-}" ] || return 1
	"$LIGER" sim --seeds 1..20000 --seconds "$2" --jobs 1 --mutant "$1" >"$log" 2>&1 && return 1
	local seed
	seed=$(sed -nE 's/^seed ([0-9]+) failed.*/\1/p' "$log" | head -n 1)
	[ -n "$seed" ] && echo "liger sim, seed $seed"
}

# tested MUTANT: says which test caught it.
tested() {
	local test seed
	for test in $CATCHERS; do
		for seed in $(seeds_of "$test"); do
			if caught_by "$1" "$test" "$seed"; then
				case $test in
				*serializability*) basename "$test" ;;
				*) echo "$(basename "$test"), seed $seed" ;;
				esac
				return 0
			fi
		done
	done
	return 1
}

# The verdict on a mutant and, if it is caught, its row of the table, in files of its own.
try() {
	local found
	log=$work/$1.log
	if found=$(simulated "$1" 8) || found=$(tested "$1") || found=$(simulated "$1" 120); then
		echo "| $1 | $2 | $found |" >"$work/$1.row"
		echo "ok - $1 is caught by $found" >"$work/$1.verdict"
	else
		echo "not ok - $1 is caught by one of: $CATCHERS" >"$work/$1.verdict"
	fi
}

: >"${TABLE:=/dev/null}"
mutants=()
while read -r mutant text; do
	mutants+=("$mutant")
	[ "$(jobs -rp | wc -l)" -ge 2 ] && wait -n
	try "$mutant" "$text" </dev/null &
done < <(sed -nE 's/^\tM\(([A-Z_]+), "(.*)"\).*/\1 \2/p' "$header")
wait
for mutant in "${mutants[@]}"; do
	cat "$work/$mutant.verdict"
	grep -q '^ok' "$work/$mutant.verdict" || failed=1
	[ -f "$work/$mutant.row" ] && cat "$work/$mutant.row" >>"$TABLE"
done

exit $failed
