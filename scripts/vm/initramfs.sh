#!/bin/bash
# Makes the initramfs of vmpod.sh's guests: busybox, the kernel's modules, programs and the shared libraries they need.
#
#     scripts/vm/initramfs.sh OUTPUT KERNEL PROGRAM...
#
# KERNEL is a folder made by kernel.sh. Programs go to /bin of the guest, without their debugging symbols. What a guest has
# to do comes as a second archive behind this one, with its files in /job (vmpod.sh).
set -euo pipefail

if [ $# -lt 3 ]; then
	echo "usage: scripts/vm/initramfs.sh OUTPUT KERNEL PROGRAM..." >&2
	exit 2
fi
output=$1
kernel=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

mkdir -p "$root"/{bin,dev,etc,job,proc,run,sys,tmp}
cp "$here/init" "$root/init"
chmod 755 "$root/init"
cp /bin/busybox "$root/bin/busybox"
cp -r "$kernel/modules" "$root/modules"
for program in "$@"; do
	cp "$program" "$root/bin/"
	strip --strip-debug "$root/bin/$(basename "$program")"
	# "NAME => PATH (ADDRESS)", or "PATH (ADDRESS)" for the loader, which is named by the program itself.
	ldd "$program" | awk '$2 == "=>" && $3 == "not" { print "no " $1 >"/dev/stderr"; exit 1 }
		$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// { print $1 }' >"$root/tmp/libraries"
	while read -r library; do
		mkdir -p "$root$(dirname "$library")"
		cp -L "$library" "$root$library"
	done <"$root/tmp/libraries"
done
rm -f "$root/tmp/libraries"
(cd "$root" && find . | cpio --quiet -o -H newc -R 0:0) >"$output"
