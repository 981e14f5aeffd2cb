#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The nanobenchmark guest of 64-bit mode measures every item, in each translation mode. `bench/nano --64` judges speed;
# this test does not.
. "$(dirname "$0")/guestlib.sh"
need
plan 7

items()
{
	awk 'NF == 3 && $2 ~ /^[0-9.]+$/ && $3 >= $2' "$TMP/out" | wc -l
}

# steered COMMAND: every item is measured after this shell command.
steered()
{
	timeout 500 "$VITRINE" shell --no-rc --timeout 400 --cpu max,+lm --serial "file:$TMP/raw" -c "$1" -c continue \
		--append rounds=1 bench-nano64 </dev/null >"$TMP/err" 2>&1
	status=$?
	tr -d '\r' <"$TMP/raw" >"$TMP/out"
	[ "$(items)" -eq 50 ]
	ok $? "50 items with $1" "$(detail)"
}

run_guest 300 --cpu max,+lm --append rounds=1 bench-nano64
[ "$(items)" -eq 50 ]
ok $? "50 items" "$(detail)"
ended 0 "it switches off"
run_guest 300 --cpu athlon64 --append rounds=1 bench-nano64
[ "$(items)" -eq 46 ]
ok $? "46 items on a processor without PCID, FSGSBASE and SMAP" "$(detail)"
run_guest 300 --cpu max,+lm --verify-tc --append "rounds=3 syscall cr3-pcid no-such-item" bench-nano64
[ "$(items)" -eq 2 ]
ok $? "named items only" "$(detail)"
steered "policy all trap"
steered "policy all callout"
steered "adapt off"
