#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The nanobenchmark guest measures every item, in each translation mode. `make bench-nano` judges
# speed; this test does not.
. "$(dirname "$0")/guestlib.sh"
need
plan 6

items()
{
	awk 'NF == 3 && $2 ~ /^[0-9.]+$/ && $3 >= $2' "$TMP/out" | wc -l
}

# steered COMMAND: every item is measured after this shell command.
steered()
{
	timeout 500 "$VITRINE" shell --no-rc --timeout 400 --serial "file:$TMP/raw" -c "$1" -c continue \
		--append rounds=1 bench-nano </dev/null >"$TMP/err" 2>&1
	status=$?
	tr -d '\r' <"$TMP/raw" >"$TMP/out"
	[ "$(items)" -eq 35 ]
	ok $? "35 items with $1" "$(detail)"
}

run_guest 300 --append rounds=1 bench-nano
[ "$(items)" -eq 35 ]
ok $? "35 items" "$(detail)"
ended 0 "it switches off"
run_guest 300 --verify-tc --append "rounds=3 rdtsc call/ret no-such-item" bench-nano
[ "$(items)" -eq 2 ]
ok $? "named items only" "$(detail)"
steered "policy all trap"
steered "policy all callout"
steered "adapt off"
