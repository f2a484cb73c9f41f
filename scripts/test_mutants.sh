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
#   liger sim                               simulated pods (LIGER: the program; without it, not tried)
# That the same programs pass without a mutant is claimed first. Each line tells test and seed that caught it; with
# TABLE=FILE they are written there too, as the rows of a Markdown table.
set -uo pipefail

seeds=${SEEDS:-8}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
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

: >"${TABLE:=/dev/null}"
while read -r mutant text; do
	found=""
	for test in $CATCHERS; do
		for seed in $(seeds_of "$test"); do
			if caught_by "$mutant" "$test" "$seed"; then
				found="$(basename "$test")"
				case $test in *serializability*) ;; *) found+=", seed $seed" ;; esac
				break 2
			fi
		done
	done
	if [ -z "$found" ] && [ -n "${LIGER:-}" ] && ! "$LIGER" sim --seeds 1..20000 --seconds 120 --mutant "$mutant" >"$log" 2>&1; then
		seed=$(sed -nE 's/^seed ([0-9]+) failed.*/\1/p' "$log" | head -n 1)
		found=${seed:+liger sim, seed $seed}
	fi
	if [ -n "$found" ]; then
		echo "ok - $mutant is caught by $found"
		echo "| $mutant | $text | $found |" >>"$TABLE"
	else
		echo "not ok - $mutant is caught by one of: $CATCHERS"
		failed=1
	fi
done < <(sed -nE 's/^\tM\(([A-Z_]+), "(.*)"\).*/\1 \2/p' "$header")

exit $failed
