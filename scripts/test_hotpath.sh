#!/bin/bash
# Shows that a local transaction's path makes no system call, no allocation and no division by a number of run time.
#
# HOTPATH names the program (default build/tests/pod/hotpath_test). It steps through some transactions and judges every
# instruction; here it is also run at full speed, some hundred thousand transactions over many epochs, under strace.
# Where a tool is missing the claim is not made: "# skipped" counts as nothing.
set -uo pipefail

program=${HOTPATH:-build/tests/pod/hotpath_test}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

claim() {
	local text=$1
	shift
	if "$@"; then
		echo "ok - $text"
	else
		sed 's/^/    /' "$work/out"
		echo "not ok - $text"
		failed=1
	fi
}

# Cmocka's own lines ("[  PASSED  ] ...") must not be counted beside the claims made here.
timeout 120 "$program" >"$work/out" 2>&1 </dev/null
code=$?
grep -E 'instructions in' "$work/out" | sed 's/^/# /'
if grep -q 'skipped: the system forbids' "$work/out"; then
	echo "# skipped: the system forbids ptrace(), so no instruction was seen"
else
	claim "no instruction of a local transaction calls the system, allocates, or divides" [ $code = 0 ]
fi

timeout 120 "$program" loop >"$work/out" 2>&1 </dev/null
claim "local transactions at full speed allocate nothing" grep -qE '^0 bytes allocated in [1-9][0-9]* transactions' "$work/out"
sed 's/^/# /' "$work/out"

if ! command -v strace >/dev/null; then
	echo "# skipped: no strace, so system calls at full speed were not looked for"
elif ! strace -o /dev/null true 2>/dev/null; then
	echo "# skipped: strace may not trace here"
else
	# Without -f it sees the thread that runs the transactions alone.
	timeout 120 strace -o "$work/calls" "$program" loop >"$work/out" 2>&1 </dev/null
	claim "strace sees both marks" [ "$(grep -c '"mark"' "$work/calls")" = 2 ]
	sed -n '/"mark"/,/"mark"/p' "$work/calls" | grep -v '"mark"' >"$work/out"
	claim "and no system call between them" [ ! -s "$work/out" ]
fi
exit $failed
