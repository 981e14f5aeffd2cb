#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Keys, mouse, prompt, layouts, and terminals that are small, colourless or gone.
. "$(dirname "$0")/tuilib.sh"
need_tmux
plan 69

start 80x24 screen-256color --no-rc --append loop demo
sees "c runs, s steps" "a hint suggests keys at first"
key s
sees "step at 0x0010000d" "s steps"
key n
sees "step at 0x0010000f" "n steps over"
key b
sees "break 1 at 0x0010000f" "b sets a breakpoint at the cursor"
until_true has "●▶ 0010000f"
ok $? "the code pane marks it" "$(screen)"
key b
sees "breakpoint 1 at 0010000f deleted" "b again deletes it"
key c
sees " running" "c runs, s steps"
sees "PASS" "its serial output is on the screen"
key 3
sees "Traps by cause" "digits switch screens"
sees "per s" "rates have a column"
key Space
sees " stopped" "Space stops the guest"
sees "stopped at" "and the message line says where"
key '?'
sees "Running the guest" "? shows the help"
key q
until_true has_not "Running the guest"
ok $? "q closes it" "$(screen)"
key q
sees "quit and end the guest? y: yes" "one more q asks first"
key q
until_true has_not "quit and end"
[ ! -s "$TMP/status" ] && has "Traps by cause"
ok $? "and any key but y stays" "$(screen)"
sees "was /s" "rates of a stopped guest are marked as old"
key c
until_true has "per s"
key 5
writes_counted()
{
	screen | awk '$1 == "20" && $4 == 0 && $5 > 0 { found = 1 } END { exit !found }' # read never
}
until_true writes_counted
ok $? "the rate of a port counts writes" "$(screen)"
key 2
until_true screen_matches 'Cache .* KiB: [0-9]* live, [0-9]* handed out, [0-9]* in all'
ok $? "the cache's heading has live, handed out, size" "$(screen)"
key 1 Z
sees " s old" "the age of what is shown, while refreshing is paused"
key Z g
t send-keys -t v -l 'kernel_main'
key Enter
until_true has "kernel_main:"
sleep 1.5
key b
until_true screen_matches 'break [0-9]* at 0x[0-9a-f]* kernel_main *\(held.*\)*$'
ok $? "what one goes to stays while the guest runs: b sets its breakpoint there" "$(screen)"
key Space
until_true has " stopped"
key R
sees "reset the guest to its first instruction? y" "R asks first"
key n
until_true has_not "reset the guest"
key R y
until_true has "0010000c"
ok $? "and y resets" "$(screen)"
key :
t send-keys -t v -l "delete"
key Enter s n
key 3
key c
until_true has " running"
key Space
until_true has " stopped"
key 3
key Tab
sees "Page walk" "Tab: the next screen"
key BTab
sees "Traps by cause" "Shift-Tab: the previous one"
key :
t send-keys -t v -l "print 6*7"
key Enter
sees "42  0x2a" ": executes a command"
key : Up
sees ":print 6*7" "Up recalls it"
key Escape :
t send-keys -t v -l "info callo"
key Tab
sees ":info callouts" "Tab completes"
key Enter
sees "Esc closes" "long output is shown over the screen"
key Escape
key :
t send-keys -t v -l "nonsense"
key Enter
sees "no command 'nonsense'" "an unknown command is an error in the message line"
key 2
until_true has "Fragments"
key '\'
t send-keys -t v -l "putch"
key Enter
sees 'filter "putch"' '\ filters'
until_true has_not "trap_entry+0x17"
ok $? "other rows are gone" "$(screen)"
key '\' Enter
until_true has_not 'filter'
ok $? "an empty filter shows all rows" "$(screen)"
key '>' '>'
sees "by " "> sorts by another column"
key z
until_true has_not "Cache"
ok $? "z zooms the pane" "$(screen)"
key z
sees "Cache" "z again: all panes"
key 1
until_true has Registers
key g
t send-keys -t v -l 'trap_entry'
key Enter
sees "trap_entry:" "g goes to a symbol"
key F12
sees "the guest has the keyboard" "F12 gives the keyboard to the guest"
key q
has "the guest has the keyboard"
ok $? "q then goes to the guest" "$(screen)"
key C-]
until_true has_not "the guest has the keyboard"
ok $? "Ctrl-] takes it back" "$(screen)"
key +
key +
t resize-window -t v -x 10 -y 3
sees "too small" "10x3: too small"
t resize-window -t v -x 120 -y 40
sees "F12Keys" "resized: the frame fits again"
t resize-window -t v -x 80 -y 24
sees "F12Keys" "and back"
key q y
ends 0 "q ends with status 0"
grep -q '^machine 0 ' "$TMP/config/vitrine/layout"
ok $? "the layout is saved" "$(cat "$TMP/config/vitrine/layout")"

start 80x24 vt100 --no-rc demo
sees "Registers" "a terminal without colour works"
key q y
ends 0 "and ends well"

# A terminal without cursor movement, a locale without Unicode, sizes that change while the guest runs.
start 80x24 dumb --no-rc demo
until_true test -s "$TMP/status" || key q y
until_true test -s "$TMP/status"
[ "$(cat "$TMP/status")" = 125 ] && grep -q "this terminal cannot be used; TERM is dumb" "$TMP/err"
ok $? "a terminal without a cursor: status 125, and why" "status $(cat "$TMP/status"); $(cat "$TMP/err")"
for name in xterm-mono linux; do
	start 80x24 $name --no-rc demo
	sees "Registers" "TERM=$name works"
	key q y
	ends 0 "and ends well"
done
LC_ALL=C start 80x24 screen-256color --no-rc demo
sees "Registers" "without Unicode"
screen | LC_ALL=C grep -q '[^ -~]'
[ $? -ne 0 ]
ok $? "everything is ASCII" "$(screen)"
key q y
ends 0 "and ends well"
start 80x24 screen-256color --no-rc --append loop demo
until_true has "Registers"
key c
# fits SIZE: is the screen drawn for that size?
fits()
{
	[ "$(screen | wc -l)" -eq "${1#*x}" ] || return 1
	case $1 in
	10x3) has "too small" ;;
	1x1) ;; # tmux shows nothing of it
	*) screen | tail -1 | grep -q '^F1Help' && screen | grep -q '^ demo ' ;;
	esac
}
for size in 10x3 200x50 30x8 1x1 80x24 300x90 100x30; do
	t resize-window -t v -x ${size%x*} -y ${size#*x}
	key 2 3 1
	until_true fits $size
done
sees "F12Keys" "resized while the guest runs"
key q y
ends 0 "and ends well"

# Asynchronous output and the log stay within the dashboard; serial output also goes to a socket.
ERRORS=/dev/tty
start 80x24 screen-256color --no-rc --append loop --serial "unix:$TMP/serial" \
	-c 'trace trap_entry "trapped %d" 6*7' demo
sees "Registers" "--serial unix: is accepted"
key c
sees "trapped 42" "a trace point prints to the message line"
sees "lines: J" "with the number of lines"
screen | sed -n '1p;$p' | grep -qc "trapped"
[ $? -ne 0 ] && has "F12Keys"
ok $? "and nowhere else" "$(screen)"
key J
sees "Journal " "J shows them all"
key J
key :
t send-keys -t v -l "log bt on"
key Enter
until_true has_not ":log"
key J
sees "[bt] " "the log goes there too, though standard error is the terminal"
key J
until_true has_not "Journal "
screen | sed -n '1p;$p' | grep -qc '\[bt\]'
[ $? -ne 0 ] && has "F12Keys"
ok $? "and not on the screen" "$(screen)"
python3 - "$TMP/serial" >"$TMP/out" 2>&1 <<-END
	import socket, sys
	s = socket.socket(socket.AF_UNIX)
	s.connect(sys.argv[1])
	s.settimeout(100)
	got = b""
	while b"PASS" not in got:
	    got += s.recv(1000)
END
ok $? "the socket has the guest's output" "$(cat "$TMP/out")"
unset ERRORS
key q y
until_true test -s "$TMP/status"

start 80x24 screen-256color --no-rc --append loop demo
until_true has "Registers"
key c
until_true has " running"
pid=$(t list-panes -t v -F '#{pane_pid}')
until_true child_of "$pid"
t kill-session -t v
gone()
{
	[ -n "$child" ] && ! kill -0 "$child"
}
until_true gone
ok $? "a lost terminal ends the session"
[ ! -s "$TMP/status" ] || [ "$(cat "$TMP/status" 2>/dev/null)" != 139 ]
ok $? "and not by a crash" "$(cat "$TMP/status" 2>/dev/null)"

# (curses leaks memory when it fails to start)
ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0" TERM=nosuch script -qec "'$VITRINE' tui --no-rc demo" /dev/null >"$TMP/out" 2>&1 </dev/null
[ $? -eq 125 ]
ok $? "an unknown terminal: status 125" "$(cat "$TMP/out")"
"$VITRINE" tui --no-rc demo >"$TMP/out" 2>&1 </dev/null
[ $? -eq 125 ] && [ "$(wc -l <"$TMP/out")" -eq 1 ]
ok $? "no terminal: one line and status 125" "$(cat "$TMP/out")"
