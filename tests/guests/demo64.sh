#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The 64-bit guest: right under QEMU's interpreter, but for the checks that this does not make; refused in one
# line on a 32-bit processor.
. "$(dirname "$0")/guestlib.sh"
KERNEL=${DEMO64:-$(dirname "$VITRINE")/guests/demo64/demo64.elf}
need
[ -s "$KERNEL" ] || skip_all "no $KERNEL"
plan 5

if command -v qemu-system-x86_64 >/dev/null; then
	timeout 120 qemu-system-x86_64 -accel tcg -cpu max -m 64 -display none -monitor none -serial stdio -no-reboot -nodefaults \
		-device isa-debug-exit,iobase=0xf4 -kernel "$KERNEL" -append "insn trap page user" </dev/null 2>/dev/null |
		tr -d '\r' >"$TMP/out"
	said "demo64: all checks passed" "all checks pass under QEMU"
	[ "$(grep -c PASS "$TMP/out")" -ge 60 ]
	ok $? "60 checks under QEMU" "$(grep FAIL "$TMP/out")"
else
	skip "all checks pass under QEMU" "no qemu-system-x86_64"
	skip "60 checks under QEMU" "no qemu-system-x86_64"
fi

run_guest 60 --cpu pentium4 --kernel "$KERNEL"
said "demo64: this kernel needs a 64-bit processor" "a 32-bit processor is refused in one line"
match "32-bit mode" "the entry is in 32-bit mode"
ended 3 "as one failure"
