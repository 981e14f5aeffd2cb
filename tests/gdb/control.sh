#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Robustness of the connection: Ctrl-C, clients that die, send garbage or come second, the end of the guest.
. "$(dirname "$0")/gdblib.sh"
need
[ -x "$RSP" ] || skip_all "no tests/gdb/rsp (make check builds it)"
plan 21

code "$TMP/spin" fa eb fe       # cli; jmp .
code "$TMP/idle" fa f4 eb fd    # cli; 1: hlt; jmp 1b
for kind in spin idle; do
	start_guest --flat "$TMP/$kind@0x100000"
	stops_soon 200 "Ctrl-C in a guest that is in $kind with interrupts off"
	stop_guest
done

start_guest --flat "$TMP/spin@0x100000"
"$RSP" "$SOCK" p:qAttached raw:242323247d7d2a0a03 long:100000 w p:m100000,2 raw:2424246d p:qAttached >"$TMP/out"
[ "$(tail -1 "$TMP/out")" = 1 ]
ok $? "garbage and an oversized packet do no harm" "$(cut -c1-60 "$TMP/out")"
grep -q "^E16" "$TMP/out"
ok $? "an oversized packet is refused" "$(cut -c1-60 "$TMP/out")"

# what is no debugger: an HTTP request, and a command behind it
"$RSP" "$SOCK" raw:504f5354202f20485454502f312e310d0a0d0a P:qRcmd,71756974 read >"$TMP/out" 2>"$TMP/rsp" # its last write may find the connection closed
! [ -s "$TMP/out" ] && kill -0 $guest_pid
ok $? "an HTTP request is dropped without an answer, and nothing behind it is executed" "$(cat "$TMP/out")"
"$RSP" "$SOCK" p:qAttached "P:qRcmd,$(printf 'dump %s 0 1' "$TMP/written" | od -An -tx1 | tr -d ' \n')" u:OK >"$TMP/out" 2>&1
! [ -e "$TMP/written" ] && grep -q "^O$(printf 'dump: refused' | od -An -tx1 | tr -d ' \n')" "$TMP/out"
ok $? "gdb reaches no file of the host" "$(cut -c1-70 "$TMP/out")"

mkfifo "$TMP/hold"
"$RSP" "$SOCK" p:qAttached eof <"$TMP/hold" >"$TMP/first" &
first=$!
exec 8>"$TMP/hold"
until_true test -s "$TMP/first"
"$RSP" "$SOCK" read >"$TMP/out" 2>&1
grep -q "another gdb is attached" "$TMP/out"
ok $? "a second client is refused with a line of text" "$(cat "$TMP/out")"
exec 8>&-
wait $first
ok $? "the first client is not disturbed" "$(cat "$TMP/first")"

# a client that disconnects in the middle of a packet, with a breakpoint set
"$RSP" "$SOCK" p:Z0,100001,1 P:c sleep:100 raw:246d31 >/dev/null
# a client that connects before the stub has noticed is refused
comes()
{
	"$RSP" "$SOCK" 'p:?' >/dev/null 2>&1
}
until_true comes
"$RSP" "$SOCK" 'p:qRcmd,696e666f20627265616b' >"$TMP/out"
! grep -qi '676462' "$TMP/out" && [ -s "$TMP/out" ]
ok $? "breakpoints of a broken connection are removed" "$(cat "$TMP/out")"
kill -0 $guest_pid
ok $? "the guest resumes"
stop_guest

# gdb sends a packet again when a monitor command takes longer than two seconds, and at Ctrl-C only returns to its prompt.
hex()
{
	printf %s "$1" | od -An -tx1 | tr -d ' \n'
}
printf 'echo ready\nwait nothing 3600\n' >"$TMP/long"
start_guest --gdb-files --wait-gdb --flat "$TMP/spin@0x100000"
"$RSP" "$SOCK" 'p:?' "P:qRcmd,$(hex "source $TMP/long")" w p:qAttached p:p8 >"$TMP/out"
[ "$(sed -n 2,3p "$TMP/out")" = "O$(hex ready)0a
1" ] && grep -qE '^[0-9a-f]{8}$' "$TMP/out"
ok $? "a packet ends a monitor command, whose answer is not sent" "$(cat "$TMP/out")"
"$RSP" "$SOCK" 'p:?' "P:qRcmd,$(hex "source $TMP/long")" w raw:2d2d03 u:OK p:qAttached p:p8 >"$TMP/out"
[ "$(tail -3 "$TMP/out" | head -2)" = "OK
1" ] && tail -1 "$TMP/out" | grep -qE '^[0-9a-f]{8}$'
ok $? "a reply for which gdb timed out is not sent twice" "$(cat "$TMP/out")"
"$RSP" "$SOCK" p:QStartNoAckMode raw:2d2d p:qAttached raw:2d p:p8 >"$TMP/out"
[ "$(head -2 "$TMP/out")" = "OK
1" ] && tail -1 "$TMP/out" | grep -qE '^[0-9a-f]{8}$'
ok $? "nothing is sent again in no-ack mode" "$(cat "$TMP/out")"
stop_guest

if command -v gdb >/dev/null; then
	start_guest --wait-gdb demo
	printf 'target remote %s\nwhile 1\nstepi\nend\n' "$SOCK" >"$TMP/commands"
	gdb -nx -q -batch -iex 'set remotetimeout 60' "$ELF" -x "$TMP/commands" >"$TMP/stepping" 2>&1 </dev/null &
	gdb_pid=$!
	steps()
	{
		[ "$(grep -c . "$TMP/stepping")" -gt 20 ]
	}
	until_true steps
	kill -9 $gdb_pid
	wait $gdb_pid 2>/dev/null
	guest_status
	[ $status -eq 1 ] && grep -q "all checks passed" "$TMP/guest"
	ok $? "after kill -9 of a stepping gdb the guest runs to its end" "status $status"
else
	skip "kill -9 of a stepping gdb" "no gdb"
fi

code "$TMP/exit" b0 05 e6 f4    # mov al, 5; out 0xf4, al
start_guest --wait-gdb --flat "$TMP/exit@0x100000"
"$RSP" "$SOCK" p:qSupported:multiprocess+ p:c w >"$TMP/out"
grep -q "^W0b;process:1" "$TMP/out" && grep -q "^O$(printf 'the guest exited: status 11' | od -An -tx1 | tr -d ' \n')" "$TMP/out"
ok $? "the guest's exit status is reported, in words too" "$(cat "$TMP/out")"
guest_status
[ $status -eq 11 ]
ok $? "it is the exit status of vitrine" "status $status"

code "$TMP/rep" b9 04 00 00 00 bf 00 00 20 00 f3 aa 90 # mov ecx, 4; mov edi, 0x200000; rep stosb; nop
start_guest --wait-gdb --flat "$TMP/rep@0x100000"
"$RSP" "$SOCK" p:s p:s p:s p:p8 p:p1 "p:vCont;r10000a,10000c" p:p8 p:p1 >"$TMP/out" 2>&1
[ "$(sed -n '4,5p' "$TMP/out" | tr '\n' ' ')" = "0a001000 03000000 " ]
ok $? "a single step executes one iteration of REP" "$(cut -c1-70 "$TMP/out")"
[ "$(sed -n '7,8p' "$TMP/out" | tr '\n' ' ')" = "0c001000 00000000 " ]
ok $? "a range step executes all" "$(cut -c1-70 "$TMP/out")"
stop_guest

code "$TMP/dead" 0f 0b          # ud2, no IDT: triple fault
start_guest --wait-gdb --flat "$TMP/dead@0x100000"
"$RSP" "$SOCK" p:c w p:p8 p:m100000,2 >"$TMP/out"
grep -q "^T0b" "$TMP/out" && grep -q "^0f0b" "$TMP/out"
ok $? "a guest that died can be inspected" "$(cut -c1-70 "$TMP/out")"
guest_status
[ $status -eq 126 ]
ok $? "the run ends when gdb detaches" "status $status"

"$VITRINE" run --gdb nonsense demo >"$TMP/out" 2>&1
[ $? -eq 125 ] && [ "$(wc -l <"$TMP/out")" -eq 1 ]
ok $? "a bad address is one line and status 125" "$(cat "$TMP/out")"
