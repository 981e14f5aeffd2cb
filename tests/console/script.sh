#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Scripts that fail: endless ones and Ctrl-C, expressions without a value. The log by category.
. "$(dirname "$0")/../guests/guestlib.sh"
need
plan 44

shell()
{
	timeout -k 5 200 "$VITRINE" shell --no-rc --serial null "$@" >"$TMP/out" 2>"$TMP/err"
	status=$?
	clean_err
}

# fails MESSAGE COMMAND: COMMAND ends with status 1 and one line with MESSAGE on standard error.
fails()
{
	shell -c "$2" demo </dev/null
	[ $status -eq 1 ] && [ "$(wc -l <"$TMP/err")" -eq 1 ] && grep -qF "$1" "$TMP/err"
	ok $? "$2" "status $status; $(cat "$TMP/err")"
}
fails "division by zero" 'print 1 / ($eax - $eax)'
fails "division by zero" 'print 7 % 0'
fails "cannot read" 'print [0xfff00000 + 0x2000000000]'
fails "cannot read" 'print [0xe0000000]'
fails "cannot read" 'x/4xw 0xe0000000'
fails "no register" 'print $nosuch'
fails "" 'print (1'
fails "" 'print 1 +'
fails "" 'set [0xe0000000] = 1'
fails "" 'expect [0xe0000000] == 0'
fails "" 'page'
fails "" 'page 0x1ffffffff'

fails "condition: division by zero" 'break run if 1 / ($eax - $eax)'

# A condition that cannot be evaluated stops once and reports the error; guest and point are unchanged.
shell -c 'break run if 1 / [passed]' -c continue -c 'print $pc == run' -c 'info break' demo </dev/null
[ $status -eq 0 ] && grep -q 'condition: division by zero' "$TMP/out" && grep -q '^1 ' "$TMP/out"
ok $? "a condition that divides by zero stops and reports it" "$(cat "$TMP/out" "$TMP/err")"
shell -c 'break run if [0xe0000000]' -c continue demo </dev/null
grep -q 'condition: .*cannot read' "$TMP/out"
ok $? "so does one that reads unmapped memory" "$(cat "$TMP/out" "$TMP/err")"

mkfifo "$TMP/endless" "$TMP/silent"
# feed LINE: write LINE into the pipe without end, for one reader. starve: stop that.
feed()
{
	yes "$1" >"$TMP/endless" 2>/dev/null &
	feeder=$!
}

starve()
{
	kill "$feeder" 2>/dev/null
	wait "$feeder" 2>/dev/null
}

# endless_once STDIN ARGUMENT...: a run without end; SIGINT after a second must end it: status 130, at most two lines
# of error. $took is the time that took in milliseconds. The pipe has $line.
endless_once()
{
	input=$1
	shift
	[ -z "$line" ] || feed "$line"
	timeout -k 5 200 "$VITRINE" shell --no-rc --serial null "$@" <"$input" >/dev/null 2>"$TMP/err" &
	pid=$!
	sleep 1
	until_true child_of $pid
	kill -0 "$child" 2>/dev/null && runs=yes || runs=
	from=$(date +%s%N)
	kill -INT "$child"
	wait $pid
	status=$?
	took=$((($(date +%s%N) - from) / 1000000))
	[ -z "$line" ] || starve
}

# endless NAME STDIN ARGUMENT...: it must end within a second in one of three attempts, as the host may be busy. (All
# else must be right each time.)
endless()
{
	name=$1
	shift
	for attempt in 1 2 3; do
		endless_once "$@"
		[ $status -eq 130 ] && [ $took -ge 1000 ] || break
	done
	[ -n "$runs" ]
	ok $? "$name: it runs" "$(cat "$TMP/err")"
	[ $status -eq 130 ] && [ $took -lt 1000 ] && [ "$(wc -l <"$TMP/err")" -le 2 ]
	ok $? "$name: Ctrl-C ends it" "status $status after $took ms; $(cat "$TMP/err")"
}
line=
endless "run-until never true" /dev/null -c 'run-until 0' --append loop demo
endless "run-until of an address never reached" /dev/null -c 'run-until $pc == 0' --append loop demo
endless "a breakpoint that always continues" /dev/null -c 'break putch' -c 'commands 1 "print $eax; continue"' \
	-c continue --append loop demo
endless "a condition never true" /dev/null -c 'break putch if 0' -c continue --append loop demo
line='print 1'
endless "an endless script" /dev/null -x "$TMP/endless" demo
line=stepi
endless "commands from an endless pipe" "$TMP/endless" --append loop demo
line=
sleep 1000 >"$TMP/silent" &
silent=$!
endless "a silent pipe" "$TMP/silent" demo
kill $silent
echo "source $TMP/self" >"$TMP/self"
shell -x "$TMP/self" demo </dev/null
[ $status -eq 1 ] && [ "$(grep -c "nested too deeply" "$TMP/err")" -eq 1 ]
ok $? "a script that sources itself ends" "$(head -5 "$TMP/err")"

# Clients of the control socket are served between the lines.
feed 'print 1'
timeout -k 5 200 "$VITRINE" shell --no-rc --serial null --control "unix:$TMP/control" demo <"$TMP/endless" >/dev/null 2>"$TMP/err" &
pid=$!
wait_socket "$TMP/control"
got=$(timeout 100 "$VITRINE" attach "$TMP/control" -c 'print 40 + 2' -c '-quit' 2>&1)
[ "$got" = "42  0x2a" ]
ok $? "a client is served between the lines of an endless pipe" "$got"
wait $pid
status=$?
starve
[ $status -eq 0 ]
ok $? "and can end the session" "$(cat "$TMP/err")"

# category CATEGORY PATTERN: the file has only lines of CATEGORY, and one that matches PATTERN.
category()
{
	rm -f "$TMP/log"
	shell -c "log file $TMP/log" -c "log $1 on" -c continue -c "log $1 off" demo </dev/null
	[ -s "$TMP/log" ] && ! grep -qv "^\[$1\] " "$TMP/log" && grep -qE "$2" "$TMP/log"
	ok $? "log $1" "$(head -5 "$TMP/log") $(cat "$TMP/err")"
}
category cpu 'exception 14\(.*\) at .*, cr2 [0-9a-f]{8}'
category bt 'dropped, its code was written'
category mmu 'page fault, error'
category irq 'acknowledged'
rm -f "$TMP/log"
shell -c "log file $TMP/log" -c 'log all on' -c 'log all off' -c continue demo </dev/null
[ ! -s "$TMP/log" ]
ok $? "log all off: nothing" "$(head -3 "$TMP/log")"

# ---- frames ----
# shows NAME LINE...: the output has these lines, in this order and without others between them.
shows()
{
	name=$1
	shift
	printf '%s\n' "$@" >"$TMP/wanted"
	case $(cat "$TMP/out") in *"$(cat "$TMP/wanted")"*) true ;; *) false ;; esac
	ok $? "$name" "$(cat "$TMP/out" "$TMP/err")"
}
# from "backtrace": the whole lines, without their addresses known to this test
shell -c 'tbreak putch' -c continue -c backtrace demo </dev/null
frame0=$(grep '^#0 ' "$TMP/out") frame1=$(grep '^#1 ' "$TMP/out") frame2=$(grep '^#2 ' "$TMP/out") n=$(grep -c '^#' "$TMP/out")
[ "${frame0##* }" = putch ] && [ "$n" -ge 4 ] && case $frame1$frame2 in *" print+"*" kernel_main+"*) true ;; *) false ;; esac
ok $? "a call stack of the embedded guest" "$(cat "$TMP/out" "$TMP/err")"
printf '%s\n' 'tbreak putch' continue 'echo start' frame up up down 'up 1' 'down 2' 'frame 1' frame >"$TMP/frames"
shell -x "$TMP/frames" demo </dev/null
shows "frame, up and down select frames" start "$frame0" "$frame1" "$frame2" "$frame1" "$frame2" "$frame0" "$frame1" "$frame1"
printf '%s\n' 'tbreak putch' continue 'frame 2' 'x/1i' stepi frame 'echo end' >"$TMP/frames"
shell -x "$TMP/frames" demo </dev/null
at=${frame2#* } at=${at%% *}
grep -q "^ *$at\|^=> *$at" "$TMP/out" && tail -2 "$TMP/out" | grep -q '^#0 .* putch+'
ok $? "x begins in the selected frame, a step selects the innermost" "$(cat "$TMP/out" "$TMP/err")"
shell -c 'tbreak putch' -c continue -c '-down' -c "-up $n" -c "-frame $n" -c frame demo </dev/null
[ "$(grep -c "no such frame (0 to $((n - 1)))" "$TMP/err")" -eq 3 ] && [ "$(tail -1 "$TMP/out")" = "$frame0" ]
ok $? "frames that are not there are one line" "$(cat "$TMP/out" "$TMP/err")"

# ---- patches ----
# (with c3, RET, at "run" the guest checks nothing)
shell -c 'tbreak kernel_main' -c continue -c 'patch-code run c3' -c 'patch-code kernel_main 90' -c 'unpatch all' \
	-c 'echo list' -c 'info patches' -c 'unpatch all' -c continue -c 'print [passed] > 40' demo </dev/null
tail -1 "$TMP/out" | grep -q '^1 ' && [ "$(grep -c '^patch [12] at' "$TMP/out")" -eq 2 ] &&
	! sed -n '/^list/,$p' "$TMP/out" | grep -qE '^ *[12] +0x[0-9a-f]{8} '
ok $? "unpatch all removes all patches, and none is no error" "$(head -12 "$TMP/out") $(cat "$TMP/err")"
shell -c 'tbreak kernel_main' -c continue -c 'patch-code run c3' -c 'info patches' -c continue -c 'print [passed] > 40' demo </dev/null
grep -qE '^ *1 +0x.* run ' "$TMP/out" && tail -1 "$TMP/out" | grep -q '^0 '
ok $? "which info patches would list, and the guest show" "$(cat "$TMP/out" "$TMP/err")"

# ---- NUL ----
printf 'print 1\nprint 2\000 print 3\nprint 4\n' >"$TMP/nul"
shell -x "$TMP/nul" demo </dev/null
[ $status -eq 1 ] && [ "$(cat "$TMP/out")" = "1  0x1" ] && [ "$(wc -l <"$TMP/err")" -eq 1 ] && grep -q '/nul:2: the line has a NUL byte' "$TMP/err"
ok $? "a NUL in a script ends it, with one line" "$(cat "$TMP/out" "$TMP/err")"
