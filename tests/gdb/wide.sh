#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# gdb with a 64-bit ELF file loaded: gdb refuses the 32-bit description with clear messages, and
# the guest is not disturbed; after `arch i386:x86-64` gdb accepts the 64-bit description.
. "$(dirname "$0")/gdblib.sh"
need_gdb
# any 64-bit program
WIDE=$VITRINE
gdb -nx -batch -ex 'set architecture i386:x86-64' >/dev/null 2>&1 || skip_all "gdb knows no x86-64"
plan 12

start_guest --wait-gdb --serial null --append loop demo
run_gdb "$WIDE" <<END
target remote $SOCK
info registers rip
END
shows "Architecture rejected target-supplied description" "gdb rejects the 32-bit description for a 64-bit file"
shows "Remote 'g' packet reply is too long" "and does not attach"
run_gdb "$ELF" <<END
target remote $SOCK
info registers eip
kill
END
shows "^eip .*0x" "the guest resumes, and the next gdb can attach"
guest_status
ok $? "and kill the guest" "status $status"

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
hides "rejected\|too long\|too short\|Truncated\|warning" "gdb accepts the 64-bit description for a 64-bit file"
shows "^rip  *0x10000c " "rip"
shows "^rax  *0x2badb002 " "rax"
shows "^efer  *0x0 " "efer"
shows "^=> 0x10000c.*:.*cld" "code"
shows "^rip  *0x10000f " "steps"
shows "^\$3 = 0x34567890" "a register of a 32-bit guest keeps 32 bits"
shows "^=> 0x81000000:" "the program counter too"
stop_guest
