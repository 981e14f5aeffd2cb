#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A guest that misbehaves in every way it can (tests/guests/hostile). Vitrine must neither
# crash nor hang, and print one line at most. HOSTILE_SEEDS=N tries more random seeds. The
# name of a failing seed suffices to reproduce the failure.
. "$(dirname "$0")/guestlib.sh"
need
KERNEL=${TOP_BUILDDIR:-$TOP_SRCDIR/build}/tests/guests/hostile.elf
[ -s "$KERNEL" ] || skip_all "no hostile.elf (make check builds it)"
seeds=${HOSTILE_SEEDS:-2}

# hostile SECONDS WORDS [OPTION...]
hostile()
{
	seconds=$1 words=$2
	shift 2
	run_guest "$seconds" --memory 32M --no-reboot "$@" --kernel "$KERNEL" --append "$words"
}

# The guest survives, and its own checks pass.
survives()
{
	hostile 300 "test=$1" $2
	[ "$status" -eq 1 ] && grep -q "hostile: survived" "$TMP/out"
	ok $? "$1 $2" "$(detail)"
}

# The guest ends, with one line that gives the reason.
dies()
{
	hostile 100 "test=$1"
	[ "$status" -eq 126 ] && [ "$(wc -l <"$TMP/err")" -eq 1 ]
	ok $? "$1: status 126 and one line" "$(detail)"
}

# However the guest ends (by its port, power off, a triple fault, the time limit), vitrine
# does not fail: no status 125, no signal, at most one line.
bears()
{
	bad=
	for seed in $(seq 1 "$seeds"); do
		hostile 2 "test=$1 seed=$seed" $2
		if [ "$status" -ge 128 ] && [ $((status % 2)) -eq 0 ]; then bad="$bad $seed:$status"; fi
		case $status in 125 | 137 | 139) bad="$bad $seed:$status" ;; esac
		[ "$(wc -l <"$TMP/err")" -le 1 ] || bad="$bad $seed:lines"
	done
	[ -z "$bad" ]
	ok $? "$1 $2" "seeds and statuses:$bad; $(detail)"
}

# late WORDS: the guest loops with interrupts off. A wait that cannot succeed lets it run for 200 ms and then stops
# it; $ms is the delay of the answer beyond these.
late()
{
	printf '%s\n' 'wait "hostile: looping" 60' 'echo before' '-wait "never said" 0.2' 'echo after' 'info registers' \
		>"$TMP/script"
	timeout -k 5 200 "$VITRINE" shell --no-rc --memory 32M --kernel "$KERNEL" --append "test=$1" -x "$TMP/script" \
		</dev/null 2>"$TMP/err" |
		while read -r line; do echo "$(date +%s%N) $line"; done >"$TMP/out"
	status=$?
	ms=$(awk '$2 == "before" { a = $1 } $2 == "after" { printf "%d", ($1 - a) / 1000000 - 200 }' "$TMP/out")
}

# stops WORDS NAME: on a busy host the scheduler alone sometimes takes longer, so the best of ten counts; a monitor
# that is itself late is late each time.
stops()
{
	for attempt in 1 2 3 4 5 6 7 8 9 10; do
		late "$1"
		[ -z "$ms" ] || [ "$ms" -ge 100 ] || break
	done
	[ -n "$ms" ] && [ "$ms" -lt 100 ] && grep -q " eip " "$TMP/out"
	ok $? "stop within 100 ms: $2" "took ${ms:-for ever} ms in attempt $attempt; $(detail)"
}

plan 57
dies nowhere
dies stack
dies idt-mmio
for t in stack-df ports page-tables own-page smc; do
	survives $t
	survives $t --verify-tc
done
for t in "ports-all" "nowhere-idt" "nowhere-idt paging=1" "mmio" "mmio paging=1" "rep" "rep paging=1" "rep everything=1" \
	"segments" "segments paging=1" "tasks" "tasks paging=1" "control" "control paging=1" "own-tables rounds=300" \
	"page-tables wild=1"; do
	bears "$t"
done
for mode in 0 1 2 3 4 5; do
	bears "insn mode=$mode paging=0 rounds=2000"
	bears "insn mode=$mode paging=1 rounds=2000" --verify-tc
done
# Code that faults when fetched, for ever: millions a second, and memory use must not grow.
hostile 4 "test=insn mode=5 paging=0 rounds=2000 seed=110"
[ "$status" -eq 124 ]
ok $? "page faults of code without end" "$(detail)"
stops cli-loop "jump to itself"
for kind in 0 1 2 3 4 5 6 7 8 9 10 11 12; do
	stops "loop kind=$kind" "loop of kind $kind"
done
# Flushes cost mappings, not translations: 3000 rounds of them, and the code stays what it is.
timeout -k 5 200 "$VITRINE" shell --no-rc --memory 32M --kernel "$KERNEL" --append test=page-tables -c continue -c "info tc" \
	</dev/null >"$TMP/out" 2>"$TMP/err"
made=$(awk '$1 == "translations" { print $2 }' "$TMP/out")
[ -n "$made" ] && [ "$made" -lt 3000 ]
ok $? "code stays translated across flushes" "$made translations; $(detail)"
