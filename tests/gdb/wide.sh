#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# gdb with a 64-bit ELF file loaded: the 32-bit description is refused in gdb's own clear words and
# the guest does not suffer; with `arch i386:x86-64` set before, the 64-bit description serves.
. "$(dirname "$0")/gdblib.sh"
need_gdb
# any 64-bit program of ours will do
WIDE=$VITRINE
gdb -nx -batch -ex 'set architecture i386:x86-64' >/dev/null 2>&1 || skip_all "gdb knows no x86-64"
plan 12

start_guest --wait-gdb --serial null --append loop demo
run_gdb "$WIDE" <<END
target remote $SOCK
info registers rip
END
shows "Architecture rejected target-supplied description" "a 64-bit file against the 32-bit description: gdb says so"
shows "Remote 'g' packet reply is too long" "and why it does not go on"
run_gdb "$ELF" <<END
target remote $SOCK
info registers eip
kill
END
shows "^eip .*0x" "the guest goes on, and the next gdb is served"
guest_status
ok $? "and can end it" "status $status"

mkfifo "$TMP/stdin"
timeout 600 "$VITRINE" shell --no-rc --serial null --gdb "unix:$SOCK" demo <"$TMP/stdin" >"$TMP/session" 2>&1 &
guest_pid=$!
exec 9>"$TMP/stdin"
echo "arch i386:x86-64" >&9
echo "print 40 + 2" >&9
until_true grep -q "^42 " "$TMP/session" # then the command before it was executed
run_gdb "$WIDE" <<END
source $TOP_SRCDIR/gdbstub/vitrine.gdb
target remote $SOCK
info registers rip rax cr3 efer fs_base
x/i \$pc
stepi
stepi
info registers rip
print \$ymm0.v8_int32[7]
print \$rsp = 0x1234567890
print/x \$rsp
print \$rip = 0xffffffff81000000
x/i \$pc
END
hides "rejected\|too long\|too short\|Truncated\|warning" "a 64-bit file against the 64-bit description: no complaint"
shows "^rip  *0x10000c " "rip"
shows "^rax  *0x2badb002 " "rax"
shows "^efer  *0x0 " "efer"
shows "^=> 0x10000c.*:.*cld" "code"
shows "^rip  *0x10000f " "steps"
shows "^\$3 = 0x34567890" "a register of a 32-bit guest keeps 32 bits"
shows "^=> 0x81000000:" "the program counter too"
stop_guest
