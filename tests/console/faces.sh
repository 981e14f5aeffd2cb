#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# One machine, three faces at once: gdb, an attached shell and an attached dashboard. All show
# a stop in any of them, with the same values. Then the attached ones without gdb.
. "$(dirname "$0")/../tui/tuilib.sh"
need_tmux
command -v gdb >/dev/null || skip_all "no gdb"
gdb -nx -batch -ex 'set architecture i386' >/dev/null 2>&1 || skip_all "this gdb does not support i386"
ELF=${TOP_BUILDDIR:-$TOP_SRCDIR/build}/guests/demo/demo.elf
S=$TMP/control
plan 36

# in_window NAME COMMAND...: run COMMAND in a terminal of its own; its exit status will be in $TMP/NAME.status.
in_window()
{
	name=$1
	shift
	t kill-session -t "$name" 2>/dev/null
	new_session -s "$name" -n "$name" -x 100 -y 30 "TERM=screen-256color timeout --foreground -k 5 600 $*; echo \$? >'$TMP/$name.status'; sleep 1000"
}

# In this test "has" and "sees" refer to the dashboard, shell_has to the attached shell.
shell_has()
{
	t capture-pane -p -t shell | grep -qF -- "$1"
}

shell_has_not()
{
	! shell_has "$1"
}

shell_sees()
{
	until_true shell_has "$1"
	ok $? "$2" "$(t capture-pane -p -t shell)"
}

shell_line()
{
	t send-keys -t shell -l "$1"
	t send-keys -t shell Enter
}

ask()
{
	timeout 100 "$VITRINE" attach "$S" -c "$1" 2>&1
}

# value NAME: a register or symbol in eight hexadecimal digits, as the shell prints it. (A shell that attaches just after
# a stop may print that first.)
value()
{
	printf '%08x' "$(ask "print $1" | awk '$2 ~ /^0x/ { print $2 }')"
}

# has_all TEXT...: does one screen have all of them?
has_all()
{
	shown=$(screen)
	for text in "$@"; do
		case $shown in *"$text"*) ;; *) return 1 ;; esac
	done
}

# agree WHEN NAME: do gdb, dashboard and shell have the same eip and esp? gdb wrote its values to $TMP/gdb.WHEN.
# The code pane marks the linear address: the guest may be in virtual-8086 mode.
agree()
{
	until_true test -s "$TMP/gdb.$1"
	gdb=$(cat "$TMP/gdb.$1")
	shell="$(value '$eip') $(value '$esp')"
	[ "$shell" = "$gdb" ]
	ok $? "$2: gdb and shell have the same values" "gdb $gdb; shell $shell"
	until_true has_all "eip ${gdb% *}" "esp ${gdb#* }" "▶ $(value '$pc')"
	ok $? "$2: and the dashboard" "gdb $gdb; $(screen)"
}

mkfifo "$TMP/stdin"
timeout -k 5 600 "$VITRINE" shell --no-rc --serial null --control "unix:$S" --gdb "unix:$TMP/gdbsock" --append loop demo \
	<"$TMP/stdin" >"$TMP/session" 2>&1 &
session=$!
exec 9>"$TMP/stdin"
until_true test -S "$S"
in_window v "'$VITRINE' attach --tui '$S'"
in_window shell "'$VITRINE' attach 'unix:$S'"
sees "c runs, s steps" "the dashboard starts"
shell_sees "(vitrine)" "the shell too"
t send-keys -t shell -l "tbr"
t send-keys -t shell Tab
t send-keys -t shell -l "kernel_ma"
t send-keys -t shell Tab Enter
shell_sees "break 1 at 0x" "commands and symbols are completed"
shell_line help
shell_sees "q: quit" "long output is paged"
t send-keys -t shell -l q
until_true shell_has_not "q: quit"
t send-keys -t shell -l 'print 40+2'
t send-keys -t shell Enter
shell_sees "42  0x2a" "and can be cut short"
shell_line continue
shell_sees "breakpoint 1 at 0x" "the shell runs the guest to the breakpoint"
sees "kernel_main:" "the dashboard shows where"

# mark NAME: gdb writes its values, then waits until this test has compared them.
mark()
{
	echo "eval \"shell echo %08x %08x >'$TMP/gdb.$1.new'; mv '$TMP/gdb.$1.new' '$TMP/gdb.$1'\", \$eip, \$esp"
	echo "shell while [ -d '$TMP' ] && [ ! -e '$TMP/go.$1' ]; do sleep 0.05; done"
}
{
	echo "set pagination off"
	echo "set confirm off"
	echo "set remotetimeout 60"
	echo "target remote $TMP/gdbsock"
	mark attached
	echo "stepi"
	mark stepped
	echo "hbreak run"
	echo "continue"
	mark broken
	echo "delete"
	echo "continue"
	mark stopped
	echo "continue"
	mark shell
	echo "detach"
} >"$TMP/commands"
timeout -k 5 500 gdb -nx -q -batch -iex 'set auto-load off' "$ELF" -x "$TMP/commands" >"$TMP/gdb.out" 2>&1 </dev/null &
gdb_pid=$!
agree attached "gdb attaches"
touch "$TMP/go.attached"
agree stepped "gdb steps"
touch "$TMP/go.stepped"
agree broken "gdb's breakpoint"
[ "$(value '$pc')" = "$(value run)" ]
ok $? "the stop is where it was set" "$(value '$pc') $(value run)"
shell_sees "<run>" "the attached shell reports gdb's stop"
touch "$TMP/go.broken"
sees " running" "gdb continues: the dashboard shows that the guest runs"
key Space
sees " stopped" "Space in the dashboard stops it"
agree stopped "a stop in the dashboard"
until_true grep -q "received signal SIG" "$TMP/gdb.out"
ok $? "gdb gets the stop" "$(tail -5 "$TMP/gdb.out")"
key s
stepped() # (a halted guest stays where it is)
{
	has_all " stopped" && { has "step at" || has "halted at"; }
}
until_true stepped
until_true has_all "eip $(value '$eip')" "▶ $(value '$pc')"
ok $? "a step in the dashboard: the shell has the same pc" "$(value '$eip') $(screen)"
touch "$TMP/go.stopped"
until_true has " running"
ask stop >"$TMP/stop"
agree shell "a stop in the shell"
touch "$TMP/go.shell"
wait $gdb_pid
ok $? "gdb detaches" "$(tail -5 "$TMP/gdb.out")"
ask stop >"$TMP/stop"

shell_line 'trace check_flags "flags %d" 6*7'
shell_line 'continue &'
shell_sees "flags 42" "the attached shell shows output of a trace point"
sees "flags 42" "the dashboard too"
ask stop >"$TMP/stop"
key J
until_true has "Journal"
sees "flags 42" "in its journal as well"
key Escape
shell_line delete
no_points()
{
	ask 'info break' >"$TMP/out" && ! grep -q "check_flags" "$TMP/out"
}
until_true no_points # another client's command must not overtake the next one

ask 'break check_flags' >"$TMP/out"
addr=$(grep -oE '0x[0-9a-f]+' "$TMP/out" | cut -c3-)
ask continue >"$TMP/stop"
sees "breakpoint" "the dashboard shows a stop that the shell caused"
key g
t send-keys -t v -l "check_flags"
key Enter
sees "●▶ $addr" "a breakpoint set in the shell is in the dashboard"
t resize-window -t v -x 140 -y 40
sees "F12Keys" "a resized dashboard fits"
used()
{
	[ "$(screen | awk '{ if (length($0) > n) n = length($0) } END { print n }')" -gt 110 ]
}
until_true used
ok $? "and uses all of the terminal" "$(screen)"
key 9
key :
t send-keys -t v -l "print 6*7"
key Enter
sees "42  0x2a" "its prompt works"
key q
until_true test -s "$TMP/v.status"
[ "$(cat "$TMP/v.status")" = 0 ]
ok $? "q leaves the dashboard"
rm "$TMP/v.status"
in_window v "'$VITRINE' attach --tui '$S'"
sees "PASS" "a later viewer sees earlier serial output"
echo quit >&9
exec 9>&-
wait $session
until_true test -s "$TMP/v.status"
sees "the session has ended" "the end of the session ends the dashboard"
until_true test -s "$TMP/shell.status"
[ "$(cat "$TMP/shell.status")" = 0 ]
ok $? "and the shell" "$(t capture-pane -p -t shell)"
