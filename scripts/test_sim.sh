#!/bin/bash
# Tests of `liger sim`: each line is a claim. LIGER names the program (default build/liger). SIM_SEEDS: how many seeds are
# run for what they may find (default 3000), in at most SIM_SECONDS (default 90).
set -uo pipefail

liger=${LIGER:-build/liger}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=scripts/claims.sh
. "$(dirname "$0")/claims.sh"

# same_twice ARGUMENT...: the output of two runs is the same to the byte, and there is some. Addresses differ between the two.
same_twice() {
	"$liger" sim "$@" >"$work/once" 2>&1
	"$liger" sim "$@" >"$work/twice" 2>&1
	[ -s "$work/once" ] && cmp "$work/once" "$work/twice"
}

# ---- the command line ----
gives "sim has --help" 0 "^usage: liger sim" sim --help
gives "an unknown option is named" 2 "no option '--sed'" sim --sed 1
gives "a seed is a number" 2 "--seed:" sim --seed x
gives "a range of seeds has two ends" 2 "'7' is no range" sim --seeds 7
gives "a range goes upwards" 2 "'9..8' is no range" sim --seeds 9..8
gives "hosts are at least one" 2 "--hosts: 0 is out of range" sim --hosts 0
gives "hosts are not too many" 2 "--hosts: 7 is out of range" sim --hosts 7
gives "a policy is one of three" 2 "'fair' is none of random, pct and starve" sim --policy fair
gives "a depth of pct is at least one" 2 "--pct-depth: 0 is out of range" sim --pct-depth 0
gives "a fault that there is not is named" 2 "'crash,flood'" sim --faults crash,flood
gives "a durability that there is not is named" 2 "'disk-ish'" sim --durability disk-ish
gives "a mutant that there is not is named" 2 "no mutant 'NONE'" sim --mutant NONE
gives "a list of transactions is numbers" 2 "'3.x' is no list" sim --drop 3.x
gives "a trace is of one seed" 2 "for one seed" sim --seeds 1..2 --trace
gives "a flag takes no value" 2 "--trace takes no value" sim --trace=1

# ---- the same seed, the same run ----
for seed in 7 52 69 153 159 481; do
	claim "seed $seed gives the same trace to the byte" same_twice --seed $seed --trace --hash
done
claim "a range gives the same traces whoever runs which seed" bash -c "
	'$liger' sim --seeds 1..30 --hash --jobs 1 | grep -E '^[0-9]+ [0-9a-f]{16}$' >'$work/one'
	'$liger' sim --seeds 1..30 --hash --jobs 2 | grep -E '^[0-9]+ [0-9a-f]{16}$' >'$work/two'
	[ \$(wc -l <'$work/one') = 30 ] && cmp '$work/one' '$work/two'"
claim "a seed within a range is the seed alone" bash -c "
	'$liger' sim --seed 20 --hash >'$work/alone'; sed -n 20p '$work/one' | cmp - '$work/alone'"
claim "two seeds differ" bash -c "[ \"\$(sed -n 1p '$work/one' | cut -d' ' -f2)\" != \"\$(sed -n 2p '$work/one' | cut -d' ' -f2)\" ]"
for policy in random pct starve; do
	gives "policy $policy runs" 0 "^[0-9]+ [0-9a-f]{16}$" sim --seed 5 --policy $policy --hosts 3 --workers 2 --hash
done

# ---- faults ----
gives "the power of a pod goes, and its logs bring it back" 0 "the power went [1-9][0-9]* times, [1-9].* told durable, [1-9][0-9]* undone; [1-9][0-9]* rows rebuilt, [1-9]" \
	sim --seeds 1..100 --faults power --durability disk
gives "a disk is full, and fails" 0 " [1-9][0-9]* times full, [1-9][0-9]* errors, [1-9]" sim --seeds 1..150 --faults disk --durability disk
gives "without the fault no power goes" 0 "the power went 0 times" sim --seeds 1..30 --faults crash,restart --durability disk
gives "a host dies, and is recovered" 0 "^  [1-9][0-9]* recoveries, [1-9][0-9]* rows redone" \
	sim --seeds 1..150 --faults crash --durability cxl
gives "one that has died comes back" 0 "[1-9][0-9]* were started again" sim --seeds 1..60 --faults crash,restart
gives "one that stands still for too long is killed by others" 0 "\\([1-9][0-9]* of them killed by others\\)" \
	sim --seeds 1..150 --faults stop
gives "one that is declared dead by mistake and runs on does no harm" 0 " [1-9][0-9]* were zombies" \
	sim --seeds 1..400 --faults zombie
gives "without faults nobody dies" 0 "^  0 hosts died" sim --seeds 1..60 --faults none
gives "a named crash point is a host's end" 0 "^  AFTER_SEAL +[0-9]+ +[1-9]" sim --seeds 1..400 --faults crash --points

# ---- what it is for ----
gives "a missing validation is found" 1 "^seed [0-9]+ failed: (workload|serializability)" \
	sim --seeds 1..300 --mutant SKIP_VALIDATION
gives "a missing flush is found" 1 "^seed [0-9]+ failed" sim --seeds 1..300 --mutant FLUSH_LINE
gives "a missing write-back before the seal is found" 1 "^seed [0-9]+ failed" sim --seeds 1..3000 --mutant WRITE_BACK_LOCKED
gives "a transaction of one that was declared dead is found" 1 "^seed [0-9]+ failed: (pod check|stuck words|progress)" \
	sim --seeds 1..3000 --faults zombie --mutant FENCED_BEGIN
gives "a batch that counts before it is synced is found" 1 "^seed [0-9]+ failed" sim --seeds 1..300 --mutant LOG_SYNC
gives "a segment whose name may be lost is found" 1 "^seed [0-9]+ failed" sim --seeds 1..300 --mutant LOG_NAME_SYNC
gives "a checkpoint that may be lost is found" 1 "^seed [0-9]+ failed" sim --seeds 1..1000 --durability disk --mutant CHECKPOINT_SYNC
gives "a checkpoint of what may be undone is found" 1 "^seed [0-9]+ failed" sim --seeds 1..1000 --durability disk --mutant CHECKPOINT_LAST
gives "a failing seed tells how to run it again" 1 "^  liger sim --seed [0-9]+ --mutant SKIP_VALIDATION" \
	sim --seeds 1..300 --mutant SKIP_VALIDATION
gives "shrinking leaves less that still fails" 1 "^the least that was found" \
	sim --seeds 1..300 --mutant SKIP_VALIDATION --hosts 2 --txns 8 --faults none --shrink
gives "what it leaves is run again from its command line" 1 "^seed [0-9]+ failed" \
	$("$liger" sim --seeds 1..300 --mutant SKIP_VALIDATION --hosts 2 --txns 8 --faults none --shrink --jobs 1 | sed -n 's/^  liger \(sim --seed.*--drop.*\)/\1/p' | tail -1)

seeds=${SIM_SEEDS:-3000}
if timeout 240 "$liger" sim --seeds "1..$seeds" --seconds "${SIM_SECONDS:-90}" --points --shrink >"$work/many"; then
	echo "ok - $(head -n 1 "$work/many") pass with all faults"
else
	echo "not ok - $seeds seeds pass with all faults"
	failed=1
fi
sed 's/^/    /' "$work/many"

exit "${failed:-0}"
