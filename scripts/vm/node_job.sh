# shellcheck shell=dash
# A guest of three NUMA nodes: two sockets of a CPU each, and the memory of /dev/dax0.0, which has no CPU. Sourced by init.
# TESTS: unit tests to run.
node=$(cat /sys/bus/dax/devices/dax0.0/target_node)
uri="shm:vm?node=$node"
small="--hosts 2 --partitions 4 --hwcc-mib 2 --swcc-mib 64"

step topology-devdax 60 0 liger probe topology
# The device holds noise, and who knows what for.
# shellcheck disable=SC2086 # small is words
step noise 30 1 liger pod create dax:/dev/dax0.0 $small
# In this mode the node does not exist yet.
# shellcheck disable=SC2086 # small is words
step early 60 "1 2" liger pod create "$uri" $small

step reconfigure 60 0 daxctl reconfigure-device -m system-ram dax0.0
await 20 "node $node has memory" grep -q 'MemTotal: *[1-9]' "/sys/devices/system/node/node$node/meminfo"
step topology-node 60 0 liger probe topology

# shellcheck disable=SC2086
step refused 30 1 liger pod create dax:/dev/dax0.0 $small
step refused-info 30 1 liger pod info dax:/dev/dax0.0

# shellcheck disable=SC2086
step create 60 0 liger pod create "$uri" $small
step info 30 0 liger pod info "$uri"
# 66 MiB, of which each CPU's counter may hold back some 500 KiB from the node's; that every page lies there is what
# `pod info` has just verified, this is the kernel's own word for it.
step placed 30 0 awk '$3 == "Shmem:" { print $4 " KiB of shared memory lie there"; exit $4 < 65 * 1024 }' \
	"/sys/devices/system/node/node$node/meminfo"
step destroy 30 0 liger pod destroy "$uri"
# shellcheck disable=SC2086
step no-such-node 60 "1 2" liger pod create "shm:vm?node=9" $small
step bench 120 0 liger bench ycsb --uri "$uri" --hosts 2 --keys 2000 --cross-host 100 --seconds 1 --warmup 0 --hwcc-mib 2 --swcc-mib 64

for test in $TESTS; do
	step "$test" 200 0 "$test"
done
