#!/bin/bash
# Installs the Debian packages that Liger needs, or says which are missing.
#
#     scripts/deps.sh build    what `make`, `make bench` and `make install` need
#     scripts/deps.sh test     that, and what `make test` needs besides
#     scripts/deps.sh yards    what `make yards` needs
#     scripts/deps.sh vm       what `make test-vm` and scripts/vmpod.sh need: emulated machines
#
# As root, missing packages are installed with apt-get. Anyone else is told the command. When all are present it takes a
# few milliseconds. LIGER_SKIP_DEPS=1 skips it, for systems that bring compiler and libraries in another way.
set -euo pipefail

build_packages=(gcc libc6-dev make pkg-config libnuma-dev libjemalloc-dev libcjson-dev libxxhash-dev libisal-dev liburing-dev libzstd-dev)
# gcc brings the sanitizers' libraries; python3 runs the lint and reads JSON back; strace looks for system calls; spin
# explores the model of the row word.
test_packages=(g++ libcmocka-dev clang clang-tidy clang-format python3 strace spin)
# QEMU with its firmware, and what an initramfs is made of. The kernel is not installed: scripts/vm/kernel.sh.
vm_packages=(qemu-system-x86 seabios busybox-static cpio kmod daxctl xz-utils zstd libcmocka-dev python3)

case "${1:-}" in
build) packages=("${build_packages[@]}") ;;
yards) packages=("${build_packages[@]}" python3) ;;
test) packages=("${build_packages[@]}" "${test_packages[@]}") ;;
vm) packages=("${build_packages[@]}" "${vm_packages[@]}") ;;
*)
	echo "usage: scripts/deps.sh build|test|yards|vm" >&2
	exit 2
	;;
esac

if [ "${LIGER_SKIP_DEPS:-0}" = 1 ]; then
	exit 0
fi
if ! command -v dpkg-query >/dev/null; then
	echo "deps: this is not a Debian system. Liger needs, under Debian's names: ${packages[*]}" >&2
	echo "deps: going on; a compiler error about a missing header names what is not there" >&2
	exit 0
fi

missing=()
for package in "${packages[@]}"; do
	# dpkg-query fails for a package it has never heard of: that is "missing" too.
	status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
	if [ "$status" != installed ]; then
		missing+=("$package")
	fi
done
if [ ${#missing[@]} -eq 0 ]; then
	exit 0
fi

if [ "$(id -u)" != 0 ]; then
	echo "deps: packages are missing. Install them and run this again:" >&2
	echo "    sudo apt-get install ${missing[*]}" >&2
	exit 1
fi
echo "deps: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# A failed update alone is no error: the packages may be in the lists that are there already.
apt-get update >"$log" 2>&1 </dev/null || echo "deps: apt-get update failed; trying with the package lists present" >&2
if ! apt-get install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1 </dev/null; then
	cat "$log" >&2
	echo "deps: apt-get could not install ${missing[*]}; the reason stands above" >&2
	exit 1
fi
