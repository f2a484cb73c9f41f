#!/bin/bash
# Tests of lint.py: each rule finds its bad snippet, names its line, and leaves the good one alone.
set -euo pipefail

lint=$(dirname "$0")/lint.py
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# put FILE: a file of the little tree that is linted, from standard input.
put() {
	mkdir -p "$work/tree/$(dirname "$1")"
	cat >"$work/tree/$1"
}

# clean TEXT, finds TEXT PATTERN: what lint says of the tree; the tree is emptied.
clean() {
	if python3 "$lint" "$work/tree" >"$work/out" 2>&1; then
		echo "ok - $1"
	else
		sed 's/^/    /' "$work/out"
		echo "not ok - $1"
		failed=1
	fi
	rm -rf "$work/tree"
}

finds() {
	local code=0
	python3 "$lint" "$work/tree" >"$work/out" 2>&1 || code=$?
	if [ $code = 1 ] && grep -qE -- "$2" "$work/out" && grep -q ' 1 findings$' "$work/out"; then
		echo "ok - $1"
	else
		sed 's/^/    /' "$work/out"
		echo "not ok - $1 (exit code $code)"
		failed=1
	fi
	rm -rf "$work/tree"
}

# A function of so many lines, all told.
function_of() {
	echo "int long_one(void)"
	echo "{"
	seq -f '	step(%g);' 1 $(($1 - 3))
	echo "}"
}

echo '/* [ring.publish] Release; pairs with ring_poll(). */' | put src/cxl/ring.c
finds "an edge named at one end only is found" '^src/cxl/ring.c:1: edge \[ring.publish\]'

echo '/* [ring.publish] Release; pairs with ring_poll(). */' | put src/cxl/ring.c
echo '/* [ring.publish] Acquire. */' | put src/engine/poll.c
clean "an edge named at both ends is accepted"

echo 'int x = table[a.b];' | put src/cxl/ring.c
clean "an index in code is no edge"

printf 'void f(void)\n{\n\tasm("clwb %%0" : "+m"(*p));\n}\n' | put src/txn/commit.c
finds "an instruction in an asm string outside src/cxl is found" '^src/txn/commit.c:3: clwb'

echo 'void f(void) { _mm_pause(); }' | put src/engine/spin.c
finds "an intrinsic outside src/cxl is found" '^src/engine/spin.c:1: _mm_'

echo 'int f(void) { return shm_open(n, 0, 0); }' | put src/server/region.c
finds "shm_open outside src/cxl is found" '^src/server/region.c:1: shm_open'

echo 'void *f(void) { return mmap(0, n, p, f, -1, 0); } /* lint: private memory */' | put src/engine/heap.c
printf 'int f(void)\n{\n\t/* lint: private memory */\n\tp = mmap(0, n, p, f, -1, 0);\n}\n' | put src/engine/pool.c
echo 'void f(void) { _mm_clwb(p); mmap(0, n, p, f, 3, 0); }' | put src/cxl/line.c
echo 'void f(void) { _mm_sfence(); mmap(0, n, p, f, 3, 0); }' | put src/emulation/delay.c
echo '/* The line was written back by clwb, then sfence. */' | put src/txn/seal.c
clean "private memory that is marked, src/cxl and src/emulation themselves, and comments are accepted"

echo '#include "engine/btree.h"' | put src/cxl/word.c
finds "cxl including engine is found" '^src/cxl/word.c:1: .*may include only cxl, emulation$'

echo '#include "cxl/port.h"' | put src/emulation/delay.c
finds "emulation including cxl is found" '^src/emulation/delay.c:1: .*may include only emulation$'

echo '#include "emulation/model.h"' | put src/engine/host.c
finds "engine including emulation is found" '^src/engine/host.c:1: .*may include only cxl, engine$'

echo '#include "../txn/txn.h"' | put src/engine/row.c
finds "a relative include up the layers is found" '^src/engine/row.c:1: '

echo '#include "sim/fiber.h"' | put src/server/serve.c
finds "an include of sim/ is found" '^src/server/serve.c:1: .*outside src/'

echo 'int x;' | put src/misc/x.c
finds "a folder without a place among the layers is found" '^src/misc/x.c:1: '

printf '#include "commit.h"\n#include "engine/btree.h"\n#include "cxl/word.h"\n#include <liger.h>\n' | put src/txn/commit.c
echo '#include "engine/btree.h"' | put src/recovery/redo.c
echo '#include "emulation/model.h"' | put src/cxl/port.h
clean "includes down the layers are accepted"

# The mark is put together here, so that this file has none.
echo "/* TO""DO: later */" | put src/cxl/word.c
finds "a mark of unfinished work is found" '^src/cxl/word.c:1: '

echo 'char name[] = "/tmp/regionXXXXXX";' | put src/cxl/word.c
clean "the template of mkstemp is no mark"

seq -f 'int x%g;' 1 801 | put src/cxl/word.c
finds "a file of 801 lines is found" '^src/cxl/word.c:801: 801 lines'

seq -f 'int x%g;' 1 800 | put src/cxl/word.c
clean "a file of 800 lines is accepted"

{ echo '#include <a.h>'; echo; function_of 71; } | put src/cxl/word.c
finds "a function of 71 lines is found, at its first line" '^src/cxl/word.c:3: a function of 71 lines'

function_of 70 | put src/cxl/word.c
clean "a function of 70 lines is accepted"

{ echo '/* long: one case a message. */'; function_of 90; } | put src/cxl/word.c
clean "a longer function with its reason above is accepted"

{ echo '/* long: one case a message. */'; echo 'int x;'; function_of 90; } | put src/cxl/word.c
finds "a reason that stands above something else does not count" 'a function of 90 lines'

printf 'struct pod_header {\n\tint x;\n};\n' | put src/cxl/layout.h
finds "a struct of layout.h without its size asserted is found" '^src/cxl/layout.h:1: struct pod_header'

printf 'struct pod_header {\n\tint x;\n};\nstatic_assert(sizeof(struct pod_header) == 4, "one");\n' | put src/cxl/layout.h
printf 'struct other {\n\tint x;\n};\n' | put src/cxl/word.h
clean "asserted structs, and structs of other files, are accepted"

mkdir -p "$work/tree"
code=0
python3 "$lint" "$work/tree" >"$work/out" 2>&1 || code=$?
if [ $code = 1 ] && grep -q 'no C file' "$work/out"; then
	echo "ok - a tree without sources is an error, not a success"
else
	echo "not ok - a tree without sources is an error, not a success"
	failed=1
fi

exit $failed
