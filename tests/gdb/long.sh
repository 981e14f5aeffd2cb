#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# gdb on a guest in IA-32e mode. A session begins in 32-bit code and goes on in 64-bit mode with the same
# layout of registers: all are read and written, one by one and at once, in both.
. "$(dirname "$0")/gdblib.sh"
need_gdb
gdb -nx -batch -ex 'set architecture i386:x86-64' >/dev/null 2>&1 || skip_all "gdb knows no x86-64"
WIDE=$BUILD/guests/demo64/demo64.elf
[ -s "$WIDE" ] || skip_all "no demo64.elf"
plan 28

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
END

# The shell holds the guest stopped: it stays so when a gdb leaves.
rm -f "$SOCK"
mkfifo "$TMP/stdin"
timeout 600 "$VITRINE" shell --no-rc --gdb "unix:$SOCK" --gdb-files --cpu zen2 --serial null --kernel "$WIDE" \
	<"$TMP/stdin" >"$TMP/session" 2>&1 &
guest_pid=$!
exec 9>"$TMP/stdin"
wait_socket "$SOCK"
run_gdb "$WIDE" <<END
target remote $SOCK
info registers rip r8
break *0xffffffff80100039
python
def refused(write):
    try:
        gdb.execute("set \$" + write)
    except gdb.error as e:
        print(write, "is refused:", e)
refused("r8 = 5")
end
set \$rax = 0x1234567890
info registers rax
monitor source $TMP/long
flushregs
info registers rip rsp efer cr3 cr8
print \$r8 = 0x1122334455667788
set \$xmm15.v4_int32[3] = 77
set \$fs_base = 0xffff888000001230
set \$k_gs_base = 0xfffffffffffff000
set \$st0 = 1.5
flushregs
print/x \$r8
print \$xmm15.v4_int32[3]
print/x \$fs_base
print/x \$k_gs_base
print \$st0
print/x \$rip == \$pc
x/i \$pc
x/2xb \$pc
set *(long long *)\$rsp = 0x0102030405060708
x/xg 0x95000
x/xg \$rsp
monitor gva2gpa \$rsp
monitor p/x \$r8
python refused("cr8 = 3")
python refused("rip = 0x800000000000")
set \$rip = 0xffffffff80100040
info registers rip
info breakpoints
detach
END
hides "rejected\|too long\|too short\|Truncated\|warning" "the description fits the file and every mode"
shows "^rip  *0x100038 " "the first instruction"
shows "^Breakpoint 1 at 0xffffffff80100039" "a breakpoint of 64-bit code can be set in 32-bit code"
shows "^rax  *0x34567890 " "rax keeps 32 bits there"
shows "^rip  *0xffffffff80100038 " "in 64-bit mode: rip"
shows "^rsp  *0xffffffff80095000 " "rsp"
shows "^efer  *0xd01 " "EFER"
shows "^cr8  *0x0 " "CR8"
shows "cr8 = 3 is refused: Could not write register" "which cannot be written"
shows "^\$[0-9]* = 0x1122334455667788" "r8 is written"
shows "^\$[0-9]* = 77" "xmm15"
shows "^\$[0-9]* = 0xffff888000001230" "fs_base"
shows "^\$[0-9]* = 0xfffffffffffff000" "k_gs_base"
shows "^\$[0-9]* = 1.5" "st0"
shows "^=> 0xffffffff80100038.*:.*cld" "code at rip"
shows "^0xffffffff80100038.*:.0xfc.0xbc" "memory at rip"
shows "^0x95000:.0x0102030405060708" "memory written there is the same at its other address"
shows "^gpa: 0x00095000" "monitor commands take 64-bit addresses"
shows "^0x1122334455667788" "and see what gdb wrote"
shows "r8 = 5 is refused: Could not write register" "r8 cannot be written in 32-bit code"
shows "rip = 0x800000000000 is refused: Could not write register" "a program counter that is not canonical is refused"
shows "^rip  *0xffffffff80100040 " "another one is not"

# All registers in one packet, and back.
"$RSP" "$SOCK" 'p:?' p:g >"$TMP/g" 2>&1
regs=$(grep -o '[0-9a-f]\{900,\}' "$TMP/g" | head -1)
[ -n "$regs" ]
ok $? "g in 64-bit mode" "$(cut -c1-300 "$TMP/g")"
changed=1111111111111111$(echo "$regs" | cut -c17-)
"$RSP" "$SOCK" 'p:?' "p:G$changed" p:g >"$TMP/out" 2>&1
shows "OK" "G in 64-bit mode"
grep -q "^[^a-z]*$changed\|$changed" "$TMP/out"
ok $? "g has what G wrote" "$(cut -c1-300 "$TMP/out")"

run_gdb <<END
target remote $SOCK
info registers rax
source $TOP_SRCDIR/gdbstub/vitrine.gdb
arch i386
info registers eip
print \$ecx = 0x77
arch i386:x86-64
info registers rcx
END
shows "^rax  *0x1111111111111111 " "a client without a file gets 64-bit registers in that mode"
shows "^eip  *0x80100040 " "arch i386 shows the low halves"
shows "^rcx  *0x77 " "and arch x86-64 all again"
stop_guest
