#!/bin/bash
# Fetches a kernel for the guests of vmpod.sh: Debian's newest linux-image package, unpacked and not installed.
#
#     scripts/vm/kernel.sh FOLDER
#
# Leaves in FOLDER (about 50 MiB)
#
#     vmlinux         the kernel, uncompressed if it can be: an emulated CPU takes long to unpack it
#     release         its release, as `uname -r` tells it
#     modules/*.ko    the drivers of dax devices, and pod, node: in which order a guest loads them
#
# and does nothing if they are there. To have a newer kernel, remove the folder. The packages that this needs are those of
# `scripts/deps.sh vm`, and the package lists of apt must be there (`apt-get update`).
set -euo pipefail

if [ $# != 1 ]; then
	echo "usage: scripts/vm/kernel.sh FOLDER" >&2
	exit 2
fi
if [ -e "$1/release" ]; then
	exit 0
fi

fail() {
	echo "kernel.sh: $1" >&2
	exit 1
}

for tool in apt-get apt-cache dpkg-deb; do
	command -v $tool >/dev/null || fail "no $tool here: the kernel of the guests comes from a Debian package"
done
# Only root finds these without being told where they are.
PATH=$PATH:/usr/sbin:/sbin
for tool in depmod modprobe; do
	command -v $tool >/dev/null || fail "no $tool: install the package kmod (scripts/deps.sh vm does)"
done

mkdir -p "$1"
folder=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# apt downloads as a user of its own, if that one may write here.
chmod 755 "$work"
cd "$work"

# The package that is always the newest depends on the one of a certain release.
package=$(apt-cache depends linux-image-amd64 2>"$work/log" | awk '/Depends: linux-image-/ && !seen++ { print $2 }')
[ -n "$package" ] || fail "apt does not know the package linux-image-amd64; run apt-get update first. $(cat "$work/log")"
echo "kernel.sh: downloading and unpacking $package"
apt-get download "$package" >"$work/log" 2>&1 </dev/null || fail "apt-get download $package failed: $(cat "$work/log")"
dpkg-deb -x "$package"_*.deb root
release=$(basename root/lib/modules/*)
depmod -b root "$release"

# list_modules FILE MODULE...: copies the modules and what they need, and writes down the order.
list_modules() {
	local list=$1 module path name
	shift
	for module in "$@"; do
		modprobe -d root -S "$release" --show-depends "$module" >>"$work/insmods" ||
			fail "$package has no module $module, which drives dax devices"
	done
	# "insmod PATH", or "builtin NAME" for what the kernel has in itself.
	awk '$1 == "insmod" && !seen[$2]++ { print $2 }' "$work/insmods" >"$work/paths"
	mkdir -p "$work/out/modules"
	while read -r path; do
		name=$(basename "$path")
		case $name in
		*.ko.xz) name=${name%.xz} && xz -dc "$path" >"$work/out/modules/$name" ;;
		*.ko) cp "$path" "$work/out/modules/$name" ;;
		*) fail "the module $path is packed in a way that this script does not know" ;;
		esac
		echo "$name"
	done <"$work/paths" >"$work/out/modules/$list"
}
list_modules pod dax_hmem device_dax
list_modules node dax_hmem device_dax kmem

# A bzImage says where its packed kernel lies (offsets 0x1f1, 0x248, 0x24c of its header, Documentation/arch/x86/boot.rst).
# Without the tool that it is packed with it is booted as it is, which is slower.
python3 - "root/boot/vmlinuz-$release" "$work/payload" <<'PY'
import struct, sys
image = open(sys.argv[1], "rb").read()
assert image[0x202:0x206] == b"HdrS", "no bzImage"
begin = (image[0x1f1] + 1) * 512 + struct.unpack_from("<I", image, 0x248)[0]
length = struct.unpack_from("<I", image, 0x24c)[0]
# The last four bytes are the size of what was packed.
open(sys.argv[2], "wb").write(image[begin:begin + length - 4])
PY
case $(head -c 4 payload | od -An -tx1 | tr -d ' \n') in
fd377a58) unpack=(xz -dc) ;;
28b52ffd) unpack=(zstd -dcq) ;;
1f8b*) unpack=(gzip -dc) ;;
*) unpack=(false) ;;
esac
if ! "${unpack[@]}" <payload >out/vmlinux 2>/dev/null || [ "$(head -c 4 out/vmlinux | tail -c 3)" != ELF ]; then
	cp "root/boot/vmlinuz-$release" out/vmlinux
fi

cp -r out/. "$folder/"
# Last: it says that the rest is complete.
echo "$release" >"$folder/release"
