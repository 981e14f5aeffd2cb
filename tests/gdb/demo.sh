#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# gdb on the embedded guest: the commands that a kernel developer uses.
. "$(dirname "$0")/gdblib.sh"
need_gdb
plan 32

start_guest --wait-gdb demo
run_gdb "$ELF" <<END
target remote $SOCK
break kernel_main
break space_new
info registers
continue
backtrace
next
next
step
continue
finish
x/3i \$pc
info break
monitor info break
monitor info ccf limit=3
shell sleep 1
monitor info gdb
monitor no-such-command
print/x \$cr0
print \$cr0 = \$cr0 | 2
print \$xmm0.v4_int32
print \$st0
set var \$xmm1.v4_int32[2] = 77
print \$xmm1.v4_int32[2]
info threads
x/4xb 0xc0101ce0
set var failed = 5
print failed
set var failed = 0
maint packet qqemu.PhyMemMode
stepi 1000
source $TOP_SRCDIR/gdbstub/vitrine.gdb
arch
walk 0xc0100000
detach
END
shows "Breakpoint 1, kernel_main (magic=732803074" "break at a symbol, with arguments"
shows "#1 .* in high () at guests/demo/boot.S" "backtrace"
shows "console_color(" "next"
shows "^print (fmt=" "step goes into a function"
shows "Breakpoint 2, space_new" "the second breakpoint"
shows "Value returned is" "finish"
shows "=> 0x.*mov.*%eax,%ebx" "x/i at pc"
shows "break  yes.*kernel_main.*gdb" "the session's table has gdb's breakpoints"
shows "^guest pc" "monitor info ccf"
shows "Listening at  unix:" "monitor info gdb"
hides "^breakpoint [0-9]* at" "without output meant for the shell"
shows "no command 'no-such-command'" "monitor shows errors"
shows "= 0x80010021\|= 0x80010023\|= 0x8001" "a system register is read"
shows "^cr3  *0x0" "info registers has system registers"
hides "Invalid cast" "a system register is set"
shows "= 77" "a vector register is set"
shows "Thread 1.1" "threads"
shows "^0xc0101ce0.*:" "memory"
shows "= 5$" "a variable is set"
shows "i8086" "arch lists architectures"
shows "is not mapped\|->" "a page walk by macro"
shows "detached" "detach"
guest_status
[ $status -eq 1 ] && grep -q "all checks passed" "$TMP/guest"
ok $? "the guest resumed and passes its checks" "status $status: $(tail -3 "$TMP/guest")"

start_guest --wait-gdb demo
run_gdb "$ELF" <<END
target remote $SOCK
break space_new
continue
detach
target remote $SOCK
info break
backtrace
kill
END
[ "$(grep -c "Breakpoint 1, space_new" "$TMP/out")" -ge 1 ]
ok $? "reconnect after detach" "$(tail "$TMP/out")"
guest_status
ok $? "kill powers the guest off" "status $status"

start_guest --wait-gdb demo
run_gdb "$ELF" <<END
target remote $SOCK
tbreak trap
continue
backtrace
break space_new
continue
watch demand_fills
continue
continue
END
tr '\n' ' ' <"$TMP/out" | grep -q "#0  trap .*#1  <signal handler called> *#2 .*#[3-9] .* kernel_main"
ok $? "backtrace goes through an exception" "$(head -15 "$TMP/out")"
if grep -q "Could not insert hardware watchpoint" "$TMP/out"; then
	skip "watch a variable" "the engine has no watchpoints"
else
	shows "^New value = 1" "watch a variable"
fi

start_guest --wait-gdb demo
run_gdb "$ELF" <<END
source $TOP_SRCDIR/gdbstub/vitrine.gdb
target remote $SOCK
break space_new
continue
physical 1
watch *(int *)((char *)&demand_fills - 0xc0000000)
continue
physical 0
info registers eip
x/dw &demand_fills
delete
monitor rwatch -p 0xb8000 4000
monitor info break
monitor delete
detach
END
shows "^Hardware watchpoint 2: " "a physical watchpoint, with paging on"
shows "^New value = 1" "it stops at a write there"
shows "^0xc01.* <demand_fills>:.*1$" "the variable has that value at its linear address"
shows "rwatch  yes *0x000b8000" "a physical watchpoint set by monitor"
guest_status
[ $status -eq 1 ]
ok $? "the guest runs on to its end" "status $status"
