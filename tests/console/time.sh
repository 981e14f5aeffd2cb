#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# info time: the parts add up, and a guest that only waits, or only computes, shows that.
. "$(dirname "$0")/../guests/guestlib.sh"
need
plan 10

# shares FILE@ADDRESS [OPTION...]: run it for a moment; "name share" lines in $TMP/shares, read while it runs.
shares()
{
	timeout 60 "$VITRINE" shell --no-rc -c 'continue &' -c '-wait nothing 0.4' -c 'info time' -c stop --flat "$@" \
		>"$TMP/out" 2>&1 </dev/null
	awk 'NF > 3 && $3 ~ /^[0-9.]+$/ { print $1, $3 }' "$TMP/out" >"$TMP/shares"
}

# share NAME LEAST TITLE: one result: NAME has at least LEAST percent.
share()
{
	awk -v n="$1" -v least="$2" '$1 == n && $2 >= least { ok = 1 } END { exit !ok }' "$TMP/shares"
	ok $? "$3" "$(cat "$TMP/out")"
}

# adds_up TITLE [PARTS]
adds_up()
{
	awk -v parts="${2:-7}" '{ n++; sum += $2 } END { exit !(n == parts && sum > 99.8 && sum < 100.2) }' "$TMP/shares"
	ok $? "$1" "$(cat "$TMP/out")"
}

printf '\364\353\375' >"$TMP/waits" # 1: hlt; jmp 1b (interrupts are off)
shares "$TMP/waits@0x7c00"
share idle 90 "a wait in HLT that has not ended is idle time"
adds_up "the parts add up to the time that it ran"

printf '\100\353\375' >"$TMP/computes" # 1: inc ax; jmp 1b
shares "$TMP/computes@0x7c00"
share code 90 "a loop is translated code"
adds_up "and they add up"

printf '\345\200\353\374' >"$TMP/calls" # 1: in ax, 0x80; jmp 1b
shares "$TMP/calls@0x7c00"
share callouts 10 "a loop of IN is callouts"
adds_up "and they add up"

shares "$TMP/computes@0x7c00" --engine vtx
share non-root 90 "engine vtx: a loop is non-root operation"
adds_up "and they add up" 9
printf '\017\242\353\374' >"$TMP/exits" # 1: cpuid; jmp 1b
shares "$TMP/exits@0x7c00" --engine vtx
share exits 10 "engine vtx: a loop of CPUID is exits"
adds_up "and they add up" 9
