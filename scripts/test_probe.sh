#!/bin/bash
# Tests of `liger probe`, of ?node=N and of dax: as the command line shows them: each line is a claim. LIGER names the
# program (default build/liger). Machines that are not at hand stand in a directory that looks like /sys.
set -uo pipefail

liger=${LIGER:-build/liger}
name=liger-probe-$$
work=$(mktemp -d)
trap 'rm -rf "$work" "/dev/shm/$name"' EXIT
# shellcheck source=scripts/claims.sh
. "$(dirname "$0")/claims.sh"

# node DIR N MIB CPUS DISTANCES: a NUMA node.
node() {
	local at=$1/devices/system/node/node$2
	mkdir -p "$at"
	printf 'Node %s MemTotal: %s kB\nNode %s MemFree: %s kB\n' "$2" $(($3 * 1024)) "$2" $(($3 * 512)) >"$at/meminfo"
	echo "$4" >"$at/cpulist"
	echo "$5" >"$at/distance"
}

# dax DIR NAME BYTES DRIVER NODE: a dax device; DRIVER '' binds none.
dax() {
	local at=$1/bus/dax/devices/$2
	mkdir -p "$at"
	echo "$3" >"$at/size"
	echo 2097152 >"$at/align"
	echo "$5" >"$at/numa_node"
	echo "$5" >"$at/target_node"
	[ -z "$4" ] || ln -s "../../drivers/$4" "$at/driver"
}

# ---- the command ----
gives "help lists probe" 0 "^  probe " help
gives "probe has --help" 0 "^  topology " probe --help
gives "probe topology has --help" 0 "^usage: liger probe topology" probe topology --help
gives "probe alone is a usage error" 2 "probe what" probe
gives "an unknown probe is named" 2 "'topolgy'" probe topolgy
gives "an unknown option is named" 2 "'--jsn'" probe topology --jsn
gives "an argument is refused" 2 "'x'" probe topology x
gives "--json needs a value" 2 "--json needs a value" probe topology --json
gives "--json into a missing folder fails and names it" 1 "$work/none/x" probe topology --json "$work/none/x"
claim "output that cannot be written is a failure" bash -c "! '$liger' probe topology >/dev/full"

# ---- this machine ----
gives "this machine's topology is printed" 0 "NUMA|^node " probe topology
claim "and its JSON is JSON" bash -c "'$liger' probe topology --json - | python3 -m json.tool"

# ---- a pod's machine: a node of CXL memory, devices in both modes ----
mkdir -p "$work/pod/devices/system/node"
echo 0-1,3 >"$work/pod/devices/system/node/online"
node "$work/pod" 0 4096 0-3,8 "10 21 30"
node "$work/pod" 1 0 4-7 "21 10 30"
node "$work/pod" 3 1024 "" "30 30 10"
dax "$work/pod" dax0.0 268435456 device_dax -1
dax "$work/pod" dax1.0 536870912 kmem 3
dax "$work/pod" dax10.0 0 "" 0
gives "a node with memory and no CPU looks like CXL" 0 "^3 +1024 +512 +0 +- +looks like CXL" \
	probe topology --sysfs "$work/pod" --json "$work/pod.json"
claim "and it alone" [ "$(grep -c 'looks like CXL' "$work/out")" = 1 ]
claim "nodes have memory and CPUs" grep -qE '^0 +4096 +2048 +5 +0-3,8 *$' "$work/out"
claim "distances are a matrix" grep -qE '^ +3 +30 +30 +10$' "$work/out"
claim "a devdax device has its mode, size and alignment" grep -qE '^dax0\.0 +devdax +256 +2048 +- +-$' "$work/out"
claim "one in system-ram mode has its node" grep -qE '^dax1\.0 +system-ram +512 +2048 +3 +3$' "$work/out"
claim "one without a driver is told" grep -qE '^dax10\.0 +no driver +0 ' "$work/out"
cat >"$work/check.py" <<'PY'
import json, sys
t = json.load(open(sys.argv[1]))
assert t["numa"] is True and t["dax"] is True, t
assert [n["node"] for n in t["nodes"]] == [0, 1, 3], t
assert t["nodes"][0]["cpus"] == [0, 1, 2, 3, 8] and t["nodes"][2]["cpus"] == [], t
assert [n["looks_like_cxl"] for n in t["nodes"]] == [False, False, True], t
assert t["nodes"][2]["memory_bytes"] == 1 << 30 and t["nodes"][2]["free_bytes"] == 1 << 29, t
assert [n["distances"] for n in t["nodes"]] == [[10, 21, 30], [21, 10, 30], [30, 30, 10]], t
d = t["dax_devices"]
assert [x["name"] for x in d] == ["dax0.0", "dax1.0", "dax10.0"], d
assert [x["mode"] for x in d] == ["devdax", "system-ram", "no driver"], d
assert [x["driver"] for x in d] == ["device_dax", "kmem", None], d
assert d[0]["bytes"] == 256 << 20 and d[0]["align_bytes"] == 2 << 20 and d[0]["path"] == "/dev/dax0.0", d
assert d[0]["numa_node"] is None and d[1]["target_node"] == 3, d
PY
claim "JSON has the same" python3 "$work/check.py" "$work/pod.json"

mkdir "$work/bare"
gives "a kernel without NUMA is said to have none" 0 "NUMA: none" probe topology --sysfs "$work/bare"
gives "and one without dax" 0 "no dax \(modprobe" probe topology --sysfs "$work/bare"
"$liger" probe topology --sysfs "$work/bare" --json "$work/bare.json" >"$work/out"
claim "JSON says so too" python3 -c 'import json, sys; t = json.load(open(sys.argv[1]))
assert t == {"numa": False, "dax": False, "nodes": [], "dax_devices": []}, t' "$work/bare.json"

gives "a copy of /sys that is not there is a failure that names it" 1 "cannot read $work/none: No such file" \
	probe topology --sysfs "$work/none"

# ---- the chain of reads of probe memory ----
for bad in 0 17 x -1; do
	gives "--chain-mib $bad of 32 MiB is refused" 2 "--chain-mib: " probe memory --mib 32 --chain-mib $bad
done
gives "probe memory --help tells of --chain-mib" 0 "--chain-mib N" probe memory --help
gives "reads stay within the chain that is asked for" 0 "^reads stay within 1 MiB" \
	probe memory --mib 32 --chain-mib 1 --quick --json "$work/chain.json"
claim "JSON says so too" python3 -c 'import json, sys; r = json.load(open(sys.argv[1]))
assert r["chain_bytes"] == 1 << 20 and r["figures"]["idle_read"]["measured"] > 0, r' "$work/chain.json"

# ---- ?node=N ----
small=(--hosts 2 --partitions 8 --hwcc-mib 2 --swcc-mib 64)
for bad in "" foo=1 node node= node=x node=-1 node=1024 "node=0&node=0" "node=0&"; do
	gives "?$bad is a usage error" 2 "cannot use shm:$name" pod create "shm:$name?$bad" "${small[@]}"
done
if [ -d /sys/devices/system/node ]; then
	gives "a node that does not exist is a usage error that names the nodes" 2 "no NUMA node 1023, only 0" \
		pod create "shm:$name?node=1023" "${small[@]}"
	gives "info on such a node too" 2 "no NUMA node 1023" pod info "shm:$name?node=1023"
fi
claim "none of these left a region behind" [ ! -e "/dev/shm/$name" ]
home=$(python3 -c 'import json, sys
print(next((n["node"] for n in json.load(sys.stdin)["nodes"] if n["free_bytes"] > 1 << 28), ""))' \
	< <("$liger" probe topology --json -))
# Only where a process may bind memory at all: some containers forbid it, which is an error of its own.
if [ -n "$home" ] && "$liger" pod create "shm:$name?node=$home" "${small[@]}" >"$work/out" 2>&1; then
	gives "a pod that was created on a node lies on it" 0 "^pod shm:" pod info "shm:$name?node=$home"
	gives "its hosts attach with the node" 0 "checks +all hold" bench ycsb --uri "shm:$name-b?node=$home" --hosts 2 \
		--keys 2000 --hwcc-mib 2 --swcc-mib 64 --seconds 0.2 --warmup 0 --seed 7 --quiet
	gives "and it is destroyed by the same name" 0 "" pod destroy "shm:$name?node=$home"
	claim "which leaves nothing" [ ! -e "/dev/shm/$name" ]
else
	claim "where memory cannot be bound, the reason is told" grep -qE "mbind|move_pages|no NUMA|NUMA node" "$work/out"
fi

# ---- dax: ----
: >"$work/file"
for verb in create info destroy; do
	gives "$verb of a dax device that does not exist names it" 1 "no device /dev/dax99\.9" pod $verb dax:/dev/dax99.9
	gives "$verb refuses a device that is not dax" 1 "not dax" pod $verb dax:/dev/null
	gives "$verb refuses a file that is no device" 1 "it is no device" pod $verb "dax:$work/file"
	gives "$verb refuses a node for a device" 2 "lies where the device is" pod $verb "dax:/dev/dax99.9?node=0"
	gives "$verb refuses dax: without a path" 2 "path is empty" pod $verb dax:
done
claim "the file is as it was" [ ! -s "$work/file" ]

exit $failed
