# SPDX-License-Identifier: GPL-3.0-or-later
# For tests that boot guests: finds vitrine and the fetched files, runs with a time limit.
. "${TOP_SRCDIR:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/taplib.sh"
VITRINE=${VITRINE:-$TOP_SRCDIR/build/vitrine}
CACHE=${VITRINE_CACHE:-$TOP_SRCDIR/cache}
TMP=$(scratch) || exit 99
trap 'rm -rf "$TMP"' EXIT

# need FILE...: skip the whole test when one of the fetched files is missing.
need()
{
	[ -x "$VITRINE" ] || skip_all "no vitrine at $VITRINE"
	for f in "$@"; do
		[ -s "$CACHE/$f" ] || skip_all "no $f: guests/fetch could not fetch it (network?)"
	done
}

# clean_err: drop from $TMP/err the line that each start has on a host without userfaultfd.
clean_err()
{
	sed -i '/^vitrine: .*: each page takes an mmap, slower$/d' "$TMP/err"
}

# run_guest SECONDS ARGUMENT...: serial output, without carriage returns, in $TMP/out;
# messages in $TMP/err; the status of `vitrine run` in $status.
run_guest()
{
	limit=$1
	shift
	timeout -k 60 $((limit + 60)) "$VITRINE" run --timeout "$limit" "$@" </dev/null >"$TMP/raw" 2>"$TMP/err"
	status=$?
	clean_err
	tr -d '\r' <"$TMP/raw" >"$TMP/out"
}

# detail: the output to print when a guest failed.
detail()
{
	echo "status $status"
	tail -15 "$TMP/out"
	tail -3 "$TMP/err"
}

# said TEXT NAME: one result: the guest printed TEXT.
said()
{
	grep -qF -- "$1" "$TMP/out"
	ok $? "$2" "$(detail)"
}

# ended STATUS NAME: one result: the run ended with STATUS, and the verifier refused no fragment.
ended()
{
	[ "$status" -eq "$1" ] && ! grep -q 'verifier: ' "$TMP/err"
	ok $? "$2" "$(detail)"
}

# match REGEX NAME: one result: a line of $TMP/out matches.
match()
{
	grep -qE -- "$1" "$TMP/out"
	ok $? "$2" "$(detail)"
}

# shell_script ARGUMENT...: the shell executes the commands on standard input; all that it prints, messages
# last, is in $TMP/out, its status in $status.
shell_script()
{
	cat >"$TMP/script"
	timeout -k 5 400 "$VITRINE" shell --no-rc --timeout 300 "$@" -x "$TMP/script" </dev/null >"$TMP/out" 2>"$TMP/err"
	status=$?
	cat "$TMP/err" >>"$TMP/out"
}
