#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A guest that executes random instructions in 64-bit mode (tests/guests/hostile64). In ring 3 its kernel survives; in
# ring 0 it may end as it likes, and vitrine neither crashes, nor hangs, nor prints more than a line. HOSTILE_SEEDS=N
# tries more seeds.
. "$(dirname "$0")/guestlib.sh"
need
KERNEL=${HOSTILE64:-${TOP_BUILDDIR:-$TOP_SRCDIR/build}/tests/guests/hostile64.elf}
[ -s "$KERNEL" ] || skip_all "no hostile64.elf (make check builds it)"
seeds=${HOSTILE_SEEDS:-2}
first=${HOSTILE_FIRST:-1}

# survives WORDS [OPTION...]: for each seed.
survives()
{
	words=$1 bad=
	shift
	for seed in $(seq "$first" $((first + seeds - 1))); do
		run_guest 60 --memory 64M --no-reboot "$@" --kernel "$KERNEL" --append "seed=$seed $words"
		if [ "$status" -ne 1 ] || ! grep -q "hostile64: survived" "$TMP/out" || [ -s "$TMP/err" ]; then bad="$bad $seed:$status"; fi
	done
	[ -z "$bad" ]
	ok $? "$words $*" "seeds and statuses:$bad; $(detail)"
}

# bears WORDS [OPTION...]: no status 125, no signal, at most one line.
bears()
{
	words=$1 bad=
	shift
	for seed in $(seq "$first" $((first + seeds - 1))); do
		run_guest 2 --memory 64M --no-reboot "$@" --kernel "$KERNEL" --append "seed=$seed $words"
		if [ "$status" -ge 128 ] && [ $((status % 2)) -eq 0 ]; then bad="$bad $seed:$status"; fi
		case $status in 125 | 137 | 139) bad="$bad $seed:$status" ;; esac
		[ "$(wc -l <"$TMP/err")" -le 1 ] || bad="$bad $seed:lines"
	done
	[ -z "$bad" ]
	ok $? "$words $*" "seeds and statuses:$bad; $(detail)"
}

plan 8
survives "ring3"
survives "ring3" --cpu zen2 --verify-tc
survives "ring3" --tu-max 1
survives "compat" --cpu haswell
bears "ring0"
bears "ring0" --cpu zen2
bears "ring0" --cpu haswell --verify-tc
bears "ring0" --cpu athlon64 --clock icount
