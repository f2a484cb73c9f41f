#!/bin/bash
# Tests of the `liger` command: each line is a claim. LIGER names the program (default build/liger).
set -uo pipefail

liger=${LIGER:-build/liger}
name=liger-cli-$$
uri=shm:$name
work=$(mktemp -d)
trap 'rm -rf "$work" "/dev/shm/$name"' EXIT
# shellcheck source=scripts/claims.sh
. "$(dirname "$0")/claims.sh"

small=(--hosts 2 --partitions 8 --hwcc-mib 2 --swcc-mib 64)

# ---- the command itself ----
version=$(sed -n 's/^#define LG_VERSION "\(.*\)"/\1/p' include/liger.h)
gives "version prints the version of liger.h" 0 "^liger ${version//./\\.}$" version
gives "--version does too" 0 "^liger ${version//./\\.}$" --version
gives "no command is a usage error" 2 "^usage: liger"
gives "an unknown command is named" 2 "no command 'bnech'" bnech
gives "help lists the commands" 0 "^  pod " help
gives "--help does too" 0 "^  bench " --help
gives "help of a command is its --help" 0 "^usage: liger pod create" help pod
gives "help of an unknown command names it" 2 "no command 'nosuch'" help nosuch
for command in bench sim version help pod "pod create" "pod info" "pod check" "pod adopt" "pod destroy" recover log sim; do
	# shellcheck disable=SC2086 # the words of a command are arguments
	gives "$command has --help" 0 "^usage: liger" $command --help
done
gives "version takes no argument" 2 "'x'" version x

# ---- create, info, destroy ----
umask 0
gives "a pod is created" 0 "" pod create "$uri" "${small[@]}"
umask 022
claim "its region is readable and writable by its owner alone" [ "$(stat -c %a "/dev/shm/$name")" = 600 ]
gives "a second create of the name fails and says that it exists" 1 "exist" pod create "$uri" "${small[@]}"
gives "info shows the epoch" 0 "^  epoch +[0-9]+, 10 ms each" pod info "$uri"
gives "info shows hosts, partitions and tables" 0 "hosts 2, partitions 8, tables 0" pod info "$uri"
gives "info shows the budget of HWcc" 0 "^  all +2097152 bytes" pod info "$uri"
gives "info shows the owners of partitions as ranges" 0 "^  host 1 +1-7/2$" pod info "$uri"
gives "info shows that nobody is a member" 0 "^2 of 2 host ids are free" pod info "$uri"

cat >"$work/check.py" <<'PY'
import json, sys
pod = json.load(open(sys.argv[1]))
assert pod["hosts"] == 2 and pod["partitions"] == 8 and pod["tables"] == 0, pod
assert pod["hwcc_bytes"] == 2 << 20 and pod["swcc_bytes"] == 64 << 20, pod
assert pod["region_bytes"] == 66 << 20, pod
assert pod["partition_owner"] == [0, 1] * 4, pod
assert pod["members"] == [], pod
assert len(pod["cookie"]) == 16 and int(pod["cookie"], 16) != 0, pod
for part in ("hwcc", "swcc"):
    parts = sum(pod[f"{part}_{kind}_bytes"] for kind in ("fixed", "claimed", "free"))
    assert 0 < parts <= pod[f"{part}_bytes"], (part, parts)
PY
claim "info --json FILE succeeds" "$liger" pod info "$uri" --json "$work/info.json"
claim "the file is JSON and holds the pod's numbers" python3 "$work/check.py" "$work/info.json"
"$liger" pod info "$uri" --json - >"$work/stdout.json"
claim "info --json - prints JSON and nothing else" python3 "$work/check.py" "$work/stdout.json"
gives "info --json into a missing folder fails and names it" 1 "$work/none/x" pod info "$uri" --json "$work/none/x"
gives "check finds nothing in a new pod" 0 "nothing found" pod check "$uri"
claim "check --json FILE succeeds" "$liger" pod check "$uri" --json "$work/check.json"
claim "the file is JSON and counts" python3 -c 'import json, sys
check = json.load(open(sys.argv[1]))
assert check["findings"] == 0 and check["found"] == [] and check["extents_free"] > 0 and check["looks"] == 1, check' "$work/check.json"
printf '\377' | dd of="/dev/shm/$name" bs=1 seek=$((0x5000)) conv=notrunc status=none
gives "check finds a partition of no host, and fails" 1 "^partition.owner at offset 20480: partition 0" pod check "$uri"
gives "check --json - has the finding" 1 '"rule":\s*"partition.owner"' pod check "$uri" --json -
gives "check --limit 0 only counts" 1 "and 1 more" pod check "$uri" --limit 0
printf '\0' | dd of="/dev/shm/$name" bs=1 seek=$((0x5000)) conv=notrunc status=none
gives "check of no pod fails" 1 "does not exist|no region|not found" pod check "shm:$name-none"
gives "check without a URI is a usage error" 2 "which region" pod check
gives "check refuses an unknown option" 2 "'--fast'" pod check "$uri" --fast
gives "check --json into a missing folder fails and names it" 1 "$work/none/x" pod check "$uri" --json "$work/none/x"
# shellcheck disable=SC2046 # the names are words
for rule in $(grep -hoE '"[a-z]+\.[a-z-]+"' src/recovery/check*.c | tr -d '"' | sort -u); do
	claim "docs/pod-check.md and a test know the rule $rule" bash -c \
		"grep -q '^| .$rule. |' docs/pod-check.md && grep -q '\"$rule\"' tests/pod/pod_check_test.c"
done
# shellcheck disable=SC2046 # the names are words
for point in $(sed -nE 's/^\tP\(([A-Z_]+),.*/\1/p' src/cxl/crash_point.h); do
	claim "docs/durability.md knows the crash point $point" grep -q "^| $point |" docs/durability.md
done
claim "docs/durability.md has no crash point besides" test "$(grep -cE '^\| [A-Z_]{4,} \|' docs/durability.md)" = \
	"$(sed -nE '/^\tP\(/p' src/cxl/crash_point.h | wc -l)"
gives "pod create --durability cxl makes such a pod" 0 "" pod create "shm:$name-cxl" "${small[@]}" --durability cxl
gives "pod info says so" 0 "durability +cxl" pod info "shm:$name-cxl"
gives "pod destroy removes it" 0 "" pod destroy "shm:$name-cxl"
gives "a pod with logs is created" 0 "" pod create "shm:$name-logs" "${small[@]}" --hosts 1 --durability disk --data "$work/logs"
gives "pod info tells that nothing is waited for" 0 "^  durable +all" pod info "shm:$name-logs" --json "$work/logs.json"
claim "and its JSON" python3 -c 'import json, sys
pod = json.load(open(sys.argv[1]))
assert pod["logged"] is True and pod["durable_epoch"] is None and pod["members"] == [], pod' "$work/logs.json"
gives "a host of it runs" 0 "checks +all hold" bench ycsb --attach "shm:$name-logs" --host-id 0 --data "$work/logs" --keys 2000 \
	--seconds 0.2 --warmup 0 --quiet
gives "pod info shows how far its log is" 0 "^0 +- +[1-9][0-9]* +[0-9]+$" pod info "shm:$name-logs" --json "$work/logs.json"
claim "and its JSON" python3 -c 'import json, sys
member = json.load(open(sys.argv[1]))["members"][0]
assert member["logged_epoch"] is None and member["sealed_epoch"] > 0 and member["checkpoint_epoch"] >= 0, member' "$work/logs.json"
gives "pod destroy removes that too" 0 "" pod destroy "shm:$name-logs"
claim "a pod without logs has no such lines" bash -c "! '$liger' pod info '$uri' | grep -qE '^  durable |logged epoch'"
gives "pod create refuses an unknown durability" 2 "--durability: paper" pod create "shm:$name-cxl" --durability paper
gives "bench refuses an unknown durability" 2 "--durability: paper" bench tpcc --durability paper
gives "bench refuses --durability with --attach" 2 "takes a pod as it is" bench tpcc --attach "$uri" --host-id 0 --durability cxl
claim "output that cannot be written is a failure" bash -c "! '$liger' pod info '$uri' >/dev/full"

gives "destroy removes the pod" 0 "" pod destroy "$uri"
claim "its region is gone" [ ! -e "/dev/shm/$name" ]
gives "destroy of a pod that does not exist fails and names it" 1 "$name" pod destroy "$uri"
gives "info of a pod that does not exist fails and names it" 1 "$name" pod info "$uri"

# ---- regions in files, and files that are none ----
gives "a pod is created in a file" 0 "" pod create "file:$work/pod" "${small[@]}"
claim "the file is its owner's alone" [ "$(stat -c %a "$work/pod")" = 600 ]
gives "and destroyed" 0 "" pod destroy "file:$work/pod"
claim "the file is gone" [ ! -e "$work/pod" ]

seq 1 100000 >"$work/notes"
cp "$work/notes" "$work/notes.before"
gives "info refuses a file that is no pod" 1 "not a pod|no pod" pod info "file:$work/notes"
gives "destroy refuses a file that is no pod" 1 "not a pod|no pod" pod destroy "file:$work/notes"
gives "destroy --force refuses it too" 1 "not a pod|no pod" pod destroy "file:$work/notes" --force
gives "create does not overwrite a file" 1 "exist" pod create "file:$work/notes" "${small[@]}"
claim "the file is as it was" cmp "$work/notes" "$work/notes.before"
: >"$work/empty"
gives "info refuses an empty file" 1 "$work/empty" pod info "file:$work/empty"
gives "create in a missing folder fails and names it" 1 "$work/none/pod" pod create "file:$work/none/pod" "${small[@]}"
gives "parts too small for 64 hosts are refused" 1 "." pod create "$uri" --hosts 64 --hwcc-mib 2 --swcc-mib 2
claim "and leave no region behind" [ ! -e "/dev/shm/$name" ]

# ---- under emulation ----
for mode in delay:cxl-direct incoherent:3; do
	gives "a pod is created under $mode" 0 "" pod create "$uri" "${small[@]}" --emulate $mode
	gives "info under $mode says so" 0 "^  emulation +$mode$" pod info "$uri" --emulate $mode --json "$work/info.json"
	claim "its JSON too" grep -q "\"emulation\":[[:space:]]*\"$mode\"" "$work/info.json"
	claim "and it sees what was created" python3 "$work/check.py" "$work/info.json"
	gives "check under $mode finds nothing" 0 "nothing found" pod check "$uri" --emulate $mode
	gives "info without a mode sees the memory" 0 "^  emulation +direct$" pod info "$uri" --json "$work/info.json"
	claim "and the same pod in it" python3 "$work/check.py" "$work/info.json"
	gives "it is destroyed under $mode" 0 "" pod destroy "$uri" --emulate $mode
	claim "which leaves nothing" bash -c "! ls /dev/shm | grep -q '$name'"
done
gives "a pod for refusals is created" 0 "" pod create "$uri" "${small[@]}"
for verb in create info check destroy; do
	gives "$verb refuses a mode that is none" 2 "slow.* is no emulation mode" pod $verb "$uri" --emulate slow
	gives "$verb refuses a seed that is none" 2 "seed of" pod $verb "$uri" --emulate incoherent:x
	gives "$verb refuses a profile that does not exist" 2 "no-such-device" pod $verb "$uri" --emulate delay:no-such-device
	gives "$verb needs a mode behind --emulate" 2 "--emulate needs a value" pod $verb "$uri" --emulate
	gives "$verb refuses emulation on a device" 2 "several machines" pod $verb dax:/dev/dax99.9 --emulate incoherent
done
claim "LIGER_EMULATE is the default" bash -c "LIGER_EMULATE=incoherent:8 '$liger' pod info '$uri' | grep -q 'emulation *incoherent:8'"
claim "and what it says is checked" bash -c "LIGER_EMULATE=slow '$liger' pod info '$uri'; [ \$? = 2 ]"
printf LIGRPOD0 | dd of="/dev/shm/$name" conv=notrunc status=none
gives "an unfinished pod cannot be destroyed under emulation, and why is told" 2 "nobody knows which part of it is coherent" \
	pod destroy "$uri" --emulate incoherent
gives "but without" 0 "" pod destroy "$uri"

# ---- command lines that make no sense ----
gives "pod needs a verb" 2 "create, info, check, adopt or destroy" pod
gives "an unknown verb is named" 2 "'crate'" pod crate
gives "create needs a URI" 2 "URI" pod create --hosts 2
gives "an unknown option is named" 2 "'--hots'" pod create "$uri" --hots 2
gives "a second URI is refused" 2 "'shm:b'" pod info shm:a shm:b
gives "a URI of an unknown kind is a usage error that names it" 2 "floppy:a" pod info floppy:a
gives "a flag takes no value" 2 "--force takes no value" pod destroy "$uri" --force=1
gives "an option at the end without its value is told" 2 "--hosts needs a value" pod create "$uri" --hosts
for bad in 0 65 -1 two 2x 0x2 1e1 "" " 2" 2.0 99999999999999999999999; do
	gives "--hosts '$bad' is refused" 2 "--hosts: .*(not a whole number|must be 1 to 64)" pod create "$uri" --hosts "$bad"
done
gives "--partitions 4097 is refused" 2 "must be 1 to 4096" pod create "$uri" --partitions 4097
gives "--epoch-ms=0 is refused" 2 "must be 1 to 1000" pod create "$uri" --epoch-ms=0
gives "--hwcc-mib 3 is refused" 2 "3 is odd" pod create "$uri" --hwcc-mib 3
gives "--swcc-mib beyond 64 bits of bytes is refused" 2 "--swcc-mib" pod create "$uri" --swcc-mib 17592186044416
claim "none of these left a region behind" [ ! -e "/dev/shm/$name" ]

# ---- bench ----
gives "bench needs a workload" 2 "which workload" bench
gives "bench --help lists the workloads" 0 "^  tpcc " bench --help
gives "bench names an unknown workload" 2 "tpcx" bench tpcx
gives "bench tpcc has --help" 0 "--warehouses" bench tpcc --help
gives "bench ycsb has --help" 0 "--zipf" bench ycsb --help
gives "bench names an unknown option" 2 "--wharehouses" bench tpcc --wharehouses 2
gives "bench refuses no hosts" 2 "--hosts" bench tpcc --hosts 0
gives "bench refuses 65 hosts" 2 "--hosts" bench tpcc --hosts 65
gives "bench refuses seconds that are no number" 2 "--seconds" bench tpcc --seconds soon
gives "bench refuses negative seconds and tells the range" 2 "--seconds: -1 is out of range: it must be 0 to 1000000;" \
	bench tpcc --seconds -1
gives "bench refuses a skew out of range and tells it" 2 "--zipf: 1.5 is out of range: it must be 0 to 0.99;" \
	bench ycsb --zipf 1.5
gives "bench refuses an option without its value" 2 "--workers: it needs a value" bench ycsb --workers
gives "bench --attach to a missing pod fails and names it" 1 "$name" bench ycsb --attach "$uri" --host-id 0
claim "none of these left a region behind" [ ! -e "/dev/shm/$name" ]
gives "a warehouse count below the workers is refused and says what to give" 2 "give --warehouses 2 or more" bench tpcc --warehouses 1
gives "a warehouse count beyond the partitions is refused" 2 "--warehouses.* 1 to 4096" bench tpcc --warehouses 4097
# More warehouses than the memory available holds, of 115 MB each; on a machine that holds all 4,096, the region is too large.
warehouses=$(awk '/^MemAvailable/ { n = int($2 / 76000) + 8; print n < 4096 ? n : 4096 }' /proc/meminfo)
for count in "$warehouses" 4096; do
	gives "--warehouses beyond the memory is refused, with what it needs and what there is" 1 \
		"rows of tpcc would take about [0-9.]+ GiB of memory, but [0-9.]+ GiB are available .* a smaller --warehouses|must be" \
		bench tpcc --uri "$uri" --warehouses "$count"
done
claim "and leaves no region behind" [ ! -e "/dev/shm/$name" ]

# ---- bench, whole runs ----
cat >"$work/result.py" <<'PY'
import json, sys
result = json.load(open(sys.argv[1]))
for key in ("commits_per_s", "aborts_per_commit", "consistency_failed", "hwcc_bytes_per_shared_row",
            "swcc_bytes_per_payload_byte", "durability", "seed"):
    assert key in result, key
assert result["consistency_failed"] == [] and result["consistency_checked"] is True, result["consistency_failed"]
assert result["commits_per_s"] > 0 and result["durability"] == "none" and result["seed"] == 7, result
for condition in sys.argv[2:]:
    assert eval(condition, {}, result), condition
PY
gives "TPC-C runs over two host processes and its checks hold" 0 "checks +all hold" bench tpcc --uri "$uri" --hosts 2 \
	--seconds 0.5 --warmup 0 --seed 7 --quiet --json "$work/tpcc.json"
claim "its JSON has the promised keys" python3 "$work/result.py" "$work/tpcc.json" 'messages_per_commit > 0' 'warehouses == 2'
# 2.3 million shared rows; the 2 MiB have words for at most 262,144.
gives "YCSB completes with 9 times the rows that HWcc has words for" 0 "checks +all hold" bench ycsb --uri "$uri" \
	--mix scan --hwcc-mib 2 --keys 1150000 --fields 1 --field-bytes 8 --zipf 0 --cross-host 100 --seconds 3 --warmup 0 \
	--seed 7 --quiet --json "$work/ycsb.json"
claim "and its rows moved out, at a rate that JSON tells" python3 "$work/result.py" "$work/ycsb.json" 'moved_out_per_s > 0' \
	'hwcc["claimed_bytes"] + hwcc_fixed_bytes <= 2 << 20'
quick=(--uri "$uri" --seconds 0.3 --warmup 0 --seed 7 --quiet --json "$work/quick.json")
for workload in A B C D E F; do
	# D reads what its own host has added.
	cross=(--cross-host 20)
	[ $workload = D ] && cross=()
	gives "YCSB $workload runs over two hosts and its checks hold" 0 "checks +all hold" bench ycsb --workload $workload \
		--keys 2000 "${cross[@]}" "${quick[@]}"
	claim "and it did what $workload does" python3 "$work/result.py" "$work/quick.json" "ycsb['workload'] == '$workload'" \
		"set(types) == set({'A': ['read', 'update'], 'B': ['read', 'update'], 'C': ['read'], 'D': ['read', 'insert'],
			'E': ['scan', 'insert'], 'F': ['read', 'read-modify-write']}['$workload'])"
done
for single in get put; do
	gives "YCSB --single $single runs and its checks hold" 0 "checks +all hold" bench ycsb --single $single --keys 2000 \
		--cross-host 50 "${quick[@]}"
	claim "and each transaction was one $single" python3 "$work/result.py" "$work/quick.json" "ycsb['workload'] == '$single'" \
		"len(types) == 1"
done
gives "YCSB runs over eight hosts and its checks hold" 0 "checks +all hold" bench ycsb --hosts 8 --keys 2000 \
	--cross-host 50 "${quick[@]}"
claim "all eight of which committed" python3 "$work/result.py" "$work/quick.json" 'hosts == 8' \
	'min(h["commits_per_s"] for h in by_host) > 0'
gives "TPC-C runs over eight hosts and its checks hold" 0 "checks +all hold" bench tpcc --hosts 8 --warehouses 8 "${quick[@]}"
claim "all eight of which committed" python3 "$work/result.py" "$work/quick.json" 'hosts == 8 and warehouses == 8' \
	'min(h["commits_per_s"] for h in by_host) > 0'
gives "TPC-C waits for its users and its checks hold" 0 "checks +all hold" bench tpcc --think-time 0.001 "${quick[@]}"
claim "and so is slow" python3 "$work/result.py" "$work/quick.json" 'think_time == 0.001' 'commits_per_s < 2000'
claim "no run left a region behind" [ ! -e "/dev/shm/$name" ]

# ---- a run whose data are damaged from outside ----
# Rows of one field of 8 bytes are nothing but the count of their updates (benchmarks/ycsb/row.h). One row, which all hosts
# read and nobody writes, is told in pod memory by its key, and given a count of 5.
cat >"$work/damage.py" <<'PY'
import mmap, struct, sys, time
path, seconds = sys.argv[1], float(sys.argv[2])
key, found, end = struct.pack(">Q", 1 << 40 | 1999), False, time.monotonic() + seconds
while time.monotonic() < end:
    try:
        with open(path, "r+b") as region, mmap.mmap(region.fileno(), 0) as pod:
            at = pod.find(key)
            while at >= 0:
                # Behind the 16 bytes of a frame's head; the value follows. (Of a message with that key only padding does.)
                if at % 64 == 16:
                    pod[at + 8] = 5
                    found = True
                at = pod.find(key, at + 8)
    except (FileNotFoundError, ValueError):
        if found:
            sys.exit(0)  # the pod is gone: the run is over
    time.sleep(0.05)
sys.exit("the run did not end" if found else "the row was not found in the pod")
PY
python3 "$work/damage.py" "/dev/shm/$name" 50 >"$work/damage" 2>&1 &
damage=$!
gives "a run that finds an inconsistency ends with 1 and names the check" 1 "the rows count 5 updates, but 0 were committed" \
	bench ycsb --uri "$uri" --keys 2000 --fields 1 --field-bytes 8 --read-percent 100 --cross-host 100 --share-all \
	--seconds 2 --warmup 0 --quiet --json "$work/damaged.json"
claim "because it was damaged" wait $damage
claim "its JSON names it too" python3 -c '
import json, sys
result = json.load(open(sys.argv[1]))
assert result["consistency_checked"] is True
assert len(result["consistency_failed"]) == 1 and "count 5 updates" in result["consistency_failed"][0], result
' "$work/damaged.json"
claim "and its region is gone" [ ! -e "/dev/shm/$name" ]

# ---- one host of a pod that was created by hand ----
gives "a pod for attached hosts is created" 0 "" pod create "$uri" "${small[@]}"
attached=(bench ycsb --attach "$uri" --keys 2000 --seconds 0.3 --warmup 0 --seed 7 --quiet)
gives "a host id out of range is refused" 1 "hosts 0 to 1" "${attached[@]}" --host-id 2
gives "a workload that needs more partitions than the pod has is refused" 1 "create it with more" \
	bench tpcc --attach "$uri" --host-id 0 --warehouses 9
timeout 60 "$liger" "${attached[@]}" --host-id 1 >"$work/host1" 2>&1 </dev/null &
host1=$!
for _ in $(seq 100); do
	"$liger" pod info "$uri" | grep -q "^  1 .*live" && break
	sleep 0.1
done
gives "a host id that is taken is refused and names the process" 1 "process [0-9]+ is that host" "${attached[@]}" --host-id 1
gives "the other host completes the run" 0 "checks +all hold" "${attached[@]}" --host-id 0 --json "$work/attached.json"
claim "and so does the first" wait $host1
claim "the result is written" python3 "$work/result.py" "$work/attached.json"
gives "a second run on that pod is refused: its tables are there" 1 "has tables already" "${attached[@]}" --host-id 0
gives "the pod is still there, and can be destroyed" 0 "" pod destroy "$uri"

gives "another pod for attached hosts is created" 0 "" pod create "$uri" "${small[@]}"
timeout 60 "$liger" "${attached[@]}" --host-id 0 >"$work/host0" 2>&1 </dev/null &
host0=$!
for _ in $(seq 100); do
	"$liger" pod info "$uri" --json - | grep -qE '"tables": *[1-9]' && break
	sleep 0.1
done
gives "host id 0, when it is taken, is refused and the process is named" 1 "process $(pgrep -P $host0) is that host" \
	"${attached[@]}" --host-id 0
gives "the other host can be started all the same" 0 "" "${attached[@]}" --host-id 1
claim "and the first one was not disturbed" wait $host0
claim "its checks hold" grep -qE "checks +all hold" "$work/host0"
gives "and that pod can be destroyed" 0 "" pod destroy "$uri"

exit $failed
