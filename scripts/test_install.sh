#!/bin/bash
# Tests of what `make install` leaves, and of what README.md promises to a program that embeds Liger. Run by
# `make check-install`, which sets O (the build's directory) and MAKE.
set -uo pipefail

O=${O:-build}
MAKE=${MAKE:-make}
work=$(mktemp -d)
name=liger-readme-$$
trap 'rm -rf "$work" "/dev/shm/$name"' EXIT
# shellcheck source=scripts/claims.sh
. "$(dirname "$0")/claims.sh"

prefix=$work/prefix
claim "make install succeeds" "$MAKE" --no-print-directory install PREFIX="$prefix"
claim "with DESTDIR it installs below it" "$MAKE" --no-print-directory install DESTDIR="$work/image" PREFIX=/usr
for file in bin/liger include/liger.h lib/libliger.a lib/libliger.so lib/libliger.so.0 lib/pkgconfig/liger.pc \
	include/ligersim.h lib/libligersim.a lib/libligersim.so lib/libligersim.so.0 lib/pkgconfig/ligersim.pc; do
	claim "$file is there" test -s "$prefix/$file" -a -s "$work/image/usr/$file"
done
claim "a package's liger.pc does not name the folder it was packed in" bash -c "! grep -q '$work' '$work/image/usr/lib/pkgconfig/liger.pc'"

# ---- What the libraries show ----
exported() {
	nm "$@" --defined-only --format=posix | awk 'NF >= 2 && $2 ~ /^[A-Z]$/ && $2 != "A" { sub(/@.*/, "", $1); print $1 }' |
		sort -u
}
declared() {
	gcc -E -P -x c include/liger.h | grep -oE '\blg_[a-z_]+\(' | tr -d '(' | grep -vx lg_slice | sort -u
}
exported -D "$prefix/lib/libliger.so" >"$work/shared"
exported "$prefix/lib/libliger.a" >"$work/static"
declared >"$work/declared"
claim "liger.h declares functions" test -s "$work/declared"
claim "libliger.so shows the functions of liger.h and nothing else" diff "$work/declared" "$work/shared"
claim "libliger.a shows the functions of liger.h and nothing else" diff "$work/declared" "$work/static"
claim "the name in libliger.so is libliger.so.0" bash -c "readelf -d '$prefix/lib/libliger.so' | grep -q 'SONAME.*\[libliger.so.0\]'"

gcc -E -P -x c include/ligersim.h | grep -oE '\blgs_[a-z0-9_]+\(' | tr -d '(' | sort -u >"$work/sim-declared"
exported -D "$prefix/lib/libligersim.so" >"$work/sim-shared"
exported "$prefix/lib/libligersim.a" >"$work/sim-static"
claim "ligersim.h declares functions" test -s "$work/sim-declared"
claim "libligersim.so shows the functions of ligersim.h and nothing else" diff "$work/sim-declared" "$work/sim-shared"
claim "libligersim.a shows the functions of ligersim.h and nothing else" diff "$work/sim-declared" "$work/sim-static"

# ---- The header alone ----
echo '#include <liger.h>' >"$work/header.c"
cp "$work/header.c" "$work/header.cc"
strict=(-Wall -Wextra -Wconversion -pedantic -Werror -fsyntax-only "-I$prefix/include")
claim "liger.h compiles as C11 with gcc" gcc -std=c11 -Wshadow -Wstrict-prototypes "${strict[@]}" "$work/header.c"
claim "liger.h compiles as C11 with clang" clang -std=c11 -Wshadow -Wstrict-prototypes "${strict[@]}" "$work/header.c"
claim "liger.h compiles as C++11 with g++" g++ -std=c++11 "${strict[@]}" "$work/header.cc"
claim "liger.h compiles as C++11 with clang++" clang++ -std=c++11 "${strict[@]}" "$work/header.cc"

# ---- The example of README.md, as a program of its own ----
# A region name of this run takes the place of the example's, so that runs at the same time do not meet.
awk '/^```c$/ { on = 1; next } /^```/ { if (on) exit } on' README.md | sed "s/shm:hello/shm:$name/g" >"$work/example.c"
claim "README.md has an example in C that uses a region of its own" grep -q "shm:$name" "$work/example.c"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
build_shared() {
	# shellcheck disable=SC2046 # pkg-config prints words
	"$1" -std=c11 -Wall -Wextra -Werror -o "$work/shared-$1" "$work/example.c" $(pkg-config --cflags --libs liger) \
		-Wl,-rpath,"$prefix/lib"
}
# The archive alone, by name: -lliger would find the shared library first.
build_static() {
	local libs
	libs=$(pkg-config --static --libs liger | sed 's/-lliger\b/-l:libliger.a/')
	# shellcheck disable=SC2046,SC2086
	"$1" -std=c11 -Wall -Wextra -Werror -o "$work/static-$1" "$work/example.c" $(pkg-config --cflags liger) $libs
}
expected=$(sed -n 's/.*It prints `\([^`]*\)`.*/\1/p' README.md)
claim "README.md says what its example prints" test -n "$expected"
for cc in gcc clang; do
	for kind in shared static; do
		claim "the example builds with $cc and the $kind library" build_$kind $cc
		output=$(timeout 60 "$work/$kind-$cc" 2>&1 </dev/null)
		claim "and prints what README.md says" test "$output" = "$expected"
		claim "and leaves no region behind" test ! -e "/dev/shm/$name"
	done
done

# ---- The example of libligersim ----
sed 's/liger\.h/ligersim.h/' "$work/header.c" >"$work/sim-header.c"
cp "$work/sim-header.c" "$work/sim-header.cc"
build_queue_shared() {
	# shellcheck disable=SC2046
	"$1" -std=gnu11 -Wall -Wextra -Werror -o "$work/queue-shared-$1" examples/queue.c -pthread \
		$(pkg-config --cflags --libs ligersim) -Wl,-rpath,"$prefix/lib"
}
build_queue_static() {
	local libs
	libs=$(pkg-config --static --libs ligersim | sed 's/-lligersim\b/-l:libligersim.a/')
	# shellcheck disable=SC2046,SC2086
	"$1" -std=gnu11 -Wall -Wextra -Werror -o "$work/queue-static-$1" examples/queue.c $(pkg-config --cflags ligersim) $libs
}
for cc in gcc clang; do
	for kind in shared static; do
		claim "examples/queue.c builds with $cc and the $kind library" build_queue_$kind $cc
		claim "and its messages come whole" timeout 60 "$work/queue-$kind-$cc" --emulate incoherent:1 --messages 1000
	done
	claim "ligersim.h compiles as C11 with $cc" $cc -std=c11 "${strict[@]}" "$work/sim-header.c"
done
claim "ligersim.h compiles as C++11 with g++" g++ -std=c++11 "${strict[@]}" "$work/sim-header.cc"

exit $failed
