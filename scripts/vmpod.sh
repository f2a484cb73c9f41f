#!/bin/bash
# A pod of real kernels: boots QEMU guests that share one memory device and runs TPC-C across them. `--help` tells the
# options, docs/vmpod.md what this shows and what it does not.
#
# What a guest does stands in scripts/vm: init, and the jobs that it sources. This script makes the machines, shows what
# they print, kills one if asked to, and sees to it that nothing is left behind: the shared memory is an unlinked file, and
# a guest dies with this script, however that ends.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."

usage() {
	cat <<'TEXT'
usage: scripts/vmpod.sh [OPTION...] [-- BENCH-OPTION...]

Boots guests with kernels of their own, which share one memory device, /dev/dax0.0, mapped cacheable, and runs
`liger bench tpcc` with one host in each guest. What comes behind -- is given to it.

  --hosts N         guests, 2 to 16 (default 2)
  --seconds S       length of the measured phase (default 3; with --kill 60)
  --kill K          kill guest K while it runs; the others must end in order, and bring the pod down
  --node            instead: one guest of two sockets, in which the device becomes a NUMA node without CPUs
  --accel A         kvm, tcg (emulation), or auto (default): KVM if a guest boots with it here
  --guest-mib N     memory of a guest besides the device, 256 to 1536, a multiple of 128
                    (default 384; with --node 1536, since unit tests make large regions)
  --pod-mib N       size of the device, 128 to 512, a multiple of 128 (default 256)
  --log FOLDER      keep there what each guest printed: console.0, console.1, ...
  --build FOLDER    where the programs for guests lie (default build/vm; `make vm` makes them)
  --help            this

Exit code: 0; 1 when something failed, or a consistency check did; 2 for a wrong command line.
TEXT
}

wrong() {
	echo "vmpod: $1; see scripts/vmpod.sh --help" >&2
	exit 2
}
fail() {
	echo "vmpod: $1" >&2
	exit 1
}

# ---- The command line ----

hosts=2 seconds="" victim=none node=0 accel=auto guest_mib="" pod_mib=256 log="" build=build/vm bench=()

# number NAME TEXT LOW HIGH: refuses all but a whole number in that range.
number() {
	[[ $2 =~ ^[0-9]{1,6}$ ]] || wrong "$1: '$2' is not a whole number"
	((10#$2 >= $3 && 10#$2 <= $4)) || wrong "$1: $2 is out of range: it must be $3 to $4"
}

while [ $# -gt 0 ]; do
	option=$1
	shift
	case $option in
	--help) usage && exit 0 ;;
	--node) node=1 && continue ;;
	--)
		bench=("$@")
		break
		;;
	--hosts | --seconds | --kill | --accel | --guest-mib | --pod-mib | --log | --build)
		[ $# -gt 0 ] || wrong "$option needs a value"
		;;
	*) wrong "there is no option '$option'" ;;
	esac
	case $option in
	--hosts) number "$option" "$1" 2 16 && hosts=$((10#$1)) ;;
	--seconds) number "$option" "$1" 1 3600 && seconds=$((10#$1)) ;;
	--kill) number "$option" "$1" 0 15 && victim=$((10#$1)) ;;
	--guest-mib) number "$option" "$1" 256 1536 && guest_mib=$((10#$1)) ;;
	--pod-mib) number "$option" "$1" 128 512 && pod_mib=$((10#$1)) ;;
	--accel) accel=$1 ;;
	--log) log=$1 ;;
	--build) build=$1 ;;
	esac
	shift
done
[[ $accel =~ ^(auto|kvm|tcg)$ ]] || wrong "--accel: '$accel' is none of auto, kvm and tcg"
((pod_mib % 128 == 0)) || wrong "--pod-mib: $pod_mib is not a multiple of 128, the blocks that Linux adds memory in"
if [ "$victim" != none ]; then
	((victim < hosts)) || wrong "--kill: there is no guest $victim among the guests 0 to $((hosts - 1))"
	[ $node = 0 ] || wrong "--kill and --node do not go together"
fi
if [ -z "$guest_mib" ]; then
	guest_mib=$((node == 1 ? 1536 : 384))
fi
((guest_mib % 128 == 0)) || wrong "--guest-mib: $guest_mib is not a multiple of 128, so that the device begins at one"
if [ $node = 1 ]; then
	hosts=1
	[ ${#bench[@]} = 0 ] || wrong "--node runs no TPC-C that could have options"
fi
for word in "${bench[@]}"; do
	[[ $word =~ ^[A-Za-z0-9._=-]+$ ]] || wrong "a benchmark's option may have letters, digits and ._=- in it, unlike '$word'"
done
if [ -z "$seconds" ]; then
	seconds=3
	[ "$victim" = none ] || seconds=60
fi

# ---- What is needed ----

for tool in qemu-system-x86_64 busybox cpio depmod daxctl setpriv strip python3; do
	PATH=$PATH:/usr/sbin:/sbin command -v $tool >/dev/null ||
		fail "there is no $tool here; 'scripts/deps.sh vm' installs the packages that guests need"
done
[ -x "$build/liger" ] || fail "there is no $build/liger; 'make vm' builds it"
cache=$build/kernel
mkdir -p "$build"
# Two runs at the same time fetch the kernel once.
(
	flock 8
	"$here/vm/kernel.sh" "$cache"
) 8>"$build/kernel.lock" || fail "there is no kernel for the guests"
if [ -n "$log" ]; then
	mkdir -p "$log" || fail "--log: cannot make the folder $log"
fi

work=$(mktemp -d)
pid=() printed=()

# shellcheck disable=SC2329 # called by trap
clean_up() {
	local code=$?
	trap - EXIT INT TERM HUP
	local k
	for k in "${!pid[@]}"; do
		stop "$k"
	done
	if [ -n "$log" ]; then
		cp "$work"/console.* "$log/" 2>/dev/null || true
	fi
	rm -rf "$work"
	exit $code
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# ---- Guests ----

running() {
	[[ " $(jobs -rp | tr '\n' ' ')" == *" ${pid[$1]} "* ]]
}

# Ends a guest at once, as a power failure would.
stop() {
	if running "$1"; then
		kill -KILL "${pid[$1]}"
	fi
	# The shell's message that it was killed is no news.
	wait "${pid[$1]}" 2>/dev/null || true
}

# make_memory ZEROS: the file behind the device, which no name leads to any more when a guest runs; file descriptor 7.
# Nothing is known of what a real device holds, so this one holds noise, behind so many MiB that somebody has zeroed.
make_memory() {
	local file free_kib
	free_kib=$(df --output=avail -k /dev/shm | tail -n 1)
	((free_kib > (pod_mib + 16) * 1024)) ||
		fail "/dev/shm has $((free_kib / 1024)) MiB free, the guests' device needs $pod_mib; see --pod-mib"
	file=$(mktemp /dev/shm/liger-vmpod-XXXXXX)
	exec 7<>"$file"
	rm "$file"
	head -c $(($1 << 20)) /dev/zero >&7 && head -c $(((pod_mib - $1) << 20)) /dev/urandom >&7 ||
		fail "cannot fill $pod_mib MiB of /dev/shm"
}

# start_guest K ACCEL JOB MODULES [SETTING=VALUE...]: boots guest K; its console goes to $work/console.K.
#
# The device is a piece of RAM with a node of its own, which the kernel is told to leave alone ("soft reserved", as a
# firmware marks CXL memory): memmap=. A piece of RAM follows it, because firmware keeps tables at the end of memory; it
# is node 2. maxcpus=2 tells QEMU that several CPUs share memory: with one it would translate locked instructions into
# plain loads and stores, since nobody but that CPU could see the difference; but the other guests do. no_timer_check: a busy
# machine is late to give an emulated one its first interrupts.
start_guest() {
	local k=$1 acceleration=$2 job=$3 modules=$4 setting cpus=1
	shift 4
	rm -rf "$work/tree"
	mkdir -p "$work/tree/job"
	cp "$here/vm/$job" "$work/tree/job/"
	for setting in "HOST=$k" "JOB=$job" "MODULES=$modules" "$@"; do
		printf "%s='%s'\n" "${setting%%=*}" "${setting#*=}"
	done >"$work/tree/job/settings"
	(cd "$work/tree" && find job | cpio --quiet -o -H newc -R 0:0) >"$work/job.cpio"
	cat "$work/base.cpio" "$work/job.cpio" >"$work/initramfs.$k"
	if [ $node = 1 ]; then
		cpus=2
	fi
	: >"$work/console.$k"
	printed[k]=0
	setpriv --pdeathsig KILL qemu-system-x86_64 -machine q35 -accel "$acceleration" -cpu max -smp "$cpus,maxcpus=2" \
		-nodefaults -no-user-config -display none -no-reboot -serial "file:$work/console.$k" \
		-kernel "$cache/vmlinux" -initrd "$work/initramfs.$k" -m $((guest_mib + pod_mib + 64)) \
		-object "memory-backend-ram,id=low,size=${guest_mib}M" \
		-object "memory-backend-file,id=pod,size=${pod_mib}M,mem-path=/proc/self/fd/7,share=on" \
		-object memory-backend-ram,id=high,size=64M \
		-numa node,nodeid=0,cpus=0,memdev=low -numa node,nodeid=1,memdev=pod -numa node,nodeid=2,cpus=1,memdev=high \
		-numa dist,src=0,dst=1,val=25 -numa dist,src=1,dst=2,val=25 -numa dist,src=0,dst=2,val=20 \
		-append "console=ttyS0 quiet no_timer_check panic=-1 memmap=${pod_mib}M%${guest_mib}M-1+0xefffffff" \
		>"$work/qemu.$k" 2>&1 </dev/null &
	pid[k]=$!
}

# Shows what the guests have printed since the last time, in whole lines.
show() {
	local k lines
	for k in "${!pid[@]}"; do
		lines=$(wc -l <"$work/console.$k")
		if ((lines > printed[k])); then
			sed -n "$((printed[k] + 1)),${lines}{s/\r//g;s/^/[$k] /;p}" "$work/console.$k"
			printed[k]=$lines
		fi
	done
}

# Why a guest came to nothing: the line that it did not finish, and what QEMU said.
complain() {
	show
	if [ -n "$(tail -c 1 "$work/console.$1")" ]; then
		echo "[$1] $(tail -n 1 "$work/console.$1")"
	fi
	sed "s/^/vmpod: qemu of guest $1: /" "$work/qemu.$1" >&2
	fail "$2"
}

printed_line() { # K PATTERN
	grep -q "$2" "$work/console.$1"
}

# One guest that went wrong is enough: the others may be waiting for it.
check_guests() {
	local k
	for k in "${!pid[@]}"; do
		! printed_line "$k" "^== guest $k: BAD" || complain "$k" "guest $k did not do what it should; look for BAD above"
	done
}

# await_line K SECONDS PATTERN WHAT: until guest K prints it.
await_line() {
	local deadline=$((SECONDS + $2))
	until printed_line "$1" "$3"; do
		show
		running "$1" || printed_line "$1" "$3" || complain "$1" "guest $1 ended before this: $4"
		((SECONDS < deadline)) || complain "$1" "guest $1: not within $2 s: $4"
		check_guests
		sleep 0.1
	done
	show
}

# await_end K SECONDS: until the guest has switched itself off; its job must have gone well.
await_end() {
	local deadline=$((SECONDS + $2))
	while running "$1"; do
		show
		((SECONDS < deadline)) || complain "$1" "guest $1 has not ended within $2 s"
		check_guests
		sleep 0.1
	done
	show
	check_guests
	printed_line "$1" "^== guest $1: all good" || complain "$1" "guest $1 ended before its job"
	wait "${pid[$1]}" || complain "$1" "QEMU of guest $1 ended with exit code $?"
}

# ---- KVM or emulation ----

# Whether a guest boots with KVM here: to have /dev/kvm is not enough on every machine. What was found is kept until the
# machine boots anew.
kvm_works() {
	local mark="$cache/kvm-works" now
	now="$(cat /proc/sys/kernel/random/boot_id) $(cat "$cache/release") $(qemu-system-x86_64 --version | head -n 1)"
	if [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
		return 1
	fi
	if [ "$(tail -n +2 "$mark" 2>/dev/null)" = "$now" ]; then
		[ "$(head -n 1 "$mark")" = yes ]
		return
	fi
	local answer=no deadline=$((SECONDS + 10))
	start_guest 0 kvm boot_job.sh pod
	while running 0 && ((SECONDS < deadline)); do
		if printed_line 0 '^== guest 0: all good'; then
			answer=yes
			break
		fi
		sleep 0.1
	done
	stop 0
	printf '%s\n' "$answer" "$now" >"$mark"
	[ $answer = yes ]
}

programs=("$build/liger" "$(command -v daxctl)") tests=""
if [ $node = 1 ]; then
	for program in "$build"/tests/unit/region*_test; do
		[ -x "$program" ] || continue
		programs+=("$program")
		tests+="$(basename "$program") "
	done
fi
"$here/vm/initramfs.sh" "$work/base.cpio" "$cache" "${programs[@]}" || fail "cannot make the guests' initramfs"
# Liger takes a device only if its first page is zero. The guest with nodes sees one that is not.
make_memory $((1 - node))
how=tcg,thread=multi
# In a shell of its own, whose message that QEMU crashed is no news.
if [ "$accel" != tcg ] && (kvm_works) 2>/dev/null; then
	how=kvm
elif [ "$accel" = kvm ]; then
	fail "--accel kvm: no guest boots with KVM here; use --accel tcg"
fi

# ---- The run ----

boot_limit=90
if [ $node = 1 ]; then
	echo "vmpod: one guest, $how, two sockets of $guest_mib and 64 MiB, a device of $pod_mib MiB"
	start_guest 0 "$how" node_job.sh node "TESTS=$tests"
	await_line 0 $boot_limit '^== guest 0: up' "it boots"
	await_end 0 400
else
	leader=0
	[ "$victim" != 0 ] || leader=1
	# What comes before and after the measured phase, loading and checking, takes an emulated CPU some 30 s.
	limit=$((seconds + 200))
	echo "vmpod: $hosts guests, $how, $guest_mib MiB each, and a device of $pod_mib MiB that they share"
	for ((k = 0; k < hosts; k++)); do
		start_guest "$k" "$how" pod_job.sh pod "HOSTS=$hosts" "LEADER=$leader" "VICTIM=$victim" HWCC_MIB=16 \
			"SWCC_MIB=$((pod_mib - 16))" "LIMIT=$limit" "BENCH=--seconds $seconds --warmup 1 ${bench[*]}"
	done
	for ((k = 0; k < hosts; k++)); do
		await_line "$k" $boot_limit "^== guest $k: up" "it boots"
	done
	if [ "$victim" != none ]; then
		# Progress is printed by guest 0 alone.
		await_line 0 "$limit" '^run ' "TPC-C runs"
		stop "$victim"
		echo "vmpod: guest $victim was killed"
		killed=$SECONDS
	fi
	for ((k = 0; k < hosts; k++)); do
		[ "$k" = "$victim" ] || await_end "$k" $((limit + 120))
	done
	if [ "$victim" != none ]; then
		echo "vmpod: the other guests ended $((SECONDS - killed)) s after that"
	fi
fi
echo "vmpod: all good"
