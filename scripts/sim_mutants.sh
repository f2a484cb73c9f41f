#!/bin/bash
# Leaves out one step of a protocol at a time (src/cxl/mutant.h) and has `liger sim` look for a seed that shows it. Prints a
# table, a line a mutant: seeds and seconds until it was caught, and by which check. Run by `make mutants`.
#
# LIGER names the program (default build/liger), SEEDS how many a mutant gets at most (default 20000), SECONDS_EACH how long
# (default 120), MUTANTS which (default: all). Exit code 1: one survived.
set -uo pipefail

liger=${LIGER:-build/liger}
header=src/cxl/mutant.h
survivors=()

# row NAME TEXT: one line of the table.
row() {
	local out started=${EPOCHREALTIME/./} code=0 seconds seed check
	out=$("$liger" sim --seeds "1..${SEEDS:-20000}" --seconds "${SECONDS_EACH:-120}" --mutant "$1" 2>&1) || code=$?
	seconds=$(awk -v us=$((${EPOCHREALTIME/./} - started)) 'BEGIN { printf "%.1f", us / 1e6 }')
	if [ $code = 1 ] && seed=$(sed -nE 's/^seed ([0-9]+) failed: .*/\1/p' <<<"$out" | head -n 1) && [ -n "$seed" ]; then
		check=$(sed -nE 's/^seed [0-9]+ failed: ([^:]+): ?(.*)/\1: \2/p' <<<"$out" | head -n 1 | cut -c 1-110 | tr '|' '/')
		printf '| %s | %s | %s | %s | %s |\n' "$1" "$2" "$seed" "$seconds" "$check"
	else
		survivors+=("$1")
		printf '| %s | %s | none of %s | %s | not caught |\n' "$1" "$2" "$(sed -nE 's/^([0-9]+) seeds in.*/\1/p' <<<"$out")" "$seconds"
	fi
}

printf '| mutant | what is left out | seed | seconds | caught by |\n|---|---|---:|---:|---|\n'
while read -r mutant text; do
	if [ -z "${MUTANTS:-}" ] || [[ " $MUTANTS " = *" $mutant "* ]]; then
		row "$mutant" "$text"
	fi
done < <(sed -nE 's/^\tM\(([A-Z_]+), "(.*)"\).*/\1 \2/p' "$header")

if [ ${#survivors[@]} -gt 0 ]; then
	echo "not caught: ${survivors[*]}"
	exit 1
fi
