#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A hypervisor in the guest (guests/hyper): each exit with its information, failed entries, then 4000 rounds of random
# control blocks; LONG=1: for ten minutes. It prints one line for each case that fails. #AC is left out, which
# vitrine never raises (docs/architecture.md).
. "$(dirname "$0")/guestlib.sh"
need
KERNEL=${TOP_BUILDDIR:-$TOP_SRCDIR/build}/guests/hyper/hyper.elf
[ -s "$KERNEL" ] || skip_all "no hyper.elf (make check builds it)"

# hyper SECONDS CPU WORDS [OPTION...]
hyper()
{
	seconds=$1 cpu=$2 words=$3
	shift 3
	run_guest "$seconds" --memory 64M --no-reboot --cpu "$cpu" "$@" --kernel "$KERNEL" --append "$words"
}

have=
for extension in vmx svm; do
	hyper 30 "host,+$extension" only=cpuid
	if [ "$status" -eq 1 ]; then have="$have $extension"; fi
done
[ -n "$have" ] || skip_all "the processor has neither VMX nor SVM"

generations=
case $have in
*vmx*) generations=${LONG:+"nehalem haswell "}early ;;
esac
plan $(($(echo $have | wc -w) * 4 + $(echo $generations | wc -w)))
for extension in $have; do
	hyper 120 "host,+$extension" "verbose -ac"
	grep FAIL "$TMP/out" >"$TMP/failed"
	[ "$status" -eq 1 ] && [ ! -s "$TMP/failed" ]
	ok $? "$extension: each exit, with its information" "$(cat "$TMP/failed"; detail)"
	[ "$(grep -c '^ok' "$TMP/out")" -ge 100 ]
	ok $? "$extension: at least 100 cases" "$(detail)"
	hyper 120 "host,+$extension" "-ac" --verify-tc
	ended 1 "$extension: the same with --verify-tc"
	if [ -n "${LONG:-}" ]; then span=seconds=600; else span="seconds=30 rounds=4000"; fi
	hyper 660 "host,+$extension" "fuzz $span seed=${HYPER_SEED:-1}"
	ended 1 "$extension: random control blocks, $span"
done
for generation in $generations; do
	hyper 120 "host,vmx=$generation" -ac
	ended 1 "vmx: a processor of generation $generation: its exits, reasons and controls"
done
