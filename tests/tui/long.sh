#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The dashboard on a guest in 64-bit mode: addresses and registers of 16 digits fit 80 columns.
. "$(dirname "$0")/tuilib.sh"
GUEST=${TOP_BUILDDIR:-$TOP_SRCDIR/build}/guests/demo64/demo64.elf
[ -s "$GUEST" ] || skip_all "no demo64.elf"
plan 13

# What loads 64-bit mode: tables at 300000 that map 1 GiB at 0 and at ffffffff80000000.
cat >"$TMP/long" <<'END'
set *(u64)0x300000 = 0x301007
set *(u64)0x300ff8 = 0x302003
set *(u64)0x301000 = 0x87
set *(u64)0x302ff0 = 0x83
set $cr4 = 0x20
set $cr3 = 0x300000
set $efer = 0x901
set $cr0 = 0x80010033
set $cs_attr = 0xa09b
set $rip = 0xffffffff80000000 + $rip
set $rsp = 0xffffffff80095000
set $rbp = $rsp + 0x10
set [$rsp] = 0xffffffff80100040
set $r8 = 0x0123456789abcdef
END

# dump SCREEN SIZE
dump()
{
	"$VITRINE" tui --no-rc --cpu zen2 --serial null -c "source $TMP/long" --dump "$1" --size "$2" --kernel "$GUEST" \
		>"$TMP/out" 2>"$TMP/err"
}

# shows PATTERN NAME
shows()
{
	grep -q -- "$1" "$TMP/out"
	ok $? "$2" "$(cat "$TMP/out" "$TMP/err")"
}

dump machine 80x24
shows "pc ffffffff80100038" "80x24: the program counter in the bar"
shows "▶ ffffffff80100038  cld" "code with its address"
shows "rbp ffffffff80095010" "registers"
shows "rip ffffffff80100038" "the program counter is above r8 to r15"
shows "rsp ffffffff80100040" "the stack"
shows "rbp 0000000000000000" "and where the frame pointer points"
shows 'Memory $rsp at ffffffff........' "memory at rsp; the heading has the high half"
shows "^80095000 40 00 10 80 ff ff ff ff" "eight bytes a line"
[ "$(wc -L <"$TMP/out")" -le 80 ] && [ "$(wc -l <"$TMP/out")" -le 24 ]
ok $? "nothing is wider than the screen" "$(wc "$TMP/out")"
dump spaces 80x24
shows "PML4E" "four levels of the page walk"
shows "ffffffff80000000  ffffffffc0000000" "ranges of the upper half"
dump machine 150x40
shows "rsp ffffffff80095000  r8  0123456789abcdef" "150x40: registers side by side"
shows "ffffffff80095010 rbp +10" "addresses of the stack"
