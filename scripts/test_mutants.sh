#!/bin/bash
# Builds Liger broken on purpose, once for each switch LG_MUTANT_... of src/, and claims that a serializability test sees it:
# a mutant that survives is a hole in the tests. Run by `make check-mutants`, which sets MUTANTS, CATCHERS (the tests' paths
# without ".c") and MAKE. That the same tests pass without a mutant is `make check`.
set -uo pipefail

log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0

for mutant in $MUTANTS; do
	caught=""
	if ! $MAKE --no-print-directory -j"$(nproc)" MUTANT="$mutant" mutant >"$log" 2>&1; then
		sed 's/^/    /' "$log"
		echo "not ok - $mutant builds"
		failed=1
		continue
	fi
	for test in $CATCHERS; do
		# Only a claim that failed counts: not a crash, and not a test that hangs.
		if ! timeout -k 10 200 "build/mutants/$mutant/$test" >"$log" 2>&1 </dev/null && grep -q '^\[  FAILED  \]' "$log"; then
			caught=$test
			break
		fi
	done
	if [ -n "$caught" ]; then
		echo "ok - $mutant is caught by $caught"
	else
		tail -n 20 "$log" | sed 's/^/    /'
		echo "not ok - $mutant is caught by one of: ${CATCHERS:-none}"
		failed=1
	fi
done

exit $failed
