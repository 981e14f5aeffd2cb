#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# gdb in a boot sector: code is disassembled as 16-bit, and breakpoints agree with pc.
. "$(dirname "$0")/gdblib.sh"
need_gdb
IMAGE=$BUILD/tests/guests/bootsector.bin
bios=
for f in "$CACHE/bios-256k.bin" /usr/share/seabios/bios-256k.bin /usr/share/seabios/bios.bin; do
	[ -n "$bios" ] || [ ! -s "$f" ] || bios=$f
done
[ -n "$bios" ] && [ -d /usr/share/seabios ] || skip_all "no SeaBIOS (package seabios, or guests/fetch)"
[ -s "$IMAGE" ] || skip_all "no bootsector.bin (make check builds it)"
plan 7

start_guest --wait-gdb --serial null --memory 32M --bios "$bios" --boot-sector "$IMAGE"
run_gdb <<END
source $TOP_SRCDIR/gdbstub/vitrine.gdb
target remote $SOCK
arch i8086
x/i \$pc
break *0x7c00
continue
x/4i \$pc
stepi
info registers eip ip cs
stepi
x/2i \$pc
arch i386
info registers eip
arch i8086
x/i \$pc
kill
END
shows "=> 0xfffffff0:.*ljmp.*0xf000,.0xe05b" "the reset vector"
shows "=> 0x7c00:.*ljmp.*0x0\?,\?" "the first instruction of the boot sector"
shows "^eip  *0x7c05" "the program counter is linear"
shows "0x7c05:.*xor.*%ax,%ax" "16-bit operands"
shows "=> 0x7c07:.*mov.*%ax,%ds" "a step"
hides "Truncated register\|packet reply is too long\|rejected" "gdb accepts the new description"
guest_status
ok $? "kill powers the guest off" "status $status"
