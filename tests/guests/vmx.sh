#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A hypervisor of a few lines (tests/guests/vmx) on a processor with VMX: what each exit says of its instruction or
# event, injection, and the round trip. Without VMX the instructions are #UD.
. "$(dirname "$0")/guestlib.sh"
need
GUEST=${TOP_BUILDDIR:-$TOP_SRCDIR/build}/tests/guests/vmx.elf
[ -s "$GUEST" ] || skip_all "no vmx.elf (make check builds it)"

vmx()
{
	run_guest 60 --no-reboot --memory 16M "$@" --kernel "$GUEST"
}

plan 6
vmx --cpu pentium4
said "no VMX" "a processor without VMX does not offer it"

# Columns: instruction or event; reason, qualification, length, event, vectoring.
cat >"$TMP/want" <<END
vmxon ok
vmclear ok
vmptrld ok
cpuid a 0 2 0 0
vmcall 12 0 3 0 0
hlt c 0 1 0 0
in 1e 600048 2 0 0
out 1e 800003 1 0 0
rdmsr 1f 0 2 0 0
wrmsr 20 0 2 0 0
to_cr0 1c 0 3 0 0
to_cr3 1c 303 3 0 0
from_cr3 1c 613 3 0 0
to_cr4 1c 4 3 0 0
clts 1c 20 2 0 0
ud 0 0 0 80000306 0
int3 0 0 1 80000603 0
invlpg e 1234 7 0 0
mov_dr 1d 7 3 0 0
vmread 17 8 4 0 0
rdtsc 10 0 2 0 0
pf 0 fffffff4 0 80000b0e 0
read_cr0 12 0 3 0 0
window 7 0 0 0 0
soft a 0 2 0 0
task 9 80000020 7 0 0
triple 2 0 0 0 0
injected 12 0 3 0 0
inject-fault 2 0 0 0 0
vmx: done
END
for how in "" --verify-tc; do
	vmx --cpu pentium4,vmx=haswell $how
	ended 1 "the guest ends $how"
	grep -v cycles "$TMP/out" | diff "$TMP/want" - >"$TMP/diff"
	ok $? "each exit as the manual has it $how" "$(cat "$TMP/diff")"
done
vmx --cpu pentium4,vmx=haswell --clock icount
said "vmx: done" "with VM time by instructions"
