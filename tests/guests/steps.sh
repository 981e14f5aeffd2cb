#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A program that single-steps and sets breakpoints (steps/steps.c) prints the same on this processor and under
# Debian's kernel in a machine with a model of it.
. "$(dirname "$0")/linuxlib.sh"
need linux-686 busybox
STEPS=${TOP_BUILDDIR:-$TOP_SRCDIR/build}/tests/guests/steps.elf
timeout 60 "$STEPS" >"$TMP/all" 2>"$TMP/err"
[ $? -eq 0 ] || skip_all "this host does not run 32-bit programs"
grep -q '^steps: done' "$TMP/all" && [ "$(wc -l <"$TMP/all")" -gt 90 ] || skip_all "this host does not allow ptrace"
grep -q 'no debug registers' "$TMP/all" && skip_all "this host does not allow debug registers"

# Intel's processors may report data breakpoints in fast string instructions late (SDM vol. 3B 18.2.5); they have
# the flags of before a repeated CMPS or SCAS between two of its iterations (vol. 2, REP); and the second of two
# loads of SS inhibits no trap (vol. 3A, switching stacks). Elsewhere all of this is compared.
defined()
{
	if grep -q AuthenticAMD /proc/cpuinfo; then cat "$1"; else
		sed -E '/^rep_watched/d; /^mov_ss_twice/d; /^rep_(cmps|scas)/s/( flags 1..)..$/\1/' "$1"
	fi
}

plan 2
printf '#!/bin/sh\n/steps.elf\n' >"$TMP/inside.sh"
"$TOP_SRCDIR/guests/mkinitramfs" -f 686 -o "$TMP/initrd" "$CACHE" "$TMP/inside.sh" "$STEPS" || exit 99
run_guest 120 --memory 256M --kernel "$CACHE/linux-686" --initrd "$TMP/initrd" \
	--append "console=ttyS0 panic=-1 quiet run=inside.sh" --no-reboot --verify-tc
said "steps: done" "the program runs to its end"
defined "$TMP/all" >"$TMP/want"
grep -aE ' signal |^steps: done' "$TMP/out" >"$TMP/here"
defined "$TMP/here" | cmp -s - "$TMP/want"
ok $? "the same traps as on this processor" "$(defined "$TMP/here" | diff "$TMP/want" - | head -20)"
