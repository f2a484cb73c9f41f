#!/bin/bash
# Checks model/word.pml, the model of the row word's protocol, with spin: as designed, the whole state space of each bound below
# holds no error; and each mutant, which leaves out one step, has a counterexample. Run by `make check-model`.
#
#     scripts/test_model.sh               everything, two at a time
#     scripts/test_model.sh MUTANT        one mutant, or `none`; its counterexample is printed, step by step
#
# MODEL_MIB is what one search may take (default 1900). The compiler is $CC, or cc.
set -uo pipefail

model=$PWD/model/word.pml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The bounds. Host 0 owns the row.
moves="-DHOSTS=2 -DMOVES=1 -DCRASHES=1"
twice="-DHOSTS=2 -DTXNS0=2 -DTXNS1=2 -DMOVES=0 -DCRASHES=1"
others="-DHOSTS=2 -DTXNS0=0 -DMOVES=1 -DOTHER_MOVES=1 -DCRASHES=1"
three="-DHOSTS=3 -DTXNS0=0 -DMOVES=0 -DCRASHES=0"
deaths="-DHOSTS=3 -DTXNS0=0 -DTXNS2=0 -DMOVES=0 -DCRASHES=2"

# What is checked as designed, and where each mutant is looked for: a name, the bounds.
designed="
three $three
twice $twice
moves $moves
deaths $deaths
others $others"
mutants="
NO_WRITE_BACK_LINE $moves
NO_FLUSH $moves
TRUST_CACHE $moves
PAYLOAD_BEFORE_TAG $moves
TAG_BEFORE_PAYLOAD $moves
NO_SECOND_LOOK $moves
READ_LOCKED $moves
SKIP_VALIDATION $moves
AWAY_IS_SAME $moves
NO_FENCE_COMMIT $moves
NO_FENCE_MOVE_IN $moves
NO_FENCE_LOCKED $moves
NO_FENCE_SEAL $moves
NO_WRITE_BACK_LOCKED $moves
NO_WRITE_BACK_INSTALLED $twice
NO_WRITE_BACK_RETIRED $moves
MOVE_OUT_IGNORES_INTENT $moves
SAME_VERSION_AGAIN $others
NO_REDO $moves
NO_FREEING $moves
FREE_BEFORE_REDO $moves
NO_WRITE_BACK_RECOVERED $deaths
RECOVERY_NOT_TAKEN_OVER $deaths"

# search NAME DEFINITIONS...: leaves NAME.out. 0: the whole space without an error; 1: an error; 2: neither.
search() {
	local name=$1 dir=$work/$1
	shift
	mkdir "$dir" && cd "$dir" || return 2
	cp "$model" .
	local log2_slots=20 # of the table of states: what holds no error has many
	[[ $name = [a-z]* ]] && log2_slots=24
	if ! spin -a "$@" word.pml >"$dir.out" 2>&1 ||
		! "${CC:-cc}" -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM="${MODEL_MIB:-1900}" -o pan pan.c >>"$dir.out" 2>&1; then
		return 2
	fi
	./pan -m100000 -w$log2_slots >"$dir.out" 2>&1
	if ls ./*.trail >/dev/null 2>&1; then
		return 1
	fi
	# Anything that was cut short, by depth or memory, says so.
	grep -q 'errors: 0' "$dir.out" && ! grep -qE 'max search depth too small|out of memory|Search not completed' "$dir.out" ||
		return 2
}

figures() {
	awk '/states, stored/ { states = $1 } /elapsed time/ { seconds = $4 } /total actual memory/ { mib = $1 }
		END { printf "%d states, %.0f s, %.0f MiB", states, seconds, mib }' "$1"
}

check_designed() {
	if search "$@"; then
		echo "ok - no interleaving breaks the protocol within '$1': $(figures "$work/$1.out")"
	else
		tail -n 40 "$work/$1.out"
		echo "not ok - no interleaving breaks the protocol within '$1' (${*:2})"
	fi
}

check_mutant() {
	local name=$1 code
	search "$name" "-D$name" "${@:2}"
	code=$?
	if [ $code = 1 ]; then
		echo "ok - $name breaks it: $(sed -nE 's/^pan:1: (.*) \(at depth.*/\1/p' "$work/$name.out")"
	else
		tail -n 20 "$work/$name.out"
		echo "not ok - $name breaks it"
	fi
	rm -rf "${work:?}/$name"
}

show() {
	local bounds
	bounds=$(sed -n "s/^$1 //p" <<<"$mutants")
	[ "$1" = none ] && bounds=$moves
	if [ -z "$bounds" ]; then
		echo "usage: scripts/test_model.sh [none|$(sed -n 's/ .*//p' <<<"$mutants" | paste -sd '|')]" >&2
		exit 2
	fi
	search "$1" "-D$1" $bounds
	cat "$work/$1.out"
	cd "$work/$1" && [ -e word.pml.trail ] && spin -t -p "-D$1" $bounds word.pml
	exit 0
}

if ! command -v spin >/dev/null; then
	echo "spin is missing: apt-get install spin" >&2
	exit 1
fi
[ $# = 0 ] || show "$1"

# The long ones first; each in a process of its own, whose lines come out whole.
log=$work/log
while read -r kind name bounds; do
	while [ "$(jobs -rp | wc -l)" -ge 2 ]; do
		wait -n || true
	done
	(
		result=$("check_$kind" "$name" $bounds)
		flock 9
		echo "$result"
	) 9>"$work/lock" | tee -a "$log" &
done < <(sed -n 's/^\(.\)/designed \1/p' <<<"$designed" && sed -n 's/^\(.\)/mutant \1/p' <<<"$mutants")
wait
! grep -q '^not ok' "$log" && grep -q '^ok' "$log"
