# claims.sh: what the scripts that test from outside share; sourced by them, after they have set work, a folder of their own,
# and, for gives, liger, the program. `failed` is 1 when a claim did not hold: the script's exit code.
# shellcheck shell=bash disable=SC2034,SC2154

failed=0

# claim TEXT COMMAND...: holds when the command succeeds.
claim() {
	local text=$1
	shift
	if "$@" >"$work/claim" 2>&1 </dev/null; then
		echo "ok - $text"
	else
		sed 's/^/    /' "$work/claim"
		echo "not ok - $text"
		failed=1
	fi
}

# gives TEXT CODE PATTERN ARGUMENT...: liger with these arguments ends with CODE, and what it prints matches PATTERN.
gives() {
	local text=$1 want=$2 pattern=$3 code=0
	shift 3
	timeout 60 "$liger" "$@" >"$work/out" 2>&1 </dev/null || code=$?
	if [ $code = "$want" ] && { [ -z "$pattern" ] || grep -qiE -- "$pattern" "$work/out"; }; then
		echo "ok - $text"
	else
		sed 's/^/    /' "$work/out"
		echo "not ok - $text (exit code $code, not $want, or no '$pattern' above)"
		failed=1
	fi
}
