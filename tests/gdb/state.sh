#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What gdb may write: nothing that the processor model cannot hold, and segments by their descriptors.
. "$(dirname "$0")/gdblib.sh"
need_gdb
gdb -nx -batch -ex 'set architecture i386:x86-64' >/dev/null 2>&1 || skip_all "gdb knows no x86-64"
plan 11

# rep movsb; jmp .: with 64-bit registers it would copy the monitor's memory to 0x300000
code "$TMP/copy" f3 a4 eb fe
start_guest --cpu host,-lm --wait-gdb --memory 16M --flat "$TMP/copy@0x100000"
run_gdb <<END
source $TOP_SRCDIR/gdbstub/vitrine.gdb
target remote $SOCK
arch i386:x86-64
info registers efer
python
for write in ("efer = 0x500", "rsi = 0x100200000", "rdi = 0x300000", "rcx = 0x100000004", "r9 = 1", "cr4 = 0x2000",
              "cr0 = 0x80000000"):
    try:
        gdb.execute("set \$" + write)
    except gdb.error as e:
        print(write, "is refused:", e)
end
flushregs
info registers efer rsi rcx r9 cr4
set *(int *)0x200000 = 0x11223344
hbreak *0x100002
continue
x/1xw 0x300000
info registers rsi
monitor set \$efer = 0x400
kill
END
[ "$(grep -c '^efer  *0x0 ' "$TMP/out")" -eq 2 ]
ok $? "EFER.LMA cannot be set" "$(cut -c1-100 "$TMP/out")"
shows "^rsi  *0x200000 " "a register keeps 32 bits, whatever is written"
shows "^r9  *0x0 " "registers of 64-bit mode cannot be written"
shows "^cr4  *0x0 " "nor reserved bits of CR4"
shows "^0x300000:.*0x11223344" "REP MOVSB copies from the guest's own memory"
shows "^rsi  *0x200004 " "as many bytes as ECX says"
shows "EFER has bits that this processor does not offer" "the shell's set is refused for the same reason"
stop_guest

code "$TMP/spin" eb fe
start_guest --wait-gdb --memory 16M --flat "$TMP/spin@0x100000"
run_gdb <<END
target remote $SOCK
set *(long long *)0x2008 = 0x00cf9a000000ffff
set *(long long *)0x2010 = 0x00cf92001000ffff
set *(long long *)0x2018 = 0x000012000000ffff
set \$gdtr_base = 0x2000
set \$gdtr_limit = 0x1f
set \$ds = 0x10
flushregs
info registers ds ds_base
x/1xb 0x2015
set \$es = 0x18
print "after"
flushregs
monitor set \$fs = 0x18
monitor set \$fs = 0x10
monitor print \$fs_base
kill
END
shows "^ds_base  *0x1000 " "a selector written in protected mode loads its descriptor"
shows "^0x2015:.*0x93" "and sets its accessed bit"
shows "the segment is not present" "a segment that is not present is refused"
shows "^0x1000 \|^4096 " "the shell loads segments, too"
stop_guest
