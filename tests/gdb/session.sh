#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# gdb beside the session's other front ends: removed breakpoints, lines of trace points and probes, events, kill and run.
. "$(dirname "$0")/gdblib.sh"
need_gdb
[ -x "$RSP" ] || skip_all "no tests/gdb/rsp (make check builds it)"
plan 26

# 1: call f; jmp 1b; nop; f: inc eax; ret
code "$TMP/busy" e8 03 00 00 00 eb f9 90 40 c3
start_guest --wait-gdb --memory 16M --flat "$TMP/busy@0x100000"
run_gdb <<END
target extended-remote $SOCK
break *0x100008
continue
delete
monitor profile 1
monitor info break
flushregs
set \$eax = 1
break *0x100009 if \$eax == 40000
monitor trace 0x100008 "traced %d $(printf '%0200d' 0)" \$eax
continue
monitor info break
monitor pick \$hits break hits
monitor delete all
delete
tbreak *0x100008
run
info registers eip eax
monitor probe 0x100008 "probed %d" \$eax if \$eax < 5
break *0x100009 if \$eax == 2000
continue
kill
END
shows "^Breakpoint 1, 0x00100008" "a breakpoint stops the guest"
hides "breakpoint [0-9]* at 0x00100008\|breakpoint [0-9]* at 100008" "after gdb has removed it, it ends no profile"
[ "$(awk '$2 ~ /^[0-9.]+$/ && $3 ~ /0x0*1000/ { n += $1 } END { print n + 0 }' "$TMP/out")" -gt 10 ]
ok $? "which samples for its whole time" "$(cut -c1-100 "$TMP/out" | head -40)"
shows "^traced [0-9]* 0*$" "lines of trace points reach gdb while the guest runs"
shows "lines of trace points and probes left out" "not all of them: their rate is limited"
shows "Breakpoint 2, 0x00100009" "and the stop behind them"
shows "(\$eax == 0x9c40)" "info break shows a condition that gdb gave"
shows "^eax  *0x0 " "run under extended-remote restarts the machine"
shows "^probed 1$" "lines of probes reach gdb"
shows "Breakpoint 4, 0x00100009" "breakpoints hold in the machine started again"
hides "disconnected\|Broken pipe\|Error in sourced" "without dropping the connection"
guest_status
ok $? "kill ends the machine when gdb leaves" "status $status"

start_guest --wait-gdb demo
run_gdb "$ELF" <<END
target remote $SOCK
monitor break-on exception #PF
monitor tbreak kernel_main
continue
continue
kill
END
shows "^breakpoint 2$" "a breakpoint of the session is named at gdb's console"
shows "^event 1: exception #PF at 0x" "so is the exception at which the guest stopped"
stop_guest

# gdb removes its breakpoint in a busy function, and stays: nothing stops the guest for another front end.
start_guest --wait-gdb --control "unix:$TMP/control" --memory 16M --flat "$TMP/busy@0x100000"
wait_socket "$TMP/control"
mkfifo "$TMP/hold"
"$RSP" "$SOCK" p:qAttached p:Z0,100008,1 P:c w p:z0,100008,1 eof <"$TMP/hold" >"$TMP/first" &
first=$!
exec 8>"$TMP/hold"
removed()
{
	[ "$(grep -c . "$TMP/first")" -eq 4 ]
}
until_true removed
grep -q '^T05' "$TMP/first"
ok $? "gdb's breakpoint stops the guest, and is removed" "$(cat "$TMP/first")"
timeout 60 "$VITRINE" attach "$TMP/control" -c 'profile 0.3' -c 'continue &' -c '-wait nothing 0.3' -c 'info status' \
	-c stop -c 'info break' >"$TMP/out" 2>&1
shows '^ *[0-9][0-9][0-9]*  *[0-9.]*  *0x0*1000' "an attached shell's profile lasts"
sed -n '/Samples/,$p' "$TMP/out" >"$TMP/then" # before: the stop for gdb
grep -q '^state *running' "$TMP/then" && ! grep -q '^breakpoint\|^ *1 *break' "$TMP/then"
ok $? "and its guest runs until it stops it" "$(cat "$TMP/out")"
exec 8>&-
wait $first
stop_guest

# A connection that says nothing releases no guest that waits for gdb.
code "$TMP/exit" b0 05 e6 f4    # mov al, 5; out 0xf4, al
start_guest --wait-gdb --flat "$TMP/exit@0x100000"
"$RSP" "$SOCK" sleep:100
"$RSP" "$SOCK" sleep:10
served()
{
	"$RSP" "$SOCK" 'p:?' p:p8 D >"$TMP/out" 2>&1 && grep -q ^00001000 "$TMP/out"
}
until_true served
ok $? "a connection that closes again does not release --wait-gdb" "$(cat "$TMP/out" "$TMP/err")"
stop_guest

start_guest --wait-gdb --flat "$TMP/busy@0x100000"
"$RSP" "$SOCK" p:qSupported:multiprocess+ 'p:vKill;2' p:p8 >"$TMP/out" 2>&1
grep -q ^E16 "$TMP/out" && grep -q ^00001000 "$TMP/out"
ok $? "another process cannot be killed" "$(cat "$TMP/out")"
stop_guest

for address in 99999 127.0.0.1:65536 :123456; do
	timeout 20 "$VITRINE" run --gdb $address demo >"$TMP/out" 2>&1 </dev/null
	[ $? -eq 125 ] && [ "$(wc -l <"$TMP/out")" -eq 1 ] && grep -q "port" "$TMP/out"
	ok $? "port $address is refused" "$(cat "$TMP/out")"
done

timeout 60 "$VITRINE" shell --no-rc -c 'continue &' -c 'info status' -c 'info cpus' -c stop -c 'info status' \
	--flat "$TMP/busy@0x100000" >"$TMP/out" 2>&1 </dev/null
[ "$(grep -c '^state  *running' "$TMP/out")" -eq 2 ] && [ "$(grep -c '^state  *stopped' "$TMP/out")" -eq 1 ]
ok $? "info status and info cpus say that a running guest runs" "$(cat "$TMP/out")"

mkdir "$TMP/folder"
for command in "load $TMP/folder 0x1000" "source $TMP/folder"; do
	timeout 60 "$VITRINE" shell --no-rc -c "$command" demo >"$TMP/out" 2>&1 </dev/null
	[ $? -eq 1 ] && grep -q "Is a directory" "$TMP/out"
	ok $? "${command%% *} refuses a directory" "$(cat "$TMP/out")"
done
timeout 60 "$VITRINE" shell --no-rc -x "$TMP/folder" demo >"$TMP/out" 2>&1 </dev/null
[ $? -eq 1 ] && grep -q "Is a directory" "$TMP/out"
ok $? "so does -x" "$(cat "$TMP/out")"
