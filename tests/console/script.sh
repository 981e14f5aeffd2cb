#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Scripts that fail: endless ones and Ctrl-C, expressions without a value. The log by category.
. "$(dirname "$0")/../guests/guestlib.sh"
need
plan 37

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
