#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The stress guest turns pages from data into tables, code and device memory and back, and
# checks everything against a model of its own: plain, in PAE mode, while adaptation is
# switched on and off every 50 ms, while ways of sensitive instructions change at random, and by
# instruction count in several translation modes. A minute; LONG=1 takes ten minutes for
# each of the first two. STRESS_SEED=N picks another seed (1).
. "$(dirname "$0")/guestlib.sh"
. "$(dirname "$0")/stresslib.sh"
need
seed=${STRESS_SEED:-1} seconds=15
[ -z "$LONG" ] || seconds=600
icounts="100000000 200000000"
plan 14

no_divergence()
{
	[ "$status" -eq 1 ] && grep -q "^stress: no divergence" "$TMP/out"
	ok $? "$1" "$(detail)"
}

hashes()
{
	for n in $icounts; do
		printf -- '-run-icount %s\nstatehash\n' "$n"
	done >"$TMP/script"
	timeout 1000 "$VITRINE" shell --no-rc --serial null --clock icount --append "seed=$seed quiet" "$@" -x "$TMP/script" \
		stress </dev/null 2>"$TMP/err" | grep "at icount" >"$TMP/out"
}

# same NAME OPTION...: one result: the hashes equal those of the first run
same()
{
	name=$1
	shift
	hashes "$@"
	[ "$(grep -c . "$TMP/first")" -eq 2 ] && cmp -s "$TMP/first" "$TMP/out"
	ok $? "$name" "$(cat "$TMP/first" "$TMP/out" "$TMP/err")"
}

if command -v python3 >/dev/null; then
	meddled watch $seconds --append "seed=$seed seconds=$seconds" stress
	no_divergence "no divergence with --verify-tc"
	level "memory stays level"
	meddled toggle $seconds --append "seed=$((seed + 1)) seconds=$seconds" stress
	no_divergence "no divergence with adaptation off and on every 50 ms"
	level "memory stays level then too"
	[ "$(awk '$1 == "answered" { print $2 }' "$TMP/samples")" -ge $((seconds * 2)) ]
	ok $? "it was switched often" "$(tail -2 "$TMP/samples")"
	meddled steer 8 --append "seed=$((seed + 2)) seconds=8" stress
	no_divergence "no divergence with ways chosen at random"
else
	for n in 1 2 3 4 5 6; do
		skip "with changing settings" "no python3"
	done
fi
run_guest 600 --verify-tc --append "seed=$((seed + 3)) seconds=6 pae" stress
no_divergence "no divergence with PAE paging"
run_guest 600 --clock icount --append "seed=$((seed + 4)) rounds=2500" stress
no_divergence "no divergence by instruction count"
hashes
cp "$TMP/out" "$TMP/first"
same "a second run: the same state"
same "unchained: the same state" --no-chain
same "units of one instruction: the same state" --tu-max 1
same "without adaptation: the same state" -c "adapt off"
same "sensitive instructions by trap: the same state" -c "policy all trap"
same "sensitive instructions by callout: the same state" -c "policy all callout"
