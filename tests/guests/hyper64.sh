#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The minimal hypervisor in 64-bit mode (guests/hyper64): what IA-32e mode adds to entries and exits, also with --verify-tc,
# then entries with random state; LONG=1: many more of them.
. "$(dirname "$0")/guestlib.sh"
need
KERNEL=${TOP_BUILDDIR:-$TOP_SRCDIR/build}/guests/hyper64/hyper64.elf
[ -s "$KERNEL" ] || skip_all "no hyper64.elf (make check builds it)"

# hyper CPU WORDS [OPTION...]
hyper()
{
	cpu=$1 words=$2
	shift 2
	run_guest 600 --memory 64M --no-reboot --cpu "$cpu" "$@" --kernel "$KERNEL" --append "$words"
}

# cases CPU NAME LEAST [OPTION...]: all hold, and at least LEAST ran.
cases()
{
	cpu=$1 what=$2 least=$3
	shift 3
	hyper "$cpu" verbose "$@"
	grep FAIL "$TMP/out" >"$TMP/failed"
	[ "$status" -eq 1 ] && [ ! -s "$TMP/failed" ] && [ "$(grep -c '^ok' "$TMP/out")" -ge "$least" ] &&
		! grep -q 'verifier: ' "$TMP/err"
	ok $? "$what: entries and exits in IA-32e mode" "$(cat "$TMP/failed"; detail)"
}

# random CPU NAME
random()
{
	held=0
	for seed in ${SEEDS:-1}; do
		hyper "$1" "fuzz=${ROUNDS:-1500} seed=$seed"
		[ "$status" -eq 1 ] && grep -q 'hyper64: done' "$TMP/out" || held=1
		[ $held -eq 0 ] || break
	done
	ok $held "$2: random state, seed $seed" "$(detail)"
}

plan 10
if [ -n "${LONG:-}" ]; then SEEDS="1 2 3 4 5 6 7 8 9 10" ROUNDS=20000; fi
for extension in vmx:haswell svm:zen2; do
	name=${extension%:*} cpu=${extension#*:},+$name
	cases "$cpu" "$name" 40
	cases "$cpu" "$name, verified" 40 --verify-tc
	cases "$cpu" "$name, units of 1" 40 --tu-max 1
	random "$cpu" "$name"
	hyper "$cpu" time
	[ "$status" -eq 1 ] && [ "$(grep -c '^trip .* [1-9][0-9]*$' "$TMP/out")" -ge 11 ]
	ok $? "$name: round trips are measured" "$(detail)"
done
