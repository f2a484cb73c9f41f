# shellcheck shell=dash
# A guest's part in a run of TPC-C over all guests. Sourced by init.
#
# HOSTS: how many guests there are. LEADER: which of them looks after the pod at the end. VICTIM: which will be killed, or
# "none". HWCC_MIB, SWCC_MIB: the pod. LIMIT: seconds that the benchmark may take in all. BENCH: its options.
pod=dax:/dev/dax0.0

create_pod() {
	step "$1" 60 0 liger pod create $pod --hosts "$HOSTS" --partitions "$HOSTS" --hwcc-mib "$HWCC_MIB" --swcc-mib "$SWCC_MIB"
}
# The members of the pod, a line each: host, state, heartbeat.
members() {
	liger pod info $pod >/tmp/info || return 1
	awk '$1 ~ /^[0-9]+$/ && $2 ~ /^(joining|live|leaving)$/ { print $1, $2, $5 }' /tmp/info
}
host_lives() {
	members | grep -q "^$1 live"
}
all_have_left() {
	members >/tmp/members && [ ! -s /tmp/members ]
}
# Only such members are left as show no life. A heart beats every 10 ms, so 2 s without a beat are no chance.
all_are_dead() {
	members >/tmp/members || return 1
	sleep 2
	members >/tmp/members.later && cmp -s /tmp/members /tmp/members.later
}

if [ "$HOST" = 0 ]; then
	step none 30 1 liger pod info $pod
	create_pod create || return
else
	await 120 "guest 0 has made the pod" liger pod info $pod || return
fi

if [ "$HOST" = 1 ]; then
	# Its process cannot be seen from here; it waits for this guest in its benchmark.
	await 60 "host 0 is in the pod" host_lives 0
	step foreign 30 1 liger pod destroy $pod
fi

# Without its victim's rows no run can be completed: it ends, with a message.
codes=0
if [ "$VICTIM" != none ]; then
	codes=1
fi
# shellcheck disable=SC2086 # BENCH is words
step bench "$LIMIT" $codes liger bench tpcc --attach $pod --host-id "$HOST" --workers 1 --join-seconds 120 --no-pin $BENCH

if [ "$HOST" = "$LEADER" ]; then
	if [ "$VICTIM" = none ]; then
		await 60 "all hosts have left the pod" all_have_left
		step info 30 0 liger pod info $pod
		step destroy 30 0 liger pod destroy $pod
	else
		# A host whose worker waits for the dead one's row cannot leave either: it stays a member, as dead as that.
		await 120 "no member of the pod is alive" all_are_dead
		step info 30 0 liger pod info $pod
		step dead 30 0 grep "^$VICTIM " /tmp/members
		step unforced 30 1 liger pod destroy $pod
		step destroy 30 0 liger pod destroy $pod --force
	fi
	step gone 30 1 liger pod info $pod
	create_pod again
	step again-destroy 30 0 liger pod destroy $pod
fi
